"""Types of arguments and results, for annotations: those of `autograd.typing`, of models and of training."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from autograd import Tensor, Value
from autograd.typing import Array, ArrayLike, Data, Decorator, DTypeLike, Operand, Operands, Operation, Shape, Tree

__all__ = [
    "Array", "ArrayLike", "Axes", "Batch", "Comm", "DType", "Data", "Decorator", "Examples", "Figure",
    "FilePath", "Hook", "Index", "Indexable", "Initializer", "Leaf", "Loader", "Loss", "Metric", "Metrics",
    "Operand", "Operands", "Operation", "Optimizer", "Parameters", "Print", "Rows", "Settings", "Shape", "State",
    "Trainable", "Tree",
]  # fmt: skip

DType: TypeAlias = DTypeLike | None  # an argument; None is the default dtype
State: TypeAlias = dict[str, Any]  # as returned by `state_dict`
Print: TypeAlias = Callable[[str], None]  # the function that receives the lines of a report
Settings: TypeAlias = dict[str, Any]  # options and results by name, as in a JSON file
FilePath: TypeAlias = str | os.PathLike[str]
Figure: TypeAlias = Any  # of matplotlib, which has no annotations
Axes: TypeAlias = Any  # of matplotlib

Leaf: TypeAlias = Tensor | Value
Parameters: TypeAlias = Leaf | Iterable[Leaf]  # an argument: one parameter or several
Trainable: TypeAlias = Leaf | Array  # an attribute of a module: a parameter, or an array of `Value`s
Initializer: TypeAlias = Callable[..., Tensor]
Hook: TypeAlias = Callable[..., Any]  # of a module and its arguments, outputs or gradients; see `Module`
Loss: TypeAlias = Callable[..., Operand]  # of outputs and targets
Metric: TypeAlias = Callable[[Operand, Operand], float]  # of outputs and targets
Metrics: TypeAlias = str | Metric | Sequence[str | Metric] | Mapping[str, str | Metric]

Rows: TypeAlias = Sequence[int] | Array  # indices of rows
Index: TypeAlias = int | slice | Array
Batch: TypeAlias = Sequence[Operand]  # inputs, and the target last
Loader: TypeAlias = Iterable[Batch]
Comm: TypeAlias = Any  # a communicator of mpi4py, or another object with the methods of `optim.distributed.Alone`


class Indexable(Protocol):
    """A data set: `nn.data.Dataset`, or any object with rows and a length."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


Examples: TypeAlias = Loader | Indexable | Sequence[ArrayLike]  # an argument: batches, a data set, or (X, y)


class Optimizer(Protocol):
    """The part of an optimizer that training uses."""

    param_groups: list[dict[str, Any]]

    def zero_grad(self) -> None:
        """Clear the gradients."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters."""

    def state_dict(self) -> State:
        """Return everything needed to continue."""

    def load_state_dict(self, state_dict: State) -> None:
        """Restore a `state_dict`."""
