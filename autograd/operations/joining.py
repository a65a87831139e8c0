"""Functions that join, split, pad, choose, rotate and fill arrays, as NumPy's functions of the same names."""

import math
from collections.abc import Callable, Iterator, Sequence
from operator import index
from typing import Any

import numpy as np

from autograd.extend import linear, shape_of
from autograd.graph import Node
from autograd.typing import ArrayLike, Operand, Operation, Shape

from .comparing import where
from .elementwise import subtract
from .indexing import flip, getitem, scatter, take
from .shaping import axes_of, broadcast_to, flat_or_axis, in_dtype_of, moveaxis, reshape, shape_tuple, transpose


def concatenate(arrays: Sequence[Operand], axis: int | None = 0) -> Operand:
    """Join arrays along an existing axis.

    Parameters
    ----------
    arrays : sequence of array_like or Tensor
        At least one array; the shapes agree except along `axis`.
    axis : int or None
        The axis; None joins the flat arrays.

    Returns
    -------
    Tensor or ndarray
        The joined array.

    Examples
    --------
    >>> concatenate([[1.0], [2.0, 3.0]])
    array([1., 2., 3.])
    """
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    return _concatenate(*arrays, axis=axis)


def _slice_of_part(i: int) -> Operation:
    def adjoint(g: Operand, y: Operand, *xs: Operand, axis: int) -> Operand:
        lengths = [(shape_of(x) or (1,))[axis] for x in xs[: i + 1]]
        end = int(np.sum(lengths))
        return getitem(g, (slice(None),) * (axis % len(shape_of(y) or (1,))) + (slice(end - lengths[-1], end),))

    return adjoint


def rearranged(function: Operation, *arrays: Operand) -> Operand:
    """Return the elements of arrays where a function of NumPy that only moves elements moves their positions."""
    sizes = [math.prod(shape_tuple(x)) for x in arrays]
    places = [np.arange(end - n, end) for n, end in zip(sizes, np.cumsum(sizes), strict=True)]
    moved = function(*[place.reshape(shape_tuple(x)) for place, x in zip(places, arrays, strict=True)])
    flat = concatenate(arrays, None) if len(arrays) > 1 else reshape(arrays[0], (-1,))
    return reshape(getitem(flat, np.ravel(moved)), moved.shape)  # np.add.at is fastest for vectors


@linear(each=_slice_of_part, joint=True, into=lambda *xs, axis, out: np.concatenate(xs, axis, out))
def _concatenate(*xs: Operand, axis: int = 0) -> Operand:
    """Join arrays along an existing axis."""
    return np.concatenate(xs, axis)


def stack(arrays: Sequence[Operand], axis: int = 0) -> Operand:
    """Join arrays of one shape, or `Value`s, along a new axis.

    Parameters
    ----------
    arrays : sequence of array_like, Tensor or Value
        At least one array; the shapes agree.
    axis : int
        The position of the new axis in the result.

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


@linear(each=lambda i: lambda g, y, *xs, axis: take(g, i, axis), joint=True)
def _stack(*xs: Operand, axis: int = 0) -> Operand:
    """Join arrays of one shape along a new axis."""
    return np.stack(xs, axis)


def split(x: Operand, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Operand]:
    """Split an array into parts along an axis.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    indices_or_sections : int or sequence of int
        The number of equal parts, or the indices at which to split.
    axis : int
        The axis.

    Returns
    -------
    list of ndarray or Tensor
        The parts.

    Raises
    ------
    ValueError
        If the length is not a multiple of the number of parts.

    Examples
    --------
    >>> [part.tolist() for part in split(np.arange(4.0), 2)]
    [[0.0, 1.0], [2.0, 3.0]]
    """
    return _parts(np.split, x, indices_or_sections, axis)


def _parts(split: Operation, x: Operand, cuts: Any, axis: int) -> list[Operand]:
    """Return slices along an axis; NumPy's `split` decides on their lengths."""
    (axis,) = axes_of(axis, len(shape_tuple(x)))
    if isinstance(cuts, (int, np.integer)):
        length = shape_tuple(x)[axis]
        if split is np.split and (cuts < 1 or length % cuts):
            raise ValueError(f"split cannot divide axis {axis} of length {length} into {cuts} equal parts")
        cuts = np.cumsum([len(part) for part in split(np.empty(length), cuts)])[:-1].tolist()
    return [getitem(x, (*(slice(None),) * axis, slice(a, b))) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]


def array_split(x: Operand, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Operand]:
    """Split an array into parts along an axis, of lengths that differ by at most one.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    indices_or_sections : int or sequence of int
        The number of parts, or the indices at which to split.
    axis : int
        The axis.

    Returns
    -------
    list of ndarray or Tensor
        The parts, the longer ones first.

    Examples
    --------
    >>> [part.tolist() for part in array_split(np.arange(5.0), 2)]
    [[0.0, 1.0, 2.0], [3.0, 4.0]]
    """
    return _parts(np.array_split, x, indices_or_sections, axis)


def hsplit(x: Operand, indices_or_sections: int | Sequence[int]) -> list[Operand]:
    """Split an array along the second axis, a vector along its only axis; see `split`.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    indices_or_sections : int or sequence of int
        The number of equal parts, or the indices at which to split.

    Returns
    -------
    list of ndarray or Tensor
        The parts.

    Examples
    --------
    >>> [part.tolist() for part in hsplit([[1.0, 2.0], [3.0, 4.0]], 2)]
    [[[1.0], [3.0]], [[2.0], [4.0]]]
    """
    return split(x, indices_or_sections, min(1, len(shape_tuple(x)) - 1))


def vsplit(x: Operand, indices_or_sections: int | Sequence[int]) -> list[Operand]:
    """Split an array along the first axis; see `split`.

    Parameters
    ----------
    x : array_like or Tensor
        An array of at least two axes.
    indices_or_sections : int or sequence of int
        The number of equal parts, or the indices at which to split.

    Returns
    -------
    list of ndarray or Tensor
        The parts.

    Examples
    --------
    >>> [part.tolist() for part in vsplit([[1.0, 2.0], [3.0, 4.0]], 2)]
    [[[1.0, 2.0]], [[3.0, 4.0]]]
    """
    return split(x, indices_or_sections, 0)


def dsplit(x: Operand, indices_or_sections: int | Sequence[int]) -> list[Operand]:
    """Split an array along the third axis; see `split`.

    Parameters
    ----------
    x : array_like or Tensor
        An array of at least three axes.
    indices_or_sections : int or sequence of int
        The number of equal parts, or the indices at which to split.

    Returns
    -------
    list of ndarray or Tensor
        The parts.

    Examples
    --------
    >>> [part.shape for part in dsplit(np.zeros((2, 2, 4)), 2)]
    [(2, 2, 2), (2, 2, 2)]
    """
    return split(x, indices_or_sections, 2)


def repeat(x: Operand, repeats: int | Sequence[int], axis: int | None = None) -> Operand:
    """Repeat each element `repeats` times, along `axis` or in the flat array.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The array.
    repeats : int or sequence of int
        The number of repetitions, of all elements or of each.
    axis : int, optional
        The axis; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The larger array.

    Examples
    --------
    >>> repeat([1.0, 2.0], 2)
    array([1., 1., 2., 2.])
    """
    if np.ndim(repeats):
        return rearranged(lambda places: np.repeat(places, repeats, axis), x)
    x, axis = flat_or_axis(x, axis)
    return _copied(x, repeats, axis, axis + 1)


def _copied(x: Operand, count: Any, axis: int, new: int) -> Operand:
    """Return copies of an array along a new axis, `axis` or the one after it, and merge the two."""
    count, shape = index(count), shape_tuple(x)
    wide = broadcast_to(reshape(x, (*shape[:new], 1, *shape[new:])), (*shape[:new], count, *shape[new:]))
    return reshape(wide, (*shape[:axis], shape[axis] * count, *shape[axis + 1 :]))


def tile(x: Operand, reps: int | Sequence[int]) -> Operand:
    """Repeat the whole array along each axis.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The array.
    reps : int or sequence of int
        The number of repetitions along each axis, counted from the last.

    Returns
    -------
    ndarray or Tensor
        The larger array.

    Examples
    --------
    >>> tile([1.0, 2.0], 2)
    array([1., 2., 1., 2.])
    """
    counts, shape = np.ravel(reps), shape_tuple(x)
    x = reshape(x, (1,) * (len(counts) - len(shape)) + shape)
    for axis, count in enumerate(counts, len(shape_tuple(x)) - len(counts)):
        x = x if count == 1 else _copied(x, count, axis, axis)
    return x


@linear(lambda g, y, x, shift, axis: roll(g, np.negative(shift).tolist(), axis))
def roll(x: Operand, shift: int | Sequence[int] = 1, axis: int | Sequence[int] | None = None) -> Operand:
    """Shift elements along `axis`, or of the flat array, cyclically.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The array.
    shift : int or sequence of int
        The number of positions, or one for each axis.
    axis : int or sequence of int, optional
        The axes; the flat array by default.

    Returns
    -------
    ndarray or Tensor
        The shifted array.

    Examples
    --------
    >>> roll([1.0, 2.0, 3.0])
    array([3., 1., 2.])
    """
    shape = shape_tuple(x)
    for by, along in np.broadcast(shift, np.asarray(axis)):  # None as an array of one object
        x, a = flat_or_axis(x, along)
        before, cut = (slice(None),) * a, -by % (shape_tuple(x)[a] or 1)
        x = concatenate([getitem(x, (*before, slice(cut, None))), getitem(x, (*before, slice(cut)))], a)
    return reshape(x, shape)


@linear(
    lambda g, y, x, width: getitem(g, tuple(slice(a, a + n) for n, (a, _) in zip(shape_tuple(x), width, strict=True)))
)
def _pad(x: Operand, width: tuple[tuple[int, int], ...] = ()) -> Operand:
    """Return an array surrounded by zeros."""
    return np.pad(x, width)


def pad(x: Operand, pad_width: ArrayLike, mode: str = "constant", constant_values: float = 0.0) -> Operand:
    """Add a border to an array.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    pad_width : int, (before, after) or sequence of (before, after)
        The width on each side, for all axes or for each axis.
    mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}
        The values of the border, as in `numpy.pad`.
    constant_values : float
        The value of a border of mode 'constant'.

    Returns
    -------
    ndarray or Tensor
        The larger array.

    Examples
    --------
    >>> pad([1.0, 2.0], (1, 0))
    array([0., 1., 2.])
    >>> pad([1.0, 2.0, 3.0], 2, mode="reflect")
    array([3., 2., 1., 2., 3., 2., 1.])
    """
    if mode in ("edge", "reflect", "symmetric", "wrap"):
        return rearranged(lambda places: np.pad(places, pad_width, mode=mode), x)  # type: ignore[call-overload]
    if mode != "constant":
        raise ValueError(f"pad expected mode constant, edge, reflect, symmetric or wrap, got {mode!r}")
    shape = shape_tuple(x)
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu":
        raise TypeError(f"pad expected integers in pad_width, got {pad_width!r:.60}")
    pairs = np.broadcast_to(widths, (len(shape), 2)).tolist()
    padded = _pad(x, width=tuple((a, b) for a, b in pairs))
    return padded if constant_values == 0 else where(np.pad(np.ones(shape, bool), pairs), padded, constant_values)


# ----------------------------------------------------------------------------------------------- inserting and removing


def _each(arrays: tuple[Operand, ...], function: Operation) -> Any:
    """Return the arrays in the shapes that a function of NumPy gives them; one array alone without a list."""
    found = [reshape(x, function(np.empty(shape_tuple(x))).shape) for x in arrays]
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
    return _each(arrays, np.atleast_1d)


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
    return _each(arrays, np.atleast_2d)


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
    return _each(arrays, np.atleast_3d)


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
    return concatenate([atleast_2d(x) for x in tup], 0)


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
    arrays = [atleast_1d(x) for x in tup]
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
    return concatenate([atleast_3d(x) for x in tup], 2)


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

    def nested(part: Operand, leaves: Iterator[Operand]) -> Operand:
        return [nested(x, leaves) for x in part] if isinstance(part, list) else next(leaves)

    return rearranged(lambda *parts: np.block(nested(arrays, iter(parts))), *_leaves(arrays))


def _leaves(part: Operand) -> list[Operand]:
    return [leaf for x in part for leaf in _leaves(x)] if isinstance(part, list) else [part]


def _positions(obj: Any) -> Any:
    """Return positions without nodes, for which NumPy would call the functions of this module again."""
    return np.asarray(obj) if isinstance(obj, Node) else obj


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
    return rearranged(lambda places, new: np.insert(places, _positions(obj), new, axis), x, in_dtype_of(x, values))


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
    return rearranged(lambda places: np.delete(places, _positions(obj), axis), x)


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
    return rearranged(lambda places: np.compress(_positions(condition), places, axis), x)


# --------------------------------------------------------------------------------------- choosing, rotating and filling


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
    return rearranged(lambda *parts: np.choose(np.asarray(index), parts), *choices)


def diagonal(x: Operand, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Operand:
    """Return the diagonal of the matrices along two axes.

    Parameters
    ----------
    x : array_like or Tensor
        An array of at least two axes.
    offset : int
        The distance from the main diagonal; above it if positive.
    axis1, axis2 : int
        The axes of the rows and of the columns.

    Returns
    -------
    Tensor or ndarray
        The diagonals, along the last axis.

    Examples
    --------
    >>> diagonal([[1.0, 2.0], [3.0, 4.0]])
    array([1., 4.])
    """
    return rearranged(lambda places: np.diagonal(places, offset, axis1, axis2), x)


def diag(x: Operand, k: int = 0) -> Operand:
    """Return the diagonal of a matrix, or the matrix that has a vector on its diagonal.

    Parameters
    ----------
    x : array_like or Tensor
        A matrix or a vector.
    k : int
        The diagonal: 0 for the main one, above it if positive.

    Returns
    -------
    Tensor or ndarray
        The vector or the square matrix.

    Examples
    --------
    >>> diag([1.0, 2.0])
    array([[1., 0.],
           [0., 2.]])
    """
    shape = shape_tuple(x)
    if len(shape) == 2:
        return diagonal(x, k)
    if len(shape) != 1:
        raise ValueError(f"diag expected a vector or a matrix, got shape {shape}")
    i, n = np.arange(shape[0]), shape[0] + abs(k)
    return scatter(x, (i + max(0, -k), i + max(0, k)), (n, n))


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
    if k % 2:
        return flip(moveaxis(x, (first, second), (second, first)), first if k % 4 == 1 else second)
    return flip(x, axes) if k % 4 else x


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
    numbered = np.empty(range(len(shape_tuple(x))))  # axis i has length i, so a shape is an order of axes
    return transpose(x, np.rollaxis(numbered, axis, start).shape)


def fftshift(x: Operand, axes: int | Sequence[int] | None = None) -> Operand:
    """Move the element of frequency zero to the middle of all axes, or of the given ones.

    Parameters
    ----------
    x : array_like or Tensor
        The array, in the order of a discrete Fourier transform.
    axes : int or sequence of int, optional
        The axes to shift.

    Returns
    -------
    ndarray or Tensor
        The array in ascending order of frequencies.

    Examples
    --------
    >>> fftshift([0.0, 1.0, -2.0, -1.0])
    array([-2., -1.,  0.,  1.])
    """
    axes = axes_of(axes, len(shape_tuple(x)))
    return roll(x, [shape_tuple(x)[a] // 2 for a in axes], axes)


def ifftshift(x: Operand, axes: int | Sequence[int] | None = None) -> Operand:
    """Move the element in the middle of all axes, or of the given ones, to the front: the inverse of `fftshift`.

    Parameters
    ----------
    x : array_like or Tensor
        The array, in ascending order of frequencies.
    axes : int or sequence of int, optional
        The axes to shift.

    Returns
    -------
    ndarray or Tensor
        The array in the order of a discrete Fourier transform.

    Examples
    --------
    >>> ifftshift([-2.0, -1.0, 0.0, 1.0])
    array([ 0.,  1., -2., -1.])
    """
    axes = axes_of(axes, len(shape_tuple(x)))
    return roll(x, [-(shape_tuple(x)[a] // 2) for a in axes], axes)


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
    shape = np.broadcast_shapes(shape_tuple(start), shape_tuple(stop))
    span = subtract(stop, start)
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
