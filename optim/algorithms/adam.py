"""Adam, with decay inside or outside the gradient and with bounded steps: `Adam`, `AdamW`, `MARS`, `StableAdamW`."""

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import Betas, NonNegative
from optim.typing import Array


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
