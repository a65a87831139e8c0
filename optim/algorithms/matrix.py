"""Rules that treat a parameter as a matrix: `Adafactor`, `Muon`."""

from typing import Annotated, Any, Literal

import numpy as np

from optim.algorithms.adam import Adam
from optim.algorithms.layerwise import norm
from optim.optimizer import Optimizer, Update
from optim.options import Betas, NonNegative, Positive
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
