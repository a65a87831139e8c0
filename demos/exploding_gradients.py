"""Exploding gradients: weights that start too large, and remedies."""

# %% [markdown]
# # Exploding gradients
#
# Factors above 1 multiply as surely as factors below 1: ten layers whose weights start four times too large make a
# gradient of thousands, and the first step destroys the network.  Each remedy below changes one thing.

# %%
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import plain, plain_log

import nn
import optim
from nn.training import fit

rng = np.random.default_rng(0)
X = rng.normal(size=(256, 8))
y = np.tanh(X @ rng.normal(size=(8, 1)))
EPOCHS, LAYERS = 25, 10


def network(too_large):
    """Return a deep perceptron whose first weights are He's, or a multiple of them."""
    model = nn.MLP(8, [16] * LAYERS + [1], activation="relu", rng=1)
    for name, p in model.named_parameters():
        if name.endswith("weight"):
            p.data = p.data * too_large
    return model


def train(too_large=1.6, lr=0.01, **options):
    """Return the loss of every epoch, padded with nan when training broke down, and the first gradient's norm."""
    model, criterion = network(too_large), nn.MSELoss()
    criterion(model(X), y).backward()
    first = nn.utils.get_total_norm([p.grad for p in model.parameters()])
    optimizer = optim.SGD(model.parameters(), lr=lr)
    losses = []

    def watch(run):
        losses.append(run.numbers["loss"])
        if not run.numbers["loss"] < 1e12:
            run.stop("exploded")

    with np.errstate(all="ignore"):
        fit(model, criterion, optimizer, (X, y), epochs=EPOCHS, rng=0, callbacks=watch, progress=False, **options)
    return np.array(losses + [np.nan] * (EPOCHS - len(losses))), first


# %%
runs = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # that the loss became nan is what the first run is here to show
    runs["weights 1.6 times too large"] = train()
    runs["... gradient norm clipped to 1"] = train(clip_grad_norm=1.0)
    runs["... gradient values clipped to 0.01"] = train(clip_grad_value=0.01)
    runs["... L2 and clipping"] = train(clip_grad_norm=1.0, l2=0.02)
    runs["... a rate 10,000 times smaller"] = train(lr=1e-6)
    runs["He's initialisation"] = train(too_large=1.0)
for name, (losses, first) in runs.items():
    end = "broke down" if np.isnan(losses[-1]) else f"{losses[0]:10.3g} -> {losses[-1]:.3g}"
    print(f"{name:<38} first gradient {first:8.2g}   loss {end}")

# %%
figure = Figure(figsize=(10, 4.4), layout="constrained")
axes = figure.subplots()
top = np.nanmax([losses for losses, _ in list(runs.values())[1:]])
for i, (name, (losses, _)) in enumerate(runs.items()):
    if np.isnan(losses[-1]):  # an arrow off the top, in the epoch in which the loss left the axes
        axes.plot(1, 2 * top, marker="^", markersize=9, linestyle="none", label=f"{name} (broke down)")
        continue
    # the first of two lines that nearly coincide is wide, so that it stays visible behind the second
    width, alpha = (6, 0.45) if i == 1 else (1.8, 1)
    axes.plot(np.arange(1, EPOCHS + 1), losses, linewidth=width, alpha=alpha, label=name)
axes.set(yscale="log", xlabel="epoch", ylabel="training loss", title="Ten layers, and what keeps them together")
figure.legend(loc="outside right center", frameon=False, fontsize=8)  # beside the lines, not on them
plain(axes)
plain_log(axes.yaxis)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/exploding_gradients.png", dpi=120)
print("wrote out/exploding_gradients.png")

# %% [markdown]
# ## The claims

# %%
final = {name: losses[-1] for name, (losses, _) in runs.items()}
broken, *cured = final.values()
assert not broken < 1e3
assert runs["weights 1.6 times too large"][1] > 100 * runs["He's initialisation"][1]
for name, (losses, _) in list(runs.items())[1:]:
    assert losses[-1] < losses[0], name
assert final["He's initialisation"] < 0.3 * min(cured[:-1])
