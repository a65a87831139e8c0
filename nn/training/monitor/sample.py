"""`Sample`, the measurements of one step, and the state of a monitor as few arrays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.typing import Array, State

if TYPE_CHECKING:
    from .monitor import Monitor

PLAIN = ("losses", "epochs", "anomaly", "bad_input", "first_bad", "units")


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
