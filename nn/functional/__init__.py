"""Every layer, activation and loss as a function without state, by PyTorch's names."""

from autograd import leaky_relu, relu, sigmoid, tanh

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
