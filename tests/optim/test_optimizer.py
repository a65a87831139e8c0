"""Invalid input of optimizers: type and message of the errors, which leave everything unchanged."""

import copy
import re
import warnings

import numpy as np
import pytest
from looping import each
from optimizer_problem import Parameter

import optim
from autograd import Tensor, Value
from optim.algorithms.second_order import Point, cubic_minimum


def one(name="", data=1.0, grad=0.5):
    return Parameter(data, grad, name)


def array(*shape, name="", dtype=np.float64):
    rng = np.random.default_rng(5)
    return Parameter(rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype), name)


# -- parameters ------------------------------------------------------------------------------------------------------


def test_an_empty_list_of_parameters_raises():
    for nothing in ([], (), iter([]), (p for p in [])):
        with pytest.raises(ValueError, match=r"empty list.*list\(\.\.\.\) if a generator"):
            optim.SGD(nothing)


def test_an_exhausted_generator_raises():
    parameters = (p for p in [one()])
    optim.SGD(parameters)
    with pytest.raises(ValueError, match="generator"):
        optim.Adam(parameters)


@each([one(), Tensor([1.0], requires_grad=True), Value(1.0)])
def test_a_bare_parameter_raises(bare):
    with pytest.raises(TypeError, match=r"put the one parameter in a list: Adam\(\[parameter\]\)"):
        optim.Adam(bare)


@each([[1.0], [np.ones(2)], ["W"], [None], [one(), 3]])
def test_an_entry_that_is_not_a_parameter_raises(wrong):
    with pytest.raises(TypeError, match=r"entry \d must be a parameter, got"):
        optim.SGD(wrong)


@each(["W", 3, None, {"params": []}])
def test_parameters_that_are_not_a_list_raise(wrong):
    with pytest.raises(TypeError, match="needs a list of parameters"):
        optim.SGD(wrong)


def test_a_set_of_parameters_raises():
    with pytest.raises(TypeError, match="fixed order, got a set"):
        optim.SGD({one(), one()})


def test_dicts_and_parameters_mixed_raise():
    with pytest.raises(TypeError, match="entry 0 must be a parameter, got dict"):
        optim.SGD([{"params": [one()]}, one()])


def test_a_computed_node_raises():
    x = Tensor([1.0], requires_grad=True, name="x")
    y = x * 2
    y.name = "y"
    with pytest.raises(ValueError, match=r"parameter 'y' is not a leaf.*Parameter\(x\.data\)"):
        optim.SGD([y])
    with pytest.raises(ValueError, match="parameter 1 is not a leaf"):
        optim.SGD([Value(1.0), Value(1.0) + Value(2.0)])


@each([np.int64, np.bool_, np.complex128])
def test_a_parameter_that_is_not_floating_point_raises(dtype):
    with pytest.raises(TypeError, match="floating-point"):
        optim.SGD([Parameter(np.ones(2, dtype))])


def test_a_parameter_listed_twice_in_a_group_raises():
    p = one("w")
    with pytest.raises(ValueError, match="'w' is in group 0 already; list it once"):
        optim.SGD([p, one(), p], lr=1.0)


def test_a_parameter_in_two_groups_raises():
    p = one("w")
    with pytest.raises(ValueError, match="'w' is in group 0 already"):
        optim.SGD([{"params": [p]}, {"params": [one(), p]}])
    optimizer = optim.SGD([p])
    with pytest.raises(ValueError, match="group 0 already"):
        optimizer.add_param_group({"params": [p]})
    assert len(optimizer.param_groups) == 1


# -- options ---------------------------------------------------------------------------------------------------------


@each([-0.1, float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_a_learning_rate_out_of_range_raises(lr):
    with pytest.raises(ValueError, match=rf"lr must be in \[0, inf\), got .*{float(lr)}"):
        optim.Adam([one()], lr=lr)
    with pytest.raises(ValueError, match="lr must be in"):
        optim.Adam([{"params": [one()], "lr": lr}])


@each(["0.1", None, [0.1], True, 1j])
def test_a_learning_rate_that_is_not_a_number_raises(lr):
    with pytest.raises(TypeError, match="lr must be a number"):
        optim.SGD([one()], lr=lr)


@each([1, np.float32(0.5), np.float64(0.5), np.int64(2), 0])
def test_a_learning_rate_of_another_type_becomes_a_float(lr):
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


def test_an_option_out_of_range_raises():
    for name, option, value, message in BAD_OPTIONS:
        check_option(name, option, value, message)


def check_option(name, option, value, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([array(2, 2)], **{option: value})
    good = getattr(optim, name)([array(2, 2)])
    with pytest.raises(ValueError, match=message):
        good.add_param_group({"params": [array(2, 2)], option: value})
    assert len(good.param_groups) == 1


@each(
    [
        ("Adam", "betas", 0.9),
        ("Adam", "amsgrad", 1),
        ("SGD", "nesterov", "yes"),
        ("LBFGS", "max_iter", 2.5),
        ("Adam", "maximize", None),
        ("Adam", "skip_nonfinite", 1),
    ]
)
def test_an_option_of_the_wrong_type_raises(name, option, value):
    with pytest.raises(TypeError, match=f"{option} must be"):
        getattr(optim, name)([one()], **{option: value})


def test_unknown_arguments_and_keys_raise_and_suggest_names():
    with pytest.raises(TypeError, match="Adam has no option 'beta': did you mean 'betas'"):
        optim.Adam([one()], beta=0.9)
    with pytest.raises(TypeError, match="no option 'fused'"):
        optim.Adam([one()], fused=True)
    with pytest.raises(ValueError, match="group 1 has an unknown key 'weigth_decay': did you mean 'weight_decay'"):
        optim.Adam([{"params": [one()]}, {"params": [one()], "weigth_decay": 0.1}])
    with pytest.raises(ValueError, match="has no 'params'; its keys are 'param'"):
        optim.Adam([{"param": [one()]}])
    with pytest.raises(TypeError, match="Adam: multiple values for argument 'lr'"):
        optim.Adam([one()], 0.1, lr=0.1)
    with pytest.raises(TypeError, match="Momentum: too many positional arguments"):
        optim.Momentum([one()], 0.1, 0.9, 0.0, 7)
    with pytest.raises(TypeError, match="group 1 must be a dict"):
        optim.Adam([one()]).add_param_group([one()])


def test_keys_of_schedules_in_a_group_are_saved():
    optimizer = optim.SGD([{"params": [one()], "initial_lr": 0.1}], lr=0.1)
    other = optim.SGD([one()], lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["initial_lr"] == 0.1


def test_named_parameters_are_recorded_in_the_group():
    optimizer = optim.SGD(iter([("w", one()), ("b", one())]))
    assert optimizer.param_groups[0]["param_names"] == ["w", "b"]
    with pytest.raises(TypeError, match="entry 0 must be a parameter, got tuple"):
        optim.SGD([("w", one()), one()])


def test_muon_updates_other_parameters_than_matrices_as_adamw():
    data = [array(3, 2), array(3), array(), array(2, 2, 2), array(4, 2)]
    pairs = [(Parameter(p.data.copy(), p.grad), Parameter(p.data.copy(), p.grad)) for p in data[1:]]
    groups = [{"params": [data[0], *[p for p, _ in pairs[:3]]]}, {"params": [pairs[3][0]], "use_muon": False}]
    muon = optim.Muon(groups, lr=0.1, weight_decay=0.2, eps=1e-8)
    adamw = optim.AdamW([q for _, q in pairs], lr=0.1, weight_decay=0.2)
    other = optim.Muon([Parameter(data[0].data.copy(), data[0].grad)], lr=0.1, weight_decay=0.2, eps=1e-8)
    for _ in range(3):
        for optimizer in (muon, adamw, other):
            optimizer.step()
        state = muon.state_dict()
    for p, q in [*pairs, (data[0], other.parameters[0])]:
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)
    muon.load_state_dict(state)
    assert muon.state_dict()["state"][0].keys() == {"step", "buf"}


def test_cautious_updates_keep_the_sign_of_the_gradient():
    # Liang et al. 2024, Algorithm 1: keep what agrees with the gradient, and divide by its share
    p = Parameter(np.zeros(4), np.array([1.0, 1.0, -1.0, 1.0]))
    optimizer = optim.Momentum([p], lr=1.0, beta=0.75, cautious=True)
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-0.25, -0.25, 0.25, -0.25])
    p.grad = np.array([-1.0, 1.0, -1.0, -1.0])  # v = -0.0625, 0.4375, -0.4375, -0.0625: half changed sign
    found = optimizer.trace(p, 1)
    assert found["step"] == 0.4375
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-0.25 + 0.0625, -0.6875, 0.6875, -0.25 + 0.0625])


# -- gradients -------------------------------------------------------------------------------------------------------


def test_a_step_without_any_gradient_changes_nothing():
    p = array(3)
    p.grad = None
    optimizer = optim.Adam([p])
    before = p.data.copy()
    with pytest.warns(RuntimeWarning, match=r"Adam.step\(\) found no gradient.* call loss.backward\(\) before step"):
        optimizer.step()
    optimizer.step()  # one warning is enough
    np.testing.assert_array_equal(p.data, before)
    assert optimizer.state_dict()["state"] == {}


def descend(cls, lr, data=(1.0, 1.0), steps=400):
    """Minimize ``sum((3 p - 1)**2)`` in a loop as users write it, and return the parameter."""
    p = Parameter(np.array(data), None)
    optimizer = cls([p], lr=lr)
    for _ in range(steps):
        p.grad = 6.0 * (3.0 * p.data - 1.0)
        optimizer.step()
    return p.data


@pytest.mark.parametrize(
    ("cls", "lr", "data", "said"),
    [
        (optim.SGD, 10.0, (1.0, 1.0), r"of SGD: lower the learning rate of 10, or clip"),
        (optim.SGD, 1e6, (1.0, 1.0), r"of SGD: lower the learning rate of 1e\+06, or clip"),
        (optim.Adam, 1e99, (1.0, 1.0), r"of Adam: lower the learning rate of 1e\+99, or clip"),
        (optim.SGD, 0.01, (1.0, np.nan), r"nan after step 1 of SGD: check that inputs .* are finite"),
    ],
)
def test_a_diverging_loop_warns_once_with_the_cure_and_leaves_the_settings_of_numpy(cls, lr, data, said):
    settings = np.geterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        descend(cls, lr, data)
    first, *others = (str(warning.message) for warning in caught)
    assert re.search(f"a parameter is .*{said}", first)
    assert all("encountered in" in other for other in others)  # NumPy's, of overflow
    assert np.geterr() == settings


def test_lbfgs_warns_of_divergence():
    p = Parameter(np.array([1.0]), np.array([1.0]))
    optimizer = optim.LBFGS([p], lr=1e17, max_iter=1)
    with pytest.warns(RuntimeWarning, match=r"after step 1 of LBFGS: lower the learning rate of 1e\+17, or clip"):
        optimizer.step(lambda: 1.0)
    assert optimizer.diverged


def test_divergence_that_the_caller_reports_is_not_warned_about():
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite(descend(optim.SGD, 1e6)).all()


def test_a_gradient_of_another_shape_raises():
    for cls in (optim.Adam, optim.LAMB):
        p, q = array(2, 3, name="W"), array(2)
        q.data, before = q.data.copy(), q.data.copy()
        p.grad = np.ones((3, 2))
        with pytest.raises(ValueError, match=r"parameter 'W' has shape \(2, 3\) but its gradient has shape \(3, 2\)"):
            cls([q, p]).step()
        np.testing.assert_array_equal(q.data, before)


def test_a_parameter_that_changed_shape_or_dtype_raises():
    for cls in (optim.Adam, optim.LAMB):
        for changed in (np.ones(4), np.ones(3, np.float32)):
            p = array(3, name="b")
            optimizer = cls([p])
            p.data, p.grad = changed, np.ones_like(changed)
            with pytest.raises(ValueError, match="'b'"):
                optimizer.step()


def test_data_of_another_shape_are_named_as_the_cause():
    for cls in (optim.SGD, optim.LAMB, optim.LBFGS):
        p = array(2)
        optimizer = cls([p])

        def closure(p=p):
            p.grad = 2.0 * p.data
            return float(np.sum(p.data**2))

        optimizer.step(closure)
        with warnings.catch_warnings(action="ignore"):
            p.data = np.ones((2, 2))
        with pytest.raises(ValueError, match=r"replaced by others of another shape.*: make a new optimizer"):
            optimizer.step(closure)


AWKWARD = {
    "empty": np.zeros((0, 3)),
    "no axes": np.array(1.5),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "every second": np.arange(12.0).reshape(4, 3)[::2],
    "float32": np.ones((2, 3), np.float32),
    "float16": np.ones((2, 3), np.float16),
    "three axes": np.ones((2, 3, 2)),
}


@each(["SGD", "Adam", "Adafactor", "LAMB", "LARS", "NovoGrad", "Rprop", "LBFGS"], AWKWARD)
def test_arrays_of_any_layout_take_the_same_step_and_keep_their_layout(name, kind):
    data = AWKWARD[kind]
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


@each(["Muon", "SM3", "Shampoo", "SOAP", "PSGDKron"])
def test_a_matrix_without_elements_takes_a_step(name):
    p = Parameter(np.zeros((0, 3)))
    p.grad = np.zeros((0, 3))
    getattr(optim, name)([p]).step()
    assert p.data.shape == (0, 3)


# -- closures --------------------------------------------------------------------------------------------------------


def test_a_missing_closure_raises():
    for optimizer in (optim.LBFGS([one()]), optim.SAM(optim.SGD([one()]))):
        with pytest.raises(TypeError, match="closure"):
            optimizer.step()


@each([optim.LBFGS, optim.NewtonCG, optim.AdaHessian, lambda p: optim.SAM(optim.SGD(p))])
def test_sam_of_an_optimizer_that_needs_a_closure_raises(inner):
    with pytest.raises(TypeError, match=r"SAM cannot wrap \w+, .* such as SAM\(SGD\(parameters, lr=0.1\)\)"):
        optim.SAM(inner([one()]))


def test_a_closure_that_returns_none_raises():
    p = array(3)
    before = p.data.copy()
    with pytest.raises(ValueError, match=r"closure given to LBFGS\.step returned None"):
        optim.LBFGS([p]).step(lambda: None)
    np.testing.assert_array_equal(p.data, before)


@each(["SGD", "LBFGS", "SAM"], [0, 1, 2, 3])
def test_a_closure_that_raises_changes_nothing(name, after):
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


def test_a_step_that_fails_for_one_parameter_changes_nothing():
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
    "no options": (broken(lambda s: s["param_groups"][0].pop("betas")), "Adam, group 0: it has no 'betas'"),
    "bad option": (broken(lambda s: s["param_groups"][0].update(lr=-1)), "lr must be in"),
    "option of no kind": (broken(lambda s: s["param_groups"][0].update(lr="x")), "lr must be a number"),
    "unknown option": (broken(lambda s: s["param_groups"][0].update(rho=1)), "unknown key 'rho'"),
    "another shape": (broken(lambda s: s["state"][0].update(m=np.ones(5))), r"'m' of parameter 'W' has shape \(5,\)"),
    "part missing": (broken(lambda s: s["state"][1].pop("v")), "state of parameter 'b' lacks 'v'"),
    "part unknown": (broken(lambda s: s["state"][1].update(u=1)), "unknown part 'u'"),
    "no step": (broken(lambda s: s["state"][1].pop("step")), "no number 'step'"),
    "words": (broken(lambda s: s["state"][1].update(m=["a", "b", "c"])), "'m' of parameter 'b' must be an array"),
}


@each(BROKEN.values())
def test_an_unsuitable_state_dict_raises_and_changes_nothing(state, message):
    optimizer = trained(lr=0.25)
    before = repr(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


@each([{}, None, {"optimizer": "Lookahead"}, trained().state_dict()])
def test_wrappers_and_lbfgs_raise_for_other_state_dicts(state):
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


@each(["Adam", "LAMB", "Adafactor", "LBFGS", "Lookahead"])
def test_the_state_shares_nothing_with_the_optimizer(name):
    cls = (lambda params: optim.Lookahead(optim.LAMB(params))) if name == "Lookahead" else getattr(optim, name)
    params = [array(2, 3, name="W"), array(3, name="b")]
    optimizer = cls(params)
    optimizer.step(lambda: 1.0)
    state = optimizer.state_dict()
    before = copy.deepcopy(state)
    overwritten(state)
    assert repr(optimizer.state_dict()) == repr(before), "the optimizer uses the returned arrays"
    state = copy.deepcopy(before)
    params[0].grad = params[0].grad * 2
    optimizer.step(lambda: 2.0)
    assert repr(state) == repr(before)
    optimizer.load_state_dict(state)
    overwritten(state)
    assert repr(optimizer.state_dict()) == repr(before), "the optimizer uses the loaded arrays"


def test_loading_replaces_all_options_of_a_group():
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


def test_incompatible_options_in_a_state_dict_raise():
    optimizer = trained(optim.SGD)
    state = optimizer.state_dict()
    state["param_groups"][0]["nesterov"] = True
    with pytest.raises(ValueError, match="nesterov=True needs momentum > 0"):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["nesterov"] is False


def test_loading_keeps_the_group_objects():
    optimizer = trained()
    group = optimizer.param_groups[0]
    optimizer.load_state_dict(trained(lr=0.5).state_dict())
    assert optimizer.param_groups[0] is group
    assert group["lr"] == 0.5
    assert group["betas"] == (0.9, 0.999)


@each([False, True])
def test_state_may_be_a_view_of_the_gradient(is_elementwise):
    class Difference(optim.Optimizer):
        elementwise = is_elementwise

        def rule(self, g, before):
            return g - before, (g.T,)

    p = Parameter(np.zeros((2, 2)))
    optimizer = Difference([p])
    for k in (1.0, 5.0, 7.0):
        p.grad = np.full((2, 2), k)
        optimizer.step()
        assert (p.data == -k).all()


def test_a_state_dict_is_plain_data():
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
    if cls.needs_product:
        optimizer.estimate(lambda v: v)
    optimizer.step()
    return optimizer


def test_trace_of_a_parameter_of_another_optimizer_raises():
    with pytest.raises(ValueError, match="SGD does not update "):
        optim.SGD([one()]).trace(one())


def test_a_group_of_one_parameter_needs_no_list():
    optimizer = optim.SGD([{"params": array(2), "lr": 0.1}])
    assert len(optimizer.param_groups[0]["params"]) == 1
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match="group 0 of the state_dict has no list 'params'"):
        optimizer.load_state_dict({**state, "param_groups": [{"lr": 0.1}]})


def test_lbfgs_raises_for_a_second_group_and_for_an_unsuitable_state():
    with pytest.raises(ValueError, match="one group"):
        optim.LBFGS([{"params": [array(2)]}, {"params": [array(2)]}])
    leaf = array(2)
    optimizer = optim.LBFGS([leaf], lr=0.5, max_iter=2)

    def closure():
        leaf.grad = leaf.data**3
        return float((leaf.data**4).sum() / 4)

    optimizer.step(closure)
    good = optimizer.state_dict()
    before = repr(good)
    for change, says in (
        (lambda s: s.pop("t"), "has no 't'"),
        (lambda s: s.update(d=np.ones(5)), r"'d' has shape \(5,\).*\(2,\)"),
    ):
        bad = {**good, "memory": dict(good["memory"])}
        change(bad["memory"])
        with pytest.raises(ValueError, match=says):
            optimizer.load_state_dict(bad)
        assert repr(optimizer.state_dict()) == before
    with pytest.raises(ValueError, match="'state' a dict"):
        optimizer.load_state_dict({**good, "state": 3})
    assert repr(optimizer.state_dict()) == before


def test_misspelled_keyword_of_a_class_raises_with_the_right_one():
    with pytest.raises(TypeError, match="class Mine got an unknown keyword 'elementwize': did you mean 'elementwise'"):

        class Mine(optim.SGD, elementwize=False):
            pass


def test_lookahead_raises_for_slow_weights_of_another_shape():
    leaf = array(2)
    optimizer = optim.Lookahead(optim.SGD([leaf], lr=0.5))
    assert repr(optimizer).startswith("Lookahead(k=")
    assert str(optimizer.trace(leaf, 0)).endswith("p - step")
    optimizer.step()
    state = optimizer.state_dict()
    before = repr(state)
    for change, says in (
        ({"slow": {0: np.ones(3)}}, r"slow parameter 0 has shape \(3,\).*\(2,\)"),
        ({"k": "five"}, "k must be"),
        ({"slow": 3}, "'slow' in the state_dict must be a dict of 1 arrays, got 3"),
        ({"slow": {0: np.ones(2), 1: np.ones(2)}}, "must be a dict of 1 arrays"),
    ):
        with pytest.raises(ValueError, match=says):
            optimizer.load_state_dict({**state, **change})
        assert repr(optimizer.state_dict()) == before


def test_the_minimum_of_a_degenerate_cubic_is_the_midpoint():
    rising = Point(1.0, 1.0, 1.0, None)
    assert cubic_minimum(rising, rising, 0.0, 4.0) == 2.0
