"""Train a multi-layer perceptron on real handwritten digits, and draw what happened.

    python demos/train_digits.py --help

The 1,797 images of 8 x 8 pixels lie in `demos/data/`; nothing is downloaded.  Written to the output folder: the curves
of loss and accuracy, the computation graph of one loss, the confusion matrix, and the trained model.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from plots import save_confusion, save_curves

import autograd
import nn
import optim

DATA = Path(__file__).resolve().parent / "data" / "digits.csv.gz"
OPTIMIZERS = {
    name.lower(): getattr(optim, name)
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "NAdam", "RAdam", "Lion")
}
ACTIVATIONS = ("relu", "tanh", "sigmoid", "leaky_relu")
USUAL_RATE = 2e-3
CURVES = {  # and their short names, for a line of 80 columns
    "loss": "loss", "accuracy": "acc", "validation loss": "val loss", "validation accuracy": "val acc",
}  # fmt: skip


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options of a run."""
    parser = argparse.ArgumentParser(
        description="Train a multi-layer perceptron on 8 x 8 images of handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=positive_int, default=60, help="passes over the training images")
    add("--batch-size", type=positive_int, default=32, help="images per step")
    add("--hidden", type=widths, default="64,32", help="widths of the hidden layers; empty: a linear model")
    add("--activation", choices=ACTIVATIONS, default="relu", help="between the layers")
    add("--optimizer", choices=list(OPTIMIZERS), default="adam", help="update rule")
    add("--lr", type=positive_float, default=USUAL_RATE, help="learning rate at the start; it falls along a cosine")
    add("--weight-decay", type=not_negative_float, default=1e-4, help="pull of the weights towards zero")
    add("--seed", type=not_negative_int, default=0, help="of the split, the initial weights and the order of images")
    add("--output", "--out", type=folder, default="out", metavar="FOLDER", help="where pictures and model go")
    return parser.parse_args(argv)


def number_type(convert: Callable[[str], float], accept: Callable[[float], bool], words: str) -> Callable[[str], float]:
    """Return a parser of numeric options with a readable error message."""

    def parse(text: str) -> float:
        try:
            number = convert(text)
        except ValueError:
            number = math.nan
        if not accept(number):
            raise argparse.ArgumentTypeError(f"{text!r} is not {words}")
        return number

    return parse


positive_int = number_type(int, lambda n: n >= 1, "a whole number above zero")
not_negative_int = number_type(int, lambda n: n >= 0, "a whole number, zero or above")
positive_float = number_type(float, lambda x: 0 < x < math.inf, "a number above zero")
not_negative_float = number_type(float, lambda x: 0 <= x < math.inf, "a number, zero or above")


def widths(text: str) -> list[int]:
    """Parse the widths of the hidden layers; an empty text means a linear model."""
    try:
        return [positive_int(part) for part in text.split(",")] if text.strip() else []
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 64,32") from None


def folder(text: str) -> Path:
    """Parse the name of a folder, which need not exist."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file; give the name of a folder")
    return path


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the images as rows of 64 values between 0 and 1, and their classes."""
    table = np.loadtxt(DATA, delimiter=",")
    return table[:, :64].astype(np.float32) / 16, table[:, 64].astype(np.int64)


def evaluate(model: nn.Module, criterion: nn.Module, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return loss and accuracy, without dropout and without recording a graph."""
    model.eval()
    with autograd.no_grad():
        logits = model(images)
        loss = float(criterion(logits, labels))
    model.train()
    return loss, float(np.mean(logits.numpy().argmax(axis=1) == labels))


@dataclass
class Training:
    """The results of a training: its curves, and the model that was best on the validation images."""

    history: dict[str, list[float]] = field(default_factory=lambda: {curve: [] for curve in CURVES})
    best: float = -1.0
    best_epoch: int = 0
    state: dict | None = None
    interrupted: bool = False

    def add(self, measured: tuple[float, ...], model: nn.Module) -> None:
        """Store the measurements of an epoch, and the model if it is the best so far."""
        for values, value in zip(self.history.values(), measured, strict=True):
            values.append(float(value))
        if measured[3] > self.best:
            self.best, self.best_epoch, self.state = measured[3], len(self.history["loss"]), model.state_dict()


class DivergedError(Exception):
    """The loss is not finite."""


def train(model, criterion, args, train_set, validation_set) -> Training:
    """Train to the last epoch, or until Ctrl-C; raise `DivergedError` after an epoch whose loss is not finite."""
    optimizer = OPTIMIZERS[args.optimizer](model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    loader = nn.data.DataLoader(train_set, batch_size=args.batch_size, shuffle=True, rng=args.seed)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))
    images, labels = validation_set[:]
    done = Training()
    with Progress(args.epochs) as report, np.errstate(all="ignore"):  # an overflow is reported once, as `DivergedError`
        try:
            for epoch in range(1, args.epochs + 1):
                losses, accuracy = one_epoch(model, criterion, loader, optimizer, scheduler)
                measured = (losses, accuracy, *evaluate(model, criterion, images, labels))
                if not np.isfinite([measured[0], measured[2]]).all():
                    loss = next(number for number in (measured[0], measured[2]) if not np.isfinite(number))
                    raise DivergedError(f"the loss is {loss} after epoch {epoch}")
                done.add(measured, model)
                report(epoch, done.history)
        except KeyboardInterrupt:
            done.interrupted = True
    return done


def one_epoch(model, criterion, loader, optimizer, scheduler) -> tuple[float, float]:
    """Do the steps of an epoch; return the mean loss and the accuracy, measured on the way."""
    losses = hits = seen = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        logits = model(x)
        loss = criterion(logits, y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses += loss.item() * len(y)
        hits += np.count_nonzero(logits.numpy().argmax(axis=1) == y)
        seen += len(y)
        if not math.isfinite(losses):
            break
    return losses / seen, hits / seen


class Progress:
    """Report each epoch: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar = None

    def __enter__(self):
        if sys.stderr.isatty():
            from tqdm import tqdm

            shape = "{n_fmt}/{total_fmt} |{bar}| {desc} [{remaining}]"  # fits 80 columns
            self.bar = tqdm(total=self.epochs, bar_format=shape, dynamic_ncols=True)
        return self

    def __call__(self, epoch: int, history: dict[str, list[float]]) -> None:
        """Show the last value of every curve."""
        numbers = {key: values[-1] for key, values in history.items()}
        text = "  ".join(f"{CURVES[k]} {v:.4f}" if "loss" in k else f"{CURVES[k]} {v:.1%}" for k, v in numbers.items())
        if self.bar is not None:
            self.bar.set_description_str(text, refresh=False)
            self.bar.update()
        else:
            print(f"epoch {epoch:{len(str(self.epochs))}}/{self.epochs}  {text}", flush=True)

    def __exit__(self, *exc_info: object) -> None:
        if self.bar is not None:
            self.bar.close()


def main(argv: list[str] | None = None) -> int:
    """Load, split, train, test, and write the pictures; return 0, 1 if the training diverged, 130 after Ctrl-C."""
    args = parse_arguments(argv)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return failed(f"cannot make the folder {args.output}: {error.strerror}", 2)
    images, labels = load_digits()
    split = nn.data.random_split(nn.data.TensorDataset(images, labels), [0.7, 0.15, 0.15], rng=args.seed)
    train_set, validation_set, (x, y) = split[0], split[1][:], split[2][:]
    print(f"digits: {len(train_set)} training, {len(validation_set[1])} validation and {len(y)} test images")

    model = nn.MLP(64, [*args.hidden, 10], activation=args.activation, dtype=np.float32, rng=args.seed)
    criterion = nn.CrossEntropyLoss()
    print(model)
    start = time.perf_counter()
    try:
        done = train(model, criterion, args, train_set, validation_set)
    except DivergedError as error:
        smaller = USUAL_RATE if args.lr > USUAL_RATE else args.lr / 10
        return failed(f"{error}; try a smaller --lr, such as {smaller:g}", 1)
    seconds = time.perf_counter() - start
    if done.interrupted:
        print(f"interrupted after {len(done.history['loss'])} of {args.epochs} epochs; writing what there is")
    if done.state is not None:
        model.load_state_dict(done.state)
        print(f"back to the best epoch, {done.best_epoch}: {done.best:.1%} of the validation images right")
    loss, accuracy = evaluate(model, criterion, x, y)
    print(f"trained in {seconds:.1f} s; on the test images: loss {loss:.4f}, accuracy {accuracy:.1%}")
    for path in write(args.output, model, criterion, done, x, y):
        print(f"wrote {path}")
    return 130 if done.interrupted else 0


def failed(message: str, code: int) -> int:
    """Print an error in one line, and return the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return code


def write(folder: Path, model, criterion, done: Training, x: np.ndarray, y: np.ndarray) -> list[Path]:
    """Write the pictures and the model; return their paths."""
    model.zero_grad()
    loss = criterion(model(x[:4]), y[:4])
    loss.name = "loss"
    loss.backward()
    graph = autograd.draw(loss, names=dict(model.named_parameters()))
    with autograd.no_grad():
        predicted = model(x).numpy().argmax(axis=1)
    curves = [save_curves(done.history, folder / "curves.png")] if done.history["loss"] else []
    written = [
        *curves,
        graph.save(folder / "graph.svg"),
        graph.save(folder / "graph.png"),
        save_confusion(predicted, y, folder / "confusion.png"),
    ]
    nn.checkpoint.save(folder / "model.npz", model)
    return [*written, folder / "model.npz"]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # outside the training there is nothing to keep
        sys.exit(130)
