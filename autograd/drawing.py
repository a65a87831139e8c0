"""A computation graph as a picture: a box for every variable, an oval for every operation.

`draw` is all a reader needs; `picture` writes the DOT text, `render` makes an image of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .graph import Node
from .picture import THEMES, Picture, Snapshot
from .render import TIMEOUT, RenderError, render, save

__all__ = ["Drawing", "draw"]

DIRECTIONS = ("LR", "TB", "RL", "BT")
LIMIT = 500  # nodes: a layout of 300 takes about 0.1 s, of 500 half a second, of 3,000 more than a minute


class Drawing:
    """A picture of a graph, as `draw` returns it; a notebook shows it by itself.

    Attributes
    ----------
    source : str
        The picture in the DOT language, the same for the same graph every time.
    message : str
        What was left out and how to see it; empty if all is there.
    """

    def __init__(self, source: str, message: str, nodes: int) -> None:
        self.source = source
        self.message = message
        self._nodes = nodes

    def svg(self) -> str:
        """Return the picture as SVG text.

        Raises
        ------
        RenderError
            If no drawing engine is installed; the message says which to install.
        """
        return render(self.source, "svg").decode("utf-8")

    def save(self, path: str | os.PathLike[str], *, timeout: float = TIMEOUT) -> Path:
        """Write the picture to a file and return its path; the suffix chooses the format.

        Parameters
        ----------
        path : str or path
            Ends in ``.svg``, ``.png``, ``.pdf`` (needs Graphviz) or ``.dot``.
        timeout : float
            Seconds after which the layout is given up.

        Raises
        ------
        ValueError
            If the suffix is another.
        OSError
            If the folder does not exist or cannot be written to; an old file is left as it was.
        RenderError
            If the picture cannot be drawn; the DOT text is written beside it.

        Examples
        --------
        >>> import tempfile
        >>> from autograd import Value
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(Value(2.0) * 3.0).save(f"{folder}/product.dot").name
        'product.dot'
        """
        return save(self.source, path, timeout=timeout)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the picture for a notebook, and text for where it cannot be drawn."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle["image/svg+xml"] = self.svg()
        except RenderError as error:
            bundle["text/plain"] += f"\n{error}"
        return bundle

    def __repr__(self) -> str:
        return f"<drawing of {self._nodes:,} nodes{': ' if self.message else ''}{self.message}>"


def draw(
    root: Node | Sequence[Node],
    *,
    values: bool = True,
    gradients: bool = True,
    direction: str = "LR",
    theme: str = "light",
    names: Mapping[str, Any] | None = None,
    limit: int | None = LIMIT,
    depth: int | None = None,
) -> Drawing:
    """Draw the computation that led to a node.

    Every variable is a box with its name, its number or shape, and its gradient where there is one.  Every
    operation is an oval, which its operands enter in the order in which they were written; constants are
    small text.  Blue boxes are leaves that take gradients, grey ones are data, the amber one is the result.

    Parameters
    ----------
    root : Node or sequence of Node
        The result, or several.
    values, gradients : bool
        Whether to show the numbers, and the gradients of the last `backward`.
    direction : {'LR', 'TB', 'RL', 'BT'}
        From left to right, from top to bottom, or the other way.
    theme : {'light', 'dark', 'print'}
        The colours; ``'print'`` needs none.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; a list of nodes or a module in it names what it holds.
    limit : int, optional
        A larger graph is folded: only this many nodes are drawn, the nearest to the result.  None draws all.
    depth : int, optional
        Draw nothing more than this many operations away from the result.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`; a notebook shows it by itself.

    Raises
    ------
    TypeError
        If `root` is not a node.
    ValueError
        If an option is not one of those above, or the graph is not acyclic.

    Examples
    --------
    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> picture = draw((a * b).tanh(), names={"a": a, "b": b})
    >>> picture
    <drawing of 4 nodes>
    >>> "label=tanh" in picture.source
    True
    """
    roots = [root] if isinstance(root, Node) else list(root) if isinstance(root, Iterable) else []
    if not roots or not all(isinstance(node, Node) for node in roots):
        raise TypeError(f"draw takes a Value or Tensor, or a list of them, not {root!r:.60}")
    if direction not in DIRECTIONS:
        raise ValueError(f"there is no direction {direction!r}; choose one of {', '.join(DIRECTIONS)}")
    if theme not in THEMES:
        raise ValueError(f"there is no theme {theme!r}; choose one of {', '.join(THEMES)}")
    for option, given in (("limit", limit), ("depth", depth)):
        if given is not None and given < 1:
            raise ValueError(f"{option} must be at least 1, or None for no {option}; it is {given}")
    graph = Snapshot(roots)
    shown = graph.nearest(limit, depth)
    message = ""
    if hidden := len(graph.nodes) - len(shown):
        message = (
            f"{hidden:,} of {len(graph.nodes):,} nodes are not shown; "
            "draw(..., limit=None, depth=None) shows all of them"
        )
    picture = Picture(graph, THEMES[theme], direction, values, gradients, named(names or {}))
    return Drawing(picture.source(shown, message), message, len(graph.nodes))


def named(names: Mapping[str, Any]) -> dict[int, str]:
    """Return names by the identity of the node, also of those in lists and modules; the first one wins."""
    found: dict[int, str] = {}
    for name, thing in list(names.items()):
        if name.startswith("_"):  # a notebook keeps its history in _, _1, __ ...
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
