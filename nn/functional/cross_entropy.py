"""Losses of several classes, without state: on logits, on log-probabilities, and with margins."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

import autograd as ag
from autograd.extend import apply, callback, elementwise, guard, raw_data, xp

from .checks import as_losses, constant, prediction_and_target, reduced, refuse_nan, require_probabilities, row_count
from .fused import cross_entropy_of_index, cross_entropy_of_rows, mean_cross_entropy_of_index

__all__ = ["cross_entropy", "kl_div", "multi_margin_loss", "nll_loss"]

OF_INDEX = cross_entropy_of_index.primitive  # type: ignore[attr-defined]
MEAN_OF_INDEX = mean_cross_entropy_of_index.primitive  # type: ignore[attr-defined]


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    r"""Cross-entropy :math:`-\sum_k q_k \log \mathrm{softmax}(z)_k` of logits with classes or probabilities.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C), (C,) or (N, C, d1, ...)
        Logits, any finite numbers.
    target : integers of shape (N,), () or (N, d1, ...), or floats of the shape of `input`
        Class indices, or rows of probabilities (one-hot or soft).
    weight : array_like of shape (C,), optional
        Scales the loss of each class; the mean over class indices divides by the weights of the targets.
    ignore_index : int
        Class index whose examples count for nothing.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the losses of the examples.
    label_smoothing : float
        In [0, 1]: how much of each target is spread evenly over all classes (Szegedy et al. 2016, section 7).

    Returns
    -------
    Tensor, ndarray or Value
        The loss; its gradient is :math:`(\mathrm{softmax}(z) - y) / N` without options.

    Raises
    ------
    IndexError
        If a class index is not in [0, C).
    TypeError
        If class indices are floats, or probabilities integers.
    ValueError
        If shapes, probabilities, `weight` or `label_smoothing` do not fit.

    Examples
    --------
    >>> round(float(cross_entropy([[0.0, 0.0]], [1])), 6)
    0.693147
    """
    z, target = as_losses(input), target if isinstance(target, ag.Node) else np.asarray(target)
    t = raw_data(target)
    if z.ndim != 2:
        return _of_other_shape(z, target, weight, ignore_index, reduction, label_smoothing)
    if t.dtype.kind not in "iu" or t.ndim != 1:
        if ignore_index != -100:  # the default
            raise ValueError(
                f"cross_entropy: ignore_index={ignore_index} needs class indices, got a target of probabilities; set "
                "the rows to ignore to zero instead"
            )
        q = _probability_rows(z, target, t)
        return reduced(_weighted_rows(z, q, weight, label_smoothing), reduction)
    plain = weight is None and not label_smoothing and not 0 <= ignore_index < z.shape[1] and z.dtype != object
    if plain and guard(_all_valid, target, *z.shape):
        if reduction == "mean" and len(t):
            return apply(MEAN_OF_INDEX, (z, target))
        return reduced(apply(OF_INDEX, (z, target)), reduction)
    kept = _kept_classes("cross_entropy", z, target, ignore_index)
    q = callback(_one_hot_rows(z.shape[1]), target, kept)
    losses = _weighted_rows(z, q, weight, label_smoothing, kept)
    return _reduced_by_weight("cross_entropy", losses, target, kept, weight, reduction)


def _all_valid(t: Any, rows: int, classes: int) -> bool:
    """Return whether there is one index in [0, classes) per row: a negative one is huge when read as unsigned."""
    return len(t) == rows and (not rows or bool(np.maximum.reduce(t.view(f"u{t.itemsize}")) < classes))


def _kept_classes(name: str, z: Any, target: Any, ignore_index: int) -> Any:
    """Return a mask of the rows whose class is not `ignore_index`; raise if a class index is out of range."""
    shape = z.shape
    return callback(lambda t: _kept(name, shape, t, ignore_index), target)


def _kept(name: str, shape: tuple[int, int], t: Any, ignore_index: int) -> Any:
    rows, classes = shape
    if t.shape != (rows,):
        raise ValueError(f"{name}: {rows} rows of shape {shape} but targets of shape {t.shape}")
    kept = t != ignore_index
    wrong = kept & ((t < 0) | (t >= classes))
    if wrong.any():
        row = int(np.argmax(wrong))
        hint = "; for rows without a class pass its number as ignore_index" if t[row] < 0 else ""
        hint = "; one output per class is needed, or a loss for two of them such as BCE" if classes == 1 else hint
        raise IndexError(f"{name}: class index {int(t[row])} in row {row} is not in [0, {classes}){hint}")
    return kept


def _one_hot_rows(classes: int) -> Any:
    """Return a function of classes, and of which of them count, that makes rows of 0 with 1 at the class."""

    def one_hot(t: Any, kept: Any) -> Any:
        q = np.zeros((len(t), classes))
        q[np.arange(len(t))[kept], t[kept]] = 1.0
        return q

    return one_hot


def _at_class(x: Any, target: Any, kept: Any) -> Any:
    """Return the element of each row at its class; any element of rows that are not kept."""
    if type(x) is np.ndarray and x.dtype == object:  # which NumPy does not index by a node
        return ag.sum(ag.where(callback(_one_hot_rows(x.shape[1]), target, kept), x, 0.0), axis=1)
    return x[np.arange(len(x)), callback(lambda t, kept: np.where(kept, t, 0), target, kept)]


def _class_weights(name: str, weight: Any, z: Any) -> Any:
    """Return one weight for each class."""
    classes = z.shape[-1]
    shape = (classes,) if weight is None else np.shape(weight)
    if shape != (classes,):
        raise ValueError(f"{name}: weight has shape {shape}, and {classes} classes need ({classes},)")
    return np.ones(classes) if weight is None else callback(lambda w: np.asarray(w, float), weight)


def _reduced_by_weight(name: str, losses: Any, target: Any, kept: Any, weight: Any, reduction: str) -> Any:
    """Return the losses reduced; their mean divides by the weights of the classes that occur."""
    if reduction != "mean":
        return reduced(losses, reduction)

    def total(t: Any, kept: Any, *weights: Any) -> float:
        found = float(np.sum(np.asarray(weights[0])[t[kept]] if weights else kept))
        if not found:
            why = "the weights of all targets are zero" if kept.any() else "every target is ignore_index"
            why = why if len(t) else "the batch is empty"
            warnings.warn(f"{name}: {why}; the mean of no losses is nan", stacklevel=3)
        # As in PyTorch: weights of zero give a nan gradient, no examples at all a gradient of zero.
        return found or (math.nan if kept.any() else math.inf)

    divisor = callback(total, target, kept, *([] if weight is None else [weight]))
    nothing = callback(lambda d: math.nan if d == math.inf else 0.0, divisor)
    mean = ag.sum(losses) / divisor
    return mean if type(nothing) is float and not nothing else mean + nothing


def _probability_rows(z: Any, target: Any, t: Any) -> Any:
    """Return the target as rows of probabilities, or explain what it should have been."""
    if t.shape == (len(z), 1) != z.shape:
        raise ValueError(
            f"cross_entropy: class indices are a row of numbers, not a column {t.shape}: take target[:, 0]"
        )
    if t.dtype.kind not in "fO":
        raise TypeError(
            f"cross_entropy: a target of dtype {t.dtype} and shape {t.shape} for logits of shape {z.shape}: class "
            f"indices are integers of shape {z.shape[:1]}, probabilities are floats of the logits' shape; convert "
            "one-hot rows with .astype(float)"
        )
    if t.shape == z.shape[:1]:
        raise TypeError(
            f"cross_entropy: class indices are integers, and these are {t.dtype}; convert them with .astype(int)"
        )
    if t.shape != z.shape:
        raise ValueError(f"cross_entropy: probabilities of shape {t.shape} do not fit logits of shape {z.shape}")
    require_probabilities("cross_entropy", "target probabilities", target)
    return target


def _weighted_rows(z: Any, q: Any, weight: Any, label_smoothing: float, kept: Any = None) -> Any:
    """Return the loss of each row for target probabilities `q`, smoothed and weighted."""
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is a fraction in [0, 1], not {label_smoothing}")
    if label_smoothing:
        spread = label_smoothing / z.shape[-1]
        q = (1.0 - label_smoothing) * q + (spread if kept is None else spread * kept[:, None])
    if weight is not None:
        q = q * _class_weights("cross_entropy", weight, z)
    return cross_entropy_of_rows(z, constant(q, z))


def _of_other_shape(z: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float) -> Any:
    """Return the loss of one row of logits, or of logits with further axes behind the classes."""
    t = raw_data(target)
    if z.ndim == 0:
        raise ValueError("cross_entropy: logits need an axis of classes, and this is a single number")
    is_index = t.dtype.kind in "iu" and t.ndim == z.ndim - 1
    expected = (*z.shape[:1], *z.shape[2:]) if z.ndim > 1 else ()
    if t.shape != (expected if is_index else z.shape):
        raise ValueError(
            f"cross_entropy: targets of shape {t.shape} do not fit logits of shape {z.shape}: class indices have "
            f"shape {expected}, probabilities the logits' shape"
        )
    rows = ag.reshape(target, (-1,)) if is_index else _classes_last(target)
    loss = cross_entropy(_classes_last(z), rows, weight, ignore_index, reduction, smoothing)
    if reduction != "none":
        return loss
    return ag.reshape(loss, expected) if expected else loss[0]


def _classes_last(x: Any) -> Any:
    """Return (N, C, d1, ...) or (C,) as rows over classes."""
    moved = ag.transpose(x, (0, *range(2, x.ndim), 1)) if x.ndim > 2 else x
    return ag.reshape(moved, (-1, x.shape[min(1, x.ndim - 1)]))


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    r"""Negative log-likelihood :math:`-w_t x_t` of log-probabilities `x` for class indices `t`.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C)
        Log-probabilities, as from `log_softmax`.
    target : integers of shape (N,)
        Class indices.
    weight, ignore_index, reduction
        As in `cross_entropy`, which takes logits and is both in one.

    Raises
    ------
    IndexError
        If a class index is not in [0, C).
    TypeError
        If class indices are not integers.

    Examples
    --------
    >>> nll_loss([[-0.5, -2.0]], [1])
    np.float64(2.0)
    """
    x = as_losses(input)
    target = _class_indices("nll_loss", target)
    if x.ndim != 2:
        raise ValueError(f"nll_loss: log-probabilities have shape (N, C), not {x.shape}")
    kept = _kept_classes("nll_loss", x, target, ignore_index)
    weights = _class_weights("nll_loss", weight, x)
    w = callback(lambda w, t, kept: w[np.where(kept, t, 0)], weights, target, kept)
    losses = ag.where(kept, -_at_class(x, target, kept) * constant(w, x), 0.0)
    return _reduced_by_weight("nll_loss", losses, target, kept, weight, reduction)


def _class_indices(name: str, target: Any) -> Any:
    """Return class indices as a node or an array, or raise if they are not integers."""
    target = target if isinstance(target, ag.Tensor) else np.asarray(target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"{name}: class indices are integers, and these are {target.dtype}; convert with .astype(int)")
    return target


@elementwise(lambda y, x: ag.where(ag.greater(x, 0), ag.log(ag.where(ag.greater(x, 0), x, 1.0)) + 1.0, 0.0))
def x_log_x(x: Any) -> Any:
    """Product ``x log x``, 0 at 0."""
    positive = x > 0
    return xp(x).where(positive, x * xp(x).log(xp(x).where(positive, x, 1.0)), 0.0 * x)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    r"""Kullback-Leibler divergence :math:`y (\log y - x)` from log-probabilities `x` to probabilities `y`.

    Parameters
    ----------
    input : Tensor or array_like
        Log-probabilities.
    target : Tensor or array_like of the same shape
        Probabilities, or their logarithms.
    reduction : {'mean', 'batchmean', 'sum', 'none'}
        'batchmean' divides the sum by the number of rows, which is the divergence as the mathematics has it.
    log_target : bool
        Whether `target` holds logarithms.

    Examples
    --------
    >>> kl_div([[-0.5, -1.0]], [[0.0, 1.0]], "batchmean")
    np.float64(1.0)
    """
    x, t = prediction_and_target("kl_div", input, target)
    losses = ag.exp(t) * (t - x) if log_target else x_log_x(t) - t * x
    if reduction == "batchmean":
        loss = ag.sum(losses) / row_count(x) if losses.size else reduced(losses, "mean")
    else:
        loss = reduced(losses, reduction)
    return refuse_nan("kl_div", loss, t)


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Any:
    r"""Multi-class hinge :math:`\frac 1 C \sum_{i \ne t} w_t \max(0, margin - x_t + x_i)^p`.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C)
        Scores.
    target : integers of shape (N,)
        Class indices `t`.
    p : {1, 2}
        Power.
    margin : float
        By how much the right class shall lead.
    weight : array_like of shape (C,), optional
        Scales the loss of each class.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the losses of the examples.

    Notes
    -----
    Crammer & Singer 2001, with the sum in place of the maximum (Weston & Watkins 1999).

    Examples
    --------
    >>> multi_margin_loss([[1.0, 3.0]], [0])
    np.float64(1.5)
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p is 1 or 2, not {p}")
    x = as_losses(input)
    target = _class_indices("multi_margin_loss", target)
    if x.ndim != 2:
        raise ValueError(f"multi_margin_loss: scores have shape (N, C), not {x.shape}")
    kept = _kept_classes("multi_margin_loss", x, target, -(2**62))

    def share_of_others(t: Any, w: Any) -> Any:
        others = np.ones((len(t), len(w)))
        others[np.arange(len(t)), t] = 0.0
        return others * w[t][:, None] / len(w)

    scale = callback(share_of_others, target, _class_weights("multi_margin_loss", weight, x))
    hinge = ag.relu(margin - _at_class(x, target, kept)[:, None] + x)
    return reduced(ag.sum((hinge if p == 1 else hinge * hinge) * constant(scale, x), axis=1), reduction)
