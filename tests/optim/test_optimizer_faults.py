"""Bad input: every error is of the right type, names the value, and leaves everything as it was."""

import copy

import numpy as np
import pytest
from optimizer_problem import Parameter

import optim
from autograd import Tensor, Value


def one(name="", data=1.0, grad=0.5):
    return Parameter(data, grad, name)


def array(*shape, name="", dtype=np.float64):
    rng = np.random.default_rng(5)
    return Parameter(rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype), name)


# -- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [[], (), iter([]), (p for p in [])], ids=["list", "tuple", "iter", "spent"])
def test_no_parameters(nothing):
    with pytest.raises(ValueError, match=r"empty list.*list\(\.\.\.\) if a generator"):
        optim.SGD(nothing)


def test_a_generator_used_up_before():
    parameters = (p for p in [one()])
    optim.SGD(parameters)
    with pytest.raises(ValueError, match="generator"):
        optim.Adam(parameters)


@pytest.mark.parametrize("bare", [one(), Tensor([1.0], requires_grad=True), Value(1.0)], ids=type)
def test_a_bare_parameter(bare):
    with pytest.raises(TypeError, match=r"put the one parameter in a list: Adam\(\[parameter\]\)"):
        optim.Adam(bare)


@pytest.mark.parametrize(
    "wrong", [[1.0], [np.ones(2)], ["W"], [None], [one(), 3]], ids=["float", "array", "str", "None", "mixed"]
)
def test_entries_that_are_no_parameters(wrong):
    with pytest.raises(TypeError, match=r"entry \d must be a parameter, got"):
        optim.SGD(wrong)


@pytest.mark.parametrize("wrong", ["W", 3, None, {"params": []}], ids=["str", "int", "None", "one dict"])
def test_what_is_no_list(wrong):
    with pytest.raises(TypeError, match="needs a list of parameters"):
        optim.SGD(wrong)


def test_dicts_and_parameters_mixed():
    with pytest.raises(TypeError, match="mixed"):
        optim.SGD([{"params": [one()]}, one()])


def test_a_computed_node():
    x = Tensor([1.0], requires_grad=True, name="x")
    y = x * 2
    y.name = "y"
    with pytest.raises(ValueError, match=r"parameter 'y' is not a leaf.*Parameter\(x\.data\)"):
        optim.SGD([y])
    with pytest.raises(ValueError, match="parameter 1 is not a leaf"):
        optim.SGD([Value(1.0), Value(1.0) + Value(2.0)])


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.complex128])
def test_numbers_that_take_no_small_steps(dtype):
    with pytest.raises(TypeError, match="floating-point"):
        optim.SGD([Parameter(np.ones(2, dtype))])


def test_twice_in_a_group_warns_and_counts_once():
    p = one("w")
    with pytest.warns(UserWarning, match="parameter 'w' twice"):
        optimizer = optim.SGD([p, one(), p], lr=1.0)
    optimizer.step()
    assert p.data == 0.5
    assert len(optimizer.param_groups[0]["params"]) == 2


def test_in_two_groups():
    p = one("w")
    with pytest.raises(ValueError, match="'w' is in group 0 already"):
        optim.SGD([{"params": [p]}, {"params": [one(), p]}])
    optimizer = optim.SGD([p])
    with pytest.raises(ValueError, match="group 0 already"):
        optimizer.add_param_group({"params": [p]})
    assert len(optimizer.param_groups) == 1


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_impossible_step_lengths(lr):
    with pytest.raises(ValueError, match=rf"lr must be in \[0, inf\), got .*{float(lr)}"):
        optim.Adam([one()], lr=lr)
    with pytest.raises(ValueError, match="lr must be in"):
        optim.Adam([{"params": [one()], "lr": lr}])


@pytest.mark.parametrize("lr", ["0.1", None, [0.1], True, 1j])
def test_step_lengths_that_are_no_numbers(lr):
    with pytest.raises(TypeError, match="lr must be a number"):
        optim.SGD([one()], lr=lr)


@pytest.mark.parametrize("lr", [1, np.float32(0.5), np.float64(0.5), np.int64(2), 0])
def test_numbers_of_other_kinds_become_floats(lr):
    group = optim.SGD([one()], lr=lr).param_groups[0]
    assert type(group["lr"]) is float
    assert group["lr"] == lr


BAD_OPTIONS = [
    ("Adam", "betas", (0.9, 1.0), r"betas\[1\] must be in \[0, 1\), got 1.0"),
    ("Adam", "betas", (-0.1, 0.9), r"betas\[0\] must be in \[0, 1\), got -0.1"),
    ("Adam", "betas", (0.9,), r"betas must be 2 values"),
    ("Adam", "betas", (0.9, 0.99, 0.999), r"betas must be 2 values"),
    ("Adam", "eps", -1e-8, r"eps must be in \[0, inf\), got -1e-08"),
    ("Adam", "eps", float("nan"), "eps"),
    ("Adam", "weight_decay", -0.1, "weight_decay must be in"),
    ("SGD", "momentum", -0.5, r"momentum must be in \[0, inf\), got -0.5"),
    ("SGD", "dampening", float("inf"), "dampening"),
    ("SGD", "nesterov", True, "nesterov=True needs momentum > 0"),
    ("RMSprop", "alpha", 1.5, r"alpha must be in \[0, 1\], got 1.5"),
    ("RMSprop", "eps_root", -1.0, "eps_root"),
    ("Adadelta", "rho", 1.1, r"rho must be in \[0, 1\], got 1.1"),
    ("Adagrad", "lr_decay", -1.0, "lr_decay"),
    ("Adagrad", "initial_accumulator_value", -1.0, "initial_accumulator_value"),
    ("Momentum", "beta", 1.0, r"beta must be in \[0, 1\)"),
    ("NAdam", "momentum_decay", -1.0, "momentum_decay"),
    ("Rprop", "etas", (1.1, 1.2), r"etas must be \(below 1, above 1\), got \(1.1, 1.2\)"),
    ("Rprop", "etas", (0.0, 1.2), "etas"),
    ("Rprop", "step_sizes", (1.0, 0.5), "step_sizes must be"),
    ("Adafactor", "d", 0.5, r"d must be in \[1, inf\), got 0.5"),
    ("Adafactor", "eps", (None, -1.0), r"eps\[1\]"),
    ("Adafactor", "beta2_decay", 0.5, r"beta2_decay must be in \(-inf, 0\]"),
    ("Muon", "ns_steps", 100, r"ns_steps must be in \[0, 99\]"),
    ("Muon", "adjust_lr_fn", "orginal", "adjust_lr_fn must be one of 'original'"),
    ("LBFGS", "max_iter", 0, r"max_iter must be in \[1, inf\)"),
    ("LBFGS", "history_size", 0, "history_size"),
    ("LBFGS", "line_search_fn", "wolfe", "line_search_fn must be one of 'strong_wolfe'"),
    ("Ftrl", "lr", -1.0, r"lr must be in \[0, inf\)"),
    ("Prodigy", "d0", 0.0, "d0"),
    ("ScheduleFreeSGD", "momentum", 0.0, r"momentum must be in \(0, 1\)"),
]


@pytest.mark.parametrize(("name", "option", "value", "message"), BAD_OPTIONS)
def test_options_out_of_range(name, option, value, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([array(2, 2)], **{option: value})
    good = getattr(optim, name)([array(2, 2)])
    with pytest.raises(ValueError, match=message):
        good.add_param_group({"params": [array(2, 2)], option: value})
    assert len(good.param_groups) == 1


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("Adam", "betas", 0.9),
        ("Adam", "amsgrad", 1),
        ("SGD", "nesterov", "yes"),
        ("LBFGS", "max_iter", 2.5),
        ("Adam", "maximize", None),
        ("Adam", "skip_nonfinite", 1),
    ],
)
def test_options_of_the_wrong_kind(name, option, value):
    with pytest.raises(TypeError, match=f"{option} must be"):
        getattr(optim, name)([one()], **{option: value})


def test_unknown_arguments_and_keys_with_what_was_meant():
    with pytest.raises(TypeError, match="Adam has no option 'beta': did you mean 'betas'"):
        optim.Adam([one()], beta=0.9)
    with pytest.raises(TypeError, match="no option 'fused'"):
        optim.Adam([one()], fused=True)
    with pytest.raises(ValueError, match="group 1 has an unknown key 'weigth_decay': did you mean 'weight_decay'"):
        optim.Adam([{"params": [one()]}, {"params": [one()], "weigth_decay": 0.1}])
    with pytest.raises(ValueError, match="has no 'params'; its keys are 'param'"):
        optim.Adam([{"param": [one()]}])
    with pytest.raises(TypeError, match="twice: by position and by name"):
        optim.Adam([one()], 0.1, lr=0.1)
    with pytest.raises(TypeError, match="at most"):
        optim.Momentum([one()], 0.1, 0.9, 0.0, 7)
    with pytest.raises(TypeError, match="group 1 must be a dict"):
        optim.Adam([one()]).add_param_group([one()])


def test_schedules_may_keep_their_own_keys_in_a_group():
    optimizer = optim.SGD([{"params": [one()], "initial_lr": 0.1}], lr=0.1)
    optimizer.param_groups[0]["swa_lr"] = 0.05
    other = optim.SGD([one()], lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    assert (other.param_groups[0]["initial_lr"], other.param_groups[0]["swa_lr"]) == (0.1, 0.05)


def test_named_parameters():
    optimizer = optim.SGD(iter([("w", one()), ("b", one())]))
    assert optimizer.param_groups[0]["param_names"] == ["w", "b"]
    with pytest.raises(ValueError, match="name all of them or none"):
        optim.SGD([("w", one()), one()])


def test_muon_takes_matrices_only():
    with pytest.raises(ValueError, match=r"parameter 'b' has shape \(3,\); Muon updates matrices"):
        optim.Muon([array(3, 2), array(3, name="b")])


# -- gradients -------------------------------------------------------------------------------------------------------


def test_no_gradient_at_all_is_no_step_for_any_parameter():
    p = array(3)
    p.grad = None
    optimizer = optim.Adam([p])
    before = p.data.copy()
    optimizer.step()
    np.testing.assert_array_equal(p.data, before)
    assert optimizer.state_dict()["state"] == {}


def test_a_gradient_of_another_shape():
    for cls in (optim.Adam, optim.LAMB):
        p, q = array(2, 3, name="W"), array(2)
        q.data, before = q.data.copy(), q.data.copy()
        p.grad = np.ones((3, 2))
        with pytest.raises(ValueError, match=r"parameter 'W' has shape \(2, 3\) but its gradient has shape \(3, 2\)"):
            cls([q, p]).step()
        np.testing.assert_array_equal(q.data, before)


def test_a_parameter_that_changed_shape_or_type():
    for cls in (optim.Adam, optim.LAMB):
        for changed in (np.ones(4), np.ones(3, np.float32)):
            p = array(3, name="b")
            optimizer = cls([p])
            p.data, p.grad = changed, np.ones_like(changed)
            with pytest.raises(ValueError, match="'b'"):
                optimizer.step()


AWKWARD = {
    "empty": np.zeros((0, 3)),
    "no axes": np.array(1.5),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "every second": np.arange(12.0).reshape(4, 3)[::2],
    "float32": np.ones((2, 3), np.float32),
    "float16": np.ones((2, 3), np.float16),
    "three axes": np.ones((2, 3, 2)),
}


@pytest.mark.parametrize("data", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("name", ["SGD", "Adam", "Adafactor", "LAMB", "LARS", "NovoGrad", "Rprop", "LBFGS"])
def test_awkward_arrays_take_the_right_step_and_keep_their_layout(name, data):
    p, plain = Parameter(data), Parameter(np.array(data, order="C", copy=True))
    g = np.cos(np.arange(data.size)).reshape(data.shape).astype(data.dtype)
    first, second = getattr(optim, name)([p]), getattr(optim, name)([plain])
    for _ in range(3):
        p.grad, plain.grad = np.array(g, order="F"), g

        def loss():
            return 1.0

        first.step(loss)
        second.step(loss)
    assert (p.data.shape, p.data.dtype) == (data.shape, data.dtype)
    assert p.data.flags.f_contiguous == data.flags.f_contiguous or not data.flags.forc
    np.testing.assert_allclose(p.data, plain.data, rtol=1e-6 if data.dtype == np.float32 else 1e-14)
    first.load_state_dict(first.state_dict())


# -- closures --------------------------------------------------------------------------------------------------------


def test_a_missing_closure():
    for optimizer in (optim.LBFGS([one()]), optim.SAM(optim.SGD([one()]))):
        with pytest.raises(TypeError, match="closure"):
            optimizer.step()


def test_a_closure_that_returns_nothing():
    p = array(3)
    before = p.data.copy()
    with pytest.raises(ValueError, match=r"closure given to LBFGS\.step returned None"):
        optim.LBFGS([p]).step(lambda: None)
    np.testing.assert_array_equal(p.data, before)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["SGD", "LBFGS", "SAM"])
def test_a_closure_that_raises_leaves_everything(name, after):
    p = array(3)
    optimizer = optim.SAM(optim.SGD([p])) if name == "SAM" else getattr(optim, name)([p])
    calls = []

    def closure():
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(0)
        p.grad = p.data**3 + 1
        return float((p.data**4).sum() / 4 + p.data.sum())

    before, state = p.data.copy(), copy.deepcopy(optimizer.state_dict())
    if after >= {"SGD": 1, "LBFGS": 99, "SAM": 2}[name]:
        optimizer.step(closure)
        return
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    np.testing.assert_array_equal(p.data, before)
    assert repr(optimizer.state_dict()) == repr(state)


def test_a_closure_is_called_once_and_its_loss_returned():
    p = array(3)
    calls = []
    assert optim.Adam([p]).step(lambda: calls.append(0) or 2.5) == 2.5
    assert len(calls) == 1


def test_a_step_that_fails_half_way_moves_nothing():
    class Fails(optim.Momentum):
        def rule(self, g, v, *, lr, beta):
            if g.size == 2:
                raise FloatingPointError("overflow")
            return super().rule(g, v, lr=lr, beta=beta)

    p, q = array(3, dtype=np.float32), array(2)
    optimizer = Fails([p, q])
    before = p.data.copy()
    with pytest.raises(FloatingPointError):
        optimizer.step()
    np.testing.assert_array_equal(p.data, before)
    assert (optimizer.step_count, optimizer.state_dict()["state"]) == (0, {})


# -- state dictionaries ---------------------------------------------------------------------------------------------


def trained(cls=optim.Adam, **options):
    params = [array(2, 3, name="W"), array(3, name="b")]
    optimizer = cls(params, **options)
    optimizer.step()
    return optimizer


def broken(change):
    state = trained().state_dict()
    change(state)
    return state


BROKEN = {
    "nothing": ({}, "no 'state' and no 'param_groups'"),
    "no dict": ([1, 2], "not a state_dict"),
    "None": (None, "not a state_dict"),
    "garbage": ({"state": 3, "param_groups": "x"}, "not a state_dict"),
    "another optimizer": (trained(optim.SGD).state_dict(), "the state_dict of SGD into Adam"),
    "fewer parameters": (broken(lambda s: s["param_groups"][0]["params"].pop()), "has 1 parameters, this Adam has 2"),
    "more groups": (broken(lambda s: s["param_groups"].append({})), "has 2 parameter groups, this Adam has 1"),
    "no options": (broken(lambda s: s["param_groups"][0].pop("betas")), "lacks 'betas'"),
    "bad option": (broken(lambda s: s["param_groups"][0].update(lr=-1)), "lr must be in"),
    "option of no kind": (broken(lambda s: s["param_groups"][0].update(lr="x")), "lr must be a number"),
    "unknown option": (broken(lambda s: s["param_groups"][0].update(rho=1)), "unknown key 'rho'"),
    "another shape": (broken(lambda s: s["state"][0].update(m=np.ones(5))), r"'m' of parameter 'W' has shape \(5,\)"),
    "part missing": (broken(lambda s: s["state"][1].pop("v")), "state of parameter 'b' lacks 'v'"),
    "part unknown": (broken(lambda s: s["state"][1].update(u=1)), "unknown part 'u'"),
    "no step": (broken(lambda s: s["state"][1].pop("step")), "no number 'step'"),
    "words": (broken(lambda s: s["state"][1].update(m=["a", "b", "c"])), "'m' of parameter 'b' must be an array"),
}


@pytest.mark.parametrize(("state", "message"), BROKEN.values(), ids=BROKEN)
def test_a_state_dict_that_does_not_fit_loads_nothing(state, message):
    optimizer = trained(lr=0.25)
    before = repr(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


@pytest.mark.parametrize("state", [{}, None, {"optimizer": "Lookahead"}, trained().state_dict()], ids=repr)
def test_wrappers_and_lbfgs_refuse_what_is_not_theirs(state):
    for optimizer in (
        optim.Lookahead(optim.SGD([array(2)])),
        optim.SAM(optim.SGD([array(2)])),
        optim.LBFGS([array(2)]),
    ):
        before = repr(optimizer.state_dict())
        with pytest.raises(ValueError, match="state_dict"):
            optimizer.load_state_dict(state)
        assert repr(optimizer.state_dict()) == before


def overwritten(value):
    """Write into every array of a state and change every number."""
    for key, item in value.items():
        if isinstance(item, dict):
            overwritten(item)
        elif isinstance(item, np.ndarray):
            item[...] = 7.0
        elif isinstance(item, float):
            value[key] = 7.0


@pytest.mark.parametrize("name", ["Adam", "LAMB", "Adafactor", "LBFGS", "Lookahead"])
def test_the_state_shares_nothing_with_the_optimizer(name):
    cls = (lambda params: optim.Lookahead(optim.LAMB(params))) if name == "Lookahead" else getattr(optim, name)
    params = [array(2, 3, name="W"), array(3, name="b")]
    optimizer = cls(params)
    optimizer.step(lambda: 1.0)
    state = optimizer.state_dict()
    before = copy.deepcopy(state)
    overwritten(state)
    assert repr(optimizer.state_dict()) == repr(before), "it is written into from outside"
    state = copy.deepcopy(before)
    params[0].grad = params[0].grad * 2
    optimizer.step(lambda: 2.0)
    assert repr(state) == repr(before)
    optimizer.load_state_dict(state)
    overwritten(state)
    assert repr(optimizer.state_dict()) == repr(before), "the loaded dict is still in use"


def test_loading_replaces_the_options_and_keeps_the_places():
    def made():
        groups = [{"params": [array(2)]}, {"params": [array(3), array(4)], "lr": 0.5}]
        optimizer = optim.Adam(groups)
        optimizer.step()
        return optimizer

    optimizer, other = made(), made()
    optimizer.param_groups[0]["initial_lr"] = 0.1
    optimizer.load_state_dict(other.state_dict())
    assert "initial_lr" not in optimizer.param_groups[0]
    assert repr(optimizer.state_dict()) == repr(other.state_dict())


def test_options_that_do_not_go_together_are_refused_in_a_state_dict_too():
    optimizer = trained(optim.SGD)
    state = optimizer.state_dict()
    state["param_groups"][0]["nesterov"] = True
    with pytest.raises(ValueError, match="nesterov=True needs momentum > 0"):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["nesterov"] is False


def test_groups_stay_the_same_objects_when_a_state_is_loaded():
    optimizer = trained()
    group = optimizer.param_groups[0]
    optimizer.load_state_dict(trained(lr=0.5).state_dict())
    assert optimizer.param_groups[0] is group
    assert group["lr"] == 0.5
    assert group["betas"] == (0.9, 0.999)


def test_a_state_is_plain_data():
    def walk(value):
        if isinstance(value, dict):
            assert all(type(key) in (str, int) for key in value)
            for item in value.values():
                walk(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                walk(item)
        else:
            assert type(value) in (int, float, bool, str, type(None), np.ndarray), repr(value)

    for name in optim.__all__:
        cls = getattr(optim, name)
        if isinstance(cls, type) and issubclass(cls, optim.Optimizer) and hasattr(cls, "rule"):
            walk(trained_on_matrix(cls).state_dict())


def trained_on_matrix(cls):
    optimizer = cls([array(2, 3)])
    optimizer.step()
    return optimizer


def test_a_parameter_it_does_not_move():
    with pytest.raises(ValueError, match="does not update this parameter"):
        optim.SGD([one()]).trace(one())
