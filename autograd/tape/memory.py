"""Buffers of a program: arrays that are never needed at the same time share memory."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from sys import getrefcount

import numpy as np

from autograd.graph import Node
from autograd.typing import Array, Data, DType, Shape

from .program import Program, Step
from .recording import Callback

__all__ = ["Memory", "OutputPool"]

# The result may be a view of the first argument, depending on its memory layout.
VIEWS = frozenset({"reshape", "transpose", "swapaxes", "getitem", "flip", "diagonal"})

CACHE_LINE = 64  # bytes

WASTE = 4  # a free block is taken for an array at least a fourth of its size


class Memory:
    """The buffers that a program writes into.

    Parameters
    ----------
    program : Program
        The program, whose arrays have the recorded shapes.

    Attributes
    ----------
    out : dict of Node to ndarray
        The buffer of each node; nodes that are missing allocate new memory in each run.
    blocks : list of ndarray
        The memory of the buffers, as bytes.
    released : dict of int to list of Node
        The nodes with new memory that are not needed after a step.
    copied : set of Node
        Results that must be copied before they are returned, because they may share memory.
    gradients : dict of Node to int
        Gradients that are written into an `OutputPool`, each with its index there.
    """

    def __init__(self, program: Program) -> None:
        self.out: dict[Node, Array] = {}
        self.blocks: list[Array] = []
        self.released: dict[int, list[Node]] = {}
        self._free: list[Array] = []
        self._block_of: dict[Node, Array] = {}
        owners = _owners(program)
        last = _last_use_of_memory(program, owners)
        results = [r for r in program.results if isinstance(r, Node)]
        steps, times = {step.node for step in program.steps}, Counter(map(id, results))
        single = {r for r in program.results[: program.outputs] if isinstance(r, Node) and np.ndim(r._data) == 0}
        self.copied: set[Node] = {
            r
            for r in results
            if r not in steps or owners[r] != {r} or times[id(r)] > 1 or not (r in single or _is_whole(r._data))
        }
        kept = {owner for r in results for owner in owners[r]}
        shown = [a for step in program.steps if isinstance(step.node.op, Callback) for a in step.args]
        # Callbacks may keep or return their arguments.
        fresh = kept.union(*[owners[a] for a in shown if isinstance(a, Node)])
        self.gradients: dict[Node, int] = self._gradients(program, owners)
        ends: dict[int, list[Node]] = {}
        for i, step in enumerate(program.steps):
            self._place(i, step, fresh, owners, last)
            ends.setdefault(last.get(step.node, i), []).append(step.node)
            for node in ends.pop(i, ()):
                self._end(i, node, kept)
        self.blocks.sort(key=len)
        del self._free, self._block_of

    def _gradients(self, program: Program, owners: dict[Node, frozenset[Node]]) -> dict[Node, int]:
        """Return the gradients that can be written into one common array, in order."""
        written = {step.node for step in program.steps if _writes(step) and owners[step.node] == {step.node}}
        found: dict[Node, int] = {}
        for r in program.results[program.outputs :]:
            if not isinstance(r, Node) or r not in written or r in self.copied:
                continue
            if not found or r._data.dtype == next(iter(found))._data.dtype:
                found[r] = len(found)
        return found

    def _place(
        self, i: int, step: Step, fresh: set[Node], owners: dict[Node, frozenset[Node]], last: dict[Node, int]
    ) -> None:
        """Choose the buffer of the result of step `i`."""
        node, data = step.node, step.node._data
        if node in fresh or not _writes(step):  # `gradients` is a subset of `fresh`
            return
        assert node.op is not None
        for arg in step.args if node.op.per_element else ():
            if isinstance(arg, Node) and last[arg] == i and owners[arg] == {arg} and arg in self._block_of:
                old = self.out[arg]
                if old.shape == data.shape and old.dtype == data.dtype:  # the argument is not needed after this step
                    self.out[node] = old
                    self._block_of[node] = self._block_of.pop(arg)
                    return
        block = self._taken(data.nbytes)
        self._block_of[node] = block
        self.out[node] = block[: data.nbytes].view(data.dtype).reshape(data.shape)

    def _taken(self, size: int) -> Array:
        """Return the smallest free block that is large enough, or a new one."""
        fitting = [b for b in self._free if size <= len(b) <= WASTE * size]
        if not fitting:
            block = aligned(size, np.dtype(np.uint8))
            self.blocks.append(block)
            return block
        best = min(fitting, key=len)
        self._free = [b for b in self._free if b is not best]
        return best

    def _end(self, i: int, node: Node, kept: set[Node]) -> None:
        """Free the memory of a node that is not needed after step `i`."""
        block = self._block_of.pop(node, None)
        if block is not None:
            self._free.append(block)
        elif node not in kept and node not in self.out and getattr(node._data, "nbytes", 0) > 4096:
            self.released.setdefault(i, []).append(node)


def aligned(size: int, dtype: DType) -> Array:
    """Return a new array aligned to cache lines, which those of NumPy are not."""
    spare = np.empty(size * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -spare.ctypes.data % CACHE_LINE
    return np.frombuffer(spare.data, dtype, size, start)


class OutputPool:
    """Arrays for results, in one common array, which are reused when no reference to them is left.

    Parameters
    ----------
    like : sequence of ndarray
        Arrays of the same shapes, and of one dtype.
    """

    def __init__(self, like: Sequence[Array]) -> None:
        self.shapes: list[Shape] = [a.shape for a in like]
        self.dtype: DType = like[0].dtype
        self.renew()

    def renew(self) -> None:
        """Allocate new arrays; the old ones stay with whoever references them."""
        sizes = [math.prod(shape) for shape in self.shapes]
        whole = aligned(sum(sizes), self.dtype)
        self._whole = [whole]
        ends = itertools.accumulate(sizes)
        self.parts: list[Array] = [
            whole[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, self.shapes, strict=True)
        ]

    def __call__(self) -> list[Array]:
        """Return arrays to which there is no other reference."""
        if _most_holders(self.parts) > HELD_ONCE or _most_holders(self._whole) > HELD_ONCE + len(self.parts):
            self.renew()
        return self.parts


def _most_holders(arrays: list[Array]) -> int:
    """Return the largest reference count of the arrays in a list.

    The count depends on how the interpreter passes arguments, so the loop runs in C.
    """
    return max(map(getrefcount, arrays))


HELD_ONCE = _most_holders([np.empty(1)])


def _is_whole(data: Data) -> bool:
    """Return whether data are C-contiguous and own their memory."""
    if type(data) is not np.ndarray:
        return True
    return data.ndim > 0 and data.base is None and data.flags.c_contiguous


def _writes(step: Step) -> bool:
    """Return whether the operation can write its result into a buffer.

    A composition of several NumPy calls must have operands of the result's dtype, or it would round differently.
    """
    data, into = step.node._data, step.node.op.forms.get("into")  # type: ignore[union-attr]
    if type(data) is not np.ndarray or not data.ndim or not data.size or into is None:
        return False
    arrays = [x for a in step.args if type(x := getattr(a, "_data", a)) is np.ndarray]
    return isinstance(into, np.ufunc) or all(x.dtype == data.dtype for x in arrays)


def _owners(program: Program) -> dict[Node, frozenset[Node]]:
    """Return for every node the nodes whose memory it may share."""
    owners = {node: frozenset([node]) for node in (*program.inputs, *program.leaves)}
    for step in program.steps:
        node, op = step.node, step.node.op
        assert op is not None
        lent: set[Node] = set()
        for k, arg in enumerate(step.args):
            if isinstance(arg, Node) and _may_lie_in(node, arg, op.name in VIEWS and k == 0):
                lent |= owners[arg]
        owners[node] = frozenset(lent or [node])
        if isinstance(op, Callback):  # a callback may return its inputs, or keep its result
            owners[node] |= {node, *program.inputs}
    return owners


def _may_lie_in(node: Node, arg: Node, is_view: bool) -> bool:
    x, y = arg._data, node._data
    if type(x) is not np.ndarray or type(y) is not np.ndarray:
        return False
    return is_view or bool(np.may_share_memory(x, y))


def _last_use_of_memory(program: Program, owners: dict[Node, frozenset[Node]]) -> dict[Node, int]:
    """Return the last step that reads the memory of each node, directly or through a view."""
    last = dict.fromkeys(owners, -1)
    for node, i in program.last_use().items():
        for owner in owners[node]:
            last[owner] = max(last[owner], i)
        last[node] = max(last[node], i)
    return last
