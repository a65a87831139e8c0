"""Activations as modules; options, documentation and examples are those of the function in `nn.functional`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np  # noqa: F401  (for the examples of the functions)

from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)
from nn.module import Module, Parameter
from nn.typing import DType, Operand
from nn.validation import checked_integer

from .function_module import FunctionModule
from .linear import filled

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softmin",
    "Softplus", "Softshrink", "Softsign", "SwiGLU", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class Rectifier(FunctionModule):
    """Base of the rectifiers and their smooth relatives, which `MLP` precedes by weights from He's initializer."""

    weight_init: ClassVar[str] = "he"


class ReLU(Rectifier, function=F.relu): ...


class ReLU6(Rectifier, function=F.relu6): ...


class LeakyReLU(Rectifier, function=F.leaky_relu): ...


class ELU(Rectifier, function=F.elu): ...


class CELU(Rectifier, function=F.celu): ...


class SELU(FunctionModule, function=F.selu):
    weight_init: ClassVar[str] = "lecun"


class GELU(Rectifier, function=F.gelu): ...


class SiLU(Rectifier, function=F.silu): ...


class Mish(Rectifier, function=F.mish): ...


class Sigmoid(FunctionModule, function=F.sigmoid): ...


class Tanh(FunctionModule, function=F.tanh): ...


class Hardtanh(FunctionModule, function=F.hardtanh): ...


class Hardsigmoid(FunctionModule, function=F.hardsigmoid): ...


class Hardswish(Rectifier, function=F.hardswish): ...


class Softplus(Rectifier, function=F.softplus): ...


class Softsign(FunctionModule, function=F.softsign): ...


class Tanhshrink(FunctionModule, function=F.tanhshrink): ...


class Softshrink(Rectifier, function=F.softshrink): ...


class Hardshrink(Rectifier, function=F.hardshrink): ...


class LogSigmoid(FunctionModule, function=F.logsigmoid): ...


class Softmax(FunctionModule, function=F.softmax): ...


class Softmin(FunctionModule, function=F.softmin): ...


class LogSoftmax(FunctionModule, function=F.log_softmax): ...


class GLU(FunctionModule, function=F.glu): ...


class SwiGLU(FunctionModule, function=F.swiglu): ...


class Threshold(Rectifier, function=F.threshold, inputs=1): ...


class PReLU(Module):
    r"""Rectifier with a learned slope: :math:`x` if positive, else :math:`a x` (He et al. 2015, eq. 1).

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels (the second axis of the input) for one slope per channel.
    init : float
        Initial slope.
    dtype : dtype, optional
        Type of the parameter; the default dtype if not given.

    Attributes
    ----------
    weight : Parameter of shape (num_parameters,)
        The slopes.

    Examples
    --------
    >>> PReLU()(np.array([-1.0, 2.0])).numpy()
    array([-0.25,  2.  ])
    """

    weight_init: ClassVar[str] = "he"
    _shown: tuple[str, ...] = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: DType = None) -> None:
        super().__init__()
        self.num_parameters: int = checked_integer("PReLU", "num_parameters", num_parameters, 1)
        self.weight: Parameter = filled(self.num_parameters, init, dtype)

    def forward(self, input: Operand) -> Operand:
        """Return the activation of each element."""
        return F.prelu(input, self.weight)


class RReLU(Rectifier, function=F.rrelu): ...
