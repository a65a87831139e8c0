"""Activations as functions: rectifiers, their smooth relatives, and softmax."""

import math

import numpy as np

import autograd as ag
from autograd import absolute, exp, greater, less, sigmoid, tanh, where
from autograd.extend import callback, elementwise, xp
from nn.random import Rng, as_generator
from nn.ranks import draw_rows
from nn.typing import Operand, Operation

from .checks import as_operand

__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "log_softmax", "logsigmoid",
    "mish", "prelu", "relu6", "rrelu", "selu", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign",
    "swiglu", "tanhshrink", "threshold",
]  # fmt: skip

SELU_ALPHA = 1.6732632423543772848170429916717  # Klambauer et al. 2017, appendix A.4
SELU_SCALE = 1.0507009873554804934193349852946


@elementwise(lambda y, x, min_val, max_val: greater(x, min_val) * less(x, max_val))
def hardtanh(x: Operand, min_val: float = -1.0, max_val: float = 1.0) -> Operand:
    """Identity clipped to [`min_val`, `max_val`]; the derivative at both bounds is 0.

    Examples
    --------
    >>> import numpy as np
    >>> hardtanh(np.array([-3.0, 0.5]))
    array([-1. ,  0.5])
    """
    return xp(x).minimum(xp(x).maximum(x, min_val), max_val)


def relu6(input: Operand) -> Operand:
    r"""Rectifier clipped at 6, :math:`\min(\max(0, x), 6)` (Krizhevsky 2010).

    Examples
    --------
    >>> import numpy as np
    >>> relu6(np.array([-1.0, 3.0, 9.0]))
    array([0., 3., 6.])
    """
    return hardtanh(input, 0.0, 6.0)


@elementwise(lambda y, x: (1.0 / 6.0) * (greater(x, -3.0) * less(x, 3.0)), sample=(-4.0, 4.0))
def hardsigmoid(x: Operand) -> Operand:
    r"""Piecewise linear sigmoid :math:`\mathrm{relu6}(x + 3) / 6` (Howard et al. 2019).

    Examples
    --------
    >>> import numpy as np
    >>> hardsigmoid(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """
    return xp(x).minimum(xp(x).maximum(x + 3.0, 0.0), 6.0) / 6.0


@elementwise(lambda y, x: where(greater(x, -3.0), where(less(x, 3.0), x / 3.0 + 0.5, 1.0), 0.0), sample=(-4.0, 4.0))
def hardswish(x: Operand) -> Operand:
    r"""Piecewise approximation of SiLU, :math:`x \cdot \mathrm{relu6}(x + 3) / 6` (Howard et al. 2019, section 5.2).

    Examples
    --------
    >>> import numpy as np
    >>> hardswish(np.array([-4.0, 3.0]))
    array([-0.,  3.])
    """
    return x * (xp(x).minimum(xp(x).maximum(x + 3.0, 0.0), 6.0) / 6.0)


@elementwise(lambda y, x, alpha: where(greater(x, 0), 1.0, y + alpha))
def elu(x: Operand, alpha: float = 1.0) -> Operand:
    r"""Exponential linear unit: :math:`x` if positive, else :math:`\alpha (e^x - 1)` (Clevert et al. 2016, eq. 15).

    Examples
    --------
    >>> import numpy as np
    >>> elu(np.array([-1e4, 2.0]))
    array([-1.,  2.])
    """
    return xp(x).where(x > 0, x, alpha * xp(x).expm1(xp(x).minimum(x, 0.0)))


@elementwise(lambda y, x, alpha: where(greater(x, 0), 1.0, y / alpha + 1.0))
def celu(x: Operand, alpha: float = 1.0) -> Operand:
    r"""Continuously differentiable ELU: :math:`x` if positive, else :math:`\alpha (e^{x/\alpha} - 1)` (Barron 2017).

    Examples
    --------
    >>> import numpy as np
    >>> celu(np.array([-1e4, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    return xp(x).where(x > 0, x, alpha * xp(x).expm1(xp(x).minimum(x, 0.0) / alpha))


@elementwise(lambda y, x: where(greater(x, 0), SELU_SCALE, y + SELU_SCALE * SELU_ALPHA))
def selu(x: Operand) -> Operand:
    r"""Self-normalising ELU: :math:`\lambda x` if positive, else :math:`\lambda \alpha (e^x - 1)`.

    The constants preserve mean 0 and variance 1 from layer to layer (Klambauer et al. 2017, eqs. 2 and 14); use it with
    `init.lecun_normal_` and `AlphaDropout`.

    Examples
    --------
    >>> import numpy as np
    >>> selu(np.array([0.0]))
    array([0.])
    """
    return SELU_SCALE * xp(x).where(x > 0, x, SELU_ALPHA * xp(x).expm1(xp(x).minimum(x, 0.0)))


@elementwise(
    lambda y, x, a: where(greater(x, 0), 1.0, a),
    lambda y, x, a: where(greater(x, 0), 0.0, x),
    sample=((-2.0, 2.0), (0.3, 3.0)),
)
def slope_where_negative(x: Operand, a: Operand) -> Operand:
    """Rectifier ``x`` or ``a x`` with one slope per element."""
    return xp(x, a).where(x > 0, x, a * x)


def prelu(input: Operand, weight: Operand) -> Operand:
    r"""Rectifier with a learned slope: :math:`x` if positive, else :math:`a x` (He et al. 2015, eq. 1).

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C, ...) or any other
        The second axis contains the channels, as in PyTorch.
    weight : Tensor or ndarray of shape (1,) or (C,)
        One slope, or one per channel.

    Returns
    -------
    Tensor or ndarray of the shape of `input`
        The activation.

    Raises
    ------
    ValueError
        If the number of slopes is neither 1 nor C.

    Examples
    --------
    >>> import numpy as np
    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.5, 0.25]))
    array([[-0.5 , -0.25]])
    """
    x, a = as_operand(input), as_operand(weight)
    channels = x.shape[1] if x.ndim > 1 else x.shape[0] if x.ndim == 1 else 1
    if a.size not in (1, channels):
        raise ValueError(f"prelu: expected 1 or {channels} slopes for input of shape {x.shape}, got {a.size}")
    if x.ndim != 2:
        a = a.reshape((a.size,) + (1,) * (x.ndim - 2) if x.ndim else ())
    return slope_where_negative(x, a)


def random_like(x: Operand, rng: Rng, formula: Operation) -> Operand:
    """Return a function of uniform values in [0, 1), in shape and dtype of `x`; a replay draws other values."""
    shape, dtype = x.shape, x.dtype if x.dtype.kind == "f" else np.dtype(float)
    drawn = np.float32 if dtype == np.float32 else np.float64

    def draw() -> Operand:
        generator = as_generator(rng)
        return np.asarray(formula(draw_rows(lambda shape: generator.random(shape, drawn), shape)), dtype)

    return callback(draw)


def rrelu(
    input: Operand, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *, rng: Rng = None
) -> Operand:
    r"""Rectifier with negative slopes from U(lower, upper) in training and their mean in evaluation (Xu et al. 2015).

    In training each element has its own slope, which is a constant of the graph.

    Raises
    ------
    ValueError
        If `lower` exceeds `upper`.

    Examples
    --------
    >>> import numpy as np
    >>> rrelu(np.array([-1.0]), 0.5, 0.5)
    array([-0.5])
    """
    if not lower <= upper:
        raise ValueError(f"rrelu: lower must not exceed upper, got lower={lower}, upper={upper}")
    x = as_operand(input)
    if not training:
        return slope_where_negative(x, (lower + upper) / 2)
    return slope_where_negative(x, random_like(x, rng, lambda u: lower + (upper - lower) * u))


@elementwise(lambda y, x, lambd: 1.0 * greater(absolute(x), lambd))
def softshrink(x: Operand, lambd: float = 0.5) -> Operand:
    r"""Soft thresholding: shrink towards 0 by `lambd`, as in the lasso (Donoho 1995).

    Examples
    --------
    >>> import numpy as np
    >>> softshrink(np.array([-2.0, 0.25, 2.0]))
    array([-1.5,  0. ,  1.5])
    """
    return x - xp(x).minimum(xp(x).maximum(x, -lambd), lambd)


@elementwise(lambda y, x, lambd: 1.0 * greater(absolute(x), lambd))
def hardshrink(x: Operand, lambd: float = 0.5) -> Operand:
    r"""Hard thresholding: 0 where :math:`|x| \le` `lambd`, else the identity.

    Examples
    --------
    >>> import numpy as np
    >>> hardshrink(np.array([-2.0, 0.25, 2.0]))
    array([-2.,  0.,  2.])
    """
    return xp(x).where(abs(x) > lambd, x, 0.0)


@elementwise(lambda y, x, threshold, value: 1.0 * greater(x, threshold))
def _hard_threshold(x: Operand, threshold: float = 0.0, value: float = 0.0) -> Operand:
    """Identity above `threshold`, `value` elsewhere."""
    return xp(x).where(x > threshold, x, value)


def threshold(input: Operand, threshold: float, value: float) -> Operand:
    """Identity above `threshold`, the constant `value` elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> threshold(np.array([0.5, 2.0]), 1.0, -7.0)
    array([-7.,  2.])
    """
    return _hard_threshold(input, threshold=float(threshold), value=float(value))


# --------------------------------------------------------------------------------------------------- smooth activations


ROOT_HALF = math.sqrt(0.5)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
TANH_SCALE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715  # Hendrycks & Gimpel 2016, section 2


@elementwise(lambda y, x: 0.5 * (1.0 + ag.erf(x * ROOT_HALF)) + x * (DENSITY_AT_0 * exp(-0.5 * x * x)))
def _gelu(x: Operand) -> Operand:
    r"""Gaussian error linear unit :math:`x \Phi(x)`."""
    return 0.5 * x * (1.0 + ag.erf(x * ROOT_HALF))


def gelu(input: Operand, approximate: str = "none") -> Operand:
    r"""Gaussian error linear unit :math:`x \Phi(x)`, where :math:`\Phi` is the normal distribution function.

    Parameters
    ----------
    input : float, array_like, Value or Tensor
        Any shape.
    approximate : {'none', 'tanh'}
        Compute :math:`\Phi` by the error function, or approximate it by
        :math:`\frac12 (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3)))`.

    Returns
    -------
    float, ndarray, Value or Tensor
        The activation.

    Raises
    ------
    ValueError
        If `approximate` is neither of them.

    Notes
    -----
    Hendrycks & Gimpel 2016, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> gelu(np.array([0.0, 100.0]))
    array([  0., 100.])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    if approximate == "none":
        return _gelu(input)
    x = as_operand(input)
    return 0.5 * x * (1.0 + tanh(TANH_SCALE * (x + TANH_CUBE * x * x * x)))


@elementwise(lambda y, x: sigmoid(x) * (1.0 + x * sigmoid(-x)))
def silu(x: Operand) -> Operand:
    r"""Sigmoid linear unit :math:`x \sigma(x)`, also called swish (Elfwing et al. 2018; Ramachandran et al. 2017).

    Examples
    --------
    >>> import numpy as np
    >>> silu(np.array([0.0, 1e4]))
    array([    0., 10000.])
    """
    return x * sigmoid(x)


def _mish_slope(y: Operand, x: Operand) -> Operand:
    t = tanh(ag.softplus(x))
    return t + x * (1.0 - t * t) * sigmoid(x)


@elementwise(_mish_slope)
def mish(x: Operand) -> Operand:
    r"""Mish :math:`x \tanh(\log(1 + e^x))` (Misra 2020, eq. 3).

    Examples
    --------
    >>> import numpy as np
    >>> mish(np.array([0.0, 100.0]))
    array([  0., 100.])
    """
    return x * tanh(ag.softplus(x))


@elementwise(lambda y, x, beta, threshold: where(greater(beta * x, threshold), 1.0, sigmoid(beta * x)))
def _softplus_up_to(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Operand:
    """Softplus, replaced by the identity beyond a threshold."""
    return xp(x).where(beta * x > threshold, x, ag.softplus(beta * x) / beta)


def softplus(input: Operand, beta: float = 1.0, threshold: float = 20.0) -> Operand:
    r"""Smooth rectifier :math:`\frac 1 \beta \log(1 + e^{\beta x})`, the identity where :math:`\beta x` > `threshold`.

    PyTorch has this threshold; `autograd.softplus` is exact without one.

    Examples
    --------
    >>> import numpy as np
    >>> softplus(np.array([-1e4, 1e4]))
    array([    0., 10000.])
    """
    return _softplus_up_to(input, beta=beta, threshold=threshold)


@elementwise(lambda y, x: 1.0 / (1.0 + ag.absolute(x)) ** 2)
def softsign(x: Operand) -> Operand:
    r"""Softsign :math:`x / (1 + |x|)`.

    Examples
    --------
    >>> import numpy as np
    >>> softsign(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """
    return x / (1.0 + abs(x))


@elementwise(lambda y, x: tanh(x) ** 2)
def tanhshrink(x: Operand) -> Operand:
    r"""Tanh shrinkage :math:`x - \tanh x`.

    Examples
    --------
    >>> import numpy as np
    >>> tanhshrink(np.array([0.0]))
    array([0.])
    """
    return x - xp(x).tanh(x)


@elementwise(lambda y, x: sigmoid(-x))
def logsigmoid(x: Operand) -> Operand:
    r"""Logarithm of the sigmoid, :math:`-\log(1 + e^{-x})`, without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> logsigmoid(np.array([-1e4, 1e4]))
    array([-10000.,      0.])
    """
    return xp(x).minimum(x, 0.0) - xp(x).log1p(xp(x).exp(-abs(x)))


def softmax(input: Operand, dim: int = -1) -> Operand:
    r"""Softmax :math:`e^{x_j} / \sum_k e^{x_k}` along `dim`, without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([1e4, 1e4]))
    array([0.5, 0.5])
    """
    return ag.softmax(as_operand(input), dim)


def softmin(input: Operand, dim: int = -1) -> Operand:
    """Softmax of ``-x``, largest for the smallest element.

    Examples
    --------
    >>> import numpy as np
    >>> softmin(np.array([0.0, 1e4]))
    array([1., 0.])
    """
    return ag.softmax(-as_operand(input), dim)


def log_softmax(input: Operand, dim: int = -1) -> Operand:
    """Logarithm of the softmax along `dim`, exact where the softmax underflows.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 1e4]))
    array([-10000.,      0.])
    """
    return ag.log_softmax(as_operand(input), dim)


def glu(input: Operand, dim: int = -1) -> Operand:
    r"""Gated linear unit :math:`a \, \sigma(b)` of the two halves of `input` along `dim` (Dauphin et al. 2017, eq. 1).

    Raises
    ------
    ValueError
        If the axis has an odd length.

    Examples
    --------
    >>> import numpy as np
    >>> glu(np.array([2.0, 0.0]))
    array([1.])
    """
    a, b = ag.split(as_operand(input), 2, axis=dim)
    return a * sigmoid(b)


def swiglu(input: Operand, dim: int = -1) -> Operand:
    r"""Gated linear unit :math:`\mathrm{silu}(a) \, b` of the two halves of `input` along `dim` (Shazeer 2020, eq. 5).

    Raises
    ------
    ValueError
        If the axis has an odd length.

    Examples
    --------
    >>> import numpy as np
    >>> swiglu(np.array([0.0, 2.0]))
    array([0.])
    """
    a, b = ag.split(as_operand(input), 2, axis=dim)
    return silu(a) * b
