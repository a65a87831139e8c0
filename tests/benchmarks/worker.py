"""One engine in a process of its own: reads an order a line from stdin, answers a line of JSON each.

Started by path, so that `sys.path` begins with this folder and holds none of the project's packages: the engine that
is called `autograd` on the package index finds itself, and only our own engine adds the project's folder.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

WAITED = 1.05  # wall over processor time, from which on a chunk was interrupted


class Worker:
    """Carries out orders; `training` is what the engine built for the workload loaded last."""

    def __init__(self, engine: str, variant: str) -> None:
        self.engine, self.variant = importlib.import_module(f"engines.{engine}"), variant
        self.training: Any = None
        if variant.endswith("no collector"):
            gc.disable()

    def version(self) -> dict[str, Any]:
        """Return the engine's own version and Python's."""
        return {"version": self.engine.version(), "python": sys.version.split()[0]}

    def load(self, workload: dict[str, Any]) -> dict[str, Any]:
        """Build the training; an engine that cannot says why."""
        self.training = None
        gc.collect()
        self.training = self.engine.build(workload, self.variant)
        return {"skip": self.training} if isinstance(self.training, str) else {}

    def check(self, steps: int) -> dict[str, Any]:
        """Return loss and gradients before the first step, and the losses of the first steps."""
        from workloads import digest

        loss, gradients = self.training.look()
        found = digest(gradients)
        return {"loss": loss, "gradients": found, "losses": [self.training.step() for _ in range(steps)]}

    def block(self, steps: int, chunks: int, warm: int) -> dict[str, Any]:
        """Return seconds a step of wall and of processor time: the median of chunks of `steps`, after a warm-up.

        Chunks that had to wait for the processor do not count, if enough others are left.  The garbage collector
        is Python's own business while it is on: an engine that makes cycles pays for them in its own time.
        """
        at_once = getattr(self.training, "at_once", 1)
        step, rows = self.training.step if at_once == 1 else self.training.steps, []
        if not gc.isenabled():
            gc.collect()
        for _ in range(warm):
            step()
        for _ in range(chunks):
            cpu, wall = time.process_time(), time.perf_counter()
            calls = max(1, steps // at_once)
            for _ in range(calls):
                step()
            taken = calls * at_once
            rows.append(((time.perf_counter() - wall) / taken, (time.process_time() - cpu) / taken))
        free = [row for row in rows if row[0] < WAITED * row[1]]
        kept = free if 3 * len(free) >= chunks else rows
        return {"wall": statistics.median(r[0] for r in kept), "cpu": statistics.median(r[1] for r in kept)}

    def parts(self, steps: int) -> dict[str, Any]:
        """Return seconds of each part of a step, the median over `steps`."""
        parts = getattr(self.training, "parts", None)
        if parts is None:
            return {}
        names, calls = zip(*parts(), strict=True)
        times: list[list[float]] = [[] for _ in calls]
        for _ in range(steps):
            for call, column in zip(calls, times, strict=True):
                start = time.perf_counter()
                call()
                column.append(time.perf_counter() - start)
        return dict(zip(names, (sorted(column)[steps // 2] for column in times), strict=True))

    def memory(self, workload: dict[str, Any]) -> dict[str, Any]:
        """Return the bytes in use at the height of one step, and those held between steps, data included."""
        self.load(workload)  # what is imported on the way is no part of it
        if not isinstance(self.training, str):
            self.training.step()
        self.training = None
        gc.collect()
        tracemalloc.start()
        self.training = self.engine.build(workload, self.variant)
        if isinstance(self.training, str):
            tracemalloc.stop()
            return {"skip": self.training}
        for _ in range(3):
            self.training.step()
        gc.collect()
        tracemalloc.reset_peak()
        held = tracemalloc.get_traced_memory()[0]
        self.training.step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return {"peak": peak, "held": held}


def main() -> None:
    """Answer until stdin closes."""
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker: Worker | None = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "start":
                worker = Worker(order["engine"], order["variant"])
                answer = worker.version()
            else:
                answer = getattr(worker, order.pop("do"))(**order)
        except Exception as error:
            text = f"{type(error).__name__}: {error}".replace(f"{Path(__file__).parents[2]}{os.sep}", "")
            answer = {"error": text if len(text) < 200 else f"{text[:200]}..."}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
