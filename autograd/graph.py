"""The graph: an operation, its arguments, and the numbers it saw.

A `Node` remembers which `Primitive` made it and from what.  Nothing here knows a derivative, an operator or
an array function: those stand on top (`rules`, `variables`), so that every import arrow points one way.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from .recording import Watch, current_mode, enable_grad, is_grad_enabled, no_grad, settled_mode

__all__ = [
    "KINDS",
    "GradientWarning",
    "Node",
    "Primitive",
    "Watch",
    "apply",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "notify_read",
    "notify_write",
    "record",
    "topological_order",
]

NO_PARAMS: Mapping[str, Any] = {}

# What forward of the operations may return, and the kind of node that holds it: (class, conversion or None).
# `variables` fills it in, which is how a result gets its class without the graph knowing `Value` or `Tensor`.
KINDS: dict[type, tuple[type[Node], Callable[[Any], Any] | None]] = {}


class GradientWarning(UserWarning):
    """Something about gradients that is probably a mistake; the standard filters silence it or make it an error.

    Examples
    --------
    >>> import warnings
    >>> from autograd import Value
    >>> with warnings.catch_warnings(record=True) as seen:
    ...     warnings.simplefilter("always")
    ...     (Value(-2.0) ** Value(2.0)).backward()
    >>> seen[0].category.__name__
    'GradientWarning'
    """


class Primitive:
    """An operation: how it computes, and one derivative rule per argument.

    Subclasses say how a rule turns the cotangent of the result into that of an argument (`pull`).
    """

    __slots__ = ("each", "forms", "forward", "is_binary", "name", "per_element", "rules", "selects", "symbol")

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        rules: tuple[Any, ...],
        *,
        symbol: str = "",
        each: Callable[[int], Any] | None = None,
        selects: bool = False,
        forms: Mapping[str, Any] = NO_PARAMS,
    ) -> None:
        self.name: str = name
        self.forward: Callable[..., Any] = forward
        self.rules: tuple[Any, ...] = rules
        self.symbol: str = symbol or name
        self.each: Callable[[int], Any] | None = each  # for a variadic operation: the rule of argument i
        self.forms: Mapping[str, Any] = forms  # other forms of the operation; see `rules.elementwise`
        self.is_binary: bool = False  # elementwise on exactly two operands, which the backward pass does without a loop
        self.per_element: bool = False  # each element of the result depends on the elements at its own place only
        self.selects: bool = selects  # an operation that may leave an argument untaken, as `where` does

    def rules_for(self, count: int) -> tuple[Any, ...]:
        """Return one rule per argument, also for an operation of any number of arguments."""
        return self.rules if self.each is None else tuple(self.each(i) for i in range(count))

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        """Return the share of the cotangent `g` of `y` that belongs to the argument `rule` stands for."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"the primitive {self.name!r} is code and is not pickled; import it instead")


class Node:
    """A number or array in a computation graph.

    Attributes
    ----------
    op : Primitive or None
        What made this node; None for a leaf.
    args : tuple
        What it was made from, in order: nodes, or constants as plain numbers and arrays.
    raw : tuple
        The numbers the operation saw, which stay as they were when a leaf is updated later.
    params : mapping
        Keyword parameters of the operation (an axis, a slope).
    name : str
        A label for pictures, explanations and messages.

    Examples
    --------
    >>> from autograd import Value
    >>> a = Value(3.0, name="a")
    >>> b = a * 2.0
    >>> b.op.name, b.args[0].name, b.raw
    ('multiply', 'a', (3.0, 2.0))
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_grad",
        "_inputs",
        "_requires_grad",
        "hooks",
        "name",
        "op",
        "params",
        "retains_grad",
        "stamp",
    )

    _data: Any
    _grad: Any
    _inputs: tuple[Any, ...]  # `args` and behind them `raw`: one tuple less for the garbage collector to look through
    _requires_grad: bool
    op: Primitive | None
    params: Mapping[str, Any]
    name: str
    hooks: tuple[Callable[[Any], Any], ...]

    retains_grad: bool  # whether `.grad` is kept on a computed node
    stamp: int  # of a leaf: which numbers it held when its `.grad` was last added to; see `tutor.accumulated`

    no_gradient: ClassVar[Any] = None  # what `.grad` holds before any backward
    always_retains: ClassVar[bool] = False

    @property
    def args(self) -> tuple[Any, ...]:
        """What the operation was given: nodes and constants."""
        return self._inputs[: len(self._inputs) // 2]

    @property
    def raw(self) -> tuple[Any, ...]:
        """The numbers it saw."""
        return self._inputs[len(self._inputs) // 2 :]

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this node."""
        return self._requires_grad

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this node."""
        return self.op is None


def make_leaf(node: Node, data: Any, requires_grad: bool, name: str) -> None:
    """Fill in a node that no operation made."""
    kind = type(node)
    node._data = data
    node._grad = kind.no_gradient
    node._requires_grad = requires_grad
    node.retains_grad = kind.always_retains
    node.stamp = 0
    node.op = None
    node._inputs = node.hooks = ()
    node.params = NO_PARAMS
    node.name = name


def record(op: Primitive, args: tuple[Any, ...], raw: tuple[Any, ...], params: Mapping[str, Any], data: Any) -> Node:
    """Return the node of `data = op(*raw, **params)`, remembering its arguments if gradients may pass."""
    try:
        kind, convert = KINDS[type(data)]
    except KeyError:
        raise _no_kind(op, data) from None
    node = object.__new__(kind)
    node._data = data if convert is None else convert(data)
    node._grad = kind.no_gradient
    node.retains_grad = kind.always_retains
    node.name = ""
    node.hooks = ()
    mode = current_mode() or settled_mode()
    everything = False
    if mode is not True and mode is not False:
        mode.on_record(op, args, raw, node)
        everything = mode.records_all
    if mode or everything:
        rules = op.rules
        requires, connected = False, everything
        for i, arg in enumerate(args):
            if isinstance(arg, Node):
                if arg._requires_grad:
                    connected = True
                    if rules[i] is not None if i < len(rules) else op.each is not None:
                        requires = True
                        break
                elif arg.op is not None:
                    connected = True
        if connected:
            node.op = op
            node._inputs = args + raw
            node.params = params
            node._requires_grad = requires and (not everything or bool(mode))
            return node
    node.op = None
    node._inputs = ()
    node.params = NO_PARAMS
    node._requires_grad = False
    node.stamp = 0
    return node


def notify_read(node: Node, how: str) -> None:
    """Tell who watches that numbers leave the graph."""
    mode = current_mode()
    if mode is not True and mode is not False:
        mode.on_read(node, how)


def notify_write(how: str) -> None:
    """Tell who watches that gradients held by leaves change."""
    mode = current_mode()
    if mode is not True and mode is not False:
        mode.on_write(how)


def _no_kind(op: Primitive, data: Any) -> TypeError:
    return TypeError(f"{op.name} made a {type(data).__name__}; an operation on nodes must return a float or an array")


def apply(op: Primitive, args: tuple[Any, ...], params: Mapping[str, Any] = NO_PARAMS) -> Any:
    """Compute `op` on floats, arrays and nodes; the result is a node if an argument is one.

    Examples
    --------
    >>> from autograd import PRIMITIVES, Value
    >>> apply(PRIMITIVES["multiply"], (2.0, 3.0))
    6.0
    >>> apply(PRIMITIVES["multiply"], (Value(2.0), 3.0)).data
    6.0
    """
    raw = tuple([arg._data if isinstance(arg, Node) else arg for arg in args])
    try:
        data = op.forward(*raw, **params) if params else op.forward(*raw)
    except (ValueError, TypeError, ArithmeticError, IndexError) as error:
        mode = current_mode()
        if isinstance(mode, Watch):
            mode.on_error(op, args, raw, error)
        raise explained(op, raw, error) from error
    for arg in args:
        if isinstance(arg, Node):
            return record(op, args, raw, params, data)
    return data


def explained(op: Primitive, raw: tuple[Any, ...], error: Exception) -> Exception:
    """Return `error` again with the operation and its arguments in the message."""
    seen = ", ".join(description(a) for a in raw)
    message = f"{op.name}({seen}): {error}"
    for kind in (np.exceptions.AxisError, ZeroDivisionError, OverflowError, FloatingPointError, IndexError, TypeError):
        if isinstance(error, kind):
            return kind(message)
    return ValueError(message)


def description(a: Any) -> str:
    """Return a number as itself and an array as its shape, for messages."""
    if isinstance(a, np.ndarray):
        return f"shape {a.shape}" if a.dtype != object else f"object array of shape {a.shape}"
    return repr(a) if isinstance(a, (float, int, slice, type(None), type(...))) else type(a).__name__


def topological_order(*roots: Node, variables_only: bool = False) -> list[Node]:
    """Return every node the roots depend on, each after all of its arguments.

    Parameters
    ----------
    *roots : Node
        Where to start; several roots share one sort.
    variables_only : bool
        Leave out nodes through which no gradient passes.

    Returns
    -------
    list of Node
        Arguments before users, in the order in which they were written.

    Notes
    -----
    A depth-first postorder with its own stack, so that a chain of a million nodes needs no recursion; each
    node and edge is looked at once (Knuth 1968, section 2.2.3; Tarjan 1976).

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(3.0, name="b")
    >>> c = a * b + a
    >>> [node.name or node.op.symbol for node in topological_order(c)]
    ['a', 'b', '*', '+']
    """
    order: list[Node] = []
    seen: set[Node] = set()
    open_nodes: list[Node] = []  # the path from the root to here, ...
    waiting: list[Iterator[Any]] = []  # ... and of each but the last the arguments that are still to be placed
    remaining: Iterator[Any] = iter(roots)
    while True:
        for arg in remaining:
            if isinstance(arg, Node) and arg not in seen and (arg._requires_grad or not variables_only):
                seen.add(arg)
                if arg.op is None:
                    order.append(arg)
                else:
                    open_nodes.append(arg)
                    waiting.append(remaining)
                    remaining = iter(arg._inputs)  # no node is among the numbers behind the arguments
                    break
        else:
            if not open_nodes:
                return order
            order.append(open_nodes.pop())
            remaining = waiting.pop()


class _Modified(Primitive):
    """What made a node whose numbers were replaced afterwards: its rules would look at the wrong result."""

    __slots__ = ()

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        raise RuntimeError(
            f"the result of {self.name} was modified between forward and backward (its `.data` was assigned), so its "
            "gradient would be wrong: use detach() for numbers of your own, or register_hook() to change a gradient"
        )


def give_other_data(node: Node, data: Any) -> None:
    """Let a computed node hold other numbers, and refuse derivatives that belonged to the old ones."""
    op = node.op
    assert op is not None
    node._data = data
    node.op = _Modified(op.name, op.forward, op.rules, symbol=op.symbol, each=op.each)


# Arrays that a graph may have recorded and that were then changed in place, by identity.  An array leaves when
# it is freed, so the table is empty in any loop that drops its old graphs.
_modified: dict[int, weakref.ref[np.ndarray[Any, Any]]] = {}


def mark_modified(array: np.ndarray[Any, Any]) -> None:
    """Remember that `array` no longer holds the numbers a graph may have recorded from it."""
    key = id(array)
    _modified[key] = weakref.ref(array, lambda _: _modified.pop(key, None))


def refuse_modified(nodes: Iterable[Node]) -> None:
    """Raise if an operation among `nodes` saw an array that has been changed in place since."""
    if not _modified:
        return
    changed = [array for ref in list(_modified.values()) if (array := ref()) is not None]
    for node in nodes:
        if node.op is None:
            continue
        for arg, seen in zip(node.args, node.raw, strict=True):
            if isinstance(seen, np.ndarray) and any(np.may_share_memory(seen, array) for array in changed):
                name = f" {arg.name!r}" if isinstance(arg, Node) and arg.name else ""
                raise RuntimeError(
                    f"the operand{name} of shape {seen.shape} of {node.op.name} was modified in place between forward "
                    "and backward, so its gradient would be wrong: call backward() before updating `.data`, or assign "
                    "a new array (`p.data = p.data - step`)"
                )
