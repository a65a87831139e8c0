"""Schedules that anneal the rate to a given value, along a cosine or a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from optim.options import Count, NonNegative, Whole

from . import functions
from .base import LRScheduler, PerGroup

__all__ = ["SWALR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
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
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.cosine)

    def floor(self, i: int) -> float:
        """Return `eta_min`."""
        return self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Anneal the rate along a cosine and restart, with the factor `functions.cosine_restarts`.

    ``eta_t = eta_min + (eta_0 - eta_min) * cosine_restarts(t, T_0, T_mult)``

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
    absolute = True
    curve: ClassVar[Callable[..., float] | None] = staticmethod(functions.cosine_restarts)

    def floor(self, i: int) -> float:
        """Return `eta_min`."""
        return self.eta_min


class SWALR(LRScheduler):
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

    def factor(self, t: int, i: int) -> float:
        """Return `functions.swa_annealing` with this schedule's options."""
        return functions.swa_annealing(t, self.anneal_epochs, self.anneal_strategy)

    def floor(self, i: int) -> float:
        """Return `swa_lr`."""
        return float(self.of_group("swa_lr", i))

    def _restart(self) -> None:
        self._begin()  # anneal from the last rate of the schedule before
