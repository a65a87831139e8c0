"""7. The same in arrays: one `Tensor` for a layer's weights, and a thousand times the speed."""

# %% [markdown]
# # The same network in arrays
#
# A `Tensor` holds a whole array in one node.  The chain rule is the same, but applies to whole arrays: all weights of a
# layer in one matrix, all points in one batch.  Predict the number of parameters of two hidden layers of 16 neurons.

# %%
import numpy as np
from charts import graph, grid, lines, planes
from toys import moons

import nn
import optim
from autograd import draw, no_grad, topological_order

points, labels = moons(400, noise=0.12, seed=2)
targets = labels[:, None].astype(float)


def new_model():
    return nn.MLP(2, [16, 16, 1], activation="tanh", rng=0)


model = new_model()
print(model)
print(f"{sum(p.size for p in model.parameters())} parameters in {len(list(model.parameters()))} nodes")
graph("07_layers", draw(model, points, zoom="layers"))

# %% [markdown]
# ## Training
#
# The loop reads as in PyTorch.  Binary cross-entropy, `-log(p)` for class 1 and `-log(1 - p)` for class 0 with
# `p = sigmoid(z)`, takes the logits `z` as they are; its gradient with respect to a logit is simply `p - y`, divided by
# the number of points.  Predict how many nodes this graph has, for 400 points; chapter 6 needed twelve thousand for 60.

# %%
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.02)
losses, boundaries = [], {}
for step in range(301):
    optimizer.zero_grad()
    logits = model(points)
    loss = criterion(logits, targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 60 == 0:
        accuracy = np.mean((logits.numpy() > 0) == (targets > 0))
        print(f"step {step:3}  loss {loss.item():.4f}  accuracy {accuracy:.1%}")
    if step in (5, 60, 300):
        with no_grad():
            boundaries[f"after {step} steps"] = model(grid(points)).numpy()[:, 0]
print(f"a graph of {len(topological_order(loss))} nodes")
assert accuracy >= 0.98
lines("07_loss", {"loss": losses}, "step", "loss", log=True)
planes("07_moons_on_tensors", boundaries, points, labels)

# %% [markdown]
# ## One layer by hand
#
# The last layer computes `z = a W' + b`.  Element by element, `z_i = sum_j a_ij w_j + b`, so the rule for scalars
# gives `dL/dw_j = sum_i dL/dz_i a_ij`: weight `j` is used once per row, and its shares add up.  With `delta = dL/dz`,
# this sum is the matrix product `delta' a`, and the bias gets the sum of `delta`.  Predict the shapes of both.

# %%
optimizer.zero_grad()
hidden = model[:-1](points)
loss = criterion(model[-1](hidden), targets)
loss.backward()
z, a = model[-1](hidden).numpy(), hidden.numpy()
delta = (1 / (1 + np.exp(-z)) - targets) / len(points)
assert np.allclose(model[-1].weight.grad, delta.T @ a)
assert np.allclose(model[-1].bias.grad, delta.sum(axis=0))
print(f"delta' a {(delta.T @ a).shape} and the sum of delta {delta.sum(axis=0).shape} equal the engine's gradients")

# %% [markdown]
# For the layer below, `delta` goes through the weights, `delta W`, and is multiplied by the slope of the activation,
# `1 - a * a`: the error signal of the layer.  Predict its shape.

# %%
below = (delta @ model[-1].weight.data) * (1 - a * a)
first = model[:2](points).numpy()
assert np.allclose(model[2].weight.grad, below.T @ first)
print(f"the error signal of the layer below {below.shape} gives its gradients, too")
graph("07_passes", nn.draw_passes(nn.MLP(2, [16, 16, 1], activation="tanh", rng=0)))

# %% [markdown]
# ## Rows per step
#
# The mean over all rows is not needed for a useful direction.  Stochastic descent steps after every row, mini-batches
# after a few, and batch descent after all 400.  All three read the rows 5 times here.  Predict which loss is lowest,
# and which curve is the noisiest.

# %%
curves, rng = {}, np.random.default_rng(0)
for size, rate in ((1, 0.02), (20, 0.2), (400, 0.5)):
    model = new_model()
    optimizer, found = optim.SGD(model.parameters(), lr=rate), []
    for _ in range(5):
        order = rng.permutation(len(points))
        for i, rows in enumerate(order.reshape(-1, size)):
            if i % max(1, 40 // size) == 0:
                with no_grad():
                    found.append(criterion(model(points), targets).item())
            optimizer.zero_grad()
            criterion(model(points[rows]), targets[rows]).backward()
            optimizer.step()
    curves[f"{size} row{'s' * (size > 1)} a step"] = np.linspace(0, 5, len(found)), found
    print(f"{size:3} rows a step: {5 * len(points) // size:4} steps, loss {found[-1]:.3f}")
lines("07_rows_per_step", curves, "passes over the rows", "loss of all rows", log=True)
assert curves["20 rows a step"][1][-1] < curves["400 rows a step"][1][-1]

# %% [markdown]
# ## The same network at three zooms
#
# A drawing can show layers, tensors, or scalars as in chapter 6: they are views of the same graph, and the scalars
# have the same gradients.  Predict the number of ovals at each zoom.

# %%
small = nn.MLP(2, [2, 1], activation="tanh", rng=0)
for zoom in ("layers", "tensors", "scalars"):
    graph(f"07_zoom_{zoom}", draw(small, points[:1], loss=lambda z: criterion(z, targets[:1]), zoom=zoom))
