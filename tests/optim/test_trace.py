"""The trace of an update: the terms of a rule with their values."""

import inspect

import numpy as np
import pytest
from looping import each
from optimizer_problem import Parameter, array

import optim
from autograd import Value

TRACED = sorted(
    name
    for name in optim.__all__
    if inspect.isclass(found := getattr(optim, name)) and issubclass(found, optim.Optimizer) and hasattr(found, "rule")
)


@each(TRACED, [{}, {"maximize": True, "weight_decay": 0.1}])
def test_the_last_term_of_a_trace_is_the_value_after_the_step(name, options, capsys):
    cls = getattr(optim, name)
    options = {option: value for option, value in options.items() if option in cls.options}
    params = [array((2, 3), 1, name="W"), array((4, 2), 2)]
    optimizer = cls(params, **options)
    for _ in range(2):
        if cls.needs_product:
            optimizer.estimate(lambda v: [2 * x for x in v])
        expected = optimizer.trace(params[0], (1, 2))["p"]
        before = repr(optimizer.state_dict())
        optimizer.trace(params[1], (0, -1))
        assert repr(optimizer.state_dict()) == before
        optimizer.step()
        assert params[0].data[1, 2] == expected
        params[0].grad, params[1].grad = np.cos(params[0].data), np.sin(params[1].data)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{name}, step 1, parameter 'W'[1, 2]")
    assert "p - step" in printed


def test_trace_shows_every_term_of_adam(capsys):
    w = Value(2.0, name="w")
    w.grad = 0.5
    optimizer = optim.Adam([w], lr=0.1, weight_decay=0.25)
    found = optimizer.trace(w)
    assert [t.name for t in found] == ["p", "g", "m", "v", "g", "b1", "b2", "m", "v", "m_hat", "v_hat", "step", "p"]
    assert found["g"] == 1.0
    assert found["m"] == pytest.approx(0.1)
    assert found["m_hat"] == pytest.approx(1.0)
    assert found["v_hat"] == pytest.approx(1.0)
    assert found["step"] == pytest.approx(0.1)
    assert ("m", "b1 * m + (1 - b1) * g") in [(t.name, t.formula) for t in found]
    assert capsys.readouterr().out == str(found) + "\n"
    assert repr(found) == "<Adam, step 1, parameter 'w': 13 terms>"
    with pytest.raises(KeyError, match="this trace has p, g, m, v"):
        found["spread"]


def test_trace_of_a_user_defined_rule():
    class Halving(optim.Optimizer):
        """Halves the gradient."""

        lr: optim.options.NonNegative = 1.0

        def start(self, zero):
            return ()

        def rule(self, g, *, lr):
            half = g / 2
            return lr * half, ()

    p = Parameter(1.0, 0.5)
    optimizer = Halving([p])
    assert [(t.name, t.value) for t in optimizer.trace(p)][2:] == [("half", 0.25), ("step", 0.25), ("p", 0.75)]
    optimizer.step()
    assert p.data == 0.75


def test_trace_raises_for_wrong_index_missing_gradient_and_lbfgs():
    p = array((2, 3), name="W")
    optimizer = optim.Adam([p])
    for index in [(0,), (2, 0), 1, (0, 0, 0)]:
        with pytest.raises(IndexError, match=r"is out of bounds for a parameter of shape \(2, 3\)"):
            optimizer.trace(p, index)
    p.grad = None
    with pytest.raises(ValueError, match=r"Adam does not update .*, or not before backward\(\)"):
        optimizer.trace(p, (0, 0))
    with pytest.raises(TypeError, match="all parameters together"):
        optim.LBFGS([p]).trace(p, (0, 0))


def test_trace_of_a_rule_with_a_loop_shows_every_pass():
    class Looping(optim.Momentum):
        def rule(self, g, v, *, lr, beta):
            for _ in range(2):
                g = g / 2
            return lr * g, (v,)

    leaf = array(2)
    found = Looping([leaf]).trace(leaf, 0)
    assert [t.value for t in found if t.name == "g"] == [leaf.grad[0], leaf.grad[0] / 2, leaf.grad[0] / 4]


def test_terms_are_found_by_position_and_by_name():
    leaf = array(2)
    trace = optim.Adam([leaf], lr=0.5).trace(leaf, 0)
    assert trace[0].name == "p"
    assert trace["p"] == trace[-1].value
