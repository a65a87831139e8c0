"""Choose the fastest way to run a program, and run programs of floats by levels."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from autograd.recording import NotReplayable
from autograd.typing import Data

from . import native
from .levels import Levels, has_levels
from .numpy_text import NumpyText
from .program import Program
from .recording import Callback, Guard

# A segment takes 3.7 us and 5 ns per operation, an operation in straight-line Python 25 ns: measured on one core of a
# Xeon of 2023 with Python 3.11 and NumPy 2.4; only the ratios matter.
WIDTH_OF_SEGMENTS = 185  # operations, from which segments are faster
WORTH_LEVELS = 500  # operations; smaller programs are fastest as straight-line Python
MOST_STRAIGHT = 60_000  # operations; Python takes 15 us to compile the line of one
# Seconds in NumPy programs after which machine code pays off: to build the instructions of a program, to import numba
# and the interpreter, to compile the interpreter in another process.  Waiting as long as the preparation takes costs at
# most twice the best choice in hindsight (the ski rental problem: Karlin et al. 1988, "Competitive snoopy caching").
WORTH_BUILDING, WORTH_LOADING, WORTH_COMPILING = 0.05, 0.5, 5.0


def has_numba() -> bool:
    """Return whether programs may run as machine code."""
    return os.environ.get("CHAINRULE_NUMBA", "") != "0" and find_spec("numba") is not None


def text_of(program: Program) -> NumpyText | Levels:
    """Return what runs a program with NumPy.

    Programs of arrays, and small or narrow programs of floats, are straight-line Python; large programs of floats are
    run by levels.
    """
    if len(program.steps) >= WORTH_LEVELS and has_levels(program):
        levels = Levels(program)
        if len(levels.segments) * WIDTH_OF_SEGMENTS <= len(program.steps) or len(program.steps) > MOST_STRAIGHT:
            return levels
    return NumpyText(program)


class Executor:
    """Runs a program: NumPy at first, and the native machine when its preparation has paid off.

    The machine needs numba, whose import takes half a second, and compiled code in numba's cache.  If the code is not
    there, another process compiles it, once per installation, while this one continues with NumPy.
    ``CHAINRULE_NUMBA=1`` loads and compiles at once instead, ``0`` disables numba; ``python -m autograd doctor
    --compile`` compiles ahead.

    Attributes
    ----------
    text : NumpyText or Levels
        The program for NumPy.
    machine : Machine or None
        The program for the native machine, when it has been built.
    """

    def __init__(self, program: Program) -> None:
        self.text: Any = text_of(program)
        self.machine: Any = None
        self._program: Program | None = program if has_numba() else None
        self._seconds = 0.0  # in NumPy
        self._worth = 0.0 if os.environ.get("CHAINRULE_NUMBA") == "1" else WORTH_BUILDING

    def run(self, *data: Data) -> Sequence[Data]:
        """Return the results for the data of the inputs and of the variables from outside."""
        if (machine := self.chosen()) is not None:
            return machine.run(*data)  # type: ignore[no-any-return]
        start = time.perf_counter()
        found: Sequence[Data] = self.text.run(*data)
        duration = time.perf_counter() - start
        self._seconds += duration
        preparation.seconds += duration
        return found

    def chosen(self) -> Any:
        """Return the machine, which is built when it is worth it and the interpreter is ready; else None."""
        if self._program is not None and self._seconds >= self._worth and preparation.is_done(self._worth == 0.0):
            program, self._program = self._program, None
            with contextlib.suppress(LookupError, TypeError):
                machine = native.Machine(program if isinstance(self.text, NumpyText) else self.text)
                if len(machine.calls) * MOST_CALLS <= len(program.steps) and _agrees(machine, self.text, program):
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
        self.seconds: float = 0.0
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
                    sys.stderr.write("chainrule: another process compiles the native machine, once per installation\n")
                    command, quiet = [sys.executable, "-m", "autograd", "doctor", "--compile"], subprocess.DEVNULL
                    self._compiler = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: S603
                elif self._compiler is not None and self._compiler.poll() not in (None, 0):
                    raise RuntimeError("compiling failed; see python -m autograd doctor --compile")
            except (ImportError, RuntimeError, OSError) as error:  # broken, or without a folder for its cache
                sys.stderr.write(f"chainrule: programs run without machine code ({error})\n")
                self._state = False
        return self._state is True


preparation: Preparation = Preparation()


def _agrees(machine: Any, text: Any, program: Program) -> bool:
    """Return whether the machine computes what NumPy does, unless a step has an effect, which is not repeated.

    The recorded results are not compared, since the recorded inputs may have changed in place, as batches of data do.
    """
    if any(isinstance(call.op, Callback) and not isinstance(call.op, Guard) for call in machine.calls):
        return True
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # earlier calls have shown them
            expected, found = text.run(*program.given), machine.run(*program.given)
    except (NotReplayable, ValueError, ArithmeticError):
        return False
    return all(np.allclose(x, y, rtol=1e-3, atol=1e-5, equal_nan=True) for x, y in zip(found, expected, strict=True))
