"""Scores, intervals, baselines, calibration and importance, against scikit-learn and constructed data."""

import importlib.util

import numpy as np
import pytest

import nn
from nn.cli.folder import attributions
from nn.functional import softmax
from nn.training.scores import (
    baselines,
    calibration,
    compare,
    intervals,
    permutation_importance,
    scores,
    temperature,
    verdict,
)
from nn.training.solvers import Ensemble

RNG = np.random.default_rng(0)
installed = importlib.util.find_spec("sklearn") is not None


@pytest.mark.skipif(not installed, reason="scikit-learn is not installed")
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_match_scikit_learn_with_weights(classes):
    metrics = pytest.importorskip("sklearn.metrics")
    p = RNG.dirichlet(np.ones(classes), 200).round(2) + 0.01  # with ties
    p /= p.sum(1, keepdims=True)
    y, w = RNG.integers(0, classes, 200), RNG.integers(0, 3, 200)
    guess, score = p.argmax(1), p[:, 1] if classes == 2 else p
    expected = {
        "accuracy": metrics.accuracy_score(y, guess, sample_weight=w),
        "balanced accuracy": metrics.balanced_accuracy_score(y, guess, sample_weight=w),
        "ROC-AUC": metrics.roc_auc_score(y, score, multi_class="ovr", sample_weight=w),
        "log loss": metrics.log_loss(y, p, sample_weight=w),
        "f1": metrics.f1_score(y, guess, average="macro", sample_weight=w),
    }
    found = scores(p, y, np.stack([w, np.ones(200)]))
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value), name
    hot = np.eye(classes)[y]
    squares = ((p - hot) ** 2).sum(1) / (2 if classes == 2 else 1)
    assert found["Brier"][0] == pytest.approx(np.average(squares, weights=w))


def test_scores_of_values_match_their_formulas():
    y, w = RNG.normal(size=50), RNG.integers(0, 3, 50)
    a = y + RNG.normal(size=50)
    repeated_y, repeated_a = y.repeat(w), a.repeat(w)
    found = scores(a, y, w)
    assert found["mae"] == pytest.approx(np.abs(repeated_a - repeated_y).mean())
    assert found["rmse"] == pytest.approx(np.sqrt(((repeated_a - repeated_y) ** 2).mean()))
    assert found["r2"] == pytest.approx(1 - ((repeated_a - repeated_y) ** 2).mean() / repeated_y.var())


def test_scores_with_an_absent_class_are_finite():
    p = RNG.dirichlet(np.ones(3), 20)
    found = scores(p, RNG.integers(0, 2, 20))
    assert all(np.isfinite(value) for value in found.values())


def test_intervals_cover_the_binomial_interval_of_an_accuracy():
    right = np.arange(400) % 5 > 0
    p = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    low, high = intervals(p, np.zeros(400, int))["accuracy"]
    half = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    np.testing.assert_allclose([low, high], [0.8 - half, 0.8 + half], atol=0.01)
    assert intervals(p, np.zeros(400, int)) == intervals(p, np.zeros(400, int))


def test_compare_needs_more_than_noise():
    y = RNG.normal(size=200)
    good, similar, bad = y + 0.1 * RNG.normal(size=200), y + 0.1 * RNG.normal(size=200), RNG.normal(size=200)
    assert (compare(good, bad, y), compare(bad, good, y), compare(good, similar, y)) == (1, -1, 0)


def test_baselines_predict_each_kind_of_target():
    X = np.column_stack([RNG.normal(size=(150, 2)), RNG.integers(0, 3, 150)])
    value = X[:, 0] + (X[:, 2] == 1)
    found = baselines(X[:100], value[:100], X[100:], None, levels=[3])
    r2 = {name: float(scores(p, value[100:])["r2"]) for name, p in found.items()}
    assert r2["always the mean"] < 0.05
    assert r2["a linear model"] > 0.99  # the index is encoded as columns of 0 and 1
    label = (value > 0.5).astype(int)
    found = baselines(X[:100], label[:100], X[100:], ["no", "yes", "never"], levels=[3])
    assert next(iter(found)) == "always 'no'"
    assert all(p.shape == (50, 3) and np.allclose(p.sum(1), 1) for p in found.values())
    assert ("gradient boosting" in found) == installed
    words = verdict(found["a linear model"], label[100:], {"always 'no'": found["always 'no'"]})
    assert words.startswith("better than always 'no' (accuracy ")
    assert verdict(found["always 'no'"], label[100:], {"always 'no'": found["always 'no'"]}) == (
        f"not significantly better than always 'no' (accuracy {np.mean(label[100:] == 0):.1%}, 50 test rows)"
    )


def test_temperature_recovers_the_scale_of_overconfident_logits():
    logits = 2 * RNG.normal(size=(4000, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (p.cumsum(1) < RNG.random((4000, 1))).sum(1)
    assert temperature(3 * logits, y) == pytest.approx(3, rel=0.1)
    assert 0.5 < temperature(np.eye(3)[y[:20]] * 5, y[:20]) < 2  # although every row is right
    confidence, accuracy, counts = calibration(p, y)
    np.testing.assert_allclose(confidence[counts > 100], accuracy[counts > 100], atol=0.1)
    assert counts.sum() == 4000


def test_permutation_importance_ranks_columns_by_their_effect():
    X = RNG.normal(size=(300, 4))
    y = 3 * X[:, 0] + X[:, 1] + X[:, 2]
    found = permutation_importance(lambda x: x @ [3.0, 1.0, 1.0, 0.0], X, y, {"c": [3], "pair": [1, 2], "a": [0]})
    assert list(found) == ["a", "pair", "c"]
    assert found["c"] == (0.0, 0.0)
    assert found["a"][0] == pytest.approx(2 * 9 / 11, rel=0.15)
    assert 0 < found["a"][1] < 0.2


def test_integrated_gradients_add_up_to_the_change_of_the_output():
    model = nn.MLP(4, [16, 3], "tanh", rng=0)
    x = RNG.normal(size=4)
    product, integrated = attributions(model, x, output=2)
    change = (model(x[None]).data - model(np.zeros((1, 4))).data)[0, 2]
    assert integrated.sum() == pytest.approx(change, rel=1e-4)
    slopes = [(model(x[None] + h).data - model(x[None] - h).data)[0, 2] / 2e-6 for h in 1e-6 * np.eye(4)[:, None]]
    np.testing.assert_allclose(product, x * slopes, rtol=1e-5)


def test_ensemble_averages_probabilities_of_classes():
    members = [nn.MLP(4, [8, 3], rng=seed) for seed in range(3)]
    x = RNG.normal(size=(5, 4))
    ensemble = Ensemble(members, classify=True)
    mean = np.mean([softmax(member(x).data, 1) for member in members], axis=0)
    np.testing.assert_allclose(softmax(ensemble(x).data, 1), mean)
    assert len(list(ensemble.parameters())) == 12
