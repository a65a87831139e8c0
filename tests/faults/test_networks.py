"""Hostile use of layers and losses: one test per fault."""

import numpy as np
import pytest

import nn
from autograd import Tensor, detect_anomaly
from nn import functional as F  # noqa: N812  (F is the name every reader of PyTorch code knows)

X, Z, T = np.ones((4, 3)), np.zeros((4, 3)), np.array([0, 1, 2, 1])


def raises(kind, *pieces):
    """Expect an error whose message holds every piece, in any order."""
    return pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{piece})" for piece in pieces))


# ------------------------------------------------------------------------------------------------- layers


def test_35_rows_of_another_width():
    model = nn.MLP(3, [4, 2], rng=0)
    with raises(ValueError, "Linear", r"input of shape \(..., 3\), got \(.*5"):
        model(np.ones((2, 5)))


@pytest.mark.parametrize(
    ("make", "kind", "value"),
    [
        (lambda: nn.Linear(-1, 2), ValueError, "-1"),
        (lambda: nn.Linear(2.0, 2), TypeError, "2.0"),
        (lambda: nn.Dropout(1.5), ValueError, "1.5"),
    ],
    ids=["negative", "not whole", "a share above 1"],
)
def test_36_sizes_that_are_none(make, kind, value):
    with raises(kind, value):
        make()


def test_37_modules_written_by_halves():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    class Empty(nn.Module):
        pass

    layer = nn.Linear(1, 2, rng=0)
    with raises(AttributeError, "Forgetful", "layer", r"super\(\)\.__init__\(\)"):
        Forgetful()
    with raises(NotImplementedError, "Empty", "forward"):
        Empty()(X)
    with raises(TypeError, "ufunc|function"):
        nn.Sequential(np.tanh)
    with raises(TypeError, r"Linear\.weight", "Parameter"):
        layer.weight = np.ones((2, 1))
    assert isinstance(layer.weight, nn.Parameter)


def test_38_a_state_that_does_not_fit_loads_nothing():
    model = nn.MLP(3, [4, 2], rng=0)
    before = model.state_dict()
    bad = {
        "0.weight": np.ones((7, 3)),
        "0.bias": None,
        "2.weight": np.full((2, 4), np.nan),
        "2.bia": np.ones(2),
    }
    with raises(RuntimeError, r"\(7, 3\)", r"\(4, 3\)", "0.bias", "nan", "2.bia", "2.bias", "nothing was loaded"):
        model.load_state_dict(bad)
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_39_normalisation_of_one_row_and_of_another_shape():
    layer = nn.BatchNorm1d(3)
    with raises(ValueError, "has 1"):
        layer(np.ones((1, 3)))
    assert layer.num_batches_tracked == 0
    assert not layer.running_mean.any()
    with raises(ValueError, r"\(..., 4\)", r"\(4, 3\)"):
        nn.LayerNorm(4)(X)


def test_40_rows_that_a_table_has_not():
    table = nn.Embedding(5, 2, rng=0)
    for index in (5, -1):
        with raises(IndexError, f"index {index}", r"\[0, 5\)"):
            table([index])
    with raises(TypeError, "float64"):
        table([1.0])


# ------------------------------------------------------------------------------------------------- losses


@pytest.mark.parametrize("wrong", [3, -1])
def test_41_classes_that_are_none(wrong):
    with raises(IndexError, f"class index {wrong}", "row 2", r"\[0, 3\)"):
        nn.CrossEntropyLoss()(Z, [0, 1, wrong, 1])


def test_42_rows_and_targets_that_differ():
    with raises(ValueError, r"class indices of shape \(4,\)", r"\(3,\)"):
        nn.CrossEntropyLoss()(Z, T[:3])
    for loss in (nn.MSELoss(), nn.L1Loss()):  # a column against a row would compare every pair
        with raises(ValueError, r"\(4, 1\)", r"\(4,\)", "reshape"):
            loss(np.ones((4, 1)), np.ones(4))


@pytest.mark.parametrize("wrong", [-0.5, 1.25, np.nan])
def test_43_probabilities_and_targets_outside_0_to_1(wrong):
    good = np.array([0.5, 0.5])
    with raises(ValueError, "probabilities", str(wrong), "logits"):
        nn.BCELoss()(np.array([0.5, wrong]), good)
    with raises(ValueError, "targets", str(wrong)):
        nn.BCELoss()(good, np.array([wrong, 1.0]))


def test_44_labels_of_another_kind():
    with raises(TypeError, "float64", r"astype\(int\)"):
        nn.CrossEntropyLoss()(Z, T.astype(float))
    with raises(TypeError, "int64", r"astype\(float\)"):
        nn.CrossEntropyLoss()(Z, np.eye(3, dtype=np.int64)[T])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: nn.MSELoss("men"), ("'men'", "'mean', 'sum', 'none'")),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), ("label_smoothing", "1.5")),
        (lambda: nn.HuberLoss(delta=0.0), ("delta", "0.0")),
        (lambda: nn.SmoothL1Loss(beta=-1.0), ("beta", "-1.0")),
        (lambda: nn.GaussianNLLLoss()(X, X, -X), ("variance", "-1.0")),
    ],
    ids=["reduction", "smoothing", "delta", "beta", "variance"],
)
def test_45_options_out_of_range(make, says):
    with raises(ValueError, *says):
        make()


def test_46_weights_of_another_length_or_all_0():
    with raises(ValueError, r"\(2,\)", "3 classes"):
        nn.CrossEntropyLoss(weight=np.ones(2))(Z, T)
    with pytest.warns(UserWarning, match="weights of all targets are zero"):
        assert np.isnan(nn.CrossEntropyLoss(weight=np.zeros(3))(Z, T))


def test_47_logits_of_any_size():
    for loss, target in ((F.cross_entropy, [0, 0]), (F.binary_cross_entropy_with_logits, np.zeros((2, 2)))):
        z = Tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
        value = loss(z, target)
        value.backward()
        assert np.isfinite(value.data)
        assert np.isfinite(z.grad).all()


def test_47_infinite_logits():
    z = Tensor([[-np.inf, 1.0]], requires_grad=True)
    value = F.cross_entropy(z, [1])
    value.backward()
    assert value.item() == 0.0
    assert np.isfinite(z.grad).all()
    for logits in ([[np.inf, np.inf]], [[-np.inf, -np.inf]]):
        with pytest.warns(RuntimeWarning, match="invalid value"):
            assert np.isnan(F.cross_entropy(Tensor(logits), [1]).data)
        with raises(FloatingPointError, "nan", "inf"), detect_anomaly():
            F.cross_entropy(Tensor(logits, requires_grad=True), [1])


def test_48_nothing_to_average():
    z = Tensor(Z, requires_grad=True)
    with pytest.warns(UserWarning, match="ignore_index"):
        value = nn.CrossEntropyLoss()(z, np.full(4, -100))
    value.backward()
    assert np.isnan(value.data)
    assert not z.grad.any()
    with pytest.warns(UserWarning, match="empty"):
        assert np.isnan(nn.CrossEntropyLoss()(Z[:0], T[:0]))
