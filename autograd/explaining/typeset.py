"""Values, names and terms written as text and LaTeX.

Terms are the small trees that formulas are: `formula` builds them from recorded graphs, and `blocks` puts them on a
page.  A notation is a table of templates, in which ``#1`` and ``#2`` are replaced by the parts, as in a TeX macro.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from autograd.typing import Array, Data

LONGEST = 40  # characters of a label; a longer one makes its box too wide to read
WHOLE = 4  # elements of an array that is written out
REPLACEMENT = "\ufffd"


def visible(character: str) -> str:
    """Return the character, or U+FFFD for a control character or one that XML forbids."""
    if character == "\n" or character.isprintable():
        return character
    code = ord(character)
    nonsense = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # noncharacters, by Unicode's definition
    return REPLACEMENT if nonsense or unicodedata.category(character) in ("Cc", "Cs") else character


def cut(text: str, longest: int = LONGEST) -> str:
    """Return `text`, with an ellipsis in place of its end if it is longer than `longest` characters.

    Examples
    --------
    >>> cut("a rather long name", 9)
    'a rather…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def width(text: str) -> int:
    """Return the number of terminal columns that a text takes.

    Examples
    --------
    >>> width("abc"), width("漢"), width("e\N{COMBINING ACUTE ACCENT}")
    (3, 2, 1)
    """
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def format_number(x: Data, digits: int = 4) -> str:
    """Return a float with at most `digits` significant digits, and zero without a sign; an int or bool in full.

    Examples
    --------
    >>> format_number(2.0), format_number(1 / 3), format_number(-0.0), format_number(1e-300), format_number(True)
    ('2', '0.3333', '0', '1e-300', 'True')
    """
    return str(x) if isinstance(x, (int, np.bool_)) else f"{x + 0.0:.{digits}g}"


def finite_number(text: str) -> float | None:
    """Return the number that a text represents, or None if it does not represent a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def format_shape(array: Array) -> str:
    """Return the shape of an array, followed by its dtype unless that is float64.

    Examples
    --------
    >>> format_shape(np.zeros((64, 10))), format_shape(np.zeros(3, dtype="float32"))
    ('(64, 10)', '(3,) float32')
    """
    return str(array.shape) if array.dtype == np.float64 else f"{array.shape} {array.dtype}"


def format_array(data: ArrayLike) -> str:
    """Return the elements of a number or small array, with fewer digits if that is too long; the range of a larger one.

    Examples
    --------
    >>> format_array(0.5), format_array(np.array([1.0, 2.0])), format_array(np.linspace(-1, 1, 100))
    ('0.5', '[1, 2]', '-1 … 1')
    >>> format_array(np.array([1.0, np.nan, 3.0, np.inf, 5.0]))
    '1 … 5, 2 not finite'
    """
    array = np.asarray(data)
    if array.ndim == 0:
        return format_number(array[()])
    if array.size == 0:
        return "empty"
    if array.size <= WHOLE:
        texts = [_nested(array, n) for n in (4, 3, 2)] if array.dtype.kind == "f" else [str(array.tolist())]
        if short := [text for text in texts if len(text) <= LONGEST]:
            return short[0]
    if array.dtype.kind not in "biuf":
        return cut(str(array.tolist())) if array.size <= WHOLE else ""
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        return f"none of {array.size:,} finite"
    low, high = format_number(finite.min()), format_number(finite.max())
    span = f"all {low}" if low == high else f"{low} … {high}"
    return span if finite.size == array.size else f"{span}, {array.size - finite.size:,} not finite"


def _nested(array: Array, digits: int) -> str:
    return format_number(array, digits) if array.ndim == 0 else f"[{', '.join(_nested(a, digits) for a in array)}]"


def format_constant(constant: object) -> str:
    """Return a constant operand as it is written in a formula; a large array as its shape.

    Examples
    --------
    >>> format_constant(0.5), format_constant(slice(1, None)), format_constant(np.zeros((64, 10)))
    ('0.5', '1:', '(64, 10)')
    """
    if isinstance(constant, slice):
        ends = ["" if end is None else str(end) for end in (constant.start, constant.stop, constant.step)]
        return ":".join(ends if ends[2] else ends[:2])
    if constant is Ellipsis:
        return "..."
    if isinstance(constant, (int, float)):
        return format_number(constant)
    if isinstance(constant, np.ndarray):
        return format_array(constant) if constant.size <= WHOLE else format_shape(constant)
    return cut(repr(constant), 24)


# ---------------------------------------------------------------------------------------------------------------- terms

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
        if math.copysign(1, x) < 0:
            return MINUS
        return INFIX["times"] if "e" in format_number(x, DIGITS) else ATOM
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


T = TypeVar("T")

# The first operand of these is put in parentheses if it binds less tightly than this.
TIGHT = {"neg": 20, "transpose": 99, "index": 99, "**": 99}


@dataclass(frozen=True)
class Notation(Generic[T]):
    """Templates for every kind of term, and how pieces are set beside each other."""

    atoms: Mapping[str, Callable[[Part], T]]
    function: Callable[[str], T]
    templates: Mapping[str, str]
    signs: Mapping[str, str]
    join: Callable[[Sequence[T | str]], T]
    calls: Mapping[str, str] = field(default_factory=dict)  # functions with a notation of their own
    fence: str = "(#1)"
    call: str = "#1(#2)"

    def fill(self, template: str, *parts: T) -> T:
        """Return a template with its parts filled in."""
        pieces = re.split(r"#(\d)", template)
        return self.join([parts[int(p) - 1] if i % 2 else p for i, p in enumerate(pieces)])

    def separated(self, separator: str, parts: Sequence[T]) -> T:
        """Return parts with a separator between them."""
        return self.join([piece for part in parts for piece in (separator, part)][1:])

    def write(self, term: Term) -> T:
        """Return a term in this notation."""
        head, parts = term.head, term.parts
        if head in self.atoms:
            return self.atoms[head](parts[0])
        if head == "call":
            arguments = [self.write(part) for part in parts[1:]]
            if parts[0] in self.calls:
                return self.fill(self.calls[parts[0]], *arguments)
            return self.fill(self.call, self.function(parts[0]), self.separated(", ", arguments))
        inner = [self.write(p) if isinstance(p, Term) else self.atoms["raw"](str(p)) for p in parts]
        if head in self.templates:
            if precedence(parts[0]) < TIGHT.get(head, 0):
                inner[0] = self.fill(self.fence, inner[0])
            return self.fill(self.templates[head], *inner)
        operands = [
            self.fill(self.fence, x) if needs_parentheses(head, part, i) else x
            for i, (x, part) in enumerate(zip(inner, parts, strict=True))
        ]
        return self.separated(self.signs[head], operands)


# ------------------------------------------------------------------------------------------------ plain text

# ASCII for the signs of an explanation.
PLAIN = {
    "∂": "d", "×": "*", "⊙": "*", "ᵀ": ".T", "→": "->", "←": "<-", "−": "-", "·": "*", "…": "...", "σ": "sigmoid",
    "⎡": "[", "⎢": "[", "⎣": "[", "⎤": "]", "⎥": "]", "⎦": "]", "≠": "!=", "≥": ">=", "≤": "<=", "─": "-", "═": "=",
    "Σ": "sum", "✓": "ok", "✗": "X", "—": "-", "–": "-", "’": "'",
}  # fmt: skip


def ascii_only(text: str) -> str:
    r"""Return text in ASCII; characters without an ASCII form become escapes.

    Examples
    --------
    >>> ascii_only("∂f/∂a × β")
    'df/da * \\u03b2'
    """
    return "".join(PLAIN.get(c, c) for c in text).encode("ascii", "backslashreplace").decode("ascii")


@dataclass(frozen=True, slots=True)
class Box:
    """Lines of text of one width, one of which is level with the neighbouring boxes."""

    lines: tuple[str, ...]
    level: int = 0

    @property
    def width(self) -> int:
        """Columns the box takes."""
        return max(map(width, self.lines))

    def __add__(self, other: Box) -> Box:
        level = max(self.level, other.level)
        below = max(len(self.lines) - self.level, len(other.lines) - other.level)
        left, right = (
            [""] * (level - b.level) + [*b.lines] + [""] * (b.level + below - len(b.lines)) for b in (self, other)
        )
        space = self.width
        return Box(tuple(a + " " * (space - width(a)) + b for a, b in zip(left, right, strict=True)), level)


def joined(pieces: Sequence[Box | str]) -> Box:
    """Set boxes and texts side by side."""
    whole = Box(("",))
    for piece in pieces:
        if piece == "ᵀ":  # at the top of its operand
            whole += Box(("ᵀ", *[""] * (len(whole.lines) - 1)), whole.level)
        else:
            whole += Box((piece,)) if isinstance(piece, str) else piece
    return whole


def array_box(array: Array) -> Box:
    """Return an array in brackets with its columns aligned; a large one as its shape."""
    if not is_written_out(array):
        return Box((shortened(array),))
    rows = rows_of(array)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    if len(lines) == 1:
        return Box((f"[ {lines[0]} ]" if array.ndim == 2 else f"[{lines[0]}]",))
    brackets = ["⎡⎤", *["⎢⎥"] * (len(lines) - 2), "⎣⎦"]
    return Box(tuple(f"{b[0]} {line} {b[1]}" for b, line in zip(brackets, lines, strict=True)), (len(lines) - 1) // 2)


def text_box(text: object) -> Box:
    """Return one line of text as a box."""
    return Box((str(text),))


TEXT = Notation(
    atoms={
        "name": text_box,
        "raw": text_box,
        "number": lambda x: text_box(format_number(x, DIGITS)),
        "array": array_box,
    },
    function=text_box,
    templates={"d": "d#1/d#2", "partial": "∂#1/∂#2", "neg": "-#1", "transpose": "#1ᵀ", "index": "#1[#2]"}
    | {head: f"[#1 {head} #2]" for head in COMPARISONS},
    signs={head: f" {head} " for head in "=+-*/@"} | {"times": " × ", "odot": " ⊙ ", "**": "**"},
    join=joined,
)


def box(term: Term) -> Box:
    """Return a term as lines of text.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd.explaining.typeset import Term, named, number
    >>> for line in box(Term("@", (number(np.eye(2)), named("x")))).lines:
    ...     print(line.rstrip())
    ⎡ 1  0 ⎤ @ x
    ⎣ 0  1 ⎦
    """
    return TEXT.write(term)


def flattened(term: Term) -> str:
    """Return a term on one line, with arrays by their shape.

    Examples
    --------
    >>> from autograd.explaining.typeset import Term, named, number
    >>> y = named("y")
    >>> flattened(Term("-", (number(1), Term("*", (y, y)))))
    '1 - y * y'
    """
    return FLAT.write(term).lines[0]


FLAT = replace(TEXT, atoms={**TEXT.atoms, "array": lambda array: text_box(shortened(array))})

# ----------------------------------------------------------------------------------------------------- LaTeX

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "ι": "iota", "υ": "upsilon",
}  # fmt: skip
NAME = re.compile(r"([A-Za-z]+|[α-ωΑ-Ω])(?:_?(\d+))?")  # letters, then perhaps an index
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",
    "→": r"$\to$", "×": r"$\times$", "∂": r"$\partial$", "…": r"\dots{}", "−": "$-$", "⊙": r"$\odot$", "·": r"$\cdot$",
    "—": "---", "–": "--", "`": "`", "’": "'", "\u00a0": "~", "ŷ": r"\^{y}", "ᵀ": r"\textsuperscript{T}",
}  # fmt: skip
SPECIAL |= {letter: f"$\\{word}$" for letter, word in GREEK.items()}
LATIN = re.compile(r"[\x00-\x7fÀ-ÖØ-öø-ÿ]")  # characters that pdflatex can set


def latex_text(text: str) -> str:
    r"""Return plain text as literal LaTeX, outside mathematics; a character that pdflatex lacks as its code point.

    Examples
    --------
    >>> print(latex_text("50% of a_1 & β"))
    50\% of a\_1 \& $\beta$
    >>> print(latex_text("ŷ = xWᵀ"))
    \^{y} = xW\textsuperscript{T}
    """
    return "".join(SPECIAL.get(c) or (c if LATIN.match(c) else f"[U+{ord(c):04X}]") for c in text)


def latex_name(name: str) -> str:
    """Return a name as LaTeX: Greek by its word, trailing digits as an index, several letters as one word."""
    match = NAME.fullmatch(name)
    if not match:
        return rf"\text{{{latex_text(name)}}}"
    letters, index = match[1], match[2]
    word = GREEK.get(letters, letters)
    letters = f"\\{word}" if word in GREEK.values() else letters if len(letters) == 1 else rf"\mathit{{{letters}}}"
    return f"{letters}_{{{index}}}" if index else letters


def latex_number(text: str) -> str:
    """Return a formatted number as LaTeX, with a power of ten for its exponent."""
    if text.lstrip("-") in ("nan", "inf"):
        return {"nan": r"\text{nan}", "inf": r"\infty"}.get(text, r"-\infty")
    digits, _, power = text.partition("e")
    return rf"{digits} \times 10^{{{int(power)}}}" if power else digits


def latex_array(array: Array) -> str:
    """Return a small array as a matrix, a large one as its shape."""
    if not is_written_out(array):
        return rf"\text{{{latex_text(shortened(array))}}}"
    rows = r" \\ ".join(" & ".join(map(latex_number, row)) for row in rows_of(array))
    return rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}"


def latex_function(name: str) -> str:
    """Return the name of a function as LaTeX."""
    if name in {"tanh", "sin", "cos", "tan", "log", "sinh", "cosh", "arcsin", "arccos", "arctan", "max", "min"}:
        return f"\\{name}"
    return r"\sigma" if name == "sigmoid" else rf"\operatorname{{{latex_text(name)}}}"


LATEX = Notation(
    atoms={
        "name": latex_name,
        "raw": lambda text: rf"\text{{{latex_text(text)}}}",
        "number": lambda x: latex_number(format_number(x, DIGITS)),
        "array": latex_array,
    },
    function=latex_function,
    templates={
        "d": r"\frac{\mathrm{d} #1}{\mathrm{d} #2}", "partial": r"\frac{\partial #1}{\partial #2}",
        "/": r"\frac{#1}{#2}", "neg": "-#1", "transpose": r"#1^{\top}", "index": "#1_{[#2]}", "**": "{#1}^{#2}",
        "==": r"\left[#1 = #2\right]", "!=": r"\left[#1 \ne #2\right]", ">": r"\left[#1 > #2\right]",
        ">=": r"\left[#1 \ge #2\right]", "<": r"\left[#1 < #2\right]", "<=": r"\left[#1 \le #2\right]",
    },
    signs={"=": " = ", "+": " + ", "-": " - ", "*": r" \cdot ", "@": r" \, ", "times": r" \times ", "odot": r" \odot "},
    join="".join,
    calls={"exp": "e^{#1}", "sqrt": r"\sqrt{#1}", "absolute": r"\left|#1\right|"},
    fence=r"\left(#1\right)",
    call=r"#1\left(#2\right)",
)  # fmt: skip


def latex(term: Term) -> str:
    r"""Return a term as LaTeX, for use between dollar signs.

    Examples
    --------
    >>> from autograd.explaining.typeset import Term, named, number
    >>> print(latex(Term("=", (Term("partial", (named("y"), named("w1"))), number(2.5e-6)))))
    \frac{\partial y}{\partial w_{1}} = 2.5 \times 10^{-6}
    """
    return LATEX.write(term)
