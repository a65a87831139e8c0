"""What train reports about a model: weights, folds, baselines, the page, and explanations of predictions."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nn.__main__ import main
from nn.cli.folder import load_run
from nn.cli.page import write_page
from nn.training import History


@pytest.fixture
def table(here):
    """Write a table of 200 rows whose class depends on two of its four columns, with weights."""
    rng = np.random.default_rng(0)
    size, noise = rng.normal(size=(2, 200))
    colour, town = rng.choice(["red", "green"], 200), rng.choice([f"town {i:02}" for i in range(12)], 200)
    answer = np.where(size + (colour == "red") > 0.8, "yes", "no")
    rows = zip(size, noise, colour, town, rng.integers(0, 3, 200), answer, strict=True)
    Path("t.csv").write_text(
        "size,noise,colour,town,weight,answer\n"
        + "".join(f"{a:.3f},{b:.3f},{c},{d},{e},{f}\n" for a, b, c, d, e, f in rows),
        encoding="utf-8",
    )
    return "t.csv"


def run(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("baselines", "figures")
def test_train_compares_with_baselines_and_writes_one_page(table, capsys):
    pytest.importorskip("matplotlib")
    out = run(capsys, "train", table, "--epochs", 20)
    assert "The model is better than always 'no' (accuracy " in out
    assert "a linear model (accuracy" in out
    page = Path("run/report.html").read_text(encoding="utf-8")
    for key, value in (("hidden", "64, 64"), ("refit", "no")):
        assert f"<td>{key}</td><td>{value}</td>" in page
    assert "<td>label_smoothing</td><td>0.05</td>" in page
    assert "<td>temperature</td>" in page
    assert "#n/a" not in page  # the default list of words for a missing value
    headings = ["Scores on the test rows", "Calibration", "Importance of columns", "Data", "Epochs", "Diagnosis"]
    places = [page.index(f"<h2>{heading}") for heading in headings]
    assert places == sorted(places)
    assert page.count("<svg") == 5
    assert page.count("best: epoch") == 1
    result = load_run(Path("run")).result
    assert next(iter(result["importance"])) == "size"
    low, high = result["intervals"]["accuracy"]
    assert low <= result["test"]["accuracy"] <= high
    assert result["temperature"] == load_run(Path("run")).temperature


def test_report_of_a_regression_lists_no_settings_of_classification(capsys, monkeypatch):
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{i / 10}\n" for i in range(40)), encoding="utf-8")
    run(capsys, "train", "t.csv", "--epochs", 2)
    monkeypatch.setattr("nn.cli.page.monitored", lambda monitor: [])
    scores = {"rows": {"this model": {"r2": 0.5}}, "intervals": {"r2": (0.4, 0.6)}, "verdict": "better"}
    assessment = SimpleNamespace(run=load_run(Path("run")), parts=list, **scores)
    write_page(Path("page.html"), assessment, History(), None, [], "")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "<td>dropout</td>" in page
    assert "label_smoothing" not in page
    assert "temperature" not in page


def test_folds_make_an_ensemble_that_predicts_and_explains(table, capsys):
    out = run(capsys, "train", table, "--folds", 3, "--epochs", 10, "--drop", "weight", "--quiet")
    assert "accuracy of 3 folds: 0." in out
    assert Path("run/checkpoint-3.npz").exists()
    assert len(load_run(Path("run")).model.members) == 3
    predictions = run(capsys, "predict", "run", table).splitlines()
    assert len(predictions) == 201
    lines = run(capsys, "explain", "run", table, "--row", 5).splitlines()
    assert lines[0].startswith(f"row 5 of t.csv: answer = {predictions[5].split(',')[0]} (probability 0.")
    shares = {line.split()[0]: float(line.split()[-2]) for line in lines[2:6]}
    assert next(iter(shares)) == max(shares, key=lambda name: abs(shares[name]))
    assert float(lines[6].split()[1]) == pytest.approx(sum(shares.values()), rel=1e-2)


def test_refit_trains_on_validation_rows_for_the_best_number_of_epochs(table, capsys):
    run(capsys, "train", table, "--epochs", 10, "--drop", "weight", "--quiet")
    before = load_run(Path("run"))
    run(capsys, "train", table, "--epochs", 10, "--drop", "weight", "--quiet", "--refit", "--out", "again")
    assert Path("again/checkpoint-refit.npz").exists()
    again = load_run(Path("again"))
    assert again.history["validation loss"] == before.history["validation loss"]
    losses = before.history["validation loss"]
    lines = Path("again/log-refit.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["epoch"] == losses.index(min(losses)) + 1
    assert "validation loss" not in json.loads(lines[-1])
    assert not np.array_equal(next(again.model.parameters()).data, next(before.model.parameters()).data)


def test_contributions_sum_to_the_difference_from_a_median_row(table, capsys):
    run(capsys, "train", table, "--target", "size", "--epochs", 20, "--quiet", "--optimizer", "adam", "--ema", 0.9)
    found = json.loads(run(capsys, "explain", "run", table, "--row", 7, "--json"))
    trained = load_run(Path("run"))
    total = sum(entry["contribution"] for entry in found)
    row = float(run(capsys, "predict", "run", table).splitlines()[7])
    features = np.zeros((1, trained.encoder.width))
    model = trained.model.eval()
    dense = np.asarray(model[0](features).data)
    dense[:] = 0.0  # unknown words too
    zero = dense
    for layer in list(model)[1:]:
        zero = layer(zero)
    median = float(np.asarray(zero.data)[0, 0]) * trained.target_scale[1] + trained.target_scale[0]
    assert total == pytest.approx(row - median, abs=0.02)
    assert "Backward" in run(capsys, "explain", "run", table, "--steps")


def test_weights_of_rows_and_classes_change_the_model(table, capsys):
    shares = []
    for options in ((), ("--class-weight", "balanced"), ("--sample-weight", "weight"), ("--dropout", 0.5)):
        run(capsys, "train", table, "--drop", "town", "--epochs", 5, "--quiet", *options)
        trained = load_run(Path("run"))
        shares.append([float(line.split(",")[1]) for line in run(capsys, "predict", "run", table).splitlines()[1:]])
        assert ("weight" in [column.name for column in trained.encoder.columns]) == ("--sample-weight" not in options)
    assert all(not np.array_equal(shares[0], other) for other in shares[1:])
    assert main(["train", table, "--sample-weight", "size", "--quiet"]) == 2
    assert "negative" in capsys.readouterr().err
