"""Types of arguments and results, for annotations.

Those equal to `Any` stand for several classes with operators, such as ``float | Array | Node``: type checkers refuse
an operator of a union that one of its members lacks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike as ArrayLike, DTypeLike as DTypeLike
else:  # as at runtime nothing depends on them, and `numpy.typing` takes 2 ms to load
    ArrayLike = DTypeLike = Any

Array: TypeAlias = np.ndarray[Any, Any]
DType: TypeAlias = np.dtype[Any]
Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = int | tuple[int, ...] | None
Json: TypeAlias = "float | str | Sequence[Json] | Mapping[str, Json] | None"  # as `json.dumps` takes

Data: TypeAlias = Any  # a float or an array
Operand: TypeAlias = Any  # a float, an array, a `Value`, a `Tensor`, or an object array of `Value`s
Operands: TypeAlias = tuple[Operand, ...]
Cotangent: TypeAlias = Operand  # the gradient of the result with respect to a node
Tangent: TypeAlias = Operand  # the derivative of a node along a direction of the inputs
Tree: TypeAlias = Any  # an operand, or nested lists, tuples and dicts of operands

Params: TypeAlias = Mapping[str, Any]  # the keyword parameters of an operation
Operation: TypeAlias = Callable[..., Any]  # of operands and parameters; records if an operand is a node
Decorator: TypeAlias = Callable[[Operation], Operation]
Rule: TypeAlias = Callable[..., Any] | float | int | None  # a derivative; see `extend`
Function: TypeAlias = Callable[..., Any]  # of trees, written by the user
