"""The recording of an optimizer's update: its rule, called with nodes."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, is_
from typing import Any

import numpy as np

from autograd.graph import Node, topological_order
from autograd.tensor import Tensor
from autograd.typing import Array, Operand
from autograd.value import Value
from autograd.variable import leaf

from .memory import OutputPool
from .program import Spec
from .recording import Callback, Recording

data_of: Callable[[Any], Any] = attrgetter("_value")


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
            self.decisions[node] = bool(node._value)
        else:
            super().on_read(node, how)


def scalars_of(roots: Sequence[Node], inputs: set[Node]) -> set[Node]:
    """Return the inputs and all floats that are computed from inputs and constants alone."""
    found = set(inputs)
    for node in topological_order(*roots):
        computed = node.op is not None and type(node._value) is float and not isinstance(node.op, Callback)
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
        After the step: the vector and the arrays of its state; the floats of its state.
    is_steady : bool
        Whether the state has the same parts after the step, so that steps can follow each other in one call.
    """

    def __init__(self, flat: Any, optimizer: Any, options: Options, scalars: set[Node]) -> None:
        self.flat: Any = flat
        self.options: Options = options
        # A copy: the machine is checked later with the recorded data, and the optimizer reuses its vectors.
        self.vector: Node = leaf(Tensor, flat.read().copy(), False, "parameters")
        self.t: Node = leaf(Value, float(flat.t + 1), False, "t")
        states = optimizer.initialized(flat, options.group)
        self._known, self._parts = states, _whole(states)  # the last state by blocks, and its parts
        self._arrays = [x for x in self._parts if isinstance(x, np.ndarray)]
        self._kinds = list(map(type, self._parts))
        self.state: list[Any] = [
            leaf(Value if isinstance(x, float) else Tensor, x, False, name) if isinstance(x, (float, np.ndarray)) else x
            for x, name in zip(self._parts, optimizer.state_names, strict=True)
        ]
        self.arrays: list[Node] = [self.vector, *[x for x in self.state if isinstance(x, Tensor)]]
        self.floats: list[Node] = [self.t, *[x for x in self.state if isinstance(x, Value)]]
        scalars.update(self.floats)

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
        # The kinds of the new parts: the index of a list, or None for a part that is None.
        self._sources = [None if x is None else int(isinstance(x, (Value, float))) for x in new]
        self.new_arrays: list[Operand] = [q - update, *[x for x, k in zip(new, self._sources, strict=True) if k == 0]]
        self.new_floats: list[Operand] = [x for x, k in zip(new, self._sources, strict=True) if k == 1]
        for x, like in zip(self.new_arrays, self.arrays, strict=False):
            if isinstance(x, Node) and x.op is not None and not x.name:
                x.name = f"new_{like.name}"
        kinds = [None if x is None else int(isinstance(x, (Value, float))) for x in self.state]
        self.is_steady: bool = kinds == self._sources
        self._has_floats = 1 in kinds
        shapes = [Spec(a.shape, a.dtype) for a in self.new_arrays[1:]]
        self._pools = [OutputPool(shapes), OutputPool(shapes)]  # states alternate between them

    def forget(self) -> None:
        """Drop the nodes of the recorded step, which keep its graph alive."""
        del self.vector, self.t, self.arrays, self.floats, self.state, self.new_arrays, self.new_floats

    def given_floats(self) -> list[float] | None:
        """Return the number of the next step and the floats of the state; None if it has other parts than recorded."""
        if self.flat.states is not self._known:
            self._known, self._parts = self.flat.states, _whole(self.flat.states)
            self._arrays = [x for x in self._parts if isinstance(x, np.ndarray)]
            if [*map(type, self._parts)] != self._kinds:
                self._known = []
                return None
        floats = [self.flat.t + 1.0]
        return [*floats, *[x for x in self._parts if isinstance(x, float)]] if self._has_floats else floats

    def given(self) -> tuple[Array, list[Array]]:
        """Return the present vector and the arrays of its state, after `given_floats`."""
        current = self.flat.current
        if current is not None and all(map(is_, map(data_of, self.flat.members), current.views)):
            return current.flat, self._arrays
        return self.flat.read(), self._arrays

    def targets(self) -> tuple[Array, list[Array]]:
        """Return arrays for `new_arrays` that nothing else references."""
        return self.flat.output(), self._pools[0]()

    def new_states(self, floats: Iterator[float]) -> list[tuple[Any, ...]]:
        """Return the state after the step, from the arrays of `targets` and the next of the new floats."""
        self._pools.reverse()
        arrays = self._pools[1].parts
        sources = iter(arrays), floats
        parts = tuple([None if k is None else next(sources[k]) for k in self._sources])
        blocks = self.flat.blocks
        if len(blocks) > 1:
            states = [tuple([x[b] if isinstance(x, np.ndarray) else x for x in parts]) for b in blocks]
        else:
            states = [parts]
        if self.is_steady:
            self._known, self._parts, self._arrays = states, parts, arrays
        return states


def _whole(states: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return a state of blocks as a state of the whole vector."""
    if len(states) == 1:
        return states[0]
    columns = zip(*states, strict=True)
    return tuple([np.concatenate(x) if isinstance(x[0], np.ndarray) else x[0] for x in columns])
