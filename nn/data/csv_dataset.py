"""A CSV file of any size as a data set, read in blocks of rows, of which the latest are cached."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autograd.files import replacing
from nn.files import existing_file
from nn.typing import Array, Batch, FilePath
from nn.validation import checked_integer

from .csv_reader import CSVOptions, CSVReader, Part
from .dataset import BatchDataset, recent
from .mapped import shard_of
from .sampler import BlockSampler


class CSVIndex(NamedTuple):
    r"""The position of each block of rows in a CSV file.

    Attributes
    ----------
    rows : int
        Rows in the file.
    block : int
        Rows in a block; the last one may have fewer.
    offsets : ndarray of int, shape (blocks + 1,)
        The first byte of each block, and the end of the last.
    lines : ndarray of int, shape (blocks,)
        The number of lines above each block.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "table.csv")
    ...     _ = path.write_text("a,b\n1,2\n3,4\n5,6\n")
    ...     index = index_csv(path, block=2)
    >>> index.rows, index.offsets
    (3, array([ 4, 12, 16]))
    """

    rows: int
    block: int
    offsets: Array
    lines: Array

    def __repr__(self) -> str:
        return f"CSVIndex({self.rows} rows in {len(self.lines)} blocks of {self.block})"


def index_csv(
    path: FilePath, block: int = 8192, *, header: bool = True, skip_lines: int = 0, encoding: str = "utf-8-sig"
) -> CSVIndex:
    r"""Find the rows of a CSV file, without reading their cells.

    Parameters
    ----------
    path : str or Path
        The file; not a compressed one, which can only be read from the start.
    block : int
        Rows in a block.
    header, skip_lines, encoding
        As in `read_csv`.

    Returns
    -------
    CSVIndex
        Small, and the same on every machine: one rank may create it and send it to the others.

    Raises
    ------
    ValueError
        If the file is compressed, its encoding has line ends of several bytes, or it has no rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "table.csv"
    ...     _ = file.write_text("a,b\n" + "1,2\n" * 5)
    ...     index_csv(file, block=2)
    CSVIndex(5 rows in 3 blocks of 2)
    """
    name, block = os.fspath(path), checked_integer("index_csv", "block", block, 1)
    size = existing_file(path, "CSV file").stat().st_size
    if Path(path).suffix.lower() == ".gz":
        raise ValueError(f"{name} is compressed, and can only be read from the start: decompress it first (gunzip)")
    if not "a\n".encode(encoding).endswith(b"a\n"):
        raise ValueError(f"{name}: encoding {encoding} has line ends of several bytes; save the file as UTF-8")
    checked_integer("index_csv", "skip_lines", skip_lines, 0)
    rows, end, offsets, lines = -int(header), 0, list[int](), list[int]()
    begin, above, quoted, filled = 0, 0, False, False  # of the record that a line belongs to
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            end += len(line)
            quoted ^= line.count(b'"') % 2 == 1 and number > skip_lines
            filled |= number > skip_lines and not line.isspace()
            if quoted and end < size:
                continue
            if filled and rows >= 0 and rows % block == 0:
                offsets.append(begin)
                lines.append(above)
            rows += filled
            begin, above, filled = end, number, False
    if rows < 1:
        raise ValueError(f"{name}: the file has no rows")
    return CSVIndex(rows, block, np.array([*offsets, end], np.int64), np.array(lines, np.int64))


class CSVDataset(BatchDataset):
    r"""The rows of a CSV file, read in blocks when they are needed.

    Parameters
    ----------
    path : str or Path
        The file, as for `read_csv`, but not a compressed one.
    target : str or int, optional
        The column to predict.
    shard : (int, int)
        Rank and size: the set is this one of `size` consecutive parts, and cells of other rows are not read.
    block : int
        Rows that are read together.
    keep : int
        The number of cached blocks, whose rows ``DataLoader(..., shuffle=True)`` mixes.
    index : CSVIndex, optional
        The positions of rows from `index_csv`, perhaps on another rank; nothing outside of the shard is read then.
    transform : callable, optional
        Applied to the arrays of a batch: ``lambda x, y: (scale(x), y)``.
    **options
        As for `read_csv`; `classes` must be a sequence and `fill` a number, since rows are read in parts.

    Attributes
    ----------
    columns : tuple of str
        Names of the feature columns.
    classes : tuple of str or None
        The labels that the class indices refer to.
    index : CSVIndex
        The positions of rows.

    Raises
    ------
    ValueError
        If the file has no rows, and when a batch is read, if one of its cells is an error for `read_csv`; the message
        names file, line and column.

    Notes
    -----
    Shuffling is by `BlockSampler`: each block is read once in an epoch.  In another order, every batch reads the
    blocks it needs.  To train for many epochs, write ``.npy`` files once (`to_npy`) and use a `MappedDataset`.

    Examples
    --------
    >>> import tempfile
    >>> from nn.data import DataLoader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "table.csv"
    ...     _ = file.write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(5)))
    ...     data = CSVDataset(file, target="b")
    ...     [(x.tolist(), y.tolist()) for x, y in DataLoader(data, batch_size=3)]
    [([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]), ([[3.0], [4.0]], [9.0, 16.0])]
    """

    def __init__(
        self,
        path: FilePath,
        target: str | int | None = None,
        *,
        shard: tuple[int, int] = (0, 1),
        block: int = 8192,
        keep: int = 8,
        index: CSVIndex | None = None,
        transform: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        self.path: Path = Path(path)
        self.options: CSVOptions = CSVOptions(target, **options)
        o = self.options
        o.require_chunks()
        self.keep: int = checked_integer("CSVDataset", "keep", keep, 1)
        self.index: CSVIndex = index or index_csv(
            path, block, header=o.header, skip_lines=o.skip_lines, encoding=o.encoding
        )  # also refuses what cannot be read in parts
        self._reader = CSVReader(path, o)
        with contextlib.closing(self._reader.cells()) as cells:
            self._reader.choose(next(cells))
        self.columns: tuple[str, ...] = tuple(self._reader.names[i] for i in self._reader.features)
        self.classes: tuple[str, ...] | None = tuple(self._reader.indices) or None
        self._rows = shard_of(self.index.rows, shard)
        self.shard: tuple[int, int] = (int(shard[0]), int(shard[1]))
        self.transform = transform
        self._kept: dict[int, Batch] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def arrays(self, rows: Array) -> Batch:
        """Return some rows: features, and the target if there is one."""
        if not len(rows):
            return tuple(part[:0] for part in self.arrays(np.zeros(1, np.intp)))
        places = rows + self._rows.start
        which = places // self.index.block
        out: list[Array] = []
        for number in sorted({*which.tolist()}, key=lambda b: b not in self._kept):  # cached ones before their eviction
            parts = recent(self._kept, number, self.keep, self._read)
            out = out or [np.empty((len(places), *part.shape[1:]), part.dtype) for part in parts]
            here = np.flatnonzero(which == number)
            for whole, part in zip(out, parts, strict=True):
                whole[here] = part[places[here] - number * self.index.block]
        return tuple(out)

    def random_sampler(self) -> BlockSampler:
        """Return the sampler for ``DataLoader(..., shuffle=True)``, which reads each block once."""
        block = self.index.block
        return BlockSampler(len(self), block, self.keep, offset=self._rows.start % block)

    def to_npy(self, *paths: FilePath) -> None:
        """Write features, and the target if there is one, to ``.npy`` files, one block at a time.

        Parameters
        ----------
        *paths : str or Path
            One file for each.
        """
        first = self.batch(np.zeros(1, np.intp))
        if len(paths) != len(first):
            raise ValueError(f"expected {len(first)} files, one each for features and target, got {len(paths)}")
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(replacing(path)) for path in paths]
            for file, part in zip(files, first, strict=True):
                shape = (len(self), *part.shape[1:])
                header = {"descr": np.lib.format.dtype_to_descr(part.dtype), "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            for begin in range(0, len(self), self.index.block):
                for file, part in zip(files, self[begin : begin + self.index.block], strict=True):
                    file.write(part.tobytes())

    def __repr__(self) -> str:
        of = "" if self.shard[1] == 1 else f", shard={self.shard}"
        return f"CSVDataset({os.fspath(self.path)!r}, {len(self)} rows of {len(self.columns)} features{of})"

    def _read(self, number: int) -> Batch:
        begin, end = (int(n) for n in self.index.offsets[number : number + 2])
        with self.path.open("rb") as file:
            file.seek(begin)
            data = file.read(end - begin)
        reader = self._reader.reading(data, int(self.index.lines[number]))
        parts = _numeric(reader) or list(reader.parts(reader.cells()))
        found = sum(len(features) for features, _ in parts)
        wanted = min(self.index.block, self.index.rows - number * self.index.block)
        if found != wanted:
            raise ValueError(
                f"{self.path}, from line {reader.skipped + 1} on: {wanted} rows were indexed, but {found} found; "
                "did the file change, or do cells contain quotes?"
            )
        table = reader.table(parts)
        return (table.X,) if table.y is None else (table.X, table.y)


def _numeric(reader: CSVReader) -> list[Part] | None:
    """Return all columns by NumPy's parser, which is four times faster; None if a cell is not a number."""
    target = reader.target
    used = {*reader.features} if target is None else {*reader.features, target}
    if reader.options.classes or len(used) < len(reader.names) or not (reader.data or b"").strip():
        return None
    with contextlib.suppress(ValueError):
        rows = np.loadtxt(reader.opened(), delimiter=reader.options.delimiter, comments=None, ndmin=2, quotechar='"')
        if rows.shape[1] == len(used) and np.isfinite(rows).all():
            return [(rows[:, reader.features], None if target is None else rows[:, target])]
    return None
