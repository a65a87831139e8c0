"""Adam with other denominators and bounds: `ADOPT`, `Adan`, `AdaBound`, `AdaMod`, `LaProp`."""

import numpy as np

from optim.algorithms.adam import AdamVariant
from optim.optimizer import Update
from optim.options import Betas, NonNegative, Positive, ThreeBetas
from optim.typing import Array


class ADOPT(AdamVariant, decoupled_decay=True):
    """Adam that normalizes the gradient by the second moment of earlier steps, and converges with any b2.

    ::

        v = g**2 in the first step, which does not move;    afterwards
        m = b1 * m + (1 - b1) * clip(g / max(sqrt(v), eps), -t**0.25, t**0.25);    p -= lr * m
        v = b2 * v + (1 - b2) * g**2

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of m and v, each in [0, 1).
    eps : float
        Lower bound of the root.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Taniguchi et al. 2024, "ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate", Algorithm 2; t
    counts steps from 0. optax (``contrib.adopt``): the same. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> ADOPT([p], lr=0.25).step()
    >>> round(p.data, 6)
    1.0
    """

    betas: Betas = (0.9, 0.9999)
    eps: NonNegative = 1e-6

    def rule(self, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: Betas, eps: float) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        if t == 1:
            return 0.0 * g, (m, g**2)
        bound = (t - 1) ** 0.25
        m = b1 * m + (1 - b1) * np.clip(g / np.maximum(np.sqrt(v), eps), -bound, bound)
        return lr * m, (m, b2 * v + (1 - b2) * g**2)


class Adan(AdamVariant):
    """Adaptive Nesterov momentum from the differences of successive gradients.

    ::

        d = g - g_old (0 in the first step);    m = b1 * m + (1 - b1) * g;    v = b2 * v + (1 - b2) * d
        n = b3 * n + (1 - b3) * (g + b2 * d)**2
        p = (p - lr * (m_hat + b2 * v_hat) / (sqrt(n_hat) + eps)) / (1 + lr * weight_decay)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of m, v and n, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        Proximal decay.

    Notes
    -----
    Xie, Zhou, Li, Lin & Yan 2022, "Adan: Adaptive Nesterov Momentum Algorithm", Algorithm 1; the paper's beta is 1
    minus ours, as in the authors' code, from which the bias corrections are. optax: decay added to the update.
    PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> Adan([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    betas: ThreeBetas = (0.98, 0.92, 0.99)  # type: ignore[assignment]

    def rule(
        self, g: Array, m: Array, v: Array, n: Array, g_old: Array | None = None, *,
        p: Array, t: int, lr: float, betas: ThreeBetas, eps: float, weight_decay: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2, b3 = betas
        d = 0.0 * g if g_old is None else g - g_old
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * d
        n = b3 * n + (1 - b3) * (g + b2 * d) ** 2
        m_hat, v_hat, n_hat = m / (1 - b1**t), v / (1 - b2**t), n / (1 - b3**t)
        update = lr * (m_hat + b2 * v_hat) / (np.sqrt(n_hat) + eps)
        return p - (p - update) / (1 + lr * weight_decay), (m, v, n, g)


class AdaBound(AdamVariant):
    """Adam with step sizes between bounds that close around `final_lr`, a transition to SGD.

    ::

        step = clip(lr * sqrt(1 - b2**t) / (1 - b1**t) / (sqrt(v) + eps), lower, upper)
        lower = final_lr * (1 - 1 / (gamma * t + 1));    upper = final_lr * (1 + 1 / (gamma * t))
        p -= step * m

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
    final_lr : float
        The step size of every element in the end.
    gamma : float
        Speed at which the bounds close.
    amsbound : bool
        Divide by the maximum of all v.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Luo, Xiong, Liu & Sun 2019, "Adaptive Gradient Methods with Dynamic Bound of Learning Rate", Algorithms 1 and 2,
    with Adam's bias corrections as in the authors' code, which also scales `final_lr` by schedules. PyTorch, Keras
    and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AdaBound([p], lr=0.25, final_lr=1.0, gamma=1.0).step()
    >>> round(p.data, 6)
    0.6
    """

    final_lr: NonNegative = 0.1
    gamma: Positive = 1e-3
    amsbound: bool = False

    def rule(
        self, g: Array, m: Array, v: Array, v_max: Array | None = None, *,
        t: int, lr: float, betas: Betas, final_lr: float, gamma: float, eps: float, amsbound: bool,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        if amsbound:
            v_max = v if v_max is None else np.maximum(v_max, v)
        step = lr * (1 - b2**t) ** 0.5 / (1 - b1**t) / (np.sqrt(v if v_max is None else v_max) + eps)
        lower, upper = final_lr * (1 - 1 / (gamma * t + 1)), final_lr * (1 + 1 / (gamma * t))
        return np.clip(step, lower, upper) * m, (m, v, v_max)


class AdaMod(AdamVariant, decoupled_decay=True):
    """Adam with step sizes bounded by their own running average.

    ::

        step = lr * sqrt(1 - b2**t) / (1 - b1**t) / (sqrt(v) + eps);    s = b3 * s + (1 - b3) * step
        p -= min(step, s) * m

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of m, v and the average step size s, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Ding, Ren, Luo & Sun 2019, "An Adaptive and Momental Bound Method for Stochastic Learning", Algorithm 1.
    PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AdaMod([p], lr=0.25, betas=(0.5, 0.5, 0.5), eps=0.0).step()
    >>> round(p.data, 6)
    0.875
    """

    betas: ThreeBetas = (0.9, 0.999, 0.999)  # type: ignore[assignment]

    def rule(
        self, g: Array, m: Array, v: Array, s: Array, *, t: int, lr: float, betas: ThreeBetas, eps: float
    ) -> Update:
        """Return the update and the new state."""
        b1, b2, b3 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        step = lr * (1 - b2**t) ** 0.5 / (1 - b1**t) / (np.sqrt(v) + eps)
        s = b3 * s + (1 - b3) * step
        return np.minimum(step, s) * m, (m, v, s)


class LaProp(AdamVariant, decoupled_decay=True):
    """Momentum of normalized gradients, where Adam normalizes the momentum.

    ::

        v = b2 * v + (1 - b2) * g**2;    m = b1 * m + (1 - b1) * g / (sqrt(v_hat) + eps)
        p -= lr * m / (1 - b1**t)

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
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Ziyin, Wang & Ueda 2020, "LaProp: Separating Momentum and Adaptivity in Adam", Algorithm 1. PyTorch, Keras and
    optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> LaProp([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 4e-4
    eps: NonNegative = 1e-15

    def rule(self, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: Betas, eps: float) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        v = b2 * v + (1 - b2) * g**2
        v_hat = v / (1 - b2**t)
        m = b1 * m + (1 - b1) * g / (np.sqrt(v_hat) + eps)
        return lr * m / (1 - b1**t), (m, v)
