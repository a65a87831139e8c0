"""Wrong arguments, shapes and data: each gets an error that names what was given and what was wanted."""

import numpy as np
import pytest
from raising import raises

import nn
from autograd import GradientWarning, Tensor
from nn import functional as F  # noqa: N812  (the customary name in PyTorch code)

X = np.ones((4, 3))
Z = np.zeros((4, 3))
T = np.array([0, 1, 2, 1])


# ----------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("x", [np.ones((4, 5)), Tensor(np.ones((4, 5))), np.ones(5), [[1.0] * 5]])
def test_wrong_input_width(x):
    with raises(
        ValueError,
        r"linear: weight \(2, 3\)",
        r"input of shape \(..., 3\), got \(.*5",
    ):
        nn.Linear(3, 2)(x)


@pytest.mark.parametrize("wrong", [[["a", "b", "c"]], [[None, 1.0, 2.0]], np.zeros((1, 3), complex), "abc", {"a": 1}])
def test_inputs_that_are_no_numbers(wrong):
    for layer in (nn.Linear(3, 2), nn.BatchNorm1d(3), nn.LayerNorm(3), nn.Dropout(0.5), nn.MSELoss(), nn.BCELoss(),
                  nn.CrossEntropyLoss(), nn.Softmax(), nn.PReLU()):  # fmt: skip
        with raises(TypeError, "expected floats|takes floats"):
            layer(*[wrong, wrong][: 1 + isinstance(layer, nn.loss.Loss)])
    with raises(TypeError, "expected floats"):
        nn.MSELoss()(np.zeros(2), None)


def test_no_axis_at_all():
    with raises(ValueError, r"got \(\)"):
        nn.Linear(3, 2)(np.array(1.0))
    with raises(ValueError, r"\(4, 5\)", r"\(2, 3\)"):
        F.linear(np.ones((4, 5)), np.ones((2, 3)))
    with raises(ValueError, r"\(3,\)", r"\(2, 3\)"):
        F.linear(X, np.ones((2, 3)), np.ones(3))


@pytest.mark.parametrize(
    ("make", "kind", "value"),
    [
        (lambda: nn.Linear(-1, 2), ValueError, "-1"),
        (lambda: nn.Linear(2.0, 2), TypeError, "2.0"),
        (lambda: nn.Linear(2, "3"), TypeError, "'3'"),
        (lambda: nn.Linear(True, 2), TypeError, "True"),
        (lambda: nn.Bilinear(1, 0, 1), ValueError, "0"),
        (lambda: nn.Embedding(0, 2), ValueError, "0"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "3"),
        (lambda: nn.BatchNorm1d(-2), ValueError, "-2"),
        (lambda: nn.BatchNorm1d(2, eps=-1.0), ValueError, "-1.0"),
        (lambda: nn.BatchNorm1d(2, momentum=1.5), ValueError, "1.5"),
        (lambda: nn.LayerNorm(2.5), TypeError, "2.5"),
        (lambda: nn.RMSNorm((2, 0)), ValueError, "0"),
        (lambda: nn.GroupNorm(0, 4), ValueError, "0"),
        (lambda: nn.GroupNorm(3, 4), ValueError, "4 channels into 3 equal groups"),
        (lambda: nn.PReLU(0), ValueError, "0"),
        (lambda: nn.Dropout(1.5), ValueError, "1.5"),
        (lambda: nn.Dropout(-0.1), ValueError, "-0.1"),
        (lambda: nn.Dropout(float("nan")), ValueError, "nan"),
        (lambda: nn.AlphaDropout("half"), TypeError, "half"),
        (lambda: nn.MLP(3, []), ValueError, "empty"),
        (lambda: nn.MLP(3, 4), TypeError, "int"),
        (lambda: nn.MLP(3, [4, -1]), ValueError, "-1"),
        (lambda: nn.MLP(3, [4, 2.0]), TypeError, "2.0"),
        (lambda: nn.MLP([2, 8, 1]), TypeError, "sizes"),
        (lambda: nn.MLP(3, [4, 1], "rellu"), ValueError, "rellu.*did you mean 'relu'"),
        (lambda: nn.MLP(3, [4, 1], nn.ReLU()), TypeError, "ReLU"),
        (lambda: nn.MLP(3, [4, 1], norm="group"), ValueError, "group"),
        (lambda: nn.MLP(3, [4, 1], init="best"), ValueError, "best"),
        (lambda: nn.MLP(3, [4, 1], dropout=[0.1, 0.1]), ValueError, "2 entries for 1 layers"),
        (lambda: nn.MLP(3, [4, 1], residual=[True]), ValueError, "width from 3 to 4"),
        (lambda: nn.HuberLoss("mean", 1.0, 2.0), TypeError, "HuberLoss.*too many"),
        (lambda: nn.HuberLoss(slope=1.0), TypeError, r"HuberLoss.reduction='mean', delta=1.0.*slope"),
        (lambda: nn.Threshold(1.0), TypeError, "Threshold.*value"),
        (lambda: nn.manual_seed(-1), ValueError, "-1"),
        (lambda: nn.manual_seed("a"), TypeError, "'a'"),
        (lambda: nn.Linear(2, 2, rng="a"), TypeError, "Generator, a seed or None"),
        (lambda: nn.Linear(2, 2, rng=True), TypeError, "True"),
        (lambda: nn.Linear(2, 2, rng=-3), ValueError, "-3"),
    ],
)
def test_sizes_and_options(make, kind, value):
    with raises(kind, value):
        make()


def test_batch_norm_of_one_row_and_of_other_channels():
    layer = nn.BatchNorm1d(3)
    with raises(ValueError, r"\(1, 3\)", "has 1", "drop_last"):
        layer(np.ones((1, 3)))
    with raises(ValueError, r"\(N, 3\)", r"\(4, 2\)"):
        layer(np.ones((4, 2)))
    with raises(ValueError, r"\(3,\)"):
        layer(np.ones(3))
    with raises(ValueError, r"\(N, C\)", r"\(3,\)"):
        F.batch_norm(np.ones(3), None, None, training=True)
    assert not layer.num_batches_tracked
    assert layer(np.ones((1, 3, 2))).shape == (1, 3, 2)


def test_batch_norm_in_evaluation_before_any_training():
    layer = nn.BatchNorm1d(3).eval()
    with raises(RuntimeError, "before the first batch in training", "state_dict", "track_running_stats=False"):
        layer(X)
    layer.train()(np.random.default_rng(0).normal(size=(4, 3)))
    assert layer.eval()(X).shape == (4, 3)


def test_layer_norm_shapes():
    with raises(ValueError, r"\(..., 4\)", r"\(4, 3\)"):
        nn.LayerNorm(4)(X)
    with raises(ValueError, r"rms_norm", r"\(..., 5, 3\)", r"\(4, 3\)"):
        nn.RMSNorm((5, 3))(X)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 6), (2, 1)])
def test_group_norm_shapes(shape):
    with raises(ValueError, r"group_norm", r"\(N, C, \.\.\.\), C a multiple of 2", str(shape).replace("(", r"\(")[:-1]):
        nn.GroupNorm(2, 4)(np.ones(shape))


def test_embedding_index():
    table = nn.Embedding(5, 2)
    with raises(IndexError, "index 5", r"\[0, 5\)"):
        table([[0, 5]])
    with raises(IndexError, "index -1"):
        table([-1])
    with raises(TypeError, "float64", "astype"):
        table([1.0])
    assert table(np.zeros(0, int)).shape == (0, 2)


def test_shapes_of_other_layers():
    with raises(ValueError, r"\(4, 3\)", r"\(4, 2\)", r"\(1, 3, 3\)"):
        nn.Bilinear(3, 3, 1)(X, np.ones((4, 2)))
    with raises(ValueError, r"\(4, 3\)", r"\(2, 3\)"):
        nn.Bilinear(3, 3, 1)(X, np.ones((2, 3)))
    with raises(ValueError, "axis 1 of length 3 into 2 equal parts"):
        nn.GLU()(X)
    with raises(IndexError, "axis 2"):
        nn.GLU(2)(X)
    with raises(IndexError, "axis 1 is out of bounds for array of dimension 1"):
        nn.Flatten()(np.ones(3))
    with raises(ValueError, "expected 1 or 3 slopes", "got 2"):
        nn.PReLU(2)(X)
    with raises(ValueError, "lower=0.5", "upper=0.1"):
        nn.RReLU(0.5, 0.1)(X)
    with raises(ValueError, "approximate", "'erf'"):
        nn.GELU("erf")(X)


# ----------------------------------------------------------------------------------------------- losses


OF_CLASSES = [nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1), nn.MultiMarginLoss()]


@pytest.mark.parametrize("loss", OF_CLASSES)
@pytest.mark.parametrize("wrong", [3, -1, -99, 2**40])
def test_class_index_out_of_range(loss, wrong):
    with raises(IndexError, f"class index {wrong}", "row 2", r"\[0, 3\)"):
        loss(Z, [0, 1, wrong, 1])


def test_targets_of_another_coding_are_given_their_conversion():
    with raises(TypeError, "got <U1", r"np\.unique\(labels, return_inverse=True\)\[1\]"):
        nn.CrossEntropyLoss()(Z, np.array(["a", "b", "a", "b"]))
    with raises(IndexError, "subtract 1 if labels start at 1"):
        nn.CrossEntropyLoss()(Z, [1, 2, 3, 1])
    for loss in (nn.BCELoss(), nn.BCEWithLogitsLoss()):
        with raises(ValueError, "targets must be in", r"use \(y \+ 1\) / 2"):
            loss(np.full(2, 0.5), np.array([-1.0, 1.0]))


def test_data_of_another_shape_are_named_with_the_shape_of_the_weight():
    layer = nn.Linear(2, 3)
    with pytest.warns(GradientWarning, match="replaced those of shape"):
        layer.weight.data = np.zeros((3, 5))
    with raises(ValueError, r"weight \(3, 5\)", r"input of shape \(..., 5\), got \(4, 2\)"):
        layer(np.ones((4, 2)))


def test_class_index_out_of_range_in_nll():
    with raises(IndexError, "class index 7", "row 0"):
        nn.NLLLoss()(Z, [7, 0, 0, 0])
    assert nn.NLLLoss(ignore_index=7)(Z - 1.0, [7, 0, 0, 0]) == 1.0


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignore_index_may_be_one_of_the_classes(reduction):
    z, t = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [1.0, 3.0, -2.0]]), np.array([0, 1, 2])
    x = Tensor(z, requires_grad=True)
    loss = F.cross_entropy(x, t, ignore_index=1, reduction=reduction)
    expected = F.cross_entropy(z[[0, 2]], t[[0, 2]], reduction=reduction)
    np.testing.assert_allclose(loss.data, expected if reduction != "none" else np.insert(expected, 1, 0.0), rtol=1e-14)
    (loss if reduction != "none" else loss.sum()).backward()
    assert not x.grad[1].any()
    assert x.grad[0].any()


def test_batch_sizes_differ():
    with raises(ValueError, r"class indices of shape \(4,\)", r"\(3,\)"):
        nn.CrossEntropyLoss()(Z, T[:3])
    with raises(ValueError, r"\(4, 2\)", r"\(4, 3\)"):
        nn.CrossEntropyLoss()(Z, np.ones((4, 2)) / 2)
    with raises(ValueError, r"\(3,\)", r"\(\)"):
        nn.CrossEntropyLoss()(np.zeros(3), [1])
    with raises(ValueError, "single number"):
        nn.CrossEntropyLoss()(np.array(1.0), 0)
    with raises(ValueError, r"class indices of shape \(4,\)", r"\(3,\)"):
        nn.NLLLoss()(Z, T[:3])
    with raises(ValueError, r"\(3,\)", r"got \(1,\)"):
        nn.NLLLoss()(np.zeros(3), [0])
    with raises(ValueError, r"\(N, C\)", r"\(1, 1, 3\)"):
        nn.MultiMarginLoss()(np.zeros((1, 1, 3)), [0])
    with raises(ValueError, r"class indices of shape \(1, 3\)", r"int64 \(3,\)"):
        nn.MultiLabelMarginLoss()(np.zeros((1, 3)), np.array([0, -1, -1]))
    with raises(IndexError, r"in \[0, 3\)"):
        nn.MultiLabelMarginLoss()(np.zeros((1, 3)), np.array([[3, -1, -1]]))
    with raises(ValueError, r"\(2,\)", r"\(4, 3\)"):
        nn.CosineEmbeddingLoss()(X, X, [1, 1])
    with raises(ValueError, "var of shape", r"\(5,\)"):
        nn.GaussianNLLLoss()(X, X, np.ones(5))


ELEMENTWISE = [
    "MSELoss", "HalfMSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "LogCoshLoss", "PoissonNLLLoss", "BCELoss",
    "BCEWithLogitsLoss", "FocalLoss", "HingeLoss", "SquaredHingeLoss", "SoftMarginLoss", "HingeEmbeddingLoss",
    "KLDivLoss",
]  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_shapes_that_would_broadcast_by_accident(name):
    for given, wanted in [((4, 1), (4,)), ((4,), (4, 1)), ((4, 3), (3,)), ((1,), ()), ((4,), (3,))]:
        sizes = [str(s).replace("(", r"\(").replace(")", r"\)") for s in (given, wanted)]
        with raises(ValueError, *sizes, "reshape"):
            getattr(nn, name)()(np.full(given, 0.5), np.full(wanted, 0.5))


@pytest.mark.parametrize("name", sorted(set(ELEMENTWISE) - {"BCELoss", "BCEWithLogitsLoss", "FocalLoss"}))
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_nan_in_the_target(name, reduction):
    target = np.full((2, 3), 0.5)
    target[1, 2] = np.nan
    with raises(ValueError, "contains nan", r"1 of 6", r"\(1, 2\)"):
        getattr(nn, name)(reduction=reduction)(Tensor(np.ones((2, 3)), requires_grad=True), target)


def test_nan_in_a_prediction_flows():
    x = np.ones((2, 3)) * np.nan
    assert np.isnan(nn.MSELoss()(x, np.ones((2, 3))))
    assert np.isnan(nn.CrossEntropyLoss()(x, [0, 1]))


@pytest.mark.parametrize("name", ["BCELoss", "BCEWithLogitsLoss", "FocalLoss"])
@pytest.mark.parametrize("wrong", [-0.5, 1.25, np.nan])
def test_targets_outside_0_1(name, wrong):
    with raises(ValueError, "targets", r"\[0, 1\]", "1 of 3", str(wrong)):
        getattr(nn, name)()(np.full(3, 0.5), np.array([0.0, wrong, 1.0]))


@pytest.mark.parametrize("wrong", [-0.5, 7.0, np.nan])
def test_probabilities_outside_0_1(wrong):
    with raises(ValueError, "probabilities", str(wrong), "logits"):
        nn.BCELoss()(np.array([0.5, wrong]), np.array([0.0, 1.0]))
    with raises(ValueError, "target probabilities", str(wrong)):
        nn.CrossEntropyLoss()(np.zeros((1, 2)), np.array([[wrong, 0.5]]))


def test_the_worst_probability_is_the_one_farthest_out():
    with raises(ValueError, "3 of 5", "farthest is 1.4"):
        nn.BCELoss()(np.array([-0.1, 0.0, 1.0, 1.4, -0.3]), np.ones(5))


def test_ignore_index_with_probabilities_is_refused():
    with raises(ValueError, "ignore_index=1", "class indices", "probabilities"):
        nn.CrossEntropyLoss(ignore_index=1)(np.zeros((1, 2)), np.array([[0.5, 0.5]]))


def test_labels_of_the_wrong_kind():
    with raises(TypeError, "float64", "astype"):
        nn.CrossEntropyLoss()(Z, T.astype(float))
    with raises(TypeError, "int64", "one-hot", "astype"):
        nn.CrossEntropyLoss()(Z, np.eye(3, dtype=np.int64)[T])
    with raises(TypeError, "bool"):
        nn.CrossEntropyLoss()(Z, np.eye(3, dtype=bool)[T])
    for loss in (nn.NLLLoss(), nn.MultiMarginLoss()):
        with raises(TypeError, "float64"):
            loss(Z, T.astype(float))


@pytest.mark.parametrize(
    ("make", "pieces"),
    [
        (lambda: nn.MSELoss("men"), ["'men'", "'mean', 'sum', 'none'", "did you mean 'mean'"]),
        (lambda: nn.MSELoss("batchmean"), ["batchmean"]),
        (lambda: F.mse_loss(X, X, "average"), ["average"]),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), ["label_smoothing", "1.5"]),
        (lambda: F.cross_entropy(Z, T, label_smoothing=-0.1), ["label_smoothing", "-0.1"]),
        (lambda: nn.HuberLoss(delta=0.0), ["delta", "0.0"]),
        (lambda: F.huber_loss(X, X, delta=-1.0), ["delta", "-1.0"]),
        (lambda: nn.SmoothL1Loss(beta=-1.0), ["beta", "-1.0"]),
        (lambda: nn.FocalLoss(gamma=-1.0), ["gamma", "-1.0"]),
        (lambda: F.sigmoid_focal_loss(X, X, alpha=2.0), ["alpha", "2.0"]),
        (lambda: nn.GaussianNLLLoss()(X, X, -X), ["variance", "-1.0"]),
        (lambda: nn.GaussianNLLLoss(eps=0.0)(X, X, X), ["eps", "0.0"]),
        (lambda: nn.CosineEmbeddingLoss(margin=2.0)(X, X, np.ones(4)), ["margin", "2.0"]),
        (lambda: nn.TripletMarginLoss(margin=-1.0)(X, X, X), ["margin", "-1.0"]),
        (lambda: nn.TripletMarginLoss(p=0.5)(X, X, X), ["p must be", "0.5"]),
        (lambda: nn.MultiMarginLoss(p=3)(Z, T), ["p must be 1 or 2", "3"]),
        (lambda: nn.CrossEntropyLoss(weight=np.ones(2))(Z, T), [r"\(2,\)", "3 classes"]),
        (lambda: nn.NLLLoss(weight=np.ones(4))(Z, T), [r"\(4,\)", "3 classes"]),
        (lambda: nn.MultiMarginLoss(weight=np.ones(4))(Z, T), [r"\(4,\)", "3 classes"]),
        (lambda: nn.BCELoss(weight=np.ones((2, 4, 3)))(X, X), ["weight", r"\(2, 4, 3\)", r"\(4, 3\)"]),
        (lambda: nn.BCEWithLogitsLoss(weight=np.ones(4))(X, X), ["weight", r"\(4,\)", r"\(4, 3\)"]),
        (lambda: nn.BCEWithLogitsLoss(pos_weight=np.ones(4))(X, X), ["pos_weight", r"\(4,\)"]),
    ],
)
def test_options_of_losses(make, pieces):
    with raises(ValueError, *pieces):
        make()


def test_all_weights_zero_warns_and_is_nan():
    for loss in (nn.CrossEntropyLoss(weight=np.zeros(3)), nn.NLLLoss(weight=np.zeros(3))):
        with pytest.warns(UserWarning, match="weights of all targets are zero"):
            assert np.isnan(loss(Z, T))


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.NLLLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)])
def test_every_target_ignored_warns_is_nan_and_has_gradient_zero(loss):
    x = Tensor(Z, requires_grad=True)
    with pytest.warns(UserWarning, match="ignore_index"):
        value = loss(x, np.full(4, -100))
    assert np.isnan(value.data)
    value.backward()
    np.testing.assert_array_equal(x.grad, Z)


@pytest.mark.parametrize("name", [*ELEMENTWISE, "CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"])
def test_empty_batch_warns_and_is_nan(name):
    of_classes = name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
    x = Tensor(np.zeros((0, 3)), requires_grad=True)
    target = np.zeros(0, int) if of_classes else np.zeros((0, 3))
    with pytest.warns(UserWarning, match="empty"):
        value = getattr(nn, name)()(x, target)
    assert np.isnan(value.data)
    value.backward()
    assert x.grad.shape == (0, 3)
    assert getattr(nn, name)(reduction="sum")(x, target).item() == 0.0
    assert 0 in getattr(nn, name)(reduction="none")(x, target).shape


def test_empty_batch_through_layers():
    model = nn.MLP(3, [4, 2], norm="layer", dropout=0.5)
    y = model(Tensor(np.zeros((0, 3)), requires_grad=True))
    assert y.shape == (0, 2)
    y.sum().backward()
    assert not model[0].weight.grad.any()
