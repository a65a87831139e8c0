"""Relatives of Adam: `Adamax`, `NAdam`, `RAdam`, `AdaBelief`, `Yogi`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .flat_params import State
from .optimizer import Optimizer
from .options import Betas, NonNegative


class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the root mean square.

    ::

        m = b1 * m + (1 - b1) * g
        u = max(b2 * u, |g| + eps)
        p -= lr / (1 - b1**t) * m / u

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps : float
        Added to the gradient's size.
    weight_decay : float
        L2 regularisation, added to the gradient.

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
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def start(self, zero: Any) -> State:
        """Begin with m = u = 0."""
        return zero, zero

    def rule(self, g: Any, m: Any, u: Any, *, t: int, lr: float, betas: tuple[float, float], eps: float) -> Any:
        """Take one step; see the class."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, abs(g) + eps)
        return lr / (1 - b1**t) * m / u, (m, u)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the average is taken one step ahead.

    ::

        mu = b1 * (1 - 0.96**(t * momentum_decay) / 2);    mu_next: the same for t + 1;    product *= mu
        m and v as in Adam;    m_bar = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        p -= lr * m_bar / (sqrt(v / (1 - b2**t)) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        L2 regularisation, added to the gradient.
    momentum_decay : float
        How fast the momentum rises to b1.
    decoupled_weight_decay : bool
        Shrink the parameter instead of adding to the gradient.

    Notes
    -----
    Dozat 2016, "Incorporating Nesterov Momentum into Adam", Algorithm 2 with the momentum schedule of its section 3.
    PyTorch and Keras: the same (Keras fixes momentum_decay at 0.004, eps 1e-7); optax: no momentum schedule.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> NAdam([p], lr=0.25, momentum_decay=0.0, eps=0.0).step()
    >>> round(p.data, 6)
    0.735893
    """

    lr: NonNegative = 2e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum_decay: NonNegative = 4e-3
    decoupled_weight_decay: bool = False

    def start(self, zero: Any) -> State:
        """Begin with m = v = 0 and an empty product of momenta."""
        return zero, zero, 1.0

    def rule(
        self, g: Any, m: Any, v: Any, product: float, *,
        t: int, lr: float, betas: tuple[float, float], eps: float, momentum_decay: float,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        b1, b2 = betas
        mu = b1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product = product * mu
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_bar = mu_next / (1 - product * mu_next) * m + (1 - mu) / (1 - product) * g
        v_hat = v / (1 - b2**t)
        return lr * m_bar / (np.sqrt(v_hat) + eps), (m, v, product)


class RAdam(Optimizer):
    """Adam whose first steps, for which v is no estimate yet, are plain momentum.

    ::

        rho_inf = 2 / (1 - b2) - 1;    rho = rho_inf - 2 * t * b2**t / (1 - b2**t);    m_hat, v_hat as in Adam
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        p -= lr * m_hat * r / sqrt(v_hat)   if rho > 5, else   lr * m_hat

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps : float
        Added to the root of v before its correction.
    weight_decay : float
        L2 regularisation, added to the gradient.
    decoupled_weight_decay : bool
        Shrink the parameter instead of adding to the gradient.

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

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False

    def start(self, zero: Any) -> State:
        """Begin with m = v = 0."""
        return zero, zero

    def rule(self, g: Any, m: Any, v: Any, *, t: int, lr: float, betas: tuple[float, float], eps: float) -> Any:
        """Take one step; see the class."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat = m / (1 - b1**t)
        rho_inf = 2 / (1 - b2) - 1
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        if rho <= 5:
            return lr * m_hat, (m, v)
        r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        return lr * r * (1 - b2**t) ** 0.5 * m_hat / (np.sqrt(v) + eps), (m, v)


class AdaBelief(Optimizer):
    """Adam that divides by how far gradients are from their average, not from zero.

    ::

        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m)**2 + eps_root
        p -= lr * m_hat / (sqrt(s_hat) + eps)               (m_hat = m / (1 - b1**t), s_hat = s / (1 - b2**t))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps, eps_root : float
        Added outside the root, and to s in every step.
    weight_decay : float
        L2 regularisation, added to the gradient.

    Notes
    -----
    Zhuang et al. 2020, "AdaBelief Optimizer", Algorithm 2. optax: the same with eps = eps_root = 1e-16; PyTorch and
    Keras have none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AdaBelief([p], lr=0.25, betas=(0.5, 0.75), eps_root=0.0).step()
    >>> round(p.data, 6)
    0.5
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-16
    weight_decay: NonNegative = 0.0
    eps_root: NonNegative = 1e-16

    def start(self, zero: Any) -> State:
        """Begin with m = s = 0."""
        return zero, zero

    def rule(
        self, g: Any, m: Any, s: Any, *, t: int, lr: float, betas: tuple[float, float], eps: float, eps_root: float
    ) -> Any:
        """Take one step; see the class."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        surprise = g - m
        s = b2 * s + (1 - b2) * surprise * surprise + eps_root
        m_hat = m / (1 - b1**t)
        s_hat = s / (1 - b2**t)
        return lr * m_hat / (np.sqrt(s_hat) + eps), (m, s)


class Yogi(Optimizer):
    """Adam whose v moves by no more than the new square, so that the step length cannot jump up.

    ::

        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * sign(v - g**2) * g**2
        p -= lr * m_hat / (sqrt(v_hat) + eps)               (m_hat = m / (1 - b1**t), v_hat = v / (1 - b2**t))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        L2 regularisation, added to the gradient.
    initial_accumulator_value : float
        What m and v start from.

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
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-3
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 1e-6

    def start(self, zero: Any, *, initial_accumulator_value: float) -> State:
        """Begin with m and v a little above 0."""
        return zero + initial_accumulator_value, zero + initial_accumulator_value

    def rule(self, g: Any, m: Any, v: Any, *, t: int, lr: float, betas: tuple[float, float], eps: float) -> Any:
        """Take one step; see the class."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g * g) * g * g
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        return lr * m_hat / (np.sqrt(v_hat) + eps), (m, v)
