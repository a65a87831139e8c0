"""Broadcasting and its adjoint, conversion of dtypes, and the product below a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.rules import linear, nondifferentiable, shape_of, xp

__all__ = ["astype", "broadcast_to", "product_if_taken", "sum_to"]


def _leading_and_stretched(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    lead = len(shape) - len(target)
    return (*range(lead), *(i + lead for i, n in enumerate(target) if n == 1 and shape[i + lead] != 1))


@linear(
    lambda c, y, g, x: product_if_taken(c, x),
    lambda c, y, g, x: product_if_taken(g, c),  # what was not taken has no derivative in `x` either
    symbol="*", selects=True, scalar="where(g == 0.0, 0.0, x) * g", sample=((0.2, 2.0), (-2.0, 2.0)),
)  # fmt: skip
def product_if_taken(g: Any, x: Any) -> Any:
    """Product ``g * x`` where a zero `g` means *not taken*: 0 even if `x` is infinite or undefined."""
    return xp(g, x).where(g == 0, 0.0, x) * g


@linear(lambda g, y, x, shape: broadcast_to(g, shape_of(x)))
def sum_to(x: Any, shape: tuple[int, ...] | None = ()) -> Any:
    """Sum away what broadcasting added, down to `shape` (None: to a float): the adjoint of `broadcast_to`."""
    if shape is None:
        return float(np.sum(x))
    axes = _leading_and_stretched(np.shape(x), shape)
    return np.sum(x, axis=axes, keepdims=True).reshape(shape) if axes else np.reshape(x, shape)


@linear(lambda g, y, x, shape: sum_to(g, shape_of(x)))
def broadcast_to(x: Any, shape: tuple[int, ...] | None = ()) -> Any:
    """Repeat a number or array to `shape` by NumPy's broadcasting rules (None: to a float).

    >>> broadcast_to([1.0, 2.0], (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    if shape is None:
        return float(x)
    whole = np.empty(shape, np.result_type(x))  # numbers of its own: a view of stride 0 slows what comes after
    whole[...] = x
    return whole


@linear(lambda g, y, x, dtype: astype(g, getattr(x, "dtype", np.float64)))
def _astype(x: Any, dtype: Any = np.float64) -> Any:
    """Convert to another floating-point dtype."""
    return x if type(x) is float else np.asarray(x).astype(dtype)


@nondifferentiable()
def _cast(x: Any, dtype: Any = np.int64) -> Any:
    """Convert to integers or bools, which have no gradient."""
    return np.asarray(x).astype(dtype)


def astype(x: Any, dtype: Any) -> Any:
    """Convert to another dtype; gradients pass between floating-point dtypes and come back in that of `x`.

    Parameters
    ----------
    x : array_like, Tensor or Value
        What to convert; a float has one dtype only and stays as it is.
    dtype : dtype
        A floating-point, integer or bool dtype; integers and bools cut the gradient.

    Returns
    -------
    ndarray, Tensor, float or Value
        The same numbers, as far as `dtype` can hold them.

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
        raise TypeError(f"astype() converts to float, integer and bool dtypes, not {wanted}")
    return (_astype if wanted.kind == "f" else _cast)(x, dtype=wanted)
