"""The backward pass: what it sums, what it stores, what it refuses."""

import contextlib
import os
import threading
import warnings

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import GradientWarning, Tensor, Value, gradients, no_grad
from autograd.backward import storing
from autograd.extend import apply, elementwise, linear, primitive
from autograd.recording import Watch, watching
from autograd.reverse import reverse_pass
from autograd.rules import PRIMITIVES, Pullback


def variable(*shape, seed=0, dtype=float, name=""):
    return Tensor(np.random.default_rng(seed).normal(size=shape).astype(dtype), requires_grad=True, name=name)


class TestSums:
    def test_every_way_from_a_variable_is_counted(self):
        x = Value(3.0)
        y = x * x + x * 2.0 - x / 3.0
        y.backward()
        assert x.grad == pytest.approx(6.0 + 2.0 - 1 / 3)

    def test_a_shared_node_is_finished_before_it_is_used(self):
        x = Value(2.0)
        h = x * x
        y = h * 3.0 + (h + x) * h
        y.backward()
        assert h.grad == 3.0 + 4.0 + 6.0
        assert x.grad == 13.0 * 4.0 + 4.0

    def test_both_operands_the_same(self):
        for f, expected in [
            (lambda x: x * x, 6.0), (lambda x: x + x, 2.0), (lambda x: x - x, 0.0), (lambda x: x / x, 0.0),
            (lambda x: x**x, 27.0 * (1 + np.log(3.0))), (lambda x: ag.maximum(x, x), 1.0),
        ]:  # fmt: skip
            x, t = Value(3.0), Tensor([3.0], requires_grad=True)
            f(x).backward()
            f(t).sum().backward()
            assert x.grad == pytest.approx(expected)
            assert t.grad == pytest.approx(expected)

    def test_two_thousand_consumers(self):
        x = Value(1.5)
        ag.backward(sum((x * float(i) for i in range(2000)), Value(0.0)))
        assert x.grad == 1999 * 1000

    def test_two_to_the_two_hundred_paths(self):
        x = Value(1.0)
        y = x
        for _ in range(200):
            y = y + y
        y.backward()
        assert x.grad == 2.0**200

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ((3, 4), (4,)),
            ((3, 1), (1, 4)),
            ((2, 3, 4), (3, 1)),
            ((4,), ()),
            ((1, 1), (3,)),
            ((0, 3), (3,)),
            ((1, 5), (1,)),
            ((1, 3, 5), (3, 1)),
            ((5, 1), (1,)),
        ],
    )
    def test_broadcasting_is_undone(self, a, b):
        x, y = variable(*a, seed=1), variable(*b, seed=2)
        (x * y + x - y).sum().backward()
        for leaf, other, sign in ((x, y, 1), (y, x, -1)):
            whole = np.broadcast_to(other.data + sign, np.broadcast_shapes(a, b))
            lead = whole.ndim - leaf.ndim
            axes = (*range(lead), *(i + lead for i, n in enumerate(leaf.shape) if n == 1))
            assert leaf.grad.shape == leaf.shape
            assert np.allclose(leaf.grad, whole.sum(axis=axes).reshape(leaf.shape))

    def test_values_and_tensors_meet(self):
        v, t = Value(3.0), Tensor([1.0, 2.0], requires_grad=True)
        y = (t * v + v).sum() * v
        y.backward()
        assert np.array_equal(t.grad, [9.0, 9.0])
        assert v.grad == pytest.approx(2 * 3 * 3 + 4 * 3)  # v^2 (1 + 2) + 2 v^2 -> 2 v 5
        assert type(v.grad) is float


class TestStorage:
    def test_leaves_accumulate_and_inner_nodes_show_the_latest(self):
        x = Value(2.0)
        h = x * x
        y = h * 3.0
        y.backward()
        y.backward()
        assert (x.grad, h.grad, y.grad) == (24.0, 3.0, 1.0)
        t = variable(3)
        s = (t * t).sum()
        s.backward()
        first = t.grad.copy()
        s.backward()
        assert np.array_equal(t.grad, 2 * first)

    def test_computed_tensors_show_a_gradient_only_on_request(self):
        x = variable(3)
        h = x * 2.0
        k = h * 3.0
        k.retain_grad()
        k.sum().backward()
        with pytest.warns(GradientWarning, match="computed, not a leaf"):
            assert h.grad is None
        assert np.array_equal(k.grad, np.ones(3))
        k.sum().backward()
        assert np.array_equal(k.grad, np.ones(3))

    def test_gradients_are_fresh_writable_contiguous_and_the_leafs_own(self):
        seed = np.ones((2, 3))
        a, b, f = variable(2, 3), variable(2, 3), Tensor(np.ones((3, 2)).T, requires_grad=True)
        s = variable(2, 3, dtype=np.float32)
        y = a + b + f + s.T.T + ag.sum(a) * 0.0
        y.retain_grad()
        y.backward(seed)
        grads = [a.grad, b.grad, f.grad, s.grad, y.grad]
        for i, g in enumerate(grads):
            assert g.flags.writeable
            assert g.flags.c_contiguous
            assert g.flags.owndata
            assert not any(np.shares_memory(g, other) for other in [*grads[:i], seed, a.data, b.data, f.data, y.data])
        assert s.grad.dtype == np.float32
        seed[:] = 9.0
        a.grad[0] = 7.0
        assert b.grad[0, 0] == 1.0

    def test_the_gradient_of_a_broadcast_can_be_written(self):
        x = variable(2, 3)
        x.sum().backward()
        x.grad[0, 0] = 5.0
        assert x.grad[0, 1] == 1.0
        assert x.grad.strides == (24, 8)

    def test_a_pullback_that_returns_its_input_does_not_lend_it(self):
        @primitive(lambda g, y, x: x if type(g) is float and g == 1.0 else g * x)
        def half_square(x):
            return float(0.5 * np.sum(x * x))

        try:
            x = variable(2)
            h = x + 0.0
            half_square(h).backward()
            before = h.data.copy()
            x.grad[:] = 100.0
            assert np.array_equal(h.data, before)
            v = Value(3.0)
            half_square(v).backward()
            assert v.grad == 3.0
            y = Tensor([1.0, 2.0], requires_grad=True)
            slope = gradients(half_square(y) * 2.0, y, create_graph=True)
            assert np.array_equal(slope.data, [2.0, 4.0])
            assert np.array_equal(gradients(slope.sum(), y), [2.0, 2.0])
        finally:
            del PRIMITIVES["half_square"]

    def test_the_layout_of_the_seed_does_not_matter(self):
        x = variable(2, 3)
        (x * 1.0).backward(np.asfortranarray(np.ones((2, 3))))
        assert x.grad.flags.c_contiguous

    def test_a_0d_tensor_gets_a_0d_array(self):
        t = Tensor(np.array(3.0), requires_grad=True)
        (t * t * 2.0).backward()
        assert type(t.grad) is np.ndarray
        assert t.grad.shape == ()
        assert t.grad == 12.0

    def test_a_seed_that_is_a_variable_gives_plain_numbers(self):
        x, v, s = variable(2), Value(2.0), variable(2, seed=3)
        (x * x * v).backward(s)
        assert type(x.grad) is np.ndarray
        assert type(v.grad) is float
        assert np.allclose(x.grad, 2 * x.data * 2.0 * s.data)
        assert type(gradients(x * x, x, s)) is np.ndarray

    def test_accumulating_makes_a_new_array(self):
        x = variable(2)
        (x * 2.0).sum().backward()
        first = x.grad
        (x * 2.0).sum().backward()
        assert np.array_equal(first, [2.0, 2.0])
        assert np.array_equal(x.grad, [4.0, 4.0])

    @pytest.mark.parametrize("gradient", [np.float64(2.0), 2, np.array(2.0), 2.0])
    def test_a_value_takes_any_number_as_gradient(self, gradient):
        x = Value(3.0)
        (x * x).backward(gradient)
        assert x.grad == 12.0
        assert type(x.grad) is float

    def test_zero_grad(self):
        x, t = Value(2.0), variable(2)
        (x * t).sum().backward()
        x.zero_grad()
        t.zero_grad(set_to_none=False)
        assert (x.grad, t.grad.tolist()) == (0.0, [0.0, 0.0])
        t.zero_grad()
        assert t.grad is None

    def test_a_seed_weighs_the_outputs(self):
        x = variable(2, 2)
        w = np.array([[1.0, 2.0], [3.0, 4.0]])
        (x * x).backward(w)
        assert np.allclose(x.grad, 2 * w * x.data)
        x.zero_grad()
        (x * x).backward(w.tolist())
        assert np.allclose(x.grad, 2 * w * x.data)

    def test_size_one_roots_need_no_seed(self):
        x = variable(1, 1)
        (x * 3.0).backward()
        assert np.array_equal(x.grad, [[3.0]])

    def test_float32_stays_float32(self):
        x = variable(3, dtype=np.float32)
        y = ((x * 2 + np.float64(1.0)) / 3.0).mean()
        assert y.dtype == np.float32
        y.backward()
        assert x.grad.dtype == np.float32
        w = variable(3)
        (x * w).sum().backward()
        assert x.grad.dtype == np.float32
        assert w.grad.dtype == np.float64

    @pytest.mark.parametrize("create_graph", [False, True])
    def test_cotangents_have_the_dtype_of_their_node_on_the_way_too(self, create_graph):
        seen = []
        x, w = variable(3, dtype=np.float32), variable(3)
        h = x * 2.0
        h.register_hook(lambda g: seen.append(g.dtype))
        (h * w).sum().backward(create_graph=create_graph)
        (h * w[:1]).sum().backward(create_graph=create_graph)
        assert seen == [np.float32, np.float32]
        assert x.grad.dtype == np.float32
        assert w.grad.dtype == np.float64
        x.zero_grad()
        w.zero_grad()

    def test_a_gradient_given_as_a_node_is_copied_in_the_dtype_of_the_leaf(self):
        for dtype in (np.float64, np.float32):
            for function in (lambda x: x, lambda x: x + 1.0):
                x, given = variable(2, dtype=dtype), Tensor([1.0, 2.0])
                function(x).backward(given)
                assert x.grad.dtype == dtype
                assert x.grad.tolist() == [1.0, 2.0]
                assert not np.shares_memory(x.grad, given.data)

    def test_the_lock_of_gradients_is_free_in_a_forked_process(self):
        held, forked = threading.Event(), threading.Event()

        def hold():
            with storing:
                held.set()
                forked.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a process with several threads is forked
            pid = os.fork()
        if pid == 0:
            os._exit(0 if storing.acquire(blocking=False) else 1)
        forked.set()
        thread.join()
        assert os.waitpid(pid, 0)[1] == 0


class TestRefusals:
    def test_more_than_one_number(self):
        x = variable(2, 3)
        with pytest.raises(RuntimeError, match=r"scalar.*\(2, 3\).*gradient="):
            (x * 2.0).backward()
        assert x.grad is None

    def test_nothing_requires_a_gradient(self):
        for y in (Tensor([1.0]) * 2.0, variable(1).detach(), (variable(1) > 0) * 1.0):
            with pytest.raises(RuntimeError, match=r"requires_grad.*requires_grad=True"):
                y.backward()
        with no_grad():
            y = Value(1.0) * 2.0
        with pytest.raises(RuntimeError, match="no_grad"):
            y.backward()

    @pytest.mark.parametrize("gradient", [np.ones(3), 1.0, np.ones((2, 1)), Tensor(np.ones(3))])
    def test_a_seed_of_another_shape(self, gradient):
        x = variable(2)
        with pytest.raises(ValueError, match=r"gradient= has shape .*\(2,\)"):
            (x * 2.0).backward(gradient)
        assert x.grad is None

    def test_assigning_a_gradient_that_does_not_fit(self):
        x, v = variable(2), Value(1.0)
        with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
            x.grad = np.ones(3)
        for wrong in ("text", [1.0, 2.0], {}):
            with pytest.raises(TypeError, match=type(wrong).__name__):
                x.grad = wrong
        with pytest.raises(TypeError, match="text"):
            v.grad = "text"
        assert x.grad is None
        x.grad = np.ones(2, np.float32)
        assert x.grad.dtype == np.float64

    @pytest.mark.parametrize("data", [np.array([1, 2]), np.array([True])])
    def test_integers_and_bools_have_no_gradient(self, data):
        with pytest.raises(TypeError, match=rf"{data.dtype}.*float"):
            Tensor(data, requires_grad=True)
        t = Tensor(data)
        with pytest.raises(TypeError, match=str(data.dtype)):
            t.requires_grad = True
        assert not t.requires_grad

    def test_requires_grad_of_a_computed_node(self):
        y = variable(2) * 2.0
        with pytest.raises(RuntimeError, match=r"leaf.*detach\(\)"):
            y.requires_grad = False
        y.requires_grad = True
        assert y.requires_grad


class TestModification:
    def test_operands_of_operations_without_gradient_may_be_modified(self):
        w, x = variable(2), Tensor([1.0, -2.0], requires_grad=True)
        loss = (ag.sign(x) * w).sum()
        x.data -= 5.0
        assert gradients(loss, w).tolist() == [1.0, -1.0]
        loss.backward()
        assert w.grad.tolist() == [1.0, -1.0]

    """Whatever is assigned between forward and backward: the recorded numbers, or an error; never silence."""

    def test_a_leaf_given_new_numbers(self):
        for x in (Value(3.0), Tensor([3.0], requires_grad=True)):
            y = (x * x).sum() if isinstance(x, Tensor) else x * x
            x.data = x.data + 100.0
            y.backward()
            assert x.grad == 6.0

    @pytest.mark.parametrize("make", [lambda: Value(2.0, name="x"), lambda: Tensor(2.0, requires_grad=True, name="x")])
    def test_a_formula_of_new_numbers_is_refused(self, make):
        x = make()
        y = x**3
        x.data = x.data * 1.0
        assert float(gradients(y, x, create_graph=True)) == 12.0
        x.data = x.data + 8.0
        assert gradients(y, x) == 12.0
        for derive in (lambda: gradients(y, x, create_graph=True), lambda: y.backward(create_graph=True)):
            with pytest.raises(RuntimeError, match="operand 'x' of power was reassigned"):
                derive()
        assert x.grad in (None, 0.0)

    def test_a_leaf_changed_in_place(self):
        x, k = variable(2, name="W"), variable(2)
        y = (x * x + k).sum()
        x.data -= 0.5
        with pytest.raises(RuntimeError, match=r"'W' of shape \(2,\) of multiply was modified in place"):
            y.backward()
        assert x.grad is None
        assert k.grad is None
        with pytest.raises(RuntimeError, match="modified"):
            gradients(y, k)
        (x * x).sum().backward()
        assert np.allclose(x.grad, 2 * x.data)

    def test_an_in_place_step_after_backward_is_no_fault(self):
        x = variable(2)
        for _ in range(3):
            x.zero_grad()
            (x * x).sum().backward()
            x.data -= 0.1 * x.grad
        start = variable(2).data
        assert np.allclose(x.data, start * 0.8**3)

    def test_a_float_changed_in_place_is_no_fault(self):
        x = Value(3.0)
        y = x * x
        x.data -= 1.0
        y.backward()
        assert x.grad == 6.0

    @pytest.mark.parametrize("make", [lambda: Value(0.5), lambda: Tensor([0.5], requires_grad=True)])
    def test_a_result_given_other_numbers(self, make):
        x = make()
        y = ag.exp(x)
        z = y * 2.0 if isinstance(x, Value) else (y * 2.0).sum()
        y.data = y.data + 1.0
        with pytest.raises(RuntimeError, match=r"result of exp was modified.*detach\(\)"):
            z.backward()
        with pytest.raises(RuntimeError, match="modified"):
            gradients(z, x, create_graph=True)

    def test_a_result_changed_in_place(self):
        x = variable(2)
        y = ag.exp(x)
        z = (y * y).sum()
        y.data += 1.0
        with pytest.raises(RuntimeError, match="modified"):
            z.backward()

    def test_a_result_whose_rule_does_not_look_at_it(self):
        x = Value(1.0)
        y = x + 2.0
        y.data = 50.0
        (y * 3.0).backward()
        assert x.grad == 3.0

    def test_augmented_assignment_of_a_variable_is_out_of_place(self):
        for x in (Value(3.0), Tensor([3.0], requires_grad=True)):
            y = x
            y += 1.0
            y *= 2.0
            assert y is not x
            assert x.data == 3.0
            gradients(y, x) if isinstance(x, Value) else y.sum().backward()
            assert x.is_leaf

    def test_the_callers_array_after_construction(self):
        a = np.array([1.0, 2.0])
        x = Tensor(a, requires_grad=True)
        y = (x * x).sum()
        a[:] = 100.0
        y.backward()
        assert np.array_equal(x.grad, [2.0, 4.0])

    def test_the_second_backward_sees_what_the_first_saw(self):
        x = Value(2.0)
        y = x * x
        y.backward()
        x.data = 50.0
        x.grad = 0.0
        y.backward()
        assert x.grad == 4.0


class TestHooks:
    def test_they_see_the_complete_cotangent(self):
        seen = []
        x = Value(2.0)
        h = x * x
        h.register_hook(seen.append)
        (h * 3.0 + h).backward()
        assert seen == [4.0]

    def test_they_may_change_it_in_order(self):
        x = variable(2)
        h = x * 1.0
        h.register_hook(lambda g: g * 10.0)
        h.register_hook(lambda g: g + 1.0)
        h.sum().backward()
        assert np.array_equal(x.grad, [11.0, 11.0])

    def test_on_a_leaf_they_change_what_is_stored(self):
        x, v = variable(2), Value(1.0)
        x.register_hook(lambda g: np.clip(g, -0.5, 0.5))
        v.register_hook(lambda g: -g)
        (x * 3.0 * v).sum().backward()
        assert np.array_equal(x.grad, [0.5, 0.5])
        assert v.grad == pytest.approx(-3.0 * x.data.sum())

    def test_they_are_removed_one_by_one(self):
        seen = []
        x = Value(1.0)
        first, second = x.register_hook(seen.append), x.register_hook(seen.append)
        (x * 1.0).backward()
        first()
        (x * 1.0).backward()
        second()
        second()
        (x * 1.0).backward()
        assert len(seen) == 3

    def test_what_they_keep_is_theirs(self):
        kept = []
        x = variable(2)
        h = x * 1.0
        x.register_hook(kept.append)
        h.register_hook(kept.append)
        h.retain_grad()
        h.sum().backward()
        x.grad[0] = h.grad[0] = 99.0
        assert all(np.array_equal(g, [1.0, 1.0]) for g in kept)

    def test_what_they_write_stays_with_their_node(self):
        def doubled(g):
            g *= 2.0

        x, y = variable(2), variable(2)
        x.register_hook(doubled)  # addition passes one array on to both operands
        (x + y).sum().backward()
        assert (x.grad.tolist(), y.grad.tolist()) == ([2.0, 2.0], [1.0, 1.0])

    def test_what_they_return_is_copied(self):
        mine = np.zeros(2)
        x = variable(2)
        x.register_hook(lambda g: mine)
        x.sum().backward()
        x.grad[0] = 5.0
        assert mine[0] == 0.0

    def test_they_may_return_the_data_itself_or_a_list(self):
        x = variable(2)
        x.register_hook(lambda g: x.data)
        (x * 2.0).sum().backward()
        assert np.array_equal(x.grad, x.data)
        assert not np.shares_memory(x.grad, x.data)
        y = variable(2)
        h = y * 2.0
        h.register_hook(lambda g: [10.0, 20.0])
        h.sum().backward()
        assert np.array_equal(y.grad, [20.0, 40.0])

    def test_what_they_return_gets_the_dtype_of_the_node(self):
        seen = []
        x = variable(2, dtype=np.float32)
        h = x * 1.0
        h.register_hook(lambda g: np.ones(2, np.float64))
        h.register_hook(lambda g: seen.append(g.dtype))
        h.sum().backward()
        assert seen == [np.float32]
        v = Value(1.0)
        (v * 1.0).register_hook(lambda g: 2)
        h = v * 3.0
        h.register_hook(lambda g: np.float32(2.0))
        (h * 5.0).backward()
        assert v.grad == 6.0
        assert type(v.grad) is float

    def test_another_shape_is_refused(self):
        x = variable(2, name="x")
        x.register_hook(lambda g: g[:1])
        with pytest.raises(ValueError, match=r"hook on x.*\(1,\).*\(2,\)"):
            x.sum().backward()
        assert x.grad is None

    def test_a_watcher_calls_the_hooks(self):
        class Watcher(Watch):
            def call_hook(self, hook, g):
                called.append(hook(g))
                return 2.0 * hook(g)

        called, x = [], Value(1.0)
        x.register_hook(lambda g: g * 10.0)
        with watching(Watcher()):
            (x * 3.0).backward()
        assert called == [30.0]
        assert x.grad == 60.0

    def test_only_functions_are_hooks(self):
        with pytest.raises(TypeError, match="callable"):
            Value(1.0).register_hook(3)

    def test_they_work_with_graphs_and_gradients(self):
        x = Value(2.0)
        h = x * x
        h.register_hook(lambda g: g * 2.0)
        g = gradients(h * h, x, create_graph=True)  # 2 h 2 2x = 8 x^3
        assert g.data == 64.0
        # g = 4 h 2x, and on the way through h the hook doubles again: 8 h + 8x (2x) 2
        assert gradients(g, x) == 160.0


class TestGradients:
    def test_one_or_several_outputs_and_inputs(self):
        x, y = Value(2.0), Value(3.0)
        assert gradients(x * y, x) == 3.0
        assert gradients(x * y, [x, y]) == (3.0, 2.0)
        assert gradients([x * y, x * x], [x, y]) == (7.0, 2.0)
        assert gradients([x * y, x * x], (y,), [10.0, 1.0]) == (20.0,)
        z = x * y
        assert gradients([z, z], x, [1.0, 10.0]) == 33.0
        assert (x.grad, y.grad, z.grad) == (0.0, 0.0, 0.0)

    def test_inputs_may_be_computed_and_lie_behind_each_other(self):
        x = Value(2.0)
        h = x * x
        y = h * h
        assert gradients(y, [h, x, y]) == (8.0, 32.0, 1.0)

    def test_only_what_leads_to_the_inputs_is_pulled(self):
        calls = []

        @linear(lambda g, y, x: calls.append(1) or g)
        def counted(x):
            return x * 1.0

        try:
            a, b = Value(1.0), Value(1.0)
            assert gradients(counted(a) + b, b) == 1.0
            assert not calls
        finally:
            del PRIMITIVES["counted"]

    def test_hooks_beside_the_way_to_the_inputs_are_not_called(self):
        called = []
        x, b = Value(1.0), Value(2.0)
        h = b * 2.0
        h.register_hook(called.append)
        assert gradients(h * x, x) == 4.0
        assert not called

    def test_an_input_that_is_not_part_of_it(self):
        x, other, constant = Value(1.0), Value(2.0, name="other"), Tensor([1.0])
        with pytest.raises(
            ValueError, match=r"input 1 'other' has no gradient: the outputs do not depend.*allow_unused"
        ):
            gradients(x * 2.0, [x, other])
        with pytest.raises(ValueError, match=r"input 0 has no gradient: it does not have requires_grad=True"):
            gradients((x * constant).sum(), constant)
        assert gradients(x * 2.0, [x, other], allow_unused=True) == (2.0, None)

    def test_results_share_nothing(self):
        x, y = variable(2, seed=1), variable(2, seed=2)
        seed = np.ones(2)
        gx, gy, gs = gradients(x + y, [x, y, x], seed)
        assert not np.shares_memory(gx, gy)
        assert not np.shares_memory(gx, gs)
        assert not np.shares_memory(gx, seed)

    def test_create_graph_gives_nodes(self):
        x = variable(2)
        (g,) = gradients((x**3).sum(), [x], create_graph=True)
        assert isinstance(g, Tensor)
        (h,) = gradients(g.sum(), [x], create_graph=True)
        assert np.allclose(h.data, 6 * x.data)
        assert np.allclose(gradients(h.sum(), x), 6.0)

    def test_a_seed_that_is_a_node_is_differentiated(self):
        x, s = variable(2), variable(2, seed=5)
        g = gradients(x * x, x, s, create_graph=True)
        assert np.allclose(gradients(g.sum(), s), 2 * x.data)

    def test_the_number_of_seeds(self):
        x = Value(1.0)
        with pytest.raises(ValueError, match="2 outputs but 1"):
            gradients([x * 1.0, x * 2.0], x, [1.0])

    @pytest.mark.parametrize("call", [
        lambda x: gradients(3.0, x), lambda x: gradients([x * 1.0, 2.0], x), lambda x: gradients(x * 1.0, [x, 3.0]),
        lambda x: ag.backward(x.data), lambda x: gradients(x * 1.0, "x"),
    ])  # fmt: skip
    def test_what_is_no_node_is_named(self, call):
        with pytest.raises(TypeError, match=r"only a Value or a Tensor.*\.data"):
            call(Value(3.0))

    def test_a_graph_of_gradients_is_made_inside_no_grad_too(self):
        x = Value(3.0)
        y = x * x * x
        with no_grad():
            g = gradients(y, x, create_graph=True)
            assert not ag.is_grad_enabled()
        assert gradients(g, x) == 18.0

    def test_inside_no_grad_numbers_are_computed(self):
        x = Value(3.0)
        y = x * x
        seen = []
        y.register_hook(lambda g: seen.append(type(g)))
        x.register_hook(lambda g: seen.append(type(g)))
        with no_grad():
            y.backward()
        assert x.grad == 6.0
        assert seen == [float, float]


class TestGraphsOfGradients:
    def test_grad_becomes_a_node_and_accumulates(self):
        x = Value(2.0)
        ag.backward(x**3, create_graph=True)
        assert isinstance(x.grad, Value)
        assert x.grad.data == 12.0
        g = x.grad
        x.zero_grad()
        g.backward()
        assert x.grad == 12.0
        t = variable(2)
        ag.backward((t * t).sum(), create_graph=True)
        ag.backward((t * t).sum(), create_graph=True)
        assert np.allclose(t.grad.data, 4 * t.data)
        t.zero_grad()
        x.zero_grad()

    def test_plain_and_graph_gradients_add(self):
        t = variable(2)
        (t * t).sum().backward()
        ag.backward((t * t).sum(), create_graph=True)
        assert np.allclose(t.grad.data, 4 * t.data)
        t.zero_grad()

    def test_a_gradient_penalty(self):
        x = np.random.default_rng(1).normal(size=(4, 3))

        def penalty(w):
            slope = gradients(ag.tanh(points @ w).sum(), points, create_graph=True)
            return ((slope * slope).sum(axis=1) - 1.0).mean()

        points = Tensor(x, requires_grad=True)
        assert ag.gradcheck(penalty, np.array([0.3, -0.5, 0.8]))

    def test_a_gradient_that_is_constant_is_a_node_too(self):
        x, t = Value(2.0), variable(3)
        g = gradients(x * 3.0, x, create_graph=True)
        assert type(g) is Value
        assert not g.requires_grad
        assert type(gradients((t * 3.0).sum(), t, create_graph=True)) is Tensor
        ag.backward((t * 3.0).sum() + x, create_graph=True)
        assert type(t.grad) is Tensor
        assert type(x.grad) is Value

    def test_the_pass_returns_leaves_and_what_is_to_be_kept(self):
        x, y = variable(2), variable(2)
        h = x * y
        k = h + x
        z = k.sum()
        order = ag.topological_order(z, variables_only=True)
        assert set(reverse_pass(order, {z: np.ones(())})) == {x, y}
        assert set(reverse_pass(order, {z: np.ones(())}, keep=frozenset([h]))) == {x, y, h}
        h.retain_grad()
        assert set(reverse_pass(order, {z: np.ones(())})) == {x, y, h}
        v = Value(1.0)
        w = v * 2.0
        assert set(reverse_pass([v, w], {w: 1.0})) == {v, w}

    def test_without_one_the_pass_returns_plain_numbers(self):
        x, t = Value(2.0), variable(3)
        y = (t * x).sum()
        found = reverse_pass(ag.topological_order(y, variables_only=True), {y: np.ones(())})
        assert type(found[x]) is float
        assert type(found[t]) is np.ndarray


class TestOperationsOfOnesOwn:
    def test_parameters_reach_the_rules(self):
        @elementwise(lambda y, x, power: power * x ** (power - 1))
        def raised(x, power=2):
            return x**power

        try:
            x = Value(3.0)
            raised(x).backward()
            (raised(x, power=3) * 10.0).backward()
            raised(x, 4).backward()
            assert x.grad == 6.0 + 270.0 + 108.0
        finally:
            del PRIMITIVES["raised"]

    def test_an_argument_without_a_rule_is_a_constant(self):
        @elementwise(lambda y, x, k: k, None)
        def scaled(x, k):
            return x * k

        try:
            x, k = Value(3.0), Value(2.0)
            y = scaled(x, k)
            y.backward()
            assert (x.grad, k.grad) == (2.0, 0.0)
            assert not scaled(3.0, k).requires_grad
        finally:
            del PRIMITIVES["scaled"]

    @pytest.mark.parametrize("number", [2.0, np.array([2.0, 3.0])])
    def test_the_partial_of_a_constant_is_never_evaluated(self, number):
        def never(y, a, b):
            raise AssertionError("asked for the partial of a constant")

        @elementwise(lambda y, a, b: b, never)
        def left(a, b):
            return a * b

        @elementwise(never, lambda y, a, b: a)
        def right(a, b):
            return a * b

        try:
            for x in (Value(1.5), Tensor([1.5, 2.5], requires_grad=True)):
                a, b = left(x, number), right(number, x)
                (a * b if isinstance(a, Value) else (a * b).sum()).backward()
                whole = 2 * x.data * np.square(number)
                assert np.allclose(x.grad, whole if isinstance(x, Tensor) else np.sum(whole))
        finally:
            del PRIMITIVES["left"], PRIMITIVES["right"]

    @np.errstate(divide="ignore")
    def test_where_a_float_has_no_partial_ieee_arithmetic_answers(self):
        @elementwise(lambda y, a, b: 1.0 / (a - b), lambda y, a, b: 1.0 * a)
        def odd(a, b):
            return a + b

        try:
            a, b = Value(2.0), Value(2.0)
            odd(a, b).backward()
            assert (a.grad, b.grad) == (float("inf"), 2.0)
            c = Value(2.0)
            (odd(c, 2.0) * 2.0).backward()
            assert c.grad == float("inf")
        finally:
            del PRIMITIVES["odd"]

    @pytest.mark.parametrize("make", [Value, lambda a: Tensor([a, 2 * a], requires_grad=True)])
    def test_of_three_operands(self, make):
        @elementwise(lambda y, a, b, c: b * c, lambda y, a, b, c: a * c, lambda y, a, b, c: a * b)
        def product(a, b, c):
            return a * b * c

        try:
            a, b, c = (make(x) for x in (2.0, 3.0, 5.0))
            y = product(a, b, c)
            assert np.allclose(gradients(y, [a, b, c], np.ones_like(a.data))[1], a.data * c.data)
            ((y if isinstance(y, Value) else y.sum()) * 7.0).backward()
            assert np.allclose(a.grad, 7 * b.data * c.data)
            assert np.allclose(b.grad, 7 * a.data * c.data)
            assert np.allclose(c.grad, 7 * a.data * b.data)
            assert ag.jvp(product, (2.0, 3.0, 5.0), (0.0, 1.0, 1.0))[1] == 16.0
        finally:
            del PRIMITIVES["product"]

    def test_a_rule_for_each_argument_is_needed(self):
        op = Pullback("short", lambda x, y: x * y, (lambda g, y, *inputs: g,))
        with pytest.raises(ValueError, match="zip"):
            apply(op, (variable(2), variable(2))).sum().backward()

    def test_constant_partials(self):
        @elementwise(0.5, -3)
        def mixed(x, y):
            return 0.5 * x - 3 * y

        try:
            x, y = Value(1.0), Tensor([1.0, 2.0], requires_grad=True)
            mixed(x, y).sum().backward()
            assert x.grad == 1.0
            assert np.array_equal(y.grad, [-3.0, -3.0])
        finally:
            del PRIMITIVES["mixed"]


def test_the_partial_of_a_rule_that_is_a_number():
    add, subtract = PRIMITIVES["add"], PRIMITIVES["subtract"]
    assert add.partial(add.rules[0], 5.0, (2.0, 3.0), {}) == 1.0
    assert subtract.partial(subtract.rules[1], 5.0, (2.0, 3.0), {}) == -1


@pytest.mark.parametrize("around", [contextlib.nullcontext, ag.detect_anomaly])
def test_visit_sees_every_edge_with_its_share(around):
    x, k = Value(2.0, name="x"), Value(5.0, name="k")
    y = x * x + k
    order = ag.topological_order(y, variables_only=True)
    edges = []
    with around():
        reverse_pass(
            order,
            {y: 1.0},
            visit=lambda node, arg, rule, g, share, total: edges.append((node.op.name, arg.name, g, share, total)),
        )
    assert edges == [("add", "", 1.0, 1.0, 1.0), ("add", "k", 1.0, 1.0, 1.0), ("multiply", "x", 1.0, 2.0, 2.0),
                     ("multiply", "x", 1.0, 2.0, 4.0)]  # fmt: skip


@pytest.mark.parametrize("f", [ag.sqrt, lambda x: ag.sqrt(x * 1.0), lambda x: x * x**-1.0])
def test_nan_is_never_hidden(f):
    """A zero cotangent times an infinite partial is nan, unless a `where` says that it was not taken."""
    x = Tensor([0.0, 1.0], requires_grad=True)
    with np.errstate(all="ignore"):
        (f(x) * 0.0).sum().backward()
    assert np.isnan(x.grad[0])
    assert x.grad[1] == 0.0


class TestWhatIsNotTakenDoesNotPoison:
    @pytest.mark.parametrize("at", [0.0, -1.0, 1.0])
    def test_where_over_a_domain(self, at):
        x = Tensor([at], requires_grad=True)
        with np.errstate(all="ignore"):
            y = ag.where(x > 0, ag.log(x) + ag.sqrt(x) / x, x * 3.0)
            y.sum().backward()
            expected = 1 / at - 0.5 * at**-1.5 if at > 0 else 3.0
            assert x.grad[0] == pytest.approx(expected)
            g = gradients(ag.where(x > 0, ag.log(x), x * x).sum(), x, create_graph=True)
            assert gradients(g.sum(), x)[0] == pytest.approx(-1 / at**2 if at > 0 else 2.0)

    @pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
    def test_of_values_too(self, wrong):
        b, far = Value(2.0), Value(wrong)
        ag.where(b > 3.0, (b + 1.0) * far + far * b, b * 5.0).backward()
        assert b.grad == 5.0
        assert far.grad == 0.0

    def test_beside_a_way_that_is_taken(self):
        x = Tensor([0.0, 4.0], requires_grad=True)
        with np.errstate(all="ignore"):
            root = ag.sqrt(x)
            (ag.where(x > 0, root, 0.0) + x).sum().backward()
        assert np.array_equal(x.grad, [1.0, 1.25])


def test_a_gradient_of_another_shape_than_the_held_one_is_refused():
    p = Tensor([1.0], requires_grad=True)
    (p * 2.0).sum().backward()
    with pytest.warns(ag.GradientWarning, match="shape"):
        p.data = np.ones(3)
    with pytest.raises(ValueError, match=r"gradient of shape \(3,\) .* shape \(1,\) .* zero_grad\(\)"):
        (p * 2.0).sum().backward()
    p.zero_grad()
    (p * 2.0).sum().backward()
    assert p.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_gradient_penalty_adds_to_the_gradient_of_the_loss():
    x = Tensor([2.0, 3.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    (x.grad**2).sum().backward()
    assert x.grad.data.tolist() == [12.0 + 4 * 9 * 8.0, 27.0 + 4 * 9 * 27.0]


def test_create_graph_records_nothing_but_the_derivative():
    x = Value(3.0, name="x")
    (x * x).backward(create_graph=True)
    assert ag.formula(x.grad) == "1 * x + 1 * x"
    y = x**3
    x.zero_grad()
    with ag.no_grad():
        y.backward(create_graph=True)
    assert x.grad.requires_grad


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_backward_of_an_array_without_seed_raises(x):
    with raises(RuntimeError, "scalar", r"\(2,\)", "gradient="):
        (x * 2.0).backward()
    assert x.grad is None


def test_backward_of_a_constant_raises():
    y = Tensor([3.0]) * 2.0
    with raises(
        RuntimeError, "requires_grad", r"mark one before computing, as in Tensor\(\.\.\., requires_grad=True\)"
    ):
        y.backward()
    assert y.grad is None


def test_backward_twice_accumulates(x):
    h = x * x
    loss = (h * h).sum()
    for times in (1, 2):
        loss.backward()
        np.testing.assert_array_equal(x.grad, times * 4 * x.data**3)


def test_seed_of_another_shape_raises(x):
    with raises(ValueError, r"\(3,\)", r"\(2,\)"):
        (x * 2.0).backward(gradient=np.ones(3))
    assert x.grad is None


def test_backward_after_an_in_place_change_raises(x):
    y = ag.exp(x)
    loss = (y * y).sum()
    x.data = x.data + 100.0  # rebound: the recorded numbers count
    loss.backward()
    np.testing.assert_allclose(x.grad, 2 * np.exp([2.0, 4.0]))
    x.zero_grad()
    y.data -= 1.0
    with raises(RuntimeError, "multiply", "modified"):
        loss.backward()
    assert x.grad is None


def test_gradients_share_no_memory(x):
    y, seed = Tensor([0.0, 0.0], requires_grad=True), np.ones(2)
    (x + y).backward(gradient=seed)
    seed[:] = 7.0
    x.grad[0] = 9.0
    assert (x.grad.tolist(), y.grad.tolist()) == ([9.0, 1.0], [1.0, 1.0])


def test_gradient_of_a_broadcast_owns_its_memory(x):
    ag.broadcast_to(x.sum(), (3, 3)).sum().backward()
    assert x.grad.flags.writeable
    assert x.grad.flags.c_contiguous
    assert x.grad.strides == (8,)


def test_exception_in_a_hook_leaves_the_gradients_unchanged(x):
    y = Tensor([3.0, 4.0], requires_grad=True)
    h = x * y
    remove = h.register_hook(lambda g: 1 / 0)
    loss = (h + y).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward()
    assert (x.grad, y.grad) == (None, None)
    remove()
    loss.backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([3.0, 4.0], [2.0, 3.0])


def test_deep_wide_and_shared_graphs_are_differentiated():
    """A chain of a million, in a process with the usual stack, is in the tests of lifetimes."""
    x = y = Value(1.0)
    for _ in range(200):
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad == 1.0
    z = Value(1.0)
    ag.stack([z * 1.0 for _ in range(2_000)]).sum().backward()
    assert z.grad == 2_000.0
    deep = x
    for _ in range(100_000):
        deep = deep + 0.0
    assert gradients(deep, x) == 1.0


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_interrupted_backward_leaves_the_gradients_unchanged(x, error, monkeypatch):
    y = Tensor([3.0, 4.0], requires_grad=True)
    loss = (ag.tanh(x) + ag.exp(y)).sum()
    (x * y).sum().backward()
    before = [x.grad.copy(), y.grad.copy()]

    def fails(*_):
        raise error

    for place in (x, y):
        remove = place.register_hook(fails)
        with pytest.raises(error):
            loss.backward()
        remove()
    assert [x.grad.tolist(), y.grad.tolist()] == [a.tolist() for a in before]
    loss.backward()
    np.testing.assert_allclose(x.grad, before[0] + 1 - np.tanh(x.data) ** 2)


def test_a_watcher_is_notified_of_the_edges_of_graphs_of_floats_and_arrays():
    class Edges(Watch):
        def __init__(self):
            self.seen = []

        def on_pull(self, node, arg, g, share):
            self.seen.append((node.op.name, arg.name, float(np.sum(g)), float(np.sum(share))))

    for x in (Value(3.0, name="x"), Tensor(3.0, requires_grad=True, name="x")):
        y = x * x
        watch = Edges()
        with watching(watch):
            y.backward()
        assert watch.seen == [("multiply", "x", 1.0, 3.0)] * 2
        assert x.grad == 6.0


def test_gradients_inside_a_compiled_function_are_constants_of_its_backward_pass():
    def product(x, unused):
        g, none = gradients(x**3, [x, unused], allow_unused=True)
        assert none is None
        return g * x

    step = ag.compile(product)
    for value in (2.0, 3.0, 4.0):
        eager, replayed = Value(value), Value(value)
        product(eager, Value(0.0)).backward()
        assert step(replayed, Value(0.0)).data == 3.0 * value**3
        assert replayed.grad == eager.grad == 3.0 * value**2


def test_gradients_of_a_root_without_a_variable_raise():
    x, constant = Value(2.0), Value(3.0, requires_grad=False)
    with raises(RuntimeError, "no requires_grad input"):
        gradients([x * 2.0, constant * 2.0], x, allow_unused=True)
