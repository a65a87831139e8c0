"""Gradient clipping and parameter vectors: equal to PyTorch, for Values and Tensors, without modifying arrays."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor, Value
from nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clipped_by_norm,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)

FILE = Path(__file__).parent.parent / "optim" / "averaging_torch.json"
RECORDED = json.loads(FILE.read_text(encoding="utf-8"))["clipping"]


def tensors(dtype=np.float64):
    """Parameters with the recorded gradients, the last one 0-d."""
    made = []
    for grad in RECORDED["grads"]:
        tensor = Tensor(np.zeros(np.shape(grad), dtype), requires_grad=True)
        tensor.grad = np.array(grad, dtype)
        made.append(tensor)
    return made


def values():
    """The same gradients, one Value per element."""
    flat = [number for grad in RECORDED["grads"] for number in np.ravel(grad)]
    made = [Value(0.0) for _ in flat]
    for value, number in zip(made, flat, strict=True):
        value.grad = float(number)
    return made


@pytest.mark.parametrize("case", RECORDED["norm"], ids=lambda case: f"{case['p']}-{case['max_norm']}")
def test_clip_grad_norm_equals_pytorch(case):
    for parameters in (tensors(), values()):
        norm = clip_grad_norm_(iter(parameters), case["max_norm"], norm_type=float(case["p"]))
        assert type(norm) is float
        assert norm == pytest.approx(case["norm"], rel=1e-12)
        wanted = np.concatenate([np.ravel(grad) for grad in case["clipped"]])
        found = np.concatenate([np.ravel(p.grad) for p in parameters])
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("case", RECORDED["value"], ids=lambda case: str(case["limit"]))
def test_clip_grad_value_equals_pytorch(case):
    for parameters in (tensors(), values()):
        clip_grad_value_(parameters, case["limit"])
        wanted = np.concatenate([np.ravel(grad) for grad in case["clipped"]])
        np.testing.assert_array_equal(np.concatenate([np.ravel(p.grad) for p in parameters]), wanted)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip", [lambda p: clip_grad_norm_(p, 0.5), lambda p: clip_grad_value_(p, 0.1)])
def test_clipping_keeps_type_and_dtype_and_does_not_modify_arrays(clip, dtype):
    parameters = tensors(dtype)
    held = [p.grad for p in parameters]
    copies = [np.array(grad) for grad in held]
    clip(parameters)
    for parameter, old, copied in zip(parameters, held, copies, strict=True):
        np.testing.assert_array_equal(old, copied)
        assert isinstance(parameter.grad, np.ndarray)
        assert (parameter.grad.dtype, parameter.grad.shape) == (dtype, copied.shape)
        assert not np.shares_memory(parameter.grad, old)
        assert parameter.grad.flags.writeable
    value = Value(1.0)
    value.grad = 3.0
    clip([value])
    assert type(value.grad) is float


def test_gradient_within_the_bound_is_not_copied():
    parameters = tensors()
    held = [p.grad for p in parameters]
    clip_grad_norm_(parameters, 100.0)
    clip_grad_norm_(parameters, math.inf)
    assert all(p.grad is old for p, old in zip(parameters, held, strict=True))


def test_clipping_accepts_values_tensors_and_a_single_parameter():
    x, w, unused = Value(1.0), Tensor([1.0, 2.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    x.grad, w.grad = 2.0, np.array([1.0, 2.0])
    assert clip_grad_norm_([x, w, unused], 1.5) == 3.0
    assert unused.grad is None
    assert x.grad == pytest.approx(1.0, rel=1e-6)
    clip_grad_norm_(w, 0.0)
    np.testing.assert_array_equal(w.grad, [0.0, 0.0])


def test_clipping_a_gradient_node_assigns_its_data():
    x = Value(3.0)
    (x * x * x).backward(create_graph=True)
    node = x.grad
    assert isinstance(node, Value)
    assert clip_grad_norm_([x], 1.0) == 27.0
    assert type(x.grad) is float
    assert node.data == 27.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_clipping_nonfinite_gradients_follows_pytorch(bad):
    parameters = tensors()
    parameters[1].grad = np.array([1.0, bad, 2.0, 3.0, 4.0])
    held = [p.grad for p in parameters]
    for p in (2.0, 1.0, math.inf):
        with pytest.raises(RuntimeError, match="error_if_nonfinite=False"):
            clip_grad_norm_(parameters, 1.0, p, error_if_nonfinite=True)
        assert not math.isfinite(get_total_norm([p.grad for p in parameters], p))
    assert all(p.grad is old for p, old in zip(parameters, held, strict=True))
    norm = clip_grad_norm_(parameters, 1.0)
    # As in PyTorch, nan propagates to all, and inf scales all others to 0.
    if math.isnan(bad):
        assert math.isnan(norm)
        assert np.isnan(parameters[0].grad).all()
    else:
        assert norm == math.inf
        assert not parameters[0].grad.any()
    assert np.isnan(parameters[1].grad[1])


def test_total_norm_avoids_intermediate_overflow():
    for size in (1e200, 1.0, 1e-200):
        assert get_total_norm([np.full(4, size)]) == pytest.approx(2 * size, rel=1e-14, abs=0)
        assert get_total_norm([np.array([size, -size / 2])], math.inf) == size
    assert get_total_norm([np.full(4, 1e30, np.float32)]) == pytest.approx(2e30)
    assert get_total_norm([]) == get_total_norm([], math.inf) == 0.0
    assert get_total_norm([np.zeros((0, 3)), np.zeros(2)]) == 0.0
    assert get_total_norm(iter([3.0, Value(-4.0), Tensor([0.0])])) == 5.0


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda p: clip_grad_norm_(p, -1.0), ValueError, r"max_norm must be in \[0, inf\], got -1.0"),
        (lambda p: clip_grad_norm_(p, math.nan), ValueError, r"max_norm .* got nan"),
        (lambda p: clip_grad_norm_(p, "1"), TypeError, r"max_norm must be a number .* got '1' \(str\)"),
        (lambda p: clip_grad_norm_(p, 1.0, 0.0), ValueError, r"norm_type must be in \(0, inf\], got 0.0"),
        (lambda p: clip_grad_value_(p, -1), ValueError, r"clip_value must be in \[0, inf\], got -1"),
        (lambda p: clip_grad_value_(p, None), TypeError, r"clip_value must be a number"),
        (lambda p: clip_grad_norm_(3.0, 1.0), TypeError, r"such as model.parameters\(\), got float"),
        (lambda p: clip_grad_norm_(np.ones(3), 1.0), TypeError, r"got float"),
        (lambda p: clip_grad_norm_([*p, 1.0], 1.0), TypeError, r"such as model.parameters\(\), got float"),
        (lambda p: parameters_to_vector("weights"), TypeError, r"got str"),
    ],
)
def test_invalid_arguments_raise_and_change_nothing(call, error, says):
    parameters = tensors()
    held = [p.grad for p in parameters]
    with pytest.raises(error, match=says):
        call(parameters)
    assert all(p.grad is old for p, old in zip(parameters, held, strict=True))


def test_empty_iterator_of_parameters_warns():
    spent = iter([])
    with pytest.warns(UserWarning, match="was it consumed before"):
        assert clip_grad_norm_(spent, 1.0) == 0.0
    assert clip_grad_norm_([], 1.0) == 0.0


def test_parameters_survive_a_round_trip_through_a_vector():
    rng = np.random.default_rng(0)
    w = Tensor(np.asfortranarray(rng.normal(size=(2, 3))), requires_grad=True)
    b, s, e = Tensor(rng.normal(size=()), requires_grad=True), Value(4.0), Tensor(np.zeros((0, 2)))
    parameters = [w, b, s, e]
    vector = parameters_to_vector(iter(parameters))
    np.testing.assert_array_equal(vector, [*w.data.ravel(), b.data, 4.0])
    held = w.data
    assert not np.shares_memory(vector, held)
    vector_to_parameters(vector + 1.0, iter(parameters))
    np.testing.assert_array_equal(parameters_to_vector(parameters), vector + 1.0)
    np.testing.assert_array_equal(held.ravel(), vector[:6])
    assert not np.shares_memory(w.data, vector)
    assert (w.data.shape, b.data.shape, e.data.shape, type(s.data)) == ((2, 3), (), (0, 2), float)
    assert isinstance(b.data, np.ndarray)
    vector_to_parameters(Tensor(vector), parameters)
    np.testing.assert_array_equal(parameters_to_vector(parameters), vector)
    assert parameters_to_vector([]).shape == (0,)


def test_vector_to_parameters_keeps_each_dtype():
    single, double = Tensor(np.zeros(2, np.float32)), Tensor(np.zeros(2))
    assert parameters_to_vector(single).dtype == np.float32
    assert parameters_to_vector([single, double]).dtype == np.float64
    vector_to_parameters(np.arange(4.0), [single, double])
    assert (single.data.dtype, double.data.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("vector", [np.zeros(4), np.zeros(6), np.zeros((5, 1)), 3.0])
def test_vector_of_another_length_raises_and_changes_nothing(vector):
    w, b = Tensor(np.ones((2, 2))), Value(1.0)
    with pytest.raises(ValueError, match=r"expected a vector of shape \(5,\), got"):
        vector_to_parameters(vector, [w, b])
    assert b.data == 1.0
    np.testing.assert_array_equal(w.data, np.ones((2, 2)))


def test_per_example_gradients_average_to_the_gradient_of_the_batch():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 2, 6)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2))
    loss = nn.CrossEntropyLoss()
    loss(model(x), y).backward()
    expected = [p.grad.copy() for p in model.parameters()]
    found = nn.utils.per_example_gradients(model, loss, x, y)
    for rows, p, g in zip(found, model.parameters(), expected, strict=True):
        assert rows.shape == (6, *p.shape)
        np.testing.assert_allclose(rows.mean(0), g, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(p.grad, g)
    model.zero_grad()
    loss(model(x[4:5]), y[4:5]).backward()
    for rows, p in zip(found, model.parameters(), strict=True):
        np.testing.assert_allclose(rows[4], p.grad, rtol=1e-12, atol=1e-15)


def test_compiled_step_clips_by_norm_as_clip_grad_norm_does():
    x, y = np.random.default_rng(3).normal(size=(2, 20, 2))
    (eager, plain), (compiled, stepped) = [
        (model := nn.MLP(2, [4, 2], rng=1), optim.SGD(model.parameters(), lr=0.5)) for _ in range(2)
    ]
    step = autograd.compile(
        lambda x, y: ((compiled(x) - y) ** 2).mean(), optimizer=stepped, transform=clipped_by_norm(0.1)
    )
    for _ in range(5):
        plain.zero_grad()
        loss = ((eager(x) - y) ** 2).mean()
        loss.backward()
        assert clip_grad_norm_(eager.parameters(), 0.1) > 0.1
        plain.step()
        assert float(step(x, y)) == pytest.approx(loss.item(), rel=1e-12)
