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
Comm: TypeAlias = Any  # a communicator of mpi4py, or another object with the methods of `optim.distributed.Alone`


class Parameter(Protocol):
    """A leaf of a graph: `Tensor`, `Value`, or any object with these attributes."""

    data: Any
    grad: Any


Params: TypeAlias = Iterable[Parameter] | Iterable[tuple[str, Parameter]] | Iterable[Mapping[str, Any]]
