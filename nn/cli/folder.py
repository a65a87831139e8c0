"""The folder of a run, with which ``python -m nn predict`` and ``python -m nn report`` work."""

from __future__ import annotations

import argparse
import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autograd import no_grad
from nn import checkpoint
from nn.checkpoint.files import write_text
from nn.data.columns import Column, encode, read_cells
from nn.functional import softmax
from nn.layers.mlp import MLP
from nn.module import Module
from nn.training.history import format_numbers
from nn.typing import Array, Print, Settings

__all__ = ["Trained", "load_run", "predict", "report"]


@dataclass
class Trained:
    """A model with the encoding of its inputs and the scale of its outputs."""

    model: Module
    columns: list[Column]
    target: str
    classes: list[str] | None
    scale: tuple[Array, Array]  # mean and standard deviation of the inputs
    target_scale: tuple[float, float]
    settings: Settings
    result: Settings = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def inputs(self, features: Array) -> Array:
        """Return encoded columns, standardised."""
        return np.asarray((features - self.scale[0]) / self.scale[1])

    def outputs(self, X: Array) -> Array:
        """Return the outputs for standardised inputs: probabilities of classes, or values of the target."""
        self.model.eval()
        with no_grad():
            raw = np.asarray(self.model(X).data)
        if self.classes is None:
            return np.asarray(raw[:, 0] * self.target_scale[1] + self.target_scale[0])
        return np.asarray(softmax(raw, 1))

    def save(self, path: Path) -> None:
        """Write everything to one checkpoint."""
        checkpoint.save(
            path, self.model, columns=[column.state_dict() for column in self.columns], target=self.target,
            classes=self.classes, scale=list(self.scale), target_scale=list(self.target_scale),
            settings=self.settings, result=self.result, history=self.history,
        )  # fmt: skip


def built(inputs: int, outputs: int, settings: Settings) -> MLP:
    """Return the untrained model of a run."""
    return MLP(inputs, [*settings["hidden"], outputs], activation=settings["activation"], rng=int(settings["seed"]))


def load_run(folder: Path) -> Trained:
    """Read the folder that `train` wrote.

    Raises
    ------
    ValueError
        If it is not the folder of a run, or its files are damaged.
    """
    path = folder / "model.npz"
    if not path.is_file():
        raise ValueError(
            f"{folder} is not the folder of a run: model.npz is missing; run python -m nn train ... --out {folder}"
        )
    saved = checkpoint.load(path)
    try:
        mean, std = saved["scale"]
        classes = saved["classes"]
        model = built(len(mean), 1 if classes is None else len(classes), saved["settings"])
        checkpoint.load(path, model)
        columns = [Column(**column) for column in saved["columns"]]
        shift, factor = saved["target_scale"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is a checkpoint, but not one of python -m nn train ({error})") from None
    return Trained(
        model, columns, saved["target"], classes, (mean, std), (shift, factor), saved["settings"], saved["result"],
        saved["history"],
    )  # fmt: skip


def predict(args: argparse.Namespace, out: Print) -> int:
    """Write a prediction for every row of a table: the class and its probabilities, or the value."""
    run = load_run(args.run)
    table = read_cells(args.table, args.delimiter, False if args.no_header else None)
    values = run.outputs(run.inputs(encode(table, run.columns)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if run.classes is None:
        writer.writerow([run.target])
        writer.writerows([[f"{value:.6g}"] for value in values])
    else:
        writer.writerow([run.target, *(f"p({label})" for label in run.classes)])
        for row in values:
            writer.writerow([run.classes[int(np.argmax(row))], *(f"{share:.4f}" for share in row)])
    if args.output is None:
        out(text.getvalue().rstrip("\n"))
    else:
        write_text(args.output, text.getvalue())
        out(f"wrote {args.output}: {len(values)} predictions of {run.target}")
    return 0


def report(args: argparse.Namespace, out: Print) -> int:
    """Print data, model, result, diagnosis and files of a run."""
    run = load_run(args.run)
    result, settings = run.result, run.settings
    if args.json:
        out(json.dumps({"settings": settings, **result}, indent=2))
        return 0
    lines = [
        f"{result['task']} of {run.target} from {result['table']}, {result['rows']} rows, {len(run.columns)} columns",
        f"hidden layers {settings['hidden']}, {settings['activation']}; {settings['optimizer']} at {settings['lr']:g}, "
        f"{settings['schedule']} schedule, {result['epochs']} epochs in {result['seconds']:.1f} s",
        "test: " + format_numbers(result["test"]),
    ]
    if result["stopped"]:
        lines.append(f"ended early: {result['stopped']}")
    lines.append("last epoch: " + format_numbers({key: values[-1] for key, values in run.history.items() if values}))
    lines += (
        [f"In {result['summary']}", *result["verdicts"]]
        if result["verdicts"]
        else [f"Nothing alarming in {result['summary']}"]
    )
    files = sorted(path.name for path in args.run.iterdir() if path.is_file())
    lines.append(f"{args.run}/: " + ", ".join(files))
    out("\n".join(lines))
    return 0
