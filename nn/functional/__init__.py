"""Every layer, activation and loss as a function without state, by PyTorch's names."""

from .activation import leaky_relu, relu, sigmoid, softmax, tanh
from .cross_entropy import cross_entropy
from .layer import linear
from .loss import binary_cross_entropy_with_logits, half_mse_loss, mse_loss

__all__ = [
    "binary_cross_entropy_with_logits", "cross_entropy", "half_mse_loss", "leaky_relu", "linear", "mse_loss", "relu",
    "sigmoid", "softmax", "tanh",
]  # fmt: skip
