"""What is told about a whole pass: the numbers given, forward, backward, the gradient, and the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd.graph import Node, topological_order
from autograd.rules import shape_of

from .document import Block, Document, Equations, Heading, Item, Line, Paragraph, Table
from .expression import Names, last_operation, operation_term, whole_term
from .notation import Term, called, equation, named, number, tidy
from .reading import local_rule
from .steps import Step, backward_steps, count_paths

__all__ = ["Narrative", "Telling", "contribution_sides", "local_term", "recorded_numbers", "shape_note"]

MANY_NAMES = 30  # nodes of a topological order that are listed by name


class _Numbers:
    """Stands in for names where a formula is written with its numbers."""

    def __init__(self, numbers: Mapping[Node, Any]) -> None:
        self.numbers = numbers

    def term(self, arg: Any) -> Term:
        return number(self.numbers.get(arg, arg._data if isinstance(arg, Node) else arg))


def recorded_numbers(order: Iterable[Node]) -> dict[Node, Any]:
    """Return the number each node had when it was used: a leaf may have been updated since."""
    found: dict[Node, Any] = {}
    for node in order:
        found.setdefault(node, node._data)
        for arg, seen in zip(node.args, node.raw, strict=True):
            if isinstance(arg, Node):
                found[arg] = seen
    return found


def shape_text(data: Any) -> str:
    """Return the shape of an array, and the word for a single number."""
    return str(np.shape(data)) if np.ndim(data) else "one number"


def shape_note(node: Node) -> str:
    """Return the shapes an operation takes and makes; nothing where all are single numbers."""
    arrays = [a for a in node.raw if isinstance(a, (np.ndarray, float))]
    if not any(np.ndim(a) for a in [*arrays, node._data]):
        return ""
    return f"{', '.join(map(shape_text, arrays))} → {shape_text(node._data)}"


def local_term(step: Step) -> Term | None:
    """Return the local derivative of an edge between two numbers as a formula without its upstream gradient."""
    if not step.read.takes_upstream:
        return step.read.term
    return local_rule(step.node, step.position, step.names, number(1)).term


class Telling:
    """What every explanation needs: the nodes, their names, their numbers, the steps."""

    def __init__(self, root: Node, given: Mapping[int, str], limit: int | None) -> None:
        self.root = root
        self.limit = limit
        self.order: list[Node] = topological_order(root)
        self.names: Names = Names(self.order, given)
        self.steps: list[Step] = list(backward_steps(root, names=self.names))
        self.numbers: dict[Node, Any] = recorded_numbers(self.order)
        self.scalar: bool = all(np.ndim(x) == 0 for x in self.numbers.values())

    def derivative(self, node: Node) -> Term:
        """Return the name of the gradient of a node."""
        return Term("d", (self.names.term(self.root), self.names.term(node)))

    def title(self) -> tuple[Item, ...]:
        """Return the root and what it is made from."""
        whole = whole_term(self.root, self.names)
        return (equation(self.names.term(self.root), whole),) if self.root.op else (self.names.term(self.root),)

    def few(self, things: Sequence[Any]) -> Sequence[Any]:
        """Return as many things as are shown one by one."""
        return things if self.limit is None else things[: self.limit]

    def left_out(self, things: Sequence[Any], what: str) -> list[Block]:
        """Return a remark on how many are not shown; nothing if all are."""
        hidden = len(things) - len(self.few(things))
        return [Paragraph((f"… and {hidden:,} more {what}; limit=None shows all of them.",))] if hidden else []

    def forward_line(self, node: Node) -> Line:
        """Return what one operation computed, on names and on numbers."""
        assert node.op is not None
        sides = [self.names.term(node), last_operation(node, self.names)]
        if all(np.ndim(a) == 0 for a in node.raw if isinstance(a, (float, np.ndarray))):
            operands = [number(a) if isinstance(a, (float, int, np.ndarray)) else self.names.term(a) for a in node.raw]
            with_numbers = operation_term(node.op, node.args, node.params, operands)
            sides += [with_numbers] if with_numbers != sides[-1] else []
        return Line((*sides, number(node._data)), shape_note(node))

    def contribution(self, step: Step) -> tuple[Term, ...]:
        """Return what an edge carries: as a formula, then with its numbers where these are not its result alone."""
        upstream = step.upstream_term
        formula = contribution_sides(step, step.read, upstream)
        numbers = _Numbers(self.numbers)
        read = local_rule(step.node, step.position, numbers, number(step.upstream))
        if read.takes_upstream and (read.term is None or read.term.head != "@"):
            return (formula,)
        if not read.takes_upstream:
            local = step.local if step.local is not None else 1.0
            if np.ndim(local) == 0 and local == 1:
                return (formula,)
            sign = "odot" if np.ndim(local) and np.ndim(step.upstream) else "times"
            product = Term(sign, (number(step.upstream), number(local)))
            return (formula, summed_back(product, step.read.shape, step))
        return (formula, contribution_sides(step, read, number(step.upstream)))


def contribution_sides(step: Step, read: Any, upstream: Term) -> Term:
    """Return the contribution of an edge as one term."""
    if read.term is None:
        return called(f"pullback of {step.operation}", upstream)
    if read.takes_upstream:
        return summed_back(read.term, read.shape, step)
    sign = "odot" if shape_of(step.node) and shape_of(step.argument) else "times"
    return summed_back(tidy(Term(sign, (upstream, read.term))), shape_of(step.node), step)


def summed_back(term: Term, shape: tuple[int, ...] | None, step: Step) -> Term:
    """Return a term summed down to the shape of the argument, where the forward pass had broadcast it."""
    wanted = shape_of(step.argument)
    full = shape_of(step.node) if not step.read.takes_upstream else shape
    if full == wanted or full is None:
        return term
    return called("sum_to", term, Term("raw", (str(wanted) if wanted is not None else "one number",)))


class Narrative(Telling):
    """The whole pass, forward and backward."""

    def document(self) -> Document:
        """Return the pass as a document."""
        blocks: list[Block] = [Heading(self.title(), 1)]
        blocks += self.given()
        blocks += self.forward()
        blocks += self.backward_scalar() if self.scalar else self.backward_arrays()
        blocks += self.gradient()
        blocks += self.reason()
        return Document(blocks)

    def given(self) -> list[Block]:
        """Return the numbers at the leaves."""
        leaves = [node for node in self.order if node.op is None]
        lines = [Line((self.names.term(n), number(self.numbers[n])), self.role(n)) for n in self.few(leaves)]
        if self.scalar:
            items: list[Item] = ["Given "]
            for i, line in enumerate(lines):
                items += [", "] * (i > 0) + [equation(*line.sides)]
            return [Paragraph((*items, ".")), *self.left_out(leaves, "leaves")]
        return [Heading(("Given",)), Equations(tuple(lines)), *self.left_out(leaves, "leaves")]

    def role(self, node: Node) -> str:
        """Return the shape of a leaf and whether it is a variable."""
        return "" if self.scalar else f"{shape_text(node._data)}, {'variable' if node.requires_grad else 'data'}"

    def forward(self) -> list[Block]:
        """Return what every operation computed."""
        nodes = [node for node in self.order if node.op is not None]
        if not nodes:
            return []
        return [
            Heading(("Forward",)),
            Paragraph(
                (
                    "Every operation computes its number once, after the numbers it needs."
                    if self.scalar
                    else "Every operation computes its result once, after what it needs.",
                )
            ),
            Equations(tuple(map(self.forward_line, self.few(nodes)))),
            *self.left_out(nodes, "operations"),
        ]

    def backward_scalar(self) -> list[Block]:
        """Return the steps between numbers as a table, a row for each edge."""
        if not self.steps:
            return []
        start = equation(self.derivative(self.root), number(1.0))
        return [
            Heading(("Backward",)),
            Paragraph(
                (
                    "It starts from ",
                    start,
                    ". Every step takes one edge, from a result back to an argument: the "
                    "gradient that has arrived (upstream) times the derivative of this one operation (local) is what "
                    "the argument gets. An argument that is used more than once adds up what it gets.",
                )
            ),
            Table(
                ("step", "edge", "local derivative", "upstream × local", "gradient so far"),
                tuple(map(self.row, self.few(self.steps))),
            ),
            *self.left_out(self.steps, "steps"),
        ]

    def row(self, step: Step) -> tuple[Item, ...]:
        """Return one step as cells of the table."""
        partial = Term("partial", (self.names.term(step.node), self.names.term(step.argument)))
        rule, local = local_term(step), number(step.local)
        local_side = equation(partial, local) if rule in (None, local) else equation(partial, rule, local)
        product = Term("times", (number(step.upstream), local))
        total: tuple[Term, ...] = (number(step.total),)
        if not step.first:
            before = Term("+", (number(self.before(step)), number(step.contribution)))
            total = (before, *total)
        return (
            str(step.number),
            self.edge(step),
            local_side,
            equation(product, number(step.contribution)),
            equation(self.derivative(step.argument), *total),
        )

    def edge(self, step: Step) -> str:
        """Return the two ends of an edge; of an argument used twice in one operation, which of the two."""
        twice = sum(arg is step.argument for arg in step.node.args) > 1
        which = f" (argument {step.position + 1})" if twice else ""
        return f"{self.names[step.node]} → {self.names[step.argument]}{which}"

    def before(self, step: Step) -> Any:
        """Return the running sum at an argument before this step."""
        earlier = [s for s in self.steps[: step.number - 1] if s.argument is step.argument]
        return earlier[-1].total

    def backward_arrays(self) -> list[Block]:
        """Return the steps between arrays: for each operation its shapes, formulas and small matrices."""
        blocks: list[Block] = [
            Heading(("Backward",)),
            Paragraph(
                (
                    "It starts from ",
                    equation(self.derivative(self.root), number(1.0)),
                    ". Every operation takes the "
                    "gradient of its result and gives each argument its share; a gradient has the shape of what it "
                    "belongs to.",
                )
            ),
        ]
        last = None
        for step in self.few(self.steps):
            if step.node is not last:
                last = step.node
                said = equation(self.names.term(last), last_operation(last, self.names))
                note = shape_note(last)
                blocks.append(Paragraph(("Through ", said, f"   [{note}]" if note else "")))
            blocks.append(Equations((self.array_line(step),)))
        return [*blocks, *self.left_out(self.steps, "steps")]

    def array_line(self, step: Step) -> Line:
        """Return one share of a gradient as an equation."""
        sides = list(self.contribution(step))
        if not step.first:
            sides = [Term("+", (named("what it has"), sides[0]))]
        return Line((self.derivative(step.argument), *sides, number(step.total)), self.remark(step))

    def remark(self, step: Step) -> str:
        """Return what to notice about a step."""
        wanted, full = shape_of(step.argument), shape_of(step.node)
        if not step.read.takes_upstream and wanted != full:
            return f"broadcast from {shape_text(step.argument._data)}, so summed back"
        return shape_text(step.argument._data) if shape_of(step.argument) else ""

    def gradient(self) -> list[Block]:
        """Return the finished gradient of every leaf."""
        totals = {step.argument: step.total for step in self.steps}
        leaves = [node for node in self.order if node.op is None and node.requires_grad]
        lines = []
        for node in self.few(leaves):
            zero = 0.0 if shape_of(node) is None else np.zeros(np.shape(node._data))
            lines.append(Line((self.derivative(node), number(totals.get(node, 1.0 if node is self.root else zero)))))
        return [Heading(("The gradient",)), Equations(tuple(lines)), *self.left_out(leaves, "leaves")]

    def reason(self) -> list[Block]:
        """Return the topological order, and what it saves."""
        listed = [self.names[node] for node in self.order[:MANY_NAMES]]
        more = len(self.order) - len(listed)
        variables = topological_order(self.root, variables_only=True)
        exact, log10 = count_paths(variables)
        paths = f"{exact:,}" if exact is not None else f"about 10^{log10:.0f}"
        leaves = sum(node.op is None for node in variables)
        saving = (
            "No node here has two users, so there is one path to each leaf: a plain recursion would do the same work."
            if exact == leaves
            else "A plain recursion from the result would walk each of these paths by itself; the list takes each edge "
            "once."
        )
        return [
            Heading(("Why in this order",)),
            Paragraph((", ".join(listed) + (f", … ({more:,} more)" if more else ""),)),
            Paragraph(
                (
                    "Every node stands after everything it is made from. Backward walks this list from its end: when "
                    "the turn of a node comes, all its users have added their share, and its gradient is complete.",
                )
            ),
            Paragraph(
                (
                    f"{counted(len(variables), 'node')} with a gradient, {counted(len(self.steps), 'edge')}, "
                    f"{counted(exact, 'path', paths)} from the result to the leaves. {saving}",
                )
            ),
        ]


def counted(count: int | None, what: str, written: str = "") -> str:
    """Return a number of things with the noun in its right form."""
    return f"{written or format(count, ',')} {what}{'' if count == 1 else 's'}"
