"""Types of arguments and results of `nn`, for annotations; `autograd.typing` has those of operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy.typing as npt

from autograd import Tensor, Value
from autograd.typing import Array, Operand

__all__ = ["DType", "Hook", "Initializer", "Leaf", "Metric", "Parameters", "Trainable"]

DType: TypeAlias = npt.DTypeLike | None  # an argument; None is the default dtype

Leaf: TypeAlias = Tensor | Value
Parameters: TypeAlias = Leaf | Iterable[Leaf]  # an argument: one parameter or several
Trainable: TypeAlias = Leaf | Array  # an attribute of a module: a parameter, or an array of `Value`s
Initializer: TypeAlias = Callable[..., Tensor]
Hook: TypeAlias = Callable[..., Any]  # of a module and its arguments, outputs or gradients; see `Module`
Metric: TypeAlias = Callable[[Operand, Operand], float]  # of outputs and targets
