"""The mistake tutor: one line, once, about what is probably not meant.

Each kind of warning is given once for a line of the user's code.  The class is `GradientWarning`, so the standard
filters of `warnings` silence it or turn it into an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.messages import GradientWarning

from .provenance import Line, user_line

__all__ = ["accumulated", "advise", "look_at_root", "require_node", "require_variable"]

_told: set[tuple[str, Line | None]] = set()

LONGEST_TAIL = 12  # operations between a loss and the difference it reduces


def advise(kind: str, message: str) -> None:
    """Warn with a `GradientWarning` at the user's line, once for each kind and line."""
    line = user_line()
    if (kind, line) in _told:
        return
    filename, number = line or ("unknown", 0)
    warnings.warn_explicit(message, GradientWarning, filename, number)
    _told.add((kind, line))  # after the warning, which a filter may have turned into an error


def accumulated(node: Node) -> int:
    """Return how often a new gradient would have joined one from before the leaf's numbers changed: 0, 1 or 2 (again).

    Once is no mistake yet: the step of one network sends gradients to another that clears its own before it moves, as
    the two of a GAN do.  `stamp` tells which numbers the leaf held at its last gradient, with a minus sign if that
    gradient was such a mixture.
    """
    numbers, stamp = id(node._data), node.stamp
    if stamp in (0, numbers):  # 0: the gradient was assigned or copied
        return 0
    if not np.any(node._grad._data if isinstance(node._grad, Node) else node._grad):
        return 0
    return 2 if stamp < 0 and stamp != -numbers else 1


def advise_zero_grad(nodes: Sequence[Node]) -> None:
    """Say that gradients of several steps have been added up."""
    names = ", ".join(repr(node.name) for node in nodes[:3] if node.name)
    advise(
        "accumulated",
        f"backward() keeps adding to gradients from before the last steps, of {len(nodes)} variable(s)"
        f"{f' ({names})' if names else ''}: call zero_grad() in each step. Several backward() calls between two steps, "
        "as for micro-batches or two losses, are no mistake and bring no warning",
    )


def look_at_root(root: Node) -> None:
    """Warn about a root that is a leaf, or that reduces a difference of (n,) and (n, 1)."""
    if root.op is None:
        advise(
            "leaf",
            "backward() was called on a leaf, so it reaches no parameter: its graph was cut on the way, perhaps by "
            ".data, float(), item(), detach() or a new Tensor(...) of its numbers",
        )
        return
    node = root
    for _ in range(LONGEST_TAIL):
        op = node.op
        if op is None:
            return
        if op.name == "subtract":
            _look_at_difference(node)
            return
        previous: Any = None
        for arg in node.args:
            if isinstance(arg, Node):
                if previous is not None and arg is not previous:
                    return
                previous = arg
        if previous is None:
            return
        node = previous


def _look_at_difference(node: Node) -> None:
    shapes = [np.shape(x) for x in node.raw]
    first, second = shapes
    if len(first) + len(second) != 3 or max(first) < 2 or {first, second} != {(max(first),), (max(first), 1)}:
        return
    # Two variables, as in all distances between pairs of points, may well be meant; a prediction and data are not.
    if sum(isinstance(a, Node) and a._requires_grad for a in node.args) == 1:
        advise(
            "broadcast",
            f"the loss reduces a difference of shapes {first} and {second}, which broadcasts to "
            f"{np.shape(node._data)}: every prediction is compared with every target. Give both one shape, as with "
            "reshape(-1) on the longer; if it is meant, write the (n,) side as [None, :]",
        )


def require_node(node: Any) -> None:
    """Raise TypeError if `node` cannot be differentiated because it is not a node."""
    if not isinstance(node, Node):
        raise TypeError(
            f"only a Value or a Tensor can be differentiated, not {node!r:.60} ({type(node).__name__}); was its graph "
            "cut by .data, float(), item() or a function that is not of autograd?"
        )


def require_variable(root: Node) -> None:
    """Raise RuntimeError if a root does not depend on any variable."""
    if not root._requires_grad:
        raise RuntimeError(
            "this node has no requires_grad input, so there is nothing to differentiate: mark one before computing, "
            "as in Tensor(..., requires_grad=True), and compute outside no_grad(). A result of autograd.compile() "
            "needs no backward(): the call has left the gradients in .grad"
        )
