"""The chain rule: one loop from a result back to everything it was made from.

`reverse_pass` is the only place where cotangents are multiplied and added; `backward`, `gradients`, the
explanations and the transforms are ways to call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .elementwise import product_if_taken
from .graph import Node, refuse_modified, topological_order
from .rules import Elementwise, shape_of, summed_to

Visit = Callable[[Node, int, Any, Any, Any], None]


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
        Called as ``visit(node, i, g, share, total)`` for each edge from a node to its argument ``i``.

    Returns
    -------
    dict
        The cotangent of every leaf, `Value`, retained and kept node that was reached; others are dropped once used.
    """
    maskable: set[Node] = set()  # below a `where`: a zero cotangent there may mean "not taken"
    for node in reversed(order):
        op = node.op
        if node.hooks and node in cotangent:
            cotangent[node] = _after_hooks(node, cotangent[node])
        if op is None or node not in cotangent:
            continue
        g = cotangent[node] if node.retains_grad or node in keep else cotangent.pop(node)
        args = node.args
        y, inputs = (node, args) if create_graph else (node._data, node.raw)
        selects = op.selects or (node in maskable if maskable else False)
        for i, (arg, rule) in enumerate(zip(args, op.rules if op.each is None else op.rules_for(len(args)), strict=True)):
            if rule is None or not isinstance(arg, Node):
                continue
            if not arg._requires_grad if wanted is None else arg not in wanted:
                continue
            if selects:
                maskable.add(arg)
            if selects and isinstance(op, Elementwise):
                share = product_if_taken(g, op.partial(rule, y, inputs, node.params))
            else:
                share = op.pull(rule, g, y, inputs, node.params)
            share = summed_to(share, arg)
            if arg in cotangent:
                cotangent[arg] = cotangent[arg] + share
            else:
                cotangent[arg] = share
            if visit is not None:
                visit(node, i, g, share, cotangent[arg])
    return cotangent


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
    return g


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
        raise ValueError(f"gradient= has shape {found} but the node it belongs to has shape {shape}; they must be equal")
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

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> backward(a * b + a)
    >>> a.grad, b.grad
    (-2.0, 2.0)
    """
    _require_variable(root)
    order = topological_order(root, through=_is_variable)
    refuse_modified(order)
    found = reverse_pass(order, {root: _seed(root, gradient)}, create_graph=create_graph)
    _store(found, create_graph)


def _is_variable(node: Node) -> bool:
    return node._requires_grad


def _store(found: dict[Node, Any], keep_nodes: bool) -> None:
    """Write the gradients of a finished pass: all are prepared before the first is assigned."""
    stored: list[tuple[Node, Any]] = []
    given: set[int] = set()
    for node, g in found.items():
        fresh = g if keep_nodes and isinstance(g, Node) else _own(g, node, given)
        if node.op is None and node._grad is not node.no_gradient and not _is_zero(node._grad):
            fresh = node._grad + fresh
        stored.append((node, fresh))
    for node, fresh in stored:
        node._grad = fresh


def _is_zero(grad: Any) -> bool:
    return type(grad) is float and grad == 0.0


def _own(g: Any, node: Node, given: set[int]) -> Any:
    """Return `g` as an array of the leaf's dtype that shares memory with nothing."""
    if type(g) is float and node.no_gradient is not None:
        return g
    like = node._data
    if isinstance(g, Node):
        g = g._data
    if type(like) is float:
        return float(g)
    if type(g) is not np.ndarray or g.dtype != like.dtype or g.base is not None or g is like or id(g) in given:
        g = np.array(g, dtype=like.dtype)
    given.add(id(g))
    return g


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
    for root in roots:
        _require_variable(root)
    order = topological_order(*roots, through=_is_variable)
    refuse_modified(order)
    wanted = set(targets)
    for node in order:
        if node.op is not None and not wanted.isdisjoint([a for a in node.args if isinstance(a, Node)]):
            wanted.add(node)
    cotangent: dict[Node, Any] = {}
    for root, seed in zip(roots, seeds, strict=True):
        start = _seed(root, seed)
        cotangent[root] = cotangent[root] + start if root in cotangent else start
    found = reverse_pass(order, cotangent, wanted, create_graph=create_graph, keep=frozenset(targets))
    given: set[int] = set()
    results = tuple([_result(i, t, found.get(t), allow_unused, create_graph, given) for i, t in enumerate(targets)])
    return results[0] if single else results


def _result(i: int, target: Node, g: Any, allow_unused: bool, create_graph: bool, given: set[int]) -> Any:
    if g is None:
        if allow_unused:
            return None
        name = f" {target.name!r}" if target.name else ""
        why = "does not depend on it" if target._requires_grad else "it does not have requires_grad=True"
        raise ValueError(f"input {i}{name} has no gradient: {why}; pass allow_unused=True to get None for it")
    if isinstance(g, Node):
        return g if create_graph else _own(g._data, target, given)
    return _own(g, target, given)
