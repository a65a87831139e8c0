"""The recording of a whole training step: loss, backward pass and the optimizer's update as one program."""

from __future__ import annotations

import functools
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd.diagnostics.mistakes import check_root
from autograd.graph import Node, topological_order
from autograd.recording import NotReplayable, current_mode, settled_mode, watching
from autograd.tensor import Tensor
from autograd.transforms.nested import flatten
from autograd.typing import Array, Cotangent, Data, Function, Operand, Tree
from autograd.value import Value
from autograd.variable import leaf

from .compiled import MOST_PROGRAMS, MOST_VARIANTS, Compiled, _copied, _require_loss, _require_result, _variables, _wrapped
from .executor import executor_for
from .program import Program
from .recording import Callback, Recording, RecordingError, gradients_of, uncollected
from .replay import Replay
from .signature import Arguments, Key, signature_of

__all__ = ["CompiledStep"]

Transform: TypeAlias = Callable[[dict[Node, Cotangent]], Mapping[Node, Cotangent]]


class RuleRecording(Recording):
    """Records an optimizer's rule; a Python branch on scalars such as the step count is recorded as a decision.

    Attributes
    ----------
    scalars : set of Node
        Step counts, options and scalar states, the inputs of decisions.
    decisions : dict of Node to bool
        What the rule branched on, and the answers, which must be the same in a replay.
    """

    def __init__(self, other: Recording) -> None:
        super().__init__(False, other)
        self.scalars: set[Node] = set()
        self.decisions: dict[Node, bool] = {}

    def on_read(self, node: Node, how: str) -> None:  # type: ignore[override]
        """Allow the truth value of a scalar, and remember it."""
        if how.startswith("the truth") and node in scalars_of([node], self.scalars):
            self.decisions[node] = bool(node._data)
        else:
            super().on_read(node, how)


def scalars_of(roots: Sequence[Node], inputs: set[Node]) -> set[Node]:
    """Return the inputs and all floats that are computed from inputs and constants alone."""
    found = set(inputs)
    for node in topological_order(*roots):
        if node.op is not None and type(node._data) is float and not isinstance(node.op, Callback):
            if all(a in found for a in node.args if isinstance(a, Node)):
                found.add(node)
    return found


class Options(dict[str, Any]):
    """The options of a group for a recorded rule: floats are nodes, made when they are read; all others are guarded.

    Attributes
    ----------
    group : dict
        The options.
    places : list of tuple
        Name and index (None for a float) of every float that was read.
    nodes : list of Value
        The nodes in their place.
    guards : dict of str to object
        The other options that were read.
    """

    def __init__(self, group: dict[str, Any], scalars: set[Node]) -> None:
        super().__init__()
        self.group = group
        self.places: list[tuple[str, int | None]] = []
        self.nodes: list[Value] = []
        self.guards: dict[str, object] = {}
        self._scalars = scalars

    def __missing__(self, name: str) -> Any:
        value = self.group[name]
        if isinstance(value, float):
            value = self._node(value, name, None)
        elif isinstance(value, tuple) and value and all(isinstance(x, float) for x in value):
            value = tuple([self._node(x, name, i) for i, x in enumerate(value)])
        else:
            self.guards[name] = value
        self[name] = value
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return an option, or a default."""
        return self[name] if name in self or name in self.group else default

    def _node(self, x: float, name: str, index: int | None) -> Value:
        node: Value = leaf(Value, float(x), False, name if index is None else f"{name}_{index + 1}")
        self.places.append((name, index))
        self.nodes.append(node)
        self._scalars.add(node)
        return node

    def hold(self) -> bool:
        """Return whether the guarded options are as they were when the rule was recorded."""
        return all(self.group[name] == value for name, value in self.guards.items())

    def floats(self) -> list[float]:
        """Return the present values of `nodes`."""
        group = self.group
        return [group[name] if index is None else group[name][index] for name, index in self.places]


class Update:
    """The recorded update of one vector of parameters.

    Parameters
    ----------
    flat : FlatParams
        The parameters.
    optimizer, options : Optimizer, Options
        The rule and its options.
    scalars : set of Node
        The scalars of the recording.

    Attributes
    ----------
    arrays, floats : list of Node
        Inputs: the vector and the arrays of its state; the step count and the floats of its state.
    new_arrays, new_floats : list
        After the step: the parts of the vector and the arrays of its state; the floats of its state.
    """

    def __init__(self, flat: Any, optimizer: Any, options: Options, scalars: set[Node]) -> None:
        self.flat, self.options = flat, options
        self.vector: Tensor = leaf(Tensor, flat.read(), False, "parameters")
        self.t: Value = leaf(Value, float(flat.t + 1), False, "t")
        self.arrays: list[Node] = [self.vector]
        self.floats: list[Node] = [self.t]
        self.states: list[tuple[Any, ...]] = []
        given = optimizer.initialized(flat, options.group)
        self._kinds: list[type] = [*map(type, given[0])]
        of_all_blocks: dict[str, Node] = {}
        for state in given:
            parts: list[Any] = []
            for name, part in zip(optimizer.state_names, state, strict=True):
                if isinstance(part, np.ndarray):
                    self.arrays.append(part := leaf(Tensor, part, False, name))
                elif isinstance(part, float):
                    if name not in of_all_blocks:
                        self.floats.append(of_all_blocks.setdefault(name, leaf(Value, part, False, name)))
                    part = of_all_blocks[name]
                parts.append(part)
            self.states.append(tuple(parts))
        scalars.update(self.floats)

    def terms(self, gradient: Operand) -> list[tuple[Any, ...]]:
        """Return parameter, gradient, state, options and step count of every block."""
        blocks = self.flat.blocks if len(self.states) > 1 else []
        parts = [(self.vector[b], gradient[b]) for b in blocks] or [(self.vector, gradient)]
        return [(p, g, state, self.options, self.t) for (p, g), state in zip(parts, self.states, strict=True)]

    def record(self, optimizer: Any, gradient: Operand) -> None:
        """Record the rule of every block."""
        found = [(terms[2], optimizer.updated(*terms)) for terms in self.terms(gradient)]
        self.new_arrays: list[Operand] = [q - update for _, (q, update, _) in found]
        self.new_floats: list[Operand] = []
        self._layout: list[list[tuple[int, int]]] = []  # of the new states: where each part is, and its index there
        for old, (_, _, new) in found:
            self.new_floats = []
            row = []
            for i, part in enumerate(new):
                if part is None or part is old[i]:
                    row.append((0, i))
                elif isinstance(part, (Value, float)):
                    self.new_floats.append(part)
                    row.append((2, len(self.new_floats) - 1))
                else:
                    self.new_arrays.append(part)
                    row.append((1, len(self.new_arrays) - 1))
            self._layout.append(row)

    def holds(self) -> bool:
        """Return whether options and the parts of the state are of the recorded kinds."""
        return [*map(type, self.flat.states[0])] == self._kinds and self.options.hold()

    def given(self) -> list[Array]:
        """Return the present vector and the arrays of its state."""
        states = self.flat.states
        return [self.flat.read(), *[part for state in states for part in state if isinstance(part, np.ndarray)]]

    def given_floats(self) -> list[float]:
        """Return the number of the next step, and the floats of the state."""
        return [self.flat.t + 1.0, *[part for part in self.flat.states[0] if isinstance(part, float)]]

    def finish(self, arrays: Sequence[Array], floats: Sequence[float]) -> list[tuple[Any, ...]]:
        """Write the new parts of the vector into the output of the flat parameters, and return the new states."""
        flat = self.flat
        out = flat.output()
        for block, part in zip(flat.blocks, arrays, strict=False):
            out[block] = part
        sources = [(state, arrays, floats) for state in flat.states]
        return [
            tuple([source[kind][i] for kind, i in row]) for source, row in zip(sources, self._layout, strict=True)
        ]


class StepProgram:
    """A recorded training step: loss, gradients and update as one program, and its scalars as another.

    Parameters
    ----------
    function : callable
        Returns a loss, or a nest that begins with a loss.
    optimizer : Optimizer
        Updates the parameters.
    transform : callable or None
        Changes the gradients.
    call : Arguments
        The arguments of the recorded call.
    """

    def __init__(self, function: Function, optimizer: Any, transform: Transform | None, call: Arguments) -> None:
        self.optimizer = optimizer
        recording = Recording()
        rules = RuleRecording(recording)
        with watching(recording):
            outputs, self._rebuild, gradients = recorded_loss(function, call)
        owned = set(optimizer.parameters)
        gradients = {p: g for p, g in gradients.items() if p in owned}
        with watching(rules):
            if transform is not None:
                gradients = dict(transform(gradients))
            checks = [(g * 0.0).sum() for g in gradients.values()] if optimizer.skip_nonfinite else []
            replaced = self._record_updates(gradients, rules.scalars)
        recording.refuse_draws()
        recording.refuse_outside(*outputs, *recording.effects)
        self._guards = recording.guards
        self._members = [(p, p.notes.hooks) for p in gradients]
        self._labels = [f"parameter {p.name!r}" for p in gradients] if checks else []
        self._count, self._kinds = len(outputs), [type(x) if isinstance(x, Node) else None for x in outputs]
        results = [*outputs, *checks, *self._new_shared.values(), *[x for u in self.updates for x in u.new_arrays]]
        needed = self._record_scalars(results, rules)
        inputs = {x: x.name for x in (*call.nodes, *[x for u in self.updates for x in u.arrays])}
        inputs |= {x: x.name for x in self._shared.values()}
        for x in needed:
            input_node = x if x.op is None else leaf(Value, x._data, False, x.name or "scalar")
            inputs[input_node] = input_node.name
            if x.op is not None:
                replaced[x] = input_node
        names = [*call.names, *[*inputs.values()][len(call.names) :]]
        program = Program([*inputs], results, len(outputs), recording.effects, names, (), replaced)
        self.replay = Replay(program)
        self._first: Any = ([_copied(x) for x in results], self._first_scalars)

    def _record_updates(self, gradients: Mapping[Node, Cotangent], scalars: set[Node]) -> dict[Node, Node]:
        """Record the update of every vector, and return the parts of the vectors that replace the parameters."""
        optimizer, groups = self.optimizer, {}
        replaced: dict[Node, Node] = {}
        self.updates: list[Update] = []
        terms: list[tuple[Any, ...]] = []
        joined: list[Operand] = []
        with watching(False):  # the optimizer reads parameters
            for flat, group in optimizer.moving(lambda p: p in gradients):
                options = groups.setdefault(id(group), Options(group, scalars))
                self.updates.append(Update(flat, optimizer, options, scalars))
        for update in self.updates:
            flat = update.flat
            replaced.update(zip(flat.members, flat.viewed(update.vector), strict=True))
            joined.append(flat.joined([gradients[p] for p in flat.members]))
            terms += update.terms(joined[-1])
        first = optimizer.param_groups[0]
        options = groups.setdefault(id(first), Options(first, scalars))
        dtype = self.updates[0].flat.dtype
        self._shared: dict[str, Node] = {
            name: leaf(Tensor, np.array(first[name], dtype), False, name)
            for name, value in optimizer.shared.items()
            if isinstance(value, float)
        }
        for own in groups.values():
            own.update(self._shared)
        self._new_shared: dict[str, Node] = optimizer.shared_values(options, terms)
        for own in groups.values():
            own.update(self._new_shared)
        for update, gradient in zip(self.updates, joined, strict=True):
            update.record(optimizer, gradient)
        self._options = list(groups.values())
        return replaced

    def _record_scalars(self, results: Sequence[Operand], rules: RuleRecording) -> list[Node]:
        """Make the program of the scalars, and return those that the other program needs."""
        nodes = topological_order(*[x for x in results if isinstance(x, Node)])
        scalars = scalars_of(nodes, rules.scalars)
        used = [a for node in nodes if node not in scalars for a in node.args if isinstance(a, Node) and a in scalars]
        needed = list(dict.fromkeys(used))
        inputs = [x for part in (*self.updates,) for x in part.floats]
        inputs += [x for options in self._options for x in options.nodes]
        new_floats = [x for u in self.updates for x in u.new_floats]
        program = Program(inputs, [*needed, *new_floats, *rules.decisions], len(needed), [], [x.name for x in inputs])
        self._scalars = executor_for(program)
        self._first_scalars = program.found
        self._needed, self._decided = len(needed), len(needed) + len(new_floats)
        self._decisions = tuple(rules.decisions.values())
        return needed

    def scalars(self) -> Sequence[float] | None:
        """Return the values of the scalars; None if the program is not valid for the present state."""
        if not self.replay.holds() or not all(update.holds() for update in self.updates):
            return None
        for p, hooks in self._members:
            if not p._requires_grad or p.notes.hooks is not hooks:
                return None
        for function, args, answer in self._guards:
            if function(*args) != answer:
                return None
        given = [x for update in self.updates for x in update.given_floats()]
        given += [x for options in self._options for x in options.floats()]
        found = self._scalars.run(*given)
        return found if tuple(map(bool, found[self._decided :])) == self._decisions else None

    def __call__(self, inputs: Sequence[Data], scalars: Sequence[float]) -> Tree:
        """Run the program, complete the optimizer's step, and return the result."""
        given = [*inputs, *[a for update in self.updates for a in update.given()]]
        if self._shared:
            first = self.optimizer.param_groups[0]
            given += [np.array(first[name], x._data.dtype) for name, x in self._shared.items()]
        return self._finish(self.replay.run([*given, *scalars[: self._needed]]), scalars)

    def first_result(self) -> Tree:
        """Complete the step that was recorded, and return its result."""
        found, scalars = self._first
        self._first = None
        return self._finish(found, scalars)

    def _finish(self, found: Sequence[Data], scalars: Sequence[float]) -> Tree:
        outputs, rest = found[: self._count], found[self._count :]
        culprits = [name for name, x in zip(self._labels, rest, strict=False) if x != 0.0]
        if culprits:
            self.optimizer.skip(culprits)
        else:
            rest = rest[len(self._labels) :]
            shared = dict(zip(self._new_shared, map(float, rest), strict=False))
            arrays, floats = rest[len(shared) :], scalars[self._needed : self._decided]
            states = []
            for update in self.updates:
                count, number = len(update.new_arrays), len(update.new_floats)
                states.append(update.finish(arrays[:count], floats[:number]))
                arrays, floats = arrays[count:], floats[number:]
            self.optimizer.commit([update.flat for update in self.updates], states, shared)
        return self._rebuild(iter([_wrapped(x, kind) for x, kind in zip(outputs, self._kinds, strict=True)]))


class CompiledStep:
    """A training step with its recorded programs; see `compile`."""

    def __init__(self, function: Function, optimizer: Any, transform: Transform | None = None) -> None:
        if getattr(optimizer, "needs_closure", False):
            raise TypeError(
                f"{type(optimizer).__name__} evaluates the loss several times in a step, which one program cannot "
                "record: write compile(loss), and pass optimizer.step a closure that calls it"
            )
        self.optimizer, self._transform = optimizer, transform
        self._gradients = Compiled(function)
        functools.update_wrapper(self, function)
        self._programs: dict[Key, list[StepProgram]] = {}
        self._layout: Any = None
        self._lock = threading.RLock()
        self._is_running = False

    def __call__(self, *args: Tree, **kwargs: Tree) -> Tree:
        """Take one step, and return what the function returns."""
        mode = settled_mode()
        if not mode:
            raise RuntimeError("a training step needs gradients: call it outside of no_grad()")
        if mode is not True or self._is_running or not _is_recordable(self.optimizer):
            return self._by_parts(args, kwargs)
        key, inputs, _ = signature_of(args, kwargs, True)
        with self._lock:
            if not self.optimizer.has_layout(self._layout):
                self._programs.clear()
                self._layout = self.optimizer.layout()
            for program in self._programs.get(key, ()):
                if (scalars := program.scalars()) is not None:
                    self._is_running = True
                    try:
                        return program(inputs, scalars)
                    except (NotReplayable, ValueError, TypeError, ArithmeticError, IndexError):
                        return self._by_parts(args, kwargs)
                    finally:
                        self._is_running = False
            return self._record(key, args, kwargs)

    def _by_parts(self, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        """Compute gradients in `.grad`, let the optimizer step, and restore `.grad`."""
        parameters = self.optimizer.parameters
        held = [(p, p.grad) for p in parameters]
        self.optimizer.zero_grad()
        try:
            result = self._gradients(*args, **kwargs)
            if self._transform is not None:
                for p, g in self._transform({p: p.grad for p in parameters if p.grad is not None}).items():
                    p.grad = g
            self.optimizer.step()
        finally:
            for p, g in held:
                p.grad = g
        return result

    def _record(self, key: Key, args: tuple[Tree, ...], kwargs: dict[str, Tree]) -> Tree:
        function = self._gradients.function
        while len(self._programs) >= MOST_PROGRAMS and key not in self._programs:
            del self._programs[next(iter(self._programs))]
        try:
            with uncollected():
                program = StepProgram(function, self.optimizer, self._transform, Arguments(function, args, kwargs))
        except NotReplayable:
            return self._by_parts(args, kwargs)
        kept = self._programs.setdefault(key, [])
        del kept[: max(0, len(kept) + 1 - MOST_VARIANTS)]
        kept.append(program)
        self._layout = self.optimizer.layout()  # recording may have split vectors
        return program.first_result()

    def many(self, *data_and_rows: Array, scheduler: Any = None) -> Array:
        """Take a step for every row of a matrix of row numbers, and return the losses."""
        *data, rows = data_and_rows
        arrays = [np.asarray(getattr(a, "data", a)) if isinstance(a, Node) else a for a in data]
        losses = np.empty(len(rows))
        for k, chosen in enumerate(rows):
            result = self(*[a[chosen] for a in arrays])
            losses[k] = float(flatten(result, dataclasses=True)[0][0])
            if scheduler is not None:
                scheduler.step()
        return losses

    def source(self) -> str:
        """Return the source code of the program recorded last."""
        if not self._programs:
            raise RuntimeError("no program is recorded yet: take a step before source()")
        return [program for programs in self._programs.values() for program in programs][-1].replay.executor.source

    def __repr__(self) -> str:
        name = getattr(self._gradients.function, "__qualname__", type(self._gradients.function).__name__)
        return f"<compiled step of {name}, programs recorded: {sum(map(len, self._programs.values()))}>"

    def __get__(self, instance: object, owner: type | None = None) -> Function:
        return self if instance is None else types.MethodType(self, instance)


def _is_recordable(optimizer: Any) -> bool:
    """Return whether the rule of an optimizer is recorded: that of an elementwise optimizer of arrays."""
    if not getattr(optimizer, "elementwise", False) or not hasattr(optimizer, "rule"):
        return False
    return all(type(p._data) is np.ndarray for p in optimizer.parameters)


def recorded_loss(function: Function, call: Arguments) -> tuple[list[Operand], Any, dict[Node, Cotangent]]:
    """Return the results of a function while it is recorded, what rebuilds their nest, and the gradients of the loss."""
    outputs, paths, rebuild = flatten(function(*call.args, **call.kwargs), "result", dataclasses=True)
    for y, path in zip(outputs, paths, strict=True):
        _require_result(y, path)
    loss = outputs[0] if outputs else None
    if not isinstance(loss, Node) or not _variables(loss):
        raise RuntimeError("the loss of a training step does not depend on any variable")
    _require_loss(loss)
    check_root(loss)
    return outputs, rebuild, gradients_of(loss)
