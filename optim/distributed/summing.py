"""Gradients of all ranks added up: packed into one vector, one ``Allreduce``, and given back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from optim.flat_params import Buffer, check_gradient, check_unchanged, label, raw_gradient

__all__ = ["GradientSum"]


class GradientSum:
    r"""Replace the gradients of parameters by their sum, or mean over all rows, over all ranks.

    Parameters
    ----------
    parameters : sequence of parameters
        With ``.data`` and ``.grad``; as many, and of the same shapes, on every rank.
    comm : communicator
        Of all ranks.
    beside : int
        How many more numbers travel in the same message.

    Notes
    -----
    The vector holds, after the gradients, a 1 for each parameter that has one (who has none on any rank keeps None),
    the number of rows, and the numbers `beside`. Its type is the widest of the parameters', and float32 at least: a
    whole number of rows is exact in it up to 2**24.

    All ranks get the same bits: MPI 3.1, section 5.9.6, demands it of ``Allreduce``, and `nn.training.fit` looks after
    every epoch.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from optim.distributed import Alone
    >>> p = SimpleNamespace(data=np.zeros(2), grad=np.array([3.0, 6.0]))  # sums over three rows
    >>> add_up = GradientSum([p], Alone(), beside=1)
    >>> add_up(rows=3, beside=[7.0])
    (3.0, [7.0])
    >>> p.grad
    array([1., 2.])
    """

    def __init__(self, parameters: Sequence[Any], comm: Any, beside: int = 0) -> None:
        self.parameters: list[Any] = list(parameters)
        self.comm: Any = comm
        arrays = [np.asarray(p.data) for p in self.parameters]
        self.shapes: list[tuple[int, ...]] = [a.shape for a in arrays]
        self.kind: np.dtype[Any] = np.result_type(np.float32, *{a.dtype for a in arrays})
        # The gradient of a number is a float; an array's is of its own type.
        self.dtypes: list[Any | None] = [
            p.data.dtype if isinstance(p.data, np.ndarray) else None for p in self.parameters
        ]
        ends = [0, *itertools.accumulate(a.size for a in arrays)]
        self.places: list[slice[int, int, Any]] = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.end: int = ends[-1]
        self.flags: slice[int, int, Any] = slice(ends[-1], ends[-1] + len(arrays))
        self.length: int = self.flags.stop + 1 + beside
        self.send: np.ndarray[Any, Any] = np.zeros(self.length, self.kind)
        self.slots: list[Any] = self._views(self.send)
        self.pool: list[Buffer] = []

    def _views(self, flat: Any) -> list[Any]:
        return [flat[place].reshape(shape) for place, shape in zip(self.places, self.shapes, strict=True)]

    def __call__(
        self, rows: float, beside: Sequence[float] = (), *, weigh: bool = False, divide: bool = True
    ) -> tuple[float, list[float]]:
        """Add up; every rank must call.

        Parameters
        ----------
        rows : float
            Rows this rank's gradients come from; 0 is fine.
        beside : sequence of float
            More numbers to be added up.
        weigh : bool
            Gradients are means over this rank's rows, and are multiplied by `rows` first; else they are sums.
        divide : bool
            Divide the gradients' sum by the sum of `rows`.

        Returns
        -------
        rows : float
            The sum of `rows` over all ranks.
        beside : list of float
            The sums of the numbers beside.

        Raises
        ------
        ValueError
            If a gradient has another shape than its parameter.
        """
        self._pack(rows if weigh else None)
        self.send[self.flags.stop :] = [rows, *beside]
        sums = self._free()
        flat = sums.flat
        self.comm.Allreduce(self.send, flat)
        present, (total, *others) = flat[self.flags].tolist(), flat[self.flags.stop :].tolist()
        if divide and total > 0:
            np.divide(flat[: self.end], flat[self.flags.stop], out=flat[: self.end])
        for p, there, view, kind in zip(self.parameters, present, sums.views, self.dtypes, strict=True):
            if not there:
                p.grad = None
            elif kind is None:
                p.grad = float(view)
            else:
                p.grad = view if view.dtype == kind else view.astype(kind)
        return total, others

    def _free(self) -> Buffer:
        """Return a buffer of which nobody else holds a piece; two take turns if somebody keeps the last gradients."""
        for buffer in self.pool:
            if buffer.is_free():
                return buffer
        self.pool = [*self.pool[-1:], Buffer(self.length, self.kind, self._views)]
        return self.pool[-1]

    def _pack(self, weight: float | None) -> None:
        """Put the gradients into the vector that is sent, and a 1 for each that is there."""
        there = []
        for i, (p, slot) in enumerate(zip(self.parameters, self.slots, strict=True)):
            g = raw_gradient(p.grad)
            there.append(g is not None)
            if g is None:
                slot[...] = 0
                continue
            if np.shape(g) != slot.shape:
                name = label(p, i)
                check_unchanged(np.asarray(p.data), slot.shape, self.dtypes[i] or np.float64, name)
                check_gradient(g, slot.shape, name)
            if weight is None:
                slot[...] = g
            else:
                np.multiply(g, weight, out=slot, casting="same_kind")
        self.send[self.flags] = there
