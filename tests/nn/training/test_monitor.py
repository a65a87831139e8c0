"""Every verdict is given to a network built to show it, and not to one built not to."""

import re
import warnings

import numpy as np
import pytest

import nn
import optim
from nn.training.monitor import Report
from nn.training.monitor.monitor import BINS, bin_edges, histograms, moments, spots

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 6))
Y = np.tanh(X @ RNG.normal(size=(6, 1)))
LABELS = (Y[:, 0] > 0).astype(int)


def train(model, steps=60, lr=0.05, optimizer=None, every=5, x=X, y=Y, criterion=None, extra=None):
    """Train in a plain loop of full batches and return the monitor."""
    criterion = criterion or nn.MSELoss()
    optimizer = optimizer or optim.SGD(model.parameters(), lr=lr)
    monitor = nn.Monitor(model, optimizer, every=every)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            monitor.step(loss)
    return monitor


def deep(activation, layers=12, width=16, seed=0, **options):
    return nn.MLP(6, [width] * layers + [1], activation=activation, rng=seed, **options)


def healthy():
    return train(deep("relu", 2), steps=150)


# ------------------------------------------------------------------------------------------------- the verdicts


def test_healthy_training_has_an_empty_report():
    report = healthy().report()
    assert report.kinds == []
    assert str(report).startswith("No problems detected in 150 steps: the loss went from")


def test_vanishing():
    report = train(deep("sigmoid")).report()
    assert "vanishing" in report
    verdict = next(v for v in report if v.kind == "vanishing")
    share = float(re.search(r"is (\S+) of that in the last layer", verdict.evidence).group(1))
    assert share < 1e-3
    assert "ReLU" in verdict.cure
    assert "vanishing" not in train(deep("relu")).report()


def test_exploding():
    model = deep("tanh")
    for p in model.parameters():
        p.data = p.data * 6.0
    assert "exploding" in train(model, steps=10, lr=1e-9, every=1).report()
    rectified = deep("relu", layers=20)
    for p in rectified.parameters():
        p.data = p.data * 3.0
    assert "exploding" in train(rectified, steps=3, lr=0.0, every=1).report()
    assert "exploding" not in train(deep("tanh"), steps=10, every=1).report()
    assert "exploding" not in train(deep("relu", layers=20), steps=3, every=1).report()


def test_dead_units():
    model = deep("relu", 2)
    model[0].bias.data = np.where(np.arange(16) < 10, -50.0, 0.0)
    verdict = next(v for v in train(model).report() if v.kind == "dead units")
    assert verdict.where == "1"
    share = float(re.match(r"(\d+)% of the 16 units", verdict.evidence).group(1))
    assert 60 <= share <= 70
    assert "dead units" not in healthy().report()
    leaky = deep("leaky_relu", 2)
    leaky[0].bias.data = np.where(np.arange(16) < 10, -50.0, 0.0)
    assert "dead units" not in train(leaky).report()


def test_saturation():
    model = deep("tanh", 3)
    for p in model.parameters():
        p.data = p.data * 20.0
    report = train(model, lr=1e-4).report()
    assert "saturation" in report
    assert "Xavier" in next(v for v in report if v.kind == "saturation").cure
    assert "saturation" not in train(deep("tanh", 3)).report()


def test_confident_output_is_not_saturation():
    model = nn.MLP(6, [8, 1], activation="tanh", output_activation="sigmoid", rng=0)
    model[2].weight.data = model[2].weight.data * 200.0
    report = train(model, lr=1e-6, y=LABELS[:, None].astype(float)).report()
    assert "saturation" not in report


def test_divergence_and_a_rate_too_large():
    report = train(nn.MLP(6, [1], rng=0), steps=20, lr=2.0, every=1).report()
    assert "divergence" in report
    assert "learning rate too large" in report
    good = train(nn.MLP(6, [1], rng=0), steps=60, lr=0.1, every=1).report()
    assert "divergence" not in good
    assert "learning rate too large" not in good


def test_rate_too_large_is_detected_without_divergence():
    model = deep("tanh", 2)
    jumping = train(model, steps=100, optimizer=optim.Adam(model.parameters(), lr=1.0), every=2).report()
    assert "learning rate too large" in jumping


def test_rate_too_large_for_a_weight_that_starts_at_zero():
    model = nn.MLP(6, [1], rng=0)
    model[0].weight.data = model[0].weight.data * 0.0
    report = train(model, steps=20, optimizer=optim.Adam(model.parameters(), lr=1e6), every=1).report()
    assert "moved 0.weight away from 0, and the loss went from" in str(report)


def test_rate_too_small_is_detected():
    report = train(deep("relu", 2), steps=50, lr=1e-6).report()
    assert "learning rate too small" in report
    assert "plateau" not in report
    assert "learning rate too small" not in healthy().report()


@pytest.mark.parametrize("through", ["loop", "fit"])
def test_nan_is_traced_to_its_origin(through):
    class Logarithm(nn.Module):
        def forward(self, x):
            return x.log()

    model = nn.Sequential(nn.Linear(6, 4, rng=0), Logarithm(), nn.Linear(4, 1, rng=1))
    optimizer, criterion = optim.SGD(model.parameters(), lr=0.1), nn.MSELoss()
    monitor = nn.Monitor(model, optimizer)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if through == "fit":
            nn.training.fit(model, criterion, optimizer, (X, Y), epochs=2, callbacks=monitor, progress=False, rng=0)
        else:
            loss = criterion(model(X), Y)
            loss.backward()
            optimizer.step()
            monitor.step(loss, lambda: criterion(model(X), Y).backward())
    verdict = monitor.report().verdicts[0]
    assert verdict.kind == "nan"
    assert verdict.where == "step 1"
    assert "log returned nan" in verdict.evidence
    assert "test_monitor.py" in verdict.evidence
    assert "nan" not in healthy().report()


def test_nan_in_the_parameters_is_distinguished_from_nan_in_the_step():
    model = nn.MLP(6, [1], rng=0)
    model[0].weight.data = np.full((1, 6), np.nan)
    assert "0.weight contained nan" in train(model, steps=2).report().verdicts[0].evidence


def test_locating_a_nan_changes_nothing():
    model = nn.MLP(6, [1], rng=0)
    criterion, optimizer = nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1)
    monitor = nn.Monitor(model, optimizer)
    bad = np.full_like(X, np.inf)
    with np.errstate(all="ignore"):
        loss = criterion(model(bad), Y)
        loss.backward()
        optimizer.step()
        after = [(p.data.copy(), p.grad.copy()) for p in model.parameters()]
        monitor.step(loss, lambda: criterion(model(bad), Y).backward())
    for p, (data, grad) in zip(model.parameters(), after, strict=True):
        np.testing.assert_array_equal(p.data, data)
        np.testing.assert_array_equal(p.grad, grad)
    assert "an input of the operation is nan or inf" in monitor.anomaly


def test_closure_without_anomaly_keeps_the_gradients():
    model = nn.MLP(6, [1], rng=0)
    criterion, optimizer = nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1)
    monitor = nn.Monitor(model, optimizer)
    criterion(model(X), Y).backward()
    optimizer.step()
    before = [p.grad.copy() for p in model.parameters()]
    monitor.step(float("nan"), lambda: criterion(model(X), Y).backward())
    for p, grad in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.grad, grad)
    assert monitor.anomaly == ""
    assert "detect_anomaly" in str(monitor.report())


def test_plateau():
    noise = np.random.default_rng(1).normal(size=(64, 1))
    stuck = train(nn.MLP(6, [1], rng=0), steps=400, lr=0.1, y=noise).report()
    assert "plateau" in stuck
    assert "plateau" not in healthy().report()


def test_a_perfect_fit_of_smoothed_labels_is_not_a_plateau():
    easy = (X[:, 0] > 0).astype(int)
    model = nn.MLP(6, [16, 2], rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    monitor = nn.Monitor(model, optimizer)
    nn.training.fit(
        model, nn.CrossEntropyLoss(label_smoothing=0.1), optimizer, (X, easy), validation=(X, easy), epochs=200,
        callbacks=monitor, progress=False, rng=0,
    )  # fmt: skip
    assert monitor.least_loss == pytest.approx(-0.95 * np.log(0.95) - 0.05 * np.log(0.05))
    assert monitor.losses[-1] > 0.25 * monitor.losses[0]
    assert monitor.losses[-1] == pytest.approx(monitor.least_loss, rel=0.1)
    assert monitor.report().kinds == []


def test_a_rise_small_beside_what_was_learned_is_not_over_fitting():
    monitor = healthy()
    monitor.epochs = [(i, 0.5 - 0.01 * i, 0.02 + 0.001 * i) for i in range(30)]
    monitor.losses[0] = 2.0
    assert "over-fitting" not in monitor.report()
    monitor.losses[0] = 0.2
    assert "over-fitting" in monitor.report()


def test_over_fitting():
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(60, 10)), rng.integers(2, size=60)
    x_new, labels_new = rng.normal(size=(200, 10)), rng.integers(2, size=200)
    model = nn.MLP(10, [64, 2], rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    monitor = nn.Monitor(model, optimizer)
    nn.training.fit(
        model, nn.CrossEntropyLoss(), optimizer, (x, labels), validation=(x_new, labels_new), epochs=40,
        callbacks=monitor, progress=False, rng=0,
    )  # fmt: skip
    assert "over-fitting" in monitor.report()
    model = nn.MLP(6, [8, 1], rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    monitor = nn.Monitor(model, optimizer)
    nn.training.fit(
        model, nn.MSELoss(), optimizer, (X[:48], Y[:48]), validation=(X[48:], Y[48:]), epochs=15, callbacks=monitor,
        progress=False, rng=0,
    )  # fmt: skip
    assert "over-fitting" not in monitor.report()


@pytest.mark.parametrize("why", ["not held", "unused", "frozen"])
def test_parameters_that_never_update_are_reported(why):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 6, rng=0), nn.Linear(6, 1, rng=1)

        def forward(self, x):
            return self.second(x if why == "unused" else self.first(x))

    model = Model()
    if why == "frozen":
        model.first.requires_grad_(False)
    parameters = model.second.parameters() if why == "not held" else model.parameters()
    verdict = next(
        v for v in train(model, optimizer=optim.SGD(list(parameters), lr=0.05)).report() if v.kind == "never updates"
    )
    said = {"not held": "optimizer does not hold", "unused": "never had a gradient", "frozen": "frozen"}[why]
    assert verdict.where == "first.weight"
    assert said in verdict.evidence
    assert "never updates" not in healthy().report()


# ------------------------------------------------------------------------------------------------ what is noted


def test_samples_equal_the_actual_norms():
    model = nn.MLP(6, [5, 1], activation="tanh", rng=0)
    criterion, optimizer = nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    monitor = nn.Monitor(model, optimizer, every=3)
    before = {}
    for step in range(1, 8):
        optimizer.zero_grad()
        old = model.state_dict()
        hidden = np.tanh(X @ old["0.weight"].T + old["0.bias"])
        loss = criterion(model(X), Y)
        loss.backward()
        optimizer.step()
        monitor.step(loss)
        before[step] = old, {name: p.grad.copy() for name, p in model.named_parameters()}, model.state_dict(), hidden
    assert [s.step for s in monitor.samples] == [1, 4, 7]
    assert len(monitor.losses) == 7
    for sample in monitor.samples:
        old, grads, new, hidden = before[sample.step]
        for i, name in enumerate(monitor.names):
            for row, array in enumerate((old[name], grads[name], new[name] - old[name])):
                if row < 2:
                    assert sample.mean[row, i] == pytest.approx(array.mean(), abs=1e-12)
                    assert sample.std[row, i] == pytest.approx(array.std(), rel=1e-6, abs=1e-9)
                assert sample.norm[row, i] == pytest.approx(np.linalg.norm(array))
        assert sample.layers["1"]["mean"] == pytest.approx(hidden.mean())
        assert sample.layers["1"]["saturated"] == np.mean(np.abs(hidden) > 0.97)
        assert sample.lr == 0.1
    counts, edges = monitor.histogram("1")
    assert counts.sum() == 100
    assert len(edges) == BINS + 1


def test_model_has_no_hooks_between_samples():
    model = nn.MLP(6, [5, 1], rng=0)
    monitor = train(model, steps=2, every=100)
    assert all(not m._hooks.after for m in model.modules() if m._hooks is not None)
    assert len(monitor.samples) == 1


def test_monitor_ignores_outputs_in_evaluation_mode():
    model = nn.MLP(6, [5, 1], rng=0)
    monitor = nn.Monitor(model, every=1)
    model.eval()
    model(X)
    assert monitor._outputs == {}


def test_moments_of_tiny_float32_values_do_not_underflow():
    tiny = np.full(4, 1e-30, np.float32)
    assert moments(tiny)[2] == pytest.approx(2e-30)
    with np.errstate(over="ignore"):
        assert moments(np.full(4, 1e30, np.float32))[2] == pytest.approx(2e30)


def test_histograms_count_into_their_edges():
    numbers = np.random.default_rng(0).normal(size=(1, 1000))
    counts = histograms(numbers, np.ones(1))[0]
    expected, _ = np.histogram(numbers, bin_edges(1.0))
    np.testing.assert_array_equal(counts, expected)
    assert histograms(np.array([[np.nan, np.inf, -np.inf]]), np.ones(1))[0][[0, -1]].tolist() == [1, 2]
    assert spots(np.arange(3.0)).shape == spots(np.arange(1000.0)).shape


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: nn.Monitor(3), TypeError),
        (lambda: nn.Monitor(nn.Tanh()), ValueError),
        (lambda: nn.Monitor(nn.MLP(1, [1], rng=0), every=0), ValueError),
    ],
)
def test_find_lr_with_invalid_arguments_raises(make, error):
    with pytest.raises(error):
        make()


def test_report_before_the_first_step_explains_usage():
    report = nn.Monitor(nn.MLP(1, [1], rng=0)).report()
    assert "monitor.step" in str(report)
    assert isinstance(report, Report)


# ----------------------------------------------------------------------------------------------------- pictures


def test_plot_writes_a_file(tmp_path):
    pytest.importorskip("matplotlib")
    monitor = healthy()
    del monitor.samples[-1].layers["1"], monitor.samples[-1].counts["output 1"]  # a layer that was not called
    monitor.plot(tmp_path / "monitor.png")
    assert (tmp_path / "monitor.png").stat().st_size > 20_000


@pytest.mark.usefixtures("quick_figures")
def test_html_report_is_complete_and_self_contained(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    watched = train(deep("sigmoid", 9), steps=3, every=1)
    watched.epoch(1.0, 2.0)
    watched.save_html(tmp_path / "report.html", title="A <b>title</b>")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A &lt;b&gt;title&lt;/b&gt;" in page
    assert "<svg" in page
    assert not re.search(r"""(src|href)=["']https?:""", page)
    assert "<script" not in page
    assert "<b>Vanishing</b>" in page
    monkeypatch.setattr("nn.training.monitor.report.svg", lambda figure: "")  # drawing it again takes seconds
    assert "<b>Vanishing</b>" in watched._repr_html_()


def test_frozen_first_layer_is_not_a_vanishing_gradient():
    model = nn.MLP(8, [16, 16, 3], rng=0)
    model[0].requires_grad_(False)
    optimizer = optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    monitor = nn.Monitor(model, optimizer, every=1)
    X = np.random.default_rng(0).normal(size=(64, 8))
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(X), np.arange(64) % 3)
        loss.backward()
        optimizer.step()
        monitor.step(loss)
    assert "vanishing" not in monitor.report()


def test_unused_layer_is_not_a_vanishing_gradient():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Linear(6, 6, rng=1)
            self.used = deep("relu", 2)

        def forward(self, x):
            return self.used(x)

    report = train(Unused()).report()
    assert "vanishing" not in report
    assert "unused.weight never had a gradient" in str(report)


def test_report_starts_at_the_first_loss():
    monitor = train(deep("relu", 2), steps=200)
    assert f"the loss went from {monitor.losses[0]:.3g} to" in monitor.report().summary
    assert monitor.losses[0] > 2 * float(np.median(monitor.losses[:20]))  # the first of a steep start


def test_report_of_a_resumed_training_covers_all_of_it(tmp_path):
    def monitored(name, epochs, resume=False):
        model = nn.MLP(6, [8, 2], norm="layer", dropout=0.1, rng=0)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        monitor = nn.Monitor(model, optimizer, every=3)
        options = {"epochs": epochs, "resume": resume, "checkpoint": tmp_path / name, "callbacks": monitor}
        data = {"validation": (X, LABELS), "rng": 0, "progress": False}
        nn.training.fit(model, nn.CrossEntropyLoss(), optimizer, (X, LABELS), **data, **options)
        return monitor

    whole = monitored("whole", 6)
    monitored("parts", 2)
    resumed = monitored("parts", 6, resume=True)
    assert resumed.losses == whole.losses
    assert resumed.epochs == whole.epochs
    assert str(resumed.report()) == str(whole.report())
    for a, b in zip(whole.samples, resumed.samples, strict=True):
        assert (a.step, a.lr) == (b.step, b.lr)
        assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("mean", "std", "norm"))
        assert all(np.array_equal(a.counts[name], b.counts[name]) for name in a.counts)


def test_nan_in_the_inputs_is_named_with_its_own_cure():
    holes = X.copy()
    holes[3, 2] = np.inf
    model = deep("relu", 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    monitor = nn.Monitor(model, optimizer)
    data = nn.data.DataLoader(nn.data.TensorDataset(holes, Y), 64)
    with pytest.warns(RuntimeWarning, match="ended early"):
        nn.training.fit(model, nn.MSELoss(), optimizer, data, callbacks=monitor, progress=False)
    (verdict,) = (v for v in monitor.report() if v.kind == "nan")
    assert "1 of 384 values of input 0 are nan or inf, the first at index (3, 2)" in verdict.evidence
    assert verdict.cure == "remove or fill these rows"
