"""Diagrams of a model: its neurons and weights, and both passes through its layers."""

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import autograd as ag
from autograd import Tensor
from nn.layers.container import Sequential
from nn.layers.linear import Linear
from nn.module import Module
from nn.random import fork_rng
from nn.scalar import MLP, Layer, numbers_of
from nn.typing import Array, Operand

from .graphs import settings

SHORT = {"weight": "W", "bias": "b"}


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
    if not len(model):
        raise ValueError("cannot draw an empty Sequential")
    if x is None and loss is not None:
        raise ValueError("draw_passes requires an input for the loss: draw_passes(model, x, loss=...)")
    twin = copy.deepcopy(model)
    with fork_rng():
        outputs = list(run(twin, x)) if x is not None else [None] * (len(twin) + 1)
    total = None if loss is None else loss(outputs[-1])
    gradient = gradients_of_pass(total, outputs, twin)
    stages = []
    names = ["x", *(f"a{i}" for i in range(len(twin) - 1)), "ŷ"]
    for i, module in enumerate(twin):
        parameters = [(name, p) for name, p in module.named_parameters() if isinstance(p, Tensor)]
        stages.append(
            (
                [f"{i} {type(module).__name__}", *filter(None, [settings(module)])],
                [(f"∂L/∂{SHORT.get(n, n)}{i}", gradient.get(id(p))) for n, p in parameters[:4]],
                (names[i + 1], outputs[i + 1]),
                (f"∂L/∂{names[i + 1]}", gradient.get(id(outputs[i + 1]))),
            )
        )
    stages.append((["loss"], [], ("L", total), ("∂L/∂L", None if total is None else 1.0)))
    first = ("x", outputs[0]), ("∂L/∂x", gradient.get(id(outputs[0])))
    return ag.pass_diagram(first, stages, theme=theme)


def run(model: Sequential, x: Operand) -> Iterator[Operand]:
    """Yield the input as a node with a gradient, and the output of each layer."""
    data = x.data if isinstance(x, Tensor) else np.asarray(x)
    at: Operand = Tensor(data, requires_grad=data.dtype.kind == "f", name="x")
    yield at
    for module in model:
        at = module(at)
        yield at


def gradients_of_pass(total: Operand, outputs: list[Operand], model: Module) -> dict[int, Operand]:
    """Return the gradients of all outputs and parameters, by identity."""
    if total is None:
        return {}
    wanted = [n for n in dict.fromkeys([*outputs, *model.parameters()]) if isinstance(n, Tensor) and n.requires_grad]
    found = ag.gradients(total, wanted, allow_unused=True)
    return {id(node): g for node, g in zip(wanted, found, strict=True) if g is not None}


def draw_neurons(model: Module, x: Operand = None, *, theme: str = "light", limit: int | None = 12) -> Any:
    """Draw the neurons of a small perceptron; the width of a line is the magnitude of a weight, its colour the sign.

    Parameters
    ----------
    model : Module
        Contains consecutive `Linear` layers, or is an `MLP` or `Layer` of `nn.scalar`.
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
    columns = scalar_columns(model, x) if isinstance(model, (MLP, Layer)) else linear_columns(model, x)
    return ag.neuron_diagram(columns, theme=theme, limit=limit if limit is not None else 10**9)


def linear_columns(model: Module, x: Operand) -> list[Any]:
    """Return the columns of the `Linear` layers, each with the activation after it."""
    twin = copy.deepcopy(model).eval()
    values: list[Operand] = []
    layers: list[Linear] = []
    titles: list[str] = []  # the place of each layer in the model, then its activation
    for path, module in twin.named_modules():
        if isinstance(module, Linear):
            layers.append(module)
            titles.append(f"{path} Linear".strip())
            module.register_forward_pre_hook(lambda module, args: values.append(row(args[0])))
        elif layers and not list(module.children()):
            titles[-1] += f"\n{type(module).__name__}"
    if not layers:
        raise ValueError(f"{type(model).__name__} does not contain a Linear layer, whose neurons could be drawn")
    for a, b in pairwise(layers):
        if a.out_features != b.in_features:
            raise ValueError(f"layers of {a.out_features} and {b.in_features} are not consecutive; use draw(model, x)")
    if x is not None:
        with ag.no_grad():
            values.append(row(twin(example(x, layers[0].in_features)[None])))
        if len(values) != len(layers) + 1:
            raise ValueError("draw_neurons: the layers are not called one after the other; use draw(model, x)")
    first, *outputs = values or [None] * (len(layers) + 1)
    biases = [None if layer.bias is None else layer.bias.data for layer in layers]
    weights = [layer.weight.data for layer in layers]
    columns = zip(titles, [layer.out_features for layer in layers], weights, outputs, biases, strict=True)
    return [("input", layers[0].in_features, None, first), *columns]


def scalar_columns(model: MLP | Layer, x: Operand) -> list[Any]:
    """Return the columns of the classes of `nn.scalar`."""
    layers = model.layers if isinstance(model, MLP) else [model]
    at: Operand = None if x is None else example(x, len(layers[0].neurons[0].w))
    columns: list[Any] = [("input", len(layers[0].neurons[0].w), None, at)]
    for n, layer in enumerate(layers):
        if at is not None:
            with ag.no_grad():
                out = layer(list(at))
            at = numbers_of(out if isinstance(out, list) else [out])
        weights = [numbers_of(neuron.w) for neuron in layer.neurons]
        biases = [neuron.b.data for neuron in layer.neurons]
        title = f"{n} Layer" + "\nReLU" * bool(layer.neurons[0].nonlin)
        columns.append((title, len(layer.neurons), weights, at, biases))
    return columns


def example(x: Operand, width: int) -> Array:
    """Return one example as an array, or raise ValueError."""
    array = np.asarray(x.data if isinstance(x, Tensor) else x, dtype=float)
    array = array[0] if array.ndim == 2 and len(array) == 1 else array
    if array.shape != (width,):
        raise ValueError(f"draw_neurons takes one example of shape ({width},), got {array.shape}")
    return array


def row(output: Operand) -> Array:
    """Return the output for a single example as a vector."""
    return np.ravel(output.data if isinstance(output, Tensor) else output)
