"""`explain`: the chain rule on a recorded graph, worked out like a page of a textbook."""

import html
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from autograd.graph import Node
from autograd.messages import not_a_node

from .blocks import Block, Paint
from .derivation import Derivation
from .formula import names_by_identity
from .typeset import ascii_only
from .walkthrough import Walkthrough

LIMIT = 40  # operations that are shown

COLOURS = {"title": "1", "result": "32", "faint": "2"}


class Explanation:
    """The result of `explain`: printing it prints plain text, and a notebook typesets its formulas.

    Attributes
    ----------
    text : str
        Plain text, aligned for a font of fixed width.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks
        self.text: str = self._painted(lambda role, text: text)

    def _painted(self, paint: Paint) -> str:
        """Return the text; `paint` is called with the role of each piece and the piece."""
        return "\n".join("\n".join(line.rstrip() for line in block._text(paint)) + "\n" for block in self.blocks)

    @property
    def markdown(self) -> str:
        """Markdown with mathematics between dollar signs."""
        return "\n".join(block._markdown() + "\n" for block in self.blocks)

    @property
    def latex(self) -> str:
        """LaTeX for the body of a document that uses `amsmath`."""
        return "\n".join(block._latex() + "\n" for block in self.blocks)

    @property
    def html(self) -> str:
        """A piece of HTML with the aligned text."""
        return f'<pre class="chain-rule" style="line-height:1.35">\n{html.escape(self.text)}</pre>'

    def show(self, file: TextIO | None = None, *, color: bool | None = None) -> None:
        """Write the text to a file or terminal.

        Parameters
        ----------
        file : text file, optional
            Standard output by default. Text is written in ASCII if the encoding of the file requires it.
        color : bool, optional
            Use colours; by default only on a terminal, unless the environment variable ``NO_COLOR`` is set.
        """
        out = sys.stdout if file is None else file
        text = self._painted(_coloured) if (wants_color(out) if color is None else color) else self.text
        out.write(for_output(text, out) + "\n" * (not text.endswith("\n")))

    def __str__(self) -> str:
        return for_output(self.text, sys.stdout)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_latex_(self) -> str:
        return self.latex


def wants_color(out: TextIO) -> bool:
    """Return whether to write colours to this output."""
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not refused and bool(getattr(out, "isatty", lambda: False)())


def for_output(text: str, out: TextIO) -> str:
    """Return text that an output can encode: unchanged if possible, otherwise in ASCII."""
    try:
        text.encode(getattr(out, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ascii_only(text)
    return text


def _coloured(role: str, text: str) -> str:
    return f"\x1b[{COLOURS[role]}m{text}\x1b[0m" if role in COLOURS else text


def explain(
    root: Node, wrt: Node | str | None = None, *, names: Mapping[str, object] | None = None, limit: int | None = LIMIT
) -> Explanation:
    r"""Explain how a gradient is computed: the forward pass, the backward pass, and the order of the nodes.

    .. math:: \frac{dL}{dx} = \sum_{y \text{ uses } x} \frac{dL}{dy} \, \frac{\partial y}{\partial x}

    Parameters
    ----------
    root : Node
        The result, of one element.
    wrt : Node or str, optional
        Derive only the gradient of this node, given as the node or its name: as a sum over its users, and over
        its paths if these are few.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; lists of nodes and modules give names to the nodes in them.
    limit : int, optional
        Maximum number of operations to show; None shows all.

    Returns
    -------
    Explanation
        Has `.text`, `.markdown`, `.latex` and `.html`; printing it prints the text.

    Raises
    ------
    TypeError
        If `root` is not a node.
    RuntimeError
        If `root` has several elements or does not depend on a variable, as in `backward`.
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
        raise not_a_node("explain", root)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None for no limit, got {limit}")
    given = names_by_identity(names or {})
    whole = Walkthrough(root, given, limit) if wrt is None else Derivation(root, wrt, given, limit)
    return Explanation(whole.blocks())
