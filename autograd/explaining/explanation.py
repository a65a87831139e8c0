"""`explain`: the chain rule on a recorded graph, worked out like a page of a textbook.

A `Walkthrough` explains a whole pass, a `Derivation` one gradient.
"""

import html
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO, TypeVar

import numpy as np

from autograd.backward import between
from autograd.graph import Node, topological_order
from autograd.messages import not_a_node
from autograd.rules import shape_of
from autograd.transforms.forward import zero
from autograd.typing import Cotangent, Data

from .blocks import Block, Equations, Item, Line, Paint, Paragraph, Table
from .formula import last_operation, names_by_identity, operation_term
from .steps import RecordedPass, Step, contribution, count_paths, local_term
from .typeset import Term, ascii_only, equation, named, number

MOST_NAMES = 30  # nodes of a topological order that are listed by name
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


class Walkthrough(RecordedPass):
    """The whole pass, forward and backward."""

    def __init__(self, root: Node, given: Mapping[int, str], limit: int | None) -> None:
        super().__init__(root, given)
        self.limit = limit

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
        local = number(step.local)
        local_side = equation(*distinct([partial, local_term(step) or local, local]))
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
            sides = list(self.contribution(step))
            if not step.first:
                sides = [Term("+", (named("value so far"), sides[0]))]
            wanted = shape_of(step.argument)
            note = shape_text(step.argument._value) if wanted else ""
            if not step.rule_formula.takes_upstream and wanted != shape_of(step.node):
                note = f"broadcast from {shape_text(step.argument._value)}, so the gradient is summed"
            line = Line(self.derivative(step.argument), *sides, number(step.total), note=note)
            blocks.append(Equations([line]))
        return [*blocks, *self.remainder(self.steps, "steps")]

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


# --------------------------------------------------------------------------------------- the derivation of one gradient

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


class Derivation(Walkthrough):
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
        by_name = isinstance(wrt, str)
        found = next((node for node in self.order if (self.names[node] == wrt if by_name else node is wrt)), None)
        if found is None:
            known = ", ".join(self.names[node] for node in self.order[:20])
            raise ValueError(f"wrt={wrt!r:.60} is not a node of this graph or its name; there are {known}")
        if not found.requires_grad:
            raise ValueError(f"{self.names[found]} does not have a gradient; create it with requires_grad=True")
        return found

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


# --------------------------------------------------------------------------------------- text, Markdown, LaTeX and HTML

LIMIT = 40  # operations that are shown

COLOURS = {"title": "1", "result": "32", "faint": "2"}


class Explanation:
    """The result of `explain`: printing it prints plain text, and a notebook typesets its formulas.

    Attributes
    ----------
    text : str
        Plain text, aligned for a font of fixed width.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks
        self.text: str = self._painted(lambda role, text: text)

    def _painted(self, paint: Paint) -> str:
        """Return the text; `paint` is called with the role of each piece and the piece."""
        return "\n".join("\n".join(line.rstrip() for line in block._text(paint)) + "\n" for block in self.blocks)

    @property
    def markdown(self) -> str:
        """Markdown with mathematics between dollar signs."""
        return "\n".join(block._markdown() + "\n" for block in self.blocks)

    @property
    def latex(self) -> str:
        """LaTeX for the body of a document that uses `amsmath`."""
        return "\n".join(block._latex() + "\n" for block in self.blocks)

    @property
    def html(self) -> str:
        """A piece of HTML with the aligned text."""
        return f'<pre class="chain-rule" style="line-height:1.35">\n{html.escape(self.text)}</pre>'

    def show(self, file: TextIO | None = None, *, color: bool | None = None) -> None:
        """Write the text to a file or terminal.

        Parameters
        ----------
        file : text file, optional
            Standard output by default. Text is written in ASCII if the encoding of the file requires it.
        color : bool, optional
            Use colours; by default only on a terminal, unless the environment variable ``NO_COLOR`` is set.
        """
        out = sys.stdout if file is None else file
        if color is None:
            refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
            color = not refused and bool(getattr(out, "isatty", lambda: False)())
        text = self._painted(lambda role, text: f"\x1b[{COLOURS[role]}m{text}\x1b[0m") if color else self.text
        out.write(for_output(text, out) + "\n" * (not text.endswith("\n")))

    def __str__(self) -> str:
        return for_output(self.text, sys.stdout)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_latex_(self) -> str:
        return self.latex


def for_output(text: str, out: TextIO) -> str:
    """Return text that an output can encode: unchanged if possible, otherwise in ASCII."""
    try:
        text.encode(getattr(out, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ascii_only(text)
    return text


def explain(
    root: Node, wrt: Node | str | None = None, *, names: Mapping[str, object] | None = None, limit: int | None = LIMIT
) -> Explanation:
    r"""Explain how a gradient is computed: the forward pass, the backward pass, and the order of the nodes.

    .. math:: \frac{dL}{dx} = \sum_{y \text{ uses } x} \frac{dL}{dy} \, \frac{\partial y}{\partial x}

    Parameters
    ----------
    root : Node
        The result, of one element.
    wrt : Node or str, optional
        Derive only the gradient of this node, given as the node or its name: as a sum over its users, and over
        its paths if these are few.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; lists of nodes and modules give names to the nodes in them.
    limit : int, optional
        Maximum number of operations to show; None shows all.

    Returns
    -------
    Explanation
        Has `.text`, `.markdown`, `.latex` and `.html`; printing it prints the text.

    Raises
    ------
    TypeError
        If `root` is not a node.
    RuntimeError
        If `root` has several elements or does not depend on a variable, as in `backward`.
    ValueError
        If `root` does not depend on `wrt`, or `limit` is less than 1.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    >>> print(explain((a * b + c).tanh(), wrt=c, names={"a": a, "b": b, "c": c}).text)
    dL/dc for L = tanh(a * b + c)
    ═════════════════════════════
    ...
      dL/dv2 = dL/dL × ∂L/∂v2   = 1 × (1 - L * L)  = 1 × 0.00134095 = 0.00134095
      dL/dc  = dL/dv2 × ∂v2/∂c  = 0.00134095 × 1 = 0.00134095
    ...
    """
    if not isinstance(root, Node):
        raise not_a_node("explain", root)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None for no limit, got {limit}")
    given = names_by_identity(names or {})
    whole = Walkthrough(root, given, limit) if wrt is None else Derivation(root, wrt, given, limit)
    return Explanation(whole.blocks())
