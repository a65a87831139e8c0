"""A CSV file of any size as a data set, read in blocks of rows, of which the latest are cached."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nn.files import FilePath, replacing
from nn.typing import Array, Batch, Rows
from nn.validation import checked_integer

from .csv_index import CSVIndex, index_csv
from .csv_reader import CSVOptions, CSVReader
from .dataset import BatchDataset, as_batch, recent
from .mapped import shard_of
from .sampler import BlockSampler


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

    def batch(self, rows: Rows) -> Batch:
        """Return some rows: features, and the target if there is one."""
        places = np.asarray(rows) + self._rows.start
        which = places // self.index.block
        needed = sorted(
            set(which.tolist()), key=lambda b: b not in self._kept
        )  # cached ones first, before they are evicted
        out: list[Array] = []
        for number in needed:
            parts = recent(self._kept, number, self.keep, self._read)
            if not out:
                out = [np.empty((len(places), *part.shape[1:]), part.dtype) for part in parts]
            here = np.flatnonzero(which == number)
            for whole, part in zip(out, parts, strict=True):
                whole[here] = part[places[here] - number * self.index.block]
        if not needed:
            return tuple(part[:0] for part in self.batch(np.zeros(1, np.intp)))
        return tuple(out) if self.transform is None else as_batch(self.transform(*out))

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
        part = self._reader.part(data, int(self.index.lines[number]))
        parts = _fast(part) or _strict(part)
        wanted = min(self.index.block, self.index.rows - number * self.index.block)
        if len(parts[0]) != wanted:
            raise ValueError(
                f"{self.path}, from line {part.skipped + 1} on: {wanted} rows were indexed, but {len(parts[0])} found; "
                "did the file change, or do cells contain quotes?"
            )
        return parts


def _strict(reader: CSVReader) -> Batch:
    """Read cell by cell, with the place of the first fault in the error."""
    table = reader.table(list(reader.parsed(reader.cells())))
    return (table.X,) if table.y is None else (table.X, table.y)


def _fast(reader: CSVReader) -> Batch | None:
    """Read numeric cells by NumPy's parser, six times faster; None if a cell is not a number."""
    o, target = reader.options, reader.target
    used = sorted([*reader.features, *([] if target is None else [target])])
    if used != list(range(len(reader.names))) or not (reader.data or b"").strip():
        return None  # NumPy would not check the other columns
    coded: Any = {target: lambda cell: reader.indices[cell.strip()]} if target is not None and o.classes else None
    try:
        rows = np.loadtxt(
            reader.opened(), np.float64, comments=None, delimiter=o.delimiter, converters=coded, ndmin=2, quotechar='"'
        )
    except (ValueError, KeyError, UnicodeError):
        return None
    if rows.shape[1] != len(reader.names) or not np.isfinite(rows).all():
        return None
    X = reader.as_dtype(rows[:, reader.features], [reader.names[i] for i in reader.features])
    if target is None:
        return (X,)
    y = rows[:, target]
    return X, y.astype(np.int64) if o.classes else reader.as_dtype(y, [reader.names[target]])
