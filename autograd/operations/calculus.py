"""Differences, numerical derivatives and integrals, interpolation, polynomials and convolutions."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from autograd.extend import nondifferentiable
from autograd.operands import as_real
from autograd.typing import Operand

from .comparing import clip, where
from .indexing import flip, getitem, take
from .joining import concatenate, pad
from .products import tensordot
from .reducing import sum
from .shaping import axes_of, broadcast_to, in_dtype_of, lists_as_array, reshape, shape_tuple


def _along(x: Operand, axis: int, start: int | None, stop: int | None = None, step: int | None = None) -> Operand:
    """Return a slice along one axis."""
    return getitem(x, (slice(None),) * axis + (slice(start, stop, step),))


def diff(x: Operand, n: int = 1, axis: int = -1, prepend: Operand = None, append: Operand = None) -> Operand:
    """Return the differences of successive elements along an axis.

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    n : int
        How many times to take differences.
    axis : int
        The axis.
    prepend, append : array_like, Tensor or Value, optional
        Values before the first and after the last element.

    Returns
    -------
    ndarray or Tensor
        An array that is shorter by `n` along the axis.

    Examples
    --------
    >>> diff([1.0, 2.0, 4.0])
    array([1., 2.])
    """
    if n < 0:
        raise ValueError(f"diff expected n of 0 or more, got {n}")
    shape = shape_tuple(x)
    (axis,) = axes_of(axis, len(shape))
    edge = (*shape[:axis], 1, *shape[axis + 1 :])
    given = [part for part in (prepend, x, append) if part is not None]
    parts = [part if shape_tuple(part) else broadcast_to(in_dtype_of(x, part), edge) for part in given]
    if len(parts) > 1:
        x = concatenate(parts, axis)
    for _ in range(n):
        x = _along(x, axis, 1) - _along(x, axis, None, -1)
    return x


def ediff1d(x: Operand, to_end: Operand = None, to_begin: Operand = None) -> Operand:
    """Return the differences of successive elements of the flat array.

    Parameters
    ----------
    x : array_like or Tensor
        The values.
    to_end, to_begin : array_like, Tensor or Value, optional
        Values after and before the differences.

    Returns
    -------
    ndarray or Tensor
        The differences.

    Examples
    --------
    >>> ediff1d([1.0, 2.0, 4.0])
    array([1., 2.])
    """
    parts = [to_begin, diff(reshape(x, (-1,))), to_end]
    return concatenate([reshape(in_dtype_of(x, part), (-1,)) for part in parts if part is not None], 0)


def gradient(x: Operand, *varargs: Any, axis: int | Sequence[int] | None = None, edge_order: Literal[1, 2] = 1) -> Any:
    """Return the numerical derivative by central differences of second order, one-sided at the ends.

    Parameters
    ----------
    x : array_like or Tensor
        Samples of a function.
    *varargs : float or array_like
        The spacing, one for all axes or one for each: a step, or the coordinates of the samples.
    axis : int or sequence of int, optional
        The axes; all by default.
    edge_order : {1, 2}
        The order of the differences at the ends.

    Returns
    -------
    ndarray or Tensor, or list of them
        The derivative along each axis; a list if there are several.

    Examples
    --------
    >>> gradient([0.0, 1.0, 4.0, 9.0])
    array([1., 2., 4., 5.])
    """
    shape = shape_tuple(x)
    axes = axes_of(axis, len(shape))
    np.gradient(np.zeros(shape), *varargs, axis=axis, edge_order=edge_order)  # checks the arguments
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    found = [_derivative(x, a, s, edge_order) for a, s in zip(axes, spacings, strict=True)]
    return found[0] if len(found) == 1 else found


def _derivative(x: Operand, axis: int, spacing: Any, edge_order: int) -> Operand:
    """Return the derivative along one axis by the three-point formula for any spacing."""
    shape = shape_tuple(x)
    steps = np.full(shape[axis] - 1, float(spacing)) if np.ndim(spacing) == 0 else np.diff(np.asarray(spacing, float))
    kind = getattr(x, "dtype", steps.dtype)
    h = steps.reshape((-1,) + (1,) * (len(shape) - axis - 1)).astype(kind if kind.kind == "f" else steps.dtype)
    slopes = diff(as_real(x), axis=axis) / h
    first, last = _along(slopes, axis, None, 1), _along(slopes, axis, -1)
    before, after = h[:-1], h[1:]
    left, right = _along(slopes, axis, None, -1), _along(slopes, axis, 1)
    if edge_order == 2:
        # The parabola through three points has at its end the slope s1 + (s1 - s2) h1 / (h1 + h2).
        first = first + (first - _along(slopes, axis, 1, 2)) * (h[:1] / (h[:1] + h[1:2]))
        last = last + (last - _along(slopes, axis, -2, -1)) * (h[-1:] / (h[-1:] + h[-2:-1]))
    return concatenate([first, (left * after + right * before) / (before + after), last], axis)


def trapezoid(y: Operand, x: Operand = None, dx: float = 1.0, axis: int = -1) -> Operand:
    """Return the integral along an axis by the trapezoidal rule.

    Parameters
    ----------
    y : array_like or Tensor
        The values of the function.
    x : array_like or Tensor, optional
        Its arguments, a vector or an array of the shape of `y`.
    dx : float
        The distance of the arguments if `x` is not given.
    axis : int
        The axis.

    Returns
    -------
    ndarray, Tensor, float or Value
        The integral.

    Examples
    --------
    >>> float(trapezoid([0.0, 1.0, 4.0], x=[0.0, 1.0, 2.0]))
    3.0
    """
    shape, x, y = shape_tuple(y), as_real(x), as_real(y)
    (axis,) = axes_of(axis, len(shape))
    if x is None:
        steps: Operand = dx
    elif len(shape_tuple(x)) == 1:
        steps = reshape(diff(x), (-1,) + (1,) * (len(shape) - axis - 1))
    else:
        steps = diff(x, axis=axis)
    return sum(0.5 * steps * (_along(y, axis, 1) + _along(y, axis, None, -1)), axis)


@nondifferentiable()
def searchsorted(a: Operand, v: Operand, side: str = "left") -> Operand:
    """Return the positions at which values would be inserted into a sorted vector.

    >>> searchsorted([1.0, 2.0, 3.0], [2.5])
    array([2])
    """
    return np.searchsorted(a, v, side=side)  # type: ignore[call-overload]


def interp(x: Operand, xp: Operand, fp: Operand, left: Operand = None, right: Operand = None) -> Operand:
    """Interpolate linearly between points.

    Parameters
    ----------
    x : array_like, Tensor or Value
        Where to evaluate.
    xp, fp : array_like or Tensor
        The coordinates of the points, with increasing `xp`.
    left, right : float, Value or Tensor, optional
        The values before the first and after the last point; those of these points by default.

    Returns
    -------
    ndarray or Tensor
        The interpolated values. At a point, the derivative is that of the interval after it.

    Examples
    --------
    >>> float(interp(1.5, [1.0, 2.0], [10.0, 20.0]))
    15.0
    """
    x, n = lists_as_array(x), shape_tuple(xp)[0]
    i = clip(searchsorted(xp, x, "right"), 1, n - 1)
    x0, x1, f0, f1 = (take(points, at) for points in (xp, fp) for at in (i - 1, i))
    length = where(x1 > x0, x1 - x0, 1.0)  # there is no interval beside a single point
    found = f0 + (f1 - f0) * ((x - x0) / length)
    low, high = take(xp, 0), take(xp, n - 1)
    found = where(x < low, take(fp, 0) if left is None else left, found)
    return where(x > high, take(fp, n - 1) if right is None else right, found)


def polyval(p: Operand, x: Operand) -> Operand:
    """Evaluate a polynomial by Horner's rule.

    Parameters
    ----------
    p : array_like or Tensor
        The coefficients, that of the highest power first.
    x : float, array_like, Value or Tensor
        Where to evaluate.

    Returns
    -------
    float, ndarray, Value or Tensor
        The values.

    Examples
    --------
    >>> float(polyval([1.0, 0.0, -2.0], 3.0))
    7.0
    """
    x = lists_as_array(x)
    y: Operand = 0.0 * x if shape_tuple(x) else 0.0
    for k in range(shape_tuple(p)[0]):
        y = y * x + take(p, k)
    return y


def convolve(x: Operand, v: Operand, mode: str = "full") -> Operand:
    r"""Return the discrete convolution of two vectors.

    .. math:: y_n = \sum_m x_m v_{n - m}

    Parameters
    ----------
    x, v : array_like or Tensor
        The vectors.
    mode : {'full', 'same', 'valid'}
        All sums, as many as the longer vector has elements, or those without a border.

    Returns
    -------
    ndarray or Tensor
        The convolution.

    Examples
    --------
    >>> convolve([1.0, 2.0, 3.0], [0.0, 1.0])
    array([0., 1., 2., 3.])
    """
    n, m = (shape_tuple(part)[0] if len(shape_tuple(part)) == 1 else 0 for part in (x, v))
    if not n or not m:
        raise ValueError(f"convolve expected two vectors with elements, got shapes {shape_tuple(x)}, {shape_tuple(v)}")
    if n < m:
        x, v, n, m = v, x, m, n
    border = {"full": m - 1, "same": m - 1, "valid": 0}.get(mode)
    if border is None:
        raise ValueError(f"convolve expected mode full, same or valid, got {mode!r}")
    windows = np.arange(n + 2 * border - m + 1)[:, None] + np.arange(m)
    found = tensordot(take(pad(x, border), windows), flip(v), 1)
    return getitem(found, slice((m - 1) // 2, (m - 1) // 2 + n)) if mode == "same" else found


def correlate(x: Operand, v: Operand, mode: str = "valid") -> Operand:
    r"""Return the cross-correlation of two vectors.

    .. math:: y_k = \sum_n x_{n + k} v_n

    Parameters
    ----------
    x, v : array_like or Tensor
        The vectors.
    mode : {'valid', 'same', 'full'}
        As for `convolve`.

    Returns
    -------
    ndarray or Tensor
        The correlation.

    Examples
    --------
    >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0])
    array([2., 3.])
    """
    return convolve(x, flip(v), mode)
