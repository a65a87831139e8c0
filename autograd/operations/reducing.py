"""Operations that reduce or normalise along axes."""

import math
import warnings

import numpy as np

from autograd.operands import holds_objects, in_wide_floats
from autograd.rules import linear, nondifferentiable, primitive, shape_of
from autograd.typing import Axis, Operand, Operation

from .comparing import equal, isnan, logical_or, maximum, minimum, or_one, where
from .elementwise import exp, sqrt
from .shaping import axes_of, broadcast_to, reshape, shape_tuple


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


def _freedom(x: Operand, axis: Axis, ddof: float) -> float:
    """Return the number of degrees of freedom, nan if it is not positive."""
    left = _count(x, axis) - ddof
    return left if left > 0 else math.nan


@primitive(
    lambda g, y, x, axis, keepdims, ddof: (
        expanded(g, x, axis, keepdims) * (2.0 / _freedom(x, axis, ddof)) * _deviation(x, axis)
    )
)
@in_wide_floats
def _var(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    """Return the mean squared deviation from the mean."""
    if type(x) is float:
        return 0.0 / _freedom(x, axis, ddof)
    return np.sum(np.square(_deviation(x, axis)), axis=axis, keepdims=keepdims) / _freedom(x, axis, ddof)


@primitive(
    lambda g, y, x, axis, keepdims, ddof: (
        expanded(_divided(g, _freedom(x, axis, ddof)) / or_one(y), x, axis, keepdims) * _deviation(x, axis)
    ),
    composition=lambda x, axis, keepdims, ddof: sqrt(_var(x, axis, keepdims, ddof)),
)
@in_wide_floats
def _std(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    """Return the root of the mean squared deviation from the mean."""
    if type(x) is float:
        return 0.0 / _freedom(x, axis, ddof)
    return root_of_squares(_deviation(x, axis), axis, keepdims) / math.sqrt(_freedom(x, axis, ddof))


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


def var(
    x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None
) -> Operand:
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
        Subtracted from the count: 0 as in NumPy; 1 gives the unbiased estimate, PyTorch's default.
    correction : float, optional
        PyTorch's name of `ddof`.

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
    return _var(x, axis, keepdims, _checked_ddof("var", x, axis, ddof if correction is None else correction))


def std(
    x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0, *, correction: float | None = None
) -> Operand:
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
        Subtracted from the count: 0 as in NumPy; 1 is PyTorch's default.
    correction : float, optional
        PyTorch's name of `ddof`.

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
    return _std(x, axis, keepdims, _checked_ddof("std", x, axis, ddof if correction is None else correction))


def _checked_ddof(name: str, x: Operand, axis: Axis, ddof: float) -> float:
    count = _count(x, axis)
    if count <= ddof:
        warnings.warn(
            f"{name} of {count} value(s) with ddof={ddof} is nan, as no degree of freedom is left; use ddof=0 or more "
            "values",
            RuntimeWarning,
            stacklevel=3,
        )
    return ddof


# -------------------------------------------------------------------------------------------- extreme elements


def _shared_among_ties(g: Operand, y: Operand, x: Operand, axis: Axis, keepdims: bool) -> Operand:
    hit = logical_or(equal(x, expanded(y, x, axis, keepdims)), isnan(x))
    return expanded(g, x, axis, keepdims) * hit / sum(1.0 * hit, axis, True)


def _require_elements(x: Operand, axis: Axis) -> None:
    if not _count(x, axis):
        along = "" if axis is None else f" along axis {axis}"
        raise ValueError(f"cannot choose from the array of shape {np.shape(x)}, which is empty{along}")


def _extreme(choose: Operation, reduce: Operation, x: Operand, axis: Axis, keepdims: bool) -> Operand:
    """Return the extreme elements by NumPy's `reduce`; of an array of `Value`s, by an operation on two of them."""
    _require_elements(x, axis)
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
    _require_elements(x, axis)
    return np.argmax(x, axis=axis, keepdims=keepdims)


@nondifferentiable(onnx="ArgMin")
def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Operand:
    """Return the index of the smallest element along `axis`, or in the flat array; the first of several.

    >>> argmin([[1.0, 2.0], [4.0, 3.0]], axis=1)
    array([0, 1])
    """
    _require_elements(x, axis)
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
