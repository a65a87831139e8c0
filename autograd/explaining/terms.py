"""Mathematical terms: the small tree from which text and LaTeX are written.

`formula` builds terms from recorded graphs, `typeset` writes them, and `blocks` puts them on a page.
"""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from autograd.typing import Array, Data

from .formatting import WHOLE, cut, format_array, format_number, format_shape, visible

DIGITS = 6  # significant digits: enough to follow a product by hand
DIGITS_IN_ARRAY = 4  # few, so that matrices stay narrow
MOST_ROWS = 8  # rows or columns of an array that is written out
MOST_ELEMENTS = 36  # elements of an array that is written out

# The precedence of infix signs, as in Python, with the additional signs of a derivation.
INFIX = {"=": 0, "+": 10, "-": 10, "*": 20, "/": 20, "@": 20, "times": 20, "odot": 20, "**": 30}
MINUS, ATOM = 15, 99
COMPARISONS = ("==", "!=", ">", ">=", "<", "<=")

Part: TypeAlias = Any  # a term, or the string, number or array of an atom


@dataclass(frozen=True, slots=True)
class Term:
    """A node of a mathematical expression: its kind, and its parts.

    Parameters
    ----------
    head : str
        ``'name'``, ``'number'``, ``'array'``, ``'raw'``, ``'d'``, ``'partial'``, ``'neg'``, ``'call'``,
        ``'transpose'``, ``'index'``, a comparison, or an infix sign.
    parts : tuple
        Terms, or the string, number or array of an atom.
    """

    head: str
    parts: tuple[Part, ...] = ()


def named(name: str) -> Term:
    """Return a name as a term, shortened and without characters that cannot be shown."""
    text = " ".join("".join(map(visible, name)).split())
    return Term("name", (cut(text) or "?",))


def number(x: Data) -> Term:
    """Return a number or an array as a term."""
    if isinstance(x, np.ndarray) and x.ndim:
        return Term("array", (x,))
    value = x.item() if isinstance(x, (np.ndarray, np.generic)) else x
    return Term("number", (int(value) if isinstance(value, bool) else value,))


def called(function: str, *arguments: Term) -> Term:
    """Return a function applied to arguments."""
    return Term("call", (function, *arguments))


def equation(*sides: Term) -> Term:
    """Return a chain of equal terms."""
    return Term("=", sides)


def rows_of(array: Array) -> list[list[str]]:
    """Return the rows of a small array as formatted elements."""
    return [[format_number(x.item(), DIGITS_IN_ARRAY) for x in row] for row in np.atleast_2d(array)]


def is_written_out(array: Array) -> bool:
    """Return whether an array is small enough to be written out."""
    return bool(array.ndim in (1, 2) and 0 < array.size <= MOST_ELEMENTS and max(array.shape) <= MOST_ROWS)


def shortened(array: Array) -> str:
    """Return an array on one line: a short vector in full, others by shape and range."""
    if array.ndim == 1 and 0 < array.size <= WHOLE:
        return format_array(array)
    return f"({format_shape(array)}: {format_array(array)})"


def precedence(term: Term) -> int:
    """Return how tightly the outermost sign of a term binds; atoms bind tightest."""
    if term.head == "number" and isinstance(x := term.parts[0], (int, float)):
        return MINUS if math.copysign(1, x) < 0 else INFIX["times"] if "e" in format_number(x, DIGITS) else ATOM
    return MINUS if term.head == "neg" else INFIX.get(term.head, ATOM)


def needs_parentheses(parent: str, term: Term, place: int) -> bool:
    """Return whether `term` needs parentheses as operand `place` of the infix sign `parent`."""
    inner, outer = precedence(term), INFIX[parent]
    if parent == "=":
        return False
    if inner == MINUS:  # a minus sign needs none at the start, except as a base
        return place > 0 or parent == "**"
    if parent == "**":
        return inner <= outer if place == 0 else inner < outer
    return inner < outer or (place > 0 and inner == outer and (parent in "-/@" or term.head in "-/@"))


def is_number(term: Part, value: float) -> bool:
    """Return whether a term is the given number."""
    return isinstance(term, Term) and term.head == "number" and term.parts[0] == value


def tidy(term: Term) -> Term:
    """Return a term without factors of one, added zeros and powers of one.

    Examples
    --------
    >>> x = named("x")
    >>> tidy(Term("*", (number(2.0), Term("**", (x, number(1.0)))))) == Term("*", (number(2.0), x))
    True
    """
    parts = tuple(tidy(p) if isinstance(p, Term) else p for p in term.parts)
    kept: Part = Term(term.head, parts)
    if term.head in ("*", "times", "odot", "+") and len(parts) == 2:
        neutral = 0 if term.head == "+" else 1
        kept = parts[1] if is_number(parts[0], neutral) else parts[0] if is_number(parts[1], neutral) else kept
    elif (term.head in ("/", "**") and is_number(parts[1], 1)) or (term.head == "-" and is_number(parts[1], 0)):
        kept = parts[0]
    elif term.head == "neg" and parts[0].head == "neg":
        kept = parts[0].parts[0]
    return kept  # type: ignore[no-any-return]
