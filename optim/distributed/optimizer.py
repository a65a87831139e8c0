"""`DistributedOptimizer`: an optimizer that uses the gradient over the rows of all ranks."""

from __future__ import annotations

from typing import Any

from optim.algorithms.wrappers import Wrapper
from optim.flat_params import label
from optim.optimizer import Optimizer
from optim.typing import Closure, Comm, StateDict

from .agreement import agree, broadcast, facts_of
from .communicator import checked_comm, world
from .summing import GradientSum


class DistributedOptimizer(Wrapper):
    r"""Any optimizer, with the gradient over the rows of all ranks.

    .. math:: g = \frac{\sum_r n_r\, g_r}{\sum_r n_r}

    At construction, the ranks are compared, and the parameters of rank 0 are sent to all. With one rank the result is
    bit-identical to that of the inner optimizer.

    Parameters
    ----------
    inner : Optimizer
        Updates the parameters.
    comm : communicator, optional
        Communicator of the ranks; by default `world()`.
    repair : bool
        Use the parameters of rank 0, with a warning, if ranks start from different values, instead of raising an error.

    Raises
    ------
    ValueError
        On all ranks, if they differ in the optimizer, its options, or the number, shapes or dtypes of parameters. The
        message contains the first difference and the rank.

    Warns
    -----
    RanksDifferWarning
        If the values of the parameters differ and `repair` is true.

    Notes
    -----
    ``state_dict`` is that of the inner optimizer, so it can be loaded with another number of ranks or without MPI. To
    clip gradients, call `reduce`, clip, then `step`, which does not reduce them again. For an optimizer that takes a
    closure, gradients and loss of each call are reduced.

    Goyal et al. 2017, *Accurate, Large Minibatch SGD*, section 3; Sergeev & Del Balso 2018, *Horovod*.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from optim import SGD
    >>> from optim.distributed import Alone
    >>> p = SimpleNamespace(data=1.0, grad=1.0)
    >>> optimizer = DistributedOptimizer(SGD([p], lr=0.25), Alone())
    >>> optimizer.step(rows=8)
    >>> p.data
    0.75
    """

    def __init__(self, inner: Optimizer, comm: Comm | None = None, *, repair: bool = True) -> None:
        super().__init__(inner)
        self.comm: Comm = world() if comm is None else checked_comm(comm)
        self._reduced = False
        self._sum: GradientSum | None = None
        if self.comm.size > 1:
            agree(self.comm, facts_of(inner), "construct the same model and optimizer on all ranks")
            named = [(label(p, i), p.data) for i, p in enumerate(self.parameters)]
            found = broadcast(self.comm, named, repair=repair)
            if found is not None and self.comm.rank:
                for p, data in zip(self.parameters, found, strict=True):
                    p.data = data

    def reduce(self, rows: float = 1.0, loss: float = 0.0, *, summed: bool = False) -> float:
        """Replace all gradients by those over the rows of all ranks; every rank must call.

        Parameters
        ----------
        rows : float
            Number of rows this rank's gradients are the mean over, or another divisor of the loss, such as
            ``criterion.divisor(y)`` with class weights; 0 without rows. By default all ranks have equal weight.
        loss : float
            Mean loss of this rank.
        summed : bool
            Gradients are sums over the rows, not means. Required if the model uses rows of other ranks, such as batch
            normalization inside `nn.ranks.shared`.

        Returns
        -------
        float
            The mean loss over the rows of all ranks.
        """
        self._reduced = True
        if self.comm.size == 1 and not summed:
            return loss
        if self._sum is None or len(self._sum.parameters) != len(self.parameters):
            self._sum = GradientSum(self.parameters, self.comm, beside=1)
        total, (losses,) = self._sum(rows, [loss * rows if rows else 0.0], weigh=not summed)
        return losses / total if total else 0.0

    def step(self, closure: Closure | None = None, *, rows: float = 1.0, summed: bool = False) -> Any:
        """Reduce the gradients, unless done since the last step, and update every parameter.

        Parameters
        ----------
        closure : callable, optional
            Computes loss and gradients of the rows of this rank.
        rows, summed
            As for `reduce`.

        Returns
        -------
        loss
            The value returned by the closure, reduced over all ranks, or None.
        """
        if closure is None or (self.comm.size == 1 and not summed):
            if not self._reduced:
                self.reduce(rows, summed=summed)
            loss = self.inner.step(closure)
        else:

            def of_all_ranks() -> float:
                own = closure()
                return self.reduce(rows, float(own.item() if hasattr(own, "item") else own), summed=summed)

            loss = self.inner.step(of_all_ranks)
        self._reduced = False
        self.step_count = self.inner.step_count
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients; see `Optimizer.zero_grad`."""
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> StateDict:
        """Return the state of the inner optimizer, which is the same on all ranks."""
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Restore a `state_dict`, also of an optimizer that was not distributed or had another number of ranks."""
        self.inner.load_state_dict(state_dict)
        self.step_count: int = self.inner.step_count

    def __getattr__(self, name: str) -> Any:  # for example train() and eval() of ScheduleFreeSGD
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __repr__(self) -> str:
        return f"DistributedOptimizer(rank {self.comm.rank} of {self.comm.size}) of {self.inner!r}"
