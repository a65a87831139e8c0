"""The report of a monitored training: figures, and one self-contained HTML file."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.show.plotting import BLUE, GREY, ORANGE, drawable, literal, new_figure, plain, saved, svg
from nn.show.summary import html_table
from nn.typing import Axes, Figure, FilePath

from .diagnosis import Report

if TYPE_CHECKING:
    from .monitor import Monitor, Sample

PAGE = Path(__file__).with_suffix(".html")
MOST = 6  # frames of activations; of more layers, evenly spaced ones


def monitor_figure(monitor: Monitor, path: FilePath | None = None) -> Figure:
    """Draw the measurements of a monitor, save the figure if a path is given, and return it."""
    layers = shown_layers(monitor)
    figure = new_figure(13, 7.4 if layers else 3.8)
    parts = figure.subfigures(1 + bool(layers), 1, squeeze=False)[:, 0]
    for draw, axes in zip((losses, gradient_flow, update_ratios), parts[0].subplots(1, 3), strict=True):
        draw(axes, monitor)
    for i, name in enumerate(layers):
        activations(parts[1].add_subplot(1, len(layers), i + 1), monitor, name, first=i == 0)
    return saved(figure, path)


def shown_layers(monitor: Monitor) -> list[str]:
    """Return the modules whose outputs get a frame."""
    names = list(dict.fromkeys(n for s in monitor.samples for n in s.layers))
    if len(names) <= MOST:
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, MOST).astype(int)]


def losses(axes: Axes, monitor: Monitor) -> None:
    """Draw the loss of every step, its running mean, and the epochs' validation losses."""
    values = drawable(monitor.losses)
    steps = np.arange(1, len(values) + 1)
    axes.plot(steps, values, color=BLUE, alpha=0.3, linewidth=0.8, label="each step")
    width = max(1, len(values) // 50)
    if width > 1:
        means = np.convolve(values, np.ones(width) / width, "valid")
        axes.plot(steps[width - 1 :] - width // 2, means, color=BLUE, label=f"mean of {width}")
    checked = [(step, other) for step, _, other in monitor.epochs if abs(other) < 1e60]
    if checked:
        axes.plot(*zip(*checked, strict=True), color=ORANGE, marker=".", markersize=4, label="validation")
    finite = values[np.isfinite(values)]
    if len(finite) and finite.min() > 0 and finite.max() > 10 * finite.min():
        axes.set_yscale("log")
    axes.set(title="loss", xlabel="step")
    axes.legend(frameon=False, fontsize=8)
    plain(axes)


def gradient_flow(axes: Axes, monitor: Monitor) -> None:
    """Draw the typical gradient in every layer, from first to last, early steps light and late ones dark."""
    from matplotlib import colormaps

    chosen = monitor.shown
    sizes = np.sqrt([math.prod(monitor.shapes[i]) for i in chosen])
    places = np.arange(len(chosen))
    at: Any = np.unique(np.linspace(0, len(monitor.samples) - 1, 8).astype(int)) if monitor.samples else []
    for i in at:
        sample = monitor.samples[i]
        typical = sample.norm[1][chosen] / sizes
        color = colormaps["viridis_r"](0.1 + 0.9 * i / max(len(monitor.samples) - 1, 1))
        label = f"step {sample.step}" if i in (at[0], at[-1]) else None
        axes.plot(
            places, drawable(np.where(typical > 0, typical, np.nan)), marker="o", markersize=3, color=color, label=label
        )
    step = -(-len(chosen) // 12)
    names = [monitor.names[i].removesuffix(".weight") for i in chosen]
    axes.set_xticks(places[::step], names[::step], rotation=30 if max(map(len, names)) > 3 else 0)
    axes.set(title="gradient flow: typical gradient by layer", xlabel="layer, from input to output")
    finish(axes, monitor.samples)


def finish(axes: Axes, samples: list[Sample]) -> None:
    """Add a legend of samples, and use a logarithmic scale if a norm is positive."""
    if any(np.any(s.norm[1] > 0) for s in samples):
        axes.set_yscale("log")
    if samples:
        axes.legend(frameon=False, fontsize=8)
    plain(axes)


def update_ratios(axes: Axes, monitor: Monitor) -> None:
    """Draw the relative change of each weight matrix per step, with the usual range; first layers are dark."""
    from matplotlib import colormaps

    axes.axhspan(1e-4, 1e-2, color="#2e9e5b", alpha=0.10, linewidth=0)
    axes.axhline(1e-3, color="#2e9e5b", linewidth=0.8, linestyle="--")
    axes.annotate(
        "usual", (0.995, 1e-3), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8, color="#2e9e5b"
    )
    chosen, steps = monitor.shown, [s.step for s in monitor.samples]
    for k, i in enumerate(chosen):
        values = drawable([s.ratios[i] for s in monitor.samples])
        color = colormaps["plasma"](0.85 * k / max(len(chosen) - 1, 1))
        label = literal(monitor.names[i]) if len(chosen) <= 8 or k in (0, len(chosen) - 1) else None
        axes.plot(steps, np.where(values > 0, values, np.nan), color=color, linewidth=1.2, label=label)
    axes.set(title="update ratio: step / weight", xlabel="step")
    finish(axes, monitor.samples)


def activations(axes: Axes, monitor: Monitor, name: str, first: bool) -> None:
    """Draw the distribution of a module's outputs, a column per sample."""
    at = [i for i, s in enumerate(monitor.samples) if name in s.layers]
    seen = [monitor.samples[i] for i in at]
    counts = np.array([s.counts[f"output {name}"] for s in seen], float).T
    edges = monitor.histogram(name, at=at[-1])[1]
    some = np.flatnonzero(counts.sum(axis=1))
    low, high = max(some[0] - 1, 0), min(some[-1] + 2, len(counts))
    steps = np.array([s.step for s in seen])
    share = counts[low:high] / counts.sum(axis=0)
    bounds = [*steps, 2 * steps[-1] - steps[-2]] if len(steps) > 1 else [steps[0] - 0.5, steps[0] + 0.5]
    axes.pcolormesh(bounds, np.arange(low, high + 1), share**0.5, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    middles = np.linspace(low, high - 1, 5).astype(int)
    places = [(edges[i] + edges[i + 1]) / 2 for i in middles]
    axes.set_yticks(middles + 0.5, [f"{x:.2g}" if abs(x) >= 1e-9 else "0" for x in places], fontsize=8)
    title = literal(f"{name}: {type(monitor.layers[name]).__name__}")
    axes.set_title(f"{title}\n{inactive(seen[-1].layers[name])}".rstrip(), fontsize=9)
    axes.set_xlabel("step")
    axes.spines[:].set_color(GREY)
    if first:
        axes.set_ylabel("outputs")


def inactive(statistics: Mapping[str, Any]) -> str:
    """Return the share of units of a module that are dead or saturated."""
    if "alive" in statistics:
        return f"{1 - statistics['alive'].mean():.0%} dead"
    return f"{statistics['saturated']:.0%} saturated" if "saturated" in statistics else ""


# ------------------------------------------------------------------------------------------------------------- the page


def document(title: str, parts: Sequence[str]) -> str:
    """Return a page of parts in HTML."""
    before, _, after = PAGE.read_text(encoding="utf-8").partition("{{parts}}")
    return before.replace("{{title}}", html.escape(title)) + "\n".join(parts) + after


def verdicts(report: Report) -> str:
    """Return the findings as HTML."""
    e = html.escape
    head = f'<p class="summary">{e(report.summary)}</p>'
    if not report:
        return head + '<div class="verdict good"><b>No problems detected.</b></div>'
    found = [
        f'<div class="verdict"><b>{e(v.kind.capitalize())}</b>{f" ({e(v.where)})" if v.where else ""}: {e(v.evidence)}.'
        f'<div class="cure">Cure: {e(v.cure)}.</div></div>'
        for v in report
    ]
    return head + "\n".join(found)


def tables(sample: Sample, monitor: Monitor) -> str:
    """Return the statistics of every parameter and of the output of every sampled module as two tables."""
    shapes = ["\u00d7".join(map(str, shape)) or "1" for shape in monitor.shapes]
    columns = sample.norm[0], sample.mean[0], sample.std[0], sample.norm[1], sample.std[1], sample.ratios
    head = ["parameter", "shape", "norm", "mean", "std", "gradient norm", "gradient std", "update / weight"]
    outputs = [[name, a["mean"], a["std"], a["norm"], inactive(a)] for name, a in sample.layers.items()]
    return (
        f"<h2>Step {sample.step}</h2>"
        + html_table(head, [list(row) for row in zip(monitor.names, shapes, *columns, strict=True)])
        + html_table(["output of", "mean", "std", "norm", "units"], outputs)
    )


def monitored(monitor: Monitor) -> list[str]:
    """Return the report of a monitor as parts of a page."""
    parts = [verdicts(monitor.report()), "<h2>Figures</h2>", svg(monitor_figure(monitor))]
    return parts + [tables(sample, monitor) for sample in monitor.samples[-1:]]
