"""Parameters that are updated together.

All parameters of a group with the same dtype and the same number of steps form one `FlatParams`: for an elementwise
rule one flat vector, processed in blocks that fit into the cache. `FlatFloats` does the same for `Value`s, and
`SingleParam` holds one parameter in its own shape, for rules that depend on shapes. The rules see arrays only.

A step never writes into an array that others may reference: it fills another vector and rebinds ``.data`` of each
parameter to a view of it, so a recorded graph keeps the values of its forward pass.
"""

from __future__ import annotations

import itertools
import math
import operator
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optim.typing import Array, Block, Data, Gradients, Parameter, State, StateDict

from .buffers import Buffer, address

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


def check_unchanged(a: Array, shape: tuple[int, ...], dtype: npt.DTypeLike, name: str) -> None:
    """Raise ValueError if a parameter has another shape or dtype than when the optimizer was made."""
    if a.shape != shape or a.dtype != dtype:
        raise ValueError(
            f"{name} was {shape} {dtype} when the optimizer was made and is {a.shape} {a.dtype} now: "
            "make a new optimizer after changing shapes or dtypes"
        )


def check_gradient(g: Data, shape: tuple[int, ...], name: str) -> None:
    """Raise ValueError if a gradient has another shape than its parameter."""
    if np.shape(g) != shape:
        raise ValueError(f"{name} has shape {shape} but its gradient has shape {np.shape(g)}")


class FlatParams:
    """Array parameters as one flat vector, with the optimizer's state for it.

    Parameters
    ----------
    members : sequence of parameters
        Leaves whose ``data`` are arrays of one dtype.
    places : sequence of int
        Their positions in the optimizer, for messages and for state_dict.
    t : int
        Steps taken so far.
    """

    def __init__(self, members: Sequence[Parameter], places: Sequence[int], t: int = 0) -> None:
        self.members: list[Parameter] = list(members)
        self.places: list[int] = list(places)
        self.t: int = t
        self.states: list[State] = []
        self._forget_buffers()
        self._lay_out()
        ends = np.cumsum([0, *(math.prod(shape) for shape in self.shapes)]).tolist()
        self.slices: list[slice] = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.blocks: list[Any] = [slice(a, min(a + BLOCK, ends[-1])) for a in range(0, max(ends[-1], 1), BLOCK)]

    def _lay_out(self) -> None:
        """Set dtype and shapes."""
        arrays = [p.data for p in self.members]
        self.dtype: np.dtype[Any] = arrays[0].dtype
        self.shapes: list[tuple[int, ...]] = [a.shape for a in arrays]
        # A Fortran-ordered parameter is stored as the transpose of a C-ordered one, so a step keeps its layout.
        self.fortran: list[int] = [i for i, a in enumerate(arrays) if a.flags.f_contiguous and not a.flags.c_contiguous]

    def _forget_buffers(self) -> None:
        """Drop everything derived from the members' present arrays."""
        self.current: Buffer | None = None
        self.spare: Buffer | None = None
        self.gathered: Buffer | None = None
        self.known_slices: list[Any] = []
        self.known_offset: int = 0
        self.searches: int = 0
        self.offset: int | None = None
        self.complete: bool = False

    # -- the operations of a step --------------------------------------------------------------------------------

    def gradients(self) -> Gradients:
        """Return the gradient of each member as an array of its shape, or None where it is missing."""
        self.offset, self.complete = None, True
        grads = [p.grad for p in self.members]
        if self.known_slices and all(map(operator.is_, (known() for known in self.known_slices), grads)):
            self.offset = self.known_offset
            return grads
        for g, shape in zip(grads, self.shapes):  # noqa: B905 - strict costs 0.2 us in every step
            if type(g) is not np.ndarray or g.shape != shape:
                return self._converted(grads)
        return grads

    def _converted(self, grads: Gradients) -> list[Any]:
        """Return gradients of which some are None, nodes or floats as arrays."""
        self.complete = False
        grads = [None if g is None else np.asarray(raw_gradient(g)) for g in grads]
        for g, shape, name in zip(grads, self.shapes, self.labels(), strict=True):
            if g is not None:
                check_gradient(g, shape, name)
        return grads

    def clear_gradients(self) -> None:
        """Set all gradients to None."""
        for p in self.members:
            p.grad = None

    def read(self) -> Array:
        """Return the members' values as one vector: that of the last step, unless ``.data`` was reassigned."""
        if self.current is not None:
            for p, view in zip(self.members, self.current.views):  # noqa: B905
                if p.data is not view:
                    self._forget_buffers()
                    break
            else:
                return self.current.flat
        arrays = [p.data for p in self.members]
        for a, shape, name in zip(arrays, self.shapes, self.labels(), strict=True):
            check_unchanged(a, shape, self.dtype, name)
        return np.concatenate(self.transposed(arrays), axis=None)

    def gradient_blocks(self, grads: Gradients) -> Iterable[tuple[int, Block, Array]]:
        """Return index, slice and gradient of every block."""
        if self.offset is None and len(grads) > 1 and (base := grads[0].base) is not None and grads[1].base is base:
            self._find_slices(grads, base)
        if self.offset is not None:
            flat = grads[0].base[self.offset : self.offset + self.slices[-1].stop]
            return [(k, block, flat[block]) for k, block in enumerate(self.blocks)]
        if len(self.blocks) == 1:
            if self.gathered is None:
                self.gathered = Buffer(self.slices[-1].stop, self.dtype, self.viewed)
            for view, g in zip(self.gathered.views, grads):  # noqa: B905
                view[...] = g
            return [(0, ..., self.gathered.flat)]
        parts = [g.reshape(-1) for g in self.transposed(grads)]
        return ((k, block, self._concatenated(parts, block)) for k, block in enumerate(self.blocks))

    def _find_slices(self, grads: Gradients, base: Array) -> None:
        """Set `offset` if the gradients are consecutive slices of one vector, which then need not be gathered.

        Comparing addresses takes longer than copying a small array. Therefore the slices that were found are
        remembered, by weak references, and the search stops if each step brings new arrays.
        """
        self.searches += 1
        stop = self.searches > 16 + self.t // 16
        if stop or base.dtype != self.dtype or base.ndim != 1 or not base.flags.c_contiguous:
            return
        offset = (address(grads[0]) - address(base)) // base.itemsize
        whole = base[offset : offset + self.slices[-1].stop]
        if whole.size < self.slices[-1].stop:
            return
        for g, view in zip(grads, self.viewed(whole), strict=True):
            if address(g) != address(view) or g.strides != view.strides or g.dtype != view.dtype:
                return
        self.known_slices = [weakref.ref(g) for g in grads]
        self.known_offset = self.offset = offset

    def _concatenated(self, flat: list[Array], block: slice) -> Array:
        """Return the part of all members' flat arrays that lies in a block."""
        parts = [
            a[max(block.start - own.start, 0) : block.stop - own.start]
            for a, own in zip(flat, self.slices, strict=True)
            if own.start < block.stop and own.stop > block.start
        ]
        a = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return a if a.dtype == self.dtype else a.astype(self.dtype)

    def output(self) -> Array:
        """Return a vector for the new values that no other object references."""
        if self.spare is None or not self.spare.is_free():
            self.spare = Buffer(self.slices[-1].stop, self.dtype, self.viewed)
        return self.spare.flat

    def write(self) -> None:
        """Rebind every member to its part of the vector returned by `output`."""
        self.current, self.spare = self.spare, self.current
        for p, view in zip(self.members, self.current.views):  # type: ignore[union-attr] # noqa: B905
            p.data = view

    # -- layout ------------------------------------------------------------------------------------------------------

    def labels(self) -> list[str]:
        """Return what messages call the members."""
        return [label(p, place) for p, place in zip(self.members, self.places, strict=True)]

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

    def initialize(self, start: Callable[[Array], State]) -> None:
        """Set the initial state of every block."""
        p = self.read()
        self.states = [start(p[block].copy()) for block in self.blocks]

    def subset(self, chosen: Sequence[int], names: Sequence[str]) -> FlatParams:
        """Return some members, with their states."""
        part = type(self)([self.members[i] for i in chosen], [self.places[i] for i in chosen], self.t)
        if self.states:
            part.set_states([self.state_of(i, names) for i in chosen], names)
        return part

    def state_of(self, i: int, names: Sequence[str]) -> StateDict:
        """Return step count and state of member i: plain values, and copies of arrays in its shape."""
        own, found = self.slices[i], {"step": self.t}
        inside = [k for k, b in enumerate(self.blocks) if own.start < b.stop and own.stop > b.start] or [0]
        for j, name in enumerate(names if self.states else ()):
            value = self.states[inside[0]][j]
            if isinstance(value, np.ndarray):
                value = self.shaped(i, np.concatenate([self.states[k][j][self._part(i, k)] for k in inside]))
            if value is not None:
                found[name] = value
        return found

    def plain_state_of(self, i: int, names: Sequence[str]) -> StateDict:
        """Return step count and state of member i; of a float with floats instead of 0-d arrays."""
        state = self.state_of(i, names)
        if isinstance(self.members[i].data, np.ndarray):
            return state
        return {name: v.item() if isinstance(v, np.ndarray) and v.ndim == 0 else v for name, v in state.items()}

    def _part(self, i: int, k: int) -> slice:
        """Return the slice of block k that belongs to member i."""
        own, block = self.slices[i], self.blocks[k]
        return slice(max(own.start - block.start, 0), max(min(own.stop, block.stop) - block.start, 0))

    def set_states(self, found: Sequence[StateDict], names: Sequence[str]) -> None:
        """Set the members' states, given in the form that `state_of` returns."""
        columns = []
        for name in names:
            values: list[Data] = [state.get(name) for state in found]
            if isinstance(values[0], np.ndarray):
                whole = np.concatenate(self.transposed(values), axis=None, dtype=self.dtype)
                columns.append([whole[block].copy() for block in self.blocks])
            else:
                columns.append([values[0]] * len(self.blocks))
        self.states = list(zip(*columns, strict=True)) if columns else [()] * len(self.blocks)

    def __getstate__(self) -> StateDict:
        # A copied view is no longer a view of the copied vector.
        return {**self.__dict__, "current": None, "spare": None, "gathered": None, "known_slices": []}


class FlatFloats(FlatParams):
    """Scalar parameters, `Value`s whose data are floats, as one float64 vector."""

    def _lay_out(self) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.float64)
        self.fortran: list[int] = []
        self.shapes: list[tuple[int, ...]] = [()] * len(self.members)

    def gradients(self) -> Gradients:
        """Return the gradient of each member as a float, or None where it is missing."""
        grads = [p.grad for p in self.members]
        return [g if type(g) is float or g is None else float(raw_gradient(g)) for g in grads]

    def clear_gradients(self) -> None:
        """Set all gradients to 0.0."""
        for p in self.members:
            p.grad = 0.0

    def read(self) -> Array:
        """Return the members' values as one vector."""
        return np.array([p.data for p in self.members], dtype=self.dtype)

    def gradient_blocks(self, grads: Gradients) -> Iterable[tuple[int, Block, Array]]:
        """Return index, slice and gradient of every block."""
        g = np.array(grads, dtype=self.dtype)
        return [(k, block, g[block]) for k, block in enumerate(self.blocks)]

    def output(self) -> Array:
        """Return a new vector."""
        self.new: Array = np.empty(len(self.members), self.dtype)
        return self.new

    def write(self) -> None:
        """Assign the new values to the members."""
        for p, x in zip(self.members, self.new.tolist(), strict=True):
            p.data = x


class SingleParam(FlatParams):
    """One parameter in its own shape, for rules that depend on shapes; a `Value` is a 0-d array."""

    def __init__(self, members: Sequence[Parameter], places: Sequence[int], t: int = 0) -> None:
        super().__init__(members, places, t)
        self.blocks: list[Any] = [...]

    def _lay_out(self) -> None:
        (p,) = self.members
        self.scalar: bool = not isinstance(p.data, np.ndarray)
        a = np.asarray(p.data, dtype=np.float64 if self.scalar else None)
        self.dtype: np.dtype[Any] = a.dtype
        self.fortran: list[int] = []
        self.shapes: list[tuple[int, ...]] = [a.shape]

    def gradients(self) -> Gradients:
        """Return the gradient, or None, in a list."""
        grads = self._converted([self.members[0].grad])
        return [g if g is None else g.astype(self.dtype, copy=False) for g in grads]

    def clear_gradients(self) -> None:
        """Set the gradient to None, that of a float to 0.0."""
        self.members[0].grad = 0.0 if self.scalar else None

    def read(self) -> Array:
        """Return the parameter's array."""
        a = np.asarray(self.members[0].data)
        check_unchanged(a, self.shapes[0], self.dtype, self.labels()[0])
        return a

    def gradient_blocks(self, grads: Gradients) -> Iterable[tuple[int, Block, Array]]:
        """Return the whole parameter as one block."""
        return [(0, ..., grads[0])]

    def output(self) -> Array:
        """Return a new array of the parameter's shape and layout."""
        self.new: Array = np.empty_like(self.members[0].data, dtype=self.dtype)
        return self.new

    def write(self) -> None:
        """Rebind the parameter to its new array."""
        self.members[0].data = float(self.new) if self.scalar else self.new

    def state_of(self, i: int, names: Sequence[str]) -> StateDict:
        """Return step count and state: plain values and copies of arrays."""
        found: StateDict = {"step": self.t}
        for name, value in zip(names, self.states[0] if self.states else (), strict=False):
            if value is not None:
                found[name] = np.array(value) if isinstance(value, (np.ndarray, np.generic)) else value
        return found

    def set_states(self, found: Sequence[StateDict], names: Sequence[str]) -> None:
        """Set the state, given in the form that `state_of` returns."""
        self.states: list[State] = [tuple(found[0].get(name) for name in names)]


def flattened(optimizer: Any, parameters: list[Parameter], states: list[StateDict], used: int) -> list[FlatParams]:
    """Return parameters with states grouped by dtype and history; `used` is the position of the first."""
    together: dict[object, list[int]] = {}
    for i, (p, state) in enumerate(zip(parameters, states, strict=True)):
        kind = p.data.dtype if isinstance(p.data, np.ndarray) else float
        history = tuple((n, None if isinstance(v, np.ndarray) else v) for n, v in state.items() if v is not None)
        together.setdefault((kind, history) if optimizer.elementwise else i, []).append(i)
    flats = []
    for chosen in together.values():
        data, t = parameters[chosen[0]].data, int(states[chosen[0]]["step"])
        kind = SingleParam if not optimizer.elementwise else FlatParams if isinstance(data, np.ndarray) else FlatFloats
        flat = kind([parameters[i] for i in chosen], [used + i for i in chosen], t)
        if t:
            flat.set_states([states[i] for i in chosen], optimizer.state_names)
        flats.append(flat)
    return flats
