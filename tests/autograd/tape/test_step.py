"""Compare whole training steps, compiled into one program, with eager ones."""

import copy
import signal
from importlib.util import find_spec

import numpy as np
import pytest
from looping import each

import autograd
import nn
import optim
from autograd import RecordingError, Tensor, Value
from autograd.extend import callback
from autograd.tape import step as step_module
from optim import lr_scheduler

PUBLIC = [getattr(optim, name) for name in optim.__all__]
OPTIMIZERS = [kind for kind in PUBLIC if isinstance(kind, type) and issubclass(kind, optim.Optimizer)]
ELEMENTWISE = [
    kind.__name__ for kind in OPTIMIZERS if kind.elementwise and hasattr(kind, "rule") and not kind.needs_product
]
VARIANTS = [
    ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"momentum": 0.5, "dampening": 0.5, "maximize": True, "lr": 1e-3}), ("Adam", {"amsgrad": True}),
    ("Adam", {"weight_decay": 0.1}), ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "eps_root": 1e-8}),
    ("RMSprop", {"momentum": 0.9, "centered": True, "eps_root": 1e-3}), ("RAdam", {"betas": (0.9, 0.99)}),
    ("ScheduleFreeSGD", {"warmup_steps": 7}), ("ScheduleFreeAdamW", {"warmup_steps": 5, "weight_decay": 0.1}),
    ("ASGD", {"t0": 5.0, "weight_decay": 0.1}), ("Ftrl", {"l1": 0.01, "l2": 0.1, "lr": 0.1}),
    ("Prodigy", {"safeguard_warmup": True, "weight_decay": 0.01}), ("Adagrad", {"lr_decay": 0.1}),
]  # fmt: skip


def data(rows=32, dtype=float):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2)).astype(dtype)
    return x, (x[:, :1] * x[:, 1:] > 0).astype(dtype)


class Pair:
    """Two equal models, one of which is trained by compiled steps."""

    def __init__(self, name="Adam", dtype=float, groups=None, transform=None, **options):
        self.models = [nn.MLP(2, [8, 8, 1], rng=0) for _ in range(2)]
        for model in self.models:
            for p in model.parameters():
                p.data = p.data.astype(dtype)
        groups = groups or (lambda model: model.parameters())
        self.optimizers = [getattr(optim, name)(groups(model), **options) for model in self.models]
        self.loss = nn.BCEWithLogitsLoss()
        self.transform = transform
        self.step = autograd.compile(self.compiled_loss, optimizer=self.optimizers[1], transform=transform)
        if name in ELEMENTWISE and "skip_nonfinite" not in options:  # else a program that fails would not be noticed
            self.step._eagerly = lambda *given: pytest.fail("the step was taken by the optimizer")

    def compiled_loss(self, x, y):
        return self.loss(self.models[1](x), y)

    def eager(self, x, y):
        """Take an eager step and return its loss."""
        model, optimizer = self.models[0], self.optimizers[0]
        optimizer.zero_grad()
        loss = self.loss(model(x), y)
        loss.backward()
        if self.transform is not None:
            parameters = [p for p in model.parameters() if p.grad is not None]
            for p, g in self.transform({p: p.grad for p in parameters}).items():
                p.grad = g
        optimizer.step()
        return loss.item()

    def check(self, steps, x, y, tolerance=1e-10):
        """Compare some steps, and the states after them."""
        for _ in range(steps):
            assert self.step(x, y).item() == pytest.approx(self.eager(x, y), abs=tolerance)
        self.check_states(tolerance / 100)

    def check_states(self, tolerance=1e-12):
        eager, compiled = [optimizer.state_dict() for optimizer in self.optimizers]
        assert difference(eager, compiled) <= tolerance
        assert difference(*[dict(model.state_dict()) for model in self.models]) <= tolerance


def difference(a, b):
    """Return the largest difference of two nests of the same structure; of numbers above 1 the relative one."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return max([difference(a[key], b[key]) for key in a], default=0.0)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        return max([difference(x, y) for x, y in zip(a, b, strict=True)], default=0.0)
    if isinstance(a, (str, bool, type(None))):
        assert a == b
        return 0.0
    a, b = np.asarray(getattr(a, "data", a)), np.asarray(getattr(b, "data", b))
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    return float(np.max(abs(a - b) / np.maximum(1.0, abs(b)), initial=0.0))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_step_of_every_elementwise_optimizer_equals_eager_over_100_steps(name):
    pair = Pair(name)
    # Sums over all parameters decide on the step size of Prodigy, and magnify rounding.
    pair.check(100, *data(), tolerance=1e-9 if name == "Prodigy" else 1e-10)
    assert 1 <= sum(map(len, pair.step._programs.values())) <= 2


def test_most_optimizers_are_elementwise():
    assert len(ELEMENTWISE) >= 35


def test_step_in_single_precision_follows_eager():
    for name in ELEMENTWISE:
        limit = 1e-2 if name == "DoWG" else 1e-4  # its step size grows with the rounding errors of all parameters
        pair = Pair(name, np.float32)
        x, y = data(dtype=np.float32)
        for _ in range(25):
            assert pair.step(x, y).item() == pytest.approx(pair.eager(x, y), abs=limit)
        assert {p.data.dtype for p in pair.models[1].parameters()} == {np.dtype(np.float32)}, name


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_step_with_options_equals_eager(name, options):
    Pair(name, **options).check(30, *data())


def test_step_with_groups_and_frozen_parameters_equals_eager():
    def groups(model):
        *rest, last = model.parameters()
        rest[0].requires_grad = False
        return [{"params": rest, "weight_decay": 0.1}, {"params": [last], "lr": 0.1, "betas": (0.5, 0.9)}]

    pair = Pair("AdamW", groups=groups, lr=0.01)
    pair.check(10, *data())
    for model in pair.models:
        parameters = list(model.parameters())
        parameters[0].requires_grad, parameters[1].requires_grad = True, False
    pair.check(10, *data())


def test_step_of_vectors_longer_than_a_block_equals_eager(monkeypatch):
    monkeypatch.setattr("optim.flat_params.BLOCK", 50)
    for name in ("Adam", "NAdam", "Prodigy", "Ftrl"):
        Pair(name).check(10, *data())


def test_step_without_gradient_for_some_parameters_splits_vectors_like_eager():
    pair = Pair("Adam")
    unused = [Tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]
    for optimizer, p in zip(pair.optimizers, unused, strict=True):
        optimizer.add_param_group({"params": [p]})
    pair.check(5, *data())
    assert unused[1].data.tolist() == [1.0, 2.0]


def test_step_with_transform_clips_gradients_by_their_norm():
    def clipped(gradients):
        norm = sum((g * g).sum() for g in gradients.values()) ** 0.5
        scale = np.minimum(0.1 / (norm + 1e-6), 1.0)
        return {p: g * scale for p, g in gradients.items()}

    Pair("SGD", lr=0.5, transform=clipped).check(20, *data())


def test_step_sees_changed_options_loaded_states_and_assigned_data():
    pair, (x, y) = Pair("Adam", lr=0.01), data()
    pair.check(5, x, y)
    for optimizer in pair.optimizers:
        optimizer.param_groups[0]["lr"] = 0.1
        optimizer.param_groups[0]["betas"] = (0.5, 0.6)
    pair.check(5, x, y)
    saved = [copy.deepcopy(optimizer.state_dict()) for optimizer in pair.optimizers]
    pair.check(5, x, y)
    for optimizer, state in zip(pair.optimizers, saved, strict=True):
        optimizer.load_state_dict(state)
    for model in pair.models:
        for p in model.parameters():
            p.data = p.data * 0.9
    pair.check(5, x, y)
    for optimizer in pair.optimizers:
        optimizer.param_groups[0]["eps_root"] = 1e-3
    pair.check(5, x, y)


def test_program_is_recorded_again_if_an_option_becomes_zero():
    pair = Pair("Adam", lr=0.01)
    for name, values, programs in (("lr", (0.01, 0.0, 0.02), 2), ("weight_decay", (0.1, 0.2), 3)):
        for value in values:
            for optimizer in pair.optimizers:
                optimizer.param_groups[0][name] = value
            pair.check(2, *data())
        assert sum(map(len, pair.step._programs.values())) == programs


def test_step_sees_an_integer_option_that_changes():
    (x, y), pair = data(), Pair("ScheduleFreeSGD", lr=0.1, warmup_steps=20)
    pair.check(3, x, y)
    for optimizer in pair.optimizers:
        optimizer.param_groups[0]["warmup_steps"] = 40
    pair.check(3, x, y)


def test_step_reads_a_rate_that_is_an_array_without_axes():
    (x, y), pair = data(), Pair("SGD", lr=0.1)
    for rate in (0.1, np.array(0.3), np.array(0.2)):
        for optimizer in pair.optimizers:
            optimizer.param_groups[0]["lr"] = rate
        pair.check(2, x, y)


def test_program_stays_invalid_for_other_options_if_recording_them_fails():
    pair, (x, y) = Pair("SGD", lr=0.1, momentum=0.9), data()
    compute = pair.compiled_loss

    def fail(x, y):
        raise KeyboardInterrupt

    step = autograd.compile(lambda x, y: compute(x, y), optimizer=pair.optimizers[1])
    losses = [step(x, y).item() for _ in range(3)]
    for optimizer in pair.optimizers:
        optimizer.param_groups[0]["maximize"] = True
    compute = fail
    with pytest.raises(KeyboardInterrupt):
        step(x, y)
    compute = pair.compiled_loss
    losses += [step(x, y).item() for _ in range(3)]
    pair.optimizers[0].param_groups[0]["maximize"] = False
    expected = [pair.eager(x, y) for _ in range(3)]
    pair.optimizers[0].param_groups[0]["maximize"] = True
    expected += [pair.eager(x, y) for _ in range(3)]
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["NAdam", "ScheduleFreeAdamW", "Prodigy"])
def test_eager_steps_between_compiled_ones_continue_the_same_state(name):
    pair, (x, y) = Pair(name), data()
    for k in range(12):
        loss = pair.eager(x, y)
        if k % 3:
            assert pair.step(x, y).item() == pytest.approx(loss, abs=1e-12)
        else:
            pair.optimizers[1].zero_grad()
            pair.compiled_loss(x, y).backward()
            pair.optimizers[1].step()
            pair.optimizers[1].zero_grad()
    pair.check_states()
    assert len([program for programs in pair.step._programs.values() for program in programs]) == 1


def test_step_keeps_arrays_that_others_hold():
    pair, (x, y) = Pair("Adam"), data()
    held = []
    for _ in range(6):
        pair.step(x, y)
        parameters = list(pair.models[1].parameters())
        held.append([(p.data, p.data.copy()) for p in parameters])
    for arrays in held:
        for kept, expected in arrays:
            np.testing.assert_array_equal(kept, expected)


def test_step_leaves_grad_as_it_is():
    pair, (x, y) = Pair("Adam"), data()
    p = next(iter(pair.models[1].parameters()))
    p.grad = np.full(p.shape, 7.0)
    pair.step(x, y)
    pair.step(x, y)
    assert (p.grad == 7.0).all()
    assert not pair.step(x, y).requires_grad


@pytest.mark.parametrize("name", ["Adam", "LAMB"])
def test_skip_nonfinite_changes_nothing_and_counts_the_step(name):
    pair, (x, y) = Pair(name, skip_nonfinite=True), data()
    pair.check(3, x, y)
    bad = x.copy()
    bad[0] = np.inf
    for model in pair.models:
        with np.errstate(all="ignore"):
            before = [p.data for p in model.parameters()]
    with np.errstate(all="ignore"):
        pair.eager(bad, y)
        pair.step(bad, y)
    assert all(p.data is kept for p, kept in zip(pair.models[1].parameters(), before, strict=True))
    assert pair.optimizers[1].skipped == 1
    assert pair.optimizers[1].culprits == pair.optimizers[0].culprits
    pair.check(3, x, y)


def test_callback_that_raises_leaves_the_parameters_of_the_last_step():
    pair, (x, y) = Pair("Adam"), data()
    calls = []

    def fail_at_third(value):
        calls.append(value)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.0

    def loss(x, y):
        value = pair.compiled_loss(x, y)
        return value + callback(fail_at_third, value)

    step = autograd.compile(loss, optimizer=pair.optimizers[1])
    step(x, y)
    step(x, y)
    before, state = [p.data.copy() for p in pair.models[1].parameters()], pair.optimizers[1].state_dict()
    with pytest.raises(KeyboardInterrupt):
        step(x, y)
    assert all(np.array_equal(p.data, kept) for p, kept in zip(pair.models[1].parameters(), before, strict=True))
    assert difference(state, pair.optimizers[1].state_dict()) == 0.0
    step(x, y)
    for _ in range(3):
        pair.eager(x, y)
    pair.check_states()


@pytest.mark.parametrize("name", ["LAMB", "NovoGrad", "Lookahead"])
def test_optimizers_without_elementwise_rule_step_outside_of_the_program(name):
    if name == "Lookahead":
        pair = Pair("SGD", lr=0.1)
        pair.optimizers = [optim.Lookahead(optimizer, k=2) for optimizer in pair.optimizers]
        pair.step = autograd.compile(pair.compiled_loss, optimizer=pair.optimizers[1])
    else:
        pair = Pair(name)
    pair.check(6, *data())
    assert all(p.grad is None for p in pair.models[1].parameters())


def test_values_are_trained_by_compiled_steps():
    results = []
    for compiled in (False, True):
        w = Value(0.5)
        optimizer = optim.Adam([w], lr=0.1)

        def loss(x, w=w):
            return (w * x - 1.0) ** 2

        step = autograd.compile(loss, optimizer=optimizer) if compiled else None
        for x in (1.0, 2.0, 3.0):
            if step is not None:
                step(x)
                continue
            optimizer.zero_grad()
            loss(x).backward()
            optimizer.step()
        results.append(w.data)
    assert results[0] == results[1]


CLOSURES = {
    "LBFGS": lambda p: optim.LBFGS(p, max_iter=3, line_search_fn="strong_wolfe"),
    "SAM": lambda p: optim.SAM(optim.SGD(p, lr=0.1)),
    "NewtonCG": optim.NewtonCG,
    "AdaHessian": lambda p: optim.AdaHessian(p, lr=0.05, update_period=2),
    "Sophia": lambda p: optim.Lookahead(optim.Sophia(p, lr=0.01)),
}


@each(CLOSURES, ["plain", "norm", "dropout"])
def test_steps_with_closures_equal_eager_ones(name, variant):
    x, y = data()
    options = {"plain": {}, "norm": {"norm": "batch"}, "dropout": {"dropout": 0.2}}[variant]
    models = [nn.MLP(2, [4, 1], activation="tanh", rng=0, **options) for _ in range(2)]
    eager, compiled = [CLOSURES[name](list(model.parameters())) for model in models]
    step = autograd.compile(lambda x, y: ((models[1](x) - y) ** 2).mean(), optimizer=compiled)

    def closure():
        eager.zero_grad()
        loss = ((models[0](x) - y) ** 2).mean()
        loss.backward()
        return (loss, autograd.hessian_product(loss, eager.parameters)) if eager.needs_product else loss

    for _ in range(6):
        assert float(eager.step(closure).item()) == pytest.approx(float(step(x, y)), rel=1e-9)
    for p, q in zip(*[model.parameters() for model in models], strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-7, atol=1e-10)
        assert q.grad is None
    assert difference(*[{k: np.asarray(v) for k, v in model.state_dict().items()} for model in models]) < 1e-7


def test_callback_inside_no_grad_is_called_once_in_a_step_with_products():
    w, calls = Tensor([2.0], requires_grad=True), []

    def loss():
        with autograd.no_grad():
            callback(calls.append, 1)
        return (w**2).sum()

    step = autograd.compile(loss, optimizer=optim.AdaHessian([w]))
    for _ in range(3):
        step()
    assert calls == [1, 1, 1]


def test_mistakes_are_refused_with_the_cure():
    w, other = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([other])
    with pytest.raises(RuntimeError, match="no parameter of this SGD"):
        autograd.compile(lambda x: (w * x).sum(), optimizer=optimizer)(np.ones(1))
    with pytest.raises(RuntimeError, match="return a loss first"):
        autograd.compile(lambda x: (2.0 * x).sum(), optimizer=optimizer)(np.ones(1))
    with pytest.raises(RecordingError):
        autograd.compile(lambda x: (w * x).sum() if w.data > 0 else w, optimizer=optimizer)(np.ones(1))
    for wrong in ("Adam", optim.LevenbergMarquardt([w])):  # which needs residuals
        with pytest.raises(TypeError, match="optimizer must be one of optim"):
            autograd.compile(lambda x: x, optimizer=wrong)
    with autograd.no_grad(), pytest.raises(RuntimeError, match="outside of no_grad"):
        autograd.compile(lambda x: (other * x).sum(), optimizer=optimizer)(np.ones(1))


@pytest.mark.parametrize("name", ["Adam", "RAdam", "ScheduleFreeSGD", "Prodigy", "LAMB"])
def test_many_equals_one_step_a_call(name):
    (x, y), pair = data(50), Pair(name)
    rows = np.random.default_rng(1).permuted(np.tile(np.arange(50), (9, 1)), axis=1)[:, :16]
    expected = [pair.eager(x[chosen], y[chosen]) for chosen in rows]
    losses = pair.step.many(x, y, rows)
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)
    pair.check_states()
    short = np.arange(5)[None]
    np.testing.assert_allclose(pair.step.many(x, y, short), [pair.eager(x[:5], y[:5])], rtol=0, atol=1e-10)
    pair.check_states()


def test_many_with_scheduler_changes_the_rate_of_every_step():
    (x, y), pair = data(), Pair("SGD", lr=0.1, momentum=0.9)
    schedules = [lr_scheduler.OneCycleLR(o, max_lr=0.5, total_steps=30) for o in pair.optimizers]
    rows = np.tile(np.arange(32), (20, 1))
    expected = []
    for _ in rows:
        expected.append(pair.eager(x, y))
        schedules[0].step()
    losses = np.concatenate([pair.step.many(x, y, part, scheduler=schedules[1]) for part in (rows[:7], rows[7:])])
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)
    pair.check_states()
    assert schedules[0].get_last_lr() == schedules[1].get_last_lr()


class SwitchesNesterov:
    """A schedule of an option that is not a float."""

    def __init__(self, optimizer):
        self.group, self.count = optimizer.param_groups[0], 0

    def step(self):
        self.count += 1
        self.group["nesterov"] = 20 <= self.count < 25

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


@pytest.mark.parametrize("numba", ["0", "1"] if find_spec("numba") else ["0"])
def test_many_with_scheduler_of_a_flag_equals_eager_steps(numba, monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", numba)
    (x, y), pair = data(), Pair("SGD", lr=0.1, momentum=0.9)
    schedules, expected = [SwitchesNesterov(optimizer) for optimizer in pair.optimizers], []
    for _ in range(30):
        expected.append(pair.eager(x, y))
        schedules[0].step()
    losses = pair.step.many(x, y, np.tile(np.arange(32), (30, 1)), scheduler=schedules[1])
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-10)
    pair.check_states()


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam", "ScheduleFreeAdamW"])
def test_many_native_steps_equal_eager_ones(name, monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    monkeypatch.setattr("optim.flat_params.BLOCK", 50)
    for dtype in (np.float64, np.float32):
        (x, y), pair = data(64, dtype), Pair(name, dtype)
        schedules = [lr_scheduler.ExponentialLR(o, gamma=0.99) for o in pair.optimizers]
        rows = np.random.default_rng(0).integers(0, 64, (40, 16))
        expected = []
        for chosen in rows:
            expected.append(pair.eager(x[chosen], y[chosen]))
            schedules[0].step()
        parts = [pair.step.many(x, y, part, scheduler=schedules[1]) for part in (rows[:25], rows[25:])]
        tolerance = 1e-10 if dtype is np.float64 else 1e-4
        np.testing.assert_allclose(np.concatenate(parts), expected, rtol=0, atol=tolerance)
        pair.check_states(tolerance / 100 if dtype is np.float64 else tolerance)
        programs = [program for programs in pair.step._programs.values() for program in programs]
        assert any(program.executor.chosen() is not None for program in programs)


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
def test_native_steps_in_place_notice_every_change(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    (x, y), pair = data(), Pair("Adam", lr=0.01)

    def check(x, y):
        """Compare three steps, which nothing interrupts: the second and the third repeat the first."""
        losses = [pair.step(x, y).item() for _ in range(3)]
        np.testing.assert_allclose(losses, [pair.eager(x, y) for _ in range(3)], rtol=0, atol=1e-10)
        pair.check_states()

    def for_both(change):
        for model, optimizer in zip(pair.models, pair.optimizers, strict=True):
            change(list(model.parameters()), optimizer, optimizer.param_groups[0])
        check(x, y)

    check(x, y)
    own = next(iter(pair.models[1].parameters()))
    array, values = own.data, own.data.copy()
    check(x, y)
    np.testing.assert_array_equal(array, values)  # which somebody held
    for_both(lambda ps, optimizer, group: group.update(lr=0.1))
    for_both(lambda ps, optimizer, group: group.update(weight_decay=0.1))
    for_both(lambda ps, optimizer, group: setattr(ps[0], "data", ps[0].data * 0.5))
    for_both(lambda ps, optimizer, group: ps[1].register_hook(lambda g: g * 2.0))
    for_both(lambda ps, optimizer, group: setattr(ps[2], "requires_grad", False))
    for_both(lambda ps, optimizer, group: optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict())))
    check(x[:7], y[:7])
    check(x, y)


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
def test_single_native_steps_equal_eager_between_changes_from_outside(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    (x, y), pair = data(), Pair("Adam")
    for model in pair.models:
        model.append(nn.BatchNorm1d(1))
    pair.optimizers = [optim.Adam(model.parameters(), lr=0.01) for model in pair.models]
    pair.step = autograd.compile(pair.compiled_loss, optimizer=pair.optimizers[1])
    changes = [
        lambda model, group: None,
        lambda model, group: group.update(lr=0.1, betas=(0.5, 0.9)),
        lambda model, group: model.eval(),
        lambda model, group: setattr(model[0].weight, "data", model[0].weight.data * 0.5),
        lambda model, group: model.train(),
    ]
    losses = []
    for model, optimizer, step in zip(pair.models, pair.optimizers, (pair.eager, pair.step), strict=True):
        for change in changes:  # of one model at a time, since every assignment to `.data` ends direct repetition
            change(model, optimizer.param_groups[0])
            losses.append([float(step(x, y)) for _ in range(3)])
    np.testing.assert_allclose(losses[5:], losses[:5], rtol=0, atol=1e-10)
    pair.check_states()
    programs = [program for programs in pair.step._programs.values() for program in programs]
    assert all(program.executor.machine is not None and program._is_placed for program in programs)


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
def test_graph_recorded_before_a_native_step_keeps_its_values(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    (x, y), pair = data(), Pair("Adam", lr=0.1)
    pair.check(4, x, y)
    pair.optimizers[0].zero_grad()
    losses = [pair.loss(model(x), y) for model in pair.models]
    pair.step(x, y)
    for loss in losses:
        loss.backward()
    for p, q in zip(*[model.parameters() for model in pair.models], strict=True):
        np.testing.assert_allclose(q.grad, p.grad, rtol=0, atol=1e-12)


def test_interrupt_in_many_takes_effect_after_a_whole_step():
    (x, y), pair = data(), Pair("Adam")

    class PressCtrlC:
        steps = 0

        def step(self):
            self.steps += 1
            if self.steps == 3:
                signal.raise_signal(signal.SIGINT)

        def state_dict(self):
            return {"steps": self.steps}

        def load_state_dict(self, state_dict):
            self.steps = state_dict["steps"]

    with pytest.raises(KeyboardInterrupt):
        pair.step.many(x, y, np.tile(np.arange(32), (50, 1)), scheduler=PressCtrlC())
    assert pair.optimizers[1].step_count >= 3
    for _ in range(pair.optimizers[1].step_count):
        pair.eager(x, y)
    pair.check_states()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_many_with_dropout_and_batch_norm_equals_one_step_a_call():
    x, y = data()
    rows = np.tile(np.arange(32), (5, 1))
    found = []
    for many in (True, False):
        model = nn.Sequential(nn.Linear(2, 8, rng=0), nn.BatchNorm1d(8), nn.Dropout(0.5, rng=3), nn.Linear(8, 1, rng=1))
        step = autograd.compile(lambda x, y, m=model: nn.MSELoss()(m(x), y), optimizer=optim.Adam(model.parameters()))
        losses = step.many(x, y, rows).tolist() if many else [step(x[r], y[r]).item() for r in rows]
        found.append((losses, {k: np.asarray(v) for k, v in model.state_dict().items()}))
    assert difference(*found) == 0.0


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
@pytest.mark.parametrize("name", ["Adam", "SGD"])
@pytest.mark.parametrize("is_scheduled", [False, True])
def test_many_counts_the_steps_before_a_callback_that_exits(monkeypatch, name, is_scheduled):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    (x, y), pair = data(10), Pair(name, lr=0.1)
    schedules = [lr_scheduler.ExponentialLR(optimizer, gamma=0.5) for optimizer in pair.optimizers]

    def exit_at(values):
        if values[0, 0] == x[7, 0]:
            raise SystemExit
        return values

    step = autograd.compile(lambda x, y: pair.compiled_loss(callback(exit_at, x), y), optimizer=pair.optimizers[1])
    rows = np.arange(10)[:, None]
    options = {"scheduler": schedules[1]} if is_scheduled else {}
    step.many(x, y, rows[:3], **options)
    with pytest.raises(SystemExit):
        step.many(x, y, rows[3:], **options)
    for row in rows[:7]:
        pair.eager(x[row], y[row])
        if is_scheduled:
            schedules[0].step()
    pair.check_states()
    assert schedules[0].state_dict() == schedules[1].state_dict()
    assert schedules[1].get_last_lr() == [0.1 * 0.5**7 if is_scheduled else 0.1]


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
def test_native_steps_read_arrays_from_outside_that_change_in_place(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    (x, y), pair = data(), Pair("Adam")
    scale = Tensor(np.ones((32, 1)))
    step = autograd.compile(lambda x, y: pair.compiled_loss(x * scale, y), optimizer=pair.optimizers[1])
    losses, factors = [], [1.0, 1.0, 1.0, 2.0, 0.5]
    for factor in factors:
        scale.data[...] = factor
        losses.append(step(x, y).item())
    np.testing.assert_allclose(losses, [pair.eager(x * factor, y) for factor in factors], rtol=0, atol=1e-10)
    pair.check_states()


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_many_repeats_a_callback_that_raises_once(kind, monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    (x, y), pair, calls = data(10), Pair("Adam"), []
    bad = x[7, 0]

    def noted(values):
        calls.append(values[0, 0])
        if calls[-1] == bad:
            raise kind("bad row")
        return values

    step = autograd.compile(lambda x, y: pair.compiled_loss(callback(noted, x), y), optimizer=pair.optimizers[1])
    rows = np.arange(10)[:, None]
    step.many(x, y, rows[:3])
    for first in (3, 7):  # the machine stops after some steps, and at once
        with pytest.raises(kind, match="bad row"):
            step.many(x, y, rows[first:])
    assert calls.count(bad) == 4
    for row in rows[:7]:
        pair.eager(x[row], y[row])
    pair.check_states()


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed (extra `fast`)")
def test_many_steps_of_the_machine_are_not_taken_while_anomalies_are_detected(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "1")
    w = Tensor([1.0], requires_grad=True)
    step = autograd.compile(lambda x: autograd.log(w * x).sum(), optimizer=optim.SGD([w], lr=0.1))
    x, rows = np.array([[1.0], [1.0], [-1.0]]), np.array([[0], [1], [2]])
    step.many(x, rows[:2])
    with autograd.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(autograd.AnomalyError, match="log"):
        step.many(x, rows)
    with autograd.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(autograd.AnomalyError, match="log"):
        step(x[2])


def test_copy_of_a_step_starts_without_programs():
    (x, y), pair = data(), Pair("Adam")
    pair.check(2, x, y)
    pair.step = copy.copy(pair.step)
    assert "programs recorded: 0" in repr(pair.step)
    pair.check(2, x, y)


def test_many_checks_its_rows():
    pair, (x, y) = Pair(), data()
    for rows in (np.arange(3), np.zeros((2, 3))):
        with pytest.raises(TypeError, match=r"rows must be a matrix of integers, \(steps, batch\)"):
            pair.step.many(x, y, rows)
    with pytest.raises(IndexError):
        pair.step.many(x, y, np.array([[0, 32]]))
    assert pair.step.many(x, y, np.zeros((0, 4), int)).shape == (0,)


def test_long_vectors_without_numba_are_updated_by_the_optimizer(monkeypatch):
    monkeypatch.setenv("CHAINRULE_NUMBA", "0")
    monkeypatch.setattr(step_module, "LONGEST_IN_NUMPY", 10)
    pair, (x, y) = Pair("Adam"), data()
    del pair.step._eagerly
    losses = [pair.step(x, y).item() for _ in range(3)]
    np.testing.assert_allclose(losses, [pair.eager(x, y) for _ in range(3)], rtol=1e-12)
    assert "sqrt" not in pair.step.source()


def test_source_of_a_step_shows_loss_gradient_and_update():
    pair, (x, y) = Pair("Adam"), data()
    with pytest.raises(RuntimeError, match="before source"):
        pair.step.source()
    pair.step(x, y)
    source = pair.step.source()
    assert "def replay(parameters, m, v, t, x, y, " in source
    assert "lr, betas_1, betas_2, eps" in source.splitlines()[0]
    assert all(f"{name} = " in source for name in ("weight_0", "gradient", "new_m", "new_v", "new_parameters"))
    assert "np.sqrt(" in source


@pytest.mark.parametrize("name", ["SGD", "LAMB"])
def test_warning_of_divergence_in_the_recorded_step_names_the_line_of_the_user(name):
    pair = Pair(name, lr=1e20)
    with pytest.warns(RuntimeWarning, match="a parameter is") as caught:
        pair.step(*data())
    assert caught[0].filename == __file__


def test_warning_of_divergence_in_a_replay_names_the_line_of_the_user():
    pair = Pair("SGD", lr=0.1)
    pair.step(*data())
    pair.optimizers[1].param_groups[0]["lr"] = 1e20
    with pytest.warns(RuntimeWarning, match="a parameter is") as caught:
        pair.step(*data())
    assert caught[0].filename == __file__
