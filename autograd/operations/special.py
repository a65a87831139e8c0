"""Remainders and the other elementwise functions of NumPy; special functions: error, gamma and Bessel functions."""

import math

import numpy as np

from autograd.extend import elementwise, nondifferentiable, xp
from autograd.operands import as_real
from autograd.typing import Array, Operand

from .comparing import ceil, equal, floor, greater, isnan, less, maximum, minimum, sign, where
from .elementwise import absolute, cos, erf, exp, log, logaddexp, multiply, sin

LOG2 = math.log(2.0)
_each_lgamma = np.vectorize(math.lgamma, otypes=[float])
_each_erfc = np.vectorize(math.erfc, otypes=[float])


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


def _slope_of_sinc(y: Operand, x: Operand) -> Operand:
    """Return ``(cos(pi x) - y) / x``, near 0 by its series."""
    near = absolute(x) < 1e-3
    small, large = where(near, x, 0.0), where(near, 1.0, x)
    series = small * (math.pi**4 / 30 * small * small - math.pi**2 / 3)
    return where(near, series, (cos(math.pi * large) - y) / large)


@elementwise(_slope_of_sinc, composition=lambda x: where(equal(x, 0), 1.0, sin(math.pi * x) / (math.pi * x)))
def sinc(x: Operand) -> Operand:
    r"""Return :math:`\sin(\pi x) / (\pi x)`, and 1 at 0.

    >>> sinc(np.array([0.0, 0.5])).round(4)
    array([1.    , 0.6366])
    """
    if xp(x) is not np:
        return float(np.sinc(x))
    return np.sinc(as_real(np.asarray(x)))  # a replay passes scalars of NumPy


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


# -------------------------------------------------------------------------------------------- error and gamma functions


def _like(x: Operand, y: Array) -> Operand:
    """Return `y` in the dtype of `x`, or as a float if `x` is a number."""
    return y.astype(x.dtype, copy=False) if xp(x) is np and x.dtype.kind == "f" else float(y) if xp(x) is not np else y


@elementwise(lambda y, x: digamma(x), sample=(0.3, 3.0))
def gammaln(x: Operand) -> Operand:
    r"""Return the logarithm of the absolute value of the gamma function.

    >>> round(gammaln(5.0), 4) == round(math.log(24.0), 4)
    True
    """
    with np.errstate(all="ignore"):
        poles = (np.asarray(x) <= 0) & (np.floor(x) == x)
        return _like(x, np.where(poles, np.inf, _each_lgamma(np.where(poles, 1.0, x))))


# Bernoulli numbers B2, B4, ... over the factorials (2k)!, of the Euler-Maclaurin formula.
_BERNOULLI = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000]
_ENOUGH = 16  # the formula is used beyond this argument


def _zeta(s: int, x: Array) -> Array:
    """Return the Hurwitz zeta function, the sum of ``(x + k)**-s``, for positive `x`; its finite part for s = 1."""
    total = sum((x + k) ** -s for k in range(_ENOUGH))
    x = x + _ENOUGH
    total = total + (-np.log(x) if s == 1 else x ** (1 - s) / (s - 1)) + 0.5 * x**-s
    factor, power = float(s), x ** (-s - 1)
    for k, b in enumerate(_BERNOULLI):
        total = total + b * factor * power
        factor *= (s + 2 * k + 1) * (s + 2 * k + 2)
        power = power / (x * x)
    return total


def _cotangents(n: int, x: Array) -> Operand:
    """Return the n-th derivative of ``pi cot(pi x)``, from its polynomial in the cotangent."""
    polynomial = np.polynomial.Polynomial([0.0, math.pi])
    for _ in range(n):  # d/dx cot(pi x) = -pi (1 + cot(pi x)**2)
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([-math.pi, 0.0, -math.pi])
    return polynomial(1.0 / np.tan(math.pi * (x - np.round(x))))


@elementwise(lambda y, x, n: _digamma_derivative(x, n=n + 1), sample=(0.3, 3.0))
def _digamma_derivative(x: Operand, n: int = 0) -> Operand:
    """Return the n-th derivative of the digamma function."""
    a = np.asarray(x, float)
    with np.errstate(all="ignore"):
        low = a < 0.5
        safe = np.where(low, 1.0 - a, a)
        y = (-1) ** (n + 1) * math.factorial(n) * _zeta(n + 1, safe)
        y = np.where(low, (-1) ** n * y - _cotangents(n, a), y)
        return _like(x, np.where((a <= 0) & (np.floor(a) == a), np.nan, y))


def polygamma(n: int, x: Operand) -> Operand:
    """Return the `n`-th derivative of the digamma function.

    By the Euler-Maclaurin formula (Abramowitz & Stegun 1964, sections 6.4 and 23.1.30), and by reflection below 1/2.

    Parameters
    ----------
    n : int
        The order of the derivative, 0 for the digamma function itself.
    x : float, array_like, Value or Tensor
        The argument; the result is nan at 0 and negative integers.

    Returns
    -------
    float, ndarray, Value or Tensor
        The derivative.

    Examples
    --------
    >>> round(polygamma(1, 1.0) - math.pi**2 / 6, 12)
    0.0
    """
    if n < 0 or n != int(n):
        raise ValueError(f"polygamma expected an order of 0, 1, 2, ..., got {n!r}")
    return _digamma_derivative(x, n=int(n))


def digamma(x: Operand) -> Operand:
    """Return the digamma function, the derivative of `gammaln`.

    Parameters
    ----------
    x : float, array_like, Value or Tensor
        The argument; the result is nan at 0 and negative integers.

    Returns
    -------
    float, ndarray, Value or Tensor
        The digamma function.

    Examples
    --------
    >>> round(digamma(1.0), 6)
    -0.577216
    """
    return _digamma_derivative(x, n=0)


def betaln(x: Operand, y: Operand) -> Operand:
    """Return the logarithm of the absolute value of the beta function.

    Parameters
    ----------
    x, y : float, array_like, Value or Tensor
        The arguments.

    Returns
    -------
    float, ndarray, Value or Tensor
        ``gammaln(x) + gammaln(y) - gammaln(x + y)``.

    Examples
    --------
    >>> round(math.exp(betaln(2.0, 3.0)), 12) == round(1 / 12, 12)
    True
    """
    return gammaln(x) + gammaln(y) - gammaln(x + y)


@elementwise(lambda y, x: -2.0 / math.sqrt(math.pi) * exp(-x * x), composition=lambda x: 1.0 - erf(x))
def erfc(x: Operand) -> Operand:
    """Return ``1 - erf(x)``, exact where it is small.

    >>> erfc(0.0), f"{erfc(10.0):.3e}"
    (1.0, '2.088e-45')
    """
    return math.erfc(x) if xp(x) is not np else _like(x, _each_erfc(x))


def _newton_erfinv(p: Array) -> Array:
    """Return the inverse of erf by Newton's method, from the first guess of Giles 2010 in its simplest form."""
    w = -np.log((1.0 - p) * (1.0 + p))
    a = 2.0 / (math.pi * 0.147) - w / 2.0  # Winitzki's approximation
    x = np.copysign(np.sqrt(np.sqrt(a * a + w / 0.147) - a), p)
    for _ in range(3):  # for erf(|x|) near 1 its complement is accurate
        error = np.where(np.abs(p) < 0.5, erf(x) - p, np.sign(p) * ((1.0 - np.abs(p)) - _each_erfc(np.abs(x))))
        slope = 2.0 / math.sqrt(math.pi) * np.exp(-x * x)
        step = error / slope
        x = x - step / (1.0 + x * step)  # Halley's correction
    return x


@elementwise(lambda y, x: 0.5 * math.sqrt(math.pi) * exp(y * y), sample=(-0.9, 0.9))
def erfinv(x: Operand) -> Operand:
    """Return the inverse of the error function; infinite at -1 and 1, and nan beyond.

    >>> round(erfinv(math.erf(0.7)), 12)
    0.7
    """
    p = np.asarray(x, float)
    inside = (np.abs(p) < 1) & (p != 0)
    with np.errstate(all="ignore"):
        y = np.where(inside, _newton_erfinv(np.where(inside, p, 0.5)), np.where(p == 0, p, p * np.inf))
    return _like(x, np.where(np.abs(p) > 1, np.nan, y))


@elementwise(lambda y, x: 1.0 / (x * (1.0 - x)), composition=lambda x: log(x) - log(1.0 - x), sample=(0.1, 0.9))
def logit(x: Operand) -> Operand:
    """Return ``log(x / (1 - x))``, the inverse of `sigmoid`.

    >>> logit(0.5)
    0.0
    """
    space, x = xp(x), as_real(x)
    return space.log(x) - space.log1p(-x)


@elementwise(
    lambda z, x, y: log(y),
    lambda z, x, y: where(equal(x, 0), 0.0, x / where(equal(x, 0), 1.0, y)),
    composition=lambda x, y: where(equal(x, 0), 0.0, x * log(y)), sample=((0.3, 2.0), (0.3, 3.0)),
)  # fmt: skip
def xlogy(x: Operand, y: Operand) -> Operand:
    """Return ``x * log(y)``, and 0 where `x` is 0, for entropies.

    >>> xlogy(0.0, 0.0), xlogy(2.0, 1.0)
    (0.0, 0.0)
    """
    if xp(x, y) is not np:
        return x + y if y != y else 0.0 if x == 0 else x * math.log(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        zero = np.equal(x, 0) & ~np.isnan(y)
        return np.where(zero, 0.0, x * np.log(np.where(zero, x + 1.0, y)))  # the logarithm in the dtype of both


# ------------------------------------------------------------------------------------- modified Bessel functions


@np.errstate(over="ignore")
def _scaled_bessel(order: int, x: Operand) -> Operand:
    """Return ``exp(-abs(x)) I(x)`` of order 0 or 1, by the power series up to 30 and by Hankel's expansion beyond.

    Abramowitz & Stegun 1964, equations 9.6.10 and 9.7.1.
    """
    a = np.abs(np.asarray(x, float))
    small = np.where(a <= 30, a, 1.0)
    term = np.exp(-small) * (0.5 * small) ** order
    series = term.copy()
    for k in range(1, 80):
        term = term * (0.25 * small * small / (k * (k + order)))
        series = series + term
    large = np.where(a > 30, a, 31.0)
    term = 1.0 / np.sqrt(2.0 * math.pi * large)
    expansion = term.copy()
    for k in range(1, 30):
        term = term * (((2 * k - 1) ** 2 - 4 * order) / (8.0 * k * large))
        expansion = expansion + term
    y = np.where(np.isnan(a), a, np.where(a > 30, expansion, series))
    return _like(x, np.sign(x) * y if order else y)


@elementwise(lambda y, x: i1e(x) - sign(x) * y)
def i0e(x: Operand) -> Operand:
    """Return ``exp(-abs(x)) * i0(x)``, which does not overflow.

    >>> i0e(0.0), round(i0e(1000.0), 6)
    (1.0, 0.012617)
    """
    return _scaled_bessel(0, x)


def _ratio(y: Operand, x: Operand) -> Operand:
    """Return ``y / x`` for the Bessel function of order 1, which is 1/2 at 0."""
    return where(equal(x, 0), 0.5, y / where(equal(x, 0), 1.0, x))


@elementwise(lambda y, x: i0e(x) - _ratio(y, x) - sign(x) * y)
def i1e(x: Operand) -> Operand:
    """Return ``exp(-abs(x)) * i1(x)``, which does not overflow.

    >>> round(i1e(1.0), 6)
    0.20791
    """
    return _scaled_bessel(1, x)


def i0(x: Operand) -> Operand:
    """Return the modified Bessel function of the first kind of order 0.

    >>> round(i0(1.0), 6)
    1.266066
    """
    return i0e(x) * exp(1.0 * absolute(x))


def i1(x: Operand) -> Operand:
    """Return the modified Bessel function of the first kind of order 1.

    >>> round(i1(1.0), 6)
    0.565159
    """
    return i1e(x) * exp(1.0 * absolute(x))
