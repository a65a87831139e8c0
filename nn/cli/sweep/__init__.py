"""``python -m nn sweep``: train on one table with many settings, and compare the results in a table."""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import itertools
import json
import math
import operator
import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autograd.files import append, existing_file, write_atomically
from nn.cli.folder import as_json, csv_text
from nn.cli.options import train_parser
from nn.cli.resuming import locked
from nn.cli.training import Run
from nn.metrics import better
from nn.show.plotting import saved, sweep_figure
from nn.typing import Print, Settings
from nn.validation import similar

from .processes import cores, finished, ranks, run_trial

__all__ = ["sweep"]

PARTS: dict[str, tuple[Any, str]] = {  # types and an example of each part of the configuration
    "table": (str, '"iris.csv"'),
    "base": (dict, '{"hidden": "16,16"}'),
    "grid": (dict, '{"lr": [0.1, 0.01]}'),
    "random": (dict, '{"trials": 20, "lr": {"log": [0.0001, 0.1]}}'),
    "list": (list, '[{"optimizer": "sgd", "lr": 0.1}, {"optimizer": "adam", "lr": 0.01}]'),
    "seeds": (int | list, "[0, 1, 2], or a count"),
    "metric": (str, '"validation accuracy"'),
}
NOT_SETTINGS = ("help", "table", "seed", "out", "resume", "quiet", "json", "columns")  # set by the sweep itself
RANGES: dict[str, Callable[..., float]] = {  # few digits, for readable tables
    "uniform": lambda rng, low, high: float(f"{rng.uniform(low, high):.4g}"),
    "log": lambda rng, low, high: float(f"{math.exp(rng.uniform(math.log(float(low)), math.log(float(high)))):.4g}"),
    "integers": lambda rng, low, high: int(rng.integers(operator.index(low), operator.index(high), endpoint=True)),
}

Options = Mapping[str, argparse.Action]


@dataclass(frozen=True)
class Trial:
    """One training: its settings, and the same as arguments of ``python -m nn train``."""

    number: int
    settings: Settings
    seed: int
    words: tuple[str, ...]
    key: str  # the same for the same settings on the same data, whatever else is in the sweep


@dataclass(frozen=True)
class Sweep:
    """All trials, the names of the settings that vary, and the metric to compare."""

    trials: list[Trial]
    varied: list[str]
    metric: str | None


def read_sweep(path: Path, seed: int = 0) -> Sweep:
    """Read a configuration, and check every setting of every trial.

    Parameters
    ----------
    path : Path
        A JSON file: ``table``, ``base`` settings of ``python -m nn train``, and lists that vary them: ``grid``,
        ``random``, ``list``, ``seeds``, whose choices are all combined.
    seed : int
        The seed of random settings, and the first seed if ``seeds`` is a count.

    Returns
    -------
    Sweep
        Trials in the order of the file, without duplicates.

    Raises
    ------
    ValueError
        If the file is not JSON, contains unknown parts or settings, or `train` rejects the settings of a trial.
    """
    options = {a.dest: a for a in train_parser()._actions if a.dest not in NOT_SETTINGS}
    try:
        config = json.loads(existing_file(path, "configuration").read_text(encoding="utf-8-sig"))
        if not isinstance(config, dict) or "table" not in config:
            raise ValueError('expected an object, {"table": "iris.csv", "base": {...}, "grid": {...}}')
        _only(config, list(PARTS), "part of a sweep")
        for part, given in config.items():
            kind, example = PARTS[part]
            if not isinstance(given, kind):
                raise ValueError(f'"{part}" must be like {example}, not {json.dumps(given):.40}')
        base, axes = _settings(config.get("base", {}), options), _axes(config, options, seed)
        seeds = config.get("seeds", 1)
        seeds = range(seed, seed + seeds) if isinstance(seeds, int) else seeds
        combined = [functools.reduce(operator.or_, choice, base) for choice in itertools.product(*axes)]
        trials = _trials(itertools.product(combined, seeds), config["table"], options)
        if not trials:
            raise ValueError("the choices make no trial: lists must not be empty, and counts must be at least 1")
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    varied = dict.fromkeys(name for axis in axes for chosen in axis for name in chosen)
    return Sweep(trials, list(varied), config.get("metric"))


# ------------------------------------------------------------------------------------------- names and words


def _only(given: Mapping[str, object], known: Sequence[str], what: str) -> None:
    for name in [name for name in given if name not in known]:
        hint = similar(name, known, f"; choose from {', '.join(known)}")
        raise ValueError(f"unknown {what} {name!r}{hint}")


def _settings(given: object, options: Options) -> Settings:
    """Return settings under their Python names, ``batch_size`` for ``batch-size``."""
    if not isinstance(given, dict):
        raise ValueError(f'settings must be an object such as {{"lr": 0.1}}, not {given!r:.40}')
    named = {name.lstrip("-").replace("-", "_"): value for name, value in given.items()}
    _only(named, list(options), "setting of python -m nn train")
    return named


def _words(settings: Settings, options: Options) -> Iterator[str]:
    """Yield the command-line options for settings; `train` checks their values."""
    for name, value in settings.items():
        option, *negative = options[name].option_strings
        if options[name].nargs == 0:
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, not {value!r:.40}")
            yield from [option] if value else negative
        elif name == "drop":
            yield from (f"{option}={column}" for column in (value if isinstance(value, list) else [value]))
        elif isinstance(value, dict):
            yield f"{option}={json.dumps(value)}"
        elif value is not None:
            yield f"{option}={','.join(map(str, value)) if isinstance(value, list) else value}"


# ------------------------------------------------------------------------------------------------ the choices


def _axes(config: Settings, options: Options, seed: int) -> list[list[Settings]]:
    """Return lists of settings, of which every trial has one each: ``list``, each name of ``grid``, and ``random``."""
    grid, given = _settings(config.get("grid", {}), options), dict(config.get("random", {"trials": 1}))
    axes = [[_settings(entry, options) for entry in config.get("list", [{}])]]
    for name, values in grid.items():
        if not isinstance(values, list):
            raise ValueError(f'"grid": {name} must be a list of values to try, not {values!r:.40}')
        axes.append([{name: value} for value in values])
    trials = given.pop("trials", None)
    if not isinstance(trials, int):
        raise ValueError(f'"random" must contain the number of trials, as in {PARTS["random"][1]}')
    ranges = _settings(given, options)
    if twice := set(ranges) & set(grid):
        raise ValueError(f'{min(twice)} is in "grid" and in "random"; remove it from one')
    rng = np.random.default_rng(seed)
    return [*axes, [{name: _drawn(name, values, rng) for name, values in ranges.items()} for _ in range(trials)]]


def _drawn(name: str, values: Any, rng: np.random.Generator) -> Any:
    """Draw from a list or from a uniform, log-uniform or integer range."""
    try:
        if isinstance(values, list):
            return values[int(rng.integers(len(values)))]
        ((kind, (low, high)),) = values.items()
        return RANGES[kind](rng, low, high)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        ranges = '{"uniform": [0, 1]}, {"log": [0.001, 1]} or {"integers": [1, 9]}'
        given = f"{json.dumps(values):.60}"
        raise ValueError(f'"random": {name} must be a list, or a range such as {ranges}, not {given}') from None


def _trials(chosen: Any, table: str, options: Options) -> list[Trial]:
    parser, digest = train_parser(), functools.cache(_digest)
    trials: dict[str, Trial] = {}
    for settings, seed in chosen:
        words = (table, *_words(settings, options), f"--seed={seed}")
        whole = {k: v for k, v in vars(parser.parse_args(words)).items() if k not in ("out", "resume", "quiet", "json")}
        text = json.dumps([whole, digest(table), digest(str(whole["target"]))], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        trials.setdefault(key, Trial(len(trials) + 1, settings, seed, words, key))
    return list(trials.values())


def _digest(name: str) -> str:
    """Return a digest of a file, "" if it does not exist: other data make another trial."""
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


# ---------------------------------------------------------------------------------------------------------- the command


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
    log: Print = (lambda text: None) if args.json or args.quiet else out
    plan = read_sweep(args.config, args.seed)
    metric = _metric(plan)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "trials.jsonl"
    interrupted = False
    with locked(args.out, "sweep"), path.open("ab") as file:
        records = recorded(path, file)
        before = {key for key, record in records.items() if record["status"] == "done" or not args.retry}
        left = [trial for trial in plan.trials if trial.key not in before]
        known = len(plan.trials) - len(left)
        log(f"{len(plan.trials)} trials" + (f", {known} of them finished before" if known else ""))
        workers = max(1, min(args.workers or ranks() or cores(), ranks() or len(left), len(left)))
        calls = [(trial.words, str(args.out / trial.key)) for trial in left]
        try:
            for which, found in finished(run_trial, calls, workers):
                if found["status"] == "interrupted":
                    interrupted = True
                    continue
                trial = left[which]
                own = {"trial": trial.number, "key": trial.key, "settings": trial.settings, "seed": trial.seed}
                records[trial.key] = record = {**own, **found, "folder": str(args.out / trial.key)}
                append(path, json.dumps(record))
                os.fsync(file.fileno())
                known += 1
                log(f"[{known}/{len(plan.trials)}] {_line(record, plan.varied, metric)}")
        except KeyboardInterrupt:
            interrupted = True
        return _report(args, plan, records, metric, interrupted, out)


def _metric(plan: Sweep) -> str:
    """Return the metric to compare; reads the table as the first trial does, to report its faults at once."""
    table, *words = plan.trials[0].words
    words = [table, *(word for word in words if word.startswith(TABLE_OPTIONS))]
    run = Run(train_parser().parse_args(words), lambda text: None)
    run.read()
    names = METRICS["regression" if run.classes is None else "classification"]
    if plan.metric is not None and plan.metric not in names:
        raise ValueError(f"metric {plan.metric!r} is not measured; choose from {', '.join(names)}")
    return plan.metric or names[0]


def _line(record: Settings, varied: list[str], metric: str) -> str:
    chosen = ", ".join(f"{name} {record['settings'][name]}" for name in varied if name in record["settings"])
    which = f"{chosen}, seed {record['seed']}" if chosen else f"seed {record['seed']}"
    if record["status"] == "failed":
        return f"FAILED, {which}: {record['error']}"
    value = record["metrics"].get(metric)
    ended = f" ({record['stopped'].split(':')[0]})" if record["stopped"].startswith("the loss is") else ""
    return f"{metric} {'-' if value is None else format(value, '.4g')} in {record['seconds']:.1f} s, {which}{ended}"


def _report(
    args: argparse.Namespace, plan: Sweep, by_key: dict[str, Settings], metric: str, interrupted: bool, out: Print
) -> int:
    """Write the table, print it with the failed trials, and return the exit status."""
    mine = [by_key[trial.key] for trial in plan.trials if trial.key in by_key]
    failed = [record for record in mine if record["status"] == "failed"]
    done = [record for record in mine if record["status"] == "done"]
    rows = tabulated(plan, by_key, metric)
    files = [args.out / "trials.jsonl", args.out / "table.csv"]
    write_atomically(files[1], csv_text([list(rows[0]), *(row.values() for row in rows)]))
    best = min(done, key=lambda record: rank(record["metrics"].get(metric), metric), default=None)
    if any(rank(row[metric], metric) < math.inf for row in rows):
        with contextlib.suppress(ImportError):  # matplotlib is optional
            saved(sweep_figure(rows, plan.varied, metric), args.out / "sweep.png")
            files.append(args.out / "sweep.png")
    status = 130 if interrupted else 1 if failed else 0
    if args.json:
        counts = {"trials": len(plan.trials), "done": len(done), "failed": len(failed), "interrupted": interrupted}
        errors = [{key: record[key] for key in ("trial", "settings", "seed", "error")} for record in failed]
        named = [str(path) for path in files]
        out(as_json({"metric": metric, **counts, "table": rows, "best": best, "errors": errors, "files": named}))
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


# ---------------------------------------------------------------------------------------------------------- the results


def recorded(path: Path, file: BinaryIO) -> dict[str, Settings]:
    """Return the latest record of every trial by its key, and remove an incomplete last line, which a kill leaves.

    Raises
    ------
    ValueError
        If a line is not a record.
    """
    contents = path.read_bytes()
    whole = contents[: contents.rfind(b"\n") + 1]
    file.truncate(len(whole))
    records: dict[str, Settings] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            record = json.loads(line)
            records[record["key"]] = record
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}, line {number}: not a record of a sweep") from None
    return records


def tabulated(sweep: Sweep, records: Mapping[str, Settings], metric: str) -> list[Settings]:
    """Return a row per choice of settings, averaged over seeds, the best first.

    Examples
    --------
    >>> trial = Trial(1, {"lr": 0.1}, 0, (), "a")
    >>> tabulated(Sweep([trial], ["lr"], None), {"a": {"status": "done", "metrics": {"loss": 0.5}}}, "loss")
    [{'lr': 0.1, 'seeds': 1, 'loss': 0.5, 'deviation': None, 'failed': 0}]
    """
    groups: dict[str, list[Trial]] = {}
    for trial in sweep.trials:
        groups.setdefault(json.dumps(trial.settings, sort_keys=True), []).append(trial)
    test = sorted({name for r in records.values() for name in r.get("metrics", ()) if name.startswith("test ")})
    rows = []
    for trials in groups.values():
        found = [records[trial.key] for trial in trials if trial.key in records]
        done = [record["metrics"] for record in found if record["status"] == "done"]
        row: Settings = {name: _shown(trials[0].settings.get(name)) for name in sweep.varied}
        row["seeds"] = len(done)
        values = [m.get(metric) for m in done]
        row[metric] = _mean(values)
        row["deviation"] = statistics.stdev(values) if len(values) > 1 and None not in values else None
        row |= {name: _mean(m.get(name) for m in done) for name in test if name != metric}
        row["failed"] = sum(record["status"] == "failed" for record in found)
        rows.append(row)
    return sorted(rows, key=lambda row: rank(row[metric], metric))


def rank(value: float | None, metric: str) -> float:
    """Return a sort key: the best value first, missing ones last."""
    if value is None or math.isnan(value):
        return math.inf
    return value if better(metric.split()[-1]) == "lower" else -value


def _mean(values: Iterable[float | None]) -> float | None:
    numbers = list(values)
    return None if not numbers or None in numbers else statistics.fmean(n for n in numbers if n is not None)


def aligned(rows: list[Settings]) -> str:
    """Return rows as text, right-aligned, without uninformative columns.

    Examples
    --------
    >>> print(aligned([{"lr": 0.1, "loss": 0.25}, {"lr": 0.001, "loss": None}]))
       lr  loss
      0.1  0.25
    0.001     -
    """
    idle = set() if any(row.get("failed") for row in rows) else {"failed"}
    if all(row.get("seeds", 1) <= 1 for row in rows):
        idle |= {"seeds", "deviation"}
    names = [name for name in rows[0] if name not in idle]
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _shown(value: Any) -> Any:
    """Return a setting as written on the command line."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
