"""Transforms of functions: both modes, any order, any nesting, and no `.grad` touched."""

import math

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp
from autograd.extend import primitive
from autograd.transforms.functional import hessian_product

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4))
V = RNG.normal(size=(3, 4))
M = RNG.normal(size=(4, 2))

# One of each kind of rule: elementwise, linear, linear in all arguments together, pullback, selecting.
FUNCTIONS = {
    "elementwise": lambda x: ag.tanh(x) * ag.exp(x) / (1.0 + x * x),
    "linear": lambda x: (x @ M).T,
    "bilinear": lambda x: x @ ag.transpose(x),
    "joint": lambda x: ag.concatenate([x, 2.0 * x[:1], ag.stack([x[0], x[1]])]),
    "pullback": lambda x: ag.softmax(x) * ag.logsumexp(x, axis=1, keepdims=True) + ag.max(x, axis=0),
    "selecting": lambda x: ag.where(x > 0, ag.log(ag.where(x > 0, x, 1.0)), ag.sin(x)),
    "broadcast": lambda x: x * x[0] + ag.mean(x, axis=1, keepdims=True) - x.sum(),
    "indexed": lambda x: x[[0, 0, 2], [1, 1, 3]] ** 2,
    "scalar": lambda x: (x**3).sum(),
    "float": lambda x: ag.sigmoid(x.sum()) * 3.0,
}


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_forward_and_reverse_are_adjoint(f):
    """<g, J v> = <J^T g, v>, with J v by forward mode and J^T g by reverse mode."""
    y, tangent = jvp(f, (X,), (V,))
    again, pullback = vjp(f, X)
    assert np.array_equal(y, again)
    g = RNG.normal(size=np.shape(y))
    (gradient,) = pullback(g)
    assert np.sum(g * tangent) == pytest.approx(np.sum(gradient * V), rel=1e-12)


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_forward_mode_agrees_with_differences(f):
    h = 1e-6
    numeric = (f(Tensor(X + h * V)).data - f(Tensor(X - h * V)).data) / (2 * h)
    assert np.allclose(jvp(f, (X,), (V,))[1], numeric, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_jacobian_is_the_same_in_both_modes(f):
    forward, reverse, chosen = (jacobian(f, mode=mode)(X) for mode in ("forward", "reverse", None))
    assert forward.shape == np.shape(f(Tensor(X)).data) + X.shape
    assert np.allclose(forward, reverse, rtol=1e-12, atol=1e-12)
    assert np.array_equal(chosen, forward) or np.array_equal(chosen, reverse)
    assert np.allclose(np.tensordot(forward, V, 2), jvp(f, (X,), (V,))[1])


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_second_order_is_the_same_in_all_four_modes(f):
    s = lambda x: (f(x) * np.cos(np.arange(np.size(f(x)._value))).reshape(np.shape(f(x)._value))).sum()  # noqa: E731
    h = hessian(s)(X)
    assert h.shape == X.shape * 2
    assert np.allclose(h, h.transpose(2, 3, 0, 1), rtol=1e-10, atol=1e-10)
    assert np.allclose(hessian(s, mode="reverse")(X), h, rtol=1e-10, atol=1e-12)
    expected = np.tensordot(h, V, 2)
    assert np.allclose(hvp(s, (X,), (V,))[0], expected, rtol=1e-10, atol=1e-10)  # forward over reverse
    reverse_over_reverse = grad(lambda x: (grad(s)(x) * V).sum())(X)
    assert np.allclose(reverse_over_reverse, expected, rtol=1e-10, atol=1e-10)
    reverse_over_forward = grad(lambda x: jvp(s, (x,), (V,))[1])(X)
    assert np.allclose(reverse_over_forward, expected, rtol=1e-10, atol=1e-10)
    forward_over_forward = jvp(lambda x: jvp(s, (x,), (V,))[1], (X,), (V,))[1]
    assert forward_over_forward == pytest.approx(np.sum(expected * V), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("inner", [grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]], ids=["reverse", "forward"])
@pytest.mark.parametrize("outer", [grad, lambda f: lambda x: jvp(f, (x,), (1.0,))[1]], ids=["reverse", "forward"])
class TestPerturbationConfusion:
    """Siskind and Pearlmutter 2005: an inner derivative must not see the outer one's perturbation."""

    def test_nested_perturbations_are_not_confused(self, inner, outer):
        # d/dx (x * d/dy (x + y)) at x = 1 is 1; who confuses the two says 2
        assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0

    def test_a_closed_over_variable_is_differentiated(self, inner, outer):
        assert outer(lambda x: x * inner(lambda y: x * y)(1.0))(3.0) == 6.0

    def test_the_outer_variable_as_the_inner_argument(self, inner, outer):
        assert outer(lambda x: x * inner(lambda y: x * y * y)(x))(2.0) == 24.0  # x * 2 x x -> 6 x^2

    def test_three_nested_transforms(self, inner, outer):
        f = outer(lambda x: inner(lambda y: outer(lambda z: x * y * z * z)(x * y))(x))
        # d/dz: 2xyz at z = xy (x, y held): 2 x^2 y^2; d/dy through z too: 4 x^2 y at y = x: 4 x^3; d/dx: 12 x^2
        assert f(2.0) == pytest.approx(48.0)

    def test_derivatives_of_any_order(self, inner, outer):
        assert outer(inner(outer(inner(ag.sin))))(0.7) == pytest.approx(math.sin(0.7), rel=1e-14)


def test_gradients_have_the_structure_of_the_arguments():
    def loss(params, scale):
        return sum((p["w"] * p["w"]).sum() * p["b"] for p in params["layers"]) * scale[0] + params["bias"][1]

    params = {"layers": [{"w": np.array([1.0, 2.0]), "b": 3.0}, {"w": np.array([[1.0]]), "b": 0.5}], "bias": (0.0, 1.0)}
    value, (g, gs) = value_and_grad(loss, argnums=(0, 1))(params, [2.0])
    assert value == pytest.approx(2 * (15 + 0.5) + 1)
    assert list(g) == ["layers", "bias"]
    assert g["bias"] == (0.0, 1.0)
    assert np.array_equal(g["layers"][0]["w"], [12.0, 24.0])
    assert g["layers"][1]["b"] == 2.0
    assert gs == [15.5]
    assert all(type(p["b"]) is float for p in g["layers"])


def test_outputs_may_be_nested():
    f = lambda x: {"square": x * x, "pair": (x.sum(), [3.0 * x[0]])}  # noqa: E731
    x = np.array([1.0, 2.0])
    value, tangent = jvp(f, (x,), (np.array([1.0, 0.5]),))
    assert np.array_equal(value["square"], [1.0, 4.0])
    assert np.array_equal(tangent["square"], [2.0, 2.0])
    assert tangent["pair"][0] == 1.5
    assert tangent["pair"][1] == [3.0]
    j = jacobian(f)(x)
    assert np.array_equal(j["square"], [[2.0, 0.0], [0.0, 4.0]])
    assert np.array_equal(j["pair"][1][0], [3.0, 0.0])


def test_an_output_given_twice_counts_twice():
    _, pullback = vjp(lambda x: (y := x * x, y), 3.0)
    assert pullback((1.0, 10.0)) == (66.0,)


def test_pullback_called_again_uses_the_recorded_values():
    x = np.array([1.0, 2.0])
    _, pullback = vjp(lambda x: x * x * x, x)
    first = pullback(np.ones(2))
    x[:] = 100.0
    assert np.array_equal(first[0], pullback(np.ones(2))[0])


def test_aux_is_returned():
    f = lambda x: ((x * x).sum(), {"x": x, "note": "kept"})  # noqa: E731
    (value, aux), g = value_and_grad(f, has_aux=True)(np.array([3.0]))
    assert (value, aux["note"]) == (9.0, "kept")
    assert type(aux["x"]) is np.ndarray
    assert np.array_equal(g, [6.0])
    assert grad(f, has_aux=True)(np.array([3.0]))[1]["note"] == "kept"
    with pytest.raises(TypeError, match="pair"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_transforms_do_not_change_grad_and_return_plain_values():
    w, v = Tensor([1.0, 2.0], requires_grad=True), Value(2.0)
    g = grad(lambda a, b: (a * a).sum() * b, argnums=(0, 1))(w, v)
    assert w.grad is None
    assert v.grad == 0.0
    assert [type(x) for x in g] == [Tensor, Value]  # they depend on variables of outside
    assert np.array_equal(g[0].data, [4.0, 8.0])
    detached = grad(lambda a: (a * a).sum())(w.detach())
    assert type(detached) is np.ndarray


def test_a_gradient_by_the_input_can_be_trained_through():
    w = Tensor([1.0, 2.0], requires_grad=True)
    slope = grad(lambda x: (w * x * x).sum())(np.array([3.0, 4.0]))
    (slope * slope).sum().backward()
    assert np.allclose(w.grad, [72.0, 256.0])  # slope = 2 w x, and d(slope^2)/dw = 2 slope 2 x


def test_transforms_in_no_grad_return_plain_values():
    w = Tensor([1.0, 2.0], requires_grad=True)
    with no_grad():
        g = grad(lambda x: (w * x * x).sum())(w)
        assert grad(grad(lambda x: x * x * x))(2.0) == 12.0
        assert not ag.is_grad_enabled()
    assert type(g) is np.ndarray


def test_argnums_may_be_integers_of_numpy():
    assert grad(lambda x, y: x * y, np.int64(1))(2.0, 3.0) == 2.0
    assert grad(lambda x, y: x * y, np.array([0, -1]))(2.0, 3.0) == (3.0, 2.0)


@pytest.mark.filterwarnings("ignore:the result of .* does not depend")
def test_constant_function_has_zero_derivative():
    assert grad(lambda x: 3.0)(2.0) == 0.0
    assert np.array_equal(grad(lambda x, y: y * 2, argnums=0)(np.ones(2), 3.0), [0.0, 0.0])
    assert jvp(lambda x: Value(3.0), (2.0,), (1.0,))[1] == 0.0
    assert np.array_equal(jacobian(lambda x: np.ones(3))(np.ones(2)), np.zeros((3, 2)))
    assert jacobian(lambda x: x)(np.zeros(0)).shape == (0, 0)
    for f, x in ((lambda x: x[:0], np.ones(3)), (lambda x: 2.0 * x, np.ones(0)), (lambda x: x.sum(), np.ones(0))):
        assert jacobian(f)(x.astype(np.float32)).dtype == np.float32


def test_kinds_and_dtypes_are_kept():
    assert type(grad(lambda x: x * x)(2.0)) is float
    assert type(grad(lambda x: x * x)(2)) is float
    x = np.array([1.0, 2.0], np.float32)
    assert grad(lambda x: (x * x).sum())(x).dtype == np.float32
    assert jvp(lambda x: x * x, (x,), (x,))[1].dtype == np.float32
    assert jacobian(lambda x: x * x)(x).dtype == np.float32
    assert grad(lambda x: x * x)(np.array(3.0)).shape == ()


def test_kwargs_are_constants():
    assert grad(lambda x, k: x**k)(2.0, k=3) == 12.0


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: grad(lambda x: x)(X), ValueError, r"\(3, 4\).*jacobian"),
        (lambda: grad(lambda x: (x, x))(1.0), ValueError, "one scalar, got 2"),
        (lambda: grad(lambda x: x, argnums=1)(1.0), ValueError, "argnums=1"),
        (lambda: grad(lambda x: x)(np.array([1, 2])), TypeError, "integers"),
        (lambda: grad(lambda x: x["a"])({"a": "text"}), TypeError, r"argument 0\['a'\] must be .*got 'text'"),
        (lambda: jvp(lambda x: x, (X,), (V[0],)), ValueError, r"tangent\[0\] has shape \(4,\).*\(3, 4\)"),
        (lambda: jvp(lambda x: x, (1.0,), (1.0, 2.0)), ValueError, r"2 tangent\(s\).*1 primal"),
        (lambda: vjp(lambda x: x, X)[1](V[0]), ValueError, "cotangent has shape"),
        (lambda: jacobian(lambda x: x, mode="sideways"), ValueError, "sideways"),
    ],
)
def test_invalid_argument_raises(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_jacobian_chooses_the_cheaper_mode():
    passes = {"forward": 0, "reverse": 0}

    def counted(f, x):
        before = dict(passes)
        jacobian(f)(x)
        return {k: passes[k] - before[k] for k in passes}

    from autograd.transforms import functional

    push, pull = functional._Trace.push, functional._Trace.pull

    def counting(name, function):
        def counter(*args):
            passes[name] += 1
            return function(*args)

        return counter

    try:
        functional._Trace.push, functional._Trace.pull = counting("forward", push), counting("reverse", pull)
        assert counted(lambda x: ag.concatenate([x, x, x]), np.ones(2)) == {"forward": 2, "reverse": 0}
        assert counted(lambda x: x[:1], np.ones(5)) == {"forward": 0, "reverse": 1}
    finally:
        functional._Trace.push, functional._Trace.pull = push, pull


def test_newton_finds_the_root_of_a_gradient():
    f = lambda x: (x[0] - 1) ** 4 + (x[1] + 2) ** 2 + (x[0] * x[1] + 2) ** 2  # noqa: E731
    x = np.array([2.0, -1.0])
    for _ in range(30):
        x = x - np.linalg.solve(hessian(f)(x), grad(f)(x))
    assert np.allclose(x, [1.0, -2.0], atol=1e-3)


def test_arrays_of_values_are_results_of_transforms_and_checkpoints():
    def f(x):
        return np.array([x, x * x])

    assert [*ag.jacobian(f)(3.0)] == [1.0, 6.0]
    assert [*ag.jvp(f, (3.0,), (1.0,))[1]] == [1.0, 6.0]
    assert grad(lambda x: np.sum(ag.checkpoint(f)(x)))(3.0) == 7.0
    pullback = ag.vjp(f, 3.0)[1]
    assert pullback(np.array([1.0, 10.0])) == pullback(np.array([1.0, 10.0], object)) == (61.0,)


def test_an_argument_left_out_has_no_gradient():
    f = ag.grad(lambda p: p["w"] ** 2)
    assert f({"w": 3.0, "b": None}) == {"w": 6.0, "b": None}


def test_hessian_product_multiplies_by_the_hessian_of_a_computed_loss():
    x = np.random.default_rng(0).normal(size=(2, 3))
    exact = hessian(lambda w, b: ((ag.tanh(w) * b) ** 2).sum(), argnums=(0, 1))(x, 1.5)
    w, b, unused = Tensor(x, requires_grad=True), Value(1.5), Tensor([1.0], requires_grad=True)
    product = ag.hessian_product(((ag.tanh(w) * b) ** 2).sum(), [w, b, unused])
    for seed in range(2):
        v, c = np.random.default_rng(seed).normal(size=(2, 3)), 0.5 + seed
        by_w, by_b, none = product([v, c, np.ones(1)])
        np.testing.assert_allclose(by_w, np.tensordot(exact[0][0], v, 2) + exact[0][1] * c, rtol=1e-12)
        np.testing.assert_allclose(by_b, np.sum(exact[1][0] * v) + exact[1][1] * c, rtol=1e-12)
        np.testing.assert_array_equal(none, [0.0])
    assert (w.grad, b.grad) == (None, 0.0)


def test_hessian_product_of_a_linear_loss_is_zero_and_of_a_wrong_count_raises():
    w = Tensor([1.0, 2.0], requires_grad=True)
    product = ag.hessian_product((w * 3.0).sum(), [w])
    np.testing.assert_array_equal(product([np.ones(2)])[0], [0.0, 0.0])
    with pytest.raises(ValueError, match="argument 2 is longer"):
        product([np.ones(2), np.ones(2)])


def test_zero_gradient_of_a_float_is_a_float():
    found = grad(lambda x, y: x * x, argnums=(0, 1))(3.0, 2.0)
    assert found == (6.0, 0.0)
    assert [type(g) for g in found] == [float, float]


def test_forward_mode_through_a_pullback_without_a_graph_is_zero():
    @primitive(lambda g, y, x: np.zeros(np.shape(y)))
    def stairs(x):
        return np.floor(x)

    found, tangent = jvp(lambda x: stairs(x) + 2.0 * x, (X,), (V,))
    np.testing.assert_array_equal(found, np.floor(X) + 2.0 * X)
    np.testing.assert_array_equal(tangent, 2.0 * V)


def test_pullback_is_differentiable_by_its_cotangent():
    _, pullback = vjp(lambda x: ag.tanh(x) * x, X)
    g = Tensor(V, requires_grad=True)
    (pullback(g)[0] * 2.0).sum().backward()
    np.testing.assert_allclose(g.grad, 2.0 * pullback(np.ones_like(X))[0], rtol=1e-12)


def test_cotangents_and_tangents_take_the_dtype_of_their_arrays():
    x = np.array([1.0, 2.0], np.float32)
    v = np.array([1, 2])
    assert vjp(lambda x: x * x, x)[1](v)[0].dtype == np.float32
    assert jvp(lambda x: x * x, (x,), (v,))[1].dtype == np.float32


def test_jacobian_of_a_jacobian_has_an_axis_for_each_argument():
    x = np.array([1.0, 2.0, 3.0])
    expected = np.zeros((3, 3, 3))
    expected[[0, 1, 2], [0, 1, 2], [0, 1, 2]] = 6.0 * x
    for outer in ("forward", "reverse"):
        for inner in ("forward", "reverse"):
            found = jacobian(jacobian(lambda x: x**3, mode=inner), mode=outer)(x)
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_jacobian_of_a_float_by_a_float_is_a_float():
    for mode in ("forward", "reverse"):
        found = jacobian(lambda x: x * x, mode=mode)(3.0)
        assert (type(found), found) == (float, 6.0)


def test_hessian_product_of_a_linear_loss_is_zero():
    w = Tensor([1.0, 2.0], requires_grad=True)
    product = hessian_product((w * 3.0).sum(), [w])
    np.testing.assert_array_equal(product([np.ones(2)])[0], [0.0, 0.0])
