"""Losses as modules; options, documentation and examples are those of the function in `nn.functional`."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from autograd.extend import raw_data
from nn.typing import Operand

from . import functional as F  # noqa: N812  (the customary name in PyTorch code)
from .functional.checks import REDUCTIONS, checked_reduction
from .layers.activation import FunctionModule

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CategoricalFocalLoss", "CategoricalHingeLoss", "CosineEmbeddingLoss",
    "CrossEntropyLoss", "DiceLoss", "FocalLoss", "GaussianNLLLoss", "HalfMSELoss", "HingeEmbeddingLoss", "HingeLoss",
    "HuberLoss", "KLDivLoss", "L1Loss", "LogCoshLoss", "MAPELoss", "MSELoss", "MSLELoss", "MarginRankingLoss",
    "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "QuantileLoss",
    "SmoothL1Loss", "SoftMarginLoss", "SquaredHingeLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
    "TverskyLoss",
]  # fmt: skip


class Loss(FunctionModule):
    """Base of the losses; the constructor checks the options.

    `output_kind` states what predictions are, for metrics that derive classes from them (`nn.metrics.accuracy`).
    """

    output_kind: ClassVar[str] = "values"
    reductions: ClassVar[tuple[str, ...]] = REDUCTIONS
    ranges: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "delta": {"exclude_low": True}, "beta": {}, "gamma": {}, "label_smoothing": {"high": 1.0},
        "quantile": {"high": 1.0},
    }  # fmt: skip

    def __init__(self, *args: object, **options: object) -> None:
        name = type(self).__name__
        if sum(hasattr(a, "shape") for a in args) > sum("weight" in option for option in self.__signature__.parameters):
            raise TypeError(f"{name}(...) expects options, got arrays; create the loss, then call it: {name}()(x, y)")
        super().__init__(*args, **options)
        checked_reduction(self.options.get("reduction", "mean"), self.reductions)
        for option, value in self.options.items():
            if option in ("weight", "pos_weight") and value is not None:
                self.register_buffer(option, np.asarray(raw_data(value)))

    def divisor(self, target: Operand) -> float:
        """Return the divisor of the mean over these targets, by which it is weighted among other batches.

        It is the number of rows, and for losses with `ignore_index` the sum of the weights of the target classes.

        Examples
        --------
        >>> MSELoss().divisor([1.0, 2.0]), CrossEntropyLoss([1.0, 0.5], ignore_index=9).divisor([0, 1, 1, 9])
        (2.0, 2.0)
        """
        options, t = self.options, np.asarray(raw_data(target))
        if "ignore_index" not in options or t.dtype.kind not in "iu":  # rows of probabilities count equally
            return float(len(t))
        kept = t != options["ignore_index"]
        if options["weight"] is None:
            return float(np.count_nonzero(kept))
        # the loss itself reports a class out of range
        return float(np.asarray(raw_data(options["weight"]), float).take(t[kept], mode="clip").sum())


class MSELoss(Loss, function=F.mse_loss): ...


class HalfMSELoss(Loss, function=F.half_mse_loss): ...


class L1Loss(Loss, function=F.l1_loss): ...


class SmoothL1Loss(Loss, function=F.smooth_l1_loss): ...


class HuberLoss(Loss, function=F.huber_loss): ...


class LogCoshLoss(Loss, function=F.log_cosh_loss): ...


class PoissonNLLLoss(Loss, function=F.poisson_nll_loss): ...


class GaussianNLLLoss(Loss, function=F.gaussian_nll_loss): ...


class BCELoss(Loss, function=F.binary_cross_entropy, output_kind="probabilities"): ...


class BCEWithLogitsLoss(Loss, function=F.binary_cross_entropy_with_logits, output_kind="logits"): ...


class FocalLoss(Loss, function=F.sigmoid_focal_loss, output_kind="logits"): ...


class HingeLoss(Loss, function=F.hinge_loss, output_kind="logits"): ...


class SquaredHingeLoss(Loss, function=F.squared_hinge_loss, output_kind="logits"): ...


class SoftMarginLoss(Loss, function=F.soft_margin_loss, output_kind="logits"): ...


class HingeEmbeddingLoss(Loss, function=F.hinge_embedding_loss): ...


class CrossEntropyLoss(Loss, function=F.cross_entropy, output_kind="scores"): ...


class NLLLoss(Loss, function=F.nll_loss, output_kind="scores"): ...


class KLDivLoss(Loss, function=F.kl_div, output_kind="scores", reductions=(*REDUCTIONS, "batchmean")): ...


class MultiMarginLoss(Loss, function=F.multi_margin_loss, output_kind="scores"): ...


class MarginRankingLoss(Loss, function=F.margin_ranking_loss): ...


class CosineEmbeddingLoss(Loss, function=F.cosine_embedding_loss): ...


class TripletMarginLoss(Loss, function=F.triplet_margin_loss): ...


class TripletMarginWithDistanceLoss(Loss, function=F.triplet_margin_with_distance_loss): ...


class MAPELoss(Loss, function=F.mape_loss): ...


class MSLELoss(Loss, function=F.msle_loss): ...


class QuantileLoss(Loss, function=F.quantile_loss): ...


class MultiLabelSoftMarginLoss(Loss, function=F.multilabel_soft_margin_loss, output_kind="logits"): ...


class MultiLabelMarginLoss(Loss, function=F.multilabel_margin_loss): ...


class DiceLoss(Loss, function=F.dice_loss, output_kind="probabilities"): ...


class TverskyLoss(Loss, function=F.tversky_loss, output_kind="probabilities"): ...


class CategoricalHingeLoss(Loss, function=F.categorical_hinge_loss, output_kind="scores"): ...


class CategoricalFocalLoss(Loss, function=F.categorical_focal_loss, output_kind="scores"): ...
