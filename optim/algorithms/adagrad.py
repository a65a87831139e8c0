"""Steps divided by the magnitude of past gradients: `Adagrad`, `Adadelta`, `RMSprop`, `Ftrl`."""

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import NonNegative, Portion
from optim.typing import Array, State


class RMSprop(Optimizer):
    """The gradient divided by the root of its mean square.

    ::

        s  = alpha * s + (1 - alpha) * g**2                 (centered: minus the square of the mean gradient)
        b  = momentum * b + g / (sqrt(s + eps_root) + eps)
        p -= lr * b

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    alpha : float
        Decay rate of s.
    eps, eps_root : float
        Added outside and inside the root.
    weight_decay : float
        L2 regularization, added to the gradient.
    momentum : float
        Decay rate of b.
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

    def rule(
        self, g: Array, s: Array, mean: Array | None = None, b: Array | None = None, *,
        lr: float, alpha: float, eps: float, eps_root: float, momentum: float, centered: bool,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        s = alpha * s + (1 - alpha) * g**2
        variance = s
        if centered:
            mean = (1 - alpha) * g if mean is None else alpha * mean + (1 - alpha) * g
            variance = s - mean**2
        if eps_root:
            variance = variance + eps_root
        update = g / (np.sqrt(variance) + eps)
        if momentum:
            b = update if b is None else momentum * b + update
            update = b
        return lr * update, (s, mean, b)


class Adagrad(Optimizer):
    """The gradient divided by the root of the sum of its squares: rare features take large steps.

    ::

        s += g**2                                           (s starts at initial_accumulator_value)
        p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    lr_decay : float
        Decay of `lr` with the step count.
    weight_decay : float
        L2 regularization, added to the gradient.
    initial_accumulator_value : float
        Initial value of s.
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

    def start(self, zero: Array, *, initial_accumulator_value: float) -> State:
        """Begin with s = initial_accumulator_value."""
        return (zero + initial_accumulator_value,)

    def rule(self, g: Array, s: Array, *, t: int, lr: float, lr_decay: float, eps: float) -> Update:
        """Return the update and the new state."""
        s = s + g**2
        return lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s) + eps), (s,)


class Adadelta(Optimizer):
    """Steps in the units of the parameter: the root mean square of past updates over that of past gradients.

    ::

        s = rho * s + (1 - rho) * g**2
        delta = sqrt(d + eps) / sqrt(s + eps) * g;    d = rho * d + (1 - rho) * delta**2
        p -= lr * delta

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    rho : float
        Decay rate of both averages.
    eps : float
        Added inside both roots; it determines the size of the first steps.
    weight_decay : float
        L2 regularization, added to the gradient.

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

    def rule(self, g: Array, s: Array, d: Array, *, lr: float, rho: float, eps: float) -> Update:
        """Return the update and the new state."""
        s = rho * s + (1 - rho) * g**2
        delta = np.sqrt(d + eps) / np.sqrt(s + eps) * g
        d = rho * d + (1 - rho) * delta**2
        return lr * delta, (s, d)


class Ftrl(Optimizer):
    """Follow the regularized leader (FTRL-Proximal): with `l1` above 0, parameters become exactly 0.

    ::

        sigma = sqrt(n + g**2) - sqrt(n);    z += lr * g - sigma * p;    n += g**2
        p = 0 if |z| <= lr * l1 else -(z - sign(z) * lr * l1) / (beta + sqrt(n) + lr * l2)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    initial_accumulator_value : float
        Initial value of n.
    l1, l2 : float
        Strength of the L1 and L2 regularization.
    beta : float
        Added to ``sqrt(n)``, which shortens the first steps.

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
        self, zero: Array, *, p: Array, lr: float, initial_accumulator_value: float, l1: float, l2: float, beta: float
    ) -> State:
        """Begin with the z for which the rule returns the initial parameters."""
        n = zero + initial_accumulator_value
        return -p * (beta + np.sqrt(n) + lr * l2) - np.sign(p) * lr * l1, n

    def rule(self, g: Array, z: Array, n: Array, *, p: Array, lr: float, l1: float, l2: float, beta: float) -> Update:
        """Return the update and the new state."""
        sigma = np.sqrt(n + g**2) - np.sqrt(n)
        z = z + lr * g - sigma * p
        n = n + g**2
        w = np.where(abs(z) <= lr * l1, 0 * z, -(z - np.sign(z) * lr * l1) / (beta + np.sqrt(n) + lr * l2))
        return p - w, (z, n)
