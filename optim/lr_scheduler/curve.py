"""Preview of a schedule: its curve as a list and as one line of text."""

import copy
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

from optim.options import Count, checked

from .base import LRScheduler, Rates

__all__ = ["preview", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"


def preview(
    schedule: LRScheduler | type[LRScheduler] | Callable[..., float], steps: int, lr: float = 1.0, *, group: int = 0,
    key: str = "lr", **options: object,
) -> list[float]:  # fmt: skip
    """Return the rates of a schedule for the next `steps` updates, without an optimizer.

    Parameters
    ----------
    schedule : LRScheduler, class, or callable
        A schedule (the curve starts at its present step; neither it nor its optimizer is changed), a class, or a
        function of the step, whose value is multiplied by `lr`.
    steps : int
        Length of the curve, at least 1.
    lr : float, default 1.0
        The initial rate, for a class or a function.
    group : int, default 0
        Index of the parameter group, for a schedule.
    key : str, default 'lr'
        Entry of the group, such as 'momentum' for `OneCycleLR`.
    **options
        Arguments of the class or the function.

    Returns
    -------
    list of float
        One rate per update.

    Examples
    --------
    >>> from optim.lr_scheduler import StepLR, functions
    >>> preview(StepLR, 4, lr=0.8, step_size=2, gamma=0.5)
    [0.8, 0.8, 0.4, 0.4]
    >>> preview(functions.step_decay, 4, lr=0.8, step_size=2, gamma=0.5)
    [0.8, 0.8, 0.4, 0.4]
    >>> preview(lambda t: 1 / (1 + t), 3)
    [1.0, 0.5, 0.333...]
    """
    checked("preview", "steps", steps, Count)
    if isinstance(schedule, type) and issubclass(schedule, LRScheduler):
        rates = Rates(lr)
        runner = schedule(rates, **options)
    elif isinstance(schedule, LRScheduler):
        rates = Rates()
        rates.param_groups = [
            {name: value for name, value in found.items() if name != "params"}
            for found in schedule.optimizer.param_groups
        ]
        # The copy of each part of the schedule refers to `rates` instead of the optimizer.
        runner = copy.deepcopy(schedule, {id(schedule.optimizer): rates})
    elif callable(schedule):
        return [float(lr * cast("Any", schedule)(t, **options)) for t in range(steps)]
    else:
        raise TypeError(f"preview needs a schedule, its class, or a function of the step, got {schedule!r}")
    curve: list[float] = []
    for t in range(steps):
        if t:
            runner._advance()
        value = rates.param_groups[group][key]
        curve.append(float(value[0] if isinstance(value, tuple) else value))
    return curve


def sparkline(curve: Sequence[float], width: int = 60) -> str:
    """Return a curve as one line of text, from its lowest to its highest value.

    Parameters
    ----------
    curve : sequence of float
        The result of `preview`.
    width : int, default 60
        Maximum number of characters; a longer curve is averaged in pieces.

    Examples
    --------
    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    '▁▂▃▄▅▆▇█'
    >>> from optim.lr_scheduler import CosineAnnealingLR
    >>> sparkline(preview(CosineAnnealingLR, 100, T_max=50), width=20)
    '██▇▆▅▄▃▂▁▁▁▁▂▃▄▅▆▇██'
    """
    checked("sparkline", "width", width, Count)
    values = [float(value) for value in curve]
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        values = [math.fsum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((v - low) * scale)] if math.isfinite(v) else "?" for v in values)
