"""Read a table of unknown structure as text: detect its encoding, delimiter, quotes and header."""

import csv
import io
import itertools
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from autograd.files import existing_file
from nn.typing import Array

from .binary_readers import decompressed
from .csv_files import split_lines
from .notation import MISSING, date_format, number_parser

Contents: TypeAlias = Sequence[str] | Array  # of a column: text, or values of a data frame

DELIMITERS = ",;\t| "
DETECTION_LINES, DETECTION_CHARACTERS = 200, 100_000
NUMBERS = number_parser("."), number_parser(",")
TOTALS = {"total", "totals", "grand total", "sum", "summe", "gesamt"}
CATEGORICAL = ("category", "categorical", "enum")  # names of dtypes of pandas and polars
BINARY = re.compile(r"[\0-\x08\x0e-\x1f]")
MARKUP = re.compile(r'\s*(<(!doctype|html|table|\?xml)|\{\s*"|\[\s*[\[{])', re.IGNORECASE)


@dataclass
class Cells:
    """The columns of a table; a missing cell is the empty text.

    Attributes
    ----------
    path : str
        The file.
    names : list of str
        Names of the columns, unique; without a header, and for a column without a name, the position from 1.
    columns : list
        The cells of each column.
    lines : sequence of int
        The line of each row in the file.
    header : bool
        Whether the first line names the columns.
    labels : list of str, optional
        Names of the classes of the last column, from the first line of scikit-learn's files.
    delimiter, encoding : str
        As detected.
    notes : list of str
        Lines of the file that are not rows of the table, such as a title above it.
    categories : list of str
        Columns that a data frame declares as categories.
    parsed : dict
        Values or words of the columns that were inferred, by position.
    """

    path: str
    names: list[str]
    columns: list[Contents]
    lines: Sequence[int]
    header: bool
    labels: list[str] | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    notes: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    parsed: dict[int, Contents] = field(default_factory=dict)

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


def read_cells(
    path: str, delimiter: str | None = None, header: bool | None = None, expected: Collection[str] | None = None, *,
    encoding: str | None = None, missing: Iterable[str] = MISSING,
) -> Cells:  # fmt: skip
    """Read a table of unknown structure as text.

    Parameters
    ----------
    path : str
        The file; ``.gz`` is decompressed, and ``-`` is standard input.
    delimiter : str, optional
        The character between cells; by default that of ``, ; tab |`` and space which makes rows of equal length.
    header : bool, optional
        Whether the first line names the columns; by default detected by comparing it with the other lines.
    expected : collection of str, optional
        The columns of a model, for which each line is a row.  A first line that contains these names is a header.  By
        default titles, repeated headers, a total and notes around the table are left out.
    encoding : str, optional
        The text encoding; by default UTF-8, UTF-16 or Windows-1252.
    missing : sequence of str
        Cells that stand for a missing value, in upper or lower case; the empty cell always does.

    Returns
    -------
    Cells
        The columns as text.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, empty, or not a table; the message names file and line.
    """
    text, encoding = _decoded(path, encoding)
    path = "standard input" if path == "-" else path
    if stated := re.match(r"sep=([^\n])\n", text):  # a line for Excel
        text, delimiter = "\n" + text[stated.end() :], delimiter or stated[1]
    delimiter, quote = _dialect(text, delimiter)
    lines = split_lines(io.StringIO(text), path, delimiter, quote)
    found = [(line, row) for line, row in lines if any(row) or expected is not None]
    if not found:
        raise ValueError(f"{path}: the file is empty")
    labels = _class_names([row for _, row in found])
    notes = [] if labels else _trim(found, expected)
    _pad([row for _, row in found])
    top, first = found[0]
    words = {"", *(word.lower() for word in missing)}
    if header is None:
        named = bool(expected) and set(expected or ()) <= set(first)
        body = [row for _, row in found[1 : DETECTION_LINES + 1]]
        header = labels is None and (named or _has_header(first, body, words))
    if header or labels:
        found.pop(0)
    if header and expected is None:
        notes += [f"line {line} left out: it repeats the header" for line, row in found if row == first]
        found = [(line, row) for line, row in found if row != first]
    if not found:
        raise ValueError(f"{path}: the file has no rows after line {top}")
    width = len(found[0][1] if labels else first)
    for line, row in found:
        if len(row) != width:
            raise ValueError(f"{path}, line {line}: this line has {len(row)} cells, and the first one has {width}")
    if all(len(cell) > 2 and cell[0] == cell[-1] == "'" for cell in first):
        first = [cell[1:-1] for cell in first]
    names = _unique(first if header else [""] * width)
    if labels is not None:
        names = [f"x{i + 1}" for i in range(width - 1)] + ["target"]
    columns: list[Contents] = [_without(words, column) for column in zip(*(row for _, row in found), strict=True)]
    return Cells(path, names, columns, [line for line, _ in found], header, labels, delimiter, encoding, notes)


def _decoded(path: str, encoding: str | None) -> tuple[str, str]:
    """Return the text of a file, and its encoding."""
    data = sys.stdin.buffer.read() if path == "-" else existing_file(path, "CSV file").read_bytes()
    data = decompressed(data, path)
    head = data[:1000]
    candidates = ["utf-8-sig", "cp1252", "latin-1"] if encoding is None else [encoding]
    if encoding is None and head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        candidates = ["utf-16"]
    elif encoding is None and 3 * head.count(0) > len(head):
        candidates = ["utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"]
    for name in candidates:
        try:
            text = data.decode(name)
        except UnicodeDecodeError as error:
            line, reason = data.count(b"\n", 0, error.start) + 1, error.reason
        except LookupError:
            raise ValueError(f"unknown encoding {name!r}; use a name such as utf-8, latin-1 or utf-16") from None
        else:
            if BINARY.search(text[:DETECTION_CHARACTERS]) or MARKUP.match(text):
                raise ValueError(f"{path} is not a CSV file, but a binary, JSON, XML or web page; export it as CSV")
            return text.replace("\r\n", "\n").replace("\r", "\n"), name.removesuffix("-sig")
    raise ValueError(f"{path}: line {line} is not {name} text ({reason})")


def _dialect(text: str, delimiter: str | None) -> tuple[str, str]:
    """Return the delimiter that makes rows of equal length, with the most numeric cells, and the quote."""
    lines = list(itertools.islice(filter(str.strip, io.StringIO(text)), DETECTION_LINES))
    lines = lines[: max(2, DETECTION_CHARACTERS // max(map(len, lines), default=1))]
    head = "".join(lines)
    single = re.findall(r"(?:^|[,;\t| ])\s*'[^'\n]*'(?=$|[,;\t| ])", head, re.MULTILINE)
    quote = "'" if '"' not in head and lines and len(single) >= len(lines) else '"'

    def score(delimiter: str) -> tuple[int, float, int]:
        rows = list(csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True))
        widths = Counter(map(len, rows))
        usual, count = max(widths.items(), key=lambda pair: pair[1], default=(1, 0))
        if usual < 2:
            return 0, 0.0, -DELIMITERS.index(delimiter)
        cells = [cell.strip() for row in rows for cell in row[:100] if len(row) == usual][: 20 * DETECTION_LINES]
        return count, sum(_kind(cell) != "word" for cell in cells) / len(cells), -DELIMITERS.index(delimiter)

    if delimiter is None:
        delimiter = max(DELIMITERS, key=score)
    return delimiter, quote


def _kind(cell: str) -> str:
    if any(parse(cell) is not None for parse in NUMBERS):
        return "number"
    return "date" if date_format([cell]) else "word"


def _plain(word: str) -> str:
    """Return a word in lower case and without a colon."""
    return word.lower().rstrip(":")


def _class_names(rows: list[list[str]]) -> list[str] | None:
    """Return the class names of a file that begins with its counts: ``150,4,setosa,versicolor,virginica``."""
    first = rows[0]
    if len(rows) < 2 or len(first) < 3 or not (first[0].isdigit() and first[1].isdigit()):
        return None
    return first[2:] if (int(first[0]), int(first[1])) == (len(rows) - 1, len(rows[1]) - 1) else None


def _trim(found: list[tuple[int, list[str]]], expected: Collection[str] | None) -> list[str]:
    """Remove a title above the table, and a total and notes below it; return what was removed."""
    counts = Counter(len(row) for _, row in found)
    width, notes = max(counts, key=lambda n: (counts[n], n)), []

    def aside(row: list[str], padded: bool) -> bool:
        """Return whether a line is not a row: with fewer cells, or `padded` with empty ones."""
        words = [cell for cell in row if cell]
        short = len(row) < width or (padded and width > 2 and row[1:] == [""] * (width - 1))
        sparse = short and 0 < 2 * len(words) <= width and all(_kind(cell) == "word" for cell in words)
        return sparse and not any(other is not row and other[0] == row[0] for _, other in found)

    def is_total() -> bool:
        last = _plain(found[-1][1][0])
        return expected is None and last in TOTALS and sum(_plain(row[0]) == last for _, row in found) == 1

    # in a table of two columns, a first line with one cell is the header of R, unless it is a comment
    while len(found) > 2 and (width > 2 or found[0][1][0].startswith("#")) and aside(found[0][1], expected != []):
        notes.append(f"line {found.pop(0)[0]} left out: a title above the table")
    while len(found) > 2 and ((is_note := aside(found[-1][1], expected is None)) or is_total()):
        notes.append(f"line {found.pop()[0]} left out: a {'note' if is_note else 'total'} below the table")
    return notes


def _pad(rows: list[list[str]]) -> None:
    """Drop the empty cells after a delimiter at the end of all rows, and name the column of R's row names ""."""
    first, *others = rows
    width = len(others[0]) if others else 0
    if width > 2 and not any(row[-1] for row in others) and (len(first) < width or not first[-1]):
        for row in rows:
            del row[width - 1 :]
    elif others and all(len(row) == len(first) + 1 for row in others):
        first.insert(0, "")


def _has_header(first: list[str], rows: list[list[str]], missing: set[str]) -> bool:
    """Return whether the first line names the columns: it contains words that the columns below do not."""
    rows = [row for row in rows if len(row) == len(first) and row != first][: max(5, 20_000 // len(first))]
    if not rows:
        return any(_kind(cell) == "word" for cell in first if cell.lower() not in missing)
    integers = [int(cell) for cell in first if cell.isdigit()]
    consecutive = len(integers) > 1 and set(np.diff(integers)) == {1}
    new = repeated = data = fractions = False
    for cell, *column in zip(first, *rows, strict=True):
        below = {other for other in column if other.lower() not in missing}
        if not below or cell.lower() in missing:
            continue
        kind, kinds = _kind(cell), {_kind(other) for other in below}
        fractional = kinds == {"number"} and not all(other.isdigit() for other in below)
        if kind == "word" and "word" not in kinds:
            return True
        new, repeated = new or kind == "word", repeated or (kind == "word" and cell in below)
        data = data or (kinds == {kind} != {"word"} and not (cell.isdigit() and (fractional or consecutive)))
        fractions = fractions or (fractional and cell.isdigit())
    return not repeated and not data and (new or (consecutive and fractions))


def _unique(header: list[str]) -> list[str]:
    """Return distinct names: a position for an empty one, and ``a.1`` for the second ``a``, as in pandas."""
    names = [name or str(i + 1) for i, name in enumerate(header)]
    used, seen = set(names), Counter[str]()
    for i, name in enumerate(names):
        if seen[name]:
            number = next(n for n in range(seen[name], len(names) + 1) if f"{name}.{n}" not in used)
            names[i] = f"{name}.{number}"
            used.add(names[i])
        seen[name] += 1
    return names


def frame_cells(frame: Any) -> Cells:
    """Return the columns of a data frame of pandas or polars: numeric ones as arrays, all others as text.

    Examples
    --------
    >>> class Frame(dict):
    ...     columns = property(list)
    >>> frame_cells(Frame(size=[1, 2], colour=["red", None])).columns
    [array([1., 2.]), ['red', '']]
    """
    names = [str(name) for name in frame.columns]
    declared = [
        name for name in frame.columns if str(getattr(frame[name], "dtype", "")).lower().startswith(CATEGORICAL)
    ]
    columns = [_frame_column(frame[name], name in declared) for name in frame.columns]
    rows = len(columns[0]) if columns else 0
    path, categories = f"the {type(frame).__name__}", [str(name) for name in declared]
    return Cells(path, names, columns, range(1, rows + 1), header=True, categories=categories)


def _frame_column(series: Any, declared: bool) -> Contents:
    array = np.asarray(series)
    if array.dtype.kind in "iuf" and not declared:
        return np.where(np.isfinite(array), array, np.nan).astype(np.float64)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[s]").astype(str)
    return _without(set(MISSING), [str(value) for value in array.tolist()])


def _without(missing: set[str], cells: Sequence[str]) -> Sequence[str]:
    """Return the cells of a column, with the empty text for those that stand for a missing value."""
    if missing.isdisjoint(map(str.lower, cells)):
        return cells
    return ["" if cell.lower() in missing else cell for cell in cells]
