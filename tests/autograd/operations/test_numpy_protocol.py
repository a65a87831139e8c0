"""NumPy's own functions on nodes: they record, or raise and say so; never an object array or a lost gradient."""

import operator

import numpy as np
import pytest
from looping import each

import autograd as ag
from autograd import Tensor, Value

RNG = np.random.default_rng(3)
A, B = RNG.uniform(0.2, 0.8, (3, 3)), RNG.uniform(0.2, 0.8, (3, 3))
SYMMETRIC = A @ A.T + np.eye(3)

UFUNCS = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sqrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arctanh",
    "absolute",
    "fabs",
    "negative",
    "positive",
    "sign",
    "floor",
    "ceil",
    "rint",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
]
PAIRS = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "power",
    "float_power",
    "maximum",
    "minimum",
    "hypot",
    "arctan2",
    "logaddexp",
    "fmod",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "matmul",
]

FUNCTIONS = {
    "sum": lambda x: np.sum(x, axis=0),
    "sum keepdims": lambda x: np.sum(x, axis=(0, 1), keepdims=True),
    "mean": lambda x: np.mean(x, 1),
    "var": lambda x: np.var(x, axis=1, ddof=1),
    "var correction": lambda x: np.var(x, axis=1, correction=1),
    "std": lambda x: np.std(x),
    "max": lambda x: np.max(x, axis=0),
    "amin": lambda x: np.amin(x, 1, keepdims=True),
    "prod": lambda x: np.prod(x, axis=1),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "cumsum of all": lambda x: np.cumsum(x),
    "cumprod": lambda x: np.cumprod(x, 0),
    "argmax": lambda x: np.argmax(x, axis=1),
    "argsort": lambda x: np.argsort(x, axis=0),
    "sort": lambda x: np.sort(x, axis=0),
    "any": lambda x: np.any(x > 0.5, axis=0),
    "all": lambda x: np.all(x > 0.0),
    "reshape": lambda x: np.reshape(x, (1, 9)),
    "ravel": lambda x: np.ravel(x),
    "transpose": lambda x: np.transpose(x),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 0), axis=0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "tile": lambda x: np.tile(x, (2, 1)),
    "flip": lambda x: np.flip(x, axis=1),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "tril": lambda x: np.tril(x, -1),
    "triu": lambda x: np.triu(x),
    "diag": lambda x: np.diag(x),
    "diagonal": lambda x: np.diagonal(x, 1),
    "trace": lambda x: np.trace(x),
    "pad": lambda x: np.pad(x, 1, constant_values=3.0),
    "pad reflect": lambda x: np.pad(x, ((0, 1), (1, 0)), mode="reflect"),
    "split": lambda x: np.split(x, 3)[1],
    "take": lambda x: np.take(x, [0, 2], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [1], [2]]), 1),
    "concatenate": lambda x: np.concatenate([x, B], axis=1),
    "stack": lambda x: np.stack((x, x), axis=-1),
    "where": lambda x: np.where(x > 0.5, x, 0.0),
    "clip": lambda x: np.clip(x, 0.3, 0.6),
    "clip by name": lambda x: np.clip(x, a_min=None, a_max=0.6),
    "round": lambda x: np.round(x),
    "round to decimals": lambda x: np.round(x, 2),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, B),
    "einsum optimize": lambda x: np.einsum("ij,kj", x, B, optimize=True),
    "tensordot": lambda x: np.tensordot(x, B, axes=1),
    "outer": lambda x: np.outer(x, B),
    "dot": lambda x: np.dot(x, B),
    "norm": lambda x: np.linalg.norm(x),
    "norm of rows": lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    "norm of order 1": lambda x: np.linalg.norm(x, 1, axis=0),
    "inv": lambda x: np.linalg.inv(x),
    "solve": lambda x: np.linalg.solve(x, B),
    "det": lambda x: np.linalg.det(x),
    "slogdet": lambda x: np.linalg.slogdet(x)[1],
    "cholesky": lambda x: np.linalg.cholesky(x @ np.swapaxes(x, 0, 1) + np.eye(3)),
    "add.reduce": lambda x: np.add.reduce(x),
    "concatenate of flat arrays": lambda x: np.concatenate([x, A[0], x], axis=None),
    "sort of the flat array": lambda x: np.sort(x, axis=None),
    "add.reduce of all": lambda x: np.add.reduce(x, axis=None),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=1, keepdims=True),
    "maximum.reduce": lambda x: np.maximum.reduce(x),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x, axis=1),
}


@each(UFUNCS)
def test_a_ufunc_of_a_tensor_is_a_tensor(name):
    ufunc = getattr(np, name)
    result = ufunc(Tensor(A, requires_grad=True))
    assert type(result) is Tensor
    np.testing.assert_allclose(result.data, ufunc(A), rtol=1e-15)


@each(UFUNCS)
def test_a_ufunc_of_a_value_is_a_value(name):
    ufunc = getattr(np, name)
    result = ufunc(Value(0.4))
    assert type(result) is Value
    assert result.data == pytest.approx(float(ufunc(0.4)), rel=1e-15)


@each(PAIRS)
def test_a_ufunc_of_an_array_and_a_tensor_records(name):
    ufunc = getattr(np, name)
    for x, y in ((A, Tensor(B, requires_grad=True)), (Tensor(A, requires_grad=True), B), (Tensor(A), Tensor(B))):
        result = ufunc(x, y)
        assert type(result) is Tensor
        np.testing.assert_allclose(result.data, ufunc(A, B), rtol=1e-15)


@each(FUNCTIONS.items())
def test_a_function_of_numpy_records(name, f):
    x = Tensor(A, requires_grad=True)
    result, expected = f(x), f(A)
    assert type(result) is Tensor
    np.testing.assert_allclose(result.data, expected, rtol=1e-13)
    assert result.requires_grad == (np.asarray(expected).dtype.kind == "f" and "round" not in name)


@pytest.mark.parametrize(
    "expression",
    [
        lambda t: A @ t,
        lambda t: A * t,
        lambda t: A - t,
        lambda t: np.float64(2.0) * t,
        lambda t: np.float32(2.0) / t,
        lambda t: [[1.0, 2.0, 3.0]] * t,
        lambda t: operator.add((1.0, 2.0, 3.0), t),
        lambda t: 2**t,
        lambda t: operator.gt(A, t),
        lambda t: np.int64(3) - t,
    ],
)
def test_numbers_arrays_and_lists_on_the_left(expression):
    t = Tensor(B, requires_grad=True)
    result = expression(t)
    assert type(result) is Tensor
    np.testing.assert_allclose(result.data, expression(B), rtol=1e-15)


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.int64(2), 2, 2.0, True])
def test_a_numpy_scalar_does_not_widen_float32(scalar):
    t = Tensor(np.float32([1.0, 2.0]), requires_grad=True)
    for result in (scalar * t, t * scalar, t / scalar, scalar - t, np.mean(t) + scalar, t**scalar):
        assert result.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda t: np.spacing(t), "np.spacing"),
        (lambda t: np.unwrap(t), "np.unwrap"),
        (lambda t: np.fft.fft(t), "np.fft"),
        (lambda t: np.linalg.eig(t), "np.linalg.eig"),
        (lambda t: np.linalg.eigvals(t), "np.linalg.eigvals"),
        (lambda t: np.linalg.trace(t), "np.linalg.trace"),
        (lambda t: np.poly(t), "np.poly"),
        (lambda t: np.nextafter(t, 1.0), "np.nextafter"),
        (lambda t: np.roots(t), "np.roots"),
        (lambda t: np.add.outer(t, t), "np.add.outer"),
        (lambda t: np.subtract.reduce(t), "np.subtract.reduce"),
        (lambda t: np.add.at(t, [0], 1.0), "np.add.at"),
        (lambda t: np.fix(t), "np.fix"),
        (lambda t: np.real(t), "np.real"),
    ],
)
def test_what_has_no_counterpart_raises_and_names_it(call, names):
    with pytest.raises(TypeError, match=names.replace(".", r"\.")) as caught:
        call(Tensor(A, requires_grad=True))
    assert "not supported on nodes" in str(caught.value)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda t: np.sum(t, dtype=np.float32), "dtype"),
        (lambda t: np.sum(t, where=A > 0.5), "where"),
        (lambda t: np.mean(t, 0, np.float32), "dtype"),
        (lambda t: np.exp(t, out=np.zeros((3, 3))), "out"),
        (lambda t: np.exp(t, dtype=np.float32), "dtype"),
        (lambda t: np.add.reduce(t, initial=3.0), "initial"),
        (lambda t: np.sort(t, kind="heapsort"), "kind"),
    ],
)
def test_an_argument_we_do_not_take_raises_and_is_named(call, argument):
    with pytest.raises(TypeError, match=argument):
        call(Tensor(A, requires_grad=True))


@pytest.mark.parametrize("ord", [1, -1, 2, -2, np.inf, -np.inf, "nuc"])
def test_norm_of_a_matrix_is_numpy_s(ord):
    found = np.linalg.norm(Tensor(A, requires_grad=True), ord)
    np.testing.assert_allclose(found.data, np.linalg.norm(A, ord), rtol=1e-14)
    with pytest.raises(ValueError, match="pass the axes"):
        np.linalg.norm(Tensor(np.ones((2, 2, 2))), ord)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [(np.shape, (3, 3)), (np.ndim, 2), (np.size, 9), (lambda t: np.allclose(t, A), True),
     (lambda t: np.array_equal(t, A), True), (lambda t: np.zeros_like(t).sum(), 0.0)],
)  # fmt: skip
def test_questions_without_a_gradient_are_answered(ask, answer):
    assert ask(Tensor(A, requires_grad=True)) == answer


def test_a_tensor_with_gradients_is_not_turned_into_an_array_silently():
    t = Tensor(A, requires_grad=True)
    for turn in (np.asarray, np.array, lambda t: np.array([t, t])):
        with pytest.raises(TypeError, match="detach"):
            turn(t)
    np.testing.assert_array_equal(np.asarray(t.detach()), A)


def test_gradients_through_numpy_are_ours():
    x = Tensor(A, requires_grad=True)
    np.sum(np.tanh(B @ x) * np.float64(2.0)).backward()
    y = Tensor(A, requires_grad=True)
    (ag.tanh(ag.matmul(B, y)) * 2.0).sum().backward()
    np.testing.assert_array_equal(x.grad, y.grad)


def test_a_list_of_tensors_is_no_operand():
    with pytest.raises(TypeError, match="stack"):
        ag.sum([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])])
