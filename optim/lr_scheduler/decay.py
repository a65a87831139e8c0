"""Schedules that decay the rate: in steps, as a power, or by a user-defined function."""

from collections.abc import Callable

from optim.options import Count, NonNegative, Positive, Whole
from optim.typing import Group

from . import functions
from .base import LRScheduler

__all__ = [
    "ExponentialLR", "InverseSqrtLR", "InverseTimeLR", "LambdaLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR",
    "StepLR",
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
