"""`Value`: a float in a graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .diagnostics.messages import checked_flag, checked_name, refuse_recorded
from .graph import KINDS, NO_PARAMS, Node, Primitive, give_other_data, make_leaf, notify_read
from .operations import elementwise as ew
from .operations import trigonometry
from .recording import current_mode
from .rules import ONE, Operation
from .variable import Variable

new: Callable[..., Any] = object.__new__


def _of_one_float(function: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the operation as a method of `Value`, with a short way for the plain case of one float."""
    op: Primitive = function.primitive  # type: ignore[attr-defined]
    forward, rule = op.forward, op.rules[0]

    def method(self: Value) -> Any:
        x = self._data
        try:
            data = forward(x)
        except (ValueError, ArithmeticError):
            return function(self)  # the same again, with an error that says what happened
        if type(data) is not float or rule is None or not self._requires_grad:
            return function(self)
        if (mode := current_mode()) is not True and not (mode and mode.allows_fast_floats):
            return function(self)
        node = new(Value)
        node._data = data
        node._grad = 0.0
        node._requires_grad = node.retains_grad = True
        node.op = op
        node._inputs = (self, x)
        node.params = NO_PARAMS
        node.hooks = ()
        node.name = ""
        return node

    return functools.update_wrapper(method, function)


def _of_two_floats(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Return the operation as an operator of `Value`, with a short way for two floats."""
    op: Primitive = function.primitive  # type: ignore[attr-defined]
    forward = op.forward

    def operator(self: Value, other: Any) -> Any:
        kind = type(other)
        if kind is Value and other._requires_grad:
            y = other._data
        elif kind is float or kind is int:
            y = other
        else:
            return function(self, other)
        x = self._data
        try:
            data = forward(x, y)
        except (ValueError, ArithmeticError):
            return function(self, other)  # the same again, with an error that says what happened
        if not self._requires_grad or ((mode := current_mode()) is not True and not (mode and mode.allows_fast_floats)):
            return function(self, other)
        node = new(Value)
        node._data = data
        node._grad = 0.0
        node._requires_grad = node.retains_grad = True
        node.op = op
        node._inputs = (self, other, x, y)
        node.params = NO_PARAMS
        node.hooks = ()
        node.name = ""
        return node

    return functools.update_wrapper(operator, function)


class Value(Variable):
    """A number in a computation graph, held as a Python float.

    Parameters
    ----------
    data : float
        The number.
    name : str, optional
        How pictures and explanations call it; `label` is accepted for it, as in micrograd.
    requires_grad : bool
        Whether gradients flow to it.

    Attributes
    ----------
    data : float
        The number; assignable.
    grad : float
        The derivative of the last `backward()` root with respect to this number; 0.0 at the start, and again
        when None is assigned.  A leaf accumulates over calls, a computed value shows the latest.

    Raises
    ------
    TypeError
        If `data` is not a number, two different names are given, or the children and the operation of
        micrograd's own constructor, which records a graph by hand.

    Examples
    --------
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> y = (a * b + 10.0).tanh()
    >>> y.backward()
    >>> y, round(a.grad, 4)
    (Value(data=0.999329299739067, grad=1.0), -0.004)
    """

    __slots__ = ()

    no_gradient: ClassVar[Any] = 0.0
    always_retains: ClassVar[bool] = True

    __add__: Operation = _of_two_floats(ew.add)
    __sub__: Operation = _of_two_floats(ew.subtract)
    __mul__: Operation = _of_two_floats(ew.multiply)
    __truediv__: Operation = _of_two_floats(ew.divide)

    exp: Operation = _of_one_float(ew.exp)
    log: Operation = _of_one_float(ew.log)
    tanh: Operation = _of_one_float(trigonometry.tanh)
    sigmoid: Operation = _of_one_float(ew.sigmoid)
    relu: Operation = _of_one_float(ew.relu)

    def __init__(
        self,
        data: Any,
        name: str = "",
        _op: str = "",
        *,
        _children: Any = (),
        label: str = "",
        requires_grad: bool = True,
    ) -> None:
        if _op or _children or label or type(name) is not str:
            name = _one_name(name, label, _children, _op)
        make_leaf(self, _as_float(data), requires_grad is True or checked_flag(requires_grad), name)

    @property
    def data(self) -> float:
        """The number."""
        notify_read(self, "the data")
        return self._data  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: Any) -> None:
        number = value if type(value) is float else _as_float(value)
        if self.op is None:
            self._data = number
        else:
            give_other_data(self, number)

    def _checked_grad(self, value: Any) -> Any:
        return value if isinstance(value, Node) else _as_float(value)

    def retain_grad(self) -> None:
        """Do nothing: a computed `Value` always shows its gradient."""

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the number as a 0-d array."""
        notify_read(self, "numpy()")
        return np.array(self._data)

    def _backward(self) -> None:
        """Add this node's local contribution to the gradients of its arguments: micrograd's manual step."""
        if self.op is None:
            return
        for arg, rule in zip(self.args, self.op.rules_for(len(self.args)), strict=True):
            if isinstance(arg, Node) and rule is not None:
                g = self._grad
                share = g if rule is ONE else self.op.pull(rule, g, self._data, self.raw, self.params)
                arg._grad = share if arg._grad is None else arg._grad + share

    def __repr__(self) -> str:
        grad = self._grad._data if isinstance(self._grad, Node) else self._grad
        name = f", name={self.name!r}" if self.name else ""
        return f"Value(data={self._data!r}, grad={grad!r}{name})"


def _one_name(name: Any, label: Any, children: Any, op: Any) -> str:
    if op or children or isinstance(name, (tuple, set)):
        refuse_recorded(children or name, op)
    name, label = checked_name(name), checked_name(label)
    if name and label and name != label:
        raise TypeError(f"name={name!r} and label={label!r} mean the same; give one of them")
    return name or label  # type: ignore[no-any-return]


def _as_float(data: Any) -> float:
    if isinstance(data, Node):
        raise TypeError("a Value holds a number, not a node; use the node itself, or its .item()")
    if isinstance(data, (str, bytes)):
        raise TypeError(f"a Value holds a number, not {data!r}")
    try:
        return float(data)
    except (TypeError, ValueError):
        raise TypeError(f"a Value holds one number, not {data!r:.60} ({type(data).__name__})") from None


KINDS.update({float: (Value, None), int: (Value, float), bool: (Value, float)})
