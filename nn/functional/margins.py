"""Losses of scores per class other than cross-entropy: margins, hinges and focal loss."""

import numpy as np

import autograd as ag
from autograd.extend import callback, raw_data
from nn.typing import Operand
from nn.validation import checked_range

from .checks import as_losses, constant, prediction_and_target, reduced, require_probabilities
from .cross_entropy import class_masks, class_weights_of, in_shape

__all__ = ["categorical_focal_loss", "categorical_hinge_loss", "multi_margin_loss", "multilabel_margin_loss"]


def multi_margin_loss(
    input: Operand, target: Operand, p: int = 1, margin: float = 1.0, weight: Operand = None, reduction: str = "mean"
) -> Operand:
    r"""Multi-class hinge :math:`\frac 1 C \sum_{i \ne t} w_t \max(0, margin - x_t + x_i)^p`.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C) or (C,)
        Scores.
    target : integers of shape (N,) or ()
        Class indices `t`.
    p : {1, 2}
        Exponent.
    margin : float
        Required difference between the score of the target class and the others.
    weight : array_like of shape (C,), optional
        Weight of each class.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the examples.

    Notes
    -----
    Crammer & Singer 2001, with the sum in place of the maximum (Weston & Watkins 1999).

    Examples
    --------
    >>> multi_margin_loss([[1.0, 3.0]], [0])
    np.float64(1.5)
    """
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    x = as_losses(input)
    if x.ndim == 1:
        loss = multi_margin_loss(x[None], np.reshape(target, (-1,)), p, margin, weight, reduction)
        return in_shape(loss, x, reduction)
    hot, _ = class_masks("multi_margin_loss", x, target)
    class_weights = class_weights_of("multi_margin_loss", weight, x)
    weight_of_row = ag.sum(ag.where(hot, class_weights, 0.0), axis=1) / x.shape[1]
    hinge = ag.relu(margin - ag.sum(ag.where(hot, x, 0.0), axis=1, keepdims=True) + x)
    hinge = ag.where(hot, 0.0, hinge if p == 1 else hinge * hinge)
    return reduced(ag.sum(hinge, axis=1) * weight_of_row, reduction)


def multilabel_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Hinge :math:`\frac 1 C \sum_{j \in T} \sum_{i \notin T} \max(0, 1 - x_j + x_i)` for several classes each.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C) or (C,)
        Scores.
    target : integers of the same shape
        In each row the classes `T` of the example, and -1 after the last of them.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the examples.

    Examples
    --------
    >>> multilabel_margin_loss([[0.0, 1.0, 3.0]], [[2, -1, -1]])
    np.float64(0.0)
    >>> multilabel_margin_loss([[0.0, 1.0, 3.0]], [[0, 1, -1]])
    np.float64(2.3333333333333335)
    """
    x = as_losses(input)
    t = target if isinstance(target, ag.Tensor) else np.asarray(target)
    if x.ndim not in (1, 2) or x.shape != t.shape or t.dtype.kind not in "iu":
        raise ValueError(f"multilabel_margin_loss: expected class indices of shape {x.shape}, got {t.dtype} {t.shape}")

    def chosen(t: Operand) -> Operand:
        if t.size and not (t.min() >= -1 and t.max() < t.shape[-1]):
            raise IndexError(f"multilabel_margin_loss: classes must be in [0, {t.shape[-1]}), or -1 after the last")
        listed = np.logical_and.accumulate(t >= 0, axis=-1)
        return ((t[..., None] == np.arange(t.shape[-1])) & listed[..., None]).any(axis=-2).astype(float)

    own = constant(callback(chosen, t), x)
    hinge = ag.relu(1.0 - x[..., :, None] + x[..., None, :]) * own[..., :, None] * (1.0 - own)[..., None, :]
    return reduced(as_losses(ag.sum(hinge, axis=(-2, -1)) / x.shape[-1]), reduction)


def _scores_and_rows(name: str, input: Operand, target: Operand) -> tuple[Operand, Operand]:
    """Return scores of shape (N, C) and the probabilities of their classes, for class indices one-hot rows."""
    if np.asarray(raw_data(target)).dtype.kind not in "iu":
        x, t = prediction_and_target(name, input, target)
        require_probabilities(name, "target probabilities", t)
        return x, t
    x = as_losses(input)
    return x, constant(1.0 * class_masks(name, x, target)[0], x)


def categorical_hinge_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Hinge :math:`\max(0, 1 + \max_{i \ne t} x_i - x_t)` of the largest other score.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C)
        Scores.
    target : integers of shape (N,), or rows of shape (N, C)
        Class indices or one-hot rows.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the examples.

    Notes
    -----
    Crammer & Singer 2001; Keras's ``CategoricalHinge``, in which other scores below 0 count as 0, as here.

    Examples
    --------
    >>> categorical_hinge_loss([[1.0, 3.0, 2.0]], [0])
    np.float64(3.0)
    """
    x, t = _scores_and_rows("categorical_hinge_loss", input, target)
    return reduced(ag.relu(1.0 + ag.max((1.0 - t) * x, axis=-1) - ag.sum(t * x, axis=-1)), reduction)


def categorical_focal_loss(
    input: Operand, target: Operand, alpha: float = 1.0, gamma: float = 2.0, reduction: str = "mean"
) -> Operand:
    r"""Focal loss :math:`-\alpha \sum_c y_c (1 - p_c)^\gamma \log p_c` on logits of several classes.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C)
        Logits.
    target : integers of shape (N,), or rows of shape (N, C)
        Class indices or probabilities.
    alpha, gamma : float
        Factor of the loss, and exponent of the factor that reduces well-classified examples.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the examples.

    Notes
    -----
    Lin et al. 2017; Keras's ``CategoricalFocalCrossentropy``, where alpha is 0.25 by default.

    Examples
    --------
    >>> round(float(categorical_focal_loss([[0.0, 0.0]], [1])), 6)
    0.173287
    """
    checked_range("categorical_focal_loss", "gamma", gamma)
    z, t = _scores_and_rows("categorical_focal_loss", input, target)
    log_p = ag.log_softmax(z)
    return reduced(-alpha * ag.sum(t * (1.0 - ag.exp(log_p)) ** gamma * log_p, axis=-1), reduction)
