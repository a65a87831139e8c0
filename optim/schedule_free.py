"""Optimizers that need no schedule: `ScheduleFreeSGD`, `ScheduleFreeAdamW`, `Prodigy`."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np

from .decay import descent
from .flat_params import State
from .optimizer import Group, Optimizer, Work
from .options import Betas, NonNegative, Positive

Inner = Annotated[float, "(0, 1)"]


class ScheduleFree(Optimizer):
    """What the schedule-free optimizers share: gradients are taken at y, between the fast z and its average x.

    In training the parameters hold y; `eval` puts the average x in their place, which is what the method is judged by,
    and `train` puts y back.
    """

    weight_decay: NonNegative = 0.0
    warmup_steps: Annotated[int, "[0, inf)"] = 0
    r: NonNegative = 0.0
    weight_lr_power: NonNegative = 2.0
    kept: ClassVar[dict[str, Any]] = {"train_mode": True}

    def start(self, zero: Any, *, p: Any) -> State:
        """Begin with z where the parameter is."""
        return p, 0.0, 0.0, zero

    def inner(self, group: Group) -> float:
        """Weight of x in y."""
        raise NotImplementedError

    def survey(self, work: Work) -> dict[str, Any]:
        """Refuse to step while the parameters hold the average."""
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError(f"{type(self).__name__} is in evaluation mode: call optimizer.train() before step()")
        return {}

    def eval(self) -> None:
        """Put the average x into the parameters."""
        self._exchange(False, lambda p, z, beta: (p - (1 - beta) * z) / beta)

    def train(self) -> None:
        """Put y, where gradients are taken, into the parameters."""
        self._exchange(True, lambda p, z, beta: beta * p + (1 - beta) * z)

    def _exchange(self, train_mode: bool, formula: Any) -> None:
        for group, bundles in zip(self.param_groups, self._bundles, strict=True):
            if group["train_mode"] == train_mode:
                continue
            beta = self.inner(group)
            for bundle in bundles:
                p, after = bundle.read(), bundle.room()
                for block, (z, *_) in zip(bundle.blocks, self._begun(bundle, group), strict=True):
                    after[block] = formula(p[block], z, beta)
                bundle.write()
            group["train_mode"] = train_mode


def averaged(
    p: Any, z: Any, direction: Any, weight_sum: float, lr_max: float, *,
    t: int, lr: float, beta: float, warmup_steps: int, r: float, weight_lr_power: float,
) -> Any:  # fmt: skip
    """Return y, z and the two sums after a step: equations 3-5 of the paper, x weighted by the largest lr so far."""
    if warmup_steps:
        lr = lr * min(1.0, t / warmup_steps)
    lr_max = max(lr_max, lr)
    weight = t**r * lr_max**weight_lr_power
    weight_sum = weight_sum + weight
    c = weight / weight_sum if weight_sum else 0.0
    x = (p - (1 - beta) * z) / beta
    z = z - lr * direction
    x = (1 - c) * x + c * z
    return beta * x + (1 - beta) * z, z, weight_sum, lr_max


class ScheduleFreeSGD(ScheduleFree):
    """Gradient descent without a schedule: an average in place of a falling step length.

    ::

        z -= lr * g                                         (g: gradient at y, which is what the parameters hold)
        x  = (1 - c) * x + c * z                            (c: weight of this step over the sum of weights)
        y  = (1 - momentum) * z + momentum * x              (`eval` puts x into the parameters, `train` y)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    momentum : float
        Weight of x in y, in (0, 1).
    weight_decay : float
        Added to the gradient at y.
    warmup_steps : int
        Over how many steps `lr` rises.
    r, weight_lr_power : float
        The average gives step t the weight ``t**r * max(lr)**weight_lr_power``.

    Notes
    -----
    Defazio et al. 2024, "The Road Less Scheduled", equations 3-5. The authors' package: the same. optax
    (``contrib.schedule_free_sgd``): the same, x computed by ``schedule_free_eval_params``. PyTorch and Keras have none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> ScheduleFreeSGD([p], lr=0.25, momentum=0.5).step()
    >>> round(p.data, 6)
    0.5
    """

    lr: NonNegative = 1.0
    momentum: Inner = 0.9

    def inner(self, group: Group) -> float:
        """Weight of x in y."""
        return float(group["momentum"])

    def rule(
        self, g: Any, z: Any, weight_sum: float, lr_max: float, v: Any, *,
        p: Any, t: int, lr: float, momentum: float, warmup_steps: int, r: float, weight_lr_power: float,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        y, z, weight_sum, lr_max = averaged(
            p, z, g, weight_sum, lr_max, t=t, lr=lr, beta=momentum,
            warmup_steps=warmup_steps, r=r, weight_lr_power=weight_lr_power,
        )  # fmt: skip
        return p - y, (z, weight_sum, lr_max, v)


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW without a schedule: an average in place of momentum and of a falling step length.

    ::

        v  = b2 * v + (1 - b2) * g**2;    u = g / (sqrt(v / (1 - b2**t)) + eps) + weight_decay * y
        z -= lr * u;    x = (1 - c) * x + c * z             (c: weight of this step over the sum of weights)
        y  = (1 - b1) * z + b1 * x                          (`eval` puts x into the parameters, `train` y)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weight of x in y, in (0, 1), and of the past in v.
    eps : float
        Added outside the root.
    weight_decay : float
        Added to the direction at y.
    warmup_steps : int
        Over how many steps `lr` rises.
    r, weight_lr_power : float
        The average gives step t the weight ``t**r * max(lr)**weight_lr_power``.

    Notes
    -----
    Defazio et al. 2024, "The Road Less Scheduled", Algorithm 1. The authors' package: the same. optax
    (``contrib.schedule_free_adamw``): the same. PyTorch and Keras have none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> ScheduleFreeAdamW([p], lr=0.25, betas=(0.5, 0.75)).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 2.5e-3
    betas: tuple[Inner, Annotated[float, "[0, 1)"]] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    own_decay: ClassVar[bool] = True

    def inner(self, group: Group) -> float:
        """Weight of x in y."""
        return float(group["betas"][0])

    def rule(
        self, g: Any, z: Any, weight_sum: float, lr_max: float, v: Any, *,
        p: Any, t: int, lr: float, betas: tuple[float, float], eps: float, weight_decay: float,
        warmup_steps: int, r: float, weight_lr_power: float,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        b1, b2 = betas
        v = b2 * v + (1 - b2) * g * g
        u = g / (np.sqrt(v / (1 - b2**t)) + eps) + weight_decay * p
        y, z, weight_sum, lr_max = averaged(
            p, z, u, weight_sum, lr_max, t=t, lr=lr, beta=b1,
            warmup_steps=warmup_steps, r=r, weight_lr_power=weight_lr_power,
        )  # fmt: skip
        return p - y, (z, weight_sum, lr_max, v)


class Prodigy(Optimizer):
    """Adam that estimates its step length: how far the solution is from the start.

    ::

        m, v as in Adam, of d * g and (d * g)**2;    k = d * lr * sqrt(1 - b2**t) / (1 - b1**t)
        r = b3 * r + d / d0 * k * (g . (p0 - p));    s = b3 * s + d / d0 * k * g;    d' = max(d, d_coef * r / |s|_1)
        p -= k * (m / (sqrt(v) + d' * eps) + weight_decay * p);    d = d'

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts of groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weights of the past in the two averages, each in [0, 1).
    beta3 : float
        Weight of the past in r and s; None means ``sqrt(b2)``.
    eps : float
        Added outside the root, times d.
    weight_decay : float
        Decoupled.
    d0, d_coef : float
        First estimate of the distance, and a factor for all of them.
    safeguard_warmup : bool
        Leave lr out of s.

    Notes
    -----
    Mishchenko & Defazio 2023, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", Algorithm 4, with Adam's
    corrections of bias as in optax (``contrib.prodigy``); the authors' package has them as an option. The
    estimate is one for all groups. PyTorch and Keras have none. Leave `lr` at 1, or let a schedule change it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> Prodigy([p], d0=0.25, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1.0
    betas: Betas = (0.9, 0.999)
    beta3: Annotated[float, "[0, 1)"] | None = None
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    d0: Positive = 1e-6
    d_coef: Positive = 1.0
    safeguard_warmup: bool = False
    own_decay: ClassVar[bool] = True
    kept: ClassVar[dict[str, Any]] = {"d": 0.0, "d_next": 0.0, "r": 0.0}

    def start(self, zero: Any, *, p: Any) -> State:
        """Begin with m = v = s = 0, and remember the start."""
        return zero, zero, zero, p

    def survey(self, work: Work) -> dict[str, Any]:
        """Estimate the distance from all gradients together."""
        first = self.param_groups[0]
        d, total, size = first["d_next"] or first["d0"], 0.0, 0.0
        beta3 = decay3(first["betas"], first["beta3"])
        for bundle, grads, group in work:
            p, states = bundle.read(), self._begun(bundle, group)
            k = length(d, bundle.t + 1, group["lr"], group["betas"])
            for i, block, g in bundle.cut(grads):
                g = descent(g, p[block], maximize=group["maximize"], weight_decay=0.0)
                _, _, s, p0 = states[i]
                total += d / group["d0"] * k * float((g * (p0 - p[block])).sum())
                s = beta3 * s + d / group["d0"] * (d if group["safeguard_warmup"] else k) * g
                size += float(abs(s).sum())
        r = beta3 * first["r"] + total
        return {"d": d, "d_next": max(d, first["d_coef"] * r / size) if size else d, "r": r}

    def rule(
        self, g: Any, m: Any, v: Any, s: Any, p0: Any, *,
        p: Any, t: int, lr: float, betas: tuple[float, float], beta3: float | None, eps: float,
        weight_decay: float, d: float, d_next: float, d0: float, safeguard_warmup: bool,
    ) -> Any:  # fmt: skip
        """Take one step; see the class."""
        b1, b2 = betas
        b3 = decay3(betas, beta3)
        k = length(d, t, lr, betas)
        m = b1 * m + (1 - b1) * d * g
        v = b2 * v + (1 - b2) * d * d * g * g
        s = b3 * s + d / d0 * (d if safeguard_warmup else k) * g
        return k * (m / (np.sqrt(v) + d_next * eps) + weight_decay * p), (m, v, s, p0)


def decay3(betas: tuple[float, float], beta3: float | None) -> float:
    """Return the weight of the past in Prodigy's sums."""
    return math.sqrt(betas[1]) if beta3 is None else beta3


def length(d: float, t: int, lr: float, betas: tuple[float, float]) -> float:
    """Return Prodigy's step length, corrected for the bias of both averages."""
    return d * lr * math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
