"""Convert the SVG of a drawing to TikZ, with the same positions."""

import html
import re

from autograd.explaining.typeset import latex_text

SHAPE = re.compile(r"<(polygon|polyline|path|ellipse|text)\b([^>]*)>([^<]*)")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
POINT = re.compile(r"(-?[\d.]+)[ ,](-?[\d.]+)")
# Options of a path in TikZ and attributes in SVG.
OPTIONS = {"fill": "fill", "draw": "stroke", "line width": "stroke-width", "draw opacity": "stroke-opacity"}
ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(svg: str) -> str:
    r"""Return the SVG that Graphviz wrote as a picture for LaTeX, which needs the package ``tikz``.

    Parameters
    ----------
    svg : str
        The drawing.

    Returns
    -------
    str
        The environment ``tikzpicture``, for ``\input`` in a document.

    Examples
    --------
    >>> print(tikz('<ellipse fill="#e3f4e6" stroke="black" cx="9" cy="-18" rx="4" ry="3"/>'), end="")
    \begin{tikzpicture}[x=1bp,y=-1bp,inner sep=0pt]
    \definecolor{ce3f4e6}{HTML}{e3f4e6}
    \path[fill=ce3f4e6,draw=black] (9,-18) ellipse [x radius=4bp,y radius=3bp];
    \end{tikzpicture}
    """
    lines = []
    for kind, written, text in SHAPE.findall(svg):
        given = dict(ATTRIBUTE.findall(written))
        if kind == "text":
            color = given.get("fill", "black").replace("#", "c")
            look = f"anchor={ANCHORS[given.get('text-anchor', 'start')]},text={color}"
            size = given["font-size"]
            font = rf"font=\sffamily\fontsize{{{size}bp}}{{{size}bp}}\selectfont"
            words = latex_text(html.unescape(text))
            lines.append(rf"\node[{look},{font}] at ({given['x']},{given['y']}) {{{words}}};")
        else:
            lines.append(rf"\path[{','.join(options(given))}] {outline(kind, given)};")
    names = sorted(set(re.findall(r"#(\w{6})\b", svg)))
    defined = [rf"\definecolor{{c{name}}}{{HTML}}{{{name}}}" for name in names]
    body = "\n".join([*defined, *lines])
    return f"\\begin{{tikzpicture}}[x=1bp,y=-1bp,inner sep=0pt]\n{body}\n\\end{{tikzpicture}}\n"


def options(given: dict[str, str]) -> list[str]:
    """Return the options of a path."""
    found = []
    if given.get("stroke-width") == "0":  # of width 0, TeX would draw the thinnest line
        given = {**given, "stroke": "none"}
    for key, name in OPTIONS.items():
        value = given.get(name, "none").replace("#", "c")
        if value not in ("none", "transparent"):
            found.append(f"{key}={value}" + "bp" * (key == "line width"))
    return found + ["dashed"] * ("stroke-dasharray" in given)


def outline(kind: str, given: dict[str, str]) -> str:
    """Return the coordinates of a path."""
    if kind == "ellipse":
        radii = f"x radius={given['rx']}bp,y radius={given['ry']}bp"
        return f"({given['cx']},{given['cy']}) ellipse [{radii}]"
    points = [f"({x},{y})" for x, y in POINT.findall(given.get("d") or given["points"])]
    if kind == "path":  # a start, then curves of two control points and an end each
        curves = (points[i : i + 3] for i in range(1, len(points), 3))
        return points[0] + "".join(f" .. controls {a} and {b} .. {end}" for a, b, end in curves)
    return " -- ".join(points) + " -- cycle" * (kind == "polygon")
