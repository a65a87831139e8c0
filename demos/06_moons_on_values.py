"""6. A network of scalars: an MLP in which every scalar is a `Value` separates two moons."""

# %% [markdown]
# # A network of scalars
#
# A layer is a list of neurons, a network a list of layers.  Every weight is one `Value`, so every step of
# the chain rule can be inspected.  The data are two half moons that a straight line cannot separate.

# %%
from pathlib import Path

import numpy as np
from plots import save_boundary
from toys import moons

from autograd import no_grad, topological_order
from nn.scalar import MLP

points, labels = moons(60, noise=0.1, seed=1)
signs = [1.0 if label else -1.0 for label in labels]
model = MLP(2, [8, 8, 1], rng=1)
print(model)
print(f"{len(model.parameters())} parameters")

# %% [markdown]
# ## The loss
#
# The network returns one score per point.  The max-margin loss requires a score of at least 1 on the right side, and
# a small penalty keeps the weights small (L2 regularisation).


# %%
def loss_of(model):
    scores = [model(list(point)) for point in points]
    data = sum((1 - sign * score).relu() for sign, score in zip(signs, scores, strict=True)) / len(points)
    penalty = 1e-4 * sum(p * p for p in model.parameters())
    hits = sum((score.data > 0) == (sign > 0) for sign, score in zip(signs, scores, strict=True))
    return data + penalty, hits / len(points)


# %% [markdown]
# ## Training
#
# Forward, backward, step: the training loop of every network, here without helper functions.

# %%
for step in range(60):
    loss, accuracy = loss_of(model)
    model.zero_grad()
    loss.backward()
    rate = 1.0 - 0.9 * step / 60
    for p in model.parameters():
        p.data -= rate * p.grad
    if step % 10 == 0:
        print(f"step {step:2}  loss {loss.data:.4f}  accuracy {accuracy:.0%}")
print(f"at last   loss {loss.data:.4f}  accuracy {accuracy:.0%}, a graph of {len(topological_order(loss)):,} nodes")
assert accuracy >= 0.95


# %% [markdown]
# ## The learned boundary
#
# The colour is the score at each point of the plane; where it changes sign, the predicted class changes.


# %%
def scores_at(grid: np.ndarray) -> np.ndarray:
    with no_grad():
        return np.array([float(model(list(map(float, point)))) for point in grid])


out = Path("out")
out.mkdir(exist_ok=True)
print(f"the boundary: {save_boundary(scores_at, points, labels, out / '06_moons_on_values.png', steps=40)}")
