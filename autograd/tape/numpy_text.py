"""A program as NumPy source code: straight-line Python, one line per operation."""

import inspect
import keyword
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.graph import KINDS, Primitive
from autograd.recording import NotReplayable
from autograd.rules import Nondifferentiable
from autograd.typing import Array, Data, DType, Function

from .program import Program, Spec, Step, aligned, plain_name
from .recording import Callback

# A `scalar` form of one operator, which Python also understands for arrays.
ONE_OPERATOR = re.compile(r"-\w+|[\w.]+ [-+*/<>=!]+ [\w.]+")
ONE_CALL = re.compile(rf"{ONE_OPERATOR.pattern}|math\.pow\(x, y\)")  # for floats
LINE = 100


class Buffers:
    """The arrays that a program writes into; an array is used again when its value is not needed any more.

    Parameters
    ----------
    program : Program
        The program, whose arrays have the recorded shapes.

    Attributes
    ----------
    out : dict of int to ndarray
        The array for each value; values that are missing are allocated in each run.
    released : dict of int to list of int
        Large values without a buffer that are not needed after a step.
    copied : set of int
        Results that must be copied before they are returned, because they may share memory.
    """

    def __init__(self, program: Program) -> None:
        specs, owners, results = program.specs, program.owners, [r for r in program.results if r in program.owners]
        own = {step.result for step in program.steps if owners[step.result] == step.result} - program.shared
        times = Counter(results)
        is_scalar = {r: specs[r] is not None and not specs[r].shape for r in program.results[: program.outputs]}
        whole = {r for r in results if specs[r].whole or is_scalar.get(r)}
        self.copied: set[int] = {r for r in results if r not in own or times[r] > 1 or r not in whole}
        # Memory of results belongs to the caller, and callbacks may keep or return their arguments.
        kept = {owners[value] for value in (*results, *program.shared) if value in owners}
        last: dict[int, int] = {}  # the last step that uses each value, or its memory
        for i, step in enumerate(program.steps):
            for value in (step.result, *step.operands):
                if value in owners:
                    last[value] = last[owners[value]] = i
        ends = defaultdict[int, list[int]](list)
        for step in program.steps:
            if owners[step.result] not in kept:
                ends[last[step.result]].append(step.result)
        self.out: dict[int, Array] = {}
        self.released: dict[int, list[int]] = {}
        self._free = defaultdict[object, list[Array]](list)
        for i, step in enumerate(program.steps):
            r, spec = step.result, specs[step.result]
            # An elementwise operation may overwrite its operands.
            overwritten = [value for value in ends[i] if step.op.per_element and value in step.operands]
            self._release(overwritten, specs)
            if r in own and r not in kept and writes(step, specs):
                found = self._free[spec[:2]]
                self.out[r] = found.pop() if found else aligned(math.prod(spec.shape), spec.dtype).reshape(spec.shape)
            self._release([value for value in ends[i] if value not in overwritten], specs)
            self.released[i] = [v for v in ends[i] if v not in self.out and is_large(specs[v])]

    def _release(self, values: Sequence[int], specs: Sequence[Any]) -> None:
        """Let other values be written into the arrays of some."""
        for value in values:
            if value in self.out:
                self._free[specs[value][:2]].append(self.out[value])


def is_large(spec: Spec | None) -> bool:
    """Return whether an array is so large that its memory should be freed before the end of a run."""
    return spec is not None and spec.dtype is not None and math.prod(spec.shape) * spec.dtype.itemsize > 4096


def writes(step: Step, specs: Sequence[Any]) -> bool:
    """Return whether the operation can write its result into a buffer.

    A composition of several NumPy calls must have operands of the result's dtype, or it would round differently.
    """
    spec, into = specs[step.result], step.op.forms.get("into")
    if spec is None or spec.dtype is None or not spec.shape or 0 in spec.shape or into is None:
        return False
    given = [x.dtype for a in step.operands if (x := specs[a]) is not None and x.dtype is not None]
    return isinstance(into, np.ufunc) or all(dtype == spec.dtype for dtype in given)


class NumpyText:
    """A program as a Python function.

    Attributes
    ----------
    source : str
        Its source code.
    run : callable
        Takes the data of the inputs and of the variables from outside, returns a tuple of the data of the results.
    """

    def __init__(self, program: Program) -> None:
        writer = _Writer(program)
        self.source: str = writer.text()
        exec(compile(self.source, "<replay>", "exec"), writer.namespace)  # noqa: S102  (generated above)
        self.run: Callable[..., tuple[Data, ...]] = writer.namespace["replay"]


class _Writer:
    """Chooses names and writes the lines."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.dtypes: list[DType | None] = [getattr(spec, "dtype", None) for spec in program.specs]  # of arrays
        self.buffers: Buffers = Buffers(program)
        self.namespace: dict[str, Any] = {"np": np, "math": math, "inf": math.inf, "nan": math.nan}
        self.used: set[str] = {"replay", "float", "np", "math", "inf", "nan"}
        self.names: dict[int, str] = {}
        self.bound: dict[int, str] = {}
        self.counts: dict[str, int] = {}

    # ------------------------------------------------------------------------------------------ names

    def _free_name(self, wish: str, numbered: bool = False) -> str:
        """Return an unused Python name like `wish`."""
        base = unicodedata.normalize("NFKC", plain_name(wish))  # as Python normalizes the names in its source
        base = "".join(c if f"x{c}".isidentifier() else "_" for c in base).strip("_") or "x"
        if not base.isidentifier() or keyword.iskeyword(base):
            base = f"x_{base}"
        name = base
        while numbered or name in self.used:
            self.counts[base] = self.counts.get(base, 0) + 1
            name, numbered = f"{base}_{self.counts[base]}", False
        self.used.add(name)
        return name

    def _named(self, value: int, op_name: str = "") -> str:
        """Return a new name for a value: its own, or one that is made of the operation's."""
        wish = self.program.names.get(value, "")
        self.names[value] = self._free_name(wish or op_name, numbered=not wish)
        return self.names[value]

    def _bind(self, thing: object, wish: str) -> str:
        """Return the name of a function or a constant in the namespace of the program."""
        if id(thing) not in self.bound:
            self.bound[id(thing)] = self._free_name(wish)
            self.namespace[self.bound[id(thing)]] = thing
        return self.bound[id(thing)]

    def _operand(self, value: int) -> str:
        """Return the source of a value."""
        if value in self.program.constants:
            return self._constant(self.program.constants[value])
        return self.names[value]

    def _constant(self, a: object) -> str:
        """Return the source of a constant or a parameter."""
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
        program = self.program
        lines = [f"def replay({', '.join(map(self._named, (*program.inputs, *program.leaves)))}):"]
        for i, step in enumerate(program.steps):
            if i == program.backward_from:
                lines.append("    # backward: the chain rule, as more operations")
            lines.append(self._line(step))
            if done := self.buffers.released[i]:
                lines.append(f"    del {', '.join(self.names[value] for value in done)}")
        lines += ["    return (", *[f"        {self._result(r)}," for r in program.results], "    )"]
        return "\n".join(lines) + "\n"

    def _result(self, r: int) -> str:
        """Return the source of a result, copied if it shares memory."""
        text = self._operand(r)
        if r in self.program.constants:
            return f"{text}.copy()" if type(self.program.constants[r]) is np.ndarray else text
        return f'np.array({text}, order="C")' if r in self.buffers.copied and self.dtypes[r] else text

    def _line(self, step: Step) -> str:
        spec, call = self.program.specs[step.result], self._call(step)
        if spec is None:
            return f"    {call}"
        if spec.dtype is None and isinstance(step.op, Nondifferentiable):
            call = f"float({call})"  # a comparison is a bool, and `-False` would be 0, not -0.0
        line = f"    {self._named(step.result, step.op.name)} = {call}"
        return line if spec.dtype is None or len(line) >= LINE else f"{line}  # {spec.shape}"

    def _call(self, step: Step) -> str:
        """Return the source of the expression that computes a step."""
        op, args = step.op, [self._operand(a) for a in step.operands]
        options = [f"{name}={self._constant(value)}" for name, value in step.params.items()]
        values = (step.result, *step.operands)
        dtypes, buffer = [self.dtypes[a] for a in values], self.buffers.out.get(step.result)
        form = ONE_OPERATOR if any(dtypes) else ONE_CALL
        if buffer is None and not step.params and form.fullmatch(op.forms.get("scalar", "")):
            return expression(op, args)
        if (text := self._view(step, args)) is not None:
            return text
        function: Function = op.forward
        if (into := op.forms.get("into")) and (buffer is not None or (isinstance(into, np.ufunc) and dtypes[0])):
            function = into
        if self._shape_may_change(step):
            function = _like_recorded(function, self.program.specs[step.result])
        if buffer is not None:
            options.append(f"out={self._bind(buffer, 'buffer')}")
        most_axes = max(len(self.program.specs[a].shape) for a in values) if function is np.matmul else 0
        if 0 < most_axes < 3 and len({*dtypes}) == 1:
            function = np.dot  # the same BLAS call with less overhead
        is_numpy = isinstance(function, np.ufunc) or function is np.dot
        name = f"np.{function.__name__}" if is_numpy else self._bind(function, op.name)
        return f"{name}({', '.join([*args, *options])})"

    def _view(self, step: Step, args: Sequence[str]) -> str | None:
        """Return the source of a view of the same memory; None for other operations."""
        name, constants = step.op.name, self.program.constants
        if not args or self.dtypes[step.result] is None or self.dtypes[step.operands[0]] is None:
            return None
        if name == "transpose" and step.params.get("axes") is None:
            return f"{args[0]}.T"
        if name == "reshape":
            return f"{args[0]}.reshape({self.program.specs[step.result].shape!r})"
        parts = [constants.get(a, args) for a in step.operands[1:]]
        if name == "getitem" and all(isinstance(part, (int, slice, type(None), type(...))) for part in parts):
            return f"{args[0]}[{', '.join(map(_index, parts))}]"
        return None

    def _shape_may_change(self, step: Step) -> bool:
        """Return whether the shape of the result depends on data, as that of a callback or of a selection by a mask."""
        if isinstance(step.op, Callback):
            return self.program.specs[step.result] is not None
        masks = {*step.operands[1:]} - self.program.constants.keys() if step.op.name == "getitem" else ()
        return np.dtype(bool) in [self.dtypes[a] for a in masks]


def _like_recorded(function: Function, spec: Any) -> Function:
    """Return the function with a check that its result has the recorded type, shape and dtype."""
    expected = float if spec.dtype is None else (spec.shape, spec.dtype)

    def function_like_recorded(*args: Data) -> Data:
        result = function(*args)
        convert = KINDS.get(type(result), (None, None))[1]
        result = result if convert is None else convert(result)
        found = (result.shape, result.dtype) if type(result) is np.ndarray else type(result)
        if found != expected:
            raise NotReplayable(f"the recorded result had {expected}, this one has {found}")
        return result

    return function_like_recorded


def _index(part: object) -> str:
    """Return the source of one part of an index."""
    if not isinstance(part, slice):
        return "..." if part is Ellipsis else repr(part)
    ends = [part.start, part.stop] if part.step is None else [part.start, part.stop, part.step]
    return ":".join("" if end is None else repr(end) for end in ends)


def expression(op: Primitive, operands: Sequence[str]) -> str:
    """Return the `scalar` form of an operation with these texts as operands.

    >>> from autograd.rules import PRIMITIVES
    >>> expression(PRIMITIVES["atan2"], ["a", "b"])
    'math.atan2(a, b)'
    """
    texts = dict(zip(inspect.signature(op.forward).parameters, operands, strict=False))
    return re.sub(r"(?<![.\w])[a-z]\w*", lambda name: texts.get(name[0], name[0]), op.forms["scalar"])
