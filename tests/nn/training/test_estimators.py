"""Estimators with scikit-learn's methods: its own checks where it is installed, and ours where it is not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nn
from nn.training.solvers import SOLVERS

ROOT = Path(__file__).resolve().parents[3]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
WORDS = np.where(X[:, 0] > 0.5, "high", np.where(X[:, 0] < -0.5, "low", "middle"))
NUMBERS = X[:, 0] - 2 * X[:, 1]


SETTINGS = {"learning_rate_init": 0.02, "random_state": 0, "max_iter": 100, "alpha": 1e-3, "dropout": 0.0}


def classifier(**options):
    return nn.MLPClassifier((16,), **{**SETTINGS, **options})


def regressor(**options):
    return nn.MLPRegressor((16,), **{**SETTINGS, **options})


def run(code):
    """Run code in a process of its own, and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_classifier_learns_text_labels():
    model = classifier().fit(X, WORDS)
    assert model.score(X, WORDS) > 0.95
    assert model.classes_.tolist() == ["high", "low", "middle"]
    shares = model.predict_proba(X)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_array_equal(model.classes_[shares.argmax(1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), shares)
    assert model.n_features_in_ == 3
    assert len(model.loss_curve_) == model.n_iter_


def test_regressor_learns_one_or_several_targets():
    model = regressor().fit(X, NUMBERS)
    assert model.score(X, NUMBERS) > 0.95
    assert model.predict(X).shape == (120,)
    both = np.stack([NUMBERS, -NUMBERS], 1)
    assert regressor().fit(X, both).predict(X).shape == (120, 2)


def test_same_seed_gives_the_same_model():
    first, second, other = (regressor(random_state=s, max_iter=3).fit(X, NUMBERS).predict(X) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    state = np.random.RandomState(0)
    assert classifier(random_state=state, max_iter=2).fit(X, WORDS).n_iter_ == 2


def test_fitting_again_starts_anew():
    model = regressor(max_iter=3).fit(X, NUMBERS)
    first = model.predict(X)
    np.testing.assert_array_equal(model.fit(X, NUMBERS).predict(X), first)


def test_early_stopping_ends_when_the_validation_loss_is_constant():
    assert regressor(max_iter=500, tol=0.05, early_stopping=True).fit(X, NUMBERS).n_iter_ < 100
    early = classifier(early_stopping=True, max_iter=500, n_iter_no_change=5).fit(X, WORDS)
    assert early.n_iter_ < 500
    assert "validation loss" in early.history_


def test_every_solver_trains():
    scores = {}
    for name in sorted(SOLVERS):
        model = classifier(solver=name, learning_rate_init="auto", max_iter=30, batch_size=16).fit(X, WORDS)
        scores[name] = model.score(X, WORDS)
    assert {name: score for name, score in scores.items() if score < 0.7} == {}  # the largest class has 0.38


def test_lbfgs_trains_on_the_full_batch():
    y = np.sin(2 * X[:, 0]) + X[:, 1] ** 2
    model = regressor(solver="lbfgs", learning_rate_init="auto", alpha=1e-4, max_iter=200).fit(X, y)
    assert model.score(X, y) > 0.98
    assert np.all(np.diff(model.loss_curve_) < 1e-3)  # no noise of batches


def test_muon_updates_hidden_matrices_and_adamw_the_rest():
    model = regressor(solver="muon", max_iter=2).fit(X, NUMBERS)
    muon, adamw = model.optimizer_.param_groups
    assert [p.shape for p in muon["params"]] == [(16, 3)]
    assert [p.shape for p in adamw["params"]] == [(16,), (1, 16), (1,)]
    assert not adamw["use_muon"]


@pytest.mark.parametrize("make", [classifier, regressor])
def test_integer_sample_weights_equal_repeated_rows(make):
    weight = np.random.default_rng(1).integers(0, 4, len(X))
    y = WORDS if make is classifier else NUMBERS
    options = {"batch_size": 1000, "max_iter": 20}
    weighted = make(**options).fit(X, y, sample_weight=weight)
    repeated = make(**options).fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(weighted._outputs(X), repeated._outputs(X), rtol=1e-7, atol=1e-9)
    assert weighted.score(X, y, weight) == pytest.approx(repeated.score(X.repeat(weight, 0), y.repeat(weight)))


@pytest.mark.parametrize("make", [nn.MLPClassifier, nn.MLPRegressor])
def test_order_and_repetition_of_rows_in_one_batch_do_not_change_a_bit(make):
    rng = np.random.default_rng(3)
    x, y, weight = rng.random((15, 4)), rng.integers(3, size=15), rng.integers(1, 3, size=15)
    order = rng.permutation(weight.sum())
    weighted = make(random_state=0, max_iter=30).fit(x, y, sample_weight=weight)
    repeated = make(random_state=0, max_iter=30).fit(x.repeat(weight, 0)[order], y.repeat(weight)[order])
    np.testing.assert_array_equal(weighted._outputs(x), repeated._outputs(x))


def test_integer_weights_count_as_rows_in_the_encoding_of_a_data_frame():
    size = [1.0, 2.0, np.nan, 9.0, 7.0, 8.0] * 3
    weight = np.array([3, 1, 1, 1, 2, 1] * 3)
    frames = Frame(size=np.array(size)), Frame(size=np.repeat(size, weight))
    first = nn.MLPRegressor(max_iter=1).fit(frames[0], np.arange(18.0), sample_weight=weight)
    second = nn.MLPRegressor(max_iter=1).fit(frames[1], np.repeat(np.arange(18.0), weight))
    assert first.columns_ == second.columns_
    assert first.columns_[0].fill == 4.5  # of the rows without their weights 7


def test_balanced_class_weights_raise_the_recall_of_a_rare_class():
    rng = np.random.default_rng(2)
    noisy = rng.normal(size=(400, 2))
    rare = (noisy[:, 0] + rng.normal(size=400) > 2).astype(int)
    recall = {}
    for weights in (None, "balanced", {0: 1.0, 1: float(np.mean(rare == 0) / np.mean(rare))}):
        model = classifier(class_weight=weights, max_iter=30).fit(noisy, rare)
        recall[str(weights)[:4]] = np.mean(model.predict(noisy)[rare == 1])
    assert recall["bala"] > recall["None"] + 0.2
    assert recall["{0: "] == pytest.approx(recall["bala"], abs=0.05)
    for weights, words in (("equal", "balanced"), ({"x": 1.0}, "'x'")):
        with pytest.raises(ValueError, match=words):
            classifier(class_weight=weights).fit(noisy, rare)


def test_partial_fit_continues_the_training():
    model = classifier()
    for _ in range(40):
        for rows in np.split(np.arange(120), 2):
            model.partial_fit(X[rows], WORDS[rows], classes=["high", "low", "middle"])
    assert model.n_iter_ == len(model.loss_curve_) == 80
    assert model.score(X, WORDS) > 0.9
    with pytest.raises(ValueError, match="'huge'"):
        model.partial_fit(X, np.where(X[:, 0] > 0, "huge", "low"))
    model = regressor()
    for _ in range(60):
        model.partial_fit(X, NUMBERS, sample_weight=np.ones(120))
    assert model.score(X, NUMBERS) > 0.9


def test_early_stopping_records_validation_scores():
    for make, y, name in ((classifier, WORDS, "accuracy"), (regressor, NUMBERS, "r2")):
        weight = np.linspace(0.5, 1.5, len(X))
        model = make(early_stopping=True, max_iter=10).fit(X, y, weight)
        assert model.validation_scores_ == model.history_[f"validation {name}"]
        assert model.best_validation_score_ == max(model.validation_scores_)


def test_scale_of_inputs_and_targets_has_no_effect():
    first = regressor(max_iter=5).fit(X, NUMBERS).predict(X)
    scaled = regressor(max_iter=5).fit(X * 1000 + 7, NUMBERS * 1000 + 7).predict(X * 1000 + 7)
    np.testing.assert_allclose(scaled, first * 1000 + 7, rtol=1e-8)


def test_html_repr_shows_arguments_and_network():
    model = regressor(max_iter=1)
    assert "not fitted" in model._repr_html_()
    assert "Linear" in model.fit(X, NUMBERS)._repr_html_()


def test_get_params_set_params_and_repr_agree():
    model = classifier()
    assert model.get_params()["hidden_layer_sizes"] == (16,)
    assert type(model)(**model.get_params()).get_params() == model.get_params()
    assert model.set_params(alpha=0.5).alpha == 0.5
    assert repr(nn.MLPRegressor((3,), alpha=0.5)) == "MLPRegressor(alpha=0.5, hidden_layer_sizes=(3,))"
    with pytest.raises(ValueError, match="no argument 'layers'"):
        model.set_params(layers=3)


def test_fitted_model_can_be_pickled():
    # in a process of its own: collecting doctests loads modules a second time, and pickle asks which one is meant
    run(
        "import numpy as np, nn, pickle; X = np.eye(4);"
        "model = nn.MLPClassifier((3,), max_iter=5).fit(X, [0, 1, 0, 1]);"
        "again = pickle.loads(pickle.dumps(model));"
        "assert np.array_equal(model.predict_proba(X), again.predict_proba(X))"
    )


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: classifier().predict(X), AttributeError, "not fitted"),
        (lambda: classifier().predict(X), ValueError, "fit\\(X, y\\)"),
        (lambda: classifier().fit(X, WORDS[:5]), ValueError, "120, 5"),
        (lambda: classifier().fit(X, None), ValueError, "target y is None"),
        (lambda: classifier().fit(X, ["a"] * 120), ValueError, "1 class"),
        (lambda: classifier().fit(X, NUMBERS), ValueError, "MLPRegressor"),
        (lambda: classifier().fit(X, ["yes", None, float("nan")] * 40), ValueError, "y contains NaN or None"),
        (lambda: classifier().fit(X[:, 0], WORDS), ValueError, "Reshape your data"),
        (lambda: classifier().fit(X[:0], WORDS[:0]), ValueError, "0 sample"),
        (lambda: classifier().fit(X[:, :0], WORDS), ValueError, "0 feature"),
        (lambda: classifier().fit(np.where(X > 2, np.nan, X), WORDS), ValueError, "NaN"),
        (lambda: regressor().fit(X, np.where(NUMBERS > 2, np.inf, NUMBERS)), ValueError, "infinity"),
        (lambda: regressor().fit(X + 1j, NUMBERS), ValueError, "Complex"),
        (lambda: regressor().fit(X.astype(str).astype(object) + "x", NUMBERS), ValueError, "numbers"),
        (lambda: regressor(max_iter=1).fit(X, NUMBERS).predict(X[:, :2]), ValueError, "2 features.*3 features"),
        (lambda: regressor(solver="adm").fit(X, NUMBERS), ValueError, r"unknown.*choose from"),
        (lambda: regressor(solver="lookahead").fit(X, NUMBERS), ValueError, r"wraps.*choose from"),
        (lambda: regressor(solver="averagedmodel").fit(X, NUMBERS), ValueError, "cannot train alone"),
        (lambda: regressor().fit(X, NUMBERS, np.zeros(120)), ValueError, "zero"),
        (lambda: regressor().fit(X, NUMBERS, -np.ones(120)), ValueError, "negative"),
        (lambda: regressor().fit(X, NUMBERS, np.ones(7)), ValueError, "sample_weight"),
        (lambda: regressor(activation="rlu").fit(X, NUMBERS), ValueError, "rlu"),
        (lambda: regressor(max_iter=0).fit(X, NUMBERS), ValueError, "epochs"),
    ],
)
def test_estimators_with_invalid_arguments_raise(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_column_of_labels_warns():
    with pytest.warns(UserWarning, match="column-vector"):
        classifier(max_iter=1).fit(X, WORDS[:, None])


def test_column_names_of_a_data_frame_are_checked():
    class Frame:
        """As much of a data frame as is looked at."""

        def __init__(self, columns):
            self.columns = columns

        def __array__(self, dtype=None, copy=None):
            return X

    model = regressor(max_iter=1).fit(Frame(["a", "b", "c"]), NUMBERS)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    model.predict(Frame(["a", "b", "c"]))
    with pytest.raises(ValueError, match="unseen at fit time:\n- d"):
        model.predict(Frame(["a", "b", "d"]))
    with pytest.raises(ValueError, match="same order"):
        model.predict(Frame(["a", "c", "b"]))
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)


@pytest.mark.filterwarnings("ignore")  # about too few epochs, among others
@pytest.mark.parametrize("kind", [nn.MLPClassifier, nn.MLPRegressor])
def test_estimators_pass_the_checks_of_scikit_learn(kind):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    found = checks.check_estimator(kind((16,), max_iter=10), on_fail=None, on_skip=None)
    assert len(found) > 40
    assert [(r["check_name"], r["exception"]) for r in found if r["status"] not in ("passed", "skipped")] == []


def test_estimators_work_in_pipeline_and_search():
    search_of = pytest.importorskip("sklearn.model_selection").GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(0).normal(size=(90, 3)) * [1, 10, 100]
    y = np.where(X[:, 0] > 0, "a", "b")
    network = nn.MLPClassifier((8,), learning_rate_init=0.05, max_iter=20, random_state=0)
    search = search_of(make_pipeline(StandardScaler(), network), {"mlpclassifier__alpha": [1e-4, 10.0]}, cv=3).fit(X, y)
    assert search.best_params_ == {"mlpclassifier__alpha": 1e-4}
    assert search.best_score_ > 0.85


def test_sample_weights_are_routed_through_a_search():
    search_of = pytest.importorskip("sklearn.model_selection").GridSearchCV
    from sklearn import config_context

    X = np.random.default_rng(0).normal(size=(60, 3))
    model = nn.MLPRegressor((8,), max_iter=5, random_state=0)
    with config_context(enable_metadata_routing=True):
        model = model.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = search_of(model, {"alpha": [0.1]}, cv=2).fit(X, X[:, 0], sample_weight=np.arange(60.0))
        plain = search_of(model, {"alpha": [0.1]}, cv=2).fit(X, X[:, 0])
    assert not np.array_equal(search.predict(X), plain.predict(X))


class Frame(dict):
    """As much of a data frame as is used: names, columns, and rows as an array."""

    columns = property(list)

    def __array__(self, dtype=None, copy=None):
        return np.array(list(self.values()), dtype=dtype).T


def mixed_frame(rows, seed=0):
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
    town = rng.choice([f"town {i:02}" for i in range(15)], rows)
    height = np.array([int(name[-2:]) for name in town]) / 5 - 1.5
    y = size + (colour == "red") + height
    return Frame(size=np.where(rng.random(rows) < 0.1, np.nan, size), colour=colour, town=town), y


def test_data_frame_of_words_and_missing_values_is_encoded():
    X, y = mixed_frame(400)
    new, truth = mixed_frame(200, seed=1)
    model = nn.MLPRegressor(random_state=0).fit(X, y)
    assert [column.kind for column in model.columns_] == ["number", "words", "words"]
    assert model.n_features_in_ == 3
    assert model.feature_names_in_.tolist() == ["size", "colour", "town"]
    assert model.score(new, truth) > 0.8
    new["town"] = np.where(np.arange(200) % 2, "a town never seen", new["town"])
    assert np.isfinite(model.predict(new)).all()
    with pytest.raises(ValueError, match="now missing:\n- town"):
        model.predict(Frame(size=X["size"], colour=X["colour"]))
    with pytest.raises(ValueError, match=r"no column.*contains information"):
        nn.MLPRegressor().fit(Frame(a=np.full(400, np.nan)), y)


def test_words_in_a_column_of_numbers_warn_in_predict():
    X, y = mixed_frame(60)
    model = nn.MLPRegressor((4,), max_iter=1, random_state=0).fit(X, y)
    size = ["large", *X["size"][1:]]
    with pytest.warns(UserWarning, match="column 'size'.*1 unknown value replaced by the median: 'large'"):
        predicted = model.predict(Frame(X, size=np.array(size, dtype=object)))
    X["size"][0] = np.nan
    np.testing.assert_array_equal(predicted, model.predict(X))


def test_array_for_a_model_of_words_raises():
    X, y = mixed_frame(60)
    model = nn.MLPRegressor((4,), max_iter=1, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="feature names"), pytest.raises(TypeError, match="data frame of words"):
        model.predict(np.zeros((2, 3)))


def test_rows_of_weight_zero_do_not_change_the_encoding_of_a_data_frame():
    X, y = mixed_frame(120)
    weight = np.arange(120) % 3 > 0
    kept = Frame({name: np.asarray(values)[weight] for name, values in X.items()})
    models = [nn.MLPRegressor((4,), max_iter=2, random_state=0) for _ in range(2)]
    weighted, fewer = models[0].fit(X, y, sample_weight=weight), models[1].fit(kept, y[weight])
    assert weighted.columns_[0].fill == fewer.columns_[0].fill
    np.testing.assert_allclose(weighted.predict(X), fewer.predict(X), rtol=1e-9)


def test_categorical_features_declares_numbers_as_words():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 4, 300).astype(float)
    y = np.array([1.0, -1.0, 1.0, -1.0])[code.astype(int)]
    X = Frame(code=code, noise=rng.normal(size=300))
    model = nn.MLPRegressor((), categorical_features=["code"], random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9  # a linear model of the number could not
    with pytest.raises(TypeError, match="data frame"):
        nn.MLPRegressor(categorical_features=["code"]).fit(np.asarray(X), y)
    with pytest.raises(ValueError, match="numbers"):
        nn.MLPRegressor(categorical_features=None).fit(mixed_frame(50)[0], y[:50])


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_frames_of_pandas_and_polars_give_the_same_predictions(package):
    frames = pytest.importorskip(package)
    X, y = mixed_frame(100)
    expected = nn.MLPRegressor(max_iter=3, random_state=0).fit(X, y).predict(X)
    frame = frames.DataFrame({name: list(column) for name, column in X.items()})
    model = nn.MLPRegressor(max_iter=3, random_state=0).fit(frame, y)
    np.testing.assert_array_equal(model.predict(frame), expected)


def test_validation_fraction_must_leave_rows_on_both_sides():
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    for share in (0.0, 1.0, -0.1, 2.0, float("nan")):
        with pytest.raises(
            ValueError, match=f"validation_fraction must be between 0 and 1, both excluded, got {share}"
        ):
            nn.MLPClassifier((4,), early_stopping=True, validation_fraction=share).fit(X, y)
    nn.MLPClassifier((4,), early_stopping=True, validation_fraction=0.999, max_iter=2).fit(X, np.arange(40) % 4)
