"""The optimizer's side of a training step: its rule, called with nodes, and the vectors and options that it uses."""

import itertools
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from autograd.graph import Node, topological_order
from autograd.recording import raw_data
from autograd.tensor import Tensor
from autograd.typing import Array, Operand
from autograd.value import Value
from autograd.variable import leaf

from .recording import Recording


class RuleRecording(Recording):
    """Records an optimizer's rule; a Python branch on scalars such as the step count is guarded.

    Attributes
    ----------
    options : dict of Node to bool
        The options, and whether there was a branch on them.
    scalars : set of Node
        All scalars: options, step counts, floats of states.
    branches : bool
        Whether there was a branch on anything but an option.
    """

    def __init__(self, other: Recording) -> None:
        super().__init__(False, other)
        self.options: dict[Node, bool] = {}
        self.scalars: set[Node] = set()
        self.branches: bool = False

    def on_read(self, node: Node, how: str) -> None:  # type: ignore[override]
        """Guard the truth value of a scalar."""
        if not how.startswith("the truth") or not self.scalars.issuperset(_leaves(node)):
            super().on_read(node, how)
        if node in self.options:
            self.options[node] = True
        else:
            self.branches = True
            self.guard(is_true, (node,))


def _leaves(node: Node) -> list[Node]:
    return [x for x in topological_order(node) if x.op is None]


def is_true(x: Any) -> bool:
    """Return whether a number is not zero."""
    return bool(x != 0.0)


def scalars_of(order: Iterable[Node], scalars: set[Node]) -> list[Node]:
    """Return the floats that are computed from scalars and constants alone; they may fail, and therefore come first."""
    found, known = [], {*scalars}
    for node in order:
        is_computed = node.op is not None and type(node._value) is float
        if is_computed and all(a in known for a in node.args if isinstance(a, Node)):
            known.add(node)
            found.append(node)
    return found


class Options:
    """The options of a group: floats are inputs of the program, all others must stay the same.

    Floats on which the rule branches must stay zero, or different from zero.

    Attributes
    ----------
    group : dict
        The options.
    nodes : dict of str to object
        The options, with nodes in place of floats.
    leaves : list
        These nodes, and the other options.
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
        self.leaves: list[Any] = _parts(self.nodes.values())
        self.seen: Any = None
        self.floats: list[float] = []

    def used(self, order: Container[Node], tested: Mapping[Node, bool]) -> list[Node]:
        """Return the nodes on which results depend; a branch was on those that are `tested`."""
        nodes = {i: x for i, x in enumerate(self.leaves) if isinstance(x, Node)}
        self._used = [i for i, x in nodes.items() if x in order]
        self._tested = [i for i, x in nodes.items() if tested[x]]
        self._fixed = self._fixed_of(_parts(self.read(self.group)))
        return [nodes[i] for i in self._used]

    def _fixed_of(self, parts: list[Any]) -> list[Any]:
        """Return what must stay the same."""
        return [x for x in parts if not isinstance(x, float)] + [parts[i] != 0.0 for i in self._tested]

    def is_valid(self) -> bool:
        """Read the floats again, and return whether all other options are as they were recorded."""
        seen = self.read(self.group)
        parts = _parts(seen)
        if self._fixed_of(parts) != self._fixed:
            return False
        self.seen, self.floats = seen, [parts[i] for i in self._used]
        return True


def _as_nodes(value: Any, name: str) -> Any:
    """Return an option with nodes in place of floats."""
    if isinstance(value, tuple):
        return tuple([_as_nodes(x, f"{name}_{i}") for i, x in enumerate(value, 1)])
    return leaf(Value, float(value), False, name) if isinstance(value, float) else value


def _parts(values: Iterable[Any]) -> list[Any]:
    """Return the values, and the elements of tuples among them."""
    return [x for value in values for x in (value if isinstance(value, tuple) else (value,))]


class Update:
    """The recorded update of one vector of parameters, and the memory that it changes.

    Attributes
    ----------
    flat : FlatParams
        The parameters.
    before, after : list
        The vector, the step count and the parts of the state: nodes in place of arrays and floats.
    new_arrays : list of ndarray
        Memory for the arrays of the state after the first step.
    known : list or None
        The state by blocks that `state` and `complete` stored.
    is_steady : bool
        Whether the state has the same parts after the step, so that it can change in place.
    """

    def __init__(self, flat: Any, optimizer: Any, group: dict[str, Any]) -> None:
        self.flat: Any = flat
        parts = _whole(optimizer.initialized(flat, group))
        self._kinds = [*map(type, parts)]
        self.known: object = None
        # A copy: the machine is checked later with the recorded data, and the optimizer reuses its vectors.
        data, self._names = (flat.read().copy(), flat.t + 1.0, *parts), ("parameters", "t", *optimizer.state_names)
        self.before: list[Any] = [
            None if x is None else leaf(Value if isinstance(x, float) else Tensor, x, False, name)
            for x, name in zip(data, self._names, strict=True)
        ]

    def views(self) -> dict[Node, Node]:
        """Return the part of the vector that replaces each parameter in the program."""
        views = dict(zip(self.flat.members, self.flat.viewed(self.before[0]), strict=True))
        for p, view in views.items():
            view.name = p.name
        return views

    def record(self, vector: Node, update: Operand, new: Sequence[Any]) -> None:
        """Store what the rule returned: the vector to subtract the update from, the update, and the new state."""
        _, t, *state = self.before
        self.after: list[Any] = [vector - update, t + 1.0, *new]
        for x, name in zip(self.after, self._names, strict=True):
            if isinstance(x, Node) and x.op is not None and not x.name:
                x.name = f"new_{name}"
        self._are_floats = are_floats(new)
        self.is_steady: bool = self._are_floats == are_floats(state)
        self.new_arrays: list[Array] = [np.empty_like(raw_data(x)) for x in of_kind(new, False)]

    def is_valid(self) -> bool:
        """Return whether the state has the parts that were recorded."""
        return [*map(type, self.flat.states[0])] == self._kinds

    def vector(self) -> Array:
        """Return the present vector, which may change in place: a copy if something references the parameters."""
        flat = self.flat
        vector: Array = flat.read()
        if flat.current is None or not flat.current.is_free(True):
            values, vector = vector, flat.output()
            vector[...] = values
        return vector

    def state(self) -> tuple[list[Array], list[float]]:
        """Return the arrays of the present state, which may change in place, and its floats."""
        if self.flat.states is not self.known:
            self._store([x.copy() if isinstance(x, np.ndarray) else x for x in _whole(self.flat.states)])
        return self._arrays, self._floats

    def complete(self, arrays: Iterator[Array], floats: Iterator[float]) -> None:
        """Store vector, step count and state after a step, of which the arrays are memory of the optimizer."""
        vector, _ = next(arrays), next(floats)  # the optimizer counts the step
        if self.flat.current is None or vector is not self.flat.current.flat:
            self.flat.write()
        rest = {False: arrays, True: floats, None: itertools.repeat(None)}
        self._store([next(rest[kind]) for kind in self._are_floats])

    def _store(self, parts: list[Any]) -> None:
        """Store a state of the whole vector."""
        self._arrays = [x for x in parts if isinstance(x, np.ndarray)]
        self._floats = [x for x in parts if isinstance(x, float)]
        blocks = self.flat.blocks
        self.flat.states = [tuple([x[b] if isinstance(x, np.ndarray) else x for x in parts]) for b in blocks]
        self.known = self.flat.states if [*map(type, parts)] == self._kinds else None


def are_floats(parts: Sequence[Any]) -> list[bool | None]:
    """Return for each part of a state whether it is a float, and None for None."""
    return [None if x is None else isinstance(x, (Value, float)) for x in parts]


def of_kind(parts: Sequence[Any], is_float: bool) -> list[Any]:
    """Return the floats, or the arrays, among parts of a state."""
    return [x for x, kind in zip(parts, are_floats(parts), strict=True) if kind is is_float]


def _whole(states: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return a state of blocks as a state of the whole vector."""
    if len(states) == 1:
        return states[0]
    columns = zip(*states, strict=True)
    return tuple([np.concatenate(x) if isinstance(x[0], np.ndarray) else x[0] for x in columns])
