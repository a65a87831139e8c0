"""Tests that every optimizer passes, over one table."""

import copy
import inspect
import json

import numpy as np
import pytest
from looping import each
from optimizer_problem import Parameter

import optim
from autograd import Tensor, Value

# name: step size for the quadratic and for Rosenbrock's function, and options for both
TABLE = {
    "ADOPT": (3.0, 3.0, {"weight_decay": 0.0}),
    "ASGD": (0.3, 0.005, {"lambd": 0.0}),
    "AdEMAMix": (3.0, 0.3, {"alpha": 1.0}),
    "AdaBelief": (1.0, 1.0, {}),
    "AdaHessian": (1.0, 3.0, {}),
    "AdaBound": (3.0, 0.3, {"final_lr": 0.003}),
    "AdaMod": (10.0, 1.0, {}),
    "Adadelta": (10.0, 3.0, {}),
    "Adafactor": (0.3, 0.9, {}),
    "Adagrad": (3.0, 1.7, {}),
    "Adam": (1.0, 0.3, {}),
    "AdamP": (1.0, 0.3, {}),
    "AdamW": (1.0, 0.3, {"weight_decay": 0.0}),
    "Adamax": (3.0, 1.0, {}),
    "Adan": (10.0, 1.0, {}),
    "AggMo": (0.3, 0.001, {}),
    "DAdaptAdam": (1.0, 0.3, {"d0": 0.1}),
    "DoG": (3.0, 3.0, {"reps_rel": 0.01}),
    "DoWG": (3.0, 1.0, {"d0": 0.1}),
    "Ftrl": (0.3, 1.5, {"fixed": True}),
    "GrokfastAdamW": (10.0, 0.1, {}),
    "LAMB": (0.03, 0.1, {}),
    "LARS": (0.003, 0.01, {"trust_coefficient": 1.0}),
    "LBFGS": (1.0, 1.0, {"line_search_fn": "strong_wolfe", "fixed": True}),
    "LaProp": (1.0, 1.0, {}),
    "LevenbergMarquardt": (1.0, 1.0, {"fixed": True}),
    "Lion": (0.1, 0.01, {"weight_decay": 0.0}),
    "Lookahead": (0.3, 0.005, {}),
    "MADGRAD": (0.3, 0.1, {}),
    "MARS": (10.0, 0.03, {}),
    "Momentum": (1.0, 0.03, {}),
    "Muon": (0.1, 0.01, {"weight_decay": 0.0}),
    "NAdam": (1.0, 0.1, {}),
    "NewtonCG": (1.0, 1.0, {"fixed": True}),
    "NovoGrad": (0.01, 0.001, {}),
    "PSGDKron": (0.1, 0.01, {}),
    "PID": (0.03, 0.001, {"integral": 1.0, "derivative": 1.0}),
    "Prodigy": (1.0, 0.3, {"d0": 1e-2}),
    "QHAdam": (3.0, 0.3, {}),
    "QHM": (1.0, 0.01, {}),
    "RAdam": (0.3, 0.005, {"betas": (0.9, 0.9)}),
    "RMSprop": (0.3, 0.03, {}),
    "Rprop": (0.1, 0.03, {"fixed": True}),
    "SAM": (0.1, 0.003, {"rho": 1e-3}),
    "SGD": (0.3, 0.005, {}),
    "SGDP": (0.3, 0.005, {"momentum": 0.5}),
    "SM3": (10.0, 3.0, {}),
    "SOAP": (0.3, 0.01, {"weight_decay": 0.0}),
    "ScheduleFreeAdamW": (1.0, 0.3, {"fixed": True}),
    "ScheduleFreeSGD": (0.3, 0.003, {"fixed": True}),
    "Shampoo": (10.0, 3.0, {}),
    "Signum": (0.03, 0.01, {}),
    "Sophia": (0.1, 0.1, {}),
    "StableAdamW": (1.0, 0.1, {"weight_decay": 0.0}),
    "Yogi": (1.0, 1.0, {}),
}
NAMES = sorted(TABLE)
WRAPPERS = {"Lookahead": {"k", "alpha"}, "SAM": {"rho", "adaptive"}}
NEED_CLOSURE = {"AdaHessian", "LBFGS", "LevenbergMarquardt", "NewtonCG", "SAM", "Sophia"}
TOGETHER = {"LBFGS", "LevenbergMarquardt", "NewtonCG", "SAM"}  # all parameters together


def made(name, params, lr=0.01, **options):
    own = {**TABLE[name][2], **options}
    own.pop("fixed", None)
    if name in WRAPPERS:
        around = {key: own.pop(key) for key in WRAPPERS[name] & own.keys()}
        return getattr(optim, name)(optim.SGD(params, lr=lr, momentum=0.5, **own), **around)
    return getattr(optim, name)(params, lr=lr, **own)


def test_the_table_contains_every_optimizer():
    classes = {
        name
        for name in optim.__all__
        if inspect.isclass(found := getattr(optim, name)) and issubclass(found, optim.Optimizer)
    }
    assert classes - {"Optimizer"} == set(TABLE)


def test_the_learning_rate_is_the_first_option():
    for name in set(NAMES) - WRAPPERS.keys():
        assert next(iter(getattr(optim, name).options)) == "lr", name


class Problem:
    """A closure with the derivatives that second-order methods need.

    `product` multiplies arrays of the parameters' shapes by the Hessian, and `residuals` returns residuals, of which
    the loss is half the sum of squares, and the function that multiplies by their transposed Jacobian.
    """

    def __init__(self, closure, product, residuals):
        self.closure, self.product, self.residuals = closure, product, residuals

    def __call__(self):
        return self.closure()

    def of(self, name):
        """Return the closure of an optimizer."""
        kind = getattr(optim, name).needs_product
        return {"hessian": lambda: (self.closure(), self.product), "jacobian": self.residuals}.get(kind, self.closure)


def test_needs_closure_is_true_of_second_order_methods_sam_and_wrappers_of_them():
    assert {name for name in NAMES if made(name, some()).needs_closure} == NEED_CLOSURE
    for name, needed in (("SGD", False), ("SAM", True), ("LBFGS", True)):
        inner = made(name, some())
        around = (optim.Lookahead(inner), optim.distributed.DistributedOptimizer(inner, optim.distributed.Alone()))
        assert [wrapper.needs_closure for wrapper in around] == [needed, needed]


def quadratic(sign=1.0):
    a = Parameter(np.array([[3.0, -2.0], [0.5, 1.0], [2.0, -1.0]]))
    b = Parameter(np.array([[1.5, -1.0], [-2.0, 2.5]]))
    goal_a, goal_b = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]), np.array([[1.0, 1.0], [0.3, -0.7]])
    bend_a, bend_b = np.array([[1.0, 3.0], [2.0, 5.0], [4.0, 1.0]]), np.array([[2.0, 1.0], [1.0, 3.0]])

    def closure():
        da, db = a.data - goal_a, b.data - goal_b
        a.grad, b.grad = sign * bend_a * da, sign * bend_b * db
        return sign * 0.5 * float((bend_a * da**2).sum() + (bend_b * db**2).sum())

    def residuals():
        r = np.concatenate([np.sqrt(bend_a) * (a.data - goal_a), np.sqrt(bend_b) * (b.data - goal_b)])
        return r, lambda u: [np.sqrt(bend_a) * u[:3], np.sqrt(bend_b) * u[3:]]

    return [a, b], Problem(closure, lambda v: [sign * bend_a * v[0], sign * bend_b * v[1]], residuals)


def rosenbrock():
    p = Parameter(np.array([[-1.2], [1.0]]))

    def closure():
        (x,), (y,) = p.data
        p.grad = np.array([[-2 * (1 - x) - 400 * x * (y - x * x)], [200 * (y - x * x)]])
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2

    def product(v):
        (x,), (y,) = p.data
        return [np.array([[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200]]) @ v[0]]

    def residuals():
        (x,), (y,) = p.data
        jacobian = 2**0.5 * np.array([[-1.0, 0.0], [-20 * x, 10.0]])
        return 2**0.5 * np.array([1 - x, 10 * (y - x * x)]), lambda u: [(jacobian.T @ u)[:, None]]

    return [p], Problem(closure, product, residuals)


def final_loss(name, problem, lr, steps, **options):
    """Return the loss after some steps with a step size that decays to zero."""
    params, closure = problem
    optimizer = made(name, params, lr, **options)
    for k in range(steps):
        if not TABLE[name][2].get("fixed"):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 - k / steps)
        optimizer.step(closure.of(name))
    if hasattr(optimizer, "eval"):
        optimizer.eval()
    return closure()


@each(NAMES)
def test_a_quadratic_is_minimized(name):
    assert final_loss(name, quadratic(), TABLE[name][0], 400) < 1e-3


@each(NAMES)
def test_rosenbrocks_function_is_minimized(name):
    assert final_loss(name, rosenbrock(), TABLE[name][1], 1000) < 0.06


@each([n for n in NAMES if "maximize" in getattr(optim, n).options or n in WRAPPERS])
def test_maximize_equals_minimizing_the_negative_loss(name):
    (up, climb), (down, descend) = quadratic(sign=-1.0), quadratic()
    upward, downward = made(name, up, maximize=True), made(name, down)
    for _ in range(20):
        upward.step(climb.of(name))
        downward.step(descend.of(name))
    for a, b in zip(up, down, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@each([n for n in NAMES if "cautious" in getattr(optim, n).options])
def test_cautious_updates_never_oppose_the_gradient(name):
    params = some()
    decay = {"weight_decay": 0.0} if "weight_decay" in getattr(optim, name).options else {}
    optimizer = made(name, params, cautious=True, **decay)
    for seed in range(4):
        before = [p.data for p in params]
        stepped(name, optimizer, params, [seed])
        for p, b in zip(params, before, strict=True):
            assert np.all((b - p.data) * p.grad >= 0)


def gradients(seed, *params):
    rng = np.random.default_rng(seed)
    for p in params:
        g = rng.normal(size=np.shape(p.data))
        p.grad = g.astype(p.data.dtype) if isinstance(p.data, np.ndarray) else float(g)


def stepped(name, optimizer, params, seeds):
    for seed in seeds:
        if name in NEED_CLOSURE:

            def closure(seed=seed):
                gradients(seed, *params)
                loss = sum(float((p.grad * p.data + 0.5 * p.data * p.data).sum()) for p in params)
                for p in params:
                    p.grad = p.grad + p.data
                return loss

            optimizer.step(Problem(closure, lambda v: v, lambda seed=seed: sums(seed, params)).of(name))
        else:
            gradients(seed, *params)
            optimizer.step()


def sums(seed, params):
    """Return parameters plus gradients, as residuals, and the function of their cotangent."""
    gradients(seed, *params)
    ends = np.cumsum([np.size(p.data) for p in params])[:-1]
    r = np.concatenate([p.grad + p.data for p in params], axis=None)
    return r, lambda u: [x.reshape(np.shape(p.data)) for x, p in zip(np.split(u, ends), params, strict=True)]


def some(dtype=np.float64, shapes=((3, 2), (2, 4))):
    rng = np.random.default_rng(7)
    return [Parameter(rng.normal(size=shape).astype(dtype)) for shape in shapes]


def through_json(state):
    def plain(value):
        return {"array": value.tolist()}["array"] if isinstance(value, np.ndarray) else float(value)

    return json.loads(json.dumps(state, default=plain))


@each(NAMES, [lambda s: s, through_json])
def test_a_loaded_state_dict_continues_bit_for_bit(name, trip):
    params, others = some(), some()
    optimizer, other = made(name, params), made(name, others, lr=0.5)
    stepped(name, optimizer, params, range(7))
    saved = trip(optimizer.state_dict())
    for p, q in zip(params, others, strict=True):
        q.data = p.data.copy()
    other.load_state_dict(saved)
    before = copy.deepcopy(saved)
    stepped(name, optimizer, params, range(7, 14))
    stepped(name, other, others, range(7, 14))
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert repr(saved) == repr(before), "the loaded dict was written into"


@each([n for n in NAMES if n not in NEED_CLOSURE])
def test_groups_with_other_options_equal_separate_optimizers(name):
    both, alone = some(), some()
    groups = [{"params": [both[0]], "lr": 0.02}, {"params": [both[1]], "lr": 0.003}]
    one = made(name, groups)
    if getattr(optim, name).shared:  # all groups share an estimate of the distance
        assert [g["lr"] for g in one.param_groups] == [0.02, 0.003]
        return
    two = [made(name, [alone[0]], lr=0.02), made(name, [alone[1]], lr=0.003)]
    for seed in range(5):
        gradients(seed, *both)
        gradients(seed, *alone)
        one.step()
        for optimizer in two:
            optimizer.step()
    for p, q in zip(both, alone, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


@each(NAMES)
def test_float32_parameters_stay_float32_and_follow_float64(name):
    narrow, wide = some(np.float32), some()
    for p, q in zip(narrow, wide, strict=True):
        q.data = p.data.astype(np.float64)
    lr = 1.0 if name == "NewtonCG" else 0.01  # of which the line search accepts the first step
    small, large = made(name, narrow, lr), made(name, wide, lr)
    if name == "SOAP":  # the eigenvectors of few gradients are not unique
        return
    seeds = (
        [0] if name in TOGETHER - {"SAM"} else range(5)
    )  # one function: its memory of another would magnify every rounding
    stepped(name, small, narrow, seeds)
    stepped(name, large, wide, seeds)
    for p, q in zip(narrow, wide, strict=True):
        assert p.data.dtype == np.float32
        np.testing.assert_allclose(p.data, q.data, rtol=2e-3, atol=2e-4)
    for state in small.state_dict().get("state", {}).values():
        for value in state.values():
            assert not isinstance(value, np.ndarray) or value.dtype in (np.float32, np.float64)


@each(NAMES)
def test_values_are_updated_like_tensors(name):
    rng = np.random.default_rng(3)
    start = rng.normal(size=6)
    elementwise = getattr(optim, name).elementwise
    values = [Value(x) for x in start]
    tensors = [Tensor(start, requires_grad=True)] if elementwise else [Tensor(x, requires_grad=True) for x in start]
    first, second = made(name, values), made(name, tensors)

    def on_values(g):
        for v, x in zip(values, g, strict=True):
            v.grad = float(x + 0.1 * v.data)
        return sum(float(v.grad) for v in values)

    def on_tensors(g):
        for t, x in zip(tensors, g if len(tensors) > 1 else [g], strict=True):
            t.grad = x + 0.1 * t.data
        return sum(float(x) for t in tensors for x in t.grad.ravel())

    def residuals(params, g):
        at = np.array([0.1 * p.data + x for p, x in zip(params, g if len(params) > 1 else [g], strict=True)])
        return at.ravel(), lambda u: [0.1 * x for x in (u if len(params) > 1 else [u])]

    for _ in range(6):
        g = rng.normal(size=6)
        for optimizer, params, set_gradients in ((first, values, on_values), (second, tensors, on_tensors)):
            given = lambda params=params, g=g: residuals(params, g)  # noqa: E731
            closure = lambda set_gradients=set_gradients, g=g: set_gradients(g)  # noqa: E731
            optimizer.step(Problem(closure, lambda v: [0.1 * x for x in v], given).of(name))
    flat = np.concatenate([t.data.ravel() for t in tensors])
    assert all(type(v.data) is float for v in values)
    np.testing.assert_allclose([v.data for v in values], flat, rtol=1e-12, atol=0)
    if name not in NEED_CLOSURE and elementwise and not getattr(optim, name).shared:
        np.testing.assert_array_equal([v.data for v in values], flat)


@each([n for n in NAMES if n not in NEED_CLOSURE])
def test_a_parameter_without_gradient_is_skipped_and_keeps_its_step_count(name):
    if name == "Lookahead" or getattr(optim, name).shared:  # these depend on all parameters together
        return
    together, alone = some(), some()
    one, two = made(name, together), [made(name, [p]) for p in alone]
    for seed in range(9):
        gradients(seed, *together)
        gradients(seed, *alone)
        missing = seed % 2 if seed < 6 else None
        for i, optimizer in enumerate(two):
            if i == missing:
                together[i].grad = None
            else:
                optimizer.step()
        one.step()
    for p, q in zip(together, alone, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert [s["step"] for s in one.state_dict()["state"].values()] == [6, 6]


@each(NAMES)
def test_arrays_referenced_elsewhere_are_not_modified(name):
    params = some()
    optimizer = made(name, params)
    held = []
    for seed in range(6):
        held.append([(p.data, p.data.copy()) for p in params])
        stepped(name, optimizer, params, [seed])
        given = [(p.grad, p.grad.copy()) for p in params]
        held.append(given)
    for pairs in held:
        for array, copied in pairs:
            np.testing.assert_array_equal(array, copied)


@each(NAMES)
def test_a_gradient_modified_after_the_step_has_no_effect(name):
    params, others = some(), some()
    optimizer, other = made(name, params), made(name, others)
    for seed in range(4):
        stepped(name, optimizer, params, [seed])
        stepped(name, other, others, [seed])
        for p in params:
            p.grad *= 0
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


@each(NAMES)
def test_data_assigned_or_modified_between_steps_is_used(name):
    if name == "Lookahead":  # it returns to its slow weights
        return
    params, others = some(), some()
    optimizer, other = made(name, params), made(name, others)
    stepped(name, optimizer, params, range(3))
    stepped(name, other, others, range(3))
    for p, q in zip(params, others, strict=True):
        p.data = p.data + 1.0  # a new array
        q.data[...] = q.data + 1.0  # the same array
    stepped(name, optimizer, params, range(3, 6))
    stepped(name, other, others, range(3, 6))
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


@each([n for n in NAMES if "skip_nonfinite" in getattr(optim, n).options or n in WRAPPERS], [np.nan, np.inf])
def test_skip_nonfinite_changes_nothing_and_counts_the_step(name, bad):
    params, others = some(), some()
    optimizer, other = made(name, params, skip_nonfinite=True), made(name, others)
    stepped(name, optimizer, params, range(3))
    stepped(name, other, others, range(3))

    def closure():
        gradients(50, *params)
        params[1].grad[0, 0] = bad
        return 1.0

    def residuals():
        closure()
        return params[1].grad, lambda u: [np.zeros_like(p.data) for p in params]

    before = [p.data.copy() for p in params]
    closure()
    optimizer.step(Problem(closure, lambda v: v, residuals).of(name))
    assert (optimizer.skipped, optimizer.culprits) == (1, ["parameter 1"])
    for p, b in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, b)
    stepped(name, optimizer, params, range(3, 6))
    stepped(name, other, others, range(3, 6))
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    assert (optimizer.skipped, optimizer.step_count) == (1, 6)


@each(NAMES)
def test_invalid_options_raise_and_suggest_names(name):
    cls = getattr(optim, name)
    if name in WRAPPERS:
        with pytest.raises(TypeError, match=f"{name} wraps an optimizer"):
            cls(some())
        with pytest.raises(ValueError, match="must be in"):
            made(name, some(), **{next(iter(WRAPPERS[name] - {"adaptive"})): -1})
        return
    with pytest.raises(TypeError, match="has no option 'learning_rate'"):
        cls(some(), learning_rate=0.1)
    with pytest.raises(TypeError, match="has no option 'l_r': did you mean 'lr'"):
        cls(some(), l_r=0.1)
    with pytest.raises(ValueError, match=r"unknown key 'lrr'.*'lr'"):
        cls([{"params": some(), "lrr": 1}])
    for option, hint in cls.hints.items():
        if "[0," in str(hint):
            with pytest.raises(ValueError, match=rf"{option}.* must be in .*-1"):
                cls(some(), **{option: (-1,) * str(hint).count("float") if "tuple" in str(hint) else -1})
        with pytest.raises((TypeError, ValueError), match=option):
            cls(some(), **{option: "fast"})


@each(NAMES)
def test_the_docstring_begins_with_the_rule_and_cites_its_source(name):
    text = inspect.getdoc(getattr(optim, name))
    code = text.split("::\n", 1)[1].strip().split("\n\n")[0]
    assert 2 <= len(code.splitlines()) <= 3
    assert "20" in text or "19" in text, "year of the source"
    for word in ("PyTorch", "Keras", "optax", ">>>"):
        assert word in text


@each(NAMES)
def test_a_deep_copy_is_independent(name):
    params = some()
    optimizer = made(name, params)
    stepped(name, optimizer, params, range(4))
    copied, twins = copy.deepcopy((optimizer, params))
    before = [p.data.copy() for p in params]
    stepped(name, copied, twins, range(4, 8))
    for p, b in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, b)
    stepped(name, optimizer, params, range(4, 8))
    for p, q in zip(params, twins, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_wrappers_have_the_modes_and_attributes_of_what_they_wrap():
    for wrap in (optim.Lookahead, lambda inner: optim.SAM(optim.Lookahead(inner))):
        inner = optim.ScheduleFreeSGD([Parameter(np.ones(2), np.ones(2))], lr=0.1)
        outer = wrap(inner)
        for _ in range(3):
            inner.step()
        trained = inner.parameters[0].data.copy()
        outer.eval()
        assert not np.array_equal(inner.parameters[0].data, trained)
        outer.train()
        assert np.allclose(inner.parameters[0].data, trained, atol=1e-15)
        assert copy.deepcopy(outer).param_groups[0]["lr"] == 0.1
        assert not hasattr(optim.Lookahead(optim.SGD([Parameter(1.0, 1.0)], lr=0.1)), "eval")
