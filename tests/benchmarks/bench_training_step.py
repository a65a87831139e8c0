"""A whole training step (zero_grad, forward, backward, Adam) beside the same step written by hand in NumPy.

    OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_training_step.py

PyTorch with fused Adam joins where it is installed.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np
from timing import interleaved, table

import nn
import optim

WORKLOADS = [
    # sizes, batch, dtype, loss
    ([2, 16, 16, 1], 32, "float64", "bce"),
    ([64, 64, 32, 10], 64, "float32", "cross-entropy"),
    ([784, 512, 256, 10], 128, "float32", "cross-entropy"),
]


def batch(sizes, count, dtype, loss):
    """Return inputs and targets of a random batch."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, sizes[0])).astype(dtype)
    if loss == "bce":
        return x, rng.integers(0, 2, (count, 1)).astype(dtype)
    return x, rng.integers(0, sizes[-1], count)


def ours(sizes, x, y, loss):
    """Return a training step of this library."""
    model = nn.MLP(sizes[0], sizes[1:], dtype=x.dtype, rng=0)
    criterion = nn.BCEWithLogitsLoss() if loss == "bce" else nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        value = criterion(model(x), y)
        value.backward()
        optimizer.step()
        return float(value)

    return step


def by_hand(sizes, x, y, loss):
    """Return the same step in plain NumPy, every array allocated where it is needed."""
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(size=(n, m)).astype(x.dtype) * np.sqrt(2 / m).astype(x.dtype) for m, n in itertools.pairwise(sizes)
    ]
    biases = [np.zeros(n, x.dtype) for n in sizes[1:]]
    parameters = [p for pair in zip(weights, biases, strict=True) for p in pair]
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    rows, t = np.arange(len(x)), 0

    def step():
        nonlocal t
        t += 1
        inputs, a = [], x
        for layer, (w, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
            inputs.append(a)
            a = a @ w.T + b
            if layer < len(weights) - 1:
                a = np.maximum(a, 0)
        if loss == "bce":
            value = np.mean(np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.abs(a))))
            delta = (1 / (1 + np.exp(-a)) - y) / a.size
        else:
            shifted = a - a.max(axis=1, keepdims=True)
            e = np.exp(shifted)
            total = e.sum(axis=1, keepdims=True)
            value = np.mean(np.log(total[:, 0]) - shifted[rows, y])
            delta = e / total
            delta[rows, y] -= 1
            delta /= len(x)
        gradients = []
        for layer in reversed(range(len(weights))):
            gradients += [delta.sum(axis=0), delta.T @ inputs[layer]]
            if layer:
                delta = (delta @ parameters[2 * layer]) * (inputs[layer] > 0)
        for i, (p, g) in enumerate(zip(parameters, reversed(gradients), strict=True)):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g * g
            m, v = first[i] / (1 - 0.9**t), second[i] / (1 - 0.999**t)
            parameters[i] = p - 1e-3 * m / (np.sqrt(v) + 1e-8)
        return float(value)

    return step


def in_torch(sizes, x, y, loss):
    """Return the same step in PyTorch with fused Adam."""
    import torch

    torch.set_num_threads(1)
    layers = []
    for i, (m, n) in enumerate(itertools.pairwise(sizes)):
        layers += [torch.nn.Linear(m, n)] + ([torch.nn.ReLU()] if i < len(sizes) - 2 else [])
    model = torch.nn.Sequential(*layers).to(torch.float64 if x.dtype == np.float64 else torch.float32)
    criterion = torch.nn.BCEWithLogitsLoss() if loss == "bce" else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def step():
        optimizer.zero_grad()
        value = criterion(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def main() -> None:
    """Print one table a workload."""
    for sizes, count, dtype, loss in WORKLOADS:
        x, y = batch(sizes, count, dtype, loss)
        contenders = {"by hand": by_hand(sizes, x, y, loss), "chainrule": ours(sizes, x, y, loss)}
        if importlib.util.find_spec("torch"):
            contenders["PyTorch, fused Adam"] = in_torch(sizes, x, y, loss)
        title = f"MLP {'-'.join(map(str, sizes))}, batch {count}, {dtype}, {loss}"
        print(table(title, interleaved(contenders), "by hand"), flush=True)


if __name__ == "__main__":
    main()
