"""The fast engine for floats against the general one: the same graphs, values and gradients, bit for bit."""

import math
import operator
import struct
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from looping import each

import autograd as ag
from autograd import Tensor, Value, fast_floats, topological_order
from autograd.graph import TUPLES
from autograd.recording import Watch, watching
from autograd.reverse import reverse_pass

BINARY = [
    (operator.add, ag.add), (operator.sub, ag.subtract), (operator.mul, ag.multiply),
    (lambda x, y: x / (1.5 + y * y), lambda x, y: ag.divide(x, ag.add(1.5, ag.multiply(y, y)))),
    (lambda x, y: 2 - x * y, lambda x, y: ag.subtract(2, ag.multiply(x, y))),
    (lambda x, y: 0 + x * -0.0, lambda x, y: ag.add(0, ag.multiply(x, -0.0))),
]  # fmt: skip
UNARY = [
    (lambda x: -x, ag.negative), (lambda x: x.tanh(), ag.tanh), (lambda x: x.relu(), ag.relu),
    (lambda x: x.sigmoid(), ag.sigmoid), (lambda x: (x * 0.1).exp(), lambda x: ag.exp(ag.multiply(x, 0.1))),
    (lambda x: (x * x + 1.0).log(), lambda x: ag.log(ag.add(ag.multiply(x, x), 1.0))),
    (lambda x: (x * x + 1.0).sqrt(), lambda x: ag.sqrt(ag.add(ag.multiply(x, x), 1.0))),
    (lambda x: (x * x + 1.0) ** -0.5, lambda x: ag.power(ag.add(ag.multiply(x, x), 1.0), -0.5)),
    (lambda x: x**3, lambda x: ag.power(x, 3)), (lambda x: x.leaky_relu(0.2), lambda x: ag.leaky_relu(x, 0.2)),
    (lambda x: x.sin(), ag.sin), (lambda x: 1.0 / (x * x + 2.0), lambda x: ag.divide(1.0, x * x + 2.0)),
]  # fmt: skip


def bits(x):
    """The bytes of a float, so that 0.0 and -0.0 differ; those of one nan for every nan."""
    assert type(x) is float
    return struct.pack("<d", x if x == x else math.nan)


def built(numbers, steps, fast):
    """The leaves and the result of a random expression, by operators and methods or by functions of the package."""
    nodes = leaves = [Value(x) for x in numbers]
    for kind, i, j in steps:
        pair = (BINARY + UNARY)[kind % (len(BINARY) + len(UNARY))]
        function = pair[0] if fast else pair[1]
        x, y = nodes[i % len(nodes)], nodes[j % len(nodes)]
        nodes = [*nodes, function(x, y) if pair in BINARY else function(x)]
    return leaves, nodes[-1] + nodes[-1] * nodes[0] if fast else ag.add(nodes[-1], ag.multiply(nodes[-1], nodes[0]))


@np.errstate(all="ignore")
@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([0.0, -0.0, 1.0, -2.5, 0.3, 1e-310, 1e200]) | st.floats(-3, 3), min_size=2, max_size=4),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), max_size=25),
)
def test_random_graphs_have_the_same_bits_in_both_engines(numbers, steps):
    leaves, loss = built(numbers, steps, fast=True)
    others, other = built(numbers, steps, fast=False)
    order, general = topological_order(loss), topological_order(other)
    assert [(n.op and n.op.name, dict(n.params), len(n.args)) for n in order] == [
        (n.op and n.op.name, dict(n.params), len(n.args)) for n in general
    ]
    assert [[bits(float(x)) for x in n.raw] for n in order] == [[bits(float(x)) for x in n.raw] for n in general]
    loss.backward()
    found = reverse_pass(general, {other: 1.0})
    assert [bits(n.grad) for n in order if n.op] == [bits(found[n]) for n in general if n.op]
    assert [bits(x.grad) for x in leaves] == [bits(0.0 + found.get(x, 0.0)) for x in others]


def test_the_order_is_that_of_the_topological_sort():
    a, b = Value(2.0), Value(3.0)
    c = a * b + a
    loss = (c * c + ag.sin(c) - b).tanh()
    order, found, before = [], [], []
    assert fast_floats._sort(loss, order, found, before, float("-0.0"))
    assert all(x is y for x, y in zip(order, [n for n in topological_order(loss) if n.op], strict=True))
    assert len(found) == len(before) == len(topological_order(loss))


CONSTANTS = [2, 2.0]


def operations(x, others):
    """Every fast operation of `x` with each of `others`, and the same by the general functions."""
    for name, (function, _) in fast_floats.METHODS.items():
        yield getattr(x, name)(), function(x)
    for name, (function, _) in fast_floats.OPERATORS.items():
        for other in others:
            yield getattr(x, f"__{name}__")(other), function(x, other)
            if not isinstance(other, Value):
                yield getattr(x, f"__r{name}__")(other), function(other, x)


def test_fast_operations_make_the_nodes_of_the_general_ones_and_keep_operands_in_slots():
    x, y = Value(0.5), Value(3.0)
    pairs = list(operations(x, CONSTANTS))
    pairs += [(f(x, y), f(x, y)) for f in (operator.add, operator.sub, operator.mul, operator.truediv)]
    for node, general in pairs:
        assert node._y is not TUPLES
        assert node.params == general.params == {}
        assert all(mine is theirs for mine, theirs in zip(node.args, general.args, strict=True))
        assert node.raw == general.raw
        assert bits(node.data) == bits(general.data)
        assert node.grad == 0.0
        assert node.requires_grad
        assert node.notes is Value.plain


def test_fast_operations_have_the_names_and_docstrings_of_the_functions():
    for name, (function, _) in fast_floats.METHODS.items():
        assert getattr(Value, name).__doc__ == function.__doc__
    for name, (function, _) in fast_floats.OPERATORS.items():
        assert getattr(Value, f"__{name}__").__doc__ == getattr(Value, f"__r{name}__").__doc__ == function.__doc__


def test_fast_operations_without_a_gradient_require_none():
    x, y = Value(0.5, requires_grad=False), Value(3.0, requires_grad=False)
    pairs = list(operations(x, [*CONSTANTS, y]))
    with ag.no_grad():
        pairs += operations(Value(0.5), [*CONSTANTS, y])
    for node, general in pairs:
        assert not node.requires_grad
        assert node.op is None
        assert bits(node.data) == bits(general.data)


def test_operands_of_other_types_go_the_general_way():
    x = Value(3.0)
    for other in (True, np.float32(2.0), np.float64(2.0), np.array([2.0]), Tensor([2.0])):
        for name, (function, _) in fast_floats.OPERATORS.items():
            for node, general in (
                (getattr(x, f"__{name}__")(other), function(x, other)),
                (getattr(x, f"__r{name}__")(other), function(other, x)),
            ):
                assert type(node) is type(general)
                assert type(node.data) is type(general.data)
                assert node.data == general.data


@each([
    lambda: Value(0.0) ** -1.0, lambda: Value(-1.0).log(), lambda: Value(1000.0).exp(), lambda: Value(1e200) ** 2.0,
    lambda: 1e200 ** Value(2.0), lambda: 1.0 / Value(0.0), lambda: Value(-1.0).sqrt(),
])  # fmt: skip
def test_a_fast_operation_that_python_refuses_warns_as_numpy_does(operation):
    with pytest.warns(RuntimeWarning, match="divide by zero|invalid value|overflow"):
        assert not math.isfinite(operation().data)


class Follower(Watch):
    """A watcher that counts the operations of which it is notified."""

    def __init__(self, float_notes):
        self.float_notes, self.count = float_notes, 0

    def on_record(self, op, args, raw, node):
        self.count += 1


def test_fast_operations_notify_watchers_unless_they_give_notes():
    for allowed in (False, True):
        with watching(Follower(Value.plain._replace(recording=1) if allowed else None)) as follower:
            pairs = list(operations(Value(0.5), CONSTANTS))
        assert follower.count == len(pairs) * (1 if allowed else 2)
        assert all((node._y is not TUPLES) == allowed for node, _ in pairs)
        assert all((node.notes.recording == 1) == allowed for node, _ in pairs)
        assert all(node.requires_grad for node, _ in pairs)
        follower.grad_enabled = False
        with watching(follower):
            assert not any(node.requires_grad for node, _ in operations(Value(0.5), CONSTANTS))


GENERAL = {
    "a where": lambda x: ag.where(x > 0, x * x, 0.0),
    "a hook": lambda x: hooked(x * x),
    "a tensor": lambda x: (Tensor([1.0, 2.0]) * x).sum() * 1.0,
    "an infinite slope": lambda x: (x - x).sqrt() * 1.0,
    "a value without gradient": lambda x: x * Value(2.0, requires_grad=False) * 3.0,
    "an operation of one's own": lambda x: own(x) * 2.0,
}


def hooked(node):
    node.register_hook(lambda g: g * 10.0)
    return node


@ag.extend.elementwise(lambda y, x: np.float64(3.0))
def own(x):
    return 3.0 * x


@pytest.mark.parametrize("kind", GENERAL)
@np.errstate(divide="ignore")
def test_other_graphs_go_the_general_way(kind):
    x = Value(2.0)
    loss = GENERAL[kind](x)
    assert not fast_floats.backward(loss, 1.0)
    assert x.grad == 0.0
    loss.backward()
    found = reverse_pass(topological_order(loss), {loss: 1.0})
    assert bits(x.grad) == bits(float(found[x])) or math.isnan(x.grad)


def test_graphs_of_plain_floats_go_the_fast_way():
    x, y = Value(2.0), Value(3.0)
    mixed = ag.add(ag.multiply(x, y), ag.leaky_relu(-x, 0.1) * 3.0) + x.tanh() * ag.negative(2.0 - y)
    assert mixed.args[0]._y is TUPLES
    assert fast_floats.backward(mixed, 1.0)
    order = topological_order(mixed)
    assert not any(node._y is TUPLES for node in order if node.op)
    found = reverse_pass(order, {mixed: 1.0})
    assert [bits(node.grad) for node in order] == [bits(found[node]) for node in order]
    assert all(leaf.stamp == id(leaf.data) for leaf in (x, y))


def test_a_zero_gradient_is_positive_on_leaves_and_keeps_its_sign_on_results():
    x = Value(2.0)
    y = x * 1.0
    assert fast_floats.backward(y * -0.0, 1.0)
    assert bits(x.grad) == bits(0.0)
    assert bits(y.grad) == bits(-0.0)


@ag.extend.elementwise(1)
def shifted(x):
    return x + 1.0


def test_a_constant_partial_of_one_operand_passes_the_gradient_on(monkeypatch):
    monkeypatch.setattr(shifted.primitive, "partials", shifted.primitive.rules)
    x = Value(2.0)
    assert fast_floats.backward(shifted(x) * 3.0, 1.0)
    assert x.grad == 3.0


class NamedValue(Value):
    """A subclass of Value."""

    __slots__ = ()


@pytest.mark.parametrize(
    "function", [lambda x: x * 3.0, lambda x: 3.0 * x, lambda x: Value(3.0) * x, lambda x: ag.multiply(x, 3.0)]
)
def test_leaves_of_a_subclass_get_their_gradient(function):
    x = NamedValue(2.0)
    function(x).backward()
    assert x.grad == 3.0


def test_leaves_of_a_subclass_may_be_frozen_and_have_hooks():
    frozen, hooked = NamedValue(2.0), NamedValue(3.0)
    frozen.requires_grad = False
    hooked.register_hook(lambda g: 10.0 * g)
    (frozen * hooked * Value(5.0)).backward()
    assert (frozen.grad, hooked.grad) == (Value(2.0, requires_grad=False).grad, 100.0)


def test_a_gradient_that_is_a_node_is_added_to_as_a_node():
    x = Value(2.0)
    ((x - 2.0) * (x - 2.0)).backward(create_graph=True)
    before = x.grad
    (x * 5.0).backward()
    assert before.data == 0.0
    assert x.grad.data == 5.0
    assert before in topological_order(x.grad)


def test_a_leaf_that_no_longer_requires_a_gradient_gets_none():
    x, y = Value(2.0), Value(3.0)
    loss = x * y
    y.requires_grad = False
    loss.backward()
    assert (x.grad, y.grad) == (3.0, 0.0)


def test_gradients_accumulate_on_leaves_and_are_replaced_on_results():
    x = Value(2.0)
    y = x * x
    loss = y * 3.0
    loss.backward()
    loss.backward()
    assert (x.grad, y.grad, loss.grad) == (24.0, 3.0, 1.0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_pass_changes_no_gradient(monkeypatch, error):
    x, y = Value(2.0), Value(3.0)
    z = x * y
    loss = z.tanh() + x
    z.grad, loss.grad = 5.0, 7.0

    def raises(*args):
        raise error

    monkeypatch.setattr(ag.PRIMITIVES["multiply"], "partials", (1, raises))
    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            fast_floats.backward(loss, 1.0)
    else:
        assert not fast_floats.backward(loss, 1.0)
    assert (x.grad, y.grad, z.grad, loss.grad) == (0.0, 0.0, 5.0, 7.0)


def test_the_result_of_an_operation_that_was_assigned_is_refused():
    x = Value(2.0)
    y = x.tanh()
    y.data = 0.5
    with pytest.raises(RuntimeError, match="result of tanh was modified"):
        (y * 2.0).backward()


def test_threads_that_share_leaves_add_all_their_gradients():
    w, interval = Value(2.0), sys.getswitchinterval()

    def work():
        total = w * 1.0
        for _ in range(4000):
            total = total + w * 1.0
        for _ in range(3):
            (total * 1.0).backward()

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert w.grad == 3 * 3 * 4001.0


def test_subclasses_of_values_get_their_gradients():
    for function in (
        lambda x, y: x * 3.0,
        lambda x, y: x * y,
        lambda x, y: y - x,
        lambda x, y: 1.0 - x,
        lambda x, y: x.tanh() / y,
    ):
        x, y = NamedValue(2.0), Value(3.0)
        loss = function(x, y)
        expected = ag.gradients(loss, x)
        loss.backward()
        assert bits(x.grad) == bits(expected)


def test_plain_graphs_take_the_fast_way():
    x, y = Value(0.5), NamedValue(2.0)
    assert fast_floats.backward((x * y + x.tanh()) / (y - 3.0), 1.0)
    assert x.grad != 0.0
    assert y.grad != 0.0


def test_marks_of_an_interrupted_pass_do_not_affect_the_next_one():
    x = Value(2.0)
    feature = x * x
    feature._grad = float("-0.0")  # as a second Ctrl-C during the restoration would leave it
    (feature * 3.0).backward()
    assert x.grad == 12.0


def test_detect_anomaly_observes_the_backward_pass_of_floats():
    with ag.detect_anomaly():
        loss = (Value(0.0) + 1e-200) * 1e-200 / 1e-300 / 1e-300
        with pytest.raises(ag.AnomalyError):
            loss.backward()


def test_a_computed_value_that_does_not_retain_its_gradient_keeps_the_old_one():
    x = Value(2.0)
    y = x * 3.0
    y.retains_grad = False
    (y * 2.0).backward()
    assert (x.grad, y.grad) == (6.0, 0.0)


def test_a_negative_base_of_an_exponent_with_gradient_warns_on_both_sides():
    with pytest.warns(ag.GradientWarning, match="negative"):
        ((-2.0) ** Value(3.0)).backward()
    with pytest.warns(ag.GradientWarning, match="negative"):
        (Value(-2.0) ** Value(3.0)).backward()
