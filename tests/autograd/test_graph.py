"""Nodes, their order, and what an operation remembers."""

import copy
import pickle

import numpy as np
import pytest

import autograd as ag
from autograd import Node, Tensor, Value, no_grad, topological_order
from autograd.extend import apply
from autograd.graph import CHANGED, Primitive, record
from autograd.messages import description
from autograd.operations.shaping import sum_to
from autograd.recording import Watch, watching
from autograd.reverse import edges
from autograd.rules import PRIMITIVES, Elementwise


def names(order):
    return [node.name or node.op.symbol for node in order]


class TestOrder:
    def test_arguments_come_before_users_in_the_order_written(self):
        a, b, c = (Value(float(i), name=n) for i, n in enumerate("abc", 1))
        d = a * b + c * a
        assert names(topological_order(d)) == ["a", "b", "*", "c", "*", "+"]
        assert [n.name for n in topological_order(c * b + a) if n.name] == ["c", "b", "a"]

    def test_each_node_once_however_often_it_is_used(self):
        x = Value(2.0, name="x")
        y = x * x + x * x
        order = topological_order(y)
        assert len(order) == len(set(order)) == 4
        assert order[0] is x
        assert order[-1] is y

    def test_a_shared_node_waits_for_the_longest_way(self):
        x = Value(1.0, name="x")
        long = x
        for _ in range(5):
            long = -long
        y = long * x
        order = topological_order(y)
        place = {node: i for i, node in enumerate(order)}
        for node in order:
            assert all(place[arg] < place[node] for arg in node._prev)

    def test_several_roots_share_one_sort(self):
        a = Value(1.0, name="a")
        b = a + 1.0
        c = b * 2.0
        assert names(topological_order(b, c)) == ["a", "+", "*"]
        assert names(topological_order(c, b, a, c)) == ["a", "+", "*"]
        assert topological_order() == []

    def test_constants_are_left_out_on_request(self):
        x, k = Tensor([1.0], requires_grad=True, name="x"), Tensor([2.0], name="k")
        y = x * k + (x > 1.0)
        assert names(topological_order(y)) == ["x", "k", "*", ">", "+"]
        assert names(topological_order(y, variables_only=True)) == ["x", "*", "+"]
        assert names(topological_order(x * (x > 0), variables_only=True)) == ["x", "*"]
        assert names(topological_order(x * (x > 0))) == ["x", ">", "*"]
        assert topological_order(k, variables_only=True) == []

    def test_a_leaf_is_its_own_graph(self):
        x = Value(1.0)
        assert topological_order(x) == [x]


class TestWhatIsRemembered:
    def test_operation_arguments_numbers_and_parameters(self):
        x = Tensor([[1.0, 2.0]], requires_grad=True, name="x")
        y = ag.sum(x, axis=1)
        assert y.op is PRIMITIVES["sum"]
        assert y.args == (x,)
        assert y.raw[0] is x.data
        assert dict(y.params) == {"axis": 1, "keepdims": False}
        assert not y.is_leaf
        assert x.is_leaf
        assert x.op is None
        assert x.args == x.raw == ()

    def test_constants_are_kept_as_numbers(self):
        x, a = Tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0])
        y = x * a + 2
        assert y.args[1] == 2
        assert y.args[0].args[1] is a
        assert y.args[0].raw == (x.data, a)

    def test_without_a_variable_nothing_is_remembered(self):
        y = Tensor([1.0]) * 2.0
        assert (y.op, y.args, y.raw, y.requires_grad) == (None, (), (), False)

    def test_under_no_grad_nothing_is_remembered(self):
        with no_grad():
            y = Value(2.0) * 3.0 + Value(1.0).exp()
        assert (y.op, y.args, y.requires_grad) == (None, (), False)

    def test_comparisons_are_recorded_and_need_no_gradient(self):
        x = Tensor([1.0, -1.0], requires_grad=True)
        mask = x > 0
        assert mask.op.name == "greater"
        assert not mask.requires_grad
        both = mask * 2.0
        assert both.op.name == "multiply"
        assert not both.requires_grad

    def test_a_variable_after_a_constant_is_found(self):
        c, x = Tensor([1.0]), Tensor([2.0], requires_grad=True)
        assert (c * x).requires_grad
        assert ag.concatenate([c, c, x]).requires_grad
        assert ag.where(c > 0, c, x).requires_grad
        assert not ag.where(x > 0, c, c).requires_grad

    def test_a_function_of_numbers_alone_records_nothing(self):
        assert ag.multiply(2.0, 3.0) == 6.0
        assert type(ag.multiply(2.0, 3.0)) is float
        assert type(ag.tanh(np.ones(2))) is np.ndarray

    def test_results_have_the_kind_of_their_numbers(self):
        assert type(Value(1.0) + 1) is Value
        assert type(Value(1.0) * np.ones(2)) is Tensor
        assert type(Tensor([1.0]) * Value(2.0)) is Tensor
        assert type(Value(1.0) > 0.5) is Value
        assert (Value(1.0) > 0.5).data == 1.0
        assert type((Value(1.0) > 0.5).data) is float

    def test_an_operation_that_returns_something_else_is_refused(self):
        op = Primitive("odd", lambda x: "text", (None,))
        with pytest.raises(TypeError, match="odd returned a str"):
            apply(op, (Value(1.0),))

    def test_record_takes_numbers_that_are_already_computed(self):
        x = Value(3.0)
        y = record(PRIMITIVES["square"], (x,), (3.0,), {}, 9.0)
        y.backward()
        assert x.grad == 6.0


def test_edges_lead_to_the_operands_that_require_gradients():
    x, fixed = Value(2.0), Value(3.0, requires_grad=False)
    assert [(i, arg) for i, arg, _ in edges(x * fixed)] == [(0, x)]
    y = ag.where(x, x, fixed)  # no gradient flows through the condition
    assert [(i, arg) for i, arg, _ in edges(y)] == [(1, x)]
    assert edges(x) == []


def test_prepared_programs_notice_new_hooks_and_requires_grad():
    x = Value(2.0)
    for change in (lambda: x.register_hook(lambda g: g), lambda: setattr(x, "requires_grad", False)):
        before = CHANGED[0]
        change()
        assert CHANGED[0] is not before


class TestErrorsOfOperations:
    @pytest.mark.parametrize(
        ("make", "kind", "says"),
        [
            (lambda: Tensor([1.0, 2.0]) * np.ones(3), ValueError, r"multiply\(shape \(2,\), shape \(3,\)\)"),
            (
                lambda: Tensor(np.ones((2, 3))) @ np.ones((2, 3)),
                ValueError,
                r"matmul\(shape \(2, 3\), shape \(2, 3\)\)",
            ),
            (lambda: Tensor([1.0, 2.0])[5], IndexError, "5"),
            (lambda: ag.sum(Tensor([1.0]), axis=3), np.exceptions.AxisError, "axis 3"),
            (lambda: Tensor([1.0]) + "a", TypeError, "add"),
            (lambda: Tensor([1.0]) * None, TypeError, "multiply"),
        ],
    )
    def test_they_name_the_operation_and_its_arguments(self, make, kind, says):
        with pytest.raises(kind, match=says):
            make()

    def test_the_original_error_is_the_cause(self):
        with pytest.raises(ValueError, match="reshape") as caught:
            ag.reshape(Tensor([1.0]), (2,))
        assert isinstance(caught.value.__cause__, ValueError)

    @pytest.mark.parametrize(
        ("per_element", "value", "error", "says"),
        [
            (True, 2.0, ValueError, "refused"),  # also as an array: the first error counts
            (True, 2.0, TypeError, "refused"),  # not an error of arithmetic
            (True, np.array([2.0, 3.0]), ValueError, "refused"),  # not a float
            (False, 2.0, ValueError, "refused"),  # an array is another operand
        ],
    )
    def test_only_arithmetic_errors_of_floats_are_repeated_with_arrays(self, per_element, value, error, says):
        shown = []

        def forward(x):
            shown.append(np.shape(x))
            if len(shown) == 1 or (per_element and error is ValueError and type(value) is float):
                raise error("refused" if len(shown) == 1 else "the second time")
            return x

        op = Primitive("picky", forward, (None,), per_element=per_element)
        with pytest.raises(error, match=says):
            apply(op, (value,))

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(TypeError, match="sum"):
            ag.sum(Tensor([1.0]), axes=0)
        with pytest.raises(TypeError):
            ag.tanh(Tensor([1.0]), 2.0)


class TestTheTable:
    def test_a_name_is_taken_once(self):
        namespace = {"__name__": "elsewhere"}
        exec("def tanh(x): return x", namespace)
        with pytest.raises(ValueError, match="already a primitive named 'tanh'"):
            ag.extend.elementwise(1)(namespace["tanh"])

    def test_one_rule_per_argument(self):
        with pytest.raises(TypeError, match=r"takes 2 argument\(s\) \['x', 'y'\] but was given 1"):

            @ag.extend.elementwise(1)
            def lopsided(x, y):
                return x + y

        assert "lopsided" not in PRIMITIVES

    def test_primitives_are_code(self):
        for name in ("tanh", "matmul", "max"):  # an operation of each class
            assert repr(PRIMITIVES[name]) == f"<primitive {name}>"
            with pytest.raises(AttributeError):
                PRIMITIVES[name].misspelt = 1
        with pytest.raises(TypeError, match="import it"):
            pickle.dumps(PRIMITIVES["tanh"])

    def test_a_bare_primitive_has_no_rule(self):
        op = Primitive("bare", lambda x: x * 2.0, (lambda g, y, x: g,))
        x = Value(1.0)
        with pytest.raises(NotImplementedError):
            apply(op, (x,)).backward()
        assert x.grad == 0.0

    def test_symbols_default_to_names(self):
        assert Elementwise("soft", lambda x: x, (1,)).symbol == "soft"
        assert PRIMITIVES["matmul"].symbol == "@"


class TestCalls:
    def test_operands_of_every_kind_on_either_side(self):
        t = Tensor([1.0, 2.0], requires_grad=True)
        for other in ([3.0, 4.0], (3.0, 4.0), np.array([3.0, 4.0]), np.array([3, 4]), Tensor([3.0, 4.0])):
            assert np.array_equal(ag.subtract(other, t).data, [2.0, 2.0])
            assert np.array_equal(ag.subtract(t, other).data, [-2.0, -2.0])
        for other in (3, 3.0, np.float32(3.0), np.int64(3), True + 2, Value(3.0)):
            assert np.array_equal(ag.subtract(other, t).data, [2.0, 1.0])
            assert np.array_equal(ag.subtract(t, other).data, [-2.0, -1.0])

    def test_numbers_of_numpy_do_not_widen_float32(self):
        t = Tensor(np.ones(2, np.float32), requires_grad=True)
        for y in (ag.multiply(np.float64(2.0), t), ag.multiply(t, np.float64(2.0)), np.float64(2.0) * t,
                  ag.where(t > 0, np.float64(2.0), t), ag.where(t > 0, t, np.float64(2.0)), Value(2.0) * t, t * 2.0):  # fmt: skip # noqa: E501
            assert y.dtype == np.float32

    def test_summing_to_a_shape_that_is_already_there(self):
        a = np.array([1.0, 2.0])
        assert np.array_equal(sum_to(a, (2,)), a)
        assert np.array_equal(sum_to(a, (1,)), [3.0])
        assert sum_to(2.5, ()).shape == ()
        assert sum_to(a, None) == 3.0
        assert type(sum_to(a, None)) is float

    def test_parameters_by_position_and_by_name(self):
        t = Tensor([[1.0, 2.0]], requires_grad=True)
        for y in (ag.sum(t, 1), ag.sum(t, axis=1), ag.sum(t, 1, False), ag.sum(t, keepdims=False, axis=1)):
            assert np.array_equal(y.data, [3.0])
            assert dict(y.params) == {"axis": 1, "keepdims": False}
        assert ag.sum(t, 1, True).shape == (1, 1)

    @pytest.mark.parametrize("call", [
        lambda t: ag.sum(t, 0, False, 3), lambda t: ag.sum(), lambda t: ag.where(t, t),
    ])  # fmt: skip
    def test_calls_that_do_not_fit(self, call):
        with pytest.raises(TypeError, match=r"(sum|where)\(\) (too many|missing)"):
            call(Tensor([1.0]))

    def test_an_operation_of_any_number_of_operands(self):
        @ag.extend.linear(each=lambda i: lambda g, y, *xs: g, joint=True)
        def total_of(*xs):
            return sum(xs)

        try:
            a, b = Value(1.0), Tensor([2.0, 3.0], requires_grad=True)
            y = total_of(a, 5.0, b, a)
            assert np.array_equal(y.data, [9.0, 10.0])
            y.sum().backward()
            assert a.grad == 4.0
            assert np.array_equal(b.grad, [1.0, 1.0])
        finally:
            del PRIMITIVES["total_of"]

    def test_a_bilinear_operation_on_floats(self):
        @ag.extend.linear(lambda g, z, x, y: g * y, lambda g, z, x, y: g * x)
        def product_of(x, y):
            return x * y

        try:
            a, b = Value(2.0), Value(3.0)
            (product_of(a, b) * 10.0).backward()
            assert (a.grad, b.grad) == (30.0, 20.0)
        finally:
            del PRIMITIVES["product_of"]

    def test_an_operation_may_be_defined_again_in_its_own_module(self):
        try:
            for factor in (2.0, 3.0):

                @ag.extend.elementwise(lambda y, x, factor=factor: factor)
                def again(x, factor=factor):
                    return factor * x

            assert again(1.0) == 3.0
        finally:
            del PRIMITIVES["again"]

    def test_selecting_goes_through_object_arrays(self):
        values = np.array([Value(1.0), Value(2.0)], dtype=object)
        chosen = ag.where(np.array([True, False]), values, 7.0)
        assert chosen.dtype == object
        assert [v.data if isinstance(v, Value) else v for v in chosen] == [1.0, 7.0]


class TestCopies:
    @pytest.mark.parametrize("through", [lambda x: pickle.loads(pickle.dumps(x)), copy.copy, copy.deepcopy])
    def test_a_leaf_keeps_its_numbers(self, through):
        x = Tensor(np.array([[1.0, 2.0]], np.float32), requires_grad=True, name="W")
        x.grad = np.array([[3.0, 4.0]])
        y = through(x)
        assert type(y) is Tensor
        assert (y.name, y.requires_grad, y.dtype) == ("W", True, np.float32)
        assert np.array_equal(y.data, x.data)
        assert np.array_equal(y.grad, x.grad)
        assert not np.shares_memory(y.data, x.data)
        assert not np.shares_memory(y.grad, x.grad)
        v = through(Value(2.5, name="v"))
        assert (v.data, v.name, v.grad) == (2.5, "v", 0.0)
        (v * v).backward()
        assert v.grad == 5.0

    @pytest.mark.parametrize("through", [pickle.dumps, copy.copy, copy.deepcopy])
    @pytest.mark.parametrize("node", [Value(1.0) * 2.0, Tensor([1.0], requires_grad=True) * 2.0])
    def test_a_computed_node_is_refused(self, through, node):
        with pytest.raises(TypeError, match=r"detach\(\)"):
            through(node)
        assert through(node.detach()) is not None

    def test_a_deep_copy_keeps_what_is_shared(self):
        w = Tensor([1.0], requires_grad=True)
        a, b = copy.deepcopy([w, w])
        assert a is b
        assert a is not w

    def test_a_gradient_with_a_graph_is_left_behind(self):
        x = Value(2.0)
        ag.backward(x * x, create_graph=True)
        assert copy.deepcopy(x).grad == 0.0
        x.zero_grad()


def test_repr_is_short_and_does_not_walk_the_graph():
    x = Value(1.0)
    for _ in range(20_000):
        x = x + 1.0
    assert repr(x) == "Value(data=20001.0, grad=0.0)"
    assert len(repr(Tensor(np.zeros((2000, 2000))))) < 1000


def test_data_of_a_tensor_is_an_array_whatever_is_assigned():
    for given in (np.float64(2.0), 2.0, 2, np.array(2.0)):
        x = Tensor(1.0)
        x.data = given
        assert type(x.data) is np.ndarray
        assert x.data == 2.0
    with pytest.raises(TypeError):
        x.data = np.array("a")


def test_nodes_are_formatted_as_numbers_if_a_format_is_given():
    for node in (Value(2.0), Tensor(2.0), Tensor([2.0])):
        assert f"{node:.2f}" == "2.00"
        assert f"{node}" == str(node)
    assert f"{Tensor([1.0, 2.0])}" == "Tensor([1., 2.])"


def test_nodes_are_hashed_and_found_by_identity():
    a, b = Value(1.0), Value(1.0)
    assert len({a, b}) == 2
    assert {a: 1}[a] == 1
    assert b not in {a}
    assert isinstance(a, Node)


class TestWhatANodeHolds:
    def test_a_leaf_and_an_unrecorded_result_have_every_attribute(self):
        with no_grad():
            unrecorded = Tensor([1.0]) * 2.0
        for node in (Value(1.0), Tensor([1.0]), unrecorded):
            assert node.op is None
            assert node.args == node.raw == node.hooks == ()
            assert node.params == {}
            assert node.stamp == 0
            assert node.retains_grad == isinstance(node, Value)

    def test_other_numbers_given_to_a_computed_node_are_shown(self):
        y = Tensor([1.0, 2.0], requires_grad=True) * 3.0
        y.data = np.array([5.0, 6.0])
        assert y.data.tolist() == [5.0, 6.0]
        assert "[5., 6.]" in repr(y)

    def test_messages_show_numbers_as_they_are_and_the_kind_of_the_rest(self):
        with pytest.raises(ValueError, match=r"matmul\(shape \(2,\), 3\.0\)"):
            ag.matmul(np.ones(2), 3.0)
        assert description(np.array([None, 1], object)) == "object array of shape (2,)"
        assert description("a text") == "str"
        assert description(slice(1, 2)) == "slice(1, 2, None)"


class TestModifiedOperands:
    def test_a_constant_that_was_modified_has_no_name_to_show(self):
        a = np.ones(2)
        shared = ag.as_tensor(a)
        w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        loss = (2.0 * (w * a)).sum()
        shared.data -= 1.0
        with pytest.raises(RuntimeError, match=r"the operand of shape \(2,\) of multiply was modified"):
            loss.backward()

    def test_a_variable_without_a_name_is_not_given_one(self):
        w = Tensor([1.0, 2.0], requires_grad=True)
        loss = (w * w).sum()
        w.data -= 1.0
        with pytest.raises(RuntimeError, match=r"the operand of shape"):
            loss.backward()

    def test_a_constant_whose_base_was_modified_is_refused(self):
        base = np.ones(4)
        shared = ag.as_tensor(base)
        w = Tensor([1.0, 2.0], requires_grad=True)
        loss = (w * base[::2]).sum()  # a view: another array object in the same memory
        shared.data -= 1.0
        with pytest.raises(RuntimeError, match=r"the operand of shape \(2,\) of multiply was modified"):
            loss.backward()

    def test_an_array_beside_the_modified_one_is_accepted(self):
        shared, other = ag.as_tensor(np.ones(2)), np.full(2, 3.0)
        w = Tensor([1.0, 2.0], requires_grad=True)
        loss = (w * other).sum()
        shared.data -= 1.0
        loss.backward()
        assert w.grad.tolist() == [3.0, 3.0]


def test_names_of_classes_are_those_of_unnamed_nodes():
    assert (Value.name, Tensor.hooks, Value.retains_grad, Tensor.retains_grad) == ("", (), True, False)


class Notices(Watch):
    """Records new nodes."""

    def __init__(self, records_all):
        self.records_all = records_all
        self.seen = []

    def on_record(self, op, args, raw, node):
        self.seen.append((op.name, args, raw, node))


@pytest.mark.parametrize("records_all", [False, True])
def test_a_watcher_is_notified_of_nodes(records_all):
    x, c = Value(2.0), Value(0.0, requires_grad=False)
    watch = Notices(records_all)
    with watching(watch):
        y = x * 3.0
        z = c * 3.0
    assert watch.seen == [
        ("multiply", (x, 3.0), (2.0, 3.0), y),
        ("multiply", (c, 3.0), (0.0, 3.0), z),
    ]
    assert (z.op is not None) == records_all
    assert not z.requires_grad


def test_an_operation_on_plain_values_records_nothing():
    assert type(apply(PRIMITIVES["multiply"], (2.0, 3.0))) is float
    assert type(apply(PRIMITIVES["sum"], (np.ones(2),), {"axis": None})) is np.float64


def test_nodes_keep_their_parameters_when_a_backward_pass_has_walked_them():
    x = Value(-2.0)
    for make, params in ((lambda x: ag.leaky_relu(x, 0.25), {"negative_slope": 0.25}), (lambda x: x * 3.0, {})):
        y = make(x)
        before = y.args, y.raw, dict(y.params)
        y.backward()
        assert (y.args, y.raw, dict(y.params)) == before
        assert before[2] == params


def test_nodes_without_a_name_share_their_notes():
    assert Value(1.0).notes is (Value(1.0) * 2.0).notes is Value.plain
    assert Tensor([1.0]).notes is Tensor.plain
    assert Value(1.0, name="a").notes is not Value.plain
