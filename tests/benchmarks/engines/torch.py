"""PyTorch: Adam as a loop over parameters (`eager`), `foreach`, or `fused`."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from workloads import BETAS, CHAIN_A, CHAIN_B, EPSILON, LEARNING_RATE, network_data

torch.set_num_threads(1)


def version() -> str:
    """Return PyTorch's version."""
    return f"PyTorch {torch.__version__}"


class Network:
    """A perceptron with ReLU; data are tensors before the clock starts."""

    def __init__(self, workload: dict[str, Any], variant: str) -> None:
        x, y, numbers = network_data(workload)
        layers: list[Any] = []
        for m, n in itertools.pairwise(workload["sizes"]):
            layers += [torch.nn.Linear(m, n), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1]).to(getattr(torch, workload["dtype"]))
        self.parameters = list(self.model.parameters())
        with torch.no_grad():
            for p, value in zip(self.parameters, numbers, strict=True):
                p.copy_(torch.from_numpy(value))
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.criterion = torch.nn.BCEWithLogitsLoss() if workload["loss"] == "bce" else torch.nn.CrossEntropyLoss()
        kind = {"eager": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[variant]
        self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON, **kind)

    def step(self) -> float:
        """Return the loss before the update."""
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return float(loss)

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(self.x), self.y)
        loss.backward()
        return float(loss), [p.grad.numpy() for p in self.parameters]

    def forward(self) -> None:
        """Record the graph."""
        self.output = self.model(self.x)

    def loss(self) -> None:
        """Record the loss."""
        self.value = self.criterion(self.output, self.y)

    def backward(self) -> None:
        """Walk the graph."""
        self.value.backward()

    def parts(self) -> list[tuple[str, Any]]:
        """Return what a step consists of."""
        middle = [("forward", self.forward), ("loss", self.loss), ("backward", self.backward)]
        return [("zero_grad", self.optimizer.zero_grad), *middle, ("Adam", self.optimizer.step)]


class Chain:
    """A long chain of tensors of no dimension."""

    def __init__(self, workload: dict[str, Any]) -> None:
        self.turns = workload["nodes"] // 2
        self.leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (CHAIN_A, CHAIN_B, 1.5)]

    def step(self) -> float:
        """Return the end, gradients in the leaves."""
        a, b, y = self.leaves
        a.grad = b.grad = y.grad = None
        for _ in range(self.turns):
            y = y * a + b
        y.backward()
        return float(y)

    def look(self) -> tuple[float, list[Any]]:
        """Return the end and the gradients."""
        return self.step(), [[float(p.grad) for p in self.leaves]]


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    if workload["kind"] == "network":
        return Network(workload, variant)
    if workload["kind"] == "chain":
        return Chain(workload)
    return "made for arrays: single numbers are no use it is meant for"
