"""Terms as plain text, matrices over several lines: blocks of characters set side by side."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from .notation import COMPARISONS, Term, array_in_full, array_in_short, needs_parentheses, numeral, numerals, precedence

__all__ = ["Box", "ascii_only", "box", "flattened", "width"]

# What plain ASCII writes for the signs of the page.
PLAIN = {
    "∂": "d", "×": "*", "⊙": "*", "ᵀ": ".T", "→": "->", "←": "<-", "−": "-", "·": "*", "…": "...", "σ": "sigmoid",
    "⎡": "[", "⎢": "[", "⎣": "[", "⎤": "]", "⎥": "]", "⎦": "]", "≠": "!=", "≥": ">=", "≤": "<=", "─": "-", "═": "=",
    "Σ": "sum", "✓": "ok", "✗": "X", "—": "-", "–": "-", "’": "'",
}  # fmt: skip


SIGNS = {"=": " = ", "times": " × ", "odot": " ⊙ ", "**": "**"}


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    Examples
    --------
    >>> width("abc"), width("漢"), width("e\N{COMBINING ACUTE ACCENT}")
    (3, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def ascii_only(text: str) -> str:
    r"""Return text for an output that takes ASCII only; other characters are spelled as escapes.

    Examples
    --------
    >>> ascii_only("∂f/∂a × β")
    'df/da * \\u03b2'
    """
    return "".join(PLAIN.get(c, c) for c in text).encode("ascii", "backslashreplace").decode("ascii")


@dataclass(frozen=True, slots=True)
class Box:
    """Lines of text of one width, with the line that stands level with its neighbours."""

    lines: tuple[str, ...]
    level: int = 0

    @property
    def width(self) -> int:
        """Columns the box takes."""
        return max(map(width, self.lines))

    def __add__(self, other: Box) -> Box:
        """Set two boxes side by side, their level lines level."""
        level = max(self.level, other.level)
        below = max(len(self.lines) - self.level, len(other.lines) - other.level)
        left, right = (b.raised(level - b.level, level + below) for b in (self, other))
        space = self.width
        return Box(tuple(a + " " * (space - width(a)) + b for a, b in zip(left, right, strict=True)), level)

    def raised(self, above: int, total: int) -> list[str]:
        """Return the lines with empty ones above and below, `total` in all."""
        return [""] * above + list(self.lines) + [""] * (total - above - len(self.lines))


def text_box(text: str) -> Box:
    """Return one line as a box."""
    return Box((text,))


def joined(*pieces: Box | str) -> Box:
    """Set boxes and texts side by side."""
    whole = text_box("")
    for piece in pieces:
        whole = whole + (text_box(piece) if isinstance(piece, str) else piece)
    return whole


def box(term: Term) -> Box:
    """Return a term as lines of text.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd.explaining.notation import Term, named, number
    >>> for line in box(Term("@", (number(np.eye(2)), named("x")))).lines:
    ...     print(line.rstrip())
    ⎡ 1  0 ⎤ @ x
    ⎣ 0  1 ⎦
    """
    head, parts = term.head, term.parts
    if head in ("name", "raw"):
        return text_box(str(parts[0]))
    if head == "number":
        return text_box(numeral(parts[0]))
    if head == "array":
        return array_box(parts[0])
    inner = [box(p) if isinstance(p, Term) else text_box(str(p)) for p in parts]
    if head in ("d", "partial"):
        sign = "d" if head == "d" else "∂"
        return joined(sign, inner[0], "/", sign, inner[1])
    if head == "call":
        separated = [piece for b in inner[1:] for piece in (", ", b)][1:]
        return joined(inner[0], "(", *separated, ")")
    if head == "neg":
        return joined("-(", inner[0], ")") if precedence(parts[0]) < 20 else joined("-", inner[0])
    if head in ("transpose", "index"):
        core = joined("(", inner[0], ")") if precedence(parts[0]) < 99 else inner[0]
        return (
            core + Box(("ᵀ", *[""] * (len(core.lines) - 1)), core.level)
            if head == "transpose"
            else joined(core, "[", inner[1], "]")
        )
    if head in COMPARISONS:
        return joined("[", inner[0], f" {head} ", inner[1], "]")
    sign = SIGNS.get(head, f" {head} ")
    pieces: list[Box | str] = []
    for i, (b, part) in enumerate(zip(inner, parts, strict=True)):
        pieces += [sign] if i else []
        pieces += ["(", b, ")"] if needs_parentheses(head, part, i) else [b]
    return joined(*pieces)


def flattened(term: Term) -> str:
    """Return a term on one line, its arrays by their shape.

    Examples
    --------
    >>> from autograd.explaining.notation import Term, named, number
    >>> y = named("y")
    >>> flattened(Term("-", (number(1), Term("*", (y, y)))))
    '1 - y * y'
    """
    return box(without_arrays(term)).lines[0]


def without_arrays(term: Term) -> Term:
    """Return a term with every array in it as its shape."""
    if term.head == "array":
        return Term("raw", (array_in_short(term.parts[0]),))
    return Term(term.head, tuple(without_arrays(p) if isinstance(p, Term) else p for p in term.parts))


def array_box(array: Any) -> Box:
    """Return an array in brackets, its columns aligned; a large one as its shape."""
    if not array_in_full(array):
        return text_box(array_in_short(array))
    rows = numerals(array)
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    if len(lines) == 1:
        return text_box(f"[ {lines[0]} ]" if array.ndim == 2 else f"[{lines[0]}]")
    left = ["⎡", *["⎢"] * (len(lines) - 2), "⎣"]
    right = ["⎤", *["⎥"] * (len(lines) - 2), "⎦"]
    framed = tuple(f"{a} {line} {b}" for a, line, b in zip(left, lines, right, strict=True))
    return Box(framed, (len(lines) - 1) // 2)
