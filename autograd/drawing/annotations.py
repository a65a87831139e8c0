"""What a picture says beside the numbers of a graph: derivatives of its edges, and what its boxes compute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from autograd.explaining.boxes import flattened
from autograd.explaining.expression import Names, last_operation, operation_term
from autograd.explaining.labels import cut, number, summary
from autograd.explaining.notation import Term
from autograd.explaining.steps import Step, backward_steps
from autograd.graph import Node
from autograd.reverse import reverse_pass

from .snapshot import Snapshot

__all__ = ["Annotations", "magnitude"]

FORMULA = 36  # characters of a formula in a box; one that is longer shows the last operation only


class Annotations:
    """Derivatives and formulas of a graph, found when first asked for; no `.grad` is read or written.

    Parameters
    ----------
    graph : Snapshot
        The graph.
    names : mapping of int to str
        Names by the identity of the node.
    """

    def __init__(self, graph: Snapshot, names: Mapping[int, str]) -> None:
        self.graph = graph
        self.given = names
        self._terms: dict[Node, Term | None] = {}

    @cached_property
    def names(self) -> Names:
        """What the nodes are called: no two alike."""
        return Names(self.graph.nodes, self.given)

    @cached_property
    def steps(self) -> list[Step]:
        """The edges of the backward pass from the sum of the results."""
        found: list[Step] = []
        for root in self._roots:
            found += backward_steps(root, ones(root), names=self.names)
        return found

    @property
    def _roots(self) -> list[Node]:
        """The results to which gradients flow."""
        return [root for k in sorted(self.graph.roots) if (root := self.graph.nodes[k]).requires_grad]

    @cached_property
    def gradients(self) -> dict[Node, Any]:
        """The derivative of the sum of the results with respect to each variable."""
        order = [node for node in self.graph.nodes if node.requires_grad]
        seeds: dict[Node, Any] = {root: ones(root) for root in self._roots}
        return reverse_pass(order, seeds, keep=frozenset(order))

    @cached_property
    def largest(self) -> float:
        """The largest magnitude of a derivative."""
        sizes = [size for g in self.gradients.values() if np.isfinite(size := magnitude(g))]
        return max(sizes, default=0.0)

    @cached_property
    def _edges(self) -> dict[tuple[Node, int], Step]:
        return {(step.node, step.position): step for step in self.steps}

    def partial(self, node: Node, position: int, formulas: bool) -> str:
        """Return the local derivative of a node by one of its arguments, as text; empty if none passes."""
        step = self._edges.get((node, position))
        if step is None:
            return ""
        rule = step.read.term
        formula = cut(flattened(rule), FORMULA) if rule is not None else ""
        if step.local is None:
            return formula
        numbers = summary(step.local) if np.ndim(step.local) else number(step.local)
        return f"{formula} = {numbers}" if formulas and formula and formula != numbers else numbers

    def formula(self, node: Node) -> str:
        """Return what a computed node is, in the names of the leaves if that is short; empty for a leaf."""
        if node.op is None:
            return ""
        term = self._term(node)
        text = flattened(term) if term is not None else ""
        return cut(text if 0 < len(text) <= FORMULA else flattened(last_operation(node, self.names)), FORMULA)

    def _term(self, node: Node) -> Term | None:
        """Return a node in the names of the leaves; None where that is long."""
        stack = [node]
        while stack:
            at = stack[-1]
            waiting = [a for a in at.args if isinstance(a, Node) and a not in self._terms]
            if at.op is not None and waiting and at not in self._terms:
                stack += waiting
                continue
            stack.pop()
            if at not in self._terms:
                self._terms[at] = self.names.term(at) if at.op is None else self._operation(at)
        return self._terms[node]

    def _operation(self, node: Node) -> Term | None:
        operands = [self._terms[a] if isinstance(a, Node) else self.names.term(a) for a in node.args]
        if node.op is None or any(term is None for term in operands):
            return None
        term = operation_term(node.op, node.args, node.params, [t for t in operands if t is not None])
        return term if len(flattened(term)) <= FORMULA else None


def ones(node: Node) -> Any:
    """Return the cotangent of a result in the sum of all."""
    return np.ones_like(node._data) if isinstance(node._data, np.ndarray) else 1.0


def magnitude(g: Any) -> float:
    """Return the largest magnitude in a derivative.

    Examples
    --------
    >>> magnitude(-2.0), magnitude(np.array([0.5, -3.0])), magnitude(np.zeros(0))
    (2.0, 3.0, 0.0)
    """
    return float(np.max(np.abs(g), initial=0.0))


def on_the_way(graph: Snapshot, starts: Iterable[Node]) -> set[int]:
    """Return the positions of all nodes between some leaves and the results."""
    return graph.below(graph.position[id(node)] for node in starts)
