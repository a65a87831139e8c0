"""Checks of numeric arguments: values at and beyond the bounds, and values of other types."""

import math

import numpy as np
import pytest

import autograd
import nn
import optim
from nn.validation import checked_integer, checked_range


@pytest.mark.parametrize("value", [0, 0.0, np.float32(0.5), np.int8(1), 1])
def test_checked_range_inside_the_interval_returns_a_float(value):
    found = checked_range("f", "p", value, high=1.0)
    assert type(found) is float
    assert found == value


def test_checked_range_without_an_upper_bound_accepts_infinity():
    assert checked_range("f", "x", math.inf) == math.inf


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, -math.inf])
def test_checked_range_outside_the_interval_raises_with_bounds_and_value(value):
    with pytest.raises(ValueError, match=rf"^f: p must be in \[0, 1\], got {value}$"):
        checked_range("f", "p", value, high=1.0)


def test_checked_range_at_an_excluded_bound_raises():
    with pytest.raises(ValueError, match=r"^f: p must be in \(0, inf\], got 0$"):
        checked_range("f", "p", 0, exclude_low=True)


@pytest.mark.parametrize("value", [True, "1", None, 1j, [1.0]])
def test_checked_range_of_another_type_raises_type_error(value):
    with pytest.raises(TypeError, match="f: p must be a number in"):
        checked_range("f", "p", value)


def test_checked_integer_accepts_numpy_integers_from_the_bound_on():
    assert type(checked_integer("f", "n", np.int64(3), 3)) is int
    with pytest.raises(ValueError, match="f: n must be at least 3, got 2"):
        checked_integer("f", "n", 2, 3)


@pytest.mark.parametrize("value", [True, np.True_, 2.0, "2", None])
def test_checked_integer_of_another_type_raises_type_error(value):
    with pytest.raises(TypeError, match="f: n must be an integer, got"):
        checked_integer("f", "n", value)


def test_ragged_lists_are_refused_with_the_cure():
    ragged = [[1.0, 2.0], [1.0]]
    for call in (
        lambda: nn.Linear(2, 1)(ragged),
        lambda: nn.MSELoss()(ragged, ragged),
        lambda: nn.metrics.accuracy(ragged, [0, 1]),
        lambda: nn.metrics.r2_score([1.0, 2.0], ragged),
        lambda: nn.data.TensorDataset(ragged),
    ):
        with pytest.raises(ValueError, match=r"unequal lengths \(ragged\) do not form an array; pad or cut them"):
            call()


def test_unknown_names_of_a_package_suggest_the_known_one_in_any_case():
    for call, said in (
        (lambda: nn.relu, "'nn' has no attribute 'relu'; did you mean 'ReLU'"),
        (lambda: nn.cross_entropy, "did you mean 'CrossEntropyLoss'"),
        (lambda: optim.adam, "'optim' has no attribute 'adam': did you mean 'Adam'"),
        (lambda: nn.functional.pad, "'nn.functional' has no attribute 'pad': write autograd.pad"),
        (lambda: nn.functional.sofmax, "'nn.functional' has no attribute 'sofmax'; did you mean 'softmax'?"),
        (lambda: nn.Conv2d, "'nn' has no attribute 'Conv2d': convolutions are not supported"),
        (lambda: autograd.Tensr, "'autograd' has no attribute 'Tensr'; did you mean 'Tensor'"),
        (lambda: optim.CosineLR, "did you mean .*'CosineAnnealingLR'"),
        (lambda: autograd.compile(abs).many, "'many': pass optimizer= to compile"),
        (lambda: optim.StepLR, r"write optim\.lr_scheduler\.StepLR"),
    ):
        with pytest.raises(AttributeError, match=said):
            call()
