"""Adam with other moments, denominators or bounds: `ADOPT`, `Adan`, `AdaBound`, `AdaMod`, `LaProp`, `MARS`, ..."""

from typing import Annotated

import numpy as np

from optim.algorithms.adam import AdamVariant
from optim.optimizer import Update
from optim.options import Betas, Fraction, NonNegative, Positive, ThreeBetas, Whole
from optim.typing import Array


class MARS(AdamVariant, elementwise=False, decoupled_decay=True):
    """AdamW of a gradient whose variance is reduced by the difference to the one before.

    ::

        c = g + gamma * b1 / (1 - b1) * (g - g_old);    c /= max(1, |c|)
        then AdamW with c in place of g

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
    gamma : float
        Strength of the correction.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Yuan, Liu, Wu, Zhou & Gu 2024, "MARS: Unleashing the Power of Variance Reduction", Algorithm 2 in its
    approximate form, which uses the gradient of the last batch, 0 at first as in the authors' code; the norm is
    that of each parameter. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> MARS([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 3e-3
    betas: Betas = (0.95, 0.99)
    gamma: NonNegative = 0.025

    def rule(
        self, g: Array, m: Array, v: Array, g_old: Array, *, t: int, lr: float, betas: Betas, gamma: float, eps: float
    ) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        c = g + gamma * b1 / (1 - b1) * (g - g_old)
        c = c / np.maximum(1.0, np.sqrt(np.sum(c * c)))
        m = b1 * m + (1 - b1) * c
        v = b2 * v + (1 - b2) * c**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        return lr * m_hat / (np.sqrt(v_hat) + eps), (m, v, g)


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
