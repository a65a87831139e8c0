"""The learning-rate finder: it suggests a rate that trains, and leaves everything as it was."""

import numpy as np
import pytest

import nn
import optim

X = np.random.default_rng(0).normal(size=(128, 4))
Y = np.tanh(X @ np.ones((4, 1)))


def parts():
    model = nn.MLP(4, [16, 1], activation="tanh", rng=0)
    return model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.3, momentum=0.5)


def test_suggestion_trains_and_a_hundredth_of_it_hardly_does():
    curve = nn.find_lr(*parts(), (X, Y), rng=0)
    losses = []
    for rate in (curve.suggestion, curve.suggestion / 100):
        model, criterion, optimizer = parts()
        optimizer.param_groups[0]["lr"] = rate
        history = nn.training.fit(model, criterion, optimizer, (X, Y), epochs=10, rng=0, progress=False)
        losses.append(history["loss"][-1] / history["loss"][0])
    assert losses[0] < 0.3
    assert losses[1] > 2 * losses[0]


def test_find_lr_restores_model_optimizer_and_loader():
    model, criterion, optimizer = parts()
    loader = nn.data.DataLoader(nn.data.TensorDataset(X, Y), 32, shuffle=True, rng=3)
    nn.training.fit(model, criterion, optimizer, loader, epochs=1, progress=False)
    before, state = model.state_dict(), optimizer.state_dict()
    nn.manual_seed(5)
    nn.find_lr(model, criterion, optimizer, loader)
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert optimizer.param_groups[0]["lr"] == 0.3
    np.testing.assert_equal(optimizer.state_dict(), state)
    loader_again = nn.data.DataLoader(nn.data.TensorDataset(X, Y), 32, shuffle=True, rng=3)
    list(loader_again)
    np.testing.assert_array_equal(next(iter(loader))[0], next(iter(loader_again))[0])


def test_curve_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    nn.find_lr(*parts(), (X, Y), rng=0).plot(tmp_path / "lr.png")
    assert (tmp_path / "lr.png").stat().st_size > 5000


@pytest.mark.parametrize("options", [{"start": 0.0}, {"start": 1.0, "end": 0.1}, {"steps": 3}, {"end": float("inf")}])
def test_wrong_arguments_raise(options):
    with pytest.raises(ValueError, match=r"start|steps"):
        nn.find_lr(*parts(), (X, Y), **options)


def test_loss_that_is_nan_at_the_start_raises():
    model, criterion, optimizer = parts()
    with pytest.raises(ValueError, match="smaller start"):
        nn.find_lr(model, criterion, optimizer, (X * np.nan, Y), rng=0)


@pytest.mark.parametrize("make", [optim.LBFGS, lambda p, lr: optim.SAM(optim.SGD(p, lr=lr))])
def test_optimizer_that_needs_a_closure_is_tested_too(make):
    model = nn.Sequential(nn.Linear(1, 4, rng=0), nn.Dropout(0.1).eval(), nn.Linear(4, 1, rng=1))
    X = np.linspace(-1, 1, 32)[:, None]
    curve = nn.find_lr(model, nn.MSELoss(), make(model.parameters(), lr=0.1), (X, X**2), start=1e-3, steps=10, rng=0)
    assert len(curve.rates) >= 5
    assert [m.training for m in model.modules()] == [True, True, False, True]
