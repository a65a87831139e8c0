"""Data of several processes: one order from one seed, of which every rank reads its own rows.

Rank r of n reads the r-th of n nearly equal pieces of every batch, so that the batches of all ranks together are those
of a single process.
"""

import copy
import zlib
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.typing import Array, Batch, Comm, Index, Indexable, Loader, Rows, State

from .dataset import Dataset, fetch
from .loader import DataLoader

WHOLE = 2**24  # values that are compared in full, in about 0.1 s; of larger sets SAMPLED rows
SAMPLED = 4096
BLOCKS = 256


def piece(count: int, rank: int, size: int) -> slice:
    """Return the rows of a rank: consecutive, and nearly the same number for each rank.

    Examples
    --------
    >>> [piece(8, rank, 3) for rank in range(3)]
    [slice(0, 3, None), slice(3, 6, None), slice(6, 8, None)]
    """
    each, more = divmod(count, size)
    begin = rank * each + min(rank, more)
    return slice(begin, begin + each + (rank < more))


@dataclass(eq=False)
class Shard(Dataset):
    """A data set whose batches are reduced to the piece of a rank.

    Parameters
    ----------
    dataset : Dataset
        The whole data set.
    rank, size : int
        The piece, and the number of pieces.

    Examples
    --------
    >>> from nn.data import TensorDataset
    >>> Shard(TensorDataset([10.0, 11.0, 12.0]), rank=1, size=2).batch(np.array([2, 1, 0]))
    (array([10.]),)
    """

    dataset: Indexable
    rank: int
    size: int

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Index) -> Any:
        """Return rows of the whole data set."""
        return self.dataset[index]

    def batch(self, rows: Rows) -> Batch:
        """Return this rank's piece of a batch, which is empty if there are more ranks than rows."""
        own = rows[piece(len(rows), self.rank, self.size)]
        if len(own):
            return fetch(self.dataset, own)
        return tuple(part[:0] for part in fetch(self.dataset, rows[:1]))


def sharded(loader: DataLoader, comm: Comm) -> DataLoader:
    """Return a loader of this rank's pieces of the batches of another loader, at its current position.

    Parameters
    ----------
    loader : DataLoader
        Of the whole data set, with the batch size of all ranks together; the same on every rank.
    comm : communicator
        Of the ranks.  All use the generator state of rank 0.

    Returns
    -------
    DataLoader
        Its state is that of a loader of the whole, and can be resumed with another number of ranks.

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


def own_shard(loader: Loader) -> tuple[int, int] | None:
    """Return rank and size if a loader's data are a rank's own shard, as ``MappedDataset(..., shard=(0, 4))``."""
    dataset = getattr(loader, "dataset", None)
    while dataset is not None:
        rank, size = getattr(dataset, "shard", (0, 1))
        if size > 1:
            return int(rank), int(size)
        dataset = getattr(dataset, "dataset", None)  # of a `Subset`
    return None


def check_shard(loader: Loader, comm: Comm) -> None:
    """Raise if a loader uses the shard of another rank.

    Raises
    ------
    ValueError
        If the ``shard`` of `loader` is not ``(comm.rank, comm.size)``.
    """
    shard = own_shard(loader)
    if shard is not None and shard != (comm.rank, comm.size):
        raise ValueError(f"rank {comm.rank} of {comm.size} got shard {shard}; pass shard=(comm.rank, comm.size)")


class OwnBatches:
    """Batches of each rank's own file or stream, until all ranks are exhausted.

    An exhausted rank yields empty batches, since every step needs all ranks.

    Parameters
    ----------
    batches : iterable
        This rank's.
    comm : communicator
        Of the ranks.

    Raises
    ------
    ValueError
        While iterating: if a rank does not have a batch.
    """

    def __init__(self, batches: Loader, comm: Comm) -> None:
        self.batches: Loader = batches
        self.comm: Comm = comm
        if hasattr(batches, "state_dict") and hasattr(batches, "load_state_dict"):
            self.state_dict: Callable[[], State] = batches.state_dict
            self.load_state_dict: Callable[[State], None] = batches.load_state_dict
        self.count: int = max(comm.allgather(len(batches) if isinstance(batches, Sized) else 0))

    @property
    def start(self) -> int:
        """The batch with which the next iteration starts."""
        return int(getattr(self.batches, "start", 0))

    def __len__(self) -> int:
        """Return the largest number of batches of any rank; 0 if unknown."""
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        """Yield this rank's batches, then empty ones."""
        own, batch = iter(self.batches), None
        while True:
            found = next(own, None)
            if not self.comm.allreduce(found is not None):
                return
            if found is not None:
                batch = found
            elif batch is None:
                raise ValueError(f"rank {self.comm.rank} has no batch, but others have: give each a part of the data")
            else:
                batch = tuple(part[:0] for part in batch)
            yield batch


def data_facts(loader: Loader, what: str) -> list[tuple[str, object]]:
    """Return the properties of a loader that all ranks must share: rows, batch size, dtypes and data.

    Parameters
    ----------
    loader : DataLoader
        Not yet divided. Other loaders may differ between ranks.
    what : str
        The name of the data in messages.

    Returns
    -------
    list of (str, object)
        For `optim.distributed.agree`. Data are compared by checksums of blocks: of all rows up to 16 million values,
        beyond that of 4,096 evenly spaced rows.
    """
    facts: list[tuple[str, object]] = [(f"the type of the {what} loader", type(loader).__name__)]
    if not isinstance(loader, DataLoader):
        return facts
    rows = len(loader.dataset)
    facts += [
        (f"the number of rows of the {what} data", rows),
        (f"the batch size of the {what} loader", loader.batch_size),
        (f"the number of batches of the {what} loader", len(loader)),
        (f"the sampler of the {what} loader", type(loader.sampler).__name__),
    ]
    parts = fetch(loader.dataset, np.arange(1))
    facts.append((f"shapes and types of a row of the {what} data", [(p.shape[1:], p.dtype.name) for p in parts]))
    if own_shard(loader):  # other rows on every rank
        return facts
    facts.append((f"the order of the {what} data (a checksum)", _checksum(loader.order(0))))
    every = rows if rows * sum(part.size for part in parts) <= WHOLE else min(rows, SAMPLED)
    for block in np.array_split(np.linspace(0, rows - 1, every).astype(np.intp), min(BLOCKS, every)):
        for i, part in enumerate(fetch(loader.dataset, block)):
            where = f"rows {block[0]} to {block[-1]} of array {i}"
            facts.append((f"{where} of the {what} data (a checksum)", _checksum(part)))
    return facts


def _checksum(array: Array) -> str:
    return f"{zlib.crc32(np.asarray(array, order='C').tobytes()):08x}"
