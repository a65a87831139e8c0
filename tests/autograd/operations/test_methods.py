"""Methods of nodes: NumPy's and PyTorch's names for the operations."""

import decimal
import fractions

import numpy as np
import pytest

import autograd as ag
from autograd import Node, Tensor, Value, gradients

RNG = np.random.default_rng(11)
X, COLUMN = RNG.normal(size=(2, 3, 4)), RNG.normal(size=4)


def same(found, expected, rtol=1e-14):
    found = found.data if isinstance(found, Node) else found
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-15)
    assert np.shape(found) == np.shape(expected)


METHODS = {
    "abs": lambda t: t.abs(),
    "absolute": lambda t: t.absolute(),
    "pow": lambda t: t.pow(2),
    "clamp": lambda t: t.clamp(-1, 1),
    "clip": lambda t: t.clip(-1, 1),
    "exp": lambda t: t.exp(),
    "square": lambda t: t.square(),
    "erf": lambda t: t.erf(),
    "sign": lambda t: t.sign(),
    "floor": lambda t: t.floor(),
    "round": lambda t: t.round(),
    "isnan": lambda t: t.isnan(),
    "arctan": lambda t: t.arctan(),
    "atan": lambda t: t.atan(),
    "atan2": lambda t: t.atan2(2.0),
    "hypot": lambda t: t.hypot(1.0),
    "sinh": lambda t: t.sinh(),
    "expm1": lambda t: t.expm1(),
    "reciprocal": lambda t: t.reciprocal(),
    "log1p": lambda t: (t * t).log1p(),
    "rsqrt": lambda t: (t * t).rsqrt(),
    "maximum": lambda t: t.maximum(0.5),
    "logaddexp": lambda t: t.logaddexp(1.0),
}


@pytest.mark.parametrize("f", METHODS.values(), ids=METHODS)
def test_methods_of_numbers(f):
    for x in (0.7, -1.3):
        assert f(Value(x)).data == pytest.approx(float(f(Tensor(x)).data), rel=1e-14)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda t: t.T, X.T),
        (lambda t: t.mT, X.swapaxes(-1, -2)),
        (lambda t: t.sum(dim=1), X.sum(1)),
        (lambda t: t.sum(0, keepdim=True), X.sum(0, keepdims=True)),
        (lambda t: t.mean(dim=(0, 2)), X.mean((0, 2))),
        (lambda t: t.var(dim=1, correction=1), X.var(1, ddof=1)),
        (lambda t: t.std(), X.std()),
        (lambda t: t.max(dim=2), X.max(2)),
        (lambda t: t.amin(dim=0), X.min(0)),
        (lambda t: t.prod(1), X.prod(1)),
        (lambda t: t.argmax(dim=1), X.argmax(1)),
        (lambda t: t.argmin(), X.argmin()),
        (lambda t: (t > 0).any(dim=1), (X > 0).any(1)),
        (lambda t: (t > 0).all(), (X > 0).all()),
        (lambda t: t.cumsum(dim=1), X.cumsum(1)),
        (lambda t: t.cumprod(axis=0), X.cumprod(0)),
        (lambda t: t.norm(dim=1), np.linalg.norm(X, axis=1)),
        (lambda t: t.sort(dim=0), np.sort(X, 0)),
        (lambda t: t.argsort(dim=0), X.argsort(0)),
        (lambda t: t.view(6, 4), X.reshape(6, 4)),
        (lambda t: t.reshape((6, 4)), X.reshape(6, 4)),
        (lambda t: t.flatten(), X.ravel()),
        (lambda t: t.flatten(1), X.reshape(2, 12)),
        (lambda t: t.ravel(), X.ravel()),
        (lambda t: t.transpose(), X.T),
        (lambda t: t.permute(2, 0, 1), X.transpose(2, 0, 1)),
        (lambda t: t.transpose((1, 0, 2)), X.transpose(1, 0, 2)),
        (lambda t: t.swapaxes(0, 1), X.swapaxes(0, 1)),
        (lambda t: t.moveaxis(0, 2), np.moveaxis(X, 0, 2)),
        (lambda t: t.unsqueeze(dim=1), X[:, None]),
        (lambda t: t.unsqueeze(-1), X[..., None]),
        (lambda t: t[:1].squeeze(dim=0), X[0]),
        (lambda t: t.broadcast_to((2, 2, 3, 4)), np.broadcast_to(X, (2, 2, 3, 4))),
        (lambda t: t.tile((1, 2, 1)), np.tile(X, (1, 2, 1))),
        (lambda t: t.repeat(2, axis=1), X.repeat(2, 1)),
        (lambda t: t.repeat_interleave(2, dim=1), X.repeat(2, 1)),
        (lambda t: t.flip(dim=1), np.flip(X, 1)),
        (lambda t: t.roll(1, 2), np.roll(X, 1, 2)),
        (lambda t: t.tril(), np.tril(X)),
        (lambda t: t.triu(1), np.triu(X, 1)),
        (lambda t: t.diagonal(0, 1, 2), X.diagonal(0, 1, 2)),
        (lambda t: t[0].diag(), np.diag(X[0])),
        (lambda t: t[0, :, :3].trace(), X[0, :, :3].trace()),
        (lambda t: t.split(2, axis=2)[0], X[..., :2]),
        (lambda t: t.take([0, 1], axis=2), X[..., :2]),
        (lambda t: t.index_add(0, 1.0), np.concatenate([X[:1] + 1.0, X[1:]])),
        (lambda t: t.masked_fill(t > 0, 0.0), np.where(X > 0, 0.0, X)),
        (lambda t: t.double(), X),
        (lambda t: t.dot(COLUMN), X @ COLUMN),
        (lambda t: t[0, :, :3].det(), np.linalg.det(X[0, :, :3])),
        (lambda t: t[0, :, :3].inverse(), np.linalg.inv(X[0, :, :3])),
        (lambda t: t.matmul(t.mT), X @ X.swapaxes(-1, -2)),
        (lambda t: t[0, 0].outer(t[1, 0]), np.outer(X[0, 0], X[1, 0])),
        (lambda t: t.logsumexp(dim=1), np.log(np.exp(X).sum(1))),
        (lambda t: t.softmax(dim=1).sum(dim=1), np.ones((2, 4))),
        (lambda t: t.log_softmax(dim=1).exp().sum(1), np.ones((2, 4))),
        (lambda t: t.numel(), 24),
        (lambda t: t.dim(), 3),
        (lambda t: t.size, 24),
    ],
)
def test_methods_of_tensors(f, expected):
    same(f(Tensor(X, requires_grad=True)), expected, rtol=1e-12)


def test_float_is_single_precision():
    assert Tensor([1.0]).float().dtype == np.float32
    assert Tensor([1.0]).astype("float32").double().dtype == np.float64


def test_a_matrix_on_the_left_of_a_tensor():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = [[1.0, 2.0], [3.0, 4.0]] @ x
    np.testing.assert_array_equal(y.data, [5.0, 11.0])
    np.testing.assert_array_equal(gradients(y.sum(), x), [4.0, 6.0])


def test_masks_meet_arrays_of_bools_on_either_side():
    mask = Tensor([1.0, -1.0]) > 0
    assert (True & mask).tolist() == [True, False]
    assert (False | mask).tolist() == [True, False]


@pytest.mark.parametrize("call", [lambda x: x ^ 2, lambda x: 2 ^ x], ids=["left", "right"])
@pytest.mark.parametrize("kind", [Value, Tensor])
def test_a_hat_is_no_power(call, kind):
    with pytest.raises(TypeError, match=r"write a power as x\*\*y"):
        call(kind(3.0))


@pytest.mark.parametrize("node", [Value(1.0), Tensor([1.0, 2.0])], ids=["Value", "Tensor"])
@pytest.mark.parametrize("other", [None, "auto", {}], ids=repr)
def test_comparison_with_an_object_that_is_not_a_number_is_pythons(node, other):
    assert (node == other) is False
    assert (node != other) is True
    assert node not in [other]


def test_comparison_with_numbers_of_other_types_is_refused():
    for other in (fractions.Fraction(1, 2), decimal.Decimal("0.5"), 0.5 + 0j):
        with pytest.raises(TypeError, match="equal takes floats"):
            Value(0.5) == other  # noqa: B015


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_array_on_the_left_of_a_tensor_records(x):
    y = (np.ones(2) * x + np.tanh(x)).sum()
    assert type(y) is Tensor
    y.backward()
    np.testing.assert_allclose(x.grad, 2 - np.tanh(x.data) ** 2)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda x: ag.std(x, dim=1, keepdim=True), X.std(1, keepdims=True)),
        (lambda x: ag.cumsum(x, dim=0), X.cumsum(0)),
        (lambda x: ag.stack([x, x], dim=1), np.stack([X, X], 1)),
        (lambda x: ag.norm(x, p=1, dim=2), np.abs(X).sum(2)),
        (lambda x: ag.flip(x, dims=(0, 1)), X[::-1, ::-1]),
        (lambda x: ag.tensordot(x, x[0].mT, dims=1), np.tensordot(X, X[0].T, 1)),
        (lambda x: ag.pad(x, 1, value=5.0), np.pad(X, 1, constant_values=5.0)),
    ],
)
def test_functions_of_several_operations_take_the_names_of_pytorch(found, expected):
    np.testing.assert_allclose(found(Tensor(X)).data, expected)


def test_an_argument_given_under_two_names_is_refused():
    with pytest.raises(TypeError, match="axis or dim, which mean the same"):
        ag.std(Tensor(X), dim=1, axis=1)
