"""A recorded training step: loss, gradients and the optimizer's update as one program."""

import copy
import itertools
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from operator import itemgetter, setitem
from typing import Any, TypeAlias

import numpy as np

from autograd.graph import CHANGED, Node, topological_order
from autograd.recording import NotReplayable, watching
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

    The program has more inputs than that of a `Call`: before the arguments its *memory* (for each vector of parameters
    the vector, its state and its step count, then the values that all vectors share), after them the options.  The
    results after the outputs replace the memory.

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
        # `CHANGED` and the number of steps when the machine had taken the last step, with the present options.
        self._placed: object = None
        self._steps: int = -1
        super().__init__(function, arguments, Recording())
        for vector in self._vectors:
            vector.nodes.clear()  # which keep the recorded graph alive

    def _program(
        self, given: Arguments, outputs: Sequence[Operand], gradients: Mapping[Node, Cotangent], recording: Recording
    ) -> Program:
        if not gradients:
            raise RuntimeError("the loss of a training step depends on no variable: return a loss first")
        optimizer, first = self.optimizer, self.optimizer.param_groups[0]
        owned, guards = {*optimizer.parameters}, len(recording.first)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        shared = {name: first[name] for name, value in optimizer.shared.items() if isinstance(value, float)}
        shared = {name: leaf(Value, value, False, name) for name, value in shared.items()}
        self._options = [Options(group, shared) for group in optimizer.param_groups]
        rules = recording.with_grad(False)
        rules.options = {x for own in self._options for x in own.inputs}
        with watching(rules):
            if self._transform is not None:
                gradients = dict(self._transform(gradients))
            new = self._updated(gradients, shared)
            views = dict(itertools.chain.from_iterable(vector.views() for vector in self._vectors))
        # The rule branches on step counts and floats of states, but not on options, which must stay zero or nonzero.
        self.branches: bool = len(recording.first) > guards
        self.members: list[Node] = [*gradients]
        self._states += [(p, state_of(p)) for p in gradients]
        before = [x for vector in self._vectors for x in vector.nodes if x is not None] + [*shared.values()]
        first_given, results = len(before), [*outputs, *new]
        # What is computed from floats may fail, and therefore comes before memory changes.
        order = topological_order(*[x for x in results if isinstance(x, Node)])
        effects = [*recording.effects, *[x for x in order if x.op is not None and type(x._value) is float]]
        options = [x for own in self._options for x in own.used_in({*order})]
        inputs = [*before, *given.nodes, *options]
        names = [*[x.name for x in before], *given.names, *[x.name for x in options]]
        program = Program(inputs, results, len(outputs), effects, names, replaced=views)
        self._flats = [vector.flat for vector in self._vectors]
        self._shared = [*shared]
        self._has_floats = sum(isinstance(x, Value) for x in before) > len(self._vectors)
        self._numbers = [*range(first_given, first_given + len(given.nodes)), *program.leaves]
        self._is_in_place = all(vector.is_steady for vector in self._vectors)
        if self._is_in_place:
            program.repeated = {i: len(outputs) + i for i in range(len(before))}
        return program

    def _updated(self, gradients: Mapping[Node, Cotangent], shared: dict[str, Node]) -> list[Any]:
        """Record the update of every vector, and return the new memory."""
        optimizer, terms = self.optimizer, []
        with watching(False):  # the optimizer reads parameters
            moving = optimizer.moving(gradients.__contains__)
            self._vectors = [Vector(flat, optimizer, group) for flat, group in moving]
        if not moving:
            raise RuntimeError(
                f"the loss depends on no parameter of this {type(optimizer).__name__}: make the optimizer from the "
                "parameters of the model that the loss uses"
            )
        groups = {id(own.group): {**own.nodes, **shared} for own in self._options}
        for vector, (flat, group) in zip(self._vectors, moving, strict=True):
            g = flat.joined([gradients[p] for p in flat.members])
            if isinstance(g, Node) and not g.name:
                g.name = "gradient"
            values, *state, t = vector.nodes
            terms.append((values, g, tuple(state), groups[id(group)], t))
        new_shared = optimizer.shared_values(groups[id(optimizer.param_groups[0])], terms)
        new: list[Any] = []
        for vector, (*before, options, t) in zip(self._vectors, terms, strict=True):
            values, update, state = optimizer.updated(*before, {**options, **new_shared}, t)
            new += vector.replaced_by([values - update, *state, t + 1.0])
        return [*new, *[new_shared[name] for name in shared]]

    def changed(self) -> bool:
        """Return whether the program is not valid any more, because of options or states of the optimizer, too."""
        if Call.changed(self):
            return True
        for own in self._options:
            if own.read(own.group) != own.seen:
                self._placed = None
                if not own.is_valid():
                    return True
        self._is_placed = self._placed is CHANGED[0] and self._steps == self.optimizer.step_count
        for vector in self._vectors:
            flat, is_known = vector.flat, vector.flat.states is vector.states
            self._is_placed = self._is_placed and is_known and flat.current.is_free(True)
            if not is_known and kinds_of(flat.states[0]) != vector.kinds:
                return True
        return False

    def __call__(self, inputs: Sequence[Data], sources: Sequence[Operand]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        machine = self.executor.machine or self.executor.chosen() if self._is_in_place else None
        if machine is None:
            return super().__call__(inputs, sources)
        if self._is_placed and self._writers:
            data = (*inputs, *[x._value for x in self._leaves]) if self._leaves else inputs
            for write, x in zip(self._writers, data):  # noqa: B905 - strict costs 0.2 us a step
                write(x)
        else:
            self._place(machine, inputs)
        machine.execute()
        if self._is_placed and not self._has_floats:
            self.optimizer.complete(self._flats, {})
        else:
            self._complete(machine)
        self._placed, self._steps = CHANGED[0], self.optimizer.step_count
        return self._result(machine.results(self._count))

    def first_result(self, sources: Sequence[Operand]) -> Tree:
        """Complete the step that was recorded, and return its result."""
        self._read()
        return super().first_result(sources)

    def _read(self) -> list[Any]:
        """Return the memory of the program, in arrays that may change in place."""
        shared, group = self._shared, self.optimizer.param_groups[0]
        self._memory: list[Any] = [x for vector in self._vectors for x in vector.read() if x is not None]
        self._memory += [group[name] for name in shared]
        return self._memory

    def _data(self, inputs: Sequence[Data | None]) -> list[Any]:
        """Return the data of all inputs of the program."""
        return [*self._read(), *inputs, *self._others()]

    def _others(self) -> list[Data]:
        """Return the options, and the data of variables from outside."""
        return [*[x for own in self._options for x in own.floats], *[x._value for x in self._leaves]]

    def _place(self, machine: Any, inputs: Sequence[Data | None]) -> None:
        """Let the machine work in the memory of the optimizer, and set the other inputs that are given."""
        data = self._data(inputs)
        for number, x in enumerate(self._memory):
            if isinstance(x, np.ndarray):
                machine.place(number, x)
                data[number] = None
        machine.set(data)
        writers = [machine.setters.get(i) for i in self._numbers]
        self._writers = [] if None in writers else writers  # floats are set together

    def _store(self, found: Sequence[Data], sources: Sequence[Operand]) -> None:
        memory = iter(found[self._count :])
        states = [vector.parts_of(memory) for vector in self._vectors]
        # One call of C functions, which Ctrl-C does not interrupt.
        places, values = [vector.place for vector in self._vectors], [values for values, *_ in states]
        deque(map(setitem, places, itertools.repeat(...), values), 0)  # type: ignore[arg-type]
        self._write(states, memory)

    def _complete(self, machine: Any, steps: int = 1) -> None:
        """Complete steps of the machine, whose arrays are in memory of the optimizer."""
        floats = iter(machine.floats())
        memory = (x if isinstance(x, np.ndarray) else next(floats) for x in self._memory)
        self._write([vector.parts_of(memory) for vector in self._vectors], memory, steps)

    def _write(self, states: list[list[Any]], shared: Iterator[Any], steps: int = 1) -> None:
        """Give the optimizer new states and shared values, and let it count steps."""
        for vector, (_, *state, _) in zip(self._vectors, states, strict=True):
            vector.write(state)
        self.optimizer.complete(self._flats, dict(zip(self._shared, map(float, shared), strict=True)), steps)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> tuple[list[float], bool]:
        """Take steps in the native machine; return their losses, and whether the next one raises an error."""
        machine = self.executor.chosen() if self._is_in_place else None
        if machine is None or self.changed():
            return [], False
        groups = self.optimizer.param_groups
        before = None if scheduler is None else (copy.deepcopy(scheduler.state_dict()), list(map(dict, groups)))
        others = self._scheduled(len(rows), scheduler)
        self._place(machine, [None] * len(arrays))
        self._placed = None  # the machine goes on with other options
        floats = None if scheduler is None else np.array(others)
        losses, error = machine.execute_many(arrays, self._numbers[0], rows[: len(others)], floats)
        done = len(losses)
        if done < len(others) and before is not None:
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

    def _scheduled(self, times: int, scheduler: Any) -> list[list[float]]:
        """Return the options and other floats of the next steps, of fewer if the program is not valid for all."""
        optimizer, taken, found = self.optimizer, self.optimizer.step_count, list[list[float]]()
        try:
            while len(found) < times and all([own.is_valid() for own in self._options]):  # noqa: C419
                found.append([x for x in self._others() if type(x) is float])
                if scheduler is None:
                    return found * times
                optimizer.step_count += 1  # which schedules compare with their own count
                scheduler.step()
        finally:
            optimizer.step_count = taken
        return found


class Options:
    """The options of a group: floats are inputs of the program; all others, and which floats are zero, stay the same.

    Attributes
    ----------
    group : dict
        The options.
    nodes : dict of str to object
        The options, with nodes in place of floats.
    inputs : list of Node
        These nodes.
    seen : tuple
        The options when they were valid last.
    floats : list of float
        Those that the program uses.
    """

    def __init__(self, group: dict[str, Any], without: Container[str]) -> None:
        self.group: dict[str, Any] = group
        names = [name for name in group if name not in ("params", "param_names") and name not in without]
        self.read: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)
        self.nodes: dict[str, Any] = {name: _as_nodes(group[name], name) for name in names}
        self.inputs: list[Node] = [x for x in _parts(self.nodes.values()) if isinstance(x, Node)]
        self._used: list[Any] = []
        self._fixed: Any = None
        self.seen: tuple[Any, ...] = ()
        self.floats: list[float] = []

    def used_in(self, order: Container[Node]) -> list[Node]:
        """Return the inputs on which results depend."""
        self._used = [x in order for x in self.inputs]
        self.is_valid()
        return [*itertools.compress(self.inputs, self._used)]

    def is_valid(self) -> bool:
        """Read the floats again, and return whether all else is as it was recorded."""
        seen = self.read(self.group)
        parts = _parts(seen)
        fixed = [(x != 0.0,) if isinstance(x, float) else x for x in parts]
        self._fixed = self._fixed or fixed
        if fixed != self._fixed:
            return False
        self.seen, floats = seen, [x for x in parts if isinstance(x, float)]
        self.floats = [*itertools.compress(floats, self._used)]
        return True


def _as_nodes(value: Any, name: str) -> Any:
    """Return an option with nodes in place of floats."""
    if isinstance(value, tuple):
        return tuple([_as_nodes(x, f"{name}_{i}") for i, x in enumerate(value, 1)])
    return leaf(Value, float(value), False, name) if isinstance(value, float) else value


def _parts(values: Any) -> list[Any]:
    """Return the values, and the elements of tuples among them."""
    return [x for value in values for x in (value if isinstance(value, tuple) else (value,))]


class Vector:
    """A vector of parameters and its state, in arrays that a step may change in place.

    Attributes
    ----------
    flat : FlatParams
        The parameters.
    kinds : list
        The kinds of the parts of the state before the step.
    is_steady : bool
        Whether the state has the same parts after the step, so that it can change in place.
    nodes : list
        The vector, the parts of the state and the step count, as recorded.
    states : list or None
        The optimizer's state, if its arrays may change in place.
    place : ndarray
        The present vector.
    """

    def __init__(self, flat: Any, optimizer: Any, group: dict[str, Any]) -> None:
        self.flat: Any = flat
        parts = _whole(optimizer.initialized(flat, group))
        self.kinds: list[Any] = kinds_of(parts)
        self.is_steady: bool = False
        self.states: Any = None
        self._names = ("parameters", *optimizer.state_names, "t")
        # A copy: the machine is checked later with the recorded data, and the optimizer reuses its vectors.
        self.nodes: list[Any] = [
            None if x is None else leaf(Value if isinstance(x, float) else Tensor, x, False, name)
            for x, name in zip((flat.read().copy(), *parts, flat.t + 1.0), self._names, strict=True)
        ]

    def views(self) -> Iterator[tuple[Node, Node]]:
        """Yield each parameter with the part of the vector that replaces it in the program."""
        for p, view in zip(self.flat.members, self.flat.viewed(self.nodes[0]), strict=True):
            view.name = p.name
            yield p, view

    def replaced_by(self, new: list[Any]) -> list[Any]:
        """Return what replaces the vector, its state and the step count in the next step, with names."""
        for x, name in zip(new, self._names, strict=True):
            if isinstance(x, Node) and x.op is not None and not x.name:
                x.name = f"new_{name}"
        self._after = kinds_of(new)
        self.is_steady = self._after[1:-1] == self.kinds
        return [x for x in new if x is not None]

    def parts_of(self, memory: Iterator[Any]) -> list[Any]:
        """Return the new vector, the parts of the state and the step count, from the memory after a step."""
        return [None if kind is None else next(memory) for kind in self._after]

    def read(self) -> tuple[Any, ...]:
        """Return the present vector, the state and the next step count; copies of arrays that others reference."""
        flat = self.flat
        self.place: Array = flat.read()
        if flat.current is None or not flat.current.is_free(True):
            values, self.place = self.place, flat.output()
            self.place[...] = values
        if flat.states is not self.states:
            self._set([x.copy() if isinstance(x, np.ndarray) else x for x in _whole(flat.states)])
        return self.place, *self._parts, flat.t + 1.0

    def write(self, parts: list[Any]) -> None:
        """Store the vector that is in its place now, and a new state."""
        if self.flat.current is None or self.place is not self.flat.current.flat:
            self.flat.write()
        self._set(parts)

    def _set(self, parts: list[Any]) -> None:
        states = [tuple([x[b] if isinstance(x, np.ndarray) else x for x in parts]) for b in self.flat.blocks]
        self._parts, self.flat.states = parts, states
        self.states = states if kinds_of(parts) == self.kinds else None


def kinds_of(parts: Sequence[Any]) -> list[bool | None]:
    """Return for each part of a state whether it is a float, and None for None."""
    return [None if x is None else isinstance(x, (Value, float)) for x in parts]


def _whole(states: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return a state of blocks as a state of the whole vector."""
    if len(states) == 1:
        return states[0]
    columns = zip(*states, strict=True)
    return tuple([np.concatenate(x) if isinstance(x[0], np.ndarray) else x[0] for x in columns])
