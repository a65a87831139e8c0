"""Measuring a model on data: loss and metrics, in evaluation mode and without recording a graph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd import no_grad
from nn.data import DataLoader, TensorDataset
from nn.data.distributed import sharded
from nn.metrics import Metric, named
from nn.ranks import shared

__all__ = ["Totals", "as_loader", "evaluate", "in_order", "weight_of"]

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


def weight_of(loss: Any, target: Any) -> float:
    """Return how much the loss of a batch counts among others: rows, or what else its mean divides by.

    Examples
    --------
    >>> import nn
    >>> weight_of(nn.MSELoss(), [1.0, 2.0]), weight_of(nn.CrossEntropyLoss(ignore_index=1), [0, 1])
    (2.0, 1.0)
    """
    divisor: Any = getattr(loss, "divisor", None)
    plain = divisor is None or getattr(loss, "reduction", "mean") == "sum"
    return float(len(target)) if plain else float(divisor(target))


class Totals:
    """Sums over the batches of an epoch: the mean loss, and outputs for metrics that need all rows.

    With other ranks (`comm`), outputs are those of this rank's rows until `numbers` or `state_dict` join them.
    """

    def __init__(self, metrics: Mapping[str, Metric], loss: Any, comm: Any = None) -> None:
        self.metrics: Mapping[str, Metric] = metrics
        self.comm: Any = comm
        self.mean: Any | bool = getattr(loss, "reduction", "mean") != "sum"
        self.clear()

    def clear(self) -> None:
        """Begin a new epoch."""
        self.loss: float
        self.rows: float
        self.loss, self.rows = 0.0, 0.0
        self.outputs: list[Array] = []
        self.targets: list[Array] = []

    def add(self, loss: float, output: Any, target: Any, rows: float) -> None:
        """Take in a batch; `rows` is its weight, as from `weight_of`."""
        self.add_losses(loss * rows if self.mean else loss, rows)
        self.keep(output, target)

    def add_losses(self, losses: float, rows: float) -> None:
        """Take in the sum of the losses of some rows, and their weight."""
        self.loss += losses
        self.rows += rows

    def keep(self, output: Any, target: Any) -> None:
        """Take in outputs and targets, if there is something to measure by them."""
        if self.metrics:
            self.outputs.append(np.asarray(output.data))
            self.targets.append(
                np.asarray(getattr(target, "data", target) if not isinstance(target, np.ndarray) else target)
            )

    def numbers(self, prefix: str = "") -> dict[str, float]:
        """Return the mean loss and every metric, under names with a prefix."""
        found = {f"{prefix}loss": self.loss / self.rows if self.rows else math.nan}
        outputs, targets = self._joined()
        if self.metrics and outputs:
            output, target = np.concatenate(outputs), np.concatenate(targets)
            found |= {f"{prefix}{name}": float(metric(output, target)) for name, metric in self.metrics.items()}
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far."""
        outputs, targets = self._joined()
        joined = {k: np.concatenate(v) if v else None for k, v in (("outputs", outputs), ("targets", targets))}
        return {"loss": self.loss, "rows": self.rows, **joined}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from sums that `state_dict` returned."""
        self.loss = float(state_dict["loss"])
        self.rows = float(state_dict["rows"])
        kept = slice(None) if self.comm is None or self.comm.rank == 0 else slice(0)
        self.outputs, self.targets = (
            [] if state_dict[k] is None else [state_dict[k][kept]] for k in ("outputs", "targets")
        )

    def _joined(self) -> tuple[list[Array], list[Array]]:
        """Return outputs and targets of all ranks, in the order of a single process."""
        if self.comm is None or not self.metrics:
            return self.outputs, self.targets
        everybody = self.comm.allgather((self.outputs, self.targets))
        return in_order([kept for kept, _ in everybody]), in_order([kept for _, kept in everybody])


def in_order(everybody: Sequence[Sequence[Any]]) -> list[Any]:
    """Return what each rank kept of its batches in the order of a single process: batch by batch, rank by rank.

    Examples
    --------
    >>> in_order([["a0", "b0"], ["a1", "b1"]])
    ['a0', 'a1', 'b0', 'b1']
    """
    columns = itertools.zip_longest(*everybody)
    return [part for batch in columns for part in batch if part is not None]


def evaluate(
    model: Any, loss: Any, data: Any, metrics: Any = (), *, prefix: str = "", comm: Any = None
) -> dict[str, float]:
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
    comm : communicator, optional
        Each of its ranks measures on a part of the data, and all return what holds for the whole.

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
    comm = None if comm is None or comm.size == 1 else comm
    totals = Totals(named(metrics), loss, comm)
    loader = as_loader(data, EVALUATED_TOGETHER, shuffle=False, rng=0, what="data")
    if comm is not None and isinstance(loader, DataLoader):
        loader = sharded(loader, comm)
    was_training = model.training
    model.eval()
    try:
        with no_grad(), shared(comm):
            for batch in loader:
                inputs, target = parted(batch)
                output = model(*inputs)
                weight = weight_of(loss, target)  # 0 on a rank without rows, of which only the outputs' shape is wanted
                totals.add(float(loss(output, target)) if weight else 0.0, output, target, weight)
    finally:
        model.train(was_training)
    if comm is not None:
        sums = comm.allgather((totals.loss, totals.rows))
        totals.loss, totals.rows = sum(s for s, _ in sums), sum(n for _, n in sums)
    return totals.numbers(prefix)
