"""The graph: nodes, and the operations that made them.

A `Node` holds a value and remembers the `Primitive` that computed it, the operands, and the values the operands had.
This module defines no derivative, no operator and no array function; `rules`, `reverse` and `variable` add those, so
that imports point in one direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from .messages import with_operation
from .recording import Watch, current_mode, settled_mode

__all__ = ["KINDS", "Node", "Primitive", "apply", "make_leaf", "notify_read", "notify_write", "record",
           "topological_order"]  # fmt: skip

T = TypeVar("T")
Hook = Callable[[Any], Any]

NO_PARAMS: Mapping[str, Any] = {}

# The class of node that holds a result of each type, and how the result is converted first (None: not at all).
# `value` and `tensor` fill it in, which is how results get their class without an import from here.
KINDS: dict[type, tuple[type[Node], Callable[[Any], Any] | None]] = {}


class Primitive:
    """An operation: how it computes its value, and one derivative rule per operand.

    Attributes
    ----------
    name, symbol : str
        The name of the operation, and how pictures and formulas show it.
    forward : callable
        Computes floats and arrays from floats and arrays.
    rules : tuple
        One rule per operand; None where no gradient passes.
    each : callable or None
        For an operation of any number of operands: ``each(i)`` is the rule of operand ``i``.
    forms : mapping
        Other forms of the operation, such as its ONNX operator; see `rules.elementwise`.
    selects : bool
        Whether elements of an operand may be left out, as by `where`.
    per_element : bool
        Whether each element of the result depends only on the elements at the same position.
    partials : tuple or None
        The rules of an elementwise operation of one or two operands; see `fast_floats`.
    """

    __slots__ = ("each", "forms", "forward", "name", "partials", "per_element", "rules", "selects", "symbol")

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
        self.each: Callable[[int], Any] | None = each
        self.forms: Mapping[str, Any] = forms
        self.partials: tuple[Any, ...] | None = None
        self.per_element: bool = False
        self.selects: bool = selects

    def rules_for(self, count: int) -> tuple[Any, ...]:
        """Return one rule for each of `count` operands."""
        return self.rules if self.each is None else tuple(map(self.each, range(count)))

    def pull(self, rule: Any, g: Any, y: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Any:
        """Return the share of the cotangent `g` of the result `y` that `rule` assigns to its operand."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"the primitive {self.name!r} is code and cannot be pickled; import it instead")


class Notes:
    """The attributes that few nodes have; all other nodes of a class share one instance."""

    __slots__ = ("hooks", "name", "retains_grad")

    def __init__(self, name: str = "", hooks: tuple[Hook, ...] = (), retains_grad: bool = False) -> None:
        self.name: str = name
        self.hooks: tuple[Hook, ...] = hooks
        self.retains_grad: bool = retains_grad


class _Note(Generic[T]):
    """An attribute of a node that is kept in its notes, which are copied when it is set."""

    def __set_name__(self, owner: type[Node], name: str) -> None:
        self.name: str = name

    def __get__(self, node: Node, owner: type[Node]) -> T:
        return getattr(node.notes, self.name)  # type: ignore[no-any-return]

    def __set__(self, node: Node, value: T) -> None:
        held = {name: getattr(node.notes, name) for name in Notes.__slots__}
        node.notes = Notes(**{**held, self.name: value})


TUPLES, NOTHING = object(), object()


class Node:
    """A float or an array in a computation graph.

    Attributes
    ----------
    op : Primitive or None
        The operation that computed this node; None for a leaf.
    args : tuple
        Its operands in order: nodes and constants.
    raw : tuple
        The values of the operands at the time of the operation, which a later update of a leaf does not change.
    params : mapping
        The keyword parameters of the operation, such as an axis.
    name : str
        A label for pictures, explanations and messages.
    hooks : tuple of callable
        Functions called with the complete cotangent of this node in a backward pass.
    retains_grad : bool
        Whether `.grad` is kept although an operation computed this node.

    Examples
    --------
    >>> from autograd import Value
    >>> a = Value(3.0, name="a")
    >>> b = a * 2.0
    >>> b.op.name, b.args[0].name, b.raw
    ('multiply', 'a', (3.0, 2.0))
    """

    # Operands, their values and parameters are kept in one of three ways, told apart by `_y`:
    #   by `record`:                      _x = args,  _y = TUPLES,   _a = raw,    _b = params
    #   by `fast_floats`, one operand:    _x = arg,   _y = NOTHING,  _a = value,  _b = params
    #   by `fast_floats`, two operands:   _x, _y = args,             _a, _b = values
    __slots__ = ("__weakref__", "_a", "_b", "_data", "_grad", "_requires_grad", "_x", "_y", "notes", "op", "stamp")

    _data: Any
    _grad: Any
    _requires_grad: bool
    _x: Any
    _y: Any
    _a: Any
    _b: Any
    op: Primitive | None
    notes: Notes
    stamp: int  # of a leaf: the identity of its data when a gradient was last stored; see `diagnostics.mistakes`

    no_gradient: ClassVar[Any] = None  # the value of `.grad` before any backward pass
    plain: ClassVar[Notes] = Notes()  # the notes of a node that has none of its own

    name: _Note[str] = _Note()
    hooks: _Note[tuple[Hook, ...]] = _Note()
    retains_grad: _Note[bool] = _Note()

    @property
    def args(self) -> tuple[Any, ...]:
        """The operands in order: nodes and constants."""
        if self._y is TUPLES:
            return self._x  # type: ignore[no-any-return]
        return (self._x,) if self._y is NOTHING else (self._x, self._y)

    @property
    def raw(self) -> tuple[Any, ...]:
        """The values of the operands at the time of the operation."""
        if self._y is TUPLES:
            return self._a  # type: ignore[no-any-return]
        return (self._a,) if self._y is NOTHING else (self._a, self._b)

    @property
    def params(self) -> Mapping[str, Any]:
        """The keyword parameters of the operation."""
        return self._b if self._y is TUPLES or self._y is NOTHING else NO_PARAMS

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this node."""
        return self._requires_grad

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation computed this node."""
        return self.op is None


def make_leaf(node: Node, data: Any, requires_grad: bool, name: str = "") -> None:
    """Initialise a node that no operation computed."""
    kind = type(node)
    node._data = data
    node._grad = kind.no_gradient
    node._requires_grad = requires_grad
    node.notes = kind.plain if not name else Notes(name, (), kind.plain.retains_grad)
    _forget_operation(node)


def _forget_operation(node: Node) -> None:
    node.op = None
    node._x = node._a = ()
    node._y, node._b = TUPLES, NO_PARAMS
    node.stamp = 0


def set_operation(node: Node, op: Primitive, args: tuple[Any, ...], raw: tuple[Any, ...], params: Any) -> None:
    """Let a node refer to the operation that computed it."""
    node.op = op
    node._x, node._y, node._a, node._b = args, TUPLES, raw, params


def record(op: Primitive, args: tuple[Any, ...], raw: tuple[Any, ...], params: Mapping[str, Any], data: Any) -> Node:
    """Return the node of ``data = op(*raw, **params)``, with its operands if a gradient can pass through it."""
    try:
        kind, convert = KINDS[type(data)]
    except KeyError:
        raise TypeError(
            f"{op.name} returned a {type(data).__name__}; an operation on nodes must return a float or an array"
        ) from None
    node = object.__new__(kind)
    node._data = data if convert is None else convert(data)
    node._grad = kind.no_gradient
    node.notes = kind.plain
    mode = current_mode() or settled_mode()
    records_all = False
    if mode is not True and mode is not False:
        mode.on_record(op, args, raw, node)
        records_all = mode.records_all
    connected, requires = records_all, False
    if mode or records_all:
        for i, arg in enumerate(args):
            if isinstance(arg, Node) and (arg._requires_grad or arg.op is not None):
                connected = True
                if arg._requires_grad and (op.rules[i] if i < len(op.rules) else op.each) is not None:
                    requires = bool(mode)
                    break
    node._requires_grad = requires
    if connected:
        set_operation(node, op, args, raw, params)
    else:
        _forget_operation(node)
    return node


def apply(op: Primitive, args: tuple[Any, ...], params: Mapping[str, Any] = NO_PARAMS) -> Any:
    """Compute `op` on floats, arrays and nodes; the result is a node if an operand is one.

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
        raise with_operation(op, raw, error) from error
    for arg in args:
        if isinstance(arg, Node):
            return record(op, args, raw, params, data)
    return data


def notify_read(node: Node, how: str) -> None:
    """Notify the watcher of this thread that the value of a node was read."""
    mode = current_mode()
    if mode is not True and mode is not False:
        mode.on_read(node, how)


def notify_write(how: str) -> None:
    """Notify the watcher of this thread that gradients of leaves change."""
    mode = current_mode()
    if mode is not True and mode is not False:
        mode.on_write(how)


def topological_order(*roots: Node, variables_only: bool = False) -> list[Node]:
    """Return every node the roots depend on, each after all of its operands.

    Parameters
    ----------
    *roots : Node
        Where to start; several roots share one sort.
    variables_only : bool
        Leave out nodes through which no gradient passes.

    Returns
    -------
    list of Node
        Operands before results, in the order of the formula.

    Notes
    -----
    A depth-first postorder with an explicit stack, so that a chain of a million nodes needs no recursion; each node
    and edge is visited once (Knuth 1968, section 2.2.3; Tarjan 1976).

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
    path: list[Node] = []  # from the root to the current node, ...
    waiting: list[Iterator[Any]] = []  # ... and for each node above it the operands that are not placed yet
    remaining: Iterator[Any] = iter(roots)
    while True:
        for arg in remaining:
            if isinstance(arg, Node) and arg not in seen and (arg._requires_grad or not variables_only):
                seen.add(arg)
                if arg.op is None:
                    order.append(arg)
                else:
                    path.append(arg)
                    waiting.append(remaining)
                    remaining = iter(arg.args)
                    break
        else:
            if not path:
                return order
            order.append(path.pop())
            remaining = waiting.pop()
