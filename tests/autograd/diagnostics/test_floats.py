"""Floats that leave a graph: a warning if they come back as constants, an error inside a transform."""

import math
import warnings

import numpy as np
import pytest

import autograd as ag
from autograd import GradientWarning, Tensor, Value, no_grad


def with_math(x):
    return x * math.exp(x)


def with_float(x):
    return x * 2.0 - float(x)


def with_an_array(x):
    a = np.zeros(3)
    a[1] = x * x
    return x * a.sum()


def with_a_small_array(x):
    a = np.zeros(3)
    a[1] = x
    return ag.sum(a * x)


def with_a_scalar_of_numpy(x):
    return x * np.float64(x)


def with_asarray(x):
    return ag.sum(x * np.asarray([x, x], float))


CUTS = {
    with_math: "use autograd.exp",
    with_float: "use the node itself",
    with_an_array: "use the node itself",
    with_a_small_array: "use the node itself",
    with_a_scalar_of_numpy: "use the node itself",
    with_asarray: "use the node itself",
}


@pytest.mark.parametrize(("f", "cure"), CUTS.items())
def test_float_that_comes_back_as_a_constant_warns_once_with_its_line(f, cure):
    x = Value(0.7123456789)
    with pytest.warns(GradientWarning, match=rf"test_floats\.py:\d+: .* converts a node to a float.*{cure}") as found:
        any(f(x).backward() for _ in range(5))
    assert len(found) == 1


@pytest.mark.parametrize("f", CUTS)
@pytest.mark.parametrize("transform", [ag.grad, ag.jacobian, ag.hessian, lambda f: lambda x: ag.jvp(f, (x,), (1.0,))])
def test_float_inside_a_transform_is_an_error_with_the_cure(f, transform):
    with pytest.raises(TypeError, match=r"autograd\.exp for math\.exp.*autograd\.stack.*x\.item\(\)"):
        transform(f)(1.5)


def test_float_that_is_only_looked_at_is_silent(capsys):
    x, t = Value(0.7123456789), Tensor(0.3123456789, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            y = x * t + 0.5
            print(float(y), f"{float(x):.3f}", math.exp(y), int(y), round(float(y), 2))
            (y * y).sum().backward()
        (x * x.item() + y.item()).backward()  # meant to be constant
        with no_grad():
            factor = math.exp(x)
        (x * factor).backward()
    assert capsys.readouterr().out


def test_item_and_format_are_allowed_inside_a_transform():
    w = Value(2.5)  # not what the transform differentiates by
    assert ag.grad(lambda x: (f"{x:.2f}", x * x)[1] * x.item() * float(w))(1.0) == 5.0
    assert ag.grad(lambda x: x * float(x.detach()))(3.0) == 3.0


def test_floats_of_a_line_are_searched_for_in_three_backward_passes():
    x = Value(0.7123456789)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            factor = float(x)
            (x * x).backward()
        (x * factor).backward()


def test_result_that_does_not_depend_on_the_arguments_warns_once():
    def constant(x):
        return ag.Value(3.0, requires_grad=False) * 2.0

    with pytest.warns(GradientWarning, match=r"the result of constant does not depend on the arguments") as found:
        assert [ag.grad(constant)(x) for x in (1.0, 2.0)] == [0.0, 0.0]
    assert len(found) == 1
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ag.grad(lambda x, y: x * 2.0, argnums=(0, 1))(1.0, 1.0) == (2.0, 0.0)
        assert ag.grad(lambda x: x)(1.0) == 1.0
        assert ag.grad(ag.grad(lambda x: 3.0 * x))(1.0) == 0.0
        assert ag.hessian(lambda x: 3.0 * x.sum())(np.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
