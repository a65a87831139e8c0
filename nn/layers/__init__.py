"""The layers, each with PyTorch's name and arguments."""

from . import activation, container, linear, norm
from .activation import *
from .container import *
from .linear import *
from .norm import *

__all__: list[str] = []
__all__ += activation.__all__
__all__ += container.__all__
__all__ += linear.__all__
__all__ += norm.__all__
