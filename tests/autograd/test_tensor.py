"""`Tensor`: its data, its gradient, dtypes and the text that represents it."""

import warnings

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import Tensor, Value


def test_a_tensor_is_shared_as_it_is():
    t = Tensor([1.0])
    assert ag.as_tensor(t) is t
    assert t.requires_grad_() is t
    assert t.requires_grad


def test_integers_may_not_be_put_where_gradients_flow():
    t = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match="float"):
        t.data = np.array([1, 2])
    assert t.data.tolist() == [1.0, 2.0]


def test_a_gradient_may_be_assigned_as_a_node():
    x, g = Tensor([1.0], requires_grad=True), Tensor([2.0])
    x.grad = g
    assert x.grad is g


def test_gradients_of_tensors_without_axes_stay_arrays():
    p = Tensor(np.float32(1.5), requires_grad=True)
    for _ in range(2):
        (p * 3.0).backward()
    assert type(p.grad) is np.ndarray
    assert (p.grad.dtype, p.grad.tolist()) == (np.float32, 6.0)


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


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


def test_augmented_assignment_creates_a_new_node(x):
    leaf = x
    x += 1.0
    x.sum().backward()
    assert leaf.data.tolist() == [1.0, 2.0]
    assert leaf.grad.tolist() == [1.0, 1.0]


def test_tensor_is_independent_of_the_array_it_was_created_from():
    a = np.array([1.0, 2.0])
    x = Tensor(a, requires_grad=True)
    loss = (x * x).sum()
    a[:] = 100.0
    loss.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    assert x.data.tolist() == [1.0, 2.0]


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


def test_repr_of_large_and_deep_nodes_is_short():
    y = Tensor(np.zeros((2000, 2000)), requires_grad=True)
    v = Value(0.0)
    for _ in range(5_000):
        v = v + 1.0
    assert len(repr(y * 1.0)) < 1_000
    assert len(repr(v)) < 200


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
