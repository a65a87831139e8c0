"""Programs of `Value`s: every runner gives the bits of eager computation."""

import contextlib
import math
import random
import struct
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from looping import each
from samples import CASES

import autograd as ag
from autograd import Value
from autograd.extend import callback, elementwise, guard
from autograd.tape import compiled, executor, native
from autograd.tape.levels import Levels, has_levels
from autograd.tape.numpy_text import NumpyText
from nn.scalar import MLP

# An infinite loss of a variable as large as these also brings the advice to lower the learning rate.
WITHOUT_ADVICE = pytest.mark.filterwarnings("ignore:the loss is:autograd.GradientWarning")

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")

RUNNERS = [
    pytest.param("text", id="straight"),
    pytest.param("levels", id="numpy"),
    pytest.param("native", id="native", marks=needs_numba),
]


@pytest.fixture(autouse=True)
def unprepared(monkeypatch):
    """Forget the time that the programs of other tests took, after which these would run as machine code."""
    monkeypatch.setattr(executor, "preparation", executor.Preparation())


@pytest.fixture(params=RUNNERS)
def runner(request, monkeypatch):
    """Use one runner for all programs of floats, including small ones."""
    kind = request.param

    def forced(program):
        if kind == "text" or not program.steps or not has_levels(program):
            return NumpyText(program)
        levels = Levels(program)
        if kind == "native":
            with contextlib.suppress(TypeError):  # an operation of floats alone
                return native.Machine(levels)
        return levels

    monkeypatch.setattr(compiled, "Executor", forced)
    monkeypatch.setitem(globals(), "TOLERANCE", 1e-13 if kind == "native" else 0.0)
    return kind


TOLERANCE = 1e-13 if executor.os.environ.get("CHAINRULE_NUMBA") == "1" else 0.0  # of tests that do not use `runner`


def bits(x):
    return struct.pack("<d", x)


def same(found, expected):
    """Check that two lists of floats have equal bits, or nearly so if NumPy's math functions compute them."""
    assert list(map(type, found)) == [float] * len(found)
    for x, y in zip(found, expected, strict=True):
        assert bits(x) == bits(y) or (x != x and y != y) or (TOLERANCE and x == pytest.approx(y, rel=TOLERANCE))


def compare(function, leaves, numbers, inputs=((),)):
    """Check loss and gradients of a compiled function against eager computation for several values of its leaves."""
    step = ag.compile(function)
    for values in numbers:
        for given in inputs:
            found = []
            for f in (step, function):
                for leaf, value in zip(leaves, values, strict=True):
                    leaf.data, leaf.grad = value, 0.0
                loss = f(*given)
                if f is function:
                    loss.backward()
                found.append([loss.data, *[leaf.grad for leaf in leaves]])
            same(*found)
    return step


def numbers_for(case, seed):
    return [float(np.ravel(a)[0]) for a in case.operands(seed=seed)]


PER_ELEMENT = {key: case for key, case in CASES.items() if case.per_element}


@each(PER_ELEMENT.values())
def test_every_primitive_of_floats_gives_the_bits_of_eager(case, runner):
    leaves = [Value(0.0) for _ in case.sources]

    def loss():
        y = case.f(*leaves)
        return y * 3.0 + sum(leaf * leaf for leaf in leaves)

    compare(loss, leaves, [numbers_for(case, seed) for seed in range(5)])


@each(PER_ELEMENT.values())
@pytest.mark.filterwarnings("ignore:the second derivative of a norm")
@np.errstate(all="ignore")  # a division by zero warns
@pytest.mark.filterwarnings("ignore:the gradient of the exponent")
def test_every_primitive_at_ties_kinks_and_signed_zeros(case, runner):
    """Errors and infinities are those of eager computation, too."""
    leaves = [Value(0.5) for _ in case.sources]

    def loss():
        return case.f(*leaves) * -1.0 + 0.0 * leaves[0]

    step = ag.compile(loss)
    for leaf, value in zip(leaves, numbers_for(case, 0), strict=True):
        leaf.data = value
    step()
    for values in [(0.0, -0.0, 1.0), (-0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (-1.0, 2.0, -2.0), (1e308, 1e308, 1e308)]:
        found = []
        for f in (step, loss):
            for leaf, value in zip(leaves, values, strict=False):
                leaf.data, leaf.grad = value, 0.0
            try:
                y = f()
                if f is loss and y.requires_grad:
                    y.backward()
                found.append([y.data, *[leaf.grad for leaf in leaves]])
            except (ValueError, ArithmeticError) as error:
                found.append(f"{type(error).__name__}: {error}")
        if isinstance(found[1], str):
            assert found[0] == found[1]
        else:
            same(*found)


def grown(rng, leaves, count):
    """Return a random expression with shared nodes, nested sums, products of sums and comparisons."""
    pool = list(leaves)
    for _ in range(count):
        x, y = rng.choice(pool[-12:]), rng.choice(pool)
        pool.append(
            rng.choice([
                lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: -x, lambda x, y: x * x,
                lambda x, y: x + x, lambda x, y: y - x * y, lambda x, y: x + 0.5, lambda x, y: 2.0 - x,
                lambda x, y: (x * 0.1).tanh(), lambda x, y: x.relu(), lambda x, y: ag.where(x > y, x, y * 0.5),
                lambda x, y: x / (y * y + 1.0), lambda x, y: ag.maximum(x, y), lambda x, y: ag.floor(x) * 0.25,
                lambda x, y: -(x > y), lambda x, y: (x < y) * (-y), lambda x, y: ag.leaky_relu(x, 0.1),
                lambda x, y: (x * 0.01) ** 2,
            ])(x, y) * rng.choice([1.0, 0.5, -0.25])
        )  # fmt: skip
    return sum(pool[-8:])


@each(range(12))
def test_random_graph_gives_the_bits_of_eager(seed, runner):
    rng = random.Random(seed)
    leaves = [Value(0.0) for _ in range(rng.randint(1, 6))]
    numbers = [[rng.choice([rng.gauss(0, 1), 0.0, -0.0, 1.0]) for _ in leaves] for _ in range(4)]
    compare(lambda: grown(random.Random(seed), leaves, rng.randint(5, 5) * (seed + 1)), leaves, numbers)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 9, 17])
def test_chains_of_different_lengths_give_the_bits_of_eager(width, runner):
    """Chains of different lengths share a padded segment."""
    leaves = [Value(0.0) for _ in range(width)]

    def loss():
        sums = []
        for i, x in enumerate(leaves):
            s = -x
            for k in range(2 * i + 1):
                s = s + x * leaves[(i + k) % width] if k % 3 else s - x
            sums.append(s.tanh())
        return sum(sums)

    rng = random.Random(width)
    compare(loss, leaves, [[rng.gauss(0, 0.3) for _ in leaves] for _ in range(3)] + [[-0.0] * width])


def test_sum_of_negative_zeros_keeps_its_sign(runner):
    x, y = Value(1.0), Value(1.0)
    step = ag.compile(lambda: x * y + x * y)
    step()
    x.data, y.data = -0.0, 0.0
    assert bits(step().data) == bits(-0.0)


def chained(x, a, b, turns):
    y = x
    for _ in range(turns):
        y = y * a + b
    return y


def test_deep_chain_gives_the_bits_of_eager(runner):
    turns = 10 if runner == "levels" else 1_000  # it calls NumPy for each operation
    x, a, b = Value(1.5), Value(0.999), Value(0.001)
    compare(lambda: chained(x, a, b, turns), [x, a, b], [[1.5, 0.999, 0.001], [-0.5, 1.0001, 0.002]])


def test_deep_program_gives_the_recorded_results_again():
    x, a = Value(1.5), Value(0.999)
    step = ag.compile(lambda: chained(x, a, 0.001, 3_000))
    first = [step().data, x.grad, a.grad]
    x.grad = a.grad = 0.0
    same([step().data, x.grad, a.grad], first)


def test_wide_sum_with_shared_nodes_gives_the_bits_of_eager(runner):
    leaves = [Value(0.0) for _ in range(300)]

    def loss():
        squares = [x * x for x in leaves]
        return sum(squares) * sum(s.tanh() for s in squares)

    compare(loss, leaves, [[math.sin(i + k) for i in range(300)] for k in range(3)])


def test_inputs_receive_gradients(runner):
    w = Value(2.0)
    step = ag.compile(lambda x, y: (x * w + y).tanh())
    for number in (0.1, 0.2, -0.3):
        x, y = Value(number), Value(number)
        w.grad = 0.0
        loss = step(x, 0.5)
        expected = (y * w + 0.5).tanh()
        ours, w.grad = w.grad, 0.0
        expected.backward()
        same([loss.data, x.grad, ours], [expected.data, y.grad, w.grad])


def test_gradients_accumulate_beside_other_results(runner):
    w = Value(3.0)
    step = ag.compile(lambda x: (w * w * x, {"w": w * x, "larger": w > x}))
    for _ in range(3):
        loss, others = step(2.0)
    assert (w.grad, loss.data) == (36.0, 18.0)
    assert (others["w"].data, others["larger"].data) == (6.0, 1.0)
    assert type(others["larger"].data) is float


def test_constant_results_are_returned_unchanged(runner):
    w = Value(3.0)
    step = ag.compile(lambda: (w * w, 7, "seven", 1.5))
    for _ in range(2):
        assert step()[1:] == (7, "seven", 1.5)


def test_custom_operation_of_floats_is_replayed(runner):
    @elementwise(lambda y, x: 2.0 * x)
    def squared_here(x):
        return x * x

    x = Value(0.0)
    compare(lambda: squared_here(x) * ag.round(x, decimals=1), [x], [[1.26], [-2.0], [0.5]])


def test_callback_of_floats_is_called_in_each_replay(runner):
    seen, x = [], Value(2.0)

    def noted(number):
        seen.append(number)
        return 0.5

    step = ag.compile(lambda: x * callback(noted, x))
    for number in (2.0, 3.0, 4.0):
        x.data, x.grad = number, 0.0
        assert step().data == number * 0.5
    assert seen == [2.0, 3.0, 4.0]


@WITHOUT_ADVICE
@each(
    [
        (lambda x: ag.log(x), -1.0),
        (lambda x: 1.0 / ag.exp(x), 1e4),
        (lambda x: x**-1.5, 0.0),
        (lambda x: ag.sin(x * 1e300), 1e300),
        (lambda x: 1.0 / x, 0.0),
        (lambda x: 1.0 / (1.0 / x), 0.0),
        (lambda x: ag.where(x == 0, 1.0, ag.sin(x) / x), 0.0),
    ]
)
def test_float_outside_the_domain_replays_as_eager_with_its_warning(function, bad, runner):
    """Even if only an intermediate result is infinite, as in 1 / (1 / 0)."""
    x = Value(2.0)
    step = ag.compile(lambda: function(x))
    step()
    step()
    found = []
    for compute in (step, lambda: function(x).backward()):
        x.data, x.grad = bad, 0.0
        with pytest.warns(RuntimeWarning, match="divide by zero|invalid value|overflow"):
            y = compute()
        with np.errstate(all="ignore"):
            found.append(((y or function(x)).item(), x.grad))
    np.testing.assert_array_equal(*found)
    x.data, x.grad = 2.0, 0.0
    step()
    assert x.grad != 0.0


@np.errstate(divide="ignore")
def test_infinite_derivative_is_computed_eagerly(runner):
    x = Value(4.0)
    step = ag.compile(lambda: ag.sqrt(x))
    step()
    x.data, x.grad = 0.0, 0.0
    assert step().data == 0.0
    assert x.grad == math.inf


@WITHOUT_ADVICE
def test_overflowing_sum_gives_no_warning_of_numpy(runner):
    x = Value(1.0)
    compare(lambda: x * 10.0 + x * x, [x], [[1.0], [1e308], [-1e308]])


def test_training_of_a_network_gives_the_bits_of_eager(runner):
    rng = random.Random(0)
    points = [(rng.gauss(0, 1), rng.gauss(0, 1)) for _ in range(8)]
    models = [MLP(2, [4, 4, 1], rng=1) for _ in range(2)]

    def loss_of(model):
        def loss():
            scores = [model([Value(x), Value(y)]) for x, y in points]
            losses = [(1 + (-1.0 if x * y > 0 else 1.0) * s).relu() for (x, y), s in zip(points, scores, strict=True)]
            return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())

        return loss

    step, eager = ag.compile(loss_of(models[0])), loss_of(models[1])
    for _ in range(50):
        for model in models:
            model.zero_grad()
        ours, theirs = step(), eager()
        theirs.backward()
        same([ours.data], [theirs.data])
        for model in models:
            for p in model.parameters():
                p.data -= 0.05 * p.grad
    same([p.data for p in models[0].parameters()], [p.data for p in models[1].parameters()])
    assert len(step._programs) == 1


@pytest.mark.parametrize("count", [1, 16, 33])
def test_sums_that_share_factors_give_the_bits_of_eager(count, runner):
    """Examples in another order than their inputs, factors of all examples, and terms without a variable factor."""
    rng = random.Random(count)
    w = [[Value(0.0) for _ in range(4)] for _ in range(8)]
    x = [[Value(0.0) for _ in range(3)] for _ in range(count)]
    order = rng.sample(range(count), count)

    def loss():
        hidden = [[sum((a * b for a, b in zip(row, x[i], strict=False)), row[3]).tanh() for row in w] for i in order]
        scores = [sum(a * row[0] for a, row in zip(h, w, strict=True)) - x[i][0] for i, h in enumerate(hidden)]
        return sum(s * s for s in scores) + 0.1 * sum(p * p for row in w for p in row) + 0.1 * sum(scores)

    leaves = [p for row in (*w, *x) for p in row]
    compare(loss, leaves, [[rng.gauss(0, 0.5) for _ in leaves] for _ in range(3)])


def test_a_repeated_guard_is_evaluated_once_per_call():
    about, x = [1], Value(2.0)

    def loss():
        for _ in range(5):
            guard(len, about)
            guard(about.__getitem__, 0)
            guard(about.copy)
        return x * x

    step = ag.compile(loss)
    step()
    [[call]] = step._programs.values()
    assert len(call._guards) == 3
    about[0] = 2
    step()
    assert len(step._programs[next(iter(step._programs))]) == 2


def test_variables_created_inside_are_constants():
    """They cannot be reached after the call, so they are neither kept alive nor given gradients."""
    w = [Value(0.1 * i) for i in range(20)]

    def loss():
        return sum((a * Value(float(i)) - b).tanh() for i, a in enumerate(w) for b in w)

    step = compare(loss, w, [[0.1 * i + k for i in range(20)] for k in range(3)])
    [[call]] = step._programs.values()
    assert isinstance(call.executor.text, Levels)
    assert len(call._states) == len(w)


@pytest.mark.parametrize("calls", [1, 2])  # the second starts what runs the program
def test_frozen_value_is_recorded_again(calls):
    w = [Value(0.1 * i) for i in range(20)]
    step = ag.compile(lambda: sum((a * b - b).tanh() for a in w for b in w))
    for _ in range(calls):
        step()
    w[3].requires_grad = False
    for x in w:
        x.grad = 0.0
    step()
    assert w[3].grad == 0.0
    assert w[4].grad != 0.0


def test_forgotten_zero_grad_warns():
    w = [Value(0.1 * i) for i in range(20)]
    step = ag.compile(lambda: sum((a * b - b).tanh() for a in w for b in w))
    with pytest.warns(ag.GradientWarning, match="zero_grad"):  # noqa: PT031  (the steps are what is looked at)
        for _ in range(3):
            step()
            for p in w:
                p.data = p.data - 0.01 * p.grad


def test_source_of_a_long_program_lists_its_segments():
    w = [Value(0.1 * i) for i in range(20)]
    step = ag.compile(lambda: sum((a * b - b).tanh() for a in w for b in w))
    step()
    source = step.source()
    assert "400 of tanh" in source
    assert "sums of products" in source
    assert all(line.startswith("#") for line in source.splitlines())


def test_narrow_program_is_straight_python_unless_it_is_long(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "0")
    x, a = Value(1.0), Value(0.999)
    monkeypatch.setattr(executor, "MOST_STRAIGHT", 2_000)
    for turns, kind in ((10, NumpyText), (300, NumpyText), (800, Levels)):
        step = ag.compile(lambda turns=turns: chained(x, a, 0.5, turns))
        for _ in range(2):
            x.grad = a.grad = 0.0
            loss = step()
        ours, x.grad, a.grad = a.grad, 0.0, 0.0
        expected = chained(x, a, 0.5, turns)
        expected.backward()
        same([loss.data, ours], [expected.data, a.grad])
        [[call]] = step._programs.values()
        assert isinstance(call.executor.text, kind)


@needs_numba
def test_numba_is_loaded_when_numpy_has_run_for_long(monkeypatch):
    code = """if True:
        import sys, autograd as ag
        from autograd.tape import executor
        executor.WORTH_BUILDING = 1e-9  # seconds
        w = [ag.Value(0.01 * i) for i in range(40)]
        step = ag.compile(lambda: sum((a * b).tanh() for a in w for b in w))
        step(); step()
        assert "numba" not in sys.modules
        executor.preparation.seconds = 1.0
        for _ in range(9):
            step()
        print("numba" in sys.modules)
    """
    for numba, expected in (("", "True"), ("0", "False")):
        run = subprocess.run(
            [sys.executable, "-c", code], env={**executor.os.environ, "CHAINRULE_NUMBA": numba},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert run.stdout.strip() == expected


def switched(monkeypatch):
    """Run a long program of floats for long enough and return its executor."""
    monkeypatch.setattr(executor, "has_numba", lambda: True)
    monkeypatch.setattr(executor, "WORTH_BUILDING", 0.0)
    monkeypatch.setattr(executor, "preparation", executor.Preparation())
    executor.preparation.seconds = 1.0
    w = [Value(0.1 * i) for i in range(20)]
    step = compare(
        lambda: sum((a * b).tanh() for a in w for b in w), w, [[0.1 * i + k for i in range(20)] for k in (0, 1)]
    )
    [[call]] = step._programs.values()
    return call.executor


def test_numba_without_a_cache_folder_is_replaced_by_numpy(monkeypatch, capsys):
    def no_folder(may_compile):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(native, "prepare", no_folder, raising=False)
    assert switched(monkeypatch).machine is None
    assert capsys.readouterr().err == (
        "chainrule: programs run without machine code (cannot cache function: no locator available)\n"
    )


def test_a_machine_with_other_results_is_replaced_by_numpy(monkeypatch):
    class Wrong:
        calls = ()

        def __init__(self, levels):
            self.count = len(levels.results)

        def run(self, *data):
            return [0.5] * self.count

    monkeypatch.setattr(native, "prepare", lambda may_compile: True, raising=False)
    monkeypatch.setattr(native, "Machine", Wrong, raising=False)
    assert switched(monkeypatch).machine is None
