"""The chain rule: one loop from a result back to everything it was made from.

`reverse_pass` is the only place where cotangents are multiplied and added; `backward`, `gradients`, the
explanations and the transforms are ways to call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .graph import Node, Primitive, make_leaf
from .operations.broadcasting import astype, product_if_taken, sum_to
from .recording import NotReplayable, Watch, callback, current_mode, enable_grad, is_recording, raw_data
from .rules import ONE, Elementwise, shape_of

__all__ = ["Visit", "fitted", "owned", "reverse_pass"]

Visit = Callable[[Node, Node, Any, Any, Any, Any], None]


def reverse_pass(
    order: Sequence[Node],
    cotangent: dict[Node, Any],
    wanted: set[Node] | None = None,
    *,
    create_graph: bool = False,
    keep: frozenset[Node] = frozenset(),
    visit: Visit | None = None,
) -> dict[Node, Any]:
    r"""Pull cotangents through a graph, from users to arguments.

    .. math:: \bar x = \sum_{y \,:\, x \in \mathrm{args}(y)} \bar y \, \frac{\partial y}{\partial x}

    Parameters
    ----------
    order : sequence of Node
        Every node on the way, arguments before users.
    cotangent : dict
        The cotangents of the roots; filled in place.
    wanted : set of Node, optional
        The nodes to which a cotangent is pulled; every variable by default.
    create_graph : bool
        Hand the rules nodes instead of numbers, so that the cotangents are nodes themselves.
    keep : frozenset of Node
        Computed nodes whose cotangent is needed afterwards.
    visit : callable, optional
        Called as ``visit(node, arg, rule, g, share, total)`` for each edge from a node to an argument.

    Returns
    -------
    dict
        The cotangent of every leaf, `Value`, retained and kept node that was reached; others are dropped once used.
    """
    mode = current_mode()
    if create_graph and not mode:  # asked for inside no_grad
        with enable_grad():
            return reverse_pass(order, cotangent, wanted, create_graph=True, keep=keep, visit=visit)
    if isinstance(mode, Watch) and type(mode).on_pull is not Watch.on_pull:  # or every edge would cost a call
        visit = _watched(mode, visit)
    finished = _walked(order, _Walk(cotangent, wanted, create_graph, visit), keep)
    return {node: _as_node(g, node) for node, g in finished.items()} if create_graph else finished


def _walked(order: Sequence[Node], walk: _Walk, keep: frozenset[Node]) -> dict[Node, Any]:
    """Return the finished cotangents; this loop is where the time of a graph of `Value`s goes."""
    finished: dict[Node, Any] = {}
    cotangent, maskable = walk.cotangent, walk.maskable
    plain = walk.wanted is None and walk.visit is None and not walk.create_graph
    take, get = cotangent.pop, cotangent.get
    for node in reversed(order):
        g = take(node, None)
        if g is None:
            continue
        if node.hooks:
            g = _after_hooks(node, g)
        op = node.op
        if op is None:
            finished[node] = g
            continue
        if node.retains_grad or (keep and node in keep):
            finished[node] = g
        if not plain or not op.is_binary or type(g) is not float or (maskable and node in maskable):
            walk.through(node, op, g)
            continue
        # The step of `through`, spelled out for two floats: it is all that a graph of `Value`s does.
        x, y, a, b = node._inputs
        rule_x, rule_y = op.rules
        to_x, to_y = isinstance(x, Node) and x._requires_grad, isinstance(y, Node) and y._requires_grad
        try:
            share_x = g if rule_x is ONE else g * rule_x(node._data, a, b) if to_x else None
            share_y = g if rule_y is ONE else g * rule_y(node._data, a, b) if to_y else None
        except (ValueError, ArithmeticError):
            walk.through(node, op, g)
            continue
        if to_x:
            total = get(x)
            cotangent[x] = share_x if total is None else total + share_x
        if to_y:
            total = get(y)
            cotangent[y] = share_y if total is None else total + share_y
    return finished


def _watched(watch: Watch, visit: Visit | None) -> Visit:
    """Return a visitor that also tells those who watch this thread."""

    def told(node: Node, arg: Node, rule: Any, g: Any, share: Any, total: Any) -> None:
        watch.on_pull(node, arg, g, share)
        if visit is not None:
            visit(node, arg, rule, g, share, total)

    return told


class _Walk:
    """The state of one backward pass, and its step from a node to its arguments."""

    __slots__ = ("cotangent", "create_graph", "maskable", "visit", "wanted")

    def __init__(
        self, cotangent: dict[Node, Any], wanted: set[Node] | None, create_graph: bool, visit: Visit | None
    ) -> None:
        self.cotangent = cotangent
        self.wanted = wanted
        self.create_graph = create_graph
        self.visit = visit
        self.maskable: set[Node] = set()  # below a `where`: a zero cotangent there may mean "not taken"

    def through(self, node: Node, op: Primitive, g: Any) -> None:
        """Pull the complete cotangent `g` of `node` to its arguments."""
        cotangent, wanted, visit = self.cotangent, self.wanted, self.visit
        inputs, params = node._inputs, node.params
        count = len(inputs) // 2
        args = inputs[:count]
        y, inputs = (node, args) if self.create_graph else (node._data, inputs[count:])
        masked = op.selects or (bool(self.maskable) and node in self.maskable)
        if masked:
            self.maskable.update([arg for arg in args if isinstance(arg, Node)])
        for arg, rule in zip(args, op.rules or op.rules_for(count), strict=True):
            if rule is None or not isinstance(arg, Node):
                continue
            if not arg._requires_grad if wanted is None else arg not in wanted:
                continue
            if masked and isinstance(op, Elementwise):
                share = product_if_taken(g, op.partial(rule, y, inputs, params))
            else:
                share = g if rule is ONE else op.pull(rule, g, y, inputs, params)
            data = arg._data
            if type(share) is not type(data) or (
                type(data) is not float and (share.shape != data.shape or share.dtype is not data.dtype)
            ):
                share = fitted(share, data)
            total = cotangent.get(arg)
            cotangent[arg] = share if total is None else total + share
            if visit is not None:
                visit(node, arg, rule, g, share, cotangent[arg])


def fitted(share: Any, data: Any) -> Any:
    """Return a share of cotangent in the shape and dtype of its argument's `data`: undoes broadcasting, only here."""
    shape = data.shape if type(data) is np.ndarray else None
    if shape_of(share) != shape:
        share = sum_to(share, shape)
    if shape is not None and share.dtype != data.dtype:
        share = astype(share, data.dtype)
    return share


def _after_hooks(node: Node, g: Any) -> Any:
    for hook in node.hooks:
        changed = _called_again(hook, g) if is_recording() else hook(g)
        if changed is not None:
            changed = changed if isinstance(changed, (Node, float)) else np.asarray(changed)
            if (shape_of(changed) or ()) != (shape_of(g) or ()):  # any one number will do for a float
                raise ValueError(
                    f"a hook on {node.name or 'a node'} returned a gradient of shape {shape_of(changed)} "
                    f"for one of shape {shape_of(g)}; return None to leave it unchanged"
                )
            g = fitted(changed, node._data)
    return g.copy() if type(g) is np.ndarray else g  # a hook may have kept the one it was given


def _called_again(hook: Callable[[Any], Any], g: Any) -> Any:
    """Call a hook with numbers of its own, now and in each replay of what is being recorded."""
    changes: list[bool] = []  # whether the hook returned something when the call was recorded

    def hooked(numbers: Any) -> Any:
        changed = hook(numbers.copy() if type(numbers) is np.ndarray else numbers)
        if not changes:
            changes.append(changed is not None)
        if changes[0] != (changed is not None):
            raise NotReplayable("a gradient hook returned nothing in one pass and something in another")
        found = None if changed is None else np.asarray(raw_data(changed))
        return float(found) if found is not None and type(numbers) is float and found.size == 1 else found

    return callback(hooked, g)


def owned(g: Any, node: Node, given: set[int]) -> Any:
    """Return `g` as an array of the leaf's dtype that shares memory with nothing."""
    like = node._data
    if isinstance(g, Node):
        g = g._data
    if type(like) is float:
        return float(g)
    fresh = type(g) is np.ndarray and g.dtype == like.dtype and g.base is None and g.flags.c_contiguous
    if not fresh or id(g) in given:
        g = np.array(g, dtype=like.dtype, order="C")
    given.add(id(g))
    return g


def _as_node(g: Any, like: Node) -> Node:
    """Return a cotangent as a node; plain numbers become one of the kind of `like` with nothing recorded behind it."""
    if isinstance(g, Node):
        return g
    node = object.__new__(type(like))
    make_leaf(node, owned(g, like, set()), False, "")
    return node
