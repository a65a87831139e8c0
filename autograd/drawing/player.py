"""The interactive page: forward and backward through one graph, step by step, in a file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograd.diagnostics.messages import no_node
from autograd.explaining.expression import names_by_identity
from autograd.graph import Node, topological_order

from .player_program import operations_script, page_data
from .render import replace

__all__ = ["Page", "play"]

LIMIT = 400  # nodes: a page with more is no longer read
TEMPLATE = Path(__file__).with_name("player.html")


class Page:
    """An interactive page, as `play` returns it; a notebook shows it by itself.

    Attributes
    ----------
    html : str
        The whole page.
    path : Path or None
        Where it was written.
    """

    def __init__(self, text: str, path: Path | None, nodes: int) -> None:
        self.html = text
        self.path = path
        self._nodes = nodes

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" style="width:100%;height:720px;border:1px solid #8888" '
            'sandbox="allow-scripts" title="The chain rule, step by step"></iframe>'
        )

    def __repr__(self) -> str:
        where = f" in {str(self.path)!r}" if self.path else ""
        return f"<page of {self._nodes:,} nodes{where}>"


def play(root: Node, path: str | os.PathLike[str] | None = None, *, names: Mapping[str, Any] | None = None) -> Page:
    """Make an interactive page of the forward and the backward pass of a graph.

    It shows the graph; buttons, a slider and the arrow keys go through the operations forward and the edges
    backward, with *upstream times local is contribution* on the edge at work.  A node that is pointed at or
    focused shows its derivation.  Where all numbers are single numbers, sliders change the leaves and the page
    computes everything again; a button takes steps of gradient descent.

    Parameters
    ----------
    root : Node
        The result, of one number.
    path : str or path, optional
        The file to write; none by default.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; a list of nodes or a module in it names what it holds.

    Returns
    -------
    Page
        With `.html`; a notebook shows it by itself.

    Raises
    ------
    TypeError
        If `root` is not a node.
    RuntimeError
        If `root` holds several numbers or depends on no variable, as `backward` does.
    ValueError
        If the graph has more than 400 nodes, or the file does not end in ``.html``.
    OSError
        If the folder does not exist or cannot be written to; an old file is left as it was.

    Notes
    -----
    The page is one file: it asks for nothing, from nobody, and its content security policy forbids that it
    should.  It computes the operations themselves; their derivatives it gets from the rules of the table.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> play((a * b).tanh())
    <page of 4 nodes>
    """
    if not isinstance(root, Node):
        raise no_node("play", root)
    if path is not None and Path(path).suffix not in (".html", ".htm"):
        raise ValueError(f"a page is a file that ends in .html, not {os.fspath(path)!r}")
    count = len(topological_order(root))
    if count > LIMIT:
        raise ValueError(
            f"the graph has {count:,} nodes, and a page shows {LIMIT} at most; play a smaller part of it, or draw() it"
        )
    text = filled(page_data(root, names_by_identity(names or {})))
    target = None
    if path is not None:
        target = Path(path)
        if not target.parent.is_dir():
            raise FileNotFoundError(f"cannot write {str(target)!r}: there is no folder {str(target.parent)!r}")
        replace(target, text.encode("utf-8"))
    return Page(text, target, count)


def filled(data: dict[str, Any]) -> str:
    """Return the page around its data; nothing in a name can end the element that holds it."""
    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    template = TEMPLATE.read_text(encoding="utf-8").replace("{{operations}}", operations_script(embedded))
    before, after = template.split("{{data}}")
    script = after.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return before.replace("{{script-hash}}", f"sha256-{digest}") + embedded + after
