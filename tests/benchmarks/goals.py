"""What the project set out to reach, as ratios within one run, and what became of it."""

from __future__ import annotations

from typing import Any

FUSED, JAX, SCAN = ("torch:fused",), ("jax:jit", "jax:synchronous"), ("jax:scan",)
# workload, ours, the faster of these, at most so many times their time
GOALS = (
    ("tiny", "chainrule:eager", FUSED, 0.4),
    ("tiny", "chainrule:eager", ("numpy_plain",), 1.4),
    ("tiny", "chainrule:replay", JAX, 0.6),
    ("small", "chainrule:eager", FUSED, 0.5),
    ("small", "chainrule:eager", ("numpy_plain",), 1.2),
    ("small", "chainrule:replay", JAX, 0.75),
    ("large", "chainrule:eager", FUSED, 1.3),
    ("large", "chainrule:replay", FUSED + JAX, 1.05),
    ("tiny", "chainrule:step", JAX, 0.2),
    ("tiny", "chainrule:many", SCAN, 0.6),
    ("small", "chainrule:step", JAX, 0.45),
    ("small", "chainrule:many", SCAN, 0.6),
    ("large", "chainrule:step", FUSED + JAX, 1.0),
    ("large", "chainrule:many", SCAN, 1.05),
    ("moons", "chainrule:eager", ("micrograd",), 0.2),
    ("moons-gradient", "chainrule:replay", ("casadi",), 0.35),
    ("moons", "chainrule:replay without numba", ("micrograd",), 1 / 30),
)
# workload, ours, what is limited, limit; in processor time, which does not grow when others use the machine
LIMITS = (
    ("import", "chainrule:eager", "cpu", 0.050),
    ("chain", "chainrule:eager", "cpu", 6.0),
    ("chain", "chainrule:eager", "bytes_a_node", 450.0),
    ("chain", "chainrule:eager", "growth", 12.0),
)


def against(figures: dict[str, Any], ours: str, theirs: tuple[str, ...]) -> tuple[str, float] | None:
    """Return the fastest of the others and our time as a multiple of its, by the medians of the rounds' ratios."""
    present = [key for key in theirs if key in figures and ours in figures[key]["ratios"]]
    if ours not in figures or not present:
        return None
    fastest = min(present, key=lambda key: figures[key]["seconds"])
    return fastest, 1 / figures[fastest]["ratios"][ours]["median"]


def verdicts(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for every goal that this run says something about what was reached."""
    found = []
    for name, ours, theirs, limit in GOALS:
        compared = against(results["workloads"].get(name, {"figures": {}})["figures"], ours, theirs)
        if compared:
            row = {"workload": name, "ours": ours, "against": compared[0], "reached": compared[1], "limit": limit}
            found.append({**row, "met": compared[1] <= limit})
    for name, ours, what, limit in LIMITS:
        row = results["workloads"].get(name, {"figures": {}})["figures"].get(ours, {})
        if what in row:
            found.append({"workload": name, "ours": ours, "against": what, "reached": row[what], "limit": limit,
                          "met": row[what] <= limit})  # fmt: skip
    return found


def table(results: dict[str, Any]) -> str:
    """Return the verdicts as text."""
    rows = verdicts(results)
    lines = [
        f"  {row['workload']:<16}{row['ours']:<34}{row['against']:<18}{row['reached']:>10.3g}"
        f"  goal {row['limit']:<8.3g}{'met' if row['met'] else 'MISSED'}"
        for row in rows
    ]
    return "\n".join([f"goals: {sum(row['met'] for row in rows)} of {len(rows)} met", *lines]) + "\n"
