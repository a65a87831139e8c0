"""The cost of a gradient: one backward pass, or one forward pass per parameter."""

# %% [markdown]
# # The cost of a gradient
#
# Nudging every parameter and running the network again gives the gradient too, at one forward pass per parameter.  The
# backward pass gives all of it at once, for a small multiple of one forward pass, whatever the number of parameters.

# %%
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy loads: threads that wait for each other spoil timings

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from plots import BLUE, GREY, ORANGE, plain

import nn
from autograd import no_grad

rng = np.random.default_rng(0)
X, y = rng.normal(size=(64, 16)), rng.normal(size=(64, 1))
criterion = nn.MSELoss()


def best_of(action, repeats=15):
    """Return the shortest of several timings, the one that was disturbed least."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return min(times)


def measure(widths):
    """Return parameters, seconds of a forward pass, of forward and backward, and of the gradient by nudges."""
    model = nn.MLP(16, [*widths, 1], activation="tanh", rng=0)
    count = sum(p.size for p in model.parameters())

    def forward():
        with no_grad():
            return criterion(model(X), y)

    def both():
        model.zero_grad()
        criterion(model(X), y).backward()

    once = best_of(forward)
    return count, once, best_of(both), once * 2 * count


# %% [markdown]
# ## Nudges and backward agree
#
# On a small network all nudges are carried out, not only estimated.

# %%
model = nn.MLP(16, [4, 1], activation="tanh", rng=0)
criterion(model(X), y).backward()
worst, passes, h = 0.0, 0, 1e-6
for p in model.parameters():
    for i in np.ndindex(p.shape):
        values = []
        for sign in (1, -1):
            nudged = p.data.copy()
            nudged[i] += sign * h
            kept, p.data = p.data, nudged
            with no_grad():
                values.append(float(criterion(model(X), y)))
            p.data = kept
            passes += 1
        worst = max(worst, abs((values[0] - values[1]) / (2 * h) - p.grad[i]))
print(f"{passes} forward passes give what one backward pass gives, to {worst:.1e}")

# %%
wide = [measure([width, width]) for width in (4, 8, 16, 32, 64, 128, 256)]
deep = [measure([32] * layers) for layers in (1, 2, 4, 8, 16, 32)]
print("parameters   forward    with backward   ratio   by nudges")
for count, once, both, nudges in wide:
    print(f"{count:10,} {once * 1e6:8.0f} us {both * 1e6:12.0f} us {both / once:7.1f} {nudges:10.3f} s")

# %%
figure = Figure(figsize=(10, 4), layout="constrained")
axes = figure.subplots(1, 2)
places = [[row[0] for row in wide], [1, 2, 4, 8, 16, 32]]
titles = ("wider: two hidden layers of 4 to 256", "deeper: 1 to 32 hidden layers of 32")
labels = ("parameters", "hidden layers")
for a, rows, x, label, title in zip(axes, (wide, deep), places, labels, titles, strict=True):
    a.loglog(x, [row[3] for row in rows], "o-", color=GREY, label="nudges: 2 forward passes per parameter")
    a.loglog(x, [row[2] for row in rows], "o-", color=ORANGE, label="forward and backward")
    a.loglog(x, [row[1] for row in rows], "o-", color=BLUE, label="forward")
    a.set(xlabel=label, ylabel="time", title=title)
    a.set_xticks(x, [f"{count:,}" for count in x], fontsize=9)
    a.set_xticks([], minor=True)
    a.yaxis.set_major_formatter(EngFormatter("s"))
    a.legend(frameon=False, fontsize=8)
    plain(a)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/cost_of_a_gradient.png", dpi=120)
print("wrote out/cost_of_a_gradient.png")

# %% [markdown]
# ## The claims
#
# Times depend on the machine and its load, so the assertions leave a wide margin.

# %%
assert worst < 1e-8
assert passes == 2 * sum(p.size for p in model.parameters())
assert np.median([both / once for _, once, both, _ in wide + deep]) < 12
assert wide[-1][3] > 1000 * wide[-1][2]
