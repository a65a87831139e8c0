"""Schedules that anneal the rate to a given value, or plan a fixed number of steps."""

from typing import Annotated, Literal

from optim.options import Count, NonNegative, Portion, Whole
from optim.typing import Group

from . import functions
from .base import LRScheduler, PerGroup

__all__ = [
    "REXLR", "SWALR", "ChebyshevLR", "CosLog4LR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "FlatCosineLR",
    "PiecewiseLinearLR",
]  # fmt: skip


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
