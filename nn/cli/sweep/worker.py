"""Run one trial of a sweep in a worker process, and return its results or its error."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from nn.cli.options import train_parser
from nn.cli.training import Run, make_folder
from nn.typing import Settings

LINES_OF_TRACEBACK = 40
NOT_MEASURED = ("lr", "seconds")


def prepare() -> None:
    """Initialise a worker process: ignore Ctrl-C, which the parent handles, and exit with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def run_trial(words: Sequence[str], folder: str) -> Settings:
    """Train once, and return the measurements, or the error that ended the training.

    Parameters
    ----------
    words : sequence of str
        Arguments of ``python -m nn train``.
    folder : str
        The folder for checkpoint, log and model; a killed trial resumes from its checkpoint.

    Returns
    -------
    dict
        ``status`` is ``"done"``, ``"failed"`` or ``"interrupted"``.
    """
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the record contains why a training ended early
            found = _trained(words, Path(folder))
    except (Exception, SystemExit) as error:  # any error ends one trial only
        Path(folder, "checkpoint.npz").unlink(missing_ok=True)  # do not resume from a faulty state
        lines = traceback.format_exception(error)
        found = {
            "status": "failed",
            "error": " ".join("".join(traceback.format_exception_only(error)).split()),
            "traceback": "".join(lines).splitlines()[-LINES_OF_TRACEBACK:],
        }
    return found | {"seconds": round(time.perf_counter() - begin, 3)}


def _trained(words: Sequence[str], folder: Path) -> Settings:
    args = train_parser().parse_args([*words, f"--out={folder}", "--quiet", "--resume"])
    if args.folds > 1:
        raise ValueError("a trial trains one network; pass --folds to python -m nn train")
    run = Run(args, lambda text: None)
    make_folder(folder)
    run.read()
    history = run.train()
    if history.interrupted:
        return {"status": "interrupted"}
    result = run.measure(history)
    run.trained.save(folder / "model.npz")
    for name in ("checkpoint.npz", *(path.name for path in folder.glob(".*.tmp"))):  # or of a killed worker
        (folder / name).unlink(missing_ok=True)
    best, _ = history.best("validation loss")  # restored by early stopping
    measured = {name: values[best - 1] for name, values in history.items() if name not in NOT_MEASURED}
    measured |= {f"test {name}": value for name, value in result["test"].items()}
    return {
        "status": "done",
        "metrics": {name: float(v) if math.isfinite(v) else None for name, v in measured.items()},
        "epochs": history.epochs,
        "best epoch": best,
        "stopped": history.stopped,
        "verdicts": result["verdicts"],
    }
