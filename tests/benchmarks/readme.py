"""README's figures, written from the committed measurement so that they cannot drift from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .harness import waited
from .peers import ROOT
from .run import engineering

RESULTS = Path(__file__).resolve().parent / "results.json"
README = ROOT / "README.md"
BEGIN = "<!-- made by `python -m tests.benchmarks table` from tests/benchmarks/results.json -->"
END = "<!-- end of what is made -->"

FASTER_JAX = ("jax:jit", "jax:synchronous")
COLUMNS = {
    "by hand": ("numpy_plain",),
    "by hand, with buffers": ("numpy_optimised",),
    "eager": ("chainrule:eager",),
    "replay": ("chainrule:replay",),
    "native step": ("chainrule:step",),
    "native, 20 steps": ("chainrule:many",),
    "PyTorch, fused Adam": ("torch:fused",),
    "JAX jit, optax": FASTER_JAX,
    "JAX scan, 20 steps": ("jax:scan",),
    "MyGrad": ("mygrad",),
    "HIPS autograd": ("hips",),
    "CasADi": ("casadi",),
}
SCALARS = {
    "eager": ("chainrule:eager",),
    "replay, NumPy alone": ("chainrule:replay without numba",),
    "replay, with numba": ("chainrule:replay",),
    "micrograd": ("micrograd",),
    "CasADi": ("casadi",),
}


def least(figures: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the figures of the fastest of some contenders that took part."""
    return min((figures[key] for key in keys if key in figures), key=lambda row: row["seconds"], default=None)


def time(row: dict[str, Any]) -> str:
    """Return the time of a step, of the processor alone where others used it too."""
    return engineering(row["cpu"] if waited(row) else row["seconds"])


def multiple(row: dict[str, Any] | None) -> str:
    """Return how many times as long as NumPy by hand a step takes."""
    if row is None:
        return "-"
    value = row["ratios"]["numpy_plain"]["median"]
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table."""
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def networks(workloads: dict[str, Any]) -> list[str]:
    """Return the table of whole training steps, as multiples of NumPy by hand."""
    measured = [w for w in workloads.values() if w["workload"]["kind"] == "network"]
    columns = {title: keys for title, keys in COLUMNS.items() if any(least(w["figures"], keys) for w in measured)}
    rows = []
    for result in measured:
        figures = result["figures"]
        cells = [multiple(least(figures, keys)) for keys in columns.values()]
        cells[0] = f"1 ({time(figures['numpy_plain'])})"
        rows.append([result["workload"]["title"].removeprefix("MLP "), *cells])
    return markdown(["network", *columns], rows)


def scalars(workloads: dict[str, Any]) -> list[str]:
    """Return the table of micrograd's step on single numbers, in time."""
    figures = workloads["moons"]["figures"]
    present = {title: row for title, keys in SCALARS.items() if (row := least(figures, keys))}
    times = [time(row) for row in present.values()]
    return markdown(["micrograd's moons step", *present], [["65,000 nodes", *times]])


def block(results: dict[str, Any]) -> str:
    """Return all that stands between the two marks."""
    machine, workloads = results["machine"], results["workloads"]
    measured = [w for w in workloads.values() if w["workload"]["kind"] != "import"]
    versions = {v for w in measured for row in w["figures"].values() for v in row["version"].split(", ")}
    imported = workloads["import"]["figures"]["chainrule:eager"]["cpu"]
    long = workloads["chain"]["figures"]["chainrule:eager"]
    return "\n".join(
        [
            *networks(workloads),
            "",
            *scalars(workloads),
            "",
            f"`import autograd, nn, optim` costs {imported * 1e3:.0f} ms over `import numpy`.  A chain of 1,000,000"
            f" `Value`s goes forward and backward in {engineering(long['cpu'])} of processor time, at"
            f" {long['bytes_a_node']:.0f} bytes a node.",
            "",
            f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {', '.join(sorted(versions))};"
            f" {machine['date']}.",
        ]
    )


def load() -> dict[str, Any]:
    """Return the committed measurement."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def rewritten(text: str, results: dict[str, Any]) -> str:
    """Return a document with its block made anew."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks its marks {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{block(results)}\n\n{END}{after}"


def write() -> bool:
    """Make README's block anew; return whether it changed."""
    old = README.read_text(encoding="utf-8")
    new = rewritten(old, load())
    README.write_text(new, encoding="utf-8")
    return old != new
