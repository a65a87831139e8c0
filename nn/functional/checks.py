"""Check the arguments of functions and losses."""

import warnings
from collections.abc import Callable

import numpy as np

import autograd as ag
from autograd import Node, Tensor, Value
from autograd.extend import guard, regular_array
from nn.typing import Operand
from nn.validation import similar

from .fused import mean_of_all

NUMBERS = (Value, float, int, np.floating, np.integer)
REDUCTIONS = ("mean", "sum", "none")


def as_operand(x: Operand) -> Operand:
    """Return `x` as a node, a numeric array or an array of `Value`s."""
    if isinstance(x, Node):
        return x
    array = x if type(x) is np.ndarray else regular_array("a layer or loss", x)
    kind = array.dtype.kind
    if kind not in "fiubO" or (kind == "O" and not all(isinstance(v, NUMBERS) for v in array.flat)):
        model = kind == "O" and any(map(callable, array.flat))  # np.asarray(model) contains its layers
        raise TypeError(
            f"expected floats, arrays, Values or Tensors, got {x!r:.60} "
            f"({type(x).__name__}{f' of dtype {array.dtype}' if kind != 'O' else ''})"
            f"{'; call the model first, model(x)' if model else ''}"
        )
    return array


def checked_reduction(reduction: str, allowed: tuple[str, ...] = REDUCTIONS) -> str:
    """Return `reduction` if it is allowed."""
    if not isinstance(reduction, str) or reduction not in allowed:
        names = ", ".join(map(repr, allowed))
        raise ValueError(f"reduction must be one of {names}, got {reduction!r:.60}{similar(reduction, allowed)}")
    return reduction


def reduced(losses: Operand, reduction: str) -> Operand:
    """Return the mean or the sum of the losses, or the losses themselves."""
    if reduction == "mean":
        if losses.size:
            return mean_of_all(losses)
        warnings.warn("the batch is empty, so the mean of its losses is nan", stacklevel=3)
        return ag.sum(losses) * float("nan")
    if reduction == "sum":
        return ag.sum(losses)
    checked_reduction(reduction)
    return losses


def row_count(x: Operand) -> int:
    """Return the number of rows of a batch; an operand without axes is one row."""
    return x.shape[0] if x.shape else 1


def prediction_and_target(name: str, input: Operand, target: Operand) -> tuple[Operand, Operand]:
    """Return both as operands of one shape, the target in the dtype of the prediction."""
    x = as_losses(input)
    t = constant(target, x)
    if isinstance(input, Value) and not t.ndim:
        t = t.reshape(1)
    if x.shape != t.shape:
        raise ValueError(
            f"{name}: the target has shape {t.shape} and the prediction {x.shape}, which would broadcast to more than "
            "one loss per prediction; reshape one of them, as in target.reshape(prediction.shape)"
        )
    return x, t


def loss_of(
    name: str, formula: Callable[[Operand, Operand], Operand], input: Operand, target: Operand, reduction: str
) -> Operand:
    """Return a loss whose formula maps prediction and target to the losses of all elements."""
    x, t = prediction_and_target(name, input, target)
    return refuse_nan(name, reduced(formula(x, t), reduction), t)


def as_losses(x: Operand) -> Operand:
    """Return `x` as a Tensor or an array; a single `Value` becomes an array of one."""
    if isinstance(x, Tensor):
        return x
    array = as_operand(regular_array("a layer or loss", x))
    return array if array.ndim or array.dtype != object else array.reshape(1)


def constant(x: Operand, like: Operand) -> Operand:
    """Return an operand in the float dtype of another, so that targets and weights do not change the dtype."""
    x, dtype = as_losses(x), like.dtype if like.dtype.kind == "f" else np.dtype(float)
    if x.dtype is dtype or x.dtype == dtype or x.dtype == object:
        return x
    return x.astype(dtype) if isinstance(x, np.ndarray) else ag.astype(x, dtype)


def refuse_nan(name: str, loss: Operand, target: Operand) -> Operand:
    """Return the loss; raise if it is nan because the target contains nan."""

    def refuse(loss: Operand, target: Operand) -> None:
        if np.isnan(loss).any() if getattr(loss, "ndim", 0) else loss != loss:
            no_nan(name, target)

    guard(refuse, loss, target)
    return loss


def require_no_nan(name: str, target: Operand) -> None:
    """Raise if a target contains nan."""
    guard(lambda target: no_nan(name, target), target)


def no_nan(name: str, target: Operand) -> None:
    """Raise if an array contains nan, with the place of the first one."""
    if np.size(target) and (greatest := np.maximum.reduce(target, axis=None)) != greatest:  # nan propagates
        missing = np.isnan(target)
        place = tuple(int(i) for i in np.argwhere(missing)[0])
        raise ValueError(
            f"{name}: the target contains nan ({int(missing.sum())} of {missing.size}), first at index {place}; "
            "remove or fill these rows before training"
        )
