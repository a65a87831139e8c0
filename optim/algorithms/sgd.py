"""Gradient descent and momentum: `SGD`, `Momentum`, `QHM`, `AggMo`, `PID`, `Signum`, `Lion`, `Rprop`, `ASGD`."""

from typing import Annotated

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import Betas, Fraction, NonNegative, Number, ThreeBetas
from optim.typing import Array, Group, State


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


class QHM(Optimizer):
    """Quasi-hyperbolic momentum, a mean of the gradient and of its running average.

    ::

        m = momentum * m + (1 - momentum) * g
        p -= lr * ((1 - nu) * g + nu * m)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of the average.
    nu : float
        Weight of the average; 0 gives plain SGD, 1 `Momentum`.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Ma & Yarats 2019, "Quasi-hyperbolic momentum and Adam for deep learning", equations 3 and 4. PyTorch, Keras and
    optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> QHM([p], lr=0.25, momentum=0.5, nu=0.5).step()
    >>> round(p.data, 6)
    -0.5
    """

    lr: NonNegative = 1e-3
    momentum: Fraction = 0.9
    nu: Number = 0.7
    weight_decay: NonNegative = 0.0

    def rule(self, g: Array, m: Array, *, lr: float, momentum: float, nu: float) -> Update:
        """Return the update and the new state."""
        m = momentum * m + (1 - momentum) * g
        return lr * ((1 - nu) * g + nu * m), (m,)


class AggMo(Optimizer):
    """Aggregated momentum, the mean of three velocities with different decay rates.

    ::

        v_i = betas[i] * v_i + g
        p -= lr * (v_1 + v_2 + v_3) / 3

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the velocities, each in [0, 1).
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Lucas, Sun, Zemel & Grosse 2019, "Aggregated Momentum", equation 3 with its recommended decay rates. PyTorch,
    Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> AggMo([p], lr=0.25).step()
    >>> round(p.data, 6)
    -1.0
    """

    lr: NonNegative = 1e-3
    betas: ThreeBetas = (0.0, 0.9, 0.99)
    weight_decay: NonNegative = 0.0

    def rule(self, g: Array, v1: Array, v2: Array, v3: Array, *, lr: float, betas: ThreeBetas) -> Update:
        """Return the update and the new state."""
        v1, v2, v3 = betas[0] * v1 + g, betas[1] * v2 + g, betas[2] * v3 + g
        return lr * (v1 + v2 + v3) / 3, (v1, v2, v3)


class PID(Optimizer):
    """Gradient descent as a controller: the gradient, its sum, and its change, as proportional, integral, derivative.

    ::

        i = momentum * i + g;    d = momentum * d + (1 - momentum) * (g - g_old)       (0 in the first step)
        p -= lr * (g + integral * i + derivative * d)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of i and d.
    integral, derivative : float
        Weights of the two terms.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    An et al. 2018, "A PID Controller Approach for Stochastic Optimization of Deep Networks", as in the authors' code;
    the derivative reduces the overshoot of momentum. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> PID([p], lr=0.125, integral=1.0).step()
    >>> p.data
    0.5
    """

    lr: NonNegative = 1e-3
    momentum: Fraction = 0.9
    integral: NonNegative = 5.0
    derivative: NonNegative = 10.0
    weight_decay: NonNegative = 0.0

    def rule(
        self, g: Array, i: Array, d: Array, g_old: Array | None = None, *,
        lr: float, momentum: float, integral: float, derivative: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        i = momentum * i + g
        d = momentum * d if g_old is None else momentum * d + (1 - momentum) * (g - g_old)
        return lr * (g + integral * i + derivative * d), (i, d, g)


class Signum(Optimizer, decoupled_decay=True):
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

    def rule(self, g: Array, m: Array, *, lr: float, momentum: float) -> Update:
        """Return the update and the new state."""
        m = momentum * m + (1 - momentum) * g
        return lr * np.sign(m), (m,)


class Lion(Optimizer, decoupled_decay=True):
    """The sign of an interpolation between momentum and gradient.

    ::

        p -= lr * sign(b1 * m + (1 - b1) * g)
        m  = b2 * m + (1 - b2) * g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of c and m, each in [0, 1).
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", Algorithm 2. optax: the same, weight_decay 1e-3;
    Keras: weight_decay None. PyTorch has no Lion. Take `lr` 3 to 10 times smaller than for AdamW.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=-8.0)
    >>> Lion([p], lr=0.25, weight_decay=0.0).step()
    >>> round(p.data, 6)
    1.25
    """

    lr: NonNegative = 1e-4
    betas: Betas = (0.9, 0.99)
    weight_decay: NonNegative = 1e-3

    def rule(self, g: Array, m: Array, *, lr: float, betas: Betas) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        c = b1 * m + (1 - b1) * g
        m = b2 * m + (1 - b2) * g
        return lr * np.sign(c), (m,)


class Rprop(Optimizer):
    """An individual step size for every element, which grows while the sign of its gradient stays the same.

    ::

        size *= etas[1] where g * previous > 0, etas[0] where g * previous < 0;    clip size to step_sizes
        where the sign has changed: g = 0                   (no step now, and no comparison in the next step)
        p -= sign(g) * size;    previous = g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Initial step size.
    etas : tuple of float
        Factors after a change of sign, below 1, and without one, above 1.
    step_sizes : tuple of float
        Smallest and largest step size.

    Notes
    -----
    Riedmiller & Braun 1993, in the form iRprop- of Igel & Huesken 2000, Algorithm 4; meant for whole-batch gradients.
    PyTorch: the same; optax ``rprop``: the same; Keras has none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> Rprop([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1e-2
    etas: Annotated[tuple[float, float], "(0, inf)"] = (0.5, 1.2)
    step_sizes: Annotated[tuple[float, float], "[0, inf)"] = (1e-6, 50.0)

    def check_group(self, group: Group) -> None:
        """Raise ValueError unless both pairs are ordered, with 1 between the factors."""
        if not group["etas"][0] < 1 < group["etas"][1]:
            raise ValueError(f"Rprop: etas must be (below 1, above 1), got {group['etas']}")
        if not group["step_sizes"][0] <= group["step_sizes"][1]:
            raise ValueError(f"Rprop: step_sizes must be (smallest, largest), got {group['step_sizes']}")

    def start(self, zero: Array, *, lr: float) -> State:
        """Begin with a previous gradient of 0 and the step size lr."""
        return zero, zero + lr

    def rule(
        self, g: Array, previous: Array, size: Array, *, etas: tuple[float, float], step_sizes: tuple[float, float]
    ) -> Update:
        """Return the update and the new state."""
        down, up = etas
        smallest, largest = step_sizes
        agreement = g * previous
        size = np.where(agreement > 0, up * size, np.where(agreement < 0, down * size, size))
        size = np.minimum(np.maximum(size, smallest), largest)
        g = np.where(agreement < 0, 0 * g, g)
        return np.sign(g) * size, (g, size)


class ASGD(Optimizer):
    """Gradient descent that also averages its iterates.

    ::

        p = (1 - lambd * eta) * p - eta * g
        ax += mu * (p - ax)
        eta = lr / (1 + lambd * lr * t)**alpha;    mu = 1 / max(1, t - t0)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    lambd : float
        Decay of the parameters and of the step size.
    alpha : float
        Exponent of the decay of the step size.
    t0 : float
        Step at which averaging starts; until then ``ax`` is the parameter itself.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Polyak & Juditsky 1992, with the step size of Bottou's sgd (2010). PyTorch: the same. The average is ``ax`` of a
    parameter's state; `optim.averaging` offers it for any optimizer. Keras and optax have averages as wrappers.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> ASGD([p], lr=0.25, lambd=0.0).step()
    >>> round(p.data, 6)
    0.5
    """

    lr: NonNegative = 1e-2
    lambd: NonNegative = 1e-4
    alpha: Number = 0.75
    t0: NonNegative = 1e6
    weight_decay: NonNegative = 0.0

    def start(self, zero: Array, *, lr: float) -> State:
        """Begin with the step size lr and mu = 1."""
        return zero, lr, 1.0

    def rule(
        self, g: Array, ax: Array, eta: float, mu: float, *,
        p: Array, t: int, lr: float, lambd: float, alpha: float, t0: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        update = lambd * eta * p + eta * g
        ax = ax + mu * (p - update - ax)
        eta = lr / (1 + lambd * lr * t) ** alpha
        mu = 1 / max(1.0, t - t0)
        return update, (ax, eta, mu)
