"""Two diagrams of a network: its neurons and weights, and both passes through its layers.

They are drawn from plain arrays and texts, which `nn` collects from modules.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autograd.explaining.typeset import cut, format_array, format_shape
from autograd.recording import raw_data
from autograd.typing import Array, Operand

from .draw import Drawing
from .picture import BLANK, Picture, theme_named

MOST_STAGES = 8
WIDEST = 4.0  # points, for the largest weight
THINNEST = 0.25
LABEL = {"penwidth": "0", "style": "filled", "shape": "box", "margin": "0.05,0.03"}
NEURON = {"shape": "circle", "style": "filled", "fontsize": "8", "fixedsize": "true", "width": "0.46", "height": "0.46"}
Pair = tuple[str, str]  # names of boxes or ports, of the forward and of the backward pass
Labelled = tuple[str, Operand | None]  # a name, and the data of a node or array if known
Stage = tuple[Sequence[str], Sequence[Labelled], Labelled, Labelled]


class Column(NamedTuple):
    """One layer of neurons; all but the first have weights of shape (neurons, neurons before)."""

    title: str
    neurons: int
    weights: ArrayLike | None = None
    values: Sequence[float] | None = None
    biases: Sequence[float] | None = None


def pass_diagram(first: tuple[Labelled, Labelled], stages: Sequence[Stage], *, theme: str = "light") -> Drawing:
    """Draw a chain of layers, the forward pass along the top and the backward pass along the bottom.

    Parameters
    ----------
    first : tuple
        The input and its gradient: each a name, and an array or None.
    stages : sequence of tuple
        The layers in order, the loss last: lines of text, (name, array or None) for the gradient of each parameter,
        (name, array or None) for the output, and the same for the gradient of the output.
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
    picture = Picture("passes", theme_named(theme), nodesep="0.35", ranksep="0.35")
    lines = max((len(parameters) for _, parameters, *_ in stages), default=1)
    column = add_flows(picture, *first)
    skipped = range(MOST_STAGES // 2, len(stages) - MOST_STAGES // 2 + 1) if len(stages) > MOST_STAGES else range(0)
    for i, (rows, parameters, output, gradient) in enumerate(stages):
        if i not in skipped:
            box = add_stage(picture, rows, parameters, lines)
            column = connect(picture, column, (f"{box}:f", f"{box}:b"), add_flows(picture, output, gradient))
        elif i == skipped.start:
            box = picture.dashed(f"{len(skipped)} more\nlayers")
            column = connect(picture, column, (box, box), add_flows(picture, ("…", None), ("…", None)))
    message = f"{len(skipped)} of {len(stages)} layers are not shown" if skipped else ""
    return Drawing(picture, message, 2 * len(stages) + 1)


def flow_rows(name: str, data: Operand | None) -> list[str]:
    """Return the lines of a label between two layers: its name, then the shape and the range of its data if known."""
    if data is None:
        return [cut(name)]
    array = np.asarray(raw_data(data))
    return [cut(name), *([format_shape(array)] if array.ndim else []), cut(format_array(array))]


def add_stage(picture: Picture, rows: Sequence[str], parameters: Sequence[Labelled], lines: int) -> str:
    """Add the box of a layer; the forward pass enters at its top, the backward pass at its bottom."""
    title, settings = [*rows, "", ""][:2]
    below = [" ".join(flow_rows(*parameter)[::2]) for parameter in parameters]
    below += [BLANK] * (lines - len(below))  # the same number of lines in every box keeps the passes straight
    fill, border = picture.theme.module
    fields = [cut(title), cut(settings) or BLANK, "\n".join(below)]
    return picture.box(fields, ports=("f", "m", "b"), fillcolor=fill, color=border, height="1.35")


def add_flows(picture: Picture, forward: Labelled, backward: Labelled) -> Pair:
    """Add the label of a value and, below it, that of its gradient; return both names."""
    theme = picture.theme
    value, gradient = (
        picture.box(["\n".join(flow_rows(*flow))], None, fillcolor=theme.background, fontcolor=color, **LABEL)
        for flow, color in ((forward, theme.forward), (backward, theme.accent))
    )
    picture.rows.append([value, gradient])
    picture.edge(value, gradient, style="invis")
    return value, gradient


def connect(picture: Picture, before: Pair, ports: Pair, after: Pair) -> Pair:
    """Connect a layer with the labels before and after it; return the latter."""
    theme = picture.theme
    line = "solid" if theme.accent != theme.forward else "dashed"
    forward = {"color": theme.forward, "penwidth": "1.4", "weight": "8"}
    backward = {"color": theme.accent, "penwidth": "1.4", "weight": "8", "dir": "back", "style": line}
    for attributes, k in ((forward, 0), (backward, 1)):
        picture.edge(before[k], ports[k], **attributes)
        picture.edge(ports[k], after[k], **attributes)
    return after


def neuron_diagram(columns: Sequence[tuple[Any, ...]], *, theme: str = "light", limit: int = 12) -> Drawing:
    """Draw neurons as circles and weights as lines, whose width is the magnitude and whose colour is the sign.

    Parameters
    ----------
    columns : sequence of tuple
        The layers in order, the input first: a title, the number of neurons, their weights of shape (neurons, neurons
        before), their outputs, and their biases; all but the first two may be None or left out.
    theme : {'light', 'dark', 'print'}
        The colours; positive weights are blue, negative ones red.
    limit : int
        Maximum number of neurons of a layer that are drawn.

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
        raise ValueError(f"limit must be at least 2 neurons, got {limit}")
    picture = Picture("neurons", theme_named(theme), nodesep="0.12", ranksep="1.5", splines="line")
    layers = [Column(*column) for column in columns]
    before: dict[int, str] = {}
    hidden = 0
    for column in layers:
        names = add_neurons(picture, column, limit)
        hidden += column.neurons - len(names)
        if column.weights is not None:
            add_weights(picture, np.asarray(column.weights, dtype=float), before, names)
        before = names
    total = sum(column.neurons for column in layers)
    message = f"{hidden:,} of {total:,} neurons are not shown; limit=None shows all" if hidden else ""
    sign = "positive weights black, negative ones grey" if theme == "print" else "blue: positive weights, red: negative"
    return Drawing(picture, message, total, legend=sign)


def add_neurons(picture: Picture, column: Column, limit: int) -> dict[int, str]:
    """Add one layer of neurons below its title; return the names of those drawn."""
    theme, count = picture.theme, column.neurons
    gap = count > limit
    places = [*range((limit + 1) // 2), *range(count - limit // 2, count)] if gap else list(range(count))
    row = [picture.box([column.title], shape="plaintext", style="", fontcolor=theme.faint)]
    names: dict[int, str] = {}
    fill, border = theme.data if column.weights is None else theme.parameter
    for i in places:
        if gap and i == count - limit // 2:
            row.append(picture.small(f"⋮\n{count - limit:,} more"))
        text = "" if column.values is None else f"{float(column.values[i]):.2g}"
        looks = {"fillcolor": fill, "color": border, **NEURON}
        if column.biases is not None and (bias := float(column.biases[i])) != 0:
            looks |= {"color": theme.signs[bias > 0], "penwidth": "1.6"}
        names[i] = picture.box([text or " "], None, **looks)
        row.append(names[i])
    picture.rows.append(row)
    for above, below in pairwise(row):
        picture.edge(above, below, style="invis")
    return names


def add_weights(picture: Picture, weights: Array, before: dict[int, str], names: dict[int, str]) -> None:
    """Add the weights between two layers in order of magnitude, so that the large ones are on top."""
    sizes = np.where(np.isfinite(weights), np.abs(weights), np.inf)
    largest = float(sizes[np.isfinite(sizes)].max(initial=0.0)) or 1.0
    for i, j in sorted(((i, j) for i in names for j in before), key=lambda line: sizes[line]):
        fraction = min(sizes[i, j] / largest, 1.0)
        color = picture.theme.signs[int(weights[i, j] >= 0)] + f"{round(70 + 185 * fraction):02x}"
        width = THINNEST + (WIDEST - THINNEST) * fraction
        picture.edge(before[j], names[i], color=color, penwidth=f"{width:.2f}", arrowhead="none")
