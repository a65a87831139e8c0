"""Run programs by the native interpreter, once or many times in one call.

`Machine.run` is called as that of `NumpyText` is.  A program whose results replace some of its inputs can also run in
memory of others: `place` their arrays, `set` the other inputs, and `execute`.  `Machine.execute_many` repeats that with
data sets and schedules that stay inside: the counterpart of ``jax.lax.scan``.
"""

import functools
import itertools
import struct
from collections.abc import Callable, Sequence
from operator import setitem
from typing import Any

import numpy as np

from autograd.recording import NotReplayable
from autograd.tape.levels import Levels
from autograd.tape.program import Program, address, aligned
from autograd.typing import Array, Data

from .arrays import ShapedArray
from .instructions import Instruction, Operand, encoded, kernel
from .kernels import interpret
from .lowering import Call, Layout, Lowered

LARGE = 1 << 15  # bytes of an argument from which passing its address is faster than copying it
FRAME = 8  # words, see `kernels.interpret`


class Machine:
    """A program for the native interpreter.

    Parameters
    ----------
    program : Program or Levels
        The program.

    Attributes
    ----------
    lowered : Lowered
        Its instructions.
    calls : list of Call
        The steps that NumPy computes, between instructions.
    setters : dict of int to callable
        For each input array a function that sets it.
    write_floats : list of callable
        Two functions that set the floats among the inputs: those that results replace, and the others.
    floats : callable
        Returns the floats that replace inputs.
    """

    def __init__(self, program: Program | Levels) -> None:
        self.lowered: Lowered = (lowered := Lowered(program))
        self.calls: list[Call] = [item for item in lowered.order if isinstance(item, Call)]
        code, inputs = lowered.code, lowered.inputs
        self._layout = layout = Layout(lowered)
        self._arena: Array = aligned(layout.size, np.dtype(np.uint8))
        self._placed: dict[int, Array] = {}  # buffers in memory of others
        self._places: Array = np.zeros(len(code.sizes) + 1 + len(inputs), np.int64)
        for buffer, offset in layout.offsets.items():
            self._places[buffer] = address(self._arena) + offset
        for buffer, data in code.constants.items():
            np.ndarray(data.shape, data.dtype, self._arena, layout.offsets[buffer])[...] = data
        self.write_floats: list[Any] = [self._struct("pack_into", numbers) for numbers in lowered.floats]
        self.floats: Callable[[], tuple[float, ...]] = self._struct("unpack_from", lowered.floats[0])
        # Buffers that are in the arena unless they are placed elsewhere.
        self._own = {b for call in self.calls for b in call.buffers()} | code.constants.keys() | lowered.replaced
        arrays = set(range(len(inputs))).difference(*lowered.floats)
        self.setters: dict[int, Any] = {i: self._setter(self._view(inputs[i]), inputs[i].buffer) for i in arrays}
        self._frames: list[Array] = []
        self._segments = self._segmented(lowered.order)
        self._gathering: tuple[list[int | Call], Array] | None = None
        self._read = [
            getattr(self._view(x), "item" if x.weak else "copy") if isinstance(x, ShapedArray) else lambda x=x: x
            for x in lowered.results
        ]

    def _struct(self, method: str, numbers: Sequence[int]) -> Callable[..., Any]:
        """Return what writes or reads the floats among the inputs that are in one buffer."""
        offset = self._layout.offsets[self.lowered.inputs[numbers[0]].buffer] if numbers else 0
        return functools.partial(getattr(struct.Struct(f"{len(numbers)}d"), method), self._arena.data, offset)

    def _view(self, x: ShapedArray) -> Array:
        """Return an array in the memory of the program."""
        if not x.size:
            return np.empty(x.shape, x.dtype)
        place = x.operand()
        whole, start = self._placed.get(place.buffer), 0
        if whole is None:
            whole, start = self._arena, self._layout.offsets[place.buffer]
        return np.ndarray(x.shape, x.dtype, whole, start + place.offset, x.memory.strides)

    def _segmented(self, order: Sequence[Instruction | Call]) -> list[int | Call]:
        """Return the addresses of the frames of consecutive instructions, and the calls between them."""
        segments: list[int | Call] = []
        for is_call, group in itertools.groupby(order, lambda item: isinstance(item, Call)):
            items: list[Any] = list(group)
            segments += items if is_call else [self._frame(items)]
        return segments

    def _frame(self, items: Sequence[Instruction]) -> int:
        """Return the address of a frame for one run of instructions."""
        words = [word for item in items for word in encoded(item)]
        start = FRAME + max([len(item.operands) for item in items], default=0)
        frame = np.array([0] * start + words, np.int64)
        begin = address(frame)
        frame[:4] = begin + 8 * start, begin + frame.nbytes, address(self._places), 1
        self._frames.append(frame)
        return begin

    # ------------------------------------------------------------------------------------------ one run

    def run(self, *data: Data) -> list[Data]:
        """Return the results for the data of the inputs and of the variables from outside.

        Raises `NotReplayable` where an operation on floats would raise an error, or an index is out of range.
        """
        self.set(data)
        self.execute()
        found = self.results()
        return found[0].tolist() if self.lowered.in_one_vector else found

    def place(self, number: int, array: Array) -> None:
        """Use the memory of an array, which is C-contiguous, for an input and for the result that replaces it."""
        buffer = self.lowered.inputs[number].buffer
        if self._placed.get(buffer) is not array:
            self._placed[buffer] = array
            self._places[buffer] = address(array)

    def set(self, data: Sequence[Any]) -> None:
        """Set the inputs; None keeps one, such as an array that was placed."""
        for write, numbers in zip(self.write_floats, self.lowered.floats, strict=True):
            write(*(data if len(numbers) == len(data) else [data[i] for i in numbers]))
        for i, write in self.setters.items():
            if data[i] is not None:
                write(data[i])

    def _setter(self, view: Array, buffer: int) -> Callable[[Array], None]:
        """Return the function that copies an array into a view, or uses it in place if it is large."""
        if view.nbytes < LARGE or buffer in self._own:
            return functools.partial(setitem, view, ...)

        def use(x: Array) -> None:
            in_place = x.flags.c_contiguous and x.flags.aligned
            self._places[buffer] = address(x) if in_place else self._in_arena(buffer)
            if not in_place:
                view[...] = x

        return use

    def _in_arena(self, buffer: int) -> int:
        return address(self._arena) + self._layout.offsets[buffer]

    def execute(self, segments: Sequence[int | Call] | None = None) -> None:
        """Run all instructions and calls once."""
        for segment in self._segments if segments is None else segments:
            if type(segment) is Call:
                self._call(segment)
            elif interpret(segment) != 1:
                raise NotReplayable

    def results(self, count: int | None = None) -> list[Data]:
        """Return the results of the last run, or the first of them."""
        return [read() for read in self._read[:count]]

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

    def execute_many(
        self, sets: Sequence[Array], first: int, rows: Array, floats: Array | None
    ) -> tuple[Array, BaseException | None]:
        """Run a program several times in one call, after `set`.

        Parameters
        ----------
        sets : sequence of ndarray
            Data sets, of which rows are inputs.
        first : int
            The first of these inputs.
        rows : ndarray of int
            The rows in each run, of shape (times, batch).
        floats : ndarray or None
            The floats that results do not replace, in each run, of shape (times, number of floats); None: always those
            that were set.

        Returns
        -------
        losses : ndarray
            The first result of each run before one that would have raised an error, along the first axis.
        error : BaseException or None
            What stopped the runs.
        """
        lowered, times, end = self.lowered, len(rows), len(self.lowered.code.sizes)
        losses = np.empty((times, *lowered.results[0].shape), lowered.results[0].dtype)
        advancing = {end: _checked_rows(rows, min(map(len, sets))), lowered.results[0].buffer: losses}
        if floats is not None and lowered.floats[1]:
            advancing[lowered.inputs[lowered.floats[1][0]].buffer] = np.ascontiguousarray(floats)
        if not self._own.isdisjoint(advancing):
            return losses[:0], None
        kept = [np.ascontiguousarray(x, like.dtype) for x, like in zip(sets, lowered.inputs[first:], strict=False)]
        changes = np.array([(place, x.nbytes // max(1, times)) for place, x in advancing.items()], np.int64)
        self._gathering = self._gathering or self._after_gathering(first, len(sets))
        segments, last = self._gathering
        last[3:6] = times if len(segments) == 1 else 1, len(advancing), address(changes)
        before = self._places.copy()
        for i, x in enumerate(kept):
            buffer = lowered.inputs[first + i].buffer
            self._places[[end + 1 + i, buffer]] = address(x), self._in_arena(buffer)
        for place, x in advancing.items():
            self._places[place] = address(x)
        done, error = self._times(segments, times)
        self._places[:] = before
        return losses[:done], error

    def _times(self, segments: Sequence[int | Call], times: int) -> tuple[int, BaseException | None]:
        """Run segments several times; return how many times without an error, and the error."""
        if len(segments) == 1:
            done = interpret(segments[0])
            return done, None if done == times else NotReplayable()
        for done in range(times):
            try:
                self.execute(segments)
            except BaseException as error:  # the steps before it count
                return done, error
        return times, None

    def _after_gathering(self, first: int, count: int) -> tuple[list[int | Call], Array]:
        """Return segments that gather rows before they run the program, and the frame of the last one."""
        end, items = len(self.lowered.code.sizes), list[Any]()
        for k, x in enumerate(self.lowered.inputs[first : first + count]):
            operands = (Operand(end + 1 + k, 0), Operand(end, 0), x.operand())
            loop = kernel("gather", x.memory.nbytes // 4 // max(1, len(x)))
            items.append(Instruction(loop, operands, x.shape[:1], (0, 0, 0), (1, 1), False))
        segments = self._segmented(items + self.lowered.order)
        if type(segments[-1]) is Call:
            segments.append(self._frame([]))
        return segments, self._frames[-1]


def _checked_rows(rows: Array, count: int) -> Array:
    """Return row numbers that are not negative."""
    rows = np.ascontiguousarray(rows, np.int64)
    low, high = (rows.min(), rows.max()) if rows.size else (0, 0)
    if low < -count or high >= count:
        raise IndexError(f"rows expected numbers below {count}, got {low} to {high}")
    return np.where(rows < 0, rows + count, rows) if low < 0 else rows
