"""NumPy by hand at its limit: buffers allocated once, `out=` everywhere, one flat vector of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import BETAS, EPSILON, LEARNING_RATE, network_data

BLOCK = 32_768  # numbers that stay in the second-level cache while Adam passes over them ten times


def version() -> str:
    """Return NumPy's version."""
    return f"NumPy {np.__version__}"


class Flat:
    """Arrays that are windows of one vector."""

    def __init__(self, arrays: list[Any]) -> None:
        self.vector = np.concatenate([a.ravel() for a in arrays])
        self.windows, start = [], 0
        for a in arrays:
            self.windows.append(self.vector[start : start + a.size].reshape(a.shape))
            start += a.size


class Adam:
    """Adam over one vector; its moments are kept as plain sums, without the factors 1 - beta: two passes fewer."""

    def __init__(self, p: Any, g: Any) -> None:
        m, v, t = np.zeros_like(p), np.zeros_like(p), np.empty_like(p[:BLOCK])
        blocks = [slice(i, i + BLOCK) for i in range(0, len(p), BLOCK)]
        self.blocks = [(p[b], g[b], m[b], v[b], t[: len(p[b])]) for b in blocks]
        self.t = 0

    def step(self) -> None:
        """Move the parameters in place."""
        self.t += 1
        b1, b2 = BETAS
        c1, c2 = (1 - b1) / (1 - b1**self.t), (1 - b2) / (1 - b2**self.t)
        # m_hat / (sqrt(v_hat) + eps) with m_hat = c1 m, v_hat = c2 v, both divided by sqrt(c2)
        epsilon, rate = EPSILON / c2**0.5, LEARNING_RATE * c1 / c2**0.5
        multiply, add = np.multiply, np.add
        for p, g, m, v, t in self.blocks:
            multiply(m, b1, m)
            add(m, g, m)
            multiply(g, g, t)
            multiply(v, b2, v)
            add(v, t, v)
            np.sqrt(v, t)
            add(t, epsilon, t)
            np.divide(m, t, t)
            multiply(t, rate, t)
            np.subtract(p, t, p)


class Network:
    """A perceptron with ReLU; nothing is allocated in a step but a few small results."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.x, self.y, parameters = network_data(workload)
        n, dtype = len(self.x), self.x.dtype
        self.parameters, self.gradients = Flat(parameters), Flat([np.zeros_like(p) for p in parameters])
        self.w, self.b = self.parameters.windows[::2], self.parameters.windows[1::2]
        self.wt = [w.T for w in self.w]
        self.gw, self.gb = self.gradients.windows[::2], self.gradients.windows[1::2]
        self.a = [self.x, *(np.empty((n, len(w)), dtype) for w in self.w)]
        self.delta = [np.empty_like(a) for a in self.a]
        self.delta_t = [d.T for d in self.delta]
        self.mask = [np.empty(a.shape, bool) for a in self.a]
        self.ones = np.ones(n, dtype)
        self.scratch, self.column = np.empty_like(self.a[-1]), np.empty((n, 1), dtype)
        self.starts = np.arange(n) * self.a[-1].shape[1]
        self.loss = {"bce": self.bce, "cross-entropy": self.cross_entropy}[workload["loss"]]
        self.adam = Adam(self.parameters.vector, self.gradients.vector)

    def bce(self) -> None:
        """Binary cross-entropy of logits, and its slope."""
        a, y, t, d = self.a[-1], self.y, self.scratch, self.delta[-1]
        np.abs(a, t)
        np.negative(t, t)
        np.exp(t, t)
        np.log1p(t, t)
        np.maximum(a, 0, d)
        np.add(t, d, t)
        np.multiply(a, y, d)
        np.subtract(t, d, t)
        self.value = np.add.reduce(t, None) / a.size
        np.negative(a, t)
        np.exp(t, t)
        np.add(t, 1, t)
        np.reciprocal(t, t)
        np.subtract(t, y, t)
        np.multiply(t, 1 / a.size, d)

    def cross_entropy(self) -> None:
        """Cross-entropy of logits against class indices, and its slope."""
        a, d, column, n = self.a[-1], self.delta[-1], self.column, len(self.x)
        picked = self.starts + self.y
        np.maximum.reduce(a, 1, None, column, True)
        np.subtract(a, column, a)
        np.exp(a, d)
        np.add.reduce(d, 1, None, column, True)
        correct = a.take(picked).sum()
        self.value = (np.log(column).sum() - correct) / n
        np.multiply(column, n, column)
        np.divide(d, column, d)
        d.ravel()[picked] -= 1 / n

    def forward(self) -> None:
        """Fill the activations."""
        a, last = self.a, len(self.w)
        for layer, (w, b) in enumerate(zip(self.wt, self.b, strict=True), 1):
            np.dot(a[layer - 1], w, a[layer])
            np.add(a[layer], b, a[layer])
            if layer < last:
                np.maximum(a[layer], 0, a[layer])

    def backward(self) -> None:
        """Fill the gradients."""
        a, delta, dot = self.a, self.delta, np.dot
        for layer in reversed(range(len(self.w))):
            d = delta[layer + 1]
            dot(self.ones, d, self.gb[layer])
            dot(self.delta_t[layer + 1], a[layer], self.gw[layer])
            if layer:
                dot(d, self.w[layer], delta[layer])
                np.greater(a[layer], 0, self.mask[layer])
                np.multiply(delta[layer], self.mask[layer], delta[layer])

    def step(self) -> float:
        """Return the loss before the update."""
        self.forward()
        self.loss()
        self.backward()
        self.adam.step()
        return float(self.value)

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        self.forward()
        self.loss()
        self.backward()
        return float(self.value), self.gradients.windows

    def parts(self) -> list[tuple[str, Any]]:
        """Return what a step consists of."""
        return [("forward", self.forward), ("loss", self.loss), ("backward", self.backward), ("Adam", self.adam.step)]


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    if workload["kind"] == "network":
        return Network(workload)
    return "written with plain NumPy only: there is nothing to gain from buffers at this size"
