"""4. The topological order: why each node is visited once, and after all of its users."""

# %% [markdown]
# # The order of the backward pass
#
# A node may pass its gradient on only when it is complete, that is, after *every* node that uses it.
# A topological order, in which each node comes after its operands, guarantees this when it is traversed backwards.
# Predict the position of `c`.

# %%
from charts import graph, lines

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
print(f"c.grad = {c.grad}: {d.data} directly and {c.data} through d")
assert c.grad == d.data + c.data
graph("04_topological_order", draw(e, partials=True))

# %% [markdown]
# ## Cost without the order
#
# Without the order, every path from the result to the input would be followed separately.  A tower of additions `x =
# x + x`, two hundred high, has 200 additions and 2**200 paths: more than there are atoms in the Earth.  In
# topological order it is two hundred steps.  Each node is visited once, and a visit costs about as much as the
# operation itself: this is why a gradient costs about as much as two evaluations.  And one pass from the result gives
# the gradients of all inputs; a pass from an input, in the other direction, gives the derivatives by this input alone.
# A network has many inputs, its parameters, and one result, so the pass runs backward.  Predict the gradient of `x`.

# %%
x = Value(1.0, name="x")
node, tower = x, []
for _ in range(200):
    node = node + node
    tower.append(node)
graph("04_tower", draw(tower[3]))
node.backward()
print(f"{len(topological_order(node))} nodes, {x.grad:.3e} paths")
assert x.grad == 2.0**200
heights = list(range(1, 201))
lines(
    "04_paths",
    {"paths": (heights, [2.0**h for h in heights]), "nodes": (heights, heights)},
    "height",
    "count",
    log=True,
)
