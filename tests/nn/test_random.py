"""Backpropagation as textbooks derive it: output deltas a - y, and the layer recursion by hand.

``delta[L] = a - y``, ``delta[l] = (W[l+1]^T delta[l+1]) * sigma'(z[l])``, ``dW[l] = delta[l] a[l-1]^T`` and
``db[l] = delta[l]``.
"""

import numpy as np
import pytest

import nn
from autograd import Tensor, gradients

RNG = np.random.default_rng(0)
Z = 3.0 * RNG.normal(size=(6, 4))
SLOPES = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a * a, "relu": lambda a: (a > 0).astype(float)}
SQUASH = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("one_hot", [False, True])
def test_softmax_with_cross_entropy_has_delta_a_minus_y(one_hot):
    classes = RNG.integers(0, 4, 6)
    y = np.eye(4)[classes]
    z = Tensor(Z, requires_grad=True)
    fused = nn.CrossEntropyLoss(reduction="sum")(z, y if one_hot else classes)
    np.testing.assert_allclose(gradients(fused, z), softmax(Z) - y, atol=1e-14)
    composed = -(np.log(nn.functional.softmax(z)) * y).sum()
    np.testing.assert_allclose(gradients(composed, z), softmax(Z) - y, atol=1e-13)
    mean = nn.CrossEntropyLoss()(z, y if one_hot else classes)
    np.testing.assert_allclose(gradients(mean, z), (softmax(Z) - y) / 6, atol=1e-14)


def test_sigmoid_with_binary_cross_entropy_has_delta_a_minus_y():
    y = RNG.integers(0, 2, (6, 4)).astype(float)
    a = SQUASH["sigmoid"](Z)
    z = Tensor(Z, requires_grad=True)
    fused = nn.BCEWithLogitsLoss(reduction="sum")(z, y)
    np.testing.assert_allclose(gradients(fused, z), a - y, atol=1e-14)
    composed = nn.BCELoss(reduction="sum")(nn.functional.sigmoid(z), y)
    np.testing.assert_allclose(gradients(composed, z), a - y, atol=1e-12)


def test_half_squared_error_on_linear_outputs_has_delta_a_minus_y():
    z, y = Tensor(Z, requires_grad=True), RNG.normal(size=(6, 4))
    np.testing.assert_allclose(gradients(nn.HalfMSELoss()(z, y), z), (Z - y) / 6, atol=1e-15)


@pytest.mark.parametrize("activation", SLOPES)
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "linear"])
def test_gradients_of_three_layers_equal_the_backpropagation_equations(activation, output):
    model = nn.MLP(3, [5, 4, 2], activation, rng=2)
    for p in model.parameters():
        p.data = p.data + 0.1 * np.random.default_rng(3).normal(size=p.shape)
    x, classes = np.random.default_rng(4).normal(size=(7, 3)), np.random.default_rng(5).integers(0, 2, 7)
    y = np.eye(2)[classes]
    loss_of, outside = {
        "softmax": (nn.CrossEntropyLoss(), softmax),
        "sigmoid": (nn.BCEWithLogitsLoss(reduction="sum"), SQUASH["sigmoid"]),
        "linear": (nn.HalfMSELoss(), lambda z: z),
    }[output]
    loss_of(model(x), y).backward()

    weights = [(m.weight, m.bias) for m in model if isinstance(m, nn.Linear)]
    a = [x]
    for i, (W, b) in enumerate(weights):
        z = a[-1] @ W.data.T + b.data
        a.append(outside(z) if i == 2 else SQUASH[activation](z))
    delta = (a[3] - y) / (1 if output == "sigmoid" else 7)
    for i in (2, 1, 0):
        W, b = weights[i]
        np.testing.assert_allclose(W.grad, delta.T @ a[i], atol=1e-13)
        np.testing.assert_allclose(b.grad, delta.sum(axis=0), atol=1e-13)
        delta = (delta @ W.data) * SLOPES[activation](a[i]) if i else delta
