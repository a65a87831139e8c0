"""Attribute one output of a network to the features of a row, by gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograd import Tensor, gradients
from nn.typing import Array, Operand

STEPS = 64


def attributions(model: Callable[[Operand], Operand], x: Array, output: int = 0) -> tuple[Array, Array]:
    r"""Return input times gradient of each feature, and integrated gradients from a row of zeros.

    .. math:: a_i = x_i \frac{\partial f}{\partial x_i}(x), \qquad
        b_i = x_i \int_0^1 \frac{\partial f}{\partial x_i}(t x)\, dt, \qquad \sum_i b_i = f(x) - f(0)

    Parameters
    ----------
    model : callable
        Returns outputs of shape (n, outputs) for features of shape (n, features).
    x : ndarray, shape (features,)
        The row; zeros stand for an average row, as after `nn.data.RobustScaler`.
    output : int
        The output f.

    Returns
    -------
    a, b : ndarray, shape (features,)
        Of a linear model both are the same.

    Notes
    -----
    Simonyan et al. 2014; Sundararajan, Taly & Yan 2017, equation 1, with the midpoint rule of 64 steps.

    Examples
    --------
    >>> a, b = attributions(lambda x: x**2, np.array([3.0]))
    >>> a, b.round(2)
    (array([18.]), array([9.]))
    """
    path = Tensor(np.append((np.arange(STEPS) + 0.5) / STEPS, 1.0)[:, None] * x, requires_grad=True)
    slopes = np.asarray(gradients(model(path)[:, output].sum(), path))
    return x * slopes[-1], x * slopes[:-1].mean(axis=0)
