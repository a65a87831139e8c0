"""Optimizers that wrap another optimizer: `Lookahead`, `SAM`."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from optim.checks import checked_array, loaded_options, nonfinite, require_closure, require_keys
from optim.flat_params import label, like, raw_gradient
from optim.optimizer import Optimizer
from optim.options import Count, NonNegative, Portion
from optim.trace import Trace
from optim.typing import Array, Closure, Parameter, StateDict


class Wrapper(Optimizer):
    """An optimizer that shares groups, gradients, options and all other attributes with an inner optimizer.

    Parameters
    ----------
    inner : Optimizer
        Updates the parameters.
    """

    first: ClassVar[str] = "inner"
    inner: Optimizer
    options: ClassVar[dict[str, Any]] = {}
    hints: ClassVar[dict[str, Any]] = {}

    def __init__(self, inner: Optimizer, *args: object, **options: object) -> None:
        if not isinstance(inner, Optimizer):
            raise TypeError(
                f"{type(self).__name__} wraps an optimizer, such as {type(self).__name__}(SGD(parameters, lr=0.1)); "
                f"got {type(inner).__name__}"
            )
        vars(self).update(self.collect(args, options), inner=inner, needs_product=inner.needs_product)
        vars(self).update(needs_closure=self.needs_closure or inner.needs_closure)
        self.step_count: int = 0

    def __getattr__(self, name: str) -> Any:
        if name == "inner" or name.startswith("__"):  # `inner` is missing while the object is copied
            raise AttributeError(name)
        return getattr(self.inner, name)

    def add_param_group(self, group: Mapping[str, object]) -> None:
        """Add parameters with options of their own to the inner optimizer."""
        self.inner.add_param_group(group)

    def trace(self, parameter: Parameter, index: int | tuple[int, ...] = ()) -> Trace:
        """Print every term of the next update by the inner optimizer."""
        return self.inner.trace(parameter, index)

    def state_dict(self) -> StateDict:
        """Return a copy of everything needed to continue bit for bit; the inner optimizer's under ``'inner'``."""
        return {
            "optimizer": type(self).__name__,
            "step_count": self.step_count,
            **{name: getattr(self, name) for name in self.options},
            "inner": self.inner.state_dict(),
        }

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically."""
        owner = type(self).__name__
        require_keys(state_dict, owner, "optimizer", "step_count", "inner", *self.options)
        own = loaded_options(self, {name: state_dict[name] for name in self.options}, owner)
        self.inner.load_state_dict(state_dict["inner"])
        self.step_count = int(state_dict["step_count"])
        vars(self).update(own)

    def __repr__(self) -> str:
        own = ", ".join(f"{name}={getattr(self, name)}" for name in self.options)
        return f"{type(self).__name__}({own}) of {self.inner!r}"


class Lookahead(Wrapper):
    """Every k steps of the inner optimizer, move back part of the way.

    ::

        k times:  fast = inner(fast)
        slow += alpha * (fast - slow);    fast = slow

    Parameters
    ----------
    inner : Optimizer
        Updates the parameters (the fast weights).
    k : int
        Steps between two updates of the slow weights.
    alpha : float
        Step size of the slow weights, in [0, 1].

    Notes
    -----
    Zhang, Lucas, Hinton & Ba 2019, "Lookahead Optimizer: k steps forward, 1 step back", Algorithm 1; the state of the
    inner optimizer is kept, as in the paper. optax (``lookahead``): sync_period 6; PyTorch and Keras do not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from optim import SGD
    >>> p = SimpleNamespace(data=1.0, grad=1.0)
    >>> optimizer = Lookahead(SGD([p], lr=0.25), k=2, alpha=0.5)
    >>> optimizer.step(); optimizer.step()
    >>> p.data
    0.75
    """

    k: Count = 5
    alpha: Portion = 0.5

    def __init__(self, inner: Optimizer, *args: object, **options: object) -> None:
        super().__init__(inner, *args, **options)
        self.slow: list[Array] = []

    def _start_slow(self) -> None:
        """Initialize the slow weights of new parameters."""
        self.slow += [np.array(p.data) for p in self.parameters[len(self.slow) :]]

    def step(self, closure: Closure | None = None) -> Any:
        """Step with the inner optimizer, and update the slow weights in every k-th step."""
        self._start_slow()
        before = self.inner.skipped
        loss = self.inner.step(closure)
        if self.inner.skipped > before:
            return loss
        self.step_count: int = self.step_count + 1
        if self.step_count % self.k == 0:
            for i, p in enumerate(self.parameters):
                self.slow[i] = np.asarray(self.slow[i] + self.alpha * (p.data - self.slow[i]))
                p.data = like(self.slow[i], p.data)
        return loss

    def state_dict(self) -> StateDict:
        """Return a copy of everything needed to continue bit for bit, with the slow weights under ``'slow'``."""
        self._start_slow()
        slow = {i: like(a, p.data) for i, (a, p) in enumerate(zip(self.slow, self.parameters, strict=True))}
        return {**super().state_dict(), "slow": slow}

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a copy of a `state_dict`, atomically."""
        require_keys(state_dict, "Lookahead", "slow")
        given = state_dict["slow"]
        if not isinstance(given, Mapping) or len(given) != len(self.parameters):
            raise ValueError(
                f"'slow' in the state_dict must be a dict of {len(self.parameters)} arrays, got {given!r:.60}"
            )
        slow = [
            checked_array(given.get(i, given.get(str(i))), np.asarray(p.data), f"slow {label(p, i)}")
            for i, p in enumerate(self.parameters)
        ]
        super().load_state_dict(state_dict)
        self.slow = slow


class SAM(Wrapper, needs_closure=True):
    """Sharpness-aware minimization: the gradient is taken where the loss nearby is approximately largest.

    ::

        e = rho * g / |g|                           (adaptive: rho * p**2 * g / |p * g|)
        g = gradient at p + e
        p = inner(p, g)

    Parameters
    ----------
    inner : Optimizer
        Updates the parameters with that gradient.
    rho : float
        Radius of the neighbourhood.
    adaptive : bool
        Scale the neighbourhood with each parameter (ASAM).

    Notes
    -----
    Foret, Kleiner, Mobahi & Neyshabur 2021, "Sharpness-Aware Minimization", Algorithm 1; adaptive: Kwon et al. 2021,
    "ASAM", Algorithm 1. The norm is over all parameters. The inner optimizer must not need a closure itself, as
    `LBFGS` does. optax (``contrib.sam``): the same; Keras has a training loop,
    ``SharpnessAwareMinimization``; PyTorch does not include it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from optim import SGD
    >>> p = SimpleNamespace(data=1.0, grad=None)
    >>> def closure():
    ...     p.grad = 2 * p.data
    ...     return p.data**2
    >>> SAM(SGD([p], lr=0.25), rho=0.5).step(closure)
    1.0
    >>> round(p.data, 9)
    0.25
    """

    rho: NonNegative = 0.05
    adaptive: bool = False

    def __init__(self, inner: Optimizer, *args: object, **options: object) -> None:
        super().__init__(inner, *args, **options)
        if inner.needs_closure:
            raise TypeError(
                f"SAM cannot wrap {type(inner).__name__}, whose step evaluates the loss itself, at other points: "
                f"use {type(inner).__name__} alone, or an optimizer of gradients, such as SAM(SGD(parameters, lr=0.1))"
            )

    def step(self, closure: Closure | None = None) -> Any:
        """Perturb the parameters, compute the gradient there, restore them, and step with the inner optimizer.

        Parameters
        ----------
        closure : callable
            Clears the gradients, computes loss and gradients, returns the loss; called twice.

        Returns
        -------
        loss
            The value the closure returned first.
        """
        closure = require_closure(self, closure)
        loss = closure()
        if self.skip_nonfinite and (found := nonfinite(self.parameters)):
            self.inner.skip(found)
            return loss
        before, climbs = [p.data for p in self.parameters], []
        for group in self.param_groups:
            sign = -1.0 if group["maximize"] else 1.0
            for p in group["params"]:
                if p.grad is not None:
                    climbs.append((p, sign * raw_gradient(p.grad), abs(p.data) if self.adaptive else 1.0))
        norm = sum(float(np.sum((s * g) ** 2)) for _, g, s in climbs) ** 0.5
        try:
            for p, g, s in climbs:  # to where the loss nearby is approximately largest
                p.data = p.data + self.rho / (norm + 1e-12) * s * s * g
            closure()
        finally:
            for p, data in zip(self.parameters, before, strict=True):
                p.data = data
        skipped = self.inner.skipped
        self.inner.step()
        self.step_count: int = self.step_count + (self.inner.skipped == skipped)
        return loss
