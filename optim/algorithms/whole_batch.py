"""Methods for whole batches that move all parameters together: `NewtonCG`, `LevenbergMarquardt`, and their base."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from optim.checks import closure_pair, loss_of, nonfinite, require_closure, require_keys
from optim.flat_params import like, raw_gradient
from optim.optimizer import Optimizer
from optim.options import Count, NonNegative, Positive
from optim.trace import Trace
from optim.typing import Array, Closure, Data, Group, Parameter, Params, StateDict

from .line_search import Point, strong_wolfe

Evaluation = tuple[float, Array, Any]  # the value of the loss, its gradient, and a product with derivatives
Evaluate = Callable[[], Evaluation]


class WholeBatch(Optimizer, without=("cautious",), needs_closure=True):
    """Base class of optimizers that move all parameters as one vector; a subclass defines `_descend`."""

    def __init__(self, params: Params, *args: object, **options: object) -> None:
        super().__init__(params, *args, **options)
        self.memory: StateDict = {}

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
        before, losses = self._read(), list[Any]()
        memory = dict(self.memory or self._empty_memory(before.size, before.dtype))

        def evaluate() -> Evaluation:
            loss, point = self._evaluated(closure())
            losses.append(loss)
            return point

        try:
            f, g, product = evaluate()
            if not self.skip_nonfinite or (np.isfinite(f) and np.isfinite(g).all()):
                f = self._descend((f, g, product), evaluate, memory)
        except BaseException:
            self._write(before)
            raise
        if self.skip_nonfinite and not (np.isfinite(f) and np.isfinite(g).all() and np.isfinite(self._read()).all()):
            self._write(before)
            self.skip(nonfinite(self.parameters))
            return losses[0]
        self.memory = memory
        self.step_count: int = self.step_count + 1
        return losses[0]

    def _evaluated(self, found: Any) -> tuple[Any, Evaluation]:
        """Return the loss, and its value and gradient with the sign of a minimization, from a closure's result."""
        product: Any
        loss, product = closure_pair(self, found) if self.needs_product else (found, None)
        sign = -1.0 if self.param_groups[0]["maximize"] else 1.0
        value = sign * loss_of(self, loss)
        gradient = self._joined([p.grad for p in self.parameters])

        def multiplied(v: Array) -> Array:
            return sign * self._joined(product(self._parts(v)))

        return loss, (value, sign * gradient, multiplied)

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> float:
        """Move from the evaluated point by `_write` and `evaluate`, update the memory, and return the last loss."""
        raise NotImplementedError

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
        """Return a copy of everything needed to continue bit for bit; the memory is the state of parameter 0."""
        found = super().state_dict()
        if self.memory:
            state = {name: a.copy() if isinstance(a, np.ndarray) else a for name, a in self.memory.items()}
            found["state"] = {0: {"step": self.step_count, **state}}
        return found

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically."""
        owner = type(self).__name__
        require_keys(state_dict, owner, "state", "param_groups")
        state = state_dict["state"]
        given = (state.get(0) or state.get("0")) if isinstance(state, Mapping) else None
        memory: StateDict = {}
        if given:
            x = self._read()
            require_keys(given, owner, *self._empty_memory(0, x.dtype))
            for name, initial in self._empty_memory(x.size, x.dtype).items():
                value = np.array(given[name], np.asarray(initial).dtype)
                if value.shape[-1:] != np.shape(initial)[-1:]:
                    raise ValueError(f"{name!r} has shape {value.shape[-1:]} in the state_dict, {x.shape} here")
                memory[name] = value if value.ndim else value.item()
        super().load_state_dict({**state_dict, "state": {}} if isinstance(state, Mapping) else state_dict)
        self.memory = memory

    @staticmethod
    def _empty_memory(size: int, dtype: Any) -> StateDict:
        """Return the memory before the first step, for vectors of a size and dtype."""
        return {}

    def trace(self, parameter: Parameter, index: int | tuple[int, ...] = ()) -> Trace:
        """Raise TypeError: an update depends on all parameters together."""
        raise TypeError(f"{type(self).__name__} cannot be traced: its direction depends on all parameters together")


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

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> float:
        """Take one step, and return the loss after it."""
        o = self.param_groups[0]
        f, g, product = start
        norm = float(np.linalg.norm(g))
        if norm == 0:
            return f
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
        point, _ = self._searched(start, z, o["lr"], evaluate, o["max_eval"], 1e-12)
        return point.f


class LevenbergMarquardt(WholeBatch, without=("maximize",), needs_product="jacobian"):
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

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> float:
        """Take one step that decreases the sum of squares, and return half the sum."""
        o, x = self.param_groups[0], self._read()
        f, r, pullback = start
        if not math.isfinite(f):
            return f
        rows = [pullback(np.eye(1, len(r), k)[0]) for k in range(len(r))]
        jacobian = np.array(rows, dtype=float).reshape(len(r), len(x))
        gram, g = jacobian.T @ jacobian, jacobian.T @ r
        if not (np.isfinite(gram).all() and np.isfinite(g).all()):
            if self.skip_nonfinite:
                return math.nan
            raise FloatingPointError(
                "LevenbergMarquardt cannot step where the Jacobian of the residuals, or its square, contains nan or "
                "inf: scale inputs and residuals, or pass skip_nonfinite=True to skip such steps"
            )
        if not g.any():
            return f
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
                return value
            mu, nu = mu * nu, nu * 2
        else:
            if math.isfinite(mu):
                memory.update(mu=mu, nu=nu)
        self._write(x)
        return f

    @staticmethod
    def _empty_memory(size: int, dtype: Any) -> StateDict:
        """Return the memory before the first step."""
        return {"mu": 0.0, "nu": 2.0}
