"""The folder of a run, with which ``python -m nn predict`` and ``python -m nn report`` work."""

import argparse
import csv
import io
import itertools
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograd import no_grad
from autograd.files import write_atomically
from nn import checkpoint
from nn.data.cells import Cells, read_cells
from nn.data.columns import TableEncoder
from nn.functional import softmax
from nn.mlp import table_network
from nn.module import Module
from nn.training.history import format_numbers
from nn.training.solvers import Ensemble
from nn.typing import Array, Print, Settings


@dataclass
class Trained:
    """A model with the encoding of its inputs and the scale of its outputs."""

    model: Module
    encoder: TableEncoder
    target: str
    classes: list[str] | None
    target_scale: tuple[float, float]
    settings: Settings
    temperature: float = 1.0
    result: Settings = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: Array) -> Array:
        """Return the outputs of the network for scaled inputs."""
        self.model.eval()
        with no_grad():
            return np.asarray(self.model(X).data)

    def outputs(self, X: Array) -> Array:
        """Return probabilities of classes, or values of the target, for scaled inputs."""
        raw = self.raw(X)
        if self.classes is None:
            return np.asarray(raw[:, 0] * self.target_scale[1] + self.target_scale[0])
        return np.asarray(softmax(raw / self.temperature, 1))

    def save(self, path: Path) -> None:
        """Write everything to one checkpoint."""
        checkpoint.save(
            path, self.model, encoder=self.encoder.state_dict(), target=self.target, classes=self.classes,
            target_scale=list(self.target_scale), settings=self.settings, result=self.result, history=self.history,
            temperature=self.temperature,
        )  # fmt: skip


def built(encoder: TableEncoder, classes: Sequence[str] | None, settings: Settings) -> Module:
    """Return the untrained model of a run."""
    outputs = 1 if classes is None else len(classes)
    given = encoder.width, encoder.levels, [*settings["hidden"], outputs], settings["activation"]
    options = {"dropout": settings["dropout"], "rng": np.random.default_rng(int(settings["seed"]))}
    members = [table_network(*given, **options) for _ in range(settings["folds"])]
    return members[0] if len(members) == 1 else Ensemble(members, classes is not None)


def diverged(result: Settings) -> bool:
    """Return whether the loss of a run became nan or infinite."""
    return str(result.get("stopped", "")).startswith("the loss is")


def as_json(value: object, indent: int | None = 2) -> str:
    """Return data as strict JSON, which has null for nan and infinity."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(inner) for key, inner in part.items()}
        if isinstance(part, list | tuple):
            return [plain(inner) for inner in part]
        return None if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(value), indent=indent, allow_nan=False)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as the text of a CSV file."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def load_run(folder: Path) -> Trained:
    """Read the folder that `train` wrote.

    Raises
    ------
    ValueError
        If it is not the folder of a run, or its files are damaged.
    """
    path = folder / "model.npz"
    if not path.is_file():
        command = f"python -m nn train ... --out {folder}"
        raise ValueError(f"{folder} is not the folder of a run: model.npz is missing; run {command}")
    saved = checkpoint.load(path)
    try:
        encoder, classes = TableEncoder.from_state_dict(saved["encoder"]), saved["classes"]
        _check_size(path, saved["model"], [encoder.width, *saved["settings"]["hidden"]], saved["settings"]["folds"])
        model = built(encoder, classes, saved["settings"])
        model.load_state_dict(saved["model"], allow_nan=True)
        shift, factor = saved["target_scale"]
        temperature = float(saved["temperature"])
    except (KeyError, TypeError) as error:
        other = "of another version of chainrule, or a checkpoint, but not one of python -m nn train"
        raise ValueError(f"{path} is {other} ({error}); train again") from None
    return Trained(
        model, encoder, saved["target"], classes, (shift, factor), saved["settings"], temperature, saved["result"],
        saved["history"],
    )  # fmt: skip


def _check_size(path: Path, weights: Mapping[str, Array], widths: Sequence[int], folds: int) -> None:
    """Raise if a file has fewer weights than its settings claim, before a model of that size is built."""
    claimed = folds * max(1, sum(a * b for a, b in itertools.pairwise(widths)))
    found = sum(array.size for array in weights.values())
    if claimed > found:
        raise ValueError(f"{path} is damaged: its settings claim {claimed:,} weights, but it contains {found:,}")


def cells_to_predict(args: argparse.Namespace, run: Trained, keep: Sequence[str] = ()) -> Cells:
    """Return the table that `predict` or `explain` reads, if the model is usable; report what is not as in training."""
    if diverged(run.result):
        reason = f"since {run.result['stopped']}"
        raise ValueError(f"the model in {args.run} cannot predict, {reason}; train again with a lower --lr")
    expected = [column.name for column in run.encoder.columns] if run.settings["header"] else []
    missing = run.settings["missing"]
    table = read_cells(args.table, args.delimiter, args.header, expected, encoding=args.encoding, missing=missing)
    if table.header and args.header is None and not run.settings["header"]:
        raise ValueError(
            f"the first line of {table.path} looks like a header, which the table of the model did not have; "
            "pass --no-header if it is a row, else delete it"
        )
    remarks = [*table.notes, *(column.remark(cells) for column, cells in run.encoder.matched(table))]
    used = {run.target, *run.settings["drop"], *keep, *(column.name for column in run.encoder.columns)}
    if ignored := [name for name in table.names if name not in used]:
        shown = ", ".join(ignored[:12]) + ", ..." * (len(ignored) > 12)
        count = "1 column is" if len(ignored) == 1 else f"{len(ignored)} columns are"
        remarks.append(f"{count} ignored, since the model does not use them: {shown}")
    for remark in filter(None, remarks):
        sys.stderr.write(f"{remark}\n")
    return table


def predict(args: argparse.Namespace, out: Print) -> int:
    """Write a prediction for every row of a table: the class and its probabilities, or the value."""
    run = load_run(args.run)
    table = cells_to_predict(args, run, args.keep)
    values = run.outputs(run.encoder(table))
    kept = {table.names[i]: table.columns[i] for i in map(table.position, args.keep)}
    if run.classes is None:
        predicted: dict[str, Sequence[Any]] = {run.target: values.tolist()}
    else:
        predicted = {run.target: [run.classes[i] for i in values.argmax(1)]}
        predicted |= {f"p({label})": values[:, i].tolist() for i, label in enumerate(run.classes)}
    names = [*kept, *predicted]
    rows = zip(*kept.values(), *predicted.values(), strict=True)
    if args.json:
        text = "".join(as_json(dict(zip(names, row, strict=True)), None) + "\n" for row in rows)
    else:
        text = csv_text([names, *rows])
    if args.output is None:
        out(text.rstrip("\n"))
    else:
        write_atomically(args.output, text)
        out(f"wrote {args.output}: {len(values)} predictions of {run.target}")
    return 0


def report(args: argparse.Namespace, out: Print) -> int:
    """Print data, model, result, diagnosis and files of a run."""
    run = load_run(args.run)
    result, settings = run.result, run.settings
    if args.json:
        out(as_json({"settings": settings, **result}))
        return 0
    lines = [
        f"{result['task']} of {run.target} from {result['table']}, {result['rows']} rows, "
        f"{len(run.encoder.columns)} columns",
        f"hidden layers {settings['hidden']}, {settings['activation']}; {settings['optimizer']} at {settings['lr']:g}, "
        f"{settings['schedule']} schedule, {result['epochs']} epochs in {result['seconds']:.1f} s",
        "test: " + format_numbers(result["test"]),
    ]
    lines += result.get("resumed", [])
    if result["stopped"]:
        lines.append(f"ended early: {result['stopped']}")
    lines.append("last epoch: " + format_numbers({key: values[-1] for key, values in run.history.items() if values}))
    lines += (
        [f"In {result['summary']}", *result["verdicts"]]
        if result["verdicts"]
        else [f"No problems detected in {result['summary']}"]
    )
    files = sorted(path.name for path in args.run.iterdir() if path.is_file())
    lines.append(f"{args.run}/: " + ", ".join(files))
    out("\n".join(lines))
    return 0
