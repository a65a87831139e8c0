"""Initializers: fans, bounds, moments and dtype; the data is rebound, not modified in place."""

import math

import numpy as np
import pytest

from autograd import Tensor
from nn import init

SHAPE = (300, 200)  # (out, in): fan_in 200, fan_out 300

# name -> (call, standard deviation, bound or None)
WANTED = {
    "uniform": (lambda w: init.uniform_(w, -2.0, 2.0, rng=0), 2.0 / math.sqrt(3), 2.0),
    "normal": (lambda w: init.normal_(w, 0.0, 0.5, rng=0), 0.5, None),
    "xavier_uniform": (lambda w: init.xavier_uniform_(w, rng=0), math.sqrt(2 / 500), math.sqrt(6 / 500)),
    "xavier_normal": (lambda w: init.xavier_normal_(w, gain=2.0, rng=0), 2 * math.sqrt(2 / 500), None),
    "kaiming_uniform": (
        lambda w: init.kaiming_uniform_(w, nonlinearity="relu", rng=0), math.sqrt(2 / 200), math.sqrt(6 / 200),
    ),
    "kaiming_uniform of PyTorch's Linear": (
        lambda w: init.kaiming_uniform_(w, a=math.sqrt(5), rng=0), math.sqrt(1 / 600), math.sqrt(1 / 200),
    ),
    "kaiming_normal": (lambda w: init.kaiming_normal_(w, rng=0), math.sqrt(2 / 200), None),
    "kaiming_normal fan_out": (
        lambda w: init.kaiming_normal_(w, a=1.0, mode="fan_out", rng=0), math.sqrt(1 / 300), None,
    ),
    "lecun_uniform": (lambda w: init.lecun_uniform_(w, rng=0), math.sqrt(1 / 200), math.sqrt(3 / 200)),
    "lecun_normal": (lambda w: init.lecun_normal_(w, rng=0), math.sqrt(1 / 200), None),
}  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
def test_initializer_has_the_moments_and_bounds_of_its_distribution(name):
    call, deviation, bound = WANTED[name]
    w = Tensor(np.zeros(SHAPE, np.float32), requires_grad=True)
    before = w.data
    assert call(w) is w
    assert w.data is not before
    assert not before.any()
    assert w.dtype == np.float32
    assert abs(w.data.mean()) < 5 * deviation / math.sqrt(w.size)
    assert w.data.std() == pytest.approx(deviation, rel=0.02)
    if bound is not None:
        assert 0.99 * bound < abs(w.data).max() <= bound * (1 + 1e-6)
    again = Tensor(np.zeros(SHAPE, np.float32))
    np.testing.assert_array_equal(call(again).data, w.data)


def test_he_initializers_are_the_kaiming_ones():
    assert init.he_normal_ is init.kaiming_normal_
    assert init.he_uniform_ is init.kaiming_uniform_


def test_trunc_normal_is_bounded_and_has_the_truncated_standard_deviation():
    w = init.trunc_normal_(Tensor(np.zeros(SHAPE)), 1.0, 2.0, -3.0, 5.0, rng=0)
    assert w.data.min() >= -3.0
    assert w.data.max() <= 5.0
    assert w.data.mean() == pytest.approx(1.0, abs=0.05)
    assert w.data.std() == pytest.approx(2.0 * 0.8796, rel=0.02)  # of the standard normal cut at -2 and 2


def test_defaults_are_the_standard_distributions():
    assert init.normal_(Tensor(np.zeros(SHAPE)), rng=0).data.std() == pytest.approx(1.0, rel=0.02)
    assert abs(init.normal_(Tensor(np.zeros(SHAPE)), rng=0).data.mean()) < 0.02
    assert init.uniform_(Tensor(np.zeros(SHAPE)), rng=0).data.mean() == pytest.approx(0.5, rel=0.02)
    cut = init.trunc_normal_(Tensor(np.zeros(SHAPE)), rng=0).data
    assert cut.std() == pytest.approx(0.8796, rel=0.02)
    assert 1.99 < abs(cut).max() <= 2.0


def test_constant_initializers_fill_with_their_values():
    w = Tensor(np.empty((2, 3)))
    np.testing.assert_array_equal(init.constant_(w, 7.0).data, np.full((2, 3), 7.0))
    np.testing.assert_array_equal(init.zeros_(w).data, np.zeros((2, 3)))
    np.testing.assert_array_equal(init.ones_(w).data, np.ones((2, 3)))
    np.testing.assert_array_equal(init.eye_(w).data, np.eye(2, 3))
    assert w.data.flags.writeable


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (3, 2, 4)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    w = init.orthogonal_(Tensor(np.zeros(shape)), gain=2.0, rng=0).data.reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 4.0 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_matrices_are_uniformly_distributed():
    corners = [init.orthogonal_(Tensor(np.zeros((2, 2))), rng=seed).data[0, 0] for seed in range(400)]
    assert abs(np.mean(corners)) < 0.15  # without the sign correction the mean is near -2/pi


def test_sparse_sets_a_fraction_of_each_column_to_zero():
    w = init.sparse_(Tensor(np.zeros((10, 50))), 0.25, std=2.0, rng=0).data
    np.testing.assert_array_equal((w == 0).sum(axis=0), np.full(50, 3))
    assert w[w != 0].std() == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [
        ("linear", None, 1.0), ("sigmoid", None, 1.0), ("tanh", None, 5 / 3), ("relu", None, math.sqrt(2)),
        ("selu", None, 0.75), ("leaky_relu", None, math.sqrt(2 / 1.0001)), ("leaky_relu", 0.5, math.sqrt(2 / 1.25)),
    ],
)  # fmt: skip
def test_gain_equals_its_closed_form(name, param, gain):
    assert init.calculate_gain(name, param) == pytest.approx(gain, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: init.calculate_gain("relux"), ValueError, "relux"),
        (lambda: init.xavier_uniform_(Tensor([1.0])), ValueError, r"two axes .*\(1,\)"),
        (lambda: init.kaiming_normal_(Tensor(np.zeros((2, 2))), mode="fan"), ValueError, "'fan'"),
        (lambda: init.eye_(Tensor([1.0])), ValueError, r"\(1,\)"),
        (lambda: init.orthogonal_(Tensor([1.0])), ValueError, r"\(1,\)"),
        (lambda: init.sparse_(Tensor([1.0]), 0.5), ValueError, r"\(1,\)"),
        (lambda: init.sparse_(Tensor(np.zeros((2, 2))), 1.5), ValueError, "1.5"),
        (lambda: init.uniform_(Tensor([1.0]), 2.0, 1.0), ValueError, "a=2.0, b=1.0"),
        (lambda: init.normal_(Tensor([1.0]), std=-1.0), ValueError, "std must be in .*-1.0"),
        (lambda: init.trunc_normal_(Tensor([1.0]), mean=9.0), ValueError, "mean=9.0"),
        (lambda: init.zeros_(np.zeros(2)), TypeError, "ndarray"),
    ],
)
def test_initializer_with_invalid_arguments_raises(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_trailing_axes_count_in_both_fans():
    w = Tensor(np.zeros((40, 30, 25)))  # as of a convolution: fan_in 30 * 25, fan_out 40 * 25
    assert init.kaiming_normal_(w, rng=0).data.var() == pytest.approx(2 / 750, rel=0.05)
    assert init.kaiming_normal_(w, mode="fan_out", rng=0).data.var() == pytest.approx(2 / 1000, rel=0.05)
    assert init.xavier_normal_(w, rng=0).data.var() == pytest.approx(2 / 1750, rel=0.05)
