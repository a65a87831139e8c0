"""`Sample`, the measurements of one step by fast statistics, and the state of a monitor as few arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array, State

if TYPE_CHECKING:
    from .monitor import Monitor

PLAIN = ("losses", "epochs", "anomaly", "bad_input", "first_bad", "units")
BINS = 41
SPOTS = 100  # elements per array in a histogram, evenly spaced
REACH = 6.0  # the outermost bins lie at sinh(6) = 200 standard deviations of the first sample
TINY = 1e-30  # below, the squares of float32 have no digits left


@dataclass
class Sample:
    """Measurements of one step; columns are parameters.

    Attributes
    ----------
    step : int
        The step, from 1.
    lr : float
        The learning rate of the first group.
    mean, std : ndarray, shape (2, parameters)
        Mean and standard deviation of every parameter and its gradient.
    norm : ndarray, shape (3, parameters)
        Norm of every parameter, its gradient and its update.
    used : ndarray of bool, shape (parameters,)
        Whether the parameter had a gradient.
    counts : dict of str to ndarray, shape (BINS,)
        Histograms, as ``counts["gradient 0.weight"]``: of parameters with two or more axes ('weight'; biases have too
        few elements), of their gradients, and of the outputs of modules ('output').
    layers : dict of str to dict
        Statistics of the output of every sampled module: mean, std, norm, for rectifiers alive (units that
        were not always 0), and for functions like tanh the share that is saturated.

    Examples
    --------
    >>> import numpy as np, nn, optim
    >>> model = nn.Linear(2, 1, rng=0)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> monitor = nn.Monitor(model, optimizer)
    >>> loss = nn.MSELoss()(model(np.ones((4, 2))), np.ones((4, 1)))
    >>> loss.backward()
    >>> optimizer.step()
    >>> monitor.step(loss)
    >>> sample = monitor.samples[0]
    >>> sample.step, sample.lr, sample.norm.shape
    (1, 0.1, (3, 2))
    """

    step: int
    lr: float
    mean: Array
    std: Array
    norm: Array
    used: Array
    counts: dict[str, Array]
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)


def packed(monitor: Monitor) -> State:
    """Return the measurements of a monitor, with samples of the same layers in one array per statistic."""
    groups = itertools.groupby(monitor.samples, key=lambda sample: tuple(sample.layers))
    return {
        **{name: getattr(monitor, name) for name in PLAIN},
        "samples": [_stacked([vars(sample) for sample in group]) for _, group in groups],
    }


def unpacked(state: State) -> State:
    """Return the attributes of a monitor from its `packed` measurements."""
    tables = state["samples"]
    samples = [Sample(**_row(table, i)) for table in tables for i in range(len(table["step"]))]
    return {**{name: state[name] for name in PLAIN}, "samples": samples}


def _stacked(rows: Sequence[State]) -> State:
    return {
        key: _stacked([row[key] for row in rows]) if isinstance(value, dict) else np.array([row[key] for row in rows])
        for key, value in rows[0].items()
    }


def _row(table: State, i: int) -> Any:
    return {
        key: _row(column, i) if isinstance(column, dict) else column[i] if column.ndim > 1 else column[i].item()
        for key, column in table.items()
    }


# ------------------------------------------------------- statistics, which must cost less than a training step


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
