"""Broadcasting, rearranging the elements of an array, and shares of cotangents that a mask leaves out."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd.graph import Node
from autograd.recording import guard, raw_data
from autograd.rules import PRIMITIVES, Elementwise, Pullback, linear, nondifferentiable, shape_of, xp
from autograd.typing import Axis, Cotangent, Data, DTypeLike, Operand, Operands, Rule, Shape

from .comparing import isfinite, isnan, logical_or, not_equal, where


@linear(
    # a zero `g` that was taken has the derivative `x`, one that was not taken may have an infinite `x`
    lambda c, y, g, x: product_if_taken(c, where(logical_or(not_equal(g, 0), isfinite(x)), x, 0.0)),
    lambda c, y, g, x: product_if_taken(g, c),  # where `g` was not taken, `x` has no derivative either
    symbol="*", selects=True, scalar="where(g == 0.0, 0.0, x) * g", sample=((0.2, 2.0), (-2.0, 2.0)),
)  # fmt: skip
def product_if_taken(g: Operand, x: Operand) -> Operand:
    """Return ``g * x`` where a zero `g` means *not taken*: 0 even if `x` is infinite or nan."""
    return xp(g, x).where(g == 0, 0.0, x) * g


@linear(lambda g, y, x, shape: broadcast_to(g, shape_of(x)))
def sum_to(x: Operand, shape: Shape | None = ()) -> Operand:
    """Sum over broadcast axes, back to `shape` (None: to a float): the adjoint of `broadcast_to`."""
    if shape is None:
        return float(np.sum(x))
    lead = np.ndim(x) - len(shape)
    stretched = (i for i, n in enumerate(shape, lead) if n == 1 and np.shape(x)[i] != 1)
    axes = (*range(lead), *stretched)
    return np.sum(x, axis=axes, keepdims=True).reshape(shape) if axes else np.reshape(x, shape)


@linear(lambda g, y, x, shape: sum_to(g, shape_of(x)))
def broadcast_to(x: Operand, shape: Shape | None = ()) -> Operand:
    """Repeat an array to `shape` by NumPy's broadcasting rules (None: convert to a float).

    >>> broadcast_to([1.0, 2.0], (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    if shape is None:
        return float(x)
    whole = np.empty_like(x, shape=shape)  # a copy: a view with stride 0 slows down later operations
    whole[...] = x
    return whole


@linear(lambda g, y, x, dtype: astype(g, getattr(x, "dtype", np.float64)))
def _astype(x: Operand, dtype: DTypeLike = np.float64) -> Operand:
    """Convert to another floating-point dtype."""
    return x if type(x) is float else _array(x).astype(dtype)


@nondifferentiable()
def _cast(x: Operand, dtype: DTypeLike = np.int64) -> Operand:
    """Convert to integers or booleans, which have no gradient."""
    return _array(x).astype(dtype)


def _array(x: Operand) -> Operand:
    return x if hasattr(x, "astype") else np.asarray(x)


def astype(x: Operand, dtype: DTypeLike) -> Operand:
    """Convert to another dtype; gradients pass between floating-point dtypes and return in the dtype of `x`.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values; a float is returned unchanged.
    dtype : dtype
        A floating-point, integer or bool dtype; integers and booleans have no gradient.

    Returns
    -------
    ndarray, Tensor, float or Value
        The converted values.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    >>> astype(x, np.float64).sum().backward()
    >>> x.grad.dtype
    dtype('float32')
    """
    wanted = np.dtype(dtype)
    if wanted.kind not in "fiub":
        raise TypeError(f"astype expected a float, integer or bool dtype, got {wanted}")
    return (_astype if wanted.kind == "f" else _cast)(x, dtype=wanted)


def full_like(a: Operand, fill_value: Operand) -> Operand:
    """Return an array of the shape and dtype of `a`, filled with a value through which the gradient passes.

    >>> full_like(np.zeros(2), 3.0)
    array([3., 3.])
    """
    return astype(broadcast_to(fill_value, shape_of(a)), getattr(a, "dtype", np.float64))


def fitted(share: Cotangent, like: Data) -> Cotangent:
    """Return a share of cotangent in the shape and dtype of its operand: the only place that undoes broadcasting."""
    shape = like.shape if type(like) is np.ndarray else None
    if shape_of(share) != shape:
        share = sum_to(share, shape)
    if shape is not None and share.dtype != like.dtype:
        share = astype(share, like.dtype)
    return share


# ----------------------------------------------------------------------------------------------- shapes


def shape_tuple(x: Operand) -> Shape:
    """Return the shape of a node, number, array or nested list."""
    return np.shape(raw_data(x))


def lists_as_array(x: Operand) -> Operand:
    """Return nested lists as an array, and anything else unchanged."""
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def in_dtype_of(x: Operand, value: Operand) -> Operand:
    """Return a Python number as an array of the dtype of `x`, and anything else unchanged."""
    return np.asarray(value, getattr(x, "dtype", None)) if isinstance(value, (int, float)) else value


def axes_of(axis: int | Sequence[int] | None, ndim: int) -> Shape:
    """Return axes counted from 0, all of them for None; raise as NumPy does if one is repeated or does not exist.

    >>> axes_of(-1, 3), axes_of((0, -2), 3), axes_of(None, 3)
    ((2,), (0, 1), (0, 1, 2))
    """
    return tuple(range(ndim)) if axis is None else normalize_axis_tuple(axis, ndim)


@linear(lambda g, y, x, shape: reshape(g, shape_of(x)))
def reshape(x: Operand, shape: int | Shape | None = ()) -> Operand:
    """Return the elements in another shape; one length may be -1.

    >>> reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    array([[1., 2.],
           [3., 4.]])
    """
    return float(np.reshape(x, ())) if shape is None else np.reshape(x, shape)


@linear(lambda g, y, x, axes: transpose(g, None if axes is None else inverse_order(axes)))
def transpose(x: Operand, axes: Sequence[int] | None = None) -> Operand:
    """Permute the axes; reverse them by default.

    >>> transpose([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 3.],
           [2., 4.]])
    """
    return np.transpose(x, axes)


def inverse_order(axes: Sequence[int]) -> Shape:
    """Return the permutation that undoes `transpose` by `axes`, which may be negative."""
    return tuple(np.argsort(axes_of(axes, len(axes))).tolist())


@linear(lambda g, y, x, axis1, axis2: swapaxes(g, axis1, axis2))
def swapaxes(x: Operand, axis1: int = -1, axis2: int = -2) -> Operand:
    """Exchange two axes; by default, transpose the matrices of the last two.

    >>> swapaxes(np.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    return np.swapaxes(x, axis1, axis2)


def moveaxis(x: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Operand:
    """Move axes to other positions; the remaining axes keep their order.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    source, destination : int or sequence of int
        The axes to move and their positions in the result.

    Returns
    -------
    ndarray or Tensor
        The transposed array.

    Examples
    --------
    >>> moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(shape_tuple(x))
    old, new = axes_of(source, ndim), axes_of(destination, ndim)
    if len(old) != len(new):
        raise ValueError(f"moveaxis expected as many destination as source axes, got {source} and {destination}")
    order = [a for a in range(ndim) if a not in old]
    for place, a in sorted(zip(new, old, strict=True)):
        order.insert(place, a)
    return transpose(x, tuple(order))


def unstack(x: Operand, axis: int = 0) -> tuple[Operand, ...]:
    """Return the parts of an array along an axis, without it: the inverse of `stack`.

    Parameters
    ----------
    x : array_like or Tensor
        The array.
    axis : int
        The axis.

    Returns
    -------
    tuple of ndarray or Tensor
        One part for each index.

    Examples
    --------
    >>> unstack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    (array([1., 3.]), array([2., 4.]))
    """
    return tuple(moveaxis(x, axis, 0))


def expand_dims(x: Operand, axis: int | Sequence[int]) -> Operand:
    """Insert axes of length 1.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The array.
    axis : int or sequence of int
        The positions of the new axes in the result.

    Returns
    -------
    ndarray or Tensor
        The array with more axes.

    Examples
    --------
    >>> expand_dims([1.0, 2.0], 1)
    array([[1.],
           [2.]])
    """
    shape = shape_tuple(x)
    axes = axes_of(axis, len(shape) + np.size(axis))
    lengths = iter(shape)
    return reshape(x, tuple(1 if i in axes else next(lengths) for i in range(len(shape) + len(axes))))


def squeeze(x: Operand, axis: Axis = None) -> Operand:
    """Remove axes of length 1: all of them, or the given ones.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The array.
    axis : int or sequence of int, optional
        The axes to remove.

    Returns
    -------
    ndarray or Tensor
        The array with fewer axes.

    Raises
    ------
    ValueError
        If a given axis is longer than 1.

    Examples
    --------
    >>> squeeze([[1.0], [2.0]])
    array([1., 2.])
    """
    shape = shape_tuple(x)
    axes = [i for i, n in enumerate(shape) if n == 1] if axis is None else axes_of(axis, len(shape))
    if long := [i for i in axes if shape[i] != 1]:
        raise ValueError(f"squeeze removes axes of length 1, but axis {long[0]} of shape {shape} is longer")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes))


def flatten(x: Operand, start_dim: int = 0, end_dim: int = -1) -> Operand:
    """Merge the axes from `start_dim` to `end_dim` into one.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The array.
    start_dim, end_dim : int
        The first and the last axis to merge.

    Returns
    -------
    ndarray or Tensor
        The reshaped array.

    Examples
    --------
    >>> flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    shape = shape_tuple(x) or (1,)
    (start,), (end,) = axes_of(start_dim, len(shape)), axes_of(end_dim, len(shape))
    return reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def flat_or_axis(x: Operand, axis: int | None) -> tuple[Operand, int]:
    """Return an array and one of its axes, counted from 0; the flat array if `axis` is None."""
    if axis is None:
        return reshape(x, (-1,)), 0
    return x, axes_of(axis, len(shape_tuple(x)))[0]


# ------------------------------------------------------------------------------------------- parts of matrices


@linear(lambda g, y, x, k: tril(g, k))
def tril(x: Operand, k: int = 0) -> Operand:
    """Return the lower triangle of the last two axes, with zeros above diagonal `k`.

    >>> tril([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 0.],
           [3., 4.]])
    """
    return np.tril(x, k)


@linear(lambda g, y, x, k: triu(g, k))
def triu(x: Operand, k: int = 0) -> Operand:
    """Return the upper triangle of the last two axes, with zeros below diagonal `k`.

    >>> triu([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [0., 4.]])
    """
    return np.triu(x, k)


# ------------------------------------------------------------------------------------ shares of cotangents below a mask


class Recomputed(Pullback):
    """An operation whose rules walk a graph of their own, below a mask if they are called with ``masked=True``."""

    __slots__ = ()


def share_below_mask(node: Node, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, like: Data) -> Cotangent:
    """Return the share of `g` that `rule` assigns to an operand of value `like`; a zero in `g` means *not taken*."""
    op: Any = node.op
    if isinstance(op, Elementwise):
        return product_if_taken(g, op.partial(rule, y, inputs, node.params))
    if isinstance(op, Recomputed):
        return op.pull(rule, g, y, inputs, {"masked": True})
    share = fitted(op.pull(rule, g, y, inputs, node.params), like)
    if op is PRIMITIVES["where"]:  # its rules keep the mask themselves
        return share
    if not np.ndim(node._value):
        return where(not_equal(g, 0.0), share, 0.0)
    return share if guard(_is_finite, share) else _share_of_taken(node, rule, g, y, inputs, like)


def _is_finite(x: Data) -> bool:
    return bool(np.isfinite(x).all())


def _share_of_taken(node: Node, rule: Rule, g: Cotangent, y: Operand, inputs: Operands, like: Data) -> Cotangent:
    """Return the share of the taken elements of `g`.

    A cotangent of nan on the taken elements, pulled to each operand, finds the elements that influence them.  All other
    elements are replaced by finite ones, and their share is 0.
    """
    op: Any = node.op
    taken = not_equal(g, 0.0)
    rest, *others = [_filling(raw, x) for raw, x in zip((node._value, *node.raw), (y, *inputs), strict=True)]
    marker = where(taken, np.nan, np.zeros_like(node._value))

    def reached(rule: Rule, x: Data) -> Operand:
        return isnan(fitted(op.pull(rule, marker, rest, others, node.params), x))

    with np.errstate(all="ignore"):
        kept = [
            x if rule is None or other is x else where(reached(rule, raw), x, other)
            for rule, x, raw, other in zip(op.rules_for(len(inputs)), inputs, node.raw, others, strict=True)
        ]
        finite_y = where(logical_or(taken, isfinite(y)), y, rest)
        share = fitted(op.pull(rule, g, finite_y, tuple(kept), node.params), like)
        return where(reached(rule, like), share, 0.0)


def _filling(raw: Data, x: Operand) -> Operand:
    """Return finite values to replace those of a floating-point array; its matrices are positive definite."""
    if type(raw) is not np.ndarray or raw.dtype.kind != "f":
        return x
    return np.ones_like(raw) + (np.eye(*raw.shape[-2:], dtype=raw.dtype) if raw.ndim > 1 else 0)
