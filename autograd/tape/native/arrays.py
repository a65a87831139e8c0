"""Arrays that record which loops NumPy would call for them, so that an operation needs no second definition.

The forward function of an operation is called with `ShapedArray`s, which have a shape and a dtype but no values.  Each
NumPy function on them appends instructions to a `Code`.  Functions that are not supported raise `TypeError`; the
machine then calls the operation itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.typing import Array, DType, Shape

from .fusing import form
from .instructions import Instruction, Loop, Operand, kernel, loop_of, merged

# Initial values of floats; NumPy returns 0.0 for the sum of -0.0.
NEUTRAL: dict[np.ufunc, float] = {np.add: float(np.add.reduce([-0.0])), np.multiply: 1.0}


class Code:
    """The instructions of a program and the sizes of its buffers."""

    def __init__(self) -> None:
        self.instructions: list[Any] = []
        self.sizes: list[int] = []
        self.constants: dict[int, Array] = {}
        self.assumed: bool | None = None  # the answer to conditions, in a guard
        self.inputs: int = 0  # the number of buffers of inputs, which come first
        self.parts: dict[int, tuple[int, int]] = {}  # buffers that are part of another one, with their offset there
        self._known: dict[tuple[str, bytes, Shape], ShapedArray] = {}

    def new(self, shape: Shape, dtype: Any, weak: bool = False) -> ShapedArray:
        """Return a new array with a buffer of its own."""
        whole = np.empty(shape, dtype)
        self.sizes.append(whole.nbytes)
        return ShapedArray(self, len(self.sizes) - 1, whole, whole.ctypes.data, weak)

    def constant(self, value: Any, dtype: DType) -> ShapedArray:
        """Return an array with these values."""
        data = np.ascontiguousarray(np.asarray(value).astype(dtype)).reshape(np.shape(value))
        key = (data.dtype.char, data.tobytes(), data.shape)
        if key not in self._known:
            self._known[key] = x = self.new(data.shape, dtype)
            self.constants[x.buffer] = data
        return self._known[key]

    def join(self, x: ShapedArray, out: ShapedArray) -> None:
        """Copy an array into a part of another, or let it be computed there."""
        is_whole = x.memory.nbytes == self.sizes[x.buffer] and x.memory.flags.c_contiguous
        is_free = x.buffer >= self.inputs and x.buffer not in self.constants and x.buffer not in self.parts
        if is_whole and is_free and out.memory.flags.c_contiguous and x.dtype == out.dtype and x.size:
            self.parts[x.buffer] = out.operand()[:2]
        else:
            out.assign(x)

    def placed(self, x: Operand) -> Operand:
        """Return an operand in the buffer that its own is a part of."""
        while x.buffer in self.parts:
            buffer, offset = self.parts[x.buffer]
            x = Operand(buffer, offset + x.offset, x.strides)
        return x

    def loop(self, loop: Loop, arrays: Sequence[ShapedArray], shape: Shape, elementwise: bool = True) -> None:
        """Append the calls of a function of arrays that are broadcast to a shape, of which the last is written.

        The function itself loops over the last dimension, and the interpreter over two more.
        """
        if 0 in shape:
            return
        dims, columns = merged(shape, [np.broadcast_to(x.memory, shape).strides for x in arrays])
        lead = 3 - len(dims)
        if lead < 0:
            raise TypeError(f"strides along {dims}")
        outer, rows, length = (1,) * lead + dims
        columns = [(0,) * lead + c for c in columns]
        operands = tuple([x.operand(c[0], c[1]) for x, c in zip(arrays, columns, strict=True)])
        steps = tuple([c[2] for c in columns])
        self.instructions.append(Instruction(loop, operands, (length,), steps, (outer, rows), elementwise))

    def call(self, loop: Loop, arrays: Sequence[ShapedArray], dims: Shape) -> None:
        """Append one call of a function that is not elementwise."""
        operands = tuple([x.operand() for x in arrays])
        self.instructions.append(Instruction(loop, operands, dims, (0,) * len(arrays), (1, 1), False))

    def copy(self, x: ShapedArray, out: ShapedArray) -> None:
        """Copy `x`, which is broadcast, into an array of the same dtype."""
        kind = {1: "b", 4: "f", 8: "d"}.get(x.itemsize, x.dtype.char)
        self.loop(form("copy", f"{kind}->{kind}"), [x, out], out.shape)


class ShapedArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array without values: a view of a buffer.

    `memory` is never read: it has the shape, the strides and the dtype, and its buffer begins at the address `start`.
    A `weak` array is a Python float, which does not determine the dtype of a result.
    """

    def __init__(self, code: Code, buffer: int, memory: Array, start: int, weak: bool = False) -> None:
        self.code: Code = code
        self.buffer: int = buffer
        self.memory: Array = memory
        self.start: int = start
        self.weak: bool = weak and memory.shape == ()

    records_loops: bool = True
    shape: property = property(lambda self: self.memory.shape)
    ndim: property = property(lambda self: self.memory.ndim)
    size: property = property(lambda self: self.memory.size)
    dtype: property = property(lambda self: self.memory.dtype)
    itemsize: property = property(lambda self: self.memory.itemsize)
    T: property = property(lambda self: self.like(self.memory.T))

    def __len__(self) -> int:
        return len(self.memory)

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        raise TypeError("an array without values")

    __float__: Any = __array__
    __int__: Any = __array__
    __index__: Any = __array__
    __iter__: Any = __array__

    def __bool__(self) -> bool:
        """Assume the answer to a condition of a guard, and let the program check it in each run."""
        if self.code.assumed is None or self.memory.shape or self.dtype.char != "?":
            raise TypeError("an array without values")
        condition: Any = self if self.code.assumed else np.logical_not(self)
        self.code.call(kernel("holds"), (condition,), (1,))
        return self.code.assumed

    def operand(self, stride0: int = 0, stride1: int = 0) -> Operand:
        """Return where it begins, as an operand."""
        offset = self.memory.__array_interface__["data"][0] - self.start
        return self.code.placed(Operand(self.buffer, offset, (stride0, stride1)))

    def like(self, view: Array, weak: bool | None = None) -> ShapedArray:
        """Return a view of the same buffer."""
        return ShapedArray(self.code, self.buffer, view, self.start, self.weak if weak is None else weak)

    # -------------------------------------------------------------------------------------- methods of arrays

    def view(self, dtype: Any) -> ShapedArray:
        """Return the same bytes as another dtype."""
        return self.like(self.memory.view(dtype))

    def copy(self) -> ShapedArray:
        """Return a contiguous copy."""
        out = self.code.new(self.shape, self.dtype, self.weak)
        self.code.copy(self, out)
        return out

    def astype(self, dtype: Any) -> ShapedArray:
        """Return a converted copy."""
        wanted = np.dtype(dtype)
        if wanted == self.dtype:
            return self.copy()
        if wanted.char == "?":
            return np.not_equal(self, 0)  # type: ignore[return-value]
        out = self.code.new(self.shape, wanted)
        self.code.loop(form(self.dtype.char, f"{self.dtype.char}->{wanted.char}"), [self, out], self.shape)
        return out

    def contiguous(self) -> ShapedArray:
        """Return this array, or a copy if its elements are not consecutive."""
        return self if self.memory.flags.c_contiguous else self.copy()

    def reshape(self, *shape: Any) -> ShapedArray:
        """Return a view or a copy with another shape."""
        found = self.memory.reshape(*shape)
        is_view = not self.size or np.may_share_memory(found, self.memory)
        return self.like(found) if is_view else self.copy().reshape(*shape)

    def _reduced(self, ufunc: np.ufunc, axis: Any = None, keepdims: bool = False) -> ShapedArray:
        return self.__array_ufunc__(ufunc, "reduce", self, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]

    sum: Any = functools.partialmethod(_reduced, np.add)
    all: Any = functools.partialmethod(_reduced, np.logical_and)
    any: Any = functools.partialmethod(_reduced, np.logical_or)

    def mean(self, axis: Any = None, keepdims: bool = False) -> ShapedArray:
        """Return means along axes."""
        total = self.sum(axis, keepdims)
        return total / (self.size // max(1, total.size))  # type: ignore[no-any-return]

    def __getitem__(self, key: Any) -> ShapedArray:
        parts = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(part, ARRAYS) for part in parts):
            return self.like(self.memory[parts if Ellipsis in parts else (*parts, ...)])  # never a scalar
        positions, rest = self._located(parts)
        out = self.code.new(positions.shape + rest, self.dtype)
        self.contiguous()._move("gather", positions, out)
        return out

    def __setitem__(self, key: Any, value: Any) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, ARRAYS) for part in parts):
            self._put("put", parts, value)
        else:
            self[key].assign(value)

    def assign(self, value: Any) -> None:
        """Write values into this array."""
        value = value if isinstance(value, ShapedArray) else self.code.constant(value, self.dtype)
        self.code.copy(converted(self.code, value, self.dtype), self)

    def _put(self, function: str, key: tuple[Any, ...], value: Any) -> None:
        """Write rows to some positions, or add them."""
        if not self.memory.flags.c_contiguous:
            raise TypeError("indices of a view")
        positions, rest = self._located(key)
        rows = self.code.new(positions.shape + rest, self.dtype)
        rows.assign(value)
        self._move(function, positions, rows)

    def _move(self, function: str, positions: ShapedArray, rows: ShapedArray) -> None:
        if rows.itemsize % 4:
            raise TypeError(f"rows of {rows.dtype}")
        if rows.size:
            unit = rows.itemsize if function.startswith("scatter") else 4
            size = rows.memory.nbytes // unit // positions.size
            self.code.call(kernel(function, size), (self, positions, rows), (positions.size,))

    def _located(self, key: tuple[Any, ...]) -> tuple[ShapedArray, Shape]:
        """Return the positions of rows, for arrays of indices along the first axes, and the shape of a row."""
        if not all(isinstance(part, ARRAYS) for part in key):
            raise TypeError("a mixture of indices and slices")
        code, kind = self.code, np.dtype(np.int64)
        indices = [part if isinstance(part, ShapedArray) else np.asarray(part) for part in key]
        shape = np.broadcast_shapes(*[i.shape for i in indices])
        flat = code.constant(0, kind)
        for length, index in zip(self.shape, indices, strict=False):
            index = index if isinstance(index, ShapedArray) else code.constant(index, index.dtype)
            if index.dtype != kind:
                raise TypeError(f"an index of dtype {index.dtype}")
            start, flat = flat, code.new(shape, kind)
            code.loop(kernel("locate", length), [start, index, flat], shape)
        return flat, self.shape[len(indices) :]

    # -------------------------------------------------------------------------------------- NumPy's protocols

    def __pow__(self, exponent: Any) -> ShapedArray:
        special = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}  # as ndarray.__pow__
        if type(exponent) in (int, float) and exponent in special and self.dtype.kind == "f":
            return special[exponent](self)  # type: ignore[return-value]
        return np.power(self, exponent)  # type: ignore[no-any-return]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method == "at" and ufunc is np.add:
            target, key, value = inputs
            return target._put(f"scatter {target.dtype.char}", key if isinstance(key, tuple) else (key,), value)
        if method == "reduce":
            return reduced(ufunc, *inputs, **options)
        if method != "__call__" or ufunc.nout != 1 or options.keys() - {"out"}:
            raise TypeError(f"np.{ufunc.__name__}.{method} with {list(options)}")
        (out,) = options.get("out", (None,))
        if ufunc is np.matmul and out is None:
            return product(self.code, *inputs)
        if ufunc.signature is not None:
            raise TypeError(ufunc.__name__)
        code = self.code
        arrays, dtypes, weak = operands_of(code, ufunc, inputs, out)
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
        if out is None:
            out = code.new(shape, dtypes[-1], weak and dtypes[-1].char == "d")
        elif type(out) is not ShapedArray or out.dtype != dtypes[-1] or out.shape != shape:
            raise TypeError(f"an output of another dtype or shape {out.dtype, out.shape, dtypes, shape}")
        # The power of Python floats is that of C, which NumPy's loop may round differently.
        code.loop(loop_for(np.float_power if weak and ufunc is np.power else ufunc, dtypes), [*arrays, out], shape)
        return out

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in FUNCTIONS:
            raise TypeError(f"np.{function.__name__} is not supported")
        return FUNCTIONS[function](self.code, *args, **kwargs)


ARRAYS = (ShapedArray, np.ndarray, list)


def loop_for(ufunc: np.ufunc, dtypes: Sequence[DType]) -> Loop:
    """Return the loop of a ufunc for the dtypes of its operands and its result."""
    chars = "".join(d.char for d in dtypes)
    return loop_of(ufunc, f"{chars[: ufunc.nin]}->{chars[ufunc.nin :]}")


def operands_of(code: Code, ufunc: np.ufunc, inputs: Sequence[Any], out: Any) -> tuple[list[ShapedArray], Any, bool]:
    """Return operands of the dtypes that NumPy's loop takes, and whether all are Python floats."""
    kinds = [kind_of(x) for x in inputs]
    weak = not any(isinstance(kind, np.dtype) for kind in kinds)
    if weak:
        kinds = [np.dtype(float) if kind is float else kind for kind in kinds]
    dtypes = ufunc.resolve_dtypes((*kinds, None if out is None else out.dtype))
    arrays = [converted(code, x, dtype) for x, dtype in zip(inputs, dtypes, strict=False)]
    return arrays, dtypes, weak


def kind_of(x: Any) -> Any:
    """Return the dtype of an operand, or the type of a Python number."""
    if isinstance(x, ShapedArray):
        return float if x.weak else x.dtype
    return type(x) if type(x) in (float, int, bool) else np.asarray(x).dtype


def converted(code: Code, x: Any, dtype: DType) -> ShapedArray:
    """Return an operand as an array of a dtype."""
    if not isinstance(x, ShapedArray):
        return code.constant(x, dtype)
    return x if x.dtype == dtype else x.astype(dtype)


def reduced(
    ufunc: np.ufunc, x: ShapedArray, axis: Any = 0, keepdims: bool = False, initial: Any = None, **others: Any
) -> ShapedArray:
    """Return a reduction along axes, in NumPy's order."""
    if any(value is not None for value in others.values()):
        raise TypeError(f"a reduction with {others}")
    dtypes = ufunc.resolve_dtypes((None, x.dtype, None), reduction=True)
    x = converted(x.code, x, dtypes[1])
    axes = range(x.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    if not axes:
        return x.copy()
    kept = x.code.new(tuple([1 if i in axes else n for i, n in enumerate(x.shape)]), dtypes[0])
    source = x.memory
    if initial is None and x.dtype.kind == "f":
        initial = NEUTRAL.get(ufunc) if x.size else ufunc.identity
    if initial is not None:
        kept.assign(initial)
    elif not x.size:
        raise TypeError("a reduction of nothing")
    elif len(axes) == 1:
        before = (slice(None),) * axes[0]
        x.code.copy(x[(*before, slice(1))], kept)
        source = source[(*before, slice(1, None))]
    else:
        for i in axes:
            x = x if x.shape[i] == 1 else reduced(ufunc, x, i, True)
        return x if keepdims else x.like(x.memory.squeeze(tuple(axes)))
    x.code.loop(loop_for(ufunc, dtypes), (kept, x.like(source), kept), source.shape, elementwise=False)
    return kept if keepdims else kept.like(kept.memory.squeeze(tuple(axes)))


def product(code: Code, x: Any, y: Any) -> ShapedArray:
    """Return a matrix product, by the loop that calls BLAS."""
    arrays, dtypes, _ = operands_of(code, np.matmul, (x, y), None)
    a, b = [z.memory for z in arrays]
    has_rows, has_columns = a.ndim > 1, b.ndim > 1
    a, b = a if has_rows else a[None], b if has_columns else b[:, None]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    n, k, m = a.shape[-2], a.shape[-1], b.shape[-1]
    if k != b.shape[-2]:
        raise TypeError("shapes do not match")
    shape = lead + (n,) * has_rows + (m,) * has_columns
    if k == 1 and dtypes[-1].kind == "f":  # for which the loop does not call BLAS
        return (arrays[0].like(a) * arrays[1].like(b) + 0.0).reshape(shape)  # type: ignore[no-any-return]
    whole = code.new((*lead, n, m), dtypes[-1])
    views = [np.broadcast_to(v, lead + v.shape[-2:]) for v in (a, b, whole.memory)]
    dims, strides = merged(lead, [v.strides[:-2] for v in views])
    if len(dims) > 2:
        raise TypeError(f"strides along {dims}")
    outer = [(0, *s)[-2:] for s in strides]
    operands = tuple([z.operand(*s) for z, s in zip((*arrays, whole), outer, strict=True)])
    if whole.size:
        steps = (0, 0, 0, *sum([v.strides[-2:] for v in views], ()))
        loop = loop_for(np.matmul, dtypes)
        code.instructions.append(Instruction(loop, operands, (1, n, k, m), steps, (1, *dims)[-2:], False))  # type: ignore[arg-type]
    return whole.like(whole.memory.reshape(shape))


def where(code: Code, mask: Any, x: Any, y: Any) -> ShapedArray:
    """Return the elements of `x` where a mask is true, and of `y` elsewhere."""
    kinds = [kind_of(x), kind_of(y)]
    dtype = np.result_type(*[np.empty((), kind) if isinstance(kind, np.dtype) else kind(0) for kind in kinds])
    mask = mask if kind_of(mask) == np.dtype(bool) else np.not_equal(mask, 0)
    arrays = [converted(code, mask, np.dtype(bool)), converted(code, x, dtype), converted(code, y, dtype)]
    out = code.new(np.broadcast_shapes(*[a.shape for a in arrays]), dtype)
    kind = {4: "f", 8: "d"}.get(dtype.itemsize, dtype.char)  # integers are not changed either
    code.loop(form("select", f"?{kind}{kind}->{kind}"), [*arrays, out], out.shape)
    return out


def joined(code: Code, xs: Sequence[Any], axis: int = 0) -> ShapedArray:
    """Return arrays one after another."""
    dtype = np.result_type(*[x.memory if isinstance(x, ShapedArray) else x for x in xs])
    arrays = [converted(code, x, dtype) for x in xs]
    shape = list(arrays[0].shape)
    shape[axis] = sum([x.shape[axis] for x in arrays])
    out, end = code.new(tuple(shape), dtype), 0
    for x in arrays:
        key: list[Any] = [slice(None)] * len(shape)
        key[axis] = slice(end, end := end + x.shape[axis])
        code.join(x, out[tuple(key)])
    return out


def filled(value: float | None) -> Callable[..., ShapedArray]:
    """Return the function that makes an array of one value, or without values."""

    def like(code: Code, x: ShapedArray, dtype: Any = None, shape: Any = None) -> ShapedArray:
        out = code.new(x.shape if shape is None else shape, x.dtype if dtype is None else dtype)
        if value is not None:
            out.assign(value)
        return out

    return like


def of_memory(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that needs shapes and dtypes alone."""
    return lambda _, *args: function(*[x.memory if isinstance(x, ShapedArray) else x for x in args])


def view_by(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose result is a view of its first argument."""
    return lambda _, x, *args, **options: x.like(function(x.memory, *args, **options))


def reduction(ufunc: np.ufunc) -> Callable[..., ShapedArray]:
    """Return the function that reduces along all axes by default."""
    return lambda _, x, axis=None, keepdims=False, initial=None: reduced(ufunc, x, axis, bool(keepdims), initial)


FUNCTIONS: dict[Any, Callable[..., Any]] = {  # how NumPy's functions are recorded
    **{f: of_memory(f) for f in (np.shape, np.ndim, np.size, np.result_type)},
    **{f: view_by(f) for f in (np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.broadcast_to)},
    np.matmul: product,
    np.dot: lambda code, x, y: product(code, x, y) if np.ndim(x) and np.ndim(y) in (1, 2) else x * y,
    np.where: where,
    np.concatenate: joined,
    np.stack: lambda code, xs, axis=0: joined(code, [np.expand_dims(x, axis) for x in xs], axis),
    np.reshape: lambda code, x, shape: x.reshape(shape),
    np.ravel: lambda code, x: x.reshape(-1),
    np.clip: lambda code, x, low, high: np.minimum(np.maximum(x, low), high),
    np.mean: lambda code, x, axis=None, keepdims=False: x.mean(axis, keepdims),
    np.sum: reduction(np.add),
    np.prod: reduction(np.multiply),
    np.max: reduction(np.maximum),
    np.min: reduction(np.minimum),
    np.any: reduction(np.logical_or),
    np.all: reduction(np.logical_and),
    np.empty_like: filled(None),
    np.zeros_like: filled(0.0),
    np.ones_like: filled(1.0),
}
