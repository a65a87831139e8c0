"""The scalar engine on micrograd's moons step (100 points, MLP 2-16-16-1, about 65,000 nodes).

    python tests/benchmarks/bench_scalar.py

micrograd joins where it is installed; both engines do the same arithmetic, checked by their losses.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]


def data():
    """Return 100 points and their labels, -1 or 1."""
    rng = random.Random(0)
    points = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(100)]
    return points, [1 if x * y > 0 else -1 for x, y in points]


def training_step(value_type, mlp):
    """Return one step of micrograd's demo: max-margin loss, L2, backward, descent."""
    points, labels = data()
    random.seed(1337)
    model = mlp(2, [16, 16, 1])

    def step():
        inputs = [list(map(value_type, row)) for row in points]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(labels, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.01 * p.grad
        return loss.data

    return step


def measure(engine: str, collector: str) -> list[float]:
    """Return the seconds of each of ten steps, after two that warm up."""
    if engine == "micrograd":
        from micrograd.engine import Value
        from micrograd.nn import MLP
    else:
        from autograd import Value
        from nn.scalar import MLP

    step = training_step(Value, MLP)
    times = []
    for _ in range(12):
        if collector == "off":
            gc.enable()
            gc.collect()
            gc.disable()
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times[2:]


def main() -> None:
    """Print the median time of a step with the default collector and without it.

    Each engine has processes of its own, taken in turn: the garbage of one would be swept in the time of the other.
    """
    if len(sys.argv) == 3:
        print(json.dumps(measure(*sys.argv[1:])))
        return
    engines = ["chainrule"] + ["micrograd"] * (importlib.util.find_spec("micrograd") is not None)
    for collector in ("default", "off"):
        times = {engine: [] for engine in engines}
        for _ in range(3):
            for engine in engines:
                command = [sys.executable, __file__, engine, collector]
                printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                times[engine] += json.loads(printed)
        medians = {engine: statistics.median(seconds) for engine, seconds in times.items()}
        print(f"garbage collector: {collector}")
        for engine, seconds in medians.items():
            print(f"  {engine:<10} {seconds * 1e3:8.1f} ms  {seconds / medians['chainrule']:5.2f}x")


if __name__ == "__main__":
    main()
