"""A numerical check of gradients finds a planted bug and locates it."""

# %% [markdown]
# # Checking gradients
#
# A derivative written by hand may be wrong and still train, only worse.  The difference quotient
# `(L(w + h) - L(w - h)) / 2h` does not use the rule, so the two agree only if the rule is right.

# %%
import numpy as np
from toys import moons

import nn
import optim
from autograd import Tensor, exp, gradcheck
from autograd.extend import elementwise


@elementwise(lambda y, x: y * (1 - y))
def right(x):
    """Logistic function, with its derivative."""
    return 1 / (1 + exp(-x))


@elementwise(lambda y, x: y * (1 - x))
def wrong(x):
    """Logistic function, its derivative with a slip of the pen: x for y."""
    return 1 / (1 + exp(-x))


# %% [markdown]
# ## The check
#
# The relative error of a right rule in double precision is far below 1e-7; a wrong one is off by whole digits.  (Single
# precision cannot reach 1e-5: its difference quotients have too few digits, and the check insists on float64.)

# %%
x = Tensor(np.linspace(-2, 2, 5), requires_grad=True, name="x")
print("right:", gradcheck(right, x))
try:
    gradcheck(wrong, x)
except Exception as error:
    message = str(error)
    print("wrong:", message)


# %%
def relative_error(rule, h=1e-6):
    """Return the largest relative error of a rule, worked out by hand as in the formula."""
    x = Tensor(np.linspace(-2, 2, 9), requires_grad=True)
    rule(x).sum().backward()
    numerical = (rule(x.data + h) - rule(x.data - h)) / (2 * h)
    return np.max(np.abs(x.grad - numerical) / np.maximum(np.abs(x.grad), np.abs(numerical)))


errors = {rule.__name__: relative_error(rule) for rule in (right, wrong)}
for name, error in errors.items():
    print(f"{name}: relative error {error:.1e}")

# %% [markdown]
# ## Would one notice without it?
#
# Hardly: both networks train, since a step in almost the right direction helps as well.  That is why such a bug lives
# for years, and why every rule of this library is checked.

# %%
X, labels = moons(200, noise=0.15, seed=0)


class Squash(nn.Module):
    """An activation made of one of the two rules."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def forward(self, x):
        """Squash every number."""
        return self.rule(x)


losses = {}
for rule in (right, wrong):
    model = nn.Sequential(nn.Linear(2, 16, rng=0), Squash(rule), nn.Linear(16, 2, rng=1))
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    history = nn.training.fit(
        model, nn.CrossEntropyLoss(), optimizer, (X, labels), epochs=40, rng=0, metrics="accuracy", progress=False
    )
    losses[rule.__name__] = history["loss"][-1]
    print(f"{rule.__name__}: loss {history['loss'][0]:.3f} -> {history['loss'][-1]:.3f}, "
          f"accuracy {history['accuracy'][-1]:.1%}")  # fmt: skip

# %%
assert errors["right"] < 1e-7 < 1e-2 < errors["wrong"]
assert "5 of 5 derivatives disagree" in message
assert losses["wrong"] < 0.5
