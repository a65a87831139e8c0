"""The part of `Value` and `Tensor` that they share: gradients, hooks, reading the value, copying."""

import copyreg
from collections.abc import Callable
from typing import Any

import numpy as np

from .backward import backward
from .diagnostics import gradient_of, on_float
from .graph import CHANGED, Node, make_leaf
from .operands import require_float
from .operations.methods import ElementwiseMethods
from .recording import callback, current_mode, notify_read, notify_write


class Variable(ElementwiseMethods):
    """A node with a gradient; `Value` holds a float and `Tensor` an array."""

    __slots__ = ("__dict__",)  # for attributes of one's own, such as the velocity of a parameter in an optimizer

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this node; settable on a leaf."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.op is not None and bool(wanted) != self._requires_grad:
            raise RuntimeError(
                "requires_grad can be changed on a leaf only; this node was computed. Use detach() for a copy of its "
                "value without history"
            )
        if wanted:
            require_float(self._value)
        self._requires_grad = bool(wanted)
        CHANGED[0] = object()

    def _set_grad(self, value: Any) -> None:
        if current_mode() is not True:
            notify_write("assigns to .grad")
        # PyTorch's users write None for "no gradient yet", also on a `Value`.
        self._grad = self.no_gradient if value is None else self._checked_grad(value)

    grad: property = property(gradient_of, _set_grad, doc="The gradient, of the shape of `data`; assignable.")

    def _checked_grad(self, value: Any) -> Any:
        raise NotImplementedError

    def backward(self, gradient: Any = None, retain_graph: bool = True, *, create_graph: bool = False) -> None:
        """Compute the gradient of this node with respect to every variable it depends on; see `autograd.backward`.

        `retain_graph` is accepted for PyTorch's sake: a graph can always be differentiated again.
        """
        backward(self, gradient, create_graph=create_graph)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradient: to 0.0 on a `Value`, to None, or zeros if not `set_to_none`, on a `Tensor`."""
        if current_mode() is not True:
            notify_write("calls zero_grad()")
        self._grad = self.no_gradient if set_to_none or type(self._value) is float else np.zeros_like(self._value)

    def detach(self) -> Any:
        """Return a leaf with the same value (shared memory) through which no gradient flows."""
        value = callback(lambda value: value, self)
        return value if isinstance(value, Node) else leaf(type(self), value, False, self.name)

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `hook` with the cotangent of this node in each backward pass; return a function that removes it.

        Parameters
        ----------
        hook : callable
            Given the complete cotangent; returns None, or another one of the same shape to pass on instead.
        """
        if not callable(hook):
            raise TypeError(f"a hook must be callable, not {hook!r}")
        entry = lambda g: hook(g)  # noqa: E731  (a new object, so that one hook can be registered twice)
        self.hooks = (*self.hooks, entry)

        def remove() -> None:
            self.hooks = tuple(h for h in self.hooks if h is not entry)

        return remove

    def item(self) -> float:
        """Return the value of a node of one element as a Python number."""
        notify_read(self, "float(...), int(...) or item()")
        if np.size(self._value) != 1:
            raise ValueError(f"item() needs a node of one element; this one has shape {np.shape(self._value)}")
        return self._value if type(self._value) is float else self._value.item()

    def __float__(self) -> float:
        on_float(self, value := float(self.item()))
        return value

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        notify_read(self, "the truth (in an `if`, `while`, `and`, `or`, `not`, min() or max())")
        if np.size(self._value) != 1:
            shape = np.shape(self._value)
            raise ValueError(f"the truth of shape {shape} is ambiguous; reduce it first, or use where(mask, a, b)")
        return bool(self._value)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __reduce__(self) -> Any:
        notify_read(self, "a copy or pickle")
        if self.op is not None:
            raise TypeError(
                f"this node was computed by {self.op.name} and carries its graph, which cannot be copied or pickled; "
                "use detach() to keep its value alone"
            )
        grad = None if isinstance(self._grad, Node) else self._grad
        names = [name for name in copyreg._slotnames(type(self)) if not hasattr(Node, name)]  # type: ignore[attr-defined]
        slots = {name: getattr(self, name) for name in names if hasattr(self, name)}
        state = (vars(self), slots)  # attributes of one's own, and the slots of a subclass
        return _restored, (type(self), self._value, self._requires_grad, self.name, grad), state if any(state) else None


def leaf(kind: type[Any], data: Any, requires_grad: bool = False, name: str = "") -> Any:
    """Return a leaf of a class that shares `data`, without the checks of the constructor."""
    node = object.__new__(kind)
    make_leaf(node, data, requires_grad, name)
    return node


def _restored(kind: type[Any], data: Any, requires_grad: bool, name: str, grad: Any) -> Any:
    """Return a copy of a leaf that shares no memory with it."""
    data, grad = (x.copy() if isinstance(x, np.ndarray) else x for x in (data, grad))
    node = leaf(kind, data, requires_grad, name)
    node._grad = kind.no_gradient if grad is None else grad
    return node
