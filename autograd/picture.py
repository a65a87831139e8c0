"""A graph in the DOT language: what is shown of it, in which order, in which colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import graphviz
import numpy as np

from .graph import Node, topological_order
from .labels import constant, cut, escaped, shape, summary

__all__ = ["THEMES", "Picture", "Snapshot", "Theme"]

MANY = 8  # constants of one operation that are still drawn one by one


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: (fill, border) for each kind of box."""

    background: str
    ink: str
    faint: str
    parameter: tuple[str, str]
    data: tuple[str, str]
    inner: tuple[str, str]
    root: tuple[str, str]
    op: tuple[str, str]


THEMES = {
    "light": Theme(
        background="#ffffff",
        ink="#1f2933",
        faint="#7b8794",
        parameter=("#dceafb", "#3b78c2"),
        data=("#eef1f4", "#8a97a6"),
        inner=("#ffffff", "#b3bdc9"),
        root=("#fff0c9", "#d08a00"),
        op=("#e3f4e6", "#4b9b5f"),
    ),
    "dark": Theme(
        background="#15191f",
        ink="#e6eaf0",
        faint="#8c98a8",
        parameter=("#1d3a5f", "#6ea8ea"),
        data=("#2b323c", "#77859a"),
        inner=("#1c222a", "#566273"),
        root=("#54400f", "#e5b040"),
        op=("#1e4029", "#6cc084"),
    ),
    "print": Theme(
        background="#ffffff",
        ink="#000000",
        faint="#444444",
        parameter=("#e4e4e4", "#000000"),
        data=("#ffffff", "#888888"),
        inner=("#ffffff", "#000000"),
        root=("#ffffff", "#000000"),
        op=("#ffffff", "#000000"),
    ),
}


class Snapshot:
    """The nodes and edges of a graph at one moment: positions, arguments before users."""

    def __init__(self, roots: Sequence[Node]) -> None:
        self.nodes = topological_order(*roots)
        self.position = {id(node): k for k, node in enumerate(self.nodes)}
        self.args = [node.args for node in self.nodes]  # tuples: what is assigned later does not reach them
        self.roots = {self.position[id(node)] for node in roots}
        for k, args in enumerate(self.args):
            for arg in args:
                if isinstance(arg, Node) and self.position.get(id(arg), k) >= k:
                    raise ValueError(
                        f"the graph of {len(self.nodes):,} nodes has a cycle through {self.nodes[k].op}, or "
                        "changed while it was being drawn; a result cannot be its own argument"
                    )

    def parents(self, k: int) -> list[int]:
        """Return the positions of the nodes that node `k` was made from, in order."""
        return [self.position[id(arg)] for arg in self.args[k] if isinstance(arg, Node)]

    def nearest(self, limit: int | None, depth: int | None) -> set[int]:
        """Return the positions of the nodes nearest to the roots, by the longest way that leads there.

        Along the longest way an argument is always farther than its user, so that nothing hidden was made
        from anything shown.
        """
        far = [0] * len(self.nodes)
        for k in range(len(self.nodes) - 1, -1, -1):
            for parent in self.parents(k):
                far[parent] = max(far[parent], far[k] + 1)
        order = [k for k in range(len(self.nodes)) if depth is None or far[k] <= depth]
        if limit is None or len(order) <= limit:
            return set(order)
        return set(sorted(order, key=lambda k: (far[k], -k))[:limit])

    def behind(self, k: int, shown: set[int], counted: set[int]) -> int:
        """Return how many hidden nodes stand behind node `k` that were not counted before, and count them."""
        before = len(counted)
        stack = [k]
        while stack:
            for parent in self.parents(stack.pop()):
                if parent not in shown and parent not in counted:
                    counted.add(parent)
                    stack.append(parent)
        return len(counted) - before


class Picture:
    """Writes the nodes of a graph as DOT."""

    def __init__(
        self,
        graph: Snapshot,
        theme: Theme,
        direction: str,
        values: bool,
        gradients: bool,
        names: dict[int, str],
    ) -> None:
        self.graph = graph
        self.theme = theme
        self.stacked = direction in ("LR", "RL")  # there, the fields of a record lie above each other
        self.values = values
        self.gradients = gradients
        self.names = names
        self.count = 0
        self.dot = graphviz.Digraph(
            "computation",
            graph_attr={
                "rankdir": direction,
                "bgcolor": theme.background,
                "nodesep": "0.22",
                "ranksep": "0.32",
                "pad": "0.2",
                "fontname": "Helvetica",
                "fontsize": "11",
                "fontcolor": theme.faint,
            },
            node_attr={
                "shape": "record",
                "style": "filled,rounded",
                "fontname": "Helvetica",
                "fontsize": "11",
                "fontcolor": theme.ink,
                "height": "0.3",
                "margin": "0.14,0.05",
            },
            edge_attr={"color": theme.faint, "arrowsize": "0.6", "penwidth": "0.9"},
        )

    def source(self, shown: set[int], message: str) -> str:
        """Return the DOT text of the nodes shown, with one box for what is hidden behind each of them."""
        box: dict[int, str] = {}
        counted: set[int] = set()
        for k in sorted(shown):
            box[k] = self.variable(k)
            if self.graph.nodes[k].op is not None:
                op = self.operation(k, box)
                if any(parent not in shown for parent in self.graph.parents(k)):
                    self.edge(self.fold(self.graph.behind(k, shown, counted)), op)
                self.edge(op, box[k], weight="4")
        if message:
            self.dot.attr(label=graphviz.nohtml(escaped(message)), labelloc="b")
        return str(self.dot.source)

    def add(self, label: str, **attributes: str) -> str:
        """Add one node, whose label is DOT-escaped already, under a name of our own."""
        name = f"n{self.count}"
        self.count += 1
        self.dot.node(name, graphviz.nohtml(label), **attributes)
        return name

    def edge(self, tail: str, head: str, **attributes: str) -> None:
        """Add an arrow between two names that `add` returned."""
        self.dot.edge(tail, head, **attributes)

    def variable(self, k: int) -> str:
        """Add the box of a variable: name, number or shape, gradient."""
        node = self.graph.nodes[k]
        rows = self.rows(node)
        kind = "parameter" if node.requires_grad else "data"
        if k in self.graph.roots:
            kind = "root"
        elif node.op is not None:
            kind = "inner"
        fill, border = getattr(self.theme, kind)
        label = "|".join(escaped(row, record=True) for row in rows)
        extra = {"penwidth": "1.8"} if kind == "root" else {}
        return self.add(label if self.stacked else "{" + label + "}", fillcolor=fill, color=border, **extra)

    def rows(self, node: Any) -> list[str]:
        """Return the lines of text in the box of a variable."""
        data, grad = node.data, node.grad
        grad = grad._data if isinstance(grad, Node) else grad
        rows = [cut(str(self.names.get(id(node)) or node.name))]
        if isinstance(data, np.ndarray) and data.ndim:
            rows.append(shape(data))
        if self.values:
            rows.append(summary(data))
        if self.gradients and grad is not None and node.requires_grad:
            rows.append(f"grad {summary(grad)}")
        return [row for row in rows if row] or [" "]

    def operation(self, k: int, box: Mapping[int, str]) -> str:
        """Add the oval of an operation and its operands, in order."""
        node, args = self.graph.nodes[k], self.graph.args[k]
        fill, border = self.theme.op
        is_index = node.op is not None and node.op.symbol == "[]"  # whose constants are part of its text
        constants = [] if is_index else [arg for arg in args if not isinstance(arg, Node)]
        op = self.add(
            escaped(operation_text(node, args)),
            shape="ellipse",
            style="filled",
            fillcolor=fill,
            color=border,
            margin="0.04,0.02",
            **({"ordering": "in"} if len(args) > 1 else {}),
        )
        if len(constants) > MANY:
            self.edge(self.constant(f"{len(constants):,} constants"), op)
        for arg in args:
            if isinstance(arg, Node):
                if (parent := self.graph.position[id(arg)]) in box:
                    self.edge(box[parent], op)
            elif 0 < len(constants) <= MANY:
                self.edge(self.constant(constant(arg)), op)
        return op

    def constant(self, text: str) -> str:
        """Add a constant: small text without a box."""
        small = {"fontsize": "9", "height": "0.1", "width": "0.1", "margin": "0.03"}
        return self.add(escaped(text), shape="plaintext", style="", fontcolor=self.theme.faint, **small)

    def fold(self, hidden: int) -> str:
        """Add a box that stands for nodes left out; those counted in another box already get no number."""
        text = f"… {hidden:,} more node{'s' * (hidden != 1)}" if hidden else "…"
        return self.add(
            escaped(text),
            shape="box",
            style="dashed,rounded",
            color=self.theme.faint,
            fontcolor=self.theme.faint,
        )


def operation_text(node: Node, args: tuple[Any, ...]) -> str:
    """Return the symbol of the operation, with the parameters that were given on a second line."""
    assert node.op is not None
    if node.op.symbol == "[]":
        return cut(f"[{', '.join('·' if isinstance(a, Node) else constant(a) for a in args[1:])}]", 24)
    given = [f"{k}={constant(v)}" for k, v in node.params.items() if v is not None and v is not False]
    return cut(node.op.symbol, 24) + (f"\n{cut(', '.join(given), 32)}" if given else "")
