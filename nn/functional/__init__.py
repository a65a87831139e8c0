"""Every layer, activation and loss as a function without state, by PyTorch's names."""

import autograd as ag
from autograd import leaky_relu, relu, sigmoid, tanh
from nn.validation import similar

from . import activation, classification, layer, regression
from .activation import *
from .classification import *
from .layer import *
from .regression import *

__all__ = ["leaky_relu", "relu", "sigmoid", "tanh"]
__all__ += activation.__all__
__all__ += classification.__all__
__all__ += layer.__all__
__all__ += regression.__all__


def __getattr__(name: str) -> object:
    hint = f": write autograd.{name}" if name in ag.__all__ else similar(name, __all__)
    raise AttributeError(f"module 'nn.functional' has no attribute {name!r}{hint}")
