"""Mathematical notation: a small tree of terms, written as text, LaTeX or MathML.

A term is what stands on a page; it knows nothing of graphs.  `expression` makes terms of graphs, `document` puts
them on a page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .labels import WHOLE, cut, shape, summary, visible

__all__ = [
    "COMPARISONS", "Term", "array_in_full", "array_in_short", "called", "equation", "named", "needs_parentheses",
    "number", "numeral", "numerals", "precedence", "tidy",
]  # fmt: skip

DIGITS = 6  # significant ones: enough to follow a product by hand
DIGITS_IN_ARRAY = 4  # less, so that matrices stay narrow
FULL = 8  # rows or columns of an array that are still written out
FULL_SIZE = 36  # numbers of an array that are still written out

# How tightly an infix sign binds: Python's order, with the signs of a derivation beside their kin.
INFIX = {"=": 0, "+": 10, "-": 10, "*": 20, "/": 20, "@": 20, "times": 20, "odot": 20, "**": 30}
COMPARISONS = {"==": "=", "!=": "≠", ">": ">", ">=": "≥", "<": "<", "<=": "≤"}


@dataclass(frozen=True, slots=True)
class Term:
    """A piece of mathematics: a head that says what it is, and its parts.

    Parameters
    ----------
    head : str
        ``'name'``, ``'number'``, ``'array'``, ``'raw'``, ``'d'``, ``'partial'``, ``'neg'``, ``'call'``,
        ``'transpose'``, ``'index'``, a comparison, or an infix sign.
    parts : tuple
        Terms, or the string, number or array of an atom.
    """

    head: str
    parts: tuple[Any, ...] = ()


def named(name: str) -> Term:
    """Return a name, cut to what a reader's eye takes, without characters that cannot be shown."""
    text = " ".join("".join(map(visible, name)).split())
    return Term("name", (cut(text) or "?",))


def number(x: Any) -> Term:
    """Return a number, or an array, as a term."""
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


def numeral(x: Any, digits: int = DIGITS) -> str:
    """Return a number in few digits, as plain text.

    Examples
    --------
    >>> numeral(2.0), numeral(1 / 3), numeral(1e-300), numeral(float("nan"))
    ('2', '0.333333', '1e-300', 'nan')
    """
    return str(x) if isinstance(x, int) else f"{x:.{digits}g}"


def numerals(array: Any) -> list[list[str]]:
    """Return the rows of a small array, each number in few digits."""
    rows = array if array.ndim == 2 else array[None]
    return [[numeral(x.item(), DIGITS_IN_ARRAY) for x in row] for row in rows]


def array_in_full(array: Any) -> bool:
    """Return whether an array is small enough to be written out."""
    return bool(array.ndim in (1, 2) and 0 < array.size <= FULL_SIZE and max(array.shape) <= FULL)


def array_in_short(array: Any) -> str:
    """Return the shape of a large array and what it holds; a few numbers in a row as they are."""
    if array.ndim == 1 and 0 < array.size <= WHOLE:
        return summary(array)
    return f"({shape(array)}: {summary(array)})"


def precedence(term: Term) -> int:
    """Return how tightly the outermost sign of a term binds; atoms bind tightest."""
    if term.head == "number":
        return 15 if isinstance(term.parts[0], (int, float)) and math.copysign(1, term.parts[0]) < 0 else 99
    return 15 if term.head == "neg" else INFIX.get(term.head, 99)


def needs_parentheses(parent: str, term: Term, place: int) -> bool:
    """Return whether `term` is put in parentheses as operand number `place` of the sign `parent`."""
    inner, outer = precedence(term), INFIX[parent]
    if parent == "=":
        return False
    if inner == 15:  # a minus sign is bare only where nothing stands before it, and never as a base
        return place > 0 or outer == 30
    if parent == "**":
        return inner <= outer if place == 0 else inner < outer
    if place == 0:
        return inner < outer
    return inner < outer or (inner == outer and (parent in "-/@" or term.head in "-/@"))


def is_number(term: Any, value: float) -> bool:
    """Return whether a term is this very number."""
    return isinstance(term, Term) and term.head == "number" and term.parts[0] == value


def tidy(term: Term) -> Term:
    """Return a term without factors of one, added zeros and powers of one.

    Examples
    --------
    >>> x = named("x")
    >>> tidy(Term("*", (number(2.0), Term("**", (x, number(1.0)))))) == Term("*", (number(2.0), x))
    True
    """
    parts: tuple[Any, ...] = tuple(tidy(p) if isinstance(p, Term) else p for p in term.parts)
    kept: Any = Term(term.head, parts)
    if term.head in ("*", "times", "odot") and len(parts) == 2:
        kept = parts[1] if is_number(parts[0], 1) else parts[0] if is_number(parts[1], 1) else kept
    elif term.head == "+" and len(parts) == 2:
        kept = parts[1] if is_number(parts[0], 0) else parts[0] if is_number(parts[1], 0) else kept
    elif (term.head in ("/", "**") and is_number(parts[1], 1)) or (term.head == "-" and is_number(parts[1], 0)):
        kept = parts[0]
    elif term.head == "neg" and parts[0].head == "neg":
        kept = parts[0].parts[0]
    return kept  # type: ignore[no-any-return]
