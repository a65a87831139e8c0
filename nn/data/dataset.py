"""Data sets: arrays of equal length, subsets, and base classes for your own."""

from typing import Any

import numpy as np

from autograd import Tensor, Value
from autograd.extend import regular_array
from nn.typing import Array, Batch, Index, Indexable, Operand, Rows


def as_array(data: Operand, name: str = "data") -> Array:
    """Return the data of an array, Tensor or list as an ndarray, without a copy if possible."""
    if isinstance(data, (Tensor, Value)):
        data = data.data
    array = regular_array(name, data)
    if array.dtype.kind not in "biufc":
        hint = "encode words as class indices: np.unique(words, return_inverse=True)[1], or read_csv(..., classes=True)"
        raise TypeError(f"{name} must hold numbers, but its dtype is {array.dtype}; {hint}")
    return array


def same_length(arrays: tuple[Array, ...], names: tuple[str, ...] = ()) -> int:
    """Return the common number of rows; raise ValueError if they differ."""
    if not arrays:
        raise ValueError("give at least one array")
    labels = names or tuple(f"array {i}" for i in range(len(arrays)))
    for array, label in zip(arrays, labels, strict=True):
        if array.ndim == 0:
            raise ValueError(f"{label} is a scalar, but must have one row per sample")
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        each = ", ".join(f"{label} has {n} rows" for label, n in zip(labels, lengths, strict=True))
        raise ValueError(f"arrays of one data set need the same number of rows: {each}")
    return lengths[0]


def as_rows(rows: Rows, count: int, owner: str, copy: bool = True) -> Array:
    """Return indices of rows as an array; raise if one is out of range."""
    index = np.asarray(rows)
    if index.size == 0:
        index = index.astype(np.intp)
    if index.dtype.kind not in "iu" or index.ndim != 1:
        raise TypeError(f"{owner} needs a flat list of row indices, not {index.dtype.name} of shape {index.shape}")
    wrong = np.flatnonzero((index < 0) | (index >= count))
    if wrong.size:
        raise IndexError(f"{owner}: row {index[wrong[0]]} (at position {wrong[0]}) is not in a set of {count} rows")
    return index.astype(np.intp, copy=copy)


class Dataset:
    """Base class of data sets, which define ``__len__`` and ``__getitem__(i)``, the tuple of arrays of sample ``i``.

    `batch` stacks samples one by one; override it if many rows can be fetched at once.

    Examples
    --------
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, i):
    ...         return float(i), float(i * i)
    >>> Squares().batch([1, 3])
    (array([1., 3.]), array([1., 9.]))
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__, the number of its samples")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__, which returns one sample")

    def batch(self, rows: Rows) -> Batch:
        """Return the samples of some rows, each part stacked along a new first axis.

        Parameters
        ----------
        rows : array_like of int, shape (n,)
            The samples.

        Returns
        -------
        tuple of ndarray
            One array of n rows per part of a sample.
        """
        return _stacked(self, rows)


def _stacked(dataset: Indexable, rows: Rows) -> Batch:
    samples = [dataset[int(i)] for i in rows]
    parts = zip(*(s if isinstance(s, tuple) else (s,) for s in samples), strict=True)
    return tuple([np.stack([as_array(entry) for entry in part]) for part in parts])


class TensorDataset(Dataset):
    """Arrays with the same number of rows, usually inputs and targets.

    Parameters
    ----------
    *arrays : array_like or Tensor
        Each of shape (n, ...); shared, not copied, so a memory-mapped file stays on disk.

    Attributes
    ----------
    arrays : tuple of ndarray
        The arrays.

    Raises
    ------
    ValueError
        If the arrays differ in length.

    Examples
    --------
    >>> data = TensorDataset([[1.0, 2.0], [3.0, 4.0]], [0, 1])
    >>> data[1]
    (array([3., 4.]), np.int64(1))
    >>> len(data)
    2
    """

    def __init__(self, *arrays: Operand) -> None:
        # A plain view: indexing a `memmap` itself would wrap every batch once more.
        self.arrays: tuple[Array, ...] = tuple(as_array(a, f"array {i}").view(np.ndarray) for i, a in enumerate(arrays))
        self._length = same_length(self.arrays)
        # `take` is twice as fast for rows of several values, but copies a whole array that is not contiguous.
        self._columns = [
            (a, a.ndim > 1 and a.flags.c_contiguous and a.flags.aligned and a.dtype.isnative) for a in self.arrays
        ]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Index) -> Batch:
        """Return a row, or the rows of a slice or index array, of every array."""
        return tuple([a[index] for a in self.arrays])

    def batch(self, rows: Rows) -> Batch:
        """Return some rows of every array, copied; rows are given as an index array."""
        return tuple([a.take(rows, 0) if plain else a[rows] for a, plain in self._columns])

    def __repr__(self) -> str:
        return f"TensorDataset({', '.join(f'{a.dtype} {a.shape}' for a in self.arrays)})"


class Subset(Dataset):
    """Rows of another data set, without a copy.

    Parameters
    ----------
    dataset : Dataset
        The other data set.
    rows : array_like of int, shape (n,)
        The rows, in order.

    Examples
    --------
    >>> part = Subset(TensorDataset([10.0, 20.0, 30.0]), [2, 0])
    >>> part[:]
    (array([30., 10.]),)
    """

    def __init__(self, dataset: Dataset, rows: Rows) -> None:
        self.dataset = dataset
        self.rows: Array = as_rows(rows, len(dataset), "Subset")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Index) -> Any:
        """Return one sample, or the stacked samples of a slice or index array."""
        chosen = self.rows[index]
        return fetch(self.dataset, chosen) if chosen.ndim else self.dataset[int(chosen)]

    def batch(self, rows: Rows) -> Batch:
        """Return rows by their position in the subset."""
        return fetch(self.dataset, self.rows[rows])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {len(self.dataset)} rows of {self.dataset!r})"


def fetch(dataset: Indexable, rows: Rows) -> Batch:
    """Return rows of a `Dataset`, or of any object with ``__getitem__``, as a tuple of arrays."""
    batch = getattr(dataset, "batch", None)
    return as_batch(_stacked(dataset, rows) if batch is None else batch(rows))


def as_batch(got: Operand) -> Batch:
    """Return arrays as a tuple, also a single one."""
    return got if type(got) is tuple else (got,)
