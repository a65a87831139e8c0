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
        self.released: dict[int, list[int]] = {}
        self._offsets: dict[int, int] = {}
        self._ended: set[int] = set()  # values whose memory was released, or taken by a result
        self._arena = Arena()
        self._specs = specs = program.specs
        owners, last = program.owners, program.last_use()
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
        self.gradients: dict[int, int] = self._gradients(program, owners)
        ends: dict[int, list[int]] = {}
        for i, step in enumerate(program.steps):
            self._place(i, step, fresh, owners, last)
            ends.setdefault(last.get(step.result, i), []).append(step.result)
            for value in ends.pop(i, ()):
                self._end(i, value, kept)
        self.size: int = self._arena.size
        whole, made = aligned(self.size, np.dtype(np.uint8)), dict[object, Array]()
        self.out: dict[int, Array] = {}
        for value, offset in self._offsets.items():
            spec = specs[value]
            array = np.ndarray(spec.shape, spec.dtype, whole, offset)
            self.out[value] = made.setdefault((offset, spec.shape, spec.dtype), array)

    def _gradients(self, program: Program, owners: dict[int, frozenset[int]]) -> dict[int, int]:
        """Return the gradients that can be written into one common array, in order."""
        specs = self._specs
        written = {
            step.result for step in program.steps if writes(step, specs) and owners[step.result] == {step.result}
        }
        found = [r for r in program.results[program.outputs :] if r in written and r not in self.copied]
        return {r: i for i, r in enumerate([r for r in found if specs[r].dtype == specs[found[0]].dtype])}

    def _place(
        self, i: int, step: Step, fresh: set[int], owners: dict[int, frozenset[int]], last: dict[int, int]
    ) -> None:
        """Choose the buffer of the result of step `i`."""
        result = step.result
        if result in fresh or not writes(step, self._specs):
            return
        spec = self._specs[result]
        for arg in step.operands if step.op.per_element else ():
            is_last = arg in self._offsets and arg not in self._ended and last[arg] == i and owners[arg] == {arg}
            if is_last and self._specs[arg][:2] == spec[:2]:
                self._offsets[result] = self._offsets[arg]
                self._ended.add(arg)
                return
        self._offsets[result] = self._arena.taken(_size(spec))

    def _end(self, i: int, value: int, kept: set[int]) -> None:
        """Free the memory of a value that is not needed after step `i`."""
        spec = self._specs[value]
        if value in self._offsets and value not in self._ended:
            self._ended.add(value)
            self._arena.release(self._offsets[value], _size(self._specs[value]))
        elif value not in kept and value not in self._offsets and spec is not None and _size(spec) > 4096:
            self.released.setdefault(i, []).append(value)


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
