"""Fast statistics of arrays: monitoring must cost less than a training step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn.typing import Array

BINS = 41
SPOTS = 100  # elements per array in a histogram, evenly spaced
REACH = 6.0  # the outermost bins lie at sinh(6) = 200 standard deviations of the first sample
TINY = 1e-30  # below, the squares of float32 have no digits left


def moments(flat: Array) -> tuple[float, float, float]:
    """Return mean, standard deviation and norm of a vector.

    Examples
    --------
    >>> moments(np.array([3.0, -3.0, 3.0, -3.0]))
    (0.0, 3.0, 6.0)
    >>> moments(np.full(4, 2.0**-100, np.float32))[2] * 2.0**99
    1.0
    """
    norm = norm_of(flat)
    mean = float(np.add.reduce(flat)) / flat.size  # half the time of `mean`
    variance = norm * norm / flat.size - mean * mean
    return mean, math.sqrt(variance) if variance > 0 else variance * 0, norm


def norm_of(flat: Array) -> float:
    """Return the norm of a vector.

    Examples
    --------
    >>> norm_of(np.array([3.0, 4.0]))
    5.0
    """
    squares = float(flat.dot(flat))
    if flat.dtype != np.float64 and not TINY < squares < math.inf:
        flat = flat.astype(np.float64)
        squares = float(flat.dot(flat))
    return math.sqrt(squares)


def flattened(a: Any) -> Array:
    """Return the elements as a vector in memory order, without a copy if they are contiguous."""
    return a.ravel("K") if type(a) is np.ndarray else np.ravel(a)


def spots(flat: Array) -> Array:
    """Return `SPOTS` evenly spaced elements of a vector, repeated if it has fewer."""
    step = flat.size // SPOTS
    return flat[: step * SPOTS : step] if step else np.resize(flat, SPOTS)


def histograms(values: Array, scales: Array) -> Array:
    """Count values in bins that are uniform near 0 and grow with the distance from it.

    Parameters
    ----------
    values : ndarray, shape (k, n)
        k sets of values.
    scales : ndarray, shape (k,)
        The unit of each set.

    Returns
    -------
    ndarray of int, shape (k, BINS)
        Counts; values beyond the outermost bins are counted in them, and nan in the last.

    Examples
    --------
    >>> counts = histograms(np.array([[0.0, 0.0, 1e9]]), np.array([1.0]))
    >>> int(counts[0, BINS // 2]), int(counts[0, -1])
    (2, 1)
    """
    half = BINS // 2
    place = np.arcsinh(values / scales[:, None]) * (half / REACH)
    index = (np.fmax(np.fmin(place, half), -half) + (half + 0.5)).astype(np.int64)
    index += np.arange(len(values))[:, None] * BINS
    return np.bincount(index.ravel(), minlength=len(values) * BINS).reshape(-1, BINS)


def bin_edges(scale: float) -> Array:
    """Return the edges of the bins of `histograms`, one more than there are bins."""
    half = BINS // 2
    return np.asarray(scale * np.sinh((np.arange(BINS + 1) - half - 0.5) * (REACH / half)))
