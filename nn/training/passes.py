"""Training steps and evaluations as compiled programs, where that is faster than computing them eagerly."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import autograd
from autograd import Tensor
from autograd.extend import add_guards
from nn import checkpoint
from nn.module import Module
from nn.module.guards import surroundings
from nn.random import as_generator
from nn.typing import Array, Batch, Leaf, Loss, Operand, Operands, Optimizer

# A recording takes as long as 2 to 15 eager steps, most for small models, and a replay saves a fifth to a half of each.
EAGER_STEPS = 16  # of one batch shape, before it is recorded
MOST_RECORDINGS = 32  # then the model changes too often
MOST_SHAPES = 16  # of batches that are recorded


@dataclass(eq=False)
class Passes:
    """Replays of the forward and backward pass, or of whole steps with the optimizer's update.

    Parameters
    ----------
    model : Module
        The model to train.
    loss : callable
        ``loss(output, target)``.
    compile : bool or None
        Compile all steps, none, or (None) those with batch shapes that occur often.
    optimizer : Optimizer, optional
        Compile whole steps; otherwise gradients are accumulated in the parameters.
    transform : callable, optional
        Changes the gradients of a whole step.

    Attributes
    ----------
    compiled : Compiled, CompiledStep or None
        The compiled passes; None if they are not compiled, or cannot be.
    whole : bool
        Whether they are whole steps.
    with_output : bool
        Whether the output is needed, besides the loss.
    """

    model: Module
    loss: Loss
    compile: bool | None
    optimizer: Optimizer | None = None
    transform: Any = None

    def __post_init__(self) -> None:
        if self.compile not in (None, True, False):
            raise TypeError(f"compile must be True, False or None, got {self.compile!r:.60}")
        self.summed: bool = False
        self.with_output: bool = True
        self.whole: bool = self.optimizer is not None
        self.evaluation: Any = None
        self.compiled: Any = None
        if self.compile is not False:
            make: Any = autograd.compile
            self.evaluation = make(self._evaluation)
            self.compiled = make(self._of_arrays, optimizer=self.optimizer, transform=self.transform)
        self.counts: dict[tuple[object, ...], int] = {}
        self.recordings: int = 0
        self.before: Any = None  # the state to restore if recording fails
        self.losses_before: Array = np.empty(0)  # of the steps before recording failed

    def __call__(self, batch: Batch, weight: float | None = None) -> tuple[float, Operand, Operand] | None:
        """Return loss, output and target of a batch, after its passes or step; None if it must be computed eagerly.

        Parameters
        ----------
        batch : tuple of arrays
            Inputs and target.
        weight : float or None
            Factor of the loss in the backward pass; None in all calls, or in none.
        """
        # the only weight that is compiled is the number of rows
        if self.compiled is None or weight not in (None, len(batch[-1])) or not self._pays_off(batch):
            return None
        self.summed = weight is not None
        return self._replayed(batch)

    def many(self, arrays: Sequence[Array], rows: Array, scheduler: Any) -> list[float]:
        """Return the losses of whole steps on rows of arrays; of fewer if the others must be computed eagerly."""
        found = self._guarded(lambda: self.compiled.many(*arrays, rows, scheduler=scheduler))
        losses: list[float] = (self.losses_before if found is None else found).tolist()
        return losses

    def evaluated(self, batch: Batch) -> tuple[Operand, Operand] | None:
        """Return loss and output of a batch; None if they must be computed eagerly."""
        if self.evaluation is None or not self._pays_off(batch, "evaluation"):
            return None
        try:
            loss, output = self.evaluation(*batch)
        except autograd.RecordingError:  # of which the training warns
            self.evaluation = None
            return None
        return loss, output

    def _evaluation(self, *batch: Operand) -> Operands:
        if not isinstance(self.loss, Module):
            add_guards(surroundings, self.loss)
        output = self.model(*batch[:-1])
        return self.loss(output, batch[-1]), output

    def are_frequent(self, arrays: Sequence[Array], rows: int) -> bool:
        """Return whether steps of so many rows of arrays are compiled."""
        key = ("training", *[x for a in arrays for x in ((rows, *a.shape[1:]), a.dtype)])
        return self.compiled is not None and (self.compile is True or self.counts.get(key, 0) >= EAGER_STEPS)

    def updated(self) -> set[Leaf]:
        """Return the parameters that whole steps have updated."""
        return self.compiled.updated if self.whole and self.compiled is not None else set()

    def _pays_off(self, batch: Batch, kind: str = "training") -> bool:
        """Return whether batches of this shape are compiled, or should be from now on."""
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            return False
        shapes: list[object] = [kind]
        for part in batch:
            if (type(part) is not np.ndarray and type(part) is not Tensor) or not part.size:
                return False
            shapes += (part.shape, part.dtype)
        key = tuple(shapes)
        before = self.counts.get(key, 0)
        unfit = any(part.dtype.kind not in "biuf" for part in batch)
        if before == 0 and (len(self.counts) == MOST_SHAPES or unfit):
            return False
        if before < EAGER_STEPS and self.compile is None:
            self.counts[key] = before + 1
            return False
        return True

    def _of_arrays(self, *batch: Operand) -> Operands:
        self.before = self._state()
        if self.recordings == MOST_RECORDINGS:
            self.compiled = None
        self.recordings += 1
        loss, output = self._evaluation(*batch)
        first = [loss * float(len(batch[-1]))] if self.summed else []
        return (*first, loss, output) if self.with_output else (loss,)

    def _replayed(self, batch: Batch) -> tuple[float, Operand, Operand] | None:
        found = self._guarded(lambda: self.compiled(*batch))
        if found is None:
            return None
        *_, loss, output = found if self.with_output else (*found, None)
        return float(loss.item()), output, batch[-1]

    def _guarded(self, call: Callable[[], Any]) -> Any:
        """Return the result of a compiled call; None, and undo all changes, if it cannot be recorded."""
        try:
            return call()
        except RuntimeError as error:
            if not isinstance(error, autograd.RecordingError):
                raise
            for thing, name, value in self.before:
                setattr(thing, name, value)
            self.compiled = None
            warnings.warn(f"fit does not compile its steps: {error}", RuntimeWarning, stacklevel=9)
            self.losses_before = error.losses
            return None
        finally:
            self.before = None

    def _state(self) -> list[tuple[Any, str, Any]]:
        """Return the state that a forward pass changes: random generators and buffers, as (object, name, value)."""
        parts = [part for part in (self.model, self.loss) if isinstance(part, Module)]
        generators = [as_generator(), *[g for part in parts for g in checkpoint._generators(part).values()]]
        states = [(g.bit_generator, "state", g.bit_generator.state) for g in generators]
        places = [place for part in parts for place in part._buffer_places()]
        return [*states, *[(owner, name, getattr(owner, name)) for _, owner, name in places]]
