"""Read the cells of a CSV file of unknown structure, infer the kind of each column, and encode it."""

from __future__ import annotations

import csv
import gzip
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from nn.typing import Array, State

from .csv_reader import MISSING, CSVOptions, CSVReader, parse_number, sorted_labels

__all__ = ["Cells", "Column", "encode", "encode_target", "infer_columns", "read_cells"]

DELIMITERS = ",;\t| "
DETECTION_LINES = 50
MAX_LEVELS = 50  # distinct words in a column, each encoded as a column of its own
MAX_CLASSES = 20  # integers with more distinct values are quantities


@dataclass
class Cells:
    """The cells of a file as text.

    Attributes
    ----------
    path : str
        The file.
    names : list of str
        Names of the columns, unique; their positions, from 1, without a header.
    rows : list of list of str
        The cells of each row.
    lines : list of int
        The line of each row in the file.
    header : bool
        Whether the first line names the columns.
    labels : list of str, optional
        Names of the classes of the last column, from the first line of scikit-learn's files.
    """

    path: str
    names: list[str]
    rows: list[list[str]]
    lines: list[int]
    header: bool
    labels: list[str] | None = None

    def position(self, column: str) -> int:
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


def read_cells(path: str, delimiter: str | None = None, header: bool | None = None) -> Cells:
    """Read a CSV file of unknown structure as text.

    Parameters
    ----------
    path : str
        The file; ``.gz`` is decompressed.
    delimiter : str, optional
        The character between cells; by default that of ``, ; tab |`` and space which makes rows of equal length.
    header : bool, optional
        Whether the first line names the columns; by default whether it contains a word.

    Returns
    -------
    Cells
        The cells as text.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, empty, or not a table; the message names file and line.
    """
    reader = CSVReader(path, CSVOptions(delimiter=delimiter or ","))
    if delimiter is None:
        reader = CSVReader(path, CSVOptions(delimiter=_detect_delimiter(reader)))
    found = [(reader.line, row) for row in reader.cells() if any(row)]
    if not found:
        raise ValueError(f"{path}: the file is empty")
    lines, rows = [line for line, _ in found], [row for _, row in found]
    if any("\0" in cell for row in rows for cell in row):
        raise ValueError(f"{path}: the file contains zero bytes, and is not text")
    first, labels = rows[0], _class_names(rows)
    if header is None:
        header = labels is None and any(parse_number(cell) is None and cell not in MISSING for cell in first)
    names = [name if name and header else str(i + 1) for i, name in enumerate(first)]
    if labels is not None:
        names = [f"x{i + 1}" for i in range(len(rows[1]) - 1)] + ["target"]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{path}, line {lines[0]}: two columns are called {twice[0]!r}")
    skip = int(header or labels is not None)
    table = Cells(path, names, rows[skip:], lines[skip:], header, labels)
    if not table.rows:
        raise ValueError(f"{path}: the file has no rows after line {lines[0]}")
    for row, line in zip(table.rows, table.lines, strict=True):
        if len(row) != len(names):
            raise ValueError(f"{path}, line {line}: this line has {len(row)} cells, and the first one has {len(names)}")
    return table


def _detect_delimiter(reader: CSVReader) -> str:
    """Return the delimiter that splits most of the first lines into the same number of cells."""
    try:
        with reader.opened() as file:
            lines = [line for line in itertools.islice(file, DETECTION_LINES) if line.strip()]
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error):
        return ","  # reported when the cells are read

    def score(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)] or [1]
        usual = max(set(widths), key=widths.count)
        return (widths.count(usual) if usual > 1 else 0, -DELIMITERS.index(delimiter))

    best = max(DELIMITERS, key=score)
    return best if score(best)[0] else ","


def _class_names(rows: list[list[str]]) -> list[str] | None:
    """Return the class names of a file that begins with its counts: ``150,4,setosa,versicolor,virginica``."""
    first = rows[0]
    if len(rows) < 2 or len(first) < 3 or not (first[0].isdigit() and first[1].isdigit()):
        return None
    return first[2:] if (int(first[0]), int(first[1])) == (len(rows) - 1, len(rows[1]) - 1) else None


# ----------------------------------------------------------------------------------------------------- encoding


@dataclass
class Column:
    """A column and its encoding: numeric, or words as one column of 0 and 1 per level.

    Attributes
    ----------
    name : str
        The name of the column.
    fill : float, optional
        The replacement of missing values in a numeric column: the median.
    levels : list of str, optional
        The distinct words in a column of words; "" stands for a missing one.
    """

    name: str
    fill: float | None = None
    levels: list[str] | None = None

    def encode(self, cells: Sequence[str], where: str, lines: Sequence[int]) -> Array:
        """Return the cells as an array with one or several columns; a word that is not a level is 0 in all."""
        if self.levels is not None:
            levels = {level: i for i, level in enumerate(self.levels)}
            places = np.array([levels.get("" if cell in MISSING else cell, -1) for cell in cells], int)
            return np.asarray(places[:, None] == np.arange(len(levels)), float)
        values = [self.fill if cell in MISSING else parse_number(cell) for cell in cells]
        if None in values:
            i = values.index(None)
            raise ValueError(
                f"{where}, line {lines[i]}, column {self.name!r}: {cells[i][:40]!r} is not a finite number"
            )
        return np.array(values, float)[:, None]

    def state_dict(self) -> State:
        """Return the column as plain data, for the checkpoint."""
        return asdict(self)


def infer_columns(table: Cells, chosen: Sequence[int]) -> tuple[list[Column], list[str]]:
    """Infer the encoding of some columns; return it, and notes on missing values.

    Raises
    ------
    ValueError
        If a column has too many distinct words to encode, or none is left.
    """
    columns, notes = [], []
    for i in chosen:
        name, cells = table.names[i], table.column(i)
        present = [cell for cell in cells if cell not in MISSING]
        missing = len(cells) - len(present)
        if not present:
            notes.append(f"column {name!r} is empty and was left out")
            continue
        values = [parse_number(cell) for cell in present]
        if None not in values:
            columns.append(Column(name, fill=float(np.median(np.array(values, float)))))
            filled = f"replaced by the median, {columns[-1].fill:g}"
        else:
            levels = sorted(set(present))
            if len(levels) > MAX_LEVELS or (len(levels) > MAX_CLASSES and 2 * len(levels) > len(present)):
                first = next(k for k, cell in enumerate(cells) if cell not in MISSING and parse_number(cell) is None)
                raise ValueError(
                    f"{table.path}, line {table.lines[first]}, column {name!r}: {cells[first][:40]!r} is not a number, "
                    f"and {len(levels)} different words are too many to encode; leave the column out by --drop {name!r}"
                )
            columns.append(Column(name, levels=([""] if missing else []) + levels))
            filled = "encoded as a level of their own"
        if missing:
            notes.append(f"column {name!r}: {missing} missing value{'s' * (missing > 1)} {filled}")
    if not columns:
        raise ValueError(f"{table.path}: no feature column is left beside the target")
    return columns, notes


def encode(table: Cells, columns: Sequence[Column]) -> Array:
    """Return the columns of a table as an array; found by name, or without a header by order."""
    absent = [column.name for column in columns if column.name not in table.names]
    if absent and table.header:
        raise ValueError(f"{table.path} has no column {absent[0]!r}; required are {', '.join(c.name for c in columns)}")
    if absent and len(table.names) < len(columns):
        raise ValueError(f"{table.path} has {len(table.names)} columns, but {len(columns)} are required")
    places = range(len(columns)) if absent else [table.names.index(column.name) for column in columns]
    parts = [c.encode(table.column(i), table.path, table.lines) for c, i in zip(columns, places, strict=True)]
    return np.concatenate(parts, axis=1)


def encode_target(
    path: str, name: str, cells: Sequence[str], lines: Sequence[int], task: str = "auto"
) -> tuple[Array, list[str] | None]:
    """Return class indices and the labels of classes, or for regression floats and None.

    Raises
    ------
    ValueError
        If a target is missing or constant, or the task does not fit.
    """
    for cell, line in zip(cells, lines, strict=True):
        if cell in MISSING:
            raise ValueError(f"{path}, line {line}: the target {name!r} is missing; a target is never filled")
    values = [parse_number(cell) for cell in cells]
    numeric = None not in values
    labels = sorted_labels(cells)
    if task == "auto":
        integers = numeric and all(float(label).is_integer() for label in labels)
        few = len(labels) <= MAX_CLASSES and 2 * len(labels) <= max(len(cells), 4)
        task = "classification" if not numeric or (integers and few) else "regression"
    if task == "regression":
        if not numeric:
            i = values.index(None)
            raise ValueError(
                f"{path}, line {lines[i]}: the target {name!r} is {cells[i][:40]!r}, but regression needs numbers"
            )
        y = np.array(values, float)
        if np.ptp(y) == 0:
            raise ValueError(f"{path}: the target {name!r} is {cells[0]} in every row, which leaves nothing to learn")
        return y, None
    if len(labels) < 2:
        raise ValueError(f"{path}: the target {name!r} has one class only, {labels[0]!r}; at least 2 are required")
    if len(labels) > len(cells) // 2 and len(labels) > MAX_CLASSES:
        raise ValueError(
            f"{path}: the target {name!r} has {len(labels)} classes in {len(cells)} rows; is it --task regression?"
        )
    indices = {label: i for i, label in enumerate(labels)}
    return np.array([indices[cell] for cell in cells], np.int64), labels
