"""Memory-mapped files as data sets, which may be larger than memory or than the limit of the process."""

import itertools
import math
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.files import existing_file
from nn.files import read_npy_header
from nn.typing import Array, Batch, FilePath, Index, Rows, State
from nn.validation import checked_integer

from .dataset import Dataset, as_batch, as_rows

SHARE = 4  # the mappings of a data set may use a quarter of the address space that is left


def shard_of(count: int, shard: tuple[int, int]) -> range:
    """Return the rows of a shard ``(rank, size)``: consecutive, and the same number for every rank.

    If `count` is not a multiple of the size, some rows are in two shards, as PyTorch's ``DistributedSampler`` repeats
    some, so that all ranks have the same number of batches.

    Examples
    --------
    >>> [shard_of(8, (rank, 3)) for rank in range(3)]
    [range(0, 3), range(2, 5), range(5, 8)]
    """
    if not isinstance(shard, tuple | list) or len(shard) != 2:
        raise TypeError(f"shard must be (rank, size), as in shard=(comm.rank, comm.size), not {shard!r:.60}")
    rank = checked_integer("MappedDataset", "the rank of a shard", shard[0], 0)
    size = checked_integer("MappedDataset", "the size of a shard", shard[1], 1)
    if rank >= size:
        raise ValueError(f"shard {rank} of {size} does not exist; ranks count from 0")
    each = -(-count // size)
    begin = rank * (count - each) // max(size - 1, 1)
    return range(begin, begin + each)


class MappedDataset(Dataset):
    """Rows of memory-mapped files; only rows in use are read.

    Parameters
    ----------
    *files : str or Path
        ``.npy`` files of `numpy.save` with the same number of rows; usually inputs and targets.
    shard : (int, int)
        Rank and size: the set is this one of `size` consecutive parts, and nothing else is mapped.
    mapped : bool, optional
        Whether the files are mapped, or rows are read when they are needed.  By default they are mapped, unless that
        would take more than a quarter of the address space that the process has left (``ulimit -v``).
    transform : callable, optional
        Applied to the arrays of a batch: ``lambda x, y: (scale(x), y)``.

    Attributes
    ----------
    shard : (int, int)
        Rank and size.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If a file is not numeric, is truncated, or the files differ in their number of rows.

    Notes
    -----
    Batches are copies.  Rows are fetched in the order of the batch: sorting them first measured no faster, neither
    from memory nor from a solid-state disk (``tests/benchmarks/bench_data.py``).

    With ``fit(..., comm=comm)``, a loader of ``shard=(comm.rank, comm.size)`` is used by its rank as it is, and
    `batch_size` is that of each rank; a loader of the whole set is divided by `fit`.
    A file that was truncated after it was mapped is an error when a batch is read; one that is truncated at that very
    moment ends the process, as with every mapping.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.arange(10.0).reshape(5, 2))
    ...     np.save(f"{folder}/y.npy", np.arange(5))
    ...     data = MappedDataset(f"{folder}/x.npy", f"{folder}/y.npy", shard=(1, 2))
    ...     len(data), data.batch(np.array([1, 0]))
    (3, (array([[6., 7.],
           [4., 5.]]), array([3, 2])))
    """

    def __init__(
        self, *files: FilePath, shard: tuple[int, int] = (0, 1), mapped: bool | None = None,
        transform: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        if not files:
            raise ValueError("MappedDataset needs at least one file")
        self._parts = [_Part(file) for file in files]
        counts = [part.count for part in self._parts]
        if len(set(counts)) > 1:
            each = ", ".join(f"{part.path} has {part.count} rows" for part in self._parts)
            raise ValueError(f"files of one data set need the same number of rows: {each}")
        own = shard_of(counts[0], shard)
        self.shard: tuple[int, int] = (int(shard[0]), int(shard[1]))
        fits = _fits(len(own) * sum(part.row_bytes for part in self._parts)) if mapped is None else mapped
        for part in self._parts:
            part.open(own, fits)
        self._length = len(own)
        self.transform = transform

    def __len__(self) -> int:
        return self._length

    def batch(self, rows: Rows) -> Batch:
        """Return some rows, copied; rows are given as an index array."""
        parts = tuple([part.take(np.asarray(rows)) for part in self._parts])
        return parts if self.transform is None else as_batch(self.transform(*parts))

    def __getitem__(self, index: Index) -> Batch:
        """Return a row, or the rows of a slice or index array."""
        if isinstance(index, slice):
            return self.batch(np.arange(len(self))[index])
        if isinstance(index, int | np.integer):
            return tuple([part[0] for part in self.batch(np.array([range(len(self))[index]]))])
        return self.batch(as_rows(index, len(self), "MappedDataset"))

    def __repr__(self) -> str:
        parts = ", ".join(f"{part.dtype} {(len(self), *part.shape)}" for part in self._parts)
        return f"MappedDataset({parts})" if self.shard[1] == 1 else f"MappedDataset({parts}, shard={self.shard})"


class _Part:
    """Consecutive rows of a ``.npy`` file, mapped or read when they are needed."""

    rows: Array | None

    def __init__(self, path: FilePath) -> None:
        self.path = existing_file(path)
        with self.path.open("rb") as file:
            try:
                shape, fortran, self.dtype = read_npy_header(file)
            except ValueError as error:
                raise ValueError(f"{path}: not a .npy file ({error})") from None
            self.begin = file.tell()
        if self.dtype.kind not in "biufc" or not shape or 0 in shape:
            raise ValueError(f"{path} has shape {shape} and dtype {self.dtype}; expected numeric rows, at least one")
        if fortran and len(shape) > 1:
            raise ValueError(
                f"{path} is in Fortran order; save it again with np.save(path, np.ascontiguousarray(array))"
            )
        self.count, *lengths = shape
        self.shape = tuple(lengths)
        self.row_bytes = math.prod(lengths) * self.dtype.itemsize
        wanted, size = self.count * self.row_bytes, self.path.stat().st_size - self.begin
        if size < wanted:
            raise ValueError(f"{path} is truncated: {self.count:,} rows are {wanted:,} bytes, but it has {size:,}")

    def open(self, rows: range, mapped: bool) -> None:
        """Restrict the part to some rows, and map them if desired."""
        self.begin, self.end = (self.begin + row * self.row_bytes for row in (rows.start, rows.stop))
        self.mapped = mapped
        self._map()

    def __getstate__(self) -> State:
        return {**vars(self), "rows": None}

    def __setstate__(self, state: State) -> None:
        vars(self).update(state)
        self._map()

    def _map(self) -> None:
        shape = ((self.end - self.begin) // self.row_bytes, *self.shape)
        mapped = np.memmap(self.path, self.dtype, "r", self.begin, shape) if self.mapped else None
        self.rows = None if mapped is None else mapped.view(np.ndarray)

    def take(self, rows: Array) -> Array:
        """Return some of the rows, in the order given."""
        if self.path.stat().st_size < self.end:  # reading a mapping beyond the end would end the process
            raise ValueError(f"{self.path} was truncated after it was opened")
        if self.rows is not None:
            # `take` is faster for rows of several values, but copies a whole array that is not aligned
            plain = self.rows.ndim > 1 and self.rows.flags.aligned and self.dtype.isnative
            return self.rows.take(rows, 0) if plain else self.rows[rows]
        as_rows(rows, (self.end - self.begin) // self.row_bytes, "MappedDataset")
        out = np.empty((len(rows), *self.shape), self.dtype)
        whole: Any = out.view(np.uint8).reshape(-1)
        size = self.row_bytes
        edges = [*np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist(), len(rows)]  # of consecutive rows
        with self.path.open("rb", buffering=0) as file:
            for first, last in itertools.pairwise(edges):
                file.seek(self.begin + int(rows[first]) * size)
                file.readinto(whole[first * size : last * size])
        return out


def _fits(size: int) -> bool:
    """Return whether a mapping of this size leaves enough of the address space."""
    if hasattr(mmap, "MAP_PRIVATE"):  # not on Windows
        try:
            mmap.mmap(-1, SHARE * size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()
        except OSError:
            return False
    return True
