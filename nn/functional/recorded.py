"""What layers and losses do with numbers outside of operations: now, and in each replay of what `compile` records.

A draw, a check, a mask made of class indices: none of them is an operation with a derivative, and all must happen
again when a recorded call is repeated with other numbers.  `computed` and `checked` take a function of plain arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Node
from autograd.extend import callback, check, is_recording, primitive, raw_data

__all__ = ["as_values", "checked", "computed", "floats", "holds_values", "numbers"]


def numbers(x: Any) -> Any:
    """Return the plain numbers of a node, an array or a list, for a look at their shape and dtype."""
    return raw_data(x) if isinstance(x, Node) else np.asarray(x)


def floats(x: Any) -> Any:
    """Return the plain numbers of a node, an array, or an array of `Value`s as an array without nodes."""
    array = np.asarray(numbers(x))
    if array.dtype != object:
        return array
    return np.array([float(raw_data(v)) for v in array.flat]).reshape(array.shape)


def holds_values(x: Any) -> bool:
    """Whether `x` is an array of `Value`s."""
    return isinstance(x, np.ndarray) and x.dtype == object


def computed(function: Callable[..., Any], *args: Any, like: Any = None) -> Any:
    """Return what a function makes of the plain numbers of `args`; no gradient passes.

    Parameters
    ----------
    function : callable
        Of as many arrays without nodes as there are `args`; returns an array or a float.
    *args : Tensor, Value, array_like
        Arrays of `Value`s as well.
    like : array_like, optional
        If this is an array of `Value`s, the result is one too while recording, where it would be a Tensor.

    Returns
    -------
    ndarray, float or node
        A node while `autograd.compile` records.

    Examples
    --------
    >>> from autograd import Tensor
    >>> computed(np.max, Tensor([1.0, 3.0]))
    np.float64(3.0)
    """
    if not is_recording():
        return function(*[floats(a) for a in args])
    found = callback(*_of_nodes(function, args))
    return as_values(found) if holds_values(like) else found


def checked(function: Callable[..., None], *args: Any) -> None:
    """Let a function look at the plain numbers of `args` and raise if they are wrong; as `computed` otherwise.

    Examples
    --------
    >>> checked(np.shape, [1.0])
    """
    if is_recording():
        check(*_of_nodes(function, args))
    else:
        function(*[floats(a) for a in args])


def _of_nodes(function: Callable[..., Any], args: tuple[Any, ...]) -> list[Any]:
    """Return the function and its arguments so that each of these is a node or an array of plain numbers."""
    parts: list[Any] = []
    shapes: list[tuple[int, ...] | None] = []
    for a in args:
        array: Any = a if isinstance(a, Node) else np.asarray(a)
        one_by_one = holds_values(array)
        parts += list(array.flat) if one_by_one else [array]
        shapes.append(array.shape if one_by_one else None)

    def together(*raw: Any) -> Any:
        given, rest = [], iter(raw)
        for shape in shapes:
            if shape is None:
                given.append(np.asarray(next(rest)))
            else:
                given.append(np.array([float(next(rest)) for _ in range(math.prod(shape))]).reshape(shape))
        return function(*given)

    together.__name__ = getattr(function, "__name__", "callback")
    return [together, *parts]


def _pull_number(g: Any, y: Any, x: Any, index: tuple[int, ...]) -> Any:
    there = np.zeros(np.shape(raw_data(x)))
    there[index] = 1.0
    return g * there


@primitive(_pull_number, symbol="[]")
def number_at(x: Any, index: tuple[int, ...] = ()) -> float:
    """One number of an array, as a float."""
    return float(x[index])


def as_values(x: Any) -> Any:
    """Return a Tensor as an array of `Value`s, each taken out of it by an operation.

    Examples
    --------
    >>> from autograd import Tensor
    >>> as_values(Tensor([1.0, 2.0]))[1]
    Value(data=2.0, grad=0.0)
    """
    array = np.empty(numbers(x).shape, object)
    for index in np.ndindex(array.shape):
        array[index] = number_at(x, index=index)
    return array
