"""What `python -m nn train` says about its options and its folder."""

from pathlib import Path

import pytest

from nn.__main__ import main
from nn.cli.options import arguments, widths

ROOT = Path(__file__).resolve().parents[3]


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


def test_out_that_is_a_file_is_an_error(tmp_path, capsys):
    taken = tmp_path / "README.md"
    taken.write_text("mine", encoding="utf-8")
    for out in (taken, taken / "deeper"):
        assert main(["train", str(ROOT / "demos/data/iris.csv"), "--out", str(out)]) == 2
        assert capsys.readouterr().err.endswith(f": {out}\n")
    assert taken.read_text(encoding="utf-8") == "mine"
