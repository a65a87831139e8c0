"""The page of a training on a table: result, data, scores, calibration, importance, epochs and diagnosis."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autograd.files import write_atomically
from nn import metrics
from nn.data.notation import MISSING
from nn.show import plotting
from nn.show.summary import html_table
from nn.training import History
from nn.training.history import format_numbers
from nn.training.monitor import Monitor
from nn.training.monitor.report import document, monitored
from nn.training.scores import baselines, calibration, intervals, permutation_importance, scores, verdict
from nn.typing import Array, Figure, Settings

from .folder import Trained
from .resuming import UNRELATED

MAX_LINES = 30  # of the columns of a table
MOST_CELLS = 20_000_000  # rows times columns predicted for the importance of columns


@dataclass
class Assessment:
    """A model on its test rows: scores with intervals, those of baselines, a verdict, and the importance of columns.

    Parameters
    ----------
    run : Trained
        The model.
    train, test : (ndarray, ndarray)
        Scaled features and targets, in the units of the table.
    """

    run: Trained
    train: tuple[Array, Array]
    test: tuple[Array, Array]
    rows: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (X, y), (X_test, true) = self.train, self.test
        self.predicted: Array = self.run.outputs(X_test)
        self.intervals: dict[str, tuple[float, float]] = intervals(self.predicted, true)
        others = baselines(X, y, X_test, self.run.classes, self.run.encoder.levels)
        for name, predicted in {"this model": self.predicted, **others}.items():
            self.rows[name] = {key: float(value) for key, value in scores(predicted, true).items()}
        self.verdict: str = verdict(self.predicted, true, others)
        groups = self.run.encoder.groups()
        fits = X_test.size * len(groups) * 5 <= MOST_CELLS
        self.importance: dict[str, tuple[float, float]] = (
            permutation_importance(self.run.outputs, X_test, true, groups) if fits else {}
        )

    def result(self) -> Settings:
        """Return everything as plain data."""
        return {
            "intervals": {key: list(pair) for key, pair in self.intervals.items()},
            "baselines": {name: row for name, row in self.rows.items() if name != "this model"},
            "verdict": self.verdict, "importance": {name: list(drop) for name, drop in self.importance.items()},
        }  # fmt: skip

    def figure(self) -> Figure:
        """Return the confusion matrix, or predictions against true values."""
        true = self.test[1]
        key, score = next(iter(self.rows["this model"].items()))
        title = f"{len(true)} test rows: {format_numbers({key: score})}"
        if self.run.classes is None:
            return plotting.scatter_figure(self.predicted, true, title, self.run.target)
        counts = metrics.confusion_matrix(self.predicted, true, len(self.run.classes))
        return plotting.confusion_figure(counts, self.run.classes, title)

    def parts(self) -> list[str]:
        """Return scores, result, calibration and importance as parts of a page."""
        names = list(self.intervals)
        body: list[list[object]] = [[model, *row.values()] for model, row in self.rows.items()]
        body.insert(1, ["95 % interval", *(f"{low:.3g} to {high:.3g}" for low, high in self.intervals.values())])
        found = ["<h2>Scores on the test rows</h2>", html_table(["model", *names], body), plotting.svg(self.figure())]
        if self.run.classes is not None:
            bins = calibration(self.predicted, self.test[1])
            gap = float(np.average(np.abs(bins[0] - bins[1]), weights=bins[2]))
            text = f"Probabilities differ from the share of correct rows by {gap:.3f} on average."
            found += ["<h2>Calibration</h2>", f"<p>{text}</p>", plotting.svg(plotting.reliability_figure(*bins))]
        if self.importance:
            figure = plotting.importance_figure(self.importance, names[0])
            found += ["<h2>Importance of columns</h2>", plotting.svg(figure)]
        return found


def write_page(
    path: Path, assessment: Assessment, history: History, monitor: Monitor, lines: Sequence[str], title: str
) -> None:
    """Write the report of a run."""
    run = assessment.run
    good = assessment.verdict.startswith("better")
    score, value = next(iter(assessment.rows["this model"].items()))
    result, low, high = (format_numbers({score: number}) for number in (value, *assessment.intervals[score]))
    interval = f"{low} to {high}".replace(f"{score} ", "")
    headline = f"<b>{result}</b> (95 % interval {interval}): {html.escape(assessment.verdict)}."
    parts = [f'<div class="verdict{" good" if good else ""}">{headline}</div>', *assessment.parts()]
    parts += ["<h2>Data</h2>", "<ul>", *(f"<li>{html.escape(line)}</li>" for line in shortened(lines)), "</ul>"]
    if history.epochs:
        parts += ["<h2>Epochs</h2>", plotting.svg(plotting.history_figure(history)), _epochs(history)]
    parts += ["<h2>Diagnosis of the training</h2>", *monitored(monitor)]
    unrelated = UNRELATED if run.classes else (*UNRELATED, "label_smoothing", "temperature")
    outcome = {key: run.result[key] for key in ("rows", "task", "epochs", "seconds", "stopped", "temperature")}
    settings = {key: value for key, value in (run.settings | outcome).items() if key not in unrelated}
    rows = [[key, _shown(value)] for key, value in settings.items() if value not in ("", [], {}, [*MISSING])]
    parts += ["<h2>Settings</h2>", html_table((), rows)]
    write_atomically(path, document(title, parts))


def shortened(lines: Sequence[str]) -> list[str]:
    """Return the first lines, and how many columns are missing."""
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], *([f"... and {more} more columns, shown by --columns"] if more > 0 else [])]


def _shown(value: object) -> object:
    """Return the value of a setting as a reader writes it."""
    if isinstance(value, list | dict):
        return ", ".join(f"{key}: {value[key]}" if isinstance(value, dict) else str(key) for key in value)
    return ("no", "yes")[value] if isinstance(value, bool) else value


def _epochs(history: History) -> str:
    some = sorted({int(i) for i in np.linspace(0, history.epochs - 1, min(history.epochs, 12))})
    return html_table(["epoch", *history], [[str(i + 1), *(values[i] for values in history.values())] for i in some])
