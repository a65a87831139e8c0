"""Operations that move numbers without changing them: all linear, so each states its adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Node, apply
from .rules import PRIMITIVES, linear, operand, shape_of


@linear(lambda g, y, x, shape: reshape(g, shape_of(x)))
def reshape(x: Any, shape: Any = ()) -> Any:
    """Arrange the same numbers in another shape; one length may be -1."""
    return float(np.reshape(x, ())) if shape is None else np.reshape(x, shape)


@linear(lambda g, y, x, axes: transpose(g, None if axes is None else tuple(np.argsort(axes))))
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Put the axes in another order, reversed by default."""
    return np.transpose(x, axes)


@linear(lambda g, y, x, axis1, axis2: swapaxes(g, axis1, axis2))
def swapaxes(x: Any, axis1: int = -1, axis2: int = -2) -> Any:
    """Two axes exchanged; by default the matrix transpose of the last two."""
    return np.swapaxes(x, axis1, axis2)


# ------------------------------------------------------------------------------------------------ indexing


def _position(part: Any) -> Any:
    """Return one part of an index as recorded: nodes and slices as they are, lists as arrays, numbers as int."""
    if isinstance(part, (Node, slice)) or part is None or part is Ellipsis:
        return part
    if isinstance(part, (bool, np.bool_)):
        return np.asarray(part)
    if isinstance(part, (int, np.integer)):
        return int(part)
    array = np.asarray(part)
    if array.size == 0 and not isinstance(part, np.ndarray):
        array = array.astype(np.intp)
    if array.dtype.kind not in "iub":
        raise IndexError(
            f"an index must be integers, booleans, slices, None or ..., not {part!r:.60} (dtype {array.dtype})"
        )
    return array


def _is_basic(index: tuple[Any, ...]) -> bool:
    return all(not isinstance(part, np.ndarray) for part in index)


def getitem(x: Any, index: Any) -> Any:
    """Elements of `x` by NumPy's basic or advanced indexing.

    Parameters
    ----------
    x : array_like or Tensor
        What to choose from.
    index : int, slice, None, Ellipsis, array_like of int or bool, integer Tensor, or a tuple of these
        What to choose.

    Returns
    -------
    Tensor or ndarray
        The chosen elements.

    Raises
    ------
    IndexError
        Where the index does not fit.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> getitem(x, [0, 0, 2]).sum().backward()
    >>> x.grad
    array([2., 0., 1.])
    """
    op = PRIMITIVES["getitem"]
    parts = index if isinstance(index, tuple) else (index,)
    return apply(op, (x if isinstance(x, Node) else operand(x, op), *map(_position, parts)))


@linear(each=lambda i: None if i else lambda g, y, x, *index: put(g, index, shape_of(x)), symbol="[]")
def _getitem(x: Any, *index: Any) -> Any:
    """Elements of an array by an index in parts."""
    return x[tuple([p.astype(np.intp) if isinstance(p, np.ndarray) and p.dtype.kind == "f" else p for p in index])]


def put(x: Any, index: tuple[Any, ...], shape: Any) -> Any:
    """Zeros of `shape` with `x` added at `index`: the adjoint of `getitem`; repeated places add up."""
    op = PRIMITIVES["put"]
    return apply(op, (x, *index), {"shape": shape})


@linear(each=lambda i: None if i else lambda g, y, x, *index, shape: getitem(g, index))
def _put(x: Any, *index: Any, shape: Any = ()) -> Any:
    """Zeros with numbers added at an index in parts."""
    whole = np.zeros(shape, np.result_type(x))
    if _is_basic(index):
        whole[index] = x
    else:
        np.add.at(whole, index, x)
    return whole


# ------------------------------------------------------------------------------------------------- joining


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays along an axis they have.

    Parameters
    ----------
    arrays : sequence of array_like or Tensor
        At least one; shapes agree except along `axis`.
    axis : int
        Where to join.

    Returns
    -------
    Tensor or ndarray
        The joined array.

    Examples
    --------
    >>> concatenate([[1.0], [2.0, 3.0]])
    array([1., 2., 3.])
    """
    return _concatenate(*arrays, axis=axis)


def _slice_of_part(i: int) -> Any:
    def adjoint(g: Any, y: Any, *xs: Any, axis: int) -> Any:
        lengths = [(shape_of(x) or (1,))[axis] for x in xs[: i + 1]]
        end = int(np.sum(lengths))
        return getitem(g, (slice(None),) * (axis % len(shape_of(y) or (1,))) + (slice(end - lengths[-1], end),))

    return adjoint


@linear(each=_slice_of_part, joint=True)
def _concatenate(*xs: Any, axis: int = 0) -> Any:
    """Join arrays along an axis they have."""
    return np.concatenate(xs, axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Join arrays of one shape, or `Value`s, along a new axis.

    Parameters
    ----------
    arrays : sequence of array_like, Tensor or Value
        At least one, all of one shape.
    axis : int
        Where the new axis stands in the result.

    Returns
    -------
    Tensor or ndarray
        The joined array.

    Examples
    --------
    >>> from autograd import Value
    >>> stack([Value(1.0), Value(2.0)])
    Tensor([1., 2.], op=stack)
    """
    return _stack(*arrays, axis=axis)


def _part_of_stack(i: int) -> Any:
    def adjoint(g: Any, y: Any, *xs: Any, axis: int) -> Any:
        return getitem(g, (slice(None),) * (axis % len(shape_of(y) or (1,))) + (i,))

    return adjoint


@linear(each=_part_of_stack, joint=True)
def _stack(*xs: Any, axis: int = 0) -> Any:
    """Join arrays of one shape along a new axis."""
    return np.stack(xs, axis)
