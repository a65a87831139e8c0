"""One step of training: gradients, regularisation, clipping, optimizer and schedules, compiled where that is faster."""

import functools
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd
from autograd import Tensor, no_grad
from autograd.extend import add_guards, callback, raw_data
from nn import checkpoint
from nn.module import Module
from nn.module.guards import surroundings
from nn.random import as_generator
from nn.ranks import shared
from nn.typing import Array, Batch, Comm, Data, Leaf, Loss, Operand, Operands, Optimizer, State
from nn.utils import assign_grad, clipping_factor, get_total_norm
from nn.validation import checked_integer, checked_range
from optim.distributed import Alone, GradientSum, checksum

from .distributed import self_contained
from .evaluation import Totals, split_batch, weight_of

# A recording takes as long as 2 to 15 eager steps, most for small models, and a replay saves a fifth to a half of each.
EAGER_STEPS = 16  # of one batch shape, before it is recorded
MOST_RECORDINGS = 32  # then the model changes too often
MOST_SHAPES = 16  # of batches that are recorded
MOST_AT_ONCE = 1024  # steps in one call
SECONDS_AT_ONCE = 0.1


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
    with_output : bool
        Whether the output is needed, besides the loss.
    summed : bool
        Whether the gradients are those of the loss times the number of rows.

    Attributes
    ----------
    compiled : Compiled, CompiledStep or None
        The compiled passes; None if they are not compiled, or cannot be.
    whole : bool
        Whether they are whole steps.
    """

    model: Module
    loss: Loss
    compile: bool | None
    optimizer: Optimizer | None = None
    transform: Any = None
    with_output: bool = True
    summed: bool = False

    def __post_init__(self) -> None:
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

    def __call__(self, batch: Batch, rows: float) -> tuple[float, Operand, Operand] | None:
        """Return loss, output and target of a batch, after its passes or step; None if it must be computed eagerly."""
        if self.compiled is None or (self.summed and rows != len(batch[-1])) or not self._pays_off(batch):
            return None
        found = self.guarded(lambda: self.compiled(*batch))
        if found is None:
            return None
        *_, loss, output = found if self.with_output else (*found, None)
        return float(loss.item()), output, batch[-1]

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
        seen = self.counts.get(_key("training", [a[:rows] for a in arrays]), 0)
        return self.compiled is not None and (self.compile is True or seen >= EAGER_STEPS)

    def updated(self) -> set[Leaf]:
        """Return the parameters that whole steps have updated."""
        return self.compiled.updated if self.whole and self.compiled is not None else set()

    def _pays_off(self, batch: Batch, kind: str = "training") -> bool:
        """Return whether batches of this shape are compiled, or should be from now on."""
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            return False
        for part in batch:
            if type(part) not in (np.ndarray, Tensor) or not part.size or part.dtype.kind not in "biuf":
                return False
        key = _key(kind, batch)
        before = self.counts.get(key, 0)
        if before == 0 and len(self.counts) == MOST_SHAPES:
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
        return (*first, loss, output) if self.with_output else (*first, loss)

    def guarded(self, call: Callable[[], Any]) -> Any:
        """Return the result of a compiled call; None, and undo all changes, if it cannot be recorded."""
        try:
            return call()
        except autograd.RecordingError as error:
            for thing, name, value in self.before:
                setattr(thing, name, value)
            self.compiled = None
            warnings.warn(f"fit does not compile its steps: {error}", RuntimeWarning, stacklevel=8)
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


def _key(kind: str, batch: Batch) -> tuple[object, ...]:
    return (kind, *[x for part in batch for x in (part.shape, part.dtype)])


@dataclass
class Stepper:
    """Turn batches into steps, in one process or together with the other ranks of a communicator.

    The ranks add up their gradients and send their reasons to stop in the same message.

    Parameters
    ----------
    model, loss, optimizer
        As for `fit`.
    clip_grad_norm, clip_grad_value : float or None
        Bounds of the gradient, applied in this order.
    l2 : float
        ``l2 * p`` is added to the gradient of every parameter of two or more axes.
    accumulate : int
        The number of batches in a step.
    compile : bool or None
        As for `fit`; never with several ranks whose forward passes send messages of their own.
    comm : communicator
        Of the ranks.
    whole : bool
        Compiled steps include the update, and leave `.grad` alone.
    with_output : bool
        Compiled steps return the outputs, besides the loss.
    """

    model: Module
    loss: Loss
    optimizer: Optimizer
    clip_grad_norm: float | None = None
    clip_grad_value: float | None = None
    l2: float = 0.0
    accumulate: int = 1
    compile: bool | None = False
    comm: Comm = field(default_factory=Alone)
    whole: bool = False
    with_output: bool = True

    def __post_init__(self) -> None:
        for name in ("clip_grad_norm", "clip_grad_value"):
            if getattr(self, name) is not None:
                checked_range("fit", name, getattr(self, name))
        checked_range("fit", "l2", self.l2)
        checked_integer("fit", "accumulate", self.accumulate, 1)
        if self.compile not in (None, True, False):
            raise TypeError(f"compile must be True, False or None, got {self.compile!r:.60}")
        self.several: bool = self.comm.size > 1
        self.parameters: list[Leaf] = [p for p in self.model.parameters() if p.requires_grad]
        self.weights: list[Leaf] = [p for p in self.parameters if getattr(p, "ndim", 0) > 1]
        self.needs_closure: bool = getattr(self.optimizer, "needs_closure", False)
        self.needs_product: str = getattr(self.optimizer, "needs_product", "")
        name = type(self.optimizer).__name__
        if self.needs_closure and self.accumulate > 1:
            raise ValueError(f"{name} evaluates the loss several times in a step; accumulate must be 1")
        if self.needs_product and self.several:
            raise ValueError(f"{name} needs products with the Hessian, which ranks do not share: run one process")
        if self.needs_product == "jacobian":
            raise ValueError(
                f"{name} needs the residuals of all rows, and fit has only their loss: call optimizer.step(closure), "
                "closure = lambda: (r := model(X) - y, lambda u: autograd.gradients(r, optimizer.parameters, u))"
            )
        self.mean: bool = getattr(self.loss, "reduction", "mean") != "sum"
        # gradients are sums over rows until the step
        self.summed: bool = self.mean and (self.several or self.accumulate > 1)
        self.gathered: int = 0
        self.rows: float = 0.0
        self.norms: list[float] = []
        self.at_once: int = 8  # steps in one call, of a duration after which Ctrl-C may take effect
        self.announced: bool = False  # that this rank wants to stop
        self.received: bool = False  # that any of several ranks wants to
        if self.several:
            known = {id(p) for p in self.parameters}
            held = [p for group in self.optimizer.param_groups for p in group["params"]]
            self.parameters += [p for p in held if id(p) not in known]
            self.add_up: GradientSum = GradientSum(self.parameters, self.comm)

    @functools.cached_property
    def passes(self) -> Passes:
        """The compiled passes, or whole steps."""
        can = not self.several or self_contained(self.model, self.loss)
        whole = self.whole and self.accumulate == 1 and not self.several and not (self.needs_closure and self.l2)
        changes = whole and (self.l2 or self.clip_grad_norm is not None or self.clip_grad_value is not None)
        return Passes(
            self.model, self.loss, self.compile if can else False, self.optimizer if whole else None,
            self._adjusted if changes else None, self.with_output, self.summed,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------- a step

    def forward(self, batch: Batch) -> tuple[Operand, Operand, Operand]:
        """Return loss, output and target of this rank's rows of a batch."""
        inputs, target = split_batch(batch)
        with shared(self.comm):
            output = self.model(*inputs)
            # A rank without rows that count has no loss, but its gradients, all zero, take part in the sum.
            counted = not self.several or weight_of(self.loss, target)
            return self.loss(output, target) if counted else autograd.sum(output), output, target

    def take(self, batch: Batch, totals: Totals, last: bool, eager: bool = False) -> float:
        """Process a batch, step if it completes one, and return its loss; `gathered` is 0 after a step.

        If `eager`, parameters keep the gradients of a whole step, which is not replayed.
        """
        rows = weight_of(self.loss, split_batch(batch)[1])
        whole = self.passes.whole
        if not self.gathered and not whole:
            self.optimizer.zero_grad()
        found = None if (eager if whole else self.needs_closure) else self.passes(batch, rows)
        if found is not None and whole:
            totals.add(*found, rows)
            return found[0]
        if self.needs_closure:
            return self._by_closure(batch, totals, rows)
        if found is None:
            if not self.gathered:
                self.optimizer.zero_grad()
            loss, *rest = self._backward(batch, rows)
            found = float(loss.item()), *rest
        value, output, target = found
        totals.add(value, output, target, rows)
        self.gathered, self.rows = self.gathered + 1, self.rows + rows
        if last or self.gathered == self.accumulate:
            value = self._reduce(value, rows)
            self._adjust()
            self.optimizer.step()
            self.gathered = 0
            self.rows = 0.0
        return value

    def take_many(self, arrays: Sequence[Array], rows: Array, totals: Totals, scheduler: Any) -> list[float]:
        """Take a whole step for each row of a matrix of row indices, and return the losses; of fewer if refused."""
        begin = time.perf_counter()
        passes = self.passes
        found = passes.guarded(lambda: passes.compiled.many(*arrays, rows, scheduler=scheduler))
        losses: list[float] = (passes.losses_before if found is None else found).tolist()
        self.at_once = max(1, min(MOST_AT_ONCE, int(len(rows) * SECONDS_AT_ONCE / (time.perf_counter() - begin))))
        for value, chosen in zip(losses, rows, strict=False):
            totals.add(value, None, None, weight_of(self.loss, arrays[-1][chosen]))
        return losses

    def _backward(self, batch: Batch, rows: float) -> tuple[Operand, Operand, Operand]:
        """Return loss, output and target of a batch, after an eager forward and backward pass."""
        loss, output, target = self.forward(batch)
        (loss * rows if self.summed else loss).backward()
        return loss, output, target

    def _reduce(self, value: float, rows: float) -> float:
        """Divide sums over the rows of a step, of all ranks, by their number; return the loss of the latest batch."""
        if self.several:
            beside = [value * rows if self.mean else value, rows, float(self.announced)]
            _, (losses, total, stops) = self.add_up(self.rows, beside, divide=self.mean)
            self.received = stops > 0
            return losses if not self.mean else losses / total if total else math.nan
        if self.summed:
            for p in self.parameters:
                if p.grad is not None:
                    assign_grad(p, raw_data(p.grad) / self.rows)
        return value

    def _by_closure(self, batch: Batch, totals: Totals, rows: float) -> float:
        first: list[Any] = []
        values: list[float] = []
        self.rows = rows

        def closure() -> Any:
            self.optimizer.zero_grad()
            loss, output, target = self._backward(batch, rows)
            first[:] = first or [float(loss.item()), output, target, rows]
            values.append(self._reduce(float(loss.item()), rows))
            self._adjust()
            penalty = sum(float(np.sum(p.data**2)) for p in self.weights) if self.l2 else 0.0
            value = values[-1] + self.l2 / 2 * penalty  # a line search needs the value that belongs to the gradient
            return (value, self._hessian_product(loss)) if self.needs_product else value

        self.optimizer.step(closure)
        totals.add(*first)
        return values[0]

    def _hessian_product(self, loss: Any) -> Callable[[list[Any]], list[Any]]:
        """Return the function that multiplies by the Hessian of a loss with its penalty, before clipping."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        product, weights = autograd.hessian_product(loss, parameters), {*self.weights}
        rates = [self.l2 if p in weights else 0.0 for p in parameters]
        return lambda v: [h + rate * x for h, rate, x in zip(product(v), rates, v, strict=True)]

    def _adjust(self) -> None:
        """Change the gradients of all parameters."""
        given = {p: raw_data(p.grad) for p in self.parameters if p.grad is not None}
        with no_grad():
            for p, g in self._adjusted(given).items():
                if g is not given[p]:
                    assign_grad(p, raw_data(g))

    def _adjusted(self, gradients: dict[Leaf, Any]) -> dict[Leaf, Any]:
        """Add the gradient of the penalty, and clip; also while a step is recorded."""
        if self.l2:
            weights = {*self.weights}
            gradients = {p: g + self.l2 * p if p in weights else g for p, g in gradients.items()}
        if self.clip_grad_norm is not None:
            factor = callback(self._factor, *gradients.values())
            gradients = {p: g * factor for p, g in gradients.items()}
        if (limit := self.clip_grad_value) is not None:
            gradients = {p: np.clip(g, -limit, limit) for p, g in gradients.items()}
        return gradients

    def _factor(self, *gradients: Data) -> float:
        """Return the factor by which gradients are clipped, and keep their norm."""
        self.norms.append(get_total_norm(gradients))
        return clipping_factor(self.norms[-1], self.clip_grad_norm or 0.0)

    # ------------------------------------------------------------------------------- what the ranks agree on

    def agree(self, stopped: str, compare: bool = False) -> str:
        """Return the reason to stop, the same on all ranks.

        Raises
        ------
        RuntimeError
            If `compare` is true and the ranks' parameters differ.
        """
        compared = self.parameters if compare and self.several else []
        ranks = self.comm.allgather((stopped, checksum(p.data for p in compared)))
        for rank, (_, other) in enumerate(ranks):
            if other != ranks[0][1]:
                hint = "did a callback change them on one rank only, or draw other random values?"
                raise RuntimeError(f"the parameters of rank {rank} differ from those of rank 0: {hint}")
        return next((reason for reason, _ in ranks if reason), "")


class Schedules:
    """Schedules by when they step.

    Parameters
    ----------
    given : scheduler, list of them, mapping from 'step' and 'epoch' to either, or None
        Without a mapping, a schedule whose attribute `steps_per_batch` is true (`OneCycleLR`, `CyclicLR`) steps after
        every step, and all others after every epoch.

    Raises
    ------
    TypeError, ValueError
        If a schedule does not have ``step()``, or a key is neither 'step' nor 'epoch'.

    Examples
    --------
    >>> from optim import lr_scheduler
    >>> rates = lr_scheduler.Rates(0.1)
    >>> schedules = Schedules({"step": lr_scheduler.LinearLR(rates), "epoch": lr_scheduler.ReduceLROnPlateau(rates)})
    >>> len(schedules.by_step), len(schedules.by_epoch)
    (1, 1)
    """

    def __init__(self, given: Any) -> None:
        if not isinstance(given, Mapping):
            found = _as_schedules(given)
            by_step = [schedule for schedule in found if getattr(schedule, "steps_per_batch", False)]
            given = {"step": by_step, "epoch": [schedule for schedule in found if schedule not in by_step]}
        if wrong := set(given) - {"step", "epoch"}:
            raise ValueError(f"scheduler as a mapping has the keys 'step' and 'epoch', not {min(wrong)!r}")
        self.by_step: list[Any] = _as_schedules(given.get("step"))
        self.by_epoch: list[Any] = _as_schedules(given.get("epoch"))
        self.all: list[Any] = self.by_step + self.by_epoch

    def step(self, metric: float = math.nan) -> None:
        """Step those that step after every step."""
        _advance(self.by_step, metric)

    def end_epoch(self, metric: float) -> None:
        """Step the others."""
        _advance(self.by_epoch, metric)

    def state_dict(self) -> list[State]:
        """Return the state of each."""
        return [schedule.state_dict() for schedule in self.all]

    def load_state_dict(self, states: Sequence[State]) -> None:
        """Continue from the states that `state_dict` returned."""
        if len(states) != len(self.all):
            raise ValueError(f"expected the states of {len(self.all)} schedules, got {len(states)}")
        for schedule, state in zip(self.all, states, strict=True):
            schedule.load_state_dict(state)


def _advance(schedules: Sequence[Any], metric: float) -> None:
    """Step some schedules; one that needs a metric (`ReduceLROnPlateau`) is skipped while it is nan."""
    for schedule in schedules:
        if not getattr(schedule, "needs_metric", False):
            schedule.step()
        elif metric == metric:
            schedule.step(metric)


def _as_schedules(given: Any) -> list[Any]:
    found = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    for schedule in found:
        if not hasattr(schedule, "step") or not hasattr(schedule, "get_last_lr"):
            raise TypeError(f"a scheduler must have step() and get_last_lr(), got {schedule!r:.60}")
    return found
