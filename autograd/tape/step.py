"""A recorded training step: loss, gradients and the optimizer's update as one program."""

import copy
import itertools
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import itemgetter, setitem
from typing import Any, TypeAlias

import numpy as np

from autograd.graph import CHANGED, Node, topological_order
from autograd.recording import NotReplayable, raw_data, watching
from autograd.tensor import Tensor
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .call import Arguments, Call, state_of
from .program import Program
from .recording import Recording

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
        if not gradients:
            raise RuntimeError("the loss of a training step depends on no variable: return a loss first")
        owned, guards = {*self.optimizer.parameters}, len(recording.first)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        with watching(recording.of_rule()):
            if self._transform is not None:
                gradients = dict(self._transform(gradients))
            before, after, views = self._updated(gradients)
        self.branches: bool = len(recording.first) > guards
        self.members: list[Node] = [*gradients]
        self._states += [(p, state_of(p)) for p in gradients]
        # What is computed from floats may fail, and therefore comes before memory changes.
        results = [*outputs, *after]
        order = topological_order(*[x for x in results if isinstance(x, Node)])
        effects = [*recording.effects, *[x for x in order if x.op is not None and type(x._value) is float]]
        program = Program([*before, *given.nodes], results, len(outputs), effects, replaced=views)
        options = {x for own in self._options for x in own.nodes}
        self._outside = [(i, x) for i, x in zip(program.leaves, program.variables, strict=True) if x not in options]
        self._first = len(before)
        self._has_floats = sum(isinstance(x, Value) for x in before) > len(self._flats)  # beside step counts
        self._is_steady = self._types == self._new_types
        if self._is_steady:
            program.repeated = {i: len(outputs) + i for i in range(len(before))}
        return program

    def _updated(self, gradients: Mapping[Node, Cotangent]) -> tuple[list[Node], list[Any], dict[Node, Node]]:
        """Record the update; return the memory before and after it, and for each parameter its part of a vector."""
        optimizer = self.optimizer
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            whole = [optimizer.initialized(flat, group) and flat.whole() for flat, group in moving]
        if not moving:
            raise RuntimeError(
                f"the loss depends on no parameter of this {type(optimizer).__name__}: make the optimizer from the "
                "parameters of the model that the loss uses"
            )
        first, names = optimizer.param_groups[0], ("parameters", *optimizer.state_names, "t")
        self._flats = [flat for flat, _ in moving]
        self._shared = [name for name, value in optimizer.shared.items() if isinstance(value, float)]
        shared: dict[str, Any] = {name: _as_node(first[name], name) for name in self._shared}
        self._options = [Options(group, shared) for group in optimizer.param_groups]
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
        new_shared = optimizer.shared_values(groups[id(first)], terms)
        after: list[Any] = []
        for *given, options, t in terms:
            values, update, state = optimizer.updated(*given, {**options, **new_shared}, t)
            after += [values - update, *state, t + 1.0]
            for x, name in zip(after[-len(names) :], names, strict=True):
                if isinstance(x, Node) and x.op is not None and not x.name:
                    x.name = f"new_{name}"
        self._types, self._new_types = ([type(raw_data(x)) for x in parts] for parts in (before, after))
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
        return not is_placed and [type(x) for flat in self._flats for x in flat.whole()] != self._types

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
        parts = [None if kind is type(None) else next(memory) for kind in self._new_types]
        width = len(parts) // len(self._flats)
        # One call of C functions, which Ctrl-C does not interrupt.
        deque(map(setitem, [flat.place() for flat in self._flats], itertools.repeat(...), parts[::width]), 0)
        for i, flat in enumerate(self._flats):
            flat.set_whole_state(parts[i * width + 1 : (i + 1) * width - 1])
        self.optimizer.complete(self._flats, dict(zip(self._shared, map(float, memory), strict=True)), steps)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> tuple[list[float], bool]:
        """Take steps in the native machine; return their losses, and whether the next one raises an error."""
        if self.changed() or (machine := self.executor.chosen()) is None:
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
    """The options of a group: floats are variables of the program, all others stay as they were recorded.

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
        The options that were read last.
    """

    def __init__(self, group: dict[str, Any], without: Container[str]) -> None:
        self.group: dict[str, Any] = group
        names = [name for name in group if name not in ("params", "param_names") and name not in without]
        self.read: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)
        self.recorded: dict[str, Any] = {name: _as_node(group[name], name) for name in names}
        parts = _parts(self.recorded.values())
        self.nodes: list[Node] = [x for x in parts if isinstance(x, Node)]
        self._fixed = [None if isinstance(x, Node) else x for x in parts]
        self.seen: tuple[Any, ...] = self.read(group)

    def is_valid(self) -> bool:
        """Read the floats again, and return whether all else is as it was recorded."""
        self.seen = self.read(self.group)
        parts = _parts(self.seen)
        if [None if isinstance(x, float) else x for x in parts] != self._fixed:
            return False
        for node, x in zip(self.nodes, [x for x in parts if isinstance(x, float)], strict=True):
            node._value = float(x)
        return True


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
