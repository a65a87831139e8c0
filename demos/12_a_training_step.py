"""12. A training step: loss, gradients and update as one program, and many steps in one call."""

# %% [markdown]
# # A training step as a program
#
# The rule of an optimizer consists of operators and NumPy functions, so it is recorded by calling it with nodes.
# `parameters` is one vector that holds all parameters, and each weight is a part of it; the gradients are written side
# by side into another.  Adam's rule follows, on the whole vector.  Its scalars, such as the learning rate `lr`, are
# inputs that are computed for each step, so schedules keep working.  Predict the lines that Adam adds.

# %%
import time

import numpy as np
from charts import bars, graph, lines

import autograd
import nn
import optim

rng = np.random.default_rng(0)
inputs, targets = rng.normal(size=(32, 2)), rng.normal(size=(32, 1))
criterion = nn.MSELoss()


def network_and_step():
    """Return a new network with a compiled training step."""
    network = nn.MLP(2, [8, 1], activation="tanh", rng=0)
    optimizer = optim.Adam(network.parameters())
    return network, autograd.compile(lambda x, y: criterion(network(x), y), optimizer=optimizer)


network, step = network_and_step()
step(inputs, targets)
source = step.source()
print(source[: source.index(")") + 2])
print(source[source.index("    gradient = ") :])
graph("12_network", autograd.draw(network, inputs, loss=lambda z: criterion(z, targets), zoom="tensors"))

# %% [markdown]
# ## The same step by hand
#
# This is what a training step costs in plain NumPy.  Predict the number of digits to which both losses agree.


# %%
class ByHand:
    """A network of two layers, its gradients and Adam, in plain NumPy."""

    def __init__(self, network):
        self.parameters = [p.data.copy() for p in network.parameters()]
        self.means, self.squares = ([np.zeros_like(p) for p in self.parameters] for _ in range(2))
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


network, step = network_and_step()
by_hand = ByHand(network)
losses = np.array([(step(inputs, targets).item(), by_hand(inputs, targets)) for _ in range(50)])
assert np.allclose(*losses.T, rtol=1e-12)
print("largest relative difference of the losses:", f"{np.abs(losses[:, 0] / losses[:, 1] - 1).max():.0e}")
lines("12_by_hand", {"compiled": losses[:, 0], "by hand": losses[:, 1]}, "step", "loss")
assert all(np.allclose(p.data, q) for p, q in zip(network.parameters(), by_hand.parameters, strict=True))

# %% [markdown]
# ## Many steps in one call
#
# `step.many` takes the data and a matrix of row indices, a row for each step, and returns the losses.  The data stay
# where they are; with numba (`pip install chainrule[fast]`) all steps run as machine code.  Predict
# the number of losses that 100 steps return.

# %%
rows = np.array([rng.permutation(32)[:16] for _ in range(100)])
network, step = network_and_step()
_, one_by_one = network_and_step()
losses = step.many(inputs, targets, rows)
assert np.allclose(losses, [one_by_one(inputs[r], targets[r]).item() for r in rows], rtol=1e-9)
print("losses", losses.shape, losses[:3], "...", losses[-1])
lines("12_many", {"loss of the batch": losses}, "step", "loss")

# %% [markdown]
# ## The time of a step
#
# `nn.training.fit` takes many steps in one call where nothing has to happen between them.  Predict the order of the
# four.


# %%
def microseconds(function, steps=1, repetitions=200):
    """Return the shortest time of a step."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) / steps)
    return 1e6 * min(times)


optimizer = optim.Adam(network.parameters())


def eager():
    optimizer.zero_grad()
    criterion(network(inputs), targets).backward()
    optimizer.step()


rows = np.tile(np.arange(32), (50, 1))
times = {
    "eager": microseconds(eager),
    "one step a call": microseconds(lambda: step(inputs, targets)),
    "many steps in one call": microseconds(lambda: step.many(inputs, targets, rows), 50, 20),
    "NumPy by hand": microseconds(lambda: by_hand(inputs, targets)),
}
for way, time_of_step in times.items():
    print(f"{way:22} {time_of_step:8.1f} us")
bars("12_times", list(times), {"time": list(times.values())}, "microseconds per step")
