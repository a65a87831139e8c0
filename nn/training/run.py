"""`Run`: a training under way, which knows where it stands, can be saved at any step and taken up again."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nn import checkpoint
from nn.metrics import Metric
from nn.random import get_rng_state, set_rng_state

from .advice import warn_of_unreached
from .evaluating import Totals, evaluate
from .history import History
from .interrupt import Interrupt
from .progress import Progress
from .scheduling import Schedules
from .stepping import Stepper

__all__ = ["Run"]

SECONDS_BETWEEN_SAVES = 1.0  # a save waits for the disk, which may take longer than a small epoch
HOOKS = ("on_train_begin", "on_epoch_begin", "on_step_end", "on_epoch_end", "on_train_end")


class Run:
    """A training under way; what callbacks are given.

    Attributes
    ----------
    model, loss, optimizer, loader
        What is trained, by what, on what.
    history : History
        What was measured so far.
    epoch, epochs, step : int
        The present epoch and their number; the step just finished, counted over all epochs; all from 1.
    batch, last_loss
        Of the step just finished.
    numbers : dict
        What was measured in the epoch just finished.
    rank : int
        Which of the processes that train together this is; files are written by rank 0.

    Examples
    --------
    >>> import numpy as np, nn, optim
    >>> model, x = nn.Linear(1, 1, rng=0), np.ones((4, 1))
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> def tell(run):
    ...     print(f"epoch {run.epoch} of {run.epochs}, step {run.step}")
    >>> loader = nn.data.DataLoader(nn.data.TensorDataset(x, 2 * x), batch_size=2)
    >>> _ = nn.training.fit(model, nn.MSELoss(), optimizer, loader, epochs=2, callbacks=[tell], progress=False)
    epoch 1 of 2, step 2
    epoch 2 of 2, step 4
    """

    def __init__(
        self,
        stepper: Stepper,
        loader: Any,
        validation: Any,
        metrics: dict[str, Metric],
        schedules: Schedules,
        callbacks: Iterable[Any],
        epochs: int,
    ) -> None:
        self.ranks: Any = stepper.ranks
        self.rank = 0 if self.ranks is None else self.ranks.rank
        self.stepper: Stepper = stepper
        self.loader: Any = loader
        self.validation: Any = validation
        self.model: Any = stepper.model
        self.loss: Any = stepper.loss
        self.optimizer: Any = stepper.optimizer
        self.metrics: dict[str, Metric] = metrics
        self.schedules: Schedules = schedules
        self.epochs: int = epochs
        self.callbacks: list[Any] = list(callbacks)
        for callback in self.callbacks:
            if not callable(callback) and not any(hasattr(callback, hook) for hook in HOOKS):
                raise TypeError(f"a callback is a function or has one of {', '.join(HOOKS)}, unlike {callback!r:.60}")
        self.listeners: dict[str, list[Any]] = {hook: self._listening(hook) for hook in HOOKS}
        self.totals: Totals = Totals(metrics, self.loss, self.ranks and self.ranks.comm)
        self.history: History = History()
        self.epoch: int
        self.step: int
        self.done: int
        self.epoch = self.step = self.done = 0
        self.batch: Any = None
        self.last_loss: float = math.nan
        self.numbers: dict[str, float] = {}
        self.seconds: float = 0.0

    def _listening(self, hook: str) -> list[Any]:
        found = [getattr(callback, hook) for callback in self.callbacks if hasattr(callback, hook)]
        if hook == "on_epoch_end":  # a plain function has no other name
            found += [c for c in self.callbacks if callable(c) and not any(hasattr(c, other) for other in HOOKS)]
        return found

    def tell(self, hook: str) -> None:
        """Call one method of every callback that has it."""
        for listener in self.listeners[hook]:
            listener(self)

    def stop(self, reason: str) -> None:
        """End the training after the present step, or if an epoch just ended, now.

        Of several ranks one is enough; all of them then end after the next step.
        """
        self.history.stopped = self.history.stopped or reason

    # ------------------------------------------------------------------------------------------- the training

    def train(self, save_to: Path | None, progress: str) -> History:
        """Train the epochs that are left, and return the history."""
        shown = Progress(self.epochs, "none" if self.rank else progress, self.done)
        was_training = self.model.training
        try:
            with Interrupt() as interrupt:
                self.tell("on_train_begin")
                self._epochs(interrupt, save_to, shown)
                if self._wanted(interrupt):
                    self._interrupted(save_to, shown)
        except KeyboardInterrupt:
            if interrupt.wanted or self.ranks is not None:  # the second Ctrl-C: now
                raise
            self._interrupted(save_to, shown)
        finally:
            self.model.train(was_training)
            self._mode("eval")
            try:
                self.tell("on_train_end")
            finally:
                shown.close()
        if self.history.stopped.startswith("the loss is") and not self.rank:
            warnings.warn(f"training ended early: {self.history.stopped}", RuntimeWarning, stacklevel=4)
        return self.history

    def _interrupted(self, save_to: Path | None, shown: Progress) -> None:
        self.history.interrupted = True
        self.stop("interrupted")
        saved = ""
        if save_to is not None:
            self.save(save_to)
            saved = f"; saved to {save_to}, from which it can be resumed"
        shown.say(f"interrupted in epoch {self.epoch} after step {self.step}{saved}")

    def _epochs(self, interrupt: Interrupt, save_to: Path | None, shown: Progress) -> None:
        saved = -math.inf
        while self.done < self.epochs and not self.history.stopped:
            self.epoch = self.done + 1
            self.tell("on_epoch_begin")
            begin = time.perf_counter() - self.seconds
            self._steps(interrupt)
            self.seconds = time.perf_counter() - begin
            self._meet(interrupt)
            if self._wanted(interrupt):
                return
            self._end_epoch()
            self._meet(interrupt, drift=True)
            shown(self.epoch, self.numbers)
            ends = self.done == self.epochs or bool(self.history.stopped)
            due = ends or time.monotonic() - saved >= SECONDS_BETWEEN_SAVES
            if self.ranks is not None:  # one clock for all: to save is to ask every rank
                due = self.ranks.comm.bcast(due)
            if save_to is not None and due:
                self.save(save_to)
                saved = time.monotonic()

    def _wanted(self, interrupt: Interrupt) -> bool:
        """Whether Ctrl-C was heard; with other ranks, whether all know that it was."""
        return interrupt.wanted if self.ranks is None else bool(self.ranks.interrupted)

    def _meet(self, interrupt: Interrupt, drift: bool = False) -> None:
        """Agree with the other ranks, if there are any, on whether to go on."""
        if self.ranks is not None:
            self.history.stopped = self.ranks.meet(interrupt.wanted, self.history.stopped, drift)

    def _steps(self, interrupt: Interrupt) -> None:
        self.model.train()
        self._mode("train")
        stepper, listeners, per_step = self.stepper, self.listeners["on_step_end"], self.schedules.step
        count = len(self.loader) if hasattr(self.loader, "__len__") else math.inf
        place = getattr(self.loader, "position", 0) if getattr(self.loader, "_resuming", False) else 0
        for place, batch in enumerate(self.loader, place + 1):  # noqa: B020 - the batches before were dealt already
            if self.ranks is not None:
                self.ranks.wish(interrupt.wanted, bool(self.history.stopped))
            self.last_loss = value = stepper.take(batch, self.totals, place == count)
            if stepper.gathered:
                continue
            self.batch = batch
            self.step += 1
            for listener in listeners:
                listener(self)
            if per_step:
                self.schedules.advance(per_step, value)
            if value - value != 0.0:
                self.stop(
                    f"the loss is {value} in epoch {self.epoch}, step {self.step}: lower the learning rate, clip "
                    "gradients, scale the inputs; autograd.detect_anomaly() says where it was born"
                )
            if self._ends(interrupt, value):
                return

    def _ends(self, interrupt: Interrupt, value: float) -> bool:
        """Whether the step just finished is the last; with other ranks, only for what all of them know."""
        if self.ranks is None:
            return interrupt.wanted or bool(self.history.stopped)
        return bool(self.ranks.interrupted or self.ranks.heard) or value - value != 0.0

    def _end_epoch(self) -> None:
        """Measure, tell everybody, and begin a new account."""
        self.numbers = self.totals.numbers()
        if self.stepper.norms:
            self.numbers["gradient norm"] = float(np.mean(self.stepper.norms))
        if self.validation is not None:
            self._mode("eval")
            self.numbers |= evaluate(
                self.model,
                self.loss,
                self.validation,
                self.metrics,
                prefix="validation ",
                comm=self.ranks and self.ranks.comm,
            )
        self.numbers["lr"] = float(self.optimizer.param_groups[0].get("lr", math.nan))
        self.numbers["seconds"] = self.seconds if self.ranks is None else self.ranks.comm.bcast(self.seconds)
        self.history.add(self.numbers)
        self.done, self.seconds = self.epoch, 0.0
        # steps were taken, and not all by the run that is resumed
        if self.done == 1 and self.batch is not None and not self.rank:
            warn_of_unreached(self.model)
        self.totals.clear()
        self.stepper.norms.clear()
        self.tell("on_epoch_end")
        metric = self.numbers.get("validation loss", self.numbers["loss"])
        if self.schedules.epoch and not math.isnan(metric):
            self.schedules.advance(self.schedules.epoch, metric)

    def _mode(self, mode: str) -> None:
        """Tell an optimizer that keeps two sets of parameters (Schedule-Free) which are wanted."""
        switch = getattr(self.optimizer, mode, None)
        if callable(switch):
            switch()

    # ------------------------------------------------------------------------------------------------- saving

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer}
        return parts | ({"loader": self.loader} if hasattr(self.loader, "load_state_dict") else {})

    def _states(self) -> list[Any]:
        return [c.state_dict() if hasattr(c, "load_state_dict") else None for c in self.callbacks]

    def save(self, path: Path) -> None:
        """Write everything needed to go on from this step, bit for bit; of several ranks, rank 0 writes."""
        self._mode("train")
        totals = self.totals.state_dict()  # of all ranks: all must ask
        if self.rank:
            return
        checkpoint.save(
            path,
            **self._parts(),
            schedules=self.schedules.state_dict(),
            history=self.history.state_dict(),
            totals=totals,
            progress={"done": self.done, "step": self.step, "seconds": self.seconds, "norms": self.stepper.norms},
            callbacks=self._states(),
            rng=get_rng_state(),
        )

    def resume(self, path: Path) -> None:
        """Stand where the run that `save` wrote stood, if it wrote one."""
        if self.ranks is not None:
            rest = self.ranks.load(path, self._parts())
        else:
            rest = checkpoint.load(path, **self._parts()) if path.exists() else None
        if rest is None:
            return
        if len(rest["callbacks"]) != len(self.callbacks):
            raise ValueError(
                f"{path}: saved with {len(rest['callbacks'])} callbacks, and there are {len(self.callbacks)} now"
            )
        self.schedules.load_state_dict(rest["schedules"])
        self.history.load_state_dict(rest["history"])
        self.totals.load_state_dict(rest["totals"])
        for callback, state in zip(self.callbacks, rest["callbacks"], strict=True):
            if state is not None:
                callback.load_state_dict(state)
        set_rng_state(rest["rng"])
        where = rest["progress"]
        self.done = self.epoch = int(where["done"])
        self.step = int(where["step"])
        self.seconds = float(where["seconds"])
        self.stepper.norms[:] = where["norms"]
