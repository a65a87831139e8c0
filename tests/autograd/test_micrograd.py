"""Code of the micrograd lectures runs as it stands."""

import random

import numpy as np
import pytest

from autograd import Tensor, Value
from autograd.extend import primitive


def test_the_expression_of_the_lecture():
    a, b, c = Value(2.0, label="a"), Value(-3.0, label="b"), Value(10.0, label="c")
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    f = Value(-2.0, label="f")
    L = d * f
    L.label = "L"
    assert L.data == -8.0
    assert L._op == "*"
    assert L._prev == (d, f)
    assert set(d._prev) == {e, c}
    assert a._prev == ()
    assert a._op == ""
    assert e.name == "e"
    L.backward()
    assert [v.grad for v in (a, b, c, d, e, f, L)] == [6.0, -4.0, -2.0, -2.0, -2.0, 4.0, 1.0]


def neuron():
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    x1w1, x2w2 = x1 * w1, x2 * w2
    s = x1w1 + x2w2
    n = s + b
    return (x1, w1, x2, w2), (x1w1, x2w2, s, n), b, n.tanh()


def test_backward_by_hand_node_by_node():
    leaves, (x1w1, x2w2, s, n), b, o = neuron()
    o.grad = 1.0
    o._backward()
    n._backward()
    b._backward()
    s._backward()
    x1w1._backward()
    x2w2._backward()
    assert [round(v.grad, 4) for v in leaves] == [-1.5, 1.0, 0.5, 0.0]


def test_backward_by_hand_along_a_topological_order():
    leaves, _, _, o = neuron()
    topo, visited = [], set()

    def build_topo(v):
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                build_topo(child)
            topo.append(v)

    build_topo(o)
    o.grad = 1.0
    for node in reversed(topo):
        node._backward()
    by_hand = [v.grad for v in leaves]
    again, _, _, o = neuron()
    o.backward()
    assert by_hand == [v.grad for v in again]


def test_backward_by_hand_accumulates_as_in_the_lecture():
    a = Value(3.0)
    b = a + a
    b.grad = 1.0
    b._backward()
    assert a.grad == 2.0
    c = a * a
    c.grad = 2.0
    c._backward()
    assert a.grad == 2.0 + 12.0


def test_backward_by_hand_of_every_operator():
    a, b = Value(2.0), Value(4.0)
    for y, da, db in [
        (a - b, 1.0, -1.0), (a / b, 0.25, -0.125), (-a, -1.0, 0.0), (a**3, 12.0, 0.0), (a.relu(), 1.0, 0.0),
        (5.0 - a, -1.0, 0.0), (1.0 / a, -0.25, 0.0), (a.exp(), a.exp().data, 0.0), (3 * a + 1, 0.0, 0.0),
    ]:  # fmt: skip
        a.grad = b.grad = 0.0
        y.grad = 1.0
        y._backward()
        assert (a.grad, b.grad) == pytest.approx((da, db))


def test_backward_by_hand_next_to_a_tensor():
    v, t = Value(3.0), Tensor([1.0, 2.0], requires_grad=True)
    s = (t * v).sum()
    s.backward()
    assert v.grad == 3.0


def test_a_leaf_and_a_constant_have_nothing_to_pass_on():
    a = Value(1.0)
    a._backward()
    assert a.grad == 0.0


def test_the_longer_form_of_tanh():
    x = Value(0.8814)
    e = (2 * x).exp()
    o = (e - 1) / (e + 1)
    o.backward()
    assert x.grad == pytest.approx(1 - o.data**2)


def test_gradient_descent_by_hand():
    class Neuron:
        def __init__(self, nin):
            self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
            self.b = Value(random.uniform(-1, 1))

        def __call__(self, x):
            return sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b).tanh()

        def parameters(self):
            return [*self.w, self.b]

    random.seed(4)
    n = Neuron(3)
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    for _ in range(60):
        loss = sum((n(x) - y) ** 2 for x, y in zip(xs, ys, strict=True))
        for p in n.parameters():
            p.grad = 0.0
        loss.backward()
        for p in n.parameters():
            p.data += -0.1 * p.grad
    assert loss.data < 0.1


def test_a_graph_is_not_recorded_by_hand():
    a = Value(1.0)
    for arguments, options in (((2.0, (a,)), {}), ((2.0, (a, a), "*"), {}), ((2.0,), {"_children": (a,), "_op": "+"})):
        with pytest.raises(TypeError):
            Value(*arguments, **options)


def test_no_gradient_is_zero():
    a = Value(3.0)
    (a * a).backward()
    a.grad = None
    assert a.grad == 0.0
    (a * a).backward()
    assert a.grad == 6.0


def test_a_value_has_one_name():
    assert Value(3.0, label="x", name="x").name == "x"
    assert Value(3.0, label=None).name == ""
    for options in ({"name": 4}, {"label": 4}):
        with pytest.raises(TypeError, match="name must be a string, got 4"):
            Value(3.0, **options)


def test_requires_grad_of_a_value_must_be_a_bool():
    assert not Value(1.0, requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="requires_grad"):
        Value(1.0, requires_grad=1)


def test_a_node_may_be_assigned_to_the_gradient_of_a_value():
    x, g = Value(1.0), Value(2.0)
    x.grad = g
    assert x.grad is g
    x.grad = 3
    assert type(x.grad) is float


@primitive(lambda g, y, x: g * np.ones(2))
def total_as_float(x):
    return float(x.sum())


def test_manual_backward_adds_to_the_gradient_of_a_tensor():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = total_as_float(x)
    y.grad = 2.0
    y._backward()
    assert x.grad.tolist() == [2.0, 2.0]
    y._backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_a_value_of_a_node_is_refused_with_a_suggestion():
    with pytest.raises(TypeError, match=r"not Value.*; use the node itself, or its \.item\(\)"):
        Value(Value(1.0))
    with pytest.raises(TypeError, match=r"not 'a' \(str\)$"):
        Value("a")
    assert repr(Value(1.0)) == "Value(data=1.0, grad=0.0)"
