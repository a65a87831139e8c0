"""Steps divided by the size of past gradients: `Adagrad`, `Adadelta`, `RMSprop`, `Ftrl`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .flat_params import State
from .optimizer import Optimizer
from .options import NonNegative, Portion


class RMSprop(Optimizer):
    """The gradient over a running average of its size.

    ::

        s  = alpha * s + (1 - alpha) * g**2                 (centered: its mean, squared, is taken off)
        b  = momentum * b + g / (sqrt(s + eps_root) + eps)
        p -= lr * b

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    alpha : float
        Weight of the past in s.
    eps, eps_root : float
        Added outside and inside the root.
    weight_decay : float
        L2 regularisation, added to the gradient.
    momentum : float
        Weight of the steps before.
    centered : bool
        Divide by an estimate of the standard deviation instead of the root mean square.

    Notes
    -----
    Tieleman & Hinton 2012, Coursera lecture 6.5, slide 29; centered: Graves 2013, equations 38-45, where epsilon is
    inside the root (``eps=0, eps_root=1e-4``). PyTorch: eps outside, alpha 0.99. Keras: rho 0.9, eps 1e-7 inside
    the root. optax: decay 0.9, eps 1e-8 inside the root unless ``eps_in_sqrt=False``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=7.0)
    >>> RMSprop([p], lr=0.1, alpha=0.75, eps=0.0).step()
    >>> round(p.data, 6)
    0.8
    """

    lr: NonNegative = 1e-2
    alpha: Portion = 0.99
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    momentum: NonNegative = 0.0
    centered: bool = False
    eps_root: NonNegative = 0.0

    def start(self, zero: Any) -> State:
        """Begin with s = 0; mean and momentum begin when they are used."""
        return zero, None, None

    def rule(
        self, g: Any, s: Any, mean: Any, buf: Any, *,
        lr: float, alpha: float, eps: float, eps_root: float, momentum: float, centered: bool,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        s = alpha * s + (1 - alpha) * g * g
        spread = s
        if centered:
            mean = (1 - alpha) * g if mean is None else alpha * mean + (1 - alpha) * g
            spread = s - mean * mean
        if eps_root:
            spread = spread + eps_root
        direction = g / (np.sqrt(spread) + eps)
        if momentum:
            buf = direction if buf is None else momentum * buf + direction
            direction = buf
        return lr * direction, (s, mean, buf)


class Adagrad(Optimizer):
    """The gradient over the root of the sum of all its squares: rare features take large steps.

    ::

        s += g**2                                           (s starts at initial_accumulator_value)
        p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    lr_decay : float
        How fast `lr` falls with the step count.
    weight_decay : float
        L2 regularisation, added to the gradient.
    initial_accumulator_value : float
        What s starts from.
    eps : float
        Added outside the root.

    Notes
    -----
    Duchi, Hazan & Singer 2011, "Adaptive Subgradient Methods", figure 1 with diagonal matrices. PyTorch: the same.
    Keras and optax start s at 0.1 and have eps 1e-7 inside the root, and no `lr_decay`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=7.0)
    >>> Adagrad([p], lr=0.1).step()
    >>> round(p.data, 6)
    0.9
    """

    lr: NonNegative = 1e-2
    lr_decay: NonNegative = 0.0
    weight_decay: NonNegative = 0.0
    initial_accumulator_value: NonNegative = 0.0
    eps: NonNegative = 1e-10

    def start(self, zero: Any, *, initial_accumulator_value: float) -> State:
        """Begin with s as asked for."""
        return (zero + initial_accumulator_value,)

    def rule(self, g: Any, s: Any, *, t: int, lr: float, lr_decay: float, eps: float) -> Any:
        """Take one step; see the class."""
        s = s + g * g
        return lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s) + eps), (s,)


class Adadelta(Optimizer):
    """Steps in the units of the parameter: the size of past steps over the size of past gradients.

    ::

        s = rho * s + (1 - rho) * g**2
        delta = sqrt(d + eps) / sqrt(s + eps) * g;    d = rho * d + (1 - rho) * delta**2
        p -= lr * delta

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    rho : float
        Weight of the past in both averages.
    eps : float
        Added inside both roots; it is what sets the first step going.
    weight_decay : float
        L2 regularisation, added to the gradient.

    Notes
    -----
    Zeiler 2012, "ADADELTA", Algorithm 1, where lr is 1 as in PyTorch. Keras: lr 0.001, rho 0.95, eps 1e-7;
    optax: the same rule, rho 0.9.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=1.0)
    >>> Adadelta([p], rho=0.75, eps=0.25).step()
    >>> round(p.data, 6)
    0.292893
    """

    lr: NonNegative = 1.0
    rho: Portion = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0

    def start(self, zero: Any) -> State:
        """Begin with s = d = 0."""
        return zero, zero

    def rule(self, g: Any, s: Any, d: Any, *, lr: float, rho: float, eps: float) -> Any:
        """Take one step; see the class."""
        s = rho * s + (1 - rho) * g * g
        delta = np.sqrt(d + eps) / np.sqrt(s + eps) * g
        d = rho * d + (1 - rho) * delta * delta
        return lr * delta, (s, d)


class Ftrl(Optimizer):
    """Follow the regularised leader: with `l1` above 0, parameters become exactly 0.

    ::

        sigma = sqrt(n + g**2) - sqrt(n);    z += lr * g - sigma * p;    n += g**2
        p = 0 if |z| <= lr * l1 else -(z - sign(z) * lr * l1) / (beta + sqrt(n) + lr * l2)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    initial_accumulator_value : float
        What n starts from.
    l1, l2 : float
        Strength of the two regularisations.
    beta : float
        Slows the first steps.

    Notes
    -----
    McMahan et al. 2013, "Ad Click Prediction: a View from the Trenches", Algorithm 1 with alpha = lr. Here sigma and z
    are those of the paper times lr: the same for a constant rate, while a schedule may change the rate, or end at 0,
    without moving the parameters by itself. In the paper all parameters start at 0; here z starts at the value for
    which the rule returns the initial parameters, which for zeros is the same. Keras starts z at 0, divides by the
    current rate and doubles l2. PyTorch and optax have no FTRL.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=4.0)
    >>> Ftrl([p], lr=0.1, initial_accumulator_value=9.0).step()
    >>> round(p.data, 6)
    0.92
    """

    lr: NonNegative = 1e-3
    initial_accumulator_value: NonNegative = 0.1
    l1: NonNegative = 0.0
    l2: NonNegative = 0.0
    beta: NonNegative = 0.0

    def start(
        self, zero: Any, *, p: Any, lr: float, initial_accumulator_value: float, l1: float, l2: float, beta: float
    ) -> State:
        """Begin with the z for which the rule returns the initial parameters."""
        n = zero + initial_accumulator_value
        return -p * (beta + np.sqrt(n) + lr * l2) - np.sign(p) * lr * l1, n

    def rule(self, g: Any, z: Any, n: Any, *, p: Any, lr: float, l1: float, l2: float, beta: float) -> Any:
        """Take one step; see the class."""
        sigma = np.sqrt(n + g * g) - np.sqrt(n)
        z = z + lr * g - sigma * p
        n = n + g * g
        w = np.where(abs(z) <= lr * l1, 0 * z, -(z - np.sign(z) * lr * l1) / (beta + np.sqrt(n) + lr * l2))
        return p - w, (z, n)
