"""Optimizers by name, and averages of parameters over the steps."""

import copy

import numpy as np
import pytest

import nn
import optim
from nn.training import fit
from nn.training.solvers import EMA, solver

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3))
Y = X @ [[1.0], [2.0], [3.0]]


def test_ema_holds_the_weighted_mean_of_the_parameters_in_eval_mode():
    model = nn.Linear(3, 1, rng=0)
    optimizer = EMA(optim.SGD(model.parameters(), lr=0.1), decay=0.9)
    expected = model.weight.data.copy()
    for t in range(1, 6):
        optimizer.zero_grad()
        nn.MSELoss()(model(X), Y).backward()
        optimizer.step()
        d = min(0.9, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * model.weight.data
    last = model.weight.data.copy()
    optimizer.eval()
    optimizer.eval()
    np.testing.assert_allclose(model.weight.data, expected)
    optimizer.train()
    np.testing.assert_array_equal(model.weight.data, last)
    assert copy.deepcopy(optimizer).steps == 5


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("name", ["muon", "adam"])
def test_a_run_with_an_optimizer_of_parts_resumes_exactly(tmp_path, name, averaged):
    def trained(epochs, resume, file):
        model = nn.MLP(3, [4, 4, 1], rng=0)
        optimizer = solver(name, model)
        optimizer = EMA(optimizer) if averaged else optimizer
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
        fit(model, nn.MSELoss(), optimizer, (X, Y), validation=(X, Y), epochs=epochs, scheduler=schedule, rng=0,
            checkpoint=tmp_path / file, resume=resume, progress=False)  # fmt: skip
        return np.concatenate([p.data.ravel() for p in model.parameters()])

    whole = trained(6, False, "whole.npz")
    trained(3, False, "parts.npz")
    np.testing.assert_array_equal(trained(6, True, "parts.npz"), whole)


@pytest.mark.parametrize(("name", "epochs"), [("lbfgs", 30), ("newtoncg", 4)])
def test_methods_for_whole_batches_include_the_penalty(name, epochs):
    model = nn.MLP(3, [1], rng=0)
    options = {"epochs": epochs, "batch_size": 64, "l2": 1.0, "rng": 0, "progress": False}
    fit(model, nn.MSELoss(), solver(name, model), (X, Y), **options)
    centred, target = X - X.mean(0), Y - Y.mean(0)
    ridge = np.linalg.solve(2 * centred.T @ centred / 64 + np.eye(3), 2 * centred.T @ target / 64)
    np.testing.assert_allclose(next(iter(model.parameters())).data.T, ridge, rtol=1e-4)


@pytest.mark.parametrize("name", ["lbfgs", "newtoncg", "sophia"])
def test_averages_of_optimizers_with_closures_train(name):
    model = nn.MLP(3, [1], rng=0)
    history = fit(
        model, nn.MSELoss(), EMA(solver(name, model), 0.5), (X, Y), epochs=12, batch_size=64, rng=0, progress=False
    )
    assert history["loss"][-1] < history["loss"][0]
