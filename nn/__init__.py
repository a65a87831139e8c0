"""Layers, losses and multi-layer perceptrons based on `autograd`, with PyTorch's names.

Examples
--------
>>> import numpy as np
>>> import nn
>>> model = nn.MLP(2, [8, 1], activation="tanh", rng=0)
>>> loss = nn.MSELoss()(model(np.zeros((4, 2))), np.zeros((4, 1)))
>>> loss.backward()
"""

import importlib
from typing import TYPE_CHECKING

from . import _check, functional, init, layers, loss  # noqa: F401  (_check is first)
from .layers import *
from .loss import *
from .mlp import MLP
from .module import LoadResult, Module, Parameter, StateDictError
from .module.hooks import Handle
from .random import get_rng_state, manual_seed, set_rng_state
from .show import graphs as _graphs  # noqa: F401  (registers modules with autograd.draw)
from .validation import similar

if TYPE_CHECKING:
    from . import checkpoint, data, exchange, metrics, scalar, training, utils
    from .show.networks import draw_neurons, draw_passes
    from .show.playground import play
    from .show.summary import summary
    from .training.estimators import MLPClassifier, MLPRegressor
    from .training.lr_finder import find_lr
    from .training.monitor import Monitor

__all__ = [
    "MLP", "Handle", "LoadResult", "MLPClassifier", "MLPRegressor", "Module", "Monitor", "Parameter",
    "StateDictError", "checkpoint", "data", "draw_neurons", "draw_passes", "exchange", "find_lr", "functional",
    "get_rng_state", "init", "manual_seed", "metrics", "play", "scalar", "set_rng_state", "summary", "training",
    "utils",
]  # fmt: skip
__all__ += layers.__all__
__all__ += loss.__all__

# Names that a script which only trains does not need are imported at first access.
_LAZY = {
    "MLPClassifier": "training.estimators", "MLPRegressor": "training.estimators", "Monitor": "training.monitor",
    "draw_neurons": "show.networks", "draw_passes": "show.networks", "find_lr": "training.lr_finder",
    "play": "show.playground", "summary": "show.summary",
}  # fmt: skip
_LAZY_MODULES = ("checkpoint", "data", "exchange", "metrics", "scalar", "training", "utils")


def __getattr__(name: str) -> object:
    if name in _LAZY_MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    convolves = name.startswith(("Conv", "MaxPool", "AvgPool"))
    hint = ": convolutions are not supported" if convolves else similar(name, __all__)
    raise AttributeError(f"module 'nn' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_LAZY_MODULES})
