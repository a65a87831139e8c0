"""A thousand random expressions: `Value`s and `Tensor`s against finite differences and against each other.

An expression is a list of steps; each applies an operation to two numbers that are already there.
"""

import math

import numpy as np
from hypothesis import given, settings, strategies as st

import autograd as ag
from autograd import Tensor, Value, gradients


def plain(x):
    """The numbers behind a node, an array of nodes, or numbers themselves."""
    if isinstance(x, ag.Node):
        return x.data
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.array([plain(v) for v in x.flat], dtype=float).reshape(x.shape)
    return x


def away(x, y=0.0):
    """Whether two operands are nowhere near each other, so that no difference steps over a kink."""
    return bool(np.all(np.abs(plain(x) - plain(y)) > 1e-2))


STEPS = (
    ag.add,
    ag.subtract,
    ag.multiply,
    lambda x, y: x / (1.0 + y * y),
    lambda x, y: ag.tanh(x) + y,
    lambda x, y: ag.sin(x) * ag.cos(y),
    lambda x, y: ag.exp(-ag.softplus(x)) + y,
    lambda x, y: ag.sigmoid(x * y),
    lambda x, y: ag.sqrt(1.0 + x * x) - y,
    lambda x, y: ag.log(2.0 + x * x),
    lambda x, y: (1.0 + x * x) ** ag.tanh(y),
    lambda x, y: ag.square(x) - 0.5 * y**3,
    lambda x, y: ag.logaddexp(x, y),
    lambda x, y: ag.hypot(x, 1.0 + y * y),
    lambda x, y: ag.atan2(x, 1.0 + ag.square(y)),
    lambda x, y: ag.erf(x) + ag.atan(y),
    lambda x, y: ag.log1p(ag.expm1(ag.softplus(x))),
    lambda x, y: ag.reciprocal(ag.cosh(ag.tanh(x))) * ag.asinh(y),
    lambda x, y: ag.rsqrt(1.0 + y * y) * x,
    # with kinks, used where both operands are away from them
    lambda x, y: ag.maximum(x, y) if away(x, y) else x,
    lambda x, y: ag.minimum(x, y) if away(x, y) else y,
    lambda x, y: ag.relu(x) + y if away(x) else y,
    lambda x, y: ag.absolute(x) * y if away(x) else x,
    lambda x, y: ag.leaky_relu(x, 0.1) - y if away(x) else x,
    lambda x, y: ag.where(x > y, ag.sin(x), y * y) if away(x, y) else x + y,
    lambda x, y: ag.clip(x, -0.9, 0.8) + y if away(x, -0.9) and away(x, 0.8) else x,
)  # fmt: skip

ACROSS = (
    lambda x: ag.sum(x, axis=-1, keepdims=True),
    lambda x: ag.mean(x, axis=0, keepdims=True),
    ag.softmax,
    lambda x: ag.log_softmax(x, axis=0),
    lambda x: ag.logsumexp(x, axis=-1, keepdims=True),
    lambda x: ag.matmul(x, ag.transpose(x)) if np.shape(x)[0] == 2 and np.shape(x)[1] == 2 else x,
    lambda x: ag.getitem(x, (slice(None, None, -1), [0] if np.shape(x)[1] == 1 else [1, 0])),
    lambda x: ag.concatenate([x[:1], ag.tanh(x)])[: np.shape(x)[0]],
    lambda x: ag.reshape(ag.transpose(x), np.shape(x)),
    lambda x: ag.stack([x, x * x], axis=0)[1],
)

number = st.floats(-2.0, 2.0).map(lambda x: round(x, 3) + 0.0)
steps = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=9
)


def evaluated(program, leaves):
    """The last number of an expression; an operand is chosen among all that are there already."""
    there = list(leaves)
    for op, i, j in program:
        if op < len(STEPS):
            there.append(STEPS[op](there[i % len(there)], there[j % len(there)]))
        else:
            there.append(ACROSS[op - len(STEPS)](there[i % len(there)]))
        if np.max(np.abs(plain(there[-1]))) > 10.0:
            there[-1] = ag.tanh(there[-1])
    return there[-1]


def difference(f, x, place):
    h = 6e-6 * max(1.0, abs(x[place]))
    above, below = x.copy(), x.copy()
    above[place] += h
    below[place] -= h
    return (f(above) - f(below)) / (above[place] - below[place])


def near(a, b, tolerance):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


@settings(max_examples=200)
@given(program=steps, xs=st.lists(number, min_size=2, max_size=3))
def test_expressions_of_values(program, xs):
    leaves = [Value(x) for x in xs]
    y = evaluated(program, leaves)
    assert y.data == evaluated(program, xs)
    if y.op is None:
        return
    first = gradients(y, leaves, create_graph=True, allow_unused=True)
    array = np.array(xs)
    for i, g in enumerate(first):
        expected = difference(lambda x: evaluated(program, x.tolist()), array, i)
        assert near(0.0 if g is None else g.data, expected, 1e-6)

    # ... of one element each, as Tensors
    tensors = [Tensor([x, 0.3], requires_grad=True) for x in xs]
    if any(op >= 19 for op, *_ in program):  # a kink is avoided where any element is near it
        tensors = [Tensor([x], requires_grad=True) for x in xs]
    evaluated(program, tensors)[0].backward()
    for t, g in zip(tensors, first, strict=True):
        assert near(0.0 if g is None else g.data, 0.0 if t.grad is None else t.grad[0], 1e-12)

    # ... and once more
    total = sum((g for g in first if g is not None), Value(0.0))
    seconds = gradients(total, leaves, allow_unused=True) if total.requires_grad else ()

    def slope(x):
        again = [Value(v) for v in x.tolist()]
        return sum(g or 0.0 for g in gradients(evaluated(program, again), again, allow_unused=True))

    for i, g in enumerate(seconds):
        assert near(0.0 if g is None else g, difference(slope, array, i), 1e-5)


shapes = st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2)])
mixed_steps = st.lists(
    st.tuples(st.integers(0, len(STEPS) + len(ACROSS) - 1), st.integers(0, 50), st.integers(0, 50)),
    min_size=1, max_size=7,
)  # fmt: skip


@settings(max_examples=200)
@given(program=mixed_steps, leaf_shapes=st.lists(shapes, min_size=2, max_size=3), seed=st.integers(0, 10**6))
def test_expressions_of_tensors(program, leaf_shapes, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-2.0, 2.0, shape).round(3) for shape in leaf_shapes]
    weights = rng.uniform(0.5, 1.5, (2, 2))

    def weighted(xs):
        return ag.sum(evaluated(program, xs) * weights)

    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    loss = weighted(tensors)
    loss.backward()
    for i, (t, a) in enumerate(zip(tensors, arrays, strict=True)):
        found = np.zeros(a.shape) if t.grad is None else t.grad
        for place in np.ndindex(a.shape):
            expected = difference(lambda x, i=i: float(weighted([*arrays[:i], x, *arrays[i + 1 :]])), a, place)
            assert near(found[place], expected, 1e-6)

    # ... and as object arrays of Values
    objects = [np.vectorize(Value, otypes=[object])(a) for a in arrays]
    total = weighted(objects)
    assert near(total.data, loss.item(), 1e-12)
    total.backward()
    for t, values in zip(tensors, objects, strict=True):
        grads = np.array([v.grad for v in values.flat]).reshape(values.shape)
        np.testing.assert_allclose(grads, 0.0 if t.grad is None else t.grad, rtol=1e-10, atol=1e-12)
