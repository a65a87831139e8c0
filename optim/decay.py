"""What happens to a gradient before the rule, and to a parameter before its step."""

from __future__ import annotations

from typing import Any


def descent(g: Any, p: Any, *, maximize: bool, weight_decay: float) -> Any:
    """Return the direction to go down: the gradient, turned round to climb, with L2 regularisation added."""
    if maximize:
        g = -g
    if weight_decay:
        g = g + weight_decay * p
    return g


def shrunk(p: Any, *, lr: float, weight_decay: float) -> Any:
    """Decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2, with the decay scaled by lr as in PyTorch)."""
    p = (1 - lr * weight_decay) * p
    return p  # noqa: RET504 - named, so that `trace` can show it
