"""``python -m nn train``: train a model on a table, and write its curves, report, log and graph."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import autograd
from nn import metrics
from nn.checkpoint.files import write_text
from nn.data import Standardizer, train_test_split
from nn.data.columns import Cells, Column, encode, encode_target, infer_columns, read_cells
from nn.loss import CrossEntropyLoss, MSELoss
from nn.show.plotting import confusion_figure, history_figure, saved, scatter_figure, svg
from nn.training import EarlyStopping, History, fit
from nn.training.history import format_numbers
from nn.training.monitor import Monitor
from nn.training.monitor.html_report import document, facts, monitored, table
from nn.typing import Array, Figure, Print, Settings

from .folder import Trained, built
from .options import OPTIMIZERS, default_rate, scheduled

__all__ = ["train"]

MIN_ROWS = 8


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
        """Read the table, encode its columns, and split its rows."""
        args = self.args
        table = read_cells(args.table, args.delimiter, False if args.no_header else None)
        position = self._read_target(table)
        dropped = {table.position(column) for column in args.drop}
        if position in dropped:
            raise ValueError(f"{self.name!r} cannot be both the target and dropped")
        chosen = [i for i in range(len(table.names)) if i != position and i not in dropped]
        self.columns: list[Column]
        self.notes: list[str]
        self.columns, self.notes = infer_columns(table, chosen)
        self.X = encode(table, self.columns)
        if len(self.y) < MIN_ROWS:
            raise ValueError(f"{args.table} has {len(self.y)} rows, but training, validation and test need {MIN_ROWS}")
        kind = "regression" if self.classes is None else f"classification, {len(self.classes)} classes"
        self.log(f"{args.table}: {len(self.y)} rows, {len(self.columns)} columns, {self.X.shape[1]} features")
        self.log(f"target: {self.name!r} ({kind})")
        for note in self.notes:
            self.log(note)
        self._split()

    def _read_target(self, table: Cells) -> int | None:
        """Read the target from a column or from a file of its own; return its position if it is a column."""
        given, path, position = self.args.target, table.path, None
        if given is not None and given not in table.names and _is_file(given):
            other, path = read_cells(given), given
            if len(other.names) != 1:
                raise ValueError(f"{given} has {len(other.names)} columns; a file of targets must have one")
            if len(other.rows) != len(table.rows):
                raise ValueError(f"{given} has {len(other.rows)} rows, and {table.path} has {len(table.rows)}")
            self.name = other.names[0] if other.header else "target"
            cells, lines = other.column(0), other.lines
        else:
            position = len(table.names) - 1 if given is None else table.position(given)
            self.name, cells, lines = table.names[position], table.column(position), table.lines
        self.y, self.classes = encode_target(path, self.name, cells, lines, self.args.task)
        if position == len(table.names) - 1 and self.classes and len(self.classes) == len(table.labels or ()):
            self.classes = table.labels
        return position

    def _split(self) -> None:
        args, y = self.args, self.y
        if args.validation + args.test >= 0.9:
            raise ValueError(f"--validation {args.validation:g} and --test {args.test:g} leave too few rows to train")
        share = max(2, round(args.test * len(y))), max(2, round(args.validation * len(y)))
        strata = None if self.classes is None else y
        rest, test = train_test_split(np.arange(len(y)), test_size=share[0], rng=args.seed, stratify=strata)
        strata = None if strata is None else y[rest]
        train, check = train_test_split(rest, test_size=share[1], rng=args.seed + 1, stratify=strata)
        scale = Standardizer(self.X[train])
        shift, factor = (
            (float(np.mean(y[train])), float(np.std(y[train])) or 1.0) if self.classes is None else (0.0, 1.0)
        )
        target = y if self.classes is not None else ((y - shift) / factor)[:, None]
        self.parts: dict[str, tuple[Array, Array]] = {
            name: (scale(self.X[rows]), target[rows])
            for name, rows in (("train", train), ("check", check), ("test", test))
        }
        self.test_rows = test
        self.settings: dict[str, str | int | float | list[int]] = {
            key: value for key, value in vars(args).items() if isinstance(value, str | int | float | list)
        }
        self.settings["lr"] = args.lr or default_rate(args.optimizer)
        outputs = 1 if self.classes is None else len(self.classes)
        model = built(self.X.shape[1], outputs, self.settings)
        self.trained: Trained = Trained(
            model, self.columns, self.name, self.classes, (scale.mean, scale.std), (shift, factor), self.settings
        )

    # ------------------------------------------------------------------------------------------ the training

    def train(self) -> History:
        """Train, and restore the epoch with the best validation loss."""
        args, model = self.args, self.trained.model
        self.loss: MSELoss | CrossEntropyLoss = MSELoss() if self.classes is None else CrossEntropyLoss()
        optimizer = OPTIMIZERS[args.optimizer](model.parameters(), lr=self.settings["lr"])
        self.monitor: Monitor = Monitor(model, optimizer)
        steps = -(-len(self.parts["train"][0]) // args.batch_size)
        self.log(f"{model!r}")
        begin = time.perf_counter()
        history = fit(
            model, self.loss, optimizer, self.parts["train"], validation=self.parts["check"], epochs=args.epochs,
            scheduler=scheduled(args.schedule, optimizer, args.epochs, steps), callbacks=[self.monitor],
            metrics="r2" if self.classes is None else "accuracy", batch_size=args.batch_size, rng=args.seed,
            clip_grad_norm=args.clip, l2=args.l2,
            early_stopping=EarlyStopping(args.epochs if args.patience is None else args.patience),
            checkpoint=args.out / "checkpoint.npz", resume=args.resume, log=args.out / "log.jsonl",
            progress="none" if args.quiet or args.json else "auto", compile=False if args.no_compile else None,
        )  # fmt: skip
        self.seconds: float = time.perf_counter() - begin
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
            "verdicts": verdicts, "summary": self.monitor.report().summary,
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
    """Run the command; return its exit status."""
    run = Run(args, (lambda text: None) if args.json or args.quiet else out)
    make_folder(args.out, make=False)  # report a wrong name before a large table is read
    run.read()
    make_folder(args.out)
    history = run.train()
    result = run.measure(history)
    if not args.json:  # before the figures, which may take longer than the training
        epochs = "1 epoch" if history.epochs == 1 else f"{history.epochs} epochs"
        test = format_numbers(result["test"])
        out(f"on {len(run.test_rows)} test rows after {epochs} in {run.seconds:.1f} s: {test}")
        run.log(str(run.monitor.report()))
    written = run.write(history)
    if args.json:
        out(json.dumps({**result, "files": [str(path) for path in written]}, indent=2))
    else:
        out(f"wrote {args.out}/: " + ", ".join(path.name for path in written))
        if history.interrupted:
            out("to continue, repeat the command with --resume")
    return 130 if history.interrupted else 0
