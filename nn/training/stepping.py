"""One step of training: gradients of one batch or of several, regularised and clipped, then the optimizer's step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import autograd
from autograd.extend import raw_data
from nn.ranks import shared
from nn.utils import assign_grad, clip_grad_norm_, clip_grad_value_
from nn.validation import checked_range

from .evaluating import Totals, parted, weight_of
from .passes import Passes

__all__ = ["Stepper"]

NEEDS_CLOSURE = ("LBFGS", "SAM")  # they compute the loss several times in a step


@dataclass
class Stepper:
    """Turns batches into steps.

    Parameters
    ----------
    model, loss, optimizer
        As for `fit`.
    clip_grad_norm, clip_grad_value : float or None
        Bounds of the gradient, applied in this order.
    l2 : float
        ``l2 * p`` is added to the gradient of every parameter of two or more axes.
    accumulate : int
        How many batches make a step.
    ranks : Ranks or None
        With whom the steps are taken.
    compile : bool or None
        As for `fit`.
    """

    model: Any
    loss: Any
    optimizer: Any
    clip_grad_norm: float | None = None
    clip_grad_value: float | None = None
    l2: float = 0.0
    accumulate: int = 1
    ranks: Any = None
    compile: bool | None = False

    def __post_init__(self) -> None:
        for name in ("clip_grad_norm", "clip_grad_value"):
            if getattr(self, name) is not None:
                checked_range("fit", name, getattr(self, name))
        checked_range("fit", "l2", self.l2)
        if isinstance(self.accumulate, bool) or not isinstance(self.accumulate, int) or self.accumulate < 1:
            raise ValueError(f"accumulate must be a whole number of batches above 0, not {self.accumulate!r}")
        self.parameters: list[Any] = [p for p in self.model.parameters() if p.requires_grad]
        self.weights: list[Any] = [p for p in self.parameters if getattr(p, "ndim", 0) > 1]
        self.closure_wanted: bool = type(self.optimizer).__name__ in NEEDS_CLOSURE
        if self.closure_wanted and self.accumulate > 1:
            raise ValueError(
                f"{type(self.optimizer).__name__} computes its loss several times, which rules out accumulate > 1"
            )
        self.mean: Any | bool = getattr(self.loss, "reduction", "mean") != "sum"
        self.gathered: int
        self.rows: float
        self.losses: float
        self.gathered, self.rows, self.losses = 0, 0.0, 0.0
        self.norms: list[float] = []
        self.passes: Passes = Passes(self.model, self.loss, self.compile)

    def forward(self, batch: Any) -> tuple[Any, Any, Any]:
        """Return loss, output and target of a batch."""
        inputs, target = parted(batch)
        if self.ranks is None:
            output = self.model(*inputs)
            return self.loss(output, target), output, target
        with shared(self.ranks.comm):
            output = self.model(*inputs)
            # A rank without rows that count has no loss, but its gradients, all zero, take part in what ranks share.
            counted = weight_of(self.loss, target)
            return self.loss(output, target) if counted else autograd.sum(output), output, target

    def take(self, batch: Any, totals: Totals, last: bool) -> float:
        """Take in a batch, step if it completes one, and return its loss; `gathered` is 0 after a step."""
        if self.closure_wanted:
            return self._by_closure(batch, totals)
        if not self.gathered:
            self.optimizer.zero_grad()
        summed = self.mean and (self.accumulate > 1 or self.ranks is not None)
        rows = weight_of(self.loss, parted(batch)[1])
        value, output, target = self.passes(self.forward, batch, rows if summed else None)
        self.gathered, self.rows = self.gathered + 1, self.rows + rows
        self._note(value, output, target, totals, rows)
        if last or self.gathered == self.accumulate:
            if self.ranks is not None:
                value = self._of_all_ranks(totals, value, rows)
            elif summed:
                self._divide()
            self._adjust()
            self.optimizer.step()
            self.gathered = 0
            self.rows = 0.0
            self.losses = 0.0
        return value

    def _note(self, value: float, output: Any, target: Any, totals: Totals, rows: float) -> None:
        """Add a batch to the epoch's account: its loss now, or with other ranks when theirs is known."""
        if self.ranks is None:
            totals.add(value, output, target, rows)
        else:
            self.losses += value * rows if self.mean else value
            totals.keep(output, target)

    def _of_all_ranks(self, totals: Totals, value: float, rows: float) -> float:
        """Take the gradient of all ranks' rows, and return the loss of the batch over all of them."""
        latest = (value * rows if self.mean else value, rows)
        whole, losses, value = self.ranks.add_up(self.rows, self.losses, latest, self.mean)
        totals.add_losses(losses, whole)
        return value

    def _by_closure(self, batch: Any, totals: Totals) -> float:
        seen: list[Any] = []

        def closure() -> Any:
            self.optimizer.zero_grad()
            seen[:] = self.forward(batch)
            if self.ranks is None:
                seen[0].backward()
                whole, found = weight_of(self.loss, seen[2]), seen[0]
            else:
                whole, found = self._closed_over_ranks(*seen)
            self._adjust()
            seen.append(whole)
            return found

        first = self.optimizer.step(closure)
        value = float(first.item() if hasattr(first, "item") else first)
        totals.keep(seen[1], seen[2])
        totals.add_losses(value * seen[3] if self.mean else value, seen[3])
        return value

    def _closed_over_ranks(self, loss: Any, output: Any, target: Any) -> tuple[float, float]:
        """Differentiate a loss, add the gradients of all ranks up, and return rows and loss of all of them."""
        rows, value = weight_of(self.loss, target), float(loss.item())
        (loss * rows if self.mean else loss).backward()
        total = value * rows if self.mean else value
        whole, _, found = self.ranks.add_up(rows, total, (total, rows), self.mean)
        return whole, found

    def _divide(self) -> None:
        """Make sums over rows the mean over them, so that n batches give the gradient of one n times as large."""
        for p in self.parameters:
            if p.grad is not None:
                assign_grad(p, raw_data(p.grad) / self.rows)

    def _adjust(self) -> None:
        if self.l2:
            for p in self.weights:
                if p.grad is not None:
                    assign_grad(p, raw_data(p.grad) + self.l2 * p.data)
        if self.clip_grad_norm is not None:
            self.norms.append(clip_grad_norm_(self.parameters, self.clip_grad_norm))
        if self.clip_grad_value is not None:
            clip_grad_value_(self.parameters, self.clip_grad_value)
