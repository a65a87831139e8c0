"""Losses for regression, distances and losses of distances, without state."""

import functools
import math
from collections.abc import Callable

import numpy as np

import autograd as ag
from autograd import greater, log, maximum, minimum, tanh, where
from autograd.extend import callback, elementwise, guard, xp
from nn.typing import Operand
from nn.validation import checked_range

from .activation import hardtanh
from .checks import as_losses, constant, loss_of, prediction_and_target, reduced, refuse_nan, require_no_nan, row_count
from .fused import mean_squared_error

__all__ = [
    "cosine_embedding_loss", "cosine_similarity", "gaussian_nll_loss", "half_mse_loss", "huber_loss", "l1_loss",
    "log_cosh_loss", "mape_loss", "margin_ranking_loss", "mse_loss", "msle_loss", "normalize", "pairwise_distance",
    "poisson_nll_loss", "quantile_loss", "smooth_l1_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip


@elementwise(lambda y, x, t: 2.0 * (x - t), lambda y, x, t: 2.0 * (t - x))
def squared_error(x: Operand, t: Operand) -> Operand:
    """Squared difference ``(x - t)**2``."""
    d = x - t
    return d * d


@elementwise(lambda y, d, delta: hardtanh(d, -delta, delta))
def huber_of_difference(d: Operand, delta: float = 1.0) -> Operand:
    """Half the square of a difference up to `delta`, and on the tangent beyond."""
    a = abs(d)
    squared_up_to = xp(d).minimum(a, delta)
    return squared_up_to * (a - 0.5 * squared_up_to)


@elementwise(lambda y, d: tanh(d))
def log_cosh(d: Operand) -> Operand:
    """Logarithm of the hyperbolic cosine, without overflow."""
    a = abs(d)
    return a + xp(d).log1p(xp(d).exp(-2.0 * a)) - math.log(2.0)


@elementwise(lambda y, t: where(greater(t, 1.0), log(maximum(t, 1.0)) + 0.5 / maximum(t, 1.0), 0.0), sample=(1.2, 4.0))
def log_factorial(t: Operand) -> Operand:
    """Stirling's approximation of ``log(t!)`` where ``t > 1``, else 0."""
    stirling = (t + 0.5) * xp(t).log(xp(t).maximum(t, 1.0)) - t + 0.5 * math.log(2.0 * math.pi)
    return xp(t).where(t > 1.0, stirling, 0.0)


def mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Mean squared error :math:`\frac 1 N \sum (a - y)^2` over all elements.

    Parameters
    ----------
    input, target : Tensor or array_like of one shape
        Prediction and target.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Returns
    -------
    Tensor, ndarray or Value
        The loss; with 'none' one per element.

    Raises
    ------
    ValueError
        If the shapes differ or the target contains nan.

    Examples
    --------
    >>> mse_loss([1.0, 2.0], [1.0, 4.0])
    np.float64(2.0)
    """
    x, t = prediction_and_target("mse_loss", input, target)
    if reduction == "mean" and x.size:
        return refuse_nan("mse_loss", mean_squared_error(x, t), t)
    return refuse_nan("mse_loss", reduced(squared_error(x, t), reduction), t)


def half_mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Half the squared distance per example, :math:`\frac 1 {2m} \sum_i \lVert a_i - y_i \rVert^2`.

    The mean is over the `m` rows of the batch, not over all elements, so that the gradient is :math:`(a - y) / m`, as
    in textbook derivations of backpropagation.

    Parameters
    ----------
    input, target : Tensor or array_like of one shape
        Prediction and target; the first axis is the batch.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Returns
    -------
    Tensor, ndarray or Value
        The loss.

    Raises
    ------
    ValueError
        If the shapes differ or the target contains nan.

    Examples
    --------
    >>> half_mse_loss([[1.0, 2.0]], [[1.0, 4.0]])
    np.float64(2.0)
    """
    x, t = prediction_and_target("half_mse_loss", input, target)
    losses = 0.5 * squared_error(x, t)
    loss = ag.sum(losses) / row_count(x) if reduction == "mean" and losses.size else reduced(losses, reduction)
    return refuse_nan("half_mse_loss", loss, t)


def l1_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    """Mean absolute error :math:`|a - y|`; arguments as in `mse_loss`.

    Examples
    --------
    >>> l1_loss([1.0, 2.0], [1.0, 4.0])
    np.float64(1.0)
    """
    return loss_of("l1_loss", lambda x, t: ag.absolute(x - t), input, target, reduction)


def huber_loss(input: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0) -> Operand:
    r"""Squared error up to `delta`, absolute error beyond (Huber 1964).

    .. math:: \tfrac12 d^2 \text{ for } |d| \le \delta, \text{ else } \delta (|d| - \tfrac12 \delta)

    Arguments as in `mse_loss`; `delta` must be positive.

    Examples
    --------
    >>> huber_loss([1.0, 9.0], [2.0, 4.0], "none")
    array([0.5, 4.5])
    """
    checked_range("huber_loss", "delta", delta, exclude_low=True)
    return loss_of("huber_loss", lambda x, t: huber_of_difference(x - t, delta), input, target, reduction)


def smooth_l1_loss(input: Operand, target: Operand, reduction: str = "mean", beta: float = 1.0) -> Operand:
    r"""Huber loss divided by its threshold `beta`; with ``beta=0`` the absolute error (Girshick 2015).

    Arguments as in `mse_loss`; `beta` must not be negative.

    Examples
    --------
    >>> smooth_l1_loss([1.0, 9.0], [2.0, 4.0], "none")
    array([0.5, 4.5])
    """
    checked_range("smooth_l1_loss", "beta", beta)
    if not beta:
        return l1_loss(input, target, reduction)
    return loss_of("smooth_l1_loss", lambda x, t: huber_of_difference(x - t, beta) / beta, input, target, reduction)


def log_cosh_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Logarithm of the hyperbolic cosine of the error, :math:`\log \cosh (a - y)`: Keras's smooth absolute error.

    Arguments as in `mse_loss`; finite for errors of any size.

    Examples
    --------
    >>> round(float(log_cosh_loss([1e4], [0.0])), 6)
    9999.306853
    """
    return loss_of("log_cosh_loss", lambda x, t: log_cosh(x - t), input, target, reduction)


def mape_loss(input: Operand, target: Operand, eps: float = 1e-7, reduction: str = "mean") -> Operand:
    r"""Absolute percentage error :math:`100\,|a - y| / \max(|y|, \epsilon)`, for targets that differ in magnitude.

    Parameters
    ----------
    input : Tensor or array_like
        Predictions.
    target : Tensor or array_like of the same shape
        Targets.
    eps : float
        Lower bound of the divisor, for targets near 0.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Notes
    -----
    Keras's ``MeanAbsolutePercentageError``, in percent. scikit-learn's `mean_absolute_percentage_error` is a fraction.

    Examples
    --------
    >>> mape_loss([1.5, 30.0], [2.0, 40.0])
    np.float64(25.0)
    """
    checked_range("mape_loss", "eps", eps, exclude_low=True)

    def formula(x: Operand, t: Operand) -> Operand:
        return 100.0 * ag.absolute(x - t) / maximum(ag.absolute(t), eps)

    return loss_of("mape_loss", formula, input, target, reduction)


def msle_loss(input: Operand, target: Operand, reduction: str = "mean") -> Operand:
    r"""Squared logarithmic error :math:`(\log(1 + a) - \log(1 + y))^2`, for counts and prices over many magnitudes.

    Parameters
    ----------
    input : Tensor or array_like
        Predictions; those below 0 count as 0, with zero gradient.
    target : Tensor or array_like of the same shape
        Targets, not negative.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Notes
    -----
    Keras's ``MeanSquaredLogarithmicError``, whose lower bound is 1e-7 instead of 0.

    Examples
    --------
    >>> round(float(msle_loss([0.0], [np.e - 1])), 6)
    1.0
    """

    def formula(x: Operand, t: Operand) -> Operand:
        return squared_error(ag.log1p(ag.relu(x)), ag.log1p(ag.relu(t)))

    return loss_of("msle_loss", formula, input, target, reduction)


def quantile_loss(input: Operand, target: Operand, quantile: float = 0.5, reduction: str = "mean") -> Operand:
    r"""Pinball loss :math:`\max(q (y - a), (q - 1)(y - a))`, whose minimizer is the `q`-quantile of the targets.

    Two models, of the quantiles 0.05 and 0.95, predict an interval that contains 90 % of the targets.

    Parameters
    ----------
    input : Tensor or array_like
        Predictions.
    target : Tensor or array_like of the same shape
        Targets.
    quantile : float
        The quantile `q`, in [0, 1]; 0.5 is half of the absolute error.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Notes
    -----
    Koenker & Bassett 1978, "Regression Quantiles"; scikit-learn's `mean_pinball_loss`.

    Examples
    --------
    >>> quantile_loss([1.0, 1.0], [3.0, 0.0], quantile=0.75, reduction="none")
    array([1.5 , 0.25])
    """
    checked_range("quantile_loss", "quantile", quantile, high=1.0)

    def formula(x: Operand, t: Operand) -> Operand:
        return maximum(quantile * (t - x), (quantile - 1.0) * (t - x))

    return loss_of("quantile_loss", formula, input, target, reduction)


def _not_negative(v: Operand) -> None:
    if not (v >= 0).all():
        raise ValueError(f"gaussian_nll_loss: a variance must be in [0, inf], got {v.min()}")


def poisson_nll_loss(
    input: Operand, target: Operand, log_input: bool = True,
    full: bool = False, eps: float = 1e-8, reduction: str = "mean",
) -> Operand:  # fmt: skip
    r"""Negative log-likelihood of counts under a Poisson distribution, :math:`e^x - y x` for a log-rate `x`.

    Parameters
    ----------
    input, target : Tensor or array_like of one shape
        Logarithm of the rate, and count.
    log_input : bool
        If False, `input` is the rate itself: :math:`x - y \log(x + eps)`.
    full : bool
        Add Stirling's approximation of :math:`\log y!`, :math:`y \log y - y + \frac12 \log 2 \pi y`, where y > 1.
    eps : float
        Added to the rate before its logarithm.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Examples
    --------
    >>> poisson_nll_loss([0.0], [3.0])
    np.float64(1.0)
    """

    def formula(x: Operand, t: Operand) -> Operand:
        losses = ag.exp(x) - t * x if log_input else x - t * ag.log(x + eps)
        return losses + log_factorial(t) if full else losses

    return loss_of("poisson_nll_loss", formula, input, target, reduction)


def gaussian_nll_loss(
    input: Operand, target: Operand, var: Operand, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Operand:
    r"""Negative log-likelihood under a normal distribution, :math:`\frac12 (\log v + (a - y)^2 / v)`.

    Parameters
    ----------
    input, target : Tensor or array_like of one shape
        Mean of the distribution, and target.
    var : Tensor or array_like
        Variance `v`, of the shape of `input`, optionally with a last axis of length 1 or without it.
    full : bool
        Add :math:`\frac12 \log 2 \pi`.
    eps : float
        Lower bound of the variance; the gradient ignores the bound, as in PyTorch.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the elements.

    Raises
    ------
    ValueError
        If a variance is negative or its shape does not fit.

    Notes
    -----
    Nix & Weigend 1994, eq. 2.

    Examples
    --------
    >>> round(float(gaussian_nll_loss([1.0], [3.0], [4.0])), 6)
    1.193147
    """
    checked_range("gaussian_nll_loss", "eps", eps, exclude_low=True)
    x, t = prediction_and_target("gaussian_nll_loss", input, target)
    v = constant(var, x)
    if v.shape == x.shape[:-1] and v.shape != x.shape:
        v = ag.reshape(v, (*v.shape, 1))
    if v.shape not in (x.shape, (*x.shape[:-1], 1)):
        raise ValueError(f"gaussian_nll_loss: var of shape {v.shape} does not fit a prediction of shape {x.shape}")
    guard(_not_negative, v)
    v = v + constant(callback(lambda v: np.maximum(eps - v, 0.0), v), x)
    losses = 0.5 * (ag.log(v) + squared_error(x, t) / v)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return refuse_nan("gaussian_nll_loss", reduced(losses, reduction), t)


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
    np.float64(5.0)
    """
    checked_range("pairwise_distance", "p", p, low=1.0)
    d = as_losses(x1) - as_losses(x2) + eps
    return ag.norm(d, p, axis=-1, keepdims=keepdim)


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
