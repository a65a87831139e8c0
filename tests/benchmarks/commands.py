"""Measure training steps beside NumPy by hand and every peer that is there, each in a process of its own.

python -m tests.benchmarks                      all workloads, and memory
python -m tests.benchmarks tiny small           some
python -m tests.benchmarks memory               bytes at the height of a step
python -m tests.benchmarks sizes -o out/sizes.svg   cost against nodes, width, depth and batch
python -m tests.benchmarks table                README's figures from tests/benchmarks/results.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import harness, readme, sizes
from .peers import BY_KEY, REQUIRES, VARIABLE
from .run import run
from .workloads import WORKLOADS

ALONE = ("memory", "sizes", "table")


def core(text: str) -> int | None:
    """Return a core's number; `none` leaves it to the system, `idle` takes the idlest."""
    if text == "idle":
        return harness.idlest_core()
    return None if text == "none" else int(text)


def at_least_one(text: str) -> int:
    """Return a count."""
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{count} is no count; take 1 or more")
    return count


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    top = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = f"{', '.join(WORKLOADS)}; or one of {', '.join(ALONE)}"
    top.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"{names}; all workloads if none is named")
    top.add_argument("--only", action="append", metavar="ENGINE", help=f"compare these alone: {', '.join(BY_KEY)}")
    top.add_argument(
        "--peer-python",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help=f"where a peer lives ({', '.join(REQUIRES)}); also read from {VARIABLE}",
    )
    top.add_argument("--rounds", type=at_least_one, default=15, help="how often all take their turn (%(default)s)")
    top.add_argument("--seconds", type=float, default=0.05, help="how long a turn lasts (%(default)s)")
    top.add_argument("--quick", action="store_true", help="with sizes: the least sizes alone")
    top.add_argument("--core", default="idle", help="pin everybody to this core; 'idle' (default) or 'none'")
    top.add_argument("--json", action="store_true", help="print JSON, the tables go to stderr")
    top.add_argument("-o", "--out", type=Path, help="write the JSON there; with sizes the picture, JSON beside it")
    top.add_argument("--update", action="store_true", help="keep in --out what this run does not measure")
    return top


def wanted(options: argparse.Namespace) -> str | None:
    """Return what is wrong with the arguments, None if nothing is."""
    unknown = [name for name in options.workloads if name not in (*WORKLOADS, *ALONE)]
    if unknown:
        return f"unknown workload {', '.join(unknown)}; choose from {', '.join((*WORKLOADS, *ALONE))}"
    if set(options.workloads) & set(ALONE) and len(options.workloads) > 1:
        return f"{' and '.join(ALONE)} stand alone; leave out the others"
    strange = set(options.only or ()) - {c.engine for c in BY_KEY.values()} - set(BY_KEY)
    return f"unknown engine {', '.join(sorted(strange))}; choose from {', '.join(BY_KEY)}" if strange else None


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if every engine that took part computed the same numbers, 1 if not, 2 for a wrong command."""
    options = parser().parse_args(arguments)
    fault = wanted(options)
    if fault:
        print(fault, file=sys.stderr)
        return 2

    def say(text: str) -> None:
        print(text, file=sys.stderr if options.json else sys.stdout, flush=True)

    if options.workloads == ["table"]:
        say("README.md is made anew" if readme.write() else "README.md says so already")
        return 0
    try:
        options.core = core(options.core)
        drawn = options.workloads == ["sizes"]
        options.memory = options.workloads in ([], ["memory"])
        options.workloads = [] if options.workloads == ["memory"] else options.workloads or list(WORKLOADS)
        results = sizes.measure(options, say) if drawn else run(options, say)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    keep(results, options, drawn)
    return 1 if faults(results.get("workloads", {"sizes": results})) else 0


def keep(results: dict[str, Any], options: argparse.Namespace, drawn: bool) -> None:
    """Print and write what was asked for."""
    if options.update and options.out and options.out.exists():
        old = json.loads(options.out.read_text(encoding="utf-8"))
        results = {**old, **results, "workloads": {**old["workloads"], **results["workloads"]}}
    text = json.dumps(results, indent=1)
    if options.json:
        print(text)
    if options.out:
        path = options.out.with_suffix(".json") if drawn else options.out
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
        if drawn and path != options.out:
            sizes.plot(results, options.out)


def faults(workloads: dict[str, Any]) -> list[str]:
    """Return who computed other numbers, and which of ours failed; that a peer has limits is no fault."""
    found = []
    for name, result in workloads.items():
        for key, reason in result["reasons"].items():
            ours = key.startswith(("chainrule", "numpy"))
            if reason.startswith("wrong") or (ours and reason.startswith(("failed", "does not start"))):
                found.append(f"{name}: {key} {reason}")
    return found
