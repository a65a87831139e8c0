"""`Tensor`: its data, its gradient, dtypes and the text that represents it."""

import warnings

import numpy as np
import pytest
from raising import raises

import autograd as ag
import nn
from autograd import Tensor, Value
from autograd.recording import Watch, watching


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


class Reads(Watch):
    """Records how values are read, and how gradients change."""

    def __init__(self):
        self.seen = []

    def on_read(self, node, how):
        self.seen.append((node, how))

    def on_write(self, how):
        self.seen.append(how)


def reads(function):
    """Return what a watcher is notified of while a function runs."""
    watch = Reads()
    with watching(watch):
        function()
    return watch.seen


def test_every_read_of_the_values_is_notified(x):
    plain = Tensor([[1.0, 2.0]])
    assert reads(lambda: x.data) == [(x, "the data")]
    assert reads(lambda: np.asarray(plain)) == [(plain, "an array")]
    assert reads(x.numpy) == [(x, "numpy()")]
    assert reads(x.tolist) == [(x, "tolist()")]
    assert reads(lambda: x.shape) == []


def test_data_keeps_an_assigned_array(x):
    for value in (np.array([5.0, 6.0]), np.array([1.0, 2.0], np.float32)):
        x.data = value
        assert x.data is value
    whole = Tensor(np.array([1, 2]))
    whole.data = array = np.array([3, 4], np.int32)
    assert whole.data is array


def test_data_of_another_shape_warns_for_variables(x):
    with pytest.warns(ag.GradientWarning, match=r"\(2, 1\) replaced those of shape \(2,\) .* make a new Tensor"):
        x.data = np.zeros((2, 1), np.float32)
    assert x.shape == (2, 1)
    batch = Tensor(np.zeros(3))
    batch.data = np.ones((4, 2))
    assert batch.shape == (4, 2)


@pytest.mark.parametrize("value", [[3.0, 4.0], 5.0, np.float64(6.0), np.array([7.0]).view(np.matrix)])
def test_data_of_another_type_becomes_an_array(value):
    x = Tensor([1.0, 2.0])
    x.data = value
    assert type(x.data) is np.ndarray
    assert (x.data.dtype, x.data.tolist()) == (np.float64, np.asarray(value).tolist())


def test_data_that_is_not_numeric_raises(x):
    for value in (np.array([None]), np.array(["a"]), x, None):
        with raises(TypeError, "a Tensor holds"):
            x.data = value
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_data_of_a_computed_node_is_replaced_and_not_differentiated(x, dtype):
    y = x * 2.0
    z = y * y
    y.data = np.array([1.0, 1.0], dtype)
    assert (y.data.tolist(), y.data.dtype) == ([1.0, 1.0], dtype)
    assert y.op.name == "multiply"
    with raises(RuntimeError, "the result of multiply was modified", "data"):
        z.sum().backward()


def test_an_assigned_gradient_gets_the_dtype_of_the_data(x):
    x.grad = np.array([1, 2], np.float32)
    assert (x.grad.dtype, x.grad.tolist()) == (np.float64, [1.0, 2.0])
    scalar = Tensor(1.0, requires_grad=True)
    for value in (2, 2.0, np.float64(2.0)):
        scalar.grad = value
        assert (type(scalar.grad), scalar.grad.shape) == (np.ndarray, ())
    scalar.grad = None
    assert scalar.grad is None


def test_a_computed_tensor_keeps_its_gradient_on_request(x):
    y = x * 3.0
    (y * y).sum().backward()
    with pytest.warns(ag.GradientWarning, match="computed, not a leaf"):
        assert y.grad is None
    y = x * 3.0
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [6.0, 12.0]


def test_elements_cannot_be_assigned(x):
    with raises(TypeError, "modified in place", "index_add"):
        x[0] = 5.0


def test_membership_is_that_of_numpy():
    t = Tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
    for value in (0, 3.0, 4.0, [0.0, 1.0], [1.0, 9.0], [8.0, 9.0]):
        assert (value in t) == (value in t.data)
    assert "a" not in t


def test_iteration_yields_rows_that_are_differentiated():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    first, second = x
    assert (first.tolist(), second.tolist()) == ([1.0, 2.0], [3.0, 4.0])
    (first * second).sum().backward()
    assert x.grad.tolist() == [[3.0, 4.0], [1.0, 2.0]]


def test_conversion_to_an_array_needs_a_tensor_without_gradient(x):
    plain = x.detach()
    assert np.asarray(plain).tolist() == [1.0, 2.0]
    assert np.array(plain, dtype=np.float32).dtype == np.float32
    assert np.asarray(plain, copy=True) is not plain.data
    assert np.shares_memory(np.asarray(plain, copy=False), plain.data)
    with raises(TypeError, "cut the graph", r"\.numpy\(\) or \.detach\(\)"):
        np.asarray(x)


def test_repr_shows_data_dtype_origin_and_name(x):
    assert repr(Tensor([[1.0, 2.5], [3.0, 4.0]])) == "Tensor([[1. , 2.5],\n        [3. , 4. ]])"
    assert repr(Tensor(np.float32([1.0]))) == "Tensor([1.], dtype=float32)"
    assert repr(Tensor([1, 2])) == "Tensor([1., 2.])"
    assert repr(x) == "Tensor([1., 2.], requires_grad=True, name='x')"
    assert repr(x * 2.0) == "Tensor([2., 4.], op=multiply)"
    assert repr(x.detach() * 2.0) == "Tensor([2., 4.])"
    assert repr(nn.functional.mse_loss(x, np.zeros(2))) == "Tensor(2.5, op=MSE)"
    hundred = repr(Tensor(np.zeros(100)))
    assert (hundred.count("0."), "..." in hundred) == (100, False)
    assert " ".join(repr(Tensor(np.zeros(101))).split()) == "Tensor([0., 0., 0., ..., 0., 0., 0.])"


def test_an_unknown_attribute_names_its_equivalent(x):
    with raises(AttributeError, "'Tensor' object has no attribute 'topk'", "argsort"):
        _ = x.topk
    assert not hasattr(x, "nonsense")


def test_as_tensor_shares_memory_and_sets_requires_grad():
    a = np.array([1.0, 2.0])
    shared = ag.as_tensor(a)
    assert shared.data is a
    assert not shared.requires_grad
    made = ag.as_tensor([1.0, 2.0], requires_grad=True)
    assert (type(made), made.tolist(), made.requires_grad) == (Tensor, [1.0, 2.0], True)
    with raises(TypeError, "requires_grad must be True or False"):
        ag.as_tensor([1.0], 3)


def test_requires_grad_and_name_are_checked():
    with raises(TypeError, "requires_grad must be True or False, got 2", "for a shape write"):
        Tensor(1, 2, 3)
    with raises(TypeError, "name must be a string"):
        Tensor(1.0, True, 3)
    assert Tensor(1.0, requires_grad=np.True_).requires_grad is True
    assert Tensor([1.5], dtype=np.float32).dtype == np.float32
