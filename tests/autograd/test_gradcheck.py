"""`gradcheck` and `gradgradcheck`: correct gradients pass, wrong ones fail with their cause."""

import warnings

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import GradientWarning, Tensor, Value
from autograd.checking import GradcheckError, Report, gradcheck, gradgradcheck
from autograd.graph import apply
from autograd.rules import Elementwise, Linear


def broken(partial, forward=lambda x: x * x):
    """An operation whose forward and derivative do not belong together; it stays out of the table."""
    op = Elementwise("broken", forward, (partial,))
    return lambda x: apply(op, (x,))


def failure(f, inputs, **options):
    report = gradcheck(f, inputs, raise_exception=False, **options)
    assert not report
    return report


X = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ag.tanh(x) * x,
        lambda x: ag.exp(x).sum(axis=0),
        lambda x: x @ x.T,
        lambda x: ag.softmax(x),
        lambda x: ag.logsumexp(x, axis=1),
        lambda x: [x.sum(), {"rows": x[0] * x[1]}],
        lambda x: x[[0, 0, 1], [2, 2, 0]] ** 3,
    ],
)
@pytest.mark.parametrize("directions", [0, 5])
def test_correct_gradients_pass(f, directions):
    report = gradcheck(f, X, directions=directions)
    assert report
    assert report.checked == (directions or X.size)
    assert gradgradcheck(f, X)


def test_floats_arrays_nodes_and_nests_are_varied_and_integers_are_not():
    seen = []

    def f(nest, value, labels, tensor):
        seen.append((type(nest["w"]), type(nest["b"][0]), type(value), labels, type(tensor)))
        return ag.sum(nest["w"][labels] * nest["b"][0]) * value + tensor.sum()

    labels = np.array([0, 2])
    inputs = ({"w": np.array([1.0, 2.0, 3.0]), "b": [0.5]}, Value(2.0), labels, Tensor([1.0], requires_grad=True))
    assert gradcheck(f, inputs).checked == 3 + 1 + 1 + 1
    assert all(s == (Tensor, Value, Value, labels, Tensor) for s in [(*s[:3], labels, s[4]) for s in seen])
    assert all(s[3] is labels for s in seen)


def test_a_node_without_gradient_is_a_constant():
    assert gradcheck(lambda x, c: x * c, (2.0, Tensor([3.0]))).checked == 1


@pytest.mark.parametrize("named", [False, True])
def test_parameters_are_varied_and_restored(named):
    w, b = Tensor([[1.0, -2.0]], requires_grad=True, name="w"), Value(0.5)
    before = w.data
    given = {"weight": w, "bias": b} if named else [w, b]
    assert gradcheck(lambda x: ag.tanh(x @ w.T + b), np.array([[0.1, 0.2]]), parameters=given).checked == 5
    assert w.data is before
    assert b.data == 0.5
    assert w.grad is None
    assert b.grad == 0.0


def test_parameters_are_restored_after_a_failure():
    w = Tensor([1.0, 2.0], requires_grad=True)
    before, bad = w.data, broken(lambda y, x: 3 * x)
    with pytest.raises(GradcheckError, match="parameter 0"):
        gradcheck(lambda: bad(w).sum(), (), parameters=[w])
    assert w.data is before


def test_parameters_are_restored_after_an_error_of_the_function():
    w = Tensor(np.ones(2, np.float32), requires_grad=True)
    before = w.data
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda: 1 / 0, (), parameters=[w])
    assert w.data is before


@pytest.mark.parametrize(
    ("partial", "cause"),
    [
        (lambda y, x: -2 * x, "a sign"),
        (lambda y, x: x, "a factor of 2"),
        (lambda y, x: 0.0 * x, "the gradient is not propagated"),
        (lambda y, x: np.nan * x, "nan or inf"),
    ],
)
def test_wrong_rule_fails_with_its_cause(partial, cause):
    report = failure(broken(partial), X)
    assert cause in str(report)
    assert len(report.failures) == X.size
    assert f"{X.size} of {X.size}" in str(report)


def test_a_factor_is_named_only_if_it_explains_every_wrong_entry():
    for factors in ([[1.0, 3.0, 1.0], [1.0, 1.0, 1.0]], [[2.0, 3.0, 2.0], [2.0, 2.0, 2.0]]):  # 2 is right
        wrong = np.array(factors)
        report = failure(broken(lambda y, x, wrong=wrong: wrong * x), X)
        assert "factor" not in str(report)
    assert "a factor of 2" in str(failure(broken(lambda y, x: x), 3.0))
    scaled = failure(lambda x, y: broken(lambda y, x: 0.5 * x)(x) * y, (X, 3.0))
    assert len(scaled.failures) == X.size
    assert scaled.cause == "a factor of 4"


def test_the_worst_difference_of_an_exact_gradient_is_zero():
    for f, x in ((lambda x: x + 1.0, 0.0), (lambda x: x * 0.0, np.ones(2))):
        report = gradcheck(f, x)
        assert abs(report.worst.analytic - report.worst.numeric) < 1e-10
        assert "derivatives agree; worst input 0" in str(report)


def test_one_wrong_entry_among_many_is_named():
    wrong = np.zeros((2, 3))
    wrong[1, 2] = 1e-4
    bad = broken(lambda y, x: 2 * x + wrong)
    report = failure(lambda x: bad(x).sum(), X)
    assert report.worst.argument == "input 0"
    assert report.worst.index == (1, 2)
    assert report.worst.numeric == pytest.approx(-0.8, rel=1e-9)
    assert report.worst.analytic == pytest.approx(-0.7999, rel=1e-9)
    assert "input 0[1, 2]: analytic -0.7999" in str(report)
    assert "relative error 1.25e-04 at step 6.0e-06" in str(report)


def test_a_wrong_rule_is_caught_along_directions():
    with pytest.raises(GradcheckError, match="along direction 0"):
        gradcheck(broken(lambda y, x: 2 * x + 1e-4), X, directions=3)


def test_a_wrong_second_derivative_is_caught():
    op = Elementwise(
        "bad_second",
        lambda x: x * x * x,
        (lambda y, x: 3 * ag.Tensor(x._value**2) if isinstance(x, ag.Node) else 3 * x * x,),
    )
    cube = lambda x: apply(op, (x,))  # noqa: E731
    assert gradcheck(cube, X)
    with pytest.raises(GradcheckError):
        gradgradcheck(cube, X)


def test_a_kink_is_named():
    report = failure(lambda x: ag.relu(x).sum(), np.array([1.0, 0.0]))
    assert report.worst.index == (1,)
    assert "kink" in report.cause
    assert "0 on one side and 1 on the other" in report.cause


def test_a_function_that_is_not_deterministic_fails():
    rng = np.random.default_rng(0)
    assert "not deterministic" in str(failure(lambda x: x * rng.random(), 2.0))


def test_float32_is_checked_in_float64_and_warns():
    x = np.array([0.5, 1.5], np.float32)
    with pytest.warns(GradientWarning, match="float32"):
        assert gradcheck(ag.tanh, x)


def test_function_that_computes_in_float32_is_reported():
    op = Linear("narrow", lambda x: x.astype(np.float32), (lambda g, y, x: g,))
    report = failure(lambda x: ag.tanh(apply(op, (x,))), X)
    assert "float32" in report.cause


def test_non_contiguous_inputs_keep_their_layout():
    layouts = []

    def f(x):
        layouts.append(x.data.flags.c_contiguous)
        return x * x

    assert gradcheck(f, X.T)
    assert False in layouts
    assert failure(broken(lambda y, x: 2 * (x if x.flags.c_contiguous else -x)), X.T).failures


def test_input_with_repeated_memory_is_checked_element_by_element():
    assert gradcheck(ag.tanh, np.broadcast_to(1.0, (3,))).checked == 3


def test_nothing_to_differentiate_raises():
    with pytest.raises(ValueError, match="nothing to differentiate"):
        gradcheck(lambda x: x, np.array([1, 2]))
    with pytest.raises(ValueError, match="no output depends on an input"):
        gradcheck(lambda x: x.detach() * 2, X)
    with pytest.raises(ValueError, match="no output depends on an input"):
        gradcheck(lambda x: x.data * 2, X)


def test_an_input_that_is_detached_beside_one_that_is_not_fails():
    report = failure(lambda x, y: x * y.detach(), (X, X + 1))
    assert report.worst.argument == "input 1"
    assert "detach()" in report.cause


def test_large_values_and_steep_functions_pass():
    assert gradcheck(lambda x: x * 1e6 + 1e8, X)
    assert gradcheck(lambda x: ag.exp(x * 20), np.array([0.5, 1.0]))
    assert gradcheck(ag.sin, np.array([1e3, -2e3]))


def test_the_report_of_a_pass_names_the_worst():
    report = gradcheck(ag.exp, X)
    assert isinstance(report, Report)
    assert "6 derivatives agree" in str(report)
    assert report.worst is None or report.worst.error < 1e-7


def test_numpy_warnings_are_suppressed():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gradcheck(lambda x: ag.where(x > 0, ag.exp(x), x), X)


def test_no_input_is_changed():
    x, t = X.copy(), Tensor(X, requires_grad=True)
    gradcheck(lambda a, b: a * b, (x, t))
    assert np.array_equal(x, X)
    assert np.array_equal(t.data, X)
    assert t.grad is None


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_gradcheck_reports_unsuitable_functions():
    calls = []

    def restless(x):
        calls.append(0)
        return x * float(len(calls))

    with pytest.warns(GradientWarning, match="float32"):
        ag.gradcheck(lambda x: x * x, Tensor(np.float32([1.0]), requires_grad=True))
    with raises(AssertionError, "kink", r"\[1\]"):
        ag.gradcheck(ag.relu, np.array([1.0, 0.0]))
    with raises(AssertionError, "determin"):
        ag.gradcheck(restless, np.array([1.0]))
    with raises(ValueError, "no output depends on an input", r"detach\(\)"):
        ag.gradcheck(lambda x: x.detach() * 2.0, np.array([1.0]))
