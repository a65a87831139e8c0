"""Boxes, ovals, arrows and nested frames with the colours of a theme, written in the DOT language or in Mermaid's.

Names in the text are our own (``n0, n1, ...``) and every label is escaped, so that a label cannot become markup.
The same calls give the same text.
"""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autograd.explaining.typeset import cut, format_array, format_shape, visible
from autograd.files import write_atomically
from autograd.recording import raw_data
from autograd.typing import Operand

from .render import FONT, FORMATS, TIMEOUT, RenderError, render, target_path

try:
    import graphviz
except ModuleNotFoundError:  # the command line explains and checks without it
    graphviz = None

DECADES = 4.0  # powers of ten between the lightest and the strongest colour


@dataclass(frozen=True)
class Theme:
    """The colours of a drawing, by default for a light screen: (fill, border) of boxes, (from, to) of scales."""

    background: str = "#ffffff"
    ink: str = "#1f2933"
    faint: str = "#7b8794"
    parameter: tuple[str, str] = ("#dceafb", "#3b78c2")
    data: tuple[str, str] = ("#eef1f4", "#8a97a6")
    inner: tuple[str, str] = ("#ffffff", "#b3bdc9")
    root: tuple[str, str] = ("#fff0c9", "#d08a00")
    op: tuple[str, str] = ("#e3f4e6", "#4b9b5f")
    module: tuple[str, str] = ("#ece6fa", "#7a5cc0")
    frames: tuple[str, str] = ("#f6f7f9", "#ffffff")  # fills of nested frames, alternating
    accent: str = "#cf3a2b"  # of highlights and the backward pass
    forward: str = "#2f6fb5"
    shades: tuple[str, str, str] = ("#7fb0e6", "#ffffff", "#f58b6c")  # of gradients: negative, zero, positive
    signs: tuple[str, str] = ("#cf3a2b", "#2f6fb5")  # of weights, negative and positive

    def shade(self, fraction: float) -> str:
        """Return the colour of a gradient, given as a fraction of the largest magnitude, with its sign.

        Each side of the diverging scale covers four powers of ten.

        Examples
        --------
        >>> [THEMES["print"].shade(fraction) for fraction in (-1.0, 0.0, 1.0)]
        ['#dddddd', '#ffffff', '#969696']
        """
        size = abs(fraction)
        if not size > 0:
            return self.shades[1]
        level = min(max(0.0, 1.0 + math.log10(size) / DECADES), 1.0) if size < math.inf else 1.0
        end = self.shades[2 if fraction > 0 else 0]
        pairs = ((int(self.shades[1][i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5))
        return "#" + "".join(f"{round(low + (high - low) * level):02x}" for low, high in pairs)


THEMES = {
    "light": Theme(),
    "dark": Theme(
        background="#15191f", ink="#e6eaf0", faint="#8c98a8", parameter=("#1d3a5f", "#6ea8ea"),
        data=("#2b323c", "#77859a"), inner=("#1c222a", "#566273"), root=("#54400f", "#e5b040"),
        op=("#1e4029", "#6cc084"), module=("#362a5c", "#a98bf0"), frames=("#1b2028", "#15191f"), accent="#ff7a66",
        forward="#6ea8ea", shades=("#2c62a0", "#1c222a", "#b8431f"), signs=("#ff7a66", "#6ea8ea"),
    ),
    "print": Theme(
        ink="#000000", faint="#444444", parameter=("#e4e4e4", "#000000"), data=("#ffffff", "#888888"),
        inner=("#ffffff", "#000000"), root=("#ffffff", "#000000"), op=("#ffffff", "#000000"),
        module=("#f0f0f0", "#000000"), frames=("#ffffff", "#ffffff"), accent="#000000", forward="#000000",
        shades=("#dddddd", "#ffffff", "#969696"), signs=("#9a9a9a", "#000000"),
    ),
}  # fmt: skip


DIRECTIONS = ("LR", "TB", "RL", "BT")


def chosen(option: str, given: str, choices: Iterable[str]) -> str:
    """Return the value of an option, or raise ValueError if it is not one of the choices."""
    if given not in choices:
        raise ValueError(f"{option} must be one of {', '.join(choices)}, got {given!r}")
    return given


# ------------------------------------------------------------------------------------------------------------- pictures

FOREIGN = 4  # characters that are not ASCII, for which the margin suffices
MANY = 300  # boxes; the layout of more uses fewer iterations, which is much faster and looks the same
GRAPH = {"nodesep": "0.22", "ranksep": "0.32", "pad": "0.2", "fontname": FONT, "fontsize": "10"}
NODE = {
    "shape": "record", "style": "filled,rounded", "fontname": FONT, "fontsize": "10", "height": "0.3",
    "margin": "0.14,0.05",
}  # fmt: skip
WIDER = 0.011  # inches; the engine reserves a space per byte for a character that is not ASCII, which can be too little
EDGE = {"arrowsize": "0.6", "penwidth": "0.9", "fontname": FONT, "fontsize": "10"}
OVAL = {"shape": "ellipse", "style": "filled", "margin": "0.04,0.02"}
SMALL = {"height": "0.1", "width": "0.1", "margin": "0.03", "shape": "plaintext", "style": ""}

# Brackets around the text of a box in Mermaid, by its shape.
MERMAID = {"record": '("%s")', "ellipse": '(["%s"])', "circle": '(("%s"))'}


class Box(NamedTuple):
    """A box: its name, the text of each of its fields, and its attributes in DOT."""

    name: str
    fields: Sequence[str]
    looks: dict[str, str]
    ports: Sequence[str]


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
    text = "".join(map(visible, text)).replace("&", "&amp;").replace("\\", "\\\\")
    if record:
        for special in "{}|<> ":
            text = text.replace(special, "\\" + special)
    # An empty line corrupts the memory of the embedded Graphviz: the second graph after it fails, or worse.
    return "\\n".join(line for line in text.split("\n") if line)


class Drawing:
    """A picture of boxes and arrows, the result of `draw`; notebooks display it.

    Parameters
    ----------
    name : str
        Name of the graph in the text.
    theme : {'light', 'dark', 'print'}
        Its colours.
    direction : {'LR', 'TB', 'RL', 'BT'}
        Direction of the arrows.
    **attributes
        DOT attributes of the graph that replace the default ones.

    Attributes
    ----------
    message : str
        The number of nodes left out, and how to draw them; empty if all are shown.
    legend : str
        Text below the picture, above the message.
    nodes : int
        The number of nodes, those left out included.
    play : callable, optional
        Writes the interactive page to ``path=``.

    Examples
    --------
    >>> from autograd import Value, draw
    >>> drawing = draw(Value(2.0, name="x") * 3.0)
    >>> drawing.nodes, drawing.message
    (2, '')
    """

    def __init__(self, name: str, theme: str = "light", direction: str = "LR", **attributes: str) -> None:
        self.theme: Theme = THEMES[chosen("theme", theme, THEMES)]
        self.direction: str = chosen("direction", direction, DIRECTIONS)
        self.stacked: bool = direction in ("LR", "RL")  # fields of a record are then above each other
        self.count: int = 0
        self.boxes: dict[int | None, list[Box]] = {None: []}
        self.frames: dict[int | None, list[tuple[int, str, bool]]] = {None: []}
        self.rows: list[list[str]] = []  # names on one rank, in this order
        self.edges: list[tuple[str, str, str, dict[str, str]]] = []
        self.name = name
        self.message = ""
        self.legend = ""
        self.nodes = 0
        self.play: Callable[..., object] | None = None
        self.attributes: dict[str, str] = {
            "rankdir": direction, "bgcolor": self.theme.background, **GRAPH, "fontcolor": self.theme.faint,
            **attributes,
        }  # fmt: skip

    def frame(self, label: str, around: int | None = None, dashed: bool = False) -> int:
        """Add a frame, perhaps inside the frame `around`, and return its number."""
        number = len(self.boxes) - 1
        self.boxes[number], self.frames[number] = [], []
        self.frames[around].append((number, cut(label), dashed))
        return number

    def edge(self, tail: str, head: str, text: str = "", **looks: str) -> None:
        """Add an arrow between two boxes, given by their names."""
        self.edges.append((tail, head, text, looks))

    def box(self, fields: Sequence[str], frame: int | None = None, *, ports: Sequence[str] = (), **looks: str) -> str:
        """Add a box with a field for each text, and return its name; `ports` are names of its fields."""
        name = f"n{self.count}"
        self.count += 1
        foreign = max(sum(not c.isascii() for c in line) for text in fields for line in text.split("\n"))
        if foreign > FOREIGN and "margin" not in looks:
            looks["margin"] = f"{0.14 + WIDER * foreign:.3f},0.05"
        self.boxes[frame].append(Box(name, fields, looks, ports))
        return name

    def small(self, text: str, frame: int | None = None) -> str:
        """Add small text without a box."""
        return self.box([text], frame, **SMALL, fontcolor=self.theme.faint)

    def dashed(self, text: str, frame: int | None = None) -> str:
        """Add a dashed box for nodes that are not shown."""
        faint = self.theme.faint
        return self.box([text], frame, shape="box", style="dashed,rounded", color=faint, fontcolor=faint)

    # ----------------------------------------------------------------------------------------------------- files

    def svg(self) -> str:
        """Return the drawing as SVG text.

        Raises
        ------
        RenderError
            If no drawing engine is installed; the message names those that can be.
        """
        return render(self.source, "svg").decode("utf-8")

    def save(self, path: str | os.PathLike[str], *, engine: str | None = None, timeout: float = TIMEOUT) -> Path:
        """Write the drawing to a file in the format of its suffix, and return the path.

        Parameters
        ----------
        path : str or path
            Ends in ``.svg``, ``.png``, ``.pdf`` (needs Graphviz), ``.tex`` for TikZ, ``.dot``, ``.mmd`` for
            Mermaid, or ``.html`` for the page of `play`, in which frames open and close.
        engine : {'embedded', 'dot'}, optional
            The Graphviz that pip installs, which gives the same bytes on every machine, or the program `dot`.  By
            default the first of them that can write the format.
        timeout : float
            Seconds after which the layout is abandoned.

        Raises
        ------
        ValueError
            If the suffix or the engine is not one of these.
        OSError
            If the folder does not exist or cannot be written to; an existing file is then unchanged.
        RenderError
            If the drawing cannot be rendered.

        Examples
        --------
        >>> import tempfile
        >>> from autograd import Value, draw
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(Value(2.0) * 3.0).save(f"{folder}/product.dot").name
        'product.dot'
        """
        target = target_path(path, (*FORMATS, "mmd", *(["html"] if self.play else [])))
        suffix = target.suffix[1:].lower()
        if suffix == "html" and self.play:
            self.play(path=target)
        elif suffix == "mmd":
            write_atomically(target, self.mermaid())
        else:
            write_atomically(target, render(self.source, suffix, engine=engine, timeout=timeout))
        return target

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return the SVG for a notebook, or text if it cannot be rendered."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle["image/svg+xml"] = self.svg()
        except RenderError as error:
            bundle["text/plain"] += f"\n{error}"
        return bundle

    def __repr__(self) -> str:
        return f"<drawing of {self.nodes:,} nodes{': ' if self.message else ''}{self.message}>"

    # ------------------------------------------------------------------------------------------------------- DOT

    @cached_property
    def source(self) -> str:
        """The picture in the DOT language, always the same for the same graph."""
        if graphviz is None:
            raise RenderError("drawing needs the package graphviz: pip install graphviz")
        graph = dict(self.attributes)
        if self.count > MANY:
            graph |= {"nslimit": "0.5", "mclimit": "0.3"}
        if self.frames[None]:  # the default ranking of frames fails on some graphs, with or without `ordering`
            graph["newrank"] = "true"
        edge = {"color": self.theme.faint, **EDGE, "fontcolor": self.theme.ink}
        node = {**NODE, "fontcolor": self.theme.ink}
        dot = graphviz.Digraph(self.name, graph_attr=graph, node_attr=node, edge_attr=edge)
        self._write_boxes(dot, None, 0)
        padding = "" if self.stacked else "  "  # so that the label is beside a vertical arrow, not on it
        for tail, head, text, looks in self.edges:
            label = {"label": graphviz.nohtml(padding + escaped(text) + padding[1:])} if text else {}
            dot.edge(tail, head, **looks, **label)
        for names in self.rows:
            with dot.subgraph(graph_attr={"rank": "same"}) as row:
                for name in names:
                    row.node(name)
        if text := "\n".join(filter(None, (self.legend, self.message))):
            dot.attr(label=graphviz.nohtml(escaped(text)), labelloc="b")
        return str(dot.source)

    def _write_boxes(self, dot: "graphviz.Digraph", frame: int | None, depth: int) -> None:
        for box in self.boxes[frame]:
            dot.node(box.name, graphviz.nohtml(self._label(box)), **box.looks)
        for number, label, dashed in self.frames[frame]:
            looks = {"style": "rounded,dashed" if dashed else "rounded,filled", "color": self.theme.data[1]}
            looks |= {"fillcolor": self.theme.frames[depth % 2], "labeljust": "l", "fontcolor": self.theme.faint}
            with dot.subgraph(name=f"cluster_{number}", graph_attr=looks | {"penwidth": "0.9", "margin": "9"}) as inner:
                inner.attr(label=graphviz.nohtml(escaped(label)))
                self._write_boxes(inner, number, depth + (not dashed))

    def _label(self, box: Box) -> str:
        if "shape" in box.looks:
            return escaped(box.fields[0])
        fields = [escaped(text, record=True) for text in box.fields]
        if box.ports:
            return "|".join(f"<{port}> {text}" for port, text in zip(box.ports, fields, strict=True))
        return "|".join(fields) if self.stacked else f"{{{'|'.join(fields)}}}"

    # --------------------------------------------------------------------------------------------------- Mermaid

    def mermaid(self) -> str:
        r"""Return the picture as a flowchart in Mermaid, which GitHub and GitLab draw in Markdown files.

        Colours, frames and labels are kept; positions are chosen by Mermaid.

        Examples
        --------
        >>> from autograd import Value, draw
        >>> print(draw(Value(2.0, name="x") * 3.0).mermaid(), end="")
        flowchart LR
        n0("x<br/>2")
        style n0 fill:#dceafb,stroke:#3b78c2,color:#1f2933
        n1("6")
        style n1 fill:#fff0c9,stroke:#d08a00,color:#1f2933
        n2(["*"])
        style n2 fill:#e3f4e6,stroke:#4b9b5f,color:#1f2933
        n3["3"]
        style n3 fill:none,stroke:none,color:#7b8794
        n0 --> n2
        n3 --> n2
        n2 --> n1
        """
        lines = [f"flowchart {self.direction}", *self._mermaid_boxes(None)]
        for tail, head, text, looks in self.edges:
            ends = [name.partition(":")[0] for name in (tail, head)]
            label = f'|"{mermaid_text(text)}"|' if text else ""
            if looks.get("style") != "invis":
                lines.append(f" -->{label} ".join(ends[::-1] if looks.get("dir") == "back" else ends))
        return "\n".join(lines) + "\n"

    def _mermaid_boxes(self, frame: int | None) -> list[str]:
        lines = []
        for name, fields, looks, _ in self.boxes[frame]:
            brackets = MERMAID.get(looks.get("shape", "record"), '["%s"]')
            lines.append(name + brackets % mermaid_text("\n".join(fields)))
            fill, border = looks.get("fillcolor", "none"), looks.get("color", "none")
            lines.append(f"style {name} fill:{fill},stroke:{border},color:{looks.get('fontcolor', self.theme.ink)}")
        for number, label, _ in self.frames[frame]:
            lines += [f'subgraph f{number}["{mermaid_text(label)}"]', *self._mermaid_boxes(number), "end"]
        return lines


def data_rows(name: object, data: Operand | None = None, *, values: bool = True) -> list[str]:
    """Return lines of text for a name and a number, an array or a node: name, shape, elements or their range.

    Examples
    --------
    >>> data_rows("w", np.arange(6.0).reshape(2, 3)), data_rows("b", 0.5), data_rows("x")
    (['w', '(2, 3)', '0 … 5'], ['b', '0.5'], ['x'])
    """
    data = raw_data(data)
    rows = [cut(str(name)), format_shape(data) if isinstance(data, np.ndarray) and data.ndim else ""]
    rows += [format_array(data)] if values and data is not None else []
    return [row for row in rows if row]


def mermaid_text(text: str) -> str:
    r"""Return text as a label of Mermaid, in which special characters are written as codes.

    Examples
    --------
    >>> mermaid_text("a #1\n<b>")
    'a #35;1<br/>#60;b#62;'
    """
    text = "".join(map(visible, text.strip()))
    return text.translate({ord(c): f"#{ord(c)};" for c in '#<>&"`'}).replace("\n", "<br/>")
