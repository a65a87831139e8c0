"""11. Record and replay: a training step is a program, written once and run again."""

# %% [markdown]
# # The graph as a program
#
# Every step of a training builds the same graph, differentiates it and discards it; only the data differ.
# `compile` records the operations of one step, the *tape*, and replays them in later calls.

# %%
import time

import numpy as np

import autograd
import nn
import optim
from autograd import RecordingError, Tensor, Value, where

v = Value(2.0, name="v")
step = autograd.compile(lambda: (v * v + v).tanh())
loss = step()  # the first call records, and answers
print(step.source())

# %% [markdown]
# `the_v` is the leaf; each call reads its current value.  The lines up to the comment are the forward pass, one line
# per operation.  Below it is the chain rule: `1 - tanh_1 * tanh_1` is the derivative of `tanh`, times `v` is the
# product rule, and the two paths from `v` are added.  The tape defines no derivatives of its own: the loop of the
# backward pass ran once on nodes, so its computations were recorded as operations too.
#
# ## The same gradients
#
# A call stores its gradients in `.grad`, as `backward()` does.

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
# during the recording, here `2 * scale`, are constants of the tape.

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

# %% [markdown]
# ## Branches
#
# An `if` would be evaluated once, during the recording, and a replay would follow the old branch for new data.
# Recording therefore raises an error that recommends `where`, which computes both sides and selects by element in
# each replay.

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

# %% [markdown]
# ## Loss and gradients of a network
#
# Forward, loss and every gradient of a network as one list of array operations.  The program reuses a
# buffer after its last use, which is known in advance, unlike in a graph of nodes.

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
print("the same gradients")

# %% [markdown]
# ## The update, too
#
# The rule of an optimizer consists of operators and NumPy functions, so it is recorded by calling it with nodes.
# `parameters` is one vector that holds all parameters, and each weight is a part of it; the gradients are written side
# by side into another.  Adam's rule follows, on the whole vector.  Its scalars, such as the learning rate `lr`, are
# inputs that are computed for each step, so schedules keep working.

# %%
step = autograd.compile(lambda x, y: criterion(model(x), y), optimizer=optim.Adam(model.parameters()))
step(inputs, targets)
source = step.source()
print(source[: source.index(")") + 2])
print(source[source.index("    gradient = ") :])

# %% [markdown]
# ## The same step by hand
#
# This is what a training step costs in plain NumPy, with the derivatives written by hand.


# %%
class ByHand:
    """A network of two layers, its gradients and Adam, without automatic differentiation."""

    def __init__(self, network):
        self.parameters = [p.data.copy() for p in network.parameters()]
        self.means = [np.zeros_like(p) for p in self.parameters]
        self.squares = [np.zeros_like(p) for p in self.parameters]
        self.t = 0

    def __call__(self, x, y):
        """Take a step, and return the loss before it."""
        w1, b1, w2, b2 = self.parameters
        h = np.tanh(x @ w1.T + b1)
        error = h @ w2.T + b2 - y
        d_output = error * (2.0 / error.size)
        d_hidden = (d_output @ w2) * (1.0 - h * h)
        gradients = [d_hidden.T @ x, d_hidden.sum(axis=0), d_output.T @ h, d_output.sum(axis=0)]
        self.t += 1
        for i, g in enumerate(gradients):
            m = self.means[i] = 0.9 * self.means[i] + 0.1 * g
            v = self.squares[i] = 0.999 * self.squares[i] + 0.001 * g * g
            m_hat, v_hat = m / (1 - 0.9**self.t), v / (1 - 0.999**self.t)
            self.parameters[i] = self.parameters[i] - 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8)
        return (error * error).mean()


def network_and_step():
    """Return a new network with a compiled training step."""
    network = nn.MLP(2, [8, 1], activation="tanh", rng=0)
    optimizer = optim.Adam(network.parameters())
    return network, autograd.compile(lambda x, y: criterion(network(x), y), optimizer=optimizer)


network, step = network_and_step()
by_hand = ByHand(network)
for _ in range(10):
    assert np.isclose(step(inputs, targets).item(), by_hand(inputs, targets), rtol=1e-12)
assert all(np.allclose(p.data, q) for p, q in zip(network.parameters(), by_hand.parameters, strict=True))
print("ten equal steps")

# %% [markdown]
# ## Many steps in one call
#
# `step.many` takes the data and a matrix of row numbers, a row for each step, and returns the losses.  The data stay
# where they are; with numba (`pip install chainrule[fast]`) all steps run as machine code.

# %%
rows = np.array([rng.permutation(32)[:16] for _ in range(100)])
network, step = network_and_step()
_, one_by_one = network_and_step()
losses = step.many(inputs, targets, rows)
assert np.allclose(losses, [one_by_one(inputs[r], targets[r]).item() for r in rows], rtol=1e-9)
print("losses", losses[:3], "...", losses[-1])

# %% [markdown]
# ## The time of a step


# %%
def microseconds(function, steps=1, repetitions=200):
    """Return the median time of a step."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) / steps)
    return 1e6 * float(np.median(times))


network, step = network_and_step()
optimizer = optim.Adam(network.parameters())
gradients = autograd.compile(lambda x, y: criterion(network(x), y))


def eager():
    optimizer.zero_grad()
    criterion(network(inputs), targets).backward()
    optimizer.step()


def replayed_gradients():
    optimizer.zero_grad()
    gradients(inputs, targets)
    optimizer.step()


rows = np.tile(np.arange(32), (50, 1))
table = {
    "eager": microseconds(eager),
    "replay of loss and gradients, eager update": microseconds(replayed_gradients),
    "replay of the whole step": microseconds(lambda: step(inputs, targets)),
    "many steps in one call": microseconds(lambda: step.many(inputs, targets, rows), 50, 20),
    "NumPy by hand": microseconds(lambda: by_hand(inputs, targets)),
}
for name, time_of_step in table.items():
    print(f"{name:45} {time_of_step:8.1f} us")
print("`nn.training.fit` compiles its steps by itself, and takes many in one call where nothing happens in between")
