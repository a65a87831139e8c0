"""Hostile data: one test per fault."""

import numpy as np
import pytest

import nn
from nn.data import DataLoader, TensorDataset, random_split, read_csv


def test_data_sets_and_loaders_reject_inconsistent_sizes():
    data = TensorDataset(np.arange(5.0).reshape(5, 1), np.arange(5))
    with pytest.raises(ValueError, match=r"has 5 rows, .* 3 rows"):
        TensorDataset(np.zeros((5, 1)), np.zeros(3))
    for size, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match=f"batch_size.*{size}"):
            DataLoader(data, batch_size=size)
    with pytest.raises(ValueError, match="empty"):
        DataLoader(TensorDataset(np.zeros((0, 1))))
    assert [len(x) for x, _ in DataLoader(data, batch_size=3)] == [3, 2]
    assert [len(x) for x, _ in DataLoader(data, batch_size=9)] == [5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n3\n", "line 3.*1 cells.*2"),
        ("a,b\n1,2\n3,cat\n", r"line 3, column 2 \('b'\).*'cat'"),
        ("1,2\n3,4\n", "line 1.*header=False"),
        ("a,b\n1,NaN\n", r"line 2, column 2 \('b'\).*'NaN'"),
        ("", "empty"),
    ],
    ids=["ragged", "text in a column of numbers", "no header", "nan", "nothing"],
)
def test_read_csv_of_an_invalid_table_raises_with_its_line(tmp_path, text, says):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as info:
        read_csv(path)
    assert str(path) in str(info.value)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("\ufeffa,b\r\n1,2\r\n", [[1.0, 2.0]]),
        ('"a, first",b\n"1","2"\n', [[1.0, 2.0]]),
        ("a\n1\n2\n", [[1.0], [2.0]]),
    ],
    ids=["BOM and CRLF", "quotes", "one column"],
)
def test_read_csv_accepts_other_encodings_and_separators(tmp_path, content, rows):
    path = tmp_path / "data.csv"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_csv(path).X.tolist() == rows


def test_manual_seed_reproduces_a_training():
    """The numbers are written here, so that another platform is held to them."""
    data = TensorDataset(np.arange(6.0).reshape(6, 1))
    order = [x.item() for (x,) in DataLoader(data, 1, shuffle=True, rng=3)]
    parts = [[x.item() for (x,) in part] for part in random_split(data, [4, 2], rng=3)]
    assert order == [3.0, 4.0, 2.0, 0.0, 1.0, 5.0]
    assert parts == [[2.0, 5.0, 4.0, 1.0], [3.0, 0.0]]
    assert nn.Linear(2, 1, rng=3).weight.data.tolist() == [[-0.5859805674060738, -0.3722061510459]]
    assert nn.Dropout(0.5, rng=3)(np.ones(6)).tolist() == [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]
