"""`python -m nn`: tables of every kind are learned, and whatever is wrong is one clear line."""

import csv
import gzip
import itertools
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
from looping import each

from nn.__main__ import main
from nn.cli.folder import load_run
from nn.data import RobustScaler
from nn.data.cells import read_cells
from nn.training.solvers import SCHEDULES, SOLVERS

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "demos/data"
QUICK = ("--epochs", "2", "--hidden", "4", "--quiet")


def run(*arguments):
    try:
        return main([str(a) for a in arguments])
    except SystemExit as stopped:
        return stopped.code


def said(capsys, *arguments):
    status = run(*arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def table(text, name="data.csv"):
    Path(name).write_text(text, encoding="utf-8", newline="")
    return name


def flowers(name="flowers.csv", rows=60, delimiter=",", gaps=True):
    """A table with everything in it: quotes, words, gaps, a column of two words."""
    rng = np.random.default_rng(0)
    with Path(name).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
        writer.writerow(["petal, cm", "width", "colour", "species"])
        for i in range(rows):
            kind = i % 3
            petal = "" if gaps and i == 7 else round(float(rng.normal(kind * 3, 0.5)), 2)
            colour = "?" if gaps and i == 9 else ("red", "blue", "blue")[kind]
            writer.writerow(
                [petal, round(float(rng.normal()), 2), colour, ("setosa", "versi,color", 'virgi"nica')[kind]]
            )
    return name


# --------------------------------------------------------------------------------------------------- the tables


@pytest.mark.parametrize(
    ("given", "task", "columns", "score", "least"),
    [
        (["iris.csv"], "classification", 4, "accuracy", 0.85),
        (["wine.csv", "--target", "target"], "classification", 13, "accuracy", 0.9),
        (["digits.csv.gz", "--target", "65", "--hidden", "32"], "classification", 64, "accuracy", 0.9),
        (["diabetes.csv"], "regression", 10, "r2", 0.35),
    ],
)
def test_shipped_tables_are_learned(given, task, columns, score, least, capsys):
    parts = [np.loadtxt(DATA / f"diabetes_{name}.csv.gz", ndmin=2) for name in ("data_raw", "target")]
    np.savetxt("diabetes.csv", np.concatenate([parts[0], parts[1].reshape(-1, 1)], axis=1))
    path = Path(given[0]) if given[0] == "diabetes.csv" else DATA / given[0]
    status, out, err = said(capsys, "train", path, *given[1:], "--epochs", "25", "--json", "--lr", "0.01")
    assert status == 0, err
    result = json.loads(out)
    assert result["task"] == task
    assert result["test"][score] > least
    status, out, err = said(capsys, "report", "run", "--json")
    assert status == 0
    assert json.loads(out)["test"] == result["test"]


@pytest.mark.usefixtures("figures")
def test_table_with_quotes_words_and_missing_values_is_learned(capsys):
    status, out, err = said(
        capsys, "train", flowers(), "--target", "species", "--epochs", "60", "--lr", "0.02", "--out", "out/deep"
    )
    assert status == 0, err
    assert "3 classes" in out
    assert "1 missing value replaced by the median" in out
    assert "1 missing value encoded as unknown" in out
    assert "Linear" in out
    assert "epoch 60/60" in out
    for name in ("model.npz", "checkpoint.npz", "log.jsonl", "curves.png", "report.html", "graph.svg", "test.png"):
        assert (Path("out/deep") / name).stat().st_size > 500, name
    status, out, err = said(capsys, "predict", "out/deep", "flowers.csv")
    assert status == 0, err
    rows = list(csv.DictReader(out.splitlines()))
    true = [row["species"] for row in csv.DictReader(Path("flowers.csv").read_text(encoding="utf-8-sig").splitlines())]
    assert np.mean([row["species"] == label for row, label in zip(rows, true, strict=True)]) > 0.9
    assert sum(float(rows[0][key]) for key in rows[0] if key.startswith("p(")) == pytest.approx(1, abs=1e-3)
    status, out, err = said(capsys, "report", "out/deep")
    assert status == 0
    assert "classification of species" in out
    assert "report.html" in out


def test_new_rows_may_lack_the_target_have_other_order_and_new_words(capsys):
    assert run("train", flowers(), "--target", "species", *QUICK) == 0
    new = table("colour,width,petal\ngreen,0.1,\nblue,,6.2\n".replace("petal", '"petal, cm"'), "new.csv")
    capsys.readouterr()
    status, out, err = said(capsys, "predict", "run", new, "-o", "answers.csv")
    assert status == 0, err
    assert "2 predictions" in out
    assert len(Path("answers.csv").read_text().splitlines()) == 3
    status, _, err = said(capsys, "predict", "run", table("colour,width\nred,1\n", "new.csv"))
    assert status == 2
    assert "no column 'petal, cm'" in err


@each([";", "\t", "|", " "])
def test_delimiters_are_detected(delimiter, capsys):
    status, _, err = said(capsys, "train", flowers(delimiter=delimiter, gaps=False), "--target", "species", *QUICK)
    assert status == 0, err


def test_columns_without_header_are_named_by_position(capsys):
    rng = np.random.default_rng(0)
    np.savetxt("numbers.txt", np.c_[rng.normal(size=(40, 2)), rng.normal(size=40)])
    assert read_cells("numbers.txt").names == ["1", "2", "3"]
    status, _, err = said(capsys, "train", "numbers.txt", "--target", "-1", *QUICK)
    assert status == 0, err
    np.savetxt("new.txt", rng.normal(size=(3, 2)))
    status, out, err = said(capsys, "predict", "run", "new.txt")
    assert status == 0, err
    assert len(out.splitlines()) == 4


def test_task_option_overrides_detection(capsys):
    rows = "\n".join(f"{i},{i % 4}" for i in range(40))
    for task, score in (("regression", "r2"), ("classification", "accuracy")):
        status, out, err = said(capsys, "train", table("a,b\n" + rows), "--task", task, *QUICK)
        assert status == 0, err
        assert score in out


@each(zip(itertools.cycle(SCHEDULES), sorted(SOLVERS)))
def test_every_schedule_and_optimizer_runs(schedule, optimizer):
    assert run("train", DATA / "iris.csv", "--schedule", schedule, "--optimizer", optimizer, *QUICK) == 0


# --------------------------------------------------------------------------------------------------- the faults

ROWS = "".join(f"{i},{i % 5},{'xy'[i % 2]}\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", [], ["empty"]),
        ("\n\n  \n", [], ["empty"]),
        ("a,b,c\n", [], ["no rows"]),
        ("a,b,c\n" + ROWS + "1,2\n", ["--target", "c"], ["line 22", "2 cells"]),
        ("a,b,c\n" + ROWS, ["--target", "species"], ["no column 'species'", "a, b, c"]),
        ("a,b,c\n" + ROWS, ["--target", "7"], ["no column '7'"]),
        ("a,b,c\n" + ROWS, ["--drop", "z"], ["no column 'z'"]),
        ("a,b,c\n" + ROWS, ["--drop", "c"], ["both the target and dropped"]),
        ("a,b,c\n" + ROWS, ["--target", "c", "--drop", "a", "--drop", "b"], ["no feature column"]),
        ("a,b,c\n" + ROWS.replace("y", "x"), [], ["one class only", "'x'"]),
        ("a,b,c\n" + ROWS.replace("x", "").replace("y", "NA"), [], ["target 'c' is missing in every row"]),
        ("a,b,c\n" + ROWS, ["--task", "regression"], ["'x'", "regression needs a numeric target"]),
        ("a,b,c\n1,2,x\n3,4,y\n", [], ["2 rows", "need 8"]),
        ("a,b\n" + "".join(f"{i},5.5\n" for i in range(20)), ["--task", "regression"], ["nothing to learn"]),
        ("just some prose that goes on\nand, on\nand on\n", [], ["line 2", "2 cells", "the first one has 6"]),
        ('a,b\n1,"2\n3,4\n', [], ["after line 1", "unexpected end"]),
        ("a,b,c\n" + ROWS, ["--validation", "0.5", "--test", "0.5"], ["too few rows"]),
        ("a,b,c\n" + ROWS, ["--delimiter", ",,"], ["one character"]),
        ("a,b,c\n" + ROWS, ["--target", "c", "--out", "data.csv"], ["data.csv"]),
    ],
)
def test_invalid_table_is_one_line(text, options, words, capsys):
    status, _, err = said(capsys, "train", table(text), *options, *QUICK)
    assert status == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", ["not a CSV file, but a binary"]),
        (b"a,b\n1,2\x00\n", ["not a CSV file, but a binary"]),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], ["damaged"]),
    ],
)
def test_train_on_a_binary_file_is_an_error(contents, words, capsys):
    name = "data.csv.gz" if contents[:2] == b"\x1f\x8b" else "data.csv"
    Path(name).write_bytes(contents)
    status, _, err = said(capsys, "train", name)
    assert status == 2
    assert err.count("\n") == 1
    assert all(word in err for word in (*words, name))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["train", "nowhere.csv"], "the CSV file does not exist: nowhere.csv"),
        (["train", "."], "a CSV file is required, but this is a folder: ."),
        (["predict", "nowhere", "x.csv"], "not the folder of a run"),
        (["report", "."], "not the folder of a run"),
        (["train", "x.csv", "--epochs", "0"], "--epochs"),
        (["train", "x.csv", "--lr", "-1"], "--lr"),
        (["train", "x.csv", "--hidden", "4,x"], "--hidden"),
        (["train", "x.csv", "--optimizer", "adm"], "error: argument --optimizer: invalid choice: 'adm'; did you mean"),
        (["train", "x.csv", "--activation", "rellu"], "'rellu'; did you mean 'relu'?\n"),
        (["train", "x.csv", "--activation", "help"], "'help' (choose from "),
        (["train", "x.csv", "--test", "1.5"], "--test"),
        (["fly"], "fly"),
        ([], "required"),
    ],
)
def test_wrong_arguments_exit_2(arguments, word, capsys):
    status, _, err = said(capsys, *arguments)
    assert status == 2
    assert word in err
    assert err.count("\n") == 1


def test_predict_and_explain_name_the_columns_that_are_ignored(capsys):
    assert run("train", DATA / "iris.csv", *QUICK) == 0
    assert said(capsys, "predict", "run", DATA / "iris.csv")[2] == ""
    message = "9 columns are ignored, since the model does not use them: x5, x6, x7, x8, x9, x10, x11, x12, x13\n"
    for command in ("predict", "explain"):
        assert said(capsys, command, "run", DATA / "wine.csv")[2] == message


def test_damaged_run_is_named(capsys):
    assert run("train", DATA / "iris.csv", *QUICK) == 0
    whole = Path("run/model.npz").read_bytes()
    Path("run/model.npz").write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    status, _, err = said(capsys, "report", "run")
    assert status == 2
    assert "model.npz" in err
    Path("run/checkpoint.npz").replace("run/model.npz")
    status, _, err = said(capsys, "report", "run")
    assert status == 2
    assert "of another version of chainrule, or a checkpoint, but not one of python -m nn train" in err


def test_help_shows_every_option(capsys):
    for command, options in (
        ("train", ("--target", "--schedule", "--resume")),
        ("predict", ("--output",)),
        ("report", ("--json",)),
    ):
        status, out, _ = said(capsys, command, "--help")
        assert status == 0
        assert all(option in out for option in options)
        assert not any(f"(default: {nothing})" in out for nothing in ("None", "False", "[]"))


def test_result_is_printed_before_the_figures_are_drawn(capsys):
    status, out, _ = said(capsys, "train", DATA / "iris.csv", "--epochs", 1)
    assert status == 0
    assert out.index("test rows after 1 epoch in") < out.index("No problems detected") < out.index("wrote run/")


# ----------------------------------------------------------------------------------------- interrupt and resume


WITHOUT_FIGURES = """
import sys, nn.cli.page
from nn.__main__ import main
from nn.cli.training import Run
nn.cli.page.baselines = lambda *arguments: {}
Run.write = lambda run, history: run.trained.save(run.args.out / "model.npz") or [run.args.out / "model.npz"]
sys.exit(main())
"""


def start(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", WITHOUT_FIGURES, *map(str, arguments)]
    return processes.start(command, env=environment, **options)


def test_ctrl_c_saves_everything_and_ends_with_a_hint_to_continue():
    process = start("train", DATA / "iris.csv", "--epochs", "100000", "--hidden", "4")
    log = Path("run/log.jsonl")
    processes.wait_until(lambda: log.exists() and log.stat().st_size, process)
    process.send_signal(signal.SIGINT)
    out, err = processes.ended(process)
    assert (process.returncode, err) == (130, "")
    assert "interrupted in epoch" in out
    assert "target: 'target' (classification, 3 classes)\n" in out
    assert out.endswith("to continue, repeat the command with --resume\n")
    assert load_run(Path("run")).model is not None
    assert json.loads(log.read_text().splitlines()[-1])["stopped"] == "interrupted"


def test_columns_are_scaled_by_the_training_rows_alone():
    assert run("train", DATA / "iris.csv", "--test", "0.3", *QUICK) == 0
    found = load_run(Path("run")).encoder.scale
    whole = RobustScaler(np.loadtxt(DATA / "iris.csv", delimiter=",", skiprows=1)[:, :4])
    assert np.any(found.center != whole.center) or np.any(found.spread != whole.spread)
    np.testing.assert_allclose(found.center, whole.center, rtol=0.1)
    np.testing.assert_allclose(found.spread, whole.spread, rtol=0.25)


def test_resumed_run_continues_for_more_epochs(capsys):
    weights = []
    for epochs, *more in ((4,), (2,), (4, "--resume")):
        assert (
            run("train", DATA / "iris.csv", "--schedule", "constant", "--hidden", "8", "--epochs", epochs, *more) == 0
        )
        weights.append(load_run(Path("run")).model.state_dict())
    assert all(np.array_equal(weights[0][key], weights[2][key]) for key in weights[0])
    assert not np.array_equal(weights[0]["0.weight"], weights[1]["0.weight"])


def test_closed_pipe_is_quiet():
    assert run("train", DATA / "iris.csv", *QUICK) == 0
    process = start("predict", "run", DATA / "iris.csv")
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
