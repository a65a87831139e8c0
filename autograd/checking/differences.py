"""A function, its inputs, and finite differences of its outputs along changes of the inputs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autograd.backward import gradients
from autograd.graph import Node
from autograd.recording import raw_data
from autograd.transforms.nested import Rebuild, flatten
from autograd.transforms.tracing import linked
from autograd.typing import Array, Cotangent, Data, Function, Operand, Shape, Tree

Parameters = Sequence[Node] | Mapping[str, Node]

STEP = 6e-6  # about the cube root of the float64 epsilon
LONG_STEP = 5e-4  # for differences of fourth order: about the fifth root


@dataclass(frozen=True)
class Perturbation:
    """A small change of the inputs, as a vector: of one element, or of all inputs along a direction."""

    argument: str
    index: Shape | str
    change: Array
    step: float


class Argument:
    """One input to differentiate by: one that is passed to the function, or a parameter that the function uses."""

    original: Data

    def __init__(self, name: str, given: Operand, parameter: Node | None = None) -> None:
        self.name = name
        self.parameter = parameter
        data = self.original = raw_data(given)
        self.shape: Shape = np.shape(data)
        if 0 in [s for s, n in zip(getattr(data, "strides", ()), self.shape, strict=True) if n > 1]:
            raise ValueError(
                f"{name} of shape {data.shape} repeats its memory (stride 0, from broadcasting), so that its elements "
                "cannot be changed one by one; pass a copy"
            )

    def node(self, data: Data) -> Node:
        """Return a node with the given data, to be passed to the function."""
        data = data if isinstance(self.original, np.ndarray) else float(data)
        if self.parameter is None:
            return linked(data)  # type: ignore[no-any-return]
        self.parameter._value = data
        return self.parameter


class CheckedFunction:
    """A function of nested inputs and of parameters, which it uses without receiving them as arguments.

    All inputs together are one vector in float64, and so are all floating-point outputs.
    """

    def __init__(self, f: Function, inputs: tuple[Tree, ...], parameters: Parameters, seed: int) -> None:
        self.f = f
        self.leaves: list[Operand]
        self.rebuild: Rebuild
        self.leaves, paths, self.rebuild = flatten(inputs)
        self.arguments: list[Argument] = [
            Argument(f"input {path[1:].replace(']', '', 1)}", x)
            for x, path in zip(self.leaves, paths, strict=True)
            if is_differentiable(x)
        ]
        named = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
        self.arguments += [Argument(f"parameter {p.name or key}", p, p) for key, p in named]
        if not self.arguments:
            raise ValueError(
                "nothing to differentiate by: pass a float, a float array, a node with requires_grad=True, or "
                "parameters="
            )
        self.point: Array = joined([a.original for a in self.arguments]).astype(float)
        self.as_given: list[Data] = [  # with the original memory layout, which is checked too
            a.original if getattr(a.original, "dtype", None) == np.float64 else np.asarray(a.original, float)
            for a in self.arguments
        ]
        self.outputs: Array = self.values(self.point)
        self.weights: Array = weights(self.outputs.size, seed)

    def restore(self) -> None:
        """Restore the data of the parameters."""
        for a in self.arguments:
            if a.parameter is not None:
                a.parameter._value = a.original

    def call(self, data: Sequence[Data]) -> tuple[list[Node], list[Operand]]:
        """Call the function; return the nodes of its arguments and the floating-point outputs."""
        nodes = [a.node(x) for a, x in zip(self.arguments, data, strict=True)]
        fresh = iter(nodes)  # parameters come last and are not passed
        out = self.f(*self.rebuild(iter([next(fresh) if is_differentiable(x) else x for x in self.leaves])))
        return nodes, [y for y in flatten(out)[0] if _holds_floats(y)]

    def values(self, point: Array) -> Array:
        """Return the outputs as a vector."""
        return joined([raw_data(y) for y in self.call(parted(point, [a.shape for a in self.arguments]))[1]])

    def weights_of(self, outputs: Sequence[Operand]) -> list[Array]:
        """Return the weights of the elements of each output."""
        return parted(self.weights, [np.shape(raw_data(y)) for y in outputs])

    def gradient(self, data: Sequence[Data]) -> Array:
        """Return the gradient of the weighted sum of the outputs, by the backward pass."""
        nodes, outputs = self.call(data)
        pairs = zip(outputs, self.weights_of(outputs), strict=True)
        roots = [(y, w) for y, w in pairs if isinstance(y, Node) and y.requires_grad]
        found: Sequence[Cotangent | None] = [None] * len(nodes)
        if roots:
            found = gradients([y for y, _ in roots], nodes, [w for _, w in roots], allow_unused=True)
        if all(g is None for g in found):
            raise ValueError(
                "no output depends on an input through recorded operations; look for .data, float(), detach() or "
                "no_grad() in the function"
            )
        return joined([np.zeros(a.shape) if g is None else g for g, a in zip(found, self.arguments, strict=True)])

    def difference(self, ys: Array, zs: Array) -> float:
        """Return the difference of the weighted outputs, taken elementwise before summation."""
        return float(np.sum(self.weights * (ys - zs)))

    def central(self, change: Array, gradient: Array) -> tuple[float, float, float]:
        """Return the analytic and the numerical slope along a change, and the rounding error of the latter."""
        up, down = self.point + change, self.point - change
        span = float(np.linalg.norm(up - down))
        high, low = self.values(up), self.values(down)
        size = float(np.sum(np.abs(self.weights * high)))
        analytic = float(np.sum(gradient * (up - down))) / span
        return analytic, self.difference(high, low) / span, 4 * np.finfo(float).eps * size / span

    def fourth_order(self, change: Array, length: float) -> float:
        """Return the slope along a change by the five-point formula, which has an error of fourth order."""
        a, b, c, d = (self.values(self.point + k * change) for k in (1.0, -1.0, 2.0, -2.0))
        return (8 * self.difference(a, b) - self.difference(c, d)) / (12 * length)

    def one_sided(self, change: Array, length: float) -> tuple[float, float]:
        """Return the slopes to the right and to the left along a change."""
        right, left = self.values(self.point + change), self.values(self.point - change)
        return self.difference(right, self.outputs) / length, self.difference(self.outputs, left) / length

    def coordinates(self, step: float) -> Iterator[Perturbation]:
        """Yield a change of each single element."""
        places = [(a.name, index) for a in self.arguments for index in np.ndindex(a.shape)]
        for i, (name, index) in enumerate(places):
            change = np.zeros(self.point.size)
            change[i] = h = step * max(1.0, abs(float(self.point[i])))
            yield Perturbation(name, index, change, h)

    def directions(self, count: int, step: float, seed: int) -> Iterator[Perturbation]:
        """Yield random changes of all inputs."""
        rng = np.random.default_rng(seed + 1)
        h = step * max(1.0, float(np.max(np.abs(self.point), initial=0.0)))
        for k in range(count):
            drawn = rng.standard_normal(self.point.size)
            yield Perturbation("all inputs", f"direction {k}", drawn * (h / (np.linalg.norm(drawn) or 1.0)), h)


def joined(arrays: Sequence[Data]) -> Array:
    """Return the elements of all arrays as one vector."""
    return np.concatenate(list(map(np.ravel, arrays))) if arrays else np.zeros(0)


def parted(vector: Array, shapes: Sequence[Shape]) -> list[Array]:
    """Return the parts of a vector as arrays of these shapes."""
    parts = np.split(vector, np.cumsum([math.prod(shape) for shape in shapes])[:-1]) if shapes else []
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def weights(count: int, seed: int) -> Array:
    """Return weights of magnitude 0.5 to 1.5 and random sign, so that errors do not cancel; 1 for a scalar."""
    rng = np.random.default_rng(seed)
    return np.ones(1) if count == 1 else rng.uniform(0.5, 1.5, count) * rng.choice([-1.0, 1.0], count)


def is_differentiable(x: Operand) -> bool:
    """Return whether to differentiate by an input."""
    return x.requires_grad if isinstance(x, Node) else _holds_floats(x)


def _holds_floats(y: Operand) -> bool:
    data = raw_data(y)
    return isinstance(data, (float, np.ndarray, np.generic)) and np.asarray(data).dtype.kind == "f"
