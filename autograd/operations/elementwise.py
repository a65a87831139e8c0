"""Elementwise operations: each is its value and, on the line above, its partial derivatives.

A partial is written from ``(y, *inputs)`` in the library's own operations, so one line serves a float, an array
and a graph node, at any order.  Kinks follow Bertoin et al. 2021: ``relu'(0) = abs'(0) = 0``; tied `maximum` and
`minimum` give half to each side.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from autograd.graph import GradientWarning, Node
from autograd.operands import SCALAR
from autograd.rules import elementwise, linear, xp

from .comparing import greater, greater_equal, less, less_equal, logical_and, logical_or, round, sign

# ---------------------------------------------------------------------------------------------- arithmetic


@elementwise(1, 1, symbol="+")
def add(x: Any, y: Any) -> Any:
    """Sum ``x + y``.

    >>> add(1.0, 2.0)
    3.0
    """
    return x + y


@elementwise(1, -1, symbol="-")
def subtract(x: Any, y: Any) -> Any:
    """Difference ``x - y``.

    >>> subtract(1.0, 3.0)
    -2.0
    """
    return x - y


@elementwise(lambda z, x, y: y, lambda z, x, y: x, symbol="*")
def multiply(x: Any, y: Any) -> Any:
    """Product ``x * y``.

    >>> multiply(2.0, 3.0)
    6.0
    """
    return x * y


@elementwise(lambda z, x, y: 1.0 / y, lambda z, x, y: -z / y, symbol="/")
def divide(x: Any, y: Any) -> Any:
    """Quotient ``x / y``.

    >>> divide(1.0, 4.0)
    0.25
    """
    return x / y


def _lowered(x: Any, y: Any) -> Any:
    """Return the exponent ``y - 1`` of the derivative, and 1 at ``0 ** 0``, where that is 0."""
    return y - 1 if type(y) in (int, float) and y else where((x == 0) & (y == 0), 1.0, y - 1)


@elementwise(
    lambda z, x, y: y * power(x, _lowered(x, y)),
    lambda z, x, y: z * log(where(x > 0, x, where(x == 0, 1.0, float("nan")))),
    symbol="**",
)
def _power(x: Any, y: Any) -> Any:
    """Power ``x ** y``."""
    return math.pow(x, y) if xp(x, y) is SCALAR else x**y


def power(x: Any, y: Any) -> Any:
    """Power ``x ** y``; ``0 ** 0`` is 1, and a negative base has a derivative in `x` only.

    Parameters
    ----------
    x, y : float, array_like, Value or Tensor
        Base and exponent.

    Returns
    -------
    float, ndarray, Value or Tensor
        The power.

    Warns
    -----
    GradientWarning
        If an exponent that needs a gradient meets a negative base: its gradient there is nan.

    Examples
    --------
    >>> power(2.0, 3.0)
    8.0
    """
    if isinstance(y, Node) and y.requires_grad and np.any(np.less(x._data if isinstance(x, Node) else x, 0)):
        name = f" {y.name!r}" if y.name else ""
        warnings.warn(
            f"the gradient of the exponent{name} is nan where the base is negative; use a number as exponent, or "
            "abs() of the base",
            GradientWarning,
            stacklevel=2,
        )
    return _power(x, y)


@elementwise(-1, symbol="neg")
def negative(x: Any) -> Any:
    """Negation ``-x``.

    >>> negative(2.0)
    -2.0
    """
    return -x


@elementwise(lambda y, x: sign(x))
def absolute(x: Any) -> Any:
    """Absolute value; its derivative at 0 is 0.

    >>> absolute(-2.0)
    2.0
    """
    return abs(x)


@elementwise(lambda z, x, y: (x > y) + 0.5 * (x == y), lambda z, x, y: (x < y) + 0.5 * (x == y))
def maximum(x: Any, y: Any) -> Any:
    """Larger of two; a tie gives half of the gradient to each.

    >>> maximum(2.0, np.array([1.0, 3.0]))
    array([2., 3.])
    """
    return xp(x, y).maximum(x, y)


@elementwise(lambda z, x, y: (x < y) + 0.5 * (x == y), lambda z, x, y: (x > y) + 0.5 * (x == y))
def minimum(x: Any, y: Any) -> Any:
    """Smaller of two; a tie gives half of the gradient to each.

    >>> minimum(2.0, np.array([1.0, 3.0]))
    array([1., 2.])
    """
    return xp(x, y).minimum(x, y)


@linear(
    None,
    lambda g, z, mask, x, y: where(mask, g, 0.0),
    lambda g, z, mask, x, y: where(mask, 0.0, g),
    joint=True,
    selects=True,
)
def where(mask: Any, x: Any, y: Any) -> Any:
    """Choose `x` where `mask` holds and `y` elsewhere; what is not taken cannot spoil the gradient.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([0.0, 4.0], requires_grad=True)
    >>> with np.errstate(divide="ignore"):
    ...     where(x > 0, log(x), 0.0).sum().backward()
    >>> x.grad
    array([0.  , 0.25])
    """
    return xp(mask, x, y).where(mask, x, y)


@elementwise(
    lambda y, x, low, high: logical_and(greater_equal(x, low), less_equal(x, high)),
    lambda y, x, low, high: logical_and(less(x, low), less_equal(low, high)),
    lambda y, x, low, high: logical_or(greater(x, high), greater(low, high)),
)
def _clip(x: Any, low: Any, high: Any) -> Any:
    """Nearest number between `low` and `high`."""
    space = xp(x, low, high)
    return space.minimum(space.maximum(x, low), high)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """Return the number nearest to `x` between two bounds.

    Parameters
    ----------
    x : float, array_like, Value or Tensor
        What to limit.
    min, max : float, array_like, Value or Tensor, optional
        The bounds, which may need gradients themselves; None for no bound.

    Returns
    -------
    float, ndarray, Value or Tensor
        The limited numbers. At a bound the derivative in `x` is 1, as in PyTorch.

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


@elementwise(1, lambda z, x, y: -round((x - z) / y))
def fmod(x: Any, y: Any) -> Any:
    """Remainder of ``x / y`` with the sign of `x`, as in C.

    >>> fmod(-7.0, 3.0)
    -1.0
    """
    return xp(x, y).fmod(x, y)


# ---------------------------------------------------------------------------- powers, exponentials, logarithms


@elementwise(lambda y, x: y)
def exp(x: Any) -> Any:
    """Exponential ``e**x``.

    >>> exp(0.0)
    1.0
    """
    return xp(x).exp(x)


@elementwise(lambda y, x: 1.0 / x)
def log(x: Any) -> Any:
    """Natural logarithm.

    >>> log(math.e)
    1.0
    """
    return xp(x).log(x)


@elementwise(lambda y, x: 0.5 / y)
def sqrt(x: Any) -> Any:
    """Square root; its derivative at 0 is infinite, as the mathematics says.

    >>> sqrt(9.0)
    3.0
    """
    return xp(x).sqrt(x)


@elementwise(lambda y, x: -0.5 * y / x)
def rsqrt(x: Any) -> Any:
    """Reciprocal square root ``1 / sqrt(x)``.

    >>> rsqrt(4.0)
    0.5
    """
    return 1.0 / xp(x).sqrt(x)


@elementwise(lambda y, x: 2.0 * x)
def square(x: Any) -> Any:
    """Square ``x * x``.

    >>> square(-3.0)
    9.0
    """
    return x * x


@elementwise(lambda y, x: -y * y)
def reciprocal(x: Any) -> Any:
    """Reciprocal ``1 / x``.

    >>> reciprocal(4.0)
    0.25
    """
    return 1.0 / x


@elementwise(lambda y, x: y * math.log(2.0))
def exp2(x: Any) -> Any:
    """Power of two ``2**x``.

    >>> exp2(3.0)
    8.0
    """
    return xp(x).exp2(x)


@elementwise(lambda y, x: exp(x))
def expm1(x: Any) -> Any:
    """``e**x - 1``, exact for small `x`.

    >>> expm1(1e-20)
    1e-20
    """
    return xp(x).expm1(x)


@elementwise(lambda y, x: 1.0 / (1.0 + x))
def log1p(x: Any) -> Any:
    """``log(1 + x)``, exact for small `x`.

    >>> log1p(1e-20)
    1e-20
    """
    return xp(x).log1p(x)


@elementwise(lambda y, x: 1.0 / (x * math.log(2.0)))
def log2(x: Any) -> Any:
    """Logarithm to base 2.

    >>> log2(8.0)
    3.0
    """
    return xp(x).log2(x)


@elementwise(lambda y, x: 1.0 / (x * math.log(10.0)))
def log10(x: Any) -> Any:
    """Logarithm to base 10.

    >>> log10(0.01)
    -2.0
    """
    return xp(x).log10(x)


@elementwise(
    lambda z, x, y: sigmoid(where(z == -math.inf, -math.inf, x - y)),
    lambda z, x, y: sigmoid(where(z == -math.inf, -math.inf, y - x)),
)
def logaddexp(x: Any, y: Any) -> Any:
    """``log(e**x + e**y)``, without overflow; the gradient of two ``-inf`` is 0.

    >>> logaddexp(1000.0, 0.0)
    1000.0
    """
    if xp(x, y) is not SCALAR:
        return np.logaddexp(x, y)
    return x + math.log(2.0) if x == y else SCALAR.maximum(x, y) + math.log1p(math.exp(-abs(x - y)))


# --------------------------------------------------------------------------------------------- activations


@elementwise(lambda y, x: y * (1 - y), symbol="σ")
def sigmoid(x: Any) -> Any:
    """Logistic function ``1 / (1 + e**-x)``, without overflow at either end.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    if xp(x) is SCALAR:
        e = math.exp(-abs(x))
        return (1.0 if x >= 0 else e) / (1.0 + e)
    with np.errstate(over="ignore"):  # 1 / inf is the right 0
        return 1.0 / (1.0 + np.exp(-x))


@elementwise(lambda y, x: y > 0, symbol="ReLU")  # where x > 0, too, and nobody has to keep x
def relu(x: Any) -> Any:
    """Rectifier ``max(0, x)``; its derivative at 0 is 0.

    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return xp(x).maximum(x, 0.0)


@elementwise(lambda y, x, negative_slope: where(x > 0, 1.0, negative_slope))
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """Rectifier with slope `negative_slope` where ``x <= 0``.

    >>> leaky_relu(np.array([-2.0, 3.0]), negative_slope=0.1)
    array([-0.2,  3. ])
    """
    return xp(x).where(x > 0, x, negative_slope * x)


@elementwise(lambda y, x: sigmoid(x))
def softplus(x: Any) -> Any:
    """Smooth ramp ``log(1 + e**x)``, without overflow.

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    return xp(x).log1p(xp(x).exp(-abs(x))) + xp(x).maximum(x, 0.0)
