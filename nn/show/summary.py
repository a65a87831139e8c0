"""`summary`: the layers, shapes, parameters and memory of a model as a table."""

import copy
import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

import autograd as ag
from autograd.extend import raw_data
from nn.module import Module
from nn.random import fork_rng
from nn.typing import DType, Operand

BATCH = 2  # examples of the forward pass; batch normalization requires more than one


class Row(NamedTuple):
    """One module of the table."""

    path: str
    layer: str
    output_shape: tuple[int | str, ...] | None
    parameters: int
    bytes: int


class Summary:
    """The table of a model, to be printed.

    Attributes
    ----------
    rows : list of Row
        One for each module: path, layer, output shape, own parameters, and the bytes of parameters and buffers.
    parameters, trainable : int
        All parameters, shared ones once, and those that require a gradient.
    parameter_bytes, activation_bytes : int
        Memory of parameters and buffers, and of the outputs of all layers for one example.
    """

    def __init__(self, rows: list[Row], trainable: int, activation_bytes: int) -> None:
        self.rows = rows
        self.parameters: int = sum(row.parameters for row in rows)
        self.trainable = trainable
        self.parameter_bytes: int = sum(row.bytes for row in rows)
        self.activation_bytes = activation_bytes

    def _table(self) -> tuple[list[tuple[str, ...]], list[str]]:
        """Return the cells of the table, header first, and the lines below it."""
        table: list[tuple[str, ...]] = [("layer", "output shape", "parameters", "memory")]
        for path, layer, shape, parameters, size in self.rows:
            indent = "  " * (path.count(".") + 1 if path else 0)
            label = f"{indent}{path.rpartition('.')[2]}{': ' if path else ''}{layer}"
            written = "-" if shape is None else f"({', '.join(map(str, shape))})"
            table.append((label, written, f"{parameters:,}" if parameters else "-", size_text(size) if size else "-"))
        frozen = self.parameters - self.trainable
        return table, [
            f"parameters   {self.parameters:,}" + (f" ({frozen:,} frozen)" if frozen else ""),
            f"memory       {size_text(self.parameter_bytes)}, and {size_text(self.activation_bytes)} of layers' "
            "outputs for each example",
        ]

    def __repr__(self) -> str:
        table, foot = self._table()
        a, b, c, d = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = [f"{w:<{a}}  {x:<{b}}  {y:>{c}}  {z:>{d}}".rstrip() for w, x, y, z in table]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, *foot])

    def _repr_html_(self) -> str:
        (head, *rows), foot = self._table()
        return html_table(head, rows).replace("  ", "\N{EM SPACE}") + f"<pre>{html.escape(chr(10).join(foot))}</pre>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as HTML, floats with three digits; the head may be empty.

    Examples
    --------
    >>> html_table(["epoch", "loss"], [["1", 0.5]])
    '<table><tr><th>epoch</th><th>loss</th></tr><tr><td>1</td><td>0.5</td></tr></table>'
    """

    def line(cells: Sequence[object], tag: str = "td") -> str:
        texts = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells]
        return "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"

    return f"<table>{line(head, 'th') if head else ''}{''.join(map(line, rows))}</table>"


def size_text(count: int) -> str:
    """Return a number of bytes with a suitable unit."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def summary(model: Module, *input_shape: int | tuple[int, ...], dtype: DType = None) -> Summary:
    """Return a table of layers, output shapes, parameters and memory.

    Parameters
    ----------
    model : Module
        The model; a copy of it is run on zeros.
    *input_shape : int or tuple of int
        Shape of one example of the input, without the batch, or of each input if there are several.
    dtype : dtype, optional
        Dtype of the inputs: integers for an `Embedding`; by default that of the parameters.

    Returns
    -------
    Summary
        Prints as a table; ``N`` is the batch.

    Raises
    ------
    TypeError
        If `model` is not a Module.
    ValueError
        If a layer does not accept the input.

    Examples
    --------
    >>> from nn import MLP
    >>> summary(MLP(4, [8, 3], rng=0), 4)
    layer        output shape  parameters  memory
    ---------------------------------------------
    MLP          (N, 3)                 -       -
      0: Linear  (N, 8)                40   320 B
      1: ReLU    (N, 8)                 -       -
      2: Linear  (N, 3)                27   216 B
    ---------------------------------------------
    parameters   67
    memory       536 B, and 152 B of layers' outputs for each example
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary takes a Module, got {type(model).__name__}")
    twin = copy.deepcopy(model).train()
    if dtype is None:
        dtype = next((p.dtype for p in twin.parameters() if hasattr(p, "dtype")), ag.get_default_dtype())
    shapes = [_as_shape(s) for s in input_shape]
    outputs: dict[int, Operand] = {}
    for part in twin.modules():
        part.register_forward_hook(lambda module, args, output: outputs.update({id(module): output}))
    with ag.no_grad(), fork_rng():
        twin(*(np.zeros((BATCH, *shape), dtype) for shape in shapes))
    seen: set[int] = set()
    rows = [_row(path, module, outputs.get(id(module)), seen) for path, module in twin.named_modules()]
    trainable = sum(int(np.size(p.data)) for p in model.parameters() if p.requires_grad)
    leaves = [outputs[id(m)] for m in twin.modules() if id(m) in outputs and not list(m.children())]
    return Summary(rows, trainable, sum(np.asarray(raw_data(output)).nbytes for output in leaves) // BATCH)


def _as_shape(given: object) -> tuple[int, ...]:
    """Return the shape of one example as a tuple; raise TypeError for an array or a list of rows."""
    lengths = given if isinstance(given, (tuple, list)) else (given,)
    if not all(isinstance(n, (int, np.integer)) for n in lengths):
        shape = np.shape(raw_data(given))
        raise TypeError(
            f"summary takes the shape of one example, got {type(given).__name__} of shape {shape}; write "
            f"summary(model, {', '.join(map(str, shape[1:])) if len(shape) == 2 else shape[1:]})"
        )
    return tuple(map(int, lengths))


def _row(path: str, module: Module, output: Operand, seen: set[int]) -> Row:
    """Return the row of one module, with its parameters except those counted in earlier rows."""
    own = [thing for _, thing in module._attributes() if not isinstance(thing, Module) and id(thing) not in seen]
    seen.update(map(id, own))
    arrays = [np.asarray(raw_data(thing)) for thing in own]
    buffers = [a for name in module._buffers if (a := getattr(module, name)) is not None]
    shape = None if output is None else np.shape(raw_data(output))
    batched = ("N", *shape[1:]) if shape and shape[0] == BATCH else shape
    size = sum(a.nbytes for a in [*arrays, *buffers])
    return Row(path, type(module).__name__, batched, sum(a.size for a in arrays), size)
