"""Export of models as ONNX files, from their recorded graphs."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from autograd import Node, Tensor, Value, topological_order
from autograd.extend import Watch, watching
from autograd.files import replacing
from nn.files import FilePath
from nn.module import Module
from nn.module.modes import preserved_modes
from nn.typing import Array, Operand, Operands, Operation

from .onnx_operations import Builder

OPSET, IR_VERSION = 18, 8  # of 2023, supported by all current runtimes
TOLERANCE = {"float64": 1e-10, "float32": 1e-4, "float16": 1e-2}


def _library() -> Any:
    try:
        import onnx
        import onnx.reference
    except ImportError:
        raise ImportError("ONNX files need the package onnx: pip install 'chainrule[io]'") from None
    return onnx


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
    the values of the model from it: for the examples, for their rows in reverse order, for other values, and for more
    rows if their number is open.

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
    onnx = _library()
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
        for arguments in (inputs, [x[::-1] if x.ndim else x for x in inputs], others):
            _compare(runner, model, arguments)
        if rows:
            _compare(runner, model, [np.concatenate(pair) for pair in zip(inputs, others, strict=True)])
    with replacing(path) as file:
        file.write(proto.SerializeToString())
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


def _traced(model: Module, inputs: list[Array]) -> tuple[list[Tensor], list[Operand]]:
    """Run the model; return its inputs and outputs as nodes."""
    nodes = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    with watching(_Tracing(nodes)):
        return nodes, _called(model, nodes)


def _called(model: Module, inputs: Sequence[Operand]) -> list[Operand]:
    made = model(*inputs)
    return list(made) if isinstance(made, (tuple, list)) else [made]


def _model(onnx: Any, model: Module, inputs: list[Array], rows: list[Any]) -> Any:
    """Return the ONNX model, with the first lengths of inputs and outputs in `rows` if they are open."""
    nodes, outputs = _traced(model, inputs)
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
    lengths = list(dict.fromkeys(len(x) for x in inputs))
    names = {n: f"rows_{i}" if i else "rows" for i, n in enumerate(lengths)}
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
            raise ValueError(
                f"the exported model computes another {name!r} than {type(model).__name__}: when evaluating, forward "
                "must depend on its inputs only, and not draw random values"
            )
