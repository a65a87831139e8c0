"""6. A network of scalars: an MLP in which every scalar is a `Value` separates two moons."""

# %% [markdown]
# # A network of scalars
#
# A layer is a list of neurons, a network a list of layers.  Every weight is one `Value`, so every step of the chain
# rule can be inspected.  The data are two half moons that a straight line cannot separate.  Predict the number of
# parameters of two hidden layers of 8 neurons.

# %%
import numpy as np
from charts import grid, lines, planes
from toys import moons

from autograd import no_grad, topological_order
from nn.scalar import MLP

points, labels = moons(60, noise=0.1, seed=1)
signs = [1.0 if label else -1.0 for label in labels]
model = MLP(2, [8, 8, 1], rng=1)
print(model)
print(f"{len(model.parameters())} parameters")


def scores_of(model):
    """Return the scores over the plane: given arrays, the same neurons compute all points at once."""
    with no_grad():
        return model(list(grid(points).T)).numpy()


boundaries = {"before the first step": scores_of(model)}
planes("06_start", boundaries, points, labels)

# %% [markdown]
# ## The loss
#
# The network returns one score per point.  The max-margin loss `relu(1 - sign * score)` requires a score of at least 1
# on the right side, and a small penalty keeps the weights small (L2 regularisation).  Predict the loss of a point whose
# score is 0, and the slope there.


# %%
def loss_of(model):
    scores = [model(list(point)) for point in points]
    data = sum((1 - sign * score).relu() for sign, score in zip(signs, scores, strict=True)) / len(points)
    penalty = 1e-4 * sum(p * p for p in model.parameters())
    hits = sum((score.data > 0) == (sign > 0) for sign, score in zip(signs, scores, strict=True))
    return data + penalty, hits / len(points)


scores = np.linspace(-3, 3, 121)
margins = {f"sign {sign:+}": (scores, np.maximum(1 - sign * scores, 0)) for sign in (1, -1)}
lines("06_max_margin", margins, "score", "loss of a point", dots=[(0, 1)])
loss, accuracy = loss_of(model)
print(f"loss {loss.data:.4f}, accuracy {accuracy:.0%}, a graph of {len(topological_order(loss)):,} nodes")

# %% [markdown]
# ## Training
#
# Forward, backward, step: the training loop of every network, here without helper functions.  Predict the accuracy
# after 40 steps.

# %%
losses = []
for step in range(40):
    loss, accuracy = loss_of(model)
    model.zero_grad()
    loss.backward()
    rate = 1.0 - 0.9 * step / 40
    for p in model.parameters():
        p.data -= rate * p.grad
    losses.append(loss.data)
    if step % 10 == 0:
        print(f"step {step:2}  loss {loss.data:.4f}  accuracy {accuracy:.0%}")
    if step in (3, 39):
        boundaries[f"after {step + 1} steps"] = scores_of(model)
print(f"at last  loss {loss.data:.4f}  accuracy {accuracy:.0%}")
lines("06_loss", {"loss": losses}, "step", "loss", log=True)
assert accuracy >= 0.95

# %% [markdown]
# ## The boundary while it learns
#
# The colour is the score at each point of the plane; where it changes sign, the predicted class changes.  Predict what
# the first steps change: the position of the boundary, its shape, or both.

# %%
planes("06_moons_on_values", boundaries, points, labels)
