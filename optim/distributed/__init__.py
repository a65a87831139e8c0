r"""Data-parallel training over MPI: every process takes its rows of a batch, and all take the same step.

.. math:: g = \frac{1}{\sum_r n_r} \sum_r n_r\, g_r

where :math:`g_r` is the gradient of the mean over the :math:`n_r` rows of rank r: the gradient of the whole batch,
whatever the ranks' shares. It costs one ``Allreduce`` a step. A loop written by hand becomes::

    comm = optim.distributed.world()
    optimizer = optim.distributed.DistributedOptimizer(optim.Adam(model.parameters()), comm)
    for x, y in nn.data.distributed.sharded(DataLoader(dataset, batch_size=64, shuffle=True, rng=0), comm):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step(rows=len(y))

and is started by ``OPENBLAS_NUM_THREADS=1 mpiexec -n 2 python -m mpi4py script.py``.
``nn.training.fit(..., comm=comm)`` does the same and more. Needs mpi4py and an MPI (``pip install mpi4py mpich``);
without them, or with one rank, it is the plain optimizer, to the bit.

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

from .agreement import RanksDifferWarning, agree, broadcast, facts_of
from .communicator import Alone, checked_comm, world
from .optimizer import DistributedOptimizer
from .summing import GradientSum

__all__ = [
    "Alone", "DistributedOptimizer", "GradientSum", "RanksDifferWarning", "agree", "broadcast", "checked_comm",
    "facts_of", "world",
]  # fmt: skip
