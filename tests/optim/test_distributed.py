"""Distributed optimizers, with the threads of one process as ranks."""

import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import processes
import pytest
from looping import each

import optim
from optim.distributed import (
    LAUNCHERS,
    Alone,
    DistributedOptimizer,
    GradientSum,
    RanksDifferWarning,
    agree,
    broadcast,
    checked_comm,
    world,
)

ROOT = Path(__file__).resolve().parents[2]
NAMES = [n for n in optim.__all__ if hasattr(getattr(optim, n), "zero_grad") and n != "Optimizer"]


class Threads:
    """A communicator whose ranks are threads."""

    def __init__(self, rank, size, board, barrier):
        self.rank, self.size, self.board, self.barrier = rank, size, board, barrier

    def allgather(self, thing):
        self.board[self.rank] = thing
        self.barrier.wait()
        everything = list(self.board)
        self.barrier.wait()
        return everything

    def bcast(self, thing, root=0):
        return self.allgather(thing)[root]

    def allreduce(self, number):
        return sum(self.allgather(number))

    def Allreduce(self, send, recv):
        recv[...] = sum(self.allgather(send.copy()))


def on_ranks(size, work):
    """Return the result of `work(comm)`, or the error it raises, on each rank."""
    board, barrier, found = [None] * size, threading.Barrier(size, timeout=processes.SECONDS), [None] * size

    def one(rank):
        try:
            found[rank] = work(Threads(rank, size, board, barrier))
        except Exception as error:
            found[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def parameter(*numbers, grad=None, dtype=np.float64, name=""):
    data = np.array(numbers, dtype)
    return SimpleNamespace(data=data, grad=None if grad is None else np.array(grad, dtype), name=name)


# ------------------------------------------------------------------------------------------------- one rank


@each(NAMES)
def test_with_one_rank_steps_are_bit_identical_to_the_inner_optimizer(name):
    ends = []
    for wrap in (lambda optimizer: optimizer, lambda optimizer: DistributedOptimizer(optimizer, Alone())):
        p = parameter(1.0, -2.0, 0.5)
        made = getattr(optim, name)
        optimizer = wrap(made(optim.SGD([p], lr=0.1)) if name in ("SAM", "Lookahead") else made([p]))

        def closure(p=p):
            p.grad = 2 * p.data + np.sin(p.data)
            return float(p.data @ p.data)

        for _ in range(5):
            if made.needs_product == "hessian":
                optimizer.step(lambda: (closure(), lambda v, p=p: [(2 + np.cos(p.data)) * v[0]]))  # noqa: B023
            elif made.needs_product == "jacobian":
                optimizer.step(lambda p=p: (p.data, lambda u: [u]))
            elif made.needs_closure is True or name == "SAM":
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
        assert str(optimizer.state_dict()["optimizer"]) == name
        ends.append((p.data.tobytes(), optimizer.step_count, repr(optimizer.state_dict())))
    assert ends[0] == ends[1]


def test_reduce_on_one_rank_returns_its_loss():
    p = parameter(1.0, grad=[0.5])
    optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), Alone())
    assert optimizer.reduce(rows=7, loss=0.25) == 0.25
    optimizer.step(rows=7)
    assert p.data.tolist() == [0.5]
    assert repr(optimizer).startswith("DistributedOptimizer() of SGD(")


def test_methods_of_the_inner_optimizer_are_available():
    optimizer = DistributedOptimizer(optim.ScheduleFreeSGD([parameter(1.0, grad=[1.0])], lr=0.1), Alone())
    optimizer.step()
    optimizer.eval()
    optimizer.train()
    with pytest.raises(AttributeError):
        optimizer.no_such_method()
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1)
    optimizer.step()
    scheduler.step()
    assert optimizer.inner.param_groups[0]["lr"] == pytest.approx(0.01)


# --------------------------------------------------------------------------------------------- several ranks


@each([2, 3, 5])
def test_the_gradient_is_the_mean_over_the_rows_of_all_ranks(size):
    rows = [0, 4, 1, 6, 2][:size]
    samples = [np.random.default_rng(r).normal(size=(n, 3)) for r, n in enumerate(rows)]

    def work(comm):
        own = samples[comm.rank]
        p = parameter(0.0, 0.0, 0.0, grad=own.mean(axis=0) if len(own) else [0.0, 0.0, 0.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), comm)
        loss = optimizer.reduce(len(own), float(own.sum()) / max(len(own), 1))
        optimizer.step()
        return p.data, loss

    everything = np.concatenate(samples)
    for data, loss in on_ranks(size, work):
        np.testing.assert_allclose(data, -everything.mean(axis=0), rtol=1e-14, atol=1e-15)
        assert loss == pytest.approx(everything.sum() / len(everything), rel=1e-14)


def test_optimizers_of_products_are_refused_on_several_ranks():
    def work(comm):
        DistributedOptimizer(optim.Lookahead(optim.NewtonCG([parameter(1.0)])), comm)

    for error in on_ranks(2, work):
        assert isinstance(error, ValueError)
        assert "needs products with derivatives over all rows" in str(error)
    DistributedOptimizer(optim.NewtonCG([parameter(1.0)]), Alone())


def test_ranks_have_equal_weight_by_default_and_reduce_once_per_step():
    def work(comm):
        p = parameter(0.0, grad=[float(comm.rank)])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), comm)
        optimizer.step()
        first = p.data.copy()
        p.grad = np.array([comm.rank + 1.0])
        optimizer.reduce()
        p.grad = p.grad * 10  # as clipping would
        optimizer.step()
        return first.tolist() + p.data.tolist()

    assert on_ranks(2, work) == [[-0.5, -15.5]] * 2


def test_a_gradient_missing_on_all_ranks_stays_none():
    def work(comm):
        here = parameter(1.0, grad=[2.0] if comm.rank else None)
        nowhere, scalar = parameter(1.0), SimpleNamespace(data=1.5, grad=float(comm.rank))
        GradientSum([here, nowhere, scalar], comm)(rows=1)
        return here.grad.tolist(), nowhere.grad, scalar.grad

    assert on_ranks(2, work) == [([1.0], None, 0.5)] * 2


def test_dtypes_are_kept_and_float16_is_summed_in_float32():
    def work(comm):
        parameters = [parameter(1.0, grad=[0.5], dtype=t) for t in (np.float16, np.float32)]
        add_up = GradientSum(parameters, comm)
        assert add_up.kind == np.float32
        assert add_up(rows=2, beside=[0.25], divide=False) == (4.0, [0.5])
        return [(p.grad.dtype.name, p.grad.tolist()) for p in parameters]

    assert on_ranks(2, work) == [[("float16", [1.0]), ("float32", [1.0])]] * 2


def test_gradients_referenced_elsewhere_are_not_overwritten():
    p = parameter(1.0, 2.0, grad=[3.0, 4.0])
    add_up = GradientSum([p], Alone())
    add_up(rows=1)
    kept, part = p.grad, p.grad[:1]
    p.grad = np.array([5.0, 6.0])
    add_up(rows=1)
    assert (kept.tolist(), part.tolist(), p.grad.tolist()) == ([3.0, 4.0], [3.0], [5.0, 6.0])


def test_a_gradient_of_another_shape_raises():
    p = parameter(1.0, 2.0, grad=[1.0], name="w")
    with pytest.raises(ValueError, match=r"'w' has shape \(2,\) but its gradient has shape \(1,\)"):
        GradientSum([p], Alone())(rows=1)
    add_up = GradientSum([p], Alone())
    p.data = p.grad  # the sum has the shapes from when it was made
    with pytest.raises(ValueError, match=r"'w' has shape \(2,\) but"):
        add_up(rows=1)


def test_a_group_added_later_is_reduced():
    def work(comm):
        p, q = parameter(0.0, grad=[1.0]), parameter(0.0)
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0), comm)
        optimizer.step()
        optimizer.add_param_group({"params": [q]})
        q.grad = np.array([float(comm.rank)])
        optimizer.step()
        return q.data.tolist()

    assert on_ranks(2, work) == [[-0.5]] * 2


def test_nan_on_one_rank_skips_the_step_on_all():
    def work(comm):
        p = parameter(1.0, grad=[math.nan if comm.rank else 1.0])
        optimizer = DistributedOptimizer(optim.SGD([p], lr=1.0, skip_nonfinite=True), comm)
        optimizer.step()
        return p.data.tolist(), optimizer.skipped

    assert on_ranks(2, work) == [([1.0], 1)] * 2


# ----------------------------------------------------------------------------------------------- agreement


@pytest.mark.filterwarnings("always::optim.distributed.RanksDifferWarning")  # threads share the filters
def test_different_parameters_are_replaced_by_those_of_rank_0():
    def work(comm):
        p = parameter(1.0, 2.0 + comm.rank, name="w")
        DistributedOptimizer(optim.SGD([p], lr=1.0), comm)
        return p.data.tolist()

    with pytest.warns(RanksDifferWarning, match=r"rank 1 .* 'w', first at \[1\]: 3.0 there, 2.0 on rank 0"):
        assert on_ranks(3, work) == [[1.0, 2.0]] * 3


@each(
    [
        (
            lambda r: optim.SGD([parameter(1.0)], lr=0.1 + r),
            r"the optimizer: .*group 0.*lr=2\.1.* on rank 2, .*lr=0\.1",
        ),
        (lambda r: optim.SGD([parameter(*[1.0] * (1 + r))]), r"shape and type of parameter 0.*\(3,\)"),
        (
            lambda r: optim.SGD([parameter(1.0) for _ in range(1 + r)]),
            r"group 0: 3 parameters.* on rank 2, .*group 0: 1 parameters",
        ),
        (lambda r: optim.SGD([parameter(1.0, dtype=np.float32 if r else np.float64)]), "'float32'"),
        (lambda r: (optim.Adam if r else optim.SGD)([parameter(1.0)]), r"Adam\(.* on rank 2, SGD\(.* on rank 0"),
        (
            lambda r: optim.Lookahead(optim.SGD([parameter(1.0)])) if r else optim.SGD([parameter(1.0)]),
            r"Lookahead\(.* of SGD",
        ),
    ]
)
def test_ranks_that_differ_raise_the_same_error_on_all(made, said):
    errors = on_ranks(3, lambda comm: DistributedOptimizer(made(2 if comm.rank == 2 else 0), comm))
    assert len({str(error) for error in errors}) == 1
    assert all(isinstance(error, ValueError) for error in errors)
    with pytest.raises(ValueError, match=said):
        raise errors[0]


def test_the_first_difference_is_reported_and_long_values_are_shortened():
    def work(comm):
        agree(comm, [("a", 1), ("b", "x" * 500 + str(comm.rank) + "y" * 500), ("c", comm.rank)], "do this")

    error = on_ranks(2, work)[0]
    assert "rank 1 differs from rank 0 in b: xxx" in str(error)
    assert str(error).endswith("; do this")
    assert "x1y" in str(error)
    assert len(str(error)) < 400


def test_another_number_of_facts_raises():
    error = on_ranks(2, lambda comm: agree(comm, [("a", 1)] * (1 + comm.rank)))[1]
    assert "in a: 1 on rank 1, none on rank 0" in str(error)


def test_memory_addresses_are_ignored():
    assert on_ranks(2, lambda comm: agree(comm, [("a", object())])) == [None, None]


def test_values_are_compared_bit_by_bit():
    def work(comm):
        return broadcast(comm, [("a", np.array([0.0, -0.0 if comm.rank else 0.0]))], repair=False)

    assert "a, first at [1]: -0.0 there, 0.0 on rank 0" in str(on_ranks(2, work)[0])
    assert on_ranks(2, lambda comm: broadcast(comm, [("a", np.array([math.nan])), ("b", 1.5)])) == [None, None]


@each([2, "world", Alone, SimpleNamespace(rank=0, size=1)])
def test_an_unsuitable_communicator_raises(comm):
    with pytest.raises(TypeError, match=r"optim\.distributed\.world\(\)"):
        checked_comm(comm)
    with pytest.raises(TypeError):
        DistributedOptimizer(optim.SGD([parameter(1.0)]), comm)
    with pytest.raises(TypeError, match="wraps an optimizer"):
        DistributedOptimizer([parameter(1.0)], Alone())


# --------------------------------------------------------------------------------------------------- imports


def program(code, **variables):
    """Run a program of its own, as it would be without mpiexec."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PMI_", "OMPI_"))}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=processes.SECONDS,
    )


def test_mpi_is_not_loaded_before_it_is_used():
    done = program(
        "import sys, optim, nn, nn.training, optim.distributed as d; d.DistributedOptimizer; assert 'mpi4py' not in "
        "sys.modules; print(optim.distributed is d, 'distributed' in dir(optim))"
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


WITHOUT = "import sys; sys.modules['mpi4py'] = None; from optim.distributed import world; print(world())"


def test_without_mpi4py_world_is_alone_unless_a_launcher_started_several():
    assert program(WITHOUT).stdout.strip() == "Alone()"
    for launcher in ({"PMI_SIZE": "2", "PMI_RANK": "1"}, {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}):
        done = program(WITHOUT, **launcher)
        assert "ImportError: this is process 1 of 2" in done.stderr
        assert "pip install mpi4py" in done.stderr


def test_a_real_launcher_of_another_mpi_raises():
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    done = program("from optim.distributed import world; world()", OMPI_COMM_WORLD_SIZE="2")
    assert "RuntimeError: the launcher started 2 processes" in done.stderr
    assert "beside this Python" in done.stderr


@pytest.fixture
def launcher(monkeypatch):
    """Set the environment of a launcher, and a substitute for mpi4py."""
    for names in LAUNCHERS.items():
        for name in names:
            monkeypatch.delenv(name, raising=False)

    def launch(started=None, mpi=None):
        if started:
            size, rank = next(iter(LAUNCHERS.items()))
            monkeypatch.setenv(size, str(started))
            monkeypatch.setenv(rank, "0")
        monkeypatch.setitem(sys.modules, "mpi4py", mpi and SimpleNamespace(MPI=mpi))
        monkeypatch.delitem(sys.modules, "mpi4py.run", raising=False)

    return launch


def fake_mpi(size):
    return SimpleNamespace(COMM_WORLD=SimpleNamespace(size=size, rank=0), get_vendor=lambda: ("Some MPI", (1, 0)))


def test_without_mpi4py_world_of_one_process_is_alone(launcher):
    launcher()
    comm = world()
    assert (repr(comm), comm.rank, comm.size) == ("Alone()", 0, 1)
    assert (comm.allreduce(3), comm.bcast("it"), comm.allgather("it")) == (3, "it", ["it"])


def test_without_mpi4py_several_processes_raise(launcher):
    launcher(started=4)
    with pytest.raises(ImportError, match=r"process 0 of 4.*pip install mpi4py mpich"):
        world()


def test_a_launcher_of_another_mpi_raises(launcher):
    launcher(started=4, mpi=fake_mpi(1))
    with pytest.raises(RuntimeError, match=r"started 4 processes, but the MPI of mpi4py \(Some MPI\) has one.*mpiexec"):
        world()


def test_several_ranks_without_the_mpi4py_module_warn(launcher):
    mpi = fake_mpi(4)
    launcher(started=4, mpi=mpi)
    with pytest.warns(RuntimeWarning, match="-m mpi4py"):
        assert world() is mpi.COMM_WORLD


def test_a_distributed_optimizer_delegates_to_the_inner_optimizer():
    leaf = parameter(1.0, 1.0, grad=[1.0, 1.0])
    distributed = DistributedOptimizer(optim.ScheduleFreeSGD([leaf], lr=0.5), comm=Alone())
    distributed.step()
    state = distributed.state_dict()
    distributed.zero_grad()
    assert leaf.grad is None
    distributed.eval()
    distributed.train()
    twin = DistributedOptimizer(optim.ScheduleFreeSGD([parameter(1.0, 1.0, grad=[1.0, 1.0])], lr=0.1), comm=Alone())
    twin.load_state_dict(state)
    assert (twin.step_count, twin.param_groups[0]["lr"]) == (1, 0.5)
    with pytest.raises(AttributeError, match="no_such"):
        distributed.no_such  # noqa: B018  (asking is the test)


def test_summed_gradients_of_a_closure_are_divided_by_the_rows():
    leaf = parameter(1.0, 1.0, grad=[1.0, 1.0])
    distributed = DistributedOptimizer(optim.SGD([leaf], lr=1.0), comm=Alone())
    leaf.grad = None

    def closure():
        leaf.grad = np.full(2, 6.0)
        return np.float64(9.0)

    distributed.step(closure, rows=3, summed=True)
    assert leaf.data.tolist() == [-1.0, -1.0]
