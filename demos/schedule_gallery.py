"""Learning-rate schedules in one picture: the rate over 100 steps."""

# %% [markdown]
# # A gallery of schedules
#
# A learning rate that is right at the start is too large at the end: far from the minimum big steps save time, close to
# it they jump across.  A schedule is a function of the step count:
# `scheduler.step()` after each `optimizer.step()` sets the next rate in the optimizer.
#
# `preview` walks a schedule without any optimizer; `Rates` stands in for one.

# %%
import argparse
import math
from pathlib import Path

from matplotlib.figure import Figure

from optim import lr_scheduler as lr
from optim.lr_scheduler import Rates, preview, sparkline

STEPS = 100

FALL = {
    "StepLR": lambda opt: lr.StepLR(opt, step_size=25, gamma=0.5),
    "MultiStepLR": lambda opt: lr.MultiStepLR(opt, milestones=[30, 45, 80], gamma=0.4),
    "ExponentialLR": lambda opt: lr.ExponentialLR(opt, gamma=0.96),
    "InverseTimeLR": lambda opt: lr.InverseTimeLR(opt, decay=0.08),
    "PolynomialLR": lambda opt: lr.PolynomialLR(opt, total_iters=90, power=2),
    "REXLR": lambda opt: lr.REXLR(opt, total_iters=100),
    "FlatCosineLR": lambda opt: lr.FlatCosineLR(opt, total_iters=100),
    "LambdaLR": lambda opt: lr.LambdaLR(opt, lambda t: 1 / (1 + (t / 40) ** 4)),
    "MultiplicativeLR": lambda opt: lr.MultiplicativeLR(opt, lambda t: 0.99 if t < 50 else 0.94),
}
CYCLE = {
    "CosineAnnealingLR": lambda opt: lr.CosineAnnealingLR(opt, T_max=100),
    "CosineAnnealingWarmRestarts": lambda opt: lr.CosineAnnealingWarmRestarts(opt, T_0=15, T_mult=2),
    "OneCycleLR": lambda opt: lr.OneCycleLR(opt, max_lr=1.0, total_steps=STEPS),
    "OneCycleLR(three_phase=True)": lambda opt: lr.OneCycleLR(opt, 1.0, STEPS, three_phase=True),
    "CyclicLR": lambda opt: lr.CyclicLR(opt, 0.1, 1.0, step_size_up=12),
    'CyclicLR(mode="triangular2")': lambda opt: lr.CyclicLR(opt, 0.1, 1.0, step_size_up=12, mode="triangular2"),
    'CyclicLR(mode="exp_range")': lambda opt: lr.CyclicLR(opt, 0.1, 1.0, 12, mode="exp_range", gamma=0.98),
    "SWALR": lambda opt: lr.SWALR(opt, swa_lr=0.3, anneal_epochs=60),
    "CosLog4LR": lambda opt: lr.CosLog4LR(opt, total_iters=100),
    "ChebyshevLR": lambda opt: lr.ChebyshevLR(opt, total_iters=16),
}
COMBINE = {
    "ConstantLR": lambda opt: lr.ConstantLR(opt, factor=0.3, total_iters=30),
    "LinearLR": lambda opt: lr.LinearLR(opt, start_factor=0.1, total_iters=50),
    "PiecewiseLinearLR": lambda opt: lr.PiecewiseLinearLR(opt, [0, 15, 60, 99], [0, 1, 0.4, 0]),
    "TrapezoidLR": lambda opt: lr.TrapezoidLR(opt, warmup=15, stable=50, decay=35),
    "InverseSqrtLR": lambda opt: lr.InverseSqrtLR(opt, warmup=20),
    "WarmupLR of CosineAnnealingLR": lambda opt: lr.WarmupLR(lr.CosineAnnealingLR(opt, T_max=80), steps=20),
    "WarmupLR of StepLR": lambda opt: lr.WarmupLR(lr.StepLR(opt, step_size=30, gamma=0.5), steps=10),
    "WarmupLR of REXLR": lambda opt: lr.WarmupLR(lr.REXLR(opt, total_iters=80), steps=20),
    "SequentialLR": lambda opt: lr.SequentialLR(opt, [lr.ConstantLR(opt, 0.3, 99), lr.ExponentialLR(opt, 0.95)], [30]),
    "ChainedScheduler": lambda opt: lr.ChainedScheduler(
        [lr.LinearLR(opt, 0.2, 1.0, 20), lr.ExponentialLR(opt, 0.97), lr.StepLR(opt, 60, gamma=0.5)]
    ),
}
FAMILIES = (
    ("falling", "#2f6fb5", FALL),
    ("annealing and cycling", "#b3541e", CYCLE),
    ("warming up and combining", "#4f7a28", COMBINE),
)

curves = {name: preview(make(Rates(1.0)), STEPS) for _, _, family in FAMILIES for name, make in family.items()}

# %% [markdown]
# `ReduceLROnPlateau` is not a function of the step: it follows a metric, here a loss that falls and then stagnates.

# %%
watched, rates = Rates(1.0), []
plateau = lr.ReduceLROnPlateau(watched, factor=0.5, patience=9)
for t in range(STEPS):
    rates += plateau.get_last_lr()
    plateau.step(max(math.exp(-t / 15), 0.1))
FALL["ReduceLROnPlateau"] = plateau
curves["ReduceLROnPlateau"] = rates

# %% [markdown]
# A line of text often suffices.  `sparkline` draws from the lowest to the highest rate; a 0 and a 1 before
# each curve, cut off again, let all bars start at zero, so that they compare.

# %%
for name, curve in curves.items():
    print(f"{name:29s} {sparkline([0, 1, *curve[::2]], width=52)[2:]}")

# %% [markdown]
# Check the drops, the peaks at the end of the warm-up and the lengths of the cycles.

# %%
assert [curves["StepLR"][t] for t in (24, 25, 99)] == [1.0, 0.5, 0.125]
assert math.isclose(curves["CosineAnnealingLR"][50], 0.5)
assert [t for t in range(STEPS) if curves["CosineAnnealingWarmRestarts"][t] == 1.0] == [0, 15, 45]
assert max(curves["OneCycleLR"]) == curves["OneCycleLR"][29] == 1.0
assert curves["WarmupLR of CosineAnnealingLR"][19:21] == [1.0, 1.0]
assert curves["SequentialLR"][29:31] == [0.3, 1.0]
assert math.isclose(curves["ChainedScheduler"][60], 0.97**60 * 0.5)
stall = next(t for t in range(STEPS) if math.exp(-t / 15) <= 0.1)
assert [rates[t] for t in (stall + 10, stall + 11)] == [1.0, 0.5]  # the tenth bad step fires
assert all(0 <= rate <= 1 + 1e-12 for curve in curves.values() for rate in curve)

# %%
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture (default: out)")
out = parser.parse_args().out

figure = Figure(figsize=(19, 11), layout="constrained")
parts = figure.subfigures(1, 3, wspace=0.03)
for part, (heading, color, family) in zip(parts, FAMILIES, strict=True):
    part.suptitle(heading, fontsize=17, color=color, fontweight="bold")
    for axes, name in zip(part.subplots(5, 2, sharex=True, sharey=True).flat, family, strict=True):
        axes.fill_between(range(STEPS), curves[name], step="mid", color=color, alpha=0.13, linewidth=0)
        axes.step(range(STEPS), curves[name], where="mid", color=color, linewidth=2)
        axes.set_title(name, loc="left", fontsize=10.5, family="monospace")
        axes.set(xlim=(0, STEPS), ylim=(0, 1.08), xticks=[0, 50, 100], yticks=[0, 1])
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=0, labelsize=9, colors="#666")
out.mkdir(parents=True, exist_ok=True)
figure.savefig(out / "schedules.png", dpi=110)
print(f"wrote {out / 'schedules.png'}")
