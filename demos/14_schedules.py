"""14. Schedules: why a learning rate should fall, and the formulas of the common schedules."""

# %% [markdown]
# # Schedules
#
# A large rate covers distance, a small one settles close to the minimum.  A schedule is the rate as a function of the
# step.  To see why it should fall, minimize `w**2 / 2` with gradients that carry noise, as those of a mini-batch do.
# Predict how close to 0 a constant rate of 0.5 comes.

# %%
import math
from functools import partial
from types import SimpleNamespace

import numpy as np
from charts import lines

from optim import SGD
from optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    InverseTimeLR,
    OneCycleLR,
    Rates,
    StepLR,
    preview,
    sparkline,
)

STEPS = 400


def walk(lr, schedule=None, runs=200):
    """Return |w| by step, as the root mean square of many runs with different noise."""
    rng = np.random.default_rng(0)
    w = SimpleNamespace(data=np.full(runs, 10.0), grad=None)
    optimizer = SGD([w], lr=lr)
    scheduler = schedule(optimizer) if schedule else None
    found = []
    for _ in range(STEPS):
        w.grad = w.data + rng.normal(size=runs)  # the gradient of w**2 / 2, and noise
        optimizer.step()
        if scheduler:
            scheduler.step()
        found.append(np.sqrt(np.mean(w.data**2)))
    return np.array(found)


lines("14_one_run", {"one run": walk(0.5, runs=1), "mean of 200": walk(0.5)}, "step", "|w|", log=True)

# %% [markdown]
# ## A constant rate stops at a distance
#
# After many steps, noise and contraction balance: `w² = (1 - lr)² w² + lr²`, so `|w|` stays near `sqrt(lr / (2 - lr))`.
# Halving the rate brings it closer by a factor of 1.4 only, and takes twice as long.  Predict both for `lr = 0.5`.

# %%
constant = {lr: walk(lr) for lr in (0.5, 0.05, 0.005)}
for lr, path in constant.items():
    print(f"lr {lr:5}: |w| after 20 steps {path[20]:6.3f}, after {STEPS} steps {path[-1]:6.3f}, "
          f"limit {math.sqrt(lr / (2 - lr)):.3f}")  # fmt: skip
for lr in (0.5, 0.05):
    assert np.isclose(constant[lr][-50:].mean(), math.sqrt(lr / (2 - lr)), rtol=0.1)
assert constant[0.005][-1] > 1  # a rate this small has not arrived yet
lines("14_constant", {f"lr {lr}": path for lr, path in constant.items()}, "step", "distance to the minimum", log=True)

# %% [markdown]
# ## The formulas
#
# `preview` computes a schedule without an optimizer.  Step decay, exponential decay and inverse time decay have one
# parameter; cosine annealing has the length of the training, and so has the one-cycle policy, which rises first.
# Predict which of them is lowest after half of the steps.

# %%
FORMULAS = {
    "step decay": (partial(StepLR, step_size=100, gamma=0.5), lambda t: 0.5 ** (t // 100)),
    "exponential decay": (partial(ExponentialLR, gamma=0.99), lambda t: 0.99**t),
    "inverse time decay": (partial(InverseTimeLR, decay=0.05), lambda t: 1 / (1 + 0.05 * t)),
    "cosine annealing": (partial(CosineAnnealingLR, T_max=STEPS), lambda t: (1 + math.cos(math.pi * t / STEPS)) / 2),
    "one cycle": (partial(OneCycleLR, max_lr=0.5, total_steps=STEPS, cycle_momentum=False), None),
}
shapes = {}
for name, (schedule, formula) in FORMULAS.items():
    shapes[name] = rates = preview(schedule(Rates(1.0)), STEPS)
    print(f"{name:20} {sparkline(rates)}")
    if formula:
        assert np.allclose(rates, [formula(t) for t in range(STEPS)])
assert np.argmax(rates) == round(0.3 * STEPS) - 1  # the one-cycle policy rises in the first 30 % of the steps
lines("14_rates", shapes, "step", "rate")

# %% [markdown]
# ## A falling rate goes further
#
# All start at 0.5.  Inverse time decay is the classic choice for noise: the error keeps falling, like `1 / sqrt(t)`.
# Predict which schedule ends closest to the minimum.

# %%
paths = {f"constant {lr}": constant[lr] for lr in (0.5, 0.05)}
paths |= {name: walk(0.5, schedule) for name, (schedule, _) in FORMULAS.items()}
for name, path in paths.items():
    print(f"{name:20} |w| after {STEPS} steps {path[-1]:.3f}")
lines("14_schedules", paths, "step", "distance to the minimum", log=True)
for name in FORMULAS:
    assert paths[name][-1] < 0.6 * paths["constant 0.5"][-1], name
