"""`detect_anomaly`: the error has the operation, operands, line and remedy."""

import asyncio
import contextvars
import inspect
import math
import threading
import warnings
import weakref

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import AnomalyError, Tensor, Value, detect_anomaly, no_grad


def line_above():
    frame = inspect.currentframe().f_back
    return f"{__file__}:{frame.f_lineno - 1}"


def test_forward_names_operation_values_line_and_cure():
    x = Tensor([[1.0, 2.0], [0.0, 3.0]], requires_grad=True, name="probabilities")
    with detect_anomaly():
        y = x * 1.0
        with pytest.raises(AnomalyError) as caught:
            ag.log(y).sum()
        here = line_above()
    message = str(caught.value)
    assert "log returned -inf at [1, 0]" in message
    assert "argument 0 = 0.0 there (shape (2, 2), from 0 to 3)" in message
    assert f"computed at {here}: ag.log(y).sum()" in message
    assert "log1p" in message
    assert "BCEWithLogitsLoss" in message
    assert issubclass(AnomalyError, FloatingPointError)


def test_error_contains_the_name_of_the_input():
    x = Tensor([800.0], requires_grad=True, name="logits")
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"exp returned inf at \[0\], from logits = 800"):
        ag.exp(x)


def test_backward_names_the_line_of_the_forward():
    x = Tensor([4.0, 0.0], requires_grad=True, name="x")
    with detect_anomaly():
        y = ag.sqrt(x)
        here = line_above()
        loss = y.sum()
        with pytest.raises(AnomalyError) as caught:
            loss.backward()
    message = str(caught.value)
    assert "the backward pass of sqrt returned inf at [1] for x" in message
    assert f"computed at {here}: y = ag.sqrt(x)" in message
    assert "sqrt(x + eps)" in message
    assert x.grad is None


def test_graph_recorded_before_the_block_has_no_line():
    x = Value(0.0)
    y = ag.sqrt(x)
    with detect_anomaly(), pytest.raises(AnomalyError, match="recorded before detect_anomaly"):
        y.backward()
    assert x.grad == 0.0


def test_gradients_and_higher_orders_are_checked():
    x = Tensor([0.0], requires_grad=True)
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"power|multiply|sqrt|divide"):
        ag.gradients(ag.sqrt(x).sum(), x, create_graph=True)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ag.log(Value(-1.0, name="a")), r"log returned nan, from a = -1\.0"),
        (lambda: Value(1.0) / Value(0.0), r"divide returned inf.*argument 1 = 0\.0.*keep the denominator from 0"),
        (lambda: ag.exp(Value(1e4)), "exp returned inf"),
        (lambda: Value(1e200) * Value(1e200), "multiply returned inf.*learning rate"),
    ],
)
def test_values_outside_a_domain_become_anomalies(make, says):
    with detect_anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match="(?s)" + says):
        make()


def test_nan_in_the_data_is_distinguished():
    x = Tensor([1.0, math.nan], requires_grad=True)
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"check the data \(np.isfinite\)"):
        x * 2.0


def test_nan_in_the_seed_is_distinguished():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        y = x * 2.0
        with pytest.raises(AnomalyError, match="a gradient of nan or inf was passed to it"):
            y.backward(np.array([math.nan, 1.0]))


def test_shape_error_is_unchanged():
    with detect_anomaly(), pytest.raises(ValueError, match="multiply") as caught:
        Tensor([1.0, 2.0], requires_grad=True) * np.ones(3)
    assert not isinstance(caught.value, AnomalyError)


def test_numpy_does_not_warn_inside_and_does_again_outside():
    x = Tensor([0.0], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with detect_anomaly(), pytest.raises(AnomalyError):
            ag.log(x)
        with pytest.raises(RuntimeWarning):
            ag.log(x)


def test_finite_values_do_not_raise():
    w = Tensor(np.ones((2, 2)), requires_grad=True)
    plain = ag.gradients(ag.softmax(w @ w).max(), w)
    with detect_anomaly():
        loss = ag.softmax(w @ w).max()
        mask = ag.where(w > 2, ag.log(w - 3.0 * (w > 2) + 3.0), w)
        assert mask.requires_grad
        assert np.array_equal(ag.gradients(loss, w), plain)
        v = Value(2.0)
        (v * v).backward()
    assert v.grad == 4.0


def test_no_grad_is_checked_but_not_recorded():
    with detect_anomaly(), no_grad():
        assert not ag.is_grad_enabled()
        assert not (Value(2.0) * 3.0).requires_grad
        with pytest.raises(AnomalyError):
            ag.log(Tensor([0.0]))


def test_the_mode_is_restored_and_nests():
    x = Tensor([0.0])
    with np.errstate(divide="ignore"):
        with detect_anomaly():
            with pytest.raises(AnomalyError), detect_anomaly():
                ag.log(x)
            with pytest.raises(AnomalyError):
                ag.log(x)
        assert ag.log(x).data[0] == -math.inf
    with no_grad(), detect_anomaly():
        assert not ag.is_grad_enabled()
    assert ag.is_grad_enabled()


def test_detect_anomaly_is_a_decorator():
    @detect_anomaly()
    def step(x):
        return ag.log(x)

    with pytest.raises(AnomalyError):
        step(Value(0.0))
    assert step(Value(1.0)).data == 0.0


def test_one_detect_anomaly_is_entered_several_times():
    detect, settings = detect_anomaly(), np.geterr()
    for _ in range(2):
        with detect:
            with detect, pytest.raises(AnomalyError):
                ag.log(Value(0.0))
            with pytest.raises(AnomalyError):
                ag.log(Value(0.0))
        assert np.geterr() == settings
        with np.errstate(divide="ignore"):
            assert ag.log(Value(0.0)).data == -math.inf


def test_other_threads_are_not_checked():
    found = []

    def work():
        with np.errstate(divide="ignore"):
            found.append(ag.log(Tensor([0.0])).data[0])

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [-math.inf]


def test_detector_keeps_no_node_alive():
    with detect_anomaly():
        y = Value(2.0) * 3.0
        gone = weakref.ref(y)
        del y
        assert gone() is None


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_detect_anomaly_reports_the_operation():
    x = Tensor([0.0, 4.0], requires_grad=True, name="x")
    with ag.detect_anomaly():
        with raises(FloatingPointError, "log", "0", r"test_anomaly\.py:\d+"):
            ag.log(x)
        loss = ag.sqrt(x).sum()
        with raises(FloatingPointError, "backward pass of sqrt", r"test_anomaly\.py:\d+"):
            loss.backward()
    assert x.grad is None


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_block_left_elsewhere_ends_where_it_began():
    """In another thread, or in the task that closes an abandoned asynchronous generator."""
    x = Tensor([0.0], requires_grad=True)

    def in_another_thread():
        block = detect_anomaly()
        block.__enter__()
        thread = threading.Thread(target=block.__exit__, args=(None, None, None))
        thread.start()
        thread.join()
        return ag.log(x).tolist()

    async def generator():
        with detect_anomaly():
            yield

    async def abandoned():
        items = generator()
        await items.__anext__()
        await asyncio.create_task(items.aclose())
        return ag.log(x).tolist()

    assert contextvars.copy_context().run(in_another_thread) == [-np.inf]
    assert asyncio.run(abandoned()) == [-np.inf]


def test_blocks_nest_and_restore_the_settings_of_numpy():
    before = np.geterr()
    with detect_anomaly(), detect_anomaly():
        assert np.geterr()["divide"] == "ignore"
    assert np.geterr() == before
