"""Preconditioners of matrices: `SM3`, `Shampoo`, `SOAP`."""

import numpy as np

from optim.optimizer import Optimizer, Update
from optim.options import Betas, Count, Fraction, NonNegative
from optim.typing import Array, Data, State


def as_matrix(g: Array) -> Array:
    """Return an array as a matrix of its first axis and all others; a vector as a column."""
    return g.reshape(g.shape[0] if g.ndim else 1, -1)


def rotated(x: Array, u: Data, v: Data) -> Array:
    """Return ``u.T @ x @ v``; a vector unchanged."""
    return x if u is None else (u.T @ as_matrix(x) @ v).reshape(x.shape)


def inverse_root(x: Array, power: float, eps: float) -> Array:
    """Return ``(x + eps)**-power`` of a symmetric matrix."""
    w, v = np.linalg.eigh(x)
    root: Array = (v * (np.maximum(w, 0.0) + eps) ** -power) @ v.T
    return root


class SM3(Optimizer, elementwise=False):
    """Adagrad with one sum for each row and column of a matrix instead of one for each element.

    ::

        v = min(row, col) + g**2;    row = max of v along rows;    col = max of v along columns
        m = momentum * m + (1 - momentum) * g / sqrt(v + eps);    p -= lr * m

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of m.
    eps : float
        Added inside the root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Anil, Gupta, Koren & Singer 2019, "Memory-Efficient Adaptive Optimization", Algorithm SM3-II. Arrays of more
    than two axes are matrices of the first axis and all others; vectors keep a sum for each element. optax: a set
    for every axis. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> SM3([p], lr=0.25, momentum=0.0, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 0.1
    momentum: Fraction = 0.9
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def start(self, zero: Array) -> State:
        """Begin with sums of 0."""
        z = as_matrix(zero)
        return z[:, :1], z[:1], zero

    def rule(self, g: Array, row: Array, col: Array, m: Array, *, lr: float, momentum: float, eps: float) -> Update:
        """Return the update and the new state."""
        x = as_matrix(g)
        v = np.minimum(row, col) if x.shape[1] > 1 else row
        v = v + x**2
        row, col = np.max(v, axis=1, keepdims=True), np.max(v, axis=0, keepdims=True)
        m = momentum * m + (1 - momentum) * (x / np.sqrt(v + eps)).reshape(g.shape)
        return lr * m, (row, col, m)


class Shampoo(Optimizer, elementwise=False):
    """Gradients multiplied from both sides by inverse fourth roots of their second moments.

    ::

        L += g @ g.T;    R += g.T @ g;    m = momentum * m + L**(-1/4) @ g @ R**(-1/4)
        p -= lr * m

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of m.
    eps : float
        Added to the eigenvalues.
    precondition_frequency : int
        Number of steps between computations of the roots.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Gupta, Koren & Singer 2018, "Shampoo: Preconditioned Stochastic Tensor Optimization", Algorithm 1. Arrays of
    more than two axes are matrices of the first axis and all others; a vector has the exponent -1/2 on the left. It
    follows the same path in rotated coordinates. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> Shampoo([p], lr=0.25, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 0.1
    momentum: Fraction = 0.0
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0
    precondition_frequency: Count = 1

    def start(self, zero: Array) -> State:
        """Begin with moments of 0."""
        z = as_matrix(zero)
        left, right = np.zeros((z.shape[0],) * 2, z.dtype), np.zeros((z.shape[1],) * 2, z.dtype)
        return left, right, left, right, zero

    def rule(
        self, g: Array, left: Array, right: Array, left_root: Array, right_root: Array, m: Array, *,
        t: int, lr: float, momentum: float, eps: float, precondition_frequency: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        x = as_matrix(g)
        left, right = left + x @ x.T, right + x.T @ x
        if (t - 1) % precondition_frequency == 0:
            power = 0.25 if x.shape[1] > 1 else 0.5
            left_root = inverse_root(left, power, eps)
            right_root = inverse_root(right, power, eps) if x.shape[1] > 1 else np.eye(1, dtype=x.dtype)
        m = momentum * m + (left_root @ x @ right_root).reshape(g.shape)
        return lr * m, (left, right, left_root, right_root, m)


class SOAP(Optimizer, elementwise=False, decoupled_decay=True):
    """Adam in the eigenbasis of Shampoo's second moments.

    ::

        L = b * L + (1 - b) * g @ g.T;    R = b * R + (1 - b) * g.T @ g;    U, V: their eigenvectors  (b = shampoo_beta)
        m = b1 * m + (1 - b1) * g;    v = b2 * v + (1 - b2) * (U.T @ g @ V)**2
        p -= lr * (U @ ((U.T @ m_hat @ V) / (sqrt(v_hat) + eps)) @ V.T + weight_decay * p)

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
    shampoo_beta : float
        Decay rate of L and R.
    precondition_frequency : int
        Number of steps between computations of the eigenvectors.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam", Algorithm 3, with exact eigenvectors
    where the authors' code, which leaves out the first step, has one step of the power method. Arrays of more than
    two axes are matrices of the first axis and all others; vectors use Adam. It needs the fewest steps of all on
    ill-conditioned layers, each of which costs an eigenvalue problem of the layer's size. PyTorch, Keras and optax
    do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> SOAP([p], lr=0.25, weight_decay=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 3e-3
    betas: Betas = (0.95, 0.95)
    shampoo_beta: Fraction = 0.95
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01
    precondition_frequency: Count = 10

    def start(self, zero: Array) -> State:
        """Begin with moments of 0."""
        z = as_matrix(zero)
        left, right = np.zeros((z.shape[0],) * 2, z.dtype), np.zeros((z.shape[1],) * 2, z.dtype)
        return (left, right, left, right, zero, zero) if z.shape[1] > 1 else (None, None, None, None, zero, zero)

    def rule(
        self, g: Array, left: Data, right: Data, u: Data, v: Data, m: Array, s: Array, *,
        t: int, lr: float, betas: Betas, shampoo_beta: float, eps: float, precondition_frequency: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        if left is not None:
            x = as_matrix(g)
            left = shampoo_beta * left + (1 - shampoo_beta) * x @ x.T
            right = shampoo_beta * right + (1 - shampoo_beta) * x.T @ x
            if (t - 1) % precondition_frequency == 0:
                u, v = np.linalg.eigh(left)[1], np.linalg.eigh(right)[1]
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * rotated(g, u, v) ** 2
        m_hat = m / (1 - b1**t)
        s_hat = s / (1 - b2**t)
        step = rotated(m_hat, u, v) / (np.sqrt(s_hat) + eps)
        if left is not None:
            step = rotated(step, u.T, v.T)
        return lr * step, (left, right, u, v, m, s)
