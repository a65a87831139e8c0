"""`Value`: a float in a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import KINDS, Node, make_leaf
from .variable import Variable


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
        The derivative of the last `backward()` root with respect to this number; 0.0 at the start.  A leaf
        accumulates over calls, a computed value shows the latest.

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

    no_gradient = 0.0
    always_retains = True

    def __init__(self, data: Any, name: str = "", *, label: str = "", requires_grad: bool = True) -> None:
        make_leaf(self, _as_float(data), bool(requires_grad), name or label)

    @property
    def data(self) -> float:
        """The number."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = value if type(value) is float else _as_float(value)

    def _checked_grad(self, value: Any) -> Any:
        return value if isinstance(value, Node) else _as_float(value)

    def retain_grad(self) -> None:
        """Do nothing: a computed `Value` always shows its gradient."""

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the number as a 0-d array."""
        return np.array(self._data)

    def _backward(self) -> None:
        """Add this node's local contribution to the gradients of its arguments: micrograd's manual step."""
        if self.op is None:
            return
        for arg, rule in zip(self.args, self.op.rules_for(len(self.args)), strict=True):
            if isinstance(arg, Node) and rule is not None:
                arg._grad = arg._grad + self.op.pull(rule, self._grad, self._data, self.raw, self.params)

    def __repr__(self) -> str:
        grad = self._grad._data if isinstance(self._grad, Node) else self._grad
        name = f", name={self.name!r}" if self.name else ""
        return f"Value(data={self._data!r}, grad={grad!r}{name})"


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
