"""Corners of the engine that no other test turns."""

import copy
import decimal
import fractions
import pickle
import sys

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value, gradients
from autograd.cli.commands import main
from autograd.cli.parsing import ExpressionError, parse
from autograd.extend import primitive


class Rows(np.ndarray):
    """An array of a class of its own, as other libraries have them."""


def test_the_default_dtype_is_a_float():
    with pytest.raises(TypeError, match=r"floating-point, such as float32 or float64, not int64"):
        ag.set_default_dtype(np.int64)
    assert ag.get_default_dtype() == np.float64


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Tensor(Value(1.0)), "array, not nodes"),
        (lambda: Tensor(["cat"]), "encode text as class indices"),
        (lambda: Value(Value(1.0)), "one float, not Value"),
        (lambda: Value("2"), "one float, not '2'"),
    ],
    ids=["a node", "text", "a node as a Value", "text as a Value"],
)
def test_what_a_variable_cannot_hold(make, says):
    with pytest.raises(TypeError, match=says):
        make()


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


def test_the_numbers_of_a_value_as_an_array():
    assert Value(2.5).numpy().tolist() == 2.5


def test_arrays_of_other_classes_are_arrays():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * np.array([3.0, 4.0]).view(Rows)
    assert type(y.data) is np.ndarray
    np.testing.assert_array_equal(gradients(y.sum(), x), [3.0, 4.0])


def test_a_matrix_on_the_left_of_a_tensor():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = [[1.0, 2.0], [3.0, 4.0]] @ x
    np.testing.assert_array_equal(y.data, [5.0, 11.0])
    np.testing.assert_array_equal(gradients(y.sum(), x), [4.0, 6.0])


def test_the_product_of_one_number():
    x = Tensor(3.0, requires_grad=True)
    ag.prod(x).backward()
    assert x.grad == 1.0
    v = Value(3.0)
    ag.prod(v).backward()
    assert v.grad == 1.0


def test_factors_with_axes_to_themselves():
    with pytest.raises(ValueError, match="pairs of axes of equal length"):
        ag.tensordot(Tensor(np.ones((2, 2))), np.ones((2, 2)), ([0, 1], [0]))


def test_an_argument_left_out_has_no_gradient():
    f = ag.grad(lambda p: p["w"] ** 2)
    assert f({"w": 3.0, "b": None}) == {"w": 6.0, "b": None}


def test_a_pullback_that_returns_the_result_does_not_lend_it():
    @primitive(lambda g, y, x: y)
    def growing(x):
        return x * 2.0

    x = Tensor([1.0, 2.0], requires_grad=True)
    y = growing(x)
    y.backward(gradient=np.ones(2))
    x.grad[:] = 0.0
    assert y.data.tolist() == [2.0, 4.0]


def test_a_word_too_many_for_doctor(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", "a*b"])
    assert stopped.value.code == 2
    assert "unrecognized arguments: a*b" in capsys.readouterr().err


def test_a_page_is_announced(capsys, tmp_path):
    page = tmp_path / "page.html"
    assert main(["play", "a*a", "a=2", "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.stat().st_size > 1_000


def test_an_output_that_was_closed_is_no_fault(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert main(["grad", "a*a", "a=2"]) == 0
    sys.stdout.close()


def test_a_gradient_may_be_assigned_as_a_node():
    x, g = Tensor([1.0], requires_grad=True), Tensor([2.0])
    x.grad = g
    assert x.grad is g


def test_a_plus_in_front_changes_nothing():
    x = Value(2.0)
    assert +x is x
    assert parse("+a * 2", {"a": 3.0}).data == 6.0


def test_masks_meet_arrays_of_bools_on_either_side():
    mask = Tensor([1.0, -1.0]) > 0
    assert (True & mask).tolist() == [True, False]
    assert (False | mask).tolist() == [True, False]


@pytest.mark.parametrize("call", [lambda x: x ^ 2, lambda x: 2 ^ x], ids=["left", "right"])
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_a_hat_is_no_power(call, kind):
    with pytest.raises(TypeError, match=r"write a power as x\*\*y"):
        call(kind(3.0))


def test_a_formula_that_is_wide_is_refused_as_one_that_is_deep():
    terms = ["a"] * 512
    while len(terms) > 1:
        terms = [f"({x}+{y})" for x, y in zip(terms[::2], terms[1::2], strict=True)]
    with pytest.raises(ExpressionError, match=r"more than 2,000|at most 2,000|more than 500 operations"):
        parse(terms[0], {"a": 1.0})
    products = ["a*a"] * 256
    while len(products) > 1:
        products = [
            f"{x}+{y}" if len(x) < 9 else f"({x})-({y})" for x, y in zip(products[::2], products[1::2], strict=True)
        ]
    with pytest.raises(ExpressionError, match="more than 500 operations and operands"):
        parse(products[0], {"a": 1.0})


@pytest.mark.parametrize("node", [Value(1.0), Tensor([1.0, 2.0])], ids=["Value", "Tensor"])
@pytest.mark.parametrize("other", [None, "auto", {}], ids=repr)
def test_comparison_with_an_object_that_is_not_a_number_is_pythons(node, other):
    assert (node == other) is False
    assert (node != other) is True
    assert node not in [other]


def test_gradients_of_tensors_without_axes_stay_arrays():
    p = Tensor(np.float32(1.5), requires_grad=True)
    for _ in range(2):
        (p * 3.0).backward()
    assert type(p.grad) is np.ndarray
    assert (p.grad.dtype, p.grad.tolist()) == (np.float32, 6.0)


def test_a_gradient_of_another_shape_than_the_held_one_is_refused():
    p = Tensor([1.0], requires_grad=True)
    (p * 2.0).sum().backward()
    p.data = np.ones(3)
    with pytest.raises(ValueError, match=r"gradient of shape \(3,\) .* shape \(1,\) .* zero_grad\(\)"):
        (p * 2.0).sum().backward()
    p.zero_grad()
    (p * 2.0).sum().backward()
    assert p.grad.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("operation", "slope"),
    [
        (ag.divide, lambda x, y: 1 / y),
        (ag.power, lambda x, y: y * x ** (y - 1)),
        (ag.hypot, lambda x, y: x / np.hypot(x, y)),
        (ag.atan2, lambda x, y: y / (x * x + y * y)),
    ],
)
def test_partials_of_mixed_float_types_have_the_precision_of_the_result(operation, slope):
    x = Tensor(np.array([0.7]), requires_grad=True)
    y = Tensor(np.array([0.3], np.float32), requires_grad=True)
    operation(x, y).sum().backward()
    np.testing.assert_allclose(x.grad, slope(0.7, float(np.float32(0.3))), rtol=1e-14)
    assert (x.grad.dtype, y.grad.dtype) == (np.float64, np.float32)


class Tagged(Tensor):
    """A tensor with an attribute of its own."""

    def __init__(self, data, tag):
        super().__init__(data, requires_grad=True)
        self.tag = tag


class Slotted(Value):
    """A value with a slot of its own."""

    __slots__ = ("rate",)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_the_attributes_of_a_subclass(copied):
    tagged, slotted = Tagged([1.0], ["bias"]), Slotted(1.0, name="v")
    slotted.rate = 0.1
    one, two = copied(tagged), copied(slotted)
    assert (type(one), one.tag, one.requires_grad, one.data.tolist()) == (Tagged, ["bias"], True, [1.0])
    assert (type(two), two.rate, two.name, two.data) == (Slotted, 0.1, "v", 1.0)
    assert one.data is not tagged.data


def test_a_gradient_penalty_adds_to_the_gradient_of_the_loss():
    x = Tensor([2.0, 3.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    (x.grad**2).sum().backward()
    assert x.grad.data.tolist() == [12.0 + 4 * 9 * 8.0, 27.0 + 4 * 9 * 27.0]


def test_create_graph_records_nothing_but_the_derivative():
    x = Value(3.0, name="x")
    (x * x).backward(create_graph=True)
    assert ag.formula(x.grad) == "1 * x + 1 * x"
    y = x**3
    x.zero_grad()
    with ag.no_grad():
        y.backward(create_graph=True)
    assert x.grad.requires_grad


def test_names_of_classes_are_those_of_unnamed_nodes():
    assert (Value.name, Tensor.hooks, Value.retains_grad, Tensor.retains_grad) == ("", (), True, False)


@pytest.mark.parametrize("slots", ["rate", ("rate", "unset"), ("__rate",)])
def test_copies_of_subclasses_with_unusual_slots(slots):
    kind = type("Slots", (Value,), {"__slots__": slots})
    name = "_Slots__rate" if slots == ("__rate",) else "rate"
    x = kind(1.0)
    setattr(x, name, 0.5)
    assert getattr(copy.deepcopy(x), name) == 0.5


def test_comparison_with_numbers_of_other_types_is_refused():
    for other in (fractions.Fraction(1, 2), decimal.Decimal("0.5"), 0.5 + 0j):
        with pytest.raises(TypeError, match="equal takes floats"):
            Value(0.5) == other  # noqa: B015
