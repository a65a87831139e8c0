"""What precedes a rule: the direction of descent, and weight decay."""

from __future__ import annotations

from optim.typing import Data


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
