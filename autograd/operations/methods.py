"""The operators and methods of nodes: names for operations, without any mathematics."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn

import numpy as np

from autograd.graph import Node
from autograd.messages import INSTEAD_OPTIONS
from autograd.recording import notify_read
from autograd.typing import Array, Operand, Operation, Shape

from . import (
    broadcasting,
    comparing,
    elementwise as ew,
    indexing,
    joining,
    linalg,
    products,
    reducing,
    remainders,
    scanning,
    selecting,
    shaping,
    trigonometry,
)
from .numpy_protocol import array_function, array_ufunc, unsupported

COMPARABLE = (Node, np.ndarray, np.generic, numbers.Number, list, tuple)  # with other types, == is Python's


class ElementwiseMethods(Node):
    """Operators and methods that exist for floats and for arrays."""

    __slots__ = ()

    __add__: Operation = ew.add
    __sub__: Operation = ew.subtract
    __mul__: Operation = ew.multiply
    __truediv__: Operation = ew.divide
    __pow__: Operation = ew.power
    __neg__: Operation = ew.negative
    __abs__: Operation = ew.absolute
    __lt__: Operation = comparing.less
    __le__: Operation = comparing.less_equal
    __gt__: Operation = comparing.greater
    __ge__: Operation = comparing.greater_equal

    def __eq__(self, other: object) -> Operand:
        return comparing.equal(self, other) if isinstance(other, COMPARABLE) else NotImplemented

    def __ne__(self, other: object) -> Operand:
        return comparing.not_equal(self, other) if isinstance(other, COMPARABLE) else NotImplemented

    # by identity, since a comparison is an operation
    __hash__: Callable[[], int] = Node.__hash__  # type: ignore[assignment]

    def __radd__(self, other: Operand) -> Operand:
        return ew.add(other, self)

    def __rsub__(self, other: Operand) -> Operand:
        return ew.subtract(other, self)

    def __rmul__(self, other: Operand) -> Operand:
        return ew.multiply(other, self)

    def __rtruediv__(self, other: Operand) -> Operand:
        return ew.divide(other, self)

    def __rpow__(self, other: Operand) -> Operand:
        return ew.power(other, self)

    __mod__: Operation = remainders.mod
    __floordiv__: Operation = remainders.floor_divide

    def __rmod__(self, other: Operand) -> Operand:
        return remainders.mod(other, self)

    def __rfloordiv__(self, other: Operand) -> Operand:
        return remainders.floor_divide(other, self)

    __round__: Operation = comparing.round

    def __divmod__(self, other: Operand) -> tuple[Operand, Operand]:
        return self // other, self % other

    def __rdivmod__(self, other: Operand) -> tuple[Operand, Operand]:
        return other // self, other % self

    def __pos__(self) -> Operand:
        return self

    __and__: Operation = comparing.bitwise_and
    __or__: Operation = comparing.bitwise_or
    __invert__: Operation = comparing.invert

    def __xor__(self, other: Operand) -> Operand:
        raise TypeError("^ is not supported: write a power as x**y, and the difference of two masks as a != b")

    __rxor__: Operation = __xor__

    def __rand__(self, other: Operand) -> Operand:
        return comparing.bitwise_and(other, self)

    def __ror__(self, other: Operand) -> Operand:
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
    def _mask(self) -> NoReturn:  # functions of np.ma ask for it, and would read `_data` as that of their own arrays
        raise unsupported("a function of np.ma")

    @property
    def label(self) -> str:
        """The name, as micrograd calls it."""
        return self.name

    @label.setter
    def label(self, value: str) -> None:
        self.name = value

    @property
    def _prev(self) -> tuple[Node, ...]:
        """The operands that are nodes, in order, as micrograd calls them."""
        return tuple(arg for arg in self.args if isinstance(arg, Node))

    @property
    def _op(self) -> str:
        """The operation's symbol, as micrograd calls it."""
        return "" if self.op is None else self.op.symbol


class Size(int):
    """The number of elements of an array, which returns its shape or the length of an axis if it is called."""

    _lengths: Shape

    def __new__(cls, data: Array) -> Size:  # noqa: D102  (described by the class)
        size = super().__new__(cls, data.size)
        size._lengths = data.shape
        return size

    def __call__(self, dim: int | None = None) -> int | Shape:
        """Return the shape, or the length along one axis."""
        return self._lengths if dim is None else self._lengths[dim]


def as_method(function: Operation) -> Operation:
    """Return an operation as a method that also takes PyTorch's `dim` and `keepdim` for `axis` and `keepdims`."""

    @functools.wraps(function)
    def method(self: ArrayMethods, *args: Operand, **options: object) -> Operand:
        for theirs, ours in (("dim", "axis"), ("keepdim", "keepdims")) if options else ():
            if theirs in options:
                if ours in options:
                    raise TypeError(f"{function.__name__} takes {ours} or {theirs}, which mean the same, not both")
                options[ours] = options.pop(theirs)
        if unknown := INSTEAD_OPTIONS.keys() & options.keys():
            name = min(unknown)
            raise TypeError(f"{function.__name__}() takes no {name!r}: write {INSTEAD_OPTIONS[name]}")
        return function(self, *args, **options)

    return method


class ArrayMethods(ElementwiseMethods):
    """Operators and methods that need an array."""

    __slots__ = ()

    # Properties implemented in C cost a fifth of a Python function.
    shape: property = property(attrgetter("_data.shape"), doc="Length along each axis.")
    ndim: property = property(attrgetter("_data.ndim"), doc="Number of axes.")
    dtype: property = property(attrgetter("_data.dtype"), doc="Type of the elements.")

    @property
    def size(self) -> Size:
        """Number of elements; called with an axis, ``t.size(0)``, the length along it, as in PyTorch."""
        return Size(self._data)

    @property
    def T(self) -> Operand:  # noqa: N802  (NumPy's name)
        """The axes reversed."""
        return shaping.transpose(self)

    @property
    def mT(self) -> Operand:  # noqa: N802  (NumPy's name)
        """The last two axes exchanged."""
        return shaping.swapaxes(self)

    __matmul__: Operation = linalg.matmul

    def __rmatmul__(self, other: Operand) -> Operand:
        return linalg.matmul(other, self)

    __getitem__: Operation = indexing.getitem

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

    def float(self) -> Operand:
        """Return a float32 copy, as in PyTorch."""
        return broadcasting.astype(self, np.float32)

    def double(self) -> Operand:
        """Return a float64 copy."""
        return broadcasting.astype(self, np.float64)

    def reshape(self, *shape: int | Shape) -> Operand:
        """Return the elements in another shape, given as one tuple or as lengths."""
        return shaping.reshape(self, shape[0] if len(shape) == 1 else shape)

    view: Operation = reshape

    def transpose(self, *axes: int | Shape) -> Operand:
        """Permute the axes as NumPy does; reversed by default."""
        return shaping.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    permute: Operation = transpose

    def t(self) -> Operand:
        """Transpose a matrix; a vector is returned unchanged."""
        if self.ndim > 2:
            raise ValueError(f"t() takes a matrix, not shape {self.shape}; write .mT or .transpose(...)")
        return shaping.transpose(self)

    def expand(self, *sizes: int | Shape) -> Operand:
        """Broadcast to these sizes, given as one tuple or as lengths; -1 keeps a length."""
        wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
        held = (None,) * (len(wanted) - self.ndim) + self.shape
        pairs = zip(wanted, held, strict=False)  # broadcast_to raises if there are too few
        return broadcasting.broadcast_to(self, tuple(h if w == -1 and h is not None else w for w, h in pairs))

    def clone(self) -> Operand:
        """Return a copy through which gradients pass."""
        return broadcasting.astype(self, self.dtype)

    def masked_fill(self, mask: Operand, value: Operand) -> Operand:
        """Return `value` where `mask` is True and the elements of this tensor elsewhere."""
        return selecting.where(mask, value, self)

    def numel(self) -> int:
        """Return the number of elements, as PyTorch calls it."""
        return self._data.size  # type: ignore[no-any-return]

    def dim(self) -> int:
        """Return the number of axes, as PyTorch calls it."""
        return self._data.ndim  # type: ignore[no-any-return]

    def numpy(self) -> Array:
        """Return a read-only view of the values."""
        notify_read(self, "numpy()")
        view = self._data.view()
        view.flags.writeable = False
        return view  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        notify_read(self, "tolist()")
        return self._data.tolist()
