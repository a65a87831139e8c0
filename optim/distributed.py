r"""Data-parallel training over MPI: each process computes the gradient of its rows of a batch.

.. math:: g = \frac{1}{\sum_r n_r} \sum_r n_r\, g_r

where :math:`g_r` is the gradient of the mean over the :math:`n_r` rows of rank r. The result is the gradient of the
whole batch, also for unequal shares, and needs one ``Allreduce`` per step. A training loop becomes::

    comm = optim.distributed.world()
    optimizer = optim.distributed.DistributedOptimizer(optim.Adam(model.parameters()), comm)
    for x, y in nn.data.distributed.sharded(DataLoader(dataset, batch_size=64, shuffle=True, rng=0), comm):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step(rows=len(y))

and is started by ``OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py script.py``.
``nn.training.fit(..., comm=comm)`` includes this. It requires mpi4py and an MPI (``pip install mpi4py mpich``);
without them, or with one rank, the result is bit-identical to that of the plain optimizer.

Examples
--------
>>> from types import SimpleNamespace
>>> from optim import SGD
>>> p = SimpleNamespace(data=1.0, grad=0.5)
>>> optimizer = DistributedOptimizer(SGD([p], lr=0.5), Alone())
>>> optimizer.step(rows=32)
>>> p.data
0.75
"""

import hashlib
import itertools
import os
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from optim.algorithms.wrappers import Wrapper
from optim.checks import loss_of
from optim.flat_params import check_gradient, label, like, raw_gradient
from optim.optimizer import Optimizer
from optim.typing import Array, Closure, Comm, Data, Parameter, StateDict

__all__ = [
    "Alone", "DistributedOptimizer", "GradientSum", "RanksDifferWarning", "agree", "broadcast", "checked_comm",
    "checksum", "facts_of", "world",
]  # fmt: skip

LAUNCHERS = {"PMI_SIZE": "PMI_RANK", "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK"}
"""Environment variables set by the launchers of MPICH and Open MPI: number of processes, and rank."""
NEEDED = ("rank", "size", "Allreduce", "allreduce", "allgather", "bcast")


class Alone:
    """A communicator of one rank, for a process without MPI, with the methods used by this library.

    Attributes
    ----------
    rank, size : int
        0 and 1.

    Examples
    --------
    >>> Alone().allgather("only me")
    ['only me']
    """

    rank: int = 0
    size: int = 1

    def Allreduce(self, send: Any, recv: Any) -> None:  # noqa: N802 - mpi4py's name
        """Copy: the sum over one rank."""
        np.copyto(recv, send)

    def allreduce(self, number: Any) -> Any:
        """Return the sum over one rank."""
        return number

    def allgather(self, item: Any) -> list[Any]:
        """Return the objects of all ranks."""
        return [item]

    def bcast(self, item: Any, root: int = 0) -> Any:
        """Return the object of rank 0."""
        return item

    def __repr__(self) -> str:
        return "Alone()"


def world() -> Comm:
    """Return the communicator of all processes of a job, or `Alone` without mpi4py.

    Returns
    -------
    mpi4py.MPI.Comm or Alone
        With attributes ``rank`` (from 0) and ``size``.

    Raises
    ------
    ImportError
        If a launcher started several processes and mpi4py is not installed.
    RuntimeError
        If launcher and mpi4py belong to different MPI libraries, so that each process has a communicator of one rank.

    Warns
    -----
    RuntimeWarning
        If several ranks were started without ``python -m mpi4py``: after an exception on one rank, the others would
        wait forever.

    Examples
    --------
    >>> comm = world()  # doctest: +SKIP
    >>> comm = Alone()  # the result in a process without mpi4py
    >>> comm.rank, comm.size
    (0, 1)
    """
    started, place = 1, "0"
    for size, rank in LAUNCHERS.items():
        if os.environ.get(size, "").isdecimal():
            started, place = int(os.environ[size]), os.environ.get(rank, "?")
    try:
        from mpi4py import MPI
    except ImportError as error:
        if started > 1:
            raise ImportError(
                f"this is process {place} of {started}; without mpi4py each process would train separately: "
                f"pip install mpi4py mpich ({error})"
            ) from error
        return Alone()
    comm = MPI.COMM_WORLD
    if comm.size == 1 < started:
        raise RuntimeError(
            f"the launcher started {started} processes, but the MPI of mpi4py ({MPI.get_vendor()[0]}) has one: they "
            "belong to different MPI libraries. Use the mpiexec installed beside this Python, in "
            f"{Path(sys.executable).parent}"
        )
    if comm.size > 1 and comm.rank == 0 and "mpi4py.run" not in sys.modules:
        reason = "started without `-m mpi4py`: after an exception on one rank, the others would wait forever"
        cure = "Write OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py script.py"
        warnings.warn(f"{reason}. {cure}", RuntimeWarning, stacklevel=2)
    return comm


def checked_comm(comm: Comm) -> Comm:
    """Return a communicator, or raise TypeError if it is unsuitable.

    Raises
    ------
    TypeError
        If a required attribute or method is missing.

    Examples
    --------
    >>> checked_comm(None)
    Traceback (most recent call last):
    TypeError: comm must be a communicator of mpi4py, such as optim.distributed.world(), got None
    """
    if isinstance(comm, type) or not all(hasattr(comm, name) for name in NEEDED):
        raise TypeError(f"comm must be a communicator of mpi4py, such as optim.distributed.world(), got {comm!r:.60}")
    return comm


Fact: TypeAlias = tuple[str, object]


class RanksDifferWarning(UserWarning):
    """Ranks started from different values; those of rank 0 were used.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("error", RanksDifferWarning)  # a run whose ranks start differently stops
    """


def agree(comm: Comm, facts: Sequence[Fact], advice: str = "") -> None:
    """Raise ValueError on every rank if a fact differs between ranks.

    Parameters
    ----------
    comm : communicator
        Communicator of the ranks to compare; all of them must call.
    facts : sequence of (str, object)
        Description and value of each fact; values are compared as text.
    advice : str
        Advice appended to the message.

    Raises
    ------
    ValueError
        Names the first fact that differs, the first rank where it does, and both values.

    Examples
    --------
    >>> from optim.distributed import Alone
    >>> agree(Alone(), [("the batch size", 32)])
    """
    # Without memory addresses, which differ between ranks.
    texts = [(name, re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))) for name, value in facts]
    for rows in itertools.zip_longest(*comm.allgather(texts), fillvalue=("the facts", "none")):
        for rank, (name, value) in enumerate(rows):
            if (name, value) != rows[0]:
                same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(value, rows[0][1], strict=False))
                begin = max(len([*same]) - 60, 0)
                theirs, ours = (text[begin : begin + 120] for text in (value, rows[0][1]))
                raise ValueError(
                    f"rank {rank} differs from rank 0 in {name}: {theirs} on rank {rank}, {ours} on rank 0"
                    f"{'; ' if advice else ''}{advice}"
                )


def facts_of(optimizer: Any) -> list[Fact]:
    """Return the facts of an optimizer to compare: class, options, and shapes and dtypes of the parameters.

    Parameters
    ----------
    optimizer : Optimizer
        An optimizer or a wrapper.

    Returns
    -------
    list of (str, object)
        For `agree`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import optim
    >>> facts_of(optim.SGD([SimpleNamespace(data=1.0, grad=0.0)], lr=0.1))[0]
    ('the optimizer', 'SGD( group 0: 1 parameters, lr=0.1, ...)')
    """
    facts: list[Fact] = [("the optimizer", " ".join(repr(optimizer).split()))]
    for i, p in enumerate(optimizer.parameters):
        what = type(p.data).__name__, np.shape(p.data), np.asarray(p.data).dtype.name
        facts.append((f"shape and type of {label(p, i)} of the optimizer", what))
    return [*facts, ("the number of steps the optimizer has taken", getattr(optimizer, "step_count", 0))]


def broadcast(
    comm: Comm, named: Sequence[tuple[str, Data]], *, repair: bool = True, stacklevel: int = 3
) -> list[Array] | None:
    """Compare arrays between all ranks; return those of rank 0 if they differ.

    Parameters
    ----------
    comm : communicator
        Communicator of all ranks; all must call.
    named : sequence of (str, array or float)
        Names used in messages, and values.
    repair : bool
        Use the values of rank 0, with a warning, instead of raising an error.
    stacklevel : int
        As for `warnings.warn`.

    Returns
    -------
    list of (array or float), or None
        The values of rank 0; None if those of all ranks are bit-identical.

    Raises
    ------
    ValueError
        If they differ and `repair` is false. The message contains the first array that differs, the index, the rank
        and both values.

    Warns
    -----
    RanksDifferWarning
        The same message, on rank 0, if they differ and `repair` is true.

    Examples
    --------
    >>> from optim.distributed import Alone
    >>> broadcast(Alone(), [("weight", np.ones(2))]) is None  # nothing to repair
    True
    """
    if len(set(comm.allgather(checksum(data for _, data in named)))) == 1:
        return None
    first: list[Array] = comm.bcast([np.asarray(data) for _, data in named], root=0)
    own = next((d for d in map(_difference, named, first) if d), None)
    rank, text = next((rank, text) for rank, text in enumerate(comm.allgather(own)) if text)
    text = f"rank {rank} differs from rank 0 in {text}"
    if not repair:
        raise ValueError(f"{text}; use the same seed on all ranks")
    if comm.rank == 0:
        warnings.warn(f"{text}; the values of rank 0 are used on all ranks", RanksDifferWarning, stacklevel=stacklevel)
    return [f if isinstance(d, np.ndarray) else f.item() for f, (_, d) in zip(first, named, strict=True)]


def checksum(arrays: Iterable[Data]) -> str:
    """Return a text that is the same for arrays with the same bits.

    Examples
    --------
    >>> checksum([np.zeros(2)]) == checksum([np.zeros(2)]), checksum([np.zeros(2)]) == checksum([np.array([0.0, -0.0])])
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.asarray(array, order="C").tobytes())
    return digest.hexdigest()


def _difference(named: tuple[str, Data], theirs: Array) -> str:
    """Return a description of the first difference to rank 0's array; empty if all bits are equal."""
    name, ours = named[0], np.asarray(named[1])
    differ = np.flatnonzero(np.frombuffer(ours.tobytes(), np.uint8) != np.frombuffer(theirs.tobytes(), np.uint8))
    if not len(differ):
        return ""
    at = tuple(map(int, np.unravel_index(differ[0] // ours.itemsize, ours.shape)))
    return f"{name}{f', first at {list(at)}' if at else ''}: {ours[at]} there, {theirs[at]} on rank 0"


class GradientSum:
    r"""Replaces gradients by their sum over all ranks, or by the mean over all rows.

    Parameters
    ----------
    parameters : sequence of parameters
        With ``.data`` and ``.grad``; the same number and shapes on every rank.
    comm : communicator
        Communicator of all ranks.

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
    >>> add_up = GradientSum([p], Alone())
    >>> add_up(rows=3, beside=[7.0])
    (3.0, [7.0])
    >>> p.grad
    array([1., 2.])
    """

    def __init__(self, parameters: Sequence[Parameter], comm: Comm) -> None:
        self.parameters: list[Parameter] = list(parameters)
        self.comm: Comm = comm
        arrays = [np.asarray(p.data) for p in self.parameters]
        self.shapes: list[tuple[int, ...]] = [a.shape for a in arrays]
        self.kind: np.dtype[Any] = np.result_type(np.float32, *{a.dtype for a in arrays})
        self.ends: list[int] = [*itertools.accumulate([*(a.size for a in arrays), len(arrays)])]

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
        grads, parts = [raw_gradient(p.grad) for p in self.parameters], []
        for i, (p, g, shape) in enumerate(zip(self.parameters, grads, self.shapes, strict=True)):
            if g is not None:
                check_gradient(g, shape, label(p, i))
            parts.append(np.zeros(shape, self.kind) if g is None else g * rows if weigh else g)
        send = np.concatenate([*parts, [g is not None for g in grads], [rows, *beside]], None, dtype=self.kind)
        flat = np.empty_like(send)
        self.comm.Allreduce(send, flat)
        *sums, present, rest = np.split(flat, self.ends)
        total, *others = rest.tolist()
        divisor = total if divide and total > 0 else 1.0
        for p, there, part, shape in zip(self.parameters, present, sums, self.shapes, strict=True):
            p.grad = like(part.reshape(shape) / divisor, p.data) if there else None
        return total, others


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
        message contains the first difference and the rank. With several ranks also if the optimizer needs products.

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
        if self.comm.size > 1:
            if inner.needs_product:
                raise ValueError(
                    f"{type(inner).__name__} needs products with derivatives over all rows, which ranks do not share: "
                    "run one process, or use an optimizer of gradients alone"
                )
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
        add_up = GradientSum(self.parameters, self.comm)  # also of groups that were added
        total, (losses,) = add_up(rows, [loss * rows if rows else 0.0], weigh=not summed)
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
        if closure is not None and (self.comm.size > 1 or summed):
            loss = self.inner.step(lambda: self.reduce(rows, loss_of(self, closure()), summed=summed))
        else:
            if not self._reduced:
                self.reduce(rows, summed=summed)
            loss = self.inner.step(closure)
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
