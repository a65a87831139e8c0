"""5. A neuron: a weighted sum and a squash, trained by hand on one example."""

# %% [markdown]
# # A neuron
#
#     z = w1 x1 + w2 x2 + b        a weighted sum
#     a = tanh(z)                  squashed to (-1, 1)
#
# Without the squash, a network of any depth would be one linear function, which a single neuron computes as well.
# We want `a` to be 1 for the input (2, 0), and measure the error by its square.  Predict whether `z` must grow.

# %%
import numpy as np
from charts import graph, lines

from autograd import Value, draw

x1, x2 = Value(2.0, name="x1"), Value(0.0, name="x2")
w1, w2 = Value(-3.0, name="w1"), Value(1.0, name="w2")
b = Value(6.8813735870195432, name="b")

z = w1 * x1 + w2 * x2 + b
z.name = "z"
a = z.tanh()
a.name = "a"
loss = (a - 1.0) ** 2
loss.name = "loss"
loss.backward()
print(f"z = {z:.4f}   a = {a:.4f}   loss = {loss:.4f}")
picture = draw(loss, direction="TB")
graph("05_neuron", picture)

# %% [markdown]
# ## Reading the gradients
#
# `w2` has no gradient: its input is 0, so no nudge of `w2` changes anything.  `w1` has a negative one: the loss falls
# when `w1` grows.  Predict which of the three parameters has the steepest slope.

# %%
for node in (w1, w2, b):
    print(f"d loss / d {node.name} = {node.grad + 0.0:+.4f}")
upstream = 2 * (a.data - 1)  # d loss / d a
local = 1 - a.data**2  # d a / d z
assert abs(w1.grad - upstream * local * x1.data) < 1e-12
assert w2.grad == 0.0
weights = np.linspace(-4, -2, 81)
curve = (np.tanh(weights * x1.data + b.data) - 1) ** 2
tangent = loss.data + w1.grad * (weights - w1.data)
lines("05_loss_of_w1", {"loss": (weights, curve), "tangent": (weights, tangent)}, "w1", "loss", dots=[(-3, loss.data)])

# %% [markdown]
# ## Gradient descent
#
# Step each parameter a little against its gradient, again and again: `w = w - rate * dL/dw`.  That is all that training
# is.  Predict which parameters will move, and in which direction.

# %%
parameters = [w1, w2, b]
losses = []
for _ in range(50):
    z = w1 * x1 + w2 * x2 + b
    loss = (z.tanh() - 1.0) ** 2
    for p in parameters:
        p.zero_grad()
    loss.backward()
    for p in parameters:
        p.data -= 0.1 * p.grad
    losses.append(loss.data)
print(f"loss before any step: {losses[0]:.4f}, after 9: {losses[9]:.4f}, after 49: {losses[49]:.4f}")
print("  ".join(f"{p.name} = {p.data:+.3f}" for p in parameters))
assert losses == sorted(losses, reverse=True)
assert losses[-1] < 0.003
lines("05_descent", {"loss": losses}, "step", "loss", log=True)
