"""`compile`: replays on other data give the results and gradients of eager computation."""

import copy
import dataclasses
import gc
import pickle
import random
import threading
import weakref

import numpy as np
import pytest
from looping import each
from samples import CASES

import autograd as ag
import nn
from autograd import Tensor, Value
from autograd.extend import NotReplayable, callback, elementwise, guard, linear, writes_into
from autograd.tape.recording import RecordingError


def weighted(y):
    return ag.sum(y * np.random.default_rng(1).uniform(0.5, 1.5, np.shape(y)))


def variables(case, arrays):
    return [Tensor(a, requires_grad=True) if i in case.differentiable else a for i, a in enumerate(arrays)]


def replaying(function, **options):
    """Compile a function whose calls are replayed: a program that fails would be replaced by eager computation."""
    step = ag.compile(function, **options)
    step._eagerly = lambda *given: pytest.fail("the call was computed eagerly")
    return step


def programs(step):
    return [program for kept in step._programs.values() for program in kept]


def near(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@each(CASES.values())
def test_every_primitive_is_replayed_on_other_data(case):
    """The operands are inputs, with other values in the second and third call."""

    def loss(*operands):
        return weighted(case.f(*operands))

    step = replaying(loss)
    for seed in (0, 1, 2):
        arrays = case.operands(seed=seed)
        theirs, ours = variables(case, arrays), variables(case, arrays)
        expected = loss(*theirs)
        if getattr(expected, "requires_grad", False):
            expected.backward()
        near(np.asarray(ag.extend.raw_data(step(*ours))), np.asarray(ag.extend.raw_data(expected)))
        for i in case.differentiable:
            assert (ours[i].grad is None) == (theirs[i].grad is None)
            if theirs[i].grad is not None:
                near(ours[i].grad, theirs[i].grad)
                assert ours[i].grad.dtype == theirs[i].grad.dtype
                assert ours[i].grad.flags.c_contiguous
                assert not any(np.shares_memory(ours[i].grad, a) for a in arrays)


PER_ELEMENT = {key: case for key, case in CASES.items() if case.per_element}


@each(PER_ELEMENT.values())
def test_elementwise_graph_gives_the_bits_of_eager(case):
    """Several operations in a row, so that results overwrite operands that are no longer needed."""

    def chain(*operands):
        y = case.f(*operands)
        return (y * 2.0 - y) * y

    step = replaying(chain)
    with ag.no_grad():
        for seed in (0, 1, 2):
            arrays = case.operands(seed=seed)
            assert np.array_equal(step(*arrays), chain(*arrays), equal_nan=True)


def test_replay_reads_parameters_and_accumulates_gradients():
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = replaying(lambda x: (w * x).sum())
    x = np.array([3.0, 4.0])
    assert float(step(x)) == 11.0
    assert float(step(x)) == 11.0
    assert w.grad.tolist() == [6.0, 8.0]
    w.data = np.array([0.0, 1.0])
    w.zero_grad()
    assert float(step(2 * x)) == 8.0
    assert w.grad.tolist() == [6.0, 8.0]


def test_gradients_and_results_share_memory_with_nothing():
    w = Tensor([1.0, 2.0], requires_grad=True)
    v = Tensor([5.0, 7.0], requires_grad=True)
    step = replaying(lambda x: ((w + v).sum() + (w * x).sum() * 0.0, x, w + 1.0))
    x = np.array([3.0, 4.0])
    kept = []
    for _ in range(3):
        w.grad = v.grad = None
        _, same, more = step(x)
        for array in (w.grad, v.grad, same.data, more.data):
            assert not any(np.shares_memory(array, other) for other in (*kept, x, w.data, v.data))
            kept.append(array)
    w.grad[:] = 99.0
    w.grad = v.grad = None
    step(x)
    assert w.grad.tolist() == v.grad.tolist() == [1.0, 1.0]
    assert x.tolist() == [3.0, 4.0]


def test_gradient_that_is_referenced_is_not_overwritten():
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([[3.0]], requires_grad=True)
    step = replaying(lambda x: (ag.exp(a * x)).sum() + (b * b * x).sum())
    held, expected = [], []
    for k in (1.0, 2.0, 3.0, 4.0, 5.0):
        a.grad = b.grad = None
        x = np.array([k, k])
        step(x)
        expected += [np.exp(a.data * k) * k, np.array([[12.0 * k]])]
        # an array itself, a look into it, and a look that holds the memory only
        held += [a.grad if k < 3 else a.grad[:], b.grad if k < 3 else b.grad[0]]
    for g, e in zip(held, expected, strict=True):
        near(g, np.reshape(e, g.shape))


def test_input_that_requires_grad_receives_its_gradient():
    w = Tensor(2.0, requires_grad=True)
    step = replaying(lambda x: (w * x * x).sum())
    for number in (3.0, 4.0):
        x = Tensor([number], requires_grad=True)
        step(x)
        assert x.grad.tolist() == [4.0 * number]
    with pytest.raises(TypeError, match=r"computed from variables.*detach\(\)"):
        step(x * 2)


def test_argument_given_twice_receives_the_sum_of_its_gradients():
    w = Tensor([1.0, 2.0], requires_grad=True)
    twice = replaying(lambda x, y: (x * y * y).sum())
    known_anyway = replaying(lambda x: (x * w * w).sum())
    for times in (1.0, 2.0, 3.0):
        twice(w, w)
        assert w.grad.tolist() == [3.0 * times, 12.0 * times]
    for step in (lambda: twice(w, w), lambda: known_anyway(w)):
        for _ in range(2):
            w.zero_grad()
            step()
            assert w.grad.tolist() == [3.0, 12.0]


def test_hooks_of_an_argument_are_called():
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = replaying(lambda x: (x * x).sum())
    step(w)
    remove = w.register_hook(lambda g: 10.0 * g)
    for factor in (10.0, 10.0, 1.0):
        w.zero_grad()
        if factor == 1.0:
            remove()
        step(w)
        assert w.grad.tolist() == [2.0 * factor, 4.0 * factor]


def test_arguments_of_another_structure_are_recorded_again():
    def f(x, n=3):
        if n is None:
            return x * 7
        return x[0] * n if isinstance(x, list) else x * n if not isinstance(x, (tuple, dict)) else x[0] * 10

    step = replaying(f)
    given = ((2.0,), (2.0, None), ([2.0],), ((2.0,),), ({0: 2.0},))
    for _ in range(2):
        assert [step(*args) for args in given] == [f(*args) for args in given]


def test_function_without_nodes_returns_floats_and_arrays():
    step = replaying(lambda x, y: {"sum": ag.sum(x) + y, "both": (x * y, 1, "text")})
    for _ in range(2):
        found = step(np.array([1.0, 2.0]), 3.0)
        assert isinstance(found["sum"], float)
        assert found["sum"] == 6.0
        assert type(found["both"][0]) is np.ndarray
        assert found["both"][1:] == (1, "text")


def test_function_of_floats_is_replayed():
    step = replaying(lambda a, b: ag.sin(a) * b - a / b)
    for a, b in ((1.0, 2.0), (0.5, -3.0)):
        assert step(a, b) == ag.sin(a) * b - a / b
        assert type(step(a, b)) is float


def test_compiled_method_is_recorded_per_instance():
    class Scale:
        def __init__(self, factor):
            self.factor = Tensor(factor, requires_grad=True)

        @ag.compile
        def loss(self, x):
            return (self.factor * x).sum()

    scales = Scale(2.0), Scale(3.0)
    for _ in range(2):
        assert [scale.loss(np.ones(2)).item() for scale in scales] == [4.0, 6.0]
    assert [scale.factor.grad.item() for scale in scales] == [4.0, 4.0]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda step: pickle.loads(pickle.dumps(step))])
def test_copy_of_a_compiled_function_has_no_programs(copied):
    step = replaying(ag.sin)
    assert step(1.0) == copied(step)(1.0) == ag.sin(1.0)
    assert not programs(copied(step))


def test_keywords_and_nests_are_arguments_and_results():
    step = replaying(lambda batch, *, scale=1.0: batch["x"] * scale + batch["y"][0])
    for k in (1.0, 2.0):
        batch = {"x": np.full(2, k), "y": [np.full(2, 10 * k)]}
        assert np.array_equal(step(batch, scale=k), batch["x"] * k + batch["y"][0])
    assert len(programs(step)) == 1


def test_one_program_per_shape_dtype_and_setting():
    seen = []

    def f(x, axis):
        seen.append((x.shape, axis))
        return ag.sum(x * 1.0, axis=axis)

    step = replaying(f)
    for x in (np.ones((2, 3)), np.zeros((2, 3)), np.ones((3, 3)), np.ones((2, 3), np.float32)):
        for axis in (0, 1, 0):
            found = step(x, axis)
            assert np.array_equal(found, x.sum(axis))
            assert found.dtype == x.dtype
    assert len(seen) == 6


def test_shape_whose_program_was_dropped_is_recorded_again():
    step = replaying(lambda x: x * 2.0)
    with pytest.warns(RuntimeWarning, match="recorded 64 times") as found:
        assert all(step(np.ones(n)).tolist() == [2.0] * n for n in range(70))
    assert len(found) == 1
    assert found[0].filename == __file__
    assert len(programs(step)) == 64
    assert step(np.ones(0)).shape == (0,)


def test_guard_with_another_answer_records_again():
    mode = {"training": True}
    step = replaying(lambda x: x * 2.0 if guard(lambda: mode["training"]) else x)
    x = np.array([1.0])
    assert [step(x)[0], step(x)[0]] == [2.0, 2.0]
    mode["training"] = False
    assert [step(x)[0], step(x)[0]] == [1.0, 1.0]
    mode["training"] = True
    assert step(x)[0] == 2.0
    assert len(programs(step)) == 2


def test_programs_of_old_guard_answers_are_dropped():
    state = {"k": 0}
    step = replaying(lambda x: x * float(guard(lambda: state["k"])))
    for k in range(20):
        state["k"] = k
        assert step(np.ones(1))[0] == k
    assert len(programs(step)) == 8


def test_frozen_parameter_is_recorded_again():
    a, b = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    step = replaying(lambda x: (a * b * x).sum())
    step(np.array([1.0]))
    a.requires_grad = False
    a.grad = b.grad = None
    step(np.array([3.0]))
    assert a.grad is None
    assert b.grad.tolist() == [3.0]


def test_parameter_of_another_shape_is_recorded_again():
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = replaying(lambda x: (w * x).sum())
    step(np.array([1.0]))
    with pytest.warns(ag.GradientWarning, match="shape"):
        w.data, w.grad = np.array([1.0, 2.0, 3.0]), None
    assert float(step(np.array([2.0]))) == 12.0
    assert w.grad.tolist() == [2.0, 2.0, 2.0]


def test_call_inside_no_grad_stores_no_gradient():
    w = Tensor([1.0, 2.0], requires_grad=True)
    predict = replaying(lambda x: w * x)
    with ag.no_grad():
        for k in (1.0, 2.0):
            y = predict(np.array([k, k]))
            assert y.data.tolist() == [k, 2 * k]
            assert not y.requires_grad
    with pytest.raises(RuntimeError, match=r"starts from a scalar.*shape \(2,\).*inside autograd.no_grad\(\)"):
        predict(np.array([1.0, 1.0]))
    assert w.grad is None


def test_backward_of_a_result_names_the_compiled_call():
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = replaying(lambda x: (w * x).sum())
    assert repr(step).endswith("<lambda>, programs recorded: 0>")
    loss = step(np.ones(2))
    with pytest.raises(RuntimeError, match=r"compile\(\) needs no backward\(\)"):
        loss.backward()
    assert w.grad.tolist() == [1.0, 1.0]
    assert repr(step).endswith("<lambda>, programs recorded: 1>")


def test_detached_parts_are_replayed_without_gradient():
    w = Tensor([2.0], requires_grad=True)

    def loss(x):
        with ag.no_grad():
            scale = w * x
        return (w * scale * (w * x).detach()).sum()

    step = replaying(loss)
    for k in (1.0, 3.0):
        w.data, w.grad = np.array([k]), None
        assert float(step(np.array([2.0]))) == 4 * k**3
        assert w.grad.tolist() == [4 * k**2]


# --------------------------------------------------------------------------------------- what Python must not do


def _item(x):
    return x * x.sum().item()


def _truth(x):
    return x if x.sum() > 0 else -x


def _shortcut(x):
    return (x.sum() > 0 and x) * 1.0


def _data(x):
    return x * x.data


def _array(x):
    return x * np.asarray(x)


def _listed(x):
    return x * sum(x.tolist())


def _smallest(x):
    return min(x[0], x[1])


def _close(x):
    return x if np.allclose(x, 1.0) else x * 2.0


@pytest.mark.parametrize("f", [_item, _truth, _shortcut, _data, _array, _listed, _smallest, _close])
def test_reading_data_while_recording_names_the_line(f):
    line = f.__code__.co_firstlineno + 1
    with pytest.raises(RecordingError, match=rf"test_compiled\.py:{line}: .*where\(condition, a, b\)"):
        ag.compile(f)(np.array([1.0, 2.0]))
    assert ag.is_grad_enabled()


W = Tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize(
    ("change", "called"),
    [
        (lambda loss: loss.backward(), r"calls backward\(\)"),
        (lambda loss: W.zero_grad(), r"calls zero_grad\(\)"),
        (lambda loss: setattr(W, "grad", None), r"assigns to \.grad"),
    ],
)
def test_backward_and_zero_grad_inside_are_refused(change, called):
    def step(x):
        loss = (W * x).sum()
        change(loss)
        return loss

    with pytest.raises(
        RecordingError, match=rf"test_compiled\.py:\d+: the function {called}.*around the compiled function"
    ):
        ag.compile(step)(np.ones(2))
    assert W.grad is None


@pytest.mark.parametrize("create_graph", [True, False])
def test_gradients_inside_are_replayed(create_graph):
    w = Tensor([1.0, 2.0], requires_grad=True)

    def loss(x):
        first = (w * w * w * x).sum()
        return first * ag.sum(ag.gradients(first, w, create_graph=create_graph))

    step = replaying(loss)
    for k in (1.0, 2.0, 3.0):
        w.zero_grad()
        found = step(np.full(2, k)), w.grad
        w.zero_grad()
        expected = loss(np.full(2, k))
        expected.backward()
        near(found[0].item(), expected.item())
        near(found[1], w.grad)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_of_nodes_inside_are_refused(copied):
    with pytest.raises(RecordingError, match="a copy or pickle of 'x'"):
        ag.compile(lambda x: (x, copied(x)))(1.0)


def test_failed_recording_leaves_no_program():
    w = Tensor([1.0], requires_grad=True)
    step = replaying(lambda x: (w * x).sum() if callback(lambda a: a.sum(), x) else None)
    with pytest.raises(RecordingError):
        step(np.array([1.0]))
    assert w.grad is None
    assert not programs(step)
    assert gc.isenabled()


def test_arguments_that_cannot_be_part_of_a_key_are_refused():
    step = replaying(lambda x, options: x * 1.0)
    with pytest.raises(TypeError, match="unhashable type"):
        step(np.ones(1), {1, 2})
    with pytest.raises(TypeError, match=r"dtype complex128, which is not numeric"):
        step(np.array([1j]), 1)
    with pytest.raises(RuntimeError, match="no program is recorded yet"):
        step.source()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float16", "float32"])
@pytest.mark.parametrize("op", [ag.sigmoid, ag.softplus, ag.relu, ag.reciprocal, ag.square])
@pytest.mark.parametrize("shape", [(), (0,), (4,)])
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_compositions_compute_in_the_dtypes_of_eager(op, dtype, shape):
    calls = []

    def f(x):
        calls.append(x)
        return ag.sum(op(x) * 3)

    step = replaying(f)
    for k in (100, 3, 1):
        x = Tensor(np.full(shape, k, dtype))
        found, expected = np.asarray(step(x)), f(x)
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.data.tobytes()
    assert len(calls) == 4  # three by the engine here, one to record, and no replay was given up


# ------------------------------------------------------------------------------------------------- callbacks


def test_callbacks_draw_new_values_in_order():
    rng, twin = np.random.default_rng(3), np.random.default_rng(3)
    step = replaying(lambda x: x * callback(lambda: rng.random(2)) + callback(lambda: rng.random(2)))
    x = np.array([1.0, 10.0])
    for _ in range(4):
        assert np.array_equal(step(x), x * twin.random(2) + twin.random(2))


def test_callbacks_may_keep_and_return_their_arguments():
    w, kept = Tensor(np.arange(1.0, 5.0), requires_grad=True), []

    def same_or_copy(a):
        kept.append(a)
        return a.copy() if len(kept) == 1 else a

    def loss(x):
        h = w * x * 1.5
        c = callback(same_or_copy, h)
        return ((ag.tanh(h * 2.0) + ag.exp(h * 0.1) * 3.0) * c).sum()

    step = replaying(loss)
    for k in (1.0, 2.0, 3.0):
        found = step(np.full(4, k))
        assert found.item() == loss(np.full(4, k)).item()
    assert [a[0] for a in kept[::2]] == [1.5, 3.0, 4.5]


MASKED = {
    "mask": lambda x, m: ((x[m] * 2.0) * 3.0 + 1.0).sum(),
    "mean by size": lambda x, m: ag.sum(x[m]) / x[m].size,
    "own mask": lambda x, m: ag.sum(x[x > 1.5]) / x[x > 1.5].size,
    "callback": lambda x, m: ag.sum(x[(i := callback(np.flatnonzero, m))]) / i.size,
    "numbers": lambda x, m: (
        ag.sum(v := callback(lambda m: m * (1.0 if m.all() else np.float32(1.0)), m)) / v.size + x.sum()
    ),
}


@pytest.mark.parametrize("f", MASKED.values(), ids=MASKED)
@pytest.mark.parametrize("wanted", [True, False])
def test_selection_of_another_size_is_computed_eagerly(f, wanted):
    x = Tensor([1.0, 2.0, 3.0], requires_grad=wanted)
    step = ag.compile(f)
    for mask in ([True, True, True], [True, False, False], [False, True, True], [True, True, True]):
        twin = Tensor(x.data * sum(mask), requires_grad=wanted)
        x.data, x.grad = twin.data, None
        expected = f(twin, np.array(mask))
        assert ag.extend.raw_data(step(x, np.array(mask))) == ag.extend.raw_data(expected)
        if wanted:
            expected.backward()
            assert x.grad.tolist() == twin.grad.tolist()


@pytest.mark.parametrize("draw", [random.random, np.random.random])
def test_draw_outside_of_a_callback_is_refused_and_undone(draw, monkeypatch):
    monkeypatch.setattr("threading.active_count", lambda: 1)
    random.seed(3)
    np.random.seed(3)
    first = draw()
    random.seed(3)
    np.random.seed(3)
    with pytest.raises(RecordingError, match=r"drew from `random`.*callback"):
        ag.compile(lambda x: x * draw())(2.0)
    with pytest.raises(RecordingError, match=r"drew from `random`"):
        ag.compile(lambda x: x * draw() * callback(draw))(2.0)
    step = replaying(lambda x: x * callback(draw))
    assert step(2.0) == 2.0 * first
    assert step(2.0) != 2.0 * first


def test_callbacks_without_a_result_are_called_in_order():
    seen = []
    step = replaying(lambda x: (callback(lambda a: seen.append(a.tolist()), x * 2.0), callback(seen.append, 7), x)[2])
    for k in (1.0, 2.0):
        step(np.array([k]))
    assert seen == [[2.0], 7, [4.0], 7]


def test_callback_that_returns_a_scalar_of_numpy_is_replayed():
    step = replaying(lambda x: x * callback(np.max, x))
    for k in (1.0, 2.0):
        assert step(np.array([1.0, k])).tolist() == [k, k * k]


def test_callback_that_raises_in_a_replay_stores_no_gradient():
    def positive(x):
        if (x <= 0).any():
            raise ValueError("only positive numbers")

    w = Tensor([1.0], requires_grad=True)

    def loss(x):
        callback(positive, x)
        return (w * x).sum()

    step = ag.compile(loss)
    step(np.array([1.0]))
    w.grad = None
    with pytest.raises(ValueError, match="only positive"):
        step(np.array([-1.0]))
    assert w.grad is None


def test_call_that_is_not_replayable_is_computed_eagerly():
    calls = []

    def unless_zero(x):
        if not x.all():
            raise NotReplayable

    w = Tensor([1.0, 1.0], requires_grad=True)

    def loss(x):
        calls.append(1)
        if len(calls) == 1:
            callback(unless_zero, x)
        return (w * x).sum()

    step = ag.compile(loss)
    for x, count in (([1.0, 2.0], 1), ([3.0, 0.0], 2), ([3.0, 4.0], 2)):
        w.grad = None
        assert float(step(np.array(x))) == sum(x)
        assert w.grad.tolist() == x
        assert len(calls) == count


def test_replay_that_fails_raises_the_error_of_eager():
    step = ag.compile(lambda x, i: ag.getitem(x, i))
    step(np.array([1.0, 2.0]), np.array([0]))
    with pytest.raises(IndexError, match="getitem"):
        step(np.array([1.0, 2.0]), np.array([5]))


# ------------------------------------------------------------------------------------------------ the program


def program_of(f, *args):
    step = replaying(f)
    step(*args)
    return programs(step)[-1].executor, step.source()


def size_of(text):
    """Return the number of bytes of the buffers of a program for NumPy."""
    return sum(a.nbytes for name, a in text.run.__globals__.items() if name.startswith("buffer"))


def test_unused_operations_are_left_out():
    _, source = program_of(lambda x: (ag.exp(x), x * 2.0)[1], np.ones(3))
    assert "exp" not in source


def test_equal_subexpressions_are_computed_once():
    _, source = program_of(lambda x: ag.exp(x) * ag.exp(x) + ag.exp(-0.0 * x) + ag.exp(0.0 * x), np.ones(3))
    assert source.count("np.exp(") == 3


def test_different_constants_of_equal_text_are_kept_apart():
    ones, mixed = np.ones(5000), np.ones(5000)
    mixed[2500] = 7.0  # of which a printed array shows nothing

    def f(x):
        wide = ag.reshape(x, (2, 2500)) * ag.reshape(ag.reshape(x, (2500, 2)), (2, 2500))
        return (x * ones).sum() + (x * mixed).sum() * 2.0 + (x[0:2] * x[1:3]).sum() + wide.sum()

    step = replaying(f)
    for k in (1.0, 2.0):
        x = np.arange(5000.0) * k
        near(step(x), f(x))


def test_operand_smaller_than_the_result_is_not_overwritten():
    step = replaying(lambda x, y: (ag.exp(x) + y, ag.exp(y) > 2.0, (ag.exp(x) > 1.0) * 1.0))
    for k in (0.5, 2.0):
        x, y = np.arange(3.0) * k, np.arange(6.0).reshape(2, 3) * k
        first, second, third = step(x, y)
        near(first, np.exp(x) + y)
        assert second.dtype == bool
        assert np.array_equal(second, np.exp(y) > 2.0)
        assert np.array_equal(third, (np.exp(x) > 1.0) * 1.0)


def test_large_new_arrays_are_released():
    def f(x):
        return ag.where(x > 0, x, 0.5).sum() + ag.sort(x).mean()

    with ag.no_grad():
        _, source = program_of(f, np.ones(1000))
        assert source.count("del ") == 3  # of the selection, the order and the sorted array; the mask has a buffer
        _, source = program_of(f, np.ones(100))
        assert source.count("del ") == 0


def test_buffers_are_shared_by_arrays_of_different_lifetimes():
    def deep(x):
        for _ in range(50):
            x = ag.tanh(x * 1.5)
        return x.sum()

    with ag.no_grad():
        replay, _ = program_of(deep, np.ones(1000))
    assert size_of(replay.text) == 8000

    def wide(x):
        parts = [ag.exp(x * float(k)) for k in range(1, 4)]
        return parts[0] * parts[1] * parts[2]

    with ag.no_grad():
        replay, _ = program_of(wide, np.ones(1000))
    assert size_of(replay.text) == 16000


def test_elementwise_operations_overwrite_their_operands_and_products_do_not():
    with ag.no_grad():
        _, source = program_of(lambda x: (ag.tanh(ag.tanh(x)) @ ag.exp(x)).sum(), np.ones((20, 20)))
    first, second, third, product = [line.partition("out=")[2].partition(")")[0] for line in source.splitlines()[1:5]]
    assert first == second
    assert len({second, third, product}) == 3


def test_variable_that_the_function_creates_is_freed_after_the_recording():
    made = []

    def f(x):
        factor = Tensor([3.0], requires_grad=True)
        made.append(weakref.ref(factor))
        return (x * factor).sum()

    step = replaying(f)
    assert [float(step(np.array([k]))) for k in (1.0, 2.0)] == [3.0, 6.0]
    assert len(made) == 1
    assert made[0]() is None


def test_view_keeps_its_memory():
    def f(x):
        a = x * 2.0
        b = ag.reshape(a, (3, 2)).T[0]
        c = ag.exp(x) + ag.exp(-x) * 3.0 - ag.tanh(x)  # would take the place of `a` if it were free
        return b.sum() + c.sum()

    step = replaying(f)
    for k in (1.0, 2.0):
        x = np.arange(6.0) * k
        near(step(x), f(x))


def test_view_that_an_operation_of_the_user_returns_keeps_its_memory():
    @linear(lambda g, y, x: backwards(g))
    def backwards(x):
        return x[::-1]

    @elementwise(1, into=np.positive)
    def same(x):
        return x

    for operation in (backwards, lambda y: y[::-1], lambda y: same(y)[::-1], lambda y: backwards(same(y))):

        def f(x, operation=operation):
            y = same(ag.exp(x))
            return operation(y) * ag.tanh(ag.tanh(y))  # tanh would overwrite `y` if the view were a copy

        step = replaying(f)
        for k in (1.0, 2.0):
            x = np.arange(6.0) * k
            near(step(x), f(x))


def test_parameters_of_an_operation_that_only_compare_equal_are_different():
    @elementwise(lambda y, x, by: by[0])
    def scaled(x, by=(1.0,)):
        return x * by[0]

    step = replaying(lambda x: [scaled(x, by=(by,)) for by in (0.0, -0.0)])
    for k in (1.0, 2.0):
        assert np.array_equal(np.signbit(step(np.full(2, k))), [[False, False], [True, True]])


def test_source_has_one_line_per_operation():
    W = Tensor([[1.0, 2.0]], requires_grad=True, name="W")
    _, source = program_of(lambda x: ag.tanh(x @ W.T).sum(), np.ones((3, 2)))
    assert source.splitlines()[0] == "def replay(x, W):"
    assert "# backward" in source
    forward, backward = source.split("# backward")
    assert "np.tanh(" in forward
    assert "np.tanh(" not in backward
    compile(source, "source", "exec")


def test_parameters_of_a_network_have_the_names_of_their_layers():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    step = replaying(lambda x: (model(x) ** 2).sum())
    step(np.ones((4, 2)))
    assert step.source().startswith("def replay(x, weight_0, bias_0, weight_2, bias_2):")
    assert "d_weight_0 = " in step.source()


def test_names_that_are_keywords_or_taken_are_replaced():
    class_ = Tensor(1.0, requires_grad=True, name="class")
    np_ = Tensor(2.0, requires_grad=True, name="np")
    twice = [Tensor(float(k), requires_grad=True, name="layer.0.W") for k in (3, 4)]
    step = replaying(lambda x: x * class_ * np_ * twice[0] * twice[1])
    assert float(step(2.0)) == float(step(2.0)) == 48.0


def test_infinities_and_nan_are_constants():
    step = replaying(lambda x: ag.maximum(x, float("-inf")) * float("inf") + float("nan"))
    assert np.isnan(step(np.ones(2))).all()
    assert np.isnan(step(np.ones(2))).all()


def test_custom_operation_may_write_into_a_buffer():
    @ag.extend.elementwise(lambda y, x: 3 * x * x)
    def tape_cube(x):
        return x * x * x

    try:

        @writes_into(tape_cube)
        def tape_cube_into(x, out=None):
            return np.multiply(x * x, x, out=out)

        replay, source = program_of(lambda x: tape_cube(x) + 1.0, np.arange(3.0))
        assert "out=buffer" in source
        assert replay.run(np.arange(3.0))[0].tolist() == [1.0, 2.0, 9.0]
    finally:
        del ag.PRIMITIVES["tape_cube"]


# ---------------------------------------------------------------------------------------- in larger company


def test_compiled_function_inside_another_or_a_transform_is_part_of_it():
    inner = replaying(lambda x: ag.sin(x) * x)
    outer = replaying(lambda x: inner(x).sum() * 2.0)
    for k in (1.0, 2.0):
        x = np.array([k, 0.5])
        near(outer(x), (np.sin(x) * x).sum() * 2)
    near(ag.grad(lambda x: inner(x) * 2.0)(0.7), 2 * (np.cos(0.7) * 0.7 + np.sin(0.7)))


def test_compiled_function_inside_a_watched_transform_is_part_of_it():
    inner = replaying(lambda x: ag.sin(x) * x)
    with ag.detect_anomaly():
        near(ag.grad(lambda x: inner(x) * 2.0)(0.7), 2 * (np.cos(0.7) * 0.7 + np.sin(0.7)))


def f_of_vector(x):
    return (ag.sin(x) * x).sum() + ag.exp(x[0] * x[1])


TRANSFORMED = {
    "grad": ag.grad(f_of_vector),
    "value_and_grad": ag.value_and_grad(f_of_vector),
    "jacobian": ag.jacobian(lambda x: ag.sin(x) * x[0]),
    "jacobian forward": ag.jacobian(lambda x: ag.sin(x) * x[0], mode="forward"),
    "hessian": ag.hessian(f_of_vector),
    "hvp": lambda x: ag.hvp(f_of_vector, (x,), (x + 1.0,)),
    "jvp": lambda x: ag.jvp(f_of_vector, (x,), (x * 2.0,)),
}


@pytest.mark.parametrize("f", TRANSFORMED.values(), ids=TRANSFORMED)
def test_transform_inside_is_replayed(f):
    step = replaying(f)
    for seed in (0, 1, 2):
        x = np.random.default_rng(seed).normal(size=3)
        found, expected = ag.extend.raw_data(step(x)), f(x)
        if not isinstance(expected, tuple):
            found, expected = (found,), (expected,)
        for a, b in zip(found, expected, strict=True):
            near(a, b)
            assert np.ndim(a) == np.ndim(b)
    assert len(programs(step)) == 1


@pytest.mark.parametrize("transform", [ag.grad, ag.value_and_grad, ag.jacobian, ag.hessian])
def test_transform_of_a_compiled_function_is_compiled(transform):
    f, calls = transform(ag.compile(f_of_vector)), []
    fast = transform(ag.compile(lambda x: (calls.append(1), f_of_vector(x))[1]))
    for seed in (0, 1, 2):
        x = np.random.default_rng(seed).normal(size=3)
        for a, b, c in zip(f(x), transform(f_of_vector)(x), fast(x), strict=True):
            near(a, b)
            near(a, c)
    assert len(calls) == 1


def test_anomaly_is_detected_in_a_compiled_function():
    step = ag.compile(lambda x: ag.log(x).sum())
    x = Tensor([1.0], requires_grad=True)
    step(x)
    with ag.detect_anomaly(), pytest.raises(ag.AnomalyError, match="log"):
        step(Tensor([-1.0], requires_grad=True))


def test_threads_get_their_own_results():
    step = replaying(lambda x: ag.tanh(x * 2.0) + ag.exp(x) * 3.0)
    xs = [np.full(1000, float(k)) for k in range(4)]
    expected = [np.tanh(x * 2.0) + np.exp(x) * 3.0 for x in xs]
    step(xs[0])
    wrong = []

    def work(k):
        for _ in range(200):
            if not np.allclose(step(xs[k]), expected[k], rtol=1e-14):
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_recorded_graph_is_freed():
    seen = []

    def f(x):
        y = x * 2.0
        seen.append(weakref.ref(y))
        return y.sum()

    step = replaying(f)
    step(np.ones(3))
    gc.collect()
    assert seen[0]() is None


def test_recording_gives_the_warnings_of_eager():
    step = replaying(lambda x: Tensor(1.0, requires_grad=True))
    with pytest.warns(ag.GradientWarning, match="leaf"):
        step(np.ones(1))


def test_replay_warns_of_division_by_zero(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "0")  # machine code does not warn
    step = replaying(lambda x: 1.0 / x)
    step(np.ones(2))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        step(np.zeros(2))


def test_hook_added_to_a_leaf_later_is_called():
    w = Tensor([1.0], requires_grad=True)
    step = replaying(lambda x: (w * x).sum())
    step(np.array([1.0]))
    w.grad = None
    w.register_hook(lambda g: g * 10.0)
    step(np.array([2.0]))
    assert w.grad.tolist() == [20.0]


# --------------------------------------------------------------------- arguments, results and calls of other kinds


def test_compiled_call_from_its_own_hook_returns_the_result_of_its_own_data():
    w = Tensor(np.ones(3), requires_grad=True)
    step, depth, inner = ag.compile(lambda x: (ag.tanh(x * w) * ag.exp(x * w)).sum()), [0], []

    def validate(g):
        if not depth[0]:
            depth[0] = 1
            inner.append(step(np.full(3, 3.0)).item())
            depth[0] = 0

    w.register_hook(validate)
    for x in (np.full(3, 0.1), np.full(3, 0.2), np.full(3, 0.3)):
        near(step(x).item(), (np.tanh(x) * np.exp(x)).sum())
    near(inner, [3 * np.tanh(3.0) * np.exp(3.0)] * 3)


def test_checkpoint_without_gradient_is_computed_in_each_replay():
    head, frozen = Tensor([1.0, 2.0], requires_grad=True), Tensor([0.5, -1.0])
    loss = replaying(lambda x: (ag.checkpoint(lambda a: ag.tanh(a * frozen))(x) * head).sum())

    @ag.compile
    def with_metric(x):
        y, mean = ag.checkpoint(lambda a: (a * head, ag.mean(a)))(x)
        return y.sum(), mean

    for x in (np.array([1.0, 1.0]), np.array([0.0, 3.0]), np.array([2.0, -2.0])):
        near(loss(x).item(), (np.tanh(x * [0.5, -1.0]) * [1.0, 2.0]).sum())
        assert float(with_metric(x)[1]) == x.mean()


def test_tensor_computed_outside_is_refused():
    w = Tensor([1.0, 2.0], requires_grad=True)
    doubled = w * 2.0
    with pytest.raises(RecordingError, match="the result of multiply was computed outside of the compiled function"):
        ag.compile(lambda x: (doubled * x).sum())(np.ones(2))
    detached = doubled.detach()
    assert ag.compile(lambda x: (detached * x).sum())(np.ones(2)).item() == 6.0


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_call_without_replay_gets_nodes_as_the_recording_did():
    w, v = Tensor([1.0, 2.0, 3.0], requires_grad=True), Value(4.0)
    chosen = ag.compile(lambda x: (x.relu() * w)[x > 0].sum())
    near([chosen(np.array(x)).item() for x in ([1.0, -1.0, 2.0], [1.0, 1.0, 1.0])], [7.0, 6.0])
    infinite_slope = ag.compile(lambda s: (v * s).sqrt() * s.tanh())
    near([infinite_slope(s).item() for s in (1.0, 0.0)], [2.0 * np.tanh(1.0), 0.0])
    with ag.detect_anomaly():
        assert ag.compile(lambda x: x.sigmoid().sum())(np.zeros(2)).item() == 1.0
    gathered = ag.compile(lambda x, i: x.relu()[i].sum())
    gathered(np.ones(3), np.array([0]))
    with pytest.raises(IndexError):
        gathered(np.ones(3), np.array([7]))


def test_names_that_python_does_not_accept_are_replaced():
    for name in ("\u03c3\u00b2", "w\u2081", "x\u00bd", "\u216b", "\u00b5", "\ufb01t", "\u0301"):
        a = Tensor([1.0, 2.0], requires_grad=True, name=name)
        step = replaying(lambda p, a=a, name=name: (a * p[name]).sum())
        assert [step({name: np.full(2, k)}).item() for k in (1.0, 2.0)] == [3.0, 6.0]


RESHAPING = {
    "reshape": lambda v: ag.reshape(v, (1,)).sum(),
    "transpose": lambda v: ag.transpose(v) * 1.0,
    "take": lambda v: ag.take(v, [0]).sum(),
    "concatenate": lambda v: ag.concatenate([v, v * 2], None).sum() / 3,
    "sort": lambda v: ag.sort(v, None).sum(),
}


@pytest.mark.parametrize("name", RESHAPING)
def test_float_that_is_reshaped_is_reshaped_in_replays(name):
    for make in (Value, float):
        step = replaying(RESHAPING[name])
        assert [float(step(make(k))) for k in (2.0, 3.0)] == [2.0, 3.0]


def test_results_are_nests_and_data_classes_and_nothing_else():
    @dataclasses.dataclass
    class Result:
        loss: object
        prediction: object

    w = Tensor([1.0, 2.0], requires_grad=True)
    step = replaying(lambda x: Result((x * w).sum(), x * w))
    for k in (1.0, 2.0):
        w.zero_grad()
        result = step(np.full(2, k))
        assert (type(result), result.loss.item(), result.prediction.tolist()) == (Result, 3.0 * k, [k, 2.0 * k])
        assert w.grad.tolist() == [k, k]
    for make in (lambda y: {y}, lambda y: iter([y]), lambda y: lambda: y):
        with pytest.raises(RecordingError, match="result of a compiled function is a"):
            ag.compile(lambda x, make=make: make((x * w).sum()))(np.ones(2))


def test_arrays_of_values_are_arguments_and_results():
    step = replaying(lambda v: (ag.sum(v * v), v * 2.0))
    for k in (1.0, 2.0):
        v = np.array([Value(k), Value(2.0 * k)])
        loss, doubled = step(v)
        assert (loss.data, [x.data for x in doubled]) == (5.0 * k * k, [2.0 * k, 4.0 * k])
        assert [x.grad for x in v] == [2.0 * k, 4.0 * k]
    assert len(programs(step)) == 1
