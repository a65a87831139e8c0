"""Schedules as pure functions of the step.

Each maps the step ``t`` (0 for the first update) to a factor of the initial rate; `one_cycle` and `anneal` return a
value between given rates. The classes of `optim.lr_scheduler` use these functions and check the arguments.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise


def step_decay(t: int, step_size: int, gamma: float = 0.1) -> float:
    """Return ``gamma ** floor(t / step_size)``.

    Examples
    --------
    >>> [step_decay(t, step_size=2, gamma=0.5) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return float(gamma ** (t // step_size))


def multistep_decay(t: int, milestones: Sequence[int], gamma: float = 0.1) -> float:
    """Return ``gamma ** n``, where n is the number of (sorted) milestones at or before `t`.

    Examples
    --------
    >>> [multistep_decay(t, milestones=[1, 4], gamma=0.5) for t in range(5)]
    [1.0, 0.5, 0.5, 0.5, 0.25]
    """
    return float(gamma ** bisect_right(milestones, t))


def exponential_decay(t: int, gamma: float) -> float:
    """Return ``gamma ** t``, which is ``exp(-lambda t)`` with ``lambda = -log(gamma)``.

    Examples
    --------
    >>> [exponential_decay(t, gamma=0.5) for t in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """
    return float(gamma**t)


def inverse_time_decay(t: int, decay: float) -> float:
    """Return ``1 / (1 + decay * t)``.

    The sum diverges and the sum of squares converges: the conditions of Robbins & Monro (1951) for convergence of
    stochastic gradient descent on a convex function.

    Examples
    --------
    >>> [inverse_time_decay(t, decay=1.0) for t in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """
    return 1.0 / (1.0 + decay * t)


def constant(t: int, factor: float = 1 / 3, total_iters: int = 5) -> float:
    """Return `factor` for the first `total_iters` steps, then 1.

    Examples
    --------
    >>> [constant(t, factor=0.5, total_iters=2) for t in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """
    return float(factor) if t < total_iters else 1.0


def linear(t: int, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5) -> float:
    """Return the linear interpolation from `start_factor` to `end_factor`, constant after `total_iters` steps.

    Examples
    --------
    >>> [linear(t, start_factor=0.5, total_iters=2) for t in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """
    if t >= total_iters:
        return float(end_factor)
    return start_factor + (end_factor - start_factor) * t / total_iters


def polynomial(t: int, total_iters: int = 5, power: float = 1.0, cycle: bool = False) -> float:
    """Return ``(1 - t / total_iters) ** power``, and 0 from `total_iters` on.

    With `cycle`, `total_iters` is multiplied by the smallest integer for which it is not exceeded, so that the rate
    rises again after each fall to 0, to lower peaks (Keras's ``PolynomialDecay``).

    Examples
    --------
    >>> [polynomial(t, total_iters=2, power=2.0) for t in range(4)]
    [1.0, 0.25, 0.0, 0.0]
    >>> [polynomial(t, total_iters=2, cycle=True) for t in range(5)]
    [1.0, 0.5, 0.0, 0.25, 0.0]
    """
    total = total_iters * max(1, math.ceil(t / total_iters)) if cycle else total_iters
    return float((1.0 - t / total) ** power) if t < total else 0.0


def cosine(t: float, T_max: float) -> float:
    """Return ``(1 + cos(pi t / T_max)) / 2``: from 1 down to 0 at `T_max`, then up again.

    Loshchilov & Hutter 2017 (SGDR), equation 5.

    Examples
    --------
    >>> [round(cosine(t, T_max=4), 4) for t in range(6)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.1464]
    """
    return (1.0 + math.cos(math.pi * t / T_max)) / 2.0


def cosine_restarts(t: int, T_0: int, T_mult: int = 1, decay: float = 1.0) -> float:
    """Return ``cosine(T_cur, T_i)``, restarted after ``T_i = T_0, T_0 * T_mult, T_0 * T_mult**2, ...`` steps.

    Cycle i, from 0, is multiplied by ``decay ** i``.

    Loshchilov & Hutter 2017 (SGDR), equation 5.

    Examples
    --------
    >>> [cosine_restarts(t, T_0=2, T_mult=2) for t in (0, 1, 2, 4, 6)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """
    # Integer arithmetic: rounding in a logarithm would misplace the first step of a long cycle.
    period, cycle = T_0, 0
    if T_mult == 1:
        cycle, t = divmod(t, T_0)
    while t >= period:
        t, period, cycle = t - period, period * T_mult, cycle + 1
    return decay**cycle * cosine(t, period)


def rex(t: int, total_iters: int) -> float:
    """Return ``(1 - z) / (1 - z / 2)`` with ``z = t / total_iters``, and 0 from `total_iters` on.

    Chen, Wolfe & Kyrillidis 2021, "REX: Revisiting Budgeted Training with an Improved Schedule".

    Examples
    --------
    >>> [round(rex(t, total_iters=4), 4) for t in range(6)]
    [1.0, 0.8571, 0.6667, 0.4, 0.0, 0.0]
    """
    z = min(t / total_iters, 1.0)
    return (1.0 - z) / (1.0 - z / 2.0)


def flat_cosine(t: int, total_iters: int, flat: float = 0.72) -> float:
    """Return 1 for a fraction `flat` of the steps, then a `cosine` to 0 at `total_iters`.

    Examples
    --------
    >>> [flat_cosine(t, total_iters=4, flat=0.5) for t in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    start = flat * total_iters
    return 1.0 if t <= start else cosine(min(t, total_iters) - start, total_iters - start)


def cos_log4(t: int, total_iters: int) -> float:
    """Return ``(1 - cos(2 pi log2(1 + 15 t / total_iters))) / 2``: four waves, each twice as long as the one before.

    Holzmuller, Grinsztajn & Steinwart 2024 (RealMLP), "Better by Default", section 3.

    Examples
    --------
    >>> [round(cos_log4(t, total_iters=15), 4) for t in (0, 1, 3, 7, 15)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    return (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * min(t / total_iters, 1.0)))) / 2.0


def piecewise_linear(t: int, milestones: Sequence[int], factors: Sequence[float]) -> float:
    """Return the linear interpolation between `factors` at `milestones`, constant before and after them.

    Examples
    --------
    >>> [piecewise_linear(t, milestones=[0, 2, 4], factors=[0.0, 1.0, 0.5]) for t in range(6)]
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
    """
    i = bisect_right(milestones, t)
    if i in (0, len(milestones)):
        return float(factors[min(i, len(milestones) - 1)])
    part = (t - milestones[i - 1]) / (milestones[i] - milestones[i - 1])
    return factors[i - 1] + (factors[i] - factors[i - 1]) * part


def chebyshev(t: int, total_iters: int, ratio: float = 10.0) -> float:
    """Return Chebyshev's step sizes for a quadratic with curvatures from 1 to `ratio`, in fractal order, repeatedly.

    The order alternates large and small steps, so that intermediate results stay bounded: Agarwal, Goel & Zhang 2021,
    "Acceleration via Fractal Learning Rate Schedules".

    Examples
    --------
    >>> [round(chebyshev(t, total_iters=4, ratio=2.0), 4) for t in range(4)]
    [0.9633, 0.5097, 0.7641, 0.5912]
    """
    order = [0]
    while len(order) < total_iters:
        order = [k for place in order for k in (place, 2 * len(order) - 1 - place)]
    order = [k for k in order if k < total_iters]
    angle = (order[t % total_iters] + 0.5) * math.pi / total_iters
    return 2.0 / (ratio + 1.0 - (ratio - 1.0) * math.cos(angle))


def inverse_sqrt(t: int, warmup: int) -> float:
    """Return ``min((t + 1) / warmup, sqrt(warmup / (t + 1)))``: linear warm-up to 1, then inverse square root.

    Vaswani et al. 2017 (Attention is all you need), equation 3, scaled to peak at 1.

    Examples
    --------
    >>> [inverse_sqrt(t, warmup=4) for t in (0, 1, 3, 15)]
    [0.25, 0.5, 1.0, 0.5]
    """
    return min((t + 1) / warmup, math.sqrt(warmup / (t + 1)))


def warmup(t: int, steps: int) -> float:
    """Return ``min(1, (t + 1) / steps)``.

    Goyal et al. 2017 (Accurate, large minibatch SGD), section 2.2.

    Examples
    --------
    >>> [warmup(t, steps=4) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    return 1.0 if t + 1 >= steps else (t + 1) / steps


def trapezoid(t: int, warmup: int, stable: int, decay: int, end_factor: float = 0.0) -> float:
    """Return a linear rise over `warmup` steps, 1 for `stable` steps, and a linear fall to `end_factor`.

    Warm-up, stable, decay schedule of Hu et al. 2024 (MiniCPM), section 4.2, with linear decay.

    Examples
    --------
    >>> [trapezoid(t, warmup=2, stable=2, decay=2) for t in range(8)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    if t < warmup:
        return (t + 1) / warmup
    return 1.0 if t < warmup + stable else linear(t - warmup - stable, 1.0, end_factor, decay)


def anneal(start: float, end: float, fraction: float, strategy: str = "cos") -> float:
    """Return the point at `fraction` of the way from `start` to `end`, along a half cosine or a line.

    Examples
    --------
    >>> anneal(1.0, 0.0, 0.25, "linear"), round(anneal(1.0, 0.0, 0.25, "cos"), 4)
    (0.75, 0.8536)
    """
    if strategy == "cos":
        return end + (start - end) * cosine(fraction, 1.0)
    return start + (end - start) * fraction


def swa_annealing(t: int, anneal_epochs: int, anneal_strategy: str = "cos") -> float:
    """Return the value at step `t` of the annealing from 1 to 0 in `anneal_epochs` steps.

    Izmailov et al. 2018 (stochastic weight averaging), section 3.2.

    Examples
    --------
    >>> [swa_annealing(t, anneal_epochs=4, anneal_strategy="linear") for t in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """
    return anneal(1.0, 0.0, min(1.0, t / anneal_epochs), anneal_strategy) if anneal_epochs else 0.0


def one_cycle(
    t: int, total_steps: int, start: float, peak: float, end: float, *, pct_start: float = 0.3,
    anneal_strategy: str = "cos", three_phase: bool = False,
) -> float:  # fmt: skip
    """Return the value of the cycle `start`, `peak`, `end`, or in three phases `start`, `peak`, `start`, `end`.

    Smith & Topin 2018 (super-convergence); the form with two phases is that of fast.ai.

    Examples
    --------
    >>> [one_cycle(t, 5, 0.0, 1.0, 0.0, pct_start=0.6, anneal_strategy="linear") for t in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    corners = [(0.0, start), (pct_start * total_steps - 1, peak), (total_steps - 1, end)]
    if three_phase:
        corners.insert(2, (2 * pct_start * total_steps - 2, start))
    left, right = next((phase for phase in pairwise(corners) if t <= phase[1][0]), (corners[-2], corners[-1]))
    length = right[0] - left[0]
    fraction = (t - left[0]) / length if length else 1.0
    return anneal(left[1], right[1], fraction, anneal_strategy)


def triangle(t: int, up: float, down: float) -> tuple[int, float]:
    """Return the number of the cycle, from 1, and the height in [0, 1] of a triangle wave.

    Smith 2017 (cyclical learning rates), section 3.1.

    Examples
    --------
    >>> [triangle(t, up=2, down=2) for t in range(5)]
    [(1, 0.0), (1, 0.5), (1, 1.0), (1, 0.5), (2, 0.0)]
    """
    total = up + down
    cycle = math.floor(1 + t / total)
    x = 1.0 + t / total - cycle
    ratio = up / total
    return cycle, x / ratio if x <= ratio else (x - 1) / (ratio - 1)
