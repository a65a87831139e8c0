"""Optimizers that need no schedule: `ScheduleFreeSGD`, `ScheduleFreeAdamW`."""

from collections.abc import Callable, Iterable

import numpy as np

from optim.optimizer import Optimizer, Terms, Update
from optim.options import Betas, Fraction, Inner, NonNegative, Whole
from optim.typing import Array, Group, State


class ScheduleFree(Optimizer, shared={"train_mode": True}):
    """Base class of the schedule-free optimizers: gradients are taken at y, between the fast z and its average x.

    During training the parameters hold y. `eval` replaces it by the average x, the result of the method, and `train`
    restores y.
    """

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Raise RuntimeError if the parameters hold the average."""
        if not first["train_mode"]:
            raise RuntimeError(f"{type(self).__name__} is in evaluation mode: call optimizer.train() before step()")
        return {}

    def eval(self) -> None:
        """Set the parameters to the average x."""
        self._exchange(False, lambda p, z, beta: (p - (1 - beta) * z) / beta)

    def train(self) -> None:
        """Set the parameters to y, where gradients are taken."""
        self._exchange(True, lambda p, z, beta: beta * p + (1 - beta) * z)

    def _exchange(self, train_mode: bool, formula: Callable[[Array, Array, float], Array]) -> None:
        for group, flats in zip(self.param_groups, self._flat, strict=True):
            if group["train_mode"] == train_mode:
                continue
            beta = group["momentum"] if "momentum" in group else group["betas"][0]  # the weight of x in y
            for flat in flats:
                states, after = self.initialized(flat, group), flat.pieces(flat.output())
                for p, out, (z, *_) in zip(flat.pieces(flat.read()), after, states, strict=True):
                    out[...] = formula(p, z, beta)
                flat.write()
            group["train_mode"] = train_mode


def weighted(
    t: int, lr: float, weight_sum: float, lr_max: float, warmup_steps: int, r: float, weight_lr_power: float
) -> tuple[float, float, float, float]:
    """Return step size gamma, weight c of the new z in the average, sum of all weights, and largest gamma so far."""
    gamma = lr * min(1.0, t / warmup_steps) if warmup_steps else lr
    lr_max = max(lr_max, gamma)
    weight = t**r * lr_max**weight_lr_power
    weight_sum = weight_sum + weight
    return gamma, weight / weight_sum if weight_sum else 0.0, weight_sum, lr_max


class ScheduleFreeSGD(ScheduleFree):
    """Gradient descent without a schedule: averaging instead of a decaying learning rate.

    ::

        z -= lr * g                                         (g: gradient at y, the parameters during training)
        x  = (1 - c) * x + c * z                            (c: weight of this step over the sum of weights)
        y  = (1 - momentum) * z + momentum * x              (`eval` sets the parameters to x, `train` to y)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Weight of x in y, in (0, 1).
    weight_decay : float
        Added to the gradient at y.
    warmup_steps : int
        Number of steps of linear warm-up of `lr`.
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
    weight_decay: NonNegative = 0.0
    warmup_steps: Whole = 0
    r: NonNegative = 0.0
    weight_lr_power: NonNegative = 2.0

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with z = p."""
        return p, 0.0, 0.0

    def rule(
        self, g: Array, z: Array, weight_sum: float, lr_max: float, *,
        p: Array, t: int, lr: float, momentum: float, warmup_steps: int, r: float, weight_lr_power: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        gamma, c, weight_sum, lr_max = weighted(t, lr, weight_sum, lr_max, warmup_steps, r, weight_lr_power)
        x = (p - (1 - momentum) * z) / momentum
        z = z - gamma * g
        x = (1 - c) * x + c * z
        y = (1 - momentum) * z + momentum * x
        return p - y, (z, weight_sum, lr_max)


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW without a schedule: averaging instead of momentum and of a decaying learning rate.

    ::

        v  = b2 * v + (1 - b2) * g**2;    z -= lr * (g / (sqrt(v / (1 - b2**t)) + eps) + weight_decay * y)
        x  = (1 - c) * x + c * z                            (c: weight of this step over the sum of weights)
        y  = (1 - b1) * z + b1 * x                          (`eval` sets the parameters to x, `train` to y)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Weight of x in y, in (0, 1), and decay rate of v.
    eps : float
        Added outside the root.
    weight_decay : float
        Added to the update at y.
    warmup_steps : int
        Number of steps of linear warm-up of `lr`.
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
    betas: tuple[Inner, Fraction] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    warmup_steps: Whole = 0
    r: NonNegative = 0.0
    weight_lr_power: NonNegative = 2.0

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with z = p and v = 0."""
        return p, 0.0, 0.0, zero

    def rule(
        self, g: Array, z: Array, weight_sum: float, lr_max: float, v: Array, *, p: Array, t: int, lr: float,
        betas: Betas, eps: float, weight_decay: float, warmup_steps: int, r: float, weight_lr_power: float,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        gamma, c, weight_sum, lr_max = weighted(t, lr, weight_sum, lr_max, warmup_steps, r, weight_lr_power)
        v = b2 * v + (1 - b2) * g**2
        v_hat = v / (1 - b2**t)
        x = (p - (1 - b1) * z) / b1
        z = z - gamma * (g / (np.sqrt(v_hat) + eps) + weight_decay * p)
        x = (1 - c) * x + c * z
        y = (1 - b1) * z + b1 * x
        return p - y, (z, weight_sum, lr_max, v)
