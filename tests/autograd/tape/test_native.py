"""Programs of the native machine: the results of NumPy, bit for bit or within 4 units in the last place."""

import itertools
import os
import platform
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from looping import each
from samples import CASES

import autograd as ag
import nn
from autograd import Tensor
from autograd.extend import NotReplayable, callback
from autograd.recording import watching
from autograd.tape.compiled import Arguments
from autograd.tape.numpy_text import NumpyText
from autograd.tape.program import Program
from autograd.tape.recording import Recording, gradients_of

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")

if find_spec("numba") is not None:
    import native_programs

    from autograd.tape.native import fusing, kernels
    from autograd.tape.native.machine import Machine

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, 1e-42, 1e30, -1.0]


def program_of(f, *args):
    """Record a function with the gradients of a weighted sum of its result."""
    call, recording = Arguments(f, args, {}), Recording()
    with watching(recording):
        y = f(*call.args)
        results = [y]
        if isinstance(y, ag.Node) and y.requires_grad:
            dtype = y.dtype if y.dtype.kind == "f" else float
            loss = ag.sum(y * np.random.default_rng(1).uniform(0.5, 1.5, y.shape).astype(dtype))
            gradients = gradients_of(loss)
            results += [loss, *[gradients[x] for x in call.nodes if x in gradients]]
    return Program(call.nodes, results, 1, recording.effects)


def loss_program(loss_of, *args):
    """Record a loss with the gradients of all variables."""
    call, recording = Arguments(loss_of, args, {}), Recording()
    with watching(recording):
        loss = loss_of(*call.args)
        gradients = gradients_of(loss)
    return Program(call.nodes, [loss, *gradients.values()], 1, recording.effects, list(gradients))


def assert_close(found, expected, ulps=4):
    """Compare results: their types, and values within some units in the last place."""
    for x, y in zip(found, expected, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        if x.dtype.kind == "f":
            with np.errstate(all="ignore"):
                bound = ulps * np.spacing(np.maximum(np.abs(x), np.abs(y)))
                good = (x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= bound)
            assert np.all(good), f"{x}\nagainst\n{y}"
        else:
            np.testing.assert_array_equal(x, y)


def variants(case):
    """Return shapes and dtypes: float32, empty, one element, broadcasting rows and columns, longer than a block."""
    yield None, np.float64
    yield None, np.float32
    if case.empty is not None:
        yield case.empty, np.float64
    if case.per_element:
        others = len(case.sources) - 1
        yield ((),) * (others + 1), np.float64
        yield ((40, 90), *((90,),) * others), np.float32
        if others:
            yield ((5, 9), *((5, 1),) * others), np.float32


@each(CASES.values())
def test_every_primitive_gives_the_results_of_numpy(case):
    for shapes, dtype in variants(case):
        given = [x.astype(dtype) if x.dtype.kind == "f" else x for x in case.operands(shapes)]
        nodes = [Tensor(x, requires_grad=True) if i in case.differentiable else x for i, x in enumerate(given)]
        program = program_of(case.f, *nodes)
        machine, text = Machine(program), NumpyText(program)
        leaves = [x._value for x in program.variables]
        for seed in (1, 2):
            data = [x.astype(dtype) if x.dtype.kind == "f" else x for x in case.operands(shapes, seed)]
            if seed == 2 and case.per_element:
                for x in data:
                    x.flat[::2] = np.random.default_rng(3).choice(SPECIAL, len(x.flat[::2]))
            with np.errstate(all="ignore"):
                try:
                    expected = text.run(*data, *leaves)
                except NotReplayable:
                    with pytest.raises(NotReplayable):
                        machine.run(*data, *leaves)
                    continue
                except (ValueError, ArithmeticError, IndexError):  # the engine repeats the error
                    continue
                assert_close(machine.run(*data, *leaves), expected)


def test_random_programs_give_the_results_of_eager():
    for seed in range(100):
        difference, _ = native_programs.check(seed)
        assert difference <= 4, seed


ARITHMETIC = ["add", "subtract", "multiply", "divide", "negative", "absolute", "sqrt", "square", "maximum", "less"]


@each(ARITHMETIC)
def test_arithmetic_gives_the_bits_of_numpy(name):
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for shape in ((), (7,), (3, 5), (2500,), (30, 90)):
            ufunc = getattr(np, name)
            data = [rng.choice([*SPECIAL, *rng.normal(size=50)], shape).astype(dtype) for _ in range(ufunc.nin)]
            data = [np.asarray(x, dtype) for x in data]
            with np.errstate(all="ignore"):
                machine = Machine(program_of(getattr(ag, name), *[Tensor(x) for x in data]))
                assert not machine.calls
                expected = np.asarray(ufunc(*data))
            assert np.asarray(machine.run(*data)[0]).tobytes() == expected.tobytes()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="NumPy chooses another zero elsewhere")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fused_extremes_of_zeros_have_the_bits_of_numpy(dtype):
    x, y = np.array([[0.0, -0.0, 0.0, -0.0, np.nan, 1.0], [-0.0, 0.0, 0.0, -0.0, 0.0, np.nan]], dtype)
    for extreme in (ag.maximum, ag.minimum):
        for second in (y, dtype(0.0), dtype(-0.0)):  # the last two are arrays of one element
            program = program_of(lambda x, y, f=extreme: f(x * dtype(1.0), y) * dtype(1.0), Tensor(x), Tensor(second))
            found, expected = Machine(program).run(x, np.asarray(second))[0], program.found[0]
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reductions_of_negative_zeros_have_the_bits_of_numpy(dtype):
    x = Tensor(np.full((3, 5), -0.0, dtype))
    for reduce in (ag.sum, ag.mean, ag.prod, ag.max, ag.min):
        for axis in (None, 0, 1, (0, 1)):
            machine = Machine(program_of(lambda x, f=reduce, axis=axis: f(x, axis=axis), x))
            expected = np.asarray(reduce(x.data, axis=axis))
            assert np.asarray(machine.run(x.data)[0]).tobytes() == expected.tobytes(), (reduce, axis)


def mlp(*sizes, dtype):
    layers = [part for n, m in itertools.pairwise(sizes) for part in (nn.Linear(n, m), nn.Tanh())]
    return nn.Sequential(*layers[:-1]).to(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_needs_no_call_of_numpy(dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 5)).astype(dtype)
    for loss, y in (
        (nn.CrossEntropyLoss(), rng.integers(0, 3, 16)),
        (nn.MSELoss(), rng.normal(size=(16, 3)).astype(dtype)),
    ):
        model = mlp(5, 40, 3, dtype=dtype)
        program = loss_program(lambda x, y, m=model, f=loss: f(m(x), y), x, y)
        machine = Machine(program)
        assert not machine.calls
        assert_close(machine.run(x, y, *[v._value for v in program.variables]), program.found)


def test_results_of_two_runs_do_not_share_memory():
    for n in (4, 20_000):
        program = program_of(lambda x: x * 2.0, Tensor(np.ones(n)))
        machine = Machine(program)
        first = machine.run(np.ones(n))[0]
        second = machine.run(np.full(n, 3.0))[0]
        assert first[0] == 2.0
        assert second[0] == 6.0
        view = second[1:]
        del second
        machine.run(np.zeros(n))
        assert view[0] == 6.0


def test_inputs_may_have_any_strides():
    x = np.arange(40_000.0).reshape(200, 200)
    program = program_of(lambda x: x + 1.0, Tensor(x))
    machine = Machine(program)
    for given in (x, x.T, x[::-1], x[:, ::-1], np.asfortranarray(x), x):
        np.testing.assert_array_equal(machine.run(given)[0], given + 1.0)


def test_an_index_out_of_range_is_left_to_the_engine():
    x = np.arange(6.0).reshape(3, 2)
    program = program_of(lambda x, i: x[i], Tensor(x), np.array([0, -1]))
    machine = Machine(program)
    assert not machine.calls
    np.testing.assert_array_equal(machine.run(x, np.array([2, -3]))[0], x[[2, 0]])
    for wrong in (3, -4):
        with pytest.raises(NotReplayable):
            machine.run(x, np.array([0, wrong]))


def test_outer_product_has_the_signs_of_zero_of_a_matrix_product():
    x, y = np.array([[-1.0], [2.0]]), np.array([[0.0, -0.0, 3.0]])
    program = program_of(lambda x, y: x @ y, Tensor(x), Tensor(y))
    assert np.asarray(Machine(program).run(x, y)[0]).tobytes() == (x @ y).tobytes()


def test_repeated_indices_accumulate():
    x, i = np.arange(1.0, 6.0), np.array([1, 1, 2, -2, 2])
    program = program_of(lambda w, x, i: w[i] * x, Tensor(np.ones(3), requires_grad=True), x, i)
    machine = Machine(program)
    assert not machine.calls
    assert_close(machine.run(np.ones(3), x, i), program.found)


def test_a_guard_that_finds_nothing_is_checked_by_the_machine():
    w = Tensor(np.ones((3, 1)), requires_grad=True)
    x, y = np.ones((4, 3)), np.zeros((4, 1))
    program = loss_program(lambda x, y: nn.functional.huber_loss(x @ w, y), x, y)
    machine = Machine(program)
    assert not machine.calls
    assert_close(machine.run(x, y, w._value), program.found)
    with pytest.raises(NotReplayable):
        machine.run(x, np.full((4, 1), np.nan), w._value)


def test_a_guard_of_the_targets_is_checked_by_the_machine():
    loss, model = nn.CrossEntropyLoss(), mlp(4, 3, dtype="float64")
    x = np.random.default_rng(0).normal(size=(5, 4))
    program = loss_program(lambda x, y: loss(model(x), y), x, np.array([0, 1, 2, 0, 1]))
    machine = Machine(program)
    assert not machine.calls
    leaves = [v._value for v in program.variables]
    machine.run(x, np.array([2, 2, 2, 2, 2]), *leaves)
    for wrong in (3, -100):
        with pytest.raises(NotReplayable):
            machine.run(x, np.array([0, 1, wrong, 0, 1]), *leaves)


def scan_program(dtype):
    """Return a step of gradient descent, ``w, x, lr -> loss, new w``, of which the new w replaces w."""
    w, x = np.zeros(3, dtype), np.zeros((4, 3), dtype)
    program = program_of_step(lambda w, x, lr: (((x @ w - 1.0) ** 2).sum(), w - lr * (x.T @ (x @ w - 1.0))), w, x, 0.1)
    program.repeated = {0: 1}
    return program


def program_of_step(f, *args):
    call, recording = Arguments(f, args, {}), Recording(False)
    with watching(recording):
        results = f(*call.args)
    return Program(call.nodes, list(results), len(results), recording.effects)


@pytest.mark.parametrize("times", [0, 1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_runs_in_place_equal_single_runs(times, dtype):
    rng = np.random.default_rng(0)
    data, rows, rates = (
        rng.normal(size=(10, 3)).astype(dtype),
        rng.integers(-10, 10, (times, 4)),
        rng.uniform(0, 0.1, times),
    )
    machine = Machine(scan_program(dtype))
    w, losses = np.zeros(3, dtype), []
    for k in range(times):
        loss, w = machine.run(w, data[rows[k]], float(rates[k]))
        losses.append(loss)
    new = np.zeros(3, dtype)
    machine.place(0, new)
    machine.set([None, None, 0.1])
    found, error = machine.execute_many([data], 1, rows, rates[:, None])
    assert error is None
    np.testing.assert_array_equal(found, np.array(losses, found.dtype).reshape(found.shape))
    np.testing.assert_array_equal(new, w)


def test_a_step_in_place_changes_the_memory_of_others_once():
    w, x = np.zeros(3), np.ones((4, 3))
    machine = Machine(scan_program(np.float64))
    expected = machine.run(w, x, 0.1)
    machine.place(0, w)
    machine.set([None, x, 0.1])
    machine.execute()
    np.testing.assert_array_equal(w, expected[1])
    assert machine.results()[0] == expected[0]


def test_results_replace_inputs_that_are_still_read_at_the_end():
    program = program_of_step(lambda a, b: (a.sum(), b * 2.0, a + 1.0, a * b), np.ones(3), np.ones(3))
    program.repeated = {0: 1, 1: 2}  # a is replaced by 2 b, and b by a + 1
    machine, a, b = Machine(program), np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    machine.place(0, a)
    machine.place(1, b)
    machine.execute()
    np.testing.assert_array_equal(a, [8.0, 10.0, 12.0])
    np.testing.assert_array_equal(b, [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(machine.results()[3], [4.0, 10.0, 18.0])


def test_a_run_does_not_change_long_inputs_that_results_replace():
    program = program_of_step(lambda w: (w.sum(), w + 1.0), np.zeros(20_000))
    program.repeated = {0: 1}
    given = np.zeros(20_000)
    for _ in range(2):
        assert Machine(program).run(given)[1][0] == 1.0
    assert not given.any()


def test_many_runs_refuse_rows_out_of_range():
    machine = Machine(scan_program(np.float64))
    with pytest.raises(IndexError, match="below 10, got 0 to 10"):
        machine.execute_many([np.ones((10, 3))], 1, np.array([[0, 1, 2, 10]]), None)


def test_many_runs_stop_before_an_error_and_change_nothing():
    program = program_of_step(lambda w, i: (w[i].sum(), w + 1.0), np.zeros(3), np.array([0, 1]))
    program.repeated = {0: 1}
    machine = Machine(program)
    indices, w = np.array([0, 1, 1, 2, 0, 7, 0, 0]), np.zeros(3)
    machine.place(0, w)
    sums, error = machine.execute_many([indices], 1, np.arange(8).reshape(4, 2), None)
    assert isinstance(error, NotReplayable)
    assert sums.tolist() == [0.0, 2.0]
    assert w.tolist() == [2.0, 2.0, 2.0]


def test_runs_of_different_lengths_are_computed_in_an_order_that_gives_the_results_of_numpy():
    def step(a, b):
        early = a * 0.5  # computed with the other instructions of its length
        squares = b * b
        total = squares.sum()
        new_b = b - squares * total
        return total, early + a * new_b[:2000], new_b

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=2000), rng.normal(size=3000) / 100
    program = program_of_step(step, a, b)
    program.repeated = {0: 1, 1: 2}
    machine, expected = Machine(program), step(a, b)
    for number, x in enumerate((a, b)):
        machine.place(number, x)
    machine.execute()
    for found, x in zip((machine.results()[0], a, b), expected, strict=True):
        np.testing.assert_array_equal(found, x)
    lengths = [item.dims[0] for item in machine.lowered.order if item.loop.name == "fused"]
    assert [n for n in lengths if n > 1] == [3000, 2000]


def test_a_failing_run_of_many_indices_changes_no_input():
    program = program_of_step(lambda w, i: (w[i].sum(), w + 1.0), np.zeros(3), np.zeros(2_000, np.int64))
    program.repeated = {0: 1}
    machine, w = Machine(program), np.zeros(3)
    machine.place(0, w)
    machine.set([None, np.full(2_000, 7)])
    with pytest.raises(NotReplayable):
        machine.execute()
    assert not w.any()


def test_many_runs_make_the_calls_of_every_run_until_one_raises():
    seen = []

    def noted(x):
        seen.append(x.tolist())
        return x / 2.0 if len(seen) != 4 else 1 / 0

    program = program_of_step(lambda w, x: (callback(noted, x + w).sum(), w + 1.0), np.zeros(2), np.zeros(2))
    program.repeated = {0: 1}
    machine, w = Machine(program), np.zeros(2)
    machine.place(0, w)
    del seen[:]
    rows = np.array([[0, 1], [2, 3], [1, 1], [4, 4], [0, 0]])
    sums, error = machine.execute_many([np.arange(5.0)], 1, rows, None)
    assert isinstance(error, ZeroDivisionError)
    assert seen == [[0.0, 1.0], [3.0, 4.0], [3.0, 3.0], [7.0, 7.0]]
    assert sums.tolist() == [0.5, 3.5, 3.0]
    assert w.tolist() == [3.0, 3.0]


def test_steps_that_the_machine_does_not_know_are_called():
    program = program_of_step(lambda x: (ag.cumsum(x * 2.0) + 1.0, x + 1.0), np.ones(4))
    machine = Machine(program)
    assert [call.op.name for call in machine.calls] == ["cumsum"]
    np.testing.assert_array_equal(machine.run(np.ones(4))[0], [3.0, 5.0, 7.0, 9.0])


def test_importing_autograd_does_not_import_numba():
    code = "import autograd, nn, optim, sys; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_compiled_code_of_another_version_is_not_used(tmp_path):
    kernels.prepare(True)
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    shutil.copy2(kernels.__file__, tmp_path)
    for file in Path(kernels.interpret.stats.cache_path).glob("kernels.interpret-*"):
        shutil.copy2(file, cache)
    code = """if True:
        import importlib, kernels
        before = kernels.prepare(False)
        with open("kernels.py", "a") as file:
            file.write("# another version")
        print(before, importlib.reload(kernels).prepare(False))
    """
    settings = os.environ | {"PYTHONPATH": str(Path(ag.__file__).parents[1]), "NUMBA_CACHE_DIR": ""}
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert run.stdout == "True False\n", run.stderr


def test_machine_is_chosen_although_recorded_arrays_have_changed_in_place(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    w, batch = Tensor([1.0, 2.0], requires_grad=True), np.array([1.0, 1.0])
    step = ag.compile(lambda x: ((w * x - 1.0) ** 2).sum())
    for k in (1.0, 2.0, 3.0):
        batch[:] = k
        w.grad = None
        assert step(batch).item() == ((w.data * k - 1.0) ** 2).sum()
        w.data[:] -= 0.1 * w.grad
    [[program]] = step._programs.values()
    assert program.executor.machine is not None


def test_programs_stay_in_numpy_when_too_many_loops_are_compiled(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    monkeypatch.setattr(fusing, "MOST_LOOPS", 0)
    fusing.compiled.cache_clear()
    x = np.linspace(-1.0, 1.0, 5000)
    step = ag.compile(lambda w: (w * x + w * w - 1.0).sum())
    w = Tensor(x, requires_grad=True)
    for _ in range(3):
        w.grad = None
        assert step(w).item() == (x * x + x * x - 1.0).sum()
    [[program]] = step._programs.values()
    assert program.executor.machine is None
