"""Tools for all parameters at once: clip gradients, measure them, put parameters into one vector and back.

They work on `Value`s and `Tensor`s alike, and assign fresh numbers: an array that somebody else holds (a recorded
graph, a copy of a gradient) is never written into.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from autograd.extend import raw_data

from .validation import checked_range

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]


def listed(parameters: Any, what: str = "parameters") -> list[Any]:
    """Return one parameter or many as a list."""
    if hasattr(parameters, "grad"):
        return [parameters]
    if isinstance(parameters, str | np.ndarray) or not isinstance(parameters, Iterable):
        raise TypeError(
            f"{what} must be a parameter or a list of them, such as model.parameters(), not {type(parameters).__name__}"
        )
    found = list(parameters)
    for i, parameter in enumerate(found):
        if not hasattr(parameter, "grad"):
            raise TypeError(f"{what}[{i}] is of type {type(parameter).__name__}, which has no .grad")
    return found


def with_gradient(parameters: Any) -> list[tuple[Any, Any]]:
    """Return each parameter that has a gradient, and the gradient's numbers."""
    return [(p, raw_data(p.grad)) for p in listed(parameters) if p.grad is not None]


def assign_grad(parameter: Any, grad: Any) -> None:
    """Give a parameter a gradient of the kind and dtype of its data."""
    data = parameter.data
    parameter.grad = np.asarray(grad, dtype=data.dtype) if isinstance(data, np.ndarray) else float(grad)


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> float:
    """Return the norm of all numbers of `tensors` together, as if they were one vector.

    ``(sum |x| ** p) ** (1 / p)``, and ``max |x|`` for p = inf.

    Parameters
    ----------
    tensors : iterable of array, float or node
        Of any shapes; gradients, or parameters.
    norm_type : float, default 2.0
        The p, positive; ``math.inf`` for the largest.
    error_if_nonfinite : bool, default False
        Refuse a norm of nan or inf.

    Returns
    -------
    float
        The norm; 0 of nothing.

    Raises
    ------
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is set.

    Notes
    -----
    Accumulated in float64 and scaled by the largest number, so that it overflows only if the norm itself does;
    PyTorch sums in the tensors' own type.

    Examples
    --------
    >>> get_total_norm([np.array([3.0]), np.array([[0.0], [4.0]])])
    5.0
    >>> get_total_norm([3.0, -4.0], norm_type=math.inf)
    4.0
    """
    p = checked_range("get_total_norm", "norm_type", norm_type, exclude_low=True)
    arrays = [np.abs(np.asarray(raw_data(t), dtype=np.float64)) for t in tensors]
    largest = max((float(np.max(a, initial=0.0)) for a in arrays), key=_nan_first, default=0.0)
    norm = largest
    if math.isfinite(largest) and largest > 0.0 and not math.isinf(p):
        with np.errstate(under="ignore"):
            norm = largest * math.fsum(float(np.sum((a / largest) ** p)) for a in arrays) ** (1.0 / p)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"the total norm of order {p:g} is {norm}, so the gradients cannot be clipped to it; look for nan or inf "
            "in the loss, or pass error_if_nonfinite=False to go on"
        )
    return norm


def _nan_first(number: float) -> tuple[bool, float]:
    return math.isnan(number), number


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one factor so that their common norm is at most `max_norm`.

    ::

        coef = min(1, max_norm / (norm + 1e-6))
        p.grad = coef * p.grad

    Parameters
    ----------
    parameters : parameter, or iterable of parameters
        Those without a gradient are passed over.
    max_norm : float
        The longest allowed gradient, not negative.
    norm_type : float, default 2.0
        Order of the norm, positive; ``math.inf`` for the largest number.
    error_if_nonfinite : bool, default False
        Refuse gradients with nan or inf; otherwise they spread, or are scaled to 0, as the formula says.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is set; no gradient is changed then.

    Notes
    -----
    Pascanu, Mikolov & Bengio 2013, Algorithm 1; the 1e-6 is PyTorch's, so a clipped norm is a little below
    `max_norm`.  optax's ``clip_by_global_norm`` has no 1e-6; Keras's is ``global_clipnorm``.

    Examples
    --------
    >>> from autograd import Value
    >>> x, y = Value(1.0), Value(2.0)
    >>> x.grad, y.grad = 3.0, 4.0
    >>> clip_grad_norm_([x, y], max_norm=1.0)
    5.0
    >>> round(x.grad, 6), round(y.grad, 6)
    (0.6, 0.8)
    """
    longest = checked_range("clip_grad_norm_", "max_norm", max_norm)
    empty = isinstance(parameters, Iterator)
    pairs = with_gradient(parameters := listed(parameters))
    if empty and not parameters:
        warnings.warn("parameters is an iterator with nothing in it; was it used before?", UserWarning, stacklevel=2)
    norm = get_total_norm([grad for _, grad in pairs], norm_type, error_if_nonfinite)
    coef = longest / (norm + 1e-6) if math.isfinite(longest) else 1.0
    if not coef >= 1.0:  # also for nan, which must not pass for small
        for parameter, grad in pairs:
            with np.errstate(invalid="ignore"):
                assign_grad(parameter, grad * coef)
    return norm


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Cut every number of every gradient to ``[-clip_value, clip_value]``.

    Parameters
    ----------
    parameters : parameter, or iterable of parameters
        Those without a gradient are passed over.
    clip_value : float
        The largest allowed number, not negative.

    Notes
    -----
    As PyTorch's; nan stays nan.  Unlike `clip_grad_norm_` it changes the direction.

    Examples
    --------
    >>> from autograd import Tensor
    >>> w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> w.grad = np.array([-5.0, 0.5, 7.0])
    >>> clip_grad_value_(w, 1.0)
    >>> w.grad
    array([-1. ,  0.5,  1. ])
    """
    limit = checked_range("clip_grad_value_", "clip_value", clip_value)
    for parameter, grad in with_gradient(parameters):
        assign_grad(parameter, np.clip(grad, -limit, limit))


def parameters_to_vector(parameters: Any) -> np.ndarray[Any, Any]:
    """Return all parameters as one vector, in order.

    Parameters
    ----------
    parameters : parameter, or iterable of parameters
        Of any shapes.

    Returns
    -------
    ndarray, shape (n,)
        A fresh copy of the numbers, of the common dtype.

    Notes
    -----
    PyTorch's result is part of the graph; this one is numbers.  For a vector to differentiate through, write
    ``autograd.concatenate([p.reshape(-1) for p in parameters])``.

    Examples
    --------
    >>> from autograd import Tensor, Value
    >>> parameters_to_vector([Tensor([[1.0, 2.0], [3.0, 4.0]]), Value(5.0)])
    array([1., 2., 3., 4., 5.])
    """
    pieces = [np.ravel(p.data) for p in listed(parameters)]
    return np.concatenate(pieces) if pieces else np.empty(0)


def vector_to_parameters(vec: Any, parameters: Any) -> None:
    """Put the numbers of one vector into parameters, in order; the reverse of `parameters_to_vector`.

    Parameters
    ----------
    vec : array_like, shape (n,)
        Exactly as many numbers as the parameters have.
    parameters : parameter, or iterable of parameters
        Each gets fresh `.data` of its own shape and dtype.

    Raises
    ------
    ValueError
        If the counts differ; no parameter is changed then.

    Examples
    --------
    >>> from autograd import Tensor, Value
    >>> w, b = Tensor([[1.0, 2.0], [3.0, 4.0]]), Value(5.0)
    >>> vector_to_parameters([5.0, 6.0, 7.0, 8.0, 9.0], [w, b])
    >>> w.data, b.data
    (array([[5., 6.],
           [7., 8.]]), 9.0)
    """
    wanted = listed(parameters)
    numbers = np.asarray(raw_data(vec))
    sizes = [int(np.size(p.data)) for p in wanted]
    if numbers.ndim != 1 or numbers.size != sum(sizes):
        raise ValueError(
            f"the parameters have {sum(sizes)} numbers, so a vector of shape ({sum(sizes)},) is needed, "
            f"not one of shape {numbers.shape}"
        )
    start = 0
    for parameter, size in zip(wanted, sizes, strict=True):
        piece, data = numbers[start : start + size], parameter.data
        start += size
        if isinstance(data, np.ndarray):
            parameter.data = np.array(piece.reshape(data.shape), dtype=data.dtype)
        else:
            parameter.data = float(piece[0])
