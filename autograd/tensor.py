"""`Tensor`: an array in a computation graph."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from . import operations
from .diagnostics import mark_modified, replace_data, warn_once
from .graph import CHANGED, KINDS, Node, make_leaf
from .messages import checked_flag, checked_name, display_name, unknown_attribute
from .operands import as_array, get_default_dtype, require_float
from .operations.methods import ArrayMethods
from .recording import current_mode, notify_read
from .typing import DTypeLike
from .variable import Variable, leaf


class Tensor(Variable, ArrayMethods):
    """An array in a computation graph.

    Parameters
    ----------
    data : array_like
        The values; copied.  Python numbers get the default dtype, an ndarray keeps its own.
    requires_grad : bool
        Whether gradients flow to this tensor; float dtypes only.
    name : str, optional
        A label for pictures and messages.
    dtype : dtype, optional
        Convert to this dtype.

    Attributes
    ----------
    data : ndarray
        The values; assign a new array to change them.  Writing into it (``t.data[0] = 1``) is the one change
        that a recorded graph cannot detect.
    grad : ndarray or None
        The gradient, of the shape and dtype of `data`.

    Raises
    ------
    TypeError
        If `data` is not numeric, or `requires_grad` is set for integers or bools or is neither True nor False.
    ValueError
        If nested sequences do not form an array.

    Examples
    --------
    >>> W = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="W")
    >>> (W @ np.array([1.0, -1.0])).sum().backward()
    >>> W.grad
    array([[ 1., -1.],
           [ 1., -1.]])
    """

    __slots__ = ()

    def __init__(
        self, data: Any, requires_grad: bool = False, name: str = "", *, dtype: DTypeLike | None = None
    ) -> None:
        flag = checked_flag(requires_grad)  # before the name: Tensor(1, 2, 3) was meant as a shape
        make_leaf(self, np.array(as_array(data, dtype)), False, checked_name(name))
        self.requires_grad = flag

    if not TYPE_CHECKING:  # a type checker would accept every name

        def __getattr__(self, name: str) -> NoReturn:
            unknown_attribute(self, name, operations.__all__)

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """The values as an ndarray; assign a new array to change them, for a variable of the same shape."""
        if current_mode() is not True:
            notify_read(self, "the data")
        return self._value  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: Any) -> None:
        held, CHANGED[0] = self._value, object()
        fits = type(value) is np.ndarray and value.dtype is held.dtype and value.shape == held.shape
        if fits and value is not held and self.op is None:
            self._value = value  # the case of every optimizer, without the checks below
            return
        if value is held:  # `t.data -= step` has written into the array that a graph may have recorded
            mark_modified(value)
            array = value.copy()
        else:
            array = value if type(value) is np.ndarray and value.dtype.kind in "biuf" else as_array(value)
            if self._requires_grad:
                require_float(array)
                if array.shape != held.shape:
                    warn_once(
                        "shape",
                        f"data of shape {array.shape} replaced those of shape {held.shape} of a variable: if it is "
                        "not due to broadcasting, make a new Tensor(data, requires_grad=True)",
                    )
        if self.op is None:
            self._value = array
        else:
            replace_data(self, array)

    def _checked_grad(self, value: Any) -> Any:
        if isinstance(value, Node):
            return value
        if not isinstance(value, (np.ndarray, np.generic, float, int)):
            raise TypeError(f"grad must be an ndarray of shape {self.shape} or None, not {type(value).__name__}")
        if np.shape(value) != self.shape:
            raise ValueError(f"grad of shape {np.shape(value)} does not fit a Tensor of shape {self.shape}")
        return np.asarray(value, dtype=self._value.dtype)

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad` after each backward pass."""
        self.retains_grad = True

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a Tensor cannot be modified in place, since a graph may have recorded it: use where(mask, new, old) or "
            "index_add(x, index, values) for a new Tensor, or assign to `.data`"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d Tensor has no length and cannot be iterated over")
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(len(self)))

    def __contains__(self, value: object) -> bool:
        return bool(np.any(self == value))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self._requires_grad:
            raise TypeError(
                "a Tensor that requires gradients is not converted to an array silently, which would cut the graph: "
                "use .numpy() or .detach() for its values, and stack([...]) or concatenate([...]) to join nodes"
            )
        notify_read(self, "an array")
        return np.array(self._value, dtype=dtype, copy=copy)

    _data: property = property(__array__)  # which np.ma reads

    def __repr__(self) -> str:
        text = np.array2string(self._value, separator=", ", prefix="Tensor(", threshold=100, edgeitems=3)
        notes = "" if self._value.dtype == get_default_dtype() else f", dtype={self._value.dtype}"
        if self.op is not None:
            notes += f", op={display_name(self.op)}"
        elif self._requires_grad:
            notes += ", requires_grad=True"
        return f"Tensor({text}{notes}{f', name={self.name!r}' if self.name else ''})"


def as_tensor(data: Any, requires_grad: bool = False) -> Tensor:
    """Return `data` as a `Tensor` that shares its memory where possible; a Tensor is returned unchanged.

    Parameters
    ----------
    data : array_like or Tensor
        The values.
    requires_grad : bool
        Whether gradients flow to the new leaf.

    Examples
    --------
    >>> a = np.zeros(2)
    >>> as_tensor(a).data is a
    True
    """
    if isinstance(data, Tensor):
        return data
    made: Tensor = leaf(Tensor, as_array(data))
    made.requires_grad = checked_flag(requires_grad)
    return made


KINDS.update({np.ndarray: (Tensor, None)})
KINDS.update({np.dtype(code).type: (Tensor, np.asarray) for code in "?bhilqBHILQefdg"})
