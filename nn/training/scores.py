"""Scores of a model on test rows: with bootstrap intervals, next to baselines, and with a verdict in words.

Predictions are the probabilities of classes, shape (n, classes), or the values of a regression, shape (n,).
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nn.data import one_hot
from nn.functional import log_softmax
from nn.random import Rng, as_generator
from nn.typing import Array

from .estimators import MLPClassifier, MLPRegressor
from .history import format_numbers

RESAMPLES = 500  # of the bootstrap
MOST_CELLS = 2_000_000  # rows times resamples, and rows times columns or classes for gradient boosting


def scores(predicted: Array, true: Array, weights: Array | None = None) -> dict[str, Array]:
    r"""Return every score, by name; the first is the one that models are compared by.

    Parameters
    ----------
    predicted : ndarray, shape (n, classes) or (n,)
        Probabilities, or values.
    true : ndarray, shape (n,)
        Class indices, or values.
    weights : ndarray, shape (..., n), optional
        Counts of the rows, as the bootstrap draws them; by default 1 each.

    Returns
    -------
    dict of str to ndarray, shape (...)
        For classes accuracy, balanced accuracy (mean recall), ROC-AUC (mean of one against the rest), log loss, the
        Brier score (half for two classes, as in scikit-learn) and macro F1; for values R2, MAE and RMSE.

    Examples
    --------
    >>> found = scores(np.array([[0.8, 0.2], [0.4, 0.6], [0.6, 0.4]]), np.array([0, 1, 1]))
    >>> {name: round(float(value), 3) for name, value in found.items()}
    {'accuracy': 0.667, 'balanced accuracy': 0.75, 'ROC-AUC': 1.0, 'log loss': 0.55, 'Brier': 0.187, 'f1': 0.667}
    """
    w = np.ones(len(true)) if weights is None else np.asarray(weights, np.float64)
    rows = w.sum(-1)
    if predicted.ndim == 1:
        squares = w @ (predicted - true) ** 2
        spread = w @ true**2 - (w @ true) ** 2 / rows
        r2 = 1 - squares / np.where(spread > 0, spread, np.nan)
        return {"r2": r2, "mae": w @ np.abs(predicted - true) / rows, "rmse": np.sqrt(squares / rows)}
    hot = one_hot(true, predicted.shape[1])
    guess = one_hot(predicted.argmax(1), predicted.shape[1])
    hits, occur, made = w @ (hot * guess), w @ hot, w @ guess
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the mean over no class
        recall, f1 = np.nanmean(hits / occur, axis=-1), np.nanmean(2 * hits / (occur + made), axis=-1)
        columns = range(1, 2) if hot.shape[1] == 2 else range(hot.shape[1])
        auc = np.nanmean([_area(predicted[:, k], hot[:, k], w) for k in columns], axis=0)
    surprise = -np.log(np.maximum(predicted[np.arange(len(true)), true], np.finfo(float).eps))
    brier = ((predicted - hot) ** 2).sum(1) / (2 if hot.shape[1] == 2 else 1)
    return {
        "accuracy": hits.sum(-1) / rows, "balanced accuracy": recall, "ROC-AUC": auc, "log loss": w @ surprise / rows,
        "Brier": w @ brier / rows, "f1": f1,
    }  # fmt: skip


def _area(score: Array, positive: Array, w: Array) -> Array:
    """Return the share of pairs of a positive and a negative row in which the positive one scores higher."""
    order = np.argsort(score)
    ranked, p = score[order], w[..., order] * positive[order]
    below = np.concatenate([np.zeros((*w.shape[:-1], 1)), np.cumsum(w[..., order] - p, axis=-1)], axis=-1)
    lower = below[..., np.searchsorted(ranked, ranked)] + below[..., np.searchsorted(ranked, ranked, "right")]
    return np.asarray((p * lower).sum(-1) / (2 * p.sum(-1) * below[..., -1]))


def _resampled(rows: int, rng: Rng) -> Array:
    count = int(np.clip(MOST_CELLS // rows, 50, RESAMPLES))
    return as_generator(rng).multinomial(rows, np.full(rows, 1 / rows), size=count)


def intervals(predicted: Array, true: Array, rng: Rng = 0) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of each score, by the percentiles of the bootstrap over rows (Efron 1979).

    Examples
    --------
    >>> low, high = intervals(np.arange(50.0), np.arange(50.0) + np.arange(50) % 2)["mae"]
    >>> 0.3 < low < 0.5 < high < 0.7
    True
    """
    found = scores(predicted, true, _resampled(len(true), rng))
    return {name: _middle(values) for name, values in found.items()}


def _middle(values: Array) -> tuple[float, float]:
    """Return the 95 % interval of values, nan if all are undefined, as the ROC-AUC of rows of one class."""
    defined = values[~np.isnan(values)]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (np.nan, np.nan)
    return float(low), float(high)


def compare(predicted: Array, other: Array, true: Array, rng: Rng = 0) -> int:
    """Return 1 if predictions are better than others, -1 if worse, 0 if the rows do not show a difference.

    The 95 % interval of the difference of the first score, of both on the same resampled rows, decides.

    Examples
    --------
    >>> true = np.arange(40.0)
    >>> compare(true + 0.1, true + np.arange(40) % 5, true), compare(true + 1, true - 1, true)
    (1, 0)
    """
    counts = _resampled(len(true), rng)
    ours, theirs = (next(iter(scores(p, true, counts).values())) for p in (predicted, other))
    low, high = _middle(ours - theirs)
    return int(low > 0) - int(high < 0)


def baselines(
    X: Array, y: Array, X_test: Array, labels: Sequence[str] | None, levels: Sequence[int] = ()
) -> dict[str, Array]:
    """Return the predictions of simple models: a constant, a linear model, and scikit-learn's gradient boosting.

    Parameters
    ----------
    X, y : ndarray
        Features and targets of the training rows.
    X_test : ndarray
        Features of the rows to predict.
    labels : sequence of str or None
        The classes, or None for a regression.
    levels : sequence of int
        The number of values of each of the last features, if these are indices.

    Returns
    -------
    dict of str to ndarray
        Predictions by model; gradient boosting only where scikit-learn is installed and the table is small.
    """
    constant = float(np.mean(y)) if labels is None else np.bincount(y, minlength=len(labels)) / len(y)
    name = "always the mean" if labels is None else f"always {labels[int(np.argmax(constant))]!r}"
    found = {name: np.full((len(X_test), *np.shape(constant)), constant)}

    def dense(features: Array) -> Array:
        first = features.shape[1] - len(levels)
        hot = [one_hot(features[:, first + i].astype(int), count) for i, count in enumerate(levels)]
        return np.concatenate([features[:, :first], *hot], axis=1)

    kind: Any = MLPRegressor if labels is None else MLPClassifier
    linear = kind((), solver="lbfgs", alpha=1 / len(y), max_iter=100, random_state=0).fit(dense(X), y)
    found["a linear model"] = _predictions(linear, dense(X_test), labels)
    if len(y) * max(X.shape[1], len(labels or ())) <= MOST_CELLS:
        try:
            from sklearn import ensemble  # type: ignore[import-untyped, import-not-found, unused-ignore]
            from threadpoolctl import threadpool_limits
        except ImportError:
            return found
        kind = ensemble.HistGradientBoostingRegressor if labels is None else ensemble.HistGradientBoostingClassifier
        with threadpool_limits(1):  # on a busy machine, threads that wait for each other take a hundred times longer
            found["gradient boosting"] = _predictions(kind(random_state=0).fit(X, y), X_test, labels)
    return found


def _predictions(model: Any, X: Array, labels: Sequence[str] | None) -> Array:
    if labels is None:
        return np.asarray(model.predict(X))
    found = np.zeros((len(X), len(labels)))
    found[:, model.classes_] = model.predict_proba(X)  # a rare class may be absent from the training rows
    return found


def verdict(predicted: Array, true: Array, others: Mapping[str, Array]) -> str:
    """Return in a sentence how predictions compare with those of each baseline.

    Examples
    --------
    >>> true = np.arange(40.0)
    >>> verdict(true + 0.1, true, {"always the mean": np.full(40, 19.5)})
    'better than always the mean (r2 0)'
    """
    words = {1: "better than", 0: "not significantly better than", -1: "worse than"}
    parts = []
    for name, other in others.items():
        key, score = next(iter(scores(other, true).items()))
        shown, sign = format_numbers({key: float(score)}), compare(predicted, other, true)
        parts.append(f"{words[sign]} {name} ({shown}{'' if sign else f', {len(true)} test rows'})")
    return ", ".join(parts)


def temperature(logits: Array, true: Array) -> float:
    r"""Return the temperature T of ``softmax(logits / T)`` with the lowest log loss (Guo et al. 2017), in [0.1, 10].

    The target of each of n rows is :math:`(n + 1) / (n + 2)` for its class and equal parts of the rest for the others,
    as in Platt 1999, so that a few rows without an error do not make the model overconfident.

    Examples
    --------
    >>> temperature(np.array([[5.0, 0.0], [5.0, 0.0], [5.0, 0.0], [0.0, 5.0]]), np.array([0, 0, 1, 1])) > 3
    True
    """
    hot, rest = one_hot(true, logits.shape[1]), 1 / (len(true) + 2)
    target = hot * (1 - rest) + (1 - hot) * rest / (logits.shape[1] - 1)
    grid = np.exp(np.linspace(-np.log(10), np.log(10), 201))
    losses = [-np.sum(target * np.asarray(log_softmax(logits / t, 1))) for t in grid]
    return float(grid[int(np.argmin(losses))])


def calibration(probabilities: Array, true: Array, bins: int = 10) -> tuple[Array, Array, Array]:
    """Return mean confidence, accuracy and number of rows in each bin of the confidence that contains rows.

    Examples
    --------
    >>> calibration(np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45]]), np.array([0, 1, 1]), bins=2)
    (array([0.75]), array([0.66666667]), array([3]))
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == true
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    used = counts > 0
    means = [np.bincount(place, values, bins)[used] / counts[used] for values in (confidence, right)]
    return means[0], means[1], counts[used]


def permutation_importance(
    predict: Callable[[Array], Array], X: Array, true: Array, groups: Mapping[str, Sequence[int]], repeats: int = 5,
    rng: Rng = 0,
) -> dict[str, tuple[float, float]]:  # fmt: skip
    """Return by how much the first score drops when the features of a column are permuted among rows (Breiman 2001).

    Parameters
    ----------
    predict : callable
        Returns predictions for features.
    X, true : ndarray
        Features and targets of test rows.
    groups : mapping of str to sequence of int
        The features of each column, which are permuted together.
    repeats : int
        Permutations of each column.
    rng : Generator or int, optional
        Their source.

    Returns
    -------
    dict of str to (float, float)
        Mean and standard deviation of the drop by column, the largest first.
    """
    generator = as_generator(rng)

    def score(features: Array) -> float:
        return float(next(iter(scores(predict(features), true).values())))

    full, drops = score(X), {}
    for name, columns in groups.items():
        found = []
        for _ in range(repeats):
            changed = X.copy()
            changed[:, columns] = X[generator.permutation(len(X))][:, columns]
            found.append(full - score(changed))
        drops[name] = (float(np.mean(found)), float(np.std(found)))
    return dict(sorted(drops.items(), key=lambda item: -item[1][0]))
