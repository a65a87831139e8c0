"""checkpoint(f): the same numbers and gradients as f, with less kept."""

import gc
import weakref

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value, checkpoint, grad, gradcheck, gradgradcheck, hvp, jvp
from autograd.extend import callback, guard

X = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]])


def parameters():
    rng = np.random.default_rng(3)
    W = Tensor(rng.normal(size=(3, 3)), requires_grad=True, name="W")
    b = Tensor(rng.normal(size=3), requires_grad=True, name="b")
    return W, b


def test_same_value_and_gradients_for_arguments_and_captured_leaves():
    results = []
    for wrap in (lambda f: f, checkpoint):
        W, b = parameters()
        layer = wrap(lambda h, W=W, b=b: ag.tanh(h @ W + b))
        x = Tensor(X, requires_grad=True)
        loss = (layer(layer(layer(x))) ** 2).sum()
        loss.backward()
        results.append((loss.data, x.grad, W.grad, b.grad))
    for plain, recomputed in zip(*results, strict=True):
        assert np.allclose(plain, recomputed, rtol=1e-14)


def test_the_inside_is_not_kept():
    inside = []

    def f(x):
        h = ag.tanh(x)
        inside.append(weakref.ref(h))
        return h * 2

    gc.disable()
    try:
        y = checkpoint(f)(Tensor(X, requires_grad=True))
        assert inside[0]() is None
        assert y.op.name == "checkpoint"
        y.sum().backward()
        assert len(inside) == 2
        assert inside[1]() is None
    finally:
        gc.enable()


def test_it_computes_once_per_pass_for_all_arguments():
    calls = []

    def f(x, y, z):
        calls.append(1)
        return x * y * z

    a, b, c = (Tensor(X + i, requires_grad=True) for i in range(3))
    checkpoint(f)(a, b, c).sum().backward()
    assert len(calls) == 2
    assert np.allclose(a.grad, (X + 1) * (X + 2))
    assert np.allclose(c.grad, X * (X + 1))


def test_values_nests_and_several_outputs():
    f = checkpoint(lambda p, k: {"a": p["x"] * p["y"][0] * k, "b": [ag.sin(p["x"]), 7.0]})
    x, y = Value(2.0), Value(3.0)
    out = f({"x": x, "y": [y]}, 10.0)
    assert out["b"][1] == 7.0
    assert type(out["a"]) is Value
    (out["a"] + out["b"][0]).backward()
    assert x.grad == pytest.approx(30 + np.cos(2.0))
    assert y.grad == pytest.approx(20.0)


def test_several_arrays_of_different_shapes():
    assert gradcheck(checkpoint(lambda x: (x.sum(axis=0), x @ x.T, x[0, 0])), X)


def test_an_output_that_is_the_input_and_one_given_twice():
    x = Tensor([2.0], requires_grad=True)
    a, b, c = checkpoint(lambda x: (x, y := x * x, y))(x)
    (a + b + 10.0 * c).sum().backward()
    assert x.grad == [1 + 4 + 40.0]


def test_higher_orders_and_forward_mode():
    W, b = parameters()
    f = lambda x: ag.tanh(x @ W + b).sum() ** 2  # noqa: E731
    c = checkpoint(f)
    assert gradgradcheck(c, X)
    with ag.no_grad():
        pass
    v = np.ones_like(X)
    assert np.allclose(jvp(c, (X,), (v,))[1].data, jvp(f, (X,), (v,))[1].data)
    assert np.allclose(hvp(c, (X,), (v,))[0].data, hvp(f, (X,), (v,))[0].data)
    assert grad(grad(grad(checkpoint(lambda x: x**4))))(2.0) == 48.0


def test_second_derivatives_reach_captured_leaves_once():
    """The argument depends on the captured leaf too, and that way must not be counted twice."""
    w = Value(1.5)
    for f in (lambda x: x * w * w, checkpoint(lambda x: x * w * w)):
        g = ag.gradients(f(w * w) * 1.0, w, create_graph=True)  # w^4
        assert g.data == pytest.approx(4 * 1.5**3)
        assert ag.gradients(g, w) == pytest.approx(12 * 1.5**2)


@pytest.mark.parametrize("create_graph", [False, True])
def test_hooks_of_arguments_and_captured_leaves_are_called_once(create_graph):
    x, w = parameters()
    seen = []
    for name, node in (("x", x), ("w", w)):
        node.register_hook(lambda g, name=name: seen.append(name) or 10.0 * g)
    ag.backward(ag.sum(checkpoint(lambda x: ag.tanh(x * 2.0) @ w)(x)), create_graph=create_graph)
    assert sorted(seen) == ["w", "x"]
    found = [np.asarray(getattr(node.grad, "data", node.grad)) for node in (x, w)]
    plain = grad(lambda x, w: ag.sum(ag.tanh(x * 2.0) @ w), argnums=(0, 1))(x.data, w.data)
    for g, expected in zip(found, plain, strict=True):
        np.testing.assert_allclose(g, 10.0 * expected, rtol=1e-14)
    x.grad = w.grad = None


def test_a_checkpoint_in_a_checkpoint():
    inner = checkpoint(lambda x: ag.sin(x) * x)
    assert gradcheck(checkpoint(lambda x: inner(inner(x))), X)


def test_updated_parameters_do_not_spoil_a_recorded_graph():
    W, b = parameters()
    y = checkpoint(lambda x: ag.tanh(x @ W + b))(Tensor(X)).sum()
    before = W.data
    expected = ag.gradients(y, W)
    W.data = W.data + 1.0
    updated = W.data
    assert np.array_equal(ag.gradients(y, W), expected)
    assert W.data is updated
    assert before is not updated


def test_randomness_is_repeated_with_rng_and_refused_without():
    x = Tensor(np.ones(100), requires_grad=True)
    rng = np.random.default_rng(0)
    drop = lambda x: x * (rng.random(100) < 0.5)  # noqa: E731
    y = checkpoint(drop, rng=rng)(x)
    after = rng.bit_generator.state
    y.sum().backward()
    assert np.array_equal(x.grad, y.data)
    assert rng.bit_generator.state == after
    z = checkpoint(drop)(x)
    with pytest.raises(RuntimeError, match="rng="):
        z.sum().backward()
    assert np.array_equal(x.grad, y.data)


def test_without_recording_or_variables_it_is_the_function_itself():
    f = checkpoint(lambda x: x * 2)
    assert f(3.0) == 6.0
    assert not f(Tensor([1.0])).requires_grad
    with ag.no_grad():
        assert f(Value(2.0)).op is None


def test_integers_pass_through():
    x, labels = Tensor(X, requires_grad=True), Tensor(np.array([0, 1]))
    checkpoint(lambda x, i: x[[0, 1], i])(x, labels).sum().backward()
    assert np.array_equal(x.grad, [[1, 0, 0], [0, 1, 0]])


def test_outputs_of_two_dtypes_are_refused():
    with pytest.raises(TypeError, match="float32"):
        checkpoint(lambda x: (x, ag.astype(x, np.float32)))(Tensor(X, requires_grad=True))


def test_an_array_among_the_arguments():
    w = Tensor([1.0, 2.0], requires_grad=True)
    loss = checkpoint(lambda x, w: ag.tanh(x * w).sum())(np.array([0.5, 1.0]), w)
    loss.backward()
    assert np.allclose(w.grad, np.array([0.5, 1.0]) / np.cosh([0.5, 2.0]) ** 2)


def captured_array(x, w):
    return checkpoint(lambda z: z * x)(w).sum()


def captured_result(x, w):
    doubled = x * 2.0
    return checkpoint(lambda z: z * doubled)(w).sum()


def captured_variable(x, w):
    scaled = w * x
    return checkpoint(lambda z: z * scaled)(w).sum()


def captured_by_a_callback(x, w):
    return checkpoint(lambda z: z * callback(np.exp, x))(x * w).sum()


def guarded_by_a_captured_array(x, w):
    return checkpoint(lambda z: z * 2.0 if guard(lambda a: bool(a.sum() > 4.0), x) else z * z)(x * w).sum()


def with_a_frozen_body(x, w):
    return (checkpoint(lambda z: z * z)(x) * w).sum()


def with_a_metric(x, w):
    loss, found = checkpoint(lambda z: ((z * w).sum(), (z * z).sum()))(x)
    return loss * found


def with_a_metric_of_python(x, w):
    loss, found = checkpoint(lambda z: ((z * w).sum(), callback(np.sum, z)))(x)
    return loss * found


def with_gradients_inside(x, w):
    return checkpoint(lambda z: ag.grad(lambda q: (q**3).sum())(z))(x * w).sum()


@pytest.mark.parametrize(
    "f",
    [
        captured_array, captured_result, captured_variable, captured_by_a_callback, guarded_by_a_captured_array,
        with_a_frozen_body, with_a_metric, with_a_metric_of_python, with_gradients_inside,
    ],
)  # fmt: skip
def test_checkpoint_in_a_compiled_function_is_computed_from_the_data_of_each_call(f):
    theirs, ours = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    step = ag.compile(lambda x: f(x, ours))
    for x in ([1.0, 1.0], [2.0, 3.0], [0.5, 7.0]):
        theirs.grad = ours.grad = None
        expected = f(Tensor(x), theirs)
        expected.backward()
        assert step(np.array(x)).item() == pytest.approx(expected.item(), rel=1e-14)
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-14)
