"""Types of arguments and results of `optim`, for annotations."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Data: TypeAlias = Any  # a float or an array

Group: TypeAlias = dict[str, Any]  # parameters, and options by name
State: TypeAlias = tuple[Any, ...]  # the parts of a state, in the order of the arguments of `rule`
StateDict: TypeAlias = dict[str, Any]  # as returned by `state_dict`
Rule: TypeAlias = Callable[..., Any]
Closure: TypeAlias = Callable[[], Any]  # computes loss and gradients, and returns the loss


class Parameter(Protocol):
    """A leaf of a graph: `Tensor`, `Value`, or any object with these attributes."""

    data: Any
    grad: Any


Params: TypeAlias = Iterable[Parameter] | Iterable[tuple[str, Parameter]] | Iterable[Mapping[str, Any]]


class Comm(Protocol):
    """The part of an mpi4py communicator that is used; `optim.distributed.Alone` is one, too."""

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""

    @property
    def size(self) -> int:
        """The number of processes."""

    def Allreduce(self, send: Any, recv: Any) -> None:  # noqa: N802 - mpi4py's name
        """Store the sum of the arrays of all ranks in `recv`."""

    def allreduce(self, number: Any) -> Any:
        """Return the sum over all ranks."""

    def allgather(self, item: Any) -> list[Any]:
        """Return the objects of all ranks."""

    def bcast(self, item: Any, root: int = 0) -> Any:
        """Return the object of rank `root`."""
