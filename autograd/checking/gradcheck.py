"""Gradients checked against finite differences: a derivative that nobody wrote down cannot be wrong.

Central differences, with the step that balances truncation (``h**2 f''' / 6``) against rounding
(``eps |f| / h``), and a report that names the worst entry and its likely cause.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from autograd.backward import gradients
from autograd.graph import Node
from autograd.messages import GradientWarning
from autograd.transforms.nested import flatten
from autograd.value import Value

from .differences import LONG_STEP, STEP, Place, Subject

__all__ = ["Entry", "GradcheckError", "Report", "gradcheck", "gradgradcheck"]

TINY = 1e-300


class GradcheckError(AssertionError):
    """An analytic gradient that finite differences contradict; `report` says where.

    Examples
    --------
    >>> try:
    ...     gradcheck(lambda x: x * x.data, 3.0)
    ... except GradcheckError as error:
    ...     error.report.worst.analytic, round(error.report.worst.numeric, 6)
    (3.0, 6.0)
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Entry:
    """One comparison of an analytic with a numerical derivative."""

    argument: str
    index: tuple[int, ...] | str
    analytic: float
    numeric: float
    error: float
    step: float
    cause: str = ""

    def __str__(self) -> str:
        at = f"[{', '.join(map(str, self.index))}]" if isinstance(self.index, tuple) and self.index else ""
        at = f" along {self.index}" if isinstance(self.index, str) else at
        return (
            f"{self.argument}{at}: analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, relative error "
            f"{self.error:.2e} at step {self.step:.1e}{f'; likely cause: {self.cause}' if self.cause else ''}"
        )


@dataclass
class Report:
    """What a gradient check found; true if everything agreed.

    Attributes
    ----------
    checked : int
        Number of comparisons.
    worst : Entry or None
        The comparison with the largest relative error among the failures, or, without failures, of all that were
        not below the absolute tolerance.
    failures : list of Entry
        Those outside the tolerances.
    problems : list of str
        What no single entry shows: a function that is not deterministic, a float32 gradient that is off.
    largest : float
        The largest absolute difference of those that agreed.
    weighed : bool
        Whether several outputs were weighed at random and summed, so that the slopes are those of the sum.
    """

    checked: int = 0
    worst: Entry | None = None
    failures: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    largest: float = 0.0
    weighed: bool = False

    def __bool__(self) -> bool:
        return not self.failures and not self.problems

    def __str__(self) -> str:
        if self:
            worst = self.worst or f"difference {self.largest:.2g}"
            return f"gradcheck: {self.checked} derivatives agree; worst {worst}"
        lines = [f"gradcheck: {problem}" for problem in self.problems]
        if self.failures:
            lines.append(f"gradcheck: {len(self.failures)} of {self.checked} derivatives disagree; worst {self.worst}")
            lines += [f"  {entry}" for entry in self.failures[:5] if entry is not self.worst]
            if self.weighed:
                lines.append("  (slopes of the outputs' sum with random weights of either sign)")
        return "\n".join(lines)


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    parameters: Sequence[Node] | Mapping[str, Node] = (),
    directions: int = 0,
    rtol: float | None = None,
    atol: float = 1e-10,
    step: float = STEP,
    seed: int = 0,
    raise_exception: bool = True,
) -> Report:
    r"""Compare the gradients of `f` with central differences.

    .. math:: \frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h},
              \qquad \frac{|a - n|}{\max(|a|, |n|)} < \mathrm{rtol} \ \text{ or }\ |a - n| < \mathrm{atol}

    Parameters
    ----------
    f : callable
        Takes the inputs as `Value`s and `Tensor`s and returns a node, or nested lists, tuples and dicts of them.
        Outputs of several numbers are weighed with fixed random weights and summed.
    inputs : float, ndarray, node, or tuple of them
        Where to check; one argument of `f` each, which may be nested. Integers, bools and nodes that do not
        require gradients are handed on as they are.
    parameters : sequence or dict of Node
        Leaves that `f` uses without being given them, such as those of a layer; their data is put back afterwards.
    directions : int
        0 checks every coordinate; otherwise the number of random directions along which to check, two calls each.
    rtol, atol : float
        Gates on the relative and the absolute error; `rtol` is 1e-7 per coordinate and 1e-6 along directions.
    step : float
        Relative step; the step itself is ``h = step * max(1, |x|)``, and the difference is divided by the exact
        ``(x + h) - (x - h)``.
    seed : int
        For the weights and directions.
    raise_exception : bool
        Raise if the check fails; otherwise only report.

    Returns
    -------
    Report
        True in a condition if all agree; its text names the worst entry.

    Raises
    ------
    GradcheckError
        If an entry disagrees, or `f` gives different results for the same inputs.
    ValueError
        If there is nothing to differentiate, `f` does not depend on its inputs, or an input repeats its memory.

    Warns
    -----
    GradientWarning
        For float32 inputs: rounding hides an error below about 1e-3 there, so copies in float64 are checked,
        and the float32 gradient is compared with the float64 one (relative 1e-5).

    Notes
    -----
    The step is near the optimum of truncation against rounding, the cube root of the spacing of float64: of
    140,000 derivatives of seven functions all came within 1e-8. Where a difference quotient disagrees, one of
    fourth order is asked before the gradient is blamed, and what rounding of `f` itself can explain is allowed.
    At a kink (relu at 0) the two sides differ and no difference quotient is right: check away from it.

    Examples
    --------
    >>> from autograd import sin
    >>> bool(gradcheck(lambda x, y: sin(x) * y, (np.array([0.5, 2.0]), 3.0)))
    True
    """
    subject = Subject(f, inputs if isinstance(inputs, tuple) else (inputs,), parameters, seed)
    try:
        report = _compared(subject, directions, rtol or (1e-6 if directions else 1e-7), atol, step, seed)
    finally:
        subject.restore()
    if raise_exception and not report:
        raise GradcheckError(report)
    return report


def gradgradcheck(f: Callable[..., Any], inputs: Any, *, seed: int = 0, **options: Any) -> Report:
    """Compare the second derivatives of `f` with central differences of its first.

    Parameters
    ----------
    f : callable
        As in `gradcheck`.
    inputs : float, ndarray, node, or tuple of them
        As in `gradcheck`.
    seed : int
        For the weights of the outputs, which are themselves differentiated.
    **options
        As in `gradcheck`; `rtol` is 1e-6 here.

    Returns
    -------
    Report
        As from `gradcheck`; the last arguments are the cotangents of the outputs.

    Raises
    ------
    GradcheckError, ValueError
        As in `gradcheck`.

    Examples
    --------
    >>> bool(gradgradcheck(lambda x: x * x * x, np.array([1.0, -2.0])))
    True
    """
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    subject = Subject(f, given, (), seed)
    nodes = subject.call(subject.base)[1]
    cotangents = tuple(
        float(w) if isinstance(y, (Value, float)) else w for y, w in zip(nodes, subject.weights, strict=True)
    )

    def first(*arguments: Any) -> Any:
        xs, gs = arguments[: len(given)], arguments[len(given) :]
        ys = [y for y in flatten(f(*xs))[0] if isinstance(y, Node)]
        targets = [x for x in flatten(list(xs))[0] if isinstance(x, Node) and x.requires_grad]
        reached = [(y, g) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
        found = gradients(
            [y for y, _ in reached], targets, [g for _, g in reached], create_graph=True, allow_unused=True
        )
        return [g for g in found if g is not None]

    return gradcheck(first, given + cotangents, seed=seed, **{"rtol": 1e-6, **options})


def _compared(subject: Subject, directions: int, rtol: float, atol: float, step: float, seed: int) -> Report:
    report = Report(weighed=subject.is_weighed())
    again = subject.values(subject.base)
    if len(again) != len(subject.outputs) or not all(map(_same, again, subject.outputs)):
        report.problems.append(
            "the function is not deterministic: two calls with the same inputs differ (dropout, a random number, a "
            "running statistic); fix its seed or put it into eval mode"
        )
        return report
    gradient = subject.gradient(subject.as_given)
    report.problems += _in_float32(subject, gradient)
    places = subject.along(directions, step, seed) if directions else subject.by_coordinate(step)
    for place in places:
        analytic, numeric, noise = subject.central(place.change, gradient)
        report.checked += 1
        if not _agree(analytic, numeric, rtol, max(atol, noise)):
            numeric, better = _reconsidered(subject, place, step, analytic, numeric)
            if not _agree(analytic, numeric, rtol, max(atol, better)):
                cause = _cause(subject, place, analytic, numeric)
                error = _relative(analytic, numeric)
                report.failures.append(Entry(place.argument, place.index, analytic, numeric, error, place.step, cause))
            continue
        report.largest = max(report.largest, abs(analytic - numeric))
        if abs(analytic - numeric) > atol and (not report.worst or _relative(analytic, numeric) > report.worst.error):
            error = _relative(analytic, numeric)
            report.worst = Entry(place.argument, place.index, analytic, numeric, error, place.step)
    if report.failures:
        report.failures = _with_common_factor(report.failures)
        report.worst = max(report.failures, key=lambda e: e.error if e.error == e.error else np.inf)
    return report


def _same(x: Any, y: Any) -> bool:
    return x.shape == y.shape and bool(np.array_equal(x, y, equal_nan=True))


def _relative(a: float, n: float) -> float:
    return abs(a - n) / max(abs(a), abs(n), TINY)


def _agree(a: float, n: float, rtol: float, atol: float) -> bool:
    return bool(abs(a - n) < atol or _relative(a, n) < rtol)


def _reconsidered(subject: Subject, place: Place, step: float, analytic: float, numeric: float) -> tuple[float, float]:
    """Return the derivative by a quotient of fourth order where one comes closer, and its rounding."""
    closest, rounding = numeric, 0.0
    for length in (place.step * LONG_STEP / STEP, LONG_STEP):  # relative to x, and for sin(1000) not
        longer = length / place.step
        better = subject.fourth_order([v * longer for v in place.change], length)
        if abs(better - analytic) < abs(closest - analytic):
            closest, rounding = better, 1e-13 * abs(numeric)
    return closest, rounding


def _cause(subject: Subject, place: Place, analytic: float, numeric: float) -> str:
    """Return what most likely made a derivative disagree, empty if nothing is known."""
    if not (np.isfinite(analytic) and np.isfinite(numeric)):
        return "nan or inf; is the point inside the function's domain?"
    if any(y.dtype == np.float32 for y in subject.outputs):
        return "float32: the function computes in it, whatever it is given"
    right, left = subject.one_sided(place.change, place.step)
    near, far = (subject.one_sided([v * k for v in place.change], place.step * k) for k in (0.1, 0.01))
    jump = abs(near[0] - near[1])
    if jump > 1e-3 * max(abs(right), abs(left)) and abs(far[0] - far[1]) > 0.5 * jump:
        return f"a kink, as of relu at 0: the slope is {left:.6g} on one side and {right:.6g} on the other"
    if any(not a.is_float and not a.original.flags.c_contiguous for a in subject.arguments):
        contiguous = subject.gradient([np.ascontiguousarray(a.original, float) for a in subject.arguments])
        as_given = subject.gradient(subject.as_given)
        if not all(np.allclose(x, y) for x, y in zip(contiguous, as_given, strict=True)):
            return "non-contiguous: a copy in C order has another gradient"
    if analytic == 0.0:
        return "no gradient arrives here: a rule of None, detach(), or .data on the way"
    if _agree(-analytic, numeric, 1e-5, 0.0):
        return "a sign"
    return ""


def _with_common_factor(failures: list[Entry]) -> list[Entry]:
    """Return the entries with a factor for their cause, if one factor explains them all."""
    first = failures[0]
    if any(e.cause or not isinstance(e.index, tuple) for e in failures):
        return failures
    if len(failures) == 1 and first.index:  # the entries beside it are right: no factor of the rule
        return failures
    factor = first.numeric / first.analytic
    if f"{factor:.6g}" == "1" or not all(_agree(factor * e.analytic, e.numeric, 1e-5, 0.0) for e in failures):
        return failures
    return [replace(e, cause=f"a factor of {factor:.6g}") for e in failures]


def _in_float32(subject: Subject, gradient: list[Any]) -> list[str]:
    """Return what is wrong with the gradient in float32, if that is what was given."""
    single = [a.name for a in subject.arguments if getattr(a.original, "dtype", None) == np.float32]
    if not single:
        return []
    warnings.warn(
        f"gradcheck of float32 ({', '.join(single)}): differences in float32 cannot show an error below about 1e-3, "
        "so float64 copies are checked, and the float32 gradient is compared with theirs",
        GradientWarning,
        stacklevel=4,
    )
    problems = []
    narrow_gradient = subject.gradient([a.original for a in subject.arguments])
    for a, wide, narrow in zip(subject.arguments, gradient, narrow_gradient, strict=True):
        difference = np.abs(narrow - wide)
        close = np.all(difference <= 1e-6 + 1e-5 * np.abs(wide))
        if not close and not np.linalg.norm(difference) < 1e-6 * np.linalg.norm(wide):
            worst = np.unravel_index(int(np.argmax(difference)), difference.shape)
            problems.append(
                f"{a.name}{[*map(int, worst)]}: the float32 gradient {narrow[worst]:.8g} is far from the float64 "
                f"gradient {wide[worst]:.8g}"
            )
    return problems
