"""Hostile use of the engine: one test per fault, each with its error, its words, and what must be as before.

The numbers of faults run on through the files of this folder; the edges of arithmetic, the surfaces that an attacker
reaches and the mistakes of newcomers have files of their own.
"""

import copy
import gc
import pickle
import threading
import warnings
import weakref

import numpy as np
import pytest

import autograd as ag
from autograd import GradientWarning, Tensor, Value, gradients, no_grad


def raises(kind, *pieces):
    """Expect an error whose message holds every piece, in any order."""
    return pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{piece})" for piece in pieces))


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_backward_of_an_array_without_seed_raises(x):
    with raises(RuntimeError, "scalar", r"\(2,\)", "gradient="):
        (x * 2.0).backward()
    assert x.grad is None


def test_backward_of_a_constant_raises():
    y = Tensor([3.0]) * 2.0
    with raises(
        RuntimeError, "requires_grad", r"mark one before computing, as in Tensor\(\.\.\., requires_grad=True\)"
    ):
        y.backward()
    assert y.grad is None


def test_backward_twice_accumulates(x):
    h = x * x
    loss = (h * h).sum()
    for times in (1, 2):
        loss.backward()
        np.testing.assert_array_equal(x.grad, times * 4 * x.data**3)


def test_seed_of_another_shape_raises(x):
    with raises(ValueError, r"\(3,\)", r"\(2,\)"):
        (x * 2.0).backward(gradient=np.ones(3))
    assert x.grad is None


def test_grad_of_another_shape_cannot_be_assigned(x):
    with raises(ValueError, r"\(3,\)", r"\(2,\)"):
        x.grad = np.ones(3)
    with raises(TypeError, "str"):
        x.grad = "steep"
    assert x.grad is None


@pytest.mark.parametrize("kind", [np.int64, np.bool_])
def test_integers_cannot_require_gradients(kind):
    with raises(TypeError, np.dtype(kind).name, "float"):
        Tensor(np.ones(2, kind), requires_grad=True)


def test_requires_grad_of_a_computed_node_cannot_be_set(x):
    y = x * 2.0
    with raises(RuntimeError, "leaf", r"detach\(\)"):
        y.requires_grad = False
    assert y.requires_grad


def test_augmented_assignment_creates_a_new_node(x):
    leaf = x
    x += 1.0
    x.sum().backward()
    assert leaf.data.tolist() == [1.0, 2.0]
    assert leaf.grad.tolist() == [1.0, 1.0]


def test_backward_after_an_in_place_change_raises(x):
    y = ag.exp(x)
    loss = (y * y).sum()
    x.data = x.data + 100.0  # rebound: the recorded numbers count
    loss.backward()
    np.testing.assert_allclose(x.grad, 2 * np.exp([2.0, 4.0]))
    x.zero_grad()
    y.data -= 1.0
    with raises(RuntimeError, "multiply", "modified"):
        loss.backward()
    assert x.grad is None


def test_tensor_is_independent_of_the_array_it_was_created_from():
    a = np.array([1.0, 2.0])
    x = Tensor(a, requires_grad=True)
    loss = (x * x).sum()
    a[:] = 100.0
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    assert x.data.tolist() == [1.0, 2.0]


def test_gradients_share_no_memory(x):
    y, seed = Tensor([0.0, 0.0], requires_grad=True), np.ones(2)
    (x + y).backward(gradient=seed)
    seed[:] = 7.0
    x.grad[0] = 9.0
    assert (x.grad.tolist(), y.grad.tolist()) == ([9.0, 1.0], [1.0, 1.0])


def test_gradient_of_a_broadcast_owns_its_memory(x):
    ag.broadcast_to(x.sum(), (3, 3)).sum().backward()
    assert x.grad.flags.writeable
    assert x.grad.flags.c_contiguous
    assert x.grad.strides == (8,)


def test_operands_of_incompatible_shapes_raise(x):
    wide = Tensor(np.ones((2, 3)))
    for call, name, shapes in (
        (lambda: wide + x, "add", (r"\(2, 3\)", r"\(2,\)")),
        (lambda: wide @ x, "matmul", (r"\(2, 3\)", r"\(2,\)")),
        (lambda: wide @ Tensor(2.0), "matmul", (r"\(2, 3\)", r"\(\)", r"use \*")),
    ):
        with raises(ValueError, name, *shapes):
            call()


def test_invalid_shapes_and_axes_raise(x):
    for call, kind, says in (
        (lambda: x.reshape(3), ValueError, ("2", "3")),
        (lambda: x.reshape(-1, -1), ValueError, ("one unknown",)),
        (lambda: x.sum(1), IndexError, ("axis 1", "dimension 1")),
        (lambda: Tensor(np.ones((2, 2))).sum((0, 0)), ValueError, ("duplicate",)),
    ):
        with raises(kind, *says):
            call()


def test_invalid_indices_raise(x):
    for index, says in ((5, ("5", "size 2")), (0.5, ("0.5", "integers")), ((0, 0), ("too many", "1-dimensional"))):
        with raises(IndexError, *says):
            x[index]


def test_max_of_an_empty_array_raises():
    nothing = Tensor(np.zeros((2, 0)))
    for call in (nothing.max, nothing.min, nothing.argmax):
        with raises(ValueError, "empty", "axis 1"):
            call(axis=1)


def test_conversion_to_a_scalar_requires_one_element(x):
    for call in (x.item, x.__float__, x.__bool__):
        with raises(ValueError, "2"):
            call()
    for call in (len, iter):
        with raises(TypeError, "0-d"):
            call(Tensor(1.0))


def test_invalid_operands_raise(x):
    for wrong, says in (("a", "str"), (None, "None"), ({}, "dict"), (np.array([None, 1.0]), "None")):
        with raises(TypeError, "add", says):
            x + wrong
    with raises(ValueError, "add", "unequal"):
        ag.add(x, [[1.0], [1.0, 2.0]])


def test_array_on_the_left_of_a_tensor_records(x):
    y = (np.ones(2) * x + np.tanh(x)).sum()
    assert type(y) is Tensor
    y.backward()
    np.testing.assert_allclose(x.grad, 2 - np.tanh(x.data) ** 2)


def test_arrays_of_values_are_differentiated():
    objects = np.array([Value(1.0), Value(2.0)])
    (objects * objects * 3.0).sum().backward()
    assert [v.grad for v in objects] == [6.0, 12.0]


def test_float32_is_preserved():
    x = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    y = (x * 2.0 + np.float64(0.5)).mean() / 3
    y.backward()
    assert y.dtype == x.grad.dtype == np.float32


LAYOUTS = {
    "nothing": np.zeros((0, 3)),
    "one number": np.array(2.0),
    "size 1": np.ones((1, 1)),
    "backwards": np.arange(6.0)[::-2],
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "repeated": np.broadcast_to(np.float64(1.5), (3, 2)),
}


@pytest.mark.parametrize("a", LAYOUTS.values(), ids=LAYOUTS)
def test_arrays_of_any_memory_layout_are_accepted(a):
    x = Tensor(a, requires_grad=True)
    y = ag.tanh(x) * x
    y.sum().backward()
    assert (y.shape, x.grad.shape) == (a.shape, a.shape)
    np.testing.assert_allclose(y.data, np.tanh(a) * a)
    np.testing.assert_allclose(x.grad, np.tanh(a) + a * (1 - np.tanh(a) ** 2))


def test_nan_and_infinity_propagate():
    x = Tensor([np.nan, np.inf, 1.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    assert np.isnan(loss.data)
    np.testing.assert_array_equal(x.grad, [np.nan, np.inf, 2.0])


def test_detect_anomaly_reports_the_operation():
    x = Tensor([0.0, 4.0], requires_grad=True, name="x")
    with ag.detect_anomaly():
        with raises(FloatingPointError, "log", "0", r"test_errors\.py:\d+"):
            ag.log(x)
        loss = ag.sqrt(x).sum()
        with raises(FloatingPointError, "backward pass of sqrt", r"test_errors\.py:\d+"):
            loss.backward()
    assert x.grad is None


def test_float_outside_the_domain_raises():
    with raises(ValueError, r"log\(-1\.0\)"):
        Value(-1.0).log()


def test_exception_in_a_hook_leaves_the_gradients_unchanged(x):
    y = Tensor([3.0, 4.0], requires_grad=True)
    h = x * y
    remove = h.register_hook(lambda g: 1 / 0)
    loss = (h + y).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert (x.grad, y.grad) == (None, None)
    remove()
    loss.backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([3.0, 4.0], [2.0, 3.0])


def test_no_grad_restores_the_mode_after_an_exception_or_return(x):
    def returns():
        with no_grad():
            return 1

    @no_grad()
    def generates():
        yield ag.is_grad_enabled()

    returns()
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    generator = generates()
    assert ag.is_grad_enabled()
    assert next(generator) is False
    assert ag.is_grad_enabled()


def test_threads_have_independent_modes_and_graphs(x):
    found, leaves = [], [Tensor([float(i)], requires_grad=True) for i in range(4)]

    def train(leaf):
        found.append(ag.is_grad_enabled())
        (leaf * leaf).sum().backward()

    with no_grad():
        threads = [threading.Thread(target=train, args=(leaf,)) for leaf in leaves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 4
    assert [leaf.grad.item() for leaf in leaves] == [0.0, 2.0, 4.0, 6.0]


def test_deep_wide_and_shared_graphs_are_differentiated():
    """A chain of a million, in a process with the usual stack, is in the tests of lifetimes."""
    x = y = Value(1.0)
    for _ in range(200):
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad == 1.0
    z = Value(1.0)
    ag.stack([z * 1.0 for _ in range(2_000)]).sum().backward()
    assert z.grad == 2_000.0
    deep = x
    for _ in range(100_000):
        deep = deep + 0.0
    assert gradients(deep, x) == 1.0


def test_graph_is_freed_without_the_garbage_collector(x):
    gc.disable()
    try:
        h = ag.tanh(x)
        loss, gone = (h * h).sum(), weakref.ref(h)
        loss.backward()
        del h, loss
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))], ids=["copy", "pickle"])
def test_copy_of_a_leaf_is_independent_and_of_a_node_detached(x, copied):
    twin = copied(x)
    assert (twin.data.tolist(), twin.requires_grad, twin is x) == ([1.0, 2.0], True, False)
    with raises(TypeError, r"detach\(\)"):
        copied(x * 2.0)


def test_repr_of_large_and_deep_nodes_is_short():
    y = Tensor(np.zeros((2000, 2000)), requires_grad=True)
    v = Value(0.0)
    for _ in range(5_000):
        v = v + 1.0
    assert len(repr(y * 1.0)) < 1_000
    assert len(repr(v)) < 200


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_interrupted_backward_leaves_the_gradients_unchanged(x, error, monkeypatch):
    y = Tensor([3.0, 4.0], requires_grad=True)
    loss = (ag.tanh(x) + ag.exp(y)).sum()
    (x * y).sum().backward()
    before = [x.grad.copy(), y.grad.copy()]

    def fails(*_):
        raise error

    for place in (x, y):
        remove = place.register_hook(fails)
        with pytest.raises(error):
            loss.backward()
        remove()
    assert [x.grad.tolist(), y.grad.tolist()] == [a.tolist() for a in before]
    loss.backward()
    np.testing.assert_allclose(x.grad, before[0] + 1 - np.tanh(x.data) ** 2)


def test_gradcheck_reports_unsuitable_functions():
    calls = []

    def restless(x):
        calls.append(0)
        return x * float(len(calls))

    with pytest.warns(GradientWarning, match="float32"):
        ag.gradcheck(lambda x: x * x, Tensor(np.float32([1.0]), requires_grad=True))
    with raises(ValueError, "memory"):
        ag.gradcheck(ag.tanh, np.broadcast_to(np.float64(1.5), (3,)))
    with raises(AssertionError, "kink", r"\[1\]"):
        ag.gradcheck(ag.relu, np.array([1.0, 0.0]))
    with raises(AssertionError, "determin"):
        ag.gradcheck(restless, np.array([1.0]))
    with raises(ValueError, "no output depends on an input", r"detach\(\)"):
        ag.gradcheck(lambda x: x.detach() * 2.0, np.array([1.0]))


def test_write_to_elements_of_an_array_is_not_detected(x):
    """Documented as such; one that is spelled as an update of `data` is noticed."""
    loss = (x * x).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x.data[0] = 5.0
    loss.backward()
    assert x.grad.tolist() == [10.0, 4.0]
    loss = (x * x).sum()
    x.data -= 1.0
    with raises(RuntimeError, "'x'", "modified"):
        loss.backward()
