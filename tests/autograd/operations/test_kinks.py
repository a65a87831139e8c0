"""Conventions for derivatives at kinks, and values and derivatives at the edges of the domain."""

import math
import warnings

import numpy as np
import pytest
from looping import each

import autograd as ag
from autograd import GradientWarning, Tensor, Value, gradients

INF, NAN = math.inf, math.nan

# (what, function, operands, value, gradient in each operand); each holds for a Value and for a Tensor
OF_NUMBERS = [
    ("relu at 0", ag.relu, [0.0], 0.0, [0.0]),
    ("absolute value at 0", ag.absolute, [0.0], 0.0, [0.0]),
    ("leaky relu at 0", ag.leaky_relu, [0.0], 0.0, [0.01]),
    ("maximum of a tie", ag.maximum, [2.0, 2.0], 2.0, [0.5, 0.5]),
    ("minimum of a tie", ag.minimum, [2.0, 2.0], 2.0, [0.5, 0.5]),
    ("maximum of two infinities", ag.maximum, [INF, INF], INF, [0.5, 0.5]),
    ("clip at the upper bound", lambda x: ag.clip(x, -1.0, 1.0), [1.0], 1.0, [1.0]),
    ("clip at the lower bound", lambda x: ag.clip(x, -1.0, 1.0), [-1.0], -1.0, [1.0]),
    ("clip beyond a bound that is a node", lambda x, high: ag.clip(x, max=high), [3.0, 1.0], 1.0, [0.0, 1.0]),
    ("clip below a bound that is a node", lambda x, low: ag.clip(x, low), [-3.0, 1.0], 1.0, [0.0, 1.0]),
    ("0 to the 0", lambda x, y: x**y, [0.0, 0.0], 1.0, [0.0, 0.0]),
    ("0 to the 2, both nodes", lambda x, y: x**y, [0.0, 2.0], 0.0, [0.0, 0.0]),
    ("0 to the 0, a number", lambda x: x**0, [0.0], 1.0, [0.0]),
    ("0 to the 1, a number", lambda x: x**1, [0.0], 0.0, [1.0]),
    ("0 to the 2, a number", lambda x: x**2, [0.0], 0.0, [0.0]),
    ("a negative base and a number", lambda x: x**3, [-2.0], -8.0, [12.0]),
    ("0 to a node", lambda y: 0.0**y, [2.0], 0.0, [0.0]),
    ("square root at 0", ag.sqrt, [0.0], 0.0, [INF]),
    ("hypot at the origin", ag.hypot, [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("hypot of huge sides", ag.hypot, [3e200, 4e200], 5e200, [0.6, 0.8]),
    ("angle of the origin", ag.atan2, [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("angle of a tiny point", ag.atan2, [3e-200, 4e-200], math.atan2(3, 4), [0.16e200, -0.12e200]),
    ("sigmoid far left", ag.sigmoid, [-1e4], 0.0, [0.0]),
    ("sigmoid far right", ag.sigmoid, [1e4], 1.0, [0.0]),
    ("tanh far left", ag.tanh, [-1e4], -1.0, [0.0]),
    ("softplus far left", ag.softplus, [-1e4], 0.0, [0.0]),
    ("softplus far right", ag.softplus, [1e4], 1e4, [1.0]),
    ("logaddexp far apart", ag.logaddexp, [1e4, -1e4], 1e4, [1.0, 0.0]),
    ("logaddexp of huge equals", ag.logaddexp, [1e4, 1e4], 1e4 + math.log(2), [0.5, 0.5]),
    ("logaddexp of two -inf", ag.logaddexp, [-INF, -INF], -INF, [0.0, 0.0]),
    ("logaddexp with one -inf", ag.logaddexp, [-INF, 1.0], 1.0, [0.0, 1.0]),
    ("erf far right", ag.erf, [30.0], 1.0, [0.0]),
    ("norm of 0", ag.norm, [0.0], 0.0, [0.0]),
    ("whole number in fmod", ag.fmod, [6.5, 2.0], 0.5, [1.0, -3.0]),
    ("negative numerator in fmod", ag.fmod, [-6.5, 2.0], -0.5, [1.0, 3.0]),
]


@each([Value, Tensor], [row[1:] for row in OF_NUMBERS])
def test_derivative_of_a_number_at_a_kink_follows_the_convention(kind, f, xs, value, grads):
    nodes = [kind(x, requires_grad=True) for x in xs]
    with np.errstate(all="ignore"):
        y = f(*nodes)
        y.backward()
    assert type(y) is kind
    assert y.item() == pytest.approx(value, rel=1e-14)
    assert [float(n.grad) for n in nodes] == pytest.approx(grads, rel=1e-14)


CURVED = [row for row in OF_NUMBERS if "square root" not in row[0] and "angle of a tiny" not in row[0]]


@pytest.mark.filterwarnings("ignore:the second derivative of a norm")
@each([Value, Tensor], [row[1:3] for row in CURVED])
def test_second_derivative_at_a_kink_is_finite(kind, f, xs):
    nodes = [kind(x, requires_grad=True) for x in xs]
    with np.errstate(all="ignore"):
        first = gradients(f(*nodes), nodes, create_graph=True)
        for g in first:
            if g.requires_grad and "0 to" not in str(f):
                for second in gradients(g, nodes, allow_unused=True):
                    assert second is None or not np.isinf(second)


# (what, function, operand, value, gradient of a sum of the result weighted 1, 2, 3 ...)
OF_ARRAYS = [
    ("norm of the zero vector", ag.norm, [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("1-norm of the zero vector", lambda x: ag.norm(x, 1), [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("inf-norm of the zero vector", lambda x: ag.norm(x, INF), [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("3-norm of the zero vector", lambda x: ag.norm(x, 3), [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("-1-norm of the zero vector", lambda x: ag.norm(x, -1), [0.0, 0.0], 0.0, [0.0, 0.0]),
    ("-1-norm with a zero", lambda x: ag.norm(x, -1), [0.0, 2.0], 0.0, [0.0, 0.0]),
    ("-1-norm of rows", lambda x: ag.norm(x, -1, 1), [[0.0, 3.0], [1.0, 1.0]], [0.0, 0.5], [[0.0, 0.0], [0.5, 0.5]]),
    ("1.5-norm with a zero", lambda x: ag.norm(x, 1.5), [0.0, 2.0], 2.0, [0.0, 1.0]),
    ("0.5-norm with a zero", lambda x: ag.norm(x, 0.5), [0.0, 2.0], 2.0, [0.0, 1.0]),
    ("inf-norm tied", lambda x: ag.norm(x, INF), [2.0, -2.0, 1.0], 2.0, [0.5, -0.5, 0.0]),
    ("norm of huge numbers", ag.norm, [3e200, 4e200], 5e200, [0.6, 0.8]),
    (
        "norm of huge rows",
        lambda x: ag.norm(x, 2, 1),
        [[3e200, 4e200], [3.0, 4.0]],
        [5e200, 5.0],
        [[0.6, 0.8], [1.2, 1.6]],
    ),
    ("norm of a zero row", lambda x: ag.norm(x, 2, 1), [[0.0, 0.0], [3.0, 4.0]], [0.0, 5.0], [[0.0, 0.0], [1.2, 1.6]]),
    ("std of a constant row", lambda x: ag.std(x, 1), [[2.0, 2.0], [1.0, 3.0]], [0.0, 1.0], [[0.0, 0.0], [-1.0, 1.0]]),
    ("norm of tiny numbers", ag.norm, [3e-200, 4e-200], 5e-200, [0.6, 0.8]),
    ("3-norm of huge numbers", lambda x: ag.norm(x, 3), [0.0, 4e200], 4e200, [0.0, 1.0]),
    ("norm with an infinity", ag.norm, [1.0, INF], INF, [0.0, NAN]),
    ("std of equal numbers", ag.std, [2.0, 2.0, 2.0], 0.0, [0.0, 0.0, 0.0]),
    ("std of huge numbers", ag.std, [-1e200, 1e200], 1e200, [-0.5, 0.5]),
    ("std of tiny numbers", ag.std, [-1e-200, 1e-200], 1e-200, [-0.5, 0.5]),
    ("var of equal numbers", ag.var, [2.0, 2.0], 0.0, [0.0, 0.0]),
    ("max tied", ag.max, [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5]),
    ("max tied along an axis", lambda x: ag.max(x, 0), [[1.0, 2.0], [1.0, 0.0]], [1.0, 2.0], [[0.5, 2.0], [0.5, 0.0]]),
    ("min tied", ag.min, [1.0, 1.0, 3.0], 1.0, [0.5, 0.5, 0.0]),
    ("max with an infinity", ag.max, [1.0, INF], INF, [0.0, 1.0]),
    ("max with a nan", ag.max, [1.0, NAN], NAN, [0.0, 1.0]),
    ("prod with one zero", ag.prod, [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0]),
    ("prod with two zeros", ag.prod, [0.0, 2.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
    ("logsumexp of equal large numbers", ag.logsumexp, [1000.0, 1000.0], 1000.0 + math.log(2), [0.5, 0.5]),
    ("logsumexp far apart", ag.logsumexp, [1e4, -1e4], 1e4, [1.0, 0.0]),
    ("logsumexp of -inf alone", ag.logsumexp, [-INF, -INF], -INF, [0.0, 0.0]),
    ("logsumexp with +inf", ag.logsumexp, [1.0, INF], INF, [0.0, NAN]),
    ("softmax far apart", ag.softmax, [1000.0, 0.0], [1.0, 0.0], [0.0, 0.0]),
    ("softmax with -inf", ag.softmax, [-INF, 0.0], [0.0, 1.0], [0.0, 0.0]),
    ("log softmax far apart", ag.log_softmax, [1e4, -1e4], [0.0, -2e4], [-2.0, 2.0]),
    ("sum of nothing", ag.sum, [], 0.0, []),
    ("prod of nothing", ag.prod, [], 1.0, []),
    ("logsumexp of nothing", ag.logsumexp, [], -INF, []),
    ("norm of nothing", ag.norm, [], 0.0, []),
    ("cumprod through a zero", ag.cumprod, [2.0, 0.0, 3.0], [2.0, 0.0, 0.0], [1.0, 22.0, 0.0]),
    ("sort of equal numbers", ag.sort, [1.0, 1.0], [1.0, 1.0], [1.0, 2.0]),
    ("determinant of a singular matrix", ag.det, [[1.0, 2.0], [2.0, 4.0]], 0.0, [[4.0, -2.0], [-2.0, 1.0]]),
    ("determinant of the zero matrix", ag.det, [[0.0]], 0.0, [[1.0]]),
]


def ramp(shape):
    return np.arange(1.0, 1.0 + math.prod(shape)).reshape(shape)


@pytest.mark.parametrize(("f", "x", "value", "grad"), [row[1:] for row in OF_ARRAYS], ids=[r[0] for r in OF_ARRAYS])
def test_gradient_of_an_array_at_an_edge_follows_the_convention(f, x, value, grad):
    t = Tensor(np.array(x, dtype=float), requires_grad=True)
    with np.errstate(all="ignore"):
        y = f(t)
        (y * ramp(y.shape)).sum().backward()
    np.testing.assert_allclose(y.data, value, rtol=1e-14)
    np.testing.assert_allclose(t.grad, np.array(grad, dtype=float), rtol=1e-13, atol=1e-300)


FINITE = [
    r for r in OF_ARRAYS
    if "tiny" not in r[0]  # there it is as large as 1 / 1e-200
    and r[0] not in {"norm of the zero vector", "3-norm of the zero vector", "norm of a zero row", "norm of nothing",
                     "std of a constant row", "std of equal numbers", "1.5-norm with a zero",
                     "0.5-norm with a zero"}  # there it is infinite
    and np.isfinite(np.array(r[2], dtype=float)).all() and np.isfinite(np.array(r[3])).all()
]  # fmt: skip


@pytest.mark.parametrize(("f", "x"), [row[1:3] for row in FINITE], ids=[row[0] for row in FINITE])
def test_second_derivative_at_an_edge_is_finite(f, x):
    t = Tensor(np.array(x, dtype=float), requires_grad=True)
    y = f(t)
    g = gradients((y * ramp(y.shape)).sum(), t, create_graph=True)
    if g.requires_grad:
        second = gradients((g * ramp(g.shape)).sum(), t)
        assert np.isfinite(second).all()


# ------------------------------------------------------------------------------------- what is not taken


@pytest.mark.parametrize("place", [0.0, -1.0])
@pytest.mark.parametrize(
    "f", [ag.log, ag.sqrt, lambda x: 1 / x, lambda x: ag.log(x) * ag.exp(x), lambda x: x**-1.5, ag.acosh]
)
def test_where_ignores_infinite_derivatives_of_values_not_taken(f, place):
    x = Tensor([place, 4.0], requires_grad=True)
    with np.errstate(all="ignore"):
        first = gradients(ag.where(x > 0, f(x), 0.0).sum(), x, create_graph=True)
        second = gradients(first.sum(), x)
        expected = Tensor([4.0], requires_grad=True)
        first_there = gradients(f(expected).sum(), expected, create_graph=True)
        second_there = gradients(first_there.sum(), expected)
    np.testing.assert_allclose(first.data, [0.0, first_there.data[0]], rtol=1e-14)
    np.testing.assert_allclose(second, [0.0, second_there[0]], rtol=1e-14)


def test_constant_operands_are_not_differentiated():
    x = Tensor([-2.0, 3.0], requires_grad=True)
    (x**2).sum().backward()  # log(-2) would warn
    np.testing.assert_array_equal(x.grad, [-4.0, 6.0])


def test_power_of_zero_has_the_gradient_of_its_limit_at_every_exponent():
    x, y = (Tensor(a, requires_grad=True) for a in ([0.0, 0.0, 0.0], [-1.0, 0.0, 2.0]))
    with np.errstate(all="ignore"):
        (x**y).sum().backward()
    assert y.grad.tolist() == [-INF, 0.0, 0.0]  # as in PyTorch
    assert x.grad.tolist() == [-INF, 0.0, 0.0]


@pytest.mark.parametrize("kind", [Value, Tensor])
def test_power_of_a_negative_base_warns_of_a_nan_gradient_of_the_exponent(kind):
    x, y = kind(-2.0, requires_grad=True), kind(3.0, requires_grad=True)
    with pytest.warns(GradientWarning, match="gradient of the exponent is nan"):
        (x**y).backward()
    assert float(x.grad) == 12.0
    assert math.isnan(float(y.grad))


def test_deviation_of_a_single_value_has_finite_derivatives_of_every_order():
    assert ag.grad(ag.grad(ag.std))(3.0) == 0.0
    assert (
        ag.hessian(lambda x: ag.std(x, 1).sum())(np.array([[3.0], [4.0]])).tolist() == np.zeros((2, 1, 2, 1)).tolist()
    )


# --------------------------------------------------------------------------------------- outside a domain


OUTSIDE = [
    (ag.log, 0.0), (ag.log, -1.0), (ag.log2, 0.0), (ag.log10, -1.0), (ag.log1p, -2.0), (ag.sqrt, -1.0), (ag.asin, 2.0),
    (ag.acos, -2.0), (ag.acosh, 0.5), (ag.atanh, 1.0), (ag.sin, INF), (ag.tan, -INF), (ag.rsqrt, 0.0), (ag.logit, 1.0),
    (ag.reciprocal, -0.0), (ag.divide, 1.0, 0.0), (ag.divide, 1.0, -0.0), (ag.divide, 0.0, 0.0), (ag.divide, 0.0, 0),
    (ag.power, 0.0, -1.0), (ag.power, 0.0, -2), (ag.power, -8.0, 0.5), (ag.fmod, 1.0, 0.0), (ag.mod, 1.0, 0.0),
    (ag.floor_divide, 1.0, 0.0), (ag.exp, 1e4), (ag.cosh, 1e4), (ag.sinh, -1e4), (ag.exp2, 1e5), (ag.expm1, 1e4),
    (ag.power, 1e200, 2.0), (ag.xlogy, 2.0, 0.0), (ag.polygamma, 1, 0.0),
]  # fmt: skip


def computed_with_warnings(f, leaves):
    """Return the value and the gradients of a function, and the kinds of NumPy's warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        y = f(*leaves)
        if isinstance(y, ag.graph.Node) and y.requires_grad:
            y.backward()
    numbers = [getattr(y, "data", y), *[x.grad for x in leaves if hasattr(x, "grad")]]
    return [float(0.0 if x is None else x) for x in numbers], {str(w.message).split(" in ")[0] for w in caught}


@each([(f, xs) for f, *xs in OUTSIDE])
@pytest.mark.filterwarnings("ignore:the gradient of the exponent", "ignore:the loss is inf, since a variable")
def test_outside_the_domain_floats_have_values_gradients_and_warnings_of_arrays(f, xs):
    expected, warned = computed_with_warnings(f, [Tensor(x, requires_grad=True) for x in xs])
    found = computed_with_warnings(f, [Value(x) for x in xs])
    np.testing.assert_array_equal(found[0], expected)
    assert found[1] == warned
    np.testing.assert_array_equal(computed_with_warnings(f, xs)[0], expected[:1])


def test_errstate_decides_about_floats_as_about_arrays():
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match=r"log\(0.0\): divide by zero"):
        ag.log(Value(0.0))
    with np.errstate(all="ignore"):
        assert ag.log(Value(0.0)).data == -INF


def test_where_leaves_a_division_by_zero_out_of_the_value_and_the_gradient():
    for x in (Value(0.0), Tensor(0.0, requires_grad=True)):
        with pytest.warns(RuntimeWarning, match="invalid value"):
            y = ag.where(x == 0, 1.0, ag.sin(x) / x)
        with np.errstate(divide="ignore"):  # the slope 1 / 0 of what is left out
            y.backward()
        assert (y.item(), float(x.grad)) == (1.0, 0.0)


@pytest.mark.parametrize("f", [ag.var, ag.std])
def test_variance_of_one_value_with_ddof_1_is_nan_with_a_warning(f):
    x = Tensor([2.0], requires_grad=True)
    with pytest.warns(RuntimeWarning, match="no degree of freedom"):
        y = f(x, ddof=1)
    y.backward()
    assert np.isnan(y.data)
    assert np.isnan(x.grad).all()


def test_mean_of_an_empty_array_is_nan_with_a_warning():
    x = Tensor(np.zeros((0,)), requires_grad=True)
    with pytest.warns(RuntimeWarning):
        y = x.mean()
    y.backward()
    assert np.isnan(y.data)
    assert x.grad.shape == (0,)


def test_softmax_of_minus_infinities_is_nan_with_a_warning():
    with pytest.warns(RuntimeWarning):
        assert np.isnan(ag.softmax(Tensor([-INF, -INF])).data).all()


@pytest.mark.parametrize("f", [ag.tanh, ag.relu, ag.sigmoid, ag.softplus, ag.absolute, ag.erf, ag.sum, ag.mean, ag.max,
                               ag.min, ag.prod, ag.var, ag.std, ag.norm, ag.logsumexp, ag.cumsum, ag.sort])  # fmt: skip
def test_nan_propagates(f):
    assert np.isnan(f(Tensor([1.0, NAN])).data).any()


LENGTHS = [
    ag.norm, ag.std, lambda x: ag.hypot(x[0], x[1]), lambda x: ag.norm(x, axis=0), lambda x: ag.norm(x, 3),
]  # fmt: skip


@pytest.mark.parametrize("f", LENGTHS)
def test_second_derivative_of_a_length_at_0_is_nan_with_a_warning(f):
    squared = lambda x: f(x) ** 2  # noqa: E731
    with pytest.warns(GradientWarning, match=r"sum\(x \* x\) for the square of a norm"):
        assert np.isnan(ag.hessian(squared)(np.zeros(2))).all()
    assert ag.grad(squared)(np.zeros(2)).tolist() == [0.0, 0.0]
    assert ag.hessian(lambda x: ag.sum(x * x))(np.zeros(2)).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    with pytest.warns(GradientWarning, match="second derivative"):
        left_out = ag.hessian(lambda x: ag.where(f(x) > 0.0, squared(x), 0.0))(np.zeros(2))
    assert left_out.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_second_derivative_of_a_p_norm_below_2_at_a_zero_element_is_nan_with_a_warning():
    x = np.array([0.0, 1.0, -2.0])
    for p in (0.5, 1.5):
        rest = lambda x, p=p: ag.norm(x, p)  # noqa: E731
        np.testing.assert_allclose(ag.grad(rest)(x)[1:], ag.grad(rest)(x[1:]))
        assert ag.grad(rest)(x)[0] == 0.0
        with pytest.warns(GradientWarning, match="where an element is 0"):
            found = ag.hessian(rest)(x)
        assert np.isnan(found[0, 0])
        np.testing.assert_allclose(found[1:, 1:], ag.hessian(rest)(x[1:]))


def test_round_of_a_node_rounds_its_elements():
    assert round(Tensor([1.26, -0.5]), 1).tolist() == [1.3, -0.5]
    assert round(Value(1.26)).data == 1.0


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_negative_power_of_0_has_the_gradients_of_its_limit():
    x, y = Tensor([0.0, 0.0, 2.0], requires_grad=True), Tensor([-1.0, -0.5, -1.0], requires_grad=True)
    z = x**y
    z.sum().backward()
    assert z.tolist() == [INF, INF, 0.5]
    assert x.grad.tolist() == [-INF, -INF, -0.25]
    assert y.grad.tolist() == [-INF, -INF, 0.5 * math.log(2.0)]
    a, b = Value(0.0), Value(-1.0)
    (a**b).backward()
    assert (a.grad, b.grad) == (-INF, -INF)
