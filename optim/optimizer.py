"""`Optimizer`: parameter groups, step counts, weight decay and state around an update rule."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from operator import attrgetter, call
from typing import Any, ClassVar, Literal

import numpy as np

from optim.typing import Array, Closure, Data, Group, Parameter, Params, State, StateDict

from .checks import as_groups, check_step, checked_entries, checked_state_dict, nonfinite
from .flat_params import FlatParams, flattened, plain
from .options import Options, argument_names
from .trace import Trace, trace_update

Work = list[tuple[FlatParams, Group]]
Update = tuple[Array, State]
Terms = tuple[Array, Array, State, Group, int]  # of a block: parameter, gradient, state, options, step count


class Optimizer(Options):
    """Base class of all optimizers.

    A subclass declares its options as typed attributes and defines `rule`, which maps gradient and state to (update,
    new state); the update is subtracted from the parameter. The positional arguments of `rule` are the gradient and the
    parts of the state, the keyword-only arguments the options it uses, the step count ``t`` (from 1) and the parameter
    ``p``. A part of the state starts at its default value, or at zeros; define `start` for other initial states.

    Parameters
    ----------
    params : iterable of parameters, of (name, parameter) pairs, or of dicts
        Leaves with ``.data`` and ``.grad``: `Tensor`s of any shape and float dtype, or `Value`s. Dicts are groups with
        options of their own, ``{"params": [...], "lr": 0.1}``.
    maximize : bool
        Maximize the loss instead of minimizing it.
    skip_nonfinite : bool
        Skip steps in which a gradient contains nan or inf; `skipped` counts these steps.
    cautious : bool
        Drop elements of an update whose sign differs from the gradient's, as after a turn, and scale up the others
        (Liang et al. 2024, "Cautious Optimizers", Algorithm 1); it helps rules with momentum.

    Attributes
    ----------
    param_groups : list of dict
        Options and ``'params'`` of every group; schedules change them.
    defaults : dict
        Default options of a group.
    step_count : int
        Completed calls of `step`.
    skipped : int
        Steps skipped because of `skip_nonfinite`.
    culprits : list of str
        The parameters with nonfinite gradients in the last skipped step.
    diverged : bool
        Whether a parameter has grown beyond 1e15, which ends in overflow.
    layout : int
        Incremented when parameters are grouped into other vectors: by a new group, a loaded state, a missing gradient.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> class Heavy(Optimizer):
    ...     lr: float = 0.1
    ...     def rule(self, g, v, *, lr):
    ...         v = 0.9 * v + g
    ...         return lr * v, (v,)
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> Heavy([p], lr=0.25).step()
    >>> p.data
    0.5
    """

    first: ClassVar[str] = "params"
    params: Params
    _: KW_ONLY
    maximize: bool = False
    skip_nonfinite: bool = False
    cautious: bool = False

    elementwise: ClassVar[bool] = True
    """True if the rule treats every element independently; otherwise it receives each parameter in its own shape."""
    needs_closure: ClassVar[bool] = False
    """True if `step` evaluates the loss several times, or needs products, and therefore needs a closure."""
    whole_batch: ClassVar[bool] = False
    """True if the loss of a step must be that of all rows, as of mini-batches it would mislead the method."""
    needs_product: ClassVar[Literal["", "hessian", "jacobian"]] = ""
    """'hessian' if the closure returns the loss and a function that multiplies lists of arrays by its Hessian, as
    `autograd.hessian_product` makes it; 'jacobian' if it returns residuals and a function of their cotangents."""
    decoupled_decay: ClassVar[bool] = False
    """True if ``weight_decay`` always shrinks the parameter instead of being added to the gradient; rules that have
    the argument ``weight_decay`` apply it themselves."""
    shared: ClassVar[dict[str, Any]] = {}
    """Values that the optimizer itself keeps in every group beside the options, with their initial values."""
    rule: ClassVar[Callable[..., Update]]
    state_names: ClassVar[list[str]] = []
    rule_options: ClassVar[list[str]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "rule"):
            (_, *cls.state_names), cls.rule_options = argument_names(cls.rule)

    def __init__(self, params: Params, *args: object, **options: object) -> None:
        self.defaults: dict[str, Any] = self.collect(args, options)
        self.skip_nonfinite = self.defaults.pop("skip_nonfinite", False)
        self.param_groups: list[Group] = []
        self.step_count: int = 0
        self.skipped: int = 0
        self.diverged: bool = False
        self.culprits: list[str] = []
        self.layout: int = 0
        self._flat: list[list[FlatParams]] = []
        for group in as_groups(params, type(self).__name__):
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, object]) -> None:
        """Add parameters with options of their own.

        Parameters
        ----------
        group : dict
            ``'params'`` and any options; options left out are taken from `defaults`.

        Raises
        ------
        TypeError, ValueError
            If an entry is not a leaf parameter or already belongs to a group, or an option is unknown or out of range.
        """
        entries = checked_entries(self, group)
        states = [{"step": 0} for _ in entries["params"]]
        self._flat.append(flattened(self, entries, states, len(self.parameters)))
        self.layout += 1
        self.param_groups.append(entries)

    @property
    def parameters(self) -> list[Parameter]:
        """All parameters, in order."""
        return [p for group in self.param_groups for p in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients.

        Parameters
        ----------
        set_to_none : bool
            Set gradients to None, so that parameters not used by the next loss are skipped; otherwise to zeros. The
            gradient of a `Value` is always set to 0.0.
        """
        for p in self.parameters:
            kept = not set_to_none and isinstance(p.grad, np.ndarray)
            p.grad = np.zeros_like(p.data) if kept else None if isinstance(p.data, np.ndarray) else 0.0

    # -- the step ------------------------------------------------------------------------------------------------

    def step(self, closure: Closure | None = None) -> Any:
        """Update all parameters that have a gradient, atomically.

        Parameters
        ----------
        closure : callable, optional
            Computes loss and gradients again; called once, before the step.

        Returns
        -------
        loss
            The value returned by the closure, or None.
        """
        loss = None if closure is None else closure()
        work = self.moving()
        if self.skip_nonfinite and (found := nonfinite(self.parameters)):
            self.skip(found)
            return loss
        shared = self.shared_floats(work)
        done = [self._advanced(flat, {**group, **shared} if shared else group) for flat, group in work]
        for (flat, _), new in zip(work, done):  # noqa: B905 - strict costs 0.2 us a step
            flat.write()
            flat.states = new
        self.complete([flat for flat, _ in work], shared)
        return loss

    def check_group(self, group: Group) -> None:
        """Raise ValueError if the options of a group are incompatible with each other."""

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return values computed from all gradients together, stored in every group under the names in `shared`.

        Parameters
        ----------
        first : dict
            The options of the first group, with the shared values of the last step.
        terms : iterable of tuple
            Parameter, gradient, state, options and step count of every block.
        """
        return {}

    def shared_floats(self, work: Work) -> Group:
        """Return the shared values of a step as floats."""
        found = self.shared_values(self.param_groups[0], self._terms(work))
        return {name: float(value) for name, value in found.items()}

    def _terms(self, work: Work) -> Iterator[Terms]:
        """Yield the terms of every block."""
        for flat, group in work:
            values, grads = flat.pieces(flat.read()), flat.pieces(flat.gather())
            for p, g, state in zip(values, grads, self.initialized(flat, group), strict=True):
                yield p, g, state, group, flat.t + 1

    def _advanced(self, flat: FlatParams, group: Group) -> list[State]:
        """Compute the values after a step, into the vector returned by ``flat.output()``, and return the new states."""
        states, new = self.initialized(flat, group), []
        vector, after = flat.read(), flat.output()
        if vector.size == 0:
            return states
        grads = flat.pieces(flat.gather())
        for p, out, g, before in zip(flat.pieces(vector), flat.pieces(after), grads, states, strict=True):
            q, update, state = self.updated(p, g, before, group, flat.t + 1)
            np.subtract(q, update, out=out)
            # A rule may return the gradient, or a view of it, as state; the next step writes into this memory.
            new.append(tuple([+part if getattr(part, "base", None) is g.base else part for part in state]))
        return new

    # -- also used by `autograd.compile`, which records a step as one program -----------------------------------------

    @property
    def is_recordable(self) -> bool:
        """True if a step consists of an elementwise rule on arrays, and nothing else."""
        if not self.elementwise or not hasattr(self, "rule") or type(self).step is not Optimizer.step:
            return False
        return all(flat.elementwise and not flat.are_floats for flat in itertools.chain.from_iterable(self._flat))

    def moving(self, has_gradient: Callable[[Parameter], bool] = lambda p: p.grad is not None) -> Work:
        """Return the flat parameters whose members have gradients, split where only some have, and their options."""
        found = []
        for group, flats in zip(self.param_groups, self._flat, strict=True):
            for flat in tuple(flats):
                chosen, at = [has_gradient(p) for p in flat.members], flats.index(flat)
                if any(chosen) and not all(chosen):
                    flats[at : at + 1] = flat.split(chosen, self.state_names)
                    self.layout += 1
                if any(chosen):
                    found.append((flats[at], group))
        return found

    def updated(
        self, p: Array, g: Array, state: State, group: Group, t: int, run: Callable[..., Any] = call
    ) -> tuple[Array, Array, State]:
        """Return the values to subtract the update from, the update, and the new state; all arguments may be nodes.

        Every formula is evaluated by `run`, which `trace` replaces.
        """
        coupled, decoupled = self.decay(group)
        if coupled or group["maximize"]:
            g = run(descent_direction, g, p, maximize=group["maximize"], weight_decay=coupled)
        update, state = run(self.rule, g, *state, **self.arguments(self.rule_options, group, p, t))
        if group["cautious"]:
            update = run(cautious_step, update, g)
        if decoupled:
            p = run(decayed, p, lr=group["lr"], weight_decay=decoupled)
        return p, update, state

    @staticmethod
    def arguments(names: list[str], group: Group, p: Array, t: int) -> Group:
        """Return the keyword arguments of a rule."""
        return {name: p if name == "p" else t if name == "t" else group[name] for name in names}

    def initialized(self, flat: FlatParams, group: Group) -> list[State]:
        """Return the states of all blocks, initialized if this is the first step."""
        if not flat.states:
            flat.states = [self.initial_state(p.copy(), group) for p in flat.pieces(flat.read())]
        return flat.states

    def complete(self, flats: Sequence[FlatParams], shared: Group, steps: int = 1) -> None:
        """Count steps after which the parameters and the states of some vectors are new."""
        for flat in flats:
            flat.t += steps
        if shared:
            for group in self.param_groups:
                group.update(shared)
        self.step_count += steps
        check_step(self, flats, self.step_count == steps)

    def skip(self, culprits: list[str]) -> None:
        """Count a step that is skipped because of nonfinite gradients of some parameters."""
        self.skipped, self.culprits = self.skipped + 1, culprits

    def initial_state(self, p: Array, group: Group) -> State:
        """Return the initial state for some values."""
        _, options = argument_names(self.start)
        return self.start(np.zeros_like(p), **self.arguments(options, group, p, 0))

    def start(self, zero: Array, *_: Any, **options: Any) -> State:
        """Return the initial state of a parameter; an overriding method may have keyword-only arguments of `rule`."""
        defaults = self.rule.__defaults__ or ()
        return (zero,) * (len(self.state_names) - len(defaults)) + defaults

    def decay(self, group: Group) -> tuple[float, float]:
        """Return the weight decay added to the gradient, and the one applied to the parameter."""
        weight_decay = 0.0 if "weight_decay" in self.rule_options else group.get("weight_decay", 0.0)
        decoupled = self.decoupled_decay or group.get("decoupled_weight_decay")
        return (0.0, weight_decay) if decoupled else (weight_decay, 0.0)

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> StateDict:
        """Return a copy of everything needed to continue bit for bit.

        Returns
        -------
        dict
            ``'optimizer'`` (class name), ``'step_count'``, ``'skipped'``, ``'state'`` (by the parameters' positions:
            step count, and parts of the state by name) and ``'param_groups'`` (options, and positions as ``'params'``).
        """
        state: dict[int, StateDict] = {}
        for flat in filter(attrgetter("t"), itertools.chain.from_iterable(self._flat)):
            for place, p, own in zip(flat.places, flat.members, flat.member_states(self.state_names), strict=True):
                state[place] = plain(p, own)
        places = iter(range(len(self.parameters)))
        groups = [{**group, "params": [next(places) for _ in group["params"]]} for group in self.param_groups]
        return {
            "optimizer": type(self).__name__,
            "step_count": self.step_count,
            "skipped": self.skipped,
            "state": dict(sorted(state.items())),
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`; also after conversion to JSON (lists for arrays and tuples, strings for positions).

        Raises
        ------
        ValueError
            If it belongs to another optimizer or to other parameters.
        """
        groups, states = checked_state_dict(self, state_dict)
        remaining, flat, used = iter(states), [], 0
        for group, options in zip(self.param_groups, groups, strict=True):
            flat.append(flattened(self, options, [next(remaining) for _ in group["params"]], used))
            used += len(group["params"])
            group.clear()
            group.update(options)
        self._flat = flat
        self.layout += 1
        self.step_count = int(state_dict.get("step_count", 0))
        self.skipped = int(state_dict.get("skipped", 0))

    # -- inspection ----------------------------------------------------------------------------------------------

    def trace(self, parameter: Parameter, index: int | tuple[int, ...] = ()) -> Trace:
        """Print every term of the next update of one element, with the names used by the rule.

        Parameters
        ----------
        parameter : parameter
            A parameter of this optimizer that has a gradient.
        index : int or tuple of int
            Index of the element; empty for a `Value`.

        Returns
        -------
        Trace
            The printed table, as a list of terms (name, formula, value).
        """
        found = trace_update(self, parameter, index)
        print(found)  # noqa: T201
        return found

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            options = ", ".join(f"{k}={v}" for k, v in group.items() if k not in ("params", "param_names"))
            lines.append(f"  group {i}: {len(group['params'])} parameters, {options}")
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def descent_direction(g: Data, p: Data, *, maximize: bool, weight_decay: float) -> Data:
    """Return the gradient to descend: negated to maximize, plus the gradient of L2 regularization."""
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    return g


def decayed(p: Data, *, lr: float, weight_decay: float) -> Data:
    """Apply decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2; scaled by lr as in PyTorch)."""
    p = (1 - lr * weight_decay) * p
    return p  # noqa: RET504 - named, so that `trace` shows it


def cautious_step(step: Array, g: Array) -> Array:
    """Drop the elements of an update that would increase the loss, and scale the others up (Liang et al. 2024)."""
    agrees = 1.0 * (step * g > 0)
    step = step * agrees / np.maximum(np.mean(agrees), 1e-3)
    return step  # noqa: RET504 - named, so that `trace` shows it
