"""Export of models as ONNX files, from their recorded graphs.

Most operations declare their ONNX operator, or a composition, in their decorator.  The forms in this module are those
that depend on shapes and parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np

import autograd as ag
from autograd import Node, Tensor, Value, topological_order
from autograd.extend import Watch, raw_data, watching
from autograd.files import write_atomically
from nn.module import Module, preserved_modes
from nn.typing import Array, ArrayLike, DType, FilePath, Operand, Operands, Operation, Shape

OPSET, IR_VERSION = 18, 8  # of 2023, supported by all current runtimes
TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 1e-2}


def export_onnx(path: FilePath, model: Module, *examples: Operand) -> Any:
    """Write a model in evaluation mode as an ONNX file.

    Parameters
    ----------
    path : str or Path
        The file; an existing one is replaced atomically.
    model : Module
        A module whose `forward` takes arrays and returns a `Tensor` or a tuple of them.
    *examples : array_like
        One array for each argument of `forward`, with the shape and dtype of the exported inputs.  The number of rows
        is left open if the graph for twice as many rows is the same.

    Returns
    -------
    onnx.ModelProto
        The exported model.

    Raises
    ------
    ValueError
        If an operation has no form in ONNX, the output does not depend on the examples, `forward` passes values that
        depend on them to Python (by ``.data``, ``float()`` or ``if``), or the exported model would compute other values
        (because `forward` draws random ones).  The file is not written then.
    ImportError
        If the extra ``chainrule[io]`` is not installed.

    Notes
    -----
    The graph that `autograd` records is exported: layers, functions and operators.  Fused operations are written as
    compositions.  The result is checked by ``onnx.checker`` with shape inference, and ``onnx.reference`` must compute
    the values of the model from it: for the examples, for other values, and for more rows if their number is open.

    Examples
    --------
    >>> import tempfile
    >>> import nn
    >>> model = nn.Sequential(nn.Linear(4, 3, rng=0), nn.ReLU())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     proto = export_onnx(f"{folder}/model.onnx", model, np.ones((2, 4)))
    >>> len(proto.graph.node) > 0
    True
    """
    try:
        import onnx
        import onnx.reference
    except ImportError:
        raise ImportError("ONNX files need the package onnx: pip install 'chainrule[io]'") from None
    inputs = [_example(x) for x in examples]
    if not inputs:
        raise ValueError("give one example for each argument of forward: export_onnx(path, model, x)")
    with preserved_modes(model):
        model.eval()
        rows = _open_rows(onnx, model, inputs)
        proto = _model(onnx, model, inputs, rows)
        onnx.checker.check_model(proto, full_check=True)
        runner = onnx.reference.ReferenceEvaluator(proto)
        others = [_changed(x) for x in inputs]
        for arguments in (inputs, others):
            _compare(runner, model, arguments)
        if rows:
            _compare(runner, model, [np.concatenate(pair) for pair in zip(inputs, others, strict=True)])
    write_atomically(path, proto.SerializeToString())
    return proto


def _example(x: Operand) -> Array:
    array = _array(x).copy()
    if array.dtype.kind not in "biuf":
        raise TypeError(f"an example must be a numeric array, got dtype {array.dtype}")
    return array


def _changed(x: Array) -> Array:
    """Return other values of an example in the same range: smaller floats, mirrored integers, inverted booleans."""
    if x.dtype.kind == "b" or not x.size:
        return np.logical_not(x) if x.size else x
    return np.asarray(x * x.dtype.type(0.75) if x.dtype.kind == "f" else x.max() - x + x.min())


def _array(thing: Operand) -> Array:
    """Return the data of a node, or anything else, as an array."""
    return np.asarray(thing.data if isinstance(thing, (Tensor, Value)) else thing)


class _Tracing(Watch):
    """Records all operations, and refuses to give Python code values that depend on the inputs."""

    records_all = True

    def __init__(self, inputs: list[Tensor]) -> None:
        self.dependent: set[Node] = set(inputs)

    def with_grad(self, enabled: bool) -> Watch:
        return self

    def _is_dependent(self, args: Operands) -> bool:
        return any(isinstance(arg, Node) and arg in self.dependent for arg in args)

    def on_record(self, op: Any, args: Operands, raw: Operands, node: Any) -> None:
        if self._is_dependent(args):
            self.dependent.add(node)

    def on_read(self, node: Node, how: str) -> None:
        if node in self.dependent:
            self._refuse(f"{how} of {f'the result of {node.op.name}' if node.op else 'the input'}")

    def callback(self, function: Operation, args: Operands) -> Operand:
        result = super().callback(function, args)
        if result is not None and self._is_dependent(args):
            self._refuse(f"what {function.__name__}() computes from the input")
        return result

    guard = callback  # branches on values of the input

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(
            f"cannot export {what}: forward passes values of the graph to Python, and the file would contain them as "
            "constants; use operations, such as h / h.max() for h / float(h.data.max()), and where(mask, a, b) for if"
        )


def _called(model: Module, inputs: Sequence[Operand]) -> list[Operand]:
    made = model(*inputs)
    return list(made) if isinstance(made, (tuple, list)) else [made]


def _model(onnx: Any, model: Module, inputs: list[Array], rows: list[Any]) -> Any:
    """Return the ONNX model, with the first lengths of inputs and outputs in `rows` if they are open."""
    nodes = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    with watching(_Tracing(nodes)):
        outputs = _called(model, nodes)
    builder = Builder(onnx, model)
    several = len(nodes) > 1
    for i, node in enumerate(nodes):
        builder.known[node] = f"input_{i}" if several else "input"
    reached = set(topological_order(*[out for out in outputs if isinstance(out, Node)]))
    if not reached & set(nodes):
        raise ValueError("the output does not depend on the examples by any recorded operation")
    names = []
    for i, output in enumerate(outputs):
        names.append(f"output_{i}" if len(outputs) > 1 else "output")
        builder.add("Identity", builder.value(output), into=names[-1])

    def described(name: str, node: Operand, first: list[Any]) -> Any:
        array = _array(node)
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        return onnx.helper.make_tensor_value_info(name, kind, [*first, *array.shape[len(first) :]])

    ends = [*zip([builder.known[node] for node in nodes], nodes, strict=True), *zip(names, outputs, strict=True)]
    infos = [described(*end, first) for end, first in zip(ends, rows or [[]] * len(ends), strict=True)]
    graph = onnx.helper.make_graph(
        builder.nodes, type(model).__name__, infos[: len(nodes)], infos[len(nodes) :], list(builder.constants.values())
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph, producer_name="chainrule", ir_version=IR_VERSION, opset_imports=opset)


def _open_rows(onnx: Any, model: Module, inputs: list[Array]) -> list[Any]:
    """Return the first axis of each input and output if the graph is the same for one and for twice as many rows."""
    if any(x.ndim == 0 for x in inputs):
        return []
    try:
        variants = (inputs, [np.concatenate([x, x]) for x in inputs], [x[:1] for x in inputs])
        one, two, single = (_model(onnx, model, variant, []).graph for variant in variants)
    except (ValueError, IndexError, TypeError):
        return []
    if any(list(one.node) != list(g.node) or list(one.initializer) != list(g.initializer) for g in (two, single)):
        return []
    names = {n: f"rows_{i}" if i else "rows" for i, n in enumerate(dict.fromkeys(len(x) for x in inputs))}
    first = []
    for ends in zip([*one.input, *one.output], [*two.input, *two.output], strict=True):
        rows, more = ([d.dim_value for d in end.type.tensor_type.shape.dim[:1]] for end in ends)
        first.append(rows if rows == more else [names.get(n) if more == [2 * n] else None for n in rows])
    return first


def _compare(runner: Any, model: Module, inputs: list[Array]) -> None:
    """Raise an error if the exported model computes other values than the model."""
    outputs = _called(model, [Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs])
    # onnx computes erf in float32 for every dtype
    rough = any(node.op_type == "Erf" for node in runner.proto_.graph.node)
    found = runner.run(None, dict(zip(runner.input_names, inputs, strict=True)))
    for name, ours, theirs in zip(runner.output_names, outputs, found, strict=True):
        wanted = _array(ours)
        near = max(TOLERANCE.get(wanted.dtype.name, 0.0), 1e-5 * rough)
        scale = np.max(np.abs(wanted), initial=1.0, where=np.isfinite(wanted))
        if theirs.shape != wanted.shape or not np.allclose(theirs, wanted, near, near * scale, equal_nan=True):
            raise ValueError(f"the exported model computes another {name!r}: forward must depend on its inputs only")


# ------------------------------------------------------------------------------------ recorded operations as ONNX nodes


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


def _cumsum(b: Builder, node: Node) -> str:
    name, axis = b.value(node.args[0]), node.params["axis"]
    name = b.add("Reshape", name, b.integers(-1)) if axis is None else name
    return b.add("CumSum", name, b.constant(np.int64(axis or 0)))


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
        if full != _shape(arg):  # Einsum does not broadcast
            name = b.add("Expand", name, b.integers(*full))
        names.append(name)
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
    left = len(np.broadcast_shapes(*[_shape(old[axis]) for axis in chosen]))  # axes that all of them leave together
    apart = left > 0 and places[-1] - places[0] >= len(places)
    place = 0 if apart else min(chosen, default=0)
    name = _take(b, name, len(old), [(axis, old[axis]) for axis in chosen], left, place)
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
    "affine": _affine, "astype": _cast, "broadcast_to": _expand, "cast": _cast, "concatenate": _concatenate,
    "cumsum": _cumsum, "einsum": _einsum, "fmod": lambda b, node: operator(b, node, "Mod", fmod=1), "pad": _pad,
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
            name = self.shared[key] = name or f"constant_{len(self.constants)}"
            native = array.astype(array.dtype.newbyteorder("="), order="C")
            self.constants[name] = self.numpy_helper.from_array(native, name)
        return self.shared[key]

    def integers(self, *numbers: int) -> str:
        """Return the name of a constant list of integers, such as axes or a shape."""
        return self.constant(np.array(numbers, np.int64))

    def value(self, thing: Operand, dtype: DType = None) -> str:
        """Return the name of the value of a node or constant, cast to `dtype` if necessary."""
        if not isinstance(thing, Node):
            return self.constant(np.asarray(thing, dtype), "" if dtype else self.names.get(id(thing), ""))
        if thing not in self.known:
            for node in topological_order(thing):  # arguments first
                if node not in self.known:
                    self.known[node] = self.translated(node)
        name, has = self.known[thing], _dtype(thing)
        return name if dtype is None or has == dtype else self.cast(name, dtype)

    def cast(self, name: str, dtype: DType) -> str:
        """Return the name of a value cast to another dtype."""
        return self.add("Cast", name, to=self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

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
