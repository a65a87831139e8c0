r"""Eigenvalues, singular values and QR decompositions.

A decomposition has several results and one derivative: a primitive computes them as one array, of which the public
function returns the parts.  The derivatives are those of Giles 2008, "Collected matrix derivative results", of Townsend
2016, "Differentiating the singular value decomposition", and of Walter, Lehmann & Lamour 2012 for QR.

Eigenvectors and singular vectors of repeated values are not unique and have no derivative; the terms between equal
values are left out, so that functions which do not depend on the choice of vectors have the right gradient.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograd.rules import primitive
from autograd.typing import Array, Operand

from .comparing import equal, where
from .joining import concatenate
from .linalg import solve
from .shaping import expand_dims, lists_as_array, reshape, shape_tuple, swapaxes, tril


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


def _eigh_pullback(g: Operand, y: Operand, x: Operand) -> Operand:
    w, v, dw, dv = y[..., 0, :], y[..., 1:, :], g[..., 0, :], g[..., 1:, :]
    share = v @ (_diagonal(dw) + _inverse_gaps(w) * (swapaxes(v) @ dv)) @ swapaxes(v)
    return 0.5 * (share + swapaxes(share))


@primitive(_eigh_pullback)
def _eigh(x: Operand) -> Operand:
    """Return eigenvalues, as the first row, and eigenvectors of symmetric matrices."""
    w, v = where_finite(np.linalg.eigh, 0.5 * (x + np.swapaxes(x, -1, -2)))
    return np.concatenate([w[..., None, :], v], -2)


def eigh(x: Operand) -> EighResult:
    r"""Return eigenvalues and eigenvectors of symmetric matrices, :math:`X = V \operatorname{diag}(w) V^\top`.

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices, of which the symmetric part is used.

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
    packed = _eigh(as_matrices(x, "eigh"))
    return EighResult(packed[..., 0, :], packed[..., 1:, :])


def eigvalsh(x: Operand) -> Operand:
    """Return the eigenvalues of symmetric matrices in ascending order.

    Parameters
    ----------
    x : array_like or Tensor
        Square matrices, of which the symmetric part is used.

    Returns
    -------
    ndarray or Tensor
        The eigenvalues (..., n).

    Examples
    --------
    >>> eigvalsh([[0.0, 1.0], [1.0, 0.0]])
    array([-1.,  1.])
    """
    return eigh(x).eigenvalues


# ------------------------------------------------------------------------------------------- singular values


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as rows."""

    U: Operand
    S: Operand
    Vh: Operand


def _parts_of_svd(packed: Operand, n: int, m: int) -> tuple[Operand, Operand, Operand]:
    k, lead = min(n, m), shape_tuple(packed)[:-1]
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
    return np.concatenate([part.reshape(*lead, -1) for part in parts], -1)


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
