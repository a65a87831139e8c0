"""Finding a learning rate: raise it from step to step, and see where the loss falls and where it explodes."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.random import get_rng_state, set_rng_state
from nn.show.plotting import BLUE, GREY, ORANGE, drawable, new_figure, plain, saved

from .evaluating import as_loader
from .stepping import Stepper

__all__ = ["LRCurve", "find_lr"]


@dataclass
class LRCurve:
    """The loss by learning rate.

    Attributes
    ----------
    rates, losses : ndarray
        Of every step; the losses as they came.
    smooth : ndarray
        The losses as running means.
    suggestion : float
        A tenth of the rate at which the smooth loss was least: there it still falls, with room to the edge.
    """

    rates: np.ndarray[Any, Any]
    losses: np.ndarray[Any, Any]
    smooth: np.ndarray[Any, Any]
    suggestion: float

    def plot(self, path: Any = None) -> Any:
        """Draw the curve with the suggestion, and return the matplotlib figure.

        Parameters
        ----------
        path : str or Path, optional
            Where to save it as well.
        """
        figure = new_figure(6.4, 4)
        axes = figure.subplots()
        axes.plot(self.rates, drawable(self.losses), color=GREY, alpha=0.5, linewidth=0.8, label="each step")
        axes.plot(self.rates, drawable(self.smooth), color=BLUE, label="smoothed")
        axes.axvline(self.suggestion, color=ORANGE, linestyle="--", label=f"suggested: {self.suggestion:.2g}")
        low, high = np.min(self.smooth), self.smooth[0]
        axes.set_ylim(low - 0.1 * (high - low), high + 0.6 * (high - low) + 1e-12)
        axes.set(xscale="log", xlabel="learning rate", title="loss while the rate is raised step by step")
        axes.legend(frameon=False)
        plain(axes)
        return saved(figure, path)


def find_lr(
    model: Any,
    loss: Any,
    optimizer: Any,
    train: Any,
    *,
    start: float = 1e-6,
    end: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    rng: Any = None,
) -> LRCurve:
    r"""Raise the learning rate exponentially over some steps, and suggest a tenth of where the loss was least.

    .. math:: \eta_t = \eta_\text{start} (\eta_\text{end} / \eta_\text{start})^{t / (T - 1)}

    Parameters
    ----------
    model, loss, optimizer, train
        As for `nn.training.fit`; model and optimizer are put back as they were.
    start, end : float
        Between which rates.
    steps : int
        How many; it ends sooner when the loss explodes.
    batch_size, rng
        If `train` is no DataLoader.

    Returns
    -------
    LRCurve
        Its `suggestion` is a rate to start from, ``plot(path)`` shows why.

    Raises
    ------
    ValueError
        If the rates or the number of steps make no sense, or the loss is not finite from the start.

    Notes
    -----
    Smith 2017, *Cyclical learning rates for training neural networks*, section 3.3; smoothed and stopped as in fastai:
    a running mean with weight 0.9 on the past, corrected for its start, and four times the best loss as the end.
    The steepest point, which Smith reads off by eye, is at the mercy of noise; a tenth of the minimum (Howard & Gugger
    2020, chapter 5) is not.

    Examples
    --------
    >>> import nn, optim
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> model = nn.MLP(1, [16, 1], activation="tanh", rng=0)
    >>> curve = find_lr(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), (X, X**3), rng=0)
    >>> 1e-3 < curve.suggestion < 1.0
    True
    """
    if not 0 < start < end < math.inf:
        raise ValueError(f"rates must rise from start to end, both above 0: start={start!r}, end={end!r}")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 10:
        raise ValueError(f"steps must be a whole number of at least 10, not {steps!r}")
    stepper = Stepper(model, loss, optimizer)
    loader = as_loader(train, batch_size, shuffle=True, rng=rng)
    before = model.state_dict(), copy.deepcopy(optimizer.state_dict()), get_rng_state(), model.training
    place = copy.deepcopy(loader.state_dict()) if hasattr(loader, "state_dict") else None
    try:
        model.train()
        with np.errstate(all="ignore"):
            rates, losses, smooth = _raised(stepper, loader, np.geomspace(start, end, steps))
    finally:
        model.load_state_dict(before[0], allow_nan=True)
        optimizer.load_state_dict(before[1])
        set_rng_state(before[2])
        model.train(before[3])
        if place is not None:
            loader.load_state_dict(place)
    if len(rates) < 5:
        raise ValueError(
            f"the loss was {losses[-1] if losses else 'not finite'} after {len(rates)} steps; give a smaller start"
        )
    return LRCurve(np.array(rates), np.array(losses), np.array(smooth), rates[int(np.argmin(smooth))] / 10)


def _raised(stepper: Stepper, loader: Any, schedule: Any) -> tuple[list[float], list[float], list[float]]:
    """Take a step at every rate; return rates, losses and smooth losses."""
    rates: list[float] = []
    losses: list[float] = []
    smooth: list[float] = []
    mean = 0.0
    batches = iter(loader)
    for rate in schedule:
        for group in stepper.optimizer.param_groups:
            group["lr"] = float(rate)
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        stepper.optimizer.zero_grad()
        value, _, _ = stepper.forward(batch)
        number = float(value.item())
        if not math.isfinite(number):
            break
        mean = 0.9 * mean + 0.1 * number
        rates.append(float(rate))
        losses.append(number)
        smooth.append(mean / (1 - 0.9 ** len(rates)))
        if len(rates) > 10 and smooth[-1] > 4 * min(smooth) + 1e-12:
            break
        value.backward()
        stepper.optimizer.step()
    return rates, losses, smooth
