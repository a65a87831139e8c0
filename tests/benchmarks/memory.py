"""The bytes that one training step has in use at its height, as `tracemalloc` counts them."""

from __future__ import annotations

import itertools
from typing import Any

from . import harness
from .peers import BY_KEY, pythons
from .workloads import WORKLOADS, network

KEYS = ("numpy_plain", "numpy_optimised", "chainrule:eager", "chainrule:replay")
DEEP = network([128] * 33 + [10], 512, "float32", "cross-entropy")
GRAPHS: dict[str, dict[str, Any]] = {
    **{name: WORKLOADS[name] for name in ("tiny", "small", "large")},
    "deep": {"title": "33 layers of 128, batch 512, float32", **DEEP},
    "deep, checkpoint": {"title": "the same, in 8 checkpointed pieces", **DEEP, "checkpoint": 8},
}


def numbers(workload: dict[str, Any]) -> int:
    """Return the bytes no training does without: data, parameters, gradients and Adam's two moments."""
    sizes, item = workload["sizes"], 4 if workload["dtype"] == "float32" else 8
    weights = sum((m + 1) * n for m, n in itertools.pairwise(sizes))
    return item * (4 * weights + workload["batch"] * sizes[0])


def measure(options: Any) -> dict[str, Any]:
    """Return peak and held bytes of every case."""
    found, _ = pythons([], {BY_KEY[key].engine for key in KEYS})
    results = {}
    for name, workload in GRAPHS.items():
        rows: dict[str, Any] = {}
        reasons: dict[str, str] = {}
        keys = [k for k in KEYS if k.startswith("chainrule") or "checkpoint" not in workload]
        with harness.workers([BY_KEY[key] for key in keys], found, options.core, reasons) as running:
            for key, process in running.items():
                try:
                    answer = process.ask("memory", workload=workload)
                except harness.WorkerError as failure:
                    answer = {"skip": f"failed: {failure}"}
                if "skip" in answer:
                    reasons[key] = answer["skip"]
                else:
                    rows[key] = answer
        results[name] = {"workload": workload, "numbers": numbers(workload), "rows": rows, "reasons": reasons}
    return results


def size(count: float) -> str:
    """Return bytes with a unit."""
    for unit in ("B", "kB", "MB"):
        if count < 1000 or unit == "MB":
            break
        count /= 1000
    return f"{count:.0f} B" if unit == "B" else f"{count:.{max(0, 3 - len(str(int(count))))}f} {unit}"


def table(results: dict[str, Any]) -> str:
    """Return the bytes as text."""
    heads = "".join(f"{BY_KEY[key].title.split(',')[-1].strip():>16}" for key in KEYS)
    lines = [f"{'memory at the height of a step':<58}{heads}{'data + 4 x weights':>20}"]
    for result in results.values():
        cells = "".join(f"{size(result['rows'][k]['peak']) if k in result['rows'] else '-':>16}" for k in KEYS)
        lines.append(f"  {result['workload']['title']:<56}{cells}{size(result['numbers']):>20}")
    reasons = {(BY_KEY[key].title, reason) for result in results.values() for key, reason in result["reasons"].items()}
    return "\n".join([*lines, *(f"  {title}: {reason}" for title, reason in sorted(reasons))]) + "\n"
