"""What is to be predicted: classes or numbers, found out from the column itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .tables import Table, missing, number, read_table

__all__ = ["find_target", "target_values"]

Array = np.ndarray[Any, Any]
MOST_CLASSES = 20  # whole numbers with more different values are quantities


def find_target(table: Table, given: str | None) -> tuple[str, list[str], list[int], list[str] | None, int | None]:
    """Return name, cells, lines and words of the target, and its position if it is a column of the table."""
    from_file = given is not None and given not in table.names and _is_file(given)
    if from_file:
        assert given is not None
        other = read_table(given)
        if len(other.names) != 1:
            raise ValueError(f"{given} has {len(other.names)} columns; a file of targets has one")
        if len(other.rows) != len(table.rows):
            raise ValueError(f"{given} has {len(other.rows)} rows, and {table.path} has {len(table.rows)}")
        return (other.names[0] if other.headed else "target"), other.column(0), other.lines, None, None
    place = len(table.names) - 1 if given is None else table.place(given)
    words = table.labels if place == len(table.names) - 1 else None
    return table.names[place], table.column(place), table.lines, words, place


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def target_values(
    path: str, name: str, cells: Sequence[str], lines: Sequence[int], words: list[str] | None, task: str
) -> tuple[Array, list[str] | None]:
    """Return class indices and the classes' names, or numbers and None.

    Raises
    ------
    ValueError
        If a target is missing, there is one class only, or the task does not fit.
    """
    for cell, line in zip(cells, lines, strict=True):
        if missing(cell):
            raise ValueError(f"{path}, line {line}: the target {name!r} is missing; a target cannot be filled in")
    values = [number(cell) for cell in cells]
    numeric = all(value is not None for value in values)
    if task == "auto":
        distinct = set(cells)
        whole = numeric and all(float(cell).is_integer() for cell in distinct)
        few = len(distinct) <= MOST_CLASSES and 2 * len(distinct) <= max(len(cells), 4)
        task = "classification" if not numeric or (whole and few) else "regression"
    if task == "regression":
        if not numeric:
            at = values.index(None)
            raise ValueError(
                f"{path}, line {lines[at]}: the target {name!r} is {cells[at][:40]!r}, which is no number to regress on"
            )
        y = np.array(values, float)
        if np.ptp(y) == 0:
            raise ValueError(f"{path}: the target {name!r} is {cells[0]} in every row; there is nothing to learn")
        return y, None
    found = sorted(set(cells), key=float if numeric else None)
    if len(found) < 2:
        raise ValueError(
            f"{path}: the target {name!r} has one class only, {found[0]!r}; there is nothing to tell apart"
        )
    if len(found) > len(cells) // 2 and len(found) > MOST_CLASSES:
        raise ValueError(
            f"{path}: the target {name!r} has {len(found)} classes in {len(cells)} rows; is it --task regression?"
        )
    indices = {cell: i for i, cell in enumerate(found)}
    y = np.array([indices[cell] for cell in cells], np.int64)
    return y, words if words is not None and len(words) == len(found) else found
