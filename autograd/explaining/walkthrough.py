"""The explanation of a whole pass: the data, forward, backward, the gradient, and the order of the nodes."""

from autograd.graph import Node, topological_order
from autograd.rules import shape_of
from autograd.transforms.forward import zero
from autograd.typing import Cotangent

from .blocks import Block, Equations, Item, Line, Paragraph, Table
from .formula import last_operation
from .recorded_pass import RecordedPass, counted, local_term, shape_note, shape_text
from .steps import Step, count_paths
from .terms import Term, equation, named, number

MOST_NAMES = 30  # nodes of a topological order that are listed by name


class Walkthrough(RecordedPass):
    """The whole pass, forward and backward."""

    def blocks(self) -> list[Block]:
        """Return the contents of the explanation."""
        steps = self.backward_table() if self.scalar else self.backward_equations()
        title = Paragraph(self.title(), level=1)
        operations = [node for node in self.order if node.op is not None]
        remark = Paragraph("Each operation computes its value once, after its operands.")
        forward = self.forward(operations, remark) if operations else []
        return [title, *self.given(), *forward, *steps, *self.gradient(), *self.reason()]

    def given(self) -> list[Block]:
        """Return the data of the leaves."""
        leaves = [node for node in self.order if node.op is None]
        lines = []
        for node in self.shown(leaves):
            note = f"{shape_text(node._value)}, {'variable' if node.requires_grad else 'data'}"
            lines.append(Line(self.names.term(node), number(self.data[node]), note=note))
        if self.scalar:
            items: list[Item] = [item for line in lines for item in (", ", equation(*line.sides))]
            return [Paragraph("Given ", *items[1:], "."), *self.remainder(leaves, "leaves")]
        return [Paragraph("Given", level=2), Equations(lines), *self.remainder(leaves, "leaves")]

    def backward_intro(self, rest: str) -> list[Block]:
        """Return the heading and the introduction of the backward pass."""
        start = equation(self.derivative(self.root), number(1.0))
        return [Paragraph("Backward", level=2), Paragraph("The backward pass starts from ", start, ". " + rest)]

    def backward_table(self) -> list[Block]:
        """Return the steps between scalars as a table, one row for each edge."""
        if not self.steps:
            return []
        intro = self.backward_intro(
            "Each step follows one edge from a result back to an argument and multiplies the gradient of the result "
            "(upstream) by the derivative of the operation (local). The product is added to the gradient of the "
            "argument."
        )
        header = ("step", "edge", "local derivative", "upstream × local", "gradient so far")
        table = Table(header, map(self.row, self.shown(self.steps)))
        return [*intro, table, *self.remainder(self.steps, "steps")]

    def row(self, step: Step) -> tuple[Item, ...]:
        """Return one step as cells of the table."""
        partial = Term("partial", (self.names.term(step.node), self.names.term(step.argument)))
        rule, local = local_term(step), number(step.local)
        local_side = equation(partial, local) if rule in (None, local) else equation(partial, rule, local)
        product = Term("times", (number(step.upstream), local))
        total: tuple[Term, ...] = (number(step.total),)
        if not step.first:
            before = next(s.total for s in self.steps[step.number - 2 :: -1] if s.argument is step.argument)
            total = (Term("+", (number(before), number(step.contribution))), *total)
        twice = sum(arg is step.argument for arg in step.node.args) > 1
        which = f" (argument {step.position + 1})" if twice else ""
        return (
            str(step.number),
            f"{self.names[step.node]} → {self.names[step.argument]}{which}",
            local_side,
            equation(product, number(step.contribution)),
            equation(self.derivative(step.argument), *total),
        )

    def backward_equations(self) -> list[Block]:
        """Return the steps between arrays: for each operation its shapes, formulas and small matrices."""
        blocks = self.backward_intro(
            "Each operation takes the gradient of its result and adds a contribution to the gradient of each argument. "
            "A gradient has the shape of its variable."
        )
        last = None
        for step in self.shown(self.steps):
            if step.node is not last:
                last = step.node
                operation = equation(self.names.term(last), last_operation(last, self.names))
                note = shape_note(last)
                blocks.append(Paragraph("Through ", operation, f"   [{note}]" if note else ""))
            blocks.append(Equations([self.array_line(step)]))
        return [*blocks, *self.remainder(self.steps, "steps")]

    def array_line(self, step: Step) -> Line:
        """Return one contribution to a gradient as an equation."""
        sides = list(self.contribution(step))
        if not step.first:
            sides = [Term("+", (named("value so far"), sides[0]))]
        return Line(self.derivative(step.argument), *sides, number(step.total), note=self.remark(step))

    def remark(self, step: Step) -> str:
        """Return the shape of a gradient, or that it is summed."""
        wanted, full = shape_of(step.argument), shape_of(step.node)
        if not step.rule_formula.takes_upstream and wanted != full:
            return f"broadcast from {shape_text(step.argument._value)}, so the gradient is summed"
        return shape_text(step.argument._value) if wanted else ""

    def gradient(self) -> list[Block]:
        """Return the gradient of every leaf."""
        totals: dict[Node, Cotangent] = {self.root: 1.0} | {step.argument: step.total for step in self.steps}
        leaves = [node for node in self.order if node.op is None and node.requires_grad]
        lines = [Line(self.derivative(n), number(totals.get(n, zero(n)))) for n in self.shown(leaves)]
        return [Paragraph("The gradient", level=2), Equations(lines), *self.remainder(leaves, "leaves")]

    def reason(self) -> list[Block]:
        """Return the topological order and the work that it saves."""
        listed = [self.names[node] for node in self.order[:MOST_NAMES]]
        more = len(self.order) - len(listed)
        variables = topological_order(self.root, variables_only=True)
        exact, log10 = count_paths(variables)
        paths = f"{exact:,}" if exact is not None else f"about 10^{log10:.0f}"
        saving = (
            "No node has two users, so there is one path to each leaf, and a plain recursion would do the same work."
            if exact == sum(node.op is None for node in variables)
            else "A plain recursion would follow each path separately; the reverse pass visits each edge once."
        )
        return [
            Paragraph("Why in this order", level=2),
            Paragraph(", ".join(listed) + (f", … ({more:,} more)" if more else "")),
            Paragraph(
                "This is a topological order: each node comes after its arguments. The backward pass visits the nodes "
                "in reverse, so that the gradient of a node is complete, with a contribution from each of its users, "
                "before it is passed on."
            ),
            Paragraph(
                f"{counted(len(variables), 'node')} with a gradient, {counted(len(self.steps), 'edge')}, "
                f"{counted(exact, 'path', paths)} from the result to the leaves. {saving}"
            ),
        ]
