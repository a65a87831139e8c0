"""Instructions of the native machine, and the table of integers that the interpreter reads.

Most call an inner loop of NumPy.  A ufunc has one loop per combination of dtypes, a C function
``loop(char **args, npy_intp *dims, npy_intp *steps, void *data)``, and the public header ``numpy/ufuncobject.h``
declares where they are.  Called directly, a loop computes the same bits as the ufunc, uses the same vector
instructions, and takes 10 ns instead of 500 ns for a small array.
"""

import ctypes
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autograd.typing import Shape

HEADER = 7  # words of an instruction before its operands
# The functions of `kernels` by their numbers; of the last two, a call may fail.
KERNELS = ("", "gather", "put", "scatter f", "scatter d", "chain", "locate", "holds")
MAY_FAIL = KERNELS[-2:]


class Loop(NamedTuple):
    """An inner loop: its address, its number in `kernels`, or 0 if it has to be compiled; its data, name and dtypes."""

    function: int
    data: int
    name: str
    signature: str = ""


class _Header(ctypes.Structure):
    """The first fields of ``PyUFuncObject``, after those of every Python object."""

    _fields_ = [
        ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_size_t)), ("data", ctypes.POINTER(ctypes.c_size_t)),
        ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int), ("name", ctypes.c_char_p), ("types", ctypes.c_void_p),
    ]  # fmt: skip


@functools.cache
def loop_of(ufunc: np.ufunc, signature: str) -> Loop:
    """Return the loop of a ufunc for these dtypes.

    Raises
    ------
    LookupError
        If the ufunc has no such loop, or if this version of NumPy stores its loops differently.

    Examples
    --------
    >>> loop_of(np.add, "ff->f").name
    'add'
    """
    header = _Header.from_address(id(ufunc) + object.__basicsize__)
    counts = (header.nin, header.nout, header.nargs, header.ntypes)
    if counts != (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes) or header.name.decode() != ufunc.__name__:
        raise LookupError(f"the layout of ufuncs in NumPy {np.__version__} is unknown")
    if signature not in ufunc.types:
        raise LookupError(f"np.{ufunc.__name__} has no loop {signature}")
    i = ufunc.types.index(signature)
    numbers = ctypes.string_at(header.types + i * ufunc.nargs, ufunc.nargs)
    if list(numbers) != [np.dtype(char).num for char in signature.replace("->", "")]:
        raise LookupError(f"the order of the loops in NumPy {np.__version__} is unknown")
    return Loop(header.functions[i], header.data[i] if header.data else 0, ufunc.__name__, signature)


def kernel(name: str, data: int = 0) -> Loop:
    """Return a function of `kernels`, or raise `TypeError` if there is none for these dtypes."""
    if name not in KERNELS:
        raise TypeError(f"no function {name}")
    return Loop(KERNELS.index(name), data, name)


class Operand(NamedTuple):
    """A place in the memory of a program: a buffer, an offset, and strides of the two loops around a call."""

    buffer: int
    offset: int
    strides: tuple[int, int] = (0, 0)


class Instruction(NamedTuple):
    """A call of a function, repeated for `counts`; the last operand is written.

    If it is `elementwise`, the order of the elements does not matter.
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


def merged(shape: Shape, strides: Sequence[tuple[int, ...]]) -> tuple[Shape, list[tuple[int, ...]]]:
    """Return the fewest dimensions, and for each operand its strides along them."""
    dims: list[int] = []
    columns: list[list[int]] = []
    for n, *steps in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if dims and columns[-1] == [step * n for step in steps]:
            dims[-1], columns[-1] = dims[-1] * n, steps
        else:
            dims.append(n)
            columns.append(steps)
    return (tuple(dims), list(zip(*columns, strict=True))) if dims else ((1,), [(0,)] * len(strides))


def encoded(item: Instruction) -> list[int]:
    """Return the words of an instruction, see `kernels`."""
    words = [item.loop.function, item.loop.data, 0, len(item.operands), 8 * len(item.dims), *item.counts]
    for x in item.operands:
        words += [x.buffer, x.offset, *x.strides]
    words += [*item.dims, *item.steps]
    words[2] = 8 * len(words)
    return words
