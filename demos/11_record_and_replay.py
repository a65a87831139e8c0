"""11. Record and replay: a training step is a program, written once and run again."""

# %% [markdown]
# # The graph as a program
#
# Every step of a training builds the same graph, walks it backwards, and throws it away.  Only the numbers differ.
# `compile` watches one step, writes down what was computed, and repeats that list ever after: the tape.

# %%
import numpy as np

import autograd
import nn
from autograd import RecordingError, Tensor, Value, where

v = Value(2.0, name="v")
step = autograd.compile(lambda: (v * v + v).tanh())
loss = step()  # the first call records, and answers
print(step.source())

# %% [markdown]
# Read it from the top.  `the_v` is the leaf, asked for its number anew in each call.  Down to the comment is the
# forward pass, one line per operation.  Below it is the chain rule: `1 - tanh_1 * tanh_1` is the derivative line of
# `tanh`, times `v` is the product rule, and the two paths from `v` are added.  Nobody wrote derivatives for the tape:
# the one loop ran once, on nodes instead of numbers, so that what it did became operations too.
#
# ## The same numbers
#
# A call leaves its gradients where `backward()` would.

# %%
replayed = v.grad
v.zero_grad()
again = (v * v + v).tanh()
again.backward()
print("replayed", replayed, "  backward()", v.grad)
assert loss.data == again.data
assert replayed == v.grad

# %% [markdown]
# ## What a replay asks anew
#
# The leaves and the arguments: change `v` and the answer changes.  What Python computed on the way, here `2 * scale`,
# was a number when the tape was written, and stays that number.

# %%
v.data = 0.25
v.zero_grad()
print("at 0.25:", step().data, v.grad)
assert np.isclose(step().data, np.tanh(0.25 * 0.25 + 0.25))

scale = 1.0
scaled = autograd.compile(lambda x: x * (2 * scale))
before = scaled(3.0)
scale = 100.0
assert before == scaled(3.0) == 6.0  # hand it over as an argument if it shall count

# %% [markdown]
# ## A branch on numbers
#
# An `if` is decided while recording, once; a replay would follow the old branch for new numbers.  So a tape refuses
# to be asked, and says what to write: `where` computes both sides and chooses by element, in each replay.

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
assert size().item() == 7.0  # the mask was computed anew
print("where:  ", next(line for line in size.source().split("\n") if "where" in line).strip())
assert x.grad.tolist() == [-1.0, -1.0]

# %% [markdown]
# ## A whole training step
#
# Forward, loss and every gradient of a network as one list of array operations.  Buffers are used again as soon as
# nobody reads them any more, which no graph of nodes can know in advance.

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
print("the same gradients; `nn.training.fit` compiles its steps by itself")
