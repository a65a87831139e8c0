"""The chain rule: one loop from a result back to everything it was made from.

`reverse_pass` is the only place where cotangents are multiplied and added; `backward`, `gradients`, the
explanations and the transforms are ways to call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .graph import Node, Primitive, make_leaf, refuse_modified, topological_order
from .modes import Watch, current_mode
from .rules import ONE, astype, shape_of, sum_to
from .tutor import accumulated, advise_zero_grad, look_at_root

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
    finished: dict[Node, Any] = {}
    mode = current_mode()
    if isinstance(mode, Watch):
        visit = _watched(mode, visit)
    walk = _Walk(cotangent, wanted, create_graph, visit)
    plain = wanted is None and visit is None and not create_graph
    maskable = walk.maskable
    take, get = cotangent.pop, cotangent.get
    for node in reversed(order):
        g = take(node, None)
        if g is None:
            continue
        if node.hooks:
            g = _after_hooks(node, g)
        op = node.op
        if op is None or node.retains_grad or (keep and node in keep):
            finished[node] = g
            if op is None:
                continue
        if not plain or not op.is_binary or type(g) is not float or (maskable and node in maskable):
            walk.through(node, op, g)
            continue
        # The step of `through`, spelled out for two floats: it is all that a graph of `Value`s does.
        x, y = node.args
        a, b = node.raw
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
    return {node: _as_node(g, node) for node, g in finished.items()} if create_graph else finished


def _watched(watch: Watch, visit: Visit | None) -> Visit:
    """Return a visitor that also tells those who watch this thread."""

    def told(node: Node, arg: Node, rule: Any, g: Any, share: Any, total: Any) -> None:
        watch.pulled(node, arg, g, share)
        if visit is not None:
            visit(node, arg, rule, g, share, total)

    return told


class _Walk:
    """The state of one reverse pass, and its step from a node to its arguments."""

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
        cotangent, wanted = self.cotangent, self.wanted
        args, params = node.args, node.params
        y, inputs = (node, args) if self.create_graph else (node._data, node.raw)
        pull = op.pull
        if op.selects or node in self.maskable:
            self.maskable.update([arg for arg in args if isinstance(arg, Node)])
            pull = op.pull_if_taken
        for arg, rule in zip(args, op.rules or op.rules_for(len(args)), strict=True):
            if rule is None or not isinstance(arg, Node):
                continue
            if not arg._requires_grad if wanted is None else arg not in wanted:
                continue
            share = g if rule is ONE else pull(rule, g, y, inputs, params)
            data = arg._data
            if type(share) is not type(data) or (
                type(data) is not float and (share.shape != data.shape or share.dtype is not data.dtype)
            ):
                share = fitted(share, data)
            total = cotangent.get(arg)
            cotangent[arg] = share if total is None else total + share
            if self.visit is not None:
                self.visit(node, arg, rule, g, share, cotangent[arg])


def fitted(share: Any, data: Any) -> Any:
    """Return a share of cotangent in the shape and dtype of its argument's `data`: undoes broadcasting, only here."""
    shape = data.shape if type(data) is np.ndarray else None
    if shape_of(share) != shape:
        share = sum_to(share, shape)
    if shape is not None and (share._data if isinstance(share, Node) else share).dtype != data.dtype:
        share = astype(share, data.dtype)
    return share


def _after_hooks(node: Node, g: Any) -> Any:
    for hook in node.hooks:
        changed = hook(g)
        if changed is not None:
            if shape_of(changed) != shape_of(g):
                raise ValueError(
                    f"a hook on {node.name or 'a node'} returned a gradient of shape {shape_of(changed)} "
                    f"for one of shape {shape_of(g)}; return None to leave it unchanged"
                )
            g = changed if isinstance(changed, (Node, float)) else np.array(changed)
    return g.copy() if type(g) is np.ndarray else g  # a hook may have kept the one it was given


def _seed(root: Node, gradient: Any) -> Any:
    """Return the cotangent to start from at `root`."""
    shape = shape_of(root)
    if gradient is None:
        if shape is not None and np.size(root._data) != 1:
            raise RuntimeError(
                f"backward() starts from a scalar, one number such as a loss; this node has shape {shape}. Reduce it "
                "first (.sum() or .mean()), or pass gradient= with one number per element"
            )
        return 1.0 if shape is None else np.ones(shape, root._data.dtype)
    if isinstance(gradient, Node):
        found = shape_of(gradient)
    else:
        gradient = float(gradient) if shape is None else np.array(gradient, dtype=root._data.dtype)
        found = shape_of(gradient)
    if found != shape:
        raise ValueError(
            f"gradient= has shape {found} but the node it belongs to has shape {shape}; they must be equal"
        )
    return gradient


def _require_variable(root: Node) -> None:
    if not root._requires_grad:
        raise RuntimeError(
            "this node has no requires_grad input, so there is nothing to differentiate: mark one before computing, "
            "as in Tensor(..., requires_grad=True), and compute outside no_grad()"
        )


def backward(root: Node, gradient: Any = None, *, create_graph: bool = False) -> None:
    """Compute the gradient of `root` with respect to every variable it depends on, into their `.grad`.

    Parameters
    ----------
    root : Node
        A loss of one number, or any node if `gradient` is given.
    gradient : float, array_like or Node, optional
        The cotangent of `root`, of its shape; 1 by default.
    create_graph : bool
        Make the gradients nodes, so that they can be differentiated again.

    Raises
    ------
    RuntimeError
        If `root` holds several numbers and no `gradient` is given, if it depends on no variable, or if an
        array it was computed from has been modified in place.
    ValueError
        If `gradient` has another shape than `root`.

    Notes
    -----
    Leaves accumulate over calls, as in PyTorch; `zero_grad()` clears them.  Computed `Value`s show their latest
    gradient, computed `Tensor`s only after `retain_grad()`.  Nothing is written before the whole pass has
    succeeded.

    With `create_graph` a leaf's `.grad` refers to a graph that refers to the leaf: a cycle, which only the garbage
    collector frees, or ``zero_grad()``.  `gradients` makes none.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> backward(a * b + a)
    >>> a.grad, b.grad
    (-2.0, 2.0)
    """
    _require_variable(root)
    start = _seed(root, gradient)
    look_at_root(root)
    order = topological_order(root, variables_only=True)
    refuse_modified(order)
    found = reverse_pass(order, {root: start}, create_graph=create_graph)
    _store(found, create_graph)


def _store(found: dict[Node, Any], keep_nodes: bool) -> None:
    """Write the gradients of a finished pass: all are prepared before the first is assigned."""
    given: set[int] = set()
    arrays: dict[Node, Any] = {}
    late: list[Node] = []  # leaves with a gradient from before their numbers were last changed
    for node, g in found.items():
        leaf = node.op is None
        if leaf or type(g) is not float:
            added = leaf and not _is_empty(node._grad)
            if added and accumulated(node):
                late.append(node)
            if type(g) is not float:
                fresh = g if keep_nodes and isinstance(g, Node) else _own(g, node, given)
                arrays[node] = node._grad + fresh if added else fresh
    if late:
        advise_zero_grad(late)
    for node, g in found.items():  # from here on nothing can fail
        if node.op is None:
            node.stamp = id(node._data)
            if type(g) is float:
                node._grad = g if _is_empty(node._grad) else node._grad + g
        elif type(g) is float:
            node._grad = g
    for node, fresh in arrays.items():
        node._grad = fresh


def _is_empty(grad: Any) -> bool:
    return grad is None or (type(grad) is float and grad == 0.0)


def _own(g: Any, node: Node, given: set[int]) -> Any:
    """Return `g` as an array of the leaf's dtype that shares memory with nothing."""
    like = node._data
    if isinstance(g, Node):
        g = g._data
    if type(like) is float:
        return float(g)
    fresh = type(g) is np.ndarray and g.dtype == like.dtype and g.base is None and g.flags.c_contiguous
    if not fresh or g is like or id(g) in given:
        g = np.array(g, dtype=like.dtype, order="C")
    given.add(id(g))
    return g


def _as_node(g: Any, like: Node) -> Node:
    """Return a cotangent as a node; plain numbers become one of the kind of `like` with nothing recorded behind it."""
    if isinstance(g, Node):
        return g
    node = object.__new__(type(like))
    make_leaf(node, _own(g, like, set()), False, "")
    return node


def gradients(
    outputs: Node | Sequence[Node],
    inputs: Node | Sequence[Node],
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Return the gradients of `outputs` with respect to `inputs`, without touching any `.grad`.

    Parameters
    ----------
    outputs : Node or sequence of Node
        What to differentiate; several are summed, each weighted with its cotangent.
    inputs : Node or sequence of Node
        With respect to what: leaves or computed nodes.
    grad_outputs : array_like, Node or sequence of them, optional
        The cotangents of the outputs; needed where an output holds several numbers.
    create_graph : bool
        Make the gradients nodes, so that they can be differentiated again.
    allow_unused : bool
        Return None for an input that no output depends on, instead of raising.

    Returns
    -------
    float, ndarray, Node or tuple of them
        One gradient per input, alone if `inputs` was a single node.

    Raises
    ------
    ValueError
        If an input is not part of the graph of the outputs, unless `allow_unused`.
    RuntimeError
        As in `backward`.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0)
    >>> first = gradients(x**3, x, create_graph=True)
    >>> gradients(first, x)
    18.0
    """
    single = isinstance(inputs, Node)
    roots: list[Node] = [outputs] if isinstance(outputs, Node) else list(outputs)
    targets: list[Node] = [inputs] if isinstance(inputs, Node) else list(inputs)
    seeds = [grad_outputs] if isinstance(outputs, Node) else list(grad_outputs or [None] * len(roots))
    if len(seeds) != len(roots):
        raise ValueError(f"there are {len(roots)} outputs but {len(seeds)} grad_outputs; give one per output")
    for root in roots:
        _require_variable(root)
    order = topological_order(*roots, variables_only=True)
    refuse_modified(order)
    cotangent: dict[Node, Any] = {}
    for root, seed in zip(roots, seeds, strict=True):
        start = _seed(root, seed)
        cotangent[root] = cotangent[root] + start if root in cotangent else start
    found = pulled_to(targets, cotangent, order, between(order, targets), create_graph)
    for i, (target, g) in enumerate(zip(targets, found, strict=True)):
        if g is None and not allow_unused:
            name = f" {target.name!r}" if target.name else ""
            why = "the outputs do not depend on it" if target._requires_grad else "it does not have requires_grad=True"
            raise ValueError(f"input {i}{name} has no gradient: {why}; pass allow_unused=True to get None for it")
    return found[0] if single else tuple(found)


def between(order: Sequence[Node], targets: Sequence[Node]) -> set[Node]:
    """Return the targets and the nodes of `order` that depend on them: those a cotangent must visit."""
    wanted = set(targets)
    for node in order:
        if node.op is not None and not wanted.isdisjoint([a for a in node.args if isinstance(a, Node)]):
            wanted.add(node)
    return wanted


def pulled_to(
    targets: Sequence[Node], cotangent: dict[Node, Any], order: Sequence[Node], wanted: set[Node], create_graph: bool
) -> list[Any]:
    """Return the gradient for each target, None where none arrives; arrays that share memory with nothing."""
    found = reverse_pass(order, cotangent, wanted, create_graph=create_graph, keep=frozenset(targets))
    given: set[int] = set()
    results: list[Any] = []
    for target in targets:
        g = found.get(target)
        results.append(g if g is None or (create_graph and isinstance(g, Node)) else _own(g, target, given))
    return results
