"""The levels of a program of floats run by one small interpreter, which numba compiles once per installation.

It decides what to do once for each segment, not for each number, and calls the functions of the C library that Python's
own `math` calls, so that every bit is the same.  Products and sums are rounded one by one: numba is not allowed to
contract or to reorder them (no ``fastmath``).

The machine code is kept in the ``__pycache__`` beside this file, or, where that cannot be written to, in numba's folder
for the user; the environment variable ``NUMBA_CACHE_DIR`` names another.  ``CHAINRULE_NUMBA=0`` does without numba.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["CHAIN", "KINDS", "NUMBER", "interpreter"]

Array = np.ndarray[Any, Any]
# What a segment does, by the number that stands for it; whatever is not listed is called as Python on each float.
KINDS = (
    "chain", "divide", "reciprocal", "absolute", "relu", "maximum", "minimum", "where", "greater", "greater_equal",
    "less", "less_equal", "equal", "not_equal", "logical_not", "logical_and", "logical_or", "sign", "sqrt", "rsqrt",
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "sigmoid", "softplus", "power", "atan2",
)  # fmt: skip
CHAIN = 0
NUMBER = {name: i for i, name in enumerate(KINDS)}

# numba takes these for constants
_DIVIDE, _RECIPROCAL, _ABSOLUTE = NUMBER["divide"], NUMBER["reciprocal"], NUMBER["absolute"]
_RELU, _MAXIMUM, _MINIMUM, _WHERE = NUMBER["relu"], NUMBER["maximum"], NUMBER["minimum"], NUMBER["where"]
_GREATER, _GREATER_EQUAL = NUMBER["greater"], NUMBER["greater_equal"]
_LESS, _LESS_EQUAL, _EQUAL, _NOT_EQUAL = NUMBER["less"], NUMBER["less_equal"], NUMBER["equal"], NUMBER["not_equal"]
_NOT, _AND, _OR, _SIGN = NUMBER["logical_not"], NUMBER["logical_and"], NUMBER["logical_or"], NUMBER["sign"]
_SQRT, _RSQRT, _EXP, _EXP2, _EXPM1 = NUMBER["sqrt"], NUMBER["rsqrt"], NUMBER["exp"], NUMBER["exp2"], NUMBER["expm1"]
_LOG, _LOG2, _LOG10, _LOG1P = NUMBER["log"], NUMBER["log2"], NUMBER["log10"], NUMBER["log1p"]
_SIN, _COS, _TAN, _ASIN = NUMBER["sin"], NUMBER["cos"], NUMBER["tan"], NUMBER["asin"]
_ACOS, _ATAN, _SINH, _COSH = NUMBER["acos"], NUMBER["atan"], NUMBER["sinh"], NUMBER["cosh"]
_TANH, _ASINH, _ACOSH, _ATANH = NUMBER["tanh"], NUMBER["asinh"], NUMBER["acosh"], NUMBER["atanh"]
_ERF, _SIGMOID, _SOFTPLUS = NUMBER["erf"], NUMBER["sigmoid"], NUMBER["softplus"]
_POWER, _ATAN2 = NUMBER["power"], NUMBER["atan2"]
_FOREIGN = len(KINDS)


def _chains(v: Array, a: Array, b: Array, start: int, lanes: int, length: int, out: int) -> None:
    """Compute a segment of chains, eight at a time: a processor goes on while it waits for a sum."""
    lane = 0
    while lane + 8 <= lanes:
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = -0.0  # the number that changes no other by being added
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


def _of_one(kind: int, x: float) -> float:
    """Compute a function of one number as `autograd.operands.SCALAR` does; the compiler makes a table of it."""
    if kind == _TANH:
        y = math.tanh(x)
    elif kind == _EXP:
        y = math.exp(x)
    elif kind == _LOG:
        y = math.log(x)
    elif kind == _SIGMOID:
        e = math.exp(-abs(x))
        y = (1.0 if x >= 0.0 else e) / (1.0 + e)
    elif kind == _SOFTPLUS:
        y = math.log1p(math.exp(-abs(x))) + (0.0 if x < 0.0 else x)
    elif kind == _SQRT:
        y = math.sqrt(x)
    elif kind == _RSQRT:
        y = 1.0 / math.sqrt(x)
    elif kind == _RECIPROCAL:
        y = 1.0 / x
    elif kind == _SIN:
        y = math.sin(x)
    elif kind == _COS:
        y = math.cos(x)
    else:
        y = _of_one_rarely(kind, x)
    return y


def _of_one_rarely(kind: int, x: float) -> float:
    """Continue `_of_one`."""
    if kind == _EXP2:
        y = math.exp2(x)
    elif kind == _EXPM1:
        y = math.expm1(x)
    elif kind == _LOG2:
        y = math.log2(x)
    elif kind == _LOG10:
        y = math.log10(x)
    elif kind == _LOG1P:
        y = math.log1p(x)
    elif kind == _TAN:
        y = math.tan(x)
    elif kind == _ASIN:
        y = math.asin(x)
    elif kind == _ACOS:
        y = math.acos(x)
    elif kind == _ATAN:
        y = math.atan(x)
    elif kind == _SINH:
        y = math.sinh(x)
    elif kind == _COSH:
        y = math.cosh(x)
    elif kind == _ASINH:
        y = math.asinh(x)
    elif kind == _ACOSH:
        y = math.acosh(x)
    elif kind == _ATANH:
        y = math.atanh(x)
    else:
        y = math.erf(x)
    return y


def _of_two(kind: int, x: float, y: float) -> float:
    """Compute a function of two numbers that raises where its result is not finite."""
    if kind == _DIVIDE:
        return x / y
    return math.pow(x, y) if kind == _POWER else math.atan2(x, y)


def _never_fails(kind: int, x: float, y: float, z: float) -> float:
    """Compute a question, a choice or a whole part; a yes is 1.0."""
    if kind == _WHERE:
        return y if x != 0.0 else z
    if kind == _ABSOLUTE:
        return abs(x)
    if kind == _SIGN:
        return x if x != x else (1.0 if x > 0.0 else 0.0) - (1.0 if x < 0.0 else 0.0)
    if kind in (_MAXIMUM, _MINIMUM):
        if x != x or y != y:
            return x + y
        return (y if y > x else x) if kind == _MAXIMUM else (y if y < x else x)
    return 1.0 if _holds(kind, x, y) else 0.0


def _holds(kind: int, x: float, y: float) -> bool:
    if kind == _GREATER:
        return x > y
    if kind == _GREATER_EQUAL:
        return x >= y
    if kind == _LESS:
        return x < y
    if kind == _LESS_EQUAL:
        return x <= y
    if kind == _EQUAL:
        return x == y
    if kind == _NOT_EQUAL:
        return x != y
    if kind == _NOT:
        return x == 0.0
    return (x != 0.0 and y != 0.0) if kind == _AND else (x != 0.0 or y != 0.0)


def _interpret(v: Array, plan: Array, a: Array, b: Array, c: Array, first: int, last: int) -> bool:
    """Run the segments from `first` to before `last`; False if an operation would have raised."""
    for segment in range(first, last):
        kind, lanes, length = plan[segment, 0], plan[segment, 2], plan[segment, 3]
        start, out = plan[segment, 4], plan[segment, 5]
        if kind == 0:
            _chains(v, a, b, start, lanes, length, out)
        elif kind == _RELU:
            for i in range(lanes):
                x = v[a[start + i]]
                v[out + i] = 0.0 if x < 0.0 else x
        elif kind == _DIVIDE or kind >= _POWER:
            for i in range(lanes):
                y = _of_two(kind, v[a[start + i]], v[b[start + i]])
                v[out + i] = y
                if not math.isfinite(y):
                    return False
        elif kind == _RECIPROCAL or kind >= _SQRT:
            for i in range(lanes):
                y = _of_one(kind, v[a[start + i]])
                v[out + i] = y
                if not math.isfinite(y):
                    return False
        else:
            for i in range(start, start + lanes):
                v[out + i - start] = _never_fails(kind, v[a[i]], v[b[i]], v[c[i]])
    return True


@functools.cache
def interpreter() -> Callable[..., bool]:
    """Return the interpreter as machine code.

    Raises
    ------
    ImportError
        If numba is not installed.
    RuntimeError
        If there is no folder to keep the machine code in: it would be compiled in every process, for seconds.
    """
    import numba

    names = dict(globals())
    for function in (_chains, _of_one_rarely, _of_one, _of_two, _holds, _never_fails, _interpret):
        twin = types.FunctionType(function.__code__, names, function.__name__)  # one that calls the compiled others
        names[function.__name__] = numba.njit(cache=function is _interpret, error_model="numpy")(twin)
    compiled: Callable[..., bool] = names["_interpret"]
    return compiled
