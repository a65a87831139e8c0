"""MyGrad, its memory guard off, which its manual advises for speed; it has no optimizers, so Adam is by hand."""

from __future__ import annotations

from typing import Any

import mygrad as mg
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy
from workloads import CHAIN_A, CHAIN_B, network_data

from .numpy_plain import Adam

mg.turn_memory_guarding_off()


def version() -> str:
    """Return MyGrad's version."""
    return f"MyGrad {mg.__version__}"


class Network:
    """A perceptron with ReLU."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.x, self.y, self.parameters = network_data(workload)
        self.bce = workload["loss"] == "bce"
        self.adam = Adam(self.parameters)

    def gradient(self) -> tuple[float, list[Any]]:
        """Return loss and gradients."""
        tensors = [mg.tensor(p, copy=False) for p in self.parameters]
        a, last = self.x, len(tensors) // 2 - 1
        for layer, (w, b) in enumerate(zip(tensors[::2], tensors[1::2], strict=True)):
            a = mg.matmul(a, w.T) + b
            if layer < last:
                a = relu(a)
        if self.bce:
            loss = mg.mean(mg.maximum(a, 0) - a * self.y + mg.log1p(mg.exp(-mg.abs(a))))
        else:
            loss = softmax_crossentropy(a, self.y)
        loss.backward()
        return loss.item(), [t.grad for t in tensors]

    look = gradient

    def step(self) -> float:
        """Return the loss before the update."""
        loss, gradients = self.gradient()
        self.adam.step(gradients)
        return float(loss)


class Chain:
    """A long chain of tensors of no dimension."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.turns = workload["nodes"] // 2

    def look(self) -> tuple[float, list[Any]]:
        """Return the end and the gradients."""
        a, b, y = leaves = [mg.tensor(v) for v in (CHAIN_A, CHAIN_B, 1.5)]
        for _ in range(self.turns):
            y = y * a + b
        y.backward()
        return y.item(), [[float(t.grad) for t in leaves]]

    def step(self) -> float:
        """Return the end."""
        return self.look()[0]


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    return (Chain if workload["kind"] == "chain" else Network)(workload)
