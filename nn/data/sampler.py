"""Samplers, which are called with a generator and return the order of the rows of an epoch."""

from __future__ import annotations

import numpy as np

from nn.typing import Array, ArrayLike
from nn.validation import checked_integer

from .dataset import as_array


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
