"""Choose the fastest way to run a program, and run programs of floats by levels."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from autograd.backward import store
from autograd.graph import Node
from autograd.recording import NotReplayable
from autograd.typing import Operand

from .interpreter import CHAIN, KINDS
from .levels import Levels, encoded
from .program import Program
from .runners import EXACT, NumbaRunner, NumpyRunner, Runner
from .straight import Replay

__all__ = ["FloatReplay", "executor_for"]

# Microseconds, measured on one core of a Xeon of 2023 with Python 3.11 and NumPy 2.4; only their ratios matter.
STRAIGHT_STEP = 0.025  # an operation in straight-line Python
NUMPY_SEGMENT, NUMPY_TERM, PYTHON_CALL = 3.7, 0.003, 0.08
WORTH_LEVELS = 500  # operations; smaller programs are fastest as straight-line Python
MOST_STRAIGHT = 60_000  # operations; Python takes 15 us to compile the line of one
WORTH_NUMBA = 100.0  # duration of a run without numba, whose import takes a third of a second
MOST_ROWS = 60  # of a summary


def executor_for(program: Program, names: Sequence[str], variables: Sequence[Node]) -> Replay | FloatReplay:
    """Return what runs a program.

    Programs of arrays, and small or narrow programs of floats, are straight-line Python.  Large programs of floats are
    run by levels: by machine code if numba is installed, else by NumPy.  The environment variable ``CHAINRULE_NUMBA=0``
    disables numba.

    Parameters
    ----------
    program : Program
        What to run.
    names : sequence of str
        The names of its inputs.
    variables : sequence of Node
        The variables whose gradients are the last results.
    """
    if len(program.nodes) >= WORTH_LEVELS and (encoding := encoded(program)) is not None:
        levels = Levels(encoding)
        straight = len(program.nodes) * STRAIGHT_STEP if len(program.nodes) <= MOST_STRAIGHT else np.inf
        by_numpy = _duration_of_numpy(levels)
        if min(straight, by_numpy) > WORTH_NUMBA and _has_numba():
            return FloatReplay(program, levels, variables, NumbaRunner, NumpyRunner)
        if by_numpy <= straight:
            return FloatReplay(program, levels, variables, NumpyRunner)
    return Replay(program, names, list(variables))


def _duration_of_numpy(levels: Levels) -> float:
    """Return the estimated duration of a run by `NumpyRunner`, in microseconds."""
    fast = {CHAIN, *[kind for kind, name in enumerate(KINDS) if name in EXACT or name == "relu"]}
    terms = [s.lanes * s.length * (NUMPY_TERM if s.kind in fast else PYTHON_CALL) for s in levels.segments]
    return len(terms) * NUMPY_SEGMENT + sum(terms)


def _has_numba() -> bool:
    return os.environ.get("CHAINRULE_NUMBA", "") != "0" and find_spec("numba") is not None


class FloatReplay:
    """A program of floats, run by levels.

    A `Value` that the function creates in each call, such as ``Value(x)`` of an input, is freed after the recorded
    call: nobody can change it or read its gradient, so it becomes a constant.  Other variables are read in each run.

    Parameters
    ----------
    program : Program
        The recorded program.
    levels : Levels
        Its schedule.
    variables : sequence of Node
        The variables whose gradients are the last results.
    *runners : type of Runner
        What runs it: the first one that is available and reproduces the recorded results.
    """

    def __init__(self, program: Program, levels: Levels, variables: Sequence[Node], *runners: type[Runner]) -> None:
        self._levels, self._candidates = levels, runners
        self._runner: Runner | None = None
        self._outputs, self._forward = program.outputs, program.backward_from
        self._inputs, self._operations = len(program.inputs), len(program.nodes)
        self._recorded_values = [x._data for x in (*program.inputs, *program.leaves)]
        self._recorded_results = [r._data if isinstance(r, Node) else r for r in program.results]
        # Weak references until the recorded graph is gone, then the variables that still exist.
        self._leaves: list[Any] = list(map(weakref.ref, program.leaves))
        self._states = [(x._requires_grad, x.notes.hooks) for x in program.leaves]
        place = {node: i for i, node in enumerate(program.inputs)}
        self._targets: list[Any] = [place.get(variable, weakref.ref(variable)) for variable in variables]

    def holds(self) -> bool:
        """Return whether the variables want gradients and have the hooks that they had when recorded."""
        held = self._leaves if self._runner is not None else [reference() for reference in self._leaves]
        for x, (wanted, hooks) in zip(held, self._states, strict=True):
            if x is not None and (x._requires_grad is not wanted or x.notes.hooks is not hooks):
                return False
        return True

    def run(self, *inputs: float) -> list[float]:
        """Return the results for these inputs."""
        if self._runner is None:
            self._runner = self._started()
        return self._runner.run(self._given, [*inputs, *[x._data for x in self._leaves]], self._results)

    def store(self, gradients: Sequence[float], sources: Sequence[Operand]) -> None:
        """Add the gradients that `run` returned, or that were recorded, to those of the variables."""
        if self._runner is not None and not self._has_input_targets:
            _store_floats(self._targets, gradients)
            return
        for t, g in zip(self._targets, gradients, strict=True):  # one by one: an argument may have been given twice
            target = sources[t] if type(t) is int else t() if self._runner is None else t
            if target is not None:
                _store_floats([target], [g])

    def _started(self) -> Runner:
        """Return what runs the program, now that the recorded graph is gone."""
        levels, first = self._levels, self._inputs
        levels.start[first : levels.outside] = self._recorded_values[first:]
        held = [reference() for reference in self._leaves]
        alive = [i for i, leaf in enumerate(held) if leaf is not None]
        self._leaves = [held[i] for i in alive]
        self._states = [self._states[i] for i in alive]
        self._given = np.array([*range(first), *[first + i for i in alive]], np.intp)
        targets = [t if type(t) is int else t() for t in self._targets]
        kept = [i for i, target in enumerate(targets) if target is not None]
        self._targets = [targets[i] for i in kept]
        self._has_input_targets = any(type(target) is int for target in self._targets)
        self._results = levels.results[[*range(self._outputs), *[self._outputs + i for i in kept]]]
        for kind in self._candidates[:-1]:
            with contextlib.suppress(ImportError, RuntimeError, OSError):  # broken, or without a folder for its cache
                runner = kind(levels)
                if self._reproduces(runner):
                    return runner
        return self._candidates[-1](levels)

    def _reproduces(self, runner: Runner) -> bool:
        """Return whether a runner gives the recorded results bit for bit; vectorized math functions may not."""
        levels = self._levels
        try:
            found = runner.run(slice(0, levels.outside), self._recorded_values, levels.results)
        except NotReplayable:  # the recorded values themselves need the eager engine
            return True
        return np.array_equal(found, self._recorded_results, equal_nan=True)

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


def _store_floats(targets: Sequence[Any], gradients: Sequence[float]) -> None:
    """Add to the gradients of leaves that hold floats, as `autograd.backward.store` does but faster."""
    held = [x._grad for x in targets]
    plain = {*map(type, held)} <= {float}
    # `store` warns where a gradient is left over from other values of the leaf.
    if plain and (not any(held) or all(x.stamp in (0, id(x._data)) for x in targets)):
        for x, g in zip(targets, gradients, strict=True):
            x._grad += g
            x.stamp = id(x._data)
    else:
        store(dict(zip(targets, gradients, strict=True)), False)
