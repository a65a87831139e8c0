"""How operations write into an array that is there already.

Each function takes ``(*arguments, out, **parameters)`` and gives bit for bit what the operation gives; those that are
more than one call of NumPy are used only where all arrays have the dtype of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.rules import PRIMITIVES

# Zeros as arrays of no axes: a Python number is converted anew in each call, which takes as long as a small array.
_ZEROS = {np.dtype(name): np.zeros((), name) for name in ("float16", "float32", "float64")}


def relu(x: Any, out: Any) -> Any:
    """Write ``max(0, x)``."""
    return np.maximum(x, _ZEROS.get(x.dtype, 0.0), out=out)


def sigmoid(x: Any, out: Any) -> Any:
    """Write ``1 / (1 + e**-x)``, step by step as the operation does."""
    np.negative(x, out)
    with np.errstate(over="ignore"):
        np.exp(out, out)
    np.add(out, 1.0, out)
    return np.divide(1.0, out, out)


def reciprocal(x: Any, out: Any) -> Any:
    """Write ``1 / x``."""
    return np.divide(1.0, x, out)


def softplus(x: Any, out: Any) -> Any:
    """Write ``log(1 + e**x)``, step by step as the operation does."""
    ramp = np.maximum(x, 0.0)
    np.absolute(x, out)
    np.negative(out, out)
    np.exp(out, out)
    np.log1p(out, out)
    return np.add(out, ramp, out)


def total(x: Any, out: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Write a sum over axes."""
    return np.add.reduce(x, axis=axis, out=out, keepdims=keepdims)


WRITERS: dict[str, Callable[..., Any]] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "negative": np.negative,
    "absolute": np.absolute, "maximum": np.maximum, "minimum": np.minimum, "square": np.square, "sqrt": np.sqrt,
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
    "greater": np.greater, "greater_equal": np.greater_equal, "less": np.less, "less_equal": np.less_equal,
    "equal": np.equal, "not_equal": np.not_equal, "matmul": np.matmul, "relu": relu, "sigmoid": sigmoid,
    "softplus": softplus, "reciprocal": reciprocal, "sum": total,
}  # fmt: skip

for _name, _writer in WRITERS.items():
    PRIMITIVES[_name].into = _writer
