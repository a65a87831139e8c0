"""What the base class does for the rules: flat vectors, blocks, copies, histories that part, the trace."""

import copy
import inspect

import numpy as np
import pytest
from optimizer_problem import Parameter

import optim
from autograd import Tensor, Value
from optim.flat_params import BLOCK


def array(shape, seed=0, dtype=np.float64, name=""):
    rng = np.random.default_rng(seed)
    return Parameter(rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype), name)


class WholeAdam(optim.Adam):
    """Adam without the flat vector."""

    elementwise = False


SIZES = {
    "one block": [(3, 4), (5,), ()],
    "exactly one block": [(BLOCK - 7,), (7,)],
    "a block and one number": [(BLOCK,), (1,)],
    "cut inside a parameter": [(5,), (3, BLOCK), (7, 11)],
    "many small around a cut": [(BLOCK // 10 + 1,)] * 21,
    "an empty one between": [(BLOCK - 1,), (0, 4), (BLOCK, 2), (0,)],
}


@pytest.mark.parametrize("shapes", SIZES.values(), ids=SIZES)
def test_blocks_change_nothing(shapes):
    flat = [array(s, i) for i, s in enumerate(shapes)]
    whole = [array(s, i) for i, s in enumerate(shapes)]
    first, second = optim.Adam(flat, weight_decay=0.1), WholeAdam(whole, weight_decay=0.1)
    for _ in range(3):
        first.step()
        second.step()
        for p, q in zip(flat, whole, strict=True):
            p.grad, q.grad = p.data * 0.5, q.data * 0.5
    for p, q in zip(flat, whole, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
        assert p.data.shape == q.data.shape
    for a, b in zip(first.state_dict()["state"].values(), second.state_dict()["state"].values(), strict=True):
        np.testing.assert_array_equal(a["v"], b["v"])
    first.load_state_dict({**second.state_dict(), "optimizer": "Adam"})
    first.step()
    second.step()
    for p, q in zip(flat, whole, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_all_arrays_of_one_type_are_one_vector():
    params = [array((2, 3)), array(4), array(5, dtype=np.float32), Parameter(1.0, 0.5), Parameter(2.0, 0.5)]
    optimizer = optim.Adam(params)
    optimizer.step()
    assert [len(b.members) for b in optimizer._flat[0]] == [2, 1, 2]
    assert params[0].data.base is params[1].data.base


def test_a_gradient_of_another_float_type_is_taken_in_the_parameters_own():
    for shape in (3, (BLOCK + 3,)):
        p = array(shape, dtype=np.float32)
        p.grad = p.grad.astype(np.float64)
        optimizer = optim.Adam([p])
        optimizer.step()
        assert p.data.dtype == np.float32
        assert optimizer.state_dict()["state"][0]["m"].dtype == np.float32


def test_a_fortran_ordered_parameter_stays_one():
    p, q = array((3, 4)), array((3, 4))
    p.data = np.asfortranarray(p.data)
    both = [optim.Adam([array((2,), 1), p]), optim.Adam([q])]
    for _ in range(3):
        for optimizer in both:
            optimizer.step()
    assert p.data.flags.f_contiguous
    np.testing.assert_array_equal(p.data, q.data)
    np.testing.assert_array_equal(
        both[0].state_dict()["state"][1]["m"], both[1].state_dict()["state"][0]["m"], strict=True
    )


# -- numbers that somebody holds ------------------------------------------------------------------------------------


def addresses(p, optimizer, steps, hold):
    kept, seen = [], []
    for _ in range(steps):
        optimizer.step()
        seen.append(p.data.__array_interface__["data"][0])
        kept.append(hold(p))
    return kept, seen


def test_two_vectors_alternate_while_nobody_looks():
    p = array((4, 4))
    _, seen = addresses(p, optim.Adam([p, array(3)]), 8, lambda p: None)
    assert len(set(seen[1:])) == 2


@pytest.mark.parametrize(
    "hold",
    [
        lambda p: p.data,
        lambda p: p.data[1:],
        lambda p: p.data.T,
        lambda p: memoryview(p.data),
        lambda p: {"deep": [p.data.reshape(-1)]},
        lambda p: iter(p.data),
    ],
    ids=["itself", "slice", "transpose", "memoryview", "inside", "iterator"],
)
def test_a_vector_that_is_held_is_left_alone(hold):
    p = array((4, 4))
    kept, seen = addresses(p, optim.Adam([p, array(3)]), 8, hold)
    assert len(set(seen)) == 8
    assert len(kept) == 8


def test_a_recorded_graph_keeps_its_numbers():
    w = Tensor(np.ones((2, 2)), requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    losses = [(w * w).sum()]
    for _ in range(5):
        w.grad = np.ones((2, 2))
        optimizer.step()
        losses.append((w * w).sum())
    for step, loss in enumerate(losses):
        w.zero_grad()
        loss.backward()
        np.testing.assert_array_equal(w.grad, np.full((2, 2), 2.0 * (1 - step)))


def test_subtracting_in_place_between_steps():
    w = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    for _ in range(4):
        w.grad = np.ones(3)
        optimizer.step()
        w.data -= 1.0
    np.testing.assert_array_equal(w.data, -7.0 * np.ones(3))


def test_what_was_subtracted_from_in_place_is_not_taken_for_a_recorded_array():
    w = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    expected = 1.0
    for step in range(8):
        loss = (w * w).sum()
        w.zero_grad()
        loss.backward()
        optimizer.step()
        del loss
        expected -= 0.1 * 2 * expected
        if step % 3 == 0:
            w.data -= 0.1
            expected -= 0.1
    np.testing.assert_allclose(w.data, expected, rtol=1e-14)


class Anchored(optim.Optimizer):
    """Draws a parameter back to where it started."""

    elementwise = False

    def start(self, zero, *, p):
        return (p,)

    def rule(self, g, anchor, *, p):
        return p - anchor, (anchor,)


def test_a_rule_may_keep_the_numbers_it_starts_from():
    p = array(3)
    first, start = p.data, p.data.copy()
    optimizer = Anchored([p])
    optimizer.step()
    first[...] = 7.0
    p.data[...] = 5.0
    optimizer.step()
    np.testing.assert_allclose(p.data, start, rtol=1e-13)


def test_numbers_stay_floats_under_a_rule_that_looks_at_shapes():
    p = Parameter(2.0, 0.5)
    optim.LAMB([p]).step()
    assert type(p.data) is float


def test_a_copied_optimizer_sees_numbers_written_into_its_copied_parameters():
    p = array(3)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    copied, q = copy.deepcopy((optimizer, p))
    q.data[...] = 5.0
    q.grad = np.ones(3)
    copied.step()
    np.testing.assert_array_equal(q.data, np.full(3, 4.0))


def test_gradients_that_are_nodes():
    x = Tensor([2.0, 3.0], requires_grad=True)
    v = Value(2.0)
    (x * x).sum().backward(create_graph=True)
    (v * v).backward(create_graph=True)
    optim.SGD([x, v], lr=0.5).step()
    np.testing.assert_array_equal(x.data, [0.0, 0.0])
    assert (v.data, type(v.data)) == (0.0, float)
    y = Tensor([[2.0]], requires_grad=True)
    (y * y).sum().backward(create_graph=True)
    optim.Muon([y], lr=0.0, weight_decay=0.0).step()


# -- gradients --------------------------------------------------------------------------------------------------


def test_zero_grad():
    p, q, v = array(3), array(2), Parameter(1.0, 4.0)
    q.grad = None
    optimizer = optim.SGD([p, q, v])
    optimizer.zero_grad(set_to_none=False)
    np.testing.assert_array_equal(p.grad, np.zeros(3))
    assert (q.grad, v.grad) == (None, 0.0)
    for wrapped in (optimizer, optim.Lookahead(optimizer), optim.SAM(optimizer), optim.LBFGS([p, q, v])):
        p.grad, q.grad, v.grad = np.ones(3), np.ones(2), 4.0
        wrapped.zero_grad()
        assert (p.grad, q.grad, v.grad) == (None, None, 0.0)


def test_histories_part_and_stay_apart():
    params = [array(3, i) for i in range(4)]
    optimizer = optim.Adam(params)
    optimizer.step()
    params[1].grad = params[3].grad = None
    optimizer.step()
    params[1].grad, params[3].grad = np.ones(3), np.ones(3)
    optimizer.step()
    assert [s["step"] for s in optimizer.state_dict()["state"].values()] == [3, 2, 3, 2]
    assert len(optimizer._flat[0]) == 2
    other = optim.Adam([array(3, i) for i in range(4)])
    other.load_state_dict(optimizer.state_dict())
    assert [b.places for b in other._flat[0]] == [[0, 2], [1, 3]]


def test_a_momentum_switched_on_later_starts_with_the_gradient_then():
    p = Parameter(0.0, 1.0)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    assert p.data == -2.0
    optimizer.step()
    assert p.data == -3.5


def test_a_group_added_later_counts_from_one():
    p, q = Parameter(1.0, 0.5, "p"), Parameter(1.0, 0.5, "q")
    optimizer = optim.Adam([p])
    optimizer.step()
    optimizer.add_param_group({"params": [q], "lr": 0.1})
    optimizer.step()
    assert [s["step"] for s in optimizer.state_dict()["state"].values()] == [2, 1]
    assert abs(q.data - 0.9) < 1e-8


def test_the_step_length_of_a_group_may_change_at_any_time():
    p = Parameter(1.0, 1.0)
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.data == 0.25


# -- the microscope -------------------------------------------------------------------------------------------------

TRACED = sorted(
    name
    for name in optim.__all__
    if inspect.isclass(found := getattr(optim, name)) and issubclass(found, optim.Optimizer) and hasattr(found, "rule")
)


@pytest.mark.parametrize("options", [{}, {"maximize": True}, {"weight_decay": 0.1}], ids=str)
@pytest.mark.parametrize("name", TRACED)
def test_the_trace_ends_where_the_step_goes(name, options, capsys):
    cls = getattr(optim, name)
    if not options.keys() <= cls.options.keys():
        pytest.skip("no such option")
    params = [array((2, 3), 1, name="W"), array((4, 2), 2)]
    optimizer = cls(params, **options)
    for _ in range(3):
        expected = optimizer.trace(params[0], (1, 2))["p"]
        before = repr(optimizer.state_dict())
        optimizer.trace(params[1], (0, -1))
        assert repr(optimizer.state_dict()) == before
        optimizer.step()
        assert params[0].data[1, 2] == expected
        params[0].grad, params[1].grad = np.cos(params[0].data), np.sin(params[1].data)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{name}, step 1, parameter 'W'[1, 2]")
    assert "p - step" in printed


def test_the_trace_shows_every_term_of_adam(capsys):
    w = Value(2.0, name="w")
    w.grad = 0.5
    optimizer = optim.Adam([w], lr=0.1, weight_decay=0.25)
    found = optimizer.trace(w)
    assert [t.name for t in found] == ["p", "g", "m", "v", "g", "b1", "b2", "m", "v", "m_hat", "v_hat", "step", "p"]
    assert found["g"] == 1.0
    assert found["m"] == pytest.approx(0.1)
    assert found["m_hat"] == pytest.approx(1.0)
    assert found["v_hat"] == pytest.approx(1.0)
    assert found["step"] == pytest.approx(0.1)
    assert ("m", "b1 * m + (1 - b1) * g") in [(t.name, t.formula) for t in found]
    assert capsys.readouterr().out == str(found) + "\n"
    assert repr(found) == "<Adam, step 1, parameter 'w': 13 terms>"
    with pytest.raises(KeyError, match="this trace has p, g, m, v"):
        found["spread"]


def test_the_trace_of_a_rule_of_ones_own():
    class Halving(optim.Optimizer):
        """Halves the gradient."""

        lr: optim.options.NonNegative = 1.0

        def start(self, zero):
            return ()

        def rule(self, g, *, lr):
            half = g / 2
            return lr * half, ()

    p = Parameter(1.0, 0.5)
    optimizer = Halving([p])
    assert [(t.name, t.value) for t in optimizer.trace(p)][2:] == [("half", 0.25), ("step", 0.25), ("p", 0.75)]
    optimizer.step()
    assert p.data == 0.75


def test_what_cannot_be_traced():
    p = array((2, 3), name="W")
    optimizer = optim.Adam([p])
    for index in [(0,), (2, 0), 1, (0, 0, 0)]:
        with pytest.raises(IndexError, match=r"is out of bounds for a parameter of shape \(2, 3\)"):
            optimizer.trace(p, index)
    p.grad = None
    with pytest.raises(ValueError, match=r"'W' has no gradient.*backward\(\)"):
        optimizer.trace(p, (0, 0))
    with pytest.raises(TypeError, match="all parameters together"):
        optim.LBFGS([p]).trace(p, (0, 0))


def test_the_signature_and_the_repr_tell_the_options():
    assert str(inspect.signature(optim.Momentum)) == (
        "(params, lr=0.001, beta=0.9, weight_decay=0.0, *, maximize=False, skip_nonfinite=False)"
    )
    shown = repr(optim.Momentum([Parameter(1.0)], 0.5))
    assert shown.startswith("Momentum(\n  group 0: 1 parameters")
    assert "lr=0.5" in shown
    assert not hasattr(optim.Momentum, "lr"), "the numbers live in the groups and nowhere else"


def test_schedule_free_changes_between_its_two_places():
    p = array(3)
    optimizer = optim.ScheduleFreeSGD([p], lr=0.1)
    for _ in range(3):
        optimizer.step()
    y = p.data.copy()
    optimizer.eval()
    optimizer.eval()
    x = p.data.copy()
    assert np.abs(x - y).max() > 1e-4
    with pytest.raises(RuntimeError, match=r"optimizer\.train\(\)"):
        optimizer.step()
    np.testing.assert_array_equal(p.data, x)
    other = optim.ScheduleFreeSGD([array(3)], lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    with pytest.raises(RuntimeError, match="evaluation mode"):
        other.step()
    optimizer.train()
    np.testing.assert_allclose(p.data, y, rtol=1e-14)
