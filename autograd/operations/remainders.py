"""Elementwise operations of NumPy beside those of arithmetic: remainders, roots, and functions with a case for nan."""

import math

import numpy as np

from autograd.operands import as_real
from autograd.rules import elementwise, nondifferentiable, xp
from autograd.typing import Operand

from .comparing import ceil, clip, equal, floor, greater, isnan, less, maximum, minimum, sign, where
from .elementwise import absolute, logaddexp, multiply
from .trigonometry import cos, sin

LOG2 = math.log(2.0)


def of_floats(function: np.ufunc, *xs: Operand) -> Operand:
    """Return ``function(*xs)``, as a Python float if all operands are numbers."""
    return function(*xs) if xp(*xs) is np else float(function(*xs))


@elementwise(
    1,
    lambda z, x, y: -floor(x / y),
    symbol="%", into=np.remainder, composition=lambda x, y: x - floor(x / y) * y, sample=((2.1, 2.9), (0.8, 1.0)),
)  # fmt: skip
def mod(x: Operand, y: Operand) -> Operand:
    """Return the remainder ``x % y``, which has the sign of `y`.

    >>> mod(-7.0, 3.0)
    2.0
    """
    return x % y


@nondifferentiable(symbol="//", into=np.floor_divide, composition=lambda x, y: floor(x / y))
def floor_divide(x: Operand, y: Operand) -> Operand:
    """Return the quotient ``x // y``, rounded down.

    >>> floor_divide(-7.0, 3.0)
    -3.0
    """
    return x // y


def trunc(x: Operand) -> Operand:
    """Return the integer part of `x`.

    >>> trunc(np.array([-1.5, 1.5]))
    array([-1.,  1.])
    """
    return where(less(x, 0), ceil(x), floor(x))


@elementwise(
    lambda y, x: 1.0 / (3.0 * y * y),
    into=np.cbrt, composition=lambda x: sign(x) * absolute(x) ** (1.0 / 3.0), sample=(0.3, 3.0),
)  # fmt: skip
def cbrt(x: Operand) -> Operand:
    """Return the cube root; its derivative at 0 is infinite.

    >>> cbrt(-8.0)
    -2.0
    """
    return of_floats(np.cbrt, x)


def fmax(x: Operand, y: Operand) -> Operand:
    """Return the larger of two values, the other one if one is nan; tied arguments take half of the gradient each.

    >>> fmax(1.0, math.nan)
    1.0
    """
    return where(isnan(x), y, where(isnan(y), x, maximum(x, y)))


def fmin(x: Operand, y: Operand) -> Operand:
    """Return the smaller of two values, the other one if one is nan; tied arguments take half of the gradient each.

    >>> fmin(1.0, math.nan)
    1.0
    """
    return where(isnan(x), y, where(isnan(y), x, minimum(x, y)))


@elementwise(
    None,
    lambda z, x, y: x == 0,
    into=np.heaviside, composition=lambda x, y: where(equal(x, 0), y, where(greater(x, 0), 1.0, 0.0 * x)),
)  # fmt: skip
def heaviside(x: Operand, y: Operand) -> Operand:
    """Return the step function: 0 for negative `x`, 1 for positive `x`, and `y` at 0.

    >>> heaviside(np.array([-2.0, 0.0, 2.0]), 0.5)
    array([0. , 0.5, 1. ])
    """
    return of_floats(np.heaviside, x, y)


def _sign_or_zero(y: Operand) -> Operand:
    """Return -1 for negative numbers and -0.0, and 1 for the others."""
    return where((y > 0) | ((y == 0) & (1.0 / y > 0)), 1.0, -1.0)


@elementwise(
    lambda z, x, y: sign(x) * _sign_or_zero(y),
    None,
    into=np.copysign, composition=lambda x, y: absolute(x) * _sign_or_zero(y),
)  # fmt: skip
def copysign(x: Operand, y: Operand) -> Operand:
    """Return the absolute value of `x` with the sign of `y`.

    >>> copysign(3.0, -0.0)
    -3.0
    """
    return of_floats(np.copysign, x, y)


def logaddexp2(x: Operand, y: Operand) -> Operand:
    """Return ``log2(2**x + 2**y)`` without overflow.

    >>> round(logaddexp2(1000.0, 1000.0), 9)
    1001.0
    """
    return logaddexp(multiply(x, LOG2), multiply(y, LOG2)) / LOG2


def _within_range(x: Operand) -> Operand:
    """Limit values so that pi times them does not overflow."""
    limit = float(np.finfo(getattr(x, "dtype", np.float64)).max) / 4.0
    return clip(x, -limit, limit)


def _slope_of_sinc(y: Operand, x: Operand) -> Operand:
    """Return ``(cos(pi x) - y) / x``, near 0 by its series."""
    near = absolute(x) < 1e-3
    small, large = where(near, x, 0.0), where(near, 1.0, _within_range(x))
    series = small * (math.pi**4 / 30 * small * small - math.pi**2 / 3)
    return where(near, series, (cos(math.pi * large) - y) / large)


@elementwise(_slope_of_sinc, composition=lambda x: where(equal(x, 0), 1.0, sin(math.pi * x) / (math.pi * x)))
def sinc(x: Operand) -> Operand:
    r"""Return :math:`\sin(\pi x) / (\pi x)`, and 1 at 0.

    >>> sinc(np.array([0.0, 0.5])).round(4)
    array([1.    , 0.6366])
    """
    if xp(x) is not np:
        return float(np.sinc(_within_range(x)))
    return np.sinc(_within_range(as_real(np.asarray(x))))  # a replay passes scalars of NumPy


def deg2rad(x: Operand) -> Operand:
    """Convert degrees to radians.

    Parameters
    ----------
    x : float, array_like, Value or Tensor
        Angles in degrees.

    Returns
    -------
    float, ndarray, Value or Tensor
        Angles in radians.

    Examples
    --------
    >>> deg2rad(180.0) == math.pi
    True
    """
    return multiply(x, math.pi / 180.0)


def rad2deg(x: Operand) -> Operand:
    """Convert radians to degrees.

    Parameters
    ----------
    x : float, array_like, Value or Tensor
        Angles in radians.

    Returns
    -------
    float, ndarray, Value or Tensor
        Angles in degrees.

    Examples
    --------
    >>> rad2deg(math.pi)
    180.0
    """
    return multiply(x, 180.0 / math.pi)


def nan_to_num(x: Operand, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Operand:
    """Replace nan and infinities by numbers, through which no gradient passes.

    Parameters
    ----------
    x : float, array_like, Value or Tensor
        The values.
    nan : float
        Replaces nan.
    posinf, neginf : float, optional
        Replace infinities; the largest finite numbers of either sign by default.

    Returns
    -------
    float, ndarray, Value or Tensor
        Finite values.

    Examples
    --------
    >>> nan_to_num(np.array([1.0, np.nan, np.inf]), posinf=9.0)
    array([1., 0., 9.])
    """
    limits = np.finfo(getattr(x, "dtype", np.float64))
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    return where(equal(x, np.inf), high, where(equal(x, -np.inf), low, where(isnan(x), nan, x)))
