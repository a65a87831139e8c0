"""Splits, scaling and one-hot codes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from nn.data import (
    RobustScaler,
    Standardizer,
    Subset,
    TensorDataset,
    one_hot,
    random_split,
    standardize,
    train_test_split,
)

DATA = Path(__file__).resolve().parents[3] / "demos/data"


def wine():
    table = np.loadtxt(DATA / "wine.csv", delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1].astype(int)


# ------------------------------------------------------------------------------------------------- splits


@given(n=st.integers(2, 60), parts=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_parts_of_a_split_share_no_row_and_leave_none_out(n, parts):
    split = random_split(TensorDataset(np.arange(n)), [p / sum(parts) for p in parts], rng=0)
    assert sorted(row for part in split for row in part[:][0]) == list(range(n))
    assert all(abs(len(part) - n * p / sum(parts)) <= 1 for part, p in zip(split, parts, strict=True))


def test_split_by_counts_is_repeated_by_its_seed():
    data = TensorDataset(np.arange(10))
    one, two = (random_split(data, [7, 3], rng=4) for _ in range(2))
    assert [part.rows.tolist() for part in one] == [part.rows.tolist() for part in two]
    assert [part.rows.tolist() for part in one] == [[1, 0, 7, 2, 9, 8, 6], [4, 3, 5]]
    assert all(isinstance(part, Subset) and part.dataset is data for part in one)


@pytest.mark.parametrize("lengths", [[5, 4], [0.5, 0.4], [], [11, -1], [np.nan, 0.5], [1.5, -0.5]])
def test_lengths_that_do_not_add_up_raise(lengths):
    with pytest.raises(ValueError, match="length"):
        random_split(TensorDataset(np.arange(10)), lengths)


def test_arrays_are_split_alike():
    X, y = wine()
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, rng=0)
    assert len(X_test) == len(y_test) == 53
    together = np.vstack([np.column_stack([X_train, y_train]), np.column_stack([X_test, y_test])])
    whole = np.column_stack([X, y])
    assert np.array_equal(together[np.lexsort(together.T)], whole[np.lexsort(whole.T)])
    assert not np.array_equal(y_train, y[: len(y_train)])


@given(sizes=st.lists(st.integers(2, 40), min_size=2, max_size=4), test=st.integers(1, 30))
def test_stratified_split_keeps_every_share(sizes, test):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.arange(len(labels))
    if test >= len(labels):
        return
    train_rows, test_rows, _, got = train_test_split(rows, labels, test_size=test, stratify=labels, rng=1)
    assert sorted([*train_rows, *test_rows]) == rows.tolist()
    assert len(test_rows) == test
    ideal = np.array(sizes) * test / len(labels)
    assert np.abs(np.bincount(got, minlength=len(sizes)) - ideal).max() < 1


def test_stratified_rows_are_mixed():
    labels = np.repeat([0, 1], 50)
    train, test = train_test_split(labels, test_size=0.5, stratify=labels.astype(str), rng=0)
    for part in (train, test):
        assert part.tolist() not in ([0] * 25 + [1] * 25, [1] * 25 + [0] * 25)


@pytest.mark.parametrize("size", [0, 10, 11, -1, 0.0, 1.0, 1.5, 0.01, 0.99, True, "a"])
def test_split_never_returns_an_empty_part(size):
    with pytest.raises((ValueError, TypeError), match="test_size"):
        train_test_split(np.arange(10), test_size=size)


def test_splitting_refuses_lengths_that_differ():
    with pytest.raises(ValueError, match="array 0 has 3 rows, array 1 has 2"):
        train_test_split(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="stratify has 2"):
        train_test_split(np.zeros(3), stratify=np.zeros(2), test_size=1)
    with pytest.raises(ValueError, match="stratify must have shape"):
        train_test_split(np.zeros(3), stratify=np.zeros((3, 1)), test_size=1)


# ------------------------------------------------------------------------------------------------ scaling


def test_training_rows_get_mean_0_and_deviation_1():
    X, _ = wine()
    Z = standardize(X)
    assert np.abs(Z.mean(0)).max() < 1e-12
    assert np.abs(Z.std(0) - 1).max() < 1e-12


def test_only_the_training_rows_are_fitted():
    train, test = np.array([[0.0], [4.0]]), np.array([[1000.0]])
    a, b = standardize(train, test)
    assert (a.ravel().tolist(), b.item()) == ([-1, 1], 499)
    assert standardize(train).tolist() == a.tolist()


def test_inverse_of_standardizer_restores_the_data():
    X, _ = wine()
    scale = Standardizer(X[:100])
    assert np.allclose(scale.inverse(scale(X)), X, rtol=1e-13)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -1e-300, 123456.789])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_column_becomes_zeros(value, dtype):
    Z = standardize(np.full((1000, 1), value, dtype))
    assert Z.dtype == dtype
    assert (Z == 0).all()


def test_column_of_tiny_values_is_scaled():
    Z = standardize(np.array([[1e-200], [3e-200]]) * 1e60)
    assert Z.ravel() == pytest.approx([-1, 1])


def test_chunks_make_no_difference(monkeypatch):
    X = np.random.default_rng(0).normal(1e3, 1e-2, (1000, 3))
    whole = Standardizer(X)
    monkeypatch.setattr("nn.data.prepare.CHUNK", 30)
    parts = Standardizer(X)
    assert np.allclose(parts.mean, whole.mean, rtol=1e-14)
    assert np.allclose(parts.std, X.std(0), rtol=1e-9)


def test_integers_become_floats_and_images_keep_their_shape():
    Z = standardize(np.arange(24).reshape(6, 2, 2))
    assert Z.shape == (6, 2, 2)
    assert Z.dtype == np.float64
    assert standardize(np.arange(4)).std() == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_column_with_nan_is_named(bad):
    X = np.zeros((5, 3))
    X[3, 2] = bad
    with pytest.raises(ValueError, match="column 2 contains nan or inf"), np.errstate(invalid="ignore"):
        Standardizer(X)


def test_rows_of_another_width_raise():
    with pytest.raises(ValueError, match=r"shape \(2, 4\).*shape \(3,\)"):
        Standardizer(np.eye(3))(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="at least one row"):
        Standardizer(np.zeros((0, 3)))


# ------------------------------------------------------------------------------------------------ one-hot


def test_one_hot_rows():
    _, y = wine()
    coded = one_hot(y, dtype=np.float32)
    assert coded.dtype == np.float32
    assert coded.shape == (178, 3)
    assert (coded.argmax(1) == y).all()
    assert (coded.sum(1) == 1).all()
    assert one_hot(2, 4).tolist() == [0, 0, 1, 0]
    assert one_hot([[0], [1]]).shape == (2, 1, 2)
    assert one_hot([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("labels", "classes", "error", "words"),
    [
        ([0, 3], 3, IndexError, "class 3 is not in"),
        ([0, -1], None, IndexError, "class -1 is not in"),
        ([0.0, 1.0], 2, TypeError, "must be integers"),
        ([0], 0, IndexError, "class 0 is not in"),
        ([0], 2.0, TypeError, "num_classes"),
    ],
)
def test_labels_that_are_no_classes_raise(labels, classes, error, words):
    with pytest.raises(error, match=words):
        one_hot(labels, classes)


def test_robust_scaler_matches_quartiles_and_bounds_outliers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(101, 3))
    x[:, 1] = 5.0
    x[:, 2] = np.arange(101) == 50  # equal quartiles: two standard deviations are the unit
    scale = RobustScaler(x)
    q1, q2, q3 = np.percentile(x[:, 0], [25, 50, 75])
    z = (x[:, 0] - q2) / (q3 - q1)
    np.testing.assert_allclose(scale(x)[:, 0], z / np.sqrt(1 + (z / 3) ** 2))
    np.testing.assert_array_equal(scale(x)[:, 1], 0)
    z = 1 / (2 * x[:, 2].std())
    np.testing.assert_allclose(scale(x)[50, 2], z / np.hypot(1, z / 3))
    np.testing.assert_allclose(scale([[1e300, 5.0, -1e300]]), [[3, 0, -3]])
    weights = rng.integers(0, 4, 101)
    weighted, repeated = RobustScaler(x, weights=weights), RobustScaler(x.repeat(weights, 0))
    np.testing.assert_array_equal(weighted.center, repeated.center)
    np.testing.assert_allclose(weighted.spread, repeated.spread)
