"""Every layer, activation and loss as a function without state, by PyTorch's names."""

from autograd import leaky_relu, relu, sigmoid, tanh

from . import binary, layer, margins, pairs, rectifiers, regression, smooth
from .binary import *
from .cross_entropy import cross_entropy, kl_div, nll_loss, one_hot
from .layer import *
from .margins import *
from .pairs import *
from .rectifiers import *
from .regression import *
from .smooth import *

__all__ = [
    "cross_entropy", "kl_div", "leaky_relu", "nll_loss", "one_hot", "relu", "sigmoid", "tanh",
]  # fmt: skip
__all__ += binary.__all__
__all__ += layer.__all__
__all__ += margins.__all__
__all__ += pairs.__all__
__all__ += rectifiers.__all__
__all__ += regression.__all__
__all__ += smooth.__all__
