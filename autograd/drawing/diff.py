"""`draw_diff`: two graphs side by side, with the differences in colour."""

from collections.abc import Hashable, Mapping
from difflib import SequenceMatcher

import numpy as np

from autograd.explaining.formula import names_by_identity
from autograd.graph import Node

from .draw import DEEPEST, LIMIT, Drawing, check_options
from .folding import Folding, Snapshot, nearest
from .graph_picture import Annotations, GraphPicture, Style
from .picture import Picture
from .themes import theme_named

MOST = 2000  # nodes nearest to the results that are matched by their operations, which takes quadratic time


def draw_diff(
    a: Node,
    b: Node,
    *,
    titles: tuple[str, str] = ("a", "b"),
    values: bool = True,
    gradients: bool = False,
    direction: str = "TB",
    theme: str = "light",
    names: Mapping[str, object] | None = None,
    limit: int | None = LIMIT,
) -> Drawing:
    """Draw two computations side by side, with the differences in colour.

    Nodes that only the first graph contains are red, those that only the second contains are green, and those of both
    whose values differ are amber.

    Parameters
    ----------
    a, b : Node
        The results of the two computations.
    titles : tuple of str
        Their titles.
    values, gradients : bool
        Show data, and the gradients of the last `backward`.
    direction : {'TB', 'LR', 'RL', 'BT'}
        Direction of the arrows; the graphs are arranged across it.
    theme : {'light', 'dark', 'print'}
        The colours.
    names : mapping of str to object, optional
        Names for nodes, for instance ``locals()``.
    limit : int, optional
        Maximum number of boxes of each graph; None draws all.

    Returns
    -------
    Drawing
        With `.source`, `.svg()` and `.save(path)`.

    Raises
    ------
    TypeError
        If `a` or `b` is not a node.
    ValueError
        If an option is invalid.

    Notes
    -----
    Nodes with equal subgraphs are matched first, then the longest equal sequences of operations in topological order.

    Examples
    --------
    >>> from autograd import Value
    >>> x = Value(3.0, name="x")
    >>> draw_diff(x.exp(), (x - 1).exp())
    <drawing of 5 nodes>
    """
    for node in (a, b):
        if not isinstance(node, Node):
            raise TypeError(f"draw_diff takes two Values or Tensors, got {node!r:.60}")
    check_options(direction=direction, limit=limit)
    colours, given = theme_named(theme), names_by_identity(names or {})
    graphs = Snapshot([a]), Snapshot([b])
    pairs = matched(*graphs, given)
    partners = pairs, {other: k for k, other in pairs.items()}
    picture = Picture("comparison", colours, direction, nodesep="0.3")
    hidden = 0
    # With arrows from left to right the engine stacks frames from bottom to top.
    for side in (0, 1) if direction in ("TB", "BT") else (1, 0):
        graph = graphs[side]
        fills = {}
        for k, node in enumerate(graph.nodes):
            fills[k] = colours.sides[side]
            if (partner := partners[side].get(k)) is not None:
                fills[k] = colours.inner if same_data(node, graphs[1 - side].nodes[partner]) else colours.changed
        folding = Folding(graph, {}, lambda group: True, False)
        style = Style(colours, direction, values, gradients, fills=fills)
        shown = nearest(folding.order, folding.parents, limit, None, DEEPEST)
        hidden += len(graph.nodes) - len(shown)
        GraphPicture(folding, style, Annotations(graph, given), picture).write(shown, picture.frame(titles[side]))
    message = f"{hidden:,} nodes are not shown; draw_diff(..., limit=None) shows all of them" if hidden else ""
    return Drawing(picture, message, sum(len(graph.nodes) for graph in graphs))


def matched(a: Snapshot, b: Snapshot, names: Mapping[int, str]) -> dict[int, int]:
    """Return the positions in the first graph that correspond to positions in the second."""
    known: dict[Hashable, int] = {}
    waiting: dict[int, list[int]] = {}
    for k, sign in enumerate(signatures(b, known, names)):
        waiting.setdefault(sign, []).append(k)
    pairs = {k: waiting[s].pop(0) for k, s in enumerate(signatures(a, known, names)) if waiting.get(s)}
    rest = [k for k in range(len(a.nodes)) if k not in pairs], sorted(k for row in waiting.values() for k in row)
    rest = rest[0][-MOST:], rest[1][-MOST:]
    operations = [[graph.nodes[k].op for k in part] for graph, part in zip((a, b), rest, strict=True)]
    for i, j, size in SequenceMatcher(None, operations[0], operations[1], False).get_matching_blocks():
        pairs |= {
            k: n
            for k, n in zip(rest[0][i : i + size], rest[1][j : j + size], strict=True)
            if a.nodes[k].op is not None and len(a.args[k]) == len(b.args[n])
        }
    return pairs


def signatures(graph: Snapshot, known: dict[Hashable, int], names: Mapping[int, str]) -> list[int]:
    """Return for each node an integer that is equal for nodes that were computed in the same way."""
    found: list[int] = []
    for node, args in zip(graph.nodes, graph.args, strict=True):
        if node.op is None:
            name = names.get(id(node)) or node.name
            key: tuple[Hashable, ...] = (
                ("leaf", name) if name else ("leaf", np.shape(node._value), np.asarray(node._value).tobytes())
            )
        else:
            parts = [found[graph.position[id(x)]] if isinstance(x, Node) else f"constant {x!r:.200}" for x in args]
            key = (node.op.name, str(node.params), *parts)
        found.append(known.setdefault(key, len(known)))
    return found


def same_data(node: Node, other: Node) -> bool:
    """Return whether the data of two nodes is equal up to rounding."""
    one, two = np.asarray(node._value), np.asarray(other._value)
    with np.errstate(all="ignore"):
        return one.shape == two.shape and bool(np.allclose(one, two, rtol=1e-9, atol=0.0, equal_nan=True))
