"""Formulas of the derivative rules, generated from the table of primitives.

A rule is called with named nodes, and the operations that it records are its formula: no rule is written twice.
"""

import contextvars
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from autograd.graph import Node, Primitive
from autograd.rules import ONE, Elementwise, shape_of
from autograd.tensor import Tensor
from autograd.typing import Data, Operand, Operation, Params, Shape
from autograd.value import Value
from autograd.variable import leaf

from .formula import term_of
from .terms import Term, number, tidy

Label = TypeVar("Label")


@dataclass(frozen=True)
class RuleFormula:
    """The derivative rule of one edge as a formula.

    Attributes
    ----------
    term : Term or None
        The formula; None if the rule does not use the library's own operations.
    takes_upstream : bool
        Whether it is the complete contribution (an adjoint or pullback) rather than a partial derivative.
    shape : tuple of int or None
        The shape of the formula's value.
    """

    term: Term | None
    takes_upstream: bool
    shape: Shape | None = None


def local_rule(node: Node, position: int, written: Callable[[Node], Term], upstream: Term) -> RuleFormula:
    """Return the derivative rule of one edge as a formula.

    Parameters
    ----------
    node : Node
        A computed node.
    position : int
        Index of the argument.
    written : callable
        Returns a node as a term, as `Names.term` does.
    upstream : Term
        The upstream gradient, for rules that take it as an argument.
    """
    assert node.op is not None
    if node.op.rules_for(len(node.args))[position] is ONE:
        return RuleFormula(number(1), False, shape_of(node))
    takes_upstream = not isinstance(node.op, Elementwise)
    arguments = [written(a) if isinstance(a, Node) else None for a in node.args]
    recorded, known = record_rule(
        node.op, position, node._data, node.raw, node.params, arguments, written(node), upstream
    )
    if known is None:
        return RuleFormula(None, takes_upstream)
    term = term_of(recorded, known.get)
    return RuleFormula(tidy(term) if term else None, takes_upstream, shape_of(recorded))


def record_rule(
    op: Primitive,
    position: int,
    data: Data,
    raw: Sequence[Data],
    params: Params,
    arguments: Sequence[Label | None],
    output: Label,
    upstream: Label,
) -> tuple[Operand, dict[Node, Label] | None]:
    """Call one rule with labelled nodes.

    Parameters
    ----------
    op : Primitive
        The operation.
    position : int
        Index of the argument.
    data : float or ndarray
        The result of the operation.
    raw : sequence
        Its operands.
    params : mapping
        Its keyword parameters.
    arguments, output, upstream : object
        Labels of the arguments (None for a constant), of the result and of its gradient.

    Returns
    -------
    recorded : Node or number
        The value of the rule; its graph is the formula.
    known : dict or None
        The labels of the leaves of that graph; None if the rule does not accept nodes.
    """
    rule = op.rules_for(len(raw))[position]
    for fill in (None, 0.5, 2.0):  # the recorded values, or others where these are outside its domain (1 / x at 0)
        known: dict[Node, Label] = {}

        def symbol(x: Data, label: Label, fill: float | None = fill, known: dict[Node, Label] = known) -> Node:
            is_array = isinstance(x, np.ndarray)
            data = x if fill is None else np.full(np.shape(x), fill) if is_array else fill
            made: Node = leaf(Tensor if is_array else Value, data, True)
            known[made] = label
            return made

        inputs = [x if label is None else symbol(x, label) for x, label in zip(raw, arguments, strict=True)]
        y, g = symbol(data, output), symbol(data, upstream)
        try:  # in a context of its own, where operations are recorded even if the caller disabled recording
            return contextvars.Context().run(_call_silently, op, rule, g, y, inputs, params), known
        except Exception:  # noqa: S112  (a rule in plain NumPy rejects nodes with an error of its own)
            continue
    return None, None


def _call_silently(
    op: Primitive, rule: Operation, g: Node, y: Node, inputs: Sequence[Operand], params: Params
) -> Operand:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return rule(y, *inputs, **params) if isinstance(op, Elementwise) else rule(g, y, *inputs, **params)
