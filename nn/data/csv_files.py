"""Read CSV files of known structure as arrays, whole or in chunks of rows; errors name file, line and column."""

import contextlib
import csv
import gzip
import itertools
import os
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd.files import existing_file, replacing
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
    >>> from pathlib import Path
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
    return reader.table(list(reader.parts()))


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
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "table.csv"
    ...     _ = file.write_text("a,b\n" + "1,2\n" * 5)
    ...     [len(part.X) for part in read_csv_chunks(file, target="b", rows=2)]
    [2, 2, 1]
    """
    reader = CSVReader(path, target, **options)
    if reader.classes is True:
        raise ValueError("in chunks, classes must be given, as in classes=['a', 'b']: later rows are unknown")
    parts = reader.parts(checked_integer("read_csv_chunks", "rows", rows, 1))
    return (reader.table([part]) for part in parts)


def csv_to_npy(
    path: FilePath, *files: FilePath, target: str | int | None = None, rows: int = ROWS, **options: Any
) -> int:
    r"""Convert a CSV file of any size to ``.npy`` files in chunks of rows, for `MappedDataset`.

    Parameters
    ----------
    path : str or Path
        The CSV file.
    *files : str or Path
        The file of the features, and with a target a second one.
    target, rows, **options
        As in `read_csv_chunks`.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    ValueError
        If the number of files does not match, or the table is invalid; existing files are unchanged then.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "table.csv").write_text("a,b\n" + "1,2\n" * 5)
    ...     csv_to_npy(f"{folder}/table.csv", f"{folder}/x.npy", f"{folder}/y.npy", target="b", rows=2)
    ...     np.load(f"{folder}/x.npy").shape
    5
    (5, 1)
    """
    if len(files) != 1 + (target is not None):
        what = f"{len(files)} files and target={target!r}"
        raise ValueError(f"the features are written to one file, and a target to a second; got {what}")
    if wrong := [os.fspath(file) for file in files if not os.fspath(file).endswith(".npy")]:
        raise ValueError(f"csv_to_npy writes files that end in .npy, got {wrong[0]!r}")
    count = 0
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(replacing(file)) for file in files]
        for table in read_csv_chunks(path, target, rows, **options):
            parts = [part for part in (table.X, table.y) if part is not None]
            count += len(table.X)
            for file, part in zip(opened, parts, strict=True):
                shape = (count, *part.shape[1:])  # the header has room for a larger number of rows
                header = {"descr": np.lib.format.dtype_to_descr(part.dtype), "fortran_order": False, "shape": shape}
                file.seek(0)
                np.lib.format.write_array_header_1_0(file, header)
                file.seek(0, os.SEEK_END)
                file.write(part.tobytes())
    return count


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

    def lines(self) -> Generator[Line, None, None]:
        """Iterate over the lines of the file that are not blank."""
        opened: Any = gzip.open if self.name.lower().endswith(".gz") else open
        with opened(self.path, "rt", encoding=self.encoding, newline="") as file:
            lines = itertools.islice(file, self.skip_lines, None)
            yield from split_lines(lines, self.name, self.delimiter, above=self.skip_lines)

    def parts(self, size: int = ROWS) -> Iterator[Part]:
        """Iterate over the features and targets of so many rows at a time; raise ValueError if there are no rows."""
        lines = self.lines()
        last = next(lines)[0] if self.header else 0
        first = next(lines, None)
        if first is None:
            raise ValueError(f"{self.name}: the file has no rows after line {last}")
        rows = itertools.chain([first], lines)
        return map(self.part, iter(lambda: list(itertools.islice(rows, size)), []))

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
