"""Rules that diagnose a training from the measurements of a `Monitor`, each with its cure.

A rule is a function of the evidence that returns the place and the measurement of a finding, or None.  The thresholds
are rules of thumb, explained in comments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from nn.typing import Array

if TYPE_CHECKING:
    from .monitor import Monitor, Sample


@dataclass(frozen=True)
class Verdict:
    """One finding.

    Attributes
    ----------
    kind : str
        'vanishing', 'exploding', 'dead units', 'saturation', 'divergence', 'nan', 'learning rate too small', 'learning
        rate too large', 'plateau', 'over-fitting' or 'never updates'.
    where : str
        The parameter, module or step.
    evidence, cure : str
        The measurement, and the remedy.

    Examples
    --------
    >>> print(Verdict("nan", "step 3", "the loss is nan", "lower the learning rate"))
    Nan (step 3): the loss is nan.
      Cure: lower the learning rate.
    """

    kind: str
    where: str
    evidence: str
    cure: str

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        return f"{self.kind.capitalize()}{where}: {self.evidence}.\n  Cure: {self.cure}."


class Report(list[Verdict]):
    """All findings about a training, worst first; empty if nothing is alarming.

    Attributes
    ----------
    kinds : list of str
        Their kinds.
    summary : str
        The number of steps, and the first and last loss.

    Examples
    --------
    >>> report = Report([], "120 steps: the loss went from 0.7 to 0.1")
    >>> print(report)
    No problems detected in 120 steps: the loss went from 0.7 to 0.1.
    >>> "nan" in report
    False
    """

    def __init__(self, verdicts: Iterable[Verdict], summary: str) -> None:
        super().__init__(verdicts)
        self.summary: str = summary

    @property
    def verdicts(self) -> list[Verdict]:
        """The findings as a plain list."""
        return list(self)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the findings."""
        return [verdict.kind for verdict in self]

    def __contains__(self, kind: object) -> bool:
        return kind in self.kinds

    def __str__(self) -> str:
        return "\n".join([f"{'' if self else 'No problems detected in '}{self.summary}.", *map(str, self)])

    def __repr__(self) -> str:
        return f"Report({', '.join(self.kinds) or 'no problems'})"


class Evidence:
    """The measurements of a `Monitor` as arrays."""

    start: float
    first: float
    last: float

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.samples: list[Sample] = [s for s in monitor.samples if np.isfinite(s.norm[:2]).all()]
        self.recent: list[Sample] = self.samples[-10:]  # several, so that a single batch is not decisive
        self.names: list[str] = monitor.names
        # a weight that is frozen, or not used by the loss, has no gradient to diagnose
        none = np.ones(len(monitor.shapes), bool)
        self.used: Array = np.any([s.used for s in self.samples], axis=0) if self.samples else none
        self.weights: list[int] = [
            i
            for i, (shape, p) in enumerate(zip(monitor.shapes, monitor.parameters, strict=True))
            if len(shape) > 1 and p.requires_grad and self.used[i]
        ]
        self.sizes: Array = np.array([math.prod(shape) for shape in monitor.shapes])
        self.losses: Array = np.array(monitor.losses, float)
        finite = self.losses[np.isfinite(self.losses)]
        self.finite: Array = finite
        few = max(1, min(len(finite) // 10, 50))
        ends = (finite[:1], finite[:few], finite[-few:])
        self.start, self.first, self.last = (float(np.median(part)) if len(part) else math.nan for part in ends)
        self.least: float = monitor.least_loss

    def norms(self, row: int, samples: list[Sample] | None = None) -> Array:
        """Return the median norm of every parameter (0: weight, 1: gradient, 2: update) over samples."""
        chosen = self.recent if samples is None else samples
        return np.median([s.norm[row] for s in chosen], axis=0) if chosen else np.zeros(len(self.names))

    def typical_gradient(self, samples: list[Sample] | None = None) -> Array:
        """Return the root mean square of the gradient of every weight matrix, in the order of the model."""
        return np.asarray((self.norms(1, samples) / np.sqrt(self.sizes))[self.weights])

    def ratios(self, samples: list[Sample] | None = None) -> Array:
        """Return the median of update over weight of every weight matrix."""
        chosen = self.samples if samples is None else samples
        return np.asarray(np.median([s.ratios[self.weights] for s in chosen], axis=0) if chosen else ())

    def rate(self, sample: int) -> str:
        """Return the learning rate of a sample as the end of a sentence; empty if it is unknown."""
        lr = self.samples[sample].lr
        return f", at a rate of {lr:g}" if math.isfinite(lr) else ""

    def dead(self) -> dict[str, tuple[float, int]]:
        """Return, for every rectifier, the share of units that were always 0 recently, and their total number."""
        found: dict[str, tuple[float, int]] = {}
        for name in {name: None for s in self.recent for name, a in s.layers.items() if "alive" in a}:
            seen = [s.layers[name] for s in self.recent if name in s.layers and s.layers[name]["alive"].ndim == 1]
            if sum(a["rows"] for a in seen) >= 32:  # fewer rows are not enough for a unit that is rarely active
                alive = np.logical_or.reduce([a["alive"] for a in seen])
                found[name] = (1 - float(alive.mean()), len(alive))
        return found


Finding: TypeAlias = tuple[str, ...] | None  # place, evidence and, if the rule has a special one, the cure
Rule: TypeAlias = Callable[[Evidence], Finding]
RULES: list[tuple[str, str, Rule]] = []  # kind, cure and rule, the worst first


def rule(kind: str, cure: str) -> Callable[[Rule], Rule]:
    """Add a function to the rules, with the kind and the cure of its finding."""

    def added(function: Rule) -> Rule:
        RULES.append((kind, cure, function))
        return function

    return added


@rule("nan", "lower the learning rate, clip gradients (clip_grad_norm), scale the inputs, and keep logarithms, roots "
      "and divisions away from 0")  # fmt: skip
def nan(e: Evidence) -> Finding:
    """Find a loss of nan or inf."""
    step = e.monitor.first_bad
    if step is None:
        return None
    origin, _, cure = e.monitor.bad_input.partition(": ")
    origin = origin or e.monitor.anomaly.replace("\n", "; ") or "autograd.detect_anomaly() locates its origin"
    return f"step {step}", f"the loss became {e.losses[step - 1]} in step {step}; {origin}", *filter(None, [cure])


@rule("divergence", "lower the learning rate by a factor of 3 to 10, clip gradients, or warm the rate up")
def divergence(e: Evidence) -> Finding:
    """Find a loss that rose far above its initial value."""
    if len(e.finite) < 5 or not e.last > 2 * max(e.first, 1e-12):
        return None
    return "", f"the loss rose from {e.start:.3g} to {e.last:.3g}"


@rule("exploding", "start from smaller weights (Xavier for tanh and sigmoid, He for ReLU), clip gradients by norm, "
      "normalise layers, scale inputs and targets, or lower the learning rate")  # fmt: skip
def exploding(e: Evidence) -> Finding:
    """Find gradients much larger than the weights, or much larger in the first layer than in the last."""
    if not e.weights or not e.recent:
        return None
    g, w = e.norms(1)[e.weights], e.norms(0)[e.weights]
    worst = int(np.argmax(g / np.maximum(w, 1e-300)))
    grown = e.typical_gradient()
    steep = grown[0] / grown[-1] if grown[-1] > 0 else 0.0
    first, last, name = (e.names[e.weights[i]] for i in (0, -1, worst))
    # A healthy gradient is at most of the size of the weight; a factor of 100 is far outside of the usual range.
    if g[worst] > 1e2 * w[worst] > 0:
        return name, f"the gradient of {name} has norm {g[worst]:.2g}, {g[worst] / w[worst]:.2g} times the weight's"
    if steep > 1e3:
        return first, f"the gradient of {first} is {steep:.2g} times that of the last layer, {last}"
    return None


@rule("vanishing", "ReLU or its relatives instead of sigmoid or tanh, He or Xavier initialisation, batch or layer "
      "normalisation, residual connections, or fewer layers")  # fmt: skip
def vanishing(e: Evidence) -> Finding:
    """Find gradients that are much smaller in the first layers than in the last."""
    # if nothing was learned, use the start, before only the last layer was trained
    typical = e.typical_gradient(e.samples[:3] if e.last > 0.5 * e.first else None)
    if len(typical) < 3 or not typical[-1] > 0:
        return None
    first = int(np.argmin(typical[:-1]))
    share = typical[first] / typical[-1]
    # Adam and its relatives normalise a factor of 1,000, but then amplify mostly noise.
    if not share < 1e-3 or (typical[first] == 0 and any(dead > 0.3 for dead, _ in e.dead().values())):
        return None
    name, last = e.names[e.weights[first]], e.names[e.weights[-1]]
    return name, (
        f"the typical gradient in {name} is {share:.2g} of that in the last layer, {last} "
        f"({typical[first]:.2g} against {typical[-1]:.2g})"
    )


@rule("dead units", "Leaky ReLU, a lower learning rate, He initialisation, biases that do not start far below 0")
def dead_units(e: Evidence) -> Finding:
    """Find rectifiers that are 0 for every row: their gradient is 0, so they cannot recover."""
    dead = {name: found for name, found in e.dead().items() if found[0] > 0.3}
    if not dead:
        return None
    name = max(dead, key=lambda key: dead[key][0])
    share, units = dead[name]
    others = f" (also of {', '.join(key for key in dead if key != name)})" if len(dead) > 1 else ""
    rows = f"every row of the last {len(e.recent)} samples"
    return name, f"{share:.0%} of the {units} units of module {name}{others} gave 0 for {rows}"


@rule("saturation", "smaller initial weights (Xavier), standardised inputs, batch normalisation before the "
      "activation, a lower learning rate, or ReLU")  # fmt: skip
def saturation(e: Evidence) -> Finding:
    """Find saturated hidden units; at the output, saturation only means confidence."""
    found = {}
    for layer in list(e.monitor.layers)[:-1]:
        shares = [s.layers[layer]["saturated"] for s in e.recent if "saturated" in s.layers.get(layer, {})]
        found[layer] = float(np.median(shares)) if shares else 0.0
    name = max(found, key=found.__getitem__, default="")
    if not name or not found[name] > 0.5:
        return None
    return name, f"{found[name]:.0%} of the outputs of module {name} lie at the flat ends of the curve"


@rule("learning rate too large", "divide the learning rate by 10, or find one with nn.find_lr")
def rate_too_large(e: Evidence) -> Finding:
    """Find steps that are large relative to the weights and do not reduce the loss."""
    late = e.ratios(e.samples[len(e.samples) // 2 :])
    if not len(late) or len(e.finite) < 10:
        return None
    # 0.1% is usual; with more than 5% a weight is replaced within 20 steps.
    steady = late.max() > 0.05 and e.last > 0.5 * e.first
    jumps = e.ratios(e.samples[:1])
    if not steady and not (jumps.max() > 0.5 and e.finite.max() > 3 * e.finite[0]):  # by the first steps
        return None
    ratios = late if steady else jumps
    name = e.names[e.weights[int(np.argmax(ratios))]]
    distance = f"by {ratios.max():.1%} of its norm (0.1% is usual)" if ratios.max() < 1e9 else "away from 0"
    return name, (
        f"a step {'moves' if steady else 'at the start moved'} {name} {distance}, and the loss went "
        f"from {e.finite[0]:.3g} over {e.finite.max():.3g} to {e.last:.3g}{e.rate(0)}"
    )


@rule("learning rate too small", "multiply the learning rate by 10 to 100, or find one with nn.find_lr")
def rate_too_small(e: Evidence) -> Finding:
    """Find steps that are tiny relative to the weights despite a gradient, and a nearly constant loss."""
    ratios = e.ratios()
    if not len(ratios) or len(e.finite) < 20 or not ratios.max() > 0:
        return None
    g, w = e.norms(1, e.samples)[e.weights], e.norms(0, e.samples)[e.weights]
    slope = float(np.max(g / np.maximum(w, 1e-300)))
    if not (ratios.max() < 1e-4 and e.last > 0.9 * e.first and slope > 1e-6):
        return None
    return "", (
        f"no step moves a weight by more than {ratios.max():.1g} of its norm (1e-3 is usual), and after "
        f"{len(e.losses)} steps the loss fell only from {e.start:.4g} to {e.last:.4g}{e.rate(-1)}"
    )


@rule("never updates", "make the optimizer from all of model.parameters(), use every layer in forward without "
      "detach(), and freeze only what is meant to stay")  # fmt: skip
def never_updates(e: Evidence) -> Finding:
    """Find parameters that were never updated."""
    if len(e.samples) < 2:
        return None
    still = np.flatnonzero(np.max([s.norm[2] for s in e.samples], axis=0) == 0)
    if not len(still) or (len(still) == len(e.names) and e.last == e.first == 0):
        return None
    slopes = np.max([s.norm[1] for s in e.samples], axis=0)
    optimizer = e.monitor.optimizer
    held = None if optimizer is None else {id(p) for group in optimizer.param_groups for p in group["params"]}
    reasons = []
    for i in still:
        name, parameter = e.names[i], e.monitor.parameters[i]
        if not parameter.requires_grad:
            reasons.append(f"{name} is frozen (requires_grad=False)")
        elif not e.used[i]:
            reasons.append(f"{name} never had a gradient: the loss does not use it, or the graph is cut before it")
        elif held is not None and id(parameter) not in held:
            reasons.append(f"{name} has a gradient, but the optimizer does not hold it")
        elif slopes[i] == 0:
            reasons.append(f"the gradient of {name} is exactly 0")
        else:
            reasons.append(f"{name} has a gradient, but no step moved it: too small for its digits")
    more = f", and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return e.names[still[0]], "; ".join(reasons[:3]) + more


@rule("over-fitting", "early stopping, more data, weight decay or l2, dropout, or fewer units")
def over_fitting(e: Evidence) -> Finding:
    """Find a validation loss that rises while the training loss falls."""
    seen = [(train, other) for _, train, other in e.monitor.epochs if math.isfinite(train) and math.isfinite(other)]
    if len(seen) < 5:
        return None
    train, other = np.array(seen).T
    best = int(np.argmin(other))
    late = float(np.median(other[-3:]))
    if best > len(other) - 4 or not late > 1.2 * other[best] or not train[-1] < 0.95 * train[best]:
        return None
    if late - other[best] < 0.05 * (e.start - e.least):  # small compared with what was learned
        return None
    return f"since epoch {best + 1}", (
        f"the validation loss was best in epoch {best + 1} ({other[best]:.3g}) and has risen to {late:.3g}, while the "
        f"training loss fell from {train[best]:.3g} to {train[-1]:.3g}"
    )


@rule("plateau", "if that is not good enough: lower the learning rate if the loss jitters, raise it or change the "
      "optimizer if it does not, start from other weights, or give the model more units")  # fmt: skip
def plateau(e: Evidence) -> Finding:
    """Find a loss that has been constant for a while, well above its least possible value."""
    by_epoch = np.array([loss for _, loss, _ in e.monitor.epochs if math.isfinite(loss)])
    values = by_epoch if len(by_epoch) >= 12 else e.finite  # means over epochs have less noise than batches
    n = len(values) // 4
    if len(e.finite) < 60 or e.monitor.first_bad is not None or e.last > 2 * e.first:
        return None
    before, now = float(np.mean(values[-2 * n : -n])), float(np.mean(values[-n:]))
    noise = float(np.std(np.diff(values[-2 * n :]))) / math.sqrt(2 * n)
    falls = before - now > max(0.01 * abs(before), 2 * noise)
    if falls or not now - e.least > 0.2 * (max(e.start, e.first) - e.least) or rate_too_small(e) is not None:
        return None
    return "", f"the loss has stood at {now:.4g} for the last half of the run, after {e.start:.4g} at first"


def diagnose(monitor: Monitor) -> Report:
    """Apply every rule to the measurements of a monitor."""
    e = Evidence(monitor)
    if not len(e.losses):
        return Report([], "0 steps: call monitor.step(loss) after every optimizer.step()")
    found = [(kind, *finding, cure) for kind, cure, check in RULES if (finding := check(e)) is not None]
    summary = f"{len(e.losses):,} steps: the loss went from {e.start:.3g} to {e.last:.3g}"
    return Report([Verdict(*parts[:4]) for parts in found], summary)
