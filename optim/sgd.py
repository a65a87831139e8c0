"""Gradient descent with one momentum: `SGD`, `Momentum`, `Signum`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .flat_params import State
from .optimizer import Optimizer
from .options import Fraction, NonNegative, Number


class SGD(Optimizer):
    """Gradient descent, with momentum or Nesterov's momentum if asked for.

    ::

        buf = momentum * buf + (1 - dampening) * g          (first step: buf = g)
        p  -= lr * buf                                      (Nesterov: lr * (g + momentum * buf))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    momentum, dampening : float
        Weight of the steps before, and how much less than 1 the new gradient weighs.
    weight_decay : float
        L2 regularisation, added to the gradient: ``g + weight_decay * p``.
    nesterov : bool
        Look ahead; needs momentum and no dampening.

    Notes
    -----
    Sutskever, Martens, Dahl & Hinton 2013, "On the importance of initialization and momentum", equations 1-4, with the
    velocity in units of the gradient: as in PyTorch a change of `lr` acts at once. Keras (and the paper) keep
    ``v = momentum * v - lr * g``, where a change of `lr` acts slowly; optax's ``trace`` is PyTorch's without dampening.

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

    def check_group(self, group: dict[str, Any]) -> None:
        """Nesterov's form is defined with momentum and without dampening only."""
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov=True needs momentum > 0 and dampening = 0, got momentum="
                f"{group['momentum']} and dampening={group['dampening']}"
            )

    def start(self, zero: Any) -> State:
        """No momentum yet: the first step takes the gradient itself."""
        return (None,)

    def rule(self, g: Any, buf: Any, *, lr: float, momentum: float, dampening: float, nesterov: bool) -> Any:
        """Take one step; see the class."""
        if momentum == 0:
            return lr * g, (buf,)
        share = (1 - dampening) * g if dampening else g
        buf = g if buf is None else momentum * buf + share
        if nesterov:
            return lr * (g + momentum * buf), (buf,)
        return lr * buf, (buf,)


class Momentum(Optimizer):
    """Gradient descent along an exponential average of the gradients.

    ::

        v  = beta * v + (1 - beta) * g                      (v starts at 0)
        p -= lr * v

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    beta : float
        Weight of the past, in [0, 1).
    weight_decay : float
        L2 regularisation, added to the gradient.

    Notes
    -----
    The form of Andrew Ng's course and many textbooks: an average, so `beta` does not change the size of the steps. It
    is ``SGD(lr, momentum=beta, dampening=beta)`` of PyTorch but for the first step, where PyTorch takes all of g
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

    def start(self, zero: Any) -> State:
        """Begin with v = 0."""
        return (zero,)

    def rule(self, g: Any, v: Any, *, lr: float, beta: float) -> Any:
        """Take one step; see the class."""
        v = beta * v + (1 - beta) * g
        return lr * v, (v,)


class Signum(Optimizer):
    """Steps of one length in every coordinate: the sign of the momentum.

    ::

        m  = momentum * m + (1 - momentum) * g              (m starts at 0)
        p -= lr * sign(m)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        How far every number moves in each step.
    momentum : float
        Weight of the past; 0 is signSGD.
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

    def start(self, zero: Any) -> State:
        """Begin with m = 0."""
        return (zero,)

    def rule(self, g: Any, m: Any, *, lr: float, momentum: float) -> Any:
        """Take one step; see the class."""
        m = momentum * m + (1 - momentum) * g
        return lr * np.sign(m), (m,)
