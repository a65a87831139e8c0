"""What layers know of a batch that several processes share: whom to ask for the statistics of the whole.

`BatchNorm1d` takes mean and variance over the rows of all ranks, and dropout draws for all rows and keeps those of its
own, so that n ranks compute what one process would compute of the whole batch. `nn.training.fit(..., comm=comm)` does
this; in a loop written by hand the forward pass goes inside `shared`::

    with nn.ranks.shared(comm):
        loss = criterion(model(x), y) * len(y)      # sums over rows: what crosses ranks has one weight for all
    loss.backward()
    optimizer.step(rows=len(y), summed=True)        # of optim.distributed.DistributedOptimizer

A rank without rows takes part with an empty batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

import autograd as ag
from autograd.extend import linear

__all__ = ["all_sum", "drawn_for_all", "shared", "sharing", "standardized_over_all"]

_comm: ContextVar[Any] = ContextVar("comm", default=None)  # of this thread or task


@contextlib.contextmanager
def shared(comm: Any) -> Iterator[None]:
    """Inside, a batch is the part of one that all ranks share.

    Parameters
    ----------
    comm : communicator or None
        Of the ranks; None, or one rank, changes nothing.

    Examples
    --------
    >>> with shared(None):
    ...     sharing() is None
    True
    """
    token = _comm.set(comm if comm is not None and comm.size > 1 else None)
    try:
        yield
    finally:
        _comm.reset(token)


def sharing() -> Any:
    """Return the communicator of the ranks that share the present batch, None if there are no others."""
    return _comm.get()


@linear(lambda g, y, x, comm: all_sum(g, comm=comm), symbol="Σ ranks")
def all_sum(x: Any, comm: Any = None) -> Any:
    """Sum of an array over all ranks, on each of them; every rank must call.

    It is its own adjoint: what each rank's loss loses by a change here is felt by the sum of all ranks' losses.
    """
    if comm is None:
        return +x
    if type(x) is float:
        return float(comm.allreduce(x))
    send = np.asarray(x, order="C")
    total = np.empty_like(send)
    comm.Allreduce(send, total)
    return total


def standardized_over_all(x: Any, comm: Any, eps: float) -> tuple[Any, Any, Any]:
    r"""Shift and scale every channel by the mean and the variance over the rows of all ranks.

    .. math:: \mu = \frac{1}{n} \sum_r \sum_i x_{ri}, \qquad \sigma^2 = \frac{1}{n} \sum_r \sum_i (x_{ri} - \mu)^2

    Parameters
    ----------
    x : Tensor or ndarray of shape (N, C) or (N, C, L)
        This rank's rows; N may be 0.
    comm : communicator
        Of all ranks.
    eps : float
        Added to the variance.

    Returns
    -------
    y : Tensor or ndarray of the shape of `x`
        The standardised rows.
    mean, var : ndarray of shape (C,)
        Of all rows; the variance is the unbiased one.

    Raises
    ------
    ValueError
        If all ranks together have one number per channel only.
    """
    axes = (0,) if x.ndim == 2 else (0, 2)
    count = np.array([x.size / x.shape[1]])
    sums = all_sum(ag.concatenate([ag.sum(x, axis=axes), count.astype(x.dtype)]), comm=comm)
    n = float(_plain(sums)[-1])
    if n <= 1:
        raise ValueError(
            f"BatchNorm1d: the variance of a channel needs more than one number in training, and the {comm.size} ranks "
            f"have {n:.0f} together; use larger batches (drop_last=True)"
        )
    shape = (-1,) if x.ndim == 2 else (-1, 1)
    mean = sums[:-1] / n
    d = x - ag.reshape(mean, shape)
    var = all_sum(ag.sum(d * d, axis=axes), comm=comm) / n
    y = d / ag.sqrt(ag.reshape(var, shape) + eps)
    return y, _plain(mean), _plain(var) * (n / (n - 1))


def _plain(a: Any) -> Any:
    return a if isinstance(a, np.ndarray) else a.data


def drawn_for_all(draw: Any, shape: tuple[int, ...]) -> Any:
    """Return this rank's rows of random numbers that are drawn for the rows of all ranks.

    The generators of all ranks, once alike, stay so, and rows get the numbers that one process would give them.

    Parameters
    ----------
    draw : callable
        Called with a shape.
    shape : tuple of int
        Of the numbers wanted here; the first axis counts rows.

    Returns
    -------
    ndarray of shape `shape`
        The numbers.

    Examples
    --------
    >>> drawn_for_all(np.random.default_rng(0).random, (2,)).shape
    (2,)
    """
    comm = sharing()
    if comm is None or not shape:
        return draw(shape)
    rows = comm.allgather(shape[0])
    first = sum(rows[: comm.rank])
    return draw((sum(rows), *shape[1:]))[first : first + shape[0]]
