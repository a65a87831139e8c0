"""The scalar engine on micrograd's moons step (100 points, MLP 2-16-16-1, about 65,000 nodes).

    python tests/benchmarks/bench_scalar.py

micrograd joins where it is installed; both engines do the same arithmetic, checked by their losses.
"""

from __future__ import annotations

import gc
import importlib.util
import random
import statistics
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


def main() -> None:
    """Print the median time of a step with the default collector and without it."""
    from autograd import Value
    from nn.scalar import MLP

    steps = {"chainrule": training_step(Value, MLP)}
    if importlib.util.find_spec("micrograd"):
        import micrograd.engine
        import micrograd.nn

        steps["micrograd"] = training_step(micrograd.engine.Value, micrograd.nn.MLP)
    for collector in ("default collector", "collector off"):
        times = {name: [] for name in steps}
        for _ in range(9):
            for name, step in steps.items():
                gc.collect()
                if collector == "collector off":
                    gc.disable()
                start = time.perf_counter()
                step()
                times[name].append(time.perf_counter() - start)
                gc.enable()
        medians = {name: statistics.median(t) for name, t in times.items()}
        print(collector)
        for name, seconds in medians.items():
            print(
                f"  {name:<10} {seconds * 1e3:8.1f} ms  {medians['chainrule'] and seconds / medians['chainrule']:5.2f}x"
            )


if __name__ == "__main__":
    main()
