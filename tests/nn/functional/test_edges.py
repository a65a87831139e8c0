"""Values at the ends of their ranges: the result, the gradient, and a warning where neither is a number."""

import math

import numpy as np
import pytest

import autograd as ag
import nn
from autograd import GradientWarning, Tensor, Value
from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)

INF, NAN = math.inf, math.nan


def cases(**rows):
    """Return parameters of one test per row: each a list of (function, operand, value, gradient of the sum)."""
    return [pytest.param(row, id=name.replace("_", " ")) for name, row in rows.items()]


SATURATING = [F.sigmoid, F.tanh, F.softplus, F.gelu, F.silu, F.mish, F.elu]
RESULTS_AT_THE_END = {F.sigmoid: 1.0, F.tanh: 1.0}


@pytest.mark.parametrize("row", cases(
    softmax_of_large_numbers=[
        (lambda x: ag.softmax(x), [1000.0, 0.0], [1.0, 0.0], [0.0, 0.0]),
        (lambda x: ag.softmax(x), [-INF, 0.0], [0.0, 1.0], [0.0, 0.0]),
    ],
    logsumexp=[
        (ag.logsumexp, [1000.0, 1000.0], 1000.0 + math.log(2.0), [0.5, 0.5]),
        (ag.logsumexp, [-INF, -INF], -INF, [0.0, 0.0]),
    ],
    roots_of_0=[
        (ag.sqrt, [0.0], [0.0], [INF]),
        (ag.norm, [0.0, 0.0], 0.0, [0.0, 0.0]),
        (ag.std, [2.0, 2.0], 0.0, [0.0, 0.0]),
    ],
    what_where_leaves_out=[
        (lambda x: ag.where(x > 0, ag.log(x), 0.0), [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]),
    ],
    cross_entropy_of_certainty=[
        (lambda p: F.binary_cross_entropy(p, np.ones(1), reduction="sum"), [0.0], 100.0, [-1e12]),
        (lambda p: F.binary_cross_entropy(p, np.ones(1), reduction="sum"), [1.0], 0.0, [0.0]),
    ],
    cross_entropy_of_large_logits=[
        (lambda z: F.binary_cross_entropy_with_logits(z, np.ones(1)), [-1000.0], 1000.0, [-1.0]),
        (lambda z: F.binary_cross_entropy_with_logits(z, np.ones(1)), [1000.0], 0.0, [0.0]),
        (lambda z: F.binary_cross_entropy_with_logits(z, np.zeros(1)), [1000.0], 1000.0, [1.0]),
    ],
    activations_far_out=[
        (f, [1000.0, -1000.0], [RESULTS_AT_THE_END.get(f, 1000.0), {F.tanh: -1.0, F.elu: -1.0}.get(f, 0.0)],
         [float(f not in RESULTS_AT_THE_END), 0.0])
        for f in SATURATING
    ],
    powers_of_0=[
        (lambda x: x ** Value(0.0), [0.0], [1.0], [0.0]),
        (lambda x: x ** Value(2.0), [0.0], [0.0], [0.0]),
        (lambda y: Value(0.0) ** y, [0.0, 2.0], [1.0, 0.0], [0.0, 0.0]),
    ],
    kinks_at_0=[
        (ag.absolute, [0.0], [0.0], [0.0]),
        (ag.relu, [0.0], [0.0], [0.0]),
        (F.leaky_relu, [0.0], [0.0], [0.01]),
        (F.elu, [0.0], [0.0], [1.0]),
    ],
    bounds=[
        (lambda x: ag.clip(x, -1.0, 1.0), [-1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]),
        (F.relu6, [0.0, 6.0], [0.0, 6.0], [0.0, 0.0]),
        (F.hardtanh, [-1.0, 1.0], [-1.0, 1.0], [0.0, 0.0]),
    ],
    ties_share=[
        (ag.max, [3.0, 3.0, 1.0], 3.0, [0.5, 0.5, 0.0]),
        (lambda x: ag.max(x, axis=0), [3.0, 3.0, 1.0], 3.0, [0.5, 0.5, 0.0]),
        (lambda x: ag.maximum(x, Tensor([2.0], requires_grad=True)), [2.0], [2.0], [0.5]),
    ],
    products_with_zeros=[
        (ag.prod, [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0]),
        (ag.prod, [0.0, 2.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
    ],
    reductions_of_nothing=[
        (ag.sum, [], 0.0, []),
        (ag.prod, [], 1.0, []),
        (ag.logsumexp, [], -INF, []),
    ],
    the_origin=[
        (lambda x: ag.hypot(x, 0.0), [0.0], [0.0], [0.0]),
        (lambda x: ag.atan2(x, 0.0), [0.0], [0.0], [0.0]),
    ],
))  # fmt: skip
def test_edge_case_has_the_documented_value_and_gradient(row):
    for f, operand, value, gradient in row:
        x = Tensor(np.array(operand), requires_grad=True)
        with np.errstate(divide="ignore"):
            y = f(x)
            y.sum().backward()
        np.testing.assert_allclose(y.data, value, rtol=1e-14)
        np.testing.assert_allclose(x.grad, gradient, rtol=1e-13)


@pytest.mark.parametrize(("kind", "f"), [
    pytest.param(RuntimeWarning, lambda x: ag.softmax(x - INF), id="softmax of -inf alone"),
    pytest.param(RuntimeWarning, lambda x: ag.var(x[:1], ddof=1), id="variance of one element"),
    pytest.param(RuntimeWarning, lambda x: ag.std(x[:1], ddof=1), id="deviation of one element"),
    pytest.param(RuntimeWarning, lambda x: ag.mean(x[:0]), id="mean of nothing"),
    pytest.param(UserWarning, lambda x: F.cross_entropy(x, [-100, -100]), id="every target ignored"),
    pytest.param(UserWarning, lambda x: F.cross_entropy(x[:0], np.zeros(0, int)), id="empty batch"),
    pytest.param(UserWarning, lambda x: F.cross_entropy(x, [0, 1], weight=np.zeros(2)), id="weights all 0"),
])  # fmt: skip
def test_nan_gradient_warns(kind, f):
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    with pytest.warns(kind):
        assert np.isnan(f(x.ravel() if kind is RuntimeWarning else x).data).all()


def test_max_of_an_empty_array_raises():
    with pytest.raises(ValueError, match="empty"):
        ag.max(Tensor(np.zeros(0)))


def test_power_of_a_negative_base_has_a_nan_gradient_of_the_exponent():
    base, exponent = Value(-2.0), Value(3.0, name="n")
    y = base**exponent
    with pytest.warns(GradientWarning, match="gradient of the exponent is nan"):
        y.backward()
    assert (y.data, base.grad) == (-8.0, 12.0)
    assert math.isnan(exponent.grad)


def test_cross_entropy_of_ignored_targets_has_zero_gradients():
    z = Tensor(np.zeros((2, 3)), requires_grad=True)
    with pytest.warns(UserWarning, match="ignore_index"):
        nn.CrossEntropyLoss()(z, [-100, -100]).backward()
    assert not z.grad.any()
