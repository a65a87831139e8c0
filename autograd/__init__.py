"""Reverse-mode automatic differentiation of floats and arrays.

An operation says what it computes and its partial derivatives; the graph remembers who used whom; one loop
multiplies along the arrows.

Examples
--------
>>> from autograd import Value
>>> a, b = Value(2.0), Value(3.0)
>>> (a * b).tanh().backward()
>>> round(a.grad, 7)
7.37e-05
"""

import importlib

from . import extend
from .backward import backward, gradients
from .elementwise import (
    absolute,
    add,
    cos,
    divide,
    equal,
    exp,
    greater,
    greater_equal,
    leaky_relu,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    relu,
    sigmoid,
    sign,
    sin,
    softplus,
    sqrt,
    subtract,
    tanh,
    where,
)  # fmt: skip
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .graph import GradientWarning, Node, is_grad_enabled, no_grad, topological_order
from .linalg import matmul
from .reducing import log_softmax, logsumexp, max, mean, softmax, sum
from .rules import PRIMITIVES, broadcast_to
from .shaping import concatenate, getitem, reshape, stack, swapaxes, transpose
from .tensor import Tensor, as_tensor, get_default_dtype, set_default_dtype
from .value import Value

abs = absolute

__all__ = [
    "PRIMITIVES", "GradientWarning", "Node", "Tensor", "Value", "abs", "absolute", "add", "as_tensor", "backward",
    "broadcast_to", "concatenate", "cos", "divide", "equal", "exp", "extend", "get_default_dtype", "getitem",
    "gradients", "greater", "greater_equal", "is_grad_enabled", "leaky_relu", "less", "less_equal", "log",
    "log_softmax", "logsumexp", "matmul", "max", "maximum", "mean", "minimum", "multiply", "negative", "no_grad",
    "not_equal", "power", "relu", "reshape", "set_default_dtype", "sigmoid", "sign", "sin", "softmax", "softplus",
    "sqrt", "stack", "subtract", "sum", "swapaxes", "tanh", "topological_order", "transpose", "where",
]  # fmt: skip
__all__ += ["GradcheckError", "gradcheck", "gradgradcheck"]

# Pictures and explanations bring tools of their own, so they are loaded when first asked for.
_LAZY = {"draw": "drawing"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'autograd' has no attribute {name!r}")
