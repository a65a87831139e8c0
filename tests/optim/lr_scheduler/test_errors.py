"""Invalid use of schedules: type and message of the errors, which leave everything unchanged."""

import math
import re

import numpy as np
import pytest
from looping import each

from optim import SGD
from optim.lr_scheduler import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    InverseSqrtLR,
    InverseTimeLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    Rates,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
    TrapezoidLR,
    WarmupLR,
    preview,
)


class Leaf:
    """A parameter with the attributes that optimizers use."""

    requires_grad, is_leaf, op = True, True, None

    def __init__(self, *shape):
        self.data = np.ones(shape)
        self.grad = np.ones(shape)


@pytest.fixture(name="sgd")
def sgd_fixture():
    return new_sgd()


def new_sgd():
    return SGD([{"params": [Leaf(2)], "lr": 0.1}, {"params": [Leaf(3)], "lr": 0.01}], lr=0.1, momentum=0.9)


class Groups:
    param_groups = ({"lr": 0.1}, {"params": []})

    def __init__(self):
        self.param_groups = list(self.param_groups)  # the second group has no rate


@each(
    [None, 0.1, [Leaf(2)], Leaf(2), {"lr": 0.1}, "SGD", Groups()],
    [
        lambda opt: StepLR(opt, 3),
        lambda opt: LambdaLR(opt, lambda t: 1.0),
        lambda opt: OneCycleLR(opt, 0.1, 10),
        lambda opt: CyclicLR(opt, 0.1, 0.2),
        lambda opt: ReduceLROnPlateau(opt),
        lambda opt: SWALR(opt, [0.1]),
    ],
)
def test_an_object_that_is_not_an_optimizer_raises(thing, make):
    with pytest.raises(TypeError, match=f"needs an optimizer with param_groups, got {type(thing).__name__}"):
        make(thing)


@each([LambdaLR, MultiplicativeLR])
def test_lr_lambda_that_is_not_a_function_raises(kind, sgd):
    with pytest.raises(TypeError, match=r"lr_lambda must be a function such as lambda t: .* got 0\.5"):
        kind(sgd, 0.5)
    with pytest.raises(TypeError, match=r"lr_lambda\[1\] must be a function"):
        kind(sgd, [lambda t: 1.0, None])
    with pytest.raises(ValueError, match="lr_lambda has 3 values for 2 parameter groups"):
        kind(sgd, [lambda t: 1.0] * 3)


def test_a_list_of_another_length_than_the_groups_raises(sgd):
    with pytest.raises(ValueError, match="max_lr has 3 values for 2 parameter groups"):
        OneCycleLR(sgd, [0.1, 0.2, 0.3], 10)
    with pytest.raises(ValueError, match="base_lr has 1 values for 2 parameter groups"):
        CyclicLR(sgd, [0.1], 0.2)
    with pytest.raises(ValueError, match="min_lr has 3 values for 2 parameter groups"):
        ReduceLROnPlateau(sgd, min_lr=[0.0] * 3)
    with pytest.raises(ValueError, match="swa_lr has 1 values"):
        SWALR(sgd, (0.1,))
    assert not any("initial_lr" in group for group in sgd.param_groups)


WRONG = [
    (StepLR, {"step_size": 0}, "step_size must be in [1, inf), got 0"),
    (StepLR, {"step_size": -3}, "step_size must be in [1, inf), got -3"),
    (StepLR, {"step_size": 3, "gamma": 0.0}, "gamma must be in (0, inf), got 0.0"),
    (StepLR, {"step_size": 3, "gamma": -0.5}, "gamma must be in (0, inf), got -0.5"),
    (StepLR, {"step_size": 3, "gamma": math.nan}, "gamma must be in (0, inf), got nan"),
    (StepLR, {"step_size": 3, "last_epoch": -2}, "last_epoch must be in [-1, inf), got -2"),
    (MultiStepLR, {"milestones": [3], "gamma": math.inf}, "gamma must be in (0, inf), got inf"),
    (MultiStepLR, {"milestones": [3, -1]}, "milestones[1] must be in [0, inf), got -1"),
    (ExponentialLR, {"gamma": 0}, "gamma must be in (0, inf), got 0"),
    (InverseTimeLR, {"decay": -1.0}, "decay must be in [0, inf), got -1.0"),
    (InverseSqrtLR, {"warmup": 0}, "warmup must be in [1, inf), got 0"),
    (TrapezoidLR, {"warmup": 1, "stable": -1, "decay": 1}, "stable must be in [0, inf), got -1"),
    (TrapezoidLR, {"warmup": 1, "stable": 1, "decay": 1, "end_factor": 2}, "end_factor must be in [0, 1], got 2"),
    (ConstantLR, {"factor": 1.5}, "factor must be in [0, 1], got 1.5"),
    (ConstantLR, {"total_iters": -1}, "total_iters must be in [0, inf), got -1"),
    (LinearLR, {"start_factor": 0.0}, "start_factor must be in (0, 1], got 0.0"),
    (LinearLR, {"end_factor": 1.5}, "end_factor must be in [0, 1], got 1.5"),
    (LinearLR, {"total_iters": -5}, "total_iters must be in [0, inf), got -5"),
    (PolynomialLR, {"total_iters": -5}, "total_iters must be in [0, inf), got -5"),
    (PolynomialLR, {"power": 0.0}, "power must be in (0, inf), got 0.0"),
    (CosineAnnealingLR, {"T_max": 0}, "T_max must be in [1, inf), got 0"),
    (CosineAnnealingLR, {"T_max": 5, "eta_min": -1.0}, "eta_min must be in [0, inf), got -1.0"),
    (CosineAnnealingWarmRestarts, {"T_0": 0}, "T_0 must be in [1, inf), got 0"),
    (CosineAnnealingWarmRestarts, {"T_0": 5, "T_mult": 0}, "T_mult must be in [1, inf), got 0"),
    (SWALR, {"swa_lr": -0.1}, "swa_lr must be in [0, inf), got -0.1"),
    (SWALR, {"swa_lr": [0.1, math.nan]}, "swa_lr[1] must be in [0, inf), got nan"),
    (SWALR, {"swa_lr": 0.1, "anneal_epochs": -1}, "anneal_epochs must be in [0, inf), got -1"),
    (SWALR, {"swa_lr": 0.1, "anneal_strategy": "sin"}, "anneal_strategy must be one of 'cos', 'linear', got 'sin'"),
    (OneCycleLR, {"max_lr": 0.1}, "OneCycleLR needs total_steps, or both epochs and steps_per_epoch"),
    (OneCycleLR, {"max_lr": 0.1, "epochs": 3}, "OneCycleLR needs total_steps"),
    (OneCycleLR, {"max_lr": 0.1, "total_steps": 0}, "total_steps must be in [1, inf), got 0"),
    (OneCycleLR, {"max_lr": 0.1, "epochs": 0, "steps_per_epoch": 5}, "epochs must be in [1, inf), got 0"),
    (OneCycleLR, {"max_lr": 0.1, "total_steps": 9, "pct_start": 1.1}, "pct_start must be in [0, 1], got 1.1"),
    (OneCycleLR, {"max_lr": 0.1, "total_steps": 9, "div_factor": 0}, "div_factor must be in (0, inf), got 0"),
    (OneCycleLR, {"max_lr": 0.1, "total_steps": 9, "max_momentum": 1}, "max_momentum must be in [0, 1), got 1"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 0}, "step_size_up must be in (0, inf), got 0"),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 0.2, "mode": "square"}, "mode must be one of 'triangular', "),
    (CyclicLR, {"base_lr": 0.1, "max_lr": 0.2, "scale_mode": "epoch"}, "scale_mode must be one of 'cycle'"),
    (ReduceLROnPlateau, {"factor": 1.0}, "factor must be in (0, 1), got 1.0"),
    (ReduceLROnPlateau, {"patience": -1}, "patience must be in [0, inf), got -1"),
    (ReduceLROnPlateau, {"mode": "low"}, "mode must be one of 'min', 'max', got 'low'"),
    (ReduceLROnPlateau, {"threshold": -1e-4}, "threshold must be in [0, inf), got -0.0001"),
]


@each(WRONG)
def test_an_option_out_of_range_raises_and_changes_nothing(kind, options, says, sgd):
    before = [dict(group) for group in sgd.param_groups]
    with pytest.raises(ValueError, match=re.escape(says)):
        kind(sgd, **options)
    assert [dict(group) for group in sgd.param_groups] == before


@each(
    [
        (StepLR, {"step_size": 2.5}, "step_size must be an integer in [1, inf), got 2.5 (float)"),
        (StepLR, {"step_size": "3"}, "step_size must be an integer in [1, inf), got '3' (str)"),
        (StepLR, {"step_size": True}, "got True (bool)"),
        (StepLR, {}, "StepLR: missing a required argument: 'step_size'"),
        (StepLR, {"step_sizes": 3}, "did you mean 'step_size'"),
        (ExponentialLR, {"gamma": "0.9"}, "gamma must be a number in (0, inf), got '0.9' (str)"),
        (ExponentialLR, {"gamma": None}, "got None (NoneType)"),
        (CyclicLR, {"base_lr": 0.1, "max_lr": 0.2, "scale_fn": 0.5}, "scale_fn must be a function"),
    ]
)
def test_an_option_of_the_wrong_type_raises(kind, options, says, sgd):
    with pytest.raises(TypeError, match=re.escape(says)):
        kind(sgd, **options)


def test_numpy_scalars_are_accepted_as_options():
    assert preview(StepLR, 3, step_size=np.int64(1), gamma=np.float32(0.5)) == [1.0, 0.5, 0.25]


def test_zero_iterations_give_the_final_rate_at_once():
    assert preview(ConstantLR, 2, total_iters=0) == [1.0, 1.0]
    assert preview(LinearLR, 2, total_iters=0, end_factor=0.5) == [0.5, 0.5]
    assert preview(PolynomialLR, 2, total_iters=0) == [0.0, 0.0]
    assert preview(ConstantLR, 4, factor=0.0, total_iters=2) == [0.0, 0.0, 1.0, 1.0]


def test_cycle_momentum_without_momentum_raises():
    opt = Rates(0.1)
    del opt.param_groups[0]["momentum"]
    with pytest.raises(ValueError, match="'momentum' or 'betas' in all groups of Rates; pass cycle_momentum=False"):
        OneCycleLR(opt, 0.1, 10)
    assert opt.param_groups == [{"lr": 0.1}]
    OneCycleLR(opt, 0.1, 10, cycle_momentum=False)


def test_invalid_milestones_raise(sgd):
    parts = [ExponentialLR(sgd, 0.9), StepLR(sgd, 3), StepLR(sgd, 5)]
    with pytest.raises(ValueError, match=r"3 schedules need 2 milestones in increasing order, got \[9, 4\]"):
        SequentialLR(sgd, parts, [9, 4])
    with pytest.raises(ValueError, match=re.escape("milestones[0] must be in [1, inf), got -4")):
        SequentialLR(sgd, parts, [-4, 9])
    with pytest.raises(ValueError, match=r"3 schedules need 2 milestones in increasing order, got \[4\]"):
        SequentialLR(sgd, parts, [4])
    assert MultiStepLR(sgd, [9, 4]).milestones == [4, 9]


def test_invalid_combinations_raise(sgd):
    other = Rates(0.1)
    with pytest.raises(ValueError, match="at least one schedule"):
        ChainedScheduler([])
    with pytest.raises(TypeError, match="item 1 is float"):
        ChainedScheduler([StepLR(sgd, 3), 0.1])
    with pytest.raises(ValueError, match="schedules of one optimizer, and item 1 has another"):
        ChainedScheduler([StepLR(sgd, 3), StepLR(other, 3)])
    with pytest.raises(ValueError, match="item 0 has another"):
        SequentialLR(sgd, [StepLR(other, 3)], [])
    with pytest.raises(TypeError, match="WarmupLR combines schedules, and item 0 is SGD"):
        WarmupLR(sgd, 5)
    with pytest.raises(ValueError, match=re.escape("steps must be in [1, inf), got 0")):
        WarmupLR(StepLR(sgd, 3), 0)
    with pytest.raises(NotImplementedError, match="preview"):
        ChainedScheduler([StepLR(sgd, 3)]).lr_at(3)


@each(
    [
        lambda opt: StepLR(opt, 3),
        lambda opt: ChainedScheduler([StepLR(opt, 3), ExponentialLR(opt, 0.9)]),
        lambda opt: SequentialLR(opt, [StepLR(opt, 3), ExponentialLR(opt, 0.9)], [2]),
        lambda opt: WarmupLR(StepLR(opt, 3), 2),
    ]
)
def test_a_schedule_stepped_before_its_optimizer_warns_once(make):
    sgd = new_sgd()
    schedule = make(sgd)
    with pytest.warns(UserWarning, match=r"came before optimizer.step\(\)") as found:
        schedule.step()
    assert len(found) == 1
    assert found[0].filename == __file__
    schedule.step()  # warnings are errors here: once is once

    schedule = make(sgd)
    sgd.step()
    schedule.step()


def test_schedule_resumed_with_last_epoch_and_stepped_before_its_optimizer_warns(sgd):
    for group in sgd.param_groups:
        group["initial_lr"] = group["lr"]
    schedule = StepLR(sgd, 3, last_epoch=5)
    with pytest.warns(UserWarning, match=r"came before optimizer.step\(\)"):
        schedule.step()
    loaded = StepLR(sgd, 3)
    loaded.load_state_dict(schedule.state_dict())
    loaded.step()  # saved between the two steps: no warning


def test_a_step_skipped_because_of_nan_counts_as_a_step():
    leaf = Leaf(2)
    sgd = SGD([leaf], lr=0.1, skip_nonfinite=True)
    schedule = StepLR(sgd, 3)
    for finite in (False, True):
        leaf.grad = np.array([1.0 if finite else math.nan, 1.0])
        sgd.step()
    schedule.step()
    assert (sgd.step_count, sgd.skipped) == (1, 1)

    schedule = StepLR(sgd, 3)
    leaf.grad = np.array([math.nan, 1.0])
    sgd.step()
    schedule.step()
    assert (sgd.step_count, sgd.skipped) == (1, 2)


def test_one_cycle_stepped_past_its_end_raises_and_changes_nothing(sgd):
    schedule = OneCycleLR(sgd, 0.1, total_steps=5)
    sgd.step()
    for _ in range(5):
        schedule.step()
    groups = [dict(group) for group in sgd.param_groups]
    state = schedule.state_dict()
    with pytest.raises(ValueError, match="made for total_steps=5, got step 6"):
        schedule.step()
    assert schedule.state_dict() == state
    assert [dict(group) for group in sgd.param_groups] == groups


def test_plateau_without_a_metric_raises(sgd):
    schedule = ReduceLROnPlateau(sgd)
    for call in (schedule.step, lambda: schedule.step(None), lambda: schedule.step([1.0, 2.0])):
        with pytest.raises(TypeError, match=r"metric|real number"):
            call()
    assert schedule.last_epoch == 0
    with pytest.raises(TypeError, match="the monitored metric"):
        preview(schedule, 3)
    chained = ChainedScheduler([StepLR(sgd, 1), schedule])
    sgd.step()
    with pytest.raises(TypeError, match="the monitored metric"):
        chained.step()
    assert sgd.param_groups[0]["lr"] == 0.1


def test_plateau_with_a_nan_metric_warns_and_counts_a_bad_step(sgd):
    schedule = ReduceLROnPlateau(sgd, factor=0.5, patience=1)
    schedule.step(1.0)
    for bad in (1, 2):
        with pytest.warns(UserWarning, match=f"the metric is nan at epoch {bad + 1}"):
            schedule.step(math.nan)
    assert schedule.get_last_lr() == [0.05, 0.005]
    assert schedule.best == 1.0


def test_plateau_reduces_when_bad_steps_exceed_the_patience():
    opt = Rates(1.0)
    schedule = ReduceLROnPlateau(opt, factor=0.5, patience=3)
    rates = []
    for _ in range(6):
        schedule.step(1.0)
        rates.append(opt.param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]


def test_last_epoch_without_initial_lr_raises(sgd):
    sgd.param_groups[0]["initial_lr"] = 0.1
    with pytest.raises(KeyError, match="parameter group 1 has no 'initial_lr', which last_epoch=5"):
        StepLR(sgd, 3, last_epoch=5)


def test_an_unsuitable_state_raises_and_changes_nothing(sgd):
    schedule = StepLR(sgd, 3)
    good = schedule.state_dict()
    wrong = [
        (ExponentialLR(sgd, 0.9).state_dict(), "the state_dict of ExponentialLR into StepLR"),
        ({}, "not a state_dict of StepLR: it has no 'scheduler'"),
        ([1, 2], "not a state_dict of StepLR"),
        ({key: good[key] for key in good if key != "gamma"}, "not a state_dict of StepLR: it has no 'gamma'"),
        (StepLR(Rates(0.1), 3).state_dict(), "has 1 parameter groups, this one has 2"),
    ]
    for state, says in wrong:
        with pytest.raises(ValueError, match=re.escape(says)):
            schedule.load_state_dict(state)
    assert schedule.state_dict() == good


def test_an_unsuitable_state_of_a_part_changes_nothing(sgd):
    schedule = ChainedScheduler([StepLR(sgd, 3), ExponentialLR(sgd, 0.9)])
    good = schedule.state_dict()
    other = ChainedScheduler([StepLR(sgd, 5), StepLR(sgd, 7)]).state_dict()
    with pytest.raises(ValueError, match="the state_dict of StepLR into ExponentialLR"):
        schedule.load_state_dict(other)
    three = ChainedScheduler([StepLR(sgd, 5), ExponentialLR(sgd, 0.9), StepLR(sgd, 7)]).state_dict()
    with pytest.raises(ValueError, match="has 3 schedules, this one has 2"):
        schedule.load_state_dict(three)
    schedule.load_state_dict(good)
    assert schedule.state_dict() == good


def test_a_group_added_later_starts_at_its_own_rate(sgd):
    schedule = StepLR(sgd, 2, gamma=0.5)
    cosine = CosineAnnealingWarmRestarts(sgd, T_0=4)
    sgd.step()
    schedule.step()
    sgd.add_param_group({"params": [Leaf(1)], "lr": 0.8})
    schedule.step()
    assert schedule.get_last_lr()[2] == 0.4
    cosine.step()
    assert len(cosine.get_last_lr()) == 3
    assert sgd.param_groups[2]["initial_lr"] == 0.8
    assert schedule.base_lrs == cosine.base_lrs == [0.1, 0.01, 0.8]


def test_a_group_added_later_follows_a_sequence(sgd):
    schedule = SequentialLR(sgd, [StepLR(sgd, 9), ExponentialLR(sgd, 0.5)], [2])
    sgd.step()
    sgd.add_param_group({"params": [Leaf(1)], "lr": 0.8})
    for wanted in (0.8, 0.8, 0.4):
        schedule.step()
        assert schedule.get_last_lr()[2] == wanted


def test_a_group_added_later_raises_for_options_given_as_lists(sgd):
    schedules = [LambdaLR(sgd, [lambda t: 0.5, lambda t: 0.25]), OneCycleLR(sgd, [0.1, 0.2], 50), SWALR(sgd, [0.1] * 2)]
    sgd.step()
    sgd.add_param_group({"params": [Leaf(1)], "lr": 0.8})
    for schedule in schedules:
        state = schedule.state_dict()
        for _ in "twice":
            with pytest.raises(ValueError, match="has 2 values for 3 parameter groups; pass one per group"):
                schedule.step()
        assert schedule.state_dict() == state
    plateau = ReduceLROnPlateau(sgd, min_lr=[0.0] * 3, patience=0)
    sgd.add_param_group({"params": [Leaf(1)], "lr": 0.8})
    plateau.step(1.0)
    with pytest.raises(ValueError, match="min_lr has 3 values for 4 parameter groups"):
        plateau.step(1.0)


def test_initial_lr_is_part_of_the_state_of_the_optimizer(sgd):
    schedule = ExponentialLR(sgd, 0.5)
    sgd.step()
    schedule.step()
    other = SGD([{"params": [Leaf(2)]}, {"params": [Leaf(3)]}], lr=0.7, momentum=0.9)
    other.load_state_dict(sgd.state_dict())
    resumed = ExponentialLR(other, 0.5, last_epoch=0)
    assert resumed.get_last_lr() == schedule.get_last_lr() == [0.05, 0.005]
    other.step()
    resumed.step()
    assert resumed.get_last_lr() == [0.025, 0.0025]
