"""Buffers of a program: arrays that are never needed at the same time share memory."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from autograd.typing import Array, DType

from .program import Program, Spec, Step
from .recording import Callback

CACHE_LINE = 64  # bytes


class Arena:
    """Memory in which values that are not needed together have the same addresses.

    Attributes
    ----------
    size : int
        The number of bytes.
    """

    def __init__(self) -> None:
        self.size: int = 0
        self._free: list[tuple[int, int]] = []  # offset and size

    def taken(self, size: int) -> int:
        """Return the offset of free memory, from the smallest part that is large enough."""
        size = -(-size // CACHE_LINE) * CACHE_LINE
        fitting = min((part for part in self._free if part[1] >= size), key=lambda part: part[1], default=None)
        if fitting is None:
            self.size += size
            return self.size - size
        self._free.remove(fitting)
        if fitting[1] > size:
            self._free.append((fitting[0] + size, fitting[1] - size))
        return fitting[0]

    def release(self, offset: int, size: int) -> None:
        """Return memory to the free parts, merged with its neighbours."""
        size = -(-size // CACHE_LINE) * CACHE_LINE
        for part in [p for p in self._free if p[0] + p[1] == offset or offset + size == p[0]]:
            self._free.remove(part)
            offset, size = min(offset, part[0]), size + part[1]
        if size:
            self._free.append((offset, size))


class Memory:
    """The buffers that a program writes into.

    Parameters
    ----------
    program : Program
        The program, whose arrays have the recorded shapes.

    Attributes
    ----------
    out : dict of int to ndarray
        The buffer of each value; values that are missing are allocated in each run.
    size : int
        The bytes of the buffers.
    released : dict of int to list of int
        The values with new memory that are not needed after a step.
    copied : set of int
        Results that must be copied before they are returned, because they may share memory.
    gradients : dict of int to int
        Gradients that are written into an `OutputPool`, each with its index there.
    """

    def __init__(self, program: Program) -> None:
        specs, owners, last = program.specs, program.owners, program.last_use()
        results = [r for r in program.results if r not in program.constants]
        computed, times = {step.result for step in program.steps}, Counter(results)
        single = {r for r in program.results[: program.outputs] if (spec := specs[r]) is not None and not spec.shape}
        self.copied: set[int] = {
            r
            for r in results
            if r not in computed or owners[r] != {r} or times[r] > 1 or not (r in single or specs[r].whole)
        }
        kept = {owner for r in results for owner in owners[r]}
        shown = [a for step in program.steps if isinstance(step.op, Callback) for a in step.operands]
        # Callbacks may keep or return their arguments.
        fresh = kept.union(*[owners[a] for a in shown if a in owners])
        written = [step for step in program.steps if writes(step, specs)]
        own = {step.result for step in written if owners[step.result] == {step.result}} - self.copied
        found = [r for r in program.results[program.outputs :] if r in own]
        found = [r for r in found if specs[r].dtype == specs[found[0]].dtype]
        self.gradients: dict[int, int] = {r: i for i, r in enumerate(found)}
        offsets, size = _planned(program, {step.result for step in written} - fresh, last)
        self.size: int = size
        whole, made = aligned(self.size, np.dtype(np.uint8)), dict[object, Array]()
        self.out: dict[int, Array] = {}
        for value, offset in offsets.items():
            spec = specs[value]
            array = np.ndarray(spec.shape, spec.dtype, whole, offset)
            self.out[value] = made.setdefault((offset, spec.shape, spec.dtype), array)
        self.released: dict[int, list[int]] = {}
        for value in sorted(computed - kept - offsets.keys()):
            if specs[value] is not None and _size(specs[value]) > 4096:
                self.released.setdefault(last[value], []).append(value)


def _planned(program: Program, written: set[int], last: dict[int, int]) -> tuple[dict[int, int], int]:
    """Return the offset of each value that is written into a buffer, and the size of the memory that they share."""
    arena, specs, offsets, ends = Arena(), program.specs, dict[int, int](), dict[int, list[int]]()
    live: dict[int, int] = {}  # the offsets of values that are still needed
    for value, i in last.items():
        ends.setdefault(i, []).append(value)
    for i, step in enumerate(program.steps):
        result, spec = step.result, specs[step.result]
        if result in written:
            reused = [a for a in step.operands if step.op.per_element and a in live and last[a] == i]
            reused = [a for a in reused if program.owners[a] == {a} and specs[a][:2] == spec[:2]]
            live[result] = offsets[result] = live.pop(reused[0]) if reused else arena.taken(_size(spec))
        for value in ends.get(i, ()):
            if value in live:
                arena.release(live.pop(value), _size(specs[value]))
    return offsets, arena.size


def address(a: Array) -> int:
    """Return the address of the first element."""
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]


def aligned(size: int, dtype: DType) -> Array:
    """Return a new array aligned to cache lines, which those of NumPy are not."""
    spare = np.empty(size * dtype.itemsize + CACHE_LINE, np.uint8)
    return np.frombuffer(spare.data, dtype, size, -spare.ctypes.data % CACHE_LINE)


class OutputPool:
    """Arrays for results, in one common array, which are reused when no reference to them is left.

    Parameters
    ----------
    specs : sequence of Spec
        Their shapes and dtype, which is the same for all.
    """

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._specs = specs
        self._whole: list[Array] = []
        self._parts: list[Array] = []

    def __call__(self) -> list[Array]:
        """Return arrays to which there is no other reference."""
        is_free = most_holders(self._parts) <= HELD_ONCE and most_holders(self._whole) <= HELD_ONCE + len(self._parts)
        if not is_free or not self._parts:  # the old arrays stay with whoever references them
            sizes = [math.prod(spec.shape) for spec in self._specs]
            ends = itertools.accumulate(sizes)
            self._whole = [whole := aligned(sum(sizes), np.dtype(self._specs[0].dtype))]
            spans = zip(ends, sizes, self._specs, strict=True)
            self._parts = [whole[end - size : end].reshape(spec.shape) for end, size, spec in spans]
        return self._parts


def most_holders(arrays: list[Array]) -> int:
    """Return the largest reference count of the arrays in a list.

    The count depends on how the interpreter passes arguments, so the loop runs in C.
    """
    return max(map(getrefcount, arrays), default=0)


HELD_ONCE = most_holders([np.empty(1)])


def _size(spec: Spec) -> int:
    """Return the size of an array in bytes."""
    return 0 if spec.dtype is None else math.prod(spec.shape) * spec.dtype.itemsize


def writes(step: Step, specs: Sequence[Any]) -> bool:
    """Return whether the operation can write its result into a buffer.

    A composition of several NumPy calls must have operands of the result's dtype, or it would round differently.
    """
    spec, into = specs[step.result], step.op.forms.get("into")
    if spec is None or spec.dtype is None or not spec.shape or 0 in spec.shape or into is None:
        return False
    given = [x.dtype for a in step.operands if (x := specs[a]) is not None and x.dtype is not None]
    return isinstance(into, np.ufunc) or all(dtype == spec.dtype for dtype in given)
