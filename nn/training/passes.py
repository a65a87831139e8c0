"""Forward and backward pass of a training step: eager, or compiled where that is faster."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from autograd.extend import add_guards
from nn import checkpoint
from nn.module import Module
from nn.module.guards import surroundings
from nn.random import as_generator
from nn.typing import Batch, Loss, Operand, Operands

__all__ = ["Passes"]

# A recording takes as long as 2 to 15 eager steps, most for small models, and a replay saves a fifth to a half of each.
EAGER_STEPS = 16  # of one batch shape, before it is recorded
MOST_RECORDINGS = 32  # then the model changes too often
MOST_SHAPES = 16  # of batches that are recorded


class Passes:
    """Computes losses and outputs of batches, and accumulates the gradients in the parameters.

    Parameters
    ----------
    model : Module
        The model to train.
    loss : callable
        ``loss(output, target)``.
    compile : bool or None
        Compile all steps, none, or (None) those with batch shapes that occur often.

    Attributes
    ----------
    compiled : Compiled or None
        The compiled passes; None if they are not compiled, or cannot be.
    """

    def __init__(self, model: Module, loss: Loss, compile: bool | None) -> None:
        if compile is not None and not isinstance(compile, bool):
            raise TypeError(f"compile must be True, False or None, got {compile!r:.60}")
        self.model: Module = model
        self.loss: Loss = loss
        self.always: bool = compile is True
        self.summed: bool = False
        make: Any = None if compile is False else autograd.compile
        self.compiled: Any = make and make(self._of_arrays)
        self.counts: dict[tuple[object, ...], int] = {}
        self.recordings: int = 0
        self.before: Any = None  # the state to restore if recording fails

    def __call__(
        self, forward: Callable[[Batch], Operands], batch: Batch, weight: float | None
    ) -> tuple[float, Operand, Operand]:
        """Return loss, output and target of a batch, after a forward and a backward pass.

        Parameters
        ----------
        forward : callable
            Returns loss, output and target of a batch; used for eager steps.
        batch : tuple of arrays
            Inputs and target.
        weight : float or None
            Factor of the loss in the backward pass; None in all calls, or in none.
        """
        # the only weight that is compiled is the number of rows
        if self.compiled is not None and (weight is None or weight == len(batch[-1])) and self._pays_off(batch):
            self.summed = weight is not None
            found = self._replayed(batch)
            if found is not None:
                return found
        loss, output, target = forward(batch)
        (loss if weight is None else loss * weight).backward()
        return float(loss.item()), output, target

    def _pays_off(self, batch: Batch) -> bool:
        """Return whether batches of this shape are compiled, or should be from now on."""
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            return False
        shapes: list[object] = []
        for part in batch:
            if (type(part) is not np.ndarray and type(part) is not Tensor) or not part.size:
                return False
            shapes += (part.shape, part.dtype)
        key = tuple(shapes)
        before = self.counts.get(key, 0)
        unfit = any(part.dtype.kind not in "biuf" for part in batch)
        if before == 0 and (len(self.counts) == MOST_SHAPES or unfit):
            return False
        if before < EAGER_STEPS and not self.always:
            self.counts[key] = before + 1
            return False
        return True

    def _of_arrays(self, *batch: Operand) -> Operands:
        self.before = self._state()
        if self.recordings == MOST_RECORDINGS:
            self.compiled = None
        self.recordings += 1
        if not isinstance(self.loss, Module):
            add_guards(surroundings, self.loss)
        output = self.model(*batch[:-1])
        loss = self.loss(output, batch[-1])
        return (loss * float(len(batch[-1])), loss, output) if self.summed else (loss, output)

    def _replayed(self, batch: Batch) -> tuple[float, Operand, Operand] | None:
        """Return loss, output and target; None, and undo all changes, if the passes cannot be recorded."""
        assert self.compiled is not None
        try:
            *_, loss, output = self.compiled(*batch)
        except RuntimeError as error:
            refusal: Any = autograd.RecordingError
            if not isinstance(error, refusal):
                raise
            for thing, name, value in self.before:
                setattr(thing, name, value)
            self.compiled = None
            warnings.warn(f"fit does not compile its steps: {error}", RuntimeWarning, stacklevel=8)
            return None
        finally:
            self.before = None
        return float(loss.item()), output, batch[-1]

    def _state(self) -> list[tuple[Any, str, Any]]:
        """Return the state that a forward pass changes: random generators and buffers, as (object, name, value)."""
        parts = [part for part in (self.model, self.loss) if isinstance(part, Module)]
        generators = [as_generator(), *[g for part in parts for g in checkpoint._generators(part).values()]]
        states = [(g.bit_generator, "state", g.bit_generator.state) for g in generators]
        places = [place for part in parts for place in part._buffer_places()]
        return [*states, *[(owner, name, getattr(owner, name)) for _, owner, name in places]]
