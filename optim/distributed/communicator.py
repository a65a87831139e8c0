"""The communicator of all processes, and comparison of the ranks before the first step."""

import hashlib
import itertools
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from optim.flat_params import label
from optim.typing import Array, Comm, Data

LAUNCHERS = {"PMI_SIZE": "PMI_RANK", "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK"}
"""Environment variables set by the launchers of MPICH and Open MPI: number of processes, and rank."""
NEEDED = ("rank", "size", "Allreduce", "allreduce", "allgather", "bcast")
COMMAND = "OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py script.py"


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
    started, place = launched()
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
        warnings.warn(
            "started without `-m mpi4py`: after an exception on one rank, the others would wait forever. "
            f"Write {COMMAND}",
            RuntimeWarning,
            stacklevel=2,
        )
    return comm


def launched() -> tuple[int, str]:
    """Return the number of processes started by a launcher, 1 without a launcher, and the rank of this one."""
    for size, rank in LAUNCHERS.items():
        if os.environ.get(size, "").isdecimal():
            return int(os.environ[size]), os.environ.get(rank, "?")
    return 1, "0"


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
    TypeError: comm must be a communicator of mpi4py, such as optim.distributed.world(), got None, ...
    """
    lacking = [name for name in NEEDED if not hasattr(comm, name)]
    if lacking or isinstance(comm, type):
        raise TypeError(
            f"comm must be a communicator of mpi4py, such as optim.distributed.world(), got {comm!r:.60}, which has "
            f"no {lacking[0] if lacking else 'instance'}"
        )
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
        Description and value of each fact; values are compared by ``repr``.
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
    gathered = comm.allgather([(name, _text(value)) for name, value in facts])
    for rows in itertools.zip_longest(*gathered, fillvalue=("the facts", "none")):
        for rank, (name, value) in enumerate(rows):
            if (name, value) != rows[0]:
                shown, theirs = _apart(rows[0][1], value)
                raise ValueError(
                    f"rank {rank} differs from rank 0 in {name}: {theirs} on rank {rank}, {shown} on rank 0"
                    f"{'; ' if advice else ''}{advice}"
                )


def _text(value: object) -> str:
    """Return a value as text, without memory addresses, which differ between ranks."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", value if isinstance(value, str) else repr(value))


def _apart(a: str, b: str, most: int = 120) -> tuple[str, str]:
    """Return two texts, shortened to the surroundings of their first difference."""
    common = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    begin = max(common - most // 2, 0) if max(len(a), len(b)) > most else 0
    dots = "..." if begin else ""
    return dots + a[begin : begin + most], dots + b[begin : begin + most]


def facts_of(optimizer: Any) -> list[Fact]:
    """Return the facts of an optimizer to compare: class, shapes and dtypes of the parameters, and options.

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
    ('the optimizer', 'SGD')
    """
    kinds, inner = [], optimizer
    while inner is not None:
        kinds.append(type(inner).__name__)
        inner = getattr(inner, "inner", None)
    groups = optimizer.param_groups
    facts: list[Fact] = [("the optimizer", " of ".join(kinds))]
    facts += [("the lengths of the optimizer's groups", [len(group["params"]) for group in groups])]
    place = 0
    for group in groups:
        for p in group["params"]:
            data = p.data
            what = (data.shape, data.dtype.name) if isinstance(data, np.ndarray) else type(data).__name__
            facts.append((f"shape and type of {label(p, place)} of the optimizer", what))
            place += 1
    for i, group in enumerate(groups):
        options = {k: v for k, v in group.items() if k not in ("params", "param_names")}
        facts += [(f"{k!r} of the optimizer's group {i}", v) for k, v in options.items()]
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
    digest = hashlib.blake2b(digest_size=16)
    for _, data in named:
        digest.update(np.asarray(data, order="C").tobytes())
    if len(set(comm.allgather(digest.hexdigest()))) == 1:
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


def _difference(named: tuple[str, Data], theirs: Array) -> str:
    """Return a description of the first difference to rank 0's array; empty if they are equal."""
    name, ours = named[0], np.asarray(named[1])
    if ours.tobytes() == theirs.tobytes():
        return ""
    apart = np.argwhere(np.atleast_1d((ours != theirs) & ~((ours != ours) & (theirs != theirs))))
    if not len(apart):  # nan with different bits, or -0.0 and 0.0
        return f"the bits of {name}"
    at = tuple(int(i) for i in apart[0])[: ours.ndim]
    where = f", first at {list(at)}" if at else ""
    return f"{name}{where}: {ours[at]} there, {theirs[at]} on rank 0"
