"""The options of ``python -m nn``, and what their words stand for."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import optim
from nn.layers import activation

__all__ = ["OPTIMIZERS", "SCHEDULES", "arguments", "scheduled", "train_parser"]

NOT_ALONE = ("Optimizer", "LBFGS", "SAM", "Lookahead", "AveragedModel", "Muon")  # Muon: matrices only
OPTIMIZERS: dict[str, Any] = {
    name.lower(): getattr(optim, name)
    for name in optim.__all__
    if name[0].isupper() and name not in NOT_ALONE and isinstance(getattr(optim, name), type)
}
STEEP = ("sgd", "momentum", "adagrad")  # want a larger rate than those that divide by the gradient's size
SCHEDULES = ("constant", "cosine", "warmup", "onecycle", "linear", "step", "exponential", "inverse", "plateau")
ACTIVATIONS = [name.lower() for name in activation.__all__]


def scheduled(name: str, optimizer: Any, epochs: int, steps: int) -> Any:
    """Return what `fit` takes as its scheduler, for a word of `SCHEDULES`."""
    total, s = epochs * steps, optim.lr_scheduler
    makers: dict[str, Callable[[], Any]] = {
        "constant": lambda: None,
        "cosine": lambda: {"step": s.CosineAnnealingLR(optimizer, T_max=total)},
        "warmup": lambda: {
            "step": s.WarmupLR(s.CosineAnnealingLR(optimizer, T_max=max(total - total // 10, 1)), max(total // 10, 1))
        },
        "onecycle": lambda: {
            "step": s.OneCycleLR(
                optimizer, max_lr=optimizer.param_groups[0]["lr"], total_steps=total, cycle_momentum=False
            )
        },
        "linear": lambda: {"step": s.LinearLR(optimizer, start_factor=1.0, end_factor=0.01, total_iters=total)},
        "step": lambda: {"epoch": s.StepLR(optimizer, step_size=max(epochs // 3, 1), gamma=0.1)},
        "exponential": lambda: {"epoch": s.ExponentialLR(optimizer, gamma=0.01 ** (1 / epochs))},
        "inverse": lambda: {"epoch": s.InverseTimeLR(optimizer, 10 / epochs)},
        "plateau": lambda: {"epoch": s.ReduceLROnPlateau(optimizer, patience=max(epochs // 20, 2))},
    }
    return makers[name]()


def default_rate(optimizer: str) -> float:
    """Return a learning rate that suits small standardised tables."""
    return 0.05 if optimizer in STEEP else 1.0 if optimizer in ("adadelta", "prodigy") else 0.005


def whole(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers not below `least`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return number

    return parse


def real(low: float, high: float, closed: bool = False) -> Callable[[str], float]:
    """Return a parser of numbers between two bounds; `closed` says whether the lower one counts."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (low < number < high or (closed and number == low)):
            upper = "" if high == math.inf else f" and below {high:g}"
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a number {'of at least' if closed else 'above'} {low:g}{upper}"
            )
        return number

    return parse


def widths(text: str) -> list[int]:
    """Parse the widths of hidden layers; an empty text is no hidden layer."""
    try:
        found = [int(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        found = [0]
    if any(width < 1 for width in found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 16,16")
    return found


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults that say something, and the description as it stands."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False or action.default == []
        return action.help if says_nothing else super()._get_help_string(action)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m nn",
        description="Train a multi-layer perceptron on a table, use it, and see how the training went.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{train,predict,report,sweep}")
    _train(commands.add_parser("train", help="train on a table", formatter_class=Formatter, description=TRAIN))
    _predict(commands.add_parser("predict", help="predict the rows of a table", formatter_class=Formatter))
    _report(commands.add_parser("report", help="how a training went", formatter_class=Formatter))
    _sweep(commands.add_parser("sweep", help="train with many settings", formatter_class=Formatter, description=SWEEP))
    return parser


class _Raising(argparse.ArgumentParser):
    """Raises where a parser would end the program."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def train_parser() -> argparse.ArgumentParser:
    """Return the parser of `train` alone, which raises ValueError for a wrong word."""
    parser = _Raising(add_help=False)
    _train(parser)
    return parser


TRAIN = """Train on a table of separated values: numbers and words, with or without gaps.

The target's own column says whether it is classification (words, or few whole numbers) or regression.  Missing
numbers become the median, words one number each; everything is standardised by the training rows."""


def _train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("table", help="the table: CSV, with , ; tab | or space between the cells, also .gz")
    add("--target", help="the column to predict, by name or position, or a file of its own; the last if not given")
    add("--task", choices=("auto", "classification", "regression"), default="auto", help="what to learn")
    add("--drop", action="append", default=[], metavar="COLUMN", help="a column to leave out; may be repeated")
    add("--delimiter", help="what separates cells; found out if not given")
    add("--no-header", action="store_true", help="the first line is data")
    add("--hidden", type=widths, default="32,32", metavar="N,N", help="widths of hidden layers; empty: a linear model")
    several = "such as {}; a wrong name lists all"
    function, rule = several.format("relu, tanh or gelu"), several.format("adam, sgd or lion")
    lower: dict[str, Any] = {"type": str.lower, "metavar": "NAME"}
    add("--activation", choices=ACTIVATIONS, default="relu", help="between the layers, " + function, **lower)
    add("--optimizer", choices=sorted(OPTIMIZERS), default="adam", help="update rule, " + rule, **lower)
    add("--lr", type=real(0, math.inf), help="learning rate; a usual one of the optimizer if not given")
    add("--schedule", choices=SCHEDULES, default="cosine", help="how the learning rate falls")
    add("--epochs", type=whole(1), default=100, help="passes over the training rows")
    add("--batch-size", type=whole(1), default=32, help="rows per step")
    add("--l2", type=real(0, math.inf, closed=True), default=1e-3, help="pull of the weights towards 0")
    add("--clip", type=real(0, math.inf), help="bound of the gradient's norm")
    add("--patience", type=whole(0), help="stop after so many epochs without improvement")
    add("--validation", type=real(0, 1), default=0.15, help="share of the rows that says which epoch was best")
    add("--test", type=real(0, 1), default=0.15, help="share of the rows that measures the result")
    add("--seed", type=whole(0), default=0, help="of split, weights and order")
    add("--out", "--output", type=Path, default=Path("run"), metavar="FOLDER", help="where everything goes")
    add("--resume", action="store_true", help="go on from the checkpoint in the folder")
    add("--no-compile", action="store_true", help="compute each step anew, where the same is replayed otherwise")
    add("--quiet", action="store_true", help="say only the result")
    add("--json", action="store_true", help="print the result as JSON")


def _predict(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", type=Path, help="the folder that train left")
    add("table", help="rows to predict; columns are found by their names")
    add("-o", "--output", type=Path, help="where to write; standard output if not given")
    add("--delimiter", help="what separates cells; found out if not given")
    add("--no-header", action="store_true", help="the first line is data")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the folder that train left")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


SWEEP = """Train one table with many settings, several trainings at once, and compare them.

The configuration is a JSON file.  Settings are the long options of train without dashes in front:

  {"table": "iris.csv",
   "base":   {"target": "species", "epochs": 100},
   "grid":   {"optimizer": ["adam", "sgd"], "hidden": ["16", "32,32"]},
   "random": {"trials": 5, "lr": {"log": [0.001, 0.1]}, "batch-size": [16, 32]},
   "seeds":  3}

base: of every trial.  grid: every combination.  random: so many draws, from a list or a range {"uniform": [a, b]},
{"log": [a, b]} or {"integers": [a, b]}.  list: [{...}, {...}], settings that belong together.  seeds: a count or a
list.  Every choice of one is combined with every choice of the others.  metric: what is compared, by default the
accuracy or R2 on the validation rows.

Trials that are finished are not run again: the same command goes on after Ctrl-C, a kill or a failure of power, and one
with more in its lists runs only those.  Under mpiexec -n N python -m mpi4py.futures -m nn sweep ..., rank 0 hands the
trials to the other ranks; one of them that is killed ends the job, as MPI has it, and the same command goes on.

Exit status: 0, 1 if a trial failed, 2 for a wrong option or configuration, 130 after Ctrl-C."""


def _sweep(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("config", type=Path, help="the configuration, a JSON file")
    add("--workers", type=whole(1), help="trainings at once, each with one BLAS thread; one per core if not given")
    add("--seed", type=whole(0), default=0, help="of random settings, and the first of counted seeds")
    add("-o", "--out", "--output", type=Path, default=Path("sweep"), metavar="FOLDER", help="where everything goes")
    add("--retry", action="store_true", help="run trials again that failed before")
    add("--quiet", action="store_true", help="say only the table")
    add("--json", action="store_true", help="print the result as JSON")
