"""Real data in a few lines each: iris, wine, diabetes, and MNIST's own file format."""

# %% [markdown]
# # Real tables
#
# Four data sets, trained in four ways: with scikit-learn's methods, `fit`, the command line, and IDX files.

# %%
import struct
import tempfile
from pathlib import Path

import numpy as np

import nn
import optim
from nn.__main__ import main
from nn.cli.folder import load_run
from nn.data import DataLoader, TensorDataset, read_mnist, standardize, train_test_split
from nn.training import evaluate, fit

DATA = Path(__file__).resolve().parent / "data"

# %% [markdown]
# ## Iris and wine: fit, predict, score

# %%
scores = {}
for name in ("iris", "wine"):
    table = np.loadtxt(DATA / f"{name}.csv", delimiter=",", skiprows=1)
    X, X_test, y, y_test = train_test_split(table[:, :-1], table[:, -1].astype(int), stratify=table[:, -1], rng=0)
    model = nn.MLPClassifier(random_state=0).fit(X, y)  # scales the features itself
    scores[name] = model.score(X_test, y_test)
    counts = nn.metrics.confusion_matrix(model.predict(X_test), y_test)
    print(f"{name}: {scores[name]:.1%} of {len(y_test)} test rows right\n{counts}")

# %% [markdown]
# ## Diabetes: regression by `fit`
#
# The target is standardised as well, and the validation rows determine when to stop.

# %%
X, y = np.loadtxt(DATA / "diabetes_data_raw.csv.gz"), np.loadtxt(DATA / "diabetes_target.csv.gz")[:, None]
X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, rng=0)
(X, X_test), (y, y_test) = standardize(X, X_test), standardize(y, y_test)
X, X_val, y, y_val = train_test_split(X, y, test_size=0.2, rng=1)
model = nn.MLP(10, [16, 1], rng=0)
optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
history = fit(
    model, nn.MSELoss(), optimizer, (X, y), validation=(X_val, y_val), epochs=200, metrics="r2", rng=0,
    early_stopping=20, progress=False,
)  # fmt: skip
scores["diabetes"] = evaluate(model, nn.MSELoss(), (X_test, y_test), "r2")["r2"]
print(f"diabetes: R2 {scores['diabetes']:.3f} on {len(y_test)} test rows; {history.stopped}")

# %% [markdown]
# ## Wine from the shell
#
# One command leaves the model, its curves, a report, a log and the graph.  `main` receives the arguments that follow
# `python -m nn`.

# %%
with tempfile.TemporaryDirectory() as folder:
    words = f"--target target --hidden 32 --epochs 40 --seed 1 --out {folder}/run --quiet"
    assert main(["train", str(DATA / "wine.csv"), *words.split()]) == 0
    main(["report", f"{folder}/run"])
    scores["shell"] = load_run(Path(folder, "run")).result["test"]["accuracy"]
    written = sorted(path.name for path in Path(folder, "run").iterdir())


# %% [markdown]
# ## MNIST's format
#
# The 60,000 images of MNIST are four IDX files: a magic number, the sizes, then bytes.  Put them into a folder and
# `read_mnist(folder)` returns them; a network of 784-256-10 is known to exceed 98 % there.  Here smaller digits,
# written in the same format, stand in for them; the last 297 come from writers that training did not see.


# %%
def write_idx(path, array):
    """Write an array of bytes as an IDX file."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


table = np.loadtxt(DATA / "digits.csv.gz", delimiter=",")
images, labels = np.kron(table[:, :64].reshape(-1, 8, 8), np.ones((1, 3, 3))) * 15, table[:, 64]  # 24 x 24 pixels
with tempfile.TemporaryDirectory() as name:
    for part, rows in (("train", slice(0, 1500)), ("t10k", slice(1500, None))):
        write_idx(Path(name, f"{part}-images-idx3-ubyte"), images[rows])
        write_idx(Path(name, f"{part}-labels-idx1-ubyte"), labels[rows])
    (X, y), (X_test, y_test) = read_mnist(name), read_mnist(name, train=False)
model = nn.MLP(X.shape[1], [32, 10], dtype=np.float32, rng=0)
optimizer = optim.Adam(model.parameters(), lr=2e-3)
fit(model, nn.CrossEntropyLoss(), optimizer, DataLoader(TensorDataset(X, y), 32, shuffle=True, rng=0), epochs=12,
    progress=False)  # fmt: skip
scores["IDX"] = evaluate(model, nn.CrossEntropyLoss(), (X_test, y_test), "accuracy")["accuracy"]
print(f"IDX files: {len(X)} images of {X.shape[1]} pixels; {scores['IDX']:.1%} of {len(y_test)} test images right")

# %%
print("scores:", {name: round(score, 3) for name, score in scores.items()})
print("written by the command:", ", ".join(written))
assert min(scores["iris"], scores["wine"]) > 0.9
assert scores["diabetes"] > 0.4
assert scores["shell"] > 0.9
assert scores["IDX"] > 0.85
assert {"model.npz", "curves.png", "report.html", "log.jsonl", "graph.svg"} <= set(written)
