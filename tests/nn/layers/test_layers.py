"""Layers and losses: statistics, random generators, relations between losses, formulas of losses not in PyTorch."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from cases import CASES
from looping import each

import nn
from autograd import Tensor
from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)

RNG = np.random.default_rng(0)
A, Y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
SIGNS = np.where(RNG.random((5, 3)) < 0.5, -1.0, 1.0)

# ------------------------------------------------------------------------------------------------ normalization


def test_batch_norm_follows_ioffe_and_szegedy():
    layer, rng = nn.BatchNorm1d(3, momentum=0.25, eps=0.01), np.random.default_rng(1)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = rng.normal(2.0, 3.0, (7, 3))
        y = layer(x).data
        np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 0.01), rtol=1e-12)
        mean = 0.75 * mean + 0.25 * x.mean(0)
        var = 0.75 * var + 0.25 * x.var(0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean)
    np.testing.assert_allclose(layer.running_var, var)
    assert layer.num_batches_tracked == 3
    single = layer.eval()(x[:1]).data
    np.testing.assert_allclose(single, (x[:1] - mean) / np.sqrt(var + 0.01))
    assert layer.num_batches_tracked == 3


def test_group_norm_of_one_group_is_layer_norm_with_parameters_per_channel():
    x, weight, bias = RNG.normal(size=(2, 4, 3)), RNG.normal(size=4), RNG.normal(size=4)
    found = F.group_norm(x, 1, weight, bias)
    np.testing.assert_allclose(found, F.layer_norm(x, (4, 3)) * weight[:, None] + bias[:, None], rtol=1e-12)
    assert F.group_norm(x[:0], 2).shape == (0, 4, 3)


def test_batch_norm_without_momentum_averages_all_batches():
    layer, rng = nn.BatchNorm1d(2, momentum=None), np.random.default_rng(1)
    batches = rng.normal(size=(4, 6, 2))
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(layer.running_mean, batches.mean((0, 1)))
    np.testing.assert_allclose(layer.running_var, batches.var(1, ddof=1).mean(0))


def test_batch_norm_training_does_not_change_a_graph_recorded_in_evaluation():
    layer = nn.BatchNorm1d(3)
    layer(A)
    x = Tensor(A, requires_grad=True)
    y = layer.eval()(x).sum()
    slope = 1.0 / np.sqrt(layer.running_var + layer.eps)
    layer.train()(100.0 * A)
    y.backward()
    np.testing.assert_allclose(x.grad, np.broadcast_to(slope, A.shape))


# ------------------------------------------------------------------------------------------------------ dropout


@pytest.mark.parametrize("layer", [nn.Dropout, nn.AlphaDropout])
def test_dropout_preserves_the_mean_and_alpha_dropout_the_variance(layer):
    x = np.random.default_rng(1).standard_normal(200_000)
    y = layer(0.3, rng=2)(x)
    assert abs(y.mean()) < 0.01
    if layer is nn.AlphaDropout:
        assert abs(y.var() - 1.0) < 0.02
    else:
        assert abs((y == 0).mean() - 0.3) < 0.01
        np.testing.assert_allclose(y[y != 0], x[y != 0] / 0.7)


def test_dropout_with_p_0_p_1_and_in_eval_mode():
    for layer in (nn.Dropout, nn.AlphaDropout):
        assert layer(0.0)(A) is A
        assert not layer(1.0)(A).any()
        assert layer(0.5).eval()(A) is A
    assert F.dropout(A, 0.5, training=False) is A


def test_dropout_gradient_has_the_mask_of_the_output():
    x = Tensor(np.ones(1000), requires_grad=True)
    y = nn.Dropout(0.5, rng=0)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, y.data)


# --------------------------------------------------------------------------------------------------- randomness


def test_manual_seed_repeats_layers_and_dropout():
    def drawn():
        model = nn.MLP(3, [8, 8, 2], norm="layer", dropout=0.5)
        return [model(np.ones((4, 3))).data, nn.Dropout()(A), nn.Embedding(3, 2).weight.data, nn.RReLU()(A)]

    nn.manual_seed(5)
    first = drawn()
    nn.manual_seed(5)
    for a, b in zip(first, drawn(), strict=True):
        np.testing.assert_array_equal(a, b)
    nn.manual_seed(6)
    assert not np.array_equal(first[0], drawn()[0])


def test_rng_argument_does_not_advance_the_shared_generator():
    nn.manual_seed(5)
    state = nn.get_rng_state()
    a, b = (nn.MLP(3, [4, 1], dropout=0.5, rng=seed) for seed in (1, np.random.default_rng(1)))
    np.testing.assert_array_equal(a(A).data, b(A).data)
    nn.Dropout(rng=3)(A)
    nn.init.normal_(Tensor(A), rng=0)
    assert nn.get_rng_state() == state


def test_set_rng_state_restores_the_generator():
    state = nn.get_rng_state()
    first = nn.Dropout()(A)
    nn.set_rng_state(state)
    np.testing.assert_array_equal(nn.Dropout()(A), first)


def test_initial_weights_of_a_seed_equal_the_recorded_ones():
    """A seed gives the same weights on every platform and in every version."""
    layer = nn.Linear(2, 2, rng=0)
    assert layer.weight.data.ravel().tolist() == [
        0.19369307573550387, -0.32557075163361393, -0.6491614679377623, -0.6837331748681422,
    ]  # fmt: skip
    assert layer.bias.data.tolist() == [0.4430310209648889, 0.5837245353312901]


# --------------------------------------------------------------------------------------- losses not in PyTorch


def test_half_mse_equals_the_textbook_formula():
    a = Tensor(A, requires_grad=True)
    loss = nn.HalfMSELoss()(a, Y)
    loss.backward()
    assert loss.item() == pytest.approx(np.sum((A - Y) ** 2) / (2 * 5))
    np.testing.assert_allclose(a.grad, (A - Y) / 5)


OWN = {
    "HalfMSELoss": lambda: 0.5 * (A - Y) ** 2,
    "LogCoshLoss": lambda: np.log(np.cosh(A - Y)),
    "HingeLoss": lambda: np.maximum(0.0, 1.0 - SIGNS * A),
    "SquaredHingeLoss": lambda: np.maximum(0.0, 1.0 - SIGNS * A) ** 2,
}


@pytest.mark.parametrize("name", OWN)
def test_losses_not_in_pytorch_equal_their_formulas(name):
    target = SIGNS if "Hinge" in name else Y
    np.testing.assert_allclose(getattr(nn, name)("none")(A, target), OWN[name](), rtol=1e-12)
    assert getattr(nn, name)("sum")(A, target) == pytest.approx(OWN[name]().sum())
    if name != "HalfMSELoss":
        assert getattr(nn, name)()(A, target) == pytest.approx(OWN[name]().mean())


# Results printed in the tests of Keras 3.
Y_KERAS = np.array([[1.0, 9.0, 2.0], [-5.0, -2.0, 6.0]])
X_KERAS = np.array([[4.0, 8.0, 12.0], [8.0, 1.0, 3.0]])
P_KERAS, T_KERAS = np.array([[0.4, 0.6], [0.6, 0.4]]), np.array([[0.0, 1.0], [0.0, 1.0]])


def test_losses_of_keras_equal_the_results_in_its_tests():
    assert nn.MAPELoss()(X_KERAS, Y_KERAS) == pytest.approx(211.8518, abs=1e-4)
    assert nn.MSLELoss()(X_KERAS, Y_KERAS) == pytest.approx(1.4370, abs=1e-4)
    rows = np.array([[0.3, 0.2, 0.1], [0.1, 0.2, 0.7]])
    expected = [1.1, 0.5]  # 1 - 0.2 + 0.3 and 1 - 0.7 + 0.2
    np.testing.assert_allclose(nn.CategoricalHingeLoss("none")(rows, [1, 2]), expected)
    np.testing.assert_allclose(nn.CategoricalHingeLoss("none")(rows, [[0.0, 1, 0], [0, 0, 1]]), expected)
    assert nn.DiceLoss()(P_KERAS, T_KERAS) == pytest.approx(1 - 2.0 / 4.0)
    segments = np.array([[1.0, 0, 1, 0], [0, 1, 0, 1]] * 2), np.array([[0.0, 1, 0, 1], [1, 0, 1, 1]] * 2)
    assert nn.DiceLoss()(segments[1], segments[0]) == pytest.approx(0.77777773)
    assert nn.TverskyLoss(alpha=0.8, beta=0.2)(segments[1], segments[0]) == pytest.approx(0.7916667)
    assert nn.TverskyLoss(0.25, 0.75)(P_KERAS, T_KERAS) == pytest.approx(1 - 1.0 / (1.0 + 0.25 + 0.75))


def test_quantile_loss_is_smallest_at_the_quantile():
    y = np.arange(101.0)
    losses = [nn.QuantileLoss(0.8)(np.full(101, q), y) for q in range(101)]
    assert int(np.argmin(losses)) == 80


def test_class_weights_are_buffers():
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    assert list(loss.state_dict()) == ["weight"]
    loss.load_state_dict({"weight": np.array([3.0, 1.0])})
    assert loss(np.zeros((2, 2)), [0, 0]) == pytest.approx(np.log(2.0))
    assert loss.divisor([0, 1]) == 4.0
    assert list(nn.BCEWithLogitsLoss(pos_weight=np.ones(2)).state_dict()) == ["pos_weight"]


def test_one_hot_and_normalize():
    np.testing.assert_array_equal(F.one_hot(np.array([[1], [0]])), [[[0, 1]], [[1, 0]]])
    assert F.one_hot([1], num_classes=4).shape == (1, 4)
    for wrong, count in (([-1], -1), ([0.5], -1), ([3], 3)):
        with pytest.raises((IndexError, TypeError), match="one_hot: class"):
            F.one_hot(wrong, count)
    for p in (1.0, 2.0, np.inf):
        np.testing.assert_allclose(F.normalize(A, p), A / np.linalg.norm(A, p, axis=1, keepdims=True))
    x = Tensor(np.zeros((1, 2)), requires_grad=True)
    F.normalize(x).sum().backward()
    np.testing.assert_array_equal(F.normalize(x).data, 0.0)
    assert np.isfinite(x.grad).all()


def test_triplet_loss_with_any_distance():
    a, b, c = (np.random.default_rng(i).normal(size=(4, 3)) for i in range(3))
    city_block = nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: abs(x - y).sum(axis=-1), margin=2.0)
    expected = nn.TripletMarginLoss(margin=2.0, p=1.0, eps=0.0)(a, b, c)
    assert city_block(a, b, c) == pytest.approx(expected)


def test_focal_loss_equals_its_formula():
    z, t = A, (SIGNS + 1.0) / 2.0
    p = 1.0 / (1.0 + np.exp(-z))
    right = np.where(t == 1.0, p, 1.0 - p)
    weight = np.where(t == 1.0, 0.25, 0.75)
    np.testing.assert_allclose(nn.FocalLoss(reduction="none")(z, t), -((1 - right) ** 2) * np.log(right))
    np.testing.assert_allclose(
        nn.FocalLoss(alpha=0.25, gamma=3.0, reduction="none")(z, t), -weight * (1 - right) ** 3 * np.log(right)
    )
    np.testing.assert_allclose(nn.FocalLoss(gamma=0.0)(z, t), nn.BCEWithLogitsLoss()(z, t))


def test_related_losses_agree():
    beta = 0.7
    np.testing.assert_allclose(nn.HuberLoss(delta=beta)(A, Y), beta * nn.SmoothL1Loss(beta=beta)(A, Y))
    np.testing.assert_allclose(nn.HalfMSELoss()(A, Y), 1.5 * nn.MSELoss()(A, Y))
    classes = np.array([0, 2, 1, 1, 0])
    one_hot = np.eye(3)[classes]
    expected = nn.CrossEntropyLoss()(A, classes)
    np.testing.assert_allclose(nn.CrossEntropyLoss()(A, one_hot), expected)
    np.testing.assert_allclose(nn.NLLLoss()(F.log_softmax(A), classes), expected)
    np.testing.assert_allclose(nn.KLDivLoss("batchmean")(F.log_softmax(A), one_hot), expected)
    bits = (SIGNS + 1.0) / 2.0
    np.testing.assert_allclose(nn.BCELoss()(F.sigmoid(A), bits), nn.BCEWithLogitsLoss()(A, bits))
    np.testing.assert_allclose(nn.SoftMarginLoss()(A, SIGNS), nn.BCEWithLogitsLoss()(A, bits))
    np.testing.assert_allclose(F.cosine_similarity(A, Y), 1 - F.cosine_embedding_loss(A, Y, np.ones(5), 0.0, "none"))


@each([k for k, case in CASES.items() if case.options.get("reduction") == "none"])
def test_reduction_sum_equals_the_sum_of_reduction_none(key):
    case = CASES[key]
    arrays = case.arrays()
    total = getattr(nn, case.name)(**case.options | {"reduction": "sum"})(*arrays)
    np.testing.assert_allclose(total, np.sum(case.module()(*arrays)), rtol=1e-12)


# ------------------------------------------------------------------------------------------- argument types


def test_layers_and_losses_accept_arrays_lists_and_tensors():
    model = nn.Linear(3, 2, rng=0)
    for given in (A, A.tolist(), Tensor(A)):
        np.testing.assert_array_equal(model(given).data, A @ model.weight.data.T + model.bias.data)
        np.testing.assert_array_equal(
            np.asarray(nn.MSELoss()(given, Y.tolist())), np.asarray(nn.MSELoss()(A, Tensor(Y)).data)
        )
    np.testing.assert_array_equal(F.embedding([[1]], np.eye(2)), [[[0.0, 1.0]]])


def test_activations_of_floats_equal_those_of_arrays():
    for name in ("elu", "celu", "selu", "gelu", "silu", "mish", "relu6", "hardswish", "hardsigmoid", "softsign",
                 "tanhshrink", "softshrink", "hardshrink", "logsigmoid", "softplus"):  # fmt: skip
        f = getattr(F, name)
        for x in (-800.0, -2.0, -0.3, 0.4, 2.0, 800.0):
            assert f(x) == pytest.approx(f(np.array([x]))[0], rel=1e-12), name


def test_affine_is_one_node():
    y = nn.Linear(3, 2, rng=0)(A)
    assert y.op.name == "affine"
    assert len(y.args) == 3


def test_gaussian_nll_bounds_the_variance_and_passes_its_gradient():
    v = Tensor([1e-9, 0.0], requires_grad=True)
    loss = nn.GaussianNLLLoss(eps=0.01, reduction="sum")(np.array([0.0, 0.0]), np.array([0.1, 0.1]), v)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(0.01) + 1.0)
    np.testing.assert_allclose(v.grad, 0.5 * (1 / 0.01 - 0.01 / 0.01**2) * np.ones(2), atol=1e-12)


def test_class_indices_in_a_tensor_are_operands_of_the_graph():
    classes = Tensor(np.array([2, 0, 1, 1, 0]))
    loss = nn.CrossEntropyLoss()(Tensor(A, requires_grad=True), classes)
    assert loss.args[1] is classes
    rows = nn.Embedding(3, 2, rng=0)(classes)
    assert any(arg is classes for arg in rows.args)


def test_embedding_padding_row_receives_no_gradient():
    table = nn.Embedding(4, 2, padding_idx=-1, rng=0)
    assert not table.weight.data[3].any()
    table([[3, 1], [1, 0]]).sum().backward()
    np.testing.assert_array_equal(table.weight.grad, [[1, 1], [2, 2], [0, 0], [0, 0]])


# --------------------------------------------------------------------------- modules derived from their function

DERIVED = [c for c in vars(nn).values() if isinstance(c, type) and hasattr(c, "_function")]


@each(DERIVED)
def test_derived_module_has_the_options_defaults_and_summary_of_its_function(kind):
    function = {n: p for n, p in inspect.signature(kind._function).parameters.items() if n != "training"}
    module = inspect.signature(kind).parameters
    assert list(function)[-len(module) :] == list(module) or not module
    assert all(parameter.default == function[name].default for name, parameter in module.items())
    assert kind.__doc__.split("\n")[0] == inspect.getdoc(kind._function).split("\n")[0]
    assert f">>> {kind.__name__}(" in kind.__doc__ or f"({kind.__name__}(" in kind.__doc__


def test_derived_documentation_lists_options_without_inputs_and_moves_them_in_examples():
    lines = nn.KLDivLoss.__doc__.split("\n")
    assert [line for line in lines if " : " in line] == [
        "reduction : {'mean', 'batchmean', 'sum', 'none'}", "log_target : bool",
    ]  # fmt: skip
    assert '>>> KLDivLoss("batchmean")([[-0.5, -1.0]], [[0.0, 1.0]])' in lines
    assert ">>> round(float(CrossEntropyLoss()([[0.0, 0.0]], [1])), 6)" in nn.CrossEntropyLoss.__doc__.split("\n")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_derived_module_survives_copy_and_pickle(duplicate):
    made = nn.CrossEntropyLoss(weight=np.array([1.0, 2.0, 0.5]), label_smoothing=0.1)
    twin = duplicate(made)
    assert type(twin) is nn.CrossEntropyLoss
    assert twin(A, [0, 1, 2, 1, 0]) == made(A, [0, 1, 2, 1, 0])
    assert repr(duplicate(nn.Hardtanh(max_val=2.0))) == "Hardtanh(min_val=-1.0, max_val=2.0)"


def test_subclass_of_a_derived_module_keeps_its_options():
    class Scaled(nn.HuberLoss):
        """Twice the loss."""

        def forward(self, input, target):
            return 2.0 * super().forward(input, target)

    assert Scaled(delta=0.5)(A, Y) == 2.0 * nn.HuberLoss(delta=0.5)(A, Y)
    assert Scaled.__doc__ == "Twice the loss."


def test_derived_documentation_of_a_function_without_sections_or_with_blocks():
    def double(x, times=2):
        """Multiply.

        >>> for x in [1]:
        ...     double(x)
        2
        >>> double(3, times=4) + double(1)
        14
        """
        return x * times

    class Double(nn.layers.activation.FunctionModule, function=double): ...

    assert Double.__doc__.split("\n\n")[0] == "Multiply."
    assert ">>> Double(times=4)(3) + Double()(1)" in Double.__doc__
    assert ">>> for x in [1]:\n...     double(x)" in Double.__doc__


def test_defaults_of_stateful_layers_equal_those_of_pytorch():
    wanted = {
        "dropout": {"p": 0.5, "training": True}, "alpha_dropout": {"p": 0.5, "training": False},
        "rrelu": {"lower": 1 / 8, "upper": 1 / 3, "training": False}, "layer_norm": {"eps": 1e-5},
        "batch_norm": {"training": False, "eps": 1e-5}, "rms_norm": {"eps": None}, "group_norm": {"eps": 1e-5},
        "cosine_similarity": {"dim": 1, "eps": 1e-8},
        "pairwise_distance": {"p": 2.0, "eps": 1e-6, "keepdim": False},
    }  # fmt: skip
    for name, defaults in wanted.items():
        found = inspect.signature(getattr(F, name)).parameters
        assert {key: found[key].default for key in defaults} == defaults
    layers = {nn.Dropout: {"p": 0.5}, nn.BatchNorm1d: {"eps": 1e-5, "momentum": 0.1, "affine": True},
              nn.LayerNorm: {"eps": 1e-5, "elementwise_affine": True, "bias": True}, nn.PReLU: {"init": 0.25},
              nn.GroupNorm: {"eps": 1e-5, "affine": True},
              nn.RReLU: {"lower": 1 / 8, "upper": 1 / 3}, nn.Flatten: {"start_dim": 1, "end_dim": -1}}  # fmt: skip
    for layer, defaults in layers.items():
        found = inspect.signature(layer).parameters
        assert {key: found[key].default for key in defaults} == defaults


def test_multilabel_margin_counts_a_class_that_is_listed_twice_twice():
    x, single, twice = [[0.0, 1.0, 3.0]], [[0, -1, -1]], [[0, 0, -1]]
    np.testing.assert_allclose(F.multilabel_margin_loss(x, single), (2.0 + 4.0) / 3)
    np.testing.assert_allclose(F.multilabel_margin_loss(x, twice), 2 * (2.0 + 4.0) / 3)  # as PyTorch


def test_pairwise_distance_and_cosine_similarity_equal_numpy():
    for p in (1.0, 2.0, 3.0, np.inf):
        expected = np.linalg.norm(A - Y + 1e-6, ord=p, axis=-1)
        np.testing.assert_allclose(F.pairwise_distance(A, Y, p), expected, rtol=1e-12)
        np.testing.assert_allclose(F.pairwise_distance(A, Y, p, keepdim=True), expected[:, None], rtol=1e-12)
        np.testing.assert_allclose(F.pairwise_distance(A[0], Y[0], p), expected[0], rtol=1e-12)
        cube, other = A.reshape(5, 1, 3), Y.reshape(5, 1, 3)
        np.testing.assert_allclose(F.pairwise_distance(cube, other, p), expected[:, None], rtol=1e-12)
    np.testing.assert_allclose(
        F.cosine_embedding_loss(A[0], Y[0], 1), F.cosine_embedding_loss(A, Y, np.ones(5), 0.0, "none")[0]
    )
    lengths = np.linalg.norm(A, axis=0) * np.linalg.norm(Y, axis=0)
    np.testing.assert_allclose(F.cosine_similarity(A, Y, dim=0), (A * Y).sum(0) / lengths)
    assert not F.cosine_similarity(0.0 * A, Y).any()


def test_cosine_similarity_of_inputs_that_broadcast_along_the_axis_uses_the_common_shape():
    a, b = RNG.normal(size=(1, 2, 3)), RNG.normal(size=(2, 1, 3))
    wide_a, wide_b = np.broadcast_arrays(a, b)
    expected = (wide_a * wide_b).sum(-2) / np.linalg.norm(wide_a, axis=-2) / np.linalg.norm(wide_b, axis=-2)
    x = Tensor(a, requires_grad=True)
    found = F.cosine_similarity(x, b, dim=-2)
    np.testing.assert_allclose(found.data, expected, rtol=1e-12)
    found.sum().backward()
    assert x.grad.shape == a.shape


def test_inputs_without_axes_keep_their_shape():
    assert F.prelu(Tensor(-2.0), np.array([0.5])).shape == ()
    assert nn.PReLU()(Tensor(-2.0)).item() == -0.5
    for reduction in ("mean", "batchmean", "sum", "none"):
        loss = F.kl_div(Tensor(-0.5), Tensor(0.25), reduction)
        assert loss.shape == ()
        assert loss.item() == pytest.approx(0.25 * (np.log(0.25) + 0.5))
    assert F.half_mse_loss(Tensor(1.0), Tensor(4.0)).item() == 4.5


def test_poisson_loss_passes_the_gradient_of_stirlings_term_to_the_target():
    t = Tensor([0.5, 3.0], requires_grad=True)
    F.poisson_nll_loss(np.array([0.2, 0.2]), t, full=True, reduction="sum").backward()
    np.testing.assert_allclose(t.grad, [-0.2, -0.2 + np.log(3.0) + 0.5 / 3.0], rtol=1e-12)


def test_options_at_the_bounds_of_their_ranges():
    z, t = np.array([0.3, -0.2]), np.array([1.0, 0.0])
    for alpha in (0.0, 1.0):
        kept = nn.FocalLoss(alpha=alpha, reduction="none")(z, t)
        assert (kept != 0.0).tolist() == [alpha == 1.0, alpha == 0.0]
    assert nn.CosineEmbeddingLoss(margin=1.0)(A, Y, np.full(5, -1.0)) == 0.0
    assert nn.CosineEmbeddingLoss(margin=-1.0)(A, -A, np.full(5, -1.0)) == pytest.approx(0.0, abs=1e-11)
    assert nn.CrossEntropyLoss(label_smoothing=1.0)(np.zeros((1, 2)), [0]) == pytest.approx(np.log(2))
    assert nn.init.uniform_(Tensor([0.0]), 2.0, 2.0).item() == 2.0
    assert nn.init.normal_(Tensor([0.0]), 3.0, 0.0).item() == 3.0
    assert nn.RReLU(0.25, 0.25)(np.array([-4.0])) == -1.0
    assert nn.BatchNorm1d(1, momentum=0.0).momentum == 0.0
    assert nn.BatchNorm1d(1, momentum=1.0, eps=0.0).eps == 0.0
    assert not nn.init.sparse_(Tensor(np.ones((3, 2))), 1.0).data.any()
    assert nn.init.sparse_(Tensor(np.zeros((3, 2))), 0.0).data.all()


def test_bilinear_with_any_leading_axes_equals_einsum():
    rng = np.random.default_rng(2)
    layer = nn.Bilinear(3, 4, 2, rng=0)
    for lead in ((), (5,), (2, 3)):
        x, y = rng.normal(size=(*lead, 3)), rng.normal(size=(*lead, 4))
        expected = np.einsum("...i,oij,...j->...o", x, layer.weight.data, y) + layer.bias.data
        np.testing.assert_allclose(layer(x, y).data, expected, rtol=1e-12)


def test_linear_of_mixed_precision_promotes_the_dtype():
    W, b = np.float32([[1.0, 2.0, 3.0]]), np.float32([0.5])
    y = F.linear(A, W, b)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, A @ W.T + 0.5, rtol=1e-14)
    np.testing.assert_allclose(F.linear(A.astype(np.float32), W.astype(float), b.astype(float)), y, rtol=1e-6)
    np.testing.assert_allclose(F.linear(A[0], W, b), y[0], rtol=1e-14)


def test_prelu_slopes_per_channel_and_rrelu_slopes_of_a_seed():
    x = -np.ones((1, 2, 3))
    layer = nn.PReLU(2)
    layer.weight.data = np.array([0.1, 0.2])
    np.testing.assert_allclose(layer(x).data, [[[-0.1] * 3, [-0.2] * 3]])
    np.testing.assert_array_equal(nn.RReLU(rng=1)(x), nn.RReLU(rng=1)(x))
    assert not np.array_equal(nn.RReLU(rng=1)(x), nn.RReLU(rng=2)(x))
