"""Measure workloads and keep what was found, with the machine and everything that took no part and why."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from . import goals, harness, imports, memory
from .peers import BY_KEY, CONTENDERS, Contender, pythons
from .workloads import WORKLOADS

BASES = ("numpy_plain", "numpy_optimised", "chainrule:eager", "chainrule:replay")
JUDGED = (*BASES, "chainrule:replay without numba", "chainrule:step", "chainrule:many")  # goals are set for these


LONG_CHAIN = 200_000  # nodes, beyond which some peers take minutes


def machine() -> dict[str, Any]:
    """Return what figures depend on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }


def chosen(kind: str, only: list[str] | None) -> list[Contender]:
    """Return the contenders for a kind of workload, all or those named (`torch`, `torch:fused`)."""
    able = [c for c in CONTENDERS if kind in c.kinds]
    return able if only is None else [c for c in able if {c.key, c.engine} & set(only)]


def steps(workload: dict[str, Any], options: Any) -> dict[str, Any]:
    """Return the figures of one workload."""
    long = workload.get("nodes", 0) > LONG_CHAIN
    alone = workload["kind"] == "moons" and not workload["update"]
    contenders = chosen("long chain" if long else "gradient" if alone else workload["kind"], options.only)
    found, missing = pythons(options.peer_python, {c.engine for c in contenders})
    reasons = {c.key: missing[c.engine] for c in contenders if c.engine in missing}
    present = [c for c in contenders if c.engine in found]
    rounds = min({"chain": 3, "moons": 9}.get(workload["kind"], options.rounds), options.rounds)
    with harness.workers(present, found, options.core, reasons) as running:
        able = harness.ready(running, workload, reasons, checked=0 if long else 3)
        samples = harness.measure(able, rounds=rounds, seconds=options.seconds, reasons=reasons, once=long)
        able = {key: process for key, process in able.items() if key in samples}
        parts = {key: process.ask("parts", steps=options.rounds * 5) for key, process in able.items()}
        more = growth(able, samples, workload, rounds) if long else {}
        versions = {key: process.about["version"] for key, process in able.items()}
    figures: dict[str, Any] = harness.summary(samples)
    for key, row in figures.items():
        ratios = {base: harness.ratio(samples, key, base) for base in JUDGED}
        row.update(version=versions[key], parts=parts[key], ratios={b: r for b, r in ratios.items() if r})
        row.update(more.get(key, {}))
    return {"workload": workload, "figures": figures, "reasons": reasons, "rounds": rounds}


def growth(
    able: dict[str, harness.Process], samples: dict[str, list[dict[str, float]]], workload: dict[str, Any], rounds: int
) -> dict[str, dict[str, float]]:
    """Return how much longer a chain ten times as long takes, and, for ours, its bytes a node."""
    tenth = {**workload, "nodes": workload["nodes"] // 10}
    short = harness.ready(able, tenth, {}, checked=0)
    times = harness.measure(short, rounds=rounds, seconds=0.0, reasons={}, once=True)
    found = {}
    for key, rows in times.items():
        long, brief = ([row["cpu"] for row in runs] for runs in (samples[key], rows))
        found[key] = {"growth": statistics.median(long) / statistics.median(brief)}
        if key.startswith("chainrule"):
            answer = able[key].ask("memory", workload=tenth)
            found[key]["bytes_a_node"] = (answer["peak"] - answer["held"]) / tenth["nodes"]
    return found


def run(options: Any, say: harness.Say) -> dict[str, Any]:
    """Return the figures of all workloads asked for."""
    results: dict[str, Any] = {"machine": machine(), "workloads": {}}
    for name in options.workloads:
        workload = WORKLOADS[name]
        say(f"{name}: {workload['title']}")
        measured = imports.measure(workload, options) if name == "import" else steps(workload, options)
        results["workloads"][name] = measured
        say(table(measured))
    if options.memory:
        results["memory"] = memory.measure(options)
        say(memory.table(results["memory"]))
    if goals.verdicts(results):
        say(goals.table(results))
    return results


def engineering(seconds: float) -> str:
    """Return a time with a unit: 12.3 us, 4.56 ms, 1.23 s."""
    for unit, factor in (("us", 1e6), ("ms", 1e3), ("s", 1.0)):
        value = seconds * factor
        if value < 1000 or unit == "s":
            break
    return f"{value:.{max(0, 3 - len(str(int(value))))}f} {unit}"


def table(result: dict[str, Any]) -> str:
    """Return the figures of one workload as text: each contender's step, and ours as a multiple of it."""
    figures = result["figures"]
    width = max([len(BY_KEY[key].title) for key in (*figures, *result["reasons"])], default=0)
    columns = [base for base in BASES if base in figures]
    heads = {"numpy_plain": "/ NumPy", "numpy_optimised": "/ buffers", "chainrule:eager": "eager is",
             "chainrule:replay": "replay is"}  # fmt: skip
    lines = [" " * (width + 2) + f"{'a step':>10}{'quartiles':>20}" + "".join(f"{heads[c]:>11}" for c in columns)]
    for key, row in figures.items():
        low, high = map(engineering, row["quartiles"])
        cells = []
        for base in columns:
            value = row["ratios"][base]["median"]
            cells.append(f"{1 / value if base.startswith('chainrule') else value:10.2f}x")
        times = f"{engineering(row['seconds']):>10}{low + ' .. ' + high:>20}"
        busy = "  (waited: ratios by processor time)" if harness.waited(row) else ""
        lines.append(f"  {BY_KEY[key].title:<{width}}{times}{''.join(cells)}{busy}")
    lines += [f"  {BY_KEY[key].title:<{width}}  {reason}" for key, reason in result["reasons"].items()]
    shares = [f"    {BY_KEY[k].title}: " + ", ".join(f"{n} {engineering(s)}" for n, s in row["parts"].items())
              for k, row in figures.items() if row["parts"]]  # fmt: skip
    lines += [f"    {BY_KEY[key].title}: {row['growth']:.1f} times the time of a tenth"
              + (f", {row['bytes_a_node']:.0f} bytes a node" if "bytes_a_node" in row else "")
              for key, row in figures.items() if "growth" in row]  # fmt: skip
    return "\n".join([*lines, *(["  parts of a step:"] if shares else []), *shares]) + "\n"
