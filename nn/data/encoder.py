"""Encode the columns of a table as the features of a network, and its target."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from nn.typing import Array, State

from .cells import Cells, Contents
from .columns import Column, texts_of
from .notation import class_indices
from .prepare import RobustScaler

MAX_CLASSES = 20  # integers with more distinct values are quantities


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
        contents = []
        for column, cells in self.matched(table):
            read = cells if column.kind == "words" else column.parse(cells)
            column.fit(read if rows is None else taken(read, rows))
            contents.append(read)
        return self._joined(contents)

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
        return self._joined([cells for _, cells in self.matched(table)])

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

    def _joined(self, contents: Sequence[Contents]) -> Array:
        pairs = sorted(zip(self.columns, contents, strict=True), key=lambda pair: pair[0].embedded)
        return np.concatenate([column.encode(cells) for column, cells in pairs], axis=1)

    def matched(self, table: Cells) -> list[tuple[Column, Contents]]:
        """Return each column with its cells in a table."""
        places = {name: i for i, name in enumerate(table.names)}
        absent = [column.name for column in self.columns if column.name not in places]
        if absent and table.header:
            shown = ", ".join(map(repr, absent[:12])) + (", ..." if len(absent) > 12 else "")
            required = ", ".join(column.name for column in self.columns)
            raise ValueError(f"{table.path} has no column {shown}; required are {required}")
        if absent and len(table.names) != len(self.columns):
            count = f"{len(table.names)} columns without names, but {len(self.columns)} are required"
            raise ValueError(f"{table.path} has {count}: {', '.join(column.name for column in self.columns)}")
        return [(c, table.columns[i if absent else places[c.name]]) for i, c in enumerate(self.columns)]

    def groups(self, embedding: int = 1) -> dict[str, list[int]]:
        """Return the features of each column by name, where an embedded one has `embedding` features."""
        columns = sorted(self.columns, key=lambda column: column.embedded)
        widths = [embedding if column.embedded else column.encode([""]).shape[1] for column in columns]
        edges = np.cumsum([0, *widths]).tolist()
        return {c.name: list(range(*edge)) for c, edge in zip(columns, itertools.pairwise(edges), strict=True)}

    def state_dict(self) -> State:
        """Return columns and scale as plain data."""
        assert self.scale is not None
        return {"columns": [column.state_dict() for column in self.columns], "scale": self.scale.state_dict()}

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
    name, texts = column.name, texts_of(cells)
    values = column.parse(cells) if column.kind == "number" else np.array([np.nan] * len(texts))
    rows = np.flatnonzero(~np.isnan(values) if column.kind == "number" else [cell != "" for cell in texts])
    if not len(rows):
        raise ValueError(f"{path}: the target {name!r} is missing in every row; choose another by --target")
    values, found = values[rows], [texts[i] for i in rows]
    labels, indices = class_indices(found)
    if task == "auto":
        integers = column.kind == "number" and bool((values % 1 == 0).all())
        few = len(labels) <= MAX_CLASSES and 2 * len(labels) <= max(len(rows), 4)
        task = "classification" if column.kind != "number" or (integers and few) else "regression"
    if task == "regression":
        if column.kind != "number":
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
