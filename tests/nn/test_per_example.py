"""Gradients of single examples, for every layer and loss of the table of cases."""

import numpy as np
import pytest
from cases import CASES
from looping import each

import nn
from autograd import Tensor
from nn.utils import per_example_gradients

ROWS = 2
UNBATCHED = ("MarginRankingLoss", "Embedding")  # of which an input of one axis is a batch


def is_batch(case):
    """Return whether the first axis of all inputs counts examples."""
    shapes = [shape for _, shape in case.inputs]
    single = len(shapes[0]) == 1 and case.name not in UNBATCHED
    along = case.options.get("dim") == 0  # an operation along the axis of the examples
    return not single and not along and all(shape and shape[0] == shapes[0][0] for shape in shapes)


BATCHED = {
    key: case
    for key, case in CASES.items()
    if is_batch(case) and not case.kinks and case.options.get("reduction") in (None, "mean", "batchmean")
}


class Learned(nn.Module):
    """Multiply the input by a parameter, then apply a function."""

    def __init__(self, x, module):
        super().__init__()
        self.scale = nn.Parameter(np.linspace(0.8, 1.0, x[0].size).reshape(x.shape[1:])) if x.dtype.kind == "f" else 1
        self.module = module

    def forward(self, input):
        return self.module(input * self.scale if isinstance(self.scale, nn.Parameter) else input)


class Split(nn.Module):
    """Apply a layer of several inputs to the parts of one."""

    def __init__(self, layer, widths):
        super().__init__()
        self.layer, self.ends = layer, np.cumsum([0, *widths])

    def forward(self, input):
        return self.layer(*[input[..., a:b] for a, b in zip(self.ends[:-1], self.ends[1:], strict=True)])


def problem(case):
    """Return model, loss, inputs and targets."""
    x, *others = [a[:ROWS] for a in case.arrays()]
    module = case.module()
    if isinstance(module, nn.loss.Loss):
        sizes, shapes = [y[0].size for y in others], [y.shape[1:] for y in others]
        if len(others) == 1:
            y = np.where(others[0] == case.options.get("ignore_index"), 1, others[0])
            return Learned(x, nn.Identity()), lambda out, y: module(out, y).sum(), x, y
        parts = Split(lambda *ys: [y.reshape(-1, *s) for y, s in zip(ys, shapes, strict=True)], sizes)
        y = np.concatenate([y.reshape(len(y), -1) for y in others], axis=1)
        return Learned(x, nn.Identity()), lambda out, y: module(out, *parts(y)).sum(), x, y
    if others:
        module, x = Split(module, [x.shape[-1], *[a.shape[-1] for a in others]]), np.concatenate([x, *others], axis=-1)
    y = np.random.default_rng(0).normal(size=(len(x), 1))
    return Learned(x, module), lambda out, y: ((out - y.sum()) ** 2).sum(), x, y


@each(BATCHED)
def test_gradients_of_examples_equal_those_of_batches_of_one(key):
    case = BATCHED[key]
    model, loss, x, y = problem(case)
    if any(module.combines_examples for module in model.modules()):
        with pytest.raises(ValueError, match=r"BatchNorm1d 'module'.*statistics of the batch.*model\.eval\(\)"):
            per_example_gradients(model, loss, x, y)
        return
    parameters = list(model.parameters())
    generator = getattr(model.module, "rng", None)
    state = generator.bit_generator.state if generator is not None else None
    nn.manual_seed(0)
    found = per_example_gradients(model, loss, x, y)
    assert all(p.grad is None for p in parameters)
    nn.manual_seed(0)
    if generator is not None:
        generator.bit_generator.state = state
    for i in range(len(x)):
        model.zero_grad()
        loss(model(Tensor(x[i : i + 1])), Tensor(y[i : i + 1])).backward()
        for p, rows in zip(parameters, found, strict=True):
            expected = np.zeros(p.shape) if p.grad is None else p.grad
            np.testing.assert_allclose(rows[i], expected, rtol=1e-10, atol=1e-13)


def test_every_layer_and_loss_is_tested():
    assert {case.name for case in BATCHED.values()} == {case.name for case in CASES.values()}


def test_batch_normalization_in_evaluation_mode_has_gradients_of_examples():
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Linear(4, 1, rng=1))
    x, y = np.random.default_rng(0).normal(size=(6, 3)), np.ones((6, 1))
    model(x)
    with pytest.raises(ValueError, match=r"^BatchNorm1d normalizes"):
        per_example_gradients(nn.BatchNorm1d(3), nn.MSELoss(), x, x)
    with pytest.raises(ValueError, match="BatchNorm1d '1' normalizes"):
        per_example_gradients(model, nn.MSELoss(), x, y)
    model.eval()
    found = per_example_gradients(model, nn.MSELoss(), x, y)
    nn.MSELoss()(model(x), y).backward()
    for rows, p in zip(found, model.parameters(), strict=True):
        np.testing.assert_allclose(rows.mean(0), p.grad, rtol=1e-10, atol=1e-12)


def test_targets_of_another_length_raise():
    with pytest.raises(ValueError, match="got 3 inputs and 2 targets"):
        per_example_gradients(nn.Linear(1, 1), nn.MSELoss(), np.ones((3, 1)), np.ones((2, 1)))
