"""The chain rule on a recorded graph, worked out like a page of a textbook."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from autograd.diagnostics.messages import no_node
from autograd.graph import Node

from .boxes import ascii_only
from .derivation import Derivation
from .document import Document
from .expression import names_by_identity
from .narrative import Narrative

__all__ = ["Explanation", "explain"]

LIMIT = 40  # operations that are shown one by one

COLOURS = {"title": "1", "result": "32", "faint": "2"}


class Explanation:
    """An explanation, as `explain` returns it: printing it prints text, a notebook shows it with its formulas.

    Attributes
    ----------
    text : str
        Plain text, aligned for a fixed width.
    markdown : str
        Markdown with mathematics between dollar signs.
    latex : str
        LaTeX for the body of a document that uses `amsmath`.
    html : str
        A piece of HTML with its mathematics as MathML; no script, nothing loaded.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.text: str = document.text()

    @property
    def markdown(self) -> str:
        """Markdown with mathematics between dollar signs."""
        return self._document.markdown()

    @property
    def latex(self) -> str:
        """LaTeX for the body of a document that uses `amsmath`."""
        return self._document.latex()

    @property
    def html(self) -> str:
        """A piece of HTML with its mathematics as MathML."""
        return self._document.html()

    def show(self, file: TextIO | None = None, *, color: bool | None = None) -> None:
        """Write the text to a file or terminal.

        Parameters
        ----------
        file : text file, optional
            Standard output by default; one that takes ASCII only gets ASCII.
        color : bool, optional
            By default in colour on a terminal only, and not where the variable ``NO_COLOR`` is set.
        """
        out = sys.stdout if file is None else file
        if color is None:
            color = wants_color(out)
        text = self._document.text(_coloured) if color else self.text
        out.write(fitting(text, out) + "\n" * (not text.endswith("\n")))

    def __str__(self) -> str:
        return fitting(self.text, sys.stdout)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_latex_(self) -> str:
        return self.latex


def wants_color(out: Any) -> bool:
    """Return whether text written here may carry colours."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(getattr(out, "isatty", lambda: False)())


def fitting(text: str, out: Any) -> str:
    """Return text as this output can write it: in ASCII if it knows no more."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ascii_only(text)
    return text


def _coloured(role: str, text: str) -> str:
    return f"\x1b[{COLOURS[role]}m{text}\x1b[0m" if role in COLOURS else text


def explain(
    root: Node,
    wrt: Node | str | None = None,
    *,
    names: Mapping[str, Any] | None = None,
    limit: int | None = LIMIT,
) -> Explanation:
    r"""Explain how a gradient comes about: the forward pass, the backward pass, and why in this order.

    .. math:: \frac{dL}{dx} = \sum_{y \text{ uses } x} \frac{dL}{dy} \, \frac{\partial y}{\partial x}

    Parameters
    ----------
    root : Node
        The result, of one number.
    wrt : Node or str, optional
        Derive only the gradient of this node, or of the node of this name: as a sum over its users, and over
        its paths where these are few.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; a list of nodes or a module in it names what it holds.
    limit : int, optional
        How many operations are shown one by one; None shows all.

    Returns
    -------
    Explanation
        With `.text`, `.markdown`, `.latex` and `.html`; printing it prints the text.

    Raises
    ------
    TypeError
        If `root` is not a node.
    RuntimeError
        If `root` holds several numbers or depends on no variable, as `backward` does.
    ValueError
        If `root` does not depend on `wrt`, or `limit` is less than 1.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    >>> print(explain((a * b + c).tanh(), wrt=c, names={"a": a, "b": b, "c": c}).text)
    dL/dc for L = tanh(a * b + c)
    ═════════════════════════════
    ...
      dL/dv2 = dL/dL × ∂L/∂v2   = 1 × (1 - L * L)  = 1 × 0.00134095 = 0.00134095
      dL/dc  = dL/dv2 × ∂v2/∂c  = 0.00134095 × 1 = 0.00134095
    ...
    """
    if not isinstance(root, Node):
        raise no_node("explain", root)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None for no limit; it is {limit}")
    given = names_by_identity(names or {})
    if wrt is None:
        return Explanation(Narrative(root, given, limit).document())
    return Explanation(Derivation(root, wrt, given, limit).document())
