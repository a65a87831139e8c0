"""The layers, each with PyTorch's name and arguments."""

from . import activation, container, dropout, linear, mlp, norm
from .activation import *
from .container import *
from .dropout import *
from .linear import *
from .mlp import *
from .norm import *

__all__: list[str] = []
__all__ += activation.__all__
__all__ += container.__all__
__all__ += dropout.__all__
__all__ += linear.__all__
__all__ += mlp.__all__
__all__ += norm.__all__
