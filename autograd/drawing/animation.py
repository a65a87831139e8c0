"""`draw_backward`: the backward pass as an animated GIF with one frame for each edge."""

import base64
import contextlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograd.explaining.formatting import cut, format_array
from autograd.explaining.formula import names_by_identity
from autograd.explaining.steps import Step, backward_steps
from autograd.graph import Node
from autograd.messages import not_a_node
from autograd.typing import Cotangent

from .draw import check_options
from .folding import Folding, Snapshot
from .graph_picture import Annotations, GraphPicture, Style, variable_rows
from .picture import theme_named
from .render import RenderError, render, target_path, write_atomically

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
    check_options(direction=direction)
    if not isinstance(root, Node):
        raise not_a_node("draw_backward", root)
    graph = Snapshot([root])
    if len(graph.nodes) > MOST_NODES:
        raise ValueError(
            f"this graph has {len(graph.nodes):,} nodes, and an animation may have {MOST_NODES} at most: draw a part "
            "of the computation, or use draw(loss)"
        )
    notes = Annotations(graph, names_by_identity(names or {}))
    style = Style(theme_named(theme), direction, partials=True, pending=True)
    steps = list(backward_steps(root, names=notes.names))
    moments: list[tuple[dict[Node, Cotangent], Step | None, str]] = [({}, None, "forward: every node has its value")]
    moments.append(({root: 1.0}, None, f"backward begins: ∂{notes.names[root]}/∂{notes.names[root]} = 1"))
    for step in steps:
        known = moments[-1][0] | {step.argument: step.total}
        moments.append((known, step, caption(step, len(steps))))
    moments.append((moments[-1][0], None, "every gradient is complete"))
    style.widths = widths(graph, style, notes, [known for known, *_ in moments])
    return Animation([frame(graph, style, notes, *moment) for moment in moments], style.theme.background)


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
    drawing = GraphPicture(Folding(graph, {}, lambda group: True, False), style, notes)
    drawing.picture.attributes |= {"labeljust": "l", "fontsize": "13", "fontcolor": style.theme.ink}
    drawing.picture.message = text
    return drawing.write(set(range(len(graph.nodes)))).dot()
