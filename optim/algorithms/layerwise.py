"""Steps that depend on the norm or the direction of a layer: `LARS`, `LAMB`, `NovoGrad`, `SGDP`, `AdamP`."""

import numpy as np

from optim.algorithms.adam import AdamVariant
from optim.optimizer import Optimizer, Update
from optim.options import Betas, Fraction, NonNegative, Portion
from optim.typing import Array, Data, State


def norm(a: Array) -> Data:
    """Return the Euclidean norm of all elements."""
    return np.sqrt(np.sum(a * a))


def ratio(x: Data, y: Data, defined: Data) -> Data:
    """Return ``x / y``, or 1 where `defined` is false."""
    return np.where(defined, x, 1.0) / np.where(defined, y, 1.0)


class LARS(Optimizer, elementwise=False):
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


class LAMB(AdamVariant, elementwise=False):
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

    eps: NonNegative = 1e-6
    eps_root: NonNegative = 0.0

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


class NovoGrad(AdamVariant, elementwise=False):
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
    eps_root: NonNegative = 0.0

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


def projected(step: Array, p: Array, g: Array, delta: float, eps: float, wd_ratio: float) -> tuple[Array, float]:
    """Return an update without its radial part, and the factor of the weight decay.

    The part is removed from each row, or from the whole array, if the parameter is nearly orthogonal to its gradient,
    as it is if the loss does not depend on its scale.
    """
    for shape in ((len(p), -1), (1, -1)) if p.ndim > 1 else ():
        rows, grads = p.reshape(shape), g.reshape(shape)
        lengths = np.sqrt(np.sum(rows**2, axis=1, keepdims=True))
        sizes = (lengths + eps) * (np.sqrt(np.sum(grads**2, axis=1, keepdims=True)) + eps)
        cosines = abs(np.sum(rows * grads, axis=1, keepdims=True)) / sizes
        if np.max(cosines) < delta / rows.shape[1] ** 0.5:
            unit = rows / (lengths + eps)
            radial = unit * np.sum(unit * step.reshape(shape), axis=1, keepdims=True)
            return step - radial.reshape(p.shape), wd_ratio
    return step, 1.0


class SGDP(Optimizer, elementwise=False):
    """Momentum without the part of a step that changes only the length of the weights before a normalization.

    ::

        v = momentum * v + (1 - dampening) * g;    u = projected(g + momentum * v if nesterov else v)
        p -= lr * (u + weight_decay * ratio / (1 - momentum) * p)     (ratio: wd_ratio where projected, else 1)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum, dampening : float
        Decay rate of v, and reduction of the weight of the new gradient.
    weight_decay : float
        Decoupled.
    delta : float
        Bound of the cosine of parameter and gradient, times the root of the number of elements, for a projection.
    wd_ratio : float
        Factor of the weight decay of projected parameters.
    nesterov : bool
        Use Nesterov momentum.
    eps : float
        Added to norms.

    Notes
    -----
    Heo et al. 2021, "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", Algorithm 1,
    as in the authors' code. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=np.eye(2), grad=np.eye(2)[::-1])
    >>> SGDP([p], lr=0.5).step()
    >>> p.data
    array([[ 1. , -0.5],
           [-0.5,  1. ]])
    """

    lr: NonNegative = 1e-3
    momentum: Fraction = 0.0
    dampening: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    delta: NonNegative = 0.1
    wd_ratio: Portion = 0.1
    nesterov: bool = False
    eps: NonNegative = 1e-8

    def rule(
        self, g: Array, v: Array, *, p: Array, lr: float, momentum: float, dampening: float, weight_decay: float,
        delta: float, wd_ratio: float, nesterov: bool, eps: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        v = momentum * v + (1 - dampening) * g
        u = g + momentum * v if nesterov else v
        u, ratio = projected(u, p, g, delta, eps, wd_ratio)
        return lr * (u + weight_decay * ratio / (1 - momentum) * p), (v,)


class AdamP(AdamVariant, elementwise=False):
    """Adam without the part of a step that changes only the length of the weights before a normalization.

    ::

        u = projected(m_hat / (sqrt(v_hat) + eps))          (m, v as in Adam; Nesterov: b1 * m + (1 - b1) * g for m)
        p -= lr * (u + weight_decay * ratio * p)            (ratio: wd_ratio where projected, else 1)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the averages, each in [0, 1).
    eps : float
        Added outside the root, and to norms.
    weight_decay : float
        Decoupled.
    delta, wd_ratio, nesterov
        As for `SGDP`.

    Notes
    -----
    Heo et al. 2021, Algorithm 2, as in the authors' code. It helps networks with batch normalization, whose effective
    step sizes momentum shrinks too fast. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AdamP([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    delta: NonNegative = 0.1
    wd_ratio: Portion = 0.1
    nesterov: bool = False

    def rule(
        self, g: Array, m: Array, v: Array, *, p: Array, t: int, lr: float, betas: Betas, eps: float,
        weight_decay: float, delta: float, wd_ratio: float, nesterov: bool,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = (b1 * m + (1 - b1) * g if nesterov else m) / (1 - b1**t)
        u = m_hat / (np.sqrt(v) + eps) * (1 - b2**t) ** 0.5
        u, ratio = projected(u, p, g, delta, eps, wd_ratio)
        return lr * (u + weight_decay * ratio * p), (m, v)
