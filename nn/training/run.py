"""`fit`, and `Run`, a training in progress, which can be saved after any step and resumed."""

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograd import GradientWarning
from autograd.runtime import deferred_interrupt
from nn import checkpoint
from nn.data import DataLoader, TensorDataset
from nn.metrics import Metric, named
from nn.module import Module, preserved_modes
from nn.random import Rng, get_rng_state, set_rng_state
from nn.typing import Batch, Comm, Examples, FilePath, Leaf, Loader, Loss, Metrics, Optimizer, State
from nn.validation import checked_integer

from .callbacks import BestModel, Callback, EarlyStopping, JSONLines, TensorBoard
from .distributed import start_alike, unwrapped
from .evaluation import Totals, as_loader, evaluate, nonfinite_input
from .history import History, Progress
from .stepping import Schedules, Stepper

VALIDATION = "validation "  # prefix of the names of measurements
SECONDS_BETWEEN_SAVES = 1.0  # a save waits for the disk, which may take longer than a small epoch
CURE = "lower the learning rate, clip gradients, or scale the inputs"
HOOKS = ("on_train_begin", "on_epoch_begin", "on_step_end", "on_epoch_end", "on_train_end")


@dataclass(eq=False, repr=False)
class Run:
    """A training in progress; callbacks receive it.

    Attributes
    ----------
    model, loss, optimizer, loader
        As passed to `fit`.
    history : History
        The measurements so far.
    epoch, epochs, step : int
        The current epoch and the number of epochs; the step just finished, counted over all epochs; all from 1.
    batch, last_loss
        Of the step just finished.
    losses : list of float
        Of the steps since the previous call of `on_step_end`.
    numbers : dict
        The measurements of the epoch just finished.
    rank : int
        This process among those that train together; rank 0 writes the files.

    Examples
    --------
    >>> import numpy as np, nn, optim
    >>> model, x = nn.Linear(1, 1, rng=0), np.ones((4, 1))
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> def show(run):
    ...     print(f"epoch {run.epoch} of {run.epochs}, step {run.step}")
    >>> loader = nn.data.DataLoader(nn.data.TensorDataset(x, 2 * x), batch_size=2)
    >>> _ = nn.training.fit(model, nn.MSELoss(), optimizer, loader, epochs=2, callbacks=[show], progress=False)
    epoch 1 of 2, step 2
    epoch 2 of 2, step 4
    """

    stepper: Stepper
    loader: Loader
    validation: Examples | None
    metrics: dict[str, Metric]
    schedules: Schedules
    callbacks: list[Any]
    epochs: int
    epoch: int = 0
    step: int = 0
    done: int = 0
    batch: Any = None
    last_loss: float = math.nan
    numbers: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        stepper = self.stepper
        self.rank: int = stepper.comm.rank
        self.model: Module = stepper.model
        self.loss: Loss = stepper.loss
        self.optimizer: Optimizer = stepper.optimizer
        self.methods: dict[str, list[Any]] = {hook: _methods(self.callbacks, hook) for hook in HOOKS}
        watching = [getattr(method, "__self__", None) for method in self.methods["on_step_end"]]
        self.needs: list[Any] = [getattr(callback, "needs_step", None) for callback in watching]
        trained = {name: metric for name, metric in self.metrics.items() if not name.startswith(VALIDATION)}
        stepper.whole, stepper.with_output = None not in self.needs, bool(trained)
        self.totals: Totals = Totals(trained, self.loss, stepper.comm)
        self.validated: dict[str, Metric] = {k.removeprefix(VALIDATION): metric for k, metric in self.metrics.items()}
        self.history: History = History(metrics=self.validated)
        self.pressed: Callable[[], bool] = lambda: False  # Ctrl-C
        self.warned: bool = False  # of diverging parameters

    def notify(self, hook: str) -> None:
        """Call one method of every callback that has it."""
        for method in self.methods[hook]:
            method(self)

    def stop(self, reason: str) -> None:
        """End the training after the current step, or now if an epoch just ended.

        If one of several ranks calls this, all of them end after the next step.
        """
        self.history.stopped = self.history.stopped or reason

    # ------------------------------------------------------------------------------------------- the training

    def train(self, save_to: Path | None, progress: str) -> History:
        """Train the remaining epochs, and return the history."""
        # a submodule that is in evaluation mode while the model is not, stays so: its statistics are frozen
        self.modes: list[tuple[Any, bool]] = [
            (module, module.training or not self.model.training) for module in self.model.modules()
        ]
        with contextlib.closing(Progress(self.epochs, "none" if self.rank else progress, self.done)) as display:
            try:
                quiet = np.errstate(over="ignore", invalid="ignore")  # a loss of nan or inf is reported once
                with preserved_modes(self.model), quiet, deferred_interrupt(second=True) as self.pressed:
                    self.notify("on_train_begin")
                    try:
                        self._epochs(save_to, display)
                    except KeyboardInterrupt:  # raised by a callback, or by another handler of Ctrl-C
                        if self.pressed() or self.stepper.several:
                            raise
                        self.stop("interrupted")
                if self.history.interrupted:
                    saved = ""
                    if save_to is not None:
                        self.save(save_to)
                        saved = f"; saved to {save_to}, pass resume=True to continue"
                    display.write(f"interrupted in epoch {self.epoch} after step {self.step}{saved}")
            finally:
                self._optimizer_mode("eval")
                self.notify("on_train_end")
        if self.history.stopped.startswith("the loss is") and not self.rank:
            warnings.warn(f"training ended early: {self.history.stopped}", RuntimeWarning, stacklevel=3)
        return self.history

    def _epochs(self, save_to: Path | None, display: Progress) -> None:
        saved = -math.inf
        while self.done < self.epochs and not self.history.stopped:
            self.epoch = self.done + 1
            self.notify("on_epoch_begin")
            begin = time.perf_counter() - self.seconds
            self._steps()
            self.seconds = time.perf_counter() - begin
            self._agree()
            if self.history.interrupted:
                return
            self._end_epoch()
            self._agree(compare=True)
            display(self.epoch, self.numbers)
            last = self.done == self.epochs or bool(self.history.stopped)
            due = self.stepper.comm.bcast(last or time.monotonic() - saved >= SECONDS_BETWEEN_SAVES)
            if save_to is not None and due:
                self.save(save_to)
                saved = time.monotonic()

    def _agree(self, compare: bool = False) -> None:
        reason = self.history.stopped or ("interrupted" if self.pressed() else "")
        self.history.stopped = self.stepper.agree(reason, compare)

    def _steps(self) -> None:
        if not self.model.training:
            for module, training in self.modes:
                module.training = training
        self._optimizer_mode("train")
        stepper, schedules = self.stepper, self.schedules.by_step
        count = len(self.loader) if isinstance(self.loader, Sized) else math.inf
        place = getattr(self.loader, "start", 0)
        for batch, taken in self._batches():
            stepper.announced = self.pressed() or bool(self.history.stopped)
            place += len(taken) or 1
            losses = taken or [stepper.take(batch, self.totals, place == count, self._watched(self.step + 1))]
            self.last_loss = value = losses[-1]
            if stepper.gathered:
                continue
            self.batch = batch
            self.losses: list[float] = losses
            self.step += len(losses)
            self.notify("on_step_end")
            if schedules and not taken:
                self.schedules.step(value)
            self._check_losses(losses, batch)
            asked = self.pressed() or self.history.stopped
            if stepper.received or not math.isfinite(value) if stepper.several else asked:
                return
        if not place:
            raise ValueError(f"the training data yielded no batch in epoch {self.epoch}; is it an exhausted iterator?")

    def _check_losses(self, losses: list[float], batch: Batch) -> None:
        """Stop if one of the losses of the latest steps, of which the last was on `batch`, is not finite."""
        for k, value in enumerate(losses, self.step - len(losses) + 1):
            if value - value != 0.0:
                self.stop(
                    f"the loss is {value} in epoch {self.epoch}, step {k}: "
                    f"{nonfinite_input(batch) or CURE}; "
                    "autograd.detect_anomaly() locates the operation"
                )

    def _batches(self) -> Iterator[tuple[Any, list[float]]]:
        """Yield every batch; after whole steps on several batches in one call the last one, and their losses."""
        loader: Any = self.loader
        stepper, held = self.stepper, list[Any]()
        if not self._takes_many():
            yield from ((batch, []) for batch in loader)
            return
        arrays = loader.dataset.arrays
        whole = len(loader.sampler) // loader.batch_size
        scheduler = self.schedules if self.schedules.by_step else None
        for rows in loader.rows():
            if not stepper.passes.are_frequent(arrays, len(rows)) or self._watched(self.step + 1):
                yield loader.dataset.batch(rows), []
                continue
            held.append(rows)
            ends = len(held) == stepper.at_once or loader.position >= whole
            if ends or self._watched(self.step + len(held) + 1):
                losses = stepper.take_many(arrays, np.array(held), self.totals, scheduler)
                if losses:
                    yield loader.dataset.batch(held[len(losses) - 1]), losses
                yield from ((loader.dataset.batch(rest), []) for rest in held[len(losses) :])
                held = []

    def _watched(self, step: int) -> bool:
        """Return whether a callback reads the gradients of a step, which must then be computed eagerly."""
        return any(needs is None or needs(step) for needs in self.needs)

    def _takes_many(self) -> bool:
        """Return whether whole steps are replayed, and the data are arrays."""
        loader = self.loader
        if not isinstance(loader, DataLoader) or type(loader.dataset) is not TensorDataset:
            return False
        needs_metric = any(getattr(schedule, "needs_metric", False) for schedule in self.schedules.by_step)
        plain = len(loader.dataset.arrays) > 1 and all(a.dtype.kind in "biuf" and a.size for a in loader.dataset.arrays)
        return self.stepper.passes.whole and plain and not self.totals.metrics and not needs_metric

    def _end_epoch(self) -> None:
        """Measure the epoch, call the callbacks, and step the schedules."""
        self.numbers = self.totals.numbers()
        if self.stepper.norms:
            self.numbers["gradient norm"] = float(np.mean(self.stepper.norms))
        if self.validation is not None:
            self._optimizer_mode("eval")
            options = {"comm": self.stepper.comm, "forward": self.stepper.passes.evaluated, "prefix": VALIDATION}
            self.numbers |= evaluate(self.model, self.loss, self.validation, self.validated, **options)
        self.numbers["lr"] = float(self.optimizer.param_groups[0].get("lr", math.nan))
        self.numbers["seconds"] = self.stepper.comm.bcast(self.seconds)
        self.history.add(self.numbers)
        self.done, self.seconds = self.epoch, 0.0
        # only if this run took steps: gradients of the run that was resumed are unknown
        if self.done == 1 and self.batch is not None and not self.rank:
            _warn_without_gradient(self.model, self.stepper.passes.updated())
        if getattr(self.optimizer, "diverged", False) and not (self.history.stopped or self.warned or self.rank):
            self.warned = True
            reason = f"the training diverges: the loss of epoch {self.epoch} is {self.numbers['loss']:.3g}"
            warnings.warn(f"{reason}, and a parameter has grown beyond 1e15: {CURE}", RuntimeWarning, stacklevel=5)
        self.totals.clear()
        self.stepper.norms.clear()
        self.notify("on_epoch_end")
        self.schedules.end_epoch(self.numbers.get("validation loss", self.numbers["loss"]))

    def _optimizer_mode(self, mode: str) -> None:
        """Switch an optimizer that keeps two sets of parameters (Schedule-Free) to those for `mode`."""
        getattr(self.optimizer, mode, lambda: None)()

    # ------------------------------------------------------------------------------------------------- saving

    def _parts(self) -> State:
        parts = {"model": self.model, "optimizer": self.optimizer}
        return parts | ({"loader": self.loader} if hasattr(self.loader, "load_state_dict") else {})

    def save(self, path: Path) -> None:
        """Write everything needed to continue from this step, bit for bit; every rank must call, rank 0 writes."""
        self._optimizer_mode("train")
        totals = self.totals.state_dict()
        if self.rank:
            return
        progress = {"done": self.done, "step": self.step, "seconds": self.seconds, "norms": self.stepper.norms}
        callbacks = [c.state_dict() if hasattr(c, "load_state_dict") else None for c in self.callbacks]
        checkpoint.save(
            path, **self._parts(), schedules=self.schedules.state_dict(), history=self.history.state_dict(),
            totals=totals, progress=progress, callbacks=callbacks, rng=get_rng_state(),
        )  # fmt: skip

    def resume(self, path: Path) -> None:
        """Continue from the state that `save` wrote, if the file exists."""
        found = path.read_bytes() if not self.rank and path.exists() else None  # rank 0's file
        contents = self.stepper.comm.bcast(found)
        if contents is None:
            return
        rest = checkpoint.restored(path, self._parts(), contents)
        if len(rest["callbacks"]) != len(self.callbacks):
            raise ValueError(f"{path} has {len(rest['callbacks'])} callbacks, but fit was given {len(self.callbacks)}")
        self.schedules.load_state_dict(rest["schedules"])
        self.history.load_state_dict(rest["history"])
        self.totals.load_state_dict(rest["totals"])
        for callback, state in zip(self.callbacks, rest["callbacks"], strict=True):
            if state is not None and hasattr(callback, "load_state_dict"):
                callback.load_state_dict(state)
        set_rng_state(rest["rng"])
        progress = rest["progress"]
        self.done = self.epoch = int(progress["done"])
        self.step = int(progress["step"])
        self.seconds = float(progress["seconds"])
        self.stepper.norms[:] = progress["norms"]


def _as_callback(given: object) -> Any:
    """Return a callback; a function is called after every epoch."""
    if any(hasattr(given, hook) for hook in HOOKS):
        return given
    if not callable(given):
        raise TypeError(f"a callback must be a function or have any of {', '.join(HOOKS)}, not {given!r:.60}")
    return SimpleNamespace(on_epoch_end=given)


def _methods(callbacks: Iterable[object], hook: str) -> list[Any]:
    """Return a method of every callback that has it; those of the base class do nothing."""
    empty = getattr(Callback, hook)
    return [getattr(c, hook) for c in callbacks if hasattr(c, hook) and getattr(type(c), hook, None) is not empty]


def _warn_without_gradient(model: Module, updated: Collection[Leaf]) -> None:
    """Warn if, after an epoch, some parameters of the model never got a gradient; those in `updated` did."""
    trained = [(name, p) for name, p in model.named_parameters() if getattr(p, "requires_grad", True)]
    without = [name for name, p in trained if p.grad is None and p not in updated]
    if without:
        found = f"{len(without)} of {len(trained)} parameters got no gradient in the first epoch"
        if len(without) == len(trained):
            found = "backward() reaches no parameter"
        cure = "use the layer in forward(), and do not cut the graph by .data, .numpy() or detach()"
        frozen = "set requires_grad to False on parameters that are frozen on purpose"
        warnings.warn(f"{found} ({', '.join(without[:3])}): {cure}; {frozen}", GradientWarning, stacklevel=6)


def fit(
    model: Module, loss: Loss, optimizer: Optimizer, train: Examples, *,
    validation: Examples | None = None, epochs: int = 10, scheduler: Any = None,
    callbacks: object = (), metrics: Metrics = (), batch_size: int = 32, rng: Rng = None,
    clip_grad_norm: float | None = None, clip_grad_value: float | None = None, accumulate: int = 1, l2: float = 0.0,
    early_stopping: int | EarlyStopping | None = None, best: FilePath | None = None,
    checkpoint: FilePath | None = None, resume: bool = False,
    log: FilePath | None = None, tensorboard: FilePath | None = None, progress: bool | str = True,
    comm: Comm | None = None, compile: bool | None = None,
) -> History:  # fmt: skip
    """Train a model, and return the measurements of every epoch.

    Parameters
    ----------
    model : Module
        Trained in place.  A submodule in evaluation mode stays so if the model is in training mode.
    loss : callable
        ``loss(output, target)`` returns a scalar.
    optimizer : Optimizer
        Made with the model's parameters.
    train : DataLoader, Dataset or (X, y)
        The training data; all but a DataLoader is dealt in shuffled batches.
    validation : DataLoader, Dataset or (X, y), optional
        Evaluated after every epoch.
    epochs : int
        The total number of passes over the training data: a resumed run does those that remain.
    scheduler : scheduler, list, or mapping, optional
        ``{"step": warmup, "epoch": plateau}`` determines which steps when.  Without a mapping `OneCycleLR` and
        `CyclicLR` step after every step and others after every epoch; `ReduceLROnPlateau` receives the validation
        loss, or without validation data the loss.
    callbacks : object, function, or list of them
        See `Callback`; a function is called with the run after every epoch; `nn.Monitor` is a callback.
    metrics : names, functions or mapping
        Measured on training and validation data, as for `nn.metrics.named`; one whose name in a mapping begins with
        "validation " on the latter only.  Training values use the outputs of the steps, as the loss does.
    batch_size : int
        Rows in a batch, if `train` is not a DataLoader.
    rng : Generator or int, optional
        The source of the order of the rows, if `train` is not a DataLoader.
    clip_grad_norm, clip_grad_value : float, optional
        Bounds of the gradient (`nn.utils.clip_grad_norm_`, `clip_grad_value_`).
    accumulate : int
        Batches in a step.  The gradient is that of the mean over all: four batches of 8 make the step of one of 32.
    l2 : float
        Add ``l2 / 2 * ||W||**2`` of all weights, not of biases, to the objective; the reported loss excludes it.
    early_stopping : int or EarlyStopping, optional
        The patience in epochs; at the end the best model is restored.
    best : str or Path, optional
        A file for the best model so far.
    checkpoint : str or Path, optional
        A file for the state of the run, saved after every epoch (at most once per second), at the end and at Ctrl-C.
    resume : bool
        Continue from `checkpoint` if it exists; all results have the same bits as in a run that never stopped.
    log : str or Path, optional
        A file for a line of JSON per epoch.
    tensorboard : str or Path, optional
        A folder for TensorBoard, if tensorboardX is installed.
    progress : bool or {'auto', 'bar', 'lines', 'none'}
        A bar on a terminal, plain lines elsewhere.
    comm : communicator, optional
        Train on all of its ranks, each with its piece of every batch, as one process would on the whole: pass
        ``optim.distributed.world()``, with the same program and data on every rank. `batch_size` is that of all ranks
        together. An iterable that is not a DataLoader is the rank's own part of the data.
    compile : bool, optional
        Whether steps, with the optimizer's update, are recorded and replayed by `autograd.compile`, which affects only
        the time they take.  Without metrics, and callbacks after each step, many steps are taken in one call.  By
        default a shape of batch is recorded when it occurs for the 17th time: a recording costs as much as 2 to 15
        steps of the engine, and a replay saves a fifth to a half of each.  Never, with `l2`, for optimizers that take a
        closure (`optim.LBFGS`, `optim.SAM`, `optim.NewtonCG`), nor, with `comm`, for models of other layers than this
        library's, or with layers that exchange messages (`BatchNorm1d`, dropout).  Attributes of modules may be
        assigned between steps, and so may scalars that forward or the loss reads by name; values in other
        places (a list, a dict, another object) are read once: pass ``compile=False`` if they change.

    Returns
    -------
    History
        ``history["loss"]``, ``"validation loss"``, every metric, ``"lr"``, ``"seconds"``: lists, an entry per epoch.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of the above, or with `comm` differs between ranks; nothing has changed then.

    Warns
    -----
    GradientWarning
        If the optimizer holds tensors that the model does not have, or a parameter got no gradient in the first epoch.
    RuntimeWarning
        If steps cannot be replayed, since the model reads values (`autograd.RecordingError`); names the line. If a
        parameter exceeds 1e15 at the end of an epoch, or the loss is nan or inf.

    Notes
    -----
    Ctrl-C ends the run after the current step, saves the checkpoint and returns the history so far; a second one
    raises KeyboardInterrupt at once.  A loss of nan or inf ends the training with a RuntimeWarning.

    With `comm`, losses, metrics, gradient norms and batch statistics are those of all ranks' rows, callbacks run on
    every rank (``run.rank``), and rank 0 writes the files.

    Mean losses of several batches, or of several ranks' parts of one, are combined by their divisors: the rows, or the
    value of ``loss.divisor(target)``, as the losses of `nn` with class weights or ``ignore_index`` define it.

    Examples
    --------
    >>> import numpy as np, nn, optim
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = nn.MLP(1, [1], rng=0)
    >>> history = fit(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), (X, 2 * X + 1), epochs=40, rng=0,
    ...               progress=False)
    >>> history.epochs, history["loss"][-1] < 1e-3
    (40, True)
    """
    checked_integer("fit", "epochs", epochs, 1)
    checked_integer("fit", "batch_size", batch_size, 1)
    _check(model, loss, optimizer)
    optimizer, comm = unwrapped(optimizer, comm)
    if resume and checkpoint is None:
        raise ValueError("resume=True needs the name of a file: pass checkpoint=")
    stepper = Stepper(model, loss, optimizer, clip_grad_norm, clip_grad_value, l2, accumulate, compile, comm)
    loader = as_loader(train, batch_size, shuffle=True, rng=rng, epochs=epochs)
    if validation is not None:
        as_loader(validation, 1, shuffle=False, rng=0, what="validation", epochs=epochs)
    measured, schedules = named(metrics), Schedules(scheduler)
    options = {
        "epochs": epochs, "accumulate": accumulate, "clip_grad_norm": clip_grad_norm,
        "clip_grad_value": clip_grad_value, "l2": l2, "metrics": list(measured), "resume": resume,
        "checkpoint (given or not)": checkpoint is not None, "validation (given or not)": validation is not None,
        "scheduler": [(type(schedule).__name__, schedule.state_dict()) for schedule in schedules.all],
    }  # fmt: skip
    loader = start_alike(model, loss, optimizer, loader, validation, options, comm)
    chosen = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    if early_stopping is not None:
        chosen.append(early_stopping if isinstance(early_stopping, EarlyStopping) else EarlyStopping(early_stopping))
    for callback, path in ((BestModel, best), (JSONLines, log), (TensorBoard, tensorboard)):
        if path is not None:
            chosen.append(callback(path))
    if comm.rank:  # rank 0 writes the files of all
        chosen = [Callback() if isinstance(c, BestModel | JSONLines | TensorBoard) else c for c in chosen]
    run = Run(stepper, loader, validation, measured, schedules, [*map(_as_callback, chosen)], epochs)
    save_to = None if checkpoint is None else Path(checkpoint)
    if resume and save_to is not None:
        run.resume(save_to)
    mode = progress if isinstance(progress, str) else "auto" if progress else "none"
    return run.train(save_to, mode)


def _check(model: Module, loss: Loss, optimizer: Optimizer) -> None:
    """Raise if the arguments cannot be trained; warn if the optimizer holds tensors that the model does not have."""
    if not hasattr(model, "parameters") or not hasattr(model, "state_dict"):
        raise TypeError(f"model must be an nn.Module, not {type(model).__name__}")
    if isinstance(loss, type) or not callable(loss):
        given, cure = f"an object of type {type(loss).__name__}", "the order is fit(model, loss, optimizer, data)"
        if isinstance(loss, type):
            given, cure = f"the class {loss.__name__}", f"write {loss.__name__}()"
        raise TypeError(f"loss must be a function of output and target, such as nn.MSELoss(), not {given}; {cure}")
    if not hasattr(optimizer, "step") or not hasattr(optimizer, "param_groups"):
        cure = "such as optim.Adam(model.parameters())"
        raise TypeError(f"optimizer must be an Optimizer, {cure}, not {optimizer!r:.60}")
    own = {id(p) for part in (model, loss) if hasattr(part, "parameters") for p in part.parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    other = [p for p in held if id(p) not in own]
    if len(other) == len(held) and any(True for _ in model.parameters()):
        raise ValueError("the optimizer does not own this model's parameters: make it from model.parameters()")
    if other:
        names = ", ".join(sorted({repr(p.name) for p in other[:3] if getattr(p, "name", "")}))
        what = f"{len(other)} of {len(held)} tensor(s) that the model does not have{f' ({names})' if names else ''}"
        reason = f"the optimizer holds {what}, and cannot train their replacements"
        cure = "make the optimizer from model.parameters() after the last change to the model"
        warnings.warn(f"{reason}: {cure}", GradientWarning, stacklevel=3)
