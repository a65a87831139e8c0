"""The graph: nodes, and the operations that made them.

A `Node` holds a value and remembers the `Primitive` that computed it, the operands, and the values the operands had.
Derivatives, operators and array functions are added by modules that import this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from .messages import with_operation
from .recording import current_mode, settled_mode
from .typing import Cotangent, Data, Operands, Operation, Params

T = TypeVar("T")
Each = Callable[[int], Any] | None

NO_PARAMS: Params = {}

# The class of node that holds a result of each type, and how the result is converted first (None: not at all).
# `value` and `tensor` fill it in, which is how results get their class without an import from here.
KINDS: dict[type, tuple[type[Node], Callable[[Any], Any] | None]] = {}


@dataclass(slots=True, eq=False, repr=False)
class Primitive:
    """An operation: how it computes its value, and one derivative rule per operand."""

    name: str
    forward: Operation  # of floats and arrays
    rules: tuple[Any, ...]  # one per operand; None where no gradient passes
    _: KW_ONLY
    symbol: str = ""  # in pictures and formulas; the name by default
    each: Each = None  # for any number of operands: the rule of operand i
    forms: Mapping[str, Any] = field(default_factory=dict)  # see `autograd.extend`
    selects: bool = False  # a mask may leave out elements of an operand, as in `where`
    per_element: bool = False  # an element of the result depends on elements at its own position only
    partials: tuple[Any, ...] | None = None  # the rules of an elementwise operation, for `fast_floats`

    def __post_init__(self) -> None:
        self.symbol = self.symbol or self.name

    def rules_for(self, count: int) -> tuple[Any, ...]:
        """Return one rule for each of `count` operands."""
        return self.rules if self.each is None else tuple(map(self.each, range(count)))

    def pull(self, rule: Any, g: Cotangent, y: Data, inputs: Operands, params: Params) -> Cotangent:
        """Return the share of the cotangent `g` of the result `y` that `rule` assigns to its operand."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"the primitive {self.name!r} is code and cannot be pickled; import it instead")


class Notes(NamedTuple):
    """The attributes that few nodes have; the other nodes of a class share one instance."""

    name: str = ""
    hooks: tuple[Callable[[Any], Any], ...] = ()
    retains_grad: bool = False
    recording: object = None  # by `compile`, in which a `Value` was computed


class _Note(Generic[T]):
    """An attribute of a node that is kept in its notes, which are replaced when it is set."""

    def __set_name__(self, owner: type[Node], name: str) -> None:
        self.name: str = name

    def __get__(self, node: Node | None, owner: type[Node]) -> T:
        return getattr(owner.plain if node is None else node.notes, self.name)  # type: ignore[no-any-return]

    def __set__(self, node: Node, value: T) -> None:
        changed: dict[str, Any] = {self.name: value}
        node.notes = node.notes._replace(**changed)
        CHANGED[0] = object()


TUPLES, NOTHING = object(), object()
CHANGED: list[object] = [object()]  # another object after each assignment to data, hooks or requires_grad


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
        A label.

    Examples
    --------
    >>> from autograd import Value
    >>> a = Value(3.0, name="a")
    >>> b = a * 2.0
    >>> b.op.name, b.args[0].name, b.raw
    ('multiply', 'a', (3.0, 2.0))
    """

    # Operands, their values and parameters are kept in one of three ways, told apart by `_y`.  `record` makes the
    # first; `fast_floats` makes the others, and converts nodes of the first kind to them when it walks a graph:
    #   any number of operands:   _x = args,  _y = TUPLES,   _a = raw,    _b = params
    #   one float:                _x = arg,   _y = NOTHING,  _a = value,  _b = params
    #   two floats:               _x, _y = args,             _a, _b = values
    __slots__ = ("__weakref__", "_a", "_b", "_grad", "_requires_grad", "_value", "_x", "_y", "notes", "op", "stamp")

    _value: Data
    _grad: Cotangent
    _requires_grad: bool
    _x: Any
    _y: Any
    _a: Any
    _b: Any
    op: Primitive | None
    notes: Notes
    stamp: int  # of a leaf: the identity of its data when a gradient was last stored; see `diagnostics`

    no_gradient: ClassVar[Any] = None  # the value of `.grad` before any backward pass
    plain: ClassVar[Notes] = Notes()  # the notes of a node that has none of its own

    name: _Note[str] = _Note()
    hooks: _Note[tuple[Callable[[Any], Any], ...]] = _Note()  # called with the complete cotangent in a backward pass
    retains_grad: _Note[bool] = _Note()  # whether `.grad` is kept although the node was computed

    @property
    def args(self) -> Operands:
        """The operands."""
        if self._y is TUPLES:
            return self._x  # type: ignore[no-any-return]
        return (self._x,) if self._y is NOTHING else (self._x, self._y)

    @property
    def raw(self) -> tuple[Data, ...]:
        """The recorded values of the operands."""
        if self._y is TUPLES:
            return self._a  # type: ignore[no-any-return]
        return (self._a,) if self._y is NOTHING else (self._a, self._b)

    @property
    def params(self) -> Params:
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


def make_leaf(node: Node, data: Data, requires_grad: bool, name: str = "") -> None:
    """Initialise a node that no operation computed."""
    kind = type(node)
    node._value = data
    node._grad = kind.no_gradient
    node._requires_grad = requires_grad
    node.notes = kind.plain._replace(name=name) if name else kind.plain
    set_operation(node, None)
    node.stamp = 0


def set_operation(
    node: Node, op: Primitive | None, args: Operands = (), raw: tuple[Data, ...] = (), params: Any = NO_PARAMS
) -> None:
    """Let a node refer to the operation that computed it, or to none."""
    node.op = op
    node._x, node._y, node._a, node._b = args, TUPLES, raw, params


def record(op: Primitive, args: Operands, raw: tuple[Data, ...], params: Params, data: Data) -> Node:
    """Return the node of ``data = op(*raw, **params)``, with its operands if a gradient can pass through it."""
    try:
        kind, convert = KINDS[type(data)]
    except KeyError:
        raise TypeError(
            f"{op.name} returned a {type(data).__name__}; an operation on nodes must return a float or an array"
        ) from None
    node = object.__new__(kind)
    node._value = data if convert is None else convert(data)
    node._grad = kind.no_gradient
    node.notes = kind.plain
    mode = current_mode() or settled_mode()
    records_all = False
    if mode is not True and mode is not False:
        mode.on_record(op, args, raw, node)
        records_all = mode.records_all
    connected, requires = records_all, False
    if mode:
        for i, arg in enumerate(args):
            if isinstance(arg, Node) and (arg._requires_grad or arg.op is not None):
                connected = True
                if arg._requires_grad and (op.rules[i] if i < len(op.rules) else op.each) is not None:
                    requires = True
                    break
    node._requires_grad = requires
    if connected:  # as `set_operation`, without the call
        node.op = op
        node._x, node._y, node._a, node._b = args, TUPLES, raw, params
    else:
        set_operation(node, None)
        node.stamp = 0
    return node


def apply(op: Primitive, args: Operands, params: Params = NO_PARAMS) -> Any:
    """Compute `op` on floats, arrays and nodes; the result is a node if an operand is one.

    Examples
    --------
    >>> from autograd import PRIMITIVES, Value
    >>> apply(PRIMITIVES["multiply"], (2.0, 3.0))
    6.0
    >>> apply(PRIMITIVES["multiply"], (Value(2.0), 3.0)).data
    6.0
    """
    raw = tuple([arg._value if isinstance(arg, Node) else arg for arg in args])
    try:
        data = op.forward(*raw, **params) if params else op.forward(*raw)
    except (ValueError, TypeError, ArithmeticError, IndexError) as error:
        data = in_ieee_arithmetic(op, raw, params, error)
    for arg in args:
        if isinstance(arg, Node):
            return record(op, args, raw, params, data)
    return data


def in_ieee_arithmetic(op: Primitive, raw: Operands, params: Params, error: Exception) -> float:
    """Return inf or nan with NumPy's warning, as for arrays, where Python refuses floats; else raise, naming `op`."""
    of_floats = op.per_element and {float, int, bool}.issuperset(map(type, raw))
    if of_floats and isinstance(error, (ValueError, ArithmeticError)):
        try:
            return float_of_arrays(op.forward, raw, params)
        except (ValueError, TypeError, ArithmeticError) as again:
            error = again if isinstance(again, FloatingPointError) else error  # np.errstate refuses it
    raise with_operation(op, raw, params, error) from error


def float_of_arrays(function: Operation, values: Operands, params: Params) -> float:
    """Return the value of an elementwise function at floats, computed from arrays of one element."""
    return float(np.ravel(function(*[np.array([value], float) for value in values], **params))[0])


def topological_order(*roots: Node, variables_only: bool = False) -> list[Node]:
    """Return every node the roots depend on, each after all of its operands.

    A depth-first postorder with an explicit stack, so that a chain of a million nodes needs no recursion; each node
    and edge is visited once (Knuth 1968, section 2.2.3; Tarjan 1976).

    Parameters
    ----------
    *roots : Node
        Where to start; several roots share one sort.
    variables_only : bool
        Leave out nodes through which no gradient passes.

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
