"""Training on several ranks: they start alike, write files once, and resume from one file."""

from collections.abc import Iterator, Mapping

import numpy as np

from nn import checkpoint
from nn.data.distributed import OwnBatches, check_shard, data_facts, own_shard, sharded
from nn.data.loader import DataLoader
from nn.layers.norm import BatchNorm1d
from nn.module import Module
from nn.random import get_rng_state, set_rng_state
from nn.typing import Array, Comm, Examples, Loader, Loss, Optimizer, Tree
from optim.distributed import Alone, DistributedOptimizer, agree, broadcast, checked_comm, facts_of

from .evaluation import as_loader


def unwrapped(optimizer: Optimizer, comm: Comm | None) -> tuple[Optimizer, Comm]:
    """Return the optimizer inside a `DistributedOptimizer`, and the communicator."""
    if isinstance(optimizer, DistributedOptimizer):
        comm = optimizer.comm if comm is None else comm
        optimizer = optimizer.inner
    return optimizer, Alone() if comm is None else checked_comm(comm)


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


def start_alike(
    model: Module, loss: Loss, optimizer: Optimizer, loader: Loader, validation: Examples | None,
    options: Mapping[str, object], comm: Comm,
) -> Loader:  # fmt: skip
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
    if comm.size == 1:
        return loader
    modules = [part for part in (model, loss) if isinstance(part, Module)]
    facts: list[tuple[str, object]] = []
    for part in modules:
        facts += [(f"shape and type of {k!r}", (np.shape(a), str(a.dtype))) for k, a in part.state_dict().items()]
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    facts += [("the frozen parameters of the model", frozen), ("the model", repr(model))]
    name = repr(loss) if isinstance(loss, Module) else getattr(loss, "__qualname__", type(loss).__name__)
    facts += [("the loss", name), *facts_of(optimizer)]
    facts += [(f"the argument {name} of fit", value) for name, value in options.items()]
    for what, data in (("training", loader), ("validation", validation)):
        if data is not None:
            measured = as_loader(data, 1, shuffle=False, rng=0)
            check_shard(measured, comm)
            facts += data_facts(measured, what)
    agree(comm, facts, "start all ranks with the same program, data and options")
    for part in modules:
        state = part.state_dict()
        found = broadcast(comm, list(state.items()), stacklevel=4)
        if found is not None and comm.rank:
            part.load_state_dict(dict(zip(state, found, strict=True)), allow_nan=True)
    broadcast(comm, list(_arrays("the optimizer", optimizer.state_dict())), repair=False)
    set_rng_state(comm.bcast(get_rng_state(), root=0))  # so that all ranks draw the same values
    generators = checkpoint._generators(model)
    states = comm.bcast([g.bit_generator.state for g in generators.values()], root=0)
    for generator, state in zip(generators.values(), states, strict=True):
        generator.bit_generator.state = state
    if isinstance(loader, DataLoader) and not own_shard(loader):
        return sharded(loader, comm)
    own = loader if isinstance(loader, OwnBatches) else OwnBatches(loader, comm)
    if isinstance(own.batches, DataLoader):  # one order for all, so that a checkpoint holds every rank's state
        bits = own.batches.rng.bit_generator
        bits.state = comm.bcast(bits.state, root=0)
    return own


def _arrays(name: str, tree: Tree) -> Iterator[tuple[str, Array]]:
    """Yield the arrays inside dicts and lists, each with its path."""
    if isinstance(tree, np.ndarray):
        yield name, tree
    elif isinstance(tree, dict | list | tuple):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _arrays(f"{name}[{key!r}]", value)
