"""What a `Monitor` costs that looks at every tenth step, beside the same steps without.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=. python tests/benchmarks/bench_monitor.py

Both trainings take turns step by step.  Of each of the ten steps from one look to the next the median over all rounds
counts, so that what else the machine does falls out.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

import nn
import optim

EVERY, ROUNDS = 10, 300


def stepping(widths, monitored):
    """Return a step of training an MLP in float32, with batches of 32."""
    model = nn.MLP(widths[0], widths[1:], dtype=np.float32, rng=0)
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, widths[0])).astype(np.float32), rng.integers(widths[-1], size=32)
    monitor = nn.Monitor(model, optimizer, every=EVERY) if monitored else None

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        if monitor is not None:
            monitor.step(loss)

    return step


def ten_steps(contenders):
    """Return the seconds of ten steps of each contender."""
    times = {name: [[] for _ in range(EVERY)] for name in contenders}
    for turn in range(ROUNDS * EVERY):
        for name, step in contenders.items():
            begin = time.perf_counter()
            step()
            times[name][turn % EVERY].append(time.perf_counter() - begin)
    return {name: sum(map(statistics.median, steps)) for name, steps in times.items()}


if __name__ == "__main__":
    for widths in ([64, 64, 32, 10], [64, 256, 256, 10], [784, 256, 128, 10]):
        seconds = ten_steps({"plain": stepping(widths, False), "monitored": stepping(widths, True)})
        ratio = seconds["monitored"] / seconds["plain"]
        print(f"MLP {widths}: ten steps {seconds['plain'] * 1e6:,.0f} us, monitored {ratio - 1:+.1%}")
