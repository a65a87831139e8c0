"""Files of data: read exactly, or refused with the place of the fault."""

import csv
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

import nn
from nn.data import read_csv, read_csv_chunks, read_idx, read_mnist

DATA = Path(__file__).resolve().parents[3] / "demos/data"


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and return its path."""

    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# ---------------------------------------------------------------------------------------------- real data


@pytest.mark.parametrize(
    ("name", "options", "shape", "classes"),
    [
        ("digits.csv.gz", {"header": False, "target": -1, "classes": True}, (1797, 64), 10),
        ("iris.csv", {"header": False, "skip_lines": 1, "target": 4, "classes": ["0", "1", "2"]}, (150, 4), 3),
        ("wine.csv", {"header": False, "skip_lines": 1, "target": -1, "classes": True}, (178, 13), 3),
        ("diabetes_data_raw.csv.gz", {"header": False, "delimiter": " "}, (442, 10), None),
    ],
)
def test_data_of_the_demos(name, options, shape, classes):
    table = read_csv(DATA / name, **options)
    raw = np.loadtxt(DATA / name, delimiter=options.get("delimiter", ","), skiprows=options.get("skip_lines", 0))
    assert table.X.shape == shape
    assert np.array_equal(table.X, raw[:, : shape[1]])
    if classes:
        assert np.array_equal(table.y, raw[:, -1].astype(int))
        assert table.y.dtype == np.int64
        assert table.classes == tuple(map(str, range(classes)))
    else:
        assert table.y is None
        assert table.classes is None


# -------------------------------------------------------------------------------------------- what a CSV is


def test_columns_are_selected_by_name_and_position(write):
    path = write("a,b,c\n1,2,3\n4,5,6\n")
    table = read_csv(path, target="b")
    assert table.X.tolist() == [[1, 3], [4, 6]]
    assert table.y.tolist() == [2, 5]
    assert table.y.dtype == np.float64
    assert table.columns == ("a", "c")
    assert read_csv(path, columns=["c", 0], dtype=np.float32).X.tolist() == [[3, 1], [6, 4]]
    assert read_csv(path, columns=["c"], dtype=np.float32).X.dtype == np.float32
    assert read_csv(path, target=-1).columns == ("a", "b")


@pytest.mark.parametrize(("cell", "dtype"), [("1.5", "i4"), ("3e9", "i4"), ("-1", "u1"), ("1e39", "f4"), ("2", "?")])
def test_value_that_the_dtype_cannot_represent_raises(tmp_path, cell, dtype):
    path = tmp_path / "table.csv"
    path.write_text(f"a,b\n1,1\n0,{cell}\n")
    for read in (lambda: read_csv(path, dtype=dtype), lambda: read_csv(path, "b", dtype=dtype)):
        with pytest.raises(ValueError, match=rf"table.csv: column 'b' contains {re.escape(repr(float(cell)))}, which"):
            read()
    assert read_csv(path, columns=["a"], dtype=dtype).X.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("\ufeffa,b\n1,2\n3,4\n", "byte order mark"),
        ("a,b\r\n1,2\r\n3,4\r\n", "CRLF"),
        ("a,b\r1,2\r3,4\r", "CR"),
        ('"a","b"\n"1","2"\n"3","4"\n', "quoted"),
        ("a, b\n 1 , 2\n3\t,4\n", "spaces"),
        ("a,b\n1,2\n\n3,4\n  \n\n", "blank lines"),
        ("a,b\n1,2\n3,4", "no end of line"),
        ("a,b\n+1e0,.2E1\n3.,0004\n", "ways to write numbers"),
    ],
)
def test_ways_to_write_the_same_table(write, content, why):
    table = read_csv(write(content))
    assert table.columns == ("a", "b"), why
    assert table.X.tolist() == [[1, 2], [3, 4]], why


def test_quoted_cells_may_hold_anything(write):
    path = write('"height, cm","say ""hi""","two\nlines"\n1,x,3\n4,"x",6\n')
    table = read_csv(path, target='say "hi"', classes=True)
    assert table.columns == ("height, cm", "two\nlines")
    assert table.classes == ("x",)


def test_table_with_one_column_is_read(write):
    assert read_csv(write("a\n1\n2\n")).X.tolist() == [[1], [2]]
    with pytest.raises(ValueError, match="no feature column"):
        read_csv(write("a\n1\n2\n"), target="a")


def test_compressed_file_is_read_as_it_is(write):
    assert read_csv(write(gzip.compress(b"a,b\n1,2\n"), "data.csv.gz")).X.tolist() == [[1, 2]]


@given(
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=1, max_size=5)
)
def test_every_float_comes_back_to_the_bit(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "c"], *rows])
    assert read_csv(path).X.tobytes() == np.array(rows).tobytes()


def test_labels_become_indices(write):
    path = write("x,kind\n1,siam\n2,tabby\n3,siam\n")
    table = read_csv(path, "kind", classes=True)
    assert (table.y.tolist(), table.classes) == ([0, 1, 0], ("siam", "tabby"))
    table = read_csv(path, "kind", classes=["tabby", "siam"])
    assert (table.y.tolist(), table.classes) == ([1, 0, 1], ("tabby", "siam"))
    numbers = read_csv(write("x,y\n1,10\n1,9\n1,-1\n"), "y", classes=True)
    assert (numbers.y.tolist(), numbers.classes) == ([2, 1, 0], ("-1", "9", "10"))


@pytest.mark.parametrize(("fill", "expected"), [(-1.0, [1, -1, 6]), (np.nan, [1, np.nan, 6])])
@pytest.mark.parametrize("cell", ["", "NA", "nan", "?", "  "])
def test_missing_values_are_filled_as_chosen(write, fill, expected, cell):
    table = read_csv(write(f"a,b\n1,2\n{cell},2\n6,2\n"), fill=fill)
    assert np.array_equal(table.X[:, 0], expected, equal_nan=True)
    assert table.X[:, 1].tolist() == [2, 2, 2]


def test_missing_option_defines_missing_values(write):
    path = write("a,b\n1,-\n")
    assert read_csv(path, missing=["-"], fill=0).X.tolist() == [[1, 0]]
    with pytest.raises(ValueError, match="not a finite number"):
        read_csv(path, fill=0)


# ------------------------------------------------------------------------------------------------- faults

FAULTS = {
    "ragged, short": ("a,b\n1,2\n3\n", {}, "line 3: this line has 1 cells, and the first one has 2"),
    "ragged, long": ("a,b\n1,2\n3,4,5\n", {}, "line 3: this line has 3 cells"),
    "text": ("a,b\n1,2\n3,cat\n", {}, r"line 3, column 2 \('b'\): 'cat' is not a finite number.*columns="),
    "text as target": ("a,b\n1,2\n3,cat\n", {"target": "b"}, r"line 3, column 2 \('b'\).*classes=True"),
    "another delimiter": ("a;b\n1;2\n", {}, r"line 2, column 1 \('a;b'\)"),
    "header missing": ("1,2\n3,4\n", {}, "line 1: .*header=False"),
    "header unexpected": ("a,b\n3,4\n", {"header": False}, "line 1, column 1: 'a'"),
    "missing value": ("a,b\n1,2\n,4\n", {}, r"line 3, column 1 \('a'\): the value is missing.*fill="),
    "NaN": ("a,b\n1,NaN\n", {}, r"line 2, column 2 \('b'\): the value is missing \('NaN'\)"),
    "infinite": ("a,b\n1,-inf\n", {"fill": 0}, r"line 2, column 2 \('b'\): '-inf' is not a finite"),
    "too large": ("a,b\n1,1e999\n", {}, r"line 2, column 2.*'1e999'"),
    "underscore": ("a,b\n1,1_000\n", {}, r"line 2, column 2.*'1_000'"),
    "missing target": ("a,b\n1,\n", {"target": "b", "fill": 0}, r"line 2, column 2 \('b'\).*never filled"),
    "missing label": ("a,b\n1,\n", {"target": "b", "classes": True}, r"line 2, column 2 \('b'\).*never filled"),
    "unknown label": (
        "a,b\n1,dog\n",
        {"target": "b", "classes": ["cat"]},
        r"line 2, column 2.*'dog' is none of.*'cat'",
    ),
    "empty": ("", {}, "the file is empty"),
    "only blank lines": ("\n\n", {}, "the file is empty"),
    "header only": ("a,b\n", {}, "no rows after line 1"),
    "open quote": ('a,b\n1,"2\n', {}, "after line 1"),
    "text after a quote": ('a,b\n1,"2"3\n', {}, "line"),
    "not UTF-8": (b"a,b\n1,\xff\n", {}, "codec can't decode"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), {}, "codec can't decode"),
    "after blank lines and quotes": ('a,b\n\n1,2\n"3",\n', {}, r"line 4, column 2"),
    "after lines passed over": ("junk\njunk\na,b\n1,x\n", {"skip_lines": 2}, "line 4, column 2"),
}


@pytest.mark.parametrize(("content", "options", "words"), FAULTS.values(), ids=FAULTS)
def test_faulty_table_raises_with_file_line_and_column(write, content, options, words):
    path = write(content)
    with pytest.raises(ValueError, match=words) as info:
        read_csv(path, **options)
    assert str(path) in str(info.value)


def test_binary_file_raises(write):
    for content in (b"\0\1\2\3\n" * 5, bytes(200_000)):
        with pytest.raises(ValueError, match=r"data\.csv"):
            read_csv(write(content))


def test_damaged_compressed_file_raises(write):
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 20_000)
    for content in (whole[:-9], whole[: len(whole) // 2], b"no gzip at all", whole[:30] + b"XXXX" + whole[34:]):
        with pytest.raises(ValueError, match=r"data\.csv\.gz.*damaged"):
            read_csv(write(content, "data.csv.gz"))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"target": "d"}, KeyError, "no columns 'd'.*'a', 'b', 'a'"),
        ({"target": "a"}, KeyError, "has 2 columns 'a'"),
        ({"target": 3}, KeyError, "3 columns, and none at position 3"),
        ({"columns": [0, -4]}, KeyError, "position -4"),
        ({"target": "b", "header": False}, KeyError, "has no header"),
        ({"columns": []}, ValueError, "no feature column"),
        ({"delimiter": ", "}, ValueError, "one character"),
        ({"classes": True}, ValueError, "needs a target"),
        ({"skip_lines": -1}, ValueError, "skip_lines"),
    ],
)
def test_options_that_do_not_fit_are_named(write, options, error, words):
    with pytest.raises(error, match=words):
        read_csv(write("a,b,a\n1,2,3\n"), **options)


def test_missing_file_raises(tmp_path):
    for read in (read_csv, read_idx):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
            read(tmp_path / "nowhere.csv")
        with pytest.raises(FileNotFoundError):
            read(tmp_path)


# ------------------------------------------------------------------------------------------------- chunks


@pytest.mark.parametrize("rows", [1, 7, 150, 1000])
def test_chunks_are_the_table_in_parts(rows):
    options = {"header": False, "skip_lines": 1, "target": -1, "classes": ["0", "1", "2"]}
    whole = read_csv(DATA / "iris.csv", **options)
    parts = list(read_csv_chunks(DATA / "iris.csv", rows=rows, **options))
    assert [len(p.X) for p in parts[:-1]] == [rows] * (len(parts) - 1)
    assert np.array_equal(np.vstack([p.X for p in parts]), whole.X)
    assert np.array_equal(np.concatenate([p.y for p in parts]), whole.y)


def test_chunks_are_read_lazily(write):
    parts = read_csv_chunks(write("a,b\n1,2\n3,4\n5,x\n"), rows=2, fill=0.0)
    assert next(parts).X.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="line 4, column 2"):
        next(parts)


@pytest.mark.parametrize("options", [{"target": "b", "classes": True}, {"rows": 0}])
def test_chunks_reject_options_that_need_all_rows(write, options):
    with pytest.raises(ValueError, match=r"chunks|rows"):
        read_csv_chunks(write("a,b\n1,2\n"), **options)


# ----------------------------------------------------------------------------------- arrays left on the disk


BIG = """
import resource, sys
import numpy as np
import nn, optim
from nn.data import DataLoader, RandomSampler, TensorDataset, WeightedRandomSampler, random_split, standardize
rows = 300_000
X = np.lib.format.open_memmap(sys.argv[1], mode="w+", dtype=np.float32, shape=(rows, 1000))  # 1.2 GB, of which
X[::10_000] = 1.0  # nearly all is a hole in the file
del X
resource.setrlimit(resource.RLIMIT_DATA, (400_000_000, 400_000_000))
on_disk = np.load(sys.argv[1], mmap_mode="r")
for other in (on_disk[:, ::-1], on_disk.view(">f4")):  # which numpy.take would copy first
    assert len(next(iter(DataLoader(TensorDataset(other), 8, shuffle=True, rng=0)))[0]) == 8
train, test = random_split(TensorDataset(on_disk, np.ones(rows, np.float32)), [rows - 1000, 1000], rng=0)
model = nn.Linear(1000, 1, rng=0).float()
optimizer = optim.SGD(model.parameters(), lr=0.01)
for number, (x, y) in zip(range(20), DataLoader(train, 256, shuffle=True, rng=0)):
    loss = nn.functional.mse_loss(model(x).reshape(-1), y)
    loss.backward(); optimizer.step(); optimizer.zero_grad()
print(x.shape, number, float(loss.item()) < 1)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit on the data of a process, and sparse files")
def test_data_larger_than_memory_trains(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(nn.__file__).parents[1])}
    command = [sys.executable, "-c", BIG, str(tmp_path / "big.npy")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    (tmp_path / "big.npy").unlink()
    assert done.stdout == "(256, 1000) 19 True\n", done.stderr


# ---------------------------------------------------------------------------------------------------- IDX


def idx(array, code, shape=None):
    """The bytes of an IDX file."""
    shape = array.shape if shape is None else shape
    head = bytes([0, 0, code, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(
    ("code", "kind"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 2, 2), (0, 4), ()])
def test_every_type_and_shape_of_idx(write, code, kind, shape):
    array = np.arange(-2, np.prod(shape, dtype=int) - 2).reshape(shape).astype(kind)
    for path in (write(idx(array, code), "x"), write(gzip.compress(idx(array, code)), "x.gz")):
        got = read_idx(path)
        assert got.dtype == np.dtype(kind)
        assert got.dtype.isnative
        assert got.shape == shape
        assert np.array_equal(got, array)
        assert got.flags.writeable


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3), 0x08)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"PK\x03\x04", "it begins with 50 4b 03 04"),
        (b"\0\0\x07\x01\0\0\0\x01\0", "not an IDX file"),
        (GOOD[:8], "ends within its header"),
        (GOOD[:-1], r"\(2, 3\) in its header needs 6 bytes, and 5 follow"),
        (GOOD + b"\0", "6 bytes, and 7 follow"),
        (idx(np.zeros(3, np.uint8), 0x08, (2**32 - 1, 2**32 - 1)), "and 3 follow"),
        (idx(np.zeros(3, np.uint8), 0x0E, (2**32 - 1,) * 4), "and 3 follow"),
    ],
)
def test_damaged_idx_file_raises(write, content, words):
    for path in (write(content, "x"), write(gzip.compress(content), "x.gz")):
        with pytest.raises(ValueError, match=words) as info:
            read_idx(path)
        assert str(path) in str(info.value)


def test_damaged_compressed_idx_file_raises(write):
    with pytest.raises(ValueError, match=r"x\.gz: the compressed file is damaged"):
        read_idx(write(gzip.compress(GOOD)[:-5], "x.gz"))


def test_compression_of_an_idx_file_is_detected_whatever_its_name(write):
    for content, name in ((GOOD, "x.gz"), (gzip.compress(GOOD), "x")):
        np.testing.assert_array_equal(read_idx(write(content, name)), read_idx(write(GOOD, "plain")))


@pytest.mark.parametrize("names", ["train-images-idx3-ubyte", "train-images.idx3-ubyte.gz"])
def test_mnist(write, tmp_path, names):
    images = np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8)
    pack = gzip.compress if names.endswith(".gz") else bytes
    write(pack(idx(images, 0x08)), names)
    write(pack(idx(np.array([5, 0, 4], np.uint8), 0x08)), names.replace("images", "labels").replace("idx3", "idx1"))
    X, y = read_mnist(tmp_path)
    assert (X.shape, X.dtype, y.tolist(), y.dtype) == ((3, 784), np.float32, [5, 0, 4], np.int64)
    assert (X.min(), X.max()) == (0, 1)
    assert np.allclose(X * 255, images.reshape(3, -1))
    assert read_mnist(tmp_path, flatten=False, dtype=np.float64)[0].shape == (3, 28, 28)
    with pytest.raises(FileNotFoundError, match="t10k-images-idx3-ubyte"):
        read_mnist(tmp_path, train=False)


def test_images_and_labels_must_belong_together(write, tmp_path):
    write(idx(np.zeros((3, 2, 2), np.uint8), 0x08), "train-images-idx3-ubyte")
    labels = write(idx(np.zeros(2, np.uint8), 0x08), "train-labels-idx1-ubyte")
    with pytest.raises(ValueError, match=r"3 images, and .* 2 labels"):
        read_mnist(tmp_path)
    labels.write_bytes(idx(np.zeros((3, 1), np.uint8), 0x08))
    with pytest.raises(ValueError, match="expected 1 axes of bytes"):
        read_mnist(tmp_path)
    labels.write_bytes(idx(np.zeros(3, np.float32), 0x0D))
    with pytest.raises(ValueError, match="float32"):
        read_mnist(tmp_path)
