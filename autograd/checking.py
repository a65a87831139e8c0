"""`gradcheck`, `gradgradcheck` and `verify`: compare derivatives with differences, and by several ways.

The step of central differences balances the truncation error (``h**2 f''' / 6``) against the rounding error
(``eps |f| / h``), and the report names the worst entry and its likely cause.
"""

from __future__ import annotations  # numpy.random is loaded when it is first used

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from autograd.backward import between, gradients, seed_of
from autograd.graph import Node, topological_order
from autograd.messages import GradientWarning
from autograd.recording import raw_data
from autograd.reverse import edges, share_of
from autograd.transforms.forward import forward_pass
from autograd.transforms.functional import linked
from autograd.transforms.nested import flatten
from autograd.typing import Array, Cotangent, Data, Function, Operand, Rule, Shape, Tree
from autograd.value import Value

Parameters = Sequence[Node] | Mapping[str, Node]

STEP = 6e-6  # about the cube root of the float64 epsilon
LONG_STEP = 5e-4  # for differences of fourth order: about the fifth root


@dataclass(frozen=True)
class Change:
    """A small change of the inputs, as a vector: of one element, or of all inputs along a direction."""

    argument: str
    index: Shape | str
    change: Array
    step: float


class _Argument:
    """One input to differentiate by: one that is passed to the function, or a parameter that the function uses."""

    def __init__(self, name: str, given: Operand, parameter: Node | None = None) -> None:
        self.name = name
        self.parameter = parameter
        data = self.original = raw_data(given)
        self.shape: Shape = np.shape(data)
        if 0 in [s for s, n in zip(getattr(data, "strides", ()), self.shape, strict=True) if n > 1]:
            raise ValueError(
                f"{name} of shape {data.shape} repeats its memory (stride 0, from broadcasting), so that its elements "
                "cannot be changed one by one; pass a copy"
            )

    def node(self, data: Data) -> Node:
        """Return a node with the given data, to be passed to the function."""
        data = data if isinstance(self.original, np.ndarray) else float(data)
        if self.parameter is None:
            return linked(data)  # type: ignore[no-any-return]
        self.parameter._value = data
        return self.parameter


class _CheckedFunction:
    """A function of nested inputs and of parameters, which it uses without receiving them as arguments.

    All inputs together are one vector in float64, and so are all floating-point outputs.
    """

    def __init__(self, f: Function, inputs: tuple[Tree, ...], parameters: Parameters, seed: int) -> None:
        self.f = f
        self.leaves, paths, self.rebuild = flatten(inputs)
        self.arguments: list[_Argument] = [
            _Argument(f"input {path[1:].replace(']', '', 1)}", x)
            for x, path in zip(self.leaves, paths, strict=True)
            if is_differentiable(x)
        ]
        named = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
        self.arguments += [_Argument(f"parameter {p.name or key}", p, p) for key, p in named]
        if not self.arguments:
            raise ValueError(
                "nothing to differentiate by: pass a float, a float array, a node with requires_grad=True, or "
                "parameters="
            )
        self.point: Array = joined([a.original for a in self.arguments]).astype(float)
        self.as_given: list[Data] = [  # with the original memory layout, which is checked too
            a.original if getattr(a.original, "dtype", None) == np.float64 else np.asarray(a.original, float)
            for a in self.arguments
        ]
        self.outputs: Array = self.values(self.point)
        self.weights: Array = weights(self.outputs.size, seed)

    def restore(self) -> None:
        """Restore the data of the parameters."""
        for a in self.arguments:
            if a.parameter is not None:
                a.parameter._value = a.original

    def call(self, data: Sequence[Data]) -> tuple[list[Node], list[Operand]]:
        """Call the function; return the nodes of its arguments and the floating-point outputs."""
        nodes = [a.node(x) for a, x in zip(self.arguments, data, strict=True)]
        fresh = iter(nodes)  # parameters come last and are not passed
        out = self.f(*self.rebuild(iter([next(fresh) if is_differentiable(x) else x for x in self.leaves])))
        return nodes, [y for y in flatten(out)[0] if _holds_floats(y)]

    def values(self, point: Array) -> Array:
        """Return the outputs as a vector."""
        return joined([raw_data(y) for y in self.call(parted(point, [a.shape for a in self.arguments]))[1]])

    def weights_of(self, outputs: Sequence[Operand]) -> list[Array]:
        """Return the weights of the elements of each output."""
        return parted(self.weights, [np.shape(raw_data(y)) for y in outputs])

    def gradient(self, data: Sequence[Data]) -> Array:
        """Return the gradient of the weighted sum of the outputs, by the backward pass."""
        nodes, outputs = self.call(data)
        pairs = zip(outputs, self.weights_of(outputs), strict=True)
        roots = [(y, w) for y, w in pairs if isinstance(y, Node) and y.requires_grad]
        found: Sequence[Cotangent | None] = [None] * len(nodes)
        if roots:
            found = gradients([y for y, _ in roots], nodes, [w for _, w in roots], allow_unused=True)
        if all(g is None for g in found):
            raise ValueError(
                "no output depends on an input through recorded operations; look for .data, float(), detach() or "
                "no_grad() in the function"
            )
        return joined([np.zeros(a.shape) if g is None else g for g, a in zip(found, self.arguments, strict=True)])

    def difference(self, ys: Array, zs: Array) -> float:
        """Return the difference of the weighted outputs, taken elementwise before summation."""
        return float(np.sum(self.weights * (ys - zs)))

    def central(self, change: Array, gradient: Array) -> tuple[float, float, float]:
        """Return the analytic and the numerical slope along a change, and the rounding error of the latter."""
        up, down = self.point + change, self.point - change
        span = float(np.linalg.norm(up - down))
        high, low = self.values(up), self.values(down)
        size = float(np.sum(np.abs(self.weights * high)))
        analytic = float(np.sum(gradient * (up - down))) / span
        return analytic, self.difference(high, low) / span, 4 * np.finfo(float).eps * size / span

    def fourth_order(self, change: Array, length: float) -> float:
        """Return the slope along a change by the five-point formula, which has an error of fourth order."""
        a, b, c, d = (self.values(self.point + k * change) for k in (1.0, -1.0, 2.0, -2.0))
        return (8 * self.difference(a, b) - self.difference(c, d)) / (12 * length)

    def one_sided(self, change: Array, length: float) -> tuple[float, float]:
        """Return the slopes to the right and to the left along a change."""
        right, left = self.values(self.point + change), self.values(self.point - change)
        return self.difference(right, self.outputs) / length, self.difference(self.outputs, left) / length

    def coordinates(self, step: float) -> Iterator[Change]:
        """Yield a change of each single element."""
        places = [(a.name, index) for a in self.arguments for index in np.ndindex(a.shape)]
        for i, (name, index) in enumerate(places):
            change = np.zeros(self.point.size)
            change[i] = h = step * max(1.0, abs(float(self.point[i])))
            yield Change(name, index, change, h)

    def directions(self, count: int, step: float, seed: int) -> Iterator[Change]:
        """Yield random changes of all inputs."""
        rng = np.random.default_rng(seed + 1)
        h = step * max(1.0, float(np.max(np.abs(self.point), initial=0.0)))
        for k in range(count):
            drawn = rng.standard_normal(self.point.size)
            yield Change("all inputs", f"direction {k}", drawn * (h / (np.linalg.norm(drawn) or 1.0)), h)


def joined(arrays: Sequence[Data]) -> Array:
    """Return the elements of all arrays as one vector."""
    return np.concatenate(list(map(np.ravel, arrays))) if arrays else np.zeros(0)


def parted(vector: Array, shapes: Sequence[Shape]) -> list[Array]:
    """Return the parts of a vector as arrays of these shapes."""
    parts = np.split(vector, np.cumsum([math.prod(shape) for shape in shapes])[:-1]) if shapes else []
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def weights(count: int, seed: int) -> Array:
    """Return weights of magnitude 0.5 to 1.5 and random sign, so that errors do not cancel; 1 for a scalar."""
    rng = np.random.default_rng(seed)
    return np.ones(1) if count == 1 else rng.uniform(0.5, 1.5, count) * rng.choice([-1.0, 1.0], count)


def is_differentiable(x: Operand) -> bool:
    """Return whether to differentiate by an input."""
    return x.requires_grad if isinstance(x, Node) else _holds_floats(x)


def _holds_floats(y: Operand) -> bool:
    data = raw_data(y)
    return isinstance(data, (float, np.ndarray, np.generic)) and np.asarray(data).dtype.kind == "f"


# ------------------------------------------------------------------------------------------------------------ gradcheck

TINY = 1e-300


class GradcheckError(AssertionError):
    """Raised if a gradient disagrees with finite differences; `report` has the details.

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
    index: Shape | str
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
    """The result of a gradient check; true if all derivatives agree.

    Attributes
    ----------
    checked : int
        Number of comparisons.
    worst : Entry or None
        The comparison with the largest relative error, among the failures if there are any; those whose absolute error
        is below the tolerance come last.
    failures : list of Entry
        The comparisons outside the tolerances.
    problems : list of str
        Problems of the whole function: different results for the same inputs.
    weighted : bool
        Whether several outputs were summed with random weights, so that the slopes are those of the sum.
    """

    checked: int = 0
    worst: Entry | None = None
    failures: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    weighted: bool = False

    def __bool__(self) -> bool:
        return not self.failures and not self.problems

    def __str__(self) -> str:
        if self:
            return f"gradcheck: {self.checked} derivatives agree; worst {self.worst}"
        lines = [f"gradcheck: {problem}" for problem in self.problems]
        if self.failures:
            lines.append(f"gradcheck: {len(self.failures)} of {self.checked} derivatives disagree; worst {self.worst}")
            lines += [f"  {entry}" for entry in self.failures[:5] if entry is not self.worst]
            if self.weighted:
                lines.append("  (slopes of the sum of the outputs with random weights)")
        return "\n".join(lines)


def gradcheck(
    f: Function, inputs: Tree, *, parameters: Parameters = (), directions: int = 0,
    rtol: float | None = None, atol: float = 1e-10, step: float = STEP, seed: int = 0, raise_exception: bool = True,
) -> Report:  # fmt: skip
    r"""Compare the gradient of `f` with central differences.

    .. math:: \frac{\partial f}{\partial x_i} \approx \frac{f(x + h e_i) - f(x - h e_i)}{2h},
              \qquad \frac{|a - n|}{\max(|a|, |n|)} < \mathrm{rtol} \ \text{ or }\ |a - n| < \mathrm{atol}

    Parameters
    ----------
    f : callable
        Takes the inputs as `Value`s and `Tensor`s and returns a node, or nested lists, tuples and dicts of them.
        Outputs of several elements are summed with fixed random weights.
    inputs : float, ndarray, node, or tuple of them
        The point at which to check, one argument of `f` each, which may be nested. Integers, bools and nodes without
        gradients are passed unchanged.
    parameters : sequence or dict of Node
        Leaves that `f` uses but does not take as arguments, such as those of a layer; their data is restored.
    directions : int
        0 to check every element; otherwise the number of random directions to check, with two calls each.
    rtol, atol : float
        Tolerances on the relative and the absolute error; `rtol` is 1e-7 per element and 1e-6 along directions.
    step : float
        Relative step. The step is ``h = step * max(1, |x|)``, and the difference is divided by the exact
        ``(x + h) - (x - h)``.
    seed : int
        Seed of the weights and directions.
    raise_exception : bool
        Raise an error if the check fails; otherwise only return the report.

    Returns
    -------
    Report
        True if all derivatives agree; its text names the worst entry.

    Raises
    ------
    GradcheckError
        If a derivative disagrees, or `f` returns different results for the same inputs.
    ValueError
        If there is nothing to differentiate by, `f` does not depend on its inputs, or an input repeats its memory.

    Warns
    -----
    GradientWarning
        For float32 inputs, whose rounding errors hide errors below about 1e-3: float64 copies are checked.

    Notes
    -----
    The step is close to the optimal one, the cube root of the float64 epsilon: the relative errors of 140,000
    derivatives of seven functions were below 1e-8. Before a failure is reported, a difference of fourth order is
    evaluated, and the rounding error of `f` itself is allowed for. At a kink (relu at 0) the one-sided slopes differ
    and finite differences are meaningless: check at another point.

    Examples
    --------
    >>> from autograd import sin
    >>> bool(gradcheck(lambda x, y: sin(x) * y, (np.array([0.5, 2.0]), 3.0)))
    True
    """
    checked = _CheckedFunction(f, inputs if isinstance(inputs, tuple) else (inputs,), parameters, seed)
    try:
        report = _compare(checked, directions, rtol or (1e-6 if directions else 1e-7), atol, step, seed)
    finally:
        checked.restore()
    if raise_exception and not report:
        raise GradcheckError(report)
    return report


def gradgradcheck(f: Function, inputs: Tree, *, seed: int = 0, **options: Any) -> Report:
    """Compare the second derivatives of `f` with central differences of its first.

    Parameters
    ----------
    f : callable
        As in `gradcheck`.
    inputs : float, ndarray, node, or tuple of them
        As in `gradcheck`.
    seed : int
        Seed of the weights of the outputs, by which the first derivatives are also differentiated.
    **options
        As in `gradcheck`; `rtol` is 1e-6 here.

    Returns
    -------
    Report
        As in `gradcheck`; the last arguments are the cotangents of the outputs.

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
    checked = _CheckedFunction(f, given, (), seed)
    ys = checked.call(checked.as_given)[1]
    pairs = zip(ys, checked.weights_of(ys), strict=True)
    cotangents = tuple(float(w) if isinstance(y, (Value, float)) else w for y, w in pairs)

    def first(*arguments: Tree) -> list[Cotangent]:
        xs, gs = arguments[: len(given)], arguments[len(given) :]
        ys = [y for y in flatten(f(*xs))[0] if isinstance(y, Node)]
        targets = [x for x in flatten(list(xs))[0] if isinstance(x, Node) and x.requires_grad]
        roots = [(y, g) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
        found = gradients([y for y, _ in roots], targets, [g for _, g in roots], create_graph=True, allow_unused=True)
        return [g for g in found if g is not None]

    return gradcheck(first, given + cotangents, seed=seed, **{"rtol": 1e-6, **options})


def _compare(checked: _CheckedFunction, directions: int, rtol: float, atol: float, step: float, seed: int) -> Report:
    report = Report(weighted=checked.outputs.size != 1)
    entries: list[Entry] = []
    again = checked.values(checked.point)
    if not np.array_equal(again, checked.outputs, equal_nan=True):
        report.problems.append(
            "the function is not deterministic: two calls with the same inputs differ (dropout, a random number, a "
            "running statistic); fix its seed or put it into eval mode"
        )
        return report
    gradient = checked.gradient(checked.as_given)
    _warn_of_float32(checked)
    for change in checked.directions(directions, step, seed) if directions else checked.coordinates(step):
        analytic, numeric, rounding = checked.central(change.change, gradient)
        agrees = _agree(analytic, numeric, rtol, max(atol, rounding))
        if not agrees:
            numeric, rounding = _fourth_order(checked, change, analytic, numeric)
            agrees = _agree(analytic, numeric, rtol, max(atol, rounding))
        error = relative_error(analytic, numeric)
        cause = "" if agrees else _cause(checked, change, analytic, numeric)
        entry = Entry(change.argument, change.index, analytic, numeric, error, change.step, cause)
        (entries if agrees else report.failures).append(entry)
    report.checked = len(entries) + len(report.failures)
    report.failures = _with_common_factor(report.failures)

    def badness(entry: Entry) -> tuple[bool, float]:  # the relative error counts if the absolute one exceeds `atol`
        return not abs(entry.analytic - entry.numeric) <= atol, np.nan_to_num(entry.error, nan=np.inf)

    report.worst = max(report.failures or entries, key=badness, default=None)
    return report


def relative_error(a: float, b: float) -> float:
    """Return the difference of two numbers relative to the larger magnitude."""
    return abs(a - b) / max(abs(a), abs(b), TINY)


def _agree(a: float, n: float, rtol: float, atol: float) -> bool:
    return bool(abs(a - n) < atol or relative_error(a, n) < rtol)


def _fourth_order(checked: _CheckedFunction, change: Change, analytic: float, numeric: float) -> tuple[float, float]:
    """Return the numerical derivative of fourth order if it is closer to the analytic one, and its rounding error."""
    closest, rounding = numeric, 0.0
    for length in (change.step * LONG_STEP / STEP, LONG_STEP):  # relative to x, and absolute, as for sin(1000)
        longer = length / change.step
        better = checked.fourth_order(change.change * longer, length)
        if abs(better - analytic) < abs(closest - analytic):
            closest, rounding = better, 1e-13 * abs(numeric)
    return closest, rounding


def _cause(checked: _CheckedFunction, change: Change, analytic: float, numeric: float) -> str:
    """Return the likely cause of a disagreement, empty if unknown."""
    if not (np.isfinite(analytic) and np.isfinite(numeric)):
        return "nan or inf; is the point inside the domain of the function?"
    if checked.outputs.dtype == np.float32:
        return "float32: the function computes in float32, whatever its inputs"
    right, left = checked.one_sided(change.change, change.step)
    near, far = (checked.one_sided(change.change * k, change.step * k) for k in (0.1, 0.01))
    jump = abs(near[0] - near[1])
    if jump > 1e-3 * max(abs(right), abs(left)) and abs(far[0] - far[1]) > 0.5 * jump:
        return f"a kink, as of relu at 0: the slope is {left:.6g} on one side and {right:.6g} on the other"
    if not all(np.asarray(a.original).flags.c_contiguous for a in checked.arguments):
        contiguous = checked.gradient([np.ascontiguousarray(a.original, float) for a in checked.arguments])
        if not np.allclose(contiguous, checked.gradient(checked.as_given)):
            return "non-contiguous: the gradient of a copy in C order is different"
    if analytic == 0.0:
        return "the gradient is not propagated: a rule of None, detach(), or .data in the function"
    if _agree(-analytic, numeric, 1e-5, 0.0):
        return "a sign"
    return ""


def _with_common_factor(failures: list[Entry]) -> list[Entry]:
    """Return the entries with a common factor as their cause, if one factor explains them all."""
    if not failures or any(e.cause or not isinstance(e.index, tuple) for e in failures):
        return failures
    first = failures[0]
    if len(failures) == 1 and first.index:  # the other elements agree, so the rule as a whole has no wrong factor
        return failures
    factor = first.numeric / first.analytic
    if f"{factor:.6g}" == "1" or not all(_agree(factor * e.analytic, e.numeric, 1e-5, 0.0) for e in failures):
        return failures
    return [replace(e, cause=f"a factor of {factor:.6g}") for e in failures]


def _warn_of_float32(checked: _CheckedFunction) -> None:
    """Warn that float32 inputs are checked in float64."""
    if single := [a.name for a in checked.arguments if getattr(a.original, "dtype", None) == np.float32]:
        warnings.warn(
            f"gradcheck of float32 ({', '.join(single)}): differences in float32 cannot reveal an error below about "
            "1e-3; float64 copies are checked",
            GradientWarning,
            stacklevel=4,
        )


# --------------------------------------------------------------------------------------------------------------- verify

MOST_PATHS = 20_000


@dataclass(frozen=True)
class Way:
    """The slope of the loss along a random direction of one variable; `paths` is None if there are too many."""

    variable: str
    reverse: float
    forward: float
    numerical: float
    paths: float | None

    def agrees(self, rtol: float, atol: float) -> bool:
        """Return whether all four are equal within the tolerances."""
        found = [self.forward, self.numerical] + ([] if self.paths is None else [self.paths])
        return all(abs(x - self.reverse) <= atol + rtol * abs(self.reverse) for x in found)


@dataclass
class Verification(Report):
    """The result of `verify`; true if the four ways agree for every variable.

    Attributes
    ----------
    ways : list of Way
        One per variable.
    first_edge : str
        The first edge, arguments before users, whose rule disagrees with finite differences; empty if none.
    """

    ways: list[Way] = field(default_factory=list)
    first_edge: str = ""

    def __str__(self) -> str:
        lines = [f"{'variable':<16} {'reverse':>15} {'forward':>15} {'numerical':>15} {'sum of paths':>15}"]
        for w in self.ways:
            slopes = (w.reverse, w.forward, w.numerical, math.nan if w.paths is None else w.paths)
            lines.append(f"{w.variable:<16} " + " ".join(f"{'-' if x != x else f'{x:.9g}':>15}" for x in slopes))
        return "\n".join(lines + self.problems)


def verify(
    loss: Node, *, rtol: float = 1e-6, atol: float = 1e-8, seed: int = 0, raise_exception: bool = True
) -> Verification:
    r"""Differentiate a recorded graph in four ways, and find the first edge that disagrees.

    .. math:: \frac{\partial L}{\partial x} = \sum_{\text{paths } x \to L} \ \prod_{\text{edges}}
              \frac{\partial\,\text{user}}{\partial\,\text{argument}}

    Parameters
    ----------
    loss : Node
        A result of one element.
    rtol, atol : float
        Tolerances of the comparison.
    seed : int
        Seed of the direction in which each array is changed.
    raise_exception : bool
        Raise an error if they disagree; otherwise only return the result.

    Returns
    -------
    Verification
        For each variable the slope by the backward pass, by forward mode, by central differences of the replayed
        graph, and, if there are at most 20,000 paths, by the sum over all paths. It prints as a table.

    Raises
    ------
    GradcheckError
        If they disagree; the message names the first edge with a wrong rule.
    RuntimeError, ValueError
        If `loss` does not depend on a variable or has several elements.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(3.0, name="b")
    >>> print(verify(a * b + a))
    variable                 reverse         forward       numerical    sum of paths
    a                              4               4               4               4
    b                              2               2               2               2
    """
    order = topological_order(loss)
    leaves = [node for node in order if node.op is None and node._requires_grad]
    found = gradients(loss, leaves, allow_unused=True)
    rng = np.random.default_rng(seed)
    report = Verification()
    paths = Counter({loss: 1})  # from each node to the loss
    for node in reversed(order):
        for _, arg, _ in edges(node):
            paths[arg] += paths[node]
    for i, (x, g) in enumerate(zip(leaves, found, strict=True)):
        v = _direction(rng, x)
        tangent = forward_pass(order, {x: v}).get(loss, 0.0)
        way = Way(
            x.name or f"variable {i}",
            0.0 if g is None else float(np.sum(g * v)),
            float(np.sum(tangent)),
            _numerical(order, loss, x, v),
            _along_paths(order, loss, x, v) if paths[x] <= MOST_PATHS else None,
        )
        report.ways.append(way)
        report.checked += 1
        if not way.agrees(rtol, atol):
            report.problems.append(f"verify: the four ways disagree for {way.variable}")
    if report.problems:
        report.first_edge = first_wrong_edge(order, rng, rtol, atol)
        report.problems.append(
            f"verify: the first edge that disagrees is {report.first_edge}"
            if report.first_edge
            else "verify: every single edge agrees, so cotangents were changed (a hook?) or summed wrongly"
        )
        if raise_exception:
            raise GradcheckError(report)
    return report


def _direction(rng: np.random.Generator, x: Node) -> Data:
    if np.size(x._value) == 1:
        return 1.0 if type(x._value) is float else np.ones_like(x._value)
    return rng.choice([-1.0, 1.0], x._value.shape) * rng.uniform(0.5, 1.5, x._value.shape)


def _numerical(order: Sequence[Node], loss: Node, x: Node, v: Data) -> float:
    """Return the slope along `v` by replaying the graph with `x` shifted to both sides."""
    h = STEP * max(1.0, float(np.max(np.abs(x._value), initial=0.0)))
    up, down = x._value + h * v, x._value - h * v
    length = math.sqrt(float(np.sum((up - down) ** 2))) / math.sqrt(float(np.sum(v * v)))
    return float(np.sum(_replayed(order, {x: up})[loss] - _replayed(order, {x: down})[loss])) / length


def _replayed(order: Sequence[Node], given: dict[Node, Data]) -> dict[Node, Data]:
    """Return the data of every node for other data of some leaves."""
    found = dict(given)
    for node in order:
        if node.op is not None and node not in given:
            raw = [found.get(a, x) if isinstance(a, Node) else x for a, x in zip(node.args, node.raw, strict=True)]
            found[node] = node._value
            if any(a is not b for a, b in zip(raw, node.raw, strict=True)):
                data = node.op.forward(*raw, **node.params)
                found[node] = np.asarray(data) if isinstance(node._value, np.ndarray) else float(data)
    return found


def _share(node: Node, rule: Rule, g: Cotangent, arg: Node) -> Cotangent:
    """Return the contribution of one edge, given the cotangent `g` of `node`."""
    return share_of(node, rule, g, node._value, node.raw, arg._value)


def _along_paths(order: Sequence[Node], loss: Node, x: Node, v: Data) -> float:
    """Return the slope along `v` as a sum with one product for each path."""
    leads = between(order, [x])
    waiting, terms = [(loss, seed_of(loss, None))], []
    while waiting:
        node, g = waiting.pop()
        if node is x:
            terms.append(float(np.sum(g * v)))
        else:
            waiting += [(arg, _share(node, rule, g, arg)) for _, arg, rule in edges(node) if arg in leads]
    return math.fsum(terms)


def first_wrong_edge(order: Sequence[Node], rng: np.random.Generator, rtol: float, atol: float) -> str:
    """Return the first edge whose rule disagrees with finite differences of its operation, empty if none."""
    for node in order:
        op: Any = node.op
        for i, arg, rule in edges(node):
            w, v = _direction(rng, node), _direction(rng, arg)
            analytic = float(np.sum(_share(node, rule, w, arg) * v))
            h = STEP * max(1.0, float(np.max(np.abs(node.raw[i]), initial=0.0)))
            shifted = ((*node.raw[:i], node.raw[i] + s * v, *node.raw[i + 1 :]) for s in (h, -h))
            above, below = (op.forward(*raw, **node.params) for raw in shifted)
            numerical = float(np.sum(w * (above - below))) / (2 * h)
            if not abs(analytic - numerical) <= atol + 10 * rtol * abs(numerical):
                edge = f"{arg.name or f'argument {i}'} -> {op.name}{f' ({node.name})' if node.name else ''}"
                return f"{edge}: its rule gives {analytic:.9g}, differences {numerical:.9g}"
    return ""
