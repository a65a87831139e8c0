"""Schedules that anneal to a rate of their own, along a cosine or a line."""

from __future__ import annotations

from typing import Literal

from optim.options import Count, NonNegative, Whole

from . import functions
from .base import LRScheduler, PerGroup

__all__ = ["SWALR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    """Bring the rate to `eta_min` along half a cosine, and back up in the next `T_max` steps.

    ``eta_t = eta_min + (eta_0 - eta_min) * (1 + cos(pi t / T_max)) / 2``

    Parameters
    ----------
    optimizer : Optimizer
        Whose rates to set.
    T_max : int
        Steps from the top to the bottom, at least 1.
    eta_min : float, default 0.0
        The rate at the bottom.
    last_epoch : int, default -1
        The last step that was finished, to go on after it.

    Notes
    -----
    Loshchilov & Hutter 2017 (SGDR), equation 5, without restarts.  optax's ``cosine_decay_schedule`` and
    Keras's ``CosineDecay`` stay at the bottom, which they give as a share `alpha` of the initial rate.

    Examples
    --------
    >>> from optim.lr_scheduler import preview
    >>> preview(CosineAnnealingLR, 5, lr=1.0, T_max=2, eta_min=0.5)
    [1.0, 0.75, 0.5, 0.75, 1.0]
    """

    T_max: Count
    eta_min: NonNegative = 0.0
    curve = staticmethod(functions.cosine)

    def floor(self, i: int) -> float:
        """Return `eta_min`."""
        return self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Anneal along a cosine and start again, after `T_0` steps, then ``T_0 * T_mult``, and so on.

    ``eta_t = eta_min + (eta_0 - eta_min) * (1 + cos(pi T_cur / T_i)) / 2``, with ``T_cur`` the steps since
    the last restart and ``T_i`` the length of this cycle.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rates to set.
    T_0 : int
        Length of the first cycle, at least 1.
    T_mult : int, default 1
        Factor from one cycle to the next.
    eta_min : float, default 0.0
        The rate at the bottom.
    last_epoch : int, default -1
        The last step that was finished, to go on after it.

    Notes
    -----
    Loshchilov & Hutter 2017 (SGDR), equation 5.  It overwrites what a schedule before it did, as
    PyTorch's; PyTorch's ``step(epoch)`` with a fraction of an epoch is not offered: count steps.

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
    curve = staticmethod(functions.cosine_restarts)

    def floor(self, i: int) -> float:
        """Return `eta_min`."""
        return self.eta_min


class SWALR(LRScheduler):
    """Anneal from the rate found to a constant `swa_lr`, under which the weights are averaged.

    ``eta_t = swa_lr + (eta_0 - swa_lr) * (1 - alpha(t / anneal_epochs))``, alpha a half cosine or a line.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rates to set.
    swa_lr : float, or list of one per group
        The rate to arrive at.
    anneal_epochs : int, default 10
        Steps of the way; 0 jumps.
    anneal_strategy : {'cos', 'linear'}, default 'cos'
        The curve.
    last_epoch : int, default -1
        The last step that was finished, to go on after it.

    Notes
    -----
    Izmailov et al. 2018, section 3.2.  Make it at the start, step the main schedule, and when averaging
    begins step this one in its place: it starts from the rate it finds.

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
