"""Activations as layers, so that they stand in a `Sequential`; each calls its function of `nn.functional`."""

from __future__ import annotations

from typing import Any

import autograd as ag

from .module import Module

__all__ = ["LeakyReLU", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class ReLU(Module):
    r"""Rectifier :math:`\max(0, x)`; its derivative at 0 is 0.

    Examples
    --------
    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, input: Any) -> Any:
        """Return the activation of each element."""
        return ag.relu(input)


class Tanh(Module):
    r"""Hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    def forward(self, input: Any) -> Any:
        """Return the activation of each element."""
        return ag.tanh(input)


class Sigmoid(Module):
    r"""Logistic function :math:`1 / (1 + e^{-x})`.

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def forward(self, input: Any) -> Any:
        """Return the activation of each element."""
        return ag.sigmoid(input)


class LeakyReLU(Module):
    r"""Rectifier with slope `negative_slope` where :math:`x \le 0` (Maas et al. 2013).

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU()(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Any:
        """Return the activation of each element."""
        return ag.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"negative_slope={self.negative_slope}"


class Softmax(Module):
    r"""Softmax :math:`e^{x_j} / \sum_k e^{x_k}` along `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """Return the activation along the axis."""
        return ag.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"dim={self.dim}"
