"""What may happen beside the training itself: early stopping, keeping the best model, logs.

A callback is any object with some of the methods of `Callback`, or a function, which is called after every epoch.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from nn import checkpoint
from nn.checkpoint.files import FilePath

from .history import better

__all__ = ["BestModel", "Callback", "EarlyStopping", "JSONLines", "TensorBoard"]


class Callback:
    """Base of callbacks: write the methods you need.

    Each is given the run: its `model`, `loss`, `optimizer`, `history`, `epoch` (from 1), `epochs`, `step` (from 1),
    `batch`, `last_loss`, `numbers` (of the epoch just finished) and ``stop(reason)``.  A callback with ``state_dict()``
    and ``load_state_dict()`` is part of the checkpoint.

    Examples
    --------
    >>> class Shout(Callback):
    ...     def on_epoch_end(self, run):
    ...         print(f"epoch {run.epoch}!")
    """

    def on_train_begin(self, run: Any) -> None:
        """Before the first step, after a resumed state was loaded."""

    def on_epoch_begin(self, run: Any) -> None:
        """Before the first step of an epoch."""

    def on_step_end(self, run: Any) -> None:
        """After the optimizer's step, while the parameters still have the gradients it used."""

    def on_epoch_end(self, run: Any) -> None:
        """After an epoch and its validation; `run.numbers` holds what was measured."""

    def on_train_end(self, run: Any) -> None:
        """After the last step, also when training was stopped, interrupted or failed."""


class _Best:
    """Follows the best value of a quantity over the epochs."""

    def __init__(self, watch: str | None, mode: str | None, min_delta: float) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"min_delta must not be negative, and is {min_delta!r}")
        self.watch: str | None = watch
        self.mode = mode
        self.min_delta: float = float(min_delta)
        self.value: float
        self.epoch: int
        self.value, self.epoch = math.nan, 0

    def improved(self, run: Any) -> bool:
        """Return whether this epoch is the best so far, and note it."""
        key = self.watch or ("validation loss" if "validation loss" in run.numbers else "loss")
        if key not in run.numbers:
            raise ValueError(f"there is no {key!r} to watch; measured were {', '.join(run.numbers)}")
        now = run.numbers[key]
        gain = (self.value - now) if (self.mode or better(key)) == "min" else (now - self.value)
        if math.isnan(now) or (self.epoch and not gain > self.min_delta):
            return False
        self.value = now
        self.epoch = run.epoch
        return True


class EarlyStopping(Callback):
    """Stop when a quantity has not become better for some epochs (Prechelt 1998), and go back to the best model.

    Parameters
    ----------
    patience : int
        How many epochs without improvement are borne; one more stops.
    watch : str, optional
        Which quantity; by default the validation loss, or without validation the loss.
    min_delta : float
        The least change that counts as better.
    mode : {'min', 'max'}, optional
        What is better; by default what the name says, less for a loss or an error and more for anything else.
    restore : bool
        Give the model the parameters of its best epoch at the end.

    Attributes
    ----------
    epoch, value
        The best epoch, from 1, and what was measured then.

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
        self,
        patience: int = 10,
        watch: str | None = None,
        *,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore: bool = True,
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 0:
            raise ValueError(f"patience must be a whole number of epochs, not negative, and is {patience!r}")
        self.best: _Best = _Best(watch, mode, min_delta)
        self.patience: int = patience
        self.restore: bool = restore
        self.kept: dict[str, Any] | None = None

    @property
    def epoch(self) -> int:
        """The best epoch, from 1; 0 before there was one."""
        return self.best.epoch

    @property
    def value(self) -> float:
        """What was measured in the best epoch."""
        return self.best.value

    def on_epoch_end(self, run: Any) -> None:
        """Keep the model if it is the best so far, stop if it has not been for too long."""
        if self.best.improved(run):
            self.kept = run.model.state_dict() if self.restore else None
        elif run.epoch - self.best.epoch > self.patience:
            run.stop(f"no improvement for {run.epoch - self.best.epoch} epochs, best was epoch {self.best.epoch}")

    def on_train_end(self, run: Any) -> None:
        """Give the model its best parameters."""
        if self.kept is not None:  # a checkpoint of the interrupted run was written before this
            run.model.load_state_dict(self.kept)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its epoch and its parameters."""
        return {"value": self.best.value, "epoch": self.best.epoch, "kept": self.kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.best.value, self.best.epoch = float(state_dict["value"]), int(state_dict["epoch"])
        self.kept = state_dict["kept"]


class BestModel(Callback):
    """Write the model to a checkpoint whenever it is the best so far.

    Parameters
    ----------
    path : str or Path
        Where to; read it back by ``nn.checkpoint.load(path, model)``.
    watch, mode, min_delta
        As for `EarlyStopping`.

    Examples
    --------
    >>> callback = BestModel("best.npz", watch="validation accuracy")
    """

    def __init__(
        self, path: FilePath, watch: str | None = None, *, min_delta: float = 0.0, mode: str | None = None
    ) -> None:
        self.path: Path = Path(path)
        self.best: _Best = _Best(watch, mode, min_delta)

    def on_epoch_end(self, run: Any) -> None:
        """Save the model if it is the best so far."""
        if self.best.improved(run):
            checkpoint.save(self.path, run.model, epoch=run.epoch, numbers=dict(run.numbers))

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its epoch."""
        return {"value": self.best.value, "epoch": self.best.epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.best.value, self.best.epoch = float(state_dict["value"]), int(state_dict["epoch"])


class JSONLines(Callback):
    """Append a line of JSON per epoch to a file, each flushed at once, so that a killed run keeps its log.

    Parameters
    ----------
    path : str or Path
        Where to; a run that starts anew begins the file anew, one that is resumed appends.
    every : int, optional
        Log every so many steps as well.

    Notes
    -----
    JSON has no nan and no infinity: they are written as the strings "nan", "inf" and "-inf".

    Examples
    --------
    >>> callback = JSONLines("log.jsonl")
    """

    def __init__(self, path: FilePath, every: int | None = None) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every must be a number of steps above 0, not {every!r}")
        self.path: Path = Path(path)
        self.every: int | None = every
        self.file: TextIO | None = None

    def on_train_begin(self, run: Any) -> None:
        """Open the file."""
        self.file = self.path.open("a" if run.step else "w", encoding="utf-8")

    def on_step_end(self, run: Any) -> None:
        """Log the step, if it is one of those asked for."""
        if self.every and run.step % self.every == 0:
            self._write({"step": run.step, "epoch": run.epoch, "loss": run.last_loss})

    def on_epoch_end(self, run: Any) -> None:
        """Log the epoch."""
        self._write({"epoch": run.epoch, "step": run.step, **run.numbers, "time": round(time.time(), 3)})

    def on_train_end(self, run: Any) -> None:
        """Log how the training ended, and close the file."""
        if self.file is not None:
            if run.history.stopped:
                self._write({"epoch": run.epoch, "step": run.step, "stopped": run.history.stopped})
            self.file.close()
            self.file = None

    def _write(self, entry: dict[str, Any]) -> None:
        assert self.file is not None
        plain = {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()}
        self.file.write(json.dumps(plain, allow_nan=False) + "\n")
        self.file.flush()


class TensorBoard(Callback):
    """Write every number, and histograms of parameters, for TensorBoard, by the tensorboardX package.

    Parameters
    ----------
    folder : str or Path
        What to point ``tensorboard --logdir`` at.
    histograms : bool
        Write the distributions of parameters after every epoch as well.

    Raises
    ------
    ImportError
        If tensorboardX is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     callback = TensorBoard(folder)
    ...     callback.writer.close()
    """

    def __init__(self, folder: FilePath, histograms: bool = True) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoard needs tensorboardX: pip install tensorboardX; JSONLines needs nothing"
            ) from error
        self.writer: Any = SummaryWriter(os.fspath(folder))
        self.histograms = histograms

    def on_epoch_end(self, run: Any) -> None:
        """Write the numbers of the epoch, training and validation under one heading each."""
        for key, value in run.numbers.items():
            kind, name = ("validation", key.removeprefix("validation ")) if "validation" in key else ("training", key)
            self.writer.add_scalar(f"{name}/{kind}", value, run.epoch)
        if self.histograms:
            for name, parameter in run.model.named_parameters():
                self.writer.add_histogram(name.replace(".", "/"), parameter.data, run.epoch)

    def on_train_end(self, run: Any) -> None:
        """Flush everything to the disk."""
        self.writer.close()
