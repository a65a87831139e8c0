"""A recording as a program: the operations that are needed, each once, in order."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from autograd.graph import Node, Primitive, topological_order
from autograd.rules import PRIMITIVES
from autograd.typing import Operand, Operands, Params

from .recording import Callback

__all__ = ["Program", "Step", "key_of"]

MULTIPLY = PRIMITIVES["multiply"]


class Step(NamedTuple):
    """One operation of a program: `node` is computed from `args`, earlier nodes and constants."""

    node: Node
    args: Operands


class Program:
    """The operations of a recording on which results depend, in topological order and without duplicates.

    Parameters
    ----------
    inputs : sequence of Node
        The arguments of the recorded call.
    results : sequence
        Nodes or constants.
    outputs : int
        The number of results that the function returns; the others are gradients.
    effects : sequence of Node
        Callbacks, which are called even if their results are not used.

    Attributes
    ----------
    nodes : list of Node
        The nodes to compute.
    stand_in : dict
        Replacements of nodes in arguments, by equal nodes computed before.
    leaves : list of Node
        Variables from outside, which are read at the start of each run.
    results : list
        The results, with replacements.
    outputs : int
        As above.
    backward_from : int
        The number of steps before the first one of the gradients.
    """

    def __init__(
        self, inputs: Sequence[Node], results: Sequence[Operand], outputs: int, effects: Sequence[Node]
    ) -> None:
        self.inputs: list[Node] = list(inputs)
        self.effects: set[Node] = set(effects)
        self.nodes: list[Node] = []
        self.leaves: list[Node] = []
        self.stand_in: dict[Node, Operand] = {}
        self._found: dict[Hashable, Node] = {}
        self.backward_from: int = 0
        self.outputs = outputs
        given, own = set(inputs), {*effects, *[r for r in results[:outputs] if isinstance(r, Node)]}
        # The gradients from the last layer to the first, so that intermediate results are needed for a short time.
        roots = [r for r in (*effects, *results[:outputs], *reversed(results[outputs:])) if isinstance(r, Node)]
        order = topological_order(*roots)
        self._enter(order, given, own)
        self.results: list[Operand] = [self.stand_in.get(r, r) if isinstance(r, Node) else r for r in results]
        del self._found

    @functools.cached_property
    def steps(self) -> list[Step]:
        """The operations; built when needed, which is not the case for programs of floats."""
        get = self.stand_in.get
        return [Step(node, tuple([get(a, a) if isinstance(a, Node) else a for a in node.args])) for node in self.nodes]

    def _enter(self, order: Sequence[Node], given: set[Node], own: set[Node]) -> None:
        """Add the nodes in order; the loop handles floats computed from two nodes, `_place` all others."""
        nodes, known, get = self.nodes, self._found.setdefault, self.stand_in.get
        for node in order:
            op, inputs = node.op, node.args
            if op is None:
                if node not in given:
                    self.leaves.append(node)
            elif len(inputs) != 2 or type(node._data) is not float or node.params or type(op) is Callback:
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
            if node in own:  # the sort completes the first roots before it begins with the next
                self.backward_from = len(nodes)

    def _place(self, node: Node, op: Primitive) -> None:
        """Add the operation of a node, unless an equal one exists."""
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
        """Return for each node the index of the last step that reads it; results are read after the last step."""
        last: dict[Node, int] = {}
        for i, (_, args) in enumerate(self.steps):
            for arg in args:
                if isinstance(arg, Node):
                    last[arg] = i
        last.update({r: len(self.steps) for r in self.results if isinstance(r, Node)})
        return last


def _unchanged(node: Node, op: Primitive, args: Operands) -> Operand:
    """Return the other factor of a product with 1; None for anything else."""
    if op is not MULTIPLY:
        return None
    for one, other in (args, args[::-1]):
        if isinstance(other, Node) and not isinstance(one, Node) and _is_one(one):
            x, y = other._data, node._data
            if type(x) is type(y) and (type(x) is float or (x.shape == y.shape and x.dtype == y.dtype)):
                return other
    return None


def _is_one(x: Operand) -> bool:
    return bool(np.size(x) == 1 and np.reshape(x, ()) == 1)


def key_of(a: Operand) -> Hashable:
    """Return a key that is equal for equal arguments or parameters; 0.0 and -0.0 differ."""
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


def _keys(params: Params) -> tuple[Hashable, ...]:
    return tuple([(name, key_of(value)) for name, value in params.items()])
