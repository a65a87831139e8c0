"""Questions about numbers, and their whole parts: operations through which no gradient passes."""

from __future__ import annotations

from typing import Any

from .rules import nondifferentiable, xp


@nondifferentiable(symbol="==")
def equal(x: Any, y: Any) -> Any:
    """Whether ``x == y``."""
    return x == y


@nondifferentiable(symbol="!=")
def not_equal(x: Any, y: Any) -> Any:
    """Whether ``x != y``."""
    return x != y


@nondifferentiable(symbol=">")
def greater(x: Any, y: Any) -> Any:
    """Whether ``x > y``."""
    return x > y


@nondifferentiable(symbol=">=")
def greater_equal(x: Any, y: Any) -> Any:
    """Whether ``x >= y``."""
    return x >= y


@nondifferentiable(symbol="<")
def less(x: Any, y: Any) -> Any:
    """Whether ``x < y``."""
    return x < y


@nondifferentiable(symbol="<=")
def less_equal(x: Any, y: Any) -> Any:
    """Whether ``x <= y``."""
    return x <= y


@nondifferentiable()
def sign(x: Any) -> Any:
    """Sign: -1, 0 or 1."""
    return xp(x).sign(x)


@nondifferentiable()
def floor(x: Any) -> Any:
    """Largest whole number not above `x`."""
    return xp(x).floor(x)


@nondifferentiable()
def ceil(x: Any) -> Any:
    """Smallest whole number not below `x`."""
    return xp(x).ceil(x)


@nondifferentiable()
def round(x: Any) -> Any:
    """Nearest whole number; halves go to the even one."""
    return xp(x).round(x)


@nondifferentiable()
def isnan(x: Any) -> Any:
    """Whether `x` is not a number."""
    return xp(x).isnan(x)


@nondifferentiable()
def isinf(x: Any) -> Any:
    """Whether `x` is infinite."""
    return xp(x).isinf(x)


@nondifferentiable()
def isfinite(x: Any) -> Any:
    """Whether `x` is neither infinite nor nan."""
    return xp(x).isfinite(x)


@nondifferentiable(symbol="not")
def logical_not(x: Any) -> Any:
    """Whether `x` is zero or false."""
    return xp(x).logical_not(x)


@nondifferentiable(symbol="and")
def logical_and(x: Any, y: Any) -> Any:
    """Whether both hold, neither being zero or false."""
    return xp(x, y).logical_and(x, y)


@nondifferentiable(symbol="or")
def logical_or(x: Any, y: Any) -> Any:
    """Whether at least one holds, being neither zero nor false."""
    return xp(x, y).logical_or(x, y)
