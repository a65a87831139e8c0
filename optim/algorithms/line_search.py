"""A line search for the strong Wolfe conditions, shared by the methods for whole batches."""

import math
from collections.abc import Callable
from typing import NamedTuple

from optim.typing import Array


class Point(NamedTuple):
    """A point on the line: distance, value of the function, its gradient, and its slope along the line."""

    t: float
    f: float
    g: Array
    slope: float


Evaluate = Callable[[float], Point]


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Return the minimizer of the cubic through two points with their slopes, clipped to two bounds.

    Nocedal & Wright 2006, "Numerical Optimization", equation 3.59; the midpoint of the bounds if there is no minimum.
    """
    if a.t > b.t:
        a, b = b, a
    if a.t == b.t:
        return (low + high) / 2
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    width = b.slope - a.slope + 2 * d2
    if width == 0:
        return (low + high) / 2
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / width), low), high)


def strong_wolfe(
    evaluate: Evaluate, start: Point, t: float, reach: float, limit: int, tolerance: float,
    c1: float = 1e-4, c2: float = 0.9,
) -> tuple[Point, int]:  # fmt: skip
    """Return a point that satisfies the strong Wolfe conditions, and the number of evaluations.

    Parameters
    ----------
    evaluate : callable
        Maps a distance along the line to a `Point`.
    start : Point
        At distance 0, with a negative slope.
    t : float
        First distance to try.
    reach : float
        Largest element of the direction; an interval is not divided further if the product is below `tolerance`.
    limit : int
        Maximum number of evaluations after the first.
    c1, c2 : float
        ``f(t) <= f(0) + c1 * t * f'(0)`` and ``|f'(t)| <= c2 * |f'(0)|``: Nocedal & Wright 2006, equation 3.7.
    """

    def enough(p: Point) -> bool:
        return p.f <= start.f + c1 * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -c2 * start.slope

    before, point, used = start, evaluate(t), 0
    while used < limit:
        if not enough(point) or (used > 1 and point.f >= before.f):
            break
        if flat(point):
            return point, used + 1
        if point.slope >= 0:
            break
        low, high = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, evaluate(cubic_minimum(before, point, low, high))
        used += 1
    if used == limit:
        before = start
    low_end, high_end = (before, point) if before.f <= point.f else (point, before)
    return _zoom(evaluate, enough, flat, low_end, high_end, before, used, limit, tolerance / max(reach, 1e-300))


def _zoom(
    evaluate: Evaluate, enough: Callable[[Point], bool], flat: Callable[[Point], bool],
    low: Point, high: Point, first: Point, used: int, limit: int, narrow: float,
) -> tuple[Point, int]:  # fmt: skip
    """Narrow an interval that contains such a point; Nocedal & Wright 2006, Algorithm 3.6."""
    slow = False
    while used < limit and abs(high.t - low.t) >= narrow:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # too near an end: from the second time on, a tenth of the interval away
            if slow or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                slow = False
            else:
                slow = True
        else:
            slow = False
        point = evaluate(t)
        used += 1
        if not enough(point) or point.f >= low.f:
            high = point
            low, high = (low, high) if low.f <= high.f else (high, low)
        elif flat(point):
            return point, used + 1
        else:
            if point.slope * (high.t - low.t) >= 0:
                high = low
            low = point
    return low, used + 1
