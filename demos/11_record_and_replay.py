"""11. Record and replay: a training step is a program, written once and run again."""

# %% [markdown]
# # The graph as a program
#
# Every step of a training builds the same graph, differentiates it and discards it; only the data differ.
# `compile` records the operations of one step, the *tape*, and replays them in later calls.  Predict the lines of the
# program of `tanh(v * v + v)` and of its gradient.

# %%
import numpy as np
from charts import graph, lines

import autograd
import nn
from autograd import RecordingError, Tensor, Value, draw, gradients, where

v = Value(2.0, name="v")
step = autograd.compile(lambda: (v * v + v).tanh())
loss = step()  # the first call records, and answers
print(step.source())
slope = gradients((v * v + v).tanh(), v, create_graph=True)
slope.name = "dL/dv"
graph("11_both_passes", draw(slope, gradients=False))

# %% [markdown]
# `v` is the leaf; each call reads its current value.  The lines up to the comment are the forward pass, one line
# per operation.  Below it is the chain rule: `1 - tanh_1 * tanh_1` is the derivative of `tanh`, times `v` is the
# product rule, and the two paths from `v` are added.  The tape defines no derivatives of its own: the loop of the
# backward pass ran once on nodes, so its computations were recorded as operations too.
#
# A call stores its gradients in `.grad`, as `backward()` does.  Predict whether they are close or equal.

# %%
replayed = v.grad
v.zero_grad()
again = (v * v + v).tanh()
again.backward()
print("replayed", replayed, "  backward()", v.grad)
assert loss.data == again.data
assert replayed == v.grad

# %% [markdown]
# ## Inputs of a replay
#
# A replay reads the leaves and the arguments: change `v` and the result changes.  Other values that Python computed
# during the recording, here `2 * scale`, are constants of the tape.  Predict what changes when `v` and `scale` do.

# %%
v.data = 0.25
v.zero_grad()
print("at 0.25:", step().data, v.grad)
assert np.isclose(step().data, np.tanh(0.25 * 0.25 + 0.25))

scale = 1.0
scaled = autograd.compile(lambda x: x * (2 * scale))
before = scaled(3.0)
scale = 100.0
assert before == scaled(3.0) == 6.0  # pass it as an argument instead
print("with a scale of 100:", scaled(3.0))
at, found = np.linspace(-2, 2, 81), []
for v.data in at.tolist():
    v.zero_grad()
    found.append((step().data, v.grad))
values, slopes = np.array(found).T
assert np.allclose(values, np.tanh(at * at + at))
lines("11_replays", {"value": (at, values), "gradient": (at, slopes)}, "v, one replay for each point", "")

# %% [markdown]
# ## Branches
#
# An `if` would be evaluated once, during the recording, and a replay would follow the old branch for new data.
# Recording therefore raises an error that recommends `where`, which computes both sides and selects by element in
# each replay.  Predict the replayed sum of `where(x > 0, x, -x)` for new data.

# %%
x = Tensor([1.0, -2.0], requires_grad=True, name="x")
try:
    autograd.compile(lambda: x.sum() if x.sum() > 0 else -x.sum())()
    raise AssertionError("an if was recorded")
except RecordingError as error:
    print("refused:", str(error).split(": ")[1].split(" while autograd")[0])

size = autograd.compile(lambda: where(x > 0, x, -x).sum())
assert size().item() == 3.0
x.data = np.array([-5.0, -2.0])
x.zero_grad()
assert size().item() == 7.0  # the mask was recomputed
print("where:  ", next(line for line in size.source().split("\n") if "where" in line).strip())
assert x.grad.tolist() == [-1.0, -1.0]
sizes = []
for a in at:
    x.zero_grad()
    x.data = np.array([a, 0.0])
    sizes.append(size().item())
assert np.allclose(sizes, np.abs(at))
lines("11_where", {"replays of where": (at, sizes), "a frozen branch": (at, at)}, "x", "")

# %% [markdown]
# ## Loss and gradients of a network
#
# Forward, loss and every gradient of a network as one list of array operations.  The program reuses a
# buffer after its last use, which is known in advance, unlike in a graph of nodes.  Predict where the comment
# `# backward` stands: which lines below it belong to which layer?

# %%
rng = np.random.default_rng(0)
inputs, targets = rng.normal(size=(32, 2)), rng.normal(size=(32, 1))
model = nn.MLP(2, [8, 1], activation="tanh", rng=0)
criterion = nn.MSELoss()
train = autograd.compile(lambda x, y: criterion(model(x), y))
recorded = train(inputs, targets)
print(train.source())

by_tape = [p.grad for p in model.parameters()]
model.zero_grad()
criterion(model(inputs), targets).backward()
assert all(np.allclose(a, p.grad) for a, p in zip(by_tape, model.parameters(), strict=True))
graph("11_network", draw(model, inputs, loss=lambda z: criterion(z, targets), zoom="tensors"))
print("the same gradients; chapter 12 records the update of the parameters, too")
