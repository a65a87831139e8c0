"""The backward pass, one edge at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, Decimal, localcontext
from functools import cached_property
from typing import Any

from autograd.backward import seed_of
from autograd.diagnostics.in_place import refuse_changed
from autograd.diagnostics.mistakes import require_variable
from autograd.graph import Node, topological_order
from autograd.reverse import edges, reverse_pass, share_of
from autograd.rules import ONE, Elementwise, shape_of
from autograd.typing import Cotangent, Rule

from .formula import Names, RuleFormula, local_rule
from .terms import Term
from .typeset import flattened


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
