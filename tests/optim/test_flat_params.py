"""Flat vectors of parameters: blocks, buffers, layouts, groups with different step counts, and signatures."""

import copy
import inspect
import weakref

import numpy as np
import pytest
from looping import each
from optimizer_problem import Parameter, array

import optim
from autograd import Tensor, Value
from optim.flat_params import BLOCK, LINE, address, aligned


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


@each(SIZES)
def test_steps_in_blocks_equal_steps_of_whole_arrays(size):
    shapes = SIZES[size]
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


def test_arrays_of_one_dtype_share_a_vector():
    params = [array((2, 3)), array(4), array(5, dtype=np.float32), Parameter(1.0, 0.5), Parameter(2.0, 0.5)]
    optimizer = optim.Adam(params)
    optimizer.step()
    assert [len(b.members) for b in optimizer._flat[0]] == [2, 1, 2]
    assert params[0].data.base is params[1].data.base


def test_a_gradient_of_another_float_dtype_is_converted():
    for shape in (3, (BLOCK + 3,)):
        p = array(shape, dtype=np.float32)
        p.grad = p.grad.astype(np.float64)
        optimizer = optim.Adam([p])
        optimizer.step()
        assert p.data.dtype == np.float32
        assert optimizer.state_dict()["state"][0]["m"].dtype == np.float32


def test_a_fortran_ordered_parameter_keeps_its_layout():
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


# -- arrays that are referenced elsewhere ---------------------------------------------------------------------------


def addresses(p, optimizer, steps, hold):
    kept, seen = [], []
    for _ in range(steps):
        optimizer.step()
        seen.append(p.data.__array_interface__["data"][0])
        kept.append(hold(p))
    return kept, seen


def test_two_vectors_alternate_if_not_referenced_elsewhere():
    p = array((4, 4))
    _, seen = addresses(p, optim.Adam([p, array(3)]), 8, lambda p: None)
    assert len(set(seen[1:])) == 2


HOLDERS = {
    "itself": lambda p: p.data,
    "slice": lambda p: p.data[1:],
    "transpose": lambda p: p.data.T,
    "memoryview": lambda p: memoryview(p.data),
    "inside": lambda p: {"deep": [p.data.reshape(-1)]},
    "iterator": lambda p: iter(p.data),
}


@each(HOLDERS.values())
def test_a_referenced_vector_is_not_reused(hold):
    p = array((4, 4))
    kept, seen = addresses(p, optim.Adam([p, array(3)]), 8, hold)
    assert len(set(seen)) == 8
    assert len(kept) == 8


def test_a_recorded_graph_keeps_its_values():
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


def test_data_modified_in_place_between_steps_is_used():
    w = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    for _ in range(4):
        w.grad = np.ones(3)
        optimizer.step()
        w.data -= 1.0
    np.testing.assert_array_equal(w.data, -7.0 * np.ones(3))


def test_in_place_changes_between_recorded_losses_keep_gradients_correct():
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


def test_a_rule_may_keep_the_initial_parameter_as_state():
    p = array(3)
    first, start = p.data, p.data.copy()
    optimizer = Anchored([p])
    optimizer.step()
    first[...] = 7.0
    p.data[...] = 5.0
    optimizer.step()
    np.testing.assert_allclose(p.data, start, rtol=1e-13)


def test_a_value_stays_a_float_under_a_layerwise_rule():
    p = Parameter(2.0, 0.5)
    optim.LAMB([p]).step()
    assert type(p.data) is float


def test_a_copied_optimizer_uses_data_modified_in_its_copied_parameters():
    p = array(3)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    copied, q = copy.deepcopy((optimizer, p))
    q.data[...] = 5.0
    q.grad = np.ones(3)
    copied.step()
    np.testing.assert_array_equal(q.data, np.full(3, 4.0))


def test_gradients_that_are_nodes_are_unwrapped():
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


def test_zero_grad_sets_none_or_zeros():
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


def test_flat_params_split_when_step_counts_differ():
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


def test_momentum_enabled_later_starts_with_the_present_gradient():
    p = Parameter(0.0, 1.0)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    assert p.data == -2.0
    optimizer.step()
    assert p.data == -3.5


def test_a_group_added_later_counts_steps_from_one():
    p, q = Parameter(1.0, 0.5, "p"), Parameter(1.0, 0.5, "q")
    optimizer = optim.Adam([p])
    optimizer.step()
    optimizer.add_param_group({"params": [q], "lr": 0.1})
    optimizer.step()
    assert [s["step"] for s in optimizer.state_dict()["state"].values()] == [2, 1]
    assert abs(q.data - 0.9) < 1e-8


def test_a_changed_learning_rate_is_used_in_the_next_step():
    p = Parameter(1.0, 1.0)
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.data == 0.25


# -- memory layout ------------------------------------------------------------------------------------------------


@each([np.float16, np.float32, np.float64, np.longdouble])
def test_vectors_begin_at_a_cache_line(dtype):
    for size in (1, 15, 1000):
        a = aligned(size, dtype)
        assert (a.size, a.dtype, address(a) % LINE) == (size, dtype, 0)


def set_slices(params, flat, start=0):
    for p in params:
        p.grad = flat[start : start + p.data.size].reshape(p.data.shape)
        start += p.data.size


@each([[(3, 4), (5,), ()], [(5,), (3, BLOCK), (7, 11)]])
def test_gradients_that_are_slices_of_one_vector_are_used(shapes):
    sides = [[array(s, i) for i, s in enumerate(shapes)] for _ in range(2)]
    optimizers = [optim.Adam(side) for side in sides]
    total = sum(p.data.size for p in sides[0])
    flat = np.empty(total + 3)
    rng = np.random.default_rng(1)
    set_slices(sides[0], flat, 2)
    for _ in range(5):
        flat[...] = rng.normal(size=flat.size)
        for p, q in zip(*sides, strict=True):
            q.grad = p.grad.copy()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(*sides, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_slices_in_another_order_are_gathered():
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


def test_gradients_are_not_kept_alive():
    p, q = array(3), array(2)
    optimizer = optim.SGD([p, q], lr=1.0)
    flat = np.ones(5)
    set_slices([p, q], flat)
    for _ in range(4):
        optimizer.step()
    gone = weakref.ref(p.grad)
    optimizer.zero_grad()
    assert gone() is None


# -- options and modes ------------------------------------------------------------------------------------------


def test_signature_and_repr_show_the_options():
    assert str(inspect.signature(optim.Momentum)) == (
        "(params, lr=0.001, beta=0.9, weight_decay=0.0, *, maximize=False, skip_nonfinite=False, cautious=False)"
    )
    shown = repr(optim.Momentum([Parameter(1.0)], 0.5))
    assert shown.startswith("Momentum(\n  group 0: 1 parameters")
    assert "lr=0.5" in shown
    assert not hasattr(optim.Momentum, "lr"), "options are stored in the groups only"


def test_schedule_free_eval_and_train_exchange_the_parameters():
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


def test_schedule_free_evaluates_before_the_first_step_and_after_data_were_replaced():
    p = array(3)
    optimizer = optim.ScheduleFreeSGD([p], lr=0.1)
    optimizer.eval()
    np.testing.assert_allclose(p.data, array(3).data, rtol=1e-14)
    optimizer.train()
    optimizer.step()
    p.data = np.ones(3)
    optimizer.eval()
    optimizer.train()
    np.testing.assert_allclose(p.data, np.ones(3), rtol=1e-14)


def test_zero_grad_of_a_matrix_sets_none():
    leaf = array((2, 2))
    optimizer = optim.Muon([leaf])
    optimizer.step()
    optimizer.zero_grad()
    assert leaf.grad is None


def test_whole_state_that_is_owned_changes_in_place(monkeypatch):
    monkeypatch.setattr("optim.flat_params.BLOCK", 4)
    params = [array((2, 3)), array((4,), 1)]
    optimizer = optim.Adam(params, lr=0.1)
    optimizer.step()
    (flat,) = optimizer._flat[0]
    values, m, v, *_, t = flat.whole()
    m[:] = 7.0  # a copy
    assert not (flat.whole()[1] == 7.0).any()
    np.testing.assert_array_equal(values, np.concatenate([p.data.ravel() for p in params]))
    assert t == 2.0
    flat.own()
    values, m, v, *rest, _ = flat.whole()
    values[:], m[:] = 5.0, 7.0
    assert all((p.data == 5.0).all() for p in params)
    assert all((state["m"] == 7.0).all() for state in optimizer.state_dict()["state"].values())
    flat.set_whole_state((v, m, *rest))
    assert all((state["v"] == 7.0).all() for state in optimizer.state_dict()["state"].values())
    assert copy.deepcopy(flat).whole()[2].tolist() == [7.0] * 10


def test_place_copies_values_that_others_reference():
    params = [array((2, 3)), array((4,), 1)]
    optimizer = optim.SGD(params, lr=0.1)
    optimizer.step()
    (flat,) = optimizer._flat[0]
    assert flat.place() is flat.place()
    held, copied = params[0].data, params[0].data.copy()
    flat.place()[:] = 0.0
    np.testing.assert_array_equal(held, copied)
    assert not params[0].data.any()
