"""`DataLoader`: iterate over a data set in batches, in a reproducible order that can be resumed.

Samplers are called with a generator and return the order of the rows of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nn.random import Rng, as_generator
from nn.typing import Array, ArrayLike, Batch, Indexable, State
from nn.validation import checked_integer

from .dataset import as_array, as_rows, fetch


class DataLoader:
    """Iterate over the rows of a data set in batches of arrays.

    With n rows, ``batch_size=n`` is batch gradient descent, ``batch_size=1`` stochastic, anything between
    mini-batch.  Every batch is a new array that may be modified.

    Parameters
    ----------
    dataset : Dataset
        Any object with ``__len__`` and ``__getitem__``.
    batch_size : int
        Rows in a batch; the last one of an epoch may be shorter.
    shuffle : bool
        Draw a new order each epoch.
    drop_last : bool
        Omit a last batch that is shorter.
    rng : Generator or int, optional
        The source of orders, from which one value is drawn per epoch; None is the generator of `nn.manual_seed`.
    sampler : callable or array_like of int, optional
        The order of the rows, instead of `shuffle`: a function of a generator, such as `WeightedRandomSampler`, or
        an array of indices.

    Attributes
    ----------
    epoch : int
        The number of completed epochs.
    position : int
        The number of batches returned in the current epoch.

    Raises
    ------
    ValueError
        If the set is empty, the batch size is not positive, or an epoch would have no batch.

    Notes
    -----
    An epoch's order is a function of one 63-bit key drawn from `rng`, so that `state_dict` is small for sets of
    any size, and other users of the generator are not affected.

    Examples
    --------
    >>> from nn.data import TensorDataset
    >>> loader = DataLoader(TensorDataset(np.arange(5.0)), batch_size=2, shuffle=True, rng=0)
    >>> [x.tolist() for (x,) in loader]
    [[3.0, 2.0], [0.0, 4.0], [1.0]]
    """

    def __init__(
        self, dataset: Indexable, batch_size: int = 1, shuffle: bool = False, drop_last: bool = False, *,
        rng: Rng = None, sampler: Any = None,
    ) -> None:  # fmt: skip
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__") or isinstance(dataset, tuple | list):
            kind = type(dataset).__name__
            raise TypeError(f"DataLoader needs a data set, not a {kind}; write DataLoader(TensorDataset(X, y))")
        if shuffle and sampler is not None:
            raise ValueError("pass either shuffle=True or sampler, not both: a sampler determines the order")
        self.dataset = dataset
        self.batch_size: int = checked_integer("DataLoader", "batch_size", batch_size, 1)
        self.drop_last: bool = bool(drop_last)
        self.rng: np.random.Generator = as_generator(rng)
        rows = len(dataset)
        if rows == 0:
            raise ValueError("the data set is empty")
        if sampler is None:
            sampler = RandomSampler(rows) if shuffle else SequentialSampler(rows)
        if not hasattr(sampler, "__len__"):
            raise TypeError(f"a sampler must be a list of rows, or have __call__(rng) and __len__, not {sampler!r:.60}")
        self.sampler: Any = sampler if callable(sampler) else as_rows(sampler, rows, "sampler")
        if len(self) == 0:
            fewer = f"{len(self.sampler)} rows are fewer than batch_size {self.batch_size}"
            raise ValueError(f"an epoch has no batch: {fewer}, and drop_last=True omits shorter batches")
        self.epoch: int = 0
        self.position: int = 0
        self._key = 0
        self._resuming = False

    @property
    def start(self) -> int:
        """The batch with which the next iteration starts: 0, or after `load_state_dict` that of the interruption."""
        return self.position if self._resuming else 0

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def order(self, key: int) -> Array:
        """Return the order of the rows for a key."""
        if not callable(self.sampler):
            rows: Array = self.sampler
            return rows
        rows = as_rows(self.sampler(np.random.default_rng(key)), len(self.dataset), "sampler", copy=False)
        if len(rows) != len(self.sampler):
            raise ValueError(f"the sampler has length {len(self.sampler)}, but returned {len(rows)} rows")
        return rows

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over an epoch, or after `load_state_dict` over the rest of the interrupted one."""
        batch = getattr(self.dataset, "batch", None) or (lambda rows: fetch(self.dataset, rows))
        for rows in self.rows():
            yield batch(rows)

    def rows(self) -> Iterator[Array]:
        """Iterate over an epoch like the loader itself, but yield the row indices of each batch.

        Examples
        --------
        >>> from nn.data import TensorDataset
        >>> [rows.tolist() for rows in DataLoader(TensorDataset(np.zeros(5)), batch_size=2).rows()]
        [[0, 1], [2, 3], [4]]
        """
        if self._resuming:
            self._resuming = False
        else:
            self._key, self.position = int(self.rng.integers(2**63)), 0
        order, size = self.order(self._key), self.batch_size
        for i in range(self.position, len(self)):
            self.position = i + 1
            yield order[i * size : i * size + size]
        self.epoch += 1
        self.position = 0

    def state_dict(self) -> State:
        """Return the position in the current epoch, and the state of the generator."""
        return {
            "rows": len(self.sampler),
            "batch_size": self.batch_size,
            "epoch": self.epoch,
            "position": self.position,
            "key": self._key,
            "rng": self.rng.bit_generator.state,
        }

    def load_state_dict(self, state_dict: State) -> None:
        """Continue at the position of another loader: the next epoch starts with the batch that it would return next.

        Parameters
        ----------
        state_dict : dict
            From `state_dict` of a loader with the same number of rows and batch size.

        Raises
        ------
        ValueError
            If it does not match; the loader is unchanged then.
        """
        if not isinstance(state_dict, Mapping) or state_dict.keys() != self.state_dict().keys():
            raise ValueError(f"not the state of a DataLoader: expected {[*self.state_dict()]}, got {state_dict!r:.200}")
        for name, own in (("rows", len(self.sampler)), ("batch_size", self.batch_size)):
            if state_dict[name] != own:
                raise ValueError(f"the state has {name} {state_dict[name]}, but this loader has {own}")
        position, epoch, key = (checked_integer("DataLoader", n, state_dict[n]) for n in ("position", "epoch", "key"))
        if position > len(self):
            raise ValueError(f"position {position} is beyond the {len(self)} batches of an epoch")
        try:
            self.rng.bit_generator.state = state_dict["rng"]
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f"the state of the generator does not match this loader's: {error}") from None
        self.epoch = epoch
        self.position = position
        self._key = key
        self._resuming = position > 0

    def __repr__(self) -> str:
        return f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, {len(self)} batches)"


# ------------------------------------------------------------------------------------------------- samplers


class _EveryRow:
    """Base class of the samplers of every row once."""

    def __init__(self, count: int) -> None:
        self.count: int = checked_integer(type(self).__name__, "count", count, 1)

    def __len__(self) -> int:
        return self.count


class SequentialSampler(_EveryRow):
    """The rows in their original order.

    Parameters
    ----------
    count : int
        The number of rows.

    Examples
    --------
    >>> SequentialSampler(3)(None)
    array([0, 1, 2])
    """

    def __call__(self, rng: np.random.Generator) -> Array:
        """Return the rows of an epoch; the generator is not used."""
        return np.arange(self.count)


class RandomSampler(_EveryRow):
    """Every row once, in a new random order each epoch.

    Parameters
    ----------
    count : int
        The number of rows.

    Examples
    --------
    >>> RandomSampler(5)(np.random.default_rng(0))
    array([2, 4, 3, 0, 1])
    """

    def __call__(self, rng: np.random.Generator) -> Array:
        """Return a permutation of the rows."""
        return rng.permutation(self.count)


class BlockSampler(_EveryRow):
    """Every row once, in random order within groups of random blocks: for rows that are slow to read one by one.

    The larger a group, the closer the order is to that of `RandomSampler`.

    Parameters
    ----------
    count : int
        The number of rows.
    block : int
        Rows in a block.
    together : int
        The number of blocks in a group.

    Examples
    --------
    >>> BlockSampler(9, block=3, together=2)(np.random.default_rng(1))
    array([3, 0, 1, 4, 2, 5, 8, 7, 6])
    """

    def __init__(self, count: int, block: int, together: int = 8) -> None:
        super().__init__(count)
        self.block: int = checked_integer("BlockSampler", "block", block, 1)
        self.together: int = checked_integer("BlockSampler", "together", together, 1)

    def __call__(self, rng: np.random.Generator) -> Array:
        """Return a permutation of the rows in which groups of blocks stay together."""
        starts = np.r_[0 : self.count : self.block, self.count]
        order = rng.permutation(len(starts) - 1)
        groups = [order[i : i + self.together] for i in range(0, len(order), self.together)]
        rows = [np.concatenate([np.arange(starts[b], starts[b + 1]) for b in group]) for group in groups]
        return np.concatenate([rng.permutation(group) for group in rows])


class WeightedRandomSampler:
    r"""Rows drawn with probability proportional to a weight, for imbalanced classes.

    .. math:: p_i = w_i / \sum_j w_j

    Parameters
    ----------
    weights : array_like of float, shape (n,)
        One non-negative weight per row.
    num_samples : int, optional
        Rows in an epoch; n by default.
    replacement : bool
        Draw with replacement.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are 0, or fewer rows have a weight than are drawn without
        replacement.

    Notes
    -----
    Argument names are those of ``torch.utils.data.WeightedRandomSampler``.

    Examples
    --------
    >>> sampler = WeightedRandomSampler([0.0, 1.0, 1.0], num_samples=6)
    >>> bool((sampler(np.random.default_rng(0)) > 0).all())
    True
    """

    def __init__(self, weights: ArrayLike, num_samples: int | None = None, replacement: bool = True) -> None:
        w = as_array(weights, "weights").astype(np.float64)
        if w.ndim != 1 or w.size == 0:
            raise ValueError(f"weights must have shape (n,), one per row, not {w.shape}")
        wrong = np.flatnonzero(~(np.isfinite(w) & (w >= 0)))
        if wrong.size:
            raise ValueError(f"the weight of row {wrong[0]} is {w[wrong[0]]}; weights must be finite and >= 0")
        if not w.any():
            raise ValueError("all weights are 0; at least one must be positive")
        count = len(w) if num_samples is None else num_samples
        self.num_samples: int = checked_integer("WeightedRandomSampler", "num_samples", count, 1)
        self.replacement: bool = bool(replacement)
        if not replacement and self.num_samples > np.count_nonzero(w):
            fewer = f"{np.count_nonzero(w)} rows of positive weight"
            raise ValueError(f"{self.num_samples} rows cannot be drawn without replacement from {fewer}")
        self.p: Array = w / w.max() / (w / w.max()).sum()  # scaled, so that the sum cannot overflow

    @classmethod
    def balanced(cls, labels: ArrayLike, num_samples: int | None = None) -> WeightedRandomSampler:
        """Draw every class equally often: the weight of a row is one over the size of its class.

        Parameters
        ----------
        labels : array_like of int, shape (n,)
            The class of each row.
        num_samples : int, optional
            Rows in an epoch; n by default.

        Examples
        --------
        >>> WeightedRandomSampler.balanced([0, 0, 0, 1]).p.round(3)
        array([0.167, 0.167, 0.167, 0.5  ])
        """
        _, which, counts = np.unique(as_array(labels, "labels"), return_inverse=True, return_counts=True)
        return cls(1.0 / counts[which], num_samples)

    def __len__(self) -> int:
        return self.num_samples

    def __call__(self, rng: np.random.Generator) -> Array:
        """Return the rows of an epoch."""
        return rng.choice(len(self.p), self.num_samples, replace=self.replacement, p=self.p)
