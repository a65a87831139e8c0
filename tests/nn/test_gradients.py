"""Finite differences for every layer and loss, first and second order."""

import functools
import inspect

import numpy as np
from cases import CASES, SMOOTH
from looping import each

import nn
from autograd import gradcheck, gradgradcheck

# An Embedding has indices for its input and is linear in its table.
DIFFERENTIABLE = {key: case for key, case in SMOOTH.items() if case.wanted(case.arrays())}


def checked(case, check):
    arrays = case.arrays()
    wanted = case.wanted(arrays)
    module = case.module()
    variables = [arrays[i] for i in wanted]

    def f(*given):
        inputs = list(arrays)
        for i, x in zip(wanted, given, strict=True):
            inputs[i] = x
        if case.random:
            reseed(module)
        return module(*inputs)

    check(f, tuple(variables), parameters=dict(module.named_parameters()))


def reseed(module):
    for part in module.modules():
        if hasattr(part, "rng"):
            part.rng = np.random.default_rng(5)


@each(SMOOTH)
def test_first_derivatives_equal_finite_differences(key):
    checked(SMOOTH[key], gradcheck)


# One reduction is enough for second derivatives; first derivatives cover all three.
ONCE = {key: case for key, case in DIFFERENTIABLE.items() if case.options.get("reduction", "none") == "none"}


@each(ONCE)
def test_second_derivatives_equal_finite_differences(key):
    checked(ONCE[key], functools.partial(gradgradcheck, directions=4))


def test_every_layer_and_loss_has_a_case():
    exempt = {"Module", "Parameter", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "MLP", "Residual"}
    public = {n for n in nn.__all__ if inspect.isclass(getattr(nn, n)) and issubclass(getattr(nn, n), nn.Module)}
    assert public - exempt == {case.name for case in CASES.values()}
