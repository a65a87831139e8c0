"""Optimizers and learning-rate schedules, written as the formulas of their papers. Depends on NumPy only."""

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
from .optimizer import Optimizer
from .options import suggestion

__all__ = [
    "ADOPT", "ASGD", "LAMB", "LARS", "LBFGS", "MADGRAD", "MARS", "PID", "QHM", "SAM", "SGD", "SGDP", "SM3", "SOAP",
    "AdEMAMix", "AdaBelief", "AdaBound", "AdaHessian", "AdaMod", "Adadelta", "Adafactor", "Adagrad", "Adam",
    "AdamP", "AdamW", "Adamax", "Adan", "AggMo", "AveragedModel", "DAdaptAdam", "DoG", "DoWG", "Ftrl",
    "GrokfastAdamW", "LaProp", "LevenbergMarquardt", "Lion", "Lookahead", "Momentum", "Muon", "NAdam", "NewtonCG",
    "NovoGrad", "Optimizer", "PSGDKron", "Prodigy", "QHAdam", "RAdam", "RMSprop", "Rprop", "ScheduleFreeAdamW",
    "ScheduleFreeSGD", "Shampoo", "Signum", "Sophia", "StableAdamW", "Yogi", "distributed", "get_ema_avg_fn",
    "get_swa_avg_fn", "lr_scheduler", "update_bn",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if hasattr(lr_scheduler, name):
        raise AttributeError(f"module 'optim' has no attribute {name!r}: write optim.lr_scheduler.{name}")
    known = lr_scheduler.__all__ if name.endswith("LR") else __all__
    raise AttributeError(f"module 'optim' has no attribute {name!r}: {suggestion(name, known)}")
