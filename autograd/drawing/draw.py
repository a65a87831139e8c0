"""`draw` and `draw_backward`: a box for every variable of a graph, an oval for every operation.

`folding` chooses the boxes, `GraphPicture` adds them to a `Drawing`, and `render` turns its DOT text into an image.
"""

import base64
import contextlib
import fnmatch
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from autograd.backward import between
from autograd.explaining.formula import names_by_identity
from autograd.explaining.steps import Step, backward_steps
from autograd.explaining.typeset import cut, format_array, format_constant, format_number, format_shape
from autograd.files import write_atomically
from autograd.graph import Node
from autograd.messages import not_a_node
from autograd.recording import raw_data
from autograd.typing import Cotangent, Function, Operand, Operands

from .folding import Folding, Group, Recorder, Run, Snapshot, distances, extreme, hidden_behind, nearest, results_of
from .picture import OVAL, THEMES, Drawing, Theme, chosen, data_rows
from .player import play
from .render import RenderError, render, target_path

COMMUTATIVE = ("+", "*")  # the order of their operands may change to avoid crossings
FAR = 20  # operations; an operand computed more than these before is named, since a long arrow cannot be followed
MANY = 8  # constants of one operation that are drawn separately
ZOOMS = ("layers", "tensors", "scalars")
LIMIT = 500  # nodes; the layout of 300 takes about 0.1 s, of 500 half a second, of 3,000 more than a minute
SMALL = 40  # nodes; larger graphs do not show the shares of gradients
CROWDED = 100  # scalars of a model; of more, one neuron and one example are drawn for all


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

    def __init__(self, folding: Folding, style: Style) -> None:
        self.folding = folding
        self.graph: Snapshot = folding.graph
        self.style = style
        self.picture: Drawing = Drawing("computation", style.theme, style.direction)
        self.picture.nodes = len(self.graph.nodes)
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
                [format_number(fraction * self.graph.largest, 2)], bar, shape="box", style="filled",
                color=theme.inner[1], fillcolor=theme.shade(fraction),
            )
            for fraction in (-1.0, -0.01, 0.0, 0.01, 1.0)
        ]  # fmt: skip
        self.picture.rows.append(cells)

    def write(self, shown: set[int]) -> Drawing:
        """Add the boxes shown, and dashed boxes for hidden ancestors."""
        counted: set[int] = set()
        order, parents = self.folding.order, self.folding.parents
        far = [self.graph.nodes[p] for k in order for p in parents(k) if self.is_far(p, k)]
        self.graph.given |= {id(node): self.graph.names[node] for node in far}
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
        rows = variable_rows(node, style, self.graph.given)
        if style.formulas:
            named = bool(self.graph.given.get(id(node)) or node.name)
            rows = [self.graph.names[node], self.graph.formula(node), *(row for row in rows[named:] if row.strip())]
        return self.picture.box([row for row in rows if row], frame, fillcolor=fill, **looks)

    def shade(self, *nodes: Node) -> str:
        """Return the colour of the largest gradient of some nodes."""
        sizes = [extreme(g) for node in nodes if (g := self.graph.gradients.get(node)) is not None]
        return self.theme.shade(max(sizes, key=abs, default=0.0) / (self.graph.largest or 1.0))

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
            text = self.graph.partial(node, position, self.style.formulas) or text
        elif self.style.shares and self.graph.uses[p] > 1 and (step := self.graph.steps.get((node, position))):
            share = format_array(step.contribution)
            text, looks = share if share[0] == "-" else f"+{share}", looks | {"fontcolor": self.theme.accent}
        active = self.style.active
        if active is not None and active[0] is node and active[1] == position:
            looks = {**self.accent, "dir": "back", "fontcolor": self.theme.accent}
        named = self.is_far(source, self.folding.item[k])
        tail = self.picture.small(self.graph.given[id(self.graph.nodes[source])], frame) if named else self.box[source]
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


def draw(
    root: object, *inputs: Operand,
    values: bool = True, gradients: bool = True, partials: bool = False, formulas: bool = False,
    path: Node | Sequence[Node] | None = None, color: str = "kind", direction: str = "LR", theme: str = "light",
    names: Mapping[str, object] | None = None, limit: int | None = LIMIT, depth: int | None = None,
    zoom: str | None = None, expand: int | str | Sequence[str] | None = None, loss: Function | None = None,
) -> Drawing:  # fmt: skip
    """Draw the computation graph of a node or of a model.

    Every variable is a box with its name, its data or shape, and its gradient if there is one.  Every operation is an
    oval; its operands enter it in the order in which they were written, except those of ``+`` and ``*``, and constants
    are small text, as is the name of an operand computed more than 20 operations before.  Leaves with gradients are
    blue, data is grey, and the result is amber.  The parts of a model are frames or violet boxes; repetitions are drawn
    once, in a dashed frame.

    Parameters
    ----------
    root : Node, sequence of Node, or model
        One or several results; or a model, which is called on the inputs.
    *inputs
        Arguments of the model.
    values, gradients : bool
        Show data, and the gradients of the last `backward`.
    partials : bool
        Label every arrow into an operation with the derivative of the operation by that operand.  Without them, the
        arrows of a variable used several times show the terms of its gradient, if the graph has at most 40 nodes and
        the gradients are those of one `backward`.
    formulas : bool
        Write into every box the formula of its value, and with `partials` also the formulas of the derivatives.
    path : Node or sequence of Node, optional
        Highlight every path from these nodes to the result.
    color : {'kind', 'gradient'}
        Fill the boxes by kind, or by the derivative of the result: its sign and, on a logarithmic scale, its magnitude.
    direction : {'LR', 'TB', 'RL', 'BT'}
        From left to right, from top to bottom, or reversed.
    theme : {'light', 'dark', 'print'}
        The colours; ``'print'`` is black and white.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; lists of nodes and modules give names to the nodes in them.
    limit : int, optional
        A larger graph is folded: repetitions are drawn once, and at most this many boxes, the nearest to the
        result.  None draws all.
    depth : int, optional
        Draw only nodes at most this many operations away from the result.
    zoom : {'layers', 'tensors', 'scalars'}, optional
        Detail of a model: its innermost parts as boxes (the default), every array operation, or every scalar; of more
        than 100 scalars, one neuron and one example represent the repetitions.
    expand : int, str, sequence of str or bool, optional
        Parts of a model to open: the number of levels, or the paths of further parts (``*`` matches anything); True
        opens everything, including repetitions.
    loss : callable, optional
        Applied to the output of a model; the gradients shown are then those of the loss, and no `.grad` changes.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`; notebooks display it.

    Raises
    ------
    TypeError
        If `root` is neither a node nor a model.
    ValueError
        If an option is invalid, or the graph has a cycle.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> drawing = draw((a * b).tanh(), names={"a": a, "b": b})
    >>> drawing
    <drawing of 4 nodes>
    >>> "label=tanh" in drawing.source
    True
    """
    chosen("color", color, ("kind", "gradient"))
    chosen("zoom", zoom or "layers", ZOOMS)
    for option, least in (("limit", limit), ("depth", depth)):
        if least is not None and least < 1:
            raise ValueError(f"{option} must be at least 1, or None for no {option}, got {least}")
    style = Style(theme, direction, values, gradients, partials, formulas, color == "gradient")
    roots, recorder = results_of("draw", root, inputs, zoom, loss)
    graph = Snapshot(roots, recorder.renamed(names_by_identity(names or {})))
    grouped = bool(recorder.group_of)
    if loss is not None or (grouped and sum(np.size(node._value) for node in roots) == 1):
        style.grads = graph.gradients
    elif zoom == "scalars":
        style.grads = {}
    style.gradients &= style.grads is not None or any(map(computed, graph.nodes))
    style.shares = style.gradients and len(graph.nodes) <= SMALL and explains(graph, style)
    starts = [] if path is None else [path] if isinstance(path, Node) else list(path)
    starts = [copy for node in starts for copy in recorder.stands_for.get(id(node), (node,))]
    if any(id(node) not in graph.position for node in starts):
        raise ValueError("the result does not depend on a node of path=; give leaves or other nodes of its graph")
    style.highlighted = {graph.position[id(node)] for node in between(graph.nodes, starts)}
    style.inputs = {id(node) for node in recorder.inputs}
    large = limit is not None and len(graph.nodes) > limit
    crowded = zoom == "scalars" and limit is not None and len(graph.nodes) > CROWDED
    repeats = expand is not True and (large or crowded or (grouped and zoom != "scalars"))
    folding = Folding(graph, recorder.group_of, opened(recorder, zoom, expand), repeats)
    shown = nearest(folding.order, folding.parents, limit, depth)
    drawing = GraphPicture(folding, style).write(shown)
    drawing.message = left_out(folding, shown, silent=grouped and not crowded)
    drawing.play = partial(play, root, *inputs, names=names, zoom="scalars" if zoom == "scalars" else None, loss=loss)
    return drawing


def computed(node: Node) -> bool:
    """Return whether `backward` has computed a gradient of a node; that of a new `Value` is zero."""
    return node._grad is not None and (isinstance(raw_data(node._grad), np.ndarray) or raw_data(node._grad) != 0)


def explains(graph: Snapshot, style: Style) -> bool:
    """Return whether the gradients shown of the nodes used several times are the sums of their shares."""
    nodes = [node for k, node in enumerate(graph.nodes) if graph.uses[k] > 1 and node.requires_grad]
    grads = [node._grad if style.grads is None else style.grads.get(node) for node in nodes]
    if not grads or any(g is None for g in grads) or any(np.size(seed) != 1 for seed in graph.seeds.values()):
        return False
    sums = (raw_data(graph.gradients.get(node, 0.0)) for node in nodes)
    return all(np.allclose(raw_data(g), total, equal_nan=True) for g, total in zip(grads, sums, strict=True))


def opened(recorder: Recorder, zoom: str | None, expand: int | str | Sequence[str] | None) -> set[Group]:
    """Return the groups that are drawn as a frame around their contents, rather than as one box."""
    inner = set(recorder.group_of.values())
    outer = {around for group in inner for around in group.around}
    if isinstance(expand, int):  # True included
        return {group for group in inner | outer if expand is True or len(group.around) < expand}
    if zoom in ("tensors", "scalars"):
        return inner | outer
    patterns = [expand] if isinstance(expand, str) else expand or ()
    return outer | {group for group in inner if any(fnmatch.fnmatchcase(group.path, part) for part in patterns)}


def left_out(folding: Folding, shown: set[int], silent: bool) -> str:
    """Return how many nodes are left out, and the call that draws them."""
    count = len(folding.item)
    drawn = sum(len(folding.inside(k)) for k in shown)
    hidden = sum(item not in shown for item in folding.item)
    numbers = {"repetitions, marked ×": 0 if silent else count - hidden - drawn, "not shown": hidden}
    parts = [f"{n:,} of {count:,} nodes are {what}" for what, n in numbers.items() if n]
    every = "expand=True, limit=None" if any(folding.group) else "limit=None, depth=None"
    return "; ".join([*parts, f"draw(..., {every}) shows all of them"]) if parts else ""


# ------------------------------------------------------------------------------------ the backward pass as an animation

MOST_NODES = 60  # more would be too small to read, and the file large


@dataclass(repr=False, eq=False)
class Animation:
    """A sequence of drawings, the result of `draw_backward`.

    Attributes
    ----------
    frames : list of str
        Drawings in the DOT language, all with their boxes at the same positions.
    background : str
        The colour around frames that are smaller than others.
    """

    frames: list[str]
    background: str

    def save(self, path: str | os.PathLike[str], *, seconds: float = 1.2) -> Path:
        """Write an animated GIF, which repeats for ever, and return its path.

        Parameters
        ----------
        path : str or path
            Ends in ``.gif``.
        seconds : float
            Duration of a frame; the last one takes three times as long.

        Raises
        ------
        ValueError
            If the suffix is another one.
        ImportError
            If Pillow is not installed.
        RenderError
            If no drawing engine is installed.
        """
        target = target_path(path, ("gif",))
        write_atomically(target, self.gif(seconds))
        return target

    def gif(self, seconds: float = 1.2) -> bytes:
        """Return the contents of an animated GIF."""
        try:
            from PIL import Image
        except ImportError as error:
            raise ImportError("an animation needs Pillow: pip install 'chainrule[viz]'") from error
        drawings = [Image.open(io.BytesIO(render(frame, "png"))).convert("RGB") for frame in self.frames]
        size = max(p.width for p in drawings), max(p.height for p in drawings)
        images = []
        for drawing in drawings:
            image = Image.new("RGB", size, self.background)
            image.paste(drawing)
            images.append(image.quantize(64))
        times = [round(1000 * seconds)] * len(images)
        times[-1] *= 3
        out = io.BytesIO()
        images[0].save(out, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0, optimize=True)
        return out.getvalue()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return the GIF for a notebook, or text if it cannot be rendered."""
        bundle = {"text/plain": repr(self)}
        with contextlib.suppress(ImportError, RenderError):
            bundle["image/gif"] = base64.b64encode(self.gif()).decode("ascii")
        return bundle

    def __repr__(self) -> str:
        return f"<animation of {len(self.frames)} frames>"


def draw_backward(
    root: Node, *, direction: str = "LR", theme: str = "light", names: Mapping[str, object] | None = None
) -> Animation:
    """Draw the backward pass step by step, each gradient in the frame in which it is computed.

    The edge of each step is labelled with its local derivative, and the product is written below the graph.

    Parameters
    ----------
    root : Node
        A result of one element.
    direction : {'LR', 'TB', 'RL', 'BT'}
        Direction of the forward pass.
    theme : {'light', 'dark', 'print'}
        The colours.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``.

    Returns
    -------
    Animation
        With `.frames` and ``.save("pass.gif")``.

    Raises
    ------
    ValueError
        If the graph has more than 60 nodes, or an option is invalid.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> draw_backward((a * b).tanh())
    <animation of 6 frames>
    """
    if not isinstance(root, Node):
        raise not_a_node("draw_backward", root)
    graph = Snapshot([root], names_by_identity(names or {}))
    if len(graph.nodes) > MOST_NODES:
        raise ValueError(
            f"this graph has {len(graph.nodes):,} nodes, and an animation may have {MOST_NODES} at most: draw a part "
            "of the computation, or use draw(loss)"
        )
    style = Style(theme, direction, partials=True, pending=True)
    steps = list(backward_steps(root, names=graph.names))
    moments: list[tuple[dict[Node, Cotangent], Step | None, str]] = [({}, None, "forward: every node has its value")]
    moments.append(({root: 1.0}, None, f"backward begins: ∂{graph.names[root]}/∂{graph.names[root]} = 1"))
    for step in steps:
        known = moments[-1][0] | {step.argument: step.total}
        moments.append((known, step, caption(step, len(steps))))
    moments.append((moments[-1][0], None, "every gradient is complete"))
    style.widths = widths(graph, style, [known for known, *_ in moments])
    return Animation([frame(graph, style, *moment) for moment in moments], THEMES[theme].background)


def caption(step: Step, count: int) -> str:
    """Return one step of the chain rule as text."""
    names, root = step.names, step.names[step.root]
    by = step.formula if step.local is None else format_array(step.local)
    if step.local is not None and step.formula not in (by, "1"):
        by += f" ({step.formula})"
    product = f"{format_array(step.upstream)} · {by} = {format_array(step.contribution)}"
    sign = "=" if step.first else "+="
    return f"step {step.number} of {count}:  ∂{root}/∂{cut(names[step.argument], 12)} {sign} {cut(product, 80)}"


def widths(graph: Snapshot, style: Style, moments: list[dict[Node, Cotangent]]) -> dict[int, float]:
    """Return for each box a width in inches that fits its text in every frame, so that no box moves."""
    longest = dict.fromkeys(range(len(graph.nodes)), 0)
    for style.grads in moments:
        for k, node in enumerate(graph.nodes):
            longest[k] = max(longest[k], *map(len, variable_rows(node, style, graph.given)))
    return {k: 0.3 + 0.088 * length for k, length in longest.items()}


def frame(graph: Snapshot, style: Style, known: dict[Node, Cotangent], step: Step | None, text: str) -> str:
    """Return one frame in the DOT language."""
    style.grads = known
    style.active = None if step is None else (step.node, step.position)
    style.highlighted = set() if step is None else {graph.position[id(step.argument)]}
    drawing = GraphPicture(Folding(graph, {}, set(), False), style).write(set(range(len(graph.nodes))))
    drawing.attributes |= {"labeljust": "l", "fontsize": "13", "fontcolor": drawing.theme.ink}
    drawing.message = text
    return drawing.source
