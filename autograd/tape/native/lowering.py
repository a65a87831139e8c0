"""From a program to instructions, their memory, and the table of integers that the interpreter reads."""

import functools
import itertools
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from autograd.graph import Primitive
from autograd.recording import NotReplayable
from autograd.tape.levels import Levels, Segment, may_fail
from autograd.tape.program import CACHE_LINE, Program, Step
from autograd.tape.recording import Callback, Guard
from autograd.typing import Params

from .arrays import Code, ShapedArray
from .fusing import Run, is_arithmetic
from .instructions import MAY_FAIL, Instruction, kernel

FLOAT = np.dtype(np.float64)
SHORTEST = 16  # sums that share a factor, on average, from which they are blocks


class Call(NamedTuple):
    """A step that is computed by the operation itself, on NumPy arrays."""

    op: Primitive
    values: tuple[Any, ...]
    params: Params
    result: ShapedArray | None

    def buffers(self) -> list[int]:
        """Return the buffers that it reads or writes."""
        return [x.operand().buffer for x in (*self.values, self.result) if isinstance(x, ShapedArray)]


class Lowered:
    """The instructions of a program.

    Attributes
    ----------
    code : Code
        Its buffers and constants.
    inputs : list of ShapedArray
        The inputs of the program, then the variables from outside.
    floats : list of list of int
        The inputs that are floats: those that results replace, and the others, both in a buffer of their own.
    results : list of ShapedArray or constant
        Arrays that fill a buffer of their own, or constants.
    order : list of Instruction or Call
        What to compute, in order.
    fixed : set of int
        Buffers with memory of their own: inputs, results and constants.
    replaced : set of int
        The buffers of inputs that results replace.
    in_one_vector : bool
        Whether the inputs are the first elements of a vector, and the results are an array of floats.
    """

    def __init__(self, program: Program | Levels) -> None:
        self.code: Code = Code()
        self.inputs: list[ShapedArray] = []
        self.floats: list[Sequence[int]] = [[], []]
        self.results: list[Any] = []
        self.replaced: set[int] = set()
        self.in_one_vector: bool = isinstance(program, Levels)
        if isinstance(program, Levels):
            self._lower_levels(program)
        else:
            self._lower_steps(program)
        self.fixed: set[int] = {x.buffer for x in (*self.inputs, *self.results) if isinstance(x, ShapedArray)}
        self.fixed |= self.code.constants.keys()
        self.order: list[Any] = list(_fused(list(map(self._placed, self.code.instructions)), self.fixed))

    def _lower_levels(self, levels: Levels) -> None:
        spare = max([s.columns.size for s in levels.segments if s.step is None], default=0)
        v = self.code.constant(np.append(levels.values, np.zeros(spare)), FLOAT)
        self.inputs, self.floats = [v] * levels.outside, [[], range(levels.outside)]
        self.code.assumed = True  # results are finite
        levels.compute(v, functools.partial(self._lower_sums, v, len(levels.values)))
        self.results = [v[levels.results]]

    def _lower_sums(self, v: ShapedArray, spare: int, segment: Segment) -> None:
        """Compute sums of products in blocks of neighbours that share factors.

        In a block, one factor of each term is a row of consecutive elements, and the other one is too, or is a single
        element.  Rows of scattered elements are copied, each once, to the end of the vector from the position `spare`.
        A row is written as the position of its first element, a single element as the complement of its position.
        """
        _, terms, count = segment.columns.shape
        rows = segment.columns.reshape(-1, count)
        changes = np.diff(rows) != 0
        shared = changes[np.count_nonzero(changes, axis=1) * SHORTEST <= count]
        known: dict[bytes, int] = {}
        for start, stop in itertools.pairwise([0, *np.flatnonzero(shared.any(axis=0)) + 1, count]):
            block, copied = rows[:, start:stop], list[int]()
            is_row = (np.diff(block) == 1).all(axis=1)
            is_single = (block == block[:, :1]).all(axis=1) & ~is_row
            is_single[terms:] &= ~is_single[:terms]
            factors = np.where(is_single, ~block[:, 0], block[:, 0])
            for i in np.flatnonzero(~is_row & ~is_single):
                factors[i] = known.setdefault(block[i].tobytes(), spare + len(copied))
                if factors[i] == spare + len(copied):
                    copied += block[i].tolist()
            words = [*copied, *np.sort(factors.reshape(2, terms), axis=0).T.flat]
            table = self.code.constant(words, np.dtype(np.int32))
            self.code.call(kernel("chain", segment.out + start), (table, v), (stop - start, terms, len(copied), spare))
            spare += len(copied)

    def _lower_steps(self, program: Program) -> None:
        self.values: dict[int, Any] = dict(program.constants)
        specs = [program.specs[number] for number in (*program.inputs, *program.leaves)]
        code, elements = self.code, dict[int, ShapedArray]()
        floats = [number for number, spec in enumerate(specs) if spec.dtype is None]
        self.floats = [[n for n in floats if (n in program.repeated) is replaced] for replaced in (True, False)]
        for numbers in self.floats:
            whole = code.new((len(numbers),), FLOAT)
            elements |= {n: whole.like(whole.memory[i : i + 1].reshape(()), weak=True) for i, n in enumerate(numbers)}
        self.inputs = [elements[n] if n in elements else code.new(s.shape, s.dtype) for n, s in enumerate(specs)]
        self.values.update(enumerate(self.inputs))
        code.inputs = len(code.sizes)
        for step in program.steps:
            self.values[step.result] = self._computed(step, program)
        self.results = self._results([self.values[r] for r in program.results])
        self.replaced.update([self.inputs[number].buffer for number in program.repeated])
        self._replace(program.repeated)

    def _replace(self, repeated: Mapping[int, int]) -> None:
        """Write results in place of the inputs that they replace in the next run, after all that may fail."""
        pairs = [(self.inputs[number], self.results[r]) for number, r in repeated.items()]
        for x, y in [pair for pair in pairs if not self._is_computed_in(*pair)]:
            x.assign(y)

    def _is_computed_in(self, x: ShapedArray, y: Any) -> bool:
        """Compute `y` in the memory of `x` if nothing reads `x` or may fail afterwards; return whether it is."""
        if not isinstance(y, ShapedArray) or x.weak or (y.shape, y.dtype) != (x.shape, x.dtype):
            return False
        items: list[Any] = [self._placed(item) for item in self.code.instructions]
        first = next((i for i, item in enumerate(items) if y.buffer in item.buffers()), len(items))
        if any(isinstance(item, Call) or item.loop.name in MAY_FAIL for item in items[first:]):
            return False
        for i, item in enumerate(items[first:]):
            for operand, step in zip(item.operands, item.steps, strict=False):
                in_order = item.elementwise and item.dims[0] == y.size and (operand.offset, step) == (0, y.itemsize)
                if operand.buffer == x.buffer and (i or not in_order):
                    return False
        self.code.parts[y.buffer] = (x.buffer, 0)
        return True

    def _placed(self, item: Instruction | Call) -> Instruction | Call:
        """Return an instruction with arrays that are parts of others in their place."""
        if isinstance(item, Call):
            return item
        return item._replace(operands=tuple(map(self.code.placed, item.operands)))

    def _computed(self, step: Step, program: Program) -> Any:
        """Return the result of a step: an array whose instructions are appended, or a constant."""
        spec, before = program.specs[step.result], len(self.code.instructions)
        values = tuple([self.values[x] for x in step.operands])
        specs = [spec, *[program.specs[x] for x in step.operands]]
        for assumed in (False, True) if isinstance(step.op, Guard) else (None,):
            self.code.assumed = assumed
            try:
                if isinstance(step.op, Callback) and assumed is None:
                    break  # has side effects
                if any(x is not None and x.dtype is not None and x.dtype.char in "eg" for x in specs):
                    break  # float16, which operations widen
                with np.errstate(all="ignore"):
                    found = step.op.forward(*values, **step.params)
                if spec is None:
                    return None
                if spec.dtype is None and isinstance(found, ShapedArray):
                    found = self._as_float(found, step.op)
                if isinstance(found, ShapedArray) and (found.shape, found.dtype) == (spec.shape, spec.dtype or FLOAT):
                    return found.like(found.memory, weak=spec.dtype is None)
            except (TypeError, ValueError, LookupError, AttributeError, NotReplayable):
                pass  # it needs values, or what only arrays with values have: NumPy computes it in each run
            del self.code.instructions[before:]
        result = None if spec is None else self.code.new(spec.shape, spec.dtype or FLOAT, spec.dtype is None)
        self.code.instructions.append(Call(step.op, values, step.params, result))
        return result

    def _as_float(self, x: ShapedArray, op: Primitive) -> ShapedArray:
        """Return an array of one element as a float, which is checked where Python may raise an error."""
        x = x.reshape(()) if x.dtype.char == "d" else x.reshape(()).astype(np.float64)
        if may_fail(op):
            self.code.call(kernel("holds"), (np.isfinite(x),), (1,))  # type: ignore[arg-type]
        return x

    def _results(self, found: Sequence[Any]) -> list[Any]:
        """Return the results, copied where they are inputs, parts of a buffer, or results already."""
        own = {x.buffer for x in self.inputs} | self.code.constants.keys()
        results = []
        for x in found:
            if isinstance(x, ShapedArray):
                is_part = x.buffer in own or x.buffer in self.code.parts
                if is_part or x.memory.nbytes != self.code.sizes[x.buffer] or not x.memory.flags.c_contiguous:
                    x = x.copy()
                own.add(x.buffer)
            results.append(x)
        return results


def _fused(instructions: Sequence[Instruction | Call], fixed: Set[int]) -> Iterator[Instruction | Call]:
    """Fuse elementwise arithmetic of one shape; each run is as late as the instructions around it allow.

    What may fail stays where it is, before the instructions that write into inputs.
    """
    runs: dict[Any, Run] = {}
    uses = Counter(chain(fixed, *[item.buffers() for item in instructions]))
    item: Any
    for item in instructions:
        shape = (item.counts, item.dims) if isinstance(item, Instruction) and is_arithmetic(item) else None
        for run in [run for run in runs.values() if run.concerns(item, shape)]:
            yield from runs.pop(run.shape).computed(uses)
        if shape is not None:
            runs.setdefault(shape, Run(shape)).append(item)
        else:
            yield item
    for run in runs.values():
        yield from run.computed(uses)


class Layout:
    """The memory of a program: the address of each buffer, where buffers that are not needed together share memory.

    Parameters
    ----------
    lowered : Lowered
        The instructions.

    Attributes
    ----------
    offsets : dict of int to int
        The offset of each buffer.
    size : int
        The number of bytes.
    """

    def __init__(self, lowered: Lowered) -> None:
        sizes, spans = lowered.code.sizes, dict[int, tuple[int, int]]()  # the times of the first and the last use
        for time, item in enumerate(lowered.order):
            for buffer in item.buffers():
                spans[buffer] = spans.get(buffer, (time, time))[0], time
        spans |= dict.fromkeys(lowered.fixed, (-1, len(lowered.order)))
        self.size: int = 0
        self.offsets: dict[int, int] = {}
        alive: list[tuple[int, int, int]] = []  # offset, end and last use, in the order of the offsets
        for buffer, (first, last) in sorted(spans.items(), key=lambda pair: (pair[1][0], pair[0])):
            alive = [part for part in alive if part[2] >= first]
            offset, size = 0, -(-sizes[buffer] // CACHE_LINE) * CACHE_LINE
            for begin, end, _ in alive:
                if offset + size <= begin:
                    break
                offset = max(offset, end)
            insort(alive, (offset, offset + size, last))
            self.offsets[buffer], self.size = offset, max(self.size, offset + size)
