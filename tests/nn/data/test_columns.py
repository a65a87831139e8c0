"""Each column of a table is understood as a number, a boolean, a date or words, and encoded."""

import json

import numpy as np
import pytest

from nn.data.cells import Cells
from nn.data.columns import TableEncoder, encode_target, infer_columns
from nn.data.notation import class_indices, date_format, date_parser, number_parser

N = 60


def cells(delimiter=",", **columns):
    rows = len(next(iter(columns.values())))
    contents = [c if isinstance(c, np.ndarray) else list(map(str, c)) for c in columns.values()]
    return Cells("t.csv", list(columns), contents, range(2, rows + 2), True, delimiter=delimiter)


def understood(contents, name="x", **options):
    """Return the column of some cells beside another one, fitted to them."""
    table = cells(y=[str(i % 3) for i in range(len(contents))], **{name: contents})
    column = infer_columns(table, **options)[1]
    column.fit(table.columns[1])
    return column, table.columns[1]


# ------------------------------------------------------------------------------------------------------ notation


@pytest.mark.parametrize(
    ("cell", "point", "comma"),
    [
        ("1.5", 1.5, None), ("1,5", None, 1.5), ("1,234", 1234.0, 1.234), ("1.234", 1.234, 1234.0),
        ("1,234,567.5", 1234567.5, None), ("1.234.567,5", None, 1234567.5), ("1 234 567", 1234567.0, 1234567.0),
        ("1'234.5", 1234.5, None), ("12,34", None, 12.34), ("12%", 0.12, 0.12), ("-3.5 %", -0.035, None),
        ("$1,200.50", 1200.5, None), ("-$5", -5.0, -5.0), ("3,50 €", None, 3.5), ("€ 3", 3.0, 3.0), ("−2", -2.0, -2.0),
        ("1e-3", 0.001, 0.001), ("1,5e3", None, 1500.0), (".5", 0.5, None), ("1_000", None, None), ("", None, None),
        ("abc", None, None), ("-", None, None), ("$", None, None), ("1.2.3", None, None), ("31.12.2024", None, None),
    ],
)  # fmt: skip
def test_numbers_in_every_notation(cell, point, comma):
    for decimal, expected in ((".", point), (",", comma)):
        assert number_parser(decimal)(cell) == (expected if expected is None else pytest.approx(expected)), decimal


def test_dates_are_days_since_1970_and_ambiguous_ones_have_the_month_first():
    for cell, style, days in (
        ("2024-02-29", "ISO 8601", 19782), ("2024-02-29 12:00", "ISO 8601", 19782.5),
        ("2024-02-29T01:00:00+01:00", "ISO 8601", 19782), ("29.02.2024", "%d.%m.%Y", 19782),
        ("02/29/2024", "%m/%d/%Y", 19782), ("29/02/2024", "%d/%m/%Y", 19782), ("29-Feb-2024", "%d-%b-%Y", 19782),
        ("Feb 29, 2024", "%b %d, %Y", 19782), ("02/03/2024", "%m/%d/%Y", 19756), ("2024-02", "%Y-%m", 19754),
    ):  # fmt: skip
        assert date_format([cell]) == style
        assert date_parser(style)(cell) == days
    assert date_format(["01/02/2024", "31/02/2024"]) is None
    assert date_format(["a-1", "abc"]) is None
    assert date_format(["2024-02-29", "29/02/2024"]) is None


def test_equal_numbers_are_one_class_in_the_order_of_their_values():
    labels, index = class_indices(["10", "9", "9.0", "1e1", "-1"])
    assert labels == ["-1", "9", "10"]
    assert index == {"-1": 0, "9": 1, "9.0": 1, "10": 2, "1e1": 2}
    assert class_indices(["b", "a", "10"])[0] == ["10", "a", "b"]


# ----------------------------------------------------------------------------------------------------- inference


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ([i / 7 for i in range(N)], "number"),
        ([f"{i % 9},5" for i in range(N)], "number, decimal comma"),
        ([f"{i % 9},{i:03}" for i in range(N)], "number"),  # thousands
        ([f"{i % 9} kg" for i in range(N)], "number, in kg"),
        ([f"{i % 9},5 km/h" for i in range(N)], "number, decimal comma, in km/h"),
        ([f"USD {i % 9}" for i in range(N)], "number, in USD"),
        ([f"{i % 9} items" for i in range(N)], "number, in items"),
        ([f"{i % 9}th" for i in range(N)], "words, 9 levels, one-hot"),
        ([f"{i % 9} th" for i in range(N)], "words, 9 levels, one-hot"),
        ([f"{i % 9}a" for i in range(N)], "words, 9 levels, one-hot"),
        ([f"{i % 9}items" for i in range(N)], "words, 9 levels, one-hot"),
        ([f"{i % 4} {'kg' if i % 9 else 'lb'}" for i in range(N)], "words, 4 levels and 4 rare, one-hot"),
        ([f"5'{i % 9}" for i in range(N)], "words, 9 levels, one-hot"),
        (
            ["-" if i % 9 == 0 else f"{i % 4}" for i in range(N)],
            "number; '-' read as missing; 7 missing values replaced by the median and marked by a feature",
        ),
        (["yes", "No"] * 30, "boolean"),
        (["a", "b", "b"] * 20, "words, 2 levels, one-hot"),
        (["a", "b", ""] * 20, "words, 3 levels, one-hot; 20 missing values a level of their own"),
        ([f"w{i % 20}" for i in range(N)], "words, 20 levels, embedded"),
        ([f"w{i % 15}" if i < 45 else f"rare {i}" for i in range(N)], "words, 15 levels and 15 rare, embedded"),
        ([f"{i % 28 + 1}.{i % 12 + 1}.2024" for i in range(N)], "date, %d.%m.%Y, days, month, day, weekday"),
        (["unknown", *range(N - 1)], "number; 'unknown' read as missing; 1 missing value replaced by the median"),
        (["0", "1", "2", "3+"] * 15, "words, 4 levels, one-hot"),
        ([""] * N, "left out; empty"),
        (["7"] * N, "left out; the same value in every row"),
        ([f"id {i}" for i in range(N)], "left out; nearly every row has another word"),
    ],
)
def test_kind_of_a_column_is_inferred(contents, text):
    assert str(understood(contents)[0]) == f"column 'x': {text}"


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        (["1", "a", "b"], ["1"]), (["t", "a", "b"], ["t"]), (["a", "id", "b"], ["id"]), (["a", "t", "b"], []),
        (["a", "row_id", "b"], ["row_id"]), (["a", "PassengerId", "b"], ["PassengerId"]), (["a", "paid", "b"], []),
    ],
)  # fmt: skip
def test_row_numbers_are_left_out_if_they_come_first_or_have_such_a_name(names, left_out):
    position = next(name for name in names if name not in ("a", "b"))
    table = cells(**{n: range(1, N + 1) if n == position else [i % 4 + len(n) for i in range(N)] for n in names})
    columns = infer_columns(table, target=len(names) - 1)
    assert [column.name for column in columns if column.kind == "left out"] == left_out
    shuffled = cells(z=[i % 4 for i in range(N)], **{position: np.random.default_rng(0).permutation(N)})
    assert (infer_columns(shuffled)[1].kind == "left out") == (position in ("id", "row_id", "PassengerId"))


def test_row_numbers_stay_if_they_are_the_only_feature_and_the_target_is_never_left_out():
    table = cells(t=range(N), y=[7] * N)
    assert [column.kind for column in infer_columns(table, target=1)] == ["number", "number"]


def test_decimal_comma_of_one_column_decides_ambiguous_ones():
    ambiguous = [f"1,{i:03}" for i in range(N)]
    certain = [f"{i % 7},5" for i in range(N)]
    for table, expected in (
        (cells(a=ambiguous, b=certain), 1.001), (cells(a=ambiguous, b=range(N)), 1001),
        (cells(";", a=ambiguous, b=range(N)), 1.001),
    ):  # fmt: skip
        column = infer_columns(table, {"a": "number"})[0]
        assert column.parse(table.columns[0])[1] == expected


def test_kinds_override_what_is_inferred():
    assert understood(range(N), kinds={"x": "words"})[0].kind == "words"
    assert understood(["3/4/2024"] * N, kinds={"x": "%d/%m/%Y"})[0].notation == "%d/%m/%Y"
    assert understood(["y", "NO"] * 30, kinds={"x": "boolean"})[0].kind == "boolean"
    column, _ = understood(["3/4/2024", "31/4/2024", ""] * 20, kinds={"x": "%d/%m/%Y"})
    assert (column.note, column.missing) == ("'31/4/2024' read as missing", 40)
    assert understood(range(N), kinds={"x": "left out"})[0].kind == "left out"
    for kinds, words in (
        ({"z": "words"}, "no column 'z'"), ({"x": "float"}, "kind 'float'; choose from number"),
        ({"x": "date"}, "not all of its cells"), ({"x": "%Y"}, "not all of its cells"),
        ({"x": "boolean"}, "not all of its cells"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            understood(["a", "1"] * 30, kinds=kinds)


# ------------------------------------------------------------------------------------------------------ encoding


def test_numbers_are_filled_by_the_median_of_the_training_rows_and_flagged():
    contents = ["1", "3", "100", *[""] * 5, *["1"] * 20]
    column, _ = understood(contents)
    column.fit(contents[:8])
    assert (column.fill, column.flag) == (3.0, True)
    assert column.encode(["", "2", "inf", "1e999"]).tolist() == [[3, 1], [2, 0], [3, 1], [3, 1]]
    column.fit(contents[:6])
    assert column.encode([""]).tolist() == [[3]]


def test_words_are_one_hot_or_an_index_and_unknown_words_have_no_level():
    column, _ = understood(["b", "a", "b"] * 20)
    assert column.encode(["a", "b", "c", ""]).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    rare, _ = understood(["b", "a", "c"] * 19 + ["d", "e", "e"])
    assert rare.encode(["a", "d", "never"]).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    many, _ = understood([f"w{i % 12:02}" for i in range(N)])
    assert many.encode(["w00", "w11", "never"]).tolist() == [[1], [12], [0]]
    assert TableEncoder([column, many]).levels == [13]


def test_times_and_dates_before_1970_become_their_varying_parts():
    column, contents = understood([f"{i % 24}:30" for i in range(N)])
    assert (column.notation, column.parts) == ("%H:%M", ["days", "hour"])
    column, contents = understood(["1969-12-31 18:00", "1970-01-02 06:00"] * 30)
    assert column.parts == ["days", "month", "day", "weekday", "hour"]
    np.testing.assert_allclose(column.encode(contents)[0, 1:], [12, 31, 2, 18])


def test_dates_become_their_varying_parts():
    column, _ = understood([f"2024-0{i % 3 + 1}-01 {i % 24:02}:30" for i in range(N)])
    assert column.parts == ["days", "month", "weekday", "hour"]
    days, month, weekday, hour = column.encode(["2024-02-01 06:30"])[0]
    assert (month, weekday, hour) == (2, 3, pytest.approx(6.5))
    assert days == pytest.approx(19754 + 6.5 / 24)
    assert column.encode([""])[0][0] == column.fill


def test_embedded_columns_come_last_and_columns_are_found_by_name():
    table = cells(w=[f"w{i % 12:02}" for i in range(N)], n=range(N), y=range(N))
    encoder = TableEncoder(infer_columns(table, {"n": "number"})[:2])
    features = encoder.fit(table)
    assert features[1].tolist() == [1, 2]
    assert encoder.groups(embedding=4) == {"n": [0], "w": [1, 2, 3, 4]}
    turned = cells(n=[5], other=["?"], w=["w03"])
    assert encoder.features(turned).tolist() == [[5, 4]]
    with pytest.raises(ValueError, match="has no column 'w'; required are w, n"):
        encoder.features(cells(n=[5]))
    without = Cells("t.csv", ["1", "2", "3"], [["a"], ["5"], ["6"]], [1], header=False)
    with pytest.raises(ValueError, match="has 3 columns without names, but 2 are required: w, n"):
        encoder.features(without)
    encoder.fit_scale(features)
    again = TableEncoder.from_state_dict(json.loads(json.dumps(encoder.state_dict(), default=np.ndarray.tolist)))
    assert again(turned).tolist() == encoder(turned).tolist()


def test_encoder_is_fitted_to_some_rows_and_encodes_all():
    table = cells(n=[f"{i * i},5" for i in range(N)], w=["a", "b"] * 30, y=range(N))
    encoder = TableEncoder(infer_columns(table)[:2])
    features = encoder.fit(table, np.arange(0, N, 2))
    assert features.tolist() == [[i * i + 0.5, i % 2 == 0] for i in range(N)]
    assert encoder.columns[0].fill == 842.5


def test_remark_names_missing_and_unknown_cells():
    column, _ = understood([i / 2 for i in range(N)])
    assert column.remark(["1", "", "x"]) == (
        "column 'x': 1 missing value replaced by the median; 1 unknown value replaced by the median: 'x'"
    )
    assert column.remark(["1"]) == ""
    words, _ = understood(["a", "b", ""] * 20)
    assert words.remark(["a", "", "c", "c"]) == "column 'x': 2 unknown values encoded as unknown: 'c'"


def test_arrays_of_data_frames_are_numbers_or_words():
    values = np.array([1.0, 2.0, np.nan] * 20)
    column, _ = understood(values)
    assert (column.kind, column.missing, column.flag) == ("number", 20, True)
    assert column.encode(np.array([5.0, np.nan])).tolist() == [[5, 0], [1.5, 1]]
    words, _ = understood(values, kinds={"x": "words"})
    assert words.levels == ["", "1", "2"]
    assert words.encode(np.array([2.0])).tolist() == [[0, 0, 1]]


# -------------------------------------------------------------------------------------------------------- target


def test_rows_without_a_target_are_left_out():
    for contents, task in ((["1.5", "", "2.5", "inf"], "regression"), (["a", "", "b", ""], "classification")):
        column = infer_columns(cells(y=contents * 15), target=0)[0]
        rows, y, labels = encode_target("t.csv", column, contents * 15)
        assert rows[:3].tolist() == [0, 2, 4], task
        assert labels == ([] if task == "regression" else ["a", "b"])
        assert y[:2].tolist() == ([1.5, 2.5] if task == "regression" else [0, 1])


def test_task_follows_from_the_values():
    for contents, labels in (
        (["0", "1.0", "1", "0.0"], ["0", "1"]), (["no", "yes"], ["no", "yes"]), (["1,5", "2,5"], []),
        ([str(i) for i in range(40)], []), (["NA ", "b"], ["NA ", "b"]),
    ):  # fmt: skip
        column = infer_columns(cells(y=contents * 10), target=0)[0]
        assert encode_target("t.csv", column, contents * 10)[2] == labels


def test_numbers_with_a_constant_step_identify_the_rows():
    cells = [str(10_000 + 7 * i) for i in range(40)]
    for name, first in (("Kundennr.", True), ("Invoice No", False), ("customer", True)):
        others = [str(i % 7) for i in range(40)]
        table = Cells(
            "t.csv",
            [name, "x"] if first else ["x", name],
            [cells, others] if first else [others, cells],
            range(40),
            True,
        )
        column = infer_columns(table)[0 if first else 1]
        assert (column.kind, column.note) == ("left out", "row numbers")
