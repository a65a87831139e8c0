"""NumPy object arrays of `Value`s: each operation applies the scalar engine's semantics to every element."""

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value


def values(array):
    return np.vectorize(Value, otypes=[object])(np.asarray(array, dtype=float))


def data_of(objects):
    return np.vectorize(lambda v: v.data if isinstance(v, Value) else v, otypes=[float])(objects)


def grad_of(objects):
    return np.vectorize(lambda v: v.grad, otypes=[float])(objects)


POINTS = np.array([[1.5, -2.0, 0.0], [3.0, 0.5, 2.0]])
UNARY = [
    name for name, op in sorted(ag.PRIMITIVES.items())
    if op.per_element and len(op.rules) == 1 and op.rules[0] is not None and hasattr(ag, name)
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_an_elementwise_operation_maps_over_the_elements(name):
    operation, points = getattr(ag, name), np.array([[0.5, 0.25], [0.75, 0.125]]) + (name == "acosh")
    objects, tensor = values(points), Tensor(points, requires_grad=True)
    result = operation(objects)
    assert result.dtype == object
    assert all(type(v) is Value for v in result.flat)
    ag.sum(result).backward()
    operation(tensor).sum().backward()
    np.testing.assert_allclose(data_of(result), operation(points), rtol=1e-14)
    np.testing.assert_allclose(grad_of(objects), tensor.grad, rtol=1e-14)


def test_kinks_are_those_of_the_scalar_engine():
    objects = values([0.0, 0.0, 0.0])
    (ag.relu(objects[:1]) + ag.abs(objects[1:2]) + ag.maximum(objects[2:], 0.0))[0].backward()
    np.testing.assert_array_equal(grad_of(objects), [0.0, 0.0, 0.5])


def test_parameters_reach_each_element():
    objects = values([-2.0, 3.0])
    np.testing.assert_allclose(data_of(ag.leaky_relu(objects, 0.5)), [-1.0, 3.0])


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: ag.matmul(x, np.array([1.0, 2.0, 3.0])),
        lambda x: ag.matmul(x, ag.transpose(x)),
        ag.sum,
        lambda x: ag.mean(x, 1),
        lambda x: ag.max(x, axis=0),
        ag.softmax,
        ag.log_softmax,
        ag.logsumexp,
        lambda x: ag.logsumexp(x, axis=1),
        lambda x: ag.reshape(x, (3, 2)),
        lambda x: ag.getitem(x, (slice(None), [0, 2, 2])),
        lambda x: ag.concatenate([x, x], axis=1),
        lambda x: ag.stack([x, 2.0 * x]),
    ],
)
def test_other_operations_follow_numpy_on_objects(operation):
    objects, tensor = values(POINTS), Tensor(POINTS, requires_grad=True)
    result, expected = operation(objects), operation(tensor)
    np.testing.assert_allclose(data_of(result), expected.data, rtol=1e-14)
    weights = np.cos(np.arange(expected.size)).reshape(expected.shape)
    ag.sum(result * weights).backward()
    (expected * weights).sum().backward()
    np.testing.assert_allclose(grad_of(objects), tensor.grad, rtol=1e-12, atol=1e-15)


def test_a_value_meets_an_object_array():
    objects, factor = values([1.0, 2.0]), Value(3.0)
    for result in (factor * objects, objects * factor, ag.multiply(factor, objects)):
        np.testing.assert_array_equal(data_of(result), [3.0, 6.0])
        assert all(factor in v._prev for v in result)


@pytest.mark.parametrize("operation", [ag.multiply, ag.matmul, lambda t, x: t * x, lambda t, x: x * t])
def test_a_tensor_and_an_object_array_give_values_with_gradients_for_both(operation):
    tensor, objects = Tensor([1.0, 2.0], requires_grad=True), values([3.0, 4.0])
    np.sum(operation(tensor, objects)).backward()
    np.testing.assert_array_equal(tensor.grad, [3.0, 4.0])
    np.testing.assert_array_equal(grad_of(objects), [1.0, 2.0])


def test_object_arrays_of_no_axes_and_no_elements():
    assert type(ag.tanh(values(0.5))) is Value
    assert ag.tanh(np.empty((0, 2), object)).shape == (0, 2)


MIXED = {
    "multiply": lambda x, v: x * v,
    "multiply from the left": lambda x, v: v * x,
    "broadcast": lambda x, v: x[0] * v,
    "where": lambda x, v: ag.where(x > 0.5, v, x),
    "matmul": lambda x, v: x @ v.T,
    "matmul from the left": lambda x, v: v @ x.T,
}


@pytest.mark.parametrize("name", MIXED)
def test_tensor_with_an_array_of_values_gives_the_values_and_gradients_of_two_tensors(name):
    x = Tensor([[0.1, 0.9], [2.0, -1.0]], requires_grad=True)
    v, tensor = values([[1.0, 2.0], [3.0, 4.0]]), Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    mixed = MIXED[name](x, v)
    assert mixed.dtype == object
    weights = np.arange(1.0, 1.0 + mixed.size).reshape(mixed.shape)
    ag.sum(mixed * weights).backward()
    found, x.grad = x.grad, None
    expected = MIXED[name](x, tensor)
    (expected * weights).sum().backward()
    np.testing.assert_allclose(data_of(mixed), expected.data, rtol=1e-14)
    np.testing.assert_allclose(found, x.grad, rtol=1e-14)
    np.testing.assert_allclose(grad_of(v), tensor.grad, rtol=1e-14)


def test_largest_of_tied_values_passes_the_gradient_to_all_of_them():
    v = values([1.0, 3.0, 3.0])
    ag.max(v).backward()
    np.testing.assert_array_equal(grad_of(v), [0.0, 0.5, 0.5])


def test_arrays_of_values_are_differentiated():
    objects = np.array([Value(1.0), Value(2.0)])
    (objects * objects * 3.0).sum().backward()
    assert [v.grad for v in objects] == [6.0, 12.0]


def test_statistics_of_a_list_of_values_are_numpys():
    data = [1.0, 2.0, 4.0]
    values = [Value(x) for x in data]
    for f in (np.mean, np.var, np.std):
        np.testing.assert_allclose(f(values).data, f(data), rtol=1e-15)
    np.std(values).backward()
    expected = (np.array(data) - np.mean(data)) / (3 * np.std(data))
    np.testing.assert_allclose([v.grad for v in values], expected, rtol=1e-14)
