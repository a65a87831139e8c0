"""A graph in the DOT language: what is shown of it, in which order, in which frames and colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.explaining.labels import constant, cut, shape, summary
from autograd.graph import Node

from .annotations import Annotations, magnitude
from .canvas import Canvas
from .clusters import Frame, Plan
from .snapshot import Snapshot, behind
from .themes import Theme

__all__ = ["Picture", "Settings", "variable_rows"]

MANY = 8  # constants of one operation that are still drawn one by one


@dataclass
class Settings:
    """What is shown of a graph, and how."""

    theme: Theme
    direction: str = "LR"
    values: bool = True
    gradients: bool = True
    partials: bool = False
    formulas: bool = False
    shaded: bool = False  # boxes coloured by the size of their gradient
    names: dict[int, str] = field(default_factory=dict)
    grads: Mapping[Node, Any] | None = None  # instead of the nodes' own
    way: set[int] = field(default_factory=set)  # positions of what is highlighted
    fills: Mapping[int, tuple[str, str]] = field(default_factory=dict)  # colours of some boxes, by position
    widths: Mapping[int, float] = field(default_factory=dict)  # least widths in inches, by position
    pending: bool = False  # whether a gradient that has not arrived has its line already
    active: tuple[Node, int] | None = None  # an arrow along which a gradient flows: a node, and which argument


class Picture:
    """Writes the boxes of a plan as DOT."""

    def __init__(self, plan: Plan, settings: Settings, annotations: Annotations, canvas: Canvas | None = None) -> None:
        self.plan = plan
        self.graph: Snapshot = plan.graph
        self.set = settings
        self.theme: Theme = settings.theme
        self.notes = annotations
        self.canvas: Canvas = canvas or Canvas("computation", settings.theme, settings.direction)
        self.box: dict[int, str] = {}
        self._frames: dict[Frame, int] = {}
        self._drawn: set[tuple[str, str]] = set()

    def source(self, shown: set[int], message: str = "") -> str:
        """Return the DOT text of the boxes shown, with one for what is hidden behind each of them."""
        self.write(shown)
        return self.canvas.source(message)

    def write(self, shown: set[int], outer: int | None = None) -> None:
        """Put the boxes on the canvas, in the frame `outer` if there is one."""
        counted: set[int] = set()
        for item in self.plan.order:
            if item not in shown:
                continue
            frame = self.frame(self.plan.frame(item), outer)
            if item in self.plan.closed:
                self.box[item] = entry = self.group(item, frame)
                self.arrows_into(item, entry)
            else:
                self.box[item] = self.variable(item, frame)
                if self.graph.nodes[item].op is None:
                    continue
                entry = self.operation(item, frame)
                self.canvas.edge(entry, self.box[item], weight="4", **self.highlight(item, item))
            if any(parent not in shown for parent in self.plan.parents(item)):
                hidden = behind(item, self.plan.parents, shown, counted)
                count = sum(self.plan.weight[k] for k in hidden)
                self.canvas.edge(self.fold(count, frame), entry)

    def frame(self, frame: Frame | None, outer: int | None) -> int | None:
        """Return the number of a frame on the canvas, and of those around it."""
        if frame is None:
            return outer
        if frame not in self._frames:
            around = self.frame(frame.parent, outer)
            group = frame.group
            label = f"× {frame.times:,}" if group is None else " ".join(filter(None, (group.path, group.title)))
            self._frames[frame] = self.canvas.frame(label, around, dashed=group is None)
        return self._frames[frame]

    def variable(self, k: int, frame: int | None) -> str:
        """Add the box of a variable: name, formula, number or shape, gradient."""
        node = self.graph.nodes[k]
        kind = "inner" if node.op is not None else "parameter" if node.requires_grad else "data"
        if k in self.graph.roots:
            kind = "root"
        fill, border = self.set.fills.get(k) or getattr(self.theme, kind)
        if self.set.shaded:
            fill = self.shade(node)
        extra = {"penwidth": "1.8"} if kind == "root" else {}
        if k in self.set.way:
            border, extra = self.theme.accent, {"penwidth": "2.2"}
        if k in self.set.widths:
            extra["width"] = f"{self.set.widths[k]:.2f}"
        rows = variable_rows(node, self.set)
        if self.set.formulas:
            called = self.notes.names.term(node).parts[0]
            rows = [
                called,
                *filter(None, [self.notes.formula(node)]),
                *(row for row in rows[bool(self.name(node)) :] if row.strip()),
            ]
        return self.canvas.record(rows, frame, fillcolor=fill, color=border, **extra)

    def name(self, node: Node) -> str:
        """Return what the caller, or the node itself, calls it."""
        return str(self.set.names.get(id(node)) or node.name or "")

    def shade(self, node: Node) -> str:
        """Return the colour of the magnitude of a gradient."""
        g = self.notes.gradients.get(node)
        if g is None or not self.notes.largest:
            return self.theme.inner[0]
        return self.theme.shade(magnitude(g) / self.notes.largest)

    def group(self, item: int, frame: int | None) -> str:
        """Add the box of a whole group: what it is, how many parameters it has, what comes out of it."""
        group, inside = self.plan.closed[item], self.plan.inside(item)
        nodes = [self.graph.nodes[k] for k in inside]
        count = sum(np.size(n._data) for n in nodes if n.op is None and n.requires_grad)
        title = " ".join(filter(None, (group.path.rpartition(".")[2], group.title)))
        rows = [title + (f" (call {group.call})" if group.call > 1 else ""), cut(group.detail)]
        if count:
            rows.append(f"{count:,} parameter{'s' * (count != 1)}")
        fill, border = self.theme.module
        extra = {}
        if results := [k for k in inside if k in self.graph.roots]:  # no arrow leaves it, so it says what comes out
            rows += [f"→ {self.size(k) or summary(self.graph.nodes[k]._data)}" for k in results[:MANY]]
            border = self.theme.root[1]
        if self.set.shaded:
            sizes = [magnitude(g) for n in nodes if n.op is None and (g := self.notes.gradients.get(n)) is not None]
            fill = self.theme.shade(max(sizes, default=0.0) / (self.notes.largest or 1.0))
        if not self.set.way.isdisjoint(inside):
            border, extra = self.theme.accent, {"penwidth": "2.2"}
        return self.canvas.record([r for r in rows if r], frame, fillcolor=fill, color=border, **extra)

    def arrows_into(self, item: int, entry: str) -> None:
        """Add the arrows into a group's box, with the shape of what comes along them."""
        for k in self.plan.inside(item):
            for p in self.graph.parents(k):
                source = self.plan.item[p]
                if source != item and source in self.box and (self.box[source], entry) not in self._drawn:
                    self._drawn.add((self.box[source], entry))
                    is_box = source in self.plan.closed
                    self.arrow(source, entry, self.highlight(p, k), self.size(p) if is_box else "")

    def size(self, k: int) -> str:
        """Return the shape of a node for the arrow that leaves a group's box."""
        data = self.graph.nodes[k]._data
        return shape(data) if isinstance(data, np.ndarray) else ""

    def arrow(self, source: int, entry: str, style: dict[str, str], text: str) -> None:
        """Add an arrow from a box."""
        self.canvas.edge(self.box[source], entry, text, **style)

    def highlight(self, tail: int, head: int) -> dict[str, str]:
        """Return how an arrow looks that may be on the highlighted way."""
        if tail in self.set.way and head in self.set.way and self.set.active is None:
            return {"color": self.theme.accent, "penwidth": "2.2"}
        return {}

    def operation(self, k: int, frame: int | None) -> str:
        """Add the oval of an operation and its operands, in order."""
        node, args = self.graph.nodes[k], self.graph.args[k]
        fill, border = self.set.fills.get(k) or self.theme.op
        if fill == self.theme.changed[0]:  # its result says so
            fill, border = self.theme.inner
        is_index = node.op is not None and node.op.symbol == "[]"  # whose constants are part of its text
        constants = [] if is_index else [arg for arg in args if not isinstance(arg, Node)]
        several = {"ordering": "in"} if len(args) > 1 else {}
        op = self.canvas.oval(operation_text(node, args), frame, fillcolor=fill, color=border, **several)
        if len(constants) > MANY:
            self.canvas.edge(self.canvas.small(f"{len(constants):,} constants", frame), op)
        alike = len({self.plan.item[self.graph.position[id(a)]] for a in args if isinstance(a, Node)}) == 1
        for position, arg in enumerate(args):
            if isinstance(arg, Node):
                self.operand(k, position, op, folded=alike and len(args) > MANY)
            elif 0 < len(constants) <= MANY:
                self.canvas.edge(self.canvas.small(constant(arg), frame), op)
        return op

    def operand(self, k: int, position: int, op: str, folded: bool) -> None:
        """Add the arrow of one operand, with the derivative by it; of many that are alike there is one."""
        p = self.graph.position[id(self.graph.args[k][position])]
        source = self.plan.item[p]
        if source not in self.box or (folded and (self.box[source], op) in self._drawn):
            return
        self._drawn.add((self.box[source], op))
        text = self.size(p) if source in self.plan.closed else ""
        if self.set.partials:
            text = self.notes.partial(self.graph.nodes[k], position, self.set.formulas) or text
        style = self.highlight(p, k)
        if self.set.active is not None and self.set.active[0] is self.graph.nodes[k] and self.set.active[1] == position:
            style = {"color": self.theme.accent, "penwidth": "2.2", "dir": "back", "fontcolor": self.theme.accent}
        self.arrow(source, op, style, text)

    def fold(self, hidden: int, frame: int | None) -> str:
        """Add a box that stands for nodes left out; those counted in another box already get no number."""
        text = f"… {hidden:,} more node{'s' * (hidden != 1)}" if hidden else "…"
        return self.canvas.dashed(text, frame)


def variable_rows(node: Node, settings: Settings) -> list[str]:
    """Return the lines of a variable's box: name, shape, number, gradient."""
    data = node._data
    grad = node._grad if settings.grads is None else settings.grads.get(node)
    grad = grad._data if isinstance(grad, Node) else grad
    rows = [cut(str(settings.names.get(id(node)) or node.name))]
    if isinstance(data, np.ndarray) and data.ndim:
        rows.append(shape(data))
    if settings.values:
        rows.append(summary(data))
    if settings.gradients and node.requires_grad and (grad is not None or settings.pending):
        rows.append("grad" if grad is None else f"grad {summary(grad)}")
    return [row for row in rows if row] or [" "]


def operation_text(node: Node, args: tuple[Any, ...]) -> str:
    """Return the symbol of the operation, with the parameters that were given on a second line."""
    assert node.op is not None
    if node.op.symbol == "[]":
        return cut(f"[{', '.join('·' if isinstance(a, Node) else constant(a) for a in args[1:])}]", 24)
    given = [f"{k}={constant(v)}" for k, v in node.params.items() if v is not None and v is not False]
    return cut(node.op.symbol, 24) + (f"\n{cut(', '.join(given), 32)}" if given else "")
