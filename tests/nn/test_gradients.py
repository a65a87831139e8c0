"""Finite differences for every layer and loss, first and second order, and fused operations against their formulas."""

import inspect

import numpy as np
import pytest
from cases import CASES, SMOOTH

import autograd as ag
import nn
from autograd import Tensor, gradcheck, gradgradcheck, gradients
from nn.functional.fused import COMPOSITIONS

SAMPLES = {
    "affine": ((5, 3), (4, 3), (4,)),
    "standardized": ((4, 3),),
    "scaled_to_unit": ((4, 3),),
    "mean_of_all": ((4, 3),),
    "mean_squared_error": ((4, 3), (4, 3)),
    "cross_entropy_of_index": ((5, 4), np.array([0, 3, 1, 1, 2])),
    "cross_entropy_of_rows": ((5, 4), (5, 4)),
}


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


@pytest.mark.parametrize("key", SMOOTH)
def test_first_order(key):
    checked(SMOOTH[key], gradcheck)


# Second derivatives of one reduction stand for all three: the reductions themselves are checked to first order.
ONCE = {key: case for key, case in DIFFERENTIABLE.items() if case.options.get("reduction", "none") == "none"}


@pytest.mark.parametrize("key", ONCE)
def test_second_order(key):
    checked(ONCE[key], gradgradcheck)


def test_every_layer_and_loss_has_a_case():
    exempt = {"Module", "Parameter", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "MLP", "Residual"}
    public = {n for n in nn.__all__ if inspect.isclass(getattr(nn, n)) and issubclass(getattr(nn, n), nn.Module)}
    assert public - exempt == {case.name for case in CASES.values()}


def test_every_fused_operation_has_a_sample():
    assert SAMPLES.keys() == COMPOSITIONS.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_fused_equals_its_composition(name):
    rng = np.random.default_rng(3)
    given = [rng.uniform(0.2, 1.5, s) if isinstance(s, tuple) else s for s in SAMPLES[name]]
    first, second = [], []
    for function in (getattr(nn.functional.fused, name), COMPOSITIONS[name]):
        inputs = [Tensor(a, requires_grad=a.dtype.kind == "f") for a in given]
        wanted = [x for x in inputs if x.requires_grad]
        args = [x if x.requires_grad else x.data for x in inputs]
        y = function(*args)
        weights = np.random.default_rng(4).uniform(0.5, 1.5, y.shape)
        slopes = gradients((y * weights).sum(), wanted, create_graph=True)
        curved = ag.stack([(s * np.cos(np.arange(s.size)).reshape(s.shape)).sum() for s in slopes]).sum()
        first.append([y.data, *(s.data for s in slopes)])
        second.append(gradients(curved, wanted, allow_unused=True) if curved.requires_grad else [])
    for fused, composed in ((first[0], first[1]), (second[0], second[1])):
        for a, b in zip(fused, composed, strict=True):
            if a is None or b is None:
                assert not np.any(a if b is None else b)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
