"""What a worker of a sweep does: one trial, from its settings to its numbers, whatever happens."""

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
from typing import Any

from .options import train_parser
from .training import Run, make_folder

__all__ = ["prepare", "run_trial"]

LINES_OF_TRACEBACK = 40
NOT_MEASURED = ("lr", "seconds")


def prepare() -> None:
    """Make a new process a worker: Ctrl-C is its parent's to hear, and it does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: Any) -> None:
    wait([sentinel])
    os._exit(1)


def run_trial(words: Sequence[str], folder: str) -> dict[str, Any]:
    """Train once, and return what was measured, or the error that ended it.

    Parameters
    ----------
    words : sequence of str
        Arguments of ``python -m nn train``.
    folder : str
        Where checkpoint, log and model go; a trial that was killed goes on from the checkpoint it finds there.

    Returns
    -------
    dict
        ``status`` is ``"done"``, ``"failed"`` or ``"interrupted"``.
    """
    begin = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a training that ends early says so in its record
            found = _trained(words, Path(folder))
    except (Exception, SystemExit) as error:  # also what nobody thought of ends one trial only
        Path(folder, "checkpoint.npz").unlink(missing_ok=True)  # whatever was wrong is not taken up again
        said = " ".join(str(error).split())
        lines = "".join(traceback.format_exception(error)).splitlines()
        found = {
            "status": "failed",
            "error": f"{type(error).__name__}: {said}" if said else type(error).__name__,
            "traceback": lines[-LINES_OF_TRACEBACK:],
        }
    return found | {"seconds": round(time.perf_counter() - begin, 3)}


def _trained(words: Sequence[str], folder: Path) -> dict[str, Any]:
    args = train_parser().parse_args([*words, f"--out={folder}", "--quiet", "--resume"])
    run = Run(args, lambda text: None)
    make_folder(folder)
    run.read()
    history = run.train()
    if history.interrupted:
        return {"status": "interrupted"}
    result = run.measure(history)
    run.trained.save(folder / "model.npz")
    for name in ("checkpoint.npz", *(path.name for path in folder.glob(".*.tmp"))):  # or left by a killed worker
        (folder / name).unlink(missing_ok=True)
    best, _ = history.best("validation loss")  # where early stopping went back to
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
