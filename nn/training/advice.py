"""Mistakes that only show when model and optimizer are looked at together, each said once."""

from __future__ import annotations

import warnings
from typing import Any

from autograd import GradientWarning


def warn_of_strangers(model: Any, loss: Any, optimizer: Any) -> None:
    """Warn if the optimizer holds tensors that neither the model nor the loss has, or has any more."""
    own = {id(p) for part in (model, loss) if hasattr(part, "parameters") for p in part.parameters()}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    strangers = [p for p in held if id(p) not in own]
    if strangers:
        names = ", ".join(sorted({repr(p.name) for p in strangers[:3] if getattr(p, "name", "")}))
        warnings.warn(
            f"the optimizer holds {len(strangers)} of {len(held)} tensor(s) that the model does not have"
            f"{f' ({names})' if names else ''}, so it cannot train what took their place: make the optimizer from "
            "model.parameters() after the last change to the model",
            GradientWarning,
            stacklevel=4,
        )


def warn_of_unreached(model: Any) -> None:
    """Warn if, after an epoch, some parameters of the model never got a gradient."""
    wanted = [(name, p) for name, p in model.named_parameters() if getattr(p, "requires_grad", True)]
    without = [name for name, p in wanted if p.grad is None]
    if without:
        what = (
            f"{len(without)} of {len(wanted)} parameters got no gradient in the first epoch ({', '.join(without[:3])})"
        )
        if len(without) == len(wanted):
            what = "backward() reaches no parameter"
        warnings.warn(
            f"{what}: is its layer used in forward(), and the graph not cut by .data, .numpy() or detach()? Set "
            "requires_grad to False on what shall stay as it is",
            GradientWarning,
            stacklevel=6,
        )
