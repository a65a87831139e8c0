"""``python -m nn train``: from a table to a trained model, its curves, its report, its log and its graph."""

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
from nn.data import Standardizer, train_test_split
from nn.loss import CrossEntropyLoss, MSELoss
from nn.show.plotting import confusion_figure, history_figure, saved, scatter_figure, svg
from nn.training import EarlyStopping, History, fit
from nn.training.monitor import Monitor
from nn.training.monitor.html_report import document, facts, monitored, table, write

from .folder import Trained, built
from .options import OPTIMIZERS, default_rate, scheduled
from .tables import Table, code_columns, encoded, read_table
from .targets import find_target, target_values

__all__ = ["train"]

Array = np.ndarray[Any, Any]
LEAST_ROWS = 8


class Run:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace, say: Any) -> None:
        self.args = args
        self.say: Any = say
        self.notes: list[str] = []

    # ---------------------------------------------------------------------------------------------- the data

    def read(self) -> None:
        """Read the table, code its columns, and split its rows."""
        args = self.args
        found = read_table(args.table, args.delimiter, False if args.no_header else None)
        self.name: str
        self.name, cells, lines, words, place = find_target(found, args.target)
        self.y: Array
        self.classes: list[str] | None
        self.y, self.classes = target_values(found.path, self.name, cells, lines, words, args.task)
        self.columns: Any = self._columns(found, place)
        self.X = encoded(found, self.columns, by_name=False) if found.headed else self._by_place(found)
        if len(self.y) < LEAST_ROWS:
            raise ValueError(
                f"{args.table} has {len(self.y)} rows; at least {LEAST_ROWS} are needed to train, check and test"
            )
        kind = "regression" if self.classes is None else f"classification, {len(self.classes)} classes"
        self.say(f"{args.table}: {len(self.y)} rows, {len(self.columns)} columns ({self.X.shape[1]} numbers each)")
        self.say(f"to predict: {self.name!r} ({kind})")
        for note in self.notes:
            self.say(note)
        self._split()

    def _columns(self, found: Table, place: int | None) -> Any:
        dropped = {found.place(column) for column in self.args.drop}
        if place in dropped:
            raise ValueError(f"{self.name!r} cannot be both the target and dropped")
        chosen = [i for i in range(len(found.names)) if i != place and i not in dropped]
        columns, self.notes = code_columns(found, chosen)
        self.by_name: dict[str, int] = {found.names[i]: i for i in chosen}
        return columns

    def _by_place(self, found: Table) -> Array:
        parts = [c.coded(found.column(self.by_name[c.name]), found.path, found.lines) for c in self.columns]
        return np.concatenate(parts, axis=1)

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
        self.settings: dict[str, str | int | float | list[Any]] = {
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
        """Train, and go back to the epoch that did best on the validation rows."""
        args, model = self.args, self.trained.model
        self.loss: MSELoss | CrossEntropyLoss = MSELoss() if self.classes is None else CrossEntropyLoss()
        optimizer = OPTIMIZERS[args.optimizer](model.parameters(), lr=self.settings["lr"])
        self.monitor: Monitor = Monitor(model, optimizer)
        steps = -(-len(self.parts["train"][0]) // args.batch_size)
        self.say(f"{model!r}")
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

    def measure(self, history: History) -> dict[str, Any]:
        """Measure the trained model on the test rows, and note the result."""
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
        """Write model, pictures, report and graph; return what was written."""
        out = self.args.out
        self.trained.save(out / "model.npz")
        written = [out / "model.npz", out / "checkpoint.npz", out / "log.jsonl"]
        with self._optional("pictures"):
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
        """Go on without what needs a package that is not installed."""
        try:
            yield
        except (ImportError, RuntimeError) as error:
            self.say(f"no {what}: {str(error).splitlines()[0]}")

    def _result_figure(self) -> Any:
        true = self.y[self.test_rows]
        if self.classes is None:
            score = self.trained.result["test"]["r2"]
            return scatter_figure(self.predicted, true, f"{len(true)} test rows: R2 {score:.3f}", self.name)
        counts = metrics.confusion_matrix(self.predicted, true, len(self.classes))
        share = self.trained.result["test"]["accuracy"]
        return confusion_figure(counts, self.classes, f"{len(true)} test rows: {share:.1%} right")

    def _page(self, history: History, result: Any) -> None:
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
        parts = [
            facts(shown),
            "<h2>Diagnosis</h2>",
            *monitored(self.monitor),
            "<h2>Result on the test rows</h2>",
            svg(result),
        ]
        if history.epochs:
            parts += ["<h2>Epochs</h2>", svg(history_figure(history)), self._epochs(history)]
        write(self.args.out / "report.html", document(f"{self.name} from {Path(self.args.table).name}", parts))

    def _epochs(self, history: History) -> str:
        some = sorted({int(i) for i in np.linspace(0, history.epochs - 1, min(history.epochs, 12))})
        return table(["epoch", *history], [[str(i + 1), *(values[i] for values in history.values())] for i in some])


def make_folder(path: Path, make: bool = True) -> None:
    """Make the folder of a run, or only see that no file has its name.

    Raises
    ------
    ValueError
        If it is a file, or cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"--out {path} is a file; give the name of a folder, as in --out run")
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make the folder --out {path}: {error.strerror}") from None


def train(args: argparse.Namespace, say: Any, out: Any) -> int:
    """Run the command; return its exit status."""
    run = Run(args, (lambda text: None) if args.json or args.quiet else say)
    make_folder(args.out, make=False)  # a wrong name is said before a large table is read
    run.read()
    make_folder(args.out)
    history = run.train()
    result = run.measure(history)
    if not args.json:  # before the pictures, which take longer than many a training
        test = ", ".join(
            f"{k} {v:.1%}" if k in ("accuracy", "f1") else f"{k} {v:.4g}" for k, v in result["test"].items()
        )
        epochs = "1 epoch" if history.epochs == 1 else f"{history.epochs} epochs"
        out(f"on {len(run.test_rows)} test rows after {epochs} in {run.seconds:.1f} s: {test}")
        run.say(str(run.monitor.report()))
    written = run.write(history)
    if args.json:
        out(json.dumps({**result, "files": [str(path) for path in written]}, indent=2))
    else:
        out(f"wrote {args.out}/: " + ", ".join(path.name for path in written))
        if history.interrupted:
            out("to go on from there, give the same command with --resume")
    return 130 if history.interrupted else 0
