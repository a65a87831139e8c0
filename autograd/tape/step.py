"""Compiled training steps: loss, gradients and the optimizer's update are recorded as one program.  And `compile`."""

from __future__ import annotations

import copy
import itertools
import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import itemgetter, setitem
from typing import Any, TypeAlias, overload

import numpy as np

from autograd.graph import CHANGED, Node, topological_order
from autograd.recording import NotReplayable, settled_mode, watching
from autograd.runtime import deferred_interrupt
from autograd.tensor import Tensor
from autograd.transforms.functional import hessian_product
from autograd.transforms.nested import flatten, mapped
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .compiled import Arguments, Call, Compiled, Programs, detached, state_of
from .executor import has_numba
from .program import Program
from .recording import Recording, RecordingError

LONGEST_IN_NUMPY = 1 << 16  # parameters, from which NumPy is faster when the optimizer updates them block by block
LONGEST = 0.1  # seconds after which `CompiledStep.many` looks whether Ctrl-C was pressed

Transform: TypeAlias = Callable[[dict[Node, Cotangent]], Mapping[Node, Cotangent]]


class StepCall(Call):
    """A recorded training step.

    Before the arguments, the program has its *memory* as inputs: for each vector of parameters the vector, its state
    and its step count, then the values that all vectors share.  The results after the outputs replace it.  The options
    of the optimizer are variables from outside.

    Parameters
    ----------
    function : callable
        Returns a loss, or a nest that begins with a loss.
    arguments : Arguments
        The arguments of the recorded call.
    optimizer : Optimizer
        Updates the parameters.
    transform : callable or None
        Changes the gradients.

    Attributes
    ----------
    members : list of Node
        The parameters that are updated.

    Raises
    ------
    RecordingError
        If the function or the rule reads data.
    """

    def __init__(self, function: Function, arguments: Arguments, optimizer: Any, transform: Transform | None) -> None:
        self.optimizer: Any = optimizer
        self._transform = transform
        self._token: object = None  # of the last step, if the machine took it with the present options
        super().__init__(function, arguments, True)

    def _program(
        self, given: Arguments, outputs: Sequence[Operand], gradients: Mapping[Node, Cotangent], recording: Recording
    ) -> Program:
        optimizer, owned, guards = self.optimizer, {*self.optimizer.parameters}, len(recording.first)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        self._shared = [name for name, value in optimizer.shared.items() if isinstance(value, float)]
        shared: dict[str, Any] = {name: _as_node(optimizer.param_groups[0][name], name) for name in self._shared}
        self._options = [Options(group, shared) for group in optimizer.param_groups]
        options = dict.fromkeys(x for own in self._options for x in own.nodes)
        rule = recording.with_grad(False)
        rule.options = options
        with watching(rule):
            if self._transform is not None:
                gradients = dict(self._transform(gradients))
            before, after, views = self._updated(gradients, shared)
        self.branches: bool = len(recording.first) > guards
        self.members: list[Node] = [*gradients]
        self._states += [(p, state_of(p)) for p in gradients]
        # What is computed from floats may fail, and therefore comes before memory changes.
        results = [*outputs, *after]
        order = dict.fromkeys(topological_order(*[x for x in results if isinstance(x, Node)]))
        floats = [x for x in order if x.op is not None and type(x._value) is float]
        first = [*[x for x in options if x in order], *recording.effects, *floats]
        program = Program([*before, *given.nodes], results, len(outputs), first, replaced=views)
        self._outside = [(i, x) for i, x in zip(program.leaves, program.variables, strict=True) if x not in options]
        self._first = len(before)
        self._has_floats = sum(isinstance(x, Value) for x in before) > len(self._flats)  # beside step counts
        self._is_steady = self._kinds == self._new_kinds
        if self._is_steady:
            program.repeated = {i: len(outputs) + i for i in range(len(before))}
        return program

    def _updated(
        self, gradients: Mapping[Node, Cotangent], shared: Mapping[str, Any]
    ) -> tuple[list[Node], list[Any], dict[Node, Node]]:
        """Record the update; return the memory before and after it, and for each parameter its part of a vector."""
        optimizer = self.optimizer
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            whole = [optimizer.initialized(flat, group) and flat.whole() for flat, group in moving]
        if not moving:
            raise RuntimeError(
                f"the first result depends on no parameter of this {type(optimizer).__name__}: return a loss first, "
                "and make the optimizer from the parameters of the model that the loss uses"
            )
        names = ("parameters", *optimizer.state_names, "t")
        self._flats = [flat for flat, _ in moving]
        self._kinds, self._new_kinds = [_kinds(state) for _, *state, _ in whole], []
        groups = {id(own.group): {**own.recorded, **shared} for own in self._options}
        before, terms, views = list[Any](), list[Any](), dict[Node, Node]()
        for (flat, group), data in zip(moving, whole, strict=True):
            values, *state, t = nodes = list(map(_as_node, data, names))
            before += nodes
            g = flat.joined([gradients[p] for p in flat.members])
            if isinstance(g, Node):
                g.name = g.name or "gradient"
            terms.append((values, g, tuple(state), groups[id(group)], t))
            for p, view in zip(flat.members, flat.viewed(values), strict=True):
                view.name, views[p] = p.name, view
        new_shared = optimizer.shared_values(groups[id(optimizer.param_groups[0])], terms)
        after: list[Any] = []
        for *given, options, t in terms:
            values, update, state = optimizer.updated(*given, {**options, **new_shared}, t)
            self._new_kinds.append(_kinds(state))
            after += [values - update, *state, t + 1.0]
            for x, name in zip(after[-len(names) :], names, strict=True):
                if isinstance(x, Node) and x.op is not None and not x.name:
                    x.name = f"new_{name}"
        before = [x for x in (*before, *shared.values()) if x is not None]
        return before, [*[x for x in after if x is not None], *[new_shared[name] for name in self._shared]], views

    def changed(self) -> bool:
        """Return whether the program is not valid any more, because of options or states of the optimizer, too."""
        if not self._is_steady or Call.changed(self):
            return True
        for own in self._options:
            if own.read(own.group) != own.seen:
                self._token = None
                if not own.is_valid():
                    return True
        is_placed = self._token == (CHANGED[0], self.optimizer.step_count)
        self._is_placed = is_placed and all([x.current.is_free(True) for x in self._flats])  # noqa: C419 - faster
        return not self._is_placed and [_kinds(flat.states[0]) for flat in self._flats] != self._kinds

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        machine = self.executor.machine or self.executor.chosen()
        if machine is None:
            return super().__call__(inputs, sources)
        if self._is_placed and self._writers:
            data = (*inputs, *[x._value for _, x in self._outside]) if self._outside else inputs
            for write, x in zip(self._writers, data):  # noqa: B905 - strict costs 0.2 us a step
                write(x)
        else:
            self._place(machine, inputs)
        machine.execute()
        self._complete(machine)
        self._token = CHANGED[0], self.optimizer.step_count
        return self._result(machine.results(self._count))

    def _data(self, inputs: Sequence[Data | None]) -> list[Any]:
        group = self.optimizer.param_groups[0]
        memory = [x for flat in self._flats for x in flat.whole() if x is not None]
        return [*memory, *[group[name] for name in self._shared], *super()._data(inputs)]

    def _place(self, machine: Any, inputs: Sequence[Data | None]) -> None:
        """Let the machine work in the memory of the optimizer, and set the other inputs that are given."""
        for flat in self._flats:
            flat.own()
        data = self._data(inputs)
        self._memory = data[: self._first]
        for number, x in enumerate(self._memory):
            if isinstance(x, np.ndarray):
                machine.place(number, x)
                data[number] = None
        machine.set(data)
        numbers = [*range(self._first, self._first + len(inputs)), *[number for number, _ in self._outside]]
        writers = [machine.setters.get(number) for number in numbers]
        self._writers = [] if None in writers else writers  # floats are set together

    def _complete(self, machine: Any, steps: int = 1) -> None:
        """Complete steps of the machine, which has changed the arrays of the optimizer's state in place."""
        if self._has_floats:
            floats = iter(machine.floats())
            self._store((x if isinstance(x, np.ndarray) else next(floats) for x in self._memory), steps=steps)
        else:
            self.optimizer.complete(self._flats, {}, steps)

    def _store(self, found: Iterable[Any], sources: Sequence[Operand] = (), steps: int = 1) -> None:
        """Give the optimizer its memory after some steps, and let it count them."""
        memory = iter(found)
        parts = [[kind and next(memory) for kind in ("array", *kinds, "float")] for kinds in self._new_kinds]
        places, values = [flat.place() for flat in self._flats], [values for values, *_ in parts]
        # One call of C functions, which Ctrl-C does not interrupt.
        deque(map(setitem, places, itertools.repeat(...), values), 0)
        for flat, (_, *state, _) in zip(self._flats, parts, strict=True):
            flat.set_whole_state(state)
        self.optimizer.complete(self._flats, dict(zip(self._shared, map(float, memory), strict=True)), steps)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> tuple[list[float], bool]:
        """Take steps in the native machine; return their losses, and whether the next one raises an error."""
        if (machine := self.executor.chosen()) is None:
            return [], False
        groups = self.optimizer.param_groups
        before = None if scheduler is None else (copy.deepcopy(scheduler.state_dict()), list(map(dict, groups)))
        floats = self._scheduled(len(rows), scheduler)
        self._place(machine, [None] * len(arrays))
        self._token = None  # the machine goes on with other options
        losses, error = machine.execute_many(arrays, self._first, rows[: len(floats)], floats)
        done = len(losses)
        if before is not None and done < len(floats):
            scheduler.load_state_dict(before[0])
            for group, old in zip(groups, before[1], strict=True):
                group.update(old)
            self._scheduled(done, scheduler)
        if done:
            self._complete(machine, done)
        if error is not None and not isinstance(error, Exception):  # such as KeyboardInterrupt
            raise error
        is_stopped = error is not None and not (isinstance(error, NotReplayable) and self.branches)
        return losses.ravel().astype(float).tolist(), is_stopped

    def _scheduled(self, times: int, scheduler: Any) -> Array:
        """Return the options and other floats of the next steps, of fewer if the program is not valid for all."""
        optimizer, taken, found = self.optimizer, self.optimizer.step_count, list[list[float]]()
        try:
            while len(found) < times and all([own.is_valid() for own in self._options]):  # noqa: C419
                found.append([x._value for x in self._leaves if type(x._value) is float])
                if scheduler is None:
                    return np.repeat(np.array(found), times, 0)
                optimizer.step_count += 1  # which schedules compare with their own count
                scheduler.step()
        finally:
            optimizer.step_count = taken
        return np.array(found)


class Options:
    """The options of a group: floats are variables of the program; all others, and which floats are 0, stay the same.

    Attributes
    ----------
    group : dict
        The options.
    recorded : dict of str to object
        The options, with nodes in place of floats.
    nodes : list of Node
        These nodes, which hold the floats that were read last.
    read : callable
        Returns the options of a group.
    seen : tuple
        The options that were valid last.
    """

    def __init__(self, group: dict[str, Any], without: Container[str]) -> None:
        self.group: dict[str, Any] = group
        names = [name for name in group if name not in ("params", "param_names") and name not in without]
        self.read: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)
        self.recorded: dict[str, Any] = {name: _as_node(group[name], name) for name in names}
        self.nodes: list[Node] = [x for x in _parts(self.recorded.values()) if isinstance(x, Value)]
        self._fixed: list[Any] = []
        self.is_valid()

    def is_valid(self) -> bool:
        """Read the floats again, and return whether all else is as it was recorded."""
        seen = self.read(self.group)
        parts = _parts(seen)
        fixed = [(x != 0.0,) if isinstance(x, float) else x for x in parts]
        self._fixed = self._fixed or fixed
        if fixed != self._fixed:
            return False
        self.seen: tuple[Any, ...] = seen
        for node, x in zip(self.nodes, [x for x in parts if isinstance(x, float)], strict=True):
            node._value = float(x)
        return True


def _kinds(parts: Iterable[Any]) -> list[str | None]:
    """Return the kinds of the parts of a state."""
    return [None if x is None else "float" if isinstance(x, (float, Value)) else "array" for x in parts]


def _as_node(value: Any, name: str) -> Any:
    """Return a float or an array, and each element of a tuple, as a node; anything else unchanged."""
    if isinstance(value, tuple):
        return tuple([_as_node(x, f"{name}_{i}") for i, x in enumerate(value, 1)])
    if isinstance(value, np.ndarray):  # a copy, as the optimizer uses its memory again
        return leaf(Tensor, value.copy(), False, name)
    return leaf(Value, float(value), False, name) if isinstance(value, float) else value


def _parts(values: Any) -> list[Any]:
    """Return the values, and the elements of tuples among them."""
    return [x for value in values for x in (value if isinstance(value, tuple) else (value,))]


class CompiledStep(Programs):
    """A training step with its recorded programs; see `compile`.

    Parameters
    ----------
    function, optimizer, transform
        As for `compile`.

    Attributes
    ----------
    updated : set
        The parameters that have been updated.

    Raises
    ------
    TypeError
        If the optimizer needs residuals.
    """

    def __init__(self, function: Function, optimizer: Any, transform: Transform | None = None) -> None:
        if not hasattr(optimizer, "param_groups") or getattr(optimizer, "needs_product", "") == "jacobian":
            raise TypeError(
                "optimizer must be one of optim that minimizes a loss, such as Adam(model.parameters()), "
                f"got {optimizer!r:.60}"
            )
        super().__init__(function)
        self.optimizer = optimizer
        self._transform = transform
        self._gradients = Compiled(function)
        self.updated: set[Node] = set()
        self._layout: int = -1
        self._is_recordable = False
        self._at_once = 16  # steps between two looks whether Ctrl-C was pressed

    def __call__(self, /, *args: Tree, **kwargs: Tree) -> Tree:
        """Take one step, and return the result of the function, before the step and without a gradient."""
        mode = settled_mode()
        if not mode:
            raise RuntimeError("a training step needs gradients: call it outside of no_grad()")
        if mode is not True or not self._has_rule():
            return self._eagerly(args, kwargs)
        return self._replayed(args, kwargs, True)

    def _has_rule(self) -> bool:
        """Return whether the optimizer's rule can be recorded; drop programs of other vectors of parameters."""
        layout: int = getattr(self.optimizer, "layout", 0)
        if layout != self._layout:
            self._programs.clear()
            self._layout = layout
            self._is_recordable = getattr(self.optimizer, "is_recordable", False) and (
                has_numba() or sum([p.data.size for p in self.optimizer.parameters]) <= LONGEST_IN_NUMPY
            )
        return self._is_recordable and not self.optimizer.skip_nonfinite

    def _eagerly(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Let the optimizer step, with compiled gradients unless it needs their graph, and restore `.grad`."""
        parameters: list[Any] = [p for group in self.optimizer.param_groups for p in group["params"]]
        held, results = [p.grad for p in parameters], list[Tree]()

        def closure() -> Any:
            self.optimizer.zero_grad()
            needs_product = getattr(self.optimizer, "needs_product", "")
            result = (self._gradients.computed if needs_product else self._gradients)(*args, **kwargs)
            results.append(mapped(detached, result, dataclasses=True))
            if self._transform is not None:
                given = {p: p.grad for p in parameters if p.grad is not None}
                for p, g in dict[Any, Any](self._transform(given)).items():
                    p.grad = g
            self.updated.update([p for p in parameters if p.grad is not None])
            loss = _loss_of(result)
            return (loss, hessian_product(loss, self.optimizer.parameters)) if needs_product else loss

        try:
            self.optimizer.step(closure)
        finally:
            for p, g in zip(parameters, held, strict=True):
                p.grad = g
        return results[0]

    def _recorded(self, arguments: Arguments) -> StepCall:
        program = StepCall(self.function, arguments, self.optimizer, self._transform)
        self.updated.update(program.members)
        return program

    def many(self, *data_and_rows: Array, scheduler: Any = None) -> Array:
        """Take a step for each row of a matrix of row indices, and return the losses.

        Parameters
        ----------
        *data_and_rows : ndarray
            The data sets, such as ``x, y``, and a matrix of integers: step k is called with ``x[rows[k]], y[rows[k]]``.
        scheduler : scheduler, optional
            Called after each step, as ``scheduler.step()``.

        Returns
        -------
        ndarray
            The loss of each step.

        Notes
        -----
        Ctrl-C takes effect between two steps.

        Examples
        --------
        >>> import optim
        >>> from autograd import Tensor
        >>> w = Tensor([0.0], requires_grad=True)
        >>> step = compile(lambda x, y: ((w * x - y) ** 2).mean(), optimizer=optim.SGD([w], lr=0.25))
        >>> x, rows = np.array([1.0, 2.0]), np.array([[0, 1], [1, 0], [0, 1]])
        >>> step.many(x, 3 * x, rows)
        array([22.5   ,  1.40625...,  0.0878...])
        """
        data, rows = list[Any](data_and_rows[:-1]), np.asarray(data_and_rows[-1])
        if any(isinstance(x, tuple | list) and any(isinstance(part, np.ndarray) for part in x) for x in data):
            raise TypeError("many takes one array after another: write step.many(x, y, rows), not many((x, y), rows)")
        arrays = [x._value if isinstance(x, Node) else np.asarray(x) for x in data]
        if rows.ndim != 2 or rows.dtype.kind not in "iu":
            raise TypeError(f"rows must be a matrix of integers, (steps, batch), got shape {rows.shape} {rows.dtype}")
        losses: list[float] = []
        with deferred_interrupt() as interrupted:
            while (done := len(losses)) < len(rows):
                begin = time.perf_counter()
                try:
                    self._some(arrays, rows[done : done + self._at_once], scheduler, losses)
                except RecordingError as error:
                    error.losses = np.array(losses)
                    raise
                fitting = int((len(losses) - done) * LONGEST / (time.perf_counter() - begin))
                self._at_once = min(max(fitting, 1), 2 * self._at_once)
                if interrupted():
                    raise KeyboardInterrupt
        return np.array(losses)

    def _some(self, arrays: Sequence[Array], rows: Array, scheduler: Any, losses: list[float]) -> None:
        """Take at least one step, and append the losses."""
        found, is_stopped = list[float](), False
        if settled_mode() is True and not self._lock._is_owned() and self._has_rule():
            key = True, *[((rows.shape[1], *x.shape[1:]), x.dtype) for x in arrays]  # as `signature_of` makes it
            with self._lock:
                for program in self._programs.get(key, ()):
                    if not (found or is_stopped or program.changed()):
                        found, is_stopped = program.many(arrays, rows, scheduler)
        losses += found
        if is_stopped:  # raise the error again, but not in a replay, which would repeat its side effects
            rows = rows[len(found) : len(found) + 1]
        elif found:
            return
        for row in rows:
            args = tuple([x.take(row, 0) for x in arrays])
            losses.append(float(_loss_of(self._eagerly(args, {}) if is_stopped else self(*args))))
            if scheduler is not None:
                scheduler.step()

    def source(self) -> str:
        """Return the source code of the program recorded last, of the gradients if the optimizer updates by itself."""
        return super().source() if self._programs else self._gradients.source()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.function, self.optimizer, self._transform)


def _loss_of(result: Tree) -> Any:
    """Return the first leaf of a result."""
    return flatten(result, dataclasses=True)[0][0]


@overload
def compile(function: Function) -> Compiled: ...
@overload
def compile(function: Function, *, optimizer: Any, transform: Transform | None = None) -> CompiledStep: ...
def compile(
    function: Function, *, optimizer: Any = None, transform: Transform | None = None
) -> Compiled | CompiledStep:
    r"""Return a function that records the operations of `function` once and replays them at the speed of plain NumPy.

    Parameters
    ----------
    function : callable
        Takes arrays, floats, nodes, nests of them, and anything hashable.  Returns a loss, a tuple that begins with a
        loss, or any other nest of nodes.
    optimizer : Optimizer, optional
        Compile a whole training step: loss, gradients, and the update of the optimizer's parameters.
    transform : callable, optional
        Changes the gradients of a step: takes and returns a dict from parameters to gradients, such as
        ``nn.utils.clipped_by_norm(1.0)``.

    Returns
    -------
    Compiled or CompiledStep
        Called like `function`.  If the first result depends on variables (the parameters of a model), it must be a
        scalar loss, and its gradients are accumulated in their `.grad`, as ``loss.backward()`` would do.  Otherwise,
        and inside `no_grad`, results are computed without gradients.

    Raises
    ------
    RecordingError
        While recording, if Python code reads data (``if loss < 1``, ``float(loss)``, ``loss.data``), draws from
        `random` or `np.random`, or uses a node that was computed outside.

    Notes
    -----
    A program is recorded for each combination of shapes and dtypes, of arguments that are not floats or arrays, and of
    guarded state such as a module's training mode.  Variables are read in each call, so an optimizer can update them in
    between.  Layers draw new random values and update running statistics in each call.  Other Python state that the
    function reads while it is recorded, such as an attribute, a `.grad`, a plain array or a random generator, keeps the
    value it had then: use `autograd.extend.callback` and `autograd.extend.guard` for it.

    The gradient needs no derivatives of its own: the backward pass is recorded as operations on nodes.

    Optimizers whose rule is not elementwise, those that skip nonfinite gradients, and without numba those of more than
    65,536 parameters update outside of the program.  Those that take a closure (`optim.LBFGS`, `optim.SAM`) get one
    that replays the gradients, and those that need products with the Hessian (`optim.NewtonCG`, `optim.AdaHessian`) one
    that computes all eagerly.

    If numba is installed (``pip install chainrule[fast]``), programs that have run for half a second continue as
    machine code: an interpreter that calls NumPy's own loops, and one compiled loop for consecutive elementwise
    arithmetic, so that results have the same bits; it does not warn of overflow.  The interpreter is compiled once per
    installation, in another process while this one continues with NumPy, or ahead by ``python -m autograd doctor
    --compile``.  The machine code is cached beside the package, or in the folder
    ``NUMBA_CACHE_DIR``.  The environment variable ``CHAINRULE_NUMBA=0`` disables numba; ``1`` uses it at once.  Large
    graphs of `Value`s are run many operations at a time, with numba or without.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> step = compile(lambda x: ((x * w) ** 2).sum())
    >>> step(np.array([1.0, 1.0])), w.grad
    (Tensor(5.), array([2., 4.]))
    >>> w.zero_grad()
    >>> step(np.array([2.0, 0.0])), w.grad
    (Tensor(4.), array([8., 0.]))
    """
    return Compiled(function) if optimizer is None else CompiledStep(function, optimizer, transform)
