"""A quasi-Newton method for whole batches: `LBFGS`, with a line search for the strong Wolfe conditions."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np

from optim.checks import nonfinite, require_keys
from optim.flat_params import like, raw_gradient
from optim.optimizer import Optimizer
from optim.options import Count, NonNegative
from optim.trace import Trace
from optim.typing import Array, Closure, Group, Parameter, Params, StateDict


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


class LBFGS(Optimizer, without=("cautious",), needs_closure=True):
    """Quasi-Newton method with limited memory, several steps per call.

    ::

        q = -g;  for s, y from new to old:  a = (s . q) / (y . s);  q -= a * y
        q *= (y . s) / (y . y);  for s, y from old to new:  q += (a - (y . q) / (y . s)) * s
        p += t * q                  (t = lr, or the result of the strong Wolfe line search)

    Parameters
    ----------
    params : iterable
        Parameters; one group only.
    lr : float
        Learning rate, or initial step size of the line search.
    max_iter, max_eval : int
        Maximum number of steps and evaluations per call; None means 5/4 of `max_iter` evaluations.
    tolerance_grad, tolerance_change : float
        Stop if all elements of the gradient, or the changes of loss or parameters, are at most this large.
    history_size : int
        Maximum number of pairs (s, y).
    line_search_fn : {None, 'strong_wolfe'}
        Method that determines the step size.

    Notes
    -----
    Nocedal & Wright 2006, "Numerical Optimization", Algorithm 7.4 (two-loop recursion) and 3.5-3.6 (line search).
    PyTorch: the same. Keras does not include it; optax ``lbfgs`` takes one step per call, with a zoom line search. A
    missing gradient counts as 0.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> p = SimpleNamespace(data=3.0, grad=None)
    >>> def closure():
    ...     p.grad = 2 * (p.data - 1)
    ...     return (p.data - 1) ** 2
    >>> LBFGS([p], line_search_fn="strong_wolfe").step(closure)
    4.0
    >>> round(p.data, 9)
    1.0
    """

    lr: NonNegative = 1.0
    max_iter: Count = 20
    max_eval: Annotated[int, "[1, inf)"] | None = None
    tolerance_grad: NonNegative = 1e-7
    tolerance_change: NonNegative = 1e-9
    history_size: Count = 100
    line_search_fn: Literal["strong_wolfe"] | None = None

    def __init__(self, params: Params, *args: object, **options: object) -> None:
        super().__init__(params, *args, **options)
        self.memory: StateDict = {}

    def check_group(self, group: Group) -> None:
        """Raise ValueError if there is another group: the direction depends on all parameters."""
        if self.param_groups and group["params"] is not self.param_groups[0]["params"]:
            raise ValueError("LBFGS supports one group of parameters only; pass all of them in one list")
        if group["max_eval"] is None:
            group["max_eval"] = group["max_iter"] * 5 // 4

    def step(self, closure: Closure | None = None) -> Any:
        """Take up to `max_iter` steps.

        Parameters
        ----------
        closure : callable
            Clears the gradients, computes loss and gradients, returns the loss; called several times.

        Returns
        -------
        loss
            The value the closure returned first. If a later call raises, all parameters are restored.
        """
        if not callable(closure):
            raise TypeError("LBFGS.step needs a closure that clears the gradients, calls backward(), returns the loss")
        before = self._read()
        memory = dict(self.memory or self._empty_memory(before.size, before.dtype))
        sign = -1.0 if self.param_groups[0]["maximize"] else 1.0
        returned: list[Any] = []

        def evaluate() -> tuple[float, Array]:
            loss = closure()
            if loss is None:
                raise ValueError("the closure given to LBFGS.step returned None; it must return the loss")
            returned.append(loss)
            return sign * float(loss.item() if hasattr(loss, "item") else loss), sign * self._gradient()

        try:
            f = self._descend(evaluate, memory)
        except BaseException:
            self._write(before)
            raise
        if self.skip_nonfinite and not (np.isfinite(f) and np.isfinite(self._read()).all()):
            self._write(before)
            self.skip(nonfinite(self.parameters))
            return returned[0]
        self.memory = memory
        self.step_count: int = self.step_count + 1
        return returned[0]

    def _descend(self, evaluate: Callable[[], tuple[float, Array]], memory: StateDict) -> float:
        """Step until a stopping criterion is met, and return the last loss."""
        o = self.param_groups[0]
        f, g = evaluate()
        evaluations = 1
        if self.skip_nonfinite and not (np.isfinite(f) and np.isfinite(g).all()):
            return np.nan
        done = float(np.max(np.abs(g), initial=0.0)) <= o["tolerance_grad"]
        for iteration in range(1, o["max_iter"] + 1):
            if done:
                break
            d, t = self._direction(g, memory, o)
            memory.update(d=d, t=t, previous_gradient=g)
            slope, previous = float(g @ d), f
            if slope > -o["tolerance_change"]:
                break
            x = self._read()
            if o["line_search_fn"]:
                along = functools.partial(self._at, evaluate, x, d)
                reach = float(np.max(np.abs(d)))
                start, limit = Point(0.0, f, g, slope), o["max_eval"] - evaluations
                point, used = strong_wolfe(along, start, t, reach, limit, o["tolerance_change"])
                evaluations += used
                memory["t"], f, g = point.t, point.f, point.g
                self._write(x + point.t * d)
            else:
                self._write(x + t * d)
                if iteration == o["max_iter"]:
                    break
                f, g = evaluate()
                evaluations += 1
            done = (
                float(np.max(np.abs(g))) <= o["tolerance_grad"]
                or evaluations >= o["max_eval"]
                or float(np.max(np.abs(memory["t"] * d))) <= o["tolerance_change"]
                or abs(f - previous) < o["tolerance_change"]
            )
        return f

    def _direction(self, g: Array, memory: StateDict, o: Group) -> tuple[Array, float]:
        """Return the quasi-Newton direction and the initial step size, after storing the last pair (s, y)."""
        memory["n"] += 1
        if memory["n"] == 1:
            return -g, min(1.0, 1.0 / float(np.abs(g).sum())) * o["lr"]
        y, s = g - memory["previous_gradient"], memory["t"] * memory["d"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            for name, new in (("directions", y), ("steps", s)):
                memory[name] = np.vstack([memory[name], new])[-o["history_size"] :]
            memory["scale"] = curvature / float(y @ y)
        pairs = [(y, s, 1.0 / float(y @ s)) for y, s in zip(memory["directions"], memory["steps"], strict=True)]
        q, weights = -g, []
        for y, s, r in reversed(pairs):
            weights.append(float(s @ q) * r)
            q = q - weights[-1] * y
        q = q * memory["scale"]
        for y, s, r in pairs:
            q = q + (weights.pop() - float(y @ q) * r) * s
        return q, o["lr"]

    def _at(self, evaluate: Callable[[], tuple[float, Array]], x: Array, d: Array, t: float) -> Point:
        """Return the point at distance t on the line from x along d."""
        self._write(x + t * d)
        f, g = evaluate()
        return Point(t, f, g, float(g @ d))

    # -- all parameters as one vector --------------------------------------------------------------------------------

    def _read(self) -> Array:
        return np.concatenate([np.asarray(p.data) for p in self.parameters], axis=None)

    def _gradient(self) -> Array:
        grads = [np.zeros(np.shape(p.data)) if p.grad is None else raw_gradient(p.grad) for p in self.parameters]
        return np.concatenate(grads, axis=None, dtype=self._read().dtype)

    def _write(self, x: Array) -> None:
        ends = np.cumsum([np.size(p.data) for p in self.parameters])
        for p, part in zip(self.parameters, np.split(x, ends[:-1]), strict=True):
            p.data = like(part.reshape(np.shape(p.data)), p.data)

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> StateDict:
        """Return a copy of everything needed to continue bit for bit; the history is the state of parameter 0."""
        found = super().state_dict()
        if self.memory:
            state = {name: a.copy() if isinstance(a, np.ndarray) else a for name, a in self.memory.items()}
            found["state"] = {0: {"step": self.memory["n"], **state}}
        return found

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically."""
        require_keys(state_dict, "LBFGS", "state", "param_groups")
        state = state_dict["state"]
        given = (state.get(0) or state.get("0")) if isinstance(state, Mapping) else None
        memory: StateDict = {}
        if given:
            x = self._read()
            require_keys(given, "LBFGS", *self._empty_memory(0, x.dtype))
            for name, initial in self._empty_memory(x.size, x.dtype).items():
                value = np.array(given[name], np.asarray(initial).dtype)
                if value.shape[-1:] != np.shape(initial)[-1:]:
                    raise ValueError(f"{name!r} has shape {value.shape[-1:]} in the state_dict, {x.shape} here")
                memory[name] = value if value.ndim else value.item()
        super().load_state_dict({**state_dict, "state": {}} if isinstance(state, Mapping) else state_dict)
        self.memory = memory

    @staticmethod
    def _empty_memory(size: int, dtype: Any) -> StateDict:
        """Return the memory before the first step."""
        arrays = {"d": np.zeros(size, dtype), "previous_gradient": np.zeros(size, dtype)}
        pairs = dict.fromkeys(("directions", "steps"), np.zeros((0, size), dtype))
        return {"n": 0, "t": 0.0, "scale": 1.0, **arrays, **pairs}

    def trace(self, parameter: Parameter, index: int | tuple[int, ...] = ()) -> Trace:
        """Raise TypeError: an update by LBFGS depends on all parameters together."""
        raise TypeError("LBFGS cannot be traced: its direction depends on all parameters together")
