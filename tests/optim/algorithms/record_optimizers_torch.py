"""Record where PyTorch's optimizers lead on the problem beside this file, into recorded/optimizers_torch.npz.

Run with a Python that has PyTorch (2.13.0 was used)::

    python tests/optim/algorithms/record_optimizers_torch.py

Gradients come from the NumPy problem, so that only the update rules are compared. Muon orthogonalises in bfloat16 in
PyTorch; here its `bfloat16` is replaced so that the same code runs in float64. The default number type is float64 too:
PyTorch keeps step lengths and products of momenta, which are single numbers, in the default type.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from optimizer_problem import (
    CHECKPOINTS,
    FIRST_TRIES,
    LBFGS,
    LIMITS,
    LINES,
    MUON,
    SHAPES,
    STEPS,
    TORCH,
    gradients_at,
    loss_and_gradients,
    start,
)

warnings.simplefilter("ignore")
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
torch.Tensor.bfloat16 = lambda tensor: tensor.double().clone()


def numbers(parameters):
    return {name: p.detach().numpy() for name, p in parameters.items()}


def flat(parameters):
    return np.concatenate([p.detach().numpy().ravel() for p in parameters.values()])


def fresh(names):
    return {n: torch.nn.Parameter(torch.tensor(a)) for n, a in start().items() if n in names}


def groups(parameters, second):
    names = list(parameters)
    half = len(names) // 2
    return [
        {"params": [parameters[n] for n in names[:half]]},
        {"params": [parameters[n] for n in names[half:]], **second},
    ]


def walk(case, names=tuple(SHAPES)):
    parameters = fresh(names)
    held = {n: a for n, a in start().items() if n not in names}
    optimizer = getattr(torch.optim, case["class"])(groups(parameters, case["second"]), **case["options"])
    rows = []
    for step in range(1, STEPS + 1):
        found = gradients_at(step, {**numbers(parameters), **held})
        for name, p in parameters.items():
            p.grad = None if found[name] is None else torch.tensor(found[name])
        optimizer.step()
        if step in CHECKPOINTS:
            rows.append(flat(parameters))
    return np.array(rows)


def walk_lbfgs(case, calls=4):
    parameters = fresh(SHAPES)
    optimizer = torch.optim.LBFGS(list(parameters.values()), **case["options"])

    def closure():
        loss, found = loss_and_gradients(**numbers(parameters))
        for name, p in parameters.items():
            p.grad = torch.tensor(found[name])
        return torch.tensor(loss, dtype=torch.float64)

    rows = []
    for _ in range(calls):
        optimizer.step(closure)
        rows.append(flat(parameters))
    return np.array(rows)


def line(function, slope, first, limit):
    """Distance, value and number of evaluations of PyTorch's line search on a function of one number."""
    from torch.optim.lbfgs import _strong_wolfe

    def evaluate(x, t, d):
        return float(function(t)), torch.tensor([slope(t)])

    one = torch.tensor([1.0])
    value, _, t, count = _strong_wolfe(
        evaluate, one, first, one, float(function(0.0)), torch.tensor([slope(0.0)]), torch.tensor(slope(0.0)),
        max_ls=limit,
    )  # fmt: skip
    return [float(t), float(value), count]


found = {case["id"]: walk(case) for case in TORCH}
found.update({case["id"]: walk(case, ("W1", "W2")) for case in MUON})
found.update({case["id"]: walk_lbfgs(case) for case in LBFGS})
lines = [[[line(*pair, t, n) for n in LIMITS] for t in FIRST_TRIES] for pair in LINES.values()]
found["lines"] = np.array(lines)
np.savez_compressed(Path(__file__).parent / "recorded" / "optimizers_torch.npz", **found)
print(len(found), "cases")
