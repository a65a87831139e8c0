"""Rules that look at a parameter as a matrix: `Adafactor`, `Muon`."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from .flat_params import State, label
from .layerwise import norm
from .optimizer import Group, Optimizer
from .options import NonNegative, Positive


class Adafactor(Optimizer):
    """Adam's second moment from its row and column means: memory of n + m numbers for n * m.

    ::

        w = t**beta2_decay;    row, col += w * (means of g**2 along rows, columns - row, col)
        u = g / sqrt(row * col / mean(row));    u /= max(1, rms(u) / d)
        p -= max(eps[1], rms(p)) * min(lr, 1 / sqrt(t)) * u

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    beta2_decay : float
        Power with which the weight of a new gradient falls, at most 0.
    eps : tuple of float
        Smallest mean of squares (None: the resolution of the number type), and smallest size of a parameter.
    d : float
        Largest root mean square of a direction.
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
    elementwise: ClassVar[bool] = False
    decoupled_decay: ClassVar[bool] = True

    def start(self, zero: Any) -> State:
        """Begin with means of 0: of rows and columns, or, of a vector, of every number."""
        if zero.ndim > 1:
            return zero[..., :1], zero[..., :1, :], None
        return None, None, zero

    def rule(
        self, g: Any, row: Any, col: Any, var: Any, *,
        p: Any, t: int, lr: float, beta2_decay: float, eps: tuple[float | None, float], d: float,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        eps1 = float(np.finfo(g.dtype).eps) if eps[0] is None else eps[0]
        w = float(t) ** beta2_decay
        root = math.sqrt(g.size)
        if g.ndim > 1:
            row = row + w * (np.mean(g * g, axis=-1, keepdims=True) - row)
            col = col + w * (np.mean(g * g, axis=-2, keepdims=True) - col)
            estimate = row @ col / np.maximum(np.mean(row, axis=-2, keepdims=True), eps1)
        else:
            var = var + w * (g * g - var)
            estimate = var
        u = g / np.sqrt(np.maximum(estimate, eps1 * eps1))
        clipped = max(1.0, norm(u) / (root * d))
        length = max(eps[1], norm(p) / root) * min(lr, 1 / math.sqrt(t))
        return length / clipped * u, (row, col, var)


def orthogonalized(a: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Return about the nearest matrix with orthonormal rows or columns, by a quintic Newton-Schulz iteration."""
    x, y, z = coefficients
    wide = a.T if a.shape[0] > a.shape[1] else a
    u = wide / max(norm(wide), eps)
    for _ in range(steps):
        gram = u @ u.T
        u = x * u + (y * gram + z * (gram @ gram)) @ u
    return u.T if a.shape[0] > a.shape[1] else u


class Muon(Optimizer):
    """Momentum whose steps are made orthogonal: all directions of a matrix move alike.

    ::

        buf = momentum * buf + (1 - momentum) * g;    u = momentum * buf + (1 - momentum) * g  (Nesterov; else buf)
        o  = orthogonalized(u)                              (ns_steps times: u = a u + (b A + c A A) u, A = u u')
        p -= lr * sqrt(max(1, rows / columns)) * o          ('match_rms_adamw': 0.2 * sqrt(max(rows, columns)))

    Parameters
    ----------
    params : iterable
        Matrices; give vectors and numbers to another optimizer, such as AdamW.
    lr : float
        Learning rate.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    momentum : float
        Weight of the past.
    nesterov : bool
        Look ahead.
    ns_coefficients, ns_steps : tuple of float, int
        The polynomial of the iteration, and how often.
    eps : float
        Smallest norm divided by.
    adjust_lr_fn : {None, 'original', 'match_rms_adamw'}
        How the step length depends on the shape.

    Notes
    -----
    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". PyTorch: the same, but it iterates in
    bfloat16; here it is the parameter's own float type. optax (``contrib.muon``) sends vectors to Adam by itself,
    as does Keras.

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
    elementwise: ClassVar[bool] = False
    decoupled_decay: ClassVar[bool] = True

    def check_group(self, group: Group) -> None:
        """Matrices only."""
        for i, p in enumerate(group["params"]):
            if np.ndim(p.data) != 2:
                raise ValueError(
                    f"Muon: {label(p, i)} has shape {np.shape(p.data)}; Muon moves matrices, give the others to AdamW"
                )

    def start(self, zero: Any) -> State:
        """Begin with an average of 0."""
        return (zero,)

    def rule(
        self, g: Any, buf: Any, *, lr: float, momentum: float, nesterov: bool, eps: float,
        ns_coefficients: tuple[float, float, float], ns_steps: int, adjust_lr_fn: str | None,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        buf = momentum * buf + (1 - momentum) * g
        u = momentum * buf + (1 - momentum) * g if nesterov else buf
        o = orthogonalized(u, ns_coefficients, ns_steps, eps)
        rows, columns = g.shape
        factor = math.sqrt(max(1.0, rows / columns))
        if adjust_lr_fn == "match_rms_adamw":
            factor = 0.2 * math.sqrt(max(rows, columns))
        return lr * factor * o, (buf,)
