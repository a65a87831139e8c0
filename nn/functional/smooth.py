"""Smooth activations, each with its derivative on the line above, and activations along an axis."""

import math

import autograd as ag
from autograd import exp, greater, sigmoid, tanh, where
from autograd.extend import elementwise, xp
from nn.typing import Operand

from .checks import as_operand

__all__ = [
    "gelu", "glu", "log_softmax", "logsigmoid", "mish", "silu", "softmax", "softmin", "softplus", "softsign",
    "swiglu", "tanhshrink",
]  # fmt: skip

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
