"""What every schedule shares: groups, the step count, changes by others, and state.

A schedule is a pure function of the step; this class only carries its value into the parameter groups::

    eta_t = floor + (eta_0 - floor) * factor(t)

so a schedule is usually its `factor`, one line.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Protocol, get_origin

from optim.options import Fraction, NonNegative, Options

__all__ = ["LRScheduler", "Rates"]

Group = dict[str, Any]
PerGroup = NonNegative | list[NonNegative]
Momenta = Fraction | list[Fraction]


class HasGroups(Protocol):
    """What a schedule needs of an optimizer: groups with a rate each."""

    param_groups: list[Group]


class Rates:
    """Parameter groups without parameters, to look at a schedule without an optimizer.

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


def groups_of(optimizer: Any) -> list[Group]:
    """Return the parameter groups of `optimizer`, or say that it is none."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, list) or not all(isinstance(group, dict) and "lr" in group for group in groups):
        raise TypeError(
            f"a schedule needs an optimizer with param_groups, not {type(optimizer).__name__}; "
            "write for instance StepLR(SGD(model.parameters(), lr=0.1), step_size=30)"
        )
    return groups


def initial_rates(optimizer: HasGroups) -> list[float]:
    """Return the initial rate of each group: ``initial_lr``, or the present rate where no schedule has set it."""
    return [group["initial_lr" if "initial_lr" in group else "lr"] for group in optimizer.param_groups]


def checked_metric(metric: Any) -> float:
    """Return a metric as a float."""
    if metric is None:
        raise TypeError("ReduceLROnPlateau.step needs the metric it watches: scheduler.step(loss)")
    return float(metric)


def steps_taken(optimizer: Any) -> int | None:
    """Return how often the optimizer was stepped, those it skipped included; None if it does not count."""
    count = getattr(optimizer, "step_count", None)
    return None if count is None else int(count) + int(getattr(optimizer, "skipped", 0))


class LRScheduler(Options):
    """A learning rate that follows a function of the step count, in every parameter group.

    A subclass says `factor`, and `floor` where its curve does not run to 0::

        eta_t = floor + (eta_0 - floor) * factor(t)

    Parameters
    ----------
    optimizer : Optimizer
        Anything with `param_groups`.
    last_epoch : int, default -1
        Where to go on: the last step that was finished; -1 starts.  Otherwise the groups must have an
        ``initial_lr``, and the rate becomes the schedule's value at ``last_epoch + 1``.

    Raises
    ------
    TypeError
        If `optimizer` is not an optimizer.
    KeyError
        If `last_epoch` is not -1 and a group has no ``initial_lr``.

    Notes
    -----
    Values come from the closed form, so no rounding piles up.  When somebody else changed a group's rate
    since the last step (another schedule, or you), the change is kept as a factor: the curve goes on from
    there.  That is what PyTorch's recursive forms do, and what makes schedules chainable; those that PyTorch
    computes from the initial rate alone say `absolute`, and overwrite.  A group added later joins at the
    rate it brings.  Only after a step whose factor is exactly 0 does a curve start from ``initial_lr`` again.

    Nothing patches the optimizer.  Where it counts its steps (`step_count`), stepping the schedule before
    the optimizer is noticed and warned about once.  Unlike PyTorch's, `load_state_dict` also puts the rates
    back into the groups, so the order in which optimizer and schedule are loaded does not matter.

    Examples
    --------
    >>> class Halving(LRScheduler):
    ...     def factor(self, t, i):
    ...         return 0.5**t
    >>> schedule = Halving(Rates(0.8))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.4]
    """

    first: ClassVar[str] = "optimizer"
    optimizer: HasGroups
    _: KW_ONLY
    last_epoch: Annotated[int, "[-1, inf)"] = -1

    curve: ClassVar[Callable[..., float] | None] = None  # function of the step and of options of the same names
    absolute: ClassVar[bool] = False  # overwrite changes made by others
    steps_per_batch: ClassVar[bool] = False  # counted in batches, not in epochs
    needs_metric: ClassVar[bool] = False  # step() takes the metric of the epoch
    transient: ClassVar[tuple[str, ...]] = ("optimizer", "_steps_at_start", "_schedulers")  # not in state_dict
    _schedulers: Sequence[Any] = ()

    def __init__(self, optimizer: HasGroups, *args: Any, **options: Any) -> None:
        last_epoch = self._set_options(optimizer, args, options)
        groups = optimizer.param_groups
        for i, group in enumerate(groups if last_epoch >= 0 else ()):
            if "initial_lr" not in group:
                raise KeyError(
                    f"parameter group {i} has no 'initial_lr', which last_epoch={last_epoch} starts from; "
                    "load the optimizer's state_dict first, or leave last_epoch=-1"
                )
        self.prepare(groups, last_epoch == -1)
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in groups]
        self._bases = list(self.base_lrs)  # the initial rates, with the changes made by others
        self._last_lr: list[float] = []
        self._steps_at_start: int | None = steps_taken(optimizer)
        if last_epoch == -1:
            self._begin()
        else:
            self._jump(last_epoch + 1)

    def _set_options(self, optimizer: HasGroups, args: tuple[Any, ...], options: dict[str, Any]) -> int:
        """Store the optimizer and the checked options as attributes, and return `last_epoch`."""
        groups = groups_of(optimizer)
        found = self.collected(args, options)
        last_epoch = found.pop("last_epoch")
        for name, values in found.items():
            if isinstance(values, list) and get_origin(self.hints[name]) is not list and len(values) != len(groups):
                raise ValueError(
                    f"{name} has {len(values)} values for {len(groups)} parameter groups; "
                    "pass one per group, or one for all"
                )
        vars(self).update(found, optimizer=optimizer)
        return int(last_epoch)

    def prepare(self, groups: list[Group], fresh: bool) -> None:
        """Check options together and, if the schedule is `fresh`, set initial rates of its own."""

    def factor(self, t: int, i: int) -> float:
        """Return the factor of the initial rate of group `i` at step `t`: by default the `curve` of the class."""
        if self.curve is None:
            raise NotImplementedError(f"{type(self).__name__} must define factor(t, i)")
        names = self.curve.__code__.co_varnames[1 : self.curve.__code__.co_argcount]
        return self.curve(t, *[getattr(self, name) for name in names])

    def of_group(self, name: str, i: int) -> Any:
        """Return the value of an option for group `i`."""
        values = getattr(self, name)
        if not isinstance(values, list):
            return values
        if i >= len(values):
            raise ValueError(
                f"{name} was given for {len(values)} parameter groups, and group {i} was added later; "
                f"give one {name} for all groups, or make the schedule after the last add_param_group"
            )
        return values[i]

    def floor(self, i: int) -> float:
        """Return the rate of group `i` at which a factor of 0 leaves it."""
        return 0.0

    def lr_at(self, t: int, i: int = 0) -> float:
        """Return the learning rate of group `i` at step `t`, whatever the present step is."""
        floor = self.floor(i)
        return floor + (self._bases[i] - floor) * self.factor(t, i)

    def get_last_lr(self) -> list[float]:
        """Return the learning rates this schedule set last, one per parameter group."""
        return list(self._last_lr)

    def step(self) -> None:
        """Go to the next step and set the learning rates; call it after ``optimizer.step()``."""
        self._check_order()
        self._advance()

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on from here, as plain numbers, strings and lists.

        Functions you passed (`lr_lambda`, `scale_fn`) are code and are not included.
        """
        state: dict[str, Any] = {"scheduler": type(self).__name__}
        state |= {key: copy.deepcopy(value) for key, value in vars(self).items() if key not in self.transient}
        state["schedulers"] = [schedule.state_dict() for schedule in self._schedulers]
        driven = self._driven()
        state["groups"] = [{key: group[key] for key in driven} for group in self.optimizer.param_groups]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; the rates return to the parameter groups as well.

        Raises
        ------
        ValueError
            If the state belongs to another schedule or another number of groups; nothing is changed then.
        """
        self._check_state(state_dict)
        self._load(state_dict)
        if self.last_epoch > 0:
            self._steps_at_start = None
        for group, saved in zip(self.optimizer.param_groups, state_dict["groups"], strict=True):
            for key, value in saved.items():
                group[key] = tuple(value) if isinstance(value, list) else value

    def _driven(self) -> list[str]:
        """Return the names of what this schedule sets in a group."""
        return sorted({"lr"}.union(*(schedule._driven() for schedule in self._schedulers)))

    def _check_state(self, state: Mapping[str, Any]) -> None:
        name = type(self).__name__
        found = state.get("scheduler", "no schedule") if isinstance(state, Mapping) else type(state).__name__
        if found != name:
            raise ValueError(f"this is a state of {found}, and cannot be loaded into {name}")
        expected = {"scheduler", "schedulers", "groups"} | (set(vars(self)) - set(self.transient))
        if set(state) != expected:
            missing, extra = sorted(expected - set(state)), sorted(set(state) - expected)
            raise ValueError(f"the state of {name} does not fit: missing {missing}, unexpected {extra}")
        for what, given, wanted in (
            ("parameter groups", state["groups"], self.optimizer.param_groups),
            ("schedules", state["schedulers"], self._schedulers),
        ):
            if len(given) != len(wanted):
                raise ValueError(f"the state of {name} has {len(given)} {what}, this one has {len(wanted)}")
        for schedule, inner in zip(self._schedulers, state["schedulers"], strict=True):
            schedule._check_state(inner)

    def _load(self, state: Mapping[str, Any]) -> None:
        for key in set(vars(self)) - set(self.transient):
            setattr(self, key, copy.deepcopy(state[key]))
        for schedule, inner in zip(self._schedulers, state["schedulers"], strict=True):
            schedule._load(inner)

    def _check_order(self) -> None:
        steps_at_start, self._steps_at_start = self._steps_at_start, None  # checked on the first step only
        if steps_at_start is not None and steps_at_start == steps_taken(self.optimizer):
            warnings.warn(
                f"{type(self).__name__}.step() came before optimizer.step(), so the rate that the schedule set first "
                "was never used; the order is optimizer.step(), then scheduler.step()",
                UserWarning,
                stacklevel=3,
            )

    def _begin(self) -> None:
        """Set the rates of step 0, starting from the rates the groups have now."""
        self.last_epoch = -1
        self._last_lr = [math.nan] * len(self.base_lrs)
        self._advance()

    def _jump(self, t: int) -> None:
        """Set the rates of step `t`, starting from the initial rates."""
        self._follow_groups()
        self.last_epoch = t
        self._bases = list(self.base_lrs)
        self._set([self.lr_at(t, i) for i in range(len(self.base_lrs))])

    def _restart(self) -> None:
        """Set the rates of step 0 when a sequence comes to this schedule."""
        self._jump(0)

    def _advance(self, metrics: Any = None) -> None:
        """Set the rates of the next step; a refusal leaves everything as it was."""
        before = self.last_epoch, list(self.base_lrs), list(self._bases), list(self._last_lr)
        try:
            self._follow_groups()
            t = self.last_epoch + 1
            rates = [self._next_lr(t, i, group["lr"]) for i, group in enumerate(self.optimizer.param_groups)]
            self.last_epoch = t
            self._set(rates)
        except BaseException:
            self.last_epoch, self.base_lrs, self._bases, self._last_lr = before
            raise

    def _follow_groups(self) -> None:
        """Take in groups that were added since the last step, at the rates they bring."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            group.setdefault("initial_lr", group["lr"])
            base = group["initial_lr"]
            self.base_lrs.append(base)
            self._bases.append(base)
            self._last_lr.append(math.nan)

    def _next_lr(self, t: int, i: int, found: float) -> float:
        """Return the rate of group `i` at step `t`, given the rate `found` there."""
        if not self.absolute:
            floor = self.floor(i)
            before = self.factor(t - 1, i) if t > 0 else 1.0
            if before == 0.0:
                # Nothing of the initial rate is left to scale: PyTorch's cosine adds it again from here.
                now = self.factor(t, i)
                if now == 0.0:
                    return found
                self._bases[i] = self.base_lrs[i] + (found - floor) / now
            elif found != self._last_lr[i]:
                self._bases[i] = floor + (found - floor) / before
        return self.lr_at(t, i)

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)
