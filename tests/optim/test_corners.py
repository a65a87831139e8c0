"""Corners of optimizers, schedules and ranks that no other test turns."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import optim
from optim.algorithms.line_search import Point, cubic_minimum
from optim.distributed import Alone, DistributedOptimizer, world
from optim.distributed.communicator import LAUNCHERS
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


# ------------------------------------------------------------------------------------------- states and groups


def test_a_group_may_be_one_parameter():
    optimizer = optim.SGD([{"params": Leaf(), "lr": 0.1}])
    assert len(optimizer.param_groups[0]["params"]) == 1
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match="group 0 of the state_dict has no list 'params'"):
        optimizer.load_state_dict({**state, "param_groups": [{"lr": 0.1}]})


def test_lbfgs_holds_one_group_and_loads_its_own_state_only():
    with pytest.raises(ValueError, match="one group"):
        optim.LBFGS([{"params": [Leaf()]}, {"params": [Leaf()]}])
    leaf = Leaf()
    optimizer = optim.LBFGS([leaf], lr=0.5, max_iter=2)

    def closure():
        leaf.grad = leaf.data**3
        return float((leaf.data**4).sum() / 4)

    optimizer.step(closure)
    good = optimizer.state_dict()
    before = repr(good)
    for change, says in (
        (lambda s: s.pop("t"), "lacks 't'"),
        (lambda s: s.update(d=np.ones(5)), r"'d' is for \(5,\) numbers.*\(2,\)"),
    ):
        bad = {**good, "state": {0: dict(good["state"][0])}}
        change(bad["state"][0])
        with pytest.raises(ValueError, match=says):
            optimizer.load_state_dict(bad)
        assert repr(optimizer.state_dict()) == before


def test_lookahead_shows_itself_and_refuses_slow_weights_of_another_shape():
    leaf = Leaf()
    optimizer = optim.Lookahead(optim.SGD([leaf], lr=0.5))
    assert repr(optimizer).startswith("Lookahead(k=")
    assert str(optimizer.trace(leaf, 0)).endswith("p - step")
    optimizer.step()
    state = optimizer.state_dict()
    before = repr(state)
    for change, says in (
        ({"slow": {0: np.ones(3)}}, r"slow parameter 0 has shape \(3,\).*\(2,\)"),
        ({"k": "five"}, "k must be"),
    ):
        with pytest.raises(ValueError, match=says):
            optimizer.load_state_dict({**state, **change})
        assert repr(optimizer.state_dict()) == before


def test_matrices_forget_their_gradients():
    leaf = Leaf()
    leaf.data, leaf.grad = np.eye(2), np.eye(2)
    optimizer = optim.Muon([leaf])
    optimizer.step()
    optimizer.zero_grad()
    assert leaf.grad is None


def test_terms_of_a_step_by_place_and_by_name():
    leaf = Leaf()
    trace = optim.Adam([leaf], lr=0.5).trace(leaf, 0)
    assert trace[0].name == "p"
    assert trace["p"] == trace[-1].value


def test_a_rule_with_a_loop_has_no_terms():
    class Looping(optim.Momentum):
        def rule(self, g, v, *, lr, beta):
            for _ in range(2):
                g = g / 2
            return lr * g, (v,)

    leaf = Leaf()
    with pytest.raises(TypeError, match="assignments, if and return in a rule, got 'for"):
        Looping([leaf]).trace(leaf, 0)


def test_a_curve_without_matplotlib_names_what_needs_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib.*sparkline"):
        optim.lr_scheduler.curve.plot([1.0, 0.5])
