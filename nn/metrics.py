"""Metrics of predictions: accuracy, confusion matrix, F1, R2, mean absolute and root mean squared error.

A metric is a function of the outputs of a model and the targets, as arrays or Tensors of all rows.  `named` returns
metrics by name, for `nn.training.fit(..., metrics=["accuracy"])`.
"""

import functools
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from autograd.extend import raw_data, regular_array
from nn.typing import Array, ArrayLike, Metric, Operand
from nn.validation import require_integers, similar

__all__ = [
    "Metric", "accuracy", "confusion_matrix", "f1_score", "mean_absolute_error", "named", "predicted_classes",
    "r2_score", "root_mean_squared_error",
]  # fmt: skip


# What is above these thresholds is class 1; values that approximate the targets are first scaled to targets 0 and 1.
THRESHOLDS: dict[str | None, float] = {None: 0.0, "scores": 0.0, "logits": 0.0, "probabilities": 0.5, "values": 0.5}


def predicted_classes(output: Operand, output_kind: str | None = None) -> Array:
    """Return the predicted class of each row, or of each label, of a model's output.

    Parameters
    ----------
    output : array_like or Tensor, shape (n, classes), (n, labels), (n, 1) or (n,)
        Of several scores in a row the largest is the class.  Logits above 0 and probabilities above 0.5 are class 1,
        each column by itself.  Integers in a single column are classes.
    output_kind : {'scores', 'logits', 'probabilities', 'values'}, optional
        By default several columns are scores, and a single one logits.

    Returns
    -------
    ndarray of int, shape (n,) or (n, labels)
        The classes, with -1 where an output is nan.

    Raises
    ------
    ValueError
        If `output` has another shape, or `output_kind` is unknown.

    Examples
    --------
    >>> predicted_classes([[0.1, 2.0, -1.0], [3.0, 0.0, 0.0]])
    array([1, 0])
    >>> predicted_classes([-1.5, 0.2, float("nan")])
    array([ 0,  1, -1])
    >>> predicted_classes([[0.1, 0.9], [0.7, 0.6]], "probabilities")
    array([[0, 1],
           [1, 1]])
    """
    scores = regular_array("output", raw_data(output))
    if output_kind not in THRESHOLDS:
        names = ", ".join(repr(name) for name in THRESHOLDS if name)
        raise ValueError(f"output_kind must be one of {names}, got {output_kind!r:.60}")
    if scores.ndim not in (1, 2):
        raise ValueError(f"outputs must have shape (n, classes), (n, 1) or (n,), got {scores.shape}")
    if not _has_labels(scores, output_kind):
        if scores.ndim == 2 and scores.shape[1] > 1:
            return np.where(np.isnan(scores).any(axis=1), -1, scores.argmax(axis=1))
        return scores.reshape(len(scores))
    scores = scores[:, 0] if scores.shape[1:] == (1,) else scores
    return np.where(np.isnan(scores), -1, scores > THRESHOLDS[output_kind])


def _has_labels(scores: Array, output_kind: str | None) -> bool:
    """Return whether each element is a decision by itself, rather than a class or one of the scores of a row."""
    several = scores.ndim == 2 and scores.shape[1] > 1
    return scores.dtype.kind == "f" and (not several or output_kind in ("logits", "probabilities"))


def _classes(
    output: Operand, target: Operand, output_kind: str | None, ignore_index: int | None
) -> tuple[Array, Array]:
    """Return predicted classes and target classes, of one row or label each."""
    scores, true = regular_array("output", raw_data(output)), regular_array("target", raw_data(target))
    if true.dtype.kind not in "biuf":
        require_integers("classes of the target", true)
    if ignore_index is not None and true.ndim == 1 and true.dtype.kind in "iu" and len(true) == len(scores):
        kept = true != ignore_index
        scores, true = scores[kept], true[kept]
    if _has_labels(scores, output_kind):
        if output_kind is None and scores.size and scores.min() > 0 and scores.max() < 1:
            reason = "all outputs are between 0 and 1 and are compared with 0, as logits"
            cure = "if they are probabilities, pass output_kind='probabilities', or give the loss this attribute"
            warnings.warn(f"{reason}; {cure}", stacklevel=3)
        if true.size and true.min() < 0:  # labels -1 and 1
            true = (true + 1) / 2
            scores = (scores + 1) / 2 if output_kind == "values" else scores
        if not ((true >= 0) & (true <= 1)).all():
            raise ValueError(
                f"the outputs decide between two classes, whose targets must be 0 and 1, -1 and 1 or probabilities, "
                f"but they run from {true.min()} to {true.max()}; return a column of scores for each class"
            )
        true = true > 0.5
    elif true.ndim == 2 and true.shape[1] > 1:
        if not np.allclose(true.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError(
                "a row of the target has several labels or none; use output_kind='logits' or 'probabilities'"
            )
        true = true.argmax(axis=1)
    predicted = predicted_classes(scores, output_kind)
    true = true[:, 0] if true.shape[1:] == (1,) else true
    if true.shape != predicted.shape:
        raise ValueError(f"got {len(predicted)} predictions for targets of shape {np.shape(raw_data(target))}")
    if not true.size:
        raise ValueError("outputs and targets are empty")
    if true.dtype.kind == "f" and (true % 1 != 0).any():
        raise ValueError(f"classes of the target must be integers, got {true[true % 1 != 0][0]}")
    return predicted, true.astype(np.int64)


def accuracy(
    output: Operand, target: Operand, output_kind: str | None = None, ignore_index: int | None = None
) -> float:
    r"""Fraction of rows, or of labels if rows have several, with the correct class.

    .. math:: \frac1n \sum_i [\hat y_i = y_i]

    Parameters
    ----------
    output, output_kind
        As for `predicted_classes`; nan is not a class.  'values' approximate the labels, as of a regression loss, and
        are compared with the middle between them.
    target : array_like, shape (n,), (n, 1), (n, classes) or (n, labels)
        Class indices, rows of probabilities, or labels: 0 and 1, -1 and 1, or probabilities of class 1.
    ignore_index : int, optional
        Rows with this class index are left out.

    Returns
    -------
    float
        Fraction in [0, 1].

    Raises
    ------
    ValueError
        If the row counts differ or are 0, or the targets are not labels.

    Notes
    -----
    `nn.training.fit` and `evaluate` pass `output_kind` and `ignore_index` of the loss.

    Examples
    --------
    >>> accuracy([[2.0, 1.0], [0.0, 1.0]], [0, 0])
    0.5
    >>> accuracy([0.2, 0.9], [0, 1], "probabilities")
    1.0
    """
    predicted, true = _classes(output, target, output_kind, ignore_index)
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
        If a class is not in [0, classes), or an output is nan.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1, 1], [0, 1, 0, 1])
    array([[1, 1],
           [0, 2]])
    """
    predicted, true = _classes(output, target, None, None)
    scores = regular_array("output", raw_data(output))
    columns = scores.shape[1] if scores.ndim == 2 else 0
    largest = int(max(predicted.max(), true.max())) + 1
    count = max(largest, columns) if classes is None else int(classes)
    least = min(predicted.min(), true.min())
    if largest > count or least < 0:
        raise ValueError(f"classes from {least} to {largest - 1}, outside 0 to {count - 1}; nan is class -1")
    return np.bincount(true * count + predicted, minlength=count * count).reshape(count, count)


def f1_score(
    output: Operand, target: Operand, output_kind: str | None = None, ignore_index: int | None = None
) -> float:
    r"""Mean over the classes of the harmonic mean of precision and recall (macro F1).

    .. math:: F_k = \frac{2\,C_{kk}}{\sum_j C_{jk} + \sum_j C_{kj}}

    Classes that neither occur nor are predicted are omitted.  If rows have several labels, it is the mean over them.
    The arguments are those of `accuracy`.

    Examples
    --------
    >>> f1_score([0, 0, 1, 1], [0, 1, 1, 1])
    0.7333333333333334
    """
    predicted, true = _classes(output, target, output_kind, ignore_index)
    if true.min() < 0:
        raise ValueError(f"the target contains the class {true.min()}; classes count from 0")
    labels = zip(np.atleast_2d(predicted.T), np.atleast_2d(true.T), strict=True)
    return float(np.mean([_f1_of_label(*pair) for pair in labels]))


def _f1_of_label(predicted: Array, true: Array) -> float:
    count = int(max(predicted.max(), true.max())) + 1
    hits, occur, made = (
        np.bincount(some, minlength=count) for some in (true[predicted == true], true, predicted[predicted >= 0])
    )
    both = occur + made
    return float(np.mean(2 * hits[both > 0] / both[both > 0]))


def _columns(output: Operand, target: Operand) -> tuple[Array, Array]:
    """Return predictions and targets of one shape."""
    a, y = (regular_array("a metric", raw_data(x)).astype(np.float64) for x in (output, target))
    if a.shape != y.shape and a.size == y.size and len(a) == len(y):
        a = a.reshape(y.shape)
    if a.shape != y.shape:
        raise ValueError(f"predictions have shape {a.shape} and targets {y.shape}; both must be the same")
    if not a.size:
        raise ValueError("outputs and targets are empty")
    return a, y


def r2_score(output: Operand, target: Operand, sample_weight: ArrayLike | None = None) -> float:
    r"""Fraction of the variance of the target that is explained: 1 is perfect, 0 is as good as the mean.

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - a_i)^2}{\sum_i (y_i - \bar y)^2}

    Parameters
    ----------
    output : array_like or Tensor, shape (n,) or (n, d)
        Predictions.
    target : array_like, of the same shape
        Targets.
    sample_weight : array_like, shape (n,), optional
        Weights of the rows.

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
    weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    missed = np.atleast_1d(np.average((y - a) ** 2, axis=0, weights=weights))
    spread = np.atleast_1d(np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights))
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
accuracy.of_loss = f1_score.of_loss = ("output_kind", "ignore_index")  # type: ignore[attr-defined]

BY_NAME: dict[str, Metric] = {
    "accuracy": accuracy, "f1": f1_score, "r2": r2_score, "mae": mean_absolute_error, "rmse": root_mean_squared_error,
}  # fmt: skip


def better(metric: Metric | str) -> str:
    """Return 'lower' for the loss and for metrics whose attribute `better` is 'lower', else 'higher'.

    Examples
    --------
    >>> better("loss"), better("rmse"), better(accuracy)
    ('lower', 'lower', 'higher')
    """
    found = BY_NAME.get(metric) if isinstance(metric, str) else metric
    return "lower" if metric == "loss" else getattr(found, "better", "higher")


def informed(metric: Metric, loss: object) -> Metric:
    """Return a metric with the attributes of the loss that it takes, whose names are in its attribute `of_loss`.

    Examples
    --------
    >>> from nn import BCELoss
    >>> informed(accuracy, BCELoss())([0.2, 0.9], [0, 1])
    1.0
    """
    known = {name: getattr(loss, name, None) for name in getattr(metric, "of_loss", ())}
    return functools.partial(metric, **known) if known else metric


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
            choices = f"; choose from {', '.join(BY_NAME)}, or pass a function"
            raise ValueError(f"unknown metric {metric!r}{similar(metric, BY_NAME, choices)}")
        return BY_NAME[metric]
    if not callable(metric):
        raise TypeError(f"a metric must be a name or a function(output, target) -> float, got {metric!r:.60}")
    found: Metric = metric
    return found
