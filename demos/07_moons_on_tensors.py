"""7. The same in arrays: one `Tensor` for a layer's weights, and a thousand times the speed."""

# %% [markdown]
# # The same network in arrays
#
# A `Tensor` holds a whole array in one node.  The chain rule is the same, but applies to whole arrays: all
# weights of a layer in one matrix, all points in one batch.

# %%
from pathlib import Path

import numpy as np
from plots import save_boundary
from toys import moons

import nn
import optim
from autograd import draw, no_grad, topological_order

points, labels = moons(400, noise=0.12, seed=2)
targets = labels[:, None].astype(float)
model = nn.MLP(2, [16, 16, 1], activation="tanh", rng=0)
print(model)

# %% [markdown]
# ## Training
#
# The loop reads as in PyTorch.  Binary cross-entropy takes the logits as they are; its gradient with respect to a
# logit is simply `sigmoid(z) - y`, divided by the number of points.  Predict how many nodes this graph has, for 400
# points; step 6 needed some ten thousand for 60.

# %%
criterion = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=0.02)
for step in range(301):
    optimizer.zero_grad()
    logits = model(points)
    loss = criterion(logits, targets)
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        accuracy = np.mean((logits.numpy() > 0) == (targets > 0))
        print(f"step {step:3}  loss {loss.item():.4f}  accuracy {accuracy:.1%}")
print(f"a graph of {len(topological_order(loss))} nodes")
assert accuracy >= 0.98

# %% [markdown]
# ## One layer by hand
#
# The last layer computes `z = a W' + b`.  With `delta = dL/dz`, its gradients are `delta' a` for the weights and
# the sum of `delta` over the points for the bias: the formulas of every textbook, and equal to the
# gradients of the engine.

# %%
optimizer.zero_grad()
hidden = model[:-1](points)
loss = criterion(model[-1](hidden), targets)
loss.backward()
z = model[-1](hidden).numpy()
delta = (1 / (1 + np.exp(-z)) - targets) / len(points)
assert np.allclose(model[-1].weight.grad, delta.T @ hidden.numpy())
assert np.allclose(model[-1].bias.grad, delta.sum(axis=0))
print("the last layer's gradients are delta' a and the sum of delta: equal")


# %%
def scores_at(grid: np.ndarray) -> np.ndarray:
    with no_grad():
        return model(grid).numpy()[:, 0]


out = Path("out")
out.mkdir(exist_ok=True)
print(f"the boundary: {save_boundary(scores_at, points, labels, out / '07_moons_on_tensors.png')}")
# %% [markdown]
# ## The same network at three zooms
#
# A drawing can show layers, tensors, or scalars as in step 6: they are views of the same graph, and the scalars have
# the same gradients.

# %%
loss.name = "loss"
graph = draw(loss, names=dict(model.named_parameters()))
print(f"the graph: {graph.save(out / '07_moons_on_tensors.svg')}")
small = nn.MLP(2, [2, 1], activation="tanh", rng=0)
for zoom in ("layers", "tensors", "scalars"):
    zoomed = draw(small, points[:1], loss=lambda z: criterion(z, targets[:1]), zoom=zoom)
    print(f"{zoom}: {zoomed.save(out / f'07_zoom_{zoom}.svg')}")
