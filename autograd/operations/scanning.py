"""Running sums and products, the product of everything, and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.rules import linear, nondifferentiable, primitive, shape_of

from .indexing import flip, getitem, take_along_axis
from .joining import concatenate
from .reducing import Axis, expanded
from .shaping import axis_number, moveaxis, reshape, shape_tuple, transpose


@linear(lambda g, y, x, axis: flip(cumsum(flip(g, axis), axis), axis))
def _cumsum(x: Any, axis: int = -1) -> Any:
    """Return the running sum along an axis."""
    return np.cumsum(x, axis)


def cumsum(x: Any, axis: int | None = None) -> Any:
    """Return the running sum along `axis`, or of the flat array.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The numbers.
    axis : int, optional
        Along which axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        At each place the sum up to and including it.

    Examples
    --------
    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.])
    """
    return _cumsum(reshape(x, (-1,)), 0) if axis is None else _cumsum(x, axis)


# ------------------------------------------------------------------------------------------------ products


def _shifted(x: Any, first: float) -> Any:
    """Return `x` one place later along the last axis, led by `first`."""
    shape = shape_of(x) or ()
    lead = np.full((*shape[:-1], 1), first, getattr(x, "dtype", None))
    return concatenate([lead, getitem(x, (..., slice(None, -1)))], -1) if shape[-1] else x


def _backward_recurrence(b: Any, a: Any) -> Any:
    """Return ``w_k = b_k + a_{k+1} w_{k+1}``, the recurrence that starts at the end."""
    return flip(_recurrence(flip(b, -1), _shifted(flip(a, -1), 0.0)), -1)


@primitive(
    lambda g, y, b, a: _backward_recurrence(g, a),
    lambda g, y, b, a: _backward_recurrence(g, a) * _shifted(y, 0.0),
)
def _recurrence(b: Any, a: Any) -> Any:
    """Linear recurrence ``y_k = b_k + a_k y_{k-1}`` along the last axis, from ``y_0 = b_0``."""
    y = np.array(b, np.result_type(b, a))
    for k in range(1, y.shape[-1]):
        y[..., k] += a[..., k] * y[..., k - 1]
    return y


def _without_dividing(g: Any, y: Any, x: Any, axis: int) -> Any:
    g, y, x = (moveaxis(a, axis, -1) for a in (g, y, x))
    return moveaxis(_shifted(y, 1.0) * _backward_recurrence(g, x), -1, axis)


@primitive(_without_dividing)
def _cumprod(x: Any, axis: int = -1) -> Any:
    """Return the running product along an axis."""
    return np.cumprod(x, axis)


def cumprod(x: Any, axis: int | None = None) -> Any:
    r"""Return the running product along `axis`, or of the flat array.

    Its pullback is a linear recurrence, which never divides and so is right where elements are zero:

    .. math:: \bar x_i = y_{i-1} s_i, \qquad s_i = \bar y_i + x_{i+1} s_{i+1}

    Parameters
    ----------
    x : array_like, Tensor or Value
        The numbers.
    axis : int, optional
        Along which axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        At each place the product up to and including it.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> cumprod(x).sum().backward()
    >>> x.grad
    array([1., 8., 0.])
    """
    return _cumprod(reshape(x, (-1,)), 0) if axis is None else _cumprod(x, axis)


def _product_of_others(x: Any, axis: Axis) -> Any:
    """Return for each element the product of all others along the axes: those before it times those after it."""
    shape = shape_of(x)
    if shape is None:
        return 1.0
    if len(shape) == 0:
        return np.ones((), getattr(x, "dtype", None))
    axes = range(len(shape)) if axis is None else [axis] if isinstance(axis, (int, np.integer)) else axis
    reduced = [axis_number(a, len(shape)) for a in axes]
    order = (*(i for i in range(len(shape)) if i not in reduced), *reduced)
    rows = transpose(x, order)
    moved = shape_tuple(rows)
    kept = moved[: len(shape) - len(reduced)]
    rows = reshape(rows, (*kept, int(np.prod(moved[len(kept) :]))))
    before = _cumprod(_shifted(rows, 1.0), -1)
    after = flip(_cumprod(_shifted(flip(rows, -1), 1.0), -1), -1)
    return transpose(reshape(before * after, moved), tuple(np.argsort(order)))


@primitive(
    lambda g, y, x, axis, keepdims: expanded(g, x, axis, keepdims) * _product_of_others(x, axis), onnx="ReduceProd"
)
def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Product along `axis`, or of everything; its derivative never divides, so zeros are no exception.

    The derivative in one element is the product of those before it times the product of those after it.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> prod(x).backward()
    >>> x.grad
    array([6., 0., 0.])
    """
    return x if type(x) is float else np.prod(x, axis=axis, keepdims=keepdims)


# ------------------------------------------------------------------------------------------------- sorting


@nondifferentiable()
def argsort(x: Any, axis: int = -1) -> Any:
    """Places of the elements in ascending order along `axis`; equal elements keep their order.

    >>> argsort([3.0, 1.0, 2.0])
    array([1, 2, 0])
    """
    return np.argsort(x, axis=axis, kind="stable")


def sort(x: Any, axis: int | None = -1) -> Any:
    """Elements in ascending order along `axis`, or of the flat array; equal elements keep their order.

    Parameters
    ----------
    x : array_like or Tensor
        The numbers.
    axis : int, optional
        Along which axis; None for the flat array.

    Returns
    -------
    ndarray or Tensor
        The sorted numbers; each passes its gradient back to where it came from.

    Examples
    --------
    >>> sort([3.0, 1.0, 2.0])
    array([1., 2., 3.])
    """
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return take_along_axis(x, argsort(x, axis), axis)
