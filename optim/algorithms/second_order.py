"""Second-order methods.

`LBFGS`, `NewtonCG` and `LevenbergMarquardt` move all parameters together and are meant for whole batches; `AdaHessian`
and `Sophia` divide steps by the curvature of the loss, estimated by random products with its Hessian.
"""

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np

from optim.checks import check_divergence, closure_pair, loss_of, nonfinite, require_closure, require_keys
from optim.flat_params import FlatParams, like, raw_gradient
from optim.optimizer import Optimizer, Update
from optim.options import Betas, Count, NonNegative, Portion, Positive, Whole
from optim.trace import Trace
from optim.typing import Array, Closure, Data, Group, Parameter, Params, StateDict

Evaluation = tuple[float, Array, Any]  # the value of the loss, its gradient, and a product with derivatives
Evaluate = Callable[[], Evaluation]


class Point(NamedTuple):
    """A point on the line: distance, value of the function, its gradient, and its slope along the line."""

    t: float
    f: float
    g: Array
    slope: float


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
    d2 = math.sqrt(square) if square >= 0 else math.nan
    width = b.slope - a.slope + 2 * d2
    if math.isnan(width) or width == 0:
        return (low + high) / 2
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / width), low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, reach: float, limit: int, tolerance: float,
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

    Notes
    -----
    Nocedal & Wright 2006, Algorithms 3.5 and 3.6, as in PyTorch.
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
        nearest, farthest = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, evaluate(cubic_minimum(before, point, nearest, farthest))
        used += 1
    if used == limit:
        before = start
    low, high = (before, point) if before.f <= point.f else (point, before)
    narrow, is_slow = tolerance / max(reach, 1e-300), False
    while used < limit and abs(high.t - low.t) >= narrow:  # Algorithm 3.6: the interval contains such a point
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        is_near = min(right - t, t - left) < margin
        if is_near and (is_slow or not left < t < right):  # near an end again: a tenth of the interval away from it
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            is_near = False
        is_slow = is_near
        point = evaluate(t)
        used += 1
        if not enough(point) or point.f >= low.f:
            low, high = (low, point) if low.f <= point.f else (point, low)
        elif flat(point):
            return point, used + 1
        else:
            high = low if point.slope * (high.t - low.t) >= 0 else high
            low = point
    return low, used + 1


class WholeBatch(Optimizer, without=("maximize", "skip_nonfinite", "cautious"), needs_closure=True):
    """Base class of optimizers that move all parameters as one vector; a subclass defines `_descend`."""

    whole_batch = True
    _descend: ClassVar[Callable[..., None]]
    """Moves from an evaluated point by `_write` and `evaluate`, and updates the memory."""

    def __init__(self, params: Params, *args: object, **options: object) -> None:
        super().__init__(params, *args, **options)
        self.memory: StateDict = self._empty_memory()

    def check_group(self, group: Group) -> None:
        """Raise ValueError if there is another group: the direction depends on all parameters."""
        if self.param_groups and group["params"] is not self.param_groups[0]["params"]:
            raise ValueError(
                f"{type(self).__name__} supports one group of parameters only; pass all of them in one list"
            )

    def step(self, closure: Closure | None = None) -> Any:
        """Move all parameters; if the closure raises, they are restored.

        Parameters
        ----------
        closure : callable
            Computes loss and derivatives at the present parameters, see `needs_product`; called several times.

        Returns
        -------
        loss
            The loss that the closure computed first.
        """
        closure = require_closure(self, closure)
        before, memory, losses = self._read(), dict(self.memory), list[Any]()

        def evaluate() -> Evaluation:
            loss, point = self._evaluated(closure())
            losses.append(loss)
            return point

        try:
            self._descend(evaluate(), evaluate, memory)
        except BaseException:
            self._write(before)
            raise
        self.memory = memory
        self.step_count: int = self.step_count + 1
        check_divergence(self, self.parameters[-1].data, self.step_count == 1)
        return losses[0]

    def _evaluated(self, found: Any) -> tuple[Any, Evaluation]:
        """Return the loss, and its value, gradient and product, from a closure's result."""
        loss, product = closure_pair(self, found) if self.needs_product else (found, None)
        value, gradient = loss_of(self, loss), self._joined([p.grad for p in self.parameters])
        return loss, (value, gradient, lambda v: self._joined(product(self._parts(v))))  # type: ignore[misc]

    def _searched(
        self, start: Evaluation, d: Array, t: float, evaluate: Evaluate, limit: int, tolerance: float
    ) -> tuple[Point, int]:
        """Move along a direction, first by t times it, until the strong Wolfe conditions hold."""
        x, (f, g, _) = self._read(), start

        def at(t: float) -> Point:
            self._write(x + t * d)
            f, g, _ = evaluate()
            return Point(t, f, g, float(g @ d))

        first, reach = Point(0.0, f, g, float(g @ d)), float(np.max(np.abs(d)))
        point, used = strong_wolfe(at, first, t, reach, limit, tolerance)
        self._write(x + point.t * d)
        return point, used

    # -- all parameters as one vector --------------------------------------------------------------------------------

    def _read(self) -> Array:
        """Return all parameters as one vector."""
        return np.concatenate([np.asarray(p.data) for p in self.parameters], axis=None)

    def _write(self, x: Array) -> None:
        """Set all parameters."""
        for p, part in zip(self.parameters, self._parts(x), strict=True):
            p.data = part

    def _parts(self, x: Array) -> list[Data]:
        """Return a vector as values of the shapes and types of the parameters."""
        ends = np.cumsum([np.size(p.data) for p in self.parameters])
        pieces = zip(self.parameters, np.split(x, ends[:-1]), strict=True)
        return [like(piece.reshape(np.shape(p.data)), p.data) for p, piece in pieces]

    def _joined(self, values: Iterable[Data]) -> Array:
        """Return gradients or similar values, None for zero, as one vector."""
        pairs = zip(self.parameters, values, strict=True)
        arrays = [np.zeros(np.shape(p.data)) if g is None else raw_gradient(g) for p, g in pairs]
        return np.concatenate(arrays, axis=None, dtype=self._read().dtype)

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> StateDict:
        """Return a copy of everything needed to continue bit for bit, also what the method remembers: ``'memory'``."""
        return {**super().state_dict(), "memory": {name: np.array(value) for name, value in self.memory.items()}}

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically."""
        owner, memory = type(self).__name__, self._empty_memory()
        require_keys(state_dict, owner, "memory")
        require_keys(state_dict["memory"], owner, *memory)
        for name, initial in memory.items():
            value, expected = np.array(state_dict["memory"][name], np.asarray(initial).dtype), np.shape(initial)[-1:]
            if value.shape[-1:] != expected:
                raise ValueError(f"{name!r} has shape {value.shape} in the state_dict, {expected} here")
            memory[name] = value if value.ndim else value.item()
        super().load_state_dict(state_dict)
        self.memory = memory

    def _empty_memory(self) -> StateDict:
        """Return the memory before the first step."""
        return {}

    def trace(self, parameter: Parameter, index: int | tuple[int, ...] = ()) -> Trace:
        """Raise TypeError: an update depends on all parameters together."""
        raise TypeError(f"{type(self).__name__} cannot be traced: its direction depends on all parameters together")


class LBFGS(WholeBatch):
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

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> None:
        """Take up to `max_iter` steps until a stopping criterion is met."""
        o = self.param_groups[0]
        f, g, _ = start
        if g.shape != memory["d"].shape:
            raise ValueError(
                f"LBFGS has steps of {memory['d'].size} values and parameters of {g.size}, because data were replaced "
                "by others of another shape: make a new optimizer"
            )
        evaluations, most = 1, o["max_eval"] or o["max_iter"] * 5 // 4
        done = float(np.max(np.abs(g), initial=0.0)) <= o["tolerance_grad"]
        for iteration in range(1, o["max_iter"] + 1):
            if done:
                break
            d, t = self._direction(g, memory, o)
            memory.update(d=d, t=t, previous_gradient=g)
            previous = f
            if float(g @ d) > -o["tolerance_change"]:
                break
            if o["line_search_fn"]:
                limit = most - evaluations
                point, used = self._searched((f, g, None), d, t, evaluate, limit, o["tolerance_change"])
                evaluations += used
                memory["t"], f, g = point.t, point.f, point.g
            else:
                self._write(self._read() + t * d)
                if iteration == o["max_iter"]:
                    break
                f, g, _ = evaluate()
                evaluations += 1
            done = (
                float(np.max(np.abs(g))) <= o["tolerance_grad"]
                or evaluations >= most
                or float(np.max(np.abs(memory["t"] * d))) <= o["tolerance_change"]
                or abs(f - previous) < o["tolerance_change"]
            )

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

    def _empty_memory(self) -> StateDict:
        x = self._read()
        vectors = {"d": np.zeros_like(x), "previous_gradient": np.zeros_like(x)}
        pairs = dict.fromkeys(("directions", "steps"), np.zeros((0, x.size), x.dtype))
        return {"n": 0, "t": 0.0, "scale": 1.0, **vectors, **pairs}


class NewtonCG(WholeBatch, needs_product="hessian"):
    """Newton's method, whose linear system is solved approximately by conjugate gradients.

    ::

        d = approximate solution of H d = -g                (until |H d + g| < min(1/2, sqrt(|g|)) |g|, or H bends down)
        p += t * d                                          (t = lr, or the result of the strong Wolfe line search)

    Parameters
    ----------
    params : iterable
        Parameters; one group only.
    lr : float
        Initial step size of the line search.
    max_cg : int
        Maximum number of products with the Hessian in a step.
    max_eval : int
        Maximum number of evaluations in a line search.

    Notes
    -----
    Nocedal & Wright 2006, "Numerical Optimization", Algorithm 7.1 (line search Newton-CG), one iteration per step. For
    smooth losses of the whole batch it needs the fewest steps, and converges quadratically near the minimum; a step
    costs one backward pass more for each product. SciPy: ``minimize(method="Newton-CG")``. PyTorch, Keras and optax do
    not include it.

    Examples
    --------
    The closure returns the loss and a function that multiplies by its Hessian:

    >>> import autograd
    >>> from autograd import Tensor
    >>> p = Tensor([3.0, -1.0], requires_grad=True)
    >>> optimizer = NewtonCG([p])
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (p**4).sum() + ((p - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss, autograd.hessian_product(loss, [p])
    >>> for _ in range(8):
    ...     loss = optimizer.step(closure)
    >>> p.data.round(6)
    array([0.589755, 0.589755])
    """

    lr: NonNegative = 1.0
    max_cg: Count = 100
    max_eval: Count = 20

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> None:
        o, (_, g, product) = self.param_groups[0], start
        norm = float(np.linalg.norm(g))
        if norm == 0:
            return
        z, r, d = np.zeros_like(g), g, -g
        for j in range(o["max_cg"]):
            bent = product(d)
            curvature = float(d @ bent)
            if curvature <= 0:
                z = d if j == 0 else z
                break
            alpha = float(r @ r) / curvature
            z, before, r = z + alpha * d, r, r + alpha * bent
            if np.linalg.norm(r) < min(0.5, math.sqrt(norm)) * norm:
                break
            d = -r + float(r @ r) / float(before @ before) * d
        self._searched(start, z, o["lr"], evaluate, o["max_eval"], 1e-12)


class LevenbergMarquardt(WholeBatch, needs_product="jacobian"):
    """Least squares: Gauss-Newton steps, damped so that each decreases the sum of squares.

    ::

        h = -(J' J + mu * I)^-1 J' r;    rho = (decrease of |r|**2) / (that of |r + J h|**2)
        rho > 0:  p += h;  mu *= max(1/3, 1 - (2 rho - 1)**3);  nu = 2
        else:     mu *= nu;  nu *= 2;    compute h again

    Parameters
    ----------
    params : iterable
        Parameters; one group only.
    lr : float
        Factor of a step.
    damping : float
        The first mu, relative to the largest diagonal element of ``J' J``.
    max_eval : int
        Maximum number of steps tried in a call, until one decreases the sum.

    Notes
    -----
    Levenberg 1944 and Marquardt 1963, with the update of mu by Nielsen 1999 (Madsen, Nielsen & Tingleff 2004, "Methods
    for non-linear least squares problems", Algorithm 3.16). It fits small networks to smooth data in tens of steps,
    each of which computes the Jacobian by a backward pass per residual and solves a system of the number of parameters.
    SciPy: ``least_squares(method="lm")``, with MINPACK's trust region. PyTorch, Keras and optax do not include it.

    Examples
    --------
    The closure returns the residuals and a function that multiplies by their transposed Jacobian:

    >>> import numpy as np
    >>> import autograd
    >>> from autograd import Tensor
    >>> x = np.linspace(0.0, 1.0, 5)
    >>> p = Tensor([1.0, 1.0], requires_grad=True)
    >>> optimizer = LevenbergMarquardt([p])
    >>> def closure():
    ...     residuals = p[0] * autograd.exp(p[1] * x) - 2.0 * np.exp(0.5 * x)
    ...     return residuals, lambda u: autograd.gradients(residuals, [p], u)
    >>> for _ in range(10):
    ...     loss = optimizer.step(closure)
    >>> p.data.round(6)
    array([2. , 0.5])
    """

    lr: NonNegative = 1.0
    damping: Positive = 1e-3
    max_eval: Count = 20

    def _evaluated(self, found: Any) -> tuple[Any, Evaluation]:
        """Return half the sum of squares twice, with the residuals and the function of a cotangent."""
        residuals, pullback = closure_pair(self, found)
        r = np.asarray(raw_gradient(residuals), dtype=float)
        loss = 0.5 * float(np.sum(r * r))
        return loss, (loss, r.ravel(), lambda u: self._joined(pullback(u.reshape(r.shape))))

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> None:
        o, x = self.param_groups[0], self._read()
        f, r, pullback = start
        if not math.isfinite(f):
            return
        rows = [pullback(np.eye(1, len(r), k)[0]) for k in range(len(r))]
        jacobian = np.array(rows, dtype=float).reshape(len(r), len(x))
        gram, g = jacobian.T @ jacobian, jacobian.T @ r
        if not (np.isfinite(gram).all() and np.isfinite(g).all()):
            raise FloatingPointError(
                "LevenbergMarquardt cannot step where the Jacobian of the residuals, or its square, contains nan or "
                "inf: scale inputs and residuals"
            )
        if not g.any():
            return
        mu, nu = memory["mu"] or o["damping"] * float(np.max(np.diag(gram))), memory["nu"]
        for _ in range(o["max_eval"]):
            h = -o["lr"] * np.linalg.solve(gram + mu * np.eye(len(g)), g)
            predicted = f - 0.5 * float(np.sum((r + jacobian @ h) ** 2))
            if predicted <= np.finfo(float).eps * f:  # a minimum within rounding
                break
            self._write(x + h)
            with np.errstate(over="ignore", invalid="ignore"):  # such a step is rejected
                value, _, _ = evaluate()
            if (rho := (f - value) / predicted) > 0:
                memory.update(mu=mu * max(1 / 3, 1 - (2 * rho - 1) ** 3), nu=2.0)
                return
            mu, nu = mu * nu, nu * 2
        else:
            if math.isfinite(mu):
                memory.update(mu=mu, nu=nu)
        self._write(x)

    def _empty_memory(self) -> StateDict:
        return {"mu": 0.0, "nu": 2.0}


class HessianDiagonal(Optimizer, needs_closure=True, needs_product="hessian"):
    """Base class of rules with options `update_period` and `seed`, whose state ends with an estimate d of diag(H).

    It is renewed in every `update_period`-th step by Hutchinson's method: z * (H z) has the expectation diag(H) for
    random z of independent elements with mean 0 and variance 1. The products come from a closure, or in a plain loop::

        loss.backward()
        optimizer.estimate(autograd.hessian_product(loss, optimizer.parameters))
        optimizer.step()
    """

    gaussian: ClassVar[bool] = False
    """True if the elements of z are normally distributed; otherwise they are 1 or -1."""

    # The parameters whose estimate for the next step is nonfinite and not stored; None without an estimate.
    _refused: list[str] | None = None

    def estimate(self, product: Callable[[list[Data]], list[Data]]) -> None:
        """Renew the estimate if the next step needs it; then call `step` without a closure.

        Parameters
        ----------
        product : callable
            Multiplies a list of arrays, one for each parameter, by the Hessian of the loss whose gradients the
            parameters have: ``autograd.hessian_product(loss, optimizer.parameters)``.
        """
        if due := self._due():
            rng = np.random.default_rng((self.param_groups[0]["seed"], self.step_count))
            draw = rng.standard_normal if self.gaussian else lambda shape: rng.choice((-1.0, 1.0), shape)
            z = [like(draw(np.shape(p.data)), p.data) for p in self.parameters]
            found = {id(p): a * b for p, a, b in zip(self.parameters, z, product(z), strict=True)}
            if self.skip_nonfinite and (refused := nonfinite(self.parameters, found)):
                self._refused = refused
                return
        for flat, group in due:
            sign = -1.0 if group["maximize"] else 1.0
            diagonal = [np.asarray(sign * found[id(p)]) for p in flat.members]
            pieces = flat.pieces(np.concatenate(flat.transposed(diagonal), axis=None, dtype=flat.dtype))
            states = zip(self.initialized(flat, group), pieces, strict=True)
            flat.states = [(*state[:-1], piece) for state, piece in states]
        self._refused = []

    def step(self, closure: Closure | None = None) -> Any:
        """Update all parameters that have a gradient, atomically.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, computes loss and gradients, and returns the loss and a function for `estimate`:
            ``return loss, autograd.hessian_product(loss, optimizer.parameters)``. Needed unless `estimate` was called
            since the last step, or this step needs no estimate.

        Returns
        -------
        loss
            The loss that the closure returned, or None.
        """
        loss = None
        if closure is not None or (self._due() and self._refused is None):
            loss, product = closure_pair(self, require_closure(self, closure)())
            if self.skip_nonfinite and (found := nonfinite(self.parameters)):
                self.skip(found)
                return loss
            self.estimate(product)
        refused, self._refused = self._refused, None
        if refused:
            self.skip(refused)
        else:
            super().step()
        return loss

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically; an estimate for the next step is dropped."""
        super().load_state_dict(state_dict)
        self._refused = None

    def _due(self) -> list[tuple[FlatParams, Group]]:
        """Return the parameters with a gradient whose next step needs an estimate, and their options."""
        return [(flat, group) for flat, group in self.moving() if flat.t % group["update_period"] == 0]


class AdaHessian(HessianDiagonal, decoupled_decay=True):
    """Adam with the diagonal of the Hessian in place of the gradient in the second moment.

    ::

        d = z * (H z), z random signs;    in blocks: the mean of |d|            (H: the Hessian)
        m = b1 * m + (1 - b1) * g;    v = b2 * v + (1 - b2) * d**2
        p -= lr * m_hat / (v_hat**(hessian_power / 2) + eps)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate.
    betas : tuple of float
        Decay rates of m and v, each in [0, 1).
    eps : float
        Added outside the root.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    hessian_power : float
        1 for Newton's scaling of the step, 0 for none.
    update_period : int
        Number of steps between estimates.
    seed : int
        Seed of the random signs.

    Notes
    -----
    Yao et al. 2021, "ADAHESSIAN: An Adaptive Second Order Optimizer for Machine Learning", Algorithm 1, without the
    averages over convolution filters. It helps where the curvatures of layers differ by orders of magnitude; an
    estimate costs two backward passes more. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> import autograd
    >>> from autograd import Tensor
    >>> p = Tensor([1.0, 1.0], requires_grad=True)
    >>> optimizer = AdaHessian([p], lr=0.5, eps=0.0)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (p * p * np.array([1.0, 100.0])).sum()
    ...     loss.backward()
    ...     return loss, autograd.hessian_product(loss, optimizer.parameters)
    >>> optimizer.step(closure).item()
    101.0
    >>> p.data
    array([0.5, 0.5])
    """

    lr: NonNegative = 0.15
    betas: Betas = (0.9, 0.999)
    eps: NonNegative = 1e-4
    weight_decay: NonNegative = 0.0
    hessian_power: Portion = 1.0
    update_period: Count = 1
    seed: Whole = 0

    def rule(
        self, g: Array, m: Array, v: Array, d: Array, *,
        t: int, lr: float, betas: Betas, eps: float, hessian_power: float, update_period: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        if (t - 1) % update_period == 0:
            v = b2 * v + (1 - b2) * d**2
        m_hat = m / (1 - b1**t)
        v_hat = v / (1 - b2 ** ((t - 1) // update_period + 1))
        return lr * m_hat / (v_hat ** (hessian_power / 2) + eps), (m, v, d)


class Sophia(HessianDiagonal, gaussian=True, decoupled_decay=True):
    """Momentum divided by an average of the Hessian's diagonal, with every element of the quotient clipped to 1.

    ::

        d = z * (H z), z normal, every `update_period` steps;    h = b2 * h + (1 - b2) * d
        m = b1 * m + (1 - b1) * g
        p -= lr * clip(m / max(gamma * h, eps), -1, 1)

    Parameters
    ----------
    params : iterable
        Parameters, (name, parameter) pairs, or dicts that define groups.
    lr : float
        Learning rate: the largest change of an element in a step.
    betas : tuple of float
        Decay rates of m and h, each in [0, 1).
    gamma : float
        The larger, the fewer elements are clipped; the paper recommends a tenth to a half unclipped.
    eps : float
        Lower bound of the denominator: an element with negative curvature moves by `lr`.
    weight_decay : float
        Decoupled: ``p -= lr * weight_decay * p``.
    update_period : int
        Number of steps between estimates.
    seed : int
        Seed of the random products.

    Notes
    -----
    Liu et al. 2023, "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training", Algorithm
    3 with Algorithm 1 (Sophia-H). Estimates are rare, so that a step costs little more than Adam's; clipping protects
    against old ones where the curvature changes quickly. PyTorch, Keras and optax do not include it.

    Examples
    --------
    >>> import autograd
    >>> from autograd import Tensor
    >>> p = Tensor([1.0, -1.0], requires_grad=True)
    >>> optimizer = Sophia([p], lr=0.25)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (p * p).sum()
    ...     loss.backward()
    ...     return loss, autograd.hessian_product(loss, optimizer.parameters)
    >>> optimizer.step(closure).item()
    2.0
    >>> p.data
    array([ 0.75, -0.75])
    """

    lr: NonNegative = 1e-3
    betas: Betas = (0.96, 0.99)
    gamma: Positive = 0.01
    eps: Positive = 1e-12
    weight_decay: NonNegative = 0.0
    update_period: Count = 10
    seed: Whole = 0

    def rule(
        self, g: Array, m: Array, h: Array, d: Array, *,
        t: int, lr: float, betas: Betas, gamma: float, eps: float, update_period: int,
    ) -> Update:  # fmt: skip
        """Return the update and the new state."""
        b1, b2 = betas
        m = b1 * m + (1 - b1) * g
        if (t - 1) % update_period == 0:
            h = b2 * h + (1 - b2) * d
        return lr * np.clip(m / np.maximum(gamma * h, eps), -1.0, 1.0), (m, h, d)
