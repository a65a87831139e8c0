"""Compare optimizers on small problems, each with a learning rate tuned on the same budget.

    python -m tests.benchmarks.bench_choice [-o tests/benchmarks/choice.json]

Every optimizer tries the same ten rates on every problem with one seed; the rate with the smallest loss on a
validation part then trains with five other seeds, and the scores on the test part are stored.
The guide shows them as a table.
"""

import argparse
import json
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np

import nn
import optim
from autograd import Value, hessian_product
from nn.data import read_csv, standardize, train_test_split
from nn.training import evaluate, fit

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "demos/data"
sys.path.insert(0, str(HERE.parents[1] / "demos"))
from toys import moons

RATES = [10.0 ** (exponent / 2) for exponent in range(-8, 2)]
SEEDS = (1, 2, 3, 4, 5)
OPTIMIZERS = {
    "SGD": optim.SGD,
    "SGD, momentum": partial(optim.SGD, momentum=0.9),
    "SGD, Nesterov": partial(optim.SGD, momentum=0.9, nesterov=True),
    "Adagrad": optim.Adagrad,
    "RMSprop": optim.RMSprop,
    "Adam": optim.Adam,
    "AdamW": optim.AdamW,
    "NAdam": optim.NAdam,
    "RAdam": optim.RAdam,
    "Lion": optim.Lion,
    "ADOPT": optim.ADOPT,
    "Adan": optim.Adan,
    "AdEMAMix": optim.AdEMAMix,
    "LAMB": optim.LAMB,
    "ScheduleFreeAdamW": optim.ScheduleFreeAdamW,
    "Prodigy": optim.Prodigy,
    "Muon": optim.Muon,
    "Shampoo": optim.Shampoo,
    "SOAP": optim.SOAP,
    "PSGDKron": optim.PSGDKron,
    "AdaHessian": optim.AdaHessian,
    "Sophia": optim.Sophia,
}


def tables():
    """Return {problem: (X, y, widths, loss, metric, epochs)}."""
    digits = np.loadtxt(DATA / "digits.csv.gz", delimiter=",")
    wine = read_csv(str(DATA / "wine.csv"), target=-1, header=False, skip_lines=1)
    iris = read_csv(str(DATA / "iris.csv"), target=-1, header=False, skip_lines=1)
    classes = nn.CrossEntropyLoss(), "accuracy"
    points, labels = moons(400, noise=0.2, seed=0)
    diabetes = np.loadtxt(DATA / "diabetes_data_raw.csv.gz"), np.loadtxt(DATA / "diabetes_target.csv.gz")[:, None]
    return {
        "digits": (digits[:, :-1], digits[:, -1].astype(int), [32, 10], *classes, 8),
        "moons": (points, labels, [16, 16, 2], *classes, 15),
        "iris": (iris.X, iris.y.astype(int), [16, 3], *classes, 15),
        "wine": (wine.X, wine.y.astype(int), [16, 3], *classes, 10),
        "diabetes": (diabetes[0], (diabetes[1] - 152) / 77, [32, 1], nn.MSELoss(), "r2", 15),
    }


def score(problem, make, lr, seed, part):
    """Train on a problem and return minus the validation loss, or the test score; minus infinity if training failed."""
    x, y, widths, criterion, metric, epochs = problem
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, rng=seed)
    if part == "validation":
        x_train, x_test, y_train, y_test = train_test_split(x_train, y_train, test_size=0.25, rng=seed)
    x_train, x_test = standardize(x_train, x_test)
    model = nn.MLP(x.shape[1], widths, activation="relu", rng=seed)
    optimizer = make(model.parameters(), lr=lr)
    try:
        fit(model, criterion, optimizer, (x_train, y_train), epochs=epochs, rng=seed, progress=False)
        optimizer.eval() if hasattr(optimizer, "eval") else None
        found = evaluate(model, criterion, (x_test, y_test), metrics=metric)
    except (FloatingPointError, OverflowError):
        return -np.inf
    value = found[metric] if part == "test" else -found["loss"]
    return float(value) if np.isfinite(value) else -np.inf


def distance_to_the_minimum(make, lr, steps=500):
    """Return the distance to the minimum of Rosenbrock's function after some steps, on a logarithmic scale."""
    x, y = Value(-0.8), Value(2.0)
    optimizer = make([x, y], lr=lr)
    try:
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (1 - x) ** 2 + 100 * (y - x**2) ** 2
            loss.backward()
            if optimizer.needs_product:
                optimizer.estimate(hessian_product(loss, [x, y]))
            optimizer.step()
        distance = np.hypot(x.data - 1, y.data - 1)
    except (OverflowError, ValueError):
        return -np.inf
    return float(-np.log10(distance + 1e-16)) if np.isfinite(distance) else -np.inf


def main(argv=None):
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=HERE / "choice.json")
    output = parser.parse_args(argv).output
    warnings.simplefilter("ignore")
    results = {name: {} for name in OPTIMIZERS}
    with np.errstate(all="ignore"):
        for problem, parts in tables().items():
            for name, make in OPTIMIZERS.items():
                tried = [score(parts, make, lr, 0, "validation") for lr in RATES]
                lr = RATES[int(np.argmax(tried))]
                scores = [score(parts, make, lr, seed, "test") for seed in SEEDS]
                results[name][problem] = {"lr": lr, "scores": scores}
                print(f"{problem:10} {name:20} lr {lr:8.2g}  {np.mean(scores):.3f}", flush=True)
        for name, make in OPTIMIZERS.items():
            reached = [distance_to_the_minimum(make, lr) for lr in RATES]
            best = int(np.argmax(reached))
            results[name]["Rosenbrock"] = {"lr": RATES[best], "scores": [reached[best]]}
            print(f"Rosenbrock {name:20} lr {RATES[best]:8.2g}  {10.0 ** -reached[best]:.1e}", flush=True)
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
