"""Losses for two classes, without state: cross-entropies of labels 0 and 1, margins of labels -1 and 1."""

import autograd as ag
from autograd import maximum, sigmoid
from autograd.extend import elementwise, xp
from nn.typing import Operand
from nn.validation import checked_range

from .checks import (
    as_losses,
    fitted_weight,
    loss_of,
    prediction_and_target,
    reduced,
    require_no_nan,
    require_probabilities,
)
from .fused import mean_logit_cross_entropy

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "dice_loss", "hinge_embedding_loss", "hinge_loss",
    "multilabel_soft_margin_loss", "sigmoid_focal_loss", "soft_margin_loss", "squared_hinge_loss", "tversky_loss",
]  # fmt: skip


@elementwise(lambda y, p: 1.0 / maximum(p, 1e-12), symbol="log", sample=(0.1, 0.9))
def clamped_log(p: Operand) -> Operand:
    """Logarithm of a probability, at least -100."""
    if isinstance(p, float):
        return xp(p).log(p) if p > 1e-43 else -100.0
    tiny = p <= 1e-43
    return xp(p).maximum(xp(p).where(tiny, -100.0, xp(p).log(xp(p).where(tiny, 1.0, p))), -100.0)


@elementwise(
    lambda y, p, t: (p - t) / maximum(p * (1.0 - p), 1e-12),
    lambda y, p, t: clamped_log(1.0 - p) - clamped_log(p),
    symbol="BCE",
    sample=(0.2, 0.8),
)
def probability_cross_entropy(p: Operand, t: Operand) -> Operand:
    """Cross-entropy of a probability with a target, each logarithm at least -100."""
    return -(t * clamped_log(p) + (1.0 - t) * clamped_log(1.0 - p))


@elementwise(
    lambda y, z, t: sigmoid(z) - t, lambda y, z, t: -z, symbol="BCE with logits", sample=((-2.0, 2.0), (0.0, 1.0))
)
def logit_cross_entropy(z: Operand, t: Operand) -> Operand:
    """Cross-entropy of the probability ``sigmoid(z)`` with a target, without overflow: ``softplus(z) - t z``."""
    softplus_of_minus = xp(z).log1p(xp(z).exp(-abs(z)))
    return xp(z).maximum(z, 0.0) - t * z + softplus_of_minus


def binary_cross_entropy(input: Operand, target: Operand, weight: Operand = None, reduction: str = "mean") -> Operand:
    r"""Binary cross-entropy on probabilities, :math:`-w [y \log p + (1 - y) \log(1 - p)]`, each log at least -100.

    Parameters
    ----------
    input : Tensor or array_like
        Probabilities `p` of the positive class, in [0, 1].
    target : Tensor or array_like of the same shape
        Probabilities `y` in [0, 1], mostly 0 or 1.
    weight : array_like, optional
        Weight of each loss; broadcasts against `input`.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Raises
    ------
    ValueError
        If the shapes differ, or an element is not in [0, 1].

    Notes
    -----
    The gradient is :math:`(p - y) / \max(p (1 - p), 10^{-12})`, as in PyTorch.

    Examples
    --------
    >>> binary_cross_entropy([0.0, 1.0], [1.0, 1.0], reduction="none")
    array([100.,  -0.])
    """
    p, t = prediction_and_target("binary_cross_entropy", input, target)
    require_probabilities(
        "binary_cross_entropy", "probabilities", p, "; for logits use binary_cross_entropy_with_logits"
    )
    require_probabilities("binary_cross_entropy", "targets", t)
    losses = probability_cross_entropy(p, t)
    if weight is not None:
        losses = losses * fitted_weight("binary_cross_entropy", "weight", weight, p)
    return reduced(losses, reduction)


def binary_cross_entropy_with_logits(
    input: Operand, target: Operand, weight: Operand = None, reduction: str = "mean", pos_weight: Operand = None
) -> Operand:
    r"""Binary cross-entropy on logits, :math:`-w [q\, y \log \sigma(z) + (1 - y) \log(1 - \sigma(z))]`.

    Parameters
    ----------
    input : Tensor or array_like
        Logits `z`.
    target : Tensor or array_like of the same shape
        Probabilities `y` of the positive class, in [0, 1].
    weight : array_like, optional
        Weight of each loss; broadcasts against `input`.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.
    pos_weight : array_like, optional
        Weight `q` of the positive class; broadcasts against `input`.

    Returns
    -------
    Tensor, ndarray or Value
        The loss; without weights its gradient is :math:`(\sigma(z) - y) / n`.

    Raises
    ------
    ValueError
        If the shapes differ or a target is not in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1.0, 0.0])
    np.float64(0.0)
    """
    name = "binary_cross_entropy_with_logits"
    z, t = prediction_and_target(name, input, target)
    require_probabilities(name, "targets", t)
    if weight is None and pos_weight is None and reduction == "mean" and z.size:
        return mean_logit_cross_entropy(z, t)
    if pos_weight is None:
        losses = logit_cross_entropy(z, t)
    else:  # log(sigmoid(z)) = -softplus(-z), and log(1 - sigmoid(z)) = -z - softplus(-z)
        losses = (1.0 - t) * z + (1.0 + (fitted_weight(name, "pos_weight", pos_weight, z) - 1.0) * t) * ag.softplus(-z)
    return reduced(losses if weight is None else losses * fitted_weight(name, "weight", weight, z), reduction)


def sigmoid_focal_loss(
    input: Operand, target: Operand, alpha: float | None = None, gamma: float = 2.0, reduction: str = "mean"
) -> Operand:
    r"""Focal loss :math:`-\alpha_t (1 - p_t)^\gamma \log p_t` on logits, with less weight on well-classified examples.

    Parameters
    ----------
    input : Tensor or array_like
        Logits.
    target : Tensor or array_like of the same shape
        Probabilities of the positive class, in [0, 1].
    alpha : float, optional
        Weight of the positive class; the negative class has 1 - alpha. With None both have weight 1, as in Keras.
    gamma : float
        Exponent of the factor that reduces well-classified examples; 0 is cross-entropy.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Notes
    -----
    Lin et al. 2017, eq. 5.

    Examples
    --------
    >>> round(float(sigmoid_focal_loss([0.0], [1.0])), 6)
    0.173287
    """
    checked_range("sigmoid_focal_loss", "gamma", gamma)
    if alpha is not None:
        checked_range("sigmoid_focal_loss", "alpha", alpha, high=1.0)
    z, t = prediction_and_target("sigmoid_focal_loss", input, target)
    require_probabilities("sigmoid_focal_loss", "targets", t)
    p = sigmoid(z)
    losses = logit_cross_entropy(z, t) * (p * (1.0 - 2.0 * t) + t) ** gamma
    if alpha is not None:
        losses = losses * (alpha * t + (1.0 - alpha) * (1.0 - t))
    return reduced(losses, reduction)


def hinge_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Hinge :math:`\max(0, 1 - y a)` for labels -1 and 1 (Keras; the maximum-margin loss of micrograd's demo).

    Examples
    --------
    >>> hinge_loss([2.0, 0.5], [1, -1], "none")
    array([0. , 1.5])
    """
    return loss_of("hinge_loss", lambda x, t: ag.relu(1.0 - t * x), input, target, reduction)


def squared_hinge_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Square of the hinge, :math:`\max(0, 1 - y a)^2`, for labels -1 and 1 (Keras).

    Examples
    --------
    >>> squared_hinge_loss([2.0, 0.5], [1, -1], "none")
    array([0.  , 2.25])
    """
    return loss_of("squared_hinge_loss", lambda x, t: ag.relu(1.0 - t * x) ** 2, input, target, reduction)


def soft_margin_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Logistic loss :math:`\log(1 + e^{-y a})` for labels -1 and 1, without overflow.

    Examples
    --------
    >>> import numpy as np
    >>> soft_margin_loss([-1e4], [1])
    np.float64(10000.0)
    """
    return loss_of("soft_margin_loss", lambda x, t: ag.softplus(-t * x), input, target, reduction)


def hinge_embedding_loss(input: Operand, target: Operand, margin: float = 1.0, reduction: str = "mean") -> Operand:
    r"""Distance `a` of similar pairs (1), :math:`\max(0, margin - a)` of dissimilar pairs (-1).

    Examples
    --------
    >>> hinge_embedding_loss([0.25, 0.25], [1, -1], reduction="none")
    array([0.25, 0.75])
    """
    x, t = prediction_and_target("hinge_embedding_loss", input, target)
    require_no_nan("hinge_embedding_loss", t)
    losses = ag.where(ag.not_equal(t, 1), ag.relu(margin - x), 0.0) + ag.where(ag.not_equal(t, -1), x, 0.0)
    return reduced(losses, reduction)


def multilabel_soft_margin_loss(
    input: Operand, target: Operand, weight: Operand = None, reduction: str = "mean"
) -> Operand:
    r"""Mean over the labels of the cross-entropy of each label, :math:`-\frac 1 C \sum_c w_c \log p_c`, on logits.

    Parameters
    ----------
    input : Tensor or array_like of shape (..., C)
        Logits.
    target : Tensor or array_like of the same shape
        1 for each label of an example, 0 for the others.
    weight : array_like of shape (C,), optional
        Weight of each label.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the examples.

    Examples
    --------
    >>> round(float(multilabel_soft_margin_loss([[0.0, 0.0]], [[1.0, 0.0]])), 6)
    0.693147
    """
    losses = binary_cross_entropy_with_logits(input, target, weight, "none")
    return reduced(as_losses(ag.mean(losses, axis=-1)), reduction)


def tversky_loss(input: Operand, target: Operand, alpha: float = 0.5, beta: float = 0.5, eps: float = 1e-7) -> Operand:
    r"""Tversky loss :math:`1 - TP / (TP + \alpha FP + \beta FN)` of a whole batch of probabilities.

    True positives, false positives and false negatives are sums of products of probabilities, so true negatives do not
    count: it helps where the positive class is rare. A larger `beta` favours recall, a larger `alpha` precision.

    Parameters
    ----------
    input : Tensor or array_like
        Probabilities of the positive class.
    target : Tensor or array_like of the same shape
        Probabilities of the positive class, usually 0 or 1.
    alpha, beta : float
        Weights of false positives and false negatives.
    eps : float
        Added to numerator and denominator, so that the loss without any positive is 0.

    Notes
    -----
    Salehi, Erdogmus & Gholipour 2017, eq. 4; the sums run over all elements, as in Keras's ``Tversky``, where alpha and
    beta are exchanged.

    Examples
    --------
    >>> round(float(tversky_loss([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])), 6)
    0.333333
    """
    p, t = prediction_and_target("tversky_loss", input, target)
    require_probabilities("tversky_loss", "probabilities", p, "; for logits pass sigmoid(input)")
    require_probabilities("tversky_loss", "targets", t)
    hits = ag.sum(p * t)
    return 1.0 - (hits + eps) / (hits + alpha * ag.sum(p * (1.0 - t)) + beta * ag.sum((1.0 - p) * t) + eps)


def dice_loss(input: Operand, target: Operand, eps: float = 1e-7) -> Operand:
    r"""Dice loss :math:`1 - 2 \sum p y / (\sum p + \sum y)`, which is one minus a differentiable F1 score.

    Parameters
    ----------
    input, target, eps
        As in `tversky_loss`, which it is for ``alpha = beta = 0.5``.

    Notes
    -----
    Milletari, Navab & Ahmadi 2016, without squares in the denominator, as in Keras's ``Dice``.

    Examples
    --------
    >>> round(float(dice_loss([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])), 6)
    0.333333
    """
    return tversky_loss(input, target, eps=eps)
