"""`Optimizer`: parameter groups, steps and states, around a rule that is a paper's formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np

from .decay import descent, shrunk
from .flat_forms import FloatBundle, WholeBundle
from .flat_params import Array, Bundle, State, label, numbers
from .options import Options
from .trace import Trace, look
from .validation import as_groups, checked_entries, checked_state_dict

Group = dict[str, Any]
Work = list[tuple[Bundle, list[Any], Group]]


class Optimizer(Options):
    """Base of all optimizers: owns parameter groups, step counts, weight decay, state and speed.

    A kind of optimizer is options as typed attributes, `start` and `rule`. A rule names what it wants: gradient, the
    parts of its state, and by keyword options, the step count ``t`` (from 1) and the parameter ``p``.

    Parameters
    ----------
    params : iterable of parameters, of (name, parameter) pairs, or of dicts
        Leaves with ``.data`` and ``.grad``: `Tensor`s of any shape and float type, or `Value`s. Dicts are groups with
        options of their own, ``{"params": [...], "lr": 0.1}``.
    maximize : bool
        Climb instead of descend.
    skip_nonfinite : bool
        Leave everything untouched in a step in which some gradient holds nan or inf; `skipped` counts these steps.

    Attributes
    ----------
    param_groups : list of dict
        Options and ``'params'`` of every group; what a schedule changes.
    defaults : dict
        Options of a group that does not say otherwise.
    step_count : int
        Calls of `step` that moved something or could have.
    skipped : int
        Steps left out because of `skip_nonfinite`.
    culprits : list of str
        The parameters because of which the last of them was.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> class Heavy(Optimizer):
    ...     lr: float = 0.1
    ...     def start(self, zero):
    ...         return (zero,)
    ...     def rule(self, g, v, *, lr):
    ...         v = 0.9 * v + g
    ...         return lr * v, (v,)
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> Heavy([p], lr=0.25).step()
    >>> p.data
    0.5
    """

    params: Any
    _: KW_ONLY
    maximize: bool = False
    skip_nonfinite: bool = False

    elementwise: ClassVar[bool] = True
    """Whether the rule treats every number by itself; if not, it is given each parameter in its own shape."""
    own_decay: ClassVar[bool] = False
    """Whether the rule applies ``weight_decay`` itself."""
    needs_closure: ClassVar[bool] = False
    """Whether `step` evaluates the loss several times and therefore needs a closure."""
    decoupled_decay: ClassVar[bool] = False
    """Whether ``weight_decay`` shrinks the parameter instead of joining the gradient, whatever the group says."""
    kept: ClassVar[dict[str, Any]] = {}
    """Numbers that the optimizer itself keeps in every group, beside the options, and what they start from."""
    start: ClassVar[Callable[..., State]]
    rule: ClassVar[Callable[..., tuple[Any, State]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "rule"):
            code, start = cls.rule.__code__, cls.start.__code__
            asked = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            cls.state_names, cls.wanted = list(asked[2 : code.co_argcount]), list(asked[code.co_argcount :])
            names = start.co_varnames[: start.co_argcount + start.co_kwonlyargcount]
            cls.wanted_at_start = list(names[start.co_argcount :])

    state_names: ClassVar[list[str]] = []
    wanted: ClassVar[list[str]] = []
    wanted_at_start: ClassVar[list[str]] = []

    def __init__(self, params: Any, *args: Any, **options: Any) -> None:
        defaults = self.collected(args, options)
        self._skip_nonfinite = defaults.pop("skip_nonfinite")
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.step_count: int = 0
        self.skipped: int = 0
        self.culprits: list[str] = []
        self._bundles: list[list[Bundle]] = []
        self._wants_t, self._wants_p = "t" in self.wanted, "p" in self.wanted
        self._wants = [name for name in self.wanted if name not in ("t", "p")]
        for group in as_groups(params, type(self).__name__):
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own.

        Parameters
        ----------
        group : dict
            ``'params'`` and any options; options left out are taken from `defaults`.

        Raises
        ------
        TypeError, ValueError
            If an entry is no leaf parameter, is in a group already, or an option is unknown or out of range.
        """
        entries = checked_entries(self, group)
        self._bundles.append(self._bundled(entries["params"], [{"step": 0} for _ in entries["params"]], entries))
        self.param_groups.append(entries)

    @property
    def parameters(self) -> list[Any]:
        """All parameters, in order."""
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients.

        Parameters
        ----------
        set_to_none : bool
            Leave None, so that a parameter the next loss does not use is skipped; else zeros. A `Value` gets 0.0.
        """
        for bundles in self._bundles:
            for bundle in bundles:
                if set_to_none:
                    bundle.forget_gradients()
                    continue
                for p in bundle.members:
                    if type(p.data) is float:
                        p.grad = 0.0
                    elif p.grad is not None:
                        p.grad = np.zeros_like(p.data)

    # -- the step ------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient, all of them or, if anything fails, none.

        Parameters
        ----------
        closure : callable, optional
            Computes loss and gradients again; called once, before the step.

        Returns
        -------
        loss
            What the closure returned, or None.
        """
        loss = None if closure is None else closure()
        work = self.work()
        if self._skip_nonfinite and (found := nonfinite(self.parameters)):
            self.skipped, self.culprits = self.skipped + 1, found
            return loss
        kept = self.survey(work)
        done = [self._advanced(bundle, grads, {**group, **kept} if kept else group) for bundle, grads, group in work]
        for (bundle, _, _), states in zip(work, done):  # noqa: B905 - strict costs 0.2 us a step
            bundle.write()
            bundle.states = states
            bundle.t += 1
        if kept:
            for group in self.param_groups:
                group.update(kept)
        self.step_count += 1
        return loss

    def check_group(self, group: Group) -> None:
        """Raise ValueError if the options of a group, each fine by itself, do not go together."""

    def survey(self, work: Work) -> dict[str, Any]:
        """Return numbers about all gradients together, to be `kept` in every group; for the rules that need some."""
        return {}

    def work(self) -> Work:
        """Return what is to be moved: bundles, gradients, options. Splits a bundle whose members' histories part."""
        work = []
        for group, bundles in zip(self.param_groups, self._bundles):  # noqa: B905 - strict costs 0.2 us a step
            for bundle in tuple(bundles):
                grads = bundle.gradients()
                present = grads if bundle.complete else [g for g in grads if g is not None]
                if present and len(present) < len(grads):
                    waiting = self._part(bundle, [i for i, g in enumerate(grads) if g is None])
                    moving = self._part(bundle, [i for i, g in enumerate(grads) if g is not None])
                    at = bundles.index(bundle)
                    bundles[at : at + 1] = [moving, waiting]
                    bundle = moving
                if present:
                    work.append((bundle, present, group))
        return work

    def _part(self, bundle: Bundle, chosen: list[int]) -> Bundle:
        """Return some members of a bundle, with their states, as a bundle of their own."""
        part = type(bundle)([bundle.members[i] for i in chosen], [bundle.places[i] for i in chosen], bundle.t)
        if bundle.states:
            part.adopt([bundle.state_of(i, self.state_names) for i in chosen], self.state_names)
        return part

    def _advanced(self, bundle: Bundle, grads: list[Any], group: Group) -> list[State]:
        """Work out a bundle's numbers after one step, into its spare room, and its states."""
        states = self._begun(bundle, group)
        p, after, fresh = bundle.read(), bundle.room(), []
        if p.size == 0:
            return states
        for k, block, given in bundle.cut(grads):
            q, step, state = self.formula(p[block], given, states[k], group, bundle.t + 1)
            np.subtract(q, step, out=after[block])
            for part in state:
                if part is given:  # not the rule's to keep: the caller's own array, or room for the next gradient
                    state = tuple([+part if part is given else part for part in state])
            fresh.append(state)
        return fresh

    def formula(self, p: Any, g: Any, state: State, group: Mapping[str, Any], t: int) -> tuple[Any, Any, State]:
        """Return what a step is taken from, the step, and the new state."""
        coupled, decoupled = self.decay(group)
        maximize = group["maximize"]
        if maximize or coupled:
            g = descent(g, p, maximize=maximize, weight_decay=coupled)
        options = {name: group[name] for name in self._wants}
        if self._wants_t:
            options["t"] = t
        if self._wants_p:
            options["p"] = p
        step, state = self.rule(g, *state, **options)
        if decoupled:
            p = shrunk(p, lr=group["lr"], weight_decay=decoupled)
        return p, step, state

    def _begun(self, bundle: Bundle, group: Group) -> list[State]:
        """Return the states of a bundle's blocks, made if this is the first step."""
        if not bundle.states:
            bundle.begin(lambda p: self.first_state(p, group))
        return bundle.states

    def first_state(self, p: Array, group: Group) -> State:
        """Return the state a rule starts from for some numbers."""
        given = {name: p if name == "p" else group[name] for name in self.wanted_at_start}
        return self.start(np.zeros_like(p), **given)

    def decay(self, group: Mapping[str, Any]) -> tuple[float, float]:
        """Weight decay to be added to the gradient, and to be taken from the parameter."""
        weight_decay = 0.0 if self.own_decay else group.get("weight_decay", 0.0)
        decoupled = self.decoupled_decay or group.get("decoupled_weight_decay")
        return (0.0, weight_decay) if decoupled else (weight_decay, 0.0)

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit: arrays, numbers and strings, shared with nothing.

        Returns
        -------
        dict
            ``'optimizer'`` (the class name), ``'step_count'``, ``'skipped'``, ``'state'`` (position of the parameter to
            its step count and the parts of its state under the rule's own names) and ``'param_groups'`` (options, and
            positions as ``'params'``).
        """
        state = {
            place: _plain(p, bundle.state_of(i, self.state_names))
            for bundles in self._bundles
            for bundle in bundles
            for i, (p, place) in enumerate(zip(bundle.members, bundle.places, strict=True))
            if bundle.t
        }
        places = iter(range(len(self.parameters)))
        groups = [{**group, "params": [next(places) for _ in group["params"]]} for group in self.param_groups]
        return {
            "optimizer": type(self).__name__,
            "step_count": self.step_count,
            "skipped": self.skipped,
            "state": dict(sorted(state.items())),
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, which is copied; loads all of it or, if anything is wrong, nothing.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`; a trip through JSON (lists for arrays and tuples, strings for positions) does no harm.

        Raises
        ------
        ValueError
            If it belongs to another optimizer or to other parameters.
        """
        groups, states = checked_state_dict(self, state_dict)
        bundles, used = [], 0
        for group, options in zip(self.param_groups, groups, strict=True):
            count = len(group["params"])
            bundles.append(self._bundled(group["params"], states[used : used + count], options, used))
            used += count
        for group, options in zip(self.param_groups, groups, strict=True):
            group.clear()
            group.update(options)
        self._bundles = bundles
        self.step_count = int(state_dict.get("step_count", 0))
        self.skipped = int(state_dict.get("skipped", 0))

    def _bundled(
        self, parameters: list[Any], states: list[dict[str, Any]], group: Group, used: int | None = None
    ) -> list[Bundle]:
        """Bundles of parameters: those of one number type and one history together."""
        first = len(self.parameters) if used is None else used
        together: dict[Any, list[int]] = {}
        for i, (p, state) in enumerate(zip(parameters, states, strict=True)):
            kind = p.data.dtype if isinstance(p.data, np.ndarray) else float
            history = tuple((n, None if isinstance(v, np.ndarray) else v) for n, v in state.items() if v is not None)
            together.setdefault((kind, history) if self.elementwise else i, []).append(i)
        bundles = []
        for chosen in together.values():
            data = parameters[chosen[0]].data
            kind = WholeBundle if not self.elementwise else Bundle if isinstance(data, np.ndarray) else FloatBundle
            t = int(states[chosen[0]]["step"])
            bundle = kind([parameters[i] for i in chosen], [first + i for i in chosen], t)
            if t:
                bundle.adopt([states[i] for i in chosen], self.state_names)
            bundles.append(bundle)
        return bundles

    # -- looking at it -------------------------------------------------------------------------------------------

    def trace(self, parameter: Any, index: Any = ()) -> Trace:
        """Print every term of the next update of one number, in the words of the rule itself.

        Parameters
        ----------
        parameter : parameter
            One that this optimizer moves and that has a gradient.
        index : int or tuple of int
            Which of its numbers; nothing for a `Value`.

        Returns
        -------
        Trace
            The printed table, as a list of terms (name, formula, value).
        """
        found = look(self, parameter, index, descent, shrunk)
        print(found)  # noqa: T201
        return found

    def find(self, parameter: Any) -> tuple[Bundle, int, Group]:
        """Return the bundle, the position in it and the group of a parameter."""
        for group, bundles in zip(self.param_groups, self._bundles, strict=True):
            for bundle in bundles:
                for i, p in enumerate(bundle.members):
                    if p is parameter:
                        return bundle, i, group
        raise ValueError(f"{type(self).__name__} does not move this parameter: {parameter!r}")

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            options = ", ".join(f"{k}={v}" for k, v in group.items() if k not in ("params", "param_names"))
            lines.append(f"  group {i}: {len(group['params'])} parameters, {options}")
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def nonfinite(parameters: Iterable[Any]) -> list[str]:
    """Return what messages call the parameters whose gradients hold nan or inf."""
    found = [(i, p) for i, p in enumerate(parameters) if p.grad is not None]
    return [label(p, i) for i, p in found if not np.isfinite(numbers(p.grad)).all()]


def _plain(p: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as plain data: of a `Value`, numbers instead of arrays without axes."""
    if isinstance(p.data, np.ndarray):
        return state
    return {name: v.item() if isinstance(v, np.ndarray) and v.ndim == 0 else v for name, v in state.items()}


__all__ = ["Optimizer"]
