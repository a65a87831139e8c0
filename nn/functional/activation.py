"""All activation functions in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd as ag

from .rectifiers import (
    celu,
    elu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    prelu,
    relu6,
    rrelu,
    selu,
    softshrink,
    threshold,
)
from .smooth import (
    gelu,
    glu,
    log_softmax,
    logsigmoid,
    mish,
    silu,
    softmax,
    softmin,
    softplus,
    softsign,
    tanhshrink,
)

__all__ = [
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax",
    "logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
]  # fmt: skip


relu: Callable[..., Any] = ag.relu
sigmoid: Callable[..., Any] = ag.sigmoid
tanh: Callable[..., Any] = ag.tanh
leaky_relu: Callable[..., Any] = ag.leaky_relu
