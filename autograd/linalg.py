"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rules import linear, shape_of
from .shaping import reshape, swapaxes


def _as_matrices(g: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return cotangent and factors with the unit axes that a vector operand goes without."""
    sx, sy, sg = shape_of(x) or (), shape_of(y) or (), shape_of(g) or ()
    if len(sx) == 1:
        x, sg = reshape(x, (1, *sx)), (*sg[:-1], 1, *sg[-1:]) if len(sy) > 1 else (1, *sg)
    if len(sy) == 1:
        y, sg = reshape(y, (*sy, 1)), (*sg, 1)
    return reshape(g, sg) if sg != shape_of(g) else g, x, y


def _left(g: Any, z: Any, x: Any, y: Any) -> Any:
    g, _, matrix = _as_matrices(g, x, y)
    share = g @ swapaxes(matrix)
    return _drop_unit(share, -2) if len(shape_of(x) or ()) == 1 else share


def _right(g: Any, z: Any, x: Any, y: Any) -> Any:
    g, matrix, _ = _as_matrices(g, x, y)
    share = swapaxes(matrix) @ g
    return _drop_unit(share, -1) if len(shape_of(y) or ()) == 1 else share


def _drop_unit(x: Any, axis: int) -> Any:
    shape = list(shape_of(x) or ())
    del shape[axis]
    return reshape(x, tuple(shape))


@linear(_left, _right, symbol="@")
def matmul(x: Any, y: Any) -> Any:
    """Matrix product of (..., n, k) and (..., k, m); a vector on either side is a row or a column."""
    return np.matmul(x, y)
