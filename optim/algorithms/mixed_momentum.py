"""Momentum with several time scales: `QHM`, `AggMo`, `QHAdam`, `AdEMAMix`, `GrokfastAdamW`, `PID`."""

from typing import Annotated

import numpy as np

from optim.algorithms.adam import AdamVariant
from optim.optimizer import Optimizer, Update
from optim.options import Betas, Fraction, NonNegative, Number, ThreeBetas, Whole
from optim.typing import Array


class QHM(Optimizer):
    """Quasi-hyperbolic momentum, a mean of the gradient and of its running average.

    ::

        m = momentum * m + (1 - momentum) * g
        p -= lr * ((1 - nu) * g + nu * m)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of the average.
    nu : float
        Weight of the average; 0 gives plain SGD, 1 `Momentum`.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Ma & Yarats 2019, "Quasi-hyperbolic momentum and Adam for deep learning", equations 3 and 4. PyTorch, Keras and
    optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> QHM([p], lr=0.25, momentum=0.5, nu=0.5).step()
    >>> round(p.data, 6)
    -0.5
    """

    lr: NonNegative = 1e-3
    momentum: Fraction = 0.9
    nu: Number = 0.7
    weight_decay: NonNegative = 0.0

    def rule(self, g: Array, m: Array, *, lr: float, momentum: float, nu: float) -> Update:
        """Return the update and the new state."""
        m = momentum * m + (1 - momentum) * g
        return lr * ((1 - nu) * g + nu * m), (m,)


class AggMo(Optimizer):
    """Aggregated momentum, the mean of three velocities with different decay rates.

    ::

        v_i = betas[i] * v_i + g
        p -= lr * (v_1 + v_2 + v_3) / 3

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the velocities, each in [0, 1).
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Lucas, Sun, Zemel & Grosse 2019, "Aggregated Momentum", equation 3 with its recommended decay rates. PyTorch,
    Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AggMo([p], lr=0.25).step()
    >>> round(p.data, 6)
    -1.0
    """

    lr: NonNegative = 1e-3
    betas: ThreeBetas = (0.0, 0.9, 0.99)
    weight_decay: NonNegative = 0.0

    def rule(self, g: Array, v1: Array, v2: Array, v3: Array, *, lr: float, betas: ThreeBetas) -> Update:
        """Return the update and the new state."""
        v1, v2, v3 = betas[0] * v1 + g, betas[1] * v2 + g, betas[2] * v3 + g
        return lr * (v1 + v2 + v3) / 3, (v1, v2, v3)


class QHAdam(AdamVariant):
    """Adam with quasi-hyperbolic averages, each mixed with the present gradient.

    ::

        m_hat and v_hat as in Adam
        p -= lr * ((1 - nu1) * g + nu1 * m_hat) / (sqrt((1 - nu2) * g**2 + nu2 * v_hat) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the averages, each in [0, 1).
    eps : float
        Added outside the root.
    nus : tuple of float
        Weights of the averages; (1, 1) gives Adam.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Ma & Yarats 2019, "Quasi-hyperbolic momentum and Adam for deep learning", section 4. PyTorch, Keras and optax do
    not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> QHAdam([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    betas: Betas = (0.995, 0.999)
    nus: Annotated[tuple[float, float], "(-inf, inf)"] = (0.7, 1.0)

    def rule(
        self, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: Betas, nus: tuple[float, float], eps: float
    ) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        nu1, nu2 = nus
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        mixed = (1 - nu1) * g + nu1 * m_hat
        return lr * mixed / (np.sqrt((1 - nu2) * g**2 + nu2 * v_hat) + eps), (m, v)


class AdEMAMix(AdamVariant, decoupled_decay=True):
    """AdamW with a second, much slower average of the gradient.

    ::

        m1 = b1 * m1 + (1 - b1) * g;    m2 = b3 * m2 + (1 - b3) * g;    v = b2 * v + (1 - b2) * g**2
        p -= lr * ((m1_hat + alpha * m2) / (sqrt(v_hat) + eps) + weight_decay * p)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates (b1, b2, b3) of m1, v and m2, each in [0, 1).
    alpha : float
        Weight of the slow average.
    warmup : int
        Number of steps in which alpha grows linearly from 0, and the half-life of m2 from that of m1; 0 for none.
    eps : float
        Added outside the root.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Pagliardini, Ablin & Grangier 2024, "The AdEMAMix Optimizer", Algorithm 1. optax (``contrib.ademamix``): the
    same without a warm-up. It helps in long trainings, where old gradients remain useful. PyTorch and Keras do not
    include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AdEMAMix([p], lr=0.25, alpha=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    betas: ThreeBetas = (0.9, 0.999, 0.9999)  # type: ignore[assignment]
    alpha: NonNegative = 5.0
    warmup: Whole = 0

    def rule(
        self, g: Array, m1: Array, m2: Array, v: Array, *,
        t: int, lr: float, betas: ThreeBetas, alpha: float, warmup: int, eps: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2, b3 = betas
        if warmup:
            part = np.minimum(t / warmup, 1.0)
            alpha = alpha * part
            b3 = np.minimum(b3, np.exp(np.log(b1) * np.log(b3) / ((1 - part) * np.log(b3) + part * np.log(b1))))
        m1 = b1 * m1 + (1 - b1) * g
        m2 = b3 * m2 + (1 - b3) * g
        v = b2 * v + (1 - b2) * g**2
        m1_hat, v_hat = m1 / (1 - b1**t), v / (1 - b2**t)
        return lr * (m1_hat + alpha * m2) / (np.sqrt(v_hat) + eps), (m1, m2, v)


class GrokfastAdamW(AdamVariant, decoupled_decay=True):
    """AdamW of the gradient with its slow component amplified.

    ::

        h = alpha * h + (1 - alpha) * g;    g_hat = g + lamb * h
        then AdamW with g_hat in place of g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the averages, each in [0, 1).
    eps : float
        Added outside the root.
    alpha : float
        Decay rate of the slow component h.
    lamb : float
        Its amplification.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Lee, Kim, Kim & Cho 2024, "Grokfast", Algorithm 2 (Grokfast-EMA). It makes models generalize earlier that would
    do so long after they fit the training data. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> GrokfastAdamW([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    alpha: Fraction = 0.98
    lamb: NonNegative = 2.0

    def rule(
        self, g: Array, m: Array, v: Array, h: Array | None = None, *,
        t: int, lr: float, betas: Betas, alpha: float, lamb: float, eps: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        h = g if h is None else alpha * h + (1 - alpha) * g
        g = g + lamb * h
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        return lr * m_hat / (np.sqrt(v_hat) + eps), (m, v, h)


class PID(Optimizer):
    """Gradient descent as a controller: the gradient, its sum, and its change, as proportional, integral, derivative.

    ::

        i = momentum * i + g;    d = momentum * d + (1 - momentum) * (g - g_old)       (0 in the first step)
        p -= lr * (g + integral * i + derivative * d)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of i and d.
    integral, derivative : float
        Weights of the two terms.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    An et al. 2018, "A PID Controller Approach for Stochastic Optimization of Deep Networks", as in the authors' code;
    the derivative reduces the overshoot of momentum. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> PID([p], lr=0.125, integral=1.0).step()
    >>> p.data
    0.5
    """

    lr: NonNegative = 1e-3
    momentum: Fraction = 0.9
    integral: NonNegative = 5.0
    derivative: NonNegative = 10.0
    weight_decay: NonNegative = 0.0

    def rule(
        self, g: Array, i: Array, d: Array, g_old: Array | None = None, *,
        lr: float, momentum: float, integral: float, derivative: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        i = momentum * i + g
        d = momentum * d if g_old is None else momentum * d + (1 - momentum) * (g - g_old)
        return lr * (g + integral * i + derivative * d), (i, d, g)
