"""Record where optimizers of the package pytorch_optimizer lead, into recorded/optimizers_pytorch_optimizer.npz.

Run with a Python that has PyTorch and pytorch_optimizer (4.1 was used)::

    python tests/optim/algorithms/record_optimizers_pytorch_optimizer.py
"""

import sys
from pathlib import Path

import numpy as np
import pytorch_optimizer
import torch
from pytorch_optimizer.optimizer import psgd

sys.path.append(str(Path(__file__).parent.parent))
from optimizer_problem import CHECKPOINTS, OTHERS, STEPS, diagonals, kron_noise, loss_and_gradients, start


def made(case, params):
    options = {name: value for name, value in case["theirs"].items() if name != "eps" or case["class"] != "Shampoo"}
    if case["class"] == "PSGDKron":
        options.update(precondition_dtype=torch.float64, balance_prob=0.0)  # balancing changes nothing but rounding
    name = {"Sophia": "sophiah", "PSGDKron": "kron"}.get(case["class"], case["class"].lower())
    return pytorch_optimizer.load_optimizer(name)(params, **options)


def exactly(x, a):
    """Return ``X @ inv(A)`` in float64, which the package computes in float32."""
    return torch.linalg.solve_triangular(a, x.reshape(-1, x.size(-1)), upper=True, left=False).reshape_as(x)


def walk(case):
    params = {n: torch.nn.Parameter(torch.tensor(a)) for n, a in start().items()}
    optimizer, rows = made(case, list(params.values())), []
    for step in range(1, STEPS + 1):
        numbers = {n: p.detach().numpy() for n, p in params.items()}
        found = loss_and_gradients(**numbers)[1]
        for name, p in params.items():
            p.grad = torch.tensor(found[name])
        torch.randn_like = lambda x, step=step, **_: torch.tensor(kron_noise(step, tuple(x.shape)))
        if case["class"] in ("AdaHessian", "Sophia"):
            due = (step - 1) % optimizer.update_period == 0
            optimizer.step(hessian=[torch.tensor(d) for d in diagonals(numbers).values()] if due else None)
        else:
            optimizer.step()
        if step in CHECKPOINTS:
            rows.append(np.concatenate([p.detach().numpy().ravel() for p in params.values()]))
    return np.array(rows)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    psgd.solve_triangular_right = exactly
    np.savez_compressed(
        Path(__file__).parent / "recorded" / "optimizers_pytorch_optimizer.npz",
        **{case["id"]: walk(case) for case in OTHERS},
    )
