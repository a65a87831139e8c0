"""Calls of compiled functions: results of any kind, methods, threads and processes, and calls that are not recorded."""

import collections
import contextlib
import copy
import dataclasses
import gc
import os
import pickle
import random
import signal
import threading
import time
import types
import warnings
import weakref

import numpy as np
import pytest

import autograd as ag
import nn
from autograd import Tensor, Value
from autograd.extend import NotReplayable, callback, guard
from autograd.tape.recording import RecordingError


@dataclasses.dataclass(frozen=True)
class Frozen:
    loss: object
    count: int = 3


@dataclasses.dataclass(slots=True)
class Slotted:
    loss: object
    other: object


Pair = collections.namedtuple("Pair", "loss other")


class Scaled:
    """A class with a compiled method, whose instances are equal and hashable."""

    def __init__(self, factor):
        self.factor = Tensor(factor, requires_grad=True)

    def __eq__(self, other):
        return isinstance(other, Scaled)

    def __hash__(self):
        return 1

    @ag.compile
    def loss(self, x):
        return (self.factor * x).sum()

    @ag.compile
    @staticmethod
    def doubled(x):
        return x * 2.0

    @classmethod
    @ag.compile
    def named(cls, x):
        return x * float(len(cls.__name__))


class Scales(Scaled):
    @ag.compile
    def loss(self, x):
        return super().loss(x) * 10.0


def loss_of(step, x):
    return float(step(x).data)


# ------------------------------------------------------------------------------------------------------- results


NESTS = [
    lambda y: Frozen(y), lambda y: Slotted(y, [y]), lambda y: Pair(y, y), lambda y: collections.OrderedDict(a=y),
    lambda y: collections.defaultdict(list, a=y), lambda y: (y, {"a": [y, None]}, "text", b"bytes", 2, np.float32(1)),
    lambda y: (y, np.array([1, 2])),
]  # fmt: skip


def test_nests_of_all_kinds_are_updated_in_replays_and_eager_calls():
    w = Tensor([1.0, 2.0], requires_grad=True)
    for make in NESTS:
        step = ag.compile(lambda x, make=make: make((x * w).sum()))
        for k in (1.0, 2.0, 3.0, 4.0):
            w.grad = None
            with contextlib.nullcontext() if k < 4.0 else ag.detect_anomaly():  # which computes the call eagerly
                found, expected = step(np.full(2, k)), make(Tensor(3.0 * k))
            assert type(found) is type(expected)
            assert repr(found) == repr(expected)
            assert w.grad.tolist() == [k, k]
    assert ag.compile(NESTS[4])(1.0)["unknown"] == []


class Unknown:
    pass


REFUSED = [
    lambda y: {y}, lambda y: frozenset([y]), lambda y: types.SimpleNamespace(y=y), lambda y: (z for z in [y]),
    lambda y: map(abs, [y]), lambda y: {"a": y}.values(), lambda y: (lambda: y), lambda y: collections.deque([y]),
    lambda y: types.MappingProxyType({"a": y}), lambda y: (y, Unknown()), lambda y: (y, Unknown), lambda y: (y, 1j),
    lambda y: (y, np.ma.array([1.0, 2.0], mask=[0, 1])),
]  # fmt: skip


def test_results_of_unknown_type_are_refused_by_name():
    w = Tensor([1.0, 2.0], requires_grad=True)
    for make in REFUSED:
        with pytest.raises(RecordingError, match=r"result.* of a compiled function is a \w+, in which a replay cannot"):
            ag.compile(lambda x, make=make: make((x * w).sum()))(np.ones(2))

    async def coroutine(x):
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it is never awaited
        with pytest.raises(RecordingError, match="is a coroutine"):
            ag.compile(coroutine)(np.ones(2))
        gc.collect()


# ------------------------------------------------------------------------------------------------------- methods


def test_class_method_is_compiled_below_its_decorator():
    with pytest.raises(TypeError, match=r"compile takes a function.*not <classmethod"):
        ag.compile(classmethod(lambda cls, x: x))
    assert [Scaled.named(x) for x in (1.0, 2.0)] == [6.0, 12.0]


def test_compiled_method_belongs_to_its_instance():
    first, second = Scaled(2.0), Scaled(3.0)
    for _ in range(2):
        assert (loss_of(first.loss, np.ones(2)), loss_of(second.loss, np.ones(2))) == (4.0, 6.0)
    assert first.loss is first.loss
    assert first.loss is not second.loss
    inherited = Scales(5.0)
    assert [loss_of(inherited.loss, np.ones(2)) for _ in range(2)] == [100.0, 100.0]
    assert Scaled.doubled(1.5) == first.doubled(1.5) == 3.0
    assert Scaled.named(1.0) == first.named(1.0) == 6.0
    assert inherited.named(1.0) == 6.0


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copy_of_an_instance_has_methods_of_its_own(copied):
    first = Scaled(2.0)
    first.loss(np.ones(2))
    second = copied(first)
    second.factor = Tensor(7.0, requires_grad=True)
    assert loss_of(second.loss, np.ones(2)) == 14.0
    assert loss_of(first.loss, np.ones(2)) == 4.0
    assert second.loss.function.__self__ is second


def test_compiled_method_does_not_keep_its_instance_alive():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1, rng=np.random.default_rng(0))

        @ag.compile
        def loss(self, x):
            return self.layer(x).sum()

    for make in (lambda: Scaled(1.0), Model):
        instance = make()
        for _ in range(2):
            instance.loss(np.ones((1, 2)))
        reference = weakref.ref(instance)
        del instance
        gc.collect()
        assert reference() is None
    model = Model()
    model.loss(np.ones((1, 2)))
    assert sorted(model.state_dict()) == ["layer.bias", "layer.weight"]


def test_compiled_method_of_an_instance_without_dict_is_recorded_per_instance():
    class Fixed:
        __slots__ = ("factor",)

        def __init__(self, factor):
            self.factor = factor

        @ag.compile
        def scaled(self, x):
            return x * self.factor

    assert [Fixed(k).scaled(1.0) for k in (2.0, 3.0)] == [2.0, 3.0]


def test_argument_may_be_called_self():
    step = ag.compile(lambda **given: given["self"] * 2.0)
    assert [step(self=k) for k in (1.0, 2.0)] == [2.0, 4.0]


# ------------------------------------------------------------------------------------- calls from other calls


def test_compiled_function_in_a_call_without_replay_is_a_part_of_it():
    w, v = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    inner = ag.compile(lambda x: x * w)
    outer = ag.compile(lambda x: (inner(x) * v)[x > 1.5].sum())  # another count of elements in the second call
    for x in ([2.0, 1.0], [2.0, 3.0], [1.0, 3.0]):
        w.grad = v.grad = None
        x = np.array(x)
        taken = np.where(x > 1.5, x, 0.0)
        assert loss_of(outer, x) == (taken * w.data * v.data).sum()
        assert w.grad.tolist() == (taken * v.data).tolist()
        assert v.grad.tolist() == (taken * w.data).tolist()


def test_function_called_by_its_own_callback_while_recorded_gives_both_results():
    w = Tensor([1.0, 2.0], requires_grad=True)

    def larger(x):
        with ag.no_grad():
            return float(step(10.0 * x).data) if x.sum() < 10 else 0.0

    step = ag.compile(lambda x: (x * w).sum() + callback(larger, x))
    for x in ([1.0, 1.0], [2.0, 3.0], [20.0, 30.0]):
        w.grad = None
        x = np.array(x)
        assert loss_of(step, x) == (x * w.data).sum() * (11.0 if x.sum() < 10 else 1.0)
        assert w.grad.tolist() == x.tolist()


def test_not_replayable_never_reaches_the_caller():
    def never(x):
        raise NotReplayable("never")

    with pytest.raises(RuntimeError, match=r"NotReplayable\(never\).*computed eagerly"):
        ag.compile(lambda x: x * callback(never, x))(1.0)


def test_source_of_a_function_that_is_never_replayed_says_why():
    def never(x):
        raise NotReplayable("never")

    w = Tensor([1.0], requires_grad=True)
    step = ag.compile(lambda: (guard(never, w) if not ag.is_grad_enabled() else w).sum())
    with ag.no_grad(), pytest.raises(RuntimeError, match="raise it in replays only"):
        step()
    with pytest.raises(RuntimeError, match=r"calls are computed eagerly \(never\)"):
        step.source()


def test_infinite_derivative_in_the_first_call_leaves_later_calls_finite():
    w = Value(2.0)
    step = ag.compile(lambda x: (w * x).sqrt() * x)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert step(0.0).data == 0.0
    w.grad = 0.0
    assert step(2.0).data == 4.0
    assert w.grad == 1.0


def test_replay_in_a_forked_process_does_not_wait_for_threads_that_do_not_exist():
    held, done = threading.Event(), threading.Event()
    w = Tensor(np.ones(3), requires_grad=True)

    def wait(x):
        if threading.current_thread() is not threading.main_thread():
            held.set()
            done.wait(20)

    step = ag.compile(lambda x: (callback(wait, x), (x * w).sum())[1])
    step(np.ones(3))
    thread = threading.Thread(target=step, args=(np.ones(3),))
    thread.start()
    held.wait(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a process with several threads is forked
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if loss_of(step, np.ones(3)) == 3.0 else 1)
    done.set()
    thread.join()
    deadline = time.monotonic() + 30
    while (found := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        done.wait(0)
    assert found == (child, 0)


def test_fork_inside_a_callback_keeps_the_lock_of_its_own_thread():
    def forked(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            return x + 1.0
        return x if os.waitpid(child, 0)[1] == 0 else x * np.nan

    parent = os.getpid()
    step = ag.compile(lambda x: callback(forked, x) * 1.0)
    with ag.no_grad():
        for k in (1.0, 2.0):
            found = step(k)
            if os.getpid() != parent:
                os._exit(0 if (found, step._lock._is_owned()) == (k + 1.0, False) else 1)
            assert found == k


# ------------------------------------------------------------------------------------- what is not recorded


def test_value_computed_outside_is_refused():
    w = Value(2.0)
    outside = w * w + 1.0
    with pytest.raises(RecordingError, match=r"the result of multiply was computed outside of the compiled function"):
        ag.compile(lambda x: outside * x)(1.0)
    with pytest.raises(RecordingError, match="was computed outside"):
        ag.compile(lambda x: ag.sum(np.array([outside, w]) * x))(1.0)

    def inside(x):
        squared = w * w
        squared.name = "squared"
        return 2.0 ** (squared.tanh() * x) - w.exp()

    w.grad = 0.0
    step = ag.compile(inside)
    for x in (0.5, 1.5):
        eager = inside(Value(x, requires_grad=False))
        assert step(x).data == eager.data


def test_draws_of_other_threads_are_left_alone():
    turn, drawn, numbers = threading.Event(), threading.Event(), []

    def draw():
        turn.wait(20)
        numbers.append((random.random(), np.random.random()))
        drawn.set()

    def loss(x):
        turn.set()
        drawn.wait(20)
        return (x * w).sum()

    w = Tensor(np.ones(3), requires_grad=True)
    random.seed(0)
    np.random.seed(0)
    thread = threading.Thread(target=draw)
    thread.start()
    step = ag.compile(loss)
    assert [loss_of(step, np.ones(3)) for _ in range(3)] == [3.0] * 3
    thread.join()
    assert (random.random(), np.random.random()) != numbers[0]
    assert len(step._programs) == 1
    assert w.grad.tolist() == [3.0] * 3


def test_draw_of_the_function_is_never_repeated_while_other_threads_run(monkeypatch):
    monkeypatch.setattr("threading.active_count", lambda: 2)
    np.random.seed(0)
    expected = np.random.random(3).tolist()
    np.random.seed(0)
    step = ag.compile(lambda x: x * np.random.random())
    with ag.no_grad():
        found = [step(1.0) for _ in range(3)]
    assert len(set(found)) == 3
    assert found[0] == expected[1]  # the first draw was that of the abandoned recording


WHAT_DIFFERS = [
    (lambda step: [step(np.ones(2), k) for k in range(70)], "count was 63, now 64"),
    (lambda step: [step(np.ones((k, 2)), 1) for k in range(70)], r"x was float64 of shape \(63, 2\), now .*\(64, 2\)"),
    (lambda step: [step([np.ones(2)] * k, 1) for k in range(1, 70)], r"x\[64\] was absent, now float64"),
    (lambda step: [step(1.0 if k == 64 else np.ones(2), k) for k in range(70)], r"x was float64 .*, now a float"),
]


@pytest.mark.parametrize(("call", "says"), WHAT_DIFFERS)
def test_function_recorded_in_each_call_warns_once_of_what_differs(call, says):
    w = Tensor([1.0, 2.0], requires_grad=True)
    step = ag.compile(lambda x, count: ((x[0] if isinstance(x, list) else x) * w).sum() * (1.0 + count))
    with pytest.warns(RuntimeWarning, match=r"recorded 64 times.*Since the last recording .*" + says) as found:
        call(step)
    assert len(found) == 1


def test_guard_that_changes_in_each_call_warns_once():
    state = {"k": 0}

    def epoch():
        return state["k"]

    step = ag.compile(lambda x: x * float(guard(epoch)))

    def call(k):
        state["k"] = k
        return step(1.0)

    with pytest.warns(RuntimeWarning, match="recorded 64 times.*state changed.*guarded state") as found:
        assert [call(k) for k in range(80)] == list(range(80))
    assert len(found) == 1


def test_callable_without_a_signature_is_compiled():
    class Square:
        __signature__ = "none"

        def __call__(self, x):
            return x * x

    step, x = ag.compile(Square()), Value(3.0)
    assert [step(x).data for _ in range(3)] == [9.0] * 3


def test_whole_numbers_and_comparisons_of_floats_are_floats():
    x = Value(2.5)
    step = ag.compile(lambda: (x * x, ag.floor(x), ag.sign(x), x > 1.0))
    for _ in range(3):
        assert [(type(result.data), result.data) for result in step()] == [
            (float, 6.25), (float, 2.0), (float, 1.0), (float, 1.0),
        ]  # fmt: skip
