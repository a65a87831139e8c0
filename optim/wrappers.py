"""Optimizers around an optimizer: `Lookahead`, `SAM`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np

from .flat_params import label, numbers
from .optimizer import Optimizer, nonfinite
from .options import checked
from .trace import Trace


class Wrapper(Optimizer):
    """An optimizer that shares groups, gradients and options with the optimizer inside it.

    Parameters
    ----------
    inner : Optimizer
        Which moves the parameters.
    """

    settings: ClassVar[dict[str, Any]] = {}
    """Names of the wrapper's own options, with their annotations."""

    def __init__(self, inner: Optimizer, **settings: Any) -> None:
        if not isinstance(inner, Optimizer):
            raise TypeError(
                f"{type(self).__name__} wraps an optimizer, such as {type(self).__name__}(SGD(parameters, lr=0.1)); "
                f"got {type(inner).__name__}"
            )
        self.inner = inner
        self.param_groups: list[dict[str, Any]] = inner.param_groups
        self.defaults: dict[str, Any] = inner.defaults
        self._skip_nonfinite = inner._skip_nonfinite
        self.step_count: int = 0
        for name, value in settings.items():
            setattr(self, name, checked(type(self).__name__, name, value, self.settings[name]))

    @property
    def needs_closure(self) -> bool:  # type: ignore[override]
        """Whether `step` needs a closure: if the inner optimizer does."""
        return self.inner.needs_closure

    @property
    def skipped(self) -> int:  # type: ignore[override]
        """Steps left out because of nan or inf, counted by the optimizer inside."""
        return self.inner.skipped

    @property
    def culprits(self) -> list[str]:  # type: ignore[override]
        """The parameters because of which the last of them was."""
        return self.inner.culprits

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own, to the optimizer inside."""
        self.inner.add_param_group(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; see `Optimizer.zero_grad`."""
        self.inner.zero_grad(set_to_none)

    def trace(self, parameter: Any, index: Any = ()) -> Trace:
        """Print every term of the next update by the optimizer inside."""
        return self.inner.trace(parameter, index)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit; the optimizer inside under ``'inner'``."""
        own = {name: getattr(self, name) for name in self.settings}
        return {
            "optimizer": type(self).__name__,
            "step_count": self.step_count,
            **own,
            "inner": self.inner.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, which is copied; loads all of it or, if anything is wrong, nothing."""
        who = type(self).__name__
        needed = ("step_count", "inner", *self.settings)
        lacking = [key for key in needed if not isinstance(state_dict, Mapping) or key not in state_dict]
        if lacking or state_dict.get("optimizer") != who:
            raise ValueError(f"not a state_dict of {who}: it lacks {', '.join(map(repr, lacking)) or 'that name'}")
        own = {name: _loaded(who, name, state_dict[name], hint) for name, hint in self.settings.items()}
        self.inner.load_state_dict(state_dict["inner"])
        self.step_count = int(state_dict["step_count"])
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        own = ", ".join(f"{name}={getattr(self, name)}" for name in self.settings)
        return f"{type(self).__name__}({own}) of {self.inner!r}"


def _loaded(who: str, name: str, value: Any, hint: Any) -> Any:
    try:
        return checked(who, name, value, hint)
    except TypeError as error:
        raise ValueError(str(error)) from error


class Lookahead(Wrapper):
    """Every k steps of the optimizer inside, go back part of the way.

    ::

        k times:  fast = inner(fast)
        slow += alpha * (fast - slow);    fast = slow

    Parameters
    ----------
    inner : Optimizer
        Which moves the parameters.
    k : int
        Steps between two looks.
    alpha : float
        Part of the way that is kept, in [0, 1].

    Notes
    -----
    Zhang, Lucas, Hinton & Ba 2019, "Lookahead Optimizer: k steps forward, 1 step back", Algorithm 1; the state of the
    optimizer inside is kept, as the paper does. optax (``lookahead``): sync_period 6; PyTorch and Keras have none.

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

    settings: ClassVar[dict[str, Any]] = {"k": Annotated[int, "[1, inf)"], "alpha": Annotated[float, "[0, 1]"]}
    k: ClassVar[int]
    alpha: ClassVar[float]

    def __init__(self, inner: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(inner, k=k, alpha=alpha)
        self.slow: list[Any] = []

    def _remember(self) -> None:
        """Note where parameters start that are new here."""
        for p in self.parameters[len(self.slow) :]:
            self.slow.append(np.array(p.data))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step with the optimizer inside, and look back when it is time."""
        self._remember()
        before = self.inner.skipped
        loss = self.inner.step(closure)
        if self.inner.skipped > before:
            return loss
        self.step_count: int = self.step_count + 1
        if self.step_count % self.k == 0:
            for i, p in enumerate(self.parameters):
                slow = self.slow[i] + self.alpha * (p.data - self.slow[i])
                self.slow[i] = np.asarray(slow)
                p.data = np.array(slow) if isinstance(p.data, np.ndarray) else float(slow)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit; with the slow weights under ``'slow'``."""
        self._remember()
        slow = {
            i: a.copy() if isinstance(p.data, np.ndarray) else a.item()
            for i, (a, p) in enumerate(zip(self.slow, self.parameters, strict=True))
        }
        return {**super().state_dict(), "slow": slow}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, which is copied; loads all of it or, if anything is wrong, nothing."""
        given = state_dict.get("slow") if isinstance(state_dict, Mapping) else None
        if not isinstance(given, Mapping) or len(given) != len(self.parameters):
            found = len(given) if isinstance(given, Mapping) else "no"
            raise ValueError(f"the state_dict has {found} slow parameters, this Lookahead has {len(self.parameters)}")
        slow = []
        for i, p in enumerate(self.parameters):
            value = given.get(i, given.get(str(i)))
            data = np.asarray(p.data)
            if value is None or np.shape(value) != data.shape:
                raise ValueError(f"slow {label(p, i)} has shape {np.shape(value)} in the state_dict, {data.shape} here")
            slow.append(np.array(value, dtype=data.dtype))
        super().load_state_dict(state_dict)
        self.slow = slow


class SAM(Wrapper):
    """Sharpness-aware minimisation: the gradient is taken where the loss is about the worst nearby.

    ::

        e = rho * g / |g|                           (adaptive: rho * p**2 * g / |p * g|)
        g = gradient at p + e
        p = inner(p, g)

    Parameters
    ----------
    inner : Optimizer
        Which moves the parameters with that gradient.
    rho : float
        How far "nearby" is.
    adaptive : bool
        Measure it relative to each parameter (ASAM).

    Notes
    -----
    Foret, Kleiner, Mobahi & Neyshabur 2021, "Sharpness-Aware Minimization", Algorithm 1; adaptive: Kwon et al. 2021,
    "ASAM", Algorithm 1. The norm is over all parameters. optax (``contrib.sam``): the same; Keras has a training loop,
    ``SharpnessAwareMinimization``; PyTorch has none.

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

    settings: ClassVar[dict[str, Any]] = {"rho": Annotated[float, "[0, inf)"], "adaptive": bool}
    needs_closure: ClassVar[bool] = True
    rho: ClassVar[float]
    adaptive: ClassVar[bool]

    def __init__(self, inner: Optimizer, rho: float = 0.05, adaptive: bool = False) -> None:
        super().__init__(inner, rho=rho, adaptive=adaptive)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Climb, take the gradient there, return, and step with the optimizer inside.

        Parameters
        ----------
        closure : callable
            Clears the gradients, computes loss and gradients, returns the loss; called twice.

        Returns
        -------
        loss
            What the closure returned the first time.
        """
        if not callable(closure):
            raise TypeError("SAM.step needs a closure that clears the gradients, calls backward(), returns the loss")
        loss = closure()
        if self._skip_nonfinite and (found := nonfinite(self.parameters)):
            self.inner.skipped, self.inner.culprits = self.inner.skipped + 1, found
            return loss
        before = [p.data for p in self.parameters]
        try:
            self._climb()
            closure()
        finally:
            for p, data in zip(self.parameters, before, strict=True):
                p.data = data
        skipped = self.inner.skipped
        self.inner.step()
        self.step_count: int = self.step_count + (self.inner.skipped == skipped)
        return loss

    def _climb(self) -> None:
        """Move every parameter that has a gradient to where the loss is about the worst."""
        moved = []
        for group in self.param_groups:
            sign = -1.0 if group["maximize"] else 1.0
            moved += [(p, sign * numbers(p.grad)) for p in group["params"] if p.grad is not None]
        scales = [abs(p.data) if self.adaptive else 1.0 for p, _ in moved]
        norm = math.sqrt(sum(float(np.sum((s * g) ** 2)) for (_, g), s in zip(moved, scales, strict=True)))
        for (p, g), s in zip(moved, scales, strict=True):
            p.data = p.data + self.rho / (norm + 1e-12) * s * s * g
