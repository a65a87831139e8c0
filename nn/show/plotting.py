"""Plots of training with matplotlib, which is loaded on first use and does not need a display."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograd.files import replacing
from nn.metrics import better
from nn.typing import Array, ArrayLike, Axes, Figure, FilePath

BLUE, ORANGE, GREY = "#2f6fb5", "#d1790f", "#8a929c"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty matplotlib figure."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots of training require matplotlib: pip install matplotlib") from error
    return Figure(figsize=(width, height), layout="constrained")


def new_axes(width: float, height: float) -> Axes:
    """Return the axes of a new matplotlib figure."""
    return new_figure(width, height).subplots()


def plain(axes: Axes) -> None:
    """Remove the sides of the frame without a scale, and add a grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def saved(figure: Figure, path: FilePath | None) -> Figure:
    """Save a figure if a path is given, and return the figure."""
    if path is not None:
        with replacing(path) as file:
            figure.savefig(file, format=Path(path).suffix[1:] or "png", dpi=120)
    return figure


def drawable(values: ArrayLike) -> Array:
    """Return values with nan in place of those that an axis cannot show: infinity, and magnitudes from 1e60.

    Examples
    --------
    >>> drawable([1.0, 1e200, float("inf")])
    array([ 1., nan, nan])
    """
    array = np.asarray(values, float)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(array) < 1e60, array, np.nan)


def literal(text: str, length: int = 60) -> str:
    r"""Return a text for a plot, shortened, in which dollar signs do not enclose mathematics.

    Examples
    --------
    >>> print(literal("$5 or more$", 6))
    \$5 or…
    """
    return (text if len(text) <= length else text[: length - 1] + "\u2026").replace("$", r"\$")


def svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG element, for an HTML page."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "chainrule", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def quantities(history: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the names of the quantities measured in training, loss first."""
    names = [key for key in history if not key.startswith("validation ") and key not in ("lr", "seconds")]
    return sorted(names, key=lambda key: (key != "loss", key == "gradient norm"))


def history_figure(history: Mapping[str, Sequence[float]], title: str = "") -> Figure:
    """Return a figure of every quantity by epoch, with training and validation in the same axes."""
    names = quantities(history)
    figure = new_figure(4.6 * max(len(names), 1) + 0.6, 3.8)
    for axes, name in zip(np.ravel(figure.subplots(1, max(len(names), 1))), names, strict=False):
        curves(axes, history, name, lower=getattr(history, "better", better)(name) == "lower", mark=name == names[0])
    if title:
        figure.suptitle(title)
    return figure


def curves(axes: Axes, history: Mapping[str, Sequence[float]], name: str, *, lower: bool, mark: bool = True) -> None:
    """Plot one quantity by epoch, in training and in validation, and mark the best epoch of validation."""
    epochs = np.arange(1, len(history[name]) + 1)
    marker = "o" if len(epochs) < 3 else None
    training = drawable(history[name])
    axes.plot(epochs, training, color=BLUE, marker=marker, label="training")
    validation = drawable(history.get(f"validation {name}", ()))
    if len(validation):
        axes.plot(epochs, validation, color=ORANGE, marker=marker, label="validation")
        if mark and np.isfinite(validation).any():
            at = int(np.nanargmin(validation) if lower else np.nanargmax(validation))
            axes.plot(epochs[at], validation[at], "o", color=ORANGE, markersize=5)
            # The label is on the side away from the curve.
            axes.annotate(f"best: epoch {epochs[at]}", (epochs[at], validation[at]), xytext=(0, -7 if lower else 7),
                          fontsize=8, textcoords="offset points", ha="center", va="top" if lower else "bottom",
                          color=ORANGE)  # fmt: skip
            axes.margins(y=0.12)  # room for the label
        axes.legend(frameon=False)
    axes.set(xlabel="epoch", title=name)
    values = np.concatenate([training, validation])
    values = values[np.isfinite(values)]
    if lower and len(values) and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
    plain(axes)


def confusion_figure(counts: Array, labels: Sequence[str], title: str = "") -> Figure:
    """Return a figure of the confusion matrix."""
    n = len(counts)
    axes = new_axes(max(4.2, 0.52 * n + 2), max(3.6, 0.48 * n + 1.6))
    image = axes.imshow(counts, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=9)
    short = [literal(label, 14) for label in labels]
    axes.set_xticks(range(n), short, rotation=40 if max(map(len, short), default=0) > 4 else 0, ha="center")
    axes.set_yticks(range(n), short)
    axes.set(xlabel="predicted", ylabel="true", title=literal(title))
    axes.figure.colorbar(image, shrink=0.8, label="rows")
    return axes.figure


def scatter_figure(predicted: ArrayLike, true: ArrayLike, title: str = "", name: str = "target") -> Figure:
    """Return a figure of predictions against true values, with the line of equality."""
    axes = new_axes(4.8, 4.4)
    low, high = min(np.min(predicted), np.min(true)), max(np.max(predicted), np.max(true))
    axes.plot([low, high], [low, high], color=GREY, linewidth=1)
    axes.scatter(true, predicted, s=14, color=BLUE, alpha=0.7, edgecolor="none")
    axes.set(xlabel=literal(f"true {name}"), ylabel=literal(f"predicted {name}"), title=literal(title))
    plain(axes)
    return axes.figure


def reliability_figure(confidence: Array, accuracy: Array, counts: Array) -> Figure:
    """Return a figure of the accuracy in each bin of the confidence, with the area of a point as its rows."""
    axes = new_axes(4.8, 4.4)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    axes.plot(confidence, accuracy, color=BLUE, linewidth=1)
    axes.scatter(confidence, accuracy, s=300 * counts / counts.sum() + 8, color=BLUE, clip_on=False, zorder=3)
    axes.set(xlabel="mean probability of the predicted class", ylabel="share of correct rows", xlim=(0, 1), ylim=(0, 1))
    plain(axes)
    return axes.figure


def importance_figure(drops: Mapping[str, tuple[float, float]], score: str, most: int = 20) -> Figure:
    """Return a figure of the importance of columns as horizontal bars with standard deviations, the largest on top."""
    shown = list(drops.items())[:most][::-1]
    axes = new_axes(6.4, 0.26 * len(shown) + 1)
    names = [literal(name, 28) for name, _ in shown]
    means, deviations = zip(*(drop for _, drop in shown), strict=True)
    axes.barh(range(len(shown)), means, xerr=deviations, color=BLUE, ecolor=GREY)
    axes.set_yticks(range(len(shown)), names)
    axes.set(xlabel=f"decrease of {score} if the column is permuted")
    plain(axes)
    return axes.figure


def sweep_figure(rows: Sequence[Mapping[str, Any]], names: Sequence[str], metric: str) -> Figure:
    """Return a figure of parallel coordinates, a line for each choice of settings in the colour of its metric."""
    shown = [row for row in rows if row[metric] is not None and np.isfinite(row[metric])]
    values = np.array([row[metric] for row in shown])
    aside = 0.08 * (values.argsort().argsort() / max(len(values) - 1, 1) - 0.5)  # equal settings side by side
    axes, columns = new_axes(1.8 * len(names) + 2.6, 3.8), []
    for x, name in enumerate(names):
        levels = sorted({row[name] for row in shown}, key=lambda level: (isinstance(level, str), level))
        heights = dict(zip(levels, np.linspace(0, 1, len(levels)), strict=True))
        columns.append([heights[row[name]] + shift for row, shift in zip(shown, aside, strict=True)])
        for level, y in heights.items():
            axes.annotate(literal(str(level), 16), (x, y), xytext=(-6, 0), textcoords="offset points", ha="right",
                          va="center", fontsize=8, bbox={"color": "white", "pad": 1})  # fmt: skip
    columns.append((values - values.min()) / (np.ptp(values) or 1.0))
    points = axes.scatter(np.full(len(shown), len(names)), columns[-1], c=values, cmap="viridis")
    for line, color in zip(np.transpose(columns), points.to_rgba(values), strict=True):
        axes.plot(line, color=color, marker=".", zorder=0)
    axes.set_xticks(range(len(names) + 1), [*map(literal, names), metric])
    axes.set(yticks=[], xlim=(-0.7, len(names) + 0.2), frame_on=False)
    axes.figure.colorbar(points, label=metric)
    return axes.figure
