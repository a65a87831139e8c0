"""The levels of a program of floats run by the interpreter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograd.recording import NotReplayable

from .interpreter import KINDS, interpreter
from .levels import Levels, Runner
from .numpy_levels import call_foreign

__all__ = ["NumbaLevels"]


class NumbaLevels(Runner):
    """Runs levels by machine code (or by `interpret`)."""

    def __init__(self, levels: Levels, interpret: Callable[..., bool] | None = None) -> None:
        super().__init__(levels)
        self._interpret = interpret or interpreter()
        plan = np.array(levels.segments, np.int64).reshape(-1, 6)
        # Unsigned, or numba would ask of each whether it counts from the end.
        self._arrays = (self.v, plan, *[x.astype(np.uint32) for x in (levels.a, levels.b, levels.c)])
        self._stops = [*np.flatnonzero(plan[:, 0] >= len(KINDS)).tolist(), len(plan)]

    def compute(self) -> None:
        """Fill in everything from the numbers at the start of `v`."""
        interpret, arrays, first = self._interpret, self._arrays, 0
        for stop in self._stops:
            if first < stop and not interpret(*arrays, first, stop):
                raise NotReplayable
            if stop < len(self.levels.segments):
                call_foreign(self.levels, self.levels.segments[stop], self.v)
            first = stop + 1
