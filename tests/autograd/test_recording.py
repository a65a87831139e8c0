"""`no_grad` and `enable_grad`: always restored, and local to a thread or task."""

import asyncio
import contextlib
import contextvars
import sys
import threading

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value, enable_grad, is_grad_enabled, no_grad
from autograd.recording import Watch, watching


def records():
    return (Value(1.0) * 2.0).requires_grad


def test_blocks_nest_and_restore():
    assert records()
    with no_grad():
        assert not records()
        with enable_grad():
            assert records()
            with no_grad():
                assert not records()
            assert records()
        assert not records()
    assert records()
    assert is_grad_enabled()


def test_one_object_can_be_entered_twice():
    off = no_grad()
    with off:
        with enable_grad(), off:
            assert not records()
        assert not records()
    assert records()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_exception_restores_recording(error):
    with pytest.raises(error), no_grad():
        raise error
    assert records()


def test_return_restores_recording():
    def early():
        with no_grad():
            return records()

    assert early() is False
    assert records()


def test_decorated_function_runs_in_its_mode():
    @no_grad()
    def f(n):
        """Say what it is."""
        return [records()] + (f(n - 1) if n else [])

    assert f(2) == [False, False, False]
    assert f.__doc__ == "Say what it is."
    assert records()

    @enable_grad()
    def g():
        return records()

    with no_grad():
        assert g()
        assert not records()


class TestTasks:
    def test_block_across_awaits_stays_in_its_task(self):
        async def off():
            with no_grad():
                await asyncio.sleep(0)
                return records()

        async def on():
            await asyncio.sleep(0)
            return records()

        async def main():
            return await asyncio.gather(off(), on())

        assert asyncio.run(main()) == [False, True]

    def test_one_object_serves_several_tasks(self):
        shared = no_grad()

        async def first():
            with shared:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return records()

        async def second():
            await asyncio.sleep(0)
            with no_grad():
                with shared:
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                return records()

        async def main():
            return await asyncio.gather(first(), second())

        assert asyncio.run(main()) == [True, False]

    def test_generators_and_coroutines_are_refused(self):
        def f():
            yield 1

        async def g():
            yield 1

        async def h():
            return 1

        for function in (f, g, h):
            with pytest.raises(TypeError, match="inside"):
                no_grad()(function)


class TestThreads:
    def test_new_thread_starts_enabled(self):
        seen = []
        with no_grad():
            thread = threading.Thread(target=lambda: seen.append(records()))
            thread.start()
            thread.join()
            assert not records()
        assert seen == [True]

    def test_four_threads_train_as_one(self):
        def train(seed, out):
            rng = np.random.default_rng(seed)
            W = Tensor(rng.normal(size=(3, 2)), requires_grad=True)
            X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
            for step in range(30):
                W.zero_grad()
                (ag.tanh(X @ W) - y).abs().mean().backward()
                with no_grad():
                    assert not (W * 2.0).requires_grad
                W.data = W.data - 0.1 * W.grad
                if step % 7 == 0:
                    out.append(W.grad.copy())

        alone = [[] for _ in range(4)]
        for seed, out in enumerate(alone):
            train(seed, out)
        together = [[] for _ in range(4)]
        threads = [threading.Thread(target=train, args=(seed, out)) for seed, out in enumerate(together)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(
            np.array_equal(a, b) for x, y in zip(alone, together, strict=True) for a, b in zip(x, y, strict=True)
        )

    def test_one_object_serves_several_threads(self):
        off, entered, leave = no_grad(), threading.Event(), threading.Event()
        seen = []

        def other():
            with no_grad(), off:
                entered.set()
                leave.wait(5)

        thread = threading.Thread(target=other)
        with off:
            thread.start()
            entered.wait(5)
        seen.append(records())  # the other thread entered last, and found another mode
        leave.set()
        thread.join()
        assert seen == [True]

    def test_threads_add_to_one_leaf_without_losing_any(self):
        x, interval = Value(1.0), sys.getswitchinterval()
        t = Tensor([1.0], requires_grad=True)

        def work():
            for _ in range(200):
                (x * 1.0).backward()
                (t * 1.0).sum().backward()

        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert x.grad == 800.0
        assert t.grad == [800.0]

    def test_one_graph_differentiated_by_several_threads(self):
        x = Tensor(np.arange(1.0, 5.0), requires_grad=True)
        y = (ag.log(x) * x).sum()
        expected = ag.gradients(y, x)
        found = []
        threads = [threading.Thread(target=lambda: found.append(ag.gradients(y, x))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(np.array_equal(g, expected) for g in found)


class TestLeftElsewhere:
    """Blocks that are left in another context, as in PyTorch."""

    def test_nested_use_of_one_object_stays_off_until_the_outer_exit(self):
        off = no_grad()
        with off:
            with off:
                assert not records()
            assert not records()
            with enable_grad():
                with off:
                    assert not records()
                assert records()
            assert not records()
        assert records()

    def test_blocks_left_out_of_order_end_with_the_last(self):
        outer, inner = no_grad(), no_grad()
        outer.__enter__()
        inner.__enter__()
        outer.__exit__()
        assert not records()
        inner.__exit__()
        assert records()

    @pytest.mark.parametrize("switch", [no_grad, enable_grad, ag.detect_anomaly])
    def test_generator_entered_in_another_context_is_closed_without_error(self, switch):
        def generator():
            with switch():
                yield

        started = generator()
        contextvars.copy_context().run(next, started)
        started.close()
        assert records()

    def test_abandoned_asynchronous_generator_restores_recording(self):
        async def batches():
            with no_grad():
                for i in range(3):
                    yield i

        async def main():
            iterator = batches()
            async for _ in iterator:
                break
            assert not is_grad_enabled()
            await asyncio.create_task(iterator.aclose())
            return records(), is_grad_enabled()

        assert asyncio.run(main()) == (True, True)

    def test_context_manager_entered_in_one_task_is_left_in_another(self):
        @contextlib.asynccontextmanager
        async def evaluating():
            with no_grad():
                yield

        async def main():
            manager = evaluating()
            await asyncio.create_task(manager.__aenter__())
            await asyncio.create_task(manager.__aexit__(None, None, None))
            return records()

        assert asyncio.run(main())


class Notified(Watch):
    """A watcher that lists the reads and writes of which it is notified."""

    def __init__(self):
        self.reads, self.writes = [], []

    def on_read(self, node, how):
        self.reads.append((node, how))

    def on_write(self, how):
        self.writes.append(how)


@pytest.mark.parametrize("kind", [Value, Tensor])
@pytest.mark.parametrize(
    ("read", "how"),
    [
        (lambda x: x.data, "the data"),
        (lambda x: x.numpy(), "numpy()"),
        (lambda x: x.item(), "float(...), int(...) or item()"),
        (float, "float(...), int(...) or item()"),
        (int, "float(...), int(...) or item()"),
        (bool, "the truth (in an `if`, `while`, `and`, `or`, `not`, min() or max())"),
        (lambda x: x.__reduce__(), "a copy or pickle"),
    ],
)
def test_a_watcher_is_notified_of_each_read_of_a_value(kind, read, how):
    x = kind(2.0)
    with watching(Notified()) as watcher:
        read(x)
    ((node, found),) = watcher.reads
    assert node is x
    assert found == how


def test_a_watcher_is_notified_of_a_conversion_to_an_array():
    x = Tensor([2.0])
    with watching(Notified()) as watcher:
        assert np.asarray(x).tolist() == [2.0]
    ((node, how),) = watcher.reads
    assert node is x
    assert how == "an array"


@pytest.mark.parametrize("make", [Value, lambda data: Tensor(data, requires_grad=True)])
def test_a_watcher_is_notified_of_each_change_of_a_gradient(make):
    x = make(2.0)
    y = x * 3.0
    with watching(Notified()) as watcher:
        y.backward()
        x.zero_grad()
        x.grad = None
    assert watcher.writes == ["calls backward()", "calls zero_grad()", "assigns to .grad"]


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_no_grad_restores_the_mode_after_an_exception_or_return(x):
    def returns():
        with no_grad():
            return 1

    returns()
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert ag.is_grad_enabled()


def test_threads_have_independent_modes_and_graphs(x):
    found, leaves = [], [Tensor([float(i)], requires_grad=True) for i in range(4)]

    def train(leaf):
        found.append(ag.is_grad_enabled())
        (leaf * leaf).sum().backward()

    with no_grad():
        threads = [threading.Thread(target=train, args=(leaf,)) for leaf in leaves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 4
    assert [leaf.grad.item() for leaf in leaves] == [0.0, 2.0, 4.0, 6.0]
