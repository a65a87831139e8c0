"""Many variables that are floats: looked at, read and given their gradients with one pass of C code for each question.

A loop of Python's own costs half a microsecond for a variable, more than all the arithmetic behind its gradient.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from operator import add, attrgetter
from typing import Any

from autograd.backward import store
from autograd.graph import Node

__all__ = ["Leaves", "store_floats"]

number_of, gradient_of, stamp_of = attrgetter("_data"), attrgetter("_grad"), attrgetter("stamp")
wants_gradient, hooks_of = attrgetter("_requires_grad"), attrgetter("hooks")
FLOATS = [{float}, set()]


def _each(function: Any, *columns: Iterable[Any]) -> None:
    """Call a function for what it does, as fast as an interpreter can."""
    deque(map(function, *columns), maxlen=0)


def store_floats(targets: Sequence[Node], gradients: Sequence[float]) -> None:
    """Add to the gradients of leaves that hold floats, as `autograd.backward.store` does."""
    held = list(map(gradient_of, targets))
    if {*map(type, held)} in FLOATS:
        numbers = list(map(id, map(number_of, targets)))
        # Old gradients are added to as long as they were found at these same numbers; the rest is for the tutor.
        if not any(held) or all(stamp in (0, number) for stamp, number in zip(map(stamp_of, targets), numbers, strict=True)):
            _each(Node.stamp.__set__, targets, numbers)  # type: ignore[attr-defined]
            _each(Node._grad.__set__, targets, map(add, held, gradients))
            return
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
        self.numbers_then = list(map(number_of, leaves))
        self._wanted = list(map(wants_gradient, leaves))
        self._hooks = list(map(hooks_of, leaves))
        self.alive: list[Any] = []

    def settle(self) -> list[int]:
        """Find out who is still there; return their numbers in the order of the leaves."""
        held = [reference() for reference in self._references]
        places = [i for i, leaf in enumerate(held) if leaf is not None]
        self.alive = [held[i] for i in places]
        self._wanted, self._hooks = [self._wanted[i] for i in places], [self._hooks[i] for i in places]
        return places

    def hold(self) -> bool:
        """Return whether the same variables want gradients and have the same hooks as when they were recorded."""
        alive = self.alive
        return list(map(wants_gradient, alive)) == self._wanted and list(map(hooks_of, alive)) == self._hooks

    def numbers(self) -> list[float]:
        """Return what they hold now."""
        return list(map(number_of, self.alive))
