"""Functions that join arrays, split them, and insert and remove parts, as NumPy's functions of the same names."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.typing import Operand, Shape

from .indexing import take
from .joining import concatenate
from .shaping import broadcast_to, flat_or_axis, in_dtype_of, moveaxis, reshape, shape_tuple


def _each(arrays: tuple[Operand, ...], shape: Callable[[Shape], Shape]) -> Any:
    """Return the arrays in the shapes that `shape` returns for theirs; one array alone without a list."""
    found = [reshape(x, shape(shape_tuple(x))) for x in arrays]
    return found[0] if len(found) == 1 else found


def atleast_1d(*arrays: Operand) -> Any:
    """Return arrays with at least one axis.

    Parameters
    ----------
    *arrays : array_like, Tensor or Value
        Numbers become vectors of one element.

    Returns
    -------
    ndarray or Tensor, or list of them
        One array, or a list if several are given.

    Examples
    --------
    >>> atleast_1d(3.0)
    array([3.])
    """
    return _each(arrays, lambda shape: shape or (1,))


def atleast_2d(*arrays: Operand) -> Any:
    """Return arrays with at least two axes.

    Parameters
    ----------
    *arrays : array_like, Tensor or Value
        Numbers and vectors become matrices of one row.

    Returns
    -------
    ndarray or Tensor, or list of them
        One array, or a list if several are given.

    Examples
    --------
    >>> atleast_2d([1.0, 2.0])
    array([[1., 2.]])
    """
    return _each(arrays, lambda shape: (1, 1, *shape)[max(0, min(2, len(shape))) :])


def atleast_3d(*arrays: Operand) -> Any:
    """Return arrays with at least three axes.

    Parameters
    ----------
    *arrays : array_like, Tensor or Value
        A vector of n elements gets the shape (1, n, 1), a matrix (m, n) the shape (m, n, 1).

    Returns
    -------
    ndarray or Tensor, or list of them
        One array, or a list if several are given.

    Examples
    --------
    >>> atleast_3d([1.0, 2.0]).shape
    (1, 2, 1)
    """
    return _each(
        arrays, lambda s: s if len(s) > 2 else (*s, 1) if len(s) == 2 else (1, *s, 1) if s else (1, 1, 1)
    )  # fmt: skip


def _as_list(found: Any) -> list[Operand]:
    return found if isinstance(found, list) else [found]


def vstack(tup: Sequence[Operand]) -> Operand:
    """Join arrays along the first axis; vectors are rows.

    Parameters
    ----------
    tup : sequence of array_like or Tensor
        Arrays of equal shape except along the first axis, or vectors of equal length.

    Returns
    -------
    ndarray or Tensor
        The joined array, with at least two axes.

    Examples
    --------
    >>> vstack([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]])
    """
    return concatenate(_as_list(atleast_2d(*tup)), 0)


def hstack(tup: Sequence[Operand]) -> Operand:
    """Join arrays along the second axis, vectors along their only axis.

    Parameters
    ----------
    tup : sequence of array_like or Tensor
        Arrays of equal shape except along that axis.

    Returns
    -------
    ndarray or Tensor
        The joined array.

    Examples
    --------
    >>> hstack([[1.0, 2.0], [3.0]])
    array([1., 2., 3.])
    """
    arrays = _as_list(atleast_1d(*tup))
    return concatenate(arrays, 0 if len(shape_tuple(arrays[0])) == 1 else 1)


def dstack(tup: Sequence[Operand]) -> Operand:
    """Join arrays along the third axis; see `atleast_3d`.

    Parameters
    ----------
    tup : sequence of array_like or Tensor
        Arrays of equal shape except along the third axis.

    Returns
    -------
    ndarray or Tensor
        The joined array, with at least three axes.

    Examples
    --------
    >>> dstack([[1.0, 2.0], [3.0, 4.0]]).shape
    (1, 2, 2)
    """
    return concatenate(_as_list(atleast_3d(*tup)), 2)


def column_stack(tup: Sequence[Operand]) -> Operand:
    """Join vectors as columns, and matrices along the second axis.

    Parameters
    ----------
    tup : sequence of array_like or Tensor
        Vectors of equal length, and matrices with as many rows.

    Returns
    -------
    ndarray or Tensor
        The matrix.

    Examples
    --------
    >>> column_stack([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 3.],
           [2., 4.]])
    """
    return concatenate([x if len(shape_tuple(x)) > 1 else reshape(x, (-1, 1)) for x in tup], 1)


def append(x: Operand, values: Operand, axis: int | None = None) -> Operand:
    """Join two arrays along an axis, or the flat arrays.

    Parameters
    ----------
    x, values : array_like, Tensor or Value
        The arrays; shapes agree except along `axis`.
    axis : int, optional
        The axis; the flat arrays by default.

    Returns
    -------
    ndarray or Tensor
        A new array.

    Examples
    --------
    >>> append([1.0, 2.0], 3.0)
    array([1., 2., 3.])
    """
    return concatenate([x, values], axis)


def block(arrays: Operand) -> Operand:
    """Assemble an array from nested lists of blocks, the innermost along the last axis.

    Parameters
    ----------
    arrays : nested list of array_like, Tensor or Value
        The blocks.

    Returns
    -------
    ndarray or Tensor
        The assembled array.

    Examples
    --------
    >>> block([[np.eye(2), np.zeros((2, 1))], [np.ones((1, 3))]])
    array([[1., 0., 0.],
           [0., 1., 0.],
           [1., 1., 1.]])
    """

    def depth_of(part: Operand) -> int:
        return 1 + depth_of(part[0]) if isinstance(part, list) else 0

    depth = depth_of(arrays)
    ndim = max(depth, *(len(shape_tuple(x)) for x in _leaves(arrays)))

    def assembled(part: Operand, level: int) -> Operand:
        if not isinstance(part, list):
            return reshape(part, (1,) * (ndim - len(shape_tuple(part))) + shape_tuple(part))
        return concatenate([assembled(x, level + 1) for x in part], level - depth)

    return assembled(arrays, 0)


def _leaves(part: Operand) -> list[Operand]:
    return [leaf for x in part for leaf in _leaves(x)] if isinstance(part, list) else [part]


def insert(x: Operand, obj: Any, values: Operand, axis: int | None = None) -> Operand:
    """Insert values before positions along an axis, or of the flat array.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    obj : int, slice or sequence of int
        The positions in `x`.
    values : array_like, Tensor or Value
        What to insert; it broadcasts to the positions.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The longer array.

    Examples
    --------
    >>> insert([1.0, 2.0, 3.0], 1, 9.0)
    array([1., 9., 2., 3.])
    """
    x, axis = flat_or_axis(x, axis)
    shape = shape_tuple(x)
    n = shape[axis]
    if isinstance(obj, (int, np.integer)):  # as in NumPy, the first axis of the values then becomes `axis`
        padded = (1,) * (len(shape) - len(shape_tuple(values))) + shape_tuple(values)
        values = moveaxis(reshape(values, padded), 0, axis)
        obj = [obj] * shape_tuple(values)[axis]
    count = np.arange(n)[obj].size if isinstance(obj, slice) else np.size(obj)
    added = broadcast_to(in_dtype_of(x, values), (*shape[:axis], count, *shape[axis + 1 :]))
    order = np.insert(np.arange(n), obj, n + np.arange(count))
    return take(concatenate([x, added], axis), order, axis)


def delete(x: Operand, obj: Any, axis: int | None = None) -> Operand:
    """Remove positions along an axis, or of the flat array.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    obj : int, slice, or sequence of int or bool
        The positions to remove.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The shorter array.

    Examples
    --------
    >>> delete([1.0, 2.0, 3.0], 1)
    array([1., 3.])
    """
    x, axis = flat_or_axis(x, axis)
    return take(x, np.delete(np.arange(shape_tuple(x)[axis]), obj), axis)


def compress(condition: Any, x: Operand, axis: int | None = None) -> Operand:
    """Return the positions along an axis, or of the flat array, at which a condition is true.

    Parameters
    ----------
    condition : array_like of bool
        The positions beyond its end are left out.
    x : array_like or Tensor
        The array.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The selected elements.

    Examples
    --------
    >>> compress([True, False, True], [1.0, 2.0, 3.0])
    array([1., 3.])
    """
    return take(x, np.flatnonzero(condition), axis)
