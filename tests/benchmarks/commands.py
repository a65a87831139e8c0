"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import harness
from .peers import BY_KEY, REQUIRES
from .run import run
from .workloads import WORKLOADS


def core(text: str) -> int | None:
    """Return a core's number; `none` leaves it to the system, `idle` takes the idlest."""
    if text == "idle":
        return harness.idlest_core()
    return None if text == "none" else int(text)


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    engines = ", ".join(BY_KEY)
    top = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    top.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {', '.join(WORKLOADS)}; all if none is named")
    top.add_argument("--only", action="append", metavar="ENGINE", help=f"compare these alone, of {engines}")
    top.add_argument(
        "--peer-python", action="append", default=[], metavar="NAME=PYTHON", help=f"where a peer of {', '.join(REQUIRES)} lives"
    )
    top.add_argument("--rounds", type=int, default=15, help="how often all take their turn (%(default)s)")
    top.add_argument("--seconds", type=float, default=0.05, help="how long a turn lasts (%(default)s)")
    top.add_argument("--memory", action="store_true", help="measure memory too, as without any WORKLOAD")
    top.add_argument("--core", default="idle", help="pin everybody to this core; 'idle' (default) or 'none'")
    top.add_argument("--json", action="store_true", help="print JSON, the tables go to stderr")
    top.add_argument("-o", "--out", type=Path, help="write the JSON to a file as well")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if every engine that took part computed the same numbers, 1 if not, 2 for a wrong command."""
    options = parser().parse_args(arguments)
    unknown = [name for name in options.workloads if name not in WORKLOADS]
    if unknown:
        print(f"unknown workload {', '.join(unknown)}; choose from {', '.join(WORKLOADS)}", file=sys.stderr)
        return 2
    options.memory = options.memory or not options.workloads
    options.workloads = options.workloads or list(WORKLOADS)
    options.core = core(options.core)

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    try:
        results = run(options, say)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    text = json.dumps(results, indent=1)
    if options.json:
        print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    return 1 if faults(results) else 0


def faults(results: dict[str, Any]) -> list[str]:
    """Return who computed other numbers, and which of ours failed; that a peer has limits is no fault."""
    found = []
    for name, result in results["workloads"].items():
        for key, reason in result["reasons"].items():
            ours = key.startswith(("chainrule", "numpy"))
            if reason.startswith("wrong") or (ours and reason.startswith(("failed", "does not start"))):
                found.append(f"{name}: {key} {reason}")
    return found
