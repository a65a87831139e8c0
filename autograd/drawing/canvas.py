"""Boxes, ovals, arrows and nested frames in the DOT language, through the package graphviz; nothing of graphs.

Every name is our own (``n0, n1, ...``) and every label goes through `escaped`, so that no text can become more than
text.  The same calls give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphviz

from autograd.explaining.labels import cut, escaped

from .themes import Theme

__all__ = ["Canvas"]

MANY = 300  # boxes: of more, the layout is made in fewer rounds, which is much faster and looks the same
Line = tuple[str, str, dict[str, str]]


class Canvas:
    """A picture in the making.

    Parameters
    ----------
    name : str
        A word of ours for the graph.
    theme : Theme
        Its colours.
    direction : {'LR', 'TB', 'RL', 'BT'}
        Where the arrows go.
    **attributes
        Of the graph, in DOT, instead of the usual ones.
    """

    def __init__(self, name: str, theme: Theme, direction: str = "LR", **attributes: str) -> None:
        self.theme = theme
        self.stacked: bool = direction in ("LR", "RL")  # there, the fields of a record lie above each other
        self.count: int = 0
        self.boxes: dict[int | None, list[Line]] = {None: []}
        self.frames: dict[int | None, list[tuple[int, str, bool]]] = {None: []}
        self.rows: list[list[str]] = []  # names that stand in one row, in this order
        self.dot: Any = graphviz.Digraph(
            name,
            graph_attr={
                "rankdir": direction,
                "bgcolor": theme.background,
                "nodesep": "0.22",
                "ranksep": "0.32",
                "pad": "0.2",
                "fontname": "Helvetica",
                "fontsize": "11",
                "fontcolor": theme.faint,
                **attributes,
            },
            node_attr={
                "shape": "record",
                "style": "filled,rounded",
                "fontname": "Helvetica",
                "fontsize": "11",
                "fontcolor": theme.ink,
                "height": "0.3",
                "margin": "0.14,0.05",
            },
            edge_attr={
                "color": theme.faint,
                "arrowsize": "0.6",
                "penwidth": "0.9",
                "fontname": "Helvetica",
                "fontsize": "9",
                "fontcolor": theme.ink,
            },
        )
        self.edges: list[tuple[str, str, dict[str, str]]] = []

    def source(self, message: str = "") -> str:
        """Return the DOT text, with a message under the picture."""
        if self.count > MANY:
            self.dot.graph_attr["nslimit"] = "2"
        if self.frames[None]:  # the older way to rank frames fails on some graphs, with or without `ordering`
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

    def _emit(self, dot: Any, frame: int | None, depth: int) -> None:
        for name, label, attributes in self.boxes[frame]:
            dot.node(name, graphviz.nohtml(label), **attributes)
        for number, label, dashed in self.frames[frame]:
            looks = {"style": "rounded,dashed" if dashed else "rounded,filled", "color": self.theme.data[1]}
            looks |= {"fillcolor": self.theme.clusters[depth % 2], "labeljust": "l", "fontcolor": self.theme.faint}
            with dot.subgraph(name=f"cluster_{number}", graph_attr=looks | {"penwidth": "0.9", "margin": "9"}) as inner:
                inner.attr(label=graphviz.nohtml(escaped(cut(label))))
                self._emit(inner, number, depth + (not dashed))

    def frame(self, label: str, around: int | None = None, dashed: bool = False) -> int:
        """Add a frame, inside another one or not, and return its number."""
        number = len(self.boxes) - 1
        self.boxes[number], self.frames[number] = [], []
        self.frames[around].append((number, label, dashed))
        return number

    def edge(self, tail: str, head: str, text: str = "", **attributes: str) -> None:
        """Add an arrow between two names that the methods below returned."""
        if text:
            padding = "" if self.stacked else "  "  # beside an arrow that goes down, not on it
            attributes["label"] = graphviz.nohtml(padding + escaped(text) + padding[1:])
        self.edges.append((tail, head, attributes))

    def add(self, label: str, frame: int | None = None, **attributes: str) -> str:
        """Add a box whose label is DOT-escaped already, under a name of our own."""
        name = f"n{self.count}"
        self.count += 1
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
        """Add a box that stands for what is not shown."""
        looks = {"color": self.theme.faint, "fontcolor": self.theme.faint}
        return self.add(escaped(text), frame, shape="box", style="dashed,rounded", **looks)
