"""Measure a model on data: loss and metrics, in evaluation mode and without recording a graph."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from autograd import no_grad
from autograd.extend import raw_data
from nn.data import DataLoader, TensorDataset
from nn.data.distributed import sharded
from nn.metrics import Metric, informed, named
from nn.module import Module, preserved_modes
from nn.random import Rng
from nn.ranks import shared
from nn.typing import Array, Batch, Comm, Examples, Indexable, Loader, Loss, Metrics, Operand, Operands, State
from optim.distributed import Alone

EVALUATION_BATCH = 1024  # rows; large enough for matrix products, small enough for memory


def as_loader(
    data: Examples, batch_size: int, shuffle: bool, rng: Rng = None, what: str = "train", epochs: int = 1
) -> Loader:
    """Return a loader unchanged, and wrap a data set or a tuple of arrays in one.

    Raises
    ------
    TypeError
        If `data` is none of these, or an iterator, which more than one of the `epochs` would need.
    """
    if isinstance(data, DataLoader) or (isinstance(data, Iterable) and not hasattr(data, "__getitem__")):
        if epochs > 1 and isinstance(data, Iterator):
            reason = f"{what} is a {type(data).__name__}, which is exhausted after one epoch"
            raise TypeError(f"{reason}; pass a DataLoader, (X, y), or an object whose __iter__ starts a new epoch")
        return data
    if isinstance(data, tuple | list):
        if len(data) < 2:
            raise ValueError(f"{what} must be (X, y) if given as arrays, got {len(data)} array(s)")
        data = TensorDataset(*data)
    elif isinstance(data, np.ndarray) or not hasattr(data, "__getitem__"):
        raise TypeError(f"{what} must be a DataLoader, a Dataset or (X, y), not {type(data).__name__}")
    return DataLoader(cast(Indexable, data), batch_size=batch_size, shuffle=shuffle, rng=rng)


def split_batch(batch: Batch) -> tuple[Operands, Operand]:
    """Return the inputs and the target of a batch."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise ValueError("a batch must be (input, target): give the data set inputs and targets")
    return tuple(batch[:-1]), batch[-1]


def nonfinite_input(batch: Batch) -> str:
    """Return the fault and the cure of a batch whose inputs contain nan or inf; empty if they do not.

    Examples
    --------
    >>> nonfinite_input((np.array([[1.0], [np.nan]]), np.zeros(2)))
    '1 of 2 values of input 0 are nan or inf, the first at index (1, 0) of the batch: remove or fill these rows'
    """
    for i, part in enumerate(split_batch(batch)[0]):
        array = np.asarray(raw_data(part))
        wrong = np.argwhere(~np.isfinite(array)) if array.dtype.kind == "f" else np.empty((0, 1))
        if len(wrong):
            first = tuple(map(int, wrong[0]))
            found = f"{len(wrong)} of {array.size} values of input {i} are nan or inf, the first at index {first}"
            return f"{found} of the batch: remove or fill these rows"
    return ""


def weight_of(loss: Loss, target: Operand) -> float:
    """Return the weight of a batch in a mean over batches: its rows, or the divisor of the mean.

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

    With a communicator the sums are those of this rank's rows; `numbers()` and `state_dict()` combine all ranks.
    """

    def __init__(self, metrics: Mapping[str, Metric], loss: Loss, comm: Comm) -> None:
        self.metrics: Mapping[str, Metric] = {name: informed(metric, loss) for name, metric in metrics.items()}
        self.comm: Comm = comm
        self.mean: bool = getattr(loss, "reduction", "mean") != "sum"
        self.clear()

    def clear(self) -> None:
        """Start a new epoch."""
        self.loss: float = 0.0
        self.rows: float = 0.0
        self.outputs: list[Array] = []
        self.targets: list[Array] = []

    def add(self, loss: float, output: Operand, target: Operand, rows: float) -> None:
        """Add a batch; `rows` is its weight, as from `weight_of`."""
        self.loss += loss * rows if self.mean else loss
        self.rows += rows
        if self.metrics:
            self.outputs.append(np.asarray(output.data))
            self.targets.append(np.asarray(raw_data(target)))

    def numbers(self, prefix: str = "") -> dict[str, float]:
        """Return the mean loss and every metric, under names with a prefix."""
        total = self.state_dict()
        rows, data = sum(total["rows"]), (total["outputs"], total["targets"])
        found = {name: float(metric(*data)) for name, metric in self.metrics.items() if data[0] is not None}
        loss = sum(total["loss"]) / rows if rows else math.nan
        return {f"{prefix}{name}": value for name, value in {"loss": loss, **found}.items()}

    def state_dict(self) -> State:
        """Return the sums of each rank, and the outputs and targets of all; every rank must call."""
        own = (self.loss, self.rows, self.outputs, self.targets)
        losses, rows, *arrays = zip(*self.comm.allgather(own), strict=True)
        output, target = (np.concatenate(parts) if parts else None for parts in map(in_batch_order, arrays))
        return {"loss": list(losses), "rows": list(rows), "outputs": output, "targets": target}

    def load_state_dict(self, state_dict: State) -> None:
        """Continue from a `state_dict`: each rank from its own sums, or rank 0 from all if their number differs."""
        self.clear()
        rank, size = self.comm.rank, self.comm.size
        losses, rows = (list(map(float, np.ravel(state_dict[name]))) for name in ("loss", "rows"))
        if len(losses) == size:
            self.loss, self.rows = losses[rank], rows[rank]
        elif rank == 0:
            self.loss, self.rows = sum(losses), sum(rows)
        if rank == 0 and state_dict["outputs"] is not None:
            self.outputs, self.targets = [state_dict["outputs"]], [state_dict["targets"]]


def in_batch_order(ranks: Sequence[Sequence[Any]]) -> list[Any]:
    """Return each rank's parts of the batches in the order of a single process: batch by batch, rank by rank.

    Examples
    --------
    >>> in_batch_order([["a0", "b0"], ["a1", "b1"]])
    ['a0', 'a1', 'b0', 'b1']
    """
    return [part for batch in itertools.zip_longest(*ranks) for part in batch if part is not None]


def evaluate(
    model: Module, loss: Loss, data: Examples, metrics: Metrics = (), *, prefix: str = "", comm: Comm | None = None,
    forward: Callable[[Batch], tuple[Operand, Operand] | None] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Return a model's loss and metrics on data, measured in evaluation mode and without recording a graph.

    Parameters
    ----------
    model : Module
        Put into evaluation mode; afterwards every submodule is in its previous mode again.
    loss : callable
        ``loss(output, target)``.
    data : DataLoader, Dataset or tuple of arrays
        The data to measure on.
    metrics : names, functions, or mapping
        As for `nn.metrics.named`; accuracy and F1 derive classes from the outputs as the loss defines them.
    prefix : str
        Put before every name.
    comm : communicator, optional
        Each of its ranks evaluates a part of the data, and all return the result for the whole.
    forward : callable, optional
        Returns loss and output of a batch, such as a compiled function, or None for batches to compute eagerly.

    Returns
    -------
    dict of str to float
        ``{"loss": ..., "accuracy": ...}``.

    Examples
    --------
    >>> import numpy as np, nn
    >>> model = nn.MLP(1, [1], rng=0)
    >>> evaluate(model, nn.MSELoss(), (np.zeros((3, 1)), np.zeros((3, 1))), metrics=["mae"])
    {'loss': 0.0, 'mae': 0.0}
    """
    comm = Alone() if comm is None else comm
    totals = Totals(named(metrics), loss, comm)
    loader = as_loader(data, EVALUATION_BATCH, shuffle=False, rng=0, what="data")
    if isinstance(loader, DataLoader):
        loader = sharded(loader, comm)
    with preserved_modes(model), no_grad(), shared(comm):
        model.eval()
        batch = None
        for batch in loader:
            inputs, target = split_batch(batch)
            weight = weight_of(loss, target)  # 0 on a rank without rows, which contributes the outputs' shape only
            found = forward(batch) if forward is not None and weight else None
            if found is None:
                output = model(*inputs)
                found = (loss(output, target) if weight else 0.0), output
            totals.add(float(found[0]), found[1], target, weight)
    if batch is None and comm.size == 1:
        raise ValueError("the data yielded no batch; is it an exhausted iterator?")
    return totals.numbers(prefix)
