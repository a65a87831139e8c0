"""0. Build it yourself: an engine and a network in eighty lines, checked against the library."""

# %% [markdown]
# # Build it yourself
#
# Type each cell, write your prediction down, then run it.  Work in the folder `demos/`, whose `charts.py` draws the
# pictures.  A number remembers the operation that computed it, its operands and their values.  An operation has a value
# and, for each operand, a partial derivative: how much the result moves if this operand alone is nudged, given the
# result `y` and the operands.  The values must be remembered because these derivatives need them.  Predict the partial
# derivatives of `a * b` at 2 and -3.

# %%
import math

import numpy as np
from charts import graph, lines

from autograd import PRIMITIVES, Value, draw, topological_order


class Number:
    """A float that remembers how it was computed."""

    def __init__(self, data, op=None, args=(), raw=()):
        self.data, self.op, self.args, self.raw, self.grad = data, op, args, raw, 0.0


def apply(op, *args):
    raw = [arg.data if isinstance(arg, Number) else arg for arg in args]
    return Number(OPERATIONS[op][0](*raw), op, args, raw)


OPERATIONS = {
    "add": (lambda a, b: a + b, [lambda y, a, b: 1.0, lambda y, a, b: 1.0]),
    "multiply": (lambda a, b: a * b, [lambda y, a, b: b, lambda y, a, b: a]),
    "tanh": (math.tanh, [lambda y, x: 1.0 - y * y]),
}
Number.__add__ = Number.__radd__ = lambda a, b: apply("add", a, b)
Number.__mul__ = lambda a, b: apply("multiply", a, b)
Number.tanh = lambda x: apply("tanh", x)

a, b = Number(2.0), Number(-3.0)
c = a * b
print("partial derivatives of a * b:", [rule(c.data, *c.raw) for rule in OPERATIONS["multiply"][1]])
for op, (forward, rules) in OPERATIONS.items():  # each rule against a nudge of its operand to both sides
    x = [0.5, -0.3][: len(rules)]
    for i, rule in enumerate(rules):
        up, down = (forward(*x[:i], x[i] + h, *x[i + 1 :]) for h in (1e-6, -1e-6))
        assert abs(rule(forward(*x), *x) - (up - down) / 2e-6) < 1e-8, f"check rule {i} of {op}"
x = np.linspace(-3, 3, 121)
lines("00_rule_of_tanh", {"tanh": (x, np.tanh(x)), "its rule, 1 - y * y": (x, 1 - np.tanh(x) ** 2)}, "x", "y")

# %% [markdown]
# ## The loop, and fan-out
#
# From the last to the first, each node passes its gradient, times the partial derivative, on to its operands; shares
# add up.  Predict the gradient of `a` in `a * b + a`, and its value with `=` instead of `+=`.


# %%
def backward(order):
    for node in order:
        node.grad = float(node is order[-1])
    for node in reversed(order):
        for arg, rule in zip(node.args, OPERATIONS[node.op][1] if node.op else [], strict=True):
            if isinstance(arg, Number):
                arg.grad += node.grad * rule(node.data, *node.raw)


d = c + a
backward([a, b, c, d])
print("gradient of a in a * b + a:", a.grad)
assert a.grad == b.data + 1.0
p, q = Value(2.0, name="a"), Value(-3.0, name="b")
graph("00_fan_out", draw(p * q + p, path=p))  # the library draws both ways from `a` to the result

# %% [markdown]
# ## Why the order matters
#
# In `e = d * c`, `c` has two users, `d` and `e`.  Predict `b.grad` if `c` passes its gradient on before `d` does.
# `sort` prevents that: it appends each node once, after all of its operands.


# %%
def sort(node, order):
    if isinstance(node, Number) and node not in order:
        for arg in node.args:
            sort(arg, order)
        order.append(node)
    return order


e = d * c
for order in ([a, b, d, c, e], sort(e, [])):
    backward(order)
    print("b.grad with c", "after d:" if order[3] is d else "before d:", b.grad)
assert b.grad == (d.data + c.data) * a.data
r = p * q
r.name = "c"
graph("00_order", draw((r + p) * r))

# %% [markdown]
# ## A network, and the library
#
# Four neurons learn XOR.  Predict how far your gradients differ from the library's.  `Number` is its `Node`,
# `OPERATIONS` its `PRIMITIVES`, `sort` its `topological_order`, and the loop is in its `backward`.


# %%
def loss_of(w):
    xor = [(0.0, 0.0, -1.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, -1.0)]
    neurons = list(zip(w[:4], w[4:8], w[8:12], w[12:], strict=True))
    errors = [sum((u * x1 + v * x2 + b).tanh() * o for u, v, b, o in neurons) + -target for x1, x2, target in xor]
    return sum(error * error for error in errors)


mine = [Number(math.sin(7.0 * i)) for i in range(1, 17)]
theirs = [Value(w.data) for w in mine]
expected = loss_of(theirs)
expected.backward()
losses = []
for step in range(200):
    nodes = sort(loss_of(mine), [])
    backward(nodes)
    if step == 0:
        assert [w.grad for w in mine] == [w.grad for w in theirs]
        assert [n.op and PRIMITIVES[n.op] for n in nodes] == [n.op for n in topological_order(expected)]
        print(f"the same 16 gradients, and the same {len(nodes)} nodes in the same order; loss {nodes[-1].data:.1e}")
    losses.append(nodes[-1].data)
    for w in mine:
        w.data -= 0.1 * w.grad
lines("00_xor", {"loss": losses}, "step", "loss", log=True)
print(f"loss after 200 steps {nodes[-1].data:.1e}")
assert nodes[-1].data < 1e-20
