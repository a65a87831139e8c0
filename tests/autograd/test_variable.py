"""Variables: what they hold, requires_grad, copies and pickles."""

import copy
import math
import pickle

import numpy as np
import pytest
from raising import raises

import autograd as ag
from autograd import Tensor, Value
from autograd.recording import Watch, watching


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Tensor(Value(1.0)), "array, not nodes"),
        (lambda: Tensor(["cat"]), "encode text as class indices"),
        (lambda: Value(Value(1.0)), "one float, not Value"),
        (lambda: Value("2"), "one float, not '2'"),
    ],
    ids=["a node", "text", "a node as a Value", "text as a Value"],
)
def test_what_a_variable_cannot_hold(make, says):
    with pytest.raises(TypeError, match=says):
        make()


class Tagged(Tensor):
    """A tensor with an attribute of its own."""

    def __init__(self, data, tag):
        super().__init__(data, requires_grad=True)
        self.tag = tag


class Slotted(Value):
    """A value with a slot of its own."""

    __slots__ = ("rate",)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_the_attributes_of_a_subclass(copied):
    tagged, slotted = Tagged([1.0], ["bias"]), Slotted(1.0, name="v")
    slotted.rate = 0.1
    one, two = copied(tagged), copied(slotted)
    assert (type(one), one.tag, one.requires_grad, one.data.tolist()) == (Tagged, ["bias"], True, [1.0])
    assert (type(two), two.rate, two.name, two.data) == (Slotted, 0.1, "v", 1.0)
    assert one.data is not tagged.data


@pytest.mark.parametrize("slots", ["rate", ("rate", "unset"), ("__rate",)])
def test_copies_of_subclasses_with_unusual_slots(slots):
    kind = type("Slots", (Value,), {"__slots__": slots})
    name = "_Slots__rate" if slots == ("__rate",) else "rate"
    x = kind(1.0)
    setattr(x, name, 0.5)
    assert getattr(copy.deepcopy(x), name) == 0.5


def test_leaves_keep_attributes_of_ones_own_as_a_first_optimizer_does():
    parameters = [Tensor([1.0, -2.0], requires_grad=True), Value(3.0)]
    for p in parameters:
        p.velocity = 0.0
    for _ in range(2):
        for p in parameters:
            p.zero_grad()
        sum((p * p).sum() if isinstance(p, Tensor) else p * p for p in parameters).backward()
        for p in parameters:
            p.velocity = 0.5 * p.velocity + p.grad
            p.data = p.data - 0.1 * p.velocity
    # by hand: v = 2x, x = 0.8x, then v = x + 1.6x = 2.6x, x = 0.54x
    np.testing.assert_allclose([*parameters[0].data, parameters[1].data], [0.54, -1.08, 1.62], rtol=1e-12)
    twin = copy.deepcopy(parameters[1])
    assert twin.velocity == parameters[1].velocity
    with raises(AttributeError, "no attribute 'momentum'"):
        parameters[0].momentum  # noqa: B018


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


def test_requires_grad_of_a_computed_node_cannot_be_set(x):
    y = x * 2.0
    with raises(RuntimeError, "leaf", r"detach\(\)"):
        y.requires_grad = False
    assert y.requires_grad


def test_conversion_to_a_scalar_requires_one_element(x):
    for call in (x.item, x.__float__, x.__bool__):
        with raises(ValueError, "2"):
            call()
    for call in (len, iter):
        with raises(TypeError, "0-d"):
            call(Tensor(1.0))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))], ids=["copy", "pickle"])
def test_copy_of_a_leaf_is_independent_and_of_a_node_detached(x, copied):
    twin = copied(x)
    assert (twin.data.tolist(), twin.requires_grad, twin is x) == ([1.0, 2.0], True, False)
    with raises(TypeError, r"detach\(\)"):
        copied(x * 2.0)


class Notices(Watch):
    """Records how values are read and gradients written."""

    def __init__(self):
        self.seen = []

    def on_read(self, node, how):
        self.seen.append(how)

    def on_write(self, how):
        self.seen.append(how)


def notices(function):
    """Return what a watcher is notified of while a function runs."""
    watch = Notices()
    with watching(watch):
        function()
    return watch.seen


def leaves():
    return Value(3.0, name="v"), Tensor([3.0], requires_grad=True, name="t")


def test_reads_and_writes_are_notified():
    for x in leaves():
        y = x * 2.0
        assert notices(lambda x=x: setattr(x, "grad", None)) == ["assigns to .grad"]
        assert notices(x.zero_grad) == ["calls zero_grad()"]
        assert notices(lambda x=x: copy.copy(x)) == ["a copy or pickle"]
        assert notices(y.backward)[0] == "calls backward()"
        assert [len(notices(call)) for call in (x.item, x.__float__, x.__int__, x.__bool__)] == [1, 1, 1, 1]
        assert notices(x.item) == ["float(...), int(...) or item()"]
        assert notices(x.__bool__) == ["the truth (in an `if`, `while`, `and`, `or`, `not`, min() or max())"]


def test_requires_grad_can_be_set_on_leaves_of_floats():
    for x in leaves():
        x.requires_grad = False
        assert x.requires_grad is False
        assert not (x * 2.0).requires_grad
        x.requires_grad = 1
        assert x.requires_grad is True
    y = x * 2.0
    y.requires_grad = True  # no change
    with raises(RuntimeError, "can be changed on a leaf only"):
        y.requires_grad = False
    whole = Tensor(np.array([1, 2]))
    whole.requires_grad = False
    with raises(TypeError, "requires_grad=True needs floats"):
        whole.requires_grad = True
    assert not whole.requires_grad


def test_zero_grad_clears_or_fills_with_zeros():
    v, t = leaves()
    for x, cleared in ((v, 0.0), (t, None)):
        x.grad = x.data * 2.0
        x.zero_grad()
        assert x.grad == cleared
        x.grad = x.data * 2.0
        x.zero_grad(set_to_none=False)
    assert (type(v.grad), v.grad) == (float, 0.0)
    assert (type(t.grad), t.grad.tolist()) == (np.ndarray, [0.0])
    for x in (Value(math.inf), Tensor([math.inf, math.nan], requires_grad=True)):
        x.zero_grad(set_to_none=False)
        assert not np.any(x.grad)


def test_detach_shares_memory_and_keeps_the_name():
    for x in leaves():
        y = x.detach()
        assert (type(y), y.name, y.requires_grad, y.op) == (type(x), x.name, False, None)
        assert (x * 2.0).detach().op is None
    assert np.shares_memory(y.data, x.data)
    compiled = ag.compile(lambda x: x.detach() * x)
    for value in (2.0, 3.0, 4.0):
        x = Value(value)
        assert compiled(x).data == value * value


def test_hooks_are_called_in_order_and_removed_by_what_they_return():
    for x in leaves():
        seen = []

        def double(g, seen=seen):
            seen.append(np.sum(g))
            return g * 2.0

        y = x * 1.0
        first, second = y.register_hook(double), y.register_hook(double)
        y.backward(gradient=[1.0] if isinstance(x, Tensor) else None)
        assert (seen, np.sum(x.grad)) == ([1.0, 2.0], 4.0)
        left = y.hooks[1]
        first()
        first()  # removing it twice does nothing
        assert y.hooks == (left,)
        second()
        assert y.hooks == ()
        with raises(TypeError, "a hook must be callable, not 3"):
            x.register_hook(3)


def test_conversions_to_python_numbers():
    for x in (*leaves(), Tensor([[3.0]]), Tensor(3.0)):
        assert (type(x.item()), x.item()) == (float, 3.0)
        assert (type(float(x)), type(int(x)), int(x), bool(x), bool(x * 0.0)) == (float, int, 3, True, False)
    assert (type(Tensor([3]).item()), float(Tensor(np.array([3])))) == (float, 3.0)
    assert type(Tensor(np.array([3])).item()) is int
    with raises(ValueError, "item.. needs a node of one element", r"\(0,\)"):
        Tensor(np.zeros(0)).item()
    with raises(ValueError, r"the truth of shape \(2,\) is ambiguous"):
        bool(Tensor([1.0, 2.0]))


def test_formats_apply_to_the_number():
    for x in (Value(2.0), Tensor([2.0])):
        assert f"{x:.3f}" == "2.000"
        assert f"{x}" == str(x)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_own_data_and_gradient(copied):
    v, t = leaves()
    for x in (v, t):
        assert copied(x).grad == x.no_gradient
        x.grad = x.data * 2.0
        y = copied(x)
        assert (type(y), y.data, y.grad, y.name, y.requires_grad) == (type(x), x.data, 2 * x.data, x.name, True)
        x.requires_grad = False
        assert copied(x).requires_grad is False
    y = copied(t)
    assert not np.shares_memory(y.data, t.data)
    assert not np.shares_memory(y.grad, t.grad)
    t.grad = Tensor([1.0])
    assert copied(t).grad is None  # a gradient that is a node has a graph
    v.grad = Value(1.0)
    assert copied(v).grad == 0.0
    with raises(TypeError, "computed by multiply", "use detach"):
        copied(Value(1.0) * 2.0)
