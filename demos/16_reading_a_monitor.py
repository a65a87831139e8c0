"""16. Reading a monitor: what a healthy training looks like, and four that are not."""

# %% [markdown]
# # Reading a monitor
#
# A loss that does not fall has many causes.  `nn.Monitor` samples what happens inside: the size of weights, gradients
# and updates of every layer, and the activations.  As a callback of `fit` it needs no further code.  Predict the
# report of a healthy training.

# %%
import warnings

import numpy as np
from charts import lines
from toys import moons

import nn
import optim

X, labels = moons(256, noise=0.15, seed=0)


def train(lr=0.1, widths=(16, 16, 2), activation="relu", change=None, epochs=20):
    """Train on the moons, and return what the monitor saw."""
    model = nn.MLP(2, list(widths), activation=activation, rng=0)
    if change:
        change(model)
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    monitor = nn.Monitor(model, optimizer, every=5)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # one of the trainings diverges on purpose
        nn.training.fit(
            model, nn.CrossEntropyLoss(), optimizer, (X, labels),
            epochs=epochs, rng=0, callbacks=monitor, progress=False,
        )  # fmt: skip
    return monitor


healthy = train()
print(healthy.report())
assert not healthy.report().verdicts
lines("16_healthy", {"loss of a batch": healthy.losses}, "step", "loss", log=True)

# %% [markdown]
# ## The ratio of update to weight
#
# `norm` of a sample has three rows: weights, gradients, updates.  An update of about a thousandth of the weight per
# step is healthy.  Far below, the training crawls; far above, it jumps.  Predict how the ratio depends on the rate.


# %%
def update_ratio(monitor):
    """Return the median over the samples of update / weight, for the first weight matrix."""
    return float(np.median([s.norm[2][0] / s.norm[0][0] for s in monitor.samples if np.isfinite(s.norm[:, 0]).all()]))


crawling = train(lr=1e-6)
for name, monitor in (("healthy", healthy), ("crawling", crawling)):
    print(f"{name:9} update / weight {update_ratio(monitor):.0e}, loss {monitor.losses[-1]:.3f}")
assert 1e-4 < update_ratio(healthy) < 1e-1
assert update_ratio(crawling) < 1e-5
assert "learning rate too small" in crawling.report()
ratios = {
    name: ([s.step for s in monitor.samples], [s.norm[2][0] / s.norm[0][0] for s in monitor.samples])
    for name, monitor in (("healthy", healthy), ("crawling", crawling))
}
lines("16_ratio", ratios, "step", "update / weight", log=True)

# %% [markdown]
# ## Four patients
#
# Predict the diagnosis of each: a learning rate of 50, ten sigmoid layers, hidden biases of -20 under ReLUs, and
# weights twenty times too large under tanhs.


# %%
def shift_biases(model):
    model[0].bias.data = model[0].bias.data - 20.0


def enlarge(model):
    model[0].weight.data = 20 * model[0].weight.data


PATIENTS = {
    "rate of 50": (train(lr=50.0, epochs=5), {"nan", "divergence", "learning rate too large", "dead units"}),
    "ten sigmoids": (train(widths=[16] * 10 + [2], activation="sigmoid"), {"vanishing"}),
    "biases of -20": (train(change=shift_biases), {"dead units"}),
    "large weights": (train(activation="tanh", change=enlarge), {"saturation"}),
}
for name, (monitor, expected) in PATIENTS.items():
    report = monitor.report()
    print(f"\n{name}: {report}")
    assert expected & set(report.kinds), (name, report.kinds)
losses = {name: monitor.losses for name, (monitor, _) in PATIENTS.items()}
lines("16_patients", {"healthy": healthy.losses, **losses}, "step", "loss", log=True, at_most=1e6)

# %% [markdown]
# ## The gradient of each layer
#
# As a picture: the gradients of the healthy network have similar sizes in all layers, those of the
# sigmoids fall by orders of magnitude towards the input.  Predict the factor per layer.

# %%
curves = {}
for name, monitor in (("healthy", healthy), ("ten sigmoids", PATIENTS["ten sigmoids"][0])):
    matrices = [i for i, shape in enumerate(monitor.shapes) if len(shape) == 2]
    gradients = np.median([s.norm[1][matrices] for s in monitor.samples], axis=0)
    curves[name] = np.linspace(0, 1, len(gradients)), gradients
    print(f"{name:12} factor per layer {(gradients[0] / gradients[-1]) ** (1 / (len(gradients) - 1)):.2f}")
lines("16_reading_a_monitor", curves, "depth, from input (0) to output (1)", "norm of the gradient", log=True)
assert gradients[0] < 1e-3 * gradients[-1]
