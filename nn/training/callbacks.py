"""Callbacks: early stopping, saving the best model, and logs.

A callback is any object with some of the methods of `Callback`, or a function, which is called after every epoch.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd.files import append, write_atomically
from nn import checkpoint
from nn.typing import FilePath, State
from nn.validation import checked_integer

if TYPE_CHECKING:
    from .run import Run


class Callback:
    """Base class of callbacks: override the methods you need.

    Each receives the run: its `model`, `loss`, `optimizer`, `history`, `epoch` (from 1), `epochs`, `step` (from 1),
    `batch`, `last_loss`, `numbers` (measurements of the epoch just finished) and ``stop(reason)``.  A callback with
    ``state_dict()`` and ``load_state_dict()`` is part of the checkpoint.  One that keeps a state starts anew in
    `on_train_begin` if ``run.step`` is 0, so that it can be used for several trainings.

    Examples
    --------
    >>> class PrintEpoch(Callback):
    ...     def on_epoch_end(self, run):
    ...         print(f"epoch {run.epoch}")
    """

    def on_train_begin(self, run: Run) -> None:
        """Run before the first step, after the state of a resumed run was loaded."""

    def on_epoch_begin(self, run: Run) -> None:
        """Run before the first step of an epoch."""

    def on_step_end(self, run: Run) -> None:
        """Run after the optimizer's step, while the parameters still have the gradients it used.

        With a method ``needs_step(step)`` this holds for the steps for which it returns True.  Other steps may be
        taken together, after which this method runs once; ``run.losses`` contains their losses.
        """

    def on_epoch_end(self, run: Run) -> None:
        """Run after an epoch and its validation; `run.numbers` holds the measurements."""

    def on_train_end(self, run: Run) -> None:
        """Run after the last step, also if training was stopped, interrupted or failed."""


class _BestEpoch(Callback):
    """Base of the callbacks that follow the best value of a measurement over the epochs."""

    restore: bool = False

    def __init__(self, watch: str | None, min_delta: float) -> None:
        if not min_delta >= 0:
            raise ValueError(f"min_delta must not be negative, got {min_delta!r}")
        self.watch: str | None = watch
        self.min_delta: float = float(min_delta)
        self.load_state_dict({"value": math.nan, "epoch": 0})

    def state_dict(self) -> State:
        """Return the best value, its epoch and its parameters, if they are kept."""
        return {"value": self.value, "epoch": self.epoch, "kept": self.kept}

    def load_state_dict(self, state_dict: State) -> None:
        """Continue from a `state_dict`."""
        self.value: float = float(state_dict["value"])
        self.epoch: int = int(state_dict["epoch"])
        self.kept: State | None = state_dict.get("kept")  # the parameters of the best epoch, if `restore`

    def on_train_begin(self, run: Run) -> None:
        """Forget the best epoch of an earlier training, unless this one is resumed."""
        if not run.step:
            self.load_state_dict({"value": math.nan, "epoch": 0})

    def improved(self, run: Run) -> bool:
        """Return whether this epoch is the best so far, and remember its value."""
        key = self.watch or ("validation loss" if "validation loss" in run.numbers else "loss")
        if key not in run.numbers:
            raise ValueError(f"watch={key!r} was not measured; available are {', '.join(run.numbers)}")
        now = run.numbers[key]
        gain = self.value - now if run.history.better(key) == "lower" else now - self.value
        if math.isnan(now) or (self.epoch and not gain > self.min_delta):
            return False
        self.value, self.epoch = now, run.epoch
        self.kept = run.model.state_dict() if self.restore else None
        return True


class EarlyStopping(_BestEpoch):
    """Stop if a measurement has not improved for some epochs (Prechelt 1998), and restore the best model.

    Parameters
    ----------
    patience : int
        The number of epochs without improvement after which one more stops the training.
    watch : str, optional
        The name of the measurement; by default the validation loss, or without validation data the loss.  The lowest
        loss is the best, and the highest value of a metric, unless its attribute `better` is 'lower'.
    min_delta : float
        The smallest change that counts as an improvement.
    restore : bool
        Give the model the parameters of its best epoch at the end.

    Attributes
    ----------
    epoch, value
        The best epoch, from 1, and its value; 0 and nan before the first.

    Raises
    ------
    ValueError
        If `patience` or `min_delta` is negative.

    Examples
    --------
    >>> EarlyStopping(patience=5).patience
    5
    """

    def __init__(
        self, patience: int = 10, watch: str | None = None, *, min_delta: float = 0.0, restore: bool = True
    ) -> None:
        super().__init__(watch, min_delta)
        self.patience: int = checked_integer("EarlyStopping", "patience", patience, 0)
        self.restore: bool = restore

    def on_epoch_end(self, run: Run) -> None:
        """Keep the parameters if they are the best so far; stop once patience is exhausted."""
        if not self.improved(run) and run.epoch - self.epoch > self.patience:
            run.stop(f"no improvement for {run.epoch - self.epoch} epochs, best was epoch {self.epoch}")

    def on_train_end(self, run: Run) -> None:
        """Restore the best parameters."""
        if self.kept is not None:  # a checkpoint of the interrupted run was written before this
            run.model.load_state_dict(self.kept)


class BestModel(_BestEpoch):
    """Save the model to a checkpoint whenever it is the best so far.

    Parameters
    ----------
    path : str or Path
        The file; read it by ``nn.checkpoint.load(path, model)``.
    watch, min_delta
        As for `EarlyStopping`.

    Examples
    --------
    >>> callback = BestModel("best.npz", watch="validation accuracy")
    """

    def __init__(self, path: FilePath, watch: str | None = None, *, min_delta: float = 0.0) -> None:
        super().__init__(watch, min_delta)
        self.path: Path = Path(path)

    def on_epoch_end(self, run: Run) -> None:
        """Save the model if it is the best so far."""
        if self.improved(run):
            checkpoint.save(self.path, run.model, epoch=run.epoch, numbers=dict(run.numbers))


class JSONLines(Callback):
    """Append a line of JSON per epoch to a file, flushed at once so that a killed run keeps its log.

    Parameters
    ----------
    path : str or Path
        The file; a new run overwrites it, and a resumed one replaces what was written after its checkpoint.

    Notes
    -----
    JSON cannot express nan and infinity: they are written as the strings "nan", "inf" and "-inf".

    Examples
    --------
    >>> callback = JSONLines("log.jsonl")
    """

    def __init__(self, path: FilePath) -> None:
        self.path: Path = Path(path).absolute()  # also after a change of the working directory

    def on_train_begin(self, run: Run) -> None:
        """Create the file; of a resumed run, keep the complete entries up to the checkpoint."""
        lines = self.path.read_text(encoding="utf-8").splitlines(True) if run.step and self.path.exists() else []
        write_atomically(self.path, "".join(line for line in lines if _logged_before(line, run.step)))

    def on_epoch_end(self, run: Run) -> None:
        """Log the epoch."""
        self._write({"epoch": run.epoch, "step": run.step, **run.numbers, "time": round(time.time(), 3)})

    def on_train_end(self, run: Run) -> None:
        """Log why the training ended."""
        if run.history.stopped:
            self._write({"epoch": run.epoch, "step": run.step, "stopped": run.history.stopped})

    def _write(self, entry: Mapping[str, object]) -> None:
        plain = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()}
        append(self.path, json.dumps(plain, allow_nan=False))


def _logged_before(line: str, step: int) -> bool:
    """Return whether a line of a log is complete and belongs to the steps up to a checkpoint."""
    try:
        entry = json.loads(line)
    except ValueError:  # the process was killed while writing
        return False
    return line.endswith("\n") and "stopped" not in entry and entry["step"] <= step


class TensorBoard(Callback):
    """Write measurements for TensorBoard by the tensorboardX package.

    Parameters
    ----------
    folder : str or Path
        The folder for ``tensorboard --logdir``.

    Raises
    ------
    ImportError
        If tensorboardX is not installed.

    Examples
    --------
    >>> callback = TensorBoard("runs")
    """

    def __init__(self, folder: FilePath) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError("TensorBoard needs tensorboardX: pip install tensorboardX, or use JSONLines") from error
        self._open: Any = SummaryWriter
        self.folder: str = os.fspath(folder)

    def on_train_begin(self, run: Run) -> None:
        """Open the files."""
        self.writer: Any = self._open(self.folder)

    def on_epoch_end(self, run: Run) -> None:
        """Write the measurements, training and validation under one heading each."""
        for key, value in run.numbers.items():
            name = key.removeprefix("validation ")
            self.writer.add_scalar(f"{name}/{'training' if name == key else 'validation'}", value, run.epoch)

    def on_train_end(self, run: Run) -> None:
        """Flush and close the files."""
        self.writer.close()
