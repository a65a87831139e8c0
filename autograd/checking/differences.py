"""A function, its inputs, and finite differences of its outputs along changes of the inputs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autograd.backward import gradients
from autograd.graph import Node
from autograd.recording import raw_data
from autograd.tensor import Tensor
from autograd.transforms.nested import Rebuild, flatten
from autograd.typing import Array, Cotangent, Data, Function, Operand, Shape, Tree
from autograd.value import Value
from autograd.variable import leaf

Change = list[Data]
Parameters = Sequence[Node] | Mapping[str, Node]

STEP = 6e-6  # about the cube root of the float64 epsilon
LONG_STEP = 5e-4  # for differences of fourth order: about the fifth root


@dataclass(frozen=True)
class Perturbation:
    """A small change of the inputs: of one element, or of all inputs along a direction."""

    argument: str
    index: Shape | str
    change: Change
    step: float


class Argument:
    """One input to differentiate by: its data in float64, and how it is passed to the function."""

    def __init__(self, name: str, given: Operand, is_parameter: bool) -> None:
        data = raw_data(given)
        self.name = name
        self.given = given
        self.is_parameter = is_parameter
        self.is_float: bool = not isinstance(data, np.ndarray)
        self.original = data
        if not self.is_float and 0 in [s for s, n in zip(data.strides, data.shape, strict=True) if n > 1]:
            raise ValueError(
                f"{name} of shape {data.shape} repeats its memory (stride 0, from broadcasting), so that its elements "
                "cannot be changed one by one; pass a copy"
            )
        self.data: Array = np.array(data, dtype=np.float64, order="C")

    def node(self, data: Data) -> Node:
        """Return a node with the given data, to be passed to the function."""
        data = float(data) if self.is_float else data
        if self.is_parameter:
            self.given._data = data
            return self.given  # type: ignore[no-any-return]
        return leaf(Value if self.is_float else Tensor, data, True)  # type: ignore[no-any-return]


class CheckedFunction:
    """A function of nested inputs and of parameters, which it uses without receiving them as arguments."""

    def __init__(self, f: Function, inputs: tuple[Tree, ...], parameters: Parameters, seed: int) -> None:
        self.f = f
        self.leaves: list[Operand]
        self.rebuild: Rebuild
        self.leaves, paths, self.rebuild = flatten(inputs)
        self.arguments: list[Argument] = [
            Argument(f"input {path[1:].replace(']', '', 1)}", x, False)
            for x, path in zip(self.leaves, paths, strict=True)
            if is_differentiable(x)
        ]
        named = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
        self.arguments += [Argument(f"parameter {p.name or key}", p, True) for key, p in named]
        if not self.arguments:
            raise ValueError(
                "nothing to differentiate by: pass a float, a float array, a node with requires_grad=True, or "
                "parameters="
            )
        self.point: Change = [a.data for a in self.arguments]
        self.as_given: Change = [  # with the original memory layout, which is checked too
            a.original if getattr(a.original, "dtype", None) == np.float64 else a.data for a in self.arguments
        ]
        self.outputs: list[Array] = self.values(self.point)
        self.weights: list[Array] = weights(self.outputs, seed)

    def restore(self) -> None:
        """Restore the data of the parameters."""
        for a in self.arguments:
            if a.is_parameter:
                a.given._data = a.original

    def call(self, data: Sequence[Data]) -> tuple[list[Node], list[Operand]]:
        """Call the function; return the nodes of its arguments and the floating-point outputs."""
        nodes = [a.node(x) for a, x in zip(self.arguments, data, strict=True)]
        fresh = iter(nodes)  # parameters come last and are not passed
        out = self.f(*self.rebuild(iter([next(fresh) if is_differentiable(x) else x for x in self.leaves])))
        return nodes, [y for y in flatten(out)[0] if _holds_floats(y)]

    def values(self, data: Sequence[Data]) -> list[Array]:
        """Return the outputs as arrays."""
        return [np.asarray(raw_data(y)) for y in self.call(data)[1]]

    def gradient(self, data: Sequence[Data]) -> list[Array]:
        """Return the gradient of the weighted sum of the outputs, by the backward pass."""
        nodes, outputs = self.call(data)
        roots = [(y, w) for y, w in zip(outputs, self.weights, strict=True) if isinstance(y, Node) and y.requires_grad]
        found: Sequence[Cotangent | None] = [None] * len(nodes)
        if roots:
            found = gradients([y for y, _ in roots], nodes, [w for _, w in roots], allow_unused=True)
        if all(g is None for g in found):
            raise ValueError(
                "no output depends on an input through recorded operations; look for .data, float(), detach() or "
                "no_grad() in the function"
            )
        return [np.zeros(np.shape(n._data)) if g is None else np.asarray(g) for g, n in zip(found, nodes, strict=True)]

    def shifted(self, change: Change, times: float) -> Change:
        """Return the inputs plus a multiple of a change."""
        return [np.asarray(x + times * v) for x, v in zip(self.point, change, strict=True)]

    def difference(self, ys: list[Array], zs: list[Array]) -> float:
        """Return the difference of the weighted outputs, taken elementwise before summation."""
        return math.fsum(float(np.sum(w * (y - z))) for w, y, z in zip(self.weights, ys, zs, strict=True))

    def central(self, change: Change, gradient: list[Array]) -> tuple[float, float, float]:
        """Return the analytic and the numerical slope along a change, and the rounding error of the latter."""
        up, down = self.shifted(change, 1.0), self.shifted(change, -1.0)
        exact = [u - d for u, d in zip(up, down, strict=True)]
        span = math.sqrt(math.fsum(float(np.sum(v * v)) for v in exact))
        high, low = self.values(up), self.values(down)
        analytic = math.fsum(float(np.sum(g * v)) for g, v in zip(gradient, exact, strict=True)) / span
        size = sum(float(np.sum(np.abs(w * y))) for w, y in zip(self.weights, high, strict=True))
        return analytic, self.difference(high, low) / span, 4 * np.finfo(float).eps * size / span

    def is_weighted(self) -> bool:
        """Return whether the outputs have several elements, which are summed with weights."""
        return [y.size for y in self.outputs] != [1]

    def fourth_order(self, change: Change, length: float) -> float:
        """Return the slope along a change by the five-point formula, which has an error of fourth order."""
        a, b, c, d = (self.values(self.shifted(change, k)) for k in (1.0, -1.0, 2.0, -2.0))
        return (8 * self.difference(a, b) - self.difference(c, d)) / (12 * length)

    def one_sided(self, change: Change, length: float) -> tuple[float, float]:
        """Return the slopes to the right and to the left along a change."""
        right, left = self.values(self.shifted(change, 1.0)), self.values(self.shifted(change, -1.0))
        return self.difference(right, self.outputs) / length, self.difference(self.outputs, left) / length

    def coordinates(self, step: float) -> Iterator[Perturbation]:
        """Yield a change of each single element."""
        for i, a in enumerate(self.arguments):
            for index in np.ndindex(a.data.shape):
                change: Change = [0.0] * len(self.arguments)
                change[i] = np.zeros(a.data.shape)
                change[i][index] = h = step * max(1.0, abs(float(a.data[index])))
                yield Perturbation(a.name, index, change, h)

    def directions(self, count: int, step: float, seed: int) -> Iterator[Perturbation]:
        """Yield random changes of all inputs."""
        rng = np.random.default_rng(seed + 1)
        h = step * max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in self.point)])
        for k in range(count):
            drawn = [rng.standard_normal(x.shape) for x in self.point]
            length = math.sqrt(math.fsum(float(np.sum(v * v)) for v in drawn)) or 1.0
            yield Perturbation("all inputs", f"direction {k}", [v * (h / length) for v in drawn], h)


def weights(outputs: Sequence[Array], seed: int) -> list[Array]:
    """Return weights of magnitude 0.5 to 1.5 and random sign, so that errors do not cancel; 1 for a scalar."""
    if [y.size for y in outputs] == [1]:
        return [np.ones(outputs[0].shape)]
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape)) for y in outputs]


def is_differentiable(x: Operand) -> bool:
    """Return whether to differentiate by an input."""
    if isinstance(x, Node):
        return x.requires_grad
    return isinstance(x, float) or (isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f")


def _holds_floats(y: Operand) -> bool:
    data = raw_data(y)
    return isinstance(data, (float, np.ndarray, np.generic)) and np.asarray(data).dtype.kind == "f"
