"""Losses as modules; each is its function of `nn.functional`, which documents the arguments, with its options."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from autograd.extend import raw_data

from . import functional as F  # noqa: N812  (F is the name every reader of PyTorch code knows)
from .functional.checks import checked_reduction
from .layers.options import Options
from .validation import checked_range

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "FocalLoss", "GaussianNLLLoss",
    "HalfMSELoss", "HingeEmbeddingLoss", "HingeLoss", "HuberLoss", "KLDivLoss", "L1Loss", "LogCoshLoss", "MSELoss",
    "MarginRankingLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss",
    "SquaredHingeLoss", "TripletMarginLoss",
]  # fmt: skip


class Loss(Options):
    """Base of the losses: checks its options once, when it is made."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        if sum(hasattr(a, "shape") for a in args) > sum("weight" in name for name in self._options):
            kind = type(self).__name__
            raise TypeError(
                f"{kind}(...) takes options, not numbers; make the loss first, then call it: {kind}()(x, y)"
            )
        super().__init__(*args, **settings)
        options = {name: getattr(self, name) for name in self._options}
        if not (isinstance(self, KLDivLoss) and options["reduction"] == "batchmean"):
            checked_reduction(options["reduction"])
        for option, high in (("delta", math.inf), ("beta", math.inf), ("gamma", math.inf), ("label_smoothing", 1.0)):
            if option in options:
                checked_range(type(self).__name__, option, options[option], high=high, exclude_low=option == "delta")

    def divisor(self, target: Any) -> float:
        """Return what a mean over these targets divides by, which is its weight among those of other batches.

        It is the number of rows, and of losses with `ignore_index` the weights of the classes that occur.

        Examples
        --------
        >>> MSELoss().divisor([1.0, 2.0]), CrossEntropyLoss([1.0, 0.5], ignore_index=9).divisor([0, 1, 1, 9])
        (2.0, 2.0)
        """
        if "ignore_index" not in self._options:
            return float(len(target))
        t = np.asarray(raw_data(target))
        if t.dtype.kind not in "iu":  # of probabilities all rows count alike
            return float(len(t))
        weight, kept = getattr(self, "weight", None), t != getattr(self, "ignore_index", None)
        if weight is None:
            return float(np.count_nonzero(kept))
        # a class that is not there is for the loss to name
        return float(np.asarray(raw_data(weight), float).take(t[kept], mode="clip").sum())


class MSELoss(Loss):
    r"""Mean squared error :math:`\frac 1 N \sum (a - y)^2` over all elements.

    Examples
    --------
    >>> round(float(MSELoss()([1.0, 2.0], [1.0, 4.0])), 6)
    2.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.mse_loss)
    reduction: str = "mean"


class HalfMSELoss(Loss):
    r"""Half the squared distance per example, :math:`\frac 1 {2m} \sum_i \lVert a_i - y_i \rVert^2`.

    Examples
    --------
    >>> round(float(HalfMSELoss()([1.0, 2.0], [1.0, 4.0])), 6)
    1.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.half_mse_loss)
    reduction: str = "mean"


class L1Loss(Loss):
    r"""Mean absolute error :math:`|a - y|`.

    Examples
    --------
    >>> round(float(L1Loss()([1.0, 2.0], [1.0, 4.0])), 6)
    1.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.l1_loss)
    reduction: str = "mean"


class SmoothL1Loss(Loss):
    r"""Huber's loss divided by its corner `beta` (Girshick 2015).

    Examples
    --------
    >>> round(float(SmoothL1Loss()([1.0, 2.0], [1.0, 4.0])), 6)
    0.75
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.smooth_l1_loss)
    reduction: str = "mean"
    beta: float = 1.0


class HuberLoss(Loss):
    r"""Squared error up to `delta` and absolute error beyond (Huber 1964); `beta` times `SmoothL1Loss`.

    Examples
    --------
    >>> round(float(HuberLoss()([1.0, 2.0], [1.0, 4.0])), 6)
    0.75
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.huber_loss)
    reduction: str = "mean"
    delta: float = 1.0


class LogCoshLoss(Loss):
    r"""Logarithm of the hyperbolic cosine of the error (Keras).

    Examples
    --------
    >>> round(float(LogCoshLoss()([1.0, 2.0], [1.0, 4.0])), 6)
    0.662501
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.log_cosh_loss)
    reduction: str = "mean"


class PoissonNLLLoss(Loss):
    r"""Negative log-likelihood of counts under a Poisson distribution, :math:`e^x - y x`.

    Examples
    --------
    >>> round(float(PoissonNLLLoss()([1.0, 2.0], [1.0, 4.0])), 6)
    0.553669
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.poisson_nll_loss)
    log_input: bool = True
    full: bool = False
    eps: float = 1e-8
    reduction: str = "mean"


class GaussianNLLLoss(Loss):
    r"""Negative log-likelihood of a normal distribution, :math:`\frac12 (\log v + (a - y)^2 / v)`, with `v` third.

    Examples
    --------
    >>> round(float(GaussianNLLLoss()([1.0], [3.0], [4.0])), 6)
    1.193147
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.gaussian_nll_loss)
    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"


class BCELoss(Loss):
    r"""Binary cross-entropy on probabilities, :math:`-[y \log p + (1 - y) \log(1 - p)]`, each log at least -100.

    Examples
    --------
    >>> round(float(BCELoss()([0.5, 0.0], [0.0, 1.0])), 6)
    50.346574
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.binary_cross_entropy)
    weight: Any = None
    reduction: str = "mean"


class BCEWithLogitsLoss(Loss):
    r"""Binary cross-entropy on logits, without overflow; its gradient is :math:`(\sigma(z) - y) / n`.

    Examples
    --------
    >>> round(float(BCEWithLogitsLoss()([0.5, 0.0], [0.0, 1.0])), 6)
    0.833612
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.binary_cross_entropy_with_logits)
    weight: Any = None
    reduction: str = "mean"
    pos_weight: Any = None


class FocalLoss(Loss):
    r"""Focal loss :math:`-\alpha_t (1 - p_t)^\gamma \log p_t` on logits (Lin et al. 2017).

    Examples
    --------
    >>> round(float(FocalLoss()([0.5, 0.0], [0.0, 1.0])), 6)
    0.275349
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.sigmoid_focal_loss)
    alpha: float | None = None
    gamma: float = 2.0
    reduction: str = "mean"


class HingeLoss(Loss):
    r"""Hinge :math:`\max(0, 1 - y a)` for labels -1 and 1 (micrograd's demo, Keras).

    Examples
    --------
    >>> round(float(HingeLoss()([2.0, 0.5], [1, -1])), 6)
    0.75
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.hinge_loss)
    reduction: str = "mean"


class SquaredHingeLoss(Loss):
    r"""Square of the hinge for labels -1 and 1 (Keras).

    Examples
    --------
    >>> round(float(SquaredHingeLoss()([2.0, 0.5], [1, -1])), 6)
    1.125
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.squared_hinge_loss)
    reduction: str = "mean"


class SoftMarginLoss(Loss):
    r"""Logistic loss :math:`\log(1 + e^{-y a})` for labels -1 and 1.

    Examples
    --------
    >>> round(float(SoftMarginLoss()([2.0, 0.5], [1, -1])), 6)
    0.550502
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.soft_margin_loss)
    reduction: str = "mean"


class HingeEmbeddingLoss(Loss):
    r"""The distance for pairs that belong together (1), :math:`\max(0, margin - a)` for others (-1).

    Examples
    --------
    >>> round(float(HingeEmbeddingLoss()([2.0, 0.5], [1, -1])), 6)
    1.25
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.hinge_embedding_loss)
    margin: float = 1.0
    reduction: str = "mean"


class CrossEntropyLoss(Loss):
    r"""Cross-entropy on logits, with class indices or rows of probabilities.

    Examples
    --------
    >>> round(float(CrossEntropyLoss()([[0.0, 2.0]], [1])), 6)
    0.126928
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.cross_entropy)
    weight: Any = None
    ignore_index: int = -100
    reduction: str = "mean"
    label_smoothing: float = 0.0


class NLLLoss(Loss):
    r"""Negative log-likelihood of log-probabilities for class indices.

    Examples
    --------
    >>> round(float(NLLLoss()([[0.0, 2.0]], [1])), 6)
    -2.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.nll_loss)
    weight: Any = None
    ignore_index: int = -100
    reduction: str = "mean"


class KLDivLoss(Loss):
    r"""Kullback-Leibler divergence from log-probabilities; 'batchmean' is the mathematical one.

    Examples
    --------
    >>> round(float(KLDivLoss()([0.5, 0.0], [0.0, 1.0])), 6)
    0.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.kl_div)
    reduction: str = "mean"
    log_target: bool = False


class MultiMarginLoss(Loss):
    r"""Multi-class hinge of scores for class indices.

    Examples
    --------
    >>> round(float(MultiMarginLoss()([[0.0, 2.0]], [1])), 6)
    0.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.multi_margin_loss)
    p: int = 1
    margin: float = 1.0
    weight: Any = None
    reduction: str = "mean"


class MarginRankingLoss(Loss):
    r"""Ranking loss :math:`\max(0, -y (x_1 - x_2) + margin)`; takes (input1, input2, target).

    Examples
    --------
    >>> round(float(MarginRankingLoss()([1.0], [3.0], [1])), 6)
    2.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.margin_ranking_loss)
    margin: float = 0.0
    reduction: str = "mean"


class CosineEmbeddingLoss(Loss):
    r"""Cosine distance of pairs that belong together (1) or not (-1); takes (input1, input2, target).

    Examples
    --------
    >>> round(float(CosineEmbeddingLoss()([[1.0, 0.0]], [[0.0, 1.0]], [1])), 6)
    1.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.cosine_embedding_loss)
    margin: float = 0.0
    reduction: str = "mean"


class TripletMarginLoss(Loss):
    r"""Triplet loss: the positive shall be nearer than the negative; takes (anchor, positive, negative).

    Examples
    --------
    >>> round(float(TripletMarginLoss()([[0.0]], [[1.0]], [[3.0]])), 6)
    0.0
    """

    function: ClassVar[Callable[..., Any]] = staticmethod(F.triplet_margin_loss)
    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    reduction: str = "mean"
