"""Choose the fastest way to run a program, and run programs of floats by levels."""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from autograd.recording import NotReplayable
from autograd.typing import Array, Data, Function

from . import native
from .interpreter import CHAIN, KINDS
from .levels import Levels, encoded
from .numpy_text import NumpyText
from .program import Program
from .recording import Callback, Guard
from .runners import EXACT, NumbaRunner, NumpyRunner, Runner

__all__ = ["ByLevels", "Preparation", "Switching", "executor_for"]

# Microseconds, measured on one core of a Xeon of 2023 with Python 3.11 and NumPy 2.4; only their ratios matter.
STRAIGHT_STEP = 0.025  # an operation in straight-line Python
NUMPY_SEGMENT, NUMPY_TERM, PYTHON_CALL = 3.7, 0.003, 0.08
WORTH_LEVELS = 500  # operations; smaller programs are fastest as straight-line Python
MOST_STRAIGHT = 60_000  # operations; Python takes 15 us to compile the line of one
WORTH_NUMBA = 100.0  # duration of a run without numba, whose import takes a third of a second
MOST_ROWS = 60  # of a summary


# Seconds in NumPy programs after which machine code pays off: to build the instructions of a program, to import numba
# and the interpreter, to compile the interpreter in another process.  Waiting as long as the preparation takes costs at
# most twice the best choice in hindsight (the ski rental problem: Karlin et al. 1988, "Competitive snoopy caching").
WORTH_BUILDING, WORTH_LOADING, WORTH_COMPILING = 0.02, 0.5, 5.0


def executor_for(program: Program) -> Switching | ByLevels:
    """Return what runs a program.

    Programs of arrays, and small or narrow programs of floats, are straight-line Python, and machine code if they run
    for long enough.  Large programs of floats are run by levels: by machine code if numba is installed, else by NumPy.
    The environment variable ``CHAINRULE_NUMBA=0`` disables numba.
    """
    if len(program.steps) >= WORTH_LEVELS and (encoding := encoded(program)) is not None:
        levels = Levels(encoding)
        straight = len(program.steps) * STRAIGHT_STEP if len(program.steps) <= MOST_STRAIGHT else np.inf
        by_numpy = _duration_of_numpy(levels)
        if min(straight, by_numpy) > WORTH_NUMBA and _has_numba():
            return ByLevels(program, levels, NumbaRunner, NumpyRunner)
        if by_numpy <= straight:
            return ByLevels(program, levels, NumpyRunner)
    return Switching(program)


def _duration_of_numpy(levels: Levels) -> float:
    """Return the estimated duration of a run by `NumpyRunner`, in microseconds."""
    fast = {CHAIN, *[kind for kind, name in enumerate(KINDS) if name in EXACT or name == "relu"]}
    terms = [s.lanes * s.length * (NUMPY_TERM if s.kind in fast else PYTHON_CALL) for s in levels.segments]
    return len(terms) * NUMPY_SEGMENT + sum(terms)


def _has_numba() -> bool:
    return os.environ.get("CHAINRULE_NUMBA", "") != "0" and find_spec("numba") is not None


class Switching:
    """A program that NumPy runs at first, and the native machine when its preparation has paid off.

    The machine needs numba, whose import takes half a second, and compiled code in numba's cache.  If the code is not
    there, another process compiles it, once per installation, while this one continues with NumPy.
    ``CHAINRULE_NUMBA=1`` loads and compiles at once instead; ``python -m autograd doctor --compile`` compiles ahead.

    Attributes
    ----------
    text : NumpyText
        The program as NumPy source.
    machine : Machine or None
        The program for the native machine, when it has been built.
    """

    def __init__(self, program: Program) -> None:
        self.text = NumpyText(program)
        self.machine: Any = None
        self._program: Program | None = None
        if _has_numba():
            self._program = copy.copy(program)
            self._program.variables = []  # which the function may have created, and which nothing else keeps
        self._seconds = 0.0  # in NumPy
        self._worth = 0.0 if os.environ.get("CHAINRULE_NUMBA") == "1" else WORTH_BUILDING

    @property
    def source(self) -> str:
        """The program as NumPy source."""
        return self.text.source

    def run(self, *data: Data) -> Sequence[Data]:
        """Return the results for the data of the inputs and of the variables from outside."""
        machine = self.machine if self._program is None else self.chosen()
        return self._timed(self.text.run, data) if machine is None else machine.run(*data)

    def run_into(self, targets: Sequence[Array], *data: Data) -> Sequence[Data]:
        """Write the results after the outputs into arrays, and return the outputs."""
        machine = self.machine if self._program is None else self.chosen()
        given = (targets, *data)
        return self._timed(self.text.run_into, given) if machine is None else machine.run_into(*given)

    def chosen(self) -> Any:
        """Return the machine if it is worth building, or None."""
        return self.native() if self._seconds >= self._worth else None

    def _timed(self, run: Function, data: Sequence[Any]) -> Sequence[Data]:
        start = time.perf_counter()
        found: Sequence[Data] = run(*data)
        duration = time.perf_counter() - start
        self._seconds += duration
        preparation.seconds += duration
        return found

    def native(self) -> Any:
        """Return the machine, which is built now if the interpreter is ready; else None."""
        if self._program is not None and preparation.is_done(at_once=self._worth == 0.0):
            program, self._program = self._program, None
            with contextlib.suppress(LookupError, TypeError):
                machine = native.Machine(program)
                if len(machine.calls) * MOST_CALLS <= len(program.steps) and _reproduces(machine, program):
                    self.machine = machine
        return self.machine


MOST_CALLS = 4  # steps per call of NumPy between native instructions, below which source is as fast


class Preparation:
    """Loads the compiled interpreter when that pays off, and lets another process compile it.

    Attributes
    ----------
    seconds : float
        The time spent in NumPy programs.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._next = WORTH_LOADING
        self._state: bool | None = None  # whether the interpreter is ready, or unavailable
        self._compiler: subprocess.Popen[bytes] | None = None

    def is_done(self, at_once: bool) -> bool:
        """Return whether the interpreter is ready, which is prepared now if that is worth waiting for."""
        if self._state is None and (at_once or self.seconds >= self._next):
            self._next = self.seconds + 1.0
            try:
                if native.prepare(at_once):
                    self._state = True
                elif self._compiler is None and self.seconds >= WORTH_COMPILING:
                    self._start_compiler()
                elif self._compiler is not None and self._compiler.poll() not in (None, 0):
                    raise RuntimeError("compiling failed; see python -m autograd doctor --compile")
            except (ImportError, RuntimeError, OSError) as error:  # broken, or without a folder for its cache
                sys.stderr.write(f"chainrule: programs run without machine code ({error})\n")
                self._state = False
        return self._state is True

    def _start_compiler(self) -> None:
        sys.stderr.write("chainrule: another process compiles the native machine, once per installation\n")
        command = [sys.executable, "-m", "autograd", "doctor", "--compile"]
        self._compiler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


preparation = Preparation()


def _reproduces(machine: Any, program: Program) -> bool:
    """Return whether the machine computes the recorded results, which no step with an effect prevents."""
    if any(isinstance(call.op, Callback) and not isinstance(call.op, Guard) for call in machine.calls):
        return True
    try:
        with np.errstate(all="ignore"):
            found = machine.run(*program.given)
    except NotReplayable:  # the recorded values themselves need the eager engine
        return True
    return all(
        np.allclose(x, y, rtol=1e-3, atol=1e-5, equal_nan=True) for x, y in zip(found, program.found, strict=True)
    )


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
