"""The boxes, operations and arrows of a computation graph as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from autograd.explaining.formula import Names, full_term, last_operation
from autograd.explaining.steps import Step, backward_steps
from autograd.explaining.typeset import cut, flattened, format_array, format_constant, format_number, format_shape
from autograd.graph import Node
from autograd.recording import raw_data
from autograd.reverse import reverse_pass
from autograd.typing import Cotangent, Operands

from .folding import Folding, Group, Run, Snapshot, distances, hidden_behind
from .picture import OVAL, Picture, Theme, data_rows

LONGEST = 36  # characters of a formula in a box; a longer one is replaced by the last operation
COMMUTATIVE = ("+", "*")  # the order of their operands may change to avoid crossings
FAR = 20  # operations; an operand computed more than these before is named, since a long arrow cannot be followed
MANY = 8  # constants of one operation that are drawn separately


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

    @cached_property
    def names(self) -> Names:
        """Unique names of the nodes."""
        return Names(self.graph.nodes, self.given)

    @cached_property
    def seeds(self) -> dict[Node, Cotangent]:
        """The results that require a gradient, each with its cotangent in the sum of all."""
        roots = [root for k in sorted(self.graph.roots) if (root := self.graph.nodes[k]).requires_grad]
        return {r: np.ones_like(r._value) if isinstance(r._value, np.ndarray) else 1.0 for r in roots}

    @cached_property
    def steps(self) -> dict[tuple[Node, int], Step]:
        """The edges of the backward pass from the sum of the results, by node and position of the argument."""
        steps = (s for root, one in self.seeds.items() for s in backward_steps(root, one, names=self.names))
        return {(step.node, step.position): step for step in steps}

    @cached_property
    def gradients(self) -> dict[Node, Cotangent]:
        """The derivative of the sum of the results with respect to each variable."""
        order = [node for node in self.graph.nodes if node.requires_grad]
        return reverse_pass(order, dict(self.seeds), keep=frozenset(order))

    @cached_property
    def largest(self) -> float:
        """The largest finite magnitude of a derivative."""
        sizes = [size for g in self.gradients.values() if np.isfinite(size := abs(extreme(g)))]
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
        text = flattened(full_term(node, self.names, LONGEST))
        return cut(text if len(text) <= LONGEST else flattened(last_operation(node, self.names)), LONGEST)


def extreme(g: Cotangent) -> float:
    """Return the element of a derivative with the largest magnitude.

    Examples
    --------
    >>> extreme(-2.0), extreme(np.array([0.5, -3.0])), extreme(np.zeros(0))
    (-2.0, -3.0, 0.0)
    """
    flat = np.ravel(g)
    return float(flat[np.argmax(np.abs(flat))]) if flat.size else 0.0


@dataclass
class Style:
    """The contents and colours of the boxes."""

    theme: str = "light"
    direction: str = "LR"
    values: bool = True
    gradients: bool = True
    partials: bool = False
    formulas: bool = False
    shaded: bool = False  # colour boxes by their gradient
    grads: Mapping[Node, Cotangent] | None = None  # replace the `.grad` of the nodes
    highlighted: set[int] = field(default_factory=set)  # positions
    inputs: set[int] = field(default_factory=set)  # nodes drawn as data even if they need gradients, by identity
    widths: Mapping[int, float] = field(default_factory=dict)  # least widths in inches, by position
    pending: bool = False  # reserve a line for a gradient that is not computed yet
    shares: bool = False  # label the arrows of a fan-out with the terms of the gradient's sum
    active: tuple[Node, int] | None = None  # edge along which a gradient flows: a node, and the index of its argument


class GraphPicture:
    """Adds the boxes of a folded graph to a picture."""

    def __init__(self, folding: Folding, style: Style, notes: Annotations) -> None:
        self.folding = folding
        self.graph: Snapshot = folding.graph
        self.style = style
        self.notes = notes
        self.picture: Picture = Picture("computation", style.theme, style.direction)
        self.theme: Theme = self.picture.theme
        self.accent: dict[str, str] = {"color": self.theme.accent, "penwidth": "2.2"}
        self.box: dict[int, str] = {}
        self.distance: dict[int, int] = distances(folding.order, folding.parents)
        self._frames: dict[tuple[Group | Run, ...], int | None] = {}
        self._drawn: set[tuple[str, str]] = set()

    def scale(self) -> None:
        """Add a bar with the colours of gradients."""
        theme, bar = self.theme, self.picture.frame("fill: gradient")
        cells = [
            self.picture.box(
                [format_number(fraction * self.notes.largest, 2)], bar, shape="box", style="filled",
                color=theme.inner[1], fillcolor=theme.shade(fraction),
            )
            for fraction in (-1.0, -0.01, 0.0, 0.01, 1.0)
        ]  # fmt: skip
        self.picture.rows.append(cells)

    def write(self, shown: set[int]) -> Picture:
        """Add the boxes shown, and dashed boxes for hidden ancestors."""
        counted: set[int] = set()
        order, parents = self.folding.order, self.folding.parents
        far = [self.graph.nodes[p] for k in order for p in parents(k) if self.is_far(p, k)]
        self.notes.given = {**self.notes.given, **{id(node): self.notes.names[node] for node in far}}
        for item in order:
            if item not in shown:
                continue
            frame = self.frame(self.folding.frames(item))
            if item in self.folding.closed:
                self.box[item] = entry = self.group(item, frame)
                self.arrows_into(item, entry)
            else:
                self.box[item] = self.variable(item, frame)
                if self.graph.nodes[item].op is None:
                    continue
                entry = self.operation(item, frame)
                self.picture.edge(entry, self.box[item], weight="4", **self.highlight(item, item))
            if any(parent not in shown for parent in self.folding.parents(item)):
                behind = hidden_behind(item, self.folding.parents, shown, counted)  # and not behind an earlier box
                hidden = sum(self.folding.weight[k] for k in behind)
                text = f"… {hidden:,} more node{'s' * (hidden != 1)}" if hidden else "…"
                self.picture.edge(self.picture.dashed(text, frame), entry)
        if self.style.shaded:
            self.scale()
        return self.picture

    def is_far(self, parent: int, item: int) -> bool:
        """Return whether a box names its operand instead of an arrow from it."""
        return self.distance[parent] - self.distance[item] > FAR and parent not in self.folding.closed

    def frame(self, path: tuple[Group | Run, ...]) -> int | None:
        """Return the number of a frame in the picture, given by the groups and repetitions from the outside to it."""
        if not path:
            return None
        if path not in self._frames:
            last, around = path[-1], self.frame(path[:-1])
            label = f"× {last.times:,}" if isinstance(last, Run) else " ".join(filter(None, (last.path, last.title)))
            self._frames[path] = self.picture.frame(label, around, dashed=isinstance(last, Run))
        return self._frames[path]

    def variable(self, k: int, frame: int | None) -> str:
        """Add the box of a variable: name, formula, data or shape, gradient."""
        node, style = self.graph.nodes[k], self.style
        is_data = id(node) in style.inputs or not (node.op or node.requires_grad)
        kind = "data" if is_data else "inner" if node.op is not None else "parameter"
        kind = "root" if k in self.graph.roots else kind
        fill, border = getattr(self.theme, kind)
        looks = {"color": border} | ({"penwidth": "1.8"} if kind == "root" else {})
        if k in style.highlighted:
            looks = dict(self.accent)
        looks |= {"style": "filled"} if is_data else {}
        if style.shaded:
            fill = self.shade(node)
        else:  # `render` colours the text
            looks["class"] = f"variable {self.theme.forward} {self.theme.accent}"
        if k in style.widths:
            looks["width"] = f"{style.widths[k]:.2f}"
        rows = variable_rows(node, style, self.notes.given)
        if style.formulas:
            named = bool(self.notes.given.get(id(node)) or node.name)
            rows = [self.notes.names[node], self.notes.formula(node), *(row for row in rows[named:] if row.strip())]
        return self.picture.box([row for row in rows if row], frame, fillcolor=fill, **looks)

    def shade(self, *nodes: Node) -> str:
        """Return the colour of the largest gradient of some nodes."""
        sizes = [extreme(g) for node in nodes if (g := self.notes.gradients.get(node)) is not None]
        return self.theme.shade(max(sizes, key=abs, default=0.0) / (self.notes.largest or 1.0))

    def group(self, item: int, frame: int | None) -> str:
        """Add the box of a closed group: title, settings, number of parameters, results."""
        group, inside = self.folding.closed[item], self.folding.inside(item)
        nodes = [self.graph.nodes[k] for k in inside]
        count = sum(np.size(n._value) for n in nodes if n.op is None and n.requires_grad)
        title = " ".join(filter(None, (group.path.rpartition(".")[2], group.title)))
        rows = [title + (f" (call {group.call})" if group.call > 1 else ""), cut(group.detail)]
        if count:
            rows.append(f"{count:,} parameter{'s' * (count != 1)}")
        fill, border = self.theme.module
        if results := [k for k in inside if k in self.graph.roots]:  # these do not leave by an arrow with a shape
            rows += [f"→ {self.shape(k) or format_array(self.graph.nodes[k]._value)}" for k in results[:MANY]]
            border = self.theme.root[1]
        if self.style.shaded:
            fill = self.shade(*(node for node in nodes if node.op is None))
        looks = {"color": border} if self.style.highlighted.isdisjoint(inside) else self.accent
        return self.picture.box([r for r in rows if r], frame, fillcolor=fill, **looks)

    def arrows_into(self, item: int, entry: str) -> None:
        """Add the arrows into the box of a group, with the shapes of its inputs."""
        for k in self.folding.inside(item):
            for p in self.graph.parents[k]:
                source = self.folding.item[p]
                if source != item and source in self.box and (self.box[source], entry) not in self._drawn:
                    self._drawn.add((self.box[source], entry))
                    text = self.shape(p) if source in self.folding.closed else ""
                    self.picture.edge(self.box[source], entry, text, **self.highlight(p, k))

    def shape(self, k: int) -> str:
        """Return the shape of an array; empty for a float."""
        data = self.graph.nodes[k]._value
        return format_shape(data) if isinstance(data, np.ndarray) else ""

    def highlight(self, tail: int, head: int) -> dict[str, str]:
        """Return the attributes of an arrow that may be highlighted."""
        return self.accent if {tail, head} <= self.style.highlighted and self.style.active is None else {}

    def operation(self, k: int, frame: int | None) -> str:
        """Add the oval of an operation and its operands, in order."""
        node, args = self.graph.nodes[k], self.graph.args[k]
        assert node.op is not None
        fill, border = self.theme.op
        is_index = node.op.symbol == "[]"  # constants are then part of the text
        constants = [] if is_index else [arg for arg in args if not isinstance(arg, Node)]
        several = {"ordering": "in"} if len(args) > 1 and node.op.symbol not in COMMUTATIVE else {}
        op = self.picture.box([operation_text(node, args)], frame, fillcolor=fill, color=border, **OVAL, **several)
        if len(constants) > MANY:
            self.picture.edge(self.picture.small(f"{len(constants):,} constants", frame), op)
        alike = len({self.folding.item[self.graph.position[id(a)]] for a in args if isinstance(a, Node)}) == 1
        for position, arg in enumerate(args):
            if isinstance(arg, Node):
                self.operand(k, position, op, frame, folded=alike and len(args) > MANY)
            elif 0 < len(constants) <= MANY:
                self.picture.edge(self.picture.small(format_constant(arg), frame), op)
        return op

    def operand(self, k: int, position: int, op: str, frame: int | None, folded: bool) -> None:
        """Add the arrow of one operand, with its derivative; only one for many equal operands."""
        node = self.graph.nodes[k]
        p = self.graph.position[id(self.graph.args[k][position])]
        source = self.folding.item[p]
        if source not in self.box or (folded and (self.box[source], op) in self._drawn):
            return
        self._drawn.add((self.box[source], op))
        text = self.shape(p) if source in self.folding.closed else ""
        looks = self.highlight(p, k)
        if self.style.partials:
            text = self.notes.partial(node, position, self.style.formulas) or text
        elif self.style.shares and self.graph.uses[p] > 1 and (step := self.notes.steps.get((node, position))):
            share = format_array(step.contribution)
            text, looks = share if share[0] == "-" else f"+{share}", looks | {"fontcolor": self.theme.accent}
        active = self.style.active
        if active is not None and active[0] is node and active[1] == position:
            looks = {**self.accent, "dir": "back", "fontcolor": self.theme.accent}
        named = self.is_far(source, self.folding.item[k])
        tail = self.picture.small(self.notes.given[id(self.graph.nodes[source])], frame) if named else self.box[source]
        self.picture.edge(tail, op, text, **looks)


def variable_rows(node: Node, style: Style, names: Mapping[int, str]) -> list[str]:
    """Return the lines of a variable's box: name, shape, data, gradient."""
    grad = raw_data(node._grad if style.grads is None else style.grads.get(node))
    rows = data_rows(names.get(id(node)) or node.name, node._value, values=style.values)
    if style.gradients and node.requires_grad and (grad is not None or style.pending):
        rows.append("grad" if grad is None else f"grad {format_array(grad)}")
    return rows or [" "]


def operation_text(node: Node, args: Operands) -> str:
    """Return the symbol of an operation, with its parameters on a second line."""
    assert node.op is not None
    if node.op.symbol == "[]":
        return cut(f"[{', '.join('·' if isinstance(a, Node) else format_constant(a) for a in args[1:])}]", 24)
    given = [f"{k}={format_constant(v)}" for k, v in node.params.items() if v is not None and v is not False]
    return cut(node.op.symbol, 24) + (f"\n{cut(', '.join(given), 32)}" if given else "")
