"""The engine again for graphs of floats: a second way to make nodes and to apply the chain rule, for speed only.

A graph of `Value`s has tens of thousands of nodes, and Python's calls and tuples are what it costs.  `install` gives
`Value` operators that write two operands into the slots of the node instead of calling `graph.record`, and `backward`
adds shares to `.grad` directly instead of to a dictionary.  Whatever is not a plain float goes the general way, and
both ways give the same result bit for bit.
"""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from . import operations as ops
from .graph import NO_PARAMS, NOTHING, TUPLES, Node, Primitive
from .recording import Watch, current_mode
from .rules import ONE, PRIMITIVES

Function = Callable[..., Any]

# The operators and methods that have a fast version, and the functions that compute floats in it: those of Python where
# `forward` calls them anyway.
OPERATORS: dict[str, tuple[Function, Function]] = {
    "add": (ops.add, operator.add),
    "sub": (ops.subtract, operator.sub),
    "mul": (ops.multiply, operator.mul),
    "truediv": (ops.divide, operator.truediv),
    "pow": (ops.power, PRIMITIVES["power"].forward),
}
METHODS: dict[str, tuple[Function, Function]] = {
    "__neg__": (ops.negative, operator.neg),
    "exp": (ops.exp, math.exp),
    "log": (ops.log, math.log),
    "sqrt": (ops.sqrt, math.sqrt),
    "tanh": (ops.tanh, math.tanh),
    "sigmoid": (ops.sigmoid, PRIMITIVES["sigmoid"].forward),
    "relu": (ops.relu, lambda x: 0.0 if x < 0.0 else x),  # nan stays nan, and -0.0 stays -0.0
}


def install(kind: type[Any]) -> None:
    """Give a class of nodes that hold floats the fast operators and methods."""
    for name, (function, compute) in OPERATORS.items():
        setattr(kind, f"__{name}__", _operator(kind, function, compute))
        setattr(kind, f"__r{name}__", _reflected_operator(kind, function, compute))
    for method, (function, compute) in METHODS.items():
        setattr(kind, method, _method(kind, function, compute))


def _operator(kind: type[Any], function: Function, compute: Function) -> Callable[[Any, Any], Any]:
    """Return an operation of two floats as an operator."""
    op, new, plain = PRIMITIVES[function.__name__], object.__new__, kind.plain

    def apply(self: Any, other: Any) -> Any:
        if type(other) is kind:
            y = other._value
        elif type(other) is float or type(other) is int:
            y = other
        else:
            return function(self, other)
        x = self._value
        try:
            data = compute(x, y)
        except (ValueError, ArithmeticError):
            return function(self, other)  # the same again, with an error that names the operation
        mode = current_mode()
        notes = plain if mode is True else _notes(mode)
        if notes is None or not self._requires_grad:
            return function(self, other)
        node: Any = new(kind)  # as in `_maker`, since a call costs a third of this
        node._value = data
        node._grad = 0.0
        node._requires_grad = True
        node.notes = notes
        node.op = op
        node._x = self
        node._y = other
        node._a = x
        node._b = y
        return node

    return functools.update_wrapper(apply, function)


def _reflected_operator(kind: type[Any], function: Function, compute: Function) -> Callable[[Any, Any], Any]:
    """Return an operation of a constant and a float as an operator of the second operand."""
    make = _maker(kind, PRIMITIVES[function.__name__])

    def apply(self: Any, other: Any) -> Any:
        if type(other) is not float and type(other) is not int:
            return function(other, self)
        y = self._value
        try:
            node = make(compute(other, y), self, other, self, other, y)
        except (ValueError, ArithmeticError):
            node = None
        return function(other, self) if node is None else node

    return functools.update_wrapper(apply, function)


def _method(kind: type[Any], function: Function, compute: Function) -> Callable[[Any], Any]:
    """Return an operation of one float as a method."""
    make = _maker(kind, PRIMITIVES[function.__name__])

    def apply(self: Any) -> Any:
        x = self._value
        try:
            node = make(compute(x), self, self, NOTHING, x, NO_PARAMS)
        except (ValueError, ArithmeticError):
            node = None
        return function(self) if node is None else node

    return functools.update_wrapper(apply, function)


def _notes(mode: bool | Watch) -> Any:
    """Return the notes of a new node while a watcher records operations; None if it must be notified of the node."""
    return mode.float_notes if isinstance(mode, Watch) and mode else None


def _maker(kind: type[Any], op: Primitive) -> Callable[..., Any]:
    """Return a function that makes a node of `op` from its value, its operands and their values, or returns None."""
    new, plain = object.__new__, kind.plain

    def make(data: float, variable: Any, x: Any, y: Any, a: float, b: Any) -> Any:
        mode = current_mode()
        notes = plain if mode is True else _notes(mode)
        if notes is None or not variable._requires_grad:
            return None
        node: Any = new(kind)
        node._value = data
        node._grad = 0.0
        node._requires_grad = True
        node.notes = notes
        node.op = op
        node._x = x
        node._y = y
        node._a = a
        node._b = b
        return node

    return make


def backward(root: Node, seed: float) -> bool:
    """Add the gradient of `root` to the `.grad` of all nodes below it, if all of them are plain floats.

    Returns False, with no gradient changed, if `reverse.reverse_pass` must do it: below a `where`, with hooks, for
    leaves that have a gradient already, and where a partial derivative raises.
    """
    # The gradient of a node before any share arrives, recognised by identity: adding to -0.0 changes no bit.  Each pass
    # has its own, so that a mark left behind by a second Ctrl-C has no meaning for the next pass.
    unreached = float("-0.0")
    order: list[Any] = []
    found: list[Any] = []
    before: list[Any] = []
    done = False
    try:
        if root.op is not None and _sort(root, order, found, before, unreached):
            root._grad = seed
            _apply_chain_rule(order, type(root))
            for leaf in found:
                if leaf.op is None:
                    leaf._grad += 0.0  # -0.0 becomes 0.0, as where a gradient is added to 0.0
                    leaf.stamp = id(leaf._value)
            done = True
    except (ValueError, ArithmeticError):  # the general way has values for derivatives that Python refuses
        pass
    finally:
        if not done:
            for node, grad in zip(found, before, strict=False):
                node._grad = grad
    return done


def _sort(root: Any, order: list[Any], found: list[Any], before: list[Any], unreached: float) -> bool:
    """Fill `order` with the computed nodes as `topological_order` does, and mark all nodes as unreached.

    `found` and `before` get every node with its gradient until now.
    """
    kind: type[Any] = type(root)
    plain = kind.plain
    path: list[Any] = []  # the nodes above the current one, each behind what is left of its operands
    push, pop, place, find, keep = path.append, path.pop, order.append, found.append, before.append
    node, operand, rest = None, root, NOTHING
    while True:
        if (type(operand) is kind or isinstance(operand, kind)) and operand._grad is not unreached:
            if (operand.notes is not plain or operand._y is TUPLES) and not _is_plain(operand):
                return False
            keep(operand._grad)
            find(operand)
            operand._grad = unreached
            if operand.op is not None:
                push(rest)
                push(node)
                node, operand, rest = operand, operand._x, operand._y
                continue
        while rest is NOTHING:
            place(node)
            node = pop()
            rest = pop()
            if node is None:
                return True
        operand, rest = rest, NOTHING


def _is_plain(node: Any) -> bool:
    """Return whether the chain rule for floats applies to a node; operands in tuples are moved to its slots."""
    if not node._requires_grad or node.notes.hooks:
        return False
    if node.op is None:
        return type(node._grad) is float and node._grad == 0.0
    if node.op.partials is None or not node.notes.retains_grad:
        return False
    if node._y is TUPLES:
        if len(node._x) == 1:
            (node._x,), (node._a,), node._y = node._x, node._a, NOTHING
        else:
            (node._x, node._y), (node._a, node._b) = node._x, node._a
    return True


def _apply_chain_rule(order: list[Any], kind: type[Any]) -> None:
    """Add the share of each node to the gradients of its operands, results before operands."""
    no_params, nothing, one = NO_PARAMS, NOTHING, ONE
    for node in reversed(order):
        g, x, y = node._grad, node._x, node._y
        if y is nothing:
            (rule,) = node.op.partials
            if rule is one:
                x._grad += g
            elif node._b is no_params:
                x._grad += g * rule(node._value, node._a)
            else:
                x._grad += g * rule(node._value, node._a, **node._b)
        else:
            rule_x, rule_y = node.op.partials
            if type(x) is kind or isinstance(x, kind):
                x._grad += g if rule_x is one else g * rule_x(node._value, node._a, node._b)
            if type(y) is kind or isinstance(y, kind):
                y._grad += g if rule_y is one else g * rule_y(node._value, node._a, node._b)
