"""Parameters that take their steps together.

All parameters of a group that hold the same type of number and have the same history form one bundle. For an
elementwise rule the bundle is one flat vector, walked in blocks small enough to stay in cache; for a rule that looks
at shapes every parameter is a bundle of its own. Neither the rules nor the optimizer know which.

Numbers are never written into an array somebody else may hold: every step fills a new vector and rebinds ``.data`` of
each parameter to a view of it, so a recorded graph keeps the numbers it saw.
"""

from __future__ import annotations

import itertools
import math
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
State = tuple[Any, ...]

BLOCK = 32_768
"""Numbers per block: all that a rule makes of so many stays in a second-level cache."""

LINE = 64
"""Bytes of a line of the cache, and of the widest registers."""


# Elsewhere than in CPython there may be no such count: no two answers are then equal, and nothing is used twice.
getrefcount: Callable[[Any], Any] = getattr(sys, "getrefcount", lambda _: float("nan"))


def numbers(gradient: Any) -> Any:
    """Return a gradient as plain numbers; after ``backward(create_graph=True)`` that is its node's ``data``."""
    if gradient is None or isinstance(gradient, (np.ndarray, np.generic, float, int)):
        return gradient
    return gradient.data


def label(parameter: Any, position: int) -> str:
    """How messages call a parameter: by its name, or by its position if it has none."""
    name = getattr(parameter, "name", "")
    return f"parameter {name!r}" if name else f"parameter {position}"


def changed(name: str, shape: tuple[int, ...], dtype: Any, a: Array) -> str:
    """Return the message about a parameter that is not what it was."""
    return (
        f"{name} was {shape} {dtype} when the optimizer was made and is {a.shape} {a.dtype} now: "
        "make a new optimizer after changing shapes or number types"
    )


def address(a: Array) -> int:
    """Return where an array's first number lies."""
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]


def aligned(size: int, dtype: Any) -> Array:
    """Return a vector that begins where a line of the cache does: there, wide registers are filled twice as fast."""
    item = np.dtype(dtype).itemsize
    whole: Array = np.empty(size + LINE // item, dtype)
    skip = -address(whole) % LINE // item
    return whole[skip : skip + size]


class Buffer:
    """A flat vector, the members' views of it, and whether anybody else holds a piece of it.

    A parameter's numbers alternate between two buffers. The one not in use is filled again only if nobody but this
    object refers to it or to any view of it (a recorded graph would); otherwise it is left to its holder. How a
    reference count looks when there is no other holder is measured, not assumed.
    """

    __slots__ = ("alone", "flat", "owner", "views")

    def __init__(self, size: int, dtype: Any, views: Callable[[Array], list[Any]]) -> None:
        self.flat: Array = aligned(size, dtype)
        self.owner: Array | None = self.flat.base
        self.views: list[Any] = views(self.flat)
        self.alone: tuple[Any, Any] = self.holders()

    def holders(self) -> tuple[Any, Any]:
        """Count references to what owns the memory, as every view's view has, and to the most referenced view."""
        return getrefcount(self.owner), max(map(getrefcount, self.views))


class Bundle:
    """Several array parameters as one flat vector of numbers, with the optimizer's state for it.

    Parameters
    ----------
    members : sequence of parameters
        Leaves whose ``data`` are arrays of one dtype.
    places : sequence of int
        Their positions in the optimizer, for messages and for state_dict.
    t : int
        Steps taken so far.
    """

    def __init__(self, members: Sequence[Any], places: Sequence[int], t: int = 0) -> None:
        self.members: list[Any] = list(members)
        self.places: list[int] = list(places)
        self.t: int = t
        self.states: list[State] = []
        self.forget()
        self.lay_out()
        ends = np.cumsum([0, *(math.prod(shape) for shape in self.shapes)]).tolist()
        self.slices: list[slice[Any, Any, Any]] = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.blocks: list[Any] = [slice(a, min(a + BLOCK, ends[-1])) for a in range(0, max(ends[-1], 1), BLOCK)]

    def lay_out(self) -> None:
        """Note the members' number type and shapes."""
        arrays = [p.data for p in self.members]
        self.dtype: Any = arrays[0].dtype
        self.shapes: list[tuple[int, ...]] = [a.shape for a in arrays]
        # A Fortran-ordered parameter is kept as the transpose of a C-ordered one: its layout survives the step.
        self.turned: list[int] = [i for i, a in enumerate(arrays) if a.flags.f_contiguous and not a.flags.c_contiguous]
        self.inner: list[tuple[int, ...]] = [s[::-1] if i in self.turned else s for i, s in enumerate(self.shapes)]

    def forget(self) -> None:
        """Look at every ``.data`` afresh next time."""
        self.now: Buffer | None = None
        self.spare: Buffer | None = None
        self.inbox: Array | None = None
        self.pieces: list[Any] = []
        self.start: int | None = None
        self.asked: int
        self.first: int
        self.asked = self.first = 0
        self.complete: bool = False

    # -- the four verbs of a step --------------------------------------------------------------------------------

    def gradients(self) -> list[Any]:
        """Return the gradient of each member as an array of its shape, or None where there is none."""
        self.start, self.complete = None, True
        if self.pieces:
            grads = [p.grad for p in self.members]
            for g, piece in zip(grads, self.pieces):  # noqa: B905 - strict costs 0.2 us in every step
                if piece() is not g:
                    break
            else:
                self.start = self.first
                return grads
        grads = []
        for p, shape in zip(self.members, self.shapes):  # noqa: B905
            g = p.grad
            if type(g) is not np.ndarray or g.shape != shape:
                return self.unusual_gradients()
            grads.append(g)
        return grads

    def forget_gradients(self) -> None:
        """Leave no gradient: None."""
        for p in self.members:
            p.grad = None

    def unusual_gradients(self) -> list[Any]:
        """Return the gradients if some are None, nodes or plain numbers; raise if one does not fit."""
        self.complete = False
        grads = [None if p.grad is None else np.asarray(numbers(p.grad)) for p in self.members]
        for g, shape, name in zip(grads, self.shapes, self.labels(), strict=True):
            if g is not None and g.shape != shape:
                raise ValueError(f"{name} has shape {shape} but its gradient has shape {g.shape}")
        return grads

    def read(self) -> Array:
        """Return the members' numbers as one vector: last step's own, unless ``.data`` was assigned to since."""
        if self.now is not None:
            for p, view in zip(self.members, self.now.views):  # noqa: B905 - as in gradients
                if p.data is not view:
                    self.forget()
                    break
            else:
                return self.now.flat
        arrays = [p.data for p in self.members]
        for a, shape, name in zip(arrays, self.shapes, self.labels(), strict=True):
            if a.shape != shape or a.dtype != self.dtype:
                raise ValueError(changed(name, shape, self.dtype, a))
        return np.concatenate(self.straight(arrays), axis=None)

    def cut(self, grads: list[Any]) -> Iterable[tuple[int, Any, Array]]:
        """Return number, place and gradient of every block."""
        if self.start is None and len(grads) > 1 and (base := grads[0].base) is not None and grads[1].base is base:
            self.look_for_pieces(grads, base)
        if self.start is not None:
            flat = grads[0].base[self.start : self.start + self.slices[-1].stop]
            return [(k, block, flat[block]) for k, block in enumerate(self.blocks)]
        if len(self.blocks) == 1:
            if self.inbox is None:
                self.inbox = aligned(self.slices[-1].stop, self.dtype)
                self.slots: list[Any] = self.viewed(self.inbox)
            for slot, g in zip(self.slots, grads):  # noqa: B905 - as in gradients
                slot[...] = g
            return [(0, ..., self.inbox)]
        parts = [g.reshape(-1) for g in self.straight(grads)]
        return ((k, block, self.gathered(parts, block)) for k, block in enumerate(self.blocks))

    def look_for_pieces(self, grads: list[Any], base: Array) -> None:
        """Find out whether the gradients are, in the members' order, the pieces of one vector, which need no gathering.

        To ask where an array's numbers lie takes longer than to copy a small one. So the same pieces are asked once:
        they are remembered, though not kept alive, and who brings others in every step is soon asked no more.
        """
        self.asked += 1
        if self.asked > 16 + self.t // 16 or base.dtype != self.dtype or base.ndim != 1 or not base.flags.c_contiguous:
            return
        first = (address(grads[0]) - address(base)) // base.itemsize
        whole = base[first : first + self.slices[-1].stop]
        if whole.size < self.slices[-1].stop:
            return
        for g, piece in zip(grads, self.viewed(whole), strict=True):
            if address(g) != address(piece) or g.strides != piece.strides or g.dtype != piece.dtype:
                return
        self.pieces = [weakref.ref(g) for g in grads]
        self.first = first
        self.start = first

    def gathered(self, flat: list[Array], block: slice) -> Array:
        """Return the part of all members' flat arrays that lies in a block."""
        parts = [
            a[max(block.start - own.start, 0) : block.stop - own.start]
            for a, own in zip(flat, self.slices, strict=True)
            if own.start < block.stop and own.stop > block.start
        ]
        a = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return a if a.dtype == self.dtype else a.astype(self.dtype)

    def room(self) -> Array:
        """Return a vector for the numbers after a step, which no graph and nobody else looks at."""
        spare = self.spare
        if spare is None or spare.holders() != spare.alone:
            spare = self.spare = Buffer(self.slices[-1].stop, self.dtype, self.viewed)
        return spare.flat

    def write(self) -> None:
        """Rebind every member to its part of the vector that `room` gave."""
        self.now, self.spare = self.spare, self.now
        for p, view in zip(self.members, self.now.views):  # type: ignore[union-attr] # noqa: B905 - as in gradients
            p.data = view

    def viewed(self, flat: Array) -> list[Any]:
        """Return the members' views of a vector."""
        views: list[Any] = [flat[s].reshape(shape) for s, shape in zip(self.slices, self.inner, strict=True)]
        return self.straight(views)

    # -- layout ------------------------------------------------------------------------------------------------------

    def labels(self) -> list[str]:
        """How messages call the members."""
        return [label(p, place) for p, place in zip(self.members, self.places, strict=True)]

    def straight(self, arrays: Sequence[Any]) -> list[Any]:
        """Return the members' arrays in the order in which the flat vector holds them."""
        if not self.turned:
            return list(arrays)
        return [a.T if i in self.turned else a for i, a in enumerate(arrays)]

    def shaped(self, i: int, flat: Array) -> Array:
        """Flat numbers in the shape of member i."""
        shaped = flat.reshape(self.inner[i])
        return shaped.T if i in self.turned else shaped

    # -- the state of single members: for state_dict, for `trace`, and when histories part --------------------------

    def begin(self, start: Callable[[Array], State]) -> None:
        """Give every block the state a rule starts from."""
        p = self.read()
        self.states = [start(p[block].copy()) for block in self.blocks]

    def state_of(self, i: int, names: Sequence[str]) -> dict[str, Any]:
        """Step count and state of member i: plain numbers, and arrays of its shape that nobody else holds."""
        own, found = self.slices[i], {"step": self.t}
        inside = [k for k, b in enumerate(self.blocks) if own.start < b.stop and own.stop > b.start]
        for j, name in enumerate(names if self.states else ()):
            value = self.states[inside[0] if inside else 0][j]
            if isinstance(value, np.ndarray):
                value = self.shaped(i, np.concatenate([self.states[k][j][self.part(i, k)] for k in inside or [0]]))
            if value is not None:
                found[name] = value
        return found

    def part(self, i: int, k: int) -> slice:
        """Where member i lies in block k."""
        own, block = self.slices[i], self.blocks[k]
        return slice(max(own.start - block.start, 0), max(min(own.stop, block.stop) - block.start, 0))

    def adopt(self, found: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
        """Take over the members' states, given as `state_of` gives them."""
        columns = []
        for name in names:
            values = [state.get(name) for state in found]
            if isinstance(values[0], np.ndarray):
                arrays: list[Any] = self.straight(values)
                whole = np.concatenate(arrays, axis=None, dtype=self.dtype)
                columns.append([whole[block].copy() for block in self.blocks])
            else:
                columns.append([values[0]] * len(self.blocks))
        self.states = list(zip(*columns, strict=True)) if columns else [()] * len(self.blocks)

    def __getstate__(self) -> dict[str, Any]:
        # Copies of views are no longer views of the copied vector: a copied bundle gathers its numbers afresh.
        return {**self.__dict__, "now": None, "spare": None, "inbox": None, "slots": [], "pieces": []}
