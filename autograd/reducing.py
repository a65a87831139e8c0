"""Operations that reduce or normalise along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import equal, exp, where
from .rules import broadcast_to, linear, primitive, shape_of
from .shaping import reshape

Axis = int | tuple[int, ...] | None


def _kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """Return `shape` with the reduced axes as 1."""
    axes = range(len(shape)) if axis is None else [axis] if isinstance(axis, int) else axis
    reduced = {a % len(shape) for a in axes} if shape else ()
    return tuple(1 if i in reduced else n for i, n in enumerate(shape))


def expanded(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Return a reduction's cotangent or result `g` with the axes it lost as 1, ready to broadcast against `x`."""
    shape = shape_of(x)
    if shape is None or keepdims or axis is None:
        return g
    return reshape(g, _kept_shape(shape, axis))


def _count(x: Any, axis: Axis) -> int:
    """Return how many numbers of `x` make one number of the result."""
    shape = shape_of(x) or ()
    if axis is None:
        return int(np.prod(shape))
    return int(np.prod([shape[a] for a in ([axis] if isinstance(axis, int) else axis)]))


@linear(lambda g, y, x, axis, keepdims: broadcast_to(expanded(g, x, axis, keepdims), shape_of(x)))
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Sum along `axis`, or of everything."""
    return x if type(x) is float else np.sum(x, axis=axis, keepdims=keepdims)


@linear(lambda g, y, x, axis, keepdims: broadcast_to(expanded(g / _count(x, axis), x, axis, keepdims), shape_of(x)))
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Arithmetic mean along `axis`, or of everything."""
    return x if type(x) is float else np.mean(x, axis=axis, keepdims=keepdims)


def _shared_among_ties(g: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    hit = equal(x, expanded(y, x, axis, keepdims))
    return expanded(g, x, axis, keepdims) * hit / sum(1.0 * hit, axis, True)


@primitive(_shared_among_ties)
def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Largest along `axis`, or of everything; ties share the gradient equally."""
    return x if type(x) is float else np.max(x, axis=axis, keepdims=keepdims)


def _finite_peak(x: Any, axis: Axis) -> Any:
    """Return the maximum as a shift against overflow, 0 where it is infinite (`inf - inf` would be nan)."""
    peak = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(peak), peak, 0.0) if peak.dtype != object else peak


def _softmax_of_logsumexp(g: Any, y: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    y, g = expanded(y, x, axis, keepdims), expanded(g, x, axis, keepdims)
    return g * exp(x - where(equal(y, -np.inf), 0.0, y))


@primitive(_softmax_of_logsumexp)
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` along `axis`, without overflow; the gradient of all ``-inf`` is 0."""
    peak = _finite_peak(x, axis)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - peak), axis=axis, keepdims=True)) + peak
    return y if keepdims else np.squeeze(y, axis=axis)[()]


@primitive(lambda g, y, x, axis: y * (g - sum(g * y, axis, True)))
def softmax(x: Any, axis: int = -1) -> Any:
    r"""Softmax :math:`e^{x_j} / \sum_k e^{x_k}` along `axis`, without overflow."""
    e = np.exp(x - _finite_peak(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


@primitive(lambda g, y, x, axis: g - exp(y) * sum(g, axis, True))
def log_softmax(x: Any, axis: int = -1) -> Any:
    """Logarithm of the softmax along `axis`, exact where the softmax underflows."""
    shifted = x - _finite_peak(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
