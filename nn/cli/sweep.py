"""``python -m nn sweep``: many trainings of one table, side by side, and which settings did best."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .options import train_parser
from .sweep_config import Sweep, Trial, read_sweep
from .sweep_pool import cores, finished, ranks
from .sweep_results import Records, Row, aligned, rank, tabulated, write_csv
from .sweep_worker import run_trial
from .training import Run, make_folder

__all__ = ["sweep"]

SHOWN_ROWS = 20
HOW_READ = ("--target", "--task", "--drop", "--delimiter", "--no-header")
METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("validation accuracy", "validation loss", "test accuracy", "test f1", "accuracy", "loss"),
    "regression": ("validation r2", "validation loss", "test r2", "test mae", "test rmse", "r2", "loss"),
}


def sweep(args: argparse.Namespace, say: Any, out: Any) -> int:
    """Run the command; return its exit status: 1 if a trial failed, 130 after Ctrl-C."""
    if args.json or args.quiet:
        say = _nothing
    plan = read_sweep(args.config, args.seed)
    make_folder(args.out, make=False)
    metric = _metric(plan)
    make_folder(args.out)
    with Records(args.out / "trials.jsonl") as records:
        before = {key for key, r in records.by_key.items() if r["status"] == "done" or not args.retry}
        left = [trial for trial in plan.trials if trial.key not in before]
        known = len(plan.trials) - len(left)
        say(f"{len(plan.trials)} trials" + (f", {known} of them finished before" if known else ""))
        try:
            interrupted = _run(args, plan, left, records, metric, say)
        except KeyboardInterrupt:
            interrupted = True
        return _told(args, plan, records.by_key, metric, interrupted, out)


def _nothing(text: str) -> None:
    """Say nothing."""


def _metric(plan: Sweep) -> str:
    """Return what is compared; the table is read for that, so that one that no trial can use is said at once."""
    readings = {tuple(w for w in trial.words if w.startswith(HOW_READ)): trial.words[0] for trial in plan.trials}
    faults: list[ValueError] = []
    for words, table in readings.items():
        run = Run(train_parser().parse_args([table, *words]), _nothing)
        try:
            run.read()
            break
        except ValueError as error:
            faults.append(error)
    else:
        raise faults[0]
    names = METRICS["regression" if run.classes is None else "classification"]
    if plan.metric is not None and plan.metric not in names:
        raise ValueError(f"metric {plan.metric!r} is not measured here; there are {', '.join(names)}")
    return plan.metric or names[0]


def _run(args: Any, plan: Sweep, left: list[Trial], records: Records, metric: str, say: Any) -> bool:
    """Run trials and write each down as it ends; return whether one was interrupted."""
    interrupted = False
    folders = [args.out / trial.key for trial in left]
    calls = [(trial.words, str(folder)) for trial, folder in zip(left, folders, strict=True)]
    workers = max(1, min(args.workers or ranks() or cores(), ranks() or len(left), len(left)))
    done = len(plan.trials) - len(left)
    for which, found in finished(run_trial, calls, workers):
        if found["status"] == "interrupted":
            interrupted = True
            continue
        record = records.add(left[which], found, folders[which])
        done += 1
        say(f"[{done}/{len(plan.trials)}] {_line(record, plan.varied, metric)}")
    return interrupted


def _line(record: Row, varied: list[str], metric: str) -> str:
    chosen = ", ".join(f"{name} {record['settings'][name]}" for name in varied if name in record["settings"])
    which = f"{chosen}, seed {record['seed']}" if chosen else f"seed {record['seed']}"
    if record["status"] == "failed":
        return f"FAILED, {which}: {record['error']}"
    value = record["metrics"].get(metric)
    ended = f" ({record['stopped'].split(':')[0]})" if record["stopped"].startswith("the loss is") else ""
    return f"{metric} {'-' if value is None else format(value, '.4g')} in {record['seconds']:.1f} s, {which}{ended}"


def _told(args: Any, plan: Sweep, by_key: dict[str, Row], metric: str, interrupted: bool, out: Any) -> int:
    """Write the table, print it with what failed, and return the exit status."""
    mine = [by_key[trial.key] for trial in plan.trials if trial.key in by_key]
    failed = [record for record in mine if record["status"] == "failed"]
    done = [record for record in mine if record["status"] == "done"]
    rows = tabulated(plan, by_key, metric)
    files = [args.out / "trials.jsonl", args.out / "table.csv"]
    write_csv(files[1], rows)
    best = min(done, key=lambda record: rank(record["metrics"].get(metric), metric), default=None)
    status = 130 if interrupted else 1 if failed else 0
    if args.json:
        result = {
            "metric": metric, "trials": len(plan.trials), "done": len(done), "failed": len(failed),
            "interrupted": interrupted, "table": rows, "best": best,
            "errors": [{key: record[key] for key in ("trial", "settings", "seed", "error")} for record in failed],
            "files": [str(path) for path in files],
        }  # fmt: skip
        out(json.dumps(result, indent=2))
        return status
    more = f"\n... and {len(rows) - SHOWN_ROWS} more in {files[1]}" if len(rows) > SHOWN_ROWS else ""
    out(aligned(rows[:SHOWN_ROWS]) + more)
    if best is not None:
        out(f"best single trial: {_line(best, plan.varied, metric)}; its model is in {best['folder']}/")
    for record in failed[:SHOWN_ROWS]:
        out(f"trial {record['trial']}: {_line(record, plan.varied, metric)}")
    out(f"wrote {args.out}/: " + ", ".join(path.name for path in files))
    if failed:
        out(f"{len(failed)} of {len(mine)} trials failed; --retry runs them again")
    if interrupted:
        out(f"{len(mine)} of {len(plan.trials)} trials are finished; the same command goes on from there")
    return status
