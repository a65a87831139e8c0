"""The forward and backward pass of one graph, with names and values, as every explanation needs it."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from autograd.graph import Node, topological_order
from autograd.rules import shape_of
from autograd.typing import Data, Shape

from .blocks import Block, Equations, Line, Paragraph
from .formula import Names, RuleFormula, full_term, last_operation, local_rule, operation_term
from .steps import Step, backward_steps
from .terms import Term, called, equation, is_number, number, tidy

T = TypeVar("T")


def shape_text(data: Data) -> str:
    """Return the shape of an array, or a word for a single number."""
    return str(np.shape(data)) if np.ndim(data) else "one number"


def shape_note(node: Node) -> str:
    """Return the shapes of the operands and the result of an operation; empty if all are scalars."""
    arrays = [a for a in node.raw if isinstance(a, (np.ndarray, float))]
    if not any(np.ndim(a) for a in [*arrays, node._value]):
        return ""
    return f"{', '.join(map(shape_text, arrays))} → {shape_text(node._value)}"


def counted(count: int | None, noun: str, written: str = "") -> str:
    """Return a count with its noun in the singular or plural."""
    return f"{written or format(count, ',')} {noun}{'' if count == 1 else 's'}"


def local_term(step: Step) -> Term | None:
    """Return the local derivative of an edge between two scalars, without its upstream gradient."""
    if not step.rule_formula.takes_upstream:
        return step.rule_formula.term
    return local_rule(step.node, step.position, step.names.term, number(1)).term


def contribution(step: Step, rule: RuleFormula, upstream: Term) -> Term:
    """Return the contribution of an edge as one term."""
    if rule.term is None:
        return called(f"pullback of {step.operation}", upstream)
    if rule.takes_upstream:
        return summed(rule.term, rule.shape, step)
    sign = "odot" if shape_of(step.node) and shape_of(step.argument) else "times"
    return summed(tidy(Term(sign, (upstream, rule.term))), shape_of(step.node), step)


def summed(term: Term, shape: Shape | None, step: Step) -> Term:
    """Return a term of a shape, summed to the shape of the argument if the forward pass broadcast it."""
    wanted = shape_of(step.argument)
    if shape in (wanted, None):
        return term
    return called("sum_to", term, Term("raw", (str(wanted) if wanted is not None else "one number",)))


def data_at_use(order: Sequence[Node]) -> dict[Node, Data]:
    """Return the data of each node at the time of the operations: a leaf may have been updated since."""
    data = {node: node._value for node in order}
    for node in order:
        data.update((a, x) for a, x in zip(node.args, node.raw, strict=True) if isinstance(a, Node))
    return data


class RecordedPass:
    """The nodes of a graph, their names and data, and the steps of the backward pass."""

    def __init__(self, root: Node, given: Mapping[int, str], limit: int | None) -> None:
        self.root = root
        self.limit = limit
        self.order: list[Node] = topological_order(root)
        self.names: Names = Names(self.order, given)
        self.steps: list[Step] = list(backward_steps(root, names=self.names))
        self.data: dict[Node, Data] = data_at_use(self.order)
        self.scalar: bool = all(np.ndim(x) == 0 for x in self.data.values())

    def derivative(self, node: Node) -> Term:
        """Return the gradient of a node as a term."""
        return Term("d", (self.names.term(self.root), self.names.term(node)))

    def title(self) -> Term:
        """Return the root and its formula."""
        name = self.names.term(self.root)
        return equation(name, full_term(self.root, self.names)) if self.root.op else name

    def shown(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items up to the limit."""
        return items[: self.limit]

    def remainder(self, items: Sequence[object], noun: str) -> list[Block]:
        """Return a remark on the items that are not shown; nothing if all are."""
        hidden = len(items) - len(self.shown(items))
        return [Paragraph(f"… and {hidden:,} more {noun}; limit=None shows all of them.")] if hidden else []

    def forward(self, nodes: Sequence[Node], *remarks: Block) -> list[Block]:
        """Return the values of operations."""
        lines = Equations(map(self.forward_line, self.shown(nodes)))
        return [Paragraph("Forward", level=2), *remarks, lines, *self.remainder(nodes, "operations")]

    def forward_line(self, node: Node) -> Line:
        """Return one operation as an equation, in names and in values."""
        assert node.op is not None
        sides = [self.names.term(node), last_operation(node, self.names)]
        if all(np.ndim(a) == 0 for a in node.raw if isinstance(a, (float, np.ndarray))):
            operands = [number(a) if isinstance(a, (float, int, np.ndarray)) else self.names.term(a) for a in node.raw]
            with_values = operation_term(node.op, node.args, node.params, operands)
            sides += [with_values] if with_values != sides[-1] else []
        return Line(*sides, number(node._value), note=shape_note(node))

    def contribution(self, step: Step) -> tuple[Term, ...]:
        """Return the contribution of an edge as a formula, then with values unless these are the result alone."""
        formula = contribution(step, step.rule_formula, step.upstream_term)
        upstream = number(step.upstream)
        rule = local_rule(step.node, step.position, lambda node: number(self.data[node]), upstream)
        if rule.takes_upstream:
            return (formula, contribution(step, rule, upstream)) if rule.term and rule.term.head == "@" else (formula,)
        local = number(step.local)
        if is_number(local, 1):
            return (formula,)
        sign = "odot" if np.ndim(step.local) and np.ndim(step.upstream) else "times"
        return (formula, summed(Term(sign, (upstream, local)), shape_of(step.node), step))
