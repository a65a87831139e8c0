"""Combinations of schedules."""

from collections.abc import Sequence
from typing import ClassVar, NoReturn

from optim.options import Count, checked

from . import functions
from .base import HasGroups, LRScheduler, checked_metric, steps_taken

__all__ = ["ChainedScheduler", "SequentialLR", "WarmupLR"]


class Ramp(LRScheduler, curve=functions.warmup):
    """The rising part of `WarmupLR`."""

    steps: Count


class Combined(LRScheduler):
    """Base class of schedules that consist of other schedules."""

    _schedulers: list[LRScheduler]
    _starting: ClassVar[slice] = slice(None)  # the parts that are in effect at step 0

    def __init__(self, optimizer: HasGroups | None, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        if not isinstance(schedulers, list | tuple) or not schedulers:
            raise ValueError(f"{name} needs a list of at least one schedule, got {schedulers!r}")
        for i, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                raise TypeError(f"{name} combines schedules, and item {i} is {type(schedule).__name__}")
            if optimizer is not None and schedule.optimizer is not optimizer:
                raise ValueError(f"{name} needs schedules of one optimizer, and item {i} has another")
            optimizer = schedule.optimizer
        self._schedulers = list(schedulers)
        self.optimizer: HasGroups = schedulers[0].optimizer
        self._steps_at_start = steps_taken(self.optimizer)
        self._record(0)

    def lr_at(self, t: int, i: int = 0) -> NoReturn:
        """Raise NotImplementedError: a combination has no closed form; use `optim.lr_scheduler.preview`."""
        raise NotImplementedError(f"{type(self).__name__} has no closed form; use preview(schedule, steps)")

    @property
    def steps_per_batch(self) -> bool:  # type: ignore[override]
        """True if a part is counted in batches."""
        return any(schedule.steps_per_batch for schedule in self._schedulers)

    @property
    def needs_metric(self) -> bool:  # type: ignore[override]
        """True if a part needs a metric."""
        return any(schedule.needs_metric for schedule in self._schedulers)

    def step(self, metrics: float | None = None) -> None:
        """Go to the next step; `metrics` is forwarded to the parts that need it, such as `ReduceLROnPlateau`."""
        self._check_order()
        self._advance(metrics)

    def _begin(self) -> None:
        for schedule in self._schedulers[self._starting]:
            schedule._begin()
        self._record(0)

    def _restart(self) -> None:
        first, *others = self._schedulers[self._starting]
        first._restart()
        for schedule in others:
            schedule._begin()
        self._record(0)

    def _record(self, t: int) -> None:
        """Store the number of a step whose rates have been set."""
        self.last_epoch = t
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


class ChainedScheduler(Combined):
    """Step several schedules together, so that their factors are multiplied.

    Parameters
    ----------
    schedulers : list of LRScheduler
        Schedules of one optimizer, stepped in this order.
    optimizer : Optimizer, optional
        Their optimizer, for validation.

    Notes
    -----
    As in PyTorch, schedules with a floor anneal towards it from the present rate, and `LambdaLR`,
    `CosineAnnealingWarmRestarts`, `CyclicLR` and `OneCycleLR` overwrite the rates of those before them.

    Examples
    --------
    >>> from optim.lr_scheduler import ConstantLR, ExponentialLR, Rates
    >>> optimizer = Rates(0.8)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    >>> schedule = ChainedScheduler(parts)
    >>> schedule.step(), schedule.step(), schedule.get_last_lr()
    (None, None, [0.2])
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: HasGroups | None = None) -> None:
        super().__init__(optimizer, schedulers)

    def _advance(self, metrics: float | None = None) -> None:
        if self.needs_metric:
            metrics = checked_metric(metrics)  # before any part has changed
        for schedule in self._schedulers:
            schedule._advance(metrics)
        self._record(self.last_epoch + 1)


class SequentialLR(Combined):
    """Run schedules one after another; at each milestone the next one starts from the initial rate.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer whose learning rates are set.
    schedulers : list of LRScheduler
        In the order in which they run.
    milestones : list of int
        The first step of every schedule except the first, in increasing order.

    Notes
    -----
    As in PyTorch, each schedule counts its own steps from 0, and `SWALR` and `MultiplicativeLR` start from the present
    rate. To resume a sequence use `load_state_dict`; it has no `last_epoch`. In optax it is ``join_schedules``.

    Examples
    --------
    >>> from optim.lr_scheduler import ConstantLR, ExponentialLR, Rates, preview
    >>> optimizer = Rates(0.8)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=9), ExponentialLR(optimizer, gamma=0.5)]
    >>> preview(SequentialLR(optimizer, parts, milestones=[2]), 5)
    [0.4, 0.4, 0.8, 0.4, 0.2]
    """

    _starting = slice(1)

    def __init__(self, optimizer: HasGroups, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        super().__init__(optimizer, schedulers)
        self.milestones: list[int] = checked("SequentialLR", "milestones", milestones, list[Count])
        if self.milestones != sorted(self.milestones) or len(self.milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{len(schedulers)} schedules need {len(schedulers) - 1} milestones in increasing order, "
                f"got {self.milestones}"
            )
        for group, rate in zip(optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = rate
        self._begin()

    def _advance(self, metrics: float | None = None) -> None:
        t = self.last_epoch + 1
        turn = sum(step <= t for step in self.milestones)
        if turn > 0 and self.milestones[turn - 1] == t:
            self._schedulers[turn]._restart()
        else:
            self._schedulers[turn]._advance(metrics)
        self._record(t)


class WarmupLR(Combined):
    """Warm up linearly to the first rate of a schedule, then run the schedule from its beginning.

    ``eta_t = schedule(0) * warmup(t, steps)`` for ``t < steps``, with `functions.warmup`, then ``schedule(t - steps)``.

    Parameters
    ----------
    schedule : LRScheduler
        Any schedule, `ReduceLROnPlateau` included (pass the metric to ``step``).
    steps : int
        Number of updates of the warm-up.

    Notes
    -----
    PyTorch combines a ``LinearLR`` and the schedule by ``SequentialLR`` instead. optax's
    ``warmup_cosine_decay_schedule`` starts at 0, so its first update has no effect.

    Examples
    --------
    >>> from optim.lr_scheduler import ExponentialLR, Rates, preview
    >>> preview(WarmupLR(ExponentialLR(Rates(0.8), gamma=0.5), steps=4), 7)
    [0.2, 0.4, 0.6..., 0.8, 0.8, 0.4, 0.2]
    """

    def __init__(self, schedule: LRScheduler, steps: int) -> None:
        self.steps: int = checked("WarmupLR", "steps", steps, Count)
        super().__init__(None, [schedule])
        self._schedulers.append(Ramp(self.optimizer, self.steps))
        self._record(0)

    def _advance(self, metrics: float | None = None) -> None:
        schedule, ramp = self._schedulers
        if self.last_epoch < self.steps:
            ramp._advance()
        else:
            schedule._advance(metrics)
        self._record(self.last_epoch + 1)
