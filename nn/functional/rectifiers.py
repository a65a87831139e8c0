"""Rectifiers and other piecewise activations, each with its derivative on the line above.

At a kink the derivative is that of PyTorch: 0 for `relu`, `relu6`, `hardtanh`, `hardsigmoid` and the shrinkage
functions, the left derivative for `leaky_relu`, `prelu` and `elu`.
"""

import numpy as np

from autograd import absolute, greater, less, where
from autograd.extend import callback, elementwise, xp
from nn.random import Rng, as_generator
from nn.ranks import draw_rows
from nn.typing import Operand, Operation

from .checks import as_operand

__all__ = [
    "celu", "elu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "prelu", "relu6", "rrelu", "selu",
    "softshrink", "threshold",
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
