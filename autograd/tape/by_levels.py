"""Run programs of floats by levels: a few calls of NumPy for each segment."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.recording import NotReplayable
from autograd.typing import Array

from .levels import CHAIN, ONE, Kind, Levels
from .program import Program

MOST_ROWS = 60  # of a summary


class ByLevels:
    """A program of floats, run by levels.

    Parameters
    ----------
    program : Program
        The recorded program.
    levels : Levels
        Its schedule.
    """

    def __init__(self, program: Program, levels: Levels) -> None:
        self.levels = levels
        self._v: Array = levels.start.copy()
        self._forward, self._operations = program.backward_from, len(program.steps)

    def run(self, *values: float) -> list[float]:
        """Return the results for these inputs and variables.

        Raises `NotReplayable` where an operation on floats would raise an error.
        """
        self._v[: self.levels.outside] = values
        with np.errstate(all="ignore"):  # the results are checked
            compute(self.levels, self._v)
        found: list[float] = self._v.take(self.levels.results).tolist()
        return found

    @property
    def source(self) -> str:
        """The first segments, as text."""
        segments = self.levels.segments
        names = ["sums of products", *[kind.op.name for kind in self.levels.kinds]]
        rows = [f"# {s.level:5}  {names[s.kind]:18} {s.lanes:8} of {s.length} terms" for s in segments[:MOST_ROWS]]
        return "\n".join([
            f"# {self._operations} operations on floats ({self._forward} of the function, the others of its gradient)",
            f"# in {len(segments)} segments, each of which computes many values of one level at once:",
            f"# {'level':>5}  {'operation':18} {'values':>8}",
            *rows,
            "# Compile a smaller example to read every operation.\n",
        ])  # fmt: skip


def compute(levels: Levels, v: Any) -> None:
    """Compute all segments from the values at the start of a vector, an ndarray or a `ShapedArray`."""
    chain = v.chain if hasattr(v, "chain") else lambda *given: _chain(v, levels.outside + ONE, *given)
    for number, _, lanes, length, start, out in levels.segments:
        end = start + lanes * length
        if number == CHAIN:
            chain(levels.a[start:end], levels.b[start:end], (length, lanes), out)
            continue
        kind = levels.kinds[number - 1]
        operands = [v[column[start:end]] for column in (levels.a, levels.b, levels.c)[: kind.arity]]
        v[out : out + lanes] = y = _computed(kind, operands)
        if _may_fail(kind) and not np.isfinite(y).all():
            raise NotReplayable


def _may_fail(kind: Kind) -> bool:
    """Return whether Python raises an error for some floats, where C computes inf or nan."""
    form = kind.op.forms.get("scalar", "/")
    return "math." in form or "/" in form


# A `scalar` form that NumPy rounds as Python does: exact operations, and those that IEEE 754 requires to be so.
NOT_EXACT = re.compile(r"math\.(?!sqrt)|maximum|minimum")


def _computed(kind: Kind, operands: Sequence[Any]) -> Any:
    """Return the results of an operation; those of functions that NumPy rounds differently from Python one by one."""
    op, params = kind.op, kind.params
    if op.name == "relu":
        return np.where(operands[0] < 0.0, 0.0, operands[0])  # max(x, 0.0) keeps a -0.0, which np.maximum may not
    is_exact = "scalar" in op.forms and not params and not NOT_EXACT.search(op.forms["scalar"])
    if is_exact or type(operands[0]) is not np.ndarray:
        return op.forward(*operands, **params)
    try:
        return np.array([op.forward(*xs, **params) for xs in zip(*[x.tolist() for x in operands], strict=True)], float)
    except (ValueError, ArithmeticError):
        raise NotReplayable from None


def _chain(v: Array, one: int, a: Array, b: Array, shape: tuple[int, int], out: int) -> None:
    """Compute a segment of sums of products, one term after another."""
    terms = v[a]
    if not (b == one).all():
        terms *= v[b]
    into = v[out : out + shape[1]]
    if len(into) == 1:  # NumPy would sum a single row pairwise, in another order
        into[0] = np.add.accumulate(terms)[-1]
    else:
        np.add.reduce(terms.reshape(shape), axis=0, out=into, initial=-0.0)
