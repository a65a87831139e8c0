"""Handwritten digits to 97 %: wall time of the whole script, ours beside PyTorch's and scikit-learn's.

    PYTHONPATH=. python tests/benchmarks/bench_digits.py --torch-python /path/to/python/with/torch

Each library trains the same perceptron (64-64-32-10, ReLU) in a process of its own on one thread, by Adam at 2e-3 with
batches of 32, on the same rows for the same number of epochs, and is timed from start to exit, imports included.  The
three take turns, and the medians count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "demos/data/digits.csv.gz"
HIDDEN, BATCH, RATE, L2 = (64, 32), 32, 2e-3, 1e-4
THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def data():
    """Return training and test rows."""
    table = np.loadtxt(DATA, delimiter=",")
    order = np.random.default_rng(0).permutation(len(table))
    X, y = table[order, :64].astype(np.float32) / 16, table[order, 64].astype(np.int64)
    return X[:1437], y[:1437], X[1437:], y[1437:]


def ours(epochs):
    """Train with this project."""
    import nn
    import optim
    from autograd import no_grad

    X, y, X_test, y_test = data()
    model = nn.MLP(64, [*HIDDEN, 10], dtype=np.float32, rng=0)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=RATE, weight_decay=L2)
    loader = nn.data.DataLoader(nn.data.TensorDataset(X, y), BATCH, shuffle=True, rng=0)
    for _ in range(epochs):
        for x, target in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), target)
            loss.backward()
            optimizer.step()
    with no_grad():
        return nn.metrics.accuracy(model(X_test), y_test)


def torch(epochs):
    """Train with PyTorch, batches cut from a shuffled tensor, which is faster than its DataLoader."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    X, y, X_test, y_test = map(torch.from_numpy, data())
    model = nn.Sequential(
        nn.Linear(64, HIDDEN[0]), nn.ReLU(), nn.Linear(HIDDEN[0], HIDDEN[1]), nn.ReLU(), nn.Linear(HIDDEN[1], 10)
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, weight_decay=L2)
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = criterion(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return float((model(X_test).argmax(1) == y_test).double().mean())


def sklearn(epochs):
    """Train with scikit-learn's MLPClassifier."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    X, y, X_test, y_test = data()
    model = MLPClassifier(
        HIDDEN,
        batch_size=BATCH,
        learning_rate_init=RATE,
        alpha=L2,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge: all three stop at the same epoch
        model.fit(X, y)
    return model.score(X_test, y_test)


def timed(python, name, epochs):
    """Return seconds from start to exit, and the accuracy; None if the library is not there."""
    begin = time.perf_counter()
    command = [python, __file__, "--only", name, "--epochs", str(epochs)]
    done = subprocess.run(command, env={**os.environ, **THREADS}, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        return None
    return time.perf_counter() - begin, float(done.stdout)


def main():
    """Let all three take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=("ours", "torch", "sklearn"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(globals()[args.only](args.epochs))
        return
    found = {"ours": [], "torch": [], "sklearn": []}
    for _ in range(args.turns):
        for name, results in found.items():
            result = timed(args.torch_python if name == "torch" else sys.executable, name, args.epochs)
            if result is not None:
                results.append(result)
    ours_seconds = statistics.median(seconds for seconds, _ in found["ours"])
    for name, results in found.items():
        if results:
            seconds = statistics.median(s for s, _ in results)
            print(f"{name:<8} {seconds:6.2f} s  {seconds / ours_seconds:5.2f}x  test accuracy {results[0][1]:.1%}")


if __name__ == "__main__":
    main()
