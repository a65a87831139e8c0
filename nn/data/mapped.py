"""Rows in files that may be larger than memory, or than what a process may use: read when they are dealt."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint.files import FilePath
from nn.validation import checked_integer

from .dataset import Batch, Dataset, as_batch, as_rows

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["MappedDataset", "RawFile", "shard_of"]

Array = np.ndarray[Any, Any]
WINDOW = 1 << 26  # bytes; from 64 MiB on, larger ones measured no faster
KEPT = 2  # windows of a file
SHARE = 4  # of the address space that a process may use, the part that may be one mapping


@dataclass(frozen=True)
class RawFile:
    """A file of numbers without a header of NumPy's, one row after the other.

    Parameters
    ----------
    path : str or Path
        Where it is.
    dtype : dtype
        Type of the numbers; a byte order is part of it, as in ``">f4"``.
    shape : tuple of int
        Shape of one row; ``()`` for a number per row.
    offset : int
        Bytes before the first row.
    rows : int, optional
        How many rows; all that follow if not given.

    Examples
    --------
    >>> RawFile("train-images-idx3-ubyte", "u1", (784,), offset=16).row_bytes
    784
    """

    path: FilePath
    dtype: Any
    shape: tuple[int, ...] = ()
    offset: int = 0
    rows: int | None = None

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        return int(math.prod(self.shape) * np.dtype(self.dtype).itemsize)


def shard_of(count: int, shard: Any) -> range:
    """Return the rows of a shard ``(rank, size)``: consecutive ones, and as many for every rank.

    Where `count` is no multiple of the size, some rows stand in two shards, as PyTorch's ``DistributedSampler`` repeats
    some: then all ranks deal equally many batches, and none waits for another.

    Examples
    --------
    >>> [shard_of(8, (rank, 3)) for rank in range(3)]
    [range(0, 3), range(2, 5), range(5, 8)]
    """
    if not isinstance(shard, tuple | list) or len(shard) != 2:
        raise TypeError(f"shard is (rank, size), as in shard=(comm.rank, comm.size), not {shard!r:.60}")
    rank, size = (
        checked_integer("MappedDataset", "the rank of a shard", shard[0], 0),
        checked_integer("MappedDataset", "the size of a shard", shard[1], 1),
    )
    if rank >= size:
        raise ValueError(f"there is no shard {rank} of {size}; ranks count from 0")
    each = -(-count // size)
    begin = rank * (count - each) // max(size - 1, 1)
    return range(begin, begin + each)


class MappedDataset(Dataset):
    """Rows of files on the disk, side by side, of which only those that are dealt are read.

    Parameters
    ----------
    *files : str, Path or RawFile
        ``.npy`` files as `numpy.save` writes them, or `RawFile`, of equally many rows; usually inputs and targets.
    shard : (int, int)
        Rank and size: this set is only that one of so many consecutive parts, and nothing else is ever mapped.
    window : int, optional
        Bytes of a file that are mapped at a time.  By default all, or 64 MiB if that would take more than a quarter of
        the address space that the process may use (``ulimit -v``).
    transform : callable, optional
        Called with the arrays of a batch, returns those to deal: ``lambda x, y: (scale(x), y)``.

    Attributes
    ----------
    shard : (int, int)
        What was given.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If a file is none of numbers, was cut off, or the files have different numbers of rows.

    Notes
    -----
    Batches are copies.  Rows of a batch are fetched in the batch's own order: sorting them by their place first
    measured no faster, neither from memory nor from a solid-state disk (``tests/benchmarks/bench_data.py``).  By
    windows, `BlockSampler` is the faster order: 38,000 rows of 784 numbers a second where a random one gave 23,000,
    in a training on 4 GB under a limit of 1 GiB.

    With ``fit(..., comm=comm)``, a loader of ``shard=(comm.rank, comm.size)`` deals what it has to its rank, and
    `batch_size` is that of each rank; a loader of the whole set is divided by `fit`.
    A file that was cut after it was mapped is refused when a batch is dealt; one that is cut at that very moment ends
    the process, as every mapping does.

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
        self,
        *files: Any,
        shard: tuple[int, int] = (0, 1),
        window: int | None = None,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        if not files:
            raise ValueError("give at least one file")
        found = [file if isinstance(file, RawFile) else _npy(file) for file in files]
        counts = [_rows(file) for file in found]
        if len(set(counts)) > 1:
            each = ", ".join(f"{os.fspath(f.path)} has {n} rows" for f, n in zip(found, counts, strict=True))
            raise ValueError(f"files of one data set need the same number of rows: {each}")
        own = shard_of(counts[0], shard)
        self.shard: tuple[int, int] = (int(shard[0]), int(shard[1]))
        size = len(own) * sum(file.row_bytes for file in found)
        most = (
            (None if _fits(size) else WINDOW)
            if window is None
            else checked_integer("MappedDataset", "window", window, 1)
        )
        self._parts = [_Mapped(file, own, most) for file in found]
        self._length = len(own)
        self.transform = transform

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Batch:
        """Return a row, or the rows of a slice or index array, of every file."""
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            return self.batch(np.arange(chosen.start, chosen.stop, chosen.step))
        if isinstance(index, int | np.integer):
            return tuple([part[0] for part in self.batch(np.array([range(len(self))[index]]))])
        return self.batch(as_rows(index, len(self), "MappedDataset"))

    def batch(self, rows: Any) -> Batch:
        """Return some rows of every file, copied; rows are given as an index array."""
        parts = tuple([part.take(rows) for part in self._parts])
        return parts if self.transform is None else as_batch(self.transform(*parts))

    def __repr__(self) -> str:
        parts = ", ".join(f"{part.dtype} {(len(self), *part.shape)}" for part in self._parts)
        return f"MappedDataset({parts})" if self.shard[1] == 1 else f"MappedDataset({parts}, shard={self.shard})"


class _Mapped:
    """Some consecutive rows of a file, mapped in one piece or by windows."""

    def __init__(self, file: RawFile, rows: range, window: int | None) -> None:
        self.path, self.dtype, self.shape = Path(file.path), np.dtype(file.dtype), tuple(file.shape)
        self.row_bytes, self.count = file.row_bytes, len(rows)
        self.begin = file.offset + rows.start * self.row_bytes
        self.each = self.count if window is None else min(max(1, window // max(1, self.row_bytes)), self.count)
        self.kept: dict[int, tuple[Array, mmap.mmap | None]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "kept": {}}  # a copy maps for itself

    def take(self, rows: Array) -> Array:
        """Return some of the rows, in the order given."""
        if self.each == self.count:
            return _taken(self.window(0), rows)
        which = rows // self.each
        order = np.argsort(which, kind="stable")
        out = np.empty((len(rows), *self.shape), self.dtype)
        for part in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
            if len(part):
                number = int(which[part[0]])
                out[part] = _taken(self.window(number), rows[part] - number * self.each)
        return out

    def window(self, number: int) -> Array:
        """Return a window's rows; the one that was asked for longest ago makes room."""
        found = self.kept.pop(number, None)
        if found is None:
            while len(self.kept) >= KEPT:
                del self.kept[next(iter(self.kept))]
            found = self._map(number)
        elif found[1] is not None and found[1].size() < self.begin + self.count * self.row_bytes:
            raise self._shorter()  # to read what was cut off would end the process, or give zeros
        self.kept[number] = found
        return found[0]

    def _shorter(self) -> ValueError:
        return ValueError(f"{self.path} has become shorter than it was")

    def _map(self, number: int) -> tuple[Array, mmap.mmap | None]:
        count = min(self.each, self.count - number * self.each)
        begin, size = self.begin + number * self.each * self.row_bytes, count * self.row_bytes
        if size == 0:
            return np.empty((count, *self.shape), self.dtype), None
        more = begin % mmap.ALLOCATIONGRANULARITY  # a mapping begins at a page
        with self.path.open("rb") as file:
            try:
                view = mmap.mmap(file.fileno(), size + more, access=mmap.ACCESS_READ, offset=begin - more)
            except ValueError:
                raise self._shorter() from None
        flat = np.frombuffer(view, np.uint8, size, more).view(self.dtype)
        return np.asarray(flat.reshape(count, *self.shape)), view


def _taken(array: Array, rows: Array) -> Array:
    # `take` is faster for rows of several numbers, but copies a whole array that is not laid out plainly
    plain = array.ndim > 1 and array.flags.aligned and array.dtype.isnative
    taken: Array = array.take(rows, 0) if plain else array[rows]
    return taken


def _npy(path: FilePath) -> RawFile:
    """Return where the rows of a ``.npy`` file begin, and what they are."""
    name = os.fspath(path)
    if not Path(path).is_file():
        raise FileNotFoundError(2, "there is no such file", name)
    with Path(path).open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise ValueError(
                f"{name}: not a .npy file ({error}); for raw numbers, write RawFile(path, dtype, shape)"
            ) from None
        offset = file.tell()
    if dtype.kind not in "biufc":
        raise ValueError(f"{name} holds {dtype}; a data set is made of numbers")
    if not shape:
        raise ValueError(f"{name} is a single number; it must have one row per sample")
    if fortran and len(shape) > 1:
        raise ValueError(
            f"{name} is stored column by column (Fortran order), so that no row stands in one place; "
            "save it again with np.save(path, np.ascontiguousarray(array))"
        )
    return RawFile(path, dtype, shape[1:], offset, shape[0])


def _rows(file: RawFile) -> int:
    """Return how many rows a file holds."""
    name = os.fspath(file.path)
    if not Path(file.path).is_file():
        raise FileNotFoundError(2, "there is no such file", name)
    if np.dtype(file.dtype).kind not in "biufc":
        raise ValueError(f"{name}: {file.dtype} is no type of numbers")
    if file.row_bytes == 0 or (file.rows is not None and file.rows < 1):
        raise ValueError(f"{name} holds no numbers: {file.rows or 'its'} rows of shape {file.shape}")
    size = Path(file.path).stat().st_size - file.offset
    if file.rows is not None and size < file.rows * file.row_bytes:
        raise ValueError(
            f"{name} was cut off: {file.rows:,} rows are {file.rows * file.row_bytes:,} bytes, and there are {size:,}"
        )
    rows, more = divmod(size, file.row_bytes)
    if file.rows is None and (rows < 1 or more):
        raise ValueError(
            f"{name}: {size:,} bytes after the first {file.offset} are no whole number of rows of {file.row_bytes} "
            "bytes; look at dtype, shape and offset, or give rows"
        )
    return rows if file.rows is None else file.rows


def _fits(size: int) -> bool:
    """Whether a mapping of so many bytes leaves enough of the address space."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    return limit < 0 or limit == resource.RLIM_INFINITY or size <= limit // SHARE
