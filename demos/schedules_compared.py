"""Every learning-rate schedule on one task: how the rate moves, and where the loss ends."""

# %% [markdown]
# # Schedules
#
# A high rate covers distance, a low one settles; a schedule does both in turn.  One network, one optimizer, one order
# of the rows: only the schedule differs.  Some are stepped after every epoch, some after every step.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from plots import BLUE, GREY, ORANGE, plain, plain_log

import nn
import optim
from nn.training import Callback, fit
from optim import lr_scheduler as s

rng = np.random.default_rng(0)
X = rng.normal(size=(320, 6))
y = np.sin(X @ rng.normal(size=(6, 1))) + 0.1 * rng.normal(size=(320, 1))
EPOCHS, STEPS, RATE = 30, 300, 0.2

SCHEDULES = {
    "none": lambda o: None,
    "ConstantLR": lambda o: s.ConstantLR(o, factor=0.3, total_iters=5),
    "LinearLR": lambda o: {"step": s.LinearLR(o, start_factor=1.0, end_factor=0.05, total_iters=STEPS)},
    "StepLR": lambda o: s.StepLR(o, step_size=10, gamma=0.3),
    "MultiStepLR": lambda o: s.MultiStepLR(o, milestones=[15, 25], gamma=0.2),
    "ExponentialLR": lambda o: s.ExponentialLR(o, gamma=0.9),
    "InverseTimeLR": lambda o: s.InverseTimeLR(o, 0.2),
    "InverseSqrtLR": lambda o: {"step": s.InverseSqrtLR(o, 30)},
    "PolynomialLR": lambda o: {"step": s.PolynomialLR(o, total_iters=STEPS, power=2.0)},
    "LambdaLR": lambda o: s.LambdaLR(o, lambda epoch: 1 / (1 + 0.1 * epoch)),
    "MultiplicativeLR": lambda o: s.MultiplicativeLR(o, lambda epoch: 0.93),
    "CosineAnnealingLR": lambda o: {"step": s.CosineAnnealingLR(o, T_max=STEPS)},
    "CosineAnnealingWarmRestarts": lambda o: {"step": s.CosineAnnealingWarmRestarts(o, T_0=100)},
    "OneCycleLR": lambda o: s.OneCycleLR(o, max_lr=0.4, total_steps=STEPS, cycle_momentum=False),
    "CyclicLR": lambda o: s.CyclicLR(o, base_lr=0.02, max_lr=0.3, step_size_up=50, cycle_momentum=False),
    "TrapezoidLR": lambda o: {"step": s.TrapezoidLR(o, warmup=30, stable=180, decay=90)},
    "FlatCosineLR": lambda o: {"step": s.FlatCosineLR(o, total_iters=STEPS)},
    "REXLR": lambda o: {"step": s.REXLR(o, total_iters=STEPS)},
    "CosLog4LR": lambda o: {"step": s.CosLog4LR(o, total_iters=STEPS)},
    "ChebyshevLR": lambda o: {"step": s.ChebyshevLR(o, total_iters=STEPS)},
    "PiecewiseLinearLR": lambda o: s.PiecewiseLinearLR(o, milestones=[0, 5, EPOCHS], factors=[0.2, 1.5, 0.0]),
    "WarmupLR": lambda o: {"step": s.WarmupLR(s.CosineAnnealingLR(o, T_max=270), 30)},
    "SequentialLR": lambda o: s.SequentialLR(o, [s.ConstantLR(o, 1.0, 1), s.ExponentialLR(o, 0.8)], milestones=[15]),
    "ChainedScheduler": lambda o: s.ChainedScheduler([s.StepLR(o, 10, 0.5), s.ExponentialLR(o, 0.97)]),
    "ReduceLROnPlateau": lambda o: s.ReduceLROnPlateau(o, patience=2, factor=0.3),
}


class Rates(Callback):
    """Notes the learning rate of every step."""

    def __init__(self):
        self.rates = []

    def on_step_end(self, run):
        """Note the rate that the step was made with."""
        self.rates.append(run.optimizer.param_groups[0]["lr"])


# %%
rates, losses = {}, {}
for name, make in SCHEDULES.items():
    model, watch = nn.MLP(6, [32, 1], activation="tanh", rng=0), Rates()
    optimizer = optim.SGD(model.parameters(), lr=RATE)
    schedule = make(optimizer)
    history = fit(
        model,
        nn.MSELoss(),
        optimizer,
        (X, y),
        epochs=EPOCHS,
        rng=0,
        scheduler=schedule,
        callbacks=watch,
        progress=False,
    )
    rates[name], losses[name] = watch.rates, history["loss"]
    print(f"{name:<28} rate {rates[name][0]:.3f} -> {rates[name][-1]:.4f}   loss {losses[name][-1]:.4f}")

# %%
# One panel for each schedule, in the order of the final loss: the rate as an area, the loss on a logarithmic scale as a
# line, and the loss without a schedule behind it.
figure = Figure(figsize=(13, 11), layout="constrained")
panels = figure.subplots(-(-len(SCHEDULES) // 5), 5, sharex=True, sharey=True)
epochs = np.arange(1, EPOCHS + 1)
for axes, name in zip(panels.flat, sorted(SCHEDULES, key=lambda name: losses[name][-1]), strict=False):
    axes.fill_between(
        np.arange(STEPS) / STEPS * EPOCHS,
        np.array(rates[name]) / 0.42,  # as a share of the height of the panel
        transform=axes.get_xaxis_transform(),
        color=BLUE,
        alpha=0.15,
        linewidth=0,
    )
    axes.semilogy(epochs, losses["none"], color=GREY, linewidth=1)
    axes.semilogy(epochs, losses[name], color=ORANGE)
    axes.set_title(f"{name}  {losses[name][-1]:.4f}", loc="left", fontsize=9)
    plain(axes)
plain_log(panels[0, 0].yaxis)  # which all panels share
for axes in panels.flat[len(SCHEDULES) :]:
    axes.set_visible(False)
figure.supxlabel("epoch")
figure.suptitle("loss (orange; grey: constant rate) and learning rate (blue), ordered by the final loss")
Path("out").mkdir(exist_ok=True)
figure.savefig("out/schedules_compared.png", dpi=120)
print("wrote out/schedules_compared.png")

# %% [markdown]
# ## The claims
#
# All learn; and the best of them beats the best constant rate by settling at the end.

# %%
assert all(curve[-1] < 0.6 * curve[0] for curve in losses.values())
assert min(losses.values(), key=lambda curve: curve[-1])[-1] < losses["none"][-1]
named = {name for name in s.__all__ if name.endswith(("LR", "Restarts", "Scheduler", "Plateau"))}
assert named - {"LRScheduler", "SWALR"} <= set(SCHEDULES) | {"ReduceLROnPlateau"}
