"""`fit(..., compile=)`: compiled training equals eager training."""

import contextlib
import random
import re
import signal

import numpy as np
import pytest

import autograd as ag
import nn
import optim
from autograd.tape.step import CompiledStep
from nn.__main__ import main
from nn.training import Callback, fit
from nn.training.stepping import EAGER_STEPS, MOST_SHAPES, Passes
from optim import lr_scheduler

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 4))
Y = np.sin(X[:, :2]) + 0.1 * RNG.normal(size=(70, 2))
CLASSES = (X @ RNG.normal(size=(4, 3))).argmax(axis=1)


def training(compile, *, options=None, loss=None, target=Y, outputs=2, **settings):
    """Train a model with seeded random numbers; return the history and the state."""
    nn.manual_seed(1)
    model = nn.MLP(4, [6, 5, outputs], rng=0, **(options or {"activation": "tanh"}))
    optimizer = settings.pop("optimizer", optim.Adam)(model.parameters(), lr=0.02)
    settings = {"epochs": 4, "batch_size": 16, "rng": 0, "progress": False} | settings
    history = fit(model, loss or nn.MSELoss(), optimizer, (X, target), compile=compile, **settings)
    history.pop("seconds")
    return history, model.state_dict()


def assert_alike(ours, theirs):
    assert ours[0].keys() == theirs[0].keys()
    for name in ours[0]:
        np.testing.assert_allclose(ours[0][name], theirs[0][name], rtol=1e-12, err_msg=name)
    for name in ours[1]:
        np.testing.assert_allclose(ours[1][name], theirs[1][name], rtol=1e-12, atol=1e-14, err_msg=name)


SETTINGS = {
    "plain, with a smaller last batch": {},
    "regularised and clipped": {"l2": 0.1, "clip_grad_norm": 0.5, "clip_grad_value": 0.1},
    "accumulated": {"accumulate": 3, "metrics": "r2"},
    "accumulated sums": {"accumulate": 2, "loss": nn.L1Loss(reduction="sum")},
    "dropout": {"options": {"dropout": 0.3}, "accumulate": 2},
    "norms": {"options": {"norm": ["batch", "layer"], "dropout": 0.2}, "validation": (X[:20], Y[:20])},
    "classes": {
        "loss": nn.CrossEntropyLoss(label_smoothing=0.1),
        "target": CLASSES,
        "outputs": 3,
        "metrics": "accuracy",
    },
    "early stopping": {"early_stopping": 1, "validation": (X[:20], Y[20:40]), "epochs": 40},
    "momentum": {"optimizer": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9, nesterov=True)},
    "closures": {"optimizer": lambda p, lr: optim.LBFGS(p, lr=0.1), "epochs": 1},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_compiled_training_equals_eager_training(settings):
    assert_alike(training(True, **settings), training(False, **settings))


def test_batch_shape_is_recorded_after_some_eager_steps():
    assert_alike(
        training(None, epochs=9, options={"dropout": 0.2}), training(False, epochs=9, options={"dropout": 0.2})
    )
    model = nn.Linear(4, 2, rng=0)
    passes = Passes(model, nn.MSELoss(), None)

    for i in range(EAGER_STEPS + 2):
        assert len(passes.compiled._programs) == (i > EAGER_STEPS)
        assert (passes((X[:5], Y[:5]), 5) is None) == (i < EAGER_STEPS)
    for rows in range(1, MOST_SHAPES + 9):  # no end of shapes: most stay with the engine
        passes((X[:rows], Y[:rows]), rows)
    assert len(passes.counts) == MOST_SHAPES
    assert len(passes.compiled._programs) == 1
    assert passes([X[:5].tolist(), Y[:5]], 5) is None  # no arrays
    assert Passes(model, nn.MSELoss(), False).compiled is None
    with pytest.raises(TypeError, match="compile must be True, False or None, got 'yes'"):
        training("yes")


@pytest.mark.parametrize("compile", [True, None])
def test_resumed_training_gives_the_bits_of_the_whole_one(tmp_path, compile):
    settings = {"options": {"norm": "batch", "dropout": 0.2}}
    whole = training(compile, epochs=8, **settings)

    class PressCtrlC(Callback):
        def __init__(self, step):
            self.step = step

        def on_step_end(self, run):
            if run.step == self.step:
                signal.raise_signal(signal.SIGINT)

    settings["checkpoint"] = tmp_path / "run.npz"
    first, _ = training(compile, epochs=8, callbacks=PressCtrlC(23), **settings)
    assert first.stopped == "interrupted"
    resumed = training(compile, epochs=8, callbacks=PressCtrlC(-1), resume=True, **settings)
    np.testing.assert_array_equal(whole[0]["loss"], resumed[0]["loss"])
    for name, array in whole[1].items():
        np.testing.assert_array_equal(array, resumed[1][name], err_msg=name)


class PressCtrlCAtRate(lr_scheduler.LRScheduler, curve=lambda t: 1.0 / (1.0 + t)):
    """A schedule that is stepped after every step, and presses Ctrl-C after one of them."""

    steps_per_batch = True

    at = 0

    def step(self):
        super().step()
        if self.last_epoch == self.at:
            signal.raise_signal(signal.SIGINT)


MANY = [
    {},
    {"validation": (X[:20], Y[:20]), "l2": 0.1, "early_stopping": 9, "metrics": {"validation r2": "r2"}},
    {"batch_size": 7},
]


@pytest.mark.parametrize("settings", MANY)
def test_many_steps_in_one_call_equal_eager_training(settings, monkeypatch):
    calls = []
    many = CompiledStep.many
    monkeypatch.setattr(CompiledStep, "many", lambda self, *a, **k: calls.append(len(a[-1])) or many(self, *a, **k))
    found = []
    for compile in (True, False):
        nn.manual_seed(1)
        model = nn.MLP(4, [6, 2], rng=0)
        optimizer = optim.RAdam(model.parameters(), lr=0.02)
        schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=200)
        options = {"epochs": 6, "batch_size": 16, "rng": 0, "progress": False, "scheduler": schedule} | settings
        history = fit(model, nn.MSELoss(), optimizer, (X, Y), compile=compile, **options)
        history.pop("seconds")
        found.append((history, model.state_dict()))
    assert_alike(*found)
    assert ("validation r2" in found[0][0]) == ("metrics" in settings)
    assert "r2" not in found[0][0]
    assert max(calls) > 1
    assert sum(calls) == 6 * -(-70 // options["batch_size"])


def test_training_interrupted_between_many_steps_resumes_with_the_bits_of_the_whole_one(tmp_path):
    found = []
    for at in (0, 23):
        model = nn.MLP(4, [6, 2], rng=0)
        for resume in (False, True):
            optimizer = optim.Adam(model.parameters(), lr=0.02)
            settings = {"checkpoint": tmp_path / f"run{at}.npz", "resume": resume, "epochs": 8, "batch_size": 16}
            schedule = PressCtrlCAtRate(optimizer)
            schedule.at = at
            settings |= {"scheduler": schedule, "rng": 0, "progress": False, "compile": True}
            history = fit(model, nn.MSELoss(), optimizer, (X, Y), **settings)
            assert history.interrupted == (at == 23 and not resume)
        found.append((history["loss"], model.state_dict()))
    assert found[0][0] == found[1][0]
    for name, array in found[0][1].items():
        np.testing.assert_array_equal(array, found[1][1][name], err_msg=name)


def test_parameters_without_gradient_are_reported_after_whole_steps():
    model = nn.MLP(4, [6, 2], rng=0)
    model.unused = nn.Linear(2, 2, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    with pytest.warns(ag.GradientWarning, match="2 of 6 parameters got no gradient"):
        fit(model, nn.MSELoss(), optimizer, (X, Y), epochs=1, rng=0, progress=False, compile=True)


class Branching(nn.Module):
    """Branches on data, after it has drawn random numbers and updated running statistics."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Dropout(0.3, rng=3), nn.Linear(4, 2, rng=0))

    def forward(self, x):
        y = self.body(x)
        return y * 2.0 if y.sum() > 0 else y


def test_model_that_branches_on_data_is_trained_eagerly_with_one_warning():
    found = []
    for compile in (True, False):
        nn.manual_seed(1)
        model = Branching()
        optimizer = optim.Adam(model.parameters(), lr=0.02)
        settings = {"epochs": 3, "batch_size": 16, "rng": 0, "progress": False, "compile": compile}
        if compile:
            with pytest.warns(RuntimeWarning) as seen:
                history = fit(model, nn.MSELoss(), optimizer, (X, Y), **settings)
            assert len(seen) == 1
            said = r"fit does not compile its steps: .*test_compile\.py:\d+: cannot read the truth"
            assert re.match(said, str(seen[0].message))
            assert seen[0].filename == __file__
        else:
            history = fit(model, nn.MSELoss(), optimizer, (X, Y), **settings)
        history.pop("seconds")
        found.append((history, model.state_dict()))
    assert_alike(*found)


def test_monitor_of_a_compiled_training_equals_that_of_an_eager_one():
    found = []
    for compile in (True, False):
        model = nn.MLP(4, [6, 5, 2], activation="relu", rng=0)
        monitor = nn.Monitor(model, every=4)
        optimizer = optim.Adam(model.parameters(), lr=0.02)
        settings = {"epochs": 6, "batch_size": 16, "rng": 0, "progress": False, "callbacks": monitor}
        fit(model, nn.MSELoss(), optimizer, (X, Y), compile=compile, **settings)
        found.append(monitor)
    ours, theirs = found
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-12)
    assert len(ours.samples) == len(theirs.samples) == 8
    for a, b in zip(ours.samples, theirs.samples, strict=True):
        np.testing.assert_allclose(a.norm, b.norm, rtol=1e-10)
        np.testing.assert_equal(a.counts, b.counts)
        assert a.layers.keys() == b.layers.keys()
        for name, layer in a.layers.items():
            np.testing.assert_allclose(layer["std"], b.layers[name]["std"], rtol=1e-12)


def test_layers_frozen_and_unfrozen_during_training_equal_eager():
    class Freeze(Callback):
        def on_epoch_begin(self, run):
            first = next(run.model.parameters())
            first.requires_grad = run.epoch != 2
            first.grad = None

    assert_alike(training(True, callbacks=[Freeze()]), training(False, callbacks=[Freeze()]))


SCALE = 1.0


def test_state_that_model_and_loss_read_may_change_between_steps(monkeypatch):
    class Annealed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4, rng=0), nn.Linear(4, 2, rng=1)])
            self.noise, self.temperature, self.shift = nn.Dropout(0.1, rng=0), 1.0, np.zeros(2)
            self.register_buffer("mask", np.ones(4))

        def forward(self, x):
            x = self.noise(self.layers[0](x * self.mask)) * SCALE
            return self.layers[1](x) / self.temperature + self.shift

    def annealed(compile):
        model, beta = Annealed(), 1.0
        monkeypatch.setitem(globals(), "SCALE", 1.0)

        def change(run):
            nonlocal beta
            model.temperature, model.noise.p = 1.0 + run.epoch, 0.1 * run.epoch
            beta = 1.0 / run.epoch
            monkeypatch.setitem(globals(), "SCALE", 0.5 * run.epoch)
            if run.epoch == 3:
                model.shift = np.array([0.5, -0.5])
                model.mask = np.array([1.0, 0.0, 1.0, 1.0])
            if run.epoch == 4:
                model.layers[0] = nn.Linear(4, 4, rng=7)

        def loss(output, target):
            return nn.functional.mse_loss(output, target) * beta

        optimizer = optim.SGD(model.parameters(), lr=0.02)
        settings = {"epochs": 6, "rng": 0, "batch_size": 35, "callbacks": change, "progress": False}
        history = fit(model, loss, optimizer, (X, Y), compile=compile, **settings)
        history.pop("seconds")
        return history, model.state_dict()

    ours = annealed(True)
    assert_alike(ours, annealed(False))
    assert len(set(ours[0]["loss"])) == 6


@pytest.mark.parametrize("draw", [random.random, np.random.random])
def test_model_that_draws_globally_is_trained_eagerly(draw):
    class Noisy(nn.Linear):
        def forward(self, x):
            return super().forward(x) * (1.0 + draw())

    found = []
    for compile in (True, False):
        random.seed(1)
        np.random.seed(1)
        model = Noisy(4, 2, rng=0)
        optimizer = optim.SGD(model.parameters(), lr=0.02)
        settings = {"epochs": 3, "rng": 0, "compile": compile, "progress": False}
        with pytest.warns(RuntimeWarning, match="drew from") if compile else contextlib.nullcontext():
            history = fit(model, nn.MSELoss(), optimizer, (X, Y), **settings)
        history.pop("seconds")
        found.append((history, model.state_dict()))
    assert_alike(*found)


def test_model_that_changes_in_every_step_is_trained_eagerly():
    model = nn.Sequential(nn.Linear(4, 2, rng=0), nn.Dropout(0.1, rng=0))
    passes = Passes(model, nn.MSELoss(), True)

    for i in range(40):
        model[1].p = 0.01 * i
        passes((X, Y), len(X))
    assert passes.compiled is None


def test_anomaly_is_detected_in_a_compiled_training():
    with ag.detect_anomaly(), pytest.raises(FloatingPointError, match="nan"):
        training(True, target=np.where(np.arange(140).reshape(70, 2) == 7, np.inf, Y) * 0.0)


def test_command_line_compiles_unless_no_compile_is_given(tmp_path, monkeypatch):
    asked = []

    def fit_no_further(*args, compile, **settings):
        asked.append(compile)
        raise ValueError("enough")

    monkeypatch.setattr(nn.cli.training, "fit", fit_no_further)
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "\n".join(f"{x},{y}" for x, y in X[:, :2].tolist()) + "\n")
    for flags in ([], ["--no-compile"]):
        assert main(["train", str(table), "--out", str(tmp_path / "run"), "--quiet", *flags]) == 2
    assert asked == [None, False]


def test_monitor_samples_between_replays_what_it_samples_in_an_eager_training():
    found = []
    for compile in (True, False):
        model = nn.MLP(4, [8, 2], rng=0)
        optimizer = optim.Adam(model.parameters(), lr=0.02)
        monitor, calls = nn.Monitor(model, optimizer, every=10), []
        monitor.on_epoch_begin = lambda run, calls=calls: calls.append(run.stepper.passes.whole)
        fit(model, nn.MSELoss(), optimizer, (X, Y), epochs=20, batch_size=35, rng=0, compile=compile, progress=False,
            callbacks=monitor)  # fmt: skip
        assert all(calls)
        found.append(monitor)
    replayed, eager = found
    np.testing.assert_allclose(replayed.losses, eager.losses, rtol=1e-12)
    assert [sample.step for sample in replayed.samples] == [1, 11, 21, 31]
    for ours, theirs in zip(replayed.samples, eager.samples, strict=True):
        np.testing.assert_allclose(ours.norm, theirs.norm, rtol=1e-9)
        assert set(ours.layers) == set(theirs.layers)
