"""Linear algebra: norms, systems of equations, decompositions and functions of matrices."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.extend import guard, nondifferentiable, primitive, raw_data, shape_of
from autograd.operands import holds_objects, in_wide_floats
from autograd.typing import Array, Axis, Operand

from .comparing import equal, isnan, logical_or, not_equal, or_one, sign, where
from .elementwise import absolute, log, power
from .indexing import getitem
from .joining import concatenate, diagonal
from .products import einsum
from .reducing import expanded, max, min, root_of_squares, sum
from .shaping import axes_of, expand_dims, lists_as_array, moveaxis, reshape, shape_tuple, squeeze, swapaxes, tril, triu

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
    if math.isinf(ord):
        return (max if ord > 0 else min)(size, axis, keepdims)
    if ord > 0:
        return sum(size**ord, axis, keepdims) ** (1.0 / ord)
    zeros = equal(x, 0)  # with one of them, norm and gradient are 0
    y = sum(where(zeros, 1.0, size) ** ord, axis, keepdims) ** (1.0 / ord)
    return where(sum(1.0 * zeros, axis, keepdims), 0.0 * y, y)


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
    if holds_objects(x):
        return _norm_of_powers(x, ord, axis, keepdims)
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
        The order `p`; 2 by default, `inf` for the largest and `-inf` for the smallest absolute value, 0 for the number
        of elements other than 0, which has no gradient.
    axis : int or tuple of int, optional
        The axes of the vectors; all by default, which gives the Frobenius norm of a matrix.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The norms.  With an infinite `ord`, tied elements share the gradient equally.  With a negative one, the norm of
        a vector that contains 0 is 0, and so is its gradient.

    Raises
    ------
    ValueError
        If `ord` is a string other than ``"fro"``, or nan.

    Examples
    --------
    >>> float(norm([3.0, -4.0])), float(norm([3.0, -4.0], 1)), float(norm([3.0, -4.0], math.inf))
    (5.0, 7.0, 4.0)
    """
    order = 2.0 if ord is None or ord == "fro" else ord
    if isinstance(order, str) or order != order:
        raise ValueError(f"norm expected a number as order, got {ord!r}; matrix_norm takes 'nuc'")
    if order == 0:
        return sum(1.0 * not_equal(x, 0), axis, keepdims)
    return (_norm if order > 0 else _norm_of_powers)(x, order, axis, keepdims)


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
    return np.linalg.inv(x)


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
    return np.linalg.det(x)


@primitive(lambda g, y, x: expand_dims(g, (-2, -1)) * swapaxes(inv(x)), composition=lambda x: log(absolute(det(x))))
def log_abs_det(x: Operand) -> Operand:
    """Return the logarithm of the absolute value of the determinant, without overflow."""
    return np.linalg.slogdet(x).logabsdet


@nondifferentiable(composition=lambda x: sign(det(x)))
def sign_of_det(x: Operand) -> Operand:
    """Return the sign of the determinant: -1, 0 or 1."""
    return np.linalg.slogdet(x).sign


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
    if len(np.shape(x)) < 2 or np.shape(x)[-1] != np.shape(x)[-2]:
        raise ValueError(f"expected square matrices, got shape {np.shape(x)}")
    y = np.linalg.cholesky(0.5 * (x + np.swapaxes(x, -1, -2)))
    return np.swapaxes(y, -1, -2) if upper else y


def _inverse_gaps(w: Operand) -> Operand:
    """Return ``1 / (w_j - w_i)``, and 0 for equal values."""
    return _inverse_or_zero(expand_dims(w, -2) - expand_dims(w, -1))


def _inverse_or_zero(x: Operand) -> Operand:
    return where(equal(x, 0), 0.0, 1.0 / where(equal(x, 0), 1.0, x))


def _diagonal(w: Operand) -> Operand:
    return expand_dims(w, -1) * np.eye(shape_tuple(w)[-1])


def as_matrices(x: Operand, name: str) -> Operand:
    """Return lists as an array, or raise if it has fewer than two axes."""
    x = lists_as_array(x)
    if len(shape_tuple(x)) < 2:
        raise ValueError(f"{name} expected matrices, got an array of shape {shape_tuple(x)}")
    return x


def where_finite(decompose: Callable[[Array], tuple[Array, ...]], x: Array) -> list[Array]:
    """Return the parts of a decomposition, nan for matrices with nan or inf, with which LAPACK would fail."""
    finite = np.asarray(np.isfinite(x).all((-2, -1)))
    if finite.all():
        return list(decompose(x))
    parts = decompose(np.where(finite[..., None, None], x, 0.0))
    return [np.where(finite.reshape(finite.shape + (1,) * (part.ndim - finite.ndim)), part, np.nan) for part in parts]


# ---------------------------------------------------------------------------------------------- eigenvalues


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and the eigenvectors as columns."""

    eigenvalues: Operand
    eigenvectors: Operand


def _eigh_pullback(g: Operand, y: Operand, x: Operand, UPLO: str) -> Operand:
    w, v, dw, dv = y[..., 0, :], y[..., 1:, :], g[..., 0, :], g[..., 1:, :]
    share = v @ (_diagonal(dw) + _inverse_gaps(w) * (swapaxes(v) @ dv)) @ swapaxes(v)
    share = 0.5 * (share + swapaxes(share))
    return tril(share) + tril(share, -1) if UPLO == "L" else triu(share) + triu(share, 1)


@primitive(_eigh_pullback)
def _eigh(x: Operand, UPLO: str = "L") -> Operand:
    """Return eigenvalues, as the first row, and eigenvectors of symmetric matrices."""
    w, v = where_finite(functools.partial(np.linalg.eigh, UPLO=UPLO), x)
    return np.concatenate([w[..., None, :], v], -2)


def eigh(x: Operand, UPLO: str = "L") -> EighResult:
    r"""Return eigenvalues and eigenvectors of symmetric matrices, :math:`X = V \operatorname{diag}(w) V^\top`.

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices.
    UPLO : {'L', 'U'}
        Whether the lower or the upper triangle is used, as its own mirror image; the gradient passes to this one.

    Returns
    -------
    EighResult
        ``eigenvalues`` (..., n) in ascending order and ``eigenvectors`` (..., n, n) as columns.

    Notes
    -----
    .. math:: \bar X = V \bigl(\operatorname{diag}(\bar w) + F \circ V^\top \bar V\bigr) V^\top, \quad
              F_{ij} = 1 / (w_j - w_i)

    Examples
    --------
    >>> eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    array([1., 2.])
    """
    packed = _eigh(as_matrices(x, "eigh"), UPLO=UPLO.upper())
    return EighResult(packed[..., 0, :], packed[..., 1:, :])


def eigvalsh(x: Operand, UPLO: str = "L") -> Operand:
    """Return the eigenvalues of symmetric matrices in ascending order.

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices.
    UPLO : {'L', 'U'}
        Whether the lower or the upper triangle is used.

    Returns
    -------
    ndarray or Tensor
        The eigenvalues (..., n).

    Examples
    --------
    >>> eigvalsh([[0.0, 1.0], [1.0, 0.0]])
    array([-1.,  1.])
    """
    return eigh(x, UPLO).eigenvalues


# ------------------------------------------------------------------------------------------- singular values


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as rows."""

    U: Operand
    S: Operand
    Vh: Operand


def _parts_of_svd(packed: Operand, n: int, m: int) -> tuple[Operand, Operand, Operand]:
    k, lead = (n if n < m else m), shape_tuple(packed)[:-1]
    u, s, vh = packed[..., : n * k], packed[..., n * k : n * k + k], packed[..., n * k + k :]
    return reshape(u, (*lead, n, k)), s, reshape(vh, (*lead, k, m))


def _svd_pullback(g: Operand, y: Operand, x: Operand) -> Operand:
    n, m = shape_tuple(x)[-2:]
    u, s, vh = _parts_of_svd(y, n, m)
    du, ds, dvh = _parts_of_svd(g, n, m)
    v, dv, gaps = swapaxes(vh), swapaxes(dvh), _inverse_gaps(s * s)
    a, b = swapaxes(u) @ du, swapaxes(v) @ dv
    inverse = _inverse_or_zero(s)
    row, column = expand_dims(s, -2), expand_dims(s, -1)
    core = gaps * (a - swapaxes(a)) * row + column * gaps * (b - swapaxes(b)) + _diagonal(ds)
    share = u @ core @ vh
    if n > m:
        share = share + ((du - u @ a) * expand_dims(inverse, -2)) @ vh
    if m > n:
        share = share + (u * expand_dims(inverse, -2)) @ swapaxes(dv - v @ b)
    return share


@primitive(_svd_pullback)
def _svd(x: Operand) -> Operand:
    """Return the parts of the reduced singular value decomposition, flattened and joined."""
    lead = x.shape[:-2]
    parts = where_finite(functools.partial(np.linalg.svd, full_matrices=False), x)
    return np.concatenate([part.reshape(*lead, math.prod(part.shape[len(lead) :])) for part in parts], -1)


def svd(x: Operand, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    r"""Return the singular value decomposition :math:`X = U \operatorname{diag}(s) V^\top`.

    Parameters
    ----------
    x : array_like or Tensor
        Matrices (..., n, m).
    full_matrices : bool
        Must be False unless the matrices are square: the further columns of `U` or rows of `Vh` are not unique.
    compute_uv : bool
        Whether to return the singular vectors too.

    Returns
    -------
    SVDResult, or the singular values alone if not `compute_uv`
        ``U`` (..., n, k), ``S`` (..., k) in descending order and ``Vh`` (..., k, m), with ``k = min(n, m)``.

    Raises
    ------
    ValueError
        If `full_matrices` is true and the matrices are not square.

    Examples
    --------
    >>> svd([[3.0, 0.0], [0.0, 4.0]]).S
    array([4., 3.])
    """
    x = as_matrices(x, "svd")
    n, m = shape_tuple(x)[-2:]
    if full_matrices and compute_uv and n != m:
        raise ValueError(
            f"svd of matrices of shape {n, m} has a gradient in reduced form only: pass full_matrices=False"
        )
    found = SVDResult(*_parts_of_svd(_svd(x), n, m))
    return found if compute_uv else found.S


def svdvals(x: Operand) -> Operand:
    """Return the singular values of matrices in descending order.

    Parameters
    ----------
    x : array_like or Tensor
        Matrices (..., n, m).

    Returns
    -------
    ndarray or Tensor
        The singular values (..., min(n, m)).

    Examples
    --------
    >>> svdvals([[3.0, 0.0], [0.0, 4.0]])
    array([4., 3.])
    """
    return svd(x, compute_uv=False)


# -------------------------------------------------------------------------------------------------------- QR


class QRResult(NamedTuple):
    """A matrix with orthonormal columns, and an upper triangular one."""

    Q: Operand
    R: Operand


def _qr_pullback(g: Operand, y: Operand, x: Operand) -> Operand:
    n = shape_tuple(x)[-2]
    q, r, dq, dr = y[..., :n, :], y[..., n:, :], g[..., :n, :], g[..., n:, :]
    m = r @ swapaxes(dr) - swapaxes(dq) @ q
    symmetric = tril(m) + swapaxes(tril(m, -1))
    return swapaxes(solve(r, swapaxes(dq + q @ symmetric)))


@primitive(_qr_pullback)
def _qr(x: Operand) -> Operand:
    """Return Q and, below it, R for matrices with at least as many rows as columns."""
    return np.concatenate(where_finite(np.linalg.qr, x), -2)


def qr(x: Operand) -> QRResult:
    """Return the reduced QR decomposition.

    Parameters
    ----------
    x : array_like or Tensor
        Matrices (..., n, m); the first ``min(n, m)`` columns are linearly independent.

    Returns
    -------
    QRResult
        ``Q`` (..., n, k) with orthonormal columns and the upper triangle ``R`` (..., k, m).

    Examples
    --------
    >>> q, r = qr([[3.0, 1.0], [4.0, 1.0]])
    >>> abs(r).round(2)
    array([[5. , 1.4],
           [0. , 0.2]])
    """
    x = as_matrices(x, "qr")
    n, m = shape_tuple(x)[-2:]
    packed = _qr(x[..., :n] if m > n else x)
    q, r = packed[..., :n, :], packed[..., n:, :]
    return QRResult(q, concatenate([r, swapaxes(q) @ x[..., n:]], -1) if m > n else r)


# -------------------------------------------------------------------------------- pseudo-inverse, least squares, powers


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
    axes = [[i, i + 1] for i in range(len(arrays))]
    axes[0] = axes[0][-len(shape_tuple(arrays[0])) :]
    axes[-1] = axes[-1][: len(shape_tuple(arrays[-1]))]
    return einsum(*[part for pair in zip(arrays, axes, strict=True) for part in pair])


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
