"""Operations along axes: reductions, cumulative sums and products, sorting, and statistics."""

import math
import warnings
from typing import Any

import numpy as np

from autograd.extend import linear, nondifferentiable, primitive, shape_of
from autograd.operands import as_real, holds_objects, in_wide_floats
from autograd.typing import Axis, Operand, Operation

from .comparing import clip, equal, isnan, logical_or, maximum, minimum, or_one, where
from .elementwise import exp, log, multiply, negative, sqrt, subtract
from .indexing import flip, getitem, take, take_along_axis
from .joining import atleast_2d, concatenate, diag
from .shaping import astype, axes_of, broadcast_to, expand_dims, flat_or_axis, flatten, moveaxis, reshape, shape_tuple


def expanded(g: Operand, x: Operand, axis: Axis, keepdims: bool) -> Operand:
    """Return the result or cotangent `g` of a reduction of `x` with reduced axes of length 1, to broadcast with `x`."""
    shape = shape_of(x)
    if shape is None or keepdims or axis is None:
        return g
    reduced = axes_of(axis, len(shape))
    return reshape(g, tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def _count(x: Operand, axis: Axis) -> int:
    """Return the number of elements of `x` that are reduced to one."""
    shape = shape_tuple(x)
    return math.prod([shape[i] for i in axes_of(axis, len(shape))])


_sum: Operation = np.add.reduce  # np.sum without its overhead


@linear(
    lambda g, y, x, axis, keepdims: broadcast_to(expanded(g, x, axis, keepdims), shape_of(x)),
    into=_sum, onnx="ReduceSum",
)  # fmt: skip
def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the sum along `axis`, or of all elements.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    return x if type(x) is float else _sum(x, axis=axis, keepdims=keepdims)


def _divided(g: Operand, n: float) -> Operand:
    """Return ``g / n``, with a factor of ``1/n`` if `n` overflows in float16."""
    return g * (1.0 / n) if n > 65504 else g / n


@linear(
    lambda g, y, x, axis, keepdims: broadcast_to(
        expanded(_divided(g, _count(x, axis) or 1), x, axis, keepdims), shape_of(x)
    ),
    onnx="ReduceMean",
)
def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the arithmetic mean along `axis`, or of all elements.

    >>> mean([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([1.5, 3.5])
    """
    return x if type(x) is float else np.mean(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------- variance, standard deviation


def _deviation(x: Operand, axis: Axis) -> Operand:
    return x - (mean(x, axis, True) if shape_of(x) is not None else x)


def _freedom(x: Operand, axis: Axis, ddof: float, name: str = "") -> float:
    """Return the number of degrees of freedom; nan, with a warning about the operation `name`, if there is none."""
    left = _count(x, axis) - ddof
    if left > 0:
        return left
    if name:
        reason = f"{name} of {_count(x, axis)} value(s) with ddof={ddof} is nan, as no degree of freedom is left"
        warnings.warn(f"{reason}; use ddof=0 or more values", RuntimeWarning, stacklevel=6)
    return math.nan


@primitive(
    lambda g, y, x, axis, keepdims, ddof: (
        expanded(g, x, axis, keepdims) * (2.0 / _freedom(x, axis, ddof)) * _deviation(x, axis)
    )
)
@in_wide_floats
def var(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    r"""Return the variance along `axis`, or of all elements.

    .. math:: \frac{1}{n - \mathrm{ddof}} \sum_i (x_i - \bar x)^2

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.
    ddof : float
        Subtracted from the count: 0 as in NumPy; 1 gives the unbiased estimate, PyTorch's default.  PyTorch's name
        `correction` is accepted too.

    Returns
    -------
    ndarray, Tensor, float or Value
        The variance.

    Warns
    -----
    RuntimeWarning
        If there are not more than `ddof` values; the variance is nan.

    Examples
    --------
    >>> float(var([1.0, 2.0, 3.0])), float(var([1.0, 2.0, 3.0], ddof=1))
    (0.6666666666666666, 1.0)
    """
    freedom = _freedom(x, axis, ddof, "var")
    if type(x) is float:
        return 0.0 / freedom
    return np.sum(np.square(_deviation(x, axis)), axis=axis, keepdims=keepdims) / freedom


def _std_pullback(g: Operand, y: Operand, x: Operand, axis: Axis, keepdims: bool, ddof: float) -> Operand:
    g = _divided(g, _freedom(x, axis, ddof))
    if _count(x, axis) > 1:  # the deviation of a single value is 0 whatever the value
        g = g / or_one(y)
    return expanded(g, x, axis, keepdims) * _deviation(x, axis)


@primitive(
    _std_pullback,
    composition=lambda x, axis, keepdims, ddof: sqrt(var(x, axis, keepdims, ddof)),
)
@in_wide_floats
def std(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    r"""Return the standard deviation along `axis`, or of all elements; its gradient is 0 where all values are equal.

    .. math:: \sqrt{\frac{1}{n - \mathrm{ddof}} \sum_i (x_i - \bar x)^2}

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.
    ddof : float
        Subtracted from the count: 0 as in NumPy; 1 is PyTorch's default, whose name `correction` is accepted too.

    Returns
    -------
    ndarray, Tensor, float or Value
        The standard deviation.

    Warns
    -----
    RuntimeWarning
        If there are not more than `ddof` values; the result is nan.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([2.0, 2.0], requires_grad=True)
    >>> std(x).backward()
    >>> x.grad
    array([0., 0.])
    """
    freedom = _freedom(x, axis, ddof, "std")
    if type(x) is float:
        return 0.0 / freedom
    return root_of_squares(_deviation(x, axis), axis, keepdims) / math.sqrt(freedom)


def root_of_squares(x: Operand, axis: Axis, keepdims: bool) -> Operand:
    """Return ``sqrt(sum(x**2))``; where the squares overflow or underflow, `x` is divided by its largest element."""
    with np.errstate(over="ignore"):
        total = np.sum(x * x, axis=axis, keepdims=True)
    y = np.sqrt(total)
    if not holds_objects(x):
        limits = np.finfo(y.dtype)
        if not np.all((total > limits.tiny / limits.eps) & (total < np.inf)):
            peak = np.max(np.abs(x), axis=axis, keepdims=True, initial=0.0)
            peak = np.where((peak > 0) & np.isfinite(peak), peak, y.dtype.type(1))
            y = peak * np.sqrt(np.sum(np.square(x / peak), axis=axis, keepdims=True))
    return y if keepdims else np.squeeze(y, axis=axis)[()]


# -------------------------------------------------------------------------------------------- extreme elements


def _shared_among_ties(g: Operand, y: Operand, x: Operand, axis: Axis, keepdims: bool) -> Operand:
    hit = logical_or(equal(x, expanded(y, x, axis, keepdims)), isnan(x))
    return expanded(g, x, axis, keepdims) * hit / sum(1.0 * hit, axis, True)


def _extreme(choose: Operation, reduce: Operation, x: Operand, axis: Axis, keepdims: bool) -> Operand:
    """Return the extreme elements by NumPy's `reduce`; of an array of `Value`s, by an operation on two of them."""
    if not holds_objects(x):
        return x if type(x) is float else reduce(x, axis=axis, keepdims=keepdims)
    for i in sorted(axes_of(axis, x.ndim), reverse=True):
        x = np.frompyfunc(choose, 2, 1).reduce(x, axis=i, keepdims=keepdims)
    return x


@primitive(_shared_among_ties, onnx="ReduceMax")
def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the largest element along `axis`, or of all; ties share the gradient equally, as in JAX.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 3.0, 3.0], requires_grad=True)
    >>> max(x).backward()
    >>> x.grad
    array([0. , 0.5, 0.5])
    """
    return _extreme(maximum, np.max, x, axis, keepdims)


@primitive(_shared_among_ties, onnx="ReduceMin")
def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the smallest element along `axis`, or of all; ties share the gradient equally.

    >>> min([[1.0, 2.0], [4.0, 3.0]], axis=1)
    array([1., 3.])
    """
    return _extreme(minimum, np.min, x, axis, keepdims)


@nondifferentiable(onnx="ArgMax")
def argmax(x: Operand, axis: int | None = None, keepdims: bool = False) -> Operand:
    """Return the index of the largest element along `axis`, or in the flat array; the first of several.

    >>> argmax([[1.0, 2.0], [4.0, 3.0]], axis=1)
    array([1, 0])
    """
    return np.argmax(x, axis=axis, keepdims=keepdims)


@nondifferentiable(onnx="ArgMin")
def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Operand:
    """Return the index of the smallest element along `axis`, or in the flat array; the first of several.

    >>> argmin([[1.0, 2.0], [4.0, 3.0]], axis=1)
    array([0, 1])
    """
    return np.argmin(x, axis=axis, keepdims=keepdims)


@nondifferentiable(onnx="ReduceMax")
def any(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return whether any element along `axis` is nonzero or true.

    >>> any([[0.0, 2.0], [0.0, 0.0]], axis=1)
    array([ True, False])
    """
    return np.any(x, axis=axis, keepdims=keepdims)


@nondifferentiable(onnx="ReduceMin")
def all(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return whether all elements along `axis` are nonzero or true.

    >>> all([[1.0, 2.0], [1.0, 0.0]], axis=1)
    array([ True, False])
    """
    return np.all(x, axis=axis, keepdims=keepdims)


# ------------------------------------------------------------------------------------------------- exponentials


def _finite_peak(x: Operand, axis: Axis) -> Operand:
    """Return the maximum, subtracted to prevent overflow; 0 where it is infinite, as ``inf - inf`` is nan."""
    if holds_objects(x):
        return _extreme(maximum, np.max, x, axis, True)
    peak = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(peak), peak, 0.0)


def _softmax_of_logsumexp(g: Operand, y: Operand, x: Operand, axis: Axis, keepdims: bool) -> Operand:
    y, g = expanded(y, x, axis, keepdims), expanded(g, x, axis, keepdims)
    return g * exp(x - where(equal(y, -np.inf), 0.0, y))


@primitive(_softmax_of_logsumexp, onnx="ReduceLogSumExp")
@in_wide_floats
def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    r"""Return the logarithm of a sum of exponentials along `axis` without overflow; its gradient is the softmax.

    .. math:: \log \sum_j e^{x_j} = m + \log \sum_j e^{x_j - m}, \qquad m = \max_j x_j

    If all elements are ``-inf``, the result is ``-inf`` with gradient 0.

    Examples
    --------
    >>> round(float(logsumexp([1000.0, 1000.0])), 3)
    1000.693
    """
    peak = _finite_peak(x, axis)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - peak), axis=axis, keepdims=True)) + peak
    return y if keepdims else np.squeeze(y, axis=axis)[()]


@primitive(lambda g, y, x, axis: y * (g - sum(g * y, axis, True)), onnx="Softmax")
@in_wide_floats
def softmax(x: Operand, axis: int = -1) -> Operand:
    r"""Return the softmax :math:`e^{x_j} / \sum_k e^{x_k}` along `axis` without overflow.

    Its pullback is :math:`\bar x = y \, (\bar y - \sum_k \bar y_k y_k)`.

    Examples
    --------
    >>> softmax([1000.0, 1000.0])
    array([0.5, 0.5])
    """
    e = np.exp(x - _finite_peak(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


@primitive(lambda g, y, x, axis: g - exp(y) * sum(g, axis, True), onnx="LogSoftmax")
@in_wide_floats
def log_softmax(x: Operand, axis: int = -1) -> Operand:
    r"""Return the logarithm of the softmax along `axis`, exact where the softmax underflows.

    Its pullback is :math:`\bar x = \bar y - e^y \sum_k \bar y_k`.

    Examples
    --------
    >>> log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    shifted = x - _finite_peak(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


# ------------------------------------------------------------------------------------------------------ cumulative sums


@linear(lambda g, y, x, axis: reshape(flip(cumsum(flip(g, axis), axis), axis), shape_of(x)))
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
    return np.cumsum(x, axis)


# ------------------------------------------------------------------------------------------------ products


def _shifted(x: Operand, first: float) -> Operand:
    """Shift `x` by one position along the last axis, starting with `first`."""
    shape = shape_of(x) or ()
    lead = np.full((*shape[:-1], 1), first, getattr(x, "dtype", None))
    return concatenate([lead, getitem(x, (..., slice(None, -1)))], -1) if shape[-1] else x


def _reverse_scan(b: Operand, a: Operand) -> Operand:
    """Return ``w_k = b_k + a_{k+1} w_{k+1}``, the recurrence from the last element to the first."""
    return flip(_recurrence(flip(b, -1), _shifted(flip(a, -1), 0.0)), -1)


@primitive(lambda g, y, b, a: _reverse_scan(g, a), lambda g, y, b, a: _reverse_scan(g, a) * _shifted(y, 0.0))
def _recurrence(b: Operand, a: Operand) -> Operand:
    """Return the linear recurrence ``y_k = b_k + a_k y_{k-1}`` along the last axis, from ``y_0 = b_0``."""
    y = np.array(b, np.result_type(b, a))
    for k in range(1, y.shape[-1]):
        y[..., k] += a[..., k] * y[..., k - 1]
    return y


def _without_dividing(g: Operand, y: Operand, x: Operand, axis: int) -> Operand:
    g, y, x = (moveaxis(a, axis, -1) for a in (g, y, x))
    return moveaxis(_shifted(y, 1.0) * _reverse_scan(g, x), -1, axis)


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


def _other_products(x: Operand, axis: Axis) -> Operand:
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


@primitive(lambda g, y, x, axis, keepdims: expanded(g, x, axis, keepdims) * _other_products(x, axis), onnx="ReduceProd")
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
        total = flip(logcumsumexp(flip(terms, axis), axis=axis), axis)
        shares.append(exp(where(total == -np.inf, -np.inf, total + x)))
    return shares[0] - shares[1]


@primitive(_pull_scan)
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
    return np.logaddexp.accumulate(x, axis=axis) if x.size else x


# ----------------------------------------------------------------------------------------------------------- statistics


def average(x: Operand, axis: Axis = None, weights: Operand = None, keepdims: bool = False) -> Operand:
    r"""Return the weighted average :math:`\sum_i w_i x_i / \sum_i w_i` along `axis`, or of all elements.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    weights : array_like or Tensor, optional
        Of the shape of `x`, or a vector along one axis; equal weights by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The average.

    Examples
    --------
    >>> float(average([1.0, 2.0], weights=[3.0, 1.0]))
    1.25
    """
    if weights is None:
        return mean(x, axis, keepdims)
    x, weights = as_real(x), as_real(weights)
    shape = shape_tuple(x)
    if shape_tuple(weights) != shape:
        np.average(np.zeros(shape), axis, np.ones(shape_tuple(weights)))  # checks the arguments
        (place,) = axes_of(axis, len(shape))
        weights = broadcast_to(reshape(weights, (-1,) + (1,) * (len(shape) - place - 1)), shape)
    return sum(multiply(x, weights), axis, keepdims) / sum(weights, axis, keepdims)


def quantile(x: Operand, q: Any, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return quantiles along `axis`, or of all elements, interpolated between the two nearest ones.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    q : float or array_like of float
        Probabilities between 0 and 1.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The quantiles; those of several probabilities are along the first axis. The gradient goes to the elements
        between which a quantile lies.

    Examples
    --------
    >>> float(quantile([1.0, 2.0, 4.0], 0.75))
    3.0
    """
    q = np.asarray(q, float)
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError(f"quantile expected probabilities between 0 and 1, got {q.tolist()}")
    shape = shape_tuple(x)
    reduced = axes_of(axis, len(shape))
    rows = moveaxis(x, reduced, tuple(range(-len(reduced), 0)))
    rows = sort(flatten(rows, len(shape) - len(reduced)) if reduced else expand_dims(rows, -1), -1)
    if not shape_tuple(rows)[-1]:
        raise ValueError(f"quantile expected values, got an empty array of shape {shape} (axis={axis})")
    place = q.ravel() * (shape_tuple(rows)[-1] - 1)
    low = np.floor(place).astype(int)
    high, part = np.ceil(place).astype(int), place - low
    below, above = as_real(take(rows, low, -1)), as_real(take(rows, high, -1))
    rise = above - below
    found = below + rise * part.astype(getattr(rise, "dtype", part.dtype))
    # One nan makes the quantiles of its row nan; it is the last element after sorting.
    found = moveaxis(where(isnan(take(rows, [-1], -1)), np.nan, found), -1, 0)
    if keepdims:
        found = expand_dims(found, tuple(1 + a for a in reduced))
    return reshape(found, q.shape + shape_tuple(found)[1:])


def percentile(x: Operand, q: Any, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return percentiles, the `quantile` for ``q / 100``.

    Parameters
    ----------
    q : float or array_like of float
        Percentages between 0 and 100.
    x, axis, keepdims
        As in `quantile`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The percentiles.

    Examples
    --------
    >>> float(percentile([1.0, 2.0, 4.0], 75))
    3.0
    """
    return quantile(x, np.asarray(q, float) / 100.0, axis, keepdims)


def median(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the median along `axis`, or of all elements; of an even count, the mean of the two in the middle.

    Parameters
    ----------
    x, axis, keepdims
        As in `quantile`.

    Examples
    --------
    >>> float(median([4.0, 1.0, 2.0]))
    2.0
    """
    return quantile(x, 0.5, axis, keepdims)


def ptp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the range, the largest minus the smallest element along `axis`, or of all elements.

    Parameters
    ----------
    x, axis, keepdims
        As in `quantile`.

    Examples
    --------
    >>> float(ptp([4.0, 1.0, 2.0]))
    3.0
    """
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def cov(m: Operand, y: Operand = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Operand:
    """Return the covariance matrix of variables.

    Parameters
    ----------
    m : array_like or Tensor
        A variable, or a matrix with one variable in each row.
    y : array_like or Tensor, optional
        More variables.
    rowvar : bool
        False if the variables are columns.
    bias : bool
        Divide by the number of observations, not by one less.
    ddof : int, optional
        Subtracted from the number of observations; overrides `bias`.

    Returns
    -------
    ndarray or Tensor
        The covariance matrix; a number for one variable.

    Examples
    --------
    >>> cov([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    parts = [atleast_2d(part) for part in (m, y) if part is not None]
    if not rowvar:
        parts = [x.mT if len(shape_tuple(part)) > 1 else x for x, part in zip(parts, (m, y), strict=False)]
    rows = concatenate(parts, 0) if len(parts) > 1 else parts[0]
    count = shape_tuple(rows)[1] - ((0 if bias else 1) if ddof is None else ddof)
    rows = rows - mean(rows, 1, True)
    found = rows @ rows.mT / count
    return reshape(found, ()) if shape_tuple(found) == (1, 1) else found


def corrcoef(x: Operand, y: Operand = None, rowvar: bool = True) -> Operand:
    """Return the matrix of correlation coefficients of variables.

    Parameters
    ----------
    x : array_like or Tensor
        A variable, or a matrix with one variable in each row.
    y : array_like or Tensor, optional
        More variables.
    rowvar : bool
        False if the variables are columns.

    Returns
    -------
    ndarray or Tensor
        The correlations, between -1 and 1.

    Examples
    --------
    >>> corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar)
    if not shape_tuple(c):
        return c / c
    deviation = sqrt(diag(c))
    return clip(c / expand_dims(deviation, 1) / deviation, -1.0, 1.0)


# -------------------------------------------------------------------------------------------- without nan


def _without_nan(x: Operand, neutral: float) -> Operand:
    return where(isnan(x), neutral, x)


def nansum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the sum along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The sum.

    Examples
    --------
    >>> float(nansum([1.0, np.nan, 3.0]))
    4.0
    """
    return sum(_without_nan(x, 0.0), axis, keepdims)


def nanprod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the product along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Examples
    --------
    >>> float(nanprod([1.0, np.nan, 3.0]))
    3.0
    """
    return prod(_without_nan(x, 1.0), axis, keepdims)


def _wide(x: Operand) -> Operand:
    """Return float16 as float32, in which sums and counts do not overflow, and anything else unchanged."""
    return astype(x, np.float32) if getattr(x, "dtype", None) == np.float16 else x


def _count_without_nan(x: Operand, axis: Axis, keepdims: bool) -> Operand:
    one = np.ones((), getattr(x, "dtype", None))
    return sum(where(isnan(x), 0.0 * one, one), axis, keepdims)


def nanmean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the mean along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The mean, nan if there are no other values.

    Examples
    --------
    >>> float(nanmean([1.0, np.nan, 3.0]))
    2.0
    """
    wide = _wide(x)
    mean = nansum(wide, axis, keepdims) / _count_without_nan(wide, axis, keepdims)
    return mean if wide is x else astype(mean, np.float16)


def nanvar(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    """Return the variance along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.
    ddof : float
        Subtracted from the count of values.

    Examples
    --------
    >>> float(nanvar([1.0, np.nan, 3.0]))
    1.0
    """
    wide = _wide(x)
    squares = subtract(wide, nanmean(wide, axis, True)) ** 2
    variance = nansum(squares, axis, keepdims) / (_count_without_nan(wide, axis, keepdims) - ddof)
    return variance if wide is x else astype(variance, np.float16)


def nanstd(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    """Return the standard deviation along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.
    ddof : float
        Subtracted from the count of values.

    Examples
    --------
    >>> float(nanstd([1.0, np.nan, 3.0]))
    1.0
    """
    return sqrt(nanvar(x, axis, keepdims, ddof))


def nanmax(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the largest element along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The largest element, nan if there are no other values.

    Examples
    --------
    >>> float(nanmax([1.0, np.nan, 3.0]))
    3.0
    """
    found = max(_without_nan(x, -np.inf), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), np.nan, found)


def nanmin(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the smallest element along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The smallest element, nan if there are no other values.

    Examples
    --------
    >>> float(nanmin([1.0, np.nan, 3.0]))
    1.0
    """
    found = min(_without_nan(x, np.inf), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), np.nan, found)
