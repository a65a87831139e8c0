"""Step sizes from distances: `DoG`, `DoWG` need no learning rate; `MADGRAD` averages in the dual."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from optim.optimizer import Optimizer, Terms, Update
from optim.options import Fraction, NonNegative, Positive
from optim.typing import Array, Group, State


def distances(terms: Iterable[Terms]) -> tuple[Any, Any, Any]:
    """Return the squared norms of all gradients, of the way from the initial parameters, and of these."""
    gradients = way = initial = 0.0
    for p, g, (p0,), _, _ in terms:
        gradients = gradients + (g * g).sum()
        way = way + ((p - p0) ** 2).sum()
        initial = initial + (p0 * p0).sum()
    return gradients, way, initial


class DoG(Optimizer):
    """SGD with the step size *distance over gradients*, without a learning rate to tune.

    ::

        r = max(r, |p - p0|), at first reps_rel * (1 + |p0|);    G += |g|**2
        p -= lr * r / sqrt(G + eps) * g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    reps_rel : float
        Size of the first step, relative to the norm of the initial parameters.
    eps : float
        Added inside the root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Ivgi, Hinder & Carmon 2023, "DoG is SGD's Best Friend", equation 1; the norms are those of all parameters
    together. Leave `lr` at 1, and use an average of the parameters (`AveragedModel`), as the paper recommends.
    optax: ``contrib.dog``. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> DoG([p], reps_rel=0.125).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1.0
    reps_rel: Positive = 1e-6
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    shared: ClassVar[dict[str, Any]] = {"distance": 0.0, "squares": 0.0}

    def start(self, zero: Array, *, p: Array) -> State:
        """Keep the initial parameter p0."""
        return (p,)

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return the largest distance and the sum of squared gradients."""
        gradients, way, initial = distances(terms)
        r = np.maximum(first["distance"], np.maximum(first["reps_rel"] * (1 + np.sqrt(initial)), np.sqrt(way)))
        return {"distance": r, "squares": first["squares"] + gradients}

    def rule(self, g: Array, p0: Array, *, lr: float, eps: float, distance: float, squares: float) -> Update:
        """Return the update and the new state."""
        return lr * distance / np.sqrt(squares + eps) * g, (p0,)


class DoWG(Optimizer):
    """SGD with the step size *distance over weighted gradients*, without a learning rate to tune.

    ::

        r = max(r, |p - p0|), at first `d0`;    V += r**2 * |g|**2
        p -= lr * r**2 / (sqrt(V) + eps) * g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    d0 : float
        First estimate of the distance to the solution.
    eps : float
        Added to the root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Khaled, Mishchenko & Jin 2023, "DoWG Unleashed", Algorithm 1; the norms are those of all parameters together.
    optax: ``contrib.dowg``. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> DoWG([p], d0=0.25, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1.0
    d0: Positive = 1e-4
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    shared: ClassVar[dict[str, Any]] = {"distance": 0.0, "squares": 0.0}

    def start(self, zero: Array, *, p: Array) -> State:
        """Keep the initial parameter p0."""
        return (p,)

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return the largest distance and the weighted sum of squared gradients."""
        gradients, way, _ = distances(terms)
        r = np.maximum(first["distance"], np.maximum(first["d0"], np.sqrt(way)))
        return {"distance": r, "squares": first["squares"] + r**2 * gradients}

    def rule(self, g: Array, p0: Array, *, lr: float, eps: float, distance: float, squares: float) -> Update:
        """Return the update and the new state."""
        return lr * distance**2 / (np.sqrt(squares) + eps) * g, (p0,)


class MADGRAD(Optimizer):
    """Momentumized adaptive dual averaging, with a cube root where Adam has a square root.

    ::

        k = lr * sqrt(t);    s += k * g;    v += k * g**2;    z = p0 - s / (v**(1/3) + eps)
        p = momentum * p + (1 - momentum) * z

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Weight of the present parameters.
    eps : float
        Added to the cube root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Defazio & Jelassi 2021, "Adaptivity without Compromise", Algorithm 1, with ``1 - momentum`` for c. It needs
    little weight decay, and suits sparse problems. optax: ``contrib.madgrad``. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> MADGRAD([p], lr=0.125, momentum=0.0, eps=0.0).step()
    >>> round(p.data, 6)
    0.5
    """

    lr: NonNegative = 1e-2
    momentum: Fraction = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with s = v = 0 and the initial parameter p0."""
        return zero, zero, p

    def rule(
        self, g: Array, s: Array, v: Array, p0: Array, *, p: Array, t: int, lr: float, momentum: float, eps: float
    ) -> Update:
        """Return the update and the new state."""
        k = lr * t**0.5
        s = s + k * g
        v = v + k * g**2
        z = p0 - s / (np.cbrt(v) + eps)
        return (1 - momentum) * (p - z), (s, v, p0)
