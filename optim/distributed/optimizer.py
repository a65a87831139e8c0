"""The sum of the gradients of all ranks, by one ``Allreduce`` of a flat vector, and an optimizer that uses it."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from optim.algorithms.wrappers import Wrapper
from optim.flat_params import check_gradient, check_unchanged, label, raw_gradient
from optim.optimizer import Optimizer
from optim.typing import Array, Closure, Comm, Parameter, StateDict

from .communicator import agree, broadcast, checked_comm, facts_of, world


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
        flat = np.empty(self.length, self.kind)
        self.comm.Allreduce(self.send, flat)
        present, (total, *others) = flat[self.flags].tolist(), flat[self.flags.stop :].tolist()
        if divide and total > 0:
            np.divide(flat[: self.end], flat[self.flags.stop], out=flat[: self.end])
        for p, there, view, kind in zip(self.parameters, present, self._views(flat), self.dtypes, strict=True):
            if not there:
                p.grad = None
            elif kind is None:
                p.grad = float(view)
            else:
                p.grad = view if view.dtype == kind else view.astype(kind)
        return total, others

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


class DistributedOptimizer(Wrapper):
    r"""Any optimizer, with the gradient over the rows of all ranks.

    .. math:: g = \frac{\sum_r n_r\, g_r}{\sum_r n_r}

    At construction, the ranks are compared, and the parameters of rank 0 are sent to all. With one rank the result is
    bit-identical to that of the inner optimizer.

    Parameters
    ----------
    inner : Optimizer
        Updates the parameters.
    comm : communicator, optional
        Communicator of the ranks; by default `world()`.
    repair : bool
        Use the parameters of rank 0, with a warning, if ranks start from different values, instead of raising an error.

    Raises
    ------
    ValueError
        On all ranks, if they differ in the optimizer, its options, or the number, shapes or dtypes of parameters. The
        message contains the first difference and the rank.

    Warns
    -----
    RanksDifferWarning
        If the values of the parameters differ and `repair` is true.

    Notes
    -----
    ``state_dict`` is that of the inner optimizer, so it can be loaded with another number of ranks or without MPI. To
    clip gradients, call `reduce`, clip, then `step`, which does not reduce them again. For an optimizer that takes a
    closure, gradients and loss of each call are reduced.

    Goyal et al. 2017, *Accurate, Large Minibatch SGD*, section 3; Sergeev & Del Balso 2018, *Horovod*.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from optim import SGD
    >>> from optim.distributed import Alone
    >>> p = SimpleNamespace(data=1.0, grad=1.0)
    >>> optimizer = DistributedOptimizer(SGD([p], lr=0.25), Alone())
    >>> optimizer.step(rows=8)
    >>> p.data
    0.75
    """

    def __init__(self, inner: Optimizer, comm: Comm | None = None, *, repair: bool = True) -> None:
        super().__init__(inner)
        self.comm: Comm = world() if comm is None else checked_comm(comm)
        self._reduced = False
        self._sum: GradientSum | None = None
        if self.comm.size > 1:
            agree(self.comm, facts_of(inner), "construct the same model and optimizer on all ranks")
            named = [(label(p, i), p.data) for i, p in enumerate(self.parameters)]
            found = broadcast(self.comm, named, repair=repair)
            if found is not None and self.comm.rank:
                for p, data in zip(self.parameters, found, strict=True):
                    p.data = data

    def reduce(self, rows: float = 1.0, loss: float = 0.0, *, summed: bool = False) -> float:
        """Replace all gradients by those over the rows of all ranks; every rank must call.

        Parameters
        ----------
        rows : float
            Number of rows this rank's gradients are the mean over, or another divisor of the loss, such as
            ``criterion.divisor(y)`` with class weights; 0 without rows. By default all ranks have equal weight.
        loss : float
            Mean loss of this rank.
        summed : bool
            Gradients are sums over the rows, not means. Required if the model uses rows of other ranks, such as batch
            normalization inside `nn.ranks.shared`.

        Returns
        -------
        float
            The mean loss over the rows of all ranks.
        """
        self._reduced = True
        if self.comm.size == 1 and not summed:
            return loss
        if self._sum is None or len(self._sum.parameters) != len(self.parameters):
            self._sum = GradientSum(self.parameters, self.comm, beside=1)
        total, (losses,) = self._sum(rows, [loss * rows if rows else 0.0], weigh=not summed)
        return losses / total if total else 0.0

    def step(self, closure: Closure | None = None, *, rows: float = 1.0, summed: bool = False) -> Any:
        """Reduce the gradients, unless done since the last step, and update every parameter.

        Parameters
        ----------
        closure : callable, optional
            Computes loss and gradients of the rows of this rank.
        rows, summed
            As for `reduce`.

        Returns
        -------
        loss
            The value returned by the closure, reduced over all ranks, or None.
        """
        if closure is None or (self.comm.size == 1 and not summed):
            if not self._reduced:
                self.reduce(rows, summed=summed)
            loss = self.inner.step(closure)
        else:

            def of_all_ranks() -> float:
                own = closure()
                return self.reduce(rows, float(own.item() if hasattr(own, "item") else own), summed=summed)

            loss = self.inner.step(of_all_ranks)
        self._reduced = False
        self.step_count = self.inner.step_count
        return loss

    def state_dict(self) -> StateDict:
        """Return the state of the inner optimizer, which is the same on all ranks."""
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a `state_dict`, also of an optimizer that was not distributed or had another number of ranks."""
        self.inner.load_state_dict(state_dict)
        self.step_count: int = self.inner.step_count

    def __repr__(self) -> str:
        return f"DistributedOptimizer(rank {self.comm.rank} of {self.comm.size}) of {self.inner!r}"
