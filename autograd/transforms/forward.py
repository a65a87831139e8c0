"""Forward mode: the same table of derivatives, walked from arguments to users.

An elementwise operation multiplies tangents with its partials, a linear one is applied to the tangents, and a
pullback is transposed: it is linear in the cotangent, so its own backward pass turns it round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.backward import fitted, gradients
from autograd.graph import KINDS, Node, apply, make_leaf
from autograd.operations.broadcasting import broadcast_to
from autograd.recording import enable_grad
from autograd.rules import ONE, Elementwise, Linear, shape_of

__all__ = ["forward_pass", "pushed"]


def forward_pass(order: Sequence[Node], tangent: dict[Node, Any], *, create_graph: bool = False) -> dict[Node, Any]:
    r"""Push tangents through a graph, from arguments to users.

    .. math:: \dot y = \sum_{x \in \mathrm{args}(y)} \frac{\partial y}{\partial x} \, \dot x

    Parameters
    ----------
    order : sequence of Node
        Every node on the way, arguments before users.
    tangent : dict
        The tangents of the inputs; filled in place.  A node that has one is taken as an input, whatever made it.
    create_graph : bool
        Hand the rules nodes instead of numbers, so that the tangents are nodes themselves.

    Returns
    -------
    dict
        The tangent of every node that depends on the inputs.

    Examples
    --------
    >>> from autograd import Value, topological_order
    >>> x = Value(3.0)
    >>> y = x * x
    >>> forward_pass(topological_order(y), {x: 1.0})[y]
    6.0
    """
    for node in order:
        if node.op is None or node in tangent or not node._requires_grad:
            continue
        arrived = [tangent.get(arg) if isinstance(arg, Node) else None for arg in node.args]
        if any(t is not None for t in arrived):
            pushing = pushed(node, arrived, create_graph)
            if pushing is not None:
                tangent[node] = pushing
    return tangent


def pushed(node: Node, tangents: Sequence[Any], create_graph: bool = False) -> Any:
    """Return the tangent of `node` from those of its arguments (None: constant there), None if nothing passes."""
    op = node.op
    assert op is not None
    y, inputs = (node, node.args) if create_graph else (node._data, node.raw)
    rules = op.rules or op.rules_for(len(node.args))
    live = [i for i, (t, rule) in enumerate(zip(tangents, rules, strict=True)) if t is not None and rule is not None]
    if not live:
        return None
    if isinstance(op, Linear) and getattr(op, "joint", False):  # one made by hand may leave it unset
        filled = [
            inputs[i] if rule is None else _zeros(node.raw[i]) if t is None else t
            for i, (t, rule) in enumerate(zip(tangents, rules, strict=True))
        ]
        return _shaped(apply(op, tuple(filled), node.params), node._data)
    total = None
    for i in live:
        t = tangents[i]
        if isinstance(op, Elementwise):
            share = t
            if rules[i] is not ONE:
                partial = op.partial(rules[i], y, inputs, node.params)
                share = t * partial
        elif isinstance(op, Linear):
            share = apply(op, (*inputs[:i], t, *inputs[i + 1 :]), node.params)
        else:
            share = _transposed(node, i, t, y, inputs, rules[i], create_graph)
        if share is not None:
            share = _shaped(share, node._data)
            total = share if total is None else total + share
    return total


def _transposed(node: Node, i: int, t: Any, y: Any, inputs: tuple[Any, ...], rule: Any, create_graph: bool) -> Any:
    """Return the Jacobian of a pullback operation times `t`, by the pullback's own backward pass.

    The pullback is ``g -> J^T g``; its gradient against `t` with respect to `g` is ``J t``.
    """
    with enable_grad():
        g = object.__new__(KINDS[type(node._data)][0])
        make_leaf(g, node._data * 0.0 if type(node._data) is float else np.zeros_like(node._data), True, "")
        assert node.op is not None
        share = node.op.pull(rule, g, y, inputs, node.params)
        if not isinstance(share, Node) or not share.requires_grad:
            return None
        share = fitted(share, node.raw[i])
        return gradients(share, g, t, create_graph=create_graph, allow_unused=True)


def _zeros(data: Any) -> Any:
    return 0.0 if type(data) in (float, int, bool) else np.zeros_like(data)


def _shaped(t: Any, data: Any) -> Any:
    """Return a tangent in the shape and dtype of the result it belongs to."""
    shape = data.shape if type(data) is np.ndarray else None
    if shape_of(t) != shape:
        t = broadcast_to(t, shape)
    return fitted(t, data)
