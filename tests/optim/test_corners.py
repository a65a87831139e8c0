"""Corners of optimizers, schedules and ranks that no other test turns."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import optim
from optim.distributed import Alone, DistributedOptimizer, world
from optim.distributed.communicator import LAUNCHERS
from optim.line_search import Point, cubic_minimum
from optim.lr_scheduler import ChainedScheduler, ExponentialLR, MultiplicativeLR, Rates, StepLR


class Leaf:
    """A parameter as an optimizer sees it."""

    requires_grad, is_leaf, op = True, True, None

    def __init__(self):
        self.data, self.grad = np.ones(2), np.ones(2)


@pytest.fixture
def launcher(monkeypatch):
    """Pretend what a launcher said, and what mpi4py sees."""
    for names in LAUNCHERS.items():
        for name in names:
            monkeypatch.delenv(name, raising=False)

    def pretend(started=None, mpi=None):
        if started:
            size, rank = next(iter(LAUNCHERS.items()))
            monkeypatch.setenv(size, str(started))
            monkeypatch.setenv(rank, "0")
        monkeypatch.setitem(sys.modules, "mpi4py", mpi and SimpleNamespace(MPI=mpi))
        monkeypatch.delitem(sys.modules, "mpi4py.run", raising=False)

    return pretend


def seen(size):
    return SimpleNamespace(COMM_WORLD=SimpleNamespace(size=size, rank=0), get_vendor=lambda: ("Some MPI", (1, 0)))


def test_without_mpi4py_one_process_is_alone(launcher):
    launcher()
    comm = world()
    assert (repr(comm), comm.rank, comm.size) == ("Alone()", 0, 1)
    assert (comm.allreduce(3), comm.bcast("it"), comm.allgather("it")) == (3, "it", ["it"])


def test_without_mpi4py_several_processes_are_told_what_to_install(launcher):
    launcher(started=4)
    with pytest.raises(ImportError, match=r"process 0 of 4.*pip install mpi4py mpich"):
        world()


def test_a_launcher_of_another_mpi_is_named(launcher):
    launcher(started=4, mpi=seen(1))
    with pytest.raises(RuntimeError, match=r"started 4 processes, and mpi4py's MPI \(Some MPI\) sees one.*mpiexec"):
        world()


def test_ranks_that_would_wait_for_ever_are_warned_of(launcher):
    mpi = seen(4)
    launcher(started=4, mpi=mpi)
    with pytest.warns(RuntimeWarning, match="-m mpi4py"):
        assert world() is mpi.COMM_WORLD


def test_a_distributed_optimizer_hands_on_what_it_does_not_do():
    leaf = Leaf()
    distributed = DistributedOptimizer(optim.ScheduleFreeSGD([leaf], lr=0.5), comm=Alone())
    distributed.step()
    state = distributed.state_dict()
    distributed.zero_grad()
    assert leaf.grad is None
    distributed.eval()
    distributed.train()
    twin = DistributedOptimizer(optim.ScheduleFreeSGD([Leaf()], lr=0.1), comm=Alone())
    twin.load_state_dict(state)
    assert (twin.step_count, twin.param_groups[0]["lr"]) == (1, 0.5)
    with pytest.raises(AttributeError, match="no_such"):
        distributed.no_such  # noqa: B018  (asking is the test)


def test_a_sum_over_rows_takes_the_loss_of_a_closure():
    leaf = Leaf()
    distributed = DistributedOptimizer(optim.SGD([leaf], lr=1.0), comm=Alone())
    leaf.grad = None

    def closure():
        leaf.grad = np.full(2, 6.0)
        return np.float64(9.0)

    distributed.step(closure, rows=3, summed=True)
    assert leaf.data.tolist() == [-1.0, -1.0]


def test_the_rates_a_combination_began_with():
    rates = Rates(0.5)
    assert ChainedScheduler([StepLR(rates, 3), ExponentialLR(rates, 0.9)]).base_lrs == [0.5]


def test_a_product_of_factors_may_be_asked_for_an_earlier_step():
    schedule = MultiplicativeLR(Rates(1.0), lambda t: 0.5)
    assert [schedule.factor(t, 0) for t in (3, 1, 2)] == [0.125, 0.5, 0.25]


def test_a_cubic_through_one_point_or_without_a_minimum_is_least_in_the_middle():
    rising = Point(1.0, 1.0, 1.0, None)
    assert cubic_minimum(rising, rising, 0.0, 4.0) == 2.0
