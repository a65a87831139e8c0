"""13. Optimizers: from gradient descent to Adam, term by term on one parameter."""

# %% [markdown]
# # From gradient descent to Adam
#
# An optimizer turns gradients into updates.  `trace` prints the terms of the next update, with the names of the paper.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import plain

from autograd import Value
from optim import SGD, Adam, RMSprop

w = Value(1.0, name="w")
(2 * w**2).backward()
SGD([w], lr=0.1).trace(w)

# %% [markdown]
# ## Which learning rate is too large
#
# For `h / 2 * w**2` the gradient is `h * w`, so a step multiplies `w` by `1 - lr * h`.  Predict the limit for `h = 4`.


# %%
def descend(make, loss_of, start, steps):
    parameters, losses = [Value(x) for x in start], []
    optimizer = make(parameters)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(*parameters)
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    return [p.data for p in parameters], losses


for lr in (0.1, 0.25, 0.49, 0.51):
    (w,), _ = descend(lambda p, lr=lr: SGD(p, lr=lr), lambda w: 4 / 2 * w**2, [1.0], 20)
    print(f"lr {lr}: w after 20 steps {w:+.4f}")
    assert np.isclose(w, (1 - lr * 4) ** 20)
    assert (abs(w) < 1) == (lr < 2 / 4)  # the limit is 2 / h

# %% [markdown]
# ## Momentum
#
# The velocity `v` is a sum of past gradients, each multiplied by 0.9 once per step.  If the gradient is always 1, `v`
# approaches 1 / (1 - 0.9) = 10: the steps become ten times as long.  If its sign alternates, the terms cancel.


# %%
def last_trace(make, gradients):
    w = Value(0.0, name="w")
    optimizer = make([w])
    for w.grad in gradients[:-1]:
        optimizer.step()
    w.grad = gradients[-1]
    return optimizer.trace(w)


same = last_trace(lambda p: SGD(p, lr=0.1, momentum=0.9), [1.0] * 100)
alternating = last_trace(lambda p: SGD(p, lr=0.1, momentum=0.9), [1.0, -1.0] * 50)
assert np.isclose(same["v"], 10, rtol=1e-3)
assert np.isclose(abs(alternating["v"]), 1 / 1.9, rtol=1e-3)

# %% [markdown]
# ## RMSprop
#
# `s` is a running mean of the squared gradient, and the update is divided by its root.  Gradients of 1000 and of 0.001
# therefore give the same step.  Predict its length.

# %%
for size in (1000.0, 0.001):
    trace = last_trace(lambda p: RMSprop(p, lr=0.1, alpha=0.9), [size] * 100)
    assert np.isclose(trace["step"], 0.1, rtol=1e-3)

# %% [markdown]
# ## Adam
#
# Adam combines both: `m` is a mean of gradients, `v` of their squares.  Both start at 0 and are too small at first.
# Dividing by `1 - b1**t` and `1 - b2**t` corrects this exactly.  The first step has the length `lr` whatever the
# gradient; without the correction it would be 0.1 / sqrt(0.001) = 3.2 times as long.

# %%
trace = last_trace(lambda p: Adam(p, lr=0.1), [42.0])
assert np.isclose(trace["step"], 0.1)
assert np.isclose(trace["m_hat"], 42.0)
assert np.isclose(trace["m"] / np.sqrt(trace["v"]), 0.1 / np.sqrt(0.001))

# %% [markdown]
# ## In a ravine
#
# The loss `(x² + 50 y²) / 2` needs a rate below 2 / 50 because of `y`, which is small for `x`.  Momentum accelerates
# along `x`, and Adam gives each parameter its own step length.


# %%
RULES = {
    "gradient descent": lambda p: SGD(p, lr=0.035),
    "momentum": lambda p: SGD(p, lr=0.035, momentum=0.8),
    "RMSprop": lambda p: RMSprop(p, lr=0.1, alpha=0.9),
    "Adam": lambda p: Adam(p, lr=0.5),
}
curves = {name: descend(make, lambda x, y: (x**2 + 50 * y**2) / 2, [10.0, 1.0], 100)[1] for name, make in RULES.items()}
figure = Figure(figsize=(6.5, 3.6), layout="constrained")
axes = figure.subplots()
for name, curve in curves.items():
    axes.semilogy(curve, label=name)
    print(f"{name:17} loss after 100 steps {curve[-1]:.1e}")
axes.set(xlabel="step", ylabel="loss")
axes.legend(frameon=False)
plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/13_optimizers.png", dpi=100)
assert curves["momentum"][-1] < 1e-4 * curves["gradient descent"][-1]
assert curves["Adam"][-1] < curves["gradient descent"][-1]
