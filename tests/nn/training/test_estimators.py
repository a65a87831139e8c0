"""Estimators with scikit-learn's methods: its own checks where it is installed, and ours where it is not."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nn

ROOT = Path(__file__).resolve().parents[3]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
WORDS = np.where(X[:, 0] > 0.5, "high", np.where(X[:, 0] < -0.5, "low", "middle"))
NUMBERS = X[:, 0] - 2 * X[:, 1]
installed = importlib.util.find_spec("sklearn") is not None


def classifier(**options):
    return nn.MLPClassifier((16,), **{"learning_rate_init": 0.02, "random_state": 0, "max_iter": 100, **options})


def regressor(**options):
    return nn.MLPRegressor((16,), **{"learning_rate_init": 0.02, "random_state": 0, "max_iter": 100, **options})


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


def test_training_ends_when_the_loss_is_constant():
    assert regressor(max_iter=500, tol=0.05).fit(X, NUMBERS).n_iter_ < 100
    early = classifier(early_stopping=True, max_iter=500, n_iter_no_change=5).fit(X, WORDS)
    assert early.n_iter_ < 500
    assert "validation loss" in early.history_


@pytest.mark.parametrize("solver", ["sgd", "adamw", "rmsprop", "lion", "lbfgs"])
def test_every_solver_trains(solver):
    rate = {"lion": 0.002, "lbfgs": 1.0, "sgd": 0.05}.get(solver, 0.01)
    model = classifier(solver=solver, learning_rate_init=rate, batch_size=120 if solver == "lbfgs" else 32).fit(
        X, WORDS
    )
    assert model.score(X, WORDS) > 0.9


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
        (lambda: classifier().fit(X[:, 0], WORDS), ValueError, "Reshape your data"),
        (lambda: classifier().fit(X[:0], WORDS[:0]), ValueError, "0 sample"),
        (lambda: classifier().fit(X[:, :0], WORDS), ValueError, "0 feature"),
        (lambda: classifier().fit(np.where(X > 2, np.nan, X), WORDS), ValueError, "NaN"),
        (lambda: regressor().fit(X, np.where(NUMBERS > 2, np.inf, NUMBERS)), ValueError, "infinity"),
        (lambda: regressor().fit(X + 1j, NUMBERS), ValueError, "Complex"),
        (lambda: regressor().fit(X.astype(str).astype(object) + "x", NUMBERS), ValueError, "numbers"),
        (lambda: regressor(max_iter=1).fit(X, NUMBERS).predict(X[:, :2]), ValueError, "2 features.*3 features"),
        (lambda: regressor(solver="adm").fit(X, NUMBERS), ValueError, "choose from"),
        (lambda: regressor(activation="rlu").fit(X, NUMBERS), ValueError, "rlu"),
        (lambda: regressor(max_iter=0).fit(X, NUMBERS), ValueError, "epochs"),
    ],
)
def test_find_lr_with_invalid_arguments_raises(call, error, words):
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


@pytest.mark.skipif(not installed, reason="scikit-learn is not installed")
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_estimators_pass_the_checks_of_scikit_learn(kind):
    # in a process of its own: those checks turn warnings on and off, and load a great deal
    code = (
        "import nn; from sklearn.utils.estimator_checks import check_estimator;"
        f"found = check_estimator(nn.{kind}(max_iter=40, learning_rate_init=0.01), on_fail=None, on_skip=None);"
        "bad = [(r['check_name'], r['exception']) for r in found if r['status'] not in ('passed', 'skipped')];"
        "print(len(found)); assert not bad, bad"
    )
    assert int(run(code)) > 40


@pytest.mark.skipif(not installed, reason="scikit-learn is not installed")
def test_estimators_work_in_pipeline_and_search():
    code = """
import numpy as np, nn
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X = np.random.default_rng(0).normal(size=(90, 3)) * [1, 10, 100]
y = np.where(X[:, 0] > 0, "a", "b")
model = make_pipeline(StandardScaler(), nn.MLPClassifier((8,), learning_rate_init=0.05, max_iter=20, random_state=0))
search = GridSearchCV(model, {"mlpclassifier__alpha": [1e-4, 10.0]}, cv=3).fit(X, y)
assert search.best_params_ == {"mlpclassifier__alpha": 1e-4}, search.best_params_
assert search.best_score_ > 0.85, search.best_score_
"""
    run(code)
