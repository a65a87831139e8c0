"""Layers, losses and multi-layer perceptrons on `autograd`, with PyTorch's names.

Examples
--------
>>> import numpy as np
>>> import nn
>>> model = nn.MLP(2, [8, 1], activation="tanh", rng=0)
>>> loss = nn.MSELoss()(model(np.zeros((4, 2))), np.zeros((4, 1)))
>>> loss.backward()
"""

from . import _check, checkpoint, data, functional, init, scalar, utils  # noqa: F401  (_check comes first: is this our autograd?)
from .activation import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from .container import ModuleDict, ModuleList, ParameterList, Residual, Sequential
from .hooks import Handle
from .linear import Linear
from .loss import BCEWithLogitsLoss, CrossEntropyLoss, HalfMSELoss, MSELoss
from .mlp import MLP
from .module import Module, Parameter
from .randomness import get_rng_state, manual_seed, set_rng_state
from .state import LoadResult, StateDictError

__all__ = [
    "MLP", "BCEWithLogitsLoss", "CrossEntropyLoss", "HalfMSELoss", "Handle", "LeakyReLU", "Linear", "LoadResult",
    "MSELoss", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterList", "ReLU", "Residual", "Sequential",
    "Sigmoid", "Softmax", "StateDictError", "Tanh", "checkpoint", "data", "functional", "get_rng_state", "init", "manual_seed", "scalar",
    "set_rng_state", "utils",
]  # fmt: skip
