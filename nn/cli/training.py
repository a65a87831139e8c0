"""``python -m nn train``: train a model on a table, and write its curves, report, log and graph.

``python -m nn play`` writes a page that trains a network on the same data in the browser.
"""

import argparse
import contextlib
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import autograd
from nn.data import train_test_split
from nn.data.cells import Cells, read_cells
from nn.data.columns import Column, TableEncoder, encode_target, infer_columns
from nn.module import Module
from nn.show.playground import DATA_SETS, play as create
from nn.show.plotting import history_figure, saved
from nn.training import EarlyStopping, History, fit
from nn.training.estimators.validation import checked_weights, class_weights
from nn.training.history import format_numbers
from nn.training.monitor import Monitor
from nn.training.scores import scores, temperature
from nn.training.solvers import EMA, Ensemble, objective, recipe, scheduled, solver
from nn.typing import Array, Print, Settings

from .folder import Trained, as_json, built, diverged
from .options import train_parser
from .page import Assessment, shortened, write_page
from .resuming import Recipe, locked

MIN_ROWS = 8
MOST_VALUES = 10_000  # of the training rows of a table on a page


class Run:
    """One run of the command: read, train, measure, write."""

    name: str
    y: Array
    classes: list[str] | None

    def __init__(self, args: argparse.Namespace, log: Print) -> None:
        self.args = args
        self.log: Print = log
        self.seconds: float = 0.0

    # ---------------------------------------------------------------------------------------------- the data

    def read(self) -> None:
        """Read the table, split its rows, encode its columns by the training rows, and report how."""
        args = self.args
        table = read_cells(args.table, args.delimiter, args.header, encoding=args.encoding, missing=args.missing)
        position = len(table.names) - 1 if args.target is None else table.position(args.target)
        self.name = table.names[position]
        if position in map(table.position, args.drop):
            raise ValueError(f"{self.name!r} cannot be both the target and dropped")
        weights = [] if args.sample_weight is None else [args.sample_weight]
        kinds = {**args.kinds, **dict.fromkeys([*args.drop, *weights], "left out")}
        every = infer_columns(table, kinds, position)
        target, cells = every.pop(position), table.columns[position]
        present, self.y, labels = encode_target(table.path, target, cells, args.task)
        self.classes = labels or None
        if table.labels and position == len(table.names) - 1 and len(labels) == len(table.labels):
            self.classes = table.labels
        if len(present) < MIN_ROWS:
            raise ValueError(f"{args.table} has {len(present)} rows, but training, validation and test need {MIN_ROWS}")
        self.weight: Array | None = None
        for name in weights:
            values = Column(name).parse(table.columns[table.position(name)])[present]
            checked_weights(values, len(present))
            present, self.y, self.weight = present[values > 0], self.y[values > 0], values[values > 0]
        self.rows: dict[str, Any] = self._split()
        used = [column for column in every if column.kind != "left out"]
        if not used:
            raise ValueError(f"{table.path}: no feature column is left beside the target")
        self.encoder: TableEncoder = TableEncoder(used)
        self.X: Array = self.encoder.fit(table, present[self.rows["train"]])[present]
        self.header: bool = table.header
        self.lines: list[str] = [*table.notes, *map(str, every)]
        self._report(table, len(cells) - len(present))

    def _report(self, table: Cells, without: int) -> None:
        kind = "regression" if self.classes is None else f"classification, {len(self.classes)} classes"
        left_out = f"; {without} row{'s' * (without > 1)} without it left out" if without else ""
        size = f"{len(self.y)} rows, {len(self.encoder.columns)} columns, {self.X.shape[1]} features"
        self.log(f"{table.path}: {size}" + (f", {table.encoding}" if table.encoding != "utf-8" else ""))
        self.log(f"target: {self.name!r} ({kind}){left_out}")
        self.log("\n".join(self.lines if self.args.columns else shortened(self.lines)))

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
        weight = None if self.weight is None else self.weight[train]
        self.encoder.fit_scale(self.X[train], weight)
        shift, factor, labels = 0.0, 1.0, self.classes
        if labels is None:
            shift, factor = float(np.mean(y[train])), float(np.std(y[train])) or 1.0
        self.scaled: Array = self.encoder.scaled(self.X)
        values = y if labels is not None else ((y - shift) / factor)[:, None]
        weights = class_weights(args.class_weight, np.arange(len(labels or ())), y, self.weight)
        chosen = objective(values, weights, None if labels is None else len(labels), args.label_smoothing)
        self.target: Any = chosen[0]
        self.loss: Any = chosen[1]
        self.metrics: dict[str, Any] = chosen[2]
        settings = {k: v for k, v in vars(args).items() if isinstance(v, str | int | float | list | dict)}
        self.settings: Settings = recipe(args.optimizer, len(train))._asdict() | settings | {"header": self.header}
        model = built(self.encoder, labels, self.settings)
        self.trained: Trained = Trained(model, self.encoder, self.name, labels, (shift, factor), self.settings)

    # ------------------------------------------------------------------------------------------ the training

    def train(self) -> History:
        """Train, restore the epoch with the best validation loss, and calibrate the probabilities."""
        self.prepare()
        model: Any = self.trained.model
        members, parts = list(getattr(model, "members", [model])), self._folds()
        self.best: list[dict[str, float]] = []  # measurements of the best epoch of each fold
        for fold, (member, (train, check)) in enumerate(zip(members, parts, strict=True), 1):
            if len(members) > 1:
                self.log(f"fold {fold} of {len(members)}: {len(train)} rows, validated on {len(check)}")
            history = self._fit(member, train, check, f"-{fold}" * (len(members) > 1))
            if not history.interrupted:
                best, _ = history.best("validation loss")
                self.best.append({"epoch": best, **{name: values[best - 1] for name, values in history.items()}})
            if history.interrupted or diverged({"stopped": history.stopped}):
                break
        if fold < len(members):  # keep the networks that were trained
            self.trained.settings = self.settings | {"folds": fold}
            self.trained.model = Ensemble(members[:fold], self.classes is not None) if fold > 1 else members[0]
        self.trained.history = {key: list(values) for key, values in history.items()}
        if self.classes is not None and len(members) == 1 and not diverged({"stopped": history.stopped}):
            check = self.rows["check"]
            self.trained.temperature = temperature(self.trained.raw(self.scaled[check]), self.y[check])
        if self.args.refit and len(members) == 1 and self.best and not diverged({"stopped": history.stopped}):
            again = built(self.encoder, self.classes, self.settings)
            rows = np.concatenate(parts[0])
            if not self._fit(again, rows, None, "-refit", int(self.best[0]["epoch"])).interrupted:
                self.trained.model = again
        return history

    def _folds(self) -> list[tuple[Array, Array]]:
        """Return the rows to train and to validate each network."""
        if self.args.folds == 1:
            return [(self.rows["train"], self.rows["check"])]
        rows = np.concatenate([self.rows["train"], self.rows["check"]])
        if self.args.folds > len(rows) // 2:
            raise ValueError(f"--folds {self.args.folds} leaves fewer than 2 of {len(rows)} rows to a fold")
        place = np.random.default_rng(self.args.seed).permutation(len(rows))
        if self.classes is not None:  # deal the rows of each class in turn
            place[np.lexsort((place, self.y[rows]))] = np.arange(len(rows))
        fold = place % self.args.folds
        return [(rows[fold != k], rows[fold == k]) for k in range(self.args.folds)]

    def _fit(
        self, model: Module, train: Array, check: Array | None, suffix: str, last_epoch: int | None = None
    ) -> History:
        args, settings = self.args, self.settings
        size, epochs = settings["batch_size"], settings["epochs"]
        patience = epochs if args.patience is None else args.patience
        steps = -(-len(train) // size)
        weights = [] if self.weight is None else [self.weight]
        recipe = Recipe(settings, [self.X, self.y, *self.rows.values(), *weights], steps)
        file = args.out / f"checkpoint{suffix}.npz"
        if args.resume:
            recipe.compare(file, args.lr)
        optimizer = solver(settings["optimizer"], model, settings["lr"])
        optimizer = optimizer if args.ema is None else EMA(optimizer, args.ema)
        callbacks: list[Any] = [recipe]
        if check is not None:
            self.monitor: Monitor = Monitor(model, optimizer)
            callbacks.append(self.monitor)
        self.log("\n".join([*([repr(model)] * (suffix in ("", "-1"))), *recipe.notes]))
        history = fit(
            model, self.loss, optimizer, (self.scaled[train], self.target[train]),
            validation=None if check is None else (self.scaled[check], self.target[check]), epochs=last_epoch or epochs,
            scheduler=scheduled(settings["schedule"], optimizer, epochs, steps), callbacks=callbacks,
            metrics=self.metrics, batch_size=size, rng=args.seed, clip_grad_norm=args.clip, l2=settings["l2"],
            early_stopping=None if check is None else EarlyStopping(patience), checkpoint=file, resume=args.resume,
            log=args.out / f"log{suffix}.jsonl", progress="none" if args.quiet or args.json else "auto",
            compile=False if args.no_compile else None,
        )  # fmt: skip
        self.seconds += sum(history.get("seconds", []))
        self.notes: list[str] = recipe.notes
        return history

    def measure(self, history: History) -> Settings:
        """Measure the trained model on the test rows, and store the result."""
        report = self.monitor.report()
        rows = self.rows["test"]
        result = {
            "table": str(self.args.table), "target": self.name, "rows": len(self.y),
            "task": "regression" if self.classes is None else "classification",
            "epochs": history.epochs, "seconds": round(self.seconds, 3), "stopped": history.stopped,
            "verdicts": [str(verdict) for verdict in report], "summary": report.summary, "resumed": self.notes,
            "folds": self.fold_scores(), "temperature": self.trained.temperature,
        }  # fmt: skip
        predicted = self.trained.outputs(self.scaled[rows])
        result["test"] = {name: float(value) for name, value in scores(predicted, self.y[rows]).items()}
        self.trained.result = result
        return result

    def fold_scores(self) -> list[float]:
        """Return the validation score of each fold."""
        return [found[f"validation {next(iter(self.metrics))}"] for found in self.best]

    def assess(self) -> None:
        """Add intervals of the scores, baselines and the importance of columns to the result."""
        train, test = ((self.scaled[self.rows[name]], self.y[self.rows[name]]) for name in ("train", "test"))
        self.assessment: Assessment = Assessment(self.trained, train, test)
        self.trained.result |= self.assessment.result()

    # --------------------------------------------------------------------------------------------- the files

    def write(self, history: History) -> list[Path]:
        """Write model, figures, report and graph; return the files."""
        out = self.args.out
        self.trained.save(out / "model.npz")
        written = [out / "model.npz", *sorted(out.glob("checkpoint*.npz")), *sorted(out.glob("log*.jsonl"))]
        with self._optional("figures"):
            if history.epochs:
                saved(history_figure(history), out / "curves.png")
                written.append(out / "curves.png")
            if diverged(self.trained.result):
                return written
            saved(self.assessment.figure(), out / "test.png")
            title = f"{self.name} from {Path(self.args.table).name}"
            write_page(out / "report.html", self.assessment, history, self.monitor, self.lines, title)
            written += [out / "test.png", out / "report.html"]
        with self._optional("graph"):
            rows = self.rows["train"][:2]
            loss = self.loss(self.trained.model(self.scaled[rows]), self.target[rows])
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


def train(args: argparse.Namespace, out: Print) -> int:
    """Run the command; return its exit status: 1 if the loss became nan or infinite, 130 after Ctrl-C."""
    run = Run(args, out if args.columns else (lambda text: None) if args.json or args.quiet else out)
    run.read()
    if args.columns:
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    with locked(args.out, "training"):
        history = run.train()
        result = run.measure(history)
        if not diverged(result):
            run.assess()
        if not args.json:  # before the figures, which may take longer than the training
            epochs = "1 epoch" if history.epochs == 1 else f"{history.epochs} epochs"
            if history.epochs > 1 and len(run.best) == 1:
                epochs += f" (parameters of epoch {run.best[0]['epoch']:.0f})"
            test = format_numbers(result["test"])
            out(f"on {len(run.rows['test'])} test rows after {epochs} in {run.seconds:.1f} s: {test}")
            if result.get("verdict"):
                out(f"The model is {result['verdict']}.")
            if len(found := run.fold_scores()) > 1:
                mean, deviation = np.mean(found), np.std(found, ddof=1)
                out(f"{next(iter(run.metrics))} of {len(found)} folds: {mean:.3f} +- {deviation:.3f}")
            run.log(str(run.monitor.report()))
        begin = time.perf_counter()
        written = run.write(history)
    if args.json:
        out(as_json({**result, "files": [str(path) for path in written]}))
    else:
        out(f"wrote {args.out}/ in {time.perf_counter() - begin:.1f} s: " + ", ".join(path.name for path in written))
        if history.interrupted:
            out("to continue, repeat the command with --resume")
    return 130 if history.interrupted else 1 if diverged(result) else 0


def play(args: argparse.Namespace, out: Print) -> int:
    """Write the page of a network that is trained in the browser; return the exit status."""
    if args.data in DATA_SETS:
        page = create(None, args.data, path=args.out)
    else:
        if args.data != "-" and not Path(args.data).exists():
            raise ValueError(f"the CSV file does not exist: {args.data}; the data sets are {', '.join(DATA_SETS)}")
        data, validation = tables(args, out)
        page = create(None, data, validation=validation, path=args.out)
    out(f"{args.out}: {page.content.removeprefix('a ')}, {len(page.html.encode('utf-8')) // 1000} KB")
    if args.open:
        webbrowser.open(args.out.resolve().as_uri())
    return 0


def tables(args: argparse.Namespace, out: Print) -> Any:
    """Return the rows of a table for training and for validation, encoded and scaled as `train` does it."""
    given = [args.data, *(["--target", args.target] if args.target is not None else [])]
    run = Run(train_parser().parse_args(given), out)
    run.read()
    run.prepare()

    def rounded(name: str, share: int) -> tuple[Array, Array]:
        rows = run.rows[name]
        most = max(MOST_VALUES // share // run.X.shape[1], 1)
        if most < len(rows):
            out(f"{name}: the first {most} of {len(rows)} rows")
        rows = rows[:most]
        return run.scaled[rows].round(3), run.y[rows] if run.classes else run.target[rows].round(4)

    return rounded("train", 1), rounded("check", 4)
