"""`gradcheck`, `gradgradcheck` and `verify`: compare derivatives with differences, and by several ways.

The step of central differences balances the truncation error (``h**2 f''' / 6``) against the rounding error
(``eps |f| / h``), and the report names the worst entry and its likely cause.
"""

from __future__ import annotations  # numpy.random is loaded when it is first used

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

Parameters = Sequence[Node] | Mapping[str, Node]

STEP = 6e-6  # about the cube root of the float64 epsilon
LONG_STEP = 5e-4  # for differences of fourth order: about the fifth root


class _CheckedFunction:
    """A function of nested inputs and of parameters, which it uses without receiving them as arguments.

    All inputs together are one vector in float64, and so are all floating-point outputs.
    """

    def __init__(self, f: Function, inputs: tuple[Tree, ...], parameters: Parameters, seed: int) -> None:
        self.f = f
        self.leaves, paths, self.rebuild = flatten(inputs)
        named = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
        given = [
            (f"input {path[1:].replace(']', '', 1)}", x)
            for x, path in zip(self.leaves, paths, strict=True)
            if is_differentiable(x)
        ]
        held = [(f"parameter {p.name or key}", p) for key, p in named]
        if not given + held:
            raise ValueError(
                "nothing to differentiate by: pass a float, a float array, a node with requires_grad=True, or "
                "parameters="
            )
        self.arguments: list[tuple[str, Operand]] = given + held
        self.parameters: list[Node] = [p for _, p in held]
        self.originals: list[Data] = [raw_data(x) for _, x in self.arguments]
        self.point: Array = joined(self.originals).astype(float)
        try:
            self.outputs: Array = self.values(self.point)
        finally:
            self.assign(self.originals)
        self.weights: Array = weights(self.outputs.size, seed)

    def assign(self, data: Sequence[Data]) -> Sequence[Data]:
        """Assign the data of the parameters, which come last; return those of the inputs."""
        count = len(data) - len(self.parameters)
        for p, x in zip(self.parameters, data[count:], strict=True):
            p._value = x
        return data[:count]

    def call(self, data: Sequence[Data]) -> tuple[list[Node], list[Operand]]:
        """Call the function; return the nodes of its arguments and the floating-point outputs."""
        nodes: list[Node] = [linked(x) for x in self.assign(data)]
        fresh = iter(nodes)
        out = self.f(*self.rebuild(iter([next(fresh) if is_differentiable(x) else x for x in self.leaves])))
        return nodes + self.parameters, [y for y in flatten(out)[0] if _holds_floats(y)]

    def values(self, point: Array) -> Array:
        """Return the outputs as a vector."""
        return joined(self.call(parted(point, self.originals))[1])

    def gradient(self) -> Array:
        """Return the gradient of the weighted sum of the outputs, by the backward pass."""
        # with the original memory layout, which is checked too
        nodes, outputs = self.call([np.array(x, float) if type(x) is np.ndarray else float(x) for x in self.originals])
        pairs = zip(outputs, parted(self.weights, outputs), strict=True)
        roots = [(y, w) for y, w in pairs if isinstance(y, Node) and y.requires_grad]
        found: Sequence[Cotangent | None] = [None] * len(nodes)
        if roots:
            found = gradients([y for y, _ in roots], nodes, [w for _, w in roots], allow_unused=True)
        if all(g is None for g in found):
            raise ValueError(
                "no output depends on an input through recorded operations; look for .data, float(), detach() or "
                "no_grad() in the function"
            )
        return joined([0.0 * x if g is None else g for g, x in zip(found, self.originals, strict=True)])

    def difference(self, change: Array, right: float, left: float) -> float:
        """Return the difference of the weighted outputs at two multiples of a change, taken before summation."""
        ys, zs = self.values(self.point + right * change), self.values(self.point + left * change)
        return float(np.sum(self.weights * (ys - zs)))

    def central(self, change: Array) -> tuple[float, float]:
        """Return the numerical slope along a change, and its rounding error."""
        span = float(np.linalg.norm((self.point + change) - (self.point - change)))
        size = float(np.sum(np.abs(self.weights * self.outputs)))
        return self.difference(change, 1.0, -1.0) / span, 4 * np.finfo(float).eps * size / span

    def changes(self, directions: int, seed: int) -> Iterator[tuple[str, Shape | str, Array]]:
        """Yield a small change of each single element, or random changes of all inputs, with the name of each."""
        size = self.point.size
        if not directions:
            places = [(name, index) for name, x in self.arguments for index in np.ndindex(np.shape(raw_data(x)))]
            for i, (name, index) in enumerate(places):
                yield name, index, np.eye(1, size, i)[0] * STEP * max(1.0, abs(float(self.point[i])))
        rng = np.random.default_rng(seed + 1)
        for k in range(directions):
            drawn = rng.standard_normal(size)
            length = STEP * max(1.0, float(np.max(np.abs(self.point), initial=0.0)))
            yield "all inputs", f"direction {k}", drawn * (length / np.linalg.norm(drawn))


def joined(arrays: Sequence[Operand]) -> Array:
    """Return the elements of all arrays as one vector."""
    return np.concatenate([np.ravel(raw_data(x)) for x in arrays]) if arrays else np.zeros(0)


def parted(vector: Array, likes: Sequence[Operand]) -> list[Data]:
    """Return the parts of a vector as arrays and floats like the given ones."""
    data = list(map(raw_data, likes))
    parts = np.split(vector, np.cumsum([np.size(x) for x in data])[:-1]) if data else []
    pairs = zip(parts, data, strict=True)
    return [part.reshape(x.shape) if type(x) is np.ndarray else float(part[0]) for part, x in pairs]


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
    change: Array  # of all inputs, as one vector

    @property
    def step(self) -> float:
        """The length of the change."""
        return float(np.linalg.norm(self.change))

    @property
    def error(self) -> float:
        """The difference relative to the larger magnitude."""
        return relative_error(self.analytic, self.numeric)

    def __str__(self) -> str:
        at = f" along {self.index}" if isinstance(self.index, str) else f"{[*self.index] or ''}"
        return (
            f"{self.argument}{at}: analytic {self.analytic:.10g}, numeric {self.numeric:.10g}, relative error "
            f"{self.error:.2e} at step {self.step:.1e}"
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
    cause : str
        The likely cause of the failures; empty if unknown.
    problems : list of str
        Problems of the whole function: different results for the same inputs.
    """

    checked: int = 0
    worst: Entry | None = None
    failures: list[Entry] = field(default_factory=list)
    cause: str = ""
    problems: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.failures and not self.problems

    def __str__(self) -> str:
        if self:
            return f"gradcheck: {self.checked} derivatives agree; worst {self.worst}"
        lines = [f"gradcheck: {problem}" for problem in self.problems]
        if self.failures:
            cause = f"; likely cause: {self.cause}" if self.cause else ""
            lines.append(
                f"gradcheck: {len(self.failures)} of {self.checked} derivatives disagree; worst {self.worst}{cause}"
            )
            lines += [f"  {entry}" for entry in self.failures[:5] if entry is not self.worst]
        return "\n".join(lines)


def gradcheck(
    f: Function, inputs: Tree, *, parameters: Parameters = (), directions: int = 0,
    rtol: float | None = None, atol: float = 1e-10, seed: int = 0, raise_exception: bool = True,
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
        If there is nothing to differentiate by, or `f` does not depend on its inputs.

    Warns
    -----
    GradientWarning
        For float32 inputs, whose rounding errors hide errors below about 1e-3: float64 copies are checked.

    Notes
    -----
    The step ``h = 6e-6 * max(1, |x|)`` is close to the optimal one, the cube root of the float64 epsilon: the relative
    errors of 140,000 derivatives of seven functions were below 1e-8. Before a failure is reported, a difference of
    fourth order is evaluated, and the rounding error of `f` itself is allowed for. At a kink (relu at 0) the one-sided
    slopes differ and finite differences are meaningless: check at another point.

    Examples
    --------
    >>> from autograd import sin
    >>> bool(gradcheck(lambda x, y: sin(x) * y, (np.array([0.5, 2.0]), 3.0)))
    True
    """
    checked = _CheckedFunction(f, inputs if isinstance(inputs, tuple) else (inputs,), parameters, seed)
    try:
        report = _compare(checked, directions, rtol or (1e-6 if directions else 1e-7), atol, seed)
    finally:
        checked.assign(checked.originals)
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
    cotangents = tuple(parted(checked.weights, checked.call(checked.originals)[1]))

    def first(*arguments: Tree) -> list[Cotangent]:
        xs, gs = arguments[: len(given)], arguments[len(given) :]
        ys = [y for y in flatten(f(*xs))[0] if isinstance(y, Node)]
        targets = [x for x in flatten(list(xs))[0] if isinstance(x, Node) and x.requires_grad]
        roots = [(y, g) for y, g in zip(ys, gs, strict=True) if y.requires_grad]
        found = gradients([y for y, _ in roots], targets, [g for _, g in roots], create_graph=True, allow_unused=True)
        return [g for g in found if g is not None]

    return gradcheck(first, given + cotangents, seed=seed, **{"rtol": 1e-6, **options})


def _compare(checked: _CheckedFunction, directions: int, rtol: float, atol: float, seed: int) -> Report:
    report = Report()
    if not np.array_equal(checked.values(checked.point), checked.outputs, equal_nan=True):
        report.problems.append(
            "the function is not deterministic: two calls with the same inputs differ (dropout, a random number, a "
            "running statistic); fix its seed or put it into eval mode"
        )
        return report
    gradient = checked.gradient()
    if any(getattr(x, "dtype", None) == np.float32 for x in checked.originals):
        reason = "gradcheck of float32: differences in float32 cannot reveal an error below about 1e-3"
        warnings.warn(f"{reason}; float64 copies are checked", GradientWarning, stacklevel=3)
    entries: list[Entry] = []
    for name, index, change in checked.changes(directions, seed):
        analytic, (numeric, rounding) = float(gradient @ change / np.linalg.norm(change)), checked.central(change)
        if not _agree(analytic, numeric, rtol, max(atol, rounding)):
            numeric, rounding = _fourth_order(checked, change, analytic, numeric)
        entries.append(entry := Entry(name, index, analytic, numeric, change))
        if not _agree(analytic, numeric, rtol, max(atol, rounding)):
            report.failures.append(entry)
    report.checked = len(entries)

    def badness(entry: Entry) -> tuple[bool, float]:  # the relative error counts if the absolute one exceeds `atol`
        return not abs(entry.analytic - entry.numeric) <= atol, np.nan_to_num(entry.error, nan=np.inf)

    report.worst = max(report.failures or entries, key=badness, default=None)
    report.cause = _cause(checked, report.failures, report.worst) if report.failures and report.worst else ""
    return report


def relative_error(a: float, b: float) -> float:
    """Return the difference of two numbers relative to the larger magnitude."""
    return abs(a - b) / max(abs(a), abs(b), 1e-300)


def _agree(a: float, n: float, rtol: float, atol: float) -> bool:
    return bool(abs(a - n) < atol or relative_error(a, n) < rtol)


def _fourth_order(checked: _CheckedFunction, change: Array, analytic: float, numeric: float) -> tuple[float, float]:
    """Return the five-point difference if it is closer to the analytic slope, and its rounding error."""
    closest, rounding, step = numeric, 0.0, float(np.linalg.norm(change))
    for length in (step * LONG_STEP / STEP, LONG_STEP):  # relative to x, and absolute, as for sin(1000)
        longer = change * (length / step)
        better = (8 * checked.difference(longer, 1, -1) - checked.difference(longer, 2, -2)) / (12 * length)
        if abs(better - analytic) < abs(closest - analytic):
            closest, rounding = better, 1e-13 * abs(numeric)
    return closest, rounding


def _cause(checked: _CheckedFunction, failures: list[Entry], worst: Entry) -> str:
    """Return the likely cause of the failures, empty if unknown."""
    if not all(np.isfinite([worst.analytic, worst.numeric])):
        return "nan or inf; is the point inside the domain of the function?"
    if checked.outputs.dtype == np.float32:
        return "float32: the function computes in float32, whatever its inputs"
    (right, left), near, far = [
        [checked.difference(worst.change, high, low) / (k * worst.step) for high, low in ((k, 0), (0, -k))]
        for k in (1, 0.1, 0.01)
    ]
    jump = abs(near[0] - near[1])
    if jump > 1e-3 * max(abs(right), abs(left)) and abs(far[0] - far[1]) > 0.5 * jump:
        return f"a kink, as of relu at 0: the slope is {left:.6g} on one side and {right:.6g} on the other"
    if worst.analytic == 0.0:
        return "the gradient is not propagated: a rule of None, detach(), or .data in the function"
    factor = worst.numeric / worst.analytic
    whole = len(failures) > 1 or not worst.index  # if other elements agree, the rule as a whole has no wrong factor
    if whole and abs(factor - 1) > 1e-5 and all(_agree(factor * e.analytic, e.numeric, 1e-5, 0.0) for e in failures):
        return "a sign" if f"{factor:.5g}" == "-1" else f"a factor of {factor:.6g}"
    return ""


# --------------------------------------------------------------------------------------------------------------- verify

MOST_PATHS = 20_000


@dataclass
class Verification(Report):
    """The result of `verify`; true if the four ways agree for every variable.

    Attributes
    ----------
    ways : dict
        For each variable the slope of the loss along a random direction by the backward pass, by forward mode, by
        differences, and by the sum over paths, which is nan if there are too many.
    first_edge : str
        The first edge, arguments before users, whose rule disagrees with finite differences; empty if none.
    """

    ways: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    first_edge: str = ""

    def __str__(self) -> str:
        lines = [f"{'variable':<16} {'reverse':>15} {'forward':>15} {'numerical':>15} {'sum of paths':>15}"]
        for name, slopes in self.ways.items():
            lines.append(f"{name:<16} " + " ".join(f"{'-' if x != x else f'{x:.9g}':>15}" for x in slopes))
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
    report = Verification(checked=len(leaves))
    for i, (x, g) in enumerate(zip(leaves, found, strict=True)):
        v = _direction(rng, x)
        h = STEP * max(1.0, float(np.max(np.abs(x._value), initial=0.0)))
        above, below = (_replayed(order, {x: x._value + s * v})[loss] for s in (h, -h))
        name = f"variable {i}" if not x.name or x.name in report.ways else x.name
        reverse = 0.0 if g is None else float(np.sum(g * v))
        forward = float(np.sum(forward_pass(order, {x: v}).get(loss, 0.0)))
        numerical, paths = float(np.sum(above - below)) / (2 * h), _along_paths(order, loss, x, v)
        report.ways[name] = (reverse, forward, numerical, paths)
        compared = [reverse, forward, numerical] + [paths] * (paths == paths)
        if not all(abs(y - reverse) <= atol + rtol * abs(reverse) for y in compared):
            report.problems.append(f"verify: the four ways disagree for {name}")
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


def _replayed(order: Sequence[Node], given: dict[Node, Data]) -> dict[Node, Data]:
    """Return the data of every node for other data of some leaves."""
    found = dict(given)
    for node in order:
        if node.op is not None and any(a in found for a in node.args if isinstance(a, Node)):
            raw = [found.get(a, x) if isinstance(a, Node) else x for a, x in zip(node.args, node.raw, strict=True)]
            data = node.op.forward(*raw, **node.params)
            found[node] = np.asarray(data) if isinstance(node._value, np.ndarray) else float(data)
    return found


def _share(node: Node, rule: Rule, g: Cotangent, arg: Node) -> Cotangent:
    """Return the contribution of one edge, given the cotangent `g` of `node`."""
    return share_of(node, rule, g, node._value, node.raw, arg._value)


def _along_paths(order: Sequence[Node], loss: Node, x: Node, v: Data) -> float:
    """Return the slope along `v` as a sum with one product for each path; nan if there are too many."""
    leads = between(order, [x])
    waiting, terms = [(loss, seed_of(loss, None))], []
    while waiting:
        node, g = waiting.pop()
        if node is x:
            terms.append(float(np.sum(g * v)))
        else:
            waiting += [(arg, _share(node, rule, g, arg)) for _, arg, rule in edges(node) if arg in leads]
        if len(terms) > MOST_PATHS:
            return math.nan
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
