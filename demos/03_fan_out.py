"""3. Fan-out: when a number is used twice, its gradients add."""

# %% [markdown]
# # Why gradients add
#
# In `y = a * b + a` the number `a` reaches `y` along two paths.  A nudge of `a` travels along both, and the two
# changes of `y` add up.  So do the derivatives: *multiply along a path, add over the paths*.  Predict both gradients.

# %%
import warnings

from charts import graph, lines

from autograd import GradientWarning, Value, draw

a, b = Value(2.0, name="a"), Value(-3.0, name="b")
product = a * b
y = product + a
y.backward()

through_product = 1.0 * b.data  # y changes 1:1 with the product, the product b:1 with a
directly = 1.0
print(f"through a * b: {through_product}")
print(f"directly:      {directly}")
print(f"a.grad:        {a.grad}")
assert a.grad == through_product + directly == -2.0
assert b.grad == a.data
picture = draw(y, partials=True, path=a)
graph("03_fan_out", picture)

# %% [markdown]
# ## The classic mistake
#
# An engine that *sets* a gradient where it should *add* forgets one of the paths.  The smallest graph that shows
# it is `a + a`.  Predict its gradient, and what the wrong engine returns.

# %%
a = Value(3.0, name="a")
twice = a + a
twice.backward()
print(f"d(a + a)/da = {a.grad}")
assert a.grad == 2.0
graph("03_twice", draw(twice))

# %% [markdown]
# ## The same rule for two results
#
# A leaf keeps adding when `backward()` is called for another result, as if the two results were summed.  This is why
# every training step begins with `zero_grad()`.  Predict `a.grad` after a `backward()` of `a * 10`, and what happens to
# a descent on `w**2` whose gradients are never cleared.

# %%
(a * 10).backward()
print(f"after another backward: {a.grad}  (2 + 10)")
assert a.grad == 12.0
a.zero_grad()
assert a.grad == 0.0


def descent(clear):
    w, path = Value(1.0), []
    for _ in range(60):
        path.append(w.data)
        if clear:
            w.zero_grad()
        (w * w).backward()
        w.data -= 0.1 * w.grad
    return path


with warnings.catch_warnings():
    warnings.simplefilter("ignore", GradientWarning)  # the library warns of the missing zero_grad()
    paths = {"with zero_grad()": descent(True), "without": descent(False)}
lines("03_zero_grad", paths, "step", "w")
assert abs(paths["with zero_grad()"][-1]) < 1e-5
assert max(paths["without"][30:]) > 0.5  # old gradients keep pushing, so w swings past the minimum for ever
