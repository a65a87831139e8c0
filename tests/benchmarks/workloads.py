"""What is measured: plain descriptions that travel to a worker as JSON, and the numbers every engine starts from.

A worker may run under another Python than the project's, so this file needs NumPy and the standard library only.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np

# So slow that thousands of steps on one batch never fit it: once gradients reach the subnormal numbers, some engines
# slow down tenfold and others flush them to zero, and neither has to do with the engine.
LEARNING_RATE = 1e-5
BETAS, EPSILON = (0.9, 0.999), 1e-8

MOONS_RATE, MOONS_L2 = 0.01, 1e-4


def network(sizes: list[int], batch: int, dtype: str, loss: str) -> dict[str, Any]:
    """Describe a whole training step of a perceptron with ReLU: zero_grad, forward, backward, Adam, float(loss)."""
    return {"kind": "network", "sizes": sizes, "batch": batch, "dtype": dtype, "loss": loss}


def moons(update: bool, points: int = 100, hidden: int = 16) -> dict[str, Any]:
    """Describe micrograd's step on single numbers: margins, L2, backward, and descent if `update`."""
    return {"kind": "moons", "update": update, "points": points, "hidden": hidden}


def chain(nodes: int) -> dict[str, Any]:
    """Describe the longest graph of single numbers, y = a y + b again and again, forward and backward."""
    return {"kind": "chain", "nodes": nodes}


def gpt(tokens: list[int], embed: int = 16, heads: int = 4, vocabulary: int = 27) -> dict[str, Any]:
    """Describe a step of a one-layer transformer on single values: forward, backward, Adam written by hand."""
    return {"kind": "gpt", "tokens": tokens, "embed": embed, "heads": heads, "vocabulary": vocabulary}


WORKLOADS: dict[str, dict[str, Any]] = {
    "tiny": {"title": "MLP 2-16-16-1, batch 32, float64, BCE", **network([2, 16, 16, 1], 32, "float64", "bce")},
    "small": {
        "title": "MLP 64-64-32-10, batch 64, float32, cross-entropy",
        **network([64, 64, 32, 10], 64, "float32", "cross-entropy"),
    },
    "large": {
        "title": "MLP 784-512-256-10, batch 128, float32, cross-entropy",
        **network([784, 512, 256, 10], 128, "float32", "cross-entropy"),
    },
    "moons": {"title": "scalar moons step, about 65,000 nodes", **moons(True)},
    "moons-gradient": {"title": "scalar moons, loss and gradient only", **moons(False)},
    "short-chain": {"title": "chain of 10,000 numbers, forward and backward", **chain(10_000)},
    "chain": {"title": "chain of 1,000,000 numbers, forward and backward", **chain(1_000_000)},
    "gpt": {"title": "scalar transformer step, about 33,000 nodes", **gpt([0, 5, 13, 13, 1, 0])},
    "import": {"title": "import over import numpy", "kind": "import"},
}


def network_data(workload: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """Return inputs, targets and first parameters (weight (out, in), bias, weight, ...)."""
    sizes, dtype = workload["sizes"], np.dtype(workload["dtype"])
    rng = np.random.default_rng(1)  # of this seed no sum lies so near to 0 that rounding decides for or against ReLU
    x = rng.normal(size=(workload["batch"], sizes[0])).astype(dtype)
    if workload["loss"] == "bce":
        y = rng.integers(0, 2, (workload["batch"], sizes[-1])).astype(dtype)
    else:
        y = rng.integers(0, sizes[-1], workload["batch"])
    parameters = []
    for m, n in itertools.pairwise(sizes):
        parameters += [(rng.normal(size=(n, m)) * np.sqrt(2 / m)).astype(dtype), np.zeros(n, dtype)]
    return x, y, parameters


def moons_data(workload: dict[str, Any]) -> tuple[list[tuple[float, float]], list[int], list[list[float]]]:
    """Return points, labels (-1 or 1), and the first numbers of each neuron: weights, then bias.

    Neurons are in micrograd's order, 2-h-h-1.
    """
    rng, h = random.Random(0), workload["hidden"]
    points = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(workload["points"])]
    labels = [1 if x * y > 0 else -1 for x, y in points]
    neurons = [
        [*(rng.uniform(-1, 1) for _ in range(n)), 0.0] for n, count in ((2, h), (h, h), (h, 1)) for _ in range(count)
    ]
    return points, labels, neurons


CHAIN_A, CHAIN_B = 0.999, 0.001  # y stays near 1 however long the chain


def digest(gradients: list[Any]) -> list[float]:
    """Return two numbers for each gradient, its norm and its product with a fixed wave: equal arrays, equal numbers."""
    found = []
    for g in gradients:
        flat = np.asarray(g, dtype=np.float64).ravel()
        found += [float(np.sqrt(flat @ flat)), float(flat @ np.cos(np.arange(flat.size)))]
    return found
