"""Cross-entropy on logits, with class indices or rows of probabilities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import autograd as ag
from autograd.extend import apply

from .checks import as_operand, numbers, reduced, require_probabilities
from .fused import cross_entropy_of_index, cross_entropy_of_rows

__all__ = ["cross_entropy"]

OF_INDEX = cross_entropy_of_index.primitive  # type: ignore[attr-defined]


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
        In [0, 1]: how much of each target is spread evenly over all classes (Szegedy et al. 2016).

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
    >>> round(float(cross_entropy(np.array([[0.0, 0.0]]), [1])), 6)
    0.693147
    """
    z, t = as_operand(input), numbers(target)
    if z.ndim != 2:
        return _of_other_shape(z, target, weight, ignore_index, reduction, label_smoothing)
    if t.dtype.kind not in "iu" or t.ndim != 1:
        q = _probability_rows(z, target, t)
        return reduced(_weighted_rows(z, q, weight, label_smoothing), reduction)
    rows, classes = z.shape
    if len(t) != rows:
        raise ValueError(f"cross_entropy: {rows} rows of logits {z.shape} but targets of shape {t.shape}")
    if weight is None and not label_smoothing and _all_inside(t, classes):
        return reduced(apply(OF_INDEX, (z, t)), reduction)
    return _of_index(z, t, weight, ignore_index, reduction, label_smoothing)


def _all_inside(t: Any, classes: int) -> bool:
    """Whether every index lies in [0, classes): a negative one is huge when read without its sign."""
    return not len(t) or bool(np.maximum.reduce(t.view(f"u{t.itemsize}")) < classes)


def _of_index(z: Any, t: Any, weight: Any, ignore_index: int, reduction: str, label_smoothing: float) -> Any:
    """Return the loss of class indices with any of the options."""
    rows, classes = z.shape
    kept = t != ignore_index
    wrong = kept & ((t < 0) | (t >= classes))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise IndexError(
            f"cross_entropy: class index {int(t[row])} in row {row} is not in [0, {classes}), the classes of logits of "
            f"shape {z.shape}" + ("; pass ignore_index for rows without a class" if t[row] < 0 else "")
        )
    q = np.zeros((rows, classes))
    q[np.arange(rows)[kept], t[kept]] = 1.0
    losses = _weighted_rows(z, q, weight, label_smoothing, kept)
    if reduction != "mean":
        return reduced(losses, reduction)
    w = np.ones(classes) if weight is None else numbers(weight)
    total = float(np.sum(w[t[kept]]))
    if total == 0.0:
        why = "every target is ignore_index" if rows else "the batch is empty"
        why = why if not kept.any() else "the weights of all targets are zero"
        warnings.warn(f"cross_entropy: {why}, and the mean of no losses is nan", stacklevel=3)
        return ag.sum(losses) * float("nan") if kept.any() else ag.sum(losses) + float("nan")
    return ag.sum(losses) / total


def _probability_rows(z: Any, target: Any, t: Any) -> Any:
    """Return the target as rows of probabilities, or explain what it should have been."""
    if t.dtype.kind not in "fO":
        raise TypeError(
            f"cross_entropy: a target of dtype {t.dtype} and shape {t.shape} for logits {z.shape}: class indices are "
            f"integers of shape ({z.shape[0]},), probabilities are floats of the logits' shape; convert one-hot rows "
            "with .astype(float)"
        )
    if t.ndim == 1 and t.shape[0] == z.shape[0]:
        raise TypeError(
            f"cross_entropy: class indices must be integers, and these are {t.dtype}; convert them with .astype(int)"
        )
    if t.shape != z.shape:
        raise ValueError(f"cross_entropy: probabilities of shape {t.shape} do not fit logits of shape {z.shape}")
    require_probabilities("cross_entropy", "target probabilities", t)
    return target if isinstance(target, ag.Node) else t


def _weighted_rows(z: Any, q: Any, weight: Any, label_smoothing: float, kept: Any = None) -> Any:
    """Return the loss of each row for target probabilities `q`, smoothed and weighted."""
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is a fraction in [0, 1], not {label_smoothing}")
    classes = z.shape[-1]
    if label_smoothing:
        spread = label_smoothing / classes
        q = (1.0 - label_smoothing) * q + (spread if kept is None else spread * kept[:, None])
    if weight is not None:
        w = numbers(weight)
        if w.shape != (classes,):
            raise ValueError(f"cross_entropy: weight has shape {w.shape}, and {classes} classes need ({classes},)")
        q = q * w
    if isinstance(q, np.ndarray) and q.dtype != object and z.dtype != object:
        q = q.astype(z.dtype, copy=False)
    return cross_entropy_of_rows(z, q)


def _of_other_shape(z: Any, target: Any, weight: Any, *options: Any) -> Any:
    """Return the loss of one row of logits, or of logits with further axes behind the classes."""
    ignore_index, reduction, label_smoothing = options
    t = numbers(target)
    if z.ndim == 0:
        raise ValueError("cross_entropy: logits need an axis of classes, and these are a single number")
    is_index = t.dtype.kind in "iu" and t.ndim == z.ndim - 1
    t = t if is_index else as_operand(target)
    expected = (*z.shape[:1], *z.shape[2:]) if z.ndim > 1 else ()
    if t.shape != (expected if is_index else z.shape):
        raise ValueError(
            f"cross_entropy: targets of shape {t.shape} do not fit logits of shape {z.shape}: class indices have shape "
            f"{expected}, probabilities the logits' shape"
        )
    flat = _classes_last(z)
    flat_t = np.reshape(t, -1) if is_index else _classes_last(t)
    loss = cross_entropy(flat, flat_t, weight, ignore_index, reduction, label_smoothing)
    if reduction == "none":
        return ag.reshape(loss, expected)
    # With probabilities, the mean divides by the batch alone, not by the further axes.
    return loss * (flat.shape[0] / z.shape[0]) if z.ndim > 2 and not is_index and reduction == "mean" else loss


def _classes_last(x: Any) -> Any:
    """Return (N, C, d1, ...) or (C,) as rows over classes."""
    moved = ag.transpose(x, (0, *range(2, x.ndim), 1)) if x.ndim > 2 else x
    return ag.reshape(moved, (-1, x.shape[min(1, x.ndim - 1)]))
