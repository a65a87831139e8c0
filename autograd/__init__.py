"""Reverse-mode automatic differentiation of floats and arrays.

An operation says what it computes and its partial derivatives; the graph remembers who used whom; one loop
multiplies along the arrows.

Examples
--------
>>> from autograd import Value
>>> a, b = Value(2.0), Value(3.0)
>>> (a * b).tanh().backward()
>>> f"{a.grad:.2e}"
'7.37e-05'
"""

import importlib
from typing import TYPE_CHECKING

from . import extend
from .backward import backward, gradients
from .checking.gradcheck import GradcheckError, gradcheck, gradgradcheck
from .checking.verify import verify
from .checkpointing import checkpoint
from .diagnostics.anomaly import AnomalyError, detect_anomaly
from .dtypes import get_default_dtype, set_default_dtype
from .graph import Node, topological_order
from .messages import GradientWarning
from .operations.broadcasting import astype, broadcast_to
from .operations.comparing import (
    ceil,
    equal,
    floor,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
    round,
    sign,
)  # fmt: skip
from .operations.elementwise import (
    absolute,
    add,
    divide,
    exp,
    exp2,
    expm1,
    fmod,
    leaky_relu,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    multiply,
    negative,
    power,
    reciprocal,
    relu,
    rsqrt,
    sigmoid,
    softplus,
    sqrt,
    square,
    subtract,
)  # fmt: skip
from .operations.indexing import diag, diagonal, flip, getitem, index_add, scatter, take, take_along_axis
from .operations.joining import concatenate, pad, repeat, roll, split, stack
from .operations.linalg import cholesky, det, inv, matmul, norm, slogdet, solve, trace
from .operations.products import dot, einsum, outer, tensordot
from .operations.reducing import (
    all,
    any,
    argmax,
    argmin,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    softmax,
    std,
    sum,
    var,
)
from .operations.scanning import argsort, cumprod, cumsum, prod, sort
from .operations.selecting import clip, maximum, minimum, where
from .operations.shaping import (
    expand_dims,
    flatten,
    moveaxis,
    reshape,
    squeeze,
    swapaxes,
    tile,
    transpose,
    tril,
    triu,
)
from .operations.trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    erf,
    hypot,
    sin,
    sinh,
    tan,
    tanh,
)
from .recording import enable_grad, is_grad_enabled, no_grad
from .rules import PRIMITIVES
from .tensor import Tensor, as_tensor
from .transforms.functional import grad, jvp, value_and_grad, vjp
from .transforms.jacobians import hessian, hvp, jacobian
from .value import Value

if TYPE_CHECKING:  # loaded when first asked for, see the end of this file
    from .drawing.animation import draw_backward as draw_backward
    from .drawing.diff import draw_diff as draw_diff
    from .drawing.draw import draw as draw
    from .drawing.networks import neuron_diagram as neuron_diagram
    from .drawing.networks import pass_diagram as pass_diagram
    from .drawing.player import play as play
    from .explaining.explanation import explain as explain
    from .explaining.formula import formula as formula
    from .explaining.steps import backward_steps as backward_steps
    from .tape.compiled import compile as compile
    from .tape.recording import RecordingError as RecordingError

abs = absolute

# The modules of these names are loaded by now, so these stay the classes that a reader of PyTorch calls here.
tensor: type[Tensor] = Tensor
value: type[Value] = Value

__version__ = "0.1.0"

__all__ = [
    "PRIMITIVES", "GradientWarning", "Node", "Tensor", "Value", "abs", "absolute", "acos", "acosh", "add", "all",
    "any", "argmax", "argmin", "argsort", "as_tensor", "asin", "asinh", "astype", "atan", "atan2", "atanh",
    "backward", "broadcast_to", "ceil", "cholesky", "clip", "concatenate", "cos", "cosh", "cumprod", "cumsum",
    "det", "diag", "diagonal", "divide", "dot", "einsum", "equal", "erf", "exp", "exp2", "expand_dims", "expm1",
    "extend", "flatten", "flip", "floor", "fmod", "get_default_dtype", "getitem", "gradients", "greater",
    "greater_equal", "hypot", "index_add", "inv", "is_grad_enabled", "isfinite", "isinf", "isnan", "leaky_relu",
    "less", "less_equal", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logsumexp", "matmul", "max", "maximum", "mean", "min", "minimum", "moveaxis", "multiply",
    "negative", "no_grad", "norm", "not_equal", "outer", "pad", "power", "prod", "reciprocal", "relu", "repeat",
    "reshape", "roll", "round", "rsqrt", "scatter", "set_default_dtype", "sigmoid", "sign", "sin", "sinh",
    "slogdet", "softmax", "softplus", "solve", "sort", "split", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensor", "tensordot", "tile",
    "topological_order", "trace", "transpose", "tril", "triu", "value", "var", "where",
]  # fmt: skip
__all__ += [
    "AnomalyError", "GradcheckError", "checkpoint", "detect_anomaly", "enable_grad", "grad", "gradcheck",
    "gradgradcheck", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "verify", "vjp",
]  # fmt: skip

# Pictures and explanations bring tools of their own, so they are loaded when first asked for.
_LAZY = {
    "RecordingError": "tape.recording",
    "backward_steps": "explaining.steps", "compile": "tape.compiled", "draw": "drawing.draw",
    "draw_backward": "drawing.animation",
    "draw_diff": "drawing.diff", "explain": "explaining.explanation", "formula": "explaining.formula",
    "neuron_diagram": "drawing.networks", "pass_diagram": "drawing.networks", "play": "drawing.player",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'autograd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
