"""Operations that select one of several values for each element: `where`, `maximum`, `minimum` and `clip`."""

from __future__ import annotations

import math
import warnings

import numpy as np

from autograd.graph import Node
from autograd.messages import GradientWarning
from autograd.recording import raw_data
from autograd.rules import elementwise, linear, xp
from autograd.typing import Operand

from .comparing import equal, greater, greater_equal, less, less_equal, logical_and, logical_or

__all__ = ["clip", "maximum", "minimum", "where"]


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
            "the second derivative of a norm, standard deviation, hypot or atan2 is nan where it is 0: write "
            "sum(x * x) for the square of a norm, or sqrt(sum(x * x) + eps) for a norm",
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
    data = x._data if isinstance(x, Node) else np.asarray(x)
    limits = np.iinfo(data.dtype) if getattr(data, "dtype", np.dtype(float)).kind in "iu" else None
    low = min if min is not None else -math.inf if limits is None else limits.min
    high = max if max is not None else math.inf if limits is None else limits.max
    return _clip(x, low, high)
