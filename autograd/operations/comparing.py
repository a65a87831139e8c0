"""Comparisons, rounding and logical operations, and `where`, `maximum` and `clip`, which choose between values."""

import math
import warnings

import numpy as np

from autograd.extend import elementwise, linear, nondifferentiable, raw_data, xp
from autograd.messages import GradientWarning
from autograd.typing import Operand


@nondifferentiable(symbol="==", scalar="x == y", into=np.equal, onnx="Equal")
def equal(x: Operand, y: Operand) -> Operand:
    """Return whether ``x == y``.

    >>> equal(np.array([1.0, 2.0]), 2.0)
    array([False,  True])
    """
    return x == y


@nondifferentiable(symbol="!=", scalar="x != y", into=np.not_equal, composition=lambda x, y: logical_not(equal(x, y)))
def not_equal(x: Operand, y: Operand) -> Operand:
    """Return whether ``x != y``.

    >>> not_equal(np.array([1.0, 2.0]), 2.0)
    array([ True, False])
    """
    return x != y


@nondifferentiable(symbol=">", scalar="x > y", into=np.greater, onnx="Greater")
def greater(x: Operand, y: Operand) -> Operand:
    """Return whether ``x > y``.

    >>> greater(np.array([1.0, 2.0]), 1.0)
    array([False,  True])
    """
    return x > y


@nondifferentiable(symbol=">=", scalar="x >= y", into=np.greater_equal, onnx="GreaterOrEqual")
def greater_equal(x: Operand, y: Operand) -> Operand:
    """Return whether ``x >= y``.

    >>> greater_equal(np.array([1.0, 2.0]), 2.0)
    array([False,  True])
    """
    return x >= y


@nondifferentiable(symbol="<", scalar="x < y", into=np.less, onnx="Less")
def less(x: Operand, y: Operand) -> Operand:
    """Return whether ``x < y``.

    >>> less(np.array([1.0, 2.0]), 2.0)
    array([ True, False])
    """
    return x < y


@nondifferentiable(symbol="<=", scalar="x <= y", into=np.less_equal, onnx="LessOrEqual")
def less_equal(x: Operand, y: Operand) -> Operand:
    """Return whether ``x <= y``.

    >>> less_equal(np.array([1.0, 2.0]), 1.0)
    array([ True, False])
    """
    return x <= y


@nondifferentiable(scalar="where(x != x, x, where(x > 0.0, 1.0, 0.0) - where(x < 0.0, 1.0, 0.0))", onnx="Sign")
def sign(x: Operand) -> Operand:
    """Return the sign: -1, 0 or 1.

    >>> sign(np.array([-3.0, 0.0, 5.0]))
    array([-1.,  0.,  1.])
    """
    return xp(x).sign(x)


@nondifferentiable(scalar="where(abs(x) < 2.0**52, math.floor(x), x)", onnx="Floor")
def floor(x: Operand) -> Operand:
    """Return the largest integer not above `x`.

    >>> floor(np.array([-1.5, 1.5]))
    array([-2.,  1.])
    """
    return xp(x).floor(x)


@nondifferentiable(scalar="where(abs(x) < 2.0**52, math.ceil(x), x)", onnx="Ceil")
def ceil(x: Operand) -> Operand:
    """Return the smallest integer not below `x`.

    >>> ceil(np.array([-1.5, 1.5]))
    array([-1.,  2.])
    """
    return xp(x).ceil(x)


@nondifferentiable(scalar="round(x * 10.0**decimals) / 10.0**decimals", onnx="Round")
def round(x: Operand, decimals: int = 0) -> Operand:
    """Round to a number of decimals; halves are rounded to even.

    >>> round(np.array([0.5, 1.5, 2.4]))
    array([0., 2., 2.])
    """
    return xp(x).round(x, decimals)


@nondifferentiable(scalar="x != x", onnx="IsNaN")
def isnan(x: Operand) -> Operand:
    """Return whether `x` is nan.

    >>> isnan(np.array([1.0, np.nan]))
    array([False,  True])
    """
    return xp(x).isnan(x)


@nondifferentiable(scalar="abs(x) == math.inf", onnx="IsInf")
def isinf(x: Operand) -> Operand:
    """Return whether `x` is infinite.

    >>> isinf(np.array([1.0, -np.inf]))
    array([False,  True])
    """
    return xp(x).isinf(x)


@nondifferentiable(scalar="x - x == 0.0", composition=lambda x: equal(x - x, 0.0))
def isfinite(x: Operand) -> Operand:
    """Return whether `x` is neither infinite nor nan.

    >>> isfinite(np.array([1.0, np.inf, np.nan]))
    array([ True, False, False])
    """
    return xp(x).isfinite(x)


@nondifferentiable(symbol="not", scalar="x == 0.0", onnx="Not")
def logical_not(x: Operand) -> Operand:
    """Return whether `x` is zero or false.

    >>> logical_not(np.array([0.0, 2.0]))
    array([ True, False])
    """
    return xp(x).logical_not(x)


@nondifferentiable(symbol="and", scalar="(x != 0.0) & (y != 0.0)", onnx="And")
def logical_and(x: Operand, y: Operand) -> Operand:
    """Return whether both `x` and `y` are nonzero or true.

    >>> logical_and(np.array([0.0, 2.0]), 1.0)
    array([False,  True])
    """
    return xp(x, y).logical_and(x, y)


@nondifferentiable(symbol="or", scalar="(x != 0.0) | (y != 0.0)", onnx="Or")
def logical_or(x: Operand, y: Operand) -> Operand:
    """Return whether at least one of `x` and `y` is nonzero or true.

    >>> logical_or(np.array([0.0, 2.0]), 0.0)
    array([False,  True])
    """
    return xp(x, y).logical_or(x, y)


def _mask(x: Operand, symbol: str) -> Operand:
    """Return `x` if its dtype is bool; on other dtypes, ``&``, ``|`` and ``~`` would be bitwise."""
    data = raw_data(x)
    kind = np.dtype(bool) if type(data) is float else np.asarray(data).dtype
    if kind.kind != "b":
        raise TypeError(f"{symbol} expected boolean masks such as x > 0, got dtype {kind}; use logical_and or the like")
    return x


def bitwise_and(x: Operand, y: Operand) -> Operand:
    """Return ``x & y``, true where both masks are.

    Parameters
    ----------
    x, y : array_like of bool, Tensor or Value
        The masks.

    Returns
    -------
    ndarray, Tensor or Value
        The combined mask.

    Examples
    --------
    >>> bitwise_and([True, True], [True, False])
    array([ True, False])
    """
    return logical_and(_mask(x, "&"), _mask(y, "&"))


def bitwise_or(x: Operand, y: Operand) -> Operand:
    """Return ``x | y``, true where at least one mask is.

    Parameters
    ----------
    x, y : array_like of bool, Tensor or Value
        The masks.

    Returns
    -------
    ndarray, Tensor or Value
        The combined mask.

    Examples
    --------
    >>> bitwise_or([True, False], [False, False])
    array([ True, False])
    """
    return logical_or(_mask(x, "|"), _mask(y, "|"))


def invert(x: Operand) -> Operand:
    """Return ``~x``, true where the mask `x` is not.

    Parameters
    ----------
    x : array_like of bool, Tensor or Value
        The mask.

    Returns
    -------
    ndarray, Tensor or Value
        The inverted mask.

    Examples
    --------
    >>> invert([True, False])
    array([False,  True])
    """
    return logical_not(_mask(x, "~"))


# ------------------------------------------------------------------------------------------ choosing values


def _share(ahead: Operand, x: Operand, y: Operand) -> Operand:
    """Return the share of `x` in the gradient of an extreme: 1/2 if it ties with `y`; nan is ahead of everything."""
    return ahead + 0.5 * (x == y) + (x != x) * (1.0 - 0.5 * (y != y))


@elementwise(
    lambda z, x, y: _share(x > y, x, y),
    lambda z, x, y: _share(x < y, y, x),
    scalar="maximum(x, y)", into=np.maximum, onnx="Max",
)  # fmt: skip
def maximum(x: Operand, y: Operand) -> Operand:
    """Return the larger of two values, nan if one is nan; tied arguments take half of the gradient each.

    >>> maximum(2.0, np.array([1.0, 3.0]))
    array([2., 3.])
    """
    return xp(x, y).maximum(x, y)


@elementwise(
    lambda z, x, y: _share(x < y, x, y),
    lambda z, x, y: _share(x > y, y, x),
    scalar="minimum(x, y)", into=np.minimum, onnx="Min",
)  # fmt: skip
def minimum(x: Operand, y: Operand) -> Operand:
    """Return the smaller of two values, nan if one is nan; tied arguments take half of the gradient each.

    >>> minimum(2.0, np.array([1.0, 3.0]))
    array([1., 2.])
    """
    return xp(x, y).minimum(x, y)


@linear(
    None,
    lambda g, z, mask, x, y: where(mask, g, 0.0),
    lambda g, z, mask, x, y: where(mask, 0.0, g),
    joint=True, selects=True, scalar="where(mask != 0.0, x, y)",
)  # fmt: skip
def where(mask: Operand, x: Operand, y: Operand) -> Operand:
    """Return `x` where `mask` is true and `y` elsewhere; the values not taken do not contribute to the gradient.

    This holds even if these values or the derivatives of the operations that they come from are infinite or nan.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([0.0, 4.0], requires_grad=True)
    >>> with np.errstate(divide="ignore"):
    ...     where(x > 0, np.log(x), 0.0).sum().backward()
    >>> x.grad
    array([0.  , 0.25])
    """
    return xp(mask, x, y).where(mask, x, y)


def _slope_of_or_one(z: Operand, y: Operand) -> Operand:
    is_zero = equal(y, 0)
    if np.any(raw_data(is_zero)):
        warnings.warn(
            "the second derivative of a norm, standard deviation, hypot or atan2 is nan at 0, and that of a p-norm "
            "with p < 2 where an element is 0: write sum(x * x) for the square of a norm, or sqrt(sum(x * x) + eps)",
            GradientWarning,
            stacklevel=2,
        )
    return where(is_zero, math.nan, 1.0)


@elementwise(_slope_of_or_one, scalar="where(y == 0.0, 1.0, y)")
def or_one(y: Operand) -> Operand:
    """Replace 0 by 1: the divisor of a first derivative that is 0 where `y` is 0, and has no derivative itself."""
    return xp(y).where(y == 0, 1.0, y)


@elementwise(
    lambda y, x, low, high: logical_and(greater_equal(x, low), less_equal(x, high)),
    lambda y, x, low, high: logical_and(less(x, low), less_equal(low, high)),
    lambda y, x, low, high: logical_or(greater(x, high), greater(low, high)),
    scalar="minimum(maximum(x, low), high)", sample=((-2.0, 2.0), (-1.0, -0.5), (0.5, 1.0)),
)  # fmt: skip
def _clip(x: Operand, low: Operand, high: Operand) -> Operand:
    """Return the nearest value between `low` and `high`."""
    space = xp(x, low, high)
    return space.minimum(space.maximum(x, low), high)


def clip(x: Operand, min: Operand = None, max: Operand = None) -> Operand:
    """Limit values to an interval.

    Parameters
    ----------
    x : float, array_like, Value or Tensor
        The values.
    min, max : float, array_like, Value or Tensor, optional
        The bounds, which may require gradients themselves; None for an open end.

    Returns
    -------
    float, ndarray, Value or Tensor
        The limited values. At a bound the derivative with respect to `x` is 1, as in PyTorch.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([-2.0, 1.0, 3.0], requires_grad=True)
    >>> clip(x, -1.0, 1.0).sum().backward()
    >>> x.grad
    array([0., 1., 0.])
    """
    dtype = np.asarray(raw_data(x)).dtype
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    low = min if min is not None else -math.inf if limits is None else limits.min
    high = max if max is not None else math.inf if limits is None else limits.max
    return _clip(x, low, high)
