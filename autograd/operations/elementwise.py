"""Elementwise operations, each with its partial derivatives on the line above.

A partial derivative is a function of ``(y, *inputs)`` written in the library's own operations, so one line serves
floats, arrays and graph nodes, at any order.  `relu` and `absolute` have the derivative 0 at 0 (Bertoin et al. 2021).
"""

import math
import warnings

import numpy as np

from autograd.extend import writes_into
from autograd.graph import Node
from autograd.messages import GradientWarning
from autograd.operands import SCALAR, as_real
from autograd.recording import raw_data
from autograd.rules import elementwise, xp
from autograd.typing import Operand

from .comparing import maximum, round, sign, where

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


@elementwise(
    lambda z, x, y: y * power(x, _lowered(x, y)),
    lambda z, x, y: z * log(where(x > 0, x, where(x == 0, where(y < 0, 0.0, 1.0), float("nan")))),
    symbol="**", scalar="math.pow(x, y)", onnx="Pow", sample=((0.3, 2.0), (-2.0, 2.0)),
)  # fmt: skip
def _power(x: Operand, y: Operand) -> Operand:
    """Return the power ``x ** y``."""
    return math.pow(x, y) if xp(x, y) is SCALAR else x**y


def power(x: Operand, y: Operand) -> Operand:
    """Return the power ``x ** y``; ``0 ** 0`` is 1, and a negative base has a derivative with respect to `x` only.

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
        If the exponent requires a gradient and a base is negative: the gradient of the exponent is nan there.

    Examples
    --------
    >>> power(2.0, 3.0)
    8.0
    """
    if isinstance(y, Node) and y.requires_grad and np.any(np.less(raw_data(x), 0)):
        name = f" {y.name!r}" if y.name else ""
        warnings.warn(
            f"the gradient of the exponent{name} is nan where the base is negative; use a number as exponent, or "
            "abs() of the base",
            GradientWarning,
            stacklevel=2,
        )
    return _power(x, y)


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


@elementwise(
    1,
    lambda z, x, y: -round((x - z) / y),
    scalar="math.fmod(x, y)", sample=((2.1, 2.9), (0.8, 1.0)),
)  # fmt: skip
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


@elementwise(
    lambda y, x: -0.5 * y / x,
    scalar="1.0 / math.sqrt(x)", sample=POSITIVE,
)  # fmt: skip
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
