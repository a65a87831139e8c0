"""Schedules that are functions of the step, and `ReduceLROnPlateau`, which follows a metric."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from optim.options import Count, Inner, NonNegative, Portion, Positive, Whole
from optim.typing import Group

from . import functions
from .base import LRScheduler, Momenta, PerGroup, checked_metric

__all__ = [
    "REXLR", "SWALR", "ChebyshevLR", "ConstantLR", "CosLog4LR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "CyclicLR", "ExponentialLR", "FlatCosineLR", "InverseSqrtLR", "InverseTimeLR", "LambdaLR", "LinearLR",
    "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PiecewiseLinearLR", "PolynomialLR", "ReduceLROnPlateau",
    "StepLR", "TrapezoidLR",
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


class ConstantLR(LRScheduler, curve=functions.constant):
    """Multiply the rate by `factor` for `total_iters` steps: ``eta_0`` times `functions.constant`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    factor : float, default 1/3
        In [0, 1].
    total_iters : int, default 5
        Number of steps at the reduced rate.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    With ``factor=0`` PyTorch divides by zero at the end; here the rate returns to ``eta_0``.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(ConstantLR, 4, lr=0.8, factor=0.5, total_iters=2)
    [0.4, 0.4, 0.8, 0.8]
    """

    factor: Portion = 1 / 3
    total_iters: Whole = 5


class LinearLR(LRScheduler, curve=functions.linear):
    """Change the rate linearly in `total_iters` steps: ``eta_0`` times `functions.linear`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    start_factor : float, default 1/3
        In (0, 1].
    end_factor : float, default 1.0
        In [0, 1].
    total_iters : int, default 5
        Number of steps; with 0 the factor is `end_factor` from the start (in PyTorch `start_factor`).
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(LinearLR, 4, lr=1.0, start_factor=0.5, total_iters=2)
    [0.5, 0.75, 1.0, 1.0]
    """

    start_factor: Annotated[float, "(0, 1]"] = 1 / 3
    end_factor: Portion = 1.0
    total_iters: Whole = 5


class TrapezoidLR(LRScheduler, curve=functions.trapezoid):
    """Warm up linearly, stay constant, and decay linearly: ``eta_0`` times `functions.trapezoid`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set; their initial values are the plateau.
    warmup, stable, decay : int
        Number of steps of the three phases; the first update uses ``eta_0 / warmup``.
    end_factor : float, default 0.0
        Factor at the end, in [0, 1].
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Linear decay as in Haegele et al. 2024. Unlike for the cosine, the total length can be chosen when the decay begins.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(TrapezoidLR, 8, lr=0.8, warmup=2, stable=2, decay=2)
    [0.4, 0.8, 0.8, 0.8, 0.8, 0.4, 0.0, 0.0]
    """

    warmup: Whole
    stable: Whole
    decay: Whole
    end_factor: Portion = 0.0


class CosineAnnealingLR(LRScheduler, curve=functions.cosine):
    """Anneal the rate to `eta_min` along a cosine, with the factor `functions.cosine`.

    ``eta_t = eta_min + (eta_0 - eta_min) * cosine(t, T_max)``, which rises again after `T_max` steps.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    T_max : int
        Steps from the initial rate to `eta_min`.
    eta_min : float, default 0.0
        The minimum of the rate.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    optax's ``cosine_decay_schedule`` and Keras's ``CosineDecay`` stay at the minimum, which they define as a fraction
    `alpha` of the initial rate.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(CosineAnnealingLR, 5, lr=1.0, T_max=2, eta_min=0.5)
    [1.0, 0.75, 0.5, 0.75, 1.0]
    """

    T_max: Count
    eta_min: NonNegative = 0.0


class CosineAnnealingWarmRestarts(LRScheduler, curve=functions.cosine_restarts, absolute=True):
    """Anneal the rate along a cosine and restart, with the factor `functions.cosine_restarts`.

    ``eta_t = eta_min + (eta_0 - eta_min) * cosine_restarts(t, T_0, T_mult, decay)``

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    T_0 : int
        Length of the first cycle.
    T_mult : int, default 1
        Ratio of the lengths of successive cycles.
    eta_min : float, default 0.0
        The minimum of the rate.
    decay : float, default 1.0
        Ratio of the heights of successive cycles; PyTorch has no such option.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    It overwrites the rate set by a schedule before it, as in PyTorch. PyTorch's ``step(epoch)`` with a fraction of an
    epoch is not supported.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(CosineAnnealingWarmRestarts, 5, lr=1.0, T_0=2, eta_min=0.5)
    [1.0, 0.75, 1.0, 0.75, 1.0]
    """

    T_0: Count
    T_mult: Count = 1
    eta_min: NonNegative = 0.0
    decay: Portion = 1.0


class SWALR(LRScheduler, curve=functions.swa_annealing, final="swa_lr"):
    """Anneal the rate to a constant `swa_lr` for weight averaging, with the factor `functions.swa_annealing`.

    ``eta_t = swa_lr + (eta_0 - swa_lr) * swa_annealing(t, anneal_epochs, anneal_strategy)``

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    swa_lr : float, or list of one per group
        The final rate.
    anneal_epochs : int, default 10
        Number of annealing steps; with 0 the rate is `swa_lr` at once.
    anneal_strategy : {'cos', 'linear'}, default 'cos'
        The curve.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Construct it at the start and step the main schedule; when averaging begins, step this schedule instead. It starts
    from the present rate.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(SWALR, 4, lr=1.0, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    [1.0, 0.75, 0.5, 0.5]
    """

    swa_lr: PerGroup
    anneal_epochs: Whole = 10
    anneal_strategy: Literal["cos", "linear"] = "cos"

    def _restart(self) -> None:
        self._begin()  # anneal from the last rate of the schedule before


class REXLR(LRScheduler, curve=functions.rex):
    """Decay the rate slowly at first and fast at the end: ``eta_0`` times `functions.rex`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    total_iters : int
        Number of steps.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Chen, Wolfe & Kyrillidis 2021, "REX: Revisiting Budgeted Training with an Improved Schedule". It suits short
    trainings.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(REXLR, 5, lr=0.6, total_iters=4)[::2]
    [0.6, 0.39999999999999997, 0.0]
    """

    total_iters: Count


class FlatCosineLR(LRScheduler, curve=functions.flat_cosine):
    """Keep the rate, then anneal it along a cosine: ``eta_0`` times `functions.flat_cosine`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    total_iters : int
        Number of steps.
    flat : float, default 0.72
        The fraction of the steps before the cosine.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Wright 2019 (Ranger), and fastai's ``fit_flat_cos``.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(FlatCosineLR, 5, lr=1.0, total_iters=4, flat=0.5)
    [1.0, 1.0, 1.0, 0.5, 0.0]
    """

    total_iters: Count
    flat: Portion = 0.72


class CosLog4LR(LRScheduler, curve=functions.cos_log4):
    """Follow four cosine waves, each twice as long as the one before: ``eta_0`` times `functions.cos_log4`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    total_iters : int
        Number of steps.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Holzmuller, Grinsztajn & Steinwart 2024 (RealMLP), "Better by Default". It is a default for tables, where a training
    may end well after any of the waves.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> [round(x, 4) for x in preview(CosLog4LR, 5, lr=1.0, total_iters=4)]
    [0.0, 0.4935, 0.0736, 0.8757, 0.0]
    """

    total_iters: Count


class PiecewiseLinearLR(LRScheduler, curve=functions.piecewise_linear):
    """Interpolate linearly between factors at given steps: ``eta_0`` times `functions.piecewise_linear`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    milestones : list of int
        Steps, in ascending order.
    factors : list of float
        The factor of the rate at each of them.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    optax: ``piecewise_interpolate_schedule``, with factors relative to the one before.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(PiecewiseLinearLR, 4, lr=1.0, milestones=[0, 2], factors=[0.0, 1.0])
    [0.0, 0.5, 1.0, 1.0]
    """

    milestones: list[Whole]
    factors: list[NonNegative]

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Raise ValueError unless there is a factor for each of the ascending milestones."""
        if len(self.milestones) != len(self.factors) or sorted(set(self.milestones)) != self.milestones:
            raise ValueError(
                f"PiecewiseLinearLR expected ascending milestones and as many factors, got {self.milestones} and "
                f"{self.factors}"
            )


class ChebyshevLR(LRScheduler, curve=functions.chebyshev):
    """Use Chebyshev's step sizes in fractal order: ``eta_0`` times `functions.chebyshev`.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    total_iters : int
        Length of a cycle.
    ratio : float, default 10.0
        The largest curvature divided by the smallest.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    Agarwal, Goel & Zhang 2021, "Acceleration via Fractal Learning Rate Schedules". For gradient descent with the whole
    data: `total_iters` steps reach on a quadratic what plain steps reach in about their square. The initial rate is the
    inverse of the smallest curvature.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> [round(x, 4) for x in preview(ChebyshevLR, 4, lr=1.0, total_iters=4, ratio=2.0)]
    [0.9633, 0.5097, 0.7641, 0.5912]
    """

    total_iters: Count
    ratio: Annotated[float, "[1, inf)"] = 10.0


class LambdaLR(
    LRScheduler,
    curve=lambda t, lr_lambda: lr_lambda(t),
    absolute=True,
    transient=(*LRScheduler.transient, "lr_lambda"),
):
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


class MultiplicativeLR(LRScheduler, transient=(*LRScheduler.transient, "lr_lambda")):
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

    def _rate(self, t: int, i: int, base: float) -> float:
        function = self.of_group("lr_lambda", i)
        return math.prod((float(function(step)) for step in range(1, t + 1)), start=base)

    def _next(self, t: int, i: int) -> tuple[float, float]:
        group = self.optimizer.param_groups[i]
        found = float(group["lr"])
        return group.setdefault("initial_lr", found), found * float(self.of_group("lr_lambda", i)(t))

    def _restart(self) -> None:
        self.last_epoch = -1
        self._advance()


class MomentumCycling(LRScheduler, absolute=True, steps_per_batch=True):
    """A schedule that also changes the momentum in the opposite direction: 'momentum', or the first of 'betas'."""

    _between: ClassVar[Callable[..., float]]
    """Returns the value at step `t` of a cycle from `start` through `peak` to `end`."""

    @property
    def _cycled(self) -> list[Group]:
        """The groups whose momentum is cycled: all, or none if ``cycle_momentum=False``."""
        return self.optimizer.param_groups if self.of_group("cycle_momentum", 0) else []

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Raise ValueError if a group has no momentum to cycle."""
        if any("momentum" not in group and "betas" not in group for group in self._cycled):
            raise ValueError(
                f"cycle_momentum=True needs 'momentum' or 'betas' in all groups of {type(self.optimizer).__name__}; "
                "pass cycle_momentum=False"
            )

    def momentum_at(self, t: int, i: int = 0) -> float:
        """Return the momentum of group `i` at step `t`."""
        high = self.of_group("max_momentum", i)
        return self._between(t, high, self.of_group("base_momentum", i), high)

    def _set(self, t: int, bases: Sequence[float], rates: Sequence[float] | None = None) -> None:
        momenta = [self.momentum_at(t, i) for i in range(len(self._cycled))]
        super()._set(t, bases, rates)
        for group, momentum in zip(self._cycled, momenta, strict=True):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _group_keys(self) -> list[str]:
        return [*super()._group_keys(), *["betas" if "betas" in group else "momentum" for group in self._cycled[:1]]]


class OneCycleLR(MomentumCycling):
    """Raise the rate to `max_lr` and anneal it far below the initial rate, once, along `functions.one_cycle`.

    ::

        max_lr / div_factor  ->  max_lr  ->  max_lr / div_factor / final_div_factor
        max_momentum         ->  base_momentum  ->  max_momentum

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set; their initial values are not used.
    max_lr : float, or list of one per group
        The peak.
    total_steps : int, optional
        Steps of the cycle; otherwise `epochs` times `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
        Factors of `total_steps`.
    pct_start : float, default 0.3
        Fraction of the steps with a rising rate.
    anneal_strategy : {'cos', 'linear'}, default 'cos'
        The curve of each phase.
    cycle_momentum : bool, default True
        Change 'momentum' (or ``betas[0]``) in the opposite direction, between `base_momentum` and `max_momentum`.
    base_momentum, max_momentum : float, or list of one per group
        Defaults 0.85 and 0.95.
    div_factor, final_div_factor : float
        Defaults 25 and 1e4.
    three_phase : bool, default False
        Return to the initial rate first, then anneal.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Raises
    ------
    ValueError
        When stepped beyond ``total_steps``.

    Notes
    -----
    The last update uses step ``total_steps - 1``; ``scheduler.step()`` after it sets the same extrapolated value as
    PyTorch, which is not used by an update.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> curve = preview(OneCycleLR, 10, max_lr=1.0, total_steps=10, anneal_strategy="linear", div_factor=4)
    >>> [round(lr, 3) for lr in curve]
    [0.25, 0.625, 1.0, 0.857, 0.714, 0.571, 0.429, 0.286, 0.143, 0.0]
    """

    max_lr: PerGroup
    total_steps: Count | None = None
    epochs: Count | None = None
    steps_per_epoch: Count | None = None
    pct_start: Portion = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    cycle_momentum: bool = True
    base_momentum: Momenta = 0.85
    max_momentum: Momenta = 0.95
    div_factor: Positive = 25.0
    final_div_factor: Positive = 1e4
    three_phase: bool = False

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Compute `total_steps`, and set the initial rates."""
        super().prepare(groups, fresh)
        if self.total_steps is None:
            if self.epochs is None or self.steps_per_epoch is None:
                raise ValueError("OneCycleLR needs total_steps, or both epochs and steps_per_epoch")
            self.total_steps = self.epochs * self.steps_per_epoch
        del self.epochs, self.steps_per_epoch
        for i, group in enumerate(groups if fresh else ()):
            group["initial_lr"] = self.of_group("max_lr", i) / self.div_factor

    def _between(self, t: int, start: float, peak: float, end: float) -> float:
        assert self.total_steps is not None  # set by `prepare`
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR was made for total_steps={self.total_steps}, got step {t}")
        options: dict[str, Any] = {n: getattr(self, n) for n in ("pct_start", "anneal_strategy", "three_phase")}
        return functions.one_cycle(t, self.total_steps, start, peak, end, **options)

    def _rate(self, t: int, i: int, base: float) -> float:
        peak = self.of_group("max_lr", i)
        start = peak / self.div_factor
        return self._between(t, start, peak, start / self.final_div_factor)


class CyclicLR(MomentumCycling, transient=(*LRScheduler.transient, "scale_fn")):
    """Vary the rate between `base_lr` and `max_lr` along `functions.triangle`.

    ``eta_t = base_lr + (max_lr - base_lr) * height * scale``, with the momentum in the opposite direction.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set; their initial values are not used.
    base_lr, max_lr : float, or list of one per group
        Minimum and maximum of the rate.
    step_size_up : float, default 2000
        Number of steps with a rising rate.
    step_size_down : float, optional
        Number of steps with a falling rate; by default `step_size_up`.
    mode : {'triangular', 'triangular2', 'exp_range'}
        scale = 1, ``2 ** (1 - cycle)`` with cycles counted from 1, or ``gamma ** t``.
    gamma : float, default 1.0
        For 'exp_range'.
    scale_fn : callable, optional
        Function of the cycle or the step that replaces the scale of `mode`.
    scale_mode : {'cycle', 'iterations'}
        Argument of `scale_fn`.
    cycle_momentum : bool, default True
        Change 'momentum' (or ``betas[0]``) between `max_momentum` and `base_momentum`.
    base_momentum, max_momentum : float, or list of one per group
        Defaults 0.8 and 0.9.
    last_epoch : int, default -1
        The last completed step, to resume after it.

    Notes
    -----
    `scale_fn` is not saved in `state_dict`; pass the same one when you resume.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(CyclicLR, 8, base_lr=0.0, max_lr=1.0, step_size_up=2, mode="triangular2")
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
    """

    base_lr: PerGroup
    max_lr: PerGroup
    step_size_up: Positive = 2000
    step_size_down: Positive | None = None
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: Positive = 1.0
    scale_fn: Callable[[int], float] | None = None
    scale_mode: Literal["cycle", "iterations"] = "cycle"
    cycle_momentum: bool = True
    base_momentum: Momenta = 0.8
    max_momentum: Momenta = 0.9

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Set `step_size_down` and the rates to their defaults."""
        super().prepare(groups, fresh)
        self.step_size_down = self.step_size_down or self.step_size_up
        for i, group in enumerate(groups if fresh else ()):
            group["lr"] = self.of_group("base_lr", i)

    def _between(self, t: int, start: float, peak: float, end: float) -> float:
        cycle, height = functions.triangle(t, self.step_size_up, self.step_size_down or self.step_size_up)
        if self.scale_fn is not None:
            height *= float(self.scale_fn(cycle if self.scale_mode == "cycle" else t))
        elif self.mode == "exp_range":
            height *= self.gamma**t
        elif self.mode == "triangular2":
            height *= 2.0 ** (1 - cycle)
        return float(start + (peak - start) * height)

    def _rate(self, t: int, i: int, base: float) -> float:
        low = self.of_group("base_lr", i)
        return self._between(t, low, self.of_group("max_lr", i), low)


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
    factor: Inner = 0.1
    patience: Whole = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Whole = 0
    min_lr: PerGroup = 0.0
    eps: NonNegative = 1e-8

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Begin without a best metric."""
        self.best: float = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs: int = 0
        self.cooldown_counter: int = 0

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
            message = f"the metric is nan at epoch {self.last_epoch + 1}; it counts as no improvement"
            warnings.warn(message, UserWarning, stacklevel=2)
        better = self.is_better(metric)
        bad = 0 if better or self.cooldown_counter else self.num_bad_epochs + 1
        reduce = bad > self.patience
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self._set(self.last_epoch + 1, [self._reduced(i, rate) for i, rate in enumerate(rates)] if reduce else rates)
        self.best = metric if better else self.best
        self.num_bad_epochs = 0 if reduce else bad
        self.cooldown_counter = self.cooldown if reduce else max(0, self.cooldown_counter - 1)

    def _reduced(self, i: int, rate: float) -> float:
        lower = max(rate * self.factor, self.of_group("min_lr", i))
        return lower if rate - lower > self.eps else rate

    _advance = step

    def _rate(self, t: int, i: int, base: float) -> float:
        return base

    def _restart(self) -> None:
        self._set(self.last_epoch, self.base_lrs)
