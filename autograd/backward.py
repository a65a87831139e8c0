"""`backward` and `gradients`: where a backward pass starts, and what becomes of its result."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import diagnostics, fast_floats
from .diagnostics import refuse_changed
from .graph import Node, topological_order
from .recording import callback, notify_write, with_graph, with_watch
from .reverse import owned, reverse_pass
from .rules import shape_of
from .runtime import reentrant_lock
from .typing import Cotangent

storing: Any = reentrant_lock()  # several threads may add to the gradient of one leaf


def seed_of(root: Node, gradient: Cotangent | None) -> Any:
    """Return the cotangent to start from at `root`."""
    shape = shape_of(root)
    if gradient is None:
        if shape is not None and root._value.size != 1:
            raise RuntimeError(
                f"backward() starts from a scalar such as a loss; this node has shape {shape}. Reduce it "
                "first (.sum() or .mean()), or pass gradient= with one value per element"
            )
        if shape is None:
            return 1.0
        seed = np.empty(shape, root._value.dtype)
        seed.fill(1.0)  # np.ones takes three times as long
        return seed
    if not isinstance(gradient, Node):
        gradient = float(gradient) if shape is None else np.array(gradient, dtype=root._value.dtype)
    if (found := shape_of(gradient)) != shape:
        raise ValueError(f"gradient= has shape {found}, but its node has shape {shape}; they must be equal")
    return gradient


def backward(root: Node, gradient: Cotangent | None = None, *, create_graph: bool = False) -> None:
    """Compute the gradient of `root` with respect to every variable it depends on, into their `.grad`.

    Parameters
    ----------
    root : Node
        A scalar loss, or any node if `gradient` is given.
    gradient : float, array_like or Node, optional
        The cotangent of `root`, of its shape; 1 by default.
    create_graph : bool
        Make the gradients nodes, so that they can be differentiated again.

    Raises
    ------
    RuntimeError
        If a `gradient` is needed, there is no variable, or an array was modified in place since; with `create_graph`
        also if a leaf was updated since.
    ValueError
        If `gradient` has another shape than `root`.

    Notes
    -----
    Leaves accumulate over calls, as in PyTorch; `zero_grad()` clears them.  Computed `Value`s show their latest
    gradient, computed `Tensor`s only after `retain_grad()`.  If the pass raises, no gradient has changed.
    With `create_graph` a leaf's `.grad` refers to a graph that refers to the leaf: a cycle, which the garbage
    collector or ``zero_grad()`` frees.  `gradients` makes none.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> backward(a * b + a)
    >>> a.grad, b.grad
    (-2.0, 2.0)
    """
    notify_write("calls backward()")
    diagnostics.require_node(root)
    diagnostics.require_variable(root)
    start = seed_of(root, gradient)
    if gradient is None:  # a loss, rather than one piece of a chain rule done by hand
        diagnostics.check_root(root)
    if type(start) is float and not create_graph and with_watch(None) is None:
        with storing:
            if fast_floats.backward(root, start):
                return
    order = topological_order(root, variables_only=True)
    refuse_changed(order, create_graph)
    found = reverse_pass(order, {root: start}, create_graph=create_graph)
    with storing:
        store(found, create_graph)


def store(found: dict[Node, Cotangent], keep_nodes: bool) -> None:
    """Write the gradients of a finished pass; all of them are prepared before the first is assigned."""
    given: set[int] = set()
    fresh: list[tuple[Node, Cotangent]] = []
    mixed: dict[Node, int] = {}  # leaves whose gradient dates from before their last update
    for node, g in found.items():
        if not keep_nodes:
            g = owned(g, node, given)
        if node.op is None and node._grad is not None:
            if times := diagnostics.accumulated(node):
                mixed[node] = times
            g = diagnostics.sum_of_gradients(node._grad, g)
        fresh.append((node, g))
    if late := [node for node, times in mixed.items() if times > 1]:
        diagnostics.advise_zero_grad(late)
    for node, g in fresh:  # nothing can fail from here on
        node._grad = g
        node.stamp = -id(node._value) if node in mixed else id(node._value)


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
        The cotangents of the outputs; needed where an output has several elements.
    create_graph : bool
        Make the gradients nodes, so that they can be differentiated again.
    allow_unused : bool
        Return None for an input on which the outputs do not depend, instead of raising.

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
    single = not isinstance(inputs, (list, tuple))
    targets: list[Any] = [inputs] if single else list(inputs)  # type: ignore[arg-type]
    if not isinstance(outputs, (list, tuple)):
        outputs, grad_outputs = [outputs], [grad_outputs]  # type: ignore[list-item]
    roots: list[Any] = list(outputs)
    seeds = list(grad_outputs or [None] * len(roots))
    if len(seeds) != len(roots):
        raise ValueError(f"there are {len(roots)} outputs but {len(seeds)} grad_outputs; give one per output")
    for node in (*roots, *targets):
        diagnostics.require_node(node)
    for root in roots:
        diagnostics.require_variable(root)
    order = topological_order(*roots, variables_only=True)
    refuse_changed(order, create_graph)
    cotangent = summed((root, seed_of(root, seed)) for root, seed in zip(roots, seeds, strict=True))
    found = pulled_to(targets, cotangent, order, between(order, targets), with_graph(create_graph))
    if not create_graph:  # nodes that `compile` records; no gradient flows through them
        found = [callback(lambda data: data, g) if isinstance(g, Node) else g for g in found]
    for i, (target, g) in enumerate(zip(targets, found, strict=True)):
        if g is None and not allow_unused:
            name = f" {target.name!r}" if target.name else ""
            why = "the outputs do not depend on it" if target._requires_grad else "it does not have requires_grad=True"
            raise ValueError(f"input {i}{name} has no gradient: {why}; pass allow_unused=True to get None for it")
    return found[0] if single else tuple(found)


def summed(cotangents: Iterable[tuple[Node, Cotangent]]) -> dict[Node, Cotangent]:
    """Return the sum of the cotangents of each node."""
    total: dict[Node, Cotangent] = {}
    for node, g in cotangents:
        total[node] = total[node] + g if node in total else g
    return total


def between(order: Sequence[Node], targets: Sequence[Node]) -> set[Node]:
    """Return the targets and the nodes of `order` that depend on them: those a cotangent must visit."""
    wanted = set(targets)
    for node in order:
        if not wanted.isdisjoint([a for a in node.args if isinstance(a, Node)]):
            wanted.add(node)
    return wanted


def pulled_to(
    targets: Sequence[Node], cotangent: dict[Node, Any], order: Sequence[Node], wanted: set[Node], create_graph: bool
) -> list[Any]:
    """Return the gradient for each target, None where none arrives; arrays that share memory with nothing."""
    found = reverse_pass(order, cotangent, wanted, create_graph=create_graph, keep=frozenset(targets))
    given: set[int] = set()
    arrived = [(found.get(target), target) for target in targets]
    return [g if g is None or create_graph else owned(g, target, given) for g, target in arrived]
