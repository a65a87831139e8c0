"""Instructions of the native machine, and the table of integers that the interpreter reads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from autograd.typing import Shape

from .loops import Loop

BLOCK = 1024  # elements of a block of a run, so that its intermediate results stay in the first-level cache
# The numbers of the functions in `kernels`, by itemsize or by dtypes.
SELECT, COPY, SCATTER = {4: 1, 8: 2}, {4: 14, 8: 15}, {"f": 12, "d": 13}
CONVERT = {"?f": 3, "?d": 4, "df": 5, "fd": 6, "lf": 7, "ld": 8, "?l": 9}
GATHER, PUT, CHAIN, POWER, LOCATE, IS_FINITE, HOLDS = 10, 11, 16, 17, 18, 19, 20
MAY_FAIL = {LOCATE, IS_FINITE, HOLDS}


class Operand(NamedTuple):
    """A place in the memory of a program: a buffer, an offset, and strides of the two loops around a call."""

    buffer: int
    offset: int
    strides: tuple[int, int] = (0, 0)


class Instruction(NamedTuple):
    """A call of a function, repeated for `counts`; the last operand is written.

    If it is `elementwise`, each operand is contiguous or one element.
    """

    loop: Loop
    operands: tuple[Operand, ...]
    dims: Shape
    steps: tuple[int, ...]
    counts: tuple[int, int]
    elementwise: bool

    def buffers(self) -> list[int]:
        """Return the buffers that it reads or writes."""
        return [x.buffer for x in self.operands]


class Run:
    """Elementwise instructions of one length, computed block by block."""

    def __init__(self, length: int) -> None:
        self.length: int = length
        self.instructions: list[Instruction] = []
        self._used: dict[int, set[tuple[int, int]]] = {}  # of each buffer the offsets and steps
        self._written: set[int] = set()

    def append(self, item: Instruction) -> None:
        """Compute an instruction after the others."""
        self.instructions.append(item)
        self._written.add(item.operands[-1].buffer)
        for x, step in zip(item.operands, item.steps, strict=False):
            self._used.setdefault(x.buffer, set()).add((x.offset, step))

    def buffers(self) -> list[int]:
        """Return the buffers that the instructions read or write, as often as they do."""
        return [x.buffer for item in self.instructions for x in item.operands]

    def concerns(self, item: Any, length: int) -> bool:
        """Return whether an instruction must be computed after this run; `length` is that of an elementwise one."""
        if not length:
            return not self._used.keys().isdisjoint(item.buffers())
        into = item.operands[-1].buffer
        for x, step in zip(item.operands, item.steps, strict=False):
            is_changed = x.buffer in self._used and (x.buffer == into or x.buffer in self._written)
            if is_changed and (length != self.length or self._used[x.buffer] != {(x.offset, step)}):
                return True
        return False


def merged(shape: Shape, strides: Sequence[tuple[int, ...]]) -> tuple[Shape, list[tuple[int, ...]]]:
    """Return the fewest dimensions, and for each operand its strides along them."""
    dims: list[int] = []
    columns: list[list[int]] = [[] for _ in strides]
    for i, n in enumerate(shape):
        if n == 1:
            continue
        if dims and all(c[-1] == s[i] * n for c, s in zip(columns, strides, strict=True)):
            dims[-1] *= n
            for c, s in zip(columns, strides, strict=True):
                c[-1] = s[i]
        else:
            dims.append(n)
            for c, s in zip(columns, strides, strict=True):
                c.append(s[i])
    if not dims:
        return (1,), [(0,)] * len(strides)
    return tuple(dims), [tuple(c) for c in columns]


def encoded(item: Instruction | Run, local: set[int], address: int) -> list[int]:
    """Return the words of an instruction, as `kernels` describes them, that will be at an address."""
    if isinstance(item, Run):
        words: list[int] = []
        for instruction in item.instructions:
            pairs = zip(instruction.operands, instruction.steps, strict=False)
            moving = [x._replace(strides=(0 if x.buffer in local else step * BLOCK, 0)) for x, step in pairs]
            words += encoded(instruction._replace(operands=tuple(moving)), set(), address + 64 + 8 * len(words))
        return [0, 8 * len(words), 64, item.length, 0, 0, -(-item.length // BLOCK), 1, *words]
    dims = address + 64 + 32 * len(item.operands)
    steps = dims + 8 * len(item.dims)
    size = steps + 8 * len(item.steps) - address
    words = [*item.loop, size, len(item.operands), dims, steps, *item.counts]
    for x in item.operands:
        words += [x.buffer, x.offset, *x.strides]
    return [*words, *item.dims, *item.steps]
