"""CasADi: loss and gradient as one function of all parameters, called through buffers, the fastest way it has.

Networks of a thousand weights are unrolled into single numbers (SX), larger ones stay matrices (MX).  It knows float64
only, and has no optimizers: Adam is the one with buffers by hand.
"""

from __future__ import annotations

import itertools
from functools import reduce
from typing import Any

import casadi as ca
import numpy as np
from workloads import MOONS_L2, MOONS_RATE, moons_data, network_data

from .numpy_optimised import Adam

UNROLLED = 1000  # weights


def version() -> str:
    """Return CasADi's version."""
    return f"CasADi {ca.__version__} (no float32)"


class Compiled:
    """A function of a parameter vector and constant inputs, giving loss and gradient."""

    def __init__(self, p: Any, inputs: list[Any], loss: Any, numbers: Any, given: list[Any]) -> None:
        function = ca.Function("step", [p, *inputs], [loss, ca.gradient(loss, p)])
        self.p = np.ascontiguousarray(numbers, dtype=np.float64)
        self.value, self.gradient = np.zeros(1), np.zeros_like(self.p)
        # CasADi walks columns first
        self.given = [np.asarray(g, dtype=np.float64).ravel(order="F").copy() for g in given]
        self.buffer, self.call = function.buffer()
        for i, array in enumerate([self.p, *self.given]):
            self.buffer.set_arg(i, memoryview(array))
        for i, array in enumerate([self.value, self.gradient]):
            self.buffer.set_res(i, memoryview(array))


class Network:
    """A perceptron with ReLU."""

    def __init__(self, workload: dict[str, Any]) -> None:
        x, y, numbers = network_data(workload)
        flat, sizes = np.concatenate([n.ravel() for n in numbers]), workload["sizes"]
        sym = ca.SX.sym if len(flat) <= UNROLLED else ca.MX.sym
        targets = y if workload["loss"] == "bce" else np.eye(sizes[-1])[y]
        p, a0, t = sym("p", len(flat)), sym("x", *x.shape), sym("t", *targets.shape)
        a, start, ones = a0, 0, np.ones((len(x), 1))
        for layer, w in enumerate(numbers[::2]):
            n, m = w.shape
            weight, start = ca.reshape(p[start : start + n * m], m, n), start + n * m
            a = a @ weight + ones @ p[start : start + n].T
            start += n
            if layer < len(sizes) - 2:
                a = ca.fmax(a, 0)
        if workload["loss"] == "bce":
            loss = ca.sum1(ca.fmax(a, 0) - a * t + ca.log1p(ca.exp(-ca.fabs(a)))) / len(x)
        else:
            shifted = a - reduce(ca.fmax, ca.horzsplit(a)) @ np.ones((1, sizes[-1]))
            loss = ca.sum1(ca.log(ca.sum2(ca.exp(shifted))) - ca.sum2(shifted * t)) / len(x)
        self.function = Compiled(p, [a0, t], loss, flat, [x, targets])
        self.adam = Adam(self.function.p, self.function.gradient)
        self.shapes = [n.shape for n in numbers]

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        self.function.call()
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        return float(self.function.value[0]), np.split(self.function.gradient.copy(), ends[:-1])

    def step(self) -> float:
        """Return the loss before the update."""
        self.function.call()
        self.adam.step()
        return float(self.function.value[0])


class Moons:
    """The step on single numbers, as one unrolled function."""

    def __init__(self, workload: dict[str, Any]) -> None:
        points, labels, neurons = moons_data(workload)
        h, self.update = workload["hidden"], workload["update"]
        numbers = np.concatenate([np.array(n) for n in neurons])
        p = ca.SX.sym("p", len(numbers))
        x, y = ca.SX.sym("x", len(points), 2), ca.SX.sym("y", len(points))
        starts = np.cumsum([0, *map(len, neurons)])
        units = [ca.vertsplit(p[int(i) : int(j)]) for i, j in itertools.pairwise(starts)]

        def layer(inputs: list[Any], rows: list[Any], rectified: bool = True) -> list[Any]:
            sums = [reduce(lambda s, wx: s + wx[0] * wx[1], zip(r, inputs, strict=False), r[-1]) for r in rows]
            return [ca.fmax(s, 0) for s in sums] if rectified else sums

        margins = ca.SX(0)
        for i in range(len(points)):
            hidden = layer(layer([x[i, 0], x[i, 1]], units[:h]), units[h : 2 * h])
            margins += ca.fmax(1 - y[i] * layer(hidden, units[2 * h :], rectified=False)[0], 0)
        loss = margins / len(points) + MOONS_L2 * ca.sumsqr(p)
        self.function = Compiled(p, [x, y], loss, numbers, [points, labels])

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        self.function.call()
        return float(self.function.value[0]), [self.function.gradient.copy()]

    def step(self) -> float:
        """Return the loss before the update."""
        self.function.call()
        if self.update:
            self.function.p -= MOONS_RATE * self.function.gradient
        return float(self.function.value[0])


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    return {"network": Network, "moons": Moons}[workload["kind"]](workload)
