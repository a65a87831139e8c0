"""The operators and methods of nodes, and NumPy's functions on nodes: names for operations, without any mathematics."""

import functools
import inspect
import numbers
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from autograd import operations as ops
from autograd.graph import Node
from autograd.messages import equivalent
from autograd.operands import boxed, translated
from autograd.recording import notify_read, raw_data
from autograd.typing import Array, Function, Operand, Operation, Params, Shape, Tree

from .indexing import elements

# Where NumPy's name of a function differs from ours.
_NAMES = {
    "true_divide": "divide", "float_power": "power", "fabs": "absolute", "rint": "round", "around": "round",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "amax": "max", "amin": "min", "ravel": "flatten", "remainder": "mod", "radians": "deg2rad",
    "degrees": "rad2deg", "fix": "trunc", "cumulative_sum": "cumsum", "cumulative_prod": "cumprod",
    "matrix_transpose": "swapaxes", "vector_norm": "norm",
    "add.reduce": "sum", "multiply.reduce": "prod", "maximum.reduce": "max", "minimum.reduce": "min",
    "logical_or.reduce": "any", "logical_and.reduce": "all", "add.accumulate": "cumsum",
    "multiply.accumulate": "cumprod",
}  # fmt: skip

# Functions of numpy.linalg that take the last two axes, unlike their namesakes in numpy.
_OF_LAST_AXES = {"diagonal", "trace"}

# Questions about values; then those about shapes and dtypes, and new arrays: the answer has no gradient to lose.
_ABOUT_NUMBERS = {
    "allclose", "argwhere", "array_equal", "array_equiv", "bincount", "count_nonzero", "digitize", "flatnonzero",
    "histogram", "histogram_bin_edges", "isclose", "nonzero", "unique",
}  # fmt: skip
_WITHOUT_GRADIENT = _ABOUT_NUMBERS | {
    "array2string", "array_repr", "array_str", "can_cast", "diag_indices_from", "empty_like", "iscomplex",
    "iscomplexobj", "isreal", "isrealobj", "may_share_memory", "ndim", "ones_like", "result_type", "shape",
    "shares_memory", "size", "tril_indices_from", "triu_indices_from", "zeros_like",
}  # fmt: skip


def _counterpart(name: str) -> Operation | None:
    name = _NAMES.get(name, name)
    return getattr(ops, name) if name in ops.__all__ else None


def _operation_of(func: Function) -> Operation | None:
    """Return the operation that has the name of a function of numpy or numpy.linalg."""
    excepted = _OF_LAST_AXES if func.__module__ == "numpy.linalg" else ()
    known = func.__module__ in ("numpy", "numpy.linalg", "numpy.fft") and func.__name__ not in excepted
    return _counterpart(func.__name__) if known else None


def unsupported(spelled: str) -> TypeError:
    """Return the error of a function that would read the data of nodes without recording anything."""
    cure = equivalent(spelled.rpartition(".")[2]) or "; use a function of autograd, or detach() first if none is wanted"
    return TypeError(f"{spelled} is not supported on nodes, as it would lose the gradient{cure}")


def names_of_numpy() -> tuple[list[str], list[str]]:
    """Return the functions of NumPy that record nodes, and those that answer without a gradient.

    All others raise TypeError on nodes, or return nodes because they consist of operators and recorded functions.
    What asks for a Python number, such as ``np.float64(x)`` or ``np.random.normal(x)``, calls ``float(x)``.

    >>> records, answers = names_of_numpy()
    >>> "np.tanh" in records, "np.linalg.norm" in records, "np.shape" in answers
    (True, True, True)
    """
    modules = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft}
    functions = {f"{prefix}.{name}": getattr(m, name) for prefix, m in modules.items() for name in sorted(dir(m))}
    ufuncs = {name for name, f in functions.items() if isinstance(f, np.ufunc) and _counterpart(f.__name__)}
    others = {name for name, f in functions.items() if hasattr(f, "_implementation") and _operation_of(f)}
    return [name for name in functions if name in ufuncs | others], [f"np.{name}" for name in sorted(_WITHOUT_GRADIENT)]


def array_ufunc(self: Node, ufunc: np.ufunc, method: str, *inputs: Operand, **kwargs: Operand) -> Operand:
    """Answer NumPy's `__array_ufunc__` protocol with the operation of the same name."""
    has_objects = any(isinstance(a, np.ndarray) and a.dtype == object for a in inputs)
    if has_objects and not any(isinstance(x, Node) for x in kwargs.get("out", ())):
        return getattr(ufunc, method)(*map(boxed, inputs), **kwargs)
    if ufunc in (np.positive, np.conjugate) and not kwargs:
        return self
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    function = _counterpart(name)
    if function is None:
        raise unsupported(f"np.{name}")
    given = {key: value for key, value in kwargs.items() if value is not None}
    if method != "__call__":
        given["axis"] = kwargs.get("axis", 0)
        if not given.get("keepdims"):  # which cumsum does not take
            given.pop("keepdims", None)
    if strange := given.keys() - inspect.signature(function).parameters.keys():
        raise TypeError(f"np.{name} on nodes takes no {', '.join(sorted(strange))}: results are always new nodes")
    return function(*inputs, **given)


def array_function(self: Node, func: Function, types: Iterable[type], args: Sequence[Tree], kwargs: Params) -> Operand:
    """Answer NumPy's `__array_function__` protocol with the operation of the same name."""
    spelled = f"{func.__module__}.{func.__name__}".replace("numpy", "np", 1)
    if func.__module__ == "numpy" and func.__name__ in _WITHOUT_GRADIENT:
        if func.__name__ in _ABOUT_NUMBERS:
            notify_read(self, f"{spelled}()")
        plain = {name: raw_data(value) for name, value in kwargs.items()}
        return func(*map(raw_data, args), **plain)
    function = _operation_of(func)
    if func in (np.real, np.real_if_close):
        return self
    if function is None:
        raise unsupported(spelled)
    args, kwargs = _in_our_words(spelled, func, function, args, kwargs)
    if function is ops.norm and _is_of_matrices(*args, **kwargs):
        function = ops.matrix_norm
    return function(*args, **kwargs)


@functools.cache
def _signature(function: Function) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except ValueError:  # some of NumPy's functions in C tell nothing
        return None


def _in_our_words(
    spelled: str, func: Function, function: Operation, args: Sequence[Tree], kwargs: Params
) -> tuple[Sequence[Tree], Params]:
    """Return the arguments of a NumPy function as its counterpart takes them; what it does not take raises."""
    signature, ours = _signature(func), _signature(function)
    if signature is None or ours is None:
        return args, kwargs
    required = [p for p in ours.parameters.values() if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    operands: list[Tree] = []
    options: dict[str, object] = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            operands.extend(value)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            options.update(value)
        elif len(operands) < len(required):
            operands.append(value)
        elif value is not signature.parameters[name].default and name != "optimize":
            options[name] = value
    options = translated(spelled, ours.parameters, options)
    if strange := sorted(options.keys() - ours.parameters.keys()):
        raise TypeError(f"{spelled} on nodes takes no {', '.join(strange)}")
    return operands, options


def _is_of_matrices(x: Operand, ord: object = None, axis: object = None, keepdims: bool = False) -> bool:
    """Return whether np.linalg.norm means a norm of matrices other than that of their elements."""
    two = np.ndim(raw_data(x)) == 2 if axis is None else isinstance(axis, tuple) and len(axis) == 2
    if ord not in (None, "fro") and np.ndim(raw_data(x)) > 2 and axis is None:
        raise ValueError("np.linalg.norm with ord expected a vector or a matrix; pass the axes")
    return two and ord not in (None, "fro")


COMPARABLE = (Node, np.ndarray, np.generic, numbers.Number, list, tuple)  # with other types, == is Python's


def reflected(function: Operation) -> Operation:
    """Return an operation of two operands as the operator of its second operand."""

    def operator(self: Operand, other: Operand) -> Operand:
        return function(other, self)

    return operator


class ElementwiseMethods(Node):
    """Operators and methods that exist for floats and for arrays."""

    __slots__ = ()

    __add__: Operation = ops.add
    __sub__: Operation = ops.subtract
    __mul__: Operation = ops.multiply
    __truediv__: Operation = ops.divide
    __pow__: Operation = ops.power
    __mod__: Operation = ops.mod
    __floordiv__: Operation = ops.floor_divide
    __neg__: Operation = ops.negative
    __abs__: Operation = ops.absolute
    __lt__: Operation = ops.less
    __le__: Operation = ops.less_equal
    __gt__: Operation = ops.greater
    __ge__: Operation = ops.greater_equal
    __and__: Operation = ops.bitwise_and
    __or__: Operation = ops.bitwise_or
    __invert__: Operation = ops.invert
    __round__: Operation = ops.round

    def __eq__(self, other: object) -> Operand:
        return ops.equal(self, other) if isinstance(other, COMPARABLE) else NotImplemented

    def __ne__(self, other: object) -> Operand:
        return ops.not_equal(self, other) if isinstance(other, COMPARABLE) else NotImplemented

    # by identity, since a comparison is an operation
    __hash__: Callable[[], int] = Node.__hash__  # type: ignore[assignment]

    __radd__: Operation = reflected(ops.add)
    __rsub__: Operation = reflected(ops.subtract)
    __rmul__: Operation = reflected(ops.multiply)
    __rtruediv__: Operation = reflected(ops.divide)
    __rpow__: Operation = reflected(ops.power)
    __rmod__: Operation = reflected(ops.mod)
    __rfloordiv__: Operation = reflected(ops.floor_divide)
    __rand__: Operation = reflected(ops.bitwise_and)
    __ror__: Operation = reflected(ops.bitwise_or)

    def __divmod__(self, other: Operand) -> tuple[Operand, Operand]:
        return self // other, self % other

    def __rdivmod__(self, other: Operand) -> tuple[Operand, Operand]:
        return other // self, other % self

    def __pos__(self) -> Operand:
        return self

    conj: Operation = __pos__  # NumPy calls these on the elements of an object array
    conjugate: Operation = __pos__

    def __xor__(self, other: Operand) -> Operand:
        raise TypeError("^ is not supported: write a power as x**y, and the difference of two masks as a != b")

    __rxor__: Operation = __xor__

    absolute: Operation = ops.absolute
    abs: Operation = ops.absolute
    pow: Operation = ops.power
    exp: Operation = ops.exp
    exp2: Operation = ops.exp2
    expm1: Operation = ops.expm1
    log: Operation = ops.log
    log1p: Operation = ops.log1p
    log2: Operation = ops.log2
    log10: Operation = ops.log10
    logaddexp: Operation = ops.logaddexp
    sqrt: Operation = ops.sqrt
    rsqrt: Operation = ops.rsqrt
    square: Operation = ops.square
    reciprocal: Operation = ops.reciprocal
    sigmoid: Operation = ops.sigmoid
    relu: Operation = ops.relu
    leaky_relu: Operation = ops.leaky_relu
    softplus: Operation = ops.softplus
    maximum: Operation = ops.maximum
    minimum: Operation = ops.minimum
    fmod: Operation = ops.fmod
    clip: Operation = ops.clip
    clamp: Operation = ops.clip
    # NumPy calls methods of these names on the elements of an object array.
    sin: Operation = ops.sin
    cos: Operation = ops.cos
    tan: Operation = ops.tan
    asin: Operation = ops.asin
    arcsin: Operation = ops.asin
    acos: Operation = ops.acos
    arccos: Operation = ops.acos
    atan: Operation = ops.atan
    arctan: Operation = ops.atan
    atan2: Operation = ops.atan2
    arctan2: Operation = ops.atan2
    hypot: Operation = ops.hypot
    sinh: Operation = ops.sinh
    cosh: Operation = ops.cosh
    tanh: Operation = ops.tanh
    asinh: Operation = ops.asinh
    arcsinh: Operation = ops.asinh
    acosh: Operation = ops.acosh
    arccosh: Operation = ops.acosh
    atanh: Operation = ops.atanh
    arctanh: Operation = ops.atanh
    erf: Operation = ops.erf
    elements: Operation = elements
    sign: Operation = ops.sign
    floor: Operation = ops.floor
    ceil: Operation = ops.ceil
    round: Operation = ops.round
    rint: Operation = ops.round
    isnan: Operation = ops.isnan
    isinf: Operation = ops.isinf
    isfinite: Operation = ops.isfinite
    logical_not: Operation = ops.logical_not
    logical_and: Operation = ops.logical_and
    logical_or: Operation = ops.logical_or

    __array_ufunc__: Operation = array_ufunc
    __array_function__: Operation = array_function

    def _set_name(self, value: str) -> None:
        self.name = value

    # Names of micrograd.
    label: property = property(attrgetter("name"), _set_name, doc="The name, as micrograd calls it.")
    _prev: property = property(lambda self: tuple(x for x in self.args if isinstance(x, Node)), doc="The operands.")
    _op: property = property(lambda self: "" if self.op is None else self.op.symbol, doc="The operation's symbol.")


class Size(int):
    """The number of elements of an array, which returns its shape or the length of an axis if it is called."""

    _lengths: Shape

    def __new__(cls, data: Array) -> "Size":  # noqa: D102  (described by the class)
        size = super().__new__(cls, data.size)
        size._lengths = data.shape
        return size

    def __call__(self, dim: int | None = None) -> int | Shape:
        """Return the shape, or the length along one axis."""
        return self._lengths if dim is None else self._lengths[dim]


class ArrayMethods(ElementwiseMethods):
    """Operators and methods that need an array."""

    __slots__ = ()

    # Properties implemented in C cost a fifth of a Python function.
    shape: property = property(attrgetter("_value.shape"), doc="Length along each axis.")
    ndim: property = property(attrgetter("_value.ndim"), doc="Number of axes.")
    dtype: property = property(attrgetter("_value.dtype"), doc="Type of the elements.")

    T: property = property(ops.transpose, doc="The axes reversed.")
    mT: property = property(ops.swapaxes, doc="The last two axes exchanged.")  # noqa: N815  (NumPy's name)

    @property
    def size(self) -> Size:
        """Number of elements; called with an axis, ``t.size(0)``, the length along it, as in PyTorch."""
        return Size(self._value)

    __matmul__: Operation = ops.matmul

    __rmatmul__: Operation = reflected(ops.matmul)
    __getitem__: Operation = ops.getitem

    sum: Operation = ops.sum
    mean: Operation = ops.mean
    var: Operation = ops.var
    std: Operation = ops.std
    max: Operation = ops.max
    amax: Operation = ops.max
    min: Operation = ops.min
    amin: Operation = ops.min
    argmax: Operation = ops.argmax
    argmin: Operation = ops.argmin
    any: Operation = ops.any
    all: Operation = ops.all
    logsumexp: Operation = ops.logsumexp
    softmax: Operation = ops.softmax
    log_softmax: Operation = ops.log_softmax
    prod: Operation = ops.prod
    cumsum: Operation = ops.cumsum
    cumprod: Operation = ops.cumprod
    sort: Operation = ops.sort
    argsort: Operation = ops.argsort
    norm: Operation = ops.norm

    matmul: Operation = ops.matmul
    mm: Operation = ops.matmul
    dot: Operation = ops.dot
    outer: Operation = ops.outer
    trace: Operation = ops.trace
    inv: Operation = ops.inv
    inverse: Operation = ops.inv
    det: Operation = ops.det
    cholesky: Operation = ops.cholesky

    swapaxes: Operation = ops.swapaxes
    moveaxis: Operation = ops.moveaxis
    movedim: Operation = ops.moveaxis
    expand_dims: Operation = ops.expand_dims
    unsqueeze: Operation = ops.expand_dims
    squeeze: Operation = ops.squeeze
    flatten: Operation = ops.flatten
    ravel: Operation = ops.flatten
    broadcast_to: Operation = ops.broadcast_to
    tile: Operation = ops.tile
    repeat: Operation = ops.repeat
    repeat_interleave: Operation = ops.repeat
    flip: Operation = ops.flip
    roll: Operation = ops.roll
    tril: Operation = ops.tril
    triu: Operation = ops.triu
    diag: Operation = ops.diag
    diagonal: Operation = ops.diagonal
    split: Operation = ops.split
    take: Operation = ops.take
    take_along_axis: Operation = ops.take_along_axis
    astype: Operation = ops.astype

    def float(self) -> Operand:
        """Return a float32 copy, as in PyTorch."""
        return ops.astype(self, np.float32)

    def double(self) -> Operand:
        """Return a float64 copy."""
        return ops.astype(self, np.float64)

    def reshape(self, *shape: int | Shape) -> Operand:
        """Return the elements in another shape, given as one tuple or as lengths."""
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    view: Operation = reshape

    def transpose(self, *axes: int | Shape) -> Operand:
        """Permute the axes as NumPy does; reversed by default."""
        return ops.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    permute: Operation = transpose

    def t(self) -> Operand:
        """Transpose a matrix; a vector is returned unchanged."""
        if self.ndim > 2:
            raise ValueError(f"t() takes a matrix, not shape {self.shape}; write .mT or .transpose(...)")
        return ops.transpose(self)

    def expand(self, *sizes: int | Shape) -> Operand:
        """Broadcast to these sizes, given as one tuple or as lengths; -1 keeps a length."""
        wanted = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
        held = (None,) * (len(wanted) - self.ndim) + self.shape
        pairs = zip(wanted, held, strict=False)  # broadcast_to raises if there are too few
        return ops.broadcast_to(self, tuple(h if w == -1 and h is not None else w for w, h in pairs))

    def index_add(self, index: Operand, values: Operand, source: Operand = None) -> Operand:
        """Return the tensor with values added at an index, or with PyTorch's arguments ``(dim, index, source)``."""
        if source is not None:
            index, values = (slice(None),) * (index % self.ndim) + (values,), source
        return ops.index_add(self, index, values)

    def clone(self) -> Operand:
        """Return a copy through which gradients pass."""
        return ops.astype(self, self.dtype)

    def masked_fill(self, mask: Operand, value: Operand) -> Operand:
        """Return `value` where `mask` is True and the elements of this tensor elsewhere."""
        return ops.where(mask, value, self)

    def numel(self) -> int:
        """Return the number of elements, as PyTorch calls it."""
        return self._value.size  # type: ignore[no-any-return]

    def dim(self) -> int:
        """Return the number of axes, as PyTorch calls it."""
        return self._value.ndim  # type: ignore[no-any-return]

    def numpy(self) -> Array:
        """Return a read-only view of the values."""
        notify_read(self, "numpy()")
        view = self._value.view()
        view.flags.writeable = False
        return view  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        notify_read(self, "tolist()")
        return self._value.tolist()
