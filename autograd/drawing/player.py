"""`play`: a self-contained interactive page of the forward and backward pass through one graph."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Mapping
from pathlib import Path

from autograd.explaining.formula import names_by_identity
from autograd.graph import Node, topological_order
from autograd.messages import not_a_node
from autograd.typing import Json

from .player_program import operations_script, page_data
from .render import target_path, write_atomically

__all__ = ["Page", "play"]

LIMIT = 400  # nodes; a page of more would be unreadable
TEMPLATE = Path(__file__).with_name("player.html")


class Page:
    """An interactive page, the result of `play`; notebooks display it.

    Attributes
    ----------
    html : str
        The whole page.
    path : Path or None
        The file it was written to.
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


def play(root: Node, path: str | os.PathLike[str] | None = None, *, names: Mapping[str, object] | None = None) -> Page:
    """Create an interactive page of the forward and the backward pass of a graph.

    Buttons, a slider and the arrow keys step through the operations of the forward pass and the edges of the backward
    pass; the current edge is labelled with *upstream times local equals contribution*.  A node under the pointer or
    with the focus shows its derivation.  In a graph of scalars, sliders change the leaves, the page recomputes
    everything, and a button takes steps of gradient descent.

    Parameters
    ----------
    root : Node
        The result, of one element.
    path : str or path, optional
        The file to write; none by default.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; lists of nodes and modules give names to the nodes in them.

    Returns
    -------
    Page
        With `.html`; notebooks display it.

    Raises
    ------
    TypeError
        If `root` is not a node.
    RuntimeError
        If `root` has several elements or does not depend on a variable, as in `backward`.
    ValueError
        If the graph has more than 400 nodes, or the file does not end in ``.html``.
    OSError
        If the folder does not exist or cannot be written to; an existing file is then unchanged.

    Notes
    -----
    The page is one file without external resources; its content security policy blocks all requests.  It implements
    the operations; the derivatives are generated from the rules of the table.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> play((a * b).tanh())
    <page of 4 nodes>
    """
    if not isinstance(root, Node):
        raise not_a_node("play", root)
    target = None if path is None else target_path(path, ("html", "htm"))
    count = len(topological_order(root))
    if count > LIMIT:
        raise ValueError(
            f"the graph has {count:,} nodes, and a page can show {LIMIT} at most; play a part of it, or use draw()"
        )
    text = filled(page_data(root, names_by_identity(names or {})))
    if target is not None:
        write_atomically(target, text.encode("utf-8"))
    return Page(text, target, count)


def filled(data: dict[str, Json]) -> str:
    """Return the template with the data, escaped so that a name cannot close the script element."""
    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    template = TEMPLATE.read_text(encoding="utf-8").replace("{{operations}}", operations_script(embedded))
    before, after = template.split("{{data}}")
    script = after.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return before.replace("{{script-hash}}", f"sha256-{digest}") + embedded + after
