"""MLP: structure, options per layer, initialization, training."""

import math

import numpy as np
import pytest

import nn
import optim


def kinds(model):
    return [type(m).__name__ for m in model]


def linears(model):
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


def test_plain_mlp_has_the_state_dict_keys_of_a_torch_sequential():
    model = nn.MLP(4, [8, 6, 3])
    assert kinds(model) == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
    assert [m.weight.shape for m in linears(model)] == [(8, 4), (6, 8), (3, 6)]
    assert kinds(nn.MLP(4, (3,))) == ["Linear"]


def test_mlp_with_every_option_has_the_expected_modules():
    model = nn.MLP(
        4, [4, 4, 4, 3], activation=["tanh", nn.SELU, None], norm=["batch", "layer", nn.RMSNorm],
        dropout=[0.1, 0.2, 0.0], residual=[False, True, False], output_activation="log_softmax",
        bias=[True, False, True, True], dtype=np.float32, rng=0,
    )  # fmt: skip
    assert kinds(model) == [
        "Linear", "BatchNorm1d", "Tanh", "Dropout", "Residual", "Linear", "RMSNorm", "Linear", "LogSoftmax",
    ]  # fmt: skip
    assert kinds(model[4].block) == ["Linear", "LayerNorm", "SELU", "AlphaDropout"]
    assert [m.bias is None for m in linears(model)] == [False, True, False, False]
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model[1].running_mean.dtype == np.float32
    y = model(np.ones((5, 4), np.float32))
    assert y.dtype == np.float32
    np.testing.assert_allclose(np.exp(y.data).sum(axis=1), 1.0, rtol=1e-5)


def test_one_seed_draws_weights_and_dropout_masks():
    model = nn.MLP(2, [4, 4, 1], dropout=0.5, rng=0)
    assert model[2].rng is model[5].rng
    assert model[2].rng.bit_generator.state != np.random.default_rng(0).bit_generator.state
    assert nn.MLP(2, [4, 1], dropout=0.5)[2].rng is None


def test_residual_true_adds_skip_connections_where_widths_match():
    assert kinds(nn.MLP(4, [8, 8, 8, 2], residual=True)) == ["Linear", "ReLU", "Residual", "Residual", "Linear"]


@pytest.mark.parametrize("name", [*nn.layers.activation.__all__, "leaky_relu", "log_softmax"])
def test_mlp_accepts_every_activation_by_name(name):
    if name in ("Threshold", "GLU", "SwiGLU"):
        with pytest.raises((TypeError, ValueError)):
            nn.MLP(2, [4, 1], name)(np.ones((3, 2)))
    else:
        assert nn.MLP(2, [4, 1], name, rng=0)(np.ones((3, 2))).shape == (3, 1)


def test_mlp_with_unknown_activation_names_the_nearest():
    with pytest.raises(ValueError, match="unknown activation 'rellu'; did you mean 'relu'"):
        nn.MLP(2, [3, 1], activation="rellu")


def test_default_init_suits_the_activation():
    wide = {"relu": 2 / 400, "gelu": 2 / 400, "selu": 1 / 400, "tanh": 2 / 700, "sigmoid": 2 / 700}
    for activation, variance in wide.items():
        first, last = linears(nn.MLP(400, [300, 200], activation, rng=0))
        assert first.weight.data.var() == pytest.approx(variance, rel=0.03), activation
        assert last.weight.data.var() == pytest.approx(2 / 500, rel=0.03)  # no activation follows: Xavier
        assert not first.bias.data.any()
    (leaky, _) = linears(nn.MLP(400, [300, 1], lambda: nn.LeakyReLU(0.5), rng=0))
    assert leaky.weight.data.var() == pytest.approx(2 / 1.25 / 400, rel=0.03)


def test_init_accepts_a_name_or_a_function():
    def variance(init):
        return linears(nn.MLP(400, [300, 1], "relu", init=init, rng=0))[0].weight.data.var()

    assert variance("xavier") == pytest.approx(2 / 700, rel=0.03)
    assert variance("he") == pytest.approx(2 / 400, rel=0.03)
    assert variance("lecun") == pytest.approx(1 / 400, rel=0.03)
    assert variance("default") == pytest.approx(1 / 1200, rel=0.03)
    assert variance(nn.init.orthogonal_) == pytest.approx(1 / 400, rel=0.03)
    mixed = nn.MLP(4, [4, 4], init=[nn.init.orthogonal_, lambda w, rng: nn.init.eye_(w)])
    np.testing.assert_array_equal(linears(mixed)[1].weight.data, np.eye(4))


def test_init_default_is_that_of_pytorch():
    layer = nn.Linear(400, 300, rng=0)
    for p in (layer.weight, layer.bias):
        assert abs(p.data).max() <= 1 / math.sqrt(400)
        assert p.data.std() == pytest.approx(1 / math.sqrt(1200), rel=0.05)


@pytest.mark.parametrize("options", [{}, {"norm": "batch"}, {"norm": "rms", "residual": True, "dropout": 0.1}])
def test_mlp_learns_xor(options):
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    t = np.array([0, 1, 1, 0])
    model = nn.MLP(2, [8, 8, 2], activation="tanh", rng=1, **options)
    optimizer, loss_of = optim.Adam(model.parameters(), lr=0.03), nn.CrossEntropyLoss()
    for _ in range(150):
        optimizer.zero_grad()
        loss_of(model(x), t).backward()
        optimizer.step()
    assert (model.eval()(x).data.argmax(axis=1) == t).all()


def test_scalarized_mlp_trains_like_the_original():
    x, t = np.random.default_rng(0).normal(size=(8, 2)), np.array([0, 1] * 4)
    model = nn.MLP(2, [3, 2], activation="tanh", rng=1)
    twin = nn.scalar.scalarize(model)
    losses = []
    for m in (model, twin):
        optimizer = optim.Adam(list(m.parameters()), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(m(x), t)
            loss.backward()
            optimizer.step()
        losses.append(float(loss))
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
