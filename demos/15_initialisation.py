"""15. Initialisation: why the first weights decide whether a deep network learns."""

# %% [markdown]
# # Initialisation and vanishing gradients
#
# A layer computes `z = W a + b`.  If all weights start at 0, all neurons of a layer compute the same, get the same
# gradient and stay equal for ever.  Predict the rank of the first weight matrix after training from zero weights.

# %%
import numpy as np
from charts import lines, matrix

import nn
import optim
from autograd import Tensor, gradients

rng = np.random.default_rng(0)
X = rng.normal(size=(256, 32))
y = np.tanh(X[:, :1] - X[:, 1:2])


def trained_from(value):
    """Train from equal weights, and return the first weight matrix."""
    model = nn.MLP(32, [16, 1], activation="tanh", rng=0)
    for p in model.parameters():
        p.data = np.full_like(p.data, value)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(X), y).backward()
        optimizer.step()
    return model[0].weight.data


weights = trained_from(0.1)
ranks = [int(np.linalg.matrix_rank(w)) for w in (trained_from(0.0), weights)]
print("rank of the first layer after training from zeros:", ranks[0], " from 0.1:", ranks[1])
assert ranks == [0, 1]  # zero weights pass no gradient to the layer below; equal weights give sixteen equal neurons
matrix("15_equal_neurons", weights, title="One row per neuron: sixteen equal ones")

# %% [markdown]
# ## The slope of an activation
#
# Each layer multiplies the gradient by the slope of its activation.  Predict the largest slope of the sigmoid
# `1 / (1 + exp(-z))`, of tanh, of ReLU `max(0, z)` and of leaky ReLU `max(0.01 z, z)`, and where each one is 0.

# %%
z = Tensor(np.linspace(-6, 6, 121), requires_grad=True)
F = nn.functional
ACTIVATIONS = {"sigmoid": F.sigmoid, "tanh": F.tanh, "ReLU": F.relu, "leaky ReLU": F.leaky_relu}
slopes = {name: gradients(activation(z).sum(), z) for name, activation in ACTIVATIONS.items()}
for name, slope in slopes.items():
    print(f"{name:10} largest slope {slope.max():.2f}, at z = -6 {slope[0]:.4f}")
lines("15_slopes", {name: (z.data, slope) for name, slope in slopes.items()}, "z", "slope")
assert slopes["sigmoid"].max() == 0.25

# %% [markdown]
# ## How large should random weights be
#
# Each of the `n` inputs of a neuron contributes a variance of `var(w) * a²`.  The size of the activations is preserved
# if `n * var(w)` is 1, and ReLU, which sets half of them to 0, needs 2.  Backward, the same factor multiplies the
# gradient.  Thirty layers raise it to the power of 30.  Predict the last activation for a factor of 1/2, 1 and 2.


# %%
DEPTH, WIDTH = 30, 32


def deep(activation, gain, norm=False, residual=False):
    """Return a deep network whose weights have the standard deviation gain / sqrt(n)."""
    generator, blocks = np.random.default_rng(0), []
    for _ in range(DEPTH):
        linear = nn.Linear(WIDTH, WIDTH, bias=not norm, rng=generator)
        nn.init.normal_(linear.weight, std=gain / np.sqrt(WIDTH), rng=generator)
        blocks.append([linear, *([nn.BatchNorm1d(WIDTH)] if norm else []), activation()])
        if not norm:
            nn.init.zeros_(linear.bias)
    parts = [nn.Residual(*block) for block in blocks] if residual else [nn.Sequential(*block) for block in blocks]
    return nn.Sequential(*parts, nn.Linear(WIDTH, 1, rng=generator))


def sizes(model):
    """Return the root mean square of each layer's activations, and of the gradient that arrives at each layer."""
    activations, a = [], X
    for module in model:
        a = module(a)
        activations.append(float(np.sqrt(np.mean(a.numpy() ** 2))))
    (a * y).sum().backward()  # the gradient of a bias is the sum of dL/dz over the rows
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    return np.array(activations)[:DEPTH], np.array([np.sqrt(np.mean(p.grad**2)) for p in biases[:DEPTH]])


activations = {factor: sizes(deep(nn.ReLU, np.sqrt(2 * factor)))[0] for factor in (0.5, 1.0, 2.0)}
for factor, found in activations.items():
    last = found[-1]
    print(f"ReLU, factor {factor}: the last activation is {last:.1e}; expected about {np.sqrt(factor) ** DEPTH:.1e}")
    assert abs(np.log10(last) - np.log10(np.sqrt(factor) ** DEPTH)) < 1
curves = {f"factor {factor}": (np.arange(1, DEPTH + 1), found) for factor, found in activations.items()}
lines("15_activations", curves, "layer, from input to output", "size of the activations", log=True)

# %% [markdown]
# ## The gradient by depth
#
# A sigmoid has a slope of at most 1/4, so each layer divides the gradient by four or more, whatever its weights within
# reason.  With tanh and a variance of 1/n (Xavier), or ReLU and 2/n (He), the gradient arrives.  Predict what
# weights with half or twice the standard deviation do.

# %%
NETWORKS = {
    "sigmoid, 1/n": deep(nn.Sigmoid, 1.0),
    "tanh, 1/(4n)": deep(nn.Tanh, 0.5),
    "tanh, 1/n (Xavier)": deep(nn.Tanh, 1.0),
    "ReLU, 2/n (He)": deep(nn.ReLU, np.sqrt(2)),
    "ReLU, 8/n": deep(nn.ReLU, np.sqrt(8)),
}


def compared(name, networks):
    """Draw the gradients of each network by layer, and return the ratios of the first to the last."""
    found = {label: sizes(model)[1] for label, model in networks.items()}
    curves = {label: (np.arange(1, DEPTH + 1), values) for label, values in found.items()}
    lines(name, curves, "layer, from input to output", "size of the gradient", log=True)
    ratios = {label: values[0] / values[-1] for label, values in found.items()}
    for label, ratio in ratios.items():
        print(f"{label:20} gradient of the first layer / last layer: {ratio:.1e}")
    return ratios


ratio = compared("15_initialisation", NETWORKS)
assert ratio["sigmoid, 1/n"] < 0.25 ** (DEPTH - 5)
assert 1e-2 < ratio["tanh, 1/n (Xavier)"] < 1e2
assert 1e-2 < ratio["ReLU, 2/n (He)"] < 1e2
assert ratio["tanh, 1/(4n)"] < 1e-6 < 1e6 < ratio["ReLU, 8/n"]

# %% [markdown]
# ## Further remedies
#
# A residual connection adds the input of a layer to its output: the slope becomes `1 + ...`, so a direct path carries
# the gradient.  Batch normalisation scales the inputs of each activation back to a variance of 1.  (A gradient that
# explodes is bounded by clipping its norm; `exploding_gradients.py` compares the remedies.)  Predict whether they keep
# the gradient of tanh layers whose weights are too small.

# %%
REMEDIES = {
    "tanh, 1/(4n)": deep(nn.Tanh, 0.5),
    "with batch norm": deep(nn.Tanh, 0.5, norm=True),
    "with residuals": deep(nn.Tanh, 0.5, residual=True),
}
ratio = compared("15_remedies", REMEDIES)
assert 1e-2 < ratio["with batch norm"] < 1e2
assert 1e-2 < ratio["with residuals"] < 1e3
