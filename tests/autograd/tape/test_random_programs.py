"""Random programs over all primitives: replays give the results, gradients and errors of eager computation."""

import warnings

import numpy as np
import pytest
from random_programs import random_program

import autograd as ag
from autograd import Tensor, Value
from autograd.extend import raw_data

COUNT = 60


def outcome(call, variables):
    """Return the results and gradients of a call, or the class of its error."""
    for v in variables:
        v.grad = None
    try:
        results = call()
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return type(error)
    return [np.asarray(raw_data(x)) for x in results] + [v.grad for v in variables]


def eagerly(program, variables, inputs):
    results = program.f(
        variables, *[Tensor(x) if isinstance(x, np.ndarray) else Value(x, requires_grad=False) for x in inputs]
    )
    results[0].backward()
    return results


def difference(found, expected, double):
    """Return how two outcomes differ; sums may be added up in another order."""
    if isinstance(found, type) or isinstance(expected, type):
        return "" if found is expected else f"{found} instead of {expected}"
    rtol, atol = (1e-9, 1e-12) if double else (1e-3, 1e-4)
    for a, b in zip(found, expected, strict=True):
        if np.shape(a) != np.shape(b) or np.asarray(a).dtype != np.asarray(b).dtype:
            return f"shape {np.shape(a)} or dtype {np.asarray(a).dtype}"
        if a is not None and not np.allclose(a, b, rtol, atol, equal_nan=True):
            return f"{a} instead of {b}"
    return ""


@pytest.mark.parametrize("of_values", [False, True])
def test_random_program_is_replayed_as_it_is_computed(of_values):
    wrong = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for seed in range(COUNT):
            program = random_program(seed, of_values=of_values)
            theirs, ours = program.variables(), program.variables()
            step = ag.compile(lambda *inputs, program=program, ours=ours: program.f(ours, *inputs))
            for inputs in program.calls:
                expected = outcome(lambda: eagerly(program, theirs, inputs), theirs)  # noqa: B023
                found = outcome(lambda: step(*inputs), ours)  # noqa: B023
                if text := difference(found, expected, program.dtype == np.float64):
                    wrong.append((seed, program.names, text))
                    break
    assert not wrong
