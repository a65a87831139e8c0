"""Schedules: comparison with PyTorch over 200 steps, resuming, previews and figures."""

import gzip
import inspect
import json
import math
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import schedule_cases as cases
from looping import each

from optim import lr_scheduler
from optim.lr_scheduler import functions, preview, sparkline

HERE = Path(__file__).parent


@cache
def recorded():
    return json.loads(gzip.decompress((HERE / "schedules_torch.json.gz").read_bytes()))["curves"]


STEPS, LRS = cases.STEPS, cases.LRS

# Schedules that PyTorch does not include.
OURS = {
    "inverse_time": "InverseTimeLR(opt, decay=0.1)",
    "inverse_sqrt": "InverseSqrtLR(opt, warmup=30)",
    "trapezoid": "TrapezoidLR(opt, warmup=20, stable=100, decay=50, end_factor=0.1)",
    "warm_cosine": "WarmupLR(CosineAnnealingLR(opt, T_max=150, eta_min=1e-4), steps=20)",
    "warm_one_cycle": "WarmupLR(OneCycleLR(opt, 0.5, total_steps=300), steps=3)",
    "warm_sequence": "WarmupLR(SequentialLR(opt, [StepLR(opt, 9), ExponentialLR(opt, 0.9)], [20]), steps=8)",
    "rex": "REXLR(opt, total_iters=150)",
    "flat_cosine": "FlatCosineLR(opt, total_iters=150, flat=0.5)",
    "cos_log4": "CosLog4LR(opt, total_iters=150)",
    "piecewise_linear": "PiecewiseLinearLR(opt, milestones=[10, 30, 90], factors=[0.1, 1.0, 0.2])",
    "chebyshev": "ChebyshevLR(opt, total_iters=16, ratio=20.0)",
    "sequence_of_chains": (
        "SequentialLR(opt, [ChainedScheduler([LinearLR(opt, 0.2, 1.0, 20), ExponentialLR(opt, 0.98)]), "
        "ChainedScheduler([StepLR(opt, 60, 0.5), CosineAnnealingLR(opt, 90)])], [100])"
    ),
    "sequence_of_warmups": (
        "SequentialLR(opt, [WarmupLR(StepLR(opt, 20), 5), WarmupLR(ExponentialLR(opt, 0.9), 7)], [40])"
    ),
}
EVERY = {**cases.CASES, **OURS}


def optimizer(name):
    rates = lr_scheduler.Rates(*LRS)
    for group in rates.param_groups:
        if "adam" in name:
            del group["momentum"]
            group["betas"] = (0.9, 0.99)
        else:
            group["momentum"] = 0.9
    return rates


def made(text, opt):
    return eval(text, {**vars(lr_scheduler), "opt": opt})


def seen(opt):
    momenta = [group["betas"][0] if "betas" in group else group["momentum"] for group in opt.param_groups]
    return [group["lr"] for group in opt.param_groups] + momenta


def walk(opt, step, steps=STEPS):
    rows = [seen(opt)]
    for t in range(1, steps + 1):
        step(t)
        rows.append(seen(opt))
    return np.array(rows)


def agree(name, rows):
    for ours, torchs in zip(rows.T, recorded()[name], strict=True):
        wanted = np.broadcast_to(torchs, ours.shape)
        np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-15 * np.abs(wanted).max(), err_msg=name)


@each(cases.CASES)
def test_200_steps_equal_pytorch(name):
    opt = optimizer(name)
    schedule = made(cases.CASES[name], opt)
    assert schedule.get_last_lr() == seen(opt)[:2]
    agree(name, walk(opt, lambda t: schedule.step()))
    assert schedule.last_epoch == STEPS
    assert schedule.get_last_lr() == seen(opt)[:2]


@each(cases.STACKS)
def test_two_schedules_of_one_optimizer_equal_pytorch(name):
    opt = optimizer(name)
    first, second = (made(text, opt) for text in cases.STACKS[name])
    agree(name, walk(opt, lambda t: (first.step(), second.step())))


@each(cases.BY_HAND)
def test_a_rate_changed_by_the_user_is_treated_as_in_pytorch(name):
    text, when = cases.BY_HAND[name]
    opt = optimizer(name)
    schedule = made(text, opt)

    def step(t):
        schedule.step()
        for group in opt.param_groups if t == when else ():
            group["lr"] *= 0.5

    agree(name, walk(opt, step))


@each(cases.PLATEAUS)
def test_plateau_equals_pytorch(name):
    opt = optimizer(name)
    schedule = lr_scheduler.ReduceLROnPlateau(opt, **cases.PLATEAUS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the metric is nan once, on purpose
        agree(name, walk(opt, lambda t: schedule.step(cases.metric(t))))


@each(EVERY)
def test_a_resumed_schedule_continues_the_same_curve(name):
    opt = optimizer(name)
    schedule = made(EVERY[name], opt)
    states = [json.dumps(schedule.state_dict())]
    rows = walk(opt, lambda t: (schedule.step(), states.append(json.dumps(schedule.state_dict()))))
    for t, state in list(enumerate(states))[::9]:
        fresh = optimizer(name)  # its own state is not loaded: the schedule restores the rates
        resumed = made(EVERY[name], fresh)
        resumed.load_state_dict(json.loads(state))
        assert resumed.last_epoch == t
        left = min(5, STEPS - t)
        np.testing.assert_array_equal(walk(fresh, lambda _, r=resumed: r.step(), left), rows[t : t + left + 1])
        assert resumed.get_last_lr() == seen(fresh)[:2]


@each(["chain_three", "sequence_three", "warm_sequence", "sequence_of_chains"])
def test_a_resumed_combination_continues_to_the_end(name):
    opt = optimizer(name)
    schedule = made(EVERY[name], opt)
    walk(opt, lambda t: schedule.step(), 17)
    fresh = optimizer(name)
    resumed = made(EVERY[name], fresh)
    resumed.load_state_dict(schedule.state_dict())
    rest = walk(opt, lambda t: schedule.step())
    np.testing.assert_array_equal(walk(fresh, lambda t: resumed.step()), rest)


@each([0, 1, 29, 61, 77, 130])
def test_a_resumed_plateau_continues_the_same_curve(at):
    options = {"patience": 2, "cooldown": 7, "factor": 0.6}
    opt, other = optimizer(""), optimizer("")
    schedule = lr_scheduler.ReduceLROnPlateau(opt, **options)
    resumed = lr_scheduler.ReduceLROnPlateau(other, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for t in range(1, at + 1):
            schedule.step(cases.metric(t))
        resumed.load_state_dict(schedule.state_dict())
        for t in range(at + 1, STEPS + 1):
            schedule.step(cases.metric(t))
            resumed.step(cases.metric(t))
            assert seen(other) == seen(opt)


def test_a_loaded_state_is_not_shared():
    schedule, other = (made("MultiStepLR(opt, [2, 4], 0.5)", optimizer("")) for _ in "ab")
    state = schedule.state_dict()
    other.load_state_dict(state)
    state["milestones"].clear()
    state["groups"][0]["initial_lr"] = 9.0
    assert other.milestones == schedule.milestones == [2, 4]
    assert other.base_lrs == schedule.base_lrs == [0.1, 0.02]


def test_loading_a_state_restores_the_options():
    schedule, other = made("StepLR(opt, 5, 0.5)", optimizer("")), made("StepLR(opt, 30)", optimizer(""))
    other.load_state_dict(schedule.state_dict())
    assert (other.step_size, other.gamma) == (5, 0.5)


# The others depend on more than the step, and are resumed by load_state_dict.
BY_STEP_ALONE = [name for name in EVERY if not name.startswith(("sequence", "chain", "warm", "swa"))]


@each(BY_STEP_ALONE)
def test_last_epoch_resumes_the_curve_of_another_run(name):
    opt = optimizer(name)
    schedule = made(EVERY[name], opt)
    for _ in range(40):
        schedule.step()
    other = optimizer(name)
    for group, found in zip(other.param_groups, opt.param_groups, strict=True):
        group["initial_lr"] = found["initial_lr"]
    again = made(f"{EVERY[name][:-1]}, last_epoch=39)", other)
    for _ in range(3):
        assert seen(other) == seen(opt)
        again.step()
        schedule.step()


@each(EVERY)
def test_preview_equals_the_curve_and_changes_nothing(name):
    opt = optimizer(name)
    schedule = made(EVERY[name], opt)
    before, state = seen(opt), schedule.state_dict()
    curve = preview(schedule, 50, group=1)
    assert seen(opt) == before
    assert schedule.state_dict() == state
    rows = walk(opt, lambda t: schedule.step(), 60)
    np.testing.assert_array_equal(curve, rows[:50, 1])
    np.testing.assert_array_equal(preview(schedule, 3), walk(opt, lambda t: schedule.step(), 2)[:, 0])


def test_preview_of_a_class_a_function_and_the_momentum():
    assert preview(lr_scheduler.StepLR, 3, lr=0.5, step_size=1) == [0.5, 0.05, 0.005000000000000001]
    assert preview(functions.linear, 3, 2.0, start_factor=0.5, total_iters=2) == [1.0, 1.5, 2.0]
    options = {"max_lr": 1.0, "total_steps": 11, "anneal_strategy": "linear", "pct_start": 6 / 11}
    momentum = preview(lr_scheduler.OneCycleLR, 11, key="momentum", **options)
    np.testing.assert_allclose(momentum, 0.85 + 0.02 * np.abs(np.arange(11) - 5))
    adam = optimizer("adam")
    schedule = lr_scheduler.OneCycleLR(adam, **options)
    np.testing.assert_allclose(preview(schedule, 11, key="betas"), momentum)
    with pytest.raises(TypeError, match="a schedule, its class, or a function"):
        preview("StepLR", 10)
    with pytest.raises(ValueError, match=r"steps must be in \[1, inf\), got 0"):
        preview(lr_scheduler.StepLR, 0, step_size=1)


WRAPPED = {
    functions.step_decay: lr_scheduler.StepLR,
    functions.multistep_decay: lr_scheduler.MultiStepLR,
    functions.constant: lr_scheduler.ConstantLR,
    functions.linear: lr_scheduler.LinearLR,
    functions.polynomial: lr_scheduler.PolynomialLR,
    functions.cosine_restarts: lr_scheduler.CosineAnnealingWarmRestarts,
    functions.trapezoid: lr_scheduler.TrapezoidLR,
    functions.swa_annealing: lr_scheduler.SWALR,
    functions.one_cycle: lr_scheduler.OneCycleLR,
}


@each(WRAPPED)
def test_a_function_has_the_defaults_of_its_class(function):
    of_class = inspect.signature(WRAPPED[function]).parameters
    defaults = {name: p.default for name, p in inspect.signature(function).parameters.items()}
    optional = {name: default for name, default in defaults.items() if default is not inspect.Parameter.empty}
    assert optional
    for name, default in optional.items():
        assert of_class[name].default == default


def test_lr_at_is_a_pure_function_of_the_step():
    schedule = made("CosineAnnealingLR(opt, T_max=50, eta_min=1e-3)", optimizer(""))
    curve = preview(schedule, 20, group=1)
    assert [schedule.lr_at(t, 1) for t in reversed(range(20))] == curve[::-1]
    assert schedule.lr_at(25) == 0.1 / 2 + 1e-3 / 2
    assert schedule.last_epoch == 0


def test_inverse_time_and_exponential_by_hand():
    assert preview(lr_scheduler.InverseTimeLR, 5, lr=6.0, decay=0.5)[::2] == [6.0, 3.0, 2.0]
    # gamma ** (t / k) is the exponential schedule with the k-th root.
    k, gamma = 7, 0.3
    root = preview(lr_scheduler.ExponentialLR, 30, gamma=gamma ** (1 / k))
    np.testing.assert_allclose(root, [gamma ** (t / k) for t in range(30)], rtol=1e-14)
    decay = 0.2
    np.testing.assert_allclose(
        preview(lr_scheduler.ExponentialLR, 30, gamma=math.exp(-decay)), np.exp(-decay * np.arange(30)), rtol=1e-14
    )


def test_inverse_sqrt_equals_the_formula_of_the_paper():
    d_model, warmup = 512, 40
    curve = preview(lr_scheduler.InverseSqrtLR, 300, lr=(d_model * warmup) ** -0.5, warmup=warmup)
    paper = [d_model**-0.5 * min(s**-0.5, s * warmup**-1.5) for s in range(1, 301)]
    np.testing.assert_allclose(curve, paper, rtol=1e-14)


def test_trapezoid_by_hand():
    curve = preview(lr_scheduler.TrapezoidLR, 10, lr=1.0, warmup=4, stable=1, decay=2, end_factor=0.5)
    assert curve == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.75, 0.5, 0.5, 0.5]
    assert preview(lr_scheduler.TrapezoidLR, 3, warmup=0, stable=0, decay=2) == [1.0, 0.5, 0.0]
    assert preview(lr_scheduler.TrapezoidLR, 3, warmup=0, stable=1, decay=0) == [1.0, 0.0, 0.0]


def test_warmup_runs_a_schedule_from_its_beginning_afterwards():
    plain = preview(made("CosineAnnealingLR(opt, T_max=30, eta_min=1e-3)", optimizer("")), 40)
    warm = preview(made("WarmupLR(CosineAnnealingLR(opt, T_max=30, eta_min=1e-3), steps=8)", optimizer("")), 48)
    np.testing.assert_allclose(warm[:8], [0.1 * (t + 1) / 8 for t in range(8)], rtol=1e-15)
    np.testing.assert_array_equal(warm[8:], plain)


def test_warmup_before_a_plateau_forwards_the_metric():
    opt = optimizer("")
    schedule = made("WarmupLR(ReduceLROnPlateau(opt, factor=0.5, patience=0), steps=2)", opt)
    rates = [seen(opt)[0]]
    for loss in (1.0, 1.0, 1.0, 1.0, 0.5):
        schedule.step(loss)
        rates.append(seen(opt)[0])
    assert rates == [0.05, 0.1, 0.1, 0.1, 0.05, 0.05]
    with pytest.raises(TypeError, match="metric"):
        schedule.step()


def test_warmups_can_be_nested_before_a_plateau():
    opt = optimizer("")
    schedule = made("WarmupLR(WarmupLR(ReduceLROnPlateau(opt, factor=0.5, patience=0), steps=2), steps=2)", opt)
    rates = [seen(opt)[0]]
    for _ in range(6):
        schedule.step(1.0)
        rates.append(seen(opt)[0])
    np.testing.assert_allclose(rates, [0.025, 0.05, 0.05, 0.1, 0.1, 0.1, 0.05], rtol=1e-15)


def test_combined_schedules_forward_the_metric_to_a_plateau():
    plateau = "ReduceLROnPlateau(opt, factor=0.5, patience=0)"
    for text, expected in (
        (f"ChainedScheduler([ConstantLR(opt, factor=0.5, total_iters=1), {plateau}])", [0.05, 0.1, 0.05, 0.025]),
        (f"SequentialLR(opt, [ConstantLR(opt, factor=0.5), {plateau}], [2])", [0.05, 0.05, 0.1, 0.1, 0.05]),
        (f"SequentialLR(opt, [WarmupLR({plateau}, steps=2)], [])", [0.05, 0.1, 0.1, 0.1, 0.05]),
    ):
        opt = optimizer("")
        schedule = made(text, opt)
        rates = [seen(opt)[0]]
        for _ in expected[1:]:
            schedule.step(1.0)
            rates.append(seen(opt)[0])
        np.testing.assert_allclose(rates, expected, rtol=1e-15, err_msg=text)


def test_combined_schedules_step_per_batch_or_need_a_metric_as_their_parts_do():
    one_cycle, plateau = "OneCycleLR(opt, 0.1, total_steps=9)", "ReduceLROnPlateau(opt)"
    for inner, flags in ((one_cycle, (True, False)), (plateau, (False, True)), ("StepLR(opt, 3)", (False, False))):
        for around in ("{}", "WarmupLR({}, 2)", "ChainedScheduler([{}])", "SequentialLR(opt, [{}], [])"):
            schedule = made(around.format(inner), optimizer(""))
            assert (schedule.steps_per_batch, schedule.needs_metric) == flags, around.format(inner)


BETTER = [  # mode, threshold mode, threshold, best, the largest or smallest value that is not better
    ("min", "rel", 0.25, 2.0, 1.5),
    ("max", "rel", 0.25, 2.0, 2.5),
    ("min", "abs", 0.25, 2.0, 1.75),
    ("max", "abs", 0.25, 2.0, 2.25),
    ("min", "rel", 1.0, 2.0, 0.0),
    ("min", "rel", 0.25, math.inf, math.inf),
    ("max", "rel", 1.0, -math.inf, -math.inf),
    ("min", "rel", 1.0, math.inf, math.inf),
]


@each(BETTER)
def test_plateau_improvement_must_exceed_the_threshold(mode, threshold_mode, threshold, best, bar):
    options = {"mode": mode, "threshold_mode": threshold_mode, "threshold": threshold}
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer(""), **options)
    schedule.best = best
    assert not schedule.is_better(bar)
    assert schedule.is_better(np.nextafter(bar, -math.inf if mode == "min" else math.inf))
    assert not schedule.is_better(math.nan)


def test_plateau_has_no_last_epoch():
    assert "last_epoch" not in inspect.signature(lr_scheduler.ReduceLROnPlateau).parameters
    assert "last_epoch" in inspect.signature(lr_scheduler.CyclicLR).parameters
    with pytest.raises(TypeError, match="ReduceLROnPlateau has no option 'last_epoch'"):
        lr_scheduler.ReduceLROnPlateau(optimizer(""), last_epoch=3)


def test_plateau_reduces_at_every_bad_step_without_patience_and_cooldown():
    opt = lr_scheduler.Rates(1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=0, eps=0.125)
    rates = []
    for _ in range(6):
        schedule.step(1.0)
        rates += schedule.get_last_lr()
    assert rates == [1.0, 0.5, 0.25, 0.25, 0.25, 0.25]  # a reduction by eps itself is not made


def test_cyclic_and_one_cycle_set_the_initial_rates():
    opt = optimizer("")
    schedule = made("CyclicLR(opt, [0.3, 0.2], 0.5)", opt)
    assert schedule.base_lrs == [group["initial_lr"] for group in opt.param_groups] == [0.3, 0.2]
    assert schedule.lr_at(1) == pytest.approx(0.3 + 0.2 / 2000)
    assert schedule.momentum_at(1) == pytest.approx(0.9 - 0.1 / 2000)
    ranged = made("CyclicLR(opt, 0.1, 0.5, 3, mode='exp_range')", optimizer(""))
    assert preview(ranged, 20) == preview(made("CyclicLR(opt, 0.1, 0.5, 3)", optimizer("")), 20)
    once = made("OneCycleLR(opt, [0.5, 0.1], 10, base_momentum=[0.5, 0.6])", optimizer(""))
    assert (once.lr_at(2), once.momentum_at(2)) == (0.5, 0.5)
    assert once.base_lrs == [0.02, 0.004]


def test_a_chain_in_a_sequence_starts_at_its_step_0():
    # PyTorch 2.13 takes one step too many of the exponential schedule in the chain.
    opt = optimizer("")
    chain = "ChainedScheduler([LinearLR(opt, 0.5, 1.0, 2), ExponentialLR(opt, 0.5)])"
    schedule = made(f"SequentialLR(opt, [{chain}, {chain}], milestones=[4])", opt)
    curve = [0.5, 0.375, 0.25, 0.125]
    np.testing.assert_allclose(preview(schedule, 8), [0.1 * x for x in curve + curve], rtol=1e-14)


INNER = {
    "chain": "ChainedScheduler([StepLR(opt, 2), ExponentialLR(opt, 0.5)])",
    "sequence": "SequentialLR(opt, [StepLR(opt, 2), ExponentialLR(opt, 0.5)], [3])",
    "warm-up": "WarmupLR(ExponentialLR(opt, 0.5), 3)",
}


@each(INNER.values())
def test_a_combination_in_a_sequence_counts_its_own_steps(inner):
    opt = optimizer("")
    first, second = made(inner, opt), made(inner, opt)
    first.step()
    second.step()  # the sequence restarts both
    whole = lr_scheduler.SequentialLR(opt, [first, second], [5])
    for t in range(9):
        turn = first if t < 5 else second
        assert turn.last_epoch == t % 5
        assert turn.get_last_lr() == whole.get_last_lr() == seen(opt)[:2]
        whole.step()


def test_a_custom_schedule_needs_a_curve_only():
    class Halving(lr_scheduler.LRScheduler, curve=lambda t: 0.5**t):
        pass

    assert preview(Halving, 3) == [1.0, 0.5, 0.25]
    with pytest.raises(AttributeError, match="'LRScheduler' has no attribute 'curve'"):
        lr_scheduler.LRScheduler(optimizer(""))


def test_restarts_of_long_cycles_occur_at_exact_steps():
    for T_0, T_mult in ((1, 3), (10, 2), (7, 10)):
        start, period = 0, T_0
        for _ in range(12):
            assert functions.cosine_restarts(start, T_0, T_mult) == 1.0
            assert functions.cosine_restarts(start + period - 1, T_0, T_mult) <= 1.0
            start, period = start + period, period * T_mult


def test_restarts_shrink_by_their_decay():
    found = preview(lr_scheduler.CosineAnnealingWarmRestarts, 14, lr=2.0, T_0=2, T_mult=2, eta_min=0.5, decay=0.5)
    expected, start, length = [], 0, 2
    for cycle in range(3):
        angles = np.pi * np.arange(length) / length
        expected += list(0.5 + 1.5 * 0.5**cycle * (1 + np.cos(angles)) / 2)
        start, length = start + length, 2 * length
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_cyclic_polynomial_stretches_to_the_present_cycle():
    # the formula of Keras's PolynomialDecay(cycle=True)
    found = preview(lr_scheduler.PolynomialLR, 13, lr=0.8, total_iters=4, power=2.0, cycle=True)
    expected = [0.8 * (1 - t / (4 * max(1, math.ceil(t / 4)))) ** 2 for t in range(13)]
    np.testing.assert_allclose(found, expected)


def test_sparkline_of_constant_empty_nonfinite_and_long_curves():
    assert sparkline([1.0, 2.0]) == "▁█"
    assert sparkline([3.0, 3.0, 3.0]) == "▁▁▁"
    assert sparkline([]) == ""
    assert sparkline([0.0, math.nan, 1.0, math.inf]) == "▁?█?"
    assert len(sparkline(range(1000))) == 60
    assert sparkline(range(1000), width=8) == "▁▂▃▄▅▆▇█"
    with pytest.raises(ValueError, match="width"):
        sparkline([1.0], width=0)


@each(EVERY)
def test_the_optimizer_is_not_patched(name):
    class Sealed(lr_scheduler.Rates):
        __setattr__ = None  # assigning any attribute is a TypeError

    sealed = object.__new__(Sealed)
    vars(sealed)["param_groups"] = optimizer(name).param_groups
    schedule = made(EVERY[name], sealed)
    schedule.step()
    assert set(vars(sealed)) == {"param_groups"}


def test_base_lrs_of_a_combination_are_the_initial_rates():
    rates = lr_scheduler.Rates(0.5)
    assert lr_scheduler.ChainedScheduler(
        [lr_scheduler.StepLR(rates, 3), lr_scheduler.ExponentialLR(rates, 0.9)]
    ).base_lrs == [0.5]


def test_multiplicative_rate_of_an_earlier_step():
    schedule = lr_scheduler.MultiplicativeLR(lr_scheduler.Rates(1.0), lambda t: 0.5)
    assert [schedule.lr_at(t) for t in (3, 1, 2)] == [0.125, 0.5, 0.25]


def test_chebyshev_steps_reach_the_optimal_bound_on_a_quadratic():
    ratio, curvature = 20.0, np.linspace(1.0, 20.0, 500)
    for steps in (4, 8, 13, 16):
        left = np.prod(
            [
                1.0 - eta * curvature
                for eta in preview(lr_scheduler.ChebyshevLR, steps, 1.0, total_iters=steps, ratio=ratio)
            ],
            axis=0,
        )
        bound = 1.0 / np.cosh(steps * np.arccosh((ratio + 1.0) / (ratio - 1.0)))
        assert np.abs(left).max() == pytest.approx(bound, rel=1e-9)


def test_waves_of_cos_log4_end_at_powers_of_two():
    curve = preview(lr_scheduler.CosLog4LR, 151, lr=1.0, total_iters=150)
    np.testing.assert_allclose([curve[k] for k in (0, 10, 30, 70, 150)], 0.0, atol=1e-12)
    peaks = [max(curve[a:b]) for a, b in ((0, 10), (10, 30), (30, 70), (70, 150))]
    assert min(peaks) > 0.98


def test_piecewise_linear_needs_a_factor_for_each_ascending_milestone():
    for milestones, factors in (([0, 5], [1.0]), ([5, 0], [1.0, 0.5]), ([5, 5], [1.0, 0.5])):
        with pytest.raises(ValueError, match="ascending milestones and as many factors"):
            lr_scheduler.PiecewiseLinearLR(optimizer(""), milestones, factors)
