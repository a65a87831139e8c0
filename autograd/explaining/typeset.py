"""Terms as LaTeX, for a plain `amsmath` document, and as MathML, for a page without scripts."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from .notation import COMPARISONS, Term, array_in_full, array_in_short, needs_parentheses, numeral, numerals, precedence

__all__ = ["latex", "latex_text", "mathml"]

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "ι": "iota", "υ": "upsilon",
}  # fmt: skip
LETTERS = {word: letter for letter, word in GREEK.items()}
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",
    "→": r"$\to$", "×": r"$\times$", "∂": r"$\partial$", "…": r"\dots{}", "−": "$-$", "⊙": r"$\odot$", "·": r"$\cdot$",
    "—": "---", "–": "--", "`": "`", "’": "'",
}  # fmt: skip
LATEX_SIGNS = {
    "=": " = ", "+": " + ", "-": " - ", "*": r" \cdot ", "@": r" \, ", "times": r" \times ", "odot": r" \odot ",
}  # fmt: skip
LATEX_FUNCTIONS = {"tanh", "sin", "cos", "tan", "log", "sinh", "cosh", "arcsin", "arccos", "arctan", "max", "min"}
MATHML_SIGNS = {"*": "·", "@": "\u2062", "times": "×", "odot": "⊙", "-": "−"}


def latex_text(text: str) -> str:
    r"""Return plain text as LaTeX shows it literally, outside mathematics; what pdflatex cannot set as its code.

    Examples
    --------
    >>> print(latex_text("50% of a_1 & β"))
    50\% of a\_1 \& $\beta$
    """
    return "".join(_latex_character(c) for c in text)


def _latex_character(c: str) -> str:
    if c in SPECIAL:
        return SPECIAL[c]
    if c in GREEK:
        return f"$\\{GREEK[c]}$"
    return c if c.isascii() else f"[U+{ord(c):04X}]"


def latex_name(name: str) -> str:
    """Return a name as LaTeX: Greek by its word, trailing digits as an index, words upright."""
    match = re.fullmatch(r"([A-Za-z]+|[α-ωΑ-Ω])(?:_?(\d+))?", name)
    if not match:
        return rf"\text{{{latex_text(name)}}}"
    letters, index = match[1], match[2]
    word = GREEK.get(letters, letters)
    if word in LETTERS:
        letters = f"\\{word}"
    elif len(letters) > 1:
        letters = rf"\mathit{{{letters}}}"
    return f"{letters}_{{{index}}}" if index else letters


def latex_number(x: Any) -> str:
    """Return a number as LaTeX, with powers of ten written as such."""
    return latex_digits(numeral(x))


def latex_digits(text: str) -> str:
    """Return a number that is written already as LaTeX."""
    if text.lstrip("-") in ("nan", "inf"):
        return {"nan": r"\text{nan}", "inf": r"\infty"}.get(text, r"-\infty")
    digits, _, power = text.partition("e")
    return rf"{digits} \times 10^{{{int(power)}}}" if power else digits


def latex_array(array: Any) -> str:
    """Return a small array as a matrix, a large one as its shape."""
    if not array_in_full(array):
        return rf"\text{{{latex_text(array_in_short(array))}}}"
    return (
        r"\begin{bmatrix} "
        + r" \\ ".join(" & ".join(map(latex_digits, row)) for row in numerals(array))
        + r" \end{bmatrix}"
    )


def latex(term: Term) -> str:
    r"""Return a term as LaTeX, to stand between dollar signs.

    Examples
    --------
    >>> from autograd.explaining.notation import Term, named, number
    >>> print(latex(Term("=", (Term("partial", (named("y"), named("w1"))), number(2.5e-6)))))
    \frac{\partial y}{\partial w_{1}} = 2.5 \times 10^{-6}
    """
    head, parts = term.head, term.parts
    if head in LATEX_ATOMS:
        return LATEX_ATOMS[head](parts[0])
    inner = [latex(p) if isinstance(p, Term) else rf"\text{{{latex_text(str(p))}}}" for p in parts]
    if head in ("d", "partial"):
        sign = r"\mathrm{d}" if head == "d" else r"\partial"
        return rf"\frac{{{sign} {inner[0]}}}{{{sign} {inner[1]}}}"
    if head == "/":
        return rf"\frac{{{inner[0]}}}{{{inner[1]}}}"
    if head == "call":
        return _latex_call(parts[0], inner[1:])
    tight = precedence(parts[0]) >= 99
    if head == "neg":
        return f"-{inner[0]}" if precedence(parts[0]) >= 20 else rf"-\left({inner[0]}\right)"
    if head in ("transpose", "index", "**"):
        base = inner[0] if tight else rf"\left({inner[0]}\right)"
        if head == "index":
            return rf"{base}_{{[{inner[1]}]}}"
        return rf"{base}^{{\top}}" if head == "transpose" else f"{{{base}}}^{{{inner[1]}}}"
    if head in COMPARISONS:
        sign = {"≠": r"\ne", "≥": r"\ge", "≤": r"\le"}.get(COMPARISONS[head], COMPARISONS[head])
        return rf"\left[{inner[0]} {sign} {inner[1]}\right]"
    return LATEX_SIGNS[head].join(
        rf"\left({text}\right)" if needs_parentheses(head, part, i) else text
        for i, (text, part) in enumerate(zip(inner, parts, strict=True))
    )


LATEX_ATOMS: dict[str, Callable[[Any], str]] = {
    "name": latex_name,
    "raw": lambda text: rf"\text{{{latex_text(text)}}}",
    "number": latex_number,
    "array": latex_array,
}


def _latex_call(function: str, arguments: list[str]) -> str:
    if function == "exp":
        return f"e^{{{arguments[0]}}}"
    if function == "sqrt":
        return rf"\sqrt{{{arguments[0]}}}"
    if function == "absolute":
        return rf"\left|{arguments[0]}\right|"
    name = (
        f"\\{function}"
        if function in LATEX_FUNCTIONS
        else r"\sigma"
        if function == "sigmoid"
        else rf"\operatorname{{{latex_text(function)}}}"
    )
    return rf"{name}\left({', '.join(arguments)}\right)"


# ---------------------------------------------------------------------------------------------------- MathML


def element(tag: str, *children: str, **attributes: str) -> str:
    """Return an element around children that are markup already."""
    given = "".join(f' {k}="{html.escape(v)}"' for k, v in attributes.items())
    return f"<{tag}{given}>{''.join(children)}</{tag}>"


def leaf_of(tag: str, text: str) -> str:
    """Return an element around plain text."""
    return element(tag, html.escape(text))


def mathml(term: Term, *, display: bool = False) -> str:
    """Return a term as a MathML element, which browsers show without a script.

    Examples
    --------
    >>> from autograd.explaining.notation import named
    >>> mathml(named("x1"))
    '<math><msub><mi>x</mi><mn>1</mn></msub></math>'
    """
    return element("math", inner_mathml(term), **({"display": "block"} if display else {}))


def inner_mathml(term: Term) -> str:
    """Return a term as MathML inside a `math` element."""
    head, parts = term.head, term.parts
    if head in MATHML_ATOMS:
        return MATHML_ATOMS[head](parts[0])
    inner = [inner_mathml(p) if isinstance(p, Term) else leaf_of("mtext", str(p)) for p in parts]
    if head in ("d", "partial"):
        sign = leaf_of("mi", "d" if head == "d" else "∂")
        return element("mfrac", element("mrow", sign, inner[0]), element("mrow", sign, inner[1]))
    if head == "/":
        return element("mfrac", inner[0], inner[1])
    if head == "call":
        return _mathml_call(parts[0], inner[1:])
    if head == "neg":
        bare = precedence(parts[0]) >= 20
        return element("mrow", leaf_of("mo", "−"), inner[0] if bare else fenced(inner[0]))
    if head in ("transpose", "index", "**"):
        base = inner[0] if precedence(parts[0]) >= 99 else fenced(inner[0])
        if head == "index":
            return element("msub", base, element("mrow", leaf_of("mo", "["), inner[1], leaf_of("mo", "]")))
        return element("msup", base, leaf_of("mi", "⊤") if head == "transpose" else inner[1])
    if head in COMPARISONS:
        return fenced(element("mrow", inner[0], leaf_of("mo", COMPARISONS[head]), inner[1]), "[", "]")
    sign = leaf_of("mo", MATHML_SIGNS.get(head, head))
    operands = [
        fenced(text) if needs_parentheses(head, part, i) else text
        for i, (text, part) in enumerate(zip(inner, parts, strict=True))
    ]
    return element("mrow", sign.join(operands))


def fenced(inner: str, left: str = "(", right: str = ")") -> str:
    """Return markup in brackets."""
    tight = {"lspace": "0", "rspace": "0"}
    return element("mrow", element("mo", left, **tight), inner, element("mo", right, **tight))


def mathml_name(name: str) -> str:
    """Return a name; trailing digits become an index, Greek words letters."""
    match = re.fullmatch(r"([A-Za-z]+|[α-ωΑ-Ω])_?(\d+)", name)
    if not match:
        return leaf_of("mi", LETTERS.get(name, name))
    return element("msub", leaf_of("mi", LETTERS.get(match[1], match[1])), leaf_of("mn", match[2]))


def mathml_number(x: Any) -> str:
    """Return a number; a minus sign and a power of ten are set as such."""
    return mathml_digits(numeral(x))


def mathml_digits(text: str) -> str:
    """Return a number that is written already as MathML."""
    if text.lstrip("-") in ("nan", "inf"):
        return leaf_of("mi", {"nan": "nan", "inf": "∞"}.get(text, "−∞"))
    digits, _, power = text.partition("e")
    mantissa = leaf_of("mn", digits.replace("-", "−"))
    if not power:
        return mantissa
    ten = element("msup", leaf_of("mn", "10"), leaf_of("mn", str(int(power)).replace("-", "−")))
    return element("mrow", mantissa, leaf_of("mo", "×"), ten)


def mathml_array(array: Any) -> str:
    """Return a small array as a matrix, a large one as its shape."""
    if not array_in_full(array):
        return leaf_of("mtext", array_in_short(array))
    cells = (element("mtr", *(element("mtd", mathml_digits(x)) for x in row)) for row in numerals(array))
    return fenced(element("mtable", *cells), "[", "]")


MATHML_ATOMS: dict[str, Callable[[Any], str]] = {
    "name": mathml_name,
    "raw": lambda text: leaf_of("mtext", text),
    "number": mathml_number,
    "array": mathml_array,
}


def _mathml_call(function: str, arguments: list[str]) -> str:
    if function == "exp":
        return element("msup", leaf_of("mi", "e"), element("mrow", arguments[0]))
    if function == "sqrt":
        return element("msqrt", arguments[0])
    if function == "absolute":
        return fenced(arguments[0], "|", "|")
    name = leaf_of("mi", "σ" if function == "sigmoid" else function)
    return element("mrow", name, fenced(leaf_of("mo", ",").join(arguments)))
