"""The interpreter of native programs, which numba compiles once per installation, and the loops that NumPy lacks.

An instruction is a row of 64-bit integers::

    function, data, size of the row in bytes, operands, size of dims in bytes, count 0, count 1,
    for each operand: place, offset, stride 0, stride 1,
    the elements of dims and of steps

It calls ``function(addresses, dims, steps, data)``, the signature of NumPy's inner loops, count 0 times count 1 times.
The address of an operand is the content of its place in a table, plus an offset, plus a stride for each repetition.
Functions below `KERNELS` are those of this module.
"""

# mypy: ignore-errors
# numba compiles these functions, whose types it infers.

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

WORD: Any = ir.IntType(64)
HEADER, OPERAND = 56, 32  # bytes of a row before its operands, and of an operand
KERNELS, GATHER, PUT = 64, 1, 2


@intrinsic
def call(typing_context: Any, function: Any, addresses: Any, dims: Any, steps: Any, data: Any) -> Any:
    """Call an inner loop of NumPy."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [WORD] * 4)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), generate


@intrinsic
def pointer(typing_context: Any, address: Any, dtype: Any) -> Any:
    """Return an address as a pointer to elements of a dtype."""
    kind = types.CPointer(dtype.dtype)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(kind))

    return kind(types.int64, dtype), generate


@numba.njit
def array(address, count, dtype):
    """Return the `count` elements at an address as an array."""
    return carray(pointer(address, dtype), count)


@numba.njit
def load(address):
    """Return the 64-bit integer at an address."""
    return array(address, 1, np.int64)[0]


@numba.njit
def store(address, value):
    """Write a 64-bit integer to an address."""
    array(address, 1, np.int64)[0] = value


@numba.njit
def locate(args, n, steps, length):
    """``flat * length + index`` of indices along one axis; return False if one is out of range."""
    for i in range(n):
        index = load(load(args + 8) + i * load(steps + 8))
        if index < 0:
            index += length
        if not 0 <= index < length:
            return False
        store(load(args + 16) + i * 8, load(load(args) + i * load(steps)) * length + index)
    return True


@numba.njit
def move(args, n, size, dtype, function):
    """Copy, put or add rows of `size` elements: those at some positions of an array, and consecutive ones."""
    whole, at = array(load(args), 1 << 40, dtype), array(load(args + 8), n, np.int64)
    rows = array(load(args + 16), n * size, dtype)
    for i in range(n):
        row, place = rows[i * size : (i + 1) * size], whole[at[i] * size : (at[i] + 1) * size]
        if function == GATHER:
            for j in range(size):
                row[j] = place[j]
        elif function == PUT:
            for j in range(size):
                place[j] = row[j]
        else:
            for j in range(size):
                place[j] += row[j]


@numba.njit
def chains(args, dims, out):
    """Compute sums of products term by term, after copying scattered factors; see `lowering`."""
    n, terms, count, spare = load(dims), load(dims + 8), load(dims + 16), load(dims + 24)
    start, places = load(args + 8), array(load(args), count, np.uint32)
    v, gathered = array(start, 1 << 40, np.float64), array(start + 8 * spare, count, np.float64)
    for i in range(count):
        gathered[i] = v[places[i]]
    factors, total = array(load(args) + 4 * count, 2 * terms, np.int32), array(start + 8 * out, n, np.float64)
    total[:] = -0.0  # adding -0.0 changes no value
    for i in range(0, 2 * terms, 2):
        x = array(start + 8 * factors[i + 1], n, np.float64)
        if factors[i] < 0:
            factor = v[~factors[i]]
            for j in range(n):
                total[j] += x[j] * factor
        else:
            y = array(start + 8 * factors[i], n, np.float64)
            for j in range(n):
                total[j] += x[j] * y[j]


@numba.njit
def kernel(function, args, dims, steps, data):
    """Compute one of the functions in `instructions.KERNELS`; return False if its operands need the engine."""
    n = load(dims)
    if function <= PUT:
        move(args, n, data, np.int32, function)
    elif function == 3:
        move(args, n, data, np.float32, function)
    elif function == 4:
        move(args, n, data, np.float64, function)
    elif function == 5:
        chains(args, dims, data)
    elif function == 6:
        return locate(args, n, steps, data)
    else:
        return array(load(args), 1, np.bool_)[0]
    return True


@numba.njit
def once(code, end, places, scratch):
    """Run the instructions between two addresses; return False if one of them needs the engine."""
    while code < end:
        operands = code + HEADER
        dims = operands + OPERAND * load(code + 24)
        steps = dims + load(code + 32)
        for i in range(load(code + 40)):
            for j in range(load(code + 48)):
                args = scratch
                for operand in range(operands, dims, OPERAND):
                    address = load(places + 8 * load(operand)) + load(operand + 8)
                    store(args, address + i * load(operand + 16) + j * load(operand + 24))
                    args += 8
                if load(code) >= KERNELS:
                    call(load(code), scratch, dims, steps, load(code + 8))
                elif not kernel(load(code), scratch, dims, steps, load(code + 8)):
                    return False
        code += load(code + 16)
    return True


@numba.njit(cache=True, error_model="numpy")
def interpret(frame):
    """Run instructions several times; return how many times they succeeded.

    At the address `frame` are the first and the last address of the instructions, the address of the places, the number
    of times, the number of places that advance after each time, the address of pairs (place, bytes) that tell by how
    much, and from the ninth word on memory for the addresses of operands.
    """
    places, times, moved, changes = load(frame + 16), load(frame + 24), load(frame + 32), load(frame + 40)
    for done in range(times):
        if not once(load(frame), load(frame + 8), places, frame + 64):
            return done
        for i in range(moved):
            place = places + 8 * load(changes + 16 * i)
            store(place, load(place) + load(changes + 16 * i + 8))
    return times


def prepare(may_compile: bool) -> bool:
    """Load the compiled interpreter from numba's cache, or compile it; return whether it is ready."""
    signature = (numba.int64,)  # the key under which a call finds it
    # numba discards code that it compiled for another version of this file, of itself, or for another processor.
    if may_compile or interpret._cache.load_overload(signature, interpret.targetctx) is not None:
        interpret.compile(signature)
        return True
    return False
