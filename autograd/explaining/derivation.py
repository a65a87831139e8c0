"""One gradient, derived: as a sum over the users of a node, and as a sum over its paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograd.graph import Node

from .document import Block, Document, Equations, Heading, Line, Paragraph, Table
from .narrative import Telling, contribution_sides, counted, local_term, shape_text
from .notation import Term, equation, number
from .steps import Step, count_paths

__all__ = ["Derivation"]

FEW_PATHS = 12
FEW_TERMS = 12  # of a sum
LONG_PATH = 40


def added(terms: list[Term]) -> Term:
    """Return a sum; of one with many terms the first and the last."""
    if len(terms) > FEW_TERMS:
        left_out = Term("raw", (f"… ({len(terms) - FEW_TERMS:,} more)",))
        terms = [*terms[: FEW_TERMS - 1], left_out, terms[-1]]
    return Term("+", tuple(terms)) if len(terms) > 1 else terms[0]


def multiplied(terms: list[Term]) -> Term:
    """Return a product."""
    return Term("times", tuple(terms)) if len(terms) > 1 else terms[0]


class Derivation(Telling):
    """The gradient of one node, from the result back to it."""

    def __init__(self, root: Node, wrt: Node | str, given: Mapping[int, str], limit: int | None) -> None:
        super().__init__(root, given, limit)
        self.wrt: Node = self.found(wrt)
        below: set[Node] = {self.wrt}  # the nodes that depend on it
        for node in self.order:
            if any(isinstance(arg, Node) and arg in below for arg in node.args):
                below.add(node)
        self.shares: dict[Node, list[Step]] = {}
        for step in self.steps:
            if step.argument in below and step.argument is not self.root:
                self.shares.setdefault(step.argument, []).append(step)
        if self.wrt is not root and self.wrt not in self.shares:
            raise ValueError(f"{self.names[root]} does not depend on {self.names[self.wrt]} through a derivative")
        self.way: list[Node] = [node for node in self.order if node in below and (node in self.shares or node is root)]

    def found(self, wrt: Node | str) -> Node:
        """Return the node meant by `wrt`."""
        if isinstance(wrt, str):
            named_so = [node for node in self.order if self.names[node] == wrt]
            if not named_so:
                known = ", ".join(self.names[node] for node in self.order[:20])
                raise ValueError(f"there is no node named {wrt!r} in this graph; there are {known}")
            wrt = named_so[0]
        if not isinstance(wrt, Node):
            raise TypeError(f"wrt= takes a node of the graph or its name, not {wrt!r:.60}")
        if not any(node is wrt for node in self.order):
            raise ValueError(f"the root does not depend on wrt={wrt.name or 'this node'}: it is not in its graph")
        if not wrt.requires_grad:
            raise ValueError(f"{self.names[wrt]} has no gradient; make it with requires_grad=True")
        return wrt

    def document(self) -> Document:
        """Return the derivation as a document."""
        target = self.derivative(self.wrt)
        blocks: list[Block] = [Heading((target, " for ", *self.title()), 1)]
        if self.wrt is self.root:
            return Document([*blocks, Paragraph(("Every number changes as fast as itself: ", target, " = 1."))])
        operations = [node for node in self.way if node.op is not None and node is not self.wrt]
        blocks += [
            Heading(("The numbers",)),
            Equations(tuple(self.forward_line(node) for node in self.few(operations))),
            *self.left_out(operations, "operations"),
        ]
        name = self.names[self.wrt]
        blocks += [
            Heading((f"From {self.names[self.root]} back to {name}",)),
            Paragraph((self.reach(name),)),
        ]
        reached = [node for node in reversed(self.way) if node in self.shares]
        shown = reached if self.limit is None else [*reached[:-1][: self.limit - 1], self.wrt]
        blocks.append(Equations(tuple(map(self.line if self.scalar else self.array_line, shown))))
        if len(shown) < len(reached):
            blocks.append(Paragraph((f"… and {len(reached) - len(shown):,} nodes between; limit=None shows them.",)))
        return Document(blocks + self.paths())

    def reach(self, name: str) -> str:
        """Return how the wanted node acts on the result."""
        count, log10 = count_paths(self.way)
        users = len(self.shares[self.wrt])
        paths = f"{count:,} paths" if count is not None else f"about 10^{log10:.0f} paths"
        start = (
            f"{name} is used {'once' if users == 1 else f'{users:,} times'} and acts on {self.names[self.root]} along "
        )
        start += "one path. " if count == 1 else f"{paths}. "
        return start + (
            "The gradient of a node is a sum over the places where it is used: the gradient there, times the local "
            "derivative of the operation."
        )

    def line(self, node: Node) -> Line:
        """Return the gradient of one number as a sum over its users."""
        steps = self.shares[node]
        names, rules, numbers = [], [], []
        for step in steps:
            partial = Term("partial", (self.names.term(step.node), self.names.term(node)))
            upstream, local = number(step.upstream), number(step.local)
            names.append(Term("times", (step.upstream_term, partial)))
            rules.append(Term("times", (upstream, local_term(step) or local)))
            numbers.append(Term("times", (upstream, local)))
        sides = [added(names), added(rules), added(numbers)]
        if len(steps) > 1:
            sides.append(added([number(step.contribution) for step in steps]))
        sides.append(number(steps[-1].total))
        distinct = [side for i, side in enumerate(sides) if i == 0 or side != sides[i - 1]]
        return Line((self.derivative(node), *distinct))

    def array_line(self, node: Node) -> Line:
        """Return the gradient of one array as a sum over its users."""
        steps = self.shares[node]
        sides = (
            self.contribution(steps[0])
            if len(steps) == 1
            else (added([contribution_sides(step, step.read, step.upstream_term) for step in steps]),)
        )
        return Line(
            (self.derivative(node), *sides, number(steps[-1].total)),
            shape_text(node._data) if np.ndim(node._data) else "",
        )

    def paths(self) -> list[Block]:
        """Return the same gradient as a sum over paths, where these are few and all is numbers."""
        count, _ = count_paths(self.way)
        if not self.scalar or count is None or count > FEW_PATHS or len(self.way) > LONG_PATH:
            return []
        rows, products = [], []
        for path in self.all_paths(self.wrt):
            product: Any = 1.0
            for step in path:
                product = product * step.local
            rules = [local_term(step) or number(step.local) for step in path]
            locals_ = [number(step.local) for step in path]
            way = " ← ".join([*(self.names[step.node] for step in path), self.names[self.wrt]])
            sides = [multiplied(rules), multiplied(locals_), number(product)]
            rows.append((way, equation(*(s for i, s in enumerate(sides) if i == 0 or s != sides[i - 1]))))
            products.append(number(product))
        total = Line((self.derivative(self.wrt), added(products), number(self.shares[self.wrt][-1].total)))
        says = "Along each path the local derivatives multiply"
        return [
            Heading(("The same by paths",)),
            Paragraph((says + ("." if count == 1 else f"; the {counted(count, 'path')} add up."),)),
            Table(("path", "product of the local derivatives"), tuple(rows)),
            *([Equations((total,))] if count > 1 else []),
        ]

    def all_paths(self, node: Node) -> Iterator[list[Step]]:
        """Yield every way from the result to a node, as its steps."""
        if node is self.root:
            yield []
            return
        for step in self.shares[node]:
            for path in self.all_paths(step.node):
                yield [*path, step]
