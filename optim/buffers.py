"""Flat vectors that are reused when no other object references them."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from optim.typing import Array

LINE = 64
"""Bytes per cache line, and of the widest vector registers."""


# Other interpreters than CPython may lack reference counts: nan is unequal to itself, so no buffer is reused there.
getrefcount: Callable[[object], float] = getattr(sys, "getrefcount", lambda _: float("nan"))


def address(a: Array) -> int:
    """Return the memory address of the first element."""
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]


def aligned(size: int, dtype: npt.DTypeLike) -> Array:
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

    def __init__(self, size: int, dtype: npt.DTypeLike, views: Callable[[Array], list[Array]]) -> None:
        self.flat: Array = aligned(size, dtype)
        self.owner: Array | None = self.flat.base
        self.views: list[Array] = views(self.flat)
        self.initial_counts: tuple[float, float] = self._counts()

    def _counts(self) -> tuple[float, float]:
        """Return the reference counts of the memory's owner, the base of all views, and of the most used view."""
        return getrefcount(self.owner), max(map(getrefcount, self.views))

    def is_free(self) -> bool:
        """Return whether no other object references the buffer."""
        return self._counts() == self.initial_counts
