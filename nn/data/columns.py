"""Decide how each column of a table is understood, and encode it as features.

`infer_columns` determines the kind of each column from all rows, `Column.fit` its statistics from the training rows
alone, and `Column.encode` returns the features.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from nn.typing import Array, State

from .cells import Cells, Contents
from .notation import BOOLEAN_PAIRS, BOOLEANS, common_unit, date_format, date_parser, number_parser

KINDS = ("number", "boolean", "date", "words", "left out")
MAX_ONE_HOT = 10  # columns of more distinct words are embedded
MIN_MISSING = 5  # missing values in the training rows that justify a column of their own
MIN_VALUES = 10  # distinct values of a numeric column in which at most MAX_ODD words stand for a missing one
MAX_ODD = 2
IDENTIFIER = re.compile(
    r"(.*[\W_])?(id|identifier|uuid|guid|index|idx|no\.?|row_?names?|row_?id|rownum)|unnamed.*|.*[a-z]I[Dd]|.*nr\.?|#"
)
PARTS: dict[str, Callable[[Array], Array]] = {  # of a date, from its days since 1970-01-01
    "days": lambda days: days,
    "month": lambda days: _whole(days).astype("M8[M]").astype(int) % 12 + 1.0,
    "day": lambda days: (_whole(days) - _whole(days).astype("M8[M]")).astype(int) + 1.0,
    "weekday": lambda days: (np.floor(days) + 3) % 7,
    "hour": lambda days: 24 * (days % 1),
}


def _whole(days: Array) -> Array:
    """Return days as dates, also before 1970."""
    return np.asarray(np.floor(days).astype("M8[D]"))


@dataclass
class Column:
    """A column of a table and its encoding.

    Attributes
    ----------
    name : str
        The name of the column.
    kind : {'number', 'boolean', 'date', 'words', 'left out'}
        A number is one feature, a boolean is 0 or 1, a date becomes its varying `parts`, and words one feature of 0
        and 1 each, or beyond `MAX_ONE_HOT` of them the index of an embedding.
    notation : str
        The decimal separator, or the format of dates.
    unit : str
        The word after, or the currency before, each number.
    note : str
        Why the column was left out, or which words were read as missing values.
    missing : int
        The number of missing values in the table.
    fill : float
        The replacement of missing values: the median.
    flag : bool
        Whether a further feature is 1 where the value is missing.
    levels : list of str
        The distinct words, where "" stands for a missing one.  Rare and unknown words share one further level.
    rare : int
        The number of rare words.
    parts : list of str
        The parts of a date that vary.
    """

    name: str
    kind: str = "number"
    notation: str = "."
    note: str = ""
    missing: int = 0
    fill: float = 0.0
    flag: bool = False
    levels: list[str] = field(default_factory=list)
    rare: int = 0
    parts: list[str] = field(default_factory=list)
    unit: str = ""

    @property
    def embedded(self) -> bool:
        """Whether the feature is the index of an embedding, from 0 for unknown words to the number of levels."""
        return self.kind == "words" and len(self.levels) > MAX_ONE_HOT

    def parse(self, cells: Contents) -> Array:
        """Return the cells as floats, with nan for those that are missing, infinite or of another kind.

        Floats of a column that does not contain words are those of an earlier call.
        """
        values = None
        if self.kind != "words" and (isinstance(cells, np.ndarray) or (self.notation == "." and not self.unit)):
            values = plain_numbers(cells)
        if values is None:
            read, texts = self._reader(), texts_of(cells)
            found = {cell: read(cell) for cell in set(texts)}
            values = np.array([found[cell] for cell in texts], float)
        return np.where(np.isinf(values), np.nan, values)

    def _reader(self) -> Callable[[str], float | None]:
        if self.kind == "words":
            return dict(zip(self.levels, itertools.count(1.0))).get
        if self.kind == "boolean":
            return lambda cell: BOOLEANS.get(cell.lower())
        return date_parser(self.notation) if self.kind == "date" else number_parser(self.notation, self.unit)

    def fit(self, cells: Contents) -> None:
        """Determine the statistics of the encoding from the training rows."""
        if self.kind == "words":
            counts = Counter(texts_of(cells))
            least = _rarely(len(cells))
            self.levels = sorted(word for word, count in counts.items() if count >= least)
            self.rare = len(counts) - len(self.levels)
        elif self.kind != "left out":
            values = self.parse(cells)
            present = np.sort(values[~np.isnan(values)])  # np.median takes ten times as long for a short column
            self.fill = float(present[[(len(present) - 1) // 2, len(present) // 2]].mean()) if len(present) else 0.0
            self.flag = len(values) - len(present) >= MIN_MISSING
            if self.kind == "date":
                varying = [name for name, part in PARTS.items() if len(present) and np.ptp(part(present)) > 0]
                self.parts = varying or ["days"]

    def encode(self, cells: Contents) -> Array:
        """Return the features of a column, shape (n, features)."""
        if self.kind == "words":
            index = np.nan_to_num(self.parse(texts_of(cells)))[:, None]
            first = 0 if self.rare else 1
            return index if self.embedded else (index == np.arange(first, len(self.levels) + 1)).astype(float)
        values = self.parse(cells)
        absent = np.isnan(values)
        filled = np.where(absent, self.fill, values)
        features = [PARTS[part](filled) for part in self.parts] if self.kind == "date" else [filled]
        return np.array([*features, *([absent] if self.flag else [])], float).T

    def remark(self, cells: Contents) -> str:
        """Return which cells of new rows are missing or were not seen in training, "" if there are none."""
        texts, read = texts_of(cells), self._reader()
        unknown = {cell for cell in set(texts) if cell and read(cell) is None}
        strange = [cell for cell in texts if cell in unknown]
        said = [self._missing(texts.count(""))] if "" in texts and "" not in self.levels else []
        if strange:
            examples = ", ".join(repr(cell[:40]) for cell in list(dict.fromkeys(strange))[:3])
            said.append(f"{self._missing(len(strange), 'unknown')}: {examples}")
        return f"column {self.name!r}: {'; '.join(said)}" if said else ""

    def _missing(self, count: int, what: str = "missing") -> str:
        words = "a level of their own" if "" in self.levels and what == "missing" else "encoded as unknown"
        median = f"replaced by the median{' and marked by a feature' if self.flag else ''}"
        return f"{count} {what} value{'s' * (count > 1)} {words if self.kind == 'words' else median}"

    def __str__(self) -> str:
        details = [self.kind]
        if self.kind == "words":
            details += [f"{len(self.levels)} levels" + (f" and {self.rare} rare" if self.rare else "")]
            details += ["embedded" if self.embedded else "one-hot"]
        if self.kind == "date" or self.notation == ",":
            details += [self.notation if self.kind == "date" else "decimal comma", *self.parts]
        details += [f"in {self.unit}"] if self.unit else []
        said = [", ".join(details), self.note, self._missing(self.missing) if self.missing else ""]
        return f"column {self.name!r}: {'; '.join(filter(None, said))}"

    def state_dict(self) -> State:
        """Return the column as plain data, for the checkpoint."""
        return asdict(self)


def plain_numbers(cells: Contents) -> Array | None:
    """Return cells as floats, nan if they are empty, or None if one of them is not a plain decimal."""
    if not isinstance(cells, np.ndarray):
        if "_" in "".join(cells):  # which Python accepts in numbers
            return None
        cells = [cell or "nan" for cell in cells] if "" in cells else cells
    try:
        return np.array(cells, float)
    except ValueError:
        return None


def texts_of(cells: Contents) -> list[str]:
    """Return cells as text."""
    if isinstance(cells, np.ndarray):
        return ["" if value != value else f"{value:.17g}" for value in cells.tolist()]
    return list(cells)


def _rarely(rows: int) -> int:
    """Return the number of occurrences from which on a word is a level of its own."""
    return 3 if rows >= 50 else 2


# --------------------------------------------------------------------------------------------------- inference


def infer_columns(table: Cells, kinds: Mapping[str, str] | None = None, target: int | None = None) -> list[Column]:
    """Infer the kind of every column.

    Parameters
    ----------
    table : Cells
        The table.
    kinds : mapping of str to str, optional
        The kind of some columns instead: one of `KINDS`, or a format of dates such as ``%d/%m/%Y``.
    target : int, optional
        The position of the column to predict, which is never left out.

    Returns
    -------
    list of Column
        In the order of the table; those that identify rows, are constant or empty have the kind 'left out'.

    Raises
    ------
    ValueError
        If `kinds` contains an unknown column or kind.
    """
    given = {**dict.fromkeys(table.categories, "words"), **(kinds or {})}
    for name, kind in given.items():
        table.position(name)
        if kind not in KINDS and "%" not in kind:
            known = f"{', '.join(KINDS)}, or a date format such as %d/%m/%Y"
            raise ValueError(f"column {name!r} cannot be of kind {kind!r}; choose from {known}")
    chosen = {table.position(name): kind for name, kind in given.items()}
    decimal = _decimal(table)
    columns = []
    for i, (name, cells) in enumerate(zip(table.names, table.columns, strict=True)):
        column = _understood(name, cells, decimal, chosen.get(i))
        reason = "" if i in chosen or i == target else _useless(column, cells, first=i == 0)
        columns.append(Column(name, "left out", note=reason) if reason else column)
    rest = [column for i, column in enumerate(columns) if i != target and column.kind != "left out"]
    if not rest and columns[0].note == "row numbers" and target != 0:
        columns[0] = _understood(table.names[0], table.columns[0], decimal, None)  # better than nothing
    return columns


def _decimal(table: Cells) -> str:
    """Return the decimal separator: a comma if some column can only be read so, or cells are separated by ``;``."""
    point, comma = number_parser("."), number_parser(",")
    unsure = False
    for cells in table.columns:
        if isinstance(cells, np.ndarray) or "," not in "".join(cells):
            continue
        present = set(cells) - {""}
        if all(comma(cell) is not None for cell in present):
            if any(point(cell) is None for cell in present):
                return ","
            unsure = True
    return "," if unsure and table.delimiter == ";" else "."


def _understood(name: str, cells: Contents, decimal: str, kind: str | None) -> Column:
    """Return a column of the given kind, or of the first kind that all of its cells are."""
    if isinstance(cells, np.ndarray):
        return Column(name, kind or "number", missing=int(np.isnan(cells).sum()))
    missing = cells.count("")
    if decimal == "." and kind in (None, "number") and plain_numbers(cells) is not None:
        return Column(name, missing=missing)
    present = sorted(set(cells) - {""})

    def column(kind: str, notation: str, odd: Collection[str], unit: str = "") -> Column:
        shown = ", ".join(map(repr, sorted(odd)[:MAX_ODD])) + (", ..." if len(odd) > MAX_ODD else "")
        count = missing + sum(cell in odd for cell in cells)
        return Column(name, kind, notation, f"{shown} read as missing" if odd else "", count, unit=unit)

    if kind in (None, "number"):
        unit = common_unit(present)
        for mark in (decimal, *({".", ","} - {decimal})):
            read = number_parser(mark, unit)
            odd = [cell for cell in present if read(cell) is None]
            few = len(odd) <= MAX_ODD and len(present) > MIN_VALUES + MAX_ODD
            signs = len(odd) < len(present) and not any(char.isalnum() for cell in odd for char in cell)
            if not odd or (kind is None and (few or signs)):
                return column("number", mark, odd, unit)
    words = {cell.lower() for cell in present}
    if words in BOOLEAN_PAIRS if kind is None else kind == "boolean" and words <= BOOLEANS.keys():
        return column("boolean", "", ())
    style = date_format(present) if kind in (None, "date") else None
    if style is not None:
        return column("date", style, ())
    if kind is not None and "%" in kind:
        read = date_parser(kind)
        odd = [cell for cell in present if read(cell) is None]
        if len(odd) < len(present):
            return column("date", kind, set(odd))
    if kind not in (None, "words", "left out"):
        raise ValueError(f"column {name!r} cannot be of kind {kind!r}: not all of its cells have one notation")
    return Column(name, kind or "words", missing=missing)


def _useless(column: Column, cells: Contents, *, first: bool) -> str:
    """Return why a column is left out, "" if it is not: empty, constant, or different in every row."""
    present = cells[~np.isnan(cells)].tolist() if isinstance(cells, np.ndarray) else list(filter(None, cells))
    distinct, name = set(present), column.name
    if not present:
        return "empty"
    if len(distinct) == 1 and len(present) == len(cells):
        return "the same value in every row"
    if column.kind == "words" and max(Counter(present).values()) < _rarely(len(cells)):
        return "nearly every row has another word"
    if column.kind not in ("number", "words") or len(distinct) < len(cells):
        return ""
    identifier = bool(IDENTIFIER.fullmatch(name) or IDENTIFIER.fullmatch(name.lower()))
    if not (first or identifier or name.isdigit()):
        return ""
    values = column.parse(cells)
    if len(values) >= MIN_VALUES and (np.diff(values) == values[1] - values[0]).all():
        return "row numbers"
    return "identifies the rows" if identifier and (column.kind == "words" or (values % 1 == 0).all()) else ""
