"""``python -m nn play``: write the page of a network that is trained in the browser."""

import argparse
import webbrowser
from pathlib import Path
from typing import Any

from nn.show.playground import DATA_SETS, play as create
from nn.typing import Array, Print

from .options import train_parser
from .training import Run

MOST_VALUES = 10_000  # of the training rows of a table


def play(args: argparse.Namespace, out: Print) -> int:
    """Run the command; return its exit status."""
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
