"""What a `Monitor` costs: steps with one that looks at every tenth, beside the same steps without.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=. python tests/benchmarks/bench_monitor.py
"""

from __future__ import annotations

import numpy as np
from timing import interleaved, table

import nn
import optim


def stepping(widths, monitored):
    """Return ten steps of training an MLP in float32, with batches of 32."""
    model = nn.MLP(widths[0], widths[1:], dtype=np.float32, rng=0)
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, widths[0])).astype(np.float32), rng.integers(widths[-1], size=32)
    monitor = nn.Monitor(model, optimizer, every=10) if monitored else None

    def ten():
        for _ in range(10):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            if monitor is not None:
                monitor.step(loss)

    return ten


if __name__ == "__main__":
    for widths in ([64, 64, 32, 10], [64, 256, 256, 10], [784, 256, 128, 10]):
        times = interleaved({"plain": stepping(widths, False), "monitored": stepping(widths, True)})
        print(table(f"ten steps of an MLP {widths}, batches of 32", times, "plain"))
