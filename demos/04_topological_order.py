"""4. The topological order: why each node is visited once, and after all of its users."""

# %% [markdown]
# # The order of the backward pass
#
# A node may pass its gradient on only when it is complete, that is, after *every* node that uses it.
# A topological order, traversed backwards, guarantees this.

# %%
from pathlib import Path

from autograd import Value, draw, topological_order

a, b = Value(2.0, name="a"), Value(-3.0, name="b")
c = a * b
c.name = "c"
d = c + a
d.name = "d"
e = d * c
e.name = "e"
order = [node.name for node in topological_order(e)]
print("forward: ", " ".join(order))
print("backward:", " ".join(reversed(order)))

# %% [markdown]
# `c` is used by `d` and by `e`.  Walking backwards, it comes after both.  Predict `c.grad`.

# %%
backward = order[::-1]
assert backward.index("c") > max(backward.index("d"), backward.index("e"))
e.backward()
assert c.grad == d.data + c.data  # de/dc = d (directly) + c (through d)

# %% [markdown]
# ## Cost without the order
#
# Without the order, every path from the result to the input would be followed separately.  A tower of additions `x =
# x + x`, two hundred high, has 200 additions and 2**200 paths: more than there are atoms in the Earth.  In
# topological order it is two hundred steps.  Predict the gradient of `x`.

# %%
x = Value(1.0, name="x")
node = x
for _ in range(200):
    node = node + node
node.backward()
print(f"{len(topological_order(node))} nodes, {x.grad:.3e} paths")
assert x.grad == 2.0**200

out = Path("out")
out.mkdir(exist_ok=True)
print(f"the graph of e: {draw(e).save(out / '04_topological_order.svg')}")
