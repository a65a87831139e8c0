"""Cumulative sums and products, the product along axes, and sorting."""

import numpy as np

from autograd.rules import linear, nondifferentiable, primitive, shape_of
from autograd.typing import Axis, Operand

from .comparing import where
from .elementwise import exp, log, negative
from .indexing import flip, getitem, take_along_axis
from .joining import concatenate
from .reducing import expanded
from .shaping import axes_of, expand_dims, flat_or_axis, flatten, lists_as_array, moveaxis, reshape, shape_tuple


@linear(lambda g, y, x, axis: flip(cumsum(flip(g, axis), axis), axis))
def _cumsum(x: Operand, axis: int = -1) -> Operand:
    """Return the cumulative sum along an axis."""
    return np.cumsum(x, axis)


def cumsum(x: Operand, axis: int | None = None) -> Operand:
    """Return the cumulative sum along `axis`, or of the flat array.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The sum of the elements up to and including each position.

    Examples
    --------
    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.])
    """
    return _cumsum(*flat_or_axis(x, axis))


# ------------------------------------------------------------------------------------------------ products


def _shifted(x: Operand, first: float) -> Operand:
    """Shift `x` by one position along the last axis, starting with `first`."""
    shape = shape_of(x) or ()
    lead = np.full((*shape[:-1], 1), first, getattr(x, "dtype", None))
    return concatenate([lead, getitem(x, (..., slice(None, -1)))], -1) if shape[-1] else x


def _backward_recurrence(b: Operand, a: Operand) -> Operand:
    """Return ``w_k = b_k + a_{k+1} w_{k+1}``, the recurrence from the last element to the first."""
    return flip(_recurrence(flip(b, -1), _shifted(flip(a, -1), 0.0)), -1)


@primitive(
    lambda g, y, b, a: _backward_recurrence(g, a),
    lambda g, y, b, a: _backward_recurrence(g, a) * _shifted(y, 0.0),
)
def _recurrence(b: Operand, a: Operand) -> Operand:
    """Return the linear recurrence ``y_k = b_k + a_k y_{k-1}`` along the last axis, from ``y_0 = b_0``."""
    y = np.array(b, np.result_type(b, a))
    for k in range(1, y.shape[-1]):
        y[..., k] += a[..., k] * y[..., k - 1]
    return y


def _without_dividing(g: Operand, y: Operand, x: Operand, axis: int) -> Operand:
    g, y, x = (moveaxis(a, axis, -1) for a in (g, y, x))
    return moveaxis(_shifted(y, 1.0) * _backward_recurrence(g, x), -1, axis)


@primitive(_without_dividing)
def _cumprod(x: Operand, axis: int = -1) -> Operand:
    """Return the cumulative product along an axis."""
    return np.cumprod(x, axis)


def cumprod(x: Operand, axis: int | None = None) -> Operand:
    r"""Return the cumulative product along `axis`, or of the flat array.

    Its pullback is a linear recurrence without division, so elements may be zero:

    .. math:: \bar x_i = y_{i-1} s_i, \qquad s_i = \bar y_i + x_{i+1} s_{i+1}

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The product of the elements up to and including each position.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> cumprod(x).sum().backward()
    >>> x.grad
    array([1., 8., 0.])
    """
    return _cumprod(*flat_or_axis(x, axis))


def _product_of_others(x: Operand, axis: Axis) -> Operand:
    """Return for each element the product of the others along the axes: those before it times those after it."""
    shape = shape_of(x)
    if shape is None:
        return 1.0
    if len(shape) == 0:
        return np.ones((), getattr(x, "dtype", None))
    reduced = axes_of(axis, len(shape))
    last = tuple(range(-len(reduced), 0))
    moved = moveaxis(x, reduced, last)
    rows = flatten(moved, len(shape) - len(reduced)) if reduced else expand_dims(x, -1)
    before = _cumprod(_shifted(rows, 1.0), -1)
    after = flip(_cumprod(_shifted(flip(rows, -1), 1.0), -1), -1)
    return moveaxis(reshape(before * after, shape_tuple(moved)), last, reduced)


@primitive(
    lambda g, y, x, axis, keepdims: expanded(g, x, axis, keepdims) * _product_of_others(x, axis), onnx="ReduceProd"
)
def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the product along `axis`, or of all elements, which may be zero.

    The derivative with respect to an element is the product of those before it times the product of those after it.

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
def argsort(x: Operand, axis: int = -1) -> Operand:
    """Return the indices that sort the elements along `axis`; equal elements keep their order.

    >>> argsort([3.0, 1.0, 2.0])
    array([1, 2, 0])
    """
    return np.argsort(x, axis=axis, kind="stable")


def sort(x: Operand, axis: int | None = -1) -> Operand:
    """Sort the elements along `axis`, or of the flat array; equal elements keep their order.

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    axis : int, optional
        The axis; None for the flat array.

    Returns
    -------
    ndarray or Tensor
        The sorted elements; the gradient of each goes back to its original position.

    Examples
    --------
    >>> sort([3.0, 1.0, 2.0])
    array([1., 2., 3.])
    """
    x, axis = flat_or_axis(x, axis)
    return take_along_axis(x, argsort(x, axis), axis)


@nondifferentiable()
def argpartition(x: Operand, kth: int = 0, axis: int = -1) -> Operand:
    """Return indices that put the element of rank `kth` in its place, smaller ones before and larger ones after it.

    >>> int(argpartition([3.0, 1.0, 2.0], kth=0)[0])
    1
    """
    return np.argpartition(x, kth, axis=axis)


def partition(x: Operand, kth: int, axis: int | None = -1) -> Operand:
    """Put the element of rank `kth` in its place along `axis`, smaller ones before and larger ones after it.

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    kth : int or sequence of int
        The rank, or several.
    axis : int, optional
        The axis; None for the flat array.

    Returns
    -------
    ndarray or Tensor
        The elements in another order.

    Examples
    --------
    >>> float(partition([3.0, 1.0, 2.0], 1)[1])
    2.0
    """
    x, axis = flat_or_axis(x, axis)
    return take_along_axis(x, argpartition(x, kth=kth, axis=axis), axis)


# ------------------------------------------------------------------------------------------ running extremes


@nondifferentiable()
def _running_argmax(x: Operand, axis: int = -1) -> Operand:
    """Return the index of the last largest element up to each position; nan is larger than everything."""
    x = np.moveaxis(x, axis, -1)
    top = np.maximum.accumulate(x, axis=-1)
    hit = (x == top) | np.isnan(x)
    return np.moveaxis(np.maximum.accumulate(np.where(hit, np.arange(x.shape[-1]), 0), axis=-1), -1, axis)


def cummax(x: Operand, axis: int = -1) -> Operand:
    """Return the largest element up to each position along an axis; of equal ones the last gets the gradient.

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    axis : int
        The axis.

    Returns
    -------
    ndarray or Tensor
        The running maximum.

    Examples
    --------
    >>> cummax([1.0, 3.0, 2.0])
    array([1., 3., 3.])
    """
    return take_along_axis(x, _running_argmax(x, axis=axis), axis)


def cummin(x: Operand, axis: int = -1) -> Operand:
    """Return the smallest element up to each position along an axis; of equal ones the last gets the gradient.

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    axis : int
        The axis.

    Returns
    -------
    ndarray or Tensor
        The running minimum.

    Examples
    --------
    >>> cummin([2.0, 3.0, 1.0])
    array([2., 2., 1.])
    """
    return take_along_axis(x, _running_argmax(negative(x), axis=axis), axis)


def _pull_scan(g: Operand, y: Operand, x: Operand, axis: int) -> Operand:
    """Return the sums of ``g_i exp(x_j - y_i)`` over i >= j, in logarithms, which do not overflow."""
    shares = []
    for side in (g, -g):
        positive = side > 0
        terms = where(positive, log(where(positive, side, 1.0)), -np.inf) - where(positive, y, 0.0)
        total = flip(_logcumsumexp(flip(terms, axis), axis=axis), axis)
        shares.append(exp(where(total == -np.inf, -np.inf, total + x)))
    return shares[0] - shares[1]


@primitive(_pull_scan)
def _logcumsumexp(x: Operand, axis: int = -1) -> Operand:
    """Return the logarithm of the cumulative sum of exponentials along an axis."""
    return np.logaddexp.accumulate(x, axis=axis) if x.size else x


def logcumsumexp(x: Operand, axis: int = -1) -> Operand:
    r"""Return the logarithm of the cumulative sum of exponentials along an axis, without overflow.

    .. math:: y_i = \log \sum_{j \le i} e^{x_j}

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    axis : int
        The axis.

    Returns
    -------
    ndarray or Tensor
        The logarithms.

    Examples
    --------
    >>> logcumsumexp([1000.0, 1000.0]).round(3)
    array([1000.   , 1000.693])
    """
    return _logcumsumexp(lists_as_array(x), axis=axis)
