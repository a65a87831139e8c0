"""Gradient descent with momentum: `SGD`, `Momentum`, `Signum`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import Fraction, NonNegative, Number
from optim.typing import Array, Group


class SGD(Optimizer):
    """Gradient descent, optionally with momentum or Nesterov momentum.

    ::

        v  = momentum * v + (1 - dampening) * g             (first step: v = g)
        p -= lr * v                                         (Nesterov: lr * (g + momentum * v))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum, dampening : float
        Decay rate of the velocity v, and reduction of the weight of the new gradient.
    weight_decay : float
        L2 regularization, added to the gradient: ``g + weight_decay * p``.
    nesterov : bool
        Use Nesterov momentum; requires momentum and zero dampening.

    Notes
    -----
    Sutskever, Martens, Dahl & Hinton 2013, "On the importance of initialization and momentum", equations 1-4, with the
    velocity in units of the gradient: as in PyTorch, a change of `lr` takes effect at once. Keras (and the paper) keep
    ``v = momentum * v - lr * g``, where it takes effect gradually; optax's ``trace`` is PyTorch's without dampening.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> optimizer = SGD([p], lr=0.1, momentum=0.9)
    >>> optimizer.step()
    >>> p.data
    0.8
    """

    lr: NonNegative = 1e-3
    momentum: NonNegative = 0.0
    dampening: Number = 0.0
    weight_decay: NonNegative = 0.0
    nesterov: bool = False

    def check_group(self, group: Group) -> None:
        """Raise ValueError if `nesterov` is combined with zero momentum or with dampening."""
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov=True needs momentum > 0 and dampening = 0, got momentum="
                f"{group['momentum']} and dampening={group['dampening']}"
            )

    def rule(
        self, g: Array, v: Array | None = None, *, lr: float, momentum: float, dampening: float, nesterov: bool
    ) -> Update:
        """Return the update and the new state."""
        if momentum == 0:
            return lr * g, (v,)
        v = g if v is None else momentum * v + (1 - dampening) * g
        return lr * (g + momentum * v if nesterov else v), (v,)


class Momentum(Optimizer):
    """Gradient descent with an exponential moving average of the gradients.

    ::

        v  = beta * v + (1 - beta) * g                      (v starts at 0)
        p -= lr * v

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    beta : float
        Decay rate of the average, in [0, 1).
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    The form of Andrew Ng's course and many textbooks: an average, so `beta` does not change the step size. It is
    ``SGD(lr, momentum=beta, dampening=beta)`` of PyTorch but for the first step, where PyTorch takes all of g
    (optax: ``ema(beta, debias=False)``); Keras has no such form. Polyak 1964 is the source of the idea.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> Momentum([p], lr=1.0, beta=0.5).step()
    >>> p.data
    0.0
    """

    lr: NonNegative = 1e-3
    beta: Fraction = 0.9
    weight_decay: NonNegative = 0.0

    def rule(self, g: Array, v: Array, *, lr: float, beta: float) -> Update:
        """Return the update and the new state."""
        v = beta * v + (1 - beta) * g
        return lr * v, (v,)


class Signum(Optimizer):
    """The sign of the momentum: steps of equal size in every coordinate.

    ::

        m  = momentum * m + (1 - momentum) * g              (m starts at 0)
        p -= lr * sign(m)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Size of each step.
    momentum : float
        Decay rate of m; 0 is signSGD.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, "signSGD", Algorithm 2 (Signum). PyTorch and Keras have neither;
    optax has ``sign_sgd`` (no momentum).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=-300.0)
    >>> Signum([p], lr=0.25).step()
    >>> p.data
    1.25
    """

    lr: NonNegative = 1e-4
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 0.0
    decoupled_decay: ClassVar[bool] = True

    def rule(self, g: Array, m: Array, *, lr: float, momentum: float) -> Update:
        """Return the update and the new state."""
        m = momentum * m + (1 - momentum) * g
        return lr * np.sign(m), (m,)
