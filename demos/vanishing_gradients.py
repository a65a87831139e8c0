"""Fifty layers: where the gradient vanishes, and four ways to keep it."""

# %% [markdown]
# # The gradient at depth fifty
#
# On its way to the first layer a gradient is multiplied once per layer.  A sigmoid's slope is at most 1/4, and a weight
# is mostly below 1, so fifty of them leave less than 1e-30 of it.  The first layers then learn nothing.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import plain

import nn
import optim

DEPTH, WIDTH = 50, 32
rng = np.random.default_rng(0)
X, y = rng.normal(size=(64, WIDTH)), rng.integers(2, size=64)


def block(activation, rng, norm=False):
    """Return one layer: affine, perhaps normalised, then the activation."""
    layer = nn.Linear(WIDTH, WIDTH, rng=rng)  # drawn from U(-1, 1) / sqrt(WIDTH)
    if activation is nn.ReLU:
        nn.init.kaiming_normal_(layer.weight, rng=rng)
    elif activation is nn.Tanh:
        nn.init.xavier_uniform_(layer.weight, rng=rng)
    return [layer, *([nn.BatchNorm1d(WIDTH)] if norm else []), activation()]


def deep(activation, norm=False, residual=False, seed=0):
    """Return fifty layers and an output of two classes."""
    rng = np.random.default_rng(seed)
    blocks = [block(activation, rng, norm) for _ in range(DEPTH)]
    parts = [nn.Residual(*b) for b in blocks] if residual else [module for b in blocks for module in b]
    return nn.Sequential(*parts, nn.Linear(WIDTH, 2, rng=rng))


NETWORKS = {
    "sigmoid": deep(nn.Sigmoid),
    "tanh (Xavier)": deep(nn.Tanh),
    "ReLU (He)": deep(nn.ReLU),
    "sigmoid + batch norm": deep(nn.Sigmoid, norm=True),
    "sigmoid + residual": deep(nn.Sigmoid, residual=True),
}

# %% [markdown]
# ## One backward pass each

# %%
norms = {}
for name, model in NETWORKS.items():
    nn.CrossEntropyLoss()(model(X), y).backward()
    weights = [p for key, p in model.named_parameters() if p.ndim == 2][:DEPTH]
    norms[name] = np.array([np.linalg.norm(p.grad) for p in weights])
    first, last = norms[name][0], norms[name][-1]
    print(f"{name:<22} first layer {first:8.1e}   last layer {last:8.1e}   first / last {first / last:8.1e}")

# %% [markdown]
# ## The monitor's diagnosis
#
# `nn.Monitor` detects the same and suggests remedies.

# %%
model = deep(nn.Sigmoid)
optimizer = optim.SGD(model.parameters(), lr=0.1)
monitor = nn.Monitor(model, optimizer, every=1)
for _ in range(3):
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(X), y)
    loss.backward()
    optimizer.step()
    monitor.step(loss)
print(monitor.report())

# %%
figure = Figure(figsize=(7.5, 4.4), layout="constrained")
axes = figure.subplots()
for name, values in norms.items():
    axes.plot(np.arange(1, DEPTH + 1), values, marker=".", label=name)
axes.set(yscale="log", xlabel="layer, from input to output", ylabel="norm of the weight's gradient")
axes.set_title("Gradient by depth, before the first step")
axes.legend(frameon=False)
plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/vanishing_gradients.png", dpi=120)
print("wrote out/vanishing_gradients.png")

# %% [markdown]
# ## The claims

# %%
share = {name: values[0] / values[-1] for name, values in norms.items()}
assert share["sigmoid"] < 1e-30
assert "vanishing" in monitor.report()
for name in ("tanh (Xavier)", "ReLU (He)", "sigmoid + residual"):
    assert share[name] > 1e-3, name
assert share["sigmoid + batch norm"] > 1e6 * share["sigmoid"]
