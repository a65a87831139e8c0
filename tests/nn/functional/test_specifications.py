"""Every primitive of nn against its specification: the same function of elementary operations.

Value, gradient and second derivative agree; a primitive without a specification fails the first test.
"""

import functools
import math

import numpy as np
import pytest

import autograd as ag
import nn  # noqa: F401  (enters its primitives in the table)
from autograd import PRIMITIVES, Tensor, exp, gradients, log, sigmoid, tanh, where
from autograd.extend import apply

NAMES = [name for name, op in PRIMITIVES.items() if op.forward.__module__.startswith("nn.")]
X = np.array([[-2.7, -1.3, -0.6, -0.2], [0.3, 0.7, 1.4, 3.2]])  # away from the kinks at 0, 0.5, 1 and 3
P = np.array([[0.1, 0.3, 0.45, 0.6], [0.7, 0.8, 0.9, 0.05]])
CLASSES = np.array([3, 1])
A, B = 1.6732632423543772, 1.0507009873554805  # SELU's


def composition(name):
    return PRIMITIVES[name].forms.get("composition")


# name -> (specification, operands, parameters)
SPECIFIED = {
    "passed_through": (lambda x: x + 0.0, [X], {}),
    "hardtanh": (lambda x: where(x < -1.0, -1.0, where(x > 2.0, 2.0, x)), [X], {"min_val": -1.0, "max_val": 2.0}),
    "hardsigmoid": (lambda x: where(x < -3, 0.0, where(x > 3, 1.0, x / 6 + 0.5)), [X], {}),
    "hardswish": (lambda x: x * where(x < -3, 0.0, where(x > 3, 1.0, x / 6 + 0.5)), [X], {}),
    "elu": (lambda x: where(x > 0, x, 0.7 * (exp(x) - 1)), [X], {"alpha": 0.7}),
    "celu": (lambda x: where(x > 0, x, 0.7 * (exp(x / 0.7) - 1)), [X], {"alpha": 0.7}),
    "selu": (lambda x: B * where(x > 0, x, A * (exp(x) - 1)), [X], {}),
    "slope_where_negative": (lambda x, a: where(x > 0, x, a * x), [X, P], {}),
    "softshrink": (lambda x: where(x > 0.5, x - 0.5, where(x < -0.5, x + 0.5, 0.0)), [X], {"lambd": 0.5}),
    "hardshrink": (lambda x: where(ag.abs(x) > 0.5, x, 0.0), [X], {"lambd": 0.5}),
    "hard_threshold": (lambda x: where(x > 0.5, x, -7.0), [X], {"threshold": 0.5, "value": -7.0}),
    "gelu": (lambda x: x * (1 + ag.erf(x / math.sqrt(2))) / 2, [X], {}),
    "silu": (lambda x: x / (1 + exp(-x)), [X], {}),
    "mish": (lambda x: x * tanh(log(1 + exp(x))), [X], {}),
    "softplus_up_to": (
        lambda x: where(2 * x > 2.5, x, log(1 + exp(2 * x)) / 2), [X], {"beta": 2.0, "threshold": 2.5},
    ),
    "softsign": (lambda x: x / (1 + ag.abs(x)), [X], {}),
    "tanhshrink": (lambda x: x - tanh(x), [X], {}),
    "logsigmoid": (lambda x: log(sigmoid(x)), [X], {}),
    "clamped_log": (lambda p: log(p), [P], {}),
    "probability_cross_entropy": (lambda p, t: -(t * log(p) + (1 - t) * log(1 - p)), [P, P[::-1].copy()], {}),
    "logit_cross_entropy": (lambda z, t: -(t * log(sigmoid(z)) + (1 - t) * log(1 - sigmoid(z))), [X, P], {}),
    "x_log_x": (lambda p: p * log(p), [P], {}),
    "squared_error": (lambda x, t: (x - t) ** 2, [X, P], {}),
    "huber_of_difference": (
        lambda d: where(ag.abs(d) < 1, d * d / 2, ag.abs(d) - 0.5), [X], {"delta": 1.0},
    ),
    "log_factorial": (
        lambda t: where(t > 1, t * log(t) - t + log(2 * math.pi * t) / 2, 0.0), [np.abs(X)], {},
    ),
    "log_cosh": (lambda d: log((exp(d) + exp(-d)) / 2), [X], {}),
    "all_sum": (lambda x: x + 0.0, [X], {"comm": None}),
    "affine": (composition("affine"), [X, P[:, :4], np.array([0.5, -0.5])], {}),
    "standardized": (composition("standardized"), [X], {"axis": 0, "eps": 0.1}),
    "scaled_to_unit": (composition("scaled_to_unit"), [X], {"axis": -1, "eps": 0.1}),
    "mean_of_all": (composition("mean_of_all"), [X], {}),
    "mean_squared_error": (composition("mean_squared_error"), [X, P], {}),
    "mean_logit_cross_entropy": (
        lambda z, t: -ag.mean(t * log(sigmoid(z)) + (1 - t) * log(1 - sigmoid(z))), [X, P], {},
    ),
    "cross_entropy_of_index": (lambda z, t: -log(ag.softmax(z))[np.arange(2), t], [X, CLASSES], {}),
    "mean_cross_entropy_of_index": (
        lambda z, t: -ag.mean(log(ag.softmax(z))[np.arange(2), t]), [X, CLASSES], {},
    ),
    "excess_of_index": (lambda z, t: ag.softmax(z) - np.eye(z.shape[1])[t], [X, CLASSES], {}),
    "cross_entropy_of_rows": (lambda z, q: -ag.sum(q * log(ag.softmax(z)), axis=-1), [X, P], {}),
}  # fmt: skip


def test_every_primitive_is_specified():
    assert set(NAMES) == set(SPECIFIED)


def value_and_derivatives(function, operands):
    """Value, gradients, and gradients of a fixed combination of the gradients, of a weighted sum."""
    inputs = [Tensor(a, requires_grad=True) if a.dtype.kind == "f" else a for a in operands]
    wanted = [x for x in inputs if isinstance(x, Tensor)]
    y = function(*inputs)
    weights = np.cos(np.arange(float(np.size(y.data)))).reshape(y.shape) + 1.5
    slopes = gradients((y * weights).sum(), wanted, create_graph=True)
    combined = sum((s * (np.sin(np.arange(float(s.size))).reshape(s.shape) + 2.0)).sum() for s in slopes)
    if not combined.requires_grad:
        return [y.data, *(s.data for s in slopes)], [np.zeros(x.shape) for x in wanted]
    curved = gradients(combined, wanted, allow_unused=True)
    return [y.data, *(s.data for s in slopes)], [
        np.zeros(x.shape) if c is None else c for x, c in zip(wanted, curved, strict=True)
    ]


@pytest.mark.parametrize("name", SPECIFIED)
def test_primitive_equals_its_specification(name):
    specification, operands, params = SPECIFIED[name]
    if params and specification is composition(name):
        specification = functools.partial(specification, **params)
    found = value_and_derivatives(lambda *xs: apply(PRIMITIVES[name], xs, params), operands)
    expected = value_and_derivatives(specification, operands)
    for order, (ours, wanted) in enumerate(zip(found, expected, strict=True)):
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12, err_msg=f"order {order}")
