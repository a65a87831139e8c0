"""The command-line options of ``python -m nn``."""

import argparse
import inspect
import json
import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from nn.data.columns import KINDS
from nn.data.notation import MISSING, parse_number
from nn.layers import activation
from nn.show.playground import DATA_SETS
from nn.training.solvers import SCHEDULES, SOLVERS
from nn.validation import checked_integer, similar

Add: TypeAlias = Callable[..., Any]  # the `add_argument` of a parser

NO_ACTIVATION = ("GLU", "SwiGLU", "Threshold")  # halve the number of features; needs arguments
ACTIVATIONS = [name.lower() for name in activation.__all__ if name not in NO_ACTIVATION]


def integer(low: int) -> Callable[[str], int]:
    """Return a parser of integers of at least `low`."""

    def parse(text: str) -> int:
        try:
            return checked_integer("", "", int(text), low)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer of at least {low}") from None

    return parse


def real(low: float = 0.0, high: float = math.inf, include_low: bool = False) -> Callable[[str], float]:
    """Return a parser of floats in an open interval, or with `low` included."""

    def parse(text: str) -> float:
        number = parse_number(text)
        if number is None or not (low < number < high or (include_low and number == low)):
            bounds = f"{'of at least' if include_low else 'above'} {low:g}"
            bounds += "" if high == math.inf else f" and below {high:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {bounds}")
        return number

    return parse


def widths(text: str) -> list[int]:
    """Parse the widths of hidden layers; an empty text means a linear model."""
    try:
        found = [int(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        found = [0]
    if any(width < 1 for width in found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 16,16")
    return found


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """Return a parser of a name in any case, whose error suggests the most similar name."""

    def parse(text: str) -> str:
        if text.lower() not in names:
            hint = similar(text, names, f" (choose from {', '.join(names)})")
            raise argparse.ArgumentTypeError(f"invalid choice: {text!r}{hint}")
        return text.lower()

    return parse


def kinds(text: str) -> dict[str, str]:
    """Parse the kinds of columns, a JSON object or the name of a file that contains one."""
    try:
        if not text.lstrip().startswith("{"):
            text = Path(text).read_text(encoding="utf-8-sig")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is neither JSON nor a file of JSON ({error})") from None
    if not isinstance(found, dict) or not all(isinstance(kind, str) for kind in found.values()):
        raise argparse.ArgumentTypeError(f'{text[:60]!r} is not an object of names and kinds, as in {{"zip": "words"}}')
    return found


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Show informative defaults, and the description without reflowing it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        uninformative = action.default is None or action.default is False or isinstance(action.default, list | dict)
        return action.help if uninformative else super()._get_help_string(action)


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line; the docstring of a function that adds options describes its command."""
    parser = _Parser(
        prog="python -m nn",
        description="Train a multi-layer perceptron on a table, predict with it, and report on the training.",
    )
    adders = {"train": _train, "predict": _predict, "report": _report, "explain": _explain, "sweep": _sweep,
              "play": _play}  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar=f"{{{','.join(adders)}}}")
    for name, adder in adders.items():
        text = inspect.getdoc(adder) or ""
        summary = text.split(".")[0] + "."
        adder(commands.add_parser(name, help=summary, description=text, formatter_class=Formatter).add_argument)
    return parser


class _Parser(argparse.ArgumentParser):
    """Raise ValueError for a wrong option instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def train_parser() -> argparse.ArgumentParser:
    """Return the parser of `train` alone."""
    parser = _Parser(add_help=False)
    _train(parser.add_argument)
    return parser


def _reading(add: Add) -> None:
    add("--delimiter", help="the character between cells; default: detected")
    add("--header", action=argparse.BooleanOptionalAction, help="the first line names the columns; default: detected")
    add("--encoding", help="the text encoding; default: UTF-8, UTF-16 or Windows-1252, detected")


def _train(add: Add) -> None:
    """Train on a CSV table of numeric columns, dates and words, with or without missing values.

    The target column determines the task: classification for words or a few integers, else regression.  Rows without a
    target, row numbers and identifiers are left out.  Missing values are replaced by the median of the training rows,
    up to ten different words become one 0/1 column each and more of them learned vectors, and dates become their
    parts.  One line per column says how it was understood; --columns prints these lines and ends.
    """
    add("table", help="the table: CSV with , ; tab | or space between cells, also .gz; - reads standard input")
    add("--target", help="the column to predict, by name or position, from 1; default: the last")
    add("--task", choices=("auto", "classification", "regression"), default="auto", help="the task")
    add("--drop", action="append", default=[], metavar="COLUMN", help="a column to leave out; repeatable")
    add("--kinds", type=kinds, default={}, metavar="JSON",
        help='the kind of some columns, as in \'{"zip": "words", "day": "%%d/%%m/%%Y"}\', or a file of that: '
        + ", ".join(KINDS))  # fmt: skip
    add("--missing", type=lambda text: text.split(","), default=[*MISSING], metavar="WORD,WORD",
        help="words for a missing value besides the empty cell; default: "
        + ", ".join(filter(None, MISSING)))  # fmt: skip
    add("--columns", action="store_true", help="print how each column is understood, and do not train")
    _reading(add)
    add("--hidden", type=widths, default="64,64", metavar="N,N", help="widths of hidden layers; empty: a linear model")
    add("--activation", type=one_of(ACTIVATIONS), default="relu", metavar="NAME",
        help="activation function, such as relu, tanh or gelu; the name help lists all")  # fmt: skip
    add("--optimizer", type=one_of(sorted(SOLVERS)), default="adam", metavar="NAME",
        help="update rule, such as adam, sgd or lion; the name help lists all")  # fmt: skip
    add("--lr", type=real(), help="learning rate; default: depends on the optimizer")
    add("--schedule", choices=SCHEDULES, help="schedule of the learning rate; default: cosine, or constant for "
        "optimizers without a schedule")  # fmt: skip
    add("--epochs", type=integer(1), help="passes over the training rows; default: about 600 steps, at least 10")
    add("--batch-size", type=integer(1), help="rows per step; default: 32 to 256, depending on the rows")
    add("--l2", type=real(include_low=True), help="L2 penalty; default: 3 divided by the rows, at most 0.015")
    add("--dropout", type=real(high=1, include_low=True), help="dropout of hidden units; default: 0.1 from 100 rows on")
    add("--label-smoothing", type=real(high=1, include_low=True), default=0.05, help="part of each class label that "
        "is spread over all classes")  # fmt: skip
    add("--ema", type=real(high=1), metavar="DECAY", help="use exponential moving averages of the parameters")
    add("--class-weight", choices=("balanced",), help="give all classes the same total weight in the loss")
    add("--sample-weight", metavar="COLUMN", help="a column of weights of the rows, which is not a feature")
    add("--folds", type=integer(1), default=1, metavar="K", help="cross-validation: train K networks, each validated "
        "on another part of the rows, and use their mean")  # fmt: skip
    add("--refit", action="store_true", help="train again with the validation rows, for the best number of epochs")
    _limits(add)


def _limits(add: Add) -> None:
    add("--clip", type=real(), help="upper bound of the gradient norm")
    add("--patience", type=integer(0), help="stop after this many epochs without improvement")
    add("--validation", type=real(high=1), default=0.15, help="fraction of the rows for choosing the best epoch")
    add("--test", type=real(high=1), default=0.15, help="fraction of the rows for the final test")
    add("--seed", type=integer(0), default=0, help="seed of split, initial weights and order")
    add("--out", "--output", type=Path, default=Path("run"), metavar="FOLDER", help="folder for all files")
    add("--resume", action="store_true", help="continue from the checkpoint in the folder")
    add("--no-compile", action="store_true", help="run each step eagerly instead of replaying a recording")
    add("--quiet", action="store_true", help="print only the result")
    add("--json", action="store_true", help="print the result as JSON")


def _predict(add: Add) -> None:
    """Predict the rows of a table."""
    add("run", type=Path, help="the folder that train wrote")
    add("table", help="rows to predict, whose columns are matched by name; - reads standard input")
    add("-o", "--output", type=Path, help="output file; default: standard output")
    add("--keep", action="append", default=[], metavar="COLUMN", help="a column to copy to the output; repeatable")
    add("--json", action="store_true", help="write a line of JSON per row instead of CSV")
    _reading(add)


def _explain(add: Add) -> None:
    """Explain the prediction of a row."""
    add("run", type=Path, help="the folder that train wrote")
    add("table", help="the table of the row; - reads standard input")
    add("--row", type=integer(1), default=1, help="the number of the row")
    add("--steps", action="store_true", help="print the chain rule through the network, step by step")
    add("--json", action="store_true", help="print the contributions as JSON")
    _reading(add)


def _report(add: Add) -> None:
    """Report on a run."""
    add("run", type=Path, help="the folder that train wrote")
    add("--json", action="store_true", help="print it as JSON")


def _sweep(add: Add) -> None:
    """Train on one table with many settings, several at once, and compare the results.

    The configuration is a JSON file.  Settings are the long options of train without dashes in front:

      {"table": "iris.csv",
       "base":   {"target": "species", "epochs": 100},
       "grid":   {"optimizer": ["adam", "sgd"], "hidden": ["16", "32,32"]},
       "random": {"trials": 5, "lr": {"log": [0.001, 0.1]}, "batch-size": [16, 32]},
       "seeds":  3}

    base: settings of every trial.  grid: all combinations.  random: the given number of draws, from a list or a range
    {"uniform": [a, b]}, {"log": [a, b]} or {"integers": [a, b]}.  list: [{...}, {...}], settings used together.  seeds:
    a count or a list.  All choices of these are combined.  metric: the measurement to compare, by default the accuracy
    or R2 on the validation rows.

    Finished trials are not repeated: after Ctrl-C or a crash the same command continues, and a configuration with more
    choices runs only the new trials.  With mpiexec -n N python -m mpi4py.futures -m nn sweep ..., rank 0 distributes
    the trials to the other ranks; a killed rank ends the job, and the same command continues.

    Exit status: 0, 1 if a trial failed, 2 for an invalid option or configuration, 130 after Ctrl-C.
    """
    add("config", type=Path, help="the configuration, a JSON file")
    add("--workers", type=integer(1), help="concurrent trainings, each with one BLAS thread; default: one per core")
    add("--seed", type=integer(0), default=0, help="seed of random settings, and the first of the trials' seeds")
    add("-o", "--out", "--output", type=Path, default=Path("sweep"), metavar="FOLDER", help="folder for all files")
    add("--retry", action="store_true", help="repeat trials that failed")
    add("--quiet", action="store_true", help="print only the table")
    add("--json", action="store_true", help="print the result as JSON")


def _play(add: Add) -> None:
    """Write a page that trains a network."""
    add("data", nargs="?", default="moons", help=f"one of {', '.join(DATA_SETS)}; or a table as for train")
    add("--target", help="the column of the table to predict; default: the last")
    add("-o", "--out", "--output", type=Path, default=Path("playground.html"), metavar="FILE", help="the page")
    add("--open", action="store_true", help="open the page in the browser")
