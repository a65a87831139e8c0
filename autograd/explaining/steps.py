"""The backward pass, one edge at a time, and both passes of a graph with the names and values of its nodes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, Decimal, localcontext
from functools import cached_property
from typing import Any

import numpy as np

from autograd.backward import seed_of
from autograd.diagnostics import refuse_changed, require_variable
from autograd.graph import Node, topological_order
from autograd.reverse import edges, reverse_pass, share_of
from autograd.rules import ONE, Elementwise, shape_of
from autograd.typing import Cotangent, Data, Rule, Shape

from .formula import Names, RuleFormula, full_term, local_rule
from .typeset import Term, called, equation, flattened, is_number, number, tidy


@dataclass(frozen=True, eq=False)
class Step:
    """One edge of the backward pass: the gradient of a node, and its contribution to one of the arguments.

    Attributes
    ----------
    number : int
        Position in the pass, from 1.
    node, argument : Node
        The ends of the edge: the result, and the argument that receives a contribution.
    position : int
        Index of the argument among those of the node, from 0.
    upstream : float or ndarray
        The complete gradient of the node.
    local : float, ndarray or None
        The value of the local derivative; None for an operation on arrays that is not elementwise.
    formula : str
        The derivative rule in the names of the nodes.
    contribution : float or ndarray
        The contribution to the gradient of the argument: upstream times local.
    total : float or ndarray
        The running sum at the argument, including this contribution.
    first : bool
        Whether this is the first contribution to the argument.
    """

    number: int
    node: Node
    argument: Node
    position: int
    upstream: Cotangent
    contribution: Cotangent
    total: Cotangent
    first: bool
    rule: Rule
    names: Names
    root: Node

    @property
    def operation(self) -> str:
        """The symbol of the operation that computed the node."""
        return self.node.op.symbol if self.node.op is not None else ""

    @cached_property
    def local(self) -> Any:
        """The value of the local derivative, if the operation has one per element."""
        op, node = self.node.op, self.node
        assert op is not None
        if isinstance(op, Elementwise):
            return op.partial(self.rule, node._value, node.raw, node.params)
        if self.rule is ONE:
            return 1.0
        if shape_of(node) in (None, ()) and shape_of(self.argument) in (None, ()):  # from one number to one number
            return share_of(node, self.rule, seed_of(node, None), node._value, node.raw, self.argument._value)
        return None

    @property
    def upstream_term(self) -> Term:
        """The upstream gradient as a term."""
        return Term("d", (self.names.term(self.root), self.names.term(self.node)))

    @cached_property
    def rule_formula(self) -> RuleFormula:
        """The derivative rule of this edge as a formula."""
        return local_rule(self.node, self.position, self.names.term, self.upstream_term)

    @property
    def formula(self) -> str:
        """The derivative rule as text."""
        return flattened(self.rule_formula.term) if self.rule_formula.term else f"(the rule of {self.operation})"

    def __repr__(self) -> str:
        edge = f"{self.names[self.node]} -> {self.names[self.argument]}"
        return f"<step {self.number}: {edge}, {self.operation}, local {self.formula}>"


def backward_steps(
    root: Node, gradient: Cotangent | None = None, *, names: Mapping[int, str] | Names | None = None
) -> Iterator[Step]:
    """Iterate over the edges of the backward pass in the order of `backward`; no `.grad` changes.

    Parameters
    ----------
    root : Node
        A loss of one element, or any node if `gradient` is given.
    gradient : float, array_like or Node, optional
        The cotangent of `root`; 1 by default.
    names : mapping of int to str, optional
        Names by the identity of the node; a node's own name otherwise.

    Yields
    ------
    Step
        One edge, from a result to an argument.

    Raises
    ------
    RuntimeError, ValueError
        As `backward` does.

    Notes
    -----
    These are the steps of `reverse_pass` itself, observed by its visitor: the last `total` of a leaf equals its
    gradient bit for bit.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> for step in backward_steps((a * b).tanh()):
    ...     print(step.number, step.operation, step.formula, round(step.contribution, 6))
    1 tanh 1 - L * L 2.5e-05
    2 * b -7.4e-05
    3 * a 4.9e-05
    """
    require_variable(root)
    order = topological_order(root, variables_only=True)
    refuse_changed(order, False)
    if not isinstance(names, Names):
        names = Names(topological_order(root), names)
    visited: list[tuple[Node, Node, Rule, Cotangent, Cotangent, Cotangent]] = []
    reverse_pass(order, {root: seed_of(root, gradient)}, visit=lambda *edge: visited.append(edge))
    # the edges of one node follow each other, in the order of its arguments
    positions = [i for node in dict.fromkeys(node for node, *_ in visited) for i, _, _ in edges(node)]
    reached: set[Node] = set()
    for k, (node, argument, rule, g, share, total) in enumerate(visited):
        yield Step(k + 1, node, argument, positions[k], g, share, total, argument not in reached, rule, names, root)
        reached.add(argument)


def count_paths(order: Sequence[Node]) -> tuple[int | None, float]:
    """Count the paths from the last node of `order` to its variables.

    Parameters
    ----------
    order : sequence of Node
        Nodes through which gradients flow, arguments before users, the root last.

    Returns
    -------
    exact : int or None
        The number of paths from the root to the leaves; None from 10**18 on.
    log10 : float
        Its decimal logarithm.

    Examples
    --------
    >>> from autograd import Value
    >>> from autograd.graph import topological_order
    >>> x = Value(1.0)
    >>> for _ in range(200):
    ...     x = x + x
    >>> exact, log10 = count_paths(topological_order(x))
    >>> exact, round(log10, 1)
    (None, 60.2)
    """
    counts: dict[Node, Decimal] = {}
    with localcontext(prec=20, Emax=MAX_EMAX):  # exact up to 20 digits, and without a limit of magnitude
        for node in order:
            below = (counts[arg] for _, arg, _ in edges(node) if arg in counts)
            counts[node] = sum(below, Decimal(0)) or Decimal(1)
        count = counts[order[-1]]
        return (int(count) if count < 10**18 else None), float(count.log10())


# ----------------------------------------------------------------------------------------------- both passes of a graph


def local_term(step: Step) -> Term | None:
    """Return the local derivative of an edge between two scalars, without its upstream gradient."""
    if not step.rule_formula.takes_upstream:
        return step.rule_formula.term
    return local_rule(step.node, step.position, step.names.term, number(1)).term


def contribution(step: Step, rule: RuleFormula, upstream: Term) -> Term:
    """Return the contribution of an edge as one term."""
    if rule.term is None:
        return called(f"pullback of {step.operation}", upstream)
    if rule.takes_upstream:
        return summed(rule.term, rule.shape, step)
    sign = "odot" if shape_of(step.node) and shape_of(step.argument) else "times"
    return summed(tidy(Term(sign, (upstream, rule.term))), shape_of(step.node), step)


def summed(term: Term, shape: Shape | None, step: Step) -> Term:
    """Return a term of a shape, summed to the shape of the argument if the forward pass broadcast it."""
    wanted = shape_of(step.argument)
    if shape in (wanted, None):
        return term
    return called("sum_to", term, Term("raw", (str(wanted) if wanted is not None else "one number",)))


def data_at_use(order: Sequence[Node]) -> dict[Node, Data]:
    """Return the data of each node at the time of the operations: a leaf may have been updated since."""
    data = {node: node._value for node in order}
    for node in order:
        data.update((a, x) for a, x in zip(node.args, node.raw, strict=True) if isinstance(a, Node))
    return data


class RecordedPass:
    """The nodes of a graph, their names and data, and the steps of the backward pass."""

    def __init__(self, root: Node, given: Mapping[int, str]) -> None:
        self.root = root
        self.order: list[Node] = topological_order(root)
        self.names: Names = Names(self.order, given)
        self.steps: list[Step] = list(backward_steps(root, names=self.names))
        self.data: dict[Node, Data] = data_at_use(self.order)
        self.scalar: bool = all(np.ndim(x) == 0 for x in self.data.values())

    def derivative(self, node: Node) -> Term:
        """Return the gradient of a node as a term."""
        return Term("d", (self.names.term(self.root), self.names.term(node)))

    def title(self) -> Term:
        """Return the root and its formula."""
        name = self.names.term(self.root)
        return equation(name, full_term(self.root, self.names)) if self.root.op else name

    def contribution(self, step: Step) -> tuple[Term, ...]:
        """Return the contribution of an edge as a formula, then with values unless these are the result alone."""
        formula = contribution(step, step.rule_formula, step.upstream_term)
        upstream = number(step.upstream)
        rule = local_rule(step.node, step.position, lambda node: number(self.data[node]), upstream)
        if rule.takes_upstream:
            return (formula, contribution(step, rule, upstream)) if rule.term and rule.term.head == "@" else (formula,)
        local = number(step.local)
        if is_number(local, 1):
            return (formula,)
        sign = "odot" if np.ndim(step.local) and np.ndim(step.upstream) else "times"
        return (formula, summed(Term(sign, (upstream, local)), shape_of(step.node), step))
