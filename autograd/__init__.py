"""Reverse-mode automatic differentiation of floats and arrays.

Each operation defines its value and its partial derivatives.  The graph records which operations produced which values,
and one loop applies the chain rule from the result back to the inputs.

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

from . import extend, operations as _operations
from .backward import backward, gradients
from .diagnostics import AnomalyError, detect_anomaly
from .graph import Node, topological_order
from .messages import GradientWarning, equivalent as _equivalent, similar as _similar
from .operands import get_default_dtype, set_default_dtype
from .operations import *
from .recording import enable_grad, is_grad_enabled, no_grad
from .rules import PRIMITIVES
from .tensor import Tensor, as_tensor
from .typing import Operation as _Operation
from .value import Value

if TYPE_CHECKING:  # imported at first access, see the end of this file
    from .checking import GradcheckError, gradcheck, gradgradcheck, verify
    from .drawing.draw import draw as draw, draw_backward as draw_backward
    from .drawing.picture import Drawing as Drawing, data_rows as data_rows
    from .drawing.player import offline_page as offline_page, page_graph as page_graph, play as play
    from .explaining.explanation import explain as explain
    from .explaining.formula import formula as formula
    from .explaining.steps import backward_steps as backward_steps
    from .tape.recording import RecordingError as RecordingError
    from .tape.step import compile as compile
    from .transforms.checkpointing import checkpoint
    from .transforms.functional import grad, hessian, hessian_product, hvp, jacobian, jvp, value_and_grad, vjp

abs: _Operation = _operations.absolute

# The modules of these names are loaded by now, so these stay the classes that a reader of PyTorch calls here.
tensor: type[Tensor] = Tensor
value: type[Value] = Value

__version__ = "0.1.0"

__all__ = [
    "PRIMITIVES", "AnomalyError", "GradcheckError", "GradientWarning", "Node", "Tensor", "Value", "abs", "as_tensor",
    "backward", "checkpoint", "detect_anomaly", "draw", "enable_grad", "explain", "extend", "get_default_dtype", "grad",
    "gradcheck", "gradgradcheck", "gradients", "hessian", "hessian_product", "hvp", "is_grad_enabled", "jacobian",
    "jvp", "no_grad", "play", "set_default_dtype", "tensor", "topological_order", "value", "value_and_grad", "verify",
    "vjp",
]  # fmt: skip
__all__ += _operations.__all__

# Names that a training does not need are imported at first access.
_LAZY = {
    "GradcheckError": "checking", "gradcheck": "checking", "gradgradcheck": "checking", "verify": "checking",
    "RecordingError": "tape.recording", "backward_steps": "explaining.steps", "compile": "tape.step",
    "draw": "drawing.draw", "draw_backward": "drawing.draw",
    "explain": "explaining.explanation", "formula": "explaining.formula",
    "Drawing": "drawing.picture", "data_rows": "drawing.picture",
    "offline_page": "drawing.player", "page_graph": "drawing.player", "play": "drawing.player",
    "checkpoint": "transforms.checkpointing",
}  # fmt: skip
_LAZY |= dict.fromkeys(
    ("grad", "hessian", "hessian_product", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"), "transforms.functional"
)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'autograd' has no attribute {name!r}{_equivalent(name) or _similar(name, __dir__())}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY})
