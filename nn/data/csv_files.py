"""Read CSV files of known structure as arrays, whole or in blocks of rows; errors name file, line and column."""

import contextlib
import csv
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd.files import replacing
from nn.files import existing_file
from nn.typing import Array, Batch, DType, FilePath
from nn.validation import checked_integer

from .dataset import BatchDataset
from .mapped import shard_of
from .notation import MISSING, class_indices, parse_number
from .sampler import BlockSampler

ROWS = 1024  # that are converted together: text takes much more memory than values
Line: TypeAlias = tuple[int, list[str]]  # its number, and its cells
Part: TypeAlias = tuple[Array, Array | list[str] | None]  # features and targets of some lines

csv.field_size_limit(2**31 - 1)  # by default, cells of more than 131,072 characters are an error


class Table(NamedTuple):
    r"""The contents of a CSV file as arrays.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        The feature columns.
    y : ndarray, shape (n,), or None
        The target: class indices (int64) with `classes`, else floats.
    columns : tuple of str
        Names of the feature columns; their positions, from 1, without a header.
    classes : tuple of str, or None
        The labels that the class indices refer to.

    Examples
    --------
    >>> Table(np.ones((2, 1)), None, ("a",), None).columns
    ('a',)
    """

    X: Array
    y: Array | None
    columns: tuple[str, ...]
    classes: tuple[str, ...] | None


def read_csv(
    path: FilePath, target: str | int | None = None, *, columns: Sequence[str | int] | None = None,
    classes: bool | Sequence[str] = False, header: bool = True, skip_lines: int = 0, delimiter: str = ",",
    missing: Sequence[str] = MISSING, fill: float | None = None, dtype: DType = np.float64,
    encoding: str = "utf-8-sig",
) -> Table:  # fmt: skip
    r"""Read a CSV file, also a compressed one (``.gz``), as features and a target.

    Parameters
    ----------
    path : str or Path
        The file.
    target : str or int, optional
        The column to predict: its name, or its position (from 0, or from the end as -1).
    columns : sequence of str or int, optional
        The feature columns; by default all but the target.
    classes : bool or sequence of str
        True encodes the target as class indices in the sorted order of its labels; a sequence determines the order.
    header : bool
        Whether the first line names the columns.
    skip_lines : int
        Lines to skip before that.  Blank lines are skipped everywhere.
    delimiter : str
        The character between cells.  Spaces around a cell are removed.
    missing : sequence of str
        Cells that stand for a missing value, in upper or lower case.
    fill : float, optional
        The replacement of missing features; nan is allowed.  By default they are an error.  A missing target always is.
    dtype : dtype
        The dtype of `X` and of a target without classes; a value that it cannot represent is an error.
    encoding : str
        The text encoding; the default skips a byte order mark.

    Returns
    -------
    Table
        ``X, y, columns, classes``.

    Raises
    ------
    ValueError
        If lines differ in length, a cell is not a finite number, a value is missing, the file has no rows or is not
        text in this encoding; the message names file, line and column.
    KeyError
        If the file does not have a column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "cats.csv"
    ...     _ = file.write_text("weight,age,kind\n4.5,2,tabby\n3.0,,siam\n")
    ...     table = read_csv(file, target="kind", classes=True, fill=0.0)
    >>> table.X
    array([[4.5, 2. ],
           [3. , 0. ]])
    >>> table.y, table.classes
    (array([1, 0]), ('siam', 'tabby'))
    """
    reader = CSVReader(
        path, target, columns=columns, classes=classes, header=header, skip_lines=skip_lines, delimiter=delimiter,
        missing=missing, fill=fill, dtype=dtype, encoding=encoding,
    )  # fmt: skip
    return reader.table(list(reader.parts(reader.rows())))


def read_csv_chunks(
    path: FilePath, target: str | int | None = None, rows: int = 65_536, **options: Any
) -> Iterator[Table]:
    r"""Read a CSV file of any size in chunks of rows.

    Parameters
    ----------
    path, target
        As in `read_csv`.
    rows : int
        Rows in a table; the last one may have fewer.
    **options
        As in `read_csv`; `classes` must be a sequence, since later rows are unknown.

    Yields
    ------
    Table
        The next rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "table.csv"
    ...     _ = file.write_text("a,b\n" + "1,2\n" * 5)
    ...     [len(part.X) for part in read_csv_chunks(file, target="b", rows=2)]
    [2, 2, 1]
    """
    reader = CSVReader(path, target, **options)
    reader.require_chunks()
    parts = reader.parts(reader.rows(), checked_integer("read_csv_chunks", "rows", rows, 1))
    return (reader.table([part]) for part in parts)


@dataclass
class CSVReader:
    """The arguments of `read_csv`, the columns of the file, and the conversion of its lines to arrays."""

    path: FilePath
    target: str | int | None = None
    _: KW_ONLY
    columns: Sequence[str | int] | None = None
    classes: bool | Sequence[str] = False
    header: bool = True
    skip_lines: int = 0
    delimiter: str = ","
    missing: Sequence[str] = MISSING
    fill: float | None = None
    dtype: DType = np.float64
    encoding: str = "utf-8-sig"

    def __post_init__(self) -> None:
        existing_file(self.path, "CSV file")
        if self.classes and self.target is None:
            raise ValueError("classes needs a target column: pass target=")
        checked_integer("read_csv", "skip_lines", self.skip_lines, 0)
        self.name: str = os.fspath(self.path)
        self.absent: set[str] = {word.lower() for word in self.missing}
        with contextlib.closing(self.lines()) as lines:
            line, first = next(lines, (0, list[str]()))
        if not first:
            raise ValueError(f"{self.name}: the file is empty")
        if self.header and all(parse_number(cell) is not None for cell in first):
            raise ValueError(f"{self.name}, line {line}: a numeric line cannot be a header; pass header=False")
        self.names: list[str] = first if self.header else [str(i + 1) for i in range(len(first))]
        self.y: int | None = None if self.target is None else self.position(self.target)
        others = [i for i in range(len(first)) if i != self.y]
        self.features: list[int] = others if self.columns is None else [self.position(c) for c in self.columns]
        if not self.features:
            raise ValueError(f"{self.name}, line {line}: no feature column is left beside the target")
        classes = () if isinstance(self.classes, bool) else self.classes
        self.indices: dict[str, int] = {str(label): i for i, label in enumerate(classes)}

    def require_chunks(self) -> None:
        """Raise if an option needs all rows at once."""
        if self.classes is True:
            raise ValueError("in chunks, classes must be given, as in classes=['a', 'b']: later rows are unknown")

    def position(self, column: str | int) -> int:
        """Return the position of a column."""
        if isinstance(column, str):
            count = self.names.count(column) if self.header else 0
            if count != 1:
                what = f"has {count or 'no'} columns {column!r}" if self.header else "has no header"
                raise KeyError(f"{self.name} {what}; its columns are {self.names}")
            return self.names.index(column)
        if not -len(self.names) <= column < len(self.names):
            raise KeyError(f"{self.name} has {len(self.names)} columns, and none at position {column}")
        return column % len(self.names)

    def lines(self, data: bytes | None = None, above: int = 0) -> Iterator[Line]:
        """Iterate over the lines of the file, or of some bytes of it with so many lines above them."""
        skip = self.skip_lines if data is None else 0
        with self._opened(data) as file:
            yield from split_lines(itertools.islice(file, skip, None), self.name, self.delimiter, above=skip + above)

    def _opened(self, data: bytes | None) -> Any:
        if data is not None:
            return io.TextIOWrapper(io.BytesIO(data), self.encoding, newline="")
        opened: Any = gzip.open if self.name.lower().endswith(".gz") else open
        return opened(self.path, "rt", encoding=self.encoding, newline="")

    def rows(self) -> Iterator[Line]:
        """Iterate over the lines below the header; raise ValueError if there are none."""
        lines = self.lines()
        last = next(lines)[0] if self.header else 0
        first = next(lines, None)
        if first is None:
            raise ValueError(f"{self.name}: the file has no rows after line {last}")
        return itertools.chain([first], lines)

    def parts(self, rows: Iterable[Line], size: int = ROWS) -> Iterator[Part]:
        """Iterate over the features and targets of so many rows at a time."""
        rows = iter(rows)
        while chunk := list(itertools.islice(rows, size)):
            yield self.part(chunk)

    def part(self, rows: Sequence[Line]) -> Part:
        """Return the features and the targets of lines: an array, with classes the labels, or None."""
        for line, row in rows:
            if len(row) != len(self.names):
                count = f"{len(row)} cells, and the first one has {len(self.names)}"
                raise ValueError(f"{self.name}, line {line}: this line has {count}")
        features = self.numbers(rows, self.features)
        if self.y is None:
            return features, None
        if self.classes is False:
            return features, self.numbers(rows, [self.y])[:, 0]
        for line, row in rows:
            cell = row[self.y]
            if cell.lower() in self.absent and cell not in self.indices:
                raise self.fault(f"the value is missing ({cell!r}); a target is never filled", line, self.y)
            if self.classes is not True and cell not in self.indices:
                raise self.fault(f"{cell[:40]!r} is none of the classes {list(self.indices)[:10]}", line, self.y)
        return features, [row[self.y] for _, row in rows]

    def numbers(self, rows: Sequence[Line], columns: Sequence[int]) -> Array:
        """Return the values of some columns: by NumPy's conversion, or where it fails cell by cell."""
        cells = [[row[i] for i in columns] for _, row in rows]
        with contextlib.suppress(ValueError):
            values = np.array(cells, np.float64).reshape(len(rows), len(columns))
            if np.isfinite(values).all() and not any("_" in "".join(row) for row in cells):
                return values
        return np.array([[self.number(line, row, i) for i in columns] for line, row in rows])

    def number(self, line: int, row: list[str], i: int) -> float:
        """Return the value of a cell, or of `fill` if it is missing."""
        cell, number = row[i], parse_number(row[i])
        if number is not None:
            return number
        if cell.lower() in self.absent:
            if self.fill is None or i == self.y:
                hint = "a target is never filled" if i == self.y else "pass fill= a number or nan"
                raise self.fault(f"the value is missing ({cell!r}); {hint}", line, i)
            return self.fill
        hint = "pass classes=True to encode labels" if i == self.y else "leave the column out by columns=[...]"
        raise self.fault(f"{cell[:40]!r} is not a finite number; {hint}", line, i)

    def table(self, parts: Sequence[Part]) -> Table:
        """Return parts of a file as one table."""
        names = tuple(self.names[i] for i in self.features)
        X = self.as_dtype(np.concatenate([features for features, _ in parts]), names)
        if self.y is None:
            return Table(X, None, names, None)
        if self.classes is False:
            y = np.concatenate([np.asarray(target) for _, target in parts])
            return Table(X, self.as_dtype(y[:, None], [self.names[self.y]])[:, 0], names, None)
        found = [label for _, target in parts if target is not None for label in target]
        labels, indices = class_indices(found) if self.classes is True else ([*self.indices], self.indices)
        return Table(X, np.array([indices[label] for label in found], np.int64), names, tuple(labels))

    def as_dtype(self, values: Array, names: Sequence[str]) -> Array:
        """Return the values of columns in the requested dtype, if it can represent them."""
        with np.errstate(all="ignore"):
            found = np.ascontiguousarray(values, self.dtype)
        lost = np.isfinite(values) & ~np.isfinite(found) if found.dtype.kind == "f" else found != values
        if lost.any():
            row, column = np.argwhere(lost)[0]
            what = f"contains {float(values[row, column])!r}, which {found.dtype} cannot represent"
            raise ValueError(f"{self.name}: column {names[column]!r} {what}")
        return found

    def fault(self, what: str, line: int, column: int) -> ValueError:
        """Return an error that names file, line and column."""
        name = f" ({self.names[column]!r})" if self.header else ""
        return ValueError(f"{self.name}, line {line}, column {column + 1}{name}: {what}")


def split_lines(
    file: Iterable[str], path: str, delimiter: str = ",", quote: str = '"', above: int = 0
) -> Iterator[Line]:
    """Iterate over numbers and cells of the lines of a text that are not blank.

    Parameters
    ----------
    file : iterable of str
        The text, line by line.
    path : str
        Its name in errors.
    delimiter, quote : str
        The character between cells, and the one around a cell that contains it.
    above : int
        The number of lines above the text.

    Raises
    ------
    ValueError
        If the text cannot be decoded or split, after the line named in the message.
    """
    if len(delimiter) != 1:
        raise ValueError(f"delimiter must be one character, not {delimiter!r}")
    reader = csv.reader(file, delimiter=delimiter, quotechar=quote, skipinitialspace=True, strict=True)
    line = above
    try:
        for row in reader:
            line = reader.line_num + above
            if delimiter == " " and len(row) > 1 and not row[-1]:
                row.pop()  # a space before the end of the line
            if len(row) > 1 or (row and row[0].strip()):
                yield line, [*map(str.strip, row)]
    except (UnicodeError, csv.Error) as error:
        raise ValueError(f"{path}: after line {line}: {error}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: after line {line}, the compressed file is damaged ({error})") from None


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
        As for `read_csv`; `classes` must be a sequence, since rows are read in parts.

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
        self._reader = CSVReader(path, target, **options)
        self._reader.require_chunks()
        self.path: Path = Path(path)
        self.keep: int = checked_integer("CSVDataset", "keep", keep, 1)
        header, skipped, encoding = self._reader.header, self._reader.skip_lines, self._reader.encoding
        self.index: CSVIndex = index or index_csv(path, block, header=header, skip_lines=skipped, encoding=encoding)
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
            parts = self._block(number)
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

    def _block(self, number: int) -> Batch:
        """Return a block from the cache, whose order is that of their use."""
        block = self._kept.pop(number, None)
        if block is None:
            while len(self._kept) >= self.keep:
                del self._kept[next(iter(self._kept))]
            block = self._read(number)
        self._kept[number] = block
        return block

    def _read(self, number: int) -> Batch:
        begin, end = (int(n) for n in self.index.offsets[number : number + 2])
        with self.path.open("rb") as file:
            file.seek(begin)
            data = file.read(end - begin)
        above = int(self.index.lines[number])
        parts = list(self._reader.parts(self._reader.lines(data, above)))
        found = sum(len(features) for features, _ in parts)
        wanted = min(self.index.block, self.index.rows - number * self.index.block)
        if found != wanted:
            raise ValueError(
                f"{self.path}, from line {above + 1} on: {wanted} rows were indexed, but {found} found; "
                "did the file change, or do cells contain quotes?"
            )
        table = self._reader.table(parts)
        return (table.X,) if table.y is None else (table.X, table.y)
