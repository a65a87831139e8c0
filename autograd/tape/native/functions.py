"""NumPy's functions of `ShapedArray`s: reductions, products, and those that choose, join or fill."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import FUNCTIONS, Code, ShapedArray, converted, kind_of, loop_for, operands_of
from .instructions import SELECT, Instruction, merged

__all__: list[str] = []

# Initial values of floats; NumPy returns 0.0 for the sum of -0.0.
NEUTRAL: dict[np.ufunc, float] = {np.add: float(np.add.reduce([-0.0])), np.multiply: 1.0}


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


def product(code: Code, x: Any, y: Any, out: Any = None) -> ShapedArray:
    """Return a matrix product, by the loop that calls BLAS."""
    arrays, dtypes, _ = operands_of(code, np.matmul, (x, y), out)
    a, b = [z.memory for z in arrays]
    has_rows, has_columns = a.ndim > 1, b.ndim > 1
    a, b = a if has_rows else a[None], b if has_columns else b[:, None]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    n, k, m = a.shape[-2], a.shape[-1], b.shape[-1]
    if k != b.shape[-2]:
        raise TypeError("shapes do not match")
    shape = lead + (n,) * has_rows + (m,) * has_columns
    if k == 1 and out is None and dtypes[-1].kind == "f":  # for which the loop does not call BLAS
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
    found = whole.like(whole.memory.reshape(shape))
    if out is not None:
        code.copy(found, out)
        return out  # type: ignore[no-any-return]
    return found


def where(code: Code, mask: Any, x: Any, y: Any) -> ShapedArray:
    """Return the elements of `x` where a mask is true, and of `y` elsewhere."""
    kinds = [kind_of(x), kind_of(y)]
    dtype = np.result_type(*[np.empty((), kind) if isinstance(kind, np.dtype) else kind(0) for kind in kinds])
    mask = mask if kind_of(mask) == np.dtype(bool) else np.not_equal(mask, 0)
    arrays = [converted(code, mask, np.dtype(bool)), converted(code, x, dtype), converted(code, y, dtype)]
    out = code.new(np.broadcast_shapes(*[a.shape for a in arrays]), dtype)
    arrays = [(a if a.shape == out.shape else code.spread(a, out.shape)).contiguous() for a in arrays]
    code.loop((SELECT[dtype.itemsize], 0), [*arrays, out], out.shape)
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


def triangle(code: Code, x: ShapedArray, mask: Any) -> ShapedArray:
    """Return a matrix with zeros where a mask is false."""
    return where(code, mask, x, x.dtype.type(0))


def of_memory(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that needs shapes and dtypes alone."""
    return lambda _, *args: function(*[x.memory if isinstance(x, ShapedArray) else x for x in args])


def view_by(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose result is a view of its first argument."""
    return lambda _, x, *args, **options: x.like(function(x.memory, *args, **options))


def reduction(ufunc: np.ufunc) -> Callable[..., ShapedArray]:
    """Return the function that reduces along all axes by default."""
    return lambda _, x, axis=None, keepdims=False, initial=None: reduced(ufunc, x, axis, bool(keepdims), initial)


def rounded(code: Code, x: ShapedArray, decimals: int = 0) -> ShapedArray:
    """Return whole numbers."""
    if decimals:
        raise TypeError("decimals")
    return np.rint(x)  # type: ignore[return-value]


FUNCTIONS |= {f: of_memory(f) for f in (np.shape, np.ndim, np.size, np.result_type, np.may_share_memory)}
FUNCTIONS |= {
    f: view_by(f)
    for f in (np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.broadcast_to, np.diagonal)
}
FUNCTIONS |= {
    "reduce": reduced,
    np.matmul: product,
    np.dot: lambda code, x, y: product(code, x, y) if np.ndim(x) and np.ndim(y) in (1, 2) else x * y,
    np.where: where,
    np.concatenate: joined,
    np.stack: lambda code, xs, axis=0: joined(code, [np.expand_dims(x, axis) for x in xs], axis),
    np.round: rounded,
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
    np.tril: lambda code, x, k=0: triangle(code, x, np.tri(x.shape[-2], x.shape[-1], k, bool)),
    np.triu: lambda code, x, k=0: triangle(code, x, ~np.tri(x.shape[-2], x.shape[-1], k - 1, bool)),
    np.empty_like: filled(None),
    np.zeros_like: filled(0.0),
    np.ones_like: filled(1.0),
}
