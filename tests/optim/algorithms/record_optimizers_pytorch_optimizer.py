"""Record where optimizers of the package pytorch_optimizer lead, into recorded/optimizers_pytorch_optimizer.npz.

Run with a Python that has PyTorch and pytorch_optimizer (4.1 was used)::

    python tests/optim/algorithms/record_optimizers_pytorch_optimizer.py
"""

import sys
from pathlib import Path

import numpy as np
import pytorch_optimizer
import torch

sys.path.append(str(Path(__file__).parent.parent))
from optimizer_problem import CHECKPOINTS, OTHERS, STEPS, loss_and_gradients, start


def made(case, params):
    options = {name: value for name, value in case["theirs"].items() if name != "eps" or case["class"] != "Shampoo"}
    return pytorch_optimizer.load_optimizer(case["class"].lower())(params, **options)


def walk(case):
    params = {n: torch.nn.Parameter(torch.tensor(a)) for n, a in start().items()}
    optimizer, rows = made(case, list(params.values())), []
    for step in range(1, STEPS + 1):
        found = loss_and_gradients(**{n: p.detach().numpy() for n, p in params.items()})[1]
        for name, p in params.items():
            p.grad = torch.tensor(found[name])
        optimizer.step()
        if step in CHECKPOINTS:
            rows.append(np.concatenate([p.detach().numpy().ravel() for p in params.values()]))
    return np.array(rows)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    np.savez_compressed(
        Path(__file__).parent / "recorded" / "optimizers_pytorch_optimizer.npz",
        **{case["id"]: walk(case) for case in OTHERS},
    )
