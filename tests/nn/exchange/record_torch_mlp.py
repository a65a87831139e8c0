"""Record a network of PyTorch, its outputs, and that PyTorch takes ours: needs torch, safetensors and this project.

    PYTHONPATH=. python tests/nn/exchange/record_torch_mlp.py

writes ``recorded/torch_mlp.safetensors`` (weights by `torch.nn`'s names), ``recorded/torch_mlp_outputs.safetensors``
(inputs `x`, outputs `y`) and ``recorded/torch_bfloat16.safetensors``, and fails if the file that `nn` writes from the
same weights does not give the same outputs in PyTorch.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, load_model, save_file, save_model

import nn
from nn.exchange import load_safetensors, save_safetensors

HERE = Path(__file__).with_name("recorded")


def torch_model():
    """A multi-layer perceptron in float64."""
    layers = torch.nn
    return layers.Sequential(
        layers.Linear(6, 8), layers.Tanh(), layers.Linear(8, 8), layers.ReLU(), layers.Linear(8, 3), layers.Sigmoid()
    ).double()


def main():
    """Record, and check the way back."""
    torch.manual_seed(0)
    HERE.mkdir(exist_ok=True)
    model, x = torch_model(), torch.randn(5, 6, dtype=torch.float64)
    y = model(x).detach()
    save_file(model.state_dict(), HERE / "torch_mlp.safetensors")
    save_file({"x": x, "y": y}, HERE / "torch_mlp_outputs.safetensors")
    save_file(
        {"w": torch.tensor([1.0, -2.5, 3.140625, 1e30], dtype=torch.bfloat16)}, HERE / "torch_bfloat16.safetensors"
    )

    ours = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3), nn.Sigmoid())
    load_safetensors(HERE / "torch_mlp.safetensors", ours)
    for layer in (ours[0], ours[2], ours[4]):  # other numbers, and one transposed in memory
        layer.weight.data = np.asfortranarray(layer.weight.data[::-1])
    with tempfile.TemporaryDirectory() as folder:
        save_safetensors(f"{folder}/ours.safetensors", ours)
        model.load_state_dict(load_file(f"{folder}/ours.safetensors"))
    difference = np.abs(model(x).detach().numpy() - ours(x.numpy()).data).max()
    print("ours in PyTorch: largest difference", difference)
    assert difference < 1e-12
    record_tied()


class Tied(torch.nn.Module):
    """Two linear layers with one weight, and one batch normalization under two names."""

    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.one = self.two = torch.nn.BatchNorm1d(3)


class OursTied(nn.Module):
    """The same in this project."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.one = self.two = nn.BatchNorm1d(3)


def record_tied():
    """Record a file with tied weights, and check the way back."""
    model, ours = Tied().double(), OursTied()
    save_model(model, HERE / "torch_tied.safetensors")
    load_safetensors(HERE / "torch_tied.safetensors", ours)
    ours.a.weight.data = ours.a.weight.data + 1.0
    with tempfile.TemporaryDirectory() as folder:
        save_safetensors(f"{folder}/ours.safetensors", ours)
        # strict fails for PyTorch's own files, too: its batch normalization accepts a missing num_batches_tracked
        load_model(model, f"{folder}/ours.safetensors", strict=False)
    assert set(model.state_dict()) == set(ours.state_dict())
    assert all(np.array_equal(ours.state_dict()[key], array) for key, array in model.state_dict().items())


if __name__ == "__main__":
    main()
