r"""Data-parallel training over MPI: each process computes the gradient of its rows of a batch.

.. math:: g = \frac{1}{\sum_r n_r} \sum_r n_r\, g_r

where :math:`g_r` is the gradient of the mean over the :math:`n_r` rows of rank r. The result is the gradient of the
whole batch, also for unequal shares, and needs one ``Allreduce`` per step. A training loop becomes::

    comm = optim.distributed.world()
    optimizer = optim.distributed.DistributedOptimizer(optim.Adam(model.parameters()), comm)
    for x, y in nn.data.distributed.sharded(DataLoader(dataset, batch_size=64, shuffle=True, rng=0), comm):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step(rows=len(y))

and is started by ``OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py script.py``.
``nn.training.fit(..., comm=comm)`` includes this. It requires mpi4py and an MPI (``pip install mpi4py mpich``);
without them, or with one rank, the result is bit-identical to that of the plain optimizer.

Examples
--------
>>> from types import SimpleNamespace
>>> from optim import SGD
>>> p = SimpleNamespace(data=1.0, grad=0.5)
>>> optimizer = DistributedOptimizer(SGD([p], lr=0.5), Alone())
>>> optimizer.step(rows=32)
>>> p.data
0.75
"""

from .communicator import Alone, RanksDifferWarning, agree, broadcast, checked_comm, facts_of, world
from .optimizer import DistributedOptimizer, GradientSum

__all__ = [
    "Alone", "DistributedOptimizer", "GradientSum", "RanksDifferWarning", "agree", "broadcast", "checked_comm",
    "facts_of", "world",
]  # fmt: skip
