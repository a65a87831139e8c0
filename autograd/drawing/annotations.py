"""Derivatives on the edges of a drawing, and formulas in its boxes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from autograd.explaining.formatting import cut, format_array
from autograd.explaining.formula import Names, last_operation, operation_term
from autograd.explaining.steps import Step, backward_steps
from autograd.explaining.terms import Term
from autograd.explaining.typeset import flattened
from autograd.graph import Node
from autograd.reverse import reverse_pass

from .folding import Snapshot

__all__ = ["Annotations", "magnitude"]

LONGEST = 36  # characters of a formula in a box; a longer one is replaced by the last operation


class Annotations:
    """Derivatives and formulas of a graph, computed on first use; no `.grad` is read or written.

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
        """Unique names of the nodes."""
        return Names(self.graph.nodes, self.given)

    @cached_property
    def seeds(self) -> dict[Node, Any]:
        """The results that require a gradient, each with its cotangent in the sum of all."""
        roots = [root for k in sorted(self.graph.roots) if (root := self.graph.nodes[k]).requires_grad]
        return {r: np.ones_like(r._data) if isinstance(r._data, np.ndarray) else 1.0 for r in roots}

    @cached_property
    def steps(self) -> dict[tuple[Node, int], Step]:
        """The edges of the backward pass from the sum of the results, by node and position of the argument."""
        steps = (s for root, one in self.seeds.items() for s in backward_steps(root, one, names=self.names))
        return {(step.node, step.position): step for step in steps}

    @cached_property
    def gradients(self) -> dict[Node, Any]:
        """The derivative of the sum of the results with respect to each variable."""
        order = [node for node in self.graph.nodes if node.requires_grad]
        return reverse_pass(order, dict(self.seeds), keep=frozenset(order))

    @cached_property
    def largest(self) -> float:
        """The largest finite magnitude of a derivative."""
        sizes = [size for g in self.gradients.values() if np.isfinite(size := magnitude(g))]
        return max(sizes, default=0.0)

    def partial(self, node: Node, position: int, formulas: bool) -> str:
        """Return the local derivative of a node by one of its arguments as text; empty if there is none."""
        step = self.steps.get((node, position))
        if step is None:
            return ""
        rule = step.rule_formula.term
        formula = cut(flattened(rule), LONGEST) if rule is not None else ""
        if step.local is None:
            return formula
        value = format_array(step.local)
        return f"{formula} = {value}" if formulas and formula and formula != value else value

    def formula(self, node: Node) -> str:
        """Return a computed node in terms of the leaves if that is short, else its last operation; empty for a leaf."""
        if node.op is None:
            return ""
        term = self._term(node)
        text = flattened(term) if term is not None else ""
        return cut(text if 0 < len(text) <= LONGEST else flattened(last_operation(node, self.names)), LONGEST)

    def _term(self, node: Node) -> Term | None:
        """Return a node in terms of the leaves; None if that is long."""
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
        return term if len(flattened(term)) <= LONGEST else None


def magnitude(g: Any) -> float:
    """Return the largest magnitude in a derivative.

    Examples
    --------
    >>> magnitude(-2.0), magnitude(np.array([0.5, -3.0])), magnitude(np.zeros(0))
    (2.0, 3.0, 0.0)
    """
    return float(np.max(np.abs(g), initial=0.0))
