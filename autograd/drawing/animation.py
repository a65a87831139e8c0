"""The backward pass as a film: one frame for each edge, as an animated GIF."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograd.diagnostics.messages import no_node
from autograd.explaining.expression import names_by_identity
from autograd.explaining.labels import cut, summary
from autograd.explaining.steps import Step, backward_steps
from autograd.graph import Node

from .annotations import Annotations
from .clusters import Plan
from .drawing import check_options
from .picture import Picture, Settings, variable_rows
from .render import render, replace
from .snapshot import Snapshot
from .themes import theme_named

__all__ = ["Animation", "draw_backward"]

MOST = 60  # nodes: more are too small to be read, and the file is large


class Animation:
    """Pictures that follow each other, as `draw_backward` returns them.

    Attributes
    ----------
    frames : list of str
        Each in the DOT language; all have their boxes in the same places.
    """

    def __init__(self, frames: list[str], background: str) -> None:
        self.frames = frames
        self._background = background

    def save(self, path: str | os.PathLike[str], *, seconds: float = 1.2) -> Path:
        """Write an animated GIF, which begins again at its end, and return its path.

        Parameters
        ----------
        path : str or path
            Ends in ``.gif``.
        seconds : float
            How long a frame stands; the last stands three times as long.

        Raises
        ------
        ValueError
            If the suffix is another.
        ImportError
            If Pillow is not installed.
        RenderError
            If no drawing engine is.
        """
        path = Path(path)
        if path.suffix.lower() != ".gif":
            raise ValueError(f"cannot write an animation to {str(path)!r}: end its name in .gif")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"cannot write to {str(path)!r}: there is no folder {str(path.parent)!r}")
        replace(path, self.gif(seconds))
        return path

    def gif(self, seconds: float = 1.2) -> bytes:
        """Return the contents of an animated GIF."""
        try:
            from PIL import Image
        except ImportError as error:
            raise ImportError("an animation needs Pillow: pip install 'chainrule[viz]'") from error
        pictures = [Image.open(io.BytesIO(render(frame, "png"))).convert("RGB") for frame in self.frames]
        size = max(p.width for p in pictures), max(p.height for p in pictures)
        sheets = []
        for picture in pictures:
            sheet = Image.new("RGB", size, self._background)
            sheet.paste(picture)
            sheets.append(sheet.quantize(64))
        times = [round(1000 * seconds)] * len(sheets)
        times[-1] *= 3
        out = io.BytesIO()
        sheets[0].save(out, "GIF", save_all=True, append_images=sheets[1:], duration=times, loop=0, optimize=True)
        return out.getvalue()

    def __repr__(self) -> str:
        return f"<animation of {len(self.frames)} frames>"


def draw_backward(
    root: Node,
    *,
    direction: str = "LR",
    theme: str = "light",
    names: Mapping[str, Any] | None = None,
) -> Animation:
    """Draw the backward pass step by step: gradients appear where they arrive.

    Along the edge of each step stands its local derivative, below the picture the product.

    Parameters
    ----------
    root : Node
        A result of one number.
    direction : {'LR', 'TB', 'RL', 'BT'}
        Where the arrows of the forward pass go.
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
        If the graph has more than 60 nodes, or an option is none of these.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> draw_backward((a * b).tanh())
    <animation of 6 frames>
    """
    check_options(direction=direction, color="kind", zoom=None, limit=None, depth=None)
    if not isinstance(root, Node):
        raise no_node("draw_backward", root)
    graph = Snapshot([root])
    if len(graph.nodes) > MOST:
        raise ValueError(
            f"this graph has {len(graph.nodes):,} nodes, and an animation is readable up to {MOST}: draw a part of "
            "the computation, or use draw(loss)"
        )
    notes = Annotations(graph, names_by_identity(names or {}))
    look = Settings(theme_named(theme), direction, partials=True, pending=True, names=dict(notes.given))
    steps = list(backward_steps(root, names=notes.names))
    moments: list[tuple[dict[Node, Any], Step | None, str]] = [({}, None, "forward: every box has its value")]
    moments.append(({root: 1.0}, None, f"backward begins: ∂{notes.names[root]}/∂{notes.names[root]} = 1"))
    for step in steps:
        known = moments[-1][0] | {step.argument: step.total}
        moments.append((known, step, caption(step, len(steps))))
    moments.append((moments[-1][0], None, "every gradient is complete"))
    look.widths = widths(graph, look, [known for known, *_ in moments])
    return Animation([frame(graph, look, notes, *moment) for moment in moments], look.theme.background)


def caption(step: Step, count: int) -> str:
    """Return what happens in one step."""
    names, root = step.names, step.names[step.root]
    by = step.formula if step.local is None else summary(step.local)
    if step.local is not None and step.formula not in (by, "1"):
        by += f" ({step.formula})"
    product = f"{summary(step.upstream)} · {by} = {summary(step.contribution)}"
    sign = "=" if step.first else "+="
    return f"step {step.number} of {count}:  ∂{root}/∂{cut(names[step.argument], 12)} {sign} {cut(product, 80)}"


def widths(graph: Snapshot, look: Settings, moments: list[dict[Node, Any]]) -> dict[int, float]:
    """Return for each box a width in inches that holds its texts in all frames, so that none ever moves."""
    found = {}
    for k, node in enumerate(graph.nodes):
        longest = 0
        for known in moments:
            look.grads = known
            longest = max(longest, *map(len, variable_rows(node, look)))
        found[k] = 0.3 + 0.088 * longest
    return found


def frame(
    graph: Snapshot, look: Settings, notes: Annotations, known: dict[Node, Any], step: Step | None, text: str
) -> str:
    """Return one frame in the DOT language."""
    look.grads = known
    look.active = None if step is None else (step.node, step.position)
    look.way = set() if step is None else {graph.position[id(step.argument)]}
    picture = Picture(Plan(graph, {}, lambda group: True, False), look, notes)
    picture.canvas.dot.attr(labeljust="l", fontsize="13", fontcolor=look.theme.ink)
    return picture.source(set(range(len(graph.nodes))), text)
