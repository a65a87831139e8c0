"""The backward pass, one edge at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autograd.backward import _require_variable, reverse_pass, seed_of
from autograd.graph import Node, refuse_modified, topological_order
from autograd.rules import ONE, Elementwise, shape_of

from .boxes import flattened
from .expression import Names
from .notation import Term
from .reading import Rule, local_rule

__all__ = ["Step", "backward_steps", "count_paths"]


@dataclass(frozen=True, eq=False)
class Step:
    """One edge of the backward pass: what arrives at a node, and what goes on to one of its arguments.

    Attributes
    ----------
    number : int
        Its place in the pass, from 1.
    node, argument : Node
        The ends of the edge: the result, and the argument that gets a share.
    position : int
        Which argument of the node it is, from 0.
    operation : str
        The symbol of the operation that made the node.
    upstream : float or ndarray
        The complete gradient of the node.
    local : float, ndarray or None
        The local derivative as numbers; None for an operation on arrays that is not elementwise.
    formula : str
        The local derivative as the rule states it, in the names of the nodes.
    contribution : float or ndarray
        What goes to the argument: upstream times local.
    total : float or ndarray
        The running sum at the argument, this contribution included.
    first : bool
        Whether this is the first contribution to the argument.
    """

    number: int
    node: Node
    argument: Node
    position: int
    operation: str
    upstream: Any
    contribution: Any
    total: Any
    first: bool
    rule: Any
    names: Names
    root: Node

    @cached_property
    def local(self) -> Any:
        """The local derivative as numbers, where the operation has one per element."""
        op, node = self.node.op, self.node
        assert op is not None
        if isinstance(op, Elementwise):
            return op.partial(self.rule, node._data, node.raw, node.params)
        if self.rule is ONE:
            return 1.0
        if shape_of(node) in (None, ()) and shape_of(self.argument) in (None, ()):  # one number to one
            one = 1.0 if shape_of(node) is None else np.ones_like(node._data)
            return op.pull(self.rule, one, node._data, node.raw, node.params)
        return None

    @property
    def upstream_term(self) -> Term:
        """The name of the upstream gradient."""
        return Term("d", (self.names.term(self.root), self.names.term(self.node)))

    @cached_property
    def read(self) -> Rule:
        """The rule of this edge, read off the table."""
        return local_rule(self.node, self.position, self.names, self.upstream_term)

    @property
    def formula(self) -> str:
        """The local derivative as text."""
        return flattened(self.read.term) if self.read.term else f"(the rule of {self.operation})"

    def __repr__(self) -> str:
        edge = f"{self.names[self.node]} -> {self.names[self.argument]}"
        return f"<step {self.number}: {edge}, {self.operation}, local {self.formula}>"


def backward_steps(
    root: Node, gradient: Any = None, *, names: Mapping[int, str] | Names | None = None
) -> Iterator[Step]:
    """Go through the backward pass edge by edge, as `backward` does it, without touching any `.grad`.

    Parameters
    ----------
    root : Node
        A loss of one number, or any node if `gradient` is given.
    gradient : float, array_like or Node, optional
        The cotangent of `root`; 1 by default.
    names : mapping of int to str, optional
        Names by the identity of the node; a node's own name otherwise.

    Yields
    ------
    Step
        One edge, from a result to an argument.

    Raises
    ------
    RuntimeError, ValueError
        As `backward` does.

    Notes
    -----
    These are the steps of `reverse_pass` itself, seen by its visitor: the last `total` of a leaf is its
    gradient bit for bit.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> for step in backward_steps((a * b).tanh()):
    ...     print(step.number, step.operation, step.formula, round(step.contribution, 6))
    1 tanh 1 - L * L 2.5e-05
    2 * b -7.4e-05
    3 * a 4.9e-05
    """
    _require_variable(root)
    order = topological_order(root, variables_only=True)
    refuse_modified(order)
    if not isinstance(names, Names):
        names = Names(topological_order(root), names)
    seen: list[tuple[Node, Node, Any, Any, Any, Any]] = []

    def visit(node: Node, argument: Node, rule: Any, g: Any, share: Any, total: Any) -> None:
        seen.append((node, argument, rule, g, share, total))

    reverse_pass(order, {root: seed_of(root, gradient)}, visit=visit)
    yield from _numbered(seen, names, root)


def _numbered(seen: list[tuple[Node, Node, Any, Any, Any, Any]], names: Names, root: Node) -> Iterator[Step]:
    """Turn what the visitor saw into steps, and find which argument each edge belongs to."""
    reached: set[Node] = set()
    last: Node | None = None
    open_positions: Iterator[int] = iter(())  # the edges of one node come together, in the order of its arguments
    for count, (node, argument, rule, g, share, total) in enumerate(seen, 1):
        if node is not last:
            last, open_positions = node, iter(pulled_positions(node))
        position = next(open_positions)
        first = argument not in reached
        reached.add(argument)
        symbol = node.op.symbol if node.op is not None else ""
        yield Step(count, node, argument, position, symbol, g, share, total, first, rule, names, root)


def pulled_positions(node: Node) -> list[int]:
    """Return which arguments of a node a gradient is pulled to."""
    if node.op is None:
        return []
    rules = node.op.rules_for(len(node.args))
    return [
        i for i, arg in enumerate(node.args) if isinstance(arg, Node) and arg._requires_grad and rules[i] is not None
    ]


def count_paths(order: Sequence[Node]) -> tuple[int | None, float]:
    """Count the ways along which the last node of `order` depends on its variables.

    Parameters
    ----------
    order : sequence of Node
        Nodes through which gradients pass, arguments before users, the root last.

    Returns
    -------
    exact : int or None
        The number of paths from the root to the leaves; None from a million million million on.
    log10 : float
        Its decimal logarithm.

    Examples
    --------
    >>> from autograd import Value
    >>> from autograd.graph import topological_order
    >>> x = Value(1.0)
    >>> for _ in range(200):
    ...     x = x + x
    >>> exact, log10 = count_paths(topological_order(x))
    >>> exact, round(log10, 1)
    (None, 60.2)
    """
    logs: dict[Node, float] = {}
    counts: dict[Node, int] = {}
    for node in order:
        below = [node.args[i] for i in pulled_positions(node)]
        below = [arg for arg in below if arg in logs]
        if not below:
            logs[node], counts[node] = 0.0, 1
            continue
        peak = max(logs[arg] for arg in below)
        logs[node] = peak + math.log10(sum(10.0 ** (logs[arg] - peak) for arg in below))
        counts[node] = min(sum(counts[arg] for arg in below), 10**18)
    root = order[-1]
    return (counts[root] if counts[root] < 10**18 else None), logs[root]
