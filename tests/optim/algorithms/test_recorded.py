"""Comparison of all optimizers of PyTorch and optax with recorded results."""

from pathlib import Path

import numpy as np
import optimizer_problem as problem
import pytest
from looping import each

import optim
from optim.algorithms.second_order import Point, strong_wolfe

HERE = Path(__file__).parent


def recorded(name):
    with np.load(HERE / "recorded" / name) as found:
        return dict(found)


FROM_TORCH = recorded("optimizers_torch.npz")
FROM_OPTAX = recorded("optimizers_optax.npz")
FROM_OTHERS = recorded("optimizers_pytorch_optimizer.npz")


def parameters(names=tuple(problem.SHAPES)):
    return {n: problem.Parameter(a.copy(), name=n) for n, a in problem.start().items() if n in names}


def numbers(params):
    return {name: p.data for name, p in params.items()}


def flat(params):
    return np.concatenate([p.data.ravel() for p in params.values()])


def difference(ours, theirs):
    """Return the largest difference, relative to the maximum of the recorded vector."""
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))


def walk(case, names=tuple(problem.SHAPES)):
    params = parameters(names)
    held = {n: a for n, a in problem.start().items() if n not in names}
    half = len(names) // 2
    groups = [
        {"params": [params[n] for n in names[:half]]},
        {"params": [params[n] for n in names[half:]], **case["second"]},
    ]
    optimizer = getattr(optim, case["class"])(groups, **case["options"])
    rows = []
    for step in range(1, problem.STEPS + 1):
        found = problem.gradients_at(step, {**numbers(params), **held})
        for name, p in params.items():
            p.grad = found[name]
        optimizer.step()
        if step in problem.CHECKPOINTS:
            rows.append(flat(params))
    return rows


@each(problem.TORCH)
def test_two_hundred_steps_equal_pytorch(case):
    assert difference(walk(case), FROM_TORCH[case["id"]]) <= 1e-10


@each(problem.MUON)
def test_muon_equals_pytorch_in_float64(case):
    assert difference(walk(case, ("W1", "W2")), FROM_TORCH[case["id"]]) <= 1e-10


@each(problem.LBFGS)
def test_lbfgs_equals_pytorch(case):
    params = parameters()
    optimizer = optim.LBFGS(list(params.values()), **case["options"])

    def closure():
        loss, found = problem.loss_and_gradients(**numbers(params))
        for name, p in params.items():
            p.grad = found[name]
        return loss

    rows = []
    for _ in FROM_TORCH[case["id"]]:
        optimizer.step(closure)
        rows.append(flat(params))
    assert difference(rows, FROM_TORCH[case["id"]]) <= 1e-7


@each(problem.LINES)
def test_the_line_search_equals_pytorch(name):
    function, slope = problem.LINES[name]

    def evaluate(t):
        return Point(t, float(function(t)), np.array([slope(t)]), float(slope(t)))

    recorded_line = FROM_TORCH["lines"][list(problem.LINES).index(name)]
    for first, row in zip(problem.FIRST_TRIES, recorded_line, strict=True):
        for limit, (t, value, count) in zip(problem.LIMITS, row, strict=True):
            point, used = strong_wolfe(evaluate, evaluate(0.0), first, 1.0, limit, 1e-9)
            assert used == count, (first, limit)
            assert point.t == pytest.approx(t, rel=1e-7, abs=1e-9), (first, limit)
            assert point.f == pytest.approx(value, rel=1e-9)


def from_optax(case, params):
    """Return the optimizer of a case, and a closure."""
    options = dict(case["options"])

    def closure():
        loss, found = problem.loss_and_gradients(**numbers(params))
        for name, p in params.items():
            p.grad = found[name]
        return loss

    if case["class"] in ("Lookahead", "SAM"):
        inner = optim.SGD(list(params.values()), lr=options.pop("lr"))
        return getattr(optim, case["class"])(inner, **options), closure
    return getattr(optim, case["class"])(list(params.values()), **options), closure


@each(problem.OPTAX)
def test_two_hundred_steps_equal_optax(case):
    params = parameters()
    optimizer, closure = from_optax(case, params)
    rows = []
    for step in range(1, problem.STEPS + 1):
        optimizer.step(closure)
        if step in problem.CHECKPOINTS:
            rows.append(flat(params))
    assert difference(rows, FROM_OPTAX[case["id"]]) <= 1e-10


@each(problem.OTHERS)
def test_two_hundred_steps_equal_pytorch_optimizer(case):
    params = parameters()
    optimizer = getattr(optim, case["class"])(list(params.values()), **case["options"])
    rows = []
    for step in range(1, problem.STEPS + 1):
        found = problem.loss_and_gradients(**numbers(params))[1]
        for name, p in params.items():
            p.grad = found[name]
        if optimizer.needs_product:
            d = problem.diagonals(numbers(params)).values()
            optimizer.estimate(lambda v, d=d: [h / z for h, z in zip(d, v, strict=True)])  # of which z times it is d
        optimizer.step()
        if step in problem.CHECKPOINTS:
            rows.append(flat(params))
    assert difference(rows, FROM_OTHERS[case["id"]]) <= 1e-9


def test_every_recorded_case_is_compared():
    assert set(FROM_OTHERS) == {c["id"] for c in problem.OTHERS}
    assert set(FROM_TORCH) - {"lines"} == {c["id"] for c in problem.TORCH + problem.MUON + problem.LBFGS}
    assert set(FROM_OPTAX) == {c["id"] for c in problem.OPTAX}
