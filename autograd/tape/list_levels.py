"""The levels of a program of floats run by Python itself, for graphs so narrow that NumPy would be called in vain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from autograd.recording import NotReplayable
from autograd.rules import PRIMITIVES

from .interpreter import CHAIN, KINDS
from .levels import Levels, Runner

__all__ = ["ListLevels"]

Work = tuple[Callable[..., Any] | None, list[int], list[int], int]  # None: a chain of these factors


class ListLevels(Runner):
    """Runs levels number by number, on a list."""

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        self._start: list[float] = levels.start.tolist()
        self._work: list[Work] = []
        a, b, c = (column.tolist() for column in (levels.a, levels.b, levels.c))
        for kind, _, lanes, length, start, out in levels.segments:
            for lane in range(lanes):
                i, end = start + lane, start + lanes * length
                if kind == CHAIN:
                    self._work.append((None, a[i:end:lanes], b[i:end:lanes], out + lane))
                else:
                    function, arity = _function(levels, kind)
                    self._work.append((function, [a[i], b[i], c[i]][:arity], [], out + lane))

    def run(self, given: Any, numbers: Sequence[float], results: Any) -> list[float]:
        """Return the numbers at the places `results`, computed from `numbers` at the places `given`."""
        v = self._start
        for place, number in zip(given.tolist(), numbers, strict=True):
            v[place] = number
        try:
            for function, a, b, out in self._work:
                if function is None:
                    s = -0.0
                    for i, j in zip(a, b):  # noqa: B905  (of one length by construction, and asked a million times)
                        s += v[i] * v[j]
                    v[out] = s
                else:
                    v[out] = function(*[v[i] for i in a])
        except (ValueError, ArithmeticError):
            raise NotReplayable from None
        return [float(v[i]) for i in results.tolist()]


def _function(levels: Levels, kind: int) -> tuple[Callable[..., Any], int]:
    if kind < len(KINDS):
        op = PRIMITIVES[KINDS[kind]]
        return op.forward, len(op.rules)
    function, params, arity, _ = levels.foreign[kind - len(KINDS)]
    return (partial(function, **params) if params else function), arity
