"""Optimizers and learning-rate schedules: each is its paper's formula. Needs NumPy and nothing else of ours."""

import importlib
from typing import TYPE_CHECKING

from . import lr_scheduler
from .adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from .adam import Adam, AdamW
from .adam_relatives import AdaBelief, Adamax, NAdam, RAdam, Yogi
from .averaging import AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn
from .layerwise import LAMB, LARS, NovoGrad
from .lbfgs import LBFGS
from .matrix import Adafactor, Muon
from .optimizer import Optimizer
from .schedule_free import Prodigy, ScheduleFreeAdamW, ScheduleFreeSGD
from .sgd import SGD, Momentum, Signum
from .sign import ASGD, Lion, Rprop
from .wrappers import SAM, Lookahead

if TYPE_CHECKING:
    from . import distributed

__all__ = [
    "ASGD",
    "LAMB",
    "LARS",
    "LBFGS",
    "SAM",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragedModel",
    "Ftrl",
    "Lion",
    "Lookahead",
    "Momentum",
    "Muon",
    "NAdam",
    "NovoGrad",
    "Optimizer",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Signum",
    "Yogi",
    "distributed",
    "get_ema_avg_fn",
    "get_swa_avg_fn",
    "lr_scheduler",
    "update_bn",
]


def __getattr__(name: str) -> object:
    if name == "distributed":  # what a script of one process does not need
        return importlib.import_module(".distributed", __name__)
    raise AttributeError(f"module 'optim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "distributed"})
