"""Checks of numeric arguments: values at and beyond the bounds, and values of other types."""

import math

import numpy as np
import pytest

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
