"""Schedules that decay the rate: in steps, as a power, by a user-defined function, or when a metric stops improving."""

import math
import warnings
from collections.abc import Callable
from typing import Literal

from optim.options import Count, Inner, NonNegative, Positive, Whole
from optim.typing import Group

from . import functions
from .base import HasGroups, LRScheduler, PerGroup, checked_metric, initial_rates

__all__ = [
    "ExponentialLR", "InverseSqrtLR", "InverseTimeLR", "LambdaLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR",
    "ReduceLROnPlateau", "StepLR",
]  # fmt: skip

Lambda = Callable[[int], float]


class StepLR(LRScheduler, curve=functions.step_decay):
    """Multiply the rate by `gamma` every `step_size` steps: ``eta_0`` times `functions.step_decay`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    step_size : int
        Steps between two drops.
    gamma : float, default 0.1
        Factor of a drop, positive.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Without the floor, ``gamma ** (t / step_size)``, it is ``ExponentialLR(gamma ** (1 / step_size))``.  Keras
    and optax spell it ``ExponentialDecay(staircase=True)`` and ``exponential_decay(..., staircase=True)``.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(StepLR, 6, lr=0.8, step_size=2, gamma=0.5)
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    step_size: Count
    gamma: Positive = 0.1


class MultiStepLR(LRScheduler, curve=functions.multistep_decay):
    """Multiply the rate by `gamma` at each milestone: ``eta_0`` times `functions.multistep_decay`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    milestones : iterable of int
        Steps of the drops, in any order; a repeated milestone counts twice.
    gamma : float, default 0.1
        Factor of a drop, positive.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    The milestone is the first step of the new rate, as in PyTorch and in optax's ``piecewise_constant_schedule``;
    in Keras's ``PiecewiseConstantDecay`` it is the last of the old one.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(MultiStepLR, 5, lr=0.8, milestones=[1, 4], gamma=0.5)
    [0.8, 0.4, 0.4, 0.4, 0.2]
    """

    milestones: list[Whole]
    gamma: Positive = 0.1

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Sort the milestones."""
        self.milestones.sort()


class ExponentialLR(LRScheduler, curve=functions.exponential_decay):
    """Multiply the rate by `gamma` in every step: ``eta_0`` times `functions.exponential_decay`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    gamma : float
        Factor per step, positive; ``exp(-lambda)`` for the form ``eta_0 * exp(-lambda t)``.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Keras and optax write ``decay_rate ** (t / decay_steps)``.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(ExponentialLR, 4, lr=0.8, gamma=0.5)
    [0.8, 0.4, 0.2, 0.1]
    """

    gamma: Positive


class InverseTimeLR(LRScheduler, curve=functions.inverse_time_decay):
    """Decay the rate as a hyperbola: ``eta_0`` times `functions.inverse_time_decay`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    decay : float
        Decay rate; the learning rate is halved after ``1 / decay`` steps.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    PyTorch has it only as the ``lr_decay`` of Adagrad; Keras's ``InverseTimeDecay`` divides `t` by ``decay_steps``.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(InverseTimeLR, 4, lr=12.0, decay=1.0)
    [12.0, 6.0, 4.0, 3.0]
    """

    decay: NonNegative


class PolynomialLR(LRScheduler, curve=functions.polynomial):
    """Decay the rate to 0 as a power of the remaining steps: ``eta_0`` times `functions.polynomial`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    total_iters : int, default 5
        Number of steps until the rate is 0.
    power : float, default 1.0
        Exponent, positive: 1 is linear, larger values decay faster at first.
    cycle : bool, default False
        Rise again after each fall to 0, to lower peaks; PyTorch has no such option.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Chen et al. 2018 (DeepLab), section 4.1, with power 0.9. Keras and optax decay to an end value.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(PolynomialLR, 6, lr=0.8, total_iters=4, power=2.0)
    [0.8, 0.45, 0.2, 0.05, 0.0, 0.0]
    """

    total_iters: Whole = 5
    power: Positive = 1.0
    cycle: bool = False


class InverseSqrtLR(LRScheduler, curve=functions.inverse_sqrt):
    """Warm up linearly, then decay as ``1 / sqrt(t)`` (Noam schedule): ``eta_0`` times `functions.inverse_sqrt`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set; their initial values are the peak.
    warmup : int
        The update, counted from 1, that uses the full rate.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Vaswani et al. 2017, equation 3, is the case ``lr = (d_model * warmup) ** -0.5``.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> curve = preview(InverseSqrtLR, 16, lr=0.8, warmup=4)
    >>> curve[0], curve[3], curve[15]
    (0.2, 0.8, 0.4)
    """

    warmup: Count


class LambdaLR(LRScheduler, absolute=True, transient=(*LRScheduler.transient, "lr_lambda")):
    """Multiply the initial rate by a function of the step: ``eta_t = eta_0 * lr_lambda(t)``.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    lr_lambda : callable, or list of one per group
        Maps the step to a factor.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    The rate is computed from the initial rate and overwrites that of a schedule before it, as in PyTorch. The functions
    are not saved in `state_dict`; pass the same ones when you resume.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(LambdaLR, 4, lr=0.8, lr_lambda=lambda t: 0.5**t)
    [0.8, 0.4, 0.2, 0.1]
    """

    lr_lambda: Lambda | list[Lambda]

    def factor(self, t: int, i: int) -> float:
        """Return ``lr_lambda(t)``."""
        return float(self.of_group("lr_lambda", i)(t))


class MultiplicativeLR(LRScheduler, transient=(*LRScheduler.transient, "lr_lambda", "_products")):
    """Multiply the rate by a function of the step, in every step: ``eta_t = eta_{t-1} * lr_lambda(t)``.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    lr_lambda : callable, or list of one per group
        Maps the step, 1 or larger, to a factor.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    The functions are not saved in `state_dict`; pass the same ones when you resume. In a `SequentialLR` it starts from
    the present rate times ``lr_lambda(0)``, as in PyTorch.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(MultiplicativeLR, 4, lr=0.8, lr_lambda=lambda t: 0.5)
    [0.8, 0.4, 0.2, 0.1]
    """

    lr_lambda: Lambda | list[Lambda]

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Begin with empty products."""
        self._products: dict[int, tuple[int, float]] = {}  # per group: a step and the product up to it

    def factor(self, t: int, i: int) -> float:
        """Return ``lr_lambda(1) * ... * lr_lambda(t)``."""
        function = self.of_group("lr_lambda", i)
        reached, product = self._products.get(i, (0, 1.0))
        if reached > t:
            reached, product = 0, 1.0
        for step in range(reached + 1, t + 1):
            product *= float(function(step))
        self._products[i] = t, product
        return product

    def _restart(self) -> None:
        for i, group in enumerate(self.optimizer.param_groups):
            group["lr"] *= float(self.of_group("lr_lambda", i)(0))
        self._begin()


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
