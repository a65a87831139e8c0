"""Training on several ranks: `fit(..., comm=comm)` uses a `DistributedStepper` if there is more than one."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import autograd
from nn import checkpoint
from nn.data.distributed import OwnBatches, check_shard, data_facts, own_shard, sharded
from nn.data.loader import DataLoader
from nn.layers.norm import BatchNorm1d
from nn.module import Module
from nn.random import get_rng_state, set_rng_state
from nn.ranks import shared
from nn.typing import Array, Batch, Comm, Examples, Leaf, Loader, Loss, Operand, Optimizer, State, Tree
from optim.distributed import DistributedOptimizer, GradientSum, agree, broadcast, checked_comm, facts_of

from .callbacks import BestModel, Callback, JSONLines, TensorBoard
from .evaluation import as_loader, split_batch, weight_of
from .stepping import Stepper

ADVICE = "start all ranks with the same program, data and options"


def unwrapped(optimizer: Optimizer, comm: Comm | None) -> tuple[Optimizer, Comm | None]:
    """Return the optimizer inside a `DistributedOptimizer`, and the communicator; None if it has one rank only."""
    if isinstance(optimizer, DistributedOptimizer):
        comm = optimizer.comm if comm is None else comm
        optimizer = optimizer.inner
    if comm is not None and checked_comm(comm).size == 1:
        comm = None
    return optimizer, comm


def self_contained(model: Module, loss: Loss) -> bool:
    """Return whether a forward pass is known to send no messages, so that each rank may replay it on its own.

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
    return known and not any(isinstance(m, BatchNorm1d) or hasattr(m, "rng") for m in modules)


class RankZeroOnly(Callback):
    """Replace, on the other ranks, a callback that writes files: rank 0 writes for all.

    Examples
    --------
    >>> RankZeroOnly().state_dict()
    {}
    """

    def state_dict(self) -> State:
        """Return an empty state: rank 0's is saved."""
        return {}

    def load_state_dict(self, state_dict: State) -> None:
        """Ignore the state, which is rank 0's."""


@dataclass
class DistributedStepper(Stepper):
    """Take each step on all ranks of a communicator: start alike, add gradients up, stop and save together.

    Parameters
    ----------
    ...
        As for `Stepper`; `comm` has more than one rank.
    """

    def __post_init__(self) -> None:
        self.compile: bool | None = self.compile if self_contained(self.model, self.loss) else False
        super().__post_init__()
        self.summed: bool = self.mean
        known = {id(p) for p in self.parameters}
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.parameters: list[Leaf] = self.parameters + [p for p in held if id(p) not in known]
        self.modules: list[Module] = [part for part in (self.model, self.loss) if isinstance(part, Module)]
        self.announced: list[float] = [0.0, 0.0]  # by this rank: Ctrl-C, and another reason to stop
        self.stop_received: bool = False
        self.interrupt_received: bool = False

    # ------------------------------------------------------------------------------------------- the start

    def start(self, loader: Loader, validation: Examples | None, options: Mapping[str, object]) -> Loader:
        """Compare the initial state of all ranks, copy rank 0's values to the others, and return this rank's loader.

        Raises
        ------
        ValueError
            If model, loss, optimizer, options or data differ; names the first difference and the rank.

        Warns
        -----
        RanksDifferWarning
            If parameters differ in their values only; rank 0's are taken.
        """
        facts: list[tuple[str, object]] = []
        for part in self.modules:
            facts += [(f"shape and type of {k!r}", (np.shape(a), str(a.dtype))) for k, a in part.state_dict().items()]
        frozen = [name for name, p in self.model.named_parameters() if not p.requires_grad]
        facts += [("the frozen parameters of the model", frozen), ("the model", repr(self.model))]
        facts += [("the loss", _name_of(self.loss)), *facts_of(self.optimizer)]
        facts += [(f"the argument {name} of fit", value) for name, value in options.items()]
        for what, data in (("training", loader), ("validation", validation)):
            if data is not None:
                measured = as_loader(data, 1, shuffle=False, rng=0)
                check_shard(measured, self.comm)
                facts += data_facts(measured, what)
        agree(self.comm, facts, ADVICE)
        for part in self.modules:
            state = part.state_dict()
            found = broadcast(self.comm, list(state.items()), stacklevel=4)
            if found is not None and self.rank:
                part.load_state_dict(dict(zip(state, found, strict=True)), allow_nan=True)
        broadcast(self.comm, list(_arrays("the optimizer", self.optimizer.state_dict())), repair=False)
        self._copy_generators()
        self.add_up: GradientSum = GradientSum(self.parameters, self.comm, beside=4)
        if isinstance(loader, DataLoader) and not own_shard(loader):
            return sharded(loader, self.comm)
        own = loader if isinstance(loader, OwnBatches) else OwnBatches(loader, self.comm)
        if isinstance(own.batches, DataLoader):  # one order for all, so that a checkpoint holds every rank's state
            generator = own.batches.rng.bit_generator
            generator.state = self.comm.bcast(generator.state, root=0)
        return own

    def _copy_generators(self) -> None:
        """Put every generator into the state of rank 0's, so that all ranks draw the same values."""
        set_rng_state(self.comm.bcast(get_rng_state(), root=0))
        generators = checkpoint._generators(self.model)
        states = self.comm.bcast([g.bit_generator.state for g in generators.values()], root=0)
        for generator, state in zip(generators.values(), states, strict=True):
            generator.bit_generator.state = state

    def callbacks(self, given: Sequence[object]) -> list[object]:
        """Return the callbacks that run on this rank: those that write files run on rank 0."""
        writing = (BestModel, JSONLines, TensorBoard)
        return [RankZeroOnly() if self.rank and isinstance(c, writing) else c for c in given]

    # -------------------------------------------------------------------------------------------- a step

    def forward(self, batch: Batch) -> tuple[Operand, Operand, Operand]:
        """Return loss, output and target of this rank's rows of a batch."""
        with shared(self.comm):
            inputs, target = split_batch(batch)
            output = self.model(*inputs)
            # A rank without rows that count has no loss, but its gradients, all zero, take part in the sum.
            counted = weight_of(self.loss, target)
            return self.loss(output, target) if counted else autograd.sum(output), output, target

    def _reduce(self, value: float, rows: float) -> float:
        """Add up the gradients of all ranks, and return the loss of the latest batch over the rows of all ranks."""
        latest = [value * rows if self.mean else value, rows]
        _, (losses, total, interrupts, stops) = self.add_up(self.rows, [*latest, *self.announced], divide=self.mean)
        self.interrupt_received = self.interrupt_received or interrupts > 0
        self.stop_received = stops > 0
        if not self.mean:
            return losses
        return losses / total if total else math.nan

    def announce(self, interrupted: bool, stopped: bool) -> None:
        """Send with the next step whether Ctrl-C was pressed, and whether there is another reason to stop."""
        self.announced = [float(interrupted), float(stopped)]

    def interrupted(self, interrupted: bool) -> bool:
        """Return whether Ctrl-C was pressed on one of the ranks, once all have received it."""
        return self.interrupt_received

    def ends(self, interrupted: bool, stopped: bool, value: float) -> bool:
        """Return whether the step just finished is the last, for a reason that all ranks have received."""
        return self.interrupt_received or self.stop_received or not math.isfinite(value)

    # ------------------------------------------------------------------------------------- between epochs

    def agree(self, interrupted: bool, stopped: str, compare: bool = False) -> str:
        """Return the reason to stop, the same on all ranks.

        Raises
        ------
        RuntimeError
            If `compare` is true and the ranks' parameters differ.
        """
        digest = hashlib.blake2b(digest_size=16)
        for p in self.parameters if compare else ():
            digest.update(np.asarray(p.data, order="C").tobytes())
        ranks = self.comm.allgather((interrupted, stopped, digest.hexdigest()))
        for rank, (_, _, other) in enumerate(ranks):
            if other != ranks[0][2]:
                hint = "did a callback change them on one rank only, or draw other random values?"
                raise RuntimeError(f"the parameters of rank {rank} differ from those of rank 0: {hint}")
        self.interrupt_received = self.interrupt_received or any(pressed for pressed, _, _ in ranks)
        return next((reason for _, reason, _ in ranks if reason), "")

    def broadcast(self, value: float) -> float:
        """Return rank 0's value."""
        return float(self.comm.bcast(value))

    def load(self, path: Path, parts: Mapping[str, Any]) -> State | None:
        """Load a checkpoint on rank 0, copy its parts to every rank, and return its other contents.

        Raises
        ------
        CheckpointError
            As from `nn.checkpoint.load`, on every rank.
        """
        rest: Any = None
        error: Exception | None = None
        if not self.rank:
            try:
                rest = super().load(path, parts)
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
        self._copy_generators()
        return dict(rest)


def _name_of(loss: Loss) -> str:
    return repr(loss) if isinstance(loss, Module) else getattr(loss, "__qualname__", type(loss).__name__)


def _arrays(name: str, tree: Tree) -> Iterator[tuple[str, Array]]:
    """Yield the arrays inside dicts and lists, each with its path."""
    if isinstance(tree, np.ndarray):
        yield name, tree
    elif isinstance(tree, dict | list | tuple):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _arrays(f"{name}[{key!r}]", value)
