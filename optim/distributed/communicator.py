"""The communicator of all processes: that of MPI, or a substitute for a single process."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from optim.typing import Comm

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
