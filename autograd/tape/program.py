"""What a recording is turned into before it is run: the operations that are needed, each once, in order."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.graph import Node, Primitive, topological_order
from autograd.rules import PRIMITIVES

from .recording import Callback

__all__ = ["Program", "Step", "key_of"]

MULTIPLY = PRIMITIVES["multiply"]


class Step(NamedTuple):
    """One operation of a program: `node` is computed from `args`, nodes computed before and constants."""

    node: Node
    args: tuple[Any, ...]


class Program:
    """The operations of a recording that something depends on, arguments before users, with nothing done twice.

    Parameters
    ----------
    inputs : sequence of Node
        Stand for the arguments of the recorded call.
    results : sequence
        What the program computes: nodes, or constants.
    forward : int
        How many of the results belong to the function itself; the others are gradients.
    effects : sequence of Node
        Calls of Python functions, which are made whatever becomes of their results.

    Attributes
    ----------
    nodes : list of Node
        What is to be computed.
    stand_in : dict
        What a node is replaced by in arguments: an equal one that was there before.
    leaves : list of Node
        Variables of outside, whose numbers are read at the start of each run.
    results : list
        As given, in terms of the nodes that are computed.
    outputs : int
        How many of the results belong to the function itself.
    backward_from : int
        How many steps compute the function itself; the others are its derivatives.
    """

    def __init__(self, inputs: Sequence[Node], results: Sequence[Any], forward: int, effects: Sequence[Node]) -> None:
        self.inputs: list[Node] = list(inputs)
        self.effects: set[Node] = set(effects)
        self.nodes: list[Node] = []
        self.leaves: list[Node] = []
        self.stand_in: dict[Node, Any] = {}
        self._found: dict[Any, Node] = {}
        self.backward_from: int = 0
        self.outputs = forward
        given, own = set(inputs), {*effects, *[r for r in results[:forward] if isinstance(r, Node)]}
        # The gradients from the last layer to the first, as the chain rule goes: what a layer needs is then used up
        # before the next one is looked at.
        roots = [r for r in (*effects, *results[:forward], *reversed(results[forward:])) if isinstance(r, Node)]
        order = topological_order(*roots)
        self._enter(order, given, own)
        self.results: list[Any] = [self.stand_in.get(r, r) if isinstance(r, Node) else r for r in results]
        del self._found

    @functools.cached_property
    def steps(self) -> list[Step]:
        """What is to be done; made when it is asked for, since a graph of floats can do without."""
        get = self.stand_in.get
        return [Step(node, tuple([get(a, a) if isinstance(a, Node) else a for a in node.args])) for node in self.nodes]

    def _enter(self, order: Sequence[Node], given: set[Node], own: set[Node]) -> None:
        """Enter what there is to do; floats made of two nodes, as nearly all are, without going through `_place`."""
        nodes, known, get = self.nodes, self._found.setdefault, self.stand_in.get
        for node in order:
            op, inputs = node.op, node._inputs
            if op is None:
                if node not in given:
                    self.leaves.append(node)
            elif len(inputs) != 4 or type(node._data) is not float or node.params or type(op) is Callback:
                self._place(node, op)
            else:
                x, y = inputs[0], inputs[1]
                if isinstance(x, Node) and isinstance(y, Node):
                    x, y = get(x, x), get(y, y)
                if not isinstance(x, Node) or not isinstance(y, Node):
                    self._place(node, op)
                elif (same := known((op, id(x), id(y)), node)) is node:
                    nodes.append(node)
                else:
                    self.stand_in[node] = same
            if node in own:  # the sort places everything below the first roots before it begins with the next
                self.backward_from = len(nodes)

    def _place(self, node: Node, op: Primitive) -> None:
        """Enter the operation of a node, unless it is known already; of constants alone nothing was recorded."""
        stand_in = self.stand_in
        args = tuple([stand_in.get(a, a) if isinstance(a, Node) else a for a in node.args])
        if isinstance(op, Callback):
            self.nodes.append(node)
            return
        same = _unchanged(node, op, args)
        if same is None:
            key = (op, *[key_of(a) for a in args], *_keys(node.params))
            same = self._found.setdefault(key, node)
            if same is node:
                self.nodes.append(node)
                return
        stand_in[node] = same

    def last_use(self) -> dict[Node, int]:
        """Return for each node the number of the last step that reads it; results are read after the last."""
        last: dict[Node, int] = {}
        for i, (_, args) in enumerate(self.steps):
            for arg in args:
                if isinstance(arg, Node):
                    last[arg] = i
        last.update({r: len(self.steps) for r in self.results if isinstance(r, Node)})
        return last


def _unchanged(node: Node, op: Primitive, args: tuple[Any, ...]) -> Any:
    """Return the argument that a product with 1 leaves as it is, bit by bit; None for anything else."""
    if op is not MULTIPLY:
        return None
    for one, other in (args, args[::-1]):
        if isinstance(other, Node) and not isinstance(one, Node) and _is_one(one):
            x, y = other._data, node._data
            if type(x) is type(y) and (type(x) is float or (x.shape == y.shape and x.dtype == y.dtype)):
                return other
    return None


def _is_one(x: Any) -> bool:
    return bool(np.size(x) == 1 and np.reshape(x, ()) == 1)


def key_of(a: Any) -> Any:
    """Return what tells an argument or parameter apart from others; 0.0 and -0.0 are two numbers."""
    kind = type(a)
    if kind is float:
        return kind, a.hex()
    if kind is slice:
        return kind, repr(a)
    if isinstance(a, (Node, np.ndarray)) or kind.__hash__ is None:
        return kind, id(a)
    if kind is tuple:
        return tuple(map(key_of, a))
    return kind, a


def _keys(params: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple([(name, key_of(value)) for name, value in params.items()])
