"""Shares of cotangent below a mask: where a `where` left an element out, neither inf nor nan reaches the gradient."""

from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.recording import guard
from autograd.rules import PRIMITIVES, Elementwise, Pullback
from autograd.typing import Cotangent, Data, Operand, Operands, Rule

from .comparing import isfinite, isnan, logical_or, not_equal, where
from .shaping import fitted, product_if_taken


class Recomputed(Pullback):
    """An operation whose rules walk a graph of their own, below a mask if they are called with ``masked=True``."""

    __slots__ = ()


def share_below_mask(node: Node, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, like: Data) -> Cotangent:
    """Return the share of `g` that `rule` assigns to an operand of value `like`; a zero in `g` means *not taken*."""
    op: Any = node.op
    if isinstance(op, Elementwise):
        return product_if_taken(g, op.partial(rule, y, inputs, node.params))
    if isinstance(op, Recomputed):
        return op.pull(rule, g, y, inputs, {"masked": True})
    share = fitted(op.pull(rule, g, y, inputs, node.params), like)
    if op is PRIMITIVES["where"]:  # its rules keep the mask themselves
        return share
    if not np.ndim(node._value):
        return where(not_equal(g, 0.0), share, 0.0)
    return share if guard(_is_finite, share) else _share_of_taken(node, rule, g, y, inputs, like)


def _is_finite(x: Data) -> bool:
    return bool(np.isfinite(x).all())


def _share_of_taken(node: Node, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, like: Data) -> Cotangent:
    """Return the share of the taken elements of `g`.

    A cotangent of nan on the taken elements, pulled to each operand, finds the elements that influence them.  All other
    elements are replaced by finite ones, and their share is 0.
    """
    op: Any = node.op
    taken = not_equal(g, 0.0)
    rest, *others = [_filling(raw, x) for raw, x in zip((node._value, *node.raw), (y, *inputs), strict=True)]
    marker = where(taken, np.nan, np.zeros_like(node._value))

    def reached(rule: Rule, x: Data) -> Operand:
        return isnan(fitted(op.pull(rule, marker, rest, others, node.params), x))

    with np.errstate(all="ignore"):
        kept = [
            x if rule is None or other is x else where(reached(rule, raw), x, other)
            for rule, x, raw, other in zip(op.rules_for(len(inputs)), inputs, node.raw, others, strict=True)
        ]
        finite_y = where(logical_or(taken, isfinite(y)), y, rest)
        share = fitted(op.pull(rule, g, finite_y, tuple(kept), node.params), like)
        return where(reached(rule, like), share, 0.0)


def _filling(raw: Data, x: Operand) -> Operand:
    """Return finite values to replace those of a floating-point array; its matrices are positive definite."""
    if type(raw) is not np.ndarray or raw.dtype.kind != "f":
        return x
    return np.ones_like(raw) + (np.eye(*raw.shape[-2:], dtype=raw.dtype) if raw.ndim > 1 else 0)
