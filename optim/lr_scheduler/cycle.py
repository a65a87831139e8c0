"""Schedules that raise and lower the rate, once or periodically, and the momentum in the opposite direction."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from optim.options import Count, Portion, Positive
from optim.typing import Group

from . import functions
from .base import LRScheduler, Momenta, PerGroup

__all__ = ["CyclicLR", "OneCycleLR"]


class MomentumCycling(LRScheduler, absolute=True, steps_per_batch=True):
    """A schedule that also changes the momentum in the opposite direction: 'momentum', or the first of 'betas'."""

    @property
    def _cycled(self) -> list[Group]:
        """The groups whose momentum is cycled: all, or none if ``cycle_momentum=False``."""
        return self.optimizer.param_groups if self.of_group("cycle_momentum", 0) else []

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Raise ValueError if a group has no momentum to cycle."""
        for i, group in enumerate(self._cycled):
            if "momentum" not in group and "betas" not in group:
                raise ValueError(
                    f"cycle_momentum=True needs 'momentum' or 'betas' in parameter group {i} of "
                    f"{type(self.optimizer).__name__}; pass cycle_momentum=False"
                )

    def _between(self, t: int, start: float, peak: float, end: float) -> float:
        """Return the value at step `t` of a cycle from `start` through `peak` to `end`."""
        raise NotImplementedError

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
