"""verify(loss): four ways to one derivative, and the edge where they part."""

import numpy as np
import pytest

import autograd as ag
from autograd import GradcheckError, Tensor, Value, verify
from autograd.graph import apply
from autograd.rules import Elementwise


def test_correct_graph_of_values_agrees():
    a, b, c = Value(0.7, name="a"), Value(-1.2, name="b"), Value(0.5)
    report = verify((a * b + c).tanh() * a + (a * a).exp() / c)
    assert report
    assert list(report.ways) == ["a", "b", "variable 2"]
    for reverse, forward, numerical, paths in report.ways.values():
        assert paths == pytest.approx(reverse, rel=1e-12)
        assert forward == pytest.approx(reverse, rel=1e-12)
        assert numerical == pytest.approx(reverse, rel=1e-7)
    assert "sum of paths" in str(report)


def test_correct_graph_of_tensors_with_a_mask_agrees():
    rng = np.random.default_rng(0)
    W, b = Tensor(rng.normal(size=(3, 4)), requires_grad=True, name="W"), Tensor(np.ones(3), requires_grad=True)
    h = ag.relu(rng.normal(size=(5, 4)) @ W.T + b)
    loss = ag.where(h > 0.5, h, -h).mean() + ag.logsumexp(h, axis=1).sum() + (W * W).sum()
    assert verify(loss)


def test_too_many_paths_are_not_enumerated():
    x = Value(1.0)
    y = x
    for _ in range(40):
        y = y + y
    report = verify(y)
    reverse, *_, paths = report.ways["variable 0"]
    assert np.isnan(paths)
    assert reverse == 2.0**40


def wrong_tanh(x):
    op = Elementwise("wrong_tanh", np.tanh, (lambda y, x: 1 - y,))
    return apply(op, (x,))


@pytest.mark.parametrize("x", [Value(0.5, name="x"), Tensor([0.5, 0.1], requires_grad=True, name="x")])
def test_the_first_wrong_edge_is_named(x):
    h = wrong_tanh(x * 2.0)
    h.name = "hidden"
    with pytest.raises(GradcheckError, match=r"argument 0 -> wrong_tanh \(hidden\)") as caught:
        verify(ag.sum(ag.exp(h) * x))
    assert "four ways disagree for x" in str(caught.value)


def test_a_hook_that_changes_a_cotangent_is_suspected():
    x = Value(2.0)
    y = x * x
    y.register_hook(lambda g: 2 * g)
    report = verify(y * 3.0, raise_exception=False)
    assert not report
    assert not report.first_edge
    assert "hook" in str(report)


def test_verify_without_variable_or_scalar_raises():
    with pytest.raises(RuntimeError, match="requires_grad"):
        verify(Tensor([1.0]) * 2.0)
    with pytest.raises(RuntimeError, match="scalar"):
        verify(Tensor([1.0, 2.0], requires_grad=True) * 2.0)


def test_verify_does_not_change_grad():
    x = Value(2.0)
    verify(x * x)
    assert x.grad == 0.0
