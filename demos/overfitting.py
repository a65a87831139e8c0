"""Over-fitting: the training loss falls, the validation loss turns, and early stopping restores the best epoch."""

# %% [markdown]
# # When to stop
#
# Sixty noisy points and 5,000 parameters: the network first learns the shape, then the noise.  The validation loss
# shows the turn; early stopping waits a while, and restores the model of the best epoch.

# %%
from pathlib import Path

from matplotlib.figure import Figure
from plots import BLUE, GREY, ORANGE, plain
from toys import moons

import nn
import optim
from nn.training import EarlyStopping, evaluate, fit

train_set, validation, test = moons(60, 0.35, seed=0), moons(200, 0.35, seed=1), moons(2000, 0.35, seed=2)


def train(**options):
    """Return model, history and monitor of a run."""
    model = nn.MLP(2, [64, 64, 2], rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    monitor = nn.Monitor(model, optimizer)
    history = fit(
        model, nn.CrossEntropyLoss(), optimizer, train_set, validation=validation, rng=0, metrics="accuracy",
        callbacks=monitor, progress=False, **options,
    )  # fmt: skip
    return model, history, monitor


long_model, long_history, monitor = train(epochs=150)
print(monitor.report(), "\n")

# %%
stop = EarlyStopping(patience=20)
stopped_model, stopped_history, _ = train(epochs=150, early_stopping=stop)
print(f"early stopping: {stopped_history.stopped}")
decayed_model, decayed_history, _ = train(epochs=150, l2=0.03)

results = {}
for name, model in (("150 epochs", long_model), ("early stopping", stopped_model), ("150 epochs, L2", decayed_model)):
    results[name] = evaluate(model, nn.CrossEntropyLoss(), test, "accuracy")
    print(f"{name:<16} test loss {results[name]['loss']:.3f}, accuracy {results[name]['accuracy']:.1%}")

# %%
figure = Figure(figsize=(7.5, 4.4), layout="constrained")
axes = figure.subplots()
epochs = range(1, long_history.epochs + 1)
axes.plot(epochs, long_history["loss"], color=BLUE, label="training")
axes.plot(epochs, long_history["validation loss"], color=ORANGE, label="validation")
axes.plot(epochs, decayed_history["validation loss"], color=ORANGE, linestyle=":", label="validation, with L2")
axes.axvline(stop.epoch, color=GREY, linestyle="--", label=f"best: epoch {stop.epoch}")
axes.axvline(stopped_history.epochs, color=GREY, linestyle=":", label=f"stopped: epoch {stopped_history.epochs}")
axes.set(xlabel="epoch", title="loss", ylim=(0, 1.5))
axes.legend(frameon=False)
plain(axes)
Path("out").mkdir(exist_ok=True)
figure.savefig("out/overfitting.png", dpi=120)
print("wrote out/overfitting.png")

# %%
assert "over-fitting" in monitor.report()
assert long_history["loss"][-1] < long_history["loss"][stop.epoch - 1]
assert stopped_history.epochs == stop.epoch + 21 < 150
assert results["early stopping"]["loss"] < 0.7 * results["150 epochs"]["loss"]
assert results["150 epochs, L2"]["loss"] < results["150 epochs"]["loss"]
