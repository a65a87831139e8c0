"""Export of models as ONNX files, from their recorded graphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Node, Tensor, Value, topological_order
from nn.checkpoint.files import FilePath, replacing
from nn.module import Module
from nn.module.modes import preserved_modes
from nn.typing import Array, Operand

from .onnx_operations import Builder

__all__ = ["export_onnx"]

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
        If an operation has no form in ONNX, the output does not depend on the examples, or the exported model would
        compute other values (because `forward` reads values out of the graph, or draws random ones).  The file is not
        written then.
    ImportError
        If the extra ``chainrule[io]`` is not installed.

    Notes
    -----
    The graph that `autograd` records is exported: layers, functions and operators.  Fused operations are written as
    compositions.  The result is checked by ``onnx.checker`` with shape inference, and ``onnx.reference`` must compute
    the values of the model from it, for the examples and for their rows in reverse order.

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
        proto = _model(onnx, model, inputs, _open_rows(onnx, model, inputs))
        onnx.checker.check_model(proto, full_check=True)
        runner = onnx.reference.ReferenceEvaluator(proto)
        for arguments in (inputs, [x[::-1] if x.ndim else x for x in inputs]):
            _compare(runner, model, arguments)
    with replacing(path) as file:
        file.write(proto.SerializeToString())
    return proto


def _example(x: Operand) -> Array:
    array = _array(x).copy()
    if array.dtype.kind not in "biuf":
        raise TypeError(f"an example must be a numeric array, got dtype {array.dtype}")
    return array


def _array(thing: Operand) -> Array:
    """Return the data of a node, or anything else, as an array."""
    return np.asarray(thing.data if isinstance(thing, (Tensor, Value)) else thing)


def _traced(model: Module, inputs: list[Array]) -> tuple[list[Tensor], list[Tensor]]:
    """Run the model; return its inputs and outputs as nodes."""
    nodes = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    made = model(*nodes)
    return nodes, list(made) if isinstance(made, (tuple, list)) else [made]


def _model(onnx: Any, model: Module, inputs: list[Array], open_rows: list[Any]) -> Any:
    """Return the ONNX model, with the first axes of inputs and outputs open if `open_rows` is not empty."""
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

    graph = onnx.helper.make_graph(
        builder.nodes,
        type(model).__name__,
        [described(builder.known[node], node, ["rows"] if open_rows else []) for node in nodes],
        [described(*out) for out in zip(names, outputs, open_rows or [[]] * len(names), strict=True)],
        list(builder.constants.values()),
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph, producer_name="chainrule", ir_version=IR_VERSION, opset_imports=opset)


def _open_rows(onnx: Any, model: Module, inputs: list[Array]) -> list[Any]:
    """Return the first axis of each output if the graph is the same for twice as many rows, else an empty list."""
    if any(x.ndim == 0 for x in inputs):
        return []
    try:
        one, two = (_model(onnx, model, [np.concatenate([x] * n) for x in inputs], []).graph for n in (1, 2))
    except (ValueError, IndexError, TypeError):
        return []
    if list(one.node) != list(two.node) or list(one.initializer) != list(two.initializer):
        return []
    first = []
    for outputs in zip(one.output, two.output, strict=True):
        rows, more = ([d.dim_value for d in out.type.tensor_type.shape.dim[:1]] for out in outputs)
        first.append(rows if rows == more else ["rows"] if more == [2 * n for n in rows] else [None])
    return first


def _compare(runner: Any, model: Module, inputs: list[Array]) -> None:
    """Raise an error if the exported model computes other values than the model."""
    _, outputs = _traced(model, inputs)
    # onnx computes erf in float32 for every dtype
    rough = any(node.op_type == "Erf" for node in runner.proto_.graph.node)
    found = runner.run(None, dict(zip(runner.input_names, inputs, strict=True)))
    for name, ours, theirs in zip(runner.output_names, outputs, found, strict=True):
        wanted = np.asarray(ours.data)
        near = max(TOLERANCE.get(wanted.dtype.name, 0.0), 1e-5 * rough)
        scale = np.max(np.abs(wanted), initial=1.0, where=np.isfinite(wanted))
        if theirs.shape != wanted.shape or not np.allclose(theirs, wanted, near, near * scale, equal_nan=True):
            raise ValueError(
                f"the exported model computes another {name!r} than {type(model).__name__}: when evaluating, forward "
                "must not read values out of the graph by .data, .item() or float(), nor draw random ones"
            )
