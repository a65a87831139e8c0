"""``python -m nn predict`` and ``python -m nn report``: use a trained run."""

from __future__ import annotations

import argparse
import csv
import io
import json

import numpy as np

from nn.checkpoint.files import write_text
from nn.data.columns import encode, read_cells
from nn.training.history import format_numbers
from nn.typing import Print

from .folder import load_run

__all__ = ["predict", "report"]


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
