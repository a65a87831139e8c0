"""Diagrams of a model: its neurons and weights, and both passes through its layers."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import autograd as ag
from autograd import Tensor
from nn.layers.container import Sequential
from nn.layers.linear import Linear
from nn.module import Module
from nn.random import fork_rng
from nn.typing import Array, Operand

from .graphs import settings

SHORT = {"weight": "W", "bias": "b"}
WIDEST = 4.0  # points, for the largest weight
THINNEST = 0.25
BLANK = "\u00a0"  # an empty line would crash the embedded engine
LABEL = {"penwidth": "0", "style": "filled", "shape": "box", "margin": "0.05,0.03"}
NEURON = {"shape": "circle", "style": "filled", "fontsize": "8", "fixedsize": "true", "width": "0.46", "height": "0.46"}
Pair = tuple[str, str]  # names of the boxes of a value and of its gradient


def draw_passes(
    model: Module, x: Operand = None, *, loss: Callable[[Operand], Operand] | None = None, theme: str = "light"
) -> Any:
    """Draw a chain of layers: the forward pass along the top, the backward pass along the bottom.

    Parameters
    ----------
    model : Sequential
        The layers; the model does not change.
    x : array_like, optional
        An input; without it the drawing has neither shapes nor data.
    loss : callable, optional
        Applied to the output; its gradients are shown along the bottom.
    theme : {'light', 'dark', 'print'}
        The colours.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`.

    Raises
    ------
    TypeError
        If `model` is not a `Sequential`.
    ValueError
        If it is empty, or `loss` is given without an input.

    Examples
    --------
    >>> from nn import MLP
    >>> draw_passes(MLP(2, [3, 1], rng=0), np.zeros((4, 2)), loss=lambda y: (y * y).mean())
    <drawing of 9 nodes>
    """
    if not isinstance(model, Sequential):
        raise TypeError(f"draw_passes takes a Sequential, got {type(model).__name__}; use draw(model, x) for others")
    if x is None and loss is not None:
        raise ValueError("draw_passes requires an input for the loss: draw_passes(model, x, loss=...)")
    twin = copy.deepcopy(model)
    with fork_rng():
        outputs = list(run(twin, x)) if x is not None else [None] * (len(twin) + 1)
    total = None if loss is None else loss(outputs[-1])
    gradients: dict[int, Operand] = {}  # of all outputs and parameters, by identity
    if total is not None:
        wanted = [n for n in dict.fromkeys([*outputs, *twin.parameters()]) if isinstance(n, Tensor) and n.requires_grad]
        found = zip(wanted, ag.gradients(total, wanted, allow_unused=True), strict=True)
        gradients = {id(node): g for node, g in found if g is not None} | {id(total): 1.0}
    picture = ag.Drawing("passes", theme, nodesep="0.35", ranksep="0.35")
    shown = [[(SHORT.get(n, n), p) for n, p in m.named_parameters() if isinstance(p, Tensor)][:4] for m in twin]
    lines = max(map(len, shown))
    names = ["x", *(f"a{i}" for i in range(len(twin) - 1)), "ŷ"]
    column = add_flows(picture, "x", outputs[0], gradients)
    for i, module in enumerate(twin):
        title = [f"{i} {type(module).__name__}", settings(module)]
        below = [(f"∂L/∂{name}{i}", gradients.get(id(p))) for name, p in shown[i]]
        box = add_stage(picture, title, below, lines)
        column = connect(picture, column, box, add_flows(picture, names[i + 1], outputs[i + 1], gradients))
    connect(picture, column, add_stage(picture, ["loss", ""], [], lines), add_flows(picture, "L", total, gradients))
    picture.nodes = 2 * len(twin) + 3
    return picture


def run(model: Sequential, x: Operand) -> Iterator[Operand]:
    """Yield the input as a node with a gradient, and the output of each layer."""
    data = x.data if isinstance(x, Tensor) else np.asarray(x)
    at: Operand = Tensor(data, requires_grad=data.dtype.kind == "f", name="x")
    yield at
    for module in model:
        at = module(at)
        yield at


def add_stage(picture: Any, title: Sequence[str], parameters: Sequence[tuple[str, Operand]], lines: int) -> str:
    """Add the box of a layer; the forward pass enters at its top, the backward pass at its bottom."""
    below = [" ".join(ag.data_rows(*parameter)[::2]) for parameter in parameters]
    below += [BLANK] * (lines - len(below))  # the same number of lines in every box keeps the passes straight
    fill, border = picture.theme.module
    fields = [*("".join(ag.data_rows(row)) or BLANK for row in title), "\n".join(below)]
    return picture.box(fields, ports=("f", "m", "b"), fillcolor=fill, color=border, height="1.35")  # type: ignore[no-any-return]


def add_flows(picture: Any, name: str, data: Operand, gradients: Mapping[int, Operand]) -> Pair:
    """Add the label of a value and, below it, that of its gradient; return both names."""
    theme = picture.theme
    forward, backward = ag.data_rows(name, data), ag.data_rows(f"∂L/∂{name}", gradients.get(id(data)))
    value, gradient = (
        picture.box(["\n".join(rows)], None, fillcolor=theme.background, fontcolor=color, **LABEL)
        for rows, color in ((forward, theme.forward), (backward, theme.accent))
    )
    picture.rows.append([value, gradient])
    picture.edge(value, gradient, style="invis")
    return value, gradient


def connect(picture: Any, before: Pair, box: str, after: Pair) -> Pair:
    """Connect the box of a layer with the labels before and after it; return the latter."""
    theme = picture.theme
    line = "solid" if theme.accent != theme.forward else "dashed"
    forward = {"color": theme.forward, "penwidth": "1.4", "weight": "8"}
    backward = {"color": theme.accent, "penwidth": "1.4", "weight": "8", "dir": "back", "style": line}
    for attributes, k, port in ((forward, 0, f"{box}:f"), (backward, 1, f"{box}:b")):
        picture.edge(before[k], port, **attributes)
        picture.edge(port, after[k], **attributes)
    return after


# -------------------------------------------------------------------------------------------------------------- neurons


class Column(NamedTuple):
    """One layer of neurons; the inputs have neither weights nor biases."""

    title: str
    neurons: int
    outputs: Operand
    weights: Operand = None
    biases: Operand = None


def draw_neurons(model: Module, x: Operand = None, *, theme: str = "light", limit: int | None = 12) -> Any:
    """Draw the neurons of a small perceptron; the width of a line is the magnitude of a weight, its colour the sign.

    Parameters
    ----------
    model : Module
        Contains consecutive `Linear` layers.
    x : array_like of shape (in_features,), optional
        One example; the output of every neuron is then shown in its circle.
    theme : {'light', 'dark', 'print'}
        The colours.
    limit : int, optional
        Maximum number of neurons of a layer that are drawn; None draws all.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`.

    Raises
    ------
    TypeError
        If `model` is not a Module.
    ValueError
        If it does not have such layers, or `x` is not one example.

    Examples
    --------
    >>> import nn
    >>> draw_neurons(nn.MLP(2, [4, 1], rng=0), [1.0, -1.0])
    <drawing of 7 nodes>
    """
    if not isinstance(model, Module):
        raise TypeError(f"draw_neurons takes a Module, got {type(model).__name__}")
    columns = columns_of(copy.deepcopy(model).eval(), x)
    picture = ag.Drawing("neurons", theme, nodesep="0.12", ranksep="1.5", splines="line")
    before: dict[int, str] = {}
    hidden = 0
    for column in columns:
        names = add_neurons(picture, column, limit or column.neurons)
        hidden += column.neurons - len(names)
        if column.weights is not None:
            add_weights(picture, np.asarray(column.weights, dtype=float), before, names)
        before = names
    picture.nodes = sum(column.neurons for column in columns)
    if hidden:
        picture.message = f"{hidden:,} of {picture.nodes:,} neurons are not shown; limit=None shows all"
    colours = "positive weights black, negative ones grey", "blue: positive weights, red: negative"
    picture.legend = colours[theme != "print"]
    return picture


def columns_of(model: Module, x: Operand) -> list[Column]:
    """Return the columns of the `Linear` layers, each with the activation after it."""
    outputs: list[Operand] = []  # the inputs of all layers, then the result
    layers: list[Linear] = []
    titles: list[str] = []  # the place of each layer in the model, then its activation
    for path, module in model.named_modules():
        if isinstance(module, Linear):
            layers.append(module)
            titles.append(f"{path} Linear".strip())
            module.register_forward_pre_hook(lambda module, args: outputs.append(np.ravel(ag.extend.raw_data(args[0]))))
        elif layers and not list(module.children()):
            titles[-1] += f"\n{type(module).__name__}"
    if not layers:
        raise ValueError(f"{type(model).__name__} does not contain a Linear layer, whose neurons could be drawn")
    for a, b in pairwise(layers):
        if a.out_features != b.in_features:
            raise ValueError(f"layers of {a.out_features} and {b.in_features} are not consecutive; use draw(model, x)")
    if x is None:
        outputs = [None] * (len(layers) + 1)
    else:
        array = np.asarray(x.data if isinstance(x, Tensor) else x, dtype=float)
        array = array[0] if array.ndim == 2 and len(array) == 1 else array
        if array.shape != (layers[0].in_features,):
            raise ValueError(f"draw_neurons takes one example of shape ({layers[0].in_features},), got {array.shape}")
        with ag.no_grad():
            result = model(array[None])
        outputs.append(np.ravel(result.data))
        if len(outputs) != len(layers) + 1:
            raise ValueError("draw_neurons: the layers are not called one after the other; use draw(model, x)")
    columns = [Column("input", layers[0].in_features, outputs[0])]
    for title, layer, output in zip(titles, layers, outputs[1:], strict=True):
        bias = None if layer.bias is None else layer.bias.data
        columns.append(Column(title, layer.out_features, output, layer.weight.data, bias))
    return columns


def add_neurons(picture: Any, column: Column, limit: int) -> dict[int, str]:
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
        text = " " if column.outputs is None else f"{float(column.outputs[i]):.2g}"
        looks = {"fillcolor": fill, "color": border, **NEURON}
        if column.biases is not None and (bias := float(column.biases[i])) != 0:
            looks |= {"color": theme.signs[bias > 0], "penwidth": "1.6"}
        names[i] = picture.box([text], None, **looks)
        row.append(names[i])
    picture.rows.append(row)
    for above, below in pairwise(row):
        picture.edge(above, below, style="invis")
    return names


def add_weights(picture: Any, weights: Array, before: dict[int, str], names: dict[int, str]) -> None:
    """Add the weights between two layers in order of magnitude, so that the large ones are on top."""
    sizes = np.where(np.isfinite(weights), np.abs(weights), np.inf)
    largest = float(sizes[np.isfinite(sizes)].max(initial=0.0)) or 1.0
    for i, j in sorted(((i, j) for i in names for j in before), key=lambda line: sizes[line]):
        fraction = min(sizes[i, j] / largest, 1.0)
        color = picture.theme.signs[int(weights[i, j] >= 0)] + f"{round(70 + 185 * fraction):02x}"
        width = THINNEST + (WIDEST - THINNEST) * fraction
        picture.edge(before[j], names[i], color=color, penwidth=f"{width:.2f}", arrowhead="none")
