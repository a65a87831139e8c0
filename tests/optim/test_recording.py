"""Rules written down once and replayed: the same numbers, looked at again whenever something could differ."""

import copy
import gc
import inspect
import weakref

import numpy as np
import pytest
from optimizer_problem import Parameter

import optim
from optim.flat_params import BLOCK, LINE, address, aligned
from optim.options import NonNegative
from optim.recording import Program, is_formula


def array(shape, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return Parameter(rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype))


def replays(optimizer):
    """Whether the last step of every bundle was a replayed one."""
    bundles = [bundle for bundles in optimizer._bundles for bundle in bundles]
    return all(b.replay is not None and b.replay.states is b.states for b in bundles)


def two(cls, shapes=((3, 4), (5,)), dtype=np.float64, **options):
    """An optimizer that replays, and the same one by the rule alone, on equal parameters."""
    sides = [[array(s, i, dtype) for i, s in enumerate(shapes)] for _ in range(2)]
    optimizers = [cls(side, **options) for side in sides]
    optimizers[1]._straight = False
    return optimizers, sides


def run(optimizers, sides, steps, seed=7):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p, q in zip(*sides, strict=True):
            p.grad = q.grad = rng.normal(size=p.data.shape).astype(p.data.dtype)
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(*sides, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    states = [optimizer.state_dict()["state"] for optimizer in optimizers]
    for a, b in zip(states[0].values(), states[1].values(), strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], strict=True)


RULES = sorted(
    name
    for name in optim.__all__
    if inspect.isclass(found := getattr(optim, name))
    and issubclass(found, optim.Optimizer)
    and hasattr(found, "rule")
    and found.elementwise
)
BY_HAND = {"Ftrl", "Prodigy", "Rprop"}
"""Rules that look at the numbers of an array, or reckon with `math`."""


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["double", "single"])
@pytest.mark.parametrize("options", [{}, {"maximize": True}, {"weight_decay": 0.1}], ids=str)
@pytest.mark.parametrize("name", RULES)
def test_a_replay_is_the_rule_to_the_last_bit(name, options, dtype):
    cls = getattr(optim, name)
    if not options.keys() <= cls.options.keys():
        pytest.skip("no such option")
    optimizers, sides = two(cls, dtype=dtype, **options)
    run(optimizers, sides, 9)
    assert replays(optimizers[0]) == (name not in BY_HAND)
    assert not replays(optimizers[1])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {"amsgrad": True}),
        ("Adam", {"eps": 0.0, "eps_root": 1e-8}),
        ("SGD", {"momentum": 0.9}),
        ("SGD", {"momentum": 0.9, "dampening": 0.5}),
        ("SGD", {"momentum": 0.9, "nesterov": True}),
        ("RMSprop", {"centered": True, "momentum": 0.5}),
    ],
    ids=str,
)
def test_with_options(name, options):
    optimizers, sides = two(getattr(optim, name), **options)
    run(optimizers, sides, 9)
    assert replays(optimizers[0])


def test_over_several_blocks():
    optimizers, sides = two(optim.AdamW, ((5,), (3, BLOCK), (7, 11)), np.float32)
    run(optimizers, sides, 5)
    assert replays(optimizers[0])
    optimizers, sides = two(optim.NAdam, ((BLOCK + 3,),))  # its state has a number, the same in all blocks
    run(optimizers, sides, 5)
    assert replays(optimizers[0])


def test_numbers_of_options_are_read_in_every_step():
    optimizers, sides = two(optim.Adam)
    for lr in (0.1, 0.02, 0.5, 0.5, 0.3, 1):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = lr
        run(optimizers, sides, 1)
    assert replays(optimizers[0])


@pytest.mark.parametrize(
    "change",
    [{"momentum": 0.5}, {"momentum": 0.0}, {"weight_decay": 0.1}, {"maximize": True}, {"nesterov": True}],
    ids=str,
)
def test_another_branch_is_noticed(change):
    optimizers, sides = two(optim.SGD, momentum=0.9)
    run(optimizers, sides, 4)
    for optimizer in optimizers:
        optimizer.param_groups[0].update(change)
    run(optimizers, sides, 1)
    assert not replays(optimizers[0]) or change == {"momentum": 0.5}
    run(optimizers, sides, 4)
    assert replays(optimizers[0])


def test_what_happens_between_steps_is_noticed():
    optimizers, sides = two(optim.Adam)
    run(optimizers, sides, 4)
    for optimizer in optimizers:
        optimizer.load_state_dict(optimizer.state_dict())
    optimizers[1]._straight = False
    run(optimizers, sides, 4)
    for p, q in zip(*sides, strict=True):
        p.data, q.data = p.data + 1.0, q.data + 1.0
    run(optimizers, sides, 4)
    assert replays(optimizers[0])
    copied, copies = copy.deepcopy((optimizers[0], sides[0]))
    run([copied, optimizers[1]], [copies, sides[1]], 4)


def test_a_step_that_fails_half_way_leaves_the_state_alone():
    p = array(4)
    optimizer = optim.Adam([p])
    for _ in range(4):
        optimizer.step()
    assert replays(optimizer)
    before, state = p.data.copy(), repr(optimizer.state_dict())
    p.grad = np.array([1.0, 1.0, 1.0, 1e200])
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        optimizer.step()
    np.testing.assert_array_equal(p.data, before)
    assert repr(optimizer.state_dict()) == state


class Outside(optim.Optimizer):
    """Looks at something beside its arguments."""

    lr: NonNegative = 1.0
    factor = 1.0

    def start(self, zero):
        return ()

    def rule(self, g, *, lr):
        return lr * self.factor * g, ()


calls = []


class Counted(optim.Optimizer):
    """Never does the same twice."""

    lr: NonNegative = 1.0

    def start(self, zero):
        return ()

    def rule(self, g, *, lr):
        calls.append(g)
        return lr * len(calls) * g, ()


def test_a_rule_that_is_no_formula_is_not_replayed():
    p = Parameter(np.zeros(2), np.ones(2))
    optimizer = Outside([p])
    for factor in (1.0, 2.0, 3.0, 4.0, 5.0):
        optimizer.factor = factor
        optimizer.step()
    np.testing.assert_array_equal(p.data, -15.0)
    optimizer = Counted([p])
    for _ in range(40):
        optimizer.step()
    assert not replays(optimizer)
    assert optimizer._bundles[0][0].replay.looks == 40
    assert all(isinstance(g, np.ndarray) for g in calls[-20:]), "after a while nobody writes it down any more"


def test_what_a_formula_is():
    def within(self, g, *, lr):
        return (lambda: self.factor)() * g, ()

    def plain(self, g, *, lr):
        return lr * g, ()

    assert [is_formula(rule) for rule in (within, plain, Outside.rule, optim.Adam.rule)] == [False, True, False, True]


def test_the_source():
    optimizer = optim.SGD([array(3)], momentum=0.9)
    state = (np.zeros(3),)
    program = Program(optimizer.formula, state, optimizer.param_groups[0], 2, np.float64)
    lines = program.source().splitlines()
    momentum = next(line.split()[0] for line in lines if line.endswith("group['momentum']"))
    assert f"    k0[()] = {momentum}" in lines
    assert lines[-5:] == [
        "def arrays(p, after, g, s0, r0, w0):",
        "    multiply(k0, s0, w0)",
        "    add(w0, g, r0)",
        "    multiply(k1, r0, w0)",
        "    subtract(p, w0, after)",
    ]


def test_an_optimizer_that_replays_frees_itself():
    optimizer = optim.Adam([array(3)])
    for _ in range(4):
        optimizer.step()
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(optimizer)
        del optimizer
        assert gone() is None
    finally:
        gc.enable()


# -- where numbers lie ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_vectors_begin_with_a_line_of_the_cache(dtype):
    for size in (1, 15, 1000):
        a = aligned(size, dtype)
        assert (a.size, a.dtype, address(a) % LINE) == (size, dtype, 0)


def pieces(params, flat, start=0):
    for p in params:
        p.grad = flat[start : start + p.data.size].reshape(p.data.shape)
        start += p.data.size


@pytest.mark.parametrize("shapes", [((3, 4), (5,), ()), ((5,), (3, BLOCK), (7, 11))], ids=["one block", "several"])
def test_gradients_that_are_pieces_of_one_vector_are_taken_as_they_are(shapes):
    optimizers, sides = two(optim.Adam, shapes)
    total = sum(p.data.size for p in sides[0])
    flat = np.empty(total + 3)
    rng = np.random.default_rng(1)
    pieces(sides[0], flat, 2)
    for _ in range(5):
        flat[...] = rng.normal(size=flat.size)
        for p, q in zip(*sides, strict=True):
            q.grad = p.grad.copy()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(*sides, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    bundle = optimizers[0]._bundles[0][0]
    assert all(np.shares_memory(g, flat) for _, _, g in bundle.cut(bundle.gradients()))
    assert bundle.asked == 1


def test_pieces_in_another_order_are_not():
    p, q = array(3), array(3)
    optimizer = optim.SGD([p, q], lr=1.0)
    expected = -np.arange(6.0)
    p.data, q.data = np.zeros(3), np.zeros(3)
    flat = np.arange(6.0)
    for first, second in [(p, q), (q, p), (p, q)]:
        first.grad, second.grad = flat[:3], flat[3:]
        optimizer.step()
    np.testing.assert_array_equal(p.data, 2 * expected[:3] + expected[3:])
    np.testing.assert_array_equal(q.data, expected[:3] + 2 * expected[3:])
    for odd in (flat[::2], flat[1:4], flat[::-1][:3]):
        p.data, q.data = np.zeros(3), np.zeros(3)
        p.grad, q.grad = flat[:3], odd
        optimizer.step()
        np.testing.assert_array_equal(q.data, -odd)


def test_pieces_are_not_kept():
    p, q = array(3), array(2)
    optimizer = optim.SGD([p, q], lr=1.0)
    flat = np.ones(5)
    pieces([p, q], flat)
    for _ in range(4):
        optimizer.step()
    gone = weakref.ref(p.grad)
    optimizer.zero_grad()
    assert gone() is None
