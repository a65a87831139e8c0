"""Memory layout of flat parameter vectors: alignment, and gradients that are slices of one vector."""

import weakref

import numpy as np
import pytest
from optimizer_problem import Parameter

import optim
from optim.flat_params import BLOCK, LINE, address, aligned


def array(shape, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return Parameter(rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_vectors_begin_with_a_line_of_the_cache(dtype):
    for size in (1, 15, 1000):
        a = aligned(size, dtype)
        assert (a.size, a.dtype, address(a) % LINE) == (size, dtype, 0)


def pieces(params, flat, start=0):
    for p in params:
        p.grad = flat[start : start + p.data.size].reshape(p.data.shape)
        start += p.data.size


@pytest.mark.parametrize("shapes", [((3, 4), (5,), ()), ((5,), (3, BLOCK), (7, 11))], ids=["one block", "several"])
def test_gradients_that_are_pieces_of_one_vector_are_taken_as_they_are(shapes):
    sides = [[array(s, i) for i, s in enumerate(shapes)] for _ in range(2)]
    optimizers = [optim.Adam(side) for side in sides]
    total = sum(p.data.size for p in sides[0])
    flat = np.empty(total + 3)
    rng = np.random.default_rng(1)
    pieces(sides[0], flat, 2)
    for _ in range(5):
        flat[...] = rng.normal(size=flat.size)
        for p, q in zip(*sides, strict=True):
            q.grad = p.grad.copy()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(*sides, strict=True):
        np.testing.assert_array_equal(p.data, q.data)
    flat_params = optimizers[0]._flat[0][0]
    assert all(np.shares_memory(g, flat) for _, _, g in flat_params.cut(flat_params.gradients()))
    assert flat_params.searches == 1


def test_pieces_in_another_order_are_not():
    p, q = array(3), array(3)
    optimizer = optim.SGD([p, q], lr=1.0)
    expected = -np.arange(6.0)
    p.data, q.data = np.zeros(3), np.zeros(3)
    flat = np.arange(6.0)
    for first, second in [(p, q), (q, p), (p, q)]:
        first.grad, second.grad = flat[:3], flat[3:]
        optimizer.step()
    np.testing.assert_array_equal(p.data, 2 * expected[:3] + expected[3:])
    np.testing.assert_array_equal(q.data, expected[:3] + 2 * expected[3:])
    for odd in (flat[::2], flat[1:4], flat[::-1][:3]):
        p.data, q.data = np.zeros(3), np.zeros(3)
        p.grad, q.grad = flat[:3], odd
        optimizer.step()
        np.testing.assert_array_equal(q.data, -odd)


def test_pieces_are_not_kept():
    p, q = array(3), array(2)
    optimizer = optim.SGD([p, q], lr=1.0)
    flat = np.ones(5)
    pieces([p, q], flat)
    for _ in range(4):
        optimizer.step()
    gone = weakref.ref(p.grad)
    optimizer.zero_grad()
    assert gone() is None
