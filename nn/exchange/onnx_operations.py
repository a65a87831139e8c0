"""Our operations in the words of ONNX: those it has, and compositions for those it has not.

A native form is a function of the builder and the recorded node; a composition is a function of the operation's own
arguments, in elementary operations, which are then translated in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd as ag
from autograd import Node
from nn.functional.fused import COMPOSITIONS

__all__ = ["COMPOSED", "NATIVE"]

Form = Callable[[Any, Any], Any]  # of the builder and a node, returns the name of the value


def _data(thing: Any) -> Any:
    return getattr(thing, "data") if isinstance(thing, Node) else thing  # noqa: B009  (Node itself declares no data)


def _dtype(thing: Any) -> Any:
    return np.asarray(_data(thing)).dtype


def _shape(thing: Any) -> tuple[int, ...]:
    return np.shape(_data(thing))


def _elementwise(kind: str, **attributes: Any) -> Form:
    """All arguments in the result's number type."""
    return lambda b, node: b.add(kind, *[b.value(a, _dtype(node)) for a in node.args], **attributes)


def _comparison(kind: str, negated: bool = False) -> Form:
    """All arguments in their common number type."""

    def form(b: Any, node: Any) -> Any:
        common = np.result_type(*[_data(a) for a in node.args])
        common = np.dtype(np.int64) if common.kind == "b" and kind != "Equal" else common
        name = b.add(kind, *[b.value(a, common) for a in node.args])
        return b.add("Not", name) if negated else name

    return form


def _of_type(kind: str, dtype: Any = None) -> Form:
    """Arguments as they are, or all in one number type."""
    return lambda b, node: b.add(kind, *[b.value(a, dtype) for a in node.args])


def _where(b: Any, node: Any) -> Any:
    mask, x, y = node.args
    return b.add("Where", b.value(mask, np.bool_), b.value(x, _dtype(node)), b.value(y, _dtype(node)))


# ------------------------------------------------------------------------------------------------ reductions


def _axes(axis: Any) -> list[int]:
    return [] if axis is None else [int(axis)] if np.ndim(axis) == 0 else [int(a) for a in axis]


def _reduction(kind: str, of_truth: bool = False) -> Form:
    def form(b: Any, node: Any) -> Any:
        axes = _axes(node.params["axis"])
        name = b.value(node.args[0], _dtype(node))
        name = b.cast(name, np.int32) if of_truth else name  # which has a largest and a smallest, unlike bool
        name = b.add(kind, name, *([b.integers(*axes)] if axes else []), keepdims=int(node.params["keepdims"]))
        return b.cast(name, np.bool_) if of_truth else name

    return form


def _position(kind: str) -> Form:
    def form(b: Any, node: Any) -> Any:
        (x,), axis = node.args, node.params["axis"]
        name = b.value(x)
        if axis is None:
            name, axis = b.add("Reshape", name, b.integers(-1)), 0
            found = b.add(kind, name, axis=0, keepdims=0)
            return b.add("Reshape", found, b.integers(*_shape(node)))
        return b.add(kind, name, axis=int(axis), keepdims=int(node.params.get("keepdims", False)))

    return form


def _along(kind: str) -> Form:
    return lambda b, node: b.add(kind, b.value(node.args[0]), axis=int(node.params["axis"]))


# --------------------------------------------------------------------------------------------------- shaping


def _affine(b: Any, node: Any) -> Any:
    x, weight, bias = [b.value(a, _dtype(node)) for a in node.args]
    if len(_shape(node.args[0])) == 2:
        return b.add("Gemm", x, weight, bias, transB=1)
    return b.add("Add", b.add("MatMul", x, b.add("Transpose", weight, perm=[1, 0])), bias)


def _transpose(b: Any, node: Any) -> Any:
    axes, ndim = node.params["axes"], len(_shape(node))
    order = reversed(range(ndim)) if axes is None else [a % ndim for a in axes]
    return b.add("Transpose", b.value(node.args[0]), perm=[int(a) for a in order])


def _swapaxes(b: Any, node: Any) -> Any:
    order = list(range(len(_shape(node))))
    i, j = node.params["axis1"], node.params["axis2"]
    order[i], order[j] = order[j], order[i]
    return b.add("Transpose", b.value(node.args[0]), perm=order)


def _concatenate(b: Any, node: Any) -> Any:
    return b.add("Concat", *[b.value(a, _dtype(node)) for a in node.args], axis=int(node.params["axis"]))


def _stack(b: Any, node: Any) -> Any:
    axis = int(node.params["axis"]) % len(_shape(node))
    parts = [b.add("Unsqueeze", b.value(a, _dtype(node)), b.integers(axis)) for a in node.args]
    return b.add("Concat", *parts, axis=axis)


def _pad(b: Any, node: Any) -> Any:
    width = node.params["width"]
    ends = [before for before, _ in width] + [after for _, after in width]
    return b.add("Pad", b.value(node.args[0]), b.integers(*ends), mode="constant")


def _triangle(upper: bool) -> Form:
    return lambda b, node: b.add(
        "Trilu", b.value(node.args[0]), b.constant(np.int64(node.params["k"])), upper=int(upper)
    )


def _einsum(b: Any, node: Any) -> Any:
    equation, lengths = node.params["subscripts"], dict[str, int]()
    groups = equation.split("->")[0].split(",")
    for group, arg in zip(groups, node.args, strict=True):
        for letter, n in zip(group, _shape(arg), strict=True):
            lengths[letter] = max(n, lengths.get(letter, n)) if lengths.get(letter, n) else 0
    names = []
    for group, arg in zip(groups, node.args, strict=True):
        name, full = b.value(arg, _dtype(node)), tuple(lengths[letter] for letter in group)
        names.append(name if full == _shape(arg) else b.add("Expand", name, b.integers(*full)))  # ONNX stretches none
    return b.add("Einsum", *names, equation=equation)


# -------------------------------------------------------------------------------------------------- indexing


FAR = 2**62  # beyond any array, as a slice without an end has it


def _getitem(b: Any, node: Any) -> Any:
    """Slices, then integers and index arrays, then new axes."""
    x, *parts = node.args
    used = sum(p is not None and p is not Ellipsis for p in parts)
    at = next((i for i, p in enumerate(parts) if p is Ellipsis), len(parts))
    parts[at : at + 1] = [slice(None)] * (len(_shape(x)) - used)
    old = [p for p in parts if p is not None]
    name = _slice(b, b.value(x), [(axis, p) for axis, p in enumerate(old) if isinstance(p, slice)])
    chosen = [axis for axis, p in enumerate(old) if not isinstance(p, slice)]
    # NumPy: index arrays side by side leave their axes in place, separated ones leave them in front
    places = [i for i, p in enumerate(parts) if p is not None and not isinstance(p, slice)]
    apart = bool(places) and places[-1] - places[0] >= len(places)
    left = len(np.broadcast_shapes(*[_shape(old[axis]) for axis in chosen]))  # axes that all of them leave together
    apart = apart and left > 0
    name = _take(
        b, name, len(old), [(axis, old[axis]) for axis in chosen], left, 0 if apart else min(chosen, default=0)
    )
    if len(old) == len(parts):
        return name
    lengths = [1 if p is None or isinstance(p, slice) else 0 for p in parts]
    if places and not apart:
        lengths[places[0]] = left
    new = [left * apart + sum(lengths[:i]) for i, p in enumerate(parts) if p is None]
    return b.add("Unsqueeze", name, b.integers(*new))


def _slice(b: Any, name: str, slices: list[Any]) -> Any:
    rows = []
    for axis, part in slices:
        step = 1 if part.step is None else part.step
        first, last = (0, FAR) if step > 0 else (FAR, -FAR)
        if part != slice(None):
            rows.append(
                (first if part.start is None else part.start, last if part.stop is None else part.stop, axis, step)
            )
    return b.add("Slice", name, *[b.integers(*column) for column in zip(*rows, strict=True)]) if rows else name


def _take(b: Any, name: str, ndim: int, taken: list[Any], left: int, place: int) -> Any:
    """Index axes by numbers and arrays, which leave so many axes at a place."""
    if left == 0 or len(taken) == 1:
        for axis, part in reversed(taken):  # from behind, so that axes that vanish shift nobody
            name = b.add("Gather", name, _index(b, part), axis=axis)
        return name
    axes, shape = [axis for axis, _ in taken], np.broadcast_shapes(*[_shape(part) for _, part in taken])
    columns = [
        b.add("Unsqueeze", b.add("Expand", _index(b, part), b.integers(*shape)), b.integers(left)) for _, part in taken
    ]
    name = b.add("Transpose", name, perm=axes + [axis for axis in range(ndim) if axis not in axes])
    name = b.add("GatherND", name, b.add("Concat", *columns, axis=left))
    rest = list(range(left, left + ndim - len(axes)))
    return b.add("Transpose", name, perm=rest[:place] + list(range(left)) + rest[place:])


def _index(b: Any, part: Any) -> Any:
    if _dtype(part).kind == "b":
        if isinstance(part, Node) or np.ndim(part) != 1:
            raise ValueError("indexing with a mask is exported only for a constant mask of one axis")
        part = np.flatnonzero(part)
    return b.value(part, np.int64)


NATIVE: dict[str, Form] = {
    **{name: _elementwise(kind) for name, kind in {
        "absolute": "Abs", "acos": "Acos", "acosh": "Acosh", "add": "Add", "asin": "Asin", "asinh": "Asinh",
        "atan": "Atan", "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "det": "Det", "divide": "Div",
        "erf": "Erf", "exp": "Exp", "floor": "Floor", "log": "Log", "matmul": "MatMul", "maximum": "Max",
        "minimum": "Min", "multiply": "Mul", "negative": "Neg", "passed_through": "Identity", "power": "Pow",
        "reciprocal": "Reciprocal", "relu": "Relu", "round": "Round", "sigmoid": "Sigmoid", "sign": "Sign",
        "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh",
    }.items()},
    "fmod": _elementwise("Mod", fmod=1),
    "equal": _comparison("Equal"), "not_equal": _comparison("Equal", negated=True), "greater": _comparison("Greater"),
    "greater_equal": _comparison("GreaterOrEqual"), "less": _comparison("Less"),
    "less_equal": _comparison("LessOrEqual"), "where": _where,
    "isnan": _of_type("IsNaN"), "isinf": _of_type("IsInf"), "logical_not": _of_type("Not", np.bool_),
    "logical_and": _of_type("And", np.bool_), "logical_or": _of_type("Or", np.bool_),
    "astype": lambda b, node: b.value(node.args[0], _dtype(node)),
    "cast": lambda b, node: b.value(node.args[0], _dtype(node)),
    "sum": _reduction("ReduceSum"), "mean": _reduction("ReduceMean"), "max": _reduction("ReduceMax"),
    "min": _reduction("ReduceMin"), "prod": _reduction("ReduceProd"), "logsumexp": _reduction("ReduceLogSumExp"),
    "any": _reduction("ReduceMax", of_truth=True), "all": _reduction("ReduceMin", of_truth=True),
    "argmax": _position("ArgMax"), "argmin": _position("ArgMin"),
    "softmax": _along("Softmax"), "log_softmax": _along("LogSoftmax"),
    "cumsum": lambda b, node: b.add("CumSum", b.value(node.args[0]), b.constant(np.int64(node.params["axis"]))),
    "affine": _affine, "einsum": _einsum, "transpose": _transpose, "swapaxes": _swapaxes,
    "reshape": lambda b, node: b.add("Reshape", b.value(node.args[0]), b.integers(*_wanted(node))),
    "broadcast_to": lambda b, node: b.add("Expand", b.value(node.args[0]), b.integers(*_shape(node))),
    "concatenate": _concatenate, "stack": _stack, "pad": _pad, "getitem": _getitem,
    "tril": _triangle(False), "triu": _triangle(True),
}  # fmt: skip


def _wanted(node: Any) -> tuple[int, ...]:
    """Return the shape asked for, with -1 where the caller left it open, so that the number of rows can stay open."""
    shape = node.params["shape"]
    return () if shape is None else (int(shape),) if np.ndim(shape) == 0 else tuple(int(n) for n in shape)


# ----------------------------------------------------------------------------------------------- compositions


def _variance(x: Any, axis: Any, keepdims: bool, ddof: float) -> Any:
    deviation = x - ag.mean(x, axis=axis, keepdims=True)
    count = x.size if axis is None else math.prod(x.shape[a] for a in _axes(axis))
    return ag.sum(deviation * deviation, axis=axis, keepdims=keepdims) / (count - ddof)


def _norm(x: Any, ord: float, axis: Any, keepdims: bool) -> Any:
    size = ag.absolute(x)
    if ord == math.inf:
        return ag.max(size, axis=axis, keepdims=keepdims)
    return ag.sum(size**ord, axis=axis, keepdims=keepdims) ** (1.0 / ord)


def _sum_to(x: Any, shape: Any) -> Any:
    lead = x.ndim - len(shape or ())
    axes = (*range(lead), *(i + lead for i, n in enumerate(shape or ()) if n == 1 and x.shape[i + lead] != 1))
    return ag.reshape(ag.sum(x, axis=axes, keepdims=True) if axes else x, shape or ())


def _roll(x: Any, shift: Any, axis: Any) -> Any:
    if axis is None:
        return ag.reshape(_roll(ag.reshape(x, (-1,)), shift, 0), x.shape)
    axes = _axes(axis)
    for a, by in zip(axes, np.broadcast_to(shift, len(axes)), strict=True):
        a, cut = a % x.ndim, (-int(by)) % x.shape[a]
        before = (slice(None),) * a
        x = ag.concatenate([x[(*before, slice(cut, None))], x[(*before, slice(None, cut))]], axis=a)
    return x


def _softplus(x: Any) -> Any:
    return ag.log(1.0 + ag.exp(-ag.absolute(x))) + ag.maximum(x, 0.0)


def _elu(x: Any, alpha: Any = 1.0) -> Any:
    return ag.where(x > 0, x, alpha * (ag.exp(ag.minimum(x, 0.0)) - 1.0))


def _atan2(y: Any, x: Any) -> Any:
    return ag.atan(y / x) + ag.where(x < 0, ag.where(y < 0, -math.pi, math.pi), 0.0)


def _clamped_log(p: Any) -> Any:
    return ag.maximum(ag.log(ag.maximum(p, 1e-300 if p.dtype == np.float64 else 1e-38)), -100.0)


COMPOSED: dict[str, Callable[..., Any]] = {
    **COMPOSITIONS,
    "square": lambda x: x * x,
    "rsqrt": lambda x: 1.0 / ag.sqrt(x),
    "exp2": lambda x: ag.exp(x * math.log(2.0)),
    "expm1": lambda x: ag.exp(x) - 1.0,
    "log1p": lambda x: ag.log(1.0 + x),
    "log2": lambda x: ag.log(x) / math.log(2.0),
    "log10": lambda x: ag.log(x) / math.log(10.0),
    "logaddexp": lambda x, y: ag.maximum(x, y) + ag.log(1.0 + ag.exp(-ag.absolute(x - y))),
    "hypot": lambda x, y: ag.sqrt(x * x + y * y),
    "atan2": _atan2,
    "clip": lambda x, low, high: ag.minimum(ag.maximum(x, low), high),
    "product_if_taken": lambda g, x: ag.where(ag.equal(g, 0.0), 0.0, g * x),
    "isfinite": lambda x: ag.equal(x - x, 0.0),
    "log_abs_det": lambda x: ag.log(ag.absolute(ag.det(x))),
    "sign_of_det": lambda x: ag.sign(ag.det(x)),
    "var": _variance,
    "std": lambda x, axis, keepdims, ddof: ag.sqrt(_variance(x, axis, keepdims, ddof)),
    "norm": _norm,
    "sum_to": _sum_to,
    "roll": _roll,
    "leaky_relu": lambda x, negative_slope: ag.where(x > 0, x, negative_slope * x),
    "softplus": _softplus,
    "softplus_up_to": lambda x, beta, threshold: ag.where(beta * x > threshold, x, _softplus(beta * x) / beta),
    "elu": _elu,
    "celu": lambda x, alpha: ag.where(x > 0, x, alpha * (ag.exp(ag.minimum(x, 0.0) / alpha) - 1.0)),
    "selu": lambda x: 1.0507009873554804934193349852946 * _elu(x, 1.6732632423543772848170429916717),
    "gelu": lambda x: 0.5 * x * (1.0 + ag.erf(x * math.sqrt(0.5))),
    "gelu_by_tanh": lambda x: 0.5 * x * (1.0 + ag.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))),
    "silu": lambda x: x * ag.sigmoid(x),
    "mish": lambda x: x * ag.tanh(_softplus(x)),
    "softsign": lambda x: x / (1.0 + ag.absolute(x)),
    "tanhshrink": lambda x: x - ag.tanh(x),
    "logsigmoid": lambda x: -_softplus(-x),
    "hardtanh": lambda x, min_val, max_val: ag.minimum(ag.maximum(x, min_val), max_val),
    "hardsigmoid": lambda x: ag.minimum(ag.maximum(x + 3.0, 0.0), 6.0) / 6.0,
    "hardswish": lambda x: x * (ag.minimum(ag.maximum(x + 3.0, 0.0), 6.0) / 6.0),
    "slope_where_negative": lambda x, a: ag.where(x > 0, x, a * x),
    "softshrink": lambda x, lambd: x - ag.minimum(ag.maximum(x, -lambd), lambd),
    "hardshrink": lambda x, lambd: ag.where(ag.absolute(x) > lambd, x, 0.0),
    "hard_threshold": lambda x, threshold, value: ag.where(x > threshold, x, value),
    "x_log_x": lambda x: x * ag.log(ag.where(x > 0, x, 1.0)),
    "huber_of_difference": lambda d, delta: ag.where(
        ag.absolute(d) <= delta, 0.5 * d * d, delta * (ag.absolute(d) - 0.5 * delta)
    ),
    "log_factorial": lambda t: ag.where(
        t > 1.0, (t + 0.5) * ag.log(ag.maximum(t, 1.0)) - t + 0.5 * math.log(2.0 * math.pi), 0.0
    ),
    "log_cosh": lambda d: ag.absolute(d) + ag.log(1.0 + ag.exp(-2.0 * ag.absolute(d))) - math.log(2.0),
    "squared_error": lambda x, t: (x - t) * (x - t),
    "logit_cross_entropy": lambda z, t: _softplus(z) - t * z,
    "clamped_log": _clamped_log,
    "probability_cross_entropy": lambda p, t: -(t * _clamped_log(p) + (1.0 - t) * _clamped_log(1.0 - p)),
}
