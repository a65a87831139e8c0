"""A step length for every layer: `LARS`, `LAMB`, `NovoGrad`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from .flat_params import State
from .optimizer import Optimizer
from .options import Betas, NonNegative


def norm(a: Any) -> float:
    """Return the Euclidean norm of all numbers of an array, as a plain float so that float32 stays float32."""
    return float(np.linalg.norm(a))


def trust(p_norm: float, step_norm: float) -> float:
    """Return how long a step may be for a parameter's size; 1 where either is zero."""
    return p_norm / step_norm if p_norm and step_norm else 1.0


class LARS(Optimizer):
    """Momentum with a step length for each layer: proportional to the layer's norm.

    ::

        local = trust_coefficient * |p| / (|g| + weight_decay * |p| + eps)          (1 where p or g is zero)
        v  = momentum * v + lr * local * (g + weight_decay * p)
        p -= v                                              (Nesterov: momentum * v + lr * local * (...))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    weight_decay : float
        L2 regularisation, inside the layer's step length.
    trust_coefficient : float
        Size of a step relative to the parameter.
    eps : float
        Added to the gradient's norm.
    momentum : float
        Weight of the steps before.
    nesterov : bool
        Look ahead.

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

    def start(self, zero: Any) -> State:
        """Begin with v = 0."""
        return (zero,)

    def rule(
        self, g: Any, v: Any, *, p: Any, lr: float,
        weight_decay: float, trust_coefficient: float, eps: float, momentum: float, nesterov: bool,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        local = (
            trust_coefficient * trust(norm(p), norm(g) + weight_decay * norm(p) + eps) if norm(g) and norm(p) else 1.0
        )
        scaled = lr * local * (g + weight_decay * p)
        v = momentum * v + scaled
        return (momentum * v + scaled if nesterov else v), (v,)


class LAMB(Optimizer):
    """Adam with a step length for each layer: proportional to the layer's norm.

    ::

        u  = m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay * p              (m_hat, v_hat as in Adam)
        p -= lr * |p| / |u| * u                             (ratio 1 where p or u is zero)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps, eps_root : float
        Added outside and inside the root.
    weight_decay : float
        Added to Adam's direction, inside the layer's step length.

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

    def start(self, zero: Any) -> State:
        """Begin with m = v = 0."""
        return zero, zero

    def rule(
        self, g: Any, m: Any, v: Any, *,
        p: Any, t: int, lr: float, betas: tuple[float, float], eps: float, eps_root: float, weight_decay: float,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2**t)
        u = m_hat / (np.sqrt(v_hat + eps_root) + eps) + weight_decay * p
        return lr * trust(norm(p), norm(u)) * u, (m, v)


class NovoGrad(Optimizer):
    """Gradients normalised layer by layer before they enter the momentum.

    ::

        v  = b2 * v + (1 - b2) * |g|**2                     (one number per layer; first step: v = |g|**2)
        m  = b1 * m + g / (sqrt(v + eps_root) + eps) + weight_decay * p
        p -= lr * m

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    eps, eps_root : float
        Added outside and inside the root.
    weight_decay : float
        Added to the normalised gradient.

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

    def start(self, zero: Any) -> State:
        """Begin with m = v = 0."""
        return zero, 0.0

    def rule(
        self, g: Any, m: Any, v: float, *,
        p: Any, t: int, lr: float, betas: tuple[float, float], eps: float, eps_root: float, weight_decay: float,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        b1, b2 = betas
        v = norm(g) ** 2 if t == 1 else b2 * v + (1 - b2) * norm(g) ** 2
        m = b1 * m + g / (math.sqrt(v + eps_root) + eps) + weight_decay * p
        return lr * m, (m, v)
