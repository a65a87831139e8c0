"""All layers and losses on arrays of Values agree with those on tensors; micrograd's classes."""

import random

import numpy as np
import pytest
from cases import CASES
from looping import each

import nn
from autograd import Tensor, Value
from nn.scalar import as_values, gradients_of, numbers_of, scalarize

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def reseed(module):
    for part in module.modules():
        if hasattr(part, "rng"):
            part.rng = np.random.default_rng(5)
    return module


@each(CASES)
def test_scalarized_module_equals_the_original(key):
    case = CASES[key]
    module, twin = (reseed(m) for m in (case.module(), scalarize(case.module())))
    assert type(twin) is type(module)
    arrays = case.arrays()
    wanted = case.wanted(arrays)
    tensors = [Tensor(a, requires_grad=i in wanted) for i, a in enumerate(arrays)]
    values = [as_values(a) if i in wanted else a for i, a in enumerate(arrays)]
    output, scalar_output = module(*tensors), twin(*values)
    np.testing.assert_allclose(numbers_of(scalar_output), output.data, **CLOSE)
    if not output.requires_grad:
        return
    weights = np.random.default_rng(0).uniform(0.5, 1.5, output.shape)
    (output * weights).sum().backward()
    sum(np.ravel(scalar_output * weights)).backward()
    for i in wanted:
        np.testing.assert_allclose(gradients_of(values[i]), tensors[i].grad, **CLOSE)
    for name, p in module.named_parameters():
        np.testing.assert_allclose(gradients_of(getattr(twin, name)), p.grad, **CLOSE, err_msg=name)
    for name, buffer in module.named_buffers():
        np.testing.assert_allclose(getattr(twin, name), buffer, **CLOSE, err_msg=name)


MODELS = {
    "relu": {},
    "norms": {"norm": ["batch", "layer"], "activation": ["tanh", "gelu"], "residual": True},
    "dropout": {"dropout": 0.3, "norm": "rms", "activation": "selu", "output_activation": "log_softmax"},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_scalarized_model_takes_the_same_training_step(options):
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(6, 3)), rng.integers(0, 3, 6)
    model = nn.MLP(3, [4, 4, 3], rng=0, **options)
    twin = scalarize(model)
    losses = []
    for m in (model, twin):
        reseed(m)
        loss = nn.CrossEntropyLoss()(m(x), t)
        loss.backward()
        losses.append(float(loss))
        for p in m.parameters():
            p.data = p.data - 0.1 * p.grad
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    state = model.state_dict()
    for key, array in twin.state_dict().items():
        np.testing.assert_allclose(array, state[key], **CLOSE, err_msg=key)


def test_scalarize_keeps_sharing_freezing_and_the_original():
    shared = nn.Linear(2, 2, rng=0)
    shared.bias.requires_grad = False
    model = nn.Sequential(shared, nn.ParameterList([nn.Parameter(1.0)]), shared)
    twin = scalarize(model)
    assert twin[0].weight is twin[2].weight
    assert len(list(twin.parameters())) == 4 + 2 + 1
    assert [p.name for p in twin.parameters()][:2] == ["0.weight[0, 0]", "0.weight[0, 1]"]
    assert not any(v.requires_grad for v in twin[0].bias)
    assert isinstance(model[0].weight, nn.Parameter)
    twin.load_state_dict({key: array + 1.0 for key, array in model.state_dict().items()})
    np.testing.assert_array_equal(numbers_of(twin[0].weight), shared.weight.data + 1.0)
    with pytest.raises(TypeError, match="expected a Module"):
        scalarize(np.zeros(2))


def test_losses_accept_a_single_value_and_lists_of_values():
    x = Value(3.0)
    nn.MSELoss()(x, 1.0).backward()
    assert x.grad == 4.0
    xs = [Value(1.0), Value(2.0)]
    nn.HingeLoss()(xs, [1, -1]).backward()
    assert [v.grad for v in xs] == [0.0, 0.5]


# --------------------------------------------------------------------------------------------- micrograd's own


def test_micrograd_classes_have_their_structure_and_repr():
    neuron = nn.scalar.Neuron(3, nonlin=False, rng=0)
    assert len(neuron.w) == 3
    assert neuron.b.data == 0.0
    assert all(-1 <= w.data <= 1 for w in neuron.w)
    x = [1.0, -2.0, Value(0.5)]
    assert neuron(x).data == pytest.approx(sum(w.data * float(xi) for w, xi in zip(neuron.w, x, strict=True)))
    assert repr(neuron) == "LinearNeuron(3)"
    assert isinstance(nn.scalar.Layer(2, 1, rng=0)([1.0, 2.0]), Value)
    assert len(nn.scalar.Layer(2, 3, rng=0)([1.0, 2.0])) == 3
    model = nn.scalar.MLP(2, [16, 16, 1], rng=0)
    assert len(model.parameters()) == 337
    small = nn.scalar.MLP(1, [2, 1])
    assert repr(small) == "MLP of [Layer of 2 ReLUNeuron(1), Layer of 1 LinearNeuron(2)]"
    small.layers[0].neurons[1].nonlin = False
    assert repr(small.layers[0]) == "Layer of [ReLUNeuron(1), LinearNeuron(1)]"
    model([1.0, 2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert all(p.grad == 0.0 for p in model.parameters())


def test_micrograd_mlp_equals_the_tensor_mlp():
    scalar, model = nn.scalar.MLP(2, [4, 4, 1], rng=0), nn.MLP(2, [4, 4, 1])
    for layer, linear in zip(scalar.layers, [m for m in model if isinstance(m, nn.Linear)], strict=True):
        linear.weight.data = np.array([numbers_of(n.w) for n in layer.neurons])
        linear.bias.data = numbers_of([n.b for n in layer.neurons])
    xs = np.random.default_rng(0).normal(size=(5, 2))
    total = sum((scalar(list(x)) for x in xs), Value(0.0))
    total.backward()
    model(xs).sum().backward()
    assert total.data == pytest.approx(model(xs).sum().item())
    grads = np.concatenate([np.ravel(p.grad) for p in model.parameters()])
    in_order = [
        p.grad
        for layer in scalar.layers
        for p in [*(w for n in layer.neurons for w in n.w), *(n.b for n in layer.neurons)]
    ]
    np.testing.assert_allclose(in_order, grads, **CLOSE)


def test_neuron_with_wrong_number_of_inputs_raises():
    with pytest.raises(ValueError, match="expected 2 inputs, got 3"):
        nn.scalar.Neuron(2)([1.0, 2.0, 3.0])


def test_same_seed_gives_the_same_neurons():
    a, b = (nn.scalar.MLP(2, [3, 1], rng=7) for _ in range(2))
    assert [p.data for p in a.parameters()] == [p.data for p in b.parameters()]


# Output of `micrograd_step` below with the classes of micrograd 0.1.0.
OF_MICROGRAD = [
    1.1568404477921275, 2.2529282505400694, 2.107911844730171, 1.598765851885621, 0.34109353244100343,
]  # fmt: skip


def half_moons():
    angles = [np.pi * i / 19 for i in range(20)]
    upper = [((float(np.cos(a)), float(np.sin(a))), 1) for a in angles]
    lower = [((float(1 - np.cos(a)), float(0.5 - np.sin(a))), -1) for a in angles]
    return [point for pair in zip(upper, lower, strict=True) for point in pair]


def micrograd_step(model, points, k):
    scores = [model(list(map(Value, x))) for x, _ in points]
    losses = [(1 + -y * s).relu() for (_, y), s in zip(points, scores, strict=True)]
    total = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
    model.zero_grad()
    total.backward()
    for p in model.parameters():
        p.data -= (1.0 - 0.9 * k / 100) * p.grad
    return total.data


def test_python_random_seed_reproduces_the_losses_of_micrograd(monkeypatch):
    monkeypatch.setattr("nn.random._by_seed", False)
    state = random.getstate()
    try:
        random.seed(1337)
        model = nn.scalar.MLP(2, [16, 16, 1])
        random.seed(1337)
        drawn = [random.uniform(-1, 1) for _ in range(2 * 16 + 16 * 16 + 16)]
    finally:
        random.setstate(state)
    assert [w.data for layer in model.layers for n in layer.neurons for w in n.w] == drawn
    points = half_moons()
    losses = [micrograd_step(model, points, k) for k in range(5)]
    np.testing.assert_allclose(losses, OF_MICROGRAD, rtol=1e-12)


def test_manual_seed_takes_precedence_over_python_random(monkeypatch):
    monkeypatch.setattr("nn.random._by_seed", False)
    before = nn.get_rng_state()
    drawn = []
    for python_seed in (0, 1):
        random.seed(python_seed)
        nn.manual_seed(3)
        drawn.append([p.data for p in nn.scalar.MLP(2, [3, 1]).parameters()])
    nn.set_rng_state(before)
    assert drawn[0] == drawn[1] == [p.data for p in nn.scalar.MLP(2, [3, 1], rng=3).parameters()]


def test_neuron_accepts_a_python_random_generator():
    a, b = (nn.scalar.Layer(2, 3, rng=random.Random(5)) for _ in range(2))
    assert [p.data for p in a.parameters()] == [p.data for p in b.parameters()]
    with pytest.raises(TypeError, match="a Generator, a seed or None"):
        nn.scalar.MLP(2, [1], rng="1337")
