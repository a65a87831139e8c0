"""Schedule that reduces the learning rate when a metric stops improving."""

import math
import warnings
from typing import Literal

from optim.options import Inner, NonNegative, Whole

from .base import HasGroups, LRScheduler, PerGroup, checked_metric, initial_rates

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler, without=("last_epoch",), needs_metric=True):
    """Multiply the rate by `factor` once the metric has not improved for more than `patience` steps.

    ::

        better = metric < best * (1 - threshold)     # for 'min' and 'rel'
        bad = 0 if better else bad + 1
        if bad > patience: lr = max(lr * factor, min_lr)

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    mode : {'min', 'max'}
        Minimize or maximize the metric.
    factor : float, default 0.1
        Factor of a reduction, in (0, 1).
    patience : int, default 10
        Number of steps without improvement before a reduction.
    threshold : float, default 1e-4
        Smallest improvement, relative to the best metric or absolute.
    threshold_mode : {'rel', 'abs'}
        ``best * (1 - threshold)`` or ``best - threshold``; with + for 'max'.
    cooldown : int, default 0
        Number of steps after a reduction in which bad steps are not counted.
    min_lr : float, or list of one per group
        Lower bound of the rate.
    eps : float, default 1e-8
        Smallest reduction; smaller ones are skipped.

    Notes
    -----
    As in PyTorch, the rate is reduced after ``patience + 1`` bad steps; in Keras after `patience`. A metric of nan
    counts as a bad step and emits a warning, unlike in PyTorch. `load_state_dict` resumes it; as in PyTorch it has no
    `last_epoch`.

    Examples
    --------
    >>> from optim.lr_scheduler import Rates
    >>> schedule = ReduceLROnPlateau(Rates(0.8), factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.4]
    """

    mode: Literal["min", "max"] = "min"
    factor: Inner = 0.1  # type: ignore[assignment] # this schedule has no function of the step
    patience: Whole = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Whole = 0
    min_lr: PerGroup = 0.0
    eps: NonNegative = 1e-8

    def __init__(self, optimizer: HasGroups, *args: object, **options: object) -> None:
        self._set_options(optimizer, args, options)
        self.last_epoch = 0
        self.best: float = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs: int = 0
        self.cooldown_counter: int = 0
        self._begin()

    def is_better(self, metric: float) -> bool:
        """Return whether `metric` is better than the best one by more than the threshold."""
        shift = self.threshold if self.mode == "max" else -self.threshold
        bound = self.best * (1.0 + shift) if self.threshold_mode == "rel" else self.best + shift
        if math.isinf(self.best):
            bound = self.best
        return metric > bound if self.mode == "max" else metric < bound

    def step(self, metrics: float | None = None) -> None:
        """Record the metric of an epoch, and reduce the rates after too many bad steps.

        Raises
        ------
        TypeError
            If the metric is missing or not a scalar.
        """
        metric = checked_metric(metrics)
        if math.isnan(metric):
            warnings.warn(
                f"the metric is nan at epoch {self.last_epoch + 1}; it counts as no improvement",
                UserWarning,
                stacklevel=2,
            )
        better = self.is_better(metric)
        bad = 0 if better or self.cooldown_counter else self.num_bad_epochs + 1
        reduce = bad > self.patience
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self._set([self._reduced(i, rate) for i, rate in enumerate(rates)] if reduce else rates)
        self.last_epoch: int = self.last_epoch + 1
        self.best = metric if better else self.best
        self.num_bad_epochs = 0 if reduce else bad
        self.cooldown_counter = self.cooldown if reduce else max(0, self.cooldown_counter - 1)

    def _reduced(self, i: int, rate: float) -> float:
        lower = max(rate * self.factor, self.of_group("min_lr", i))
        return lower if rate - lower > self.eps else rate

    def _advance(self, metrics: float | None = None) -> None:
        self.step(metrics)

    def _begin(self) -> None:
        self._set([group["lr"] for group in self.optimizer.param_groups])

    def _restart(self) -> None:
        self._set(initial_rates(self.optimizer))
