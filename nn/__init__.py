"""Layers, losses and multi-layer perceptrons on `autograd`, with PyTorch's names.

Examples
--------
>>> import numpy as np
>>> import nn
>>> model = nn.MLP(2, [8, 1], activation="tanh", rng=0)
>>> loss = nn.MSELoss()(model(np.zeros((4, 2))), np.zeros((4, 1)))
>>> loss.backward()
"""

from . import _check, checkpoint, data, drawing, exchange, functional, init, metrics, monitor, scalar, training, utils  # noqa: F401  (_check comes first)
from .activation import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from .container import ModuleDict, ModuleList, ParameterList, Residual, Sequential
from .diagrams import draw_neurons, draw_passes
from .dropout import AlphaDropout, Dropout
from .estimator import MLPClassifier, MLPRegressor
from .hooks import Handle
from .linear import Bilinear, Embedding, Flatten, Identity, Linear
from .loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    FocalLoss,
    GaussianNLLLoss,
    HalfMSELoss,
    HingeEmbeddingLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    LogCoshLoss,
    MarginRankingLoss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    SquaredHingeLoss,
    TripletMarginLoss,
)
from .lr_finder import find_lr
from .mlp import MLP
from .module import Module, Parameter
from .monitor import Monitor
from .norm import BatchNorm1d, LayerNorm, RMSNorm
from .randomness import get_rng_state, manual_seed, set_rng_state
from .slopes import PReLU, RReLU
from .state import LoadResult, StateDictError
from .summarize import summary

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "MLP", "SELU", "AlphaDropout", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d",
    "Bilinear", "CosineEmbeddingLoss", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "FocalLoss",
    "GaussianNLLLoss", "HalfMSELoss", "Handle", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
    "HingeEmbeddingLoss", "HingeLoss", "HuberLoss", "Identity", "KLDivLoss", "L1Loss", "LayerNorm", "LeakyReLU",
    "Linear", "LoadResult", "LogCoshLoss", "LogSigmoid", "LogSoftmax", "MLPClassifier", "MLPRegressor", "MSELoss",
    "MarginRankingLoss", "Mish", "Module", "ModuleDict", "ModuleList", "Monitor", "MultiMarginLoss", "NLLLoss",
    "PReLU", "Parameter", "ParameterList", "PoissonNLLLoss", "RMSNorm", "RReLU", "ReLU", "ReLU6", "Residual",
    "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "SoftMarginLoss", "Softmax", "Softmin", "Softplus",
    "Softshrink", "Softsign", "SquaredHingeLoss", "StateDictError", "Tanh", "Tanhshrink", "Threshold",
    "TripletMarginLoss", "checkpoint", "data", "draw_neurons", "draw_passes", "exchange", "find_lr", "functional",
    "get_rng_state", "init", "manual_seed", "metrics", "monitor", "scalar", "set_rng_state", "summary",
    "training", "utils",
]  # fmt: skip
