"""5. A neuron: a weighted sum and a squash, trained by hand on one example."""

# %% [markdown]
# # A neuron
#
#     z = w1 x1 + w2 x2 + b        a weighted sum
#     a = tanh(z)                  squashed to (-1, 1)
#
# We want `a` to be 1 for the input (2, 0), and measure the error by its square.

# %%
from pathlib import Path

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

# %%
out = Path("out")
out.mkdir(exist_ok=True)
picture = draw(loss, direction="TB")
print(f"the graph: {picture.save(out / '05_neuron.svg')}")

# %% [markdown]
# ## Gradient descent
#
# Step each parameter a little against its gradient, again and again.  That is all that training is.

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
assert losses == sorted(losses, reverse=True)
assert losses[-1] < 0.003
