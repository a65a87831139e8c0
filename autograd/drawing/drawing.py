"""A computation graph as a picture: a box for every variable, an oval for every operation.

`draw` is all a reader needs; `picture` writes the DOT text, `render` makes an image of it.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograd.explaining.expression import names_by_identity
from autograd.explaining.labels import number
from autograd.graph import Node
from autograd.groups import Group, Recorder, recorded

from .annotations import Annotations, on_the_way
from .clusters import Plan
from .picture import Picture, Settings
from .render import TIMEOUT, RenderError, render, save
from .snapshot import Snapshot, nearest
from .themes import theme_named

__all__ = ["Drawing", "draw"]

DIRECTIONS = ("LR", "TB", "RL", "BT")
ZOOMS = ("layers", "tensors", "scalars")
LIMIT = 500  # nodes: a layout of 300 takes about 0.1 s, of 500 half a second, of 3,000 more than a minute
DEEPEST = 24  # operations: of a large graph no longer strip is shown than a reader follows


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
    root: Any,
    *inputs: Any,
    values: bool = True,
    gradients: bool = True,
    partials: bool = False,
    formulas: bool = False,
    path: Node | Sequence[Node] | None = None,
    color: str = "kind",
    direction: str = "LR",
    theme: str = "light",
    names: Mapping[str, Any] | None = None,
    limit: int | None = LIMIT,
    depth: int | None = None,
    zoom: str | None = None,
    expand: bool | int | str | Sequence[str] | None = None,
    loss: Callable[[Any], Any] | None = None,
) -> Drawing:
    """Draw the computation that led to a node, or that a model does.

    Every variable is a box with its name, its number or shape, and its gradient where there is one.  Every
    operation is an oval, which its operands enter in the order in which they were written; constants are
    small text.  Blue boxes are leaves that take gradients, grey ones are data, the amber one is the result.
    The parts of a model are frames, or violet boxes; what is repeated is drawn once, in a dashed frame.

    Parameters
    ----------
    root : Node, sequence of Node, or model
        The result, or several; or what is called on the inputs to make them.
    *inputs
        What a model is called on.
    values, gradients : bool
        Whether to show the numbers, and the gradients of the last `backward`.
    partials : bool
        Write on every arrow into an operation the derivative of the operation by that operand.
    formulas : bool
        Write into every box what it computes, and with `partials` the derivatives' formulas too.
    path : Node or sequence of Node, optional
        Highlight every way from these nodes to the result.
    color : {'kind', 'gradient'}
        Fill the boxes by what they are, or by the magnitude of the derivative of the result.
    direction : {'LR', 'TB', 'RL', 'BT'}
        From left to right, from top to bottom, or the other way.
    theme : {'light', 'dark', 'print'}
        The colours; ``'print'`` needs none.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``; a list of nodes or a module in it names what it holds.
    limit : int, optional
        A larger graph is folded: repetitions are drawn once, and at most this many boxes, the nearest to the
        result.  None draws all.
    depth : int, optional
        Draw nothing more than this many operations away from the result.
    zoom : {'layers', 'tensors', 'scalars'}, optional
        Of a model: its innermost parts as boxes (the default), every array operation, or every single number.
    expand : int, str, sequence of str or bool, optional
        Of a model: how many levels of parts are opened, or the paths of parts that are opened besides (``*`` stands
        for anything); True opens everything, repetitions too.
    loss : callable, optional
        Of a model: applied to its output; the gradients shown are those of the result, and no `.grad` changes.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`; a notebook shows it by itself.

    Raises
    ------
    TypeError
        If `root` is neither a node nor a model.
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
    check_options(direction=direction, color=color, zoom=zoom, limit=limit, depth=depth)
    look = Settings(theme_named(theme), direction, values, gradients, partials, formulas, color == "gradient")
    roots, recorder = run(root, inputs, zoom, loss)
    graph = Snapshot(roots)
    stand = {key: id(nodes[0]) for key, nodes in recorder.stands_for.items() if len(nodes) == 1}
    look.names = {stand.get(key, key): name for key, name in names_by_identity(names or {}).items()}
    notes = Annotations(graph, look.names)
    grouped = bool(recorder.group_of)
    if loss is not None or (grouped and sum(np.size(node._data) for node in roots) == 1):
        look.grads = notes.gradients
    elif zoom == "scalars":
        look.grads = {}
    look.way = way(graph, path, recorder)
    look.fills = {k: look.theme.data for node in recorder.inputs if (k := graph.position.get(id(node))) is not None}
    large = limit is not None and len(graph.nodes) > limit
    repeats = expand is not True and (large or (grouped and zoom != "scalars"))
    plan = Plan(graph, recorder.group_of, opener(recorder, zoom, expand), repeats)
    shown = nearest(plan.order, plan.parents, limit, depth, DEEPEST)
    message = said(plan, shown, silent=grouped and not (large and zoom == "scalars"))
    under = f"fill: magnitude of the gradient, at most {number(notes.largest)}" if look.shaded else ""
    source = Picture(plan, look, notes).source(shown, "\n".join(filter(None, (under, message))))
    return Drawing(source, message, len(graph.nodes))


def check_options(*, direction: str, color: str, zoom: str | None, limit: int | None, depth: int | None) -> None:
    """Raise ValueError for an option that there is not."""
    for what, given, choices in (
        ("direction", direction, DIRECTIONS),
        ("color", color, ("kind", "gradient")),
        ("zoom", zoom or "layers", ZOOMS),
    ):
        if given not in choices:
            raise ValueError(f"there is no {what} {given!r}; choose one of {', '.join(choices)}")
    for option, least in (("limit", limit), ("depth", depth)):
        if least is not None and least < 1:
            raise ValueError(f"{option} must be at least 1, or None for no {option}; it is {least}")


def run(root: Any, inputs: Sequence[Any], zoom: str | None, loss: Any) -> tuple[list[Node], Recorder]:
    """Return the results to draw, and who made what if a model was run for them."""
    roots = [root] if isinstance(root, Node) else list(root) if isinstance(root, (list, tuple)) else []
    if roots and all(isinstance(node, Node) for node in roots):
        if inputs or zoom or loss is not None:
            raise TypeError("inputs, zoom= and loss= are for draw(model, x); a computed result has none of them")
        return roots, Recorder()
    found = recorded(root, inputs, scalars=zoom == "scalars", loss=loss)
    if found is None:
        raise TypeError(
            f"draw takes a Value or Tensor, a list of them, or a model and its inputs, not {root!r:.60}; what is "
            "computed has a graph if it begins with a Value or a Tensor: draw(Value(3.0) * 2)"
        )
    if not found[0] or not all(isinstance(node, Node) for node in found[0]):
        raise TypeError(f"{type(root).__name__} made no Value or Tensor of these inputs, so there is nothing to draw")
    return found


def opener(recorder: Recorder, zoom: str | None, expand: Any) -> Callable[[Group], bool]:
    """Return whether a group is drawn as a frame with what is in it."""
    patterns = [expand] if isinstance(expand, str) else list(expand) if isinstance(expand, Iterable) else []
    with_parts = {outer for group in set(recorder.group_of.values()) for outer in ancestors(group)}

    def is_open(group: Group) -> bool:
        if expand is True:
            return True
        if isinstance(expand, int):
            return sum(1 for _ in ancestors(group)) < expand
        if zoom in ("tensors", "scalars") or group in with_parts:
            return True
        return any(fnmatch.fnmatchcase(group.path, pattern) for pattern in patterns)

    return is_open


def ancestors(group: Group) -> Iterable[Group]:
    """Yield the groups around a group."""
    while group.parent is not None:
        group = group.parent
        yield group


def way(graph: Snapshot, path: Any, recorder: Recorder) -> set[int]:
    """Return the positions of the nodes on the ways to highlight."""
    starts = [] if path is None else [path] if isinstance(path, Node) else list(path)
    starts = [stand_in for node in starts for stand_in in recorder.stands_for.get(id(node), (node,))]
    if any(id(node) not in graph.position for node in starts):
        raise ValueError("path= names a node on which the result does not depend; give a leaf, or a node on the way")
    return on_the_way(graph, starts)


def said(plan: Plan, shown: set[int], silent: bool) -> str:
    """Return how much of a graph is left out, and how to see it."""
    count = len(plan.item)
    drawn = sum(len(plan.inside(k)) for k in shown)
    hidden = sum(item not in shown for item in plan.item)
    folded = 0 if silent else count - hidden - drawn
    parts = []
    if folded:
        parts.append(f"{folded:,} of {count:,} nodes repeat what is marked ×")
    if hidden:
        parts.append(f"{hidden:,} of {count:,} nodes are not shown")
    every = "expand=True, limit=None" if any(plan.group) else "limit=None, depth=None"
    return "; ".join([*parts, f"draw(..., {every}) shows all of them"]) if parts else ""
