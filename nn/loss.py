"""Losses as modules; each calls its function of `nn.functional`."""

from __future__ import annotations

from typing import Any

from . import functional as F  # noqa: N812  (F is the name every reader of PyTorch code knows)
from .functional.checks import checked_reduction
from .module import Module

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "HalfMSELoss", "MSELoss"]


class Loss(Module):
    """Base of the losses: a reduction, and options shown by `repr`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = checked_reduction(reduction)

    def extra_repr(self) -> str:
        """Return the options."""
        options = {k: v for k, v in vars(self).items() if not k.startswith("_") and k != "training" and v is not None}
        return ", ".join(f"{name}={value!r}" for name, value in options.items())


class MSELoss(Loss):
    """Mean squared error; see `nn.functional.mse_loss`.

    Examples
    --------
    >>> import numpy as np
    >>> MSELoss()(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)
    """

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return F.mse_loss(input, target, self.reduction)


class HalfMSELoss(Loss):
    """Half the squared distance per example; see `nn.functional.half_mse_loss`.

    Examples
    --------
    >>> import numpy as np
    >>> HalfMSELoss()(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    np.float64(2.0)
    """

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return F.half_mse_loss(input, target, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy on logits; see `nn.functional.binary_cross_entropy_with_logits`.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(BCEWithLogitsLoss()(np.array([0.0]), np.array([1.0]))), 6)
    0.693147
    """

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self.weight = weight
        self.pos_weight = pos_weight

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class CrossEntropyLoss(Loss):
    """Cross-entropy on logits, with class indices or probabilities; see `nn.functional.cross_entropy`.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(CrossEntropyLoss()(np.zeros((1, 2)), np.array([1]))), 6)
    0.693147
    """

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(reduction)
        self.weight = weight
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """Return the loss."""
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)
