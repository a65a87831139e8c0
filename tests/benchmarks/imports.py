"""What importing a library costs over `import numpy`, in fresh processes that take turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from typing import Any

from . import harness
from .peers import BY_KEY, ROOT, Contender, pythons

STATEMENTS = {
    "chainrule:eager": "import autograd, nn, optim",
    "hips": "import autograd, autograd.numpy",
    "mygrad": "import mygrad",
    "casadi": "import casadi",
    "micrograd": "import micrograd.engine, micrograd.nn",
    "torch:fused": "import torch",
    "jax:jit": "import jax, jax.numpy, optax",
}


def contenders(only: list[str] | None) -> list[Contender]:
    """Return whose import is measured."""
    able = [BY_KEY[key] for key in STATEMENTS]
    return able if only is None else [c for c in able if {c.key, c.engine} & set(only)]


def seconds(python: str, statement: str, own: bool, core: int | None) -> tuple[float, float]:
    """Return wall and processor time of a process that runs one statement."""
    # Bytecode is kept, as on any machine where a library is used twice.
    environment = {k: v for k, v in harness.environment().items() if k != "PYTHONDONTWRITEBYTECODE"}
    pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
    # For ours and for nobody else the project's folder is the first place to look.
    folder = ROOT if own else harness.HERE
    start = time.perf_counter()
    process = subprocess.Popen([python, "-c", statement], cwd=folder, env=environment, preexec_fn=pin)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise harness.WorkerError(f"{statement!r} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def measure(workload: dict[str, Any], options: Any) -> dict[str, Any]:
    """Return figures in the shape of all others; a sample is the difference of a pair of processes."""
    wanted = contenders(options.only)
    found, missing = pythons(options.peer_python, {c.engine for c in wanted})
    reasons = {c.key: missing[c.engine] for c in wanted if c.engine in missing}
    present = {c.key: found[c.engine] for c in wanted if c.engine in found}
    samples: dict[str, list[dict[str, float]]] = {key: [] for key in present}
    for turn in range(options.rounds + 1):
        for key, python in present.items():
            if key in reasons:
                continue
            own = key.startswith("chainrule")
            try:
                numpy = seconds(python, "import numpy", own, options.core)
                both = seconds(python, f"import numpy; {STATEMENTS[key]}", own, options.core)
            except harness.WorkerError as failure:
                reasons[key] = f"failed: {failure}"
                samples.pop(key)
                continue
            if turn:  # the first one fetches files and writes bytecode
                samples[key].append({"wall": both[0] - numpy[0], "cpu": both[1] - numpy[1]})
    figures: dict[str, Any] = harness.summary(samples)
    for key, row in figures.items():
        row.update(version=BY_KEY[key].title, parts={}, ratios={})
        base = statistics.median(r["wall"] for r in samples["chainrule:eager"]) if "chainrule:eager" in samples else 0
        if base:
            row["ratios"]["chainrule:eager"] = {"median": row["seconds"] / base, "of_medians": row["seconds"] / base}
    return {"workload": workload, "figures": figures, "reasons": reasons, "rounds": options.rounds}
