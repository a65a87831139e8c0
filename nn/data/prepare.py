"""Split, scale and encode data before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.random import Rng, as_generator
from nn.typing import Array, ArrayLike, DType, Operand, State
from nn.validation import checked_integer

from .dataset import Dataset, Subset, as_array, same_length

CHUNK = 1 << 20  # values per chunk, so that statistics of a memory-mapped file need little memory


def random_split(dataset: Dataset, lengths: Sequence[float], rng: Rng = None) -> list[Subset]:
    """Split the rows of a data set at random into disjoint parts.

    Parameters
    ----------
    dataset : Dataset
        The data set; the parts refer to it without copies.
    lengths : sequence of int or of float
        Rows per part, or fractions that add up to 1.
    rng : Generator or int, optional
        The source of the order; None is the generator of `nn.manual_seed`.

    Returns
    -------
    list of Subset
        One per length.

    Raises
    ------
    ValueError
        If the lengths do not add up.

    Examples
    --------
    >>> from nn.data import TensorDataset
    >>> train, test = random_split(TensorDataset(np.arange(10.0)), [0.8, 0.2], rng=0)
    >>> len(train), test[:]
    (8, (array([8., 1.]),))
    """
    given, total = np.asarray(lengths), len(dataset)
    ends = np.cumsum(given) * (total if given.dtype.kind == "f" else 1)
    counts = given.ndim == 1 and len(given) > 0 and (given >= 0).all()
    if not counts or not np.isclose(ends[-1], total, rtol=1e-9, atol=0):
        raise ValueError(f"lengths must be counts that add up to {total} or fractions that add up to 1, not {lengths}")
    order = as_generator(rng).permutation(total)
    return [Subset(dataset, rows) for rows in np.split(order, np.rint(ends[:-1]).astype(int))]


def _stratified(labels: Array, count: int, rng: np.random.Generator) -> Array:
    """Return `count` rows in which each class has its share, by largest remainders."""
    if labels.ndim != 1:
        raise ValueError(f"stratify must have shape (n,), a class label per row, not {labels.shape}")
    _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    ideal = sizes * (count / len(labels))
    share = np.floor(ideal).astype(int)
    for c in np.argsort(share - ideal, kind="stable")[: count - share.sum()]:
        share[c] += 1
    parts = [rng.permutation(np.flatnonzero(which == c))[:n] for c, n in enumerate(share)]
    return rng.permutation(np.concatenate(parts))


def train_test_split(
    *arrays: ArrayLike, test_size: int | float = 0.25, rng: Rng = None, stratify: ArrayLike | None = None
) -> list[Array]:
    """Split rows at random into a training and a test part, the same way in every array.

    Parameters
    ----------
    *arrays : array_like or Tensor
        Each of shape (n, ...).
    test_size : float or int
        The fraction or the number of rows in the test part.
    rng : Generator or int, optional
        The source of the order; None is the generator of `nn.manual_seed`.
    stratify : array_like, shape (n,), optional
        Class labels, whose proportions both parts keep.

    Returns
    -------
    list of ndarray
        Training and test part of the first array, of the second, and so on: scikit-learn's order.

    Raises
    ------
    ValueError
        If the arrays differ in length, or a part would be empty.

    Examples
    --------
    >>> X, y = np.arange(8.0).reshape(4, 2), np.arange(4)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=1, rng=0)
    >>> y_train, y_test
    (array([0, 1, 3]), array([2]))
    """
    given = tuple(as_array(a, f"array {i}") for i, a in enumerate(arrays))
    total = same_length(given)
    if isinstance(test_size, float | np.floating):
        count = int(np.rint(test_size * total))
    else:
        count = checked_integer("train_test_split", "test_size", test_size, 1)
    if not 0 < count < total:
        raise ValueError(f"test_size {test_size} leaves {count} rows to test and {total - count} to train")
    generator = as_generator(rng)
    if stratify is None:
        order = generator.permutation(total)
        test, train = order[:count], order[count:]
    else:
        labels = np.asarray(stratify)
        same_length((given[0], labels), ("array 0", "stratify"))
        test = _stratified(labels, count, generator)
        train = generator.permutation(np.setdiff1d(np.arange(total), test))
    return [part for a in given for part in (a[train], a[test])]


class Standardizer:
    r"""Scale columns to mean 0 and standard deviation 1, by the statistics of the training rows.

    .. math:: z = (x - \mu) / \sigma

    Parameters
    ----------
    train : array_like, shape (n, ...)
        The rows for mean and standard deviation (dividing by n).  A constant column is only shifted.

    Attributes
    ----------
    mean, std : ndarray
        Mean and standard deviation of each column, 1 for a constant one.

    Raises
    ------
    ValueError
        If `train` is empty, or a column contains nan or inf.

    Examples
    --------
    >>> scale = Standardizer([[0.0, 5.0], [2.0, 5.0]])
    >>> scale([[4.0, 6.0]])
    array([[3., 1.]])
    >>> scale.inverse([[3.0, 1.0]])
    array([[4., 6.]])
    """

    def __init__(self, train: Operand) -> None:
        x = as_array(train, "the training data")
        if x.ndim == 0 or len(x) == 0:
            raise ValueError(f"the training data has shape {x.shape}; statistics need at least one row")
        self.dtype: np.dtype[Any] = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
        step = max(1, CHUNK // max(1, x[0].size))
        parts = [x[i : i + step] for i in range(0, len(x), step)]
        # relative to the first row, a constant column has mean and variance 0 without rounding
        first = x[0].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            mean = np.asarray(first + sum((p - first).sum(0) for p in parts) / len(x))
            variance = np.asarray(sum(((p - mean) ** 2).sum(0) for p in parts) / len(x))
        if not np.isfinite(mean).all():
            column = tuple(int(i) for i in np.argwhere(~np.isfinite(mean))[0])
            at = f"column {column[0]}" if len(column) == 1 else f"column {column}"
            raise ValueError(f"{at if column else 'the data'} contains nan or inf; fill or drop these rows first")
        # differences by rounding in a constant column are ignored
        constant = np.sqrt(variance) <= 8 * np.finfo(self.dtype).eps * np.abs(mean)
        self.mean: Array = mean.astype(self.dtype)
        self.std: Array = np.where(constant, 1.0, np.sqrt(variance)).astype(self.dtype)

    def __call__(self, x: Operand) -> Array:
        """Return rows scaled by the training rows' statistics."""
        return np.asarray((self._fitting(x) - self.mean) / self.std)

    def inverse(self, z: Operand) -> Array:
        """Return scaled rows in their own units."""
        return np.asarray(self._fitting(z) * self.std + self.mean)

    def _fitting(self, x: Operand) -> Array:
        array = as_array(x, "the data")
        if array.shape[array.ndim - self.mean.ndim :] != self.mean.shape or array.ndim < self.mean.ndim:
            raise ValueError(f"the data has shape {array.shape}, but rows of shape {self.mean.shape} are expected")
        return array.astype(self.dtype, copy=False)


class RobustScaler:
    r"""Scale columns by median and quartiles, and compress outliers smoothly.

    .. math:: z = \frac{x - q_{1/2}}{s}, \qquad \frac{z}{\sqrt{1 + (z / b)^2}}

    Parameters
    ----------
    train : array_like, shape (n, columns)
        The rows for the quantiles.
    bound : float
        The bound b of the scaled values.
    weights : array_like, shape (n,), optional
        Weights of the rows.
    indices : int
        The number of last columns that contain indices, which are returned as they are.

    Attributes
    ----------
    center, spread : ndarray
        Median of each column, and its standard deviation, but at least the interquartile range and at most five times
        that.  Where the quartiles are equal, half the range or two standard deviations, whichever is smaller, and 1
        for a constant column.

    Notes
    -----
    Holzmueller, Grinsztajn & Steinwart 2024, "Better by default" (RealMLP), section 3.1, with bound 3; there the spread
    is the interquartile range, which makes more values of a skewed column outliers.  Quantiles are those of the
    inverted distribution function, so that a row of weight 2 counts as two rows.

    Examples
    --------
    >>> scale = RobustScaler([[1.0], [2.0], [3.0], [4.0], [1e6]])
    >>> scale([[3.0], [5.0], [1e6]]).round(2).ravel()
    array([0. , 0.2, 3. ])
    """

    def __init__(self, train: Operand, bound: float = 3.0, weights: ArrayLike | None = None, indices: int = 0) -> None:
        rows = np.asarray(as_array(train, "the training data"), np.float64)
        shares = [0, 0.25, 0.5, 0.75, 1]
        counts = None if weights is None else np.asarray(weights, np.float64)
        low, first, middle, third, high = np.quantile(rows, shares, axis=0, weights=counts, method="inverted_cdf")
        self.center: Array = middle
        middling, reach = third - first, np.maximum(high / 2 - low / 2, np.finfo(float).tiny)
        scaled = (rows - middle) / reach  # its squares do not overflow
        deviation = reach * np.sqrt(np.average((scaled - np.average(scaled, 0, counts)) ** 2, 0, counts))
        spread = np.where(middling > 0, np.clip(deviation, middling, 5 * middling), np.minimum(reach, 2 * deviation))
        self.spread: Array = np.where(high > low, spread, 1.0)
        self.bound: float = bound
        self.indices: int = indices

    def __call__(self, x: Operand) -> Array:
        """Return scaled rows."""
        rows = np.asarray(as_array(x, "the data"), np.float64)
        scaled = (rows - self.center) / self.spread
        scaled /= np.hypot(1.0, scaled / self.bound)
        first = rows.shape[1] - self.indices
        scaled[:, first:] = rows[:, first:]
        return np.asarray(scaled)

    def state_dict(self) -> State:
        """Return the statistics as plain data."""
        return dict(vars(self))

    @classmethod
    def from_state_dict(cls, state: State) -> Self:
        """Return the scaler of a `state_dict`.

        Examples
        --------
        >>> scale = RobustScaler([[1.0], [2.0], [3.0]])
        >>> RobustScaler.from_state_dict(scale.state_dict())([[2.0]])
        array([[0.]])
        """
        scale = cls.__new__(cls)
        scale.center, scale.spread = np.asarray(state["center"]), np.asarray(state["spread"])
        scale.bound, scale.indices = float(state["bound"]), int(state["indices"])
        return scale


def standardize(train: Operand, *others: Operand) -> Any:
    r"""Scale columns to mean 0 and standard deviation 1, by the statistics of the training rows alone.

    .. math:: z = (x - \mu_\text{train}) / \sigma_\text{train}

    Parameters
    ----------
    train : array_like, shape (n, ...)
        The rows for the statistics.
    *others : array_like, shape (m, ...)
        Validation and test rows, scaled by the same statistics: their own would leak information into the model.

    Returns
    -------
    ndarray or tuple of ndarray
        The scaled arrays; use `Standardizer` to keep the statistics for later rows.

    Examples
    --------
    >>> train, test = standardize([[0.0], [2.0]], [[4.0]])
    >>> train.ravel(), test.ravel()
    (array([-1.,  1.]), array([3.]))
    """
    scale = Standardizer(train)
    return tuple([scale(x) for x in (train, *others)]) if others else scale(train)


def one_hot(labels: ArrayLike, num_classes: int | None = None, dtype: DType = None) -> Array:
    r"""Encode class indices as rows with a single 1.

    .. math:: y_{ik} = [\, k = \text{label}_i \,]

    Parameters
    ----------
    labels : array_like of int, shape (...)
        Class indices.
    num_classes : int, optional
        Length of a row; by default the largest label plus one.
    dtype : dtype, optional
        The dtype, by default float64.

    Returns
    -------
    ndarray, shape (..., num_classes)
        The rows.

    Raises
    ------
    TypeError
        If labels are not integers.
    IndexError
        If a label is negative or not below `num_classes`.

    Examples
    --------
    >>> one_hot([1, 0], 3)
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    rows = F.one_hot(labels, -1 if num_classes is None else num_classes)
    return np.asarray(rows, np.float64 if dtype is None else dtype)
