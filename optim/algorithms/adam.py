"""Adam and its close variants: `Adam`, `AdamW`, `StableAdamW`, `Adamax`, `NAdam`, `RAdam`, `AdaBelief`, `Yogi`."""

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import Betas, NonNegative
from optim.typing import Array, State


class AdamVariant(Optimizer):
    """Base class of Adam and its variants: the options that they share."""

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0


class Adam(AdamVariant):
    """Adaptive moments: the mean gradient divided by the root of the mean squared gradient.

    ::

        m = b1 * m + (1 - b1) * g;    v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t);      v_hat = v / (1 - b2**t)
        p -= lr * m_hat / (sqrt(v_hat + eps_root) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of m and v, each in [0, 1).
    eps, eps_root : float
        Added outside and inside the root. ``eps=0, eps_root=1e-8`` is the form with one epsilon inside.
    weight_decay : float
        L2 regularization, added to the gradient; with `decoupled_weight_decay` as in `AdamW`.
    amsgrad : bool
        Divide by the maximum of all v (Reddi, Kale & Kumar 2018, Algorithm 2; bias-corrected as in PyTorch).
    decoupled_weight_decay : bool
        Shrink the parameter instead of adding the decay to the gradient.

    Notes
    -----
    Kingma & Ba 2015, Algorithm 1, epsilon outside the root. PyTorch: the same; Keras: eps 1e-7, multiplied by
    ``sqrt(1 - b2**t)`` (the epsilon-hat of section 2); optax: the same, with `eps_root`; its amsgrad takes the largest
    v_hat.  In place of PyTorch's SparseAdam use this class: gradients are arrays of full size here, so the moments of
    rows without a gradient decay, too, which SparseAdam omits.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=300.0)
    >>> Adam([p], lr=0.25).step()
    >>> round(p.data, 9)
    0.75
    """

    amsgrad: bool = False
    decoupled_weight_decay: bool = False
    eps_root: NonNegative = 0.0

    def rule(
        self, g: Array, m: Array, v: Array, v_max: Array | None = None, *,
        t: int, lr: float, betas: Betas, eps: float, eps_root: float, amsgrad: bool,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        if amsgrad:
            v_max = v if v_max is None else np.maximum(v_max, v)
            v_hat = v_max / (1 - b2**t)
        if eps_root:
            v_hat = v_hat + eps_root
        return lr * m_hat / (np.sqrt(v_hat) + eps), (m, v, v_max)


class AdamW(Adam):
    """Adam with decoupled weight decay.

    ::

        p -= lr * weight_decay * p
        p -= lr * m_hat / (sqrt(v_hat + eps_root) + eps)        (m_hat, v_hat as in Adam, of the bare gradient)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr, betas, eps, amsgrad, eps_root
        As in `Adam`.
    weight_decay : float
        Strength of the decay, relative to `lr`.

    Notes
    -----
    Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", Algorithm 2. PyTorch, Keras and optax scale the
    decay by `lr`, the paper by the schedule's factor alone. Default decay: PyTorch 0.01, Keras 0.004, optax 1e-4.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=0.0)
    >>> AdamW([p], lr=0.5, weight_decay=0.5).step()
    >>> p.data
    0.75
    """

    weight_decay: NonNegative = 0.01
    decoupled_weight_decay: bool = True


class StableAdamW(AdamVariant, elementwise=False):
    """AdamW with the step size divided by the root mean square of g / sqrt(v), where that exceeds 1.

    ::

        m, v as in Adam with the decay rates b * (1 - b**(t - 1)) / (1 - b**t)
        p -= lr / max(1, rms(g / max(sqrt(v), eps))) * (m / (sqrt(v) + eps) + weight_decay * p)

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
    Wortsman et al. 2023, "Stable and low-precision training for large-scale vision-language models", Algorithm 2.
    It avoids the spikes of the loss that an outdated v causes, so that gradients need not be clipped. PyTorch,
    Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> StableAdamW([p], lr=0.25, weight_decay=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    betas: Betas = (0.9, 0.99)
    weight_decay: NonNegative = 0.01

    def rule(
        self, g: Array, m: Array, v: Array, *,
        p: Array, t: int, lr: float, betas: Betas, eps: float, weight_decay: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1 = betas[0] * (1 - betas[0] ** (t - 1)) / (1 - betas[0] ** t)
        b2 = betas[1] * (1 - betas[1] ** (t - 1)) / (1 - betas[1] ** t)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        rms = np.sqrt(np.mean(g**2 / np.maximum(v, eps**2)))
        return lr / np.maximum(1.0, rms) * (m / (np.sqrt(v) + eps) + weight_decay * p), (m, v)


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
