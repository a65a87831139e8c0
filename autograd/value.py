"""`Value`: a float in a computation graph."""

from typing import Any, ClassVar

import numpy as np

from . import fast_floats
from .diagnostics import replace_data
from .graph import KINDS, Node, Notes, make_leaf
from .messages import checked_flag, checked_name
from .recording import current_mode, notify_read
from .reverse import share_of
from .variable import Variable


class Value(Variable):
    """A scalar in a computation graph, stored as a Python float.

    Parameters
    ----------
    data : float
        The value.
    name : str, optional
        A label for pictures and explanations; `label` is accepted too, as in micrograd.
    requires_grad : bool
        Whether gradients flow to this node.

    Attributes
    ----------
    data : float
        The value; assignable.
    grad : float
        The derivative of the last `backward()` root with respect to this value; 0.0 initially, and again when None is
        assigned.  A leaf accumulates over calls, a computed value shows the latest.

    Raises
    ------
    TypeError
        If `data` is not a number.

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
    plain: ClassVar[Notes] = Notes(retains_grad=True)

    def __init__(self, data: Any, name: str = "", *, label: str = "", requires_grad: bool = True) -> None:
        if label or type(name) is not str:
            name = checked_name(name or label)
        make_leaf(self, _as_float(data), requires_grad is True or checked_flag(requires_grad), name)

    @property
    def data(self) -> float:
        """The value as a float; assign a float to change it."""
        if current_mode() is not True:
            notify_read(self, "the data")
        return self._value  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: Any) -> None:
        number = value if type(value) is float else _as_float(value)
        if self.op is None:
            self._value = number
        else:
            replace_data(self, number)

    def _checked_grad(self, value: Any) -> Any:
        return value if type(value) is float or isinstance(value, Node) else _as_float(value)

    def retain_grad(self) -> None:
        """Do nothing: a computed `Value` always keeps its gradient."""

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the value as a 0-d array."""
        notify_read(self, "numpy()")
        return np.array(self._value)

    def _backward(self) -> None:
        """Add the shares of this node to the gradients of its operands: micrograd's manual step."""
        if self.op is None:
            return
        for arg, rule in zip(self.args, self.op.rules_for(len(self.args)), strict=True):
            if isinstance(arg, Node) and rule is not None:
                share = share_of(self, rule, self._grad, self._value, self.raw, arg._value)
                arg._grad = share if arg._grad is None else arg._grad + share

    def __repr__(self) -> str:
        grad = self._grad._value if isinstance(self._grad, Node) else self._grad
        name = f", name={self.name!r}" if self.name else ""
        return f"Value(data={self._value!r}, grad={grad!r}{name})"


def _as_float(data: Any) -> float:
    try:
        if not isinstance(data, (Node, str, bytes)):
            return float(data)
    except (TypeError, ValueError):
        pass
    cure = "; use the node itself, or its .item()" if isinstance(data, Node) else ""
    raise TypeError(f"a Value holds one float, not {data!r:.60} ({type(data).__name__}){cure}")


KINDS.update({float: (Value, None), int: (Value, float), bool: (Value, float)})
fast_floats.install(Value)
