"""micrograd's demo step, for its classes and for ours, which are called the same."""

from __future__ import annotations

from typing import Any

from workloads import CHAIN_A, CHAIN_B, MOONS_L2, MOONS_RATE, moons_data


class Moons:
    """A step on single numbers; `compiler`, if there is one, makes the loss a function that leaves gradients."""

    def __init__(self, workload: dict[str, Any], value_type: Any, mlp: Any, compiler: Any = None) -> None:
        self.points, self.labels, neurons = moons_data(workload)
        self.value_type, self.update = value_type, workload["update"]
        self.model = mlp(2, [workload["hidden"], workload["hidden"], 1])
        self.parameters = self.model.parameters()
        for p, number in zip(self.parameters, (n for neuron in neurons for n in neuron), strict=True):
            p.data = number
        self.compiled = compiler(self.compute) if compiler else None

    def compute(self) -> Any:
        """Return the loss: margins and L2."""
        inputs = [list(map(self.value_type, row)) for row in self.points]
        scores = list(map(self.model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(self.labels, scores, strict=True)]
        return sum(losses) * (1.0 / len(losses)) + MOONS_L2 * sum(p * p for p in self.parameters)

    def gradient(self) -> Any:
        """Return the loss and leave gradients."""
        self.model.zero_grad()
        if self.compiled is not None:
            return self.compiled()
        loss = self.compute()
        loss.backward()
        return loss

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        if self.compiled is not None:
            self.gradient()
        loss = self.gradient()
        return float(loss.data), [[p.grad for p in self.parameters]]

    def step(self) -> float:
        """Return the loss before the update."""
        loss = self.gradient()
        if self.update:
            for p in self.parameters:
                p.data -= MOONS_RATE * p.grad
        return float(loss.data)


class Chain:
    """A long chain of single numbers."""

    def __init__(self, workload: dict[str, Any], value_type: Any, compiler: Any = None) -> None:
        self.turns = workload["nodes"] // 2
        self.a, self.b, self.leaf = map(value_type, (CHAIN_A, CHAIN_B, 1.5))
        self.compiled = compiler(self.compute) if compiler else None

    def compute(self) -> Any:
        """Return the end of the chain."""
        y, a, b = self.leaf, self.a, self.b
        for _ in range(self.turns):
            y = y * a + b
        return y

    def step(self) -> float:
        """Return the end, gradients in the leaves."""
        for p in (self.a, self.b, self.leaf):
            p.grad = 0.0
        if self.compiled is not None:
            return float(self.compiled().data)
        y = self.compute()
        y.backward()
        return float(y.data)

    def look(self) -> tuple[float, list[Any]]:
        """Return the end and the gradients."""
        return self.step(), [[p.grad for p in (self.a, self.b, self.leaf)]]
