"""Rules for matrices: `Adafactor`, `Muon`, `SM3`, `Shampoo`, `SOAP`, `PSGDKron`."""

import math
from typing import Annotated, Any, Literal

import numpy as np

from optim.algorithms.adam import Adam
from optim.algorithms.layerwise import norm
from optim.optimizer import Optimizer, Update
from optim.options import Betas, Count, Fraction, NonNegative, Portion, Positive, Whole
from optim.typing import Array, Data, State


class Adafactor(Optimizer, elementwise=False, decoupled_decay=True):
    """Adam's second moment estimated from row and column means: n + m values of state for n * m parameters.

    ::

        w = t**beta2_decay;    row, col += w * (means of g**2 along rows, columns - row, col)
        u = g / sqrt(row * col / mean(row));    u /= max(1, rms(u) / d)
        p -= max(eps[1], rms(p)) * min(lr, 1 / sqrt(t)) * u

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    beta2_decay : float
        Exponent of the weight of a new gradient, at most 0.
    eps : tuple of float
        Lower bounds of the mean square (None: the resolution of the dtype) and of the root mean square of a parameter.
    d : float
        Upper bound of the root mean square of an update.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.

    Notes
    -----
    Shazeer & Stern 2018, "Adafactor", Algorithms 4 and 5; parameters of fewer than two axes keep a full average.
    PyTorch: the same; Keras and optax: other defaults, momentum and factoring only of large arrays.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> Adafactor([p], lr=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1e-2
    beta2_decay: Annotated[float, "(-inf, 0]"] = -0.8
    eps: tuple[NonNegative | None, NonNegative] = (None, 1e-3)
    d: Annotated[float, "[1, inf)"] = 1.0
    weight_decay: NonNegative = 0.0

    def start(self, zero: Array) -> State:
        """Begin with means of 0, of rows and columns, or for vectors of every element."""
        if zero.ndim > 1:
            return zero[..., :1], zero[..., :1, :], None
        return None, None, zero

    def rule(
        self, g: Array, row: Data, col: Data, var: Data, *,
        p: Array, t: int, lr: float, beta2_decay: float, eps: tuple[float | None, float], d: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        eps1 = float(np.finfo(g.dtype).eps) if eps[0] is None else eps[0]
        w = float(t) ** beta2_decay
        if g.ndim > 1:
            row = row + w * (np.mean(g**2, axis=-1, keepdims=True) - row)
            col = col + w * (np.mean(g**2, axis=-2, keepdims=True) - col)
            estimate = row @ col / np.maximum(np.mean(row, axis=-2, keepdims=True), eps1)
        else:
            var = var + w * (g**2 - var)
            estimate = var
        u = g / np.sqrt(np.maximum(estimate, eps1 * eps1))
        u = u / np.maximum(1.0, rms(u) / d)
        alpha = np.maximum(eps[1], rms(p)) * min(lr, t**-0.5)
        return alpha * u, (row, col, var)


def rms(a: Array) -> Data:
    """Return the root mean square of all elements."""
    return np.sqrt(np.mean(a**2))


def orthogonalized(g: Array, coefficients: tuple[float, float, float], steps: int, eps: float) -> Data:
    """Return approximately the nearest semi-orthogonal matrix, by a quintic Newton-Schulz iteration."""
    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / np.maximum(norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


class Muon(Optimizer, elementwise=False, decoupled_decay=True):
    """Momentum orthogonalized by Newton-Schulz iterations, so that all singular values of an update are about 1.

    ::

        buf = momentum * buf + (1 - momentum) * g;    u = momentum * buf + (1 - momentum) * g  (Nesterov; else buf)
        o  = orthogonalized(u)                              (ns_steps times: x = a x + (b A + c A A) x, A = x x')
        p -= lr * sqrt(max(1, rows / columns)) * o          ('match_rms_adamw': 0.2 * sqrt(max(rows, columns)))

    Parameters
    ----------
    params : iterable
        Matrices are updated by the rule above; vectors, scalars and arrays of more than two axes by that of `AdamW`.
    lr : float
        Learning rate.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    momentum : float
        Decay rate of buf.
    nesterov : bool
        Use Nesterov momentum.
    ns_coefficients, ns_steps : tuple of float, int
        Coefficients of the polynomial (a, b, c), and number of iterations.
    eps : float
        Lower bound of the norm that u is divided by, and epsilon of AdamW.
    adjust_lr_fn : {None, 'original', 'match_rms_adamw'}
        Dependence of the step size on the shape.
    use_muon : bool
        False in groups of which matrices are updated by AdamW, too, such as the last layer.
    betas : tuple of float
        Decay rates of AdamW.

    Notes
    -----
    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". PyTorch: the same, but it iterates in
    bfloat16, here in the dtype of the parameter, and it raises an error for other arrays than matrices. optax
    (``contrib.muon``) and Keras use Adam for them, with the same `lr`, as here.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=np.eye(2), grad=np.array([[3.0, 0.0], [0.0, 3.0]]))
    >>> Muon([p], lr=0.1, weight_decay=0.0).step()
    >>> p.data.round(2)
    array([[0.89, 0.  ],
           [0.  , 0.89]])
    """

    lr: NonNegative = 1e-3
    weight_decay: NonNegative = 0.1
    momentum: NonNegative = 0.95
    nesterov: bool = True
    ns_coefficients: Annotated[tuple[float, float, float], "(-inf, inf)"] = (3.4445, -4.7750, 2.0315)
    eps: Positive = 1e-7
    ns_steps: Annotated[int, "[0, 99]"] = 5
    adjust_lr_fn: Literal["original", "match_rms_adamw"] | None = None
    use_muon: bool = True
    betas: Betas = (0.9, 0.999)

    def start(self, zero: Array, *, use_muon: bool) -> State:
        """Begin with moments of 0; only AdamW has a second moment."""
        return zero, None if use_muon and zero.ndim == 2 else zero

    def rule(
        self, g: Array, buf: Array, v: Array | None, *, t: int, lr: float, momentum: float, nesterov: bool, eps: float,
        ns_coefficients: tuple[float, float, float], ns_steps: int, adjust_lr_fn: str | None, betas: Betas,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        if v is not None:
            adam: Any = Adam.rule
            step, (buf, v, _) = adam(self, g, buf, v, t=t, lr=lr, betas=betas, eps=eps, eps_root=0.0, amsgrad=False)
            return step, (buf, v)
        buf = momentum * buf + (1 - momentum) * g
        u = momentum * buf + (1 - momentum) * g if nesterov else buf
        o = orthogonalized(u, ns_coefficients, ns_steps, eps)
        rows, columns = g.shape
        factor = (
            0.2 * max(rows, columns) ** 0.5 if adjust_lr_fn == "match_rms_adamw" else max(1.0, rows / columns) ** 0.5
        )
        return lr * factor * o, (buf, None)


def as_matrix(g: Array) -> Array:
    """Return an array as a matrix of its first axis and all others; a vector as a column."""
    return g.reshape(g.shape[0] if g.ndim else 1, math.prod(g.shape[1:]))


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


def times(q: Array, x: Array) -> Array:
    """Return the product of a factor, a matrix or the diagonal of one, with a matrix."""
    return q[:, None] * x if q.ndim == 1 else q @ x


def solved(q: Array, x: Array) -> Array:
    """Return the product of the inverse of a factor's transpose with a matrix."""
    return x / q[:, None] if q.ndim == 1 else np.linalg.solve(q.T, x)


def closer_factor(q: Array, a: Array, b: Array, lr: float) -> Array:
    """Return a factor moved so that the second moments of `a` and `b` along its axis become more similar."""
    if q.ndim == 1:
        ours, noise = np.sum(a * a, axis=1), np.sum(b * b, axis=1)
        return q - lr * (ours - noise) * q / np.max(ours + noise)  # type: ignore[no-any-return]
    ours, noise = a @ a.T, b @ b.T
    total = ours + noise
    x = total[np.argmax(np.sum(total * total, axis=0))] @ total
    bound = float(np.linalg.norm(x @ total) / np.linalg.norm(x))  # of the norm, by one step of the power method
    return q - lr / bound * np.triu(ours - noise) @ q  # type: ignore[no-any-return]


def closer_factors(left: Array, right: Array | None, x: Array, noise: Array, lr: float) -> tuple[Array, Array | None]:
    """Return the factors moved to whiten `x`, of balanced size, which leaves their product unchanged."""
    a, b = times(left, x), solved(left, noise)
    if right is None:
        return closer_factor(left, a, b, lr), None
    a, b = times(right, a.T), solved(right, b.T)
    left, right = closer_factor(left, a.T, b.T, lr), closer_factor(right, a, b, lr)
    ratio = np.sqrt(np.max(abs(right)) / np.max(abs(left)))
    return left * ratio, right / ratio


class PSGDKron(Optimizer, elementwise=False, decoupled_decay=True):
    """Momentum whitened from both sides by two triangular factors, which are learned by gradient descent.

    ::

        A = L @ m_hat @ R.T;    B = L**-T @ V @ R**-1                           (V: normal noise)
        L -= c * triu(A A' - B B') / |A A' + B B'| @ L;    R: with A' and B'    (in a step with some probability)
        u = L.T @ L @ m_hat @ R.T @ R;    p -= lr * u * min(1, 1.1 / rms(u))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Decay rate of m.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    precondition_lr : float
        Step size c of the factors.
    min_probability, probability_decay, flat_start : float, float, int
        The factors are updated in every step until `flat_start`, then with a probability that falls exponentially.
    max_size_triangular : int
        Larger axes have a diagonal factor.
    seed : int
        Seed of noise and choice of steps.

    Notes
    -----
    Li 2018, "Preconditioned Stochastic Gradient Descent", in the Kronecker form of the authors' ``PSGD Kron``. Arrays
    of more than two axes are matrices of the first axis and all others; vectors have one diagonal factor. It
    helps on ill-conditioned layers, like `SOAP`, with factors that need no eigenvalues. PyTorch, Keras and optax do not
    include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=np.eye(2), grad=np.diag([100.0, 0.01]))
    >>> optimizer = PSGDKron([p], lr=0.0)
    >>> for _ in range(300):
    ...     optimizer.step()
    >>> state = optimizer.state_dict()["state"][0]
    >>> q, r = state["left"], state["right"]
    >>> u = q.T @ q @ p.grad @ r.T @ r
    >>> bool(u[0, 0] / u[1, 1] < 10)  # 10,000 without the factors
    True
    """

    lr: NonNegative = 1e-3
    momentum: Fraction = 0.9
    weight_decay: NonNegative = 0.0
    precondition_lr: NonNegative = 0.1
    min_probability: Portion = 0.03
    probability_decay: NonNegative = 0.001
    flat_start: Whole = 500
    max_size_triangular: Whole = 8192
    seed: Whole = 0

    def start(self, zero: Array, *, max_size_triangular: int) -> State:
        """Begin with m = 0 and identities as factors."""
        sizes = as_matrix(zero).shape
        left, right = [
            np.eye(n, dtype=zero.dtype) if zero.ndim > 1 and 1 < n <= max_size_triangular else np.ones(n, zero.dtype)
            for n in sizes
        ]
        return zero, left, right if zero.ndim > 1 else None

    def rule(
        self, g: Array, m: Array, left: Array, right: Array | None, *, t: int, lr: float, momentum: float,
        precondition_lr: float, min_probability: float, probability_decay: float, flat_start: int, seed: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        m = momentum * m + (1 - momentum) * g
        x = as_matrix(m / (1 - momentum**t))
        rng = np.random.default_rng((seed, t))
        if x.any() and rng.random() < max(min_probability, np.exp(-probability_decay * (t - 1 - flat_start))):
            noise = np.asarray(rng.standard_normal(x.shape), x.dtype)
            left, right = closer_factors(left, right, x, noise, precondition_lr)
        u = times(left.T, times(left, x))
        if right is not None:
            u = times(right.T, times(right, u.T)).T
        u = u * np.minimum(1.0, 1.1 / (np.sqrt(np.mean(u * u)) + 1e-6))
        return lr * u.reshape(g.shape), (m, left, right)
