"""Values, gradients and running statistics of every shared layer, activation and loss equal PyTorch's."""

import json
from pathlib import Path

import numpy as np
from cases import RECORDED
from looping import each

from autograd import Tensor

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
# PyTorch stores a constant of these backward passes (1/6, 1/alpha) in single precision, even for float64.
SINGLE = {"rtol": 1e-7, "atol": 1e-8}
IN_SINGLE = {"Hardsigmoid", "CELU"}


def load():
    """Recorded arrays by case and name; created by `record_torch.py`."""
    with np.load(Path(__file__).parent / "torch_numbers.npz") as file:
        index, numbers = json.loads(str(file["index"])), file["numbers"]
    found, start = {}, 0
    for key, shapes in index.items():
        found[key] = {}
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            found[key][name] = numbers[start : start + size].reshape(shape)
            start += size
    return found


NUMBERS = load()


def test_every_shared_case_is_recorded():
    assert NUMBERS.keys() == RECORDED.keys()


@each(RECORDED)
def test_values_gradients_and_buffers_equal_pytorch(key):
    case, expected = RECORDED[key], NUMBERS[key]
    module = case.module()
    for name, p in module.named_parameters():
        p.data = expected[f"parameter {name}"].copy()
    arrays = [expected[f"input {i}"].astype(a.dtype) for i, a in enumerate(case.arrays())]
    wanted = case.wanted(arrays)
    inputs = [Tensor(a, requires_grad=i in wanted) for i, a in enumerate(arrays)]
    output = module(*inputs)
    np.testing.assert_allclose(output.data, expected["output"], **CLOSE)
    if output.requires_grad:
        (output * expected["weights"]).sum().backward()
    found = {f"gradient {i}": inputs[i].grad for i in wanted}
    found |= {f"gradient {name}": p.grad for name, p in module.named_parameters()}
    found |= {f"buffer {name}": b for name, b in module.named_buffers()}
    compared = [name for name in expected if name.startswith(("gradient", "buffer"))]
    assert set(compared) == {name for name, g in found.items() if g is not None}
    for name in compared:
        tolerance = SINGLE if case.name in IN_SINGLE else CLOSE
        np.testing.assert_allclose(found[name], expected[name], **tolerance, err_msg=name)
