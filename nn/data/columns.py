"""Decide how each column of a table is understood, and encode the columns as the features of a network.

`infer_columns` determines the kind of each column from all rows, `Column.fit` its statistics from the training rows
alone, and `Column.encode` returns the features.  A `TableEncoder` does so for a table, and `encode_target` for the
target.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

import numpy as np

from nn.typing import Array, State

from .cells import Cells, Contents
from .notation import BOOLEAN_PAIRS, BOOLEANS, class_indices, common_unit, date_format, date_parser, number_parser
from .prepare import RobustScaler

KINDS = ("number", "boolean", "date", "words", "left out")
MAX_ONE_HOT = 10  # columns of more distinct words are embedded
MAX_CLASSES = 20  # integers with more distinct values are quantities
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

    def reader(self) -> Callable[[str], float | None]:
        """Return the function from a cell to its value, or to None if it is of another kind."""
        if self.kind == "words":
            return dict(zip(self.levels, itertools.count(1.0))).get
        if self.kind == "boolean":
            return lambda cell: BOOLEANS.get(cell.lower())
        return date_parser(self.notation) if self.kind == "date" else number_parser(self.notation, self.unit)

    def parse(self, cells: Contents) -> Array:
        """Return the cells as floats, with nan for those that are missing, infinite or of another kind.

        Floats are values that were parsed before, unless the column contains words.
        """
        plain = self.kind != "words" and (isinstance(cells, np.ndarray) or (self.notation == "." and not self.unit))
        values = plain_numbers(cells) if plain else None
        if values is not None:
            return values
        read, texts = self.reader(), texts_of(cells)
        found = {cell: read(cell) for cell in set(texts)}
        return _finite(np.array([found[cell] for cell in texts], float))

    def fit(self, cells: Contents) -> None:
        """Determine the statistics of the encoding from the training rows."""
        if self.kind == "words":
            counts = Counter(texts_of(cells))
            least = _rarely(len(cells))
            self.levels = sorted(word for word, count in counts.items() if count >= least)
            self.rare = len(counts) - len(self.levels)
        else:
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

    def unknown(self, cells: Contents) -> list[str]:
        """Return the cells of new rows that are not of this kind, or are words that were not seen in training."""
        texts, read = texts_of(cells), self.reader()
        unknown = {cell for cell in set(texts) if cell and read(cell) is None}
        return [cell for cell in texts if cell in unknown]

    def remark(self, cells: Contents) -> str:
        """Return which cells of new rows are missing or were not seen in training, "" if there are none."""
        texts, strange = texts_of(cells), self.unknown(cells)
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


def _finite(values: Array) -> Array:
    """Return values with nan in place of infinity."""
    return np.where(np.isinf(values), np.nan, values) if np.isinf(values).any() else values


def plain_numbers(cells: Contents) -> Array | None:
    """Return cells as floats, nan if they are empty or infinite, or None if one of them is not a plain decimal."""
    if isinstance(cells, np.ndarray):
        return cells
    if "_" in "".join(cells):  # which Python accepts in numbers
        return None
    try:
        return _finite(np.array([cell or "nan" for cell in cells] if "" in cells else cells, float))
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
        if kind not in KINDS and "%" not in kind:
            known = f"{', '.join(KINDS)}, or a date format such as %d/%m/%Y"
            raise ValueError(f"column {name!r} cannot be of kind {kind!r}; choose from {known}")
    chosen = {table.position(name): kind for name, kind in given.items()}
    decimal = _decimal(table)
    columns = []
    for i, (name, cells) in enumerate(zip(table.names, table.columns, strict=True)):
        column, contents = _understood(name, cells, decimal, chosen.get(i))
        column.missing = int(np.isnan(contents).sum()) if isinstance(contents, np.ndarray) else contents.count("")
        table.parsed[i] = contents
        reason = "" if i in chosen or i == target else _useless(column, contents, first=i == 0)
        columns.append(Column(name, "left out", note=reason) if reason else column)
    rest = [column for i, column in enumerate(columns) if i != target and column.kind != "left out"]
    if not rest and columns[0].note == "row numbers" and target != 0:
        columns[0], _ = _understood(table.names[0], table.columns[0], decimal, None)  # better than nothing
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


def _understood(name: str, cells: Contents, decimal: str, kind: str | None) -> tuple[Column, Contents]:
    """Return a column of the given kind, or of the first kind that its cells are, with its values or words."""
    if kind in ("words", "left out"):
        return Column(name, kind), cells
    numeric = isinstance(cells, np.ndarray) or (decimal == "." and kind in (None, "number"))
    plain = plain_numbers(cells) if numeric else None
    if plain is not None:
        return Column(name), plain
    present = sorted(set(cells) - {""})
    for column in _candidates(name, present, decimal, kind):
        read = column.reader()
        odd = [cell for cell in present if read(cell) is None]
        few = len(odd) <= MAX_ODD and len(present) > MIN_VALUES + MAX_ODD
        signs = not any(char.isalnum() for cell in odd for char in cell)
        tolerated = column.notation == kind or (column.kind == "number" and (few or signs))
        if not odd or (tolerated and len(odd) < len(present)):
            shown = ", ".join(map(repr, odd[:MAX_ODD])) + (", ..." if len(odd) > MAX_ODD else "")
            column.note = f"{shown} read as missing" if odd else ""
            return column, column.parse(cells)
    if kind is not None:
        raise ValueError(f"column {name!r} cannot be of kind {kind!r}: not all of its cells have one notation")
    return Column(name, "words"), cells


def _candidates(name: str, present: list[str], decimal: str, kind: str | None) -> Iterator[Column]:
    """Return the columns of the given kind, or of all, that some distinct cells may be."""
    if kind in (None, "number"):
        unit = common_unit(present)
        for mark in (decimal, *({".", ","} - {decimal})):
            yield Column(name, "number", mark, unit=unit)
    if kind == "boolean" or (kind is None and {cell.lower() for cell in present} in BOOLEAN_PAIRS):
        yield Column(name, "boolean", "")
    style = date_format(present) if kind in (None, "date") else kind
    if style is not None and kind in (None, "date", style):
        yield Column(name, "date", style)


def _useless(column: Column, contents: Contents, *, first: bool) -> str:
    """Return why a column is left out, "" if it is not: empty, constant, or different in every row."""
    if isinstance(contents, np.ndarray):
        present = contents[~np.isnan(contents)]
        distinct = len(present) and 1 + bool(np.ptp(present))
    else:
        counts = Counter(filter(None, contents))
        distinct = len(counts)
        if counts and max(counts.values()) < _rarely(len(contents)):
            return "nearly every row has another word"
    if not distinct:
        return "empty"
    if distinct == 1 and not column.missing:
        return "the same value in every row"
    identifier = bool(IDENTIFIER.fullmatch(column.name) or IDENTIFIER.fullmatch(column.name.lower()))
    if not isinstance(contents, np.ndarray) or not (first or identifier or column.name.isdigit()):
        return ""
    if column.kind != "number" or len(np.unique(contents)) < len(contents):
        return ""
    if len(contents) >= MIN_VALUES and len(np.unique(np.diff(contents))) == 1:
        return "row numbers"
    return "identifies the rows" if identifier and (contents % 1 == 0).all() else ""


# ---------------------------------------------------------------------------------------------------- the table


@dataclass
class TableEncoder:
    """The encoding of a table: its columns, and the scale of their features.

    The command line and the estimators share it: both are fitted to training rows, applied to other tables, and stored
    as plain data.

    Attributes
    ----------
    columns : list of Column
        The columns that are features, in the order of the table.
    scale : RobustScaler, optional
        The scale of the features, where those of dense columns come first, then the indices of embedded ones.
    """

    columns: list[Column]
    scale: RobustScaler | None = None

    @property
    def levels(self) -> list[int]:
        """The number of indices of each embedded column, in the order of their features."""
        return [len(column.levels) + 1 for column in self.columns if column.embedded]

    def fit(self, table: Cells, rows: Array | None = None) -> Array:
        """Determine the statistics of the columns by some rows, by default all, and return the features of all rows."""
        for column, contents in self.matched(table):
            column.fit(contents if rows is None else taken(contents, rows))
        return self.features(table)

    def fit_scale(self, features: Array, weights: Array | None = None) -> None:
        """Determine the scale by the features of the training rows."""
        self.scale = RobustScaler(features, weights=weights, indices=len(self.levels))

    def features(self, table: Cells) -> Array:
        """Return the features of a table before they are scaled.

        Columns are found by name, or without a header by order.

        Raises
        ------
        ValueError
            If a column is absent.
        """
        pairs = sorted(self.matched(table), key=lambda pair: pair[0].embedded)
        return np.concatenate([column.encode(contents) for column, contents in pairs], axis=1)

    def scaled(self, features: Array) -> Array:
        """Return scaled features."""
        assert self.scale is not None
        return self.scale(features)

    def __call__(self, table: Cells) -> Array:
        """Return the scaled features of a table."""
        return self.scaled(self.features(table))

    @property
    def width(self) -> int:
        """The number of features."""
        return 0 if self.scale is None else len(self.scale.center)

    def matched(self, table: Cells) -> list[tuple[Column, Contents]]:
        """Return each column with its contents in a table: values if it was inferred from this table, else cells."""
        places = {name: i for i, name in enumerate(table.names)}
        absent = [column.name for column in self.columns if column.name not in places]
        if absent and table.header:
            shown = ", ".join(map(repr, absent[:12])) + (", ..." if len(absent) > 12 else "")
            required = ", ".join(column.name for column in self.columns)
            raise ValueError(f"{table.path} has no column {shown}; required are {required}")
        if absent and len(table.names) != len(self.columns):
            count = f"{len(table.names)} columns without names, but {len(self.columns)} are required"
            raise ValueError(f"{table.path} has {count}: {', '.join(column.name for column in self.columns)}")
        found = [i if absent else places[column.name] for i, column in enumerate(self.columns)]
        return [(c, table.parsed.get(i, table.columns[i])) for c, i in zip(self.columns, found, strict=True)]

    def groups(self, embedding: int = 1) -> dict[str, list[int]]:
        """Return the features of each column by name, where an embedded one has `embedding` features."""
        columns = sorted(self.columns, key=lambda column: column.embedded)
        widths = [embedding if column.embedded else column.encode([""]).shape[1] for column in columns]
        edges = np.cumsum([0, *widths]).tolist()
        return {c.name: list(range(*edge)) for c, edge in zip(columns, itertools.pairwise(edges), strict=True)}

    def state_dict(self) -> State:
        """Return columns and scale as plain data."""
        assert self.scale is not None
        return {"columns": [asdict(column) for column in self.columns], "scale": self.scale.state_dict()}

    @classmethod
    def from_state_dict(cls, state: State) -> Self:
        """Return the encoder of a `state_dict`."""
        columns = [Column(**column) for column in state["columns"]]
        return cls(columns, RobustScaler.from_state_dict(state["scale"]))


def taken(contents: Contents, rows: Array) -> Contents:
    """Return the cells of some rows."""
    return contents[rows] if isinstance(contents, np.ndarray) else [contents[i] for i in rows]


def encode_target(path: str, column: Column, cells: Contents, task: str = "auto") -> tuple[Array, Array, list[str]]:
    """Return the rows that have a target, their targets, and the labels of classes.

    The targets are class indices, or for regression floats, with no labels.

    Raises
    ------
    ValueError
        If the target is missing everywhere or constant, or the task does not fit.
    """
    name, texts, number = column.name, texts_of(cells), column.kind == "number"
    values = column.parse(cells) if number else np.array([0.0 if cell else np.nan for cell in texts])
    rows = np.flatnonzero(~np.isnan(values))
    if not len(rows):
        raise ValueError(f"{path}: the target {name!r} is missing in every row; choose another by --target")
    values, found = values[rows], [texts[i] for i in rows]
    labels, indices = class_indices(found)
    if task == "auto":
        integers = bool((values % 1 == 0).all())
        few = len(labels) <= MAX_CLASSES and 2 * len(labels) <= max(len(rows), 4)
        task = "classification" if not number or (integers and few) else "regression"
    if task == "regression":
        if not number:
            raise ValueError(f"{path}: regression needs a numeric target, but {name!r} is {found[0][:40]!r} at first")
        if np.ptp(values) == 0:
            raise ValueError(f"{path}: the target {name!r} is {found[0]} in every row, which leaves nothing to learn")
        return rows, values, []
    if len(labels) < 2:
        raise ValueError(f"{path}: the target {name!r} has one class only, {labels[0]!r}; at least 2 are required")
    if len(labels) > len(rows) // 2 and len(labels) > MAX_CLASSES:
        count = f"{len(labels)} classes in {len(rows)} rows"
        raise ValueError(f"{path}: the target {name!r} has {count}; is it --task regression?")
    return rows, np.array([indices[cell] for cell in found], np.int64), labels
