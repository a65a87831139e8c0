"""Hooks of modules: their arguments, their results and their removal."""

import numpy as np
import pytest

import nn
from autograd import Tensor


def test_forward_hooks_see_and_replace():
    layer, calls = nn.Linear(2, 2, rng=0), []
    pre = layer.register_forward_pre_hook(lambda module, args: calls.append("before") or (args[0] * 2.0,))
    post = layer.register_forward_hook(lambda module, args, output: calls.append(type(module).__name__))
    x = np.ones((1, 2))
    doubled = layer(x).data
    assert calls == ["before", "Linear"]
    pre.remove()
    pre.remove()
    np.testing.assert_allclose(layer(2.0 * x).data, doubled)
    post.remove()
    silent = layer.register_forward_hook(lambda module, args, output: output * 0.0)
    assert not layer(x).data.any()
    silent.remove()
    assert layer(x).data.any()
    with pytest.raises(TypeError, match="callable"):
        layer.register_forward_hook(3)


def test_hook_added_twice_runs_twice_and_is_removed_once():
    layer, calls = nn.Tanh(), []
    hook = lambda *args: calls.append(1)  # noqa: E731
    first, _ = layer.register_forward_hook(hook), layer.register_forward_hook(hook)
    layer(np.ones(1))
    first.remove()
    layer(np.ones(1))
    assert len(calls) == 3


def test_backward_hook_sees_gradients_of_output_and_input():
    model, seen = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh()), []
    model[1].register_full_backward_hook(lambda module, grad_in, grad_out: seen.append((grad_in, grad_out)))
    x = Tensor(np.ones((4, 2)), requires_grad=True)
    y = model(x)
    y.sum().backward()
    ((grad_in,), (grad_out,)) = seen[0]
    np.testing.assert_array_equal(grad_out, np.ones((4, 3)))
    np.testing.assert_allclose(grad_in, 1.0 - y.data**2)


def test_backward_hook_replaces_the_gradient_of_the_input():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, grad_in, grad_out: (grad_in[0] * 0.0,))
    x = Tensor([0.5], requires_grad=True)
    layer(x).sum().backward()
    assert x.grad == 0.0


def test_backward_hook_gets_the_gradients_of_two_inputs():
    seen = []
    first = nn.Linear(2, 1, rng=0)
    first.register_full_backward_hook(lambda module, grad_in, grad_out: seen.append((grad_in, grad_out)))
    first(np.ones((1, 2))).sum().backward()
    assert seen[0][0] == (None,)
    assert seen[0][1][0] == 1.0
    seen.clear()
    both = nn.Bilinear(2, 2, 1, rng=0)
    both.register_full_backward_hook(lambda module, grad_in, grad_out: seen.append(grad_in))
    a, b = (Tensor(np.ones((1, 2)), requires_grad=True) for _ in range(2))
    both(a, b).sum().backward()
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0][0], a.grad)
    np.testing.assert_array_equal(seen[0][1], b.grad)
    both.register_full_backward_hook(lambda module, grad_in, grad_out: grad_in)
    with pytest.raises(RuntimeError, match="2 inputs"):
        both(a, b).sum().backward()
