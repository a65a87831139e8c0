"""Names that users of PyTorch, NumPy and micrograd type: those that are there, and what is said of the others."""

import copy
import math
import pickle
import re
import sys

import numpy as np
import pytest

import autograd as ag
import nn
from autograd import Node, Tensor, Value, tensor, value
from autograd.messages import INSTEAD, INSTEAD_SENTENCES, display_name


def test_the_small_names_make_nodes_and_hide_no_module():
    assert isinstance(tensor([1.0, 2.0], requires_grad=True), Tensor)
    assert isinstance(value(2.0, name="a"), Value)
    __import__("autograd.tensor")
    assert ag.tensor is Tensor
    assert sys.modules["autograd.value"].Value is Value


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tensor(3, 4), r"Tensor\(data, requires_grad=\.\.\.\).*for a shape write"),
        (lambda: Tensor([1.0], "W"), "requires_grad must be True or False, got 'W'"),
        (lambda: Tensor(1, 2, 3), "for a shape write"),
        (lambda: Tensor([1.0], True, 5), "name must be a string, got 5"),
        (lambda: nn.Parameter([1.0], 1), "requires_grad must be True or False, got 1"),
        (lambda: ag.as_tensor([1.0], np.float32), "requires_grad must be True or False"),
        (lambda: Value(1.0, requires_grad="no"), "requires_grad must be True or False"),
    ],
)
def test_invalid_flag_or_name_raises(make, said):
    with pytest.raises(TypeError, match=said):
        make()


def test_flags_and_names_of_other_types_that_mean_the_same():
    made = Tensor([1.0], np.bool_(True), np.str_("W"))
    assert made.requires_grad is True
    assert made.name == "W"
    assert Tensor([1.0], name=None).name == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cuda", "on the CPU"),
        ("to", r"t\.astype\(dtype\)"),
        ("long", r"astype\(np\.int64\)"),
        ("contiguous", "leave it out"),
        ("add", r"a \+ b"),
        ("add_", r"cannot be modified in place.*a \+ b"),
        ("relu_", r"cannot be modified in place.*t = t\.relu\("),
        ("grad_fn", r"t\.op"),
    ],
)
def test_missing_attribute_suggests_the_equivalent(name, said):
    t = Tensor([1.0])
    with pytest.raises(AttributeError, match=said) as caught:
        getattr(t, name)
    assert caught.value.name == name
    assert caught.value.obj is t
    assert not hasattr(t, name)


@pytest.mark.parametrize("name", ["nonsense", "nonsense_", "__cuda__", "_ipython_display_", "__array_interface__"])
def test_unknown_attribute_has_no_suggestion(name):
    with pytest.raises(AttributeError, match=f"^'Tensor' object has no attribute '{name}'$"):
        getattr(Tensor([1.0]), name)


def test_suggestions_are_for_names_that_are_missing_as_method_or_function():
    for name in {**INSTEAD, **INSTEAD_SENTENCES}:
        assert not hasattr(Tensor, name) or not hasattr(ag, name), name


def test_protocols_that_bypass_the_graph_are_refused():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(AttributeError, match=r"outside the graph: pass x\.numpy\(\)"):
        np.from_dlpack(x)
    assert not hasattr(x, "__array_namespace__")


def test_protocol_attributes_are_missing():
    t = Tensor([1.0, 2.0], name="t")
    for twin in (copy.copy(t), copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        np.testing.assert_array_equal(twin.data, t.data)
        assert twin.name == "t"
    np.testing.assert_array_equal(np.asarray(t), [1.0, 2.0])
    np.testing.assert_array_equal(np.concatenate([t.data, t]).data, [1.0, 2.0, 1.0, 2.0])
    assert not hasattr(Value(1.0), "cuda")


def test_names_of_pytorch_that_are_operations_here():
    x = np.arange(6.0).reshape(2, 3)
    t = Tensor(x, requires_grad=True)
    np.testing.assert_array_equal(t.t().data, x.T)
    np.testing.assert_array_equal(t[0].t().data, x[0])
    np.testing.assert_array_equal(t.expand(4, -1, 3).data, np.broadcast_to(x, (4, 2, 3)))
    np.testing.assert_array_equal(t[:, :1].expand((2, 5)).data, np.broadcast_to(x[:, :1], (2, 5)))
    twin = t.clone()
    assert not np.shares_memory(twin.data, t.data)
    (twin * twin).sum().backward()
    np.testing.assert_array_equal(t.grad, 2 * x)
    assert Tensor([True]).clone().dtype == bool
    with pytest.raises(ValueError, match=r"\.mT"):
        t.expand(2, 2, 3).t()
    for sizes in ((3,), (-1, 2, 3)):
        with pytest.raises(ValueError, match="broadcast_to"):
            t.expand(*sizes)


def test_fused_losses_are_shown_by_words():
    z, t = Tensor([[0.5, 1.0]], requires_grad=True, name="z"), [1]
    loss = nn.CrossEntropyLoss()(z, t)
    assert repr(loss).endswith("op=mean_cross_entropy)")
    assert ag.formula(loss) == "mean_cross_entropy(z, [1])"
    assert r"\operatorname{mean\_cross\_entropy}" in ag.formula(loss, style="latex")
    assert 'label="mean cross entropy"' in ag.draw(loss).source
    both = nn.BCEWithLogitsLoss()(z, [[0.0, 1.0]])
    assert ag.formula(both).startswith("BCE_with_logits(z, ")
    assert "BCE with logits" in ag.draw(both).source
    assert "BCE_with_logits" in str(ag.explain(both))
    assert isinstance(loss, Node)


def test_own_operations_are_called_by_their_names():
    a = Tensor([1.0], requires_grad=True)
    assert [display_name(x.op) for x in (a * a, a.relu(), -a, a.sigmoid())] == [
        "multiply",
        "relu",
        "negative",
        "sigmoid",
    ]


def test_size_is_a_number_and_callable_as_in_pytorch():
    t = Tensor(np.zeros((2, 3)))
    assert t.size == 6
    assert t.size * 2 == 12
    assert (t.size(0), t.size(-1), t.size()) == (2, 3, (2, 3))


def test_missing_function_suggests_the_equivalent():
    missing = {name: said for name, said in INSTEAD.items() if not hasattr(ag, name)}
    assert {"cat", "zeros", "gather", "topk", "chunk", "lerp", "addmm", "bmm", "cdist", "masked_fill"} < set(missing)
    for name, said in missing.items():
        with pytest.raises(AttributeError, match=re.escape(said)):
            getattr(ag, name)
    with pytest.raises(AttributeError, match=r"^module 'autograd' has no attribute 'nonsense'$"):
        ag.nonsense  # noqa: B018


SQUARE = np.array([[2.0, 0.5], [0.3, 1.0]])
OPERANDS = {
    "a": SQUARE, "b": SQUARE.T, "c": SQUARE + 1.0, "l": np.linalg.cholesky(SQUARE @ SQUARE.T), "t": SQUARE,
    "x": np.array([0.5]), "y": np.array([0.3]), "boundaries": np.array([0.0, 1.0]), "value": 2.0, "p": 2.0,
    "base": 10.0, "min": 0.6, "max": 1.5, "start": 0.0, "stop": 1.0, "num": 3, "mask": SQUARE > 0.4,
    "values": 2.0, "k": 1, "q": 0.25, "n": 3, "index": SQUARE > 0.4, "axis": 1, "maxnorm": 1.5,
}  # fmt: skip
EXPECTED = {
    "rsub": SQUARE.T - SQUARE, "addmv": SQUARE + 1.0 + SQUARE @ SQUARE.T,
    "addcdiv": SQUARE + 1.0 + 2.0 * SQUARE / SQUARE.T,
    "clamp_min": SQUARE.clip(0.6), "clamp_max": SQUARE.clip(None, 1.5), "frac": SQUARE % 1.0,
    "dist": np.linalg.norm(SQUARE - SQUARE.T), "logdet": np.log(np.linalg.det(SQUARE)), "msort": np.sort(SQUARE, 0),
    "cholesky_solve": np.linalg.solve(SQUARE @ SQUARE.T, SQUARE.T), "diag_embed": [np.diag(row) for row in SQUARE],
    "entr": [-0.5 * np.log(0.5)], "xlog1py": [0.5 * np.log(1.3)], "ndtr": [0.6914624612740131],
    "logspace": np.logspace(0.0, 1.0, 3), "bucketize": [[2, 1], [1, 1]], "count_nonzero": 4,
    "unique": [0.3, 0.5, 1.0, 2.0], "sgn": np.ones((2, 2)), "index_fill": [[2.0, 2.0], [0.3, 2.0]],
    "float_power": SQUARE**SQUARE.T, "ldexp": SQUARE * 2.0**SQUARE.T, "kthvalue": SQUARE.min(1),
    "diagflat": np.diag(SQUARE.ravel(), 1), "cholesky_inverse": np.linalg.inv(SQUARE @ SQUARE.T),
    "erfcx": [np.exp(0.25) * math.erfc(0.5)], "nanmedian": np.median(SQUARE), "nanquantile": np.quantile(SQUARE, 0.25),
    "log_ndtr": [np.log(0.6914624612740131)], "vander": [[1.0, 0.5, 0.25]], "index_put": [[2.0, 2.0], [0.3, 2.0]],
    "renorm": SQUARE * [[1.5 / np.hypot(2.0, 0.5)], [1.0]],
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_suggested_expression_computes_the_function_of_pytorch(name):
    operands = {k: Tensor(v) if isinstance(v, np.ndarray) and v.dtype == float else v for k, v in OPERANDS.items()}
    found = eval(INSTEAD[name], {n: getattr(ag, n) for n in ag.__all__} | {"np": np} | operands)
    np.testing.assert_allclose(getattr(found, "data", found), EXPECTED[name], rtol=1e-12)


def test_suggested_functions_of_pytorch_compute_the_same():
    rng = np.random.default_rng(0)
    a, b, t = rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), Tensor(rng.normal(size=(2, 5)))
    top = ag.take_along_axis(t, ag.flip(ag.argsort(t), -1)[..., :2], -1)
    np.testing.assert_array_equal(top.data, -np.sort(-t.data)[:, :2])
    gammas = eval(INSTEAD["mvlgamma"], vars(ag) | {"t": Tensor([2.5]), "p": 2, "np": np})
    assert gammas.item() == pytest.approx(math.lgamma(2.5) + math.lgamma(2.0) + 0.5 * math.log(math.pi))
    cube = rng.normal(size=(2, 2, 4))
    solution = eval(INSTEAD["tensorsolve"], vars(ag) | {"t": Tensor(cube), "b": t[:, :2]})
    np.testing.assert_allclose(solution.data, np.linalg.tensorsolve(cube, t[:, :2].data))
    distances = ag.norm(Tensor(a)[:, None] - b, axis=-1)
    np.testing.assert_allclose(distances.data, [[math.dist(x, y) for y in b] for x in a])


def test_option_of_pytorch_suggests_the_equivalent():
    t = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"var\(\) takes no 'unbiased': write correction=1"):
        t.var(unbiased=True)
    with pytest.raises(TypeError, match=r"sort\(\) takes no 'descending': write flip"):
        t.sort(descending=True)


def test_arguments_of_pytorch_mean_the_same_here():
    x = np.arange(6.0).reshape(2, 3)
    t = Tensor(x, requires_grad=True)
    for found, expected in (
        (t.sum([0, 1]), x.sum()),
        (ag.sum(t, [0, 1]), x.sum()),
        (t.var(dim=[0, 1]), x.var()),
        (ag.mean(t, dim=1, keepdim=True), x.mean(1, keepdims=True)),
        (t.norm(p=1, dim=1), np.abs(x).sum(1)),
        (t.flip(dims=[0]), x[::-1]),
        (t.roll(1, dims=0), np.roll(x, 1, 0)),
        (t.tril(diagonal=1), np.tril(x, 1)),
        (t.diagonal(dim1=1, dim2=0), np.diagonal(x, 0, 1, 0)),
        (t.index_add(0, np.array([1, 1]), np.ones((2, 3))), np.add(x, [[0.0], [2.0]])),
        (t.index_add(1, np.array([0]), np.ones((2, 1))), np.add(x, [1.0, 0.0, 0.0])),
        (t.index_add((0, 0), 5.0), np.add(x, [[5.0, 0.0, 0.0], [0.0, 0.0, 0.0]])),
    ):
        np.testing.assert_allclose(found.data, expected, rtol=1e-14)
    y = (t * t).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_array_equal(t.grad, 4 * x)
    for name in ("median", "erfinv", "nan_to_num"):
        with pytest.raises(AttributeError, match=rf"write autograd\.{name}\("):
            getattr(t, name)
