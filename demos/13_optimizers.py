"""13. Optimizers: from gradient descent to Adam, term by term on one parameter."""

# %% [markdown]
# # From gradient descent to Adam
#
# An optimizer turns gradients into updates.  `trace` prints the terms of the next update, with the names of the paper.
# Predict the update of `w = 1` for the loss `2 * w**2` and a rate of 0.1.

# %%
import contextlib
import io

import numpy as np
from charts import lines

from autograd import Value
from optim import SGD, Adagrad, Adam, RMSprop

w = Value(1.0, name="w")
(2 * w**2).backward()
SGD([w], lr=0.1).trace(w)
at = np.linspace(-1.2, 1.2, 81)
curves = {"loss": (at, 2 * at**2), "tangent": (at, 2 + w.grad * (at - 1))}
lines("13_step", curves, "w", "loss", dots=[(1, 2), (0.6, 2 * 0.6**2)])

# %% [markdown]
# ## Which learning rate is too large
#
# For `h / 2 * w**2` the gradient is `h * w`, so a step multiplies `w` by `1 - lr * h`.  Predict the limit for `h = 4`.


# %%
def descend(make, loss_of, start, steps):
    """Return the parameters before each step, and the losses."""
    parameters, path, losses = [Value(x) for x in start], [], []
    optimizer = make(parameters)
    for _ in range(steps):
        optimizer.zero_grad()
        path.append([p.data for p in parameters])
        loss = loss_of(*parameters)
        loss.backward()
        optimizer.step()
        losses.append(loss.data)
    return np.array(path), losses


paths = {}
for lr in (0.1, 0.25, 0.49, 0.51):
    path, _ = descend(lambda p, lr=lr: SGD(p, lr=lr), lambda w: 4 / 2 * w**2, [1.0], 21)
    paths[f"lr {lr}"] = path[:, 0]
    print(f"lr {lr}: w after 20 steps {path[-1, 0]:+.4f}")
    assert np.isclose(path[-1, 0], (1 - lr * 4) ** 20)
    assert (abs(path[-1, 0]) < 1) == (lr < 2 / 4)  # the limit is 2 / h
lines("13_learning_rates", paths, "step", "w")

# %% [markdown]
# ## Momentum
#
# The velocity `v = 0.9 * v + g` is a sum of past gradients, each multiplied by 0.9 once per step.  If the gradient is
# always 1, `v` approaches 1 / (1 - 0.9) = 10: the steps become ten times as long.  Predict its limit if the sign of the
# gradient alternates.


# %%
def traces(make, gradients):
    """Return the terms of the update for each of some gradients."""
    w, found = Value(0.0, name="w"), []
    optimizer = make([w])
    for w.grad in gradients:
        with contextlib.redirect_stdout(io.StringIO()):  # trace prints each update
            found.append(optimizer.trace(w))
        optimizer.step()
    return found


GRADIENTS = {"always 1": [1.0] * 60, "alternating": [1.0, -1.0] * 30}
velocities = {n: [t["v"] for t in traces(lambda p: SGD(p, lr=0.1, momentum=0.9), g)] for n, g in GRADIENTS.items()}
print({name: f"last velocity {v[-1]:.3f}" for name, v in velocities.items()})
lines("13_momentum", velocities, "step", "velocity")
assert np.isclose(velocities["always 1"][-1], 10, rtol=1e-2)
assert np.isclose(abs(velocities["alternating"][-1]), 1 / 1.9, rtol=1e-2)

# %% [markdown]
# ## Nesterov's lookahead
#
# Momentum overshoots: it notices that the slope has turned only after it has passed the minimum.  Nesterov's form
# evaluates the gradient where the velocity is about to carry `w`; here as PyTorch writes it, `g + 0.9 * v`.  Predict
# which of the two swings further beyond 0.

# %%
FORMS = {"momentum": False, "Nesterov": True}
swings = {
    name: descend(lambda p, n=n: SGD(p, lr=0.02, momentum=0.9, nesterov=n), lambda w: 4 / 2 * w**2, [1.0], 60)[0][:, 0]
    for name, n in FORMS.items()
}
print({name: f"lowest w {path.min():.3f}" for name, path in swings.items()})
lines("13_nesterov", swings, "step", "w")
assert swings["momentum"].min() < swings["Nesterov"].min()

# %% [markdown]
# ## Adagrad and RMSprop
#
# Both divide each gradient by the root of its past squares, so that gradients of 1000 and of 0.001 give the same step.
# Adagrad sums the squares; its steps shrink like `1 / sqrt(t)` and never recover.  RMSprop takes a running mean.
# Predict the length of RMSprop's steps after many equal gradients, and of Adagrad's hundredth.

# %%
RULES = {"Adagrad": lambda p: Adagrad(p, lr=0.1), "RMSprop": lambda p: RMSprop(p, lr=0.1, alpha=0.9)}
lengths = {name: [t["step"] for t in traces(rule, [0.001] * 100)] for name, rule in RULES.items()}
for name, rule in RULES.items():
    print(
        f"{name}: last step {lengths[name][-1]:.4f}, for gradients of 1000 {traces(rule, [1e3] * 100)[-1]['step']:.4f}"
    )
lines("13_adaptive", lengths, "step", "length")
assert np.isclose(lengths["RMSprop"][-1], 0.1, rtol=1e-3)
assert np.isclose(lengths["Adagrad"][-1], 0.1 / np.sqrt(100), rtol=1e-3)

# %% [markdown]
# ## Adam
#
# Adam combines both: `m` is a mean of gradients, `v` of their squares.  Both start at 0 and are too small at first.
# Dividing by `1 - b1**t` and `1 - b2**t` corrects this exactly.  Predict the length of the first step, whatever the
# gradient, and how long it would be without the correction.

# %%
adam = traces(lambda p: Adam(p, lr=0.1), [42.0] * 60)
without = [0.1 * t["m"] / np.sqrt(t["v"]) for t in adam]
print(adam[0])
print(f"without the correction, the first step would be {without[0]:.3f}")
lines("13_adam", {"Adam": [t["step"] for t in adam], "without the correction": without}, "step", "length")
assert np.isclose(adam[0]["step"], 0.1)
assert np.isclose(adam[0]["m_hat"], 42.0)

# %% [markdown]
# ## In a ravine
#
# The loss `(x² + 50 y²) / 2` needs a rate below 2 / 50 because of `y`, which is small for `x`.  Predict what limits
# each rule: gradient descent, and RMSprop, whose steps have a length of about `lr`.

# %%
RULES = {
    "gradient descent": lambda p: SGD(p, lr=0.035),
    "momentum": lambda p: SGD(p, lr=0.035, momentum=0.8),
    "RMSprop": lambda p: RMSprop(p, lr=0.1, alpha=0.9),
    "Adam": lambda p: Adam(p, lr=0.5),
}
runs = {name: descend(rule, lambda x, y: (x**2 + 50 * y**2) / 2, [10.0, 1.0], 100) for name, rule in RULES.items()}
curves = {name: losses for name, (_, losses) in runs.items()}
for name, curve in curves.items():
    print(f"{name:17} loss after 100 steps {curve[-1]:.1e}")
lines("13_optimizers", curves, "step", "loss", log=True)
lines("13_paths", {name: tuple(path[:40].T) for name, (path, _) in runs.items()}, "x", "y", dots=[(0, 0)])
assert curves["momentum"][-1] < 1e-4 * curves["gradient descent"][-1]
assert curves["Adam"][-1] < curves["gradient descent"][-1]
