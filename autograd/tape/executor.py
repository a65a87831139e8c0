"""Which way of running a program is the fastest for it."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.recording import NotReplayable

from .interpreter import CHAIN, KINDS
from .leaves import Leaves, store_floats
from .levels import Levels, Runner, encoded
from .list_levels import ListLevels
from .numba_levels import NumbaLevels
from .numpy_levels import EXACT, NumpyLevels
from .program import Program
from .straight import Replay

__all__ = ["FloatReplay", "executor_for"]

# Microseconds, measured on one core of a Xeon of 2023 under Python 3.11 and NumPy 2.4; only their ratios decide.
STRAIGHT_STEP = 0.025  # an operation in straight-line Python
LIST_CHAIN, LIST_TERM = 0.12, 0.06
NUMPY_SEGMENT, NUMPY_TERM, CALL = 3.7, 0.003, 0.08  # CALL: of an operation that NumPy does not round as `math` does
WORTH_LEVELS = 500  # operations; fewer are straight-line Python whatever NumPy would say
MOST_ROWS = 60  # of a summary
MOST_STRAIGHT = 20_000  # operations; Python takes 15 us to compile the line of one
WORTH_NUMBA = 100.0  # what a run must cost otherwise; loading numba takes a third of a second, once


def executor_for(program: Program, names: Sequence[str], variables: Sequence[Node]) -> Replay | FloatReplay:
    """Return what runs a program.

    A program of arrays is straight-line Python.  A program of at least `WORTH_LEVELS` floats becomes levels, if that is
    faster: run by machine code where numba is installed and the graph is large enough to pay for loading it, else by
    NumPy, or, where few numbers stand side by side, by Python again.  The environment variable ``CHAINRULE_NUMBA=0``
    does without numba.

    Parameters
    ----------
    program : Program
        What to run.
    names : sequence of str
        What its inputs are called.
    variables : sequence of Node
        Whose gradients are the last of the results.
    """
    if len(program.nodes) >= WORTH_LEVELS and (numbers := encoded(program)) is not None:
        levels = Levels(numbers)
        straight = len(program.nodes) * STRAIGHT_STEP if len(program.nodes) <= MOST_STRAIGHT else np.inf
        others = {NumpyLevels: _microseconds_of_numpy(levels), ListLevels: _microseconds_of_lists(levels)}
        runner: type[Runner] = min(others, key=others.__getitem__)
        fastest = min(straight, others[runner])
        if fastest > WORTH_NUMBA and _numba_is_there():
            return FloatReplay(program, levels, variables, NumbaLevels, runner)
        if others[runner] <= straight:
            return FloatReplay(program, levels, variables, runner)
    return Replay(program, names, list(variables))


def _microseconds_of_numpy(levels: Levels) -> float:
    def of(kind: int, count: int) -> float:
        known = kind == CHAIN or (kind < len(KINDS) and (KINDS[kind] in EXACT or KINDS[kind] == "relu"))
        return NUMPY_SEGMENT + count * (NUMPY_TERM if known else CALL)

    return sum([of(s.kind, s.lanes * s.length) for s in levels.segments])


def _microseconds_of_lists(levels: Levels) -> float:
    return len(levels.start) * LIST_CHAIN + levels.size * LIST_TERM


def _numba_is_there() -> bool:
    return os.environ.get("CHAINRULE_NUMBA", "") != "0" and find_spec("numba") is not None


class FloatReplay:
    """A program of floats, run by levels.

    Parameters
    ----------
    program : Program
        What was recorded.
    levels : Levels
        Its schedule.
    variables : sequence of Node
        Whose gradients are the last of the results.
    runner : type of Runner
        What runs it.
    otherwise : type of Runner, optional
        What runs it if `runner` cannot be had.
    """

    def __init__(
        self,
        program: Program,
        levels: Levels,
        variables: Sequence[Node],
        runner: type[Runner],
        otherwise: type[Runner] | None = None,
    ) -> None:
        self._levels, self._candidates = levels, [kind for kind in (runner, otherwise) if kind is not None]
        self._runner: Runner | None = None
        self._outputs, self._forward = program.outputs, program.backward_from
        self._inputs, self._operations = len(program.inputs), len(program.nodes)
        self._leaves = Leaves(program.leaves)
        self._numbers_then = [x._data for x in program.inputs]
        self._results_then = [getattr(r, "_data", r) for r in program.results]
        place = {node: i for i, node in enumerate(program.inputs)}
        # Whose gradient: the number of an input, or a variable, which may be gone soon.
        self._targets: list[Any] = [place.get(variable, weakref.ref(variable)) for variable in variables]

    def holds(self) -> bool:
        """Whether the variables are as they were when they were recorded."""
        return self._leaves.hold()

    def run(self, *numbers: float) -> list[float]:
        """Return the results for these inputs."""
        if self._runner is None:
            self._runner = self._started()
        return self._runner.run(self._given, [*numbers, *self._leaves.numbers()], self._results)

    def store(self, gradients: Sequence[float], sources: Sequence[Any]) -> None:
        """Add the gradients that `run` returned, or the recording found, to those of the variables."""
        if self._runner is None:
            found = [(sources[t] if type(t) is int else t(), g) for t, g in zip(self._targets, gradients, strict=True)]
        elif self._asks:
            found = [(sources[t] if type(t) is int else t, g) for t, g in zip(self._targets, gradients, strict=True)]
        else:
            store_floats(self._targets, gradients)
            return
        for target, g in found:  # one by one, since an argument may have been given twice
            if target is not None:
                store_floats([target], [g])

    def _started(self) -> Runner:
        """Make what runs the program, now that the recorded graph is gone."""
        levels, leaves, first = self._levels, self._leaves, self._inputs
        levels.start[first : levels.outside] = leaves.numbers_then
        self._given = np.array([*range(first), *[first + i for i in leaves.settle()]], np.intp)
        held = [t if type(t) is int else t() for t in self._targets]
        self._targets = [target for target in held if target is not None]
        self._asks = any(type(target) is int for target in self._targets)
        kept = [i for i, target in enumerate(held) if target is not None]
        self._results = levels.results[[*range(self._outputs), *[self._outputs + i for i in kept]]]
        for kind in self._candidates[:-1]:
            with contextlib.suppress(ImportError, RuntimeError, OSError):  # broken, or no folder for its machine code
                runner = kind(levels)
                if self._agrees(runner):
                    return runner
        return self._candidates[-1](levels)

    def _agrees(self, runner: Runner) -> bool:
        """Whether machine code finds the recorded results: a numba with mathematics of its own may not, to the bit."""
        levels = self._levels
        given = [*self._numbers_then, *self._leaves.numbers_then]
        try:
            found = runner.run(slice(0, levels.outside), given, levels.results)
        except NotReplayable:  # the record is of numbers that only the engine can deal with
            return True
        return np.array_equal(found, self._results_then, equal_nan=True)

    @property
    def source(self) -> str:
        """What is done, segment by segment."""
        levels = self._levels
        names = [*KINDS, *[foreign.name for foreign in levels.foreign]]
        rows = [
            f"# {level:5}  {'sums of products' if kind == CHAIN else names[kind]:18} {lanes:8}"
            + (f" of {length} terms" if kind == CHAIN else "")
            for kind, level, lanes, length, _, _ in levels.segments[:MOST_ROWS]
        ]
        left_out = len(levels.segments) - MOST_ROWS
        return "\n".join([
            f"# {self._operations} operations on floats ({self._forward} of the function, the rest of its derivatives)",
            f"# as {len(levels.segments)} segments, each of which computes many numbers of a level at once:",
            f"# {'level':>5}  {'operation':18} {'numbers':>8}",
            *rows,
            *([f"# ... and {left_out} segments more"] if left_out > 0 else []),
            "# To read every operation, compile the same function for a smaller example "
            f"(fewer than {WORTH_LEVELS} operations).",
            "",
        ])  # fmt: skip
