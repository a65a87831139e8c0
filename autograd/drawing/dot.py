"""Write boxes, ovals, arrows and nested frames in the DOT language, through the package graphviz.

Names in the text are our own (``n0, n1, ...``) and every label is escaped, so that a label cannot become markup.
The same calls give the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import graphviz

from autograd.explaining.formatting import cut, visible

from .render import FONT
from .themes import Theme

FOREIGN = 4  # characters that are not ASCII, for which the margin suffices
MANY = 300  # boxes; the layout of more uses fewer iterations, which is much faster and looks the same
GRAPH = {
    "nodesep": "0.22", "ranksep": "0.32", "pad": "0.2", "fontname": FONT, "fontsize": "10",
}  # fmt: skip
NODE = {
    "shape": "record", "style": "filled,rounded", "fontname": FONT, "fontsize": "10", "height": "0.3",
    "margin": "0.14,0.05",
}  # fmt: skip
WIDER = 0.011  # inches; the engine reserves a space per byte for a character that is not ASCII, which can be too little
EDGE = {"arrowsize": "0.6", "penwidth": "0.9", "fontname": FONT, "fontsize": "9"}


def escaped(text: str, *, record: bool = False) -> str:
    r"""Return `text` as literal DOT, for a plain label or for one field of a record.

    Parameters
    ----------
    text : str
        Any text; a line break is kept, other control characters become U+FFFD.
    record : bool
        Also escape the characters that separate the fields of a record.

    Notes
    -----
    The package graphviz quotes the result.  `dot` decodes entities, so ``&`` is replaced by one; it expands ``\N`` and
    the like, so a backslash is doubled; a record is split at ``{ } | < >`` and loses spaces, so these are escaped.

    Examples
    --------
    >>> print(escaped(r"x & \N"))
    x &amp; \\N
    >>> print(escaped("{a|b}", record=True))
    \{a\|b\}
    """
    text = "".join(map(visible, text.strip())).replace("&", "&amp;").replace("\\", "\\\\")
    if record:
        for special in "{}|<> ":
            text = text.replace(special, "\\" + special)
    # An empty line corrupts the memory of the embedded Graphviz: the second graph after it fails, or worse.
    return "\\n".join(line for line in text.split("\n") if line)


class DotGraph:
    """A graph to be written as DOT.

    Parameters
    ----------
    name : str
        Name of the graph in the text.
    theme : Theme
        Its colours.
    direction : {'LR', 'TB', 'RL', 'BT'}
        Direction of the arrows.
    **attributes
        DOT attributes of the graph that replace the default ones.
    """

    def __init__(self, name: str, theme: Theme, direction: str = "LR", **attributes: str) -> None:
        self.theme = theme
        self.stacked: bool = direction in ("LR", "RL")  # fields of a record are then above each other
        self.count: int = 0
        self.boxes: dict[int | None, list[tuple[str, str, dict[str, str]]]] = {None: []}
        self.frames: dict[int | None, list[tuple[int, str, bool]]] = {None: []}
        self.rows: list[list[str]] = []  # names on one rank, in this order
        self.edges: list[tuple[str, str, dict[str, str]]] = []
        graph = {"rankdir": direction, "bgcolor": theme.background, **GRAPH, "fontcolor": theme.faint, **attributes}
        edge = {"color": theme.faint, **EDGE, "fontcolor": theme.ink}
        self.dot: graphviz.Digraph = graphviz.Digraph(
            name, graph_attr=graph, node_attr={**NODE, "fontcolor": theme.ink}, edge_attr=edge
        )

    def source(self, message: str = "") -> str:
        """Return the DOT text, with a message below the drawing."""
        if self.count > MANY:
            self.dot.graph_attr["nslimit"] = "2"
        if self.frames[None]:  # the default ranking of frames fails on some graphs, with or without `ordering`
            self.dot.graph_attr["newrank"] = "true"
        self._emit(self.dot, None, 0)
        for tail, head, attributes in self.edges:
            self.dot.edge(tail, head, **attributes)
        for names in self.rows:
            with self.dot.subgraph(graph_attr={"rank": "same"}) as row:
                for name in names:
                    row.node(name)
        if message:
            self.dot.attr(label=graphviz.nohtml(escaped(message)), labelloc="b")
        return str(self.dot.source)

    def _emit(self, dot: graphviz.Digraph, frame: int | None, depth: int) -> None:
        for name, label, attributes in self.boxes[frame]:
            dot.node(name, graphviz.nohtml(label), **attributes)
        for number, label, dashed in self.frames[frame]:
            looks = {"style": "rounded,dashed" if dashed else "rounded,filled", "color": self.theme.data[1]}
            looks |= {"fillcolor": self.theme.frames[depth % 2], "labeljust": "l", "fontcolor": self.theme.faint}
            with dot.subgraph(name=f"cluster_{number}", graph_attr=looks | {"penwidth": "0.9", "margin": "9"}) as inner:
                inner.attr(label=graphviz.nohtml(escaped(cut(label))))
                self._emit(inner, number, depth + (not dashed))

    def frame(self, label: str, around: int | None = None, dashed: bool = False) -> int:
        """Add a frame, perhaps inside the frame `around`, and return its number."""
        number = len(self.boxes) - 1
        self.boxes[number], self.frames[number] = [], []
        self.frames[around].append((number, label, dashed))
        return number

    def edge(self, tail: str, head: str, text: str = "", **attributes: str) -> None:
        """Add an arrow between two boxes, given by their names."""
        if text:
            padding = "" if self.stacked else "  "  # so that the label is beside a vertical arrow, not on it
            attributes["label"] = graphviz.nohtml(padding + escaped(text) + padding[1:])
        self.edges.append((tail, head, attributes))

    def add(self, label: str, frame: int | None = None, **attributes: str) -> str:
        """Add a box whose label is escaped already, and return its name."""
        name = f"n{self.count}"
        self.count += 1
        foreign = max(sum(not c.isascii() for c in line) for line in re.split(r"\\n|\|", label))
        if foreign > FOREIGN and "margin" not in attributes:
            attributes["margin"] = f"{0.14 + WIDER * foreign:.3f},0.05"
        self.boxes[frame].append((name, label, attributes))
        return name

    def record(self, rows: Sequence[str], frame: int | None = None, **attributes: str) -> str:
        """Add a box with a field for each row."""
        label = "|".join(escaped(row, record=True) for row in rows)
        return self.add(label if self.stacked else f"{{{label}}}", frame, **attributes)

    def oval(self, text: str, frame: int | None = None, **attributes: str) -> str:
        """Add an oval."""
        return self.add(escaped(text), frame, shape="ellipse", style="filled", margin="0.04,0.02", **attributes)

    def small(self, text: str, frame: int | None = None) -> str:
        """Add small text without a box."""
        small = {"fontsize": "9", "height": "0.1", "width": "0.1", "margin": "0.03", "fontcolor": self.theme.faint}
        return self.add(escaped(text), frame, shape="plaintext", style="", **small)

    def dashed(self, text: str, frame: int | None = None) -> str:
        """Add a dashed box for nodes that are not shown."""
        looks = {"color": self.theme.faint, "fontcolor": self.theme.faint}
        return self.add(escaped(text), frame, shape="box", style="dashed,rounded", **looks)
