"""An individual step size for every layer: `LARS`, `LAMB`, `NovoGrad`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import Betas, NonNegative
from optim.typing import Array, Data, State


def norm(a: Array) -> Data:
    """Return the Euclidean norm of all elements."""
    return np.sqrt(np.sum(a * a))


def ratio(x: Data, y: Data, defined: Data) -> Data:
    """Return ``x / y``, or 1 where `defined` is false."""
    return np.where(defined, x, 1.0) / np.where(defined, y, 1.0)


class LARS(Optimizer):
    """Momentum with a step size for each layer, proportional to the norm of its parameters.

    ::

        local_lr = trust_coefficient * |p| / (|g| + weight_decay * |p| + eps)       (1 where p or g is zero)
        v  = momentum * v + lr * local_lr * (g + weight_decay * p)
        p -= v                                              (Nesterov: momentum * v + lr * local_lr * (...))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    weight_decay : float
        L2 regularization, included in the step size of the layer.
    trust_coefficient : float
        Norm of an update relative to that of the parameter.
    eps : float
        Added to the norm of the gradient.
    momentum : float
        Decay rate of v.
    nesterov : bool
        Use Nesterov momentum.

    Notes
    -----
    You, Gitman & Ginsburg 2017, "Large Batch Training of Convolutional Networks", equation 6 and Algorithm 1. optax
    divides by ``|g + weight_decay * p|`` instead (the same without decay). PyTorch and Keras have no LARS.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> LARS([p], lr=1.0, trust_coefficient=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 0.1
    weight_decay: NonNegative = 0.0
    trust_coefficient: NonNegative = 1e-3
    eps: NonNegative = 0.0
    momentum: NonNegative = 0.9
    nesterov: bool = False
    elementwise: ClassVar[bool] = False
    own_decay: ClassVar[bool] = True

    def rule(
        self, g: Array, v: Array, *, p: Array, lr: float,
        weight_decay: float, trust_coefficient: float, eps: float, momentum: float, nesterov: bool,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        nonzero = np.minimum(norm(p), norm(g)) > 0
        local_lr = ratio(trust_coefficient * norm(p), norm(g) + weight_decay * norm(p) + eps, nonzero)
        step = lr * local_lr * (g + weight_decay * p)
        v = momentum * v + step
        return (momentum * v + step if nesterov else v), (v,)


class LAMB(Optimizer):
    """Adam with a step size for each layer, proportional to the norm of its parameters.

    ::

        r  = m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay * p              (m_hat, v_hat as in Adam)
        p -= lr * |p| / |r| * r                             (ratio 1 where p or r is zero)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps, eps_root : float
        Added outside and inside the root.
    weight_decay : float
        Decay added to Adam's update, included in the step size of the layer.

    Notes
    -----
    You et al. 2020, "Large Batch Optimization for Deep Learning", Algorithm 2 with phi the identity. optax: the same;
    Keras ``Lamb``: eps 1e-7, no decay. PyTorch has no LAMB.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> LAMB([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    eps_root: NonNegative = 0.0
    elementwise: ClassVar[bool] = False
    own_decay: ClassVar[bool] = True

    def rule(
        self, g: Array, m: Array, v: Array, *,
        p: Array, t: int, lr: float, betas: Betas, eps: float, eps_root: float, weight_decay: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        r = m_hat / (np.sqrt(v_hat + eps_root) + eps) + weight_decay * p
        return lr * ratio(norm(p), norm(r), np.minimum(norm(p), norm(r)) > 0) * r, (m, v)


class NovoGrad(Optimizer):
    """Momentum of gradients that are normalized layer by layer.

    ::

        v  = b2 * v + (1 - b2) * |g|**2                     (one value per layer; first step: v = |g|**2)
        m  = b1 * m + g / (sqrt(v + eps_root) + eps) + weight_decay * p
        p -= lr * m

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps, eps_root : float
        Added outside and inside the root.
    weight_decay : float
        Decay added to the normalized gradient.

    Notes
    -----
    Ginsburg et al. 2019, "Stochastic Gradient Methods with Layer-wise Adaptive Moments", Algorithm 1, with the betas of
    optax (the paper: 0.95, 0.98). PyTorch and Keras have no NovoGrad.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> NovoGrad([p], lr=0.25, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1e-2
    betas: Betas = (0.9, 0.25)
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    eps_root: NonNegative = 0.0
    elementwise: ClassVar[bool] = False
    own_decay: ClassVar[bool] = True

    def start(self, zero: Array) -> State:
        """Begin with m = v = 0."""
        return zero, np.sum(zero)

    def rule(
        self, g: Array, m: Array, v: Array, *,
        p: Array, t: int, lr: float, betas: Betas, eps: float, eps_root: float, weight_decay: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        v = norm(g) ** 2 if t == 1 else b2 * v + (1 - b2) * norm(g) ** 2
        m = b1 * m + g / (np.sqrt(v + eps_root) + eps) + weight_decay * p
        return lr * m, (m, v)
