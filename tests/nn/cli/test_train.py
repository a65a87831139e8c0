"""What `python -m nn train` says about its options, its target and its folder."""

import json
import os
import signal
import sys
from pathlib import Path

import processes
import pytest

from nn.__main__ import main
from nn.cli.options import arguments, widths
from nn.cli.training import make_folder

ROOT = Path(__file__).resolve().parents[3]
IRIS = str(ROOT / "demos/data/iris.csv")


def test_output_is_an_alias_of_out():
    parse = arguments().parse_args
    assert parse(["train", "x.csv", "--output", "there"]) == parse(["train", "x.csv", "--out", "there"])
    assert parse(["train", "x.csv"]).hidden == [64, 64]


def test_widths_reject_gaps_and_accept_none():
    assert widths("16,8") == [16, 8]
    assert widths("") == []
    for text in ("16,,8", "16,", ","):
        with pytest.raises(Exception, match="not a list of widths such as 16,16"):
            widths(text)


def test_out_that_is_a_file_is_reported_before_reading_the_table(tmp_path, capsys):
    taken = tmp_path / "README.md"
    taken.write_text("mine", encoding="utf-8")
    assert main(["train", str(tmp_path / "no table at all"), "--out", str(taken)]) == 2
    assert capsys.readouterr().err == f"error: --out {taken} is a file; pass the name of a folder, as in --out run\n"
    with pytest.raises(ValueError, match="cannot create the folder --out"):
        make_folder(taken / "deeper")
    assert taken.read_text(encoding="utf-8") == "mine"


def test_ctrl_c_ends_training_with_a_hint_to_continue(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "nn", "train", IRIS, "--epochs", "100000", "--hidden", "4", "--out", "run"]
    with processes.start(command, cwd=tmp_path, env=environment) as running:
        said = []
        for line in running.stdout:
            said.append(line)
            if line.startswith("epoch"):
                running.send_signal(signal.SIGINT)
                break
        out, err = processes.ended(running)
    assert running.returncode == 130, err
    assert "target: 'target' (classification, 3 classes)\n" in said
    assert out.endswith("to continue, repeat the command with --resume\n")
    assert json.loads((tmp_path / "run/log.jsonl").read_text().splitlines()[-1])["stopped"] == "interrupted"
