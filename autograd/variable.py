"""What `Value` and `Tensor` share: operators and methods on nodes, and no mathematics of their own."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

from .backward import backward
from .graph import Node, make_leaf, notify_read, notify_write
from .numpy_protocol import array_function, array_ufunc
from .operations import comparing, indexing, selecting, trigonometry
from .operations import elementwise as ew
from .recording import callback, current_mode, is_recording
from .rules import Operation


class Variable(Node):
    """What `Value` and `Tensor` share: operators, gradients and names."""

    __slots__ = ()

    __add__: Operation = ew.add
    __sub__: Operation = ew.subtract
    __mul__: Operation = ew.multiply
    __truediv__: Operation = ew.divide
    __pow__: Operation = ew.power
    __neg__: Operation = ew.negative
    __abs__: Operation = ew.absolute
    __eq__: Operation = comparing.equal
    __ne__: Operation = comparing.not_equal
    __lt__: Operation = comparing.less
    __le__: Operation = comparing.less_equal
    __gt__: Operation = comparing.greater
    __ge__: Operation = comparing.greater_equal
    # by identity: a comparison is an operation, not a question about sameness
    __hash__: Callable[[], int] = Node.__hash__  # type: ignore[assignment]

    def __radd__(self, other: Any) -> Any:
        return ew.add(other, self)

    def __rsub__(self, other: Any) -> Any:
        return ew.subtract(other, self)

    def __rmul__(self, other: Any) -> Any:
        return ew.multiply(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return ew.divide(other, self)

    def __rpow__(self, other: Any) -> Any:
        return ew.power(other, self)

    def __pos__(self) -> Any:
        return self

    __and__: Operation = comparing.bitwise_and
    __or__: Operation = comparing.bitwise_or
    __invert__: Operation = comparing.invert

    def __xor__(self, other: Any) -> Any:
        raise TypeError("^ is no operation here: a power is written x**y, and masks differ where a != b")

    __rxor__: Operation = __xor__

    def __rand__(self, other: Any) -> Any:
        return comparing.bitwise_and(other, self)

    def __ror__(self, other: Any) -> Any:
        return comparing.bitwise_or(other, self)

    absolute: Operation = ew.absolute
    abs: Operation = ew.absolute
    pow: Operation = ew.power
    exp: Operation = ew.exp
    exp2: Operation = ew.exp2
    expm1: Operation = ew.expm1
    log: Operation = ew.log
    log1p: Operation = ew.log1p
    log2: Operation = ew.log2
    log10: Operation = ew.log10
    logaddexp: Operation = ew.logaddexp
    sqrt: Operation = ew.sqrt
    rsqrt: Operation = ew.rsqrt
    square: Operation = ew.square
    reciprocal: Operation = ew.reciprocal
    sigmoid: Operation = ew.sigmoid
    relu: Operation = ew.relu
    leaky_relu: Operation = ew.leaky_relu
    softplus: Operation = ew.softplus
    maximum: Operation = selecting.maximum
    minimum: Operation = selecting.minimum
    fmod: Operation = ew.fmod
    clip: Operation = selecting.clip
    clamp: Operation = selecting.clip
    # NumPy calls methods of these names on the elements of an object array.
    sin: Operation = trigonometry.sin
    cos: Operation = trigonometry.cos
    tan: Operation = trigonometry.tan
    asin: Operation = trigonometry.asin
    arcsin: Operation = trigonometry.asin
    acos: Operation = trigonometry.acos
    arccos: Operation = trigonometry.acos
    atan: Operation = trigonometry.atan
    arctan: Operation = trigonometry.atan
    atan2: Operation = trigonometry.atan2
    arctan2: Operation = trigonometry.atan2
    hypot: Operation = trigonometry.hypot
    sinh: Operation = trigonometry.sinh
    cosh: Operation = trigonometry.cosh
    tanh: Operation = trigonometry.tanh
    asinh: Operation = trigonometry.asinh
    arcsinh: Operation = trigonometry.asinh
    acosh: Operation = trigonometry.acosh
    arccosh: Operation = trigonometry.acosh
    atanh: Operation = trigonometry.atanh
    arctanh: Operation = trigonometry.atanh
    erf: Operation = trigonometry.erf
    elements: Operation = indexing.elements
    sign: Operation = comparing.sign
    floor: Operation = comparing.floor
    ceil: Operation = comparing.ceil
    round: Operation = comparing.round
    rint: Operation = comparing.round
    isnan: Operation = comparing.isnan
    isinf: Operation = comparing.isinf
    isfinite: Operation = comparing.isfinite
    logical_not: Operation = comparing.logical_not
    logical_and: Operation = comparing.logical_and
    logical_or: Operation = comparing.logical_or

    __array_ufunc__: Operation = array_ufunc
    __array_function__: Operation = array_function

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this node; settable on a leaf."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.op is not None and bool(wanted) != self._requires_grad:
            raise RuntimeError(
                "requires_grad can be changed on a leaf only; this node was computed. Use detach() for a copy of its "
                "numbers without history"
            )
        if wanted:
            require_float(self._data)
        self._requires_grad = bool(wanted)

    def _set_grad(self, value: Any) -> None:
        mode = current_mode()
        if mode is not True and mode is not False:  # `changed`, spelled out, since optimizers do this in every step
            mode.on_write("assigns to .grad")
        # None is what PyTorch's users write for "no gradient yet", also on a `Value`.
        self._grad = self.no_gradient if value is None else self._checked_grad(value)

    # Read by a C function: every optimizer asks for every gradient in every step.
    grad: property = property(
        attrgetter("_grad"), _set_grad, doc="The gradient, numbers of the shape of `data`; assignable."
    )

    def _checked_grad(self, value: Any) -> Any:
        raise NotImplementedError

    def backward(self, gradient: Any = None, *, create_graph: bool = False) -> None:
        """Compute the gradient of this node with respect to every variable it depends on; see `autograd.backward`."""
        backward(self, gradient, create_graph=create_graph)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient: 0.0 on a `Value`; None, or zeros if not `set_to_none`, on a `Tensor`."""
        notify_write("calls zero_grad()")
        self._grad = self.no_gradient if set_to_none else self._data * 0.0

    def detach(self) -> Any:
        """Return a leaf with the same numbers (shared) that no gradient flows through."""
        if is_recording():
            return callback(lambda numbers: numbers, self)
        return leaf(type(self), self._data, False, self.name)

    def register_hook(self, hook: Callable[[Any], Any]) -> Callable[[], None]:
        """Call `hook` with the cotangent of this node in each backward pass.

        Parameters
        ----------
        hook : callable
            Given the complete cotangent; returns None, or another one of the same shape to pass on instead.

        Returns
        -------
        callable
            Removes the hook.
        """
        if not callable(hook):
            raise TypeError(f"a hook must be callable, not {hook!r}")
        entry = lambda g: hook(g)  # noqa: E731  (a fresh object, so that the same hook can be registered twice)
        self.hooks = (*self.hooks, entry)

        def remove() -> None:
            self.hooks = tuple(h for h in self.hooks if h is not entry)

        return remove

    def item(self) -> float:
        """Return the one number this node holds."""
        notify_read(self, "item(), float() or int()")
        if np.size(self._data) != 1:
            raise ValueError(
                f"item() needs one number; this node holds {np.size(self._data)} (shape {np.shape(self._data)})"
            )
        return self._data if type(self._data) is float else self._data.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        notify_read(self, "the truth (in an `if`, `while`, `and`, `or`, `not`, min() or max())")
        if np.size(self._data) != 1:
            raise ValueError(
                f"the truth of {np.size(self._data)} numbers (shape {np.shape(self._data)}) is ambiguous; reduce them "
                "first, or use where(mask, a, b)"
            )
        return bool(self._data)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    @property
    def label(self) -> str:
        """The name, as micrograd calls it."""
        return self.name

    @label.setter
    def label(self, value: str) -> None:
        self.name = value

    @property
    def _prev(self) -> tuple[Node, ...]:
        """The argument nodes in order, as micrograd calls them."""
        return tuple(arg for arg in self.args if isinstance(arg, Node))

    @property
    def _op(self) -> str:
        """The operation's symbol, as micrograd calls it."""
        return "" if self.op is None else self.op.symbol

    def __copy__(self) -> Any:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        function, args = self.__reduce__()
        copied = function(*args)
        copied._data = self._data if type(self._data) is float else self._data.copy()
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        notify_read(self, "a copy or pickle")
        if self.op is not None:
            raise TypeError(
                f"this node was computed by {self.op.name} and carries its graph, which is not copied or pickled; "
                "use detach() to keep its numbers alone"
            )
        grad = None if isinstance(self._grad, Node) else self._grad
        return _restored, (type(self), self._data, self._requires_grad, self.name, grad)


def leaf(kind: type[Any], data: Any, requires_grad: bool = False, name: str = "") -> Any:
    """Return a leaf of this kind that shares `data`, without the checks of the constructor."""
    node = object.__new__(kind)
    make_leaf(node, data, requires_grad, name)
    return node


def _restored(kind: type[Any], data: Any, requires_grad: bool, name: str, grad: Any) -> Any:
    node = leaf(kind, data, requires_grad, name)
    if grad is not None:
        node._grad = grad if type(grad) is float else grad.copy()
    return node


def require_float(data: Any) -> None:
    """Raise if numbers of this kind can have no gradient."""
    if type(data) is not float and data.dtype.kind != "f":
        raise TypeError(
            f"requires_grad=True needs float numbers; this Tensor has dtype {data.dtype}, which holds data such as "
            "labels and masks. Convert it first: Tensor(a.astype(float), requires_grad=True)"
        )
