"""Choose the fastest way to run a program, and run programs of floats by levels."""

from __future__ import annotations

import contextlib
import os
from importlib.util import find_spec

import numpy as np

from autograd.recording import NotReplayable

from .interpreter import CHAIN, KINDS
from .levels import Levels, encoded
from .numpy_text import NumpyText
from .program import Program
from .runners import EXACT, NumbaRunner, NumpyRunner, Runner

__all__ = ["ByLevels", "executor_for"]

# Microseconds, measured on one core of a Xeon of 2023 with Python 3.11 and NumPy 2.4; only their ratios matter.
STRAIGHT_STEP = 0.025  # an operation in straight-line Python
NUMPY_SEGMENT, NUMPY_TERM, PYTHON_CALL = 3.7, 0.003, 0.08
WORTH_LEVELS = 500  # operations; smaller programs are fastest as straight-line Python
MOST_STRAIGHT = 60_000  # operations; Python takes 15 us to compile the line of one
WORTH_NUMBA = 100.0  # duration of a run without numba, whose import takes a third of a second
MOST_ROWS = 60  # of a summary


def executor_for(program: Program) -> NumpyText | ByLevels:
    """Return what runs a program.

    Programs of arrays, and small or narrow programs of floats, are straight-line Python.  Large programs of floats are
    run by levels: by machine code if numba is installed, else by NumPy.  The environment variable ``CHAINRULE_NUMBA=0``
    disables numba.
    """
    if len(program.steps) >= WORTH_LEVELS and (encoding := encoded(program)) is not None:
        levels = Levels(encoding)
        straight = len(program.steps) * STRAIGHT_STEP if len(program.steps) <= MOST_STRAIGHT else np.inf
        by_numpy = _duration_of_numpy(levels)
        if min(straight, by_numpy) > WORTH_NUMBA and _has_numba():
            return ByLevels(program, levels, NumbaRunner, NumpyRunner)
        if by_numpy <= straight:
            return ByLevels(program, levels, NumpyRunner)
    return NumpyText(program)


def _duration_of_numpy(levels: Levels) -> float:
    """Return the estimated duration of a run by `NumpyRunner`, in microseconds."""
    fast = {CHAIN, *[kind for kind, name in enumerate(KINDS) if name in EXACT or name == "relu"]}
    terms = [s.lanes * s.length * (NUMPY_TERM if s.kind in fast else PYTHON_CALL) for s in levels.segments]
    return len(terms) * NUMPY_SEGMENT + sum(terms)


def _has_numba() -> bool:
    return os.environ.get("CHAINRULE_NUMBA", "") != "0" and find_spec("numba") is not None


class ByLevels:
    """A program of floats, run by levels.

    Parameters
    ----------
    program : Program
        The recorded program.
    levels : Levels
        Its schedule.
    *runners : type of Runner
        What runs it: the first one that is available and reproduces the recorded results.
    """

    def __init__(self, program: Program, levels: Levels, *runners: type[Runner]) -> None:
        self._levels, self._candidates = levels, runners
        self._runner: Runner | None = None
        self._forward, self._operations = program.backward_from, len(program.steps)
        self._given, self._found = program.given, program.found
        self._places = slice(0, levels.outside)

    def run(self, *values: float) -> list[float]:
        """Return the results for these inputs and variables."""
        if self._runner is None:
            self._runner = self._started()
        return self._runner.run(self._places, values, self._levels.results)

    def _started(self) -> Runner:
        """Return the first runner that gives the recorded results bit for bit; vectorized math functions may not."""
        for kind in self._candidates[:-1]:
            with contextlib.suppress(ImportError, RuntimeError, OSError):  # broken, or without a folder for its cache
                runner = kind(self._levels)
                if self._reproduces(runner):
                    return runner
        return self._candidates[-1](self._levels)

    def _reproduces(self, runner: Runner) -> bool:
        try:
            found = runner.run(self._places, self._given, self._levels.results)
        except NotReplayable:  # the recorded values themselves need the eager engine
            return True
        return np.array_equal(found, self._found, equal_nan=True)

    @property
    def source(self) -> str:
        """The segments, as text."""
        levels = self._levels
        names = [*KINDS, *[foreign.name for foreign in levels.foreign]]
        rows = [
            f"# {level:5}  {'sums of products' if kind == CHAIN else names[kind]:18} {lanes:8}"
            + (f" of {length} terms" if kind == CHAIN else "")
            for kind, level, lanes, length, _, _ in levels.segments[:MOST_ROWS]
        ]
        left_out = len(levels.segments) - MOST_ROWS
        return "\n".join([
            f"# {self._operations} operations on floats ({self._forward} of the function, the others of its gradient)",
            f"# in {len(levels.segments)} segments, each of which computes many values of one level at once:",
            f"# {'level':>5}  {'operation':18} {'values':>8}",
            *rows,
            *([f"# ... and {left_out} more segments"] if left_out > 0 else []),
            f"# Compile a smaller example (fewer than {WORTH_LEVELS} operations) to read every operation.",
            "",
        ])  # fmt: skip
