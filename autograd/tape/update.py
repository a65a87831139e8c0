"""The recording of an optimizer's update: its rule, called with nodes."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

from autograd.graph import Node, topological_order
from autograd.tensor import Tensor
from autograd.typing import Array, Data, Operand
from autograd.value import Value
from autograd.variable import leaf

from .recording import Recording

data_of: Callable[[Any], Any] = attrgetter("_value")


class RuleRecording(Recording):
    """Records an optimizer's rule; a Python branch on scalars such as the step count is guarded.

    Attributes
    ----------
    scalars : dict of Node to Options or None
        Step counts, options and scalar states; the group of an option.
    branches : bool
        Whether there was such a branch.
    """

    def __init__(self, other: Recording) -> None:
        super().__init__(False, other)
        self.scalars: dict[Node, Options | None] = {}
        self.branches: bool = False

    def on_read(self, node: Node, how: str) -> None:  # type: ignore[override]
        """Guard the truth value of a scalar."""
        leaves = {x for x in topological_order(node) if x.op is None}
        if not how.startswith("the truth") or not leaves <= self.scalars.keys():
            super().on_read(node, how)
        if (options := self.scalars.get(node)) is not None:
            options.truths[options.nodes.index(node)] = bool(node._value)  # type: ignore[arg-type]
            return
        self.branches = True
        self.guard(is_true, (node,))


def scalars_of(roots: Sequence[Operand], inputs: set[Node]) -> list[Node]:
    """Return the floats that are computed from inputs and constants alone; they may fail, and therefore come first."""
    found = []
    for node in topological_order(*[x for x in roots if isinstance(x, Node)]):
        is_computed = node.op is not None and type(node._value) is float
        if is_computed and all(a in inputs for a in node.args if isinstance(a, Node)):
            inputs.add(node)
            found.append(node)
    return found


def is_true(x: Any) -> bool:
    """Return whether a number is not zero."""
    return bool(x != 0.0)


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
    truths : dict of int to bool
        Whether floats on which the rule branches were different from zero.
    guards : dict of str to object
        The other options that were read.
    """

    def __init__(self, group: dict[str, Any], scalars: dict[Node, Any]) -> None:
        super().__init__()
        self.group = group
        self.places: list[tuple[str, int | None]] = []
        self.nodes: list[Value] = []
        self.truths: dict[int, bool] = {}
        self.guards: dict[str, object] = {}
        self._scalars = scalars
        self.seen: Any = None

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
        self._scalars[node] = self
        return node

    def floats(self) -> list[float] | None:
        """Return the present values of `nodes`; None if the guarded options are not as they were when recorded."""
        group = self.group
        seen = self.read(group)
        if seen != self.seen:
            if [group[name] for name in self.guards] != list(self.guards.values()):
                return None
            self._floats = [group[name] if index is None else group[name][index] for name, index in self.places]
            if any(bool(self._floats[i]) is not truth for i, truth in self.truths.items()):
                return None
            self.seen = seen
        return self._floats

    def forget(self) -> None:
        """Drop the nodes, and remember what was read."""
        names = dict.fromkeys([*self.guards, *[name for name, _ in self.places]])
        self.read: Callable[[dict[str, Any]], Any] = itemgetter(*names, "params")
        self.clear()
        self.nodes.clear()


class Update:
    """The recorded update of one vector of parameters.

    Parameters
    ----------
    flat : FlatParams
        The parameters.
    optimizer, options : Optimizer, Options
        The rule and its options.
    scalars : dict of Node to Options or None
        The scalars of the recording.

    Attributes
    ----------
    arrays, floats : list of Node
        Inputs: the vector and the arrays of its state; the step count and the floats of its state.
    new_arrays, new_floats : list
        After the step: the vector and the arrays of its state; the step count and the floats of its state.
    is_steady : bool
        Whether the state has the same parts after the step, so that it can change in place.
    count : int
        The number of new arrays.
    """

    def __init__(self, flat: Any, optimizer: Any, options: Options, scalars: dict[Node, Any]) -> None:
        self.flat: Any = flat
        self.options: Options = options
        # A copy: the machine is checked later with the recorded data, and the optimizer reuses its vectors.
        self.vector: Node = leaf(Tensor, flat.read().copy(), False, "parameters")
        self.t: Value = leaf(Value, float(flat.t + 1), False, "t")
        parts = _whole(optimizer.initialized(flat, options.group))
        self._kinds = list(map(type, parts))
        self._known: object = None  # the last state by blocks
        self.state: list[Any] = [
            leaf(Value if isinstance(x, float) else Tensor, x, False, name) if isinstance(x, (float, np.ndarray)) else x
            for x, name in zip(parts, optimizer.state_names, strict=True)
        ]
        self.arrays: list[Node] = [self.vector, *[x for x in self.state if isinstance(x, Tensor)]]
        self.floats: list[Node] = [self.t, *[x for x in self.state if isinstance(x, Value)]]
        scalars.update(dict.fromkeys(self.floats))

    def views(self) -> dict[Node, Node]:
        """Return the part of the vector that replaces each parameter in the program."""
        views = dict(zip(self.flat.members, self.flat.viewed(self.vector), strict=True))
        for p, view in views.items():
            view.name = p.name
        return views

    def terms(self, gradient: Operand) -> tuple[Any, ...]:
        """Return parameters, gradient, state, options and step count."""
        return self.vector, gradient, tuple(self.state), self.options, self.t

    def record(self, optimizer: Any, gradient: Operand) -> None:
        """Record the rule."""
        q, update, new = optimizer.updated(*self.terms(gradient))
        self._sources = _sources(new)
        self.new_arrays: list[Operand] = [q - update, *[x for x, k in zip(new, self._sources, strict=True) if k == 0]]
        self.new_floats: list[Operand] = [self.t + 1.0, *[x for x, k in zip(new, self._sources, strict=True) if k == 1]]
        self.count: int = len(self.new_arrays)
        for known, found in ((self.arrays, self.new_arrays), (self.floats, self.new_floats)):
            for x, like in zip(found, known, strict=False):
                if isinstance(x, Node) and x.op is not None and not x.name:
                    x.name = f"new_{like.name}"
        self.is_steady: bool = _sources(self.state) == self._sources

    def forget(self) -> None:
        """Drop the nodes of the recorded step, which keep its graph alive."""
        del self.vector, self.t, self.arrays, self.floats, self.state, self.new_arrays, self.new_floats

    def is_valid(self) -> bool:
        """Return whether the state has the parts that were recorded, of which the arrays are then nobody else's."""
        if self.flat.states is not self._known:
            parts = _whole(self.flat.states)
            if [*map(type, parts)] != self._kinds:
                return False
            self._store(tuple([x.copy() if isinstance(x, np.ndarray) else x for x in parts]))
        return True

    def memory(self) -> list[Array]:
        """Return the present vector and the arrays of its state, after `is_valid`; they may change in place.

        The vector is a copy if something else references the parameters, such as a graph.
        """
        flat, vector = self.flat, self.flat.read()
        if flat.current is None or not flat.current.is_free(True):
            values, vector = vector, flat.output()
            vector[...] = values
        self._memory = [vector, *self._arrays]
        return self._memory

    def targets(self, found: Sequence[Data]) -> list[Array]:
        """Return arrays for the `new_arrays` of a step, after `memory`."""
        if not self.is_steady:
            self._memory[1:] = map(np.empty_like, found[1:])
        return self._memory

    def given(self) -> list[float]:
        """Return the number of the next step and the floats of the state, after `is_valid`."""
        return [self.flat.t + 1.0, *self._floats]

    def complete(self, floats: Iterator[float]) -> None:
        """Store the state after a step, of which the arrays are in `memory`, or in `targets`."""
        if self.flat.current is None or self._memory[0] is not self.flat.current.flat:
            self.flat.write()
        next(floats)
        if self._floats or not self.is_steady:
            sources = iter(self._memory[1:]), floats
            self._store(tuple([None if k is None else next(sources[k]) for k in self._sources]))

    def _store(self, parts: tuple[Data, ...]) -> None:
        """Store a state of the whole vector."""
        self._arrays = [x for x in parts if isinstance(x, np.ndarray)]
        self._floats = [x for x in parts if isinstance(x, float)]
        blocks = self.flat.blocks
        self.flat.states = [tuple([x[b] if isinstance(x, np.ndarray) else x for x in parts]) for b in blocks]
        self._known = self.flat.states if [*map(type, parts)] == self._kinds else None


def _sources(parts: Sequence[Any]) -> list[int | None]:
    """Return 0 for each part of a state that is an array, 1 for a float, and None for a part that is None."""
    return [None if x is None else int(isinstance(x, (Value, float))) for x in parts]


def _whole(states: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return a state of blocks as a state of the whole vector."""
    if len(states) == 1:
        return states[0]
    columns = zip(*states, strict=True)
    return tuple([np.concatenate(x) if isinstance(x[0], np.ndarray) else x[0] for x in columns])
