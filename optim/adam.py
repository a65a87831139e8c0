"""Adam, with decay inside or outside the gradient: `Adam`, `AdamW`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .flat_params import State
from .optimizer import Optimizer
from .options import Betas, NonNegative


class Adam(Optimizer):
    """Steps of about `lr` in every coordinate: the average gradient over its average size.

    ::

        m = b1 * m + (1 - b1) * g;    v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t);      v_hat = v / (1 - b2**t)
        p -= lr * m_hat / (sqrt(v_hat + eps_root) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in m and v, each in [0, 1).
    eps, eps_root : float
        Added outside and inside the root. ``eps=0, eps_root=1e-8`` is the form with one epsilon inside.
    weight_decay : float
        L2 regularisation, added to the gradient; with `decoupled_weight_decay` as in `AdamW`.
    amsgrad : bool
        Divide by the largest v so far (Reddi, Kale & Kumar 2018, Algorithm 2, corrected for bias as in PyTorch).
    decoupled_weight_decay : bool
        Shrink the parameter instead of adding to the gradient.

    Notes
    -----
    Kingma & Ba 2015, Algorithm 1, epsilon outside the root. The corrections are joined to `lr` and `eps`, numbers, as
    at the end of the paper's section 2, which saves dividing arrays. PyTorch: the same; Keras: eps 1e-7, multiplied by
    ``sqrt(1 - b2**t)`` (the epsilon-hat of section 2); optax: the same, with `eps_root`; its amsgrad takes the largest
    v_hat.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=300.0)
    >>> Adam([p], lr=0.25).step()
    >>> round(p.data, 9)
    0.75
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    amsgrad: bool = False
    decoupled_weight_decay: bool = False
    eps_root: NonNegative = 0.0

    def start(self, zero: Any) -> State:
        """Begin with m = v = 0; the largest v is kept only for amsgrad."""
        return zero, zero, None

    def rule(
        self, g: Any, m: Any, v: Any, v_max: Any, *,
        t: int, lr: float, betas: tuple[float, float], eps: float, eps_root: float, amsgrad: bool,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        if amsgrad:
            v_max = v if v_max is None else np.maximum(v_max, v)
        spread = v_max if amsgrad else v
        unbias = 1 - b2**t
        if eps_root:
            spread = spread + eps_root * unbias
        return lr * unbias**0.5 / (1 - b1**t) * m / (np.sqrt(spread) + eps * unbias**0.5), (m, v, v_max)


class AdamW(Adam):
    """Adam with decoupled weight decay.

    ::

        p -= lr * weight_decay * p
        p -= lr * m_hat / (sqrt(v_hat + eps_root) + eps)        (m_hat, v_hat as in Adam, of the bare gradient)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr, betas, eps, amsgrad, eps_root
        As in `Adam`.
    weight_decay : float
        How strongly parameters are drawn to zero, relative to `lr`.

    Notes
    -----
    Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", Algorithm 2. PyTorch, Keras and optax scale the
    decay by `lr`, the paper by the schedule's factor alone. Default decay: PyTorch 0.01, Keras 0.004, optax 1e-4.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=0.0)
    >>> AdamW([p], lr=0.5, weight_decay=0.5).step()
    >>> p.data
    0.75
    """

    weight_decay: NonNegative = 0.01
    decoupled_weight_decay: bool = True
