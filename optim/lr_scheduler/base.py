"""Base class of the schedules: parameter groups, step count, external changes of the rate, state, and preview.

A schedule is a pure function of the step, and the base class writes its value into the parameter groups::

    eta_t = floor + (eta_0 - floor) * curve(t)
"""

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Protocol, cast, get_origin

from optim.checks import require_keys
from optim.options import Count, Fraction, NonNegative, Options, argument_names, checked
from optim.typing import Group, StateDict

__all__ = ["LRScheduler", "Rates", "preview", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"

PerGroup = NonNegative | list[NonNegative]
Momenta = Fraction | list[Fraction]


class HasGroups(Protocol):
    """An optimizer as seen by a schedule: a list of groups, each with a learning rate."""

    param_groups: list[Group]


class Rates:
    """Parameter groups without parameters, to inspect a schedule without an optimizer.

    Parameters
    ----------
    *lrs : float
        One initial rate per group.

    Examples
    --------
    >>> from optim.lr_scheduler import ExponentialLR
    >>> schedule = ExponentialLR(Rates(0.8, 0.4), gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.4, 0.2]
    """

    def __init__(self, *lrs: float) -> None:
        self.param_groups: list[Group] = [{"lr": lr, "momentum": 0.0} for lr in lrs]


def checked_metric(metric: float | None) -> float:
    """Return a metric as a float."""
    if metric is None:
        raise TypeError("ReduceLROnPlateau.step needs the monitored metric: scheduler.step(loss)")
    return float(metric)


def steps_taken(optimizer: object) -> int | None:
    """Return the number of steps of the optimizer, including skipped ones; None if it does not count them."""
    count = getattr(optimizer, "step_count", None)
    return None if count is None else int(count) + int(getattr(optimizer, "skipped", 0))


class LRScheduler(Options):
    """A learning rate that is a function of the step count, in every parameter group.

    A subclass names its `curve`, a function of the step and of options of the same names::

        eta_t = floor + (eta_0 - floor) * curve(t)

    Options are typed class attributes; the floor is the option ``eta_min``, or 0.

    Parameters
    ----------
    optimizer : Optimizer
        Any object with `param_groups`.
    last_epoch : int, default -1
        The last completed step; -1 starts from the beginning. Otherwise the groups must have an ``initial_lr``, and
        the rate is set to the value of the schedule at ``last_epoch + 1``.

    Raises
    ------
    TypeError
        If `optimizer` is not an optimizer.
    KeyError
        If `last_epoch` is not -1 and a group has no ``initial_lr``.

    Notes
    -----
    Rates are computed from the closed form, so rounding errors do not accumulate. If another schedule or the user has
    changed the rate of a group since the last step, the change is kept as a factor and the curve continues from there.
    PyTorch's recursive forms behave in the same way, which makes schedules chainable; schedules that PyTorch computes
    from the initial rate alone are `absolute` and overwrite the change. A group added later starts at its own rate.
    Only after a step whose factor is exactly 0 does a curve start from ``initial_lr`` again.

    The optimizer is not patched. If it counts its steps (`step_count`), a warning is emitted once if the schedule is
    stepped before the optimizer. Unlike in PyTorch, `load_state_dict` also restores the rates of the groups, so
    optimizer and schedule can be loaded in any order.

    Examples
    --------
    >>> class Halving(LRScheduler, curve=lambda t, every: 0.5 ** (t // every)):
    ...     every: int = 1
    >>> schedule = Halving(Rates(0.8))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.4]
    """

    first: ClassVar[str] = "optimizer"
    optimizer: HasGroups
    _: KW_ONLY
    last_epoch: Annotated[int, "[-1, inf)"] = -1

    curve: ClassVar[Callable[..., float]]  # function of the step and of options of the same names
    final: ClassVar[str] = "eta_min"  # option with the rate where the curve is 0
    absolute: ClassVar[bool] = False  # overwrite changes made by others
    steps_per_batch: ClassVar[bool] = False  # counted in batches, not in epochs
    needs_metric: ClassVar[bool] = False  # step() takes the metric of the epoch
    transient: ClassVar[tuple[str, ...]] = ("optimizer", "_steps_at_start", "_schedulers")  # not in state_dict
    _schedulers: Sequence[Any] = ()

    def __init__(self, optimizer: HasGroups, *args: object, **options: object) -> None:
        groups = getattr(optimizer, "param_groups", None)
        if not isinstance(groups, list) or not all(isinstance(group, dict) and "lr" in group for group in groups):
            raise TypeError(
                f"a schedule needs an optimizer with param_groups, got {type(optimizer).__name__}; "
                "write for example StepLR(SGD(model.parameters(), lr=0.1), step_size=30)"
            )
        found = self.collect(args, options)
        last_epoch: int = found.pop("last_epoch", -1)
        vars(self).update(found, optimizer=optimizer)
        for name in found:
            self.of_group(name, 0)
        missing = [i for i, group in enumerate(groups) if "initial_lr" not in group]
        if missing and last_epoch >= 0:
            raise KeyError(
                f"parameter group {missing[0]} has no 'initial_lr', which last_epoch={last_epoch} starts from; "
                "load the optimizer's state_dict first, or leave last_epoch=-1"
            )
        self.prepare(groups, last_epoch == -1)
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        self._steps_at_start: int | None = steps_taken(optimizer)
        if last_epoch == -1:
            self._begin()
        else:
            self._set(last_epoch + 1, self.base_lrs)

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Check options together and, if the schedule is `fresh`, set initial rates of its own."""

    @property
    def base_lrs(self) -> list[float]:
        """The initial rate of each group: ``initial_lr``, or the present rate where no schedule has set it."""
        return [group["initial_lr" if "initial_lr" in group else "lr"] for group in self.optimizer.param_groups]

    def of_group(self, name: str, i: int) -> Any:
        """Return the value of an option for group `i`."""
        values, groups = getattr(self, name), self.optimizer.param_groups
        if not isinstance(values, list) or get_origin(self.hints[name]) is list:
            return values
        if len(values) != len(groups):
            raise ValueError(
                f"{name} has {len(values)} values for {len(groups)} parameter groups; "
                "pass one per group, or one for all"
            )
        return values[i]

    def _factor(self, t: int, i: int) -> float:
        """Return the value of the curve for group `i` at step `t`."""
        curve = type(self).curve
        return float(curve(t, *[self.of_group(name, i) for name in argument_names(curve)[0]]))

    def _floor(self, i: int) -> float:
        """Return the rate of group `i` where the curve is 0."""
        return float(self.of_group(self.final, i)) if self.final in self.options else 0.0

    def _rate(self, t: int, i: int, base: float) -> float:
        """Return the rate of group `i` at step `t`, of a curve that starts from `base`."""
        floor = self._floor(i)
        return floor + (base - floor) * self._factor(t, i)

    def lr_at(self, t: int, i: int = 0) -> float:
        """Return the learning rate of group `i` at any step `t`."""
        return self._rate(t, i, self._bases[i])

    def get_last_lr(self) -> list[float]:
        """Return the last learning rates set by this schedule, one per parameter group."""
        return list(self._last_lr)

    def step(self) -> None:
        """Set the learning rates of the next step; call it after ``optimizer.step()``."""
        self._check_order()
        self._advance()

    def state_dict(self) -> StateDict:
        """Return everything needed to resume, as floats, strings and lists.

        Functions (`lr_lambda`, `scale_fn`) are not included.
        """
        state: StateDict = {"scheduler": type(self).__name__}
        state |= {key: copy.deepcopy(value) for key, value in vars(self).items() if key not in self.transient}
        state["schedulers"] = [schedule.state_dict() for schedule in self._schedulers]
        driven = self._group_keys()
        state["groups"] = [{key: group[key] for key in driven if key in group} for group in self.optimizer.param_groups]
        return state

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a `state_dict` and the rates in the parameter groups, atomically.

        Raises
        ------
        ValueError
            If the state belongs to another schedule or to another number of groups.
        """
        self._check_state(state_dict)
        self._load(state_dict)
        if self.last_epoch > 0:
            self._steps_at_start = None
        for group, saved in zip(self.optimizer.param_groups, state_dict["groups"], strict=True):
            for key, value in saved.items():
                group[key] = tuple(value) if isinstance(value, list) else value

    def _group_keys(self) -> list[str]:
        """Return the names of the group entries set by this schedule."""
        return sorted({"initial_lr", "lr"}.union(*(schedule._group_keys() for schedule in self._schedulers)))

    def _check_state(self, state: StateDict) -> None:
        name = type(self).__name__
        require_keys(state, name, "scheduler", "schedulers", "groups", *sorted(set(vars(self)) - set(self.transient)))
        for what, given, wanted in (
            ("parameter groups", state["groups"], self.optimizer.param_groups),
            ("schedules", state["schedulers"], self._schedulers),
        ):
            if len(given) != len(wanted):
                raise ValueError(f"the state of {name} has {len(given)} {what}, this one has {len(wanted)}")
        for schedule, inner in zip(self._schedulers, state["schedulers"], strict=True):
            schedule._check_state(inner)

    def _load(self, state: StateDict) -> None:
        for key in set(vars(self)) - set(self.transient):
            setattr(self, key, copy.deepcopy(state[key]))
        for schedule, inner in zip(self._schedulers, state["schedulers"], strict=True):
            schedule._load(inner)

    def _check_order(self) -> None:
        steps_at_start, self._steps_at_start = self._steps_at_start, None  # checked on the first step only
        if steps_at_start is not None and steps_at_start == steps_taken(self.optimizer):
            reason = f"{type(self).__name__}.step() came before optimizer.step(), so its first rate was never used"
            warnings.warn(f"{reason}; call optimizer.step(), then scheduler.step()", UserWarning, stacklevel=3)

    def _begin(self) -> None:
        """Set the rates of step 0, starting from the present rates of the groups."""
        self._set(0, self.base_lrs if self.absolute else [group["lr"] for group in self.optimizer.param_groups])

    def _restart(self) -> None:
        """Set the rates of step 0 when a sequence reaches this schedule."""
        self._set(0, self.base_lrs)

    def _advance(self, metrics: float | None = None) -> None:
        """Set the rates of the next step, atomically."""
        t = self.last_epoch + 1
        bases, rates = zip(*[self._next(t, i) for i in range(len(self.optimizer.param_groups))], strict=True)
        self._set(t, bases, rates)

    def _next(self, t: int, i: int) -> tuple[float, float]:
        """Return the rate that the curve of group `i` starts from, with changes by others, and that of step `t`."""
        group = self.optimizer.param_groups[i]
        found, floor, is_new = float(group["lr"]), self._floor(i), i >= len(self._bases)  # groups may be added later
        base = group.setdefault("initial_lr", found) if is_new else self._bases[i]
        if not self.absolute:
            before, now = self._factor(t - 1, i), self._factor(t, i)
            if before == now == 0.0:
                return base, found
            if before == 0.0:  # a rate of 0 cannot be scaled: PyTorch's cosine adds the initial rate again from here
                base = group["initial_lr"] + (found - floor) / now
            elif is_new or found != self._last_lr[i]:
                base = floor + (found - floor) / before
        return base, self._rate(t, i, base)

    def _set(self, t: int, bases: Sequence[float], rates: Sequence[float] | None = None) -> None:
        """Set the rates of step `t`, by default those of a curve that starts from `bases`."""
        rates = [self._rate(t, i, base) for i, base in enumerate(bases)] if rates is None else rates
        self.last_epoch, self._bases, self._last_lr = t, list(bases), list(rates)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


def preview(
    schedule: LRScheduler | type[LRScheduler] | Callable[..., float], steps: int, lr: float = 1.0, *, group: int = 0,
    key: str = "lr", **options: object,
) -> list[float]:  # fmt: skip
    """Return the rates of a schedule for the next `steps` updates, without an optimizer.

    Parameters
    ----------
    schedule : LRScheduler, class, or callable
        A schedule (the curve starts at its present step; neither it nor its optimizer is changed), a class, or a
        function of the step, whose value is multiplied by `lr`.
    steps : int
        Length of the curve, at least 1.
    lr : float, default 1.0
        The initial rate, for a class or a function.
    group : int, default 0
        Index of the parameter group, for a schedule.
    key : str, default 'lr'
        Entry of the group, such as 'momentum' for `OneCycleLR`.
    **options
        Arguments of the class or the function.

    Returns
    -------
    list of float
        One rate per update.

    Examples
    --------
    >>> from optim.lr_scheduler import StepLR, functions
    >>> preview(StepLR, 4, lr=0.8, step_size=2, gamma=0.5)
    [0.8, 0.8, 0.4, 0.4]
    >>> preview(functions.step_decay, 4, lr=0.8, step_size=2, gamma=0.5)
    [0.8, 0.8, 0.4, 0.4]
    >>> preview(lambda t: 1 / (1 + t), 3)
    [1.0, 0.5, 0.333...]
    """
    checked("preview", "steps", steps, Count)
    if isinstance(schedule, type) and issubclass(schedule, LRScheduler):
        rates = Rates(lr)
        runner = schedule(rates, **options)
    elif isinstance(schedule, LRScheduler):
        rates = Rates()
        rates.param_groups = [
            {name: value for name, value in found.items() if name != "params"}
            for found in schedule.optimizer.param_groups
        ]
        # The copy of each part of the schedule refers to `rates` instead of the optimizer.
        runner = copy.deepcopy(schedule, {id(schedule.optimizer): rates})
    elif callable(schedule):
        return [float(lr * cast("Any", schedule)(t, **options)) for t in range(steps)]
    else:
        raise TypeError(f"preview needs a schedule, its class, or a function of the step, got {schedule!r}")
    curve: list[float] = []
    for t in range(steps):
        if t:
            runner._advance()
        value = rates.param_groups[group][key]
        curve.append(float(value[0] if isinstance(value, tuple) else value))
    return curve


def sparkline(curve: Sequence[float], width: int = 60) -> str:
    """Return a curve as one line of text, from its lowest to its highest value.

    Parameters
    ----------
    curve : sequence of float
        The result of `preview`.
    width : int, default 60
        Maximum number of characters; a longer curve is averaged in pieces.

    Examples
    --------
    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    '▁▂▃▄▅▆▇█'
    >>> from optim.lr_scheduler import CosineAnnealingLR
    >>> sparkline(preview(CosineAnnealingLR, 100, T_max=50), width=20)
    '██▇▆▅▄▃▂▁▁▁▁▂▃▄▅▆▇██'
    """
    checked("sparkline", "width", width, Count)
    values = [float(value) for value in curve]
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        values = [math.fsum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((v - low) * scale)] if math.isfinite(v) else "?" for v in values)
