"""How long graphs live, how deep they may be, and what is left after a failure."""

import gc
import subprocess
import sys
import textwrap
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import autograd as ag
from autograd import Tensor, Value, gradients, jvp

ROOT = Path(__file__).resolve().parents[2]


def run(code, stack_kib=8192):
    """Run code in a fresh interpreter with a stack of 8 MiB; return what it prints."""
    command = f'ulimit -s {stack_kib} && exec "{sys.executable}" -c "$0"'
    done = subprocess.run(
        ["bash", "-c", command, textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout.split()


@pytest.fixture
def no_collector():
    gc.collect()
    gc.freeze()  # what earlier tests left need not be looked through again
    gc.disable()
    yield
    gc.enable()


class TestDepth:
    @pytest.mark.skipif(sys.platform == "win32", reason="ulimit is not there")
    def test_a_chain_of_a_million(self):
        out = run("""
            import gc
            from autograd import Value, Tensor, gradients
            gc.collect()
            gc.disable()
            x = Value(1.0)
            y = x
            for _ in range(1_000_000):
                y = y + 1e-6
            y.backward()
            print(x.grad, round(y.data, 6))
            del y
            print(gc.collect())
        """)
        assert out == ["1.0", "2.0", "0"]

    @pytest.mark.skipif(sys.platform == "win32", reason="ulimit is not there")
    def test_a_deep_graph_of_tensors_and_of_gradients_is_freed_with_a_small_stack(self):
        out = run(
            """
            import gc, numpy as np
            from autograd import Tensor, Value, gradients
            gc.collect()
            gc.disable()
            x = Tensor(np.ones(2), requires_grad=True)
            y = x
            for _ in range(20_000):
                y = y * 1.0
            y.sum().backward()
            v = Value(1.0)
            z = v
            for _ in range(20_000):
                z = z * 1.0 + v * 0.0
            g = gradients(z, v, create_graph=True)
            print(x.grad.tolist(), g.data)
            del y, z, g
            print(gc.collect())
            """,
            stack_kib=1024,
        )
        assert out == ["[1.0,", "1.0]", "1.0", "0"]

    def test_forward_mode_is_not_recursive_either(self):
        def deep(x):
            for _ in range(20_000):
                x = x + 1.0
            return x

        assert jvp(deep, (0.0,), (2.0,)) == (20_000.0, 2.0)


class TestFreedAtOnce:
    def test_a_loss_after_backward(self, no_collector):
        W, v = Tensor(np.ones((3, 3)), requires_grad=True), Value(2.0)
        h = ag.relu(np.ones((2, 3)) @ W) * v
        loss = ag.logsumexp(h, axis=1).sum() + (h[0] ** 2).mean() + ag.where(h > 0, h, 0.0).max()
        kept = [weakref.ref(h), weakref.ref(loss)]
        loss.backward()
        del h, loss
        assert [k() for k in kept] == [None, None]
        assert gc.collect() == 0

    def test_every_way_to_differentiate(self, no_collector):
        uses = [
            lambda x: gradients((x * x * x).sum(), x, create_graph=True),
            lambda x: ag.grad(lambda a: (a**3).sum())(x),
            lambda x: ag.hessian(lambda a: (a**3).sum())(x.data),
            lambda x: ag.jvp(lambda a: ag.softmax(a), (x.data,), (x.data,)),
            lambda x: ag.vjp(lambda a: ag.softmax(a), x.data)[1](x.data),
            lambda x: ag.checkpoint(lambda a: ag.tanh(a) * x)(x).sum().backward(),
            lambda x: ag.gradcheck(lambda a: a * a, x.data),
            lambda x: ag.verify((x * x).sum()),
            lambda x: (x * 2.0).register_hook(print)(),
            lambda x: x.detach() * 2.0,
        ]  # fmt: skip
        for index, use in enumerate(uses):
            x = Tensor([1.0, 2.0], requires_grad=True)
            use(x)  # once, for what is made on first use
            gc.collect()
            use(x)
            x.zero_grad()
            assert gc.collect() == 0, index

    def test_errors_keep_no_graph(self, no_collector):
        x = Tensor([1.0, 2.0], requires_grad=True)
        y = x * 2.0
        gone = weakref.ref(y)
        with pytest.raises(RuntimeError):
            y.backward()
        del y
        assert gone() is None or gc.collect() >= 0

    def test_cotangents_are_dropped_on_the_way(self):
        x = Tensor(np.ones(100_000), requires_grad=True)
        y = x
        for _ in range(30):
            y = y * 1.0
        y = y.sum()
        y.backward()
        x.zero_grad()
        tracemalloc.start()
        y.backward()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6 * x.data.nbytes, f"{peak / x.data.nbytes:.1f} arrays at once"

    def test_a_loop_of_steps_does_not_grow(self):
        x = Tensor(np.ones(1000), requires_grad=True)

        def step():
            x.zero_grad()
            loss = (ag.tanh(x) * x).sum()
            loss.backward()
            x.data -= 0.01 * x.grad

        tracemalloc.start()
        sizes = []
        for _ in range(4):
            for _ in range(20):
                step()
            sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert sizes[3] - sizes[1] < 8_000, sizes  # less than one array

    def test_the_table_of_modified_arrays_empties_itself(self):
        from autograd.diagnostics import _modified

        x = Tensor(np.ones(3), requires_grad=True)
        before = len(_modified)
        for _ in range(5):
            x.data -= 0.1
        assert len(_modified) == before


class Interrupted(BaseException):
    """Stands for KeyboardInterrupt, which pytest would take for itself."""


@pytest.mark.parametrize("error", [ZeroDivisionError, RuntimeError, MemoryError, KeyboardInterrupt, Interrupted])
class TestAfterAFailure:
    """The error passes through, no gradient has changed, and the graph can be used again."""

    def graph(self):
        x, v = Tensor([1.0, 2.0], requires_grad=True), Value(3.0)
        h = ag.tanh(x) * v
        h.retain_grad()
        (x * v).sum().backward()
        return x, v, h, (h * h).sum()

    def state(self, x, v, h):
        return x.grad.copy(), v.grad, h.grad, x.data.copy(), v.data

    @pytest.mark.parametrize("where", ["h", "x", "v"])
    def test_in_a_hook(self, error, where):
        x, v, h, loss = self.graph()
        expected = gradients(loss, [x, v])
        before = self.state(x, v, h)

        def hook(g):
            raise error("from the hook")

        remove = {"h": h, "x": x, "v": v}[where].register_hook(hook)
        with pytest.raises(error):
            loss.backward()
        assert all(np.array_equal(a, b) for a, b in zip(before, self.state(x, v, h), strict=True))
        remove()
        loss.backward()
        assert np.allclose(x.grad, before[0] + expected[0])
        assert v.grad == pytest.approx(before[1] + expected[1])

    def test_in_a_rule(self, error):
        from autograd.graph import apply
        from autograd.rules import Pullback

        fail = [True]

        def pullback(g, y, x):
            if fail[0]:
                raise error("from the rule")
            return g * 2.0

        op = Pullback("fragile", lambda x: x * 2.0, (pullback,))
        x, v, h, loss = self.graph()
        y = loss + apply(op, (x * v,)).sum()
        before = self.state(x, v, h)
        with pytest.raises(error, match="from the rule"):
            y.backward()
        assert all(np.array_equal(a, b) for a, b in zip(before, self.state(x, v, h), strict=True))
        fail[0] = False
        y.backward()
        assert np.allclose(x.grad, before[0] + gradients(loss, x) + 6.0)

    def test_in_a_forward(self, error):
        from autograd.graph import apply
        from autograd.rules import Pullback

        def forward(x):
            raise error("from the forward")

        x, v, h, loss = self.graph()
        before = self.state(x, v, h)
        with pytest.raises(error if error is not RuntimeError else RuntimeError):
            apply(Pullback("fragile", forward, (lambda g, y, x: g,)), (x,))
        assert all(np.array_equal(a, b) for a, b in zip(before, self.state(x, v, h), strict=True))
        loss.backward()
        assert ag.is_grad_enabled()


def test_a_hook_may_run_a_backward_of_its_own():
    x, z = Value(2.0), Value(5.0)
    h = x * x
    h.register_hook(lambda g: (z * z).backward())
    (h * 3.0).backward()
    assert (x.grad, z.grad) == (12.0, 10.0)


def test_a_hook_on_the_same_graph_that_raises_late():
    """The leaf that is reached first must not be written when the leaf reached last fails."""
    first, last = Value(1.0), Value(2.0)
    y = ag.exp(ag.exp(last)) * first

    def hook(g):
        raise ValueError("late")

    last.register_hook(hook)
    with pytest.raises(ValueError, match="late"):
        y.backward()
    assert (first.grad, last.grad, y.grad) == (0.0, 0.0, 0.0)


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_graph_is_freed_without_the_garbage_collector(x):
    gc.collect()
    gc.disable()
    try:
        h = ag.tanh(x)
        loss, gone = (h * h).sum(), weakref.ref(h)
        loss.backward()
        del h, loss
        assert gone() is None
    finally:
        gc.enable()
