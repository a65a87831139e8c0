"""The recording of an optimizer's update: its rule, called with nodes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from autograd.graph import Node, topological_order
from autograd.tensor import Tensor
from autograd.typing import Array, DType, Operand, Shape
from autograd.value import Value
from autograd.variable import leaf

from .memory import HELD_ONCE, aligned, most_holders
from .recording import Callback, Recording


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
        computed = node.op is not None and type(node._data) is float and not isinstance(node.op, Callback)
        if computed and all(a in found for a in node.args if isinstance(a, Node)):
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
        self._seen, self._floats = list[object](), list[float]()

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

    def floats(self) -> list[float] | None:
        """Return the present values of `nodes`; None if the guarded options are not as they were when recorded."""
        group = self.group
        seen = [group[name] for name in self._names]
        if seen != self._seen:
            if [group[name] for name in self.guards] != list(self.guards.values()):
                return None
            self._floats = [group[name] if index is None else group[name][index] for name, index in self.places]
            self._seen = seen
        return self._floats

    def forget(self) -> None:
        """Drop the nodes, and remember what was read."""
        self._names = list(dict.fromkeys([*self.guards, *[name for name, _ in self.places]]))
        self.clear()


KEPT, ARRAY, FLOAT = range(3)  # where a part of a new state is: in the old state, among the arrays or the floats


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
    count : int
        The number of new arrays.
    new_arrays, new_floats : list
        After the step: the vector and the arrays of its state; the floats of its state.
    """

    def __init__(self, flat: Any, optimizer: Any, options: Options, scalars: set[Node]) -> None:
        self.flat: Any = flat
        self.options: Options = options
        # A copy: the machine is checked later with the recorded data, and the optimizer reuses its vectors.
        self.vector: Tensor = leaf(Tensor, flat.read().copy(), False, "parameters")
        self.t: Value = leaf(Value, float(flat.t + 1), False, "t")
        self.arrays: list[Node] = [self.vector]
        self.floats: list[Node] = [self.t]
        self.states: list[tuple[Any, ...]] = []
        given = optimizer.initialized(flat, options.group)
        self._kinds: list[type] = [*map(type, given[0])]
        self._spare: list[list[Array]] = []
        self._known, self._parts = list[tuple[Any, ...]](), list[Array]()  # the last states, and the arrays in them
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

    def views(self) -> dict[Node, Node]:
        """Return the part of the vector that replaces each parameter in the program."""
        views = dict(zip(self.flat.members, self.flat.viewed(self.vector), strict=True))
        for p, view in views.items():
            view.name = p.name
        return views

    def terms(self, gradient: Operand) -> list[tuple[Any, ...]]:
        """Return parameter, gradient, state, options and step count of every block."""
        blocks = self.flat.blocks
        parts = [(self.vector[b], gradient[b]) for b in blocks] if len(blocks) > 1 else [(self.vector, gradient)]
        return [(p, g, state, self.options, self.t) for (p, g), state in zip(parts, self.states, strict=True)]

    def record(self, optimizer: Any, gradient: Operand) -> None:
        """Record the rule of every block."""
        found = [(terms[2], optimizer.updated(*terms)) for terms in self.terms(gradient)]
        parts = [q - update for _, (q, update, _) in found]
        self.new_arrays: list[Operand] = [parts[0] if len(parts) == 1 else np.concatenate(parts)]
        self.new_floats: list[Operand] = []
        self._layout: list[list[tuple[int, int]]] = []  # of the new states: where each part is, and its index there
        for old, (_, _, new) in found:
            self.new_floats = []
            row = []
            for i, part in enumerate(new):
                if part is None or part is old[i]:
                    row.append((KEPT, i))
                elif isinstance(part, (Value, float)):
                    self.new_floats.append(part)
                    row.append((FLOAT, len(self.new_floats) - 1))
                else:
                    self.new_arrays.append(part)
                    row.append((ARRAY, len(self.new_arrays) - 2))
            self._layout.append(row)
        arrays = [x._data if isinstance(x, Node) else x for x in self.new_arrays[1:]]
        for x, like in zip(self.new_arrays, self.arrays, strict=False):
            if isinstance(x, Node) and x.op is not None and not x.name:
                x.name = f"new_{like.name}"
        self._floats = len(self.new_floats)
        first = zip(self.states[0], self._layout[0], strict=True)
        self.renewed: list[bool] = [kind == FLOAT for part, (kind, _) in first if isinstance(part, Value)]
        self.count: int = len(self.new_arrays)
        # Whether all arrays of the state are replaced, and no others appear.
        self._replaces_all = self.carried() == {i: i for i in range(len(self.arrays))}
        self._shapes: list[tuple[Shape, DType]] = [(a.shape, a.dtype) for a in arrays]

    def forget(self) -> None:
        """Drop the nodes of the recorded step, which keep its graph alive."""
        del self.vector, self.t, self.arrays, self.floats, self.states, self.new_arrays, self.new_floats

    def holds(self) -> bool:
        """Return whether the parts of the state are of the recorded kinds."""
        states = self.flat.states
        if states is not self._known:
            if [*map(type, states[0])] != self._kinds:
                return False
            self._parts = [part for state in states for part in state if isinstance(part, np.ndarray)]
            self._known = states
        return True

    def given(self) -> list[Array]:
        """Return the present vector and the arrays of its state, after `holds`."""
        return [self.flat.read(), *self._parts]

    def given_floats(self) -> list[float]:
        """Return the number of the next step, and the floats of the state."""
        counted = [self.flat.t + 1.0]
        return [*counted, *[x for x in self.flat.states[0] if isinstance(x, float)]] if self.renewed else counted

    def carried(self) -> dict[int, int] | None:
        """Return which of `new_arrays` replaces which of `arrays` in the next step; None if the state grows."""
        found, place = {0: 0}, 1
        for state, row in zip(self.flat.states, self._layout, strict=True):
            for part, (kind, i) in zip(state, row, strict=True):
                if isinstance(part, np.ndarray):
                    if kind == ARRAY:
                        found[place] = 1 + i
                    place += 1
                elif kind == ARRAY:
                    return None
        return found

    def targets(self) -> list[Array]:
        """Return arrays for `new_arrays` that nothing else references."""
        for free in self._spare:
            if not free or most_holders(free) <= HELD_ONCE:
                break
        else:
            free = [aligned(math.prod(shape), dtype).reshape(shape) for shape, dtype in self._shapes]
            self._spare = [*self._spare[-1:], free]
        return [self.flat.output(), *free]

    def new_states(self, arrays: Sequence[Array], floats: Iterator[float]) -> list[tuple[Any, ...]]:
        """Return the state after the step, from the arrays of `targets` and the next of the new floats."""
        own = list(itertools.islice(floats, self._floats)) if self._floats else []
        sources = [(state, arrays[1:], own) for state in self.flat.states]
        new = [tuple([source[kind][i] for kind, i in row]) for source, row in zip(sources, self._layout, strict=True)]
        if self._replaces_all:
            self._known, self._parts = new, list(arrays[1:])
        return new
