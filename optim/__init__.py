"""Optimizers and learning-rate schedules: each is its paper's formula. Needs NumPy and nothing else of ours."""

from .adam import Adam, AdamW
from .optimizer import Optimizer
from .sgd import SGD, Momentum, Signum

__all__ = ["SGD", "Adam", "AdamW", "Momentum", "Optimizer", "Signum"]
