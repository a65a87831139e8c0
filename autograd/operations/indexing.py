"""Indexing, and its adjoint: elements taken out of an array, and values added into one."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd.extend import PRIMITIVES, apply, linear, primitive, raw_data, shape_of
from autograd.graph import Node
from autograd.operands import holds_objects, operand
from autograd.typing import Array, DType, Operand, Shape

from .elementwise import add
from .shaping import axes_of, flat_or_axis, shape_tuple

Index: TypeAlias = Any  # an int, slice, None, Ellipsis, array_like, integer Tensor, or a tuple of these


def _position(part: Index) -> Index:
    """Return one part of an index as recorded: nodes and slices unchanged, lists as arrays, integers as int."""
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
        raise _no_index(part, array.dtype)
    return array


def _whole(part: Index) -> Index:
    """Return a recorded part of an index as NumPy accepts it: a Tensor such as ``Tensor([0, 2])`` holds floats."""
    if isinstance(part, np.ndarray) and part.dtype.kind == "f" and np.all(part == np.floor(part)):
        return part.astype(np.intp)
    if isinstance(part, float) or (isinstance(part, np.ndarray) and part.dtype.kind == "f"):
        raise _no_index(part, np.asarray(part).dtype)
    return part


def _no_index(part: Index, dtype: DType) -> IndexError:
    return IndexError(f"expected integers, booleans, slices, None or ... as index, got {part!r:.60} (dtype {dtype})")


def getitem(x: Operand, index: Index) -> Operand:
    """Return elements of `x` by NumPy's basic or advanced indexing.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    index : int, slice, None, Ellipsis, array_like of int or bool, integer Tensor, or a tuple of these
        The index.

    Returns
    -------
    Tensor or ndarray
        The selected elements.

    Raises
    ------
    IndexError
        If the index does not fit the shape.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> getitem(x, [0, 0, 2]).sum().backward()
    >>> x.grad
    array([2., 0., 1.])
    """
    return _indexed("getitem", x, index)


@primitive(lambda g, y, x, index: scatter(g, index, shape_of(x)), symbol="[]")
def element(x: Operand, index: Shape = ()) -> float:
    """Return one element of an array as a float.

    >>> element([[1.0, 2.0]], index=(0, 1))
    2.0
    """
    return float(x[index])


def elements(x: Operand) -> Array:
    """Return the elements of a node as an object array of `Value`s, through which gradients pass.

    Operations do this with a Tensor that meets an array of `Value`s.

    Examples
    --------
    >>> from autograd import Tensor
    >>> elements(Tensor([1.0, 2.0]))[1]
    Value(data=2.0, grad=0.0)
    """
    shape = shape_of(x)
    found = np.empty(shape or (), object)
    for index in np.ndindex(found.shape):
        found[index] = x if shape is None else element(x, index=index)
    return found


def _scattered(g: Operand, y: Operand, x: Operand, *index: Index) -> Operand:
    return apply(PRIMITIVES["scatter"], (g, *index), {"shape": shape_of(x)})


@linear(each=lambda i: None if i else _scattered, symbol="[]")
def _getitem(x: Operand, *index: Index) -> Operand:
    """Return elements of an array by an index in parts."""
    return x[tuple(map(_whole, index))]


def scatter(x: Operand, index: Index, shape: Shape | None) -> Operand:
    """Return zeros of `shape` with `x` added at `index`, where repeated indices accumulate: the adjoint of `getitem`.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values, of the shape that the index selects, or broadcasting to it.
    index : int, slice, None, Ellipsis, array_like of int or bool, integer Tensor, or a tuple of these
        Their positions in the result.
    shape : tuple of int
        The shape of the result.

    Returns
    -------
    Tensor or ndarray
        The filled array.

    Raises
    ------
    IndexError
        If the index does not fit `shape`.

    Examples
    --------
    >>> scatter([1.0, 2.0, 3.0], [0, 2, 2], (4,))
    array([1., 0., 5., 0.])
    """
    return _indexed("scatter", x, index, shape=shape)


def _indexed(name: str, x: Operand, index: Index, **params: object) -> Operand:
    """Apply `getitem` or `scatter` to an array and the parts of an index."""
    op, parts = PRIMITIVES[name], tuple(map(_position, index if isinstance(index, tuple) else (index,)))
    x = x if isinstance(x, Node) else operand(x, op)
    if holds_objects(x) and name == "getitem":
        return x[tuple([_whole(raw_data(p)) for p in parts])]
    return apply(op, (x, *parts), params)


@linear(each=lambda i: None if i else lambda g, y, x, *index, shape: apply(PRIMITIVES["getitem"], (g, *index)))
def _scatter(x: Operand, *index: Index, shape: Shape | None = ()) -> Operand:
    """Return zeros with values added at an index in parts."""
    zeros, index = np.zeros_like(x, shape=shape or ()), tuple(map(_whole, index))
    if all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in index):
        zeros[index] = x
    else:
        np.add.at(zeros, index, x)
    return zeros


def index_add(x: Operand, index: Index, values: Operand) -> Operand:
    """Return `x` with `values` added at `index`: ``x[index] += values``, as a new array.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    index : int, slice, None, Ellipsis, array_like of int or bool, integer Tensor, or a tuple of these
        The positions; repeated ones accumulate.
    values : float, array_like, Value or Tensor
        The values to add.

    Returns
    -------
    Tensor or ndarray
        The sum; `x` is not modified.

    Examples
    --------
    >>> index_add([1.0, 1.0, 1.0], [0, 0, 2], [1.0, 2.0, 3.0])
    array([4., 1., 4.])
    """
    return add(x, scatter(values, index, shape_tuple(x)))


def take(x: Operand, indices: Operand, axis: int | None = None) -> Operand:
    """Return elements along an axis, or of the flat array, by their indices.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    indices : int, array_like of int or integer Tensor
        The indices; negative ones count from the end.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    Tensor or ndarray
        The selected elements, with the shape of `indices` in place of the axis.

    Examples
    --------
    >>> take([[1.0, 2.0], [3.0, 4.0]], [1, 1], axis=0)
    array([[3., 4.],
           [3., 4.]])
    """
    x, axis = flat_or_axis(x, axis)
    return getitem(x, (slice(None),) * axis + (indices,))


def take_along_axis(x: Operand, indices: Operand, axis: int | None = -1) -> Operand:
    """Return elements along an axis by indices that may differ between rows, such as those of `argsort`.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    indices : array_like of int or integer Tensor
        The indices, with as many axes as `x`; lengths agree or are 1, except along `axis`.
    axis : int, optional
        The axis; None for the flat array.

    Returns
    -------
    Tensor or ndarray
        The selected elements, of the shape of `indices`.

    Examples
    --------
    >>> take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1)
    array([[2.],
           [3.]])
    """
    x, axis = flat_or_axis(x, axis)
    shape = shape_tuple(x)
    if len(given := shape_tuple(indices)) != len(shape):
        raise ValueError(f"take_along_axis expected indices with as many axes as {shape}, got shape {given}")
    grid = [np.arange(n).reshape([-1 if j == i else 1 for j in range(len(shape))]) for i, n in enumerate(shape)]
    return getitem(x, (*grid[:axis], indices, *grid[axis + 1 :]))


def flip(x: Operand, axis: int | Sequence[int] | None = None) -> Operand:
    """Reverse the order of elements along all axes, or the given ones.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    axis : int or sequence of int, optional
        The axes to reverse.

    Returns
    -------
    Tensor or ndarray
        The reversed array.

    Examples
    --------
    >>> flip([1.0, 2.0, 3.0])
    array([3., 2., 1.])
    """
    ndim = len(shape_tuple(x))
    axes = axes_of(axis, ndim)
    return getitem(x, tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(ndim)))
