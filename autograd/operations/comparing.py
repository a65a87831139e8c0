"""Questions about numbers, and their whole parts: operations through which no gradient passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.graph import Node
from autograd.rules import nondifferentiable, xp


@nondifferentiable(symbol="==")
def equal(x: Any, y: Any) -> Any:
    """Whether ``x == y``.

    >>> equal(np.array([1.0, 2.0]), 2.0)
    array([False,  True])
    """
    return x == y


@nondifferentiable(symbol="!=")
def not_equal(x: Any, y: Any) -> Any:
    """Whether ``x != y``.

    >>> not_equal(np.array([1.0, 2.0]), 2.0)
    array([ True, False])
    """
    return x != y


@nondifferentiable(symbol=">")
def greater(x: Any, y: Any) -> Any:
    """Whether ``x > y``.

    >>> greater(np.array([1.0, 2.0]), 1.0)
    array([False,  True])
    """
    return x > y


@nondifferentiable(symbol=">=")
def greater_equal(x: Any, y: Any) -> Any:
    """Whether ``x >= y``.

    >>> greater_equal(np.array([1.0, 2.0]), 2.0)
    array([False,  True])
    """
    return x >= y


@nondifferentiable(symbol="<")
def less(x: Any, y: Any) -> Any:
    """Whether ``x < y``.

    >>> less(np.array([1.0, 2.0]), 2.0)
    array([ True, False])
    """
    return x < y


@nondifferentiable(symbol="<=")
def less_equal(x: Any, y: Any) -> Any:
    """Whether ``x <= y``.

    >>> less_equal(np.array([1.0, 2.0]), 1.0)
    array([ True, False])
    """
    return x <= y


@nondifferentiable()
def sign(x: Any) -> Any:
    """Sign: -1, 0 or 1.

    >>> sign(np.array([-3.0, 0.0, 5.0]))
    array([-1.,  0.,  1.])
    """
    return xp(x).sign(x)


@nondifferentiable()
def floor(x: Any) -> Any:
    """Largest whole number not above `x`.

    >>> floor(np.array([-1.5, 1.5]))
    array([-2.,  1.])
    """
    return xp(x).floor(x)


@nondifferentiable()
def ceil(x: Any) -> Any:
    """Smallest whole number not below `x`.

    >>> ceil(np.array([-1.5, 1.5]))
    array([-1.,  2.])
    """
    return xp(x).ceil(x)


@nondifferentiable()
def round(x: Any, decimals: int = 0) -> Any:
    """Nearest number of so many decimals, whole by default; halves go to the even one.

    >>> round(np.array([0.5, 1.5, 2.4]))
    array([0., 2., 2.])
    """
    return xp(x).round(x, decimals)


@nondifferentiable()
def isnan(x: Any) -> Any:
    """Whether `x` is not a number.

    >>> isnan(np.array([1.0, np.nan]))
    array([False,  True])
    """
    return xp(x).isnan(x)


@nondifferentiable()
def isinf(x: Any) -> Any:
    """Whether `x` is infinite.

    >>> isinf(np.array([1.0, -np.inf]))
    array([False,  True])
    """
    return xp(x).isinf(x)


@nondifferentiable()
def isfinite(x: Any) -> Any:
    """Whether `x` is neither infinite nor nan.

    >>> isfinite(np.array([1.0, np.inf, np.nan]))
    array([ True, False, False])
    """
    return xp(x).isfinite(x)


@nondifferentiable(symbol="not")
def logical_not(x: Any) -> Any:
    """Whether `x` is zero or false.

    >>> logical_not(np.array([0.0, 2.0]))
    array([ True, False])
    """
    return xp(x).logical_not(x)


@nondifferentiable(symbol="and")
def logical_and(x: Any, y: Any) -> Any:
    """Whether both hold, neither being zero or false.

    >>> logical_and(np.array([0.0, 2.0]), 1.0)
    array([False,  True])
    """
    return xp(x, y).logical_and(x, y)


@nondifferentiable(symbol="or")
def logical_or(x: Any, y: Any) -> Any:
    """Whether at least one holds, being neither zero nor false.

    >>> logical_or(np.array([0.0, 2.0]), 0.0)
    array([False,  True])
    """
    return xp(x, y).logical_or(x, y)


def _mask(x: Any, symbol: str) -> Any:
    """Return `x` if it answers a question; & | and ~ on numbers would mean their bits."""
    data = x._data if isinstance(x, Node) else x
    kind = np.dtype(bool) if type(data) is float else np.asarray(data).dtype
    if kind.kind != "b":
        raise TypeError(f"{symbol} joins masks such as x > 0, not dtype {kind}; see logical_and and its kin")
    return x


def bitwise_and(x: Any, y: Any) -> Any:
    """Return the mask that holds where both masks do: ``x & y``.

    Parameters
    ----------
    x, y : array_like of bool, Tensor or Value
        The masks.

    Returns
    -------
    ndarray, Tensor or Value
        The joint mask.

    Examples
    --------
    >>> bitwise_and([True, True], [True, False])
    array([ True, False])
    """
    return logical_and(_mask(x, "&"), _mask(y, "&"))


def bitwise_or(x: Any, y: Any) -> Any:
    """Return the mask that holds where at least one of two masks does: ``x | y``.

    Parameters
    ----------
    x, y : array_like of bool, Tensor or Value
        The masks.

    Returns
    -------
    ndarray, Tensor or Value
        The joint mask.

    Examples
    --------
    >>> bitwise_or([True, False], [False, False])
    array([ True, False])
    """
    return logical_or(_mask(x, "|"), _mask(y, "|"))


def invert(x: Any) -> Any:
    """Return the mask that holds where `x` does not: ``~x``.

    Parameters
    ----------
    x : array_like of bool, Tensor or Value
        The mask.

    Returns
    -------
    ndarray, Tensor or Value
        The opposite.

    Examples
    --------
    >>> invert([True, False])
    array([False,  True])
    """
    return logical_not(_mask(x, "~"))
