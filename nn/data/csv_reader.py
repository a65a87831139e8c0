"""Tables of numbers from CSV files: strict about what is in a cell, exact about where it was not right."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import os
import zlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nn.checkpoint.files import FilePath
from nn.validation import checked_integer

__all__ = ["MISSING", "Lines", "Options", "Table", "read_csv", "read_csv_chunks"]

Array = np.ndarray[Any, Any]
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "?")


class Table(NamedTuple):
    r"""What a CSV file holds.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        The feature columns.
    y : ndarray, shape (n,), or None
        The target: class indices (int64) if `classes` were asked for, else numbers.
    columns : tuple of str
        Names of the feature columns; their numbers, from 1, if the file has no header.
    classes : tuple of str, or None
        What the class indices stand for.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "table.csv").write_text("a,b\n1,0\n2,1\n")
    ...     table = read_csv(Path(folder, "table.csv"), target="b")
    >>> table.columns, table.X.shape, table.y
    (('a',), (2, 1), array([0., 1.]))
    """

    X: Array
    y: Array | None
    columns: tuple[str, ...]
    classes: tuple[str, ...] | None


def read_csv(
    path: FilePath,
    target: str | int | None = None,
    *,
    columns: Sequence[str | int] | None = None,
    classes: bool | Sequence[str] = False,
    header: bool = True,
    skip_lines: int = 0,
    delimiter: str = ",",
    missing: Sequence[str] = MISSING,
    fill: float | str | None = None,
    dtype: Any = np.float64,
    encoding: str = "utf-8-sig",
) -> Table:
    r"""Read a CSV file, also a compressed one (``.gz``), as features and a target.

    Parameters
    ----------
    path : str or Path
        Where from.
    target : str or int, optional
        The column to predict: its name, or its position (from 0, or from the end as -1).
    columns : sequence of str or int, optional
        The feature columns; by default all but the target.
    classes : bool or sequence of str
        True codes the target as class indices, numbering the labels found in sorted order; a sequence gives the order.
    header : bool
        Whether the first line names the columns.
    skip_lines : int
        Lines before that, to be passed over, as blank lines are anywhere.
    delimiter : str
        What separates cells.  Spaces around a cell do not count.
    missing : sequence of str
        Cells that mean *no value*.
    fill : float or {'mean', 'median'}, optional
        What missing features become; nan is allowed.  By default they are refused.  A missing target always is.
    dtype : dtype
        Number type of `X` and of a target without classes; a number that it cannot hold is refused, not cut.
    encoding : str
        How text is coded; the default passes over a byte order mark.

    Returns
    -------
    Table
        ``X, y, columns, classes``.

    Raises
    ------
    ValueError
        If lines are of different length, a cell is no finite number, a value is missing, there are no rows, or the
        file is no such text; the message names file, line and column.
    KeyError
        If a column is not in the file.

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
    options = Options(target, columns, classes, header, skip_lines, delimiter, missing, fill, dtype, encoding)
    table = next(Lines(path, options).tables(None))
    if fill in ("mean", "median"):
        with np.errstate(all="ignore"):
            empty = np.isnan(table.X).all(0)
            if empty.any():
                raise ValueError(f"{os.fspath(path)}: column {table.columns[empty.argmax()]!r} has no value to fill by")
            middle = np.nanmean(table.X, 0) if fill == "mean" else np.nanmedian(table.X, 0)
        table = table._replace(X=np.where(np.isnan(table.X), middle, table.X).astype(dtype))
    return table


def read_csv_chunks(
    path: FilePath, target: str | int | None = None, rows: int = 65_536, **options: Any
) -> Iterator[Table]:
    r"""Read a CSV file of any size, some rows at a time.

    Parameters
    ----------
    path, target
        As in `read_csv`.
    rows : int
        Rows in a table; the last one may have fewer.
    **options
        As in `read_csv`; `classes` must be a sequence and `fill` a number, since nothing is known of later rows.

    Yields
    ------
    Table
        The next rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "numbers.csv"
    ...     _ = file.write_text("a,b\n" + "1,2\n" * 5)
    ...     [len(part.X) for part in read_csv_chunks(file, target="b", rows=2)]
    [2, 2, 1]
    """
    settings = Options(target, **options)
    settings.check_for_chunks()
    return Lines(path, settings).tables(checked_integer("read_csv", "rows", rows, 1))


class Options:
    """What `read_csv` was asked for, checked."""

    def __init__(
        self,
        target: str | int | None,
        columns: Sequence[str | int] | None = None,
        classes: bool | Sequence[str] = False,
        header: bool = True,
        skip_lines: int = 0,
        delimiter: str = ",",
        missing: Sequence[str] = MISSING,
        fill: float | str | None = None,
        dtype: Any = np.float64,
        encoding: str = "utf-8-sig",
    ) -> None:
        if not (isinstance(delimiter, str) and len(delimiter) == 1):
            raise ValueError(f"delimiter must be one character, not {delimiter!r}")
        if isinstance(fill, str) and fill not in ("mean", "median"):
            raise ValueError(f"fill must be a number, 'mean' or 'median', not {fill!r}")
        if classes and target is None:
            raise ValueError("classes were asked for without a target column")
        self.target: str | int | None = target
        self.columns: Sequence[str | int] | None = columns
        self.classes: Sequence[str] | bool = classes
        self.header: bool = header
        self.skip_lines: int = checked_integer("read_csv", "skip_lines", skip_lines, 0)
        self.delimiter: str = delimiter
        self.missing: tuple[str, ...] = tuple(missing)
        self.dtype: Any = dtype
        self.encoding: str = encoding
        self.fill = fill
        self.instead: float | int | None = (
            math.nan if isinstance(fill, str) else fill
        )  # what a missing cell becomes at once

    def check_for_chunks(self) -> None:
        """Refuse what needs the whole file at once."""
        if self.classes is True:
            raise ValueError(
                "in chunks, classes must be given, as in classes=['setosa', 'virginica']: later rows are unknown"
            )
        if isinstance(self.fill, str):
            raise ValueError(f"in chunks, fill must be a number, not {self.fill!r}: later rows are unknown")


class Lines:
    """One pass over a file, which knows where it stands."""

    def __init__(self, path: FilePath, options: Options) -> None:
        self.path: str = os.fspath(path)
        self.options: Options = options
        self.line: int = 0
        self.skip: int
        self.before: int
        self.skip = self.before = options.skip_lines  # what is passed over, and counted, before the first cell
        if not Path(path).is_file():
            raise FileNotFoundError(2, "there is no such CSV file", self.path)

    def tables(self, size: int | None) -> Iterator[Table]:
        """Yield tables of `size` rows, or all rows as one."""
        rows: Iterator[list[str]] = self.cells()
        first = next(rows, None)
        if first is None:
            raise ValueError(f"{self.path}: the file is empty")
        self.choose(first)
        if not self.options.header:
            rows = itertools.chain([first], rows)
        count = 0
        while chunk := list(itertools.islice(self.parsed(rows), size)):
            count += len(chunk)
            yield self.table(chunk)
            if size is None:
                break
        if count == 0:
            raise ValueError(f"{self.path}: there are no rows after line {self.line}")

    def cells(self) -> Generator[list[str], None, None]:
        """Yield the cells of every line that is not blank."""
        o = self.options
        try:
            with self.opened() as file:
                for _ in range(self.skip):
                    file.readline()
                reader = csv.reader(file, delimiter=o.delimiter, skipinitialspace=True, strict=True)
                for row in reader:
                    self.line = reader.line_num + self.before
                    if len(row) > 1 or (row and row[0].strip()):
                        yield [cell.strip() for cell in row]
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.path}: after line {self.line}, this is not {o.encoding} text ({error.reason})"
            ) from None
        except csv.Error as error:
            raise ValueError(f"{self.path}: after line {self.line}: {error}") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{self.path}: after line {self.line}, the compressed file is damaged ({error})") from None

    def opened(self) -> Any:
        """Return the text to read."""
        opened: Any = gzip.open if Path(self.path).suffix == ".gz" else open
        return opened(self.path, "rt", encoding=self.options.encoding, newline="")

    def choose(self, first: list[str]) -> None:
        """Find the columns, given the first line."""
        o = self.options
        if o.header and all(_number(cell) is not None for cell in first):
            raise self.fault("this line holds numbers, not names of columns; pass header=False")
        self.names: list[str] = first if o.header else [str(i + 1) for i in range(len(first))]
        self.target: int | None = None if o.target is None else self.place(o.target)
        given = [i for i in range(len(first)) if i != self.target] if o.columns is None else map(self.place, o.columns)
        self.features: list[int] = list(given)
        if not self.features:
            raise self.fault("no feature column is left beside the target")
        classes = () if isinstance(o.classes, bool) else o.classes
        self.indices: dict[str, int] = {str(label): i for i, label in enumerate(classes)}

    def place(self, column: str | int) -> int:
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

    def parsed(self, rows: Iterator[list[str]]) -> Iterator[tuple[list[float], Any]]:
        """Yield numbers and target of every line."""
        width, features, target = len(self.names), self.features, self.target
        for row in rows:
            if len(row) != width:
                raise self.fault(f"this line has {len(row)} cells, and the first one has {width}")
            numbers = [_number(row[i]) for i in features]
            if None in numbers:
                numbers = [self.number(row, i) for i in features]
            yield numbers, None if target is None else self.wanted(row, target)  # type: ignore[misc]

    def number(self, row: list[str], i: int) -> float:
        """Return a cell that is not plainly a number: filled, or an error."""
        cell, number = row[i], _number(row[i])
        if number is not None:
            return number
        if cell in self.options.missing:
            if self.options.instead is None or i == self.target:
                hint = "give fill= a number, 'mean' or 'median'" if i != self.target else "a target is never filled"
                raise self.fault(f"there is no value here ({cell!r}); {hint}", i)
            return self.options.instead
        if self.options.header is False and self.line == 1 + self.options.skip_lines:
            hint = "; is this a header? pass header=True"
        elif len(row) == 1 and (other := next((c for c in ";\t| ," if c in cell), None)):
            hint = f"; is the delimiter {other!r}?"
        elif i == self.target:
            hint = "; pass classes=True to code labels as class indices"
        else:
            hint = "; leave the column out by columns=[...]"
        raise self.fault(f"{cell[:40]!r} is not a finite number{hint}", i)

    def wanted(self, row: list[str], i: int) -> Any:
        """Return the target of a line: a number, or a label and then its index."""
        cell, classes = row[i], self.options.classes
        if classes is False:
            number = _number(cell)
            return self.number(row, i) if number is None else number
        if cell in self.options.missing and cell not in self.indices:
            raise self.fault(f"there is no value here ({cell!r}); a target is never filled", i)
        if classes is not True and cell not in self.indices:
            raise self.fault(f"{cell[:40]!r} is none of the classes {list(self.indices)[:10]}", i)
        return cell

    def table(self, rows: list[tuple[list[float], Any]]) -> Table:
        """Return parsed lines as arrays."""
        o, names = self.options, tuple(self.names[i] for i in self.features)
        X = self.typed(np.array([numbers for numbers, _ in rows]), names)
        if self.target is None:
            return Table(X, None, names, None)
        found = [wanted for _, wanted in rows]
        if o.classes is False:
            return Table(X, self.typed(np.array(found), (self.names[self.target],)), names, None)
        if o.classes is True:
            labels = set(found)
            by_value = all(_number(label) is not None for label in labels)
            self.indices = {label: i for i, label in enumerate(sorted(labels, key=float if by_value else None))}
        return Table(X, np.array([self.indices[label] for label in found], np.int64), names, tuple(self.indices))

    def typed(self, numbers: Array, names: Sequence[str]) -> Array:
        """Return numbers of columns as the type asked for, if it holds them."""
        with np.errstate(all="ignore"):
            found = np.ascontiguousarray(numbers, self.options.dtype)
        if found.dtype == numbers.dtype:
            return found
        lost = np.isfinite(numbers) & ~np.isfinite(found) if found.dtype.kind == "f" else found != numbers
        if lost.any():
            place = np.argwhere(lost)[0]
            name = names[place[-1] if numbers.ndim > 1 else 0]
            raise ValueError(
                f"{self.path}: column {name!r} holds {float(numbers[tuple(place)])!r}, which no {found.dtype} can be; "
                "give another dtype"
            )
        return found

    def fault(self, what: str, column: int | None = None) -> ValueError:
        """Return an error that names the place of a fault."""
        where = f"line {self.line}"
        if column is not None:
            name = f" ({self.names[column]!r})" if self.options.header else ""
            where += f", column {column + 1}{name}"
        return ValueError(f"{self.path}, {where}: {what}")


def _number(cell: str) -> float | None:
    """Return the finite number that a cell spells, or None; 1_000 is a name to everybody but Python."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in cell else None
