"""Averaged models: comparison with recorded results of PyTorch, state and errors."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from looping import each

import nn
from autograd import Value
from nn import Module, Parameter
from optim.averaging import AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn

RECORDED = json.loads((Path(__file__).parent / "averaging_torch.json").read_text(encoding="utf-8"))["averaging"]

KINDS = {
    "swa": {},
    "swa_buffers": {"use_buffers": True},
    "ema": {"avg_fn": get_ema_avg_fn(0.9)},
    "ema_buffers": {"avg_fn": get_ema_avg_fn(0.5), "use_buffers": True},
    "own": {"avg_fn": lambda averaged, new, n: 0.25 * averaged + 0.5 * new + 0.125},
}


class Affine(Module):
    def __init__(self):
        super().__init__()
        self.weight = Parameter(np.zeros((2, 3)))
        self.bias = Parameter(np.zeros(2))

    def forward(self, x):
        return x @ self.weight.data.T + self.bias.data


class Norm(Module):
    """Batch normalization in NumPy, with the buffers of PyTorch."""

    momentum = 0.1

    def __init__(self):
        super().__init__()
        self.weight = Parameter(np.ones(2))
        self.bias = Parameter(np.zeros(2))
        self.register_buffer("running_mean", np.zeros(2))
        self.register_buffer("running_var", np.ones(2))
        self.register_buffer("num_batches_tracked", np.array(0))

    def forward(self, x):
        if not self.training:
            scaled = (x - self.running_mean) / np.sqrt(self.running_var + 1e-5)
            return scaled * self.weight.data + self.bias.data
        self.num_batches_tracked = self.num_batches_tracked + 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean = (1 - share) * self.running_mean + share * x.mean(axis=0)
        self.running_var = (1 - share) * self.running_var + share * x.var(axis=0, ddof=1)
        return x


class Net(Module):
    def __init__(self):
        super().__init__()
        setattr(self, "0", Affine())
        setattr(self, "1", Norm())

    def forward(self, x):
        return getattr(self, "1")(getattr(self, "0")(x))


class Scalars:
    """A model of `Value`s whose only method is parameters(), as in micrograd."""

    def __init__(self, *numbers):
        self.values = [Value(number) for number in numbers]

    def parameters(self):
        return self.values

    def __call__(self, x):
        return self.values[0] * x + self.values[1]


def equal(state, wanted):
    assert list(state) == list(wanted)
    for key, array in state.items():
        np.testing.assert_allclose(array, wanted[key], rtol=1e-12, atol=1e-14, err_msg=key)


@each(KINDS)
def test_averages_equal_pytorch(name):
    model = Net()
    averaged = AveragedModel(model, **KINDS[name])
    for step in RECORDED["steps"]:
        model.load_state_dict(step["model"])
        averaged.update_parameters(model)
        # PyTorch averages the count and truncates it; here it is copied.
        count = {"module.1.num_batches_tracked": step["model"]["1.num_batches_tracked"]}
        equal(averaged.state_dict(), {**step["averages"][name], **count})
        equal(model.state_dict(), step["model"])


def layers():
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@each([Net, layers])
def test_update_bn_equals_pytorch(make):
    averaged = AveragedModel(make())
    for step in RECORDED["steps"]:
        model = make()
        model.load_state_dict(step["model"])
        averaged.update_parameters(model)
    recorded = RECORDED["update_bn"]
    averaged.eval()
    update_bn([(np.array(batch), None) for batch in recorded["batches"]], averaged)
    equal(averaged.state_dict(), recorded["state"])
    output = averaged(np.array(recorded["probe"]))
    np.testing.assert_allclose(output.data if make is layers else output, recorded["output"], rtol=1e-12)
    assert not any(module.training for module in averaged.modules())
    assert [module.momentum for module in averaged.modules() if hasattr(module, "momentum")] == [0.1]


def test_update_bn_restores_modes_and_momentum_when_a_batch_fails():
    model = Net()
    getattr(model, "0").eval()  # frozen by hand while the rest trains

    def batches():
        yield np.ones((4, 3))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        update_bn(batches(), model)
    assert [module.training for module in model.modules()] == [True, False, True]
    assert getattr(model, "1").momentum == 0.1


def test_update_bn_leaves_frozen_layers_as_they_are():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    x = np.array([[1.0, 2.0], [3.0, 6.0]])
    model(x)
    model[0].eval()
    before = model[0].running_mean.copy()
    update_bn([x + 5.0], model)
    assert np.array_equal(model[0].running_mean, before)
    assert np.allclose(model[1].running_mean, model[0](x + 5.0).data.mean(axis=0))
    assert [module.training for module in model.modules()] == [True, False, True]


def test_update_bn_without_a_batch_keeps_the_statistics():
    model = nn.BatchNorm1d(1)
    model(np.array([[1.0], [3.0]]))
    before = model.running_mean.copy()
    with pytest.raises(ValueError, match="exhausted iterator"):
        update_bn(iter(()), model)
    assert np.array_equal(model.running_mean, before)


def test_update_bn_without_batch_norm_reads_no_data():
    model = Affine()
    model.momentum = 0.5  # of something else
    update_bn(iter(lambda: pytest.fail("read"), None), model)
    assert model.momentum == 0.5


@each(KINDS)
def test_averaging_resumes_from_a_state_dict(name):
    model = Net()
    averaged, resumed = (AveragedModel(model, **KINDS[name]) for _ in "ab")
    for i, step in enumerate(RECORDED["steps"]):
        model.load_state_dict(step["model"])
        averaged.update_parameters(model)
        if i == 2:
            resumed.load_state_dict(averaged.state_dict())
        elif i > 2:
            resumed.update_parameters(model)
    assert resumed.n_averaged == averaged.n_averaged == 6
    for key, array in averaged.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[key], array)


def test_values_are_averaged_as_floats():
    model = Scalars(1.0, 10.0)
    averaged = AveragedModel(model, get_ema_avg_fn(0.75))
    for numbers in ((2.0, 8.0), (4.0, 0.0)):
        for value, number in zip(model.values, numbers, strict=True):
            value.data = number
        averaged.update_parameters(model)
    assert [value.data for value in averaged.parameters()] == [2.5, 6.0]
    assert all(type(value.data) is float for value in averaged.parameters())
    assert averaged(2.0).data == 11.0


@each([np.float32, np.float64])
def test_dtype_is_kept_and_nothing_is_shared(dtype):
    model = Affine().to(dtype)
    averaged = AveragedModel(model)
    held = []
    for k in range(3):
        model.weight.data = np.asfortranarray(np.full((2, 3), k, dtype))
        averaged.update_parameters(model)
        held.append((averaged.module.weight.data, k / 2))
        assert averaged.module.weight.data.dtype == dtype
        assert not np.shares_memory(averaged.module.weight.data, model.weight.data)
    for array, value in held:  # earlier averages are not written over
        np.testing.assert_array_equal(array, np.full((2, 3), value))


def test_copied_buffers_are_not_shared():
    model = Net()
    averaged = AveragedModel(model)
    model.load_state_dict(RECORDED["steps"][0]["model"])
    averaged.update_parameters(model)
    mine, theirs = dict(averaged.named_buffers()), dict(model.named_buffers())
    for path, array in mine.items():
        np.testing.assert_array_equal(array, theirs[path])
        assert not np.shares_memory(array, theirs[path])


def test_another_model_raises_and_changes_nothing():
    averaged = AveragedModel(Affine())
    averaged.update_parameters(Affine())
    with pytest.raises(ValueError, match=r"shapes \[\(2, 3\), \(2,\)\], this model has \[\(\), \(\)\]"):
        averaged.update_parameters(Scalars(1.0, 2.0))
    with pytest.raises(ValueError, match="not a state_dict of AveragedModel"):
        averaged.load_state_dict({"weight": np.zeros((2, 3))})
    state = averaged.state_dict()
    with pytest.raises(ValueError, match=r"n_averaged must be in \[0, inf\), got -1"):
        averaged.load_state_dict({**state, "n_averaged": -1})
    with pytest.raises(ValueError, match="missing key 'bias'"):
        averaged.load_state_dict({key: state[key] for key in state if key != "module.bias"})
    assert averaged.n_averaged == 1


def test_an_average_of_another_shape_changes_nothing():
    model = Affine()
    averaged = AveragedModel(model, avg_fn=lambda averaged, new, n: averaged.sum())
    averaged.update_parameters(model)
    held = [parameter.data for parameter in averaged.parameters()]
    with pytest.raises(ValueError, match=r"avg_fn returned shape \(\) for a parameter of shape \(2, 3\)"):
        averaged.update_parameters(model)
    assert all(parameter.data is old for parameter, old in zip(averaged.parameters(), held, strict=True))
    assert averaged.n_averaged == 1


@each(
    [
        (lambda: AveragedModel([1.0]), TypeError, r"a module with parameters\(\), got list"),
        (lambda: AveragedModel(Affine(), 0.999), TypeError, r"such as get_ema_avg_fn\(\), got 0.999"),
        (lambda: get_ema_avg_fn(1.5), ValueError, r"decay must be in \[0, 1\], got 1.5"),
        (lambda: get_ema_avg_fn(float("nan")), ValueError, r"got nan"),
        (lambda: get_ema_avg_fn("0.9"), TypeError, r"got '0.9' \(str\)"),
    ]
)
def test_invalid_arguments_raise(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_decay_of_0_and_1():
    assert get_ema_avg_fn(0)(2.0, 8.0, 5) == 8.0
    assert get_ema_avg_fn(1)(2.0, 8.0, 5) == 2.0
    assert get_ema_avg_fn()(0.0, 1.0, 5) == pytest.approx(1e-3)


def test_a_state_from_before_the_first_update_can_be_loaded():
    fresh, used = AveragedModel(Affine()), AveragedModel(Affine())
    used.update_parameters(Affine())
    used.load_state_dict(fresh.state_dict())
    assert used.n_averaged == 0


def test_swa_is_the_mean():
    numbers = np.random.default_rng(0).normal(size=20)
    average, fn = numbers[0], get_swa_avg_fn()
    for n, number in enumerate(numbers[1:], start=1):
        average = fn(average, number, n)
    assert average == pytest.approx(numbers.mean(), rel=1e-14)


def test_an_averaged_model_can_be_copied():
    averaged = AveragedModel(Affine())
    averaged.update_parameters(Affine())
    again = copy.deepcopy(averaged)
    assert again.n_averaged == 1
    assert again.module is not averaged.module
    with pytest.raises(AttributeError, match="no_such"):
        _ = averaged.no_such
    with pytest.raises(AttributeError):
        _ = AveragedModel.__new__(AveragedModel).module
