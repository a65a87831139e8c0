"""Losses for classes, without state: cross-entropies, focal and overlap losses, of two or several classes."""

import math
import warnings

import numpy as np

import autograd as ag
from autograd import maximum, sigmoid
from autograd.extend import callback, elementwise, guard, raw_data, xp
from nn.typing import Operand
from nn.validation import checked_integer, checked_range, require_integers

from .checks import as_losses, constant, loss_of, prediction_and_target, reduced, refuse_nan, require_no_nan, row_count
from .fused import cross_entropy_of_index, cross_entropy_of_rows, mean_cross_entropy_of_index, mean_logit_cross_entropy

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "categorical_focal_loss", "categorical_hinge_loss",
    "cross_entropy", "dice_loss", "hinge_embedding_loss", "hinge_loss", "kl_div", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "nll_loss", "one_hot", "sigmoid_focal_loss",
    "soft_margin_loss", "squared_hinge_loss", "tversky_loss",
]  # fmt: skip


def cross_entropy(
    input: Operand, target: Operand, weight: Operand = None,
    ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Operand:  # fmt: skip
    r"""Cross-entropy :math:`-\sum_k q_k \log \mathrm{softmax}(z)_k` of logits with classes or probabilities.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C), (C,) or (N, C, d1, ...)
        Logits.
    target : integers of shape (N,), () or (N, d1, ...), or floats of the shape of `input`
        Class indices, or rows of probabilities (one-hot or soft).
    weight : array_like of shape (C,), optional
        Weight of each class; with class indices the mean divides by the weights of the targets.
    ignore_index : int
        Class index of examples to ignore; class indices only.
    reduction : {'mean', 'sum', 'none'}
        Reduction over the examples.
    label_smoothing : float
        In [0, 1]: the part of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7).

    Returns
    -------
    Tensor, ndarray or Value
        The loss; without options its gradient is :math:`(\mathrm{softmax}(z) - y) / N`.

    Raises
    ------
    IndexError
        If a class index is not in [0, C).
    TypeError
        If class indices are floats, or probabilities integers.
    ValueError
        If shapes, probabilities or options do not fit.

    Examples
    --------
    >>> round(float(cross_entropy([[0.0, 0.0]], [1])), 6)
    0.693147
    """
    z, target = as_losses(input), target if isinstance(target, ag.Node) else np.asarray(target)
    is_index = _are_class_indices(z, raw_data(target))
    if z.ndim != 2:
        rows = ag.reshape(target, (-1,)) if is_index else _classes_last(target)
        loss = cross_entropy(_classes_last(z), rows, weight, ignore_index, reduction, label_smoothing)
        return in_shape(loss, z, reduction)
    if not is_index:
        if ignore_index != -100:  # the default
            raise ValueError(f"cross_entropy: ignore_index={ignore_index} needs class indices, got probabilities")
        require_probabilities("cross_entropy", "target probabilities", target)
        return reduced(_weighted_rows(z, target, weight, label_smoothing), reduction)
    plain = weight is None and not label_smoothing and not 0 <= ignore_index < z.shape[1] and z.dtype != object
    if plain and guard(_all_valid, target, z.shape[1]):
        if reduction == "mean" and len(z):
            return mean_cross_entropy_of_index(z, target)
        return reduced(cross_entropy_of_index(z, target), reduction)
    hot, kept = class_masks("cross_entropy", z, target, ignore_index)
    losses = _weighted_rows(z, 1.0 * hot, weight, label_smoothing, kept)
    return _weighted_mean("cross_entropy", losses, hot, kept, weight, reduction)


def _are_class_indices(z: Operand, t: Operand) -> bool:
    """Return whether a target contains class indices, else probabilities; raise if it fits neither."""
    if z.ndim == 0:
        raise ValueError("cross_entropy: logits need an axis of classes, got a single number")
    shape = (*z.shape[:1], *z.shape[2:]) if z.ndim > 1 else ()
    is_integer = t.dtype.kind in "iu"
    if t.shape == (shape if is_integer else z.shape) and t.dtype.kind != "b":
        return is_integer
    if t.shape == shape:
        require_integers("cross_entropy: class indices", t)
    if t.shape == z.shape:
        raise TypeError(f"cross_entropy: one-hot rows must be floats, got {t.dtype}; convert with .astype(float)")
    hint = "; use target[:, 0]" if t.shape == (*shape, 1) else ""
    raise ValueError(
        f"cross_entropy: logits of shape {z.shape} need class indices of shape {shape} or probabilities of shape "
        f"{z.shape}, got a target of shape {t.shape}{hint}"
    )


def _classes_last(x: Operand) -> Operand:
    """Return (N, C, d1, ...) or (C,) as rows over classes."""
    moved = ag.transpose(x, (0, *range(2, x.ndim), 1)) if x.ndim > 2 else x
    return ag.reshape(moved, (-1, x.shape[min(1, x.ndim - 1)]))


def in_shape(loss: Operand, x: Operand, reduction: str) -> Operand:
    """Return the losses of the rows of `_classes_last` in the shape that `x` has without its classes."""
    if reduction != "none":
        return loss
    return ag.reshape(loss, (*x.shape[:1], *x.shape[2:])) if x.ndim > 1 else loss[0]


def _all_valid(t: Operand, classes: int) -> bool:
    """Return whether all indices are in [0, classes): a negative one is huge when read as unsigned."""
    return not len(t) or bool(np.maximum.reduce(t.view(f"u{t.itemsize}")) < classes)


def class_masks(name: str, x: Operand, target: Operand, ignore_index: int | None = None) -> tuple[Operand, Operand]:
    """Return the mask of the target classes, shape (N, C), and of the rows that are not ignored, shape (N,)."""
    target = target if isinstance(target, ag.Tensor) else np.asarray(target)
    require_integers(f"{name}: class indices", target)
    if x.ndim != 2:
        raise ValueError(f"{name}: expected input of shape (N, C), got {x.shape}")
    guard(_check_classes, target, name, x.shape, ignore_index)
    kept = ag.equal(target, target) if ignore_index is None else ag.not_equal(target, ignore_index)
    return ag.equal(target[:, None], np.arange(x.shape[1])) * kept[:, None], kept


def _check_classes(t: Operand, name: str, shape: tuple[int, int], ignore_index: int | None) -> None:
    """Raise if a class index that is not ignored is out of range."""
    rows, classes = shape
    if t.shape != (rows,):
        raise ValueError(f"{name}: {rows} rows need class indices of shape ({rows},), got {t.shape}")
    wrong = (t < 0) | (t >= classes)
    wrong &= True if ignore_index is None else t != ignore_index
    if wrong.any():
        row = int(np.argmax(wrong))
        hint = "; to ignore rows, pass their index as ignore_index" if t[row] < 0 else ""
        hint = "; subtract 1 if labels start at 1" if t.max() == classes and t.min() > 0 else hint
        hint = "; give one output per class, or use a loss for two classes such as BCE" if classes == 1 else hint
        raise IndexError(f"{name}: class index {int(t[row])} in row {row} is not in [0, {classes}){hint}")


def class_weights_of(name: str, weight: Operand, z: Operand) -> Operand:
    """Return one weight per class, as a constant of the graph."""
    classes = z.shape[-1]
    if weight is None:
        return np.ones(classes, z.dtype if z.dtype.kind == "f" else float)
    if np.shape(weight) != (classes,):
        raise ValueError(f"{name}: weight has shape {np.shape(weight)}, and {classes} classes need ({classes},)")
    return constant(callback(lambda w: np.asarray(w, float), weight), z)


def _weighted_mean(name: str, losses: Operand, hot: Operand, kept: Operand, weight: Operand, reduction: str) -> Operand:
    """Return the reduced losses; the mean divides by the weights of the target classes."""
    if reduction != "mean":
        return reduced(losses, reduction)

    def total(hot: Operand, kept: Operand, weight: Operand) -> float:
        found = float(np.sum(kept if weight is None else hot * weight))
        if not found:
            why = "the weights of all targets are zero" if kept.any() else "every target is ignore_index"
            why = why if len(kept) else "the batch is empty"
            warnings.warn(f"{name}: {why}, so the mean is nan", stacklevel=3)
        # As in PyTorch: the gradient is nan if all weights are zero, and zero if all examples are ignored.
        return found or (math.nan if kept.any() else math.inf)

    divisor = callback(total, hot, kept, weight)
    nothing = callback(lambda d: math.nan if d == math.inf else 0.0, divisor)
    mean = ag.sum(losses) / divisor
    return mean if type(nothing) is float and not nothing else mean + nothing


def _weighted_rows(z: Operand, q: Operand, weight: Operand, label_smoothing: float, kept: Operand = None) -> Operand:
    """Return the loss of each row for target probabilities `q`, smoothed and weighted."""
    if checked_range("cross_entropy", "label_smoothing", label_smoothing, high=1.0):
        spread = label_smoothing / z.shape[-1]
        q = (1.0 - label_smoothing) * q + (spread if kept is None else spread * kept[:, None])
    if weight is not None:
        q = q * class_weights_of("cross_entropy", weight, z)
    return cross_entropy_of_rows(z, constant(q, z))


def nll_loss(
    input: Operand, target: Operand, weight: Operand = None, ignore_index: int = -100, reduction: str = "mean"
) -> Operand:
    r"""Negative log-likelihood :math:`-w_t x_t` of log-probabilities `x` for class indices `t`.

    Parameters
    ----------
    input : Tensor or array_like of shape (N, C), (C,) or (N, C, d1, ...)
        Log-probabilities, as from `log_softmax`.
    target : integers of shape (N,), () or (N, d1, ...)
        Class indices.
    weight, ignore_index, reduction
        As in `cross_entropy`, which combines `log_softmax` with this loss.

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
    if x.ndim != 2:
        t = target if isinstance(target, ag.Tensor) else np.asarray(target)
        if x.ndim == 0 or t.shape != (*x.shape[:1], *x.shape[2:])[x.ndim == 1 :]:
            raise ValueError(f"nll_loss: log-probabilities of shape {x.shape} need class indices, got {t.shape}")
        loss = nll_loss(_classes_last(x), ag.reshape(t, (-1,)), weight, ignore_index, reduction)
        return in_shape(loss, x, reduction)
    hot, kept = class_masks("nll_loss", x, target, ignore_index)
    losses = -ag.sum(ag.where(hot, x * class_weights_of("nll_loss", weight, x), 0.0), axis=1)
    return _weighted_mean("nll_loss", losses, hot, kept, weight, reduction)


@elementwise(
    lambda y, x: ag.where(ag.greater(x, 0), ag.log(ag.where(ag.greater(x, 0), x, 1.0)) + 1.0, 0.0), sample=(0.3, 3.0)
)
def x_log_x(x: Operand) -> Operand:
    """Product ``x log x``, 0 at 0."""
    positive = x > 0
    return xp(x).where(positive, x * xp(x).log(xp(x).where(positive, x, 1.0)), 0.0 * x)


def kl_div(input: Operand, target: Operand, reduction: str = "mean", log_target: bool = False) -> Operand:
    r"""Kullback-Leibler divergence :math:`y (\log y - x)` from log-probabilities `x` to probabilities `y`.

    Parameters
    ----------
    input : Tensor or array_like
        Log-probabilities.
    target : Tensor or array_like of the same shape
        Probabilities, or their logarithms.
    reduction : {'mean', 'batchmean', 'sum', 'none'}
        Reduction over the elements; 'batchmean' divides the sum by the number of rows, which is the divergence as
        defined mathematically.
    log_target : bool
        Whether `target` contains logarithms.

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


def one_hot(target: Operand, num_classes: int = -1) -> Operand:
    """Return rows that are 1 at the class and 0 elsewhere.

    Parameters
    ----------
    target : integers of any shape
        Class indices.
    num_classes : int
        Length of the rows; by default one more than the largest class.

    Returns
    -------
    ndarray of int, of shape (..., num_classes)
        The rows.

    Raises
    ------
    TypeError
        If the indices are not integers.
    IndexError
        If an index is negative or not below `num_classes`.

    Examples
    --------
    >>> one_hot([0, 2])
    array([[1, 0, 0],
           [0, 0, 1]])
    """
    t = np.asarray(raw_data(target))
    if t.size:
        require_integers("one_hot: class indices", t)
    count = checked_integer("one_hot", "num_classes", num_classes, -1)
    count = int(t.max(initial=-1)) + 1 if count == -1 else count
    if (wrong := t[(t < 0) | (t >= count)]).size:
        raise IndexError(f"one_hot: class {wrong.flat[0]} is not in [0, {count})")
    return (t[..., None] == np.arange(count)).astype(np.int64)


# ---------------------------------------------------------------------------------------------------------- two classes


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


def fitted_weight(name: str, what: str, weight: Operand, x: Operand) -> Operand:
    """Return weights in the dtype of `x` if they broadcast to its shape."""
    w = constant(weight, x)
    try:
        np.broadcast_to(raw_data(w), x.shape)
    except ValueError:
        raise ValueError(f"{name}: {what} of shape {np.shape(w)} does not fit losses of shape {x.shape}") from None
    return w


def require_probabilities(name: str, what: str, array: Operand, hint: str = "") -> None:
    """Raise unless all elements are in [0, 1]."""

    def in_unit_interval(p: Operand) -> None:
        if p.size and not (np.minimum.reduce(p, axis=None) >= 0 and np.maximum.reduce(p, axis=None) <= 1):
            wrong = ~((p >= 0) & (p <= 1))
            signs = what == "targets" and np.isin(p, (-1, 1)).all()
            advice = "; use (y + 1) / 2 for targets of -1 and 1" if signs else hint
            worst = p[wrong][np.argmax(np.nan_to_num(np.abs(p[wrong] - 0.5), nan=np.inf))]
            raise ValueError(
                f"{name}: {what} must be in [0, 1], but {int(wrong.sum())} of {p.size} are not; the farthest is "
                f"{worst}{advice}"
            )

    guard(in_unit_interval, array)


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


# ------------------------------------------------------------------------------------------------------ several classes


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
        return ((t[..., None] == np.arange(t.shape[-1])) & listed[..., None]).sum(axis=-2).astype(float)

    own = constant(callback(chosen, t), x)  # a class listed twice counts twice, as in PyTorch
    hinge = ag.relu(1.0 - x[..., :, None] + x[..., None, :]) * own[..., :, None] * (own == 0.0)[..., None, :]
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
