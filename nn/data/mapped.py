"""Memory-mapped files as data sets, which may be larger than memory or than the limit of the process."""

import itertools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.files import existing_file, read_npy_header
from nn.typing import Array, Batch, DType, FilePath, State
from nn.validation import checked_integer

from .dataset import BatchDataset

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

SHARE = 4  # one mapping may use a quarter of the address space of the process


@dataclass(frozen=True)
class RawFile:
    """A binary file without a NumPy header, one row after the other.

    Parameters
    ----------
    path : str or Path
        The file.
    dtype : dtype
        Data type, with the byte order, as in ``">f4"``.
    shape : tuple of int
        Shape of one row; ``()`` for a scalar.
    offset : int
        Bytes before the first row.
    rows : int, optional
        The number of rows; by default all that follow.

    Examples
    --------
    >>> RawFile("train-images-idx3-ubyte", "u1", (784,), offset=16).row_bytes
    784
    """

    path: FilePath
    dtype: DType
    shape: tuple[int, ...] = ()
    offset: int = 0
    rows: int | None = None

    @property
    def row_bytes(self) -> int:
        """The size of a row in bytes."""
        return int(math.prod(self.shape) * np.dtype(self.dtype).itemsize)


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
    rank, size = (
        checked_integer("MappedDataset", "the rank of a shard", shard[0], 0),
        checked_integer("MappedDataset", "the size of a shard", shard[1], 1),
    )
    if rank >= size:
        raise ValueError(f"shard {rank} of {size} does not exist; ranks count from 0")
    each = -(-count // size)
    begin = rank * (count - each) // max(size - 1, 1)
    return range(begin, begin + each)


class MappedDataset(BatchDataset):
    """Rows of memory-mapped files; only rows in use are read.

    Parameters
    ----------
    *files : str, Path or RawFile
        ``.npy`` files of `numpy.save`, or `RawFile`, with the same number of rows; usually inputs and targets.
    shard : (int, int)
        Rank and size: the set is this one of `size` consecutive parts, and nothing else is mapped.
    mapped : bool, optional
        Whether the files are mapped, or rows are read when they are needed.  By default they are mapped, unless that
        would take more than a quarter of the address space of the process (``ulimit -v``).
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
        self,
        *files: FilePath | RawFile,
        shard: tuple[int, int] = (0, 1),
        mapped: bool | None = None,
        transform: Callable[..., Any] | None = None,
    ) -> None:
        if not files:
            raise ValueError("MappedDataset needs at least one file")
        found = [file if isinstance(file, RawFile) else _npy(file) for file in files]
        counts = [_rows(file) for file in found]
        if len(set(counts)) > 1:
            each = ", ".join(f"{os.fspath(f.path)} has {n} rows" for f, n in zip(found, counts, strict=True))
            raise ValueError(f"files of one data set need the same number of rows: {each}")
        own = shard_of(counts[0], shard)
        self.shard: tuple[int, int] = (int(shard[0]), int(shard[1]))
        fits = _fits(len(own) * sum(file.row_bytes for file in found)) if mapped is None else mapped
        self._parts = [_Part(file, own, fits) for file in found]
        self._length = len(own)
        self.transform = transform

    def __len__(self) -> int:
        return self._length

    def arrays(self, rows: Array) -> Batch:
        """Return some rows of every file."""
        return tuple([part.take(rows) for part in self._parts])

    def __repr__(self) -> str:
        parts = ", ".join(f"{part.dtype} {(len(self), *part.shape)}" for part in self._parts)
        return f"MappedDataset({parts})" if self.shard[1] == 1 else f"MappedDataset({parts}, shard={self.shard})"


class _Part:
    """Consecutive rows of a file, mapped or read when they are needed."""

    def __init__(self, file: RawFile, rows: range, mapped: bool) -> None:
        self.path, self.dtype, self.shape = Path(file.path), np.dtype(file.dtype), tuple(file.shape)
        self.row_bytes = file.row_bytes
        self.begin, self.end = (file.offset + row * self.row_bytes for row in (rows.start, rows.stop))
        self.mapped = mapped
        self.rows: Array | None = self._map()

    def __getstate__(self) -> State:
        return {**vars(self), "rows": None}

    def __setstate__(self, state: State) -> None:
        vars(self).update(state)
        self.rows = self._map()

    def _map(self) -> Array | None:
        if not self.mapped:
            return None
        count = (self.end - self.begin) // self.row_bytes
        return np.memmap(self.path, self.dtype, "r", self.begin, (count, *self.shape)).view(np.ndarray)

    def take(self, rows: Array) -> Array:
        """Return some of the rows, in the order given."""
        if self.path.stat().st_size < self.end:  # reading a mapping beyond the end would end the process
            raise ValueError(f"{self.path} was truncated after it was opened")
        if self.rows is not None:
            return _taken(self.rows, rows)
        out = np.empty((len(rows), *self.shape), self.dtype)
        whole: Any = out.view(np.uint8).reshape(-1)
        size = self.row_bytes
        edges = [*np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist(), len(rows)]  # of consecutive rows
        with self.path.open("rb", buffering=0) as file:
            for first, last in itertools.pairwise(edges):
                file.seek(self.begin + int(rows[first]) * size)
                file.readinto(whole[first * size : last * size])
        return out


def _taken(array: Array, rows: Array) -> Array:
    # `take` is faster for rows of several values, but copies a whole array that is not aligned
    plain = array.ndim > 1 and array.flags.aligned and array.dtype.isnative
    taken: Array = array.take(rows, 0) if plain else array[rows]
    return taken


def _npy(path: FilePath) -> RawFile:
    """Return position, shape and dtype of the rows of a ``.npy`` file."""
    name = os.fspath(path)
    with existing_file(path).open("rb") as file:
        try:
            shape, fortran, dtype = read_npy_header(file)
        except ValueError as error:
            hint = "for raw data, pass RawFile(path, dtype, shape)"
            raise ValueError(f"{name}: not a .npy file ({error}); {hint}") from None
        offset = file.tell()
    if dtype.kind not in "biufc":
        raise ValueError(f"{name} has dtype {dtype}, which is not numeric")
    if not shape:
        raise ValueError(f"{name} is a scalar, but must have one row per sample")
    if fortran and len(shape) > 1:
        raise ValueError(f"{name} is in Fortran order; save it again with np.save(path, np.ascontiguousarray(array))")
    return RawFile(path, dtype, shape[1:], offset, shape[0])


def _rows(file: RawFile) -> int:
    """Return the number of rows in a file."""
    name = os.fspath(existing_file(file.path))
    if np.dtype(file.dtype).kind not in "biufc":
        raise ValueError(f"{name}: unsupported dtype {file.dtype}")
    if file.row_bytes == 0 or (file.rows is not None and file.rows < 1):
        raise ValueError(f"{name} is empty: {file.rows or 'its'} rows of shape {file.shape}")
    size = Path(file.path).stat().st_size - file.offset
    if file.rows is not None and size < file.rows * file.row_bytes:
        wanted = f"{file.rows:,} rows are {file.rows * file.row_bytes:,} bytes"
        raise ValueError(f"{name} is truncated: {wanted}, but it has {size:,}")
    rows, more = divmod(size, file.row_bytes)
    if file.rows is None and (rows < 1 or more):
        raise ValueError(
            f"{name}: {size:,} bytes after the first {file.offset} are not whole rows of {file.row_bytes} bytes; "
            "check dtype, shape and offset, or pass rows"
        )
    return rows if file.rows is None else file.rows


def _fits(size: int) -> bool:
    """Return whether a mapping of this size leaves enough of the address space."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    return limit < 0 or limit == resource.RLIM_INFINITY or size <= limit // SHARE
