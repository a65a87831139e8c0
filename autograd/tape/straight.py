"""A program as straight-line Python source: one line per operation."""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from autograd.backward import store
from autograd.graph import KINDS, Node, Primitive
from autograd.recording import NotReplayable
from autograd.rules import Nondifferentiable
from autograd.typing import Array, Cotangent, Data, DType, Function, Operand, Shape

from .interpreter import expression
from .memory import Memory, OutputPool
from .program import Program, Step
from .recording import Callback

__all__ = ["Replay"]

# A `scalar` form of one operator, which Python also understands for arrays.
ONE_OPERATOR = re.compile(r"-\w+|[\w.]+ [-+*/<>=!]+ [\w.]+")
LINE = 100


class Replay:
    """A program as a Python function.

    Attributes
    ----------
    source : str
        Its source code.
    run : callable
        Takes the data of the inputs, returns a tuple of the data of the results.
    blocks : list of ndarray
        The buffers it writes into, as bytes.
    """

    def __init__(self, program: Program, names: Sequence[str], variables: Sequence[Node] = ()) -> None:
        memory = Memory(program)
        writer = _Writer(program, memory, names)
        for r, variable in zip(program.results[program.outputs :], variables, strict=False):
            if isinstance(r, Node):
                writer.titles.setdefault(r, f"d_{variable.name or 'leaf'}")
        if memory.gradients:
            writer.namespace["gradients"] = OutputPool([node._data for node in memory.gradients])
        self.blocks: list[Array] = memory.blocks
        self.source: str = writer.text()
        namespace = writer.namespace
        exec(compile(self.source, "<replay>", "exec"), namespace)  # noqa: S102  (generated above)
        self.run: Callable[..., tuple[Data, ...]] = namespace["replay"]
        self._states = [_state(x) for x in program.leaves]
        place = {node: i for i, node in enumerate(program.inputs)}
        # The number of an input, or a variable.
        self._targets: list[Any] = [place.get(variable, variable) for variable in variables]
        self._has_input_targets = any(variable in place for variable in variables)

    def holds(self) -> bool:
        """Return whether the variables have the shapes, dtypes and hooks that they had when recorded."""
        for x, wanted, hooks, shape, dtype in self._states:
            data = x._data
            if x._requires_grad is not wanted or x.notes.hooks is not hooks:
                return False
            if shape is not None and (data.shape != shape or (data.dtype is not dtype and data.dtype != dtype)):
                return False
        return True

    def store(self, gradients: Sequence[Cotangent], sources: Sequence[Operand]) -> None:
        """Add the gradients that `run` returned, or that were recorded, to those of the variables."""
        targets = self._targets
        if self._has_input_targets:
            targets = [sources[t] if type(t) is int else t for t in targets]
            if len({*targets}) < len(targets):  # an argument that was given twice, or that the function uses anyway
                for x, g in zip(targets, gradients, strict=True):
                    store({x: g}, False)
                return
        if [x for x in targets if x._grad is not None]:
            store(dict(zip(targets, gradients, strict=True)), False)
        else:  # the gradients share memory with nothing
            for x, g in zip(targets, gradients, strict=True):
                x._grad, x.stamp = g, id(x._data)


def _state(x: Node) -> tuple[Node, bool, object, Shape | None, DType | None]:
    data = x._data
    shape, dtype = (None, None) if type(data) is float else (data.shape, data.dtype)
    return x, x._requires_grad, x.notes.hooks, shape, dtype


class _Writer:
    """Chooses names and writes the lines."""

    def __init__(self, program: Program, memory: Memory, names: Sequence[str]) -> None:
        self.program, self.memory = program, memory
        self.namespace: dict[str, Any] = {"np": np, "inf": math.inf, "nan": math.nan}
        self.used: set[str] = {"replay", "float", "np", "inf", "nan", "gradients", "d"}
        self.titles: dict[Hashable, str] = {}  # names of gradients
        self.names: dict[Hashable, str] = {}
        self.bound: dict[int, str] = {}
        self.counts: dict[str, int] = {}
        self.scalars: dict[Hashable, Array] = {}
        self.parameters = [self._named(node, name) for node, name in zip(program.inputs, names, strict=True)]

    # ------------------------------------------------------------------------------------------ names

    def _free_name(self, wish: str, numbered: bool = False) -> str:
        """Return an unused Python name like `wish`."""
        base = unicodedata.normalize("NFKC", wish)  # as Python normalizes the names in its source
        base = "".join(c if f"x{c}".isidentifier() else "_" for c in base).strip("_") or "x"
        if not base.isidentifier() or keyword.iskeyword(base):
            base = f"x_{base}"
        name = base
        while numbered or name in self.used:
            self.counts[base] = self.counts.get(base, 0) + 1
            name, numbered = f"{base}_{self.counts[base]}", False
        self.used.add(name)
        return name

    def _named(self, node: Node, wish: str) -> str:
        self.names[node] = self._free_name(wish or _spoken(node.op), numbered=not wish)
        return self.names[node]

    def _bind(self, thing: object, wish: str) -> str:
        """Return the name of a function or a constant in the namespace of the program."""
        if id(thing) not in self.bound:
            self.bound[id(thing)] = self._free_name(wish)
            self.namespace[self.bound[id(thing)]] = thing
        return self.bound[id(thing)]

    def _operand(self, a: Operand) -> str:
        """Return the source of an argument."""
        if isinstance(a, Node):
            return self.names[a]
        if a is None or isinstance(a, (bool, int, float, str)):
            text = repr(a)
            return f"({text})" if text.startswith("-") else text
        if a is Ellipsis:
            return "..."
        if type(a) is tuple and all(x is None or isinstance(x, (int, str)) for x in a):
            return repr(a)
        return self._bind(a, "const" if isinstance(a, np.ndarray) else type(a).__name__)

    # ------------------------------------------------------------------------------------------ lines

    def text(self) -> str:
        """Return the source of the program."""
        lines = [f"def replay({', '.join(self.parameters)}):"]
        for leaf in self.program.leaves:
            outside = self._bind(leaf, f"the_{leaf.name or 'leaf'}")
            lines.append(f"    {self._named(leaf, leaf.name)} = {outside}._data{_shape(leaf)}")
        # Callbacks such as gradient hooks come first, and with them the gradients that they take.
        first = next((i for i, step in enumerate(self.program.steps) if step.node in self.memory.gradients), -1)
        first = min(first, self.program.backward_from)
        for i, step in enumerate(self.program.steps):
            if i == self.program.backward_from:
                lines.append("    # backward: the chain rule, as more operations")
            if i == first:
                lines.append("    d = gradients()  # reused gradient buffers")
            lines.append(self._line(step))
            if done := self.memory.released.get(i):
                lines.append(f"    del {', '.join(self.names[node] for node in done)}")
        lines += ["    return (", *[f"        {self._result(r)}," for r in self.program.results], "    )"]
        return "\n".join(lines) + "\n"

    def _result(self, r: Operand) -> str:
        """Return the source of a result, copied if it shares memory."""
        text = self._operand(r)
        if not isinstance(r, Node):
            return f"{text}.copy()" if type(r) is np.ndarray else text
        return f'np.array({text}, order="C")' if r in self.memory.copied and type(r._data) is not float else text

    def _line(self, step: Step) -> str:
        node = step.node
        call = self._call(step)
        if type(node._data) is float and isinstance(node.op, Nondifferentiable):
            call = f"float({call})"  # a comparison is a bool, and `-False` would be 0, not -0.0
        if node._data is None:
            return f"    {call}"
        line = f"    {self._named(node, node.name or self.titles.get(node, ''))} = {call}"
        return line + (_shape(node) if len(line) < LINE else "")

    def _call(self, step: Step) -> str:
        """Return the source of the expression that computes a step."""
        node, op = step.node, step.node.op
        assert op is not None
        args = [self._operand(a) for a in step.args]
        options = [f"{name}={self._operand(value)}" for name, value in node.params.items()]
        out = self.memory.out.get(node)
        if (
            out is None and not node.params and node not in self.memory.gradients
            and ONE_OPERATOR.fullmatch(op.forms.get("scalar", ""))
        ):  # fmt: skip
            return expression(op, args)
        if (text := self._view(step, args)) is not None:
            return text
        written = out is not None or node in self.memory.gradients
        into = op.forms.get("into")
        function = into if into is not None and (written or _is_fast(into, node)) else op.forward
        if function is np.matmul and _of_two_axes(step):
            function = np.dot  # the same BLAS call with less overhead
        if _shape_may_change(step):
            function = _like_recorded(function, node._data)
        if isinstance(function, np.ufunc) and type(node._data) is np.ndarray:
            args = [self._converted(a, step, text) for a, text in zip(step.args, args, strict=True)]
        if out is not None:
            options.append("out=" + self._bind(out, "buffer"))
        elif node in self.memory.gradients:
            options.append(f"out=d[{self.memory.gradients[node]}]")
        return f"{self._function(function, _spoken(op))}({', '.join([*args, *options])})"

    def _converted(self, a: Operand, step: Step, text: str) -> str:
        """Return the source of an operand; a Python number becomes a 0-d array, so that NumPy need not convert it."""
        dtypes = {x._data.dtype for x in step.args if isinstance(x, Node) and type(x._data) is np.ndarray}
        if type(a) not in (float, int) or len(dtypes) != 1 or (dtype := dtypes.pop()).kind != "f":
            return text
        key = (float(a).hex(), dtype)
        if key not in self.scalars:
            self.scalars[key] = np.array(a, dtype)
        return self._bind(self.scalars[key], f"c_{a}")

    def _view(self, step: Step, args: Sequence[str]) -> str | None:
        """Return the source of a view of the same memory; None for other operations."""
        node, name = step.node, step.node.op.name  # type: ignore[union-attr]
        if not all(type(getattr(a, "_data", a)) is np.ndarray for a in (node, *step.args[:1])):
            return None
        if name == "transpose" and node.params.get("axes") is None:
            return f"{args[0]}.T"
        if name == "reshape":
            return f"{args[0]}.reshape({self._operand(node._data.shape)})"
        if name == "getitem" and all(isinstance(part, (int, slice, type(None), type(...))) for part in step.args[1:]):
            return f"{args[0]}[{', '.join(_index(part) for part in step.args[1:])}]"
        return None

    def _function(self, function: Function, wish: str) -> str:
        if isinstance(function, np.ufunc) or function is np.dot:
            return f"np.{function.__name__}"
        return self._bind(function, wish)


def _spoken(op: Primitive | None) -> str:
    return "leaf" if op is None else op.name


def _of_two_axes(step: Step) -> bool:
    x, y = [a._data if isinstance(a, Node) else a for a in step.args]
    return {np.ndim(x), np.ndim(y)} <= {1, 2} and x.dtype == y.dtype and x.dtype.kind == "f"


def _is_fast(into: Function, node: Node) -> bool:
    """Return whether the function that writes into an array is also the fastest one that creates it."""
    return isinstance(into, np.ufunc) and type(node._data) is not float


def _shape_may_change(step: Step) -> bool:
    """Return whether the shape of the result depends on data, as that of a callback or of a selection by a mask."""
    node, op = step.node, step.node.op
    if isinstance(op, Callback):
        return node._data is not None
    masks = step.args[1:] if op.name == "getitem" else ()  # type: ignore[union-attr]
    return any(isinstance(mask, Node) and np.asarray(mask._data).dtype.kind == "b" for mask in masks)


def _like_recorded(function: Function, like: Data) -> Function:
    """Return the function with a check that its result has the recorded type, shape and dtype."""
    expected = _shape_and_dtype(like)

    def function_like_recorded(*args: Data) -> Data:
        found = function(*args)
        convert = KINDS.get(type(found), (None, None))[1]
        found = found if convert is None else convert(found)
        if _shape_and_dtype(found) != expected:
            raise NotReplayable(f"the recorded result had {expected}, this one has {_shape_and_dtype(found)}")
        return found

    return function_like_recorded


def _shape_and_dtype(x: Data) -> object:
    return (x.shape, x.dtype) if type(x) is np.ndarray else type(x)


def _index(part: object) -> str:
    """Return the source of one part of an index."""
    if not isinstance(part, slice):
        return "..." if part is Ellipsis else repr(part)
    ends = [part.start, part.stop] if part.step is None else [part.start, part.stop, part.step]
    return ":".join("" if end is None else repr(end) for end in ends)


def _shape(node: Node) -> str:
    shape = getattr(node._data, "shape", None)
    return "" if shape is None else f"  # {shape}"
