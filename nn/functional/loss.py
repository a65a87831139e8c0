"""Losses of regression and of two classes, without state."""

from __future__ import annotations

from typing import Any

import numpy as np

import autograd as ag
from autograd.extend import elementwise, shape_of

from .checks import as_operand, reduced, refuse_nan, require_probabilities, require_same_shape

__all__ = ["binary_cross_entropy_with_logits", "half_mse_loss", "mse_loss"]


@elementwise(lambda y, x, t: 2.0 * (x - t), lambda y, x, t: 2.0 * (t - x))
def squared_error(x: Any, t: Any) -> Any:
    """Squared difference ``(x - t)**2``."""
    d = x - t
    return d * d


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    r"""Mean squared error :math:`\frac 1 N \sum (a - y)^2` over all elements.

    Parameters
    ----------
    input, target : Tensor or array_like of one shape
        Prediction and truth.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the losses of the elements.

    Returns
    -------
    Tensor, ndarray or Value
        One number, or with 'none' one per element.

    Raises
    ------
    ValueError
        If the shapes differ or the target holds nan.

    Examples
    --------
    >>> mse_loss(np.array([1.0, 2.0]), [1.0, 4.0])
    np.float64(2.0)
    """
    x, t = as_operand(input), as_operand(target)
    require_same_shape("mse_loss", x, t)
    return refuse_nan("mse_loss", reduced(squared_error(x, t), reduction), t)


def half_mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    r"""Half the squared distance per example, :math:`\frac 1 {2m} \sum_i \lVert a_i - y_i \rVert^2`.

    The mean is taken over the `m` rows of the batch, not over all elements, so that the gradient is
    :math:`(a - y) / m`, as in textbook derivations of backpropagation.

    Parameters
    ----------
    input, target : Tensor or array_like of one shape
        Prediction and truth; the first axis is the batch.
    reduction : {'mean', 'sum', 'none'}
        'none' gives one number per element.

    Returns
    -------
    Tensor, ndarray or Value
        The loss.

    Raises
    ------
    ValueError
        If the shapes differ or the target holds nan.

    Examples
    --------
    >>> half_mse_loss(np.array([[1.0, 2.0]]), [[1.0, 4.0]])
    np.float64(2.0)
    """
    x, t = as_operand(input), as_operand(target)
    require_same_shape("half_mse_loss", x, t)
    losses = 0.5 * squared_error(x, t)
    shape = shape_of(losses) or (1,)
    loss = ag.sum(losses) / shape[0] if reduction == "mean" and 0 not in shape else reduced(losses, reduction)
    return refuse_nan("half_mse_loss", loss, t)


@elementwise(lambda y, z, t: ag.sigmoid(z) - t, lambda y, z, t: -z)
def logit_cross_entropy(z: Any, t: Any) -> Any:
    """Cross-entropy of the probability ``sigmoid(z)`` with `t`, without overflow: ``softplus(z) - t z``."""
    return ag.softplus(z) - t * z


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    r"""Binary cross-entropy on logits, :math:`-w [p\, y \log \sigma(z) + (1 - y) \log(1 - \sigma(z))]`.

    Parameters
    ----------
    input : Tensor or array_like
        Logits `z`, any finite numbers.
    target : Tensor or array_like of the same shape
        Probabilities of the positive class, in [0, 1].
    weight : array_like, optional
        Scales each loss; broadcasts against `input`.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the losses of the elements.
    pos_weight : array_like, optional
        Scales the loss of the positive class `p`; broadcasts against `input`.

    Returns
    -------
    Tensor, ndarray or Value
        The loss; its gradient is :math:`(\sigma(z) - y) / n` without weights.

    Raises
    ------
    ValueError
        If the shapes differ or a target lies outside [0, 1].

    Examples
    --------
    >>> float(binary_cross_entropy_with_logits(np.array([1e4, -1e4]), [1.0, 0.0]))
    0.0
    """
    z, t = as_operand(input), as_operand(target)
    require_same_shape("binary_cross_entropy_with_logits", z, t)
    require_probabilities("binary_cross_entropy_with_logits", "targets", t)
    if pos_weight is None:
        losses = logit_cross_entropy(z, t)
    else:  # (1 - t) z + (1 + (p - 1) t) softplus(-z)
        losses = (1.0 - t) * z + (1.0 + (_weights(pos_weight) - 1.0) * t) * ag.softplus(-z)
    return reduced(losses if weight is None else losses * _weights(weight), reduction)


def _weights(weight: Any) -> Any:
    return weight if isinstance(weight, ag.Node) else np.asarray(weight, dtype=float)
