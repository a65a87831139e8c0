"""Pseudo-inverses, least squares, powers, exponentials, products and norms of matrices."""

import functools
import math
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.recording import guard
from autograd.rules import nondifferentiable, primitive
from autograd.typing import Array, Operand

from .decompositions import as_matrices, svdvals, where_finite
from .elementwise import absolute
from .indexing import getitem
from .linalg import inv, norm, solve
from .products import einsum
from .reducing import max, min, sum
from .shaping import axes_of, expand_dims, lists_as_array, moveaxis, shape_tuple, swapaxes


def _pinv_pullback(g: Operand, y: Operand, x: Operand, rcond: float) -> Operand:
    n, m = shape_tuple(x)[-2:]
    yt, gt = swapaxes(y), swapaxes(g)
    return -(yt @ g @ yt) + (np.eye(n) - x @ y) @ gt @ y @ yt + yt @ y @ gt @ (np.eye(m) - y @ x)


@primitive(_pinv_pullback)
def _pinv(x: Operand, rcond: float = 1e-15) -> Operand:
    """Return the pseudo-inverse."""
    return where_finite(lambda a: (np.linalg.pinv(a, rcond),), x)[0]


def pinv(x: Operand, rcond: float = 1e-15) -> Operand:
    """Return the Moore-Penrose pseudo-inverse; its derivative assumes that the rank stays the same.

    The derivative is equation 4.12 of Golub & Pereyra 1973.

    Parameters
    ----------
    x : array_like or Tensor
        Matrices (..., n, m).
    rcond : float
        Singular values below this fraction of the largest one count as zero.

    Returns
    -------
    ndarray or Tensor
        The pseudo-inverses (..., m, n).

    Examples
    --------
    >>> pinv([[2.0, 0.0], [0.0, 0.0]])
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    return _pinv(as_matrices(x, "pinv"), rcond=rcond)


@nondifferentiable()
def matrix_rank(x: Operand) -> Operand:
    """Return the rank of matrices.

    >>> int(matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    return np.linalg.matrix_rank(np.where(np.isfinite(x), x, 0.0))


class LstsqResult(NamedTuple):
    """A least-squares solution, its sums of squared residuals, and rank and singular values of the matrix."""

    solution: Operand
    residuals: Operand
    rank: Operand
    singular_values: Operand


def lstsq(a: Operand, b: Operand) -> LstsqResult:
    r"""Return the solution of :math:`\min_x \|a x - b\|`, the one of smallest norm if there are several.

    Parameters
    ----------
    a : array_like or Tensor
        A matrix (n, m).
    b : array_like or Tensor
        A vector (n,) or a matrix (n, k).

    Returns
    -------
    LstsqResult
        ``solution`` (m,) or (m, k), ``residuals`` (sums of squares), ``rank`` and ``singular_values`` of `a`.

    Examples
    --------
    >>> lstsq([[1.0], [1.0]], [1.0, 3.0]).solution
    array([2.])
    """
    a, b = as_matrices(a, "lstsq"), lists_as_array(b)
    solution = pinv(a) @ b
    return LstsqResult(solution, sum((b - a @ solution) ** 2, 0), matrix_rank(a), svdvals(a))


# ------------------------------------------------------------------------------------- functions of matrices


def matrix_power(x: Operand, n: int) -> Operand:
    """Return an integer power of square matrices, of the inverse for negative `n`.

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices.
    n : int
        The exponent.

    Returns
    -------
    ndarray or Tensor
        The power, by repeated squaring.

    Examples
    --------
    >>> matrix_power([[1.0, 1.0], [0.0, 1.0]], 5)
    array([[1., 5.],
           [0., 1.]])
    """
    x = as_matrices(x, "matrix_power")
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"matrix_power expected an integer exponent, got {n!r}")
    if n < 0:
        x, n = inv(x), -n
    power = x * 0.0 + np.eye(shape_tuple(x)[-1], dtype=getattr(x, "dtype", None)) if n == 0 else None
    while n:
        if n & 1:
            power = x if power is None else power @ x
        n >>= 1
        x = x @ x if n else x
    return power


def multi_dot(arrays: Sequence[Operand]) -> Operand:
    """Return the product of several matrices, in the order that needs the fewest operations.

    Parameters
    ----------
    arrays : sequence of array_like or Tensor
        Matrices; the first and the last may be vectors.

    Returns
    -------
    ndarray or Tensor
        The product.

    Examples
    --------
    >>> multi_dot([[1.0, 2.0], np.eye(2), [3.0, 4.0]]).item()
    11.0
    """
    if len(arrays) < 2:
        raise ValueError(f"multi_dot expected at least two arrays, got {len(arrays)}")
    letters = string.ascii_letters
    terms = [letters[i : i + 2] for i in range(len(arrays))]
    first, last = (len(shape_tuple(x)) == 1 for x in (arrays[0], arrays[-1]))
    if first:
        terms[0] = terms[0][1]
    if last:
        terms[-1] = terms[-1][0]
    result = ("" if first else letters[0]) + ("" if last else letters[len(arrays)])
    return einsum(f"{','.join(terms)}->{result}", *arrays)


# Numerator coefficients of the Pade approximant of degree 13 (Higham 2005, table 2.3).
_PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip


def _halvings(x: Array) -> int:
    size = np.max(np.sum(np.abs(x), axis=-2), initial=0.0)
    return int(np.ceil(np.log2(size / 5.37))) if 5.37 < size < np.inf else 0


def expm(x: Operand) -> Operand:
    """Return the matrix exponential by scaling and squaring (Higham 2005).

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices.

    Returns
    -------
    ndarray or Tensor
        The exponentials.

    Examples
    --------
    >>> expm([[0.0, 1.0], [0.0, 0.0]])
    array([[1., 1.],
           [0., 1.]])
    """
    x = as_matrices(x, "expm")
    halvings = guard(_halvings, x)
    x = x / 2.0**halvings
    eye = np.eye(shape_tuple(x)[-1], dtype=getattr(x, "dtype", None))
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    b = [float(c) for c in _PADE]
    odd = x @ (x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * eye)
    even = x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * eye
    y = solve(even - odd, even + odd)
    return functools.reduce(lambda y, _: y @ y, range(halvings), y)


def matrix_norm(
    x: Operand, ord: float | str | None = None, axis: tuple[int, int] = (-2, -1), keepdims: bool = False
) -> Operand:
    """Return a norm of matrices.

    Parameters
    ----------
    x : array_like or Tensor
        The matrices.
    ord : {'fro', 'nuc', 1, -1, 2, -2, inf, -inf}, optional
        Frobenius norm (default), sum of the singular values, largest or smallest sum of a column's absolute values,
        largest or smallest singular value, largest or smallest sum of a row's.
    axis : pair of int
        The axes of the rows and of the columns.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The norms.

    Examples
    --------
    >>> x = [[1.0, -2.0], [0.0, 3.0]]
    >>> float(matrix_norm(x, 1)), float(matrix_norm(x, math.inf))
    (5.0, 3.0)
    """
    x = as_matrices(x, "matrix_norm")
    if ord in (None, "fro"):
        return norm(x, None, axis, keepdims)
    axes: Any = axes_of(axis, len(shape_tuple(x)))
    y = moveaxis(x, axes, (-2, -1))
    if ord in ("nuc", 2, -2):
        values = svdvals(y)
        found = sum(values, -1) if ord == "nuc" else getitem(values, (..., 0 if ord == 2 else -1))
    elif ord in (1, -1, math.inf, -math.inf):
        found = (max if ord > 0 else min)(sum(absolute(y), -2 if abs(ord) == 1 else -1), -1)
    else:
        raise ValueError(f"matrix_norm expected ord 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    return expand_dims(found, axes) if keepdims else found
