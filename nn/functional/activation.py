"""Activation functions, without state."""

from autograd import leaky_relu, relu, sigmoid, softmax, tanh

__all__ = ["leaky_relu", "relu", "sigmoid", "softmax", "tanh"]
