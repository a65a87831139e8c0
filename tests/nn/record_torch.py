"""Record what PyTorch computes for every case of `cases.py` it knows, in float64.

Run where both PyTorch and this project are importable:

    PYTHONPATH=.:tests/nn python tests/nn/record_torch.py
"""

import json
from pathlib import Path

import numpy as np
import torch
from cases import RECORDED

OUT = Path(__file__).parent / "torch_numbers.npz"


def as_torch(option):
    return torch.tensor(option) if isinstance(option, np.ndarray) else option


def recorded(case):
    """Inputs, parameters, output and the gradients of a randomly weighted sum of it."""
    ours = case.module()
    module = getattr(torch.nn, case.name)(**{k: as_torch(v) for k, v in case.options.items()}).double()
    if ours.state_dict():
        state = {k: torch.tensor(v) for k, v in ours.state_dict().items()}
        module.load_state_dict({k: state.get(k, v) for k, v in module.state_dict().items()})
    module.train(case.training)
    arrays = case.arrays()
    inputs = [torch.tensor(a) for a in arrays]
    for i in case.wanted(arrays):
        inputs[i].requires_grad_()
    found = {f"parameter {k}": p.detach().numpy() for k, p in module.named_parameters()}
    output = module(*inputs)
    weights = case.rng().uniform(0.5, 1.5, tuple(output.shape))
    if output.requires_grad:
        (output * torch.tensor(weights)).sum().backward()
    found |= {f"input {i}": a for i, a in enumerate(arrays)}
    found |= {"output": output.detach().numpy(), "weights": np.asarray(weights)}
    found |= {f"gradient {i}": inputs[i].grad.numpy() for i in case.wanted(arrays) if inputs[i].grad is not None}
    found |= {f"gradient {k}": p.grad.numpy() for k, p in module.named_parameters()}
    found |= {f"buffer {k}": b.numpy() for k, b in module.named_buffers()}
    return found


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    found = {key: recorded(case) for key, case in RECORDED.items()}
    flat = [np.ravel(a) for arrays in found.values() for a in arrays.values()]
    index = {key: {name: a.shape for name, a in arrays.items()} for key, arrays in found.items()}
    made = f"torch {torch.__version__}"
    np.savez_compressed(OUT, index=json.dumps(index), numbers=np.concatenate(flat), made_with=made)
    print(len(found), "cases,", len(flat), "arrays with", made)
