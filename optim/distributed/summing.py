"""Sum of the gradients of all ranks by one ``Allreduce`` of a flat vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from optim.buffers import Buffer
from optim.flat_params import check_gradient, check_unchanged, label, raw_gradient
from optim.typing import Array, Comm, Parameter


class GradientSum:
    r"""Replaces gradients by their sum over all ranks, or by the mean over all rows.

    Parameters
    ----------
    parameters : sequence of parameters
        With ``.data`` and ``.grad``; the same number and shapes on every rank.
    comm : communicator
        Communicator of all ranks.
    beside : int
        Number of additional values summed in the same message.

    Notes
    -----
    After the gradients, the vector contains a 1 for each existing gradient (those missing on all ranks stay None), the
    number of rows, and the additional values. Its dtype is the widest of the parameters, at least float32, in which
    row counts are exact up to 2**24.

    All ranks receive identical bits: MPI 3.1, section 5.9.6, requires it of ``Allreduce``, and `nn.training.fit`
    checks it after every epoch.

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

    def __init__(self, parameters: Sequence[Parameter], comm: Comm, beside: int = 0) -> None:
        self.parameters: list[Parameter] = list(parameters)
        self.comm: Comm = comm
        arrays = [np.asarray(p.data) for p in self.parameters]
        self.shapes: list[tuple[int, ...]] = [a.shape for a in arrays]
        self.kind: np.dtype[Any] = np.result_type(np.float32, *{a.dtype for a in arrays})
        # The gradient of a float is a float, that of an array has its dtype.
        self.dtypes: list[np.dtype[Any] | None] = [
            p.data.dtype if isinstance(p.data, np.ndarray) else None for p in self.parameters
        ]
        ends = [0, *itertools.accumulate(a.size for a in arrays)]
        self.places: list[slice] = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.end: int = ends[-1]
        self.flags: slice = slice(ends[-1], ends[-1] + len(arrays))
        self.length: int = self.flags.stop + 1 + beside
        self.send: Array = np.zeros(self.length, self.kind)
        self.slots: list[Array] = self._views(self.send)
        self.pool: list[Buffer] = []

    def _views(self, flat: Array) -> list[Array]:
        return [flat[place].reshape(shape) for place, shape in zip(self.places, self.shapes, strict=True)]

    def __call__(
        self, rows: float, beside: Sequence[float] = (), *, weigh: bool = False, divide: bool = True
    ) -> tuple[float, list[float]]:
        """Sum over all ranks; every rank must call.

        Parameters
        ----------
        rows : float
            Number of rows of this rank; may be 0.
        beside : sequence of float
            Additional values.
        weigh : bool
            Multiply the gradients by `rows` first, because they are means over the rows of this rank and not sums.
        divide : bool
            Divide the gradients' sum by the sum of `rows`.

        Returns
        -------
        rows : float
            The sum of `rows` over all ranks.
        beside : list of float
            The sums of the additional values.

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
        """Return a buffer that no other object references; two alternate if the last gradients are still referenced."""
        for buffer in self.pool:
            if buffer.is_free():
                return buffer
        self.pool = [*self.pool[-1:], Buffer(self.length, self.kind, self._views)]
        return self.pool[-1]

    def _pack(self, weight: float | None) -> None:
        """Copy the gradients into the send vector, followed by a 1 for each gradient that exists."""
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
