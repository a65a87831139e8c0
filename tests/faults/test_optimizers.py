"""Hostile use of optimizers and schedules: one test per fault."""

import copy
import math

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor
from optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def raises(kind, *pieces):
    """Expect an error whose message holds every piece, in any order."""
    return pytest.raises(kind, match="(?s)" + "".join(f"(?=.*{piece})" for piece in pieces))


def parameter(*shape, name="", dtype=np.float64):
    """A parameter with a gradient."""
    rng = np.random.default_rng(5)
    p = nn.Parameter(rng.normal(size=shape).astype(dtype), name=name)
    p.grad = rng.normal(size=shape).astype(dtype)
    return p


def trained(kind=optim.Adam, **options):
    optimizer = kind([parameter(2, 3, name="W"), parameter(3, name="b")], **options)
    optimizer.step()
    return optimizer


# --------------------------------------------------------------------------------------------- optimizers


@pytest.mark.parametrize(
    ("parameters", "kind", "says"),
    [
        ([], ValueError, "empty list"),
        (nn.Parameter([1.0]), TypeError, r"in a list: SGD\(\[parameter\]\)"),
        ([np.ones(2)], TypeError, "ndarray"),
        ({nn.Parameter([1.0]), nn.Parameter([2.0])}, TypeError, "order.*list"),
    ],
    ids=["nothing", "a bare parameter", "an array", "a set"],
)
def test_invalid_parameters_raise(parameters, kind, says):
    with raises(kind, says):
        optim.SGD(parameters)


def test_computed_parameter_raises():
    y = Tensor([1.0], requires_grad=True) * 2.0
    with raises(ValueError, "leaf", "Parameter"):
        optim.SGD([y])


def test_duplicate_parameter_raises_or_warns():
    p = parameter(2, name="w")
    with pytest.warns(UserWarning, match="'w' twice"):
        assert len(optim.SGD([p, p]).param_groups[0]["params"]) == 1
    with raises(ValueError, "'w'", "group 0"):
        optim.SGD([{"params": [p]}, {"params": [p]}])


@pytest.mark.parametrize("lr", [-0.1, math.nan, math.inf, "0.1"])
def test_invalid_learning_rate_raises(lr):
    with raises(TypeError if isinstance(lr, str) else ValueError, "lr must be", str(lr)):
        optim.Adam([parameter(2)], lr=lr)


@pytest.mark.parametrize(
    ("name", "option", "value", "says"),
    [
        ("Adam", "betas", (0.9, 1.0), r"betas\[1\] must be in \[0, 1\), got 1.0"),
        ("Adam", "betas", (0.9,), "betas must be 2 values"),
        ("Adam", "eps", -1e-8, r"eps must be in \[0, inf\)"),
        ("Adam", "weight_decay", -0.1, "weight_decay must be in"),
        ("SGD", "momentum", -0.5, r"momentum must be in \[0, inf\)"),
        ("Adadelta", "rho", 1.1, r"rho must be in \[0, 1\]"),
        ("RMSprop", "alpha", 1.5, r"alpha must be in \[0, 1\]"),
        ("Rprop", "etas", (1.1, 1.2), "etas must be"),
        ("Adagrad", "lr_decay", -1.0, "lr_decay must be"),
        ("Adafactor", "d", 0.5, r"d must be in \[1, inf\)"),
    ],
)
def test_option_out_of_range_raises(name, option, value, says):
    with raises(ValueError, says):
        getattr(optim, name)([parameter(2, 2)], **{option: value})
    optimizer = getattr(optim, name)([parameter(2, 2)])
    with raises(ValueError, says):
        optimizer.add_param_group({"params": [parameter(2, 2)], option: value})
    assert len(optimizer.param_groups) == 1


def test_unknown_option_raises():
    with raises(TypeError, "'beta'", "did you mean 'betas'"):
        optim.Adam([parameter(2)], beta=0.9)
    with raises(ValueError, "'weigth_decay'", "did you mean 'weight_decay'"):
        optim.Adam([{"params": [parameter(2)], "weigth_decay": 0.1}])
    with raises(ValueError, "no 'params'"):
        optim.Adam([{"lr": 0.1}])


def test_missing_gradient_skips_the_parameter():
    p, still = parameter(2), parameter(2)
    still.grad = None
    optimizer, before = optim.Adam([p, still]), still.data.copy()
    optimizer.step()
    assert still.data.tolist() == before.tolist()
    assert list(optimizer.state_dict()["state"]) == [0]


def test_nonfinite_gradient_is_skipped_on_request():
    p = parameter(3, name="w")
    p.grad = np.array([1.0, np.nan, 1.0])
    optimizer, before = optim.Adam([p], skip_nonfinite=True), p.data.copy()
    optimizer.step()
    assert p.data.tolist() == before.tolist()
    assert (optimizer.skipped, optimizer.culprits) == (1, ["parameter 'w'"])
    optim.Adam([p]).step()
    assert np.isnan(p.data).tolist() == [False, True, False]


AWKWARD = {
    "nothing": np.zeros((0, 3)),
    "no axes": np.array(1.5),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "single precision": np.ones((2, 3), np.float32),
}


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adafactor"])
@pytest.mark.parametrize("data", AWKWARD.values(), ids=AWKWARD)
def test_step_preserves_the_memory_layout(name, data):
    p, plain = nn.Parameter(data), nn.Parameter(np.array(data, order="C"))
    for leaf in (p, plain):
        leaf.grad = np.cos(np.arange(data.size)).reshape(data.shape).astype(data.dtype)
        getattr(optim, name)([leaf]).step()
    np.testing.assert_allclose(p.data, plain.data, rtol=1e-6)
    assert (p.data.shape, p.data.dtype) == (data.shape, data.dtype)


def test_invalid_closure_raises():
    p = parameter(3)
    before = p.data.copy()

    def fails():
        raise KeyboardInterrupt

    optimizer = optim.LBFGS([p])
    state = repr(optimizer.state_dict())
    for call, kind in ((lambda: optimizer.step(), TypeError), (lambda: optimizer.step(lambda: None), ValueError)):
        with raises(kind, "closure"):
            call()
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(fails)
    assert p.data.tolist() == before.tolist()
    assert repr(optimizer.state_dict()) == state


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (trained(optim.SGD).state_dict(), "of SGD into Adam"),
        (optim.Adam([parameter(2)]).state_dict(), "1 parameters, this Adam has 2"),
        ({}, "no 'state'"),
        ("garbage", "not a state_dict"),
    ],
    ids=["another optimizer", "another size", "nothing", "no dict"],
)
def test_state_dict_that_does_not_fit_raises(state, says):
    optimizer = trained()
    before = repr(optimizer.state_dict())
    with raises(ValueError, says):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


def test_resumed_optimizer_and_schedule_continue_exactly():
    one, two = trained(lr=0.1), trained(lr=0.7)
    one_leaf, two_leaf = one.param_groups[0]["params"][0], two.param_groups[0]["params"][0]
    for p, q in zip(one.param_groups[0]["params"], two.param_groups[0]["params"], strict=True):
        q.data = p.data.copy()
    state = one.state_dict()
    kept = copy.deepcopy(state)
    two.load_state_dict(state)
    for optimizer in (one, two):
        optimizer.step()
    assert one_leaf.data.tobytes() == two_leaf.data.tobytes()
    assert repr(state) == repr(kept)


# --------------------------------------------------------------------------------------------- schedules


@pytest.fixture
def sgd():
    return optim.SGD([{"params": [parameter(2)]}, {"params": [parameter(3)]}], lr=0.1, momentum=0.9)


def test_schedule_of_something_else_than_an_optimizer_raises(sgd):
    with raises(TypeError, "optimizer", "list"):
        StepLR([parameter(2)], 3)
    with raises(TypeError, "lr_lambda", "0.5"):
        LambdaLR(sgd, 0.5)
    with raises(ValueError, "3 values for 2 parameter groups"):
        LambdaLR(sgd, [lambda t: 1.0] * 3)
    assert "initial_lr" not in sgd.param_groups[0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda o: StepLR(o, 0), "step_size.*0"),
        (lambda o: CosineAnnealingLR(o, 0), "T_max.*0"),
        (lambda o: CosineAnnealingWarmRestarts(o, 0), "T_0.*0"),
        (lambda o: LinearLR(o, total_iters=-1), "total_iters.*-1"),
        (lambda o: ExponentialLR(o, 0.0), "gamma.*0.0"),
        (lambda o: ExponentialLR(o, math.nan), "gamma.*nan"),
    ],
    ids=["no steps", "no period", "no restart", "iterations below 0", "gamma 0", "gamma nan"],
)
def test_schedule_option_out_of_range_raises(sgd, make, says):
    with raises(ValueError, says):
        make(sgd)
    assert [group["lr"] for group in sgd.param_groups] == [0.1, 0.1]
    assert "initial_lr" not in sgd.param_groups[0]


def test_milestones_out_of_order_raise(sgd):
    parts = [ExponentialLR(sgd, 0.9), StepLR(sgd, 3), StepLR(sgd, 5)]
    for milestones, says in (([9, 4], r"rising order, not \[9, 4\]"), ([-4, 9], "-4"), ([4], r"2 milestones.*\[4\]")):
        with raises(ValueError, says):
            SequentialLR(sgd, parts, milestones)
    assert MultiStepLR(sgd, [9, 4]).milestones == [4, 9]


def test_schedule_stepped_first_or_too_often_warns_or_raises(sgd):
    schedule = StepLR(sgd, 3)
    with pytest.warns(UserWarning, match=r"before optimizer\.step\(\).*order"):
        schedule.step()
    schedule.step()  # a warning would be an error here: once is once
    cycle = OneCycleLR(sgd, 0.1, total_steps=2)
    sgd.step()
    for _ in range(2):
        cycle.step()
    state = cycle.state_dict()
    with raises(ValueError, "total_steps=2"):
        cycle.step()
    assert cycle.state_dict() == state


def test_plateau_without_metric_raises(sgd):
    schedule = ReduceLROnPlateau(sgd, factor=0.5, patience=0)
    with raises(TypeError, "metric"):
        schedule.step()
    assert schedule.last_epoch == 0
    schedule.step(1.0)
    with pytest.warns(UserWarning, match="metric is nan"):
        schedule.step(math.nan)
    assert schedule.get_last_lr() == [0.05, 0.05]


def test_resuming_a_schedule_without_initial_lr_raises(sgd):
    with raises(KeyError, "'initial_lr'"):
        StepLR(sgd, 3, last_epoch=5)
    schedule = StepLR(sgd, 2, gamma=0.5)
    before = schedule.state_dict()
    with raises(ValueError, "ExponentialLR", "StepLR"):
        schedule.load_state_dict(ExponentialLR(sgd, 0.9).state_dict())
    assert schedule.state_dict() == before
    sgd.step()
    sgd.add_param_group({"params": [parameter(1)], "lr": 0.8})
    for _ in range(2):
        schedule.step()
    assert schedule.get_last_lr() == [0.05, 0.05, 0.4]
