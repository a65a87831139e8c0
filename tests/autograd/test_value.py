"""`Value`: its data, its gradient and the text that represents it."""

import fractions

import numpy as np
from raising import raises

import autograd as ag
from autograd import Tensor, Value
from autograd.recording import Watch, watching


def test_the_numbers_of_a_value_as_an_array():
    assert Value(2.5).numpy().tolist() == 2.5


def test_values_are_python_floats():
    for given in (2, 2.0, np.float32(2.0), np.int64(2), np.array(2.0), True + 1, fractions.Fraction(4, 2)):
        assert (type(Value(given).data), Value(given).data) == (float, 2.0)
    for given in ("2", b"2", None, [2.0], np.array([1.0, 2.0]), 2j):
        with raises(TypeError, r"a Value holds one float, not .* \(\w+\)$"):
            Value(given)
    with raises(TypeError, "not Value", r"use the node itself, or its \.item\(\)"):
        Value(Value(2.0))


def test_names_may_be_given_as_label_or_by_position():
    assert [Value(1.0, "a").name, Value(1.0, name="a").name, Value(1.0, label="a").name, Value(1.0).name] == [
        *"aaa",
        "",
    ]
    assert Value(1.0, "a", label="a").label == "a"
    assert Value(1.0, None).name == ""
    with raises(TypeError, "name must be a string"):
        Value(1.0, 3)


def test_requires_grad_is_true_unless_stated():
    assert Value(1.0).requires_grad is True
    assert Value(1.0, requires_grad=False).requires_grad is False
    assert Value(1.0, requires_grad=np.False_).requires_grad is False
    with raises(TypeError, "requires_grad must be True or False"):
        Value(1.0, requires_grad=1)


def test_data_is_read_and_assigned_as_a_float():
    x = Value(1.0)
    x.data = np.float32(2.5)
    assert (type(x.data), x.data) == (float, 2.5)
    x.data = 3.0
    assert x.data == 3.0
    with raises(TypeError, "one float"):
        x.data = "3"
    y = x * x
    z = y * 2.0
    y.data = 1
    assert (type(y.data), y.data, y.op.name) == (float, 1.0, "multiply")
    with raises(RuntimeError, "the result of multiply was modified"):
        z.backward()


def test_grad_is_a_float_or_a_node():
    x = Value(1.0)
    for given, expected in ((2, 2.0), (np.array(3.0), 3.0), (4.5, 4.5), (None, 0.0)):
        x.grad = given
        assert (type(x.grad), x.grad) == (float, expected)
    g = Value(2.0)
    x.grad = g
    assert x.grad is g
    with raises(TypeError, "one float"):
        x.grad = "2"


def test_every_read_of_a_value_is_notified():
    x = Value(1.0)
    seen = []

    class Reads(Watch):
        def on_read(self, node, how):
            seen.append((node, how))

    with watching(Reads()):
        _ = x.data, x.numpy(), x.item(), float(x), int(x), bool(x)
    wanted = ["the data", "numpy()", *["float(...), int(...) or item()"] * 3]
    assert [node for node, _ in seen] == [x] * 6
    assert [how for _, how in seen][:5] == wanted
    assert seen[5][1].startswith("the truth")


def test_the_manual_step_adds_shares_to_the_gradients_of_the_operands():
    a, b = Value(2.0), Value(3.0)
    y = a * b
    y.grad = 10.0
    y._backward()
    y._backward()
    assert (a.grad, b.grad) == (60.0, 40.0)
    a._backward()  # of a leaf: nothing
    assert (a.grad, b.grad) == (60.0, 40.0)
    t = Tensor([1.0, 2.0], requires_grad=True)
    a.zero_grad()
    b.zero_grad()
    for y, expected in ((ag.where(a > b, a, b), (0.0, 1.0)), (a * 5.0, (5.0, 1.0)), (2.0 / b, (5.0, 1 - 2.0 / 9.0))):
        y.grad = 1.0
        y._backward()
        assert (a.grad, b.grad) == expected
    element = t.elements()[1]
    element.grad = 5.0
    element._backward()
    element._backward()
    assert t.grad.tolist() == [0.0, 10.0]


def test_retain_grad_does_nothing():
    y = Value(2.0) * 3.0
    y.retain_grad()
    (y * y).backward()
    assert y.grad == 12.0


def test_numpy_returns_an_array_without_axes():
    array = Value(2.5).numpy()
    assert (type(array), array.shape, array.dtype) == (np.ndarray, (), np.float64)


def test_repr_shows_data_gradient_and_name():
    x = Value(2.0, name="x")
    assert repr(x) == "Value(data=2.0, grad=0.0, name='x')"
    (x * x).backward(create_graph=True)
    assert repr(x) == "Value(data=2.0, grad=4.0, name='x')"
    assert repr(Value(0.1)) == "Value(data=0.1, grad=0.0)"
