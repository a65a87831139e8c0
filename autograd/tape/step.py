"""A recorded training step: loss, gradients and the optimizer's update as one program."""

import copy
import itertools
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from operator import itemgetter, setitem
from typing import Any, TypeAlias

import numpy as np

from autograd.graph import CHANGED, KINDS, Node, topological_order
from autograd.recording import NotReplayable, raw_data, watching
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
        self._has_floats = sum(isinstance(x, Value) for x in before) > len(self._vectors)  # beside step counts
        self._is_steady = all(vector.kinds == vector.new_kinds for vector in self._vectors)
        if self._is_steady:
            program.repeated = {i: len(outputs) + i for i in range(len(before))}
        return program

    def _updated(self, gradients: Mapping[Node, Cotangent]) -> tuple[list[Node], list[Any], dict[Node, Node]]:
        """Record the update; return the memory before and after it, and for each parameter its part of a vector."""
        optimizer = self.optimizer
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            self._vectors = [Vector(flat, optimizer, group) for flat, group in moving]
            nodes = [vector.nodes() for vector in self._vectors]
        if not moving:
            raise RuntimeError(
                f"the loss depends on no parameter of this {type(optimizer).__name__}: make the optimizer from the "
                "parameters of the model that the loss uses"
            )
        first = optimizer.param_groups[0]
        self._shared = [name for name, value in optimizer.shared.items() if isinstance(value, float)]
        shared: dict[str, Any] = {name: leaf(Value, first[name], False, name) for name in self._shared}
        self._options = [Options(group, shared) for group in optimizer.param_groups]
        groups = {id(own.group): {**own.recorded, **shared} for own in self._options}
        terms, views = list[Any](), dict[Node, Node]()
        for (values, *state, t), (flat, group) in zip(nodes, moving, strict=True):
            g = flat.joined([gradients[p] for p in flat.members])
            if isinstance(g, Node):
                g.name = g.name or "gradient"
            terms.append((values, g, tuple(state), groups[id(group)], t))
            for p, view in zip(flat.members, flat.viewed(values), strict=True):
                view.name, views[p] = p.name, view
        shared_after = optimizer.shared_values(groups[id(first)], terms)
        after: list[Any] = []
        for vector, (*given, options, t) in zip(self._vectors, terms, strict=True):
            values, update, state = optimizer.updated(*given, {**options, **shared_after}, t)
            after += vector.replaced_by([values - update, *state, t + 1.0])
        before = [x for x in itertools.chain(*nodes, shared.values()) if x is not None]
        return before, [*after, *[shared_after[name] for name in self._shared]], views

    def changed(self) -> bool:
        """Return whether the program is not valid any more, because of options or states of the optimizer, too."""
        if not self._is_steady or Call.changed(self):
            return True
        for own in self._options:
            if own.read(own.group) != own.seen:
                self._token = None
                if not own.is_valid():
                    return True
        self._is_placed = self._token == (CHANGED[0], self.optimizer.step_count)
        for vector in self._vectors:
            is_owned = vector.is_owned()
            self._is_placed = self._is_placed and is_owned and vector.flat.current.is_free(True)
            if not is_owned and [*map(type, vector.flat.states[0])] != vector.kinds[1:-1]:
                return True
        return False

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
        memory = [x for vector in self._vectors for x in vector.read() if x is not None]
        return [*memory, *[group[name] for name in self._shared], *super()._data(inputs)]

    def _place(self, machine: Any, inputs: Sequence[Data | None]) -> None:
        """Let the machine work in the memory of the optimizer, and set the other inputs that are given."""
        for vector in self._vectors:
            vector.own()
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
            self.optimizer.complete([vector.flat for vector in self._vectors], {}, steps)

    def _store(self, found: Iterable[Any], sources: Sequence[Operand] = (), steps: int = 1) -> None:
        """Give the optimizer its memory after some steps, and let it count them."""
        memory = iter(found)
        parts = [[None if kind is NONE else next(memory) for kind in vector.new_kinds] for vector in self._vectors]
        places, values = [vector.place() for vector in self._vectors], [values for values, *_ in parts]
        # One call of C functions, which Ctrl-C does not interrupt.
        deque(map(setitem, places, itertools.repeat(...), values), 0)  # type: ignore[arg-type]
        for vector, (_, *state, _) in zip(self._vectors, parts, strict=True):
            vector.set_state(state)
        shared = dict(zip(self._shared, map(float, memory), strict=True))
        self.optimizer.complete([vector.flat for vector in self._vectors], shared, steps)

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
        self.recorded: dict[str, Any] = {name: _as_nodes(group[name], name) for name in names}
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


def _as_nodes(value: Any, name: str) -> Any:
    """Return an option with nodes in place of floats."""
    if isinstance(value, tuple):
        return tuple([_as_nodes(x, f"{name}_{i}") for i, x in enumerate(value, 1)])
    return leaf(Value, float(value), False, name) if isinstance(value, float) else value


def _parts(values: Any) -> list[Any]:
    """Return the values, and the elements of tuples among them."""
    return [x for value in values for x in (value if isinstance(value, tuple) else (value,))]


NONE = type(None)


class Vector:
    """A vector of parameters with its state and its step count, which a step may change in place.

    Attributes
    ----------
    flat : FlatParams
        The parameters.
    kinds, new_kinds : list of type
        The types of these parts before the step and after it; a vector with other types needs another program.
    """

    def __init__(self, flat: Any, optimizer: Any, group: dict[str, Any]) -> None:
        self.flat: Any = flat
        self._names = ("parameters", *optimizer.state_names, "t")
        self._owned: Any = None  # the state of `flat`, if its arrays may change in place
        optimizer.initialized(flat, group)
        self.kinds: list[type] = [*map(type, self.read())]

    def nodes(self) -> list[Any]:
        """Return the parts as nodes, with the optimizer's present data; None for None."""
        # Copies, since the machine is checked later with the recorded data, and the optimizer reuses its vectors.
        data = [x.copy() if isinstance(x, np.ndarray) else x for x in self.read()]
        pairs = zip(data, self._names, strict=True)
        return [None if x is None else leaf(KINDS[type(x)][0], x, False, name) for x, name in pairs]

    def replaced_by(self, new: list[Any]) -> list[Any]:
        """Return what replaces the parts in the next step, with names, without None."""
        for x, name in zip(new, self._names, strict=True):
            if isinstance(x, Node) and x.op is not None and not x.name:
                x.name = f"new_{name}"
        self.new_kinds: list[type] = [*map(type, map(raw_data, new))]
        return [x for x in new if x is not None]

    def read(self) -> list[Any]:
        """Return the present vector, the parts of its state and the next step count."""
        flat = self.flat
        return [flat.read(), *(self._state if self.is_owned() else _whole(flat.states)), flat.t + 1.0]

    def is_owned(self) -> bool:
        """Return whether the arrays of the state may change in place."""
        return self.flat.states is self._owned

    def own(self) -> None:
        """Let vector and state change in place; copy what others may reference."""
        self.place()
        if not self.is_owned():
            self.set_state([x.copy() if isinstance(x, np.ndarray) else x for x in _whole(self.flat.states)])

    def place(self) -> Array:
        """Return the memory of the parameters, after copying them if something else references it."""
        flat, values = self.flat, self.flat.read()
        if flat.current is None or not flat.current.is_free(True):
            flat.output()[...] = values
            flat.write()
        return flat.current.flat  # type: ignore[no-any-return]

    def set_state(self, state: list[Any]) -> None:
        """Give the optimizer a new state, whose arrays may change in place."""
        blocks = [tuple([x[b] if isinstance(x, np.ndarray) else x for x in state]) for b in self.flat.blocks]
        self._state, self._owned, self.flat.states = state, blocks, blocks


def _whole(states: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return a state of blocks as a state of the whole vector."""
    if len(states) == 1:
        return states[0]
    columns = zip(*states, strict=True)
    return tuple([np.concatenate(x) if isinstance(x[0], np.ndarray) else x[0] for x in columns])
