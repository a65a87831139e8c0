"""Formulas of recorded graphs, and of derivative rules: names of the nodes, and operations as terms.

A rule is called with named nodes, and the operations that it records are its formula: no rule is written twice.
"""

import contextvars
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np

from autograd.graph import Node, Primitive, topological_order
from autograd.messages import display_name
from autograd.rules import ONE, Elementwise, shape_of
from autograd.tensor import Tensor
from autograd.typing import Data, Operand, Operation, Params, Shape
from autograd.value import Value
from autograd.variable import leaf

from .typeset import COMPARISONS, INFIX, Term, called, flattened, format_constant, latex, named, number, tidy

Label = TypeVar("Label")

LONGEST = 60  # nodes of a formula that is written in one piece
HIDDEN = {"keepdims"}  # parameters that matter to arrays but not to the mathematics


class Names:
    """Unique names for the nodes of one graph.

    A node keeps its own name, or the one given for it; other leaves are ``x1, x2, ...``, other results
    ``v1, v2, ...``, and the last one ``L``.

    Parameters
    ----------
    order : sequence of Node
        The nodes, arguments before users.
    given : mapping of int to str, optional
        Names by the identity of the node.
    """

    def __init__(self, order: Sequence[Node], given: Mapping[int, str] | None = None) -> None:
        self._names: dict[Node, str] = {}
        taken: set[str] = set()
        for node in order:
            wanted = str((given or {}).get(id(node)) or node.name or "")
            if wanted.strip():
                shown = named(wanted).parts[0]
                text = next(t for copy in count(1) if (t := shown if copy == 1 else f"{shown}'{copy}") not in taken)
                taken.add(text)
                self._names[node] = text
        counters = {"x": count(1), "v": count(1)}
        for node in order:
            if node not in self._names:
                letter = "x" if node.op is None else "v"
                if node is order[-1] and letter == "v" and "L" not in taken:
                    self._names[node] = "L"
                else:
                    self._names[node] = next(t for i in counters[letter] if (t := f"{letter}{i}") not in taken)

    def __getitem__(self, node: Node) -> str:
        return self._names[node]

    def term(self, arg: Operand) -> Term:
        """Return a node as its name, a constant as its value."""
        if not isinstance(arg, Node):
            return constant_term(arg)
        return Term("name", (self._names[arg],)) if arg in self._names else number(arg._value)


def names_by_identity(names: Mapping[str, object]) -> dict[int, str]:
    """Return names by the identity of the node, also for nodes in lists and modules; the first name wins.

    Parameters
    ----------
    names : mapping of str to object
        For instance ``locals()``. Names that begin with an underscore are ignored: notebooks keep their history there.
    """
    found: dict[int, str] = {}
    for name, value in list(names.items()):
        if name.startswith("_"):
            continue
        if isinstance(value, Node):
            found.setdefault(id(value), name)
        elif isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                if isinstance(item, Node):
                    found.setdefault(id(item), f"{name}[{i}]")
        elif callable(walk := getattr(value, "named_parameters", None)) and not isinstance(value, type):
            for path, node in walk():
                found.setdefault(id(node), f"{name}.{path}")
    return found


def constant_term(constant: object) -> Term:
    """Return a constant argument as a term: a number, an array, or a piece of an index."""
    if isinstance(constant, (int, float, np.ndarray, np.generic)):
        return number(constant)
    return Term("raw", (format_constant(constant),))


def operation_term(op: Primitive, args: Sequence[Operand], params: Params, operands: Sequence[Term]) -> Term:
    """Return one operation on operands that are terms already.

    Parameters
    ----------
    op : Primitive
        The operation.
    args : sequence
        Its arguments, nodes or constants.
    params : mapping
        Its keyword parameters.
    operands : sequence of Term
        The arguments as terms.
    """
    if len(operands) == 2 and op.symbol in (*INFIX, *COMPARISONS):
        return Term(op.symbol, tuple(operands))
    if op.symbol == "neg":
        return Term("neg", (operands[0],))
    if op.symbol == "[]":
        return Term("index", (operands[0], ", ".join(map(index_text, args[1:], operands[1:]))))
    reverses = op.name == "transpose" and params.get("axes") is None and len(shape_of(args[0]) or ()) <= 2
    if reverses or (op.name == "swapaxes" and {params["axis1"], params["axis2"]} == {-1, -2}):
        return Term("transpose", (operands[0],))
    _, defaults = operands_and_options(op)
    shown = []  # parameters that differ from their defaults and change the mathematics
    for key, value in params.items():
        default = defaults.get(key, inspect.Parameter.empty)
        if key not in HIDDEN and value is not None and not (type(value) is type(default) and value == default):
            shown.append(Term("raw", (str(value) if key == "shape" else f"{key}={format_constant(value)}",)))
    return called(display_name(op), *operands, *shown)


def index_text(part: object, written: Term) -> str:
    """Return one part of an index; a short array of indices in full."""
    return str(part.tolist()) if isinstance(part, np.ndarray) and 0 < part.size <= 8 else flattened(written)


def operands_and_options(op: Primitive) -> tuple[list[str], dict[str, object]]:
    """Return the names of the operands of an operation, and its parameters with their defaults."""
    parameters = inspect.signature(op.forward).parameters.values()
    operands = [p.name for p in parameters if p.default is p.empty]
    return operands, {p.name: p.default for p in parameters if p.default is not p.empty}


def term_of(root: Operand, known: Callable[[Node], Term | None], longest: int = LONGEST) -> Term | None:
    """Return the formula of a node; None if it is too long.

    Parameters
    ----------
    root : Node or constant
        The result.
    known : callable
        Returns the term of a node, or None to write the operation that computed it.
    longest : int
        Maximum number of operations and operands.
    """
    size = 0

    def written(arg: Operand) -> Term | None:
        nonlocal size
        size += 1
        if size > longest or not isinstance(arg, Node):
            return None if size > longest else constant_term(arg)
        if (term := known(arg)) is not None or arg.op is None:
            return term or number(arg._value)
        operands = [written(a) for a in arg.args]
        terms = [term for term in operands if term is not None]
        return operation_term(arg.op, arg.args, arg.params, terms) if size <= longest else None

    return written(root)


def formula(root: Node, *, names: Mapping[str, Node] | None = None, style: str = "text") -> str:
    r"""Return the expression from which a node was computed.

    Parameters
    ----------
    root : Node
        The result of an operation.
    names : mapping of str to Node, optional
        Names for nodes, for instance ``{"a": a}``; not needed for nodes that have a name of their own.
    style : {'text', 'latex'}
        Plain text in Python's notation, or LaTeX for use between dollar signs.

    Returns
    -------
    str
        The formula in terms of the leaves; only the last operation if that has more than some 60 nodes.

    Raises
    ------
    ValueError
        If `style` is unknown.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b, c = (Value(x, name=n) for x, n in ((2.0, "a"), (-3.0, "b"), (10.0, "c")))
    >>> formula((a * b + c).tanh())
    'tanh(a * b + c)'
    >>> print(formula((a * b + c) / b, style="latex"))
    \frac{a \cdot b + c}{b}
    """
    if style not in ("text", "latex"):
        raise ValueError(f"style must be 'text' or 'latex', got {style!r}")
    given = {id(node): name for name, node in (names or {}).items()}
    term = full_term(root, Names(topological_order(root), given))
    return flattened(term) if style == "text" else latex(term)


def full_term(root: Node, names: Names, longest: int = LONGEST) -> Term:
    """Return the formula of a node in terms of the leaves if that is short, else its last operation."""
    term = term_of(root, lambda node: names.term(node) if node.op is None else None, longest)
    return term or last_operation(root, names)


def last_operation(node: Node, names: Names) -> Term:
    """Return the operation that computed a node, applied to the names of its arguments."""
    assert node.op is not None
    return operation_term(node.op, node.args, node.params, [names.term(a) for a in node.args])


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
    labels = [upstream, written(node), *(written(a) if isinstance(a, Node) else None for a in node.args)]
    recorded, known = record_rule(node.op, position, node._value, node.raw, node.params, labels)
    if known is None:
        return RuleFormula(None, takes_upstream)
    term = term_of(recorded, known.get)
    return RuleFormula(tidy(term) if term else None, takes_upstream, shape_of(recorded))


def record_rule(
    op: Primitive, position: int, data: Data, raw: Sequence[Data], params: Params, labels: Sequence[Label | None]
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
    labels : sequence
        Labels of the gradient of the result, of the result, and of the operands (None for a constant).

    Returns
    -------
    recorded : Node or number
        The value of the rule; its graph is the formula.
    known : dict or None
        The labels of the leaves of that graph; None if the rule does not accept nodes.
    """
    rule = op.rules_for(len(raw))[position]
    values = list(zip((data, data, *raw), labels, strict=True))
    for fill in (None, 0.5, 2.0):  # the recorded values, or others where these are outside its domain (1 / x at 0)
        known: dict[Node, Label] = {}

        def symbol(x: Data, label: Label, fill: float | None = fill, known: dict[Node, Label] = known) -> Node:
            is_array = isinstance(x, np.ndarray)
            data = x if fill is None else np.full(np.shape(x), fill) if is_array else fill
            made: Node = leaf(Tensor if is_array else Value, data, True)
            known[made] = label
            return made

        symbols = [x if label is None else symbol(x, label) for x, label in values]
        operands = symbols[1:] if isinstance(op, Elementwise) else symbols
        try:  # in a context of its own, where operations are recorded even if the caller disabled recording
            return contextvars.Context().run(_call_silently, rule, operands, params), known
        except Exception:  # noqa: S112  (a rule in plain NumPy rejects nodes with an error of its own)
            continue
    return None, None


def _call_silently(rule: Operation, operands: Sequence[Operand], params: Params) -> Operand:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return rule(*operands, **params)
