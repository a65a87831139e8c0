"""Units that stop learning: dead ReLUs, saturated tanhs, and how to revive them."""

# %% [markdown]
# # Dead and saturated units
#
# A ReLU that is negative for every row gives 0 and passes no gradient, so nothing can bring it back: it is dead.  One
# step with too large a rate is enough.  Leaky ReLU keeps a slope of 0.01 below zero, and its units come back.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import GREY, ORANGE, plain
from toys import moons

import nn
import optim

X, labels = moons(256, noise=0.1, seed=0)


def dead_share(model):
    """Return the share of hidden units that are negative before the activation for every row."""
    shares, x = [], X
    for module in list(model)[:-1]:
        x = module(x)
        if isinstance(module, nn.Linear):
            shares.append(float(np.mean(np.all(x.data <= 0, axis=0))))
    return np.mean(shares)


def after_a_shock(activation, steps=300):
    """Push every hidden bias far down, train, and return the share of silent units by step and the accuracy."""
    model = nn.MLP(2, [32, 32, 2], activation=activation, rng=0)
    for name in ("0.bias", "2.bias"):
        p = dict(model.named_parameters())[name]
        p.data = p.data - np.where(np.arange(32) < 28, 4.0, 0.0)
    optimizer, criterion = optim.Adam(model.parameters(), lr=0.02), nn.CrossEntropyLoss()
    monitor = nn.Monitor(model, optimizer, every=5)
    shares = [dead_share(model)]
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(X), labels)
        loss.backward()
        optimizer.step()
        monitor.step(loss)
        shares.append(dead_share(model))
    return np.array(shares), nn.metrics.accuracy(model(X), labels), monitor.report()


relu, relu_accuracy, relu_report = after_a_shock("relu")
leaky, leaky_accuracy, leaky_report = after_a_shock("leaky_relu")
print(f"ReLU:       silent units {relu[0]:.0%} -> {relu[-1]:.0%}, accuracy {relu_accuracy:.1%}")
print(f"Leaky ReLU: silent units {leaky[0]:.0%} -> {leaky[-1]:.0%}, accuracy {leaky_accuracy:.1%}")
print(relu_report)

# %% [markdown]
# ## Saturation: which initialisation for which activation
#
# Xavier's keeps the variance through tanh, He's through ReLU.  Weights from a plain standard normal push every tanh to
# its flat ends; Xavier's under ReLU halves the signal in every layer.

# %%
STARTS = {
    ("tanh", "normal(0, 1)"): lambda w, rng: nn.init.normal_(w, rng=rng),
    ("tanh", "Xavier"): lambda w, rng: nn.init.xavier_normal_(w, rng=rng),
    ("relu", "Xavier"): lambda w, rng: nn.init.xavier_normal_(w, rng=rng),
    ("relu", "He"): lambda w, rng: nn.init.kaiming_normal_(w, rng=rng),
}
spread, saturated = {}, {}
for (activation, start), draw in STARTS.items():
    rng = np.random.default_rng(0)
    model = nn.MLP(64, [64] * 10, activation=activation, output_activation=activation, rng=rng)
    x, deviations = rng.normal(size=(200, 64)), []
    for module in model:
        if isinstance(module, nn.Linear):
            draw(module.weight, rng)
        x = module(x)
        if not isinstance(module, nn.Linear):
            deviations.append(float(np.sqrt(np.mean(x.data**2))))
    name = f"{activation}, {start}"
    spread[name], saturated[name] = deviations, float(np.mean(np.abs(x.data) > 0.97))
    print(f"{name:<20} signal {deviations[0]:.2f} -> {deviations[-1]:.3f} in ten layers")

# %%
figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
left.plot(relu, color=GREY, label="ReLU")
left.plot(leaky, color=ORANGE, label="Leaky ReLU")
left.set(title="silent units after a shock", xlabel="step", ylim=(0, 1))
left.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
for name, values in spread.items():
    right.plot(range(1, 11), values, marker=".", label=name)
right.set(title="size of the signal by layer", xlabel="layer", yscale="log")
for axes in (left, right):
    axes.legend(frameon=False, fontsize=8)
    plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/dying_relu.png", dpi=120)
print("wrote out/dying_relu.png")

# %%
assert relu[-1] > 0.5 > leaky[-1]
assert leaky_accuracy > max(relu_accuracy, 0.97)
assert "dead units" in relu_report
assert "dead units" not in leaky_report
assert saturated["tanh, normal(0, 1)"] > 0.5 > 0.01 > saturated["tanh, Xavier"]
assert spread["relu, Xavier"][-1] < 0.1 < spread["relu, He"][-1]
