"""Learning rate schedules: pure functions of the step, and classes with the names used by PyTorch.

::

    scheduler = CosineAnnealingLR(optimizer, T_max=100)
    for batch in batches:
        ...
        optimizer.step()
        scheduler.step()

`functions` contains the curves; `preview`, `sparkline` and `plot` show a schedule without an optimizer.
"""

from . import functions
from .anneal import SWALR, CosineAnnealingLR, CosineAnnealingWarmRestarts
from .base import LRScheduler, Rates
from .combine import (
    ChainedScheduler,
    ConstantLR,
    LinearLR,
    SequentialLR,
    TrapezoidLR,
    WarmupLR,
)
from .curve import plot, preview, sparkline
from .cycle import CyclicLR, OneCycleLR
from .decay import (
    ExponentialLR,
    InverseSqrtLR,
    InverseTimeLR,
    LambdaLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from .plateau import ReduceLROnPlateau

__all__ = [
    "SWALR", "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR",
    "ExponentialLR", "InverseSqrtLR", "InverseTimeLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
    "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "Rates", "ReduceLROnPlateau", "SequentialLR", "StepLR",
    "TrapezoidLR", "WarmupLR", "functions", "plot", "preview", "sparkline",
]  # fmt: skip
