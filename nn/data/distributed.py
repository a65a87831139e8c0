"""Data of several processes: one order from one seed, of which every rank reads its own rows only.

Rank r of n reads the r-th of n nearly equal pieces of every batch, so that the ranks together deal the batches that a
single process would, whatever n is; a memory-mapped file is read by each rank where its rows lie.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .dataset import Batch, Dataset, fetch
from .loader import DataLoader

__all__ = ["OwnBatches", "Shard", "check_shard", "data_facts", "own_shard", "piece", "sharded"]

Array = np.ndarray[Any, Any]
WHOLE = 2**24  # numbers that are compared in full, in about a tenth of a second; of more than that, SAMPLED rows
SAMPLED = 4096
BLOCKS = 256


def piece(count: int, rank: int, size: int) -> slice:
    """Return which of `count` rows are those of a rank: consecutive, and nearly as many for each.

    Examples
    --------
    >>> [piece(8, rank, 3) for rank in range(3)]
    [slice(0, 3, None), slice(3, 6, None), slice(6, 8, None)]
    """
    each, more = divmod(count, size)
    begin = rank * each + min(rank, more)
    return slice(begin, begin + each + (rank < more))


class Shard(Dataset):
    """A data set of which every batch is cut down to a rank's piece.

    Parameters
    ----------
    dataset : Dataset
        The whole.
    rank, size : int
        Which piece, of how many.

    Examples
    --------
    >>> from nn.data import TensorDataset
    >>> Shard(TensorDataset([10.0, 11.0, 12.0]), rank=1, size=2).batch(np.array([2, 1, 0]))
    (array([10.]),)
    """

    def __init__(self, dataset: Any, rank: int, size: int) -> None:
        self.dataset: Any = dataset
        self.rank: int = rank
        self.size: int = size

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        """Return a row, or rows, of the whole."""
        return self.dataset[index]

    def batch(self, rows: Any) -> Batch:
        """Return this rank's piece of a batch; it has no rows if the batch has fewer than there are ranks."""
        own = rows[piece(len(rows), self.rank, self.size)]
        if len(own):
            return fetch(self.dataset, own)
        return tuple(part[:0] for part in fetch(self.dataset, rows[:1]))

    def __repr__(self) -> str:
        return f"Shard({self.rank} of {self.size} of {self.dataset!r})"


def sharded(loader: DataLoader, comm: Any) -> DataLoader:
    """Return a loader that deals this rank's pieces of the batches another would deal, from where that one stands.

    Parameters
    ----------
    loader : DataLoader
        Of the whole data set, with the batch size of all ranks together; the same on every rank.
    comm : communicator
        Of the ranks.  Orders are drawn as on rank 0, whatever the other ranks' generators.

    Returns
    -------
    DataLoader
        Its state is that of a loader of the whole: it can be resumed on another number of ranks.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from nn.data import TensorDataset
    >>> comm = SimpleNamespace(rank=1, size=2, bcast=lambda thing, root: thing)
    >>> [x.tolist() for (x,) in sharded(DataLoader(TensorDataset(np.arange(7.0)), 4), comm)]
    [[2.0, 3.0], [6.0]]
    """
    if isinstance(loader.dataset, Shard) or comm.size == 1 or own_shard(loader):
        return loader
    own = copy.copy(loader)
    own.rng.bit_generator.state = comm.bcast(own.rng.bit_generator.state, root=0)
    own.dataset = Shard(loader.dataset, comm.rank, comm.size)
    return own


def own_shard(loader: Any) -> bool:
    """Whether a loader deals from a rank's own shard, as ``MappedDataset(..., shard=(0, 4))`` is, or a part of it."""
    return _shard(loader)[1] > 1


def _shard(loader: Any) -> tuple[int, int]:
    """Return rank and size of the shard that a loader deals from; (0, 1) if it deals from the whole."""
    dataset = getattr(loader, "dataset", None)
    while dataset is not None:
        rank, size = getattr(dataset, "shard", (0, 1))
        if size > 1:
            return int(rank), int(size)
        dataset = getattr(dataset, "dataset", None)  # what a `Subset` chooses from
    return 0, 1


def check_shard(loader: Any, comm: Any) -> None:
    """Refuse a shard that is not this rank's.

    Raises
    ------
    ValueError
        If `loader` deals from a ``shard`` other than ``(comm.rank, comm.size)``.
    """
    shard = _shard(loader)
    if shard[1] > 1 and shard != (comm.rank, comm.size):
        raise ValueError(f"rank {comm.rank} of {comm.size} was given shard {shard}; write shard=(comm.rank, comm.size)")


class OwnBatches:
    """Batches that each rank finds for itself, from a file or a stream of its own, dealt until the last rank has none.

    A rank whose batches are used up is given empty ones, since every step needs all ranks.

    Parameters
    ----------
    batches : iterable
        This rank's.
    comm : communicator
        Of the ranks.

    Raises
    ------
    ValueError
        While iterating: if a rank has no batch at all.
    """

    def __init__(self, batches: Any, comm: Any) -> None:
        self.batches: Any = batches
        self.comm: Any = comm
        if hasattr(batches, "load_state_dict"):
            self.state_dict: Any = batches.state_dict
            self.load_state_dict: Any = batches.load_state_dict
        self.count: int = max(comm.allgather(len(batches) if hasattr(batches, "__len__") else 0))

    @property
    def position(self) -> int:
        """How many batches of the epoch under way were dealt."""
        return int(getattr(self.batches, "position", 0))

    @property
    def _resuming(self) -> bool:
        return bool(getattr(self.batches, "_resuming", False))

    def __len__(self) -> int:
        """Return the number of batches in an epoch, that of the rank with most; 0 if it is not known."""
        return self.count

    def __iter__(self) -> Iterator[Any]:
        """Deal this rank's batches, then empty ones."""
        own, batch = iter(self.batches), None
        while True:
            found = next(own, None)
            if not self.comm.allreduce(found is not None):
                return
            if found is not None:
                batch = found
            elif batch is None:
                raise ValueError(
                    f"rank {self.comm.rank} has no batch at all, and others have: give every rank a part of the data"
                )
            else:
                batch = tuple(part[:0] for part in batch)
            yield batch


def data_facts(loader: Any, what: str) -> list[tuple[str, Any]]:
    """Return what ranks must share of a loader: rows, batch size, types and numbers of the arrays.

    Parameters
    ----------
    loader : DataLoader
        Not yet divided. Anything else is each rank's own business.
    what : str
        What messages call the data.

    Returns
    -------
    list of (str, object)
        For `optim.distributed.agree`. Numbers are compared by checksums of blocks of rows: of all rows up to some 16
        million numbers, of 4,096 rows evenly spaced beyond that.
    """
    facts: list[tuple[str, Any]] = [(f"the type of the {what} loader", type(loader).__name__)]
    if not isinstance(loader, DataLoader):
        return facts
    rows = len(loader.dataset)
    facts += [
        (f"the number of rows of the {what} data", rows),
        (f"the batch size of the {what} loader", loader.batch_size),
        (f"the number of batches of the {what} loader", len(loader)),
        (f"the sampler of the {what} loader", type(loader.sampler).__name__),
    ]
    if not own_shard(loader):
        order = np.asarray(loader.order(0), order="C")
        facts.append((f"the order of the {what} data (a checksum)", f"{zlib.crc32(order.tobytes()):08x}"))
    parts = fetch(loader.dataset, np.arange(1))
    for i, part in enumerate(parts):
        facts.append((f"shape and type of a row of array {i} of the {what} data", (part.shape[1:], part.dtype.name)))
    every = rows if rows * sum(part.size for part in parts) <= WHOLE else min(rows, SAMPLED)
    chosen = np.unique(np.linspace(0, rows - 1, every).astype(np.intp))
    if own_shard(loader):  # other rows on every rank
        return facts
    for block in np.array_split(chosen, min(BLOCKS, len(chosen))):
        for i, part in enumerate(fetch(loader.dataset, block)):
            where = f"row {block[0]}" if len(block) == 1 else f"rows {block[0]} to {block[-1]}"
            checksum = zlib.crc32(np.asarray(part, order="C").tobytes())
            facts.append((f"{where} of array {i} of the {what} data (a checksum)", f"{checksum:08x}"))
    return facts
