"""Losses with a margin, and distances, without state."""

import functools
from collections.abc import Callable

import numpy as np

import autograd as ag
from autograd import maximum, minimum
from autograd.extend import callback, raw_data
from nn.typing import Operand
from nn.validation import checked_range

from .checks import (
    as_losses,
    constant,
    prediction_and_target,
    reduced,
    refuse_nan,
    require_no_nan,
    require_probabilities,
)
from .classification import class_masks, class_weights_of, in_shape

__all__ = [
    "categorical_focal_loss", "categorical_hinge_loss", "cosine_embedding_loss", "cosine_similarity",
    "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss", "normalize", "pairwise_distance",
    "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


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


# ------------------------------------------------------------------------------------------------------------ distances


LEAST_SQUARE = 1e-12  # added to the squared lengths in `cosine_embedding_loss`, as PyTorch does


def pairwise_distance(x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Operand:
    r"""Distance :math:`\lVert x_1 - x_2 + \epsilon \rVert_p` along the last axis.

    Parameters
    ----------
    x1, x2 : Tensor or array_like of shape (..., D)
        Points; the shapes may broadcast.
    p : float
        Order of the norm, at least 1.
    eps : float
        Added to the difference, so that the derivative at equal points is finite.
    keepdim : bool
        Keep the last axis, with length 1.

    Returns
    -------
    Tensor or ndarray of shape (...)
        The distances.

    Examples
    --------
    >>> pairwise_distance([3.0, 0.0], [0.0, 4.0], eps=0.0)
    5.0
    """
    checked_range("pairwise_distance", "p", p, low=1.0)
    d = as_losses(x1) - as_losses(x2) + eps
    if p == 2.0:
        return ag.sqrt(ag.sum(d * d, axis=-1, keepdims=keepdim))
    size = ag.absolute(d)
    if p == 1.0:
        return ag.sum(size, axis=-1, keepdims=keepdim)
    if np.isinf(p):
        return ag.max(size, axis=-1, keepdims=keepdim)
    return ag.sum(size**p, axis=-1, keepdims=keepdim) ** (1.0 / p)


def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Operand:
    r"""Cosine of the angle between vectors along the axis `dim` of the broadcast inputs.

    .. math:: \frac{x_1 \cdot x_2}{\max(\lVert x_1 \rVert, \epsilon) \max(\lVert x_2 \rVert, \epsilon)}

    Examples
    --------
    >>> cosine_similarity([[1.0, 0.0]], [[1.0, 1.0]])
    array([0.70710678])
    """
    a, b = as_losses(x1), as_losses(x2)
    a, b = (ag.broadcast_to(x, np.broadcast_shapes(a.shape, b.shape)) for x in (a, b))
    square_a, square_b = (maximum(ag.sum(x * x, axis=dim), eps * eps) for x in (a, b))
    return ag.sum(a * b, axis=dim) / (ag.sqrt(square_a) * ag.sqrt(square_b))


def margin_ranking_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Operand:
    r"""Ranking loss :math:`\max(0, -y (x_1 - x_2) + margin)`, with `y` = 1 if the first should rank higher, else -1.

    Examples
    --------
    >>> margin_ranking_loss([1.0], [3.0], [1])
    np.float64(2.0)
    """
    x1, x2 = prediction_and_target("margin_ranking_loss", input1, input2)
    x1, t = prediction_and_target("margin_ranking_loss", x1, target)
    return refuse_nan("margin_ranking_loss", reduced(ag.relu(t * (x2 - x1) + margin), reduction), t)


def cosine_embedding_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0.0, reduction: str = "mean"
) -> Operand:
    r"""Cosine distance of similar pairs (1), cosine above a margin of dissimilar pairs (-1).

    .. math:: 1 - \cos(x_1, x_2) \text{ for } 1, \quad \max(0, \cos(x_1, x_2) - margin) \text{ for } -1

    Parameters
    ----------
    input1, input2 : Tensor or array_like of shape (N, D) or (D,)
        Two embeddings.
    target : array_like of shape (N,) or ()
        1 or -1.
    margin : float
        Cosine below which dissimilar pairs have no loss; in [-1, 1].
    reduction : {'mean', 'sum', 'none'}
        Reduction over the pairs.

    Examples
    --------
    >>> cosine_embedding_loss([[1.0, 0.0]], [[0.0, 1.0]], [1])
    np.float64(1.0)
    """
    checked_range("cosine_embedding_loss", "margin", margin, -1.0, 1.0)
    a, b = prediction_and_target("cosine_embedding_loss", input1, input2)
    t = constant(target, a)
    if t.shape != a.shape[:-1]:
        raise ValueError(f"cosine_embedding_loss: targets of shape {t.shape} do not fit pairs of shape {a.shape}")
    require_no_nan("cosine_embedding_loss", t)
    squares = (ag.sum(a * a, axis=-1) + LEAST_SQUARE) * (ag.sum(b * b, axis=-1) + LEAST_SQUARE)
    cosine = as_losses(ag.sum(a * b, axis=-1) / ag.sqrt(squares))
    far = ag.where(ag.equal(t, -1), ag.relu(cosine - margin), 0.0)
    return reduced(as_losses(ag.where(ag.equal(t, 1), 1.0 - cosine, far)), reduction)


def triplet_margin_loss(
    anchor: Operand, positive: Operand, negative: Operand, margin: float = 1.0,
    p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean",
) -> Operand:  # fmt: skip
    r"""Triplet loss :math:`\max(0, d(a, p) - d(a, n) + margin)` of anchor, positive and negative.

    Parameters
    ----------
    anchor, positive, negative : Tensor or array_like of shape (N, D) or (D,)
        Embeddings.
    margin : float
        Required difference between the two distances; positive.
    p, eps : float
        As in `pairwise_distance`.
    swap : bool
        Use the smaller of d(a, n) and d(p, n) (Balntas et al. 2016, section 3.3).
    reduction : {'mean', 'sum', 'none'}
        Reduction over the triplets.

    Notes
    -----
    Schroff et al. 2015, eq. 3, with plain instead of squared distances.

    Examples
    --------
    >>> triplet_margin_loss([[0.0]], [[1.0]], [[3.0]], margin=5.0)
    np.float64(3.0)
    """
    distance = functools.partial(pairwise_distance, p=p, eps=eps)
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Operand, positive: Operand, negative: Operand, *,
    distance_function: Callable[[Operand, Operand], Operand] | None = None,
    margin: float = 1.0, swap: bool = False, reduction: str = "mean",
) -> Operand:  # fmt: skip
    r"""Triplet loss as `triplet_margin_loss`, for any distance.

    Parameters
    ----------
    anchor, positive, negative : Tensor or array_like of shape (N, D) or (D,)
        Embeddings.
    distance_function : callable, optional
        Distance of two arrays of embeddings, by default `pairwise_distance`.
    margin : float
        Required difference between the two distances; positive.
    swap : bool
        Use the smaller of d(a, n) and d(p, n).
    reduction : {'mean', 'sum', 'none'}
        Reduction over the triplets.

    Examples
    --------
    >>> city_block = lambda x, y: abs(x - y).sum(axis=-1)
    >>> triplet_margin_with_distance_loss([[0.0]], [[1.0]], [[3.0]], distance_function=city_block, margin=5.0)
    np.float64(3.0)
    """
    checked_range("triplet_margin_loss", "margin", margin, exclude_low=True)
    distance = distance_function or pairwise_distance
    a, b = prediction_and_target("triplet_margin_loss", anchor, positive)
    a, c = prediction_and_target("triplet_margin_loss", a, negative)
    far = distance(a, c)
    if swap:
        far = minimum(far, distance(b, c))
    return reduced(as_losses(ag.relu(distance(a, b) - far + margin)), reduction)


def normalize(input: Operand, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Operand:
    r"""Divide by the norm along an axis: :math:`x / \max(\lVert x \rVert_p, \epsilon)`.

    Parameters
    ----------
    input : Tensor or array_like
        Vectors along the axis `dim`.
    p : float
        Order of the norm.
    dim : int
        The axis.
    eps : float
        Lower bound of the norm.

    Returns
    -------
    Tensor or ndarray
        Vectors of norm 1; those shorter than `eps` are shorter than 1.

    Examples
    --------
    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    x = as_losses(input)
    return x / maximum(ag.norm(x, p, axis=dim, keepdims=True), eps)
