"""What a training has to do with the other ranks: start alike, add gradients up, stop and measure together.

`fit(..., comm=comm)` makes a `Ranks` where there is more than one; with one rank none of this is done.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nn import checkpoint
from nn.data.distributed import OwnBatches, check_shard, data_facts, own_shard, sharded
from nn.data.loader import DataLoader
from nn.layers.norm import BatchNorm1d
from nn.module import Module
from nn.random import get_rng_state, set_rng_state
from optim.distributed import DistributedOptimizer, GradientSum, agree, broadcast, checked_comm, facts_of

from .callbacks import BestModel, Callback, JSONLines, TensorBoard
from .evaluating import as_loader

__all__ = ["Elsewhere", "Ranks", "self_contained", "unwrapped"]

ALIKE = "start all ranks with the same program, data and options"


def unwrapped(optimizer: Any, comm: Any) -> tuple[Any, Any]:
    """Return the optimizer that moves the parameters, and the communicator, None if there is one rank only."""
    if isinstance(optimizer, DistributedOptimizer):
        optimizer, comm = optimizer.inner, optimizer.comm if comm is None else comm
    if comm is not None and checked_comm(comm).size == 1:
        comm = None
    return optimizer, comm


def self_contained(model: Any, loss: Any) -> bool:
    """Whether a forward pass surely sends no messages, so that a rank may replay it whenever it likes.

    Examples
    --------
    >>> import nn
    >>> self_contained(nn.Sequential(nn.Linear(2, 2, rng=0), nn.Tanh()), nn.MSELoss())
    True
    >>> self_contained(nn.Sequential(nn.Linear(2, 2, rng=0), nn.Dropout()), nn.MSELoss())
    False
    """
    if not isinstance(model, Module) or not isinstance(loss, Module):
        return False
    modules = [*model.modules(), *loss.modules()]
    known = all(type(m).__module__.partition(".")[0] == "nn" for m in modules)
    asking = any(isinstance(m, BatchNorm1d) or hasattr(m, "rng") for m in modules)
    return known and not asking


class Elsewhere(Callback):
    """Stands on the other ranks for a callback that writes files, which rank 0 does for all.

    Examples
    --------
    >>> Elsewhere().state_dict()
    {}
    """

    def state_dict(self) -> dict[str, Any]:
        """Nothing: what rank 0 says is saved."""
        return {}

    def load_state_dict(self, state_dict: Any) -> None:
        """Nothing: rank 0 goes on."""


class Ranks:
    """The ranks of a training, as one of them sees them.

    Parameters
    ----------
    comm : communicator
        Of more than one rank.
    model, loss, optimizer
        As for `fit`.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C was heard on some rank, and all know of it.
    """

    def __init__(self, comm: Any, model: Any, loss: Any, optimizer: Any) -> None:
        self.comm: Any = comm
        self.rank: Any = comm.rank
        self.model: Any = model
        self.loss: Any = loss
        self.optimizer: Any = optimizer
        parameters = [p for p in model.parameters() if p.requires_grad]
        known = {id(p) for p in parameters}
        held = [p for group in optimizer.param_groups for p in group["params"]]
        self.parameters: list[Any] = parameters + [p for p in held if id(p) not in known]
        self.sum: GradientSum | None = None
        self.wishes: list[float] = [0.0, 0.0]  # of this rank: Ctrl-C, and some other reason to stop
        self.heard: bool
        self.interrupted: bool
        self.heard = self.interrupted = False

    # ------------------------------------------------------------------------------------------- the start

    def start(self, loader: Any, validation: Any, options: dict[str, Any]) -> Any:
        """Compare what all ranks start from, give them rank 0's numbers, and return this rank's loader.

        Raises
        ------
        ValueError
            If model, loss, optimizer, options or data differ; names the first difference and the rank.

        Warns
        -----
        RanksDifferWarning
            If parameters differ in their numbers only; rank 0's are taken.
        """
        facts: list[tuple[str, Any]] = []
        for part in self._modules():
            facts += [(f"shape and type of {k!r}", (np.shape(a), str(a.dtype))) for k, a in part.state_dict().items()]
        frozen = [name for name, p in self.model.named_parameters() if not p.requires_grad]
        facts += [("what of the model does not learn", frozen)]
        facts += [("the model", repr(self.model)), ("the loss", _called(self.loss)), *facts_of(self.optimizer)]
        facts += [(f"the argument {name} of fit", value) for name, value in options.items()]
        check_shard(loader, self.comm)
        facts += data_facts(loader, "training")
        if validation is not None:
            measured = as_loader(validation, 1, shuffle=False, rng=0)
            check_shard(measured, self.comm)
            facts += data_facts(measured, "validation")
        agree(self.comm, facts, ALIKE)
        for part in self._modules():
            state = part.state_dict()
            found = broadcast(self.comm, list(state.items()), stacklevel=4)
            if found is not None and self.rank:
                part.load_state_dict(dict(zip(state, found, strict=True)), allow_nan=True)
        broadcast(self.comm, list(_arrays("the optimizer", self.optimizer.state_dict())), repair=False)
        self.take_generators()
        self.sum = GradientSum(self.parameters, self.comm, beside=5)
        if isinstance(loader, DataLoader) and not own_shard(loader):
            return sharded(loader, self.comm)
        own = loader if isinstance(loader, OwnBatches) else OwnBatches(loader, self.comm)
        if isinstance(own.batches, DataLoader):  # one order for all, so that rank 0's state is everybody's
            generator = own.batches.rng.bit_generator
            generator.state = self.comm.bcast(generator.state, root=0)
        return own

    def _modules(self) -> list[Any]:
        return [part for part in (self.model, self.loss) if isinstance(part, Module)]

    def take_generators(self) -> None:
        """Put every generator into the state of rank 0's: from then on all draw alike."""
        set_rng_state(self.comm.bcast(get_rng_state(), root=0))
        generators = checkpoint._generators(self.model)
        states = self.comm.bcast([g.bit_generator.state for g in generators.values()], root=0)
        for generator, state in zip(generators.values(), states, strict=True):
            generator.bit_generator.state = state

    def callbacks(self, given: Sequence[Any]) -> list[Any]:
        """Return what of the callbacks this rank runs: those that write files are rank 0's."""
        writing = (BestModel, JSONLines, TensorBoard)
        return [Elsewhere() if self.rank and isinstance(c, writing) else c for c in given]

    # -------------------------------------------------------------------------------------------- a step

    def add_up(self, rows: float, losses: float, latest: tuple[float, float], mean: bool) -> tuple[float, float, float]:
        """Give the parameters the gradients of all ranks' rows.

        Parameters
        ----------
        rows, losses
            Of this rank in this step: how many rows, or their weight, and the sum of their losses.
        latest : (float, float)
            Losses and rows of the latest batch, if several make a step.
        mean : bool
            Whether the gradient is that of the mean over all rows, or of the sum.

        Returns
        -------
        rows, losses, value
            Rows and sum of losses of all ranks, and the loss of the latest batch.
        """
        assert self.sum is not None
        total, (losses, last, last_rows, ctrl_c, stop) = self.sum(rows, [losses, *latest, *self.wishes], divide=mean)
        self.interrupted = self.interrupted or ctrl_c > 0
        self.heard = stop > 0
        value = last / last_rows if last_rows else math.nan
        return total, losses, value if mean else last

    def wish(self, interrupt: bool, stop: bool) -> None:
        """Say what the others are to hear with the next step."""
        self.wishes = [float(interrupt), float(stop)]

    # ------------------------------------------------------------------------------------- between epochs

    def meet(self, interrupt: bool, stopped: str, drift: bool = False) -> str:
        """Agree on whether to stop, and return the reason, the same on all ranks.

        Raises
        ------
        RuntimeError
            If `drift` is asked for, and the ranks' parameters are no longer the same.
        """
        digest = ""
        if drift:
            numbers = hashlib.blake2b(digest_size=16)
            for p in self.parameters:
                numbers.update(np.asarray(p.data, order="C").tobytes())
            digest = numbers.hexdigest()
        everybody = self.comm.allgather((interrupt, stopped, digest))
        for rank, (_, _, other) in enumerate(everybody):
            if other != everybody[0][2]:
                raise RuntimeError(
                    f"the parameters of rank {rank} are no longer those of rank 0: did a callback change them, or "
                    "another random choice, on one rank only?"
                )
        self.interrupted = self.interrupted or any(wanted for wanted, _, _ in everybody)
        return next((reason for _, reason, _ in everybody if reason), "")

    def load(self, path: Path, parts: dict[str, Any]) -> dict[str, Any] | None:
        """Read a checkpoint on rank 0 and put its parts back on every rank; None if there is no such file.

        Raises
        ------
        CheckpointError
            As from `nn.checkpoint.load`, on every rank.
        """
        rest: Any = None
        error: Exception | None = None
        if not self.rank and path.exists():
            try:
                rest = checkpoint.load(path, **parts)
            except (ValueError, OSError) as reason:
                error = reason
        rest, error = self.comm.bcast((rest, error), root=0)
        if error is not None:
            raise error
        if rest is None:
            return None
        states = self.comm.bcast({name: part.state_dict() for name, part in parts.items()}, root=0)
        if self.rank:
            for name, part in parts.items():
                options = {"allow_nan": True} if isinstance(part, Module) else {}
                part.load_state_dict(states[name], **options)
        self.take_generators()
        return dict(rest)


def _called(loss: Any) -> str:
    return repr(loss) if isinstance(loss, Module) else getattr(loss, "__qualname__", type(loss).__name__)


def _arrays(name: str, thing: Any) -> Any:
    """Yield the arrays inside dicts and lists, each with the way to it."""
    if isinstance(thing, np.ndarray):
        yield name, thing
    elif isinstance(thing, dict | list | tuple):
        pairs = thing.items() if isinstance(thing, dict) else enumerate(thing)
        for key, value in pairs:
            yield from _arrays(f"{name}[{key!r}]", value)
