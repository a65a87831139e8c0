"""Batch, mini-batch and stochastic gradient descent: how noisy, how fast, how far."""

# %% [markdown]
# # One formula, three batch sizes
#
# Batch descent computes the gradient on all rows, stochastic descent on one, mini-batch descent on a few.  The step is
# always `w - lr * gradient`; only `batch_size` differs.

# %%
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import BLUE, GREY, ORANGE, plain
from toys import moons

import nn
import optim

ROWS = 500
X, labels = moons(ROWS, noise=0.15, seed=0)
VARIANTS = {"batch (500)": (ROWS, 0.5, BLUE), "mini-batch (32)": (32, 0.2, ORANGE), "stochastic (1)": (1, 0.02, GREY)}


def train(batch_size, lr, epochs):
    """Return the loss on all rows after each epoch, the loss of each step, and seconds per epoch."""
    model = nn.MLP(2, [16, 2], activation="tanh", rng=0)
    criterion, optimizer = nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=lr)
    steps = []

    class Steps(nn.training.Callback):
        def on_step_end(self, run):
            steps.append(run.last_loss)

    begin = time.perf_counter()
    history = nn.training.fit(
        model, criterion, optimizer, (X, labels), validation=(X, labels), epochs=epochs, batch_size=batch_size, rng=0,
        callbacks=Steps(), progress=False,
    )  # fmt: skip
    return history["validation loss"], steps, (time.perf_counter() - begin) / epochs


# %% [markdown]
# ## The noise of a gradient
#
# At one and the same point, the gradient of a batch scatters around that of all rows, and its spread falls as one over
# the square root of the batch size.

# %%
model = nn.MLP(2, [16, 2], activation="tanh", rng=0)
criterion, rng = nn.CrossEntropyLoss(), np.random.default_rng(0)


def gradient(rows):
    """Return the gradient of the first weights on some rows."""
    model.zero_grad()
    criterion(model(X[rows]), labels[rows]).backward()
    return model[0].weight.grad.copy()


whole = gradient(np.arange(ROWS))
noise = {}
for size in (1, 4, 16, 64, 256):
    drawn = [gradient(rng.integers(ROWS, size=size)) for _ in range(200)]
    noise[size] = float(np.sqrt(np.mean([np.sum((g - whole) ** 2) for g in drawn])))
    print(f"batches of {size:3}: noise {noise[size]:.4f}, noise * sqrt(size) {noise[size] * size**0.5:.3f}")

# %%
runs = {name: train(size, lr, epochs=12) for name, (size, lr, _) in VARIANTS.items()}
for name, (losses, steps, seconds) in runs.items():
    jitter = np.std(np.diff(steps[-100:]))
    print(f"{name:<16} loss {losses[-1]:.3f} after 12 epochs, {len(steps):5} steps, {seconds * 1e3:6.1f} ms an epoch, "
          f"jitter of the loss {jitter:.3f}")  # fmt: skip

# %%
figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
for name, (losses, _, _) in runs.items():
    left.plot(range(1, 13), losses, color=VARIANTS[name][2], marker=".", label=name)
left.set(title="loss on all rows", xlabel="epoch")
left.legend(frameon=False)
right.loglog(noise.keys(), noise.values(), "o-", color=BLUE, label="measured")
right.loglog(noise.keys(), [noise[1] / size**0.5 for size in noise], "--", color=GREY, label="1 / sqrt(batch size)")
right.set(title="noise of the gradient", xlabel="batch size")
right.set_xticks(list(noise), [str(size) for size in noise])
right.set_yticks([0.03, 0.1, 0.3], ["0.03", "0.1", "0.3"])
right.minorticks_off()
right.legend(frameon=False)
for axes in (left, right):
    plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/descent_variants.png", dpi=120)
print("wrote out/descent_variants.png")

# %% [markdown]
# ## The claims
#
# Batch descent is smooth but slow; stochastic descent takes the longest for an epoch and jitters most.

# %%
batch, mini, single = runs.values()
assert all(abs(noise[size] * size**0.5 / noise[1] - 1) < 0.25 for size in noise)
assert np.all(np.diff(batch[0]) < 0)
assert max(mini[0][-1], single[0][-1]) < batch[0][-1]
assert np.std(np.diff(single[1][-100:])) > np.std(np.diff(mini[1][-100:])) > np.std(np.diff(batch[1]))
