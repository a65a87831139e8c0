"""Optimizers and learning-rate schedules, written as the formulas of their papers. Depends on NumPy only."""

import importlib
from typing import TYPE_CHECKING

from . import lr_scheduler
from .algorithms.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from .algorithms.adam import Adam, AdamW
from .algorithms.adam_variants import AdaBelief, Adamax, NAdam, RAdam, Yogi
from .algorithms.layerwise import LAMB, LARS, NovoGrad
from .algorithms.lbfgs import LBFGS
from .algorithms.matrix import Adafactor, Muon
from .algorithms.schedule_free import Prodigy, ScheduleFreeAdamW, ScheduleFreeSGD
from .algorithms.sgd import SGD, Momentum, Signum
from .algorithms.sign import ASGD, Lion, Rprop
from .algorithms.wrappers import SAM, Lookahead
from .averaging import AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn
from .optimizer import Optimizer
from .options import suggestion

if TYPE_CHECKING:
    from . import distributed

__all__ = [
    "ASGD", "LAMB", "LARS", "LBFGS", "SAM", "SGD", "AdaBelief", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW",
    "Adamax", "AveragedModel", "Ftrl", "Lion", "Lookahead", "Momentum", "Muon", "NAdam", "NovoGrad", "Optimizer",
    "Prodigy", "RAdam", "RMSprop", "Rprop", "ScheduleFreeAdamW", "ScheduleFreeSGD", "Signum", "Yogi", "distributed",
    "get_ema_avg_fn", "get_swa_avg_fn", "lr_scheduler", "update_bn",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "distributed":  # not needed by scripts of one process
        return importlib.import_module(".distributed", __name__)
    if hasattr(lr_scheduler, name):
        raise AttributeError(f"module 'optim' has no attribute {name!r}: write optim.lr_scheduler.{name}")
    raise AttributeError(f"module 'optim' has no attribute {name!r}: {suggestion(name, __all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), "distributed"})
