"""Reductions that leave out nan."""

from __future__ import annotations

import numpy as np

from autograd.typing import Axis, Operand

from .comparing import isnan
from .elementwise import sqrt
from .reducing import all, max, min, sum
from .scanning import prod
from .selecting import where
from .shaping import lists_as_array

__all__ = ["nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar"]


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
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

    Returns
    -------
    ndarray, Tensor, float or Value
        The product.

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
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

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
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.
    ddof : float
        Subtracted from the count of values.

    Returns
    -------
    ndarray, Tensor, float or Value
        The variance.

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
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.
    ddof : float
        Subtracted from the count of values.

    Returns
    -------
    ndarray, Tensor, float or Value
        The standard deviation.

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
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

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
    x : array_like, Tensor or Value
        The values; no gradient passes to nan.
    axis : int or tuple of int, optional
        The axes to reduce; all by default.
    keepdims : bool
        Whether to keep reduced axes with length 1.

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
