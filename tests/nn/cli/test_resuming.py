"""A resumed run continues exactly or is refused, and two runs do not share a folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from nn.__main__ import main
from nn.cli.folder import load_run
from nn.cli.resuming import locked

TRAIN = ("train", "t.csv", "--hidden", "4", "--quiet")


@pytest.fixture(autouse=True)
def _table(here):
    table()


def table(shift=0.0):
    rng = np.random.default_rng(1)
    rows = "".join(f"{a + shift:.3f},{b:.3f},{int(a > 0)}\n" for a, b in rng.normal(size=(60, 2)))
    Path("t.csv").write_text("a,b,y\n" + rows)


def said(capsys, *arguments):
    capsys.readouterr()
    status = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def log(run="run"):
    return [json.loads(line) for line in Path(run, "log.jsonl").read_text().splitlines()]


def rates(run="run"):
    return [entry["lr"] for entry in log(run) if "loss" in entry]


def test_resume_with_other_options_or_another_table_is_refused(capsys):
    assert said(capsys, *TRAIN, "--epochs", 2)[0] == 0
    for options, words in (
        (["--seed", 7], "--seed 0, not 7"), (["--test", 0.3], "--test 0.15, not 0.3"),
        (["--hidden", "8"], "--hidden [4], not [8]"), (["--l2", 0.5], "not 0.5"), (["--clip", 1], "no --clip, not 1.0"),
        (["--drop", "a"], "--drop [], not ['a']"), (["--schedule", "linear"], "not linear"),
        (["--epochs", 1], "has 2 epochs already"),
    ):  # fmt: skip
        status, _, err = said(capsys, *TRAIN, "--epochs", 4, "--resume", *options)
        assert status == 2
        assert words in err
    table(shift=0.1)
    assert "the table has changed" in said(capsys, *TRAIN, "--epochs", 2, "--resume")[2]
    table()
    assert said(capsys, *TRAIN, "--epochs", 2, "--resume")[0] == 0


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "step", "constant", "plateau"])
def test_more_epochs_continue_the_schedule_of_all_epochs(schedule, capsys):
    for out, epochs, more in (("a", 12, []), ("b", 6, []), ("b", 12, ["--resume"])):
        options = ("--schedule", schedule, "--epochs", epochs, "--out", out)
        assert said(capsys, *TRAIN, *options, *more)[0] == 0
    np.testing.assert_allclose(rates("b")[6:], rates("a")[6:], rtol=1e-12)
    assert [entry["epoch"] for entry in log("b")] == list(range(1, 13))
    status, out, _ = said(capsys, "report", "b")
    assert status == 0
    assert "resumed after 6 epochs with --epochs 12 instead of 6" in out


def test_another_rate_applies_from_the_checkpoint_on_and_is_reported(capsys):
    for epochs, more in ((3, ["--lr", 0.01]), (5, ["--lr", 0.1, "--resume"]), (7, ["--resume"])):
        assert said(capsys, *TRAIN, "--schedule", "constant", "--epochs", epochs, *more)[0] == 0
    assert rates() == [0.01] * 3 + [0.1] * 4
    assert json.loads(said(capsys, "report", "run", "--json")[1])["settings"]["lr"] == 0.1


def test_finished_run_stays_finished(capsys):
    options = ("--epochs", 60, "--patience", 1, "--lr", 0.1, "--schedule", "constant")
    assert said(capsys, *TRAIN, *options)[0] == 0
    before, weights = log(), load_run(Path("run")).model.state_dict()
    assert before[-1]["stopped"].startswith("no improvement")
    assert said(capsys, *TRAIN, *options, "--resume")[0] == 0
    assert log() == before
    after = load_run(Path("run"))
    assert all(np.array_equal(weights[key], after.model.state_dict()[key]) for key in weights)
    assert after.result["seconds"] > 0


def test_log_has_each_epoch_once_after_a_kill(capsys):
    assert said(capsys, *TRAIN, "--epochs", 3, "--schedule", "constant")[0] == 0
    shutil.copy("run/checkpoint.npz", "early.npz")
    assert said(capsys, *TRAIN, "--epochs", 6, "--schedule", "constant", "--resume")[0] == 0
    whole = log()
    shutil.copy("early.npz", "run/checkpoint.npz")  # as if killed before the next checkpoint was written
    with Path("run/log.jsonl").open("a") as file:
        file.write('{"epoch": 7, "st')
    assert said(capsys, *TRAIN, "--epochs", 6, "--schedule", "constant", "--resume")[0] == 0
    timed = ("time", "seconds")
    assert [{k: v for k, v in e.items() if k not in timed} for e in log()] == [
        {k: v for k, v in e.items() if k not in timed} for e in whole
    ]


def test_second_run_in_one_folder_is_refused(capsys):
    pytest.importorskip("fcntl")
    Path("run").mkdir()
    with locked(Path("run"), "training"):
        status, _, err = said(capsys, *TRAIN, "--epochs", 1)
    assert (status, err) == (2, "error: another training is writing to run; pass another --out\n")
    assert said(capsys, *TRAIN, "--epochs", 1)[0] == 0
