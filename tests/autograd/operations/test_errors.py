"""Wrong operands, shapes, axes and indices: an error of the right type that says what was given and expected."""

import math
import operator

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import Tensor, Value


def tensor(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


# (what, call, type of the error, texts that the message holds)
FAULTS = [
    # shapes that do not fit
    ("add", lambda: tensor(2, 3) + tensor(4), ValueError, ["add", "(2, 3)", "(4,)"]),
    ("where", lambda: ag.where(tensor(2) > 0, tensor(3), 0.0), ValueError, ["where", "(2,)", "(3,)"]),
    (
        "matmul",
        lambda: tensor(2, 3) @ tensor(4, 5),
        ValueError,
        ["matmul", "(2, 3)", "(4, 5)", "dimensions differ"],
    ),
    ("matmul vector", lambda: tensor(2, 3) @ tensor(4), ValueError, ["matmul", "(2, 3)", "(4,)"]),
    (
        "matmul batch",
        lambda: tensor(2, 3, 4) @ tensor(5, 4, 3),
        ValueError,
        ["matmul", "(2, 3, 4)", "(5, 4, 3)", "leading dimensions do not broadcast"],
    ),
    ("matmul number", lambda: tensor(2, 3) @ 2.0, ValueError, ["matmul", "use *"]),
    ("matmul 0-d", lambda: tensor() @ tensor(2), ValueError, ["matmul", "use *"]),
    ("dot", lambda: ag.dot(tensor(2, 3), tensor(2)), ValueError, ["matmul", "(2, 3)", "(2,)"]),
    ("einsum lengths", lambda: ag.einsum("ij,jk", tensor(2, 3), tensor(4, 5)), ValueError, ["'j'", "3", "4"]),
    ("einsum axes", lambda: ag.einsum("ij", tensor(2)), ValueError, ["'ij'", "(2,)"]),
    ("einsum operands", lambda: ag.einsum("ij,jk", tensor(2, 3)), ValueError, ["2 operand", "1"]),
    ("einsum letters", lambda: ag.einsum("i->k", tensor(2)), ValueError, ["'k'"]),
    ("einsum signs", lambda: ag.einsum("i;j", tensor(2)), ValueError, ["i;j"]),
    ("tensordot", lambda: ag.tensordot(tensor(2, 3), tensor(4, 5), 1), ValueError, ["3", "4"]),
    ("concatenate", lambda: ag.concatenate([tensor(2, 3), tensor(2, 4)]), ValueError, ["concatenate", "(2, 3)"]),
    ("stack", lambda: ag.stack([tensor(2), tensor(3)]), ValueError, ["stack", "(2,)", "(3,)"]),
    ("broadcast_to", lambda: ag.broadcast_to(tensor(2), (3,)), ValueError, ["broadcast_to", "(2,)", "(3,)"]),
    ("inv", lambda: ag.inv(tensor(2, 3)), ValueError, ["inv", "square", "(2, 3)"]),
    ("inv singular", lambda: ag.inv(tensor(2, 2)), ValueError, ["inv", "ingular"]),
    ("solve", lambda: ag.solve(tensor(2, 2), tensor(3)), ValueError, ["solve", "(2, 2)", "(3,)", "dimensions differ"]),
    ("cholesky", lambda: ag.cholesky(Tensor([[-1.0]])), ValueError, ["cholesky", "positive definite"]),
    ("diag", lambda: ag.diag(tensor(2, 2, 2)), ValueError, ["diag", "(2, 2, 2)"]),
    ("trace", lambda: ag.trace(tensor(2)), ValueError, ["two dimensions"]),
    ("index_add", lambda: ag.index_add(tensor(3), [0, 1], tensor(3)), ValueError, ["scatter", "(3,)"]),
    ("take_along_axis", lambda: ag.take_along_axis(tensor(2, 2), [0]), ValueError, ["(1,)", "(2, 2)"]),
    # axes and sizes
    ("reshape", lambda: tensor(2, 3).reshape(4, 2), ValueError, ["reshape", "6", "(4, 2)"]),
    ("two unknown lengths", lambda: tensor(2, 3).reshape(-1, -1), ValueError, ["(-1, -1)", "one unknown"]),
    ("sum axis", lambda: tensor(2, 3).sum(2), np.exceptions.AxisError, ["sum", "axis 2", "dimension 2"]),
    ("mean axis twice", lambda: tensor(2, 3).mean((0, 0)), ValueError, ["mean", "axis=(0, 0)", "duplicate"]),
    ("transpose", lambda: tensor(2, 3).transpose(0, 2), np.exceptions.AxisError, ["axis 2", "dimension 2"]),
    ("transpose twice", lambda: tensor(2, 3).transpose(0, 0), ValueError, ["transpose", "repeated"]),
    ("softmax axis", lambda: tensor(2, 3).softmax(5), np.exceptions.AxisError, ["softmax", "axis 5"]),
    ("stack axis", lambda: ag.stack([tensor(2)], 4), np.exceptions.AxisError, ["axis 4"]),
    ("squeeze", lambda: tensor(2, 1).squeeze(0), ValueError, ["axis 0", "(2, 1)"]),
    ("expand_dims twice", lambda: ag.expand_dims(tensor(2), (0, 0)), ValueError, ["repeated axis"]),
    ("moveaxis", lambda: ag.moveaxis(tensor(2, 3), (0, 1), 0), ValueError, ["moveaxis"]),
    ("cumsum axis", lambda: tensor(2).cumsum(1), np.exceptions.AxisError, ["axis 1"]),
    ("cumprod axis", lambda: tensor(2).cumprod(1), np.exceptions.AxisError, ["axis 1"]),
    ("flip axis", lambda: tensor(2).flip(1), np.exceptions.AxisError, ["axis 1"]),
    ("norm axis", lambda: tensor(2).norm(axis=1), np.exceptions.AxisError, ["axis 1"]),
    ("norm order", lambda: tensor(2).norm("two"), ValueError, ["number as order", "two"]),
    ("split", lambda: ag.split(tensor(5), 2), ValueError, ["axis 0 of length 5", "2 equal"]),
    ("split into none", lambda: ag.split(tensor(5), 0), ValueError, ["0 equal"]),
    ("repeat", lambda: ag.repeat(tensor(5), -2), ValueError, ["negative"]),
    ("max of two", lambda: ag.max(tensor(2), tensor(2)), TypeError, ["axis", "maximum(a, b)"]),
    ("tile", lambda: ag.tile(tensor(5), 1.5), TypeError, ["integer"]),
    ("roll axis", lambda: ag.roll(tensor(2, 3), 1, 2), np.exceptions.AxisError, ["roll", "axis 2"]),
    ("rot90", lambda: ag.rot90(tensor(2, 3), 0, (1, -1)), ValueError, ["repeated axis"]),
    ("pad width", lambda: ag.pad(tensor(5), -1), ValueError, ["pad", "negative"]),
    ("pad width of a float", lambda: ag.pad(tensor(5), 1.5), TypeError, ["pad expected integers", "got 1.5"]),
    ("pad mode", lambda: ag.pad(tensor(5), 1, "mean"), ValueError, ["'mean'", "reflect"]),
    ("axis and dim", lambda: tensor(2).sum(axis=0, dim=0), TypeError, ["axis", "dim"]),
    ("unknown keyword", lambda: ag.cumsum(tensor(2), keepdims=True), TypeError, ["cumsum() got an unex", "'keepdims'"]),
    ("axis given twice", lambda: ag.cumsum(tensor(2), 0, axis=0), TypeError, ["cumsum() multiple values", "'axis'"]),
    ("axis and dim by position", lambda: ag.sum(tensor(2), 0, dim=0), TypeError, ["sum() multiple values", "'axis'"]),
    ("no operand", lambda: ag.sum(axis=0), TypeError, ["sum() missing", "'x'"]),
    ("vecdot of a number", lambda: ag.vecdot(tensor(2), 2.0), ValueError, ["vecdot", "dimension 0"]),
    ("float positions to insert", lambda: ag.insert(tensor(3), Tensor([1.0]), 2.0), TypeError, ["integers"]),
    ("float positions", lambda: ag.delete(tensor(3), Tensor([1.0])), IndexError, ["integer"]),
    # indices
    ("index", lambda: tensor(3)[5], IndexError, ["5", "size 3"]),
    ("list index", lambda: tensor(3)[[0, 7]], IndexError, ["7", "size 3"]),
    ("too many indices", lambda: tensor(3)[0, 0], IndexError, ["too many", "1-dimensional"]),
    ("float index", lambda: tensor(3)[1.5], IndexError, ["1.5", "integers"]),
    ("whole float index", lambda: tensor(3)[1.0], IndexError, ["1.0", "integers"]),
    ("float array index", lambda: tensor(3)[np.array([0.0, 1.0])], IndexError, ["float64"]),
    ("fraction in a Tensor index", lambda: tensor(3)[Tensor([0.5])], IndexError, ["0.5"]),
    ("text index", lambda: tensor(3)["a"], IndexError, ["'a'"]),
    ("mask of another length", lambda: tensor(3)[[True, False]], IndexError, ["3", "2"]),
    ("take", lambda: ag.take(tensor(3), [4]), IndexError, ["4", "size 3"]),
    ("scatter", lambda: ag.scatter(tensor(1), [4], (3,)), IndexError, ["4", "size 3"]),
    ("assignment", lambda: operator.setitem(tensor(3), 0, 1.0), TypeError, ["where", "index_add"]),
    # nothing to choose from
    ("max", lambda: tensor(0).max(), ValueError, ["max(shape (0,))", "empty"]),
    ("min axis", lambda: tensor(2, 0).min(axis=1), ValueError, ["min(shape (2, 0), axis=1)", "empty"]),
    ("argmax", lambda: tensor(0).argmax(), ValueError, ["argmax", "empty"]),
    ("argmin", lambda: tensor(0, 3).argmin(axis=0), ValueError, ["argmin(shape (0, 3), axis=0)", "empty"]),
    ("median", lambda: ag.median(tensor(2, 0), axis=1), ValueError, ["empty", "(2, 0)", "axis=1"]),
    # numbers from arrays
    ("item", lambda: tensor(2).item(), ValueError, ["2", "(2,)"]),
    ("float", lambda: float(tensor(2)), ValueError, ["2"]),
    ("int", lambda: int(tensor(2)), ValueError, ["2"]),
    ("bool", lambda: bool(tensor(2)), ValueError, ["2", "where"]),
    ("len", lambda: len(tensor()), TypeError, ["0-d"]),
    ("iteration", lambda: list(tensor()), TypeError, ["0-d"]),
    # what is no operand
    ("text", lambda: tensor(2) + "a", TypeError, ["add", "'a'", "str"]),
    ("text on the left", lambda: "a" * Value(2.0), TypeError, ["multiply", "'a'"]),
    ("None", lambda: Value(1.0) * None, TypeError, ["multiply", "None"]),
    ("dict", lambda: tensor(2) - {}, TypeError, ["subtract", "dict"]),
    ("complex", lambda: tensor(2) * 1j, TypeError, ["multiply", "complex"]),
    ("complex array", lambda: tensor(2) * np.ones(2, complex), TypeError, ["multiply", "complex128"]),
    ("text array", lambda: tensor(2) * np.array(["a", "b"]), TypeError, ["multiply", "<U1"]),
    ("ragged list", lambda: operator.add(tensor(2), [[1.0], [1.0, 2.0]]), ValueError, ["add", "ragged", "pad or cut"]),
    ("ragged Tensor", lambda: Tensor([[1.0], [1.0, 2.0]]), ValueError, ["a Tensor", "ragged", "pad or cut"]),
    ("bits of numbers", lambda: tensor(2) & tensor(2), TypeError, ["&", "logical_and"]),
    ("list of Tensors", lambda: ag.tanh([tensor(2), tensor(2)]), TypeError, ["tanh", "stack"]),
    ("dtype", lambda: tensor(2).astype(str), TypeError, ["float"]),
    ("too many arguments", lambda: ag.tanh(1.0, 2.0), TypeError, ["positional"]),
]


@pytest.mark.parametrize(("call", "kind", "texts"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_is_named(call, kind, texts):
    with pytest.raises(kind) as caught:
        call()
    for text in texts:
        assert text in str(caught.value)
    assert "gufunc" not in str(caught.value)


# ----------------------------------------------------------------------------------------------- what must work


def test_an_index_may_be_a_tensor_of_whole_numbers():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[Tensor([0, 2])].sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * 2.0 + 1,
        lambda x: x.mean() / 3,
        lambda x: np.float64(0.5) * x,
        lambda x: x * np.array([True, False]),
        lambda x: ag.where(x > 0, x, 0.0),
        lambda x: ag.pad(x, 1, constant_values=1.5),
        lambda x: x**2 - x / 7,
        lambda x: x.std() + x.var() + x.norm(3),
        lambda x: ag.clip(x, -1, 1.5),
        lambda x: x.softmax() * x.logsumexp(),
        lambda x: ag.maximum(x, 0.5) + ag.leaky_relu(x),
        lambda x: x.cumprod() * x.prod(),
    ],
)
def test_float32_stays(f):
    x = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    y = f(x)
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_each_leaf_gets_a_gradient_of_its_own_dtype():
    single, double = Tensor(np.float32([1.0]), requires_grad=True), Tensor([2.0], requires_grad=True)
    (single * double).sum().backward()
    assert single.grad.dtype == np.float32
    assert double.grad.dtype == np.float64


def test_astype_keeps_the_gradient_between_floats_and_cuts_it_to_integers():
    x = Tensor([1.5, 2.5], requires_grad=True)
    (x.float().astype(np.float64) * x.double()).sum().backward()
    np.testing.assert_array_equal(x.grad, [3.0, 5.0])
    labels = x.astype(np.int64)
    assert not labels.requires_grad
    assert labels.tolist() == [1, 2]
    assert ag.astype(Value(2.0), np.float32).data == 2.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_flows_through(bad):
    x = Tensor([bad, 1.0], requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = (x * 2.0).sum()
    assert not np.isfinite(y.data)
    (x * Tensor([1.0, bad])).sum().backward()
    np.testing.assert_array_equal(x.grad, [1.0, bad])


def test_adding_in_place_binds_a_new_node():
    t = tensor(2)
    before = t
    t += 1.0
    t *= 2.0
    t -= before
    assert t is not before
    np.testing.assert_array_equal(before.data, [1.0, 1.0])
    t.sum().backward()
    np.testing.assert_array_equal(before.grad, [1.0, 1.0])


def test_factors_with_axes_to_themselves():
    with pytest.raises(ValueError, match="pairs of axes of equal length"):
        ag.tensordot(Tensor(np.ones((2, 2))), np.ones((2, 2)), ([0, 1], [0]))


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


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
        with raises(ValueError, "empty", r"\(2, 0\), axis=1"):
            call(axis=1)


def test_invalid_operands_raise(x):
    for wrong, says in (("a", "str"), (None, "None"), ({}, "dict"), (np.array([None, 1.0]), "None")):
        with raises(TypeError, "add", says):
            x + wrong
    with raises(ValueError, "add", "unequal"):
        ag.add(x, [[1.0], [1.0, 2.0]])
