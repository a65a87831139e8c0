"""This project: `eager`, `replay` of the gradients, and native machine code for whole steps, `step` and `many`."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import numpy as np
from workloads import BETAS, EPSILON, LEARNING_RATE, network_data

import autograd
import nn
import optim
from nn.scalar import MLP

from .scalar import GPT, Chain, Moons

NO_COMPILE = "autograd.compile does not exist yet"


def version() -> str:
    """Return NumPy's version, and numba's where it is installed."""
    try:
        numba = f", numba {version_of('numba')}"
    except PackageNotFoundError:
        numba = ""
    return f"NumPy {np.__version__}{numba}"


AT_ONCE = 20  # steps in one call of `many`


class Network:
    """A perceptron with ReLU and the library's own loss and Adam."""

    def __init__(self, workload: dict[str, Any], variant: str) -> None:
        replay = variant.startswith("replay")
        # NumPy alone in `replay`, and the native machine from the first step in the others.
        os.environ.setdefault("CHAINRULE_NUMBA", "0" if replay else "1")
        sizes, pieces = workload["sizes"], workload.get("checkpoint")
        self.x, self.y, numbers = network_data(workload)
        self.model = nn.MLP(sizes[0], sizes[1:], dtype=self.x.dtype, rng=0)
        self.parameters = list(self.model.parameters())
        for p, value in zip(self.parameters, numbers, strict=True):
            p.data = value
        self.criterion = nn.BCEWithLogitsLoss() if workload["loss"] == "bce" else nn.CrossEntropyLoss()
        self.optimizer = optim.Adam(self.parameters, lr=LEARNING_RATE, betas=BETAS, eps=EPSILON)
        self.call = checkpointed(self.model, pieces) if pieces else self.model
        if pieces:
            self.x = autograd.Tensor(self.x)  # a checkpointed function takes nodes
        self.compiled = autograd.compile(self.compute) if replay else None
        self.whole = autograd.compile(self.compute, optimizer=self.optimizer) if variant in ("step", "many") else None
        if variant == "many":
            self.at_once, self.rows = AT_ONCE, np.tile(np.arange(len(self.x)), (AT_ONCE, 1))

    def compute(self, x: Any, y: Any) -> Any:
        """Return the loss."""
        return self.criterion(self.call(x), y)

    def forward(self) -> None:
        """Record the graph."""
        self.output = self.call(self.x)

    def loss(self) -> None:
        """Record the loss."""
        self.value = self.criterion(self.output, self.y)

    def backward(self) -> None:
        """Walk the graph."""
        self.value.backward()

    def replay(self) -> None:
        """Replay loss and gradients."""
        self.value = self.compiled(self.x, self.y)

    def step(self) -> float:
        """Return the loss before the update; written out, as a user would write it."""
        if self.whole is not None:
            return float(self.whole(self.x, self.y))
        self.optimizer.zero_grad()
        if self.compiled is not None:
            loss = self.compiled(self.x, self.y)
        else:
            loss = self.criterion(self.call(self.x), self.y)
            loss.backward()
        self.optimizer.step()
        return float(loss)

    def steps(self) -> float:
        """Return the last loss of many steps in one call."""
        return float(self.whole.many(self.x, self.y, self.rows)[-1])

    def look(self) -> tuple[float, list[Any]]:
        """Return loss and gradients, nothing moved."""
        self.optimizer.zero_grad()
        if self.compiled is not None:
            self.compiled(self.x, self.y)  # the first call records; the second is the replay that is checked
            self.optimizer.zero_grad()
            loss = self.compiled(self.x, self.y)
        else:
            loss = self.compute(self.x, self.y)
            loss.backward()
        return float(loss), [np.array(p.grad) for p in self.parameters]

    def parts(self) -> list[tuple[str, Any]]:
        """Return what a step consists of."""
        if self.whole is not None:
            return [("loss, gradients and Adam", self.step)]
        middle = [("forward", self.forward), ("loss", self.loss), ("backward", self.backward)]
        if self.compiled is not None:
            middle = [("replay", self.replay)]
        return [("zero_grad", self.optimizer.zero_grad), *middle, ("Adam", self.optimizer.step)]


def checkpointed(model: Any, pieces: int) -> Any:
    """Return a call of the model that keeps what lies between `pieces` stretches of layers only."""
    layers = list(model)
    length = -(-len(layers) // pieces)

    def stretch(part: list[Any]) -> Any:
        def run(x: Any) -> Any:
            for layer in part:
                x = layer(x)
            return x

        return autograd.checkpoint(run)

    stretches = [stretch(layers[i : i + length]) for i in range(0, len(layers), length)]

    def call(x: Any) -> Any:
        for run in stretches:
            x = run(x)
        return x

    return call


def build(workload: dict[str, Any], variant: str) -> Any:
    """Return the training of a workload, or why there is none."""
    replay = variant.startswith("replay")
    if replay and not hasattr(autograd, "compile"):
        return NO_COMPILE
    if variant.endswith("without numba"):
        sys.modules["numba"] = None  # type: ignore[assignment] # from here on it cannot be imported
    if workload["kind"] == "network":
        return Network(workload, variant)
    os.environ.setdefault("CHAINRULE_NUMBA", "1")  # machine code from the first replay of scalars, as in a long run
    compiler = autograd.compile if replay else None
    if workload["kind"] == "chain":
        return Chain(workload, autograd.Value, compiler)
    if workload["kind"] == "gpt":
        return GPT(workload, autograd.Value)
    return Moons(workload, autograd.Value, MLP, compiler)
