"""Train a multi-layer perceptron on real handwritten digits, and draw what happened.

    python demos/train_digits.py --help

The 1,797 images of 8 x 8 pixels lie in `demos/data/`; nothing is downloaded.  Written to the output folder: the curves
of loss and accuracy, the computation graph of one loss, the confusion matrix, and the trained model.
"""

from __future__ import annotations

import argparse
import sys
import time
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


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options of a run."""
    parser = argparse.ArgumentParser(
        description="Train a multi-layer perceptron on 8 x 8 images of handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--epochs", type=positive_int, default=60, help="passes over the training images")
    add("--batch-size", type=positive_int, default=32, help="images per step")
    add("--hidden", type=widths, default=[64, 32], help="widths of the hidden layers, as in 64,32")
    add("--activation", choices=ACTIVATIONS, default="relu", help="between the layers")
    add("--optimizer", choices=list(OPTIMIZERS), default="adam", help="update rule")
    add("--lr", type=positive_float, default=2e-3, help="learning rate at the start; it falls along a cosine")
    add("--weight-decay", type=float, default=1e-4, help="pull of the weights towards zero")
    add("--seed", type=int, default=0, help="of the split, the initial weights and the order of the images")
    add("--output", type=Path, default=Path("out"), metavar="FOLDER", help="where the pictures and the model go")
    return parser.parse_args(argv)


def positive_int(text: str) -> int:
    """Parse a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above zero")
    return number


def positive_float(text: str) -> float:
    """Parse a number above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return number


def widths(text: str) -> list[int]:
    """Parse the widths of the hidden layers."""
    try:
        return [positive_int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of widths such as 64,32") from None


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the images as rows of 64 numbers between 0 and 1, and their classes."""
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


def train(model, criterion, args, train_set, validation_set) -> tuple[dict[str, list[float]], dict]:
    """Train, and return the history and the state of the epoch that did best on the validation images."""
    optimizer = OPTIMIZERS[args.optimizer](model.parameters(), lr=args.lr, weight_decay=args.weight_decay)
    loader = nn.data.DataLoader(train_set, batch_size=args.batch_size, shuffle=True, rng=args.seed)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))
    images, labels = validation_set[:]
    history: dict[str, list[float]] = {"loss": [], "accuracy": [], "validation loss": [], "validation accuracy": []}
    best, best_state = -1.0, model.state_dict()
    with Progress(args.epochs) as report:
        for epoch in range(1, args.epochs + 1):
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
            measured = (losses / seen, hits / seen, *evaluate(model, criterion, images, labels))
            for key, value in zip(history, measured, strict=True):
                history[key].append(float(value))
            if measured[3] > best:
                best, best_state = measured[3], model.state_dict()
            report(epoch, history)
    return history, best_state


class Progress:
    """Report each epoch: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar = None

    def __enter__(self):
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=self.epochs, unit="epoch")
        return self

    def __call__(self, epoch: int, history: dict[str, list[float]]) -> None:
        """Show the last numbers of every curve."""
        numbers = {key: values[-1] for key, values in history.items()}
        text = "  ".join(f"{k} {v:.4f}" if "loss" in k else f"{k} {v:.1%}" for k, v in numbers.items())
        if self.bar is not None:
            self.bar.set_postfix_str(text)
            self.bar.update()
        else:
            print(f"epoch {epoch:{len(str(self.epochs))}}/{self.epochs}  {text}", flush=True)

    def __exit__(self, *exc_info: object) -> None:
        if self.bar is not None:
            self.bar.close()


def main(argv: list[str] | None = None) -> None:
    """Load, split, train, test, and write the pictures."""
    args = parse_arguments(argv)
    images, labels = load_digits()
    split = nn.data.random_split(nn.data.TensorDataset(images, labels), [0.7, 0.15, 0.15], rng=args.seed)
    train_set, validation_set, (x, y) = split[0], split[1][:], split[2][:]
    print(f"digits: {len(train_set)} training, {len(validation_set[1])} validation and {len(y)} test images")

    model = nn.MLP(64, [*args.hidden, 10], activation=args.activation, dtype=np.float32, rng=args.seed)
    criterion = nn.CrossEntropyLoss()
    print(model)
    start = time.perf_counter()
    history, best = train(model, criterion, args, train_set, validation_set)
    seconds = time.perf_counter() - start
    model.load_state_dict(best)
    loss, accuracy = evaluate(model, criterion, x, y)
    print(f"trained in {seconds:.1f} s; on the test images: loss {loss:.4f}, accuracy {accuracy:.1%}")

    folder = args.output
    folder.mkdir(parents=True, exist_ok=True)
    model.zero_grad()
    graph_loss = criterion(model(x[:4]), y[:4])
    graph_loss.name = "loss"
    graph_loss.backward()
    graph = autograd.draw(graph_loss, names=dict(model.named_parameters()))
    with autograd.no_grad():
        predicted = model(x).numpy().argmax(axis=1)
    written = [
        save_curves(history, folder / "curves.png"),
        graph.save(folder / "graph.svg"),
        graph.save(folder / "graph.png"),
        save_confusion(predicted, y, folder / "confusion.png"),
    ]
    nn.checkpoint.save(folder / "model.npz", model)
    for path in (*written, folder / "model.npz"):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
