"""Operations that join, split, repeat, roll and pad arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from autograd.rules import linear, shape_of
from autograd.typing import Operand, Operation

from .comparing import where
from .indexing import getitem, take
from .shaping import axes_of, broadcast_to, expand_dims, flat_or_axis, reshape, shape_tuple


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
    shape = shape_tuple(x)
    (axis,) = axes_of(axis, len(shape))
    cuts = indices_or_sections
    if isinstance(cuts, (int, np.integer)):
        if cuts < 1 or shape[axis] % cuts:
            raise ValueError(f"split cannot divide axis {axis} of length {shape[axis]} into {cuts} equal parts")
        cuts = range(shape[axis] // cuts, shape[axis], max(1, shape[axis] // cuts)) if shape[axis] else [0] * (cuts - 1)
    before = (slice(None),) * axis
    ends = [*cuts, None]
    return [getitem(x, (*before, slice(a, b))) for a, b in zip([0, *cuts], ends, strict=True)]


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
    cuts = indices_or_sections
    if isinstance(cuts, (int, np.integer)):
        length = shape_tuple(x)[axis]
        cuts = np.cumsum([length // cuts + (i < length % cuts) for i in range(cuts)])[:-1].tolist()
    return split(x, cuts, axis)


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
    x, axis = flat_or_axis(x, axis)
    shape = shape_tuple(x)
    if not isinstance(repeats, (int, np.integer)):
        return take(x, np.repeat(np.arange(shape[axis]), repeats), axis)
    if repeats < 0:
        raise ValueError(f"repeat expected a count of 0 or more, got {repeats}")
    before, after = shape[: axis + 1], shape[axis + 1 :]
    spread = broadcast_to(expand_dims(x, axis + 1), (*before, repeats, *after))
    return reshape(spread, (*shape[:axis], shape[axis] * repeats, *after))


def _rolled(x: Operand, shift: int | Sequence[int], axis: int | Sequence[int] | None) -> Operand:
    """Return the same as `roll`, composed of slices."""
    if axis is None:
        return reshape(_rolled(reshape(x, (-1,)), shift, 0), shape_tuple(x))
    for by, a in np.broadcast(shift, axis):
        before, cut = (slice(None),) * (a % x.ndim), -by % x.shape[a]
        x = _concatenate(getitem(x, (*before, slice(cut, None))), getitem(x, (*before, slice(None, cut))), axis=int(a))
    return x


@linear(
    lambda g, y, x, shift, axis: roll(g, tuple(-s for s in np.atleast_1d(shift)), _as_many(axis, shift)),
    composition=_rolled,
)
def roll(x: Operand, shift: int | Sequence[int] = 1, axis: int | Sequence[int] | None = None) -> Operand:
    """Shift elements along `axis`, or of the flat array, cyclically.

    >>> roll([1.0, 2.0, 3.0])
    array([3., 1., 2.])
    """
    return x if type(x) is float else np.roll(x, shift, axis)


def _as_many(axis: int | Sequence[int] | None, shift: int | Sequence[int]) -> int | Sequence[int] | None:
    """Return one axis per shift, as `np.roll` requires for a tuple of shifts."""
    return (axis,) * len(np.atleast_1d(shift)) if isinstance(axis, (int, np.integer)) else axis


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
    shape = shape_tuple(x)
    pairs = np.broadcast_to(np.asarray(pad_width, dtype=int), (len(shape), 2)).tolist()
    if np.min(pairs, initial=0) < 0:
        raise ValueError(f"pad expected widths of 0 or more, got {pad_width!r}")
    if mode == "constant":
        width = tuple((int(a), int(b)) for a, b in pairs)
        padded = _pad(x, width)
        return padded if constant_values == 0 else where(np.pad(np.ones(shape, bool), width), padded, constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad expected mode constant, edge, reflect, symmetric or wrap, got {mode!r}")
    for axis, pair in enumerate(pairs):
        if any(pair):
            x = take(x, np.pad(np.arange(shape[axis]), pair, mode=mode), axis)  # type: ignore[call-overload]
    return x
