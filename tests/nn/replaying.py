"""What the tests of compiled models share: a call by the engine, and everything that a call leaves behind."""

import numpy as np

from autograd import Tensor

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def reseeded(module):
    for part in module.modules():
        if hasattr(part, "rng"):
            part.rng = np.random.default_rng(5)
    return module


def eagerly(step):
    def run(*inputs):
        found = step(*inputs)
        if getattr(found[0], "requires_grad", False):
            found[0].backward()
        return found

    return run


def measured(module, run, inputs):
    """What a call returns, what gradients it leaves, and what became of the buffers."""
    for p in module.parameters():
        p.grad = None
    found = run(*inputs)
    grads = [x.grad for x in (*inputs, *module.parameters()) if isinstance(x, Tensor)]
    return [getattr(x, "data", x) for x in found], grads, [np.array(b) for b in module.buffers()]


def assert_same(ours, theirs, **close):
    for a, b in zip(ours, theirs, strict=True):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                assert np.asarray(x).dtype == np.asarray(y).dtype
                np.testing.assert_allclose(x, y, **(close or CLOSE))
