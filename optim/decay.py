"""Weight decay, the direction of descent before a rule, and caution after it."""

import numpy as np

from optim.typing import Array, Data


def descent_direction(g: Data, p: Data, *, maximize: bool, weight_decay: float) -> Data:
    """Return the gradient to descend: negated to maximize, plus the gradient of L2 regularization."""
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    return g


def decayed(p: Data, *, lr: float, weight_decay: float) -> Data:
    """Apply decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2; scaled by lr as in PyTorch)."""
    p = (1 - lr * weight_decay) * p
    return p  # noqa: RET504 - named, so that `trace` shows it


def cautious_step(step: Array, g: Array) -> Array:
    """Drop the elements of an update that would increase the loss, and scale the others up (Liang et al. 2024)."""
    agrees = 1.0 * (step * g > 0)
    step = step * agrees / np.maximum(np.mean(agrees), 1e-3)
    return step  # noqa: RET504 - named, so that `trace` shows it
