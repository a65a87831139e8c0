"""`fit`: the training loop with everything around it."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from autograd import GradientWarning
from nn.metrics import named
from nn.module import Module
from nn.random import Rng
from nn.typing import Comm, Examples, FilePath, Loss, Metrics, Optimizer
from nn.validation import checked_integer

from .callbacks import BestModel, EarlyStopping, JSONLines, TensorBoard
from .distributed import callbacks_of, start_alike, unwrapped
from .evaluation import as_loader
from .history import History
from .run import Run
from .stepping import Schedules, Stepper


def fit(
    model: Module,
    loss: Loss,
    optimizer: Optimizer,
    train: Examples,
    *,
    validation: Examples | None = None,
    epochs: int = 10,
    scheduler: Any = None,
    callbacks: object = (),
    metrics: Metrics = (),
    batch_size: int = 32,
    rng: Rng = None,
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
    comm: Comm | None = None,
    compile: bool | None = None,
) -> History:
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
        steps of the engine, and a replay saves a fifth to a half of each.  Never for optimizers that compute the loss
        several times in a step (`optim.LBFGS`, `optim.SAM`), nor, with `comm`, for models of other layers than this
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
        If steps cannot be replayed, since the model reads values (`autograd.RecordingError`); names the line.

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
        "scheduler": schedules.facts(),
    }  # fmt: skip
    loader = start_alike(model, loss, optimizer, loader, validation, options, comm)
    chosen = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    if early_stopping is not None:
        chosen.append(early_stopping if isinstance(early_stopping, EarlyStopping) else EarlyStopping(early_stopping))
    for callback, path in ((BestModel, best), (JSONLines, log), (TensorBoard, tensorboard)):
        if path is not None:
            chosen.append(callback(path))
    run = Run(stepper, loader, validation, measured, schedules, callbacks_of(comm, chosen), epochs)
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
        hint = f"; write {loss.__name__}()" if isinstance(loss, type) else ""
        raise TypeError(f"loss must be a function of output and target, such as nn.MSELoss(), not {loss!r:.60}{hint}")
    if not hasattr(optimizer, "step") or not hasattr(optimizer, "param_groups"):
        raise TypeError(f"optimizer must be one, as optim.Adam(model.parameters()), not {optimizer!r:.60}")
    own = {id(p) for part in (model, loss) if hasattr(part, "parameters") for p in part.parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    other = [p for p in held if id(p) not in own]
    if len(other) == len(held) and any(True for _ in model.parameters()):
        raise ValueError("the optimizer does not own this model's parameters: make it from model.parameters()")
    if other:
        names = ", ".join(sorted({repr(p.name) for p in other[:3] if getattr(p, "name", "")}))
        warnings.warn(
            f"the optimizer holds {len(other)} of {len(held)} tensor(s) that the model does not have"
            f"{f' ({names})' if names else ''}, and cannot train their replacements: make the optimizer from "
            "model.parameters() after the last change to the model",
            GradientWarning,
            stacklevel=3,
        )
