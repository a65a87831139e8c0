"""Eleven optimizers race on three landscapes: their paths as a picture and as an animation."""

# %% [markdown]
# # The optimizer race
#
# All optimizers receive the gradient at their current point, and take different steps.  Three landscapes show the
# differences: **Rosenbrock's** curved valley (easy to enter, hard to follow), **Beale's** plateaus with
# steep walls, and a **ravine**, 40 times steeper across than along.

# %%
import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from autograd import Value, hessian_product
from optim import LBFGS, SGD, Adagrad, Adam, Lion, NAdam, NewtonCG, RMSprop, Rprop

STEPS = 300
LANDSCAPES = {  # loss, start, minimum, window (left, right, bottom, top)
    "Rosenbrock": (lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, (-0.8, 2.0), (1, 1), (-1.7, 1.7, -0.6, 2.3)),
    "Beale": (
        lambda x, y: (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2,
        *((0.7, 1.3), (3, 0.5), (-0.3, 4.2, -1.3, 1.7)),
    ),
    "Ravine": (lambda x, y: 0.05 * x**2 + 2 * y**2, (-9.0, 1.6), (0, 0), (-10, 4, -2.2, 2.2)),
}
RACERS = {  # how it is made of a learning rate, a learning rate for each landscape, colour
    "SGD": (lambda p, lr: SGD(p, lr), (0.0012, 0.01, 0.45), "#7f7f7f"),
    "Momentum": (lambda p, lr: SGD(p, lr, momentum=0.9), (0.0008, 0.005, 0.1), "#d62728"),
    "Nesterov": (lambda p, lr: SGD(p, lr, momentum=0.9, nesterov=True), (0.0006, 0.004, 0.1), "#ff7f0e"),
    "Adagrad": (Adagrad, (0.5, 0.8, 1.0), "#bcbd22"),
    "RMSprop": (RMSprop, (0.02, 0.05, 0.15), "#2ca02c"),
    "Adam": (Adam, (0.2, 0.15, 0.3), "#1f77b4"),
    "NAdam": (NAdam, (0.08, 0.15, 0.4), "#17becf"),
    "Lion": (Lion, (0.01, 0.01, 0.1), "#9467bd"),
    "Rprop": (Rprop, (0.02, 0.1, 0.1), "#8c564b"),
    "Newton-CG": (NewtonCG, (1.0, 1.0, 1.0), "#e377c2"),
    "L-BFGS": (lambda p, lr: LBFGS(p, lr, 1, 25, line_search_fn="strong_wolfe"), (1.0, 1.0, 1.0), "#111111"),
}


def race(make, lr, loss_of, start):
    """Let one optimizer run; return the points it visited, one row per step."""
    x, y = Value(start[0], name="x"), Value(start[1], name="y")
    optimizer = make([x, y], lr)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        return (loss, hessian_product(loss, [x, y])) if optimizer.needs_product else loss

    path = [start]
    for _ in range(STEPS):
        optimizer.step(closure)
        path.append((x.data, y.data))
    return np.array(path)


paths = {
    place: {name: race(make, rates[i], loss_of, start) for name, (make, rates, _) in RACERS.items()}
    for i, (place, (loss_of, start, _, _)) in enumerate(LANDSCAPES.items())
}

# %% [markdown]
# The distance to the minimum against the number of steps.  Lion and Rprop use only the signs of the
# gradient; L-BFGS estimates the curvature and tests each step with a line search.  Newton-CG multiplies by the exact
# Hessian.

# %%
far = {  # after the last step
    place: {name: np.hypot(*path[-1] - LANDSCAPES[place][2]) for name, path in runs.items()}
    for place, runs in paths.items()
}
print(f"distance after {STEPS} steps" + "".join(f"{place:>12s}" for place in far))
for name in RACERS:
    print(f"{name:>24s}" + "".join(f"{runs[name]:12.2e}" for runs in far.values()))

assert all(runs["L-BFGS"] < 1e-4 and runs["Momentum"] < runs["SGD"] for runs in far.values())
assert all(distance < 0.5 for distance in far["Ravine"].values())

# %% [markdown]
# The picture shows the paths, the animation also the speed.  It starts in slow motion, since most of the race happens
# in the first steps.

# %%
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures (default: out)")
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)
figure = Figure(figsize=(10, 4), layout="constrained")
lines = []
for axes, (place, (loss_of, start, goal, window)) in zip(figure.subplots(1, 3), LANDSCAPES.items(), strict=True):
    x, y = np.meshgrid(np.linspace(*window[:2], 200), np.linspace(*window[2:], 200))
    axes.contourf(x, y, np.log10(loss_of(x, y) + 1e-3), levels=14, cmap="YlGnBu_r", alpha=0.35)
    for name, path in paths[place].items():
        color = RACERS[name][2]  # a picture contains animated artists, a canvas does not
        (line,) = axes.plot(*path.T, color=color, linewidth=1.4, alpha=0.9, label=name, animated=True)
        (head,) = axes.plot(*path[-1], "o", color=color, markersize=6, markeredgecolor="white", animated=True)
        lines.append((line, head, path))
    axes.plot(*start, "s", color="black", markersize=5)
    axes.plot(*goal, "*", color="white", markersize=13, markeredgecolor="black", zorder=5)
    axes.set(title=place, xlim=window[:2], ylim=window[2:], xticks=[], yticks=[])
handles = figure.axes[0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=6, columnspacing=1, handlelength=1.2, frameon=False)
figure.savefig(out / "optimizer_race.png", dpi=120)

# The landscapes are drawn once, and each frame adds paths and heads to a copy of them.
figure.set(layout_engine="none", dpi=75)
canvas = FigureCanvasAgg(figure)
canvas.draw()
background, frames = canvas.copy_from_bbox(figure.bbox), []
for share in np.linspace(0, 1, 32):
    canvas.restore_region(background)
    for line, head, path in lines:
        so_far = path[: round(STEPS * share**2) + 1]
        for artist, points in ((line, so_far), (head, so_far[-1:])):
            artist.set_data(*points.T)
            artist.axes.draw_artist(artist)
    frame = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    frames.append(frame.quantize(palette=frames[0] if frames else None))
frames[0].save(out / "optimizer_race.gif", save_all=True, append_images=frames[1:], duration=83, loop=0)
print(f"wrote {out / 'optimizer_race.png'} and {out / 'optimizer_race.gif'}")
