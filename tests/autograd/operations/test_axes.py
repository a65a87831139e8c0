"""Axes given as negative, mixed and NumPy integers give what axes counted from 0 give, in every mode."""

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value

X = np.random.default_rng(5).normal(size=(2, 3, 4))
UNIT = X[:, :1, :1]  # (2, 1, 1)

# Functions of (x, axes); each takes any number of axes.
MANY = {
    "sum": ag.sum, "mean": ag.mean, "prod": ag.prod, "max": ag.max, "min": ag.min, "var": ag.var, "std": ag.std,
    "logsumexp": ag.logsumexp, "flip": ag.flip, "norm": lambda x, axis: ag.norm(x, axis=axis),
    "norm of order 3": lambda x, axis: ag.norm(x, 3.0, axis),
    "norm of order inf": lambda x, axis: ag.norm(x, np.inf, axis),
    "keepdims": lambda x, axis: ag.sum(x * x, axis, keepdims=True) * x,
    "moveaxis": lambda x, axis: ag.moveaxis(x, axis, tuple(range(np.size(axis)))),
    "moveaxis to": lambda x, axis: ag.moveaxis(x, tuple(range(np.size(axis))), axis),
    "tensordot": lambda x, axis: ag.tensordot(x, X, (axis, axis)),
}  # fmt: skip
# Functions of (x, axis) for one axis.
ONE = {
    "softmax": ag.softmax, "log_softmax": ag.log_softmax, "cumsum": ag.cumsum, "cumprod": ag.cumprod, "sort": ag.sort,
    "roll": lambda x, axis: ag.roll(x, 1, axis), "repeat": lambda x, axis: ag.repeat(x, 2, axis),
    "repeat each": lambda x, axis: ag.repeat(x, np.arange(x.shape[axis]), axis),
    "take": lambda x, axis: ag.take(x, [1, 0, 1], axis), "split": lambda x, axis: ag.split(x, [1], axis)[1],
    "take_along_axis": lambda x, axis: ag.take_along_axis(x, np.argsort(X, axis), axis),
    "concatenate": lambda x, axis: ag.concatenate([x, x * 2.0], axis),
    "stack": lambda x, axis: ag.stack([x, x * 2.0], axis), "expand_dims": ag.expand_dims,
    "swapaxes": lambda x, axis: ag.swapaxes(x, axis, 0), "swapaxes from 0": lambda x, axis: ag.swapaxes(x, 0, axis),
    "flatten from": lambda x, axis: ag.flatten(x, axis), "flatten to": lambda x, axis: ag.flatten(x, 0, axis),
}  # fmt: skip
FUNCTIONS = {name: (f, [(0, 2), (2,), (1, 0)]) for name, f in MANY.items()}
FUNCTIONS |= {name: (f, [0, 1, 2]) for name, f in ONE.items()}
FUNCTIONS |= {
    "transpose": (ag.transpose, [(0, 2, 1), (2, 0, 1), (1, 2, 0)]),
    "permute": (lambda x, axes: x.permute(*axes), [(0, 2, 1), (2, 0, 1)]),
    "np.transpose": (np.transpose, [(1, 2, 0)]),
    "squeeze": (lambda x, axes: ag.squeeze(x[:, :1, :1], axes), [(1, 2), 1]),
    "expand_dims of two": (lambda x, axes: ag.expand_dims(x, axes), [(0, 3)]),
    "roll of two": (lambda x, axes: ag.roll(x, (1, -1), axes), [(0, 2)]),
    "diagonal": (lambda x, axes: ag.diagonal(x, 0, *axes), [(0, 1), (1, 2), (2, 0)]),
    "trace": (lambda x, axes: ag.trace(x, 1, *axes), [(0, 1), (2, 1)]),
}


def spellings(axes, ndim):
    """The same axes as negative, mixed and NumPy integers."""
    if np.ndim(axes) == 0:
        return [axes - ndim, np.int64(axes), np.int8(axes - ndim)]
    mixed = tuple(a - ndim if i % 2 else a for i, a in enumerate(axes))
    other = tuple(a if i % 2 else a - ndim for i, a in enumerate(axes))
    return [tuple(a - ndim for a in axes), mixed, other, tuple(np.int64(a) for a in mixed)]


def derivatives(f, axes):
    """Value, gradient, second derivative and forward derivative of a function, and what `compile` computes."""

    def weighted(x):
        y = f(x, axes)
        return (y * np.cos(np.arange(y.size)).reshape(y.shape)).sum()

    def slope(x):
        return (ag.grad(weighted)(x) * np.sin(X)).sum()

    tangent = ag.jvp(lambda x: f(x, axes), (X,), (np.sin(X),))[1]
    return [f(Tensor(X), axes).data, ag.grad(weighted)(X), ag.grad(slope)(X), tangent, *compiled(weighted)]


def compiled(function):
    x = Tensor(X, requires_grad=True)

    def step(x):
        loss = function(x)
        return loss, ag.gradients(loss, [x])[0]

    program = ag.compile(step)
    return [np.asarray(part) for _ in range(2) for part in program(x)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_axes_in_any_spelling_give_the_same_in_every_mode(name):
    f, choices = FUNCTIONS[name]
    for axes in choices:
        expected = derivatives(f, axes)
        ndim = X.ndim + (np.size(axes) if name.startswith(("expand_dims", "stack")) else 0)
        for spelling in spellings(axes, ndim):
            for mode, (a, b) in enumerate(zip(derivatives(f, spelling), expected, strict=True)):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14, err_msg=f"{name} {spelling}, mode {mode}")


@pytest.mark.parametrize("name", ["argmax", "argmin", "any", "all", "argsort"])
def test_axis_of_an_operation_without_gradient_may_be_negative(name):
    f, numpy = getattr(ag, name), getattr(np, name)
    for axis in (-1, np.int64(-2), np.int8(0)):
        np.testing.assert_array_equal(f(Tensor(X), axis).data, numpy(X, axis))


@pytest.mark.parametrize("name", [*MANY, "transpose", "permute", "np.transpose", "squeeze", "expand_dims of two",
                                  "diagonal", "trace"])  # fmt: skip
def test_repeated_axes_are_refused(name):
    f, _ = FUNCTIONS[name]
    ndim = 5 if name == "expand_dims of two" else 3
    for axes in ((1, 1), (1, 1 - ndim)):
        axes = (0, *axes) if name.endswith(("transpose", "permute")) else axes
        with pytest.raises(ValueError, match=r"(?i)repeat|duplicate|same"):
            f(Tensor(X), axes)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_axes_that_do_not_exist_are_refused(name):
    f, choices = FUNCTIONS[name]
    for far in (9, -9):
        axes = far if np.ndim(choices[0]) == 0 else (*choices[0][:-1], far)
        with pytest.raises((np.exceptions.AxisError, IndexError)):
            f(Tensor(X), axes)


@pytest.mark.parametrize("function", [
    lambda x, y: ag.tensordot(x, y, 1), lambda x, y: np.tensordot(x, y, 1), ag.dot, lambda x, y: x.dot(y),
    lambda x, y: ag.tensordot(x, y, ((-1,), (0,))),
])  # fmt: skip
def test_tensordot_of_axes_of_different_length_is_refused(function):
    with pytest.raises(ValueError, match=r"equal length|do not fit"):
        function(
            Tensor(np.ones((2, 2, 1)), requires_grad=True), np.ones((3, 4)) if function is not ag.dot else np.ones(3)
        )


def test_the_product_of_one_number():
    x = Tensor(3.0, requires_grad=True)
    ag.prod(x).backward()
    assert x.grad == 1.0
    v = Value(3.0)
    ag.prod(v).backward()
    assert v.grad == 1.0
