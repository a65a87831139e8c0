"""`verify`: compute one derivative in four ways, and find the first edge of the graph with a wrong rule."""

from __future__ import annotations  # numpy.random is loaded when it is first used

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.backward import between, gradients, seed_of
from autograd.graph import Node, topological_order
from autograd.reverse import edges, share_of
from autograd.transforms.forward import forward_pass
from autograd.typing import Cotangent, Data, Rule

from .gradcheck import STEP, GradcheckError, Report

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
