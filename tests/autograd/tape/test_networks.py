"""Guards, hooks and callbacks in recordings, as `nn` uses them."""

import gc
import weakref

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value
from autograd.extend import callback, guard, observe


def test_guards_of_inputs_run_before_callbacks():
    seen = []
    w = Tensor([1.0, 2.0], requires_grad=True)

    def refuse_negative(x):
        seen.append("looked")
        if (x < 0).any():
            raise ValueError("negative")

    def is_usual(x):
        return bool((x <= 5).all())

    def draw():
        seen.append("drawn")
        return np.ones(2)

    def f(x):
        y = x * w * callback(draw)
        guard(refuse_negative, x)
        assert guard(is_usual, x) is bool(ag.extend.raw_data(x).max() <= 5)
        guard(lambda y: seen.append("waited"), y)
        return y.sum()

    step = ag.compile(f)
    step(np.ones(2))
    assert seen == ["drawn", "looked", "waited"]
    assert "refuse_negative(x" in step.source()
    seen.clear()
    step(np.ones(2))
    assert seen == ["looked", "drawn", "waited"]
    seen.clear()
    step(np.array([9.0, 1.0]))  # by the engine, and once
    assert seen == ["looked", "drawn", "looked", "waited"]
    seen.clear()
    with pytest.raises(ValueError, match="negative"):
        step(np.array([-1.0, 1.0]))
    assert seen[0] == "looked"


def test_guard_of_a_callback_keeps_the_order_of_callbacks():
    seen = []

    def drawn(name):
        seen.append(name)
        return 1.0

    def f(x):
        first, second = callback(drawn, "first"), callback(drawn, "second")
        guard(lambda y: y > 0, second)
        return x * first * second

    step = ag.compile(f)
    for _ in range(2):
        seen.clear()
        step(2.0)
        assert seen == ["first", "second"]


def test_callback_and_guard_get_the_data_of_an_array_of_values():
    seen = []

    def f(x):
        both = np.array([x, x * 2.0], dtype=object)
        callback(lambda data: seen.append(data.tolist()), both)
        return x * 3.0 if guard(lambda data: bool(data.sum() > 0), both) else x * 5.0

    step = ag.compile(f)
    assert [step(x) for x in (1.0, 2.0, -3.0)] == [3.0, 6.0, -15.0]
    assert seen[:2] == [[1.0, 2.0], [2.0, 4.0]]
    assert seen[-1] == [-3.0, -6.0]


def test_observed_function_gets_nodes_of_its_own_in_each_replay():
    seen, recorded = [], []

    def look(x, name, parts):
        seen.append((type(x), x.data.tolist(), name, parts["y"].data.tolist(), parts["n"]))
        assert x is not recorded[-1]()

    def f(x):
        y = x * 2.0
        recorded.append(weakref.ref(y))
        observe(look, y, "name", {"y": y + 1.0, "n": 3})
        return y.sum()

    step = ag.compile(f)
    for k in (1.0, 2.0):
        step(Tensor([k]))
    assert seen == [(Tensor, [2.0 * k], "name", [2.0 * k + 1.0], 3) for k in (1.0, 2.0)]
    gc.collect()
    assert recorded[0]() is None


def test_observed_function_that_returns_a_value_in_a_later_call_leaves_the_call_to_the_engine():
    def f(x):
        y = x * 2.0
        other = observe(lambda y: y * 10.0 if y.data[0] > 5.0 else None, y)
        return (y if other is None else other).sum()

    step = ag.compile(f)
    assert [float(step(Tensor([k]))) for k in (1.0, 2.0, 3.0, 1.0)] == [2.0, 4.0, 60.0, 2.0]


def test_gradient_hooks_get_copies_in_each_replay():
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    seen = []
    w.register_hook(seen.append)
    w.register_hook(lambda g: g * 2.0)
    step = ag.compile(lambda x: ((x * w) ** 2).sum())
    for x in (1.0, 2.0, 3.0):
        w.grad = None
        step(np.array([x, 1.0]))
        np.testing.assert_array_equal(w.grad, [4.0 * x * x, 8.0])
    assert [g.tolist() for g in seen] == [[2.0, 4.0], [8.0, 4.0], [18.0, 4.0]]


def test_gradient_hook_of_a_value_is_replayed():
    w = Value(2.0)
    w.register_hook(lambda g: np.float64(10.0) * g)
    step = ag.compile(lambda x: x * w)
    for x in (1.0, 3.0):
        w.zero_grad()
        step(x)
        assert w.grad == 10.0 * x
        assert type(w.grad) is float


def test_nodes_inside_a_callback_are_not_recorded():
    step = ag.compile(lambda x: x * callback(lambda a: (Tensor(a) * 2.0).data.max(), x))
    assert [float(step(np.array(x))) for x in (1.0, 3.0)] == [2.0, 18.0]


@pytest.mark.parametrize(
    "reduce", [ag.max, ag.min, ag.logsumexp, lambda x: ag.max(x, axis=(0, 1), keepdims=True)[0, 0]]
)
def test_extremes_of_values_are_selected_in_each_replay(reduce):
    values = np.array([[Value(v) for v in row] for row in ([1.0, 3.0], [2.0, 0.5])])
    step = ag.compile(lambda: reduce(values * 1.0))
    for largest in (3.0, -4.0, 7.0):
        values[0, 1].data = largest
        for v in values.flat:
            v.zero_grad()
        found = float(step())
        grads = [v.grad for v in values.flat]
        for v in values.flat:
            v.zero_grad()
        expected = reduce(values * 1.0)
        expected.backward()
        np.testing.assert_allclose([found, *grads], [float(expected), *[v.grad for v in values.flat]], rtol=1e-12)


def written_in_place(g):
    g *= 10.0


@pytest.mark.parametrize("is_compiled", [False, True])
def test_what_a_hook_writes_changes_the_gradient_of_its_node_only(is_compiled):
    a, b = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    kept = []

    def loss(x):
        z = a * x + b
        z.register_hook(written_in_place)
        z.register_hook(kept.append)
        return (z + b).sum()

    b.register_hook(kept.append)
    compiled = ag.compile(loss)
    for k in (1.0, 2.0, 3.0):
        a.grad = b.grad = None
        x = np.array([k, 2.0 * k])
        if is_compiled:
            compiled(x)
        else:
            loss(Tensor(x)).backward()
        assert (a.grad.tolist(), b.grad.tolist()) == ([10.0 * k, 20.0 * k], [11.0, 11.0])
        assert [g.tolist() for g in kept[-2:]] == [[10.0, 10.0], [11.0, 11.0]]
        for g in kept:
            g[:] = 77.0
        assert b.grad.tolist() == [11.0, 11.0]


def test_hook_that_begins_to_write_is_followed():
    w, factor = Tensor([1.0, 2.0], requires_grad=True), [1.0]

    def scale(g):
        g *= factor[0]

    w.register_hook(scale)
    step = ag.compile(lambda x: (x * w).sum())
    for factor[0] in (1.0, 3.0, 1.0, 5.0):
        w.grad = None
        step(np.ones(2))
        assert w.grad.tolist() == [factor[0]] * 2


@pytest.mark.parametrize("is_compiled", [False, True])
def test_hook_that_writes_and_returns_passes_what_it_returns(is_compiled):
    def hook(g):
        g *= 10.0
        return g * 2.0

    w = Tensor([1.0, 2.0], requires_grad=True)
    w.register_hook(hook)
    compiled = ag.compile(lambda x: (w * x).sum())
    for k in (1.0, 2.0):
        w.grad = None
        x = np.array([k, 3.0])
        if is_compiled:
            compiled(x)
        else:
            (w * x).sum().backward()
        assert w.grad.tolist() == [20.0 * k, 60.0]
