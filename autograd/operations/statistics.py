"""Averages, quantiles, ranges and covariances, and reductions that leave out nan."""

from typing import Any

import numpy as np

from autograd.typing import Axis, Operand

from .assembling import atleast_2d
from .comparing import clip, isnan, where
from .elementwise import sqrt
from .indexing import diag, take
from .joining import concatenate
from .reducing import all, max, mean, min, sum
from .scanning import prod, sort
from .shaping import (
    axes_of,
    broadcast_to,
    expand_dims,
    flatten,
    lists_as_array,
    moveaxis,
    reshape,
    shape_tuple,
    swapaxes,
)


def average(x: Operand, axis: Axis = None, weights: Operand = None, keepdims: bool = False) -> Operand:
    r"""Return the weighted average :math:`\sum_i w_i x_i / \sum_i w_i` along `axis`, or of all elements.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    weights : array_like or Tensor, optional
        Of the shape of `x`, or a vector along one axis; equal weights by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The average.

    Examples
    --------
    >>> float(average([1.0, 2.0], weights=[3.0, 1.0]))
    1.25
    """
    if weights is None:
        return mean(x, axis, keepdims)
    x, weights = lists_as_array(x), lists_as_array(weights)
    shape = shape_tuple(x)
    if shape_tuple(weights) != shape:
        if not isinstance(axis, (int, np.integer)) or shape_tuple(weights) != (shape[axis],):
            raise ValueError(
                f"average expected weights of shape {shape}, or a vector along one axis, got shape "
                f"{shape_tuple(weights)} and axis={axis}"
            )
        (place,) = axes_of(axis, len(shape))
        weights = broadcast_to(reshape(weights, (-1,) + (1,) * (len(shape) - place - 1)), shape)
    return sum(x * weights, axis, keepdims) / sum(weights, axis, keepdims)


def quantile(x: Operand, q: Any, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return quantiles along `axis`, or of all elements, interpolated between the two nearest ones.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values.
    q : float or array_like of float
        Probabilities between 0 and 1.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The quantiles; those of several probabilities are along the first axis. The gradient goes to the elements
        between which a quantile lies.

    Examples
    --------
    >>> float(quantile([1.0, 2.0, 4.0], 0.75))
    3.0
    """
    q = np.asarray(q, float)
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError(f"quantile expected probabilities between 0 and 1, got {q.tolist()}")
    shape = shape_tuple(x)
    reduced = axes_of(axis, len(shape))
    rows = moveaxis(x, reduced, tuple(range(-len(reduced), 0)))
    rows = sort(flatten(rows, len(shape) - len(reduced)) if reduced else expand_dims(rows, -1), -1)
    if not shape_tuple(rows)[-1]:
        raise ValueError(f"quantile expected values, got an empty array of shape {shape}")
    place = q.ravel() * (shape_tuple(rows)[-1] - 1)
    low = np.floor(place).astype(int)
    high, part = np.ceil(place).astype(int), place - low
    below, above = take(rows, low, -1), take(rows, high, -1)
    rise = above - below
    found = below + rise * part.astype(getattr(rise, "dtype", part.dtype))
    # One nan makes the quantiles of its row nan; it is the last element after sorting.
    found = moveaxis(where(isnan(take(rows, [-1], -1)), np.nan, found), -1, 0)
    if keepdims:
        found = expand_dims(found, tuple(1 + a for a in reduced))
    return reshape(found, q.shape + shape_tuple(found)[1:])


def percentile(x: Operand, q: Any, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return percentiles, the `quantile` for ``q / 100``.

    Parameters
    ----------
    q : float or array_like of float
        Percentages between 0 and 100.
    x, axis, keepdims
        As in `quantile`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The percentiles.

    Examples
    --------
    >>> float(percentile([1.0, 2.0, 4.0], 75))
    3.0
    """
    return quantile(x, np.asarray(q, float) / 100.0, axis, keepdims)


def median(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the median along `axis`, or of all elements; of an even count, the mean of the two in the middle.

    Parameters
    ----------
    x, axis, keepdims
        As in `quantile`.

    Examples
    --------
    >>> float(median([4.0, 1.0, 2.0]))
    2.0
    """
    return quantile(x, 0.5, axis, keepdims)


def ptp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the range, the largest minus the smallest element along `axis`, or of all elements.

    Parameters
    ----------
    x, axis, keepdims
        As in `quantile`.

    Examples
    --------
    >>> float(ptp([4.0, 1.0, 2.0]))
    3.0
    """
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def cov(m: Operand, y: Operand = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Operand:
    """Return the covariance matrix of variables.

    Parameters
    ----------
    m : array_like or Tensor
        A variable, or a matrix with one variable in each row.
    y : array_like or Tensor, optional
        More variables.
    rowvar : bool
        False if the variables are columns.
    bias : bool
        Divide by the number of observations, not by one less.
    ddof : int, optional
        Subtracted from the number of observations; overrides `bias`.

    Returns
    -------
    ndarray or Tensor
        The covariance matrix; a number for one variable.

    Examples
    --------
    >>> cov([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    parts = [atleast_2d(part) for part in (m, y) if part is not None]
    if not rowvar:
        parts = [swapaxes(x) if len(shape_tuple(part)) > 1 else x for x, part in zip(parts, (m, y), strict=False)]
    rows = concatenate(parts, 0) if len(parts) > 1 else parts[0]
    count = shape_tuple(rows)[1] - ((0 if bias else 1) if ddof is None else ddof)
    rows = rows - mean(rows, 1, True)
    found = rows @ swapaxes(rows) / count
    return reshape(found, ()) if shape_tuple(found) == (1, 1) else found


def corrcoef(x: Operand, y: Operand = None, rowvar: bool = True) -> Operand:
    """Return the matrix of correlation coefficients of variables.

    Parameters
    ----------
    x : array_like or Tensor
        A variable, or a matrix with one variable in each row.
    y : array_like or Tensor, optional
        More variables.
    rowvar : bool
        False if the variables are columns.

    Returns
    -------
    ndarray or Tensor
        The correlations, between -1 and 1.

    Examples
    --------
    >>> corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    c = cov(x, y, rowvar)
    if not shape_tuple(c):
        return c / c
    deviation = sqrt(diag(c))
    return clip(c / expand_dims(deviation, 1) / deviation, -1.0, 1.0)


# -------------------------------------------------------------------------------------------- without nan


def _without_nan(x: Operand, neutral: float) -> Operand:
    return where(isnan(x), neutral, x)


def nansum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the sum along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The sum.

    Examples
    --------
    >>> float(nansum([1.0, np.nan, 3.0]))
    4.0
    """
    return sum(_without_nan(x, 0.0), axis, keepdims)


def nanprod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the product along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Examples
    --------
    >>> float(nanprod([1.0, np.nan, 3.0]))
    3.0
    """
    return prod(_without_nan(x, 1.0), axis, keepdims)


def _count(x: Operand, axis: Axis, keepdims: bool) -> Operand:
    one = np.ones((), getattr(x, "dtype", None))
    return sum(where(isnan(x), 0.0 * one, one), axis, keepdims)


def nanmean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the mean along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The mean, nan if there are no other values.

    Examples
    --------
    >>> float(nanmean([1.0, np.nan, 3.0]))
    2.0
    """
    return nansum(x, axis, keepdims) / _count(x, axis, keepdims)


def nanvar(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    """Return the variance along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.
    ddof : float
        Subtracted from the count of values.

    Examples
    --------
    >>> float(nanvar([1.0, np.nan, 3.0]))
    1.0
    """
    squares = (lists_as_array(x) - nanmean(x, axis, True)) ** 2
    return nansum(squares, axis, keepdims) / (_count(x, axis, keepdims) - ddof)


def nanstd(x: Operand, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Operand:
    """Return the standard deviation along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.
    ddof : float
        Subtracted from the count of values.

    Examples
    --------
    >>> float(nanstd([1.0, np.nan, 3.0]))
    1.0
    """
    return sqrt(nanvar(x, axis, keepdims, ddof))


def nanmax(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the largest element along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The largest element, nan if there are no other values.

    Examples
    --------
    >>> float(nanmax([1.0, np.nan, 3.0]))
    3.0
    """
    found = max(_without_nan(x, -np.inf), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), np.nan, found)


def nanmin(x: Operand, axis: Axis = None, keepdims: bool = False) -> Operand:
    """Return the smallest element along `axis`, or of all elements, leaving out nan.

    Parameters
    ----------
    x, axis, keepdims
        As in `nansum`.

    Returns
    -------
    ndarray, Tensor, float or Value
        The smallest element, nan if there are no other values.

    Examples
    --------
    >>> float(nanmin([1.0, np.nan, 3.0]))
    1.0
    """
    found = min(_without_nan(x, np.inf), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), np.nan, found)
