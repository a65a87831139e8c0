"""Configurations of a sweep: which trials they stand for, and what is wrong with them in one line."""

import json
import math
from pathlib import Path

import pytest

from nn.__main__ import main
from nn.cli.sweep import read_sweep

TABLE = "a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(20))


@pytest.fixture(autouse=True)
def _table(here):
    Path("t.csv").write_text(TABLE)


def plan(seed=0, **parts):
    Path("c.json").write_text(json.dumps({"table": "t.csv", **parts}))
    return read_sweep(Path("c.json"), seed)


def test_every_choice_is_combined_with_every_other():
    found = plan(
        base={"epochs": 3, "header": False},
        list=[{"optimizer": "sgd", "lr": 0.1}, {"optimizer": "adam", "lr": 0.01}],
        grid={"hidden": [[], [8], "16,16"]},
        random={"trials": 2, "batch-size": {"integers": [8, 4000]}},
        seeds=[5, 6],
    )
    assert found.varied == ["optimizer", "lr", "hidden", "batch_size"]
    assert len(found.trials) == len({trial.key for trial in found.trials}) == 2 * 3 * 2 * 2
    assert [trial.number for trial in found.trials] == list(range(1, 25))
    assert found.trials[0].words[:5] == ("t.csv", "--epochs=3", "--no-header", "--optimizer=sgd", "--lr=0.1")
    assert {trial.seed for trial in found.trials} == {5, 6}
    hidden = {word for trial in found.trials for word in trial.words if word.startswith("--hidden")}
    assert hidden == {"--hidden=", "--hidden=8", "--hidden=16,16"}


def test_configuration_with_only_a_table_is_one_trial():
    (trial,) = plan().trials
    assert (trial.words, trial.settings, trial.seed) == (("t.csv", "--seed=0"), {}, 0)


def test_drawn_settings_stay_in_their_range_and_follow_the_seed():
    ranges = {
        "trials": 200,
        "lr": {"log": [1e-4, 1e-1]},
        "l2": {"uniform": [0, 2]},
        "batch_size": {"integers": [3, 5]},
        "activation": ["relu", "tanh"],
    }
    drawn = [trial.settings for trial in plan(random=ranges).trials]
    assert {d["batch_size"] for d in drawn} == {3, 4, 5}
    assert {d["activation"] for d in drawn} == {"relu", "tanh"}
    assert all(1e-4 <= d["lr"] <= 1e-1 and 0 <= d["l2"] <= 2 for d in drawn)
    assert sum(math.log10(d["lr"]) for d in drawn) / len(drawn) == pytest.approx(-2.5, abs=0.2)
    assert all(len(repr(d["lr"])) <= 9 for d in drawn)
    assert drawn == [trial.settings for trial in plan(random=ranges).trials]
    assert drawn != [trial.settings for trial in plan(seed=1, random=ranges).trials]


def test_seed_option_is_the_first_of_counted_seeds():
    assert [trial.seed for trial in plan(seed=7, seeds=3).trials] == [7, 8, 9]
    assert [trial.seed for trial in plan(seed=7, seeds=[1, 1, 2]).trials] == [1, 2]


def test_trial_key_depends_on_settings_and_data_only():
    alone = plan(base={"lr": 0.1}).trials[0].key
    assert plan(grid={"lr": [0.5, 0.1]}).trials[1].key == alone
    assert plan(base={"lr": 0.10, "test": 0.15}).trials[0].key == alone  # 0.15 is the default of train
    assert plan(base={"lr": 0.2}).trials[0].key != alone
    Path("t.csv").write_text(TABLE + "20,0\n")
    assert plan(base={"lr": 0.1}).trials[0].key != alone


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is not JSON"]),
        ("[1]", ["expected an object"]),
        ('{"table": 3}', ['"table" must be like "iris.csv"']),
        ('{"table": "t.csv", "gird": {}}', ["unknown part of a sweep 'gird'", "did you mean 'grid'"]),
        ('{"table": "t.csv", "base": {"epoch": 3}}', ["unknown setting", "'epoch'", "did you mean 'epochs'"]),
        ('{"table": "t.csv", "base": {"zzz": 3}}', ["unknown setting", "'zzz'", "batch_size"]),
        ('{"table": "t.csv", "base": {"seed": 3}}', ["unknown setting", "'seed'"]),
        ('{"table": "t.csv", "base": {"out": "x"}}', ["unknown setting", "'out'"]),
        ('{"table": "t.csv", "base": [3]}', ['"base" must be like']),
        ('{"table": "t.csv", "base": {"lr": -1}}', ["--lr", "'-1' is not a number above 0"]),
        ('{"table": "t.csv", "base": {"lr": NaN}}', ["--lr", "'nan'"]),
        ('{"table": "t.csv", "base": {"optimizer": "adm"}}', ["--optimizer", "invalid choice"]),
        ('{"table": "t.csv", "base": {"header": "yes"}}', ["header must be true or false"]),
        ('{"table": "t.csv", "base": {"lr": true}}', ["--lr", "'True' is not a number above 0"]),
        ('{"table": "t.csv", "base": {"lr": [1, 2]}}', ["--lr", "'1,2' is not a number above 0"]),
        ('{"table": "t.csv", "grid": {"lr": 0.1}}', ['"grid": lr must be a list']),
        ('{"table": "t.csv", "grid": {"lr": []}}', ["make no trial"]),
        ('{"table": "t.csv", "grid": {"lr": [0.1, "x"]}}', ["--lr", "'x'"]),
        ('{"table": "t.csv", "list": {"lr": 1}}', ['"list" must be like']),
        ('{"table": "t.csv", "random": {"lr": [1]}}', ['"random" must contain the number of trials']),
        ('{"table": "t.csv", "random": {"trials": 0}}', ["make no trial"]),
        ('{"table": "t.csv", "random": {"trials": 1, "lr": {"log": [0, 1]}}}', ["lr must be a list, or a range"]),
        ('{"table": "t.csv", "random": {"trials": 1, "lr": {"uniform": [2, 1]}}}', ["lr must be a list, or a range"]),
        (
            '{"table": "t.csv", "random": {"trials": 1, "lr": {"uniform": [-1e308, 1e308]}}}',
            ["must be a list, or a range"],
        ),
        (
            '{"table": "t.csv", "random": {"trials": 1, "lr": {"log": [1, 1' + "0" * 400 + "]}}}",
            ["must be a list, or a range"],
        ),
        (
            '{"table": "t.csv", "random": {"trials": 1, "epochs": {"integers": [1, 2.5]}}}',
            ["epochs must be a list"],
        ),
        ('{"table": "t.csv", "random": {"trials": 1, "lr": {"normal": [0, 1]}}}', ["must be a list, or a range"]),
        ('{"table": "t.csv", "random": {"trials": 1, "lr": 3}}', ["must be a list, or a range"]),
        ('{"table": "t.csv", "grid": {"lr": [1]}, "random": {"trials": 1, "lr": [1]}}', ['"grid" and in "random"']),
        ('{"table": "t.csv", "seeds": 0}', ["make no trial"]),
        ('{"table": "t.csv", "seeds": [-1]}', ["--seed", "'-1'"]),
        ('{"table": "t.csv", "metric": 3}', ['"metric" must be like']),
        ('{"table": "t.csv", "metric": "accurcy"}', ["'accurcy' is not measured", "validation accuracy"]),
        ('{"table": "nowhere.csv"}', ["the CSV file does not exist: nowhere.csv"]),
        ('{"table": "t.csv", "base": {"target": "z"}}', ["no column 'z'"]),
    ],
)
def test_invalid_configuration_is_one_line(text, words, capsys):
    Path("c.json").write_text(text)
    assert main(["sweep", "c.json"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert all(word in captured.err for word in words), captured.err
    assert not Path("sweep").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere.json"], "the configuration does not exist: nowhere.json"),
        (["."], "a configuration is required, but this is a folder: ."),
        (["c.json", "--workers", "0"], "--workers"),
        (["c.json", "--seed", "x"], "--seed"),
        (["c.json", "-o", "t.csv"], "File exists: t.csv"),
        ([], "required"),
    ],
)
def test_wrong_arguments_exit_2(arguments, word, capsys):
    Path("c.json").write_text('{"table": "t.csv"}')
    try:
        status = main(["sweep", *arguments])
    except SystemExit as stopped:
        status = stopped.code
    err = capsys.readouterr().err
    assert status == 2
    assert word in err
    assert "Traceback" not in err


def test_help_shows_the_format(capsys):
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    out = capsys.readouterr().out
    for word in ('"grid"', '"random"', '"seeds"', "--workers", "--retry", "--json", "mpi4py.futures"):
        assert word in out
