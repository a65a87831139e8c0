"""Shares of cotangent below a mask: where a `where` left an element out, neither inf nor nan reaches the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.recording import is_recording, raw_data
from autograd.rules import Elementwise, Pullback
from autograd.typing import Array, Cotangent, Data, Operand, Operands, Rule

from .broadcasting import fitted, product_if_taken
from .selecting import where

__all__ = ["Recomputed", "share_below_mask"]


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
    if is_recording() or np.isfinite(raw_data(share)).all():  # a replay cannot repeat a decision by value
        return share
    taken = np.not_equal(raw_data(g), 0)
    return share if taken.all() else _share_of_taken(node, rule, g, y, inputs, like, taken)


def _share_of_taken(
    node: Node, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, like: Data, taken: Array
) -> Cotangent:
    """Return the share of the taken elements of `g`.

    A cotangent of nan on the taken elements, pulled to each operand, finds the elements that influence them.  All other
    elements are replaced by finite ones, and their share is 0.
    """
    if not taken.any():
        return 0.0 if type(like) is float else np.zeros_like(like)
    op: Any = node.op
    rest, *others = [_filling(x) for x in (node._data, *node.raw)]
    marker = np.where(taken, np.nan, np.zeros_like(raw_data(g)))

    def reached(rule: Rule, x: Data) -> Data:
        return np.isnan(fitted(op.pull(rule, marker, rest, others, node.params), x))

    with np.errstate(all="ignore"):
        kept = [
            x if rule is None or other is raw else where(reached(rule, raw), x, other)
            for rule, x, raw, other in zip(op.rules_for(len(inputs)), inputs, node.raw, others, strict=True)
        ]
        finite_y = where(taken | np.isfinite(node._data), y, rest)
        share = fitted(op.pull(rule, g, finite_y, tuple(kept), node.params), like)
        return where(reached(rule, like), share, 0.0)


def _filling(x: Data) -> Data:
    """Return finite values to replace those of a floating-point array; its matrices are positive definite."""
    if type(x) is not np.ndarray or x.dtype.kind != "f":
        return x
    return np.ones_like(x) + (np.eye(*x.shape[-2:], dtype=x.dtype) if x.ndim > 1 else 0)
