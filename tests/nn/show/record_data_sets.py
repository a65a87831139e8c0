"""Write the data sets of the playground: python tests/nn/show/record_data_sets.py."""

import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "nn/show/page"


def points(name, rng):
    """Return points in the plane, their labels, and standard normal values that are added according to the noise."""
    k = np.arange(200)
    label, u = k % 2, rng.uniform(0, 1, 200)
    if name == "xor":
        x = np.stack([np.where(k % 4 < 2, 1.0, -1.0), np.where(label, 1.0, -1.0)], 1) * rng.uniform(0.1, 1, (200, 2))
        label = (x[:, 0] * x[:, 1] < 0).astype(int)
    elif name == "moons":
        x = np.stack([np.cos(np.pi * u), np.sin(np.pi * u)], 1)
        x = np.where(label[:, None] == 0, x, [1, 0.5] - x) - [0.5, 0.25]
    else:
        angle = 2 * np.pi * u if name == "circles" else 5 * u + np.pi * label
        radius = np.where(label, 0.45, 1.0) if name == "circles" else 0.1 + 0.9 * u
        x = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    return x, label, rng.standard_normal((200, 2))


def sine(rng):
    """Return one period and a half of a sine."""
    x = rng.uniform(-1.5, 1.5, (100, 1)).round(4)
    return x, np.sin(3 * x[:, 0]).round(6), rng.standard_normal((100, 1))


def digits():
    """Return the first digits in ``demos/data``, with pixels from 0 to 1; a fifth is for validation."""
    rows = np.loadtxt(ROOT / "demos/data/digits.csv.gz", delimiter=",", max_rows=250)
    x, y = (rows[:, :-1] / 16).round(2), rows[:, -1]
    return {"digits": {"x": x.tolist(), "y": y.tolist(), "classes": 10, "train": len(x) * 4 // 5}}


def toys():
    """Return data sets by name: rows for training, then a fifth for validation."""
    found = {}
    for name in ("moons", "circles", "xor", "spiral", "sine"):
        rng = np.random.default_rng(0)
        x, y, noise = sine(rng) if name == "sine" else points(name, rng)
        rest = {"classes": 0 if name == "sine" else 2, "train": len(x) * 4 // 5, "noise": noise.round(3).tolist()}
        found[name] = {"x": x.round(4).tolist(), "y": y.astype(float).tolist(), **rest}
    return found


FILES = {"toys.json": toys, "digits.json": digits}

if __name__ == "__main__":
    for name, made in FILES.items():
        (FOLDER / name).write_text(
            json.dumps(made(), separators=(",", ":")).replace(".0,", ",") + "\n", encoding="ascii"
        )
