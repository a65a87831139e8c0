"""A function with the places at which it can be varied: what every comparison with finite differences needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.backward import gradients
from autograd.graph import Node
from autograd.tensor import Tensor
from autograd.transforms.nested import flatten
from autograd.value import Value
from autograd.variable import leaf

Array = np.ndarray[Any, Any]
Change = list[Any]

STEP = 6e-6  # about the cube root of the spacing of float64
LONG_STEP = 5e-4  # the same for the quotient of fourth order: about the fifth root


@dataclass(frozen=True)
class Place:
    """Where a function is varied: one number of one argument, or a direction through all of them."""

    argument: str
    index: tuple[int, ...] | str
    change: Change
    step: float


class Argument:
    """One array to differentiate by: its numbers in float64, and how the function gets to see them."""

    def __init__(self, name: str, given: Any, is_parameter: bool) -> None:
        data = given._data if isinstance(given, Node) else given
        self.name = name
        self.given = given
        self.is_parameter = is_parameter
        self.is_float: bool = not isinstance(data, np.ndarray)
        self.original = data
        if (
            not self.is_float
            and data.size > 1
            and 0 in [s for s, n in zip(data.strides, data.shape, strict=True) if n > 1]
        ):
            raise ValueError(
                f"{name} of shape {data.shape} repeats its memory (stride 0, from broadcasting), so that its elements "
                "cannot be varied one by one; pass a copy"
            )
        self.numbers: Array = np.array(data, dtype=np.float64, order="C")

    def node(self, numbers: Any) -> Node:
        """Return the node that the function is given for these numbers."""
        data = float(numbers) if self.is_float else numbers
        if self.is_parameter:
            self.given._data = data
            return self.given  # type: ignore[no-any-return]
        return leaf(Value if self.is_float else Tensor, data, True)  # type: ignore[no-any-return]


class Subject:
    """A function of nested inputs, and of leaves it uses without being given them."""

    def __init__(self, f: Any, inputs: tuple[Any, ...], parameters: Any, seed: int) -> None:
        self.f = f
        self.leaves: list[Any]
        self.rebuild: Callable[..., Any]
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
                "there is nothing to differentiate by: no input is a float, a float array or a node with "
                "requires_grad=True, and no parameters were given"
            )
        self.base: Change = [a.numbers for a in self.arguments]
        self.as_given: Change = [  # in their own layout of memory, which is part of what is checked
            x if getattr(a.original, "dtype", None) != np.float64 else a.original
            for a, x in zip(self.arguments, self.base, strict=True)
        ]
        self.outputs: list[Array] = self.values(self.base)
        self.weights: list[Array] = weights(self.outputs, seed)

    def restore(self) -> None:
        """Put back the data of parameters."""
        for a in self.arguments:
            if a.is_parameter:
                a.given._data = a.original

    def call(self, numbers: Sequence[Any]) -> tuple[list[Node], list[Any]]:
        """Return the nodes that are varied, and the outputs that are floating-point numbers."""
        nodes = [a.node(x) for a, x in zip(self.arguments, numbers, strict=True)]
        fresh = iter(nodes)  # the parameters come last and are not asked for
        out = self.f(*self.rebuild(iter([next(fresh) if is_differentiable(x) else x for x in self.leaves])))
        return nodes, [y for y in flatten(out)[0] if _holds_floats(y)]

    def values(self, numbers: Sequence[Any]) -> list[Array]:
        """Return the outputs as arrays."""
        return [np.asarray(y._data if isinstance(y, Node) else y) for y in self.call(numbers)[1]]

    def gradient(self, numbers: Sequence[Any]) -> list[Array]:
        """Return the gradient of the weighed sum of the outputs, by the backward pass."""
        nodes, outputs = self.call(numbers)
        roots = [(y, w) for y, w in zip(outputs, self.weights, strict=True) if isinstance(y, Node) and y.requires_grad]
        found: Sequence[Any] = [None] * len(nodes)
        if roots:
            found = gradients([y for y, _ in roots], nodes, [w for _, w in roots], allow_unused=True)
        if all(g is None for g in found):
            raise ValueError(
                "no output depends on any input by a recorded operation, so there is no gradient to check; look for "
                ".data, float(), detach() or no_grad() on the way"
            )
        return [np.zeros(np.shape(n._data)) if g is None else np.asarray(g) for g, n in zip(found, nodes, strict=True)]

    def moved(self, change: Change, times: float) -> Change:
        """Return the inputs moved by a multiple of a change."""
        return [np.asarray(x + times * v) for x, v in zip(self.base, change, strict=True)]

    def rise(self, ys: list[Array], zs: list[Array]) -> float:
        """Return how much the weighed outputs differ, the differences being taken before they are summed."""
        return math.fsum(float(np.sum(w * (y - z))) for w, y, z in zip(self.weights, ys, zs, strict=True))

    def central(self, change: Change, gradient: list[Array]) -> tuple[float, float, float]:
        """Return the analytic and the numerical slope along a change, and what rounding makes of the latter."""
        up, down = self.moved(change, 1.0), self.moved(change, -1.0)
        exact = [u - d for u, d in zip(up, down, strict=True)]
        span = math.sqrt(math.fsum(float(np.sum(v * v)) for v in exact))
        high, low = self.values(up), self.values(down)
        analytic = math.fsum(float(np.sum(g * v)) for g, v in zip(gradient, exact, strict=True)) / span
        size = sum(float(np.sum(np.abs(w * y))) for w, y in zip(self.weights, high, strict=True))
        return analytic, self.rise(high, low) / span, 4 * np.finfo(float).eps * size / span

    def is_weighed(self) -> bool:
        """Return whether there is more than one number to weigh."""
        return [y.size for y in self.outputs] != [1]

    def fourth_order(self, change: Change, length: float) -> float:
        """Return the slope along a change by the five-point formula, whose error is of fourth order."""
        a, b, c, d = (self.values(self.moved(change, k)) for k in (1.0, -1.0, 2.0, -2.0))
        return (8 * self.rise(a, b) - self.rise(c, d)) / (12 * length)

    def one_sided(self, change: Change, length: float) -> tuple[float, float]:
        """Return the slopes to the right and to the left along a change."""
        right, left = self.values(self.moved(change, 1.0)), self.values(self.moved(change, -1.0))
        return self.rise(right, self.outputs) / length, self.rise(self.outputs, left) / length

    def by_coordinate(self, step: float) -> Iterator[Place]:
        """Yield each number with a small change of it alone."""
        for i, a in enumerate(self.arguments):
            for index in np.ndindex(a.numbers.shape):
                change: Change = [0.0] * len(self.arguments)
                change[i] = np.zeros(a.numbers.shape)
                change[i][index] = h = step * max(1.0, abs(float(a.numbers[index])))
                yield Place(a.name, index, change, h)

    def along(self, directions: int, step: float, seed: int) -> Iterator[Place]:
        """Yield random small changes of everything at once."""
        rng = np.random.default_rng(seed + 1)
        h = step * max([1.0, *(float(np.max(np.abs(x), initial=0.0)) for x in self.base)])
        for k in range(directions):
            drawn = [rng.standard_normal(x.shape) for x in self.base]
            length = math.sqrt(math.fsum(float(np.sum(v * v)) for v in drawn)) or 1.0
            yield Place("all inputs", f"direction {k}", [v * (h / length) for v in drawn], h)


def weights(outputs: Sequence[Array], seed: int) -> list[Array]:
    """Return weights of magnitude 0.5 to 1.5 and either sign, so that no entry hides behind another; 1 for a scalar."""
    if [y.size for y in outputs] == [1]:
        return [np.ones(outputs[0].shape)]
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape)) for y in outputs]


def is_differentiable(x: Any) -> bool:
    """Return whether an input is one to differentiate by."""
    if isinstance(x, Node):
        return x.requires_grad
    return isinstance(x, float) or (isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f")


def _holds_floats(y: Any) -> bool:
    data = y._data if isinstance(y, Node) else y
    return isinstance(data, (float, np.ndarray, np.generic)) and np.asarray(data).dtype.kind == "f"
