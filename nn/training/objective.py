"""Targets, loss and metric of a classification or a regression, with or without weights of the rows."""

import numpy as np

from nn.data import one_hot
from nn.functional import log_softmax
from nn.loss import MSELoss
from nn.metrics import accuracy, r2_score
from nn.typing import Array, Loss, Metric, Operand


def objective(
    y: Array, weight: Array | None, classes: int | None, label_smoothing: float = 0.0
) -> tuple[Array, Loss, dict[str, Metric]]:
    """Return targets with weights, their loss, and an unweighted metric by name.

    Parameters
    ----------
    y : ndarray, shape (n,) or (n, outputs)
        Class indices, or values.
    weight : ndarray, shape (n,), or None
        Weights of the rows, which are divided by their mean.
    classes : int or None
        The number of classes; None for a regression.
    label_smoothing : float
        The part of each class target that is spread evenly over all classes (Szegedy et al. 2016, section 7).

    Examples
    --------
    >>> target, loss, metrics = objective(np.array([0, 1]), np.array([1.0, 3.0]), 2)
    >>> target
    array([[0.5, 0. ],
           [0. , 1.5]])
    """
    if weight is not None:
        weight = weight / weight.mean()
    if classes is not None:
        soft = (1 - label_smoothing) * one_hot(y, classes) + label_smoothing / classes
        return soft if weight is None else soft * weight[:, None], _cross_entropy, {"accuracy": _accuracy}
    if weight is None:
        return y, MSELoss(), {"r2": r2_score}
    return np.column_stack([y, weight]), _weighted_squared_error, {"r2": _r2_score}


def _cross_entropy(output: Operand, target: Operand) -> Operand:
    return -(log_softmax(output, 1) * target).sum(axis=1).mean()


def _weighted_squared_error(output: Operand, target: Operand) -> Operand:
    return ((output - target[:, :-1]) ** 2 * target[:, -1:]).mean()


def _accuracy(output: Operand, target: Operand) -> float:
    return accuracy(output, np.asarray(target).argmax(axis=1))


def _r2_score(output: Operand, target: Operand) -> float:
    return r2_score(output, np.asarray(target)[:, :-1])
