"""How good predictions are: accuracy, confusion matrix, precision and recall, R2 and typical errors.

Every metric takes what the model put out and what was right, as arrays or Tensors, and works on all rows at once.
`named` finds one by its name, for `nn.training.fit(..., metrics=["accuracy"])`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd.extend import raw_data

__all__ = [
    "Metric",
    "accuracy",
    "better",
    "confusion_matrix",
    "f1_score",
    "mean_absolute_error",
    "named",
    "predicted_classes",
    "r2_score",
    "root_mean_squared_error",
]

Array = np.ndarray[Any, Any]
Metric = Callable[[Any, Any], float]


def predicted_classes(output: Any, threshold: float = 0.0) -> Array:
    """Return the class each row of a model's output stands for.

    Parameters
    ----------
    output : array_like or Tensor, shape (n, classes), (n, 1) or (n,)
        Several columns: the class of the largest.  One column of floats: class 1 above `threshold`.  Whole numbers
        are classes already.
    threshold : float
        0 for logits, 0.5 for probabilities.

    Returns
    -------
    ndarray of int, shape (n,)
        The classes.

    Raises
    ------
    ValueError
        If `output` has another number of axes.

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
        raise ValueError(f"outputs must be of shape (n, classes), (n, 1) or (n,), not {scores.shape}")
    column = scores.reshape(len(scores))
    return column if column.dtype.kind in "iub" else (column > threshold).astype(np.int64)


def _classes(output: Any, target: Any) -> tuple[Array, Array]:
    """Return predicted and true classes; true ones may be rows of probabilities."""
    predicted, true = predicted_classes(output), np.asarray(raw_data(target))
    if true.ndim == 2:
        true = true.argmax(axis=1) if true.shape[1] > 1 else true[:, 0]
    if true.shape != predicted.shape:
        raise ValueError(f"got {len(predicted)} predictions for targets of shape {np.shape(raw_data(target))}")
    if not len(true):
        raise ValueError("there are no rows to measure: outputs and targets are empty")
    return predicted, true.astype(np.int64)


def accuracy(output: Any, target: Any) -> float:
    r"""Share of rows whose class was predicted.

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
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the numbers of rows differ or are 0.

    Examples
    --------
    >>> accuracy([[2.0, 1.0], [0.0, 1.0]], [0, 0])
    0.5
    """
    predicted, true = _classes(output, target)
    return float(np.mean(predicted == true))


def confusion_matrix(output: Any, target: Any, classes: int | None = None) -> Array:
    r"""Count how often each true class was taken for each other.

    .. math:: C_{jk} = \#\{i : y_i = j,\; \hat y_i = k\}

    Parameters
    ----------
    output, target
        As for `accuracy`.
    classes : int, optional
        How many classes there are; by default those that occur, and the columns of the output.

    Returns
    -------
    ndarray of int, shape (classes, classes)
        True classes in rows, predicted ones in columns, as in scikit-learn.

    Raises
    ------
    ValueError
        If a class is negative or not below `classes`.

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


def f1_score(output: Any, target: Any) -> float:
    r"""Mean over the classes of the harmonic mean of precision and recall (macro F1).

    .. math:: F_k = \frac{2\,C_{kk}}{\sum_j C_{jk} + \sum_j C_{kj}}

    A class that neither occurs nor is predicted is left out.

    Examples
    --------
    >>> f1_score([0, 0, 1, 1], [0, 1, 1, 1])
    0.7333333333333334
    """
    counts = confusion_matrix(output, target)
    both = counts.sum(0) + counts.sum(1)
    return float(np.mean(2 * counts.diagonal()[both > 0] / both[both > 0]))


def _columns(output: Any, target: Any) -> tuple[Array, Array]:
    """Return predictions and targets of one shape."""
    a, y = (np.asarray(raw_data(x), np.float64) for x in (output, target))
    if a.shape != y.shape and a.size == y.size and len(a) == len(y):
        a = a.reshape(y.shape)
    if a.shape != y.shape:
        raise ValueError(f"predictions have shape {a.shape} and targets {y.shape}; give both the same")
    if not a.size:
        raise ValueError("there are no rows to measure: outputs and targets are empty")
    return a, y


def r2_score(output: Any, target: Any) -> float:
    r"""Share of the variance of the target that is explained: 1 is perfect, 0 no better than the mean.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - a_i)^2}{\sum_i (y_i - \bar y)^2}

    Parameters
    ----------
    output : array_like or Tensor, shape (n,) or (n, d)
        Predictions.
    target : array_like, of the same shape
        What was right.

    Returns
    -------
    float
        At most 1, and negative if the mean of the target would do better.  Of several columns, their mean.  Of a
        constant target, 1 if it is hit and else 0, as in scikit-learn.

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


def mean_absolute_error(output: Any, target: Any) -> float:
    r"""Mean of :math:`|a_i - y_i|`, in the target's own units.

    Examples
    --------
    >>> mean_absolute_error([1.0, 4.0], [2.0, 2.0])
    1.5
    """
    a, y = _columns(output, target)
    return float(np.abs(a - y).mean())


def root_mean_squared_error(output: Any, target: Any) -> float:
    r"""Root of the mean of :math:`(a_i - y_i)^2`, in the target's own units.

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


def named(metrics: Any) -> dict[str, Metric]:
    """Return metrics by name, from names, functions, or a mapping of names to functions.

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If something is neither a name nor a function.

    Examples
    --------
    >>> list(named(["accuracy", r2_score]))
    ['accuracy', 'r2_score']
    """
    if isinstance(metrics, Mapping):
        return {str(name): _found(metric) for name, metric in metrics.items()}
    given = metrics if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]
    return {m if isinstance(m, str) else getattr(m, "__name__", repr(m)): _found(m) for m in given}


def _found(metric: Any) -> Metric:
    if isinstance(metric, str):
        if metric not in BY_NAME:
            raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(BY_NAME)}, or give a function")
        return BY_NAME[metric]
    if not callable(metric):
        raise TypeError(f"a metric is a name or a function(output, target) -> float, not {metric!r:.60}")
    found: Metric = metric
    return found
