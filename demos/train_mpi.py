"""Train on handwritten digits with several processes: each computes its part of every batch, all take the same steps.

    OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py demos/train_mpi.py

Any number of processes learns the same weights, one included, up to the rounding of sums; `-m mpi4py` ends all of them
if one fails.  A run that was killed goes on from its last epoch with `--checkpoint run.npz --resume`, also with another
number of processes.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

import nn
import optim
from nn.training import evaluate, fit
from optim.distributed import world

DATA = Path(__file__).resolve().parent / "data" / "digits.csv.gz"


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options of a run."""
    parser = argparse.ArgumentParser(
        description="Train a multi-layer perceptron on handwritten digits with several processes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=int, default=20, help="passes over the training images")
    add("--batch-size", type=int, default=64, help="images per step, of all processes together")
    add("--lr", type=float, default=2e-3, help="learning rate")
    add("--seed", type=int, default=0, help="of the split, the initial weights and the order of images")
    add("--checkpoint", type=Path, help="where the run is saved after every epoch, by the first process")
    add("--resume", action="store_true", help="go on from the checkpoint, if it is there")
    arguments = parser.parse_args(argv)
    if arguments.resume and arguments.checkpoint is None:
        parser.error("--resume goes on from a file: name it by --checkpoint")
    return arguments


def digits(seed: int) -> tuple[Any, Any]:
    """Return images and classes, (X, y) to train on and (X, y) to test on; the same on every rank."""
    table = np.loadtxt(DATA, delimiter=",")
    X, y = table[:, :64] / 16.0, table[:, 64].astype(int)
    X_train, X_test, y_train, y_test = nn.data.train_test_split(X, y, test_size=0.2, rng=seed)
    return (X_train, y_train), (X_test, y_test)


def fingerprint(model: nn.Module) -> str:
    """Return a hash of every bit of a model's parameters and statistics."""
    digest = hashlib.sha256()
    for array in model.state_dict().values():
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()[:16]


def main() -> None:
    """Train, measure, and compare the ranks."""
    arguments = parse_arguments()
    comm = world()  # of one rank, where mpiexec did not start this
    train, test = digits(arguments.seed)
    model = nn.Sequential(
        nn.Linear(64, 64, rng=arguments.seed), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10, rng=arguments.seed)
    )
    history = fit(
        model,
        nn.CrossEntropyLoss(),
        optim.Adam(model.parameters(), lr=arguments.lr),
        train,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        rng=arguments.seed,
        metrics="accuracy",
        checkpoint=arguments.checkpoint,
        resume=arguments.resume,
        progress="lines",
        comm=comm,
    )
    numbers = evaluate(model, nn.CrossEntropyLoss(), test, "accuracy", comm=comm)
    hashes = comm.allgather(fingerprint(model))
    if comm.rank == 0:
        steps = -(-len(train[0]) // arguments.batch_size)
        seconds = float(np.median(history["seconds"])) / steps
        print(f"test images: loss {numbers['loss']:.4f}, accuracy {numbers['accuracy']:.1%}")
        print(f"{comm.size} rank(s), {1e3 * seconds:.2f} ms a step; parameters on each: {', '.join(hashes)}")
        assert len(set(hashes)) == 1


if __name__ == "__main__":
    main()
