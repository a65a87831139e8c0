"""Ordinary tables are trained on unedited, and `predict` finds, reports and writes what it needs."""

import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from nn.__main__ import main
from nn.cli.folder import load_run

QUICK = ("--epochs", "2", "--hidden", "4", "--quiet")
N = 80


def said(capsys, *arguments):
    capsys.readouterr()
    try:
        status = main([str(a) for a in arguments])
    except SystemExit as stopped:
        status = stopped.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def write(name, header, rows, delimiter=","):
    lines = [delimiter.join(map(str, row)) for row in ([header] if header else []) + list(rows)]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


def shop(name="shop.csv"):
    """A table with a row number, a date, a price, a word of many levels, gaps, and gaps in the target."""
    rng = np.random.default_rng(0)
    rows = [
        (i, f"{i % 28 + 1:02}.{i % 12 + 1:02}.2024", f"{rng.normal():.2f}".replace(".", ","), f"town {i % 16}",
         "" if i % 9 == 0 else f"{rng.integers(2000)} €", "NA" if i % 20 == 0 else ("no", "yes")[i % 2])
        for i in range(1, N + 1)
    ]  # fmt: skip
    return write(name, ["nr", "day", "price", "town", "income", "bought"], rows, ";")


COLUMNS = """shop.csv: 76 rows, 4 columns, 8 features
target: 'bought' (classification, 2 classes); 4 rows without it left out
column 'nr': left out; row numbers
column 'day': date, %d.%m.%Y, days, month, day, weekday
column 'price': number, decimal comma
column 'town': words, 16 levels, embedded
column 'income': number, decimal comma; 8 missing values replaced by the median and marked by a feature
"""


def test_one_line_per_column_says_how_it_is_understood(capsys):
    shop()
    status, out, err = said(capsys, "train", "shop.csv", "--columns", "--test", "0.02", "--validation", "0.02")
    assert (status, err) == (0, "")
    assert out == COLUMNS
    assert not Path("run").exists()
    kinds = '{"town": "left out", "nr": "words"}'
    out = said(capsys, "train", "shop.csv", "--columns", "--kinds", kinds)[1]
    assert "column 'town': left out\n" in out
    assert "'nr': words" in out
    Path("kinds.json").write_text(kinds)
    assert said(capsys, "train", "shop.csv", "--columns", "--kinds", "kinds.json")[1] == out
    for wrong, words in (
        ("{", "JSON"), ("nowhere.json", "JSON"), ('{"town": 3}', "object of names"), ('{"x": "words"}', "no column"),
    ):  # fmt: skip
        status, _, err = said(capsys, "train", "shop.csv", "--columns", "--kinds", wrong)
        assert status == 2
        assert words in err


def test_table_with_title_units_and_note_is_trained_on_and_predicted(capsys):
    rows = [f"{i % 28 + 1}/{i % 12 + 1}/2024;{i % 17} kg;{i % 7},5;{'high' if i % 7 > 3 else 'low'}" for i in range(N)]
    lines = ["Deliveries in 2024;;;", "day;weight;price;class", *rows, "Source: the shop"]
    Path("t.csv").write_text("\r\n".join(lines), encoding="cp1252")
    status, out, err = said(capsys, "train", "t.csv", *QUICK, "--columns")
    assert (status, err) == (0, "")
    assert out.splitlines()[1:] == [
        "target: 'class' (classification, 2 classes)", "line 1 left out: a title above the table",
        "line 83 left out: a note below the table",
        "column 'day': date, %d/%m/%Y, days, month, day, weekday", "column 'weight': number, decimal comma, in kg",
        "column 'price': number, decimal comma",
    ]  # fmt: skip
    assert said(capsys, "train", "t.csv", *QUICK)[0] == 0
    status, out, err = said(capsys, "predict", "run", "t.csv")
    assert (status, out.count("\n"), err.count("left out")) == (0, N + 1, 2)


def test_first_line_is_never_skipped_silently_for_a_model_without_column_names(capsys):
    rows = [(f"id {i}", i % 7, i % 5, "yes" if i % 7 > 3 else "no") for i in range(N)]
    write("t.csv", None, rows)
    assert said(capsys, "train", "t.csv", *QUICK)[0] == 0
    write("new.csv", None, [("id 99", "", "", ""), *rows])
    assert "looks like a header" in said(capsys, "predict", "run", "new.csv")[2]
    status, out, _ = said(capsys, "predict", "run", "new.csv", "--no-header")
    assert (status, out.count("\n")) == (0, N + 2)


def test_folds_of_less_than_two_rows_are_refused(capsys):
    shop()
    status, _, err = said(capsys, "train", "shop.csv", *QUICK, "--folds", "60")
    assert (status, err) == (2, "error: --folds 60 leaves fewer than 2 of 65 rows to a fold\n")


def test_wide_table_lists_its_first_columns(capsys):
    rows = np.random.default_rng(0).normal(size=(20, 200)).round(3).tolist()
    write("t.csv", [f"c{i}" for i in range(200)], rows)
    out = said(capsys, "train", "t.csv", "--epochs", 1, "--hidden", 2)[1]
    assert out.count("column '") == 30
    assert "... and 169 more columns, shown by --columns" in out
    assert said(capsys, "train", "t.csv", "--columns")[1].count("column '") == 199


def test_embedded_words_are_learned_and_predicted(capsys):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=30)
    towns = rng.integers(30, size=600)
    rows = [(f"t{k}", f"{x:.3f}", f"{weights[k]:.3f}") for k, x in zip(towns, rng.normal(size=600), strict=True)]
    write("t.csv", ["town", "x", "y"], rows)
    status, out, err = said(capsys, "train", "t.csv", "--epochs", 30, "--hidden", 16, "--json", "--lr", 0.01)
    assert status == 0, err
    assert json.loads(out)["test"]["r2"] > 0.9
    run = load_run(Path("run"))
    assert run.model[0].embedding.weight.shape == (31, 8)
    write("new.csv", ["x", "town"], [(0, "t3"), (0, "never")])
    status, out, err = said(capsys, "predict", "run", "new.csv")
    assert err == "column 'town': 1 unknown value encoded as unknown: 'never'\n"
    assert float(out.splitlines()[1]) == pytest.approx(weights[3], abs=0.4)


def test_predictions_have_full_precision_in_csv_and_json_lines(capsys):
    rng = np.random.default_rng(0)
    rows = [(f"n{i}", f"{x:.3f}", f"{1e9 + 1000 * x:.2f}") for i, x in enumerate(rng.normal(size=N))]
    write("t.csv", ["name", "x", "y"], rows)
    assert said(capsys, "train", "t.csv", *QUICK)[0] == 0
    write("new.csv", ["x", "name"], [(0.5, "a"), ("", "b")])
    status, out, err = said(capsys, "predict", "run", "new.csv", "--keep", "name")
    assert (status, err) == (0, "column 'x': 1 missing value replaced by the median\n")
    assert out.splitlines()[0] == "name,y"
    lines = [
        json.loads(line)
        for line in said(capsys, "predict", "run", "new.csv", "--keep", "name", "--json")[1].splitlines()
    ]
    assert [line["name"] for line in lines] == ["a", "b"]
    assert [f"{line['name']},{line['y']}" for line in lines] == out.splitlines()[1:]
    assert lines[0]["y"] != lines[1]["y"]
    status, _, err = said(capsys, "predict", "run", write("other.csv", ["z"], [(1,)]))
    assert (status, err) == (2, "error: other.csv has no column 'x'; required are x\n")


def test_predict_reads_standard_input(capsys, monkeypatch):
    shop()
    assert said(capsys, "train", "shop.csv", *QUICK)[0] == 0
    expected = said(capsys, "predict", "run", "shop.csv")[1]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("shop.csv").read_bytes())))
    status, out, _ = said(capsys, "predict", "run", "-")
    assert (status, out) == (0, expected)
    assert out.count("\n") == N + 1


def test_columns_named_by_numbers_are_found_by_their_names(capsys):
    rng = np.random.default_rng(0)
    rows = [(*np.round(row, 3), "NS"[int(row[0] > 0)]) for row in rng.normal(size=(N, 3))]
    write("t.csv", ["2019", "2020", "2021", "region"], rows)
    assert said(capsys, "train", "t.csv", *QUICK)[0] == 0
    write("new.csv", ["2021", "2020", "2019"], [row[2::-1] for row in rows])
    assert said(capsys, "predict", "run", "new.csv")[1] == said(capsys, "predict", "run", "t.csv")[1]


def test_missing_option_keeps_a_class_named_none(capsys):
    write("t.csv", ["x", "y"], [(i / 7, ("None", "some")[i % 2]) for i in range(N)])
    assert "one class only" in said(capsys, "train", "t.csv", *QUICK)[2]
    assert said(capsys, "train", "t.csv", "--missing", "", *QUICK)[0] == 0
    assert load_run(Path("run")).classes == ["None", "some"]


def test_statistics_of_columns_are_those_of_the_training_rows(capsys):
    values = ["" if i % 8 == 0 else f"{i % 13}" for i in range(N)]
    write("t.csv", ["a", "x", "y"], [(i % 7, v, i % 2) for i, v in enumerate(values)])
    fills = set()
    for seed in range(8):
        assert said(capsys, "train", "t.csv", "--test", "0.6", "--seed", seed, *QUICK)[0] == 0
        fills.add(load_run(Path("run")).encoder.columns[1].fill)
    assert len(fills) > 1


def test_model_that_claims_more_weights_than_its_file_has_is_refused(capsys):
    shop()
    assert said(capsys, "train", "shop.csv", *QUICK)[0] == 0
    run = load_run(Path("run"))
    run.settings["hidden"] = [10**6, 10**6]
    run.save(Path("run/model.npz"))
    status, _, err = said(capsys, "predict", "run", "shop.csv")
    assert status == 2
    assert "its settings claim 1,000,0" in err


def test_diverged_run_exits_1_and_does_not_predict(capsys):
    write("t.csv", ["x", "y"], [(i / 7, i / 3) for i in range(N)])
    options = ("--optimizer", "sgd", "--lr", "1e200", "--epochs", 3, "--schedule", "constant")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status, out, err = said(capsys, "train", "t.csv", "--json", *options)
    assert status == 1
    assert [line.partition(":")[0] for line in err.splitlines()] == ["warning"]
    assert "training ended early: the loss is" in err

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    assert json.loads(out, parse_constant=refuse)["test"]["r2"] is None
    json.loads(said(capsys, "report", "run", "--json")[1], parse_constant=refuse)
    status, out, err = said(capsys, "predict", "run", "t.csv")
    assert (status, out) == (2, "")
    assert "the model in run cannot predict, since the loss is" in err
