"""Module: traversal of attributes, state dict, modes, hooks and repr."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from looping import each

import autograd as ag
import nn
from autograd import Tensor


class Tower(nn.Module):
    """Parameters, modules, a list, a dict and a buffer, in an order that is not alphabetical."""

    def __init__(self):
        super().__init__()
        self.z = nn.Parameter([1.0, 2.0])
        self.first = nn.Linear(2, 3, rng=0)
        self.rest = [nn.Linear(3, 3, rng=1), nn.Tanh()]
        self.heads = {"a": nn.Linear(3, 1, rng=2)}
        self.register_buffer("seen", np.zeros(2))
        self.register_buffer("scratch", np.zeros(5), persistent=False)

    def forward(self, x):
        x = self.first(x * self.z)
        for layer in self.rest:
            x = layer(x)
        return self.heads["a"](x)


NAMES = ["z", "first.weight", "first.bias", "rest.0.weight", "rest.0.bias", "heads.a.weight", "heads.a.bias"]


def mlp(**options):
    return nn.MLP(3, [4, 2], rng=0, **options)


# --------------------------------------------------------------------------------------------------- traversal


def test_parameters_come_in_the_order_of_assignment():
    model = Tower()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [p.name for p in model.parameters()] == NAMES
    assert [type(m).__name__ for m in model.modules()] == ["Tower", "Linear", "Linear", "Tanh", "Linear"]
    assert [name for name, _ in model.named_children()] == ["first", "rest.0", "rest.1", "heads.a"]
    assert [name for name, _ in model.named_buffers()] == ["seen", "scratch"]


def test_shared_parameters_and_modules_are_reported_once_and_saved_everywhere():
    layer = nn.Linear(2, 2, rng=0)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    tied = nn.Linear(2, 2)
    tied.weight = layer.weight
    model.append(tied)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "3.bias"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "3"]
    assert list(model.state_dict()) == [
        "0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias",
    ]  # fmt: skip


def test_buffers_of_shared_modules_are_saved_under_every_name():
    norm = nn.BatchNorm1d(2)
    model = nn.Sequential(norm, norm)
    assert [name for name, _ in model.named_buffers()] == [f"0.{name}" for name, _ in norm.named_buffers()]
    state = model.state_dict()
    assert set(state) == {f"{i}.{name}" for i in range(2) for name in norm.state_dict()}  # as in PyTorch
    model.load_state_dict({key: array + 1 for key, array in state.items()})
    assert np.array_equal(norm.running_mean, [1.0, 1.0])


def test_different_values_for_one_shared_parameter_are_refused():
    layer = nn.Linear(1, 1, rng=0)
    model = nn.Sequential(layer, layer)
    state = model.state_dict()
    state["1.bias"] = state["1.bias"] + 1.0
    with pytest.raises(nn.StateDictError, match=r"'1\.bias' has other values than '0\.bias'"):
        model.load_state_dict(state)


def test_parameters_take_the_path_as_their_name():
    assert [p.name for p in mlp().parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    named = nn.Linear(2, 2)
    named.weight.name = "mine"
    assert [p.name for p in nn.Sequential(named).parameters()] == ["mine", "0.bias"]


def test_train_eval_freeze_zero_grad_and_apply_reach_every_submodule():
    model = Tower()
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())
    model(np.ones((2, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert not any(p.requires_grad for p in model.requires_grad_(False).parameters())
    order = []
    model.apply(lambda m: order.append(type(m).__name__))
    assert order == ["Linear", "Linear", "Tanh", "Linear", "Tower"]


def test_to_converts_parameters_gradients_and_float_buffers():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.BatchNorm1d(3))
    model(np.random.default_rng(0).normal(size=(4, 2))).sum().backward()
    assert model.to(np.float32) is model
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model[1].running_mean.dtype == np.float32
    assert model[1].num_batches_tracked.dtype.kind == "i"
    assert model(np.ones((4, 2), np.float32)).dtype == np.float32
    assert {p.dtype for p in model.double().parameters()} == {np.dtype(np.float64)}
    with pytest.raises(TypeError, match="float32 or float64"):
        model.to(int)
    with pytest.raises(TypeError, match="only device is the CPU"):
        model.to("cuda:0")


def test_deepcopy_of_a_module_is_independent():
    model = mlp()
    twin = copy.deepcopy(model)
    twin[0].weight.data = twin[0].weight.data + 1.0
    assert not np.array_equal(twin[0].weight.data, model[0].weight.data)
    assert isinstance(twin[0].weight, nn.Parameter)


# ------------------------------------------------------------------------------------------------- state_dict


def test_state_dict_round_trip_has_the_keys_and_layout_of_pytorch():
    model, other = nn.MLP(2, [3, 1], norm="batch", rng=0), nn.MLP(2, [3, 1], norm="batch", rng=1)
    model(np.random.default_rng(0).normal(size=(4, 2)))
    state = model.state_dict()
    assert set(state) == {
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked",
        "3.weight", "3.bias",
    }  # fmt: skip
    assert state["0.weight"].shape == (3, 2)
    assert other.load_state_dict(state) == ([], [])
    x = np.ones((2, 2))
    np.testing.assert_array_equal(other.eval()(x).data, model.eval()(x).data)


def test_state_dict_copies_arrays_in_both_directions():
    model = mlp()
    state = model.state_dict()
    state["0.weight"][:] = 0.0
    assert model[0].weight.data.any()
    model.load_state_dict(state)
    state["0.weight"][:] = 5.0
    assert not model[0].weight.data.any()


def test_state_dict_omits_buffers_that_are_not_persistent():
    assert [*NAMES, "seen"] == list(Tower().state_dict())


def test_load_state_dict_keeps_the_dtype_of_each_parameter():
    model = mlp(dtype=np.float32)
    model.load_state_dict(mlp().state_dict())
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}


def test_load_state_dict_lists_every_bad_key_and_loads_nothing():
    model = mlp()
    before = model.state_dict()
    bad = {k: v + 1.0 for k, v in before.items()}
    del bad["2.bias"]
    bad["2.bia"] = np.zeros(2)
    bad["0.weight"] = np.zeros((7, 3))
    bad["0.bias"] = None
    bad["2.weight"] = bad["2.weight"] * np.nan
    with pytest.raises(nn.StateDictError) as caught:
        model.load_state_dict(bad)
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    for piece in (
        "nothing was loaded", "missing key '2.bias' of shape (2,)", "'2.bia'; did you mean '2.bias'?",
        "(7, 3)", "(4, 3)", "'0.bias'", "NoneType", "'2.weight'", "nan",
    ):  # fmt: skip
        assert piece in message
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_load_state_dict_not_strict_reports_skipped_keys():
    model = mlp()
    state = {"0.weight": np.ones((4, 3)), "other": np.zeros(1)}
    result = model.load_state_dict(state, strict=False)
    assert result.missing_keys == ["0.bias", "2.weight", "2.bias"]
    assert result.unexpected_keys == ["other"]
    assert (model[0].weight.data == 1.0).all()
    with pytest.raises(nn.StateDictError, match=r"\(1,\)"):
        model.load_state_dict({"0.weight": np.ones(1)}, strict=False)


def test_load_state_dict_accepts_nan_on_request_and_refuses_a_list():
    model = mlp()
    state = model.state_dict() | {"0.bias": np.full(4, np.nan)}
    model.load_state_dict(state, allow_nan=True)
    assert np.isnan(model[0].bias.data).all()
    with pytest.raises(TypeError, match="mapping"):
        model.load_state_dict([1, 2])
    with pytest.raises(nn.StateDictError, match="expected an array of shape"):
        model.load_state_dict(state | {"0.bias": ["a"] * 4})


def test_assigning_parameter_data_does_not_change_a_recorded_graph():
    layer = nn.Linear(2, 1, bias=False, rng=0)
    before = layer.weight.data
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    y = layer(x).sum()
    layer.load_state_dict({"weight": np.array([[5.0, 5.0]])})
    y.backward()
    np.testing.assert_array_equal(x.grad, before)


# ----------------------------------------------------------------------------------------------------- mistakes


def test_missing_super_init_and_missing_forward_raise():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    class ForgetfulOfAList(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(1, 1)]

    class WithoutNeed(nn.Module):
        def __init__(self):
            self.size = 3

    class Empty(nn.Module):
        pass

    with pytest.raises(AttributeError, match=r"Forgetful\.layer .*super\(\)\.__init__\(\)"):
        Forgetful()
    with pytest.raises(AttributeError, match=r"ForgetfulOfAList\.layers"):
        ForgetfulOfAList()
    assert list(WithoutNeed().parameters()) == []
    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        Empty()(1.0)


@pytest.mark.parametrize("wrong", [np.zeros((2, 1)), [1.0], Tensor([1.0]), 3.0])
def test_assigning_an_array_to_a_parameter_raises(wrong):
    layer = nn.Linear(1, 2)
    weight = layer.weight
    with pytest.raises(TypeError, match=r"Linear\.weight is a Parameter"):
        layer.weight = wrong
    assert layer.weight is weight
    layer.weight = nn.Parameter(np.ones((2, 1)))
    layer.bias = None
    assert len(list(layer.parameters())) == 1


def test_assigning_an_array_to_a_module_raises():
    model = Tower()
    with pytest.raises(TypeError, match=r"Tower\.first is a Linear"):
        model.first = np.zeros(3)


def test_containers_index_insert_delete_and_iterate():
    layers = nn.ModuleList([nn.Linear(2, 2, rng=0), nn.Tanh()])
    layers.insert(0, nn.ReLU()).append(nn.Tanh())
    assert [type(m).__name__ for m in layers] == ["ReLU", "Linear", "Tanh", "Tanh"]
    assert list(layers.state_dict()) == ["1.weight", "1.bias"]
    del layers[0]
    assert list(layers.state_dict()) == ["0.weight", "0.bias"]
    layers[-1] = nn.ReLU()
    assert len(layers[1:]) == 2
    assert isinstance(layers[1:], nn.ModuleList)
    with pytest.raises(IndexError, match="out of range"):
        layers[7]
    choice = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Tanh()})
    assert "a" in choice
    assert list(choice.keys()) == ["a", "b"]
    assert list(choice.state_dict()) == ["a.weight", "a.bias"]
    del choice["b"]
    with pytest.raises(KeyError, match="b"):
        choice["b"]
    with pytest.raises(KeyError, match="without dots"):
        choice["a.b"] = nn.Tanh()
    listed = nn.ParameterList([np.zeros(2), nn.Parameter([1.0])])
    assert [name for name, _ in listed.named_parameters()] == ["0", "1"]
    named = nn.Sequential({"hidden": nn.Linear(2, 3), "act": nn.Tanh()})
    assert named.hidden.out_features == 3
    assert isinstance(named[:1], nn.Sequential)
    assert list(named.state_dict()) == ["hidden.weight", "hidden.bias"]
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        named.absent  # noqa: B018


@pytest.mark.parametrize("wrong", [np.tanh, "relu", None, nn.Tanh, [nn.Tanh()]])
def test_sequential_of_other_objects_raises(wrong):
    with pytest.raises(TypeError, match=r"Sequential\[1\] must be a Module"):
        nn.Sequential(nn.Tanh(), wrong)


def test_residual_block_that_changes_the_shape_raises():
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    block = nn.Residual(nn.Linear(2, 2, rng=0), nn.Tanh())
    np.testing.assert_allclose(block(x).data, x.data + block.block(x).data)
    with pytest.raises(ValueError, match=r"changed \(1, 2\) to \(1, 3\)"):
        nn.Residual(nn.Linear(2, 3))(x)
    with pytest.raises(TypeError, match="must be a Module"):
        nn.Residual(nn.Tanh(), np.tanh)


def test_no_grad_records_no_graph():
    with ag.no_grad():
        assert not mlp()(np.ones((2, 3))).requires_grad


def test_import_with_another_autograd_package_raises_with_its_path(tmp_path):
    """HIPS autograd has the same import name; the error explains the remedy."""
    (tmp_path / "autograd").mkdir()
    (tmp_path / "autograd/__init__.py").write_text("from math import tanh as grad\n")
    (tmp_path / "nn").symlink_to(Path(nn.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", "import nn"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: nn needs the autograd package of chainrule")
    assert "pip uninstall autograd" in last
    assert str(tmp_path) in last


@each(CASES.values())
def test_state_dict_of_every_layer_survives_loading_and_pickle(case):
    model, twin = case.module(), getattr(nn, case.name)(**case.options)
    arrays = case.arrays()
    model(*arrays)
    twin.load_state_dict(model.state_dict())
    for copied in (twin, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(copied) == repr(model)
        for key, array in model.state_dict().items():
            np.testing.assert_array_equal(copied.state_dict()[key], array)
        if not case.random:
            np.testing.assert_array_equal(numbers(copied.eval()(*arrays)), numbers(model.eval()(*arrays)))


def numbers(x):
    return x.data if isinstance(x, Tensor) else x
