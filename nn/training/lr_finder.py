"""The learning rate range test: raise the rate from step to step, and record where the loss falls and diverges."""

import copy
import itertools
import math
from dataclasses import dataclass

import numpy as np

from nn.module import Module, preserved_modes
from nn.random import Rng, get_rng_state, set_rng_state
from nn.show.plotting import BLUE, GREY, ORANGE, drawable, new_axes, plain, saved
from nn.typing import Array, Examples, Figure, FilePath, Loader, Loss, Optimizer
from nn.validation import checked_integer

from .evaluation import Totals, as_loader
from .stepping import Stepper


@dataclass
class LRCurve:
    """The loss as a function of the learning rate.

    Attributes
    ----------
    rates, losses : ndarray
        The rate and the loss of every step.
    smooth : ndarray
        Running means of the losses.
    suggestion : float
        A tenth of the rate with the smallest smooth loss: there the loss still falls, far from divergence.
    """

    rates: Array
    losses: Array
    smooth: Array
    suggestion: float

    def plot(self, path: FilePath | None = None) -> Figure:
        """Draw the curve with the suggestion, and return the matplotlib figure.

        Parameters
        ----------
        path : str or Path, optional
            Where to save the figure.
        """
        axes = new_axes(6.4, 4)
        axes.plot(self.rates, drawable(self.losses), color=GREY, alpha=0.5, linewidth=0.8, label="each step")
        axes.plot(self.rates, drawable(self.smooth), color=BLUE, label="smoothed")
        axes.axvline(self.suggestion, color=ORANGE, linestyle="--", label=f"suggested: {self.suggestion:.2g}")
        low, high = np.min(self.smooth), self.smooth[0]
        axes.set_ylim(low - 0.1 * (high - low), high + 0.6 * (high - low) + 1e-12)
        axes.set(xscale="log", xlabel="learning rate", title="loss while the rate is raised step by step")
        axes.legend(frameon=False)
        plain(axes)
        return saved(axes.figure, path)


def find_lr(
    model: Module, loss: Loss, optimizer: Optimizer, train: Examples, *,
    start: float = 1e-6, end: float = 10.0, steps: int = 100, batch_size: int = 32, rng: Rng = None,
) -> LRCurve:  # fmt: skip
    r"""Raise the learning rate exponentially, and suggest a tenth of the rate with the smallest loss.

    .. math:: \eta_t = \eta_\text{start} (\eta_\text{end} / \eta_\text{start})^{t / (T - 1)}

    Parameters
    ----------
    model, loss, optimizer, train
        As for `nn.training.fit`; model and optimizer are restored afterwards.
    start, end : float
        The first and the last rate.
    steps : int
        The number of steps; fewer if the loss diverges.
    batch_size, rng
        Used if `train` is not a DataLoader.

    Returns
    -------
    LRCurve
        `suggestion` is a rate to start from; ``plot(path)`` draws the curve.

    Raises
    ------
    ValueError
        If the rates do not rise from above 0, there are fewer than 10 steps, or the loss is not finite at the start.

    Notes
    -----
    Smith 2017, *Cyclical learning rates for training neural networks*, section 3.3; smoothed and stopped as in fastai:
    a running mean with weight 0.9 on the past, corrected for its start, and four times the best loss as the end.
    The steepest point, which Smith determines by eye, is sensitive to noise; a tenth of the minimum (Howard & Gugger
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
    checked_integer("find_lr", "steps", steps, 10)
    stepper = Stepper(model, loss, optimizer)
    loader = as_loader(train, batch_size, shuffle=True, rng=rng, epochs=steps)
    before = model.state_dict(), copy.deepcopy(optimizer.state_dict()), get_rng_state()
    place = copy.deepcopy(loader.state_dict()) if hasattr(loader, "state_dict") else None
    try:
        with preserved_modes(model), np.errstate(all="ignore"):
            if not model.training:
                model.train()
            curve = _range_test(stepper, loader, np.geomspace(start, end, steps))
    finally:
        model.load_state_dict(before[0], allow_nan=True)
        optimizer.load_state_dict(before[1])
        set_rng_state(before[2])
        if hasattr(loader, "load_state_dict"):
            loader.load_state_dict(place)
    if len(curve) < 5:
        raise ValueError(f"the loss is not finite after {len(curve)} steps; pass a smaller start, or scale the inputs")
    rates, losses, smooth = np.array(curve).T
    return LRCurve(rates, losses, smooth, float(rates[np.argmin(smooth)]) / 10)


def _range_test(stepper: Stepper, loader: Loader, schedule: Array) -> list[tuple[float, float, float]]:
    """Take a step at every rate; return rates, losses and smooth losses."""
    curve: list[tuple[float, float, float]] = []
    mean, least, totals = 0.0, math.inf, Totals({}, stepper.loss, stepper.comm)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for t, (rate, batch) in enumerate(zip(schedule.tolist(), batches, strict=False), 1):
        for group in stepper.optimizer.param_groups:
            group["lr"] = rate
        value = stepper.take(batch, totals, last=True)
        mean = 0.9 * mean + 0.1 * value
        smooth = mean / (1 - 0.9**t)
        if not math.isfinite(value) or (t > 11 and smooth > 4 * least + 1e-12):
            break
        least = min(least, smooth)
        curve.append((rate, value, smooth))
    return curve
