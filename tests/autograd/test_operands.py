"""Operands: the default dtype, and arrays of other classes."""

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, gradients


def test_the_default_dtype_is_a_float():
    with pytest.raises(TypeError, match=r"floating-point, such as float32 or float64, not int64"):
        ag.set_default_dtype(np.int64)
    assert ag.get_default_dtype() == np.float64


class Rows(np.ndarray):
    """An array of a class of its own, as other libraries have them."""


def test_arrays_of_other_classes_are_arrays():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * np.array([3.0, 4.0]).view(Rows)
    assert type(y.data) is np.ndarray
    np.testing.assert_array_equal(gradients(y.sum(), x), [3.0, 4.0])
