"""Inputs of any size, at the bounds of their ranges and of any dtype: results are finite and keep the dtype."""

import inspect
import warnings

import numpy as np
import pytest

import nn
from autograd import Tensor, detect_anomaly

X = np.ones((4, 3))
T = np.array([0, 1, 2, 1])
ELEMENTWISE = [
    "MSELoss", "HalfMSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "LogCoshLoss", "PoissonNLLLoss", "BCELoss",
    "BCEWithLogitsLoss", "FocalLoss", "HingeLoss", "SquaredHingeLoss", "SoftMarginLoss", "HingeEmbeddingLoss",
    "KLDivLoss",
]  # fmt: skip


@pytest.mark.parametrize("size", [1e4, 1e300])
def test_logits_of_any_size_are_finite_forward_and_backward(size):
    z = np.array([[size, -size, 0.0], [-size, size, size]])
    losses = {
        "CrossEntropyLoss": np.array([1, 0]), "BCEWithLogitsLoss": np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.5]]),
        "FocalLoss": np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.5]]), "SoftMarginLoss": np.where(z > 0, -1.0, 1.0),
        "HingeLoss": np.where(z > 0, -1.0, 1.0), "LogCoshLoss": np.zeros((2, 3)), "HuberLoss": np.zeros((2, 3)),
    }  # fmt: skip
    for name, target in losses.items():
        for options in ({}, {"label_smoothing": 0.1}) if name == "CrossEntropyLoss" else ({},):
            x = Tensor(z, requires_grad=True)
            value = getattr(nn, name)(reduction="sum", **options)(x, target)
            value.backward()
            assert np.isfinite(value.data), name
            assert np.isfinite(x.grad).all(), name


def test_infinite_logits_of_other_classes_give_a_finite_loss():
    x = Tensor([[-np.inf, 0.0], [-np.inf, 1.0]], requires_grad=True)
    value = nn.CrossEntropyLoss()(x, [1, 1])
    value.backward()
    assert value.item() == 0.0
    np.testing.assert_array_equal(x.grad, np.zeros((2, 2)))


def test_logits_without_a_finite_maximum_give_nan_which_detect_anomaly_reports():
    for logits in ([[np.inf, np.inf]], [[-np.inf, -np.inf]]):
        with pytest.warns(RuntimeWarning, match="invalid value"):
            assert np.isnan(nn.CrossEntropyLoss()(Tensor(logits), [1]).data)
        with pytest.raises(FloatingPointError, match="nan"), detect_anomaly():
            nn.CrossEntropyLoss()(Tensor(logits, requires_grad=True), [1])


def test_bce_of_probabilities_0_and_1_is_finite():
    x = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    value = nn.BCELoss(reduction="none")(x, np.array([1.0, 1.0, 0.0, 0.0]))
    value.sum().backward()
    np.testing.assert_array_equal(value.data, [100.0, 0.0, 0.0, 100.0])
    np.testing.assert_array_equal(x.grad, [-1e12, 0.0, 0.0, 1e12])


@pytest.mark.parametrize("name", [n for n in nn.layers.activation.__all__ if n not in ("GLU", "SwiGLU", "Threshold")])
def test_activations_of_large_numbers_are_finite(name):
    x = Tensor(np.array([[-1e4, -750.0, -40.0, 40.0, 750.0, 1e4]]), requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = getattr(nn, name)()(x)
        y.sum().backward()
    assert np.isfinite(y.data).all()
    assert np.isfinite(x.grad).all()


def test_normalization_of_constant_columns_and_rows_is_zero():
    for layer, x in [(nn.BatchNorm1d(3), 7.0 * X), (nn.LayerNorm(3), 7.0 * X), (nn.RMSNorm(3), 0.0 * X)]:
        given = Tensor(x, requires_grad=True)
        y = layer(given)
        (y * np.arange(12.0).reshape(4, 3)).sum().backward()
        np.testing.assert_array_equal(y.data, 0.0 * X)
        assert np.isfinite(given.grad).all()


def test_kl_div_of_a_zero_probability_is_finite():
    t = Tensor([0.0, 1.0], requires_grad=True)
    value = nn.KLDivLoss("sum")(np.array([-3.0, -0.5]), t)
    value.backward()
    assert value.item() == 0.5
    np.testing.assert_array_equal(t.grad, [3.0, 1.5])  # the derivative of 0 log 0 is defined as 0


def test_loss_accepts_inputs_as_keywords():
    assert nn.MSELoss()(input=X, target=X) == 0.0


def test_distance_losses_of_equal_points_have_finite_gradients():
    x = Tensor(X, requires_grad=True)
    value = nn.TripletMarginLoss()(x, X, X + 1.0)
    value.backward()
    assert np.isfinite(x.grad).all()
    zero = Tensor(0.0 * X, requires_grad=True)
    nn.CosineEmbeddingLoss()(zero, 0.0 * X, np.ones(4)).backward()
    nn.CosineEmbeddingLoss()(zero, X, np.ones(4)).backward()
    assert np.isfinite(zero.grad).all()


# ------------------------------------------------------------------------------------------------------- types


def test_float32_stays_float32_through_every_layer_and_loss():
    x = Tensor(np.random.default_rng(0).random((4, 4)).astype(np.float32), requires_grad=True)
    for name, cls in inspect.getmembers(nn.layers.activation, inspect.isclass):
        if name in nn.layers.activation.__all__ and name != "Threshold":
            assert cls().to(np.float32)(x).dtype == np.float32, name
    for layer in (nn.BatchNorm1d(4), nn.LayerNorm(4), nn.RMSNorm(4), nn.Linear(4, 2)):
        assert layer.to(np.float32)(x).dtype == np.float32
    for layer in (nn.Dropout(0.5), nn.AlphaDropout(0.5)):
        assert layer(x).dtype == np.float32
    for name in ELEMENTWISE:
        for target in (np.full((4, 4), 0.5), Tensor(np.full((4, 4), 0.5)), np.full((4, 4), 0.5).tolist()):
            loss = getattr(nn, name)()(x, target)  # float64 targets do not widen the model
            assert loss.dtype == np.float32, name
            loss.backward()
            assert x.grad.dtype == np.float32
    labels = np.array([0, 1, 2, 3])
    for loss in (nn.CrossEntropyLoss(weight=np.ones(4), label_smoothing=0.1), nn.NLLLoss(weight=np.ones(4)),
                 nn.CrossEntropyLoss(), nn.MultiMarginLoss(weight=np.ones(4))):  # fmt: skip
        assert loss(x, labels).dtype == np.float32
    for rows in (np.eye(4), Tensor(np.eye(4))):
        assert nn.CrossEntropyLoss()(x, rows).dtype == np.float32
    for variance in (np.ones((4, 4)), Tensor(np.ones((4, 4)))):
        assert nn.GaussianNLLLoss()(x, np.ones((4, 4)), variance).dtype == np.float32
    target = Tensor(np.full((4, 4), 0.5), requires_grad=True)
    nn.MSELoss()(x, target).backward()
    assert target.grad.dtype == np.float64


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_class_indices_of_any_integer_type_give_the_same_loss(kind):
    z = np.random.default_rng(0).normal(size=(4, 3))
    expected = nn.CrossEntropyLoss()(z, T)
    assert nn.CrossEntropyLoss()(z, T.astype(kind)) == expected
    assert nn.CrossEntropyLoss()(z, Tensor(T.astype(kind))) == expected
    assert nn.CrossEntropyLoss()(z, T.astype(kind)[::1]) == expected
    with pytest.raises(IndexError, match="class index 3"):
        nn.CrossEntropyLoss()(z, np.array([0, 1, 3, 1], kind))


def test_strided_class_indices_give_the_same_loss():
    z = np.random.default_rng(0).normal(size=(4, 3))
    wide = np.stack([T, 9 * T], axis=1)
    assert nn.CrossEntropyLoss()(z, wide[:, 0]) == nn.CrossEntropyLoss()(z, T)


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "BCEWithLogitsLoss"])
def test_mean_of_many_float16_losses_does_not_overflow(name):
    loss = getattr(nn, name)()
    x = np.tile([1.0, 2.0], 35_000)
    half, double = Tensor(x.astype(np.float16), requires_grad=True), Tensor(x, requires_grad=True)
    y, z = loss(half, np.zeros(x.shape, np.float16)), loss(double, np.zeros(x.shape))
    y.backward()
    z.backward()
    assert y.item() == pytest.approx(z.item(), rel=2e-3)
    np.testing.assert_allclose(half.grad, double.grad, rtol=0.02)
