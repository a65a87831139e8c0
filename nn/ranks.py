"""Batches that several processes share: statistics and random values of all ranks' rows.

`BatchNorm1d` takes mean and variance over the rows of all ranks, and dropout draws values for all rows and keeps those
of its own, so that n ranks compute the same as one process with the whole batch. `nn.training.fit(..., comm=comm)`
does this; in a loop written by hand the forward pass goes inside `shared`::

    with nn.ranks.shared(comm):
        loss = criterion(model(x), y) * len(y)      # a sum over rows, so that all rows have the same weight
    loss.backward()
    optimizer.step(rows=len(y), summed=True)        # of optim.distributed.DistributedOptimizer

A rank without rows takes part with an empty batch.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

import autograd as ag
from autograd.extend import linear, raw_data
from nn.typing import Array, Comm, Operand

# mean and variance to normalise by, and a function of the raw batch that returns mean and unbiased variance to track
Statistics = tuple[Operand, Operand, Callable[[Array], tuple[Array, Array]]]


_shared_comm: ContextVar[Comm | None] = ContextVar("shared_comm", default=None)


def _batch_axes(x: Operand) -> tuple[int, ...]:
    return (0,) if x.ndim == 2 else (0, 2)


def _unbiased(x: Array) -> tuple[Array, Array]:
    return x.mean(axis=_batch_axes(x)), x.var(axis=_batch_axes(x), ddof=1)


@contextlib.contextmanager
def shared(comm: Comm | None) -> Iterator[None]:
    """Treat batches inside as parts of one that all ranks share.

    Parameters
    ----------
    comm : communicator or None
        Of the ranks; None, or a single rank, has no effect.

    Examples
    --------
    >>> with shared(None):
    ...     draw_rows(np.ones, (2,))
    array([1., 1.])
    """
    token = _shared_comm.set(None if comm is None or comm.size == 1 else comm)
    try:
        yield
    finally:
        _shared_comm.reset(token)


def batch_statistics(x: Operand) -> Statistics:
    r"""Return the statistics of a training batch of shape (N, C) or (N, C, L), of all ranks that share it.

    .. math:: \mu = \frac{1}{n} \sum_r \sum_i x_{ri}, \qquad \sigma^2 = \frac{1}{n} \sum_r \sum_i (x_{ri} - \mu)^2

    Returns
    -------
    mean, var : Tensor or ndarray of shape (C,), or None
        Mean and biased variance; None if they are those of `x` itself.
    track : callable
        Returns mean and unbiased variance, given the raw data of `x`.

    Raises
    ------
    ValueError
        If all ranks together have only one element per channel.

    Examples
    --------
    >>> mean, var, track = batch_statistics(np.array([[1.0], [3.0]]))
    >>> mean, track(np.array([[1.0], [3.0]]))
    (None, (array([2.]), array([2.])))
    """
    comm = _shared_comm.get()
    if comm is None:
        return None, None, _unbiased
    axes = _batch_axes(x)
    count = np.array([x.size / x.shape[1]], x.dtype)
    sums = all_sum(ag.concatenate([ag.sum(x, axis=axes), count]), comm=comm)
    n = float(raw_data(sums)[-1])
    if n <= 1:
        raise ValueError(f"BatchNorm1d: training needs more than one element per channel, but all ranks have {n:.0f}")
    mean = sums[:-1] / n
    d = x - (mean if x.ndim == 2 else ag.reshape(mean, (-1, 1)))
    var = all_sum(ag.sum(d * d, axis=axes), comm=comm) / n
    return mean, var, lambda x: (raw_data(mean), raw_data(var) * (n / (n - 1)))


def draw_rows(draw: Callable[[tuple[int, ...]], Array], shape: tuple[int, ...]) -> Array:
    """Return ``draw(shape)``, or this rank's rows of the values drawn for all ranks that share the batch.

    Examples
    --------
    >>> draw_rows(np.random.default_rng(0).random, (2,)).shape
    (2,)
    """
    comm = _shared_comm.get()
    if comm is None or not shape:
        return draw(shape)
    rows = comm.allgather(shape[0])
    first = sum(rows[: comm.rank])
    return draw((sum(rows), *shape[1:]))[first : first + shape[0]]


@linear(lambda g, y, x, comm: all_sum(g, comm=comm), symbol="Σ ranks")
def all_sum(x: Operand, comm: Comm | None = None) -> Any:
    """Return the sum of an array over all ranks, on each of them; every rank must call.

    The operation is its own adjoint: a change here affects the losses of all ranks.
    """
    if comm is None:
        return +x
    if type(x) is float:
        return float(comm.allreduce(x))
    send = np.asarray(x, order="C")
    total = np.empty_like(send)
    comm.Allreduce(send, total)
    return total
