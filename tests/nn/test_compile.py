"""Every layer, activation and loss under `autograd.compile`: replays on other data equal eager computation."""

import zlib

import numpy as np
from cases import CASES, drawn
from looping import each
from replaying import assert_same, eagerly, measured, reseeded

import autograd as ag
from autograd import Tensor
from nn.scalar import as_values, numbers_of, scalarize


def drawn_anew(case, n, dtype=np.float64):
    """Return inputs for a case, different for each `n`."""
    rng = np.random.default_rng([zlib.crc32(case.key.encode()), n])
    arrays = [drawn(kind, shape, rng) for kind, shape in case.inputs]
    return [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]


def step_of(module):
    """Return a training step of a module, whose loss is a weighted sum of the output."""

    def step(*inputs):
        output = module(*inputs)
        weights = np.cos(np.arange(output.size)).reshape(output.shape).astype(output.dtype)
        return (output * weights).sum(), output

    return step


def both(case, dtype=np.float64):
    modules = [reseeded(case.module().to(dtype)) for _ in range(2)]
    return modules, [ag.compile(step_of(modules[0])), eagerly(step_of(modules[1]))]


@each(CASES)
def test_replay_on_other_inputs_equals_eager(key):
    case = CASES[key]
    (ours, theirs), (tape, eager) = both(case)
    for n in range(2):
        arrays = drawn_anew(case, n)
        wanted = case.wanted(arrays)
        inputs = [[Tensor(a, requires_grad=True) if i in wanted else a for i, a in enumerate(arrays)] for _ in "ab"]
        assert_same(measured(ours, tape, inputs[0]), measured(theirs, eager, inputs[1]))
    assert len([p for programs in tape._programs.values() for p in programs]) == 1


FLOAT32 = {key: case for key, case in CASES.items() if case.options.get("reduction", "mean") == "mean"}


@each(FLOAT32)
def test_replay_in_float32_equals_eager(key):
    case = FLOAT32[key]
    (ours, theirs), (tape, eager) = both(case, np.float32)
    for n in range(2):
        arrays = drawn_anew(case, n, np.float32)
        if not list(ours.parameters()):
            arrays[0] = Tensor(arrays[0], requires_grad=True)
        again = [Tensor(a.data, requires_grad=True) if isinstance(a, Tensor) else a for a in arrays]
        assert_same(measured(ours, tape, arrays), measured(theirs, eager, again), rtol=2e-6, atol=2e-6)


# -------------------------------------------------------------------------------------- models of single numbers


# The last case of each name, which has the most options.
OF_VALUES = list({case.name: key for key, case in CASES.items() if case.options.get("reduction") != "none"}.values())


@each(OF_VALUES)
def test_modules_of_values_take_arrays(key):
    case = CASES[key]
    ours, theirs = (reseeded(scalarize(case.module())) for _ in "ab")

    def step_of(module, scale):
        def step(*inputs):
            wanted = case.wanted(case.arrays())
            module_of = [values_of(x) * scale if i in wanted else x for i, x in enumerate(inputs)]
            output = module(*module_of)
            output = output.ravel() if isinstance(output, np.ndarray) else np.array([output])
            return sum(output * np.cos(np.arange(output.size))), list(output)

        return step

    scales = [ag.Value(0.9), ag.Value(0.9)]
    tape, eager = ag.compile(step_of(ours, scales[0])), step_of(theirs, scales[1])
    for n in range(2):
        arrays = drawn_anew(case, n)
        parameters = [[*ours.parameters(), scales[0]], [*theirs.parameters(), scales[1]]]
        for p in (*parameters[0], *parameters[1]):
            p.zero_grad()
        loss, output = tape(*arrays)
        wanted, expected = eager(*arrays)
        if isinstance(wanted, ag.Node) and wanted.requires_grad:
            wanted.backward()
        np.testing.assert_allclose(numbers_of([loss, *output]), numbers_of([wanted, *expected]), rtol=1e-11, atol=1e-12)
        for p, q in zip(*parameters, strict=True):
            np.testing.assert_allclose(p.grad, q.grad, rtol=1e-11, atol=1e-12)


def values_of(x):
    return x.elements() if isinstance(x, Tensor) else as_values(x, requires_grad=False)
