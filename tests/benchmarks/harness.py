"""Processes that wait and take turns: all meet the same machine, and one at a time runs.

Each contender is a worker process of its own, pinned to one core (the same for all) and to one BLAS thread.  A round
asks every worker for a short block of steps, one after the other; a figure is the median over rounds, and a ratio is
taken within each round before its median, so that what else the machine does in a second meets both sides.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .peers import Contender

HERE = Path(__file__).resolve().parent
THREADS = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

CHUNK = 0.002  # seconds; shorter than what a scheduler gives to others in between
LONG, LONG_STEPS = 0.03, 3

Say = Callable[[str], None]


def idlest_core() -> int | None:
    """Return the core that did least in the last half second, None where that cannot be told or chosen."""
    stat = Path("/proc/stat")
    if not hasattr(os, "sched_setaffinity") or not stat.exists():
        return None

    def idle() -> dict[int, int]:
        rows = [line.split() for line in stat.read_text().splitlines() if line[:3] == "cpu" and line[3].isdigit()]
        return {int(row[0][3:]): int(row[4]) for row in rows}

    before = idle()
    time.sleep(0.5)
    gained = {core: ticks - before[core] for core, ticks in idle().items()}
    return max(os.sched_getaffinity(0) & gained.keys(), key=gained.__getitem__, default=None)


def environment(threads: str = "1") -> dict[str, str]:
    """Return the environment of a worker: one thread, and none of our packages on the path."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSTARTUP")}
    return {**kept, **dict.fromkeys(THREADS, threads), "XLA_FLAGS": XLA_FLAGS, "JAX_PLATFORMS": "cpu"}


class WorkerError(RuntimeError):
    """A worker answered with an error, or not at all."""


class Process:
    """A worker, and what it answers."""

    def __init__(self, contender: Contender, python: str = sys.executable, core: int | None = None) -> None:
        self.contender = contender
        pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
        self.process = subprocess.Popen(
            [python, str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=HERE,
            env=environment(),
            preexec_fn=pin,
        )
        self.about = self.ask("start", engine=contender.engine, variant=contender.variant)

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Return the answer to one order."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise WorkerError(f"the process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process: without input it has nothing left to answer."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # an order that a dead process did not read
                    pipe.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def workers(
    contenders: list[Contender], pythons: dict[str, str], core: int | None, reasons: dict[str, str]
) -> Iterator[dict[str, Process]]:
    """Start a process for each contender; one that does not start leaves its reason behind."""
    running: dict[str, Process] = {}
    try:
        for contender in contenders:
            try:
                running[contender.key] = Process(contender, pythons[contender.engine], core)
            except WorkerError as failure:
                reasons[contender.key] = f"does not start: {failure}"
        yield running
    finally:
        for process in running.values():
            process.close()


def agreement(found: dict[str, Any], reference: dict[str, Any], dtype: str) -> str | None:
    """Return what two engines disagree on: loss, gradients or the losses after steps; None if they agree."""
    relative = 1e-9 if dtype == "float64" else 2e-4
    scale = max(abs(g) for g in reference["gradients"])
    for name in ("loss", "losses", "gradients"):
        a, b = (x[name] if isinstance(x[name], list) else [x[name]] for x in (found, reference))
        absolute = relative * (scale if name == "gradients" else 1e-3)
        same = len(a) == len(b) and all(
            math.isclose(p, q, rel_tol=relative, abs_tol=absolute) for p, q in zip(a, b, strict=True)
        )
        if not same:
            return f"another {name} than {reference['name']}"
    return None


def ready(
    running: dict[str, Process], workload: dict[str, Any], reasons: dict[str, str], checked: int = 3
) -> dict[str, Process]:
    """Load a workload everywhere and return the processes whose numbers equal those of the first."""
    able, reference = {}, None
    for key, process in running.items():
        try:
            answer = process.ask("load", workload=workload)
            if "skip" in answer:
                reasons[key] = answer["skip"]
                continue
            numbers = {"name": key, **process.ask("check", steps=checked)}
        except WorkerError as failure:
            reasons[key] = f"failed: {failure}"
            continue
        reference = reference or numbers
        dtype = "float64" if "no float32" in process.about["version"] else workload.get("dtype", "float64")
        fault = agreement(numbers, reference, dtype if dtype == workload.get("dtype", dtype) else "float32")
        if fault:
            reasons[key] = f"wrong: {fault}"
        else:
            able[key] = process
    return able


def measure(
    able: dict[str, Process], *, rounds: int, seconds: float, reasons: dict[str, str], once: bool = False
) -> dict[str, list[dict[str, float]]]:
    """Return wall and processor seconds of one step in every round, of every contender that lasts to the end.

    With `once`, a turn is a single step: for steps of seconds.
    """
    able, plan = dict(able), {}
    for key, process in able.items():
        if once:
            plan[key] = {"steps": 1, "chunks": 1, "warm": 0}
            continue
        process.ask("block", steps=1, chunks=1, warm=2)
        step = process.ask("block", steps=1, chunks=3, warm=1)["wall"]
        # A step with a hundred thousand Python objects meets the collector now and then: some are taken as one.
        steps = LONG_STEPS if step > LONG else math.ceil(CHUNK / step)
        chunks = max(1, round(seconds / (steps * step)))
        plan[key] = {"steps": steps, "chunks": chunks, "warm": min(20, steps * chunks // 5)}
    samples: dict[str, list[dict[str, float]]] = {key: [] for key in able}
    for turn in range(rounds):
        keys = list(able)
        start = turn % max(1, len(keys))
        for key in keys[start:] + keys[:start]:  # who follows whom changes: nobody always finds a cold cache
            try:
                samples[key].append(able[key].ask("block", **plan[key]))
            except WorkerError as failure:
                reasons[key] = f"failed: {failure}"
                del able[key], samples[key]
    return samples


def summary(samples: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the median, the quartiles and the least wall time of each contender, and the median processor time."""
    found = {}
    for key, rows in samples.items():
        wall = sorted(row["wall"] for row in rows)
        quartiles = statistics.quantiles(wall, n=4) if len(wall) > 1 else wall * 3
        found[key] = {
            "seconds": statistics.median(wall),
            "quartiles": [quartiles[0], quartiles[2]],
            "least": wall[0],
            "cpu": statistics.median(row["cpu"] for row in rows),
        }
    return found


def waited(row: dict[str, float]) -> bool:
    """Return whether a contender mostly waited for the processor, so that its wall time says more about others."""
    return row["seconds"] > 1.25 * row["cpu"]


def ratio(samples: dict[str, list[dict[str, float]]], key: str, base: str) -> dict[str, Any] | None:
    """Return how many times as long as `base` it takes: the median of the rounds' own ratios, and by medians.

    Where one of the two mostly waited for the processor, processor time is compared instead of wall time.
    """
    if key not in samples or base not in samples:
        return None
    busy = any(map(waited, summary({name: samples[name] for name in (key, base)}).values()))
    clock = "cpu" if busy else "wall"
    ours, theirs = ([row[clock] for row in samples[name]] for name in (key, base))
    return {
        "median": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        "of_medians": statistics.median(ours) / statistics.median(theirs),
        "clock": clock,
    }
