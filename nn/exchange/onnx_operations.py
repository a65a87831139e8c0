"""Recorded operations as ONNX nodes.

Most operations declare their ONNX operator, or a composition, in their decorator.  This module translates the declared
operators, and the operations whose ONNX form depends on shapes and parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

import autograd as ag
from autograd import Node, Tensor, topological_order
from autograd.extend import raw_data
from nn.module import Module
from nn.typing import ArrayLike, DType, Operand, Operation, Shape

Form: TypeAlias = Callable[["Builder", Node], str]  # returns the name of the value of a node


def _dtype(thing: Operand) -> np.dtype[Any]:
    return np.asarray(raw_data(thing)).dtype


def _shape(thing: Operand) -> Shape:
    return np.shape(raw_data(thing))


def operator(b: Builder, node: Node, kind: str, **attributes: Any) -> str:
    """Add one ONNX operator for a node and return the name of its output."""
    if kind.startswith("Reduce"):
        return _reduction(b, node, kind)
    if kind.startswith("Arg"):
        return _position(b, node, kind)
    if "axis" in node.params:
        return b.add(kind, b.value(node.args[0]), axis=int(node.params["axis"]))
    dtype = _dtype(node)
    if kind in ("And", "Or", "Not"):
        dtype = np.dtype(bool)
    elif dtype.kind == "b":  # a comparison, whose operands must have one dtype in ONNX
        dtype = np.result_type(*[raw_data(a) for a in node.args])
        dtype = np.dtype(np.int64) if dtype.kind == "b" and kind != "Equal" else dtype
    return b.add(kind, *[b.value(a, dtype) for a in node.args], **attributes)


def _reduction(b: Builder, node: Node, kind: str) -> str:
    axis, logical = node.params["axis"], _dtype(node).kind == "b"
    name = b.value(node.args[0], _dtype(node))
    name = b.cast(name, np.int32) if logical else name  # ReduceMax and ReduceMin do not accept bool
    axes = () if axis is None else (b.integers(*np.atleast_1d(axis)),)
    name = b.add(kind, name, *axes, keepdims=int(node.params["keepdims"]))
    return b.cast(name, np.bool_) if logical else name


def _position(b: Builder, node: Node, kind: str) -> str:
    name, axis = b.value(node.args[0]), node.params["axis"]
    if axis is not None:
        return b.add(kind, name, axis=int(axis), keepdims=int(node.params["keepdims"]))
    found = b.add(kind, b.add("Reshape", name, b.integers(-1)), axis=0, keepdims=0)
    return b.add("Reshape", found, b.integers(*_shape(node)))


def _where(b: Builder, node: Node) -> str:
    mask, x, y = node.args
    return b.add("Where", b.value(mask, np.bool_), b.value(x, _dtype(node)), b.value(y, _dtype(node)))


def _cast(b: Builder, node: Node) -> str:
    return b.value(node.args[0], _dtype(node))


# --------------------------------------------------------------------------------------------------- shaping


def _affine(b: Builder, node: Node) -> str:
    x, weight, bias = [b.value(a, _dtype(node)) for a in node.args]
    if len(_shape(node.args[0])) == 2:
        return b.add("Gemm", x, weight, bias, transB=1)
    return b.add("Add", b.add("MatMul", x, b.add("Transpose", weight, perm=[1, 0])), bias)


def _transpose(b: Builder, node: Node) -> str:
    numbered = np.empty(tuple(range(len(_shape(node)))))  # axis i has length i, so the result's shape is the order
    assert node.op is not None
    order = node.op.forward(numbered, **node.params).shape
    return b.add("Transpose", b.value(node.args[0]), perm=list(order))


def _reshape(b: Builder, node: Node) -> str:
    """Reshape with 0 for leading lengths that stay, and -1 for the first other one, so that the rows can vary."""
    before, after, wanted = _shape(node.args[0]), _shape(node), node.params["shape"]
    shape = list(after if wanted is None or 0 in after else map(int, np.atleast_1d(wanted)))
    kept = 0
    while kept < min(len(before), len(after)) and before[kept] == after[kept]:
        kept += 1
    if 0 not in after:
        shape[:kept] = [0] * kept
        if kept == 0 and shape and -1 not in shape:
            shape[0] = -1
    return b.add("Reshape", b.value(node.args[0]), b.integers(*shape))


def _expand(b: Builder, node: Node) -> str:
    """Broadcast with 1 for the lengths that stay, so that the rows can vary."""
    after = _shape(node)
    before = (1,) * (len(after) - len(_shape(node.args[0]))) + _shape(node.args[0])
    shape = [1 if n == m else m for n, m in zip(before, after, strict=True)]
    return b.add("Expand", b.value(node.args[0]), b.integers(*shape))


def _concatenate(b: Builder, node: Node) -> str:
    return b.add("Concat", *[b.value(a, _dtype(node)) for a in node.args], axis=int(node.params["axis"]))


def _stack(b: Builder, node: Node) -> str:
    axis = int(node.params["axis"]) % len(_shape(node))
    parts = [b.add("Unsqueeze", b.value(a, _dtype(node)), b.integers(axis)) for a in node.args]
    return b.add("Concat", *parts, axis=axis)


def _pad(b: Builder, node: Node) -> str:
    width = node.params["width"]
    ends = [before for before, _ in width] + [after for _, after in width]
    return b.add("Pad", b.value(node.args[0]), b.integers(*ends), mode="constant")


def _triangle(b: Builder, node: Node) -> str:
    assert node.op is not None
    upper = int(node.op.name == "triu")
    return b.add("Trilu", b.value(node.args[0]), b.constant(np.int64(node.params["k"])), upper=upper)


def _einsum(b: Builder, node: Node) -> str:
    equation, lengths = node.params["subscripts"], dict[str, int]()
    groups = equation.split("->")[0].split(",")
    for group, arg in zip(groups, node.args, strict=True):
        for letter, n in zip(group, _shape(arg), strict=True):
            lengths[letter] = max(n, lengths.get(letter, n)) if lengths.get(letter, n) else 0
    names = []
    for group, arg in zip(groups, node.args, strict=True):
        name, full = b.value(arg, _dtype(node)), tuple(lengths[letter] for letter in group)
        names.append(
            name if full == _shape(arg) else b.add("Expand", name, b.integers(*full))
        )  # Einsum does not broadcast
    return b.add("Einsum", *names, equation=equation)


# -------------------------------------------------------------------------------------------------- indexing


FAR = 2**62  # beyond the end of any array, for slices without an end


def _getitem(b: Builder, node: Node) -> str:
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


def _slice(b: Builder, name: str, slices: list[tuple[int, slice]]) -> str:
    rows = []
    for axis, part in slices:
        step = 1 if part.step is None else part.step
        first, last = (0, FAR) if step > 0 else (FAR, -FAR)
        if part != slice(None):
            rows.append(
                (first if part.start is None else part.start, last if part.stop is None else part.stop, axis, step)
            )
    return b.add("Slice", name, *[b.integers(*column) for column in zip(*rows, strict=True)]) if rows else name


def _take(b: Builder, name: str, ndim: int, taken: list[tuple[int, Operand]], left: int, place: int) -> str:
    """Index axes with integers and arrays, which leave `left` axes at `place`."""
    if left == 0 or len(taken) == 1:
        for axis, part in reversed(taken):  # from the last axis, so that removed axes do not shift the others
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


def _index(b: Builder, part: Operand) -> str:
    if _dtype(part).kind == "b":
        if isinstance(part, Node) or np.ndim(part) != 1:
            raise ValueError("indexing with a mask is exported only for a constant mask of one axis")
        part = np.flatnonzero(part)
    return b.value(part, np.int64)


FORMS: dict[str, Form] = {
    "affine": _affine, "astype": _cast, "cast": _cast, "concatenate": _concatenate, "einsum": _einsum, "pad": _pad,
    "broadcast_to": _expand,
    "cumsum": lambda b, node: b.add("CumSum", b.value(node.args[0]), b.constant(np.int64(node.params["axis"]))),
    "fmod": lambda b, node: operator(b, node, "Mod", fmod=1),
    "getitem": _getitem, "reshape": _reshape, "stack": _stack, "swapaxes": _transpose, "transpose": _transpose,
    "tril": _triangle, "triu": _triangle, "where": _where,
}  # fmt: skip


class Builder:
    """The ONNX nodes and constants so far, and the name of the value of each translated node."""

    def __init__(self, onnx: Any, model: Module) -> None:
        self.helper: Any = onnx.helper
        self.numpy_helper: Any = onnx.numpy_helper
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.known: dict[Node, str] = {}
        self.shared: dict[object, str] = {}
        self.names: dict[int, str] = {id(p): name for name, p in model.named_parameters()}
        self.names |= {id(array): name for name, array in model.named_buffers()}

    def add(self, kind: str, *inputs: str, into: str = "", **attributes: object) -> str:
        """Add a node and return the name of its output."""
        name = into or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array: ArrayLike, name: str = "") -> str:
        """Return the name of a constant array; equal arrays are stored once."""
        array = np.asarray(array)
        key = name or (array.dtype.str, array.shape, array.tobytes())
        if key not in self.shared:
            self.shared[key] = name or f"constant_{len(self.constants)}"
            tensor = self.numpy_helper.from_array(
                array.astype(array.dtype.newbyteorder("="), order="C"), self.shared[key]
            )
            self.constants[self.shared[key]] = tensor
        return self.shared[key]

    def integers(self, *numbers: int) -> str:
        """Return the name of a constant list of integers, such as axes or a shape."""
        return self.constant(np.array(numbers, np.int64))

    def value(self, thing: Operand, dtype: DType = None) -> str:
        """Return the name of the value of a node or constant, cast to `dtype` if necessary."""
        if not isinstance(thing, Node):
            return self.constant(np.asarray(thing, dtype), "" if dtype else self.names.get(id(thing), ""))
        if thing not in self.known:
            self.walk(thing)
        name, has = self.known[thing], _dtype(thing)
        return name if dtype is None or has == dtype else self.cast(name, dtype)

    def cast(self, name: str, dtype: DType) -> str:
        """Return the name of a value cast to another dtype."""
        return self.add("Cast", name, to=self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def walk(self, root: Node) -> None:
        """Translate all nodes that a node depends on, arguments first."""
        for node in topological_order(root):
            if node not in self.known:
                self.known[node] = self.translated(node)

    def translated(self, node: Node) -> str:
        """Return the name of the value of one node, whose arguments are translated."""
        if node.op is None:
            return self.constant(raw_data(node), self.names.get(id(node), ""))
        op = node.op
        if op.name in FORMS:
            return FORMS[op.name](self, node)
        if "onnx" in op.forms:
            return operator(self, node, op.forms["onnx"])
        return self.composed(node, op.forms.get("composition", op.forward))

    def composed(self, node: Node, function: Operation) -> str:
        """Return the name of the value of a node, computed by a function of other operations."""
        assert node.op is not None
        fresh = []
        for arg in node.args:
            if isinstance(arg, Node):
                name, data = self.value(arg), np.asarray(raw_data(arg))
                arg = ag.as_tensor(data) if data.dtype.kind != "f" else Tensor(data, requires_grad=True)
                self.known[arg] = name
            fresh.append(arg)
        try:
            result = function(*fresh, **node.params)
        except TypeError:  # it converts a Tensor to a number
            result = None
        made = [x.op for x in topological_order(result)] if isinstance(result, Node) else [None]
        if made[-1] is None or node.op in made:
            raise ValueError(f"the operation {node.op.name!r} has no form in ONNX, so the model cannot be exported")
        return self.value(result)
