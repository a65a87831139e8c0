"""Activations as layers, so that they stand in a `Sequential`; each is its function of `nn.functional` with options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from nn import functional as F  # noqa: N812  (F is the name every reader of PyTorch code knows)

from .options import Options

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "LogSoftmax", "Mish", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softmin",
    "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class ReLU(Options):
    r"""Rectifier :math:`\max(0, x)`; its derivative at 0 is 0 (Bertoin et al. 2021).

    Examples
    --------
    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.relu)


class ReLU6(Options):
    r"""Rectifier cut off at 6, :math:`\min(\max(0, x), 6)` (Krizhevsky 2010).

    Examples
    --------
    >>> import numpy as np
    >>> ReLU6()(np.array([-1.0, 9.0]))
    array([0., 6.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.relu6)


class LeakyReLU(Options):
    r"""Rectifier with slope `negative_slope` where :math:`x \le 0` (Maas et al. 2013).

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU()(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.leaky_relu)
    negative_slope: float = 0.01


class ELU(Options):
    r"""Exponential linear unit: :math:`\alpha (e^x - 1)` where :math:`x \le 0` (Clevert et al. 2016).

    Examples
    --------
    >>> import numpy as np
    >>> ELU()(np.array([0.0, 2.0]))
    array([0., 2.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.elu)
    alpha: float = 1.0


class CELU(Options):
    r"""ELU with a continuous derivative: :math:`\alpha (e^{x/\alpha} - 1)` where :math:`x \le 0` (Barron 2017).

    Examples
    --------
    >>> import numpy as np
    >>> CELU()(np.array([0.0, 2.0]))
    array([0., 2.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.celu)
    alpha: float = 1.0


class SELU(Options):
    r"""Self-normalising ELU (Klambauer et al. 2017); goes with `init.lecun_normal_` and `AlphaDropout`.

    Examples
    --------
    >>> import numpy as np
    >>> SELU()(np.array([0.0]))
    array([0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.selu)


class GELU(Options):
    r"""Gaussian error linear unit :math:`x \Phi(x)` (Hendrycks & Gimpel 2016); `approximate` may be 'tanh'.

    Examples
    --------
    >>> import numpy as np
    >>> GELU()(np.array([0.0, 100.0]))
    array([  0., 100.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.gelu)
    approximate: str = "none"


class SiLU(Options):
    r"""Sigmoid linear unit :math:`x \sigma(x)`, also called swish (Elfwing et al. 2018).

    Examples
    --------
    >>> import numpy as np
    >>> SiLU()(np.array([0.0]))
    array([0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.silu)


class Mish(Options):
    r"""Mish :math:`x \tanh(\log(1 + e^x))` (Misra 2020).

    Examples
    --------
    >>> import numpy as np
    >>> Mish()(np.array([0.0]))
    array([0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.mish)


class Sigmoid(Options):
    r"""Logistic function :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.sigmoid)


class Tanh(Options):
    r"""Hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.tanh)


class Hardtanh(Options):
    r"""Identity cut off at `min_val` and `max_val`.

    Examples
    --------
    >>> import numpy as np
    >>> Hardtanh()(np.array([-3.0, 0.5]))
    array([-1. ,  0.5])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.hardtanh)
    min_val: float = -1.0
    max_val: float = 1.0


class Hardsigmoid(Options):
    r"""Sigmoid in three pieces, :math:`\mathrm{relu6}(x + 3) / 6` (Howard et al. 2019).

    Examples
    --------
    >>> import numpy as np
    >>> Hardsigmoid()(np.array([-4.0, 0.0]))
    array([0. , 0.5])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.hardsigmoid)


class Hardswish(Options):
    r"""SiLU in three pieces, :math:`x \cdot \mathrm{relu6}(x + 3) / 6` (Howard et al. 2019).

    Examples
    --------
    >>> import numpy as np
    >>> Hardswish()(np.array([0.0, 3.0]))
    array([0., 3.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.hardswish)


class Softplus(Options):
    r"""Smooth rectifier :math:`\frac 1 \beta \log(1 + e^{\beta x})`, the identity beyond `threshold`.

    Examples
    --------
    >>> import numpy as np
    >>> Softplus()(np.array([100.0]))
    array([100.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.softplus)
    beta: float = 1.0
    threshold: float = 20.0


class Softsign(Options):
    r"""Softsign :math:`x / (1 + |x|)`.

    Examples
    --------
    >>> import numpy as np
    >>> Softsign()(np.array([-1.0, 3.0]))
    array([-0.5 ,  0.75])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.softsign)


class Tanhshrink(Options):
    r"""What tanh takes away: :math:`x - \tanh x`.

    Examples
    --------
    >>> import numpy as np
    >>> Tanhshrink()(np.array([0.0]))
    array([0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.tanhshrink)


class Softshrink(Options):
    r"""Shrink towards 0 by `lambd`, 0 within (Donoho 1995).

    Examples
    --------
    >>> import numpy as np
    >>> Softshrink()(np.array([-2.0, 0.25]))
    array([-1.5,  0. ])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.softshrink)
    lambd: float = 0.5


class Hardshrink(Options):
    r"""Identity, but 0 where :math:`|x| \le` `lambd`.

    Examples
    --------
    >>> import numpy as np
    >>> Hardshrink()(np.array([-2.0, 0.25]))
    array([-2.,  0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.hardshrink)
    lambd: float = 0.5


class LogSigmoid(Options):
    r"""Logarithm of the sigmoid, :math:`-\log(1 + e^{-x})`, without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> LogSigmoid()(np.array([-1e4]))
    array([-10000.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.logsigmoid)


class Softmax(Options):
    r"""Softmax :math:`e^{x_j} / \sum_k e^{x_k}` along `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.softmax)
    dim: int = -1


class Softmin(Options):
    r"""Softmax of :math:`-x` along `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> Softmin()(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.softmin)
    dim: int = -1


class LogSoftmax(Options):
    r"""Logarithm of the softmax along `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> LogSoftmax()(np.array([0.0, 1e4]))
    array([-10000.,      0.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.log_softmax)
    dim: int = -1


class GLU(Options):
    r"""Gated linear unit :math:`a \, \sigma(b)` of the two halves along `dim` (Dauphin et al. 2017).

    Examples
    --------
    >>> import numpy as np
    >>> GLU()(np.array([2.0, 0.0]))
    array([1.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.glu)
    dim: int = -1


class Threshold(Options):
    r"""Identity above `threshold`, the constant `value` elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> Threshold(1.0, -7.0)(np.array([0.5, 2.0]))
    array([-7.,  2.])
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.threshold)
    threshold: float
    value: float
