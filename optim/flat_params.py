"""Parameters that are updated together.

All parameters of a group with the same dtype and the same number of steps form one `FlatParams`: one flat vector, which
an elementwise rule processes in blocks that fit into the cache.  For a rule that depends on shapes, each parameter has
a `FlatParams` of its own.  The rules see arrays only, also of `Value`s.

A step never writes into an array that others may reference: it fills another vector and rebinds ``.data`` of each
parameter to a view of it, so a recorded graph keeps the values of its forward pass.
"""

from __future__ import annotations

import itertools
import math
import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optim.typing import Array, Data, Group, Parameter, State, StateDict

BLOCK = 32_768
"""Elements per block: the temporary arrays of a rule then stay in the second-level cache."""


def raw_gradient(gradient: Data) -> Data:
    """Return a gradient as float or array; after ``backward(create_graph=True)`` it is the ``data`` of a node."""
    if gradient is None or isinstance(gradient, (np.ndarray, np.generic, float, int)):
        return gradient
    return gradient.data


def label(parameter: Parameter, position: int) -> str:
    """Return what messages call a parameter: its name, or its position if it has none."""
    name = getattr(parameter, "name", "")
    return f"parameter {name!r}" if name else f"parameter {position}"


def check_gradient(g: Data, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError if a gradient has another shape than its parameter."""
    if np.shape(g) != shape:
        raise ValueError(f"{name} has shape {shape} but its gradient has shape {np.shape(g)}")


def plain(parameter: Parameter, state: StateDict) -> StateDict:
    """Return a parameter's state, that of a float with floats instead of 0-d arrays."""
    if isinstance(parameter.data, np.ndarray):
        return state
    return {name: v.item() if isinstance(v, np.ndarray) and v.ndim == 0 else v for name, v in state.items()}


def like(value: Data, wanted: Data) -> Data:
    """Return a copy of `value` with the type of `wanted`: a float, or an array of its dtype and layout."""
    if isinstance(wanted, np.ndarray):
        return np.array(value, dtype=wanted.dtype, order="F" if np.isfortran(wanted) else "C")
    return type(wanted)(value)


class FlatParams:
    """Parameters as one flat vector, with the optimizer's state for it.

    Parameters
    ----------
    members : sequence of parameters
        Leaves whose ``data`` are arrays of one dtype, or floats.
    places : sequence of int
        Their positions in the optimizer, for messages and for state_dict.
    t : int
        Steps taken so far.
    elementwise : bool
        The rule receives blocks of the vector; otherwise the only member in its own shape.
    """

    def __init__(self, members: Sequence[Parameter], places: Sequence[int], t: int, elementwise: bool) -> None:
        self.members: list[Parameter] = list(members)
        self.places: list[int] = list(places)
        self.t: int = t
        self.elementwise = elementwise
        self.states: list[State] = []
        self.are_floats: bool = not isinstance(self.members[0].data, np.ndarray)
        arrays = [np.asarray(p.data) for p in self.members]
        self.dtype: np.dtype[Any] = arrays[0].dtype
        self.shapes: list[tuple[int, ...]] = [a.shape for a in arrays]
        # A Fortran-ordered parameter is stored as the transpose of a C-ordered one, so a step keeps its layout.
        self.fortran: list[int] = [i for i, a in enumerate(arrays) if a.flags.f_contiguous and not a.flags.c_contiguous]
        self.current: Buffer | None = None
        self.spare: Buffer | None = None
        self.gathered: Buffer | None = None
        # The states, if their arrays may change in place, and the parts that they consist of.
        self._whole: tuple[object, Sequence[Data]] = None, ()
        ends = np.cumsum([0, *(math.prod(shape) for shape in self.shapes)]).tolist()
        self.slices: list[slice] = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.blocks: list[Any] = [slice(a, min(a + BLOCK, ends[-1])) for a in range(0, max(ends[-1], 1), BLOCK)]

    # -- the operations of a step --------------------------------------------------------------------------------

    def gather(self) -> Array:
        """Return the gradients of all members as one vector, which the next call overwrites."""
        if self.gathered is None:
            self.gathered = self.buffer()
        for i, (view, p) in enumerate(zip(self.gathered.views, self.members)):  # noqa: B905 - strict costs 0.2 us
            g = np.asarray(raw_gradient(p.grad))
            if g.shape != self.shapes[i]:
                check_gradient(g, self.shapes[i], label(p, self.places[i]))
            view[...] = g
        return self.gathered.flat

    def read(self) -> Array:
        """Return the members' values as one vector: that of the last step, unless ``.data`` was reassigned."""
        data = [p.data for p in self.members]
        if self.are_floats:
            return np.array(data, dtype=self.dtype)
        if self.current is not None and all(map(operator.is_, data, self.current.views)):
            return self.current.flat
        self.current = self.spare = None  # in-place changes of a view are tracked by its memory
        for p, a, shape, place in zip(self.members, data, self.shapes, self.places, strict=True):
            if a.shape != shape or a.dtype != self.dtype:
                raise ValueError(
                    f"{label(p, place)} was {shape} {self.dtype} when the optimizer was made and is {a.shape} "
                    f"{a.dtype} now, because its data were replaced by others of another shape or dtype: make a new "
                    "optimizer"
                )
        return np.concatenate(self.transposed(data), axis=None)

    def output(self) -> Array:
        """Return a vector for the new values that no other object references."""
        if self.spare is None or not self.spare.is_free():
            self.spare = self.buffer()
        return self.spare.flat

    def write(self) -> None:
        """Rebind every member to its part of the vector returned by `output`."""
        self.current, self.spare = self.spare, self.current
        new: Any = self.current.flat.tolist() if self.are_floats else self.current.views  # type: ignore[union-attr]
        for p, data in zip(self.members, new):  # noqa: B905
            p.data = data

    # -- steps in place: `autograd.compile` ------------------------------------------------------------------------

    def whole(self) -> list[Data]:
        """Return the vector, the parts of its state, and the number of the next step.

        The arrays of the state are copies, unless they may change in place.
        """
        states, state = self._whole
        if states is not self.states:
            columns: Any = zip(*self.states, strict=True)
            state = tuple([np.concatenate(x) if isinstance(x[0], np.ndarray) else x[0] for x in columns])
        return [self.read(), *state, self.t + 1.0]

    def own(self) -> None:
        """Copy what others may reference, so that the arrays of `whole` may change in place."""
        self.place()
        if self._whole[0] is not self.states:
            self.set_whole_state(self.whole()[1:-1])

    def place(self) -> Array:
        """Return the members' values as a vector that nothing but the members references."""
        values = self.read()
        if self.current is None or not self.current.is_free(True):
            self.output()[...] = values
            self.write()
        return self.current.flat  # type: ignore[union-attr]

    def set_whole_state(self, parts: Sequence[Data]) -> None:
        """Set the parts of the state, whose arrays may change in place."""
        self.states = [tuple([x[b] if isinstance(x, np.ndarray) else x for x in parts]) for b in self.blocks]
        self._whole = self.states, parts

    # -- layout ------------------------------------------------------------------------------------------------------

    def buffer(self) -> Buffer:
        """Return a new vector with the members' views."""
        return Buffer(self.slices[-1].stop, self.dtype, self.viewed)

    def pieces(self, flat: Array) -> list[Array]:
        """Return the parts of a vector that the rule receives one after another."""
        return [flat[block] for block in self.blocks] if self.elementwise else self.viewed(flat)

    def viewed(self, flat: Array) -> list[Array]:
        """Return the members' views of a vector."""
        return [self.shaped(i, flat[s]) for i, s in enumerate(self.slices)]

    def joined(self, arrays: Sequence[Array]) -> Array:
        """Return arrays of the members' shapes as one vector; they may be nodes that record the operations."""
        parts = [a if a.dtype == self.dtype else a.astype(self.dtype) for a in self.transposed(arrays)]
        parts = [a if a.ndim == 1 else a.reshape(-1) for a in parts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def shaped(self, i: int, flat: Array) -> Array:
        """Return flat values in the shape of member i."""
        shape = self.shapes[i]
        if len(shape) == 1:
            return flat
        return flat.reshape(shape[::-1]).T if i in self.fortran else flat.reshape(shape)

    def transposed(self, arrays: Sequence[Array]) -> list[Array]:
        """Return the members' arrays in the order in which the flat vector stores them."""
        return [a.T if i in self.fortran else a for i, a in enumerate(arrays)] if self.fortran else list(arrays)

    # -- the state of single members: for state_dict, for `trace`, and when step counts differ -----------------------

    def split(self, chosen: Sequence[bool], names: Sequence[str]) -> list[FlatParams]:
        """Return the chosen members and the others, with their states."""
        states, parts = self.member_states(names), []
        for wanted in (True, False):
            own = [i for i, c in enumerate(chosen) if c is wanted]
            part = FlatParams([self.members[i] for i in own], [self.places[i] for i in own], self.t, self.elementwise)
            if self.states:
                part.set_states([states[i] for i in own], names)
            parts.append(part)
        return parts

    def member_states(self, names: Sequence[str]) -> list[StateDict]:
        """Return step count and state of every member: plain values, and copies of arrays in its shape."""
        found: list[StateDict] = [{"step": self.t} for _ in self.members]
        for name, parts in zip(names, zip(*self.states, strict=True), strict=False):
            values: list[Data] = [parts[0]] * len(found)
            if isinstance(parts[0], (np.ndarray, np.generic)):
                values = self.viewed(np.concatenate(parts)) if self.elementwise else [np.array(parts[0])]
            for state, value in zip(found, values, strict=True):
                if value is not None:
                    state[name] = value
        return found

    def set_states(self, found: Sequence[StateDict], names: Sequence[str]) -> None:
        """Set the members' states, given in the form that `member_states` returns."""
        columns = []
        for name in names:
            values: list[Data] = [state.get(name) for state in found]
            if isinstance(values[0], np.ndarray) and self.elementwise:
                whole = np.concatenate(self.transposed(values), axis=None, dtype=self.dtype)
                columns.append([whole[block].copy() for block in self.blocks])
            else:
                columns.append([values[0]] * (len(self.blocks) if self.elementwise else 1))
        self.states = list(zip(*columns, strict=True)) if columns else [()] * len(self.blocks)

    def __getstate__(self) -> StateDict:
        # A copied view is no longer a view of the copied vector.
        return {**self.__dict__, "current": None, "spare": None, "gathered": None, "_whole": (None, ())}


def flattened(optimizer: Any, group: Group, states: list[StateDict], used: int) -> list[FlatParams]:
    """Return a group's parameters with states grouped by dtype and history; `used` is the position of the first."""
    parameters, elementwise = group["params"], optimizer.elementwise and not group.get("cautious")
    together: dict[object, list[int]] = {}
    for i, (p, state) in enumerate(zip(parameters, states, strict=True)):
        kind = p.data.dtype if isinstance(p.data, np.ndarray) else float
        history = tuple((n, None if isinstance(v, np.ndarray) else v) for n, v in state.items() if v is not None)
        together.setdefault((kind, history) if elementwise else i, []).append(i)
    flats = []
    for own in together.values():
        t = int(states[own[0]]["step"])
        flats.append(FlatParams([parameters[i] for i in own], [used + i for i in own], t, elementwise))
        if t:
            flats[-1].set_states([states[i] for i in own], optimizer.state_names)
    return flats


LINE = 64
"""Bytes per cache line, and of the widest vector registers."""


# Other interpreters than CPython may lack reference counts: nan is unequal to itself, so no buffer is reused there.
getrefcount: Callable[[object], float] = getattr(sys, "getrefcount", lambda _: float("nan"))


def address(a: Array) -> int:
    """Return the memory address of the first element."""
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]


def aligned(size: int, dtype: np.dtype[Any]) -> Array:
    """Return an empty vector that begins at a cache line, where vector registers are filled twice as fast."""
    item = np.dtype(dtype).itemsize
    whole: Array = np.empty(size + LINE // item, dtype)
    skip = -address(whole) % LINE // item
    return whole[skip : skip + size]


class Buffer:
    """A flat vector with one view per parameter that can be reused once its views are referenced nowhere else.

    The values of the parameters alternate between two buffers. The idle one is overwritten only if no other object,
    such as a recorded graph, references it or a view of it; otherwise a new buffer is made. The reference count of an
    unreferenced buffer is measured at construction.
    """

    __slots__ = ("flat", "initial_counts", "owner", "views")

    def __init__(self, size: int, dtype: np.dtype[Any], views: Callable[[Array], list[Array]]) -> None:
        self.flat: Array = aligned(size, dtype)
        self.owner: Array | None = self.flat.base
        self.views: list[Array] = views(self.flat)
        # The reference counts of the memory's owner, the base of all views, and of the most used view.
        self.initial_counts: tuple[float, float] = getrefcount(self.owner), max(map(getrefcount, self.views))

    def is_free(self, in_use: bool = False) -> bool:
        """Return whether no object references the buffer, or none but the parameters if it is in use."""
        owner, view = self.initial_counts
        return getrefcount(self.owner) == owner and max(map(getrefcount, self.views)) == view + in_use
