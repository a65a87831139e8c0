"""Schedules for a given number of steps: REX, flat and cosine, cos-log waves, piecewise linear, Chebyshev."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

from optim.options import Count, NonNegative, Portion, Whole
from optim.typing import Group

from . import functions
from .base import LRScheduler

__all__ = ["REXLR", "ChebyshevLR", "CosLog4LR", "FlatCosineLR", "PiecewiseLinearLR"]


class REXLR(LRScheduler):
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
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.rex)


class FlatCosineLR(LRScheduler):
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
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.flat_cosine)


class CosLog4LR(LRScheduler):
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
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.cos_log4)


class PiecewiseLinearLR(LRScheduler):
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
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.piecewise_linear)

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Raise ValueError unless there is a factor for each of the ascending milestones."""
        if len(self.milestones) != len(self.factors) or sorted(set(self.milestones)) != self.milestones:
            raise ValueError(
                f"PiecewiseLinearLR expected ascending milestones and as many factors, got {self.milestones} and "
                f"{self.factors}"
            )


class ChebyshevLR(LRScheduler):
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
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.chebyshev)
