"""Broadcasting and its adjoint, conversion of dtypes, and the product below a mask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from autograd.rules import linear, nondifferentiable, shape_of, xp
from autograd.typing import Cotangent, Data, Operand, Shape

from .comparing import isfinite, logical_or, not_equal
from .selecting import where

__all__ = ["astype", "broadcast_to"]


def _leading_and_stretched(shape: Shape, target: Shape) -> Shape:
    lead = len(shape) - len(target)
    return (*range(lead), *(i + lead for i, n in enumerate(target) if n == 1 and shape[i + lead] != 1))


@linear(
    # a zero `g` that was taken has the derivative `x`, one that was not taken may have an infinite `x`
    lambda c, y, g, x: product_if_taken(c, where(logical_or(not_equal(g, 0), isfinite(x)), x, 0.0)),
    lambda c, y, g, x: product_if_taken(g, c),  # where `g` was not taken, `x` has no derivative either
    symbol="*", selects=True, scalar="where(g == 0.0, 0.0, x) * g", sample=((0.2, 2.0), (-2.0, 2.0)),
)  # fmt: skip
def product_if_taken(g: Operand, x: Operand) -> Operand:
    """Return ``g * x`` where a zero `g` means *not taken*: 0 even if `x` is infinite or nan."""
    return xp(g, x).where(g == 0, 0.0, x) * g


@linear(lambda g, y, x, shape: broadcast_to(g, shape_of(x)))
def sum_to(x: Operand, shape: Shape | None = ()) -> Operand:
    """Sum over broadcast axes, back to `shape` (None: to a float): the adjoint of `broadcast_to`."""
    if shape is None:
        return float(np.sum(x))
    axes = _leading_and_stretched(np.shape(x), shape)
    return np.sum(x, axis=axes, keepdims=True).reshape(shape) if axes else np.reshape(x, shape)


@linear(lambda g, y, x, shape: sum_to(g, shape_of(x)))
def broadcast_to(x: Operand, shape: Shape | None = ()) -> Operand:
    """Repeat an array to `shape` by NumPy's broadcasting rules (None: convert to a float).

    >>> broadcast_to([1.0, 2.0], (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    if shape is None:
        return float(x)
    whole = np.empty_like(x, shape=shape)  # a copy: a view with stride 0 slows down later operations
    whole[...] = x
    return whole


@linear(lambda g, y, x, dtype: astype(g, getattr(x, "dtype", np.float64)))
def _astype(x: Operand, dtype: npt.DTypeLike = np.float64) -> Operand:
    """Convert to another floating-point dtype."""
    return x if type(x) is float else _array(x).astype(dtype)


@nondifferentiable()
def _cast(x: Operand, dtype: npt.DTypeLike = np.int64) -> Operand:
    """Convert to integers or booleans, which have no gradient."""
    return _array(x).astype(dtype)


def _array(x: Operand) -> Operand:
    return x if hasattr(x, "astype") else np.asarray(x)


def astype(x: Operand, dtype: npt.DTypeLike) -> Operand:
    """Convert to another dtype; gradients pass between floating-point dtypes and return in the dtype of `x`.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values; a float is returned unchanged.
    dtype : dtype
        A floating-point, integer or bool dtype; integers and booleans have no gradient.

    Returns
    -------
    ndarray, Tensor, float or Value
        The converted values.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    >>> astype(x, np.float64).sum().backward()
    >>> x.grad.dtype
    dtype('float32')
    """
    wanted = np.dtype(dtype)
    if wanted.kind not in "fiub":
        raise TypeError(f"astype expected a float, integer or bool dtype, got {wanted}")
    return (_astype if wanted.kind == "f" else _cast)(x, dtype=wanted)


def full_like(a: Operand, fill_value: Operand) -> Operand:
    """Return an array of the shape and dtype of `a`, filled with a value through which the gradient passes.

    >>> full_like(np.zeros(2), 3.0)
    array([3., 3.])
    """
    return astype(broadcast_to(fill_value, shape_of(a)), getattr(a, "dtype", np.float64))


def fitted(share: Cotangent, like: Data) -> Cotangent:
    """Return a share of cotangent in the shape and dtype of its operand: the only place that undoes broadcasting."""
    shape = like.shape if type(like) is np.ndarray else None
    if shape_of(share) != shape:
        share = sum_to(share, shape)
    if shape is not None and share.dtype != like.dtype:
        share = astype(share, like.dtype)
    return share
