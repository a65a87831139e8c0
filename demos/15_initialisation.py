"""15. Initialisation: why the first weights decide whether a deep network learns."""

# %% [markdown]
# # Initialisation and vanishing gradients
#
# A layer computes `z = W a + b`.  If all weights start at 0, all neurons of a layer compute the same, get the same
# gradient and stay equal for ever.  Predict the rank of the first weight matrix after training from zero weights.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import plain

import nn
import optim

rng = np.random.default_rng(0)
X = rng.normal(size=(256, 32))
y = np.tanh(X[:, :1] - X[:, 1:2])


def trained_from(value):
    """Train from equal weights, and return the rank of the first weight matrix."""
    model = nn.MLP(32, [16, 1], activation="tanh", rng=0)
    for p in model.parameters():
        p.data = np.full_like(p.data, value)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(X), y).backward()
        optimizer.step()
    return np.linalg.matrix_rank(model[0].weight.data)


print("rank of the first layer after training from zeros:", trained_from(0.0), " from 0.1:", trained_from(0.1))
assert trained_from(0.0) == 0  # not even one: the zero weights above it pass no gradient
assert trained_from(0.1) == 1  # sixteen equal neurons

# %% [markdown]
# ## How large should random weights be
#
# Each of the `n` inputs of a neuron contributes a variance of `var(w) * a²`.  The size of the activations is preserved
# if `n * var(w)` is 1, and ReLU, which sets half of them to 0, needs 2.  Backward, the same factor multiplies the
# gradient.  Thirty layers raise it to the power of 30: predict the last activation for a factor of 1/2, 1 and 2.


# %%
DEPTH, WIDTH = 30, 32


def deep(activation, gain, seed=0):
    """Return a deep network whose weights have the standard deviation gain / sqrt(n)."""
    model = nn.MLP(WIDTH, [WIDTH] * DEPTH + [1], activation=activation, rng=seed)
    generator = np.random.default_rng(seed)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=gain / np.sqrt(WIDTH), rng=generator)
            nn.init.zeros_(module.bias)
    return model


def sizes(model):
    """Return the root mean square of each layer's activations, and of the gradient that arrives at each layer."""
    activations, a = [], X
    for module in model:
        a = module(a)
        if not isinstance(module, nn.Linear):
            activations.append(float(np.sqrt(np.mean(a.numpy() ** 2))))
    (a * y).sum().backward()  # the gradient of a bias is the sum of dL/dz over the rows
    gradients = [float(np.sqrt(np.mean(p.grad**2))) for p in model.parameters() if p.ndim == 1][:DEPTH]
    return np.array(activations), np.array(gradients)


for factor in (0.5, 1.0, 2.0):
    last = sizes(deep("relu", np.sqrt(2 * factor)))[0][-1]
    print(f"ReLU, factor {factor}: the last activation is {last:.1e}; expected about {np.sqrt(factor) ** DEPTH:.1e}")
    assert abs(np.log10(last) - np.log10(np.sqrt(factor) ** DEPTH)) < 1

# %% [markdown]
# ## The gradient by depth
#
# A sigmoid has a slope of at most 1/4, so each layer divides the gradient by four or more, whatever its weights within
# reason.  With tanh and a variance of 1/n (Xavier), or ReLU and 2/n (He), the gradient arrives.

# %%
NETWORKS = {
    "sigmoid, 1/n": deep("sigmoid", 1.0),
    "tanh, 1/(4n)": deep("tanh", 0.5),
    "tanh, 1/n (Xavier)": deep("tanh", 1.0),
    "ReLU, 2/n (He)": deep("relu", np.sqrt(2)),
    "ReLU, 8/n": deep("relu", np.sqrt(8)),
}
gradients = {name: sizes(model)[1] for name, model in NETWORKS.items()}
figure = Figure(figsize=(6.5, 3.6), layout="constrained")
axes = figure.subplots()
for name, values in gradients.items():
    axes.semilogy(np.arange(1, DEPTH + 1), values, marker=".", label=name)
    print(f"{name:20} gradient of the first layer / last layer: {values[0] / values[-1]:.1e}")
axes.set(xlabel="layer, from input to output", ylabel="size of the gradient")
axes.legend(frameon=False, fontsize=8)
plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/15_initialisation.png", dpi=100)
print("wrote out/15_initialisation.png")

ratio = {name: values[0] / values[-1] for name, values in gradients.items()}
assert ratio["sigmoid, 1/n"] < 0.25 ** (DEPTH - 5)
assert 1e-2 < ratio["tanh, 1/n (Xavier)"] < 1e2
assert 1e-2 < ratio["ReLU, 2/n (He)"] < 1e2
assert ratio["tanh, 1/(4n)"] < 1e-6 < 1e6 < ratio["ReLU, 8/n"]
