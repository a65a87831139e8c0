"""Optimizers and learning-rate schedules, written as the formulas of their papers. Depends on NumPy only."""

import importlib
from typing import TYPE_CHECKING

from .optimizer import Optimizer
from .options import suggestion

if TYPE_CHECKING:  # imported at first access, see the end of this file
    from . import distributed, lr_scheduler
    from .algorithms.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
    from .algorithms.adam import AdaBelief, Adam, Adamax, AdamW, NAdam, RAdam, StableAdamW, Yogi
    from .algorithms.adam_variants import ADOPT, MARS, AdaBound, AdaMod, Adan, AdEMAMix, GrokfastAdamW, LaProp, QHAdam
    from .algorithms.layerwise import LAMB, LARS, SGDP, AdamP, NovoGrad
    from .algorithms.matrix import SM3, SOAP, Adafactor, Muon, PSGDKron, Shampoo
    from .algorithms.parameter_free import MADGRAD, DAdaptAdam, DoG, DoWG, Prodigy, ScheduleFreeAdamW, ScheduleFreeSGD
    from .algorithms.second_order import LBFGS, AdaHessian, LevenbergMarquardt, NewtonCG, Sophia
    from .algorithms.sgd import ASGD, PID, QHM, SGD, AggMo, Lion, Momentum, Rprop, Signum
    from .algorithms.wrappers import SAM, Lookahead
    from .averaging import AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn

__all__ = [
    "ADOPT", "ASGD", "LAMB", "LARS", "LBFGS", "MADGRAD", "MARS", "PID", "QHM", "SAM", "SGD", "SGDP", "SM3", "SOAP",
    "AdEMAMix", "AdaBelief", "AdaBound", "AdaHessian", "AdaMod", "Adadelta", "Adafactor", "Adagrad", "Adam",
    "AdamP", "AdamW", "Adamax", "Adan", "AggMo", "AveragedModel", "DAdaptAdam", "DoG", "DoWG", "Ftrl",
    "GrokfastAdamW", "LaProp", "LevenbergMarquardt", "Lion", "Lookahead", "Momentum", "Muon", "NAdam", "NewtonCG",
    "NovoGrad", "Optimizer", "PSGDKron", "Prodigy", "QHAdam", "RAdam", "RMSprop", "Rprop", "ScheduleFreeAdamW",
    "ScheduleFreeSGD", "Shampoo", "Signum", "Sophia", "StableAdamW", "Yogi", "distributed", "get_ema_avg_fn",
    "get_swa_avg_fn", "lr_scheduler", "update_bn",
]  # fmt: skip

# The modules of the names above, in the order in which they are searched.
_MODULES = (
    "algorithms.sgd", "algorithms.adam", "algorithms.adagrad", "algorithms.adam_variants", "algorithms.layerwise",
    "algorithms.matrix", "algorithms.parameter_free", "algorithms.second_order", "algorithms.wrappers", "averaging",
)  # fmt: skip


def __getattr__(name: str) -> object:
    if name in ("distributed", "lr_scheduler"):
        return importlib.import_module(f".{name}", __name__)
    if name in __all__:
        modules = (vars(importlib.import_module(f".{module}", __name__)) for module in _MODULES)
        return next(module[name] for module in modules if name in module)
    rates = importlib.import_module(".lr_scheduler", __name__)
    if hasattr(rates, name):
        raise AttributeError(f"module 'optim' has no attribute {name!r}: write optim.lr_scheduler.{name}")
    known = rates.__all__ if name.endswith("LR") else __all__
    raise AttributeError(f"module 'optim' has no attribute {name!r}: {suggestion(name, known)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
