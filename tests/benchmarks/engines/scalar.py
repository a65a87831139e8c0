"""micrograd's demo step, for its classes and for ours, which are called the same."""

from __future__ import annotations

import random
from typing import Any

from workloads import BETAS, CHAIN_A, CHAIN_B, EPSILON, LEARNING_RATE, MOONS_L2, MOONS_RATE, moons_data


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


class GPT:
    """A training step of a tiny transformer on single values: one layer, causal attention, Adam.

    The architecture is GPT-2's with RMS norm instead of layer norm, ReLU instead of GELU, and no biases.
    """

    def __init__(self, workload: dict[str, Any], value_type: Any) -> None:
        self.embed, self.heads, self.tokens = workload["embed"], workload["heads"], workload["tokens"]
        n, vocabulary, rng = self.embed, workload["vocabulary"], random.Random(42)
        shapes = {
            "token": (vocabulary, n), "position": (len(self.tokens), n), "output": (vocabulary, n),
            "query": (n, n), "key": (n, n), "value": (n, n), "project": (n, n), "expand": (4 * n, n),
            "contract": (n, 4 * n),
        }  # fmt: skip
        self.weights = {
            name: [[value_type(rng.gauss(0.0, 0.08)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in shapes.items()
        }
        self.parameters = [p for matrix in self.weights.values() for row in matrix for p in row]
        self.m, self.v, self.t = [0.0] * len(self.parameters), [0.0] * len(self.parameters), 0

    @staticmethod
    def linear(x: list[Any], weight: list[list[Any]]) -> list[Any]:
        """Return the product of a matrix and a vector."""
        return [sum(w * a for w, a in zip(row, x, strict=True)) for row in weight]

    @staticmethod
    def softmax(logits: list[Any]) -> list[Any]:
        """Return probabilities, shifted by the largest logit."""
        largest = max(logit.data for logit in logits)
        exps = [(logit - largest).exp() for logit in logits]
        total = sum(exps)
        return [e / total for e in exps]

    @staticmethod
    def normalized(x: list[Any]) -> list[Any]:
        """Return the vector divided by its root mean square."""
        scale = (sum(a * a for a in x) / len(x) + 1e-5) ** -0.5
        return [a * scale for a in x]

    def logits(self, token: int, position: int, keys: list[Any], values: list[Any]) -> list[Any]:
        """Return the scores of the next token and append this position's key and value."""
        w, size = self.weights, self.embed // self.heads
        x = self.normalized([a + b for a, b in zip(w["token"][token], w["position"][position], strict=True)])
        residual, x = x, self.normalized(x)
        query = self.linear(x, w["query"])
        keys.append(self.linear(x, w["key"]))
        values.append(self.linear(x, w["value"]))
        attended = []
        for start in range(0, self.embed, size):
            head = range(start, start + size)
            scores = [sum(query[j] * key[j] for j in head) / size**0.5 for key in keys]
            weights = self.softmax(scores)
            attended += [sum(a * value[j] for a, value in zip(weights, values, strict=True)) for j in head]
        x = [a + b for a, b in zip(self.linear(attended, w["project"]), residual, strict=True)]
        residual, x = x, self.normalized(x)
        hidden = [a.relu() for a in self.linear(x, w["expand"])]
        x = [a + b for a, b in zip(self.linear(hidden, w["contract"]), residual, strict=True)]
        return self.linear(x, w["output"])

    def loss(self) -> Any:
        """Return the mean negative log-likelihood of each next token."""
        keys: list[Any] = []
        values: list[Any] = []
        losses = []
        for position, (token, following) in enumerate(zip(self.tokens, self.tokens[1:], strict=False)):
            probabilities = self.softmax(self.logits(token, position, keys, values))
            losses.append(-probabilities[following].log())
        return (1 / len(losses)) * sum(losses)

    def step(self) -> float:
        """Return the loss before Adam's update."""
        loss = self.loss()
        loss.backward()
        self.t += 1
        (b1, b2), t = BETAS, self.t
        for i, p in enumerate(self.parameters):
            g = p.grad
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.v[i] = b2 * self.v[i] + (1 - b2) * g * g
            p.data -= LEARNING_RATE * (self.m[i] / (1 - b1**t)) / ((self.v[i] / (1 - b2**t)) ** 0.5 + EPSILON)
            p.grad = 0.0
        return float(loss.data)

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients without an update."""
        loss = self.loss()
        loss.backward()
        gradients = [p.grad for p in self.parameters]
        for p in self.parameters:
            p.grad = 0.0
        return float(loss.data), [gradients]
