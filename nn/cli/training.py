"""``python -m nn train``: train a model on a table, and write its curves, report, log and graph."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import autograd
from nn import metrics
from nn.data import Standardizer, train_test_split
from nn.data.cells import Cells, Contents, read_cells
from nn.data.columns import Column, embedded_levels, encode, encode_target, infer_columns
from nn.files import write_text
from nn.loss import CrossEntropyLoss, MSELoss
from nn.show.plotting import confusion_figure, history_figure, saved, scatter_figure, svg
from nn.training import EarlyStopping, History, fit
from nn.training.history import format_numbers
from nn.training.monitor import Monitor
from nn.training.monitor.html_report import document, facts, monitored, table
from nn.training.solvers import default_rate, solver
from nn.typing import Array, Figure, Print, Settings

from .folder import Trained, as_json, built, diverged
from .options import scheduled
from .resuming import Recipe, locked

__all__ = ["train"]

MIN_ROWS = 8
MAX_LINES = 30  # of the columns of a table


class Run:
    """One run of the command: read, train, measure, write."""

    name: str
    y: Array
    classes: list[str] | None

    def __init__(self, args: argparse.Namespace, log: Print) -> None:
        self.args = args
        self.log: Print = log

    # ---------------------------------------------------------------------------------------------- the data

    def read(self) -> None:
        """Read the table, split its rows, encode its columns by the training rows, and report how."""
        args = self.args
        table = read_cells(args.table, args.delimiter, args.header, encoding=args.encoding, missing=args.missing)
        position, cells = self._read_target(table)
        if position is not None and position in map(table.position, args.drop):
            raise ValueError(f"{self.name!r} cannot be both the target and dropped")
        kinds = {**args.kinds, **dict.fromkeys(args.drop, "left out")}
        every = infer_columns(table, kinds, position)
        target = infer_columns(cells, target=0)[0] if position is None else every[position]
        contents = cells.columns[position or 0]
        present, self.y, labels = encode_target(cells.path, target, contents, args.task)
        self.classes = labels or None
        if table.labels and position == len(table.names) - 1 and len(labels) == len(table.labels):
            self.classes = table.labels
        if len(present) < MIN_ROWS:
            raise ValueError(f"{args.table} has {len(present)} rows, but training, validation and test need {MIN_ROWS}")
        self.rows: dict[str, Array] = self._split()
        used = [i for i, column in enumerate(every) if i != position and column.kind != "left out"]
        if not used:
            raise ValueError(f"{table.path}: no feature column is left beside the target")
        for i in used:
            every[i].fit(taken(table.columns[i], present[self.rows["train"]]))
        self.columns: list[Column] = [every[i] for i in used]
        self.X: Array = encode(table, self.columns)[present]
        self.header: bool = table.header
        self.lines: list[str] = [str(column) for i, column in enumerate(every) if i != position]
        self._report(table, len(contents) - len(present))

    def _read_target(self, table: Cells) -> tuple[int | None, Cells]:
        """Return the position of the target and its table, or None and the table in a file of its own."""
        given = self.args.target
        if given is None or given in table.names or not _is_file(given):
            position = len(table.names) - 1 if given is None else table.position(given)
            self.name = table.names[position]
            return position, table
        other = read_cells(given)
        if len(other.names) != 1:
            raise ValueError(f"{given} has {len(other.names)} columns; a file of targets must have one")
        if len(other.lines) != len(table.lines):
            raise ValueError(f"{given} has {len(other.lines)} rows, and {table.path} has {len(table.lines)}")
        self.name = other.names[0] if other.header else "target"
        return None, other

    def _report(self, table: Cells, without: int) -> None:
        kind = "regression" if self.classes is None else f"classification, {len(self.classes)} classes"
        left_out = f"; {without} row{'s' * (without > 1)} without it left out" if without else ""
        size = f"{len(self.y)} rows, {len(self.columns)} columns, {self.X.shape[1]} features"
        self.log(f"{table.path}: {size}" + (f", {table.encoding}" if table.encoding != "utf-8" else ""))
        self.log(f"target: {self.name!r} ({kind}){left_out}")
        shown = self.lines if self.args.columns else self.lines[:MAX_LINES]
        if more := len(self.lines) - len(shown):
            shown.append(f"... and {more} more columns, shown by --columns")
        self.log("\n".join(shown))

    def _split(self) -> dict[str, Array]:
        """Return the rows for training, validation and test."""
        args, y = self.args, self.y
        if args.validation + args.test >= 0.9:
            raise ValueError(f"--validation {args.validation:g} and --test {args.test:g} leave too few rows to train")
        share = max(2, round(args.test * len(y))), max(2, round(args.validation * len(y)))
        strata = None if self.classes is None else y
        rest, test = train_test_split(np.arange(len(y)), test_size=share[0], rng=args.seed, stratify=strata)
        strata = None if strata is None else y[rest]
        train, check = train_test_split(rest, test_size=share[1], rng=args.seed + 1, stratify=strata)
        return {"train": train, "check": check, "test": test}

    def prepare(self) -> None:
        """Scale features and targets by the training rows, and create the model."""
        args, y, train = self.args, self.y, self.rows["train"]
        levels = embedded_levels(self.columns)
        scale = Standardizer(self.X[train])
        if levels:  # indices
            scale.mean[-len(levels) :], scale.std[-len(levels) :] = 0.0, 1.0
        shift, factor = (
            (float(np.mean(y[train])), float(np.std(y[train])) or 1.0) if self.classes is None else (0.0, 1.0)
        )
        target = y if self.classes is not None else ((y - shift) / factor)[:, None]
        self.parts: dict[str, tuple[Array, Array]] = {
            name: (scale(self.X[rows]), target[rows]) for name, rows in self.rows.items()
        }
        self.test_rows: Array = self.rows["test"]
        self.settings: Settings = {
            key: value for key, value in vars(args).items() if isinstance(value, str | int | float | list | dict)
        }
        self.settings |= {"lr": args.lr or default_rate(args.optimizer), "header": self.header}
        model = built(self.columns, self.X.shape[1], self.classes, self.settings)
        self.trained: Trained = Trained(
            model, self.columns, self.name, self.classes, (scale.mean, scale.std), (shift, factor), self.settings
        )

    # ------------------------------------------------------------------------------------------ the training

    def train(self) -> History:
        """Train, and restore the epoch with the best validation loss."""
        self.prepare()
        args, model = self.args, self.trained.model
        self.loss: MSELoss | CrossEntropyLoss = MSELoss() if self.classes is None else CrossEntropyLoss()
        rows = len(self.parts["train"][0])
        size = rows if args.optimizer == "lbfgs" else args.batch_size  # its line search needs the same rows
        steps = -(-rows // size)
        recipe = Recipe(self.settings, [self.X, self.y, *self.rows.values()], steps)
        if args.resume:
            recipe.compare(args.out / "checkpoint.npz", args.lr)
        optimizer = solver(args.optimizer, model, self.settings["lr"])
        self.monitor: Monitor = Monitor(model, optimizer)
        self.log("\n".join([f"{model!r}", *recipe.notes]))
        history = fit(
            model, self.loss, optimizer, self.parts["train"], validation=self.parts["check"], epochs=args.epochs,
            scheduler=scheduled(args.schedule, optimizer, args.epochs, steps), callbacks=[recipe, self.monitor],
            metrics="r2" if self.classes is None else "accuracy", batch_size=size, rng=args.seed,
            clip_grad_norm=args.clip, l2=args.l2,
            early_stopping=EarlyStopping(args.epochs if args.patience is None else args.patience),
            checkpoint=args.out / "checkpoint.npz", resume=args.resume, log=args.out / "log.jsonl",
            progress="none" if args.quiet or args.json else "auto", compile=False if args.no_compile else None,
        )  # fmt: skip
        self.seconds: float = sum(history.get("seconds", []))
        self.notes: list[str] = recipe.notes
        self.trained.history = {key: list(values) for key, values in history.items()}
        return history

    def measure(self, history: History) -> Settings:
        """Measure the trained model on the test rows, and store the result."""
        self.predicted: Array = self.trained.outputs(self.parts["test"][0])
        true = self.y[self.test_rows]
        names = ("r2", "mae", "rmse") if self.classes is None else ("accuracy", "f1")
        test = {name: metrics.named(name)[name](self.predicted, true) for name in names}
        verdicts = [str(verdict) for verdict in self.monitor.report()]
        result = {
            "table": str(self.args.table), "target": self.name, "rows": len(self.y),
            "task": "regression" if self.classes is None else "classification",
            "epochs": history.epochs, "seconds": round(self.seconds, 3), "stopped": history.stopped, "test": test,
            "verdicts": verdicts, "summary": self.monitor.report().summary, "resumed": self.notes,
        }  # fmt: skip
        self.trained.result = result
        return result

    # --------------------------------------------------------------------------------------------- the files

    def write(self, history: History) -> list[Path]:
        """Write model, figures, report and graph; return the files."""
        out = self.args.out
        self.trained.save(out / "model.npz")
        written = [out / "model.npz", out / "checkpoint.npz", out / "log.jsonl"]
        with self._optional("figures"):
            if history.epochs:
                saved(history_figure(history), out / "curves.png")
                written.append(out / "curves.png")
            if diverged(self.trained.result):
                return written
            result = self._result_figure()
            saved(result, out / "test.png")
            written.append(out / "test.png")
            self._page(history, result)
            written.append(out / "report.html")
        with self._optional("graph"):
            inputs, target = self.parts["train"]
            loss = self.loss(self.trained.model(inputs[:2]), target[:2])
            loss.name = "loss"
            draw: Any = autograd.draw
            draw(loss, names=dict(self.trained.model.named_parameters())).save(out / "graph.svg")
            written.append(out / "graph.svg")
        return written

    @contextlib.contextmanager
    def _optional(self, what: str) -> Iterator[None]:
        """Skip files that need a package that is not installed."""
        try:
            yield
        except (ImportError, RuntimeError) as error:
            self.log(f"skipped the {what}: {str(error).splitlines()[0]}")

    def _result_figure(self) -> Figure:
        true = self.y[self.test_rows]
        if self.classes is None:
            score = self.trained.result["test"]["r2"]
            return scatter_figure(self.predicted, true, f"{len(true)} test rows: R2 {score:.3f}", self.name)
        counts = metrics.confusion_matrix(self.predicted, true, len(self.classes))
        share = self.trained.result["test"]["accuracy"]
        return confusion_figure(counts, self.classes, f"{len(true)} test rows: {share:.1%} correct")

    def _page(self, history: History, result: Figure) -> None:
        shown = {
            key: value
            for key, value in self.trained.result.items()
            if key not in ("test", "verdicts", "summary") and value != ""
        }
        shown |= {f"test {key}": f"{value:.4g}" for key, value in self.trained.result["test"].items()}
        shown |= {
            key: self.settings[key]
            for key in ("hidden", "activation", "optimizer", "lr", "schedule", "batch_size", "l2", "seed")
        }
        parts = [facts(shown), "<h2>Diagnosis</h2>", *monitored(self.monitor)]
        parts += ["<h2>Result on the test rows</h2>", svg(result)]
        if history.epochs:
            parts += ["<h2>Epochs</h2>", svg(history_figure(history)), self._epochs(history)]
        write_text(self.args.out / "report.html", document(f"{self.name} from {Path(self.args.table).name}", parts))

    def _epochs(self, history: History) -> str:
        some = sorted({int(i) for i in np.linspace(0, history.epochs - 1, min(history.epochs, 12))})
        return table(["epoch", *history], [[str(i + 1), *(values[i] for values in history.values())] for i in some])


def taken(contents: Contents, rows: Array) -> Contents:
    """Return the cells of some rows."""
    return contents[rows] if isinstance(contents, np.ndarray) else [contents[i] for i in rows]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def make_folder(path: Path, make: bool = True) -> None:
    """Create the folder of a run, or only check that it is not a file.

    Raises
    ------
    ValueError
        If it is a file, or cannot be created.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"--out {path} is a file; pass the name of a folder, as in --out run")
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot create the folder --out {path}: {error.strerror}") from None


def train(args: argparse.Namespace, out: Print) -> int:
    """Run the command; return its exit status: 1 if the loss became nan or infinite, 130 after Ctrl-C."""
    run = Run(args, out if args.columns else (lambda text: None) if args.json or args.quiet else out)
    make_folder(args.out, make=False)  # report a wrong name before a large table is read
    run.read()
    if args.columns:
        return 0
    make_folder(args.out)
    with locked(args.out, "training"):
        history = run.train()
        result = run.measure(history)
        if not args.json:  # before the figures, which may take longer than the training
            epochs = "1 epoch" if history.epochs == 1 else f"{history.epochs} epochs"
            test = format_numbers(result["test"])
            out(f"on {len(run.test_rows)} test rows after {epochs} in {run.seconds:.1f} s: {test}")
            run.log(str(run.monitor.report()))
        written = run.write(history)
    if args.json:
        out(as_json({**result, "files": [str(path) for path in written]}))
    else:
        out(f"wrote {args.out}/: " + ", ".join(path.name for path in written))
        if history.interrupted:
            out("to continue, repeat the command with --resume")
    return 130 if history.interrupted else 1 if diverged(result) else 0
