"""The two passes of a step, forward and backward: by the engine, or replayed from a recording where that pays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from autograd.extend import add_guards
from nn import checkpoint
from nn.module import Module
from nn.module.guards import surroundings
from nn.random import as_generator

__all__ = ["Passes"]

# Recording costs as much as 2 to 15 steps of the engine, small models the most, and a replay saves a fifth to a half of
# each: a shape of batch that has come this often has been worth it, or nearly, whenever the training ends.
SEEN_BEFORE = 16
MOST_RECORDINGS = 32  # a model that is another in every epoch is left to the engine
MOST_SHAPES = 16  # where every batch has another shape, replays are rare and recordings in the way


class Passes:
    """Computes loss and output of batches, and leaves the gradients of the loss in the parameters.

    Parameters
    ----------
    model : Module
        What is trained.
    loss : callable
        ``loss(output, target)``.
    compile : bool or None
        Whether `autograd.compile` replays them: always, never, or, with None, shapes of batches that come often.

    Attributes
    ----------
    compiled : Compiled or None
        What replays; None if nothing does, or recording has failed.
    """

    def __init__(self, model: Any, loss: Any, compile: bool | None) -> None:
        if compile is not None and not isinstance(compile, bool):
            raise TypeError(f"compile is True, False or None, not {compile!r:.60}")
        self.model: Any = model
        self.loss: Any = loss
        self.always: bool = compile is True
        self.summed: bool = False
        make: Any = None if compile is False else autograd.compile
        self.compiled: Any = make and make(self._of_arrays)
        self.counts: dict[Any, int] = {}
        self.recordings: int = 0
        self.before: Any = None  # what a recording that fails has to put back

    def __call__(self, forward: Any, batch: Any, weight: float | None) -> tuple[float, Any, Any]:
        """Return the loss of a batch, its output and its target, after a pass forward and one backward.

        Parameters
        ----------
        forward : callable
            Computes loss, output and target of a batch, where nothing is replayed.
        batch : tuple of arrays
            Inputs and target.
        weight : float or None
            What the loss is multiplied by before it is differentiated, if anything; one or the other in all calls.
        """
        # a recording knows one weight: the rows of the batch
        if self.compiled is not None and (weight is None or weight == len(batch[-1])) and self._pays(batch):
            self.summed = weight is not None
            found = self._replayed(batch)
            if found is not None:
                return found
        loss, output, target = forward(batch)
        (loss if weight is None else loss * weight).backward()
        return float(loss.item()), output, target

    def _pays(self, batch: Any) -> bool:
        """Whether this batch is worth a recording, or has one."""
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            return False
        shapes: list[Any] = []
        for part in batch:
            if (type(part) is not np.ndarray and type(part) is not Tensor) or not part.size:
                return False
            shapes += (part.shape, part.dtype)
        key = tuple(shapes)
        before = self.counts.get(key, 0)
        unfit = any(part.dtype.kind not in "biuf" for part in batch)
        if before == 0 and (len(self.counts) == MOST_SHAPES or unfit):
            return False
        if before < SEEN_BEFORE and not self.always:
            self.counts[key] = before + 1
            return False
        return True

    def _of_arrays(self, *batch: Any) -> tuple[Any, ...]:
        self.before = self._drawn_and_counted()
        if self.recordings == MOST_RECORDINGS:
            self.compiled = None
        self.recordings += 1
        if not isinstance(self.loss, Module):
            add_guards(surroundings, self.loss)
        output = self.model(*batch[:-1])
        loss = self.loss(output, batch[-1])
        return (loss * float(len(batch[-1])), loss, output) if self.summed else (loss, output)

    def _replayed(self, batch: Any) -> tuple[float, Any, Any] | None:
        """Return what a call does; None, and nothing has happened, if the passes cannot be recorded."""
        assert self.compiled is not None
        try:
            *_, loss, output = self.compiled(*batch)
        except RuntimeError as error:
            if not _is_refusal(error):
                raise
            for thing, name, value in self.before:
                setattr(thing, name, value)
            self.compiled = None
            warnings.warn(f"fit computes each step without replays: {error}", RuntimeWarning, stacklevel=8)
            return None
        finally:
            self.before = None
        return float(loss.item()), output, batch[-1]

    def _drawn_and_counted(self) -> list[tuple[Any, str, Any]]:
        """Return what a forward pass changes beside gradients, states of generators and buffers, as it is now."""
        parts = [part for part in (self.model, self.loss) if isinstance(part, Module)]
        generators = [as_generator(), *[g for part in parts for g in checkpoint._generators(part).values()]]
        states = [(g.bit_generator, "state", g.bit_generator.state) for g in generators]
        places = [place for part in parts for place in part._buffer_places()]
        return [*states, *[(owner, name, getattr(owner, name)) for _, owner, name in places]]


def _is_refusal(error: RuntimeError) -> bool:
    refusal: Any = autograd.RecordingError
    return isinstance(error, refusal)
