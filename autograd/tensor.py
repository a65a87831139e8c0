"""`Tensor`: an array in a graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from .diagnostics.in_place import mark_modified, replace_data
from .graph import KINDS, Node, make_leaf, notify_read
from .messages import checked_flag, checked_name, display_name, unknown_attribute
from .operations import broadcasting, indexing, joining, linalg, products, reducing, scanning, selecting, shaping
from .recording import current_mode
from .rules import Operation
from .variable import Variable, leaf, require_float

_default_dtype: np.dtype[Any] = np.dtype(np.float64)


def set_default_dtype(dtype: npt.DTypeLike) -> None:
    """Set the dtype that a `Tensor` of Python numbers gets; float64 at the start.

    Parameters
    ----------
    dtype : dtype
        A floating-point dtype.

    Raises
    ------
    TypeError
        If `dtype` is not floating-point.

    Examples
    --------
    >>> set_default_dtype(np.float64)
    """
    global _default_dtype
    wanted = np.dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"the default dtype must be floating-point, such as float32 or float64, not {wanted}")
    _default_dtype = wanted


def get_default_dtype() -> np.dtype[Any]:
    """Return the dtype that a `Tensor` of Python numbers gets.

    Examples
    --------
    >>> get_default_dtype()
    dtype('float64')
    """
    return _default_dtype


def as_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation as a method that also takes PyTorch's `dim` and `keepdim` for `axis` and `keepdims`."""

    @functools.wraps(function)
    def method(self: Tensor, *args: Any, **options: Any) -> Any:
        for theirs, ours in (("dim", "axis"), ("keepdim", "keepdims")) if options else ():
            if theirs in options:
                if ours in options:
                    raise TypeError(f"{function.__name__} takes {ours} or {theirs}, which mean the same, not both")
                options[ours] = options.pop(theirs)
        return function(self, *args, **options)

    return method


class Tensor(Variable):
    """An array in a computation graph.

    Parameters
    ----------
    data : array_like
        The numbers; copied.  Python numbers get the default dtype, an ndarray keeps its own.
    requires_grad : bool
        Whether gradients flow to it; float dtypes only.
    name : str, optional
        How pictures and messages call it.
    dtype : dtype, optional
        Convert to this dtype.

    Attributes
    ----------
    data : ndarray
        The numbers; assign a new array to change them.  Writing into it (``t.data[0] = 1``) is the one change
        that a recorded graph cannot notice.
    grad : ndarray or None
        The gradient, of the shape and dtype of `data`.

    Raises
    ------
    TypeError
        If `requires_grad` is asked of integers or bools or is neither True nor False (``Tensor(3, 4)`` is no
        shape), or `data` is not numeric.
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
        self, data: Any, requires_grad: bool = False, name: str = "", *, dtype: npt.DTypeLike | None = None
    ) -> None:
        requires_grad, name = checked_flag(requires_grad), checked_name(name)
        array = np.array(_as_array(data, dtype))
        if requires_grad:
            require_float(array)
        make_leaf(self, array, requires_grad, name)

    if not TYPE_CHECKING:  # to a type checker every name would be there

        def __getattr__(self, name: str) -> NoReturn:
            unknown_attribute(self, name)

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """The numbers as an ndarray; assign a new array to change them."""
        mode = current_mode()
        if mode is not True and mode is not False:  # `notify_read` inlined: optimizers read twice per step
            mode.on_read(self, "the data")
        return self._data  # type: ignore[no-any-return]

    @data.setter
    def data(self, value: Any) -> None:
        held = self._data
        if type(value) is np.ndarray and value is not held and value.dtype is held.dtype and self.op is None:
            self._data = value  # what optimizers do, without the questions below
            return
        if value is held:  # `t.data -= step` has already written into the array a graph may have recorded
            mark_modified(value)
            array = value.copy()
        else:
            array = value if type(value) is np.ndarray and value.dtype.kind in "biuf" else _as_array(value, None)
            if self._requires_grad:
                require_float(array)
        if self.op is None:
            self._data = array
        else:
            replace_data(self, array)

    def _checked_grad(self, value: Any) -> Any:
        if isinstance(value, Node):
            return value
        if not isinstance(value, (np.ndarray, np.generic, float, int)):
            raise TypeError(f"grad must be an ndarray of shape {self.shape} or None, not {type(value).__name__}")
        if np.shape(value) != self.shape:
            raise ValueError(f"grad of shape {np.shape(value)} does not fit a Tensor of shape {self.shape}")
        return np.asarray(value, dtype=self._data.dtype)

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad` after each backward pass."""
        self.retains_grad = True

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    # Properties of a C function, which are asked at a fifth of the price of a Python function.
    shape: property = property(attrgetter("_data.shape"), doc="Length along each axis.")
    ndim: property = property(attrgetter("_data.ndim"), doc="Number of axes.")
    size: property = property(attrgetter("_data.size"), doc="Number of elements.")
    dtype: property = property(attrgetter("_data.dtype"), doc="Type of the elements.")

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """The axes reversed."""
        return shaping.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802  (NumPy's name)
        """The last two axes exchanged."""
        return shaping.swapaxes(self)

    __matmul__: Operation = linalg.matmul

    def __rmatmul__(self, other: Any) -> Any:
        return linalg.matmul(other, self)

    __getitem__: Operation = indexing.getitem

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a Tensor is not written in place, since a graph may have recorded it: use where(mask, new, old) or "
            "index_add(x, index, values) for a new Tensor, or assign to `.data`"
        )

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d Tensor has no length")
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("a 0-d Tensor cannot be iterated over")
        return (self[i] for i in range(len(self)))

    sum: Operation = as_method(reducing.sum)
    mean: Operation = as_method(reducing.mean)
    var: Operation = as_method(reducing.var)
    std: Operation = as_method(reducing.std)
    max: Operation = as_method(reducing.max)
    amax: Operation = as_method(reducing.max)
    min: Operation = as_method(reducing.min)
    amin: Operation = as_method(reducing.min)
    argmax: Operation = as_method(reducing.argmax)
    argmin: Operation = as_method(reducing.argmin)
    any: Operation = as_method(reducing.any)
    all: Operation = as_method(reducing.all)
    logsumexp: Operation = as_method(reducing.logsumexp)
    softmax: Operation = as_method(reducing.softmax)
    log_softmax: Operation = as_method(reducing.log_softmax)
    prod: Operation = as_method(scanning.prod)
    cumsum: Operation = as_method(scanning.cumsum)
    cumprod: Operation = as_method(scanning.cumprod)
    sort: Operation = as_method(scanning.sort)
    argsort: Operation = as_method(scanning.argsort)
    norm: Operation = as_method(linalg.norm)

    matmul: Operation = linalg.matmul
    mm: Operation = linalg.matmul
    dot: Operation = products.dot
    outer: Operation = products.outer
    trace: Operation = linalg.trace
    inv: Operation = linalg.inv
    inverse: Operation = linalg.inv
    det: Operation = linalg.det
    cholesky: Operation = linalg.cholesky

    swapaxes: Operation = shaping.swapaxes
    moveaxis: Operation = shaping.moveaxis
    movedim: Operation = shaping.moveaxis
    expand_dims: Operation = as_method(shaping.expand_dims)
    unsqueeze: Operation = as_method(shaping.expand_dims)
    squeeze: Operation = as_method(shaping.squeeze)
    flatten: Operation = as_method(shaping.flatten)
    ravel: Operation = as_method(shaping.flatten)
    broadcast_to: Operation = broadcasting.broadcast_to
    tile: Operation = shaping.tile
    repeat: Operation = as_method(joining.repeat)
    repeat_interleave: Operation = as_method(joining.repeat)
    flip: Operation = as_method(indexing.flip)
    roll: Operation = as_method(joining.roll)
    tril: Operation = shaping.tril
    triu: Operation = shaping.triu
    diag: Operation = indexing.diag
    diagonal: Operation = indexing.diagonal
    split: Operation = as_method(joining.split)
    take: Operation = as_method(indexing.take)
    take_along_axis: Operation = as_method(indexing.take_along_axis)
    index_add: Operation = indexing.index_add
    astype: Operation = broadcasting.astype

    def float(self) -> Any:
        """Return the numbers as float32, PyTorch's meaning of the word."""
        return broadcasting.astype(self, np.float32)

    def double(self) -> Any:
        """Return the numbers as float64."""
        return broadcasting.astype(self, np.float64)

    def reshape(self, *shape: Any) -> Any:
        """Return the same numbers in another shape, given as one tuple or as lengths."""
        return shaping.reshape(self, shape[0] if len(shape) == 1 else shape)

    view: Operation = reshape

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order as in NumPy, reversed by default."""
        return shaping.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    permute: Operation = transpose

    def t(self) -> Any:
        """Return a matrix transposed, as PyTorch calls it; a vector as it is."""
        if self.ndim > 2:
            raise ValueError(f"t() takes a matrix, not shape {self.shape}; write .mT or .transpose(...)")
        return shaping.transpose(self)

    def expand(self, *sizes: Any) -> Any:
        """Return the numbers repeated to these sizes, given as one tuple or as lengths; -1 keeps a length."""
        wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
        held = (None,) * (len(wanted) - self.ndim) + self.shape
        pairs = zip(wanted, held, strict=False)  # too few sizes are for broadcast_to to refuse
        return broadcasting.broadcast_to(self, tuple(h if w == -1 and h is not None else w for w, h in pairs))

    def clone(self) -> Any:
        """Return a recorded copy of the numbers, through which gradients pass."""
        return broadcasting.astype(self, self.dtype)

    def masked_fill(self, mask: Any, value: Any) -> Any:
        """Return `value` where `mask` holds, and these numbers elsewhere."""
        return selecting.where(mask, value, self)

    def numel(self) -> int:
        """Return the number of elements, as PyTorch calls it."""
        return self._data.size  # type: ignore[no-any-return]

    def dim(self) -> int:
        """Return the number of axes, as PyTorch calls it."""
        return self._data.ndim  # type: ignore[no-any-return]

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return a read-only view of the numbers."""
        notify_read(self, "numpy()")
        view = self._data.view()
        view.flags.writeable = False
        return view  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """Return the numbers as nested lists."""
        notify_read(self, "tolist()")
        return self._data.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self._requires_grad:
            raise TypeError(
                "a Tensor that requires gradients is not turned into an array silently, which would cut the graph: use "
                ".numpy() or .detach() for its numbers"
            )
        notify_read(self, "an array")
        return np.array(self._data, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        text = np.array2string(self._data, separator=", ", prefix="Tensor(", threshold=100, edgeitems=3)
        notes = "" if self._data.dtype == _default_dtype else f", dtype={self._data.dtype}"
        if self.op is not None:
            notes += f", op={display_name(self.op)}"
        elif self._requires_grad:
            notes += ", requires_grad=True"
        return f"Tensor({text}{notes}{f', name={self.name!r}' if self.name else ''})"


def _as_array(data: Any, dtype: npt.DTypeLike | None) -> np.ndarray[Any, Any]:
    if isinstance(data, Node):
        raise TypeError(
            "a Tensor holds numbers, not nodes; use the node itself, its .detach(), or stack(...) of several"
        )
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"a Tensor holds floats, integers or bools, not {type(data).__name__} of dtype {array.dtype}; join nodes "
            "with stack(...), and encode text as class indices"
        )
    if dtype is None and array.dtype.kind in "iuf" and not isinstance(data, (np.ndarray, np.generic)):
        dtype = _default_dtype
    return np.asarray(array, dtype=dtype)


def as_tensor(data: Any, requires_grad: bool = False) -> Tensor:
    """Return `data` as a `Tensor` that shares its memory where it can; a Tensor is returned as it is.

    Parameters
    ----------
    data : array_like or Tensor
        The numbers.
    requires_grad : bool
        Whether gradients flow to it.

    Returns
    -------
    Tensor
        A leaf.

    Examples
    --------
    >>> a = np.zeros(2)
    >>> as_tensor(a).data is a
    True
    """
    if isinstance(data, Tensor):
        return data
    array = _as_array(data, None)
    requires_grad = checked_flag(requires_grad)
    if requires_grad:
        require_float(array)
    made: Tensor = leaf(Tensor, array, requires_grad)
    return made


KINDS.update({np.ndarray: (Tensor, None)})
KINDS.update({np.dtype(code).type: (Tensor, np.asarray) for code in "?bhilqBHILQefdg"})
