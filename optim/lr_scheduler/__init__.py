"""Learning rate schedules: pure functions of the step, with classes of PyTorch's names around them.

::

    scheduler = CosineAnnealingLR(optimizer, T_max=100)
    for batch in batches:
        ...
        optimizer.step()
        scheduler.step()

`functions` holds the curves, `preview`, `sparkline` and `plot` show one without an optimizer.
"""

from optim.lr_scheduler import functions
from optim.lr_scheduler.anneal import SWALR, CosineAnnealingLR, CosineAnnealingWarmRestarts
from optim.lr_scheduler.base import LRScheduler, Rates
from optim.lr_scheduler.combine import (
    ChainedScheduler,
    ConstantLR,
    LinearLR,
    SequentialLR,
    TrapezoidLR,
    WarmupLR,
)
from optim.lr_scheduler.curve import plot, preview, sparkline
from optim.lr_scheduler.cycle import CyclicLR, OneCycleLR
from optim.lr_scheduler.decay import (
    ExponentialLR,
    InverseSqrtLR,
    InverseTimeLR,
    LambdaLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "SWALR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSqrtLR",
    "InverseTimeLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "Rates",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "TrapezoidLR",
    "WarmupLR",
    "functions",
    "plot",
    "preview",
    "sparkline",
]
