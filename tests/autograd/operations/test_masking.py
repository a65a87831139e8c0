"""`where` keeps inf and nan of elements that are not taken out of the gradient, for every operation."""

import numpy as np
import pytest
from samples import CASES

import autograd as ag
import nn
from autograd import Tensor, Value, gradients, reverse
from autograd.operations import shaping

INF, NAN = np.inf, np.nan
ROW = np.array([True, False])
MATRIX = [[2.0, 0.5], [1.0, 3.0]]

# functions of an array of two rows, which give a result per row
OF_ROWS = {
    "matmul": lambda t: t @ np.array([2.0, -1.0]),
    "einsum": lambda t: ag.einsum("ij,j,ij->i", t, np.array([2.0, -1.0]), t),
    "tensordot": lambda t: ag.tensordot(t, np.array([2.0, -1.0]), 1),
    "affine": lambda t: nn.functional.linear(t, np.array([[2.0, -1.0]]), np.ones(1))[:, 0],
    "norm": lambda t: ag.norm(t, axis=1),
    "norm 1": lambda t: ag.norm(t, 1, axis=1),
    "norm 3": lambda t: ag.norm(t, 3, axis=1),
    "std": lambda t: ag.std(t, axis=1),
    "var": lambda t: ag.var(t, axis=1),
    "prod": lambda t: ag.prod(t, axis=1),
    "cumprod": lambda t: ag.cumprod(t, axis=1)[:, 1],
    "logsumexp": lambda t: ag.logsumexp(t, axis=1),
    "softmax": lambda t: ag.softmax(t, 1)[:, 0],
    "log_softmax": lambda t: ag.log_softmax(t, 1)[:, 0],
    "det": lambda t: ag.det(ag.stack([t, t * t], 1)),
    "layer_norm": lambda t: nn.functional.layer_norm(t, (2,))[:, 0],
    "checkpoint": lambda t: ag.checkpoint(lambda u: ag.norm(ag.log(u), axis=1))(t),
}


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def masked_gradients(f, operands, differentiable, taken):
    """Return the gradients of a weighted sum of the taken elements of the result."""
    nodes = [Tensor(x, requires_grad=True) if i in differentiable else x for i, x in enumerate(operands)]
    y = ag.where(taken, f(*nodes), 0.0)
    found = gradients((y * np.linspace(1.0, 2.0, y.size).reshape(y.shape)).sum(), [nodes[i] for i in differentiable])
    return dict(zip(differentiable, found, strict=True))


def float_cases():
    for name, sample in CASES.items():
        operands = sample.operands()
        y = np.asarray(sample.f(*operands))
        if sample.differentiable and y.size > 1 and y.dtype.kind == "f":
            yield name, sample, operands, y


def replaced(operands, i, index, value):
    """Return the operands with one element of operand `i` replaced."""
    changed = operands[i].copy()
    changed[index] = value
    return (*operands[:i], changed, *operands[i + 1 :])


def masked_cases():
    """Yield each sample with some elements of an operand, and the mask of the results that each does not influence."""
    for name, sample, operands, y in float_cases():
        for i in sample.differentiable:
            for index in list(np.ndindex(operands[i].shape))[:: operands[i].size // 2 or 1]:
                taken = sample.f(*replaced(operands, i, index, NAN)) == y
                if taken.any() and not taken.all():
                    yield name, sample, operands, i, index, taken


def test_no_operation_lets_untaken_nan_or_inf_into_the_gradient():
    wrong, covered = set(), set()
    for name, sample, operands, i, index, taken in masked_cases():
        covered.add(sample.name)
        expected = masked_gradients(sample.f, operands, sample.differentiable, taken)
        for bad in (INF, NAN):
            try:
                found = masked_gradients(sample.f, replaced(operands, i, index, bad), sample.differentiable, taken)
            except ValueError:
                assert name.startswith(("cholesky", "qr"))  # which have no factors of such a matrix
                continue
            same = all(np.allclose(found[j], expected[j], rtol=1e-12, atol=1e-14) for j in found)
            if not same or found[i][index] != 0.0:
                wrong.add((name, i, index, bad))
    assert not wrong, sorted(wrong, key=str)[:20]
    assert covered >= {
        "matmul", "affine", "einsum", "norm", "std", "var", "max", "prod", "cumprod", "logsumexp", "softmax",
        "log_softmax", "det", "log_abs_det", "solve", "inv", "cholesky", "standardized", "recurrence", "multiply",
        "sum", "tensordot",
    }  # fmt: skip


@pytest.mark.parametrize("f", OF_ROWS.values(), ids=OF_ROWS)
@pytest.mark.parametrize("bad", [INF, NAN])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_are_not_taken_change_no_gradient_of_first_or_second_order(f, bad, dtype):
    def both_orders(rows):
        t = Tensor(np.array(rows, dtype), requires_grad=True)
        first = gradients(ag.where(ROW, f(t), 0.0).sum(), t, create_graph=True)
        t_only = gradients(ag.where(ROW, f(t), 0.0).sum(), t)
        np.testing.assert_array_equal(t_only, first.data)
        if not first.requires_grad:
            return first.data, 0.0 * first.data
        return first.data, gradients((first * np.array([1.0, 2.0], dtype)).sum(), t)

    expected, found = both_orders(MATRIX), both_orders([MATRIX[0], [bad, 3.0]])
    for e, g in zip(expected, found, strict=True):
        assert g.dtype == dtype
        np.testing.assert_allclose(g, e, rtol=1e-6 if dtype == "float32" else 1e-13, atol=1e-15)
        np.testing.assert_array_equal(g[1], 0.0)


@pytest.mark.parametrize("f", OF_ROWS.values(), ids=OF_ROWS)
def test_nan_of_a_row_that_is_taken_reaches_the_gradient(f):
    t = Tensor([[NAN, 3.0], *MATRIX, [INF, 1.0]], requires_grad=True)
    ag.where(np.array([True, True, False, False]), ag.exp(f(t)), 0.0).sum().backward()
    assert np.isnan(t.grad[0]).any()
    assert np.isfinite(t.grad[1]).all()
    np.testing.assert_array_equal(t.grad[2:], 0.0)


def test_matmul_with_a_missing_row_of_data_gives_the_gradient_of_the_other_rows():
    w = Tensor([3.0, 4.0], requires_grad=True)
    ag.where(ROW, np.array([[1.0, 2.0], [NAN, INF]]) @ w, 0.0).sum().backward()
    np.testing.assert_array_equal(w.grad, [1.0, 2.0])


def test_matmul_with_nan_in_taken_and_untaken_rows_keeps_the_taken_nan():
    w = Tensor([3.0, 4.0], requires_grad=True)
    data = np.array([[1.0, 2.0], [NAN, 1.0], [5.0, INF]])
    ag.where(np.array([True, True, False]), data @ w, 0.0).sum().backward()
    np.testing.assert_array_equal(w.grad, [NAN, 3.0])


def test_matmul_with_an_untaken_column_gives_it_gradient_zero_beside_a_taken_nan():
    w = Tensor(np.ones((2, 2)), requires_grad=True)
    ag.where(np.array([True, False]), np.array([[1.0, NAN], [2.0, 3.0]]) @ w, 0.0).sum().backward()
    np.testing.assert_array_equal(w.grad, [[3.0, 0.0], [NAN, 0.0]])


@pytest.mark.parametrize("checkpointed", [False, True])
def test_linear_with_a_missing_row_of_data_gives_the_gradient_of_the_other_rows(checkpointed):
    layer, data = nn.Linear(2, 3, rng=0), np.array([[1.0, 2.0], [NAN, 1.0], [3.0, 5.0]])
    f = ag.checkpoint(layer) if checkpointed else layer
    ag.where(np.array([True, False, True])[:, None], f(Tensor(data)), 0.0).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad, [[4.0, 7.0]] * 3)
    np.testing.assert_array_equal(layer.bias.grad, [2.0] * 3)


def test_missing_data_two_layers_below_a_mask_leaves_the_gradient_of_the_other_rows():
    model = nn.Sequential(nn.Linear(2, 4, rng=0), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 1, rng=1))
    data, taken = np.array([[1.0, 2.0], [NAN, 1.0], [3.0, 5.0]]), np.array([True, False, True])
    ag.where(taken[:, None], model(Tensor(data)), 0.0).sum().backward()
    found = [p.grad.copy() for p in model.parameters()]
    model.zero_grad()
    model(Tensor(data[taken])).sum().backward()
    for g, p in zip(found, model.parameters(), strict=True):
        np.testing.assert_allclose(g, p.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", [Value, lambda x, **options: Tensor([x], **options)])
def test_undefined_std_that_is_not_taken_has_gradient_zero(kind):
    x = kind(2.0, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="degree of freedom"):
        y = ag.where(False, ag.std(x, ddof=1), 0.0)
    y.sum().backward() if isinstance(y, Tensor) else y.backward()
    assert float(np.sum(x.grad)) == 0.0


def test_checkpoint_without_a_mask_keeps_nan():
    x = Tensor([0.0, 1.0], requires_grad=True)
    (ag.checkpoint(ag.sqrt)(x) * 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [NAN, 0.0])


def test_masked_gradients_of_finite_values_come_from_the_rule_itself(monkeypatch):
    monkeypatch.setattr(shaping, "_share_of_taken", lambda *_: pytest.fail("replaced a finite share"))
    for _, sample, operands, y in float_cases():
        taken = np.arange(y.size).reshape(y.shape) % 2 == 0
        masked_gradients(sample.f, operands, sample.differentiable, taken)


def test_gradients_without_a_mask_come_from_the_rule_itself(monkeypatch):
    monkeypatch.setattr(reverse, "share_below_mask", lambda *_: pytest.fail("found a mask"))
    t = Tensor([MATRIX[0], [NAN, 3.0]], requires_grad=True)
    for name, f in OF_ROWS.items():
        g = gradients((f(t) * np.array([1.0, 0.0])).sum(), t)
        assert np.isnan(g[1]).any() == (name not in ("matmul", "tensordot", "affine"))


@pytest.mark.parametrize("first", [MATRIX[1], [NAN, 3.0]], ids=["recorded finite", "recorded with nan"])
def test_rows_that_are_not_taken_change_no_gradient_in_replays(first):
    for name, f in OF_ROWS.items():
        step = ag.compile(lambda t, f=f: ag.where(ROW, f(t), 0.0).sum())
        for row in (first, MATRIX[1], [INF, 3.0], [NAN, 3.0], MATRIX[1]):
            theirs = Tensor([MATRIX[0], row], requires_grad=True)
            ours = Tensor([MATRIX[0], row], requires_grad=True)
            expected = ag.where(ROW, f(theirs), 0.0).sum()
            assert step(ours).item() == pytest.approx(expected.item(), rel=1e-13), name
            expected.backward()
            np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-13, atol=1e-15, err_msg=name)


def test_second_derivative_of_a_composition_ignores_rows_that_are_not_taken():
    rng = np.random.default_rng(0)
    data, weight = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    data[1] = NAN
    taken = np.isfinite(data).all(axis=1)

    def penalty(x, mask):
        w = Tensor(weight, requires_grad=True)
        loss = ag.where(mask, ag.tanh(x @ w) @ w, 0.0).sum()
        ag.square(gradients(loss, w, create_graph=True)).sum().backward()
        return w.grad

    np.testing.assert_allclose(penalty(data, taken[:, None]), penalty(data[taken], True), rtol=1e-12)


def test_second_derivative_where_the_first_is_zero():
    """A zero cotangent of an element that was taken is no sign that it was left out."""
    w = Tensor([2.0, 3.0], requires_grad=True)
    loss = ag.square(ag.where(np.array([True, True]), w * w * 3.0, 0.0) - np.array([12.0, 27.0])).sum()
    assert gradients(gradients(loss, w, create_graph=True).sum(), w).tolist() == [288.0, 648.0]
