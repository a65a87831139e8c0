"""Forward mode: tangents from arguments to users, with the same table of derivatives as the backward pass.

An elementwise operation multiplies tangents by its partials, a linear operation is applied to the tangents, and a
pullback is transposed by its own backward pass, since it is linear in the cotangent.
"""

from collections.abc import Sequence

import numpy as np

from autograd.backward import gradients
from autograd.graph import KINDS, Node, apply
from autograd.operations.shaping import broadcast_to, fitted
from autograd.recording import enable_grad, raw_data
from autograd.reverse import share_of
from autograd.rules import ONE, Elementwise, Linear, shape_of
from autograd.typing import Data, Operand, Operands, Rule, Tangent
from autograd.variable import leaf


def forward_pass(order: list[Node], tangent: dict[Node, Tangent], *, create_graph: bool = False) -> dict[Node, Tangent]:
    r"""Push tangents through a graph, from arguments to users.

    .. math:: \dot y = \sum_{x \in \mathrm{args}(y)} \frac{\partial y}{\partial x} \, \dot x

    Parameters
    ----------
    order : sequence of Node
        The nodes of the graph, arguments before users.
    tangent : dict
        The tangents of the inputs, to which the others are added.  A node in it is treated as an input.
    create_graph : bool
        Call the rules with nodes instead of their data, so that the tangents are nodes too.

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
        tangents = [tangent.get(arg) if isinstance(arg, Node) else None for arg in node.args]
        if (found := pushed(node, tangents, create_graph)) is not None:
            tangent[node] = found
    return tangent


def pushed(node: Node, tangents: Sequence[Tangent | None], create_graph: bool = False) -> Tangent | None:
    """Return the tangent of `node` from those of its arguments (None for constants), or None if it is constant."""
    op = node.op
    assert op is not None
    y, inputs = (node, node.args) if create_graph else (node._value, node.raw)
    rules = op.rules_for(len(node.args))
    live = [i for i, (t, rule) in enumerate(zip(tangents, rules, strict=True)) if t is not None and rule is not None]
    if not live:
        return None
    if isinstance(op, Linear) and op.joint:
        filled = [
            inputs[i] if rule is None else zero(node.raw[i]) if t is None else t
            for i, (t, rule) in enumerate(zip(tangents, rules, strict=True))
        ]
        return _shaped(apply(op, tuple(filled), node.params), node._value)
    total = None
    for i in live:
        t = tangents[i]
        if isinstance(op, Elementwise):
            share = t if rules[i] is ONE else t * op.partial(rules[i], y, inputs, node.params)
        elif isinstance(op, Linear):
            share = apply(op, (*inputs[:i], t, *inputs[i + 1 :]), node.params)
        else:
            share = _transposed(node, i, t, y, inputs, rules[i], create_graph)
        if share is not None:
            share = _shaped(share, node._value)
            total = share if total is None else total + share
    return total


def _transposed(node: Node, i: int, t: Tangent, y: Operand, xs: Operands, rule: Rule, create_graph: bool) -> Tangent:
    """Return the Jacobian of an operation times `t`, by a backward pass through its pullback.

    The pullback is ``g -> J^T g``; its gradient against `t` with respect to `g` is ``J t``.
    """
    with enable_grad():
        g = leaf(KINDS[type(node._value)][0], zero(node._value), True)
        share = share_of(node, rule, g, y, xs, node.raw[i])
        if not isinstance(share, Node) or not share.requires_grad:
            return None
        return gradients(share, g, t, create_graph=create_graph, allow_unused=True)


def zero(x: Operand) -> Data:
    """Return the zero of the same kind and shape."""
    data = raw_data(x)
    return np.zeros_like(data) if isinstance(data, np.ndarray) else 0.0


def _shaped(t: Tangent, data: Data) -> Tangent:
    """Return a tangent with the shape and dtype of its result."""
    shape = data.shape if type(data) is np.ndarray else None
    if shape_of(t) != shape:
        t = broadcast_to(t, shape)
    return fitted(t, data)
