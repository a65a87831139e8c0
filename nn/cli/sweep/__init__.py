"""``python -m nn sweep``: train on one table with many settings, and compare the results."""

import argparse
import contextlib
import math

from nn.cli.folder import as_json, csv_text
from nn.cli.options import train_parser
from nn.cli.resuming import locked
from nn.cli.training import Run, make_folder
from nn.files import write_text
from nn.show.plotting import saved, sweep_figure
from nn.typing import Print

from .config import Sweep, read_sweep
from .processes import cores, finished, ranks, run_trial
from .results import Records, Row, aligned, rank, tabulated

__all__ = ["sweep"]

MAX_ROWS = 20
TABLE_OPTIONS = (
    "--target", "--task", "--drop", "--kinds", "--missing", "--delimiter", "--header", "--no-header", "--encoding",
)  # fmt: skip
METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("validation accuracy", "validation loss", "test accuracy", "test f1", "accuracy", "loss"),
    "regression": ("validation r2", "validation loss", "test r2", "test mae", "test rmse", "r2", "loss"),
}


def sweep(args: argparse.Namespace, out: Print) -> int:
    """Run the command; return its exit status: 1 if a trial failed, 130 after Ctrl-C."""
    log = _ignore if args.json or args.quiet else out
    plan = read_sweep(args.config, args.seed)
    make_folder(args.out, make=False)
    metric = _metric(plan)
    make_folder(args.out)
    with locked(args.out, "sweep"), Records(args.out / "trials.jsonl") as records:
        before = {key for key, r in records.by_key.items() if r["status"] == "done" or not args.retry}
        left = [trial for trial in plan.trials if trial.key not in before]
        known = len(plan.trials) - len(left)
        log(f"{len(plan.trials)} trials" + (f", {known} of them finished before" if known else ""))
        workers = max(1, min(args.workers or ranks() or cores(), ranks() or len(left), len(left)))
        calls = [(trial.words, str(args.out / trial.key)) for trial in left]
        interrupted = False
        try:
            for which, found in finished(run_trial, calls, workers):
                if found["status"] == "interrupted":
                    interrupted = True
                    continue
                record = records.add(left[which], found, args.out / left[which].key)
                known += 1
                log(f"[{known}/{len(plan.trials)}] {_line(record, plan.varied, metric)}")
        except KeyboardInterrupt:
            interrupted = True
        return _report(args, plan, records.by_key, metric, interrupted, out)


def _ignore(text: str) -> None:
    """Print nothing."""


def _metric(plan: Sweep) -> str:
    """Return the metric to compare; reads the table as the first trial does, to report its faults at once."""
    table, *words = plan.trials[0].words
    run = Run(train_parser().parse_args([table, *(w for w in words if w.startswith(TABLE_OPTIONS))]), _ignore)
    run.read()
    names = METRICS["regression" if run.classes is None else "classification"]
    if plan.metric is not None and plan.metric not in names:
        raise ValueError(f"metric {plan.metric!r} is not measured; choose from {', '.join(names)}")
    return plan.metric or names[0]


def _line(record: Row, varied: list[str], metric: str) -> str:
    chosen = ", ".join(f"{name} {record['settings'][name]}" for name in varied if name in record["settings"])
    which = f"{chosen}, seed {record['seed']}" if chosen else f"seed {record['seed']}"
    if record["status"] == "failed":
        return f"FAILED, {which}: {record['error']}"
    value = record["metrics"].get(metric)
    ended = f" ({record['stopped'].split(':')[0]})" if record["stopped"].startswith("the loss is") else ""
    return f"{metric} {'-' if value is None else format(value, '.4g')} in {record['seconds']:.1f} s, {which}{ended}"


def _report(
    args: argparse.Namespace, plan: Sweep, by_key: dict[str, Row], metric: str, interrupted: bool, out: Print
) -> int:
    """Write the table, print it with the failed trials, and return the exit status."""
    mine = [by_key[trial.key] for trial in plan.trials if trial.key in by_key]
    failed = [record for record in mine if record["status"] == "failed"]
    done = [record for record in mine if record["status"] == "done"]
    rows = tabulated(plan, by_key, metric)
    files = [args.out / "trials.jsonl", args.out / "table.csv"]
    write_text(files[1], csv_text([list(rows[0]), *(row.values() for row in rows)]))
    best = min(done, key=lambda record: rank(record["metrics"].get(metric), metric), default=None)
    if any(rank(row[metric], metric) < math.inf for row in rows):
        with contextlib.suppress(ImportError):  # matplotlib is optional
            saved(sweep_figure(rows, plan.varied, metric), args.out / "sweep.png")
            files.append(args.out / "sweep.png")
    status = 130 if interrupted else 1 if failed else 0
    if args.json:
        result = {
            "metric": metric, "trials": len(plan.trials), "done": len(done), "failed": len(failed),
            "interrupted": interrupted, "table": rows, "best": best,
            "errors": [{key: record[key] for key in ("trial", "settings", "seed", "error")} for record in failed],
            "files": [str(path) for path in files],
        }  # fmt: skip
        out(as_json(result))
        return status
    more = f"\n... and {len(rows) - MAX_ROWS} more in {files[1]}" if len(rows) > MAX_ROWS else ""
    out(aligned(rows[:MAX_ROWS]) + more)
    if best is not None:
        out(f"best single trial: {_line(best, plan.varied, metric)}; its model is in {best['folder']}/")
    for record in failed[:MAX_ROWS]:
        out(f"trial {record['trial']}: {_line(record, plan.varied, metric)}")
    out(f"wrote {args.out}/: " + ", ".join(path.name for path in files))
    if failed:
        out(f"{len(failed)} of {len(mine)} trials failed; --retry repeats them")
    if interrupted:
        out(f"{len(mine)} of {len(plan.trials)} trials are finished; repeat the command to continue")
    return status
