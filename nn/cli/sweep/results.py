"""The results of a sweep: a line of JSON per trial, written as it ends, and a table."""

import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

from nn.metrics import better

from .config import Sweep, Trial

Row = dict[str, Any]


class Records:
    """The file of results; trials that it contains are not repeated.

    Parameters
    ----------
    path : Path
        A file of JSON lines.

    Attributes
    ----------
    by_key : dict
        The latest record of every trial.

    Raises
    ------
    ValueError
        If a line is not a record.
    """

    def __init__(self, path: Path) -> None:
        contents = path.read_bytes() if path.exists() else b""
        whole = contents[: contents.rfind(b"\n") + 1]  # a truncated last line belongs to a trial to repeat
        self.by_key: dict[str, Row] = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                self.by_key[record["key"]] = record
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{path}, line {number}: not a record of a sweep") from None
        self._file: BinaryIO = path.open("ab", buffering=0)  # unbuffered: a kill truncates at most one line
        self._file.truncate(len(whole))

    def add(self, trial: Trial, found: Mapping[str, object], folder: Path) -> Row:
        """Write the record of a trial to the disk, and return it."""
        record = {
            "trial": trial.number, "key": trial.key, "settings": trial.settings, "seed": trial.seed, **found,
            "folder": str(folder),
        }  # fmt: skip
        self._file.write(json.dumps(record).encode() + b"\n")
        os.fsync(self._file.fileno())
        self.by_key[trial.key] = record
        return record

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()


def tabulated(sweep: Sweep, records: Mapping[str, Row], metric: str) -> list[Row]:
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
        row: Row = {name: _shown(trials[0].settings.get(name)) for name in sweep.varied}
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


def aligned(rows: list[Row]) -> str:
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
