"""Run the levels of a program of floats, by NumPy or by machine code."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from autograd.graph import Primitive
from autograd.recording import NotReplayable
from autograd.rules import PRIMITIVES
from autograd.typing import Array, Data, Function

from .interpreter import CHAIN, KINDS, expression, interpreter, may_fail
from .levels import ONE, Levels, Segment

__all__ = ["EXACT", "NumbaRunner", "NumpyRunner", "Runner"]


def _on_arrays(op: Primitive) -> Function:
    """Return the `scalar` form of an operation as a function of arrays."""
    xyz = "xyz"[: len(op.rules)]
    text = f"lambda {', '.join(xyz)}: {expression(op, xyz)}"
    function: Function = eval(text, {"math": np, "where": np.where})  # noqa: S307  (from the table)
    return function


# Operations that NumPy rounds as Python does: exact ones, and those that IEEE 754 requires to be rounded correctly.
EXACT: dict[str, Function] = {
    name: _on_arrays(PRIMITIVES[name])
    for name in KINDS[1:]
    if not re.search(r"math\.(?!sqrt)|maximum|minimum", PRIMITIVES[name].forms["scalar"])
}


class Runner:
    """Base class of what runs levels.

    Parameters
    ----------
    levels : Levels
        The schedule.
    """

    def __init__(self, levels: Levels) -> None:
        self.levels = levels
        self.v: Array = levels.start.copy()

    def run(self, given: Data, values: Sequence[float], results: Array) -> list[float]:
        """Return the elements `results` of the vector, computed from `values` at the elements `given`.

        Raises `NotReplayable` where an operation on floats would raise an error.
        """
        self.v[given] = values
        self.compute()
        found: list[float] = self.v.take(results).tolist()
        return found

    def compute(self) -> None:
        """Compute all segments from the values at the start of `v`."""
        raise NotImplementedError


class NumbaRunner(Runner):
    """Runs levels by the interpreter, as machine code."""

    def __init__(self, levels: Levels, interpret: Callable[..., bool] | None = None) -> None:
        super().__init__(levels)
        self._interpret = interpret or interpreter()
        plan = np.array(levels.segments, np.int64).reshape(-1, 6)
        # Unsigned indices need no check for negative ones.
        self._arrays = (self.v, plan, *[x.astype(np.uint32) for x in (levels.a, levels.b, levels.c)])
        self._stops = [*np.flatnonzero(plan[:, 0] >= len(KINDS)).tolist(), len(plan)]

    def compute(self) -> None:
        """Run the interpreter, and call Python for the operations that it does not have."""
        first = 0
        for stop in self._stops:
            if first < stop and not self._interpret(*self._arrays, first, stop):
                raise NotReplayable
            if stop < len(self.levels.segments):
                call_foreign(self.levels, self.levels.segments[stop], self.v)
            first = stop + 1


class NumpyRunner(Runner):
    """Runs levels by a few calls of NumPy for each segment."""

    def __init__(self, levels: Levels) -> None:
        super().__init__(levels)
        widest = max((s.lanes * s.length for s in levels.segments), default=0)
        self._scratch = [np.empty(widest) for _ in range(3)]
        self._work = [self._call(levels, segment) for segment in levels.segments]

    def compute(self) -> None:
        """Run the segments in order."""
        with np.errstate(all="ignore"):  # the segments check their results
            for work in self._work:
                work()

    def _call(self, levels: Levels, segment: Segment) -> Callable[[], None]:
        """Return the function that computes a segment."""
        kind, _, lanes, length, start, out = segment
        count = lanes * length
        places = [column[start : start + count] for column in (levels.a, levels.b, levels.c)]
        into = self.v[out : out + lanes]
        if kind == CHAIN:
            plain = bool((places[1] == levels.outside + ONE).all())
            return partial(self._chain, *places[: 1 if plain else 2], into=into, shape=(length, lanes))
        if kind >= len(KINDS):
            return partial(call_foreign, levels, segment, self.v)
        name = KINDS[kind]
        op = PRIMITIVES[name]
        if name == "relu":
            return partial(self._relu, places[0], into)
        arity = len(op.rules)
        if name in EXACT:
            return partial(self._exact, EXACT[name], places[:arity], into, may_fail(op))
        return partial(_each, op.forward, self.v, places[:arity], into)

    def _taken(self, at: Array, i: int) -> Array:
        # With mode "raise", np.take would work on a copy of `out`.
        return np.take(self.v, at, out=self._scratch[i][: len(at)], mode="clip")

    def _chain(self, a: Array, b: Array | None = None, *, into: Array, shape: tuple[int, int]) -> None:
        terms = self._taken(a, 0)
        length, lanes = shape
        if b is not None:
            factors = self._taken(b, 1)
            if length == 1:
                np.multiply(terms, factors, out=into)
                return
            np.multiply(terms, factors, out=terms)
        if lanes == 1:  # NumPy would sum a single row pairwise, in another order
            into[0] = np.add.accumulate(terms, out=terms)[-1]
        else:
            np.add.reduce(terms.reshape(shape), axis=0, out=into, initial=-0.0)

    def _relu(self, a: Array, into: Array) -> None:
        x = self._taken(a, 0)
        into[:] = x  # max(x, 0.0) keeps a -0.0, which np.maximum may not
        into[x < 0.0] = 0.0

    def _exact(self, function: Function, places: list[Array], into: Array, may_fail: bool) -> None:
        into[:] = function(*[self._taken(at, i) for i, at in enumerate(places)])
        if may_fail and not np.isfinite(into).all():
            raise NotReplayable


def _each(function: Function, v: Array, places: list[Array], into: Array) -> None:
    """Compute an operation float by float, with the same bits and errors as the eager one."""
    try:
        into[:] = list(map(function, *[v[at].tolist() for at in places]))
    except (ValueError, ArithmeticError):
        raise NotReplayable from None


def call_foreign(levels: Levels, segment: Segment, v: Array) -> None:
    """Compute a segment of an operation that is not one of `KINDS`."""
    kind, _, lanes, _, start, out = segment
    function, params, arity, _ = levels.foreign[kind - len(KINDS)]
    places = [column[start : start + lanes] for column in (levels.a, levels.b, levels.c)]
    _each(partial(function, **params) if params else function, v, places[:arity], v[out : out + lanes])
