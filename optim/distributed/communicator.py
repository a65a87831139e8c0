"""The processes of a job: MPI's communicator of all of them, or a stand-in where there is but one."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Alone", "checked_comm", "world"]

LAUNCHERS = {"PMI_SIZE": "PMI_RANK", "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK"}
"""What MPICH's and Open MPI's launchers tell each process: how many there are, and which it is."""
NEEDED = ("rank", "size", "Allreduce", "allreduce", "allgather", "bcast")
COMMAND = "OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py script.py"


class Alone:
    """A communicator of one rank, for a process without MPI; has what this library asks of a real one.

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

    def allgather(self, thing: Any) -> list[Any]:
        """Return what every rank gave."""
        return [thing]

    def bcast(self, thing: Any, root: int = 0) -> Any:
        """Return what rank 0 gave."""
        return thing

    def __repr__(self) -> str:
        return "Alone()"


def world() -> Any:
    """Return the communicator of all processes that were started together, or without mpi4py `Alone`.

    Returns
    -------
    mpi4py.MPI.Comm or Alone
        With attributes ``rank`` (from 0) and ``size``.

    Raises
    ------
    ImportError
        If a launcher started several processes, and mpi4py is not there to connect them.
    RuntimeError
        If the launcher belongs to another MPI than mpi4py, so that every process believes itself alone.

    Warns
    -----
    RuntimeWarning
        If several ranks were not started through ``python -m mpi4py``: an exception would then end one of them and
        leave the others waiting for it.

    Examples
    --------
    >>> comm = world()  # doctest: +SKIP
    >>> comm = Alone()  # which is what a process without mpi4py gets
    >>> comm.rank, comm.size
    (0, 1)
    """
    started, place = launched()
    try:
        from mpi4py import MPI
    except ImportError as error:
        if started > 1:
            raise ImportError(
                f"this is process {place} of {started}, and without mpi4py each would train by itself: "
                f"pip install mpi4py mpich ({error})"
            ) from error
        return Alone()
    comm = MPI.COMM_WORLD
    if comm.size == 1 < started:
        raise RuntimeError(
            f"the launcher started {started} processes, and mpi4py's MPI ({MPI.get_vendor()[0]}) sees one: the two "
            "are of different MPIs. Start with the mpiexec that lies beside this Python, in "
            f"{Path(sys.executable).parent}"
        )
    if comm.size > 1 and comm.rank == 0 and "mpi4py.run" not in sys.modules:
        warnings.warn(
            "started without `-m mpi4py`: an exception on one rank would leave the others waiting for ever. "
            f"Write {COMMAND}",
            RuntimeWarning,
            stacklevel=2,
        )
    return comm


def launched() -> tuple[int, str]:
    """Return how many processes a launcher says it started, 1 if there was none, and which this is."""
    for size, rank in LAUNCHERS.items():
        if os.environ.get(size, "").isdecimal():
            return int(os.environ[size]), os.environ.get(rank, "?")
    return 1, "0"


def checked_comm(comm: Any) -> Any:
    """Return a communicator as it is, or say what one is.

    Raises
    ------
    TypeError
        If something that is needed of it is missing.

    Examples
    --------
    >>> checked_comm(None)
    Traceback (most recent call last):
    TypeError: comm must be a communicator of mpi4py, such as optim.distributed.world(), not None, ...
    """
    lacking = [name for name in NEEDED if not hasattr(comm, name)]
    if lacking or isinstance(comm, type):
        raise TypeError(
            f"comm must be a communicator of mpi4py, such as optim.distributed.world(), not {comm!r:.60}, which has "
            f"no {lacking[0] if lacking else 'instance'}"
        )
    return comm
