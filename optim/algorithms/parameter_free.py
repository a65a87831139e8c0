"""Rules with a distance or an average in place of a rate or a schedule: `DoG`, `Prodigy`, `ScheduleFreeAdamW`, ..."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from optim.algorithms.adam import AdamVariant
from optim.optimizer import Optimizer, Terms, Update, descent_direction
from optim.options import Betas, Fraction, Inner, NonNegative, Positive, Whole
from optim.typing import Array, Data, Group, State


def distances(terms: Iterable[Terms]) -> tuple[Any, Any, Any]:
    """Return the squared norms of all gradients, of the way from the initial parameters, and of these."""
    gradients = way = initial = 0.0
    for p, g, (p0,), _, _ in terms:
        gradients = gradients + (g * g).sum()
        way = way + ((p - p0) ** 2).sum()
        initial = initial + (p0 * p0).sum()
    return gradients, way, initial


class DoG(Optimizer, shared={"distance": 0.0, "squares": 0.0}):
    """SGD with the step size *distance over gradients*, without a learning rate to tune.

    ::

        r = max(r, |p - p0|), at first reps_rel * (1 + |p0|);    G += |g|**2
        p -= lr * r / sqrt(G + eps) * g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    reps_rel : float
        Size of the first step, relative to the norm of the initial parameters.
    eps : float
        Added inside the root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Ivgi, Hinder & Carmon 2023, "DoG is SGD's Best Friend", equation 1; the norms are those of all parameters
    together. Leave `lr` at 1, and use an average of the parameters (`AveragedModel`), as the paper recommends.
    optax: ``contrib.dog``. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> DoG([p], reps_rel=0.125).step()
    >>> round(p.data, 6)
    0.75
    """

    lr: NonNegative = 1.0
    reps_rel: Positive = 1e-6
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def start(self, zero: Array, *, p: Array) -> State:
        """Keep the initial parameter p0."""
        return (p,)

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return the largest distance and the sum of squared gradients."""
        gradients, way, initial = distances(terms)
        r = np.maximum(first["distance"], np.maximum(first["reps_rel"] * (1 + np.sqrt(initial)), np.sqrt(way)))
        return {"distance": r, "squares": first["squares"] + gradients}

    def rule(self, g: Array, p0: Array, *, lr: float, eps: float, distance: float, squares: float) -> Update:
        """Return the update and the new state."""
        return lr * distance / np.sqrt(squares + eps) * g, (p0,)


class DoWG(DoG, without=("reps_rel",)):
    """SGD with the step size *distance over weighted gradients*, without a learning rate to tune.

    ::

        r = max(r, |p - p0|), at first `d0`;    V += r**2 * |g|**2
        p -= lr * r**2 / (sqrt(V) + eps) * g

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    d0 : float
        First estimate of the distance to the solution.
    eps : float
        Added to the root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Khaled, Mishchenko & Jin 2023, "DoWG Unleashed", Algorithm 1; the norms are those of all parameters together.
    optax: ``contrib.dowg``. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> DoWG([p], d0=0.25, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    d0: Positive = 1e-4

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return the largest distance and the weighted sum of squared gradients."""
        gradients, way, _ = distances(terms)
        r = np.maximum(first["distance"], np.maximum(first["d0"], np.sqrt(way)))
        return {"distance": r, "squares": first["squares"] + r**2 * gradients}

    def rule(self, g: Array, p0: Array, *, lr: float, eps: float, distance: float, squares: float) -> Update:
        """Return the update and the new state."""
        return lr * distance**2 / (np.sqrt(squares) + eps) * g, (p0,)


class MADGRAD(Optimizer):
    """Momentumized adaptive dual averaging, with a cube root where Adam has a square root.

    ::

        k = lr * sqrt(t);    s += k * g;    v += k * g**2;    z = p0 - s / (v**(1/3) + eps)
        p = momentum * p + (1 - momentum) * z

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    momentum : float
        Weight of the present parameters.
    eps : float
        Added to the cube root.
    weight_decay : float
        L2 regularization, added to the gradient.

    Notes
    -----
    Defazio & Jelassi 2021, "Adaptivity without Compromise", Algorithm 1, with ``1 - momentum`` for c. It needs
    little weight decay, and suits sparse problems. optax: ``contrib.madgrad``. PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=8.0)
    >>> MADGRAD([p], lr=0.125, momentum=0.0, eps=0.0).step()
    >>> round(p.data, 6)
    0.5
    """

    lr: NonNegative = 1e-2
    momentum: Fraction = 0.9
    eps: NonNegative = 1e-6
    weight_decay: NonNegative = 0.0

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with s = v = 0 and the initial parameter p0."""
        return zero, zero, p

    def rule(
        self, g: Array, s: Array, v: Array, p0: Array, *, p: Array, t: int, lr: float, momentum: float, eps: float
    ) -> Update:
        """Return the update and the new state."""
        k = lr * t**0.5
        s = s + k * g
        v = v + k * g**2
        z = p0 - s / (np.cbrt(v) + eps)
        return (1 - momentum) * (p - z), (s, v, p0)


class EstimatedDistance(AdamVariant, shared={"d": 0.0, "d_next": 0.0, "r": 0.0}):
    """Base class of the rules of which all groups share a growing estimate d of the distance, and a sum r."""

    lr: NonNegative = 1.0
    d0: Positive = 1e-6

    def check_group(self, group: Group) -> None:
        """Start the estimate of a new group at d0."""
        group["d_next"] = group["d_next"] or group["d0"]


class DAdaptAdam(EstimatedDistance):
    """Adam with the step size of D-Adaptation: a lower bound of the distance to the solution that grows.

    ::

        k = d * lr;    r = b * r + (1 - b) * k * (g . s / (sqrt(v) + eps));    s = b * s + (1 - b) * k * g
        m = b1 * m + (1 - b1) * k * g;    v = b2 * v + (1 - b2) * g**2;    p -= m / (sqrt(v) + eps)
        d = max(d, r / ((1 - b) * |s|_1))                   (b = sqrt(b2))

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Factor of the estimated step size.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        L2 regularization, added to the gradient.
    d0 : float
        Initial estimate of the distance.

    Notes
    -----
    Defazio & Mishchenko 2023, "Learning-Rate-Free Learning by D-Adaptation", Algorithm 5, as in the authors' code. It
    helps where a learning rate cannot be searched; `Prodigy` improves on it. Leave `lr` at 1, or change it by a
    schedule. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> DAdaptAdam([p], betas=(0.0, 0.0), d0=0.25).step()
    >>> round(p.data, 6)
    0.75
    """

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return the estimate d of the distance, computed from all gradients together."""
        d, total, size = first["d_next"], 0.0, 0.0
        b = first["betas"][1] ** 0.5
        for p, g, (_, v, s), group, _ in terms:
            g = descent_direction(g, p, maximize=group["maximize"], weight_decay=group["weight_decay"])
            k = d * group["lr"]
            total = total + k * (g * s / (np.sqrt(v) + group["eps"])).sum()
            size = size + abs(b * s + (1 - b) * k * g).sum()
        r = b * first["r"] + (1 - b) * total
        return {"d": d, "d_next": np.maximum(d, r / np.where(size > 0, (1 - b) * size, 1.0)), "r": r}

    def rule(self, g: Array, m: Array, v: Array, s: Array, *, lr: float, betas: Betas, eps: float, d: float) -> Update:
        """Return the update and the new state."""
        b1, b2 = betas
        b, k = b2**0.5, d * lr
        m = b1 * m + (1 - b1) * k * g
        v = b2 * v + (1 - b2) * g**2
        s = b * s + (1 - b) * k * g
        return m / (np.sqrt(v) + eps), (m, v, s)


class Prodigy(EstimatedDistance):
    """Adam with an estimated step size: the distance from the initial point to the solution.

    ::

        m, v as in Adam, of d * g and (d * g)**2;    k = d * lr * sqrt(1 - b2**t) / (1 - b1**t)
        r = b3 * r + d / d0 * k * (g . (p0 - p));    s = b3 * s + d / d0 * k * g;    d' = max(d, d_coef * r / |s|_1)
        p -= k * (m / (sqrt(v) + d' * eps) + weight_decay * p);    d = d'

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of the two averages, each in [0, 1).
    beta3 : float
        Decay rate of r and s; None means ``sqrt(b2)``.
    eps : float
        Added outside the root, times d.
    weight_decay : float
        Decoupled.
    d0, d_coef : float
        Initial estimate of the distance, and a factor of all estimates.
    safeguard_warmup : bool
        Omit lr in s.

    Notes
    -----
    Mishchenko & Defazio 2023, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", Algorithm 4, with Adam's
    bias corrections as in optax (``contrib.prodigy``); the authors' package has them as an option. All groups share
    the estimate. PyTorch and Keras do not include it. Leave `lr` at 1, or change it by a schedule.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=1.0, grad=2.0)
    >>> Prodigy([p], d0=0.25, eps=0.0).step()
    >>> round(p.data, 6)
    0.75
    """

    beta3: Fraction | None = None
    d_coef: Positive = 1.0
    safeguard_warmup: bool = False

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with m = v = s = 0 and the initial parameter p0."""
        return zero, zero, zero, p

    def shared_values(self, first: Group, terms: Iterable[Terms]) -> Group:
        """Return the estimate d of the distance, computed from all gradients together."""
        d, total, size = first["d_next"], 0.0, 0.0
        b3 = beta3_of(first["betas"], first["beta3"])
        for p, g, (_, _, s, p0), group, t in terms:
            k = step_size(d, t, group["lr"], group["betas"])
            g = descent_direction(g, p, maximize=group["maximize"], weight_decay=0.0)
            total = total + d / group["d0"] * k * (g * (p0 - p)).sum()
            s = b3 * s + d / group["d0"] * (d if group["safeguard_warmup"] else k) * g
            size = size + abs(s).sum()
        r = b3 * first["r"] + total
        return {"d": d, "d_next": np.maximum(d, first["d_coef"] * r / np.where(size > 0, size, 1.0)), "r": r}

    def rule(
        self, g: Array, m: Array, v: Array, s: Array, p0: Array, *,
        p: Array, t: int, lr: float, betas: Betas, beta3: float | None, eps: float, weight_decay: float,
        d: float, d_next: float, d0: float, safeguard_warmup: bool,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        b3 = beta3_of(betas, beta3)
        k = step_size(d, t, lr, betas)
        m = b1 * m + (1 - b1) * d * g
        v = b2 * v + (1 - b2) * (d * g) ** 2
        s = b3 * s + d / d0 * (d if safeguard_warmup else k) * g
        return k * (m / (np.sqrt(v) + d_next * eps) + weight_decay * p), (m, v, s, p0)


def beta3_of(betas: Betas, beta3: float | None) -> Data:
    """Return the decay rate of Prodigy's sums."""
    return betas[1] ** 0.5 if beta3 is None else beta3


def step_size(d: Data, t: int, lr: float, betas: Betas) -> Data:
    """Return Prodigy's step size, corrected for the bias of both averages."""
    return d * lr * (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t)


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
                states, before = self.initialized(flat, group), flat.pieces(flat.read())
                for p, out, (z, *_) in zip(before, flat.pieces(flat.output()), states, strict=True):
                    out[...] = formula(p, z, beta)
                flat.write()
            group["train_mode"] = train_mode


def weighted(t: int, lr: float, weight_sum: float, lr_max: float, warmup_steps: int) -> tuple[float, ...]:
    """Return step size gamma, weight c of the new z in the average, sum of all weights, and largest gamma so far."""
    gamma = lr * min(1.0, t / warmup_steps) if warmup_steps else lr
    lr_max = max(lr_max, gamma)
    weight_sum = weight_sum + lr_max**2
    return gamma, lr_max**2 / weight_sum if weight_sum else 0.0, weight_sum, lr_max


class ScheduleFreeSGD(ScheduleFree):
    """Gradient descent without a schedule: averaging instead of a decaying learning rate.

    ::

        z -= lr * g                                         (g: gradient at y, the parameters during training)
        x  = (1 - c) * x + c * z                            (c: max(lr)**2 over its sum of all steps)
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

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with z = p."""
        return p, 0.0, 0.0

    def rule(
        self, g: Array, z: Array, weight_sum: float, lr_max: float, *,
        p: Array, t: int, lr: float, momentum: float, warmup_steps: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        gamma, c, weight_sum, lr_max = weighted(t, lr, weight_sum, lr_max, warmup_steps)
        x = (p - (1 - momentum) * z) / momentum
        z = z - gamma * g
        x = (1 - c) * x + c * z
        y = (1 - momentum) * z + momentum * x
        return p - y, (z, weight_sum, lr_max)


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW without a schedule: averaging instead of momentum and of a decaying learning rate.

    ::

        v  = b2 * v + (1 - b2) * g**2;    z -= lr * (g / (sqrt(v / (1 - b2**t)) + eps) + weight_decay * y)
        x  = (1 - c) * x + c * z                            (c: max(lr)**2 over its sum of all steps)
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

    def start(self, zero: Array, *, p: Array) -> State:
        """Begin with z = p and v = 0."""
        return p, 0.0, 0.0, zero

    def rule(
        self, g: Array, z: Array, weight_sum: float, lr_max: float, v: Array, *, p: Array, t: int, lr: float,
        betas: Betas, eps: float, weight_decay: float, warmup_steps: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        gamma, c, weight_sum, lr_max = weighted(t, lr, weight_sum, lr_max, warmup_steps)
        v = b2 * v + (1 - b2) * g**2
        v_hat = v / (1 - b2**t)
        x = (p - (1 - b1) * z) / b1
        z = z - gamma * (g / (np.sqrt(v_hat) + eps) + weight_decay * p)
        x = (1 - c) * x + c * z
        y = (1 - b1) * z + b1 * x
        return p - y, (z, weight_sum, lr_max, v)
