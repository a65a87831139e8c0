"""1. One derivative: what a slope is, measured by a nudge and computed by the chain rule."""

# %% [markdown]
# # One derivative
#
# A derivative answers one question: *if I nudge the input a little, how much does the output move?*
# Here is a function of one number.  Predict its slope at 3 before you go on: up or down, and how steep?

# %%
from pathlib import Path

from autograd import Value, draw


def f(x):
    return 3 * x**2 - 4 * x + 5


print(f"f(3) = {f(3.0)}")

# %% [markdown]
# ## By a nudge
#
# Move the input by a tiny `h` to both sides, and divide the rise by the run.

# %%
h = 1e-6
nudged = (f(3 + h) - f(3 - h)) / (2 * h)
print(f"nudge:      f'(3) is about {nudged:.9f}")

# %% [markdown]
# ## By the rule
#
# A `Value` holds a number and remembers how it was made.  `backward()` walks from the result back to `x`, and leaves
# the derivative in `x.grad`.  One pass, and no `h` to choose: only each operation rounds, as in `f` itself.

# %%
x = Value(3.0, name="x")
y = f(x)
y.name = "y"
y.backward()
print(f"chain rule: f'(3) = {x.grad}")

# %% [markdown]
# By hand, `f'(x) = 6x - 4`, which is 14 at 3: the same, of course.

# %%
assert x.grad == 6 * 3 - 4 == 14
assert abs(nudged - x.grad) < 1e-6

# %% [markdown]
# ## The graph
#
# Every operation became an oval, every number a box.  Read it from left to right for the value, from right to
# left for the gradients: each box shows how much the result moves if that number is nudged.

# %%
out = Path("out")
out.mkdir(exist_ok=True)
picture = draw(y)
print(f"the graph: {picture.save(out / '01_one_derivative.svg')}")
