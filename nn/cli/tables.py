"""Any table of numbers and words as an array of numbers: what a CSV file holds is found out, and remembered."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.data.csv_reader import MISSING

__all__ = ["CodedColumn", "Table", "code_columns", "encoded", "read_table"]

Array = np.ndarray[Any, Any]
DELIMITERS = ",;\t| "
MOST_LEVELS = 50  # different words in a column; each becomes a number of its own


@dataclass
class Table:
    """The cells of a file: names of columns, rows, and the line each row stands in."""

    path: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    headed: bool
    labels: list[str] | None = None  # words for the classes of the last column, which scikit-learn's files begin with

    def place(self, column: str) -> int:
        """Return the position of a column, given by name or by position from 1, or from the end as -1."""
        if column in self.names:
            return self.names.index(column)
        try:
            position = int(column)
        except ValueError:
            position = 0
        if position and -len(self.names) <= position <= len(self.names):
            return position - 1 if position > 0 else position + len(self.names)
        shown = ", ".join(self.names[:12]) + (", ..." if len(self.names) > 12 else "")
        raise ValueError(f"{self.path} has no column {column!r}; its columns are {shown}")

    def column(self, i: int) -> list[str]:
        """Return the cells of a column."""
        return [row[i] for row in self.rows]


def number(cell: str) -> float | None:
    """Return the finite number that a cell spells, or None.

    Examples
    --------
    >>> number("1.5e3"), number("1_000"), number("inf")
    (1500.0, None, None)
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def missing(cell: str) -> bool:
    """Whether a cell means that there is no value."""
    return cell in MISSING


# ---------------------------------------------------------------------------------------------------- reading


def read_table(path: str, delimiter: str | None = None, header: bool | None = None) -> Table:
    """Read a file of separated values, also a compressed one, and find out what separates them.

    Parameters
    ----------
    path : str
        The file.
    delimiter : str, optional
        What separates cells; by default whichever of ``, ; tab |`` and space makes rows of equal length.
    header : bool, optional
        Whether the first line names the columns; by default, whether it holds a word.

    Returns
    -------
    Table
        Cells as text.

    Raises
    ------
    ValueError
        If the file is missing, empty, or no table; the message is one line and names file and line.
    """
    text = _text(path)
    filled = [line for line in text.splitlines() if line.strip()]
    if not filled:
        raise ValueError(f"{path}: the file is empty")
    rows, numbers = _rows(path, text, delimiter or _delimiter(filled[:50]))
    labels = _scikit_learn_labels(rows)
    if labels is not None:
        names = [f"x{i + 1}" for i in range(len(rows[1]) - 1)] + ["target"]
        return _checked(Table(path, names, rows[1:], numbers[1:], False, labels))
    headed = any(number(cell) is None and not missing(cell) for cell in rows[0]) if header is None else header
    if not headed:
        return _checked(Table(path, [str(i + 1) for i in range(len(rows[0]))], rows, numbers, False))
    names = [name or str(i + 1) for i, name in enumerate(rows[0])]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}, line {numbers[0]}: two columns are called {twice[0]!r}")
    return _checked(Table(path, names, rows[1:], numbers[1:], True))


def _text(path: str) -> str:
    """Return the contents of a text file."""
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"{path} is a directory, not a table")
    if not file.exists():
        raise ValueError(f"there is no file {path}")
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a table: it is not UTF-8 text") from None
    if "\0" in text:
        raise ValueError(f"{path} is not a table: it holds zero bytes")
    return text


def _delimiter(lines: Sequence[str]) -> str:
    """Return what separates the cells of most lines into equally many."""

    def rank(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
        usual = max(set(widths), key=widths.count)
        return (widths.count(usual) if usual > 1 else 0, -DELIMITERS.index(delimiter))

    best = max(DELIMITERS, key=rank)
    return best if rank(best)[0] else ","


def _rows(path: str, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Return the cells of every line that is not blank, and its number."""
    if len(delimiter) != 1:
        raise ValueError(f"a delimiter is one character, not {delimiter!r}")
    rows, numbers = [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if delimiter == " " and len(cells) > 1 and not cells[-1]:
                cells.pop()  # a space before the end of the line
            if any(cells):
                rows.append(cells)
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not a table ({error})") from None
    return rows, numbers


def _scikit_learn_labels(rows: list[list[str]]) -> list[str] | None:
    """Return the class names of a file that begins with its counts: ``150,4,setosa,versicolor,virginica``."""
    first = rows[0]
    if len(rows) < 2 or len(first) < 3 or not (first[0].isdigit() and first[1].isdigit()):
        return None
    return first[2:] if (int(first[0]), int(first[1])) == (len(rows) - 1, len(rows[1]) - 1) else None


def _checked(table: Table) -> Table:
    """Refuse rows of different lengths, and a table without rows."""
    width = len(table.names)
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) != width:
            what = "not a table: " if width == 1 or len(table.rows) < 3 else ""
            raise ValueError(f"{table.path}, line {line}: {what}{len(row)} cells, where the first line has {width}")
    if not table.rows:
        raise ValueError(f"{table.path}: there are no rows below the names of the columns")
    return table


# ----------------------------------------------------------------------------------------------------- coding


@dataclass
class CodedColumn:
    """How the cells of a column become numbers: as they are, or one number for each word."""

    name: str
    fill: float | None = None  # of a column of numbers, what stands for a missing one: the median
    levels: list[str] | None = None  # of a column of words, the words

    def coded(self, cells: Sequence[str], where: str, lines: Sequence[int]) -> Array:
        """Return the cells as one or several columns of numbers."""
        if self.levels is not None:
            known = {level: i for i, level in enumerate(self.levels)}
            columns = np.zeros((len(cells), len(self.levels)))
            for i, cell in enumerate(cells):
                k = known.get("" if missing(cell) else cell)
                if k is not None:  # a word that training never saw is none of those it did
                    columns[i, k] = 1.0
            return columns
        values = np.empty((len(cells), 1))
        for i, cell in enumerate(cells):
            value = self.fill if missing(cell) else number(cell)
            if value is None:
                raise ValueError(
                    f"{where}, line {lines[i]}, column {self.name!r}: {cell[:40]!r} is not a finite number"
                )
            values[i] = value
        return values

    def plain(self) -> dict[str, Any]:
        """Return the column as plain data, for the checkpoint."""
        return asdict(self)


def code_columns(table: Table, chosen: Sequence[int]) -> tuple[list[CodedColumn], list[str]]:
    """Find out how columns become numbers; return that, and what a user should know.

    Raises
    ------
    ValueError
        If a column has so many different words that it says nothing, or no column is left.
    """
    coded, notes = [], []
    for i in chosen:
        name, cells = table.names[i], table.column(i)
        there = [cell for cell in cells if not missing(cell)]
        gaps = len(cells) - len(there)
        if not there:
            notes.append(f"column {name!r} is empty and was left out")
            continue
        values = [number(cell) for cell in there]
        if all(value is not None for value in values):
            coded.append(CodedColumn(name, fill=float(np.median(np.array(values, float)))))
            filled = f"by the median, {coded[-1].fill:g}"
        else:
            levels = sorted(set(there))
            if len(levels) > MOST_LEVELS or (len(levels) > 20 and 2 * len(levels) > len(there)):
                first = next(k for k, cell in enumerate(cells) if not missing(cell) and number(cell) is None)
                raise ValueError(
                    f"{table.path}, line {table.lines[first]}, column {name!r}: {cells[first][:40]!r} is not a number, "
                    f"and {len(levels)} different words are too many to code; leave the column out by --drop {name!r}"
                )
            coded.append(CodedColumn(name, levels=([""] if gaps else []) + levels))
            filled = "as a word of their own"
        if gaps:
            notes.append(f"column {name!r}: {gaps} missing value{'s' * (gaps > 1)} coded {filled}")
    if not coded:
        raise ValueError(f"{table.path}: no feature column is left beside the target")
    return coded, notes


def encoded(table: Table, columns: Sequence[CodedColumn], by_name: bool) -> Array:
    """Return a table's columns as numbers, found by name, or in a table without names by their order."""
    absent = [column.name for column in columns if column.name not in table.names]
    if by_name and table.headed and absent:
        raise ValueError(f"{table.path} has no column {absent[0]!r}; needed are {', '.join(c.name for c in columns)}")
    if by_name and absent and len(table.names) < len(columns):
        raise ValueError(f"{table.path} has {len(table.names)} columns, and {len(columns)} are needed")
    places = range(len(columns)) if absent else [table.names.index(column.name) for column in columns]
    parts = [c.coded(table.column(i), table.path, table.lines) for c, i in zip(columns, places, strict=True)]
    return np.concatenate(parts, axis=1)
