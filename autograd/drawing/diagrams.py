"""Two drawings of a network that are not its graph: its neurons, and the classic one of both passes.

They take plain arrays and texts; `nn` collects them from modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from autograd.explaining.labels import cut, escaped, shape, summary
from autograd.graph import Node

from .canvas import Canvas
from .drawing import Drawing
from .themes import Theme, theme_named

__all__ = ["neuron_diagram", "pass_diagram"]

MOST_STAGES = 8
BLANK = "\u00a0"  # an empty line would crash the embedded engine
WIDEST = 4.0  # points, the line of the largest weight
THINNEST = 0.25


class Flow(NamedTuple):
    """What stands beside an arrow: a name, and the numbers of a node or array if there are any."""

    name: str
    numbers: Any = None

    def rows(self) -> list[str]:
        """Return the lines of text."""
        if self.numbers is None:
            return [self.name]
        data = np.asarray(self.numbers._data if isinstance(self.numbers, Node) else self.numbers)
        return [self.name, *([shape(data)] if data.ndim else []), summary(data)]


class Stage(NamedTuple):
    """One layer between the two passes: its lines, its parameters' gradients, and what it hands on and gets back."""

    rows: Sequence[str]
    parameters: Sequence[tuple[str, Any]]
    output: tuple[str, Any]
    gradient: tuple[str, Any]


class Column(NamedTuple):
    """One layer of neurons; all but the first have weights of shape (count, count before)."""

    title: str
    neurons: int
    weights: Any = None
    values: Any = None
    biases: Any = None


def pass_diagram(first: tuple[Any, Any], stages: Sequence[Any], *, theme: str = "light") -> Drawing:
    """Draw a chain of layers, the forward pass along the top and the backward pass along the bottom.

    Parameters
    ----------
    first : tuple
        The input and what arrives at it in the backward pass: each a name and an array or None.
    stages : sequence of tuple
        The layers in order, the loss last: lines of text that say what it is, (name, array or None) for the gradient
        of each parameter, (name, array or None) for the output, and for what arrives at it in the backward pass.
    theme : {'light', 'dark', 'print'}
        The colours.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`.

    Examples
    --------
    >>> layer = (["Linear", "2 → 1"], [("∂L/∂W", None)], ("a", np.ones(3)), ("∂L/∂a", None))
    >>> pass_diagram((("x", None), ("∂L/∂x", None)), [layer])
    <drawing of 3 nodes>
    """
    look = theme_named(theme)
    canvas = Canvas("passes", look, nodesep="0.35", ranksep="0.35")
    lines = max((len(Stage(*stage).parameters) for stage in stages), default=1)
    column = value_column(canvas, look, *(Flow(*flow) for flow in first))
    skipped = range(MOST_STAGES // 2, len(stages) - MOST_STAGES // 2 + 1) if len(stages) > MOST_STAGES else range(0)
    for i, stage in enumerate(Stage(*stage) for stage in stages):
        if i in skipped:
            if i == skipped.start:
                box = canvas.dashed(f"{len(skipped)} more\nlayers")
                column = joined(canvas, look, column, (box, box), Stage([], [], ("…", None), ("…", None)))
            continue
        box = stage_box(canvas, look, stage, lines)
        column = joined(canvas, look, column, (f"{box}:f", f"{box}:b"), stage)
    message = f"{len(skipped)} of {len(stages)} layers are not shown" if skipped else ""
    return Drawing(canvas.source(message), message, 2 * len(stages) + 1)


def stage_box(canvas: Canvas, look: Theme, stage: Stage, lines: int) -> str:
    """Add the box of a layer; the forward pass goes through its top, the backward pass through its bottom."""
    title, settings = [*stage.rows, "", ""][:2]
    below = [cut(" ".join(Flow(*flow).rows()[::2])) for flow in stage.parameters]
    below += [BLANK] * (lines - len(below))  # as many lines in every box, so that the passes are straight
    middle = escaped(cut(settings), record=True) or BLANK
    text = "\\n".join(escaped(line, record=True) or BLANK for line in below)
    fill, border = look.module
    return canvas.add(
        f"<f> {escaped(cut(title), record=True)}|{middle}|<b> {text}", fillcolor=fill, color=border, height="1.35"
    )


def value_column(canvas: Canvas, look: Theme, above: Flow, below: Flow) -> tuple[str, str]:
    """Add what flows forward, and under it what flows backward; return both names."""
    plain: dict[str, Any] = {
        "fillcolor": look.background,
        "penwidth": "0",
        "style": "filled",
        "shape": "box",
        "margin": "0.05,0.03",
    }
    top = canvas.add(escaped("\n".join(map(cut, above.rows()))), fontcolor=look.forward, **plain)
    bottom = canvas.add(escaped("\n".join(map(cut, below.rows()))), fontcolor=look.accent, **plain)
    canvas.rows.append([top, bottom])
    canvas.edge(top, bottom, style="invis")
    return top, bottom


def joined(
    canvas: Canvas, look: Theme, before: tuple[str, str], ports: tuple[str, str], stage: Stage
) -> tuple[str, str]:
    """Join a layer with what comes before it and with what comes after."""
    after = value_column(canvas, look, Flow(*stage.output), Flow(*stage.gradient))
    forward = {"color": look.forward, "penwidth": "1.4", "weight": "8"}
    backward = {"color": look.accent, "penwidth": "1.4", "weight": "8", "dir": "back", "style": "dashed"}
    if look.accent != look.forward:
        backward["style"] = "solid"
    for style, k in ((forward, 0), (backward, 1)):
        canvas.edge(before[k], ports[k], **style)
        canvas.edge(ports[k], after[k], **style)
    return after


def neuron_diagram(columns: Sequence[Any], *, theme: str = "light", limit: int = 12) -> Drawing:
    """Draw neurons as circles and weights as lines: the width is the magnitude, the colour the sign.

    Parameters
    ----------
    columns : sequence of tuple
        The layers in order, the input first: a title, the number of neurons, their weights of shape (neurons, neurons
        before), what they put out, and their biases; all but the first two may be None or left out.
    theme : {'light', 'dark', 'print'}
        The colours; positive weights blue, negative ones red.
    limit : int
        Of a wider layer only so many neurons are drawn.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`.

    Raises
    ------
    ValueError
        If `limit` is less than 2.

    Examples
    --------
    >>> neuron_diagram([("input", 2), ("output", 1, [[0.5, -1.0]])])
    <drawing of 3 nodes>
    """
    if limit < 2:
        raise ValueError(f"limit must be at least 2 neurons; it is {limit}")
    look = theme_named(theme)
    canvas = Canvas("neurons", look, nodesep="0.12", ranksep="1.5", splines="line")
    layers = [Column(*column) for column in columns]
    before: dict[int, str] = {}
    hidden = 0
    for column in layers:
        names = circles(canvas, look, column, limit)
        hidden += column.neurons - len(names)
        if column.weights is not None:
            lines(canvas, look, np.asarray(column.weights, dtype=float), before, names)
        before = names
    total = sum(column.neurons for column in layers)
    message = f"{hidden:,} of {total:,} neurons are not shown; limit=None shows all" if hidden else ""
    sign = "positive weights black, negative ones grey" if theme == "print" else "blue: positive weights, red: negative"
    return Drawing(canvas.source("\n".join(filter(None, (sign, message)))), message, total)


def circles(canvas: Canvas, look: Theme, column: Column, limit: int) -> dict[int, str]:
    """Add one layer of neurons under its title; return the names of those drawn."""
    shown = range(column.neurons)
    gap = column.neurons > limit
    places = [*shown[: (limit + 1) // 2], *shown[column.neurons - limit // 2 :]] if gap else list(shown)
    row = [canvas.add(escaped(column.title), shape="plaintext", style="", fontcolor=look.faint)]
    names: dict[int, str] = {}
    fill, border = look.data if column.weights is None else look.parameter
    for i in places:
        if gap and i == column.neurons - limit // 2:
            row.append(canvas.small(f"⋮\n{column.neurons - limit:,} more"))
        text = "" if column.values is None else f"{float(column.values[i]):.2g}"
        looks: dict[str, Any] = {
            "fillcolor": fill,
            "color": border,
            "fontsize": "8",
            "fixedsize": "true",
            "width": "0.46",
        }
        if column.biases is not None and (bias := float(column.biases[i])) != 0:
            looks |= {"color": look.signs[bias > 0], "penwidth": "1.6"}
        names[i] = canvas.add(escaped(text) or " ", shape="circle", style="filled", height="0.46", **looks)
        row.append(names[i])
    canvas.rows.append(row)
    for above, below in pairwise(row):
        canvas.edge(above, below, style="invis")
    return names


def lines(canvas: Canvas, look: Theme, weights: Any, before: dict[int, str], names: dict[int, str]) -> None:
    """Add the weights between two layers, the small ones first so that the large ones lie on top."""
    finite = np.abs(weights[np.isfinite(weights)])
    largest = float(finite.max(initial=0.0)) or 1.0
    drawn = [(abs(weights[i, j]), i, j) for i in names for j in before]
    for size, i, j in sorted(drawn, key=lambda line: line[0] if np.isfinite(line[0]) else np.inf):
        share = min(size / largest, 1.0) if np.isfinite(size) else 1.0
        color = look.signs[int(weights[i, j] >= 0)] + f"{round(70 + 185 * share):02x}"
        width = THINNEST + (WIDEST - THINNEST) * share
        canvas.edge(before[j], names[i], color=color, penwidth=f"{width:.2f}", arrowhead="none")
