"""The pictures that demos share: training curves and a confusion matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

BLUE, ORANGE, GREY = "#2f6fb5", "#d1790f", "#8a929c"
LIGHT = LinearSegmentedColormap.from_list("light", ["#86add6", "#f7f7f7", "#e39a8c"])  # opaque: alpha would show seams


def plain(axes) -> None:
    """Leave of the frame only what carries a scale."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def whole_epochs(axes, count: int) -> None:
    """Put ticks at whole epochs, and room around the few."""
    axes.set(xlabel="epoch", xlim=(0.5, count + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def plain_log(axis) -> None:
    """Write the ticks of a logarithmic axis in decimal notation."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axis.set_minor_formatter(NullFormatter())


def save_curves(history: dict[str, list[float]], path: Path) -> Path:
    """Draw loss and accuracy by epoch, for training and validation side by side."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = np.arange(1, len(history["loss"]) + 1)
    marker = "o" if len(epochs) < 10 else None
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, history[quantity], color=BLUE, marker=marker, label="training")
        axes.plot(epochs, history[f"validation {quantity}"], color=ORANGE, marker=marker, label="validation")
        axes.set(title=quantity)
        whole_epochs(axes, len(epochs))
        plain(axes)
        axes.legend(frameon=False)
    losses = [*history["loss"], *history["validation loss"]]
    if 0 < 10 * min(losses) < max(losses):
        figure.axes[0].set_yscale("log")
        plain_log(figure.axes[0].yaxis)
    figure.axes[1].yaxis.set_major_formatter(lambda share, _: f"{100 * share:.4g}%")
    figure.savefig(path, dpi=120)
    return path


def save_confusion(predicted: np.ndarray, labels: np.ndarray, path: Path) -> Path:
    """Draw how often each true class was taken for each other."""
    classes = int(max(predicted.max(), labels.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predicted), 1)
    figure = Figure(figsize=(6, 5.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(counts, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=9)
    ticks = range(classes)
    share = np.trace(counts) / counts.sum()
    axes.set(xticks=ticks, yticks=ticks, xlabel="predicted", ylabel="true", title=f"test images: {share:.1%} right")
    figure.colorbar(image, shrink=0.8, label="images")
    figure.savefig(path, dpi=120)
    return path


def save_boundary(scores_at, points: np.ndarray, labels: np.ndarray, path: Path, steps: int = 120) -> Path:
    """Draw the plane coloured by a classifier's score, the line where it is 0, and the points it learned from."""
    low, high = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    x, y = (np.linspace(low[i], high[i], steps) for i in (0, 1))
    grid = np.stack(np.meshgrid(x, y), axis=-1)
    scores = np.tanh(scores_at(grid.reshape(-1, 2))).reshape(steps, steps)
    figure = Figure(figsize=(6, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.contourf(x, y, scores, levels=np.linspace(-1, 1, 21), cmap=LIGHT, antialiased=False)
    axes.contour(x, y, scores, levels=[0], colors="#333333", linewidths=1.2)
    for label, color in ((0, "#1f4e8c"), (1, "#b03020")):
        shown = points[labels == label]
        axes.scatter(*shown.T, s=18, color=color, edgecolor="white", linewidth=0.5, label=f"class {label}")
    axes.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)
    return path
