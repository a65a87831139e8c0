"""Many variables that are floats: looked at, read and given their gradients with as little Python as possible.

What serves one tensor well, half a microsecond of care, would cost more here than all the arithmetic of the gradients.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from autograd.backward import store
from autograd.graph import Node

__all__ = ["Leaves", "store_floats"]


def store_floats(targets: Sequence[Any], gradients: Sequence[float]) -> None:
    """Add to the gradients of leaves that hold floats, as `autograd.backward.store` does."""
    held = [x._grad for x in targets]
    plain = {*map(type, held)} <= {float}
    # Old gradients are added to as long as they were found at these same numbers; the rest is for the tutor.
    if plain and (not any(held) or all(x.stamp in (0, id(x._data)) for x in targets)):
        for x, g in zip(targets, gradients, strict=True):
            x._grad += g
            x.stamp = id(x._data)
    else:
        store(dict(zip(targets, gradients, strict=True)), False)


class Leaves:
    """The variables of a program, as long as somebody else holds them.

    A `Value` that a function makes for itself, such as ``Value(x)`` of an input, is gone after the call that recorded
    it: nobody can change its number or ask for its gradient, so it is a constant.

    Parameters
    ----------
    leaves : sequence of Node
        All that the program reads.
    """

    def __init__(self, leaves: Sequence[Node]) -> None:
        self._references = list(map(weakref.ref, leaves))
        self.numbers_then: list[Any] = [x._data for x in leaves]
        self._seen = [(x._requires_grad, x.hooks) for x in leaves]
        self.alive: list[Any] = []

    def settle(self) -> list[int]:
        """Find out who is still there; return their numbers in the order of the leaves."""
        held = [reference() for reference in self._references]
        places = [i for i, leaf in enumerate(held) if leaf is not None]
        self.alive = [held[i] for i in places]
        self._seen, self._references = [self._seen[i] for i in places], []
        return places

    def hold(self) -> bool:
        """Return whether the same variables want gradients and have the same hooks as when they were recorded."""
        held = self.alive or [reference() for reference in self._references]
        for x, (wanted, hooks) in zip(held, self._seen, strict=True):
            if x is not None and (x._requires_grad is not wanted or x.hooks is not hooks):
                return False
        return True

    def numbers(self) -> list[float]:
        """Return what they hold now."""
        return [x._data for x in self.alive]
