"""Read CSV files: split them into cells, convert cells to arrays, and name file, line and column in every error."""

import contextlib
import copy
import csv
import gzip
import io
import itertools
import math
import os
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from nn.files import existing_file
from nn.typing import Array, DType, FilePath
from nn.validation import checked_integer

from .notation import MISSING, class_indices, parse_number

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
    missing: Sequence[str] = MISSING, fill: float | str | None = None, dtype: DType = np.float64,
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
    fill : float or {'mean', 'median'}, optional
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
    options = CSVOptions(
        target, columns=columns, classes=classes, header=header, skip_lines=skip_lines, delimiter=delimiter,
        missing=missing, fill=fill, dtype=dtype, encoding=encoding,
    )  # fmt: skip
    table = next(CSVReader(path, options).tables(None))
    if fill in ("mean", "median"):
        with np.errstate(all="ignore"):
            empty = np.isnan(table.X).all(0)
            if empty.any():
                name = table.columns[int(empty.argmax())]
                raise ValueError(f"{os.fspath(path)}: column {name!r} has no value to compute fill from")
            middle = np.nanmean(table.X, 0) if fill == "mean" else np.nanmedian(table.X, 0)
        table = table._replace(X=np.where(np.isnan(table.X), middle, table.X).astype(dtype))
    return table


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
        As in `read_csv`; `classes` must be a sequence and `fill` a number, since later rows are unknown.

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
    checked = CSVOptions(target, **options)
    checked.require_chunks()
    return CSVReader(path, checked).tables(checked_integer("read_csv_chunks", "rows", rows, 1))


@dataclass(frozen=True)
class CSVOptions:
    """The arguments of `read_csv`, checked."""

    target: str | int | None = None
    _: KW_ONLY
    columns: Sequence[str | int] | None = None
    classes: bool | Sequence[str] = False
    header: bool = True
    skip_lines: int = 0
    delimiter: str = ","
    missing: Sequence[str] = MISSING
    fill: float | str | None = None
    dtype: DType = np.float64
    encoding: str = "utf-8-sig"

    def __post_init__(self) -> None:
        if not (isinstance(self.delimiter, str) and len(self.delimiter) == 1):
            raise ValueError(f"delimiter must be one character, not {self.delimiter!r}")
        if isinstance(self.fill, str) and self.fill not in ("mean", "median"):
            raise ValueError(f"fill must be a number, 'mean' or 'median', not {self.fill!r}")
        if self.classes and self.target is None:
            raise ValueError("classes needs a target column: pass target=")
        checked_integer("read_csv", "skip_lines", self.skip_lines, 0)

    def require_chunks(self) -> None:
        """Raise if an option needs all rows at once."""
        if self.classes is True:
            raise ValueError("in chunks, classes must be given, as in classes=['a', 'b']: later rows are unknown")
        if isinstance(self.fill, str):
            raise ValueError(f"in chunks, fill must be a number, not {self.fill!r}: later rows are unknown")


class CSVReader:
    """Split a file into rows of cells and convert them; `line` is the line of the row read last."""

    def __init__(self, path: FilePath, options: CSVOptions, data: str | None = None, quote: str = '"') -> None:
        self.path: str = os.fspath(existing_file(path, "CSV file") if data is None else path)
        self.options: CSVOptions = options
        self.quote: str = quote
        self.data: bytes | str | None = data  # instead of the file
        self.missing: set[str] = {word.lower() for word in options.missing}
        self.line: int = 0
        self.skipped: int = options.skip_lines  # lines above the first row
        self.fill: float | None = math.nan if isinstance(options.fill, str) else options.fill

    def reading(self, data: bytes, skipped: int) -> Self:
        """Return a reader of some bytes of the same file, with so many lines above them."""
        other = copy.copy(self)
        other.data, other.skipped = data, skipped
        return other

    def opened(self) -> Any:
        """Return the text to read."""
        if isinstance(self.data, str):
            return io.StringIO(self.data, newline="")
        if self.data is not None:
            return io.TextIOWrapper(io.BytesIO(self.data), self.options.encoding, newline="")
        opened: Any = gzip.open if Path(self.path).suffix.lower() == ".gz" else open
        return opened(self.path, "rt", encoding=self.options.encoding, newline="")

    def cells(self) -> Generator[list[str], None, None]:
        """Yield the cells of every line that is not blank."""
        o = self.options
        try:
            with self.opened() as file:
                for _ in range(0 if self.data is not None else self.skipped):
                    file.readline()
                reader = csv.reader(
                    file, delimiter=o.delimiter, quotechar=self.quote, skipinitialspace=True, strict=True
                )
                for row in reader:
                    self.line = reader.line_num + self.skipped
                    if o.delimiter == " " and len(row) > 1 and not row[-1]:
                        row.pop()  # a space before the end of the line
                    if len(row) > 1 or (row and row[0].strip()):
                        yield [cell.strip() for cell in row]
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path}: line {self.line + 1} is not {o.encoding} text ({error.reason})") from None
        except csv.Error as error:
            raise ValueError(f"{self.path}: after line {self.line}: {error}") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{self.path}: after line {self.line}, the compressed file is damaged ({error})") from None

    def tables(self, size: int | None) -> Iterator[Table]:
        """Yield tables of `size` rows, or all rows as one."""
        rows = self.cells()
        first = next(rows, None)
        if first is None:
            raise ValueError(f"{self.path}: the file is empty")
        self.choose(first)
        parts = self.parts(rows if self.options.header else itertools.chain([first], rows), size or ROWS)
        start = next(parts, None)
        if start is None:
            raise ValueError(f"{self.path}: the file has no rows after line {self.line}")
        if size is None:
            yield self.table([start, *parts])
        else:
            yield from (self.table([part]) for part in itertools.chain([start], parts))

    def parts(self, rows: Iterable[list[str]], size: int = ROWS) -> Iterator[Part]:
        """Yield features and targets of so many rows at a time."""
        numbered = ((self.line, row) for row in rows)
        while chunk := list(itertools.islice(numbered, size)):
            yield self.part(chunk)

    def choose(self, first: list[str]) -> None:
        """Determine the columns from the first line."""
        o = self.options
        if o.header and all(parse_number(cell) is not None for cell in first):
            raise self.fault("a numeric line cannot be a header; pass header=False", self.line)
        self.names: list[str] = first if o.header else [str(i + 1) for i in range(len(first))]
        self.target: int | None = None if o.target is None else self.position(o.target)
        self.features: list[int] = (
            [i for i in range(len(first)) if i != self.target]
            if o.columns is None
            else [self.position(column) for column in o.columns]
        )
        if not self.features:
            raise self.fault("no feature column is left beside the target", self.line)
        classes = () if isinstance(o.classes, bool) else o.classes
        self.indices: dict[str, int] = {str(label): i for i, label in enumerate(classes)}

    def position(self, column: str | int) -> int:
        """Return the position of a column."""
        if isinstance(column, str):
            count = self.names.count(column) if self.options.header else 0
            if count != 1:
                what = "has no header" if not self.options.header else f"has {count or 'no'} columns {column!r}"
                raise KeyError(f"{self.path} {what}; its columns are {self.names}")
            return self.names.index(column)
        if not -len(self.names) <= column < len(self.names):
            raise KeyError(f"{self.path} has {len(self.names)} columns, and none at position {column}")
        return column % len(self.names)

    def part(self, rows: Sequence[Line]) -> Part:
        """Return the features and the targets of lines: an array, with classes the labels, or None."""
        width, target, classes = len(self.names), self.target, self.options.classes
        for line, row in rows:
            if len(row) != width:
                raise self.fault(f"this line has {len(row)} cells, and the first one has {width}", line)
        features = self.numbers(rows, self.features)
        if target is None:
            return features, None
        if classes is False:
            return features, self.numbers(rows, [target])[:, 0]
        for line, row in rows:
            cell = row[target]
            if cell.lower() in self.missing and cell not in self.indices:
                raise self.fault(f"the value is missing ({cell!r}); a target is never filled", line, target)
            if classes is not True and cell not in self.indices:
                raise self.fault(f"{cell[:40]!r} is none of the classes {list(self.indices)[:10]}", line, target)
        return features, [row[target] for _, row in rows]

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
        if cell.lower() in self.missing:
            if self.fill is None or i == self.target:
                hint = "pass fill= a number, 'mean' or 'median'" if i != self.target else "a target is never filled"
                raise self.fault(f"the value is missing ({cell!r}); {hint}", line, i)
            return self.fill
        if self.options.header is False and line == 1 + self.options.skip_lines:
            hint = "; is this a header? pass header=True"
        elif len(row) == 1 and (other := next((c for c in ";\t| ," if c in cell), None)):
            hint = f"; is the delimiter {other!r}?"
        elif i == self.target:
            hint = "; pass classes=True to encode labels as class indices"
        else:
            hint = "; leave the column out by columns=[...]"
        raise self.fault(f"{cell[:40]!r} is not a finite number{hint}", line, i)

    def table(self, parts: Sequence[Part]) -> Table:
        """Return parts of a file as one table."""
        o, names = self.options, tuple(self.names[i] for i in self.features)
        X = self.as_dtype(np.concatenate([features for features, _ in parts]), names)
        if self.target is None:
            return Table(X, None, names, None)
        if o.classes is False:
            y = np.concatenate([np.asarray(target) for _, target in parts])
            return Table(X, self.as_dtype(y, (self.names[self.target],)), names, None)
        found = [label for _, target in parts if target is not None for label in target]
        labels, indices = class_indices(found) if o.classes is True else ([*self.indices], self.indices)
        return Table(X, np.array([indices[label] for label in found], np.int64), names, tuple(labels))

    def as_dtype(self, values: Array, names: Sequence[str]) -> Array:
        """Return the values of columns in the requested dtype, if it can represent them."""
        with np.errstate(all="ignore"):
            found = np.ascontiguousarray(values, self.options.dtype)
        if found.dtype == values.dtype:
            return found
        lost = np.isfinite(values) & ~np.isfinite(found) if found.dtype.kind == "f" else found != values
        if lost.any():
            place = np.argwhere(lost)[0]
            name = names[place[-1] if values.ndim > 1 else 0]
            value = float(values[tuple(place)])
            raise ValueError(f"{self.path}: column {name!r} contains {value!r}, which {found.dtype} cannot represent")
        return found

    def fault(self, what: str, line: int, column: int | None = None) -> ValueError:
        """Return an error that names file, line and column."""
        where = f"line {line}"
        if column is not None:
            name = f" ({self.names[column]!r})" if self.options.header else ""
            where += f", column {column + 1}{name}"
        return ValueError(f"{self.path}, {where}: {what}")
