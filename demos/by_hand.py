"""Backpropagation by hand: a three-layer perceptron in plain NumPy, beside the engine, to the last digits."""

# %% [markdown]
# # The recursions, written out
#
# For layer l with weights W, bias b and activation s:
#
#     forward    z_l = W_l a_(l-1) + b_l          a_l = s(z_l)
#     output     delta_L = (a_L - y) / m                                softmax with cross-entropy
#     backward   delta_l = (W_(l+1)^T delta_(l+1)) * s'(z_l)
#     gradients  dL/dW_l = delta_l a_(l-1)^T      dL/db_l = delta_l     summed over the m rows
#     update     W_l = W_l - eta dL/dW_l          b_l = b_l - eta dL/db_l
#
# Here rows are samples, so every formula stands transposed: `z = a W^T + b`.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import BLUE, ORANGE, plain
from toys import spirals

import nn
import optim

X, labels = spirals(150, seed=0)
Y = np.eye(3)[labels]
ETA, STEPS = 0.5, 400

# %% [markdown]
# ## The engine

# %%
model = nn.MLP(2, [16, 16, 3], activation="tanh", rng=0)
optimizer, criterion = optim.SGD(model.parameters(), lr=ETA), nn.CrossEntropyLoss()
W = [p.data.copy() for name, p in model.named_parameters() if name.endswith("weight")]
b = [p.data.copy() for name, p in model.named_parameters() if name.endswith("bias")]

engine = []
for _ in range(STEPS):
    optimizer.zero_grad()
    loss = criterion(model(X), labels)
    loss.backward()
    optimizer.step()
    engine.append(loss.item())

# %% [markdown]
# ## The same by hand

# %%
hand = []
for _ in range(STEPS):
    # forward
    a = [X]
    for layer in range(3):
        z = a[layer] @ W[layer].T + b[layer]
        a.append(np.tanh(z) if layer < 2 else z)
    shifted = a[3] - a[3].max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    hand.append(-np.mean(np.log(p[np.arange(len(X)), labels])))
    # backward
    delta = (p - Y) / len(X)
    grads = [None] * 3
    for layer in (2, 1, 0):
        grads[layer] = delta.T @ a[layer], delta.sum(axis=0)
        if layer:
            delta = (delta @ W[layer]) * (1 - a[layer] ** 2)
    # update
    for layer in range(3):
        W[layer], b[layer] = W[layer] - ETA * grads[layer][0], b[layer] - ETA * grads[layer][1]

# %% [markdown]
# ## Side by side

# %%
for step in (0, 9, 99, 399):
    print(f"step {step + 1:3}: engine {engine[step]:.16f}   by hand {hand[step]:.16f}")
weights = [p.data for name, p in model.named_parameters() if name.endswith("weight")]
difference = max(np.abs(u - v).max() for u, v in zip(weights, W, strict=True))
accuracy = nn.metrics.accuracy(model(X), labels)
print(f"largest difference of a weight after {STEPS} steps: {difference:.1e}; accuracy {accuracy:.1%}")

figure = Figure(figsize=(6.4, 4), layout="constrained")
axes = figure.subplots()
axes.plot(engine, color=BLUE, linewidth=5, alpha=0.35, label="engine")
axes.plot(hand, color=ORANGE, linewidth=1.2, label="by hand")
axes.set(xlabel="step", title="loss of a three-layer perceptron on three spirals")
axes.legend(frameon=False)
plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/by_hand.png", dpi=120)
print("wrote out/by_hand.png")

# %%
assert abs(engine[0] - hand[0]) < 1e-15
assert np.max(np.abs(np.array(engine) - hand)) < 1e-11
assert difference < 1e-10
assert accuracy > 0.95
