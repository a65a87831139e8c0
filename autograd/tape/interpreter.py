"""One small interpreter for the levels of a program of floats, which numba compiles once per installation.

Its functions are generated from the `scalar` forms in the table of operations.  They call the functions of the C
library that Python's own `math` calls, so the results agree bit for bit; numba must not contract or reorder products
and sums (no ``fastmath``).

The machine code is cached in the ``__pycache__`` beside this file or, if that is read-only, in numba's cache folder of
the user; the environment variable ``NUMBA_CACHE_DIR`` sets another folder.  ``CHAINRULE_NUMBA=0`` disables numba.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import re
import types
from collections.abc import Callable, Sequence

from autograd.graph import Primitive
from autograd.rules import PRIMITIVES
from autograd.typing import Array

__all__ = ["CHAIN", "KINDS", "NUMBER", "expression", "interpreter", "may_fail"]


def _options(op: Primitive) -> list[str]:
    """Return the names of the arguments with defaults, which are not operands."""
    return list(inspect.signature(op.forward).parameters)[len(op.rules) :]


def expression(op: Primitive, operands: Sequence[str]) -> str:
    """Return the `scalar` form of an operation with these texts as operands.

    >>> expression(PRIMITIVES["atan2"], ["a", "b"])
    'math.atan2(a, b)'
    """
    texts = dict(zip(inspect.signature(op.forward).parameters, operands, strict=False))
    return re.sub(r"(?<![.\w])[a-z]\w*", lambda name: texts.get(name[0], name[0]), op.forms["scalar"])


def may_fail(op: Primitive) -> bool:
    """Return whether Python raises an error for some floats, where C computes inf or nan."""
    return "math." in op.forms["scalar"] or "/" in op.forms["scalar"]


NOT_COMPILED = ("fmod", "hypot")  # numba has no `math.fmod`, and C's hypot rounds differently from Python's
_COMPILED = [
    name for name, op in PRIMITIVES.items() if "scalar" in op.forms and not _options(op) and name not in NOT_COMPILED
]
# The kinds of segments; an operation that is not among them is called as a Python function for each float.
CHAIN = 0
KINDS: tuple[str, ...] = ("chain", *sorted(_COMPILED, key=lambda name: may_fail(PRIMITIVES[name])))
NUMBER = {name: i for i, name in enumerate(KINDS)}
_FALLIBLE = 1 + sum(not may_fail(PRIMITIVES[name]) for name in _COMPILED)


def source() -> str:
    """Return the source of the function that computes one float of a given kind."""
    lines = ["def compute(kind, x, y, z):"]
    for number, name in enumerate(KINDS[1:], 1):
        op = PRIMITIVES[name]
        lines += [
            f"    if kind == {number}:",
            f"        return -0.0 + ({expression(op, 'xyz'[: len(op.rules)])})",  # makes a float of a bool or an int
        ]
    return "\n".join([*lines, "    return math.nan", ""])


def compute(kind: int, x: float, y: float, z: float) -> float:
    """Compute one float of a given kind; `interpreter` generates this function from `source`."""
    raise NotImplementedError


def where(condition: bool, x: float, y: float) -> float:
    """Return `x` if the condition holds, else `y`."""
    return x if condition else y


def maximum(x: float, y: float) -> float:
    """Return the larger of two floats, nan if one is nan."""
    return x + y if x != x or y != y else y if y > x else x


def minimum(x: float, y: float) -> float:
    """Return the smaller of two floats, nan if one is nan."""
    return x + y if x != x or y != y else y if y < x else x


def chains(v: Array, a: Array, b: Array, start: int, lanes: int, length: int, out: int) -> None:
    """Compute a segment of chains, eight at a time, so that the processor need not wait for each sum."""
    lane = 0
    while lane + 8 <= lanes:
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = -0.0  # adding -0.0 changes no value
        i = start + lane
        for _ in range(length):
            s0 += v[a[i]] * v[b[i]]
            s1 += v[a[i + 1]] * v[b[i + 1]]
            s2 += v[a[i + 2]] * v[b[i + 2]]
            s3 += v[a[i + 3]] * v[b[i + 3]]
            s4 += v[a[i + 4]] * v[b[i + 4]]
            s5 += v[a[i + 5]] * v[b[i + 5]]
            s6 += v[a[i + 6]] * v[b[i + 6]]
            s7 += v[a[i + 7]] * v[b[i + 7]]
            i += lanes
        j = out + lane
        v[j], v[j + 1], v[j + 2], v[j + 3] = s0, s1, s2, s3
        v[j + 4], v[j + 5], v[j + 6], v[j + 7] = s4, s5, s6, s7
        lane += 8
    while lane < lanes:
        s = -0.0
        i = start + lane
        for _ in range(length):
            s += v[a[i]] * v[b[i]]
            i += lanes
        v[out + lane] = s
        lane += 1


def interpret(v: Array, plan: Array, a: Array, b: Array, c: Array, first: int, last: int) -> bool:
    """Run the segments from `first` to before `last`; return False if an operation would have raised an error."""
    for segment in range(first, last):
        kind, lanes, length = plan[segment, 0], plan[segment, 2], plan[segment, 3]
        start, out = plan[segment, 4], plan[segment, 5]
        if kind == 0:
            chains(v, a, b, start, lanes, length, out)
        else:
            for i in range(lanes):
                y = compute(kind, v[a[start + i]], v[b[start + i]], v[c[start + i]])
                v[out + i] = y
                if kind >= _FALLIBLE and not math.isfinite(y):
                    return False
    return True


@functools.cache
def interpreter(machine_code: bool = True) -> Callable[..., bool]:
    """Return the interpreter, as machine code or as Python.

    Raises
    ------
    ImportError
        If numba is not installed.
    RuntimeError
        If no folder can be written to: compiling takes seconds, too long for every process.
    """
    text, names = source(), dict(globals())
    exec(compile(text, __file__, "exec"), names)  # noqa: S102  (made from the table of operations)
    for name in ("where", "maximum", "minimum", "chains", "compute", "interpret"):
        names[name] = function = types.FunctionType(names[name].__code__, names, name)
        if machine_code:
            import numba

            # numba's cache compares neither constants nor names: the digest changes with the operations
            function.__qualname__ += "_" + hashlib.sha256(text.encode()).hexdigest()[:16]
            names[name] = numba.njit(cache=name == "interpret", error_model="numpy")(function)
    compiled: Callable[..., bool] = names["interpret"]
    return compiled
