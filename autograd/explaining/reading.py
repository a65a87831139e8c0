"""Derivative rules, read off the table.

A rule is never written down twice: it is called on named nodes, and what it records is printed.
"""

from __future__ import annotations

import contextvars
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.graph import Node, Primitive
from autograd.rules import ONE, PRIMITIVES, Elementwise, shape_of
from autograd.tensor import Tensor
from autograd.value import Value
from autograd.variable import leaf

from .boxes import flattened
from .expression import term_of
from .notation import Term, named, number, tidy

__all__ = ["Rule", "local_rule", "record_rule", "rule_formulas"]


@dataclass(frozen=True)
class Rule:
    """A derivative rule as it reads on the names of one edge.

    Attributes
    ----------
    term : Term or None
        The formula; None if the rule does not compute with the library's own operations.
    takes_upstream : bool
        Whether it is the whole contribution (an adjoint or pullback) rather than a partial derivative.
    shape : tuple of int or None
        The shape of what the formula computes.
    """

    term: Term | None
    takes_upstream: bool
    shape: tuple[int, ...] | None = None


def local_rule(node: Node, position: int, names: Any, upstream: Term) -> Rule:
    """Return the derivative rule of one edge as a formula, read off the table.

    Parameters
    ----------
    node : Node
        A computed node.
    position : int
        Which of its arguments.
    names : Names
        What the nodes are called; anything with a method `term`.
    upstream : Term
        How the upstream gradient is written, for operations whose rule takes it in.
    """
    op = node.op
    assert op is not None
    return rule_term(
        op,
        position,
        node,
        node.raw,
        node.params,
        [names.term(a) if isinstance(a, Node) else None for a in node.args],
        names.term(node),
        upstream,
    )


def rule_term(
    op: Primitive,
    position: int,
    result: Any,
    raw: Sequence[Any],
    params: Mapping[str, Any],
    arguments: Sequence[Term | None],
    output: Term,
    upstream: Term,
) -> Rule:
    """Call one rule on named nodes and return what it records; None stands for an argument that is constant."""
    if op.rules_for(len(raw))[position] is ONE:
        return Rule(number(1), False, shape_of(result))
    whole = not isinstance(op, Elementwise)
    data = result._data if isinstance(result, Node) else result
    recorded, known = record_rule(op, position, data, raw, params, arguments, output, upstream)
    if known is None:
        return Rule(None, whole)
    term = term_of(recorded, known)
    return Rule(tidy(term) if term else None, whole, shape_of(recorded))


def record_rule(
    op: Primitive,
    position: int,
    data: Any,
    raw: Sequence[Any],
    params: Mapping[str, Any],
    arguments: Sequence[Any],
    output: Any,
    upstream: Any,
) -> tuple[Any, dict[Node, Any] | None]:
    """Call one rule on labelled nodes.

    Parameters
    ----------
    op : Primitive
        The operation.
    position : int
        Which argument's rule.
    data : float or ndarray
        The result of the operation.
    raw : sequence
        The numbers it saw.
    params : mapping
        Its keyword parameters.
    arguments, output, upstream : object
        Labels of the arguments (None for a constant), of the result and of its gradient.

    Returns
    -------
    recorded : Node or number
        What the rule computed; its graph is the formula.
    known : dict or None
        The label of each node it started from; None if the rule does not take nodes.
    """
    rule = op.rules_for(len(raw))[position]
    for prepared in PREPARED:
        known: dict[Node, Any] = {}
        symbol = _symbols(known)
        inputs = [x if label is None else symbol(prepared(x), label) for x, label in zip(raw, arguments, strict=True)]
        y, g = symbol(prepared(data), output), symbol(prepared(data), upstream)
        try:
            return contextvars.Context().run(_called_quietly, op, rule, g, y, inputs, params), known
        except Exception:  # noqa: S112  (a rule in plain NumPy refuses nodes in its own way; then there is no formula)
            continue
    return None, None


def _symbols(known: dict[Node, Any]) -> Callable[[Any, Any], Node]:
    def symbol(data: Any, label: Any) -> Node:
        made: Node = leaf(Tensor if isinstance(data, np.ndarray) else Value, data, True)
        known[made] = label
        return made

    return symbol


def _called_quietly(op: Primitive, rule: Any, g: Any, y: Any, inputs: list[Any], params: Mapping[str, Any]) -> Any:
    """Call a rule in a context of its own, where operations are recorded whatever the caller has switched off."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if isinstance(op, Elementwise):
            return rule(y, *inputs, **params)
        return rule(g, y, *inputs, **params)


def _filled(number: float) -> Callable[[Any], Any]:
    return lambda data: np.full(data.shape, number) if isinstance(data, np.ndarray) else number


# The numbers a rule is read at: its own, or others where these are outside its domain (1 / x at 0).
PREPARED: tuple[Callable[[Any], Any], ...] = (lambda data: data, _filled(0.5), _filled(2.0))


def rule_formulas(name: str) -> tuple[str | None, ...]:
    """Return the derivative rules of a primitive as formulas, one for each argument.

    Parameters
    ----------
    name : str
        A key of `PRIMITIVES`, of an elementwise operation.

    Returns
    -------
    tuple of str or None
        The partial derivatives in the names of the arguments, the result being ``y`` (or ``z``); None where no
        gradient passes.

    Raises
    ------
    KeyError
        If there is no such primitive.
    TypeError
        If its rules are not partial derivatives.

    Examples
    --------
    >>> rule_formulas("tanh"), rule_formulas("multiply")
    (('1 - y * y',), ('y', 'x'))
    """
    op = PRIMITIVES[name]
    if not isinstance(op, Elementwise):
        raise TypeError(f"{name} is not elementwise: its derivative is an adjoint or a pullback, not a partial")
    parameters = inspect.signature(op.forward).parameters.values()
    operands = [named(p.name) for p in parameters if p.default is p.empty]
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    output = named("z" if named("y") in operands else "y")
    raw = [0.5] * len(operands)
    found = []
    for i, rule in enumerate(op.rules_for(len(raw))):
        term = None if rule is None else rule_term(op, i, 0.5, raw, defaults, operands, output, named("g")).term
        found.append(flattened(term) if term else None)
    return tuple(found)
