"""What the operations compute, against NumPy and the standard library."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import Tensor, Value

RNG = np.random.default_rng(11)
X, Y = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
SQUARE, VECTOR = RNG.normal(size=(3, 3)), RNG.normal(size=3)
AXES = [None, 0, 1, -1, (0, 2), (0, 1, 2), ()]


def same(found, expected, rtol=1e-14):
    found = found.data if isinstance(found, ag.Node) else found
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-15)
    assert np.shape(found) == np.shape(expected)


# ------------------------------------------------------------------------------------------------- elementwise


@pytest.mark.parametrize(
    ("name", "reference", "points"),
    [
        ("erf", math.erf, np.concatenate([np.linspace(-7, 7, 4001), 10.0 ** np.arange(-300, 0, 7), [0.0, -1.0, 1.0]])),
        ("exp2", math.exp2, np.linspace(-20, 20, 101)),
        ("expm1", math.expm1, 10.0 ** np.arange(-18, 1)),
        ("log1p", math.log1p, 10.0 ** np.arange(-18, 1)),
        ("log2", math.log2, 2.0 ** np.arange(-5, 5)),
        ("log10", math.log10, 10.0 ** np.arange(-5, 5)),
        ("rsqrt", lambda x: 1 / math.sqrt(x), np.linspace(0.1, 9, 50)),
        ("square", lambda x: x * x, np.linspace(-3, 3, 50)),
        ("reciprocal", lambda x: 1 / x, np.linspace(0.1, 3, 50)),
        ("asinh", math.asinh, np.linspace(-50, 50, 101)),
        ("acosh", math.acosh, np.linspace(1, 50, 101)),
        ("atanh", math.atanh, np.linspace(-0.9, 0.9, 101)),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x)), np.linspace(-30, 30, 101)),
        ("softplus", lambda x: math.log1p(math.exp(x)), np.linspace(-30, 30, 101)),
        ("floor", math.floor, np.linspace(-3, 3, 25)),
        ("ceil", math.ceil, np.linspace(-3, 3, 25)),
        ("round", round, np.linspace(-3, 3, 25)),
        ("sign", lambda x: (x > 0) - (x < 0), np.linspace(-1, 1, 5)),
    ],
)
def test_elementwise_operations_equal_the_math_module(name, reference, points):
    operation = getattr(ag, name)
    expected = np.array([reference(x) for x in points.tolist()], dtype=float)
    np.testing.assert_allclose(operation(points), expected, rtol=1e-15 if name != "softplus" else 2e-15, atol=0)
    for x, e in zip(points.tolist(), expected.tolist(), strict=True):
        value = operation(Value(x)).data
        assert type(value) is float
        assert value == pytest.approx(e, rel=1e-15)


@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan, 0.0, -0.0, 6.0, 1e300])
def test_erf_at_extreme_arguments_equals_math_erf(x):
    np.testing.assert_array_equal(ag.erf(np.array([x])), [math.erf(x)])


def test_erf_of_float32_is_accurate():
    x = np.linspace(-4, 4, 200, dtype=np.float32)
    assert ag.erf(x).dtype == np.float32
    np.testing.assert_allclose(ag.erf(x), [math.erf(v) for v in x.tolist()], rtol=3e-7)


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "sign"])
@pytest.mark.parametrize("x", [math.inf, -math.inf, math.nan])
def test_rounding_of_nonfinite_values_returns_them(name, x):
    np.testing.assert_array_equal(getattr(ag, name)(Value(x)).data, np.array(getattr(ag, name)(np.array(x))))


@pytest.mark.parametrize(
    ("name", "numpy"),
    [("fmod", np.fmod), ("hypot", np.hypot), ("atan2", np.arctan2), ("logaddexp", np.logaddexp),
     ("maximum", np.maximum), ("minimum", np.minimum)],
)  # fmt: skip
def test_operations_of_two_arguments_equal_numpy(name, numpy):
    operation = getattr(ag, name)
    same(operation(X, Y), numpy(X, Y))
    for x, y in itertools.product([-2.5, 0.3, 1.0], [-1.5, 1.0, 4.0]):
        assert operation(x, y) == pytest.approx(float(numpy(x, y)), rel=1e-15)


@pytest.mark.parametrize("pair", [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (-math.inf, math.inf)])
@pytest.mark.parametrize("name", ["maximum", "minimum", "logaddexp"])
def test_operations_of_nonfinite_pairs_equal_numpy(name, pair):
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(getattr(ag, name)(*pair), getattr(np, name)(*pair))


@pytest.mark.parametrize("bounds", [(-0.5, 0.5), (None, 0.2), (-0.2, None), (np.zeros(4), np.ones(4)), (1, -1)])
def test_clip_equals_numpy(bounds):
    same(ag.clip(X, *bounds), np.clip(X, *bounds))
    same(ag.clip(np.arange(5), min=1), np.clip(np.arange(5), 1, None))
    assert ag.clip(np.arange(5), max=3).dtype == np.arange(5).dtype


@pytest.mark.parametrize("f", [ag.isnan, ag.isinf, ag.isfinite, ag.logical_not])
def test_predicates_equal_numpy(f):
    points = np.array([0.0, 1.0, math.nan, math.inf])
    np.testing.assert_array_equal(f(points), getattr(np, f.__name__)(points))
    assert [f(float(x)) for x in points] == getattr(np, f.__name__)(points).tolist()
    assert not f(Tensor(points, requires_grad=True)).requires_grad


def test_round_to_decimals_equals_numpy():
    np.testing.assert_array_equal(ag.round(X, 2), np.round(X, 2))
    assert ag.round(2.675, 2) == round(2.675, 2)
    assert ag.round(Value(1234.5), -2).data == 1200.0


def test_masks_combine_by_operators():
    t = Tensor([-1.0, 0.5, 2.0], requires_grad=True)
    assert ((t > 0) & (t < 1)).tolist() == [False, True, False]
    assert ((t < 0) | (t > 1)).tolist() == [True, False, True]
    assert (~(t > 0)).tolist() == [True, False, False]
    assert (np.array([True, True, False]) & (t > 0)).tolist() == [False, True, False]


# ---------------------------------------------------------------------------------------------------- reducing


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std", "any", "all"])
def test_reductions_equal_numpy(name, axis, keepdims):
    f, numpy = getattr(ag, name), getattr(np, name)
    same(f(X, axis=axis, keepdims=keepdims), numpy(X, axis=axis, keepdims=keepdims), rtol=1e-12)
    same(f(Tensor(X), axis, keepdims), numpy(X, axis=axis, keepdims=keepdims), rtol=1e-12)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("name", ["var", "std"])
def test_ddof_and_correction_equal_numpy(name, axis):
    f, numpy = getattr(ag, name), getattr(np, name)
    same(f(X, axis, ddof=1), numpy(X, axis=axis, ddof=1), rtol=1e-13)
    same(f(X, axis, correction=1), numpy(X, axis=axis, ddof=1), rtol=1e-13)


def test_variance_of_values_far_from_zero_is_exact():
    far = 1e9 + np.array([1.0, 2.0, 3.0])
    same(ag.var(far), 2 / 3, rtol=1e-14)
    same(ag.std(far), math.sqrt(2 / 3), rtol=1e-14)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "argmax", "argmin"])
def test_cumulative_operations_and_argmax_equal_numpy(name, axis):
    same(getattr(ag, name)(X, axis), getattr(np, name)(X, axis), rtol=1e-13)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_sort_equals_numpy(axis):
    same(ag.sort(X, axis), np.sort(X, axis))
    if axis is not None:
        same(ag.argsort(X, axis), np.argsort(X, axis))


@pytest.mark.parametrize("axis", [0, -1, (0, 2)])
def test_logsumexp_equals_numpy_without_overflow(axis):
    same(ag.logsumexp(X, axis), np.log(np.exp(X).sum(axis)), rtol=1e-13)
    same(ag.logsumexp(X + 800, axis), np.log(np.exp(X).sum(axis)) + 800, rtol=1e-13)


@pytest.mark.parametrize("f", [ag.sum, ag.mean, ag.max, ag.min, ag.prod, ag.norm])
def test_reductions_of_a_value_return_it(f):
    x = Value(3.0)
    y = f(x)
    y.backward()
    assert (type(y), y.data, x.grad) == (Value, 3.0, 1.0)


@pytest.mark.parametrize("f", [ag.var, ag.std])
def test_variance_of_a_value_is_zero(f):
    x = Value(3.0)
    y = f(x)
    y.backward()
    assert (y.data, x.grad) == (0.0, 0.0)


# ------------------------------------------------------------------------------------------- shaping, indexing


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (lambda: ag.reshape(X, (4, -1)), lambda: np.reshape(X, (4, -1))),
        (lambda: ag.transpose(X, (2, 0, 1)), lambda: np.transpose(X, (2, 0, 1))),
        (lambda: ag.swapaxes(X), lambda: np.swapaxes(X, -1, -2)),
        (lambda: ag.moveaxis(X, 0, -1), lambda: np.moveaxis(X, 0, -1)),
        (lambda: ag.moveaxis(X, (0, 1), (-1, 0)), lambda: np.moveaxis(X, (0, 1), (-1, 0))),
        (lambda: ag.expand_dims(X, (0, 2, -1)), lambda: np.expand_dims(X, (0, 2, -1))),
        (lambda: ag.squeeze(X[:1, :, :1]), lambda: np.squeeze(X[:1, :, :1])),
        (lambda: ag.squeeze(X[:1, :, :1], -1), lambda: np.squeeze(X[:1, :, :1], -1)),
        (lambda: ag.flatten(X), lambda: X.ravel()),
        (lambda: ag.broadcast_to(VECTOR, (2, 3)), lambda: np.broadcast_to(VECTOR, (2, 3))),
        (lambda: ag.repeat(X, 3), lambda: np.repeat(X, 3)),
        (lambda: ag.repeat(X, 2, 1), lambda: np.repeat(X, 2, 1)),
        (lambda: ag.repeat(X, [0, 1, 2], 1), lambda: np.repeat(X, [0, 1, 2], 1)),
        (lambda: ag.repeat(X, 0, 1), lambda: np.repeat(X, 0, 1)),
        (lambda: ag.tile(X, 2), lambda: np.tile(X, 2)),
        (lambda: ag.tile(X, (2, 1, 1, 3)), lambda: np.tile(X, (2, 1, 1, 3))),
        (lambda: ag.tile(X, (0, 1)), lambda: np.tile(X, (0, 1))),
        (lambda: ag.tile(2.0, 3), lambda: np.tile(2.0, 3)),
        (lambda: ag.flip(X), lambda: np.flip(X)),
        (lambda: ag.flip(X, (0, -1)), lambda: np.flip(X, (0, -1))),
        (lambda: ag.roll(X, 5), lambda: np.roll(X, 5)),
        (lambda: ag.roll(X, (1, -1), (0, 2)), lambda: np.roll(X, (1, -1), (0, 2))),
        (lambda: ag.roll(X, (1, 1), 2), lambda: np.roll(X, (1, 1), 2)),
        (lambda: ag.roll(X, (1, 3)), lambda: np.roll(X, (1, 3))),
        *[(partial(ag.rot90, X, k, (2, -3)), partial(np.rot90, X, k, (2, -3))) for k in range(-3, 3)],
        (lambda: ag.tril(X, 1), lambda: np.tril(X, 1)),
        (lambda: ag.triu(X, -1), lambda: np.triu(X, -1)),
        (lambda: ag.diag(VECTOR, 2), lambda: np.diag(VECTOR, 2)),
        (lambda: ag.diag(VECTOR, -1), lambda: np.diag(VECTOR, -1)),
        (lambda: ag.diag(X[0], 1), lambda: np.diag(X[0], 1)),
        (lambda: ag.diag(X[0], -9), lambda: np.diag(X[0], -9)),
        (lambda: ag.diagonal(X, 1, 2, 1), lambda: np.diagonal(X, 1, 2, 1)),
        (lambda: ag.trace(X, -1, 1, 2), lambda: np.trace(X, -1, 1, 2)),
        (lambda: ag.pad(X, 1), lambda: np.pad(X, 1)),
        (lambda: ag.pad(X, (1, 2), constant_values=3.0), lambda: np.pad(X, (1, 2), constant_values=3.0)),
        (lambda: ag.pad(X, ((0, 1), (2, 0), (1, 1)), "edge"), lambda: np.pad(X, ((0, 1), (2, 0), (1, 1)), "edge")),
        (lambda: ag.pad(X, (1, 0), "reflect"), lambda: np.pad(X, (1, 0), "reflect")),
        (lambda: ag.pad(X, 2, "symmetric"), lambda: np.pad(X, 2, "symmetric")),
        (lambda: ag.pad(X, 3, "wrap"), lambda: np.pad(X, 3, "wrap")),
        (lambda: ag.split(X, 2, axis=2)[1], lambda: np.split(X, 2, axis=2)[1]),
        (lambda: ag.split(X, [1, 1, 3], axis=-1)[1], lambda: np.split(X, [1, 1, 3], axis=-1)[1]),
        (lambda: ag.take(X, [[0, 5], [23, -1]]), lambda: np.take(X, [[0, 5], [23, -1]])),
        (lambda: ag.take(X, 1, axis=1), lambda: np.take(X, 1, axis=1)),
        (
            lambda: ag.take_along_axis(X, np.argsort(Y, 1), 1),
            lambda: np.take_along_axis(X, np.argsort(Y, 1), 1),
        ),
        (lambda: ag.take_along_axis(X, np.array([3, 1]), None), lambda: np.take_along_axis(X, np.array([3, 1]), None)),
        (lambda: ag.concatenate([X, Y[:, :1]], 1), lambda: np.concatenate([X, Y[:, :1]], 1)),
        (lambda: ag.stack([X, Y], -1), lambda: np.stack([X, Y], -1)),
        (lambda: ag.outer(VECTOR, X), lambda: np.outer(VECTOR, X)),
        (lambda: ag.dot(X, SQUARE[:, 0].repeat(2)[:4]), lambda: np.dot(X, SQUARE[:, 0].repeat(2)[:4])),
        (lambda: ag.dot(X, X.transpose(0, 2, 1)), lambda: np.dot(X, X.transpose(0, 2, 1))),
        (lambda: ag.dot(2.0, X), lambda: np.dot(2.0, X)),
        (lambda: ag.tensordot(X, Y, ([0, 2], [0, 2])), lambda: np.tensordot(X, Y, ([0, 2], [0, 2]))),
        (lambda: ag.tensordot(VECTOR, VECTOR, 0), lambda: np.tensordot(VECTOR, VECTOR, 0)),
        (lambda: ag.tensordot(X, Y.transpose(1, 2, 0), 2), lambda: np.tensordot(X, Y.transpose(1, 2, 0), 2)),
    ],
)  # fmt: skip
def test_shaping_and_indexing_equal_numpy(ours, numpys):
    same(ours(), numpys())


@pytest.mark.parametrize(
    "index",
    [
        0, -1, slice(None, None, -2), None, ..., (0, 1), (slice(1), ..., 2), (None, 1, ..., None), [0, 1, 1],
        ([0, 1], [2, 0]), (slice(None), [0, 2], 1), ([0], slice(None), [1]), X > 0, (0, np.array([True, False, True])),
        np.int64(1), True, [], (..., np.array([[0, 1], [2, 3]])), np.array(1),
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_index_has_value_and_gradient(index):
    x = Tensor(X, requires_grad=True)
    same(x[index], X[index])
    weights = RNG.normal(size=X[index].shape)
    (x[index] * weights).sum().backward()
    expected = np.zeros(X.shape)
    np.add.at(expected, index, weights)
    np.testing.assert_array_equal(x.grad, expected)


def test_default_axes_equal_numpy():
    places = np.argsort(X, -1)
    same(ag.take_along_axis(X, places), np.take_along_axis(X, places, -1))
    same(ag.sort(X), np.sort(X))
    same(ag.argsort(X), places)
    same(ag.softmax(X), ag.softmax(X, 2))
    same(ag.log_softmax(X), ag.log_softmax(X, 2))
    same(ag.concatenate([X, Y]), np.concatenate([X, Y]))
    same(ag.stack([X, Y]), np.stack([X, Y]))
    same(ag.split(X, 2)[1], X[1:])
    same(ag.trace(X[:, :, :2]), np.trace(X[:, :, :2]))
    same(ag.diagonal(X), np.diagonal(X))
    same(ag.tensordot(X, Y.transpose(1, 2, 0)), np.tensordot(X, Y.transpose(1, 2, 0)))
    same(ag.tril(X), np.tril(X))
    same(ag.norm(X), np.sqrt((X * X).sum()))


def test_split_of_an_empty_array_returns_empty_parts():
    assert [part.shape for part in ag.split(np.zeros((0, 2)), 3)] == [(0, 2)] * 3


def test_scatter_and_index_add_accumulate():
    expected = X.copy()
    np.add.at(expected, ([0, 0, 1], [1, 1, 2]), 1.0)
    same(ag.index_add(X, ([0, 0, 1], [1, 1, 2]), 1.0), expected)
    same(ag.scatter([1.0, 2.0], slice(1, 3), (4,)), [0.0, 1.0, 2.0, 0.0])
    assert ag.scatter(np.float32([1.0]), [0], (2,)).dtype == np.float32


# ---------------------------------------------------------------------------------------------- linear algebra


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk", [(2, 3), (3, 4)]), ("ba", [(2, 3)]), ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]), ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]), ("i,i", [(3,), (3,)]), ("i,j", [(2,), (3,)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]), ("...ij->...", [(5, 2, 3)]), ("i...->...", [(5, 2, 3)]),
        ("...i,...i", [(4, 1, 3), (2, 3)]), ("ijk,kl,l->ij", [(2, 3, 4), (4, 5), (5,)]), (",i->i", [(), (3,)]),
        (" i j , j -> i ", [(2, 3), (3,)]), ("abcd,abce->dea", [(2, 3, 2, 4), (2, 3, 2, 5)]), ("iij->ji", [(2, 2, 3)]),
        ("...->...", [(2, 3)]), ("i...j->j...", [(2, 3, 4)]),
    ],
)  # fmt: skip
def test_einsum_equals_numpy_and_its_adjoint_is_exact(subscripts, shapes):
    arrays = [RNG.normal(size=s) for s in shapes]
    same(ag.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays), rtol=1e-12)
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    weights = RNG.normal(size=np.einsum(subscripts, *arrays).shape)
    (ag.einsum(subscripts, *tensors) * weights).sum().backward()
    for i, t in enumerate(tensors):  # it is linear in each operand, so its adjoint is exact
        v = RNG.normal(size=t.shape)
        direct = np.sum(np.einsum(subscripts, *arrays[:i], v, *arrays[i + 1 :]) * weights)
        assert np.sum(t.grad * v) == pytest.approx(direct, rel=1e-11)


def test_einsum_mixes_values_and_tensors():
    x, t = Value(2.0), Tensor([1.0, 3.0], requires_grad=True)
    ag.einsum(",i->", x, t).backward()
    assert x.grad == 4.0
    np.testing.assert_array_equal(t.grad, [2.0, 2.0])


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("order", [0.5, 1, 1.5, 2, 3, math.inf])
def test_norm_equals_numpy(order, axis):
    found = ag.norm(X, order, axis)
    if order == math.inf:
        same(found, np.abs(X).max(axis))
    else:
        same(found, (np.abs(X) ** order).sum(axis) ** (1 / order), rtol=1e-13)
    same(ag.norm(X, order, axis, keepdims=True).squeeze(), np.squeeze(found), rtol=1e-15)


@pytest.mark.parametrize("order", [0, -1, -2.5, -math.inf, 0.5, 3])
def test_norm_of_every_order_equals_numpy_for_arrays_tensors_and_arrays_of_values(order):
    x = X + 3.0
    expected = np.linalg.norm(x, order, axis=1)
    same(ag.norm(x, order, axis=1), expected, rtol=1e-13)
    t, objects = Tensor(x, requires_grad=True), np.vectorize(Value, otypes=[object])(x)
    same(np.linalg.norm(t, order, axis=1).data, expected, rtol=1e-13)
    found = ag.norm(objects, order, axis=1)
    if order == 0:
        assert not np.linalg.norm(t, order, axis=1).requires_grad
        return
    np.sum(found).backward()
    ag.sum(ag.norm(t, order, axis=1)).backward()
    assert ag.gradcheck(lambda t: ag.norm(t, order, axis=1), x)
    np.testing.assert_allclose([v.grad for v in objects.flat], t.grad.ravel(), rtol=1e-12, atol=1e-15)


def test_inverse_solve_and_determinants_equal_numpy():
    stack = RNG.normal(size=(4, 3, 3)) + 2 * np.eye(3)
    same(ag.inv(stack), np.linalg.inv(stack))
    same(ag.det(stack), np.linalg.det(stack))
    sign, logarithm = ag.slogdet(stack)
    same(sign * np.exp(logarithm), np.linalg.det(stack), rtol=1e-13)
    same(ag.solve(stack, VECTOR), np.linalg.solve(stack, VECTOR))
    same(ag.solve(stack, X[0]), np.linalg.solve(stack, X[0]))
    definite = stack @ stack.swapaxes(-1, -2)
    same(ag.cholesky(definite), np.linalg.cholesky(definite), rtol=1e-12)


# ------------------------------------------------------------------------------------------- integers, float16


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, bool, list])
@pytest.mark.parametrize("f", [
    ag.norm, lambda x: ag.norm(x, 1), lambda x: ag.norm(x, 3.0), lambda x: ag.norm(x, np.inf), ag.sigmoid, ag.softplus,
    ag.erf, ag.softmax, ag.log_softmax, ag.logsumexp, ag.mean, ag.std, ag.var, ag.median, ag.nanmean, ag.nanstd,
    lambda x: ag.quantile(x, 0.3), lambda x: ag.average(x, weights=[3, 100, 1]), ag.trapezoid, ag.gradient,
    lambda x: ag.trapezoid(x, x),
])  # fmt: skip
def test_real_valued_operations_of_integers_compute_in_float(f, dtype):
    limits = np.iinfo(np.int64 if dtype in (bool, list) else dtype)
    x = np.array(
        [False, True, True] if dtype is bool else [limits.min, 1, limits.max], None if dtype is list else dtype
    )
    found = f(x.tolist() if dtype is list else x)
    assert np.asarray(found).dtype == np.float64
    same(found, f(x.astype(float)), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool])
def test_logit_of_integers_is_that_of_floats(dtype):
    with np.errstate(all="ignore"):
        same(ag.logit(np.array([0, 1, 3], dtype)), ag.logit(np.array([0, 1, 3], dtype).astype(float)))


def test_xlogy_of_two_precisions_computes_in_the_wider_one():
    x, y = RNG.uniform(1.0, 2.0, 4), RNG.uniform(1.0, 2.0, 4).astype(np.float32)
    same(ag.xlogy(x, y), x * np.log(y.astype(float)), rtol=1e-15)


def test_vecdot_refuses_vectors_of_different_lengths():
    with raises(ValueError, "vecdot expected vectors of equal length", "1 and 3"):
        ag.vecdot(Tensor([1.0]), np.ones((2, 3)))


def test_norm_of_large_python_integers_does_not_wrap_around():
    assert ag.norm([3037000500, 3037000500]) == pytest.approx(3037000500 * math.sqrt(2.0))


@pytest.mark.parametrize(
    "f",
    [
        ag.mean, ag.var, ag.std, ag.norm, ag.logsumexp, lambda x: ag.max(ag.softmax(x)), lambda x: ag.norm(x, 3.0),
        ag.nanmean, ag.nanvar, ag.nanstd,
    ],
)  # fmt: skip
def test_many_float16_values_do_not_overflow_in_value_or_gradient(f):
    x = np.tile([1.0, 2.0], 35_000)
    half, double = Tensor(x.astype(np.float16), requires_grad=True), Tensor(x, requires_grad=True)
    y, z = f(half), f(double)
    y.backward()
    z.backward()
    assert y.dtype == np.float16
    assert y.item() == pytest.approx(z.item(), rel=2e-3)
    np.testing.assert_allclose(half.grad, double.grad, rtol=0.02, atol=1e-7)


@pytest.mark.parametrize(("f", "reduction"), [(ag.maximum, ag.max), (ag.minimum, ag.min)])
@pytest.mark.parametrize("pair", [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan), (2.0, 2.0), (1.0, 3.0)])
def test_extremes_of_two_treat_nan_and_ties_as_the_reductions_do(f, reduction, pair):
    x, y, both = (
        Tensor(pair[0], requires_grad=True),
        Tensor(pair[1], requires_grad=True),
        Tensor(pair, requires_grad=True),
    )
    f(x, y).backward()
    reduction(both).backward()
    np.testing.assert_array_equal(f(x, y).data, reduction(both).data)
    np.testing.assert_array_equal([x.grad, y.grad], both.grad)
    a, b = Value(pair[0]), Value(pair[1])
    f(a, b).backward()
    np.testing.assert_array_equal([a.grad, b.grad], both.grad)


def test_full_like_keeps_the_gradient_of_the_fill_value():
    level = Tensor(3.0, requires_grad=True)
    filled = np.full_like(Tensor([0.0, 0.0], requires_grad=True), level)
    filled.sum().backward()
    assert filled.tolist() == [3.0, 3.0]
    assert level.grad == 2.0
    step = ag.compile(lambda x: (np.full_like(x, x[0]) * x).sum())
    assert [float(step(np.array([k, 1.0]))) for k in (1.0, 2.0)] == [2.0, 6.0]


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_nan_and_infinity_propagate():
    x = Tensor([np.nan, np.inf, 1.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    assert np.isnan(loss.data)
    np.testing.assert_array_equal(x.grad, [np.nan, np.inf, 2.0])
