"""Functions that choose, rotate and fill arrays and make grids, as NumPy's functions of the same names."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograd.typing import Operand, Shape

from .comparing import where
from .indexing import flip, getitem
from .joining import stack
from .shaping import axes_of, broadcast_to, lists_as_array, moveaxis, reshape, shape_tuple, swapaxes


def select(condlist: Sequence[Operand], choicelist: Sequence[Operand], default: Operand = 0.0) -> Operand:
    """Return for each element the first choice whose condition is true.

    Parameters
    ----------
    condlist : sequence of array_like of bool or Tensor
        The conditions.
    choicelist : sequence of array_like or Tensor
        As many choices.
    default : array_like, Tensor or Value
        The value where no condition is true.

    Returns
    -------
    ndarray or Tensor
        The selected values.

    Examples
    --------
    >>> x = np.arange(4.0)
    >>> select([x < 1, x > 2], [x, 10.0 * x], -1.0)
    array([ 0., -1., -1., 30.])
    """
    if len(condlist) != len(choicelist):
        raise ValueError(f"select expected as many choices as conditions, got {len(choicelist)} and {len(condlist)}")
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        default = where(condition, choice, default)
    return default


def choose(index: Any, choices: Sequence[Operand]) -> Operand:
    """Return for each element the choice that its index names.

    Parameters
    ----------
    index : array_like of int
        The index of a choice, for each element.
    choices : sequence of array_like or Tensor
        Arrays that broadcast to the shape of `index`.

    Returns
    -------
    ndarray or Tensor
        The chosen values.

    Examples
    --------
    >>> choose([1, 0], [[1.0, 2.0], [30.0, 40.0]])
    array([30.,  2.])
    """
    index = np.asarray(index)
    if index.size and not 0 <= index.min() <= index.max() < len(choices):
        raise ValueError(f"choose expected indices from 0 to {len(choices) - 1}, got {index.min()} to {index.max()}")
    return select([index == i for i in range(len(choices) - 1)], choices[:-1], choices[-1])


def fliplr(x: Operand) -> Operand:
    """Reverse the second axis.

    Parameters
    ----------
    x : array_like or Tensor
        An array of at least two axes.

    Returns
    -------
    ndarray or Tensor
        The reversed array.

    Examples
    --------
    >>> fliplr([[1.0, 2.0]])
    array([[2., 1.]])
    """
    return flip(x, 1)


def flipud(x: Operand) -> Operand:
    """Reverse the first axis.

    Parameters
    ----------
    x : array_like or Tensor
        The array.

    Returns
    -------
    ndarray or Tensor
        The reversed array.

    Examples
    --------
    >>> flipud([1.0, 2.0])
    array([2., 1.])
    """
    return flip(x, 0)


def rot90(x: Operand, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Operand:
    """Rotate by multiples of 90 degrees in the plane of two axes.

    Parameters
    ----------
    x : array_like or Tensor
        An array of at least two axes.
    k : int
        The number of quarter turns from the first axis towards the second.
    axes : pair of int
        The plane.

    Returns
    -------
    ndarray or Tensor
        The rotated array.

    Examples
    --------
    >>> rot90([[1.0, 2.0], [3.0, 4.0]])
    array([[2., 4.],
           [1., 3.]])
    """
    first, second = axes_of(axes, len(shape_tuple(x)))
    if k % 4 == 2:
        return flip(x, (first, second))
    if k % 2:
        return flip(swapaxes(x, first, second), first if k % 4 == 1 else second)
    return x


def rollaxis(x: Operand, axis: int, start: int = 0) -> Operand:
    """Move an axis to before the position `start`; `moveaxis` is usually clearer.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    axis, start : int
        The axis, and the axis before which it is placed.

    Returns
    -------
    ndarray or Tensor
        The transposed array.

    Examples
    --------
    >>> rollaxis(np.zeros((2, 3, 4)), 2).shape
    (4, 2, 3)
    """
    ndim = len(shape_tuple(x))
    (axis,) = axes_of(axis, ndim)
    start += ndim if start < 0 else 0
    return moveaxis(x, axis, start - (axis < start))


def full(shape: int | Shape, fill_value: Operand) -> Operand:
    """Return an array of a shape filled with a value, which may be a node.

    Parameters
    ----------
    shape : int or tuple of int
        The shape.
    fill_value : float, array_like, Value or Tensor
        The value; it broadcasts.

    Returns
    -------
    ndarray or Tensor
        The filled array.

    Examples
    --------
    >>> from autograd import Value
    >>> full((2,), Value(3.0))
    Tensor([3., 3.], op=broadcast_to)
    """
    return broadcast_to(fill_value, (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape))


def linspace(start: Operand, stop: Operand, num: int = 50, endpoint: bool = True, axis: int = 0) -> Operand:
    """Return evenly spaced values between two bounds, which may be nodes.

    Parameters
    ----------
    start, stop : float, array_like, Value or Tensor
        The bounds.
    num : int
        The number of values.
    endpoint : bool
        Whether `stop` is the last value.
    axis : int
        The position of the new axis.

    Returns
    -------
    ndarray or Tensor
        The values along a new axis.

    Examples
    --------
    >>> linspace(0.0, 1.0, 5)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    if num < 0:
        raise ValueError(f"linspace expected a number of values of 0 or more, got {num}")
    start, stop = lists_as_array(start), lists_as_array(stop)
    shape = np.broadcast_shapes(shape_tuple(start), shape_tuple(stop))
    span = stop - start
    part = np.linspace(0.0, 1.0, num, endpoint=endpoint).reshape(-1, *(1,) * len(shape))
    if getattr(span, "dtype", part.dtype).kind == "f":
        part = part.astype(getattr(span, "dtype", part.dtype))
    # As in NumPy, the last value is `stop` itself.
    found = where(part < 1.0, broadcast_to(start, shape) + span * part, broadcast_to(stop, shape))
    return moveaxis(found, 0, axis)


def meshgrid(*xi: Operand, indexing: str = "xy", sparse: bool = False) -> list[Operand]:
    """Return coordinate matrices from coordinate vectors.

    Parameters
    ----------
    *xi : array_like or Tensor
        The coordinates along each axis.
    indexing : {'xy', 'ij'}
        Whether the first vector runs along the second axis ('xy') or along the first.
    sparse : bool
        Return arrays of length 1 along the other axes, which broadcast.

    Returns
    -------
    list of ndarray or Tensor
        One array for each vector.

    Examples
    --------
    >>> [a.tolist() for a in meshgrid([1.0, 2.0], [3.0])]
    [[[1.0, 2.0]], [[3.0, 3.0]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid expected indexing 'xy' or 'ij', got {indexing!r}")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    grids = [reshape(x, (1,) * a + (-1,) + (1,) * (n - a - 1)) for x, a in zip(xi, order, strict=True)]
    shape = np.broadcast_shapes(*map(shape_tuple, grids)) if grids else ()
    return grids if sparse else [broadcast_to(x, shape) for x in grids]


def apply_along_axis(func1d: Callable[..., Operand], axis: int, x: Operand, *args: object, **kwargs: object) -> Operand:
    """Apply a function of vectors to every vector along an axis.

    Parameters
    ----------
    func1d : callable
        Takes a vector, and the further arguments; returns a number or an array.
    axis : int
        The axis.
    x : array_like or Tensor
        The array.
    *args, **kwargs
        Further arguments of `func1d`.

    Returns
    -------
    ndarray or Tensor
        The results, in place of the axis.

    Examples
    --------
    >>> apply_along_axis(np.sum, 0, np.ones((2, 3)))
    array([2., 2., 2.])
    """
    x = moveaxis(x, axis, -1)
    lead = shape_tuple(x)[:-1]
    (axis,) = axes_of(axis, len(lead) + 1)
    found = [func1d(getitem(x, index), *args, **kwargs) for index in np.ndindex(*lead)]
    inner = shape_tuple(found[0])
    joined = reshape(stack(found), (*lead, *inner))
    axes = tuple(range(len(lead), len(lead) + len(inner)))
    return moveaxis(joined, axes, tuple(range(axis, axis + len(inner))))
