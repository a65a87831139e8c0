"""`draw` and `draw_backward`: a box for every variable of a graph, an oval for every operation.

`folding` chooses the boxes, `graph_picture` adds them to a `Picture`, and `render` turns its DOT text into an image.
"""

import base64
import contextlib
import fnmatch
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autograd.backward import between
from autograd.explaining.formula import names_by_identity
from autograd.explaining.steps import Step, backward_steps
from autograd.explaining.typeset import cut, format_array
from autograd.files import write_atomically
from autograd.graph import Node
from autograd.messages import not_a_node
from autograd.recording import raw_data
from autograd.typing import Cotangent, Function, Operand

from .folding import Folding, Group, Recorder, Snapshot, nearest, results_of
from .graph_picture import Annotations, GraphPicture, Style, variable_rows
from .picture import THEMES, Picture, chosen
from .player import play
from .render import FORMATS, TIMEOUT, RenderError, render, target_path

ZOOMS = ("layers", "tensors", "scalars")
LIMIT = 500  # nodes; the layout of 300 takes about 0.1 s, of 500 half a second, of 3,000 more than a minute
SMALL = 40  # nodes; larger graphs do not show the shares of gradients
CROWDED = 100  # scalars of a model; of more, one neuron and one example are drawn for all


class Drawing:
    """A drawing of a graph, the result of `draw`; notebooks display it.

    Attributes
    ----------
    picture : Picture
        Its boxes and arrows.
    source : str
        The same in the DOT language, always the same for the same graph.
    message : str
        The number of nodes left out, and how to draw them; empty if all are shown.
    """

    def __init__(self, picture: Picture, message: str, nodes: int, legend: str = "", play: Any = None) -> None:
        picture.message = "\n".join(filter(None, (legend, message)))
        self.picture = picture
        self.source: str = picture.dot()
        self.message = message
        self._nodes = nodes
        self._play = play

    def svg(self) -> str:
        """Return the drawing as SVG text.

        Raises
        ------
        RenderError
            If no drawing engine is installed; the message names those that can be.
        """
        return render(self.source, "svg").decode("utf-8")

    def save(self, path: str | os.PathLike[str], *, engine: str | None = None, timeout: float = TIMEOUT) -> Path:
        """Write the drawing to a file in the format of its suffix, and return the path.

        Parameters
        ----------
        path : str or path
            Ends in ``.svg``, ``.png``, ``.pdf`` (needs Graphviz), ``.tex`` for TikZ, ``.dot``, ``.mmd`` for
            Mermaid, or ``.html`` for the page of `play`, in which frames open and close.
        engine : {'embedded', 'dot'}, optional
            The Graphviz that pip installs, which gives the same bytes on every machine, or the program `dot`.  By
            default the first of them that can write the format.
        timeout : float
            Seconds after which the layout is abandoned.

        Raises
        ------
        ValueError
            If the suffix or the engine is not one of these.
        OSError
            If the folder does not exist or cannot be written to; an existing file is then unchanged.
        RenderError
            If the drawing cannot be rendered.

        Examples
        --------
        >>> import tempfile
        >>> from autograd import Value
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(Value(2.0) * 3.0).save(f"{folder}/product.dot").name
        'product.dot'
        """
        target = target_path(path, (*FORMATS, "mmd", *(["html"] if self._play else [])))
        suffix = target.suffix[1:].lower()
        if suffix == "html":
            self._play(path=target)
        elif suffix == "mmd":
            write_atomically(target, self.picture.mermaid())
        else:
            write_atomically(target, render(self.source, suffix, engine=engine, timeout=timeout))
        return target

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return the SVG for a notebook, or text if it cannot be rendered."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle["image/svg+xml"] = self.svg()
        except RenderError as error:
            bundle["text/plain"] += f"\n{error}"
        return bundle

    def __repr__(self) -> str:
        return f"<drawing of {self._nodes:,} nodes{': ' if self.message else ''}{self.message}>"


def draw(
    root: object,
    *inputs: Operand,
    values: bool = True,
    gradients: bool = True,
    partials: bool = False,
    formulas: bool = False,
    path: Node | Sequence[Node] | None = None,
    color: str = "kind",
    direction: str = "LR",
    theme: str = "light",
    names: Mapping[str, object] | None = None,
    limit: int | None = LIMIT,
    depth: int | None = None,
    zoom: str | None = None,
    expand: int | str | Sequence[str] | None = None,
    loss: Function | None = None,
) -> Drawing:
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
    graph = Snapshot(roots)
    notes = Annotations(graph, recorder.renamed(names_by_identity(names or {})))
    grouped = bool(recorder.group_of)
    if loss is not None or (grouped and sum(np.size(node._value) for node in roots) == 1):
        style.grads = notes.gradients
    elif zoom == "scalars":
        style.grads = {}
    style.gradients &= style.grads is not None or any(map(computed, graph.nodes))
    style.shares = style.gradients and len(graph.nodes) <= SMALL and explains(notes, style)
    style.highlighted = on_paths(graph, path, recorder)
    style.inputs = {id(node) for node in recorder.inputs}
    large = limit is not None and len(graph.nodes) > limit
    crowded = zoom == "scalars" and limit is not None and len(graph.nodes) > CROWDED
    repeats = expand is not True and (large or crowded or (grouped and zoom != "scalars"))
    folding = Folding(graph, recorder.group_of, opened(recorder, zoom, expand), repeats)
    shown = nearest(folding.order, folding.parents, limit, depth)
    message = left_out(folding, shown, silent=grouped and not crowded)
    picture = GraphPicture(folding, style, notes).write(shown)
    page = partial(play, root, *inputs, names=names, zoom="scalars" if zoom == "scalars" else None, loss=loss)
    return Drawing(picture, message, len(graph.nodes), play=page)


def computed(node: Node) -> bool:
    """Return whether `backward` has computed a gradient of a node; that of a new `Value` is zero."""
    return node._grad is not None and (isinstance(raw_data(node._grad), np.ndarray) or raw_data(node._grad) != 0)


def explains(notes: Annotations, style: Style) -> bool:
    """Return whether the gradients shown of the nodes used several times are the sums of their shares."""
    nodes = [node for k, node in enumerate(notes.graph.nodes) if notes.graph.uses[k] > 1 and node.requires_grad]
    grads = [node._grad if style.grads is None else style.grads.get(node) for node in nodes]
    if not grads or any(g is None for g in grads) or any(np.size(seed) != 1 for seed in notes.seeds.values()):
        return False
    sums = (raw_data(notes.gradients.get(node, 0.0)) for node in nodes)
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


def on_paths(graph: Snapshot, path: Node | Sequence[Node] | None, recorder: Recorder) -> set[int]:
    """Return the positions of the nodes on the paths to highlight."""
    starts = [] if path is None else [path] if isinstance(path, Node) else list(path)
    starts = [copy for node in starts for copy in recorder.stands_for.get(id(node), (node,))]
    if any(id(node) not in graph.position for node in starts):
        raise ValueError("the result does not depend on a node of path=; give leaves or other nodes of its graph")
    return {graph.position[id(node)] for node in between(graph.nodes, starts)}


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
    graph = Snapshot([root])
    if len(graph.nodes) > MOST_NODES:
        raise ValueError(
            f"this graph has {len(graph.nodes):,} nodes, and an animation may have {MOST_NODES} at most: draw a part "
            "of the computation, or use draw(loss)"
        )
    notes = Annotations(graph, names_by_identity(names or {}))
    style = Style(theme, direction, partials=True, pending=True)
    steps = list(backward_steps(root, names=notes.names))
    moments: list[tuple[dict[Node, Cotangent], Step | None, str]] = [({}, None, "forward: every node has its value")]
    moments.append(({root: 1.0}, None, f"backward begins: ∂{notes.names[root]}/∂{notes.names[root]} = 1"))
    for step in steps:
        known = moments[-1][0] | {step.argument: step.total}
        moments.append((known, step, caption(step, len(steps))))
    moments.append((moments[-1][0], None, "every gradient is complete"))
    style.widths = widths(graph, style, notes, [known for known, *_ in moments])
    return Animation([frame(graph, style, notes, *moment) for moment in moments], THEMES[theme].background)


def caption(step: Step, count: int) -> str:
    """Return one step of the chain rule as text."""
    names, root = step.names, step.names[step.root]
    by = step.formula if step.local is None else format_array(step.local)
    if step.local is not None and step.formula not in (by, "1"):
        by += f" ({step.formula})"
    product = f"{format_array(step.upstream)} · {by} = {format_array(step.contribution)}"
    sign = "=" if step.first else "+="
    return f"step {step.number} of {count}:  ∂{root}/∂{cut(names[step.argument], 12)} {sign} {cut(product, 80)}"


def widths(graph: Snapshot, style: Style, notes: Annotations, moments: list[dict[Node, Cotangent]]) -> dict[int, float]:
    """Return for each box a width in inches that fits its text in every frame, so that no box moves."""
    longest = dict.fromkeys(range(len(graph.nodes)), 0)
    for style.grads in moments:
        for k, node in enumerate(graph.nodes):
            longest[k] = max(longest[k], *map(len, variable_rows(node, style, notes.given)))
    return {k: 0.3 + 0.088 * length for k, length in longest.items()}


def frame(
    graph: Snapshot, style: Style, notes: Annotations, known: dict[Node, Cotangent], step: Step | None, text: str
) -> str:
    """Return one frame in the DOT language."""
    style.grads = known
    style.active = None if step is None else (step.node, step.position)
    style.highlighted = set() if step is None else {graph.position[id(step.argument)]}
    drawing = GraphPicture(Folding(graph, {}, set(), False), style, notes)
    drawing.picture.attributes |= {"labeljust": "l", "fontsize": "13", "fontcolor": drawing.theme.ink}
    drawing.picture.message = text
    return drawing.write(set(range(len(graph.nodes)))).dot()
