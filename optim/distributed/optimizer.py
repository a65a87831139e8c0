"""`DistributedOptimizer`: an optimizer whose steps are those of all ranks together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optim.algorithms.wrappers import Wrapper
from optim.flat_params import label
from optim.optimizer import Optimizer

from .agreement import agree, broadcast, facts_of
from .communicator import checked_comm, world
from .summing import GradientSum

__all__ = ["DistributedOptimizer"]


class DistributedOptimizer(Wrapper):
    r"""Any optimizer, stepping with the gradient of all ranks' rows.

    .. math:: g = \frac{\sum_r n_r\, g_r}{\sum_r n_r}

    Made on every rank, it compares what the ranks start from, and gives rank 0's parameters to all. With one rank it
    is the optimizer inside, to the bit.

    Parameters
    ----------
    inner : Optimizer
        Which moves the parameters.
    comm : communicator, optional
        Of the ranks; `world` if not given.
    repair : bool
        Take rank 0's parameters, with a warning, where ranks start from different numbers; else that is an error.

    Raises
    ------
    ValueError
        If ranks differ in the optimizer, its options, or the number, shapes or types of parameters; names the first
        difference and the rank, on all ranks alike.

    Warns
    -----
    RanksDifferWarning
        If they differ in the parameters' numbers, and these were repaired.

    Notes
    -----
    ``state_dict`` is that of the optimizer inside: what was saved with n ranks goes on with m, or without MPI. Where
    gradients shall be clipped, call `reduce`, clip, then `step`, which then does not reduce again. Of an optimizer
    that takes a closure, each call's gradients and loss are reduced.

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

    def __init__(self, inner: Optimizer, comm: Any = None, *, repair: bool = True) -> None:
        super().__init__(inner)
        self.comm: Any = world() if comm is None else checked_comm(comm)
        self._reduced = False
        self._sum: GradientSum | None = None
        if self.comm.size > 1:
            agree(self.comm, facts_of(inner), "make model and optimizer alike on all ranks")
            named = [(label(p, i), p.data) for i, p in enumerate(self.parameters)]
            found = broadcast(self.comm, named, repair=repair)
            if found is not None and self.comm.rank:
                for p, data in zip(self.parameters, found, strict=True):
                    p.data = data

    def reduce(self, rows: float = 1.0, loss: float = 0.0, *, summed: bool = False) -> float:
        """Give every parameter the gradient of all ranks' rows; every rank must call.

        Parameters
        ----------
        rows : float
            How many rows this rank's gradients are the mean over, or what else the loss divides by, such as
            ``criterion.divisor(y)`` of class weights; 0 if it had none. Left at 1, ranks count alike.
        loss : float
            This rank's mean loss.
        summed : bool
            Gradients are sums over the rows, not means; so it must be where something in the model looks at the rows
            of other ranks, as batch normalisation inside `nn.ranks.shared` does.

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

    def step(self, closure: Callable[[], Any] | None = None, *, rows: float = 1.0, summed: bool = False) -> Any:
        """Reduce the gradients, unless that was done since the last step, and move every parameter.

        Parameters
        ----------
        closure : callable, optional
            Computes loss and gradients of this rank's rows.
        rows, summed
            As for `reduce`.

        Returns
        -------
        loss
            What the closure returned, over the rows of all ranks, or None.
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
        """Forget all gradients, as the optimizer inside does."""
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer inside, the same on all ranks."""
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`, also of an optimizer that was not distributed or had other ranks."""
        self.inner.load_state_dict(state_dict)
        self.step_count: int = self.inner.step_count

    def __getattr__(self, name: str) -> Any:  # train() and eval() of the Schedule-Free ones, and their like
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __repr__(self) -> str:
        return f"DistributedOptimizer(rank {self.comm.rank} of {self.comm.size}) of {self.inner!r}"
