"""Matrix products, norms, linear systems and determinants."""

import math
from typing import NamedTuple

import numpy as np

from autograd.operands import in_wide_floats
from autograd.recording import raw_data
from autograd.rules import linear, nondifferentiable, primitive, shape_of
from autograd.typing import Axis, Operand, Shape

from .comparing import equal, isnan, logical_or, or_one, sign
from .elementwise import absolute, log, power
from .indexing import diagonal, getitem
from .reducing import expanded, max, root_of_squares, sum
from .shaping import expand_dims, reshape, shape_tuple, squeeze, swapaxes


def _as_matrices(g: Operand, x: Operand, y: Operand) -> tuple[Operand, Operand, Operand]:
    """Return cotangent and factors as matrices: a vector gets the axis of length 1 that it lacks."""
    sx, sy, sg = shape_of(x) or (), shape_of(y) or (), shape_of(g) or ()
    if len(sx) == 1:
        x, sg = reshape(x, (1, *sx)), (*sg[:-1], 1, *sg[-1:]) if len(sy) > 1 else (1, *sg)
    if len(sy) == 1:
        y, sg = reshape(y, (*sy, 1)), (*sg, 1)
    return reshape(g, sg) if sg != shape_of(g) else g, x, y


def _left(g: Operand, z: Operand, x: Operand, y: Operand) -> Operand:
    g, _, matrix = _as_matrices(g, x, y)
    share = g @ swapaxes(matrix)
    return squeeze(share, -2) if len(shape_of(x) or ()) == 1 else share


def _right(g: Operand, z: Operand, x: Operand, y: Operand) -> Operand:
    g, matrix, _ = _as_matrices(g, x, y)
    share = swapaxes(matrix) @ g
    return squeeze(share, -1) if len(shape_of(y) or ()) == 1 else share


@linear(_left, _right, symbol="@", into=np.matmul, onnx="MatMul")
def matmul(x: Operand, y: Operand) -> Operand:
    r"""Return the matrix product of (..., n, k) and (..., k, m); a vector is a row on the left, a column on the right.

    The adjoints of :math:`Z = X Y` are :math:`\bar X = \bar Z Y^\top` and :math:`\bar Y = X^\top \bar Z`.

    Examples
    --------
    >>> matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, -1.0])
    array([-1., -1.])
    """
    try:
        return np.matmul(x, y)
    except ValueError:
        raise ValueError(_why_no_product(np.shape(x), np.shape(y))) from None


def _why_no_product(x: Shape, y: Shape) -> str:
    """Return the message for arrays of these shapes, which cannot be multiplied."""
    if not x or not y:
        return f"expected arrays with at least one axis, got shapes {x} and {y}; use * to multiply by a scalar"
    rows = y[-2] if len(y) > 1 else y[0]
    if x[-1] != rows:
        return (
            f"shapes {x} and {y} do not fit: the rows of the first are {x[-1]} long, the columns of the second {rows}"
        )
    return f"shapes {x} and {y} do not fit: the leading axes {x[:-2]} and {y[:-2]} do not broadcast"


# -------------------------------------------------------------------------------------------- trace and norm


def trace(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Operand:
    """Return the sum of the diagonal of the matrices along two axes.

    Parameters
    ----------
    x : array_like or Tensor
        An array of at least two axes.
    offset : int
        The diagonal, as in `diagonal`.
    axis1, axis2 : int
        The axes of the rows and of the columns.

    Returns
    -------
    ndarray or Tensor
        The sum, for each position along further axes.

    Examples
    --------
    >>> float(trace([[1.0, 2.0], [3.0, 4.0]]))
    5.0
    """
    return sum(diagonal(x, offset, axis1, axis2), -1)


def _norm_pullback(g: Operand, y: Operand, x: Operand, ord: float, axis: Axis, keepdims: bool) -> Operand:
    g, y = expanded(g, x, axis, keepdims), expanded(y, x, axis, keepdims)
    if ord == 1:
        return g * sign(x)
    if ord == math.inf:
        hit = logical_or(equal(absolute(x), y), isnan(x))
        return g * sign(x) * hit / sum(1.0 * hit, axis, True)
    if ord == 2:
        return g * (x / or_one(y))
    size = absolute(x)
    if ord < 2:  # the second derivative by a 0 among other elements is infinite; for ord < 1 the first is, too
        size = or_one(size)
    return g * sign(x) * power(size / or_one(y), ord - 1.0)


def _norm_of_powers(x: Operand, ord: float, axis: Axis, keepdims: bool) -> Operand:
    size = absolute(x)
    if ord == math.inf:
        return max(size, axis, keepdims)
    return sum(size**ord, axis, keepdims) ** (1.0 / ord)


@primitive(_norm_pullback, composition=_norm_of_powers)
@in_wide_floats
def _norm(x: Operand, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the p-norm of vectors."""
    if type(x) is float:
        return abs(x)
    if ord == 2:
        return root_of_squares(x, axis, keepdims)
    size = np.abs(x)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    peak = np.max(size, axis=axis, keepdims=True, initial=0.0)
    if ord != math.inf:
        unit = np.where((peak > 0) & np.isfinite(peak), peak, peak.dtype.type(1))
        peak = unit * np.sum((size / unit) ** ord, axis=axis, keepdims=True) ** (1.0 / ord)
    return peak if keepdims else np.squeeze(peak, axis=axis)[()]


def norm(x: Operand, ord: float | str | None = None, axis: Axis = None, keepdims: bool = False) -> Operand:
    r"""Return the p-norm of vectors, Euclidean by default, without overflow; its gradient at the zero vector is 0.

    .. math:: \|x\|_p = \Bigl(\sum_i |x_i|^p\Bigr)^{1/p}, \qquad \|x\|_\infty = \max_i |x_i|

    Parameters
    ----------
    x : array_like, Tensor or Value
        The vectors.
    ord : float, optional
        The order `p` > 0; 2 by default, `inf` for the largest absolute value.
    axis : int or tuple of int, optional
        The axes of the vectors; all by default, which gives the Frobenius norm of a matrix.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The norms.  With ``ord=inf``, tied elements share the gradient equally.

    Raises
    ------
    ValueError
        If `ord` is not positive.

    Examples
    --------
    >>> float(norm([3.0, -4.0])), float(norm([3.0, -4.0], 1)), float(norm([3.0, -4.0], math.inf))
    (5.0, 7.0, 4.0)
    """
    order = 2.0 if ord is None or ord == "fro" else ord
    if isinstance(order, str) or not order > 0:
        raise ValueError(f"norm expected an order above 0, or inf, got {ord!r}")
    return _norm(x, order, axis, keepdims)


# --------------------------------------------------------------------------------------- inverse and systems


@primitive(lambda g, y, x: -(swapaxes(y) @ g @ swapaxes(y)))
def inv(x: Operand) -> Operand:
    r"""Return the inverse of square matrices; for linear systems, `solve` is faster and more accurate.

    The pullback of :math:`Y = X^{-1}` is :math:`\bar X = -Y^\top \bar Y Y^\top`.

    Examples
    --------
    >>> inv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return np.linalg.inv(_square(x))


def _square(x: Operand) -> Operand:
    if len(np.shape(x)) < 2 or np.shape(x)[-1] != np.shape(x)[-2]:
        raise ValueError(f"expected square matrices, got shape {np.shape(x)}")
    return x


def _solve_transposed(g: Operand, y: Operand, a: Operand, b: Operand) -> Operand:
    if len(shape_of(b) or ()) > 1:
        return solve(swapaxes(a), g)
    return squeeze(solve(swapaxes(a), expand_dims(g, -1)), -1)


def _solve_of_matrix(g: Operand, y: Operand, a: Operand, b: Operand) -> Operand:
    g = _solve_transposed(g, y, a, b)
    if len(shape_of(b) or ()) > 1:
        return -(g @ swapaxes(y))
    return -(expand_dims(g, -1) * expand_dims(y, -2))


@primitive(_solve_of_matrix, _solve_transposed)
def solve(a: Operand, b: Operand) -> Operand:
    r"""Return the solution `x` of ``a @ x = b``; `b` is a vector if it has one axis, else a matrix of columns.

    The pullback solves with the transpose: :math:`\bar b = A^{-\top} \bar x` and
    :math:`\bar A = -\bar b \, x^\top`.

    Examples
    --------
    >>> solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5])
    """
    rows = np.shape(b)[0 if np.ndim(b) == 1 else -2] if np.ndim(b) else 0
    if np.shape(_square(a))[-1] != rows:
        raise ValueError(
            f"{np.shape(a)[-1]} equations need as many rows on the right-hand side, got shape {np.shape(b)}"
        )
    return np.linalg.solve(a, b)


# -------------------------------------------------------------------------------------------- determinants


def _cofactors(y: Operand, x: Operand) -> Operand:
    """Return the derivative of the determinant `y` of `x`: by the inverse, or by minors if a matrix is singular."""
    if np.all(raw_data(y)):
        return expand_dims(y, (-2, -1)) * swapaxes(inv(x))
    n = shape_tuple(x)[-1]
    rest = np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=int).reshape(n, n - 1)
    minors = getitem(x, (..., rest[:, None, :, None], rest[None, :, None, :]))
    return det(minors) * (-1.0) ** np.add.outer(np.arange(n), np.arange(n))


@primitive(lambda g, y, x: expand_dims(g, (-2, -1)) * _cofactors(y, x), onnx="Det")
def det(x: Operand) -> Operand:
    r"""Return the determinant of square matrices; its gradient is the matrix of cofactors, even if `x` is singular.

    The cofactors are :math:`\det(X) \, X^{-\top}` if the determinant is not 0, else determinants of minors.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> det(x).backward()
    >>> x.grad
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return np.linalg.det(_square(x))


@primitive(lambda g, y, x: expand_dims(g, (-2, -1)) * swapaxes(inv(x)), composition=lambda x: log(absolute(det(x))))
def log_abs_det(x: Operand) -> Operand:
    """Return the logarithm of the absolute value of the determinant, without overflow."""
    return np.linalg.slogdet(_square(x)).logabsdet


@nondifferentiable(composition=lambda x: sign(det(x)))
def sign_of_det(x: Operand) -> Operand:
    """Return the sign of the determinant: -1, 0 or 1."""
    return np.linalg.slogdet(_square(x)).sign


class SlogdetResult(NamedTuple):
    """Sign and logarithm of the absolute value of a determinant."""

    sign: Operand
    logabsdet: Operand


def slogdet(x: Operand) -> SlogdetResult:
    """Return the sign of the determinant and the logarithm of its absolute value, which does not overflow.

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices.

    Returns
    -------
    SlogdetResult
        ``sign``, through which no gradient passes, and ``logabsdet``.

    Examples
    --------
    >>> float(slogdet([[2.0, 0.0], [0.0, 0.5]]).logabsdet)
    0.0
    """
    return SlogdetResult(sign_of_det(x), log_abs_det(x))


def _cholesky_pullback(g: Operand, y: Operand, x: Operand, upper: bool) -> Operand:
    g, y = (swapaxes(g), swapaxes(y)) if upper else (g, y)
    n = shape_tuple(x)[-1]
    lower = (swapaxes(y) @ g) * (np.tril(np.ones((n, n))) - 0.5 * np.eye(n))
    half = solve(swapaxes(y), swapaxes(solve(swapaxes(y), swapaxes(lower))))
    return 0.5 * (half + swapaxes(half))


@primitive(_cholesky_pullback)
def cholesky(x: Operand, upper: bool = False) -> Operand:
    r"""Return the lower triangle :math:`L` with :math:`L L^\top = x` for positive definite matrices.

    With `upper`, return :math:`L^\top`.

    Only the symmetric part of `x` is used. The pullback is equation 10 of Murray 2016, where :math:`\Phi` takes the
    lower triangle and half of the diagonal:

    .. math:: \bar x = \tfrac12 (S + S^\top), \qquad S = L^{-\top} \, \Phi(L^\top \bar L) \, L^{-1}

    Examples
    --------
    >>> cholesky([[4.0, 0.0], [0.0, 9.0]])
    array([[2., 0.],
           [0., 3.]])
    """
    x = _square(x)
    y = np.linalg.cholesky(0.5 * (x + np.swapaxes(x, -1, -2)))
    return np.swapaxes(y, -1, -2) if upper else y
