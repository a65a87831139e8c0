"""Variants of Adam: `Adamax`, `NAdam`, `RAdam`, `AdaBelief`, `Yogi`."""

import numpy as np

from optim.algorithms.adam import AdamVariant
from optim.optimizer import Update
from optim.options import Betas, NonNegative
from optim.typing import Array, State


class Adamax(AdamVariant):
    """Adam with the infinity norm of past gradients in place of their root mean square.

    ::

        m = b1 * m + (1 - b1) * g
        u = max(b2 * u, |g| + eps)
        p -= lr / (1 - b1**t) * m / u

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps : float
        Added to the absolute value of the gradient.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Kingma & Ba 2015, Algorithm 2, which has no epsilon. PyTorch: the same as here; Keras: eps 1e-7 added to u instead;
    optax: the same as PyTorch.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> Adamax([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 2e-3

    def rule(self, g: Array, m: Array, u: Array, *, t: int, lr: float, betas: Betas, eps: float) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, abs(g) + eps)
        return lr / (1 - b1**t) * m / u, (m, u)


class NAdam(AdamVariant):
    """Adam with Nesterov momentum.

    ::

        mu = b1 * (1 - 0.96**(t * momentum_decay) / 2);    mu_next: the same for t + 1;    product *= mu
        g_hat = g / (1 - product);    m_hat = m / (1 - product * mu_next);    m, v and v_hat as in Adam
        p -= lr * ((1 - mu) * g_hat + mu_next * m_hat) / (sqrt(v_hat) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        L2 regularization, added to the gradient.
    momentum_decay : float
        Rate at which the momentum mu approaches b1.
    decoupled_weight_decay : bool
        Shrink the parameter instead of adding the decay to the gradient.

    Notes
    -----
    Dozat 2016, "Incorporating Nesterov Momentum into Adam", Algorithm 2 with the momentum schedule of its section 3;
    m decays with b1 as in PyTorch and Keras, in the paper with mu. Keras has momentum_decay 1 and eps
    1e-7; optax has no momentum schedule.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> NAdam([p], lr=0.25, momentum_decay=0.0, eps=0.0).step()
    >>> round(p.data, 6)
    0.735893
    """

    lr: NonNegative = 2e-3
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False

    def rule(
        self, g: Array, m: Array, v: Array, product: float = 1.0, *,
        t: int, lr: float, betas: Betas, eps: float, momentum_decay: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        mu = b1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product = product * mu
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        g_hat = g / (1 - product)
        m_hat = m / (1 - product * mu_next)
        m_bar = (1 - mu) * g_hat + mu_next * m_hat
        v_hat = v / (1 - b2**t)
        return lr * m_bar / (np.sqrt(v_hat) + eps), (m, v, product)


class RAdam(AdamVariant):
    """Adam with rectified variance: the first steps, where v is not reliable yet, use momentum only.

    ::

        rho_inf = 2 / (1 - b2) - 1;    rho = rho_inf - 2 * t * b2**t / (1 - b2**t);    l = sqrt((1 - b2**t) / v)
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        p -= lr * r * m_hat * l   if rho > 5, else   lr * m_hat                         (m, v, m_hat as in Adam)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps : float
        Added to ``sqrt(v)``.
    weight_decay : float
        L2 regularization, added to the gradient.
    decoupled_weight_decay : bool
        Shrink the parameter instead of adding the decay to the gradient.

    Notes
    -----
    Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond", Algorithm 2, where the threshold is 4;
    PyTorch and optax take 5, as the authors' code does. Keras has no RAdam.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> RAdam([p], lr=0.125).step()
    >>> round(p.data, 6)
    0.75
    """

    decoupled_weight_decay: bool = False

    def rule(self, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: Betas, eps: float) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        rho_inf = 2 / (1 - b2) - 1
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        if rho <= 5:
            return lr * m_hat, (m, v)
        r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        l = (1 - b2**t) ** 0.5 / (np.sqrt(v) + eps)  # noqa: E741 - the paper's name
        return lr * r * m_hat * l, (m, v)


class AdaBelief(AdamVariant):
    """Adam with the variance around the mean gradient in place of the second moment.

    ::

        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m)**2 + eps_root
        p -= lr * m_hat / (sqrt(s_hat) + eps)               (m_hat = m / (1 - b1**t), s_hat = s / (1 - b2**t))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps, eps_root : float
        Added outside the root, and to s in each step.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Zhuang et al. 2020, "AdaBelief Optimizer", Algorithm 2. optax: the same with eps = eps_root = 1e-16; PyTorch and
    Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AdaBelief([p], lr=0.25, betas=(0.5, 0.75), eps_root=0.0).step()
    >>> round(p.data, 6)
    0.5
    """

    eps: NonNegative = 1e-16
    eps_root: NonNegative = 1e-16

    def rule(
        self, g: Array, m: Array, s: Array, *, t: int, lr: float, betas: Betas, eps: float, eps_root: float
    ) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_root
        m_hat = m / (1 - b1**t)
        s_hat = s / (1 - b2**t)
        return lr * m_hat / (np.sqrt(s_hat) + eps), (m, s)


class Yogi(AdamVariant):
    """Adam with an additive update of v, so that the effective step size increases slowly.

    ::

        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * sign(v - g**2) * g**2
        p -= lr * m_hat / (sqrt(v_hat) + eps)               (m_hat = m / (1 - b1**t), v_hat = v / (1 - b2**t))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        L2 regularization, added to the gradient.
    initial_accumulator_value : float
        Initial value of m and v.

    Notes
    -----
    Zaheer et al. 2018, "Adaptive Methods for Nonconvex Optimization", Algorithm 2, with Adam's corrections of bias and
    both averages started at 1e-6 as in optax; the paper writes neither. PyTorch and Keras have no Yogi.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> Yogi([p], lr=0.25, eps=0.0, initial_accumulator_value=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1e-2
    eps: NonNegative = 1e-3
    initial_accumulator_value: NonNegative = 1e-6

    def start(self, zero: Array, *, initial_accumulator_value: float) -> State:
        """Begin with m and v slightly above 0."""
        return zero + initial_accumulator_value, zero + initial_accumulator_value

    def rule(self, g: Array, m: Array, v: Array, *, t: int, lr: float, betas: Betas, eps: float) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g**2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        return lr * m_hat / (np.sqrt(v_hat) + eps), (m, v)
