"""A quasi-Newton method for whole batches: `LBFGS`."""

from typing import Annotated, Any, Literal

import numpy as np

from optim.options import Count, NonNegative
from optim.typing import Array, Group, StateDict

from .whole_batch import Evaluate, Evaluation, WholeBatch


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

    def _descend(self, start: Evaluation, evaluate: Evaluate, memory: StateDict) -> float:
        """Take up to `max_iter` steps until a stopping criterion is met, and return the last loss."""
        o = self.param_groups[0]
        f, g, _ = start
        if g.shape != memory["d"].shape:
            raise ValueError(
                f"LBFGS made steps of {memory['d'].size} values, its parameters have {g.size} now, because data were "
                "replaced by others of another shape: make a new optimizer"
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

    @staticmethod
    def _empty_memory(size: int, dtype: Any) -> StateDict:
        """Return the memory before the first step."""
        arrays = {"d": np.zeros(size, dtype), "previous_gradient": np.zeros(size, dtype)}
        pairs = dict.fromkeys(("directions", "steps"), np.zeros((0, size), dtype))
        return {"n": 0, "t": 0.0, "scale": 1.0, **arrays, **pairs}
