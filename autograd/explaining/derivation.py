"""The derivation of one gradient: as a sum over the users of a node, and as a sum over its paths."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from autograd.backward import between
from autograd.graph import Node

from .blocks import Block, Equations, Line, Paragraph, Table
from .recorded_pass import RecordedPass, contribution, counted, local_term, shape_text
from .steps import Step, count_paths
from .terms import Term, equation, number

MOST_PATHS = 12  # that are written out
MOST_TERMS = 12  # of a sum or a product
LONGEST_PATH = 40


def combined(sign: str, terms: list[Term]) -> Term:
    """Return a sum or a product; of a long one the first terms and the last."""
    if len(terms) > MOST_TERMS:
        left_out = Term("raw", (f"… ({len(terms) - MOST_TERMS:,} more)",))
        terms = [*terms[: MOST_TERMS - 1], left_out, terms[-1]]
    return Term(sign, tuple(terms)) if len(terms) > 1 else terms[0]


def distinct(sides: list[Term]) -> list[Term]:
    """Return the sides of an equation without those that repeat the one before."""
    return [side for i, side in enumerate(sides) if i == 0 or side != sides[i - 1]]


class Derivation(RecordedPass):
    """The gradient of one node, from the result back to it."""

    def __init__(self, root: Node, wrt: Node | str, given: Mapping[int, str], limit: int | None) -> None:
        super().__init__(root, given, limit)
        self.wrt: Node = self.find(wrt)
        dependent = between(self.order, [self.wrt])
        self.users: dict[Node, list[Step]] = {}
        for step in self.steps:
            if step.argument in dependent and step.argument is not self.root:
                self.users.setdefault(step.argument, []).append(step)
        if self.wrt is not root and self.wrt not in self.users:
            raise ValueError(f"{self.names[root]} does not depend on {self.names[self.wrt]} through a derivative")
        self.way: list[Node] = [n for n in self.order if n in dependent and (n in self.users or n is root)]

    def find(self, wrt: Node | str) -> Node:
        """Return the node that `wrt` is or names."""
        if isinstance(wrt, str):
            found = next((node for node in self.order if self.names[node] == wrt), None)
            if found is None:
                known = ", ".join(self.names[node] for node in self.order[:20])
                raise ValueError(f"no node named {wrt!r} in this graph; there are {known}")
            wrt = found
        if not isinstance(wrt, Node):
            raise TypeError(f"wrt= takes a node of the graph or its name, got {wrt!r:.60}")
        if not any(node is wrt for node in self.order):
            raise ValueError(f"the root does not depend on wrt={wrt.name or 'this node'}: it is not in its graph")
        if not wrt.requires_grad:
            raise ValueError(f"{self.names[wrt]} does not have a gradient; create it with requires_grad=True")
        return wrt

    def blocks(self) -> list[Block]:
        """Return the contents of the explanation."""
        target = self.derivative(self.wrt)
        heading = Paragraph(target, " for ", self.title(), level=1)
        if self.wrt is self.root:
            return [heading, Paragraph("The derivative of a variable by itself is ", target, " = 1.")]
        operations = [node for node in self.way if node.op is not None and node is not self.wrt]
        reached = [node for node in reversed(self.way) if node in self.users]
        shown = reached if self.limit is None else [*reached[:-1][: self.limit - 1], self.wrt]
        blocks: list[Block] = [
            heading,
            *self.forward(operations),
            Paragraph(f"Backward from {self.names[self.root]} to {self.names[self.wrt]}", level=2),
            Paragraph(self.introduction()),
            Equations(map(self.line if self.scalar else self.array_line, shown)),
        ]
        if len(shown) < len(reached):
            blocks.append(Paragraph(f"… and {len(reached) - len(shown):,} nodes between; limit=None shows them."))
        return blocks + self.paths()

    def introduction(self) -> str:
        """Return how often the node is used, and the chain rule in words."""
        exact, log10 = count_paths(self.way)
        uses = len(self.users[self.wrt])
        times = "once" if uses == 1 else f"{uses:,} times"
        paths = counted(exact, "path", "one" if exact == 1 else "" if exact else f"about 10^{log10:.0f}")
        return (
            f"{self.names[self.wrt]} is used {times} and affects {self.names[self.root]} along {paths}. The gradient "
            "of a node is a sum over its uses: the gradient of the result times the local derivative of the operation."
        )

    def line(self, node: Node) -> Line:
        """Return the gradient of one number as a sum over its users."""
        steps = self.users[node]
        names, rules, values = [], [], []
        for step in steps:
            partial = Term("partial", (self.names.term(step.node), self.names.term(node)))
            upstream, local = number(step.upstream), number(step.local)
            names.append(Term("times", (step.upstream_term, partial)))
            rules.append(Term("times", (upstream, local_term(step) or local)))
            values.append(Term("times", (upstream, local)))
        products = [number(step.contribution) for step in steps]
        sides = [combined("+", terms) for terms in (names, rules, values, products if len(steps) > 1 else values)]
        return Line(self.derivative(node), *distinct([*sides, number(steps[-1].total)]))

    def array_line(self, node: Node) -> Line:
        """Return the gradient of one array as a sum over its users."""
        steps = self.users[node]
        if len(steps) == 1:
            sides = self.contribution(steps[0])
        else:
            sides = (combined("+", [contribution(step, step.rule_formula, step.upstream_term) for step in steps]),)
        note = shape_text(node._value) if np.ndim(node._value) else ""
        return Line(self.derivative(node), *sides, number(steps[-1].total), note=note)

    def paths(self) -> list[Block]:
        """Return the gradient as a sum over paths, if these are few and every node is one number."""
        count, _ = count_paths(self.way)
        if not self.scalar or count is None or count > MOST_PATHS or len(self.way) > LONGEST_PATH:
            return []
        rows, products = [], []
        for path in self.all_paths(self.wrt):
            product = number(math.prod((step.local for step in path), start=1.0))
            locals_ = [number(step.local) for step in path]
            rules = [local_term(step) or local for step, local in zip(path, locals_, strict=True)]
            way = " ← ".join([*(self.names[step.node] for step in path), self.names[self.wrt]])
            rows.append((way, equation(*distinct([combined("times", rules), combined("times", locals_), product]))))
            products.append(product)
        total = Line(self.derivative(self.wrt), combined("+", products), number(self.users[self.wrt][-1].total))
        text = "The local derivatives along each path are multiplied"
        return [
            Paragraph("As a sum over paths", level=2),
            Paragraph(f"{text}." if count == 1 else f"{text}, and the {count} products are added."),
            Table(("path", "product of the local derivatives"), rows),
            *([Equations([total])] if count > 1 else []),
        ]

    def all_paths(self, node: Node) -> Iterator[list[Step]]:
        """Yield every path from the result to a node, as its steps."""
        if node is self.root:
            yield []
            return
        for step in self.users[node]:
            for path in self.all_paths(step.node):
                yield [*path, step]
