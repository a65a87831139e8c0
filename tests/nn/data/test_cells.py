"""Tables of unknown structure: their encoding, delimiter, quotes and header are detected."""

import gzip
import io
import sys

import numpy as np
import pytest

from nn.data.cells import frame_cells, read_cells
from nn.data.columns import infer_columns

BODY = "1,5;x;0\n2,5;y;1\n"


@pytest.fixture
def read(tmp_path):
    def read(content, name="t.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_cells(str(path), **options)

    return read


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("a,b\n1,x\n2,y\n", ["a", "b"], [["1", "x"], ["2", "y"]]),
        ("1,x\n2,y\n3,x\n", ["1", "2"], [["1", "x"], ["2", "y"], ["3", "x"]]),  # a word of the first row recurs
        ("5.1,b\n4.9,a\n", ["1", "2"], [["5.1", "b"], ["4.9", "a"]]),  # the first row has a fraction
        ("2019,2020,at\n0.5,0.1,N\n0.2,0.4,S\n", ["2019", "2020", "at"], [["0.5", "0.1", "N"], ["0.2", "0.4", "S"]]),
        ("0,1\n0.5,0.1\n0.2,0.4\n", ["0", "1"], [["0.5", "0.1"], ["0.2", "0.4"]]),  # pandas' names
        ("3,4\n5,6\n", ["1", "2"], [["3", "4"], ["5", "6"]]),
        ("2024-01-02,4\n2024-01-03,6\n", ["1", "2"], [["2024-01-02", "4"], ["2024-01-03", "6"]]),
        ("name,kind\nann,p\nbob,q\n", ["name", "kind"], [["ann", "p"], ["bob", "q"]]),
        (",a\n1,x\n2,y\n", ["1", "a"], [["1", "x"], ["2", "y"]]),
        ("a,a,a.1\n1,2,3\n", ["a", "a.2", "a.1"], [["1", "2", "3"]]),
        ('"a" "b"\n"r1" 1 2\n"r2" 3 4\n', ["1", "a", "b"], [["r1", "1", "2"], ["r2", "3", "4"]]),  # R's write.table
        ("'a','b'\n1,2\n3,4\n", ["a", "b"], [["1", "2"], ["3", "4"]]),
        ("sep=;\na;b,c\n1;2\n", ["a", "b,c"], [["1", "2"]]),  # Excel's
        ("# of 2024\n#\na,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b"], [["1", "2"], ["3", "4"]]),
        ("'a, b','c'\n'x, y','1'\n", ["a, b", "c"], [["x, y", "1"]]),
        ("day time,v\n2024-01-01 10:00,1\n2024-01-02 11:00,2\n", ["day time", "v"],
         [["2024-01-01 10:00", "1"], ["2024-01-02 11:00", "2"]]),
    ],
)  # fmt: skip
def test_header_delimiter_and_quotes_are_detected(read, content, names, rows):
    table = read(content)
    assert table.names == names
    assert [list(row) for row in zip(*table.columns, strict=True)] == rows
    assert table.header == (len(rows) < len(content.splitlines()))


@pytest.mark.parametrize(
    ("content", "names", "lines", "notes"),
    [
        ("Sales of 2024\n\na,b,c\n1,2,x\n3,4,y\n", ["a", "b", "c"], [4, 5], ["line 1 left out: a title"]),
        ("Sales of 2024,,\na,b,c\n1,2,x\n3,4,y\n", ["a", "b", "c"], [3, 4], ["line 1 left out: a title"]),
        ("a,b,c\n1,2,x\n3,4,y\n\nSource: us\n", ["a", "b", "c"], [2, 3], ["line 5 left out: a note below the table"]),
        ("a,b\nx,2\ny,4\nTotal:,6\n", ["a", "b"], [2, 3], ["line 4 left out: a total below the table"]),
        ("a,b\ntotal,2\nx,4\nx,4\ntotal,6\n", ["a", "b"], [2, 3, 4, 5], []),  # a word of the column
        ("net,,\nx,1,2\nnet,3,4\n", ["1", "2", "3"], [1, 2, 3], []),  # a word of the column
        ("a,b,c\nnet,none so far,soon\nx,1,2\nnet,3,4\n", ["a", "b", "c"], [2, 3, 4], []),
        ("a,b\n1,2\na,b\n3,4\n", ["a", "b"], [2, 4], ["line 3 left out: it repeats the header"]),
        ("a,b\r1,2\r3,4\r", ["a", "b"], [2, 3], []),  # lines of old Macs
    ],
)
def test_lines_that_are_not_rows_are_left_out(read, content, names, lines, notes):
    table = read(content)
    assert (table.names, list(table.lines)) == (names, lines)
    assert len(table.notes) == len(notes)
    assert all(map(str.startswith, table.notes, notes))


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04\x14\0", b"PAR1\x15\0", b"a,b\n1,2\0\n",
        b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', b'[\n  {"a": 1}\n]',
        b"<!DOCTYPE html><table>", b"<?xml version='1.0'?>",
    ],
)  # fmt: skip
def test_files_of_other_formats_raise(read, content):
    with pytest.raises(ValueError, match="not a CSV file, but a binary, JSON, XML or web page"):
        read(content)


def test_names_that_begin_like_other_formats_are_read(read):
    for names in (["<DATE>", "<OPEN>"], ["PAR1", "PAR2"], ["%PDF", "y"]):
        assert read(",".join(names) + "\n2024-01-02,3\n2024-01-03,4\n").names == names


def test_semicolons_win_over_decimal_commas(read):
    for text, header in (("a;b;c\n" + BODY, True), (BODY + BODY, False)):
        table = read(text)
        assert (table.delimiter, table.header) == (";", header)
        assert list(table.columns[0][:2]) == ["1,5", "2,5"]


def test_every_line_is_a_row_for_the_columns_of_a_model(read):
    rows = ["net,unknown,unknown", "x,1,2", "word,a,b", "y,3,4", ",,", "total,4,6"]
    table = read("\n".join(["word,a,b", *rows]), expected=["word", "a", "b"])
    assert (list(map(",".join, zip(*table.columns, strict=True))), table.notes) == (rows, [])


def test_titles_and_notes_around_the_columns_of_a_model_are_left_out(read):
    body = "a,b,c\n1,2,x\n3,4,y\n"
    for title, note in (("Sales", "Source: us"), ("Sales,,", "Source: us")):
        table = read(f"{title}\n{body}{note}\n", expected=["a", "b"])
        assert (table.names, list(table.lines), len(table.notes)) == (["a", "b", "c"], [3, 4], 2)
    assert list(read(body + "z,,\n", expected=["a", "b"]).lines) == [2, 3, 4]  # a row, of which most is missing


def test_header_option_and_expected_names_decide(read):
    assert read("a,b\nx,y\n", header=False).names == ["1", "2"]
    assert read("1,2\n3,4\n", header=True).names == ["1", "2"]
    table = read("7,3\n5,6\n1,2\n", expected=["3", "7"])
    assert (table.names, len(table.lines)) == (["7", "3"], 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_encodings_are_detected(read, encoding):
    text = "größe,b\n" + "1,é\n2,ü\n" * 3
    assert read(text.encode(encoding)).names == ["größe", "b"]
    assert read(gzip.compress(text.encode(encoding)), "t.csv.GZ").columns[1][1] == "ü"


def test_encoding_option_and_what_is_not_text(read):
    assert read("a,b\n1,ж\n".encode("cp1251"), encoding="cp1251").columns[1] == ("ж",)
    for content, options, words in (
        (b"a,b\n1,\xff\n", {"encoding": "utf-8"}, "line 2 is not utf-8 text"),
        (b"a,b\n1,2\n", {"encoding": "utf-9"}, "unknown encoding 'utf-9'"),
        (b"", {}, "empty"),
        (b"a,b\n", {}, "no rows after line 1"),
        (b"a,b\n1,2,3\n1,2\n", {}, "line 2: this line has 3 cells"),
        (b"a,b,c,d\n1,2,3,4\n5,6,7,8\n5,6\n", {}, "line 4: this line has 2 cells"),  # of a truncated file
        (b"a,b,c,d,e\nx,2,3,4,5\ny,6,7,8,9\nz,6\n", {}, "line 4: this line has 2 cells"),
        (b"a,b,c,d\nx,2,3,4\nx,6,7,8\nx\n", {}, "line 4: this line has 1 cells"),
    ):
        with pytest.raises(ValueError, match=words):
            read(content, **options)


def test_words_for_missing_values_become_empty_cells(read):
    words = ["NA", "N/A", "n/a", "NULL", "#N/A", "<NA>", "NAN", "none", "-nan", "?", ""]
    table = read("a,b\n" + "".join(f"{word},x\n" for word in words))
    assert set(table.columns[0]) == {""}
    kept = read("a,b\nNone,x\nNA,x\n-,x\n,x\n", missing=["-"])
    assert list(kept.columns[0]) == ["None", "NA", "", ""]


def test_cells_of_any_length_and_lines_of_any_width(read):
    long = "x" * 200_000
    assert read(f"a,b\n{long},1\n").columns[0] == (long,)
    width = 5000
    table = read(",".join(f"c{i}" for i in range(width)) + "\n" + ",".join(["0.5"] * width) + "\n")
    assert len(table.names) == width


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    table = read_cells("-")
    assert (table.path, table.names) == ("standard input", ["a", "b"])


def test_data_frames_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "n": [1, 2], "f": [0.5, None], "w": ["a", None], "b": [True, False],
        "d": pandas.to_datetime(["2024-01-31", None]), "i": pandas.array([1, None], "Int64"),
        "c": pandas.Categorical([3, 5]),
    })  # fmt: skip
    table = frame_cells(frame)
    assert (table.categories, infer_columns(table)[-1].kind) == (["c"], "words")
    cells = dict(zip(frame.columns, table.columns, strict=True))
    np.testing.assert_array_equal(cells["n"], [1.0, 2.0])
    np.testing.assert_array_equal(cells["f"], [0.5, np.nan])
    np.testing.assert_array_equal(cells["i"], [1.0, np.nan])
    assert (cells["w"], cells["b"], cells["c"]) == (["a", ""], ["True", "False"], ["3", "5"])
    assert cells["d"] == ["2024-01-31T00:00:00", ""]


def test_data_frames_of_polars():
    polars = pytest.importorskip("polars")
    table = frame_cells(polars.DataFrame({"n": [1, 2], "w": ["a", None]}))
    assert (table.names, list(table.columns[0]), table.columns[1]) == (["n", "w"], [1.0, 2.0], ["a", ""])


def test_empty_cells_after_a_delimiter_at_the_end_are_dropped(tmp_path):
    path = tmp_path / "t.csv"
    for header in ("a,b,label", "a,b,label,"):
        path.write_text(header + "\n1,2,x,\n3,4,y,\n")
        cells = read_cells(str(path))
        assert cells.names == ["a", "b", "label"]
        assert list(cells.columns[-1]) == ["x", "y"]
    path.write_text("a,b,c\n1,2,\n3,4,\n")  # a column with a name is kept
    assert read_cells(str(path)).names == ["a", "b", "c"]
