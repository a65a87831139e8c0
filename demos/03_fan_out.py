"""3. Fan-out: when a number is used twice, its gradients add."""

# %% [markdown]
# # Why gradients add
#
# In `y = a * b + a` the number `a` reaches `y` along two paths.  A nudge of `a` travels along both, and the two
# changes of `y` add up.  So do the derivatives: *multiply along a path, add over the paths*.  Predict both gradients.

# %%
from pathlib import Path

from autograd import Value, draw

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

# %% [markdown]
# ## The classic mistake
#
# An engine that *sets* a gradient where it should *add* forgets one of the paths.  The smallest graph that shows
# it is `a + a`.

# %%
a = Value(3.0, name="a")
(a + a).backward()
print(f"d(a + a)/da = {a.grad}")
assert a.grad == 2.0

# %% [markdown]
# The same rule is why a leaf keeps adding when `backward()` is called for another result, and why every training step
# begins with `zero_grad()`.

# %%
(a * 10).backward()
print(f"after another backward: {a.grad}  (2 + 10)")
assert a.grad == 12.0
a.zero_grad()
assert a.grad == 0.0

# %%
out = Path("out")
out.mkdir(exist_ok=True)
picture = draw(y)
print(f"the graph: {picture.save(out / '03_fan_out.svg')}")
