"""Bundles that are no flat vector of arrays: of plain floats, and of one parameter in its own shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .flat_params import Array, Bundle, State, changed, numbers


class FloatBundle(Bundle):
    """Scalar parameters (`Value`s, whose data are floats) as one float64 vector: as fast as an array, bit for bit."""

    def lay_out(self) -> None:
        """Every member is one number."""
        self.dtype: Any = np.dtype(np.float64)
        self.turned: list[int] = []
        self.shapes: list[tuple[int, ...]] = [()] * len(self.members)
        self.inner: list[tuple[int, ...]] = self.shapes

    def gradients(self) -> list[Any]:
        """Return the gradient of each member as a float, or None where there is none."""
        grads = [p.grad for p in self.members]
        return [g if type(g) is float or g is None else float(numbers(g)) for g in grads]

    def forget_gradients(self) -> None:
        """Leave no gradient: of a float, 0.0."""
        for p in self.members:
            p.grad = 0.0

    def read(self) -> Array:
        """Return the members' numbers as one vector."""
        return np.array([p.data for p in self.members], dtype=self.dtype)

    def cut(self, grads: list[Any]) -> Iterable[tuple[int, Any, Array]]:
        """Return number, place and gradient of every block."""
        g = np.array(grads, dtype=self.dtype)
        return [(k, block, g[block]) for k, block in enumerate(self.blocks)]

    def room(self) -> Array:
        """Return a new vector."""
        self.after: Array = np.empty(len(self.members), self.dtype)
        return self.after

    def write(self) -> None:
        """Give every member its number."""
        for p, x in zip(self.members, self.after.tolist(), strict=True):
            p.data = x


class WholeBundle(Bundle):
    """One parameter in its own shape, for rules that look at shapes; a `Value` is an array of no axes."""

    def __init__(self, members: Sequence[Any], places: Sequence[int], t: int = 0) -> None:
        super().__init__(members, places, t)
        self.blocks: list[Any] = [...]

    def lay_out(self) -> None:
        """Note the number type and the shape."""
        (p,) = self.members
        self.scalar: bool = not isinstance(p.data, np.ndarray)
        a = np.asarray(p.data, dtype=np.float64 if self.scalar else None)
        self.dtype: Any = a.dtype
        self.turned: list[int] = []
        self.shapes: list[tuple[int, ...]] = [a.shape]
        self.inner: list[tuple[int, ...]] = [a.shape]

    def gradients(self) -> list[Any]:
        """Return the one gradient, or None, in a list."""
        (p,) = self.members
        if p.grad is None:
            return [None]
        g = np.asarray(numbers(p.grad), dtype=self.dtype)
        if g.shape != self.shapes[0]:
            raise ValueError(f"{self.labels()[0]} has shape {self.shapes[0]} but its gradient has shape {g.shape}")
        return [g]

    def forget_gradients(self) -> None:
        """Leave no gradient: None, of a float 0.0."""
        self.members[0].grad = 0.0 if self.scalar else None

    def read(self) -> Array:
        """Return the parameter's own array."""
        a = np.asarray(self.members[0].data)
        if a.shape != self.shapes[0] or a.dtype != self.dtype:
            raise ValueError(changed(self.labels()[0], self.shapes[0], self.dtype, a))
        return a

    def cut(self, grads: list[Any]) -> Iterable[tuple[int, Any, Array]]:
        """Return the whole parameter as one block."""
        return [(0, ..., grads[0])]

    def room(self) -> Array:
        """Return a new array of the parameter's shape and layout."""
        self.after: Array = np.empty_like(self.members[0].data, dtype=self.dtype)
        return self.after

    def write(self) -> None:
        """Rebind the parameter to its new array."""
        self.members[0].data = float(self.after) if self.scalar else self.after

    def state_of(self, i: int, names: Sequence[str]) -> dict[str, Any]:
        """Step count and state: plain numbers, and arrays that nobody else holds."""
        found: dict[str, Any] = {"step": self.t}
        for name, value in zip(names, self.states[0] if self.states else (), strict=False):
            if value is not None:
                found[name] = np.array(value) if isinstance(value, (np.ndarray, np.generic)) else value
        return found

    def adopt(self, found: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
        """Take over the state, given as `state_of` gives it."""
        self.states: list[State] = [tuple(found[0].get(name) for name in names)]
