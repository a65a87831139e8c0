"""Measuring a model on data: loss and metrics, in evaluation mode and without recording a graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd import no_grad
from nn.data import DataLoader, TensorDataset
from nn.metrics import Metric, named

__all__ = ["Totals", "as_loader", "evaluate"]

Array = np.ndarray[Any, Any]
EVALUATED_TOGETHER = 1024  # rows; large enough for matrix products, small enough for memory


def as_loader(data: Any, batch_size: int, shuffle: bool, rng: Any = None, what: str = "train") -> Any:
    """Return a loader as it is, and one made of a data set or of a tuple of arrays."""
    if isinstance(data, DataLoader) or (isinstance(data, Iterable) and not hasattr(data, "__getitem__")):
        return data
    if isinstance(data, tuple | list):
        if len(data) < 2:
            raise ValueError(f"{what} as arrays is (X, y), not {len(data)} of them")
        data = TensorDataset(*data)
    elif isinstance(data, np.ndarray) or not hasattr(data, "__getitem__"):
        raise TypeError(f"{what} must be a DataLoader, a Dataset or (X, y), not {type(data).__name__}")
    return DataLoader(data, batch_size=batch_size, shuffle=shuffle, rng=rng)


def parted(batch: Any) -> tuple[tuple[Any, ...], Any]:
    """Return the inputs and the target of a batch."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise ValueError("a batch must be (input, target): give the data set inputs and targets")
    return tuple(batch[:-1]), batch[-1]


class Totals:
    """Sums over the batches of an epoch: the mean loss, and outputs for metrics that need all rows."""

    def __init__(self, metrics: Mapping[str, Metric], loss: Any) -> None:
        self.metrics = metrics
        self.mean = getattr(loss, "reduction", "mean") != "sum"
        self.clear()

    def clear(self) -> None:
        """Begin a new epoch."""
        self.loss, self.rows = 0.0, 0
        self.outputs: list[Array] = []
        self.targets: list[Array] = []

    def add(self, loss: float, output: Any, target: Any, rows: int) -> None:
        """Take in a batch."""
        self.loss += loss * rows if self.mean else loss
        self.rows += rows
        if self.metrics:
            self.outputs.append(np.asarray(output.data))
            self.targets.append(
                np.asarray(getattr(target, "data", target) if not isinstance(target, np.ndarray) else target)
            )

    def numbers(self, prefix: str = "") -> dict[str, float]:
        """Return the mean loss and every metric, under names with a prefix."""
        found = {f"{prefix}loss": self.loss / max(self.rows, 1)}
        if self.metrics and self.outputs:
            output, target = np.concatenate(self.outputs), np.concatenate(self.targets)
            found |= {f"{prefix}{name}": float(metric(output, target)) for name, metric in self.metrics.items()}
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far."""
        joined = {
            k: np.concatenate(v) if v else None for k, v in (("outputs", self.outputs), ("targets", self.targets))
        }
        return {"loss": self.loss, "rows": self.rows, **joined}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from sums that `state_dict` returned."""
        self.loss, self.rows = float(state_dict["loss"]), int(state_dict["rows"])
        self.outputs, self.targets = ([] if state_dict[k] is None else [state_dict[k]] for k in ("outputs", "targets"))


def evaluate(model: Any, loss: Any, data: Any, metrics: Any = (), *, prefix: str = "") -> dict[str, float]:
    """Return a model's loss and metrics on data, measured in evaluation mode and without recording.

    Parameters
    ----------
    model : Module
        Put into evaluation mode, and afterwards back into the mode it was in.
    loss : callable
        ``loss(output, target)``.
    data : DataLoader, Dataset or tuple of arrays
        What to measure on.
    metrics : names, functions, or mapping
        As for `nn.metrics.named`.
    prefix : str
        Put before every name.

    Returns
    -------
    dict of str to float
        ``{"loss": ..., "accuracy": ...}``.

    Examples
    --------
    >>> import numpy as np, nn
    >>> model = nn.MLP(1, [1], rng=0)
    >>> numbers = evaluate(model, nn.MSELoss(), (np.zeros((3, 1)), np.zeros((3, 1))), metrics=["mae"])
    >>> numbers
    {'loss': 0.0, 'mae': 0.0}
    """
    totals = Totals(named(metrics), loss)
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for batch in as_loader(data, EVALUATED_TOGETHER, shuffle=False, rng=0, what="data"):
                inputs, target = parted(batch)
                output = model(*inputs)
                totals.add(float(loss(output, target)), output, target, len(target))
    finally:
        model.train(was_training)
    return totals.numbers(prefix)
