"""The chain rule: one loop from a result back to everything it was computed from.

`backward`, `gradients`, the transforms and the explanations call it; `fast_floats` has a copy for graphs of floats.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from .graph import Node, make_leaf
from .operations.shaping import fitted, share_below_mask
from .recording import Watch, current_mode, enable_grad, with_watch
from .rules import ONE, shape_of
from .typing import Cotangent, Data, Operands, Rule

Visit = Callable[[Node, Node, Rule, Cotangent, Cotangent, Cotangent], None]


def reverse_pass(
    order: Sequence[Node],
    cotangent: dict[Node, Cotangent],
    wanted: set[Node] | None = None,
    *,
    create_graph: bool = False,
    keep: frozenset[Node] = frozenset(),
    visit: Visit | None = None,
    masked: bool = False,
) -> dict[Node, Cotangent]:
    r"""Pull cotangents through a graph, from results to operands.

    .. math:: \bar x = \sum_{y \,:\, x \in \mathrm{args}(y)} \bar y \, \frac{\partial y}{\partial x}

    Parameters
    ----------
    order : sequence of Node
        Every node on the way, operands before results.
    cotangent : dict
        The cotangents of the roots; filled in place.
    wanted : set of Node, optional
        The nodes to which a cotangent is pulled; every variable by default.
    create_graph : bool
        Give the rules nodes instead of values, so that the cotangents are nodes themselves.
    keep : frozenset of Node
        Computed nodes whose cotangent is returned too.
    visit : callable, optional
        Called as ``visit(node, arg, rule, g, share, total)`` for each edge from a node to an operand.
    masked : bool
        Whether the roots are below a `where` of another graph.

    Returns
    -------
    dict
        The cotangents of the leaves, retained and kept nodes that were reached; others are dropped once used.
    """
    if create_graph and not current_mode():  # requested inside no_grad
        with enable_grad():
            return reverse_pass(order, cotangent, wanted, create_graph=True, keep=keep, visit=visit, masked=masked)
    visit = with_watch(visit)
    is_wanted: Callable[[Node], bool] = attrgetter("_requires_grad") if wanted is None else wanted.__contains__
    finished: dict[Node, Cotangent] = {}
    below_mask: set[Node] = set(cotangent) if masked else set()
    for node in reversed(order):
        g = cotangent.pop(node, None)
        if g is None:
            continue
        op, args, notes = node.op, node.args, node.notes
        g = _after_hooks(node, g) if notes.hooks else g
        if op is None or notes.retains_grad or node in keep:
            finished[node] = g
        if op is None:
            continue
        y, inputs = (node, args) if create_graph else (node._value, node.raw)
        masked = op.selects or node in below_mask
        if masked:
            below_mask.update(arg for arg in args if isinstance(arg, Node))
        for arg, rule in zip(args, op.rules_for(len(args)), strict=True):
            if rule is None or not isinstance(arg, Node) or not is_wanted(arg):
                continue
            share = share_of(node, rule, g, y, inputs, arg._value, masked)
            cotangent[arg] = cotangent[arg] + share if arg in cotangent else share
            if visit is not None:
                visit(node, arg, rule, g, share, cotangent[arg])
    return {node: _as_node(g, node) for node, g in finished.items()} if create_graph else finished


def share_of(node: Node, rule: Any, g: Cotangent, y: Data, inputs: Operands, like: Data, masked: bool = False) -> Data:
    """Return the share of the cotangent `g` of a node that `rule` assigns to its operand, given result and operands.

    The share has the shape and dtype of `like`, the value of the operand.  If `masked`, a zero in `g` may mean that an
    element was not taken, and the share is zero there even if the partial derivative is infinite or nan.
    """
    op: Any = node.op
    if masked:
        share = share_below_mask(node, rule, g, y, inputs, like)
    else:
        share = g if rule is ONE else op.pull(rule, g, y, inputs, node.params)
    if type(share) is type(like) and (
        type(like) is float or (share.shape == like.shape and share.dtype is like.dtype)
    ):  # the usual case, without the calls below
        return share
    return fitted(share, like)


def edges(node: Node) -> list[tuple[int, Node, Rule]]:
    """Return position, operand and rule of each edge along which a gradient flows from a node."""
    rules = () if node.op is None else node.op.rules_for(len(node.args))
    pairs = enumerate(zip(node.args, rules, strict=True))
    return [(i, a, rule) for i, (a, rule) in pairs if isinstance(a, Node) and a._requires_grad and rule is not None]


def _after_hooks(node: Node, g: Cotangent) -> Cotangent:
    """Return the cotangent that the hooks of a node pass on."""
    mode = current_mode()
    g = g.copy() if type(g) is np.ndarray else g  # other nodes may have received the same array
    for hook in node.notes.hooks:
        changed = mode.call_hook(hook, g) if isinstance(mode, Watch) else hook(g)
        if changed is not None:
            changed = changed if isinstance(changed, (Node, float)) else np.asarray(changed)
            if (shape_of(changed) or ()) != (shape_of(g) or ()):  # one element will do for a float
                raise ValueError(
                    f"a hook on {node.name or 'a node'} returned a gradient of shape {shape_of(changed)} "
                    f"for one of shape {shape_of(g)}; return None to leave it unchanged"
                )
            g = fitted(changed, node._value)
    return g.copy() if type(g) is np.ndarray else g  # a hook may have kept the array it was given


def owned(g: Cotangent, node: Node, given: set[int]) -> Cotangent:
    """Return `g` as an array of the leaf's dtype that shares memory with no other array."""
    like = node._value
    if isinstance(g, Node):  # given as `gradient`
        g = np.array(g._value)
    if type(like) is float:
        return float(g)
    fresh = type(g) is np.ndarray and g.dtype == like.dtype and g.base is None and g.flags.c_contiguous
    if not fresh or id(g) in given:
        g = np.array(g, dtype=like.dtype, order="C")
    given.add(id(g))
    return g


def _as_node(g: Cotangent, like: Node) -> Node:
    """Return a cotangent as a node; a plain value becomes a leaf of the class of `like`."""
    if isinstance(g, Node):
        return g
    node = object.__new__(type(like))
    make_leaf(node, owned(g, like, set()), False)
    return node
