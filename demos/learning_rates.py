"""Learning rates: too small, right, too large; found by a sweep; and every schedule on one task."""

# %% [markdown]
# # The learning rate
#
# Too small, and training crawls; too large, and it jumps over every minimum, or flies off.

# %%
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import plain

import nn
import optim
from nn.training import fit
from optim import lr_scheduler as s

rng = np.random.default_rng(0)
X = rng.normal(size=(320, 6))
y = np.sin(X @ rng.normal(size=(6, 1))) + 0.1 * rng.normal(size=(320, 1))
EPOCHS, STEPS = 30, 30 * 10


def parts(lr):
    """Return a new model, its loss and plain gradient descent."""
    model = nn.MLP(6, [32, 1], activation="tanh", rng=0)
    return model, nn.MSELoss(), optim.SGD(model.parameters(), lr=lr)


def train(lr, schedule=None):
    """Return the loss of every epoch, the rate of every step, and what a monitor says."""
    model, criterion, optimizer = parts(lr)
    monitor, rates = nn.Monitor(model, optimizer), []

    class Rates(nn.training.Callback):
        def on_step_end(self, run):
            rates.append(optimizer.param_groups[0]["lr"])

    with np.errstate(all="ignore"):
        history = fit(
            model, criterion, optimizer, (X, y), epochs=EPOCHS, rng=0, progress=False, callbacks=[monitor, Rates()],
            scheduler=schedule and schedule(optimizer),
        )  # fmt: skip
    return history["loss"], rates, monitor.report()


# %%
runs = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # the last rate ends in nan, as it should
    for name, lr in {"too small": 1e-6, "small": 3e-3, "right": 0.1, "too large": 0.8, "far too large": 1e4}.items():
        runs[name] = train(lr)
        print(f"{name:<14} {lr:8g}: loss {runs[name][0][0]:9.3g} -> {runs[name][0][-1]:9.3g}   {runs[name][2]!r}")

# %% [markdown]
# ## Finding one
#
# Raise the rate from step to step and watch the loss: it falls, is least, explodes.  A tenth of that is a start.

# %%
curve = nn.find_lr(*parts(0.1), (X, y), rng=0)
found = train(curve.suggestion)[0]
print(f"suggested: {curve.suggestion:.2g}, loss {found[0]:.3g} -> {found[-1]:.3g}")
Path("out").mkdir(exist_ok=True)
curve.plot("out/lr_finder.png")

# %%
# Every schedule on one task.
SCHEDULES = {
    "constant": None,
    "step": lambda o: s.StepLR(o, step_size=10, gamma=0.3),
    "multi-step": lambda o: s.MultiStepLR(o, milestones=[15, 25], gamma=0.2),
    "exponential": lambda o: s.ExponentialLR(o, gamma=0.9),
    "inverse time": lambda o: s.InverseTimeLR(o, 0.2),
    "polynomial": lambda o: {"step": s.PolynomialLR(o, total_iters=STEPS, power=2.0)},
    "cosine": lambda o: {"step": s.CosineAnnealingLR(o, T_max=STEPS)},
    "warm restarts": lambda o: {"step": s.CosineAnnealingWarmRestarts(o, T_0=100)},
    "one cycle": lambda o: {"step": s.OneCycleLR(o, max_lr=0.4, total_steps=STEPS, cycle_momentum=False)},
    "cyclic": lambda o: {"step": s.CyclicLR(o, base_lr=0.02, max_lr=0.3, step_size_up=50, cycle_momentum=False)},
    "trapezoid": lambda o: {"step": s.TrapezoidLR(o, warmup=30, stable=180, decay=90)},
    "plateau": lambda o: s.ReduceLROnPlateau(o, patience=2, factor=0.3),
}
scheduled = {name: train(0.2, schedule) for name, schedule in SCHEDULES.items()}
for name, (losses, rates, _) in scheduled.items():
    print(f"{name:<14} rate {rates[0]:.3f} -> {rates[-1]:.4f}   loss {losses[-1]:.4f}")

# %%
figure = Figure(figsize=(11, 7), layout="constrained")
(first, second), (third, fourth) = figure.subplots(2, 2)
for name, (losses, _, _) in runs.items():
    first.plot(np.minimum(losses, 1e6), label=name)
first.set(yscale="log", ylim=(1e-1, 1e2), title="loss: five learning rates", xlabel="epoch")
second.plot(curve.rates, curve.smooth)
second.axvline(curve.suggestion, linestyle="--", color="grey", label=f"suggested {curve.suggestion:.2g}")
second.set(xscale="log", ylim=(0, 2 * curve.smooth[0]), title="loss while the rate rises", xlabel="learning rate")
for name, (losses, rates, _) in scheduled.items():
    third.plot(rates, label=name)
    fourth.plot(losses)
third.set(title="learning rate", xlabel="step")
fourth.set(yscale="log", title="loss under each schedule", xlabel="epoch")
for axes in (first, second):
    axes.legend(frameon=False, fontsize=8)
third.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
for axes in (first, second, third, fourth):
    plain(axes)
figure.savefig("out/learning_rates.png", dpi=120)
print("wrote out/lr_finder.png and out/learning_rates.png")

# %%
assert runs["right"][0][-1] < 0.5 * min(runs[name][0][-1] for name in ("too small", "small"))
assert "learning rate too small" in runs["too small"][2]
assert "learning rate too large" in runs["too large"][2] or "divergence" in runs["too large"][2]
assert "nan" in runs["far too large"][2]
assert runs["right"][2].kinds == [] or runs["right"][2].kinds == ["plateau"]
assert found[-1] < 3 * runs["right"][0][-1]
assert all(losses[-1] < 0.6 * losses[0] for losses, _, _ in scheduled.values())
