"""HIPS autograd, with Adam by hand: its own optimizers run a whole training and return only then."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

import autograd.numpy as anp
import numpy as np
from workloads import CHAIN_A, CHAIN_B, network_data

from autograd import value_and_grad

from .numpy_plain import Adam


def version() -> str:
    """Return HIPS autograd's version."""
    return f"HIPS autograd {version_of('autograd')}"


class Network:
    """A perceptron with ReLU."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.x, self.y, self.parameters = network_data(workload)
        self.rows = np.arange(len(self.x))
        self.gradient = value_and_grad(self.bce if workload["loss"] == "bce" else self.cross_entropy)
        self.adam = Adam(self.parameters)

    def output(self, parameters: list[Any]) -> Any:
        """Return the logits."""
        a, last = self.x, len(parameters) // 2 - 1
        for layer, (w, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
            a = anp.dot(a, w.T) + b
            if layer < last:
                a = anp.maximum(a, 0)
        return a

    def bce(self, parameters: list[Any]) -> Any:
        """Binary cross-entropy of logits."""
        a = self.output(parameters)
        return anp.mean(anp.maximum(a, 0) - a * self.y + anp.log1p(anp.exp(-anp.abs(a))))

    def cross_entropy(self, parameters: list[Any]) -> Any:
        """Cross-entropy of logits against class indices."""
        a = self.output(parameters)
        shifted = a - anp.max(a, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(shifted), axis=1)) - shifted[self.rows, self.y])

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        loss, gradients = self.gradient(self.parameters)
        return float(loss), gradients

    def step(self) -> float:
        """Return the loss before the update."""
        loss, gradients = self.gradient(self.parameters)
        self.adam.step(gradients)
        return float(loss)


class Chain:
    """A long chain of floats."""

    def __init__(self, workload: dict[str, Any]) -> None:
        turns = workload["nodes"] // 2

        def end(leaves: Any) -> Any:
            a, b, y = leaves
            for _ in range(turns):
                y = y * a + b
            return y

        self.gradient = value_and_grad(end)

    def look(self) -> tuple[float, list[Any]]:
        """Return the end and the gradients."""
        end, gradients = self.gradient((CHAIN_A, CHAIN_B, 1.5))
        return float(end), [list(map(float, gradients))]

    def step(self) -> float:
        """Return the end."""
        return self.look()[0]


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    return (Chain if workload["kind"] == "chain" else Network)(workload)
