"""Memory of programs: aligned arrays, and places for values that are not needed at the same time."""

import numpy as np

from autograd.typing import Array, DType

CACHE_LINE = 64  # bytes


class Arena:
    """Memory in which values that are not needed together have the same addresses.

    Attributes
    ----------
    size : int
        The number of bytes.
    """

    def __init__(self) -> None:
        self.size: int = 0
        self._free: list[tuple[int, int]] = []  # offset and size

    def taken(self, size: int) -> int:
        """Return the offset of free memory, from the smallest part that is large enough."""
        size = -(-size // CACHE_LINE) * CACHE_LINE
        fitting = min((part for part in self._free if part[1] >= size), key=lambda part: part[1], default=None)
        if fitting is None:
            self.size += size
            return self.size - size
        self._free.remove(fitting)
        if fitting[1] > size:
            self._free.append((fitting[0] + size, fitting[1] - size))
        return fitting[0]

    def release(self, offset: int, size: int) -> None:
        """Return memory to the free parts, merged with its neighbours."""
        size = -(-size // CACHE_LINE) * CACHE_LINE
        for part in [p for p in self._free if p[0] + p[1] == offset or offset + size == p[0]]:
            self._free.remove(part)
            offset, size = min(offset, part[0]), size + part[1]
        if size:
            self._free.append((offset, size))


def address(a: Array) -> int:
    """Return the address of the first element."""
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]


def aligned(size: int, dtype: DType) -> Array:
    """Return a new array aligned to cache lines, which those of NumPy are not."""
    spare = np.empty(size * dtype.itemsize + CACHE_LINE, np.uint8)
    return np.frombuffer(spare.data, dtype, size, -spare.ctypes.data % CACHE_LINE)
