"""Run programs by the native interpreter, once or many times in one call.

`Machine.run` is called as that of `NumpyText` is.  `Machine.run_many` repeats a program with data sets, schedules and
states that stay inside: the counterpart of ``jax.lax.scan``.
"""

import struct
from collections.abc import Callable, Sequence
from operator import methodcaller
from typing import Any, NamedTuple

import numpy as np

from autograd.recording import NotReplayable
from autograd.tape.levels import Levels
from autograd.tape.memory import Arrays, OutputPool, address, aligned, flat
from autograd.tape.program import Program
from autograd.typing import Array, Data, DType

from .arrays import ShapedArray
from .instructions import GATHER, Instruction, Operand, Run, encoded
from .kernels import interpret
from .lowering import Call, Layout, Lowered, LoweredLevels, LoweredProgram

LARGE = 1 << 15  # bytes of an argument from which passing its address is faster than copying it
MOST_FRAMES = 4  # vectors of parameters and their gradients alternate between two


class Frame(NamedTuple):
    """Addresses of buffers, of which some are in arrays that are the first inputs, and in targets: last results.

    Attributes
    ----------
    given, targets : sequence of ndarray or list of ndarray
        The arrays.
    places : ndarray
        The address of each buffer.
    state : (int, int)
        The address of `places`, and of memory for the interpreter.
    before, after : list of (int, ndarray)
        For arrays that are not used in place, their index and the view that is copied from them or into them.
    floats : list of int
        Which of the other inputs are floats.
    others : list of tuple
        The remaining inputs: index, view, and the place of their address, or -1 if they are copied.
    """

    given: Sequence[Arrays]
    targets: Sequence[Arrays]
    places: Array
    state: tuple[int, int]
    before: list[tuple[int, Array]]
    after: list[tuple[int, Array]]
    floats: list[int]
    others: list[tuple[int, Array, int]]


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

    def __init__(self, program: Program) -> None:
        self._load(LoweredProgram(program), program.outputs)

    def _load(self, lowered: Lowered, outputs: int) -> None:
        """Allocate memory and write the tables of instructions."""
        self.lowered = lowered
        self.calls: list[Call] = [item for item in lowered.order if isinstance(item, Call)]
        code, results = lowered.code, [x for x in lowered.results if isinstance(x, ShapedArray)]
        layout = Layout(lowered, {x.buffer for x in (*lowered.inputs, *results)} | code.constants.keys())
        self._arena: Array = aligned(layout.size, np.dtype(np.uint8))
        self._memory = self._arena.data
        self._layout = layout
        self._own: Array = np.zeros(len(code.sizes) + 1 + len(lowered.inputs), np.int64)  # addresses in the arena
        for buffer, offset in layout.offsets.items():
            self._own[buffer] = address(self._arena) + offset
        for buffer, data in code.constants.items():
            np.ndarray(data.shape, data.dtype, self._arena, layout.offsets[buffer])[...] = data
        self._copied = {
            b for call in self.calls for b in call.buffers()
        } | code.constants.keys()  # buffers that are always in the arena
        self._places: list[Any] = [*lowered.inputs, *lowered.results]
        self._views = [self._view(x) if isinstance(x, ShapedArray) else x for x in self._places]
        self._pack = struct.Struct(f"{len(lowered.floats)}d").pack_into
        self._first_float = layout.offsets[lowered.inputs[lowered.floats[0]].buffer] if lowered.floats else 0
        self._scratch = np.zeros(16, np.int64)
        self._tables: list[Array] = []
        self._segments = self._segmented(lowered.order)
        self._interpret: Any = interpret
        self._gathering: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._frames: dict[tuple[int, ...], Frame] = {}
        by_dtype: dict[DType, list[int]] = {}  # results that are written into arrays of their own
        for i, x in enumerate(lowered.results[outputs:], outputs):
            if isinstance(x, ShapedArray) and not x.weak:
                by_dtype.setdefault(x.dtype, []).append(i)
        self._pools = [(ids, OutputPool([lowered.results[i] for i in ids])) for ids in by_dtype.values()]
        self._pooled: list[int] = [i for ids in by_dtype.values() for i in ids]
        self._read = [i for i in range(len(lowered.results)) if i not in self._pooled]
        views = self._views[len(lowered.inputs) :]
        self._kept = [(views[i], _reader(lowered.results[i])) for i in self._read]

    def _view(self, x: ShapedArray) -> Array:
        """Return an array in the memory of the program."""
        if not x.size:
            return np.empty(x.shape, x.dtype)
        place = x.operand()
        offset = self._layout.offsets[place.buffer] + place.offset
        return np.ndarray(x.shape, x.dtype, self._arena, offset, x.memory.strides)

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
        lent = [pool() for _, pool in self._pools]
        found = dict(zip(self._read, self.run_frame(self.frame((), lent, self._pooled), data), strict=True))
        found.update(zip(self._pooled, flat(lent), strict=True))
        return [found[i] for i in range(len(found))]

    def frame(self, given: Sequence[Arrays], targets: Sequence[Arrays], numbers: Sequence[int]) -> Frame:
        """Return the frame of some arrays, which is made when they are new.

        Parameters
        ----------
        given : sequence of ndarray or list of ndarray
            The first inputs.
        targets : sequence of ndarray or list of ndarray
            Arrays for some results.
        numbers : sequence of int
            The indices of these results.
        """
        key = (*map(id, given), *map(id, targets))
        if key not in self._frames:
            if len(self._frames) >= MOST_FRAMES:
                self._frames.clear()
            self._frames[key] = self._new_frame(given, targets, numbers)
        return self._frames[key]

    def _new_frame(self, given: Sequence[Arrays], targets: Sequence[Arrays], numbers: Sequence[int]) -> Frame:
        inputs, first, places = self.lowered.inputs, flat(given), self._own.copy()
        before: list[tuple[int, Array]] = []
        after: list[tuple[int, Array]] = []
        pairs = [(x, i, i, before) for i, x in enumerate(first)]
        pairs += [(x, len(inputs) + r, i, after) for i, (x, r) in enumerate(zip(flat(targets), numbers, strict=True))]
        for x, number, i, copied in pairs:
            place, view = self._places[number], self._views[number]
            is_copied = not isinstance(place, ShapedArray) or place.buffer in self._copied
            if is_copied or (x.dtype, x.shape) != (view.dtype, view.shape) or not x.flags.c_contiguous:
                copied.append((i, view))
            else:
                places[place.buffer] = address(x)
        others = []
        for i in sorted(set(range(len(first), len(inputs))).difference(self.lowered.floats)):
            view, buffer = self._views[i], inputs[i].buffer
            others.append((i - len(first), view, -1 if view.nbytes < LARGE or buffer in self._copied else buffer))
        floats = [i - len(first) for i in self.lowered.floats]
        state = places.ctypes.data, self._scratch.ctypes.data
        return Frame(list(given), list(targets), places, state, before, after, floats, others)

    def run_frame(self, frame: Frame, data: Sequence[Any]) -> list[Data]:
        """Run the program for the inputs behind those of the frame, and return the results without targets."""
        self._pack(self._memory, self._first_float, *[data[i] for i in frame.floats])
        for i, view, place in frame.others:
            x = data[i]
            by_address = place >= 0 and x.flags.c_contiguous and x.flags.aligned
            if place >= 0:
                frame.places[place] = address(x) if by_address else self._own[place]
            if not by_address:
                view[...] = x
        for i, view in frame.before:
            view[...] = flat(frame.given)[i]
        for segment in self._segments:
            if type(segment) is Call:
                self._call(segment)
            elif self._interpret(*segment, *frame.state, 1, 0, 0, 0) != 1:
                raise NotReplayable
        for i, view in frame.after:
            flat(frame.targets)[i][...] = view
        return [read(view) for view, read in self._kept]

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
        given: Sequence[Array],
        targets: Sequence[Array],
        sets: Sequence[Array],
        rows: Array,
        floats: Array,
        leaves: Sequence[Data],
    ) -> tuple[int, Array]:
        """Run a program without calls of NumPy several times in one call.

        Parameters
        ----------
        given, targets : sequence of ndarray
            The first inputs, and arrays for the last results, which replace them in the next run.
        sets : sequence of ndarray
            Data sets, of which rows are the next inputs.
        rows : ndarray of int
            The rows in each run, of shape (times, batch).
        floats : ndarray
            The floats among the inputs in each run, of shape (times, number of floats).
        leaves : sequence of float or ndarray
            The variables from outside; floats among them are also in `floats`.

        Returns
        -------
        done : int
            The number of runs, smaller than `len(rows)` where one would have raised an error.
        losses : ndarray
            The first result of each run, along the first axis.
        """
        lowered, times, end = self.lowered, len(rows), len(self.lowered.code.sizes)
        inputs, first = lowered.inputs, len(lowered.results) - len(targets)
        for x, view in zip(given, self._views, strict=False):
            view[...] = x
        for i, x in enumerate(leaves, len(inputs) - len(leaves)):
            if i not in lowered.floats:
                self._views[i][...] = x
        sets = [np.ascontiguousarray(x, view.dtype) for x, view in zip(sets, self._views[len(given) :], strict=False)]
        losses = np.empty((times, *lowered.results[0].shape), lowered.results[0].dtype)
        advancing = {end: _checked_rows(rows, min(map(len, sets))), lowered.results[0].buffer: losses}
        if lowered.floats:
            advancing[inputs[lowered.floats[0]].buffer] = np.ascontiguousarray(floats)
        exchanged = [(x.buffer, y.buffer) for x, y in zip(inputs, lowered.results[first:], strict=False)]
        places = self._own.copy()
        places[[y for _, y in exchanged]] = list(map(address, targets))
        places[list(advancing)] = list(map(address, advancing.values()))
        places[end + 1 : end + 1 + len(sets)] = list(map(address, sets))
        pairs = [(place, x.nbytes // max(1, times)) for place, x in advancing.items()]
        changes = np.array([*pairs, *exchanged], np.int64)
        segment = self._after_gathering(len(given), len(sets), rows.shape[1])
        state = places.ctypes.data, self._scratch.ctypes.data
        done = self._interpret(*segment, *state, times, changes.ctypes.data, len(pairs), len(exchanged))
        if done % 2 == 0:  # after an even number of exchanges the results are in the memory of the inputs
            for x, view in zip(targets, self._views, strict=False):
                x[...] = view
        return done, losses[:done]

    def _after_gathering(self, first: int, count: int, batch: int) -> tuple[int, int]:
        """Return the addresses of instructions that gather rows, followed by those of the program."""
        end, key = len(self.lowered.code.sizes), (first, count, batch)
        if key not in self._gathering:
            items: list[Any] = []
            for k, x in enumerate(self.lowered.inputs[first : first + count]):
                operands = (Operand(end + 1 + k, 0), Operand(end, 0), x.operand())
                loop = GATHER[x.itemsize], x.size // max(1, batch)
                items.append(Instruction(loop, operands, (batch,), (0, 0, 0), (1, 1), False))
            self._gathering[key] = self._table(items + self.lowered.order)
        return self._gathering[key]


class FloatMachine(Machine):
    """A program of floats by levels, for the native interpreter."""

    def __init__(self, levels: Levels) -> None:
        self._load(LoweredLevels(levels), 1)

    def run(self, *data: Data) -> list[Data]:
        """Return the results for the values of the inputs and of the variables from outside."""
        (found,) = super().run(np.array(data))
        return found.tolist()  # type: ignore[no-any-return]


def _reader(x: Any) -> Callable[[Any], Data]:
    """Return what reads a result from its view."""
    if not isinstance(x, ShapedArray):
        return lambda view: view
    return methodcaller("item" if x.weak else "copy")


def _checked_rows(rows: Array, count: int) -> Array:
    """Return row numbers that are not negative."""
    rows = np.ascontiguousarray(rows, np.int64)
    low, high = (rows.min(), rows.max()) if rows.size else (0, 0)
    if low < -count or high >= count:
        raise IndexError(f"rows expected numbers below {count}, got {low} to {high}")
    return np.where(rows < 0, rows + count, rows) if low < 0 else rows
