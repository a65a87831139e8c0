"""Learning rate schedules: pure functions of the step, and classes with the names used by PyTorch.

::

    scheduler = CosineAnnealingLR(optimizer, T_max=100)
    for batch in batches:
        ...
        optimizer.step()
        scheduler.step()

`functions` contains the curves; `preview` and `sparkline` show a schedule without an optimizer.
"""

from . import base, combine, functions, schedules
from .base import *
from .combine import *
from .schedules import *

__all__ = ["functions"]
__all__ += base.__all__
__all__ += combine.__all__
__all__ += schedules.__all__
