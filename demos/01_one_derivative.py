"""1. One derivative: what a slope is, measured by a nudge and computed by the chain rule."""

# %% [markdown]
# # One derivative
#
# A derivative answers one question: *if I nudge the input a little, how much does the output move?*
# Here is a function of one number.  Predict its slope at 3 before you go on: up or down, and how steep?

# %%
import numpy as np
from charts import graph, lines

from autograd import Value, draw


def f(x):
    return 3 * x**2 - 4 * x + 5


print(f"f(3) = {f(3.0)}, f(3.1) = {f(3.1):.2f}")
near = np.linspace(1, 5, 81)
lines("01_function", {"f": (near, f(near))}, "x", "f(x)", dots=[(3, f(3))])

# %% [markdown]
# ## By a nudge
#
# Move the input by `h`, and divide the rise by the run: this is the slope of a line through two points of the curve.
# Predict the three slopes, for `h` of 2, 1 and 0.01.

# %%
secants = {}
for h in (2.0, 1.0, 0.01):
    slope = (f(3 + h) - f(3)) / h
    secants[f"h = {h:g}: slope {slope:.2f}"] = near, f(3) + slope * (near - 3)
    print(f"h = {h:4}: {slope:.2f}")
lines("01_secants", {"f": (near, f(near)), **secants}, "x", "f(x)", dots=[(3, f(3))])

# %% [markdown]
# A nudge to both sides is more accurate, since the errors of the two sides cancel.  Predict the first wrong digit for
# `h = 1e-6`.

# %%
h = 1e-6
nudged = (f(3 + h) - f(3 - h)) / (2 * h)
print(f"nudge:      f'(3) is about {nudged:.12f}")

# %% [markdown]
# ## By the rule
#
# A `Value` holds a number and remembers how it was made.  `backward()` walks from the result back to `x`, and leaves
# the derivative in `x.grad`.  There is no `h` to choose: each operation only rounds, as in `f` itself.  By hand,
# `f'(x) = 6x - 4`.  Predict `x.grad`.

# %%
x = Value(3.0, name="x")
y = f(x)
y.name = "y"
y.backward()
print(f"chain rule: f'(3) = {x.grad}")
assert x.grad == 6 * 3 - 4 == 14
assert abs(nudged - x.grad) < 1e-6
tangent = y.data + x.grad * (near - 3)
lines("01_tangent", {"f": (near, f(near)), "tangent at 3": (near, tangent)}, "x", "f(x)", dots=[(3, f(3))])

# %% [markdown]
# ## The graph
#
# Every operation became an oval, `x` and every result a box; constants are plain text.  Read it from left to right for
# the value, from right to left for the gradients: each box shows how much the result moves if its value is nudged.
# Predict the gradient of `x**2`.

# %%
picture = draw(y)
graph("01_one_derivative", picture)
