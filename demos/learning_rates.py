"""Learning rates: too small, right, too large, and found by a sweep."""

# %% [markdown]
# # The learning rate
#
# If it is too small, training crawls; if it is too large, training jumps over every minimum or diverges.

# %%
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import BLUE, GREY, ORANGE, plain, plain_log

import nn
import optim
from nn.training import fit

rng = np.random.default_rng(0)
X = rng.normal(size=(320, 6))
y = np.sin(X @ rng.normal(size=(6, 1))) + 0.1 * rng.normal(size=(320, 1))


def parts(lr):
    """Return a new model, its loss and plain gradient descent."""
    model = nn.MLP(6, [32, 1], activation="tanh", rng=0)
    return model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr)


def train(lr):
    """Return the loss of every epoch, and what a monitor saw."""
    model, criterion, optimizer = parts(lr)
    monitor = nn.Monitor(model, optimizer)
    with np.errstate(all="ignore"):
        history = fit(model, criterion, optimizer, (X, y), epochs=30, rng=0, progress=False, callbacks=monitor)
    return history["loss"], monitor


# %%
runs = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # the last rate ends in nan, as it should
    for name, lr in {"too small": 1e-6, "small": 1e-3, "right": 0.1, "too large": 0.8, "far too large": 1e4}.items():
        runs[name] = train(lr)
        print(
            f"{name:<14} {lr:8g}: loss {runs[name][0][0]:9.3g} -> {runs[name][0][-1]:9.3g}   {runs[name][1].report()!r}"
        )

# %% [markdown]
# ## Finding one
#
# Raise the rate from step to step: the loss falls, reaches a minimum and explodes.  A tenth of the rate at the minimum
# is a good start.

# %%
curve = nn.find_lr(*parts(0.1), (X, y), rng=0)
found = train(curve.suggestion)[0]
print(f"suggested: {curve.suggestion:.2g}, loss {found[0]:.3g} -> {found[-1]:.3g}")
Path("out").mkdir(exist_ok=True)
curve.plot("out/lr_finder.png")

# %%
COLORS = (BLUE, "#4f7a28", ORANGE, "#b03020", "#7a4fa3")
figure = Figure(figsize=(11, 4), layout="constrained")
first, second = figure.subplots(1, 2)
top = 100
for (name, (_, monitor)), color in zip(runs.items(), COLORS, strict=True):
    losses = np.array(monitor.losses[:80])
    off = np.flatnonzero(~(losses < top))  # nan too
    note = f": off the chart from step {off[0]}" if off.size else ""
    until = off[0] + 1 if off.size else len(losses)  # the way up is drawn to the first loss that is off the chart
    steps = np.minimum(np.nan_to_num(losses[:until], nan=np.inf), 1e6)
    first.plot(steps, color=color, marker="o" if off.size else None, label=name + note)
first.set(yscale="log", ylim=(0.2, top), title="loss: five learning rates", xlabel="step")
plain_log(first.yaxis)
second.plot(curve.rates, curve.smooth, color=BLUE, label="smoothed loss")
second.axvline(curve.suggestion, linestyle="--", color=GREY, label=f"suggested {curve.suggestion:.2g}")
second.set(xscale="log", ylim=(0, 2 * curve.smooth[0]), title="loss while the rate rises", xlabel="learning rate")
for axes in (first, second):
    axes.legend(frameon=False, fontsize=8)
    plain(axes)
figure.savefig("out/learning_rates.png", dpi=120)
print("wrote out/lr_finder.png and out/learning_rates.png")

# %%
reports = {name: monitor.report() for name, (_, monitor) in runs.items()}
assert runs["right"][0][-1] < 0.5 * min(runs[name][0][-1] for name in ("too small", "small"))
assert "learning rate too small" in reports["too small"]
assert "learning rate too large" in reports["too large"]
assert "nan" in reports["far too large"]
assert not reports["right"].verdicts
assert found[-1] < 0.7 * runs["too small"][0][-1]  # a suggestion is a start, and depends on the last digits
