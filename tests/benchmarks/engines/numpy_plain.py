"""NumPy by hand, as one writes it down: every array is made where it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import BETAS, CHAIN_A, CHAIN_B, EPSILON, LEARNING_RATE, MOONS_L2, MOONS_RATE, moons_data, network_data


def version() -> str:
    """Return NumPy's version."""
    return f"NumPy {np.__version__}"


class Adam:
    """Algorithm 1 of Kingma & Ba 2015 over a list of arrays, for every engine that has no optimizer of its own."""

    def __init__(self, parameters: list[Any]) -> None:
        self.parameters = parameters
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters]
        self.t = 0

    def step(self, gradients: list[Any]) -> None:
        """Put moved arrays into the list."""
        self.t += 1
        b1, b2 = BETAS
        first, second = self.first, self.second
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            first[i] = b1 * first[i] + (1 - b1) * g
            second[i] = b2 * second[i] + (1 - b2) * g * g
            m, v = first[i] / (1 - b1**self.t), second[i] / (1 - b2**self.t)
            self.parameters[i] = p - LEARNING_RATE * m / (np.sqrt(v) + EPSILON)


class Network:
    """A perceptron with ReLU."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.x, self.y, self.parameters = network_data(workload)
        self.loss = {"bce": self.bce, "cross-entropy": self.cross_entropy}[workload["loss"]]
        self.rows = np.arange(len(self.x))
        self.adam = Adam(self.parameters)

    def bce(self) -> None:
        """Binary cross-entropy of logits, and its slope."""
        a, y = self.output, self.y
        self.value = np.mean(np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.abs(a))))
        self.delta = (1 / (1 + np.exp(-a)) - y) / a.size

    def cross_entropy(self) -> None:
        """Cross-entropy of logits against class indices, and its slope."""
        rows, y = self.rows, self.y
        shifted = self.output - self.output.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        self.value = np.mean(np.log(total[:, 0]) - shifted[rows, y])
        self.delta = e / total
        self.delta[rows, y] -= 1
        self.delta /= len(rows)

    def forward(self) -> None:
        """Keep the input of every layer."""
        self.inputs, a = [], self.x
        last = len(self.parameters) // 2 - 1
        for layer, (w, b) in enumerate(zip(self.parameters[::2], self.parameters[1::2], strict=True)):
            self.inputs.append(a)
            a = a @ w.T + b
            if layer < last:
                a = np.maximum(a, 0)
        self.output = a

    def backward(self) -> None:
        """Walk the layers in reverse."""
        delta, found = self.delta, []
        for layer in reversed(range(len(self.inputs))):
            found += [delta.sum(axis=0), delta.T @ self.inputs[layer]]
            if layer:
                delta = (delta @ self.parameters[2 * layer]) * (self.inputs[layer] > 0)
        self.gradients = found[::-1]

    def update(self) -> None:
        """Adam."""
        self.adam.step(self.gradients)

    def step(self) -> float:
        """Return the loss before the update."""
        self.forward()
        self.loss()
        self.backward()
        self.update()
        return float(self.value)

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        self.forward()
        self.loss()
        self.backward()
        return float(self.value), self.gradients

    def parts(self) -> list[tuple[str, Any]]:
        """Return what a step consists of."""
        return [("forward", self.forward), ("loss", self.loss), ("backward", self.backward), ("Adam", self.update)]


class Moons:
    """The step on single numbers, written with arrays: what the arithmetic costs without a graph."""

    def __init__(self, workload: dict[str, Any]) -> None:
        points, labels, neurons = moons_data(workload)
        h, self.update = workload["hidden"], workload["update"]
        self.x, self.y = np.array(points), np.array(labels, dtype=float)[:, None]
        layers = [np.array(neurons[:h]), np.array(neurons[h : 2 * h]), np.array(neurons[2 * h :])]
        self.parameters = [p for layer in layers for p in (layer[:, :-1].copy(), layer[:, -1].copy())]

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients; those of a neuron follow one another, as micrograd lists them."""
        w1, b1, w2, b2, w3, b3 = self.parameters
        n = len(self.x)
        a1 = np.maximum(self.x @ w1.T + b1, 0)
        a2 = np.maximum(a1 @ w2.T + b2, 0)
        margins = np.maximum(1 - self.y * (a2 @ w3.T + b3), 0)
        loss = margins.sum() / n + MOONS_L2 * sum(np.sum(p * p) for p in self.parameters)
        d3 = -self.y * (margins > 0) / n
        d2 = (d3 @ w3) * (a2 > 0)
        d1 = (d2 @ w2) * (a1 > 0)
        gradients = [d1.T @ self.x, d1.sum(0), d2.T @ a1, d2.sum(0), d3.T @ a2, d3.sum(0)]
        self.gradients = [g + 2 * MOONS_L2 * p for g, p in zip(gradients, self.parameters, strict=True)]
        pairs = zip(self.gradients[::2], self.gradients[1::2], strict=True)
        return float(loss), [np.concatenate([np.column_stack([w, b]).ravel() for w, b in pairs])]

    def step(self) -> float:
        """Return the loss before the update."""
        loss, _ = self.look()
        if self.update:
            self.parameters = [p - MOONS_RATE * g for p, g in zip(self.parameters, self.gradients, strict=True)]
        return loss


class Chain:
    """The chain by hand in plain Python: NumPy has nothing to offer to single numbers."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.turns = workload["nodes"] // 2

    def look(self) -> tuple[float, list[Any]]:
        """Return the end and the gradients."""
        a, b, y, kept = CHAIN_A, CHAIN_B, 1.5, []
        for _ in range(self.turns):
            kept.append(y)
            y = y * a + b
        da, db, dy = 0.0, 0.0, 1.0
        for before in reversed(kept):
            da += dy * before
            db += dy
            dy *= a
        return y, [[da, db, dy]]

    def step(self) -> float:
        """Return the end."""
        return self.look()[0]


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    return {"network": Network, "moons": Moons, "chain": Chain}[workload["kind"]](workload)
