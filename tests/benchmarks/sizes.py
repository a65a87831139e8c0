"""Cost against size: how a step grows with nodes, width, depth and batch, as a table and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import harness
from .peers import BY_KEY, pythons
from .workloads import chain, network

KEYS = ("numpy_plain", "chainrule:eager", "chainrule:replay", "torch:fused")
SLOWER = {"chainrule:replay": 100_000, "torch:fused": 100_000}  # nodes, beyond which one step takes a minute

Axis = tuple[str, list[int], Any]
AXES: dict[str, Axis] = {
    "nodes": ("nodes of a graph of numbers", [100, 1000, 10_000, 100_000, 1_000_000], chain),
    "width": (
        "width, of two hidden layers (batch 64, float32)",
        [8, 16, 32, 64, 128, 256, 512, 1024],
        lambda w: network([64, w, w, 10], 64, "float32", "cross-entropy"),
    ),
    "depth": (
        "hidden layers of 32 (batch 64, float32)",
        [1, 2, 5, 10, 20, 50, 100, 200],
        lambda d: network([64, *[32] * d, 10], 64, "float32", "cross-entropy"),
    ),
    "batch": (
        "rows of a batch (64-64-32-10, float32)",
        [1, 4, 16, 64, 256, 1024, 4096],
        lambda n: network([64, 64, 32, 10], n, "float32", "cross-entropy"),
    ),
}


def measure(options: Any, say: harness.Say) -> dict[str, Any]:
    """Return seconds of a step for every size of every axis; quick ones take the two least sizes."""
    found, missing = pythons(options.peer_python, {BY_KEY[key].engine for key in KEYS})
    reasons = {key: missing[BY_KEY[key].engine] for key in KEYS if BY_KEY[key].engine in missing}
    present = [BY_KEY[key] for key in KEYS if BY_KEY[key].engine in found]
    results: dict[str, Any] = {"axes": {}, "reasons": reasons}
    with harness.workers(present, found, options.core, reasons) as running:
        for name, (title, sizes, workload) in AXES.items():
            seconds: dict[str, dict[str, float]] = {key: {} for key in running}
            for size in sizes[: 2 if options.quick else None]:
                able = {k: p for k, p in running.items() if name != "nodes" or size <= SLOWER.get(k, size)}
                able = harness.ready(able, workload(size), reasons, checked=0)
                long = name == "nodes" and size > 100_000
                rounds = min(3, options.rounds) if long else options.rounds
                samples = harness.measure(able, rounds=rounds, seconds=options.seconds, reasons=reasons, once=long)
                for key, row in harness.summary(samples).items():
                    seconds[key][str(size)] = row["seconds"]
            results["axes"][name] = {"title": title, "seconds": seconds}
            say(table(results["axes"][name]))
    for key, reason in reasons.items():
        say(f"{BY_KEY[key].title}: {reason}")
    return results


def table(axis: dict[str, Any]) -> str:
    """Return milliseconds of every size as text."""
    columns = axis["seconds"]
    lines = [f"{axis['title']}, ms a step", " " * 12 + "".join(f"{BY_KEY[key].title:>24}" for key in columns)]
    for size in next(iter(columns.values()), {}):
        cells = (f"{1e3 * row[size]:24.3f}" if size in row else f"{'-':>24}" for row in columns.values())
        lines.append(f"{int(size):>12,}" + "".join(cells))
    return "\n".join(lines) + "\n"


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw one panel for each axis, both scales logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    for panel, axis in zip(panels.flat, results["axes"].values(), strict=True):
        for key, row in axis["seconds"].items():
            panel.loglog([int(size) for size in row], [1e3 * s for s in row.values()], "o-", label=BY_KEY[key].title)
        panel.set(xlabel=axis["title"], ylabel="ms a step")
        panel.xaxis.set_major_formatter("{x:,.0f}")  # exponents would be too small to read
        panel.yaxis.set_major_formatter("{x:,g}")
        panel.minorticks_off()
        panel.grid(visible=True, which="major", alpha=0.3)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("A whole training step with Adam, one thread; for single numbers forward and backward")
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "chainrule"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
