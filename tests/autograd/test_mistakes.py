"""Warnings about common mistakes: once each, and none for correct code."""

import copy
import math
import warnings

import numpy as np
import pytest

import autograd as ag
from autograd import GradientWarning, Tensor, Value, diagnostics, no_grad


@pytest.fixture(autouse=True)
def no_warning_issued(monkeypatch):
    """Parametrized tests share a line, and each line warns once."""
    monkeypatch.setattr(diagnostics, "_issued", set())


def caught(code):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        code()
    return [str(w.message) for w in found if issubclass(w.category, GradientWarning)]


def variable(*shape, name=""):
    return Tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True, name=name)


class TestForgottenZeroGrad:
    @pytest.mark.parametrize("make", [lambda: Value(1.0, name="w"), lambda: variable(2, name="w")])
    @pytest.mark.parametrize("step", [lambda w: 0.1 * w.grad + w.data, lambda w: w.data * 1.0])
    def test_warns_once(self, make, step):
        w = make()

        def train():
            for _ in range(4):
                (w * w * 1.0).sum().backward() if isinstance(w, Tensor) else (w * w).backward()
                w.data = step(w)

        (message,) = caught(train)
        assert "zero_grad()" in message
        assert "1 variable(s) ('w')" in message

    @pytest.mark.parametrize("w", [Value(3.0), Tensor([3.0], requires_grad=True)])
    def test_divergence_by_hand_names_the_learning_rate(self, w):
        def train():
            for _ in range(8):
                w.zero_grad()
                (w * w * w * w).backward()
                w.data = w.data - w.grad

        with np.errstate(invalid="ignore", over="warn"):
            messages = caught(train)
        advice = [message for message in messages if "lower the learning rate" in message]
        assert len(advice) == 1
        assert "the loss is inf, since a variable has grown to 6.29e+187" in advice[0]
        with np.errstate(all="ignore"):
            assert caught(train) == []

    def test_warning_has_the_line_of_the_user(self):
        w = Value(1.0)
        for _ in range(2):
            (w * w).backward()
            w.data -= 0.1
        with pytest.warns(GradientWarning) as found:
            (w * w).backward()
        assert found[0].filename == __file__

    def test_in_place_steps_warn(self):
        w = variable(2)

        def train():
            for _ in range(3):
                (w * w).sum().backward()
                w.data -= 0.1 * w.grad

        assert len(caught(train)) == 1

    @pytest.mark.parametrize("clear", [
        lambda w: w.zero_grad(), lambda w: w.zero_grad(set_to_none=False), lambda w: setattr(w, "grad", None),
        lambda w: w.grad.fill(0.0),
    ])  # fmt: skip
    def test_cleared_gradients_do_not_warn(self, clear):
        w = variable(2)

        def train():
            for _ in range(3):
                (w * w).sum().backward()
                w.data = w.data - 0.1 * w.grad
                clear(w)

        assert caught(train) == []

    def test_values_set_to_zero_by_hand_do_not_warn(self):
        w = Value(1.0)

        def train():
            for _ in range(3):
                (w * w).backward()
                w.data -= 0.1 * w.grad
                w.grad = 0.0

        assert caught(train) == []

    def test_micro_batches_and_two_losses_do_not_warn(self):
        w = variable(2)

        def train():
            for _ in range(3):
                w.zero_grad()
                for _ in range(4):
                    (w * w).sum().backward()
                (w * 3.0).sum().backward()
                w.data = w.data - 0.1 * w.grad

        assert caught(train) == []

    def test_same_loss_twice_does_not_warn(self):
        w = Value(2.0)
        y = w * w
        assert caught(lambda: [y.backward() for _ in range(3)]) == []

    def test_data_swapped_back_does_not_warn(self):
        w = variable(2)

        def train():
            (w * w).sum().backward()
            mine, w.data = w.data, np.zeros(2)
            (w * w).sum()
            w.data = mine
            (w * w).sum().backward()

        assert caught(train) == []

    def test_the_filters_make_it_an_error_that_changes_nothing(self):
        w = Value(1.0)
        (w * w).backward()
        w.data = 3.0
        (w * w).backward()
        w.data = 5.0
        with warnings.catch_warnings():
            warnings.simplefilter("error", GradientWarning)
            for _ in range(2):
                with pytest.raises(GradientWarning, match="zero_grad"):
                    (w * w).backward()
        assert w.grad == 8.0

    @pytest.mark.parametrize("set_to_none", [True, False])
    @pytest.mark.parametrize("make", [lambda: Value(1.0), lambda: variable(2)])
    def test_two_networks_in_turn_do_not_warn(self, make, set_to_none):
        generator, critic = make(), make()

        def train():
            for _ in range(4):
                for moved, fixed in ((critic, generator.detach()), (generator, critic)):
                    moved.zero_grad(set_to_none=set_to_none)
                    for _ in range(2):
                        (moved * fixed + moved).backward(moved.data * 0.0 + 1.0)
                    moved.data = moved.data - 0.1 * moved.grad

        assert caught(train) == []

    def test_temporary_data_between_two_losses_does_not_warn(self):
        w = variable(2)

        def train():
            for _ in range(3):
                w.zero_grad()
                (w * w).sum().backward()
                w.data = w.data.copy()
                (w * 3.0).sum().backward()
                w.data = w.data - 0.1 * w.grad

        assert caught(train) == []

    def test_gradients_assigned_or_copied_do_not_warn(self):
        w = variable(2)

        def train():
            for _ in range(3):
                w.grad = np.ones(2)
                (w * w).sum().backward()
                copied = copy.deepcopy(w)
                (copied * copied).sum().backward()
                assert np.array_equal(copied.grad, w.grad + 2 * w.data)

        assert caught(train) == []


class TestBackwardOnALeaf:
    def test_warns_once(self):
        def train():
            for _ in range(3):
                loss = Tensor((variable(2) * 2.0).sum().data, requires_grad=True)
                loss.backward()

        (message,) = caught(train)
        assert "leaf" in message
        assert "does not reach any parameter" in message
        assert ".data" in message

    def test_gradient_given_to_a_leaf_does_not_warn(self):
        w = variable(2)
        assert caught(lambda: w.backward(np.ones(2))) == []
        assert np.array_equal(w.grad, [1.0, 1.0])

    def test_error_is_not_preceded_by_a_warning(self):
        def wrong():
            with pytest.raises(RuntimeError):
                variable(2).backward()

        assert caught(wrong) == []


class TestBroadcastLoss:
    @pytest.mark.parametrize("loss", [
        lambda p, y: ((p - y) ** 2).mean(),
        lambda p, y: ag.square(y - p).sum() / 7.0,
        lambda p, y: (p - y).abs().mean(),
        lambda p, y: (lambda d: ag.sqrt((d * d).mean()) * 0.5)(p - y),
    ])  # fmt: skip
    @pytest.mark.parametrize("shapes", [((5,), (5, 1)), ((5, 1), (5,))])
    def test_warns_once(self, loss, shapes):
        p, y = variable(*shapes[0]), np.ones(shapes[1])

        def train():
            for _ in range(3):
                p.zero_grad()
                loss(p, y).backward()

        (message,) = caught(train)
        assert "(5,)" in message
        assert "(5, 1)" in message
        assert "(5, 5)" in message
        assert "reshape(-1)" in message

    @pytest.mark.parametrize(("a", "b"), [((5,), (5,)), ((5, 1), (5, 1)), ((5, 1), (1, 5)), ((5, 2), (2,)), ((1,), (1, 1)), ((5, 1), ()), ((5, 1), (1,))])  # fmt: skip # noqa: E501
    def test_other_shapes_do_not_warn(self, a, b):
        p, y = variable(*a), np.ones(b)
        assert caught(lambda: ((p - y) ** 2).mean().backward()) == []

    def test_distances_between_all_pairs_do_not_warn(self):
        x = variable(5)
        assert caught(lambda: ((x[:, None] - x) ** 2).mean().backward()) == []

    def test_difference_inside_a_larger_formula_does_not_warn(self):
        p, y, q = variable(5), np.ones((5, 1)), variable(5)
        assert caught(lambda: (((p - y) ** 2) * q).sum().backward()) == []


def test_each_line_warns_separately():
    def train():
        for _ in range(3):
            Value(1.0).backward()
            Value(1.0).backward()

    assert len(caught(train)) == 2


def test_long_chain_is_not_searched_to_its_end():
    p, y = variable(5), np.ones((5, 1))
    d = p - y
    for _ in range(20):
        d = -d
    assert caught(lambda: d.sum().backward()) == []


# ----------------------------------------------------------------------------------- floats that leave a graph


def with_math(x):
    return x * math.exp(x)


def with_float(x):
    return x * 2.0 - float(x)


def with_an_array(x):
    a = np.zeros(3)
    a[1] = x * x
    return x * a.sum()


def with_a_small_array(x):
    a = np.zeros(3)
    a[1] = x
    return ag.sum(a * x)


def with_a_tensor_of_an_array(x):
    a = np.zeros(3)
    a[1] = x * x
    return (Tensor(a) * x).sum()


def with_a_scalar_of_numpy(x):
    return x * np.float64(x)


def with_asarray(x):
    return ag.sum(x * np.asarray([x, x], float))


CUTS = {
    with_math: "use autograd.exp",
    with_float: "use the node itself",
    with_an_array: "use the node itself",
    with_a_small_array: "use the node itself",
    with_a_tensor_of_an_array: "use the node itself",
    with_a_scalar_of_numpy: "use the node itself",
    with_asarray: "use the node itself",
}


@pytest.mark.parametrize(("f", "cure"), CUTS.items())
def test_float_that_comes_back_as_a_constant_warns_once_with_its_line(f, cure):
    x = Value(0.7123456789)
    with pytest.warns(GradientWarning, match=rf"test_mistakes\.py:\d+: .* converts a node to a float.*{cure}") as found:
        any(f(x).backward() for _ in range(5))
    assert len(found) == 1


@pytest.mark.parametrize("f", CUTS)
@pytest.mark.parametrize("transform", [ag.grad, ag.jacobian, ag.hessian, lambda f: lambda x: ag.jvp(f, (x,), (1.0,))])
def test_float_inside_a_transform_is_an_error_with_the_cure(f, transform):
    with pytest.raises(TypeError, match=r"autograd\.exp for math\.exp.*autograd\.stack.*x\.item\(\)"):
        transform(f)(1.5)


def test_float_that_is_only_looked_at_is_silent(capsys):
    x, t = Value(0.7123456789), Tensor(0.3123456789, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            y = x * t + 0.5
            print(float(y), f"{float(x):.3f}", math.exp(y), int(y), round(float(y), 2))
            (y * y).sum().backward()
        (x * x.item() + y.item()).backward()  # meant to be constant
        with no_grad():
            factor = math.exp(x)
        (x * factor).backward()
    assert capsys.readouterr().out


def test_item_and_format_are_allowed_inside_a_transform():
    w = Value(2.5)  # not what the transform differentiates by
    assert ag.grad(lambda x: (f"{x:.2f}", x * x)[1] * x.item() * float(w))(1.0) == 5.0
    assert ag.grad(lambda x: x * float(x.detach()))(3.0) == 3.0


def test_floats_of_a_line_are_searched_for_in_three_backward_passes():
    x = Value(0.7123456789)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            factor = float(x)
            (x * x).backward()
        (x * factor).backward()


def test_result_that_does_not_depend_on_the_arguments_warns_once():
    def constant(x):
        return ag.Value(3.0, requires_grad=False) * 2.0

    with pytest.warns(GradientWarning, match=r"the result of constant does not depend on the arguments") as found:
        assert [ag.grad(constant)(x) for x in (1.0, 2.0)] == [0.0, 0.0]
    assert len(found) == 1
    assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ag.grad(lambda x, y: x * 2.0, argnums=(0, 1))(1.0, 1.0) == (2.0, 0.0)
        assert ag.grad(lambda x: x)(1.0) == 1.0
        assert ag.grad(ag.grad(lambda x: 3.0 * x))(1.0) == 0.0
        assert ag.hessian(lambda x: 3.0 * x.sum())(np.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


class TestGradientOfAComputedTensor:
    def test_reading_it_warns_once(self):
        p = variable(2, name="p")
        p.sum().backward()
        p = p - 0.1 * p.grad

        def read():
            for _ in range(2):
                p.sum().backward()
                assert p.grad is None

        (message,) = caught(read)
        assert "computed, not a leaf" in message
        assert "p.data = p.data - lr * p.grad" in message

    def test_a_leaf_a_retained_gradient_and_a_constant_do_not_warn(self):
        p, kept = variable(2), variable(2) * 2.0
        kept.retain_grad()
        with no_grad():
            constant = p * 2.0
        assert caught(lambda: [p.grad, kept.grad, constant.grad, (Value(1.0) * 2.0).grad]) == []
