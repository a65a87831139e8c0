"""The four decorators: which rules they accept, what they derive from them, and how the rules are called."""

import math

import numpy as np
import pytest
from samples import CASES

import autograd as ag
from autograd import PRIMITIVES, Tensor, Value, gradients, jvp
from autograd.extend import elementwise, linear, nondifferentiable, primitive, xp
from autograd.rules import ONE


def slopes(function, *xs):
    """Return the derivative by each argument, for floats and for arrays; both must be equal."""
    values = [Value(x) for x in xs]
    found = gradients(function(*values), values)
    arrays = [Tensor(np.full((2, 3), x), requires_grad=True) for x in xs]
    for g, of_array in zip(found, gradients(function(*arrays).sum(), arrays), strict=True):
        np.testing.assert_array_equal(of_array, np.full((2, 3), g))
    return found


# ------------------------------------------------------------------------------------------------ derivatives


def test_a_number_is_a_constant_partial_derivative():
    @elementwise(3, -0.5, 1)
    def weighted(x, y, z):
        return 3 * x - 0.5 * y + z

    assert slopes(weighted, 2.0, 5.0, 7.0) == (3.0, -0.5, 1.0)
    assert jvp(weighted, (2.0, 5.0, 7.0), (1.0, 10.0, 100.0)) == (10.5, 98.0)


def test_a_constant_partial_accepts_the_parameters_of_the_operation():
    @elementwise(2)
    def doubled(x, shift=0.0):
        return 2 * x + shift

    x = Value(1.0)
    y = doubled(x, shift=3.0)
    assert (y.data, gradients(y, x)) == (5.0, 2.0)
    assert PRIMITIVES["doubled"].partial(ONE, 5.0, (1.0,), {}) == 1.0
    assert PRIMITIVES["add"].rules == (ONE, ONE)  # which the loop recognises


def test_a_partial_is_called_with_result_operands_and_parameters():
    seen = []

    @elementwise(lambda y, x, slope: seen.append((y, x, slope)) or slope)
    def steep(x, slope=2.0):
        return slope * x

    x = Value(3.0)
    assert gradients(steep(x, slope=5.0), x) == 5.0
    assert gradients(steep(x), x) == 2.0
    assert seen == [(15.0, 3.0, 5.0), (6.0, 3.0, 2.0)]


def test_none_stops_the_gradient_of_one_argument():
    @elementwise(lambda z, x, y: y, None)
    def scaled(x, y):
        return x * y

    x, y = Value(2.0), Value(3.0)
    assert gradients(scaled(x, y), [x, y], allow_unused=True) == (3.0, None)
    assert not scaled(2.0, y).requires_grad


@np.errstate(divide="ignore")
def test_a_partial_outside_the_domain_of_floats_is_that_of_arrays():
    @elementwise(lambda y, x: 1 / x)
    def logarithm(x):
        return xp(x).where(x > 0, xp(x).log(xp(x).where(x > 0, x, 1.0)), -math.inf)

    x = Value(0.0)
    assert gradients(logarithm(x), x) == math.inf

    @elementwise(lambda y, x, scale: scale / xp(x).sqrt(x))
    def roots(x, scale=2.0):
        return scale * xp(x).sqrt(x)

    for scale in (2.0, 3.0):
        y = roots(x, scale=scale)
        assert gradients(y, x) == math.inf

    @elementwise(lambda y, x: int("a rule of arrays") if y.ndim == 1 else 0.0 * x)
    def unsuitable(x):
        return x

    t = Tensor([0.5], requires_grad=True)
    y = unsuitable(t).sum()
    with pytest.raises(ValueError, match="a rule of arrays"):
        gradients(y, t)


@pytest.mark.parametrize("swap", [False, True])
def test_partials_of_mixed_float_dtypes_are_computed_in_the_wider_one(swap):
    seen = []

    @elementwise(
        lambda z, x, y: seen.append([a.dtype for a in (z, x, y)]) or y,
        lambda z, x, y: seen.append([a.dtype for a in (z, x, y)]) or x,
    )
    def product(x, y):
        return x * y

    narrow = Tensor(np.array([3.0], np.float32), requires_grad=True)
    wide = Tensor(np.array([0.1]), requires_grad=True)
    pair = [wide, narrow] if swap else [narrow, wide]
    found = gradients(product(*pair).sum(), pair)
    assert seen == [[np.dtype(np.float64)] * 3] * 2
    assert [g.dtype for g in found] == [t.dtype for t in pair]
    assert found[0 if swap else 1].tolist() == [3.0]


def test_operands_of_other_kinds_keep_their_type_in_partials():
    seen = []

    @elementwise(lambda z, x, n, c: seen.append((x.dtype, n.dtype, type(c))) or n * c, None, None)
    def times(x, n, c):
        return x * n * c

    for dtype in (np.float64, np.float32):
        x = Tensor(np.array([0.5, 2.0], dtype), requires_grad=True)
        assert gradients(times(x, np.array([2, 3]), 4.0).sum(), x).tolist() == [8.0, 12.0]
    wide, whole = np.dtype(np.float64), np.dtype(np.int64)
    assert seen == [(wide, whole, float), (wide, wide, float)]  # all arrays are converted if one has to be


def test_adjoints_and_pullbacks_get_cotangent_result_operands_and_parameters():
    for decorator in (linear, primitive):
        seen = []

        @decorator(lambda g, y, x, axis, seen=seen: seen.append((g, y.tolist(), x.tolist(), axis)) or g * np.ones(2))
        def total(x, axis=None):
            return np.sum(x, axis=axis, keepdims=True)

        x = Tensor([1.0, 2.0], requires_grad=True)
        assert gradients(total(x, axis=0), x).tolist() == [1.0, 1.0]
        assert seen[0][1:] == ([3.0], [1.0, 2.0], 0)
        assert seen[0][0].tolist() == [1.0]
        del PRIMITIVES["total"]


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("returned", ["the result", "an operand", "the cotangent"])
def test_a_pullback_may_return_an_array_that_it_was_given(returned, copied):
    @primitive(lambda g, y, x: {"the result": y, "an operand": x, "the cotangent": g}[returned])
    def identity(x):
        return x + 0.0 if copied else x

    v = Value(3.0)
    assert gradients(identity(v), v) == (1.0 if returned == "the cotangent" else 3.0)
    assert gradients(identity(v), v, create_graph=True).data == (1.0 if returned == "the cotangent" else 3.0)

    x = Tensor([1.0, 2.0], requires_grad=True)
    y, g = identity(x), np.array([5.0, 6.0])
    y.backward(gradient=g)
    expected = [5.0, 6.0] if returned == "the cotangent" else [1.0, 2.0]
    assert x.grad.tolist() == expected
    x.grad[:] = -1.0
    assert (x.data.tolist(), y.data.tolist(), y.raw[0].tolist(), g.tolist()) == ([1.0, 2.0],) * 3 + ([5.0, 6.0],)


def test_each_makes_the_rule_of_every_operand():
    for decorator, forward in ((linear, lambda xs: sum((k + 1) * x for k, x in enumerate(xs))), (primitive, sum)):

        @decorator(each=lambda i: lambda g, y, *xs: (i + 1) * g)
        def ranked(*xs):
            return forward(xs)  # noqa: B023

        nodes = [Value(float(k)) for k in range(4)]
        assert gradients(ranked(*nodes), nodes) == (1.0, 2.0, 3.0, 4.0)
        del PRIMITIVES["ranked"]


def test_joint_linearity_pushes_all_tangents_through_the_operation_at_once():
    calls = []

    def joined(joint):
        @linear(lambda g, y, a, b: g[:2], lambda g, y, a, b: g[2:], joint=joint)
        def pair(a, b):
            calls.append(1)
            return np.concatenate([a, b])

        calls.clear()
        found = jvp(pair, (np.array([1.0, 2.0]), np.array([3.0])), (np.array([10.0, 20.0]), np.array([30.0])))[1]
        del PRIMITIVES["pair"]
        return found.tolist()

    assert joined(True) == [10.0, 20.0, 30.0]
    assert len(calls) == 2  # the forward pass and one push
    assert joined(False) != [10.0, 20.0, 30.0]


def test_the_operations_that_join_or_choose_are_jointly_linear():
    assert {name for name, op in PRIMITIVES.items() if getattr(op, "joint", False)} == {"concatenate", "stack", "where"}


def test_only_operations_that_choose_may_leave_elements_out():
    assert {name for name, op in PRIMITIVES.items() if op.selects} == {"where", "product_if_taken"}


# ------------------------------------------------------------------------------------- what the table records


def depends_on_its_own_position_only(sample):
    """Return whether a change of one element of the operands changes the result at that position only."""
    operands = [x.copy() for x in sample.operands()]
    before = np.asarray(sample.f(*operands))
    if any(x.shape != before.shape for x in operands):
        return False
    for x in operands:
        for place in np.ndindex(x.shape):
            old, x[place] = x[place], x.flat[0] + (x.flat[-1] - x.flat[0]) / 3  # in the domain, as the others
            changed = np.asarray(sample.f(*operands)) != before
            x[place] = old
            changed[place] = False
            if changed.any():
                return False
    return True


def test_operations_per_element_are_those_that_depend_on_their_own_position_only():
    samples = {name: sample for name, sample in CASES.items() if sample.name in PRIMITIVES}
    for name, sample in samples.items():
        if PRIMITIVES[sample.name].per_element:
            assert depends_on_its_own_position_only(sample), name
    for name in ("where", "greater", "isnan", "sign", "tanh", "multiply", "power"):
        assert PRIMITIVES[name].per_element, name
    for name in ("argmax-0", "argsort", "any-0", "sum-0", "softmax-0", "cumsum", "standardized", "sum_to"):
        assert not depends_on_its_own_position_only(samples[name]), name
        assert not PRIMITIVES[samples[name].name].per_element, name


def test_operations_on_arrays_of_values_follow_per_element():
    values = np.array([Value(1.0), Value(-2.0)])
    assert [x.data for x in ag.tanh(values)] == [math.tanh(1.0), math.tanh(-2.0)]
    shapes = []

    def defined(**forms):
        @nondifferentiable(**forms)
        def count(x):
            shapes.append(np.shape(x))
            return 1.0

        count(values)
        return PRIMITIVES.pop("count").per_element

    @elementwise(lambda y, x: 2 * x)
    def square_per_element(x):
        shapes.append(np.shape(x))
        return x * x

    assert [x.data for x in square_per_element(values)] == [1.0, 4.0]
    del PRIMITIVES["square_per_element"]
    assert defined(scalar="1.0")
    assert not defined()
    assert shapes == [(), (), (), (), (2,)]


def test_partials_for_the_loop_of_floats_are_kept_for_one_or_two_operands():
    kept = {name: op for name, op in PRIMITIVES.items() if op.partials is not None}
    assert {"add", "multiply", "power", "tanh", "relu", "leaky_relu", "maximum"} <= kept.keys()
    assert all(op.partials == op.rules for op in kept.values())
    for absent in ("where", "clip", "matmul", "sum", "greater", "sign", "hardtanh", "squared_error"):
        assert absent not in kept, absent

    rules = lambda z, *xs, **params: 1.0, lambda z, *xs, **params: 2.0

    def defined(forward, *rules):
        forward.__module__ = "autograd.elsewhere"
        elementwise(*rules)(forward)
        return PRIMITIVES.pop(forward.__name__).partials

    assert defined(lambda x: x, rules[0]) == rules[:1]
    assert defined(lambda x, a=1.0, b=2.0: x, rules[0]) == rules[:1]
    assert defined(lambda x, y: x + 2 * y, *rules) == rules
    assert defined(lambda x, y, a=1.0: x + 2 * y, *rules) is None  # the slots hold two operands or the parameters
    assert defined(lambda x, y: x, rules[0], None) is None
    assert defined(lambda x, y, z: x, *rules, rules[0]) is None

    @elementwise(rules[0])
    def of_a_user(x):
        return x

    assert PRIMITIVES["of_a_user"].partials is None


# ------------------------------------------------------------------------------------------------ definitions


def test_a_name_may_be_defined_again_in_its_own_module_only():
    for factor in (2.0, 3.0):

        @elementwise(factor)
        def again(x, factor=factor):
            return factor * x

        x = Value(1.0)
        assert gradients(again(x), x) == factor
    with pytest.raises(ValueError, match="there is already a primitive named 'tanh'"):

        @elementwise(lambda y, x: 1.0)
        def tanh(x):
            return x


def test_underscores_around_a_name_are_left_out():
    @elementwise(1)
    def _inner_(x):
        return x

    assert PRIMITIVES["inner"].name == PRIMITIVES["inner"].symbol == "inner"
    assert _inner_.__name__ == "_inner_"
    assert _inner_.primitive is PRIMITIVES["inner"]


@pytest.mark.parametrize("decorator", [elementwise, linear, primitive])
def test_every_operand_needs_a_rule(decorator):
    with pytest.raises(TypeError, match=r"two takes 2 argument\(s\) \['x', 'y'\] but was given 1 derivative rule\(s\)"):

        @decorator(lambda *args, **params: 1.0)
        def two(x, y, parameter=1.0, *, other=2.0):
            return x

    @decorator(lambda *args, **params: 1.0, None)
    def both(x, /, y, parameter=1.0, *, other=2.0):
        return x + y * parameter * other

    assert both(1.0, 2.0, 3.0, other=0.5) == 4.0
    assert both(Value(1.0), 2.0, parameter=3.0).data == 13.0


def test_an_unknown_option_lists_the_forms():
    with pytest.raises(TypeError, match=r"odd: unknown option 'javascript'; the forms .*'composition', 'into', 'onnx'"):

        @nondifferentiable(javascript="x")
        def odd(x):
            return x


def test_forms_and_symbol_are_kept():
    @primitive(lambda g, y, x: g, symbol="↦", onnx="Identity", sample=(0.0, 1.0))
    def arrow(x):
        return x

    op = PRIMITIVES["arrow"]
    assert (op.symbol, dict(op.forms)) == ("↦", {"onnx": "Identity", "sample": (0.0, 1.0)})
    assert "↦" in ag.draw(arrow(Value(1.0))).source

    @nondifferentiable(symbol="#")
    def count(x, y):
        return 2.0

    op = PRIMITIVES["count"]
    assert (op.symbol, op.rules) == ("#", (None, None))
    assert not count(Value(1.0), Value(2.0)).requires_grad


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
    expected = slope(0.7, float(np.float32(0.3)))
    operation(x, y).sum().backward()
    np.testing.assert_allclose(x.grad, expected, rtol=1e-14)
    assert (x.grad.dtype, y.grad.dtype) == (np.float64, np.float32)
    np.testing.assert_allclose(gradients(operation(x, y).sum(), x, create_graph=True).data, expected, rtol=1e-14)
    step = ag.compile(lambda: operation(x, y).sum())
    for _ in range(3):
        x.grad = None
        step()
        np.testing.assert_allclose(x.grad, expected, rtol=1e-14)
