"""A recorded graph as a formula: what its nodes are called, and how its operations are written."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd.diagnostics.messages import spoken
from autograd.graph import Node, Primitive, topological_order
from autograd.rules import shape_of

from .boxes import flattened
from .labels import constant
from .notation import COMPARISONS, Term, called, named, number
from .typeset import latex

__all__ = ["Names", "formula", "last_operation", "names_by_identity", "operation_term", "term_of", "whole_term"]

LONGEST = 60  # terms of a formula that is written in one piece
INFIX = {"+", "-", "*", "/", "**", "@"}
HIDDEN = {"keepdims"}  # parameters that matter to arrays but not to the mathematics


class Names:
    """What the nodes of one graph are called: no two alike.

    A node keeps its own name, or the one given for it; other leaves are ``x1, x2, ...``, other results
    ``v1, v2, ...``, and the last of all ``L``.

    Parameters
    ----------
    order : sequence of Node
        The nodes, arguments before users.
    given : mapping of int to str, optional
        Names by the identity of the node.
    """

    def __init__(self, order: Sequence[Node], given: Mapping[int, str] | None = None) -> None:
        self._text: dict[Node, str] = {}
        taken: set[str] = set()
        own = {node: str((given or {}).get(id(node)) or node.name or "") for node in order}
        for node, wanted in own.items():
            if wanted.strip():
                shown = named(wanted).parts[0]
                text, copies = shown, 1
                while text in taken:
                    copies += 1
                    text = f"{shown}'{copies}"
                taken.add(text)
                self._text[node] = text
        counts = {"x": 0, "v": 0}
        for node in order:
            if node in self._text:
                continue
            letter = "x" if node.op is None else "v"
            if node is order[-1] and letter == "v" and "L" not in taken:
                self._text[node] = "L"
                continue
            while True:
                counts[letter] += 1
                if f"{letter}{counts[letter]}" not in taken:
                    break
            self._text[node] = f"{letter}{counts[letter]}"

    def __getitem__(self, node: Node) -> str:
        return self._text[node]

    def term(self, arg: Any) -> Term:
        """Return a node by its name, and a constant as it is."""
        return self._term_of_node(arg) if isinstance(arg, Node) else constant_term(arg)

    def _term_of_node(self, node: Node) -> Term:
        return Term("name", (self._text[node],)) if node in self._text else number(node._data)


def names_by_identity(names: Mapping[str, Any]) -> dict[int, str]:
    """Return names by the identity of the node, also of those in lists and modules; the first one wins.

    Parameters
    ----------
    names : mapping of str to object
        For instance ``locals()``; what begins with an underscore is left out, as a notebook keeps its history there.
    """
    found: dict[int, str] = {}
    for name, thing in list(names.items()):
        if name.startswith("_"):
            continue
        if isinstance(thing, Node):
            found.setdefault(id(thing), name)
        elif isinstance(thing, (list, tuple)):
            for i, item in enumerate(thing):
                if isinstance(item, Node):
                    found.setdefault(id(item), f"{name}[{i}]")
        elif callable(walk := getattr(thing, "named_parameters", None)) and not isinstance(thing, type):
            for inner, node in walk():
                found.setdefault(id(node), f"{name}.{inner}")
    return found


def constant_term(thing: Any) -> Term:
    """Return a constant argument as a term: a number, an array, or a piece of an index."""
    if isinstance(thing, (int, float, np.ndarray, np.generic)):
        return number(thing)
    return Term("raw", (constant(thing),))


def operation_term(op: Primitive, args: Sequence[Any], params: Mapping[str, Any], operands: Sequence[Term]) -> Term:
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
        How the arguments are written.
    """
    if len(operands) == 2 and op.symbol in INFIX:
        return Term(op.symbol, tuple(operands))
    if len(operands) == 2 and op.symbol in COMPARISONS:
        return Term(op.symbol, tuple(operands))
    if op.symbol == "neg":
        return Term("neg", (operands[0],))
    if op.symbol == "[]":
        return Term("index", (operands[0], ", ".join(map(index_text, args[1:], operands[1:]))))
    flips = op.name == "transpose" and params.get("axes") is None and len(shape_of(args[0]) or ()) <= 2
    if flips or (op.name == "swapaxes" and {params["axis1"], params["axis2"]} == {-1, -2}):
        return Term("transpose", (operands[0],))
    return called(spoken(op), *operands, *parameter_terms(op, params))


def index_text(part: Any, written: Term) -> str:
    """Return one part of an index; short lists of places in full."""
    return str(part.tolist()) if isinstance(part, np.ndarray) and 0 < part.size <= 8 else flattened(written)


def parameter_terms(op: Primitive, params: Mapping[str, Any]) -> list[Term]:
    """Return the keyword parameters that differ from their defaults and change the mathematics."""
    signature = inspect.signature(op.forward).parameters
    shown = []
    for key, value in params.items():
        default = signature[key].default if key in signature else inspect.Parameter.empty
        if key in HIDDEN or value is None or (type(value) is type(default) and value == default):
            continue
        is_shape = key == "shape"
        shown.append(Term("raw", (str(value) if is_shape else f"{key}={constant(value)}",)))
    return shown


def term_of(root: Any, known: Mapping[Node, Term], longest: int = LONGEST) -> Term | None:
    """Return what a node was computed from as one term, down to the `known` nodes; None if that is too long."""
    if not isinstance(root, Node):
        return constant_term(root)
    terms: dict[Node, Term] = {}
    sizes: dict[Node, int] = {}
    for node in _order_down_to(root, known):
        if node in known or node.op is None:
            terms[node] = known.get(node) or number(node._data)
            sizes[node] = 1
            continue
        sizes[node] = 1 + sum(sizes[a] if isinstance(a, Node) else 1 for a in node.args)
        if sizes[node] > longest:
            return None
        operands = [terms[a] if isinstance(a, Node) else constant_term(a) for a in node.args]
        terms[node] = operation_term(node.op, node.args, node.params, operands)
    return terms[root]


def _order_down_to(root: Node, known: Mapping[Node, Term]) -> Iterable[Node]:
    """Return the nodes under `root` that its formula needs, arguments first, without looking below known ones."""
    order: list[Node] = []
    needed = {root}
    for node in reversed(topological_order(root)):
        if node in needed:
            order.append(node)
            if node not in known:
                needed.update(a for a in node.args if isinstance(a, Node))
    return reversed(order)


def formula(root: Node, *, names: Mapping[str, Node] | None = None, style: str = "text") -> str:
    r"""Return the expression a node was computed from.

    Parameters
    ----------
    root : Node
        A result of operations.
    names : mapping of str to Node, optional
        Names for nodes, for instance ``{"a": a}``; nodes under their own names need none.
    style : {'text', 'latex'}
        Plain text in Python's spelling, or LaTeX to stand between dollar signs.

    Returns
    -------
    str
        The formula down to the leaves; of one with more than some 60 terms, only the last operation.

    Raises
    ------
    ValueError
        If `style` is neither of these.

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
        raise ValueError(f"there is no style {style!r}; choose 'text' or 'latex'")
    given = {id(node): name for name, node in (names or {}).items()}
    term = whole_term(root, Names(topological_order(root), given))
    return flattened(term) if style == "text" else latex(term)


def whole_term(root: Node, names: Names) -> Term:
    """Return a node down to its leaves if that is short, else its last operation."""
    if root.op is None:
        return names.term(root)
    order = topological_order(root)
    term = term_of(root, {n: names.term(n) for n in order if n.op is None}) if len(order) <= LONGEST else None
    return term or last_operation(root, names)


def last_operation(node: Node, names: Names) -> Term:
    """Return the operation that made a node, on the names of its arguments."""
    assert node.op is not None
    return operation_term(node.op, node.args, node.params, [names.term(a) for a in node.args])
