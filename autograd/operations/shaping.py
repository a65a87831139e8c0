"""Operations that arrange numbers without changing them: all linear, so each states its adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.rules import linear, shape_of

from .broadcasting import broadcast_to


def shape_tuple(x: Any) -> tuple[int, ...]:
    """Return the shape of a node, number, array or nested list."""
    return np.shape(x._data if isinstance(x, Node) else x)


def axis_number(axis: int, ndim: int) -> int:
    """Return an axis counted from the front, or raise as NumPy does."""
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


@linear(lambda g, y, x, shape: reshape(g, shape_of(x)))
def reshape(x: Any, shape: Any = ()) -> Any:
    """Arrange the same numbers in another shape; one length may be -1.

    >>> reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    array([[1., 2.],
           [3., 4.]])
    """
    return float(np.reshape(x, ())) if shape is None else np.reshape(x, shape)


@linear(lambda g, y, x, axes: transpose(g, None if axes is None else tuple(np.argsort(axes))))
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Put the axes in another order, reversed by default.

    >>> transpose([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 3.],
           [2., 4.]])
    """
    return np.transpose(x, axes)


@linear(lambda g, y, x, axis1, axis2: swapaxes(g, axis1, axis2))
def swapaxes(x: Any, axis1: int = -1, axis2: int = -2) -> Any:
    """Two axes exchanged; by default the matrix transpose of the last two.

    >>> swapaxes(np.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    return np.swapaxes(x, axis1, axis2)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """Move axes to other places; the rest keep their order.

    Parameters
    ----------
    x : array_like or Tensor
        What to rearrange.
    source, destination : int or sequence of int
        Where the axes stand, and where they shall stand.

    Returns
    -------
    ndarray or Tensor
        The same numbers.

    Examples
    --------
    >>> moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(shape_tuple(x))
    old = [axis_number(a, ndim) for a in np.atleast_1d(source)]
    new = [axis_number(a, ndim) for a in np.atleast_1d(destination)]
    if len(old) != len(new) or len(set(old)) < len(old) or len(set(new)) < len(new):
        raise ValueError(f"moveaxis needs as many source as destination axes, none twice, not {source}, {destination}")
    order = [a for a in range(ndim) if a not in old]
    for place, a in sorted(zip(new, old, strict=True)):
        order.insert(place, a)
    return transpose(x, tuple(order))


def expand_dims(x: Any, axis: int | Sequence[int]) -> Any:
    """Insert axes of length 1 that stand at `axis` in the result.

    Parameters
    ----------
    x : array_like, Tensor or Value
        What to extend.
    axis : int or sequence of int
        Where the new axes stand.

    Returns
    -------
    ndarray or Tensor
        The same numbers.

    Examples
    --------
    >>> expand_dims([1.0, 2.0], 1)
    array([[1.],
           [2.]])
    """
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    ndim = len(shape_tuple(x)) + len(axes)
    places = {axis_number(a, ndim) for a in axes}
    if len(places) < len(axes):
        raise ValueError(f"expand_dims was given an axis twice: {axis}")
    lengths = iter(shape_tuple(x))
    return reshape(x, tuple(1 if i in places else next(lengths) for i in range(ndim)))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Leave out axes of length 1: all of them, or those given.

    Parameters
    ----------
    x : array_like, Tensor or Value
        What to reduce.
    axis : int or sequence of int, optional
        Which axes to leave out.

    Returns
    -------
    ndarray or Tensor
        The same numbers.

    Raises
    ------
    ValueError
        If a given axis has another length.

    Examples
    --------
    >>> squeeze([[1.0], [2.0]])
    array([1., 2.])
    """
    shape = shape_tuple(x)
    given = () if axis is None else (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = {i for i, n in enumerate(shape) if n == 1} if axis is None else {axis_number(a, len(shape)) for a in given}
    if long := [i for i in sorted(axes) if shape[i] != 1]:
        raise ValueError(f"squeeze leaves out axes of length 1 only; axis {long[0]} of shape {shape} is longer")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes))


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Join the axes from `start_dim` to `end_dim` into one.

    Parameters
    ----------
    x : array_like, Tensor or Value
        What to flatten.
    start_dim, end_dim : int
        The first and the last axis to join.

    Returns
    -------
    ndarray or Tensor
        The same numbers.

    Examples
    --------
    >>> flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    shape = shape_tuple(x) or (1,)
    start, end = axis_number(start_dim, len(shape)), axis_number(end_dim, len(shape))
    joined = 1
    for n in shape[start : end + 1]:
        joined *= n
    return reshape(x, (*shape[:start], joined, *shape[end + 1 :]))


# ------------------------------------------------------------------------------------------------ repeating


def tile(x: Any, reps: int | Sequence[int]) -> Any:
    """Repeat the whole array `reps` times along each axis.

    Parameters
    ----------
    x : array_like, Tensor or Value
        What to repeat.
    reps : int or sequence of int
        How often along each axis, counted from the last.

    Returns
    -------
    ndarray or Tensor
        The repeated numbers.

    Examples
    --------
    >>> tile([1.0, 2.0], 2)
    array([1., 2., 1., 2.])
    """
    times = (reps,) if isinstance(reps, (int, np.integer)) else tuple(reps)
    shape = shape_tuple(x)
    ndim = max(len(times), len(shape))
    shape, times = (1,) * (ndim - len(shape)) + shape, (1,) * (ndim - len(times)) + times
    apart = reshape(x, tuple(n for length in shape for n in (1, length)))
    spread = broadcast_to(apart, tuple(n for pair in zip(times, shape, strict=True) for n in pair))
    return reshape(spread, tuple(r * n for r, n in zip(times, shape, strict=True)))


# ------------------------------------------------------------------------------------------- parts of matrices


@linear(lambda g, y, x, k: tril(g, k))
def tril(x: Any, k: int = 0) -> Any:
    """Lower triangle of the last two axes, zeros above diagonal `k`.

    >>> tril([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 0.],
           [3., 4.]])
    """
    return np.tril(x, k)


@linear(lambda g, y, x, k: triu(g, k))
def triu(x: Any, k: int = 0) -> Any:
    """Upper triangle of the last two axes, zeros below diagonal `k`.

    >>> triu([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [0., 4.]])
    """
    return np.triu(x, k)
