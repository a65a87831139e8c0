"""A CSV file of any size as a data set: blocks of rows are read when they are dealt, and few are kept."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint.files import FilePath, replacing
from nn.validation import checked_integer

from .csv_index import CSVIndex, index_csv
from .csv_reader import Lines, Options
from .dataset import Batch, Dataset, as_batch, as_rows
from .mapped import shard_of
from .sampler import BlockSampler

__all__ = ["CSVDataset"]

Array = np.ndarray[Any, Any]


class CSVDataset(Dataset):
    r"""The rows of a CSV file, read block by block as they are dealt.

    Parameters
    ----------
    path : str or Path
        The file, as for `read_csv`, but not a compressed one.
    target : str or int, optional
        The column to predict.
    shard : (int, int)
        Rank and size: this set is only that one of so many consecutive parts, and no other row is looked into.
    block : int
        Rows that are read together.
    keep : int
        Blocks that are kept in memory, and mixed with one another by ``DataLoader(..., shuffle=True)``.
    index : CSVIndex, optional
        Where rows stand, found by `index_csv` on another rank; then nothing outside of the shard is read at all.
    transform : callable, optional
        Called with the arrays of a batch, returns those to deal: ``lambda x, y: (scale(x), y)``.
    **options
        As for `read_csv`; `classes` must be a sequence and `fill` a number, since not all rows are known at once.

    Attributes
    ----------
    columns : tuple of str
        Names of the feature columns.
    classes : tuple of str or None
        What class indices stand for.
    index : CSVIndex
        Where rows stand.

    Raises
    ------
    ValueError
        If the file holds no rows, and when a batch is dealt, if one of its cells is not as `read_csv` wants it; the
        message names file, line and column.

    Notes
    -----
    Shuffling is by `BlockSampler`: each block is read once in an epoch.  In another order, every batch reads the
    blocks it needs.  To train for many epochs, write the numbers to ``.npy`` files once (`to_npy`) and deal them from
    a `MappedDataset`.

    Examples
    --------
    >>> import tempfile
    >>> from nn.data import DataLoader
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "numbers.csv"
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
        self.options: Options = Options(target, **options)
        o = self.options
        o.check_for_chunks()
        self.keep: int = checked_integer("CSVDataset", "keep", keep, 1)
        self.index: CSVIndex = index or index_csv(
            path, block, header=o.header, skip_lines=o.skip_lines, encoding=o.encoding
        )  # also refuses what cannot be read in parts
        self._head = Lines(path, o)
        with contextlib.closing(self._head.cells()) as cells:
            self._head.choose(next(cells))
        self.columns: tuple[str, ...] = tuple(self._head.names[i] for i in self._head.features)
        self.classes: tuple[str, ...] | None = tuple(self._head.indices) or None
        self._rows = shard_of(self.index.rows, shard)
        self.shard: tuple[int, int] = (int(shard[0]), int(shard[1]))
        self.transform = transform
        self._kept: dict[int, Batch] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Batch:
        """Return a row, or the rows of a slice or index array."""
        if isinstance(index, slice):
            return self.batch(np.arange(len(self))[index])
        if isinstance(index, int | np.integer):
            return tuple([part[0] for part in self.batch(np.array([range(len(self))[index]]))])
        return self.batch(as_rows(index, len(self), "CSVDataset"))

    def batch(self, rows: Any) -> Batch:
        """Return some rows: features, and the target if there is one."""
        places = np.asarray(rows) + self._rows.start
        which = places // self.index.block
        needed = sorted(set(which.tolist()), key=lambda b: b not in self._kept)  # first what is there, before it goes
        out: list[Array] = []
        for number in needed:
            parts = self._block(number)
            if not out:
                out = [np.empty((len(places), *part.shape[1:]), part.dtype) for part in parts]
            here = np.flatnonzero(which == number)
            for whole, part in zip(out, parts, strict=True):
                whole[here] = part[places[here] - number * self.index.block]
        if not needed:
            return tuple(part[:0] for part in self.batch(np.zeros(1, np.intp)))
        return tuple(out) if self.transform is None else as_batch(self.transform(*out))

    def random_sampler(self) -> BlockSampler:
        """Return the order for ``DataLoader(..., shuffle=True)``, which reads each block once."""
        block = self.index.block
        return BlockSampler(len(self), block, self.keep, offset=self._rows.start % block)

    def to_npy(self, *paths: FilePath) -> None:
        """Write features, and the target if there is one, to ``.npy`` files, a block at a time.

        Parameters
        ----------
        *paths : str or Path
            One file for each.
        """
        first = self.batch(np.zeros(1, np.intp))
        if len(paths) != len(first):
            raise ValueError(f"give {len(first)} files, one for each of features and target, not {len(paths)}")
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

    def _block(self, number: int) -> Batch:
        """Return the arrays of a block; the one that was asked for longest ago makes room."""
        parts = self._kept.pop(number, None)
        if parts is None:
            while len(self._kept) >= self.keep:
                del self._kept[next(iter(self._kept))]
            parts = self._read(number)
        self._kept[number] = parts
        return parts

    def _read(self, number: int) -> Batch:
        begin, end = (int(n) for n in self.index.offsets[number : number + 2])
        with self.path.open("rb") as file:
            file.seek(begin)
            data = file.read(end - begin)
        lines = _Block(self._head, data, int(self.index.lines[number]))
        parts = lines.fast() or lines.strict()
        wanted = min(self.index.block, self.index.rows - number * self.index.block)
        if len(parts[0]) != wanted:
            raise ValueError(
                f"{self.path}, from line {lines.before + 1} on: {wanted} rows were found at first, and {len(parts[0])} "
                "now; was the file changed, or are there quotes within cells?"
            )
        return parts


class _Block(Lines):
    """Some bytes of a file, read as the whole would be."""

    def __init__(self, head: Lines, data: bytes, before: int) -> None:
        vars(self).update(vars(head))
        self.data, self.before, self.skip = data, before, 0

    def opened(self) -> Any:
        """Return the text of this block."""
        return io.TextIOWrapper(io.BytesIO(self.data), self.options.encoding, newline="")

    def strict(self) -> Batch:
        """Read cell by cell, which says what is wrong and where."""
        table = self.table(list(self.parsed(self.cells())))
        return (table.X,) if table.y is None else (table.X, table.y)

    def fast(self) -> Batch | None:
        """Read numbers by NumPy's parser, six times faster; None if there is anything else in the cells."""
        o, target = self.options, self.target
        used = sorted([*self.features, *([] if target is None else [target])])
        if used != list(range(len(self.names))) or not self.data.strip():
            return None  # NumPy would not look at the other columns
        coded: Any = {target: lambda cell: self.indices[cell.strip()]} if target is not None and o.classes else None
        try:
            rows = np.loadtxt(
                self.opened(), np.float64, comments=None, delimiter=o.delimiter, converters=coded, ndmin=2,
                quotechar='"',
            )  # fmt: skip
        except (ValueError, KeyError, UnicodeError):
            return None
        if rows.shape[1] != len(self.names) or not np.isfinite(rows).all():
            return None
        X = self.typed(rows[:, self.features], [self.names[i] for i in self.features])
        if target is None:
            return (X,)
        y = rows[:, target]
        return X, y.astype(np.int64) if o.classes else self.typed(y, [self.names[target]])
