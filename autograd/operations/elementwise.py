"""Elementwise operations: arithmetic, powers and logarithms, activations, trigonometric functions, erf."""

import math
import warnings

import numpy as np

from autograd.extend import elementwise, raw_data, writes_into, xp
from autograd.messages import GradientWarning
from autograd.operands import SCALAR, as_real
from autograd.typing import Operand

from .comparing import maximum, or_one, round, sign, where

# ---------------------------------------------------------------------------------------------- arithmetic


@elementwise(1, 1, symbol="+", scalar="x + y", into=np.add, onnx="Add")
def add(x: Operand, y: Operand) -> Operand:
    """Return the sum ``x + y``.

    >>> add(1.0, 2.0)
    3.0
    """
    return x + y


@elementwise(1, -1, symbol="-", scalar="x - y", into=np.subtract, onnx="Sub")
def subtract(x: Operand, y: Operand) -> Operand:
    """Return the difference ``x - y``.

    >>> subtract(1.0, 3.0)
    -2.0
    """
    return x - y


@elementwise(lambda z, x, y: y, lambda z, x, y: x, symbol="*", scalar="x * y", into=np.multiply, onnx="Mul")
def multiply(x: Operand, y: Operand) -> Operand:
    """Return the product ``x * y``.

    >>> multiply(2.0, 3.0)
    6.0
    """
    return x * y


@elementwise(
    lambda z, x, y: 1.0 / y,
    lambda z, x, y: -z / y,
    symbol="/", scalar="x / y", into=np.divide, onnx="Div", sample=((-2.0, 2.0), (0.5, 2.0)),
)  # fmt: skip
def divide(x: Operand, y: Operand) -> Operand:
    """Return the quotient ``x / y``.

    >>> divide(1.0, 4.0)
    0.25
    """
    return x / y


def _lowered(x: Operand, y: Operand) -> Operand:
    """Return the exponent ``y - 1`` of the derivative; 1 for ``0 ** 0``, whose derivative is 0."""
    return y - 1 if type(y) in (int, float) and y else where((x == 0) & (y == 0), 1.0, y - 1)


def _slope_of_exponent(z: Operand, x: Operand, y: Operand) -> Operand:
    if np.any(np.less(raw_data(x), 0)):
        reason = "the gradient of the exponent is nan where the base is negative"
        warnings.warn(f"{reason}; use a number as exponent, or abs() of the base", GradientWarning, stacklevel=2)
    return z * log(where(x > 0, x, where(x == 0, where(y < 0, 0.0, 1.0), float("nan"))))


@elementwise(
    lambda z, x, y: y * power(x, _lowered(x, y)),
    _slope_of_exponent,
    symbol="**", scalar="math.pow(x, y)", onnx="Pow", sample=((0.3, 2.0), (-2.0, 2.0)),
)  # fmt: skip
def power(x: Operand, y: Operand) -> Operand:
    """Return the power ``x ** y``; ``0 ** 0`` is 1, and a negative base has a derivative with respect to `x` only.

    >>> power(2.0, 3.0)
    8.0
    """
    return math.pow(x, y) if xp(x, y) is SCALAR else x**y


@elementwise(-1, symbol="neg", scalar="-x", into=np.negative, onnx="Neg")
def negative(x: Operand) -> Operand:
    """Return ``-x``.

    >>> negative(2.0)
    -2.0
    """
    return -x


@elementwise(lambda y, x: sign(x), scalar="abs(x)", into=np.absolute, onnx="Abs")
def absolute(x: Operand) -> Operand:
    """Return the absolute value; its derivative at 0 is 0.

    >>> absolute(-2.0)
    2.0
    """
    return abs(x)


@elementwise(1, lambda z, x, y: -round((x - z) / y), scalar="math.fmod(x, y)", sample=((2.1, 2.9), (0.8, 1.0)))
def fmod(x: Operand, y: Operand) -> Operand:
    """Return the remainder of ``x / y`` with the sign of `x`, as in C.

    >>> fmod(-7.0, 3.0)
    -1.0
    """
    return xp(x, y).fmod(x, y)


# ---------------------------------------------------------------------------- powers, exponentials, logarithms

POSITIVE = (0.3, 3.0)


@elementwise(lambda y, x: y, scalar="math.exp(x)", into=np.exp, onnx="Exp")
def exp(x: Operand) -> Operand:
    """Return the exponential ``e**x``.

    >>> exp(0.0)
    1.0
    """
    return xp(x).exp(x)


@elementwise(lambda y, x: 1.0 / x, scalar="math.log(x)", into=np.log, onnx="Log", sample=POSITIVE)
def log(x: Operand) -> Operand:
    """Return the natural logarithm.

    >>> log(math.e)
    1.0
    """
    return xp(x).log(x)


@elementwise(lambda y, x: 0.5 / y, scalar="math.sqrt(x)", into=np.sqrt, onnx="Sqrt", sample=POSITIVE)
def sqrt(x: Operand) -> Operand:
    """Return the square root; its derivative at 0 is infinite.

    >>> sqrt(9.0)
    3.0
    """
    return xp(x).sqrt(x)


@elementwise(lambda y, x: -0.5 * y / x, scalar="1.0 / math.sqrt(x)", sample=POSITIVE)
def rsqrt(x: Operand) -> Operand:
    """Return the reciprocal square root ``1 / sqrt(x)``.

    >>> rsqrt(4.0)
    0.5
    """
    return 1.0 / xp(x).sqrt(x)


@elementwise(lambda y, x: 2.0 * x, scalar="x * x", into=np.square)
def square(x: Operand) -> Operand:
    """Return the square ``x * x``.

    >>> square(-3.0)
    9.0
    """
    return x * x


@elementwise(
    lambda y, x: -y * y,
    scalar="1.0 / x", into=lambda x, out: np.divide(1.0, x, out), onnx="Reciprocal", sample=(0.5, 2.0),
)  # fmt: skip
def reciprocal(x: Operand) -> Operand:
    """Return the reciprocal ``1 / x``.

    >>> reciprocal(4.0)
    0.25
    """
    return 1.0 / x


@elementwise(lambda y, x: y * math.log(2.0), scalar="math.exp2(x)", composition=lambda x: exp(x * math.log(2.0)))
def exp2(x: Operand) -> Operand:
    """Return the power of two ``2**x``.

    >>> exp2(3.0)
    8.0
    """
    return xp(x).exp2(x)


@elementwise(lambda y, x: exp(x), scalar="math.expm1(x)", into=np.expm1, composition=lambda x: exp(x) - 1.0)
def expm1(x: Operand) -> Operand:
    """Return ``e**x - 1``, exact for small `x`.

    >>> expm1(1e-20)
    1e-20
    """
    return xp(x).expm1(x)


@elementwise(
    lambda y, x: 1.0 / (1.0 + x),
    scalar="math.log1p(x)", into=np.log1p, composition=lambda x: log(1.0 + x), sample=POSITIVE,
)  # fmt: skip
def log1p(x: Operand) -> Operand:
    """Return ``log(1 + x)``, exact for small `x`.

    >>> log1p(1e-20)
    1e-20
    """
    return xp(x).log1p(x)


@elementwise(
    lambda y, x: 1.0 / (x * math.log(2.0)),
    scalar="math.log2(x)", composition=lambda x: log(x) / math.log(2.0), sample=POSITIVE,
)  # fmt: skip
def log2(x: Operand) -> Operand:
    """Return the logarithm to base 2.

    >>> log2(8.0)
    3.0
    """
    return xp(x).log2(x)


@elementwise(
    lambda y, x: 1.0 / (x * math.log(10.0)),
    scalar="math.log10(x)", composition=lambda x: log(x) / math.log(10.0), sample=POSITIVE,
)  # fmt: skip
def log10(x: Operand) -> Operand:
    """Return the logarithm to base 10.

    >>> log10(0.01)
    -2.0
    """
    return xp(x).log10(x)


@elementwise(
    lambda z, x, y: sigmoid(where(z == -math.inf, -math.inf, x - y)),
    lambda z, x, y: sigmoid(where(z == -math.inf, -math.inf, y - x)),
    scalar="maximum(x, y) + math.log1p(math.exp(-abs(x - y)))",
    composition=lambda x, y: maximum(x, y) + log1p(exp(-absolute(x - y))),
)
def logaddexp(x: Operand, y: Operand) -> Operand:
    """Return ``log(e**x + e**y)`` without overflow; the gradient of two ``-inf`` is 0.

    >>> logaddexp(1000.0, 0.0)
    1000.0
    """
    if xp(x, y) is not SCALAR:
        return np.logaddexp(x, y)
    return x + math.log(2.0) if x == y else SCALAR.maximum(x, y) + math.log1p(math.exp(-abs(x - y)))


# --------------------------------------------------------------------------------------------- activations


@elementwise(
    lambda y, x: y * (1 - y),
    symbol="σ", onnx="Sigmoid", sample=(-4.0, 4.0),
    scalar="where(x >= 0.0, 1.0, math.exp(-abs(x))) / (1.0 + math.exp(-abs(x)))",
)  # fmt: skip
def sigmoid(x: Operand) -> Operand:
    """Return the logistic function ``1 / (1 + e**-x)`` without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    if xp(x) is SCALAR:
        e = math.exp(-abs(x))
        return (1.0 if x >= 0 else e) / (1.0 + e)
    with np.errstate(over="ignore"):  # 1 / inf is the correct 0
        return 1.0 / (1.0 + np.exp(-as_real(x)))


@writes_into(sigmoid)
def _sigmoid_into(x: Operand, out: Operand) -> Operand:
    np.negative(x, out)
    with np.errstate(over="ignore"):
        np.exp(out, out)
    np.add(out, 1.0, out)
    return np.divide(1.0, out, out)


@elementwise(lambda y, x: y > 0, symbol="ReLU", scalar="maximum(x, 0.0)", onnx="Relu")  # y > 0 where x > 0: x is freed
def relu(x: Operand) -> Operand:
    """Return the rectifier ``max(0, x)``; its derivative at 0 is 0.

    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return xp(x).maximum(x, 0.0)


# Zeros of no axes: converting a Python number in each call takes as long as a small array.
_ZEROS = {np.dtype(name): np.zeros((), name) for name in ("float16", "float32", "float64")}


@writes_into(relu)
def _relu_into(x: Operand, out: Operand) -> Operand:
    return np.maximum(x, _ZEROS.get(x.dtype, 0.0), out=out)


@elementwise(
    lambda y, x, negative_slope: where(x > 0, 1.0, negative_slope),
    scalar="where(x > 0.0, x, negative_slope * x)",
)
def leaky_relu(x: Operand, negative_slope: float = 0.01) -> Operand:
    """Return the rectifier with slope `negative_slope` where ``x <= 0``.

    >>> leaky_relu(np.array([-2.0, 3.0]), negative_slope=0.1)
    array([-0.2,  3. ])
    """
    return xp(x).where(x > 0, x, negative_slope * x)


@elementwise(lambda y, x: sigmoid(x), scalar="math.log1p(math.exp(-abs(x))) + maximum(x, 0.0)", sample=(-4.0, 4.0))
def softplus(x: Operand) -> Operand:
    """Return the smooth rectifier ``log(1 + e**x)`` without overflow.

    >>> softplus(np.array([-1000.0, 1000.0]))
    array([   0., 1000.])
    """
    x = as_real(x)
    return xp(x).log1p(xp(x).exp(-abs(x))) + xp(x).maximum(x, 0.0)


@writes_into(softplus)
def _softplus_into(x: Operand, out: Operand) -> Operand:
    ramp = np.maximum(x, 0.0)
    np.absolute(x, out)
    np.negative(out, out)
    np.exp(out, out)
    np.log1p(out, out)
    return np.add(out, ramp, out)


# ------------------------------------------------------------------------------------------- trigonometric


@elementwise(lambda y, x: cos(x), scalar="math.sin(x)", into=np.sin, onnx="Sin")
def sin(x: Operand) -> Operand:
    """Return the sine of an angle in radians.

    >>> sin(0.0)
    0.0
    """
    return xp(x).sin(x)


@elementwise(lambda y, x: -sin(x), scalar="math.cos(x)", into=np.cos, onnx="Cos")
def cos(x: Operand) -> Operand:
    """Return the cosine of an angle in radians.

    >>> cos(0.0)
    1.0
    """
    return xp(x).cos(x)


@elementwise(lambda y, x: 1.0 + y * y, scalar="math.tan(x)", onnx="Tan", sample=(-1.2, 1.2))
def tan(x: Operand) -> Operand:
    """Return the tangent of an angle in radians.

    >>> tan(0.0)
    0.0
    """
    return xp(x).tan(x)


@elementwise(lambda y, x: 1.0 / sqrt((1.0 - x) * (1.0 + x)), scalar="math.asin(x)", onnx="Asin", sample=(-0.8, 0.8))
def asin(x: Operand) -> Operand:
    """Return the inverse sine, between -pi/2 and pi/2.

    >>> asin(1.0) == math.pi / 2
    True
    """
    return xp(x).arcsin(x)


@elementwise(lambda y, x: -1.0 / sqrt((1.0 - x) * (1.0 + x)), scalar="math.acos(x)", onnx="Acos", sample=(-0.8, 0.8))
def acos(x: Operand) -> Operand:
    """Return the inverse cosine, between 0 and pi.

    >>> acos(0.0) == math.pi / 2
    True
    """
    return xp(x).arccos(x)


@elementwise(lambda y, x: 1.0 / (1.0 + x * x), scalar="math.atan(x)", onnx="Atan")
def atan(x: Operand) -> Operand:
    """Return the inverse tangent, between -pi/2 and pi/2.

    >>> atan(1.0) == math.pi / 4
    True
    """
    return xp(x).arctan(x)


@elementwise(
    lambda z, x, y: x / or_one(z),
    lambda z, x, y: y / or_one(z),
    scalar="math.hypot(x, y)", composition=lambda x, y: sqrt(x * x + y * y),
)  # fmt: skip
def hypot(x: Operand, y: Operand) -> Operand:
    """Return the length ``sqrt(x**2 + y**2)`` without overflow; its gradient at the origin is 0.

    >>> hypot(3.0, 4.0)
    5.0
    """
    return xp(x, y).hypot(x, y)


@elementwise(
    lambda z, y, x: x / or_one(hypot(x, y)) / or_one(hypot(x, y)),
    lambda z, y, x: -y / or_one(hypot(x, y)) / or_one(hypot(x, y)),
    scalar="math.atan2(y, x)",
    composition=lambda y, x: atan(y / x) + where(x < 0, where(y < 0, -math.pi, math.pi), 0.0),
)  # fmt: skip
def atan2(y: Operand, x: Operand) -> Operand:
    """Return the angle of the point ``(x, y)``, between -pi and pi; its gradient at the origin is 0.

    >>> atan2(1.0, -1.0) == 3 * math.pi / 4
    True
    """
    return xp(y, x).arctan2(y, x)


# ---------------------------------------------------------------------------------------------- hyperbolic


@elementwise(lambda y, x: cosh(x), scalar="math.sinh(x)", onnx="Sinh")
def sinh(x: Operand) -> Operand:
    """Return the hyperbolic sine.

    >>> sinh(0.0)
    0.0
    """
    return xp(x).sinh(x)


@elementwise(lambda y, x: sinh(x), scalar="math.cosh(x)", onnx="Cosh")
def cosh(x: Operand) -> Operand:
    """Return the hyperbolic cosine.

    >>> cosh(0.0)
    1.0
    """
    return xp(x).cosh(x)


@elementwise(lambda y, x: 1 - y * y, scalar="math.tanh(x)", into=np.tanh, onnx="Tanh")
def tanh(x: Operand) -> Operand:
    """Return the hyperbolic tangent.

    >>> tanh(np.array([-100.0, 0.0, 100.0]))
    array([-1.,  0.,  1.])
    """
    return xp(x).tanh(x)


@elementwise(lambda y, x: 1.0 / sqrt(1.0 + x * x), scalar="math.asinh(x)", onnx="Asinh")
def asinh(x: Operand) -> Operand:
    """Return the inverse hyperbolic sine.

    >>> asinh(0.0)
    0.0
    """
    return xp(x).arcsinh(x)


@elementwise(lambda y, x: 1.0 / sqrt((x - 1.0) * (x + 1.0)), scalar="math.acosh(x)", onnx="Acosh", sample=(1.3, 4.0))
def acosh(x: Operand) -> Operand:
    """Return the inverse hyperbolic cosine, for ``x >= 1``.

    >>> acosh(1.0)
    0.0
    """
    return xp(x).arccosh(x)


@elementwise(lambda y, x: 1.0 / ((1.0 - x) * (1.0 + x)), scalar="math.atanh(x)", onnx="Atanh", sample=(-0.8, 0.8))
def atanh(x: Operand) -> Operand:
    """Return the inverse hyperbolic tangent, for ``-1 < x < 1``.

    >>> atanh(0.0)
    0.0
    """
    return xp(x).arctanh(x)


# ------------------------------------------------------------------------------------------- error function


@elementwise(lambda y, x: 2.0 / math.sqrt(math.pi) * exp(-x * x), scalar="math.erf(x)", onnx="Erf", sample=(-3.0, 3.0))
def erf(x: Operand) -> Operand:
    r"""Return the error function :math:`\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt`.

    Arrays are evaluated with two polynomials, interpolated at Chebyshev points: ``erf(x) / x`` in ``x**2`` up to 1, and
    ``e**(x**2) erfc(x)`` in ``(x - 3) / (x + 3)``, the variable of Shepherd and Laframboise 1981, beyond.  The error is
    at most two units in the last place of a float64.

    Examples
    --------
    >>> erf(0.5) == math.erf(0.5)
    True
    >>> erf(np.array([0.0, 1.0, 10.0]))
    array([0.        , 0.84270079, 1.        ])
    """
    if xp(x) is SCALAR:
        return math.erf(x)
    x = as_real(x)
    a = np.abs(x)
    near = x * _polynomial(_NEAR, np.square(np.minimum(a, 1.0)))
    a = np.clip(a, 1.0, 6.0)  # erf(6) rounds to 1
    far = 1.0 - np.exp(-a * a) * _polynomial(_FAR, (a - 3.0) / (a + 3.0))
    return np.where(np.abs(x) <= 1.0, near, np.copysign(far, x))


def _polynomial(coefficients: tuple[float, ...], x: Operand) -> Operand:
    """Return the polynomial with these coefficients, constant first, by Horner's rule."""
    y = coefficients[-1]
    for c in coefficients[-2::-1]:
        y = y * x + c
    return y


_NEAR = (
    1.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792, 0.0052239776248180145,
    -0.000854832698083379, 0.0001205533111164271, -1.4925595266831182e-05, 1.6461000484121368e-06,
    -1.6350312701054695e-07, 1.4659775274047436e-08, -1.1372848856791674e-09, 5.957176147748911e-11,
)  # fmt: skip
_FAR = (
    0.17900115118138996, -0.32623356004303716, 0.24560380171233195, -0.15011593650078744, 0.07166583719774874,
    -0.024392499318273194, 0.004269136347508256, 0.0007077464443901538, -0.0005970623517093284,
    4.525472635483354e-05, 6.406182073530546e-05, -1.284889451252353e-05, -8.008021319412685e-06,
    2.023603179641757e-06, 1.2801900862962662e-06,
)  # fmt: skip
