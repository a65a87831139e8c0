"""Variables: what they hold, requires_grad, copies and pickles."""

import copy
import pickle

import pytest
from raising import raises

from autograd import Tensor, Value


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
