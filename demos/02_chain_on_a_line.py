"""2. The chain rule on a line: derivatives multiply along a path."""

# %% [markdown]
# # The chain rule on a line
#
# `y = exp(sin(x ** 2))` is three steps, one after the other:
#
#     x  --square-->  u  --sin-->  v  --exp-->  y
#
# If `u` moves 6 times as fast as `x`, `v` moves -0.91 times as fast as `u`, and `y` moves 1.51 times as fast as `v`,
# then `y` moves 6 * -0.91 * 1.51 times as fast as `x`.  That is the whole chain rule: *multiply along the path*.  Why
# multiply?  A nudge of `x` by 0.001 moves `u` by 0.006, and it is this 0.006 that nudges `v`.  Predict how far `v`
# moves.

# %%
import math

from charts import graph, lines

from autograd import Value, draw

x = Value(3.0, name="x")
u = x**2
v = u.sin()
y = v.exp()
y.backward()
for name, node in (("u", u), ("v", v), ("y", y)):
    node.name = name
for name, before, after in (("u", u.data, 3.001**2), ("v", v.data, math.sin(3.001**2))):
    print(f"if x moves by 0.001, {name} moves by {after - before:+.5f}")
graph("02_forward", draw(y, gradients=False))

# %% [markdown]
# ## Each link by hand
#
# The local derivative of each step depends only on the inputs and the output of that step.  Predict the sign of
# the product.

# %%
du_dx = 2 * x.data
dv_du = math.cos(u.data)
dy_dv = math.exp(v.data)
print(f"du/dx = 2x     = {du_dx:9.5f}")
print(f"dv/du = cos(u) = {dv_du:9.5f}")
print(f"dy/dv = exp(v) = {dy_dv:9.5f}")
print(f"product        = {dy_dv * dv_du * du_dx:9.5f}")
print(f"x.grad         = {x.grad:9.5f}")
assert math.isclose(x.grad, dy_dv * dv_du * du_dx)
graph("02_partials", draw(y, gradients=False, partials=True))

# %% [markdown]
# ## Backward means: from the right
#
# The engine multiplies from the result towards the input, and every node on the way keeps the product so far.
# After one pass each node holds its own derivative, not just `x`.  Predict which of them is largest.

# %%
for name, node in (("y", y), ("v", v), ("u", u), ("x", x)):
    print(f"dy/d{name} = {node.grad:9.5f}")
assert y.grad == 1.0
assert math.isclose(v.grad, dy_dv)
assert math.isclose(u.grad, dy_dv * dv_du)
graph("02_chain_on_a_line", draw(y, partials=True, path=x))

# %% [markdown]
# ## Why small factors matter
#
# Fifty links of slope 0.25, which is the steepest a sigmoid ever gets, leave almost nothing of a gradient.  Predict
# the power of ten.

# %%
start = Value(0.0)
node, links = start, []
for _ in range(50):
    node = (node - 0.5).sigmoid()  # sigmoid of about 0: its slope there is 1/4, the largest it has
    links.append(node)
node.backward()
print(f"after 50 sigmoids: {start.grad:.2e}, and 0.25**50 = {0.25**50:.2e}")
assert 0 < start.grad <= 0.25**50 * 1.001
sizes = {"gradient": [link.grad for link in links], "0.25 per link": [0.25 ** (49 - i) for i in range(50)]}
lines("02_fifty_sigmoids", sizes, "link, from the input to the result", "gradient", log=True)
