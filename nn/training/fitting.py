"""`fit`: the training loop with everything around it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nn.checkpoint.files import FilePath
from nn.metrics import named

from .advice import warn_of_strangers
from .callbacks import BestModel, EarlyStopping, JSONLines, TensorBoard
from .distributed import Elsewhere, Ranks, self_contained, unwrapped
from .evaluating import as_loader
from .history import History
from .run import Run
from .scheduling import Schedules
from .stepping import Stepper

__all__ = ["fit"]


def fit(
    model: Any,
    loss: Any,
    optimizer: Any,
    train: Any,
    *,
    validation: Any = None,
    epochs: int = 10,
    scheduler: Any = None,
    callbacks: Any = (),
    metrics: Any = (),
    batch_size: int = 32,
    rng: Any = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    accumulate: int = 1,
    l2: float = 0.0,
    early_stopping: int | EarlyStopping | None = None,
    best: FilePath | None = None,
    checkpoint: FilePath | None = None,
    resume: bool = False,
    log: FilePath | None = None,
    tensorboard: FilePath | None = None,
    progress: bool | str = True,
    comm: Any = None,
    compile: bool | None = None,
) -> History:
    """Train a model, and return what was measured in every epoch.

    Parameters
    ----------
    model : Module
        What is trained, in place.
    loss : callable
        ``loss(output, target)`` gives a single number.
    optimizer : Optimizer
        Made with the model's parameters.
    train : DataLoader, Dataset or (X, y)
        What it learns from; all but a DataLoader is dealt in shuffled batches.
    validation : DataLoader, Dataset or (X, y), optional
        Measured after every epoch, in evaluation mode.
    epochs : int
        How many passes over the training data, in all: a resumed run does those that are left.
    scheduler : scheduler, list, or mapping, optional
        ``{"step": warmup, "epoch": plateau}`` says what steps when.  Without a mapping `OneCycleLR` and `CyclicLR` step
        after every step and others after every epoch; `ReduceLROnPlateau` is given the validation loss, or the loss.
    callbacks : object, function, or list of them
        See `Callback`; a function is called with the run after every epoch; `nn.Monitor` is one.
    metrics : names, functions or mapping
        Measured on training and validation data, as for `nn.metrics.named`.  Training values are those of the outputs
        that the steps were made from, as the loss is.
    batch_size : int
        Rows in a batch, if `train` is no DataLoader.
    rng : Generator or int, optional
        Where the order of the rows comes from, if `train` is no DataLoader.
    clip_grad_norm, clip_grad_value : float, optional
        Bounds of the gradient (`nn.utils.clip_grad_norm_`, `clip_grad_value_`).
    accumulate : int
        Batches in a step.  The gradient is that of the mean over all: four batches of 8 make the step of one of 32.
    l2 : float
        Add ``l2 / 2 * ||W||**2`` of all weights, not of biases, to what is minimised; the loss is shown without.
    early_stopping : int or EarlyStopping, optional
        Epochs without improvement that are borne; then the best model is restored.
    best : str or Path, optional
        Where the best model so far is kept.
    checkpoint : str or Path, optional
        Where the whole run is saved: after every epoch, but not twice in a second, at the end and at Ctrl-C.
    resume : bool
        Go on from `checkpoint` if it exists; every later number has the same bits as in a run that never stopped.
    log : str or Path, optional
        A line of JSON per epoch.
    tensorboard : str or Path, optional
        A folder for TensorBoard, if tensorboardX is installed.
    progress : bool or {'auto', 'bar', 'lines', 'none'}
        A bar on a terminal, plain lines elsewhere.
    comm : communicator, optional
        Train on all of its ranks, each with its piece of every batch, as one process would on the whole: pass
        ``optim.distributed.world()``, with the same program and data on every rank. `batch_size` is that of all ranks
        together. An iterable that is no DataLoader is taken for the rank's own part of the data.
    compile : bool, optional
        Whether steps are recorded and replayed by `autograd.compile`, which changes nothing but the time they take.  By
        default a shape of batch is recorded when it comes for the 17th time: a recording costs as much as 2 to 15 steps
        of the engine, and a replay saves a fifth to a half of each.  Never for optimizers that compute the loss
        several times in a step (`optim.LBFGS`, `optim.SAM`), nor, with `comm`, for models of other layers than this
        library's, or with layers that ask the other ranks (`BatchNorm1d`, dropout).  Attributes of modules may be
        assigned between steps, and so may plain numbers that forward or the loss reads by name; what they find
        elsewhere (in a list, a dict, another object) is seen once: pass ``compile=False`` if that changes.

    Returns
    -------
    History
        ``history["loss"]``, ``"validation loss"``, every metric, ``"lr"``, ``"seconds"``: lists, an entry per epoch.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of the above, or, with `comm`, is another on some rank; nothing has changed then.

    Warns
    -----
    GradientWarning
        If the optimizer holds tensors that the model does not have, or a parameter got no gradient in the first epoch.
    RuntimeWarning
        If steps cannot be replayed, since the model asks for numbers (`autograd.RecordingError`); names the line.

    Notes
    -----
    Ctrl-C ends the run after the present step, saves the checkpoint and returns the history so far; a second one
    raises KeyboardInterrupt at once.  A loss of nan or inf ends the training with a RuntimeWarning.

    With `comm`, losses, metrics, gradient norms and statistics of batches are those of all ranks' rows, callbacks run
    on every rank (``run.rank``), and what fit writes is written by rank 0.

    Mean losses of several batches, or of several ranks' parts of one, are joined by what each divides by: the rows, or
    what ``loss.divisor(target)`` returns, as the losses of `nn` with class weights or ``ignore_index`` do.

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
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
    _check(model, loss, optimizer)
    optimizer, comm = unwrapped(optimizer, comm)
    if resume and checkpoint is None:
        raise ValueError("resume=True goes on from a file: give checkpoint= its name")
    replayed = compile if comm is None or self_contained(model, loss) else False
    stepper = Stepper(model, loss, optimizer, clip_grad_norm, clip_grad_value, l2, accumulate, compile=replayed)
    loader = as_loader(train, batch_size, shuffle=True, rng=rng)
    if comm is not None:
        stepper.ranks = ranks = Ranks(comm, model, loss, optimizer)
        limits = {"clip_grad_norm": clip_grad_norm, "clip_grad_value": clip_grad_value, "l2": l2}
        shared = {
            "metrics": list(named(metrics)),
            "resume": resume,
            "checkpoint (given or not)": checkpoint is not None,
            "validation (given or not)": validation is not None,
            "scheduler": Schedules(scheduler).facts(),
        }
        loader = ranks.start(loader, validation, {"epochs": epochs, "accumulate": accumulate, **limits, **shared})
    helpers = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    if early_stopping is not None:
        helpers.append(early_stopping if isinstance(early_stopping, EarlyStopping) else EarlyStopping(early_stopping))
    if best is not None:
        helpers.append(BestModel(best))
    if log is not None:
        helpers.append(JSONLines(log))
    if tensorboard is not None:
        helpers.append(TensorBoard(tensorboard) if comm is None or not comm.rank else Elsewhere())
    if comm is not None:
        helpers = ranks.callbacks(helpers)
    run = Run(stepper, loader, validation, named(metrics), Schedules(scheduler), helpers, epochs)
    path = None if checkpoint is None else Path(checkpoint)
    if resume and path is not None:
        run.resume(path)
    shown = {True: "auto", False: "none"}.get(progress, progress) if isinstance(progress, bool) else progress
    return run.train(path, str(shown))


def _check(model: Any, loss: Any, optimizer: Any) -> None:
    """Refuse what cannot be trained, and an optimizer of somebody else's parameters."""
    if not hasattr(model, "parameters") or not hasattr(model, "state_dict"):
        raise TypeError(f"model must be an nn.Module, not {type(model).__name__}")
    if isinstance(loss, type) or not callable(loss):
        hint = f"; write {loss.__name__}()" if isinstance(loss, type) else ""
        raise TypeError(f"loss must be a function of output and target, such as nn.MSELoss(), not {loss!r:.60}{hint}")
    if not hasattr(optimizer, "step") or not hasattr(optimizer, "param_groups"):
        raise TypeError(
            f"optimizer must have step() and param_groups, as optim.Adam(model.parameters()), not {optimizer!r:.60}"
        )
    own = {id(p) for p in model.parameters()}
    if own and not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "the optimizer holds no parameter of this model: make it from model.parameters(), after the model"
        )
    warn_of_strangers(model, loss, optimizer)
