"""Metrics of predictions: accuracy, confusion matrix, F1, R2, mean absolute and root mean squared error.

A metric is a function of the outputs of a model and the targets, as arrays or Tensors of all rows.  `named` returns
metrics by name, for `nn.training.fit(..., metrics=["accuracy"])`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autograd.extend import raw_data
from nn.typing import Array, Metric, Operand

__all__ = [
    "Metric", "accuracy", "confusion_matrix", "f1_score", "mean_absolute_error", "named", "predicted_classes",
    "r2_score", "root_mean_squared_error",
]  # fmt: skip


def predicted_classes(output: Operand, threshold: float = 0.0) -> Array:
    """Return the predicted class of each row of a model's output.

    Parameters
    ----------
    output : array_like or Tensor, shape (n, classes), (n, 1) or (n,)
        Of several columns the largest is the class.  In a single column of floats, elements above `threshold` are
        class 1; integers are classes.
    threshold : float
        0 for logits, 0.5 for probabilities.

    Returns
    -------
    ndarray of int, shape (n,)
        The classes.

    Raises
    ------
    ValueError
        If `output` has another shape.

    Examples
    --------
    >>> predicted_classes([[0.1, 2.0, -1.0], [3.0, 0.0, 0.0]])
    array([1, 0])
    >>> predicted_classes([-1.5, 0.2])
    array([0, 1])
    """
    scores = np.asarray(raw_data(output))
    if scores.ndim == 2 and scores.shape[1] > 1:
        return np.asarray(scores.argmax(axis=1))
    if scores.ndim not in (1, 2):
        raise ValueError(f"outputs must have shape (n, classes), (n, 1) or (n,), got {scores.shape}")
    column = scores.reshape(len(scores))
    return column if column.dtype.kind in "iub" else (column > threshold).astype(np.int64)


def _classes(output: Operand, target: Operand) -> tuple[Array, Array]:
    """Return predicted classes and target classes, which may be given as rows of probabilities."""
    predicted, true = predicted_classes(output), np.asarray(raw_data(target))
    if true.ndim == 2:
        true = true.argmax(axis=1) if true.shape[1] > 1 else true[:, 0]
    if true.shape != predicted.shape:
        raise ValueError(f"got {len(predicted)} predictions for targets of shape {np.shape(raw_data(target))}")
    if not len(true):
        raise ValueError("outputs and targets are empty")
    return predicted, true.astype(np.int64)


def accuracy(output: Operand, target: Operand) -> float:
    r"""Fraction of rows with the correct class.

    .. math:: \frac1n \sum_i [\hat y_i = y_i]

    Parameters
    ----------
    output : array_like or Tensor
        As for `predicted_classes`.
    target : array_like, shape (n,), (n, 1) or (n, classes)
        Class indices, or rows of probabilities.

    Returns
    -------
    float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        If the row counts differ or are 0.

    Examples
    --------
    >>> accuracy([[2.0, 1.0], [0.0, 1.0]], [0, 0])
    0.5
    """
    predicted, true = _classes(output, target)
    return float(np.mean(predicted == true))


def confusion_matrix(output: Operand, target: Operand, classes: int | None = None) -> Array:
    r"""Count the rows of each true class by their predicted class.

    .. math:: C_{jk} = \#\{i : y_i = j,\; \hat y_i = k\}

    Parameters
    ----------
    output, target
        As for `accuracy`.
    classes : int, optional
        Number of classes; by default the largest that occurs, or the number of columns of the output.

    Returns
    -------
    ndarray of int, shape (classes, classes)
        True classes in rows, predicted classes in columns, as in scikit-learn.

    Raises
    ------
    ValueError
        If a class is not in [0, classes).

    Examples
    --------
    >>> confusion_matrix([0, 1, 1, 1], [0, 1, 0, 1])
    array([[1, 1],
           [0, 2]])
    """
    predicted, true = _classes(output, target)
    scores = np.asarray(raw_data(output))
    columns = scores.shape[1] if scores.ndim == 2 else 0
    largest = int(max(predicted.max(), true.max())) + 1
    count = max(largest, columns) if classes is None else int(classes)
    if largest > count or min(predicted.min(), true.min()) < 0:
        raise ValueError(
            f"classes run from {min(predicted.min(), true.min())} to {largest - 1}, outside 0 to {count - 1}"
        )
    return np.bincount(true * count + predicted, minlength=count * count).reshape(count, count)


def f1_score(output: Operand, target: Operand) -> float:
    r"""Mean over the classes of the harmonic mean of precision and recall (macro F1).

    .. math:: F_k = \frac{2\,C_{kk}}{\sum_j C_{jk} + \sum_j C_{kj}}

    Classes that neither occur nor are predicted are omitted.

    Examples
    --------
    >>> f1_score([0, 0, 1, 1], [0, 1, 1, 1])
    0.7333333333333334
    """
    counts = confusion_matrix(output, target)
    both = counts.sum(0) + counts.sum(1)
    return float(np.mean(2 * counts.diagonal()[both > 0] / both[both > 0]))


def _columns(output: Operand, target: Operand) -> tuple[Array, Array]:
    """Return predictions and targets of one shape."""
    a, y = (np.asarray(raw_data(x), np.float64) for x in (output, target))
    if a.shape != y.shape and a.size == y.size and len(a) == len(y):
        a = a.reshape(y.shape)
    if a.shape != y.shape:
        raise ValueError(f"predictions have shape {a.shape} and targets {y.shape}; both must be the same")
    if not a.size:
        raise ValueError("outputs and targets are empty")
    return a, y


def r2_score(output: Operand, target: Operand) -> float:
    r"""Fraction of the variance of the target that is explained: 1 is perfect, 0 is as good as the mean.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - a_i)^2}{\sum_i (y_i - \bar y)^2}

    Parameters
    ----------
    output : array_like or Tensor, shape (n,) or (n, d)
        Predictions.
    target : array_like, of the same shape
        Targets.

    Returns
    -------
    float
        At most 1, and negative if the mean of the target is a better prediction; averaged over columns.  For a
        constant target, 1 if the prediction is exact and else 0, as in scikit-learn.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), r2_score([2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
    (1.0, 0.0)
    """
    a, y = _columns(output, target)
    missed = np.atleast_1d(((y - a) ** 2).sum(0))
    spread = np.atleast_1d(((y - y.mean(0)) ** 2).sum(0))
    share = np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), (missed == 0).astype(float))
    return float(share.mean())


def mean_absolute_error(output: Operand, target: Operand) -> float:
    r"""Mean of :math:`|a_i - y_i|`, in the units of the target.

    Examples
    --------
    >>> mean_absolute_error([1.0, 4.0], [2.0, 2.0])
    1.5
    """
    a, y = _columns(output, target)
    return float(np.abs(a - y).mean())


def root_mean_squared_error(output: Operand, target: Operand) -> float:
    r"""Root of the mean of :math:`(a_i - y_i)^2`, in the units of the target.

    Examples
    --------
    >>> root_mean_squared_error([1.0, 5.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    2.0
    """
    a, y = _columns(output, target)
    return float(np.sqrt(((a - y) ** 2).mean()))


mean_absolute_error.better = root_mean_squared_error.better = "lower"  # type: ignore[attr-defined]

BY_NAME: dict[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1_score,
    "r2": r2_score,
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
}


def better(metric: Metric | str) -> str:
    """Return 'lower' for the loss and for metrics whose attribute `better` is 'lower', else 'higher'.

    Examples
    --------
    >>> better("loss"), better("rmse"), better(accuracy)
    ('lower', 'lower', 'higher')
    """
    found = BY_NAME.get(metric) if isinstance(metric, str) else metric
    return "lower" if metric == "loss" else getattr(found, "better", "higher")


def named(metrics: object) -> dict[str, Metric]:
    """Return metrics by name, from names, functions, or a mapping of names to functions.

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If a metric is neither a name nor a function.

    Examples
    --------
    >>> list(named(["accuracy", r2_score]))
    ['accuracy', 'r2_score']
    """
    if isinstance(metrics, Mapping):
        return {str(name): _found(metric) for name, metric in metrics.items()}
    given = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]
    return {m if isinstance(m, str) else getattr(m, "__name__", repr(m)): _found(m) for m in given}


def _found(metric: object) -> Metric:
    if isinstance(metric, str):
        if metric not in BY_NAME:
            raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(BY_NAME)}, or pass a function")
        return BY_NAME[metric]
    if not callable(metric):
        raise TypeError(f"a metric must be a name or a function(output, target) -> float, got {metric!r:.60}")
    found: Metric = metric
    return found
