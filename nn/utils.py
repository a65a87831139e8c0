"""Functions of all parameters: clip gradients, compute their norm, convert parameters to one vector and back.

They accept `Value`s and `Tensor`s and assign new arrays: an array that is referenced elsewhere, such as in a recorded
graph, is never modified.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np

import autograd
from autograd.extend import raw_data
from nn.typing import Array, Data, Leaf, Operand, Parameters

from .validation import checked_range

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "clipped_by_norm", "get_total_norm", "parameters_to_vector",
    "per_example_gradients", "vector_to_parameters",
]  # fmt: skip


def listed(parameters: Parameters) -> list[Leaf]:
    """Return one parameter or many as a list."""
    single = hasattr(parameters, "grad") or not isinstance(parameters, Iterable)
    found: list[Any] = [parameters] if single else list(cast(Iterable[Leaf], parameters))
    if wrong := [type(p).__name__ for p in found if not hasattr(p, "grad")]:
        raise TypeError(f"expected a parameter or a list of them, such as model.parameters(), got {wrong[0]}")
    return found


def with_gradient(parameters: Parameters) -> list[tuple[Leaf, Data]]:
    """Return each parameter that has a gradient, with the data of the gradient."""
    return [(p, raw_data(p.grad)) for p in listed(parameters) if p.grad is not None]


def assign_grad(parameter: Leaf, grad: Data) -> None:
    """Assign a gradient in the type and dtype of the parameter's data."""
    data = parameter.data
    parameter.grad = np.asarray(grad, dtype=data.dtype) if isinstance(data, np.ndarray) else float(grad)


def get_total_norm(tensors: Iterable[Operand], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> float:
    """Return the norm of all elements of `tensors` as one vector.

    ``(sum |x| ** p) ** (1 / p)``, and ``max |x|`` for p = inf.

    Parameters
    ----------
    tensors : iterable of array, float or node
        Of any shapes; gradients, or parameters.
    norm_type : float, default 2.0
        Order p of the norm, positive; ``math.inf`` is the largest absolute value.
    error_if_nonfinite : bool, default False
        Raise if the norm is nan or inf.

    Returns
    -------
    float
        The norm; 0 without tensors.

    Raises
    ------
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is set.

    Notes
    -----
    Accumulated in float64 and scaled by the largest element, so that it overflows only if the norm itself does;
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
    norm = largest = float(np.max([np.max(a, initial=0.0) for a in arrays], initial=0.0))
    if math.isfinite(largest) and largest > 0.0 and not math.isinf(p):
        with np.errstate(under="ignore"):
            norm = largest * math.fsum(float(np.sum((a / largest) ** p)) for a in arrays) ** (1.0 / p)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(f"the total norm is {norm}: look for nan in the loss, or pass error_if_nonfinite=False")
    return norm


def clipping_factor(norm: float, max_norm: float) -> float:
    """Return the factor by which `clip_grad_norm_` scales gradients of a norm; nan for nan."""
    coef = max_norm / (norm + 1e-6) if math.isfinite(max_norm) else 1.0
    return 1.0 if coef >= 1.0 else coef


def clip_grad_norm_(
    parameters: Parameters, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one factor so that their total norm is at most `max_norm`.

    ::

        coef = min(1, max_norm / (norm + 1e-6))
        p.grad = coef * p.grad

    Parameters
    ----------
    parameters : parameter, or iterable of parameters
        Those without a gradient are skipped.
    max_norm : float
        Upper bound of the norm, at least 0.
    norm_type : float, default 2.0
        Order of the norm, positive; ``math.inf`` is the largest absolute value.
    error_if_nonfinite : bool, default False
        Raise if the norm is nan or inf; otherwise the formula is applied, which propagates nan.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is set; gradients are unchanged.

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
        warnings.warn("parameters is an empty iterator; was it consumed before?", UserWarning, stacklevel=2)
    norm = get_total_norm([grad for _, grad in pairs], norm_type, error_if_nonfinite)
    coef = clipping_factor(norm, longest)
    if coef != 1.0:  # also true for nan
        for parameter, grad in pairs:
            with np.errstate(invalid="ignore"):
                assign_grad(parameter, grad * coef)
    return norm


def clipped_by_norm(max_norm: float) -> Callable[[dict[Leaf, Any]], dict[Leaf, Any]]:
    """Return a function that does what `clip_grad_norm_` does to the gradients of a compiled training step.

    Parameters
    ----------
    max_norm : float
        Upper bound of the norm, at least 0.

    Returns
    -------
    callable
        The argument `transform` of `autograd.compile`: takes and returns a dict from parameters to gradients.

    Examples
    --------
    >>> import optim
    >>> from autograd import Value
    >>> w = Value(1.0, name="w")
    >>> optimizer = optim.SGD([w], lr=1.0)
    >>> step = autograd.compile(lambda: 50.0 * w * w, optimizer=optimizer, transform=clipped_by_norm(0.25))
    >>> float(step()), round(w.data, 6)
    (50.0, 0.75)
    """
    longest = checked_range("clipped_by_norm", "max_norm", max_norm)

    def clipped(gradients: dict[Leaf, Any]) -> dict[Leaf, Any]:
        norm = np.sqrt(sum([np.sum(g * g) for g in gradients.values()]))
        factor = np.minimum(longest / (norm + 1e-6), 1.0)
        return {p: g * factor for p, g in gradients.items()}

    return clipped


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Clip every element of every gradient to ``[-clip_value, clip_value]``.

    Parameters
    ----------
    parameters : parameter, or iterable of parameters
        Those without a gradient are skipped.
    clip_value : float
        Upper bound of the absolute value, at least 0.

    Notes
    -----
    As in PyTorch, nan stays nan.  Unlike `clip_grad_norm_`, this changes the direction of the gradient.

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


def parameters_to_vector(parameters: Parameters) -> Array:
    """Return all parameters as one vector, in order.

    Parameters
    ----------
    parameters : parameter, or iterable of parameters
        Of any shapes.

    Returns
    -------
    ndarray, shape (n,)
        A copy of the data, of the common dtype.

    Notes
    -----
    PyTorch's result is part of the graph; this one is an array.  For a differentiable vector use
    ``autograd.concatenate([p.reshape(-1) for p in parameters])``.

    Examples
    --------
    >>> from autograd import Tensor, Value
    >>> parameters_to_vector([Tensor([[1.0, 2.0], [3.0, 4.0]]), Value(5.0)])
    array([1., 2., 3., 4., 5.])
    """
    pieces = [np.ravel(p.data) for p in listed(parameters)]
    return np.concatenate(pieces) if pieces else np.empty(0)


def vector_to_parameters(vec: Operand, parameters: Parameters) -> None:
    """Assign consecutive parts of a vector to parameters; the inverse of `parameters_to_vector`.

    Parameters
    ----------
    vec : array_like, shape (n,)
        As many elements as the parameters have.
    parameters : parameter, or iterable of parameters
        Each is assigned new `.data` of its shape and dtype.

    Raises
    ------
    ValueError
        If the number of elements differs; parameters are unchanged.

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
    vector = np.asarray(raw_data(vec))
    sizes = [int(np.size(p.data)) for p in wanted]
    if vector.ndim != 1 or vector.size != sum(sizes):
        raise ValueError(f"expected a vector of shape ({sum(sizes)},), got {vector.shape}")
    for parameter, end, size in zip(wanted, np.cumsum(sizes).tolist(), sizes, strict=True):
        piece, data = vector[end - size : end], parameter.data
        if isinstance(data, np.ndarray):
            parameter.data = np.array(piece.reshape(data.shape), dtype=data.dtype)
        else:
            parameter.data = float(piece[0])


def per_example_gradients(
    model: Callable[[Operand], Operand], loss: Callable[[Operand, Operand], Operand], x: Array, y: Array,
    parameters: Parameters | None = None,
) -> list[Array]:  # fmt: skip
    """Return the gradient of the loss of each example by itself, for clipping each one or for their variance.

    The step of one example is compiled and repeated, so the gradients are exact for every layer and loss.  The
    gradients in ``.grad`` are unchanged.

    Parameters
    ----------
    model : Module
        Any callable; a layer of batch normalization must be in evaluation mode.
    loss : callable
        Takes output and target of a batch of one example.
    x, y : array
        Inputs and targets, one example for each index of the first axis.
    parameters : iterable of parameters, optional
        Those of the model that require a gradient by default.

    Returns
    -------
    list of ndarray
        For each parameter an array of shape ``(len(x), *parameter.shape)``.

    Raises
    ------
    ValueError
        If a layer normalizes by statistics of the batch, or `x` and `y` differ in length.

    Examples
    --------
    >>> import nn
    >>> model = nn.Linear(1, 1)
    >>> model.weight.data, model.bias.data = np.array([[2.0]]), np.array([0.0])
    >>> x, y = np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]])
    >>> weight, bias = nn.utils.per_example_gradients(model, nn.MSELoss(), x, y)
    >>> weight.ravel(), bias.ravel()
    (array([ 4., 36.]), array([ 4., 12.]))
    """
    if parameters is None:
        parameters = [p for p in cast(Any, model).parameters() if p.requires_grad]
    if len(x) != len(y):
        raise ValueError(f"expected a target for each example, got {len(x)} inputs and {len(y)} targets")
    for path, module in getattr(model, "named_modules", tuple)():
        if module.combines_examples:
            name = f"{type(module).__name__} {path!r}" if path else type(module).__name__
            raise ValueError(f"{name} normalizes by statistics of the batch: call model.eval(), or use LayerNorm")
    chosen = listed(parameters)
    step = autograd.compile(lambda x, y: loss(model(x), y))
    kept = [p.grad for p in chosen]
    found = [np.zeros((len(x), *np.shape(p.data)), np.asarray(p.data).dtype) for p in chosen]
    try:
        for i in range(len(x)):
            for p in chosen:
                p.grad = None if isinstance(p.data, np.ndarray) else 0.0
            step(x[i : i + 1], y[i : i + 1])
            for rows, p in zip(found, chosen, strict=True):
                rows[i] = 0.0 if p.grad is None else raw_data(p.grad)
    finally:
        for p, grad in zip(chosen, kept, strict=True):
            p.grad = grad
    return found
