"""Run programs by the native interpreter, once or many times in one call.

`Machine` has the methods of `NumpyText`, ``run(*data)`` and ``run_into(targets, *data)``, which take the data of the
inputs and then of the variables from outside.  `Machine.run_many` repeats a program with data sets, schedules and
states that stay inside: the counterpart of ``jax.lax.scan``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from autograd.recording import NotReplayable
from autograd.tape.levels import Levels
from autograd.tape.memory import HELD_ONCE, OutputPool, aligned
from autograd.tape.program import Program
from autograd.typing import Array, Data

from .arrays import ShapedArray
from .instructions import GATHER, Instruction, Operand, Run, encoded
from .kernels import interpret
from .lowering import LINE, Call, Layout, Lowered, LoweredLevels, LoweredProgram

LARGE = 1 << 15  # bytes of an array from which passing its address is faster than copying it


class Result(NamedTuple):
    """A view of a result, or a constant; the place of its address, or -1; and arrays into which it can be written."""

    view: Any
    place: int
    is_float: bool
    arrays: list[Array]

    def read(self) -> Data:
        """Return the result of the last run, if it was written to its own memory."""
        return self.view.item() if self.is_float else self.view.copy() if type(self.view) is np.ndarray else self.view

    def renewed(self) -> Array:
        """Return an array for the result, to which there is no other reference."""
        counts = list(map(getrefcount, self.arrays))
        if HELD_ONCE in counts:
            return self.arrays[counts.index(HELD_ONCE)]
        self.arrays[:] = [*self.arrays[-1:], np.empty(self.view.shape, self.view.dtype)]
        return self.arrays[-1]


class Machine:
    """A program for the native interpreter.

    Parameters
    ----------
    program : Program
        The program.

    Attributes
    ----------
    lowered : Lowered
        Its instructions.
    calls : list of Call
        The steps that NumPy computes, between instructions.
    """

    _pooled: list[int]
    _pool: Callable[[], list[Array]]

    def __init__(self, program: Program) -> None:
        self._load(LoweredProgram(program))
        for i, r in enumerate(self._results[program.outputs :], program.outputs):
            if r.place >= 0 and (not self._pooled or r.view.dtype == self._results[self._pooled[0]].view.dtype):
                self._pooled.append(i)
        self._pool = OutputPool([self._results[i].view for i in self._pooled]) if self._pooled else list

    def _load(self, lowered: Lowered) -> None:
        """Allocate memory and write the tables of instructions."""
        self.lowered = lowered
        self.calls: list[Call] = [item for item in lowered.order if isinstance(item, Call)]
        code, results = lowered.code, [x for x in lowered.results if isinstance(x, ShapedArray)]
        self._layout = Layout(lowered, {x.buffer for x in (*lowered.inputs, *results)} | code.constants.keys())
        self._arena = aligned(self._layout.size, np.dtype(np.uint8))
        places = np.zeros(len(code.sizes) + 1 + len(lowered.inputs), np.int64)
        for buffer, offset in self._layout.offsets.items():
            places[buffer] = self._arena.ctypes.data + offset
        for buffer, data in code.constants.items():
            np.ndarray(data.shape, data.dtype, self._arena, self._layout.offsets[buffer])[...] = data
        scratch = np.zeros(16, np.int64)
        self._places, self._own, self._tables = places, places.tolist(), [scratch]
        self._state = places.ctypes.data, scratch.ctypes.data
        seen = {x.buffer for call in self.calls for x in (*call.values, call.result) if isinstance(x, ShapedArray)}
        self._inputs = [self._view(x) for x in lowered.inputs]
        self._results = [self._result(x, seen) for x in lowered.results]
        self._large = [i for i, r in enumerate(self._results) if r.place >= 0 and r.view.nbytes >= LARGE]
        # The memory of consecutive floats is consecutive, too, so that one call writes them.
        weak = [i for i, x in enumerate(lowered.inputs) if x.weak]
        weak = weak if weak and weak[-1] - weak[0] < len(weak) else []
        self._floats = slice(weak[0], weak[-1] + 1) if weak else slice(0)
        self._pack = struct.Struct(f"d{LINE - 8}x" * len(weak)).pack_into
        self._first_float = self._layout.offsets[lowered.inputs[weak[0]].buffer] if weak else 0
        self._others: list[tuple[int, Array, int]] = []  # of the other inputs; the place of an address, or -1: copied
        for i, (x, view) in enumerate(zip(lowered.inputs, self._inputs, strict=True)):
            if i not in weak:
                is_copied = view.nbytes < LARGE or x.buffer in seen or x.buffer in code.constants
                self._others.append((i, view, -1 if is_copied else x.buffer))
        self._segments = self._segmented(lowered.order)
        self._interpret: Any = interpret
        self._pooled = []  # gradients, which are written into one common array
        self._pool = list
        self._gathering: dict[tuple[int, ...], tuple[int, int]] = {}

    def _view(self, x: ShapedArray) -> Array:
        """Return an array in the memory of the program."""
        if not x.size:
            return np.empty(x.shape, x.dtype)
        offset = self._layout.offsets[x.buffer] + x.operand().offset
        return np.ndarray(x.shape, x.dtype, self._arena, offset, x.memory.strides)

    def _result(self, x: Any, seen: set[int]) -> Result:
        if not isinstance(x, ShapedArray):
            return Result(x, -1, False, [])
        return Result(self._view(x), -1 if x.buffer in seen else x.buffer, x.weak, [])

    def _segmented(self, order: Sequence[Instruction | Run | Call]) -> list[tuple[int, int] | Call]:
        """Return the addresses of consecutive instructions, and the calls between them."""
        segments: list[tuple[int, int] | Call] = []
        native: list[Instruction | Run] = []
        for item in (*order, None):
            if item is not None and not isinstance(item, Call):
                native.append(item)
                continue
            if native:
                segments.append(self._table(native))
                native = []
            if item is not None:
                segments.append(item)
        return segments

    def _table(self, items: Sequence[Instruction | Run]) -> tuple[int, int]:
        """Return the first and the last address of a table of instructions, which contain their own address."""
        table = np.zeros(sum([len(encoded(item, set(), 0)) for item in items]), np.int64)
        words: list[int] = []
        for item in items:
            words += encoded(item, self._layout.local, table.ctypes.data + 8 * len(words))
        table[:] = words
        self._tables.append(table)
        return table.ctypes.data, table.ctypes.data + table.nbytes

    # ------------------------------------------------------------------------------------------ one run

    def run(self, *data: Data) -> list[Data]:
        """Return the results for the data of the inputs and of the variables from outside.

        Raises `NotReplayable` where an operation on floats would raise an error, or an index is out of range.
        """
        results = self._results
        fresh = dict(zip(self._pooled, self._pool(), strict=True))
        direct = {i: fresh[i] if i in fresh else results[i].renewed() for i in self._large}
        self._run(data, direct)
        for i in fresh.keys() - direct.keys():
            fresh[i][...] = results[i].view
        fresh |= direct
        return [fresh[i] if i in fresh else r.read() for i, r in enumerate(results)]

    def run_into(self, targets: Sequence[Array], *data: Data) -> list[Data]:
        """Write the last results into contiguous arrays, and return the others."""
        results = self._results
        count = len(results) - len(targets)
        given = {i: (targets[i - count], results[i].view) for i in self._large if i >= count}
        direct = {i: x for i, (x, own) in given.items() if x.dtype == own.dtype and x.shape == own.shape}
        self._run(data, direct)
        for i, x in enumerate(targets, count):
            if i not in direct:
                x[...] = results[i].view
        return [r.read() for r in results[:count]]

    def _run(self, data: Sequence[Data | None], targets: Mapping[int, Array]) -> None:
        """Run the program, and write some results into the given arrays."""
        self._set(data)
        moved = [self._results[i].place for i in targets]
        for place, target in zip(moved, targets.values(), strict=True):
            self._places[place] = target.__array_interface__["data"][0]
        try:
            for segment in self._segments:
                if type(segment) is Call:
                    self._call(segment)
                elif self._interpret(*segment, *self._state, 1, 0, 0, 0) != 1:
                    raise NotReplayable
        finally:
            for place in moved:
                self._places[place] = self._own[place]

    def _set(self, data: Sequence[Data | None]) -> None:
        """Set the inputs, by address if they are large."""
        self._pack(self._arena.data, self._first_float, *data[self._floats])
        for i, view, place in self._others:
            x: Any = data[i]
            by_address = place >= 0 and x is not None and x.flags.c_contiguous and x.flags.aligned
            if place >= 0:
                self._places[place] = x.__array_interface__["data"][0] if by_address else self._own[place]
            if not by_address and x is not None:
                view[...] = x

    def _call(self, call: Call) -> None:
        """Compute a step by NumPy."""
        values = [
            x if not isinstance(x, ShapedArray) else self._view(x).item() if x.weak else self._view(x).copy()
            for x in call.values
        ]
        found = call.op.forward(*values, **call.params)
        if call.result is not None:
            view = self._view(call.result)
            if np.shape(found) != view.shape or np.result_type(found) != view.dtype:
                raise NotReplayable(f"the recorded result had shape {view.shape}, this one has {np.shape(found)}")
            view[...] = found

    # ------------------------------------------------------------------------------------------ many runs

    def run_many(
        self,
        data: Sequence[Data | None],
        times: int,
        *,
        rows: Array | None = None,
        gathered: Mapping[int, Array] | None = None,
        varying: Mapping[int, Array] | None = None,
        carried: Mapping[int, int] | None = None,
        collected: Sequence[int] = (),
    ) -> tuple[int, list[Data]]:
        """Run a program without calls of NumPy several times in one call.

        Parameters
        ----------
        data : sequence of float, ndarray or None
            The data of the inputs and of the variables from outside; None for those in `gathered` and `varying`.
        times : int
            The number of runs.
        rows : ndarray of int, optional
            The rows of the data sets in each run, of shape (times, batch).
        gathered : mapping of int to ndarray, optional
            For the number of an input, the data set whose rows are the input.
        varying : mapping of int to ndarray, optional
            For the number of an input, its data in each run, along the first axis.
        carried : mapping of int to int, optional
            For the number of an input, the index of the result that replaces it in the next run.
        collected : sequence of int, optional
            The indices of results, such as the loss, that are returned for every run, along a new first axis.

        Returns
        -------
        done : int
            The number of runs, smaller than `times` where one would have raised an error.
        results : list of float or ndarray
            The results of the last run, or of every run if `collected`.
        """
        gathered, varying, carried = gathered or {}, varying or {}, carried or {}
        places, end = self._places, len(self.lowered.code.sizes)
        inputs = [x.buffer for x in self.lowered.inputs]
        missing = [0.0 if x.weak else None for x in self.lowered.inputs]
        self._set([missing[i] if x is None or i in carried else x for i, x in enumerate(data)])
        for i in carried:
            self._inputs[i][...] = data[i]
        columns = {inputs[i]: np.ascontiguousarray(x, self._inputs[i].dtype) for i, x in varying.items()}
        outputs = {r: np.empty((times, *self._results[r].view.shape), self._results[r].view.dtype) for r in collected}
        columns |= {self._results[r].place: x for r, x in outputs.items()}
        segment = self._segments[0] if self._segments else (0, 0)
        if gathered:
            assert rows is not None
            sets = [np.ascontiguousarray(x, self._inputs[i].dtype) for i, x in gathered.items()]
            columns[end] = _checked_rows(rows, min(map(len, sets)))
            places[end + 1 : end + 1 + len(sets)] = [x.ctypes.data for x in sets]
            segment = self._after_gathering(tuple(gathered), rows.shape[1])
        for place, x in columns.items():
            places[place] = x.ctypes.data
        pairs = [(place, x.nbytes // max(1, times)) for place, x in columns.items()]
        swapped = [(inputs[i], self._results[r].place) for i, r in carried.items()]
        changes = np.array([*pairs, *swapped], np.int64)
        try:
            done = self._interpret(*segment, *self._state, times, changes.ctypes.data, len(pairs), len(swapped))
        finally:
            places[:] = self._own
        results: list[Any] = [outputs[i][:done] if i in outputs else r.read() for i, r in enumerate(self._results)]
        for i, r in carried.items():  # after an odd number of exchanges in the memory of the result
            results[r] = (self._results[r].view if done % 2 else self._inputs[i]).copy()
        return done, results

    def _after_gathering(self, inputs: tuple[int, ...], batch: int) -> tuple[int, int]:
        """Return the addresses of instructions that gather rows, followed by those of the program."""
        end = len(self.lowered.code.sizes)
        if inputs not in self._gathering:
            items: list[Any] = []
            for k, i in enumerate(inputs):
                into = self._inputs[i]
                operands = (Operand(end + 1 + k, 0), Operand(end, 0), Operand(self.lowered.inputs[i].buffer, 0))
                loop = GATHER[into.itemsize], into.size // max(1, batch)
                items.append(Instruction(loop, operands, (batch,), (0, 0, 0), (1, 1), False))
            self._gathering[inputs] = self._table(items + self.lowered.order)
        return self._gathering[inputs]


class FloatMachine(Machine):
    """A program of floats by levels, for the native interpreter."""

    def __init__(self, levels: Levels) -> None:
        self._load(LoweredLevels(levels))

    def run(self, *data: Data) -> list[Data]:
        """Return the results for the values of the inputs and of the variables from outside."""
        (found,) = super().run(np.array(data))
        return found.tolist()  # type: ignore[no-any-return]


def _checked_rows(rows: Array, count: int) -> Array:
    """Return row numbers that are not negative."""
    rows = np.asarray(rows, np.int64)
    if rows.size and not (rows.min() >= -count and rows.max() < count):
        raise IndexError(f"rows expected numbers below {count}, got {rows.min()} to {rows.max()}")
    return np.ascontiguousarray(np.where(rows < 0, rows + count, rows))
